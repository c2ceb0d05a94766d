//! The verification server as a process: real sockets, real clients, processes that misbehave and are killed.

mod peers;
#[path = "peers/stand_in.rs"]
mod repl;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use peers::{Peer, Python};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_lean-oracle");

/// Generous: the machine may be slow.
const LIMIT: Duration = Duration::from_secs(120);

/// A REPL that misbehaves on command; see its source.
fn stand_in() -> &'static str {
    repl::stand_in().to_str().expect("UTF-8")
}

/// A new directory, removed in the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lo-serve-{}-{n}", std::process::id()));
        std::fs::create_dir_all(path.join("project")).expect("a directory");
        Dir(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Served {
    peer: Peer,
    address: String,
}

/// An answer to a request.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The results of `/api/check`.
    fn results(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["results"].as_array().expect("a list").clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn command(dir: &Dir, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LEAN")) {
        command.env_remove(name);
    }
    command.current_dir(&dir.0).args(["serve", "--port", "0", "--log-level", "WARNING"]);
    command.args(["--data", &dir.path("data"), "--project-dir", &dir.path("project")]).args(more);
    command
}

/// Starts a server on the stand-in.
fn serve(dir: &Dir, more: &[&str]) -> Served {
    let mut args = vec!["--repl-path", stand_in()];
    if !more.contains(&"--max-repls") {
        args.extend(["--max-repls", "2"]);
    }
    args.extend(more);
    serve_with(command(dir, &args))
}

fn serve_with(mut command: Command) -> Served {
    let mut peer = Peer::start(&mut command);
    let line = peer.line();
    let address = line.strip_prefix("listening at http://").unwrap_or_else(|| panic!("{line:?}")).to_string();
    Served { peer, address }
}

/// Reads an answer to its end; the connection is closed after it.
fn read_answer(stream: TcpStream) -> Answer {
    let mut reader = BufReader::new(stream);
    let (status, headers) = read_head(&mut reader);
    let mut body = Vec::new();
    reader.read_to_end(&mut body).expect("a body");
    if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") {
        let (mut rest, mut whole) = (&body[..], Vec::new());
        loop {
            let end = rest.windows(2).position(|w| w == b"\r\n").expect("a chunk");
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("ASCII"), 16);
            let size = size.expect("hexadecimal");
            whole.extend(&rest[end + 2..end + 2 + size]);
            if size == 0 {
                break;
            }
            rest = &rest[end + 2 + size + 2..];
        }
        body = whole;
    }
    Answer { status, headers, body }
}

fn read_head(reader: &mut impl BufRead) -> (u16, BTreeMap<String, String>) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_string()),
            None => return (status, headers),
        };
    }
}

impl Served {
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let mut all = vec![("Host", self.address.as_str())];
        if method == "POST" {
            all.push(("Content-Type", "application/json"));
        }
        all.retain(|(name, _)| !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)));
        all.extend(headers);
        for (name, value) in all {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).expect("sent");
        // A server that refuses does not read to the end.
        let _ = stream.write_all(body);
        stream
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        read_answer(self.send(method, path, headers, body))
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[], body.to_string().as_bytes())
    }

    /// A number of `/api/status`, such as `/pool/busy`.
    fn number(&self, pointer: &str) -> u64 {
        let status = self.get("/api/status").json();
        status.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    fn wait_until(&self, what: &str, mut done: impl FnMut(&Served) -> bool) {
        let until = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < until, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The job at a place, when it is done.
    fn finished_job(&self, place: &str) -> Value {
        let mut job = Value::Null;
        self.wait_until("a job", |s| {
            job = s.get(place).json();
            job["state"] == "done"
        });
        job
    }
}

fn snippets(codes: &[&str]) -> Value {
    codes.iter().enumerate().map(|(i, code)| json!({"id": format!("s{i}"), "code": code})).collect()
}

/// The verdict, as Kimina's client finds it.
fn verdict(result: &Value) -> String {
    let response = &result["response"];
    if let Some(error) = result["error"].as_str() {
        return if error.contains("timed out") { "timeout" } else { "server error" }.into();
    }
    let errors = response["messages"].as_array().into_iter().flatten().any(|m| m["severity"] == "error");
    let sorries = response["sorries"].as_array().is_some_and(|s| !s.is_empty());
    match (response.get("message").is_some(), errors, sorries) {
        (true, ..) => "repl error",
        (_, true, _) => "error",
        (.., true) => "sorry",
        _ => "valid",
    }
    .into()
}

const RIGHT: &str = "theorem t : a = a := rfl";
const WRONG: &str = "theorem t : a = b := rfl";
const SORRY: &str = "theorem t : a = b := by sorry";

#[test]
fn snippets_are_checked_apart_from_each_other_and_in_order() {
    let dir = Dir::new();
    let server = serve(&dir, &["--max-repls", "1"]);
    let codes = [
        RIGHT,
        WRONG,
        SORRY,
        "import Nonexistent",
        "def x := 1",
        "#check x",
        "import Known\n\ndef x := 1\n#check x",
        "import Known\n#check x",
        "import KnownWarning\n-- a comment\n#check Known",
    ];
    let answer = server.post("/api/check", &json!({"snippets": snippets(&codes), "timeout": 60}));
    let results = answer.results();
    let ids: Vec<&str> = results.iter().filter_map(|r| r["id"].as_str()).collect();
    assert_eq!(ids, ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]);
    let verdicts: Vec<String> = results.iter().map(verdict).collect();
    let expected = ["valid", "error", "sorry", "error", "valid", "error", "valid", "error", "error"];
    assert_eq!(verdicts, expected, "{results:?}");
    assert!(
        results[3]["response"]["messages"][0]["data"].as_str().is_some_and(|m| m.contains("Nonexistent"))
    );
    assert_eq!(results[5]["response"]["messages"][0]["data"], "Unknown identifier `x`");
    // Lines are those of the text that was sent.
    assert_eq!(results[6]["response"]["messages"][0]["pos"]["line"], 4);
    // No key that Kimina does not send.
    let keys: BTreeSet<&String> =
        results.iter().filter_map(Value::as_object).flat_map(|r| r.keys()).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["id", "response", "time"]);
    let keys: Vec<_> = answer.json().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["results"]);
    // Both addresses, and the interface before 2.0.
    assert_eq!(server.post("/api/check/", &json!({"snippets": snippets(&[RIGHT])})).results().len(), 1);
    for path in ["/verify", "/one_pass_verify_batch"] {
        let body = json!({"codes": [{"custom_id": 1, "proof": RIGHT}, {"custom_id": 1, "code": WRONG}]});
        let results = server.post(path, &body).results();
        assert_eq!((&results[0]["custom_id"], &results[1]["custom_id"]), (&json!("1"), &json!("1")));
        assert!(results[0]["response"]["time"].is_number() && results[0].get("error").is_none());
        assert_eq!(results[1]["response"]["messages"][0]["severity"], "error");
    }
}

#[test]
fn a_failure_touches_only_the_snippet_that_caused_it() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let mut codes: Vec<String> = (0..40).map(|i| format!("def x{i} := 1\n#check x{i}")).collect();
    for (i, fault) in [(3, "#crash"), (9, "#hang"), (17, "#garbage"), (23, "#partial"), (31, "#refuse")] {
        codes[i] = fault.into();
    }
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let results = server.post("/api/check", &json!({"snippets": snippets(&codes), "timeout": 3})).results();
    for (i, result) in results.iter().enumerate() {
        let expected = match i {
            9 => "timeout",
            3 | 17 | 23 => "server error",
            31 => "repl error",
            _ => "valid",
        };
        assert_eq!(verdict(result), expected, "{i}: {result}");
    }
    assert_eq!(results[9]["error"], "Lean REPL command timed out in 3.0 seconds");
    assert_eq!(results[9]["time"], 3.0);
    assert!(results[3]["error"].as_str().is_some_and(|e| e.contains("a crash on demand")), "{}", results[3]);
}

#[test]
fn wrong_requests_are_refused_as_kimina_does() {
    let dir = Dir::new();
    let server = serve(&dir, &["--max-body", "2K"]);
    let post = |headers: &[(&str, &str)], body: &[u8]| server.request("POST", "/api/check", headers, body);
    for body in [&b"{"[..], b"", b"[]", b"{\"snippets\":[]}", b"{\"snippets\":[{\"id\":1}]}", b"\xff"] {
        let answer = post(&[], body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let first = &answer.json()["detail"][0];
        assert!(first["msg"].is_string() && first["loc"][0] == "body", "{first}");
    }
    assert_eq!(post(&[("Content-Type", "text/plain")], b"{}").status, 422);
    let large = post(&[], &[b' '; 4096]);
    assert_eq!(large.status, 413, "{}", large.text());
    // Without a length that is known before.
    let mut stream = TcpStream::connect(&server.address).expect("connected");
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let head = format!(
        "POST /api/check HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n1000\r\n{}\r\n0\r\n\r\n",
        server.address,
        " ".repeat(4096)
    );
    stream.write_all(head.as_bytes()).expect("sent");
    assert_eq!(read_answer(stream).status, 413);
    assert_eq!(server.get("/nothing").json(), json!({"detail": "Not Found"}));
    let answer = server.get("/api/check");
    assert_eq!((answer.status, answer.json()), (405, json!({"detail": "Method Not Allowed"})));
    // A web page elsewhere, whose name points to this machine.
    assert_eq!(server.request("GET", "/api/status", &[("Host", "example.org")], b"").status, 403);
    assert_eq!(server.request("GET", "/api/status", &[("Host", "localhost:1")], b"").status, 200);
    // Identifiers of requests come back; one that does not fit into a log is replaced.
    let id = |given: &str| {
        server.request("GET", "/", &[("X-Request-Id", given)], b"").headers["x-request-id"].clone()
    };
    assert_eq!(id("abc-1"), "abc-1");
    assert_eq!(id("a b").len(), 32);
    assert_eq!(server.get("/").headers["x-request-id"].len(), 32);
}

#[test]
fn keys_are_asked_for_and_limited() {
    let dir = Dir::new();
    let hash = |key: &str| {
        let mut command = Command::new(BINARY);
        let mut child = command
            .args(["serve", "--hash-key"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        child.stdin.take().expect("piped").write_all(key.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("ended");
        String::from_utf8(output.stdout).expect("ASCII").trim().to_string()
    };
    let (alice, bob) = ("alice-0123456789-0123456789", "bob-0123456789-0123456789");
    let lines = format!("# who\nalice {} rate=2\n\nbob {} concurrency=1\n", hash(alice), hash(bob));
    std::fs::write(dir.path("keys"), lines).expect("written");
    let server =
        serve(&dir, &["--api-keys", &dir.path("keys"), "--api-key", "the-third-key", "--max-wait", "1"]);
    let check = |key: &str, codes: &[&str]| {
        let body = json!({"snippets": snippets(codes), "timeout": 60}).to_string();
        let headers = [("Authorization", key)];
        server.request("POST", "/api/check", if key.is_empty() { &[] } else { &headers }, body.as_bytes())
    };
    assert_eq!(check("", &[RIGHT]).json(), json!({"detail": "Missing API key"}));
    let wrong = check("Bearer nobody", &[RIGHT]);
    assert_eq!((wrong.status, wrong.json()), (401, json!({"detail": "Invalid API key"})));
    assert_eq!(check("the-third-key", &[RIGHT]).status, 200);
    assert_eq!(server.get("/api/status").status, 401);
    assert_eq!(server.get("/").status, 200);
    // What is above the rate is refused, and nothing else is.
    let codes: Vec<String> = (0..6).map(|i| format!("def a{i} := 1")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let results = check(&format!("Bearer {alice}"), &codes).results();
    let refused: Vec<&Value> = results.iter().filter(|r| r.get("retry_after").is_some()).collect();
    assert!((1..=4).contains(&refused.len()), "{results:?}");
    assert!(refused.iter().all(|r| r["error"].as_str().is_some_and(|e| e.contains("too many"))));
    // One at once is all that Bob may have, although there are two processes.
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let codes = ["def a := 1\n#sleep 3000", "def b := 1\n#sleep 3000"];
        let threads = codes.map(|code| scope.spawn(move || check(bob, &[code])));
        threads.map(|t| t.join().expect("no panic")).into()
    });
    let mut statuses: Vec<u16> = answers.iter().map(|a| a.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429], "{answers:?}");
    let refused = answers.iter().find(|a| a.status == 429).expect("one");
    assert!(refused.headers["retry-after"].parse::<u64>().is_ok_and(|s| s > 0));
    assert_eq!(refused.json()["detail"], "No available REPLs");
}

#[test]
fn lines_come_as_snippets_end() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let marker = dir.path("go");
    // The first one goes on only when the second one's answer has been read here: it is tried again and
    // again until the file is there.
    let codes = ["#hang", RIGHT];
    let body = json!({"snippets": snippets(&codes), "timeout": 20}).to_string();
    for (path, headers) in
        [("/api/check", vec![("Accept", "application/x-ndjson")]), ("/api/check?stream=1", vec![])]
    {
        let stream = server.send("POST", path, &headers, body.as_bytes());
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        assert_eq!((status, headers["content-type"].as_str()), (200, "application/x-ndjson"));
        let mut size = String::new();
        reader.read_line(&mut size).expect("a chunk");
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        let first: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            (&first["id"], &first["index"], &first["verdict"]),
            (&json!("s1"), &json!(1), &json!("valid"))
        );
        // The other one is still under way.
        server.wait_until("one process at work", |s| s.number("/pool/busy") == 1);
        // Nobody wants it any more: its process is ended.
        drop(reader);
        server.wait_until("the end of the process", |s| s.number("/pool/busy") == 0);
        assert_eq!(server.number("/snippets_open"), 0);
    }
    assert!(!Path::new(&marker).exists());
}

#[test]
fn who_finds_no_room_is_told_when_to_come_again() {
    let dir = Dir::new();
    let server = serve(&dir, &["--max-repls", "1", "--max-wait", "1"]);
    server.wait_until("health", |s| s.get("/health").status == 200);
    let busy = server.send(
        "POST",
        "/api/check",
        &[],
        json!({"snippets": snippets(&["#hang"]), "timeout": 600}).to_string().as_bytes(),
    );
    server.wait_until("work", |s| s.number("/pool/busy") == 1);
    let answer = server.post("/api/check", &json!({"snippets": snippets(&[RIGHT, WRONG])}));
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.headers["retry-after"].parse::<u64>().is_ok_and(|s| s > 0));
    assert_eq!(answer.json()["detail"], "No available REPLs");
    assert!(answer.json()["results"][1]["error"].as_str().is_some_and(|e| e.contains("No available REPLs")));
    // The client of the first one goes away: there is room.
    drop(busy);
    server.wait_until("an answer", |s| {
        s.post("/api/check", &json!({"snippets": snippets(&[RIGHT])})).status == 200
    });
    assert!(server.get("/metrics").text().contains("lean_oracle_snippets_cancelled_total 1\n"));
}

#[test]
fn answers_are_cached_while_nothing_changes() {
    let dir = Dir::new();
    let hits = |server: &Served| server.number("/cache/hits");
    let check = |server: &Served, more: Value| {
        let mut body = json!({"snippets": snippets(&[RIGHT]), "debug": true});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.post("/api/check", &body).results().remove(0)
    };
    let mut server = serve(&dir, &[]);
    assert_eq!(check(&server, json!({}))["diagnostics"]["cached"], false);
    server.wait_until("the cache", |s| check(s, json!({}))["diagnostics"]["cached"] == true);
    let first = check(&server, json!({}));
    let before = hits(&server);
    assert!(before >= 2);
    for more in [
        json!({"cache": false}),
        json!({"reuse": false}),
        json!({"infotree": "full"}),
        json!({"imports": "as_written"}),
    ] {
        assert_eq!(check(&server, more.clone())["diagnostics"]["cached"], false, "{more}");
    }
    assert_eq!(hits(&server), before);
    // What did not end well is tried again.
    for _ in 0..2 {
        for (code, timeout, expected) in [("#hang", 1, "timeout"), ("#crash", 60, "server error")] {
            let results = server
                .post("/api/check", &json!({"snippets": snippets(&[code]), "timeout": timeout}))
                .results();
            assert_eq!(verdict(&results[0]), expected, "{results:?}");
        }
    }
    assert_eq!(hits(&server), before);
    // It outlives the server, however that ends.
    server.peer.kill();
    let mut server = serve(&dir, &[]);
    let again = check(&server, json!({}));
    assert_eq!(again["diagnostics"]["cached"], true);
    assert_eq!(again["response"], first["response"]);
    // Another toolchain, or modules compiled anew, are asked anew.
    server.peer.kill();
    std::fs::create_dir_all(dir.path("project/.lake/build/lib")).expect("a directory");
    std::fs::write(dir.path("project/.lake/build/lib/A.olean"), "a module").expect("written");
    let mut server = serve(&dir, &[]);
    assert_eq!(check(&server, json!({}))["diagnostics"]["cached"], false);
    // A small cache stays small.
    server.peer.kill();
    let server = serve(&dir, &["--cache-size", "20K"]);
    let codes: Vec<String> = (0..200).map(|i| format!("def x{i} := 1")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    server.post("/api/check", &json!({"snippets": snippets(&codes)})).results();
    server.wait_until("evictions", |s| s.number("/cache/evictions") > 100);
    assert!(server.number("/cache/bytes") <= 20 << 10);
    // What is counted as removed is read until that is on disk.
    server.wait_until("its removal", |s| check(s, json!({}))["diagnostics"]["cached"] == false);
}

#[test]
fn accepted_jobs_survive_the_server() {
    let dir = Dir::new();
    let codes: Vec<String> = (0..60)
        .map(|i| format!("def x{i} := 1\n#sleep 40\n#check {}", if i % 3 == 0 { "y" } else { "x" }))
        .collect();
    let codes: Vec<String> =
        codes.iter().enumerate().map(|(i, c)| c.replace("#check x", &format!("#check x{i}"))).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let body = json!({"snippets": snippets(&codes), "timeout": 60});
    let mut server = serve(&dir, &["--cache-size", "0"]);
    let once = [("Idempotency-Key", "the one")];
    let accepted = server.request("POST", "/api/jobs", &once, body.to_string().as_bytes());
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let place = accepted.headers["location"].clone();
    // Sent again, perhaps because the answer was lost: the same job.
    let again = server.request("POST", "/api/jobs", &once, body.to_string().as_bytes());
    assert_eq!(again.headers["location"], place);
    // Something else is not taken for it.
    let other = json!({"snippets": snippets(&codes[1..]), "timeout": 60}).to_string();
    assert_eq!(server.request("POST", "/api/jobs", &once, other.as_bytes()).status, 409);
    // Killed in the middle, twice; then told to end; each time, the next server goes on.
    for end in ["KILL", "KILL", "TERM"] {
        let done = server.get(&place).json()["done"].as_u64().expect("a number");
        server.wait_until("some results", |s| s.get(&place).json()["done"].as_u64() > Some(done + 5));
        assert_eq!(server.get(&place).json()["state"], "open", "too fast for this test");
        server.peer.signal(end);
        server.peer.finish();
        server = serve(&dir, &["--cache-size", "0"]);
    }
    let job = server.finished_job(&place);
    assert_eq!(job["verdicts"], json!({"valid": 40, "lean_error": 20}));
    assert_eq!((&job["total"], &job["done"]), (&json!(60), &json!(60)));
    let all = server.get(&format!("{place}/results")).json();
    let results = all["results"].as_array().expect("a list");
    for (i, result) in results.iter().enumerate() {
        let expected = if i % 3 == 0 { "lean_error" } else { "valid" };
        assert_eq!((&result["index"], &result["verdict"]), (&json!(i), &json!(expected)), "{result}");
    }
    assert_eq!(results.len(), 60);
    // In parts, and line by line.
    let part = server.get(&format!("{place}/results?from=10&limit=20")).json();
    assert_eq!((part["results"][0]["index"].as_u64(), part["next"].as_u64()), (Some(10), Some(30)));
    let lines = server.request(
        "GET",
        &format!("{place}/results?from=50"),
        &[("Accept", "application/x-ndjson")],
        b"",
    );
    assert_eq!(lines.text().lines().count(), 10);
    assert_eq!(server.get("/api/jobs").json()["jobs"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.get("/api/jobs/nothing").status, 404);
    // A directory has one server at a time.
    let output = command(&dir, &["--repl-path", stand_in()]).output().expect("started");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another server"), "{output:?}");
}

#[test]
fn jobs_can_be_cancelled_and_belong_to_somebody() {
    let dir = Dir::new();
    let keys = format!("a {}\nb {}\n", hash_of("a"), hash_of("b"));
    std::fs::write(dir.path("keys"), keys).expect("written");
    let server = serve(&dir, &["--api-keys", &dir.path("keys")]);
    let ask = |key: &str, method: &str, path: &str, body: &Value| {
        server.request(method, path, &[("Authorization", key)], body.to_string().as_bytes())
    };
    let body = json!({"snippets": snippets(&[RIGHT, "#hang", "#hang", "#hang", "#hang"]), "timeout": 600});
    let accepted = ask("a", "POST", "/api/jobs", &body);
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let place = accepted.headers["location"].clone();
    server.wait_until("the first result", |_| ask("a", "GET", &place, &Value::Null).json()["done"] == 1);
    for (method, path) in
        [("GET", place.clone()), ("DELETE", place.clone()), ("GET", format!("{place}/results"))]
    {
        assert_eq!(ask("b", method, &path, &Value::Null).status, 404);
    }
    let cancelled = ask("a", "DELETE", &place, &Value::Null).json();
    assert_eq!((&cancelled["state"], &cancelled["done"]), (&json!("cancelled"), &json!(1)));
    server.wait_until("the end of the processes", |_| {
        ask("a", "GET", "/api/status", &Value::Null).json()["pool"]["busy"] == 0
    });
    let results = ask("a", "GET", &format!("{place}/results"), &Value::Null).json();
    assert_eq!(
        (&results["state"], &results["results"][0]["verdict"]),
        (&json!("cancelled"), &json!("valid"))
    );
}

/// SHA-256, by another program.
fn hash_of(key: &str) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sha256sum");
    child.stdin.take().expect("piped").write_all(key.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    format!("sha256:{}", String::from_utf8_lossy(&output.stdout).split(' ').next().expect("a hash"))
}

#[test]
fn accepted_work_is_finished_before_the_server_ends() {
    let dir = Dir::new();
    let mut server = serve(&dir, &[]);
    let body = json!({"snippets": snippets(&["#sleep 1500", "#sleep 1500", "#sleep 100", RIGHT])});
    let stream = server.send("POST", "/api/check", &[], body.to_string().as_bytes());
    server.wait_until("work", |s| s.number("/pool/busy") == 2);
    server.peer.signal("TERM");
    let results = read_answer(stream).results();
    assert!(results.iter().all(|r| verdict(r) == "valid"), "{results:?}");
    server.peer.finish();
    // What cannot be finished in time is said to be cancelled.
    let mut server = serve(&dir, &["--drain", "1"]);
    let body = json!({"snippets": snippets(&["#hang", RIGHT]), "timeout": 600});
    let stream = server.send("POST", "/api/check", &[], body.to_string().as_bytes());
    server.wait_until("work", |s| s.number("/verdicts/valid") == 1 && s.number("/pool/busy") == 1);
    server.peer.signal("TERM");
    let results = read_answer(stream).results();
    assert_eq!(results.iter().map(verdict).collect::<Vec<_>>(), ["server error", "valid"]);
    assert!(results[0]["error"].as_str().is_some_and(|e| e.contains("cancelled")), "{}", results[0]);
    // That is no verdict on it.
    assert!(results[0]["retry_after"].is_u64() && results[1].get("retry_after").is_none(), "{results:?}");
    server.peer.finish();
    // Where that is so of all, the status says it. Who has asked nothing is not waited for.
    let mut server = serve(&dir, &["--drain", "1"]);
    let body = json!({"snippets": snippets(&["#hang"]), "timeout": 600});
    let stream = server.send("POST", "/api/check", &[], body.to_string().as_bytes());
    server.wait_until("work", |s| s.number("/pool/busy") == 1);
    server.peer.signal("TERM");
    let answer = read_answer(stream);
    assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (503, true), "{answer:?}");
    server.peer.finish();
}

#[test]
fn a_connection_without_a_request_holds_nothing_up() {
    let dir = Dir::new();
    let mut server = serve(&dir, &["--drain", "100000"]);
    let _silent = TcpStream::connect(&server.address).expect("connected");
    let mut begun = TcpStream::connect(&server.address).expect("connected");
    begun.write_all(b"GET / HTTP/1.1\r\nHost: 127.").expect("sent");
    // Connections are taken in their order: both are there now.
    assert_eq!(server.get("/api/status").status, 200);
    server.peer.signal("TERM");
    server.peer.finish();
}

/// A number of `/proc/PID/status`, in MiB.
#[cfg(target_os = "linux")]
fn memory(server: &Served, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.peer.id())).expect("Linux");
    let line = status.lines().find(|l| l.starts_with(name)).expect("a field");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") >> 10
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_given_back_and_never_filled() {
    let dir = Dir::new();
    let server = serve(&dir, &["--cache-size", "0"]);
    // Bodies that would take far more room when they are read than they have.
    for part in ["1", "{\"a\":1}", "[]", "{\"id\":\"a\"}"] {
        let body = format!("{{\"snippets\":[{}{part}]}}", format!("{part},").repeat((20 << 20) / part.len()));
        let answer = server.request("POST", "/api/check", &[], body.as_bytes());
        assert_eq!((answer.status, &answer.json()["detail"][0]["type"]), (422, &json!("too_long")), "{part}");
    }
    let wrong: Vec<u32> = vec![1; 10_000];
    let answer = server.post("/api/check", &json!({"snippets": wrong}));
    assert_eq!((answer.status, answer.json()["detail"].as_array().map(Vec::len)), (422, Some(100)));
    assert!(memory(&server, "VmHWM") < 200, "{} MiB", memory(&server, "VmHWM"));
    let body: Vec<Value> = (0..100_000).map(|i| json!({"id": format!("{i}"), "code": RIGHT})).collect();
    assert_eq!(server.post("/api/check", &json!({"snippets": body})).results().len(), 100_000);
    server.wait_until("the memory", |s| memory(s, "VmRSS") < 60);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_accepted() {
    let dir = Dir::new();
    let plain = command(&dir, &["--repl-path", stand_in(), "--max-repls", "2"]);
    // A limit on the size of files is a disk that is full; the signal that comes with it would end the server.
    let mut with = Command::new("env");
    with.arg("--ignore-signal=XFSZ").arg(plain.get_program()).args(plain.get_args()).current_dir(&dir.0);
    let server = serve_with(with);
    let limit = |bytes: &str| {
        let pid = server.peer.id().to_string();
        let status =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
        assert!(status.expect("util-linux").success());
    };
    let codes: Vec<String> = (0..60).map(|i| format!("def x{i} := 1\n#sleep 40")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let job = json!({"snippets": snippets(&codes), "timeout": 60});
    let place = server.post("/api/jobs", &job).headers["location"].clone();
    server.wait_until("some results", |s| s.get(&place).json()["done"].as_u64() > Some(5));
    limit("1");
    assert_eq!(server.get("/ready").status, 503);
    // What cannot be kept is not accepted; what need not be kept is checked.
    assert_eq!(server.post("/api/jobs", &job).status, 500);
    assert_eq!(
        verdict(&server.post("/api/check", &json!({"snippets": snippets(&[RIGHT])})).results()[0]),
        "valid"
    );
    assert_eq!(server.get(&place).json()["state"], "open");
    limit("unlimited");
    server.wait_until("readiness", |s| s.get("/ready").status == 200);
    assert_eq!(server.finished_job(&place)["verdicts"], json!({"valid": 60}));
    assert_eq!(server.get("/api/jobs").json()["jobs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn many_jobs_of_one_do_not_hold_up_those_of_others() {
    let dir = Dir::new();
    let keys = format!("a {} concurrency=1\nb {}\n", hash_of("a"), hash_of("b"));
    std::fs::write(dir.path("keys"), keys).expect("written");
    let server = serve(&dir, &["--api-keys", &dir.path("keys"), "--max-wait", "1"]);
    let ask = |key: &str, method: &str, path: &str, body: &Value| {
        server.request(method, path, &[("Authorization", key)], body.to_string().as_bytes())
    };
    for i in 0..20 {
        let body = json!({"snippets": snippets(&[&format!("#hang\n-- {i}")]), "timeout": 600});
        assert_eq!(ask("a", "POST", "/api/jobs", &body).status, 202);
    }
    let place =
        ask("b", "POST", "/api/jobs", &json!({"snippets": snippets(&[RIGHT])})).headers["location"].clone();
    server.wait_until("the other's job", |_| ask("b", "GET", &place, &Value::Null).json()["state"] == "done");
}

#[test]
fn health_is_asked_for_and_not_assumed() {
    let dir = Dir::new();
    let server = serve(&dir, &["--init-repls", "{\"import Known\": 1}"]);
    server.wait_until("health", |s| s.get("/health").status == 200);
    for path in ["/", "/health", "/health/"] {
        assert_eq!(server.get(path).body, b"{\"status\":\"ok\"}");
    }
    server.wait_until("readiness", |s| s.get("/ready").status == 200);
    let metrics = server.get("/metrics").text();
    for name in [
        "lean_oracle_processes ",
        "lean_oracle_snippet_seconds_bucket{le=",
        "lean_oracle_requests_total{route=\"/health\",status=\"200\"}",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    // A REPL that answers nothing that is an answer, and one for which nothing is true.
    let error = json!({"env": 0, "messages": [
        {"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": null, "data": "unknown constant True"}]});
    for answer in ["no".to_string(), error.to_string()] {
        let other = Dir::new();
        script(
            &other.path("repl"),
            &format!("while read -r line; do [ -z \"$line\" ] && echo '{answer}' && echo; done"),
        );
        let server = serve_with(command(&other, &["--repl-path", &other.path("repl")]));
        server.wait_until("the diagnosis", |s| {
            let answer = s.get("/health");
            answer.status == 503 && !answer.text().contains("starting")
        });
        assert_eq!(server.get("/health").json()["status"], "error");
    }
}

/// A program of the shell.
fn script(path: &str, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("written");
    assert!(Command::new("chmod").args(["+x", path]).status().expect("chmod").success());
}

/// Who watches the server is told which header and why, and sees when it is mended.
#[test]
fn warm_headers_that_cannot_be_loaded_are_told_of_and_tried_again() {
    let dir = Dir::new();
    let not_there = format!(
        "[ -e {} ] || {{ echo 'no toolchain yet' >&2; exit 1; }}\nexec {}",
        dir.path("go"),
        stand_in()
    );
    script(&dir.path("repl"), &not_there);
    let headers = "{\"import Known\": 1, \"import Mathlib\": 1}";
    let args = ["--repl-path", &dir.path("repl"), "--max-repls", "2", "--init-repls", headers];
    let server = serve_with(command(&dir, &args));
    server.wait_until("the end of loading", |s| s.get("/ready").text().contains("no toolchain yet"));
    let answer = server.get("/ready");
    assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("not ready")));
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("import Known") && detail.contains("import Mathlib"), "{detail}");
    std::fs::write(dir.path("go"), "").expect("written");
    server.wait_until("readiness", |s| s.get("/ready").status == 200);
    let headers = server.get("/api/status").json()["pool"]["headers"].to_string();
    assert!(headers.contains("import Known") && headers.contains("import Mathlib"), "{headers}");
    // What is wrong in the header itself is said too.
    let server = serve(&Dir::new(), &["--init-repls", "{\"import Nonexistent\": 1}"]);
    server.wait_until("the end of loading", |s| s.get("/ready").text().contains("was not loaded"));
    let detail = server.get("/ready").json()["detail"].to_string();
    assert!(detail.matches("Nonexistent").count() == 2, "{detail}");
}

#[test]
fn settings_come_from_flags_the_environment_and_a_file() {
    let dir = Dir::new();
    std::fs::write(dir.path(".env"), "LEAN_SERVER_MAX_REPLS=5\nLEAN_SERVER_API_KEY=from-the-file\n")
        .expect("written");
    let mut with = command(&dir, &["--max-wait", "7"]);
    with.env("LEANSERVER_REPL_PATH", stand_in())
        .env("LEAN_SERVER_MAX_REPLS", "3")
        .env("LEAN_SERVER_MAX_REPL_MEM", "8G");
    with.env("LEAN_SERVER_INIT_REPLS", "{}").env("LEAN_SERVER_LEAN_VERSION", "v4.26.0");
    let server = serve_with(with);
    let status = server.request("GET", "/api/status", &[("Authorization", "from-the-file")], b"");
    assert_eq!(
        (&status.json()["pool"]["max_processes"], &status.json()["lean_version"]),
        (&json!(3), &json!("v4.26.0"))
    );
    // `--api-key "$KEY"` where there is no KEY must not let everybody in.
    let output = command(&dir, &["--api-key", ""]).output().expect("started");
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("empty"),
        "{output:?}"
    );
    let mut wrong = command(&dir, &[]);
    let output = wrong.env("LEAN_SERVER_MAX_REPL_MEM", "8 apples").output().expect("started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("--max-repl-mem"), "{text}");
}

#[test]
fn the_oracle_answers_as_on_the_command_line() {
    let dir = Dir::new();
    let server = serve(&dir, &["--arb-timeout", "2"]);
    let lines = [
        json!({"func": "exp", "lo": "0", "hi": "1"}),
        json!({"kind": "range", "expr": "x^2 - x", "vars": {"x": {"lo": "0", "hi": "1"}}}),
        json!({"kind": "batch", "requests": [{"func": "sin", "lo": 0, "hi": 4}]}),
        json!({"func": "log", "lo": "-1", "hi": "1"}),
    ];
    for (line, status) in lines.iter().zip([200, 200, 200, 422]) {
        std::fs::write(dir.path("request.json"), line.to_string()).expect("written");
        let output =
            Command::new(BINARY).args(["request", &dir.path("request.json")]).output().expect("started");
        let expected: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let answer = server.post("/api/arb", line);
        assert_eq!((answer.status, answer.json()), (status, expected), "{line}");
    }
    assert_eq!(server.request("POST", "/api/arb", &[], b"{").status, 400);
    let hard = json!({"kind": "integrate", "expr": "sin(exp(x^3)*1000)/x", "var": "x", "lo": "1", "hi": "9", "digits": 300,
        "vars": {"x": {"lo": "1", "hi": "9"}}});
    let answer = server.post("/api/arb", &hard);
    assert!([422, 504].contains(&answer.status), "{}", answer.text());
}

#[test]
fn kiminas_clients_work_unchanged() {
    let Some(python) = Python::with("kiminas_clients_work_unchanged", "kimina_client, kimina, httpx") else {
        return;
    };
    let dir = Dir::new();
    let server = serve(&dir, &["--api-key", "a-key"]);
    let mut client = python.command();
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/kimina_clients.py"));
    client.args([&format!("http://{}", server.address), "a-key", "stand-in"]);
    let said = Peer::start(&mut client).finish();
    assert!(said.trim().ends_with("all right"), "{said}");
}

#[test]
fn answers_are_what_the_description_says() {
    let Some(python) = Python::with("answers_are_what_the_description_says", "jsonschema, httpx") else {
        return;
    };
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let mut client = python.command();
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/openapi_conformance.py"));
    client.arg(format!("http://{}", server.address));
    assert_eq!(Peer::start(&mut client).finish().trim(), "all right");
}

#[test]
fn the_status_page_shows_what_happens() {
    let test = "the_status_page_shows_what_happens";
    let Some(python) = Python::with(test, "playwright") else { return };
    let candidates = ["chromium", "chromium-browser", "google-chrome"].map(|name| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    });
    let Some(browser) = candidates.into_iter().flatten().next() else {
        return peers::skip(test, "there is no Chromium; run scripts/test, or install the package chromium");
    };
    let dir = Dir::new();
    let server = serve(&dir, &["--api-key", "a-key"]);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status");
    std::fs::create_dir_all(&pictures).expect("a directory");
    let mut looking = python.command();
    looking.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/status_page.py"));
    looking.args([&format!("http://{}", server.address), "a-key"]).arg(&pictures).env("CHROMIUM", browser);
    looking.env("ROUNDS", "5");
    assert_eq!(Peer::start(&mut looking).finish().trim(), "all right");
    assert!(pictures.join("status-dark.png").is_file());
}

/// The `lean` of the checking environment.
fn lean(test: &str) -> Option<PathBuf> {
    let home = std::env::var_os("LEAN_ENV_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/lean-env")));
    let lean = home.map(|home| home.join("bin/lean")).filter(|lean| lean.is_file());
    if lean.is_none() {
        peers::skip(test, "there is no checking environment; run tools/lean-env/setup.sh");
    }
    lean
}

#[test]
fn lean_itself_is_served() {
    let Some(_) = lean("lean_itself_is_served") else { return };
    let dir = Dir::new();
    let mut with = command(&dir, &["--max-repls", "2", "--api-key", "a-key"]);
    if let Some(home) = std::env::var_os("LEAN_ENV_HOME") {
        with.env("LEAN_ENV_HOME", home);
    }
    let server = serve_with(with);
    let axiom = "axiom bad : 1 = 2\ntheorem t : 1 = 2 := bad";
    let codes = [
        "theorem t : 1 + 1 = 2 := rfl",
        "theorem t : 1 + 1 = 3 := rfl",
        "theorem t : 1 + 1 = 3 := by sorry",
        "import Nonexistent",
        "def x := 1",
        "#check x",
        axiom,
    ];
    let check = |more: Value| {
        let mut body = json!({"snippets": snippets(&codes), "timeout": 100});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let headers = [("Authorization", "a-key")];
        server.request("POST", "/api/check", &headers, body.to_string().as_bytes()).results()
    };
    let plain = check(json!({}));
    let verdicts: Vec<String> = plain.iter().map(verdict).collect();
    // Kimina's terms do not know of axioms.
    assert_eq!(verdicts, ["valid", "error", "sorry", "error", "valid", "error", "valid"], "{plain:?}");
    let message = plain[5]["response"]["messages"][0]["data"].as_str().expect("a text");
    assert!(message.to_lowercase().contains("unknown identifier"), "{message}");
    let audited = check(json!({"audit": true}));
    let verdicts: Vec<&str> = audited.iter().filter_map(|r| r["verdict"].as_str()).collect();
    let expected = ["valid", "lean_error", "sorry", "lean_error", "valid", "lean_error", "axioms"];
    assert_eq!(verdicts, expected, "{audited:?}");
    let theorems = audited[6]["audit"]["theorems"].as_array().expect("a list");
    let found = theorems.iter().find(|t| t["name"] == "t").expect("the theorem");
    assert_eq!((&found["axioms"], &found["sorry"]), (&json!(["bad"]), &json!(false)));
    // The clients of Kimina, `test()` among their calls.
    let Some(python) = Python::with("lean_itself_is_served", "kimina_client, kimina, httpx") else { return };
    let mut client = python.command();
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/kimina_clients.py"));
    client.args([&format!("http://{}", server.address), "a-key", "lean"]);
    let said = Peer::start(&mut client).finish();
    assert!(said.trim().ends_with("all right"), "{said}");
}
