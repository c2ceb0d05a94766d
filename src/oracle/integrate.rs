//! Definite integrals of expressions in one variable: the question `integrate`.
//!
//! The interval is cut into pieces. On each the natural interval extension shows that the integrand is
//! defined there, and width times values encloses the integral. Where that is not narrow enough, a
//! Gauss-Legendre rule is tried, whose error is bounded by the values of an analytic continuation around
//! the piece; where there is none, the piece is halved. What is never used is a continuation alone: it may
//! well be finite where the real integrand is not defined.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::constants::precisions;
use super::expr::{Evaluator, Expr};
use super::functions::short;
use super::questions::{Var, append_interval, head, read_expr};
use super::request::{NumberText, not_json, object};
use super::unary::Settings;
use crate::ball::complex::gauss_legendre;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, DecimalInterval, Dyadic, Enclosure, FloatInterval, Interval};
use crate::error::{Code, Error, Result};

/// Bits beyond those counted on, for rounding errors.
const GUARD: Bits = 32;

/// A rule has at most so many nodes, and so many bits: computing them cannot be interrupted.
const MOST_NODES: u32 = 1024;
const MOST_BITS: Bits = 16_384;

/// An end of the interval of integration.
#[derive(Debug)]
enum Endpoint {
    Number(Interval),
    /// An expression without variables.
    Constant(Expr),
}

impl Endpoint {
    /// Reads a number or else an expression without variables.
    fn parse(text: &str, field: &'static str, exp_limit: u32) -> Result<Self> {
        match Interval::parse(text, exp_limit) {
            Ok(number) => Ok(Endpoint::Number(number)),
            Err(e) => match Expr::from_text(text, Some(Vec::new()), exp_limit) {
                Ok(expr) if e.code == Code::BadNumber => Ok(Endpoint::Constant(expr)),
                _ => Err(e.at(field)),
            },
        }
    }

    fn enclose(&self, bits: Bits) -> Result<FloatInterval> {
        match self {
            Endpoint::Number(Interval { lo, hi }) => FloatInterval::enclosing(lo, hi, bits)
                .ok_or_else(|| Error::new(Code::ExponentLimit, "an endpoint is too large")),
            Endpoint::Constant(expr) => {
                let budget = Budget::unlimited();
                expr.evaluator(bits, &budget)?.range(&[], &budget)
            }
        }
    }

    fn is_exact(&self) -> bool {
        match self {
            Endpoint::Number(number) => number.is_point(),
            Endpoint::Constant(expr) => expr.is_exact(),
        }
    }
}

/// The question: what is the integral of an expression in one variable?
#[derive(Debug)]
pub struct IntegralQuery {
    expr: Expr,
    lo: Endpoint,
    hi: Endpoint,
    settings: Settings,
}

/// The answer.
#[derive(Debug)]
pub struct Integral {
    /// An enclosure of the integral.
    pub output: DecimalInterval,
    /// Whether the ends are at most two units of the last requested digit apart. (Not one: where the
    /// integral is a short decimal, it lies between two neighbours of it on the grid.)
    pub tight: bool,
    /// The working precision that was used, in bits.
    pub bits_used: Bits,
}

impl IntegralQuery {
    /// The integral of `expr`, which has one variable, from `lo` to `hi`: numbers
    /// ([`Interval::parse`]) or expressions without variables, such as `pi/2`.
    ///
    /// Errors: those of [`Interval::parse`], and [`Code::BadRequest`].
    pub fn new(expr: Expr, lo: &str, hi: &str, settings: Settings) -> Result<Self> {
        settings.check()?;
        if expr.vars().len() != 1 {
            return Err(Error::new(Code::BadRequest, "integrate needs exactly one variable").at("vars"));
        }
        let lo = Endpoint::parse(lo, "lo", settings.exp_limit)?;
        let hi = Endpoint::parse(hi, "hi", settings.exp_limit)?;
        Ok(IntegralQuery { expr, lo, hi, settings })
    }

    /// Encloses the integral; for every choice of numbers within endpoints and numbers that are balls.
    ///
    /// The precision is raised until the answer is tight or the cap is reached. When the budget ends, an
    /// enclosure that is known by then is given if it is of some use. Errors: [`Code::Reversed`] when the
    /// lower endpoint is not proved to be below the upper one; [`Code::Domain`], [`Code::Pole`] and others
    /// where the integrand is not proved to be defined; those of the budget.
    pub fn answer(&self, budget: &Budget) -> Result<Integral> {
        release_caches_at_thread_exit();
        let Settings { digits, exp_limit, prec_bits, max_bits } = self.settings;
        if let (Endpoint::Number(lo), Endpoint::Number(hi)) = (&self.lo, &self.hi)
            && lo.is_point()
            && lo == hi
        {
            let zero = Enclosure::between(Dyadic::new(), Dyadic::new());
            let (output, tight) = DecimalInterval::enclosing(&zero, &zero, digits, exp_limit)?;
            return Ok(Integral { output, tight, bits_used: prec_bits });
        }
        let exact = self.expr.is_exact() && self.lo.is_exact() && self.hi.is_exact();
        let (start, cap) = precisions(&self.settings, 0);
        if start > MOST_BITS {
            let message =
                format!("an integral is calculated with at most {MOST_BITS} bits; {start} are asked for");
            return Err(Error::new(Code::BadRequest, message).at("digits"));
        }
        let cap = cap.min(MOST_BITS);
        let needed = i64::from(self.settings.digit_bits()) + 12;
        let (mut bits, mut goal, mut magnitude) = (start, needed + 4, None);
        let mut best: Option<Integral> = None;
        loop {
            let (lo, hi) = self.endpoints(bits, cap)?;
            let pass = Pass {
                expr: &self.expr,
                evaluator: self.expr.evaluator(bits + GUARD, budget)?,
                bits: bits + GUARD,
                goal,
                smallest: hi.hi.sub(&lo.lo, 64, true).magnitude().unwrap_or(0) - i64::from(bits),
                exact,
                budget,
            };
            let (sum, ended) = match (pass.run(&lo, &hi, magnitude), best) {
                (Err(e), Some(best)) if gives_up(&e) => return Ok(best),
                (result, _) => result?,
            };
            let value = Enclosure::between(sum.lo.clone(), sum.hi.clone());
            let (output, tight) = DecimalInterval::enclosing(&value, &value, digits, exp_limit)?;
            magnitude = least_magnitude(&sum);
            let width = sum.width(64).magnitude().unwrap_or(i64::MIN / 2);
            // The bits that are wanted beyond those that are there.
            let missing = magnitude.map(|m| needed + 8 - (m - width));
            let tight = tight || missing.is_some_and(|missing| missing <= 0);
            let (next, more) = match missing {
                Some(missing) => {
                    let more = missing.clamp(0, i64::from(cap)) + 16;
                    ((bits + more as Bits).min(cap), more)
                }
                // It may well be 0, which no precision can tell: try once, unless more is asked for.
                None if max_bits.is_some() => (bits.saturating_mul(2).min(cap), goal),
                None => (start.saturating_mul(2).min(cap), goal),
            };
            let result = Integral { output, tight, bits_used: bits };
            if tight || ended || !exact || next <= bits {
                return Ok(result);
            }
            (bits, goal, best) = (next, goal + more, Some(result));
        }
    }

    /// Both endpoints, told apart. Numbers are taken as they are; of constants more bits may be needed.
    fn endpoints(&self, mut bits: Bits, cap: Bits) -> Result<(FloatInterval, FloatInterval)> {
        loop {
            let (lo, hi) = (
                self.lo.enclose(bits).map_err(|e| e.at("lo"))?,
                self.hi.enclose(bits).map_err(|e| e.at("hi"))?,
            );
            if lo.hi <= hi.lo {
                return Ok((lo, hi));
            }
            if lo.lo > hi.hi {
                let message = "lo is above hi; swap them, and negate the integral";
                return Err(Error::new(Code::Reversed, message).at("lo"));
            }
            if bits >= cap {
                let message = "lo is not proved to be at most hi; give endpoints that do not overlap";
                return Err(Error::new(Code::Reversed, message).at("lo"));
            }
            bits = bits.saturating_mul(2).min(cap);
        }
    }
}

/// Whether an error says that the budget ended, so that what is known by then is the answer.
fn gives_up(e: &Error) -> bool {
    matches!(e.code, Code::Timeout | Code::Budget)
}

/// `e` with `2^(e-1) ≤ |v|` for all `v` in the interval; `None` when it contains 0.
fn least_magnitude(x: &FloatInterval) -> Option<i64> {
    match x.sign() {
        1 => x.lo.magnitude(),
        -1 => x.hi.magnitude(),
        _ => None,
    }
}

/// A part of the interval of integration.
struct Piece {
    x: FloatInterval,
    /// Whether the integral over an unknown part of it is meant: the endpoint is somewhere in it.
    partly: bool,
    /// Width times values; why not, where these are not enclosed.
    value: Result<FloatInterval>,
    /// How often in a row halving hardly narrowed the values.
    stale: u32,
}

impl Piece {
    /// How wide the value is; `None` without one, which is worst.
    fn error(&self) -> Option<Dyadic> {
        Some(self.value.as_ref().ok()?.width(64))
    }
}

/// One calculation of the integral at one precision.
struct Pass<'a> {
    expr: &'a Expr,
    evaluator: Evaluator<'a>,
    bits: Bits,
    /// The error of a piece may be 2^-goal times the largest integral over a piece.
    goal: i64,
    /// Pieces are not halved when their widths are below 2^smallest.
    smallest: i64,
    /// Whether every number is exact, so that the result can be as narrow as wanted.
    exact: bool,
    budget: &'a Budget,
}

impl Pass<'_> {
    /// Encloses the integral, and tells whether the budget ended early. `magnitude` is that of the
    /// integral if it is known.
    fn run(
        &self,
        lo: &FloatInterval,
        hi: &FloatInterval,
        magnitude: Option<i64>,
    ) -> Result<(FloatInterval, bool)> {
        let whole = FloatInterval { lo: lo.hi.clone(), hi: hi.lo.clone() };
        let mut tolerance = match magnitude {
            Some(m) => Dyadic::from(1).halved(self.goal + 1 - m),
            None => self.scale(&whole)?.halved(self.goal + 10),
        };
        let mut pieces = vec![self.piece(whole, false)?];
        let first = pieces[0].error();
        for end in [lo, hi] {
            if !end.is_point() {
                pieces.push(self.piece(end.clone(), true)?);
            }
        }
        let mut sum = FloatInterval::integer(0);
        let mut ended = None;
        while let Some(piece) = pieces.pop() {
            if ended.is_none() {
                match self.refine(&piece, &tolerance) {
                    Ok(Refined::Value(value)) => {
                        tolerance = self.raised(tolerance, &value);
                        sum = self.sum(&sum, &value)?;
                        continue;
                    }
                    Ok(Refined::Halves(halves)) => {
                        let [left, right] = *halves;
                        for half in [&left, &right] {
                            if let (Ok(value), false) = (&half.value, half.partly) {
                                tolerance = self.raised(tolerance, value);
                            }
                        }
                        // The worse one first: it tells soonest whether the integral exists.
                        let left_is_worse = match (left.error(), right.error()) {
                            (None, _) => true,
                            (_, None) => false,
                            (left, right) => left > right,
                        };
                        pieces.extend(if left_is_worse { [right, left] } else { [left, right] });
                        continue;
                    }
                    Err(e) if gives_up(&e) => ended = Some(e),
                    Err(e) => return Err(e),
                }
            }
            // The budget has ended. What is known of the rest may do, unless it says hardly anything.
            match (&piece.value, &ended) {
                (Ok(value), _) => sum = self.sum(&sum, value)?,
                (_, Some(e)) => return Err(e.clone()),
                (Err(e), None) => return Err(e.clone()),
            }
        }
        let of_use =
            least_magnitude(&sum).is_some() || first.is_some_and(|first| sum.width(64) <= first.halved(20));
        match ended {
            Some(e) if !of_use => Err(e),
            ended => Ok((sum, ended.is_some())),
        }
    }

    /// The value of a piece if that is good enough, or else its halves.
    fn refine(&self, piece: &Piece, tolerance: &Dyadic) -> Result<Refined> {
        self.budget.spend(1)?;
        let small = piece.x.width(64).magnitude().is_none_or(|m| m < self.smallest);
        if let Ok(value) = &piece.value {
            let stuck = !self.exact && piece.stale >= 6;
            if piece.partly || small || stuck || value.width(64) <= *tolerance {
                return Ok(Refined::Value(value.clone()));
            }
            if let Some(rule) = self.rule(&piece.x, tolerance)? {
                let both = rule.intersection(value);
                return both.map(Refined::Value).ok_or_else(|| {
                    Error::new(
                        Code::Internal,
                        "two enclosures of one integral do not meet; please report this",
                    )
                });
            }
        }
        let halves = if small { None } else { self.split(&piece.x) };
        let Some((left, right)) = halves else {
            return piece.value.clone().map(Refined::Value).map_err(|e| undefined(&e, &piece.x));
        };
        let (mut left, mut right) = (self.piece(left, piece.partly)?, self.piece(right, piece.partly)?);
        if let (Some(before), Some(a), Some(b)) = (piece.error(), left.error(), right.error()) {
            let hardly = a.add(&b, 64, true) > before.sub(&before.halved(2), 64, true);
            (left.stale, right.stale) = if hardly { (piece.stale + 1, piece.stale + 1) } else { (0, 0) };
        }
        Ok(Refined::Halves(Box::new([left, right])))
    }

    /// Two parts, not much smaller than halves. They meet at a number with few bits, if possible: there the
    /// pieces of a function are likely to meet too.
    fn split(&self, x: &FloatInterval) -> Option<(FloatInterval, FloatInterval)> {
        let quarter = x.width(64).halved(2);
        let inside = FloatInterval {
            lo: x.lo.add(&quarter, self.bits, true),
            hi: x.hi.sub(&quarter, self.bits, false),
        };
        if inside.lo.sign() < 0 && inside.hi.sign() > 0 {
            let (left, right) = (x.lo.clone(), x.hi.clone());
            let zero = Dyadic::new;
            return Some((FloatInterval { lo: left, hi: zero() }, FloatInterval { lo: zero(), hi: right }));
        }
        [3, 6, 12, 24]
            .into_iter()
            .find_map(|bits| {
                let at = x.middle(self.bits).round_down(bits);
                let (left, right) = (
                    FloatInterval::new(inside.lo.clone(), at.clone())?,
                    FloatInterval::new(at.clone(), inside.hi.clone())?,
                );
                Some((
                    FloatInterval { lo: x.lo.clone(), hi: left.hi },
                    FloatInterval { lo: right.lo, hi: x.hi.clone() },
                ))
            })
            .or_else(|| x.split(self.bits))
    }

    /// Encloses the integral over `x`, where the integrand is defined, by a Gauss-Legendre rule.
    fn rule(&self, x: &FloatInterval, tolerance: &Dyadic) -> Result<Option<FloatInterval>> {
        let mut ended = Ok(());
        let most = (self.goal.clamp(0, i64::from(self.bits)) as u32 / 2 + 60).min(MOST_NODES);
        let mut f = |z: &_| {
            if ended.is_ok() {
                ended = self.budget.spend(self.expr.len() as u64);
            }
            // Without values, the rule ends soon.
            ended.as_ref().ok().and_then(|()| self.expr.continuation(z, self.bits))
        };
        let rule = gauss_legendre(&mut f, x, tolerance, most, self.bits);
        ended.map(|()| FloatInterval::from_ball(&rule?, self.bits))
    }

    /// Width times values. Only the budget makes it an error; where the integrand is not defined, the
    /// piece says so.
    fn piece(&self, x: FloatInterval, partly: bool) -> Result<Piece> {
        let y = self.evaluator.result(&self.evaluator.values(std::slice::from_ref(&x), self.budget)?);
        let (least, most) = (x.hi.sub(&x.lo, self.bits, false), x.width(self.bits));
        let width = FloatInterval { lo: if partly { Dyadic::new() } else { least }, hi: most };
        let value = y.and_then(|y| width.mul(&y, self.bits).ok_or_else(too_large));
        Ok(Piece { x, partly, value, stale: 0 })
    }

    /// About how large the integrand's absolute values are at some places, times the width: for a first
    /// idea of how small is small.
    fn scale(&self, x: &FloatInterval) -> Result<Dyadic> {
        let mut largest = Dyadic::new();
        let mut parts = vec![x.clone()];
        for _ in 0..3 {
            parts = parts.iter().filter_map(|p| p.split(self.bits)).flat_map(|(a, b)| [a, b]).collect();
        }
        for part in parts {
            let Some(middle) = FloatInterval::point(part.middle(self.bits)) else { continue };
            let value = self.evaluator.result(&self.evaluator.values(&[middle], self.budget)?).ok();
            if let Some(value) = value.map(|v| v.abs().hi).filter(|v| *v > largest) {
                largest = value;
            }
        }
        Ok(largest.mul(&x.width(64), 64, true))
    }

    /// The tolerance, raised to what the integral over a piece allows.
    fn raised(&self, tolerance: Dyadic, value: &FloatInterval) -> Dyadic {
        match least_magnitude(value).map(|m| Dyadic::from(1).halved(self.goal + 1 - m)) {
            Some(allowed) if allowed > tolerance => allowed,
            _ => tolerance,
        }
    }

    fn sum(&self, sum: &FloatInterval, value: &FloatInterval) -> Result<FloatInterval> {
        sum.add(value, self.bits).ok_or_else(too_large)
    }
}

enum Refined {
    Value(FloatInterval),
    Halves(Box<[Piece; 2]>),
}

fn too_large() -> Error {
    Error::new(Code::ExponentLimit, "a value is too large; narrow the interval").at("expr")
}

/// The refusal when the integrand is not enclosed on ever smaller pieces around a place.
fn undefined(e: &Error, x: &FloatInterval) -> Error {
    let place = x.lo.to_rational().map_or("there".to_string(), |q| short(&q));
    let message = format!(
        "the integrand is not enclosed near x = {place}: {}; integrate over intervals on which it is finite and \
         defined, ends included, or substitute",
        e.message
    );
    Error::new(e.code, message).at("expr")
}

// -------------------------------------------------------------------------------------- JSON

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    var: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lo: Option<NumberText<'a>>,
    #[serde(borrow)]
    hi: Option<NumberText<'a>>,
    #[serde(borrow)]
    vars: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    expr: Option<&'a RawValue>,
}

/// `{"kind":"integrate"}`: a definite integral.
pub(super) fn answer_integrate(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    settings.check()?;
    let r: Request = object(request).map_err(not_json)?;
    let missing = |field: &'static str| {
        let message = format!("an integrate request needs expr, var, lo and hi; {field} is missing");
        Error::new(Code::BadRequest, message).at(field)
    };
    let (name, lo, hi) = match r.vars {
        Some(vars) => {
            let mut vars = vars.into_iter();
            let (Some((name, var)), None) = (vars.next(), vars.next()) else {
                return Err(Error::new(Code::BadRequest, "integrate needs exactly one variable").at("vars"));
            };
            let var: Var = object(var.get().as_bytes()).map_err(not_json)?;
            (name, var.lo, var.hi)
        }
        None => (r.var.unwrap_or(Cow::Borrowed("x")), r.lo, r.hi),
    };
    let (lo, hi) = (lo.ok_or_else(|| missing("lo"))?, hi.ok_or_else(|| missing("hi"))?);
    let expr = r.expr.ok_or_else(|| missing("expr"))?;
    let expr = read_expr(expr, &[name.to_string()], settings.exp_limit)?;
    let Integral { output, tight, bits_used } =
        IntegralQuery::new(expr, &lo.0, &hi.0, *settings)?.answer(budget)?;
    let mut out = format!(r#"{{"bits_used":{bits_used},{}"#, &head(settings)[1..]);
    // Writing to a String cannot fail.
    out.push_str(r#","kind":"integrate","output":"#);
    append_interval(&mut out, &output);
    let _ = write!(out, r#","status":"ok","tight":{tight},"tool":"arb_oracle"}}"#);
    Ok(out)
}
