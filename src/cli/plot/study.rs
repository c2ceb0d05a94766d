//! What is proved about the expression: a range for each piece of the interval.

use lean_oracle::ball::{Integer, Interval, Rational};
use lean_oracle::oracle;
use lean_oracle::{Code, Error};
use serde_json::{Value, json};

use super::axis::{decade, power_of_ten};

/// The digits of values at points, beside those that all points have in common.
const DIGITS: i64 = 20;

/// Powers of ten beyond this are not drawn: below it numbers are rounded to 0 or to it, outward; above it
/// they count as not enclosed.
pub const EXP_LIMIT: u32 = 5000;

/// The ranges over the pieces of an interval.
pub struct Study {
    pub whole: Interval,
    /// For each of equal pieces, from left to right: its proved range, if it has one.
    pub pieces: Vec<Option<Interval>>,
    /// Whether each piece without one has a pole or leaves the domain, for all that is known.
    pub only_undefined: bool,
    /// The first piece of each group of pieces, and the number of pieces at the end.
    pub groups: Vec<usize>,
    /// For each group: its range by plain interval arithmetic, if it has one.
    pub naive: Vec<Option<Interval>>,
    /// Values at `steps` points of each piece, its left end the first, and at the end of the interval.
    pub values: Vec<Option<Rational>>,
    pub steps: usize,
    /// The significant digits of the ranges.
    pub digits: i64,
    /// How many of them all values have in common.
    pub extra: i64,
}

impl Study {
    /// Asks all questions, on all processors; the ranges with `digits` digits or more, so that their
    /// roundings do not show. Errors when no piece has a range, with the reason.
    pub fn new(
        expr: &str,
        name: &str,
        whole: Interval,
        (pieces, groups, steps): (usize, usize, usize),
        digits: u32,
    ) -> Result<Study, Error> {
        let width = &whole.hi - &whole.lo;
        let part = |i: usize, n: usize| {
            let part = Rational::from_parts(&Integer::from(i as i64), &Integer::from(n as i64));
            &whole.lo + &(&width * &part.unwrap_or_default())
        };
        let points: Vec<Rational> = (0..=pieces * steps).map(|i| part(i, pieces * steps)).collect();
        let between =
            |i: usize, j: usize| Interval { lo: points[i * steps].clone(), hi: points[j * steps].clone() };
        let ask = |places: Vec<Interval>, level: &str, digits: i64| {
            let question = |x: &Interval| {
                let vars = json!({name: {"lo": x.lo.to_string(), "hi": x.hi.to_string()}});
                json!({
                    "kind": "expr", "expr": expr, "vars": vars, "level": level, "digits": digits,
                    "prec_bits": 4 * digits + 64,
                })
                .to_string()
            };
            let questions: Vec<String> = places.iter().map(question).collect();
            let lines: Vec<&[u8]> = questions.iter().map(String::as_bytes).collect();
            let answers = oracle::answer_lines(&lines).into_iter();
            answers.map(|a| a.and_then(|text| range(&text))).collect::<Vec<_>>()
        };

        // Where the ends agree in many digits, the values will too.
        let fine = DIGITS + common_digits(&whole);
        let values = ask(points.iter().cloned().map(Interval::point).collect(), "fast", fine);
        let spread = hull(values.iter().flatten());
        // All values alike, but for roundings, are a constant.
        let extra = spread.map_or(0, |s| common_digits(&s));
        let extra = if extra < fine - 4 { extra } else { 0 };
        let digits = i64::from(digits) + 3 + extra;

        let ranges = ask((0..pieces).map(|i| between(i, i + 1)).collect(), "default", digits);
        if let Some(e) = ranges.iter().find_map(|r| r.as_ref().err().filter(|e| !is_local(e))) {
            return Err(e.clone());
        }
        if let (Some(Err(e)), true) = (ranges.first(), ranges.iter().all(Result::is_err)) {
            return Err(Error { message: format!("nothing can be drawn: {}", e.message), ..e.clone() });
        }
        let groups: Vec<usize> = (0..=groups).map(|i| i * pieces / groups).collect();
        let naive = ask(groups.windows(2).map(|g| between(g[0], g[1])).collect(), "fast", digits);
        let mut failures = ranges.iter().filter_map(|r| r.as_ref().err());
        let half = Rational::from_decimal(&Integer::from(5), -1);
        Ok(Study {
            only_undefined: failures.all(|e| matches!(e.code, Code::Domain | Code::Pole)),
            values: values.into_iter().map(|v| v.ok().map(|v| &(&v.lo + &v.hi) * &half)).collect(),
            pieces: ranges.into_iter().map(Result::ok).collect(),
            naive: naive.into_iter().map(Result::ok).collect(),
            whole,
            groups,
            steps,
            digits,
            extra,
        })
    }

    /// An interval that contains every value on the pieces that have a range.
    pub fn hull(&self) -> Interval {
        hull(self.pieces.iter().flatten()).unwrap_or_else(|| Interval::point(Rational::new()))
    }

    /// The proved range over a group of pieces, if all of them have one.
    pub fn group(&self, i: usize) -> Option<Interval> {
        let pieces = &self.pieces[self.groups[i]..self.groups[i + 1]];
        pieces.iter().all(Option::is_some).then(|| hull(pieces.iter().flatten())).flatten()
    }
}

/// The hull of intervals, if there are any.
pub fn hull<'a>(intervals: impl Iterator<Item = &'a Interval>) -> Option<Interval> {
    intervals.cloned().reduce(|a, b| Interval { lo: a.lo.min(b.lo), hi: a.hi.max(b.hi) })
}

/// About how many leading digits all numbers of an interval have in common; many for a point.
fn common_digits(i: &Interval) -> i64 {
    let (size, width) = (i.lo.abs().max(i.hi.abs()), &i.hi - &i.lo);
    if width.is_zero() { i64::MAX } else { (decade(&size) - decade(&width)).max(0) }
}

/// Whether an error is about the piece, so that others may be drawn.
fn is_local(e: &Error) -> bool {
    matches!(
        e.code,
        Code::Domain | Code::Pole | Code::PrecisionCap | Code::ExponentLimit | Code::Budget | Code::Timeout
    )
}

/// The interval in an answer.
fn range(answer: &str) -> Result<Interval, Error> {
    let wrong = || Error::new(Code::Internal, "an answer without an interval");
    let answer: Value = serde_json::from_str(answer).map_err(|_| wrong())?;
    let end = |key: &str, up: bool| match answer["output"][key].as_str() {
        Some(text) => number(text, up),
        None => Err(wrong()),
    };
    Ok(Interval { lo: end("lo", false)?, hi: end("hi", true)? })
}

/// A number of an answer; one too small for any picture is rounded away, outward.
fn number(text: &str, up: bool) -> Result<Rational, Error> {
    let limit = i64::from(EXP_LIMIT);
    let exponent = text.split_once('e').and_then(|(_, e)| e.parse::<i64>().ok());
    if exponent.is_some_and(|e| e < -limit) {
        return Ok(match (text.starts_with('-'), up) {
            (false, true) => power_of_ten(-limit),
            (true, false) => -&power_of_ten(-limit),
            _ => Rational::new(),
        });
    }
    Ok(Interval::parse(text, EXP_LIMIT)?.lo)
}
