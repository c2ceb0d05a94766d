//! Clients, brokers and workers that are killed, frozen, late and hostile: real sockets, real processes.

mod peers;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lean_oracle::Code;
use lean_oracle::transport::broker::{Broker, BrokerConfig};
use lean_oracle::transport::client::{CallError, CallOptions, Client, ClientConfig};
use lean_oracle::transport::curve::Keys;
use lean_oracle::transport::format;
use lean_oracle::transport::hub::{ClientSecurity, ConnId, Event, Hub, HubLimits, ServerSecurity};
use lean_oracle::transport::message::{Array, Body, Reply, Request};
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::server::Rate;
use lean_oracle::transport::worker::{Functions, Place, Worker, WorkerConfig};
use peers::{Peer, Python};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_lean-oracle");

fn lean_oracle(args: &[&str]) -> Peer {
    Peer::start(Command::new(BINARY).args(args))
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).expect("an endpoint")
}

/// The place in a line such as `clients tcp://127.0.0.1:5555`.
fn place(line: &str) -> String {
    line.split_once(' ').unwrap_or_else(|| panic!("{line:?}")).1.to_string()
}

/// A broker process, and where its clients and workers connect.
fn start_broker(more: &[&str]) -> (Peer, String, String) {
    let mut args = vec!["broker", "--frontend", "tcp://127.0.0.1:0", "--backend", "tcp://127.0.0.1:0"];
    args.extend(["--heartbeat-ms", "200"]);
    args.extend(more);
    let mut broker = lean_oracle(&args);
    let (clients, workers) = (place(&broker.line()), place(&broker.line()));
    (broker, clients, workers)
}

fn client(at: &str, timeout: u64) -> Client {
    let mut config = ClientConfig::new(endpoint(at));
    config.timeout = Duration::from_millis(timeout);
    Client::new(config).expect("a client")
}

fn json_body(value: Value) -> Body {
    Body::json(value.to_string().into_bytes())
}

fn exp() -> Body {
    json_body(json!({"func": "exp", "lo": "0", "hi": "1", "digits": 5}))
}

fn is_exp(body: &Body) {
    let answer: Value = serde_json::from_slice(&body.payload).expect("JSON");
    assert_eq!(
        (&answer["output"]["lo"], &answer["output"]["hi"]),
        (&json!("1"), &json!("2.7183")),
        "{answer}"
    );
}

fn options() -> CallOptions {
    CallOptions::default()
}

/// Waits until `what` holds.
fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < end, "it does not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server in this process whose answers are made by `answer`: for each request any number of messages.
fn serve(at: &str, mut answer: impl FnMut(usize, &Request) -> Vec<Vec<Bytes>> + Send + 'static) -> String {
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let security = ServerSecurity::Plain { anywhere: false };
    let bound = hub.bind(&endpoint(at), security).expect("free").1.to_string();
    std::thread::spawn(move || {
        let mut count = 0;
        loop {
            hub.wait(None);
            while let Some(event) = hub.next_event() {
                if let Event::Message(id, frames) = event {
                    let request = Request::read(&frames[1..]).expect("ours");
                    for message in answer(count, &request) {
                        let _ = hub.send(id, &message);
                    }
                    count += 1;
                }
            }
        }
    });
    bound
}

fn reply(request: &Request, payload: &str) -> Vec<Bytes> {
    let body = Body::json(payload.to_string().into_bytes());
    let reply = Reply { correlation_id: request.correlation_id.clone(), outcome: Ok(body) };
    [Bytes::new()].into_iter().chain(reply.frames()).collect()
}

#[test]
fn a_server_that_says_that_our_time_is_over_is_a_silent_one() {
    let at = serve("tcp://127.0.0.1:0", |_, request| {
        std::thread::sleep(Duration::from_millis(request.deadline_ms.expect("ours have one")));
        let e = lean_oracle::Error::new(Code::Timeout, "the time is over");
        let refusal = Reply::error(request.correlation_id.clone(), &e);
        vec![[Bytes::new()].into_iter().chain(refusal.frames()).collect()]
    });
    let client = client(&at, 20);
    let options = CallOptions { retries: Some(1), ..options() };
    for n in 1..=20 {
        let e = client.call("slow", exp(), options).expect_err("too slow");
        assert!(matches!(e, CallError::Timeout(_)), "{e}");
        assert_eq!(client.metrics().timeouts.get(), 2 * n);
    }
    // A refusal in good time is the server's own.
    let at = serve("tcp://127.0.0.1:0", |_, request| {
        let e = lean_oracle::Error::new(Code::Timeout, "the question's own limit");
        let refusal = Reply::error(request.correlation_id.clone(), &e);
        vec![[Bytes::new()].into_iter().chain(refusal.frames()).collect()]
    });
    let e = self::client(&at, 20_000).call("slow", exp(), options).expect_err("refused");
    assert!(matches!(e, CallError::Server(_)), "{e}");
}

#[test]
fn the_oracle_answers_through_a_broker_and_directly() {
    let (_broker, clients, workers) = start_broker(&[]);
    let direct = format!("ipc://{}", peers::socket("direct"));
    let mut worker = lean_oracle(&["worker", "--broker", &workers, "--bind", &direct, "--threads", "2"]);
    assert_eq!(place(&worker.line()), direct);
    for at in [&clients, &direct] {
        let client = client(at, 5000);
        is_exp(&client.call("oracle", exp(), options()).expect("answered"));
        let questions = (0..500).map(|_| ("oracle".to_string(), exp()));
        for answer in client.call_batch(questions, options()) {
            is_exp(&answer.expect("answered"));
        }
        let bad = json_body(json!({"func": "log", "lo": "-1", "hi": "1"}));
        match client.call("oracle", bad, options()) {
            Err(CallError::Server(r)) => {
                assert_eq!((&r.code[..], r.field.as_deref()), ("domain", None))
            }
            other => panic!("{other:?}"),
        }
        let health = client.health().expect("healthy");
        assert!(String::from_utf8_lossy(&health.payload).contains("\"status\":\"ok\""));
        assert_eq!(client.metrics().in_flight.get(), 0);
    }
    // What nobody can do is refused by a worker, and waits at a broker for somebody who can.
    let e = client(&direct, 5000).call("nothing", exp(), options()).expect_err("refused");
    assert!(e.code() == Code::BadRequest && e.to_string().contains("no operation"), "{e}");
    let short = CallOptions { deadline: Some(Duration::from_millis(500)), ..options() };
    let e = client(&clients, 5000).call("nothing", exp(), short).expect_err("nobody");
    assert!(matches!(e.code(), Code::Timeout | Code::Busy), "{e}");
}

#[test]
fn curve_protects_the_whole_way() {
    let dir = std::path::PathBuf::from(peers::socket("keys"));
    std::fs::create_dir(&dir).expect("ours");
    let file = |name: &str| dir.join(name).to_str().expect("UTF-8").to_string();
    for name in ["broker", "worker", "client", "stranger"] {
        let mut made = lean_oracle(&["keygen", &file(name)]);
        assert!(made.finish().contains("is secret"));
    }
    for (name, of) in [("clients", "client.key"), ("workers", "worker.key")] {
        std::fs::create_dir(dir.join(name)).expect("ours");
        std::fs::copy(file(of), dir.join(name).join("a.key")).expect("ours");
    }
    let (_broker, clients, workers) = start_broker(&[
        "--key",
        &file("broker.key_secret"),
        "--allow",
        &file("clients"),
        "--allow-workers",
        &file("workers"),
    ]);
    let server = file("broker.key");
    let _worker = lean_oracle(&[
        "worker",
        "--broker",
        &workers,
        "--key",
        &file("worker.key_secret"),
        "--server-key",
        &server,
    ]);
    let ask = |key: &[&str]| {
        let mut args = vec!["call", "oracle", r#"{"func":"exp","lo":"0","hi":"1","digits":5}"#];
        args.extend(["--endpoint", &clients, "--timeout-ms", "3000", "--retries", "1"]);
        args.extend(key);
        lean_oracle(&args).finish()
    };
    assert!(ask(&["--key", &file("client.key_secret"), "--server-key", &server]).contains("2.7183"));
    assert!(ask(&["--key", &file("stranger.key_secret"), "--server-key", &server]).contains("unauthorized"));
    assert!(
        ask(&["--key", &file("client.key_secret"), "--server-key", &file("stranger.key")]).contains("error")
    );
    assert!(ask(&[]).contains("the peer"));
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn a_client_gives_up_in_time_where_nobody_is() {
    // Nobody listens at a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("free").local_addr().expect("bound").port();
    let nowhere = client(&format!("tcp://127.0.0.1:{port}"), 200);
    let e = nowhere.call("oracle", exp(), options()).expect_err("nobody");
    assert_eq!(e.code(), Code::Unreachable, "{e}");
    // Somebody who never answers.
    let silent = serve("tcp://127.0.0.1:0", |_, _| vec![]);
    let client = client(&silent, 100);
    let e = client.call("oracle", exp(), options()).expect_err("silence");
    assert_eq!((e.code(), client.metrics().timeouts.get()), (Code::Timeout, 4), "{e}");
    // Each attempt has had a connection of its own.
    assert_eq!(client.metrics().connections.get(), 4);
}

#[test]
fn late_double_and_foreign_answers_are_dropped() {
    let mut earlier: Option<Request> = None;
    let at = serve("tcp://127.0.0.1:0", move |count, request| match count {
        // The first attempt gets no answer.
        0 => {
            earlier = Some(request.clone());
            vec![]
        }
        // The second gets that to the first, garbage, somebody else's, its own, and that again.
        1 => {
            let first = earlier.take().expect("it came first");
            let mut stranger = request.clone();
            stranger.correlation_id = "0000-7.1".into();
            let garbage = vec![Bytes::new(), Bytes::from_static(b"\xff\xfe{"), Bytes::new()];
            vec![
                reply(&first, "\"wrong\""),
                garbage,
                vec![Bytes::new()],
                reply(&stranger, "\"wrong\""),
                reply(request, "\"right\""),
                reply(request, "\"double\""),
            ]
        }
        _ => vec![reply(request, "\"next\"")],
    });
    let client = client(&at, 300);
    assert_eq!(client.call("x", exp(), options()).expect("answered").payload, "\"right\"");
    assert_eq!(client.call("x", exp(), options()).expect("answered").payload, "\"next\"");
    let m = client.metrics();
    assert_eq!((m.timeouts.get(), m.retries.get(), m.late.get(), m.garbage.get()), (1, 1, 2, 3));
}

#[test]
fn answers_that_cannot_be_read_are_errors() {
    let at = serve("tcp://127.0.0.1:0", |_, request| {
        let id = &request.correlation_id;
        let header = match &request.op[..] {
            "version" => format!(r#"{{"schema_version":9,"correlation_id":"{id}","status":"ok"}}"#),
            "type" => {
                format!(r#"{{"schema_version":1,"correlation_id":"{id}","status":"ok","content_type":"x"}}"#)
            }
            _ => format!(r#"{{"schema_version":1,"correlation_id":"{id}","status":"maybe"}}"#),
        };
        vec![vec![Bytes::new(), header.into(), Bytes::new()]]
    });
    let client = client(&at, 5000);
    for (op, what) in [("version", "schema_version 9"), ("type", "content type"), ("status", "neither")] {
        let e = client.call(op, exp(), options()).expect_err("unreadable");
        assert!(matches!(e, CallError::Decode(_)) && e.to_string().contains(what), "{e}");
    }
}

#[test]
fn a_request_can_be_cancelled_and_nothing_outlives_its_client() {
    let silent = serve("tcp://127.0.0.1:0", |_, _| vec![]);
    let client = client(&silent, 60_000);
    let pending = client.start("x", exp(), options()).expect("begun");
    let cancel = pending.canceller();
    let waiting = std::thread::spawn(move || pending.wait());
    cancel();
    assert_eq!(waiting.join().expect("no panic"), Err(CallError::Cancelled));
    let pending = client.start("x", exp(), options()).expect("begun");
    drop(client);
    assert_eq!(pending.wait(), Err(CallError::Closed));
}

#[test]
fn a_cancelled_question_stops_the_oracle() {
    let at = format!("ipc://{}", peers::socket("cancel"));
    let mut worker = lean_oracle(&["worker", "--bind", &at]);
    worker.line();
    let side = json!({"lo": "-3", "hi": "3"});
    let hard = json!({"kind": "range", "expr": "sin(x*y*z)*exp(-x^2-y^2)+cos(17*x*y)/(1+z^2)", "level": "tight", "tol": "1e-30",
        "vars": {"x": side, "y": side, "z": side}, "max_nodes": 1_000_000_000_000u64});
    let client = client(&at, 60_000);
    let pending = client.start("oracle", json_body(hard.clone()), options()).expect("begun");
    std::thread::sleep(Duration::from_millis(200));
    pending.canceller()();
    // The worker has one thread: it answers because it stopped.
    is_exp(&client.call("oracle", exp(), options()).expect("answered"));
    // The same by a deadline.
    let short = CallOptions { deadline: Some(Duration::from_millis(200)), ..options() };
    let e = client.call("oracle", json_body(hard), short).expect_err("too hard");
    assert!(matches!(e.code(), Code::Timeout | Code::Cancelled | Code::Budget), "{e}");
    is_exp(&client.call("oracle", exp(), options()).expect("answered"));
}

#[test]
fn a_worker_that_is_killed_or_frozen_is_replaced() {
    let (_broker, clients, workers) = start_broker(&[]);
    let arguments = ["worker", "--broker", &workers, "--heartbeat-ms", "200"];
    let (mut first, mut second) = (lean_oracle(&arguments), lean_oracle(&arguments));
    let client = client(&clients, 1000);
    is_exp(&client.call("oracle", exp(), options()).expect("answered"));
    first.kill();
    for _ in 0..20 {
        is_exp(&client.call("oracle", exp(), options()).expect("answered"));
    }
    let third = lean_oracle(&arguments);
    second.signal("STOP");
    for _ in 0..20 {
        is_exp(&client.call("oracle", exp(), options()).expect("answered"));
    }
    // Thawed, it finds itself disconnected, and connects again.
    second.signal("CONT");
    drop(third);
    for _ in 0..20 {
        is_exp(&client.call("oracle", exp(), options()).expect("answered"));
    }
    assert!(second.runs());
}

#[test]
fn a_server_killed_between_request_and_reply_and_restarted_is_asked_again() {
    let at = format!("ipc://{}", peers::socket("killed"));
    let mut worker = lean_oracle(&["worker", "--bind", &at]);
    worker.line();
    // It reads nothing now, so that the request is on its way when it dies.
    worker.signal("STOP");
    let client = client(&at, 1000);
    let pending = client.start("oracle", exp(), options()).expect("begun");
    std::thread::sleep(Duration::from_millis(100));
    worker.kill();
    std::thread::sleep(Duration::from_millis(300));
    let mut worker = lean_oracle(&["worker", "--bind", &at]);
    worker.line();
    is_exp(&pending.wait().expect("answered"));
    // What must not be repeated is not.
    worker.signal("STOP");
    let once = CallOptions { once: true, ..options() };
    let begun = Instant::now();
    assert_eq!(client.call("oracle", exp(), once).expect_err("frozen").code(), Code::Timeout);
    assert!(begun.elapsed() < Duration::from_millis(1900));
}

/// Doubles numbers; beside each answer a number that no other execution has.
fn twice(process: u64) -> Functions {
    let count = AtomicU64::new(0);
    Functions::new().on("twice", move |request, _| {
        let n: i64 = std::str::from_utf8(&request.body.payload).expect("ours").parse().expect("ours");
        let execution = process << 40 | count.fetch_add(1, Ordering::Relaxed);
        Ok(Body::json(format!("[{},{execution}]", 2 * n)))
    })
}

fn double_at_broker(backend: &str, security: ClientSecurity, process: u64) -> Worker {
    let place = Place::Broker(endpoint(backend), security);
    let heartbeat = Duration::from_millis(100);
    let config = WorkerConfig { threads: 2, heartbeat, ..WorkerConfig::new(vec![place]) };
    Worker::new(config, twice(process)).expect("a worker")
}

/// Not a test of its own: the process of a worker that other tests start, and stop.
#[test]
fn worker_process() {
    if let Ok(backend) = std::env::var("LEAN_ORACLE_TEST_WORKER") {
        let security = ClientSecurity::Plain { anywhere: false };
        double_at_broker(&backend, security, std::process::id().into()).run();
    }
}

fn start_worker_process(backend: &str) -> Peer {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    Peer::start(command.args(["--exact", "worker_process"]).env("LEAN_ORACLE_TEST_WORKER", backend))
}

/// A worker that answers too late, twice, or with garbage, until it is stopped.
fn bad_worker(backend: &str, stop: &AtomicBool) {
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let security = ClientSecurity::Plain { anywhere: false };
    let mut late: Vec<(Instant, ConnId, Vec<Bytes>)> = Vec::new();
    let (mut connected, mut beat, mut count) = (None, Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        if connected.is_none() {
            connected = hub.connect(&endpoint(backend), &security).ok();
        }
        let now = Instant::now();
        hub.wait(Some(now + Duration::from_millis(20)));
        while let Some(event) = hub.next_event() {
            match event {
                Event::Opened(id, ..) => {
                    let ready = [Bytes::from_static(b"\x01"), Bytes::from_static(br#"{"ops":["twice"]}"#)];
                    let _ = hub.send(id, &ready);
                }
                Event::Closed(..) => connected = None,
                Event::Message(id, frames) if frames.len() > 3 => {
                    count += 1;
                    let request = Request::read(&frames[2..]).expect("ours");
                    let body = Body::json("[\"wrong\",0]");
                    let wrong = Reply { correlation_id: request.correlation_id.clone(), outcome: Ok(body) };
                    let n: i64 = String::from_utf8_lossy(&request.body.payload).parse().expect("ours");
                    let execution = 1u64 << 63 | count;
                    let body = Body::json(format!("[{},{execution}]", 2 * n));
                    let right = Reply { correlation_id: request.correlation_id, outcome: Ok(body) };
                    let address = |reply: &Reply| [frames[..2].to_vec(), reply.frames()].concat();
                    match count % 4 {
                        // After the client has asked anew: what comes late is wrong, to be noticed.
                        0 => late.push((now + Duration::from_millis(700), id, address(&wrong))),
                        1 => {
                            let _ = hub.send(id, &address(&right));
                            let _ = hub.send(id, &address(&wrong));
                        }
                        2 => {
                            let _ = hub.send(id, &[frames[0].clone(), Bytes::new(), "{".into(), "?".into()]);
                        }
                        _ => {
                            // The number of a request that others have, or nobody.
                            let number = Bytes::copy_from_slice(&count.to_be_bytes());
                            let _ = hub.send(id, &[&[number][..], &address(&wrong)[1..]].concat());
                            let _ = hub.send(id, &address(&right));
                        }
                    }
                }
                Event::Message(..) => {}
            }
        }
        late.retain(|(due, id, frames)| {
            let waits = *due > now;
            if !waits {
                let _ = hub.send(*id, frames);
            }
            waits
        });
        if let Some(id) = connected.filter(|_| now >= beat) {
            let _ = hub.send(id, &[Bytes::from_static(b"\x02")]);
            beat = now + Duration::from_millis(100);
        }
    }
}

/// What came of `total` requests of four clients.
#[derive(Default)]
struct Storm {
    done: AtomicUsize,
    failed: AtomicUsize,
    retries: AtomicU64,
    /// The numbers of the executions whose answers were delivered.
    executions: Mutex<HashSet<u64>>,
}

impl Storm {
    /// One client's part. Panics when an answer is wrong, or was delivered before.
    fn ask(&self, config: ClientConfig, caller: usize, each: usize) {
        let client = Client::new(config).expect("a client");
        for start in (0..each).step_by(100) {
            let asked: Vec<usize> = (start..start + 100).map(|n| n * 10 + caller).collect();
            let questions = asked.iter().map(|n| ("twice".to_string(), Body::json(n.to_string())));
            let answers = client.call_batch(questions, options());
            assert_eq!(answers.len(), 100);
            for (n, answer) in asked.into_iter().zip(answers) {
                match answer {
                    Ok(body) => {
                        let (double, execution): (usize, u64) =
                            serde_json::from_slice(&body.payload).expect("a right answer");
                        assert_eq!(double, 2 * n, "a wrong answer");
                        let new = self.executions.lock().expect("no panic").insert(execution);
                        assert!(new, "an answer was delivered twice");
                    }
                    Err(CallError::Request(e)) => panic!("{e}"),
                    Err(_) => _ = self.failed.fetch_add(1, Ordering::Relaxed),
                }
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_eq!(client.metrics().in_flight.get(), 0);
        self.retries.fetch_add(client.metrics().retries.get(), Ordering::Relaxed);
    }

    /// Runs four clients; meanwhile `fault(k)` each time when another `total / 6` requests are done.
    fn run(&self, config: &ClientConfig, total: usize, mut fault: impl FnMut(usize)) {
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..4).map(|c| scope.spawn(move || self.ask(config.clone(), c, total / 4))).collect();
            for k in 1..6 {
                while self.done.load(Ordering::Relaxed) < total * k / 6 {
                    if callers.iter().all(|c| c.is_finished()) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                fault(k);
            }
        });
        assert_eq!(self.done.load(Ordering::Relaxed), total / 4 * 4, "each request ends");
        assert!(self.retries.load(Ordering::Relaxed) > 0, "nothing was hit by a fault");
    }
}

/// How many requests a test makes: `LEAN_ORACLE_CASES`, or `otherwise`.
fn cases(otherwise: usize) -> usize {
    let asked: Option<usize> = std::env::var("LEAN_ORACLE_CASES").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(otherwise).next_multiple_of(400)
}

/// A broker that is killed and started again five times while it is asked.
fn broker_storm(total: usize, arguments: &[&str], client: ClientSecurity, worker: ClientSecurity) {
    let (frontend, backend) = (peers::socket("front"), peers::socket("back"));
    let (frontend, backend) = (format!("ipc://{frontend}"), format!("ipc://{backend}"));
    let places = ["broker", "--frontend", &frontend, "--backend", &backend, "--heartbeat-ms", "100"];
    let start = || {
        let mut broker = lean_oracle(&[&places[..], arguments].concat());
        broker.line();
        broker
    };
    let mut broker = start();
    let worker = double_at_broker(&backend, worker, 1);
    let stop_worker = worker.stopper();
    let worker = std::thread::spawn(move || worker.run());
    let mut config = ClientConfig::new(endpoint(&frontend));
    (config.security, config.timeout) = (client, Duration::from_secs(5));
    let storm = Storm::default();
    storm.run(&config, total, |_| {
        broker.kill();
        std::thread::sleep(Duration::from_millis(100));
        broker = start();
    });
    let failed = storm.failed.load(Ordering::Relaxed);
    assert_eq!(failed, 0, "a broker that comes back at once loses no request");
    stop_worker();
    worker.join().expect("no panic");
}

#[test]
fn a_broker_killed_and_restarted_under_load_loses_nobody() {
    let plain = ClientSecurity::Plain { anywhere: false };
    broker_storm(cases(50_000), &[], plain.clone(), plain);
}

#[test]
fn a_broker_with_curve_killed_and_restarted_under_load_loses_nobody() {
    let key = peers::socket("storm");
    assert!(lean_oracle(&["keygen", &key]).finish().contains("is secret"));
    let secret = format!("{key}.key_secret");
    let server = Keys::read(secret.as_ref()).expect("a key").public;
    let security = || ClientSecurity::Curve { keys: Keys::generate(), server };
    broker_storm(cases(10_000), &["--key", &secret], security(), security());
    let _ = (std::fs::remove_file(secret), std::fs::remove_file(format!("{key}.key")));
}

/// Two of the workers freeze and thaw, one is killed, one answers late, twice and with garbage.
#[test]
fn bad_workers_make_no_answer_wrong() {
    let (_broker, clients, workers) = start_broker(&[]);
    let good = double_at_broker(&workers, ClientSecurity::Plain { anywhere: false }, 1);
    let stop_good = good.stopper();
    let good = std::thread::spawn(move || good.run());
    let mut others: Vec<Peer> = (0..3).map(|_| start_worker_process(&workers)).collect();
    let stop = AtomicBool::new(false);
    let mut config = ClientConfig::new(endpoint(&clients));
    // The late answers come after this.
    (config.timeout, config.retries) = (Duration::from_millis(500), 20);
    let storm = Storm::default();
    std::thread::scope(|scope| {
        scope.spawn(|| bad_worker(&workers, &stop));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            storm.run(&config, cases(10_000), |k| match k {
                1 => others[..2].iter().for_each(|w| w.signal("STOP")),
                2 => others[2].kill(),
                4 => others[..2].iter().for_each(|w| w.signal("CONT")),
                _ => {}
            });
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|e| std::panic::resume_unwind(e));
    });
    assert!(others[..2].iter_mut().all(Peer::runs));
    stop_good();
    good.join().expect("no panic");
}

#[test]
fn small_and_large_arrays_come_back_whole() {
    let functions = Functions::new().on("echo", |request, _| Ok(request.body.clone()));
    let at = endpoint(&format!("ipc://{}", peers::socket("arrays")));
    let place = Place::Here(at.clone(), ServerSecurity::Plain { anywhere: false });
    let worker = Worker::new(WorkerConfig::new(vec![place]), functions).expect("a worker");
    let stop = worker.stopper();
    let worker = std::thread::spawn(move || worker.run());
    let client = client(&at.to_string(), 30_000);
    for n in [0, 1, 512, 513, 100_000, 8 << 20] {
        let mut numbers: Vec<f64> = (0..n).map(f64::from).collect();
        if let Some(first) = numbers.first_mut() {
            *first = f64::NAN;
        }
        let bytes: Vec<u8> = bytemuck::cast_slice(&numbers).to_vec();
        let body = Body::json("null").with(vec![Array::flat(numbers)]);
        let back = client.call("echo", body, options()).expect("answered");
        assert!(*back.arrays[0].data() == bytes, "{n}");
    }
    let text = "x".repeat(4095);
    let back = client.call("echo", Body::json(format!("\"{text}\"")), options()).expect("answered");
    assert_eq!(back.payload.len(), 4097);
    stop();
    worker.join().expect("no panic");
}

/// Bytes that no ZeroMQ peer would send, and messages that no client of ours would.
#[test]
fn a_bad_message_never_ends_a_server() {
    let (mut broker, clients, workers) = start_broker(&[]);
    let mut worker = lean_oracle(&["worker", "--broker", &workers, "--bind", "tcp://127.0.0.1:0"]);
    let direct = place(&worker.line());
    let greeting = |mechanism: &str| {
        let mut g = [0u8; 64];
        (g[0], g[9], g[10]) = (0xFF, 0x7F, 3);
        g[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
        g
    };
    let ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ";
    let hostile: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xFF; 1000],
        greeting("CURVE").to_vec(),
        [&greeting("NULL")[..], &[4, 0]].concat(),
        [&greeting("NULL")[..], &[4, 6, 5], b"HELLO"].concat(),
        [&greeting("NULL")[..], &[6, 255, 255, 255, 255, 255, 255, 255, 255]].concat(),
        [&greeting("NULL")[..], ready, &[2, 127, 255, 255, 255, 255, 255, 255, 255]].concat(),
        [&greeting("NULL")[..], ready, &[0x80, 1, 2]].concat(),
        [&greeting("NULL")[..], ready, &[1, 0].repeat(100_000)].concat(),
        [&greeting("NULL")[..], ready, &[4, 5, 4], b"PING"].concat(),
    ];
    for at in [&clients, &workers, &direct] {
        let address = at.strip_prefix("tcp://").expect("tcp");
        for bytes in &hostile {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            let _ = stream.write_all(bytes);
            let _ = stream.read(&mut [0; 256]);
        }
        // Well-formed messages of hostile content.
        let mut hub = Hub::new(HubLimits::default()).expect("a hub");
        let security = ClientSecurity::Plain { anywhere: false };
        hub.connect(&endpoint(at), &security).expect("it listens");
        let id = loop {
            hub.wait(None);
            if let Some(Event::Opened(id, ..)) = hub.next_event() {
                break id;
            }
        };
        let deep = "[".repeat(200_000);
        let texts: [&[u8]; 12] = [
            b"", b"{", b"\xff", b"null", b"{}", b"\x01", b"\x02", b"\x03", b"12345678", deep.as_bytes(),
            br#"{"schema_version":1,"op":"oracle","correlation_id":"c","arrays":[{"dtype":"f64","shape":[9]}]}"#,
            br#"{"schema_version":1,"op":"oracle","deadline_ms":18446744073709551615}"#,
        ];
        for a in texts {
            for b in texts {
                for frames in [vec![a], vec![a, b], vec![b"", a, b], vec![a, b"", b], vec![b"", b"", a, b]] {
                    let frames: Vec<Bytes> = frames.into_iter().map(Bytes::copy_from_slice).collect();
                    let _ = hub.send(id, &frames);
                }
            }
        }
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end {
            hub.wait(Some(end));
            while hub.next_event().is_some() {}
        }
    }
    for at in [&clients, &direct] {
        is_exp(&client(at, 5000).call("oracle", exp(), options()).expect("answered"));
    }
    assert!(broker.runs() && worker.runs());
}

#[test]
fn who_asks_too_often_is_told_so() {
    let functions = Functions::new().on("x", |_, _| Ok(Body::json("1")));
    let at = endpoint(&format!("ipc://{}", peers::socket("rate")));
    let place = Place::Here(at.clone(), ServerSecurity::Plain { anywhere: false });
    let rate = Some(Rate { per_second: 0.01, burst: 3.0 });
    let worker =
        Worker::new(WorkerConfig { rate, ..WorkerConfig::new(vec![place]) }, functions).expect("a worker");
    let stop = worker.stopper();
    let worker = std::thread::spawn(move || worker.run());
    let client = client(&at.to_string(), 1000);
    let no_retries = CallOptions { retries: Some(0), ..options() };
    let codes: Vec<Option<Code>> =
        (0..5).map(|_| client.call("x", exp(), no_retries).err().map(|e| e.code())).collect();
    assert_eq!(codes, [None, None, None, Some(Code::Busy), Some(Code::Busy)]);
    stop();
    worker.join().expect("no panic");
}

#[test]
fn a_broker_tells_how_it_is() {
    let config = BrokerConfig::new(endpoint("tcp://127.0.0.1:0"), endpoint("tcp://127.0.0.1:0"));
    let broker = Broker::new(config).expect("a broker");
    let clients = broker.endpoints().0[0].to_string();
    let stop = broker.stopper();
    let metrics =
        lean_oracle::transport::broker::serve_metrics("127.0.0.1:0", broker.metrics()).expect("free");
    let broker = std::thread::spawn(move || broker.run());
    let status = || -> Value {
        let printed = lean_oracle(&["broker", "--status", "--frontend", &clients]).finish();
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    };
    until(|| status()["clients"] == 1);
    assert!(status()["requests_total"].as_u64().expect("a number") >= 2);
    let get = |path: &str| {
        let mut stream = TcpStream::connect(metrics).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    };
    assert!(get("/metrics").contains("\nlean_oracle_broker_workers 0\n"));
    assert!(get("/other").starts_with("HTTP/1.1 404"));
    stop();
    broker.join().expect("no panic");
}

const REFERENCE: &str = r#"
import json, sys, zmq
endpoint = sys.argv[1]
context = zmq.Context()
def socket(kind):
    s = context.socket(kind); s.linger = 0; s.rcvtimeo = 10000; s.connect(endpoint); return s
v1 = {"schema_version": 1, "matrix": [[1, 2], [3, 4]], "model": {"name": "TestModel", "version": "1.0"}}
v2 = {"schema_version": 2, "matrix": [[5]], "model": {"name": "m", "version": "1", "author": "a"}}
shapes = [(v1, 10.0, None), (v2, 5.0, None), ({"correlation_id": "req_1", "payload": v1}, 10.0, "req_1"), ("HEARTBEAT", None, None)]
def check(reply, total, correlation):
    if total is None: assert reply["status"] == "heartbeat_ack", reply
    else: assert reply["status"] == "success" and reply["matrix_sum"] == total, reply
    assert reply.get("correlation_id") == correlation, reply
req = socket(zmq.REQ)
for shape, total, correlation in shapes:
    req.send(json.dumps(shape).encode()); check(json.loads(req.recv()), total, correlation)
for bad in (b"{", b"", b"\xff", b"[1]", b'{"schema_version": 3, "matrix": [], "model": {}}'):
    req.send(bad); reply = json.loads(req.recv()); assert reply["status"] == "error", reply
dealer = socket(zmq.DEALER)
for head in ([], [b""], [b"", b"req_9"], [b"req_9"]):
    for shape, total, correlation in shapes:
        dealer.send_multipart(head + [json.dumps(shape).encode()])
        *empty, reply = dealer.recv_multipart()
        assert empty == ([b""] if head[:1] == [b""] else []), empty
        if correlation is None and b"req_9" in head: correlation = "req_9"
        check(json.loads(reply), total, correlation)
print("done")
"#;

#[test]
fn clients_of_the_reference_are_answered() {
    let Some(python) = Python::find("clients_of_the_reference_are_answered") else { return };
    let (_broker, clients, workers) = start_broker(&[]);
    let mut worker = lean_oracle(&["worker", "--broker", &workers, "--bind", "tcp://127.0.0.1:0"]);
    let direct = place(&worker.line());
    for at in [&direct, &clients] {
        assert_eq!(python.start(REFERENCE, &[at]).finish(), "done\n", "{at}");
    }
    // And the shell does the same without Python.
    let request = r#"{"schema_version":1,"matrix":[[1,2],[3,4]],"model":{"name":"m","version":"1"}}"#;
    let answer = lean_oracle(&["call", "matrix_sum", request, "--raw", "--endpoint", &clients]).finish();
    assert!(answer.contains("\"matrix_sum\":10.0"), "{answer}");
}

/// The worker of `python/`, with the arguments for one end.
fn python_worker(python: &Python, args: &[&str]) -> Peer {
    let module = ["-m", "lean_oracle_worker.examples.numeric", "--heartbeat", "0.2"];
    Peer::start(python.command().args(module).args(args))
}

#[test]
fn python_functions_are_asked_like_our_own() {
    let Some(python) = Python::find("python_functions_are_asked_like_our_own") else { return };
    let (_broker, clients, workers) = start_broker(&[]);
    let mut bound = python_worker(&python, &["--bind", "tcp://127.0.0.1:*"]);
    let direct = place(&bound.line());
    let _worker = python_worker(&python, &["--broker", &workers]);
    // The broker gives each worker only what it can do.
    let _oracle = lean_oracle(&["worker", "--broker", &workers]);
    is_exp(&client(&clients, 5000).call("oracle", exp(), options()).expect("answered"));
    for at in [&clients, &direct] {
        let client = client(at, 5000);
        assert_eq!(client.call("sum", Body::json("[1,2,3.5]"), options()).expect("answered").payload, "6.5");
        let e = client.call("sum", Body::json("[1,\"2\"]"), options()).expect_err("refused");
        assert!(e.code() == Code::BadRequest && e.to_string().contains("is not valid"), "{e}");
        let arrays = vec![
            Array::new(vec![1.0f64, 2.0, 3.0, 4.0], vec![2, 2]).expect("4"),
            Array::new(vec![0.5f64, -1.0], vec![2, 1]).expect("2"),
        ];
        let product = client.call("matmul", Body::json("null").with(arrays), options()).expect("answered");
        assert_eq!(product.arrays[0].shape(), [2, 1]);
        assert_eq!(product.arrays[0].numbers::<f64>().expect("doubles")[..], [-1.5, -2.5]);
        formats_survive(&client);
    }
}

/// Every value that a format carries comes back through Python as it went.
fn formats_survive(client: &Client) {
    use lean_oracle::transport::format::{Format, Value};
    let text = |s: &str| Value::Text(s.into());
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::Int(1 << 70),
        Value::Int(-(1 << 62)),
        Value::Float(-0.0),
        Value::Float(f64::NAN),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(1.0),
        text("NaN"),
        text("Infinity"),
        Value::Bytes(vec![0, 255, 10]),
        Value::List(vec![Value::Float(1.0), Value::Float(f64::INFINITY)]),
        Value::List(vec![Value::Int(1), Value::Float(2.0), text("NaN"), Value::List(vec![])]),
        Value::Map(vec![("a".into(), Value::Map(vec![])), ("NaN".into(), Value::Int(i64::MIN.into()))]),
    ];
    for value in values {
        for format in Format::ALL {
            let Ok(payload) = format.encode(&value) else { continue };
            let body = Body { format, payload: payload.into(), arrays: vec![] };
            let back = client.call("echo", body.clone(), options()).expect("answered");
            assert_eq!(back.format, format);
            // NaN differs from itself: the text of both is compared.
            assert_eq!(format!("{:?}", back.value().expect("read")), format!("{value:?}"), "{format:?}");
        }
    }
    // Arrays come back bit for bit, NaNs with their payloads.
    let doubles = [f64::from_bits(0x7FF8_0000_DEAD_BEEF), -0.0, f64::NEG_INFINITY, 5e-324];
    let floats = [f32::from_bits(0xFFC0_1234), -0.0, f32::INFINITY];
    let arrays = vec![
        Array::new(doubles.to_vec(), vec![2, 2]).expect("4"),
        Array::flat(floats.to_vec()),
        Array::new(vec![i64::MIN, i64::MAX, -1], vec![3, 1]).expect("3"),
        Array::new(Vec::<f64>::new(), vec![0, 3]).expect("none"),
    ];
    let back = client.call("echo", Body::json("null").with(arrays.clone()), options()).expect("answered");
    assert_eq!(back.arrays, arrays);
    // What JSON cannot say comes back in a format that can.
    let back = client.call("sum", Body::json("null").with(vec![Array::flat(vec![f64::NAN])]), options());
    assert_eq!(back.expect("answered").format, Format::MessagePack);
}

const CONVERT: &str = r#"
import sys
from lean_oracle_worker.formats import FORMATS, decode, encode
with open(sys.argv[1]) as asked, open(sys.argv[2], "w") as answer:
    for line in asked:
        k, data = line.split(",")
        value = decode(bytes.fromhex(data), FORMATS[int(k)])
        for name in FORMATS:
            try: print(encode(value, name).hex(), file=answer)
            except ValueError as e: print(f"! {e}", file=answer)
print("done")
"#;

/// Some value, often an awkward one.
fn any_value(next: &mut impl FnMut() -> u64, depth: u32) -> format::Value {
    use format::Value;
    let texts = ["", "NaN", "Infinity", "-Infinity", "null", "1", "\u{0}\"\\\n", "\u{1F600}é\u{2028}"];
    let text = |k: u64| texts[(k % 8) as usize].to_string();
    match next() % if depth == 0 { 10 } else { 14 } {
        0 => Value::Null,
        1 => Value::Bool(next().is_multiple_of(2)),
        2 => Value::Int((next() as i64 >> (next() % 64)).into()),
        3 => Value::Int(((next() as i128) << 64 | next() as i128) >> (next() % 127)),
        4 => Value::Int(*[1 << 70, -(1 << 70), i128::MIN, i128::MAX].get(next() as usize % 4).expect("4")),
        5 => {
            let awkward = [f64::NAN, f64::INFINITY, -f64::INFINITY, -0.0, 0.0, 5e-324, f64::MAX, 1.0];
            Value::Float(awkward[next() as usize % 8])
        }
        // Any bits at all; as NaN only the one, whose text is compared.
        6 | 7 => Value::Float(f64::from_bits(next())),
        8 => Value::Text(text(next())),
        9 => Value::Bytes((0..next() % 5).map(|_| next() as u8).collect()),
        10 => Value::List((0..next() % 5).map(|_| Value::Float(next() as f64 / 7.0)).collect()),
        11 | 12 => Value::List((0..next() % 5).map(|_| any_value(next, depth - 1)).collect()),
        _ => {
            let names = (0..next() % 5).map(|k| format!("{}{k}", text(next())));
            let names: Vec<String> = names.collect();
            Value::Map(names.into_iter().map(|name| (name, any_value(next, depth - 1))).collect())
        }
    }
}

/// Ours is read by Python, and what Python makes of it, in each format, by us: unchanged, or refused by both.
#[test]
fn values_survive_every_format_in_both_directions() {
    use format::Format;
    let Some(python) = Python::find("values_survive_every_format_in_both_directions") else { return };
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let values: Vec<_> = (0..cases(2000)).map(|_| any_value(&mut next, 4)).collect();
    let (asked, answer) = (peers::socket("asked"), peers::socket("answer"));
    let mut lines = String::new();
    let mut sent = Vec::new();
    for value in &values {
        for (k, format) in Format::ALL.into_iter().enumerate() {
            if let Ok(bytes) = format.encode(value) {
                let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                lines += &format!("{k},{hex}\n");
                sent.push(value);
            }
        }
    }
    std::fs::write(&asked, lines).expect("ours");
    assert_eq!(python.start(CONVERT, &[&asked, &answer]).finish(), "done\n");
    let answers = std::fs::read_to_string(&answer).expect("Python wrote it");
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 3 * sent.len());
    for (value, answers) in sent.into_iter().zip(answers.chunks(3)) {
        for (format, answer) in Format::ALL.into_iter().zip(answers) {
            match (format.encode(value), answer.strip_prefix("! ")) {
                (Ok(_), None) => {
                    let byte = |at: usize| u8::from_str_radix(&answer[at..at + 2], 16).expect("hex");
                    let bytes: Vec<u8> = (0..answer.len()).step_by(2).map(byte).collect();
                    let back = format.decode(&bytes).expect("Python's");
                    // NaN differs from itself, and 0 equals -0: the texts are compared.
                    assert_eq!(format!("{back:?}"), format!("{value:?}"), "{format:?}");
                }
                (Err(_), Some(why)) => assert!(!why.is_empty()),
                (ours, theirs) => panic!("{format:?} {value:?}: {ours:?}, Python: {theirs:?}"),
            }
        }
    }
    let _ = (std::fs::remove_file(asked), std::fs::remove_file(answer));
}

#[test]
fn a_python_worker_outlives_its_broker() {
    let Some(python) = Python::find("a_python_worker_outlives_its_broker") else { return };
    let (frontend, backend) = (peers::socket("pf"), peers::socket("pb"));
    let (frontend, backend) = (format!("ipc://{frontend}"), format!("ipc://{backend}"));
    let arguments = ["broker", "--frontend", &frontend, "--backend", &backend, "--heartbeat-ms", "200"];
    let mut broker = lean_oracle(&arguments);
    broker.line();
    let mut worker = python_worker(&python, &["--broker", &backend]);
    let client = client(&frontend, 2000);
    assert_eq!(client.call("sum", Body::json("[1,2]"), options()).expect("answered").payload, "3");
    broker.kill();
    broker = lean_oracle(&arguments);
    broker.line();
    assert_eq!(client.call("sum", Body::json("[2,3]"), options()).expect("answered").payload, "5");
    assert!(worker.runs() && broker.runs());
}

#[test]
fn a_python_server_speaks_curve_and_with_the_reference() {
    let Some(python) = Python::find("a_python_server_speaks_curve_and_with_the_reference") else { return };
    let mut plain = python_worker(&python, &["--bind", "tcp://127.0.0.1:*"]);
    let at = place(&plain.line());
    assert_eq!(python.start(REFERENCE, &[&at]).finish(), "done\n");

    let dir = std::path::PathBuf::from(peers::socket("pykeys"));
    std::fs::create_dir_all(dir.join("allowed")).expect("ours");
    let file = |name: &str| dir.join(name).to_str().expect("UTF-8").to_string();
    for name in ["server", "allowed/client", "stranger"] {
        lean_oracle(&["keygen", &file(name)]).finish();
    }
    let (key, allow) = (file("server.key_secret"), file("allowed"));
    let mut sealed =
        python_worker(&python, &["--bind", "tcp://127.0.0.1:*", "--key", &key, "--allow", &allow]);
    let at = place(&sealed.line());
    let server = file("server.key");
    let ask = |key: &str| {
        let args = ["call", "sum", "[1,2,4]", "--endpoint", &at, "--key", key, "--server-key", &server];
        lean_oracle(&args).finish()
    };
    assert_eq!(ask(&file("allowed/client.key_secret")), "7\n");
    assert!(ask(&file("stranger.key_secret")).contains("unauthorized"));
    let _ = std::fs::remove_dir_all(dir);
}

const PROTO: &str = r#"
import re, sys
from lean_oracle_worker.formats import _messages
text = re.sub("//.*", "", open(sys.argv[1]).read())
written = {}
for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
    for repeated, kind, field, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body):
        written[name, field] = (bool(repeated), kind, int(number))
kinds = {8: "bool", 18: "sint64", 9: "string", 1: "double", 12: "bytes"}
ours = {}
for name, message in _messages().items():
    for f in message.DESCRIPTOR.fields:
        kind = f.message_type.name if f.message_type else kinds[f.type]
        repeated = getattr(f, "is_repeated", None)
        ours[name, f.name] = (f.label == 3 if repeated is None else repeated, kind, f.number)
assert written == ours, (written, ours)
print(len(written))
"#;

/// Python's description of the messages is the text's. (That ours is Python's, the values show that go
/// through both.)
#[test]
fn the_messages_are_those_of_value_proto() {
    let Some(python) = Python::find("the_messages_are_those_of_value_proto") else { return };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/transport/value.proto");
    assert_eq!(python.start(PROTO, &[file]).finish(), "17\n");
}
