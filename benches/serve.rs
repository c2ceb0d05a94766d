//! The verification server under load. `scripts/bench-serve` says what is measured and how to read it.

#[path = "../tests/peers/stand_in.rs"]
mod stand_in;

use std::io::{BufRead, BufReader as SyncReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use lean_oracle::repl::{EngineConfig, detect_engine};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

/// Processes of the REPL, for everybody alike.
const PROCESSES: usize = 32;
/// What a snippet of the second table takes, in milliseconds.
const WORK: u64 = 20;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

fn main() -> Result<()> {
    let mut options = Options { peer: None, seconds: 3.0, only: None };
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--peer" => {
                options.peer = Some(value()?.trim_start_matches("http://").trim_end_matches('/').into())
            }
            "--seconds" => options.seconds = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            _ => return Err(format!("{flag}? see scripts/bench-serve --help").into()),
        }
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(all(&options))
}

struct Options {
    /// The address of a Kimina Lean Server.
    peer: Option<String>,
    /// How long each line of the tables is measured.
    seconds: f64,
    /// The one measurement to make.
    only: Option<String>,
}

async fn all(options: &Options) -> Result<()> {
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| only == name);
    if wanted("throughput") {
        throughput(options).await?;
    }
    if wanted("latency") {
        latency(options).await?;
    }
    if wanted("linear") {
        linear(options).await?;
    }
    if wanted("memory") {
        memory().await?;
    }
    if wanted("header") {
        header().await?;
    }
    Ok(())
}

/// Our server, killed at the end.
struct Server {
    child: Child,
    address: String,
    data: PathBuf,
}

impl Server {
    fn start(more: &[&str]) -> Result<Server> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = format!("serve-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(number);
        std::fs::create_dir_all(&data)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
        command
            .args(["serve", "--port", "0", "--cache-size", "0", "--log-level", "ERROR", "--data"])
            .arg(&data);
        command.args(more).current_dir(&data).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        SyncReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://").ok_or("the server did not start")?.1.to_string();
        Ok(Server { child, address, data })
    }

    fn with_stand_in(processes: usize) -> Result<Server> {
        let program = stand_in::stand_in().display().to_string();
        Server::start(&["--repl-path", &program, "--max-repls", &processes.to_string(), "--max-wait", "3600"])
    }

    /// Resident memory in MiB.
    fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// One connection, kept open.
struct Http {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Http {
    async fn connect(address: &str) -> Result<Http> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Http { stream: BufReader::new(stream), address: address.into() })
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        Ok(self.stream.get_mut().write_all(request.as_bytes()).await?)
    }

    async fn receive(&mut self) -> Result<Vec<u8>> {
        let (mut line, mut length, mut ok) = (String::new(), 0, None);
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let text = line.trim();
            ok.get_or_insert(text.contains(" 200"));
            if text.is_empty() {
                break;
            }
            if let Some(n) = text.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        if ok != Some(true) {
            return Err(format!("refused: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }

    /// Checks snippets in one request; all must be right.
    async fn check(&mut self, codes: &[String], reuse: bool) -> Result<()> {
        let snippets: Vec<Value> =
            codes.iter().enumerate().map(|(i, code)| json!({"id": i.to_string(), "code": code})).collect();
        let body = json!({"snippets": snippets, "timeout": 300, "reuse": reuse}).to_string();
        self.answered("/api/check", &body, codes.len()).await
    }

    /// The same by the older of Kimina's two interfaces, which does not answer in steps of 100 ms.
    async fn verify(&mut self, code: &str) -> Result<()> {
        let body = json!({"codes": [{"custom_id": "0", "code": code}], "timeout": 300}).to_string();
        self.answered("/verify", &body, 1).await
    }

    async fn answered(&mut self, path: &str, body: &str, count: usize) -> Result<()> {
        self.send("POST", path, body).await?;
        let answer: Value = serde_json::from_slice(&self.receive().await?)?;
        let results = answer["results"].as_array().ok_or("no results")?;
        let right =
            |r: &&Value| r["response"]["env"].is_u64() || r["response"].is_object() && r["error"].is_null();
        let wrong = |r: &&Value| {
            r["response"]["messages"].as_array().is_some_and(|m| m.iter().any(|m| m["severity"] == "error"))
        };
        if results.len() != count || !results.iter().all(|r| right(&r) && !wrong(&r)) {
            return Err(format!("wrong: {}", &answer.to_string()[..300.min(answer.to_string().len())]).into());
        }
        Ok(())
    }
}

/// The stand-in without anything between.
struct Direct {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _child: tokio::process::Child,
}

impl Direct {
    fn start() -> Result<Direct> {
        let mut command = tokio::process::Command::new(stand_in::stand_in());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("no pipe")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Direct { stdin, stdout, _child: child })
    }

    async fn check(&mut self, code: &str) -> Result<()> {
        let request = json!({"cmd": code}).to_string() + "\n\n";
        self.stdin.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        while line != "\n" {
            line.clear();
            if self.stdout.read_line(&mut line).await? == 0 {
                return Err("the stand-in ended".into());
            }
        }
        Ok(())
    }
}

/// Who is asked.
#[derive(Clone)]
enum Target {
    Http(String),
    Verify(String),
    Direct(Arc<(Semaphore, Mutex<Vec<Direct>>)>),
}

impl Target {
    fn direct() -> Result<Target> {
        let all: Result<Vec<Direct>> = (0..PROCESSES).map(|_| Direct::start()).collect();
        Ok(Target::Direct(Arc::new((Semaphore::new(PROCESSES), Mutex::new(all?)))))
    }

    /// Milliseconds that snippets took, one after the other for each client, in `seconds`.
    async fn load(&self, clients: usize, seconds: f64, code: fn(u64) -> String) -> Result<(Vec<f64>, f64)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let begin = Instant::now();
        let end = begin + Duration::from_secs_f64(seconds);
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let target = self.clone();
            tasks.spawn(async move {
                let mut http = match &target {
                    Target::Http(address) | Target::Verify(address) => Some(Http::connect(address).await?),
                    Target::Direct(_) => None,
                };
                let mut times = Vec::new();
                while Instant::now() < end {
                    // No two are the same: nothing is shared or cached.
                    let code = code(NUMBER.fetch_add(1, Relaxed));
                    let begin = Instant::now();
                    match (&mut http, &target) {
                        (Some(http), Target::Verify(_)) => http.verify(&code).await?,
                        (Some(http), _) => http.check(&[code], true).await?,
                        (None, Target::Direct(pool)) => {
                            let _turn = pool.0.acquire().await?;
                            let mut process = pool.1.lock().await.pop().ok_or("a free process")?;
                            process.check(&code).await?;
                            pool.1.lock().await.push(process);
                        }
                        _ => {}
                    }
                    times.push(begin.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, Failure>(times)
            });
        }
        let mut all = Vec::new();
        while let Some(times) = tasks.join_next().await {
            all.extend(times??);
        }
        let took = begin.elapsed().as_secs_f64();
        all.sort_by(f64::total_cmp);
        Ok((all, took))
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// No name is used twice: Kimina's snippets without a header see each other's declarations.
fn small(n: u64) -> String {
    format!("def x{}_{n} := {n}", std::process::id())
}

fn working(n: u64) -> String {
    format!("#sleep {WORK}\n{}", small(n))
}

/// The names and addresses of all who are measured.
fn targets(server: &Server, options: &Options) -> Result<Vec<(&'static str, Target)>> {
    let mut targets =
        vec![("directly", Target::direct()?), ("lean-oracle", Target::Http(server.address.clone()))];
    if let Some(peer) = &options.peer {
        targets.push(("Kimina", Target::Http(peer.clone())));
        targets.push(("Kimina /verify", Target::Verify(peer.clone())));
    }
    Ok(targets)
}

/// All processes are started and have answered.
async fn warm_up(targets: &[(&'static str, Target)]) -> Result<()> {
    for (_, target) in targets {
        target.load(2 * PROCESSES, 1.0, working).await?;
    }
    Ok(())
}

async fn throughput(options: &Options) -> Result<()> {
    let server = Server::with_stand_in(PROCESSES)?;
    let targets = targets(&server, options)?;
    warm_up(&targets).await?;
    println!("\nSnippets that take no time, {PROCESSES} processes: snippets per second (p50, p99 in ms)\n");
    println!("| clients | {} |", targets.iter().map(|t| t.0).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(targets.len()));
    for clients in [1, 2, 4, 8, 16, 32, 64] {
        let mut cells = Vec::new();
        for (_, target) in &targets {
            let (times, took) = target.load(clients, options.seconds, small).await?;
            let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
            cells.push(format!("{:.0} ({p50:.2}, {p99:.1})", times.len() as f64 / took));
        }
        println!("| {clients} | {} |", cells.join(" | "));
    }
    Ok(())
}

async fn latency(options: &Options) -> Result<()> {
    let server = Server::with_stand_in(PROCESSES)?;
    let targets = targets(&server, options)?;
    warm_up(&targets).await?;
    println!("\nSnippets of {WORK} ms, {PROCESSES} processes: p50 and p99 in ms\n");
    println!("| clients | {} | added |", targets.iter().map(|t| t.0).collect::<Vec<_>>().join(" | "));
    println!("|---|{}---|", "---|".repeat(targets.len()));
    for clients in [1, 8, 32] {
        let (mut cells, mut found) = (Vec::new(), Vec::new());
        for (_, target) in &targets {
            let (times, _) = target.load(clients, options.seconds, working).await?;
            let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
            found.push((p50, p99));
            cells.push(format!("{p50:.2}, {p99:.1}"));
        }
        let (direct, ours) = (found[0], found[1]);
        println!(
            "| {clients} | {} | {:.2}, {:.1} |",
            cells.join(" | "),
            ours.0 - direct.0,
            ours.1 - direct.1
        );
    }
    Ok(())
}

async fn linear(options: &Options) -> Result<()> {
    let server = Server::with_stand_in(4)?;
    let mut places = vec![("lean-oracle", server.address.clone(), 100_000)];
    places.extend(options.peer.iter().map(|peer| ("Kimina", peer.clone(), 1_000)));
    println!("\nSnippets in one request: microseconds for each\n");
    println!("| snippets | who | µs each |\n|---|---|---|");
    for (name, address, most) in places {
        let mut http = Http::connect(&address).await?;
        http.check(&[small(u64::MAX)], true).await?;
        for count in [100, 1_000, 10_000, 100_000] {
            if count > most {
                break;
            }
            let codes: Vec<String> = (count..2 * count).map(|n| small(n + (1 << 40))).collect();
            let begin = Instant::now();
            http.check(&codes, true).await?;
            println!("| {count} | {name} | {:.0} |", begin.elapsed().as_secs_f64() * 1e6 / count as f64);
        }
    }
    println!("\nresident memory of lean-oracle afterwards: {:.0} MiB", server.resident()?);
    Ok(())
}

/// 1,000 snippets that wait, each in a request of its own.
async fn memory() -> Result<()> {
    let server = Server::with_stand_in(2)?;
    let at_rest = server.resident()?;
    let mut waiting = Vec::new();
    for n in 0..1002 {
        let mut http = Http::connect(&server.address).await?;
        let code = format!(
            "#sleep 60000\ndef x := {n}\n{}",
            "-- a line of an ordinary length of a proof\n".repeat(40)
        );
        let body = json!({"snippets": [{"id": "a", "code": code}], "timeout": 300}).to_string();
        http.send("POST", "/api/check", &body).await?;
        waiting.push(http);
    }
    let mut asking = Http::connect(&server.address).await?;
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        asking.send("GET", "/api/status", "").await?;
        let status: Value = serde_json::from_slice(&asking.receive().await?)?;
        let waiting = find(&status, "waiting").unwrap_or(0);
        if waiting >= 1000 {
            let full = server.resident()?;
            println!(
                "\n{waiting} snippets of 2 kB waiting: {full:.0} MiB resident; at rest {at_rest:.0} MiB"
            );
            return Ok(());
        }
    }
    Err("the snippets do not wait".into())
}

/// The number under a key, wherever it is.
fn find(value: &Value, key: &str) -> Option<u64> {
    match value {
        Value::Object(map) => {
            map.get(key).and_then(Value::as_u64).or_else(|| map.values().find_map(|v| find(v, key)))
        }
        _ => None,
    }
}

/// The real Lean: a header loaded for each snippet, kept, and `lean` by itself.
async fn header() -> Result<()> {
    let EngineConfig::Lean { argv, dir } = detect_engine(".")? else {
        println!("\nthis project has a REPL; the header is measured with `lean` itself only");
        return Ok(());
    };
    let folder = dir.display().to_string();
    let arguments = ["--project-dir", &folder, "--max-repls", "1", "--max-wait", "3600"];
    // Each with its own process: a text that keeps nothing takes the place of one that is kept.
    let servers = [Server::start(&arguments)?, Server::start(&arguments)?];
    let mut each_time = Http::connect(&servers[0].address).await?;
    let mut kept = Http::connect(&servers[1].address).await?;
    println!(
        "\nThe real Lean, one process, in turn: milliseconds for a snippet, median (least to most) of 15\n"
    );
    println!("| header | header loaded each time | kept | kept, after 0.5 s of rest | `lean` by itself |");
    println!("|---|---|---|---|---|");
    for header in ["", "import Lean.Data.Json"] {
        let mut number = 0;
        let mut code = || {
            number += 1;
            format!("{header}\ntheorem t : {number} + 1 = {} := rfl", number + 1)
        };
        each_time.check(&[code()], false).await?;
        kept.check(&[code()], true).await?;
        let mut cells = [const { Vec::new() }; 4];
        for _ in 0..15 {
            for (n, cell) in cells.iter_mut().enumerate() {
                // The second one follows another at once, the third does not.
                match n {
                    1 => kept.check(&[code()], true).await?,
                    2 => tokio::time::sleep(Duration::from_millis(500)).await,
                    _ => {}
                }
                let code = code();
                let begin = Instant::now();
                match n {
                    0 => each_time.check(&[code], false).await?,
                    1 | 2 => kept.check(&[code], true).await?,
                    _ => by_itself(&argv, &dir, &code)?,
                }
                cell.push(begin.elapsed().as_secs_f64() * 1e3);
            }
        }
        let cells = cells.map(|mut times| {
            times.sort_by(f64::total_cmp);
            format!("{:.0} ({:.0} to {:.0})", times[7], times[0], times[14])
        });
        println!("| {} | {} |", if header.is_empty() { "none" } else { header }, cells.join(" | "));
    }
    Ok(())
}

/// A text, given to `lean` without us.
fn by_itself(argv: &[String], dir: &Path, code: &str) -> Result<()> {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).args(["--json", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.current_dir(dir).spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().ok_or("no pipe")?, code.as_bytes())?;
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stdout).into_owned().into()),
    }
}
