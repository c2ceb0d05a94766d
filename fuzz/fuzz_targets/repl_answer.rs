//! Arbitrary bytes as an answer of the REPL: never a panic; what is passed on is JSON on one line and says
//! the same when it is read again.

#![no_main]

use lean_oracle::repl::{Reply, Response, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(response) = parse(data) else { return };
    let json = match &response {
        Response::Step(step) => serde_json::to_string(step),
        Response::Command(command) => serde_json::to_string(&Reply::Response(command.clone())),
        Response::Error(message) => serde_json::to_string(&Reply::ReplError { message: message.clone() }),
    };
    let json = json.expect("what was read can be written");
    assert!(!json.contains('\n'));
    assert_eq!(parse(json.as_bytes()).expect("ours"), response);
});
