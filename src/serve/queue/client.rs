//! The side of those who want snippets checked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::watch;

use super::QueueConfig;
use super::storage::{Put, Storage, unreachable};
use super::wire::{self, DeadLetter, Environment, Job, JobOptions, Record, VERSION, WorkerStatus};
use crate::Result;
use crate::repl::{CheckOptions, Failure, Outcome, PoolStatus, Snippet, after, locked};
use crate::serve::{Executor, Pending};

/// How long a resolved environment is used before it is looked up again.
const FRESH: Duration = Duration::from_secs(2);

/// How often a waiting snippet asks for its result although it was not told of one: after this time, then
/// after twice as long, and so on.
const FIRST_POLL: Duration = Duration::from_secs(1);
const LAST_POLL: Duration = Duration::from_secs(30);

/// How long other programs have to say that they still want a job.
const OBJECTION: Duration = Duration::from_millis(300);

/// A queue of snippets that workers check. Clones are the same queue.
///
/// It needs a runtime of tokio with more than one thread, or one that is not blocked.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    storage: Storage,
    config: QueueConfig,
    /// The jobs that somebody here waits for.
    wanted: Mutex<HashMap<String, Wanted>>,
    environment: Mutex<Option<(Instant, Environment)>>,
    status: Mutex<QueueStatus>,
    /// No new snippets.
    draining: AtomicBool,
    /// Nobody waits any longer.
    closed: watch::Sender<bool>,
    counters: Counters,
    runtime: tokio::runtime::Handle,
}

/// A job that somebody here waits for: how many do, and how they are told to look.
struct Wanted {
    waiters: usize,
    /// The place on the stream, once it is there.
    sequence: Option<u64>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Counters {
    checks: AtomicU64,
    found: AtomicU64,
    published: AtomicU64,
    republished: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
}

/// What a queue is doing. The workers' part is at most a few seconds old.
#[derive(Clone, Debug, Default, Serialize)]
pub struct QueueStatus {
    /// Whether there is a connection to NATS.
    pub connected: bool,
    /// The environment, once a worker has been there.
    pub environment: Option<Environment>,
    /// Jobs on the stream, in all environments, begun ones too.
    pub jobs: u64,
    /// Jobs of this environment that no worker has taken yet.
    pub pending: u64,
    /// Jobs of this environment that workers have now.
    pub begun: u64,
    /// Jobs in this environment that were taken more than once and are not done.
    pub redelivered: u64,
    /// Jobs that were given up, in all environments, of the last 30 days.
    pub dead: u64,
    /// Results that are kept.
    pub results: u64,
    /// Jobs that somebody here waits for.
    pub waiting: u64,
    /// Outcomes given here so far.
    pub checks: u64,
    /// Snippets whose result was there already.
    pub found: u64,
    /// Jobs that were put on the stream from here.
    pub published: u64,
    /// Jobs that had to be put there again.
    pub republished: u64,
    /// Snippets whose caller went away.
    pub cancelled: u64,
    /// Snippets that were refused: too many waited, or no worker took them in time.
    pub refused: u64,
    /// The workers that are alive, of all environments.
    pub workers: Vec<WorkerStatus>,
}

impl Queue {
    /// Connects to NATS, makes what is missing there, and sets the limits of the configuration.
    ///
    /// # Errors
    /// `bad_request` for a configuration that makes no sense, `unreachable` when there is no NATS with
    /// JetStream.
    pub async fn connect(config: QueueConfig) -> Result<Queue> {
        let storage = Storage::open(&config, "lean-oracle serve").await?;
        let inner = Arc::new(Inner {
            storage,
            config,
            wanted: Mutex::default(),
            environment: Mutex::default(),
            status: Mutex::default(),
            draining: AtomicBool::new(false),
            closed: watch::channel(false).0,
            counters: Counters::default(),
            runtime: tokio::runtime::Handle::current(),
        });
        let fail = unreachable("subscribing");
        let subscribe = async |kind| {
            let subject = inner.storage.subject(kind, "*");
            inner.storage.client.subscribe(subject).await.map_err(|e| fail(&e))
        };
        let (done, want) = (subscribe("done").await?, subscribe("want").await?);
        tokio::spawn(listen(Arc::downgrade(&inner), done, want));
        inner.refresh().await?;
        tokio::spawn(refresh(Arc::downgrade(&inner)));
        Ok(Queue(inner))
    }

    /// Has a snippet checked by a worker. Drop the future to cancel: the job is withdrawn, unless others
    /// wait for the same one.
    pub async fn check(&self, snippet: Snippet, options: &CheckOptions) -> Outcome {
        let outcome = self.0.check(snippet, options).await;
        self.0.counters.checks.fetch_add(1, Ordering::Relaxed);
        if matches!(outcome.result, Err(Failure::Busy { .. })) {
            self.0.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// What the queue is doing.
    pub fn status(&self) -> QueueStatus {
        let mut status = locked(&self.0.status).clone();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.0.counters;
        status.connected = self.0.connected();
        status.waiting = locked(&self.0.wanted).len() as u64;
        status.checks = count(&counters.checks);
        status.found = count(&counters.found);
        status.published = count(&counters.published);
        status.republished = count(&counters.republished);
        status.cancelled = count(&counters.cancelled);
        status.refused = count(&counters.refused);
        status
    }

    /// The workers of our environment together, as if they were one pool.
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.status();
        let mut sum = PoolStatus {
            ready: status.connected,
            draining: self.0.draining.load(Ordering::Relaxed),
            waiting: usize::try_from(status.pending).unwrap_or(usize::MAX),
            shared: status.found,
            refused: status.refused,
            cancelled: status.cancelled,
            ..PoolStatus::default()
        };
        let ours = |w: &&WorkerStatus| {
            status
                .environment
                .as_ref()
                .is_some_and(|e| e.name == w.environment && e.fingerprint == w.fingerprint)
        };
        for pool in status.workers.iter().filter(ours).map(|w| &w.pool) {
            sum.max_processes += pool.max_processes;
            sum.processes += pool.processes;
            sum.busy += pool.busy;
            sum.hits += pool.hits;
            sum.misses += pool.misses;
            sum.checks += pool.checks;
            sum.crashes += pool.crashes;
            sum.timeouts += pool.timeouts;
            sum.out_of_memory += pool.out_of_memory;
            sum.protocol_errors += pool.protocol_errors;
            sum.started += pool.started;
            sum.restarts += pool.restarts;
            sum.recycled += pool.recycled;
            sum.evicted += pool.evicted;
            sum.resident_bytes += pool.resident_bytes;
            for header in &pool.headers {
                match sum.headers.iter_mut().find(|h| h.header == header.header) {
                    Some(known) => {
                        known.processes += header.processes;
                        known.busy += header.busy;
                    }
                    None => sum.headers.push(header.clone()),
                }
            }
            sum.last_failures.extend(pool.last_failures.iter().cloned());
        }
        sum.ready &= sum.max_processes > 0;
        sum.headers.sort_by_key(|h| std::cmp::Reverse(h.processes));
        sum.last_failures.sort_by_key(|f| f.time);
        let extra = sum.last_failures.len().saturating_sub(50);
        sum.last_failures.drain(..extra);
        sum
    }

    /// Whether work would be done now: NATS answers and a worker of our environment is alive.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn ready(&self) -> std::result::Result<(), String> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err("the queue is closing".into());
        }
        self.0.refresh().await.map_err(|e| e.message)?;
        let status = self.status();
        let Some(environment) = status.environment else { return Err(self.0.no_environment()) };
        let alive = |w: &WorkerStatus| {
            w.environment == environment.name && w.fingerprint == environment.fingerprint && !w.draining
        };
        match status.workers.iter().any(alive) {
            true => Ok(()),
            false => Err(format!("no worker of the environment `{}` is alive", environment.name)),
        }
    }

    /// Takes no more snippets and waits until those that were taken have their results, at most for
    /// `limit`. Later ones are [`Failure::Cancelled`]; their jobs stay on the stream and are checked, and
    /// their results are kept.
    pub async fn drain(&self, limit: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        let idle = async {
            while !locked(&self.0.wanted).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limit, idle).await;
        self.0.closed.send_replace(true);
    }

    /// The jobs that were given up and are still kept, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let fail = unreachable("dead letters");
        let name = format!("{}_v{VERSION}_dead", self.0.config.prefix);
        let stream = self.0.storage.js.get_stream(name).await.map_err(|e| fail(&e))?;
        let state = &stream.cached_info().state;
        let mut letters = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            if letters.len() == limit || state.messages == 0 {
                break;
            }
            // Some may have become too old.
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            letters.extend(serde_json::from_slice::<DeadLetter>(&message.payload));
        }
        Ok(letters)
    }
}

impl Executor for Queue {
    fn check<'a>(&'a self, snippet: Snippet, options: &'a CheckOptions) -> Pending<'a, Outcome> {
        Box::pin(Queue::check(self, snippet, options))
    }

    fn status(&self) -> PoolStatus {
        self.pool_status()
    }

    fn ready(&self) -> Pending<'_, std::result::Result<(), String>> {
        Box::pin(Queue::ready(self))
    }

    fn drain(&self, limit: Duration) -> Pending<'_, ()> {
        Box::pin(Queue::drain(self, limit))
    }
}

impl Inner {
    fn connected(&self) -> bool {
        self.storage.client.connection_state() == async_nats::connection::State::Connected
    }

    fn no_environment(&self) -> String {
        format!(
            "no worker of the environment `{name}` has ever been there; start one: lean-oracle verify-worker \
             --queue URL --queue-environment {name}",
            name = self.config.environment
        )
    }

    /// What workers of our name run, as of a moment ago.
    async fn environment(&self) -> Result<Option<Environment>> {
        if let Some((when, environment)) = &*locked(&self.environment)
            && when.elapsed() < FRESH
        {
            return Ok(Some(environment.clone()));
        }
        let found = self.storage.environment(&self.config.environment).await?;
        *locked(&self.environment) = found.clone().map(|e| (Instant::now(), e));
        Ok(found)
    }

    async fn check(self: &Arc<Self>, snippet: Snippet, options: &CheckOptions) -> Outcome {
        let mut closed = self.closed.subscribe();
        if self.draining.load(Ordering::Relaxed) {
            return wire::failed(snippet.id, Failure::Cancelled);
        }
        let id = snippet.id.clone();
        // The jobs of a queue that closes stay on the stream.
        let mut interest = None;
        let failure = tokio::select! {
            result = self.result(&snippet, options, &mut interest) => match result {
                Ok(record) => return record.outcome(id),
                Err(failure) => {
                    if let Some(interest) = &mut interest {
                        interest.given_up = true;
                    }
                    failure
                }
            },
            _ = closed.wait_for(|closed| *closed) => {
                if let Some(interest) = &mut interest {
                    interest.leave = true;
                }
                Failure::Cancelled
            }
        };
        wire::failed(id, failure)
    }

    async fn result(
        self: &Arc<Self>,
        snippet: &Snippet,
        options: &CheckOptions,
        interest: &mut Option<Interest>,
    ) -> std::result::Result<Record, Failure> {
        let begun = Instant::now();
        let busy = || Failure::Busy { waited: begun.elapsed().as_secs_f64() };
        let deadline = options.deadline.unwrap_or(after(self.config.max_wait));
        let wanted = JobOptions::from(options);
        let environment = loop {
            match self.environment().await {
                Ok(Some(environment)) => break environment,
                Ok(None) => return Err(Failure::Refused { reason: self.no_environment() }),
                Err(_) if Instant::now() >= deadline => return Err(busy()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        let key = wire::key(&environment, &snippet.code, &wanted);
        let interest = interest.insert(Interest::new(self, &key));
        // A worker that was lost is noticed after `ack_wait`; a pool tries twice, header and body.
        let lost_after = self.config.ack_wait + Duration::from_secs(30);
        let one_try = options.timeout.saturating_mul(4).saturating_add(lost_after);
        let mut patience: Option<Instant> = None;
        // What was lost on the stream, so that a new job is a new one, and the same one for all.
        let mut lost = 0;
        let mut before = None;
        'job: loop {
            let newest = match self.storage.result(&key).await {
                Ok(found) => found,
                Err(_) if Instant::now() >= deadline => return Err(busy()),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let revision = newest.as_ref().map_or(0, |(revision, _)| *revision);
            match (newest, before) {
                (Some((_, record)), None) if record.is_final() && options.reuse => {
                    self.counters.found.fetch_add(1, Ordering::Relaxed);
                    return Ok(interest.answered(record));
                }
                (Some((_, record)), Some(before)) if revision > before => {
                    return Ok(interest.answered(record));
                }
                _ => {}
            }
            before = Some(revision);
            let job = Job {
                version: VERSION,
                key: key.clone(),
                after: revision,
                options: wanted.clone(),
                code: None,
                object: None,
            };
            let sequence = loop {
                let message = format!("{key}.{revision}.{lost}");
                match self.storage.put_job(&environment, job.clone(), &snippet.code, &message).await {
                    Ok(Put::Accepted(sequence)) => break sequence,
                    Ok(Put::Full) => return Err(busy()),
                    // It may be there all the same; then this is the same job once more.
                    Err(_) if Instant::now() < deadline => {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    Err(_) => return Err(busy()),
                }
            };
            interest.published(sequence);
            self.counters.published.fetch_add(1, Ordering::Relaxed);
            let mut poll = FIRST_POLL;
            loop {
                let until = patience.unwrap_or(deadline).saturating_duration_since(Instant::now());
                let told = tokio::time::timeout(poll.min(until), interest.changed.changed()).await.is_ok();
                poll = (2 * poll).min(LAST_POLL);
                match self.storage.result(&key).await {
                    Ok(Some((newer, record))) if newer > revision => return Ok(interest.answered(record)),
                    Ok(_) => {}
                    // NATS is away; what it accepted is still there when it is back.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
                let now = Instant::now();
                if (told || poll > 2 * FIRST_POLL) && self.storage.is_gone(&key, sequence).await == Ok(true) {
                    // Withdrawn by others, or too old: a result would have come first.
                    match self.storage.result(&key).await {
                        Ok(Some((newer, record))) if newer > revision => return Ok(interest.answered(record)),
                        Ok(_) if now < deadline => {
                            lost = sequence;
                            self.counters.republished.fetch_add(1, Ordering::Relaxed);
                            continue 'job;
                        }
                        Ok(_) => return Err(busy()),
                        Err(_) => {}
                    }
                }
                match patience {
                    Some(patience) if now >= patience => {
                        let reason = format!("no worker answered within {:.0?}", begun.elapsed());
                        return Err(Failure::Crashed { reason, stderr: String::new() });
                    }
                    None if now >= deadline => {
                        if !self.is_begun(&environment, sequence).await {
                            return Err(busy());
                        }
                        patience = Some(after(one_try.saturating_mul(self.config.tries)));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether a worker has taken this job, as far as can be known.
    async fn is_begun(&self, environment: &Environment, sequence: u64) -> bool {
        let info = self.storage.work.consumer_info(Storage::consumer_name(environment)).await;
        info.is_ok_and(|info| info.delivered.stream_sequence >= sequence)
    }

    /// Withdraws a job that nobody here waits for, if nobody elsewhere does.
    async fn withdraw(self: Arc<Self>, key: String, sequence: u64) {
        let ask = async_nats::Request::new().timeout(Some(OBJECTION));
        let subject = self.storage.subject("want", &key);
        let objection = self.storage.client.send_request(subject, ask).await.is_ok();
        if objection || locked(&self.wanted).contains_key(&key) {
            return;
        }
        let _ = self.storage.work.delete_message(sequence).await;
        let _ = self.storage.client.publish(self.storage.subject("cancel", &key), "".into()).await;
    }

    async fn refresh(&self) -> Result<()> {
        let environment = self.environment().await?;
        let fail = unreachable("the state of the queue");
        let work = self.storage.work.get_info().await.map_err(|e| fail(&e))?;
        let mut status = QueueStatus { jobs: work.state.messages, ..QueueStatus::default() };
        if let Some(environment) = &environment
            && let Ok(info) = self.storage.work.consumer_info(Storage::consumer_name(environment)).await
        {
            status.pending = info.num_pending;
            status.begun = info.num_ack_pending as u64;
            status.redelivered = info.num_redelivered as u64;
        }
        status.environment = environment;
        let prefix = &self.config.prefix;
        for (name, count) in [
            (format!("{prefix}_v{VERSION}_dead"), &mut status.dead),
            (format!("KV_{prefix}_v{VERSION}_results"), &mut status.results),
        ] {
            let stream = self.storage.js.get_stream(name).await.map_err(|e| fail(&e))?;
            *count = stream.cached_info().state.messages;
        }
        let mut keys = self.storage.workers.keys().await.map_err(|e| fail(&e))?;
        while let Some(key) = keys.next().await {
            let key = key.map_err(|e| fail(&e))?;
            let value = self.storage.workers.get(key).await.map_err(|e| fail(&e))?;
            status.workers.extend(value.and_then(|v| serde_json::from_slice(&v).ok()));
        }
        status.workers.sort_by(|a: &WorkerStatus, b| {
            (&a.environment, &a.host, a.pid).cmp(&(&b.environment, &b.host, b.pid))
        });
        *locked(&self.status) = status;
        Ok(())
    }
}

/// Somebody here waits for a job, until this is dropped.
struct Interest {
    inner: Arc<Inner>,
    key: String,
    changed: watch::Receiver<()>,
    /// There is a result.
    answered: bool,
    /// It is not the caller who went away.
    given_up: bool,
    /// The job is to be done although nobody waits any longer.
    leave: bool,
}

impl Interest {
    fn new(inner: &Arc<Inner>, key: &str) -> Self {
        let mut wanted = locked(&inner.wanted);
        let wanted = wanted.entry(key.to_string()).or_insert_with(|| Wanted {
            waiters: 0,
            sequence: None,
            changed: watch::channel(()).0,
        });
        wanted.waiters += 1;
        let changed = wanted.changed.subscribe();
        Interest {
            inner: inner.clone(),
            key: key.into(),
            changed,
            answered: false,
            given_up: false,
            leave: false,
        }
    }

    fn published(&self, sequence: u64) {
        if let Some(wanted) = locked(&self.inner.wanted).get_mut(&self.key) {
            wanted.sequence = Some(sequence);
        }
    }

    fn answered(&mut self, record: Record) -> Record {
        self.answered = true;
        record
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let mut all = locked(&self.inner.wanted);
        let Some(wanted) = all.get_mut(&self.key) else { return };
        wanted.waiters -= 1;
        if wanted.waiters > 0 {
            return;
        }
        let sequence = wanted.sequence;
        all.remove(&self.key);
        drop(all);
        if self.answered {
            return;
        }
        if !self.given_up && !self.leave {
            self.inner.counters.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(sequence) = sequence.filter(|_| !self.leave) {
            let withdraw = self.inner.clone().withdraw(self.key.clone(), sequence);
            self.inner.runtime.spawn(withdraw);
        }
    }
}

/// Tells those who wait that there is a result, and others that somebody waits.
async fn listen(inner: Weak<Inner>, mut done: async_nats::Subscriber, mut want: async_nats::Subscriber) {
    let key = |message: &async_nats::Message| {
        message.subject.rsplit('.').next().map(str::to_string).unwrap_or_default()
    };
    loop {
        tokio::select! {
            message = done.next() => {
                let (Some(message), Some(inner)) = (message, inner.upgrade()) else { return };
                if let Some(wanted) = locked(&inner.wanted).get(&key(&message)) {
                    wanted.changed.send_replace(());
                }
            }
            message = want.next() => {
                let (Some(message), Some(inner)) = (message, inner.upgrade()) else { return };
                let is_wanted = locked(&inner.wanted).contains_key(&key(&message));
                if let Some(reply) = message.reply.filter(|_| is_wanted) {
                    let _ = inner.storage.client.publish(reply, "wanted".into()).await;
                }
            }
            // Nobody may ever publish again; whether the queue is gone must be noticed all the same.
            () = tokio::time::sleep(Duration::from_secs(5)) => {
                if inner.strong_count() == 0 {
                    return;
                }
            }
        }
    }
}

async fn refresh(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let Some(inner) = inner.upgrade() else { return };
        // While NATS is away the last state stays.
        let _ = tokio::time::timeout(Duration::from_secs(10), inner.refresh()).await;
    }
}
