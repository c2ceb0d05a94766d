//! Which declarations of which files are the same, which version of each is kept, and what each is called.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::analyse::{Document, Reference};
use super::canonical::{canonical, checked_type};
use super::reading::{Digest, Reader, label_of, words};
use super::rename::Names;
use super::source::{Token, tokens};
use super::split::{Kind, head};

/// A command of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which document.
    pub document: usize,
    /// Which of its commands.
    pub command: usize,
}

/// Commands of one or more files that are the same declaration.
#[derive(Clone, Debug)]
pub struct Class {
    /// All versions, in the order of the files.
    pub members: Vec<Place>,
    /// The version that is kept.
    pub chosen: Place,
    /// The version that is kept compiles and is finished.
    pub success: bool,
    /// Versions of that name that fail so early that it is not known what they state.
    pub attempts: Vec<Place>,
    /// The full names that it has in the result.
    pub names: Vec<String>,
    /// What it states, in canonical form; empty if that is not known.
    pub statement: String,
    /// For theorems, the type after reduction, in the same form; empty if that is not known.
    pub reduced: String,
}

impl Class {
    fn new(chosen: Place, names: Vec<String>, statement: String, reduced: String) -> Class {
        Class { members: vec![], chosen, success: false, attempts: vec![], names, statement, reduced }
    }
}

/// What stands for a class of commands that change how others are read.
pub fn class_label(class: usize) -> Vec<u8> {
    format!("class {class}").into_bytes()
}

/// Everything that was decided.
pub struct Decision {
    /// The classes, in the order of their first members.
    pub classes: Vec<Class>,
    /// The class of each command that is one.
    pub class_of: HashMap<Place, usize>,
    /// For each document, what its names become.
    pub names: Vec<Names>,
    /// How each command is read, its names as the classes that they mean; absent if that is not known.
    pub readings: HashMap<Place, Digest>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is asked of [`decide`] beyond the files.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Theorems whose types are equal by definition: each with an earlier one.
    pub equal: BTreeMap<Place, Place>,
    /// Two theorems of one file stay two.
    pub careful: bool,
    /// Commands that must not be taken for the same as one of another file.
    pub apart: BTreeSet<Place>,
    /// Versions that must be chosen.
    pub pinned: BTreeSet<Place>,
}

/// Sorts all commands that are to be moved into classes.
pub fn decide(documents: &[Document], wishes: &Wishes) -> Decision {
    let mut classes: Vec<Class> = Vec::new();
    let mut class_of: HashMap<Place, usize> = HashMap::new();
    let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
    let mut unknown: Vec<Place> = Vec::new();
    let mut readings = HashMap::new();
    for (d, document) in documents.iter().enumerate() {
        let owners = document.owners();
        let mut reader = Reader::new(document);
        for command in 0..document.commands.len() {
            let place = Place { document: d, command };
            let context = reader.context(command);
            let keys = Keys { document, owners: &owners, class_of: &class_of, d, context };
            let found = if document.movable(command) { Some(keys.of(command)) } else { None };
            if let Some(found) = found {
                if found.keys.is_empty() || document.commands[command].kind == Kind::Broken {
                    unknown.push(place);
                } else {
                    let (names, kind) = (&document.facts[command].names, document.commands[command].kind);
                    let same_name = |c: &usize| classes[*c].names == *names;
                    let new_to_file = |c: &usize| classes[*c].members.last().is_none_or(|m| m.document != d);
                    // What only acts, acts as often as its file says.
                    let acts = matches!(kind, Kind::Effect | Kind::Example);
                    let fits = |c: &usize| new_to_file(c) || (!acts && (!wishes.careful || same_name(c)));
                    let apart = wishes.apart.contains(&place);
                    let known = found.keys.iter().filter(|_| !apart).find_map(|key| {
                        let all: Vec<usize> = by_key.get(key)?.iter().copied().filter(fits).collect();
                        all.iter().copied().find(same_name).or_else(|| all.first().copied())
                    });
                    let equal =
                        || wishes.equal.get(&place).and_then(|p| class_of.get(p).copied()).filter(fits);
                    let class = known.or_else(|| equal().filter(|_| !apart)).unwrap_or_else(|| {
                        let Found { statement, reduced, .. } = found.clone();
                        classes.push(Class::new(place, names.clone(), statement, reduced));
                        classes.len() - 1
                    });
                    classes[class].members.push(place);
                    class_of.insert(place, class);
                    for key in found.keys {
                        let all = by_key.entry(key).or_default();
                        if !all.contains(&class) {
                            all.push(class);
                        }
                    }
                }
            }
            let keys = Keys { document, owners: &owners, class_of: &class_of, d, context };
            let resolve = |r: &Reference| keys.resolved(r, command);
            let label = |reading| class_of.get(&place).map_or_else(|| label_of(reading), |c| class_label(*c));
            readings.extend(reader.read(command, &resolve, &label).map(|reading| (place, reading)));
        }
    }
    let mut notes = Vec::new();
    attempts(documents, &mut classes, &mut class_of, unknown);
    for class in &mut classes {
        choose(documents, class, wishes);
    }
    let names = name(documents, &mut classes, &class_of, &mut notes);
    Decision { classes, class_of, names, readings, notes }
}

/// Versions whose statement is not known are attempts at what else has their name, or stand alone.
fn attempts(
    documents: &[Document],
    classes: &mut Vec<Class>,
    class_of: &mut HashMap<Place, usize>,
    unknown: Vec<Place>,
) {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (c, class) in classes.iter().enumerate() {
        for m in &class.members {
            for name in &documents[m.document].facts[m.command].names {
                by_name.entry(name.clone()).or_insert(c);
            }
        }
    }
    for place in unknown {
        let names = &documents[place.document].facts[place.command].names;
        match names.first().and_then(|n| by_name.get(n)) {
            Some(&class) => classes[class].attempts.push(place),
            None => {
                let mut class = Class::new(place, names.clone(), String::new(), String::new());
                class.members.push(place);
                for name in &class.names {
                    by_name.insert(name.clone(), classes.len());
                }
                class_of.insert(place, classes.len());
                classes.push(class);
            }
        }
    }
}

/// The version of a class that is kept: one that compiles and is finished, else the first.
fn choose(documents: &[Document], class: &mut Class, wishes: &Wishes) {
    let good = |p: &Place| {
        let fact = &documents[p.document].facts[p.command];
        !fact.failed && !fact.sorry
    };
    let extras = |p: &Place| {
        let text = documents[p.document].source(p.command);
        let deriving =
            if text.contains("deriving") { text.split("deriving").last().map_or(0, str::len) } else { 0 };
        let head = head(text);
        // A macro may name what only some of the files have; where it names most, it stands behind all of it.
        let needs = match documents[p.document].commands[p.command].kind {
            Kind::Effect => documents[p.document].facts[p.command].needs.len(),
            _ => 0,
        };
        (!head.modifiers.contains(&"private"), head.attributes.len(), deriving, needs)
    };
    let mut candidates: Vec<Place> = class.members.iter().filter(|p| good(p)).copied().collect();
    class.success = !candidates.is_empty();
    if candidates.is_empty() {
        candidates = class.members.clone();
    }
    // A public version and one with more attributes can do what the others can.
    let most = candidates.iter().map(extras).max();
    let first = candidates.iter().find(|p| Some(extras(p)) == most);
    class.chosen =
        *class.members.iter().find(|p| wishes.pinned.contains(p)).or(first).expect("a class has members");
    class.success = good(&class.chosen);
}

/// Gives every class names that no other one has.
fn name(
    documents: &[Document],
    classes: &mut [Class],
    class_of: &HashMap<Place, usize>,
    notes: &mut Vec<String>,
) -> Vec<Names> {
    let mut used: HashSet<String> =
        documents.iter().flat_map(|d| &d.facts).flat_map(|f| f.all_names.iter().cloned()).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut names: Vec<Names> = documents.iter().map(|_| Names::default()).collect();
    for (c, class) in classes.iter_mut().enumerate() {
        let of = |p: &Place| &documents[p.document].facts[p.command];
        let chosen = of(&class.chosen);
        // A part of something that has a new name goes with it.
        let wanted: Vec<String> =
            chosen.names.iter().map(|n| names[class.chosen.document].apply(n).unwrap_or(n.clone())).collect();
        let differ = class.members.iter().any(|p| of(p).names != chosen.names);
        let clash = chosen
            .all_names
            .iter()
            .any(|n| taken.contains(&names[class.chosen.document].apply(n).unwrap_or(n.clone())));
        class.names = wanted
            .iter()
            .map(|old| if differ || clash { unique(old, &mut used) } else { old.clone() })
            .collect();
        for p in &class.members {
            for (old, new) in of(p).names.iter().zip(&class.names) {
                names[p.document].insert(old.clone(), new.clone());
            }
        }
        if class_of.get(&class.chosen) == Some(&c) {
            taken.extend(
                chosen.all_names.iter().map(|n| names[class.chosen.document].apply(n).unwrap_or(n.clone())),
            );
        }
        if differ {
            let olds: BTreeSet<String> =
                class.members.iter().flat_map(|p| of(p).names.iter().cloned()).collect();
            let olds: Vec<String> = olds.into_iter().collect();
            notes.push(format!(
                "{} state the same and are now {}",
                olds.join(" and "),
                class.names.join(", ")
            ));
        } else if clash {
            let (document, news) = (class.chosen.document + 1, class.names.join(", "));
            notes.push(format!(
                "{} of document {document} is now {news}: another one has its name",
                wanted.join(", ")
            ));
        }
    }
    names
}

/// `name_1` or the like, whichever is free.
fn unique(name: &str, used: &mut HashSet<String>) -> String {
    let numbered = |k: usize| match name.strip_suffix('»') {
        Some(quoted) => format!("{quoted}_{k}»"),
        None => format!("{name}_{k}"),
    };
    let new = (1..).map(numbered).find(|n| !used.contains(n)).expect("numbers do not end");
    used.insert(new.clone());
    new
}

/// Makes the texts by which commands are compared.
struct Keys<'a> {
    document: &'a Document,
    owners: &'a HashMap<String, usize>,
    class_of: &'a HashMap<Place, usize>,
    d: usize,
    /// What holds where the command stands.
    context: Digest,
}

/// What is known of a command.
#[derive(Clone, Default)]
struct Found {
    /// It is the same as whatever has one of these keys.
    keys: Vec<String>,
    /// See [`Class::statement`].
    statement: String,
    /// See [`Class::reduced`].
    reduced: String,
}

impl Keys<'_> {
    /// A constant of the file as its class; the command's own names are `<self …>`.
    fn constant(&self, name: &str, command: usize) -> Option<String> {
        let &owner = self.document.owner(self.owners, name)?;
        let class = match owner == command {
            true => "self".to_string(),
            false => self.class_of.get(&Place { document: self.d, command: owner })?.to_string(),
        };
        let names = &self.document.facts[owner].names;
        let (i, n) = names.iter().enumerate().find(|(_, n)| {
            name == n.as_str() || name.strip_prefix(n.as_str()).is_some_and(|p| p.starts_with('.'))
        })?;
        Some(format!("<{class} {i}>{}", &name[n.len()..]))
    }

    /// What a reference means.
    fn resolved(&self, r: &Reference, command: usize) -> String {
        let name = if r.local { self.constant(&r.name, command) } else { None };
        name.unwrap_or_else(|| r.name.clone())
    }

    /// The keys of a command, and what it states.
    fn of(&self, command: usize) -> Found {
        let (fact, kind) = (&self.document.facts[command], self.document.commands[command].kind);
        let own = &fact.names;
        let constant = |n: &str| self.constant(n, command);
        match kind {
            Kind::Theorem if own.len() == 1 => {
                let name = &own[0];
                let Some(signature) = self.document.signature(name) else {
                    return Found { keys: self.by_text(command), ..Found::default() };
                };
                let statement = canonical(checked_type(signature, name), &constant);
                if self.hides(signature, command) {
                    let keys = vec![format!("type {statement} {}", self.text(command, true))];
                    return Found { keys, statement, reduced: String::new() };
                }
                let keys = vec![format!("type {statement}")];
                let reduced = self.document.reduced(name).map(|r| canonical(r, &constant));
                Found { keys, statement, reduced: reduced.unwrap_or_default() }
            }
            Kind::Theorem | Kind::Definition => {
                let printed: Option<Vec<&str>> = own.iter().map(|n| self.document.signature(n)).collect();
                let Some(printed) = printed.filter(|p| !p.is_empty()) else {
                    return Found { keys: self.by_text(command), ..Found::default() };
                };
                let statement: String = printed.iter().map(|p| canonical(p, &constant)).collect();
                let source = self.document.source(command);
                let head = head(source);
                let safety = head.modifiers.iter().filter(|m| matches!(**m, "unsafe" | "partial")).count();
                // Of an opaque one the value is not printed, nor what is run in its place.
                let opaque = safety > 0
                    || source.contains("opaque")
                    || head.attributes.iter().any(|a| a.contains("implemented_by") || a.contains("extern"));
                let text = match opaque || printed.iter().any(|p| self.hides(p, command)) {
                    true => self.text(command, false),
                    false => String::new(),
                };
                let keys = vec![format!("is {own:?} {safety} {statement} {text}")];
                Found { keys, statement, reduced: String::new() }
            }
            Kind::Broken => Found::default(),
            _ => {
                let keys = vec![format!("acts {}\n{}", self.context(command), self.text(command, false))];
                Found { keys, ..Found::default() }
            }
        }
    }

    /// Whether what is printed of a command mentions something that the compiler made on the way, a matcher for
    /// instance, and whose own meaning is not printed. Then the texts must agree too.
    fn hides(&self, printed: &str, command: usize) -> bool {
        let names = tokens(printed).into_iter().filter(|t| t.0 == Token::Name).map(|t| &printed[t.1]);
        names.into_iter().any(|name| {
            self.document.owner(self.owners, name) == Some(&command)
                && !self.document.facts[command].all_names.iter().any(|a| a == name)
        })
    }

    /// The key of what was not printed: its names, its text, and the context in which that is read.
    fn by_text(&self, command: usize) -> Vec<String> {
        let fact = &self.document.facts[command];
        match fact.references.iter().any(|r| r.definition) {
            true => {
                vec![format!("text {:?} {} {}", fact.names, self.context(command), self.text(command, false))]
            }
            false => vec![],
        }
    }

    /// The namespace and what holds where a command stands.
    fn context(&self, command: usize) -> String {
        format!("{} {:?}", self.document.facts[command].namespace, self.context)
    }

    /// A command as a text in which references are resolved; see [`words`].
    fn text(&self, command: usize, statement: bool) -> String {
        words(self.document, command, statement, &|r| self.resolved(r, command))
    }
}

/// What a name of the result means: a part of the command itself, or of a class.
pub fn meaning(own: &[String], class_names: &BTreeMap<String, (usize, usize)>, name: &str) -> Option<String> {
    let mut at = name.len();
    loop {
        if let Some(i) = own.iter().position(|n| n == &name[..at]) {
            return Some(format!("<self {i}>{}", &name[at..]));
        }
        if let Some((class, i)) = class_names.get(&name[..at]) {
            return Some(format!("<{class} {i}>{}", &name[at..]));
        }
        at = name[..at].rfind('.')?;
    }
}

/// What a command of the result states, its constants named by class, to be compared with
/// [`Class::statement`].
pub fn statement_of(
    document: &Document,
    command: usize,
    class_names: &BTreeMap<String, (usize, usize)>,
) -> Option<String> {
    let own = &document.facts[command].names;
    let constant = |name: &str| meaning(own, class_names, name);
    if document.commands[command].kind == Kind::Theorem && own.len() == 1 {
        return document.signature(&own[0]).map(|s| canonical(checked_type(s, &own[0]), &constant));
    }
    own.iter().map(|n| document.signature(n).map(|s| canonical(s, &constant))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_free() {
        let mut used: HashSet<String> = ["a_1", "b"].iter().map(|s| s.to_string()).collect();
        assert_eq!(unique("a", &mut used), "a_2");
        assert_eq!(unique("a", &mut used), "a_3");
        assert_eq!(unique("«x y»", &mut used), "«x y_1»");
    }
}
