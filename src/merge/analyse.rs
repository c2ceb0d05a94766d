//! What the compiler knows of a file: its commands, what each declares and refers to, what fails, what type
//! everything has. A file is compiled once with a trace of its commands; where something fails, once more with
//! the failures held back, so that the rest has its references; then the types are printed by a file that
//! imports the result.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::lean::{Lean, Message, Severity};
use super::rename::quotes;
use super::source::{Lines, Token, components, tokens, unterminated};
use super::split::{self, Command, Kind, Split, head, outermost};
use super::{Fatal, Source};

/// A place that refers to a constant, or declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The full name of the constant.
    pub name: String,
    /// Where, in bytes of the file.
    pub range: Range<usize>,
    /// It is declared here.
    pub definition: bool,
    /// It is a constant of this file, not of an import.
    pub local: bool,
}

/// The compiler's answers about one text; this is what the cache keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Raw {
    /// The messages of the text as it is, without the trace.
    pub messages: Vec<Message>,
    /// The commands.
    ranges: Vec<Range<usize>>,
    /// All references, by position.
    references: Vec<Reference>,
    /// For each theorem its type and for each other declaration what `#print` says, under `pp.all`.
    signatures: BTreeMap<String, String>,
    /// For theorems, the type after reduction, where that was quick.
    reduced: BTreeMap<String, String>,
}

/// One level of scopes around a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    /// Which scope of the file: an index into [`Document::frames`].
    pub frame: usize,
    /// How many of its context commands stand before the command.
    pub items: usize,
}

/// A scope of a file. The first one is the file itself.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The command that opens it; `None` for the file.
    pub opener: Option<usize>,
    /// What its `end` must name.
    pub name: String,
    /// It is a namespace.
    pub namespace: bool,
    /// The context commands directly in it.
    pub items: Vec<usize>,
}

/// What there is to know of one command besides its text.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The full names that it declares, without constructors, fields and other parts.
    pub names: Vec<String>,
    /// All full names that it declares.
    pub all_names: Vec<String>,
    /// References in it, by position.
    pub references: Vec<Reference>,
    /// The compiler reports an error in it.
    pub failed: bool,
    /// It is unfinished.
    pub sorry: bool,
    /// The scopes around it, outermost first.
    pub scope: Vec<Level>,
    /// The namespace that it stands in; empty for none.
    pub namespace: String,
    /// The commands of this file that must come before it.
    pub needs: BTreeSet<usize>,
    /// The last command before it that changes how it is read.
    pub after: Option<usize>,
}

/// An analysed file.
pub struct Document {
    /// Its text, with line feeds alone.
    pub text: String,
    /// Its import lines, in order; `module` and `prelude` among them.
    pub imports: Vec<String>,
    /// Comments before the imports.
    pub notice: String,
    /// Its commands.
    pub commands: Vec<Command>,
    /// What is known of each.
    pub facts: Vec<Facts>,
    /// Its scopes.
    pub frames: Vec<Frame>,
    /// The compiler's answers.
    pub raw: Raw,
}

/// How an analysis is made.
#[derive(Clone, Copy)]
pub struct Options {
    /// Replace the imports by the environment's.
    pub ignore_imports: bool,
    /// Ask for the types of what is declared.
    pub signatures: bool,
    /// Ask for reduced types too.
    pub reduce: bool,
    /// When to give up.
    pub until: Instant,
}

impl Options {
    /// Only what every analysis has, for this source.
    pub fn of(source: &Source, until: Instant) -> Options {
        let ignore_imports = source.ignore_imports;
        Options { ignore_imports, signatures: false, reduce: false, until }
    }
}

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The module that a text is compiled as.
const MODULE: &str = "Doc";

/// Analyses one text; `what` names it in errors.
///
/// # Errors
/// It is too large, a comment does not end, an import is missing, the time is over.
pub fn analyse(lean: &Lean, text: &str, what: &str, options: Options) -> Result<Document, Fatal> {
    if text.len() > MAX_BYTES {
        let message = format!("{what} has {} bytes; at most {MAX_BYTES} are read. Split it.", text.len());
        return Err(Fatal::User(message));
    }
    let mut text = text.replace("\r\n", "\n");
    if let Some(at) = unterminated(&text) {
        let (line, column) = Lines::new(&text).position(at);
        let kind = if text[at..].starts_with("/-") { "comment" } else { "string" };
        return Err(Fatal::User(format!("{what} is cut off: the {kind} at {line}:{column} does not end")));
    }
    if options.ignore_imports {
        let end = split::header(&text);
        let (notice, _) = notice(&text[..end]);
        let mut new = if notice.is_empty() { String::new() } else { notice + "\n" };
        new += &lean.imports;
        text = match end {
            0 if lean.imports.is_empty() => text,
            _ => format!(
                "{new}{}{}",
                if new.is_empty() { "" } else { "\n" },
                text[end..].trim_start_matches('\n')
            ),
        };
    }
    let (notice, imports) = notice(&text[..split::header(&text)]);
    let modules = modules(&imports);
    let flags = format!("analysis {} {}", options.signatures, options.reduce);
    let raw = lean.cached(&modules, &[&flags, &text], || ask(lean, &text, what, options))?;
    let Split { commands, .. } = split::split(&text, &raw.ranges, &raw.messages);
    let mut document =
        Document { text, imports, notice, commands, facts: Vec::new(), frames: Vec::new(), raw };
    document.collect_facts();
    Ok(document)
}

/// The names in import lines.
fn modules(imports: &[String]) -> Vec<String> {
    imports.iter().filter_map(|i| i.split_whitespace().last()).map(str::to_string).collect()
}

/// The comments and the import lines of a header.
fn notice(header: &str) -> (String, Vec<String>) {
    let all = tokens(header);
    let first = all.iter().find(|t| t.0 != Token::Comment).map_or(header.len(), |t| t.1.start);
    let comments = header[..first].trim().to_string();
    let words: Vec<&str> =
        all.iter().filter(|t| t.0 != Token::Comment).map(|t| &header[t.1.clone()]).collect();
    let mut imports: Vec<String> = Vec::new();
    let mut line: Vec<&str> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        line.push(word);
        let module = matches!(*word, "module" | "prelude") && line.len() == 1;
        let end = i > 0 && line.contains(&"import") && !matches!(*word, "import" | "all");
        if module || end {
            imports.push(line.join(" "));
            line.clear();
        }
    }
    (comments, imports)
}

/// Asks the compiler.
fn ask(lean: &Lean, text: &str, what: &str, options: Options) -> Result<Raw, Fatal> {
    let dir = tempfile::Builder::new()
        .prefix("lean-oracle-merge-")
        .tempdir()
        .map_err(|e| Fatal::Internal(format!("no directory for temporary files: {e}")))?;
    let (dir, file) = (dir.path(), format!("{MODULE}.lean"));
    let write = |name: &str, text: &str| {
        fs::write(dir.join(name), text).map_err(|e| Fatal::Internal(format!("{}: {e}", dir.display())))
    };
    write(&file, text)?;
    let (olean, ilean) = (format!("{MODULE}.olean"), format!("{MODULE}.ilean"));
    let outputs = ["-o", &olean, "-i", &ilean];
    let all =
        lean.run(dir, &file, &[&outputs[..], &["-Dtrace.Elab.command=true"]].concat(), options.until)?;
    let ranges = outermost(&Lines::new(text), &all);
    let mut messages = all;
    messages.retain(|m| m.kind != "trace");
    if ranges.is_empty()
        && let Some(m) = messages.iter().find(|m| m.severity == Severity::Error)
        && (m.data.starts_with("unknown module prefix") || m.data.contains("of module"))
    {
        let line = m.data.lines().next().unwrap_or_default();
        return Err(Fatal::User(format!(
            "{what} has an import that this Lean does not find: {line}. Build it, name its Lake project, or ignore the imports"
        )));
    }
    // Held back are errors, command by command, until the rest compiles.
    let split = split::split(text, &ranges, &messages);
    let mut edits = Edits { public: options.signatures, ..Edits::default() };
    let mut current = messages.clone();
    for round in 0..5 {
        let changed = edits.apply(text, &split) != text;
        if !current.iter().any(|m| m.severity == Severity::Error) && (round > 0 || !changed) {
            break;
        }
        if round > 0 && edits.public && current.iter().any(|m| m.data.contains("already been declared")) {
            // Something public has the name of something private.
            edits = Edits::default();
            current.clone_from(&messages);
        }
        let lines_text = if current == messages { text.to_string() } else { edits.apply(text, &split) };
        let lines = Lines::new(&lines_text);
        for m in current.iter().filter(|m| m.severity == Severity::Error) {
            let at = edits.original(lines.of_message(m.pos.line, m.pos.column));
            let found = split.commands.iter().rposition(|c| c.range.start <= at);
            if let Some(i) = found {
                let again = edits.guarded.contains(&i);
                edits.hold(i, &split.commands[i], again);
            }
        }
        edits.broken(&split);
        let copy = edits.apply(text, &split);
        write(&file, &copy)?;
        current = lean.run(dir, &file, &outputs, options.until)?;
    }
    let references = fs::read(dir.join(&ilean))
        .ok()
        .and_then(|b| serde_json::from_slice(&b).ok())
        .map(|json| references(&json, &edits.apply(text, &split), &edits))
        .unwrap_or_default();
    let (signatures, reduced) = if options.signatures && dir.join(&olean).exists() {
        signatures(lean, dir, &split, &references, options)?
    } else {
        Default::default()
    };
    Ok(Raw { messages, ranges, references, signatures, reduced })
}

/// What is done to a text so that the rest of it compiles.
#[derive(Default)]
struct Edits {
    /// Commands whose messages are dropped.
    guarded: BTreeSet<usize>,
    /// Commands that are replaced by spaces.
    blanked: BTreeSet<usize>,
    /// `private` is left out, so that types of private declarations can be asked for.
    public: bool,
    /// Where something was put in: offset in the original, length.
    inserted: Vec<(usize, usize)>,
}

const GUARD: &str = "#guard_msgs (drop all) in ";

impl Edits {
    fn hold(&mut self, i: usize, command: &Command, again: bool) {
        let declares =
            matches!(command.kind, Kind::Theorem | Kind::Definition | Kind::Example | Kind::Effect);
        if !again && declares {
            self.guarded.insert(i);
        } else {
            self.guarded.remove(&i);
            self.blanked.insert(i);
        }
    }

    fn broken(&mut self, split: &Split) {
        let broken = (0..split.commands.len()).filter(|&i| split.commands[i].kind == Kind::Broken);
        self.blanked.extend(broken);
        self.guarded.retain(|i| !self.blanked.contains(i));
        let at = self.guarded.iter().map(|&i| (split.commands[i].range.start, GUARD.len()));
        self.inserted = at.collect();
    }

    fn apply(&self, text: &str, split: &Split) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut from = 0;
        for (i, command) in split.commands.iter().enumerate() {
            out += &text[from..command.range.start];
            let own = &text[command.range.clone()];
            if self.blanked.contains(&i) {
                // As many bytes, so that every offset stays.
                out.extend(own.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            } else {
                if self.guarded.contains(&i) {
                    out += GUARD;
                }
                match self.public {
                    true => out += &without_private(own),
                    false => out += own,
                }
            }
            from = command.range.end;
        }
        out + &text[from..]
    }

    /// An offset of the edited text in the original.
    fn original(&self, offset: usize) -> usize {
        let mut shift = 0;
        for &(at, n) in &self.inserted {
            if offset < at + shift + n {
                return offset.min(at + shift) - shift;
            }
            shift += n;
        }
        offset - shift
    }
}

/// A command without the word `private`. Names stay where they are, and so does the column in which the command
/// begins, by which Lean judges the lines below: the next word moves to the front.
pub(super) fn without_private(text: &str) -> String {
    let mut out = text.to_string();
    if text.contains("private") {
        let all = tokens(text);
        for (i, (_, range)) in all.iter().enumerate() {
            let Some((Token::Name, next)) = all.get(i + 1) else { continue };
            let opens = i > 0 && &text[all[i - 1].1.clone()] == "open";
            let both = range.start..next.end;
            if &text[range.clone()] == "private" && !opens && !text[both.clone()].contains('\n') {
                let word = &text[next.clone()];
                out.replace_range(
                    both.clone(),
                    &format!("{word:0$}", both.len() - (word.len() - word.chars().count())),
                );
            }
        }
    }
    out
}

/// Reads the references of an `.ilean` file.
fn references(json: &serde_json::Value, copy: &str, edits: &Edits) -> Vec<Reference> {
    let lines = Lines::new(copy);
    let mut out = Vec::new();
    for (key, value) in json["references"].as_object().into_iter().flatten() {
        let Ok(key) = serde_json::from_str::<serde_json::Value>(key) else { continue };
        let Some(name) = key["c"]["n"].as_str() else { continue };
        let private = format!("_private.{MODULE}.0.");
        let name = name.strip_prefix(&private).unwrap_or(name).to_string();
        let local = key["c"]["m"] == MODULE;
        let mut add = |place: &serde_json::Value, definition: bool| {
            let n = |i: usize| place[i].as_u64().map(|n| n as usize);
            if let (Some(a), Some(b), Some(c), Some(d)) = (n(0), n(1), n(2), n(3)) {
                let range = edits.original(lines.of_ilean(a, b))..edits.original(lines.of_ilean(c, d));
                out.push(Reference { name: name.clone(), range, definition, local });
            }
        };
        if value["definition"].is_array() {
            add(&value["definition"], true);
        }
        for usage in value["usages"].as_array().into_iter().flatten() {
            add(usage, false);
        }
    }
    out.sort_by(|a, b| {
        (a.range.start, a.range.end, &a.name, b.definition).cmp(&(
            b.range.start,
            b.range.end,
            &b.name,
            a.definition,
        ))
    });
    out.dedup();
    out
}

/// The names among `all` that no other one is a part of.
fn outer(all: &[String]) -> Vec<String> {
    let inside = |a: &String| {
        all.iter().any(|b| a.len() > b.len() && a.starts_with(b.as_str()) && a.as_bytes()[b.len()] == b'.')
    };
    all.iter().filter(|a| !inside(a)).cloned().collect()
}

/// Whether the compiler made this name, rather than a person.
fn synthetic(name: &str) -> bool {
    components(name)
        .iter()
        .any(|c| c.trim_start_matches('«').starts_with("_aux_") || *c == "_example" || *c == "_eval")
        || name.starts_with("_private.")
}

type Texts = BTreeMap<String, String>;

/// Prints the types of all declarations.
fn signatures(
    lean: &Lean,
    dir: &Path,
    split: &Split,
    references: &[Reference],
    options: Options,
) -> Result<(Texts, Texts), Fatal> {
    let mut file = format!(
        "import {MODULE}\nset_option pp.all true\nset_option pp.deepTerms true\nset_option pp.maxSteps 200000\n"
    );
    let mut lines: HashMap<usize, (String, usize)> = HashMap::new();
    let mut line = file.matches('\n').count() + 1;
    let mut put = |file: &mut String, name: &str, text: String, map: usize| {
        lines.insert(line, (name.to_string(), map));
        *file += &text;
        line += text.matches('\n').count();
    };
    for command in &split.commands {
        if !matches!(command.kind, Kind::Theorem | Kind::Definition) {
            continue;
        }
        let from = references.partition_point(|r| r.range.start < command.range.start);
        let inside = references[from..].iter().take_while(|r| r.range.start < command.range.end);
        let all: Vec<String> = inside
            .filter(|r| r.definition && r.local && !synthetic(&r.name))
            .map(|r| r.name.clone())
            .collect();
        for name in outer(&all) {
            if command.kind == Kind::Theorem {
                put(&mut file, &name, format!("#check @{name}\n"), 0);
                if options.reduce {
                    let reduce = format!(
                        "set_option maxHeartbeats 20 in set_option pp.maxSteps 2000 in #reduce (types := true) type_of% @{name}\n"
                    );
                    put(&mut file, &name, reduce, 1);
                }
            } else {
                put(&mut file, &name, format!("#print {name}\n"), 0);
            }
        }
    }
    let mut maps = [Texts::new(), Texts::new()];
    if lines.is_empty() {
        return Ok(maps.into());
    }
    let name = "Signatures.lean";
    fs::write(dir.join(name), &file).map_err(|e| Fatal::Internal(format!("{}: {e}", dir.display())))?;
    for m in lean.run(dir, name, &[], options.until)? {
        // What was too large to print is unknown.
        if m.severity == Severity::Information
            && !m.data.contains('⋯')
            && let Some((name, map)) = lines.get(&m.pos.line)
        {
            let text = m.data.replace(&format!("_private.{MODULE}.0."), "");
            maps[*map].insert(name.clone(), text);
        }
    }
    Ok(maps.into())
}

impl Document {
    /// The modules that it imports.
    pub fn modules(&self) -> Vec<String> {
        modules(&self.imports)
    }

    /// The text of a command.
    pub fn source(&self, command: usize) -> &str {
        &self.text[self.commands[command].range.clone()]
    }

    /// The type of a theorem or what `#print` says, under `pp.all`.
    pub fn signature(&self, name: &str) -> Option<&str> {
        self.raw.signatures.get(name).map(String::as_str)
    }

    /// The type of a theorem after reduction.
    pub fn reduced(&self, name: &str) -> Option<&str> {
        self.raw.reduced.get(name).map(String::as_str)
    }

    /// The text with some commands replaced; an empty replacement takes the command's line with it.
    pub fn replaced(&self, replacement: &dyn Fn(usize) -> Option<String>) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut from = 0;
        for (i, command) in self.commands.iter().enumerate() {
            out += &self.text[from..command.range.start];
            from = command.range.end;
            match replacement(i) {
                Some(new) if new.is_empty() => {
                    let rest = &self.text[from..];
                    from += rest.len() - rest.trim_start_matches([' ', '\t']).len();
                    let alone = out.is_empty() || out.ends_with('\n');
                    from += usize::from(alone && self.text[from..].starts_with('\n'));
                    if out.ends_with("\n\n") && self.text[from..].starts_with('\n') {
                        from += 1;
                    }
                }
                Some(new) => out += &new,
                None => out += &self.text[command.range.clone()],
            }
        }
        out + &self.text[from..]
    }

    /// Whether a command is one that [`super::order`] moves: a declaration or one that holds everywhere.
    pub fn movable(&self, command: usize) -> bool {
        matches!(
            self.commands[command].kind,
            Kind::Theorem | Kind::Definition | Kind::Example | Kind::Effect | Kind::Broken
        )
    }

    /// The messages of the compiler in a command.
    pub fn messages_in(&self, command: usize) -> impl Iterator<Item = &Message> {
        let lines = Lines::new(&self.text);
        let starts = self.commands[command].range.start;
        let next = self.commands.get(command + 1).map_or(usize::MAX, |c| c.range.start);
        self.raw.messages.iter().filter(move |m| {
            let at = lines.of_message(m.pos.line, m.pos.column);
            (starts..next).contains(&at)
        })
    }

    /// The command of this file that declares `name` or a name that it is a part of.
    pub fn owner<'a>(&self, owners: &'a HashMap<String, usize>, name: &str) -> Option<&'a usize> {
        let mut name = name;
        loop {
            if let Some(found) = owners.get(name) {
                return Some(found);
            }
            name = &name[..name.rfind('.')?];
        }
    }

    /// Which command declares which name.
    pub fn owners(&self) -> HashMap<String, usize> {
        let each = self.facts.iter().enumerate();
        each.flat_map(|(i, f)| f.all_names.iter().map(move |n| (n.clone(), i))).collect()
    }

    fn collect_facts(&mut self) {
        let lines = Lines::new(&self.text);
        let mut facts: Vec<Facts> = vec![Facts::default(); self.commands.len()];
        let starts: Vec<usize> = self.commands.iter().map(|c| c.range.start).collect();
        let at = |offset: usize| starts.partition_point(|&s| s <= offset).checked_sub(1);
        for r in &self.raw.references {
            if let Some(i) = at(r.range.start).filter(|&i| r.range.start < self.commands[i].range.end) {
                facts[i].references.push(r.clone());
            }
        }
        for m in &self.raw.messages {
            let Some(i) = at(lines.of_message(m.pos.line, m.pos.column)) else { continue };
            facts[i].failed |= m.severity == Severity::Error;
            facts[i].sorry |= m.kind == "hasSorry" || m.data.starts_with("declaration uses");
        }
        // Scopes.
        let mut frames = vec![Frame::default()];
        let mut stack: Vec<Level> = vec![Level { frame: 0, items: 0 }];
        let mut last_effect = None;
        for (i, fact) in facts.iter_mut().enumerate() {
            let command = &self.commands[i];
            let text = &self.text[command.range.clone()];
            fact.scope = stack.clone();
            fact.namespace = stack
                .iter()
                .map(|l| &frames[l.frame])
                .filter(|f| f.namespace)
                .map(|f| f.name.as_str())
                .collect::<Vec<_>>()
                .join(".");
            fact.after = last_effect;
            fact.failed |= command.kind == Kind::Broken;
            let has_word =
                |w: &str| tokens(text).iter().any(|t| t.0 == Token::Name && &text[t.1.clone()] == w);
            fact.sorry |=
                has_word("sorry") && matches!(command.kind, Kind::Theorem | Kind::Definition | Kind::Example);
            match command.kind {
                Kind::Open => {
                    let head = head(text);
                    let name = tokens(&text[head.at..]).into_iter().filter(|t| t.0 == Token::Name).nth(1);
                    let name = name.map(|t| text[head.at..][t.1].to_string()).unwrap_or_default();
                    let namespace = head.keyword == "namespace";
                    frames.push(Frame { opener: Some(i), name, namespace, items: Vec::new() });
                    stack.push(Level { frame: frames.len() - 1, items: 0 });
                }
                Kind::Close => close(text, &mut frames, &mut stack),
                Kind::Context => {
                    let top = stack.last_mut().expect("the file is never closed");
                    frames[top.frame].items.push(i);
                    top.items += 1;
                }
                _ if command.effect => last_effect = Some(i),
                _ => {}
            }
            let declares =
                matches!(command.kind, Kind::Theorem | Kind::Definition | Kind::Example | Kind::Effect);
            let defined = fact.references.iter().filter(|r| r.definition && r.local && !synthetic(&r.name));
            fact.all_names = if declares { defined.map(|r| r.name.clone()).collect() } else { Vec::new() };
            fact.names = outer(&fact.all_names);
            if fact.names.is_empty()
                && matches!(command.kind, Kind::Theorem | Kind::Definition | Kind::Broken)
            {
                // Not even its type is understood; then its name is read from the text.
                fact.names = written_names(text, &fact.namespace);
                if command.kind != Kind::Broken {
                    fact.all_names = fact.names.clone();
                }
            }
        }
        self.facts = facts;
        self.frames = frames;
        self.collect_needs();
    }

    fn collect_needs(&mut self) {
        let owners = self.owners();
        let direct: Vec<BTreeSet<usize>> = (0..self.commands.len())
            .map(|i| {
                let fact = &self.facts[i];
                let mut needs = BTreeSet::new();
                let mut add = |name: &str| needs.extend(self.owner(&owners, name).filter(|&&o| o < i));
                fact.references.iter().filter(|r| r.local).for_each(|r| add(&r.name));
                // The compiler does not say what names in macros mean; they may be those of earlier declarations.
                let text = self.source(i);
                if self.commands[i].kind == Kind::Effect && quotes(&self.commands[i].keyword) {
                    let scopes = components(&fact.namespace);
                    for (_, range) in tokens(text).into_iter().filter(|t| t.0 == Token::Name) {
                        for n in 0..=scopes.len() {
                            let outer = scopes[..n].iter().copied().filter(|c| !c.is_empty());
                            add(&outer.chain([&text[range.clone()]]).collect::<Vec<_>>().join("."));
                        }
                    }
                }
                // Instances that were found by inference show in the type.
                for name in &fact.names {
                    let signature = self.signature(name).unwrap_or_default();
                    for (kind, range) in tokens(signature) {
                        if kind == Token::Name {
                            add(&signature[range]);
                        }
                    }
                }
                needs
            })
            .collect();
        for i in 0..self.commands.len() {
            let mut needs = direct[i].clone();
            for level in &self.facts[i].scope {
                for &item in &self.frames[level.frame].items[..level.items] {
                    needs.extend(&direct[item]);
                }
            }
            needs.remove(&i);
            self.facts[i].needs = needs;
        }
    }
}

/// Closes the scopes that an `end` names; `namespace A.B` may be closed in two steps.
fn close(text: &str, frames: &mut Vec<Frame>, stack: &mut Vec<Level>) {
    let name = tokens(text).into_iter().filter(|t| t.0 == Token::Name).nth(1).map(|t| text[t.1].to_string());
    let mut left = name.as_deref().map_or(0, |n| components(n).len()).max(1);
    while left > 0 && stack.len() > 1 {
        let top = stack.pop().expect("more than one");
        let frame = frames[top.frame].clone();
        let parts = components(&frame.name);
        if frame.namespace && parts.len() > left {
            // What remains open is a scope like the old one, of the shorter name.
            let name = parts[..parts.len() - left].join(".");
            frames.push(Frame { opener: frame.opener, name, namespace: true, items: Vec::new() });
            stack.push(Level { frame: frames.len() - 1, items: 0 });
            return;
        }
        left = left.saturating_sub(parts.len().max(1));
    }
}

/// The full names that a declaration writes behind its keywords.
fn written_names(text: &str, namespace: &str) -> Vec<String> {
    let head = head(text);
    let behind = &text[head.at..];
    let all: Vec<_> = tokens(behind).into_iter().filter(|t| t.0 != Token::Comment).collect();
    let word = |i: usize| all.get(i).map_or("", |t| &behind[t.1.clone()]);
    // Of a `mutual` block all, else the first.
    let keywords: Vec<usize> = match head.keyword {
        "mutual" => (0..all.len())
            .filter(|&i| {
                matches!(
                    word(i),
                    "def" | "theorem" | "lemma" | "abbrev" | "inductive" | "structure" | "instance"
                )
            })
            .collect(),
        _ => vec![0],
    };
    let names = keywords.into_iter().filter(|&i| all.get(i + 1).is_some_and(|t| t.0 == Token::Name));
    names
        .map(|i| match (word(i + 1).strip_prefix("_root_."), namespace) {
            (Some(root), _) => root.to_string(),
            (None, "") => word(i + 1).to_string(),
            (None, namespace) => format!("{namespace}.{}", word(i + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_offsets() {
        let text = "def a := 1\ntheorem b : c := d\ndef e := b\nopen X\n";
        let at = |s: &str| text.find(s).unwrap();
        let ranges =
            [0..10, at("theorem")..at("\ndef e"), at("def e")..at("\nopen"), at("open X")..text.len() - 1];
        let split = split::split(text, &ranges, &[]);
        let mut edits = Edits::default();
        edits.hold(1, &split.commands[1], false);
        edits.hold(3, &split.commands[3], false);
        edits.broken(&split);
        let copy = edits.apply(text, &split);
        assert!(copy.contains("in theorem b : c := d\ndef e := b\n      \n"), "{copy}");
        for needle in ["def a", "theorem b", ": c", "def e", "b\n "] {
            let original = text.find(needle).unwrap_or(at("def e") + "def e := ".len());
            assert_eq!(edits.original(copy.find(needle).unwrap()), original, "{needle}");
        }
    }

    #[test]
    fn private_is_left_out_in_place() {
        let text = "/-- a -/ private theorem x : y := by\n  private_y";
        let out = without_private(text);
        assert_eq!(out, "/-- a -/ theorem         x : y := by\n  private_y");
        assert_eq!(without_private("open private a in b"), "open private a in b");
    }

    #[test]
    fn headers_are_read() {
        let (comments, imports) = notice("/- licence -/\nmodule\npublic import A.B -- c\nimport all C");
        assert_eq!(comments, "/- licence -/");
        assert_eq!(imports, ["module", "public import A.B", "import all C"]);
    }

    #[test]
    fn names_of_what_does_not_elaborate() {
        assert_eq!(written_names("@[simp] theorem foo : x", "A.B"), ["A.B.foo"]);
        assert_eq!(written_names("def _root_.foo := x", "A"), ["foo"]);
        assert!(written_names("instance : A := x", "").is_empty());
        assert_eq!(written_names("mutual\ndef a := 1\n/-- def c -/ def b := 1\nend", "A"), ["A.a", "A.b"]);
        assert_eq!(outer(&["A".into(), "A.x".into(), "Ab".into()]), ["A", "Ab"]);
    }
}
