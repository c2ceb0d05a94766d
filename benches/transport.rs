//! Round trips of our client and worker, for `scripts/bench-transport`, which puts others beside them.
//!
//! * `transport serve ENDPOINT` prints where it listens and sends back what it is asked.
//! * `transport ask ENDPOINT DOUBLES CLIENTS ROUNDS` prints the median and the 99th percentile of the round
//!   trips in microseconds, and how many there were a second.
//! * `transport formats` prints for lists of doubles and of records, in each format, how many bytes they take
//!   and how many microseconds it takes to write them and to read them.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use lean_oracle::transport::client::{CallOptions, Client, ClientConfig};
use lean_oracle::transport::format::{Format, Value};
use lean_oracle::transport::hub::ServerSecurity;
use lean_oracle::transport::message::{Array, Body};
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::worker::{Functions, Place, Worker, WorkerConfig};

fn serve(endpoint: &str) {
    let functions = Functions::new().on("echo", |request, _| Ok(request.body.clone()));
    let place = Place::Here(
        Endpoint::parse(endpoint).expect("an endpoint"),
        ServerSecurity::Plain { anywhere: false },
    );
    let worker = Worker::new(WorkerConfig::new(vec![place]), functions).expect("it starts");
    println!("{}", worker.endpoints()[0]);
    worker.run();
}

/// `rounds` round trips of `doubles` on each of `clients` threads, after a tenth as many to warm up.
fn ask(endpoint: &Endpoint, doubles: usize, clients: usize, rounds: usize) {
    let start = Barrier::new(clients + 1);
    let client = || {
        let mut config = ClientConfig::new(endpoint.clone());
        config.timeout = Duration::from_secs(60);
        let client = Client::new(config).expect("a client");
        let array = Array::flat(vec![1.5f64; doubles]);
        let ask = || {
            let body = Body::json("null").with(vec![array.clone()]);
            let begun = Instant::now();
            let back = client.call("echo", body, CallOptions::default()).expect("answered");
            assert_eq!(back.arrays[0].data().len(), 8 * doubles);
            begun.elapsed().as_secs_f64() * 1e6
        };
        (0..rounds / 10 + 1).for_each(|_| {
            ask();
        });
        start.wait();
        (0..rounds).map(|_| ask()).collect::<Vec<f64>>()
    };
    let (mut all, seconds) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        start.wait();
        let begun = Instant::now();
        let all: Vec<f64> = threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect();
        (all, begun.elapsed().as_secs_f64())
    });
    all.sort_by(f64::total_cmp);
    let at = |q: usize| all[all.len() * q / 100];
    println!("{:.1}\t{:.1}\t{:.0}", at(50), at(99), all.len() as f64 / seconds);
}

fn formats() {
    let doubles = |n: usize| Value::List((0..n).map(|i| Value::Float((i as f64).sin())).collect());
    let record = |i: usize| {
        let name = Value::Text(format!("x{i}"));
        let bounds = Value::List(vec![Value::Float(i as f64 / 7.0), Value::Float(i as f64 / 3.0)]);
        Value::Map(vec![("name".into(), name), ("bounds".into(), bounds), ("level".into(), Value::Int(2))])
    };
    let records = |n: usize| Value::List((0..n).map(record).collect());
    for n in [1, 10, 100, 400, 1000, 10_000, 100_000] {
        for (kind, value) in [("doubles", doubles(n)), ("records", records(n.div_ceil(4)))] {
            for format in Format::ALL {
                let (mut write, mut read, mut bytes) = (f64::MAX, f64::MAX, Vec::new());
                for _ in 0..(200_000 / n).clamp(5, 200) {
                    let begun = Instant::now();
                    bytes = format.encode(&value).expect("every format can");
                    write = write.min(begun.elapsed().as_secs_f64() * 1e6);
                    let begun = Instant::now();
                    let back = format.decode(&bytes).expect("ours");
                    read = read.min(begun.elapsed().as_secs_f64() * 1e6);
                    assert_eq!(back, value);
                }
                let name = format.content_type();
                println!("{kind}\t{}\t{name}\t{}\t{write:.1}\t{read:.1}", value.size(), bytes.len());
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |text: &String| text.parse::<usize>().expect("a number");
    match &arguments[..] {
        [command, endpoint] if command == "serve" => serve(endpoint),
        [command] if command == "formats" => formats(),
        [command, endpoint, doubles, clients, rounds] if command == "ask" => {
            let endpoint = Endpoint::parse(endpoint).expect("an endpoint");
            ask(&endpoint, number(doubles), number(clients), number(rounds));
        }
        // `cargo test --benches` only wants to know that it runs.
        _ => {
            let me = std::env::current_exe().expect("it runs");
            let mut server = Command::new(me)
                .args(["serve", "tcp://127.0.0.1:0"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            let mut line = String::new();
            let out = server.stdout.take().expect("piped");
            std::io::BufReader::new(out).read_line(&mut line).expect("text");
            ask(&Endpoint::parse(line.trim()).expect("an endpoint"), 1000, 2, 10);
            let _ = server.kill().and_then(|()| server.wait());
        }
    }
}
