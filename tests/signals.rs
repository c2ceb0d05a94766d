//! A peer that hangs up, and a process that does not read, is an error, not a signal. Rust's `main` ignores SIGPIPE; the programs that load this
//! library, Lean among them, need not. So this test has the `main` of a C program, where SIGPIPE ends the process.

#![no_main]

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use lean_oracle::repl::{CheckOptions, EngineConfig, Failure, Pool, PoolConfig, Snippet};
use lean_oracle::transport::hub::{Event, Hub, HubLimits, ServerSecurity};
use lean_oracle::transport::net::Endpoint;

fn a_peer_that_hangs_up_is_no_signal() {
    let mut hub = Hub::new(HubLimits::default()).expect("a hub");
    let path = std::env::temp_dir().join(format!("lo-signals-{}", std::process::id()));
    let security = ServerSecurity::Plain { anywhere: false };
    hub.bind(&Endpoint::Ipc(path.clone()), security).expect("free");
    // It is gone before the greeting is written.
    drop(UnixStream::connect(path).expect("it listens"));
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        hub.wait(Some(until));
        match hub.next_event() {
            Some(Event::Closed(_, e)) => return assert!(e.message.contains("roken pipe"), "{e}"),
            Some(other) => panic!("{other:?}"),
            None => assert!(Instant::now() < until, "nothing happens"),
        }
    }
}

fn a_process_that_does_not_read_is_no_signal() {
    // It loads the header and then closes its input, so that the text cannot be written.
    let script = r#"read -r header; exec <&-; printf '{"env": 0}\n\n'; sleep 600"#;
    let argv = ["sh", "-c", script].map(String::from).to_vec();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let outcome = runtime.expect("a runtime").block_on(async {
        let engine = EngineConfig::Repl { argv, dir: ".".into() };
        let pool =
            Pool::start(PoolConfig { max_processes: 1, ..PoolConfig::new(engine) }).await.expect("a pool");
        let options = CheckOptions { timeout: Duration::from_secs(2), ..CheckOptions::default() };
        let outcome = pool.check(Snippet { id: "a".into(), code: "def x := 1".into() }, &options).await;
        pool.drain(Duration::ZERO).await;
        outcome
    });
    assert!(matches!(outcome.result, Err(Failure::Timeout { .. })), "{outcome:?}");
}

/// The entry of the process.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> i32 {
    for test in [a_peer_that_hangs_up_is_no_signal, a_process_that_does_not_read_is_no_signal] {
        if std::panic::catch_unwind(test).is_err() {
            return 1;
        }
    }
    println!("test result: ok. 2 passed; 0 failed");
    0
}
