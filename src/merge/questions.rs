//! What is asked about declarations, many questions to a file that imports them: their types, and which types are
//! equal by definition. Several files are asked at once.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Fatal;
use super::analyse::{Document, MODULE, Options};
use super::lean::{Lean, Severity, write};
use super::reading::Digest;
use super::split::Kind;

/// Texts by full names.
type Texts = BTreeMap<String, String>;

/// What was answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answers {
    /// For each theorem its type and for each other declaration what `#print` says, under `pp.all`.
    pub signatures: Texts,
    /// For theorems, the type after reduction, where that was quick.
    pub reduced: Texts,
}

impl Answers {
    fn all(&mut self) -> [&mut Texts; 2] {
        [&mut self.signatures, &mut self.reduced]
    }

    /// What is known of these names.
    fn of(&self, names: &[String]) -> Answers {
        let of = |texts: &Texts| {
            names.iter().filter_map(|n| Some((n.clone(), texts.get(n)?.clone()))).collect::<Texts>()
        };
        Answers { signatures: of(&self.signatures), reduced: of(&self.reduced) }
    }
}

/// How many declarations are asked for in one run, where there is a processor for another one.
const CHUNK: usize = 500;

/// The options of a file with questions.
const QUIET: [&str; 2] = ["-Dweak.linter.all=false", "-Dweak.Elab.async=false"];

/// How long a type may be reduced, and two types compared, in thousands of heartbeats.
const HEARTBEATS: [usize; 2] = [20, 400];

/// A part of what is asked of a document: names, and whether each is a theorem.
type Chunk = Vec<(String, bool)>;

/// Asks for the types of what some commands declare. What is the same in two documents is asked for once.
///
/// # Errors
/// The time is over, or the compiler died.
pub fn ask(
    lean: &Lean,
    documents: &mut [Document],
    options: Options,
    wanted: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Fatal> {
    let mut first: HashMap<Digest, usize> = HashMap::new();
    // Which document knows what another one's command states.
    let mut copies: Vec<(usize, (usize, usize))> = Vec::new();
    let mut chunks: Vec<(usize, Chunk)> = Vec::new();
    let room = lean.jobs.div_ceil(documents.len().max(1));
    for (d, document) in documents.iter().enumerate() {
        let mut chunk: Chunk = Vec::new();
        for (i, fact) in document.facts.iter().enumerate() {
            let kind = document.commands[i].kind;
            // A name that was read from the text may be another's.
            let compiled = fact.references.iter().any(|r| r.definition && r.local);
            if !matches!(kind, Kind::Theorem | Kind::Definition) || !compiled || !wanted(d, i) {
                continue;
            }
            match first.get(&fact.identity) {
                Some(&known) => copies.push((known, (d, i))),
                None => {
                    first.insert(fact.identity, d);
                    chunk.extend(fact.names.iter().map(|n| (n.clone(), kind == Kind::Theorem)));
                }
            }
        }
        let size = CHUNK.max(chunk.len().div_ceil(room));
        chunks.extend(chunk.chunks(size).map(|c| (d, c.to_vec())));
    }
    let file = |chunk: &Chunk| questions(chunk, options);
    let key =
        |d: usize, text: &str| lean.key(&documents[d].modules(), &["questions", &documents[d].text, text]);
    let keys: Vec<_> = chunks.iter().map(|(d, chunk)| key(*d, &file(chunk).0)).collect();
    let mut known: Vec<Option<Answers>> = keys.iter().map(|k| lean.recall(k.as_deref())).collect();
    let open: Vec<usize> = (0..chunks.len()).filter(|&c| known[c].is_none()).collect();
    for &c in &open {
        let document = &mut documents[chunks[c].0];
        if document.module().is_none() {
            document.build(lean, options.until)?;
        }
    }
    let found = lean.each(&open, &|_| {}, |&c| {
        let (d, chunk) = &chunks[c];
        match documents[*d].module().filter(|dir| dir.join(format!("{MODULE}.olean")).exists()) {
            Some(dir) => answer(lean, dir, &format!("Questions{c}.lean"), file(chunk), options.until),
            None => Ok(Answers::default()),
        }
    })?;
    for (c, answers) in open.into_iter().zip(found) {
        lean.keep(keys[c].as_deref(), &answers);
        known[c] = Some(answers);
    }
    for ((d, _), answers) in chunks.into_iter().zip(known) {
        let mut answers = answers.expect("it was recalled or asked for");
        for (to, from) in documents[d].answers.all().into_iter().zip(answers.all()) {
            to.append(from);
        }
    }
    for (from, (to, i)) in copies {
        let names = documents[to].facts[i].names.clone();
        let mut source = documents[from].answers.of(&names);
        for (texts, more) in documents[to].answers.all().into_iter().zip(source.all()) {
            texts.append(more);
        }
    }
    Ok(())
}

/// The text of a file with questions; and for the line of each question the name and which text it is for.
fn questions(chunk: &Chunk, options: Options) -> (String, HashMap<usize, (String, usize)>) {
    let mut file = format!(
        "import {MODULE}\nset_option pp.all true\nset_option pp.deepTerms true\nset_option pp.maxSteps 200000\n"
    );
    let mut lines: HashMap<usize, (String, usize)> = HashMap::new();
    let mut line = file.matches('\n').count() + 1;
    let mut put = |name: &str, text: String, which: usize| {
        lines.insert(line, (name.to_string(), which));
        file += &text;
        line += text.matches('\n').count();
    };
    for (name, theorem) in chunk {
        match theorem {
            true => put(name, format!("#check @{name}\n"), 0),
            false => put(name, format!("#print {name}\n"), 0),
        }
        if *theorem && options.reduce {
            let limit = HEARTBEATS[0];
            let reduce = format!(
                "set_option maxHeartbeats {limit} in set_option pp.maxSteps 2000 in #reduce (types := true) type_of% @{name}\n"
            );
            put(name, reduce, 1);
        }
    }
    (file, lines)
}

fn answer(
    lean: &Lean,
    dir: &Path,
    name: &str,
    (file, lines): (String, HashMap<usize, (String, usize)>),
    until: Instant,
) -> Result<Answers, Fatal> {
    write(dir, name, &file)?;
    let private = format!("_private.{MODULE}.0.");
    let mut answers = Answers::default();
    for m in lean.run(dir, name, &QUIET, until)? {
        // What was too large to print is unknown.
        let whole = !m.data.contains('⋯') && !m.data.contains("failed to pretty print");
        if m.severity == Severity::Information
            && whole
            && let Some((name, which)) = lines.get(&m.pos.line)
        {
            answers.all()[*which].insert(name.clone(), m.data.replace(&private, ""));
        }
    }
    Ok(answers)
}

/// A theorem's name with the universes in the order in which its type names them: `u v` for `@t.{v, u} : P.{u, v}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The full name.
    pub name: String,
    /// For each universe of the theorem, which one of those in the type it is.
    pub levels: Vec<usize>,
}

/// Which pairs of theorems have types that are equal by definition: `rfl` says so, and the kernel.
///
/// # Errors
/// The time is over, or the compiler cannot be run.
pub fn equal(
    lean: &Lean,
    document: &mut Document,
    pairs: &[(Probe, Probe)],
    until: Instant,
) -> Result<Vec<bool>, Fatal> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    if document.module().is_none() {
        document.build(lean, until)?;
    }
    let Some(dir) = document.module().filter(|dir| dir.join(format!("{MODULE}.olean")).exists()) else {
        return Ok(vec![false; pairs.len()]);
    };
    let size = pairs.len().div_ceil(lean.jobs.max(1)).max(50);
    let chunks: Vec<(usize, &[(Probe, Probe)])> = pairs.chunks(size).enumerate().collect();
    let found =
        lean.each(&chunks, &|_| {}, |(c, chunk)| rfl(lean, dir, &format!("Equal{c}"), chunk, until))?;
    Ok(found.concat())
}

/// Asks about some pairs. A pair on which the compiler dies is not known to be equal; it is found by halving.
fn rfl(
    lean: &Lean,
    dir: &Path,
    name: &str,
    pairs: &[(Probe, Probe)],
    until: Instant,
) -> Result<Vec<bool>, Fatal> {
    let most = pairs.iter().map(|p| p.0.levels.len()).max().unwrap_or(0);
    let universes: String = (0..most).map(|i| format!(" u{i}")).collect();
    let mut text = format!("import {MODULE}\nuniverse{}\n", if most == 0 { " u" } else { &universes });
    let first = text.matches('\n').count() + 1;
    let term = |p: &Probe| {
        let levels: Vec<String> = p.levels.iter().map(|l| format!("u{l}")).collect();
        match levels[..] {
            [] => format!("type_of% @_root_.{}", p.name),
            _ => format!("type_of% @_root_.{}.{{{}}}", p.name, levels.join(", ")),
        }
    };
    for (a, b) in pairs {
        let limit = HEARTBEATS[1];
        text +=
            &format!("set_option maxHeartbeats {limit} in example : ({}) = ({}) := rfl\n", term(a), term(b));
    }
    // What is said of the last line shows that all lines before it were read.
    text += "#check True\n";
    let file = format!("{name}.lean");
    write(dir, &file, &text)?;
    match lean.run(dir, &file, &QUIET, until) {
        Ok(messages) => {
            let whole = messages.iter().any(|m| m.pos.line == first + pairs.len());
            let mut equal = vec![whole; pairs.len()];
            for m in &messages {
                // Anything that is said of a pair speaks against it.
                if let Some(pair) = m.pos.line.checked_sub(first).and_then(|i| equal.get_mut(i)) {
                    *pair = false;
                }
            }
            Ok(equal)
        }
        Err(Fatal::Resources(_)) if pairs.len() == 1 => Ok(vec![false]),
        Err(Fatal::Resources(_)) => {
            let (a, b) = pairs.split_at(pairs.len() / 2);
            let mut all = rfl(lean, dir, &format!("{name}a"), a, until)?;
            all.extend(rfl(lean, dir, &format!("{name}b"), b, until)?);
            Ok(all)
        }
        Err(e) => Err(e),
    }
}
