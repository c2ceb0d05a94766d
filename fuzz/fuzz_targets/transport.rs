//! Arbitrary bytes as frames, envelopes and payloads: never a panic, and what was read is written and
//! read back the same.

#![no_main]

use bytes::Bytes;
use lean_oracle::transport::format::Format;
use lean_oracle::transport::message::{Incoming, Reply, Request};
use lean_oracle::transport::{legacy, zmtp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut decoder = zmtp::Decoder::default();
    let mut scratch = [0; 100];
    let mut left = data;
    let mut frames: Vec<Bytes> = Vec::new();
    'all: while !left.is_empty() {
        let _ = decoder.read(&mut left, &mut scratch);
        loop {
            match decoder.next(|_| 1 << 16) {
                Ok(Some(frame)) if frame.command => {
                    let _ = zmtp::command(&frame.body).and_then(|(_, data)| zmtp::socket_type(data));
                }
                Ok(Some(frame)) => frames.push(frame.body),
                Ok(None) => break,
                Err(_) => break 'all,
            }
        }
    }
    let incoming = Incoming::new(frames);
    let _ = legacy::answer(incoming.frames.last().map_or(&[][..], |f| f), None);
    if let Ok(request) = Request::read(&incoming.frames) {
        // NaN differs from itself: the frames are compared.
        let again = Request::read(&request.frames()).expect("ours");
        assert_eq!(again.frames(), request.frames());
    }
    let _ = Reply::read(&incoming.frames);
    for format in Format::ALL {
        if let Ok(value) = format.decode(data) {
            let bytes = format.encode(&value).expect("it came from this format");
            assert_eq!(format!("{:?}", format.decode(&bytes).expect("ours")), format!("{value:?}"));
        }
    }
});
