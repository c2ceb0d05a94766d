//! Proofs replaced by `sorry`. Where a proof begins is tried and then judged by the compiler: the type must
//! stay what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::analyse::{Document, Options, analyse};
use super::lean::Lean;
use super::select::Selection;
use super::source::{Token, tokens};
use super::split::Kind;
use super::{Changed, Fatal, Messages, Source, Timings, until};

/// What [`theorem2sorry`] is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TheoremToSorryRequest {
    /// The file.
    #[serde(flatten)]
    pub source: Source,
    /// Which theorems; what else is selected stays as it is.
    #[serde(flatten)]
    pub selection: Selection,
}

/// Replaces proofs of theorems by `sorry`.
///
/// # Errors
/// A selected name or position is not there, or as [`super::merge()`].
pub fn theorem2sorry(request: &TheoremToSorryRequest, lean: &Lean) -> Result<Changed, Fatal> {
    let (start, until, lean) = (Instant::now(), until(request.source.timeout_seconds), &lean.counting());
    let options = Options { signatures: true, ..Options::of(&request.source, until) };
    let document = analyse(lean, &request.source.content, "content", options)?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let chosen = request.selection.of(&document)?.into_iter().map(|(command, _)| command);
    let chosen = chosen.filter(|&i| document.commands[i].kind == Kind::Theorem);
    // Which of its possible beginnings is tried for each theorem.
    let mut attempt: BTreeMap<usize, usize> = chosen.map(|i| (i, 0)).collect();
    let mut given_up = BTreeSet::new();
    loop {
        let content = document.replaced(&|i| {
            let k = *attempt.get(&i).filter(|_| !given_up.contains(&i))?;
            without_proof(document.source(i), k)
        });
        let result = analyse(lean, &content, "the result", Options { ignore_imports: false, ..options })?;
        let wrong: Vec<usize> = attempt
            .keys()
            .copied()
            .filter(|i| !given_up.contains(i) && changed(&document, &result, *i))
            .collect();
        if !wrong.is_empty() {
            for i in wrong {
                let next = attempt[&i] + 1;
                match without_proof(document.source(i), next) {
                    Some(_) => *attempt.get_mut(&i).expect("it is there") = next,
                    None => drop(given_up.insert(i)),
                }
            }
            continue;
        }
        let mut tool_messages = Messages::default();
        for i in given_up {
            let names = document.facts[i].names.join(", ");
            tool_messages
                .errors
                .push(format!("where the proof of {names} begins was not found; it is as it was"));
        }
        return Ok(Changed {
            lean_messages: Messages::of_lean(&result.raw.messages),
            tool_messages,
            content,
            timings: Timings::now(start, parse_ms, lean),
        });
    }
}

/// Whether a theorem of `before` has another type in `after`, or none.
fn changed(before: &Document, after: &Document, command: usize) -> bool {
    let known = |name: &&String| before.signature(name).is_some();
    before.facts[command].names.iter().filter(known).any(|n| after.signature(n) != before.signature(n))
}

/// The theorem with `sorry` in the place of what begins at its `k`-th `:=`, `|` or `where` outside of brackets.
fn without_proof(text: &str, k: usize) -> Option<String> {
    let mut depth = 0usize;
    let mut beginnings = Vec::new();
    for (kind, range) in tokens(text) {
        match &text[range.clone()] {
            _ if matches!(kind, Token::Comment | Token::Doc | Token::Literal) => {}
            "(" | "[" | "{" | "⟨" | "⦃" => depth += 1,
            ")" | "]" | "}" | "⟩" | "⦄" => depth = depth.saturating_sub(1),
            ":=" | "|" | "where" if depth == 0 => beginnings.push(range.start),
            _ => {}
        }
    }
    beginnings.get(k).map(|&at| format!("{} := sorry", text[..at].trim_end()))
}

#[cfg(test)]
mod tests {
    use super::without_proof;

    #[test]
    fn proofs_are_found() {
        for (text, k, expected) in [
            ("theorem a : 1 = 1 := by\n  rfl", 0, Some("theorem a : 1 = 1 := sorry")),
            ("theorem a (n : Nat := 3) : n = n := rfl", 0, Some("theorem a (n : Nat := 3) : n = n := sorry")),
            ("theorem a : ∀ n : Nat, n = n\n  | 0 => rfl", 0, Some("theorem a : ∀ n : Nat, n = n := sorry")),
            ("theorem a : let x := 1; x = 1 := rfl", 1, Some("theorem a : let x := 1; x = 1 := sorry")),
            ("theorem a : 1 = 1 := rfl", 1, None),
        ] {
            assert_eq!(without_proof(text, k).as_deref(), expected);
        }
    }
}
