//! What expressions are computed with: intervals, and first-order jets over them.
//!
//! Derivatives and evaluation are written once over [`Arithmetic`]. On intervals they give ranges and
//! slopes; on jets, the slopes of those: from gradients, columns of the Hessian. (Griewank and Walther,
//! Evaluating Derivatives, SIAM 2008, chapter 5: forward over reverse.)

use super::functions::Function;
use crate::ball::{Bits, FloatInterval};

/// Sets of reals that can be computed with, rounding outward. Operations are `None` where the result is
/// empty, unbounded or undefined somewhere.
pub(super) trait Arithmetic: Clone {
    /// Numbers that do not depend on the variables.
    fn constant(value: FloatInterval) -> Self;
    /// Values that depend on the variables in an unknown way: at a kink or a jump.
    fn undecided(value: FloatInterval) -> Self;
    /// The values.
    fn value(&self) -> &FloatInterval;
    /// `f(x)` with the range `value` and the slopes `slope` of `f` on `x`.
    fn chain(
        x: &Self,
        value: FloatInterval,
        slope: impl FnOnce(&FloatInterval) -> Option<FloatInterval>,
        bits: Bits,
    ) -> Self;
    /// The derivative of `f` on `x`, where its range is `y`.
    fn derivative(f: &Function, x: &Self, y: &Self, bits: Bits) -> Option<Self>;
    /// The same values, known to lie in `bound` too.
    fn within(self, bound: &FloatInterval) -> Option<Self>;
    /// The negatives.
    fn neg(&self) -> Self;
    /// The sums.
    fn add(&self, other: &Self, bits: Bits) -> Option<Self>;
    /// The products.
    fn mul(&self, other: &Self, bits: Bits) -> Option<Self>;
    /// The quotients.
    fn div(&self, other: &Self, bits: Bits) -> Option<Self>;
    /// The differences.
    fn sub(&self, other: &Self, bits: Bits) -> Option<Self> {
        self.add(&other.neg(), bits)
    }

    /// The integer `v`.
    fn integer(v: i64) -> Self {
        Self::constant(FloatInterval::integer(v))
    }

    /// The powers with an integer exponent.
    fn power(&self, n: i64, bits: Bits) -> Option<Self> {
        let x = self.value();
        let value = integer_power(x, n, bits)?;
        let slope = |_: &FloatInterval| match n {
            0 => Some(FloatInterval::integer(0)),
            _ => integer_power(x, n - 1, bits)?.mul(&FloatInterval::integer(n), bits),
        };
        Some(Self::chain(self, value, slope, bits))
    }

    /// The lesser of each pair.
    fn min(&self, other: &Self) -> Self {
        let (x, y) = (self.value(), other.value());
        if x.hi < y.lo {
            self.clone()
        } else if y.hi < x.lo {
            other.clone()
        } else {
            Self::undecided(x.min(y))
        }
    }

    /// The greater of each pair.
    fn max(&self, other: &Self) -> Self {
        self.neg().min(&other.neg()).neg()
    }
}

fn integer_power(x: &FloatInterval, n: i64, bits: Bits) -> Option<FloatInterval> {
    let magnitude = x.pow(n.unsigned_abs(), bits)?;
    if n >= 0 { Some(magnitude) } else { FloatInterval::integer(1).div(&magnitude, bits) }
}

impl Arithmetic for FloatInterval {
    fn constant(value: FloatInterval) -> Self {
        value
    }

    fn undecided(value: FloatInterval) -> Self {
        value
    }

    fn value(&self) -> &FloatInterval {
        self
    }

    fn chain(
        _: &Self,
        value: FloatInterval,
        _: impl FnOnce(&FloatInterval) -> Option<FloatInterval>,
        _: Bits,
    ) -> Self {
        value
    }

    fn derivative(f: &Function, x: &Self, y: &Self, bits: Bits) -> Option<Self> {
        (f.derivative.interval)(x, y, bits)
    }

    fn within(self, bound: &FloatInterval) -> Option<Self> {
        self.intersection(bound)
    }

    fn neg(&self) -> Self {
        FloatInterval::neg(self)
    }

    fn add(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::add(self, other, bits)
    }

    fn sub(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::sub(self, other, bits)
    }

    fn mul(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::mul(self, other, bits)
    }

    fn div(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::div(self, other, bits)
    }
}

/// Values, and slopes with respect to one variable.
#[derive(Clone, Debug)]
pub(super) struct Jet {
    /// The values.
    pub(super) value: FloatInterval,
    /// The slopes; `None` where they are not enclosed.
    pub(super) slope: Option<FloatInterval>,
}

impl Arithmetic for Jet {
    fn constant(value: FloatInterval) -> Self {
        Jet { value, slope: Some(FloatInterval::integer(0)) }
    }

    fn undecided(value: FloatInterval) -> Self {
        Jet { value, slope: None }
    }

    fn value(&self) -> &FloatInterval {
        &self.value
    }

    fn chain(
        x: &Self,
        value: FloatInterval,
        slope: impl FnOnce(&FloatInterval) -> Option<FloatInterval>,
        bits: Bits,
    ) -> Self {
        let slope = match &x.slope {
            // A constant needs no slope, which `f` may not have there.
            Some(inner) if inner.is_point() && inner.lo.is_zero() => Some(inner.clone()),
            Some(inner) => slope(&value).and_then(|outer| outer.mul(inner, bits)),
            None => None,
        };
        Jet { value, slope }
    }

    fn derivative(f: &Function, x: &Self, y: &Self, bits: Bits) -> Option<Self> {
        (f.derivative.jet)(x, y, bits)
    }

    fn within(self, bound: &FloatInterval) -> Option<Self> {
        Some(Jet { value: self.value.intersection(bound)?, slope: self.slope })
    }

    fn neg(&self) -> Self {
        Jet { value: self.value.neg(), slope: self.slope.as_ref().map(FloatInterval::neg) }
    }

    fn add(&self, other: &Self, bits: Bits) -> Option<Self> {
        let slope = || self.slope.as_ref()?.add(other.slope.as_ref()?, bits);
        Some(Jet { value: self.value.add(&other.value, bits)?, slope: slope() })
    }

    fn mul(&self, other: &Self, bits: Bits) -> Option<Self> {
        let slope = || {
            let (x, y) = (self.slope.as_ref()?, other.slope.as_ref()?);
            x.mul(&other.value, bits)?.add(&self.value.mul(y, bits)?, bits)
        };
        Some(Jet { value: self.value.mul(&other.value, bits)?, slope: slope() })
    }

    fn div(&self, other: &Self, bits: Bits) -> Option<Self> {
        let value = self.value.div(&other.value, bits)?;
        let slope = || {
            let (x, y) = (self.slope.as_ref()?, other.slope.as_ref()?);
            x.sub(&value.mul(y, bits)?, bits)?.div(&other.value, bits)
        };
        Some(Jet { slope: slope(), value })
    }
}
