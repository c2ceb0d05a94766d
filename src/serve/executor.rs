//! Where snippets are checked: the seam between the server and what does the work.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::repl::{CheckOptions, EngineConfig, Outcome, Pool, PoolStatus, Snippet};

/// A future behind a pointer, so that [`Executor`] can be used as `dyn Executor`.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that checks snippets, such as a [`Pool`] in this process.
pub trait Executor: Send + Sync + 'static {
    /// Checks a snippet. Dropping the future cancels the check.
    fn check<'a>(&'a self, snippet: Snippet, options: &'a CheckOptions) -> Pending<'a, Outcome>;

    /// What it is doing.
    fn status(&self) -> PoolStatus;

    /// Whether it would do work now; the error says why not.
    fn ready(&self) -> Pending<'_, Result<(), String>>;

    /// Ends what is under way within `limit`, and takes nothing new.
    fn drain(&self, limit: Duration) -> Pending<'_, ()>;
}

impl Executor for Pool {
    fn check<'a>(&'a self, snippet: Snippet, options: &'a CheckOptions) -> Pending<'a, Outcome> {
        Box::pin(Pool::check(self, snippet, options))
    }

    fn status(&self) -> PoolStatus {
        Pool::status(self)
    }

    fn ready(&self) -> Pending<'_, Result<(), String>> {
        Box::pin(Pool::ready(self))
    }

    fn drain(&self, limit: Duration) -> Pending<'_, ()> {
        Box::pin(Pool::drain(self, limit))
    }
}

/// A digest of everything that can change what an engine answers: its command, the version of `lean`, the
/// toolchain, and each compiled module below the project. Cached answers of another digest are not used. Reads names, sizes and
/// times of files, which takes a second or so for a large project; a project that is rebuilt while the
/// server runs is seen at the next start.
pub fn engine_digest(engine: &EngineConfig) -> String {
    let (kind, argv, dir) = match engine {
        EngineConfig::Repl { argv, dir } => ("repl", argv, dir),
        EngineConfig::Lean { argv, dir } => ("lean", argv, dir),
    };
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(kind.as_bytes());
    add(dir.canonicalize().unwrap_or_else(|_| dir.clone()).as_os_str().as_encoded_bytes());
    for variable in ["LEAN_PATH", "LEAN_SYSROOT", "ELAN_TOOLCHAIN"] {
        add(std::env::var_os(variable).unwrap_or_default().as_encoded_bytes());
    }
    for word in argv {
        add(word.as_bytes());
        // A program or a file among the words.
        if let Some(path) = find_program(word, dir) {
            add(stamp(&path).as_bytes());
        }
    }
    // What `elan` starts under one name may be another tomorrow.
    let lean: Vec<&str> = match engine {
        EngineConfig::Lean { argv, .. } => argv.iter().map(String::as_str).collect(),
        EngineConfig::Repl { argv, .. } if argv.starts_with(&["lake".into(), "env".into()]) => {
            vec!["lake", "env", "lean"]
        }
        EngineConfig::Repl { .. } => vec!["lean"],
    };
    if let [program, words @ ..] = &lean[..] {
        let mut command = Command::new(program);
        let version = command.args(words).arg("--version").current_dir(dir).stdin(Stdio::null()).output();
        add(&version.map(|v| v.stdout).unwrap_or_default());
    }
    for file in ["lean-toolchain", "lake-manifest.json", "lakefile.lean", "lakefile.toml"] {
        add(&std::fs::read(dir.join(file)).unwrap_or_default());
    }
    let mut modules = BTreeSet::new();
    collect_modules(&dir.join(".lake"), 0, &mut modules);
    // Packages at a path of their own are not below the project.
    let manifest = std::fs::read(dir.join("lake-manifest.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    for package in manifest["packages"].as_array().into_iter().flatten() {
        if let Some(place) = package["dir"].as_str() {
            collect_modules(&dir.join(place).join(".lake"), 0, &mut modules);
        }
    }
    for directory in std::env::split_paths(&std::env::var_os("LEAN_PATH").unwrap_or_default()) {
        collect_modules(&directory, 0, &mut modules);
    }
    for path in &modules {
        add(path.as_os_str().as_encoded_bytes());
        add(stamp(path).as_bytes());
    }
    super::hex(&hash.finalize())
}

/// The file that a word of a command line names, looked for as a shell would.
fn find_program(word: &str, dir: &Path) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(dir.join(word)).filter(|p| p.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|d| d.join(word)).find(|p| p.is_file())
}

/// The `.olean` files below a directory. Links to directories are not followed.
fn collect_modules(dir: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() && depth < 64 {
            collect_modules(&path, depth + 1, found);
        } else if path.extension().is_some_and(|e| e == "olean") {
            found.insert(path);
        }
    }
}

/// The size and the time of a file, of what a link points to.
fn stamp(path: &Path) -> String {
    let Ok(data) = std::fs::metadata(path) else { return "none".into() };
    let time = data.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{} {}", data.len(), time.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `elan default` does it: the program stays, and starts another.
    #[test]
    fn another_version_behind_the_same_program_has_another_digest() {
        let dir = tempfile::tempdir().expect("a directory");
        let (program, version) = (dir.path().join("lean"), dir.path().join("version"));
        std::fs::write(&program, format!("cat '{}'\n", version.display())).expect("written");
        let argv = vec!["sh".into(), program.to_string_lossy().into_owned()];
        let engine = EngineConfig::Lean { argv, dir: dir.path().into() };
        let digest = |text: &str| {
            std::fs::write(&version, text).expect("written");
            engine_digest(&engine)
        };
        let first = digest("Lean (version 4.35.0)");
        assert_ne!(digest("Lean (version 4.36.0)"), first);
        assert_eq!(digest("Lean (version 4.35.0)"), first);
    }
}
