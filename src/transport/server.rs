//! What a broker and a worker have in common: which connections may ask how often, and how what they ask
//! is answered when it is not passed on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hub::Peer;
use super::legacy;
use super::message::{Incoming, Reply, correlation_id};
use super::zmtp::Message;
use crate::error::{Code, Error};

/// How many requests a peer may make.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: f64,
    /// Requests at once.
    pub burst: f64,
}

/// Counts the requests of each peer. A peer is the owner of a key on our list, or else an address (of IPv6
/// the first 64 bits, since one machine has all of them); processes on this machine that come through a Unix
/// socket are one peer.
#[derive(Debug)]
pub struct Gate {
    rate: Option<Rate>,
    /// What each peer has left, and since when.
    left: HashMap<Peer, (f64, Instant)>,
}

impl Gate {
    /// Lets everybody in when there is no rate.
    pub fn new(rate: Option<Rate>) -> Self {
        Gate { rate, left: HashMap::new() }
    }

    /// Whether `peer` may ask now. Asking uses up one request.
    pub fn admits(&mut self, peer: &Peer, now: Instant) -> bool {
        let Some(Rate { per_second, burst }) = self.rate else { return true };
        // Who has been quiet long enough is as good as new.
        let idle = Duration::from_secs_f64((burst / per_second).clamp(1.0, 1e6));
        if self.left.len() > 10_000 {
            self.left.retain(|_, (_, since)| now.duration_since(*since) < idle);
        }
        let peer = match peer {
            Peer::Address(IpAddr::V6(a)) => {
                let network =
                    a.to_ipv4_mapped().map_or((a.to_bits() >> 64 << 64).into(), |a| a.to_ipv6_mapped());
                Peer::Address(IpAddr::V6(network))
            }
            _ => peer.clone(),
        };
        let (left, since) = self.left.entry(peer).or_insert((burst, now));
        *left = (*left + now.duration_since(*since).as_secs_f64() * per_second).min(burst);
        *since = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

/// The frames that refuse a request, for a client of either kind.
pub fn refusal(incoming: &Incoming, e: &Error) -> Message {
    let frames = match incoming.is_legacy() {
        true => vec![legacy::refuse(&incoming.frames, e).into()],
        false => Reply::error(correlation_id(&incoming.frames), e).frames(),
    };
    incoming.answer(frames)
}

/// The bytes of a message.
pub fn size(frames: &[Bytes]) -> usize {
    frames.iter().map(Bytes::len).sum()
}

/// Whether a request of `new` bytes is too much beside what is `waiting`, which is counted for large ones
/// only: of the others a queue holds a bounded number.
pub fn is_full(new: usize, limit: usize, waiting: impl Fn() -> usize) -> bool {
    new > 64 << 10 && new.saturating_add(waiting()) > limit
}

/// Whether this is the question of the reference system whether somebody is there.
pub fn is_heartbeat(incoming: &Incoming) -> bool {
    incoming.is_legacy() && incoming.frames.last().is_some_and(|f| f.trim_ascii() == b"\"HEARTBEAT\"")
}

/// Answers a message of the reference system.
pub fn answer_legacy(incoming: &Incoming) -> Message {
    let id = (incoming.frames.len() > 1).then(|| &*incoming.frames[0]);
    let json = incoming.frames.last().map_or(&[][..], |json| json);
    incoming.answer(vec![Bytes::from(legacy::answer(json, id))])
}

/// The refusal of who asks too often.
pub fn too_often() -> Error {
    Error::new(Code::Busy, "too many requests from you; ask again later")
}

/// The commands of the Paranoid Pirate protocol, single bytes in the first frame between a broker and its
/// workers.
pub mod pirate {
    use std::time::Duration;

    /// A worker is ready. A second frame may be JSON, `{"ops": [name, …]}`: what it can do; without it,
    /// anything.
    pub const READY: &[u8] = b"\x01";
    /// Sent in both directions.
    pub const HEARTBEAT: &[u8] = b"\x02";
    /// A broker to a worker: forget the request whose number is the next frame.
    pub const CANCEL: &[u8] = b"\x03";
    /// Silence of so many intervals is death.
    pub const LIVENESS: u32 = 3;
    /// The first pause before a worker connects again; it doubles.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
    /// The longest.
    pub const LAST_PAUSE: Duration = Duration::from_secs(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_may_ask_as_often_as_the_rate_says() {
        let mut gate = Gate::new(Some(Rate { per_second: 10.0, burst: 3.0 }));
        let other = Peer::Address([127, 0, 0, 1].into());
        let start = Instant::now();
        let count = |gate: &mut Gate, t: f64| {
            let now = start + Duration::from_secs_f64(t);
            (0..10).filter(|_| gate.admits(&Peer::Local, now)).count()
        };
        assert_eq!(count(&mut gate, 0.0), 3);
        assert_eq!(count(&mut gate, 0.2001), 2);
        assert_eq!(count(&mut gate, 100.0), 3);
        assert!(gate.admits(&other, start));
        // One machine has as many addresses of IPv6 as it likes; two of IPv4 are two.
        let mut count = |address: &dyn Fn(u16) -> IpAddr| {
            (0..10).filter(|n| gate.admits(&Peer::Address(address(*n)), start)).count()
        };
        assert_eq!(count(&|n| [0x2001, 0xdb8, 0, 7, n, 0, 0, 1].into()), 3);
        assert_eq!(count(&|n| [0, 0, 0, 0, 0, 0xffff, 0x0a00, n].into()), 10);
    }
}
