//! The side of those who check snippets.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::QueueConfig;
use super::storage::{ALIVE, Storage, json, unreachable};
use super::wire::{self, DeadLetter, Environment, Job, Record, VERSION, WorkerStatus, hex, now_ms};
use crate::repl::{CheckOptions, EngineConfig, Failure, Outcome, Pool, PoolConfig, Reply, Snippet};
use crate::{Code, Error, Result};

/// How long NATS keeps a request for a job; then the worker asks again.
const ASK: Duration = Duration::from_secs(3);

/// How long a worker that could not run a job leaves it to others.
const AFTER_BUSY: Duration = Duration::from_secs(1);

/// How long a worker tries to store a result before it leaves the job to be done again.
const STORE: Duration = Duration::from_secs(600);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The queue.
    pub queue: QueueConfig,
    /// The processes; it takes as many jobs at a time.
    pub pool: PoolConfig,
    /// When it is told to stop: how long jobs that it has may take to end. Later ones are given back.
    pub drain: Duration,
}

/// A worker: a pool of processes that takes its snippets from the queue.
pub struct Worker(Arc<Shared>);

struct Shared {
    storage: Storage,
    config: WorkerConfig,
    pool: Pool,
    environment: Environment,
    id: String,
    host: String,
    started_ms: u64,
    /// The jobs that are being done.
    running: Mutex<HashMap<String, Arc<Notify>>>,
    done: AtomicU64,
    dead: AtomicU64,
    /// What it is to do.
    phase: watch::Sender<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Working,
    /// No new jobs.
    Draining,
    /// No jobs at all.
    Ending,
}

impl Worker {
    /// Starts the processes, asks Lean for its version, connects, and makes what is missing in NATS. From
    /// now on the jobs of our environment are for workers with our toolchain.
    ///
    /// # Errors
    /// `bad_request` when the processes do not start or do not answer, or the configuration makes no sense;
    /// `unreachable` when there is no NATS with JetStream.
    pub async fn start(config: WorkerConfig) -> Result<Worker> {
        let storage = Storage::open(&config.queue, "lean-oracle verify-worker").await?;
        let pool = Pool::start(config.pool.clone()).await?;
        pool.ready().await.map_err(|reason| Error::new(Code::BadRequest, reason).at("engine"))?;
        let environment = environment(&config, &pool).await?;
        storage.set_environment(&environment).await?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default().trim().to_string();
        Ok(Worker(Arc::new(Shared {
            storage,
            config,
            pool,
            environment,
            id: uuid::Uuid::new_v4().simple().to_string(),
            host,
            started_ms: now_ms(),
            running: Mutex::default(),
            done: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            phase: watch::channel(Phase::Working).0,
        })))
    }

    /// What it runs.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// What it is doing.
    pub fn status(&self) -> WorkerStatus {
        self.0.status()
    }

    /// Takes jobs until `stop`, then ends those it has, within [`WorkerConfig::drain`]; the rest goes back
    /// to the queue. While NATS is away it goes on with what it has and waits.
    ///
    /// # Errors
    /// `unreachable` when NATS refuses what a worker needs at the start.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let shared = self.0;
        let consumer = shared.storage.consumer(&shared.environment, &shared.config.queue).await?;
        let cancel = shared.storage.subject("cancel", "*");
        let cancel =
            shared.storage.client.subscribe(cancel).await.map_err(|e| unreachable("subscribing")(&e))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(shared.clone(), cancel));
        tasks.spawn(say_alive(shared.clone()));
        let mut slots = JoinSet::new();
        for _ in 0..shared.config.pool.max_processes.max(1) {
            slots.spawn(slot(shared.clone(), consumer.clone()));
        }
        tokio::select! {
            () = stop => {}
            // They end only when they are told to, or by a defect.
            _ = slots.join_next() => {}
        }
        shared.phase.send_replace(Phase::Draining);
        let idle = async { while slots.join_next().await.is_some() {} };
        if tokio::time::timeout(shared.config.drain + ASK, idle).await.is_err() {
            shared.phase.send_replace(Phase::Ending);
            let given_back = async { while slots.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(10), given_back).await;
        }
        tasks.shutdown().await;
        let gone = async {
            let _ = shared.storage.workers.purge(shared.heartbeat_key()).await;
            let _ = shared.storage.client.flush().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), gone).await;
        shared.pool.drain(Duration::ZERO).await;
        Ok(())
    }
}

/// Asks Lean what it is. Workers with equal answers, and with equal files that decide what is imported, are
/// interchangeable.
async fn environment(config: &WorkerConfig, pool: &Pool) -> Result<Environment> {
    let code = "#eval Lean.versionString\n#eval Lean.githash".to_string();
    let snippet = Snippet { id: "version".into(), code };
    let options = CheckOptions { timeout: Duration::from_secs(120), ..CheckOptions::default() };
    let outcome = pool.check(snippet, &options).await;
    let toolchain = match outcome.result {
        Ok(Reply::Response(response)) => {
            let texts: Vec<&str> =
                response.messages.iter().map(|m| m.data.trim().trim_matches('"')).collect();
            texts.join(" ")
        }
        Ok(Reply::ReplError { message }) => {
            return Err(Error::new(Code::BadRequest, format!("the engine does not work: {message}")));
        }
        Err(failure) => {
            return Err(Error::new(Code::BadRequest, format!("the engine does not work: {failure}")));
        }
    };
    let (kind, dir) = match &config.pool.engine {
        EngineConfig::Repl { dir, .. } => ("repl", dir),
        EngineConfig::Lean { dir, .. } => ("lean", dir),
    };
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(kind.as_bytes());
    add(toolchain.as_bytes());
    for file in ["lean-toolchain", "lake-manifest.json", "lakefile.lean", "lakefile.toml"] {
        add(&std::fs::read(dir.join(file)).unwrap_or_default());
    }
    let fingerprint = hex(&hash.finalize()[..8]);
    Ok(Environment { name: config.queue.environment.clone(), fingerprint, toolchain })
}

/// One of the jobs at a time.
async fn slot(shared: Arc<Shared>, consumer: PullConsumer) {
    let mut phase = shared.phase.subscribe();
    let mut consumer = consumer;
    while *phase.borrow_and_update() == Phase::Working {
        // A job that arrives after its request was dropped would be missed for `ack_wait`: always wait.
        match next(&consumer).await {
            Ok(Some(message)) if *phase.borrow() == Phase::Working => shared.handle(message).await,
            Ok(Some(message)) => drop(message.ack_with(AckKind::Nak(None)).await),
            Ok(None) => {}
            Err(e) => {
                // NATS is away, or somebody deleted the consumer.
                eprintln!("verify-worker: asking for a job: {e}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                if let Ok(new) = shared.storage.consumer(&shared.environment, &shared.config.queue).await {
                    consumer = new;
                }
            }
        }
    }
}

async fn next(consumer: &PullConsumer) -> std::result::Result<Option<Message>, async_nats::Error> {
    let mut batch = consumer.fetch().max_messages(1).expires(ASK).messages().await?;
    batch.next().await.transpose()
}

/// Ends jobs that nobody wants any longer.
async fn listen(shared: Arc<Shared>, mut cancel: async_nats::Subscriber) {
    while let Some(message) = cancel.next().await {
        let key = message.subject.rsplit('.').next().unwrap_or_default();
        if let Some(job) = shared.running.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            job.notify_one();
        }
    }
}

async fn say_alive(shared: Arc<Shared>) {
    loop {
        let status = json(&shared.status());
        let put = shared.storage.workers.put(shared.heartbeat_key(), status.into());
        let _ = tokio::time::timeout(ALIVE / 3, put).await;
        // A NATS that lost everything must learn again what we run.
        if matches!(shared.storage.environment(&shared.environment.name).await, Ok(None)) {
            let _ = shared.storage.set_environment(&shared.environment).await;
        }
        tokio::time::sleep(ALIVE / 3).await;
    }
}

/// How a job ended here.
enum End {
    Outcome(Box<Outcome>),
    /// Nobody wants it any longer.
    Cancelled,
    /// There is no time left for it here.
    GivenBack,
}

impl Shared {
    fn heartbeat_key(&self) -> String {
        format!("{}.{}.{}", self.environment.name, self.environment.fingerprint, self.id)
    }

    fn status(&self) -> WorkerStatus {
        WorkerStatus {
            version: VERSION,
            id: self.id.clone(),
            host: self.host.clone(),
            pid: std::process::id(),
            program: env!("CARGO_PKG_VERSION").into(),
            environment: self.environment.name.clone(),
            fingerprint: self.environment.fingerprint.clone(),
            toolchain: self.environment.toolchain.clone(),
            started_ms: self.started_ms,
            seen_ms: now_ms(),
            jobs: self.running.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            done: self.done.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
            draining: *self.phase.borrow() != Phase::Working,
            pool: self.pool.status(),
        }
    }

    /// Does one job to its end: afterwards it is off the stream, or it comes back.
    async fn handle(&self, message: Message) {
        let deliveries = message.info().map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1));
        let job = match serde_json::from_slice::<Job>(&message.payload) {
            Ok(job) if job.version == VERSION && wire::is_key(&job.key) => job,
            Ok(job) if job.version == VERSION => {
                return self.unreadable(message, "not a job: it has no key".into()).await;
            }
            Ok(job) => return self.unreadable(message, format!("a job of version {}", job.version)).await,
            Err(e) => return self.unreadable(message, format!("not a job: {e}")).await,
        };
        // Somebody may have done it, and died before it was off the stream.
        let newest = self.kept_alive(&message, self.patiently(|| self.storage.result(&job.key))).await;
        match newest {
            Ok(Some((revision, _))) if revision > job.after => return self.finished(&job, message).await,
            Ok(_) => {}
            Err(e) => return eprintln!("verify-worker: {e}"),
        }
        if deliveries > u64::from(self.config.queue.tries) {
            let reason = format!(
                "the job was taken {} times, and each worker was lost with it or could not run it",
                deliveries - 1
            );
            let failure = Failure::Crashed { reason: reason.clone(), stderr: String::new() };
            return self.give_up(job, message, deliveries, reason, failure).await;
        }
        let code = match self.kept_alive(&message, self.patiently(|| self.storage.code(&job))).await {
            Ok(Some(code)) => code,
            Ok(None) => {
                let reason = "its text is no longer there".to_string();
                let failure = Failure::Refused { reason: reason.clone() };
                return self.give_up(job, message, deliveries, reason, failure).await;
            }
            Err(e) => return eprintln!("verify-worker: {e}"),
        };
        // Its result would be another text's.
        if wire::key(&self.environment, &code, &job.options) != job.key {
            return self.unreadable(message, "not a job: its key is of another text".into()).await;
        }
        let cancelled = Arc::new(Notify::new());
        self.running().insert(job.key.clone(), cancelled.clone());
        let end = self.kept_alive(&message, self.check(&job, code, &cancelled)).await;
        self.running().remove(&job.key);
        let outcome = match end {
            End::Outcome(outcome) => *outcome,
            End::Cancelled => return self.finished(&job, message).await,
            End::GivenBack => return drop(message.ack_with(AckKind::Nak(None)).await),
        };
        match &outcome.result {
            // Not the snippet's fault.
            Err(Failure::Busy { .. } | Failure::Cancelled) => {
                return drop(message.ack_with(AckKind::Nak(Some(AFTER_BUSY))).await);
            }
            // It ended two processes. That is its result, and somebody may want to know why.
            Err(
                failure @ (Failure::Crashed { .. } | Failure::OutOfMemory { .. } | Failure::Protocol { .. }),
            ) => self.bury(&message, deliveries, failure.to_string()).await,
            _ => {}
        }
        self.store(job, message, Record::new(&self.id, outcome)).await;
    }

    async fn check(&self, job: &Job, code: String, cancelled: &Notify) -> End {
        let options = CheckOptions {
            // There is a process for each of our jobs; they wait only while one is replaced.
            deadline: Some(Instant::now() + self.config.pool.max_wait),
            ..CheckOptions::from(&job.options)
        };
        let snippet = Snippet { id: job.key.clone(), code };
        let mut phase = self.phase.subscribe();
        tokio::select! {
            outcome = self.pool.check(snippet, &options) => End::Outcome(Box::new(outcome)),
            () = cancelled.notified() => End::Cancelled,
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => End::GivenBack,
        }
    }

    /// Waits for `work`, and tells NATS all the time that the job is not lost.
    async fn kept_alive<T>(&self, message: &Message, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            match tokio::time::timeout(self.config.queue.ack_wait / 3, &mut work).await {
                Ok(result) => return result,
                Err(_) => drop(message.ack_with(AckKind::Progress).await),
            }
        }
    }

    /// Tries again while NATS is away.
    async fn patiently<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        let begun = Instant::now();
        loop {
            match ask().await {
                Err(e) if e.code == Code::Unreachable && begun.elapsed() < STORE => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                result => return result,
            }
        }
    }

    /// Stores the result; when that is impossible the job comes back.
    async fn store(&self, job: Job, message: Message, record: Record) {
        let put = self.patiently(|| self.storage.put_result(&job, record.clone()));
        match self.kept_alive(&message, put).await {
            Ok(()) => {
                self.done.fetch_add(1, Ordering::Relaxed);
                self.finished(&job, message).await;
            }
            Err(e) => eprintln!("verify-worker: {e}"),
        }
    }

    /// Takes the job off the stream and tells those who wait.
    async fn finished(&self, job: &Job, message: Message) {
        // If this gets lost the job comes back, and its result is there.
        let _ = message.ack().await;
        let _ = self.storage.client.publish(self.storage.subject("done", &job.key), "".into()).await;
        self.storage.forget(job).await;
    }

    async fn give_up(&self, job: Job, message: Message, deliveries: u64, reason: String, failure: Failure) {
        self.bury(&message, deliveries, reason).await;
        let record = Record::new(&self.id, wire::failed(String::new(), failure));
        self.store(job, message, record).await;
    }

    async fn unreadable(&self, message: Message, reason: String) {
        self.bury(&message, 1, reason).await;
        let _ = message.ack_with(AckKind::Term).await;
    }

    /// Adds a job to the dead letters.
    async fn bury(&self, message: &Message, deliveries: u64, reason: String) {
        let mut letter = DeadLetter {
            version: VERSION,
            time_ms: now_ms(),
            reason,
            deliveries,
            worker: self.id.clone(),
            job: serde_json::from_slice(&message.payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(&message.payload).into()),
        };
        let most = self.storage.client.server_info().max_payload.saturating_sub(4096);
        if json(&letter).len() > most {
            letter.job = "too large for this letter".into();
        }
        let place = message.info().map_or(0, |info| info.stream_sequence);
        let message = async_nats::jetstream::message::PublishMessage::build()
            .payload(json(&letter).into())
            .message_id(format!("dead-{place}"));
        let subject = self.storage.subject("dead", &self.environment.name);
        let sent = async {
            self.storage.js.send_publish(subject, message).await?.await?;
            Ok::<(), async_nats::jetstream::context::PublishError>(())
        };
        match sent.await {
            Ok(()) => drop(self.dead.fetch_add(1, Ordering::Relaxed)),
            Err(e) => eprintln!("verify-worker: a dead letter is lost: {e}: {}", letter.reason),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
