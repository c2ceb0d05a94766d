//! The queue over a real NATS server, with workers in processes of their own. Whatever is killed, every
//! snippet has exactly one verdict, and it is the right one.

#![cfg(target_os = "linux")]

#[path = "peers/nats.rs"]
mod nats;
#[path = "peers/stand_in.rs"]
mod stand_in;

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lean_oracle::Code;
use lean_oracle::repl::{
    CheckOptions, Failure, Infotree, Outcome, PoolConfig, Reply, Snippet, detect_engine,
};
use lean_oracle::serve::queue::{Queue, QueueConfig, Worker, WorkerConfig};
use nats::{LONG, Nats, WorkerProcess, directory, until, until_async};
use stand_in::stand_in;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let result = runtime.block_on(async { tokio::time::timeout(2 * LONG, work).await.expect("it ends") });
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

fn options() -> CheckOptions {
    CheckOptions { timeout: LONG, ..CheckOptions::default() }
}

async fn check(queue: &Queue, id: &str, code: &str) -> Outcome {
    queue.check(Snippet { id: id.into(), code: code.into() }, &options()).await
}

/// A queue on which a worker has been seen.
async fn queue(config: QueueConfig) -> Queue {
    let queue = Queue::connect(config).await.expect("NATS is there");
    until_async("a worker", async || queue.ready().await.is_ok()).await;
    queue
}

fn verdict(outcome: &Outcome) -> &'static str {
    outcome.verdict().name()
}

#[test]
fn answers_are_those_of_the_engine() {
    let Some(nats) = Nats::start(&[]) else { return };
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "2"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        for (code, expected) in [
            ("theorem a : 1 = 1 := rfl", "valid"),
            ("theorem a : 1 = 2 := rfl", "lean_error"),
            ("theorem a : 1 = 2 := by sorry", "sorry"),
            ("import Nonexistent", "lean_error"),
            ("import KnownA\ndef x := 1\n#check x", "valid"),
            ("#check x", "lean_error"),
            ("#refuse", "repl_error"),
            ("#crash", "server_error"),
        ] {
            let outcome = check(&queue, code, code).await;
            assert_eq!((verdict(&outcome), outcome.id.as_str()), (expected, code), "{outcome:?}");
        }
        // Places are those of the text.
        let outcome = check(&queue, "b", "import KnownA\n\n  #check missing").await;
        let Ok(Reply::Response(response)) = &outcome.result else { panic!("{outcome:?}") };
        let message = &response.messages[0];
        assert_eq!((message.pos.line, message.pos.column), (3, 9));
        assert_eq!(message.data, "Unknown identifier `missing`");
        // Timeouts, and information trees, which are passed on unread.
        let short = CheckOptions { timeout: Duration::from_millis(300), ..options() };
        let snippet = Snippet { id: "c".into(), code: "#hang".into() };
        assert_eq!(verdict(&queue.check(snippet, &short).await), "timeout_error");
        let tree = CheckOptions { infotree: Some(Infotree::Tactics), ..options() };
        let snippet = Snippet { id: "d".into(), code: "theorem a : 1 = 1 := rfl".into() };
        let outcome = queue.check(snippet, &tree).await;
        let Ok(Reply::Response(response)) = &outcome.result else { panic!("{outcome:?}") };
        assert!(response.infotree.as_ref().expect("asked for").0.get().contains("tactics"));
        assert_eq!(queue.status().found, 0);
        // The same text again is not checked again, unless that is asked for.
        let again = check(&queue, "other", "theorem a : 1 = 2 := rfl").await;
        assert_eq!((verdict(&again), again.id.as_str(), queue.status().found), ("lean_error", "other", 1));
        let fresh = CheckOptions { reuse: false, ..options() };
        let snippet = Snippet { id: "e".into(), code: "theorem a : 1 = 1 := rfl".into() };
        assert_eq!(verdict(&queue.check(snippet.clone(), &fresh).await), "valid");
        assert_eq!(verdict(&queue.check(snippet, &fresh).await), "valid");
        assert_eq!(queue.status().found, 1);
        // What ended a process is tried again, and among the dead letters.
        assert_eq!(verdict(&check(&queue, "f", "#crash").await), "server_error");
        let letters = queue.dead_letters(10).await.expect("NATS is there");
        assert_eq!(letters.len(), 2);
        assert!(letters[0].reason.contains("a crash on demand"), "{letters:?}");
        assert_eq!(letters[0].job["code"], "#crash");
    });
}

/// More than NATS takes in one message.
#[test]
fn texts_and_results_may_be_large() {
    let Some(nats) = Nats::start(&[]) else { return };
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        let outcome = check(&queue, "a", "#huge 3000").await;
        let Ok(Reply::Response(response)) = &outcome.result else { panic!("{outcome:?}") };
        assert_eq!(response.messages[0].data.len(), 3000 << 10);
        assert_eq!(check(&queue, "a", "#huge 3000").await, outcome);
        assert_eq!(queue.status().found, 1);
        let long = format!("-- {}\n#check x", "\u{1F5D1}\u{1}".repeat(400_000));
        let outcome = check(&queue, "b", &long).await;
        let Ok(Reply::Response(response)) = &outcome.result else { panic!("{outcome:?}") };
        assert_eq!(response.messages[0].pos.line, 2);
    });
}

#[test]
fn a_killed_worker_loses_nothing() {
    let Some(nats) = Nats::start(&[]) else { return };
    let mark = directory("mark").join("begun");
    let mut first = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        let code = format!("#once {} #hang\ndef a := 1\n#check a", mark.display());
        let check = tokio::spawn({
            let queue = queue.clone();
            async move { check(&queue, "a", &code).await }
        });
        until_async("the first try", async || mark.exists()).await;
        first.kill();
        let _second = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
        let outcome = check.await.expect("no panic");
        assert_eq!(verdict(&outcome), "valid", "{outcome:?}");
        assert_eq!(queue.dead_letters(10).await.expect("NATS is there").len(), 0);
    });
}

#[test]
fn a_killed_nats_loses_nothing() {
    let Some(mut nats) = Nats::start(&[]) else { return };
    let config = nats.config();
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "2"]);
    block_on(async {
        let queue = queue(config).await;
        let checks = (0..40).map(|i| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let code = format!("#sleep 50\ntheorem t : {i} = {} := rfl", i - i % 2);
                (i, check(&queue, &i.to_string(), &code).await)
            })
        });
        let checks: Vec<_> = checks.collect();
        until_async("half of it", async || queue.status().checks >= 10).await;
        nats.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        nats.restart();
        for check in checks {
            let (i, outcome) = check.await.expect("no panic");
            let expected = if i % 2 == 0 { "valid" } else { "lean_error" };
            assert_eq!((verdict(&outcome), outcome.id), (expected, i.to_string()));
        }
        // And it goes on.
        assert_eq!(verdict(&check(&queue, "z", "theorem z : 1 = 1 := rfl").await), "valid");
    });
}

/// What is not a job, or not the job that it says it is, holds nobody up; a result that nobody can read is
/// found again.
#[test]
fn what_others_wrote_into_nats_is_found_out() {
    let Some(nats) = Nats::start(&[]) else { return };
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        let code = "theorem a : 1 = 1 := rfl";
        assert_eq!(verdict(&check(&queue, "a", code).await), "valid");
        let client = async_nats::connect(nats.url()).await.expect("NATS is there");
        let js = async_nats::jetstream::new(client);
        let environment = queue.status().environment.expect("known");
        let subject = format!("lean-oracle.v1.work.{}.{}", environment.name, environment.fingerprint);
        let job = |key: &str, more: &str| {
            let options = r#"{"timeout_ms":1000,"reuse":true,"infotree":null,"all_tactics":false,"root_goals":false,"imports":"as_written","audit":false}"#;
            format!(r#"{{"version":1,"key":"{key}","after":0,"options":{options},{more}}}"#)
        };
        let key = "0123456789abcdef".repeat(4);
        let poison = [
            "\u{0}not a job".to_string(),
            "{}".into(),
            job(&key, r#""code":"x""#).replace("\"version\":1", "\"version\":9"),
            job("*", r#""code":"x""#),
            job("", r#""code":"x""#),
            // Of another text than its key says; its object is missing, has no name.
            job(&key, r#""code":"theorem wrong : 1 = 1 := rfl""#),
            job(&key.replace('0', "1"), r#""object":"nowhere""#),
            job(&key.replace('0', "2"), r#""object":"""#),
            job(&key.replace('0', "3"), r#""code":null"#),
        ];
        for payload in &poison {
            js.publish(subject.clone(), payload.clone().into()).await.expect("sent").await.expect("stored");
        }
        assert_eq!(verdict(&check(&queue, "b", "theorem b : 2 = 2 := rfl").await), "valid");
        until_async("all of them to be put away", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 0
        })
        .await;
        let letters = queue.dead_letters(20).await.expect("NATS is there");
        assert_eq!(letters.len(), poison.len(), "{letters:?}");
        let results = js.get_key_value("lean-oracle_v1_results").await.expect("a bucket");
        assert!(results.get(key).await.expect("NATS is there").is_none());

        let keys: Vec<String> = {
            let all = results.keys().await.expect("NATS is there");
            all.map(|key| key.expect("a key")).collect().await
        };
        for spoilt in ["", "{}", "{\"inline\":{}}", "{\"object\":\"\"}"] {
            for key in &keys {
                results.put(key, spoilt.into()).await.expect("stored");
            }
            assert_eq!(verdict(&check(&queue, "a", code).await), "valid", "{spoilt}");
        }
        assert_eq!(queue.status().found, 0);
    });
}

#[test]
fn a_queue_that_drains_takes_nothing_new() {
    let Some(nats) = Nats::start(&[]) else { return };
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        let begun = tokio::spawn({
            let queue = queue.clone();
            async move { check(&queue, "a", "#sleep 1000\ndef a := 1").await }
        });
        until_async("the begin", async || queue.status().waiting == 1).await;
        let draining = tokio::spawn({
            let queue = queue.clone();
            async move { queue.drain(LONG).await }
        });
        until_async("it drains", async || queue.pool_status().draining).await;
        let late = check(&queue, "b", "def b := 1").await;
        assert_eq!(late.result, Err(Failure::Cancelled));
        assert_eq!(verdict(&begun.await.expect("no panic")), "valid");
        draining.await.expect("no panic");
    });
}

/// A REPL that ends whoever started it when it is told to.
fn poisonable(dir: &Path) -> PathBuf {
    let program = dir.join("repl");
    let script = "#!/bin/sh\nn=0\nwhile read -r line; do\n  case \"$line\" in\n    '') ;;\n    \
                  *poison*) kill -9 $PPID ;;\n    *) printf '{\"env\": %d}\\n\\n' $n; n=$((n + 1)) ;;\n  esac\ndone\n";
    std::fs::write(&program, script).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("ours");
    program
}

#[test]
fn a_snippet_that_kills_workers_is_given_up() {
    let Some(nats) = Nats::start(&[]) else { return };
    let dir = directory("poison");
    let program = poisonable(&dir);
    let config = QueueConfig { tries: 2, ..nats.config() };
    let start = || WorkerProcess::start(&nats, &program, &["--processes", "1", "--queue-tries", "2"]);
    let mut worker = start();
    block_on(async {
        let queue = queue(config).await;
        let job = tokio::spawn({
            let queue = queue.clone();
            async move { check(&queue, "p", "#poison").await }
        });
        for _ in 0..2 {
            until("the worker's end", || worker.child.try_wait().expect("ours").is_some());
            worker = start();
        }
        let outcome = job.await.expect("no panic");
        let Err(Failure::Crashed { reason, .. }) = &outcome.result else { panic!("{outcome:?}") };
        assert!(reason.contains("taken 2 times"), "{reason}");
        let letters = queue.dead_letters(10).await.expect("NATS is there");
        assert_eq!(letters.len(), 1);
        assert_eq!((&letters[0].reason, &letters[0].job["code"]), (reason, &"#poison".into()));
        // The worker that gave it up is well.
        assert_eq!(verdict(&check(&queue, "q", "anything").await), "valid");
        assert_eq!(worker.child.try_wait().expect("ours"), None);
    });
}

#[test]
fn workers_share_and_stop_without_losing() {
    let Some(nats) = Nats::start(&[]) else { return };
    let start = || WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    let (mut first, _second) = (start(), start());
    block_on(async {
        let queue = queue(nats.config()).await;
        until_async("both workers", async || {
            queue.ready().await.is_ok() && queue.status().workers.len() == 2
        })
        .await;
        let codes = (0..40).map(|i| (i, format!("#sleep 20\ntheorem t{i} : 1 = 1 := rfl")));
        let checks: Vec<_> = codes
            .map(|(i, code)| {
                let queue = queue.clone();
                tokio::spawn(async move { check(&queue, &i.to_string(), &code).await })
            })
            .collect();
        until_async("some of it", async || queue.status().checks >= 10).await;
        let done: Vec<u64> = {
            // Workers say how they are every few seconds.
            let mut done = Vec::new();
            until_async("both at work", async || {
                let _ = queue.ready().await;
                done = queue.status().workers.iter().map(|w| w.done).collect();
                done.len() == 2 && done.iter().all(|n| *n > 0)
            })
            .await;
            done
        };
        assert!(first.stop().success());
        for check in checks {
            assert_eq!(verdict(&check.await.expect("no panic")), "valid");
        }
        assert_eq!(done.len(), 2);
        until_async("the first to be gone", async || {
            let _ = queue.ready().await;
            queue.status().workers.len() == 1
        })
        .await;
        assert_eq!(queue.status().dead, 0);
    });
}

/// The second run of this text has another verdict.
#[test]
fn equal_snippets_run_once() {
    let Some(nats) = Nats::start(&[]) else { return };
    let dir = directory("once");
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "4"]);
    block_on(async {
        let queues = [queue(nats.config()).await, queue(nats.config()).await];
        for reuse in [true, false] {
            let mark = dir.join(format!("mark-{reuse}"));
            let code = format!("#sleep 300\n#once {} def a := 1\n#check a", mark.display());
            let checks = (0..20).map(|i| {
                let (queue, code) = (queues[i % 2].clone(), code.clone());
                tokio::spawn(async move {
                    let options = CheckOptions { reuse, ..options() };
                    queue.check(Snippet { id: i.to_string(), code }, &options).await
                })
            });
            for check in checks.collect::<Vec<_>>() {
                assert_eq!(verdict(&check.await.expect("no panic")), "valid");
            }
            // Whether the test could have failed.
            let options = CheckOptions { reuse: false, ..options() };
            let again = queues[0].check(Snippet { id: "z".into(), code }, &options).await;
            assert_eq!(verdict(&again), "lean_error");
        }
    });
}

#[test]
fn cancelled_snippets_leave_their_worker() {
    let Some(nats) = Nats::start(&[]) else { return };
    let dir = directory("cancel");
    let _worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let queue = queue(nats.config()).await;
        let mark = dir.join("begun");
        let code = format!("#once {} #hang", mark.display());
        let hanging = tokio::spawn({
            let queue = queue.clone();
            async move { check(&queue, "a", &code).await }
        });
        // The worker has one place: who comes first is begun.
        until_async("the begin", async || mark.exists()).await;
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { check(&queue, "b", "#hang").await }
        });
        until_async("two jobs", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 2
        })
        .await;
        hanging.abort();
        waiting.abort();
        // There is one process; it would hang for an hour.
        assert_eq!(verdict(&check(&queue, "c", "theorem a : 1 = 1 := rfl").await), "valid");
        until_async("an empty queue", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 0
        })
        .await;
        // Others that wait for an equal one keep it.
        let other = Queue::connect(nats.config()).await.expect("NATS is there");
        let mark = dir.join("shared");
        let code = format!("#once {} #sleep 1500\ntheorem b : 2 = 2 := rfl", mark.display());
        let checks: Vec<_> = [&queue, &other]
            .map(|queue| {
                let (queue, code) = (queue.clone(), code.clone());
                tokio::spawn(async move { check(&queue, "d", &code).await })
            })
            .into();
        until_async("the begin", async || mark.exists()).await;
        checks[0].abort();
        let [_, kept] = <[_; 2]>::try_from(checks).expect("two");
        assert_eq!(verdict(&kept.await.expect("no panic")), "valid");
        assert_eq!(other.status().republished, 0);
    });
}

#[test]
fn too_much_is_refused() {
    let Some(nats) = Nats::start(&[]) else { return };
    let mut worker = WorkerProcess::start(&nats, stand_in(), &["--processes", "1"]);
    block_on(async {
        let unknown = QueueConfig { environment: "nobody".into(), ..nats.config() };
        let unknown = Queue::connect(unknown).await.expect("NATS is there");
        let outcome = check(&unknown, "u", "#check a").await;
        let Err(Failure::Refused { reason }) = &outcome.result else { panic!("{outcome:?}") };
        assert!(reason.contains("--queue-environment nobody"), "{reason}");

        let config = QueueConfig { max_pending: Some(2), ..nats.config() };
        let queue = queue(config).await;
        assert!(worker.stop().success());
        until_async("the worker to be gone", async || queue.ready().await.is_err()).await;
        let waiting: Vec<_> = (0..2)
            .map(|i| {
                let queue = queue.clone();
                let deadline = Some(Instant::now() + Duration::from_secs(3));
                let options = CheckOptions { deadline, ..options() };
                let snippet = Snippet { id: i.to_string(), code: format!("def a{i} := 1") };
                tokio::spawn(async move { queue.check(snippet, &options).await })
            })
            .collect();
        until_async("two jobs", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 2
        })
        .await;
        // At once, not after the time for waiting.
        let begun = Instant::now();
        let outcome = check(&queue, "c", "def c := 1").await;
        assert!(matches!(outcome.result, Err(Failure::Busy { .. })), "{outcome:?}");
        assert!(begun.elapsed() < LONG / 2);
        for check in waiting {
            let outcome = check.await.expect("no panic");
            assert!(matches!(outcome.result, Err(Failure::Busy { .. })), "{outcome:?}");
        }
        until_async("the jobs to be withdrawn", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 0
        })
        .await;
    });
}

/// Workers of one name but with another toolchain do not get the jobs of the others.
#[test]
fn toolchains_are_kept_apart() {
    let Some(nats) = Nats::start(&[]) else { return };
    let (old, new) = (directory("old"), directory("new"));
    std::fs::write(new.join("lean-toolchain"), "leanprover/lean4:v4.99.0").expect("a file");
    let start = |dir: &Path| {
        let dir = dir.to_str().expect("UTF-8");
        WorkerProcess::start(&nats, stand_in(), &["--processes", "1", "--project", dir])
    };
    let _first = start(&old);
    block_on(async {
        let queue = queue(nats.config()).await;
        let mark = directory("toolchain").join("mark");
        let code = format!("#once {} def a := 1\n#check a", mark.display());
        assert_eq!(verdict(&check(&queue, "a", &code).await), "valid");
        let before = queue.status().environment.expect("known").fingerprint;
        let _second = start(&new);
        until_async("the new toolchain", async || {
            let _ = queue.ready().await;
            queue.status().environment.is_some_and(|e| e.fingerprint != before)
        })
        .await;
        // Results of the old one are not used.
        assert_eq!(verdict(&check(&queue, "a", &code).await), "lean_error");
    });
}

#[test]
fn nats_decides_who_may_connect() {
    let Some(nats) = Nats::start(&["--user", "lean", "--pass", "secret-word"]) else { return };
    block_on(async {
        let config = QueueConfig { connect_wait: Duration::from_millis(100), ..nats.config() };
        let refused = Queue::connect(config.clone()).await.map(drop).expect_err("no password");
        assert_eq!(refused.code, Code::Unreachable, "{refused}");
        let wrong = config.url.replace("//", "//lean:wrong-word@");
        let refused = Queue::connect(QueueConfig { url: wrong, ..config.clone() }).await.map(drop);
        let refused = refused.expect_err("the wrong password");
        assert!(!refused.message.contains("wrong-word"), "{refused}");
        let right = config.url.replace("//", "//lean:secret-word@");
        Queue::connect(QueueConfig { url: right, ..config.clone() }).await.expect("the password");
        for config in [
            QueueConfig { prefix: "a.b".into(), ..config.clone() },
            QueueConfig { environment: "*".into(), ..config.clone() },
            QueueConfig { url: "not an address".into(), ..config.clone() },
            QueueConfig { credentials: Some("/does/not/exist".into()), ..config.clone() },
        ] {
            let refused = Queue::connect(config).await.map(drop).expect_err("nonsense");
            assert_eq!(refused.code, Code::BadRequest, "{refused}");
        }
    });
}

/// Certificates on both sides.
#[test]
fn nats_over_tls() {
    let dir = directory("tls");
    let file = |name: &str| dir.join(name).display().to_string();
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ').map(|a| match a.split_once('@') {
            Some(("", name)) => file(name),
            _ => a.to_string(),
        });
        let done = std::process::Command::new("openssl").args(arguments).output();
        done.is_ok_and(|output| output.status.success())
    };
    const NEW: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let made = openssl(&format!("req -x509 {NEW} -subj /CN=ours -keyout @ca.key -out @ca.pem"));
    if !made {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing");
        return eprintln!("SKIPPED: there is no openssl");
    }
    std::fs::write(file("ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        .expect("a file");
    for name in ["server", "client"] {
        assert!(openssl(&format!("req {NEW} -subj /CN={name} -keyout @{name}.key -out @{name}.csr")));
        assert!(openssl(&format!(
            "x509 -req -in @{name}.csr -CA @ca.pem -CAkey @ca.key -CAcreateserial -days 2 -extfile @ext -out @{name}.pem"
        )));
    }
    let flags = [("--tlscert", "server.pem"), ("--tlskey", "server.key"), ("--tlscacert", "ca.pem")]
        .map(|(flag, name)| [flag.to_string(), file(name)]);
    let mut flags: Vec<&str> = flags.as_flattened().iter().map(String::as_str).collect();
    flags.extend(["--tlsverify", "--user", "lean", "--pass", "secret-word"]);
    let Some(nats) = Nats::start(&flags) else { return };
    block_on(async {
        let url = nats.url().replace("nats://", "tls://lean:secret-word@");
        let right = QueueConfig {
            url,
            tls_ca: Some(dir.join("ca.pem")),
            tls_identity: Some((dir.join("client.pem"), dir.join("client.key"))),
            connect_wait: Duration::from_millis(100),
            ..nats.config()
        };
        Queue::connect(QueueConfig { connect_wait: LONG, ..right.clone() }).await.expect("all there");
        for wrong in [
            // We do not know who signed; it does not know us; neither speaks without TLS.
            QueueConfig { tls_ca: None, ..right.clone() },
            QueueConfig { tls_identity: None, ..right.clone() },
            QueueConfig { tls_ca: Some(dir.join("server.pem")), ..right.clone() },
            QueueConfig { url: nats.url(), ..right.clone() },
        ] {
            let refused = Queue::connect(wrong).await.map(drop).expect_err("not let in");
            assert_eq!(refused.code, Code::Unreachable, "{refused}");
            assert!(!refused.message.contains("secret-word"), "{refused}");
        }
        let mut worker = std::process::Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
        worker.args(["verify-worker", "--queue", &right.url, "--processes", "1"]);
        worker.args(["--queue-ca", &file("ca.pem"), "--queue-cert", &file("client.pem")]);
        worker.args(["--queue-key", &file("client.key"), "--repl"]).arg(stand_in());
        worker.current_dir(std::env::temp_dir()).stdin(std::process::Stdio::null());
        let _worker = WorkerProcess { child: worker.spawn().expect("a worker") };
        let queue = queue(QueueConfig { connect_wait: LONG, ..right }).await;
        assert_eq!(verdict(&check(&queue, "a", "theorem a : 1 = 1 := rfl").await), "valid");
    });
    let _ = std::fs::remove_dir_all(dir);
}

/// 2,000 snippets, one in twenty at fault, while workers are killed and replaced.
#[test]
fn every_snippet_has_its_verdict() {
    let Some(nats) = Nats::start(&[]) else { return };
    let start = || WorkerProcess::start(&nats, stand_in(), &["--processes", "2"]);
    let mut workers = [start(), start(), start()];
    block_on(async {
        let queue = queue(nats.config()).await;
        let total = 2000;
        let mut checks = futures_util::stream::iter(0..total)
            .map(|i| {
                let queue = queue.clone();
                async move {
                    let header = ["", "import KnownA\n", "import KnownB\n"][i % 3];
                    let (code, expected) = match i % 20 {
                        7 => match i / 20 % 5 {
                            0 => (format!("{header}-- {i}\n#crash"), "server_error"),
                            1 => (format!("{header}-- {i}\n#hang"), "timeout_error"),
                            2 => (format!("{header}-- {i}\n#partial"), "server_error"),
                            3 => (format!("{header}-- {i}\n#garbage"), "server_error"),
                            _ => (format!("{header}#stderr 100\ntheorem t : {i} = {i} := rfl"), "valid"),
                        },
                        n if n % 4 == 1 => (format!("{header}theorem t : {i} = 0 := rfl"), "lean_error"),
                        n if n % 4 == 2 => (format!("{header}theorem t : {i} = 0 := by sorry"), "sorry"),
                        _ => (format!("{header}theorem t : {i} = {i} := rfl"), "valid"),
                    };
                    let timeout = if expected == "timeout_error" { Duration::from_millis(500) } else { LONG };
                    let options = CheckOptions { timeout, ..options() };
                    let outcome = queue.check(Snippet { id: i.to_string(), code }, &options).await;
                    assert_eq!(outcome.id, i.to_string());
                    assert_eq!(verdict(&outcome), expected, "{i}: {outcome:?}");
                }
            })
            .buffer_unordered(64);
        let mut done = 0;
        while checks.next().await.is_some() {
            done += 1;
            if done % 500 == 250 {
                workers[done / 500 % 3].kill();
                workers[done / 500 % 3] = start();
            }
        }
        drop(checks);
        assert_eq!((done, queue.status().checks), (total, total as u64));
        until_async("an empty queue", async || {
            let _ = queue.ready().await;
            queue.status().jobs == 0
        })
        .await;
    });
    for worker in &mut workers {
        assert!(worker.stop().success());
    }
    // Other tests of this program have processes of the same stand-in, so theirs are not counted here;
    // tests/repl.rs shows that a pool that ends or is killed leaves none.
}

#[test]
fn the_real_lean_behind_a_queue() {
    let Some(nats) = Nats::start(&[]) else { return };
    let Ok(engine) = detect_engine(std::env::temp_dir()) else {
        assert!(std::env::var_os("CI").is_none(), "there is no Lean");
        return eprintln!("SKIPPED: there is no Lean");
    };
    block_on(async {
        let pool = PoolConfig { max_processes: 2, ..PoolConfig::new(engine) };
        let config = WorkerConfig { queue: nats.config(), pool, drain: LONG };
        let worker = Worker::start(config).await.expect("Lean works");
        assert!(worker.environment().toolchain.starts_with("4."), "{:?}", worker.environment());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = tokio::spawn(worker.run(async move { drop(stopped.await) }));
        let queue = queue(nats.config()).await;
        for (code, expected) in [
            ("theorem a (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩", "valid"),
            ("theorem a : 1 + 1 = 3 := rfl", "lean_error"),
            ("theorem a : 1 + 1 = 3 := by sorry", "sorry"),
            ("import Nonexistent", "lean_error"),
            ("def x := 1", "valid"),
            ("#check x", "lean_error"),
        ] {
            let outcome = check(&queue, code, code).await;
            assert_eq!(verdict(&outcome), expected, "{outcome:?}");
        }
        let audit = CheckOptions { audit: true, ..options() };
        let snippet = Snippet { id: "z".into(), code: "axiom a : False\ntheorem b : 1 = 2 := a.elim".into() };
        let outcome = queue.check(snippet, &audit).await;
        assert_eq!(verdict(&outcome), "axioms", "{outcome:?}");
        drop(stop);
        worker.await.expect("no panic").expect("it ends well");
    });
}
