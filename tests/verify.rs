//! `lean-oracle verify`: files in, verdicts out, whatever comes in between.

#![cfg(target_os = "linux")]

#[path = "peers/nats.rs"]
mod nats;
#[path = "peers/stand_in.rs"]
mod stand_in;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nats::{Nats, WorkerProcess, directory, running, until};
use serde_json::{Value, json};
use stand_in::stand_in;

/// Runs it and waits.
fn verify(arguments: &[&str]) -> Output {
    command(arguments).output().expect("it runs")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
    command.arg("verify").args(arguments).stdin(Stdio::null()).env_remove("LEAN_SERVER_API_KEY");
    command
}

/// With the stand-in as REPL.
fn local(arguments: &[&str]) -> Output {
    verify(&[arguments, &["--repl", stand_in().to_str().expect("UTF-8")]].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(path: &Path, content: &str) -> String {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    std::fs::write(path, content).expect("a file");
    path.to_str().expect("UTF-8").to_string()
}

/// The verdicts in a file of results; each identifier once.
fn verdicts(path: &Path) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("results").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON on each line");
        let word = |key: &str| line[key].as_str().expect("a string").to_string();
        assert!(verdicts.insert(word("id"), word("verdict")).is_none(), "twice: {line}");
    }
    verdicts
}

const SORTS: [(&str, &str); 5] = [
    ("theorem a : 1 = 1 := rfl", "valid"),
    ("import KnownA\n#check missing", "lean_error"),
    ("theorem a : 1 = 2 := by sorry", "sorry"),
    ("#crash", "server_error"),
    ("import Nonexistent", "lean_error"),
];

/// Lines with all sorts of snippets, and what their verdicts are.
fn data(count: usize) -> (String, BTreeMap<String, String>) {
    let mut lines = String::new();
    let mut expected = BTreeMap::new();
    for i in 0..count {
        let (code, verdict) = SORTS[i % SORTS.len()];
        lines +=
            &format!("{}\n", json!({"other": [i], "id": format!("s{i}"), "code": format!("{code}\n-- {i}")}));
        expected.insert(format!("s{i}"), verdict.to_string());
    }
    (lines, expected)
}

#[test]
fn a_lean_file_is_one_snippet() {
    let dir = directory("file");
    let good = write(&dir.join("good.lean"), "import KnownA\ntheorem a : 1 = 1 := rfl\n#check a");
    let output = local(&[&good]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let out = text(&output.stdout);
    assert!(out.contains("good.lean:3:0: info: a : Nat"), "{out}");
    assert!(out.contains("valid                   1\n1 snippets: 1 checked in"), "{out}");
    let bad = write(&dir.join("bad.lean"), "\n  #check missing");
    let output = local(&[&bad]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("bad.lean:2:9: error: Unknown identifier `missing`"), "{output:?}");
}

#[test]
fn a_directory_is_all_of_its_lean_files() {
    let dir = directory("directory");
    write(&dir.join("b/two.lean"), "theorem a : 1 = 1 := rfl");
    write(&dir.join("a.lean"), "theorem a : 1 = 1 := by sorry");
    write(&dir.join("b/one.lean"), "#check missing");
    write(&dir.join("b/other.txt"), "not looked at");
    write(&dir.join(".lake/packages/c.lean"), "not looked at");
    std::os::unix::fs::symlink(&dir, dir.join("b/again")).expect("a link");
    let out = dir.join("out.jsonl");
    let output = local(&[dir.to_str().expect("UTF-8"), "-o", out.to_str().expect("UTF-8"), "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = [("a.lean", "sorry"), ("b/one.lean", "lean_error"), ("b/two.lean", "valid")];
    assert_eq!(verdicts(&out), expected.map(|(a, b)| (a.to_string(), b.to_string())).into());
    let order: Vec<Value> = std::fs::read_to_string(&out)
        .expect("results")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(order, ["a.lean", "b/one.lean", "b/two.lean"]);
}

#[test]
fn lines_may_have_other_keys() {
    let dir = directory("keys");
    let lines = [
        json!({"custom_id": 7, "proof": "theorem a : 1 = 1 := rfl", "id": null}),
        json!({"uuid": "u", "name": "n", "formal_proof": "theorem a : 2 = 2 := rfl"}),
        json!({"lean_code": "theorem a : 3 = 3 := rfl"}),
        json!({"mine": "m", "text": "#check missing", "code": "theorem a : 4 = 4 := rfl"}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let path = write(&dir.join("data.jsonl"), &format!("{}\n\n", lines.join("\n\n")));
    let out = dir.join("out.jsonl");
    let output = local(&[&path, "-o", out.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(verdicts(&out).into_keys().collect::<Vec<_>>(), ["7", "line 5", "line 7", "u"]);
    let output = local(&[&path, "--code-field", "text", "--code-field", "proof", "--id-field", "mine"]);
    // The second line has neither: that is said before anything is checked.
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let err = text(&output.stderr);
    assert!(
        err.contains("data.jsonl, line 3: no text under text, proof; name its key with --code-field"),
        "{err}"
    );
    for wrong in ["{\"code\": 1}", "{\"code\": \"#check a\", \"id\": [1]}", "[]", "{\"code\""] {
        let path = write(&dir.join("wrong.jsonl"), wrong);
        let output = local(&[&path]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
        assert!(text(&output.stderr).contains("wrong.jsonl, line 1: "), "{wrong}: {output:?}");
    }
    assert_eq!(local(&["/does/not/exist"]).status.code(), Some(2));
}

/// Whatever was written of the last line when a run was killed, the next one goes on.
#[test]
fn a_run_can_be_resumed() {
    let dir = directory("resume");
    let (lines, expected) = data(25);
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let run = |extra: &[&str]| local(&[&[&*path, "-o", out.to_str().expect("UTF-8")], extra].concat());
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(verdicts(&out), expected);
    let whole = std::fs::read(&out).expect("results");
    let summary =
        |output: &Output| text(&output.stdout).lines().take(4).map(String::from).collect::<Vec<_>>();
    let first = summary(&output);
    assert!(first[0].starts_with("lean_error ") && first[0].ends_with(" 10"), "{first:?}");
    // Nothing is left to do, and nothing is done.
    let output = run(&[]);
    assert_eq!((output.status.code(), summary(&output)), (Some(1), first.clone()));
    assert!(text(&output.stdout).contains("25 snippets: 0 checked in "), "{output:?}");
    assert!(text(&output.stdout).contains(", 25 done before"), "{output:?}");
    assert_eq!(std::fs::read(&out).expect("results"), whole);
    // Cut in the middle of a line, at its end, and at the end of line.
    let end = whole[..whole.len() / 2].iter().rposition(|b| *b == b'\n').expect("lines");
    for cut in [whole.len() / 2, end, end + 1, whole.len() - 1, 1, 0] {
        std::fs::write(&out, &whole[..cut]).expect("ours");
        let output = run(&[]);
        assert_eq!((output.status.code(), summary(&output)), (Some(1), first.clone()), "{cut}");
        assert_eq!(verdicts(&out), expected, "{cut}");
    }
    // A changed text is another snippet; so is one with an audit.
    write(&dir.join("data.jsonl"), &lines.replacen("-- 0", "-- zero", 1));
    let output = run(&[]);
    assert!(text(&output.stdout).contains("25 snippets: 1 checked in "), "{output:?}");
    // What got no answer is tried again only when that is asked for; the newest counts.
    let output = run(&["--retry"]);
    assert!(text(&output.stdout).contains("25 snippets: 5 checked in "), "{output:?}");
    assert_eq!(summary(&output), first);
    // Other files are left alone.
    let other = write(&dir.join("other.jsonl"), "{\"precious\": 1}\n");
    let output = local(&[&path, "-o", &other]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::fs::read_to_string(&other).expect("still there"), "{\"precious\": 1}\n");
}

/// A run that the test ends.
struct Run {
    child: Child,
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_interrupted_run_leaves_a_file_and_no_processes() {
    let dir = directory("interrupt");
    // A program of our own name, so that its processes can be told from others.
    let program = dir.join("interrupted_repl");
    std::fs::copy(stand_in(), &program).expect("a copy");
    let lines: String = (0..200)
        .map(|i| {
            format!(
                "{}\n",
                json!({"id": format!("{i}"), "code": format!("#sleep 20\ntheorem a : {i} = {i} := rfl")})
            )
        })
        .collect();
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let arguments = [
        &*path,
        "-o",
        out.to_str().expect("UTF-8"),
        "--jobs",
        "3",
        "--repl",
        program.to_str().expect("UTF-8"),
    ];
    let lines_of = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    for (round, signal) in
        [rustix::process::Signal::INT, rustix::process::Signal::KILL].into_iter().enumerate()
    {
        let before = lines_of(&out);
        let child =
            command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut run = Run { child };
        until("some results", || lines_of(&out) >= before + 10);
        // One run at a time.
        let second = command(&arguments).output().expect("it runs");
        assert_eq!(second.status.code(), Some(2), "{second:?}");
        assert!(text(&second.stderr).contains("another run"), "{second:?}");
        let pid = rustix::process::Pid::from_child(&run.child);
        rustix::process::kill_process(pid, signal).expect("ours");
        let mut status = None;
        until("the end", || {
            status = run.child.try_wait().expect("ours");
            status.is_some()
        });
        if round == 0 {
            assert_eq!(status.and_then(|s| s.code()), Some(130));
            let mut err = String::new();
            run.child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
            assert!(err.contains("interrupted; the same command goes on"), "{err}");
        }
        until("the end of its processes", || running(&program).is_empty());
        assert!(lines_of(&out) < 200);
    }
    let output = verify(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = verdicts(&out);
    assert_eq!((found.len(), found.values().all(|v| v == "valid")), (200, true));
}

/// A server that answers as the test says.
struct Scripted {
    url: String,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Scripted {
    /// `answer` gets the body and the number of the request, and returns a status, headers and a body.
    fn start(answer: impl Fn(&Value, usize) -> (u16, String, String) + Send + Sync + 'static) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, count, kept) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, count, kept) = (answer.clone(), count.clone(), kept.clone());
                std::thread::spawn(move || serve(stream, &*answer, &count, &kept));
            }
        });
        Scripted { url, requests }
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&Value, usize) -> (u16, String, String),
    count: &AtomicUsize,
    kept: &Mutex<Vec<Value>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut length, mut key) = (0, Value::Null);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_string();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().ok()?,
                    "authorization" => key = value.into(),
                    _ => {}
                }
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut body: Value = serde_json::from_slice(&body).ok()?;
        let (status, headers, text) = answer(&body, count.fetch_add(1, Ordering::Relaxed));
        body["key"] = key;
        kept.lock().ok()?.push(body);
        if status == 0 {
            return None;
        }
        // An answer that breaks off: more is announced than comes.
        let cut = headers.contains("x-cut");
        let length = text.len() + usize::from(cut);
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{text}").ok()?;
        if cut {
            return None;
        }
    }
}

/// What Kimina Lean Server 2.0 answers (its code and its tests), and what it should not.
#[test]
fn a_server_of_kimina_may_check() {
    let server = Scripted::start(|body, n| {
        let id = body["snippets"][0]["id"].as_str().unwrap_or_default().to_string();
        let result = |rest: Value| {
            let mut result = json!({"id": id, "time": 0.25});
            result.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
            (200, String::new(), json!({"results": [result]}).to_string())
        };
        let at = json!({"line": 1, "column": 0});
        let message = |severity: &str| json!({"severity": severity, "pos": at, "endPos": at, "data": "text"});
        match (id.as_str(), n) {
            // The first answers: a connection that ends, a proxy without its server, too many at once.
            (_, 0) => (0, String::new(), String::new()),
            (_, 1) => (503, String::new(), String::new()),
            (_, 2) => (429, "retry-after: 1\r\n".into(), json!({"detail": "No available REPLs"}).to_string()),
            ("valid", _) => result(json!({"response": {"env": 1, "messages": [message("info")]}})),
            ("empty", _) => result(json!({"response": {"env": 1}})),
            ("error", _) => result(json!({"response": {"env": 1, "messages": [message("error")]}})),
            ("sorry", _) => result(json!({"response": {"env": 1, "sorries": [
                {"pos": at, "endPos": at, "goal": "⊢ False", "proofState": 0}]}})),
            ("repl", _) => result(json!({"response": {"message": "Unknown environment."}})),
            ("timeout", _) => result(json!({"error": "Lean REPL command timed out in 60.0 seconds"})),
            ("broken", _) => (500, String::new(), json!({"detail": "JSON decode error"}).to_string()),
            ("nothing", _) => result(json!({})),
            _ => result(json!({"response": {"env": 1, "messages": 5}})),
        }
    });
    let dir = directory("kimina");
    let ids = ["valid", "empty", "error", "sorry", "repl", "timeout", "broken", "nothing", "strange"];
    let lines: String = ids.iter().map(|id| format!("{}\n", json!({"id": id, "code": "x"}))).collect();
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let run = |out: &Path, extra: &[&str]| {
        let base = [&*path, "-o", out.to_str().expect("UTF-8"), "--server", &server.url, "--jobs", "2"];
        verify(&[&base, extra].concat())
    };
    let output = run(&out, &["--api-key", "a-key"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = [
        ("valid", "valid"),
        ("empty", "valid"),
        ("error", "lean_error"),
        ("sorry", "sorry"),
        ("repl", "repl_error"),
        ("timeout", "timeout_error"),
        ("broken", "server_error"),
        ("nothing", "server_error"),
        ("strange", "server_error"),
    ];
    let named =
        |expected: &[(&str, &str)]| expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    assert_eq!(verdicts(&out), named(&expected));
    for request in &*server.requests.lock().expect("no panic") {
        assert_eq!((&request["key"], &request["timeout"]), (&json!("Bearer a-key"), &json!(60)));
        // A crash there would fail whatever is with it.
        assert_eq!(request["snippets"].as_array().map(Vec::len), Some(1));
    }
    // It knows nothing of audits: then nothing is valid.
    let audited = dir.join("audited.jsonl");
    assert_eq!(run(&audited, &["--audit"]).status.code(), Some(1));
    let found = verdicts(&audited);
    assert_eq!((&*found["valid"], &*found["sorry"]), ("unaudited", "sorry"));
    // A server that refuses ends the run, and says why.
    let closed =
        Scripted::start(|_, _| (401, String::new(), json!({"detail": "Missing API key"}).to_string()));
    let output = verify(&[&path, "--server", &closed.url]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        text(&output.stderr).contains("401 Unauthorized: {\"detail\":\"Missing API key\"}"),
        "{output:?}"
    );
    assert_eq!(verify(&[&path, "--server", "localhost:1"]).status.code(), Some(2));
}

/// A server that answers in lines is asked about many snippets at a time, and again about those that it left out,
/// refused for now or did not come to.
#[test]
fn a_server_that_streams_may_check() {
    let server = Scripted::start(|body, n| {
        let asked = body["snippets"].as_array().expect("a list");
        let ids: Vec<&str> = asked.iter().filter_map(|s| s["id"].as_str()).collect();
        let different: std::collections::BTreeSet<&&str> = ids.iter().collect();
        // Ours refuses such a request, and what is too large.
        if different.len() != ids.len() {
            return (422, String::new(), "{}".into());
        }
        let large = |s: &Value| s["code"].as_str().is_some_and(|c| c.contains("large"));
        if asked.iter().any(large) {
            return (413, String::new(), json!({"detail": "too large"}).to_string());
        }
        let mut lines: Vec<String> = (0..ids.len())
            .rev()
            .map(|index| {
                let refused = n % 3 == 1 && index == 0;
                let mut line = json!({"id": ids[index], "index": index, "time": 0.25, "verdict": "valid"});
                match asked[index]["code"].as_str() {
                    _ if refused => (line["error"], line["retry_after"]) = ("No room".into(), 0.05.into()),
                    Some("slow") => line["error"] = "Lean REPL command timed out in 60.0 seconds".into(),
                    Some("wrong") => {
                        let at = json!({"line": 1, "column": 0});
                        let message = json!({"severity": "error", "pos": at, "data": "text"});
                        line["response"] = json!({"env": 0, "messages": [message]});
                    }
                    _ => line["response"] = json!({"env": 0}),
                }
                format!("{line}\n")
            })
            .collect();
        let mut headers = "content-type: application/x-ndjson\r\n".to_string();
        match n % 4 {
            // Breaks off in the middle of a line; or ends well, but too early.
            2 if lines.len() > 1 => {
                lines.truncate(lines.len() / 2 + 1);
                lines.last_mut().expect("a line").truncate(7);
                headers += "x-cut: 1\r\n";
            }
            3 => lines.truncate(lines.len() / 2),
            _ => {}
        }
        (200, headers, lines.concat())
    });
    let dir = directory("stream");
    let codes = ["right", "wrong", "slow"];
    // All lines have the same identifier; so have many in real data.
    let line = |i: usize| match i {
        100 => json!({"id": "the same", "code": "large"}),
        _ => json!({"id": "the same", "code": if i < 3 { codes[i].into() } else { format!("right {i}") }}),
    };
    let lines: String = (0..200).map(|i| format!("{}\n", line(i))).collect();
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let output =
        verify(&[&path, "-o", out.to_str().expect("UTF-8"), "--server", &server.url, "--jobs", "20"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let mut found = BTreeMap::<String, usize>::new();
    let mut keys = std::collections::BTreeSet::new();
    for line in std::fs::read_to_string(&out).expect("results").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        *found.entry(line["verdict"].as_str().expect("a word").into()).or_default() += 1;
        assert!(keys.insert(line["key"].to_string()), "twice: {line}");
    }
    let expected = [("lean_error", 1), ("server_error", 1), ("timeout_error", 1), ("valid", 197)];
    assert_eq!(found, expected.map(|(v, n)| (v.to_string(), n)).into());
    let sizes: Vec<usize> = server
        .requests
        .lock()
        .expect("no panic")
        .iter()
        .map(|r| r["snippets"].as_array().map_or(0, Vec::len))
        .collect();
    assert!(sizes.iter().filter(|n| **n == 10).count() > 10, "{sizes:?}");
    // What cannot be an answer ends the run.
    let lying = Scripted::start(|_, _| {
        let line = json!({"id": "a", "index": 7, "time": 0, "response": {"env": 0}});
        (200, "content-type: application/x-ndjson\r\n".into(), format!("{line}\n"))
    });
    let output = verify(&[&path, "--server", &lying.url]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("does not speak Kimina's language"), "{output:?}");
}

/// A `lean-oracle serve`.
struct Serve {
    run: Run,
    url: String,
}

impl Serve {
    fn start(flags: &[&str]) -> Serve {
        let data = directory("serve");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lean-oracle"))
            .args(["serve", "--log-level", "ERROR", "--data"])
            .arg(&data)
            .args(if flags.contains(&"--port") { &[][..] } else { &["--port", "0"] })
            .args(flags)
            .current_dir(&data)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        let url = line.trim().strip_prefix("listening at ").expect("its address").to_string();
        Serve { run: Run { child }, url }
    }
}

fn all_sorts(name: &str, flags: &[&str]) {
    let dir = directory(name);
    let (lines, expected) = data(100);
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let output = verify(&[&[&*path, "-o", out.to_str().expect("UTF-8")], flags].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(verdicts(&out), expected);
}

#[test]
fn our_server_may_check() {
    let mut serve = Serve::start(&["--repl-path", stand_in().to_str().expect("UTF-8"), "--max-repls", "2"]);
    all_sorts("server", &["--server", &serve.url]);
    assert!(serve.run.child.try_wait().expect("ours").is_none());
}

/// What the server did not come to is no verdict: it is asked again, when it is back.
#[test]
fn our_server_may_come_and_go() {
    let repl = stand_in().to_str().expect("UTF-8");
    let port =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port().to_string();
    let start = || Serve::start(&["--port", &port, "--repl-path", repl, "--max-repls", "2", "--drain", "0"]);
    let dir = directory("come-and-go");
    let line = |i| json!({"id": format!("{i}"), "code": format!("#sleep 20\ntheorem a : {i} = {i} := rfl")});
    let lines: String = (0..200).map(|i| format!("{}\n", line(i))).collect();
    let path = write(&dir.join("data.jsonl"), &lines);
    let out = dir.join("out.jsonl");
    let mut serve = start();
    let mut run = Run {
        child: command(&[&path, "-o", out.to_str().expect("UTF-8"), "--server", &serve.url])
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs"),
    };
    let done = || std::fs::read_to_string(&out).unwrap_or_default().lines().count();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let before = done();
        until("some results", || done() >= before + 20);
        let pid = rustix::process::Pid::from_child(&serve.run.child);
        rustix::process::kill_process(pid, signal).expect("ours");
        serve.run.child.wait().expect("ours");
        serve = start();
    }
    let mut status = None;
    until("the end", || {
        status = run.child.try_wait().expect("ours");
        status.is_some()
    });
    assert_eq!(status.and_then(|s| s.code()), Some(0));
    let found = verdicts(&out);
    assert_eq!((found.len(), found.values().all(|v| v == "valid")), (200, true), "{found:?}");
}

/// A server that passes all work on to workers, and a file of snippets that does.
#[test]
fn a_queue_may_check() {
    let Some(nats) = Nats::start(&[]) else { return };
    let _workers = [0, 1].map(|_| WorkerProcess::start(&nats, stand_in(), &["--processes", "2"]));
    let status = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
        let output =
            command.args(["verify-worker", "--status", "--queue", &nats.url()]).output().expect("it runs");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    until("two workers", || status()["workers"].as_array().is_some_and(|w| w.len() == 2));
    all_sorts("queue", &["--queue", &nats.url()]);
    let serve = Serve::start(&["--queue", &nats.url()]);
    all_sorts("queue-server", &["--server", &serve.url]);
    assert_eq!(status()["jobs"], 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
    let output =
        command.args(["verify-worker", "--dead-letters", "--queue", &nats.url()]).output().expect("it runs");
    let letters: Vec<PathBuf> = text(&output.stdout).lines().map(PathBuf::from).collect();
    assert!(letters.len() >= 20, "{letters:?}");
}

#[test]
fn the_real_lean_verifies_files() {
    let Ok(_) = lean_oracle::repl::detect_engine(std::env::temp_dir()) else {
        assert!(std::env::var_os("CI").is_none(), "there is no Lean");
        return eprintln!("SKIPPED: there is no Lean");
    };
    let dir = directory("lean");
    write(&dir.join("good.lean"), "theorem a (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩\n");
    write(&dir.join("wrong.lean"), "theorem a : 1 + 1 = 3 := rfl\n");
    write(&dir.join("cheat.lean"), "axiom a : False\ntheorem b : 1 = 2 := a.elim\n");
    let out = dir.join("out.jsonl");
    let place = std::env::temp_dir();
    let flags = ["--audit", "--jobs", "2", "--project", place.to_str().expect("UTF-8")];
    let output =
        verify(&[&[dir.to_str().expect("UTF-8"), "-o", out.to_str().expect("UTF-8")], &flags[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = [("cheat.lean", "axioms"), ("good.lean", "valid"), ("wrong.lean", "lean_error")];
    assert_eq!(verdicts(&out), expected.map(|(a, b)| (a.to_string(), b.to_string())).into());
}
