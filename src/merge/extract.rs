//! A file as single declarations, each with what it needs to compile alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::analyse::{Document, Options, analyse};
use super::canonical::{canonical, checked_type};
use super::decide::{Class, Decision, Place};
use super::inspect::{Inspection, Questions, inspect};
use super::lean::{Lean, option_value};
use super::print::{Layout, Printer};
use super::rename::Names;
use super::select::Selection;
use super::source::{Lines, Token, tokens};
use super::split::{Kind, head};
use super::{Fatal, Messages, Source, Timings, until};

/// What [`extract_decls`] is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtractRequest {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// Names of declarations; without them and `indices`: all. In full, or the end of the full name where
    /// that is clear.
    pub names: Option<Vec<String>>,
    /// Positions among the declarations, from 0; negative ones from the end.
    pub indices: Option<Vec<i64>>,
    /// With `false`, only the kind, the place and the written names are told.
    pub elaborate: bool,
    /// With `false`, nothing is told that depends on the proofs of theorems.
    pub elaborate_proofs: bool,
    /// Only the kind, the place, `is_sorry` and the dependencies are told.
    pub dependencies_only: bool,
    /// How much is printed of types: 0 as Lean does, 1 with types of numerals, coercions and full names, 2
    /// with all implicit arguments and universes.
    pub verbosity: f64,
    /// Options of Lean for printing types, `pp.…`; they go before `verbosity`.
    pub delab_options: BTreeMap<String, Value>,
}

impl Default for ExtractRequest {
    fn default() -> ExtractRequest {
        ExtractRequest {
            source: Source::default(),
            names: None,
            indices: None,
            elaborate: true,
            elaborate_proofs: true,
            dependencies_only: false,
            verbosity: 0.0,
            delab_options: BTreeMap::new(),
        }
    }
}

impl ExtractRequest {
    /// The options for printing, each `pp.name value`.
    fn printing(&self) -> Result<Vec<String>, Fatal> {
        let mut out: Vec<String> = match self.verbosity {
            0.0 => vec![],
            1.0 => ["numericTypes", "coercions.types", "fullNames", "funBinderTypes"]
                .map(|name| format!("pp.{name} true"))
                .into(),
            2.0 => ["explicit", "universes", "numericTypes", "fullNames", "funBinderTypes", "proofs"]
                .map(|name| format!("pp.{name} true"))
                .into(),
            other => return Err(Fatal::User(format!("verbosity is 0, 1 or 2, not {other}"))),
        };
        for (name, value) in &self.delab_options {
            if !name.starts_with("pp.") {
                return Err(Fatal::User(format!("delab_options takes pp.… only, not {name}")));
            }
            out.push(format!("{name} {}", option_value(name, value)?));
        }
        Ok(out)
    }
}

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

/// One declaration. The dependencies are direct ones. What was not asked for is empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    /// A hash of its type that does not depend on names of variables; of a structure or an inductive type, of
    /// all of it. `None` if the type is not known.
    pub type_hash: Option<u32>,
    /// It has `sorry`.
    pub is_sorry: bool,
    /// Its position among the declarations of the file; those of a `mutual` block share one.
    pub index: usize,
    /// Its first line, from 1.
    pub line_pos: usize,
    /// Its last line.
    pub end_line_pos: usize,
    /// How many tactics its proofs have; 1 for a body without.
    pub proof_length: usize,
    /// How often each tactic is written in it, by its first word; `<;>` and the bullet `·` are counted too.
    pub tactic_counts: BTreeMap<String, usize>,
    /// Declarations of the file in its type.
    pub local_type_dependencies: Vec<String>,
    /// Declarations of the file in its body; of an inductive type, in its constructors.
    pub local_value_dependencies: Vec<String>,
    /// Imported constants in its type.
    pub external_type_dependencies: Vec<String>,
    /// Imported constants in its body.
    pub external_value_dependencies: Vec<String>,
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
/// A selected name or position is not there, an option is none, or as [`super::merge()`].
pub fn extract_decls(request: &ExtractRequest, lean: &Lean) -> Result<ExtractResponse, Fatal> {
    let source = &request.source;
    let printing = request.printing()?;
    let (start, until, lean) = (Instant::now(), until(source.timeout_seconds), &lean.counting());
    let options = Options { signatures: true, ..Options::of(source, until) };
    let one = [analyse(lean, &source.content, "content", options)?];
    let document = &one[0];
    let parse_ms = start.elapsed().as_millis() as u64;
    let (names, indices) = (request.names.clone(), request.indices.clone());
    let selected = Selection { names, indices, theorems_only: false }.of(document)?;
    let inspection = match request.elaborate {
        true => {
            let questions = Questions { printing: &printing, tactics: !request.dependencies_only, until };
            inspect(lean, document, questions)?
        }
        false => Inspection::default(),
    };
    let owners = document.owners();
    let file = File {
        one: &one,
        lines: Lines::new(&document.text),
        decision: alone(document),
        owners: &owners,
        inspection: &inspection,
        request,
    };
    let mut tool_messages = Messages::default();
    for (less, what) in [
        (!request.elaborate, "elaborate is false: only kinds, places and written names are told"),
        (
            request.elaborate && request.dependencies_only,
            "dependencies_only is true: no types, texts, tactics and messages are told",
        ),
        (
            request.elaborate && !request.elaborate_proofs,
            "elaborate_proofs is false: no content is told, and nothing of what theorems have in their proofs",
        ),
    ] {
        tool_messages.warnings.extend(less.then(|| what.to_string()));
    }
    let unknown: Vec<&str> = selected
        .iter()
        .filter(|(_, n)| request.elaborate && !inspection.in_type.contains_key(*n))
        .map(|one| one.1)
        .collect();
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        tool_messages.warnings.push(format!("the constants of {names} are not known; they may not compile"));
    }
    let mut indices: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, command) in document.commands.iter().enumerate() {
        if matches!(command.kind, Kind::Theorem | Kind::Definition) {
            indices.insert(i, indices.len());
        }
    }
    let documents =
        selected.iter().map(|&(i, name)| (name.to_string(), file.describe(i, name, indices[&i]))).collect();
    Ok(ExtractResponse {
        lean_messages: Messages::of_lean(&document.raw.messages),
        tool_messages,
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
    });
    Decision {
        classes: classes.collect(),
        class_of: places.iter().enumerate().map(|(c, &p)| (p, c)).collect(),
        names: vec![Names::default()],
        notes: vec![],
    }
}

/// What is known of a file.
struct File<'a> {
    one: &'a [Document; 1],
    lines: Lines<'a>,
    decision: Decision,
    owners: &'a HashMap<String, usize>,
    inspection: &'a Inspection,
    request: &'a ExtractRequest,
}

impl File<'_> {
    fn describe(&self, i: usize, name: &str, index: usize) -> ExtractedDeclaration {
        let (document, request) = (&self.one[0], self.request);
        let (fact, text, range) = (&document.facts[i], document.source(i), &document.commands[i].range);
        let written = |is_local: bool| -> Vec<String> {
            let used = fact.references.iter().filter(|r| !r.definition && r.local == is_local);
            let names = used.map(|r| r.name.clone()).filter(|n| n != name);
            names.collect::<BTreeSet<_>>().into_iter().collect()
        };
        // Of a `mutual` block its own part.
        let own = self.inspection.places.get(name).and_then(|place| text.get(place.clone())).unwrap_or(text);
        let mut out = ExtractedDeclaration {
            kind: kind_name(own),
            index,
            line_pos: self.lines.position(range.start).0,
            end_line_pos: self.lines.position(range.end).0,
            local_syntactic_dependencies: written(true),
            external_syntactic_dependencies: written(false),
            ..ExtractedDeclaration::default()
        };
        if !request.elaborate {
            return out;
        }
        let is_theorem = document.commands[i].kind == Kind::Theorem;
        let proofs = request.elaborate_proofs || !is_theorem;
        out.is_sorry = fact.sorry && proofs;
        let none = BTreeSet::new();
        let in_type = self.inspection.in_type.get(name).unwrap_or(&none);
        let in_value = self.inspection.in_value.get(name).filter(|_| proofs).unwrap_or(&none);
        (out.local_type_dependencies, out.external_type_dependencies) = self.apart(name, in_type);
        (out.local_value_dependencies, out.external_value_dependencies) = self.apart(name, in_value);
        if request.dependencies_only {
            return out;
        }
        out.declaration = text.to_string();
        let words = tokens(text).into_iter().filter(|t| t.0 != Token::Comment);
        out.tokens = words.map(|t| text[t.1].to_string()).collect();
        out.signature = signature(own);
        out.r#type = self.inspection.types.get(name).cloned().unwrap_or_default();
        out.type_hash = document.signature(name).map(|printed| {
            let hash = Sha256::digest(canonical(stated(printed, name, is_theorem), &|_| None).as_bytes());
            u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
        });
        for tactic in self.inspection.tactics.get(name).into_iter().flatten() {
            *out.tactic_counts.entry(tactic.clone()).or_default() += 1;
            out.proof_length += 1;
        }
        if out.proof_length == 0 && self.inspection.in_value.contains_key(name) {
            out.proof_length = 1;
        }
        let messages: Vec<_> = document.messages_in(i).cloned().collect();
        out.declaration_messages = Messages::of_lean(&messages);
        if request.elaborate_proofs {
            out.content = self.content(i);
        }
        out
    }

    /// Constants as names of declarations of the file and imported ones.
    fn apart(&self, name: &str, constants: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
        let document = &self.one[0];
        let (mut local, mut external) = (BTreeSet::new(), Vec::new());
        let part_of =
            |n: &str, whole: &str| n == whole || n.strip_prefix(whole).is_some_and(|p| p.starts_with('.'));
        for constant in constants {
            // Lean makes one function for equal `match`es, and names it after the first declaration.
            if constant.contains(".match_") && !part_of(constant, name) {
                continue;
            }
            match document.owner(self.owners, constant) {
                Some(&owner) => {
                    let names = &document.facts[owner].names;
                    local.extend(names.iter().filter(|n| part_of(constant, n)).cloned());
                }
                None if part_of(constant, name) => {}
                None => external.push(constant.clone()),
            }
        }
        local.remove(name);
        (local.into_iter().collect(), external)
    }

    /// The declaration of a command with what it needs and what changed how these are read, in their order.
    fn content(&self, i: usize) -> String {
        let document = &self.one[0];
        let mut wanted = BTreeSet::new();
        let mut open = vec![i];
        while let Some(c) = open.pop() {
            if wanted.insert(c) {
                let fact = &document.facts[c];
                open.extend(&fact.needs);
                open.extend(fact.after);
                let inside = fact.names.iter().filter_map(|n| self.inspection.in_value.get(n)).flatten();
                let inside = inside.filter(|n| !n.contains(".match_"));
                open.extend(inside.filter_map(|n| document.owner(self.owners, n)).filter(|&&o| o < c));
            }
        }
        let class = |&command: &usize| self.decision.class_of.get(&Place { document: 0, command }).copied();
        let order: Vec<usize> = wanted.iter().filter_map(class).collect();
        let printer =
            Printer { documents: self.one, decision: &self.decision, alternatives: false, full: &|_| false };
        printer.print(&order, Layout::Scoped).content
    }
}

/// What a declaration states: the type, or of a structure all of it.
fn stated<'a>(printed: &'a str, name: &str, is_theorem: bool) -> &'a str {
    if is_theorem {
        return checked_type(printed, name);
    }
    let behind = printed.find(name).map_or(printed, |at| &printed[at + name.len()..]);
    behind.split(" :=\n").next().unwrap_or(behind).trim_start().trim_start_matches(':')
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
