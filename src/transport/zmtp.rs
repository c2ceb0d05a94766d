//! ZMTP 3.1 on the wire: the greeting, frames, commands and metadata (<https://rfc.zeromq.org/spec/37/>).
//!
//! Nothing here does input or output. A [`Decoder`] is given bytes as they come and takes nothing on
//! trust: lengths are checked before anything is reserved for them.

use std::io::{self, Read};

use bytes::Bytes;

use crate::error::{Code, Error, Result};

/// A message: its frames. Cloning one copies no payload.
pub type Message = Vec<Bytes>;

/// What a peer may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in all frames of one message.
    pub message: usize,
    /// Frames of one message.
    pub frames: usize,
    /// Bytes of one command, which are what peers exchange before and beside messages.
    pub command: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { message: 256 << 20, frames: 64, command: 16 << 10 }
    }
}

/// The length of a greeting.
pub const GREETING: usize = 64;

/// The security mechanisms that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// No security.
    Null,
    /// CurveZMQ.
    Curve,
}

impl Mechanism {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Null => "NULL",
            Mechanism::Curve => "CURVE",
        }
    }
}

/// The greeting that both sides begin with.
pub fn greeting(mechanism: Mechanism, as_server: bool) -> [u8; GREETING] {
    let mut g = [0; GREETING];
    (g[0], g[9], g[10], g[11]) = (0xFF, 0x7F, 3, 1);
    let name = mechanism.name().as_bytes();
    g[12..12 + name.len()].copy_from_slice(name);
    g[32] = u8::from(as_server);
    g
}

/// Checks a peer's greeting, which must name `mechanism`.
pub fn check_greeting(g: &[u8; GREETING], mechanism: Mechanism) -> Result<()> {
    if g[0] != 0xFF || g[9] & 1 == 0 || g[10] < 3 {
        return Err(garbage("the peer does not speak ZMTP 3"));
    }
    let name = g[12..32].split(|b| *b == 0).next().unwrap_or(&[]);
    if name != mechanism.name().as_bytes() {
        let message = format!("the peer's security is {}, ours {}", printable(name), mechanism.name());
        return Err(Error::new(Code::BadRequest, message));
    }
    Ok(())
}

/// What a peer says, for a line of a log or a terminal: control characters are written out, and no more
/// than 255 bytes of it are taken.
pub(super) fn printable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(&said[..said.len().min(255)]).into_owned();
    text.chars().fold(String::new(), |out, c| match c.is_control() {
        true => out + &c.escape_default().to_string(),
        false => out + c.encode_utf8(&mut [0; 4]),
    })
}

pub(super) fn garbage(message: impl Into<String>) -> Error {
    Error::new(Code::Parse, message)
}

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// Whether another frame of the same message follows.
    pub more: bool,
    /// Whether it is a command, and not a part of a message.
    pub command: bool,
    /// What it carries.
    pub body: Bytes,
}

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Appends the header of a frame of `len` bytes.
pub fn put_header(out: &mut Vec<u8>, more: bool, command: bool, len: usize) {
    let flags = (u8::from(more) * MORE) | (u8::from(command) * COMMAND);
    match u8::try_from(len) {
        Ok(short) => out.extend([flags, short]),
        Err(_) => {
            out.push(flags | LONG);
            out.extend((len as u64).to_be_bytes());
        }
    }
}

/// Cuts a stream of bytes into frames.
///
/// Small frames are copied from what was read; a large one is read straight into a buffer of its own,
/// which it keeps, so that its bytes are copied once, from the kernel.
#[derive(Default)]
pub struct Decoder {
    /// Read and not yet decoded: less than one frame, unless `next` has not been called until `None`.
    buf: Vec<u8>,
    at: usize,
    /// A large frame that is being filled.
    large: Option<Large>,
}

struct Large {
    flags: u8,
    len: usize,
    /// What there is of it, and then zeros to be replaced.
    body: Vec<u8>,
    filled: usize,
}

/// Frames from this size on get a buffer of their own.
const LARGE: usize = 8 << 10;
/// No more than this is reserved for a frame before its bytes come.
const RESERVE: usize = 16 << 20;
/// A large frame is read in pieces of this size.
const TURN: usize = 4 << 20;

impl Decoder {
    /// Reads, with `scratch` as intermediate store: how many bytes, and whether there are no more for now.
    /// No bytes at all are the end of the stream.
    pub fn read(&mut self, mut from: impl Read, scratch: &mut [u8]) -> io::Result<(usize, bool)> {
        if let Some(Large { len, body, filled, .. }) = &mut self.large {
            // At most a few megabytes in a row, so that other connections have their turn.
            let end = (*filled + TURN).min(*len);
            if body.len() < end {
                body.resize(end, 0);
            }
            let n = from.read(&mut body[*filled..end])?;
            let drained = n < end - *filled;
            *filled += n;
            return Ok((n, drained));
        }
        let n = from.read(scratch)?;
        self.push(&scratch[..n]);
        Ok((n, n < scratch.len()))
    }

    /// Adds what was read elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        // What has been decoded goes first; what is left is less than one small frame.
        self.buf.drain(..self.at);
        self.at = 0;
        self.buf.extend_from_slice(bytes);
    }

    /// A greeting, when it is there.
    pub fn greeting(&mut self) -> Option<[u8; GREETING]> {
        let greeting = self.buf.get(self.at..self.at + GREETING)?.try_into().ok()?;
        self.at += GREETING;
        Some(greeting)
    }

    /// The next frame that is complete. A frame of more than `most(command)` bytes is an error.
    pub fn next(&mut self, most: impl Fn(bool) -> usize) -> Result<Option<Frame>> {
        if let Some(large) = self.large.take() {
            if large.filled < large.len {
                self.large = Some(large);
                return Ok(None);
            }
            return Ok(Some(frame(large.flags, large.body.into())));
        }
        let rest = &self.buf[self.at..];
        let Some(&flags) = rest.first() else { return Ok(None) };
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & (MORE | COMMAND) == MORE | COMMAND {
            return Err(garbage(format!("a frame with the flags {flags:#04x}")));
        }
        let (header, len) = if flags & LONG == 0 {
            match rest.get(1) {
                Some(len) => (2, u64::from(*len)),
                None => return Ok(None),
            }
        } else {
            match rest.get(1..9).and_then(|l| l.try_into().ok()) {
                Some(len) => (9, u64::from_be_bytes(len)),
                None => return Ok(None),
            }
        };
        let most = most(flags & COMMAND != 0);
        let len = usize::try_from(len).ok().filter(|len| *len <= most).ok_or_else(|| {
            Error::new(Code::TooLarge, format!("a frame of {len} bytes; the limit is {most}"))
        })?;
        let rest = &rest[header..];
        if rest.len() >= len {
            let body = Bytes::copy_from_slice(&rest[..len]);
            self.at += header + len;
            return Ok(Some(frame(flags, body)));
        }
        if len >= LARGE {
            let (mut body, filled) = (vec![0; len.min(RESERVE)], rest.len());
            body[..filled].copy_from_slice(rest);
            self.large = Some(Large { flags, len, body, filled });
            self.buf.clear();
            self.at = 0;
        }
        Ok(None)
    }
}

fn frame(flags: u8, body: Bytes) -> Frame {
    Frame { more: flags & MORE != 0, command: flags & COMMAND != 0, body }
}

/// Splits a command into its name and its data.
pub fn command(body: &[u8]) -> Result<(&[u8], &[u8])> {
    let split = body.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
    split.ok_or_else(|| garbage("a command that ends within its name"))
}

/// A command: its name and its data.
pub fn put_command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    body
}

/// Metadata: the type of a socket and the identity that it wishes to have.
pub fn put_metadata(socket_type: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in [("Socket-Type", socket_type), ("Identity", "")] {
        out.push(name.len() as u8);
        out.extend_from_slice(name.as_bytes());
        out.extend((value.len() as u32).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out
}

/// The value of `Socket-Type` in metadata.
pub fn socket_type(mut data: &[u8]) -> Result<String> {
    let mut found = None;
    let broken = || garbage("metadata that ends within a property");
    while let Some((len, rest)) = data.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*len)).ok_or_else(broken)?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(broken)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            found = Some(printable(value));
        }
        data = rest;
    }
    found.ok_or_else(|| garbage("the peer does not say what type of socket it is"))
}

/// Whether sockets of these types may talk to each other.
pub fn compatible(ours: &str, theirs: &str) -> bool {
    match ours {
        "REQ" => matches!(theirs, "REP" | "ROUTER"),
        "REP" => matches!(theirs, "REQ" | "DEALER"),
        "DEALER" => matches!(theirs, "REP" | "DEALER" | "ROUTER"),
        "ROUTER" => matches!(theirs, "REQ" | "DEALER" | "ROUTER"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], step: usize) -> Result<Vec<(bool, bool, Vec<u8>)>> {
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        let mut left = bytes;
        let mut scratch = vec![0; step];
        while !left.is_empty() {
            let (n, _) = decoder.read(&mut left, &mut scratch).expect("a slice is read");
            assert!(n > 0);
            while let Some(f) = decoder.next(|_| 1 << 20)? {
                found.push((f.more, f.command, f.body.to_vec()));
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let lengths = [0, 1, 255, 256, 4097, LARGE - 1, LARGE, 100_000];
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (i, len) in lengths.into_iter().enumerate() {
            let body: Vec<u8> = (0..len).map(|k| (k * 7 + i) as u8).collect();
            put_header(&mut wire, i % 2 == 0, i == 3, len);
            wire.extend_from_slice(&body);
            expected.push((i % 2 == 0, i == 3, body));
        }
        for step in [1, 2, 3, 64, 1000, 65536, 1 << 20] {
            assert_eq!(decode(&wire, step).expect("well-formed"), expected, "{step}");
        }
    }

    #[test]
    fn reads_that_always_end_within_a_header_gather_nothing() {
        let mut decoder = Decoder::default();
        // Empty frames, of two bytes; the first byte makes every read end with half of one.
        decoder.push(&[0]);
        for _ in 0..100 {
            decoder.push(&[0; 1000]);
            while decoder.next(|_| 10).expect("well-formed").is_some() {}
        }
        assert!(decoder.buf.len() < 2000, "{} bytes are kept", decoder.buf.len());
    }

    #[test]
    fn hostile_headers_are_refused_before_anything_is_reserved() {
        assert_eq!(decode(&[2, 0, 0, 0, 0, 0, 0x10, 0, 1], 9).expect_err("2^20 + 1").code, Code::TooLarge);
        assert_eq!(
            decode(&[2, 255, 255, 255, 255, 255, 255, 255, 255], 9).expect_err("2^64").code,
            Code::TooLarge
        );
        assert_eq!(decode(&[8, 0], 2).expect_err("a reserved flag").code, Code::Parse);
        assert_eq!(decode(&[5, 0], 2).expect_err("a command with more").code, Code::Parse);
        assert!(decode(&[2, 0, 0, 0, 0, 0, 0x0F, 0, 0], 9).expect("allowed").is_empty());
    }

    #[test]
    fn metadata_is_read_back_and_never_past_its_end() {
        let data = put_metadata("ROUTER");
        assert_eq!(socket_type(&data).expect("ours"), "ROUTER");
        for cut in 0..data.len() {
            // Cut between the properties, what is left is whole.
            if cut != 1 + 11 + 4 + 6 {
                assert!(socket_type(&data[..cut]).is_err(), "{cut}");
            }
        }
        assert!(socket_type(b"\x0bSocket-Type\xff\xff\xff\xffx").is_err());
        assert!(command(b"").is_err() && command(b"\x09READY").is_err());
        assert_eq!(command(b"\x05READYxy").expect("well-formed"), (&b"READY"[..], &b"xy"[..]));
    }

    #[test]
    fn a_greeting_is_checked() {
        let g = greeting(Mechanism::Curve, true);
        assert!(check_greeting(&g, Mechanism::Curve).is_ok());
        let e = check_greeting(&g, Mechanism::Null).expect_err("another mechanism");
        assert_eq!(e.message, "the peer's security is CURVE, ours NULL");
        assert!(check_greeting(&[b'G'; GREETING], Mechanism::Null).is_err());
    }
}
