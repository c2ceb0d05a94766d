//! What the compiler knows of the insides of declarations: the constants of their bodies, the tactics of their
//! proofs, the axioms that they rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Fatal;
use super::analyse::{Document, MODULE, without_private};
use super::canonical::{canonical, checked_type};
use super::lean::{Lean, Message, Severity, write};
use super::source::{Token, tokens};
use super::split::{self, Kind};

/// See the file.
const SYNTAX: &str = include_str!("syntax.lean");

/// How often auxiliary constants, of which the compiler makes some for a body, are followed into each other.
const DEPTH: usize = 8;

/// What was found out of each declaration, by full name; what is not known is not there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inspection {
    /// The type as it was asked for, with [`Questions::printing`].
    pub types: BTreeMap<String, String>,
    /// The constants of the type, those of the file among them.
    pub in_type: BTreeMap<String, BTreeSet<String>>,
    /// The constants of the body; of an inductive type, of the types of its constructors.
    pub in_value: BTreeMap<String, BTreeSet<String>>,
    /// The tactics in the order of the text, by their first words.
    pub tactics: BTreeMap<String, Vec<String>>,
    /// Where the declaration stands in its command, in bytes: a part of it in a `mutual` block.
    pub places: BTreeMap<String, Range<usize>>,
}

/// What is to be found out.
#[derive(Clone, Copy, Debug)]
pub struct Questions<'a> {
    /// Options for printing types, each `pp.name value`.
    pub printing: &'a [String],
    /// Ask for the tactics, too.
    pub tactics: bool,
    /// When to give up.
    pub until: Instant,
}

/// Asks the compiler about all declarations of a file.
///
/// # Errors
/// An option for printing is none, or as [`super::merge()`].
pub fn inspect(lean: &Lean, document: &Document, questions: Questions<'_>) -> Result<Inspection, Fatal> {
    let printing = questions.printing.join("\n");
    let parts = ["inspection", &printing, if questions.tactics { "tactics" } else { "" }, &document.text];
    lean.cached(&document.modules(), &parts, || {
        // With `private` left out everything can be asked for, unless something public has its name.
        let mut answer = Inspection::default();
        for public in [true, false] {
            let dir = lean.directory()?;
            let copy = Copy::of(document, questions.tactics, public);
            let said = copy.compile(lean, dir.path(), questions.until)?;
            copy.syntax(document, &said, &mut answer);
            if dir.path().join(format!("{MODULE}.olean")).exists() {
                ask(lean, dir.path(), document, questions, &mut answer)?;
                break;
            }
        }
        Ok(answer)
    })
}

/// The axioms that each declaration rests on, by full name; nothing for those that fail.
///
/// # Errors
/// As [`super::merge()`].
pub fn axioms(
    lean: &Lean,
    document: &Document,
    until: Instant,
) -> Result<BTreeMap<String, BTreeSet<String>>, Fatal> {
    let names: Vec<&String> = declared(document).map(|(_, name)| name).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    lean.cached(&document.modules(), &["axioms", &document.text], || {
        let dir = lean.directory()?;
        // At the end of the file itself, where private names can be asked for too.
        let mut text = document.text.clone();
        text.push('\n');
        let first = text.matches('\n').count() + 1;
        for name in &names {
            text += &format!("#print axioms _root_.{name}\n");
        }
        let file = format!("{MODULE}.lean");
        write(dir.path(), &file, &text)?;
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for m in lean.run(dir.path(), &file, &[], until)? {
            let name = m.pos.line.checked_sub(first).and_then(|i| names.get(i));
            if let Some(name) = name.filter(|_| m.severity == Severity::Information) {
                let list = m.data.split_once("depends on axioms:").map_or("", |(_, list)| list);
                let words = list.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ','));
                out.insert(name.to_string(), words.filter(|w| !w.is_empty()).map(str::to_string).collect());
            }
        }
        Ok(out)
    })
}

/// All declarations with their commands.
fn declared(document: &Document) -> impl Iterator<Item = (usize, &String)> {
    let all = document.facts.iter().enumerate().filter(|(i, _)| is_declaration(document, *i));
    all.flat_map(|(i, fact)| fact.names.iter().map(move |name| (i, name)))
}

fn is_declaration(document: &Document, i: usize) -> bool {
    matches!(document.commands[i].kind, Kind::Theorem | Kind::Definition)
}

/// A copy of a file in which what fails is held back and each declaration is followed by a question how it is read.
struct Copy {
    text: String,
    /// For each command that is asked about: the line of the question, and where its text begins.
    questions: BTreeMap<usize, (usize, usize)>,
}

impl Copy {
    fn of(document: &Document, tactics: bool, public: bool) -> Copy {
        let header = split::header(&document.text);
        let mut text = document.text[..header].to_string();
        if tactics {
            text.push('\n');
            text += SYNTAX;
        }
        let (mut questions, mut from, mut line, mut counted) = (BTreeMap::new(), header, 1, 0);
        for (i, command) in document.commands.iter().enumerate() {
            text += &document.text[from..command.range.start];
            from = command.range.end;
            let (own, declaration) = (document.source(i), is_declaration(document, i));
            match (command.kind, document.facts[i].failed) {
                (Kind::Broken, _) => {}
                (_, true) if !declaration => {}
                (_, failed) => {
                    text += if failed { "#guard_msgs (drop all) in\n" } else { "" };
                    text += &if public { without_private(own) } else { own.to_string() };
                }
            }
            if tactics && declaration {
                text += "\n";
                line += text[counted..].matches('\n').count();
                counted = text.len();
                text += "#lean_oracle_syntax\n";
                questions.insert(i, (line, text.len()));
                text += own;
            }
        }
        text += &document.text[from..];
        Copy { text, questions }
    }

    fn compile(&self, lean: &Lean, dir: &Path, until: Instant) -> Result<Vec<Message>, Fatal> {
        let (file, olean) = (format!("{MODULE}.lean"), format!("{MODULE}.olean"));
        write(dir, &file, &self.text)?;
        lean.run(dir, &file, &["-o", &olean], until)
    }

    /// Reads the answers of `syntax.lean`.
    fn syntax(&self, document: &Document, said: &[Message], out: &mut Inspection) {
        let answers = said.iter().filter(|m| m.severity == Severity::Information);
        let by_line: BTreeMap<usize, &str> = answers.map(|m| (m.pos.line, m.data.as_str())).collect();
        for (&i, (line, start)) in &self.questions {
            let Some(answer) = by_line.get(line) else { continue };
            let mut declarations: Vec<Range<usize>> = Vec::new();
            let mut tactics: Vec<(usize, &str)> = Vec::new();
            for answer in answer.lines() {
                let words: Vec<&str> = answer.splitn(3, ' ').collect();
                let at = |n: usize| words.get(n).and_then(|w| w.parse::<usize>().ok()?.checked_sub(*start));
                match (words.first(), at(1), at(2), words.get(2)) {
                    (Some(&"declaration"), Some(from), Some(to), _) => declarations.push(from..to),
                    (Some(&"tactic"), Some(at), _, Some(word)) => tactics.push((at, word.trim())),
                    _ => {}
                }
            }
            tactics.sort();
            let (command, fact) = (&document.commands[i], &document.facts[i]);
            for name in &fact.names {
                let reference = fact.references.iter().find(|r| r.definition && r.name == *name);
                let place = reference.map(|r| r.range.start - command.range.start);
                let own = |d: &&Range<usize>| place.is_some_and(|p| d.contains(&p));
                let Some(range) = declarations.iter().find(own) else { continue };
                let own = tactics.iter().filter(|t| range.contains(&t.0));
                out.tactics.insert(name.clone(), own.map(|t| t.1.to_string()).collect());
                out.places.insert(name.clone(), range.clone());
            }
        }
    }
}

/// Has types and values printed by files that import the copy.
fn ask(
    lean: &Lean,
    dir: &Path,
    document: &Document,
    questions: Questions<'_>,
    answer: &mut Inspection,
) -> Result<(), Fatal> {
    let names: Vec<(usize, &String)> = declared(document).collect();
    let mut wanted = Vec::new();
    for option in questions.printing {
        wanted.push(format!("set_option {option}"));
    }
    let usual: Vec<String> = names.iter().map(|(_, name)| format!("#check @{name}")).collect();
    let usual = print(lean, dir, &wanted, &usual, questions.until)?;
    if let Some(said) = usual.options.first() {
        return Err(Fatal::User(format!("delab_options: {said}")));
    }
    let full = ["pp.all true", "pp.deepTerms true", "pp.maxSteps 200000"].map(|o| format!("set_option {o}"));
    let both: Vec<String> =
        names.iter().flat_map(|(_, name)| [format!("#check @{name}"), format!("#print {name}")]).collect();
    let both = print(lean, dir, &full, &both, questions.until)?;
    // What is printed of a body, and which auxiliary constants were found in it that are to be followed.
    let mut open: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for (k, &(_, name)) in names.iter().enumerate() {
        if let Some(text) = &usual.answers[k] {
            answer.types.insert(name.clone(), checked_type(text, name).to_string());
        }
        let Some(checked) = &both.answers[2 * k] else { continue };
        let checked = checked_type(checked, name);
        answer.in_type.insert(name.clone(), constants(checked));
        let Some(printed) = &both.answers[2 * k + 1] else { continue };
        if let Some(value) = value(printed, name, checked) {
            answer.in_value.insert(name.clone(), constants(value));
            open.insert(name, answer.in_value[name].clone());
        } else if let Some(constructors) = constructors(printed) {
            answer.in_value.insert(name.clone(), BTreeSet::new());
            open.insert(name, constructors.into_iter().collect());
        }
    }
    let known: BTreeSet<&String> = document.facts.iter().flat_map(|f| &f.all_names).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..DEPTH {
        // Constants of this name's own that are no declaration in the text: `t._proof_1`, `f._f`, `S.mk`.
        let mut next: Vec<(&String, String)> = Vec::new();
        for (name, found) in &open {
            let inside = format!("{name}.");
            let is_auxiliary = |c: &&String| c.starts_with(&inside) && !c.starts_with("_private");
            let of_type = !answer.in_value.contains_key(*name) || answer.in_value[*name].is_empty();
            let fresh = found.iter().filter(is_auxiliary).filter(|c| of_type || !known.contains(c));
            next.extend(fresh.filter(|c| seen.insert((*c).clone())).map(|c| (*name, c.clone())));
        }
        if next.is_empty() {
            return Ok(());
        }
        let asked: Vec<String> =
            next.iter().flat_map(|(_, aux)| [format!("#check @{aux}"), format!("#print {aux}")]).collect();
        let said = print(lean, dir, &full, &asked, questions.until)?;
        open.clear();
        for (k, (name, aux)) in next.into_iter().enumerate() {
            let Some(checked) = &said.answers[2 * k] else { continue };
            let checked = checked_type(checked, &aux);
            let body = said.answers[2 * k + 1].as_ref().and_then(|printed| value(printed, &aux, checked));
            // Of a constructor the type counts, of all others the body.
            let found = constants(body.unwrap_or(checked));
            answer.in_value.entry(name.clone()).or_default().extend(found.iter().cloned());
            open.entry(name).or_default().extend(found);
        }
    }
    Ok(())
}

/// What a file of questions was answered.
struct Printed {
    /// What is wrong with the options.
    options: Vec<String>,
    /// For each question its answer.
    answers: Vec<Option<String>>,
}

/// Asks `questions`, a line each, after `options`.
fn print(
    lean: &Lean,
    dir: &Path,
    options: &[String],
    questions: &[String],
    until: Instant,
) -> Result<Printed, Fatal> {
    let name = "Questions.lean";
    let text = format!("import {MODULE}\n{}\n{}\n", options.join("\n"), questions.join("\n"));
    let first = 2 + options.len().max(1);
    write(dir, name, &text)?;
    let mut out = Printed { options: Vec::new(), answers: vec![None; questions.len()] };
    for m in lean.run(dir, name, &[], until)? {
        match m.pos.line.checked_sub(first) {
            None if m.severity == Severity::Error => out.options.push(m.data),
            // What was too large to print is not known.
            Some(i) if m.severity == Severity::Information && !m.data.contains('⋯') => {
                if let Some(slot) = out.answers.get_mut(i) {
                    *slot = Some(m.data.replace(&format!("_private.{MODULE}.0."), ""));
                }
            }
            _ => {}
        }
    }
    Ok(out)
}

/// The part of `def name : type := value` behind the type, which is known.
fn value<'a>(printed: &'a str, name: &str, checked: &str) -> Option<&'a str> {
    let at = printed.find(name)? + name.len();
    let behind = tokens(&printed[at..]);
    // Universe parameters may stand between the name and its type.
    let colon = behind.iter().position(|t| &printed[at..][t.1.clone()] == ":")?;
    let assign = behind.get(colon + 1 + tokens(checked).len())?;
    (&printed[at..][assign.1.clone()] == ":=").then(|| &printed[at + assign.1.end..])
}

/// The constructors in what is printed of an inductive type or structure.
fn constructors(printed: &str) -> Option<Vec<String>> {
    let (_, list) = printed.split_once("\nconstructor")?;
    let (_, list) = list.split_once(":\n")?;
    // Each begins with its name; what is too long for a line goes on further inside.
    let depth = |line: &str| line.len() - line.trim_start().len();
    let first = list.lines().next().map_or(0, depth);
    let lines = list.lines().take_while(|line| depth(line) >= first).filter(|line| depth(line) == first);
    let name = |line: &str| {
        let (kind, range) = tokens(line).into_iter().find(|t| &line[t.1.clone()] != "@")?;
        let name = line[range].to_string();
        (kind == Token::Name).then_some(name)
    };
    Some(lines.filter_map(name).collect())
}

/// The constants in what was printed under `pp.all`.
fn constants(printed: &str) -> BTreeSet<String> {
    // Names that nobody can write: `x✝`, `x✝¹`.
    let plain: String = printed
        .chars()
        .map(|c| match c {
            '✝' => '\'',
            '⁰' => '0',
            '¹' => '1',
            '²' => '2',
            '³' => '3',
            '⁴'..='⁹' => char::from_digit(c as u32 - '⁴' as u32 + 4, 10).unwrap_or('4'),
            other => other,
        })
        .collect();
    let found = std::cell::RefCell::new(BTreeSet::new());
    canonical(&plain, &|name| {
        // Words of the printed form itself.
        if !matches!(name, "Type" | "Sort" | "Prop" | "nat_lit" | "_") {
            found.borrow_mut().insert(name.to_string());
        }
        None
    });
    found.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_their_types() {
        let (name, checked) = ("A.t", "∀ (n : Nat), let x : Nat := n; @Eq.{1} Nat x n");
        let printed = "private theorem A.t.{u} : ∀ (n : Nat),\n  let x : Nat :=\n    n;\n  @Eq.{1} Nat x n :=\nfun (n : Nat) => f n";
        assert_eq!(value(printed, name, checked), Some("\nfun (n : Nat) => f n"));
        assert_eq!(value("axiom a : P", "a", "P"), None);
        assert_eq!(value("structure S : Type\nnumber of parameters: 0", "S", "Type"), None);
    }

    #[test]
    fn constants_are_told_from_variables() {
        let found = constants("fun (x✝ : Nat) (h : P x✝) => @Q.{u} Nat (fun (y : B) => y) x✝ (nat_lit 0) h");
        assert_eq!(found, ["B", "Nat", "P", "Q"].map(String::from).into());
    }

    #[test]
    fn constructors_are_found() {
        let structure = "structure S : Type\nnumber of parameters: 0\nfields:\n  S.x : Nat\nconstructor:\n  S.mk (x : Nat) :\n    S\nfield notation resolution order:\n  S";
        assert_eq!(constructors(structure).unwrap(), ["S.mk"]);
        let inductive =
            "inductive T : Type\nnumber of parameters: 0\nconstructors:\nT.a : T\nT.b : Nat →\n  T";
        assert_eq!(constructors(inductive).unwrap(), ["T.a", "T.b"]);
        assert_eq!(constructors("axiom a : P"), None);
    }
}
