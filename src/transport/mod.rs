//! Questions and answers between processes: ZeroMQ sockets that survive their peers.
//!
//! * [`zmtp`], [`curve`], [`net`], [`hub`]: ZeroMQ's protocol, in safe Rust. See `docs/transport.md` for
//!   why there is no libzmq.
//! * [`message`], [`mod@format`], [`legacy`]: what is said. See `docs/wire.md`.
//! * [`client`]: asks, and asks again.
//! * [`worker`]: answers. [`broker`]: stands between many of both. [`server`]: what these two share.
//! * [`metrics`]: what is counted.

pub mod broker;
pub mod client;
pub mod curve;
pub mod format;
pub mod hub;
pub mod legacy;
pub mod message;
pub mod metrics;
pub mod net;
pub mod server;
pub mod worker;
pub mod zmtp;
