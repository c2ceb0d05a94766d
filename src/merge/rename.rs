//! New names for declarations, at every place that refers to them. The compiler says which places those are;
//! only inside macros, whose bodies it does not resolve, names are looked up here.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::analyse::{Document, Options, analyse};
use super::lean::Lean;
use super::source::{Token, components, tokens};
use super::split::{Kind, head};
use super::{Changed, Fatal, Messages, Source, Timings, until};

/// What [`rename`] is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RenameRequest {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// What declarations become: full names to full names.
    pub declarations: BTreeMap<String, String>,
}

/// Renames declarations and every reference to them; constructors and fields go with their type.
///
/// # Errors
/// A name is not declared in the file or is no name, or as [`super::merge()`].
pub fn rename(request: &RenameRequest, lean: &Lean) -> Result<Changed, Fatal> {
    let (start, until, lean) = (Instant::now(), until(request.source.timeout_seconds), &lean.counting());
    let options = Options::of(&request.source, until);
    let document = analyse(lean, &request.source.content, "content", options)?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let declared: Vec<&String> = document.facts.iter().flat_map(|f| &f.all_names).collect();
    let mut names = Names::default();
    for (old, new) in &request.declarations {
        if !declared.contains(&old) {
            let near = declared.iter().min_by_key(|d| strsim::levenshtein(d, old));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            return Err(Fatal::User(format!(
                "{old} is not declared in the file{near} (names are written in full)"
            )));
        }
        let parts = components(new);
        let is_name = |p: &&str| matches!(tokens(p)[..], [(Token::Name, ref r)] if r.len() == p.len());
        if !parts.iter().all(is_name) {
            return Err(Fatal::User(format!("{new:?} is not a name")));
        }
        if declared.contains(&new) && !request.declarations.contains_key(new) {
            return Err(Fatal::User(format!("{new} is declared in the file already")));
        }
        names.insert(old.clone(), new.clone());
    }
    let notes = std::cell::RefCell::new(Vec::new());
    let content = document.replaced(&|i| Some(rewrite(&document, i, &names, false, &mut notes.borrow_mut())));
    let result = analyse(lean, &content, "the result", Options { ignore_imports: false, ..options })?;
    let mut tool_messages = Messages { errors: notes.into_inner(), ..Messages::default() };
    let failures = |d: &Document| d.facts.iter().filter(|f| f.failed).count();
    if failures(&result) > failures(&document) {
        tool_messages.errors.push("the result has errors that the file did not have".into());
    }
    let timings = Timings::now(start, parse_ms, lean);
    Ok(Changed { lean_messages: Messages::of_lean(&result.raw.messages), tool_messages, content, timings })
}

/// What full names become.
#[derive(Clone, Debug, Default)]
pub struct Names {
    map: BTreeMap<String, String>,
    any: bool,
}

impl Names {
    /// Adds one; one that stays does not go with what it is inside of.
    pub fn insert(&mut self, old: String, new: String) {
        self.any |= old != new;
        self.map.insert(old, new);
    }

    /// The new form of a full name; what is inside a renamed declaration, its constructors for instance, goes
    /// with it. `None` if it stays.
    pub fn apply(&self, name: &str) -> Option<String> {
        let mut at = name.len();
        loop {
            if let Some(new) = self.map.get(&name[..at]) {
                return (new != &name[..at]).then(|| format!("{new}{}", &name[at..]));
            }
            at = name[..at].rfind('.')?;
        }
    }

    /// Whether this name itself was added.
    fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Nothing is renamed.
    pub fn is_empty(&self) -> bool {
        !self.any
    }
}

/// The text of a command with new names. With `full`, references are written with their full names, for places
/// where the short ones would mean something else. What could not be renamed is added to `notes`.
pub fn rewrite(
    document: &Document,
    command: usize,
    names: &Names,
    full: bool,
    notes: &mut Vec<String>,
) -> String {
    let text = document.source(command);
    let start = document.commands[command].range.start;
    let fact = &document.facts[command];
    if names.is_empty() && !full {
        return text.to_string();
    }
    let mut edits: BTreeMap<(usize, usize), String> = BTreeMap::new();
    let changes = fact.references.iter().any(|r| !r.definition && r.local && names.apply(&r.name).is_some());
    for r in &fact.references {
        let range = r.range.start - start..r.range.end - start;
        let Some(old_text) = text.get(range.clone()) else { continue };
        let new = names.apply(&r.name);
        let own = fact.all_names.contains(&r.name);
        if r.definition && old_text == "instance" && fact.names.contains(&r.name) {
            // An instance without a name: Lean makes one from what its type names. If that changes, it is
            // written, so that it stays what it is here.
            if new.is_some() || changes {
                let at = behind_priority(text, range.end);
                let name = new.unwrap_or_else(|| r.name.clone());
                edits.insert((at, at), format!(" {}", relative(&name, &fact.namespace)));
            }
            continue;
        }
        if !r.local || (new.is_none() && (!full || own)) {
            continue;
        }
        let new = new.unwrap_or_else(|| r.name.clone());
        // What goes with its type, a constructor or a field, is found by its last part: the type's namespace is
        // renamed where it is opened. So is what is local to the command.
        let parts = components(old_text).len();
        let part = own && !fact.names.contains(&r.name);
        if (part || (!full && !names.has(&r.name))) && last(&r.name, parts) == last(&new, parts) {
            continue;
        }
        if let Some(written) =
            written(&r.name, &new, old_text, text[..range.start].ends_with('.'), full && !own)
        {
            let written = match r.definition && written == new && !fact.namespace.is_empty() {
                true => relative(&new, &fact.namespace),
                false => written,
            };
            edits.insert((range.start, range.end), written);
        } else if ends_with(&r.name, old_text) {
            notes.push(format!("a reference to {} in {old_text} could not be renamed to {new}", r.name));
        }
    }
    if !names.is_empty() {
        by_name(document, command, names, &mut edits);
    }
    apply(text, &edits)
}

/// Names that the compiler does not resolve: namespaces that are named after a renamed type, where they are
/// opened, and names in macros.
fn by_name(document: &Document, command: usize, names: &Names, edits: &mut BTreeMap<(usize, usize), String>) {
    let (text, fact) = (document.source(command), &document.facts[command]);
    let start = document.commands[command].range.start;
    let at = head(text);
    let everywhere = matches!(document.commands[command].kind, Kind::Open | Kind::Close)
        || at.keyword == "export"
        || quotes(at.keyword);
    let mut opening = false;
    for (token, range) in tokens(text) {
        let word = &text[range.clone()];
        match word {
            "open" => opening = true,
            "in" | "hiding" | "renaming" => opening = false,
            _ if token != Token::Name => opening = false,
            _ => {}
        }
        let overlaps = |a: usize, b: usize| a < range.end && range.start < b;
        let known = edits.keys().any(|&(a, b)| overlaps(a, b))
            || fact.references.iter().any(|r| overlaps(r.range.start - start, r.range.end - start));
        if token != Token::Name || known || !(opening || (everywhere && range.start > at.at)) {
            continue;
        }
        let scopes = components(&fact.namespace);
        let found = (0..=scopes.len()).rev().find_map(|n| {
            let outer = scopes[..n].iter().filter(|c| !c.is_empty());
            let full = outer.copied().chain([word]).collect::<Vec<_>>().join(".");
            names.apply(&full).map(|new| (full, new))
        });
        if let Some((old, new)) = found
            && let Some(written) = written(&old, &new, word, false, false)
        {
            edits.insert((range.start, range.end), written);
        }
    }
}

fn apply(text: &str, edits: &BTreeMap<(usize, usize), String>) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for (&(start, end), new) in edits {
        if start >= from {
            out += &text[from..start];
            out += new;
            from = end;
        }
    }
    out + &text[from..]
}

/// Whether this command may hold quoted syntax.
pub fn quotes(keyword: &str) -> bool {
    matches!(
        keyword,
        "macro"
            | "macro_rules"
            | "notation"
            | "infix"
            | "infixl"
            | "infixr"
            | "prefix"
            | "postfix"
            | "syntax"
            | "elab"
            | "elab_rules"
            | "notation3"
    )
}

/// The last components of a name.
fn last(name: &str, n: usize) -> Vec<&str> {
    let all = components(name);
    all[all.len().saturating_sub(n)..].to_vec()
}

/// Whether `text` is how `name` ends: a name, or `.name`.
fn ends_with(name: &str, text: &str) -> bool {
    let text = text.strip_prefix("_root_.").unwrap_or(text);
    let text = text.strip_prefix('.').unwrap_or(text);
    let (all, end) = (components(name), components(text));
    end.len() <= all.len()
        && all[all.len() - end.len()..].iter().zip(&end).all(|(a, b)| unquoted(a) == unquoted(b))
}

fn unquoted(component: &str) -> &str {
    component.strip_prefix('«').and_then(|c| c.strip_suffix('»')).unwrap_or(component)
}

/// How a place that says `text` and means `old` says `new`; `None` if it cannot be said there.
fn written(old: &str, new: &str, text: &str, field: bool, full: bool) -> Option<String> {
    if !ends_with(old, text) {
        return None;
    }
    let root = text.starts_with("_root_.");
    let dotted = text.starts_with('.');
    let bare = text.strip_prefix("_root_.").unwrap_or(text);
    let bare = bare.strip_prefix('.').unwrap_or(bare);
    let (was, is, n) = (components(old), components(new), components(bare).len());
    let same_front = was.len() == is.len() && was[..was.len() - n] == is[..is.len() - n];
    if full && !dotted && !field {
        return Some(format!("_root_.{new}"));
    }
    if same_front
        || ((field || dotted) && n == 1 && is.len() > 1 && was[..was.len() - 1] != is[..is.len() - 1])
    {
        // `.x` and `t.x` find their type by themselves, whatever it is called now.
        let end = is[is.len() - n..].join(".");
        return Some(format!("{}{}{end}", if root { "_root_." } else { "" }, if dotted { "." } else { "" }));
    }
    if dotted || field {
        return None;
    }
    Some(if root { format!("_root_.{new}") } else { new.to_string() })
}

/// A full name as it is declared inside `namespace`.
fn relative(name: &str, namespace: &str) -> String {
    match name.strip_prefix(namespace).and_then(|n| n.strip_prefix('.')) {
        _ if namespace.is_empty() => name.to_string(),
        Some(short) => short.to_string(),
        None => format!("_root_.{name}"),
    }
}

/// Behind `instance (priority := low)`.
fn behind_priority(text: &str, at: usize) -> usize {
    let rest = text[at..].trim_start();
    if !rest.starts_with("(priority") {
        return at;
    }
    text[at..].find(')').map_or(at, |i| at + i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_say_the_new_name_as_they_said_the_old_one() {
        let w = |old, new, text, field| written(old, new, text, field, false);
        assert_eq!(w("A.foo", "A.foo_1", "foo", false).as_deref(), Some("foo_1"));
        assert_eq!(w("A.foo", "A.foo_1", "A.foo", false).as_deref(), Some("A.foo_1"));
        assert_eq!(w("A.foo", "A.foo_1", "_root_.A.foo", false).as_deref(), Some("_root_.A.foo_1"));
        assert_eq!(w("T.x", "T_1.x", "T.x", false).as_deref(), Some("T_1.x"));
        assert_eq!(w("T.x", "T_1.x", ".x", false).as_deref(), Some(".x"));
        assert_eq!(w("T.x", "T_1.x", "x", true).as_deref(), Some("x"));
        assert_eq!(w("A.foo", "B.bar", "foo", false).as_deref(), Some("B.bar"));
        assert_eq!(w("A.foo", "bar", "foo", true), None);
        assert_eq!(w("A.foo", "A.bar", "mm", false), None);
        assert_eq!(relative("A.B.c", "A"), "B.c");
        assert_eq!(relative("B.c", "A"), "_root_.B.c");
        assert_eq!(behind_priority("instance (priority := low) : X", 8), 26);
    }

    #[test]
    fn parts_go_with_the_whole() {
        let mut names = Names::default();
        names.insert("A.T".into(), "A.T_1".into());
        assert_eq!(names.apply("A.T.x.y").as_deref(), Some("A.T_1.x.y"));
        assert_eq!(names.apply("A.Tx"), None);
        names.insert("A.T.z".into(), "A.T.z".into());
        assert_eq!(names.apply("A.T.z.w"), None);
    }
}
