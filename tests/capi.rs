//! Compiles `tests/capi.c` and `tests/capi_transport.c`, which call every export of the C ABI from C, and
//! runs them.

#![cfg(unix)]

mod native;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lean_oracle::oracle::FUNCTIONS;
use lean_oracle::transport::hub::ServerSecurity;
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::worker::{Functions, Place, Worker, WorkerConfig};
use lean_oracle::{Code, Error};

fn program(source: &str, name: &str) -> PathBuf {
    let dir = native::library_dir();
    native::library();
    let link = [
        format!("-L{}", dir.display()),
        "-llean_oracle".into(),
        "-lm".into(),
        format!("-Wl,-rpath,{}", dir.display()),
    ];
    native::compile_as(source, name, link)
}

/// The names of all functions.
fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|f| f.name)
}

#[test]
fn every_export_answers_c() {
    let mut command = Command::new(program("capi", "capi"));
    command.args(names()).env("RUST_BACKTRACE", "0");
    let output = native::run(&mut command, Duration::from_secs(300));
    let report = native::report(&output);
    assert!(output.status.success(), "{report}");
    // It ran to its end, and did not skip what it is for.
    let checks = report.lines().find_map(|line| line.strip_suffix(" checks, 0 failed")).expect(&report);
    assert!(checks.parse::<u32>().is_ok_and(|n| n > 10_000), "{report}");
}

/// A program to be run by valgrind. Everything that is still allocated at the end counts: nothing may be.
fn valgrind(program: PathBuf) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"])
        .arg(program)
        .arg("--light")
        .env("RUST_BACKTRACE", "0");
    command
}

/// Runs a program under valgrind, if that can be.
fn no_byte_of_it_is_lost(test: &str, command: &mut Command) {
    if Command::new("valgrind").arg("--version").output().is_err() {
        native::skip(test, "valgrind is not installed");
        return;
    }
    let output = native::run(command, Duration::from_secs(600));
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
fn no_byte_is_lost_or_misused() {
    let mut command = valgrind(program("capi", "capi_valgrind"));
    no_byte_of_it_is_lost("no_byte_is_lost_or_misused", command.args(names()));
}

/// The server that `tests/capi_transport.c` asks, at a Unix socket.
fn server(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("lo-{}-{name}", std::process::id()));
    let at = Endpoint::parse(&format!("ipc://{}", path.display())).expect("an endpoint");
    let place = Place::Here(at.clone(), ServerSecurity::Plain { anywhere: false });
    let config = WorkerConfig { threads: 16, ..WorkerConfig::new(vec![place]) };
    let functions = Functions::new()
        .on("echo", |request, _| Ok(request.body.clone()))
        .on("slow", |_, context| {
            while !context.cancel.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Error::new(Code::Cancelled, "nobody waits"))
        })
        .on("refuse", |request, _| {
            let name = String::from_utf8_lossy(&request.body.payload).into_owned();
            let code = Code::of_name(&name).unwrap_or_else(|| panic!("asked to panic"));
            Err(Error::new(code, "as asked").at("payload"))
        });
    let worker = Worker::new(config, functions).expect("the place is free");
    std::thread::spawn(move || worker.run());
    at.to_string()
}

#[test]
fn every_export_of_the_transport_answers_c() {
    let mut command = Command::new(program("capi_transport", "capi_transport"));
    let output = native::run(command.arg(server("plain")), Duration::from_secs(300));
    let report = native::report(&output);
    assert!(output.status.success(), "{report}");
    let checks = report.lines().find_map(|line| line.strip_suffix(" checks, 0 failed")).expect(&report);
    assert!(checks.parse::<u32>().is_ok_and(|n| n > 1000), "{report}");
}

#[test]
fn no_byte_of_the_transport_is_lost_or_misused() {
    let mut command = valgrind(program("capi_transport", "capi_transport_valgrind"));
    let test = "no_byte_of_the_transport_is_lost_or_misused";
    no_byte_of_it_is_lost(test, command.arg(server("valgrind")));
}

#[test]
fn lean_knows_every_code() {
    let lean = include_str!("../lean/LeanOracle/Arb.lean");
    let (_, shown) = lean.split_once("def toString : ErrorCode → String").expect("the texts of the codes");
    let shown = shown.split_once("instance").expect("an end").0;
    let known: Vec<&str> = shown.split('"').skip(1).step_by(2).collect();
    assert_eq!(known, Code::ALL.map(Code::name));
}

#[test]
fn a_process_may_end_while_a_question_that_was_left_is_at_work() {
    let program = program("capi", "capi_leave");
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
