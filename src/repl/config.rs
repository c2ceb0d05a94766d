//! What a caller chooses and what a pool reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

/// A text to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// Given back with the outcome; it has no other meaning.
    pub id: String,
    /// Lean source, with its `import` lines.
    pub code: String,
}

/// Which information trees to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Infotree {
    /// All nodes.
    Full,
    /// Tactics alone.
    Tactics,
    /// What the user wrote, without what macros made.
    Original,
    /// Without nodes that carry no information.
    Substantive,
}

/// What becomes of `import` lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imports {
    /// They stay as they are written.
    #[default]
    AsWritten,
    /// Kimina's rule: each `import Mathlib…` becomes one `import Mathlib`, put first; duplicates go.
    CollapseMathlib,
}

/// How to check a snippet.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckOptions {
    /// The time for the header and, again, for the body.
    pub timeout: Duration,
    /// Until when to wait for a process; by default [`PoolConfig::max_wait`] from now.
    pub deadline: Option<Instant>,
    /// Whether a process that has the header already may be used.
    pub reuse: bool,
    /// Information trees to send (REPL engine only; the `lean` engine refuses).
    pub infotree: Option<Infotree>,
    /// Send every tactic with its goals (REPL engine only; the `lean` engine refuses).
    pub all_tactics: bool,
    /// Send the initial goal of each tactic proof as a `sorry` (REPL engine only; the `lean` engine
    /// refuses).
    pub root_goals: bool,
    /// What becomes of `import` lines.
    pub imports: Imports,
    /// Report the axioms of each theorem.
    pub audit: bool,
}

impl Default for CheckOptions {
    /// 30 seconds, with reuse and nothing extra.
    fn default() -> Self {
        CheckOptions {
            timeout: Duration::from_secs(30),
            deadline: None,
            reuse: true,
            infotree: None,
            all_tactics: false,
            root_goals: false,
            imports: Imports::AsWritten,
            audit: false,
        }
    }
}

/// What runs the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineConfig {
    /// The community REPL, or whatever speaks its protocol.
    Repl {
        /// The command and its arguments, e.g. `lake env repl`.
        argv: Vec<String>,
        /// The directory it starts in: the project.
        dir: PathBuf,
    },
    /// `lean` itself: one process for each snippet, with the header's state saved where the version can.
    Lean {
        /// The command and the arguments before ours, e.g. `lean` or `lake env lean`.
        argv: Vec<String>,
        /// The directory it starts in: the project.
        dir: PathBuf,
    },
}

/// How a pool works.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// What runs the code.
    pub engine: EngineConfig,
    /// How many processes at most; by default one less than the machine has processors, at least 1.
    pub max_processes: usize,
    /// A process is replaced after so many snippets; `None`: never for this reason.
    pub max_uses: Option<u64>,
    /// A process whose group has more resident memory than this, in bytes, is killed.
    pub memory_limit: Option<u64>,
    /// A limit on the address space of the process (`RLIMIT_AS`), in bytes. It counts mapped `.olean`
    /// files, so it must be generous. Linux only.
    pub address_space_limit: Option<u64>,
    /// The processor time that one snippet may use.
    pub cpu_limit: Option<Duration>,
    /// How long a snippet waits for a process by default.
    pub max_wait: Duration,
    /// Headers to load at the start, with the number of processes for each. They are loaded again when
    /// their process is replaced.
    pub warm: BTreeMap<String, usize>,
    /// A process with more resident memory than this, in bytes, is replaced after its snippet.
    pub recycle_bytes: Option<u64>,
    /// The longest answer of a process that is read, in bytes.
    pub max_answer: usize,
    /// How long loading a warm header may take.
    pub warm_timeout: Duration,
}

impl PoolConfig {
    /// The defaults around an engine.
    pub fn new(engine: EngineConfig) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        PoolConfig {
            engine,
            max_processes: (processors - 1).max(1),
            max_uses: None,
            memory_limit: Some(12 << 30),
            address_space_limit: None,
            cpu_limit: None,
            max_wait: Duration::from_secs(60),
            warm: BTreeMap::new(),
            recycle_bytes: Some(6 << 30),
            max_answer: 1 << 30,
            warm_timeout: Duration::from_secs(300),
        }
    }
}

/// What a pool is doing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PoolStatus {
    /// The most processes there may be.
    pub max_processes: usize,
    /// Processes there are; with the `lean` engine, places for one that have a header.
    pub processes: usize,
    /// Processes at work.
    pub busy: usize,
    /// Snippets that wait for a process.
    pub waiting: usize,
    /// Whether the warm headers are loaded and the last process that was started did start.
    pub ready: bool,
    /// Whether the pool takes no more work.
    pub draining: bool,
    /// Snippets that found their header loaded.
    pub hits: u64,
    /// Snippets that did not.
    pub misses: u64,
    /// Snippets answered together with an identical one.
    pub shared: u64,
    /// Outcomes so far, failures too.
    pub checks: u64,
    /// Processes that ended in the middle of a snippet.
    pub crashes: u64,
    /// Snippets that took too long.
    pub timeouts: u64,
    /// Processes that used too much memory.
    pub out_of_memory: u64,
    /// Processes that answered nonsense.
    pub protocol_errors: u64,
    /// Snippets whose caller went away.
    pub cancelled: u64,
    /// Snippets for which no process became free in time.
    pub refused: u64,
    /// Processes started.
    pub started: u64,
    /// Snippets that were tried a second time.
    pub restarts: u64,
    /// Processes replaced because of their uses or their memory.
    pub recycled: u64,
    /// Processes that made place for another header.
    pub evicted: u64,
    /// Resident memory of all processes and their children, in bytes (0 where /proc is missing).
    pub resident_bytes: u64,
    /// The headers that processes have, most processes first.
    pub headers: Vec<HeaderStatus>,
    /// The last failures, newest last.
    pub last_failures: Vec<FailureRecord>,
}

/// The processes with one header.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HeaderStatus {
    /// The header as it is loaded.
    pub header: String,
    /// Processes that have it.
    pub processes: usize,
    /// How many of them are at work.
    pub busy: usize,
}

/// A failure of the recent past.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureRecord {
    /// When.
    pub time: SystemTime,
    /// The snippet's identifier.
    pub id: String,
    /// What happened, with the end of the standard error.
    pub reason: String,
}
