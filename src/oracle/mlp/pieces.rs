//! Lines around any function with an enclosure of its derivative, by cutting an interval into pieces.

use super::double::Range;
use super::relax::{Line, Relaxation, chord};
use crate::ball::{Ball, Bits, Dyadic, FloatInterval};
use crate::oracle::functions::Function;

/// The precision of enclosures.
const BITS: Bits = 64;

/// The range of `f` on a small interval, or a little more: one evaluation of a ball is cheap.
fn small_range(f: &Function, x: &FloatInterval) -> Option<FloatInterval> {
    let y = (f.eval)(&Ball::from_interval(&x.lo, &x.hi, BITS), BITS);
    FloatInterval::from_ball(&y, BITS).or_else(|| f.range_on(x, BITS).ok())
}

/// Lines around any function with an enclosure of its derivative.
pub(super) fn general(f: &Function, z: Range, y: Range) -> Option<Relaxation> {
    let at = |x: f64| Dyadic::from_f64(x).and_then(FloatInterval::point);
    let approximately = |x: &FloatInterval| x.middle(53).to_f64();
    let middle = at(0.5 * z.0 + 0.5 * z.1)?;
    let at_middle = small_range(f, &middle)?;
    let slope = approximately(&(f.derivative.interval)(&middle, &at_middle, BITS)?);
    let at_lo = approximately(&small_range(f, &at(z.0)?)?);
    let at_hi = approximately(&small_range(f, &at(z.1)?)?);
    let across = chord(z, at_lo, at_hi, slope);
    // Where the graph sags below the chord it is bounded below by a tangent, more or less.
    let sags = approximately(&at_middle) < 0.5 * (at_lo + at_hi);
    let (lower, upper) = if sags { (slope, across) } else { (across, slope) };
    let tolerance = 1e-3 * (y.1 - y.0);
    Some(Relaxation {
        lower: Line { slope: lower, offset: search(f, lower, z, false, tolerance)? },
        upper: Line { slope: upper, offset: search(f, upper, z, true, tolerance)? },
    })
}

/// A bound of `f(x) - slope·x` on `z`, from above if `up`: by cutting the piece that is bounded worst
/// until its bound is nearly attained, or often enough.
fn search(f: &Function, slope: f64, z: Range, up: bool, tolerance: f64) -> Option<f64> {
    const CUTS: usize = 40;
    let line = FloatInterval::point(Dyadic::from_f64(slope)?)?;
    let sign = if up { 1.0 } else { -1.0 };
    let mut attained = f64::NEG_INFINITY;
    let mut pieces: Vec<(f64, Range)> = Vec::new();
    let bound = |z: Range, attained: &mut f64| {
        let (bound, inside) = piece(f, &line, z, up)?;
        *attained = attained.max(sign * inside);
        Some((bound, z))
    };
    pieces.push(bound(z, &mut attained)?);
    for _ in 0..CUTS {
        let worst = pieces.iter().enumerate().max_by(|a, b| (sign * a.1.0).total_cmp(&(sign * b.1.0)))?.0;
        let (value, (lo, hi)) = pieces[worst];
        let middle = 0.5 * lo + 0.5 * hi;
        if sign * value <= attained + tolerance || !(lo < middle && middle < hi) {
            break;
        }
        pieces[worst] = bound((lo, middle), &mut attained)?;
        pieces.push(bound((middle, hi), &mut attained)?);
    }
    pieces.into_iter().map(|(bound, _)| bound).reduce(if up { f64::max } else { f64::min })
}

/// A bound of `f(x) - slope·x` on `z`, and approximately a value that is attained.
fn piece(f: &Function, slope: &FloatInterval, z: Range, up: bool) -> Option<(f64, f64)> {
    let x = FloatInterval::new(Dyadic::from_f64(z.0)?, Dyadic::from_f64(z.1)?)?;
    let rest = |t: FloatInterval| small_range(f, &t)?.sub(&slope.mul(&t, BITS)?, BITS);
    let ends = |y: &FloatInterval| {
        (if up { &y.hi } else { &y.lo }.to_f64_directed(up), if up { &y.lo } else { &y.hi }.to_f64())
    };
    let y = small_range(f, &x)?;
    let plain = y.sub(&slope.mul(&x, BITS)?, BITS)?;
    let centre = FloatInterval::point(x.middle(53))?;
    let at_centre = rest(centre.clone())?;
    let Some(derivative) = (f.derivative.interval)(&x, &y, BITS) else {
        return Some((ends(&plain).0, ends(&at_centre).1));
    };
    let tilt = derivative.sub(slope, BITS)?;
    if tilt.sign() != 0 {
        // Monotone: the bound is at an end.
        let end = if (tilt.sign() > 0) == up { x.hi } else { x.lo };
        return Some(ends(&rest(FloatInterval::point(end)?)?));
    }
    // The mean-value theorem.
    let moved = tilt.mul(&x.sub(&centre, BITS)?, BITS)?;
    let bound = at_centre.add(&moved, BITS)?.intersection(&plain)?;
    Some((ends(&bound).0, ends(&at_centre).1))
}
