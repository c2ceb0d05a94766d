//! Outward rounding: from what is proved about the ends of a range to the ball that is printed.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::flint::{Ball, Bits, Dyadic, Integer, Rational};
use crate::error::{Code, Error, Result};

/// A number that bounds another one.
#[derive(Clone, Debug)]
pub enum Number {
    /// A dyadic number.
    Dyadic(Dyadic),
    /// A fraction.
    Rational(Rational),
}

/// What is proved about one real number `v`, such as the minimum of a range.
#[derive(Clone, Debug)]
pub enum Enclosure {
    /// `v` is in a finite ball; its ends are wanted at this precision.
    Ball(Ball, Bits),
    /// `v` is between bounds.
    Between(Bounds),
}

/// `below ≤ v ≤ above`.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The lower bound.
    pub below: Number,
    /// The upper bound.
    pub above: Number,
    /// It is known that `v ≠ below`.
    pub below_strict: bool,
    /// It is known that `v ≠ above`.
    pub above_strict: bool,
}

/// The direction of outward rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards -∞: for the lower end of a range.
    Down,
    /// Towards +∞: for the upper end of a range.
    Up,
}

/// An exact decimal number `digits·10^exp`. Zero is `(0, 0)`; otherwise 10 does not divide `digits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: Integer,
    exp: i64,
}

impl Decimal {
    fn new(digits: Integer, exp: i64) -> Self {
        if digits.is_zero() {
            return Decimal { digits, exp: 0 };
        }
        if !digits.ends_in_zero() {
            return Decimal { digits, exp };
        }
        let (k, digits) = digits.remove_factor(10);
        Decimal { digits, exp: exp + k as i64 }
    }

    /// The value as a fraction.
    pub fn to_rational(&self) -> Rational {
        Rational::from_decimal(&self.digits, self.exp as i32)
    }
}

impl Decimal {
    /// Appends the number exactly: plainly when its leading digit is near the point, else as
    /// `d.ddde+NN`.
    pub fn append_to(&self, out: &mut String) {
        let begin = out.len();
        self.digits.append_to(out);
        let first = begin + usize::from(self.digits.sign() < 0);
        let n = (out.len() - first) as i64;
        // The number of digits before the point.
        let point = n + self.exp;
        let zeros = |k: i64| "0".repeat(k as usize);
        if self.exp >= 0 && point <= 21 {
            out.extend(std::iter::repeat_n('0', self.exp as usize));
        } else if 0 < point && point <= 21 {
            out.insert(first + point as usize, '.');
        } else if -6 < point && point <= 0 {
            out.insert_str(first, &format!("0.{}", zeros(-point)));
        } else {
            if n > 1 {
                out.insert(first + 1, '.');
            }
            let e = point - 1;
            out.push_str(&format!("e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs()));
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.append_to(&mut text);
        f.write_str(&text)
    }
}

impl Enclosure {
    /// Exactly `q`.
    pub fn exact(q: Rational) -> Self {
        Enclosure::Between(Bounds {
            below: Number::Rational(q.clone()),
            above: Number::Rational(q),
            below_strict: false,
            above_strict: false,
        })
    }

    /// Between two dyadic numbers, both possible.
    pub fn between(below: Dyadic, above: Dyadic) -> Self {
        Enclosure::Between(Bounds {
            below: Number::Dyadic(below),
            above: Number::Dyadic(above),
            below_strict: false,
            above_strict: false,
        })
    }

    /// Both bounds.
    pub fn bounds(&self) -> Cow<'_, Bounds> {
        match self {
            Enclosure::Between(bounds) => Cow::Borrowed(bounds),
            Enclosure::Ball(ball, bits) => Cow::Owned(Bounds {
                below: Number::Dyadic(ball.lower(*bits)),
                above: Number::Dyadic(ball.upper(*bits)),
                below_strict: false,
                above_strict: false,
            }),
        }
    }

    /// Rounds in `direction` to `digits` significant digits.
    ///
    /// Returns the decimal and whether it is *tight*: proved to differ from `v` by less than one unit
    /// of its last requested digit. The decimal always bounds `v`.
    /// Errors with [`Code::ExponentLimit`] when the decimal needs a power of ten beyond `exp_limit`.
    pub fn round(&self, direction: Direction, digits: u32, exp_limit: u32) -> Result<(Decimal, bool)> {
        let bounds = self.bounds();
        let (outer, inner, strict) = match direction {
            Direction::Down => (&bounds.below, &bounds.above, bounds.above_strict),
            Direction::Up => (&bounds.above, &bounds.below, bounds.below_strict),
        };
        // Most endpoints that people write are short decimals.
        if let Number::Rational(q) = outer
            && let Some((m, k)) = q.to_short_decimal()
            && digits >= 19
            && k <= exp_limit
        {
            let exact = matches!(inner, Number::Rational(other) if other == q);
            if exact {
                return Ok((Decimal::new(Integer::from(m), -i64::from(k)), true));
            }
        }
        let Some(magnitude) = outer.magnitude() else {
            return match outer.sign() {
                0 => Ok((Decimal::new(Integer::new(), 0), inner.sign() == 0)),
                _ => Err(exponent_limit(exp_limit)),
            };
        };
        // 10^decade ≤ |outer|, up to the error of the estimate, which the loops repair.
        let decade = ((magnitude - 1) as f64 * std::f64::consts::LOG10_2).floor();
        if decade.abs() > f64::from(exp_limit) + 2.0 {
            return Err(exponent_limit(exp_limit));
        }
        let mut places = i64::from(digits) - 1 - decade as i64;
        let mut scaled = outer.scaled(places, direction);
        let beyond = |x: &Integer, k: u32| Integer::with_pow10(k, |power| x.cmp_abs(power)).is_ge();
        while beyond(&scaled, digits) {
            places -= 1;
            scaled = quotient(&scaled, &Integer::from(10), direction);
        }
        while !beyond(&scaled, digits - 1) {
            places += 1;
            scaled = outer.scaled(places, direction);
        }
        // An inner bound of another order of magnitude cannot be within a unit, and scaling it might
        // be expensive.
        let comparable = inner.magnitude().is_some_and(|m| m <= magnitude.saturating_add(4));
        let tight = (comparable || inner.sign() == 0) && {
            // `v` within [scaled, inner]: below one unit if inner is, or if inner is one unit away
            // but not attained.
            let towards = if strict { direction.reverse() } else { direction };
            let reach = inner.scaled(places, towards);
            let distance = match direction {
                Direction::Down => &reach - &scaled,
                Direction::Up => &scaled - &reach,
            };
            distance <= Integer::from(i64::from(strict))
        };
        Ok((Decimal::new(scaled, -places), tight))
    }

    /// Rounds in `direction` to `bits` bits. Returns the dyadic number, a bound of `v`, and whether it
    /// is proved to differ from `v` by less than one unit of its last bit.
    pub fn round_binary(&self, direction: Direction, bits: Bits) -> (Dyadic, bool) {
        let (rounded, other) = match (self, direction) {
            (Enclosure::Ball(ball, _), Direction::Down) => (ball.lower(bits), ball.upper_inward(bits)),
            (Enclosure::Ball(ball, _), Direction::Up) => (ball.upper(bits), ball.lower_inward(bits)),
            (Enclosure::Between(b), Direction::Down) => {
                (b.below.round_binary(direction, bits), b.above.round_binary(direction, bits))
            }
            (Enclosure::Between(b), Direction::Up) => {
                (b.above.round_binary(direction, bits), b.below.round_binary(direction, bits))
            }
        };
        let tight = rounded == other;
        (rounded, tight)
    }
}

impl Direction {
    fn reverse(self) -> Self {
        match self {
            Direction::Down => Direction::Up,
            Direction::Up => Direction::Down,
        }
    }
}

impl Number {
    /// `e` with `2^(e-2) < |self| < 2^(e+1)`; `None` for zero and where it does not fit.
    fn magnitude(&self) -> Option<i64> {
        match self {
            Number::Dyadic(x) => x.magnitude(),
            Number::Rational(q) => (!q.is_zero()).then(|| q.magnitude()),
        }
    }

    /// The sign: -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match self {
            Number::Dyadic(x) => x.sign(),
            Number::Rational(q) => q.sign(),
        }
    }

    /// This rounded to `bits` bits in `direction`. A fraction may come out one unit farther than the
    /// nearest such number.
    fn round_binary(&self, direction: Direction, bits: Bits) -> Dyadic {
        match (self, direction) {
            (Number::Dyadic(x), Direction::Down) => x.round_down(bits),
            (Number::Dyadic(x), Direction::Up) => x.round_up(bits),
            (Number::Rational(q), Direction::Down) => {
                Ball::from_rational(q, bits + 32).lower(bits + 32).round_down(bits)
            }
            (Number::Rational(q), Direction::Up) => {
                Ball::from_rational(q, bits + 32).upper(bits + 32).round_up(bits)
            }
        }
    }

    /// `self · 10^places` rounded to an integer in `direction`.
    fn scaled(&self, places: i64, direction: Direction) -> Integer {
        Integer::with_pow10(places.unsigned_abs() as u32, |power| match self {
            Number::Rational(q) if places >= 0 => {
                quotient(&(&q.numerator() * power), &q.denominator(), direction)
            }
            Number::Rational(q) => quotient(&q.numerator(), &(&q.denominator() * power), direction),
            Number::Dyadic(x) if places >= 0 => integer_part(&x.mul_integer(power), direction),
            // Rounding twice in one direction to coarser grids is rounding once.
            Number::Dyadic(x) => quotient(&integer_part(x, direction), power, direction),
        })
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    /// The order of the reals; `None` with NaN.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Dyadic(x), Number::Dyadic(y)) => x.partial_cmp(y),
            (Number::Rational(x), Number::Rational(y)) => x.partial_cmp(y),
            (Number::Rational(q), Number::Dyadic(x)) => q.partial_cmp_dyadic(x),
            (Number::Dyadic(x), Number::Rational(q)) => q.partial_cmp_dyadic(x).map(Ordering::reverse),
        }
    }
}

fn integer_part(x: &Dyadic, direction: Direction) -> Integer {
    x.to_integer(direction == Direction::Up).unwrap_or_default()
}

fn quotient(num: &Integer, den: &Integer, direction: Direction) -> Integer {
    match direction {
        Direction::Down => num.div_floor(den),
        Direction::Up => -&(-num).div_floor(den),
    }
}

fn exponent_limit(limit: u32) -> Error {
    Error::new(
        Code::ExponentLimit,
        format!(
            "an end of the answer needs a power of ten beyond the limit {limit}; narrow the interval, \
             or raise exp_limit if your consumer can write out that many digits"
        ),
    )
}

/// An integer ball: the interval `[(mid - rad)·10^exp, (mid + rad)·10^exp]` with `rad ≥ 0`.
///
/// Exact zero is `(0, 0, 0)` and nothing else is. The ball is canonical: no smaller integers describe
/// the same interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MidRad10Exp {
    /// The midpoint, in units of `10^exp`.
    pub mid: Integer,
    /// The radius, in units of `10^exp`; never negative.
    pub rad: Integer,
    /// The power of ten.
    pub exp: i64,
}

impl MidRad10Exp {
    /// The ball that is exactly `[lo, hi]`. `lo ≤ hi` is the caller's duty.
    ///
    /// Errors with [`Code::ExponentLimit`] when `|exp|` would exceed `exp_limit`.
    pub fn from_ends(lo: &Decimal, hi: &Decimal, exp_limit: u32) -> Result<Self> {
        // Zero is zero at any power of ten.
        let exp = match (lo.digits.is_zero(), hi.digits.is_zero()) {
            (true, true) => return Ok(MidRad10Exp { mid: Integer::new(), rad: Integer::new(), exp: 0 }),
            (true, false) => hi.exp,
            (false, true) => lo.exp,
            (false, false) => lo.exp.min(hi.exp),
        };
        let at = |d: &Decimal| match d.digits.is_zero() {
            true => Integer::new(),
            false => d.digits.mul_pow10((d.exp - exp) as u32),
        };
        let (lo, hi) = (at(lo), at(hi));
        let (sum, difference) = (&lo + &hi, &hi - &lo);
        let (mid, rad, exp) = if sum.is_even() {
            (sum.shr_floor(1), difference.shr_floor(1), exp)
        } else {
            let five = Integer::from(5);
            (&sum * &five, &difference * &five, exp - 1)
        };
        if exp.unsigned_abs() > u64::from(exp_limit) {
            return Err(exponent_limit(exp_limit));
        }
        Ok(MidRad10Exp { mid, rad, exp })
    }

    /// The smallest ball with `digits` significant digits at each end that contains `[lo, hi]`.
    pub fn enclosing(interval: &super::Interval, digits: u32, exp_limit: u32) -> Result<Self> {
        let (lo, _) = Enclosure::exact(interval.lo.clone()).round(Direction::Down, digits, exp_limit)?;
        let (hi, _) = Enclosure::exact(interval.hi.clone()).round(Direction::Up, digits, exp_limit)?;
        MidRad10Exp::from_ends(&lo, &hi, exp_limit)
    }

    /// The lower end.
    pub fn lo(&self) -> Decimal {
        Decimal::new(&self.mid - &self.rad, self.exp)
    }

    /// The upper end.
    pub fn hi(&self) -> Decimal {
        Decimal::new(&self.mid + &self.rad, self.exp)
    }
}

/// An interval between two decimal numbers, and the same interval as a ball.
#[derive(Clone, Debug)]
pub struct DecimalInterval {
    /// The lower end.
    pub lo: Decimal,
    /// The upper end.
    pub hi: Decimal,
    /// Exactly `[lo, hi]`.
    pub ball: MidRad10Exp,
}

impl DecimalInterval {
    /// Rounds outward: `lo` down and `hi` up to `digits` significant digits. Also tells whether both
    /// are tight ([`Enclosure::round`]). Errors with [`Code::ExponentLimit`].
    pub fn enclosing(lo: &Enclosure, hi: &Enclosure, digits: u32, exp_limit: u32) -> Result<(Self, bool)> {
        let (lo, lo_tight) = lo.round(Direction::Down, digits, exp_limit)?;
        let (hi, hi_tight) = hi.round(Direction::Up, digits, exp_limit)?;
        let ball = MidRad10Exp::from_ends(&lo, &hi, exp_limit)?;
        Ok((DecimalInterval { lo, hi, ball }, lo_tight && hi_tight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::{DEFAULT_EXP_LIMIT as LIMIT, Interval};

    fn interval(lo: &str, hi: &str) -> Interval {
        Interval::parse_endpoints(lo, hi, LIMIT).unwrap()
    }

    fn ball(lo: &str, hi: &str, digits: u32) -> (String, String, i64) {
        let b = MidRad10Exp::enclosing(&interval(lo, hi), digits, LIMIT).unwrap();
        (b.mid.to_string(), b.rad.to_string(), b.exp)
    }

    #[test]
    fn exact_zero_and_only_it_is_all_zeros() {
        assert_eq!(ball("0", "0", 50), ("0".into(), "0".into(), 0));
        assert_eq!(ball("-1", "1", 50), ("0".into(), "1".into(), 0));
        assert_eq!(ball("0", "1e-300", 50), ("5".into(), "5".into(), -301));
    }

    #[test]
    fn exact_ends_stay_exact() {
        assert_eq!(ball("0", "2", 50), ("1".into(), "1".into(), 0));
        assert_eq!(ball("1.5", "1.5", 50), ("15".into(), "0".into(), -1));
        assert_eq!(ball("1e300", "1e300", 2), ("1".into(), "0".into(), 300));
    }

    #[test]
    fn rounding_is_outward_to_the_last_digit() {
        // 1/3 = 0.333…: to three digits [0.333, 0.334]; -1/3 mirrors it.
        assert_eq!(ball("1/3", "1/3", 3), ("3335".into(), "5".into(), -4));
        assert_eq!(ball("-1/3", "-1/3", 3), ("-3335".into(), "5".into(), -4));
        // Carries: -0.9996 down to three digits is -1; 0.9996 up is 1.
        assert_eq!(ball("-0.9996", "0.9996", 3), ("0".into(), "1".into(), 0));
    }

    #[test]
    fn decimals_print_exactly() {
        for (text, printed) in [
            ("0", "0"),
            ("-2", "-2"),
            ("120", "120"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("-1.5e-3", "-0.0015"),
            ("1.25e-6", "0.00000125"),
            ("1.25e-7", "1.25e-07"),
            ("123.456", "123.456"),
            ("1.2e100", "1.2e+100"),
        ] {
            let i = interval(text, text);
            let (d, tight) = Enclosure::exact(i.lo.clone()).round(Direction::Down, 30, LIMIT).unwrap();
            assert!(tight, "{text}");
            assert_eq!(d.to_string(), printed);
            assert_eq!(Interval::parse(printed, LIMIT).unwrap().lo, i.lo, "{text} reads back");
        }
    }

    fn dyadic(m: i64, e: i64) -> Dyadic {
        Dyadic::from_parts(&Integer::from(m), &Integer::from(e))
    }

    #[test]
    fn tightness_is_claimed_only_when_proved() {
        // The end is in [0.5, 0.75]: one digit down is 0.5, up to 0.25 away from the truth.
        let wide = Enclosure::between(dyadic(1, -1), dyadic(3, -2));
        assert!(!wide.round(Direction::Down, 1, LIMIT).unwrap().1);
        // In [0.5, 0.5625]: less than one unit (0.1).
        let thin = Enclosure::between(dyadic(1, -1), dyadic(9, -4));
        assert!(thin.round(Direction::Down, 1, LIMIT).unwrap().1);
        assert!(!thin.round(Direction::Down, 2, LIMIT).unwrap().1);
        // In [1 - 2^-40, 1]: ten digits down is 1 - 10^-10. If 1 itself is possible that is one whole
        // unit away; if it is excluded it is less.
        let below = dyadic((1 << 40) - 1, -40);
        let closed = Enclosure::between(below.clone(), dyadic(1, 0));
        assert!(!closed.round(Direction::Down, 10, LIMIT).unwrap().1);
        let open = Enclosure::Between(Bounds {
            above_strict: true,
            ..Enclosure::between(below, dyadic(1, 0)).bounds().into_owned()
        });
        assert!(open.round(Direction::Down, 10, LIMIT).unwrap().1);
    }

    #[test]
    fn exponents_beyond_the_limit_are_refused() {
        let i = interval("1e100", "1e100");
        let refused =
            |limit| MidRad10Exp::enclosing(&i, 5, limit).is_err_and(|e| e.code == Code::ExponentLimit);
        assert!(refused(99));
        assert!(!refused(100));
        let huge = Dyadic::from_parts(&Integer::from(1), &Integer::parse("99999999999999999999").unwrap());
        let e = Enclosure::between(huge.clone(), huge).round(Direction::Up, 5, LIMIT).unwrap_err();
        assert_eq!(e.code, Code::ExponentLimit);
    }
}
