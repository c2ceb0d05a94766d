//! The pool over a stand-in for the community REPL that misbehaves on command: whatever one snippet does,
//! every other one has the answer it would have alone.

#![cfg(target_os = "linux")]

#[path = "peers/engines.rs"]
mod engines;
#[path = "peers/processes.rs"]
mod processes;
#[path = "peers/stand_in.rs"]
mod stand_in;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use engines::{alive, named};
use futures_util::StreamExt;
use lean_oracle::repl::{
    CheckOptions, EngineConfig, Failure, Imports, Infotree, Outcome, Pool, PoolConfig, Reply, Request,
    Response, Severity, Snippet, Verdict,
};
use processes::{LONG, marked, until};
use stand_in::stand_in;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async { tokio::time::timeout(LONG, work).await.expect("it ends") })
}

fn engine() -> EngineConfig {
    EngineConfig::Repl { argv: vec![stand_in().display().to_string()], dir: std::env::temp_dir() }
}

fn config(max_processes: usize) -> PoolConfig {
    PoolConfig { max_processes, max_wait: LONG, ..PoolConfig::new(engine()) }
}

fn options() -> CheckOptions {
    CheckOptions { timeout: LONG, ..CheckOptions::default() }
}

async fn check(pool: &Pool, code: &str) -> Outcome {
    check_with(pool, code, &options()).await
}

async fn check_with(pool: &Pool, code: &str, options: &CheckOptions) -> Outcome {
    pool.check(Snippet { id: "s".into(), code: code.into() }, options).await
}

/// Messages as `severity line:column text`.
fn messages(outcome: &Outcome) -> Vec<String> {
    let Ok(Reply::Response(response)) = &outcome.result else { panic!("no response: {outcome:?}") };
    let severity = |s: Severity| format!("{s:?}").to_lowercase();
    response
        .messages
        .iter()
        .map(|m| format!("{} {}:{} {}", severity(m.severity), m.pos.line, m.pos.column, m.data))
        .collect()
}

/// A path that no file has.
fn fresh(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("lean-oracle-test-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn right_wrong_and_sorry() {
    block_on(async {
        let pool = Pool::start(config(2)).await.expect("a pool");
        let right = check(&pool, "import Known\ntheorem t : a = a := rfl").await;
        assert_eq!(right.verdict(), Verdict::Valid);
        assert_eq!((right.id.as_str(), right.diagnostics.attempts), ("s", 1));
        assert!(!right.diagnostics.reused_header && right.header_time > 0.0);
        let wrong = check(&pool, "import Known\ntheorem t : a = b := rfl").await;
        assert_eq!(wrong.verdict(), Verdict::LeanError);
        assert_eq!(messages(&wrong), ["error 2:21 type mismatch"]);
        assert!(wrong.diagnostics.reused_header && wrong.header_time == 0.0);
        let sorry = check(&pool, "import Known\ntheorem t : a = b := by sorry").await;
        assert_eq!(sorry.verdict(), Verdict::Sorry);
        let Ok(Reply::Response(response)) = &sorry.result else { panic!("{sorry:?}") };
        assert_eq!(response.sorries[0].goal, "⊢ a = b");
        assert_eq!(response.sorries[0].pos.map(|p| (p.line, p.column)), Some((2, 24)));
        let refused = check(&pool, "#refuse").await;
        assert_eq!(refused.verdict(), Verdict::ReplError);
    });
}

#[test]
fn nobody_sees_what_others_declare() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        for header in ["", "import Known\n"] {
            assert_eq!(check(&pool, &format!("{header}def x := 1")).await.verdict(), Verdict::Valid);
            let other = check(&pool, &format!("{header}#check x")).await;
            assert_eq!(other.verdict(), Verdict::LeanError, "{other:?}");
            assert!(messages(&other)[0].ends_with("Unknown identifier `x`"));
            assert!(other.diagnostics.reused_header, "the same process");
            // Nor is a name taken.
            assert_eq!(check(&pool, &format!("{header}def x := 1 -- again")).await.verdict(), Verdict::Valid);
        }
    });
}

#[test]
fn an_import_that_fails_is_never_valid() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        for code in
            ["import Nonexistent", "import Known\nimport Nonexistent\ndef x := 1", "\n\nimport Nonexistent"]
        {
            let outcome = check(&pool, code).await;
            assert_eq!(outcome.verdict(), Verdict::LeanError);
            assert!(messages(&outcome)[0].contains("unknown module prefix 'Nonexistent'"));
        }
        assert_eq!(check(&pool, "import Known").await.verdict(), Verdict::Valid);
        // What Lean says about a header is said to everybody who has it, where it stands in his text.
        for _ in 0..2 {
            let warned =
                check(&pool, "-- a comment\n\nimport Known /- another -/ import KnownWarning\n#check y")
                    .await;
            let expected = ["warning 3:34 KnownWarning is deprecated", "error 4:7 Unknown identifier `y`"];
            assert_eq!(messages(&warned), expected);
        }
    });
}

#[test]
fn positions_are_those_of_the_users_text() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        let code =
            "/- a\n /- nested -/\n-/\nimport Known -- one\n\nimport\n  KnownOther #check z\n\n#check y";
        let outcome = check(&pool, code).await;
        assert_eq!(
            messages(&outcome),
            ["error 7:20 Unknown identifier `z`", "error 9:7 Unknown identifier `y`"]
        );
        // An import below something else is not one, and is said to be wrong where it stands.
        let late = check(&pool, "def x := 1\nimport Known").await;
        assert_eq!(late.verdict(), Verdict::LeanError);
        assert!(messages(&late)[0].starts_with("error 2:0 invalid 'import'"));
        let collapse = CheckOptions { imports: Imports::CollapseMathlib, ..options() };
        let code = "import Mathlib.A\nimport Known\nimport Mathlib.B\n#check y\n#check Mathlib";
        let outcome = check_with(&pool, code, &collapse).await;
        assert_eq!(messages(&outcome), ["error 4:7 Unknown identifier `y`", "info 5:0 Mathlib : Nat"]);
        let headers: Vec<String> = pool.status().headers.into_iter().map(|h| h.header).collect();
        assert!(headers.contains(&"import Mathlib\nimport Known".to_string()), "{headers:?}");
    });
}

#[test]
fn reports_are_asked_for_and_passed_on() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        let tree = CheckOptions { infotree: Some(Infotree::Tactics), ..options() };
        let outcome = check_with(&pool, "def x := 1", &tree).await;
        let Ok(Reply::Response(response)) = &outcome.result else { panic!("{outcome:?}") };
        let text = response.infotree.as_ref().expect("asked for").0.get();
        assert_eq!(text, r#"[{"kind":"tactics","children":[]}]"#, "on one line");
        // Deeper than any recursion would bear.
        let deep = check(&pool, "#deep 200000").await;
        let Ok(Reply::Response(response)) = &deep.result else { panic!("{deep:?}") };
        assert_eq!(response.infotree.as_ref().expect("there").0.get().len(), 400_000);
    });
}

/// Each fault, beside snippets that have nothing to do with it.
#[test]
fn every_fault_has_its_reason_and_touches_nobody_else() {
    block_on(async {
        let config = PoolConfig {
            memory_limit: Some(400 << 20),
            cpu_limit: Some(Duration::from_secs(2)),
            ..config(1)
        };
        let pool = Pool::start(config).await.expect("a pool");
        let kind = |outcome: &Outcome| match &outcome.result {
            Err(failure) => format!("{failure:?}").split([' ', '{']).next().unwrap_or_default().to_string(),
            Ok(_) => outcome.verdict().name().to_string(),
        };
        let cases = [
            ("#crash", "Crashed", "uncaught exception: a crash on demand"),
            ("#abort", "Crashed", "signal 6"),
            ("#leak 1000\n#hang", "OutOfMemory", "more than it may use"),
            ("#spin", "CpuLimit", "2.0 seconds of processor time"),
            ("#partial", "Crashed", "exit code 0"),
            ("#garbage", "Protocol", "garbage"),
            ("#noise", "Protocol", "something was printed"),
            ("#wrong", "Protocol", "was next"),
            ("#stderr 2000\n#crash", "Crashed", "the end of the flood"),
        ];
        for (code, expected, text) in cases {
            assert_eq!(check(&pool, "theorem t : a = a := rfl").await.verdict(), Verdict::Valid);
            let outcome = check(&pool, code).await;
            assert_eq!(kind(&outcome), expected, "{code}: {outcome:?}");
            let failure = outcome.result.as_ref().expect_err("a failure").to_string();
            assert!(failure.contains(text), "{code}: {failure:.500}");
            assert!(failure.len() < 70_000, "64 KiB of standard error are enough: {}", failure.len());
            let attempts = if expected == "CpuLimit" { 1 } else { 2 };
            assert_eq!(outcome.diagnostics.attempts, attempts, "{code}");
            assert_ne!(outcome.verdict(), Verdict::Valid);
            assert_eq!(check(&pool, "def x := 1\n#check x").await.verdict(), Verdict::Valid, "after {code}");
        }
        let hang =
            check_with(&pool, "#hang", &CheckOptions { timeout: Duration::from_millis(300), ..options() })
                .await;
        assert_eq!(hang.result, Err(Failure::Timeout { seconds: 0.3, header: false }));
        assert_eq!((hang.verdict(), hang.time, hang.diagnostics.attempts), (Verdict::Timeout, 0.3, 1));
        let hang = CheckOptions { timeout: Duration::from_millis(300), ..options() };
        let hang = check_with(&pool, "import KnownHang", &hang).await;
        assert_eq!(hang.result, Err(Failure::Timeout { seconds: 0.3, header: true }));
        // These are only slow or large.
        for code in ["#stderr 500", "#huge 30000", "#trickle"] {
            assert_eq!(check(&pool, code).await.verdict(), Verdict::Valid, "{code}");
        }
        // An answer that nobody asked for is not the answer to the next question.
        assert_eq!(check(&pool, "#twice").await.verdict(), Verdict::Valid);
        let next = check(&pool, "#check nothing").await;
        assert_eq!(next.verdict(), Verdict::LeanError, "{next:?}");
        // Nor is one that comes later, with the right number. (Which process it is, is seen by its first answer.)
        let first = check(&pool, "#late {\"env\": 3}").await;
        assert_eq!(first.verdict(), Verdict::Valid, "{first:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let next = check(&pool, "#check nothing").await;
        assert_eq!(next.verdict(), Verdict::LeanError, "{next:?}");
        let status = pool.status();
        assert_eq!((status.timeouts, status.out_of_memory), (3, 2), "{status:?}");
        assert!(status.last_failures.iter().any(|f| f.reason.contains("a crash on demand")));
    });
}

#[test]
fn a_limit_on_the_address_space() {
    block_on(async {
        let config = PoolConfig { address_space_limit: Some(300 << 20), ..config(1) };
        let pool = Pool::start(config).await.expect("a pool");
        let outcome = check(&pool, "#leak 500").await;
        assert!(matches!(outcome.result, Err(Failure::OutOfMemory { .. })), "{outcome:?}");
        assert_eq!(check(&pool, "#leak 1").await.verdict(), Verdict::Valid);
    });
}

#[test]
fn an_answer_that_is_too_long() {
    block_on(async {
        let pool = Pool::start(PoolConfig { max_answer: 1 << 20, ..config(1) }).await.expect("a pool");
        let outcome = check(&pool, "#huge 2000").await;
        assert!(
            matches!(&outcome.result, Err(Failure::Protocol { reason, .. }) if reason.contains("more than"))
        );
        assert_eq!(check(&pool, "#huge 500").await.verdict(), Verdict::Valid);
    });
}

#[test]
fn what_fails_once_is_tried_again() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        for fault in ["#crash", "#garbage", "#partial", "#wrong"] {
            let file = fresh("once");
            let code = format!("#once {} {fault}\ntheorem t : a = a := rfl", file.display());
            let outcome = check(&pool, &code).await;
            assert_eq!(
                (outcome.verdict(), outcome.diagnostics.attempts),
                (Verdict::Valid, 2),
                "{fault}: {outcome:?}"
            );
            let _ = std::fs::remove_file(file);
        }
        assert_eq!(pool.status().restarts, 4);
    });
}

#[test]
fn a_process_killed_from_outside_changes_no_verdict() {
    block_on(async {
        let pool = Pool::start(PoolConfig { engine: named("outside"), ..config(2) }).await.expect("a pool");
        let killer = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                if let Some(pid) = alive("outside").first() {
                    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
                }
            }
        };
        let checks = futures_util::stream::iter(0..40).map(|n| {
            let pool = &pool;
            async move {
                let (code, expected) = match n % 2 {
                    0 => (format!("#sleep 20\ntheorem t{n} : a = a := rfl"), Verdict::Valid),
                    _ => (format!("#sleep 20\ntheorem t{n} : a = b := rfl"), Verdict::LeanError),
                };
                assert_eq!(check(pool, &code).await.verdict(), expected, "{n}");
            }
        });
        let checks = checks.buffer_unordered(8).collect::<Vec<()>>();
        futures_util::future::join(killer, checks).await;
        assert!(pool.status().restarts > 0, "some were killed in the middle: {:?}", pool.status());
    });
}

#[test]
fn a_dropped_check_is_cancelled_and_leaves_nothing() {
    block_on(async {
        let pool = Pool::start(PoolConfig { engine: named("dropped"), ..config(1) }).await.expect("a pool");
        let hang = check(&pool, "#spawn 1000\n#hang");
        let ended = tokio::time::timeout(Duration::from_millis(500), hang).await;
        assert!(ended.is_err());
        // The process, its child, and the child that left its group.
        until("all are gone", || alive("dropped").is_empty()).await;
        let status = pool.status();
        assert_eq!((status.cancelled, status.processes, status.busy), (1, 0, 0), "{status:?}");
        assert_eq!(check(&pool, "def x := 1").await.verdict(), Verdict::Valid);
        assert_eq!(alive("dropped").len(), 1);
        drop(pool);
        until("the pool is gone", || alive("dropped").is_empty()).await;
    });
}

/// The program that has the pool is killed at once, with a process that neither reads nor ends, and with
/// descendants of it.
#[test]
fn nothing_outlives_a_killed_program() {
    let mark = format!("STAND_IN_OF=killed-{}", std::process::id());
    let mut program = Command::new(env!("CARGO_BIN_EXE_lean-oracle"))
        .args(["repl", "--repl", &stand_in().display().to_string()])
        .env("STAND_IN_OF", mark.split_once('=').expect("a variable").1)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let mut stdin = program.stdin.take().expect("piped");
    stdin.write_all(b"#spawn 1000\n#hang\n\n").expect("it reads");
    block_on(async {
        // The program, the shell that waits for its end, the REPL, and two that sleep.
        until("all are there", || marked(&mark).len() >= 5).await;
        program.kill().expect("ours");
        program.wait().expect("ours");
        until("none is left", || marked(&mark).is_empty()).await;
    });
}

#[test]
fn waiting_is_first_come_first_served_and_has_an_end() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        let order = std::sync::Mutex::new(Vec::new());
        let one = |n: usize| {
            let (pool, order) = (&pool, &order);
            async move {
                // They come in this order.
                tokio::time::sleep(Duration::from_millis(100 * n as u64)).await;
                // Two headers in turn: a process with the right one is no reason to go first.
                let code = format!("import Known{}\n#sleep 300\n-- {n}", ["A", "B"][n % 2]);
                assert_eq!(check(pool, &code).await.verdict(), Verdict::Valid);
                order.lock().expect("ours").push(n);
            }
        };
        let late = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let deadline = Some(Instant::now() + Duration::from_millis(50));
            let outcome = check_with(&pool, "def x := 1", &CheckOptions { deadline, ..options() }).await;
            assert!(matches!(outcome.result, Err(Failure::Busy { .. })), "{outcome:?}");
            assert_eq!((outcome.verdict(), outcome.diagnostics.attempts), (Verdict::ServerError, 0));
        };
        futures_util::future::join(futures_util::future::join_all((0..5).map(one)), late).await;
        assert_eq!(*order.lock().expect("ours"), [0, 1, 2, 3, 4]);
        assert_eq!(pool.status().refused, 1);
    });
}

#[test]
fn headers_are_reused_and_the_oldest_goes() {
    block_on(async {
        let pool = Pool::start(config(2)).await.expect("a pool");
        for (header, reused) in
            [("A", false), ("B", false), ("A", true), ("C", false), ("A", true), ("B", false)]
        {
            let outcome = check(&pool, &format!("import Known{header}\ndef x := 1")).await;
            assert_eq!(outcome.diagnostics.reused_header, reused, "{header}");
        }
        let fresh = CheckOptions { reuse: false, ..options() };
        assert!(!check_with(&pool, "import KnownB\ndef x := 1", &fresh).await.diagnostics.reused_header);
        let status = pool.status();
        assert_eq!(
            (status.hits, status.misses, status.evicted, status.processes),
            (2, 5, 3, 2),
            "{status:?}"
        );
        // Texts that import the same share, however they are written.
        let outcome = check(&pool, "-- B\n  import   KnownB -- again\ndef x := 1").await;
        assert!(outcome.diagnostics.reused_header);
    });
}

#[test]
fn worn_processes_are_replaced() {
    block_on(async {
        let pool = Pool::start(PoolConfig { max_uses: Some(3), ..config(1) }).await.expect("a pool");
        let mut processes = Vec::new();
        for n in 0..9 {
            processes.push(check(&pool, &format!("def x := {n}")).await.diagnostics.repl_uuid);
        }
        processes.dedup();
        assert_eq!(processes.len(), 3);
        let pool =
            Pool::start(PoolConfig { recycle_bytes: Some(300 << 20), ..config(1) }).await.expect("a pool");
        // What it keeps is seen while it still works.
        let grown = check(&pool, "#leak 400\n#sleep 1000").await;
        assert!(grown.diagnostics.memory_max > 300 << 20, "{grown:?}");
        let next = check(&pool, "#leak 1").await;
        assert_ne!(next.diagnostics.repl_uuid, grown.diagnostics.repl_uuid);
        assert_eq!(pool.status().recycled, 1);
    });
}

#[test]
fn warm_headers_are_loaded_before_and_again() {
    block_on(async {
        let warm = BTreeMap::from([("import KnownSlow".to_string(), 2)]);
        let config = PoolConfig { warm: warm.clone(), engine: named("warm"), ..config(3) };
        let pool = Pool::start(config.clone()).await.expect("a pool");
        assert!(!pool.status().ready);
        pool.ready().await.expect("known modules");
        assert!(pool.status().ready);
        assert_eq!(pool.status().headers[0].processes, 2);
        let outcome = check(&pool, "import KnownSlow\ndef x := 1").await;
        assert!(outcome.diagnostics.reused_header);
        let crash = check(&pool, "import KnownSlow\n#crash").await;
        assert_eq!(crash.verdict(), Verdict::ServerError);
        until("a new one is warm", || pool.status().headers.first().is_some_and(|h| h.processes == 2)).await;
        let bad = PoolConfig { warm: BTreeMap::from([("import Nonexistent".into(), 1)]), ..config.clone() };
        let bad = Pool::start(bad).await.expect("that is not known yet");
        let reason = bad.ready().await.expect_err("an unknown module");
        assert!(reason.contains("unknown module prefix 'Nonexistent'"), "{reason}");
        assert!(!bad.status().ready);
        // It is not tried for ever.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(bad.status().started, 1);
        let many = PoolConfig { warm: BTreeMap::from([("import Known".into(), 4)]), ..config };
        assert!(Pool::start(many).await.is_err());
    });
}

#[test]
fn a_command_that_cannot_start() {
    block_on(async {
        let engine = EngineConfig::Repl { argv: vec!["no-such-program".into()], dir: std::env::temp_dir() };
        let error = Pool::start(PoolConfig::new(engine)).await.err().expect("nothing to run");
        assert!(error.message.contains("no-such-program"));
        // One that ends at once.
        let engine = EngineConfig::Repl { argv: vec!["false".into()], dir: std::env::temp_dir() };
        let pool = Pool::start(PoolConfig::new(engine)).await.expect("the program is there");
        let reason = pool.ready().await.expect_err("it does not answer");
        assert!(reason.contains("exit code 1"), "{reason}");
        assert!(!pool.status().ready);
    });
}

#[test]
fn identical_snippets_are_checked_once_and_each_gets_an_answer() {
    block_on(async {
        let pool = Pool::start(config(4)).await.expect("a pool");
        let one = |n: usize, options: CheckOptions| {
            let pool = &pool;
            async move {
                let snippet = Snippet { id: n.to_string(), code: "#sleep 500\ndef x := 1".into() };
                let outcome = pool.check(snippet, &options).await;
                assert_eq!((outcome.id.clone(), outcome.verdict()), (n.to_string(), Verdict::Valid));
                outcome.diagnostics.repl_uuid
            }
        };
        let all = futures_util::future::join_all((0..10).map(|n| one(n, options()))).await;
        assert!(all.iter().all(|uuid| *uuid == all[0]));
        let status = pool.status();
        assert_eq!((status.checks, status.shared, status.started), (10, 9, 1), "{status:?}");
        // The one who came first may leave: the others still get their answer.
        let first = tokio::time::timeout(Duration::from_millis(100), one(0, options()));
        let second = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            one(1, options()).await
        };
        let (first, _) = futures_util::future::join(first, second).await;
        assert!(first.is_err());
        assert_eq!(pool.status().started, 1);
        // Other options are another question.
        let other = CheckOptions { all_tactics: true, ..options() };
        futures_util::future::join(one(0, options()), one(1, other)).await;
        assert_eq!(pool.status().started, 2);
    });
}

#[test]
fn draining_lets_what_has_begun_end() {
    block_on(async {
        let pool = Pool::start(PoolConfig { engine: named("drained"), ..config(2) }).await.expect("a pool");
        let checks = futures_util::future::join_all((0..4).map(|n| {
            let pool = pool.clone();
            async move { check(&pool, &format!("#sleep 200\ndef x := {n}")).await.verdict() }
        }));
        let drain = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            pool.drain(LONG).await;
        };
        let (verdicts, ()) = futures_util::future::join(checks, drain).await;
        assert_eq!(verdicts, [const { Verdict::Valid }; 4]);
        assert_eq!(check(&pool, "def x := 1").await.result, Err(Failure::Cancelled));
        assert!(pool.ready().await.is_err());
        until("no process is left", || alive("drained").is_empty()).await;
        // And what does not end is cancelled.
        let pool = Pool::start(config(1)).await.expect("a pool");
        let drain = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            pool.drain(Duration::from_millis(100)).await;
        };
        let (outcome, ()) = futures_util::future::join(check(&pool, "#hang"), drain).await;
        assert_eq!(outcome.result, Err(Failure::Cancelled));
    });
}

#[test]
fn a_session_speaks_all_seven_forms() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        let mut session = pool.session("import Known", &options()).await.expect("a process");
        let base = session.header_env();
        let Ok(Reply::Response(first)) = session.command("def x := 1", None).await else {
            panic!("declared")
        };
        let Ok(Reply::Response(second)) =
            session.command("#check x\ntheorem t : a = b := by sorry", first.env).await
        else {
            panic!("built on the first")
        };
        assert!(!second.has_errors() && second.has_sorry());
        let state = second.sorries[0].proof_state.expect("a proof state");
        let step = session.tactic("skip", state).await.expect("a step");
        assert_eq!((step.goals.as_slice(), step.completed()), (&["⊢ a = b".to_string()][..], false));
        let step = session.tactic("rfl", step.proof_state).await.expect("a step");
        assert!(step.completed());
        assert!(matches!(session.tactic("nonsense", state).await, Err(Failure::Refused { .. })));
        // Pickles, of which another process reads.
        let (env_file, state_file) =
            (fresh("env").display().to_string(), fresh("state").display().to_string());
        let env = first.env.expect("an environment");
        for request in [
            Request::PickleEnvironment { pickle_to: env_file.clone(), env },
            Request::PickleProofState { pickle_to: state_file.clone(), proof_state: state },
        ] {
            assert!(
                !matches!(session.request(&request).await, Ok(Response::Error(_)) | Err(_)),
                "{request:?}"
            );
        }
        drop(session);
        let mut session = pool.session("import Known", &options()).await.expect("a process");
        let request = Request::UnpickleEnvironment { unpickle_env_from: env_file.clone() };
        let Ok(Response::Command(read)) = session.request(&request).await else { panic!("an environment") };
        let Ok(Reply::Response(seen)) = session.command("#check x", read.env).await else {
            panic!("x is there")
        };
        assert!(!seen.has_errors() && read.env != Some(base));
        let request =
            Request::UnpickleProofState { unpickle_proof_state_from: state_file.clone(), env: Some(base) };
        let step = session.request(&request).await.and_then(Response::step).expect("a state");
        assert_eq!(step.goals, ["⊢ a = b"]);
        let file = fresh("file");
        std::fs::write(&file, "def y := 1\n#check y").expect("a file");
        let path = file.display().to_string();
        let request = Request::File { path, env: Some(base), report: Default::default() };
        let Ok(Response::Command(read)) = session.request(&request).await else { panic!("a file is read") };
        assert!(!read.has_errors());
        // Unknown numbers are refusals, not failures.
        assert!(matches!(session.command("#check x", Some(99)).await, Ok(Reply::ReplError { .. })));
        assert!(matches!(session.tactic("#crash", 0).await, Err(Failure::Crashed { .. })));
        assert!(
            matches!(session.command("#check x", None).await, Err(Failure::Refused { .. })),
            "it is over"
        );
        drop(session);
        assert_eq!(check(&pool, "import Known\n#check x").await.verdict(), Verdict::LeanError);
        for file in [env_file.into(), state_file.into(), file] {
            let _: std::io::Result<()> = std::fs::remove_file::<PathBuf>(file);
        }
    });
}

/// What may still run in its process when a text has its answer could answer for the next text.
#[test]
fn a_process_that_may_be_spoilt_is_not_used_again() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        for (code, started) in [
            ("def x := 1", 1),
            ("def x := a.asTask", 1),
            ("def x := 1", 2),
            ("def x := IO.FS.Handle", 2),
            ("def x := «unsafeIO»", 3),
            ("def IOU := Meta1", 4),
            ("def IOU := 1", 4),
        ] {
            assert_eq!(check(&pool, code).await.verdict(), Verdict::Valid, "{code}");
            assert_eq!(pool.status().started, started, "{code}");
        }
    });
}

#[test]
fn an_audit_that_cannot_be_made_is_not_valid() {
    block_on(async {
        let pool = Pool::start(config(1)).await.expect("a pool");
        let audit = CheckOptions { audit: true, ..options() };
        let outcome = check_with(&pool, "theorem t : a = a := rfl", &audit).await;
        assert!(matches!(outcome.verdict(), Verdict::Unaudited(_)), "{outcome:?}");
        assert_eq!(outcome.audit.expect("asked for").theorems, []);
    });
}

#[test]
fn the_command_line_checks_what_it_reads() {
    let run = |input: &str, more: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_lean-oracle"))
            .args(["repl", "--repl", &stand_in().display().to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it is built");
        program.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = program.wait_with_output().expect("ours");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, out) = run("theorem t : a = a := rfl\n\n\ndef x := 1\n\n#check x", &[]);
    let lines: Vec<&str> = out.lines().map(|line| line.split(" (").next().expect("a line")).collect();
    assert_eq!(lines, ["valid", "valid", "3:1:7: error: Unknown identifier `x`", "lean_error"]);
    assert_eq!(code, Some(1));
    let file = fresh("file.lean");
    std::fs::write(&file, "import Known\n\ntheorem t : a = a := rfl\n").expect("a file");
    let (code, out) = run("", &["--json", &file.display().to_string()]);
    let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &value["verdict"], &value["response"]["env"]), (Some(0), &"valid".into(), &1.into()));
    let _ = std::fs::remove_file(file);
}
