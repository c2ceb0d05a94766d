//! The range of an expression over a box, by branch and bound.
//!
//! A part of the box is bounded by the natural extension, narrowed to a face in every variable in which
//! the expression is monotone there, and by the mean-value form. Values at points bound the end from
//! the other side, so each answer says how far from the truth it can be. (Method: Moore, Kearfott and
//! Cloud, Introduction to Interval Analysis, SIAM 2009, chapters 6 and 8.)

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::budget::Budget;
use super::expr::Expr;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, Dyadic, Enclosure, FloatInterval, Interval};
use crate::error::{Code, Error, Result};

/// After so many subdivisions a part that is still not even enclosed contains a pole or leaves the
/// domain, for all that can be told.
const MOST_FAILING_SPLITS: u64 = 1000;

/// How much work goes into tightness. Every level is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One pass of the natural extension with true ranges of the functions.
    Fast,
    /// Mean-value forms, monotonicity, and a bounded number of subdivisions.
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

    fn most_splits(self) -> u64 {
        match self {
            Level::Fast => 0,
            Level::Default => 48,
            Level::Tight => u64::MAX,
        }
    }
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

/// A minimisation or maximisation over a box.
pub struct Optimizer<'a> {
    expr: &'a Expr,
    maximize: bool,
    bits: Bits,
    budget: &'a Budget,
    /// The box, rounded outward.
    outer: FloatBox,
    /// For each variable, an interval as thin as can be around its exact lower and upper endpoint.
    endpoints: Vec<(FloatInterval, FloatInterval)>,
    /// The best value at a point so far (of the minimisation), and the point.
    best: Option<(Dyadic, FloatBox)>,
}

/// A part of the box that may contain the minimum.
struct Part {
    /// A lower bound there; `None` while the expression was not even enclosed there.
    lower: Option<Dyadic>,
    /// Why there is no bound.
    failure: Option<Error>,
    /// Where the bound was found: the part itself, or a face of it.
    place: FloatBox,
    /// Where every minimum of this part lies.
    cover: FloatBox,
    /// The variable to split next.
    split: usize,
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
    /// The least value of `expr` over `x` (or the greatest if `maximize`), working with `bits` bits.
    pub fn new(
        expr: &'a Expr,
        x: &[Interval],
        maximize: bool,
        bits: Bits,
        budget: &'a Budget,
    ) -> Result<Optimizer<'a>> {
        release_caches_at_thread_exit();
        let finite = |i: Option<FloatInterval>| {
            i.ok_or_else(|| Error::new(Code::ExponentLimit, "an endpoint is too large").at("vars"))
        };
        let outer = x.iter().map(|i| finite(FloatInterval::enclosing(&i.lo, &i.hi, bits)));
        let endpoints = x.iter().map(|i| {
            Ok((
                finite(FloatInterval::enclosing(&i.lo, &i.lo, bits))?,
                finite(FloatInterval::enclosing(&i.hi, &i.hi, bits))?,
            ))
        });
        Ok(Optimizer {
            expr,
            maximize,
            bits,
            budget,
            outer: outer.collect::<Result<_>>()?,
            endpoints: endpoints.collect::<Result<_>>()?,
            best: None,
        })
    }

    /// Encloses the end. Stops after `splits` subdivisions, or when `done(outer, inner)`; then, and
    /// when the budget ends, with what is proved by then.
    ///
    /// Errors are those of the expression if it is not defined over the whole box as far as can be
    /// told, and those of the budget if nothing is proved yet.
    pub fn run(mut self, level: Level, done: impl Fn(&Dyadic, &Dyadic) -> bool) -> Result<EndOfRange> {
        let whole = self.outer.clone();
        let mut heap = BinaryHeap::new();
        if level == Level::Fast {
            let y = self.value(&whole)?;
            self.try_point(&self.middle(&whole));
            heap.push(Part {
                lower: Some(y.lo),
                failure: None,
                cover: whole.clone(),
                place: whole,
                split: 0,
            });
            return self.finish(heap);
        }
        self.try_corners();
        heap.extend(self.examine(whole.clone(), whole)?);
        let mut splits = 0;
        while splits < level.most_splits() {
            let Some(first) = heap.peek() else { break };
            if first.lower.is_none() && splits >= MOST_FAILING_SPLITS {
                break;
            }
            if let (Some(lower), Some((upper, _))) = (&first.lower, &self.best)
                && (lower >= upper || done(lower, upper))
            {
                break;
            }
            let Some(part) = heap.pop() else { break };
            let halves = part.place.get(part.split).and_then(|x| x.split(self.bits));
            let Some((left, right)) = halves else {
                // As small as the precision allows, or without variables.
                heap.push(part);
                break;
            };
            splits += 1;
            let mut stop = None;
            for half in [left, right] {
                let (mut place, mut cover) = (part.place.clone(), part.cover.clone());
                place[part.split] = half.clone();
                cover[part.split] = half;
                match self.examine(place, cover) {
                    Ok(Some(new)) => heap.push(self.no_looser(new, &part)),
                    Ok(None) => {}
                    Err(e) => stop = Some(e),
                }
            }
            if let Some(e) = stop {
                if e.code == Code::Cancelled || part.lower.is_none() {
                    return Err(if e.code == Code::Cancelled { e } else { part.failure.unwrap_or(e) });
                }
                // The budget ended between the halves: the part they came from stands for both.
                heap.push(part);
                break;
            }
        }
        self.finish(heap)
    }

    /// A part is not bounded worse than the one it is a half of.
    fn no_looser(&self, mut new: Part, parent: &Part) -> Part {
        if let (Some(l), Some(p)) = (&new.lower, &parent.lower)
            && p > l
        {
            new.lower = Some(p.clone());
        }
        new
    }

    fn finish(self, heap: BinaryHeap<Part>) -> Result<EndOfRange> {
        let mut parts = heap.into_sorted_vec();
        let first = parts.pop();
        let Some(Part { lower: Some(lower), cover, .. }) = first else {
            let failure = first.and_then(|p| p.failure);
            return Err(failure.unwrap_or_else(|| Error::new(Code::Internal, "every part was discarded")));
        };
        let (inner, witness) = self.best.map_or((None, None), |(value, point)| (Some(value), Some(point)));
        // The end is attained where a part may reach below the best value.
        let matters = |p: &Part| match (&p.lower, &inner) {
            (Some(l), Some(u)) => l <= u,
            _ => true,
        };
        let mut places = vec![cover];
        places.extend(parts.into_iter().rev().filter(matters).map(|p| p.cover));
        let inner_bound = inner.clone().unwrap_or_else(|| lower.clone());
        let (outer, inner, value) = if self.maximize {
            let (outer, inside) = (-&lower, -&inner_bound);
            (outer.clone(), inner.map(|v| -&v), Enclosure::between(inside, outer))
        } else {
            (lower.clone(), inner, Enclosure::between(lower, inner_bound))
        };
        Ok(EndOfRange { value, outer, inner, witness, places })
    }

    /// The range over a box, of the minimisation.
    fn value(&self, x: &[FloatInterval]) -> Result<FloatInterval> {
        self.budget.spend(self.expr.len() as u64)?;
        let y = self.expr.value(&self.expr.evaluate(x, self.bits))?;
        Ok(if self.maximize { y.neg() } else { y })
    }

    /// A point of the exact box in a part of it: dyadic, or around an exact endpoint.
    fn middle(&self, x: &[FloatInterval]) -> FloatBox {
        x.iter()
            .zip(&self.endpoints)
            .map(|(x, (first, last))| {
                let middle = x.middle(self.bits);
                if middle <= first.hi {
                    first.clone()
                } else if middle >= last.lo {
                    last.clone()
                } else {
                    FloatInterval { lo: middle.clone(), hi: middle }
                }
            })
            .collect()
    }

    /// Tries the corners of the box, where they are few: many expressions are extremal there.
    fn try_corners(&mut self) {
        const MOST_VARIABLES: usize = 3;
        let n = self.endpoints.len();
        if n > MOST_VARIABLES {
            return;
        }
        for corner in 0..1usize << n {
            let point: FloatBox = (0..n)
                .map(|i| {
                    let (first, last) = &self.endpoints[i];
                    if corner >> i & 1 == 0 { first.clone() } else { last.clone() }
                })
                .collect();
            self.try_point(&point);
        }
    }

    /// Improves the best value by that at a point.
    fn try_point(&mut self, x: &[FloatInterval]) -> Option<FloatInterval> {
        let y = self.value(x).ok()?;
        if self.best.as_ref().is_none_or(|(best, _)| y.hi < *best) {
            self.best = Some((y.hi.clone(), x.to_vec()));
        }
        Some(y)
    }

    /// Bounds the expression over a part of the box. `None` when the minimum cannot be there.
    fn examine(&mut self, mut place: FloatBox, mut cover: FloatBox) -> Result<Option<Part>> {
        self.budget.spend(self.expr.len() as u64)?;
        let values = self.expr.evaluate(&place, self.bits);
        let y = match self.expr.value(&values) {
            Ok(y) if self.maximize => y.neg(),
            Ok(y) => y,
            Err(e) => {
                // Perhaps only because the part is too large; look closer.
                let split = widest(&place, self.bits);
                return Ok(Some(Part { lower: None, failure: Some(e), place, cover, split }));
            }
        };
        if self.is_beaten(&y.lo) {
            return Ok(None);
        }
        let mut lower = y.lo;
        let gradient = self.expr.gradient(&values, self.bits);
        let Some(mut gradient) = gradient else {
            self.try_point(&self.middle(&place));
            let split = widest(&place, self.bits);
            return Ok(Some(Part { lower: Some(lower), failure: None, place, cover, split }));
        };
        if self.maximize {
            gradient = gradient.iter().map(FloatInterval::neg).collect();
        }
        // Where the expression is monotone in a variable, its minimum lies on a face.
        let mut on_face = false;
        for ((x, slope), i) in place.iter_mut().zip(&gradient).zip(0..) {
            let face = match (slope.lo.sign() >= 0, slope.hi.sign() <= 0) {
                _ if x.is_point() => continue,
                (true, _) if x.lo == self.outer[i].lo => self.endpoints[i].0.clone(),
                (true, _) => FloatInterval { lo: x.lo.clone(), hi: x.lo.clone() },
                (_, true) if x.hi == self.outer[i].hi => self.endpoints[i].1.clone(),
                (_, true) => FloatInterval { lo: x.hi.clone(), hi: x.hi.clone() },
                _ => continue,
            };
            on_face |= face.lo != x.lo || face.hi != x.hi;
            // With a slope that may be 0 the minimum may be attained beside the face as well.
            if slope.sign() != 0 {
                cover[i] = face.clone();
            }
            *x = face;
        }
        if on_face {
            let y = self.value(&place)?;
            if y.lo > lower {
                lower = y.lo;
            }
        }
        let centre = self.middle(&place);
        let value = self.try_point(&centre);
        // The slopes are those of this part, so the centre must be in it.
        let inside = place.iter().zip(&centre).all(|(x, c)| x.contains(c));
        if let Some(y) = value.filter(|_| inside) {
            let mean_value = || {
                let mut sum = y;
                for ((x, c), slope) in place.iter().zip(&centre).zip(&gradient) {
                    sum = sum.add(&x.sub(c, self.bits)?.mul(slope, self.bits)?, self.bits)?;
                }
                Some(sum)
            };
            if let Some(bound) = mean_value()
                && bound.lo > lower
            {
                lower = bound.lo;
            }
        }
        if self.is_beaten(&lower) {
            return Ok(None);
        }
        let split = steepest(&place, &gradient, self.bits);
        Ok(Some(Part { lower: Some(lower), failure: None, place, cover, split }))
    }

    /// Whether a part with this lower bound cannot contain the minimum.
    fn is_beaten(&self, lower: &Dyadic) -> bool {
        self.best.as_ref().is_some_and(|(best, _)| lower > best)
    }
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
