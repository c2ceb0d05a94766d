//! Whether a file compiles, and what the compiler says.

use std::collections::BTreeSet;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::analyse::{Document, Options, analyse};
use super::inspect::axioms;
use super::lean::{Lean, Message, Severity};
use super::select::Selection;
use super::source::Lines;
use super::split::head;
use super::{Fatal, Messages, Source, Timings, until};

/// The axioms of Lean itself.
const STANDARD: [&str; 3] = ["propext", "Classical.choice", "Quot.sound"];

/// What [`check`] is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckRequest {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// Which declarations are reported.
    #[serde(flatten)]
    pub selection: Selection,
}

/// What [`check`] answers. Where declarations were selected, `okay`, the messages and `failed_declarations`
/// are about these and about what is no declaration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckResponse {
    /// The file compiles without an error. It may still be unfinished.
    pub okay: bool,
    /// The text that was compiled.
    pub content: String,
    /// What the compiler says.
    pub lean_messages: Messages,
    /// Warnings about declarations that are unfinished, axioms or unsafe, or rest on other axioms than Lean's.
    pub tool_messages: Messages,
    /// Names of declarations with such a warning.
    pub failed_declarations: Vec<String>,
    /// How long it took.
    pub timings: Timings,
}

/// Compiles a file.
///
/// # Errors
/// A selected name or position is not there, or as [`super::merge()`].
pub fn check(request: &CheckRequest, lean: &Lean) -> Result<CheckResponse, Fatal> {
    let source = &request.source;
    let (start, until, lean) = (Instant::now(), until(source.timeout_seconds), &lean.counting());
    let options = Options::of(source, until);
    let document = analyse(lean, &source.content, "content", options)?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let everything = Selection { theorems_only: false, ..Selection::default() };
    let all = everything.of(&document)?;
    let selected = if request.selection.is_all() { all.clone() } else { request.selection.of(&document)? };
    let rests_on = axioms(lean, &document, until)?;
    let mut tool_messages = Messages::default();
    let mut failed_declarations = Vec::new();
    for &(i, name) in &selected {
        let (fact, head) = (&document.facts[i], head(document.source(i)));
        let mut warnings = Vec::new();
        if fact.failed || fact.sorry {
            warnings.push(format!("Declaration '{name}' is incomplete (uses 'sorry' or has errors)"));
        }
        if head.keyword == "axiom" {
            warnings.push(format!("'{name}' is an axiom"));
        }
        if head.modifiers.contains(&"unsafe") {
            warnings.push(format!("Unsafe function '{name}' detected"));
        }
        for axiom in rests_on.get(name).into_iter().flatten() {
            let own = axiom == name || (axiom == "sorryAx" && (fact.failed || fact.sorry));
            if !own && !STANDARD.contains(&axiom.as_str()) {
                warnings.push(format!(
                    "In '{name}': Axiom '{axiom}' is not in the allowed set of standard axioms"
                ));
            }
        }
        if !warnings.is_empty() {
            failed_declarations.push(name.to_string());
            tool_messages.warnings.extend(warnings);
        }
    }
    // What stands in a declaration that was not selected is left out.
    let kept: BTreeSet<usize> = selected.iter().map(|one| one.0).collect();
    let left_out: BTreeSet<usize> = all.iter().map(|one| one.0).filter(|i| !kept.contains(i)).collect();
    let messages = outside(&document, &left_out);
    Ok(CheckResponse {
        okay: !messages.iter().any(|m| m.severity == Severity::Error),
        lean_messages: Messages::of_lean(&messages),
        tool_messages,
        failed_declarations,
        content: document.text,
        timings: Timings::now(start, parse_ms, lean),
    })
}

/// The compiler's messages, without those in some commands.
fn outside(document: &Document, commands: &BTreeSet<usize>) -> Vec<Message> {
    let lines = Lines::new(&document.text);
    let mut messages = document.raw.messages.clone();
    messages.retain(|m| {
        let at = lines.of_message(m.pos.line, m.pos.column);
        let command = document.commands.partition_point(|c| c.range.start <= at).checked_sub(1);
        command.is_none_or(|i| !commands.contains(&i))
    });
    messages
}
