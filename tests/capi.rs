//! Compiles `tests/capi.c`, which calls every export of the C ABI from C, and runs it.

#![cfg(unix)]

mod native;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lean_oracle::oracle::FUNCTIONS;

fn program(name: &str) -> PathBuf {
    let dir = native::library_dir();
    native::library();
    let link = [
        format!("-L{}", dir.display()),
        "-llean_oracle".into(),
        "-lm".into(),
        format!("-Wl,-rpath,{}", dir.display()),
    ];
    native::compile_as("capi", name, link)
}

/// The names of all functions.
fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|f| f.name)
}

#[test]
fn every_export_answers_c() {
    let mut command = Command::new(program("capi"));
    command.args(names()).env("RUST_BACKTRACE", "0");
    let output = native::run(&mut command, Duration::from_secs(300));
    let report = native::report(&output);
    assert!(output.status.success(), "{report}");
    // It ran to its end, and did not skip what it is for.
    let checks = report.lines().find_map(|line| line.strip_suffix(" checks, 0 failed")).expect(&report);
    assert!(checks.parse::<u32>().is_ok_and(|n| n > 10_000), "{report}");
}

#[test]
fn no_byte_is_lost_or_misused() {
    let test = "no_byte_is_lost_or_misused";
    if Command::new("valgrind").arg("--version").output().is_err() {
        native::skip(test, "valgrind is not installed");
        return;
    }
    // Everything that is still allocated at the end counts: nothing may be.
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"])
        .arg(program("capi_valgrind"))
        .arg("--light")
        .args(names())
        .env("RUST_BACKTRACE", "0");
    let output = native::run(&mut command, Duration::from_secs(600));
    let report = native::report(&output);
    // valgrind translates machine code and cannot know a CPU newer than itself.
    if report.contains("unrecognised instruction") || report.contains("unhandled instruction bytes") {
        native::skip(test, "this valgrind does not know an instruction that FLINT was built with");
        return;
    }
    assert!(output.status.success(), "{report}");
    assert!(report.contains(" checks, 0 failed"), "{report}");
}

#[test]
fn a_process_may_end_while_a_question_that_was_left_is_at_work() {
    let program = program("capi_leave");
    for _ in 0..20 {
        let output = native::run(Command::new(&program).arg("--leave"), Duration::from_secs(5));
        assert!(output.status.success() && output.stderr.is_empty(), "{}", native::report(&output));
    }
}

#[test]
fn the_header_stands_alone() {
    // As C of several ages and as C++, included twice, first of all headers.
    for (compiler, flags) in [
        ("CC", &["-xc", "-std=c99"][..]),
        ("CC", &["-xc", "-std=c11"]),
        ("CC", &["-xc", "-std=gnu17"]),
        ("CXX", &["-xc++", "-std=c++11"]),
        ("CXX", &["-xc++", "-std=c++17"]),
    ] {
        let default = if compiler == "CC" { "cc" } else { "c++" };
        let program = std::env::var_os(compiler).unwrap_or_else(|| default.into());
        let source = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.c");
        std::fs::write(&source, "#include \"lean_oracle.h\"\n#include \"lean_oracle.h\"\n")
            .expect("writable");
        let mut command = Command::new(&program);
        command
            .args(flags)
            .args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
            .arg(source);
        match command.output() {
            Ok(output) => assert!(output.status.success(), "{command:?}: {}", native::report(&output)),
            Err(e) => native::skip("the_header_stands_alone", &format!("{program:?}: {e}")),
        }
    }
}
