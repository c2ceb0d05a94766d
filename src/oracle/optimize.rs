//! The range of an expression over a box, by branch and bound.
//!
//! A part of the box is bounded by the natural extension, narrowed to a face in every variable in which
//! the expression is monotone there, and by the mean-value form. Parts that promise most are looked at
//! with second derivatives: where the expression is concave in a variable its minimum lies on a face,
//! where it is convex Newton's method finds the minimum and a tangent plane bounds it. Values at points
//! bound the end from the other side, so each answer says how far from the truth it can be. (Method:
//! Moore, Kearfott and Cloud, Introduction to Interval Analysis, SIAM 2009, chapters 6 and 8; Hansen and
//! Walster, Global Optimization Using Interval Analysis, 2004, chapters 11 and 12.)
//!
//! Parts are looked at with few bits, again with all when that was too little, and points that may be
//! the minimum with all.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::arithmetic::Arithmetic;
use super::budget::Budget;
use super::convex::{Factors, hessian};
use super::expr::{Evaluator, Expr};
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, Dyadic, Enclosure, FloatInterval, Interval, Rational};
use crate::error::{Code, Error, Result};

/// After so many subdivisions a part that is still not even enclosed contains a pole or leaves the
/// domain, for all that can be told.
const MOST_FAILING_SPLITS: u64 = 1000;

/// The precision of a first look: numbers of so many bits are stored in place.
const COARSE: Bits = 64;

/// Bounds that agree in so many bits are compared with full precision.
const CLOSE: i64 = 32;

/// Second derivatives are taken in at most so many variables.
const MOST_CURVED: usize = 6;

/// How much work goes into tightness. Every level is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One pass of the natural extension with true ranges of the functions.
    Fast,
    /// Mean-value forms, monotonicity, convexity, and a bounded number of subdivisions.
    Default,
    /// Branch and bound until both ends are within the tolerance, or the budget ends.
    Tight,
}

impl Level {
    /// The name used in requests.
    pub fn name(self) -> &'static str {
        match self {
            Level::Fast => "fast",
            Level::Default => "default",
            Level::Tight => "tight",
        }
    }

    /// The level of this name.
    pub fn find(name: &str) -> Option<Level> {
        [Level::Fast, Level::Default, Level::Tight].into_iter().find(|l| l.name() == name)
    }

    pub(super) fn most_splits(self) -> u64 {
        match self {
            Level::Fast => 0,
            Level::Default => 48,
            Level::Tight => u64::MAX,
        }
    }
}

/// For each coordinate, the exact endpoint that it stands for.
type Ends = Vec<Option<End>>;

/// An endpoint of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lower,
    Upper,
}

/// A box: one interval per variable of an expression.
pub type FloatBox = Vec<FloatInterval>;

/// An end of a range: the least (or the greatest) value over a box.
#[derive(Debug)]
pub struct EndOfRange {
    /// Bounds of the end. Without a value at a point the inner bound is that of the whole range.
    pub value: Enclosure,
    /// The outer bound alone, rounded to the working precision.
    pub outer: Dyadic,
    /// The best value at a point, if one was found: the end is between it and `outer`.
    pub inner: Option<Dyadic>,
    /// The point at which `inner` was found, up to the rounding of its coordinates.
    pub witness: Option<FloatBox>,
    /// Boxes that together contain every point where the end is attained.
    pub places: Vec<FloatBox>,
}

/// Searches for the ends of a range over a box.
pub(super) struct Optimizer<'a> {
    expr: &'a Expr,
    exact: &'a [Interval],
    /// The box, rounded outward.
    outer: FloatBox,
    /// For each variable, an interval as thin as can be around its exact lower and upper endpoint.
    endpoints: Vec<(FloatInterval, FloatInterval)>,
    coarse: Evaluator<'a>,
    fine: Evaluator<'a>,
    /// Whether values at rational points are known exactly.
    is_rational: bool,
}

/// A part of the box that may contain the minimum.
struct Part {
    /// A lower bound there; `None` while the expression was not even enclosed there.
    lower: Option<Dyadic>,
    /// Why there is no bound.
    failure: Option<Error>,
    /// Where the bound was found: the part itself, or a face of it.
    place: FloatBox,
    /// For each coordinate of `place`, whether it stands for the exact lower or upper endpoint of the box.
    ends: Ends,
    /// Where every minimum of this part lies.
    cover: FloatBox,
    /// The variable to split next.
    split: usize,
    /// Whether second derivatives have been looked at.
    curved: bool,
    /// Whether the expression is proved convex on `place`, in the coordinates that are not fixed.
    convex: bool,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Part {}
impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Part {
    /// The greatest part is the one to look at next: no bound first, then the least bound.
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.lower, &other.lower) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
            (Some(x), Some(y)) => y.partial_cmp(x).unwrap_or(Ordering::Equal),
        }
    }
}

impl<'a> Optimizer<'a> {
    /// Prepares to bound `expr` over `x`, working with `bits` bits.
    pub(super) fn new(expr: &'a Expr, x: &'a [Interval], bits: Bits, budget: &Budget) -> Result<Self> {
        release_caches_at_thread_exit();
        let enclosing = |lo: &Rational, hi: &Rational| {
            FloatInterval::enclosing(lo, hi, bits)
                .ok_or_else(|| Error::new(Code::ExponentLimit, "an endpoint is too large").at("vars"))
        };
        let mut endpoints = Vec::with_capacity(x.len());
        for i in x {
            endpoints.push((enclosing(&i.lo, &i.lo)?, enclosing(&i.hi, &i.hi)?));
        }
        let whole = |(lo, hi): &(FloatInterval, FloatInterval)| FloatInterval {
            lo: lo.lo.clone(),
            hi: hi.hi.clone(),
        };
        let corner: Vec<Rational> = x.iter().map(|i| i.lo.clone()).collect();
        Ok(Optimizer {
            is_rational: expr.exact(&corner).is_some(),
            expr,
            exact: x,
            outer: endpoints.iter().map(whole).collect(),
            endpoints,
            coarse: expr.evaluator(bits.min(COARSE), budget)?,
            fine: expr.evaluator(bits, budget)?,
        })
    }

    /// Encloses both ends in one pass of the natural extension.
    pub(super) fn fast(&self, budget: &Budget) -> Result<(EndOfRange, EndOfRange)> {
        let y = self.fine.range(&self.outer, budget)?;
        let middle = self.middle(&self.outer);
        let at_middle = self.fine.range(&middle, budget).ok();
        let end = |outer: &Dyadic, inner: Option<Dyadic>| {
            let inside = inner.clone().unwrap_or_else(|| outer.clone());
            let (lo, hi) = if inside < *outer { (inside, outer.clone()) } else { (outer.clone(), inside) };
            EndOfRange {
                value: Enclosure::between(lo, hi),
                outer: outer.clone(),
                witness: inner.as_ref().map(|_| middle.clone()),
                inner,
                places: vec![self.outer.clone()],
            }
        };
        let (least, greatest) = (at_middle.as_ref().map(|y| y.hi.clone()), at_middle.map(|y| y.lo));
        Ok((end(&y.lo, least), end(&y.hi, greatest)))
    }

    /// Encloses the least value, or the greatest if `maximize` (the negative of the least value of the
    /// negated expression). Stops after the subdivisions of the level, or when `done(lower, upper, n)` with
    /// bounds of that least value after `n` subdivisions; then, and when the budget ends, with what is proved by then.
    ///
    /// Errors are those of the expression if it is not defined over the whole box as far as can be
    /// told, and those of the budget if nothing is proved yet.
    pub(super) fn run(
        &self,
        maximize: bool,
        level: Level,
        budget: &Budget,
        done: impl Fn(&Dyadic, &Dyadic, u64) -> bool,
    ) -> Result<EndOfRange> {
        /// So many subdivisions are spent on finding an end exactly.
        const EXACT_SPLITS: u64 = 8;
        let mut search = Search { o: self, maximize, budget, done: &done, best: None };
        search.try_corners();
        let mut heap = BinaryHeap::new();
        let ends = self.exact.iter().map(|x| x.is_point().then_some(End::Lower)).collect();
        heap.extend(search.examine(self.outer.clone(), ends, self.outer.clone(), None)?);
        let mut splits = 0;
        while splits < level.most_splits() {
            let Some(first) = heap.peek() else { break };
            if first.lower.is_none() && splits >= MOST_FAILING_SPLITS {
                break;
            }
            if let (Some(lower), Some((upper, _))) = (&first.lower, &search.best)
                && (lower >= upper || done(lower, upper, splits))
                && (!self.is_rational || splits >= EXACT_SPLITS || first.convex || self.is_fixed(first))
            {
                break;
            }
            let Some(part) = heap.pop() else { break };
            splits += 1;
            let mut new = Vec::new();
            match search.divide(&part, &mut new) {
                Ok(true) => heap.extend(new),
                // As small as the precision allows, or without variables.
                Ok(false) => {
                    heap.push(part);
                    break;
                }
                Err(e) if e.code == Code::Cancelled => return Err(e),
                Err(e) if part.lower.is_none() => return Err(part.failure.unwrap_or(e)),
                Err(_) => {
                    // The budget ended between the pieces: the part they came from stands for all.
                    heap.push(part);
                    break;
                }
            }
        }
        search.finish(heap)
    }

    /// A point of the exact box in a part of it: dyadic, or around an exact endpoint.
    fn middle(&self, x: &[FloatInterval]) -> FloatBox {
        let middle = |x: &FloatInterval| match x.middle(COARSE) {
            // Too narrow for few bits.
            m if m == x.lo || m == x.hi => x.middle(self.fine.bits()),
            m => m,
        };
        x.iter().enumerate().map(|(i, x)| self.inside(i, middle(x))).collect()
    }

    /// The coordinate `i` of a point of the exact box: `at`, or around an exact endpoint.
    fn inside(&self, i: usize, at: Dyadic) -> FloatInterval {
        let (first, last) = &self.endpoints[i];
        if at <= first.hi {
            first.clone()
        } else if at >= last.lo {
            last.clone()
        } else {
            FloatInterval { lo: at.clone(), hi: at }
        }
    }

    /// Whether every coordinate of a part is fixed.
    fn is_fixed(&self, part: &Part) -> bool {
        part.place.iter().zip(&part.ends).all(|(x, end)| is_fixed(x, *end))
    }

    /// The face of a part at which coordinate `i` is least, or greatest; `None` for a face that may lie
    /// beside the exact box.
    fn face(&self, i: usize, x: &FloatInterval, at: End) -> Option<(FloatInterval, Option<End>)> {
        let ((first, last), whole) = (&self.endpoints[i], &self.outer[i]);
        let (coordinate, outermost, end) = match at {
            End::Lower => (&x.lo, &whole.lo, first),
            End::Upper => (&x.hi, &whole.hi, last),
        };
        if coordinate == outermost {
            return Some((end.clone(), Some(at)));
        }
        let inside = *coordinate > first.hi && *coordinate < last.lo;
        inside.then(|| (FloatInterval { lo: coordinate.clone(), hi: coordinate.clone() }, None))
    }

    /// The exact minimum (or maximum) over a part: at a thin box, or where an expression that is convex
    /// there has gradient 0 at a simple rational point.
    fn exact_value(&self, part: &Part) -> Option<Rational> {
        if !self.is_rational {
            return None;
        }
        let mut free = Vec::new();
        let mut coordinate = |(i, x): (usize, &FloatInterval)| {
            match part.ends[i] {
                Some(End::Lower) => Some(self.exact[i].lo.clone()),
                Some(End::Upper) => Some(self.exact[i].hi.clone()),
                None if x.is_point() => x.lo.to_rational(),
                None => {
                    free.push(i);
                    let (lo, hi) = (x.lo.to_rational()?, x.hi.to_rational()?);
                    // The place may reach beyond the exact box.
                    let (lo, hi) = (lo.max(self.exact[i].lo.clone()), hi.min(self.exact[i].hi.clone()));
                    (lo <= hi).then(|| Rational::simplest_between(&lo, &hi))
                }
            }
        };
        let point: Option<Vec<Rational>> = part.place.iter().enumerate().map(&mut coordinate).collect();
        let point = point?;
        let value = self.expr.exact(&point)?;
        let stationary = |i: &usize| self.expr.exact_slope(&point, *i).is_some_and(|slope| slope.is_zero());
        (free.is_empty() || (part.convex && free.iter().all(stationary))).then_some(value)
    }
}

/// A minimisation, of the expression or its negative.
struct Search<'s, 'a> {
    o: &'s Optimizer<'a>,
    maximize: bool,
    budget: &'s Budget,
    done: &'s dyn Fn(&Dyadic, &Dyadic, u64) -> bool,
    /// The best value at a point so far, and the point.
    best: Option<(Dyadic, FloatBox)>,
}

impl Search<'_, '_> {
    /// Of the expression, what that is of the function to minimise.
    fn signed<N: Arithmetic>(&self, y: N) -> N {
        if self.maximize { y.neg() } else { y }
    }

    fn gradient(&self, e: &Evaluator, x: &[FloatInterval]) -> Result<Option<(FloatInterval, FloatBox)>> {
        let values = e.values(x, self.budget)?;
        let gradient = || {
            let y = self.signed(e.result(&values).ok()?);
            let gradient = e.gradient(&values)?;
            Some((y, gradient.into_iter().map(|g| self.signed(g)).collect()))
        };
        Ok(gradient())
    }

    fn finish(self, heap: BinaryHeap<Part>) -> Result<EndOfRange> {
        let mut parts = heap.into_sorted_vec();
        let first = parts.pop();
        let exact = first.as_ref().and_then(|part| self.o.exact_value(part));
        let Some(Part { lower: Some(lower), cover, .. }) = first else {
            let failure = first.and_then(|p| p.failure);
            return Err(failure.unwrap_or_else(|| Error::new(Code::Internal, "every part was discarded")));
        };
        // At a point the value may be known exactly; it is the end if no part reaches below it.
        let negate = self.maximize;
        let exact = exact.map(|v| if negate { -&v } else { v });
        let reaches_below = |p: &Part, v: &Rational| match &p.lower {
            Some(lower) => v.partial_cmp_dyadic(lower).is_none_or(|order| order == Ordering::Greater),
            None => true,
        };
        let exact = exact.filter(|v| !parts.iter().any(|p| reaches_below(p, v)));
        let (inner, witness) = self.best.map_or((None, None), |(value, point)| (Some(value), Some(point)));
        // The end is attained where a part may reach below the best value.
        let matters = |p: &Part| match (&p.lower, &inner) {
            (Some(l), Some(u)) => l <= u,
            _ => true,
        };
        let mut places = vec![cover];
        places.extend(parts.into_iter().rev().filter(matters).map(|p| p.cover));
        let inside = inner.clone().unwrap_or_else(|| lower.clone());
        let signed = |d: Dyadic| if negate { -&d } else { d };
        let (inside, outer) = (signed(inside), signed(lower));
        let value = match exact {
            Some(v) => Enclosure::exact(if negate { -&v } else { v }),
            None if negate => Enclosure::between(inside, outer.clone()),
            None => Enclosure::between(outer.clone(), inside),
        };
        Ok(EndOfRange { value, outer, inner: inner.map(signed), witness, places })
    }

    /// Tries the corners of the box, where they are few: many expressions are extremal there.
    fn try_corners(&mut self) {
        const MOST_VARIABLES: usize = 3;
        let n = self.o.endpoints.len();
        if n > MOST_VARIABLES {
            return;
        }
        for corner in 0..1usize << n {
            let ends = self.o.endpoints.iter().enumerate();
            let point: FloatBox = ends
                .map(|(i, (first, last))| if corner >> i & 1 == 0 { first.clone() } else { last.clone() })
                .collect();
            self.try_point(&self.o.fine, &point);
        }
    }

    /// Improves the best value by that at a point.
    fn try_point(&mut self, e: &Evaluator, x: &[FloatInterval]) -> Option<FloatInterval> {
        let y = self.signed(e.range(x, self.budget).ok()?);
        self.improve(&y, x);
        Some(y)
    }

    fn improve(&mut self, y: &FloatInterval, x: &[FloatInterval]) {
        if self.best.as_ref().is_none_or(|(best, _)| y.hi < *best) {
            self.best = Some((y.hi.clone(), x.to_vec()));
        }
    }

    /// Bounds the expression over a part of the box. `None` when the minimum cannot be there. `known` is
    /// a lower bound known before; few bits suffice only if they improve it.
    fn examine(
        &mut self,
        mut place: FloatBox,
        mut ends: Ends,
        mut cover: FloatBox,
        known: Option<&Dyadic>,
    ) -> Result<Option<Part>> {
        let o = self.o;
        let (mut e, mut values) = (&o.coarse, None);
        if let Some(known) = known.filter(|known| !self.is_close(known)) {
            let found = e.values(&place, self.budget)?;
            if e.result(&found).is_ok_and(|y| self.signed(y).lo > *known) {
                values = Some(found);
            }
        }
        let values = match values {
            Some(values) => values,
            None => {
                e = &o.fine;
                e.values(&place, self.budget)?
            }
        };
        let bits = e.bits();
        // A part without slopes, so that second derivatives are not worth a try.
        let part = |lower, failure, place, ends, cover, split| Part {
            lower,
            failure,
            place,
            ends,
            cover,
            split,
            curved: true,
            convex: false,
        };
        let mut lower = match e.result(&values) {
            Ok(y) => self.signed(y).lo,
            Err(failure) => {
                // Perhaps only because the part is too large; look closer. Where it is a part of one that was
                // enclosed, that is known.
                let split = widest(&place, bits);
                let (lower, failure) = (known.cloned(), known.is_none().then_some(failure));
                return Ok(Some(part(lower, failure, place, ends, cover, split)));
            }
        };
        let raise = |lower: &mut Dyadic, bound: &Dyadic| {
            if bound > lower {
                *lower = bound.clone();
            }
        };
        if let Some(known) = known {
            raise(&mut lower, known);
        }
        if self.is_beaten(&lower) {
            return Ok(None);
        }
        let Some(gradient) = e.gradient(&values) else {
            let centre = o.middle(&place);
            self.try_point(e, &centre);
            let split = widest(&place, bits);
            return Ok(Some(part(Some(lower), None, place, ends, cover, split)));
        };
        let gradient: FloatBox = gradient.into_iter().map(|g| self.signed(g)).collect();
        // Where the expression is monotone in a variable, its minimum lies on a face.
        let whole = same(&place, &cover);
        let mut on_face = false;
        for ((i, x), slope) in place.iter_mut().enumerate().zip(&gradient) {
            let (rising, falling) = (slope.lo.sign() >= 0, slope.hi.sign() <= 0);
            if is_fixed(x, ends[i]) || !(rising || falling) {
                continue;
            }
            let Some((face, end)) = o.face(i, x, if rising { End::Lower } else { End::Upper }) else {
                continue;
            };
            on_face = true;
            // With a slope that may be 0, or one known on a face only, the minimum may be attained beside the
            // face as well.
            if slope.sign() != 0 && whole {
                cover[i] = face.clone();
            }
            (*x, ends[i]) = (face, end);
        }
        let thin = place.iter().zip(&ends).all(|(x, end)| is_fixed(x, *end));
        if on_face {
            let e = if thin { &o.fine } else { e };
            // Where a face is too small for a function, what is known of the part holds.
            if let Ok(y) = e.result(&e.values(&place, self.budget)?) {
                raise(&mut lower, &self.signed(y).lo);
            }
        }
        let centre = if thin { place.clone() } else { o.middle(&place) };
        let value = self.try_point(if thin { &o.fine } else { e }, &centre);
        // The slopes are those of this part, so the centre must be in it.
        let inside = place.iter().zip(&centre).all(|(x, c)| x.contains(c));
        let mut by_slopes = false;
        if let Some(y) = value.filter(|_| inside && !thin)
            && let Some(bound) = tangent(y, &place, &centre, &gradient, bits)
        {
            by_slopes = bound.lo > lower;
            raise(&mut lower, &bound.lo);
        }
        if self.is_beaten(&lower) {
            return Ok(None);
        }
        let split = steepest(&place, &gradient, bits);
        let free = place.iter().zip(&ends).filter(|(x, end)| !is_fixed(x, **end)).count();
        // In several variables second derivatives cost more, and tell little where slopes do not; but once
        // they are worth a try.
        let curved = !(free == 1 || (free <= MOST_CURVED && (by_slopes || known.is_none())));
        Ok(Some(Part { lower: Some(lower), failure: None, place, ends, cover, split, curved, convex: false }))
    }

    /// Whether a part with this lower bound cannot contain the minimum.
    fn is_beaten(&self, lower: &Dyadic) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| lower > best)
    }

    /// Whether a lower bound agrees with the best value in many bits.
    fn is_close(&self, lower: &Dyadic) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| {
            let gap = best.sub(lower, COARSE, true).magnitude();
            gap.is_none_or(|gap| best.magnitude().is_some_and(|m| gap < m - CLOSE))
        })
    }

    /// Replaces a part by what is left of it after a closer look, or by its halves. `false` when nothing
    /// more can be done.
    fn divide(&mut self, part: &Part, new: &mut Vec<Part>) -> Result<bool> {
        if !part.curved && self.by_curvature(part, new)? {
            return Ok(true);
        }
        let splits = |i: usize| {
            let x = part.place.get(i).filter(|x| !is_fixed(x, part.ends[i]))?;
            Some((i, x.split(COARSE).or_else(|| x.split(self.o.fine.bits()))?))
        };
        let Some((i, (left, right))) = splits(part.split).or_else(|| (0..part.place.len()).find_map(splits))
        else {
            return Ok(false);
        };
        for half in [left, right] {
            let (mut place, mut cover) = (part.place.clone(), part.cover.clone());
            place[i] = half.clone();
            cover[i] = half;
            new.extend(self.examine(place, part.ends.clone(), cover, part.lower.as_ref())?);
        }
        Ok(true)
    }

    /// Uses second derivatives on a part, if they tell something.
    fn by_curvature(&mut self, part: &Part, new: &mut Vec<Part>) -> Result<bool> {
        let o = self.o;
        let free: Vec<usize> =
            (0..part.place.len()).filter(|i| !is_fixed(&part.place[*i], part.ends[*i])).collect();
        let Some(h) = self.hessian(&part.place, &free)? else { return Ok(false) };
        if let Some(k) = (0..free.len()).find(|k| h[*k][*k].sign() < 0) {
            // Concave in this variable: the minimum lies on one of two faces, and only there.
            let i = free[k];
            let whole = same(&part.cover, &part.place);
            let x = &part.place[i];
            let (Some(lower), Some(upper)) = (o.face(i, x, End::Lower), o.face(i, x, End::Upper)) else {
                return Ok(false);
            };
            for (face, end) in [lower, upper] {
                let (mut place, mut ends, mut cover) =
                    (part.place.clone(), part.ends.clone(), part.cover.clone());
                if whole {
                    cover[i] = face.clone();
                }
                (place[i], ends[i]) = (face, end);
                new.extend(self.examine(place, ends, cover, part.lower.as_ref())?);
            }
            return Ok(true);
        }
        match Factors::of(&h, o.coarse.bits()) {
            Some(factors) => self.newton(part, &free, &factors, new),
            None => Ok(false),
        }
    }

    fn hessian(&self, x: &[FloatInterval], free: &[usize]) -> Result<Option<Vec<Vec<FloatInterval>>>> {
        let h = hessian(&self.o.coarse, x, free, self.budget)?;
        Ok(h.map(|rows| {
            rows.into_iter().map(|row| row.into_iter().map(|x| self.signed(x)).collect()).collect()
        }))
    }

    /// On a part where the expression is convex in the free variables: finds the minimum, and bounds it
    /// by the tangent plane there.
    fn newton(&mut self, part: &Part, free: &[usize], h: &Factors, new: &mut Vec<Part>) -> Result<bool> {
        const MOST_STEPS: usize = 40;
        let o = self.o;
        let mut lower = part.lower.clone();
        let mut at = o.middle(&part.place);
        let mut e = &o.coarse;
        let mut gap: Option<Dyadic> = None;
        // A point, and the slopes there.
        let mut last: Option<(FloatBox, FloatBox)> = None;
        for _ in 0..MOST_STEPS {
            let Some((y, gradient)) = self.gradient(e, &at)? else { break };
            self.improve(&y, &at);
            last = Some((at.clone(), gradient.clone()));
            let Some(bound) = tangent(y.clone(), &part.place, &at, &gradient, e.bits()) else { break };
            if lower.as_ref().is_none_or(|l| bound.lo > *l) {
                lower = Some(bound.lo.clone());
            }
            if self.is_beaten(&bound.lo) {
                return Ok(true);
            }
            if let (Some(lower), Some((best, _))) = (&lower, &self.best)
                && (self.done)(lower, best, 0)
            {
                break;
            }
            let new_gap = y.hi.sub(&bound.lo, COARSE, true);
            let helped = gap.is_none_or(|gap| new_gap < gap.halved(1));
            gap = Some(new_gap);
            if !helped {
                if e.bits() == o.fine.bits() {
                    break;
                }
                e = &o.fine;
                gap = None;
                continue;
            }
            // A coordinate at its end from which the slope leads outward stays there.
            let moving: Vec<usize> = free
                .iter()
                .copied()
                .filter(|i| {
                    let (x, at, slope) = (&part.place[*i], &at[*i], &gradient[*i]);
                    !(at.lo <= x.lo && slope.lo.sign() > 0 || at.hi >= x.hi && slope.hi.sign() < 0)
                })
                .collect();
            let Some(curvature) = self.hessian(&at, &moving)? else { break };
            let Some(factors) = Factors::of(&curvature, o.coarse.bits()) else { break };
            let downhill: FloatBox = moving.iter().map(|i| gradient[*i].neg()).collect();
            let Some(step) = factors.solve(&downhill) else { break };
            for (i, step) in moving.iter().zip(&step) {
                let x = &part.place[*i];
                let to = at[*i].lo.add(&step.middle(COARSE), o.fine.bits(), false);
                let to = if to < x.lo {
                    x.lo.clone()
                } else if to > x.hi {
                    x.hi.clone()
                } else {
                    to
                };
                at[*i] = o.inside(*i, to);
            }
        }
        let mut cover = part.cover.clone();
        let mut place = part.place.clone();
        // If Newton's method maps the part into its interior there is a zero of the gradient there, which
        // is the only minimum of a strictly convex function.
        let inside = |at: &[FloatInterval]| part.place.iter().zip(at).all(|(x, at)| x.contains(at));
        if let Some((at, gradient)) = last.filter(|(at, _)| inside(at) && same(&cover, &place)) {
            let downhill: FloatBox = free.iter().map(|i| gradient[*i].neg()).collect();
            let image = || {
                let steps = h.solve(&downhill)?;
                let sums = free.iter().zip(steps).map(|(i, step)| at[*i].add(&step, o.fine.bits()));
                sums.collect::<Option<FloatBox>>()
            };
            let interior = |image: &FloatBox| {
                let mut pairs = free.iter().zip(image);
                pairs.all(|(i, y)| place[*i].lo < y.lo && y.hi < place[*i].hi)
            };
            if let Some(image) = image().filter(interior) {
                for (i, narrower) in free.iter().zip(image) {
                    (cover[*i], place[*i]) = (narrower.clone(), narrower);
                }
            }
        }
        if lower == part.lower && same(&place, &part.place) {
            return Ok(false);
        }
        let split = widest(&place, o.fine.bits());
        let ends = part.ends.clone();
        new.push(Part { lower, failure: None, place, ends, cover, split, curved: true, convex: true });
        Ok(true)
    }
}

/// `y + Σ slopeᵢ·(xᵢ - atᵢ)`: with the slopes over a box it contains the values there; with the slopes of
/// a convex function at one point it is nowhere above them.
fn tangent(
    y: FloatInterval,
    x: &[FloatInterval],
    at: &[FloatInterval],
    slopes: &[FloatInterval],
    bits: Bits,
) -> Option<FloatInterval> {
    let mut sum = y;
    for ((x, at), slope) in x.iter().zip(at).zip(slopes) {
        sum = sum.add(&x.sub(at, bits)?.mul(slope, bits)?, bits)?;
    }
    Some(sum)
}

/// Whether a coordinate is one number.
fn is_fixed(x: &FloatInterval, end: Option<End>) -> bool {
    end.is_some() || x.is_point()
}

/// Whether two boxes are equal.
fn same(x: &[FloatInterval], y: &[FloatInterval]) -> bool {
    x.iter().zip(y).all(|(x, y)| x.lo == y.lo && x.hi == y.hi)
}

/// The variable with the widest interval.
fn widest(x: &[FloatInterval], bits: Bits) -> usize {
    greatest(x.iter().map(|x| x.width(bits)))
}

/// The variable over whose interval the expression may change most.
fn steepest(x: &[FloatInterval], gradient: &[FloatInterval], bits: Bits) -> usize {
    greatest(x.iter().zip(gradient).map(|(x, slope)| x.width(bits).mul(&slope.abs().hi, bits, true)))
}

fn greatest(sizes: impl Iterator<Item = Dyadic>) -> usize {
    let mut best = (0, Dyadic::from(-1));
    for (i, size) in sizes.enumerate() {
        if size > best.1 {
            best = (i, size);
        }
    }
    best.0
}
