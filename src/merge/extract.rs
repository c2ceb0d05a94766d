//! A file as single declarations, each with what it needs to compile alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::analyse::{Document, Options, analyse};
use super::canonical::{canonical, checked_type};
use super::decide::{Class, Decision, Place};
use super::lean::Lean;
use super::print::{Layout, Printer};
use super::rename::Names;
use super::source::{Lines, Token, tokens};
use super::split::{Kind, head};
use super::{Fatal, Messages, Source, Timings, until};

/// What [`extract_decls`] answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExtractResponse {
    /// The text that was compiled.
    pub content: String,
    /// What the compiler says.
    pub lean_messages: Messages,
    /// What the tool has to say.
    pub tool_messages: Messages,
    /// Each declaration by its full name.
    pub documents: BTreeMap<String, ExtractedDeclaration>,
    /// How long it took.
    pub timings: Timings,
}

/// One declaration. The dependencies are direct ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExtractedDeclaration {
    /// `theorem`, `def`, `abbrev`, `axiom`, `opaque`, `structure`, `class`, `class inductive`, `inductive`,
    /// `instance` or `unknown`.
    pub kind: String,
    /// Its text.
    pub declaration: String,
    /// A file that has it and what it needs.
    pub content: String,
    /// Its text as tokens.
    pub tokens: Vec<String>,
    /// The text before its body.
    pub signature: String,
    /// Its type as Lean prints it.
    pub r#type: String,
    /// A hash of its type that does not depend on names of variables.
    pub type_hash: u32,
    /// It has `sorry`.
    pub is_sorry: bool,
    /// Its position among the declarations of the file; those of a `mutual` block share one.
    pub index: usize,
    /// Its first line, from 1.
    pub line_pos: usize,
    /// Its last line.
    pub end_line_pos: usize,
    /// Declarations of the file that its type needs.
    pub local_type_dependencies: Vec<String>,
    /// Declarations of the file that its body needs.
    pub local_value_dependencies: Vec<String>,
    /// Imported constants in its type.
    pub external_type_dependencies: Vec<String>,
    /// Declarations of the file that its text names.
    pub local_syntactic_dependencies: Vec<String>,
    /// Imported constants that its text names.
    pub external_syntactic_dependencies: Vec<String>,
    /// What the compiler says of it.
    pub declaration_messages: Messages,
}

/// Takes a file apart.
///
/// # Errors
/// As [`super::merge()`].
pub fn extract_decls(source: &Source, lean: &Lean) -> Result<ExtractResponse, Fatal> {
    let (start, until, lean) = (Instant::now(), until(source.timeout_seconds), &lean.counting());
    let options = Options { signatures: true, types: true, ..Options::of(source, until) };
    let document = analyse(lean, &source.content, "content", options)?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let one = [document];
    let document = &one[0];
    let (decision, owners) = (alone(document), document.owners());
    let mut documents = BTreeMap::new();
    let declares = |i: &usize| matches!(document.commands[*i].kind, Kind::Theorem | Kind::Definition);
    for (index, i) in (0..document.commands.len()).filter(declares).enumerate() {
        for name in &document.facts[i].names {
            documents.insert(name.clone(), describe(&one, &decision, &owners, i, name, index));
        }
    }
    Ok(ExtractResponse {
        lean_messages: Messages::of_lean(&document.raw.messages),
        tool_messages: Messages::default(),
        documents,
        content: document.text.clone(),
        timings: Timings::now(start, parse_ms, lean),
    })
}

/// Every command of one file as it is.
fn alone(document: &Document) -> Decision {
    let movable = (0..document.commands.len()).filter(|&i| document.movable(i));
    let places: Vec<Place> = movable.map(|command| Place { document: 0, command }).collect();
    let classes = places.iter().map(|&p| Class {
        members: vec![p],
        chosen: p,
        success: true,
        attempts: vec![],
        names: document.facts[p.command].names.clone(),
        statement: String::new(),
        reduced: String::new(),
    });
    Decision {
        classes: classes.collect(),
        class_of: places.iter().enumerate().map(|(c, &p)| (p, c)).collect(),
        names: vec![Names::default()],
        readings: HashMap::new(),
        notes: vec![],
    }
}

fn describe(
    one: &[Document; 1],
    decision: &Decision,
    owners: &HashMap<String, usize>,
    i: usize,
    name: &str,
    index: usize,
) -> ExtractedDeclaration {
    let (document, fact) = (&one[0], &one[0].facts[i]);
    let (text, lines) = (document.source(i), Lines::new(&document.text));
    let local_name =
        |n: &str| document.owner(owners, n).filter(|&&o| o != i).map(|&o| document.facts[o].names.join(", "));
    // The constants of the type.
    let (mut local, mut external) = (BTreeSet::new(), BTreeSet::new());
    let constants = RefCell::new(BTreeSet::new());
    let printed = document.signature(name).unwrap_or_default();
    let kind = document.commands[i].kind;
    let type_text = match kind {
        Kind::Theorem => checked_type(printed, name),
        // `def f : type := value`; of a structure, all of it.
        _ => {
            let behind = printed.find(name).map_or(printed, |at| &printed[at + name.len()..]);
            behind.split(" :=\n").next().unwrap_or(behind).trim_start().trim_start_matches(':')
        }
    };
    let normal = canonical(type_text, &|n| {
        constants.borrow_mut().insert(n.to_string());
        None
    });
    for n in constants.into_inner() {
        match local_name(&n) {
            Some(n) => drop(local.insert(n)),
            // Words of the printed form itself.
            None if matches!(
                n.as_str(),
                "Type"
                    | "Sort"
                    | "Prop"
                    | "number"
                    | "of"
                    | "parameters"
                    | "fields"
                    | "constructor"
                    | "constructors"
                    | "nat_lit"
            ) => {}
            None if n == name || n.starts_with(&format!("{name}.")) => {}
            None => drop(external.insert(n)),
        }
    }
    let names_of = |set: &mut dyn Iterator<Item = usize>| -> Vec<String> {
        set.flat_map(|n| document.facts[n].names.clone()).collect()
    };
    let written = |is_local: bool| -> Vec<String> {
        let used = fact.references.iter().filter(|r| !r.definition && r.local == is_local && r.name != name);
        used.map(|r| r.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    // What it needs, and what changed how those are read, in the order of the file.
    let mut wanted = BTreeSet::new();
    let mut open = vec![i];
    while let Some(c) = open.pop() {
        if wanted.insert(c) {
            open.extend(&document.facts[c].needs);
            open.extend(document.facts[c].after);
        }
    }
    let order: Vec<usize> = wanted
        .iter()
        .filter_map(|&command| decision.class_of.get(&Place { document: 0, command }).copied())
        .collect();
    let printer = Printer { documents: one, decision, alternatives: false, full: &|_| false };
    let range = &document.commands[i].range;
    let hash = Sha256::digest(normal.as_bytes());
    let mut messages = Vec::new();
    messages.extend(document.messages_in(i).cloned());
    ExtractedDeclaration {
        kind: kind_name(text),
        declaration: text.to_string(),
        content: printer.print(&order, Layout::Scoped).content,
        tokens: tokens(text)
            .into_iter()
            .filter(|t| t.0 != Token::Comment)
            .map(|t| text[t.1].to_string())
            .collect(),
        signature: signature(text),
        r#type: document.usual_type(name).unwrap_or_default().to_string(),
        type_hash: u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]),
        is_sorry: fact.sorry,
        index,
        line_pos: lines.position(range.start).0,
        end_line_pos: lines.position(range.end).0,
        local_value_dependencies: names_of(&mut fact.needs.iter().copied().filter(|&n| {
            document.facts[n].names.iter().any(|name| !local.contains(name)) || fact.names.is_empty()
        })),
        local_type_dependencies: local.into_iter().collect(),
        external_type_dependencies: external.into_iter().collect(),
        local_syntactic_dependencies: written(true),
        external_syntactic_dependencies: written(false),
        declaration_messages: Messages::of_lean(&messages),
    }
}

fn kind_name(text: &str) -> String {
    let head = head(text);
    match head.keyword {
        "lemma" => "theorem",
        "class" if text[head.at..].starts_with("class inductive") => "class inductive",
        k @ ("theorem" | "def" | "abbrev" | "axiom" | "opaque" | "structure" | "class" | "inductive"
        | "instance") => k,
        _ => "unknown",
    }
    .to_string()
}

/// The text before `:=`, `|` or `where`, outside of brackets.
fn signature(text: &str) -> String {
    let start = head(text);
    let mut depth = 0usize;
    for (kind, range) in tokens(text) {
        match &text[range.clone()] {
            _ if range.start <= start.at || matches!(kind, Token::Comment | Token::Literal) => {}
            "(" | "[" | "{" | "⟨" | "⦃" => depth += 1,
            ")" | "]" | "}" | "⟩" | "⦄" => depth = depth.saturating_sub(1),
            ":=" | "|" | "where" | "deriving" if depth == 0 => {
                return text[start.at..range.start].trim_end().to_string();
            }
            _ => {}
        }
    }
    text[start.at..].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_end_before_the_body() {
        assert_eq!(
            signature("/-- d -/ @[simp] theorem a (n : Nat := 1) : n = n := rfl"),
            "theorem a (n : Nat := 1) : n = n"
        );
        assert_eq!(signature("def f : Nat → Nat\n  | 0 => 1"), "def f : Nat → Nat");
        assert_eq!(signature("structure S where\n  a : Nat"), "structure S");
        assert_eq!(kind_name("private lemma x : y := z"), "theorem");
        assert_eq!(kind_name("class inductive C"), "class inductive");
    }
}
