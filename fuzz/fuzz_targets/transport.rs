//! Arbitrary bytes as a connection, as frames, as commands of a handshake, as sealed boxes, as envelopes and
//! as payloads: never a panic, and what was read is written and read back the same.

#![no_main]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lean_oracle::transport::curve::{self, Keys};
use lean_oracle::transport::format::{Format, Thresholds, encode};
use lean_oracle::transport::hub::{Event, Hub, HubLimits, ServerSecurity};
use lean_oracle::transport::message::{Incoming, Reply, Request, correlation_id};
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::zmtp::{self, Limits, Mechanism};
use lean_oracle::transport::{legacy, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        0..=3 => connection(*kind, data),
        4 => handshake(data),
        5 => session(data),
        6..=8 => payload(Format::ALL[usize::from(*kind) - 6], data),
        _ => messages(&frames(data)),
    }
});

/// A server with and one without keys.
static SERVERS: LazyLock<Mutex<[(Hub, std::path::PathBuf); 2]>> = LazyLock::new(|| {
    let keys = ServerSecurity::Curve { keys: Keys::generate(), allowed: None };
    let start = |name: &str, security| {
        let limits = HubLimits {
            received: Limits { message: 1 << 20, frames: 8, command: 1 << 10 },
            ..HubLimits::default()
        };
        let mut hub = Hub::new(limits).expect("a hub");
        let path = std::env::temp_dir().join(format!("lo-fuzz-{}-{name}", std::process::id()));
        hub.bind(&Endpoint::Ipc(path.clone()), security).expect("free");
        (hub, path)
    };
    Mutex::new([start("plain", ServerSecurity::Plain { anywhere: false }), start("curve", keys)])
});

/// All that a peer sends before it hangs up.
fn connection(kind: u8, data: &[u8]) {
    let mut servers = SERVERS.lock().expect("no panic before");
    let (hub, path) = &mut servers[usize::from(kind % 2)];
    let mut peer = UnixStream::connect(path).expect("it listens");
    peer.set_nonblocking(true).expect("it is ours");
    // Half of them begin as they should, to come further.
    if kind >= 2 {
        let mechanism = if kind == 2 { Mechanism::Null } else { Mechanism::Curve };
        let _ = peer.write_all(&zmtp::greeting(mechanism, false));
        if kind == 2 {
            let ready = zmtp::put_command("READY", &zmtp::put_metadata("DEALER"));
            let mut head = Vec::new();
            zmtp::put_header(&mut head, false, true, ready.len());
            let _ = peer.write_all(&[head, ready].concat());
        }
    }
    let _ = peer.write_all(data);
    drop(peer);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        hub.wait(Some(until));
        while let Some(event) = hub.next_event() {
            match event {
                Event::Message(_, frames) => assert!(frames.len() <= 8),
                Event::Closed(..) => return,
                Event::Opened(..) => {}
            }
        }
        assert!(Instant::now() < until, "a connection that ended is not noticed");
    }
}

/// Cuts bytes into frames, whatever they are.
fn frames(data: &[u8]) -> Vec<Bytes> {
    let mut decoder = zmtp::Decoder::default();
    let mut scratch = [0; 100];
    let mut left = data;
    let mut frames = Vec::new();
    while !left.is_empty() {
        let _ = decoder.read(&mut left, &mut scratch);
        loop {
            match decoder.next(|_| 1 << 16) {
                Ok(Some(frame)) => frames.push(frame.body),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}

/// Some place that depends on `data`.
fn place(data: &[u8]) -> usize {
    data.iter().fold(0usize, |n, b| n.wrapping_mul(31).wrapping_add(usize::from(*b)))
}

/// The commands of both sides of a handshake: `data` in the place of each, and as the metadata in it.
fn handshake(data: &[u8]) {
    let _ = zmtp::command(data).and_then(|(_, rest)| zmtp::socket_type(rest));
    let _ = zmtp::socket_type(data);
    if let Ok(greeting) = data.try_into() {
        let _ = zmtp::check_greeting(greeting, Mechanism::Curve);
    }
    let body = |command: &[u8]| zmtp::command(command).expect("ours").1.to_vec();
    let (ours, theirs) = (Keys::generate(), Keys::generate());
    let (mut client, hello) = curve::Client::new(ours.clone(), theirs.public);
    let mut server = curve::Server::new(theirs);
    assert!(client.ready(data).is_err());
    assert!(server.initiate(data, data).is_err());
    assert!(server.hello(data).is_err());
    let welcome = server.hello(&body(&hello)).expect("ours");
    assert!(client.welcome(data, data).is_err());
    let initiate = client.welcome(&body(&welcome), data).expect("ours");
    // What is sealed properly, and then spoilt in one place.
    let mut spoilt = body(&initiate);
    let at = place(data) % spoilt.len();
    spoilt[at] ^= data.first().copied().unwrap_or(0) | 1;
    assert!(server.initiate(&spoilt, data).is_err());
    let (who, metadata, _, ready) = server.initiate(&body(&initiate), data).expect("ours");
    assert_eq!((who, &metadata[..]), (ours.public, data));
    assert!(client.ready(data).is_err());
    assert_eq!(client.ready(&body(&ready)).expect("ours").1, data);
}

/// A sealed frame: `data` as one, and what `data` becomes when it is sealed.
fn session(data: &[u8]) {
    let body = |command: &[u8]| zmtp::command(command).expect("ours").1.to_vec();
    let (ours, theirs) = (Keys::generate(), Keys::generate());
    let (mut client, hello) = curve::Client::new(ours, theirs.public);
    let mut server = curve::Server::new(theirs);
    let welcome = server.hello(&body(&hello)).expect("ours");
    let initiate = client.welcome(&body(&welcome), b"").expect("ours");
    let (.., mut server, ready) = server.initiate(&body(&initiate), b"").expect("ours");
    let (mut client, _) = client.ready(&body(&ready)).expect("ours");
    assert!(server.open(data).is_err());
    let sealed = client.seal(true, false, data);
    let mut spoilt = sealed.clone();
    let at = place(data) % spoilt.len();
    spoilt[at] ^= data.first().copied().unwrap_or(0) | 1;
    assert!(server.open(&spoilt).is_err() && server.open(&sealed[..at]).is_err());
    assert_eq!(server.open(&sealed).expect("ours"), (true, false, data.to_vec()));
    assert!(server.open(&sealed).is_err(), "a replay");
}

fn messages(frames: &[Bytes]) {
    let incoming = Incoming::new(frames.to_vec());
    let _ = correlation_id(&incoming.frames);
    let _ = server::is_heartbeat(&incoming);
    let bridge = incoming.frames.last().map_or(&[][..], |f| f);
    let answer = legacy::answer(bridge, frames.first().map(|f| &f[..]));
    serde_json::from_slice::<serde_json::Value>(&answer).expect("its answers are JSON");
    if let Ok(request) = Request::read(&incoming.frames) {
        assert_eq!(
            Request::peek(&incoming.frames).expect("it is read"),
            (request.op.clone(), request.deadline_ms)
        );
        // NaN differs from itself: the frames are compared.
        let mut again = request.frames();
        assert_eq!(Request::read(&again).expect("ours").frames(), again);
        Request::renew(&mut again, 7).expect("ours");
        assert_eq!(Request::read(&again).expect("ours").deadline_ms, Some(7));
        for array in &request.body.arrays {
            let _ = (array.numbers::<f64>(), array.numbers::<f32>(), array.numbers::<i64>());
        }
        let _ = request.body.value();
    }
    if let Ok(reply) = Reply::read(&incoming.frames) {
        assert_eq!(Reply::read(&reply.frames()).expect("ours").frames(), reply.frames());
    }
}

fn payload(format: Format, data: &[u8]) {
    let Ok(value) = format.decode(data) else { return };
    let bytes = format.encode(&value).expect("it came from this format");
    // NaN differs from itself: the texts are compared.
    assert_eq!(format!("{:?}", format.decode(&bytes).expect("ours")), format!("{value:?}"));
    let _ = value.size();
    for thresholds in [Thresholds::default(), Thresholds { message_pack: 0, protobuf: 100 }] {
        let (found, bytes) = encode(&value, &thresholds).expect("a format can");
        assert_eq!(format!("{:?}", found.decode(&bytes).expect("ours")), format!("{value:?}"));
    }
}
