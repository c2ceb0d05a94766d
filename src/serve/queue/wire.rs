//! What is stored in NATS, as JSON. Everything carries the version of this schema, and so do the names in
//! NATS: programs of different versions do not see each other's jobs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::repl::{
    Audit, CheckOptions, CommandResponse, Diagnostics, Failure, Imports, Infotree, Outcome, PoolStatus, Reply,
};

/// The version of everything here.
pub const VERSION: u32 = 1;

/// What workers of one name run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The name that workers and servers were given.
    pub name: String,
    /// A hash of the toolchain and the project; jobs of one never reach workers of another.
    pub fingerprint: String,
    /// What Lean says about itself.
    pub toolchain: String,
}

/// The options of a job: those of [`CheckOptions`] that its result depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobOptions {
    timeout_ms: u64,
    reuse: bool,
    infotree: Option<Infotree>,
    all_tactics: bool,
    root_goals: bool,
    imports: Imports,
    audit: bool,
}

impl From<&CheckOptions> for JobOptions {
    fn from(options: &CheckOptions) -> Self {
        let CheckOptions { timeout, deadline: _, reuse, infotree, all_tactics, root_goals, imports, audit } =
            options.clone();
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        JobOptions { timeout_ms, reuse, infotree, all_tactics, root_goals, imports, audit }
    }
}

impl From<&JobOptions> for CheckOptions {
    fn from(options: &JobOptions) -> Self {
        let JobOptions { timeout_ms, reuse, infotree, all_tactics, root_goals, imports, audit } =
            options.clone();
        let timeout = Duration::from_millis(timeout_ms);
        CheckOptions { timeout, deadline: None, reuse, infotree, all_tactics, root_goals, imports, audit }
    }
}

/// A snippet on the stream. Its identifier stays with who waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The schema.
    pub version: u32,
    /// The hash of what follows and of the environment.
    pub key: String,
    /// A result is one of this job if it is newer than this revision of the key's entry.
    pub after: u64,
    /// How to check it.
    pub options: JobOptions,
    /// The text, if it is not in an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The object that has the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// The key of a job: equal jobs have equal results.
pub fn key(environment: &Environment, code: &str, options: &JobOptions) -> String {
    let options = serde_json::to_string(options).expect("plain values");
    let mut hash = Sha256::new();
    for part in [&VERSION.to_string(), &environment.name, &environment.fingerprint, &options, code] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Whether this can be a key.
pub fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A hash as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// What was answered. (Not an untagged enumeration: those cannot pass on JSON unread.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Response(CommandResponse),
    ReplError(String),
    Failure(Failure),
}

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The schema.
    pub version: u32,
    /// Who found it.
    pub worker: String,
    time: f64,
    header_time: f64,
    answer: Answer,
    audit: Option<Audit>,
    diagnostics: Diagnostics,
}

impl Record {
    /// What `worker` found.
    pub fn new(worker: &str, outcome: Outcome) -> Self {
        let Outcome { id: _, time, header_time, result, audit, diagnostics } = outcome;
        let answer = match result {
            Ok(Reply::Response(response)) => Answer::Response(response),
            Ok(Reply::ReplError { message }) => Answer::ReplError(message),
            Err(failure) => Answer::Failure(failure),
        };
        Record { version: VERSION, worker: worker.into(), time, header_time, answer, audit, diagnostics }
    }

    /// What was read, or a failure that says why it is not a record of ours.
    pub fn of_this_version(read: serde_json::Result<Record>) -> Self {
        let reason = match read {
            Ok(record) if record.version == VERSION => return record,
            Ok(record) => format!("a result of version {}", record.version),
            Err(e) => format!("the result in NATS is unreadable: {e}"),
        };
        Record::new("", failed(String::new(), Failure::Protocol { reason, stderr: String::new() }))
    }

    /// Whether it is an answer of Lean, which another try would only repeat.
    pub fn is_final(&self) -> bool {
        // An audit that could not be made may be made the next time.
        let audited = self.audit.as_ref().is_none_or(|a| a.problem.is_none());
        audited && matches!(self.answer, Answer::Response(_))
    }

    /// The outcome for the snippet `id`.
    pub fn outcome(self, id: String) -> Outcome {
        let Record { version: _, worker: _, time, header_time, answer, audit, diagnostics } = self;
        let result = match answer {
            Answer::Response(response) => Ok(Reply::Response(response)),
            Answer::ReplError(message) => Ok(Reply::ReplError { message }),
            Answer::Failure(failure) => Err(failure),
        };
        Outcome { id, time, header_time, result, audit, diagnostics }
    }
}

/// An outcome without an answer.
pub fn failed(id: String, failure: Failure) -> Outcome {
    let diagnostics = Diagnostics::default();
    Outcome { id, time: 0.0, header_time: 0.0, result: Err(failure), audit: None, diagnostics }
}

/// The value of an entry: a result, or where it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// The result.
    Inline(Box<Record>),
    /// The object that has it.
    Object(String),
}

/// A job that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The schema.
    pub version: u32,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Why.
    pub reason: String,
    /// How many times the job was taken.
    pub deliveries: u64,
    /// Who gave it up.
    pub worker: String,
    /// The job as it was on the stream; text that is not a job is a string.
    pub job: serde_json::Value,
}

/// What a worker says about itself every few seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerStatus {
    /// The schema.
    pub version: u32,
    /// A new one at each start.
    pub id: String,
    /// The machine.
    pub host: String,
    /// The process on it.
    pub pid: u32,
    /// The program's version.
    pub program: String,
    /// The environment that it takes jobs of.
    pub environment: String,
    /// The hash of its toolchain.
    pub fingerprint: String,
    /// What its Lean says about itself.
    pub toolchain: String,
    /// When it started, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it said this.
    pub seen_ms: u64,
    /// Jobs it has now.
    pub jobs: u64,
    /// Jobs it stored a result of.
    pub done: u64,
    /// Jobs it gave up.
    pub dead: u64,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// Its pool.
    pub pool: PoolStatus,
}
