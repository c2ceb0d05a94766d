//! The stand-in for the community REPL, compiled once for each test program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program. It needs nothing but the standard library, so `rustc` is enough.
pub fn stand_in() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!(env!("CARGO_CRATE_NAME"), "_repl_stand_in"));
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-O", "-o"]).arg(&program);
        rustc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/repl_stand_in.rs"));
        let output = rustc.output().expect("rustc is where cargo is");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        program
    })
}
