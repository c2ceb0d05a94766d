//! Rigorous bounds in doubles.

use crate::ball::{Ball, Interval, Rational};

/// A pair `(lo, hi)` of doubles, `lo ≤ hi`.
pub(super) type Range = (f64, f64);

/// The unit of the error bounds: twice the greatest relative error of one rounding.
pub(super) const EPSILON: f64 = f64::EPSILON;

/// The doubles next to `q` on both sides; equal when `q` is a double. Infinite on overflow.
pub(super) fn bracket(q: &Rational) -> Range {
    const BITS: u32 = 80;
    let ball = Ball::from_rational(q, BITS);
    (ball.lower(BITS).to_f64_directed(false), ball.upper(BITS).to_f64_directed(true))
}

/// Doubles around an interval.
pub(super) fn around(x: &Interval) -> Range {
    let lo = bracket(&x.lo);
    (lo.0, if x.is_point() { lo.1 } else { bracket(&x.hi).1 })
}

/// A double near the number, and a bound of the distance on top of one [`EPSILON`] relative to it.
pub(super) fn nearby(x: &Interval) -> (f64, f64) {
    /// Above this, neighbouring doubles differ by at most one `EPSILON` relative to either.
    const NORMAL: f64 = 1e-290;
    let (lo, hi) = around(x);
    if lo == hi || (x.is_point() && lo.abs() > NORMAL) {
        return (lo, 0.0);
    }
    let mid = 0.5 * lo + 0.5 * hi;
    (mid, (hi - mid).max(mid - lo).next_up())
}

/// `a + b` rounded down, or up.
pub(super) fn add(a: f64, b: f64, up: bool) -> f64 {
    let sum = a + b;
    // The error of the sum, exactly (Knuth).
    let other = sum - a;
    let error = (a - (sum - other)) + (b - other);
    outward(sum, error, up)
}

/// `a · b` rounded down, or up.
pub(super) fn mul(a: f64, b: f64, up: bool) -> f64 {
    /// Below this the error of a product may be too small for a double.
    const SMALL: f64 = 1e-280;
    let product = a * b;
    if a == 0.0 || b == 0.0 {
        return product;
    }
    if product.abs() < SMALL {
        return if up { product.next_up() } else { product.next_down() };
    }
    outward(product, a.mul_add(b, -product), up)
}

/// The directed rounding of `value + error`, where `error` is below the spacing of doubles.
fn outward(value: f64, error: f64, up: bool) -> f64 {
    // NaN, from an overflow, widens too; callers refuse what is not finite.
    match (up, error == 0.0, error > 0.0) {
        (_, true, _) => value,
        (true, _, true) => value.next_up(),
        (false, _, false) => value.next_down(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::{DEFAULT_EXP_LIMIT, Dyadic};
    use std::cmp::Ordering;

    fn parse(text: &str) -> Interval {
        Interval::parse(text, DEFAULT_EXP_LIMIT).unwrap()
    }

    #[test]
    fn brackets_are_neighbours() {
        for text in ["0.1", "-0.1", "1/3", "1e-320", "-1e-400", "123456789.123456789", "1e308"] {
            let x = parse(text);
            let (lo, hi) = bracket(&x.lo);
            assert_eq!(lo.next_up(), hi, "{text}");
            let side = |v: f64| x.lo.partial_cmp_dyadic(&Dyadic::from_f64(v).unwrap()).unwrap();
            assert_eq!((side(lo), side(hi)), (Ordering::Greater, Ordering::Less), "{text}");
        }
        assert_eq!(bracket(&Rational::from_f64(0.1).unwrap()), (0.1, 0.1));
        assert_eq!(bracket(&parse("1e400").lo).1, f64::INFINITY);
    }

    #[test]
    fn nearby_bounds_the_distance() {
        for text in ["0.1", "1e-320", "[0.5 +/- 1e-3]", "[0 +/- 1e-400]", "-7", "[-3 +/- 1/3]"] {
            let x = parse(text);
            let (mid, rad) = nearby(&x);
            let mid_exact = Rational::from_f64(mid).unwrap();
            let unit = &mid_exact.abs() * &Rational::from_f64(EPSILON).unwrap();
            let reach = &Rational::from_f64(rad).unwrap() + &unit;
            assert!(&mid_exact - &reach <= x.lo && x.hi <= &mid_exact + &reach, "{text}");
        }
    }

    #[test]
    fn directed_operations_bound_the_exact_result() {
        let values = [0.1, -0.3, 1e16, 1.0, -1e-200, 3.5e-310, 7e150, 0.0, -2.5];
        let exact = |v: f64| Rational::from_f64(v).unwrap();
        for a in values {
            for b in values {
                let (sum, product) = (&exact(a) + &exact(b), &exact(a) * &exact(b));
                assert!(exact(add(a, b, false)) <= sum && sum <= exact(add(a, b, true)), "{a} + {b}");
                assert!(exact(mul(a, b, false)) <= product && product <= exact(mul(a, b, true)), "{a} * {b}");
                assert!(add(a, b, true) <= add(a, b, false).next_up(), "{a} + {b}");
            }
        }
        // Exact results are not widened.
        assert_eq!((add(1.5, 2.0, true), mul(1.5, 3.0, false)), (3.5, 4.5));
    }
}
