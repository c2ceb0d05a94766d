//! Many machines, one queue: snippets wait in NATS JetStream until a worker takes them.
//!
//! A [`Queue`] puts snippets on a stream and waits for their results; a [`Worker`] has a
//! [`Pool`](crate::repl::Pool) and takes as many as it has processes. What NATS holds, under the prefix `P`:
//!
//! | name | kind | what |
//! |---|---|---|
//! | `P_v1_work` | stream, work queue, `P.v1.work.ENVIRONMENT.TOOLCHAIN` | jobs that have no result yet |
//! | `P_v1_dead` | stream, `P.v1.dead.ENVIRONMENT` | jobs that were given up, with the reason |
//! | `P_v1_results` | key-value | the result of each job, by the hash of its content |
//! | `P_v1_environments` | key-value | the toolchain of each environment |
//! | `P_v1_workers` | key-value | the workers that are alive |
//! | `P_v1_large` | objects | what does not fit in one message |
//!
//! A job is a text and its options; its key is their hash, together with the environment's toolchain. Equal
//! jobs are one. A job leaves the stream when its result is stored, so a worker, a server or NATS itself may
//! be killed at any time: what was accepted is checked. A worker that dies in the middle is noticed after
//! [`QueueConfig::ack_wait`], and another one takes the job.

mod client;
mod storage;
mod wire;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

pub use client::{Queue, QueueStatus};
pub use wire::{DeadLetter, Environment, WorkerStatus};
pub use worker::{Worker, WorkerConfig};

use crate::{Code, Error, Result};

/// Where the queue is and how it is kept.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// One or more addresses of NATS, separated by commas: `nats://HOST:PORT`, or `tls://…` to insist on
    /// TLS. A user and a password, or a token, may stand before the host.
    pub url: String,
    /// A file with the credentials of NATS (a `.creds` file).
    pub credentials: Option<PathBuf>,
    /// A file with the certificates (PEM) that may sign the server's.
    pub tls_ca: Option<PathBuf>,
    /// Files with our own certificate and its key (PEM).
    pub tls_identity: Option<(PathBuf, PathBuf)>,
    /// What all names in NATS begin with, so that several queues can share one NATS.
    pub prefix: String,
    /// Which workers: those of this name. Letters, digits, `_` and `-`.
    pub environment: String,
    /// Jobs that may wait in one environment; more are refused. `None` leaves it as it is; a new queue
    /// begins with [`QueueConfig::MAX_PENDING`].
    pub max_pending: Option<u64>,
    /// How long a snippet waits until a worker takes it, when its options do not say.
    pub max_wait: Duration,
    /// How long a worker may be silent about a job before the job is given to another. The same for all
    /// workers of an environment.
    pub ack_wait: Duration,
    /// How many workers may try a job: each of them was lost with it, or could not run it.
    pub tries: u32,
    /// How long results are kept. `None` leaves it as it is; a new queue begins with
    /// [`QueueConfig::RESULT_TTL`].
    pub result_ttl: Option<Duration>,
    /// Copies of everything, in a NATS cluster: 1, 3 or 5.
    pub replicas: usize,
    /// How long to try to reach NATS at the start.
    pub connect_wait: Duration,
}

impl QueueConfig {
    /// Jobs that may wait in an environment of a new queue.
    pub const MAX_PENDING: u64 = 100_000;
    /// How long a new queue keeps results: a day.
    pub const RESULT_TTL: Duration = Duration::from_secs(24 * 3600);

    /// The defaults, for a NATS at this address.
    pub fn new(url: impl Into<String>) -> Self {
        QueueConfig {
            url: url.into(),
            credentials: None,
            tls_ca: None,
            tls_identity: None,
            prefix: "lean-oracle".into(),
            environment: "default".into(),
            max_pending: None,
            max_wait: Duration::from_secs(60),
            ack_wait: Duration::from_secs(30),
            tries: 5,
            result_ttl: None,
            replicas: 1,
            connect_wait: Duration::from_secs(10),
        }
    }

    /// # Errors
    /// `bad_request`, naming the field, for values that NATS could not use or that would lose work.
    fn check(&self) -> Result<()> {
        let word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        let refuse = |field, message: String| Err(Error::new(Code::BadRequest, message).at(field));
        for (field, text) in [("environment", &self.environment), ("prefix", &self.prefix)] {
            if !word(text) {
                return refuse(field, format!("`{text}` is not 1 to 64 letters, digits, `_` or `-`"));
            }
        }
        // A job that is equal to one of the last two minutes is not stored again: its result must be there.
        if self.result_ttl.is_some_and(|ttl| ttl < 2 * storage::DUPLICATES) {
            return refuse("result_ttl", format!("results must be kept for {:?}", 2 * storage::DUPLICATES));
        }
        if self.tries == 0 || self.max_pending == Some(0) {
            return refuse("tries", "a queue of nothing: tries and max_pending must be at least 1".into());
        }
        if self.ack_wait < Duration::from_millis(500) {
            return refuse("ack_wait", "less than half a second is not enough for a sign of life".into());
        }
        Ok(())
    }
}
