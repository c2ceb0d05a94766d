//! What the compiler knows of a file: its commands, what each declares and refers to, what fails, what type
//! everything has. A file is compiled once with a trace of its commands; where something fails, once more with
//! the failures held back, so that the rest has its references; then [`super::questions`] asks for the types.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::lean::{Lean, Message, Severity, write};
use super::questions::{Answers, ask};
use super::reading::{Digest, identities};
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Raw {
    /// The messages of the text as it is, without the trace.
    pub messages: Vec<Message>,
    /// The commands.
    ranges: Vec<Range<usize>>,
    /// All references, by position.
    references: Vec<Reference>,
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
    /// Two commands of this identity, in files with the same imports, are the same in everything.
    pub identity: Digest,
    /// Which of the compiler's messages are about it: indices into [`Raw::messages`].
    pub messages: Vec<usize>,
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
    /// The types of what it declares, as far as they were asked for.
    pub answers: Answers,
    /// Where its module is, once it was built: as [`MODULE`], with private declarations made public or not.
    module: Option<(TempDir, bool)>,
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
    /// Its messages are not for anybody to read: leave out what costs time and finds no errors.
    pub quiet: bool,
    /// When to give up.
    pub until: Instant,
}

impl Options {
    /// Only what every analysis has, for this source.
    pub fn of(source: &Source, until: Instant) -> Options {
        let ignore_imports = source.ignore_imports;
        Options { ignore_imports, signatures: false, reduce: false, quiet: false, until }
    }
}

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The module that a text is compiled as.
pub const MODULE: &str = "Doc";

/// Analyses one text; `what` names it in errors.
///
/// # Errors
/// It is too large, a comment does not end, an import is missing, the time is over.
pub fn analyse(lean: &Lean, text: &str, what: &str, options: Options) -> Result<Document, Fatal> {
    let mut document = compile(lean, text, what, options)?;
    if options.signatures {
        ask(lean, std::slice::from_mut(&mut document), options, &|_, _| true)?;
    }
    document.collect_needs();
    Ok(document)
}

/// [`analyse`] without the types, and without what follows from them: [`Facts::needs`].
///
/// # Errors
/// As [`analyse`].
pub fn compile(lean: &Lean, text: &str, what: &str, options: Options) -> Result<Document, Fatal> {
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
    let mut document = Document {
        text,
        imports,
        notice,
        commands: Vec::new(),
        facts: Vec::new(),
        frames: Vec::new(),
        raw: Raw::default(),
        answers: Answers::default(),
        module: None,
    };
    // What a test expects to be said must be said.
    let quiet = options.quiet && !document.text.contains("#guard_msgs");
    let flags = format!("analysis {} {quiet}", options.signatures);
    let key = lean.key(&document.modules(), &[&flags, &document.text]);
    if let Some(raw) = lean.recall(key.as_deref()) {
        document.raw = raw;
    } else {
        let build = Build { public: options.signatures, quiet, until: options.until };
        let (raw, dir) = build.run(lean, &document.text, what)?;
        lean.keep(key.as_deref(), &raw);
        (document.raw, document.module) = (raw, Some((dir, build.public)));
    }
    document.commands = split::split(&document.text, &document.raw.ranges, &document.raw.messages).commands;
    document.collect_facts();
    Ok(document)
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

/// How a text is compiled.
struct Build {
    /// Make private declarations public, so that their types can be asked for.
    public: bool,
    /// See [`Options::quiet`].
    quiet: bool,
    /// When to give up.
    until: Instant,
}

/// Linters, and threads where many files are compiled at once. Versions that have no such option ignore it.
const QUIET: [&str; 2] = ["-Dweak.linter.all=false", "-Dweak.Elab.async=false"];

impl Build {
    /// Asks the compiler. Its module is in the directory that is returned, unless it cannot be compiled at all.
    fn run(&self, lean: &Lean, text: &str, what: &str) -> Result<(Raw, TempDir), Fatal> {
        let directory = lean.directory()?;
        let (dir, file) = (directory.path(), format!("{MODULE}.lean"));
        write(dir, &file, text)?;
        let (olean, ilean) = (format!("{MODULE}.olean"), format!("{MODULE}.ilean"));
        let mut args = vec!["-o", &olean, "-i", &ilean];
        if self.quiet {
            args.extend(QUIET);
        }
        let all = lean.run(dir, &file, &[&args[..], &["-Dtrace.Elab.command=true"]].concat(), self.until)?;
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
        let mut edits = Edits { public: self.public, ..Edits::default() };
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
                if let Some(i) = split.commands.partition_point(|c| c.range.start <= at).checked_sub(1) {
                    let again = edits.guarded.contains(&i);
                    edits.hold(i, &split.commands[i], again);
                }
            }
            edits.broken(&split);
            let copy = edits.apply(text, &split);
            write(dir, &file, &copy)?;
            current = lean.run(dir, &file, &args, self.until)?;
        }
        let references = fs::read(dir.join(&ilean))
            .ok()
            .and_then(|b| serde_json::from_slice(&b).ok())
            .map(|json| references(&json, &edits.apply(text, &split), &edits))
            .unwrap_or_default();
        Ok((Raw { messages, ranges, references }, directory))
    }
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
    /// Where a guard was put in: the offset in the original, and how much was put in before.
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
        let at =
            self.guarded.iter().enumerate().map(|(n, &i)| (split.commands[i].range.start, n * GUARD.len()));
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
        // Behind how many of the inserted texts it stands, and how long they are together.
        let before = self.inserted.partition_point(|&(at, shift)| at + shift + GUARD.len() <= offset);
        match self.inserted.get(before) {
            Some(&(at, shift)) => offset.min(at + shift) - shift,
            None => offset - before * GUARD.len(),
        }
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
    let known: HashSet<&str> = all.iter().map(String::as_str).collect();
    let inside = |a: &String| a.match_indices('.').any(|(i, _)| known.contains(&a[..i]));
    all.iter().filter(|a| !inside(a)).cloned().collect()
}

/// Whether the compiler made this name, rather than a person.
fn synthetic(name: &str) -> bool {
    components(name)
        .iter()
        .any(|c| c.trim_start_matches('«').starts_with("_aux_") || *c == "_example" || *c == "_eval")
        || name.starts_with("_private.")
}

impl Document {
    /// The modules that it imports.
    pub fn modules(&self) -> Vec<String> {
        let module = |i: &String| i.split_whitespace().last().map(str::to_string);
        self.imports.iter().filter_map(module).collect()
    }

    /// Where its module is, if there is one in which everything can be asked for.
    pub fn module(&self) -> Option<&Path> {
        let (dir, public) = self.module.as_ref()?;
        let hidden = !public && self.text.contains("private");
        (!hidden).then_some(dir.path())
    }

    /// Compiles it so that there is [`Document::module`].
    ///
    /// # Errors
    /// As [`analyse`].
    pub fn build(&mut self, lean: &Lean, until: Instant) -> Result<(), Fatal> {
        let (_, dir) = Build { public: true, quiet: true, until }.run(lean, &self.text, "the file")?;
        self.module = Some((dir, true));
        Ok(())
    }

    /// The text of a command.
    pub fn source(&self, command: usize) -> &str {
        &self.text[self.commands[command].range.clone()]
    }

    /// The type of a theorem or what `#print` says, under `pp.all`.
    pub fn signature(&self, name: &str) -> Option<&str> {
        self.answers.signatures.get(name).map(String::as_str)
    }

    /// The type of a theorem after reduction.
    pub fn reduced(&self, name: &str) -> Option<&str> {
        self.answers.reduced.get(name).map(String::as_str)
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
        self.facts[command].messages.iter().map(|&m| &self.raw.messages[m])
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
        for (n, m) in self.raw.messages.iter().enumerate() {
            let Some(i) = at(lines.of_message(m.pos.line, m.pos.column)) else { continue };
            facts[i].messages.push(n);
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
        for (i, identity) in identities(self).into_iter().enumerate() {
            self.facts[i].identity = identity;
        }
    }

    /// Finds [`Facts::needs`]; some of it is known from the types.
    pub fn collect_needs(&mut self) {
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
