//! Bounds of a function's value at a rational point that hold whatever the working precision.
//!
//! Ball arithmetic at 200 bits cannot tell `tanh(1000)` from 1, nor `sin(1e-100000)` from its argument;
//! an inequality that everybody knows can. Hints are used only when a plain evaluation is not tight.

use std::cmp::Ordering;

use crate::ball::{Bounds, Integer, Number, Rational};

/// The hints gathered for one value `v`.
#[derive(Default)]
pub(super) struct Hints {
    lower: Vec<(Rational, bool)>,
    upper: Vec<(Rational, bool)>,
}

/// Whether `0 < |q| < 1/2`.
pub(super) fn small(q: &Rational) -> bool {
    !q.is_zero() && q.magnitude() <= -2
}

/// 1/2.
pub(super) fn one_half() -> Rational {
    Rational::from_decimal(&Integer::from(5), -1)
}

/// `x·g(x)` with a gate `g` rising from 0 over `g(0) = 1/2` to 1 whose slope at 0 is positive:
/// silu and gelu. Both lie above `x/2` except at 0, below `x` for `x > 0`, below 0 for `x < 0`.
pub(super) fn gate(q: &Rational, h: &mut Hints) {
    match q.sign() {
        1 => h.less(q.clone(), true),
        -1 => h.less(Rational::new(), true),
        _ => return,
    }
    h.greater(q * &one_half(), true);
}

/// Zeta for `0 < |q| < 1/16`: it falls through -1/2 at 0, with slopes between -1 and 0 left of it and
/// between -2 and -1/2 right of it. (FLINT's functional equation has a pole to cancel there.)
pub(super) fn zeta_near_zero(q: &Rational, h: &mut Hints) {
    let at_zero = -&one_half();
    match q.sign() {
        1 => {
            h.less(at_zero.clone(), true);
            h.greater(&at_zero - &(q + q), true);
        }
        -1 => {
            h.greater(at_zero.clone(), true);
            h.less(&at_zero - q, true);
        }
        _ => {}
    }
}

impl Hints {
    /// `v > bound`, or `v ≥ bound` unless `strict`.
    pub(super) fn greater(&mut self, bound: Rational, strict: bool) {
        self.lower.push((bound, strict));
    }

    /// `v < bound`, or `v ≤ bound` unless `strict`.
    pub(super) fn less(&mut self, bound: Rational, strict: bool) {
        self.upper.push((bound, strict));
    }

    /// `v > 0`.
    pub(super) fn positive(&mut self) {
        self.above(0);
    }

    /// `v > bound`.
    pub(super) fn above(&mut self, bound: i64) {
        self.greater(Rational::from(bound), true);
    }

    /// `v < bound`.
    pub(super) fn below(&mut self, bound: i64) {
        self.less(Rational::from(bound), true);
    }

    /// `-1 ≤ v ≤ 1`.
    pub(super) fn within_one(&mut self) {
        self.greater(Rational::from(-1), false);
        self.less(Rational::from(1), false);
    }

    /// The function rises strictly and takes `value` at `point`.
    pub(super) fn rising_through(&mut self, q: &Rational, point: i64, value: i64) {
        match q.cmp_int(point) {
            Ordering::Greater => self.above(value),
            Ordering::Less => self.below(value),
            Ordering::Equal => {}
        }
    }

    /// `v > q`, unless `q = 0`.
    pub(super) fn above_identity(&mut self, q: &Rational) {
        if !q.is_zero() {
            self.greater(q.clone(), true);
        }
    }

    /// `v < q`, unless `q = 0`.
    pub(super) fn below_identity(&mut self, q: &Rational) {
        if !q.is_zero() {
            self.less(q.clone(), true);
        }
    }

    /// `v < q - 1`, unless `q = 1`.
    pub(super) fn below_identity_minus_one(&mut self, q: &Rational) {
        self.below_identity(&(q - &Rational::from(1)));
    }

    /// `v` has the sign of `q` and `|v| < |q|`, unless `q = 0`.
    pub(super) fn smaller_than_identity(&mut self, q: &Rational) {
        match q.sign() {
            1 => self.less(q.clone(), true),
            -1 => self.greater(q.clone(), true),
            _ => {}
        }
    }

    /// `v` has the sign of `q` and `|v| > |q|`, unless `q = 0`.
    pub(super) fn larger_than_identity(&mut self, q: &Rational) {
        match q.sign() {
            1 => self.greater(q.clone(), true),
            -1 => self.less(q.clone(), true),
            _ => {}
        }
    }

    /// `v` has the sign of `q` and `|v| < 1/|q|`, unless `q = 0`.
    pub(super) fn smaller_than_reciprocal(&mut self, q: &Rational) {
        if let Some(inverse) = q.recip() {
            self.smaller_than_identity(&inverse);
        }
    }

    /// `v` has the sign of `q` and `|v| > 1/|q|`, unless `q = 0`.
    pub(super) fn larger_than_reciprocal(&mut self, q: &Rational) {
        if let Some(inverse) = q.recip() {
            self.larger_than_identity(&inverse);
        }
    }

    /// What the hints alone say of `v`, if they bound it on both sides.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        let (below, below_strict) = self.lower.first()?;
        let (above, above_strict) = self.upper.first()?;
        Some(Bounds {
            below: Number::Rational(below.clone()),
            above: Number::Rational(above.clone()),
            below_strict: *below_strict,
            above_strict: *above_strict,
        })
    }

    /// Narrows what is known of `v`.
    pub(super) fn narrow(self, v: &mut Bounds) {
        for (bound, strict) in self.lower {
            let bound = Number::Rational(bound);
            match bound.partial_cmp(&v.below) {
                Some(Ordering::Greater) => (v.below, v.below_strict) = (bound, strict),
                Some(Ordering::Equal) => v.below_strict |= strict,
                _ => {}
            }
        }
        for (bound, strict) in self.upper {
            let bound = Number::Rational(bound);
            match bound.partial_cmp(&v.above) {
                Some(Ordering::Less) => (v.above, v.above_strict) = (bound, strict),
                Some(Ordering::Equal) => v.above_strict |= strict,
                _ => {}
            }
        }
    }
}
