//! Closed intervals with exact rational endpoints, and the grammar of numbers.

use std::cmp::Ordering;

use super::flint::{Integer, Rational};
use crate::error::{Code, Error, Result};

/// The longest number that is read, in bytes. Longer text is refused before any work is done on it.
const MAX_NUMBER_BYTES: usize = 4_000_000;

/// A closed interval `[lo, hi]` of reals with exact rational endpoints, `lo ≤ hi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The lower endpoint.
    pub lo: Rational,
    /// The upper endpoint.
    pub hi: Rational,
}

impl Interval {
    /// `[lo, hi]`. Errors with [`Code::Reversed`] when `lo > hi`.
    pub fn new(lo: Rational, hi: Rational) -> Result<Self> {
        match lo.cmp(&hi) {
            Ordering::Greater => Err(reversed()),
            _ => Ok(Interval { lo, hi }),
        }
    }

    /// The single point `[q, q]`.
    pub fn point(q: Rational) -> Self {
        Interval { hi: q.clone(), lo: q }
    }

    /// Whether this is a single point.
    pub fn is_point(&self) -> bool {
        self.lo == self.hi
    }

    /// Reads a number; the result is a single point, or wider when the text is a ball literal.
    ///
    /// Grammar (white space is allowed around a number and around `+/-`, `[` and `]`):
    ///
    /// ```text
    /// number  = real | real "+/-" real | "[" real "+/-" real "]"
    /// real    = decimal | integer "/" integer
    /// decimal = sign? (digits ("." digits?)? | "." digits) (("e" | "E") sign? digits)?
    /// integer = sign? digits
    /// ```
    ///
    /// The value is exact: nothing is rounded. Errors: [`Code::BadNumber`] for anything else,
    /// `inf` and `nan` and negative radii included; [`Code::ExponentLimit`] when a power of ten
    /// exceeds `exp_limit`.
    pub fn parse(text: &str, exp_limit: u32) -> Result<Self> {
        if text.len() > MAX_NUMBER_BYTES {
            return Err(Error::new(
                Code::BadNumber,
                format!("the number has {} characters; at most {MAX_NUMBER_BYTES} are read", text.len()),
            ));
        }
        let trimmed = text.trim_matches(SPACES);
        let inner = match trimmed.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|inner| inner.contains("+/-"))
                .ok_or_else(|| bad_number(text, "a ball is written [mid +/- rad]"))?,
            None => trimmed,
        };
        let Some((mid, rad)) = inner.split_once("+/-") else {
            return Ok(Interval::point(real(inner, text, exp_limit)?));
        };
        let mid = real(mid.trim_matches(SPACES), text, exp_limit)?;
        let rad = real(rad.trim_matches(SPACES), text, exp_limit)?;
        if rad.sign() < 0 {
            return Err(bad_number(text, "the radius of a ball cannot be negative"));
        }
        Ok(Interval { lo: &mid - &rad, hi: &mid + &rad })
    }

    /// The hull of two numbers, each read by [`Interval::parse`].
    ///
    /// Errors name the field `lo` or `hi`. [`Code::Reversed`] when every value of `lo` is above every
    /// value of `hi`.
    pub fn parse_endpoints(lo: &str, hi: &str, exp_limit: u32) -> Result<Self> {
        let lo = Interval::parse(lo, exp_limit).map_err(|e| e.at("lo"))?;
        let hi = Interval::parse(hi, exp_limit).map_err(|e| e.at("hi"))?;
        if lo.lo > hi.hi {
            return Err(reversed());
        }
        Ok(Interval { lo: lo.lo.min(hi.lo), hi: lo.hi.max(hi.hi) })
    }
}

const SPACES: [char; 4] = [' ', '\t', '\n', '\r'];

fn reversed() -> Error {
    Error::new(
        Code::Reversed,
        "the lower endpoint is above the upper endpoint; swap lo and hi if that is what you mean",
    )
    .at("lo")
}

/// What of the user's text an error message repeats.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

fn bad_number(text: &str, why: &str) -> Error {
    Error::new(Code::BadNumber, format!("{} is not a number: {why}", quoted(text)))
}

/// Reads `real` of the grammar; `whole` is the user's text, for messages.
fn real(text: &str, whole: &str, exp_limit: u32) -> Result<Rational> {
    if let Some((num, den)) = text.split_once('/') {
        let (Some(num), Some(den)) = (Integer::parse(num), Integer::parse(den)) else {
            return Err(bad_number(whole, "a fraction is written integer/integer"));
        };
        return Rational::from_parts(&num, &den).ok_or_else(|| bad_number(whole, "the denominator is zero"));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (unsigned, None),
    };
    let (whole_part, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole_part.is_empty() && fraction.is_empty()) || !all_digits(whole_part) || !all_digits(fraction) {
        return Err(bad_number(whole, advice(unsigned)));
    }
    let exponent = match exponent {
        None => Integer::new(),
        Some(e) => {
            Integer::parse(e).ok_or_else(|| bad_number(whole, "the exponent after `e` is not an integer"))?
        }
    };
    let negative = text.starts_with('-');
    let digits = match (negative, fraction) {
        (false, "") => Integer::parse(whole_part),
        (true, "") => Integer::parse(&format!("-{whole_part}")),
        (false, _) => Integer::parse(&format!("{whole_part}{fraction}")),
        (true, _) => Integer::parse(&format!("-{whole_part}{fraction}")),
    }
    .ok_or_else(|| bad_number(whole, "its digits cannot be read"))?;
    if digits.is_zero() {
        return Ok(Rational::new());
    }
    // The bound is on the user's own power of ten and on the one that the digits after the point make.
    let shift = &exponent - &Integer::from(fraction.len() as i64);
    let limit = i64::from(exp_limit);
    match (exponent.to_i64(), shift.to_i64()) {
        (Some(e), Some(shift)) if e.abs() <= limit && shift.abs() <= limit.saturating_add(1_000_000) => {
            Ok(Rational::from_decimal(&digits, shift as i32))
        }
        _ => Err(Error::new(
            Code::ExponentLimit,
            format!(
                "{} has a power of ten beyond the limit {exp_limit}; raise exp_limit if you mean it",
                quoted(whole)
            ),
        )),
    }
}

fn advice(unsigned: &str) -> &'static str {
    let lower = unsigned.to_ascii_lowercase();
    if ["inf", "nan", "infinity", "+inf"].contains(&lower.as_str()) {
        "infinities and NaN are refused; give a finite endpoint"
    } else if lower.is_empty() {
        "nothing is there"
    } else if lower.starts_with("0x") {
        "hexadecimal is not read; write a decimal or an integer fraction"
    } else {
        "write a decimal (0.1, 1e-5), an integer fraction (1/3) or a ball ([0.1 +/- 1e-3])"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::DEFAULT_EXP_LIMIT;

    fn parse(text: &str) -> Result<Interval> {
        Interval::parse(text, DEFAULT_EXP_LIMIT)
    }

    fn fraction(num: i64, den: i64) -> Rational {
        Rational::from_parts(&Integer::from(num), &Integer::from(den)).unwrap()
    }

    #[test]
    fn every_form_of_the_grammar_is_exact() {
        for (text, num, den) in [
            ("0.1", 1, 10),
            (".5", 1, 2),
            ("5.", 5, 1),
            ("+1", 1, 1),
            ("-3", -3, 1),
            ("1e-5", 1, 100_000),
            ("1.5E+3", 1500, 1),
            ("-1.25e1", -25, 2),
            (" \t1/3\n", 1, 3),
            ("-3/2", -3, 2),
            ("1/-3", -1, 3),
            ("+4/6", 2, 3),
            ("-0", 0, 1),
            ("0e99999999999999999999", 0, 1),
            ("000123", 123, 1),
        ] {
            let i = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(i.is_point(), "{text}");
            assert_eq!(i.lo, fraction(num, den), "{text}");
        }
    }

    #[test]
    fn ball_literals_are_intervals() {
        for text in ["[0.5 +/- 1e-1]", "0.5 +/- 0.1", "[ 1/2+/-1/10 ]"] {
            let i = parse(text).unwrap();
            assert_eq!((i.lo, i.hi), (fraction(2, 5), fraction(3, 5)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in [
            "",
            " ",
            "abc",
            "pi",
            "1_000",
            "0x1p-3",
            "1e",
            "e5",
            ".",
            "+",
            "--1",
            "1/0",
            "1.5/2",
            "1/",
            "/2",
            "1/2/3",
            "inf",
            "-inf",
            "nan",
            "NaN",
            "Infinity",
            "[1]",
            "[1 +/- 2",
            "1 +/- ",
            "1 +/- -1",
            "1 +/- 1 +/- 1",
            "1 2",
            "1e1.5",
            "٣",
            "1\0",
            "½",
            "[[1 +/- 1]]",
        ] {
            let e = parse(text).expect_err(text);
            assert_eq!(e.code, Code::BadNumber, "{text}: {e}");
        }
    }

    #[test]
    fn powers_of_ten_are_limited() {
        assert!(parse("1e1000000").is_ok());
        assert!(parse("1e-1000000").is_ok());
        for text in ["1e1000001", "1e-1000001", "7e99999999999999999999", "[0 +/- 1e1000001]"] {
            assert_eq!(parse(text).expect_err(text).code, Code::ExponentLimit, "{text}");
        }
        assert_eq!(Interval::parse("1e11", 10).unwrap_err().code, Code::ExponentLimit);
    }

    #[test]
    fn reversed_endpoints_are_refused_and_say_so() {
        let e = Interval::parse_endpoints("1", "0.5", DEFAULT_EXP_LIMIT).unwrap_err();
        assert_eq!(e.code, Code::Reversed);
        assert!(e.message.contains("swap"), "{e}");
        // Overlapping balls are not certainly reversed: their hull is asked.
        let i = Interval::parse_endpoints("[1 +/- 1]", "[0.5 +/- 1]", DEFAULT_EXP_LIMIT).unwrap();
        assert_eq!((i.lo, i.hi), (fraction(-1, 2), fraction(2, 1)));
    }

    #[test]
    fn the_simplest_fraction_is_found() {
        for (lo, hi, simple) in [
            ((1, 3), (1, 2), (1, 2)),
            ((31, 100), (32, 100), (5, 16)),
            ((314, 100), (315, 100), (22, 7)),
            ((-5, 2), (-7, 3), (-5, 2)),
            ((0, 1), (1, 9), (0, 1)),
            ((-2, 9), (1, 9), (0, 1)),
            ((7, 3), (7, 3), (7, 3)),
        ] {
            let between = Rational::simplest_between(&fraction(lo.0, lo.1), &fraction(hi.0, hi.1));
            assert_eq!(between, fraction(simple.0, simple.1), "{lo:?} {hi:?}");
        }
    }

    #[test]
    fn binary64_is_read_exactly() {
        for (v, num, den) in
            [(0.5, 1, 2), (-3.0, -3, 1), (0.0, 0, 1), (1.0 + f64::EPSILON, (1i64 << 52) + 1, 1i64 << 52)]
        {
            assert_eq!(Rational::from_f64(v).unwrap(), fraction(num, den), "{v}");
        }
        // Against the decimal expansion that the standard library prints exactly.
        for v in [0.1, -1.0e300, 5e-324, f64::MAX, 1.0e16, 123456.789] {
            let text = format!("{v:.1100}");
            let decimal = parse(text.trim_end_matches('0')).unwrap().lo;
            assert_eq!(Rational::from_f64(v).unwrap(), decimal, "{v}");
        }
        assert!(Rational::from_f64(f64::NAN).is_none() && Rational::from_f64(f64::INFINITY).is_none());
    }
}
