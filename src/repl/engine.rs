//! What runs the code: one interface, two implementations (`community` and `lean`), and how to find out
//! which one a project has.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::header::Split;
use super::monitor::{Monitor, Usage};
use super::process::{Launch, Process, ReadError};
use super::{
    Audit, CheckOptions, CommandResponse, EngineConfig, Failure, Infotree, Message, PoolConfig, Reply,
    community, lean,
};
use crate::{Code, Error};

/// What every process of a pool is started with.
#[derive(Clone)]
pub(crate) struct Setup {
    pub engine: EngineConfig,
    pub address_space: Option<u64>,
    pub cpu_limit: Option<Duration>,
    pub max_answer: usize,
    pub monitor: Arc<Monitor>,
    pub snapshots: Arc<lean::Snapshots>,
}

impl Setup {
    pub fn new(config: &PoolConfig, monitor: Arc<Monitor>) -> Setup {
        Setup {
            engine: config.engine.clone(),
            address_space: config.address_space_limit,
            cpu_limit: config.cpu_limit,
            max_answer: config.max_answer,
            snapshots: Arc::default(),
            monitor,
        }
    }

    /// Starts a process with further arguments.
    pub fn start(&self, argv: &[String], more: &[String], dir: &Path) -> Result<Process, Failure> {
        let argv = [argv, more].concat();
        let launch = Launch { argv, dir: dir.into(), address_space: self.address_space };
        Process::start(&launch, &self.monitor).map_err(|e| Failure::Crashed {
            reason: format!("{} did not start in {}: {e}", launch.argv.join(" "), dir.display()),
            stderr: String::new(),
        })
    }

    /// What became of a process that did not answer.
    pub async fn failure(&self, process: &mut Process, error: ReadError) -> Failure {
        let (ending, stderr) = process.end().await;
        let limit = |usage: &Usage| usage.resident_max.load(std::sync::atomic::Ordering::Relaxed);
        let usage = &process.usage;
        if usage.over_memory.load(std::sync::atomic::Ordering::Relaxed) {
            let reason = format!("{} bytes are more than it may use, so it was killed", limit(usage));
            return Failure::OutOfMemory { reason, stderr };
        }
        if usage.over_cpu.load(std::sync::atomic::Ordering::Relaxed) {
            return Failure::CpuLimit { seconds: self.cpu_limit.unwrap_or_default().as_secs_f64() };
        }
        const MEMORY: [&str; 4] =
            ["out of memory", "Cannot allocate memory", "std::bad_alloc", "memory allocation of"];
        match error {
            ReadError::TooLong(most) => {
                Failure::Protocol { reason: format!("it wrote more than {most} bytes"), stderr }
            }
            _ if MEMORY.iter().any(|text| stderr.contains(text)) => {
                Failure::OutOfMemory { reason: ending.to_string(), stderr }
            }
            _ => Failure::Crashed { reason: ending.to_string(), stderr },
        }
    }
}

/// What a worker says about a text.
pub(crate) struct Answer {
    pub reply: Reply,
    /// Seconds.
    pub time: f64,
}

/// One place of the pool: a process with a header, or what can quickly become one.
pub(crate) trait Worker: Send {
    /// Makes the header ready. A reply is the whole answer: the header cannot be loaded.
    fn load<'a>(
        &'a mut self,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Option<Reply>, Failure>>;

    /// Checks a text that has this header. After a failure, or when the future is dropped before its end,
    /// the worker must not be used again.
    fn check<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Answer, Failure>>;

    /// The axioms behind what a text declares that was checked just now and has no errors.
    fn audit<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Audit>;

    /// What its process uses, or used.
    fn usage(&self) -> Option<&Usage>;

    /// The identifier of its process.
    fn uuid(&self) -> &str;

    /// Whether something of the text that it checked last may still run in its process, and answer for others.
    fn spoilt(&self) -> bool {
        false
    }

    /// Its process, for a conversation; `None` when it has none.
    fn conversation(&mut self) -> Option<&mut community::Community>;
}

/// A new worker.
pub(crate) fn worker(setup: &Setup) -> Result<Box<dyn Worker>, Failure> {
    Ok(match &setup.engine {
        EngineConfig::Repl { .. } => Box::new(community::Community::start(setup)?),
        EngineConfig::Lean { .. } => Box::new(lean::Lean::new(setup)),
    })
}

/// Runs something for at most `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    header: bool,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = Failure::Timeout { seconds: limit.as_secs_f64(), header };
    timeout(limit, work).await.unwrap_or(Err(late))
}

/// An answer that consists of what Lean said about the header.
pub(crate) fn header_alone(messages: &[Message], split: &Split) -> Reply {
    let messages = messages.iter().map(|m| split.place(m.clone())).collect();
    Reply::Response(CommandResponse { messages, ..CommandResponse::default() })
}

impl Infotree {
    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Infotree::Full => "full",
            Infotree::Tactics => "tactics",
            Infotree::Original => "original",
            Infotree::Substantive => "substantive",
        }
    }
}

impl EngineConfig {
    /// Checks that the command can be found.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let (EngineConfig::Repl { argv, dir } | EngineConfig::Lean { argv, dir }) = self;
        let bad = |message: String| Err(Error::new(Code::BadRequest, message).at("engine"));
        if !dir.is_dir() {
            return bad(format!("{} is not a directory; name the Lean project", dir.display()));
        }
        let Some(program) = argv.first() else { return bad("the command is empty".into()) };
        match program.contains('/') {
            true if !dir.join(program).is_file() => bad(format!("there is no program {program}")),
            false if find_program(program).is_none() => {
                bad(format!("there is no program {program} on the PATH"))
            }
            _ => Ok(()),
        }
    }

    /// The command that runs `lean` in the same project, for audits.
    pub(crate) fn lean(&self) -> Option<(Vec<String>, PathBuf)> {
        match self {
            EngineConfig::Lean { argv, dir } => Some((argv.clone(), dir.clone())),
            // `lake env repl` runs in the environment in which `lake env lean` is the project's Lean.
            EngineConfig::Repl { argv, dir } => match argv.as_slice() {
                [lake, env, ..] if lake.ends_with("lake") && env == "env" => {
                    Some((vec![lake.clone(), env.clone(), "lean".into()], dir.clone()))
                }
                _ => None,
            },
        }
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Finds out what can run Lean code in this project. In this order: the REPL that
/// `LEAN_ORACLE_REPL_PATH` or `LEAN_SERVER_REPL_PATH` names; a REPL that is built in the project or in one of
/// its packages; `lake env lean` in a Lake project; `lean` on the PATH; the checking environment
/// (`tools/lean-env`).
///
/// # Errors
/// `bad_request` when there is nothing; the message says what to do.
pub fn detect_engine(dir: impl AsRef<Path>) -> Result<EngineConfig, Error> {
    let dir = dir.as_ref().to_path_buf();
    let missing = |message: String| Error::new(Code::BadRequest, message).at("engine");
    let dir = dir.canonicalize().map_err(|e| missing(format!("{}: {e}", dir.display())))?;
    let lake = ["lakefile.lean", "lakefile.toml"].iter().any(|file| dir.join(file).is_file())
        && find_program("lake").is_some();
    let in_lake = |program: String| match lake {
        true => vec!["lake".to_string(), "env".into(), program],
        false => vec![program],
    };
    for variable in ["LEAN_ORACLE_REPL_PATH", "LEAN_SERVER_REPL_PATH"] {
        if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
            let path = Path::new(&path).canonicalize().map_err(|e| {
                missing(format!("{variable} names {}, which cannot be used: {e}", path.display()))
            })?;
            return Ok(EngineConfig::Repl { argv: in_lake(path.display().to_string()), dir });
        }
    }
    for built in
        [".lake/build/bin/repl", ".lake/packages/repl/.lake/build/bin/repl", "repl/.lake/build/bin/repl"]
    {
        if dir.join(built).is_file() {
            return Ok(EngineConfig::Repl { argv: in_lake(dir.join(built).display().to_string()), dir });
        }
    }
    if lake || find_program("lean").is_some() {
        return Ok(EngineConfig::Lean { argv: in_lake("lean".into()), dir });
    }
    let home = std::env::var_os("LEAN_ENV_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache/lean-env")));
    if let Some(lean) = home.map(|home| home.join("bin/lean")).filter(|lean| lean.is_file()) {
        return Ok(EngineConfig::Lean { argv: vec![lean.display().to_string()], dir });
    }
    Err(missing(
        "there is no Lean here: install it with elan (https://lean-lang.org), or set LEAN_SERVER_REPL_PATH to a \
         built leanprover-community/repl, or run tools/lean-env/setup.sh"
            .into(),
    ))
}
