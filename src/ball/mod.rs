//! Numbers: exact input, full-precision intervals, and outward rounding.
//!
//! * [`flint`]: safe handles on FLINT's integers, fractions, dyadics and balls.
//! * [`linear`]: the same for matrices, complex balls and integer polynomials; named constants.
//! * [`complex`]: functions of complex balls, and quadrature.
//! * [`Interval`]: a closed interval whose two endpoints are exact rationals, read from text that is
//!   never rounded on the way in.
//! * [`FloatInterval`]: an interval between two dyadic numbers, for calculating with.
//! * [`Enclosure`]: what is proved about one real number, such as an end of a range.
//! * [`MidRad10Exp`]: the answer, an integer ball `[(mid - rad)·10^exp, (mid + rad)·10^exp]`, made by
//!   rounding both ends outward.
//!
//! Why two endpoints and not one Arb ball: an Arb radius has 30 bits, so a wide ball always carries a
//! relative slack near 10^-9. Two endpoints carry none.

pub mod complex;
pub mod flint;
mod float_interval;
mod interval;
pub mod linear;
mod outward;

pub use flint::{Ball, Bits, Dyadic, Integer, Rational};
pub use float_interval::FloatInterval;
pub use interval::Interval;
pub use outward::{Bounds, Decimal, DecimalInterval, Direction, Enclosure, MidRad10Exp, Number};

/// The default limit on the absolute value of any power of ten in a question or an answer.
///
/// A consumer that turns `m·10^e` into an exact rational writes out `|e|` digits, so an unlimited
/// exponent would let a one-line answer hang it.
pub const DEFAULT_EXP_LIMIT: u32 = 1_000_000;
