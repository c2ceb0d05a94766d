//! The asking side: Lazy Pirate. Callers on any thread write their requests themselves and wait for what
//! becomes of them; one thread of the client reads all answers and watches the time.
//!
//! An attempt that is not answered in time is repeated over a fresh connection. Each attempt has a
//! correlation id of its own: an answer to an earlier one is dropped and counted, never taken for an
//! answer to the present one. So a server may be asked the same thing twice; [`CallOptions::once`] is for
//! what must not be repeated.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::Waker;
use serde::Deserialize;

use super::hub::{ClientSecurity, ConnId, Event, Hub, HubLimits, Poller};
use super::message::{Body, Refusal, Reply, Request};
use super::metrics::{Counter, Histogram, Report};
use super::net::Endpoint;
use super::zmtp::Message;
use crate::error::{Code, Error, Result, guarded};

/// How to reach a server, and how long to try.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where it is: a broker, a worker, or any REP or ROUTER socket that speaks our envelope.
    pub endpoint: Endpoint,
    /// Who we are and whom we trust.
    pub security: ClientSecurity,
    /// How long to wait for the answer to one attempt. Default 2.5 s.
    pub timeout: Duration,
    /// How many attempts may follow the first. Default 3.
    pub retries: u32,
    /// The pause before the second attempt; it doubles from there on, to at most 5 s, and is varied by
    /// half in both directions. Default 100 ms.
    pub backoff: Duration,
    /// Requests that may be under way at a time; more are refused. Default 10,000.
    pub in_flight: usize,
    /// How long closing waits until everything is sent. Default 100 ms.
    pub linger: Duration,
    /// What the connections may take.
    pub limits: HubLimits,
}

impl ClientConfig {
    /// The defaults, without security.
    pub fn new(endpoint: Endpoint) -> Self {
        ClientConfig {
            endpoint,
            security: ClientSecurity::Plain { anywhere: false },
            timeout: Duration::from_millis(2500),
            retries: 3,
            backoff: Duration::from_millis(100),
            in_flight: 10_000,
            linger: Duration::from_millis(100),
            limits: HubLimits::default(),
        }
    }
}

/// A configuration as JSON; what is absent is as in [`ClientConfig::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonConfig {
    endpoint: String,
    timeout_ms: Option<u64>,
    retries: Option<u32>,
    backoff_ms: Option<u64>,
    in_flight: Option<usize>,
    linger_ms: Option<u64>,
    max_message_bytes: Option<usize>,
    key: Option<String>,
    server_key: Option<String>,
    #[serde(default)]
    plaintext: bool,
}

impl ClientConfig {
    /// Reads a JSON object: `endpoint`, and, each optional, `timeout_ms`, `retries`, `backoff_ms`,
    /// `in_flight`, `linger_ms`, `max_message_bytes`, and what [`ClientSecurity::choose`] takes: `key`,
    /// `server_key`, `plaintext`. Other keys are refused.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let c: JsonConfig = serde_json::from_slice(json).map_err(|e| {
            let code = if e.is_data() { Code::BadRequest } else { Code::Parse };
            Error::new(code, format!("the configuration of a client: {e}")).at("config")
        })?;
        let mut config = ClientConfig::new(Endpoint::parse(&c.endpoint)?);
        config.security = ClientSecurity::choose(c.key.as_deref(), c.server_key.as_deref(), c.plaintext)?;
        config.retries = c.retries.unwrap_or(config.retries);
        config.in_flight = c.in_flight.unwrap_or(config.in_flight);
        config.timeout = c.timeout_ms.map_or(config.timeout, Duration::from_millis);
        config.backoff = c.backoff_ms.map_or(config.backoff, Duration::from_millis);
        config.linger = c.linger_ms.map_or(config.linger, Duration::from_millis);
        if let Some(most) = c.max_message_bytes {
            config.limits.received.message = most;
        }
        Ok(config)
    }
}

/// What is special about one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// In place of that of the configuration.
    pub timeout: Option<Duration>,
    /// In place of that of the configuration.
    pub retries: Option<u32>,
    /// When to give up, whatever attempts are left.
    pub deadline: Option<Duration>,
    /// Send it once at most: it is not repeated once it may have reached the server.
    pub once: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nobody answered in time.
    Timeout(String),
    /// The server could not be reached, or the connection was lost.
    Unreachable(String),
    /// The server refused.
    Server(Refusal),
    /// The answer cannot be read.
    Decode(String),
    /// The request was cancelled.
    Cancelled,
    /// The client was closed, before the request or while it was under way.
    Closed,
    /// The request was not sent: it is not well-formed, or there are too many.
    Request(Error),
}

impl CallError {
    /// The code of the error; a server's own codes are [`Code::Internal`].
    pub fn code(&self) -> Code {
        match self {
            CallError::Timeout(_) => Code::Timeout,
            CallError::Unreachable(_) => Code::Unreachable,
            CallError::Server(refusal) => Code::of_name(&refusal.code).unwrap_or(Code::Internal),
            CallError::Decode(_) => Code::Parse,
            CallError::Cancelled | CallError::Closed => Code::Cancelled,
            CallError::Request(e) => e.code,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Timeout(m) => write!(f, "timeout: {m}"),
            CallError::Unreachable(m) => write!(f, "unreachable: {m}"),
            CallError::Server(r) => write!(f, "the server refused: {}: {}", r.code, r.message),
            CallError::Decode(m) => write!(f, "the answer cannot be read: {m}"),
            CallError::Cancelled => write!(f, "cancelled"),
            CallError::Closed => write!(f, "the client is closed"),
            CallError::Request(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for CallError {}

/// What becomes of a request.
pub type Outcome<T> = std::result::Result<T, CallError>;

/// What a client has done.
#[derive(Debug, Default)]
pub struct ClientMetrics {
    /// Requests that were made.
    pub requests: Counter,
    /// Requests that were answered.
    pub answered: Counter,
    /// Requests that ended in an error.
    pub failed: Counter,
    /// Attempts after the first.
    pub retries: Counter,
    /// Attempts that were not answered in time.
    pub timeouts: Counter,
    /// Answers to earlier attempts, second answers and answers to nothing; dropped.
    pub late: Counter,
    /// Messages that are none of ours; dropped.
    pub garbage: Counter,
    /// Connections that were begun.
    pub connections: Counter,
    /// Bytes of payloads and arrays sent.
    pub bytes_sent: Counter,
    /// Bytes of payloads and arrays received.
    pub bytes_received: Counter,
    /// Requests under way.
    pub in_flight: Counter,
    /// From a request to its answer.
    pub latency: Histogram,
}

impl ClientMetrics {
    /// All of it.
    pub fn report(&self) -> Report<'_> {
        Report {
            prefix: "lean_oracle_client",
            counters: vec![
                ("requests_total", "Requests made.", false, self.requests.get()),
                ("answered_total", "Requests answered.", false, self.answered.get()),
                ("failed_total", "Requests that ended in an error.", false, self.failed.get()),
                ("retries_total", "Attempts after the first.", false, self.retries.get()),
                ("timeouts_total", "Attempts not answered in time.", false, self.timeouts.get()),
                ("late_replies_total", "Late and double replies dropped.", false, self.late.get()),
                ("garbage_total", "Unreadable messages dropped.", false, self.garbage.get()),
                ("connections_total", "Connections begun.", false, self.connections.get()),
                ("sent_bytes_total", "Bytes of payloads sent.", false, self.bytes_sent.get()),
                ("received_bytes_total", "Bytes of payloads received.", false, self.bytes_received.get()),
                ("in_flight", "Requests under way.", true, self.in_flight.get()),
            ],
            latency: ("latency_seconds", "From a request to its answer.", &self.latency),
        }
    }
}

enum Ask {
    Envelope {
        op: String,
        body: Body,
    },
    /// Frames as they are, over a connection of their own.
    Raw(Message),
}

enum Answer {
    Body(Body),
    Raw(Message),
}

/// A client of one server. It may be used from any thread; dropping it ends what is under way.
pub struct Client {
    shared: Arc<Shared>,
    metrics: Arc<ClientMetrics>,
    next: Counter,
    in_flight: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A request under way. Dropping it cancels the request.
pub struct Pending {
    id: u64,
    done: Receiver<Outcome<Answer>>,
    shared: Arc<Shared>,
    finished: bool,
}

/// How often a flag is looked at by those who wait.
const FLAG_PERIOD: Duration = Duration::from_millis(5);

impl Pending {
    fn finish(&mut self, cancel: Option<&AtomicBool>) -> Outcome<Answer> {
        // A channel that is closed without an answer means that the client's thread is gone.
        let closed = Err(CallError::Closed);
        let outcome = loop {
            let Some(flag) = cancel else { break self.done.recv().unwrap_or(closed) };
            match self.done.recv_timeout(FLAG_PERIOD) {
                Ok(outcome) => break outcome,
                Err(RecvTimeoutError::Disconnected) => break closed,
                Err(RecvTimeoutError::Timeout) if flag.load(Ordering::Relaxed) => {
                    self.canceller()();
                    break self.done.recv().unwrap_or(closed);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        self.finished = true;
        outcome
    }

    /// Waits for what becomes of it, which takes no longer than its timeouts or its deadline. An answer
    /// to raw frames must be one frame, which is taken for JSON.
    pub fn wait(self) -> Outcome<Body> {
        self.wait_unless(None)
    }

    /// As [`Pending::wait`], and cancels the request soon after the flag is set.
    pub fn wait_unless(mut self, cancel: Option<&AtomicBool>) -> Outcome<Body> {
        match self.finish(cancel)? {
            Answer::Body(body) => Ok(body),
            Answer::Raw(mut frames) if frames.len() == 1 => Ok(Body::json(frames.swap_remove(0))),
            Answer::Raw(frames) => {
                Err(CallError::Decode(format!("{} frames came where one was expected", frames.len())))
            }
        }
    }

    /// Waits for the frames that answer raw ones.
    fn wait_raw(mut self) -> Outcome<Message> {
        match self.finish(None)? {
            Answer::Raw(frames) => Ok(frames),
            Answer::Body(body) => Ok(vec![body.payload]),
        }
    }

    /// Ends it, from any thread: [`Pending::wait`] returns [`CallError::Cancelled`], unless it was
    /// answered before.
    pub fn canceller(&self) -> impl Fn() + Send + Sync + 'static {
        let (id, shared) = (self.id, self.shared.clone());
        move || {
            shared.with(|io| io.cancel(id));
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.finished {
            self.canceller()();
        }
    }
}

impl Client {
    /// Starts a client. It connects with the first request; a server that is not there is no error yet.
    pub fn new(config: ClientConfig) -> Result<Self> {
        if let ClientSecurity::Plain { anywhere: false } = config.security
            && !config.endpoint.is_local()
        {
            let message = format!("{} is not on this machine: plaintext must be allowed", config.endpoint);
            return Err(Error::new(Code::Unauthorized, message).at("endpoint"));
        }
        let hub = Hub::new(config.limits)?;
        let (waker, poller, metrics) = (hub.waker(), hub.poller(), Arc::new(ClientMetrics::default()));
        let in_flight = config.in_flight;
        let random = RandomState::new().build_hasher().finish();
        let io = Io {
            hub,
            config,
            metrics: metrics.clone(),
            prefix: format!("{random:016x}"),
            random: random | 1,
            calls: HashMap::new(),
            timers: BinaryHeap::new(),
            wakes: None,
            main: None,
            retired: Vec::new(),
            raw: HashMap::new(),
            finished: Vec::new(),
            closing: false,
        };
        let shared = Arc::new(Shared { io: Mutex::new(Some(io)), waker });
        let ours = shared.clone();
        let name = "lean-oracle-client".to_string();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            // A defect ends the thread, and with it the waiting of everybody: their channels close.
            let _ = guarded(|| {
                ours.run(&poller);
                Ok(())
            });
            *ours.lock() = None;
        });
        let thread =
            thread.map_err(|e| Error::new(Code::Internal, format!("no thread can be started: {e}")))?;
        let thread = Mutex::new(Some(thread));
        Ok(Client { shared, metrics, next: Counter::default(), in_flight, thread })
    }

    /// What it has done.
    pub fn metrics(&self) -> &ClientMetrics {
        &self.metrics
    }

    /// Makes a request.
    pub fn start(&self, op: &str, body: Body, options: CallOptions) -> Outcome<Pending> {
        self.begin(Ask::Envelope { op: op.into(), body }, options)
    }

    /// Asks and waits.
    pub fn call(&self, op: &str, body: Body, options: CallOptions) -> Outcome<Body> {
        self.start(op, body, options)?.wait()
    }

    /// Asks many things at once and waits for all; answers are in the order of the questions. No more
    /// are under way at a time than the configuration allows.
    pub fn call_batch(
        &self,
        questions: impl IntoIterator<Item = (String, Body)>,
        options: CallOptions,
    ) -> Vec<Outcome<Body>> {
        self.pipeline(questions, |(op, body)| self.start(&op, body, options), None)
    }

    /// Starts many requests, one after the other, and waits for all; no more are under way at a time than
    /// the configuration allows. Once the flag is set, those under way are cancelled and no more started.
    pub fn pipeline<T>(
        &self,
        questions: impl IntoIterator<Item = T>,
        start: impl Fn(T) -> Outcome<Pending>,
        cancel: Option<&AtomicBool>,
    ) -> Vec<Outcome<Body>> {
        let mut done = Vec::new();
        let mut waiting: VecDeque<Outcome<Pending>> = VecDeque::new();
        let wait = |p: Outcome<Pending>| p.and_then(|p| p.wait_unless(cancel));
        for question in questions {
            if waiting.len() >= (self.in_flight / 2).max(1)
                && let Some(first) = waiting.pop_front()
            {
                done.push(wait(first));
            }
            waiting.push_back(match cancel {
                Some(flag) if flag.load(Ordering::Relaxed) => Err(CallError::Cancelled),
                _ => start(question),
            });
        }
        done.extend(waiting.into_iter().map(wait));
        done
    }

    /// Sends frames as they are, as a REQ socket would, each attempt over a connection of its own, and
    /// returns the frames of the answer. For servers that do not speak our envelope.
    pub fn call_raw(&self, frames: Message, options: CallOptions) -> Outcome<Message> {
        self.start_raw(frames, options)?.wait_raw()
    }

    /// Sends frames as [`Client::call_raw`] does.
    pub fn start_raw(&self, frames: Message, options: CallOptions) -> Outcome<Pending> {
        self.begin(Ask::Raw(frames), options)
    }

    /// Ends what is under way with [`CallError::Closed`], waits up to `linger` until what was sent has left,
    /// and closes the sockets. Any thread may do so, also more than once.
    pub fn close(&self) {
        self.shared.with(|io| io.closing = true);
        let _ = self.shared.waker.wake();
        // Whoever comes second waits until the first is done.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }

    /// Whether somebody answers: a JSON object that says how the server is.
    pub fn health(&self) -> Outcome<Body> {
        self.call("health", Body::json(&b"null"[..]), CallOptions { retries: Some(0), ..Default::default() })
    }

    fn begin(&self, ask: Ask, options: CallOptions) -> Outcome<Pending> {
        if self.metrics.in_flight.get() >= self.in_flight as u64 {
            let message = format!("{} requests are under way already", self.in_flight);
            return Err(CallError::Request(Error::new(Code::Busy, message)));
        }
        let id = self.next.next();
        let (done, result) = sync_channel(1);
        self.metrics.requests.add(1);
        self.metrics.in_flight.add(1);
        if !self.shared.with(|io| io.add(id, ask, options, done)) {
            self.metrics.in_flight.sub(1);
            self.metrics.failed.add(1);
            return Err(CallError::Closed);
        }
        Ok(Pending { id, done: result, shared: self.shared.clone(), finished: false })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

struct Call {
    ask: Ask,
    options: CallOptions,
    begun: Instant,
    /// When it is given up.
    end: Instant,
    done: SyncSender<Outcome<Answer>>,
    attempt: u32,
    /// Attempts that ran into their timeout.
    timeouts: u32,
    /// The connection that the present attempt uses; none in a pause between attempts.
    connection: Option<ConnId>,
    /// Whether the present attempt was sent.
    sent: bool,
    /// When something is to be done about it.
    due: Instant,
}

/// The connection that envelopes go over.
struct Main {
    id: ConnId,
    open: bool,
}

/// What callers and the thread of a client have in common.
struct Shared {
    /// None when the client is closed.
    io: Mutex<Option<Io>>,
    waker: Arc<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Io>> {
        self.io.lock().unwrap_or_else(|poisoned| {
            // A defect in the middle of something: nothing of it is used again.
            let mut io = poisoned.into_inner();
            *io = None;
            io
        })
    }

    /// Does something, and has the thread do what follows from it, if it would not by itself. False, and
    /// nothing is done, if the client is closed.
    fn with(&self, action: impl FnOnce(&mut Io)) -> bool {
        let mut guard = self.lock();
        let Some(io) = guard.as_mut().filter(|io| !io.closing) else { return false };
        action(io);
        if io.due().is_some_and(|due| io.wakes.is_none_or(|wakes| due < wakes)) {
            let _ = self.waker.wake();
        }
        let finished = std::mem::take(&mut io.finished);
        drop(guard);
        deliver(finished);
        true
    }

    /// Reads answers and watches the time until the client is closed.
    fn run(&self, poller: &Poller) {
        loop {
            let (wakes, finished) = {
                let mut io = self.lock();
                let Some(io) = &mut *io else { return };
                io.hub.handle();
                while let Some(event) = io.hub.next_event() {
                    io.event(event);
                }
                let now = Instant::now();
                io.timers(now);
                if io.closing {
                    return io.close();
                }
                // With nothing to do, the time that was set before stays: the next request, which will
                // have to be watched only later, need not wake this thread.
                io.wakes = io.due().or(io.wakes.filter(|wakes| *wakes > now));
                (io.wakes, std::mem::take(&mut io.finished))
            };
            deliver(finished);
            poller.wait(wakes);
        }
    }
}

/// Tells callers what became of their requests. They go on at once, so nothing is locked meanwhile.
fn deliver(finished: Vec<Finished>) {
    for (done, outcome) in finished {
        // Nobody waits any more: that is their right.
        let _ = done.try_send(outcome);
    }
}

/// Whom to tell what became of a request.
type Finished = (SyncSender<Outcome<Answer>>, Outcome<Answer>);

/// What a client works on.
struct Io {
    hub: Hub,
    config: ClientConfig,
    metrics: Arc<ClientMetrics>,
    /// What our correlation ids begin with.
    prefix: String,
    random: u64,
    calls: HashMap<u64, Call>,
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Until when the thread waits.
    wakes: Option<Instant>,
    /// The connection that envelopes go over.
    main: Option<Main>,
    /// Connections that were given up, kept for a while so that late answers are seen.
    retired: Vec<(Instant, ConnId)>,
    /// Connections of raw requests.
    raw: HashMap<ConnId, u64>,
    /// Requests that ended, and whose callers are not told yet.
    finished: Vec<Finished>,
    /// Whether the client is being closed.
    closing: bool,
}

/// Pauses between attempts are not longer.
const MOST_BACKOFF: Duration = Duration::from_secs(5);

impl Io {
    /// When there is something to do.
    fn due(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|t| t.0.0);
        timer.into_iter().chain(self.retired.first().map(|r| r.0)).chain(self.hub.due()).min()
    }

    fn close(&mut self) {
        let end = Instant::now() + self.config.linger;
        while !self.hub.flushed() && Instant::now() < end {
            self.hub.wait(Some(end));
            while self.hub.next_event().is_some() {}
        }
        let calls: Vec<u64> = self.calls.keys().copied().collect();
        for id in calls {
            self.finish(id, Err(CallError::Closed));
        }
        deliver(std::mem::take(&mut self.finished));
    }

    fn add(&mut self, id: u64, ask: Ask, options: CallOptions, done: SyncSender<Outcome<Answer>>) {
        let begun = Instant::now();
        let attempts = options.retries.unwrap_or(self.config.retries).saturating_add(1);
        let tries = options.timeout.unwrap_or(self.config.timeout).saturating_mul(attempts);
        // Pauses between attempts are not counted against them; whoever set a deadline means it.
        let all =
            options.deadline.unwrap_or(Duration::MAX).min(tries.saturating_add(MOST_BACKOFF * attempts));
        // A century is for ever, and can be added to any time.
        let end = begun + all.min(Duration::from_secs(100 * 365 * 86_400));
        let call = Call {
            ask,
            options,
            begun,
            end,
            done,
            attempt: 0,
            timeouts: 0,
            connection: None,
            sent: false,
            due: begun,
        };
        self.calls.insert(id, call);
        self.attempt(id);
    }

    fn finish(&mut self, id: u64, outcome: Outcome<Answer>) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.metrics.in_flight.sub(1);
        match &outcome {
            Ok(_) => {
                self.metrics.answered.add(1);
                self.metrics.latency.add(call.begun.elapsed());
            }
            Err(_) => self.metrics.failed.add(1),
        }
        if let (Ask::Raw(_), Some(connection)) = (&call.ask, call.connection) {
            self.raw.remove(&connection);
            self.hub.close(connection);
        }
        self.finished.push((call.done, outcome));
    }

    fn cancel(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        if let (Ask::Envelope { .. }, Some(connection), true) = (&call.ask, call.connection, call.sent) {
            // Who has the request may forget it; no answer is expected.
            let correlation_id = self.correlation_id(id, call.attempt);
            let body = Body::json(&b"null"[..]);
            let request = Request { correlation_id, op: CANCEL.into(), deadline_ms: None, body };
            let _ = self.hub.send(connection, &addressed(request.frames()));
        }
        self.finish(id, Err(CallError::Cancelled));
    }

    fn correlation_id(&self, id: u64, attempt: u32) -> String {
        format!("{}-{id}.{attempt}", self.prefix)
    }

    /// Begins the next attempt.
    fn attempt(&mut self, id: u64) {
        let now = Instant::now();
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.attempt += 1;
        call.sent = false;
        call.due = (now + call.options.timeout.unwrap_or(self.config.timeout)).min(call.end);
        self.timers.push(Reverse((call.due, id)));
        if call.attempt > 1 {
            self.metrics.retries.add(1);
        }
        let raw = matches!(call.ask, Ask::Raw(_));
        if let (false, Some(main)) = (raw, &self.main) {
            call.connection = Some(main.id);
            if main.open {
                self.send(id);
            }
            return;
        }
        self.metrics.connections.add(1);
        match self.hub.connect(&self.config.endpoint, &self.config.security) {
            Ok(connection) => {
                call.connection = Some(connection);
                if raw {
                    self.raw.insert(connection, id);
                } else {
                    self.main = Some(Main { id: connection, open: false });
                }
            }
            Err(e) => self.failed(id, CallError::Unreachable(e.message)),
        }
    }

    fn send(&mut self, id: u64) {
        let correlation = self.calls.get(&id).map(|c| self.correlation_id(id, c.attempt));
        let (Some(call), Some(correlation_id)) = (self.calls.get_mut(&id), correlation) else { return };
        let Some(connection) = call.connection else { return };
        let left = call.end.min(call.due).saturating_duration_since(Instant::now());
        let (frames, size) = match &call.ask {
            Ask::Raw(frames) => (frames.clone(), frames.iter().map(Bytes::len).sum()),
            Ask::Envelope { op, body } => {
                let deadline_ms = Some(left.as_millis().max(1) as u64);
                // Cloning a body copies no payload.
                let request = Request { correlation_id, op: op.clone(), deadline_ms, body: body.clone() };
                (request.frames(), body.len())
            }
        };
        call.sent = true;
        match self.hub.send(connection, &addressed(frames)) {
            Ok(()) => self.metrics.bytes_sent.add(size),
            // The hub tells of the loss of a connection; what it only refuses fails here.
            Err(e) => self.failed(id, CallError::Unreachable(e.message)),
        }
    }

    /// The present attempt has failed: another one follows after a pause, or none.
    fn failed(&mut self, id: u64, why: CallError) {
        let config = &self.config;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let connection = call.connection.take();
        if let (Ask::Raw(_), Some(connection)) = (&call.ask, connection) {
            self.raw.remove(&connection);
            self.hub.close(connection);
        }
        let now = Instant::now();
        let doubled = config.backoff.saturating_mul(1 << (call.attempt - 1).min(16)).min(MOST_BACKOFF);
        // Half to one and a half times as long, so that clients do not come back all at once.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let pause = doubled.mul_f64(0.5 + (self.random >> 11) as f64 / (1u64 << 53) as f64);
        let retries = call.options.retries.unwrap_or(config.retries);
        let timeout = call.options.timeout.unwrap_or(config.timeout);
        // A lost connection costs little, so it does not use up an attempt as silence does, but all
        // attempts together do not take longer than silence would.
        let time = timeout.saturating_mul(retries.saturating_add(1));
        let over = match why {
            CallError::Timeout(_) => call.timeouts > retries,
            _ => retries == 0 || call.begun.elapsed() + pause >= time,
        };
        if over || (call.options.once && call.sent) || now + pause >= call.end {
            return self.finish(id, Err(why));
        }
        call.due = now + pause;
        self.timers.push(Reverse((call.due, id)));
    }

    fn timers(&mut self, now: Instant) {
        while let Some(Reverse((due, id))) = self.timers.peek().copied() {
            let call = self.calls.get_mut(&id).filter(|c| c.due == due);
            if call.is_some() && due > now {
                break;
            }
            self.timers.pop();
            let Some(call) = call else { continue };
            let Some(connection) = call.connection else {
                self.attempt(id);
                continue;
            };
            call.timeouts += 1;
            let (attempts, seconds) = (call.attempt, call.begun.elapsed().as_secs_f64());
            self.metrics.timeouts.add(1);
            if self.main.as_ref().is_some_and(|s| s.id == connection) {
                // Whatever is wrong with this connection, the next attempt has another.
                self.main = None;
                self.retired.push((now + self.config.timeout, connection));
            }
            let what =
                format!("no answer from {} in {seconds:.3} s, attempts: {attempts}", self.config.endpoint);
            self.failed(id, CallError::Timeout(what));
        }
        while let Some((until, connection)) = self.retired.first().copied()
            && until <= now
        {
            self.retired.remove(0);
            if self.calls.values().any(|c| c.connection == Some(connection)) {
                self.retired.push((now + self.config.timeout, connection));
            } else {
                self.hub.close(connection);
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Opened(connection, ..) => {
                if let Some(main) = self.main.as_mut().filter(|s| s.id == connection) {
                    main.open = true;
                }
                let waiting = self.calls.iter().filter(|(_, c)| c.connection == Some(connection) && !c.sent);
                let mut waiting: Vec<u64> = waiting.map(|(id, _)| *id).collect();
                waiting.sort_unstable();
                for id in waiting {
                    self.send(id);
                }
            }
            Event::Closed(connection, e) => {
                self.retired.retain(|(_, c)| *c != connection);
                self.raw.remove(&connection);
                if self.main.as_ref().is_some_and(|s| s.id == connection) {
                    self.main = None;
                }
                let lost = self.calls.iter().filter(|(_, c)| c.connection == Some(connection));
                let lost: Vec<u64> = lost.map(|(id, _)| *id).collect();
                for id in lost {
                    match e.code {
                        // They will not let us in the next time either.
                        Code::Unauthorized | Code::BadRequest => {
                            self.finish(id, Err(CallError::Request(e.clone())));
                        }
                        _ => self.failed(id, CallError::Unreachable(e.message.clone())),
                    }
                }
            }
            Event::Message(connection, mut frames) => {
                if frames.first().is_some_and(Bytes::is_empty) && frames.len() > 1 {
                    frames.remove(0);
                }
                match self.raw.get(&connection).copied() {
                    Some(id) => {
                        self.metrics.bytes_received.add(frames.iter().map(Bytes::len).sum());
                        self.finish(id, Ok(Answer::Raw(frames)));
                    }
                    None => self.reply(&frames),
                }
            }
        }
    }

    fn reply(&mut self, frames: &[Bytes]) {
        let correlation = super::message::correlation_id(frames);
        let parse = |text: &str| {
            let (id, attempt) = text.strip_prefix(&self.prefix)?.strip_prefix('-')?.split_once('.')?;
            Some((id.parse::<u64>().ok()?, attempt.parse::<u32>().ok()?))
        };
        let Some((id, attempt)) = parse(&correlation) else {
            return self.metrics.garbage.add(1);
        };
        let call = self.calls.get(&id).filter(|c| c.attempt == attempt && c.connection.is_some());
        let Some(left) = call.map(|c| c.due.saturating_duration_since(Instant::now())) else {
            return self.metrics.late.add(1);
        };
        match Reply::read(frames) {
            // The time that we gave the server is over, which our own clock will say in a moment: whoever
            // is first, it is the same timeout, and another attempt may follow. Milliseconds that are sent
            // are rounded down, here and by a broker.
            Ok(Reply { outcome: Err(r), .. })
                if Code::of_name(&r.code) == Some(Code::Timeout) && left < Duration::from_millis(5) => {}
            Ok(Reply { outcome: Ok(body), .. }) => {
                self.metrics.bytes_received.add(body.len());
                self.finish(id, Ok(Answer::Body(body)));
            }
            // Nothing was done; another attempt may find somebody who does it.
            Ok(Reply { outcome: Err(r), .. })
                if matches!(Code::of_name(&r.code), Some(Code::Unreachable | Code::Busy)) =>
            {
                self.failed(id, CallError::Server(r));
            }
            Ok(Reply { outcome: Err(r), .. }) => self.finish(id, Err(CallError::Server(r))),
            Err(e) => self.finish(id, Err(CallError::Decode(e.to_string()))),
        }
    }
}

/// The operation that asks to forget the request of the same correlation id. It is not answered.
pub const CANCEL: &str = "$cancel";

/// With the empty frame that REP sockets need.
fn addressed(frames: Message) -> Message {
    [Bytes::new()].into_iter().chain(frames).collect()
}
