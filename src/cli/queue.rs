//! `lean-oracle verify-worker`: checks snippets that others put on a queue. And the flags of queues.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lean_oracle::serve::queue::{Queue, QueueConfig, Worker, WorkerConfig};
use lean_oracle::{Code, Error, Result};

use crate::pool::{EngineArgs, ended, runtime};

/// The queue of `serve`, `verify` and `verify-worker`.
#[derive(Args)]
pub struct QueueArgs {
    /// Share the work over NATS: nats://HOST:PORT, several separated by commas; tls:// for TLS.
    #[arg(long = "queue", value_name = "URL")]
    queue: Option<String>,
    /// The credentials for NATS: a .creds file.
    #[arg(long, value_name = "FILE")]
    queue_creds: Option<PathBuf>,
    /// The certificates (PEM) that may sign the one of NATS.
    #[arg(long, value_name = "FILE")]
    queue_ca: Option<PathBuf>,
    /// Our own certificate (PEM) for NATS.
    #[arg(long, value_name = "FILE", requires = "queue_key")]
    queue_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "queue_cert")]
    queue_key: Option<PathBuf>,
    /// The workers' name: snippets go to workers with the same one.
    #[arg(long, value_name = "NAME", default_value = "default")]
    queue_environment: String,
    /// What all names in NATS begin with.
    #[arg(long, value_name = "NAME", default_value = "lean-oracle")]
    queue_prefix: String,
    /// Snippets that may wait in one environment. [default: as it is, 100000 in a new queue]
    #[arg(long, value_name = "N")]
    queue_max_pending: Option<u64>,
    /// Workers that may try a snippet that each time was lost with its worker.
    #[arg(long, value_name = "N", default_value_t = 5)]
    queue_tries: u32,
    /// Seconds of silence after which a worker's snippets are given to others; the same for all workers.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    queue_ack_wait: u64,
    /// Hours that results are kept. [default: as it is, 24 in a new queue]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=8760))]
    queue_result_hours: Option<u64>,
    /// Copies of everything in a cluster of NATS servers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    queue_replicas: usize,
}

impl QueueArgs {
    /// The configuration, when there is a queue.
    pub fn config(&self) -> Option<QueueConfig> {
        let identity = self.queue_cert.clone().zip(self.queue_key.clone());
        Some(QueueConfig {
            credentials: self.queue_creds.clone(),
            tls_ca: self.queue_ca.clone(),
            tls_identity: identity,
            prefix: self.queue_prefix.clone(),
            environment: self.queue_environment.clone(),
            max_pending: self.queue_max_pending,
            ack_wait: Duration::from_secs(self.queue_ack_wait),
            tries: self.queue_tries,
            result_ttl: self.queue_result_hours.map(|hours| Duration::from_secs(3600 * hours)),
            replicas: self.queue_replicas,
            ..QueueConfig::new(self.queue.clone()?)
        })
    }
}

#[derive(Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// Processes, and snippets at a time. [default: one less than there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    processes: Option<u16>,
    /// Seconds that snippets that were begun may take after SIGTERM; then they go back to the queue.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    drain: u64,
    /// Print what is on the queue and who works on it, as JSON, and stop.
    #[arg(long)]
    status: bool,
    /// Print the snippets that were given up, one a line, as JSON, and stop.
    #[arg(long)]
    dead_letters: bool,
}

/// Runs a worker until SIGTERM or SIGINT.
pub fn worker(args: &WorkerArgs) -> Result<String> {
    let Some(queue) = args.queue.config() else {
        let message = "say where the work is: --queue nats://HOST:PORT";
        return Err(Error::new(Code::BadRequest, message).at("queue"));
    };
    let runtime = runtime()?;
    if args.status || args.dead_letters {
        return runtime.block_on(async {
            let queue = Queue::connect(queue).await?;
            let json = match args.status {
                true => serde_json::to_string_pretty(&queue.status()),
                false => {
                    let letters = queue.dead_letters(usize::MAX).await?;
                    let lines: std::result::Result<Vec<_>, _> =
                        letters.iter().map(serde_json::to_string).collect();
                    lines.map(|lines| lines.join("\n"))
                }
            };
            json.map_err(|e| Error::new(Code::Internal, e.to_string()))
        });
    }
    let pool = args.engine.pool(args.processes.map(usize::from))?;
    runtime.block_on(async {
        let stop = ended(130)?;
        let processes = pool.max_processes;
        let config = WorkerConfig { queue, pool, drain: Duration::from_secs(args.drain) };
        let worker = Worker::start(config).await?;
        let environment = worker.environment();
        let toolchain = environment.toolchain.lines().next().unwrap_or_default();
        // Nobody may read it.
        let _ = writeln!(
            std::io::stdout(),
            "{processes} processes of Lean {toolchain} for the environment {} ({}); taking snippets",
            environment.name,
            environment.fingerprint
        );
        worker.run(stop).await?;
        Ok("closed".into())
    })
}
