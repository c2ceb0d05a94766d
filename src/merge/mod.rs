//! Combines Lean files into one that compiles, and the tools that go with it.
//!
//! The compiler is asked where commands begin and end, what each refers to, what fails, and which types are
//! equal; `docs/merge.md` tells how. The requests and responses have the names of AXLE's HTTP interface. All
//! functions block; nothing here knows of HTTP.
//!
//! ```no_run
//! use lean_oracle::merge::{Lean, MergeRequest, merge};
//!
//! let lean = Lean::discover(None)?;
//! let documents = vec!["theorem a : 1 = 1 := sorry".into(), "theorem a : 1 = 1 := rfl".into()];
//! let merged = merge(&MergeRequest { documents, ..MergeRequest::default() }, &lean)?;
//! assert_eq!(merged.content, "theorem a : 1 = 1 := rfl");
//! # Ok::<(), lean_oracle::merge::Fatal>(())
//! ```

mod analyse;
mod canonical;
mod check;
mod combine;
mod decide;
mod extract;
mod inspect;
mod json;
mod lean;
mod normalize;
mod order;
mod print;
mod rename;
mod select;
mod sorry;
mod source;
mod split;

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use check::{CheckRequest, CheckResponse, check};
pub use combine::{merge, merge_with_progress};
pub use extract::{ExtractRequest, ExtractResponse, ExtractedDeclaration, extract_decls};
pub use json::{TOOLS, answer_json, run_tool};
pub use lean::{Lean, Message, Position, Severity};
pub use normalize::{NormalizeRequest, NormalizeResponse, normalize};
pub use rename::{RenameRequest, rename};
pub use select::Selection;
pub use sorry::{TheoremToSorryRequest, theorem2sorry};

/// Why there is no answer at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// The request cannot be answered as it is; the text says what to change.
    User(String),
    /// A defect here.
    Internal(String),
    /// The time of the request is over.
    Timeout,
    /// The compiler died: out of memory, killed, or a stack overflow.
    Resources(String),
}

impl Fatal {
    /// The body of AXLE's answer: `user_error`, `internal_error`, or `error` with an `error_type`.
    pub fn body(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Fatal::User(m) => json!({"user_error": m}),
            Fatal::Internal(m) => json!({"internal_error": m}),
            Fatal::Timeout => json!({"error": self.to_string(), "error_type": "LeanTimeout"}),
            Fatal::Resources(m) => json!({"error": m, "error_type": "LeanResourceExceeded"}),
        }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fatal::User(m) | Fatal::Internal(m) | Fatal::Resources(m) => f.write_str(m),
            Fatal::Timeout => f.write_str("the time of the request is over (timeout_seconds)"),
        }
    }
}

impl std::error::Error for Fatal {}

/// Messages by severity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Messages {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

impl Messages {
    /// The compiler's messages in AXLE's form.
    fn of_lean(messages: &[Message]) -> Messages {
        let mut out = Messages::default();
        for m in messages {
            match m.severity {
                Severity::Error => out.errors.push(m.text()),
                Severity::Warning => out.warnings.push(m.text()),
                Severity::Information => out.infos.push(m.text()),
            }
        }
        out
    }
}

/// How long an answer took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// All of it.
    pub total_ms: u64,
    /// Until the inputs were analysed.
    pub parse_ms: u64,
    /// The time of all runs of the compiler, added up; 0 if all answers were kept from before.
    pub lean_ms: u64,
}

impl Timings {
    /// At the end of a request.
    fn now(start: Instant, parse_ms: u64, lean: &Lean) -> Timings {
        Timings { total_ms: start.elapsed().as_millis() as u64, parse_ms, lean_ms: lean.spent_ms() }
    }
}

/// What becomes of `namespace`, `section`, `open`, `variable` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scopes {
    /// They keep their meaning: hoisted where the compiler confirms that nothing changes by that, otherwise
    /// opened again around what stood in them.
    #[default]
    Preserve,
    /// AXLE's rule: every command that is no declaration goes to the top, whatever that changes.
    Hoist,
}

/// What [`merge()`] is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeRequest {
    /// The files' texts.
    pub documents: Vec<String>,
    /// The environment's name; for the reader, nothing depends on it here.
    pub environment: String,
    /// Compare types of theorems after reduction, not only as written.
    pub use_def_eq: bool,
    /// Keep the versions that were not chosen as comments.
    pub include_alts_as_comments: bool,
    /// Replace the imports of the files by the environment's.
    pub ignore_imports: bool,
    /// When to give up, in seconds; at most 900 are taken.
    pub timeout_seconds: f64,
    /// What becomes of scopes.
    pub scopes: Scopes,
}

impl Default for MergeRequest {
    fn default() -> MergeRequest {
        MergeRequest {
            documents: Vec::new(),
            environment: String::new(),
            use_def_eq: true,
            include_alts_as_comments: false,
            ignore_imports: false,
            timeout_seconds: 120.0,
            scopes: Scopes::Preserve,
        }
    }
}

/// One file, for the tools that change or study one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The file's text.
    pub content: String,
    /// The environment's name; for the reader, nothing depends on it here.
    pub environment: String,
    /// Replace the imports by the environment's.
    pub ignore_imports: bool,
    /// When to give up, in seconds; at most 900 are taken.
    pub timeout_seconds: f64,
}

impl Default for Source {
    fn default() -> Source {
        let (content, environment) = Default::default();
        Source { content, environment, ignore_imports: false, timeout_seconds: 120.0 }
    }
}

/// What [`rename()`] and [`theorem2sorry()`] answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// What the compiler says of `content`.
    pub lean_messages: Messages,
    /// What the tool has to say.
    pub tool_messages: Messages,
    /// The new text.
    pub content: String,
    /// How long it took.
    pub timings: Timings,
}

/// What [`merge()`] answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MergeResponse {
    /// What the compiler says of `content`.
    pub lean_messages: Messages,
    /// What merge has to say: what was renamed, what could not be kept.
    pub tool_messages: Messages,
    /// The merged file, without a line feed at its end.
    pub content: String,
    /// How long it took.
    pub timings: Timings,
}

/// The end of the time that a request has.
fn until(timeout_seconds: f64) -> Instant {
    let seconds = if timeout_seconds.is_finite() { timeout_seconds.clamp(0.0, 900.0) } else { 900.0 };
    Instant::now() + Duration::from_secs_f64(seconds)
}
