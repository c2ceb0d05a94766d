//! Enclosures of the derivative over an interval `x`, given the range `y` of the function there.
//!
//! `None` where it is unbounded or not enclosed; callers then do without. At a kink (`abs`, `relu`)
//! the enclosure covers the slopes of both sides, which is what a mean-value form needs.

use super::arithmetic::{Arithmetic, Jet};
use super::functions::Function;
use crate::ball::{Ball, Bits, Dyadic, FloatInterval};

/// The derivative of a function of the table, over intervals and over jets.
pub(super) struct Derivative {
    pub(super) interval: fn(&FloatInterval, &FloatInterval, Bits) -> Option<FloatInterval>,
    pub(super) jet: fn(&Jet, &Jet, Bits) -> Option<Jet>,
}

/// The [`Derivative`] made of a function of [`derivatives`](super::derivatives).
macro_rules! derivative {
    ($f:ident) => {
        derivatives::Derivative { interval: derivatives::$f, jet: derivatives::$f }
    };
}
pub(super) use derivative;

/// Another function of the table.
fn call<N: Arithmetic>(name: &str, x: &N, bits: Bits) -> Option<N> {
    let f = Function::find(name).ok()?;
    let range = f.range_on(x.value(), bits).ok()?;
    Some(N::chain(x, range, |y| (f.derivative.interval)(x.value(), y, bits), bits))
}

fn constant<N: Arithmetic>(ball: Ball, bits: Bits) -> Option<N> {
    FloatInterval::from_ball(&ball, bits).map(N::constant)
}

fn reciprocal<N: Arithmetic>(x: &N, bits: Bits) -> Option<N> {
    N::integer(1).div(x, bits)
}

fn square<N: Arithmetic>(x: &N, bits: Bits) -> Option<N> {
    x.power(2, bits)
}

fn times<N: Arithmetic>(x: Option<N>, y: Option<N>, bits: Bits) -> Option<N> {
    x?.mul(&y?, bits)
}

fn negated<N: Arithmetic>(x: Option<N>) -> Option<N> {
    Some(x?.neg())
}

pub(super) fn none<N: Arithmetic>(_: &N, _: &N, _: Bits) -> Option<N> {
    None
}

pub(super) fn exp<N: Arithmetic>(_: &N, y: &N, _: Bits) -> Option<N> {
    Some(y.clone())
}

pub(super) fn exp2<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    times(Some(y.clone()), constant(Ball::from(2).log(bits), bits), bits)
}

pub(super) fn exp10<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    times(Some(y.clone()), constant(Ball::from(10).log(bits), bits), bits)
}

pub(super) fn expm1<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    y.add(&N::integer(1), bits)
}

pub(super) fn log<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(x, bits)
}

pub(super) fn log1p<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&x.add(&N::integer(1), bits)?, bits)
}

pub(super) fn log2<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&x.mul(&constant(Ball::from(2).log(bits), bits)?, bits)?, bits)
}

pub(super) fn log10<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&x.mul(&constant(Ball::from(10).log(bits), bits)?, bits)?, bits)
}

pub(super) fn sqrt<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    reciprocal(&y.mul(&N::integer(2), bits)?, bits)
}

pub(super) fn cbrt<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    reciprocal(&square(y, bits)?.mul(&N::integer(3), bits)?, bits)
}

pub(super) fn sqr<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    x.mul(&N::integer(2), bits)
}

pub(super) fn inv<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    negated(square(y, bits))
}

/// The slopes of a function that has slope `left` below 0 and `right` above it.
pub(super) fn kink<N: Arithmetic>(x: &N, left: i64, right: i64) -> Option<N> {
    let slope = FloatInterval::integer;
    Some(if x.value().lo.sign() > 0 {
        N::constant(slope(right))
    } else if x.value().hi.sign() < 0 {
        N::constant(slope(left))
    } else {
        N::undecided(slope(left).hull(&slope(right)))
    })
}

pub(super) fn abs<N: Arithmetic>(x: &N, _: &N, _: Bits) -> Option<N> {
    kink(x, -1, 1)
}

pub(super) fn relu<N: Arithmetic>(x: &N, _: &N, _: Bits) -> Option<N> {
    kink(x, 0, 1)
}

pub(super) fn neg<N: Arithmetic>(_: &N, _: &N, _: Bits) -> Option<N> {
    Some(N::integer(-1))
}

pub(super) fn sin<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("cos", x, bits)
}

pub(super) fn cos<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    negated(call("sin", x, bits))
}

pub(super) fn tan<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    square(y, bits)?.add(&N::integer(1), bits)
}

pub(super) fn cot<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    negated(tan(x, y, bits))
}

pub(super) fn sec<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    times(Some(y.clone()), call("tan", x, bits), bits)
}

pub(super) fn csc<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    negated(times(Some(y.clone()), call("cot", x, bits), bits))
}

/// `1/sqrt(1 - x^2)`.
pub(super) fn asin<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&call("sqrt", &N::integer(1).sub(&square(x, bits)?, bits)?, bits)?, bits)
}

pub(super) fn acos<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    negated(asin(x, y, bits))
}

pub(super) fn atan<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&square(x, bits)?.add(&N::integer(1), bits)?, bits)
}

/// `(cos(x) - sinc(x))/x` away from 0; everywhere at most 1/2 in absolute value.
pub(super) fn sinc<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    let half = Dyadic::from(1).halved(1);
    let everywhere = FloatInterval::new(-&half, half)?;
    let quotient = || call("cos", x, bits)?.sub(y, bits)?.div(x, bits);
    Some(quotient().and_then(|d| d.within(&everywhere)).unwrap_or_else(|| N::undecided(everywhere)))
}

pub(super) fn sinh<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("cosh", x, bits)
}

pub(super) fn cosh<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("sinh", x, bits)
}

/// `1 - y^2`.
pub(super) fn tanh<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    N::integer(1).sub(&square(y, bits)?, bits)
}

pub(super) fn asinh<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&call("sqrt", &square(x, bits)?.add(&N::integer(1), bits)?, bits)?, bits)
}

pub(super) fn acosh<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&call("sqrt", &square(x, bits)?.sub(&N::integer(1), bits)?, bits)?, bits)
}

pub(super) fn atanh<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    reciprocal(&N::integer(1).sub(&square(x, bits)?, bits)?, bits)
}

/// `y(1 - y) = 1/4 - (y - 1/2)^2`.
pub(super) fn sigmoid<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    let fraction = |k| FloatInterval::point(Dyadic::from(1).halved(k)).map(N::constant);
    fraction(2)?.sub(&square(&y.sub(&fraction(1)?, bits)?, bits)?, bits)
}

pub(super) fn softplus<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("sigmoid", x, bits)
}

/// `s + x·s(1 - s)` with the sigmoid `s`.
pub(super) fn silu<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    let s = call("sigmoid", x, bits)?;
    s.add(&x.mul(&sigmoid(x, &s, bits)?, bits)?, bits)
}

/// `Φ(x) + xφ(x)`.
pub(super) fn gelu<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    let root = constant(Ball::from(2).sqrt(bits), bits)?;
    let cumulative = call("erfc", &x.neg().div(&root, bits)?, bits)?;
    let density = call("exp", &square(x, bits)?.div(&N::integer(-2), bits)?, bits)?;
    let scale = constant(Ball::from(2).div(&Ball::pi(bits), bits).sqrt(bits), bits)?;
    let twice = cumulative.add(&x.mul(&density, bits)?.mul(&scale, bits)?, bits)?;
    twice.div(&N::integer(2), bits)
}

pub(super) fn gamma<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    times(Some(y.clone()), call("digamma", x, bits), bits)
}

pub(super) fn rgamma<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    negated(gamma(x, y, bits))
}

pub(super) fn lgamma<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("digamma", x, bits)
}

/// `(2/√π)·e^(sign·x^2)`.
fn gaussian<N: Arithmetic>(x: &N, sign: i64, bits: Bits) -> Option<N> {
    let scale = Ball::from(2).div(&Ball::pi(bits).sqrt(bits), bits);
    let exponent = square(x, bits)?.mul(&N::integer(sign), bits)?;
    times(call("exp", &exponent, bits), constant(scale, bits), bits)
}

pub(super) fn erf<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    gaussian(x, -1, bits)
}

pub(super) fn erfc<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    negated(gaussian(x, -1, bits))
}

pub(super) fn erfi<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    gaussian(x, 1, bits)
}

/// `e^-y/(1 + y)`.
pub(super) fn lambertw<N: Arithmetic>(_: &N, y: &N, bits: Bits) -> Option<N> {
    call("exp", &y.neg(), bits)?.div(&y.add(&N::integer(1), bits)?, bits)
}

pub(super) fn besselj0<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    negated(call("besselj1", x, bits))
}

/// `J0(x) - J1(x)/x` away from 0; everywhere at most 1 in absolute value, being `(J0 - J2)/2`.
pub(super) fn besselj1<N: Arithmetic>(x: &N, y: &N, bits: Bits) -> Option<N> {
    let everywhere = FloatInterval::new(Dyadic::from(-1), Dyadic::from(1))?;
    let formula = || call("besselj0", x, bits)?.sub(&y.div(x, bits)?, bits);
    Some(formula().and_then(|d| d.within(&everywhere)).unwrap_or_else(|| N::undecided(everywhere)))
}

/// `-log(1 - x)/x`.
pub(super) fn dilog<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    negated(call("log1p", &x.neg(), bits))?.div(x, bits)
}

pub(super) fn ei<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("exp", x, bits)?.div(x, bits)
}

pub(super) fn si<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("sinc", x, bits)
}

pub(super) fn ci<N: Arithmetic>(x: &N, _: &N, bits: Bits) -> Option<N> {
    call("cos", x, bits)?.div(x, bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::{Integer, Rational};
    use crate::oracle::functions::FUNCTIONS;

    const BITS: Bits = 128;

    /// `(f'(q), f''(q))` by central differences with steps of 2^-80 at 512 bits: to about 40 digits.
    fn differences(f: &Function, q: &Rational) -> Option<(f64, f64)> {
        const FINE: Bits = 512;
        let step = Dyadic::from(1).halved(80).to_rational()?;
        let at = |q: Rational| (f.eval)(&Ball::from_rational(&q, FINE), FINE);
        let (left, middle, right) = (at(q - &step), at(q.clone()), at(q + &step));
        let first = right.sub(&left, FINE).mul_2exp(79);
        let second = right.add(&left, FINE).sub(&middle.mul_2exp(1), FINE).mul_2exp(160);
        (first.is_finite() && second.is_finite()).then(|| (first.midpoint_f64(), second.midpoint_f64()))
    }

    /// The enclosures of both derivatives on intervals contain the slopes of secants inside, and on thin
    /// ones hardly more.
    #[test]
    fn derivatives_contain_the_differences() {
        let mut compared = 0;
        for f in FUNCTIONS {
            for (num, widen) in
                [(-37, 0), (-11, 1), (-3, 0), (-1, 1), (1, 0), (3, 1), (7, 0), (9, 1), (23, 0), (61, 1)]
            {
                let q = Rational::from_parts(&Integer::from(num), &Integer::from(16)).unwrap();
                let end = &q + &Rational::from_parts(&Integer::from(widen), &Integer::from(8)).unwrap();
                let x = FloatInterval::enclosing(&q, &end, BITS).unwrap();
                let Ok(y) = f.range_on(&x, BITS) else { continue };
                let jet =
                    |v: &FloatInterval, slope: FloatInterval| Jet { value: v.clone(), slope: Some(slope) };
                let Some(first) = (f.derivative.interval)(&x, &y, BITS) else { continue };
                let jets =
                    (f.derivative.jet)(&jet(&x, FloatInterval::integer(1)), &jet(&y, first.clone()), BITS);
                let second = jets.and_then(|d| d.slope);
                for part in 0..=widen * 4 {
                    let inside =
                        &q + &Rational::from_parts(&Integer::from(part), &Integer::from(32)).unwrap();
                    let Some((slope, curvature)) = differences(f, &inside) else { continue };
                    let check = |enclosure: &FloatInterval, truth: f64, what: &str| {
                        let (lo, hi) = (enclosure.lo.to_f64(), enclosure.hi.to_f64());
                        let slack = 1e-12 * (1.0 + truth.abs());
                        assert!(
                            lo - slack <= truth && truth <= hi + slack,
                            "{} {what} at {num}/16: {truth} not in [{lo}, {hi}]",
                            f.name
                        );
                        let kink = what == "slope" && (f.name == "abs" || f.name == "relu");
                        assert!(
                            widen == 1 || kink || hi - lo <= 1e-9 * (1.0 + truth.abs()),
                            "{} {what} at {num}/16: [{lo}, {hi}] is wide",
                            f.name
                        );
                    };
                    check(&first, slope, "slope");
                    if let Some(second) = &second {
                        check(second, curvature, "curvature");
                    }
                    compared += 1;
                }
            }
        }
        assert!(compared > 500, "only {compared} comparisons");
    }
}
