//! The answering side: functions with names, served to the clients of brokers and to clients that connect
//! directly.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::CANCEL;
use super::hub::{ClientSecurity, ConnId, Event, Hub, HubLimits, Peer, Poller, ServerSecurity};
use super::legacy;
use super::message::{Body, Incoming, Reply, Request, correlation_id};
use super::net::Endpoint;
use super::server::{Gate, Rate, answer_legacy, is_full, pirate, refusal, size, too_often};
use super::zmtp::Message;
use crate::error::{Code, Error, Result, guarded};

/// What a function is told beside its request.
pub struct Context {
    /// Becomes true when nobody waits for the answer any more.
    pub cancel: Arc<AtomicBool>,
}

type Function = dyn Fn(&Request, &Context) -> Result<Body> + Send + Sync;

/// Where a worker is to be reached.
#[derive(Clone, Debug)]
pub enum Place {
    /// At this broker.
    Broker(Endpoint, ClientSecurity),
    /// Here, for clients to connect to.
    Here(Endpoint, ServerSecurity),
}

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Where it is to be reached.
    pub places: Vec<Place>,
    /// How many requests it works on at a time. Default 1.
    pub threads: usize,
    /// Between heartbeats; should be that of the broker. Default 1 s.
    pub heartbeat: Duration,
    /// Requests of direct clients that may wait; more are refused. Default 1,000.
    pub queue: usize,
    /// Bytes of the requests of direct clients that may wait or be worked on; more are refused, those of up
    /// to 64 KiB excepted. Default 1 GiB.
    pub queue_bytes: usize,
    /// How often a direct client may ask.
    pub rate: Option<Rate>,
    /// What connections may take.
    pub limits: HubLimits,
}

impl WorkerConfig {
    /// The defaults.
    pub fn new(places: Vec<Place>) -> Self {
        WorkerConfig {
            places,
            threads: 1,
            heartbeat: Duration::from_secs(1),
            queue: 1000,
            queue_bytes: 1 << 30,
            rate: None,
            limits: HubLimits::default(),
        }
    }
}

/// Functions that can be served.
#[derive(Default)]
pub struct Functions(BTreeMap<String, Box<Function>>);

impl Functions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. It may be called from several threads; what it refuses or panics with becomes an
    /// error of the reply.
    pub fn on(
        mut self,
        op: &str,
        function: impl Fn(&Request, &Context) -> Result<Body> + Send + Sync + 'static,
    ) -> Self {
        self.0.insert(op.into(), Box::new(function));
        self
    }

    fn answer(&self, request: &Request, context: &Context) -> Result<Body> {
        match self.0.get(&request.op) {
            Some(function) => guarded(|| function(request, context)),
            None => {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                let message = format!("no operation {:?}; there are: {}", request.op, known.join(", "));
                Err(Error::new(Code::BadRequest, message).at("op"))
            }
        }
    }
}

/// A request on its way to a thread.
struct Job {
    connection: ConnId,
    /// What to put before the reply.
    head: Message,
    frames: Message,
    cancel: Arc<AtomicBool>,
    end: Option<Instant>,
}

/// A request that a thread has, or will have.
struct Running {
    connection: ConnId,
    /// Its number at the broker, or its correlation id.
    name: Bytes,
    cancel: Arc<AtomicBool>,
    end: Option<Instant>,
    size: usize,
}

/// A connection to a broker, or the pause before the next one.
struct Link {
    endpoint: Endpoint,
    security: ClientSecurity,
    connection: Option<ConnId>,
    open: bool,
    /// When the broker is taken for dead, or, without a connection, when to connect.
    due: Instant,
    pause: Duration,
}

/// A worker. [`Worker::run`] is the thread that reads requests and watches the time; the threads that
/// answer them write the answers themselves.
pub struct Worker {
    state: Arc<Mutex<State>>,
    to_do: Sender<Job>,
    poller: Poller,
    endpoints: Vec<Endpoint>,
    stop: Arc<AtomicBool>,
}

/// What the threads of a worker have in common.
struct State {
    hub: Hub,
    config: WorkerConfig,
    ready: Bytes,
    links: Vec<Link>,
    direct: HashMap<ConnId, Peer>,
    gate: Gate,
    /// What came in and is not given to the threads yet.
    jobs: Vec<Job>,
    running: Vec<Running>,
    /// When the next heartbeats are to be sent.
    beat: Instant,
}

impl Worker {
    /// Starts the threads, listens, and begins to connect.
    pub fn new(config: WorkerConfig, functions: Functions) -> Result<Self> {
        let mut hub = Hub::new(config.limits)?;
        let mut ops: Vec<&str> = functions.0.keys().map(String::as_str).collect();
        ops.push(legacy::OP);
        let ready = serde_json::json!({ "ops": ops }).to_string();
        let (mut links, mut endpoints) = (Vec::new(), Vec::new());
        for place in &config.places {
            match place {
                // A connection for each thread: a broker gives one request at a time to each.
                Place::Broker(endpoint, security) => links.extend((0..config.threads.max(1)).map(|_| Link {
                    endpoint: endpoint.clone(),
                    security: security.clone(),
                    connection: None,
                    open: false,
                    due: Instant::now(),
                    pause: pirate::FIRST_PAUSE,
                })),
                Place::Here(endpoint, security) => endpoints.push(hub.bind(endpoint, security.clone())?.1),
            }
        }
        let (to_do, jobs) = channel::<Job>();
        let (poller, waker, threads) = (hub.poller(), hub.waker(), config.threads.max(1));
        let state = Arc::new(Mutex::new(State {
            hub,
            gate: Gate::new(config.rate),
            beat: Instant::now() + config.heartbeat,
            config,
            ready: ready.into(),
            links,
            direct: HashMap::new(),
            jobs: Vec::new(),
            running: Vec::new(),
        }));
        let (jobs, functions) = (Arc::new(Mutex::new(jobs)), Arc::new(functions));
        for n in 0..threads {
            let (jobs, functions) = (jobs.clone(), functions.clone());
            // Weak, so that the sockets close with the worker, whatever is still at work.
            let (state, waker) = (Arc::downgrade(&state), waker.clone());
            let work = move || {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    let (connection, cancel) = (job.connection, job.cancel.clone());
                    let (head, id) = (job.head.clone(), correlation_id(&job.frames));
                    // Whatever fails, the thread goes on, and who asked is told.
                    let frames = guarded(|| Ok(perform(&functions, job)))
                        .unwrap_or_else(|e| head.into_iter().chain(Reply::error(id, &e).frames()).collect());
                    let Some(state) = state.upgrade() else { return };
                    let mut state = lock(&state);
                    state.running.retain(|r| !Arc::ptr_eq(&r.cancel, &cancel));
                    // Who asked may be gone; then the answer is for nobody.
                    if state.hub.send(connection, &frames).is_err() {
                        let _ = waker.wake();
                    }
                }
            };
            let started = std::thread::Builder::new().name(format!("worker-{n}")).spawn(work);
            started.map_err(|e| Error::new(Code::Internal, format!("no thread can be started: {e}")))?;
        }
        Ok(Worker { state, to_do, poller, endpoints, stop: Arc::default() })
    }

    /// Where it listens.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Ends [`Worker::run`], from any thread.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        lock(&self.state).hub.stopper(&self.stop)
    }

    /// Serves until it is stopped.
    pub fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            let (due, jobs) = {
                let mut state = lock(&self.state);
                (state.step(), std::mem::take(&mut state.jobs))
            };
            // Not before: who has done one needs the lock.
            for job in jobs {
                let _ = self.to_do.send(job);
            }
            self.poller.wait(due);
        }
        // Whatever is at work may stop.
        lock(&self.state).running.iter().for_each(Running::cancel);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Does what there is to do, and says when there is more even if nothing comes in.
    fn step(&mut self) -> Option<Instant> {
        self.hub.handle();
        while let Some(event) = self.hub.next_event() {
            self.event(event);
        }
        let now = Instant::now();
        self.running.iter().filter(|r| r.end.is_some_and(|end| end <= now)).for_each(Running::cancel);
        self.links(now);
        if now >= self.beat {
            for id in self.links.iter().filter(|l| l.open).filter_map(|l| l.connection) {
                let _ = self.hub.send(id, &[Bytes::from_static(pirate::HEARTBEAT)]);
            }
            self.beat = now + self.config.heartbeat;
        }
        let ends = self.running.iter().filter_map(|r| r.end).filter(|end| *end > now);
        ends.chain(self.links.iter().map(|l| l.due)).chain([self.beat]).chain(self.hub.due()).min()
    }

    /// Gives up brokers that are silent, and connects where a pause is over.
    fn links(&mut self, now: Instant) {
        let expiry = self.config.heartbeat * pirate::LIVENESS;
        for link in self.links.iter_mut().filter(|l| l.due <= now) {
            match link.connection.take() {
                Some(id) => {
                    self.hub.close(id);
                    self.running.iter().filter(|r| r.connection == id).for_each(Running::cancel);
                    rest(link, now);
                }
                None => match self.hub.connect(&link.endpoint, &link.security) {
                    Ok(id) => {
                        link.connection = Some(id);
                        link.due = now + expiry;
                    }
                    Err(_) => rest(link, now),
                },
            }
        }
    }

    fn event(&mut self, event: Event) {
        let now = Instant::now();
        let expiry = now + self.config.heartbeat * pirate::LIVENESS;
        match event {
            Event::Opened(id, peer, _) => match self.links.iter_mut().find(|l| l.connection == Some(id)) {
                Some(link) => {
                    link.open = true;
                    link.due = expiry;
                    let _ = self.hub.send(id, &[Bytes::from_static(pirate::READY), self.ready.clone()]);
                }
                None => {
                    self.direct.insert(id, peer);
                }
            },
            Event::Closed(id, _) => {
                self.direct.remove(&id);
                self.running.iter().filter(|r| r.connection == id).for_each(Running::cancel);
                if let Some(link) = self.links.iter_mut().find(|l| l.connection == Some(id)) {
                    link.connection = None;
                    rest(link, now);
                }
            }
            Event::Message(id, frames) => match self.links.iter_mut().find(|l| l.connection == Some(id)) {
                Some(link) => {
                    link.due = expiry;
                    link.pause = pirate::FIRST_PAUSE;
                    self.hear_broker(id, frames);
                }
                None => self.hear_client(id, frames, now),
            },
        }
    }

    fn hear_broker(&mut self, id: ConnId, mut frames: Message) {
        match &frames[..] {
            [beat] if &beat[..] == pirate::HEARTBEAT => {}
            [cancel, number] if &cancel[..] == pirate::CANCEL => {
                let meant = |r: &&Running| r.connection == id && r.name == *number;
                self.running.iter().filter(meant).for_each(Running::cancel);
            }
            // Up to the empty frame is what the reply begins with.
            [number, ..] => {
                let name = number.clone();
                let Some(at) = frames.iter().position(Bytes::is_empty) else { return };
                let rest = frames.split_off(at + 1);
                self.work(id, name, frames, rest);
            }
            [] => {}
        }
    }

    fn hear_client(&mut self, id: ConnId, frames: Message, now: Instant) {
        let incoming = Incoming::new(frames);
        let refused = match self.direct.get(&id) {
            Some(peer) if !self.gate.admits(peer, now) => Some(too_often()),
            _ if self.running.len() >= self.config.queue => {
                Some(Error::new(Code::Busy, format!("{} requests are waiting already", self.running.len())))
            }
            _ if is_full(size(&incoming.frames), self.config.queue_bytes, || {
                self.running.iter().map(|r| r.size).sum()
            }) =>
            {
                Some(Error::new(Code::Busy, "too many bytes are waiting already"))
            }
            _ => None,
        };
        if let Some(e) = refused {
            let _ = self.hub.send(id, &refusal(&incoming, &e));
            return;
        }
        if incoming.is_legacy() {
            // At once: its clients count on answers in the order of their questions.
            let _ = self.hub.send(id, &answer_legacy(&incoming));
            return;
        }
        let name: Bytes = correlation_id(&incoming.frames).into();
        match Request::peek(&incoming.frames) {
            Ok((op, _)) if op == CANCEL => {
                let meant = |r: &&Running| r.connection == id && r.name == name;
                self.running.iter().filter(meant).for_each(Running::cancel);
            }
            _ => self.work(id, name, incoming.address, incoming.frames),
        }
    }

    fn work(&mut self, connection: ConnId, name: Bytes, head: Message, frames: Message) {
        let cancel = Arc::new(AtomicBool::new(false));
        let deadline = Request::peek(&frames).ok().and_then(|(_, deadline)| deadline);
        let end = deadline.map(|ms| Instant::now() + Duration::from_millis(ms.min(86_400_000)));
        self.running.push(Running { connection, name, cancel: cancel.clone(), end, size: size(&frames) });
        self.jobs.push(Job { connection, head, frames, cancel, end });
    }
}

impl Running {
    fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// Begins the pause before the next connection, and doubles the one after it.
fn rest(link: &mut Link, now: Instant) {
    link.open = false;
    link.due = now + link.pause;
    link.pause = (link.pause * 2).min(pirate::LAST_PAUSE);
}

/// Answers one request. Whatever is in it, there is an answer.
fn perform(functions: &Functions, job: Job) -> Message {
    let incoming = Incoming { address: job.head, frames: job.frames };
    if incoming.is_legacy() {
        return answer_legacy(&incoming);
    }
    let answer = Request::read(&incoming.frames).and_then(|request| {
        if job.cancel.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, "nobody waits for the answer any more"));
        }
        if request.op == "health" {
            let ops: Vec<&String> = functions.0.keys().collect();
            let health = serde_json::json!({"status": "ok", "role": "worker", "ops": ops});
            return Ok(Body::json(health.to_string().into_bytes()));
        }
        functions.answer(&request, &Context { cancel: job.cancel.clone() })
    });
    let outcome = answer.map_err(|e| match job.end {
        Some(end) if e.code == Code::Cancelled && end <= Instant::now() => {
            (&Error::new(Code::Timeout, "the time that the client waits is over").at("deadline_ms")).into()
        }
        _ => (&e).into(),
    });
    let reply = Reply { correlation_id: correlation_id(&incoming.frames), outcome };
    incoming.answer(reply.frames())
}
