//! Fully connected networks: enclosures of the outputs over a box of inputs, and whether one output
//! stays above all others.
//!
//! Two methods, each sound on its own: interval propagation, and linear bounds carried back to the
//! inputs layer by layer (known as CROWN or DeepPoly). [`Method::Both`] intersects the results.

mod activation;
mod backward;
mod classify;
mod double;
mod forward;
mod json;
mod meter;
mod pieces;
mod relax;
mod smooth;
mod weights;

use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, DecimalInterval, Enclosure, Interval, Rational};
use crate::error::{Code, Error, Result};

use super::budget::Budget;
use super::unary::Settings;

pub use activation::Activation;
pub use classify::{Classification, Verdict};
pub(super) use json::answer;
pub use json::answer_network;

/// A fully connected network: `x ↦ activation(W·x + b)`, layer after layer.
#[derive(Clone, Debug)]
pub struct Network {
    /// The layers, the one next to the inputs first. Without layers the outputs are the inputs.
    pub layers: Vec<Layer>,
}

/// One layer of a [`Network`].
#[derive(Clone, Debug)]
pub struct Layer {
    /// The weights row by row, one row per output; each row as long as the layer's input.
    pub weights: Numbers,
    /// The biases, one per output.
    pub biases: Numbers,
    /// What is applied to each output.
    pub activation: Activation,
}

/// A list of numbers, each exact or an interval.
#[derive(Clone, Debug)]
pub enum Numbers {
    /// Finite doubles, taken exactly.
    Doubles(Vec<f64>),
    /// Exact fractions, or intervals of which any value may be meant.
    Intervals(Vec<Interval>),
}

/// How a network is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Interval propagation, with as many digits as asked for.
    Ibp,
    /// Linear bounds carried back to the inputs, in doubles: about 13 digits.
    Crown,
    /// The intersection of the two.
    #[default]
    Both,
}

/// An enclosure of every output of a network.
#[derive(Clone, Debug)]
pub struct MlpAnswer {
    /// One enclosure per output.
    pub outputs: Vec<DecimalInterval>,
    /// How it was found.
    pub method: Method,
}

impl Numbers {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Numbers::Doubles(v) => v.len(),
            Numbers::Intervals(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all are exact.
    fn are_points(&self) -> bool {
        match self {
            Numbers::Doubles(_) => true,
            Numbers::Intervals(v) => v.iter().all(Interval::is_point),
        }
    }

    fn are_finite(&self) -> bool {
        match self {
            Numbers::Doubles(v) => v.iter().all(|x| x.is_finite()),
            Numbers::Intervals(_) => true,
        }
    }
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 3] = [Method::Ibp, Method::Crown, Method::Both];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Method::Ibp => "ibp",
            Method::Crown => "crown",
            Method::Both => "both",
        }
    }

    /// The method called `name`. Errors with [`Code::BadRequest`].
    pub fn find(name: &str) -> Result<Self> {
        Method::ALL.into_iter().find(|m| m.name() == name).ok_or_else(|| {
            let shown: String = name.chars().take(40).collect();
            let message = format!("no method is called {shown:?}; it is \"ibp\", \"crown\" or \"both\"");
            Error::new(Code::BadRequest, message).at("method")
        })
    }
}

/// What is proved of the outputs, before it is rounded to decimals.
struct Found {
    outputs: Vec<Interval>,
    backward: Option<backward::Bounds>,
    bits: Bits,
}

impl Network {
    /// Refuses layers that do not fit together, with [`Code::BadRequest`].
    pub fn check(&self, inputs: usize) -> Result<()> {
        let mut columns = inputs;
        for (i, layer) in self.layers.iter().enumerate() {
            let rows = layer.biases.len();
            if rows.checked_mul(columns) != Some(layer.weights.len()) {
                let message = format!(
                    "layers[{i}] has {} weights; with {rows} biases and an input of dimension {columns} it \
                     must have {rows} rows of {columns}",
                    layer.weights.len()
                );
                return Err(Error::new(Code::BadRequest, message).at("layers"));
            }
            if !(layer.weights.are_finite() && layer.biases.are_finite()) {
                let message = format!("layers[{i}] contains an infinity or NaN; all weights must be finite");
                return Err(Error::new(Code::BadNumber, message).at("layers"));
            }
            columns = rows;
        }
        Ok(())
    }

    /// Encloses every output over the box `input`, by both methods.
    ///
    /// Errors: those of [`Network::check`]; [`Code::Domain`] and [`Code::Pole`] when an activation may
    /// be undefined; the limits of `budget`.
    pub fn enclose(&self, input: &[Interval], settings: &Settings, budget: &Budget) -> Result<MlpAnswer> {
        self.enclose_by(Method::Both, input, settings, budget)
    }

    /// As [`Network::enclose`], by the method given.
    pub fn enclose_by(
        &self,
        method: Method,
        input: &[Interval],
        settings: &Settings,
        budget: &Budget,
    ) -> Result<MlpAnswer> {
        let found = self.bound(method, input, settings, budget)?;
        Ok(MlpAnswer { outputs: decimals(&found.outputs, settings)?, method })
    }

    /// Whether output `class` is above all others over the whole box, by both methods.
    ///
    /// Errors: those of [`Network::enclose`], and [`Code::BadRequest`] when there is no such output.
    pub fn classify(
        &self,
        class: usize,
        input: &[Interval],
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Classification> {
        self.classify_by(Method::Both, class, input, settings, budget)
    }

    /// As [`Network::classify`], by the method given.
    pub fn classify_by(
        &self,
        method: Method,
        class: usize,
        input: &[Interval],
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Classification> {
        self.check_class(class, input.len())?;
        let found = self.bound(method, input, settings, budget)?;
        self.decide(class, input, &found, settings, budget)
    }

    fn check_class(&self, class: usize, inputs: usize) -> Result<()> {
        let outputs = self.layers.last().map_or(inputs, |layer| layer.biases.len());
        if class < outputs {
            return Ok(());
        }
        let message = format!("there is no output {class}: the {outputs} outputs are counted from 0");
        Err(Error::new(Code::BadRequest, message).at("classify"))
    }

    /// Bounds the outputs by `method`.
    fn bound(
        &self,
        method: Method,
        input: &[Interval],
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Found> {
        settings.check()?;
        self.check(input.len())?;
        release_caches_at_thread_exit();
        let exact = input.iter().all(Interval::is_point)
            && self.layers.iter().all(|l| l.weights.are_points() && l.biases.are_points());
        let mut bits = working_bits(settings);
        let forward = match method {
            Method::Crown => None,
            _ => Some(self.propagate_tightly(input, exact, &mut bits, settings, budget)),
        };
        let backward = match (&forward, method) {
            (_, Method::Ibp) => None,
            // At a point nothing is lost by intervals but roundings, of which doubles have more.
            (Some(Ok(_)), _) if exact => None,
            _ => Some(backward::Bounds::find(self, input, budget)),
        };
        let (forward, backward) = match (forward, backward) {
            (Some(Err(e)), None | Some(Err(_))) | (None, Some(Err(e))) => return Err(e),
            // Where one method fails by its own looseness, the other may do.
            (Some(Err(e)), _) | (_, Some(Err(e))) if !is_looseness(&e) => return Err(e),
            (forward, backward) => (forward.and_then(Result::ok), backward.and_then(Result::ok)),
        };
        let outputs = match (&forward, &backward) {
            (Some(f), None) => f.clone(),
            (None, Some(b)) => b.outputs()?,
            (Some(f), Some(b)) => intersection(f, &b.outputs()?)?,
            (None, None) => Vec::new(),
        };
        Ok(Found { outputs, backward, bits })
    }

    /// Interval propagation; at a point with more bits until all digits asked for are there.
    fn propagate_tightly(
        &self,
        input: &[Interval],
        exact: bool,
        bits: &mut Bits,
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Vec<Interval>> {
        const DOUBLINGS: u32 = 3;
        let cap = settings.max_bits.unwrap_or(Bits::MAX);
        for doubling in 0.. {
            let outputs = forward::propagate(self, input, *bits, budget)?;
            if !exact || doubling == DOUBLINGS || *bits >= cap || tight(&outputs, settings)? {
                return Ok(outputs);
            }
            *bits = bits.saturating_mul(2).min(cap);
        }
        unreachable!("the loop returns")
    }
}

/// The precision that the digits and the settings ask for.
fn working_bits(settings: &Settings) -> Bits {
    (settings.digit_bits() + 16).max(settings.prec_bits).max(64).min(settings.max_bits.unwrap_or(Bits::MAX))
}

/// Whether the error may come from too wide an enclosure, so that another method need not make it.
fn is_looseness(e: &Error) -> bool {
    matches!(e.code, Code::Domain | Code::Pole | Code::PrecisionCap | Code::ExponentLimit)
}

/// Whether each interval, the enclosure of one number, gives the digits asked for.
fn tight(outputs: &[Interval], settings: &Settings) -> Result<bool> {
    use crate::ball::{Bounds, Number};
    for y in outputs {
        let value = Enclosure::Between(Bounds {
            below: Number::Rational(y.lo.clone()),
            above: Number::Rational(y.hi.clone()),
            below_strict: false,
            above_strict: false,
        });
        if !DecimalInterval::enclosing(&value, &value, settings.digits, settings.exp_limit)?.1 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn decimals(outputs: &[Interval], settings: &Settings) -> Result<Vec<DecimalInterval>> {
    let exact = |q: &Rational| Enclosure::exact(q.clone());
    let round = |y: &Interval| {
        DecimalInterval::enclosing(&exact(&y.lo), &exact(&y.hi), settings.digits, settings.exp_limit)
    };
    outputs.iter().map(|y| Ok(round(y)?.0)).collect()
}

fn intersection(x: &[Interval], y: &[Interval]) -> Result<Vec<Interval>> {
    let common = |(a, b): (&Interval, &Interval)| {
        Interval::new(a.lo.clone().max(b.lo.clone()), a.hi.clone().min(b.hi.clone()))
            .map_err(|_| Error::new(Code::Internal, "the two methods contradict each other"))
    };
    x.iter().zip(y).map(common).collect()
}
