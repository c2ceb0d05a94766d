//! A panic inside our library, loaded into a process with the real `libleanshared.so`, is caught.
//!
//! That library exports some functions of an unwinder. Without an unwinder of our own (see `src/lib.rs`)
//! a panic would use half of theirs and half of the system's, and end the process.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod native;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the checking environment, or a genuine toolchain, has `libleanshared.so`.
fn lean_libraries() -> Option<PathBuf> {
    let mut homes = Vec::new();
    match std::env::var_os("LEAN_ENV_HOME") {
        Some(home) => homes.push(PathBuf::from(home).join("toolchain")),
        None => {
            let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
            homes.push(home.join(".cache/lean-env/toolchain"));
        }
    }
    if let Ok(output) = Command::new("lean").arg("--print-prefix").output() {
        homes.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    homes.into_iter().map(|home| home.join("lib/lean")).find(|dir| dir.join("libleanshared.so").is_file())
}

fn program(libraries: &Path) -> PathBuf {
    let mut rpath = std::ffi::OsString::from("-Wl,-rpath,");
    rpath.push(libraries);
    let mut search = std::ffi::OsString::from("-L");
    search.push(libraries);
    let link = [
        search,
        "-Wl,--no-as-needed".into(),
        "-lleanshared".into(),
        "-ldl".into(),
        rpath,
        "-Wl,--allow-shlib-undefined".into(),
    ];
    native::compile("unwinder", link)
}

#[test]
fn a_panic_beside_libleanshared_is_caught() {
    let test = "a_panic_beside_libleanshared_is_caught";
    let Some(libraries) = lean_libraries() else {
        native::skip(test, "there is no libleanshared.so; run tools/lean-env/setup.sh");
        return;
    };
    let program = program(&libraries);
    for backtrace in ["0", "1", "full"] {
        for initialised in [false, true] {
            let mut command = Command::new(&program);
            command.arg(native::library());
            if initialised {
                command.arg("init");
            }
            command.env("LEAN_ORACLE_TEST_PANIC", "1").env("RUST_BACKTRACE", backtrace);
            let output = native::run(&mut command, Duration::from_secs(60));
            let report = format!("{command:?}: {}", native::report(&output));
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && stdout.ends_with("survived\n"), "{report}");
            // Three panics were asked for, answered as JSON, and told on standard error.
            assert_eq!(
                stdout.matches(r#"10 {"error":{"code":"internal","field":null,"#).count(),
                3,
                "{report}"
            );
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(stderr.matches("asked to panic").count(), 3, "{report}");
            assert_eq!(stderr.contains("stack backtrace:"), backtrace != "0", "{report}");
            // The process has the clash that this test is about; a toolchain without it proves nothing.
            if libraries.ends_with("lean-env/toolchain/lib/lean") {
                assert!(stdout.contains("unwinder: ") && stdout.contains("libleanshared"), "{report}");
            }
        }
    }
}
