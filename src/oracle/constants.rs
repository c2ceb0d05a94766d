//! Named constants, to any precision.

use crate::ball::{Ball, Bits};

/// The enclosing routine of the constant called `name`.
pub(super) fn constant(name: &str) -> Option<fn(Bits) -> Ball> {
    Some(match name {
        "pi" => Ball::pi,
        "e" => |bits| Ball::from(1).exp(bits),
        "golden" => |bits| Ball::from(5).sqrt(bits + 4).add(&Ball::from(1), bits).mul_2exp(-1),
        _ => return None,
    })
}
