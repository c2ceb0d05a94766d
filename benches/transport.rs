//! Round trips of our client and worker, for `scripts/bench-transport`, which puts others beside them.
//!
//! * `transport serve ENDPOINT` prints where it listens and sends back what it is asked.
//! * `transport ask ENDPOINT DOUBLES CLIENTS ROUNDS` prints the median and the 99th percentile of the round
//!   trips in microseconds, and how many there were a second.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use lean_oracle::transport::client::{CallOptions, Client, ClientConfig};
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

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |text: &String| text.parse::<usize>().expect("a number");
    match &arguments[..] {
        [command, endpoint] if command == "serve" => serve(endpoint),
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
