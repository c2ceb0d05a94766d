//! What the tests of merging share: the compiler, run with and without our own code, and numbers from a seed.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lean_oracle::merge::{ExtractRequest, Fatal, Lean, Source};

#[path = "../native/mod.rs"]
mod native;

/// The compiler, with a cache of this test's own; `None`, with a word about it, if there is none here.
pub fn lean(test: &str) -> Option<Lean> {
    match Lean::discover(None) {
        Ok(mut lean) => {
            lean.cache = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("merge-cache"));
            Some(lean)
        }
        Err(e) => {
            native::skip(test, &e.to_string());
            None
        }
    }
}

/// The program of [`lean`], to be run without it.
pub fn program() -> PathBuf {
    let on_path = Command::new("lean").arg("--version").output().is_ok_and(|o| o.status.success());
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/lean-env");
    match std::env::var_os("LEAN_ORACLE_LEAN") {
        Some(program) => program.into(),
        None if on_path => "lean".into(),
        None => std::env::var_os("LEAN_ENV_HOME").map_or_else(home, PathBuf::from).join("bin/lean"),
    }
}

/// Compiles a text and returns its messages of this severity with their lines, from 1.
pub fn messages(text: &str, severity: &str) -> Vec<(usize, String)> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("Result.lean");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(program()).args(["--json", "-DmaxErrors=0"]).arg(&file).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let parsed = lines.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    parsed
        .filter(|m| m["severity"] == severity)
        .map(|m| (m["pos"]["line"].as_u64().unwrap() as usize, m["data"].as_str().unwrap().to_string()))
        .collect()
}

pub fn errors(text: &str) -> Vec<(usize, String)> {
    messages(text, "error")
}

pub fn cli(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lean-oracle"))
        .args(arguments)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub fn source(content: &str) -> Source {
    Source { content: content.into(), timeout_seconds: 600.0, ..Source::default() }
}

/// A request for everything.
pub fn extract(content: &str) -> ExtractRequest {
    ExtractRequest { source: source(content), ..ExtractRequest::default() }
}

/// What is to be changed about a request.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Fatal>) -> String {
    match answer {
        Err(Fatal::User(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

/// Numbers from a seed; the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
