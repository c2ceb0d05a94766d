//! Lines around functions whose slope can be solved for: the usual activations.

use super::double::Range;
use super::relax::{Line, Relaxation, chord};
use crate::ball::{Ball, Bits, Dyadic};
use crate::oracle::functions::Function;

/// The precision of offsets. Products of two doubles are exact.
const BITS: Bits = 128;

/// How the graph bends.
#[derive(Clone, Copy, PartialEq)]
enum Bend {
    Convex,
    Concave,
    /// Convex left of 0, concave right of it, and rising.
    Sigmoid,
}

type Real = fn(f64) -> f64;

/// All places where a function has a given slope `a > 0`; `None` when that is not settled.
type Places = fn(&Ball) -> Option<Vec<Ball>>;

/// A function whose slope can be solved for.
pub(super) struct Smooth {
    bend: Bend,
    /// Approximate values and slopes, for choosing lines.
    value: Real,
    slope: Real,
    places: Places,
}

impl Smooth {
    /// All but `sqr` rise strictly.
    pub(super) fn of(f: &Function) -> Option<Smooth> {
        let (bend, value, slope, places): (Bend, Real, Real, Places) = match f.name {
            "sigmoid" => (
                Bend::Sigmoid,
                |x| 1.0 / (1.0 + (-x).exp()),
                |x| 1.0 / ((1.0 + (-x).exp()) * (1.0 + x.exp())),
                logistic_places,
            ),
            // tanh(x) = 2·sigmoid(2x) - 1: its slope at x is four times that of sigmoid at 2x.
            "tanh" => (
                Bend::Sigmoid,
                f64::tanh,
                |x| 1.0 / (x.cosh() * x.cosh()),
                |a| {
                    let twice = logistic_places(&a.mul_2exp(-2))?;
                    Some(twice.iter().map(|z| z.mul_2exp(-1)).collect())
                },
            ),
            "atan" => (
                Bend::Sigmoid,
                f64::atan,
                |x| 1.0 / (1.0 + x * x),
                |a| square_roots(&Ball::from(1).sub(a, BITS).div(a, BITS)),
            ),
            "asinh" => (
                Bend::Sigmoid,
                f64::asinh,
                |x| 1.0 / (1.0 + x * x).sqrt(),
                |a| square_roots(&a.sqr(BITS).inv(BITS).sub(&Ball::from(1), BITS)),
            ),
            "erf" => (
                Bend::Sigmoid,
                |x| Dyadic::from_f64(x).map_or(f64::NAN, |x| Ball::from_dyadic(&x).erf(53).midpoint_f64()),
                |x| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
                |a| square_roots(&-&a.mul(&Ball::pi(BITS).sqrt(BITS), BITS).mul_2exp(-1).log(BITS)),
            ),
            "softplus" => (
                Bend::Convex,
                |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
                |x| 1.0 / (1.0 + (-x).exp()),
                |a| {
                    let rest = Ball::from(1).sub(a, BITS);
                    // The slope stays below 1.
                    let none = rest.upper(BITS).sign() <= 0;
                    if none { Some(Vec::new()) } else { Some(vec![a.div(&rest, BITS).log(BITS)]) }
                },
            ),
            "exp" => (Bend::Convex, f64::exp, f64::exp, |a| Some(vec![a.log(BITS)])),
            "sqr" => (Bend::Convex, |x| x * x, |x| 2.0 * x, |a| Some(vec![a.mul_2exp(-1)])),
            "log" => (Bend::Concave, f64::ln, |x| 1.0 / x, |a| Some(vec![a.inv(BITS)])),
            "sqrt" => (
                Bend::Concave,
                f64::sqrt,
                |x| 0.5 / x.sqrt(),
                |a| Some(vec![a.sqr(BITS).inv(BITS).mul_2exp(-2)]),
            ),
            _ => return None,
        };
        Some(Smooth { bend, value, slope, places })
    }

    /// The slopes for the lines below and above.
    fn slopes(&self, z: Range) -> (f64, f64) {
        let Smooth { bend, value, slope, .. } = self;
        let middle = slope(0.5 * z.0 + 0.5 * z.1);
        let across = chord(z, value(z.0), value(z.1), middle);
        match bend {
            Bend::Convex => (middle, across),
            Bend::Concave => (across, middle),
            Bend::Sigmoid if z.0 >= 0.0 => (across, middle),
            Bend::Sigmoid if z.1 <= 0.0 => (middle, across),
            // The line through one end that touches the part of the other sign.
            Bend::Sigmoid => (self.tangent(z.1, z.0), self.tangent(z.0, z.1)),
        }
    }

    /// The slope of the line through the graph at `from` that touches it between 0 and `to`; of the
    /// chord, where it would touch beyond.
    fn tangent(&self, from: f64, to: f64) -> f64 {
        let Smooth { value, slope, .. } = self;
        let at_from = value(from);
        let steeper = |d: f64| slope(d) > (value(d) - at_from) / (d - from);
        if steeper(to) {
            return (value(to) - at_from) / (to - from);
        }
        let (mut near, mut far) = (0.0, to);
        for _ in 0..40 {
            let d = 0.5 * (near + far);
            if steeper(d) { near = d } else { far = d }
        }
        slope(0.5 * (near + far))
    }

    pub(super) fn relax(&self, f: &Function, z: Range) -> Option<Relaxation> {
        let (lower, upper) = self.slopes(z);
        let below = self.offsets(f, lower, z)?;
        let above = if upper == lower { below } else { self.offsets(f, upper, z)? };
        Some(Relaxation {
            lower: Line { slope: lower, offset: below.0 },
            upper: Line { slope: upper, offset: above.1 },
        })
    }

    /// The range of `f(x) - slope·x` on `z`: attained at an end or where `f` has that slope.
    pub(super) fn offsets(&self, f: &Function, slope: f64, z: Range) -> Option<Range> {
        let a = Ball::from_dyadic(&Dyadic::from_f64(slope)?);
        let (lo, hi) = (Dyadic::from_f64(z.0)?, Dyadic::from_f64(z.1)?);
        let value = |x: &Ball| {
            let y = (f.eval)(x, BITS).sub(&a.mul(x, BITS), BITS);
            y.is_finite().then(|| (y.lower(64).to_f64_directed(false), y.upper(64).to_f64_directed(true)))
        };
        let mut range = hull(value(&Ball::from_dyadic(&lo))?, value(&Ball::from_dyadic(&hi))?);
        if slope <= 0.0 && f.name != "sqr" {
            return Some(range);
        }
        for place in (self.places)(&a)? {
            if !place.is_finite() {
                return None;
            }
            if place.upper(BITS) >= lo && place.lower(BITS) <= hi {
                range = hull(range, value(&place)?);
            }
        }
        Some(range)
    }
}

fn hull(x: Range, y: Range) -> Range {
    (x.0.min(y.0), x.1.max(y.1))
}

/// The solutions of `x^2 = t`.
fn square_roots(t: &Ball) -> Option<Vec<Ball>> {
    if t.sign() < 0 {
        return Some(Vec::new());
    }
    let root = t.sqrt(BITS);
    root.is_finite().then(|| vec![-&root, root])
}

/// Where sigmoid has the slope `a`: its value `s` there has `s(1 - s) = a`, and the greater solution
/// is at `log(s/(1 - s)) = log(s^2/a)`.
fn logistic_places(a: &Ball) -> Option<Vec<Ball>> {
    let one = Ball::from(1);
    let roots = square_roots(&one.sub(&a.mul_2exp(2), BITS))?;
    let Some(root) = roots.last() else { return Some(roots) };
    let s = root.add(&one, BITS).mul_2exp(-1);
    let z = s.sqr(BITS).div(a, BITS).log(BITS);
    Some(vec![-&z, z])
}
