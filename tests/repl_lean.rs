//! The pool over the genuine Lean 4.35 compiler of the checking environment (tools/lean-env).

#![cfg(target_os = "linux")]

mod native;
#[path = "peers/processes.rs"]
mod processes;

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lean_oracle::repl::{
    CheckOptions, EngineConfig, Failure, Imports, Infotree, Outcome, Pool, PoolConfig, Reply, Snippet,
    Verdict,
};
use processes::{LONG, marked, until};

/// The `lean` of the checking environment; `None`, said loudly, when it is not there.
fn lean(test: &str) -> Option<PathBuf> {
    let home = std::env::var_os("LEAN_ENV_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/lean-env")));
    let lean = home.map(|home| home.join("bin/lean")).filter(|lean| lean.is_file());
    if lean.is_none() {
        native::skip(test, "there is no checking environment; run tools/lean-env/setup.sh");
    }
    lean
}

/// Runs a test on a pool of `lean` processes.
fn with_lean<W: Future<Output = ()>>(test: &str, work: impl FnOnce(Pool) -> W) {
    let Some(lean) = lean(test) else { return };
    let engine = EngineConfig::Lean { argv: vec![lean.display().to_string()], dir: std::env::temp_dir() };
    let config = PoolConfig { max_processes: 2, max_wait: LONG, ..PoolConfig::new(engine) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let pool = Pool::start(config).await.expect("a pool");
        tokio::time::timeout(LONG, work(pool)).await.expect("it ends");
    });
}

async fn check(pool: &Pool, code: &str, audit: bool) -> Outcome {
    let options = CheckOptions { timeout: LONG, audit, ..CheckOptions::default() };
    pool.check(Snippet { id: "s".into(), code: code.into() }, &options).await
}

/// Messages as `line:column text`.
fn messages(outcome: &Outcome) -> Vec<String> {
    let Ok(Reply::Response(response)) = &outcome.result else { panic!("no response: {outcome:?}") };
    response.messages.iter().map(|m| format!("{}:{} {}", m.pos.line, m.pos.column, m.data)).collect()
}

#[test]
fn right_wrong_sorry_and_bad_import() {
    with_lean("right_wrong_sorry_and_bad_import", async |pool| {
        pool.ready().await.expect("Lean runs");
        for (code, verdict, text) in [
            ("theorem t (a b : Nat) : a + b = b + a := Nat.add_comm a b", Verdict::Valid, ""),
            ("theorem t : 1 = 2 := rfl", Verdict::LeanError, "1:"),
            ("theorem t : 1 = 2 := by sorry", Verdict::Sorry, "1:8 declaration uses `sorry`"),
            ("import Nonexistent", Verdict::LeanError, "1:0 unknown module prefix 'Nonexistent'"),
            ("-- a\n\nimport Lean.Data.Json\n\n#check Lean.Json", Verdict::Valid, "5:0 Lean.Json : Type"),
            (
                "/- é -/ import Lean.Data.Json def x := 1 #check y",
                Verdict::LeanError,
                "1:48 Unknown identifier `y`",
            ),
            ("def x := 1\nimport Lean.Data.Json", Verdict::LeanError, "2:0 invalid 'import' command"),
            ("theorem t : 1 = 2 := rfl\n#eval (IO.Process.exit 7 : IO Unit)", Verdict::ServerError, ""),
            // Whatever ends Lean early is not the end of the text.
            ("#eval (IO.Process.exit 0 : IO Unit)\ntheorem t : 1 = 2 := rfl", Verdict::ServerError, ""),
        ] {
            let outcome = check(&pool, code, false).await;
            assert_eq!(outcome.verdict(), verdict, "{code}: {outcome:?}");
            if !text.is_empty() {
                assert!(messages(&outcome)[0].starts_with(text), "{code}: {outcome:?}");
            }
        }
        // What one declares the next does not see.
        assert_eq!(check(&pool, "def x := 1", false).await.verdict(), Verdict::Valid);
        let other = check(&pool, "#check x", false).await;
        assert_eq!(messages(&other), ["1:7 Unknown identifier `x`"]);
        assert!(other.diagnostics.reused_header);
        let collapse =
            CheckOptions { timeout: LONG, imports: Imports::CollapseMathlib, ..CheckOptions::default() };
        let code = "import Lean.Data.Json\nimport Mathlib.A\nimport Mathlib.B\n#check y".to_string();
        let outcome = pool.check(Snippet { id: String::new(), code }, &collapse).await;
        assert!(messages(&outcome)[0].contains("unknown module prefix 'Mathlib'"), "{outcome:?}");
    });
}

#[test]
fn what_lean_alone_cannot_tell_is_refused() {
    with_lean("what_lean_alone_cannot_tell_is_refused", async |pool| {
        let tree = CheckOptions { infotree: Some(Infotree::Full), ..CheckOptions::default() };
        let tactics = CheckOptions { all_tactics: true, ..CheckOptions::default() };
        for options in [tree, tactics] {
            let outcome = pool.check(Snippet { id: String::new(), code: String::new() }, &options).await;
            assert!(matches!(outcome.result, Err(Failure::Refused { .. })), "{outcome:?}");
        }
        // A `sorry` without its warning.
        let hidden = "set_option warn.sorry false\ntheorem t : 1 = 2 := sorry";
        let outcome = check(&pool, hidden, false).await;
        assert!(matches!(outcome.result, Err(Failure::Refused { .. })), "{outcome:?}");
        assert_eq!(check(&pool, hidden, true).await.verdict(), Verdict::Sorry);
        assert!(pool.session("", &CheckOptions::default()).await.is_err());
    });
}

#[test]
fn a_text_that_takes_too_long() {
    with_lean("a_text_that_takes_too_long", async |pool| {
        // The header first: it may take its time.
        assert_eq!(check(&pool, "def x := 1", false).await.verdict(), Verdict::Valid);
        let options = CheckOptions { timeout: Duration::from_millis(700), ..CheckOptions::default() };
        let code = "partial def f (n : Nat) : IO Unit := f (n + 1)\n#eval f 0".to_string();
        let outcome = pool.check(Snippet { id: String::new(), code }, &options).await;
        assert_eq!(outcome.verdict(), Verdict::Timeout, "{outcome:?}");
    });
}

/// A saved header that was spoilt: the text is answered all the same, without it.
#[test]
fn a_spoilt_snapshot_changes_no_verdict() {
    let Some(lean) = lean("a_spoilt_snapshot_changes_no_verdict") else { return };
    let directory = std::env::temp_dir().join(format!("lean-oracle-spoilt-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut program = Command::new(env!("CARGO_BIN_EXE_lean-oracle"))
        .args(["repl", "--timeout", "200", "--lean", &lean.display().to_string()])
        .env("TMPDIR", &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let mut stdin = program.stdin.take().expect("piped");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    let mut ask = |code: &str| {
        writeln!(stdin, "import Lean.Data.Json\n{code}\n").expect("it reads");
        let line = lines.next().expect("an answer").expect("text");
        line.split(" (").next().expect("a line").to_string()
    };
    assert_eq!(ask("theorem t : 1 + 1 = 2 := rfl"), "valid");
    let pool =
        std::fs::read_dir(&directory).expect("ours").next().expect("its directory").expect("ours").path();
    let files = std::fs::read_dir(pool).expect("ours").map(|file| file.expect("ours").path());
    let snapshots: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|e| e == "snapshot")).collect();
    assert_eq!(snapshots.len(), 1, "the header was saved");
    let all = std::fs::read(&snapshots[0]).expect("a file");
    std::fs::write(&snapshots[0], &all[..all.len() / 2]).expect("a file");
    assert_eq!(ask("theorem u : 1 + 2 = 3 := rfl"), "valid");
    assert!(ask("theorem v : 1 + 2 = 4 := rfl").contains("error"));
    drop(stdin);
    program.wait().expect("ours");
    let _ = std::fs::remove_dir_all(directory);
}

/// A process is started before its text is there. What happens to it meanwhile, or to what it would import, is
/// nothing to the text.
#[test]
fn a_process_that_waits_for_its_text() {
    let Some(lean) = lean("a_process_that_waits_for_its_text") else { return };
    let directory = std::env::temp_dir().join(format!("lean-oracle-waits-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let mark = format!("STAND_IN_OF=waits-{}", std::process::id());
    let argv = ["env", &mark, &format!("LEAN_PATH={}", directory.display()), &lean.display().to_string()];
    let build = |text: &str| {
        std::fs::write(directory.join("Waits.lean"), text).expect("a file");
        let status =
            Command::new(&lean).args(["-o", "Waits.olean", "Waits.lean"]).current_dir(&directory).status();
        assert!(status.expect("Lean runs").success());
    };
    build("def there := 1");
    let engine = EngineConfig::Lean { argv: argv.map(String::from).into(), dir: directory.clone() };
    let config = PoolConfig { max_processes: 1, max_wait: LONG, ..PoolConfig::new(engine) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let pool = Pool::start(config).await.expect("a pool");
        let ask = async |code: &str| check(&pool, &format!("import Waits\n{code}"), false).await;
        assert_eq!(ask("example : there = 1 := rfl").await.verdict(), Verdict::Valid);
        until("one waits", || !marked(&mark).is_empty()).await;
        for pid in marked(&mark) {
            let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        until("it has ended", || marked(&mark).is_empty()).await;
        let outcome = ask("example : there = 1 := by decide").await;
        assert_eq!((outcome.verdict(), outcome.diagnostics.attempts), (Verdict::Valid, 1), "{outcome:?}");
        until("another waits", || !marked(&mark).is_empty()).await;
        build("def there := 2");
        assert_eq!(ask("example : there = 1 := rfl").await.verdict(), Verdict::LeanError);
        assert_eq!(ask("example : there = 2 := rfl").await.verdict(), Verdict::Valid);
        pool.drain(LONG).await;
        until("none is left", || marked(&mark).is_empty()).await;
    });
    let _ = std::fs::remove_dir_all(directory);
}

/// Every declaration is found, and what each rests on.
#[test]
fn audits_find_every_declaration_and_its_axioms() {
    with_lean("audits_find_every_declaration_and_its_axioms", async |pool| {
        let outcome = check(&pool, GOOD, true).await;
        let audit = outcome.audit.as_ref().expect("asked for");
        assert_eq!((outcome.verdict(), &audit.problem), (Verdict::Valid, &None), "{outcome:?}");
        let mut names: Vec<&str> = audit.theorems.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        let expected =
            ["A.b", "A.«foo bar»", "_private._stdin.0.A.c", "a1", "a2", "classical", "ext", "last", "s.t"];
        assert_eq!(names, expected);
        let axioms = |name: &str| &audit.theorems.iter().find(|t| t.name == name).expect("listed").axioms;
        assert_eq!(axioms("classical"), &["Classical.choice", "Quot.sound", "propext"]);
        assert!(axioms("A.b").is_empty() && axioms("ext").contains(&"propext".to_string()));
        for (code, expected) in [
            ("axiom a : 1 = 2\ntheorem t : 1 = 2 := a", Verdict::Axioms(vec!["a".into()])),
            ("axiom unused : False", Verdict::Axioms(vec!["unused".into()])),
            ("theorem t : 1 = 2 := sorry", Verdict::Sorry),
            // The name of a standard axiom, in another namespace.
            (
                "namespace Evil\naxiom propext : 1 = 2\ntheorem t : 1 = 2 := propext",
                Verdict::Axioms(vec!["Evil.propext".into()]),
            ),
            (
                "namespace Evil\naxiom propext : 1 = 2\nend Evil\nopen Evil\ntheorem t : 1 = 2 := Evil.propext\nnamespace Evil",
                Verdict::Axioms(vec!["Evil.propext".into()]),
            ),
            // What is used by a definition alone.
            ("axiom a : Nat\nnoncomputable def d := a", Verdict::Axioms(vec!["a".into()])),
            (
                "axiom a : Nat\nnoncomputable instance : Inhabited Nat := ⟨a⟩",
                Verdict::Axioms(vec!["a".into()]),
            ),
            ("theorem t : 1 = 1 := rfl -- the end of a comment", Verdict::Valid),
            (
                "def x := 1\nnamespace A.B\nsection\nvariable (n : Nat)\ntheorem t : n = n := rfl",
                Verdict::Valid,
            ),
        ] {
            let outcome = check(&pool, code, true).await;
            assert_eq!(outcome.verdict(), expected, "{code}: {outcome:?}");
        }
    });
}

/// What people write around their theorems: comments that speak of Lean, examples, notation, sections.
#[test]
fn audits_understand_usual_texts() {
    with_lean("audits_understand_usual_texts", async |pool| {
        for (code, listed) in [
            (
                "-- Lean 4: no macro, no `sorry`\n/-- Meta: uses notation -/\ntheorem t : 1 = 1 := rfl",
                vec!["t"],
            ),
            (
                "def ex := 1 -- an example of a number\nexample : ex = 1 := rfl\nnamespace A\nvariable (p : Prop)\n\
                 example (h : p) : p := by\n  exact h\nend A",
                vec!["line 2", "line 5"],
            ),
            (
                "local notation \"N\" => Nat\ninfixl:65 \" <+> \" => Nat.add\nopen Nat in\n\
                 theorem t (a b : N) : a <+> b = Nat.add a b := rfl\nattribute [local simp] t",
                vec!["t"],
            ),
        ] {
            let outcome = check(&pool, code, true).await;
            assert_eq!(outcome.verdict(), Verdict::Valid, "{code}: {outcome:?}");
            let audit = outcome.audit.expect("asked for");
            let names: Vec<&str> = audit.theorems.iter().map(|t| t.name.as_str()).collect();
            assert_eq!(names, listed, "{code}");
        }
        // An example is audited like a theorem.
        for (code, expected) in [
            ("set_option warn.sorry false\nexample : False := sorry", Verdict::Sorry),
            (
                "axiom a : False\nexample : 1 = 1 := rfl\nexample : 1 = 2 := a.elim",
                Verdict::Axioms(vec!["a".into()]),
            ),
        ] {
            let outcome = check(&pool, code, true).await;
            assert_eq!(outcome.verdict(), expected, "{code}: {outcome:?}");
        }
    });
}

/// What could make `#print axioms` say something else, or hide what a text declares, is not audited.
#[test]
fn audits_are_not_fooled() {
    with_lean("audits_are_not_fooled", async |pool| {
        for code in [
            "axiom a : 1 = 2\ntheorem t : 1 = 2 := a\nmacro_rules | `(#print axioms $_) => `(#check 1)",
            "axiom a : 1 = 2\nmacro \"hidden\" : command => `(theorem t : 1 = 2 := a)\nhidden",
            "#eval IO.FS.writeFile \"/dev/stdout\" \"{}\"\ntheorem t : 1 = 1 := rfl",
            "def s := \"#print axioms\"\nelab \"x\" : term => pure default",
            "set_option debug.skipKernelTC true\ntheorem t : 1 = 1 := rfl",
            // Logic of its own: the axiom that everybody may use, and natural numbers.
            "prelude\nimport Init.Prelude\naxiom propext : False\ntheorem t : False := propext",
            // Two names that Lean's list of declarations writes in the same way.
            "axiom «a.b»._inaccessible : False\ntheorem a.b._inaccessible : True := trivial",
            // Nothing after it is looked at.
            "#exit\ntheorem t : False := nonsense",
            // Errors that nobody sees.
            "#guard_msgs (drop error) in\ndef f : Nat := nonsense",
            // Code that runs, without saying so.
            "def act := timeit \"\" (.println \"x\")\n#guard (match act (.mk ()) with | _ => true)",
            // What looks like comments and is code: after `/--` Lean takes `-- -/ /- /-` for a comment.
            "/-- -- -/ /- /-\n -/ def debug := 1\n-- -/",
            "def minus (a : Int) := a <--debug\n",
            "def a := 1\nnotation \"a--b\" => a\ndef c := a--b debug",
            "def s := \"\n-- \" def debug := 1",
            "theorem t : 1 = 1 := rfl\n#exit",
            "theorem Nat.zero_add' : 1 = 1 := rfl\nprivate theorem Nat.zero_add : 1 = 1 := rfl",
        ] {
            let outcome = check(&pool, code, true).await;
            assert!(
                matches!(
                    outcome.verdict(),
                    Verdict::Unaudited(_) | Verdict::LeanError | Verdict::ServerError
                ),
                "{code}: {outcome:?}"
            );
        }
        // A name that is written like an axiom's changes nothing: the axiom itself is printed.
        for shown in ["notation \"propext\" => a", "prefix:max \"propext\" => id a"] {
            let code = format!("axiom a : 1 = 2\n{shown}\ntheorem t : 1 = 2 := a");
            let outcome = check(&pool, &code, true).await;
            assert_eq!(outcome.verdict(), Verdict::Axioms(vec!["a".into()]), "{code}: {outcome:?}");
        }
        // Text in comments and strings is not what it looks like, either way.
        let code = "/- theorem no : 1 = 2 := sorry -/\ndef s := \"theorem no : 1 = 2 := sorry\"\ntheorem yes : s = s := rfl";
        let outcome = check(&pool, code, true).await;
        assert_eq!(outcome.verdict(), Verdict::Valid, "{outcome:?}");
        assert_eq!(outcome.audit.expect("asked for").theorems.len(), 1);
    });
}

const GOOD: &str = "\
import Lean.Data.Json

/-! Some text. -/
namespace A
theorem b : 1 = 1 := rfl
private theorem c : 2 = 2 := rfl
/-- Named. -/
@[simp] theorem «foo bar» (p : Prop) (h : p) : p := h
end A

mutual
theorem a1 : 1 = 1 := rfl
theorem a2 : 1 = 1 := a1
end

structure S where
  x : Nat

inductive T | a | b

def f (n : Nat) : Nat := go n where go (m : Nat) : Nat := m
instance : Inhabited S := ⟨⟨1⟩⟩
abbrev z := 1
section
variable (p q : Prop)
theorem classical : p ∨ ¬p := Classical.em p
theorem ext (h : p ↔ q) : p = q := propext h
end
open A in
theorem s.t : 1 = 1 := b
theorem last : z = 1 := rfl
";
