//! Looking for processes by a mark in their environment, and waiting for things to happen.

use std::time::{Duration, Instant};

/// The time that no wait in these tests needs, on however slow a machine.
pub const LONG: Duration = Duration::from_secs(120);

/// Processes that have this variable (`NAME=value`) in their environment.
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

pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
