//! The zeros of an expression in one variable on an interval.
//!
//! An interval on which the range excludes 0 has none. Where the derivative excludes 0 there is at most
//! one, which signs at the ends decide and interval Newton narrows; elsewhere the interval is halved.

use super::budget::Budget;
use super::expr::{Evaluator, Expr};
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, Dyadic, FloatInterval, Interval};
use crate::error::{Code, Error, Result};

/// What is proved about the zeros in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Exactly one zero.
    ExactlyOne,
    /// Not decided: there may be none, one or more (a multiple zero, or a budget that ended).
    Unresolved,
}

impl Status {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Status::ExactlyOne => "exactly-one",
            Status::Unresolved => "unresolved",
        }
    }
}

/// An interval, and what is proved about the zeros in it. Outside all of them there is none.
#[derive(Clone, Debug)]
pub struct Root {
    /// The interval.
    pub place: FloatInterval,
    /// The statement.
    pub status: Status,
}

/// Finds disjoint intervals, in rising order, outside of which `expr`, in one variable, has no zero in
/// `x`. Intervals are narrowed to about `bits` bits, or to 2^-`width_bits` where zeros are not isolated.
pub fn roots(expr: &Expr, x: &Interval, bits: Bits, width_bits: i64, budget: &Budget) -> Result<Vec<Root>> {
    if expr.vars().len() != 1 {
        return Err(
            Error::new(Code::BadRequest, "roots needs an expression in exactly one variable").at("vars")
        );
    }
    release_caches_at_thread_exit();
    let whole = FloatInterval::enclosing(&x.lo, &x.hi, bits)
        .ok_or_else(|| Error::new(Code::ExponentLimit, "an endpoint is too large").at("vars"))?;
    let search = Search { expr: expr.evaluator(bits, budget)?, bits, width_bits, budget };
    let mut found: Vec<Root> = Vec::new();
    let mut stack = vec![whole];
    while let Some(part) = stack.pop() {
        let outcome = match search.examine(&part) {
            // What is left when the budget ends is unresolved, which is an answer.
            Err(e) if e.code == Code::Budget || e.code == Code::Timeout => {
                Outcome::Found(part, Status::Unresolved)
            }
            other => other?,
        };
        match outcome {
            Outcome::None => {}
            Outcome::Split(left, right) => stack.extend([right, left]),
            Outcome::Found(place, status) => push(&mut found, Root { place, status }),
        }
    }
    Ok(found)
}

/// Adds a root right of all others; unresolved neighbours that touch become one.
fn push(found: &mut Vec<Root>, new: Root) {
    if let Some(last) = found.last_mut()
        && last.place.hi >= new.place.lo
    {
        // Two statements about one point cannot stand side by side.
        last.place = last.place.hull(&new.place);
        last.status = Status::Unresolved;
    } else {
        found.push(new);
    }
}

enum Outcome {
    None,
    Split(FloatInterval, FloatInterval),
    Found(FloatInterval, Status),
}

struct Search<'a> {
    expr: Evaluator<'a>,
    bits: Bits,
    width_bits: i64,
    budget: &'a Budget,
}

impl Search<'_> {
    fn value(&self, x: &FloatInterval) -> Result<FloatInterval> {
        self.expr.range(std::slice::from_ref(x), self.budget)
    }

    /// The sign of the value at a point: `None` if it may be 0.
    fn sign_at(&self, x: &Dyadic) -> Result<Option<i32>> {
        let point = FloatInterval { lo: x.clone(), hi: x.clone() };
        let sign = self.value(&point)?.sign();
        Ok((sign != 0).then_some(sign))
    }

    fn examine(&self, x: &FloatInterval) -> Result<Outcome> {
        let values = self.expr.values(std::slice::from_ref(x), self.budget)?;
        let y = match self.expr.result(&values) {
            Ok(y) => y,
            // Perhaps defined on smaller parts.
            Err(e) if e.code == Code::Domain || e.code == Code::Pole => {
                return self.halves(x).unwrap_or(Err(e));
            }
            Err(e) => return Err(e),
        };
        if y.sign() != 0 {
            return Ok(Outcome::None);
        }
        let gradient = self.expr.gradient(&values);
        let slope = gradient.and_then(|g| g.into_iter().next()).filter(|slope| slope.sign() != 0);
        if let Some(slope) = slope {
            return self.monotone(x, slope);
        }
        self.halves(x).unwrap_or_else(|| Ok(Outcome::Found(x.clone(), Status::Unresolved)))
    }

    /// The halves, unless `x` is narrow enough to give up. They meet where the value is not 0, so that
    /// no zero is counted in both.
    fn halves(&self, x: &FloatInterval) -> Option<Result<Outcome>> {
        let width = x.width(self.bits);
        if width.magnitude().is_none_or(|m| m < -self.width_bits) {
            return None;
        }
        let middle = x.middle(self.bits);
        let step = width.halved(4);
        for shift in [0i64, 1, -1, 2, -3] {
            let at = middle.add(&step.mul(&Dyadic::from(shift), self.bits, false), self.bits, false);
            if at <= x.lo || at >= x.hi {
                continue;
            }
            if self.sign_at(&at).ok().flatten().is_some() || shift == -3 {
                let left = FloatInterval { lo: x.lo.clone(), hi: at.clone() };
                return Some(Ok(Outcome::Split(left, FloatInterval { lo: at, hi: x.hi.clone() })));
            }
        }
        None
    }

    /// At most one zero: the derivative has one sign on `x`.
    fn monotone(&self, x: &FloatInterval, slope: FloatInterval) -> Result<Outcome> {
        let (left, right) = (self.sign_at(&x.lo)?, self.sign_at(&x.hi)?);
        match (left, right) {
            (Some(l), Some(r)) if l == r => return Ok(Outcome::None),
            (Some(_), Some(_)) => {}
            _ => {
                // An end may be a zero. If the value there is exactly 0 it is the only one.
                for end in [&x.lo, &x.hi] {
                    let point = FloatInterval { lo: end.clone(), hi: end.clone() };
                    let y = self.value(&point)?;
                    if y.is_point() && y.contains_zero() {
                        return Ok(Outcome::Found(point, Status::ExactlyOne));
                    }
                }
                return Ok(self
                    .halves(x)
                    .transpose()?
                    .unwrap_or(Outcome::Found(x.clone(), Status::Unresolved)));
            }
        }
        // Exactly one: Newton steps while they help. The slopes of the whole part stay valid.
        let (mut place, mut slope) = (x.clone(), slope);
        // Digits below those of the ends of `x` are not asked for: a zero at 0 would never end.
        let scale = x.lo.magnitude().max(x.hi.magnitude()).unwrap_or(0);
        let narrow = |place: &FloatInterval| {
            place.width(self.bits).magnitude().is_none_or(|m| m < scale - i64::from(self.bits))
        };
        while !narrow(&place) {
            let centre = FloatInterval { lo: place.middle(self.bits), hi: place.middle(self.bits) };
            let Ok(at_centre) = self.value(&centre) else { break };
            let step = at_centre.div(&slope, self.bits).and_then(|q| centre.sub(&q, self.bits));
            let Some(next) = step.and_then(|n| n.intersection(&place)) else { break };
            let helped = next.width(self.bits) < place.width(self.bits).halved(1);
            place = next;
            if !helped {
                break;
            }
            let Ok(values) = self.expr.values(std::slice::from_ref(&place), self.budget) else { break };
            let narrower = self.expr.gradient(&values).and_then(|g| g.into_iter().next());
            slope = narrower.filter(|s| s.sign() != 0).unwrap_or(slope);
        }
        Ok(Outcome::Found(place, Status::ExactlyOne))
    }
}
