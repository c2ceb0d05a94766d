//! Intervals between two dyadic numbers, with outward rounding: the arithmetic of expressions.

use std::cmp::Ordering;

use super::flint::{Ball, Bits, Dyadic, Rational};

/// A closed interval of reals between two finite dyadic numbers, `lo ≤ hi`.
///
/// Unlike a [`Ball`] it keeps both ends at full precision. Every operation returns an interval that
/// contains `f(x, y)` for all `x`, `y` in the operands, rounding both ends outward to the bits given;
/// `None` where that set is empty, unbounded or undefined somewhere.
#[derive(Clone, Debug)]
pub struct FloatInterval {
    /// The lower end.
    pub lo: Dyadic,
    /// The upper end.
    pub hi: Dyadic,
}

impl FloatInterval {
    /// `[lo, hi]`; `None` unless both are finite and `lo ≤ hi`.
    pub fn new(lo: Dyadic, hi: Dyadic) -> Option<Self> {
        (lo.is_finite() && hi.is_finite() && lo <= hi).then_some(FloatInterval { lo, hi })
    }

    /// The point `[x, x]`; `None` unless finite.
    pub fn point(x: Dyadic) -> Option<Self> {
        FloatInterval::new(x.clone(), x)
    }

    /// The integer `v`.
    pub fn integer(v: i64) -> Self {
        FloatInterval { lo: Dyadic::from(v), hi: Dyadic::from(v) }
    }

    /// The smallest interval of `bits` bits around `[lo, hi]`.
    pub fn enclosing(lo: &Rational, hi: &Rational, bits: Bits) -> Option<Self> {
        let ball = |q| Ball::from_rational(q, bits + 8);
        FloatInterval::new(ball(lo).lower(bits), ball(hi).upper(bits))
    }

    /// The interval of a finite ball.
    pub fn from_ball(ball: &Ball, bits: Bits) -> Option<Self> {
        ball.is_finite().then(|| FloatInterval { lo: ball.lower(bits), hi: ball.upper(bits) })
    }

    /// Whether this is a single point.
    pub fn is_point(&self) -> bool {
        self.lo == self.hi
    }

    /// Whether 0 is inside.
    pub fn contains_zero(&self) -> bool {
        self.lo.sign() <= 0 && self.hi.sign() >= 0
    }

    /// 1 or -1 when every element has that sign, else 0.
    pub fn sign(&self) -> i32 {
        if self.lo.sign() > 0 {
            1
        } else if self.hi.sign() < 0 {
            -1
        } else {
            0
        }
    }

    /// An upper bound of the width.
    pub fn width(&self, bits: Bits) -> Dyadic {
        self.hi.sub(&self.lo, bits, true)
    }

    /// A dyadic number inside, near the middle.
    pub fn middle(&self, bits: Bits) -> Dyadic {
        let middle = self.lo.add(&self.hi, bits, false).halved(1);
        if middle < self.lo {
            self.lo.clone()
        } else if middle > self.hi {
            self.hi.clone()
        } else {
            middle
        }
    }

    /// The two halves; `None` when no number of `bits` bits lies strictly inside.
    pub fn split(&self, bits: Bits) -> Option<(Self, Self)> {
        let middle = self.middle(bits);
        if middle <= self.lo || middle >= self.hi {
            return None;
        }
        let left = FloatInterval { lo: self.lo.clone(), hi: middle.clone() };
        Some((left, FloatInterval { lo: middle, hi: self.hi.clone() }))
    }

    /// The least interval around both.
    pub fn hull(&self, other: &Self) -> Self {
        let lo = if other.lo < self.lo { &other.lo } else { &self.lo };
        let hi = if other.hi > self.hi { &other.hi } else { &self.hi };
        FloatInterval { lo: lo.clone(), hi: hi.clone() }
    }

    /// The common part; `None` when empty.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let lo = if other.lo > self.lo { &other.lo } else { &self.lo };
        let hi = if other.hi < self.hi { &other.hi } else { &self.hi };
        FloatInterval::new(lo.clone(), hi.clone())
    }

    /// Whether `other` lies inside this.
    pub fn contains(&self, other: &Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// The sum.
    pub fn add(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::new(self.lo.add(&other.lo, bits, false), self.hi.add(&other.hi, bits, true))
    }

    /// The difference.
    pub fn sub(&self, other: &Self, bits: Bits) -> Option<Self> {
        FloatInterval::new(self.lo.sub(&other.hi, bits, false), self.hi.sub(&other.lo, bits, true))
    }

    /// The negatives, exactly.
    pub fn neg(&self) -> Self {
        FloatInterval { lo: -&self.hi, hi: -&self.lo }
    }

    /// The product.
    pub fn mul(&self, other: &Self, bits: Bits) -> Option<Self> {
        let (a, b, c, d) = (&self.lo, &self.hi, &other.lo, &other.hi);
        // The signs tell which endpoints make the least and the greatest product.
        let ((l1, l2), (h1, h2)) = match (self.sign_class(), other.sign_class()) {
            (Sign::Positive, Sign::Positive) => ((a, c), (b, d)),
            (Sign::Positive, Sign::Mixed) => ((b, c), (b, d)),
            (Sign::Positive, Sign::Negative) => ((b, c), (a, d)),
            (Sign::Mixed, Sign::Positive) => ((a, d), (b, d)),
            (Sign::Mixed, Sign::Negative) => ((b, c), (a, c)),
            (Sign::Negative, Sign::Positive) => ((a, d), (b, c)),
            (Sign::Negative, Sign::Mixed) => ((a, d), (a, c)),
            (Sign::Negative, Sign::Negative) => ((b, d), (a, c)),
            (Sign::Mixed, Sign::Mixed) => {
                let (l1, l2) = (a.mul(d, bits, false), b.mul(c, bits, false));
                let (h1, h2) = (a.mul(c, bits, true), b.mul(d, bits, true));
                let (lo, hi) = (if l1 < l2 { l1 } else { l2 }, if h1 > h2 { h1 } else { h2 });
                return FloatInterval::new(lo, hi);
            }
        };
        FloatInterval::new(l1.mul(l2, bits, false), h1.mul(h2, bits, true))
    }

    /// The quotient; `None` when 0 is in the divisor.
    pub fn div(&self, other: &Self, bits: Bits) -> Option<Self> {
        let (a, b, c, d) = (&self.lo, &self.hi, &other.lo, &other.hi);
        let ((l1, l2), (h1, h2)) = match (self.sign_class(), other.sign()) {
            (_, 0) => return None,
            (Sign::Positive, 1) => ((a, d), (b, c)),
            (Sign::Mixed, 1) => ((a, c), (b, c)),
            (Sign::Negative, 1) => ((a, c), (b, d)),
            (Sign::Positive, _) => ((b, d), (a, c)),
            (Sign::Mixed, _) => ((b, d), (a, d)),
            (Sign::Negative, _) => ((b, c), (a, d)),
        };
        FloatInterval::new(l1.div(l2, bits, false), h1.div(h2, bits, true))
    }

    /// The absolute values, exactly.
    pub fn abs(&self) -> Self {
        match self.sign_class() {
            Sign::Positive => self.clone(),
            Sign::Negative => self.neg(),
            Sign::Mixed => {
                let other = -&self.lo;
                FloatInterval { lo: Dyadic::new(), hi: if other > self.hi { other } else { self.hi.clone() } }
            }
        }
    }

    /// The lesser of each pair, exactly.
    pub fn min(&self, other: &Self) -> Self {
        let least = |x: &Dyadic, y: &Dyadic| if x < y { x.clone() } else { y.clone() };
        FloatInterval { lo: least(&self.lo, &other.lo), hi: least(&self.hi, &other.hi) }
    }

    /// The greater of each pair, exactly.
    pub fn max(&self, other: &Self) -> Self {
        self.neg().min(&other.neg()).neg()
    }

    /// The `n`-th powers, `n ≥ 0`; `x^0` is 1.
    pub fn pow(&self, n: u64, bits: Bits) -> Option<Self> {
        if n == 0 {
            return Some(FloatInterval::integer(1));
        }
        let base = if n.is_multiple_of(2) { self.abs() } else { self.clone() };
        // Monotone now: each end by squaring, all roundings in one direction on the absolute value.
        let power = |x: &Dyadic, up: bool| {
            let negative = x.sign() < 0;
            let magnitude = if negative { -x } else { x.clone() };
            let (mut result, mut square, mut left) = (Dyadic::from(1), magnitude, n);
            let outward = up != negative;
            while left > 0 {
                if left % 2 == 1 {
                    result = result.mul(&square, bits, outward);
                }
                left /= 2;
                if left > 0 {
                    square = square.mul(&square, bits, outward);
                }
            }
            if negative { -&result } else { result }
        };
        FloatInterval::new(power(&base.lo, false), power(&base.hi, true))
    }

    fn sign_class(&self) -> Sign {
        match (self.lo.sign().cmp(&0), self.hi.sign().cmp(&0)) {
            (Ordering::Less, Ordering::Greater) => Sign::Mixed,
            (Ordering::Less, _) => Sign::Negative,
            _ => Sign::Positive,
        }
    }
}

/// The signs that an interval meets; 0 counts as either.
#[derive(Clone, Copy)]
enum Sign {
    Positive,
    Negative,
    Mixed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(lo: i64, hi: i64) -> FloatInterval {
        FloatInterval::new(Dyadic::from(lo), Dyadic::from(hi)).unwrap()
    }

    /// Every sign pattern against all pairs of integers: exact, so the ends must be attained.
    #[test]
    fn operations_are_exact_hulls_on_small_integers() {
        let range = -3..=3i64;
        let all: Vec<(i64, i64)> =
            range.clone().flat_map(|a| range.clone().map(move |b| (a, b))).filter(|(a, b)| a <= b).collect();
        let check = |got: FloatInterval, values: Vec<f64>, what: &str| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!((got.lo.to_f64() - least).abs() < 1e-12 && got.lo.to_f64() <= least + 1e-12, "{what}");
            assert!((got.hi.to_f64() - greatest).abs() < 1e-12, "{what}");
        };
        for &(a, b) in &all {
            for &(c, d) in &all {
                let (x, y) = (interval(a, b), interval(c, d));
                let corners = |f: &dyn Fn(f64, f64) -> f64| {
                    let mut values = Vec::new();
                    for p in a..=b {
                        for q in c..=d {
                            values.push(f(p as f64, q as f64));
                        }
                    }
                    values
                };
                let what = format!("[{a}, {b}] and [{c}, {d}]");
                check(x.add(&y, 53).unwrap(), corners(&|p, q| p + q), &what);
                check(x.sub(&y, 53).unwrap(), corners(&|p, q| p - q), &what);
                check(x.mul(&y, 53).unwrap(), corners(&|p, q| p * q), &what);
                check(x.min(&y), corners(&|p, q| p.min(q)), &what);
                check(x.max(&y), corners(&|p, q| p.max(q)), &what);
                match x.div(&y, 53) {
                    None => assert!(c <= 0 && d >= 0, "{what}"),
                    Some(q) => check(q, corners(&|p, q| p / q), &what),
                }
            }
            for n in 0..5 {
                let values = (a..=b)
                    .map(|p| (p as f64).powi(n as i32))
                    .chain((a <= 0 && b >= 0).then(|| 0f64.powi(n as i32)));
                check(interval(a, b).pow(n, 53).unwrap(), values.collect(), &format!("[{a}, {b}]^{n}"));
            }
        }
    }

    #[test]
    fn rounding_is_outward() {
        let third = FloatInterval::integer(1).div(&FloatInterval::integer(3), 10).unwrap();
        let one = third.mul(&FloatInterval::integer(3), 10).unwrap();
        assert!(third.lo < third.hi && one.lo < Dyadic::from(1) && one.hi > Dyadic::from(1));
        let cube = third.neg().pow(3, 10).unwrap();
        let exact =
            Rational::from_parts(&super::super::Integer::from(-1), &super::super::Integer::from(27)).unwrap();
        assert_eq!(exact.partial_cmp_dyadic(&cube.lo), Some(Ordering::Greater));
        assert_eq!(exact.partial_cmp_dyadic(&cube.hi), Some(Ordering::Less));
    }
}
