//! What the pool adds to a REPL process, over the stand-in of the tests; and what a saved header saves, with
//! the `lean` that `detect_engine` finds. Printed as TSV.

#[path = "../tests/peers/stand_in.rs"]
mod stand_in;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lean_oracle::repl::{CheckOptions, EngineConfig, Pool, PoolConfig, Snippet, Verdict, detect_engine};
use stand_in::stand_in;

const ROUNDS: usize = 5000;

fn print(what: &str, clients: usize, mut times: Vec<f64>, all: f64) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!("{what}\t{clients}\t{:.0}\t{:.0}\t{:.0}", at(0.5), at(0.99), times.len() as f64 / all);
}

/// One process, driven over its pipes.
fn direct() {
    let mut child =
        Command::new(stand_in()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut output = BufReader::new(output);
    let mut ask = |request: String| {
        let begin = Instant::now();
        input.write_all(request.as_bytes()).expect("it reads");
        let mut line = String::new();
        while {
            line.clear();
            output.read_line(&mut line).expect("it answers")
        } > 1
        {}
        begin.elapsed().as_secs_f64() * 1e6
    };
    ask("{\"cmd\": \"import Known\"}\n\n".into());
    let begin = Instant::now();
    let times = (0..ROUNDS).map(|n| ask(format!("{{\"cmd\": \"def x{n} := 1\", \"env\": 0}}\n\n"))).collect();
    print("direct", 1, times, begin.elapsed().as_secs_f64());
    drop(input);
    let _ = child.wait();
}

async fn pool(what: &str, pool: &Pool, clients: usize, rounds: usize, header: &str, reuse: bool) {
    let options = CheckOptions { reuse, timeout: Duration::from_secs(100), ..CheckOptions::default() };
    let ask = async |n: usize| {
        let code = format!("{header}def x{n} := 1");
        let begin = Instant::now();
        let outcome = pool.check(Snippet { id: String::new(), code }, &options).await;
        assert_eq!(outcome.verdict(), Verdict::Valid);
        begin.elapsed().as_secs_f64() * 1e6
    };
    // The processes are started and have the header.
    futures_util::future::join_all((0..clients).map(&ask)).await;
    let begin = Instant::now();
    let one = async |client: usize| {
        let mut times = Vec::new();
        for n in 0..rounds / clients {
            times.push(ask(client * rounds + n).await);
        }
        times
    };
    let times = futures_util::future::join_all((0..clients).map(one)).await.concat();
    print(what, clients, times, begin.elapsed().as_secs_f64());
}

fn main() {
    println!("what\tclients\tp50_us\tp99_us\tper_s");
    direct();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = EngineConfig::Repl { argv: vec![stand_in().display().to_string()], dir: ".".into() };
        for (clients, processes) in [(1, 1), (2, 2), (32, 2)] {
            let started = PoolConfig { max_processes: processes, ..PoolConfig::new(engine.clone()) };
            let started = Pool::start(started).await.expect("a pool");
            pool("pool", &started, clients, ROUNDS, "import Known\n", true).await;
        }
        match detect_engine(".") {
            Ok(engine @ EngineConfig::Lean { .. }) => {
                let started = PoolConfig { max_processes: 1, ..PoolConfig::new(engine) };
                let started = Pool::start(started).await.expect("a pool");
                pool("lean, header saved", &started, 1, 20, "import Lean.Data.Json\n", true).await;
                pool("lean, header not saved", &started, 1, 20, "import Lean.Data.Json\n", false).await;
            }
            _ => println!("no lean here"),
        }
    });
}
