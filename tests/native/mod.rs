//! What the tests of the native library share: where it is, compiling C against it, and skipping.

#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The directory into which cargo put the shared library for this test.
pub fn library_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.parent().expect("in a directory").to_path_buf()
}

/// The shared library.
pub fn library() -> PathBuf {
    let name = format!("{}lean_oracle{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = library_dir().join(name);
    assert!(path.is_file(), "cargo builds {} before this test", path.display());
    path
}

/// Compiles `tests/<name>.c` against the committed header, every warning an error, and links it with
/// `link`. Returns the program.
pub fn compile<S: AsRef<OsStr>>(name: &str, link: impl IntoIterator<Item = S>) -> PathBuf {
    compile_as(name, name, link)
}

/// As [`compile`], under another name, for tests that run at the same time.
pub fn compile_as<S: AsRef<OsStr>>(source: &str, name: &str, link: impl IntoIterator<Item = S>) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}_c"));
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g", "-pthread"])
        .arg(root.join("tests").join(format!("{source}.c")))
        .arg("-o")
        .arg(&program)
        .arg("-I")
        .arg(root.join("include"))
        .args(link);
    let output = cc.output().expect("a C compiler is needed: install gcc or clang, or set CC");
    assert!(output.status.success(), "{cc:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Runs `command`, but not longer than `limit`.
pub fn run(command: &mut Command, limit: Duration) -> Output {
    // Cargo sets these for tests, and they go before the run path of the program: it would find the
    // library of the last `cargo build`, not that of this test.
    let command = command.env_remove("LD_LIBRARY_PATH").env_remove("DYLD_FALLBACK_LIBRARY_PATH");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let id = child.id();
    let (done, timer) = std::sync::mpsc::channel::<()>();
    let begin = Instant::now();
    let watch = std::thread::spawn(move || {
        if timer.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
    });
    let output = child.wait_with_output().expect("it was started");
    drop(done);
    watch.join().expect("the watch does not panic");
    assert!(begin.elapsed() < limit, "{command:?} was stopped after {limit:?}\n{}", report(&output));
    output
}

/// How a program ended and what it printed.
pub fn report(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Says that a test could not be run; where everything must be there (`CI` is set), fails.
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test}: {why}, and CI is set");
    // Not `eprintln!`, which the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: {test}: {why} ***");
}
