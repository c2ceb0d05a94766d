//! An axis: from numbers to pixels, exactly, and round ticks with short labels.

use lean_oracle::ball::{Direction, Enclosure, Integer, Interval, Rational};

/// A straight axis over an interval.
pub struct Axis {
    range: Interval,
    /// Its length in hundredths of a pixel.
    length: i64,
    /// One over the width of the interval.
    per_width: Rational,
}

/// Round numbers along an axis.
pub struct Ticks {
    /// Where they are, in hundredths of a pixel, and what is written there.
    pub labels: Vec<(i64, String)>,
    /// What the labels count: they are `(value - offset)·10^-exponent`.
    pub offset: Option<String>,
    pub exponent: i64,
}

/// Labels are shortened by an offset when they would have more digits than this.
const MOST_DIGITS: usize = 6;

impl Axis {
    /// `None` unless the interval has a width.
    pub fn new(range: Interval, length: i64) -> Option<Axis> {
        let per_width = (&range.hi - &range.lo).recip().filter(|w| w.sign() > 0)?;
        Some(Axis { range, length, per_width })
    }

    pub fn range(&self) -> &Interval {
        &self.range
    }

    /// How far along the axis `value` is, in hundredths of a pixel, rounded up or down; the ends of the
    /// axis for what is beyond them.
    pub fn place(&self, value: &Rational, up: bool) -> i64 {
        let inside = value.clone().max(self.range.lo.clone()).min(self.range.hi.clone());
        let part = &(&(&inside - &self.range.lo) * &self.per_width) * &Rational::from(self.length);
        let place = if up { (-&(-&part).floor()).to_i64() } else { part.floor().to_i64() };
        place.unwrap_or(0)
    }

    /// As [`Axis::place`], approximately, also beyond the ends.
    pub fn estimate(&self, value: &Rational) -> f64 {
        let part = &(value - &self.range.lo) * &self.per_width;
        part.to_f64().clamp(-1e6, 1e6) * self.length as f64
    }

    /// About `count` ticks at multiples of 1, 2 or 5 times a power of ten.
    pub fn ticks(&self, count: i64) -> Ticks {
        let width = &self.range.hi - &self.range.lo;
        let least = &width * &Rational::from(count.max(1)).recip().unwrap_or_default();
        let decade = decade(&least);
        let candidates = [(1, decade), (2, decade), (5, decade), (1, decade + 1)];
        let (factor, exponent) = candidates
            .into_iter()
            .find(|(m, e)| &Rational::from(*m) * &power_of_ten(*e) >= least)
            .unwrap_or((1, decade + 1));
        let step = &Rational::from(factor) * &power_of_ten(exponent);
        let per_step = step.recip().unwrap_or_default();
        let first = -&(-&(&self.range.lo * &per_step)).floor();
        let last = (&self.range.hi * &per_step).floor();
        let steps = (&last - &first).to_i64().unwrap_or(0);
        let multiples: Vec<Integer> =
            (0..=steps).map(|i| &(&first + &Integer::from(i)) * &Integer::from(factor)).collect();
        let longest = multiples.iter().map(digits).max().unwrap_or(1);
        // Of the ticks, the roundest one is left out of the labels.
        let offset = if longest > MOST_DIGITS {
            multiples.iter().max_by_key(|m| m.remove_factor(10).0).cloned()
        } else {
            None
        };
        let short: Vec<Integer> = match &offset {
            Some(offset) => multiples.iter().map(|m| m - offset).collect(),
            None => multiples.clone(),
        };
        let leading = exponent + short.iter().map(digits).max().unwrap_or(1) as i64 - 1;
        let scale = if exponent >= -4 && leading <= 5 { 0 } else { leading };
        let ten = power_of_ten(exponent);
        let place = |m: &Integer| self.place(&(&Rational::from(m) * &ten), false);
        Ticks {
            labels: multiples
                .iter()
                .zip(&short)
                .map(|(m, s)| (place(m), positional(s, exponent - scale)))
                .collect(),
            offset: offset.map(|m| plain(&(&Rational::from(&m) * &ten))),
            exponent: scale,
        }
    }
}

impl Ticks {
    /// What the labels count, for example `x − 1  (×10⁻¹³)`; `None` if simply `name`.
    pub fn unit(&self, name: &str) -> Option<String> {
        let offset = match &self.offset {
            None => String::new(),
            Some(text) => match text.strip_prefix('-') {
                Some(positive) => format!(" + {positive}"),
                None => format!(" − {text}"),
            },
        };
        match self.exponent {
            0 if offset.is_empty() => None,
            0 => Some(format!("{name}{offset}")),
            e => Some(format!("{name}{offset}  (×10{})", superscript(e))),
        }
    }
}

/// `e` with `10^e ≤ q < 10^(e+1)`, for positive `q`.
pub fn decade(q: &Rational) -> i64 {
    let mut e = (q.magnitude() as f64 * std::f64::consts::LOG10_2).floor() as i64 - 1;
    while power_of_ten(e + 1) <= *q {
        e += 1;
    }
    e
}

/// `10^e`; exponents are bounded by the limit on those of questions and answers.
pub fn power_of_ten(e: i64) -> Rational {
    let bounded = e.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    Rational::from_decimal(&Integer::from(1), bounded)
}

/// The number as a decimal; rounded if that has more than 40 digits.
pub fn plain(q: &Rational) -> String {
    match Enclosure::exact(q.clone()).round(Direction::Down, 40, u32::MAX) {
        Ok((decimal, _)) => decimal.to_string(),
        Err(_) => q.to_string(),
    }
}

/// How many digits an integer has.
fn digits(m: &Integer) -> usize {
    let text = m.to_string();
    text.trim_start_matches('-').len()
}

/// `m·10^e` with a decimal point; `e` is small.
fn positional(m: &Integer, e: i64) -> String {
    let text = m.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("−", digits),
        None => ("", text.as_str()),
    };
    if digits == "0" {
        return "0".into();
    }
    let places = e.unsigned_abs() as usize;
    if e >= 0 {
        return format!("{sign}{digits}{}", "0".repeat(places));
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{part}")
}

fn superscript(n: i64) -> String {
    let raise = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        _ => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    n.to_string().chars().map(raise).collect()
}
