//! Lines below and above an activation on an interval.
//!
//! The slopes are any doubles, found by rule of thumb; what makes a line a bound is its offset, which
//! is proved: an enclosure of the range of `f(z) - slope·z`, rounded outward.

use super::activation::{Activation, kinked};
use super::double::{self, Range, bracket};
use super::pieces::general;
use super::smooth::Smooth;

/// `slope·z + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) offset: f64,
}

/// A line below and a line above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relaxation {
    pub(super) lower: Line,
    pub(super) upper: Line,
}

impl Relaxation {
    fn constant(y: Range) -> Self {
        Relaxation { lower: Line { slope: 0.0, offset: y.0 }, upper: Line { slope: 0.0, offset: y.1 } }
    }
}

/// Bounds `f` on `z`, where `y` encloses its range. What is not finite means nothing.
pub(super) fn relax(f: &Activation, z: Range, y: Range) -> Relaxation {
    let lines = match f {
        Activation::Identity => {
            let line = Line { slope: 1.0, offset: 0.0 };
            Some(Relaxation { lower: line, upper: line })
        }
        Activation::Relu => Some(kink((0.0, 0.0), z)),
        Activation::LeakyRelu(slope) => Some(kink(bracket(slope), z)),
        Activation::HardTanh => Some(hard_tanh(z)),
        Activation::Function(f) if f.name == "abs" => Some(kink((-1.0, -1.0), z)),
        Activation::Function(f) => match Smooth::of(f) {
            Some(smooth) => smooth.relax(f, z),
            None => general(f, z, y),
        },
    };
    let flat = Relaxation::constant(y);
    let Some(lines) = lines else { return flat };
    // The line that is the better one in the middle is, roughly, the better one.
    let middle = 0.5 * z.0 + 0.5 * z.1;
    let height = |l: &Line| l.slope * middle + l.offset;
    Relaxation {
        lower: if height(&lines.lower) >= y.0 { lines.lower } else { flat.lower },
        upper: if height(&lines.upper) <= y.1 { lines.upper } else { flat.upper },
    }
}

/// The slope from one end of a graph to the other; `near` instead where that is mostly rounding errors.
pub(super) fn chord(z: Range, at_lo: f64, at_hi: f64, near: f64) -> f64 {
    let width = z.1 - z.0;
    if width <= 1e-8 * z.0.abs().max(z.1.abs()) { near } else { (at_hi - at_lo) / width }
}

/// Lines of the slopes given around a piecewise linear function with these values at the ends of all
/// pieces.
fn piecewise(points: &[(f64, Range)], lower: f64, upper: f64) -> Relaxation {
    let offset = |slope: f64, up: bool| {
        points
            .iter()
            .map(|&(z, value)| {
                let value = if up { value.1 } else { value.0 };
                double::add(value, -double::mul(slope, z, !up), up)
            })
            .fold(if up { f64::NEG_INFINITY } else { f64::INFINITY }, if up { f64::max } else { f64::min })
    };
    Relaxation {
        lower: Line { slope: lower, offset: offset(lower, false) },
        upper: Line { slope: upper, offset: offset(upper, true) },
    }
}

/// Slope 1 above 0 and `slope` below.
fn kink(slope: Range, z: Range) -> Relaxation {
    let (at_lo, at_hi) = (kinked(slope, z.0), kinked(slope, z.1));
    let ends = [(z.0, at_lo), (0.0, (0.0, 0.0)), (z.1, at_hi)];
    if z.0 >= 0.0 {
        return piecewise(&[ends[0], ends[2]], 1.0, 1.0);
    }
    if z.1 <= 0.0 {
        return piecewise(&[ends[0], ends[2]], slope.0, slope.0);
    }
    // Convex if the slope is at most 1: the chord is above, and below is the piece that covers more.
    let across = chord(z, at_lo.0, at_hi.0, 1.0);
    let along = match (z.1 > -z.0, slope.1 <= 1.0) {
        (true, _) => 1.0,
        (false, true) => slope.1,
        (false, false) => slope.0,
    };
    if slope.1 <= 1.0 { piecewise(&ends, along, across) } else { piecewise(&ends, across, along) }
}

fn hard_tanh(z: Range) -> Relaxation {
    let value = |x: f64| (x.clamp(-1.0, 1.0), x.clamp(-1.0, 1.0));
    let mut points = vec![(z.0, value(z.0)), (z.1, value(z.1))];
    points.extend([-1.0, 1.0].into_iter().filter(|&p| z.0 < p && p < z.1).map(|p| (p, value(p))));
    let (low, high) = (z.0 < -1.0, z.1 > 1.0);
    let (lower, upper) = match (low, high) {
        (false, false) => (1.0, 1.0),
        _ if z.0 >= 1.0 || z.1 <= -1.0 => (0.0, 0.0),
        (true, false) => (f64::from(z.1 + z.0 > -2.0), chord(z, -1.0, z.1, 0.0)),
        (false, true) => (chord(z, z.0, 1.0, 0.0), f64::from(z.0 + z.1 < 2.0)),
        // From a corner to the opposite end, or flat.
        (true, true) => (
            if z.1 > -z.0 { 2.0 / (z.1 + 1.0) } else { 0.0 },
            if z.1 < -z.0 { 2.0 / (1.0 - z.0) } else { 0.0 },
        ),
    };
    piecewise(&points, lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::{Dyadic, Interval, Rational};
    use std::cmp::Ordering;

    const NAMES: [&str; 24] = [
        "identity",
        "relu",
        "leaky_relu",
        "hard_tanh",
        "sigmoid",
        "tanh",
        "atan",
        "asinh",
        "erf",
        "softplus",
        "silu",
        "gelu",
        "sin",
        "cos",
        "sqr",
        "abs",
        "neg",
        "exp",
        "sinc",
        "sqrt",
        "log",
        "cosh",
        "airy_ai",
        "besselj0",
    ];

    const WAVES: [&str; 5] = ["sin", "cos", "sinc", "airy_ai", "besselj0"];

    const ENDS: [f64; 17] = [
        -60.0, -7.5, -3.0, -1.5, -1.0, -0.4, -1e-3, -1e-12, 0.0, 1e-12, 1e-3, 0.3, 1.0, 1.25, 3.5, 8.0, 50.0,
    ];

    fn activations() -> Vec<Activation> {
        let slope = |text| Activation::LeakyRelu(Interval::parse(text, 9).unwrap().lo);
        let named = NAMES.into_iter().map(|n| Activation::find(n).unwrap());
        named.chain(["-0.7", "1.6", "1/3"].map(slope)).collect()
    }

    /// The value as an interval of fractions, far thinner than what is compared.
    fn value(f: &Activation, x: f64) -> Interval {
        let x = Interval::point(Rational::from_f64(x).unwrap());
        f.range_exact(x, 200).unwrap()
    }

    fn height(line: &Line, x: f64) -> Rational {
        let exact = |v: f64| Rational::from_f64(v).unwrap();
        &(&exact(line.slope) * &exact(x)) + &exact(line.offset)
    }

    /// On both sides of the graph at many points, and close to it at one.
    #[test]
    fn lines_bound_the_graph_and_nearly_touch_it() {
        const SAMPLES: u32 = 41;
        for f in activations() {
            for (i, &lo) in ENDS.iter().enumerate() {
                for &hi in &ENDS[i..] {
                    // Functions with a smaller domain are tried inside it.
                    let Ok(y) = f.range_double((lo, hi)) else { continue };
                    let lines = relax(&f, (lo, hi), y);
                    let what = format!("{f:?} on [{lo}, {hi}]: {lines:?}");
                    let (mut below, mut above) = (f64::INFINITY, f64::INFINITY);
                    // Evenly, and closely where the graphs bend.
                    let even = (0..=SAMPLES).map(|k| lo + (hi - lo) * (f64::from(k) / f64::from(SAMPLES)));
                    let close = (-72..=72).map(|k| f64::from(k) / 16.0);
                    for x in even.chain(close).map(|x| x.clamp(lo, hi)) {
                        let v = value(&f, x);
                        let slack = Rational::from_decimal(&crate::ball::Integer::from(1), -40);
                        let (l, u) = (height(&lines.lower, x), height(&lines.upper, x));
                        assert!(l <= &v.hi + &slack, "{what} at {x}");
                        assert!(u >= &v.lo - &slack, "{what} at {x}");
                        below = below.min((&v.hi - &l).to_f64());
                        above = above.min((&u - &v.lo).to_f64());
                    }
                    let near = 0.05 * (y.1 - y.0) + 1e-9 * (1.0 + y.1.abs());
                    // Over many waves the search for the touching point gives up.
                    let waves = hi - lo > 20.0 && WAVES.contains(&f.name());
                    assert!(waves || (below <= near && above <= near), "{what}: {below} {above}");
                }
            }
        }
    }

    /// Steps of the adversary: slopes that nobody would choose have sound offsets too.
    #[test]
    fn offsets_hold_for_any_slope() {
        for name in ["sigmoid", "tanh", "atan", "asinh", "erf", "softplus", "exp", "sqr"] {
            let Ok(Activation::Function(f)) = Activation::find(name) else { panic!("{name}") };
            let smooth = Smooth::of(f).unwrap();
            for slope in [
                -1.0,
                -1e-3,
                0.0,
                1e-300,
                1e-9,
                0.1,
                0.25,
                0.2500001,
                0.7,
                1.0,
                std::f64::consts::FRAC_2_SQRT_PI,
                3.0,
            ] {
                for z in [(-5.0, 4.0), (-0.5, 3.0), (0.0, 0.0), (0.5, 9.0), (-30.0, -0.1)] {
                    // Without an answer the activation gets constant bounds.
                    let Some(range) = smooth.offsets(f, slope, z) else { continue };
                    for k in 0..=64 {
                        let x: f64 = z.0 + (z.1 - z.0) * f64::from(k) / 64.0;
                        let v = value(&Activation::Function(f), x);
                        let rest = height(&Line { slope: -slope, offset: 0.0 }, x);
                        let [lo, hi] = [range.0, range.1].map(|v| Dyadic::from_f64(v).unwrap());
                        let what = format!("{name} - {slope}x on {z:?} at {x}");
                        assert_ne!((&v.hi + &rest).partial_cmp_dyadic(&lo), Some(Ordering::Less), "{what}");
                        assert_ne!(
                            (&v.lo + &rest).partial_cmp_dyadic(&hi),
                            Some(Ordering::Greater),
                            "{what}"
                        );
                    }
                }
            }
        }
    }
}
