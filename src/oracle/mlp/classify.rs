//! Whether one output is above all others: proved, refuted by a point, or neither.

use super::activation::Activation;
use super::backward::{Doubles, Start};
use super::double::{Range, around};
use super::{Found, Network, forward, is_looseness};
use crate::ball::{Ball, DEFAULT_EXP_LIMIT, Decimal, Direction, Dyadic, Enclosure, Interval, Rational};
use crate::error::Result;
use crate::oracle::budget::Budget;
use crate::oracle::unary::Settings;

/// Whether one output is above all others over the whole box.
#[derive(Clone, Debug)]
pub struct Classification {
    /// The output, counted from 0.
    pub class: usize,
    /// The answer.
    pub verdict: Verdict,
    /// A lower bound, over the whole box and all other outputs, of how much this output is above. 0 if
    /// only the order is proved. `None` when there is no other output.
    pub margin: Option<Decimal>,
}

/// Proved, refuted or neither.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is above all others everywhere in the box: proved.
    True,
    /// It is not: at the point `witness` of the box the output `rival` is certainly greater.
    False {
        /// An exact input in the box.
        witness: Vec<Rational>,
        /// The output that is greater there.
        rival: usize,
    },
    /// Neither was proved. The outputs may also be equal somewhere, and no other greater anywhere.
    Unknown,
}

impl Verdict {
    /// The name in answers.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::True => "true",
            Verdict::False { .. } => "false",
            Verdict::Unknown => "unknown",
        }
    }
}

/// A rival, with what leads to the inputs where it does best.
struct Rival {
    output: usize,
    /// A lower bound of how much the class is above it; for the order of the search.
    bound: f64,
    /// The slopes of that bound over the inputs, if there are any.
    slopes: Vec<f64>,
}

impl Network {
    pub(super) fn decide(
        &self,
        class: usize,
        input: &[Interval],
        found: &Found,
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Classification> {
        let y = &found.outputs;
        let others: Vec<usize> = (0..y.len()).filter(|j| *j != class).collect();
        let apart = |j: usize| &y[class].lo - &y[j].hi;
        // One lower bound per rival, from the separate bounds and from bounds of the difference.
        let mut margins: Vec<Rational> = others.iter().map(|j| apart(*j)).collect();
        let mut ordered = margins.iter().all(|m| m.sign() > 0);
        let mut rivals: Vec<Rival> = Vec::new();
        if let Some(bounds) = &found.backward {
            let rises = self.layers.last().is_some_and(|l| l.activation.is_strictly_rising());
            let plain = self.layers.last().is_none_or(|l| matches!(l.activation, Activation::Identity));
            let after = bounds.differences(class, &others, Start::After, budget)?;
            for (margin, d) in margins.iter_mut().zip(&after) {
                if let Some(q) = Rational::from_f64(d.bound) {
                    *margin = std::mem::take(margin).max(q);
                }
            }
            ordered |= margins.iter().all(|m| m.sign() > 0);
            let best = if plain || !rises {
                after
            } else {
                // The order before a strictly rising activation is the order after it.
                let before = bounds.differences(class, &others, Start::Before, budget)?;
                ordered |= before.iter().zip(&margins).all(|(d, m)| d.bound > 0.0 || m.sign() > 0);
                before
            };
            let rival = |(j, d): (&usize, super::backward::Descent)| Rival {
                output: *j,
                bound: d.bound,
                slopes: d.coefficients,
            };
            rivals = others.iter().zip(best).map(rival).collect();
        } else {
            let rival =
                |(j, m): (&usize, &Rational)| Rival { output: *j, bound: m.to_f64(), slopes: Vec::new() };
            rivals.extend(others.iter().zip(&margins).map(rival));
        }
        let mut margin = margins.into_iter().min();
        let verdict = if ordered {
            margin = margin.map(|m| m.max(Rational::new()));
            Verdict::True
        } else {
            rivals.sort_by(|a, b| a.bound.total_cmp(&b.bound));
            match self.refute(class, input, found, &rivals, budget)? {
                Some((witness, rival)) => Verdict::False { witness, rival },
                None => Verdict::Unknown,
            }
        };
        let round = |m: Rational| {
            let (rounded, _) =
                Enclosure::exact(m).round(Direction::Down, settings.digits, settings.exp_limit)?;
            Ok(rounded)
        };
        Ok(Classification { class, verdict, margin: margin.map(round).transpose()? })
    }

    /// Looks for an input at which another output is certainly greater: uphill from the middle of the
    /// box and from the corners that the linear bounds point at, for the rivals that come closest.
    fn refute(
        &self,
        class: usize,
        input: &[Interval],
        found: &Found,
        rivals: &[Rival],
        budget: &Budget,
    ) -> Result<Option<(Vec<Rational>, usize)>> {
        const RIVALS: usize = 4;
        const STEPS: i32 = 10;
        const PROOFS: usize = 6;
        let box_: Vec<Range> = input.iter().map(around).collect();
        if box_.iter().any(|x| !(x.0.is_finite() && x.1.is_finite())) {
            return Ok(None);
        }
        let model = Model::of(self, input.len());
        let mut proofs = 0;
        let middle: Vec<f64> = box_.iter().map(|x| 0.5 * x.0 + 0.5 * x.1).collect();
        for rival in rivals.iter().take(RIVALS) {
            let corner = rival.slopes.iter().zip(&box_).map(|(s, x)| if *s > 0.0 { x.0 } else { x.1 });
            let mut starts = vec![middle.clone()];
            if !rival.slopes.is_empty() {
                starts.push(corner.collect());
            }
            for mut x in starts {
                for step in 0..STEPS {
                    budget.spend(model.operations() / 16 + 1)?;
                    let (z, y) = model.values(&x);
                    let above = y.iter().enumerate().any(|(j, v)| j != class && *v >= y[class]);
                    if above && proofs < PROOFS {
                        proofs += 1;
                        let point: Vec<Rational> =
                            x.iter().zip(input).map(|(v, x)| exact_inside(*v, x)).collect();
                        if let Some(winner) = self.greater_at(class, &point, found, budget)? {
                            return Ok(Some((point, winner)));
                        }
                    }
                    let uphill = model.gradient(&z, rival.output, class);
                    let reach = 0.7f64.powi(step);
                    for ((x, range), g) in x.iter_mut().zip(&box_).zip(uphill) {
                        let moved = *x + reach * (range.1 - range.0) * g.signum() * f64::from(g != 0.0);
                        *x = moved.clamp(range.0, range.1);
                    }
                }
            }
        }
        Ok(None)
    }

    /// An output that is certainly greater than `class` at a point.
    fn greater_at(
        &self,
        class: usize,
        point: &[Rational],
        found: &Found,
        budget: &Budget,
    ) -> Result<Option<usize>> {
        let point: Vec<Interval> = point.iter().cloned().map(Interval::point).collect();
        let y = match forward::propagate(self, &point, found.bits, budget) {
            Err(e) if is_looseness(&e) => return Ok(None),
            y => y?,
        };
        let greater = |(j, v): &(usize, &Interval)| *j != class && v.lo > y[class].hi;
        Ok(y.iter().enumerate().filter(greater).max_by(|a, b| a.1.lo.cmp(&b.1.lo)).map(|(j, _)| j))
    }
}

/// A short decimal near `v`, or the end of the interval next to it.
fn exact_inside(v: f64, x: &Interval) -> Rational {
    let near = Interval::parse(&format!("{v:e}"), DEFAULT_EXP_LIMIT).map_or(x.lo.clone(), |near| near.lo);
    near.max(x.lo.clone()).min(x.hi.clone())
}

/// The network in doubles, not rigorous: for finding points worth a proof.
struct Model<'a> {
    layers: Vec<(usize, Doubles, Doubles, &'a Activation)>,
}

impl<'a> Model<'a> {
    fn of(network: &'a Network, inputs: usize) -> Self {
        let mut columns = inputs;
        let mut layers = Vec::new();
        for layer in &network.layers {
            layers.push((
                columns,
                Doubles::of(&layer.weights),
                Doubles::of(&layer.biases),
                &layer.activation,
            ));
            columns = layer.biases.len();
        }
        Model { layers }
    }

    fn operations(&self) -> u64 {
        self.layers.iter().map(|(_, w, ..)| w.mid.len() as u64).sum()
    }

    /// What each layer's activation is applied to, and the outputs.
    fn values(&self, x: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut x = x.to_vec();
        let mut all = Vec::new();
        for (columns, weights, biases, f) in &self.layers {
            let row = |i: usize| &weights.mid[i * columns..][..*columns];
            let dot = |i: usize| row(i).iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
            let z: Vec<f64> = biases.mid.iter().enumerate().map(|(i, b)| b + dot(i)).collect();
            x = z.iter().map(|z| value(f, *z)).collect();
            all.push(z);
        }
        (all, x)
    }

    /// The gradient over the inputs of the output `up` minus the output `down`.
    fn gradient(&self, z: &[Vec<f64>], up: usize, down: usize) -> Vec<f64> {
        let outputs = z.last().map_or(up.max(down) + 1, Vec::len);
        let mut g = vec![0.0; outputs];
        g[up] += 1.0;
        g[down] -= 1.0;
        for ((columns, weights, _, f), z) in self.layers.iter().zip(z).rev() {
            let mut next = vec![0.0; *columns];
            for (i, (g, z)) in g.iter().zip(z).enumerate() {
                let c = g * slope(f, *z);
                if c != 0.0 {
                    for (n, w) in next.iter_mut().zip(&weights.mid[i * columns..][..*columns]) {
                        *n += c * w;
                    }
                }
            }
            g = next;
        }
        g
    }
}

/// The activation, approximately.
fn value(f: &Activation, z: f64) -> f64 {
    match f {
        Activation::Identity => z,
        Activation::Relu => z.max(0.0),
        Activation::LeakyRelu(slope) => {
            if z < 0.0 {
                z * slope.to_f64()
            } else {
                z
            }
        }
        Activation::HardTanh => z.clamp(-1.0, 1.0),
        Activation::Function(f) => match Dyadic::from_f64(z) {
            Some(z) => (f.eval)(&Ball::from_dyadic(&z), 64).midpoint_f64(),
            None => f64::NAN,
        },
    }
}

/// Its slope, approximately.
fn slope(f: &Activation, z: f64) -> f64 {
    let h = 1e-6 * z.abs().max(1.0);
    let estimate = (value(f, z + h) - value(f, z - h)) / (2.0 * h);
    if estimate.is_finite() { estimate } else { 0.0 }
}
