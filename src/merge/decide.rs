//! Which declarations of which files are the same, which version of each is kept, and what each is called.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::analyse::Document;
use super::canonical::{canonical, checked_type};
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
}

/// Everything that was decided.
pub struct Decision {
    /// The classes, in the order of their first members.
    pub classes: Vec<Class>,
    /// The class of each command that is one.
    pub class_of: HashMap<Place, usize>,
    /// For each document, what its names become.
    pub names: Vec<Names>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is asked of [`decide`] beyond the files.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Compare types of theorems after reduction.
    pub use_def_eq: bool,
    /// Two theorems of one file stay two, and only types as written make theorems of different names the same.
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
    for (d, document) in documents.iter().enumerate() {
        let owners = document.owners();
        for command in 0..document.commands.len() {
            if !document.movable(command) {
                continue;
            }
            let place = Place { document: d, command };
            let keys = Keys { document, owners: &owners, class_of: &class_of, d };
            let (found, statement) = keys.of(command, wishes.use_def_eq);
            if found.is_empty() || document.commands[command].kind == Kind::Broken {
                unknown.push(place);
                continue;
            }
            let (names, kind) = (&document.facts[command].names, document.commands[command].kind);
            let same_name = |c: &usize| classes[*c].names == *names;
            let fits = |c: &usize, reduced: bool| {
                let new_to_file = || classes[*c].members.iter().all(|m| m.document != d);
                // What only acts, acts as often as its file says.
                let acts = matches!(kind, Kind::Effect | Kind::Example);
                (!acts || new_to_file()) && (!wishes.careful || same_name(c) || (!reduced && new_to_file()))
            };
            let apart = wishes.apart.contains(&place);
            let known = found.iter().filter(|_| !apart).find_map(|key| {
                let reduced = key.starts_with("reduced ");
                let all: Vec<usize> = by_key.get(key)?.iter().copied().filter(|c| fits(c, reduced)).collect();
                all.iter().copied().find(same_name).or_else(|| all.first().copied())
            });
            let class = known.unwrap_or_else(|| {
                let (chosen, names) = (place, document.facts[command].names.clone());
                let class =
                    Class { members: vec![], chosen, success: false, attempts: vec![], names, statement };
                classes.push(class);
                classes.len() - 1
            });
            classes[class].members.push(place);
            class_of.insert(place, class);
            for key in found {
                let all = by_key.entry(key).or_default();
                if !all.contains(&class) {
                    all.push(class);
                }
            }
        }
    }
    let mut notes = Vec::new();
    attempts(documents, &mut classes, &mut class_of, unknown);
    for class in &mut classes {
        choose(documents, class, wishes);
    }
    let names = name(documents, &mut classes, &class_of, &mut notes);
    Decision { classes, class_of, names, notes }
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
                let (members, names, statement) = (vec![place], names.clone(), String::new());
                let class =
                    Class { members, chosen: place, success: false, attempts: vec![], names, statement };
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
pub(super) struct Keys<'a> {
    pub document: &'a Document,
    pub owners: &'a HashMap<String, usize>,
    pub class_of: &'a HashMap<Place, usize>,
    pub d: usize,
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

    /// The keys of a command: it is the same as whatever has one of them. And what it states.
    fn of(&self, command: usize, use_def_eq: bool) -> (Vec<String>, String) {
        let (fact, kind) = (&self.document.facts[command], self.document.commands[command].kind);
        let own = &fact.names;
        let constant = |n: &str| self.constant(n, command);
        match kind {
            Kind::Theorem if own.len() == 1 => {
                let name = &own[0];
                let Some(signature) = self.document.signature(name) else {
                    return (self.by_text(command), String::new());
                };
                let statement = canonical(checked_type(signature, name), &constant);
                if self.hides(signature, command) {
                    return (vec![format!("type {statement} {}", self.text(command, true))], statement);
                }
                let mut keys = vec![format!("type {statement}")];
                if use_def_eq && let Some(reduced) = self.document.reduced(name) {
                    keys.push(format!("reduced {}", canonical(reduced, &constant)));
                }
                (keys, statement)
            }
            Kind::Theorem | Kind::Definition => {
                let printed: Option<Vec<&str>> = own.iter().map(|n| self.document.signature(n)).collect();
                let Some(printed) = printed.filter(|p| !p.is_empty()) else {
                    return (self.by_text(command), String::new());
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
                (vec![format!("is {own:?} {safety} {statement} {text}")], statement)
            }
            Kind::Broken => (vec![], String::new()),
            _ => (
                vec![format!("acts {}\n{}", self.context(command), self.text(command, false))],
                String::new(),
            ),
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

    /// The namespace and the commands that hold where a command stands.
    fn context(&self, command: usize) -> String {
        let fact = &self.document.facts[command];
        let mut context = fact.namespace.clone();
        for level in &fact.scope {
            for &item in &self.document.frames[level.frame].items[..level.items] {
                context.push('\n');
                context += self.document.source(item);
            }
        }
        context
    }

    /// A command as a text without comments in which references are resolved; with `statement`, only what stands
    /// before its proof, if that is plain.
    fn text(&self, command: usize, statement: bool) -> String {
        let fact = &self.document.facts[command];
        let start = self.document.commands[command].range.start;
        let text = self.document.source(command);
        let mut out = String::new();
        let (mut depth, mut plain) = (0i32, true);
        for (kind, range) in tokens(text) {
            if matches!(kind, Token::Comment | Token::Doc) {
                continue;
            }
            let word = &text[range.clone()];
            match word {
                "(" | "[" | "{" | "⟨" => depth += 1,
                ")" | "]" | "}" | "⟩" => depth -= 1,
                "let" | "have" => plain = false,
                ":=" if depth == 0 && plain && statement => break,
                _ => {}
            }
            let (from, to) = (start + range.start, start + range.end);
            let inside = |r: &&super::analyse::Reference| r.range.start >= from && r.range.end == to;
            let resolved = fact.references.iter().filter(inside).min_by_key(|r| r.range.start);
            match resolved.filter(|_| kind == Token::Name) {
                Some(r) => {
                    out += &word[..r.range.start - from];
                    let name = if r.local { self.constant(&r.name, command) } else { None };
                    out += &name.unwrap_or_else(|| r.name.clone());
                }
                None => out += word,
            }
            out.push(' ');
        }
        out
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
    let constant = |name: &str| {
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
    };
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
