//! The range of a function over an interval: the values at the endpoints and at the extrema between.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::VecDeque;

use super::functions::{Function, Shape};
use super::hints::Hints;
use super::kernels;
use crate::ball::{
    Ball, Bits, Bounds, Direction, Dyadic, Enclosure, FloatInterval, Integer, Interval, Number, Rational,
};
use crate::error::{Code, Error, Result};

/// What is proved about the minimum and the maximum of a range.
pub(super) struct Ends {
    pub(super) lo: Enclosure,
    pub(super) hi: Enclosure,
}

/// An extremum that may matter.
pub struct Candidate {
    value: Enclosure,
    /// Whether it certainly lies in the interval. One that only may lie there widens the answer but
    /// proves nothing about how wide the true range is.
    certain: bool,
}

/// Finds the extrema inside an interval on which the function is defined; all of them, or enough to
/// dominate the others. `None` when the precision does not suffice.
pub type Search = fn(&Function, &Interval, Bits) -> Option<Vec<Candidate>>;

/// Encloses both ends of `f(x)`, working with `bits` bits. `None` when they do not suffice.
///
/// The interval must be inside the domain ([`Function::admits`]). With `refine`, exact values and
/// [`Hints`] are used too, which costs more.
///
/// Extrema inside are placed with at most `extremum_bits`: values near an extremum hardly depend on the
/// place, so more would be spent in vain on an endpoint that is hard for reasons of its own.
pub(super) fn ends(
    f: &Function,
    x: &Interval,
    bits: Bits,
    extremum_bits: Bits,
    refine: bool,
) -> Option<Ends> {
    if let Some(ends) = f.waves.and_then(|waves| waves.ends(x, bits)) {
        return Some(ends);
    }
    let at_lo = value_at(f, &x.lo, bits, refine)?;
    if x.is_point() {
        return Some(Ends { hi: at_lo.clone(), lo: at_lo });
    }
    let at_hi = value_at(f, &x.hi, bits, refine)?;
    match f.shape {
        Shape::Rising => return Some(Ends { lo: at_lo, hi: at_hi }),
        Shape::Falling => return Some(Ends { lo: at_hi, hi: at_lo }),
        _ => {}
    }
    // Counting multiples of π is different: there the argument's size asks for the bits.
    let interior_bits = match f.shape {
        Shape::Alternating { .. } => bits,
        _ => bits.min(extremum_bits),
    };
    let mut candidates = interior(f, x, interior_bits)?;
    candidates.push(Candidate { value: at_lo, certain: true });
    candidates.push(Candidate { value: at_hi, certain: true });
    extremes(&candidates)
}

/// Encloses `f(q)`.
fn value_at(f: &Function, q: &Rational, bits: Bits, refine: bool) -> Option<Enclosure> {
    if refine && let Some(value) = (f.exact)(q) {
        return Some(Enclosure::exact(value));
    }
    let value = enclosure((f.eval)(&Ball::from_rational(q, bits), bits), bits);
    if !refine {
        return value;
    }
    let mut hints = Hints::default();
    (f.hints)(q, &mut hints);
    let mut bounds = match value {
        Some(value) => value.bounds().into_owned(),
        None => hints.bounds()?,
    };
    hints.narrow(&mut bounds);
    Some(Enclosure::Between(bounds))
}

fn enclosure(ball: Ball, bits: Bits) -> Option<Enclosure> {
    ball.is_finite().then_some(Enclosure::Ball(ball, bits))
}

/// The least and the greatest of the candidates.
fn extremes(candidates: &[Candidate]) -> Option<Ends> {
    let bounds: Vec<_> = candidates.iter().map(|c| (c.value.bounds(), c.certain)).collect();
    let all = || bounds.iter().map(|(b, _)| b);
    let certain = || bounds.iter().filter(|(_, certain)| *certain).map(|(b, _)| b);
    // The outer bound holds for every candidate; the inner one is attained by one that is certain.
    let lo = between(
        extreme(Ordering::Less, all().map(|b| (&b.below, b.below_strict)), |x, y| x && y)?,
        extreme(Ordering::Less, certain().map(|b| (&b.above, b.above_strict)), |x, y| x || y)?,
    );
    let hi = between(
        extreme(Ordering::Greater, certain().map(|b| (&b.below, b.below_strict)), |x, y| x || y)?,
        extreme(Ordering::Greater, all().map(|b| (&b.above, b.above_strict)), |x, y| x && y)?,
    );
    Some(Ends { lo, hi })
}

/// The first number in the order `towards`; among equal ones `join` joins what is known of strictness.
fn extreme<'a>(
    towards: Ordering,
    numbers: impl Iterator<Item = (&'a Number, bool)>,
    join: impl Fn(bool, bool) -> bool,
) -> Option<(&'a Number, bool)> {
    let mut best: Option<(&Number, bool)> = None;
    for (number, strict) in numbers {
        best = Some(match best {
            None => (number, strict),
            Some((so_far, known)) => match number.partial_cmp(so_far)? {
                Ordering::Equal => (so_far, join(known, strict)),
                order if order == towards => (number, strict),
                _ => (so_far, known),
            },
        });
    }
    best
}

fn between((below, below_strict): (&Number, bool), (above, above_strict): (&Number, bool)) -> Enclosure {
    Enclosure::Between(Bounds { below: below.clone(), above: above.clone(), below_strict, above_strict })
}

/// The extrema strictly inside `x` that can matter.
fn interior(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    match f.shape {
        Shape::Rising | Shape::Falling | Shape::Monotone => Some(Vec::new()),
        Shape::ExtremumAtZero(value) => Some(zero_inside(x, value, bits).into_iter().collect()),
        Shape::Alternating { half } => alternating(x, half, bits),
        Shape::OneExtremum { after, before, solve } => one_extremum(f, x, (after, before), solve, bits),
        Shape::Oscillating(o) => o.extrema(f, x, bits),
        Shape::Extrema(search) => search(f, x, bits),
    }
}

/// The extremum `value` at 0, if 0 is strictly inside `x`.
fn zero_inside(x: &Interval, value: i32, bits: Bits) -> Option<Candidate> {
    (x.lo.sign() < 0 && x.hi.sign() > 0).then(|| Candidate { value: integer(value, bits), certain: true })
}

/// Exactly an integer.
fn integer(value: i32, bits: Bits) -> Enclosure {
    Enclosure::Ball(Ball::from(i64::from(value)), bits)
}

/// The extremum at `place`, unless that is certainly outside `x`.
fn extremum_at(f: &Function, x: &Interval, place: &Ball, bits: Bits) -> Option<Option<Candidate>> {
    let where_ = locate(place, x, bits)?;
    if where_ == Place::Left || where_ == Place::Right {
        return Some(None);
    }
    let value = enclosure((f.eval)(place, bits), bits)?;
    Some(Some(Candidate { value, certain: where_ == Place::Inside }))
}

/// Where a ball lies with respect to an interval.
#[derive(PartialEq, Eq)]
enum Place {
    Left,
    Inside,
    Right,
    Unclear,
}

fn locate(place: &Ball, x: &Interval, bits: Bits) -> Option<Place> {
    if !place.is_finite() {
        return None;
    }
    // Places are told apart by their distance, however far out they are.
    let bits = bits + u32::try_from(place.midpoint().magnitude().unwrap_or(0).max(0)).ok()? + 32;
    let (low, high) = (place.lower(bits), place.upper(bits));
    let (low_lo, low_hi) = (x.lo.partial_cmp_dyadic(&low)?, x.hi.partial_cmp_dyadic(&low)?);
    let (high_lo, high_hi) = (x.lo.partial_cmp_dyadic(&high)?, x.hi.partial_cmp_dyadic(&high)?);
    Some(if high_lo == Ordering::Greater {
        Place::Left
    } else if low_hi == Ordering::Less {
        Place::Right
    } else if low_lo != Ordering::Greater && high_hi != Ordering::Less {
        Place::Inside
    } else {
        Place::Unclear
    })
}

fn one_extremum(
    f: &Function,
    x: &Interval,
    (after, before): (i32, i32),
    solve: fn(Bits) -> Option<Ball>,
    bits: Bits,
) -> Option<Vec<Candidate>> {
    let left = x.hi.cmp_int(i64::from(after)) != Ordering::Greater;
    let right = x.lo.cmp_int(i64::from(before)) != Ordering::Less;
    if left || right {
        return Some(Vec::new());
    }
    Some(extremum_at(f, x, &solved(f.name, solve, bits)?, bits)?.into_iter().collect())
}

/// The place of the one extremum of the function called `name`. Networks ask for it thousands of times
/// at the same precision, so the last few are kept per thread.
fn solved(name: &'static str, solve: fn(Bits) -> Option<Ball>, bits: Bits) -> Option<Ball> {
    const KEPT: usize = 16;
    type Solved = VecDeque<(&'static str, Bits, Ball)>;
    thread_local! {
        static LAST: RefCell<Solved> = const { RefCell::new(VecDeque::new()) };
    }
    let find = |last: &RefCell<Solved>| {
        last.borrow().iter().find(|(n, b, _)| (*n, *b) == (name, bits)).map(|(_, _, place)| place.clone())
    };
    // When the thread ends its slots may be gone.
    if let Some(place) = LAST.try_with(find).ok().flatten() {
        return Some(place);
    }
    let place = solve(bits)?;
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.truncate(KEPT - 1);
        last.push_front((name, bits, place.clone()));
    });
    Some(place)
}

// ------------------------------------------------------------------------- multiples of π

/// The integers `n` with `(n + offset)·π` in an interval, as far as known.
pub(super) struct Multiples {
    /// All `n` in this range of integers qualify. Possibly empty.
    certain: (Integer, Integer),
    /// No `n` outside this range qualifies.
    possible: (Integer, Integer),
}

impl Multiples {
    /// Whether there is any, if that is known.
    pub(super) fn contains_any(&self) -> Option<bool> {
        if self.certain.0 <= self.certain.1 {
            Some(true)
        } else if self.possible.0 > self.possible.1 {
            Some(false)
        } else {
            None
        }
    }
}

/// The `n` with `nπ` (or `(n + 1/2)π` if `half`) in `x`.
pub(super) fn multiples_of_pi(x: &Interval, half: bool, bits: Bits) -> Multiples {
    if let (Some(first), Some(last)) = (quick_multiple(&x.lo, half, true), quick_multiple(&x.hi, half, false))
    {
        let range = (Integer::from(first), Integer::from(last));
        return Multiples { certain: range.clone(), possible: range };
    }
    let pi = Ball::pi(bits);
    let turns = |q: &Rational| {
        let t = Ball::from_rational(q, bits).div(&pi, bits);
        if half { t.sub(&Ball::from(1).mul_2exp(-1), bits) } else { t }
    };
    let (from, to) = (turns(&x.lo), turns(&x.hi));
    let whole = |d: crate::ball::Dyadic, up| d.to_integer(up).unwrap_or_default();
    Multiples {
        certain: (whole(from.upper(bits), true), whole(to.lower(bits), false)),
        possible: (whole(from.lower(bits), true), whole(to.upper(bits), false)),
    }
}

/// `q/π - offset` rounded up or down to an integer, in double precision where that is beyond doubt.
fn quick_multiple(q: &Rational, half: bool, up: bool) -> Option<i64> {
    if q.is_zero() {
        // -1/2 rounds up to 0 and down to -1; 0 stays.
        return Some(if half && !up { -1 } else { 0 });
    }
    let t = q.to_f64() / std::f64::consts::PI - if half { 0.5 } else { 0.0 };
    // The quotient is below 10^6, so its error is below 10^-9.
    let sure = t.abs() < 1e6 && (t - t.round()).abs() > 1e-6;
    sure.then(|| if up { t.ceil() as i64 } else { t.floor() as i64 })
}

/// Extrema `(-1)^n` at `(n + offset)·π`.
fn alternating(x: &Interval, half: bool, bits: Bits) -> Option<Vec<Candidate>> {
    let multiples = multiples_of_pi(x, half, bits);
    // Which of the two parities occur among the integers of a range.
    let occurs = |(first, last): &(Integer, Integer), even: bool| {
        let next = if first.is_even() == even { first.clone() } else { first + &Integer::from(1) };
        next <= *last
    };
    let mut found = Vec::new();
    for (even, value) in [(true, 1), (false, -1)] {
        if occurs(&multiples.possible, even) {
            let certain = occurs(&multiples.certain, even);
            found.push(Candidate { value: integer(value, bits), certain });
        }
    }
    Some(found)
}

// ---------------------------------------------------------------------------- oscillations

/// A function on `x > 0` whose extrema alternate and shrink: each lies between the two before it, so
/// over an interval only the first two inside matter. Continued to `x < 0` as an even or odd function.
pub struct Oscillation {
    /// The `k`-th extremum lies in `[(k + after/8)π, (k + before/8)π]`, `k ≥ 1`, and none elsewhere.
    after: i64,
    before: i64,
    /// A function with its only zero there at the extremum; `None` when the bracket is one point.
    slope: Option<fn(&Ball, Bits) -> Ball>,
    /// Whether the continuation to `x < 0` is odd.
    odd: bool,
    /// The value of the extremum at 0 of an even function.
    at_zero: Option<i32>,
}

/// `sin(x)/x`: extrema where `tan(x) = x`, one in each `(kπ, (k + 1/2)π)`; there `|sinc| = |cos|`.
pub(super) static SINC: Oscillation = Oscillation {
    after: 0,
    before: 4,
    slope: Some(|x, bits| x.cos(bits).mul(x, bits).sub(&x.sin(bits), bits)),
    odd: false,
    at_zero: Some(1),
};

/// `Si`: extrema at `kπ`.
pub(super) static SI: Oscillation =
    Oscillation { after: 0, before: 0, slope: None, odd: true, at_zero: None };

/// `Ci`: extrema at `(k - 1/2)π`.
pub(super) static CI: Oscillation =
    Oscillation { after: -4, before: -4, slope: None, odd: false, at_zero: None };

/// `J0`: extrema at the zeros of `J1`, for which `(k + 1/8)π < j(1,k) < (k + 1/4)π`
/// (Watson, A Treatise on the Theory of Bessel Functions, 15.33); their sizes shrink (15.31).
pub(super) static BESSEL_J0: Oscillation = Oscillation {
    after: 1,
    before: 2,
    slope: Some(|x, bits| x.bessel_j(1, bits)),
    odd: false,
    at_zero: Some(1),
};

/// `J1`: one extremum before the first and between any two zeros of `J1`. The bracket keeps clear of
/// those zeros, and the change of sign of `J1'` over it is checked.
pub(super) static BESSEL_J1: Oscillation = Oscillation {
    after: -4,
    before: -2,
    slope: Some(|x, bits| x.bessel_j(0, bits).sub(&x.bessel_j(1, bits).div(x, bits), bits)),
    odd: true,
    at_zero: None,
};

impl Oscillation {
    fn extrema(&self, f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
        let mut found: Vec<Candidate> =
            self.at_zero.and_then(|v| zero_inside(x, v, bits)).into_iter().collect();
        if x.hi.sign() > 0 {
            let right = Interval { lo: x.lo.clone().max(Rational::new()), hi: x.hi.clone() };
            self.first_two(f, &right, false, bits, &mut found)?;
        }
        if x.lo.sign() < 0 {
            let mirrored = Interval { lo: (-&x.hi).max(Rational::new()), hi: -&x.lo };
            self.first_two(f, &mirrored, self.odd, bits, &mut found)?;
        }
        Some(found)
    }

    /// Adds the first two extrema in `x`, a part of `x ≥ 0`; negated if `negate`.
    fn first_two(
        &self,
        f: &Function,
        x: &Interval,
        negate: bool,
        bits: Bits,
        found: &mut Vec<Candidate>,
    ) -> Option<()> {
        let size = u32::try_from(x.lo.magnitude().max(0)).ok()?;
        let working = bits + size + 16;
        let pi = Ball::pi(working);
        // (eighths/8)·π
        let place = |eighths: &Integer| {
            Ball::from_rational(&Rational::from(eighths), working).mul(&pi, working).mul_2exp(-3)
        };
        let turns = Ball::from_rational(&x.lo, working).div(&pi, working);
        let guess = turns.lower(working).to_integer(false)?;
        // The first k with (k + before/8)π ≥ lo, or one less.
        let eight = Integer::from(8);
        let shifted = &(&guess * &eight) - &Integer::from(self.before);
        let first = shifted.div_floor(&eight).max(Integer::from(1));
        let mut certain = 0;
        for step in 0..6 {
            let k = &(&first + &Integer::from(step)) * &eight;
            let (left, right) =
                (place(&(&k + &Integer::from(self.after))), place(&(&k + &Integer::from(self.before))));
            match locate(&left, x, working)? {
                Place::Right => return Some(()),
                _ if locate(&right, x, working)? == Place::Left => continue,
                _ => {}
            }
            let at = match self.slope {
                None => left,
                Some(slope) => kernels::isolate(slope, &left, &right, bits)?,
            };
            let Some(mut candidate) = extremum_at(f, x, &at, bits)? else { continue };
            if negate {
                candidate.value = negated(candidate.value);
            }
            certain += usize::from(candidate.certain);
            found.push(candidate);
            if certain == 2 {
                return Some(());
            }
        }
        None
    }
}

/// How a function swings around a line far out, where each wave is so much like the next that only the
/// size of the argument matters.
///
/// On `x > 0` (mirrored: `x < 0`) the function is `c + M·cos(θ)` up to its sign. For large `x` the phase
/// `θ` turns once within a distance of 8, and `amplitude(x - 1) ≥ M(x) ≥ amplitude(x + 1)`. So on an
/// interval that begins at `a` and is longer than 8, the greatest value is between `c + amplitude(a + 9)`
/// and `c + amplitude(a - 1)`, and the least accordingly.
pub(super) struct Waves {
    amplitude: fn(&Ball, Bits) -> Ball,
    /// Whether the waves are around ±π/2, with the sign of the argument, and not around 0.
    around_half_pi: bool,
    /// On which side of 0 the waves are: 1, -1, or 0 for both.
    side: i32,
    /// A bound that no absolute value on arguments of at least `a > 0` reaches. Where it is on the decimal
    /// grid, no precision could tell.
    below: fn(&Rational) -> Option<Rational>,
}

/// `sin(x)/x`, and `Ci(x) = -Re E1(ix)`: the modulus of `E1(ix)` is that of `∫ e^(-xt)/(t + i) dt`, which
/// is between `1/x - 2/x³` (so is its imaginary part) and `1/x`.
pub(super) static SINC_CI_WAVES: Waves =
    Waves { amplitude: |x, bits| x.inv(bits), around_half_pi: false, side: 0, below: Rational::recip };

/// `Si(x) = π/2 + Im E1(ix)`.
pub(super) static SI_WAVES: Waves =
    Waves { amplitude: |x, bits| x.inv(bits), around_half_pi: true, side: 0, below: |_| None };

/// `J0` and `J1`: the squared moduli `J² + Y²` are within `2/(πx)·(1 - 1/(8x²))` and
/// `2/(πx)·(1 + 3/(8x²))` (Watson, 13.75), and the phases have the slopes `2/(πx(J² + Y²))`.
pub(super) static BESSEL_WAVES: Waves = Waves {
    amplitude: |x, bits| Ball::from(2).div(&x.mul(&Ball::pi(bits), bits), bits).sqrt(bits),
    around_half_pi: false,
    side: 0,
    below: |_| None,
};

/// Airy functions at `-x`: `Ai² + Bi²` is between `1/(π√x)·(1 - 5/(32x³))` and `1/(π√x)`, and the slope
/// of the phase is `1/(π(Ai² + Bi²))` (DLMF 9.8).
pub(super) static AIRY_WAVES: Waves = Waves {
    amplitude: |x, bits| x.sqrt(bits).mul(&Ball::pi(bits), bits).inv(bits).sqrt(bits),
    around_half_pi: false,
    side: -1,
    below: |_| None,
};

impl Waves {
    /// Both ends of the range over an interval so far out that `bits` bits do not tell its waves apart.
    fn ends(&self, x: &Interval, bits: Bits) -> Option<Ends> {
        let (sign, near) = if x.lo.sign() > 0 { (1, &x.lo) } else { (-1, &x.hi) };
        let far_out = near.sign() == sign && near.magnitude() > 2 * i64::from(bits);
        if !far_out || self.side * sign < 0 || (&x.hi - &x.lo).cmp_int(16) == Ordering::Less {
            return None;
        }
        let from = Ball::from_rational(&near.abs(), bits);
        let nine = |sign: i64| from.add(&Ball::from(9 * sign), bits);
        let from = Ball::from_interval(&nine(-1).lower(bits), &nine(1).upper(bits), bits);
        let amplitude = (self.amplitude)(&from, bits);
        let centre = match self.around_half_pi {
            true => Ball::pi(bits).mul(&Ball::from(i64::from(sign)), bits).mul_2exp(-1),
            false => Ball::new(),
        };
        let (lo, hi) = (centre.sub(&amplitude, bits), centre.add(&amplitude, bits));
        if let Some(above) = (self.below)(&near.abs()) {
            let (below, above) = (Number::Dyadic(hi.lower(bits)), Number::Rational(above));
            let hi = Enclosure::Between(Bounds { below, above, below_strict: false, above_strict: true });
            return Some(Ends { lo: negated(hi.clone()), hi });
        }
        Some(Ends { lo: enclosure(lo, bits)?, hi: enclosure(hi, bits)? })
    }
}

fn negated(v: Enclosure) -> Enclosure {
    let negate = |n: Number| match n {
        Number::Rational(q) => Number::Rational(-&q),
        Number::Dyadic(x) => Number::Dyadic(-&x),
    };
    match v {
        Enclosure::Ball(ball, bits) => Enclosure::Ball(-&ball, bits),
        Enclosure::Between(b) => Enclosure::Between(Bounds {
            below: negate(b.above),
            above: negate(b.below),
            below_strict: b.above_strict,
            above_strict: b.below_strict,
        }),
    }
}

/// Airy functions: extrema on `x < 0` only, shrinking away from 0; the first two left of `hi` matter.
fn airy_extrema(f: &Function, x: &Interval, second: bool, bits: Bits) -> Option<Vec<Candidate>> {
    // The first extremum of Ai is at -1.0187…, that of Bi at -2.2944….
    if x.lo.cmp_int(if second { -2 } else { -1 }) != Ordering::Less {
        return Some(Vec::new());
    }
    let one = Integer::from(1);
    let mut k = one.clone();
    if x.hi.sign() < 0 {
        // The k-th extremum is near -(3π(k - 3/4)/2)^(2/3) for Ai, with 1/4 for 3/4 for Bi.
        let working = bits + 2 * u32::try_from(x.hi.magnitude().max(0)).ok()? + 16;
        let depth = Ball::from_rational(&x.hi.abs(), working);
        let turns = depth.sqrt(working).mul(&depth, working).mul_2exp(1).div(&Ball::from(3), working);
        let guess = turns.div(&Ball::pi(working), working).lower(working).to_integer(false)?;
        k = (&guess - &one).max(one.clone());
        let before = Ball::airy_derivative_zero(&k, second, bits);
        // Nothing inside may come before the first one looked at.
        if k > one && locate(&before, x, bits)? != Place::Right {
            return None;
        }
    }
    let mut found = Vec::new();
    let mut certain = 0;
    for _ in 0..8 {
        let at = Ball::airy_derivative_zero(&k, second, bits);
        if locate(&at, x, bits)? == Place::Left {
            return Some(found);
        }
        if let Some(candidate) = extremum_at(f, x, &at, bits)? {
            certain += usize::from(candidate.certain);
            found.push(candidate);
            if certain == 2 {
                return Some(found);
            }
        }
        k = &k + &one;
    }
    None
}

pub(super) fn airy_ai_extrema(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    airy_extrema(f, x, false, bits)
}

pub(super) fn airy_bi_extrema(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    airy_extrema(f, x, true, bits)
}

// -------------------------------------------------------------------------- gamma and zeta

/// Gamma: a minimum on `x > 0`, and one extremum between neighbouring poles. An interval free of
/// poles meets one of these pieces only.
pub(super) fn gamma_extrema(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    if x.lo.sign() > 0 {
        return one_extremum(f, x, (1, 2), kernels::gamma_minimum, bits);
    }
    let n = -&(&x.hi.floor() + &Integer::from(1));
    Some(extremum_at(f, x, &kernels::digamma_zero(&n, bits)?, bits)?.into_iter().collect())
}

/// 1/gamma: a maximum near 1.46 and one extremum in each `(-n - 1, -n)`.
///
/// Their sizes grow with `n`: `|gamma(x - 1)| = |gamma(x)|/|x - 1|`, so the smallest `|gamma|` on a
/// piece is below that on the piece before. So the two farthest left dominate.
pub(super) fn rgamma_extrema(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    let mut found = one_extremum(f, x, (1, 2), kernels::gamma_minimum, bits)?;
    if x.lo.sign() < 0 {
        let first = (-&x.hi).floor().max(Integer::new());
        let last = -&(&x.lo.floor() + &Integer::from(1));
        for n in farthest(&first, &last, 0) {
            found.extend(extremum_at(f, x, &kernels::digamma_zero(&n, bits)?, bits)?);
        }
    }
    Some(found)
}

/// Zeta: falling on `(-2, 1)` and on `x > 1`; one extremum in each `(-2n - 2, -2n)`, `n ≥ 1`.
///
/// By the functional equation `|zeta(x - 2)|/|zeta(x)| = s(s + 1)/(4π²)·zeta(s + 2)/zeta(s)` with
/// `s = 1 - x`, which exceeds 1 for `s ≥ 6`: from the third on the extrema grow to the left.
pub(super) fn zeta_extrema(f: &Function, x: &Interval, bits: Bits) -> Option<Vec<Candidate>> {
    if x.lo.cmp_int(-2) != Ordering::Less {
        return Some(Vec::new());
    }
    let half = |q: &Rational| (q * &super::hints::one_half()).floor();
    let first = half(&-&x.hi).max(Integer::from(1));
    let last = -&(&half(&x.lo) + &Integer::from(1));
    let mut found = Vec::new();
    for n in farthest(&first, &last, 3) {
        found.extend(extremum_at(f, x, &kernels::zeta_critical_point(&n, bits)?, bits)?);
    }
    Some(found)
}

/// The integers from `first` to `last` that are at most `near`, and the last three (the very last may
/// turn out to lie outside the interval).
fn farthest(first: &Integer, last: &Integer, near: i64) -> Vec<Integer> {
    let one = Integer::from(1);
    let mut chosen = Vec::new();
    let mut n = first.clone();
    while n <= *last && n <= Integer::from(near) {
        chosen.push(n.clone());
        n = &n + &one;
    }
    n = n.max(last - &Integer::from(2));
    while n <= *last {
        chosen.push(n.clone());
        n = &n + &one;
    }
    chosen
}

impl Function {
    /// Encloses the values on an interval of dyadic numbers, to about `bits` bits.
    ///
    /// Errors: [`Code::Domain`], [`Code::Pole`], and [`Code::PrecisionCap`] when some doublings of
    /// `bits` do not settle it.
    pub(super) fn range_on(&self, x: &FloatInterval, bits: Bits) -> Result<FloatInterval> {
        const DOUBLINGS: u32 = 4;
        let exact = |d: &Dyadic| {
            d.to_rational().ok_or_else(|| {
                Error::new(
                    Code::ExponentLimit,
                    format!("an argument of {} is too large or too small", self.name),
                )
            })
        };
        let interval = Interval { lo: exact(&x.lo)?, hi: exact(&x.hi)? };
        if self.huge.contains(&interval.lo) || self.huge.contains(&interval.hi) {
            return Err(Error::new(
                Code::ExponentLimit,
                format!("{} is far too large or small there", self.name),
            ));
        }
        // Whether an end may have been rounded across -1, 0 or 1, which a function applied to it may mind.
        let across = |range: &FloatInterval| {
            let close = |d: &Dyadic| match d.magnitude() {
                Some(0 | 1) => {
                    let beyond =
                        if d.sign() < 0 { d.add(&1.into(), 8, true) } else { d.sub(&1.into(), 8, true) };
                    beyond.magnitude().is_some_and(|m| m < 4 - i64::from(bits))
                }
                magnitude => magnitude.is_some_and(|m| m < 4 - i64::from(bits)),
            };
            close(&range.lo) || close(&range.hi)
        };
        let mut plain = None;
        for doubling in 0..=DOUBLINGS {
            let working = bits << doubling;
            if self.admits(&interval, working)?
                && let Some(ends) = ends(self, &interval, working, working, doubling > 0)
                && let (lo, _) = ends.lo.round_binary(Direction::Down, bits)
                && let (hi, _) = ends.hi.round_binary(Direction::Up, bits)
                && let Some(range) = FloatInterval::new(lo, hi)
            {
                if doubling > 0 || !across(&range) {
                    return Ok(range);
                }
                plain = Some(range);
            } else if let Some(range) = plain {
                return Ok(range);
            }
        }
        Err(Error::new(
            Code::PrecisionCap,
            format!("{} was not enclosed with {} bits; raise prec_bits", self.name, bits << DOUBLINGS),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::short;
    use super::*;
    use crate::oracle::{FUNCTIONS, Query, Settings};

    /// The functions with waves, and on which sides of 0.
    fn waving() -> impl Iterator<Item = (&'static Function, &'static Waves, i64)> {
        FUNCTIONS.iter().filter_map(|f| Some((f, f.waves?))).flat_map(|(f, waves)| {
            let both = [1, -1].into_iter();
            let sides = both.filter(|s| waves.side * (*s as i32) >= 0 && !(f.name == "ci" && *s < 0));
            sides.map(move |side| (f, waves, side))
        })
    }

    fn interval(near: &Rational, far: &Rational, side: i64) -> Interval {
        let (near, far) = (near * &Rational::from(side), far * &Rational::from(side));
        if side > 0 { Interval { lo: near, hi: far } } else { Interval { lo: far, hi: near } }
    }

    /// Where both ways can be gone, the waves have the extrema that were found one by one.
    #[test]
    fn waves_have_the_extrema() {
        for (function, waves, side) in waving() {
            for (near, bits) in [(1i64 << 12, 5), (1 << 22, 10), ((1 << 40) + 12_345, 19)] {
                let x = interval(&Rational::from(near), &Rational::from(near + 40), side);
                let settings = Settings { digits: 40, ..Settings::default() };
                let known = Query { function, interval: x.clone(), settings }.answer().expect("answered");
                assert!(known.tight);
                let ends = waves.ends(&x, bits).expect("far out");
                for (end, known) in [(ends.lo, known.lo), (ends.hi, known.hi)] {
                    let known = Number::Rational(known.to_rational());
                    let bounds = end.bounds();
                    let inside = bounds.below <= known && known <= bounds.above;
                    assert!(inside, "{} at {side}*{near}: {known:?} not in {bounds:?}", function.name);
                }
            }
        }
    }

    #[test]
    fn far_out_ranges_are_tight_and_fast() {
        let begun = std::time::Instant::now();
        let huge = |text| Interval::parse(text, 1_000_000).expect("a number").lo;
        let ends = ["1e400", "1e10000", "1e100000", "1e1000000"].map(huge);
        for (function, _, side) in waving() {
            for pair in ends.windows(2) {
                let query = |interval| {
                    let settings = Settings { digits: 10, exp_limit: 1_000_010, ..Settings::default() };
                    Query { function, interval, settings }.answer().expect("answered")
                };
                let all = query(interval(&pair[0], &pair[1], side));
                assert!(all.tight, "{} on {side}*{}", function.name, short(&pair[0]));
                if pair[0] == ends[0] {
                    for k in 0..10 {
                        let x = &pair[0] + &Rational::from(k);
                        let one = query(interval(&x, &x, side));
                        let (lo, hi) = (all.lo.to_rational(), all.hi.to_rational());
                        assert!(
                            lo <= one.hi.to_rational() && one.lo.to_rational() <= hi,
                            "{}",
                            function.name
                        );
                    }
                }
            }
        }
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }
}
