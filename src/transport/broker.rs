//! Paranoid Pirate: clients on one side, workers on the other, the one that has been idle longest gets
//! the next request. Who is silent for three heartbeats is taken for dead.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;

use super::client::CANCEL;
use super::hub::{ConnId, Event, Hub, HubLimits, Peer, ServerSecurity};
use super::message::{Body, Incoming, MAX_HEADER, Reply, Request, correlation_id, outcome};
use super::metrics::{Counter, Histogram, Report};
use super::net::Endpoint;
use super::server::{Gate, Rate, answer_legacy, is_full, is_heartbeat, pirate, refusal, size, too_often};
use super::{legacy, zmtp::Message};
use crate::error::{Code, Error, Result};

/// The operation that a broker answers itself with its metrics.
pub const STATUS: &str = "broker.status";

/// Where a broker listens and what it takes.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where clients connect.
    pub frontend: Vec<Endpoint>,
    /// Where workers connect.
    pub backend: Vec<Endpoint>,
    /// Who may be a client.
    pub clients: ServerSecurity,
    /// Who may be a worker.
    pub workers: ServerSecurity,
    /// Between heartbeats. Default 1 s.
    pub heartbeat: Duration,
    /// Requests that may wait for a worker; more are refused. Default 10,000.
    pub queue: usize,
    /// Bytes of the requests that wait; more are refused, those of up to 64 KiB excepted. Default 1 GiB.
    pub queue_bytes: usize,
    /// How long a request without a deadline may wait for a worker. Default 60 s.
    pub patience: Duration,
    /// How often a client may ask.
    pub rate: Option<Rate>,
    /// What connections may take.
    pub limits: HubLimits,
}

impl BrokerConfig {
    /// The defaults, without security.
    pub fn new(frontend: Endpoint, backend: Endpoint) -> Self {
        let plain = ServerSecurity::Plain { anywhere: false };
        BrokerConfig {
            frontend: vec![frontend],
            backend: vec![backend],
            clients: plain.clone(),
            workers: plain,
            heartbeat: Duration::from_secs(1),
            queue: 10_000,
            queue_bytes: 1 << 30,
            patience: Duration::from_secs(60),
            rate: None,
            limits: HubLimits::default(),
        }
    }
}

/// What a broker has done.
#[derive(Debug, Default)]
pub struct BrokerMetrics {
    requests: Counter,
    replies: Counter,
    refused: Counter,
    expired: Counter,
    late: Counter,
    lost: Counter,
    cancelled: Counter,
    rejected: Counter,
    queue: Counter,
    running: Counter,
    workers: Counter,
    clients: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    latency: Histogram,
}

impl BrokerMetrics {
    /// All of it.
    pub fn report(&self) -> Report<'_> {
        Report {
            prefix: "lean_oracle_broker",
            counters: vec![
                ("requests_total", "Requests from clients.", false, self.requests.get()),
                ("replies_total", "Replies of workers passed on.", false, self.replies.get()),
                ("refused_total", "Requests refused: too many, or malformed.", false, self.refused.get()),
                ("expired_total", "Requests whose time was over.", false, self.expired.get()),
                ("late_replies_total", "Late and double replies dropped.", false, self.late.get()),
                ("lost_total", "Requests lost with a worker.", false, self.lost.get()),
                ("cancelled_total", "Requests cancelled.", false, self.cancelled.get()),
                ("rejected_total", "Connections that ended in a fault.", false, self.rejected.get()),
                ("received_bytes_total", "Bytes from clients.", false, self.bytes_in.get()),
                ("sent_bytes_total", "Bytes of replies.", false, self.bytes_out.get()),
                ("queue_depth", "Requests waiting for a worker.", true, self.queue.get()),
                ("running", "Requests with a worker.", true, self.running.get()),
                ("workers", "Workers alive.", true, self.workers.get()),
                ("clients", "Clients connected.", true, self.clients.get()),
            ],
            latency: ("latency_seconds", "From a request to the reply of a worker.", &self.latency),
        }
    }
}

struct Job {
    number: u64,
    client: ConnId,
    correlation_id: String,
    op: String,
    incoming: Incoming,
    begun: Instant,
    /// When a worker got it.
    given: Instant,
    end: Instant,
    has_deadline: bool,
}

struct Worker {
    /// What it can do; none: anything.
    ops: Option<HashSet<String>>,
    /// When it is taken for dead.
    expiry: Instant,
    /// The request that it works on.
    job: Option<Job>,
    ready: bool,
    /// Requests answered, those among them that were refused, and the time they took.
    answered: u64,
    errors: u64,
    busy: Duration,
    peer: Peer,
}

impl Worker {
    fn tell((id, w): (&ConnId, &Worker)) -> serde_json::Value {
        let peer = match &w.peer {
            Peer::Key(key) => key.to_string(),
            Peer::Address(address) => address.to_string(),
            Peer::Local => "local".into(),
        };
        // Names are the worker's choice; the status has to fit into an answer.
        let mut ops: Vec<&str> = w.ops.iter().flatten().map(String::as_str).collect();
        ops.sort_unstable();
        ops.truncate(100);
        serde_json::json!({
            "connection": id, "peer": peer, "ops": ops, "requests": w.answered, "errors": w.errors,
            "seconds": w.busy.as_secs_f64(), "busy": w.job.is_some(),
        })
    }
}

/// A broker. [`Broker::run`] is its thread.
pub struct Broker {
    hub: Hub,
    config: BrokerConfig,
    backend: HashSet<usize>,
    workers: HashMap<ConnId, Worker>,
    clients: HashMap<ConnId, Peer>,
    /// Those without a job, the one that has waited longest first.
    idle: VecDeque<ConnId>,
    queue: VecDeque<Job>,
    gate: Gate,
    next: u64,
    metrics: Arc<BrokerMetrics>,
    stop: Arc<AtomicBool>,
    endpoints: (Vec<Endpoint>, Vec<Endpoint>),
}

#[derive(Deserialize)]
struct Ready {
    ops: Option<HashSet<String>>,
}

impl Ready {
    fn read(json: &[u8]) -> Result<Self> {
        let bad = |why: String| Error::new(Code::Parse, format!("READY: {why}"));
        if json.len() > MAX_HEADER {
            return Err(bad(format!("{} bytes; the limit is {MAX_HEADER}", json.len())));
        }
        serde_json::from_slice(json).map_err(|e| bad(e.to_string()))
    }
}

impl Broker {
    /// Listens.
    pub fn new(config: BrokerConfig) -> Result<Self> {
        let mut hub = Hub::new(config.limits)?;
        let mut endpoints = (Vec::new(), Vec::new());
        let mut backend = HashSet::new();
        for endpoint in &config.frontend {
            endpoints.0.push(hub.bind(endpoint, config.clients.clone())?.1);
        }
        for endpoint in &config.backend {
            let (id, bound) = hub.bind(endpoint, config.workers.clone())?;
            backend.insert(id);
            endpoints.1.push(bound);
        }
        Ok(Broker {
            hub,
            gate: Gate::new(config.rate),
            config,
            backend,
            workers: HashMap::new(),
            clients: HashMap::new(),
            idle: VecDeque::new(),
            queue: VecDeque::new(),
            next: 1,
            metrics: Arc::default(),
            stop: Arc::default(),
            endpoints,
        })
    }

    /// Where it listens: for clients and for workers. Ports of 0 have become real ones.
    pub fn endpoints(&self) -> &(Vec<Endpoint>, Vec<Endpoint>) {
        &self.endpoints
    }

    /// What it has done; to be read while it runs.
    pub fn metrics(&self) -> Arc<BrokerMetrics> {
        self.metrics.clone()
    }

    /// Ends [`Broker::run`], from any thread.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        self.hub.stopper(&self.stop)
    }

    /// Serves until it is stopped.
    pub fn run(mut self) {
        let mut beat = Instant::now() + self.config.heartbeat;
        while !self.stop.load(Ordering::Relaxed) {
            while let Some(event) = self.hub.next_event() {
                self.event(event);
            }
            let now = Instant::now();
            if now >= beat {
                self.beat(now);
                beat = now + self.config.heartbeat;
            }
            self.metrics.queue.set(self.queue.len());
            self.metrics.running.set(self.workers.values().filter(|w| w.job.is_some()).count());
            self.metrics.workers.set(self.workers.values().filter(|w| w.ready).count());
            self.metrics.clients.set(self.clients.len());
            self.hub.wait(Some(beat));
        }
    }

    /// Buries the dead, sends heartbeats, and refuses what has waited too long.
    fn beat(&mut self, now: Instant) {
        let dead: Vec<ConnId> =
            self.workers.iter().filter(|(_, w)| w.expiry <= now).map(|(id, _)| *id).collect();
        for id in dead {
            self.hub.close(id);
            self.bury(id);
        }
        let alive: Vec<ConnId> = self.workers.iter().filter(|(_, w)| w.ready).map(|(id, _)| *id).collect();
        for id in alive {
            let _ = self.hub.send(id, &[Bytes::from_static(pirate::HEARTBEAT)]);
        }
        let (expired, waiting) = std::mem::take(&mut self.queue).into_iter().partition(|job| job.end <= now);
        self.queue = waiting;
        for job in expired {
            self.expire(&job);
        }
    }

    fn expire(&mut self, job: &Job) {
        self.metrics.expired.add(1);
        // Nothing was done, so that it is not a timeout of the request itself: it may be asked again.
        let message = format!("no worker for {:?} had time within the time allowed", job.op);
        self.refuse(job.client, &job.incoming, &Error::new(Code::Busy, message));
    }

    fn refuse(&mut self, client: ConnId, incoming: &Incoming, e: &Error) {
        // A client that is gone needs no answer.
        let _ = self.hub.send(client, &refusal(incoming, e));
    }

    /// Forgets a worker, and tells the client whose request it had.
    fn bury(&mut self, id: ConnId) {
        self.idle.retain(|w| *w != id);
        if let Some(Worker { job: Some(job), .. }) = self.workers.remove(&id) {
            self.lose(&job);
        }
    }

    fn lose(&mut self, job: &Job) {
        self.metrics.lost.add(1);
        let e = Error::new(Code::Unreachable, "the worker was lost while it worked on the request");
        self.refuse(job.client, &job.incoming, &e);
    }

    fn event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Opened(id, peer, origin) => {
                if self.backend.contains(&origin) {
                    let expiry = now + self.config.heartbeat * pirate::LIVENESS;
                    let (ops, job, busy) = (None, None, Duration::ZERO);
                    let worker =
                        Worker { ops, expiry, job, ready: false, answered: 0, errors: 0, busy, peer };
                    self.workers.insert(id, worker);
                } else {
                    self.clients.insert(id, peer);
                }
            }
            Event::Closed(id, e) => {
                if e.code != Code::Unreachable {
                    self.metrics.rejected.add(1);
                }
                self.bury(id);
                if self.clients.remove(&id).is_some() {
                    self.forget(id, None);
                }
            }
            Event::Message(id, frames) if self.workers.contains_key(&id) => self.hear_worker(id, frames, now),
            Event::Message(id, frames) => self.hear_client(id, frames, now),
        }
    }

    fn hear_worker(&mut self, id: ConnId, frames: Message, now: Instant) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        // A libzmq socket connects again by itself to a new broker, which its worker then must not take for
        // the old one that knew it: without READY it is not heard, and hears nothing.
        let greets = frames.iter().find(|f| !f.is_empty()).is_some_and(|f| &f[..] == pirate::READY);
        if !worker.ready && !greets {
            return;
        }
        worker.expiry = now + self.config.heartbeat * pirate::LIVENESS;
        // Workers with a REQ socket, and some others, put an empty frame first.
        let empty = frames.first().is_some_and(Bytes::is_empty) && frames.len() > 1;
        let mut frames = frames.into_iter().skip(usize::from(empty));
        let first = frames.next().unwrap_or_default();
        match &first[..] {
            pirate::HEARTBEAT => {}
            pirate::READY => {
                worker.ops = match frames.next().map(|json| Ready::read(&json)) {
                    None => None,
                    Some(Ok(ready)) => ready.ops,
                    // A list that cannot be read does not mean everything.
                    Some(Err(_)) => {
                        self.metrics.rejected.add(1);
                        self.hub.close(id);
                        return self.bury(id);
                    }
                };
                worker.ready = true;
                // A worker that is ready has forgotten what it worked on.
                if let Some(job) = worker.job.take() {
                    self.lose(&job);
                }
                self.now_idle(id, now);
            }
            number => {
                let fits = |job: &Job| number == job.number.to_be_bytes();
                if !worker.job.as_ref().is_some_and(fits) {
                    return self.metrics.late.add(1);
                }
                let Some(job) = worker.job.take() else { return };
                let mut reply: Message = frames.collect();
                if reply.first().is_some_and(Bytes::is_empty) {
                    reply.remove(0);
                }
                // A worker could guess the ids of the other requests of this client.
                let ok = match outcome(&reply) {
                    _ if job.op == legacy::OP && reply.len() == 1 => true,
                    Some((correlation_id, ok)) if correlation_id == job.correlation_id => ok,
                    _ => {
                        let e = "the worker's reply is unreadable, or to another request";
                        reply = refusal(&job.incoming, &Error::new(Code::Internal, e));
                        reply.drain(..job.incoming.address.len());
                        false
                    }
                };
                worker.answered += 1;
                worker.errors += u64::from(!ok);
                worker.busy += now.duration_since(job.given);
                self.metrics.replies.add(1);
                self.metrics.bytes_out.add(reply.iter().map(Bytes::len).sum());
                self.metrics.latency.add(now.duration_since(job.begun));
                // The client may be gone; then the answer is for nobody.
                let _ = self.hub.send(job.client, &job.incoming.answer(reply));
                self.now_idle(id, now);
            }
        }
    }

    /// Gives a worker the first request that it can do, or lets it wait.
    fn now_idle(&mut self, id: ConnId, now: Instant) {
        loop {
            let Some(worker) = self.workers.get(&id).filter(|w| w.job.is_none()) else { return };
            let can = |job: &Job| worker.ops.as_ref().is_none_or(|ops| ops.contains(&job.op));
            let Some(job) = self.queue.iter().position(can).and_then(|at| self.queue.remove(at)) else {
                if !self.idle.contains(&id) {
                    self.idle.push_back(id);
                }
                return;
            };
            if job.end <= now {
                self.expire(&job);
                continue;
            }
            return self.give(id, job, now);
        }
    }

    fn give(&mut self, id: ConnId, mut job: Job, now: Instant) {
        self.idle.retain(|w| *w != id);
        if job.has_deadline && now.duration_since(job.begun) > Duration::from_millis(1) {
            let left = job.end.saturating_duration_since(now).as_millis() as u64;
            // Its header has been read before, so this does not fail.
            let _ = Request::renew(&mut job.incoming.frames, left);
        }
        let mut frames = vec![Bytes::copy_from_slice(&job.number.to_be_bytes()), Bytes::new()];
        frames.extend(job.incoming.frames.iter().cloned());
        job.given = now;
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.job = Some(job);
        }
        // If the connection is gone, its end is told of as an event, and the request is lost then.
        let _ = self.hub.send(id, &frames);
    }

    fn hear_client(&mut self, id: ConnId, frames: Message, now: Instant) {
        let Some(peer) = self.clients.get(&id) else { return };
        self.metrics.requests.add(1);
        self.metrics.bytes_in.add(frames.iter().map(Bytes::len).sum());
        let admitted = self.gate.admits(peer, now);
        let incoming = Incoming::new(frames);
        if !admitted {
            self.metrics.refused.add(1);
            return self.refuse(id, &incoming, &too_often());
        }
        let (op, deadline) = if incoming.is_legacy() {
            if is_heartbeat(&incoming) {
                let _ = self.hub.send(id, &answer_legacy(&incoming));
                return;
            }
            (legacy::OP.to_string(), None)
        } else {
            match Request::peek(&incoming.frames) {
                Ok(read) => read,
                Err(e) => {
                    self.metrics.refused.add(1);
                    return self.refuse(id, &incoming, &e);
                }
            }
        };
        let correlation_id = correlation_id(&incoming.frames);
        match &op[..] {
            CANCEL => return self.forget(id, Some(&correlation_id)),
            STATUS => {
                let mut status = self.metrics.report().json();
                status["each_worker"] =
                    self.workers.iter().filter(|(_, w)| w.ready).map(Worker::tell).collect();
                return self.tell(id, &incoming, correlation_id, &status);
            }
            "health" => {
                let workers = self.workers.values().filter(|w| w.ready).count();
                let health = serde_json::json!({"status": "ok", "role": "broker", "workers": workers});
                return self.tell(id, &incoming, correlation_id, &health);
            }
            _ => {}
        }
        if self.queue.len() >= self.config.queue {
            self.metrics.refused.add(1);
            let message = format!("{} requests are waiting already", self.queue.len());
            return self.refuse(id, &incoming, &Error::new(Code::Busy, message));
        }
        let waiting = || self.queue.iter().map(|job| size(&job.incoming.frames)).sum();
        if is_full(size(&incoming.frames), self.config.queue_bytes, waiting) {
            self.metrics.refused.add(1);
            return self.refuse(id, &incoming, &Error::new(Code::Busy, "too many bytes are waiting already"));
        }
        // A day is longer than anybody waits, and can be added to any time.
        let limit = deadline.map_or(self.config.patience, |ms| Duration::from_millis(ms.min(86_400_000)));
        let job = Job {
            number: self.next,
            client: id,
            correlation_id,
            op,
            incoming,
            begun: now,
            given: now,
            end: now + limit,
            has_deadline: deadline.is_some(),
        };
        self.next += 1;
        let can = |w: &ConnId| {
            self.workers.get(w).is_some_and(|w| w.ops.as_ref().is_none_or(|ops| ops.contains(&job.op)))
        };
        match self.idle.iter().copied().find(can) {
            Some(worker) => self.give(worker, job, now),
            None => self.queue.push_back(job),
        }
    }

    fn tell(&mut self, id: ConnId, incoming: &Incoming, correlation_id: String, what: &serde_json::Value) {
        let reply = Reply { correlation_id, outcome: Ok(Body::json(what.to_string().into_bytes())) };
        let _ = self.hub.send(id, &incoming.answer(reply.frames()));
    }

    /// Forgets what a client asked: one request, or all when the client is gone.
    fn forget(&mut self, client: ConnId, correlation_id: Option<&str>) {
        let meant = |job: &Job| {
            job.client == client && correlation_id.is_none_or(|correlation| job.correlation_id == correlation)
        };
        let before = self.queue.len();
        self.queue.retain(|job| !meant(job));
        self.metrics.cancelled.add(before - self.queue.len());
        let working =
            self.workers.iter().filter_map(|(id, w)| Some((*id, w.job.as_ref().filter(|j| meant(j))?)));
        let working: Vec<(ConnId, u64)> = working.map(|(id, job)| (id, job.number)).collect();
        for (worker, number) in working {
            self.metrics.cancelled.add(1);
            let number = Bytes::copy_from_slice(&number.to_be_bytes());
            let _ = self.hub.send(worker, &[Bytes::from_static(pirate::CANCEL), number]);
        }
    }
}

/// Serves the metrics over HTTP, in Prometheus' text format, until the process ends. Returns where.
pub fn serve_metrics(address: &str, metrics: Arc<BrokerMetrics>) -> Result<std::net::SocketAddr> {
    let failed = |e: std::io::Error| Error::new(Code::Unreachable, format!("cannot bind {address}: {e}"));
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let serve = move || {
        for mut stream in listener.incoming().flatten() {
            // One at a time, and nobody holds it up for long.
            let end = Instant::now() + Duration::from_secs(1);
            let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
            let mut request = [0; 2048];
            let mut n = 0;
            // It may come in pieces; the head is all that there is.
            while n < request.len() && !request[..n].ends_with(b"\r\n\r\n") {
                let left = end.saturating_duration_since(Instant::now());
                // No time left is an error here, too.
                match stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut request[n..])) {
                    Ok(more @ 1..) => n += more,
                    _ => break,
                }
            }
            let (status, body) = match request[..n].starts_with(b"GET /metrics ") {
                true => ("200 OK", metrics.report().prometheus()),
                false => ("404 Not Found", "only GET /metrics\n".to_string()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    };
    std::thread::Builder::new().name("metrics".into()).spawn(serve).map_err(failed)?;
    Ok(bound)
}
