//! Questions and answers between processes: ZeroMQ sockets that survive their peers.
//!
//! * [`zmtp`], [`curve`], [`net`], [`hub`]: ZeroMQ's protocol, in safe Rust. See `docs/transport.md` for
//!   why there is no libzmq.

pub mod curve;
pub mod hub;
pub mod net;
pub mod zmtp;
