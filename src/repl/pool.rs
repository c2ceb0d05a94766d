//! The pool: who gets which process, and what becomes of a snippet.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout_at;

use super::engine::{Setup, Worker, worker};
use super::header::Split;
use super::monitor::{Limits, Monitor};
use super::process::locked;
use super::session::Session;
use super::{
    CheckOptions, Diagnostics, EngineConfig, Failure, FailureRecord, HeaderStatus, Imports, Infotree,
    Outcome, PoolConfig, PoolStatus, Reply, Snippet,
};
use crate::{Code, Error};

/// A pool of processes that check snippets. Clones are the same pool.
///
/// The processes end when the last clone is dropped, and also when the program itself is killed.
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

/// What all clones share; the pool is closed with it.
struct Handle {
    inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.close();
    }
}

struct Inner {
    config: PoolConfig,
    setup: Setup,
    state: Mutex<State>,
    counts: Counts,
    flights: Mutex<HashMap<Question, Flight>>,
    failures: Mutex<VecDeque<FailureRecord>>,
    /// Checks under way.
    active: watch::Sender<usize>,
    closed: watch::Sender<bool>,
    /// How loading the warm headers went, when it has ended.
    warmed: watch::Sender<Option<Result<(), String>>>,
}

#[derive(Default)]
struct State {
    /// Processes and places for them that somebody holds, idle ones too.
    total: usize,
    /// Least recently used first.
    idle: Vec<Held>,
    waiting: VecDeque<Waiter>,
    /// How many are at work for each header.
    busy: HashMap<String, usize>,
    draining: bool,
    closed: bool,
    /// Whether the last process that was started did its first work.
    healthy: Option<bool>,
}

impl State {
    /// Processes that have a header, or are loading it.
    fn with_header(&self, header: &str) -> usize {
        let idle = self.idle.iter().filter(|held| held.header == header).count();
        idle + self.busy.get(header).copied().unwrap_or(0)
    }
}

/// A worker that has its header.
struct Held {
    worker: Box<dyn Worker>,
    header: String,
    uses: u64,
}

struct Waiter {
    header: String,
    reuse: bool,
    grant: oneshot::Sender<Lease>,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
    checks: AtomicU64,
    crashes: AtomicU64,
    timeouts: AtomicU64,
    out_of_memory: AtomicU64,
    protocol_errors: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    started: AtomicU64,
    restarts: AtomicU64,
    recycled: AtomicU64,
    evicted: AtomicU64,
}

/// What makes two checks the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    code: String,
    timeout: Duration,
    infotree: Option<Infotree>,
    all_tactics: bool,
    root_goals: bool,
    imports: Imports,
    audit: bool,
}

/// A check that others may join.
struct Flight {
    future: WeakShared<BoxFuture<'static, Outcome>>,
    /// Until when it waits for a process.
    deadline: Instant,
}

/// The right to one process. Dropping it gives the process back, or kills it if it is in the middle of
/// something.
pub(crate) struct Lease {
    inner: Arc<Inner>,
    header: String,
    held: Option<Held>,
    /// It is in the middle of something.
    dirty: bool,
    /// Whether a warm header is loaded again when its process is lost.
    replenish: bool,
    /// Nothing is to be given back any more.
    spent: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.spent {
            let lost = self.replenish && (self.dirty || self.held.is_none());
            let held = self.held.take().filter(|_| !self.dirty);
            self.inner.give_back(&self.header, held);
            if lost {
                self.inner.replenish(&self.header);
            }
        }
    }
}

impl Inner {
    /// Waits for a process: one that has the header if `reuse`, else the place for a new one.
    async fn acquire(
        self: &Arc<Self>,
        header: &str,
        reuse: bool,
        deadline: Instant,
    ) -> Result<Lease, Failure> {
        let begin = Instant::now();
        let granted = {
            let mut state = locked(&self.state);
            if state.closed {
                return Err(Failure::Cancelled);
            }
            // Those who left and are in front; the others are skipped when it is their turn.
            while state.waiting.front().is_some_and(|waiter| waiter.grant.is_closed()) {
                state.waiting.pop_front();
            }
            match state.waiting.is_empty().then(|| self.take(&mut state, header, reuse)).flatten() {
                Some((held, evicted)) => {
                    *state.busy.entry(header.into()).or_default() += 1;
                    drop(state);
                    drop(evicted);
                    return Ok(self.lease(header, held));
                }
                None => {
                    let (grant, granted) = oneshot::channel();
                    state.waiting.push_back(Waiter { header: header.into(), reuse, grant });
                    granted
                }
            }
        };
        match timeout_at(deadline.into(), granted).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(_)) => Err(Failure::Cancelled),
            Err(_) => Err(Failure::Busy { waited: begin.elapsed().as_secs_f64() }),
        }
    }

    fn lease(self: &Arc<Self>, header: &str, held: Option<Held>) -> Lease {
        Lease {
            inner: self.clone(),
            header: header.into(),
            held,
            dirty: false,
            replenish: true,
            spent: false,
        }
    }

    /// A process that is free, or a free place, with the process that had to go for it.
    fn take(&self, state: &mut State, header: &str, reuse: bool) -> Option<(Option<Held>, Option<Held>)> {
        if reuse && let Some(at) = state.idle.iter().rposition(|held| held.header == header) {
            return Some((Some(state.idle.remove(at)), None));
        }
        if state.total < self.config.max_processes {
            state.total += 1;
            return Some((None, None));
        }
        // The least recently used one, rather not one with a warm header.
        let cold = state.idle.iter().position(|held| !self.config.warm.contains_key(&held.header));
        let at = cold.or((!state.idle.is_empty()).then_some(0))?;
        self.counts.evicted.fetch_add(1, Relaxed);
        Some((None, Some(state.idle.remove(at))))
    }

    /// Takes back a process (or the place of one that is gone) and gives it to whoever waits longest.
    fn give_back(self: &Arc<Self>, header: &str, mut held: Option<Held>) {
        if let Some(old) = &held {
            let worn = self.config.max_uses.is_some_and(|most| old.uses >= most);
            let resident = old.worker.usage().map_or(0, |usage| usage.resident.load(Relaxed));
            if worn || self.config.recycle_bytes.is_some_and(|most| resident > most) {
                self.counts.recycled.fetch_add(1, Relaxed);
                held = None;
                self.replenish(header);
            }
        }
        let mut left = Some(header.to_string());
        loop {
            let mut state = locked(&self.state);
            if let Some(header) = left.take()
                && let Some(busy) = state.busy.get_mut(&header)
            {
                *busy -= 1;
                if *busy == 0 {
                    state.busy.remove(&header);
                }
            }
            if state.closed {
                state.total -= 1;
                drop(state);
                return;
            }
            let Some(waiter) = state.waiting.pop_front() else {
                match held {
                    Some(held) => state.idle.push(held),
                    None => state.total -= 1,
                }
                return;
            };
            *state.busy.entry(waiter.header.clone()).or_default() += 1;
            drop(state);
            if held.as_ref().is_some_and(|held| !waiter.reuse || held.header != waiter.header) {
                self.counts.evicted.fetch_add(1, Relaxed);
                held = None;
            }
            match waiter.grant.send(self.lease(&waiter.header, held)) {
                Ok(()) => return,
                // It has gone: the next one.
                Err(mut lease) => {
                    lease.spent = true;
                    held = lease.held.take();
                    left = Some(waiter.header);
                }
            }
        }
    }

    /// Loads a warm header again, soon, if one of its processes has gone and there is room.
    fn replenish(self: &Arc<Self>, header: &str) {
        let Some(target) = self.config.warm.get(header).copied() else { return };
        // Without a runtime the program is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (inner, header) = (Arc::downgrade(self), header.to_string());
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let Some(inner) = inner.upgrade() else { return };
            let wanted = {
                let state = locked(&inner.state);
                let room = state.total < inner.config.max_processes && state.waiting.is_empty();
                !state.draining && room && state.with_header(&header) < target
            };
            if wanted && let Err(reason) = inner.warm(&header, 1).await {
                inner.record("warm header", reason);
            }
        });
    }

    /// Loads a header in `count` new processes.
    async fn warm(self: &Arc<Self>, header: &str, count: usize) -> Result<(), String> {
        let options = CheckOptions { timeout: self.config.warm_timeout, ..CheckOptions::default() };
        let load = async || {
            let deadline = after(self.config.warm_timeout);
            let mut lease = self.acquire(header, false, deadline).await.map_err(|e| e.to_string())?;
            let split = Split::new(header, Imports::AsWritten);
            // What cannot be loaded is not loaded again and again.
            lease.replenish = false;
            match lease.prepare(&split, &options).await {
                Ok(None) => Ok(lease),
                Ok(Some(reply)) => Err(reply.text()),
                Err(failure) => Err(failure.to_string()),
            }
        };
        // All are held until all are there, so that they are different processes.
        let loads = futures_util::future::try_join_all((0..count).map(|_| load())).await;
        loads.map(drop).map_err(|reason| format!("the warm header {header:?} was not loaded: {reason}"))
    }

    /// Loads the warm headers; those that fail again and again, ever more seldom.
    async fn warm_all(pool: Weak<Inner>) {
        let mut pause = Duration::from_secs(2);
        while let Some(inner) = pool.upgrade() {
            let missing = {
                let state = locked(&inner.state);
                let missing = |(header, count): (&String, &usize)| {
                    (header.clone(), count.saturating_sub(state.with_header(header)))
                };
                inner.config.warm.iter().map(missing).collect::<Vec<_>>()
            };
            let all = missing.iter().map(|(header, count)| inner.warm(header, *count));
            let failed: Vec<String> =
                futures_util::future::join_all(all).await.into_iter().filter_map(Result::err).collect();
            let result = if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) };
            inner.warmed.send_replace(Some(result.clone()));
            let Err(reason) = result else { return };
            if locked(&inner.state).draining {
                return;
            }
            inner.record("warm header", reason);
            drop(inner);
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(Duration::from_secs(300));
        }
    }

    fn record(&self, id: &str, reason: String) {
        let mut failures = locked(&self.failures);
        if failures.len() >= 50 {
            failures.pop_front();
        }
        failures.push_back(FailureRecord { time: SystemTime::now(), id: id.into(), reason });
    }

    fn close(&self) {
        let (idle, waiting) = {
            let mut state = locked(&self.state);
            state.closed = true;
            state.draining = true;
            let idle = std::mem::take(&mut state.idle);
            state.total -= idle.len();
            (idle, std::mem::take(&mut state.waiting))
        };
        self.closed.send_replace(true);
        drop((idle, waiting));
    }

    /// Checks one text, on its own.
    async fn run(
        self: Arc<Self>,
        id: String,
        code: String,
        options: CheckOptions,
        deadline: Instant,
    ) -> Outcome {
        let split = Split::new(&code, options.imports);
        let header = split.header();
        let mut outcome = Outcome {
            id,
            time: 0.0,
            header_time: 0.0,
            result: Err(Failure::Cancelled),
            audit: None,
            diagnostics: Diagnostics::default(),
        };
        let mut lease = match self.acquire(&header, options.reuse, deadline).await {
            Ok(lease) => lease,
            Err(failure) => {
                self.counts.refused.fetch_add(u64::from(matches!(failure, Failure::Busy { .. })), Relaxed);
                outcome.result = Err(failure);
                return outcome;
            }
        };
        let count = if lease.held.is_some() { &self.counts.hits } else { &self.counts.misses };
        count.fetch_add(1, Relaxed);
        for attempt in 1..=2 {
            outcome.diagnostics.attempts = attempt;
            let failure = match lease.attempt(&code, &split, &options, &mut outcome).await {
                Ok(reply) => {
                    outcome.result = Ok(reply);
                    break;
                }
                Err(failure) => failure,
            };
            // Whatever it was, this process is not used again.
            lease.discard();
            self.record(&outcome.id, format!("attempt {attempt}: {failure}"));
            let count = match &failure {
                Failure::Timeout { .. } | Failure::CpuLimit { .. } => Some(&self.counts.timeouts),
                Failure::Crashed { .. } => Some(&self.counts.crashes),
                Failure::OutOfMemory { .. } => Some(&self.counts.out_of_memory),
                Failure::Protocol { .. } => Some(&self.counts.protocol_errors),
                _ => None,
            };
            count.inspect(|count| {
                count.fetch_add(1, Relaxed);
            });
            let again = matches!(
                failure,
                Failure::Crashed { .. } | Failure::OutOfMemory { .. } | Failure::Protocol { .. }
            );
            if let Failure::Timeout { seconds, .. } = failure {
                outcome.time = seconds;
            }
            outcome.result = Err(failure);
            if !again {
                break;
            }
            self.counts.restarts.fetch_add(u64::from(attempt == 1), Relaxed);
        }
        outcome
    }

    /// Joins an identical check that is under way, or begins one.
    async fn shared(
        self: &Arc<Self>,
        snippet: &Snippet,
        options: &CheckOptions,
        deadline: Instant,
    ) -> Outcome {
        let question = Question {
            code: snippet.code.clone(),
            timeout: options.timeout,
            infotree: options.infotree,
            all_tactics: options.all_tactics,
            root_goals: options.root_goals,
            imports: options.imports,
            audit: options.audit,
        };
        let (flight, joined) = {
            let mut flights = locked(&self.flights);
            let there = flights.get(&question).filter(|flight| flight.deadline <= deadline);
            match there.and_then(|flight| flight.future.upgrade()) {
                Some(flight) => (flight, true),
                None => {
                    let (inner, code) = (self.clone(), snippet.code.clone());
                    let work = inner.run(snippet.id.clone(), code, options.clone(), deadline);
                    let future: Shared<BoxFuture<'static, Outcome>> = work.boxed().shared();
                    if let Some(weak) = future.downgrade() {
                        flights.insert(question.clone(), Flight { future: weak, deadline });
                    }
                    (future, false)
                }
            }
        };
        self.counts.shared.fetch_add(u64::from(joined), Relaxed);
        /// Forgets the flight when nobody is on it any more.
        struct Landing<'a>(&'a Inner, &'a Question, Option<Shared<BoxFuture<'static, Outcome>>>);
        impl Drop for Landing<'_> {
            fn drop(&mut self) {
                self.2 = None;
                let mut flights = locked(&self.0.flights);
                if flights.get(self.1).is_some_and(|flight| flight.future.upgrade().is_none()) {
                    flights.remove(self.1);
                }
            }
        }
        let landing = Landing(self, &question, Some(flight.clone()));
        let outcome = flight.await;
        drop(landing);
        Outcome { id: snippet.id.clone(), ..outcome }
    }
}

/// The time after this; for far too long ones, a time that nobody sees.
pub(crate) fn after(wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + wait.min(YEAR)
}

impl Lease {
    /// Starts a process and loads the header, unless there is one that has it. A reply means that the header
    /// cannot be loaded.
    pub async fn prepare(&mut self, split: &Split, options: &CheckOptions) -> Result<Option<Reply>, Failure> {
        if self.held.is_some() {
            return Ok(None);
        }
        let inner = self.inner.clone();
        inner.counts.started.fetch_add(1, Relaxed);
        let healthy = |healthy| locked(&inner.state).healthy = Some(healthy);
        let mut started = worker(&inner.setup).inspect_err(|_| healthy(false))?;
        let loaded = started.load(split, options).await;
        healthy(loaded.is_ok());
        let reply = loaded?;
        if reply.is_none() {
            self.held = Some(Held { worker: started, header: self.header.clone(), uses: 0 });
        }
        Ok(reply)
    }

    /// The worker of a lease that is prepared; from here on it is lost unless [`Lease::done`] is called.
    pub fn worker(&mut self) -> Option<&mut Box<dyn Worker>> {
        self.dirty = true;
        self.held.as_mut().map(|held| &mut held.worker)
    }

    /// Kills the process and keeps its place.
    fn discard(&mut self) {
        self.held = None;
        self.dirty = false;
    }

    async fn attempt(
        &mut self,
        code: &str,
        split: &Split,
        options: &CheckOptions,
        outcome: &mut Outcome,
    ) -> Result<Reply, Failure> {
        outcome.diagnostics.reused_header = self.held.is_some();
        let begin = Instant::now();
        let unloaded = self.prepare(split, options).await?;
        outcome.header_time =
            if outcome.diagnostics.reused_header { 0.0 } else { begin.elapsed().as_secs_f64() };
        if let Some(reply) = unloaded {
            return Ok(reply);
        }
        let Some(worker) = self.worker() else { return Err(Failure::Cancelled) };
        let begin = Instant::now();
        let answer = worker.check(code, split, options).await;
        outcome.time = begin.elapsed().as_secs_f64();
        outcome.diagnostics.repl_uuid = worker.uuid().to_string();
        if let Some(usage) = worker.usage() {
            outcome.diagnostics.cpu_max = usage.cpu_percent();
            outcome.diagnostics.memory_max = usage.resident_max.load(Relaxed);
        }
        let answer = answer?;
        outcome.time = answer.time;
        outcome.audit = match &answer.reply {
            Reply::Response(response) if options.audit && !response.has_errors() => {
                Some(worker.audit(code, split, options).await)
            }
            _ => None,
        };
        if let Some(held) = &mut self.held {
            held.uses += 1;
        }
        self.dirty = false;
        let spoilt = self.held.as_ref().is_some_and(|held| held.worker.spoilt());
        self.inner.counts.recycled.fetch_add(u64::from(spoilt), Relaxed);
        if spoilt || matches!(answer.reply, Reply::ReplError { .. }) {
            self.discard();
        }
        Ok(answer.reply)
    }
}

impl Pool {
    /// Starts a pool, on the runtime of the caller; warm headers are loaded in the background.
    ///
    /// # Errors
    /// `bad_request` when the configuration makes no sense or the command does not exist.
    pub async fn start(config: PoolConfig) -> Result<Pool, Error> {
        let bad = |message: String, field| Err(Error::new(Code::BadRequest, message).at(field));
        config.engine.validate()?;
        let warm: usize = config.warm.values().sum();
        if config.max_processes == 0 || warm > config.max_processes {
            let message = format!(
                "{warm} warm processes are asked for and {} allowed; raise the number of processes",
                config.max_processes.max(1)
            );
            return bad(message, "max_processes");
        }
        if config.address_space_limit.is_some() && !cfg!(target_os = "linux") {
            return bad("limits on the address space need Linux".into(), "address_space_limit");
        }
        // Warm headers under the names that snippets with them have.
        let mut config = config;
        let mut warm = BTreeMap::new();
        for (header, count) in std::mem::take(&mut config.warm) {
            let split = Split::new(&header, Imports::AsWritten);
            if !split.after(&header).trim().is_empty() {
                return bad(format!("the warm header {header:?} is not a header"), "warm");
            }
            *warm.entry(split.header()).or_default() += count;
        }
        config.warm = warm;
        let limits = Limits { memory: config.memory_limit, cpu: config.cpu_limit };
        let monitor = Monitor::start(limits)
            .map_err(|e| Error::new(Code::BadRequest, format!("/bin/sh or a temporary directory: {e}")))?;
        let setup = Setup::new(&config, monitor);
        let inner = Arc::new(Inner {
            setup,
            state: Mutex::default(),
            counts: Counts::default(),
            flights: Mutex::default(),
            failures: Mutex::default(),
            active: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            warmed: watch::Sender::new(config.warm.is_empty().then_some(Ok(()))),
            config,
        });
        if !inner.config.warm.is_empty() {
            tokio::spawn(Inner::warm_all(Arc::downgrade(&inner)));
        }
        Ok(Pool { handle: Arc::new(Handle { inner }) })
    }

    /// Checks a snippet. Drop the future to cancel: its process is killed if it had begun.
    pub async fn check(&self, snippet: Snippet, options: &CheckOptions) -> Outcome {
        let inner = &self.handle.inner;
        let deadline = options.deadline.unwrap_or_else(|| after(inner.config.max_wait));
        let none = |failure| Outcome {
            id: snippet.id.clone(),
            time: 0.0,
            header_time: 0.0,
            result: Err(failure),
            audit: None,
            diagnostics: Diagnostics::default(),
        };
        if locked(&inner.state).draining {
            return none(Failure::Cancelled);
        }
        /// Counts a check, and whether it came to its end.
        struct Active<'a>(&'a Inner, bool);
        impl Drop for Active<'_> {
            fn drop(&mut self) {
                let count = if self.1 { &self.0.counts.checks } else { &self.0.counts.cancelled };
                count.fetch_add(1, Relaxed);
                self.0.active.send_modify(|active| *active -= 1);
            }
        }
        inner.active.send_modify(|active| *active += 1);
        let mut active = Active(inner, false);
        let mut closed = inner.closed.subscribe();
        let work = async {
            loop {
                if !options.reuse {
                    let (id, code) = (snippet.id.clone(), snippet.code.clone());
                    return inner.clone().run(id, code, options.clone(), deadline).await;
                }
                let outcome = inner.shared(&snippet, options, deadline).await;
                // Whom it joined may have had less time to wait.
                let busy = matches!(outcome.result, Err(Failure::Busy { .. }));
                if !busy || Instant::now() >= deadline {
                    return outcome;
                }
            }
        };
        let closing = closed.wait_for(|closed| *closed);
        let outcome = match futures_util::future::select(std::pin::pin!(work), std::pin::pin!(closing)).await
        {
            futures_util::future::Either::Left((outcome, _)) => outcome,
            futures_util::future::Either::Right(_) => none(Failure::Cancelled),
        };
        active.1 = true;
        outcome
    }

    /// A process of its own with this header, for a conversation: commands that build on each other, tactic
    /// steps, pickles. REPL engine only.
    ///
    /// # Errors
    /// As for a check; an error in the header is [`Failure::Refused`].
    pub async fn session(&self, header: &str, options: &CheckOptions) -> Result<Session, Failure> {
        let inner = &self.handle.inner;
        let deadline = options.deadline.unwrap_or_else(|| after(inner.config.max_wait));
        if matches!(inner.config.engine, EngineConfig::Lean { .. }) {
            let reason = "sessions need leanprover-community/repl; this pool runs `lean` itself".into();
            return Err(Failure::Refused { reason });
        }
        if locked(&inner.state).draining {
            return Err(Failure::Cancelled);
        }
        let split = Split::new(header, options.imports);
        if !split.after(header).trim().is_empty() {
            let reason = "a session begins with a header: import lines alone".into();
            return Err(Failure::Refused { reason });
        }
        let mut lease = inner.acquire(&split.header(), options.reuse, deadline).await?;
        match lease.prepare(&split, options).await? {
            None => Ok(Session::new(lease, options.timeout)),
            Some(reply) => {
                Err(Failure::Refused { reason: format!("the header has an error: {}", reply.text()) })
            }
        }
    }

    /// What the pool is doing.
    pub fn status(&self) -> PoolStatus {
        let inner = &self.handle.inner;
        let count = |count: &AtomicU64| count.load(Relaxed);
        let counts = &inner.counts;
        let mut status = PoolStatus {
            max_processes: inner.config.max_processes,
            hits: count(&counts.hits),
            misses: count(&counts.misses),
            shared: count(&counts.shared),
            checks: count(&counts.checks),
            crashes: count(&counts.crashes),
            timeouts: count(&counts.timeouts),
            out_of_memory: count(&counts.out_of_memory),
            protocol_errors: count(&counts.protocol_errors),
            cancelled: count(&counts.cancelled),
            refused: count(&counts.refused),
            started: count(&counts.started),
            restarts: count(&counts.restarts),
            recycled: count(&counts.recycled),
            evicted: count(&counts.evicted),
            resident_bytes: inner.setup.monitor.resident(),
            last_failures: locked(&inner.failures).iter().cloned().collect(),
            ..PoolStatus::default()
        };
        let warmed = matches!(*inner.warmed.borrow(), Some(Ok(())));
        let state = locked(&inner.state);
        let mut headers: BTreeMap<&String, HeaderStatus> = BTreeMap::new();
        let busy = state.busy.iter().map(|(header, busy)| (header, *busy));
        for (header, busy) in state.idle.iter().map(|held| (&held.header, 0)).chain(busy) {
            let entry = headers.entry(header).or_default();
            entry.header.clone_from(header);
            entry.processes += busy.max(1);
            entry.busy += busy;
        }
        status.headers = headers.into_values().collect();
        status.headers.sort_by_key(|header| std::cmp::Reverse(header.processes));
        status.processes = state.total;
        status.busy = state.total - state.idle.len();
        status.waiting = state.waiting.iter().filter(|waiter| !waiter.grant.is_closed()).count();
        status.draining = state.draining;
        status.ready = warmed && !state.draining && state.healthy != Some(false);
        status
    }

    /// Whether work would be done now: the processes start and the warm headers are loaded. Waits for
    /// warm headers that are being loaded, and starts a process if none has been started yet.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn ready(&self) -> Result<(), String> {
        let inner = &self.handle.inner;
        let mut warmed = inner.warmed.subscribe();
        let warm = match warmed.wait_for(Option::is_some).await {
            Ok(warmed) => warmed.clone().unwrap_or(Ok(())),
            Err(_) => Err("the pool is gone".into()),
        };
        warm?;
        let (draining, healthy) = {
            let state = locked(&inner.state);
            (state.draining, state.healthy)
        };
        if draining {
            return Err("the pool is closing".into());
        }
        if healthy == Some(true) {
            return Ok(());
        }
        let options = CheckOptions {
            deadline: Some(Instant::now() + Duration::from_secs(5)),
            ..CheckOptions::default()
        };
        let outcome = self.check(Snippet { id: "ready".into(), code: String::new() }, &options).await;
        match outcome.result {
            // All at work.
            Ok(Reply::Response(response)) if !response.has_errors() => Ok(()),
            Err(Failure::Busy { .. }) => Ok(()),
            Ok(reply) => Err(reply.text()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Takes no more work, lets what was begun or waits end within `limit`, then ends all processes. What
    /// has not ended by then is [`Failure::Cancelled`].
    pub async fn drain(&self, limit: Duration) {
        let inner = &self.handle.inner;
        locked(&inner.state).draining = true;
        let mut active = inner.active.subscribe();
        let _ = tokio::time::timeout(limit, active.wait_for(|active| *active == 0)).await;
        inner.close();
        let _ = tokio::time::timeout(Duration::from_secs(5), active.wait_for(|active| *active == 0)).await;
        inner.setup.monitor.buried(Duration::from_secs(5)).await;
    }
}
