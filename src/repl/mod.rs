//! Checking Lean code: a pool of processes, each with a header (`import` lines) already loaded.
//!
//! ```no_run
//! use lean_oracle::repl::{CheckOptions, Pool, PoolConfig, Snippet, Verdict, detect_engine};
//!
//! # async fn example() -> Result<(), lean_oracle::Error> {
//! let pool = Pool::start(PoolConfig::new(detect_engine(".")?)).await?;
//! let snippet = Snippet { id: "a".into(), code: "theorem t : 1 + 1 = 2 := rfl".into() };
//! let outcome = pool.check(snippet, &CheckOptions::default()).await;
//! assert_eq!(outcome.verdict(), Verdict::Valid);
//! # Ok(())
//! # }
//! ```
//!
//! Every snippet starts from what its header imports and sees nothing of any other snippet. What the parts
//! promise is in docs/repl.md.

mod answer;
mod audit;
mod community;
mod config;
mod engine;
pub mod header;
mod json;
mod lean;
pub(crate) mod monitor;
mod pool;
mod process;
mod session;

pub use answer::{
    Audit, CommandResponse, Diagnostics, Failure, Json, Message, Outcome, Pos, Reply, Severity, Sorry,
    Tactic, TheoremAudit, Verdict,
};
pub use community::{ProofStep, Report, Request, Response, parse};
pub use config::{
    CheckOptions, EngineConfig, FailureRecord, HeaderStatus, Imports, Infotree, PoolConfig, PoolStatus,
    Snippet,
};
pub use engine::detect_engine;
pub use json::{read_request, read_session};
pub use pool::Pool;
pub(crate) use pool::after;
pub(crate) use process::locked;
pub use session::Session;
