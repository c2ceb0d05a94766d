//! Whether a file compiles, and what the compiler says.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::analyse::{Options, analyse};
use super::lean::{Lean, Severity};
use super::split::head;
use super::{Fatal, Messages, Source, Timings, until};

/// What [`check`] answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckResponse {
    /// The file compiles without an error. It may still be unfinished.
    pub okay: bool,
    /// The text that was compiled.
    pub content: String,
    /// What the compiler says.
    pub lean_messages: Messages,
    /// Warnings about declarations that are unfinished, axioms or unsafe.
    pub tool_messages: Messages,
    /// Names of declarations with errors or `sorry`.
    pub failed_declarations: Vec<String>,
    /// How long it took.
    pub timings: Timings,
}

/// Compiles a file.
///
/// # Errors
/// As [`super::merge()`].
pub fn check(source: &Source, lean: &Lean) -> Result<CheckResponse, Fatal> {
    let (start, until, lean) = (Instant::now(), until(source.timeout_seconds), &lean.counting());
    let options = Options::of(source, until);
    let document = analyse(lean, &source.content, "content", options)?;
    let mut tool_messages = Messages::default();
    let mut failed_declarations = Vec::new();
    for (i, fact) in document.facts.iter().enumerate() {
        let head = head(document.source(i));
        for name in &fact.names {
            let warnings = &mut tool_messages.warnings;
            if fact.failed || fact.sorry {
                failed_declarations.push(name.clone());
                warnings.push(format!("Declaration '{name}' is incomplete (uses 'sorry' or has errors)"));
            }
            if head.keyword == "axiom" {
                warnings.push(format!("'{name}' is an axiom"));
            }
            if head.modifiers.contains(&"unsafe") {
                warnings.push(format!("Unsafe function '{name}' detected"));
            }
        }
    }
    let all_ms = start.elapsed().as_millis() as u64;
    Ok(CheckResponse {
        okay: !document.raw.messages.iter().any(|m| m.severity == Severity::Error),
        lean_messages: Messages::of_lean(&document.raw.messages),
        tool_messages,
        failed_declarations,
        content: document.text,
        timings: Timings::now(start, all_ms, lean),
    })
}
