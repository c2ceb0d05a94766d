//! Does anything grow? A broker, workers in Rust and Python, and clients in this process, under load for a
//! while: workers are killed, clients come and go, requests are cancelled and garbage comes in. No process
//! that lives through it may need more memory or file descriptors in the end than after a third of the time.
//!
//! `scripts/soak-transport [SECONDS]` runs it for five minutes, or as long as it is told.

#![cfg(target_os = "linux")]

mod peers;

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lean_oracle::transport::client::{CallOptions, Client, ClientConfig};
use lean_oracle::transport::message::{Array, Body};
use lean_oracle::transport::net::Endpoint;
use peers::{Peer, Python};

/// Memory may grow by so many KiB, and by a tenth, from a third of the time to the end.
const SLACK_KIB: usize = 8 << 10;
/// File descriptors may grow by so many: connections come and go all the time.
const SLACK_FILES: usize = 8;

/// The resident memory of a process in KiB, and its open file descriptors.
fn usage(process: u32) -> (usize, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("it is not a zombie");
    let kib = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    (kib, std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count())
}

/// What was answered, refused with a typed error, and cancelled.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    failed: AtomicUsize,
    cancelled: AtomicUsize,
    clients: AtomicUsize,
}

fn client(at: &str) -> Client {
    let mut config = ClientConfig::new(Endpoint::parse(at).expect("an endpoint"));
    config.timeout = Duration::from_secs(2);
    Client::new(config).expect("a client")
}

/// One client after the other, each for some requests of every kind, until it is time.
fn load(at: &str, stop: &AtomicBool, counts: &Counts, python: bool) {
    let mut n = 0usize;
    let exp = Body::json(r#"{"func":"exp","lo":"0","hi":"1","digits":5}"#);
    let options = CallOptions::default();
    while !stop.load(Ordering::Relaxed) {
        let client = client(at);
        counts.clients.fetch_add(1, Ordering::Relaxed);
        for _ in 0..500 {
            n += 1;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if n.is_multiple_of(50) {
                // Begun and not waited for.
                drop(client.start("oracle", exp.clone(), options));
                counts.cancelled.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let outcome = if python && n.is_multiple_of(3) {
                let size = if n.is_multiple_of(300) { 200_000 } else { 100 };
                let body = Body::json("null").with(vec![Array::flat(vec![n as f64; size])]);
                let answer = client.call("echo", body, options);
                answer.map(|b| assert_eq!(b.arrays[0].numbers::<f64>().expect("doubles")[size - 1], n as f64))
            } else {
                let answer = client.call("oracle", exp.clone(), options);
                answer.map(|b| assert!(String::from_utf8_lossy(&b.payload).contains("2.7183"), "{b:?}"))
            };
            let count = if outcome.is_ok() { &counts.answered } else { &counts.failed };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn nothing_grows_under_load() {
    let seconds = std::env::var("LEAN_ORACLE_SOAK").ok().and_then(|s| s.parse().ok()).unwrap_or(15u64);
    let binary = env!("CARGO_BIN_EXE_lean-oracle");
    let place = |line: String| line.split_once(' ').unwrap_or_else(|| panic!("{line:?}")).1.to_string();
    let rust = |args: &[&str]| Peer::start(Command::new(binary).args(args));
    let mut broker = rust(&[
        "broker",
        "--frontend",
        "tcp://127.0.0.1:0",
        "--backend",
        "tcp://127.0.0.1:0",
        "--heartbeat-ms",
        "200",
    ]);
    let (front, back) = (place(broker.line()), place(broker.line()));
    let worker = || rust(&["worker", "--broker", &back, "--heartbeat-ms", "200"]);
    let python = Python::find("nothing_grows_under_load: the Python worker");
    let python_worker = || {
        let module = ["-m", "lean_oracle_worker.examples.numeric", "--heartbeat", "0.2", "--broker", &back];
        python.as_ref().map(|p| Peer::start(p.command().args(module)))
    };
    let (steady, steady_python) = (worker(), python_worker());
    let mut watched = vec![("broker", broker.id()), ("worker", steady.id()), ("clients", std::process::id())];
    watched.extend(steady_python.as_ref().map(|p| ("Python worker", p.id())));

    let (stop, counts) = (AtomicBool::new(false), Counts::default());
    let samples = u32::try_from(seconds).unwrap_or(u32::MAX).max(60);
    let mut seen: Vec<Vec<(usize, usize)>> = vec![Vec::new(); watched.len()];
    let mut kills = 0;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| load(&front, &stop, &counts, python.is_some()));
        }
        // Whatever fails here, the threads have to end.
        let watching = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let begun = Instant::now();
            let (mut second, mut second_python) = (worker(), python_worker());
            for sample in 1..=samples {
                let until = Duration::from_secs(seconds) * sample / samples;
                std::thread::sleep(until.saturating_sub(begun.elapsed()));
                for (seen, (_, id)) in seen.iter_mut().zip(&watched) {
                    seen.push(usage(*id));
                }
                // A worker dies in the middle of its work; another one comes.
                match sample % 10 {
                    3 => second = worker(),
                    7 => second_python = python_worker(),
                    _ => continue,
                }
                kills += 1;
                let address = front.strip_prefix("tcp://").expect("tcp");
                let _ = TcpStream::connect(address).and_then(|mut s| s.write_all(&[0xFF; 100]));
            }
            (second.kill(), second_python.iter_mut().for_each(Peer::kill))
        }));
        stop.store(true, Ordering::Relaxed);
        watching.unwrap_or_else(|e| std::panic::resume_unwind(e));
    });

    let get = |c: &AtomicUsize| c.load(Ordering::Relaxed);
    println!(
        "{seconds} s: {} answered, {} refused, {} cancelled; {} clients, {kills} workers killed",
        get(&counts.answered),
        get(&counts.failed),
        get(&counts.cancelled),
        get(&counts.clients),
    );
    println!("{:14} {:>28} {:>20}", "", "KiB: start, middle, end", "files: s, m, e");
    let mut grown = Vec::new();
    for ((name, _), seen) in watched.iter().zip(&seen) {
        // What is there all the time, around three moments: a third of the time is for warming up.
        let around = |at: usize| {
            let few = &seen[at - 3..at + 3];
            (few.iter().map(|u| u.0).min().unwrap_or(0), few.iter().map(|u| u.1).min().unwrap_or(0))
        };
        let n = seen.len();
        let (start, middle, end) = (around(n / 3), around(n * 2 / 3), around(n - 3));
        println!(
            "{name:14} {:>8}, {:>8}, {:>8} {:>6}, {:>5}, {:>5}",
            start.0, middle.0, end.0, start.1, middle.1, end.1
        );
        if end.0 > start.0 + start.0 / 10 + SLACK_KIB || end.1 > start.1 + SLACK_FILES {
            grown.push(*name);
        }
    }
    assert!(grown.is_empty(), "{grown:?} grew");
    assert!(get(&counts.answered) > 100, "there was no load");
}
