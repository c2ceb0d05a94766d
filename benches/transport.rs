//! Round trips of our client and worker, printed as TSV; `scripts/bench-transport` puts libzmq beside it.
//!
//! `transport serve ENDPOINT` is the other process.

use std::process::{Command, Stdio};
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

/// The sorted latencies of `rounds` round trips of `doubles` on each of `clients` threads, and the time
/// that all took.
fn measure(endpoint: &Endpoint, doubles: usize, clients: usize, rounds: usize) -> (Vec<f64>, f64) {
    let begun = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let mut config = ClientConfig::new(endpoint.clone());
            config.timeout = Duration::from_secs(60);
            std::thread::spawn(move || {
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
                (0..rounds).map(|_| ask()).collect::<Vec<f64>>()
            })
        })
        .collect();
    let mut all: Vec<f64> = threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect();
    all.sort_by(f64::total_cmp);
    (all, begun.elapsed().as_secs_f64())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [serving, endpoint] = &arguments[..]
        && serving == "serve"
    {
        return serve(endpoint);
    }
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|a| a == "--test");
    let ipc =
        format!("ipc://{}", std::env::temp_dir().join(format!("lo-bench-{}", std::process::id())).display());
    println!("transport\tdoubles\tclients\tp50_us\tp99_us\tper_s");
    for place in [ipc.as_str(), "tcp://127.0.0.1:0"] {
        let me = std::env::current_exe().expect("it runs");
        let mut server =
            Command::new(me).args(["serve", place]).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let out = server.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("text");
        let endpoint = Endpoint::parse(line.trim()).expect("an endpoint");
        for (doubles, clients, rounds) in [
            (1, 1, 10_000),
            (1000, 1, 10_000),
            (10_000, 1, 2000),
            (100_000, 1, 500),
            (1_000_000, 1, 60),
            (1000, 16, 1000),
            (1000, 64, 300),
        ] {
            let rounds = if quick { 2 } else { rounds };
            let (all, seconds) = measure(&endpoint, doubles, clients, rounds);
            let at = |q: f64| all[((all.len() - 1) as f64 * q) as usize];
            let name = place.split(':').next().unwrap_or("");
            let rate = all.len() as f64 * 1.1 / seconds;
            println!("{name}\t{doubles}\t{clients}\t{:.1}\t{:.1}\t{rate:.0}", at(0.5), at(0.99));
        }
        let _ = server.kill();
        let _ = server.wait();
    }
}
