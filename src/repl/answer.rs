//! What comes back: the REPL's JSON shapes, the outcome of one check and its verdict.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A place in the user's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pos {
    /// The line, from 1.
    pub line: u64,
    /// The column in Unicode scalar values, from 0.
    pub column: u64,
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Output of tracing options.
    Trace,
    /// Output of `#check`, `#eval` and the like.
    #[serde(alias = "information")]
    Info,
    /// A warning, for example that a declaration uses `sorry`.
    Warning,
    /// The code is wrong.
    Error,
}

impl std::fmt::Display for Severity {
    /// The word that Lean prints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Severity::Trace => "trace",
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// What Lean says about a place of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// How serious it is.
    pub severity: Severity,
    /// Where it begins.
    pub pos: Pos,
    /// Where it ends.
    #[serde(rename = "endPos", default, skip_serializing_if = "Option::is_none")]
    pub end_pos: Option<Pos>,
    /// The text.
    pub data: String,
}

impl Message {
    /// Whether this is the warning that a declaration uses `sorry` (its quotes differ between versions).
    pub(crate) fn is_sorry_warning(&self) -> bool {
        let texts = ["declaration uses `sorry`", "declaration uses 'sorry'"];
        self.severity == Severity::Warning && texts.iter().any(|text| self.data.contains(text))
    }
}

/// A `sorry` in the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sorry {
    /// Where it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pos: Option<Pos>,
    /// Where it ends.
    #[serde(rename = "endPos", default, skip_serializing_if = "Option::is_none")]
    pub end_pos: Option<Pos>,
    /// The goal that it leaves open; several are joined by a line end. Empty from the `lean` engine,
    /// which does not know it.
    #[serde(default)]
    pub goal: String,
    /// The number of this goal for tactic steps in the same process.
    #[serde(rename = "proofState", default, skip_serializing_if = "Option::is_none")]
    pub proof_state: Option<u64>,
}

/// One tactic of the text (asked for by [`CheckOptions::all_tactics`](super::CheckOptions::all_tactics)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tactic {
    /// Where it begins.
    pub pos: Pos,
    /// Where it ends.
    #[serde(rename = "endPos")]
    pub end_pos: Pos,
    /// The goals before it.
    pub goals: String,
    /// The tactic, printed by Lean.
    pub tactic: String,
    /// The number of the state before it, for tactic steps in the same process.
    #[serde(rename = "proofState", default, skip_serializing_if = "Option::is_none")]
    pub proof_state: Option<u64>,
    /// The constants that its term uses.
    #[serde(rename = "usedConstants", default)]
    pub used_constants: Vec<String>,
}

/// Lean's answer to a text. Lists that are empty are left out in JSON, as the REPL does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandResponse {
    /// The number of the environment after the text, within its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<u64>,
    /// The messages, those of the header first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// The `sorry`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sorries: Vec<Sorry>,
    /// The tactics, when they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tactics: Vec<Tactic>,
    /// The information trees, when they were asked for: JSON on one line, as deep as Lean makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infotree: Option<Json>,
}

/// JSON that is passed on unread.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Box<RawValue>);

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.0.get() == other.0.get()
    }
}

/// JSON without the white space between its parts.
pub(crate) fn compact(json: &RawValue) -> Json {
    let mut text = String::with_capacity(json.get().len());
    let (mut inside, mut escaped) = (false, false);
    for c in json.get().chars() {
        if inside || !c.is_ascii_whitespace() {
            text.push(c);
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
    }
    // What is left is still JSON; if it were not, the original is.
    Json(RawValue::from_string(text).unwrap_or_else(|_| json.to_owned()))
}

impl CommandResponse {
    /// Whether a message is an error.
    pub fn has_errors(&self) -> bool {
        self.messages.iter().any(|m| m.severity == Severity::Error)
    }

    /// Whether Lean reports a `sorry`, in its list or by the warning about the declaration.
    pub fn has_sorry(&self) -> bool {
        let warned = |m: &Message| {
            m.severity == Severity::Warning
                && (m.data.contains("declaration uses `sorry`")
                    || m.data.contains("declaration uses 'sorry'"))
        };
        !self.sorries.is_empty() || self.messages.iter().any(warned)
    }
}

/// What the engine answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// The REPL refused the command as a whole.
    ReplError {
        /// Its reason.
        message: String,
    },
    /// The text was elaborated; what is wrong with it is among the messages.
    Response(CommandResponse),
}

impl Reply {
    /// The reason of a refusal, or the first error.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::ReplError { message } => message.clone(),
            Reply::Response(response) => {
                let error = response.messages.iter().find(|m| m.severity == Severity::Error);
                error.map_or_else(String::new, |m| m.data.clone())
            }
        }
    }
}

/// Why there is no answer. The snippet's own mistakes are not among these: they are messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Failure {
    /// The text took longer than allowed; its process was ended. Not tried again: the time is over.
    Timeout {
        /// The time that was allowed, for each of header and body.
        seconds: f64,
        /// Whether it was the header that took so long.
        header: bool,
    },
    /// No process became free within the time allowed for waiting; nothing was tried.
    Busy {
        /// How long this snippet waited, in seconds.
        waited: f64,
    },
    /// The text used more processor time than allowed; its process was ended. Not tried again.
    CpuLimit {
        /// The processor time that was allowed.
        seconds: f64,
    },
    /// The process ended in the middle, twice.
    Crashed {
        /// How it ended.
        reason: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The process used more memory than allowed, twice.
    OutOfMemory {
        /// What was seen and what is allowed.
        reason: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The process answered something else than an answer, twice.
    Protocol {
        /// What was wrong with it.
        reason: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The pool is closing.
    Cancelled,
    /// The request asks for what this engine or this configuration cannot do.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

impl std::fmt::Display for Failure {
    /// Texts for timeouts and full pools are those of Kimina Lean Server, whose clients read them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tail = |stderr: &str| match stderr.trim() {
            "" => String::new(),
            text => format!("\n{text}"),
        };
        match self {
            Failure::Timeout { seconds, header } => {
                let what = if *header { "header command" } else { "command" };
                write!(f, "Lean REPL {what} timed out in {seconds:?} seconds")
            }
            Failure::CpuLimit { seconds } => {
                write!(f, "Lean REPL command timed out: more than {seconds:?} seconds of processor time")
            }
            Failure::Busy { waited } => write!(f, "No available REPLs (waited {waited:.1} seconds)"),
            Failure::Crashed { reason, stderr } => write!(f, "Lean REPL crashed: {reason}{}", tail(stderr)),
            Failure::OutOfMemory { reason, stderr } => {
                write!(f, "Lean REPL out of memory: {reason}{}", tail(stderr))
            }
            Failure::Protocol { reason, stderr } => {
                write!(f, "Lean REPL answered nonsense: {reason}{}", tail(stderr))
            }
            Failure::Cancelled => write!(f, "cancelled: the pool is closing"),
            Failure::Refused { reason } => write!(f, "refused: {reason}"),
        }
    }
}

/// The axioms behind what a snippet declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The theorems that the snippet declares, and whatever else it declares that rests on more than the
    /// standard axioms or is unsafe.
    pub theorems: Vec<TheoremAudit>,
    /// Why the list may be incomplete or wrong; `None` when it is neither. With a problem the verdict is
    /// never [`Verdict::Valid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What one declaration rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TheoremAudit {
    /// Its full name.
    pub name: String,
    /// `theorem`, `def`, `axiom`, `opaque`, `inductive` and so on.
    pub kind: String,
    /// The axioms it depends on, sorted.
    pub axioms: Vec<String>,
    /// Whether it depends on `sorryAx`.
    pub sorry: bool,
    /// Whether it trusts compiled code (`native_decide` and the like).
    pub native_decide: bool,
    /// Whether it is `unsafe` or `partial`, so that the kernel did not check it.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
}

impl Audit {
    /// The axioms that Lean's own library uses and that are allowed.
    pub const STANDARD: [&str; 3] = ["propext", "Classical.choice", "Quot.sound"];

    /// An audit that could not be made.
    pub(crate) fn without(problem: String) -> Audit {
        Audit { theorems: Vec::new(), problem: Some(problem) }
    }
}

/// How the check went, beside its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// The process that answered (a new one has a new identifier).
    pub repl_uuid: String,
    /// The greatest share of one core that was seen, in percent; 0 for fast commands.
    pub cpu_max: f64,
    /// The greatest resident memory of the process and its children that was seen, in bytes; 0 for fast
    /// commands.
    pub memory_max: u64,
    /// How many processes tried it: 0 (none became free), 1 or 2.
    pub attempts: u32,
    /// Whether the header was loaded already.
    pub reused_header: bool,
}

/// Everything about one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The snippet's identifier.
    pub id: String,
    /// Seconds that the body took, in the last attempt. After a timeout, the time that was allowed.
    pub time: f64,
    /// Seconds that loading the header took; 0 when it was loaded already.
    pub header_time: f64,
    /// The answer, or why there is none.
    pub result: Result<Reply, Failure>,
    /// The axioms, when they were asked for and the text was elaborated without errors.
    pub audit: Option<Audit>,
    /// How it went.
    pub diagnostics: Diagnostics,
}

/// One word about a check, in the terms of Kimina's `analyze()`, with two more for audits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No error and no `sorry`; with an audit, only the standard axioms.
    Valid,
    /// No error, but a `sorry`.
    Sorry,
    /// Lean found an error, in the header or in the body.
    LeanError,
    /// The REPL refused the command.
    ReplError,
    /// It took too long.
    #[serde(rename = "timeout_error")]
    Timeout,
    /// No answer for another reason (see [`Failure`]).
    ServerError,
    /// The audit found these axioms beside the standard ones.
    Axioms(Vec<String>),
    /// The audit that was asked for could not be made, for this reason.
    Unaudited(String),
}

impl Verdict {
    /// The name used in JSON and by Kimina's client; `axioms` and `unaudited` for the two of our own.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Sorry => "sorry",
            Verdict::LeanError => "lean_error",
            Verdict::ReplError => "repl_error",
            Verdict::Timeout => "timeout_error",
            Verdict::ServerError => "server_error",
            Verdict::Axioms(_) => "axioms",
            Verdict::Unaudited(_) => "unaudited",
        }
    }
}

impl Outcome {
    /// The verdict. Only an answer without errors and without `sorry`, and with nothing against it in the
    /// audit if there is one, is valid.
    pub fn verdict(&self) -> Verdict {
        let response = match &self.result {
            Err(Failure::Timeout { .. } | Failure::CpuLimit { .. }) => return Verdict::Timeout,
            Err(_) => return Verdict::ServerError,
            Ok(Reply::ReplError { .. }) => return Verdict::ReplError,
            Ok(Reply::Response(response)) => response,
        };
        if response.has_errors() {
            return Verdict::LeanError;
        }
        let theorems = self.audit.iter().flat_map(|a| &a.theorems);
        if response.has_sorry() || theorems.clone().any(|t| t.sorry) {
            return Verdict::Sorry;
        }
        if let Some(problem) = self.audit.as_ref().and_then(|a| a.problem.clone()) {
            return Verdict::Unaudited(problem);
        }
        let allowed = |axiom: &String| Audit::STANDARD.contains(&axiom.as_str());
        let mut others: Vec<String> =
            theorems.clone().flat_map(|t| &t.axioms).filter(|a| !allowed(a)).cloned().collect();
        others.sort();
        others.dedup();
        match theorems.clone().find(|t| t.is_unsafe) {
            _ if !others.is_empty() => Verdict::Axioms(others),
            Some(t) => Verdict::Unaudited(format!("{} is unsafe or partial", t.name)),
            None => Verdict::Valid,
        }
    }
}
