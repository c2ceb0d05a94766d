//! One thread's sockets: listens, connects, does handshakes, and turns what comes into [`Event`]s.
//!
//! A hub never blocks but in [`Hub::wait`], and nothing that a peer sends ends it: a connection that
//! misbehaves is closed, with a reason.
//!
//! Where one thread should wait while others send, the hub is behind a mutex and its [`Poller`] is not: the
//! thread repeats [`Hub::handle`] with the lock and [`Poller::wait`] without it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::curve::{self, Keys, Public, Session};
use super::net::{Endpoint, Listener, Resolver, Stream};
use super::zmtp::{self, Decoder, Frame, Limits, Mechanism, Message, garbage};
use crate::error::{Code, Error, Result};

/// How the side that binds proves who it is, and whom it lets in.
#[derive(Clone, Debug)]
pub enum ServerSecurity {
    /// Everybody is let in and everything readable. Elsewhere than on loopback and Unix sockets this
    /// must be meant: `anywhere`.
    Plain {
        /// Whether other machines may connect.
        anywhere: bool,
    },
    /// CURVE. With `allowed`, only the owners of these keys are let in.
    Curve {
        /// The server's keys.
        keys: Keys,
        /// The clients.
        allowed: Option<HashSet<Public>>,
    },
}

/// How the side that connects proves who it is, and whom it trusts.
#[derive(Clone, Debug)]
pub enum ClientSecurity {
    /// Nothing is proved and everything readable; see [`ServerSecurity::Plain`].
    Plain {
        /// Whether to connect to other machines.
        anywhere: bool,
    },
    /// CURVE.
    Curve {
        /// Our keys.
        keys: Keys,
        /// The key of the server.
        server: Public,
    },
}

impl ClientSecurity {
    /// CURVE as soon as the server's public key is known: `server`, or LEAN_ORACLE_SERVER_KEY, a key file or
    /// a key. Our own keys are [`Keys::given`], or made for the occasion. With neither, nothing is sealed,
    /// and `plaintext` says whether that may leave the machine; with ours alone it is an error.
    pub fn choose(key: Option<&str>, server: Option<&str>, plaintext: bool) -> Result<Self> {
        let server = server.map(str::to_string).or_else(|| std::env::var("LEAN_ORACLE_SERVER_KEY").ok());
        let Some(server) = server else {
            // Who has a key does not mean plaintext.
            return match Keys::given(key)? {
                Some(_) => {
                    let message = "a key of our own needs that of the server, too (server_key, --server-key)";
                    Err(Error::new(Code::BadRequest, message))
                }
                None => Ok(ClientSecurity::Plain { anywhere: plaintext }),
            };
        };
        let file = std::path::Path::new(&server);
        let server = if file.exists() { curve::read_public(file)? } else { Public::parse(server.trim())? };
        Ok(ClientSecurity::Curve { keys: Keys::given(key)?.unwrap_or_else(Keys::generate), server })
    }
}

/// A connection of a hub. Never used again for another one.
pub type ConnId = usize;

/// What is known of the other side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The owner of this key, which is on our list.
    Key(Public),
    /// Whoever is at this address.
    Address(IpAddr),
    /// A process on this machine, over a Unix socket.
    Local,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The handshake is done; messages may be sent. The last value is what [`Hub::bind`] returned, or 0
    /// for a connection that we made.
    Opened(ConnId, Peer, usize),
    /// A message came.
    Message(ConnId, Message),
    /// The connection is no more. Not told after [`Hub::close`].
    Closed(ConnId, Error),
}

/// What the connections of a hub may take.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// For what is received.
    pub received: Limits,
    /// Bytes that wait to be sent to one peer; from here on nothing more is read from it.
    pub high_water: usize,
    /// Bytes that wait to be sent to one peer; one that lets more gather is closed.
    pub unsent: usize,
    /// Connections at a time.
    pub connections: usize,
    /// How long a peer may take for the handshake.
    pub handshake: Duration,
}

impl Default for HubLimits {
    fn default() -> Self {
        HubLimits {
            received: Limits::default(),
            high_water: 64 << 20,
            unsent: 1 << 30,
            connections: 4096,
            handshake: Duration::from_secs(10),
        }
    }
}

/// What a hub waits with. Clones are the same one.
#[derive(Clone)]
pub struct Poller(Arc<Mutex<(Poll, Events)>>);

impl Poller {
    fn lock(&self) -> MutexGuard<'_, (Poll, Events)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a socket of the hub is ready, its waker was used, or it is `until`. [`Hub::handle`] has to
    /// follow.
    pub fn wait(&self, until: Option<Instant>) {
        let timeout = until.map(|t| t.saturating_duration_since(Instant::now()));
        let (poll, events) = &mut *self.lock();
        if let Err(e) = poll.poll(events, timeout)
            && e.kind() != io::ErrorKind::Interrupted
        {
            // Nothing of ours can cause it; do not spin on it.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The sockets of one thread.
pub struct Hub {
    poller: Poller,
    registry: Registry,
    waker: Arc<Waker>,
    limits: HubLimits,
    listeners: HashMap<usize, Bound>,
    connections: HashMap<ConnId, Connection>,
    next: usize,
    /// Connections with more to read than their turn allowed, each once.
    again: VecDeque<ConnId>,
    /// When to accept again after the system refused.
    deaf: Option<Instant>,
    /// See [`spare`].
    spare: Option<File>,
    events: VecDeque<Event>,
    scratch: Vec<u8>,
    /// When the next handshake must be done.
    handshakes: VecDeque<(Instant, ConnId)>,
    /// Connections to be made as soon as the name of the server is resolved.
    names: HashMap<ConnId, (Endpoint, Handshake, Peer)>,
    resolver: Option<Resolver>,
}

struct Bound {
    listener: Listener,
    security: Arc<ServerSecurity>,
}

const WAKER: Token = Token(0);

impl Hub {
    /// A hub without sockets. To its peers it is a ROUTER where it listens, which talks with every kind of
    /// client, and a DEALER where it connects, which talks with every kind of server.
    pub fn new(limits: HubLimits) -> Result<Self> {
        let poll = Poll::new().map_err(|e| internal(&e))?;
        let registry = poll.registry().try_clone().map_err(|e| internal(&e))?;
        let waker = Arc::new(Waker::new(&registry, WAKER).map_err(|e| internal(&e))?);
        Ok(Hub {
            poller: Poller(Arc::new(Mutex::new((poll, Events::with_capacity(256))))),
            registry,
            waker,
            limits,
            listeners: HashMap::new(),
            connections: HashMap::new(),
            next: 1,
            again: VecDeque::new(),
            deaf: None,
            spare: None,
            events: VecDeque::new(),
            scratch: vec![0; 64 << 10],
            handshakes: VecDeque::new(),
            names: HashMap::new(),
            resolver: None,
        })
    }

    /// Ends a [`Hub::wait`], from any thread.
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Sets a flag and ends a [`Hub::wait`], from any thread.
    pub fn stopper(&self, stop: &Arc<AtomicBool>) -> impl Fn() + Send + Sync + 'static + use<> {
        let (stop, waker) = (stop.clone(), self.waker());
        move || {
            stop.store(true, Ordering::Relaxed);
            let _ = waker.wake();
        }
    }

    /// Listens. Returns a number for the connections that come in there, and where it is: a port of 0 has
    /// become a real one.
    pub fn bind(&mut self, endpoint: &Endpoint, security: ServerSecurity) -> Result<(usize, Endpoint)> {
        let private = matches!(security, ServerSecurity::Plain { anywhere: false });
        if private {
            local_only(endpoint)?;
        }
        let failed = |e: io::Error| Error::new(Code::Unreachable, format!("cannot bind {endpoint}: {e}"));
        let mut listener = Listener::bind(endpoint, private).map_err(failed)?;
        self.spare = self.spare.take().or_else(spare);
        let id = self.id();
        self.registry.register(listener.source(), Token(id), Interest::READABLE).map_err(failed)?;
        let bound = listener.endpoint().map_err(failed)?;
        self.listeners.insert(id, Bound { listener, security: Arc::new(security) });
        Ok((id, bound))
    }

    /// Begins to connect; [`Event::Opened`] or [`Event::Closed`] tells the outcome.
    pub fn connect(&mut self, endpoint: &Endpoint, security: &ClientSecurity) -> Result<ConnId> {
        if let ClientSecurity::Plain { anywhere: false } = security {
            local_only(endpoint)?;
        }
        let side = match security {
            ClientSecurity::Plain { .. } => Handshake::Null,
            ClientSecurity::Curve { keys, server } => Handshake::Client(keys.clone(), *server, None),
        };
        let peer = match security {
            ClientSecurity::Curve { server, .. } => Peer::Key(*server),
            ClientSecurity::Plain { .. } => Peer::Local,
        };
        let failed = |e: io::Error| cannot_connect(endpoint, &e);
        let id = self.id();
        match (Stream::connect(endpoint).map_err(failed)?, endpoint) {
            (None, Endpoint::Tcp(name)) => {
                if self.resolver.is_none() {
                    let waker = self.waker();
                    let resolver = Resolver::start(move || drop(waker.wake()));
                    self.resolver = Some(resolver.map_err(|e| internal(&e))?);
                }
                self.resolver.iter().for_each(|r| r.ask(id, name));
                self.names.insert(id, (endpoint.clone(), side, peer));
                self.handshakes.push_back((Instant::now() + self.limits.handshake, id));
            }
            (None, Endpoint::Ipc(_)) => {}
            (Some(stream), _) => self.add(id, stream, side, peer, 0).map_err(failed)?,
        }
        Ok(id)
    }

    /// Connects to servers whose addresses are known by now.
    fn resolved(&mut self) {
        while let Some((id, address)) = self.resolver.as_ref().and_then(Resolver::found) {
            // Who gave up meanwhile is not here any more.
            let Some((endpoint, side, peer)) = self.names.remove(&id) else { continue };
            let made = address.and_then(Stream::to).and_then(|s| self.add(id, s, side, peer, 0));
            if let Err(e) = made {
                self.events.push_back(Event::Closed(id, cannot_connect(&endpoint, &e)));
            }
        }
    }

    fn id(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn add(
        &mut self,
        id: ConnId,
        mut stream: Stream,
        handshake: Handshake,
        peer: Peer,
        origin: usize,
    ) -> io::Result<()> {
        self.registry.register(stream.source(), Token(id), Interest::READABLE | Interest::WRITABLE)?;
        let mut connection = Connection {
            stream,
            token: Token(id),
            watches_writing: true,
            peer,
            origin,
            connected: false,
            phase: Phase::Greeting,
            session: None,
            decoder: Decoder::default(),
            parts: Vec::new(),
            parts_size: 0,
            out: VecDeque::new(),
            out_size: 0,
            handshake,
            reading: true,
            again: false,
            ended: false,
        };
        let greeting = match &connection.handshake {
            Handshake::Null => zmtp::greeting(Mechanism::Null, false),
            Handshake::Client(..) => zmtp::greeting(Mechanism::Curve, false),
            Handshake::Server(..) => zmtp::greeting(Mechanism::Curve, true),
        };
        connection.enqueue(Bytes::copy_from_slice(&greeting));
        self.connections.insert(id, connection);
        self.handshakes.push_back((Instant::now() + self.limits.handshake, id));
        Ok(())
    }

    /// Sends a message, or as much of it as the socket takes now and the rest as it can. An error means
    /// that it will not be sent: the connection is gone or was closed for letting too much gather.
    pub fn send(&mut self, id: ConnId, message: &[Bytes]) -> Result<()> {
        let gone = || Error::new(Code::Unreachable, "the connection is gone");
        let connection = self.connections.get_mut(&id).ok_or_else(gone)?;
        if connection.is_new() {
            return Err(Error::new(Code::Unreachable, "the connection is not open yet"));
        }
        connection.put_message(message);
        if connection.out_size > self.limits.unsent {
            let e = Error::new(Code::TooLarge, "the peer does not read what is sent to it");
            self.fail(id, e.clone());
            return Err(e);
        }
        match connection.flush(&self.registry) {
            Ok(()) => Ok(()),
            Err(e) => {
                let e = lost(&e);
                self.fail(id, e.clone());
                Err(e)
            }
        }
    }

    /// Closes a connection; what is not sent yet is lost.
    pub fn close(&mut self, id: ConnId) {
        self.names.remove(&id);
        if let Some(mut connection) = self.connections.remove(&id) {
            let _ = self.registry.deregister(connection.stream.source());
        }
    }

    /// Whether everything has been handed to the system.
    pub fn flushed(&self) -> bool {
        self.connections.values().all(|c| c.out.is_empty())
    }

    /// Bytes that wait to be sent, over all connections.
    pub fn unsent(&self) -> usize {
        self.connections.values().map(|c| c.out_size).sum()
    }

    /// Stops listening.
    pub fn unbind(&mut self) {
        for (_, mut bound) in self.listeners.drain() {
            let _ = self.registry.deregister(bound.listener.source());
        }
    }

    fn fail(&mut self, id: ConnId, reason: Error) {
        if self.connections.contains_key(&id) || self.names.contains_key(&id) {
            self.close(id);
            self.events.push_back(Event::Closed(id, reason));
        }
    }

    /// What happened and has not been told.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Waits until something happened, the waker was used, or it is `until`.
    pub fn wait(&mut self, until: Option<Instant>) {
        if self.events.is_empty() {
            self.poller.wait(self.due().into_iter().chain(until).min());
            self.handle();
        }
    }

    /// What this hub waits with.
    pub fn poller(&self) -> Poller {
        self.poller.clone()
    }

    /// When [`Hub::handle`] or [`Hub::next_event`] has something to do, even if no socket is ready.
    pub fn due(&self) -> Option<Instant> {
        match self.events.is_empty() && self.again.is_empty() {
            true => self.handshakes.front().map(|(t, _)| *t).into_iter().chain(self.deaf).min(),
            false => Some(Instant::now()),
        }
    }

    /// Turns what the poller saw when it last waited into events.
    pub fn handle(&mut self) {
        let poller = self.poller.clone();
        let polled = &mut poller.lock().1;
        let again: Vec<ConnId> = self.again.drain(..).collect();
        for event in &*polled {
            match event.token() {
                WAKER => {}
                Token(id) if self.listeners.contains_key(&id) => self.accept(id),
                Token(id) => self.ready(id, event.is_read_closed()),
            }
        }
        polled.clear();
        for id in again {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.again = false;
                self.ready(id, false);
            }
        }
        self.resolved();
        let now = Instant::now();
        if self.deaf.take_if(|t| *t <= now).is_some() {
            // No event tells of those who waited meanwhile.
            let all: Vec<usize> = self.listeners.keys().copied().collect();
            all.into_iter().for_each(|id| self.accept(id));
        }
        while let Some((t, id)) = self.handshakes.front().copied()
            && (t <= now || !self.is_opening(id))
        {
            self.handshakes.pop_front();
            if self.is_opening(id) {
                let e = Error::new(Code::Unreachable, "the peer did not finish the handshake in time");
                self.fail(id, e);
            }
        }
    }

    /// Whether a connection is there whose handshake is still to be done.
    fn is_opening(&self, id: ConnId) -> bool {
        self.connections.get(&id).map_or(self.names.contains_key(&id), Connection::is_new)
    }

    fn accept(&mut self, id: usize) {
        loop {
            let Some(bound) = self.listeners.get(&id) else { return };
            let spared = self.spare.is_none();
            let (accepted, security) = (bound.listener.accept(), bound.security.clone());
            match accepted {
                Ok((stream, address)) => {
                    // Above the limit a connection is closed at once: whoever waits would learn nothing.
                    if (spared || self.connections.len() >= self.limits.connections) && !self.make_room() {
                        continue;
                    }
                    self.spare = self.spare.take().or_else(spare);
                    let handshake = match &*security {
                        ServerSecurity::Plain { .. } => Handshake::Null,
                        ServerSecurity::Curve { keys, .. } => {
                            Handshake::Server(curve::Server::new(keys.clone()), security.clone())
                        }
                    };
                    let (new, peer) = (self.id(), address.map_or(Peer::Local, Peer::Address));
                    let _ = self.add(new, stream, handshake, peer, id);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.spare = self.spare.take().or_else(spare);
                    return;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A connection that is gone already is none.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                // Most likely out of file descriptors, which is said even where nobody waits: with the spare
                // one it is seen whether somebody does.
                Err(_) if self.oldest().is_some() && self.spare.take().is_some() => {}
                Err(_) => {
                    self.deaf = Some(Instant::now() + Duration::from_millis(100));
                    return;
                }
            }
        }
    }

    /// Where in `handshakes` the connection is that has been at it longest, of those that came to us.
    fn oldest(&mut self) -> Option<usize> {
        let connections = &self.connections;
        let open = |id: &ConnId| connections.get(id).filter(|c| !matches!(c.phase, Phase::Traffic));
        // Those that got through, or are gone, need no time limit any more.
        while let Some((_, id)) = self.handshakes.front()
            && open(id).is_none()
            && !self.names.contains_key(id)
        {
            self.handshakes.pop_front();
        }
        self.handshakes.iter().position(|(_, id)| open(id).is_some_and(|c| c.origin != 0))
    }

    /// Closes that one, so that those who say nothing do not keep others out. False when there is none.
    fn make_room(&mut self) -> bool {
        let Some((_, id)) = self.oldest().and_then(|at| self.handshakes.remove(at)) else { return false };
        self.fail(id, Error::new(Code::Busy, "too many connections at their handshakes"));
        true
    }

    /// Reads and writes what a connection can. If it has `ended`, no other event will tell so.
    fn ready(&mut self, id: ConnId, ended: bool) {
        /// Reads in a row, so that one peer does not keep the others waiting.
        const TURN: usize = 16;
        /// With so many events to be told of, nothing more is read: the smallest messages take a hundred
        /// times as much memory as bytes on the wire.
        const MANY: usize = 4096;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ended |= ended;
        if !connection.connected {
            match connection.stream.connected() {
                Ok(true) => connection.connected = true,
                Ok(false) => return,
                Err(e) => return self.fail(id, lost(&e)),
            }
        }
        if let Err(e) = connection.flush(&self.registry) {
            return self.fail(id, lost(&e));
        }
        for _ in 0..TURN {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            connection.reading = connection.out_size <= self.limits.high_water;
            if !connection.reading {
                // The next event is that it can be written to; then it is read from again.
                return;
            }
            if self.events.len() > MANY {
                break;
            }
            match connection.decoder.read(&connection.stream, &mut self.scratch) {
                Ok((0, _)) => {
                    return self.fail(id, Error::new(Code::Unreachable, "the peer closed the connection"));
                }
                Ok((_, drained)) => {
                    if let Err(e) = connection.decode(id, &self.limits, &mut self.events) {
                        return self.fail(id, e);
                    }
                    if let Err(e) = connection.flush(&self.registry) {
                        return self.fail(id, lost(&e));
                    }
                    // What comes later is a new event; asking again would only cost a call.
                    if drained && !connection.ended {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return self.fail(id, lost(&e)),
            }
        }
        if let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.again) {
            connection.again = true;
            self.again.push_back(id);
        }
    }
}

fn local_only(endpoint: &Endpoint) -> Result<()> {
    if endpoint.is_local() {
        return Ok(());
    }
    let message = format!(
        "{endpoint} is not on this machine as it is written: use CURVE keys, or allow plaintext explicitly"
    );
    Err(Error::new(Code::Unauthorized, message))
}

/// A file descriptor to give up when there are no others.
fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn cannot_connect(endpoint: &Endpoint, e: &io::Error) -> Error {
    Error::new(Code::Unreachable, format!("cannot connect to {endpoint}: {e}"))
}

fn internal(e: &io::Error) -> Error {
    Error::new(Code::Internal, format!("the system refuses: {e}"))
}

fn lost(e: &io::Error) -> Error {
    Error::new(Code::Unreachable, format!("the connection failed: {e}"))
}

enum Handshake {
    Null,
    Client(Keys, Public, Option<curve::Client>),
    Server(curve::Server, Arc<ServerSecurity>),
}

enum Phase {
    Greeting,
    Commands,
    Traffic,
}

struct Connection {
    stream: Stream,
    token: Token,
    /// Whether it is to be told when the socket can be written to. Only when it must be: otherwise each
    /// message that the peer takes out of the socket would wake the thread.
    watches_writing: bool,
    peer: Peer,
    origin: usize,
    connected: bool,
    phase: Phase,
    handshake: Handshake,
    session: Option<Box<Session>>,
    decoder: Decoder,
    /// The frames of the message that is coming in.
    parts: Message,
    parts_size: usize,
    out: VecDeque<Bytes>,
    out_size: usize,
    reading: bool,
    /// Whether it has its turn again without an event.
    again: bool,
    /// Whether no event will tell of more to read: the end is behind what is there.
    ended: bool,
}

/// Payloads from this size on are not copied to be sent.
const BORROW: usize = 4 << 10;

impl Connection {
    /// Whether the handshake is still to be done.
    fn is_new(&self) -> bool {
        !matches!(self.phase, Phase::Traffic)
    }

    fn enqueue(&mut self, bytes: Bytes) {
        self.out_size += bytes.len();
        self.out.push_back(bytes);
    }

    fn put_message(&mut self, message: &[Bytes]) {
        let mut head = Vec::new();
        for (i, frame) in message.iter().enumerate() {
            let more = i + 1 < message.len();
            match &mut self.session {
                Some(session) => {
                    let sealed = session.seal(more, false, frame);
                    zmtp::put_header(&mut head, false, false, sealed.len());
                    if sealed.len() < BORROW {
                        head.extend_from_slice(&sealed);
                    } else {
                        self.enqueue(std::mem::take(&mut head).into());
                        self.enqueue(sealed.into());
                    }
                }
                None => {
                    zmtp::put_header(&mut head, more, false, frame.len());
                    if frame.len() < BORROW {
                        head.extend_from_slice(frame);
                    } else {
                        self.enqueue(std::mem::take(&mut head).into());
                        self.enqueue(frame.clone());
                    }
                }
            }
        }
        if !head.is_empty() {
            self.enqueue(head.into());
        }
    }

    fn put_command(&mut self, command: &[u8]) {
        let mut out = Vec::with_capacity(command.len() + 9);
        match &mut self.session {
            Some(session) => {
                let sealed = session.seal(false, true, command);
                zmtp::put_header(&mut out, false, false, sealed.len());
                out.extend_from_slice(&sealed);
            }
            None => {
                zmtp::put_header(&mut out, false, true, command.len());
                out.extend_from_slice(command);
            }
        }
        self.enqueue(out.into());
    }

    /// Writes until all is written or the socket takes no more.
    fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.connected {
            return Ok(());
        }
        self.write()?;
        if self.watches_writing == self.out.is_empty() {
            self.watches_writing = !self.out.is_empty();
            let writing = self.watches_writing.then_some(Interest::WRITABLE);
            let interest = writing.map_or(Interest::READABLE, |w| w | Interest::READABLE);
            registry.reregister(self.stream.source(), self.token, interest)?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let slices: Vec<IoSlice> = self.out.iter().take(32).map(|b| IoSlice::new(b)).collect();
            let mut written = match self.stream.send(&slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.out_size -= written;
            while let Some(first) = self.out.front_mut() {
                if written < first.len() {
                    let _ = first.split_to(written);
                    break;
                }
                written -= first.len();
                self.out.pop_front();
            }
        }
        Ok(())
    }

    fn decode(&mut self, id: ConnId, limits: &HubLimits, events: &mut VecDeque<Event>) -> Result<()> {
        let socket_type = if self.origin == 0 { "DEALER" } else { "ROUTER" };
        loop {
            match self.phase {
                Phase::Greeting => {
                    let Some(greeting) = self.decoder.greeting() else { return Ok(()) };
                    let mechanism = match self.handshake {
                        Handshake::Null => Mechanism::Null,
                        _ => Mechanism::Curve,
                    };
                    zmtp::check_greeting(&greeting, mechanism)?;
                    self.phase = Phase::Commands;
                    match &mut self.handshake {
                        Handshake::Null => {
                            let ready = zmtp::put_command("READY", &zmtp::put_metadata(socket_type));
                            self.put_command(&ready);
                        }
                        Handshake::Client(keys, server, state) => {
                            let (client, hello) = curve::Client::new(keys.clone(), *server);
                            *state = Some(client);
                            self.put_command(&hello);
                        }
                        Handshake::Server(..) => {}
                    }
                }
                Phase::Commands => {
                    let Some(frame) = self.decoder.next(|_| limits.received.command)? else { return Ok(()) };
                    if !frame.command {
                        return Err(garbage("a message before the handshake was done"));
                    }
                    if self.handshake(&frame, socket_type)? {
                        self.phase = Phase::Traffic;
                        events.push_back(Event::Opened(id, self.peer.clone(), self.origin));
                    }
                }
                Phase::Traffic => {
                    let received = limits.received;
                    let sealed = if self.session.is_some() { Session::OVERHEAD } else { 0 };
                    let left = received.message - self.parts_size;
                    let most = |command: bool| sealed + if command { received.command } else { left };
                    let Some(frame) = self.decoder.next(most)? else { return Ok(()) };
                    let frame = match &mut self.session {
                        Some(session) => {
                            let (more, command, body) = session.open(&frame.body)?;
                            Frame { more, command, body: body.into() }
                        }
                        None => frame,
                    };
                    if frame.command {
                        self.traffic_command(&frame.body)?;
                        continue;
                    }
                    self.parts_size += frame.body.len();
                    self.parts.push(frame.body);
                    if self.parts.len() > received.frames || self.parts_size > received.message {
                        return Err(Error::new(Code::TooLarge, "a message of too many frames or bytes"));
                    }
                    if !frame.more {
                        self.parts_size = 0;
                        events.push_back(Event::Message(id, std::mem::take(&mut self.parts)));
                    }
                }
            }
        }
    }

    /// One command of the handshake; whether it is done.
    fn handshake(&mut self, frame: &Frame, socket_type: &'static str) -> Result<bool> {
        let (name, data) = zmtp::command(&frame.body)?;
        if name == b"ERROR" {
            let reason = zmtp::printable(data.get(1..).unwrap_or(&[]));
            return Err(Error::new(Code::Unauthorized, format!("the peer refused the connection: {reason}")));
        }
        let unexpected = || garbage(format!("the command {} out of place", zmtp::printable(name)));
        let ours = zmtp::put_metadata(socket_type);
        let metadata = match &mut self.handshake {
            Handshake::Null if name == b"READY" => data.to_vec(),
            Handshake::Client(_, _, Some(client)) if name == b"WELCOME" => {
                let initiate = client.welcome(data, &ours)?;
                self.put_command(&initiate);
                return Ok(false);
            }
            Handshake::Client(_, _, Some(client)) if name == b"READY" => {
                let (session, metadata) = client.ready(data)?;
                self.session = Some(Box::new(session));
                metadata
            }
            Handshake::Server(server, _) if name == b"HELLO" => {
                let welcome = server.hello(data)?;
                self.put_command(&welcome);
                return Ok(false);
            }
            Handshake::Server(server, security) if name == b"INITIATE" => {
                let (client, metadata, session, ready) = server.initiate(data, &ours)?;
                if let ServerSecurity::Curve { allowed: Some(allowed), .. } = &**security
                    && !allowed.contains(&client)
                {
                    // 400 is what ZAP answers to those who may not come in.
                    self.put_command(&zmtp::put_command("ERROR", b"\x03400"));
                    let _ = self.write();
                    return Err(Error::new(Code::Unauthorized, format!("the key {client} is not allowed")));
                }
                // A key that anybody may have does not say who this is.
                if matches!(&**security, ServerSecurity::Curve { allowed: Some(_), .. }) {
                    self.peer = Peer::Key(client);
                }
                self.put_command(&ready);
                self.session = Some(Box::new(session));
                metadata
            }
            _ => return Err(unexpected()),
        };
        let theirs = zmtp::socket_type(&metadata)?;
        if !zmtp::compatible(socket_type, &theirs) {
            return Err(garbage(format!("a {socket_type} does not talk with a {theirs}")));
        }
        Ok(true)
    }

    fn traffic_command(&mut self, body: &[u8]) -> Result<()> {
        let (name, data) = zmtp::command(body)?;
        // Who does not read what is there needs no other sign of life.
        if name == b"PING" && self.out.len() < 64 {
            // The time to live, two bytes, and then a context that is sent back.
            let context = data.get(2..).unwrap_or(&[]);
            let pong = zmtp::put_command("PONG", &context[..context.len().min(16)]);
            self.put_command(&pong);
        }
        // Others, known or not, are of no concern to a socket of our kinds.
        Ok(())
    }
}
