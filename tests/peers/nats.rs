//! A real NATS server and real workers, that tests may kill.

#![allow(dead_code)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lean_oracle::serve::queue::QueueConfig;

/// The time that no wait in these tests needs, on however slow a machine.
pub const LONG: Duration = Duration::from_secs(120);

/// The program, or `None` when there is none; then the test says so and has nothing to do. In CI it must be
/// there.
pub fn nats_server() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = places.map(|dir| dir.join("nats-server")).find(|p| p.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "nats-server is missing (Debian package nats-server)");
        eprintln!("SKIPPED: there is no nats-server (Debian package nats-server)");
    }
    found
}

/// A place of our own.
pub fn directory(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("lo-{}-{n}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As [`until`], on a runtime.
pub async fn until_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so().await {
        assert!(Instant::now() < end, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A NATS server with JetStream on a disk.
pub struct Nats {
    program: PathBuf,
    child: Child,
    port: u16,
    dir: PathBuf,
    flags: Vec<String>,
}

impl Nats {
    pub fn start(flags: &[&str]) -> Option<Nats> {
        let program = nats_server()?;
        let dir = directory("nats");
        // Somebody else could take the port in between; then the server does not start.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let flags: Vec<String> = flags.iter().map(|f| f.to_string()).collect();
        let child = spawn(&program, port, &dir, &flags);
        Some(Nats { program, child, port, dir, flags })
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A queue that notices lost workers soon.
    pub fn config(&self) -> QueueConfig {
        QueueConfig { ack_wait: Duration::from_secs(2), max_wait: LONG, ..QueueConfig::new(self.url()) }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
    }

    pub fn restart(&mut self) {
        self.child = spawn(&self.program, self.port, &self.dir, &self.flags);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn spawn(program: &Path, port: u16, dir: &Path, flags: &[String]) -> Child {
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(dir).args(flags);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nats-server starts");
    until("nats-server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

/// A `lean-oracle verify-worker`, ended with the test.
pub struct WorkerProcess {
    pub child: Child,
}

impl WorkerProcess {
    /// Starts one whose processes are `repl`.
    pub fn start(nats: &Nats, repl: &Path, flags: &[&str]) -> WorkerProcess {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
        command.args(["verify-worker", "--queue", &nats.url(), "--queue-ack-wait", "2", "--repl"]);
        command.arg(repl).current_dir(std::env::temp_dir()).args(flags);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a worker");
        WorkerProcess { child }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("ours");
        let mut status = None;
        until("the worker's end", || {
            status = self.child.try_wait().expect("ours");
            status.is_some()
        });
        status.expect("it ended")
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processes that run this program.
pub fn running(program: &Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
        .collect()
}
