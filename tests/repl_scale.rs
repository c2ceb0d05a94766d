//! Many snippets through one pool. (Alone in its process, whose memory and files are measured.)

#![cfg(target_os = "linux")]

#[path = "peers/engines.rs"]
mod engines;
#[path = "peers/processes.rs"]
mod processes;
#[path = "peers/stand_in.rs"]
mod stand_in;

use std::time::{Duration, Instant};

use engines::{alive, named};
use futures_util::StreamExt;
use lean_oracle::repl::{CheckOptions, Pool, PoolConfig, Snippet};
use processes::{LONG, until};

/// Children of this process that have ended and were not waited for.
fn dead_children() -> usize {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let stats = processes.filter_map(|p| std::fs::read_to_string(p.path().join("stat")).ok());
    let fields =
        stats.filter_map(|s| Some(s.rsplit_once(") ")?.1.split(' ').take(2).map(String::from).collect()));
    fields.filter(|fields: &Vec<String>| fields[0] == "Z" && fields[1] == own).count()
}

/// Resident memory of this process, in bytes, and its open files.
fn footprint() -> (u64, usize) {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    (pages * 4096, std::fs::read_dir("/proc/self/fd").expect("Linux").count())
}

/// 10,000 snippets, one in twenty of them with a fault, 64 at a time: each has exactly one verdict, the right
/// one; memory and files are as before; no process is left.
#[test]
fn ten_thousand_snippets_with_faults() {
    let work = async {
        let config = PoolConfig {
            memory_limit: Some(100 << 20),
            max_processes: 8,
            max_wait: 10 * LONG,
            ..PoolConfig::new(named("thousands"))
        };
        let pool = Pool::start(config).await.expect("a pool");
        let case = |n: usize| -> (String, &str) {
            let header = ["", "import Known\n", "import KnownA\nimport KnownB\n"][n / 20 % 3];
            let (body, verdict) = match (n % 20, n / 20 % 10) {
                (7, 0) => ("#crash".into(), "server_error"),
                (7, 1) => ("#abort".into(), "server_error"),
                (7, 2) => ("#hang".into(), "timeout_error"),
                (7, 3) => ("#partial".into(), "server_error"),
                (7, 4) => ("#garbage".into(), "server_error"),
                (7, 5) => ("#wrong".into(), "server_error"),
                (7, 6) => ("#twice".into(), "valid"),
                (7, 7) => ("#stderr 300\n#crash".into(), "server_error"),
                (7, 8) => ("#noise".into(), "server_error"),
                (7, 9) if n.is_multiple_of(3) => ("#leak 200\n#hang".into(), "server_error"),
                (7, 9) => ("#refuse".into(), "repl_error"),
                (0 | 4 | 8 | 12, _) => ("theorem t : a = b := rfl".into(), "lean_error"),
                (1 | 5, _) => ("theorem t : a = b := by sorry".into(), "sorry"),
                (2 | 6, _) => (format!("#check x{}", n - 1), "lean_error"),
                (3, _) => (format!("def x{n} := 1\n#check x{n}"), "valid"),
                (9, 0) => ("import Nonexistent".into(), "lean_error"),
                _ => (format!("def x{n} := 1\ntheorem t : a = a := rfl"), "valid"),
            };
            (format!("{header}{body}\n-- {n}"), verdict)
        };
        let round = async |range: std::ops::Range<usize>| {
            let checks = futures_util::stream::iter(range).map(|n| {
                let pool = &pool;
                async move {
                    let (code, expected) = case(n);
                    let timeout = if code.contains("#hang") && !code.contains("#leak") {
                        Duration::from_millis(200)
                    } else {
                        LONG
                    };
                    let options = CheckOptions { timeout, ..CheckOptions::default() };
                    let outcome =
                        pool.check(Snippet { id: n.to_string(), code: code.clone() }, &options).await;
                    assert_eq!(outcome.id, n.to_string());
                    assert_eq!(outcome.verdict().name(), expected, "{n} {code:?}: {outcome:?}");
                }
            });
            checks.buffer_unordered(64).collect::<Vec<()>>().await.len()
        };
        // The first ones fill caches of the allocator.
        assert_eq!(round(0..1000).await, 1000);
        let before = footprint();
        let begin = Instant::now();
        assert_eq!(round(1000..11_000).await, 10_000);
        println!("10,000 snippets in {:?}", begin.elapsed());
        let status = pool.status();
        assert_eq!((status.checks, status.waiting, status.busy), (11_000, 0, 0), "{status:?}");
        assert!(status.processes <= 8 && status.crashes > 100 && status.out_of_memory > 0, "{status:?}");
        let after = footprint();
        assert!(after.0 < before.0 + (30 << 20), "memory grew from {} to {} bytes", before.0, after.0);
        until("files are closed", || footprint().1 <= before.1 + 24).await;
        until("only the pool's processes are left", || alive("thousands").len() <= 8).await;
        until("nobody waits to be collected", || dead_children() == 0).await;
        pool.drain(LONG).await;
        until("no process is left", || alive("thousands").is_empty()).await;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(10 * LONG, work).await.expect("it ends");
    });
}
