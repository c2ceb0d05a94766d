//! `lean-oracle request`: JSON requests from a file, one object or one a line.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use lean_oracle::oracle;
use lean_oracle::{Error, guarded};

/// Lines are answered in portions of this size, so that answers appear while later ones are worked on.
const PORTION: usize = 256;

/// Prints an answer or an error for each request, in order, one a line; a single object is answered
/// indented. Fails when any request fails.
pub fn answer(file: &Path) -> ExitCode {
    let bytes = match crate::read(file) {
        Ok(bytes) => bytes,
        Err(e) => return crate::finish(Err(e), true),
    };
    // One object, however laid out, or else one a line.
    if serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
        return crate::finish(guarded(|| oracle::answer_json(&bytes, None)).map(|a| crate::pretty(&a)), true);
    }
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()).collect();
    let bar = if std::io::stderr().is_terminal() && !std::io::stdout().is_terminal() {
        ProgressBar::new(lines.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} left {eta}") {
        bar.set_style(style);
    }
    let mut failed = 0;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for portion in lines.chunks(PORTION) {
        for result in oracle::answer_lines(portion) {
            let line = result.unwrap_or_else(|e: Error| {
                failed += 1;
                oracle::error_json(&e)
            });
            if writeln!(out, "{line}").is_err() {
                // The reader is gone; nobody wants the rest.
                return ExitCode::FAILURE;
            }
        }
        let _ = out.flush();
        bar.inc(portion.len() as u64);
    }
    bar.finish_and_clear();
    if failed > 0 {
        eprintln!("lean-oracle: {failed} of {} requests failed", lines.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
