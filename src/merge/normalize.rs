//! Files in a plain form: without sections and namespaces, with names in full.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::analyse::{Document, Options, analyse};
use super::lean::Lean;
use super::source::{Token, components, tokens};
use super::split::{Kind, head};
use super::{Fatal, Messages, Source, Timings, until};

/// The normalizations that there are.
const ALL: [&str; 6] = [
    "remove_sections",
    "expand_decl_names",
    "remove_duplicates",
    "split_open_in_commands",
    "normalize_module_comments",
    "normalize_doc_comments",
];

/// What [`normalize`] is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct NormalizeRequest {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// Which of `remove_sections`, `expand_decl_names`, `remove_duplicates`, `split_open_in_commands`,
    /// `normalize_module_comments` and `normalize_doc_comments`; `None`: the first, third and fourth.
    pub normalizations: Option<Vec<String>>,
    /// Give the file back as it was if the result has new errors.
    pub failsafe: bool,
}

impl Default for NormalizeRequest {
    fn default() -> NormalizeRequest {
        NormalizeRequest { source: Source::default(), normalizations: None, failsafe: true }
    }
}

/// What [`normalize`] answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NormalizeResponse {
    /// What the compiler says of `content`.
    pub lean_messages: Messages,
    /// What the tool has to say.
    pub tool_messages: Messages,
    /// The new text.
    pub content: String,
    /// How often each normalization was applied.
    pub normalize_stats: BTreeMap<String, usize>,
    /// How long it took.
    pub timings: Timings,
}

/// Brings a file into a plain form.
///
/// # Errors
/// There is no such normalization, or as [`super::merge()`].
pub fn normalize(request: &NormalizeRequest, lean: &Lean) -> Result<NormalizeResponse, Fatal> {
    let (start, until, lean) = (Instant::now(), until(request.source.timeout_seconds), &lean.counting());
    let wanted: BTreeSet<&str> = match &request.normalizations {
        Some(list) => list.iter().map(String::as_str).collect(),
        None => [ALL[0], ALL[2], ALL[3]].into(),
    };
    if let Some(unknown) = wanted.iter().find(|w| !ALL.contains(w)) {
        return Err(Fatal::User(format!(
            "no normalization is called {unknown}; there are {}",
            ALL.join(", ")
        )));
    }
    let options = Options::of(&request.source, until);
    let document = analyse(lean, &request.source.content, "content", options)?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let (mut content, mut stats) = apply(&document, &wanted);
    let result = analyse(lean, &content, "the result", Options { ignore_imports: false, ..options })?;
    let mut tool_messages = Messages::default();
    let mut lean_messages = Messages::of_lean(&result.raw.messages);
    let failures = |d: &Document| d.facts.iter().filter(|f| f.failed).count();
    if failures(&result) > failures(&document) {
        if request.failsafe {
            tool_messages
                .warnings
                .push("the normalized file had new errors; this is the file as it was".into());
            content.clone_from(&document.text);
            stats.clear();
            lean_messages = Messages::of_lean(&document.raw.messages);
        } else {
            tool_messages.warnings.push("the normalized file has errors that the file did not have".into());
        }
    }
    let timings = Timings::now(start, parse_ms, lean);
    Ok(NormalizeResponse { lean_messages, tool_messages, content, normalize_stats: stats, timings })
}

fn apply(document: &Document, wanted: &BTreeSet<&str>) -> (String, BTreeMap<String, usize>) {
    let on = |name: &str| wanted.contains(name);
    let mut stats: BTreeMap<String, usize> = BTreeMap::new();
    let mut new: BTreeMap<usize, String> = BTreeMap::new();
    // Contexts that are in force, for duplicates: scope by scope.
    let mut seen: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
    let mut noncomputable = false;
    for i in 0..document.commands.len() {
        let (kind, mut text) = (document.commands[i].kind, document.source(i).to_string());
        let mut count = |name: &str, n: usize| {
            if n > 0 {
                *stats.entry(name.to_string()).or_default() += n;
            }
        };
        let sections = on("remove_sections");
        match kind {
            Kind::Open if sections => {
                noncomputable |= head(&text).modifiers.contains(&"noncomputable");
                count("remove_sections", 1);
                new.insert(i, String::new());
                continue;
            }
            Kind::Close if sections => {
                new.insert(i, String::new());
                continue;
            }
            Kind::Open => seen.push(BTreeSet::new()),
            Kind::Close if seen.len() > 1 => drop(seen.pop()),
            Kind::Context
                if on("remove_duplicates") && matches!(head(&text).keyword, "open" | "universe") =>
            {
                let known = seen.iter().any(|s| s.contains(&text));
                if known {
                    count("remove_duplicates", 1);
                    new.insert(i, String::new());
                    continue;
                }
                seen.last_mut().expect("the file's own").insert(text.clone());
            }
            _ => {}
        }
        text = names(document, i, sections, on("expand_decl_names"), &mut count);
        if on("split_open_in_commands") {
            while let Some(split) = split_open(&text) {
                count("split_open_in_commands", 1);
                text = split;
            }
        }
        if on("normalize_doc_comments") {
            let docs = comments(&text, "/--");
            count("normalize_doc_comments", docs.len());
            for at in docs.into_iter().rev() {
                text.replace_range(at..at + 3, "/-");
            }
        }
        if on("normalize_module_comments") && kind == Kind::Documentation {
            count("normalize_module_comments", 1);
            text.replace_range(0..3, "/-");
        }
        new.insert(i, text);
    }
    let mut content = document.replaced(&|i| new.get(&i).cloned());
    if noncomputable {
        let at = super::split::header(&content);
        let (before, after) = content.split_at(at);
        let gap = if before.is_empty() { "" } else { "\n\n" };
        content = format!("{before}{gap}noncomputable section\n{}", after.trim_start_matches('\n'));
    }
    (content, stats)
}

/// Names of declarations written with their namespace, and references in full.
fn names(
    document: &Document,
    i: usize,
    declarations: bool,
    references: bool,
    count: &mut impl FnMut(&str, usize),
) -> String {
    let (fact, text) = (&document.facts[i], document.source(i));
    let start = document.commands[i].range.start;
    let outside = fact.names.is_empty() && !fact.namespace.is_empty();
    let mut edits: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    let mut expanded = 0;
    for r in &fact.references {
        let range = r.range.start - start..r.range.end - start;
        let Some(word) = text.get(range.clone()) else { continue };
        let (own, field) = (fact.all_names.contains(&r.name), text[..range.start].ends_with('.'));
        let says = |n: &str| n == word || n.ends_with(&format!(".{word}"));
        if r.definition {
            if declarations && fact.names.contains(&r.name) && !fact.namespace.is_empty() {
                if says(&r.name) {
                    edits.insert(range.start, (range.end, r.name.clone()));
                } else if word == "instance" {
                    edits.insert(range.end, (range.end, format!(" {}", r.name)));
                }
            }
        } else if (references || (declarations && outside && r.local))
            && !own
            && !field
            && says(&r.name)
            && r.name != word
        {
            // Names of macros' making do not stand in the text.
            expanded += usize::from(references);
            edits.insert(range.start, (range.end, r.name.clone()));
        }
    }
    count("expand_decl_names", expanded);
    let mut out = String::new();
    let mut from = 0;
    for (at, (end, name)) in edits {
        if at >= from && components(&name).iter().all(|c| !c.is_empty()) {
            out += &text[from..at];
            out += &name;
            from = end;
        }
    }
    out + &text[from..]
}

/// `open A in command` as two commands.
fn split_open(text: &str) -> Option<String> {
    let all: Vec<_> = tokens(text).into_iter().filter(|t| t.0 != Token::Comment).collect();
    let word = |i: usize| all.get(i).map_or("", |t| &text[t.1.clone()]);
    if word(0) != "open" || head(text).keyword == "open" {
        return None;
    }
    let at = (1..all.len()).find(|&i| word(i) == "in")?;
    let rest = text[all[at].1.end..].trim_start();
    Some(format!("{}\n{rest}", text[..all[at].1.start].trim_end()))
}

/// Where comments that begin so begin.
fn comments(text: &str, begins: &str) -> Vec<usize> {
    let all = tokens(text).into_iter().filter(|t| t.0 == Token::Doc && text[t.1.clone()].starts_with(begins));
    all.map(|t| t.1.start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_in_becomes_two_commands() {
        assert_eq!(
            split_open("open Nat in\ntheorem a : b := c").as_deref(),
            Some("open Nat\ntheorem a : b := c")
        );
        assert_eq!(split_open("open Nat"), None);
        assert_eq!(split_open("theorem a : open X in b := c"), None);
        assert_eq!(comments("/-- a -/ x /-! b -/ /-- c -/ y", "/--"), [0, 20]);
    }
}
