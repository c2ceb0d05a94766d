//! Attacks on brokers, workers and clients: who may come in, what it costs, and what a peer can make of it.

mod peers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lean_oracle::Code;
use lean_oracle::transport::broker::{Broker, BrokerConfig};
use lean_oracle::transport::client::{CallOptions, Client, ClientConfig};
use lean_oracle::transport::curve::Keys;
use lean_oracle::transport::hub::{ClientSecurity, ConnId, Event, Hub, HubLimits, ServerSecurity};
use lean_oracle::transport::message::{Body, Reply, Request};
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::server::Rate;
use lean_oracle::transport::worker::{Functions, Place, Worker, WorkerConfig};
use lean_oracle::transport::zmtp::Message;
use peers::{Peer, Python};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_lean-oracle");
const PLAIN: ClientSecurity = ClientSecurity::Plain { anywhere: false };

fn lean_oracle(args: &[&str]) -> Peer {
    Peer::start(Command::new(BINARY).args(args))
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).expect("an endpoint")
}

fn place(line: &str) -> String {
    line.split_once(' ').unwrap_or_else(|| panic!("{line:?}")).1.to_string()
}

/// What a command says on standard error, and whether it ended well.
fn refusal(args: &[&str]) -> (bool, String) {
    let mut command = Command::new("timeout");
    let out =
        command.args(["20", BINARY]).args(args).stdin(Stdio::null()).output().expect("timeout is there");
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

fn client(at: &str, security: ClientSecurity) -> Client {
    let config = ClientConfig { security, ..ClientConfig::new(endpoint(at)) };
    Client::new(ClientConfig { timeout: Duration::from_secs(10), retries: 0, ..config }).expect("a client")
}

fn options() -> CallOptions {
    CallOptions::default()
}

/// The next event of a hub, within 20 s.
fn next(hub: &mut Hub) -> Event {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(event) = hub.next_event() {
            return event;
        }
        assert!(Instant::now() < end, "nothing happens");
        hub.wait(Some(end));
    }
}

/// A bare connection, for messages that no client or worker of ours sends.
fn connect(at: &str) -> (Hub, ConnId) {
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    hub.connect(&endpoint(at), &PLAIN).expect("it listens");
    match next(&mut hub) {
        Event::Opened(id, ..) => (hub, id),
        other => panic!("{other:?}"),
    }
}

/// What a plain DEALER says first.
fn greeting() -> [u8; 64] {
    let mut g = [0u8; 64];
    (g[0], g[9], g[10]) = (0xFF, 0x7F, 3);
    g[12..16].copy_from_slice(b"NULL");
    g
}

/// And then.
const READY: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER";

fn frames(parts: &[&[u8]]) -> Message {
    parts.iter().map(|p| Bytes::copy_from_slice(p)).collect()
}

#[test]
fn a_unix_socket_takes_the_place_of_no_file_and_is_ours_alone() {
    let path = peers::socket("notes");
    std::fs::write(&path, "dear").expect("ours");
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let plain = ServerSecurity::Plain { anywhere: false };
    hub.bind(&endpoint(&format!("ipc://{path}")), plain.clone()).expect_err("a file is in the way");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "dear");
    std::fs::remove_file(&path).expect("ours");
    hub.bind(&endpoint(&format!("ipc://{path}")), plain).expect("free");
    let mode = std::fs::metadata(&path).expect("bound").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

/// Names are resolved on a thread of their own; those that do not exist are told of like other failures.
#[test]
fn names_are_resolved_beside() {
    let anywhere = ClientSecurity::Plain { anywhere: true };
    let mut server = Hub::new(HubLimits::default()).expect("a hub");
    let at = server.bind(&endpoint("tcp://127.0.0.1:0"), ServerSecurity::Plain { anywhere: false });
    let port = at.expect("free").1.to_string().rsplit_once(':').expect("a port").1.to_string();
    std::thread::spawn(move || {
        loop {
            server.wait(None);
            while server.next_event().is_some() {}
        }
    });
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    // In capitals it is a name like any other.
    let there = hub.connect(&endpoint(&format!("tcp://LOCALHOST:{port}")), &anywhere).expect("begun");
    assert!(matches!(next(&mut hub), Event::Opened(id, ..) if id == there));
    let nowhere = hub.connect(&endpoint("tcp://nobody.invalid:9"), &anywhere).expect("begun");
    match next(&mut hub) {
        Event::Closed(id, e) => assert_eq!((id, e.code), (nowhere, Code::Unreachable), "{e}"),
        other => panic!("{other:?}"),
    }
}

/// Connections that say nothing, more than there are file descriptors for, keep nobody out.
#[test]
fn half_open_connections_keep_nobody_out() {
    let run = format!("ulimit -n 64; exec {BINARY} worker --bind tcp://127.0.0.1:0");
    let mut worker = Peer::start(Command::new("sh").args(["-c", &run]));
    let at = place(&worker.line());
    let address = at.strip_prefix("tcp://").expect("tcp");
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    client(&at, PLAIN).health().expect("answered");
    drop(idle);
}

/// Whoever waited while there was no file descriptor left is let in when there is one again.
#[test]
fn who_waits_at_a_full_house_is_let_in() {
    let run = format!("ulimit -n 32; exec {BINARY} worker --bind tcp://127.0.0.1:0");
    let mut worker = Peer::start(Command::new("sh").args(["-c", &run]));
    let at = place(&worker.line());
    let address = at.strip_prefix("tcp://").expect("tcp");
    let mut guests: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    guests.iter_mut().for_each(|g| g.write_all(&[&greeting()[..], READY].concat()).expect("sent"));
    std::thread::sleep(Duration::from_millis(300));
    let client = client(&at, PLAIN);
    let health = client.start("health", Body::json("null"), options()).expect("begun");
    std::thread::sleep(Duration::from_millis(300));
    drop(guests);
    health.wait().expect("answered");
}

/// Whoever may have any number of keys is no less one peer.
#[test]
fn a_new_key_does_not_buy_a_new_allowance() {
    let functions = Functions::new().on("x", |_, _| Ok(Body::json("1")));
    let keys = Keys::generate();
    let server = keys.public;
    let place = Place::Here(endpoint("tcp://127.0.0.1:0"), ServerSecurity::Curve { keys, allowed: None });
    let rate = Some(Rate { per_second: 0.01, burst: 2.0 });
    let worker =
        Worker::new(WorkerConfig { rate, ..WorkerConfig::new(vec![place]) }, functions).expect("a worker");
    let at = worker.endpoints()[0].to_string();
    let stop = worker.stopper();
    let worker = std::thread::spawn(move || worker.run());
    let codes: Vec<Option<Code>> = (0..3)
        .map(|_| {
            let client = client(&at, ClientSecurity::Curve { keys: Keys::generate(), server });
            client.call("x", Body::json("null"), options()).err().map(|e| e.code())
        })
        .collect();
    assert_eq!(codes, [None, None, Some(Code::Busy)]);
    stop();
    worker.join().expect("no panic");
}

/// A broker and a worker that says what `answer` makes of the requests it gets.
fn broker_with(mut answer: impl FnMut(&Request) -> Message + Send + 'static) -> (Peer, String) {
    let args = ["broker", "--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    let mut broker = lean_oracle(&args);
    let (clients, workers) = (place(&broker.line()), place(&broker.line()));
    let (mut hub, id) = connect(&workers);
    hub.send(id, &frames(&[b"\x01"])).expect("sent");
    std::thread::spawn(move || {
        loop {
            hub.wait(Some(Instant::now() + Duration::from_millis(500)));
            while let Some(event) = hub.next_event() {
                match event {
                    Event::Message(_, m) if m.len() > 2 => {
                        let request = Request::read(&m[2..]).expect("ours");
                        let reply = [m[0].clone(), Bytes::new()].into_iter().chain(answer(&request));
                        let _ = hub.send(id, &reply.collect::<Message>());
                    }
                    Event::Closed(..) => return,
                    _ => {}
                }
            }
            if hub.send(id, &frames(&[b"\x02"])).is_err() {
                return;
            }
        }
    });
    (broker, clients)
}

/// A worker that has one request of a client knows how the ids of the others look.
#[test]
fn a_worker_answers_nothing_but_what_it_was_asked() {
    let mut first = true;
    let (_broker, clients) = broker_with(move |request| {
        // The id of the request before: both are under way at the client.
        let id = match std::mem::take(&mut first) {
            true => request.correlation_id.replace("-0.", "-1."),
            false => request.correlation_id.clone(),
        };
        Reply { correlation_id: id, outcome: Ok(Body::json(format!("\"{}\"", request.op))) }.frames()
    });
    let client = client(&clients, PLAIN);
    let one = client.start("one", Body::json("null"), options()).expect("begun");
    let two = client.start("two", Body::json("null"), options()).expect("begun");
    assert_eq!(two.wait().expect("answered").payload, "\"two\"");
    let e = one.wait().expect_err("the worker said something else");
    assert!(e.to_string().contains("to another request"), "{e}");
    let status = client.call("broker.status", Body::json("null"), options()).expect("answered");
    let status: Value = serde_json::from_slice(&status.payload).expect("JSON");
    let worker = &status["each_worker"][0];
    assert_eq!(
        (&worker["requests"], &worker["errors"], &worker["busy"]),
        (&json!(2), &json!(1), &json!(false))
    );
}

/// A list of operations that cannot be read does not mean all operations.
#[test]
fn a_worker_that_cannot_say_what_it_does_gets_nothing() {
    let args = ["broker", "--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    let mut broker = lean_oracle(&args);
    let (_, workers) = (place(&broker.line()), place(&broker.line()));
    for bad in [&b"{\"ops\": 7}"[..], b"\xff", &[b' '; 100_000]] {
        let (mut hub, id) = connect(&workers);
        hub.send(id, &frames(&[b"\x01", bad])).expect("sent");
        assert!(matches!(next(&mut hub), Event::Closed(..)));
    }
}

#[test]
fn what_would_be_open_by_mistake_is_refused() {
    let dir = std::path::PathBuf::from(peers::socket("open"));
    std::fs::create_dir_all(dir.join("clients")).expect("ours");
    let file = |name: &str| dir.join(name).to_str().expect("UTF-8").to_string();
    lean_oracle(&["keygen", &file("own")]).finish();
    lean_oracle(&["keygen", &file("clients/a")]).finish();
    let (key, allow) = (file("own.key_secret"), file("clients"));
    let ends = ["--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    let cases: [(&[&str], &str); 5] = [
        // Clients are chosen, workers are not: anybody could be a worker and see what they ask.
        (&[&["broker", "--key", &key, "--allow", &allow][..], &ends].concat(), "--allow-workers"),
        // A key of our own and no server's: that is plaintext.
        (&["call", "health", "--key", &key], "--server-key"),
        (&["worker", "--broker", "tcp://127.0.0.1:9", "--key", &key], "--server-key"),
        (&["worker", "--bind", "tcp://0.0.0.0:0"], "not on this machine"),
        // No name server is asked whether a name may be trusted.
        (&["call", "health", "--endpoint", "tcp://somewhere.invalid:9"], "not on this machine"),
    ];
    for (args, says) in cases {
        let (ended_well, said) = refusal(args);
        assert!(!ended_well && said.contains(says), "{args:?}: {said:?}");
    }
    // A secret that everybody can read is none.
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("ours");
    let (ended_well, said) = refusal(&["worker", "--bind", "tcp://127.0.0.1:0", "--key", &key]);
    assert!(!ended_well && said.contains("chmod 600"), "{said:?}");
    let _ = std::fs::remove_dir_all(dir);
}

/// What a peer says of itself does not reach the terminal as it is.
#[test]
fn control_characters_of_a_peer_are_not_printed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("free");
    let at = format!("tcp://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accepted");
            let reason = b"\x1b[2J\nall is well";
            let error =
                [&[4, (7 + reason.len()) as u8, 5][..], b"ERROR", &[reason.len() as u8], reason].concat();
            let _ = stream.write_all(&[&greeting()[..], &error].concat());
            let _ = stream.read(&mut [0; 1000]);
        }
    });
    let said = refusal(&["call", "health", "--endpoint", &at]).1;
    assert!(said.contains("all is well") && !said.contains('\x1b'), "{said:?}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said:?}");
    // Nor what a server answers.
    let (_broker, clients) = broker_with(|request| {
        let e = lean_oracle::Error::new(Code::Domain, "\x1b[2J\nall is well");
        Reply::error(&*request.correlation_id, &e).frames()
    });
    let said = refusal(&["call", "x", "--endpoint", &clients]).1;
    assert!(said.contains("all is well") && !said.contains('\x1b'), "{said:?}");
}

/// One who asks for the metrics a byte at a time does not keep the next one waiting.
#[test]
fn the_metrics_are_there_for_all() {
    let ends = ["--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    let mut broker = lean_oracle(&[&["broker", "--metrics", "127.0.0.1:0"][..], &ends].concat());
    let at = place(&broker.line());
    let address = at.strip_prefix("http://").and_then(|a| a.strip_suffix("/metrics")).expect("a place");
    let mut slow = TcpStream::connect(address).expect("it listens");
    std::thread::spawn(move || {
        while slow.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    write!(stream, "GET /metrics HTTP/1.1\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("within 20 s");
    assert!(text.contains("lean_oracle_broker_workers 0"), "{text}");
}

/// Kilobytes of memory that a process has.
fn memory(peer: &Peer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.id())).expect("Linux");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("a high water mark");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Bytes on the wire do not become many times as many in memory.
#[test]
fn a_flood_of_the_smallest_messages_costs_little_memory() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let ends = ["--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    let mut broker = lean_oracle(&[&["broker"][..], &ends].concat());
    let (clients, workers) = (place(&broker.line()), place(&broker.line()));
    let before = memory(&broker);
    let address = workers.strip_prefix("tcp://").expect("tcp");
    let mut flooders: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.write_all(&[&greeting()[..], READY].concat()).expect("sent");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    // While it does not look, the system takes what it can; the first byte cuts all messages in two.
    broker.signal("STOP");
    let flood = [&[0u8][..], &vec![0; 4 << 20]].concat();
    for stream in &mut flooders {
        stream.set_nonblocking(true).expect("a socket");
        let _ = stream.write_all(&flood);
    }
    broker.signal("CONT");
    client(&clients, PLAIN).health().expect("answered");
    let after = memory(&broker);
    assert!(after < before + 100_000, "{before} kB became {after} kB");
    assert!(broker.runs());
}

/// Requests that nobody works on take a bounded amount of memory.
#[test]
fn many_bytes_that_wait_are_too_many() {
    let any = || endpoint("tcp://127.0.0.1:0");
    let broker = Broker::new(BrokerConfig { queue_bytes: 300_000, ..BrokerConfig::new(any(), any()) });
    let broker = broker.expect("a broker");
    let functions = Functions::new().on("x", |_, context| {
        while !context.cancel.load(std::sync::atomic::Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Body::json("1"))
    });
    let place = Place::Here(any(), ServerSecurity::Plain { anywhere: false });
    let config = WorkerConfig { queue_bytes: 300_000, ..WorkerConfig::new(vec![place]) };
    let worker = Worker::new(config, functions).expect("a worker");
    let places = [broker.endpoints().0[0].to_string(), worker.endpoints()[0].to_string()];
    let (stop_broker, stop_worker) = (broker.stopper(), worker.stopper());
    let threads = [std::thread::spawn(move || broker.run()), std::thread::spawn(move || worker.run())];
    for at in &places {
        let client = client(at, PLAIN);
        let large = || Body::json(format!("\"{}\"", "x".repeat(100_000)));
        let waiting: Vec<_> = (0..2).map(|_| client.start("x", large(), options()).expect("begun")).collect();
        assert_eq!(client.call("x", large(), options()).expect_err("too many").code(), Code::Busy);
        // Small ones may still wait.
        let short = CallOptions { deadline: Some(Duration::from_millis(300)), ..options() };
        let e = client.call("x", Body::json("1"), short).expect_err("nobody works on it");
        assert!(!e.to_string().contains("too many"), "{e}");
        drop(waiting);
    }
    stop_broker();
    stop_worker();
    threads.into_iter().for_each(|t| t.join().expect("no panic"));
}

/// Of the reference's messages, one of many megabytes is not read at all.
#[test]
fn a_huge_message_of_the_reference_is_refused() {
    let mut worker = lean_oracle(&["worker", "--bind", "tcp://127.0.0.1:0"]);
    let at = place(&worker.line());
    let (mut hub, id) = connect(&at);
    let huge = [b"[".as_slice(), &b"0,".repeat(20 << 20), b"0]"].concat();
    hub.send(id, &[Bytes::new(), huge.into()]).expect("sent");
    let Event::Message(_, reply) = next(&mut hub) else { panic!("no answer") };
    let answer: Value = serde_json::from_slice(&reply[1]).expect("JSON");
    assert_eq!(answer["status"], json!("error"));
    assert!(answer["message"].as_str().is_some_and(|m| m.contains("limit")), "{answer}");
}

const PYTHON: &str = r#"
import json, logging, threading, time, zmq
from lean_oracle_worker import Worker
logging.disable(logging.CRITICAL)
worker = Worker(max_message=1 << 20)
@worker.op("echo")
def echo(payload, arrays): return payload, arrays
@worker.op("quit")
def leave(payload, arrays): raise SystemExit(3)
@worker.op("checked", schema={"type": "object"})
def checked(payload, arrays): return payload
def header(op, **more): return json.dumps({"schema_version": 1, "correlation_id": "c", "op": op, **more}).encode()
model = b'"model": {"name": "m", "version": "1"}'
hostile = [
    [], [b""], [b"[" * 100000], [b'{"schema_version": []}'], [b'{"schema_version": {}}'],
    [b'{"schema_version": 1, ' + model + b', "matrix": [[' + b"9" * 400 + b"]]}"],
    [b'{"schema_version": 1, ' + model + b', "matrix": [[1' + b",1" * (5 << 20) + b"]]}"],
    [b"{}", b""], [b"[" * 70000, b"", b""], [header("quit"), b"null"], [header("echo", arrays=5), b"null"],
    [header("echo", arrays=[{"dtype": [], "shape": [1]}]), b"null", b"12345678"],
    [header("echo", arrays=[{"dtype": "f64", "shape": [1 << 70, 0]}]), b"null", b""],
    [header("echo", content_type="x"), b"null"], [header("echo", content_type=[]), b"null"],
    [header("echo"), b"[" * 100000], [header("echo"), b"[" * 40 + b"]" * 40], [header("e" * 1000), b"null"],
    [header("checked"), json.dumps("x" * 100000).encode()],
]
for frames in hostile:
    reply = worker.answer(frames)
    assert json.loads(reply[0])["status"] == "error", (frames, reply)
    assert len(reply[0]) < 4096, len(reply[0])
def refused(f, says):
    try: f()
    except ValueError as e: assert says in str(e), e
    else: raise AssertionError(says)
refused(lambda: worker.serve("tcp://127.0.0.1:*", allow="clients"), "key")
refused(lambda: worker.run("tcp://127.0.0.1:9", key="worker.key_secret"), "server_key")
refused(lambda: worker.run("tcp://192.0.2.1:9"), "not on this machine")
refused(lambda: worker.serve("tcp://127.example.invalid:9"), "not on this machine")

bound = []
thread = threading.Thread(target=lambda: worker.serve("tcp://127.0.0.1:*", rate=3, ready=bound.append))
thread.start()
while not bound: time.sleep(0.01)
context = zmq.Context()
def ask(*frames):
    s = context.socket(zmq.DEALER); s.linger, s.rcvtimeo = 0, 20000; s.connect(bound[0])
    s.send_multipart(frames); reply = json.loads(s.recv_multipart()[0]); s.close()
    return reply["error"]["code"] if reply["status"] == "error" else "ok"
large = context.socket(zmq.DEALER); large.linger = 0; large.connect(bound[0])
large.send_multipart([header("echo"), b"0" * (2 << 20)])
assert large.poll(500) == 0
assert ask(header("echo"), b"null", *[b"x"] * 100) == "too_large"
codes = [ask(header("echo"), b"null") for _ in range(8)]
assert codes[:2] == ["ok", "ok"] and "busy" in codes, codes
time.sleep(1.1)
assert ask(header("echo"), b"null") == "ok"
worker.stop(); thread.join(); context.destroy(linger=0)
print("done")
"#;

/// The worker in Python keeps to the same limits.
#[test]
fn a_python_worker_is_as_hard_to_upset() {
    let Some(python) = Python::find("a_python_worker_is_as_hard_to_upset") else { return };
    assert_eq!(python.start(PYTHON, &[]).finish(), "done\n");
}
