//! Linear bounds carried back from a layer to the inputs, in doubles.
//!
//! A [`Row`] states that some quantity is at least `a·v + sum - error` for every `v` in the box, where
//! `v` is the vector at some place in the network. Through `v = W·x + b` it becomes a row over `x` with
//! the coefficients `a·W`; through `v = f(z)` one over `z`, each coefficient taking the line below `f`
//! if it is positive and the line above if negative. At any place over which the range of `v` is
//! known a row gives a number; the best is kept. Carried one layer only this is interval propagation.
//!
//! The coefficients are computed plainly and rounded to nearest. What that can lose is bounded by the
//! standard estimate: `n` products added in any order differ from the exact sum by less than
//! `(n + 16)·ε` times the sum of their absolute values, as computed (`ε` is twice the unit roundoff,
//! and 16 covers the rounding of weights to doubles and of that sum itself). An error in a coefficient
//! counts with the largest absolute value of its variable. Underflow loses less than the least normal
//! double in all sums of fewer than 2^50 terms.

use super::activation::Activation;
use super::double::{EPSILON, Range, around, nearby};
use super::meter::{self, Meter};
use super::relax::{Relaxation, relax};
use super::{Layer, Network, Numbers};
use crate::ball::{Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::budget::Budget;

/// More than all underflows in one sum.
const TINY: f64 = f64::MIN_POSITIVE;

/// Numbers in doubles: each within `rad` plus [`EPSILON`] relative of `mid`. `rad` is empty when 0.
pub(super) struct Doubles {
    pub(super) mid: Vec<f64>,
    rad: Vec<f64>,
}

impl Doubles {
    pub(super) fn of(numbers: &Numbers) -> Doubles {
        match numbers {
            Numbers::Doubles(v) => Doubles { mid: v.clone(), rad: Vec::new() },
            Numbers::Intervals(v) => {
                let (mid, mut rad): (Vec<f64>, Vec<f64>) = v.iter().map(nearby).unzip();
                if rad.iter().all(|r| *r == 0.0) {
                    rad = Vec::new();
                }
                Doubles { mid, rad }
            }
        }
    }
}

/// What is known of a layer.
struct State {
    rows: usize,
    columns: usize,
    weights: Doubles,
    biases: Doubles,
    /// Whether the activation is the identity, and whether it is 0 wherever its argument is negative.
    identity: bool,
    cuts: bool,
    /// The ranges before and after the activation.
    z: Vec<Range>,
    x: Vec<Range>,
    lines: Vec<Relaxation>,
}

impl State {
    fn of(layer: &Layer, columns: usize) -> State {
        State {
            rows: layer.biases.len(),
            columns,
            weights: Doubles::of(&layer.weights),
            biases: Doubles::of(&layer.biases),
            identity: matches!(layer.activation, Activation::Identity),
            cuts: matches!(layer.activation, Activation::Relu),
            z: Vec::new(),
            x: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn operations(&self) -> u64 {
        self.rows as u64 * self.columns as u64
    }
}

/// See the module's head. The error is `size·(terms + 16)·ε + extra`, up to its own rounding.
#[derive(Clone)]
struct Row {
    a: Vec<f64>,
    sum: f64,
    size: f64,
    terms: u64,
    extra: f64,
}

/// What [`Row::affine`] and its like may lose per unit of the sum of absolute values.
fn loss(terms: u64) -> f64 {
    (terms as f64 + 16.0) * EPSILON
}

fn greatest(x: Range) -> f64 {
    x.0.abs().max(x.1.abs())
}

impl Row {
    fn new(a: Vec<f64>) -> Row {
        Row { a, sum: 0.0, size: 0.0, terms: 0, extra: 0.0 }
    }

    fn term(&mut self, value: f64) {
        self.sum += value;
        self.size += value.abs();
        self.terms += 1;
    }

    /// From `W·x + b` to `x`, which is in the ranges given.
    fn affine(&mut self, layer: &State, x: &[Range], meter: &Meter) -> Result<()> {
        let mut next = vec![0.0; layer.columns];
        let mut sizes = vec![0.0; layer.columns];
        let mut rads = vec![0.0; if layer.weights.rad.is_empty() { 0 } else { layer.columns }];
        let a = std::mem::take(&mut self.a);
        let mut used = 0;
        for (i, &c) in a.iter().enumerate() {
            if c == 0.0 {
                continue;
            }
            used += 1;
            meter.count(layer.columns as u64)?;
            let weights = &layer.weights.mid[i * layer.columns..][..layer.columns];
            for ((next, size), w) in next.iter_mut().zip(&mut sizes).zip(weights) {
                let product = c * w;
                *next += product;
                *size += product.abs();
            }
            if !rads.is_empty() {
                let radii = &layer.weights.rad[i * layer.columns..][..layer.columns];
                for (rad, r) in rads.iter_mut().zip(radii) {
                    *rad += c.abs() * r;
                }
            }
            self.term(c * layer.biases.mid[i]);
            if let Some(r) = layer.biases.rad.get(i) {
                self.extra += c.abs() * r;
            }
        }
        let loss = loss(used);
        for (j, x) in x.iter().enumerate() {
            let error = sizes[j] * loss + rads.get(j).copied().unwrap_or(0.0) + TINY;
            self.extra += error * greatest(*x);
        }
        self.a = next;
        Ok(())
    }

    /// From `f(z)` to `z`.
    fn relax(&mut self, layer: &State) {
        if layer.identity {
            return;
        }
        for j in 0..self.a.len() {
            let c = self.a[j];
            if c == 0.0 {
                continue;
            }
            let lines = &layer.lines[j];
            let line = if c > 0.0 { lines.lower } else { lines.upper };
            self.a[j] = c * line.slope;
            if line.slope != 0.0 && line.slope != 1.0 {
                self.extra += (self.a[j].abs() * EPSILON + TINY) * greatest(layer.z[j]);
            }
            if line.offset != 0.0 {
                self.term(c * line.offset);
            }
        }
    }

    /// The bound that the row gives for `v` in these ranges. Not finite after an overflow.
    fn bound(&self, v: &[Range]) -> f64 {
        let mut end = Row { a: Vec::new(), ..*self };
        for (c, x) in self.a.iter().zip(v) {
            if *c != 0.0 {
                end.term(c * if *c > 0.0 { x.0 } else { x.1 });
            }
        }
        // The last factor covers the roundings of the error itself, of fewer than 2^30 terms.
        let error = (end.size * loss(end.terms) + end.extra) * (1.0 + f64::powi(2.0, -20)) + TINY;
        (end.sum - error).next_down()
    }
}

/// Bounds on every layer of a network over a box.
pub(super) struct Bounds {
    input: Vec<Range>,
    layers: Vec<State>,
}

/// Where a row starts: before or after the activation of the last layer looked at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Start {
    Before,
    After,
}

/// A bound of a quantity, and its linear bound over the inputs.
pub(super) struct Descent {
    pub(super) bound: f64,
    pub(super) coefficients: Vec<f64>,
}

impl Bounds {
    /// Bounds layer after layer. Errors: [`Code::ExponentLimit`] when doubles overflow, and those of
    /// the activations and of `budget`.
    pub(super) fn find(network: &Network, input: &[Interval], budget: &Budget) -> Result<Bounds> {
        let mut bounds = Bounds { input: input.iter().map(around).collect(), layers: Vec::new() };
        if !bounds.input.iter().all(is_finite) {
            return Err(overflow());
        }
        let mut operations = 0u64;
        for layer in &network.layers {
            let state = State::of(layer, bounds.layers.last().map_or(input.len(), |l| l.rows));
            operations = operations.saturating_add(state.operations());
            let rows = state.rows as u64;
            bounds.layers.push(state);
            let work = operations.saturating_mul(2 * rows);
            let z = meter::map(rows as usize, work, budget, |i, meter| bounds.neuron(i, meter))?;
            if !z.iter().all(is_finite) {
                return Err(overflow());
            }
            let mut x = Vec::with_capacity(z.len());
            let mut lines = Vec::with_capacity(z.len());
            for &z in &z {
                budget.spend(1)?;
                let range = layer.activation.range_double(z).map_err(|e| e.at("layers"))?;
                if !is_finite(&range) {
                    return Err(overflow());
                }
                x.push(range);
                lines.push(relax(&layer.activation, z, range));
            }
            if !lines
                .iter()
                .all(|l| [l.lower, l.upper].into_iter().all(|l| l.slope.is_finite() && l.offset.is_finite()))
            {
                return Err(overflow());
            }
            if let Some(state) = bounds.layers.last_mut() {
                (state.z, state.x, state.lines) = (z, x, lines);
            }
        }
        Ok(bounds)
    }

    /// The range of output `i` of the last layer before its activation.
    fn neuron(&self, i: usize, meter: &Meter) -> Result<Range> {
        let k = self.layers.len() - 1;
        let last = &self.layers[k];
        let one = |value| {
            let mut a = vec![0.0; last.rows];
            a[i] = value;
            Row::new(a)
        };
        let hi = -self.descend(one(-1.0), Start::Before, meter)?.bound;
        if last.cuts && hi <= 0.0 {
            // What is cut off needs no tight lower end.
            let mut row = one(1.0);
            row.affine(last, self.below(k), meter)?;
            return Ok((row.bound(self.below(k)), hi));
        }
        Ok((self.descend(one(1.0), Start::Before, meter)?.bound, hi))
    }

    /// The ranges of what enters layer `k`.
    fn below(&self, k: usize) -> &[Range] {
        match k.checked_sub(1) {
            Some(k) => &self.layers[k].x,
            None => &self.input,
        }
    }

    /// Carries a row over the last layer down to the inputs.
    fn descend(&self, mut row: Row, start: Start, meter: &Meter) -> Result<Descent> {
        let mut bound = f64::NEG_INFINITY;
        for (k, layer) in self.layers.iter().enumerate().rev() {
            if start == Start::After || k + 1 < self.layers.len() {
                row.relax(layer);
            }
            row.affine(layer, self.below(k), meter)?;
            let here = row.bound(self.below(k));
            // A NaN must not be passed over: it may hide in every later bound.
            if here.is_nan() {
                return Ok(Descent { bound: f64::NAN, coefficients: row.a });
            }
            bound = bound.max(here);
        }
        if self.layers.is_empty() {
            bound = row.bound(&self.input);
        }
        Ok(Descent { bound, coefficients: row.a })
    }

    /// The ranges of the outputs.
    pub(super) fn outputs(&self) -> Result<Vec<Interval>> {
        let exact = |v: f64| Rational::from_f64(v).ok_or_else(overflow);
        let ranges = self.layers.last().map_or(&self.input, |l| &l.x);
        ranges.iter().map(|y| Ok(Interval { lo: exact(y.0)?, hi: exact(y.1)? })).collect()
    }

    /// Lower bounds of `y[class] - y[j]` for each `j`, `y` being the last layer's values at `start`.
    pub(super) fn differences(
        &self,
        class: usize,
        rivals: &[usize],
        start: Start,
        budget: &Budget,
    ) -> Result<Vec<Descent>> {
        let outputs = self.layers.last().map_or(self.input.len(), |l| l.rows);
        let operations: u64 = self.layers.iter().map(State::operations).sum();
        meter::map(rivals.len(), operations.saturating_mul(rivals.len() as u64), budget, |i, meter| {
            let mut a = vec![0.0; outputs];
            a[class] += 1.0;
            a[rivals[i]] -= 1.0;
            self.descend(Row::new(a), start, meter)
        })
    }
}

fn is_finite(x: &Range) -> bool {
    x.0.is_finite() && x.1.is_finite()
}

fn overflow() -> Error {
    let message = "numbers inside the network are beyond binary64; ask with the method \"ibp\"";
    Error::new(Code::ExponentLimit, message).at("layers")
}
