//! AXLE's interface to merge and its neighbours: its own client and command line, real Lean, and clients and
//! servers that go away in the middle.

mod peers;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use peers::{Peer, Python};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_lean-oracle");

/// Generous: the machine may be slow.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether there is a Lean; if not, says loudly that `test` is skipped.
fn lean_is_there(test: &str) -> bool {
    let found = lean_oracle::merge::Lean::discover(None);
    if let Err(e) = &found {
        peers::skip(test, &e.to_string());
    }
    found.is_ok()
}

/// Our program, in `dir`, with nothing from outside but where Lean is.
fn program(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEANSERVER_")) {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAN_SERVER_")) {
        command.env_remove(name);
    }
    command.current_dir(dir);
    command
}

/// A server, its address, and the directory that it works in.
fn serve(dir: &Path, more: &[&str]) -> (Peer, String) {
    fs::create_dir_all(dir.join("project")).expect("a directory");
    let mut command = program(dir);
    command.args(["serve", "--port", "0", "--log-level", "WARNING", "--max-repls", "1"]);
    command.args(["--data", "data", "--project-dir", "project"]).args(more);
    let mut peer = Peer::start(&mut command);
    let line = peer.line();
    let address = line.strip_prefix("listening at http://").unwrap_or_else(|| panic!("{line:?}")).to_string();
    (peer, address)
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/merge").join(name)
}

#[test]
fn axles_client_works_unchanged() {
    let test = "axles_client_works_unchanged";
    if !lean_is_there(test) {
        return;
    }
    let Some(python) = Python::with(test, "axle, requests") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    // What our own command makes of the same files, which is AXLE's final file.
    let ours = program(dir.path())
        .arg("merge")
        .args([data("File1.lean"), data("File2.lean")])
        .output()
        .expect("ran");
    assert_eq!(ours.stdout, fs::read(data("expected.lean")).expect("there"), "{ours:?}");
    let merged = dir.path().join("merged.lean");
    fs::write(&merged, &ours.stdout).expect("written");
    for key in ["", "a-key-of-this-test"] {
        let keys: &[&str] = if key.is_empty() { &[] } else { &["--api-key", key] };
        let (_server, address) = serve(dir.path(), keys);
        let mut client = python.command();
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/axle_client.py"));
        client.args([&format!("http://{address}"), key]).args([data("File1.lean"), data("File2.lean")]);
        let own = dir.path().join(format!("key-{key}"));
        fs::create_dir_all(&own).expect("a directory");
        let said = Peer::start(client.arg(&merged).arg(BINARY).arg(&own)).finish();
        assert!(said.trim().ends_with("all right"), "with key {key:?}: {said}");
    }
}

/// A file that never ends and writes the time into `beat` all the while.
fn for_ever(beat: &Path) -> String {
    let _ = fs::remove_file(beat);
    let beat = beat.to_str().expect("UTF-8");
    format!(
        "partial def go : IO Unit := do\n  IO.FS.writeFile {beat:?} (toString (← IO.monoMsNow))\n  \
         IO.sleep 20\n  go\n#eval go"
    )
}

/// Waits until somebody writes into `beat`.
fn wait_for(beat: &Path) {
    let until = Instant::now() + LIMIT;
    while !beat.exists() {
        assert!(Instant::now() < until, "Lean does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks the server to check a file that never ends; returns when it has begun.
fn ask_for_ever(address: &str, beat: &Path) -> TcpStream {
    let content = for_ever(beat);
    let body = json!({"content": content, "environment": "x", "timeout_seconds": 900}).to_string();
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /api/v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    wait_for(beat);
    stream
}

/// Waits until nobody writes into `beat` any more.
fn wait_for_silence(beat: &Path, why: &str) {
    let until = Instant::now() + LIMIT;
    let look = || fs::read(beat).expect("it was written");
    loop {
        let before = look();
        std::thread::sleep(Duration::from_secs(2));
        if look() == before {
            return;
        }
        assert!(Instant::now() < until, "the compiler still runs after {why}");
    }
}

#[test]
fn compilers_end_with_who_asked_and_with_the_server() {
    if !lean_is_there("compilers_end_with_who_asked_and_with_the_server") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let beat = dir.path().join("beat");
    let (mut server, address) = serve(dir.path(), &["--drain", "1"]);
    drop(ask_for_ever(&address, &beat));
    wait_for_silence(&beat, "its client went away");
    let _waiting = ask_for_ever(&address, &beat);
    server.signal("TERM");
    server.finish();
    wait_for_silence(&beat, "the server ended");
}

/// The command line, interrupted: no compiler goes on, no files stay behind, nothing is printed.
#[test]
fn an_interrupted_command_leaves_nothing_behind() {
    if !lean_is_there("an_interrupted_command_leaves_nothing_behind") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (beat, file) = (dir.path().join("beat"), dir.path().join("File.lean"));
    let temporary = dir.path().join("temporary");
    fs::create_dir(&temporary).expect("a directory");
    for (signal, tool) in [("INT", "merge"), ("TERM", "extract-decls")] {
        fs::write(&file, for_ever(&beat)).expect("written");
        let mut command = program(dir.path());
        command.args([tool, "File.lean", "-o", "out", "--timeout-seconds", "900"]).env("TMPDIR", &temporary);
        let mut peer = Peer::start(&mut command);
        wait_for(&beat);
        assert!(fs::read_dir(&temporary).expect("there").next().is_some());
        peer.signal(signal);
        assert_eq!(peer.ended(), Some(130), "{tool}");
        wait_for_silence(&beat, "the command was interrupted");
        assert!(!dir.path().join("out").exists());
        let left: Vec<_> = fs::read_dir(&temporary).expect("there").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
