//! Engines over the stand-in whose processes can be told from others, and waiting for them.

use std::time::{Duration, Instant};

use lean_oracle::repl::EngineConfig;

use crate::stand_in::stand_in;

/// The time that no wait in these tests needs, on however slow a machine.
pub const LONG: Duration = Duration::from_secs(120);

/// Processes that have a mark of a pool of this test's process or of the given one in their environment.
/// (The parent is no help: orphans have another.)
pub fn marked(needle: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|b| *b == 0);
        variables.any(|variable| variable == needle.as_bytes())
    };
    pids.filter(has).collect()
}

/// An engine whose processes, and what comes from them, can be told from those of other tests.
pub fn named(name: &str) -> EngineConfig {
    let mark = format!("STAND_IN_OF={name}-{}", std::process::id());
    let argv = vec!["env".into(), mark, stand_in().display().to_string()];
    EngineConfig::Repl { argv, dir: std::env::temp_dir() }
}

pub fn alive(name: &str) -> Vec<u32> {
    marked(&format!("STAND_IN_OF={name}-{}", std::process::id()))
}

pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
