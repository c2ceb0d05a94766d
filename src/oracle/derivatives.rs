//! Enclosures of the derivative over an interval `x`, given the range `y` of the function there.
//!
//! `None` where it is unbounded or not enclosed; callers then do without. At a kink (`abs`, `relu`)
//! the enclosure covers the slopes of both sides, which is what a mean-value form needs.

use super::functions::Function;
use crate::ball::{Ball, Bits, Dyadic, FloatInterval};

/// The derivative of a function of the table.
pub(super) type Derivative = fn(&FloatInterval, &FloatInterval, Bits) -> Option<FloatInterval>;

fn one() -> FloatInterval {
    FloatInterval::integer(1)
}

/// The range of another function of the table.
fn call(name: &str, x: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    Function::find(name).ok()?.range_on(x, bits).ok()
}

fn constant(ball: Ball, bits: Bits) -> Option<FloatInterval> {
    FloatInterval::from_ball(&ball, bits)
}

fn reciprocal(x: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    one().div(x, bits)
}

fn square(x: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    x.pow(2, bits)
}

fn times(x: Option<FloatInterval>, y: Option<FloatInterval>, bits: Bits) -> Option<FloatInterval> {
    x?.mul(&y?, bits)
}

fn negated(x: Option<FloatInterval>) -> Option<FloatInterval> {
    Some(x?.neg())
}

pub(super) fn none(_: &FloatInterval, _: &FloatInterval, _: Bits) -> Option<FloatInterval> {
    None
}

pub(super) fn exp(_: &FloatInterval, y: &FloatInterval, _: Bits) -> Option<FloatInterval> {
    Some(y.clone())
}

pub(super) fn exp2(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    times(Some(y.clone()), constant(Ball::from(2).log(bits), bits), bits)
}

pub(super) fn exp10(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    times(Some(y.clone()), constant(Ball::from(10).log(bits), bits), bits)
}

pub(super) fn expm1(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    y.add(&one(), bits)
}

pub(super) fn log(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(x, bits)
}

pub(super) fn log1p(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&x.add(&one(), bits)?, bits)
}

pub(super) fn log2(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&x.mul(&constant(Ball::from(2).log(bits), bits)?, bits)?, bits)
}

pub(super) fn log10(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&x.mul(&constant(Ball::from(10).log(bits), bits)?, bits)?, bits)
}

pub(super) fn sqrt(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&y.mul(&FloatInterval::integer(2), bits)?, bits)
}

pub(super) fn cbrt(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&square(y, bits)?.mul(&FloatInterval::integer(3), bits)?, bits)
}

pub(super) fn sqr(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    x.mul(&FloatInterval::integer(2), bits)
}

pub(super) fn inv(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(square(y, bits))
}

/// The slopes of a function that has slope `left` below 0 and `right` above it.
pub(super) fn kink(x: &FloatInterval, left: i64, right: i64) -> Option<FloatInterval> {
    let slopes = (FloatInterval::integer(left), FloatInterval::integer(right));
    Some(if x.lo.sign() > 0 {
        slopes.1
    } else if x.hi.sign() < 0 {
        slopes.0
    } else {
        slopes.0.hull(&slopes.1)
    })
}

pub(super) fn abs(x: &FloatInterval, _: &FloatInterval, _: Bits) -> Option<FloatInterval> {
    kink(x, -1, 1)
}

pub(super) fn relu(x: &FloatInterval, _: &FloatInterval, _: Bits) -> Option<FloatInterval> {
    kink(x, 0, 1)
}

pub(super) fn neg(_: &FloatInterval, _: &FloatInterval, _: Bits) -> Option<FloatInterval> {
    Some(FloatInterval::integer(-1))
}

pub(super) fn sin(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("cos", x, bits)
}

pub(super) fn cos(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(call("sin", x, bits))
}

pub(super) fn tan(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    square(y, bits)?.add(&one(), bits)
}

pub(super) fn cot(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(tan(x, y, bits))
}

pub(super) fn sec(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    times(Some(y.clone()), call("tan", x, bits), bits)
}

pub(super) fn csc(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(times(Some(y.clone()), call("cot", x, bits), bits))
}

/// `1/sqrt(1 - x^2)`.
pub(super) fn asin(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&call("sqrt", &one().sub(&square(x, bits)?, bits)?, bits)?, bits)
}

pub(super) fn acos(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(asin(x, y, bits))
}

pub(super) fn atan(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&square(x, bits)?.add(&one(), bits)?, bits)
}

/// `(cos(x) - sinc(x))/x` away from 0; everywhere at most 1/2 in absolute value.
pub(super) fn sinc(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    let half = Dyadic::from(1).halved(1);
    let everywhere = FloatInterval::new(-&half, half)?;
    let quotient = || call("cos", x, bits)?.sub(y, bits)?.div(x, bits);
    Some(quotient().and_then(|d| d.intersection(&everywhere)).unwrap_or(everywhere))
}

pub(super) fn sinh(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("cosh", x, bits)
}

pub(super) fn cosh(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("sinh", x, bits)
}

/// `1 - y^2`.
pub(super) fn tanh(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    one().sub(&square(y, bits)?, bits)
}

pub(super) fn asinh(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&call("sqrt", &square(x, bits)?.add(&one(), bits)?, bits)?, bits)
}

pub(super) fn acosh(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&call("sqrt", &square(x, bits)?.sub(&one(), bits)?, bits)?, bits)
}

pub(super) fn atanh(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    reciprocal(&one().sub(&square(x, bits)?, bits)?, bits)
}

/// `y(1 - y) = 1/4 - (y - 1/2)^2`.
pub(super) fn sigmoid(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    let fraction = |k| FloatInterval::point(Dyadic::from(1).halved(k));
    fraction(2)?.sub(&square(&y.sub(&fraction(1)?, bits)?, bits)?, bits)
}

pub(super) fn softplus(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("sigmoid", x, bits)
}

/// `s + x·s(1 - s)` with the sigmoid `s`.
pub(super) fn silu(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    let s = call("sigmoid", x, bits)?;
    s.add(&x.mul(&sigmoid(x, &s, bits)?, bits)?, bits)
}

/// `Φ(x) + xφ(x)`.
pub(super) fn gelu(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    let root = constant(Ball::from(2).sqrt(bits), bits)?;
    let cumulative = call("erfc", &x.neg().div(&root, bits)?, bits)?;
    let density = call("exp", &square(x, bits)?.div(&FloatInterval::integer(-2), bits)?, bits)?;
    let scale = constant(Ball::from(2).div(&Ball::pi(bits), bits).sqrt(bits), bits)?;
    let twice = cumulative.add(&x.mul(&density, bits)?.mul(&scale, bits)?, bits)?;
    twice.div(&FloatInterval::integer(2), bits)
}

pub(super) fn gamma(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    times(Some(y.clone()), call("digamma", x, bits), bits)
}

pub(super) fn rgamma(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(gamma(x, y, bits))
}

pub(super) fn lgamma(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("digamma", x, bits)
}

/// `(2/√π)·e^(sign·x^2)`.
fn gaussian(x: &FloatInterval, sign: i64, bits: Bits) -> Option<FloatInterval> {
    let scale = Ball::from(2).div(&Ball::pi(bits).sqrt(bits), bits);
    let exponent = square(x, bits)?.mul(&FloatInterval::integer(sign), bits)?;
    times(call("exp", &exponent, bits), constant(scale, bits), bits)
}

pub(super) fn erf(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    gaussian(x, -1, bits)
}

pub(super) fn erfc(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(gaussian(x, -1, bits))
}

pub(super) fn erfi(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    gaussian(x, 1, bits)
}

/// `e^-y/(1 + y)`.
pub(super) fn lambertw(_: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("exp", &y.neg(), bits)?.div(&y.add(&one(), bits)?, bits)
}

pub(super) fn besselj0(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(call("besselj1", x, bits))
}

/// `J0(x) - J1(x)/x` away from 0; everywhere at most 1 in absolute value, being `(J0 - J2)/2`.
pub(super) fn besselj1(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    let everywhere = FloatInterval::new(Dyadic::from(-1), Dyadic::from(1))?;
    let formula = || call("besselj0", x, bits)?.sub(&y.div(x, bits)?, bits);
    Some(formula().and_then(|d| d.intersection(&everywhere)).unwrap_or(everywhere))
}

/// `-log(1 - x)/x`.
pub(super) fn dilog(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    negated(call("log1p", &x.neg(), bits))?.div(x, bits)
}

pub(super) fn ei(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("exp", x, bits)?.div(x, bits)
}

pub(super) fn si(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("sinc", x, bits)
}

pub(super) fn ci(x: &FloatInterval, _: &FloatInterval, bits: Bits) -> Option<FloatInterval> {
    call("cos", x, bits)?.div(x, bits)
}
