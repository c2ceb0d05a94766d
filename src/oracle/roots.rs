//! The zeros of an expression in one variable on an interval.
//!
//! An interval on which the range excludes 0 has none. Where the derivative excludes 0 there is at most
//! one, which signs at the ends decide and interval Newton narrows; elsewhere the interval is halved.
//!
//! A polynomial with rational coefficients has a better way: all its roots are isolated exactly, multiple
//! ones too.

use super::budget::Budget;
use super::expr::{Algebra, Evaluator, Expr};
use super::poly_roots::PolyRootsQuery;
use super::unary::Settings;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, Dyadic, FloatInterval, Interval, Rational};
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
    /// The multiplicity of exactly one zero, where it is known: 1 where the derivative is not 0.
    pub multiplicity: Option<u32>,
}

/// Finds disjoint intervals, in rising order, outside of which `expr`, in one variable, has no zero in
/// `x`. Intervals are narrowed to about the working precision, or to half of it where zeros are not
/// isolated: that is where values drown in rounding.
pub fn roots(expr: &Expr, x: &Interval, settings: &Settings, budget: &Budget) -> Result<Vec<Root>> {
    if expr.vars().len() != 1 {
        return Err(
            Error::new(Code::BadRequest, "roots needs an expression in exactly one variable").at("vars")
        );
    }
    if let Some(found) = budget.first_half(|half| of_polynomial(expr, x, settings, half))? {
        return Ok(found);
    }
    let bits = settings.working_bits();
    let width_bits = i64::from(bits / 2);
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
            Outcome::Found(place, status) => {
                let multiplicity = (status == Status::ExactlyOne).then_some(1);
                push(&mut found, Root { place, status, multiplicity });
            }
        }
    }
    Ok(found)
}

/// The largest degree for which the roots of a polynomial are found as such.
const MOST_DEGREE: usize = 300;

/// The coefficients may have so many bits while they are multiplied out.
const MOST_BITS: u64 = 1 << 15;

/// The zeros in `x` of an expression that is a polynomial with rational coefficients; `None` for others,
/// and when they were not found.
fn of_polynomial(
    expr: &Expr,
    x: &Interval,
    settings: &Settings,
    budget: &Budget,
) -> Result<Option<Vec<Root>>> {
    let Ok(coefficients) = expr.in_algebra(&Coefficients(budget)) else { return Ok(None) };
    if coefficients.iter().skip(1).all(Rational::is_zero) {
        return Ok(None);
    }
    let value = |q: &Rational| coefficients.iter().rev().fold(Rational::new(), |y, c| &(&y * q) + c);
    let ends = [&x.lo, &x.hi].map(|end| (end.clone(), value(end).is_zero()));
    let mut settings = *settings;
    // More digits, until every root is told from the ends and from its neighbours.
    const MOST_DOUBLINGS: u32 = 4;
    'precision: for _ in 0..=MOST_DOUBLINGS {
        let bits = settings.working_bits();
        let query = PolyRootsQuery { coefficients: coefficients.clone(), settings };
        let answer = match query.answer(budget) {
            Ok(answer) => answer,
            Err(e) if e.code == Code::Cancelled => return Err(e),
            Err(_) => return Ok(None),
        };
        let mut found: Vec<Root> = Vec::new();
        for root in answer.roots.iter().filter(|root| root.real) {
            let (mut lo, mut hi) = (root.re.lo.to_rational(), root.re.hi.to_rational());
            for (end, is_root) in &ends {
                if lo <= *end && *end <= hi {
                    // The only root there: at the end itself, or beside it.
                    match is_root {
                        true => (lo, hi) = (end.clone(), end.clone()),
                        false => {
                            settings = settings.finer();
                            continue 'precision;
                        }
                    }
                }
            }
            if x.lo <= lo && hi <= x.hi {
                let Some(place) = FloatInterval::enclosing(&lo, &hi, bits) else { return Ok(None) };
                let multiplicity = Some(root.multiplicity);
                if found.last().is_some_and(|last| last.place.hi >= place.lo) {
                    settings = settings.finer();
                    continue 'precision;
                }
                found.push(Root { place, status: Status::ExactlyOne, multiplicity });
            }
        }
        return Ok(Some(found));
    }
    Ok(None)
}

/// The polynomials in one variable: the coefficients of 1, x, x², ….
struct Coefficients<'a>(&'a Budget);

impl Algebra for Coefficients<'_> {
    type Value = Vec<Rational>;

    fn number(&self, q: &Rational) -> Vec<Rational> {
        vec![q.clone()]
    }

    fn variable(&self, _: usize) -> Vec<Rational> {
        vec![Rational::new(), Rational::from(1)]
    }

    fn neg(&self, x: &Vec<Rational>) -> Vec<Rational> {
        x.iter().map(|c| -c).collect()
    }

    fn add(&self, x: &Vec<Rational>, y: &Vec<Rational>) -> Result<Vec<Rational>> {
        let (mut sum, other) = if x.len() < y.len() { (y.clone(), x) } else { (x.clone(), y) };
        for (c, d) in sum.iter_mut().zip(other) {
            *c = &*c + d;
        }
        Ok(sum)
    }

    fn mul(&self, x: &Vec<Rational>, y: &Vec<Rational>) -> Result<Vec<Rational>> {
        if x.len() + y.len() > MOST_DEGREE + 2 {
            return Err(Error::new(Code::BadRequest, "the degree is too large").at("expr"));
        }
        self.0.spend((x.len() * y.len()) as u64)?;
        if x.iter().chain(y).any(|c| c.bits() > MOST_BITS) {
            return Err(Error::new(Code::BadRequest, "the coefficients are too long").at("expr"));
        }
        let mut product = vec![Rational::new(); x.len() + y.len() - 1];
        for (i, c) in x.iter().enumerate() {
            for (j, d) in y.iter().enumerate() {
                product[i + j] = &product[i + j] + &(c * d);
            }
        }
        Ok(product)
    }

    fn inv(&self, x: &Vec<Rational>) -> Result<Vec<Rational>> {
        match x.as_slice() {
            [c] if !c.is_zero() => Ok(c.recip().into_iter().collect()),
            _ => Err(Error::new(Code::BadRequest, "a quotient is not a polynomial").at("expr")),
        }
    }
}

/// Adds a root right of all others; unresolved neighbours that touch become one.
fn push(found: &mut Vec<Root>, new: Root) {
    if let Some(last) = found.last_mut()
        && last.place.hi >= new.place.lo
    {
        // Two statements about one point cannot stand side by side.
        last.place = last.place.hull(&new.place);
        (last.status, last.multiplicity) = (Status::Unresolved, None);
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
