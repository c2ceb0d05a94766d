//! Other processes for the tests of the transport and the server, and what is needed to watch them.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[path = "../native/mod.rs"]
mod native;

/// Says loudly that `test` is skipped; where `CI` is set, fails.
pub fn skip(test: &str, why: &str) {
    native::skip(test, why);
}

/// A path for a Unix socket, short enough for one, that no other test has.
pub fn socket(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("lo-{}-{n}-{name}", std::process::id()));
    path.to_str().expect("UTF-8").to_string()
}

/// A process that is ended with the test.
pub struct Peer {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a process, whose standard output is read.
    pub fn start(command: &mut Command) -> Peer {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Peer { child, out }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("text");
        line.trim_end().to_string()
    }

    /// Waits until it ends by itself, and returns what it printed.
    pub fn finish(&mut self) -> String {
        let until = Instant::now() + Duration::from_secs(180);
        while self.child.try_wait().expect("ours").is_none() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("text");
        out
    }

    /// Waits until it ends by itself, and returns its status; `None` if a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        self.finish();
        self.child.wait().expect("ours").code()
    }

    /// Whether it is still there.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("ours").is_none()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill is there").success());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A Python that has what is needed: `LEAN_ORACLE_PYTHON`, the one that `scripts/test` makes, or the system's.
pub struct Python(PathBuf);

impl Python {
    /// Finds it, or says loudly that `test` is skipped.
    pub fn find(test: &str) -> Option<Python> {
        Python::with(test, "zmq, jsonschema, numpy, msgpack, google.protobuf")
    }

    /// Finds one that has `modules`, or says loudly that `test` is skipped.
    pub fn with(test: &str, modules: &str) -> Option<Python> {
        let made = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python"));
        let given = std::env::var_os("LEAN_ORACLE_PYTHON").map(PathBuf::from);
        let find =
            format!("import importlib.util as u; assert all(map(u.find_spec, '{modules}'.split(', ')))");
        let has_modules = |p: &PathBuf| {
            let mut c = Command::new(p);
            let c = c.args(["-c", &find]).stdout(Stdio::null()).stderr(Stdio::null());
            c.status().is_ok_and(|s| s.success())
        };
        let found = given.into_iter().chain([made, "python3".into()]).find(has_modules);
        if found.is_none() {
            native::skip(test, &format!("no Python has {modules}; run scripts/test"));
        }
        found.map(Python)
    }

    /// Runs a program given as text.
    pub fn start(&self, program: &str, args: &[&str]) -> Peer {
        Peer::start(self.command().arg("-c").arg(program).args(args))
    }

    /// The interpreter, with our package on its path.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
