//! A peer that hangs up is an error, not a signal. Rust's `main` ignores SIGPIPE; the programs that load this
//! library, Lean among them, need not. So this test has the `main` of a C program, where SIGPIPE ends the process.

#![no_main]

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

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

/// The entry of the process.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> i32 {
    if std::panic::catch_unwind(a_peer_that_hangs_up_is_no_signal).is_err() {
        return 1;
    }
    println!("test result: ok. 1 passed; 0 failed");
    0
}
