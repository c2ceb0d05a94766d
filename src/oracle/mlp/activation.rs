//! Activations: what they are called, and their ranges.

use super::double::{self, Range, bracket};
use crate::ball::{Bits, Dyadic, FloatInterval, Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::functions::{Function, Poles, Shape};

/// What is applied to each output of a layer.
#[derive(Clone)]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` for `x ≥ 0`, else `slope·x`.
    LeakyRelu(Rational),
    /// `min(max(x, -1), 1)`.
    HardTanh,
    /// A function of the table.
    Function(&'static Function),
}

/// The activations that are not in the table of functions.
const OWN: [&str; 4] = ["identity", "relu", "leaky_relu", "hard_tanh"];

/// Names from other libraries.
const ALIASES: [(&str, &str); 7] = [
    ("linear", "identity"),
    ("none", "identity"),
    ("leakyrelu", "leaky_relu"),
    ("hardtanh", "hard_tanh"),
    ("clip", "hard_tanh"),
    ("id", "identity"),
    ("rectifier", "relu"),
];

impl Activation {
    /// The activation called `name`: `identity`, `relu`, `leaky_relu` (with the slope 0.01),
    /// `hard_tanh`, or a function of the table. Errors with [`Code::UnknownFunction`] and near names.
    pub fn find(name: &str) -> Result<Self> {
        match name {
            "identity" => Ok(Activation::Identity),
            "relu" => Ok(Activation::Relu),
            "leaky_relu" => Ok(Activation::LeakyRelu(Self::default_slope())),
            "hard_tanh" => Ok(Activation::HardTanh),
            _ => Function::find(name).map(Activation::Function).map_err(|e| {
                let lower: String = name.chars().take(40).collect::<String>().to_lowercase();
                let alias = ALIASES.iter().find(|(other, _)| *other == lower).map(|(_, own)| *own);
                let near = alias
                    .or_else(|| OWN.into_iter().find(|own| strsim::damerau_levenshtein(&lower, own) <= 2));
                let message = match near {
                    Some(near) => {
                        let shown: String = name.chars().take(40).collect();
                        format!("no activation is called {shown:?}; did you mean {near}?")
                    }
                    None => e.message,
                };
                Error::new(Code::UnknownFunction, message).at("act")
            }),
        }
    }

    /// The name that [`Activation::find`] knows.
    pub fn name(&self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::HardTanh => "hard_tanh",
            Activation::Function(f) => f.name,
        }
    }

    fn default_slope() -> Rational {
        Rational::from_decimal(&crate::ball::Integer::from(1), -2)
    }

    /// Whether `x < y` always gives `f(x) < f(y)`.
    pub(super) fn is_strictly_rising(&self) -> bool {
        match self {
            Activation::Identity => true,
            Activation::Relu | Activation::HardTanh => false,
            Activation::LeakyRelu(slope) => slope.sign() > 0,
            Activation::Function(f) => {
                matches!(f.shape, Shape::Rising) && f.poles == Poles::None && f.name != "relu"
            }
        }
    }

    /// The range over an interval of fractions; exact unless the activation is a function of the
    /// table.
    pub(super) fn range_exact(&self, x: Interval, bits: Bits) -> Result<Interval> {
        let clamp = |q: Rational| q.max(Rational::from(-1)).min(Rational::from(1));
        Ok(match self {
            Activation::Identity => x,
            Activation::Relu => Interval { lo: x.lo.max(Rational::new()), hi: x.hi.max(Rational::new()) },
            Activation::HardTanh => Interval { lo: clamp(x.lo), hi: clamp(x.hi) },
            Activation::LeakyRelu(slope) => {
                let value = |q: &Rational| if q.sign() < 0 { q * slope } else { q.clone() };
                let (a, b) = (value(&x.lo), value(&x.hi));
                let straddles = x.lo.sign() < 0 && x.hi.sign() > 0;
                let (mut lo, mut hi) = if a <= b { (a, b) } else { (b, a) };
                if straddles {
                    lo = lo.min(Rational::new());
                    hi = hi.max(Rational::new());
                }
                Interval { lo, hi }
            }
            Activation::Function(f) => {
                let argument =
                    FloatInterval::enclosing(&x.lo, &x.hi, bits).ok_or_else(|| self.too_large())?;
                self.exactly(&f.range_on(&argument, bits)?)?
            }
        })
    }

    /// The range over an interval of dyadic numbers, rounded outward to `bits` bits where it is not
    /// exact.
    pub(super) fn range_float(&self, x: FloatInterval, bits: Bits) -> Result<FloatInterval> {
        let one = FloatInterval::integer(1);
        Ok(match self {
            Activation::Identity => x,
            Activation::Relu => x.max(&FloatInterval::integer(0)),
            Activation::HardTanh => x.max(&one.neg()).min(&one),
            Activation::LeakyRelu(slope) => {
                let slope = FloatInterval::enclosing(slope, slope, bits).ok_or_else(|| self.too_large())?;
                let zero = FloatInterval::integer(0);
                // The negative part has its own slope; the sum of both parts is not taken, since
                // only one of them is not zero at any x.
                let negative = x.min(&zero).mul(&slope, bits).ok_or_else(|| self.too_large())?;
                match (x.lo.sign() < 0, x.hi.sign() > 0) {
                    (true, true) => x.max(&zero).hull(&negative),
                    (true, false) => negative,
                    _ => x,
                }
            }
            Activation::Function(f) => f.range_on(&x, bits)?,
        })
    }

    /// The range over an interval of doubles.
    pub(super) fn range_double(&self, x: Range) -> Result<Range> {
        const BITS: Bits = 64;
        let straddles = x.0 < 0.0 && x.1 > 0.0;
        Ok(match self {
            Activation::Identity => x,
            Activation::Relu => (x.0.max(0.0), x.1.max(0.0)),
            Activation::HardTanh => (x.0.clamp(-1.0, 1.0), x.1.clamp(-1.0, 1.0)),
            Activation::LeakyRelu(slope) => {
                let slope = bracket(slope);
                let (a, b) = (kinked(slope, x.0), kinked(slope, x.1));
                let (lo, hi) = (a.0.min(b.0), a.1.max(b.1));
                if straddles { (lo.min(0.0), hi.max(0.0)) } else { (lo, hi) }
            }
            Activation::Function(f) => {
                let argument = Dyadic::from_f64(x.0)
                    .zip(Dyadic::from_f64(x.1))
                    .and_then(|(lo, hi)| FloatInterval::new(lo, hi))
                    .ok_or_else(|| self.too_large())?;
                let y = f.range_on(&argument, BITS)?;
                (y.lo.to_f64_directed(false), y.hi.to_f64_directed(true))
            }
        })
    }

    /// The fractions of an interval of dyadic numbers.
    pub(super) fn exactly(&self, x: &FloatInterval) -> Result<Interval> {
        let exact = |d: &Dyadic| d.to_rational().ok_or_else(|| self.too_large());
        Ok(Interval { lo: exact(&x.lo)?, hi: exact(&x.hi)? })
    }

    fn too_large(&self) -> Error {
        Error::new(Code::ExponentLimit, format!("a value at {} is too large or too small", self.name()))
    }
}

/// `x` for `x ≥ 0`, else `slope·x`; bounds for any slope in the range given.
pub(super) fn kinked(slope: Range, x: f64) -> Range {
    if x >= 0.0 { (x, x) } else { (double::mul(slope.1, x, false), double::mul(slope.0, x, true)) }
}

impl std::fmt::Debug for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Activation::LeakyRelu(slope) => write!(f, "LeakyRelu({slope})"),
            other => f.write_str(other.name()),
        }
    }
}
