//! Interval propagation with as many bits as asked for.

use std::borrow::Cow;

use super::{Layer, Network, Numbers};
use crate::ball::{Bits, Dyadic, FloatInterval, Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::budget::Budget;

/// Up to this many weights fractions are used, so that exact ends come out exact. They cost more,
/// and their length grows from layer to layer.
const EXACT_WEIGHTS: usize = 8192;

/// Encloses the outputs, working with `bits` bits where numbers must be rounded.
pub(super) fn propagate(
    network: &Network,
    input: &[Interval],
    bits: Bits,
    budget: &Budget,
) -> Result<Vec<Interval>> {
    let weights: usize = network.layers.iter().map(|l| l.weights.len()).sum();
    if weights <= EXACT_WEIGHTS {
        let mut x = input.to_vec();
        for layer in &network.layers {
            x = exact_layer(layer, &x, bits, budget)?;
        }
        return Ok(x);
    }
    let enclose = |x: &Interval| FloatInterval::enclosing(&x.lo, &x.hi, bits).ok_or_else(too_large);
    let mut x = input.iter().map(enclose).collect::<Result<Vec<_>>>()?;
    for layer in &network.layers {
        x = float_layer(layer, &x, bits, budget)?;
    }
    let exact = |d: &Dyadic| d.to_rational().ok_or_else(too_large);
    x.iter().map(|y| Ok(Interval { lo: exact(&y.lo)?, hi: exact(&y.hi)? })).collect()
}

fn too_large() -> Error {
    Error::new(Code::ExponentLimit, "a value inside the network is too large or too small").at("layers")
}

impl Numbers {
    fn exact(&self, i: usize) -> Cow<'_, Interval> {
        match self {
            Numbers::Doubles(v) => Cow::Owned(Interval::point(Rational::from_f64(v[i]).unwrap_or_default())),
            Numbers::Intervals(v) => Cow::Borrowed(&v[i]),
        }
    }

    fn float(&self, i: usize, bits: Bits) -> Result<FloatInterval> {
        match self {
            Numbers::Doubles(v) => Dyadic::from_f64(v[i]).and_then(FloatInterval::point),
            Numbers::Intervals(v) => FloatInterval::enclosing(&v[i].lo, &v[i].hi, bits),
        }
        .ok_or_else(too_large)
    }
}

fn exact_layer(layer: &Layer, x: &[Interval], bits: Bits, budget: &Budget) -> Result<Vec<Interval>> {
    let output = |i: usize| {
        budget.spend(x.len() as u64 + 1)?;
        let mut sum = layer.biases.exact(i).into_owned();
        for (j, value) in x.iter().enumerate() {
            let term = product(&layer.weights.exact(i * x.len() + j), value);
            sum = Interval { lo: &sum.lo + &term.lo, hi: &sum.hi + &term.hi };
        }
        layer.activation.range_exact(shortened(sum, bits)?, bits).map_err(|e| e.at("layers"))
    };
    (0..layer.biases.len()).map(output).collect()
}

fn product(w: &Interval, x: &Interval) -> Interval {
    if w.is_point() {
        let (a, b) = (&w.lo * &x.lo, &w.lo * &x.hi);
        return if w.lo.sign() < 0 { Interval { lo: b, hi: a } } else { Interval { lo: a, hi: b } };
    }
    let ends = [&w.lo * &x.lo, &w.lo * &x.hi, &w.hi * &x.lo, &w.hi * &x.hi];
    let mut sorted = ends;
    sorted.sort();
    let [lo, _, _, hi] = sorted;
    Interval { lo, hi }
}

/// The interval itself, or a wider one with shorter ends once they are much longer than `bits`.
fn shortened(x: Interval, bits: Bits) -> Result<Interval> {
    let limit = 8 * u64::from(bits) + 1024;
    let long = |q: &Rational| q.numerator().bits() + q.denominator().bits() > limit;
    if !long(&x.lo) && !long(&x.hi) {
        return Ok(x);
    }
    let y = FloatInterval::enclosing(&x.lo, &x.hi, bits).ok_or_else(too_large)?;
    let exact = |d: &Dyadic| d.to_rational().ok_or_else(too_large);
    Ok(Interval { lo: exact(&y.lo)?, hi: exact(&y.hi)? })
}

fn float_layer(
    layer: &Layer,
    x: &[FloatInterval],
    bits: Bits,
    budget: &Budget,
) -> Result<Vec<FloatInterval>> {
    let output = |i: usize| {
        budget.spend(x.len() as u64 + 1)?;
        let mut sum = layer.biases.float(i, bits)?;
        for (j, value) in x.iter().enumerate() {
            let w = layer.weights.float(i * x.len() + j, bits)?;
            sum = w.mul(value, bits).and_then(|term| sum.add(&term, bits)).ok_or_else(too_large)?;
        }
        layer.activation.range_float(sum, bits).map_err(|e| e.at("layers"))
    };
    (0..layer.biases.len()).map(output).collect()
}
