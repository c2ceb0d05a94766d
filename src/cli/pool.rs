//! What the commands share that check Lean code: the engine's flags, threads, signals.

use std::path::PathBuf;

use clap::Args;
use lean_oracle::repl::{EngineConfig, PoolConfig, detect_engine};
use lean_oracle::{Code, Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The processes of `repl`, `verify` and `verify-worker`.
#[derive(Args)]
pub struct EngineArgs {
    /// The Lean project whose modules the code imports.
    #[arg(long, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// The command of the REPL, e.g. "lake env repl"; by default it is searched for.
    #[arg(long, value_name = "COMMAND", conflicts_with = "lean")]
    repl: Option<String>,
    /// Use `lean` itself; the command, e.g. "lake env lean".
    #[arg(long, value_name = "COMMAND")]
    lean: Option<String>,
    /// Memory that one process may have resident, in megabytes.
    #[arg(long, value_name = "MB", default_value_t = 12 << 10, value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    memory_mb: u64,
}

impl EngineArgs {
    /// The pool with this many processes, else as many as the pool takes by itself.
    pub fn pool(&self, processes: Option<usize>) -> Result<PoolConfig> {
        let words = |command: &str| command.split_whitespace().map(String::from).collect();
        let dir = self.project.clone();
        let engine = match (&self.repl, &self.lean) {
            (Some(command), _) => EngineConfig::Repl { argv: words(command), dir },
            (_, Some(command)) => EngineConfig::Lean { argv: words(command), dir },
            _ => detect_engine(&dir)?,
        };
        let mut config = PoolConfig::new(engine);
        config.max_processes = processes.unwrap_or(config.max_processes);
        config.memory_limit = Some(self.memory_mb << 20);
        Ok(config)
    }
}

/// The threads of a program that waits for others.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| Error::new(Code::Internal, format!("no threads: {e}")))
}

/// Over at the first SIGTERM or SIGINT; a second one ends the process at once, with this status.
pub fn ended(status: i32) -> Result<impl Future<Output = ()> + Send + 'static> {
    let failed = |e: std::io::Error| Error::new(Code::Internal, format!("no signals: {e}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        either(&mut term, &mut int).await;
        tokio::spawn(async move {
            either(&mut term, &mut int).await;
            std::process::exit(status);
        });
    })
}

async fn either(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
