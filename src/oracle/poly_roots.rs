//! All complex roots of a polynomial: the question `poly_roots`, and the eigenvalues of exact matrices.
//!
//! The squarefree factorisation gives the multiplicities exactly. The roots of each factor are
//! approximated by the Durand-Kerner iteration and enclosed in disks of radius `n·|p/p'|`, each of which
//! contains a root; `n` disjoint ones contain one each. What no precision could decide is decided
//! exactly: which roots are real, which are fractions, and which have a real or imaginary part that is a
//! fraction (such as the 0 in `±i`, or the 1/2 in `exp(iπ/3)`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::constants::precisions;
use super::questions::{append_interval, head};
use super::request::{NumberText, not_json, object};
use super::unary::Settings;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::linear::{ComplexBall, ComplexVector, Polynomial};
use crate::ball::{Ball, Bits, DecimalInterval, Enclosure, Integer, Interval, Rational};
use crate::error::{Code, Error, Result};

/// The question: where are the roots of a polynomial?
#[derive(Clone, Debug)]
pub struct PolyRootsQuery {
    /// The coefficients of `1, x, x², …`, exactly. Zeros at the end are allowed; not all may be zero.
    pub coefficients: Vec<Rational>,
    /// How precisely to answer.
    pub settings: Settings,
}

/// A rectangle in the complex plane, and what is proved about the roots in it.
#[derive(Clone, Debug)]
pub struct ComplexRoot {
    /// Encloses the real part.
    pub re: DecimalInterval,
    /// Encloses the imaginary part; exactly 0 when `real`.
    pub im: DecimalInterval,
    /// How many roots, counted with multiplicity, the rectangle contains. For a polynomial, and for an
    /// exact matrix, that is one number of exactly this multiplicity.
    pub multiplicity: u32,
    /// Whether the root is proved to be real.
    pub real: bool,
}

/// All roots. The rectangles are pairwise disjoint. Real roots come first, in rising order; then pairs of
/// conjugates by the real part and the absolute imaginary part, the upper one first.
#[derive(Clone, Debug)]
pub struct PolyRootsAnswer {
    /// The roots.
    pub roots: Vec<ComplexRoot>,
    /// Whether every end is proved to be within one unit of its last requested digit of the truth.
    pub tight: bool,
    /// The working precision that was used, in bits.
    pub bits_used: Bits,
}

/// The largest degree that is answered.
const MAX_DEGREE: usize = 2000;

/// The most bits in all coefficients, after multiplication with the common denominator.
const MAX_SIZE: u64 = 1 << 26;

impl PolyRootsQuery {
    /// Encloses all roots, the ends to `settings.digits` significant digits, more where neighbouring
    /// roots agree in so many.
    ///
    /// Errors, apart from those of the budget: [`Code::BadRequest`] for the zero polynomial and for one
    /// that is too large, [`Code::PrecisionCap`] when the roots were not isolated,
    /// [`Code::ExponentLimit`].
    pub fn answer(&self, budget: &Budget) -> Result<PolyRootsAnswer> {
        self.settings.check()?;
        let wrong = |message: String| Err(Error::new(Code::BadRequest, message).at("coefficients"));
        let Some(degree) = self.coefficients.iter().rposition(|c| !c.is_zero()) else {
            return wrong("every coefficient is zero, so every number is a root; give a polynomial".into());
        };
        if degree > MAX_DEGREE {
            return wrong(format!("the degree is {degree}; at most {MAX_DEGREE} is answered"));
        }
        let Some(integers) = to_integers(&self.coefficients[..=degree], MAX_SIZE) else {
            return wrong("the coefficients are too long; round them, or lower the degree".into());
        };
        scaled_roots(&Polynomial::from_coefficients(&integers), &Integer::from(1), &self.settings, budget)
    }
}

/// The fractions, multiplied by their common denominator; `None` when that would take more than
/// `most_bits` bits.
fn to_integers(fractions: &[Rational], most_bits: u64) -> Option<Vec<Integer>> {
    let each = most_bits / (fractions.len() as u64).max(1);
    let (denominator, bits) = common_denominator(fractions, each)?;
    if bits > each {
        return None;
    }
    Some(
        fractions
            .iter()
            .map(|q| {
                let factor = denominator.div_floor(&q.denominator());
                &q.numerator() * &factor
            })
            .collect(),
    )
}

/// The common denominator, and the bits that the largest fraction takes when multiplied by it; `None`
/// when the denominator alone takes more than `most_bits`.
pub(super) fn common_denominator<'a>(
    fractions: impl IntoIterator<Item = &'a Rational> + Clone,
    most_bits: u64,
) -> Option<(Integer, u64)> {
    let mut denominator = Integer::from(1);
    for q in fractions.clone() {
        if !q.is_integer() {
            denominator = denominator.lcm(&q.denominator());
            if denominator.bits() > most_bits {
                return None;
            }
        }
    }
    let bits = |q: &Rational| q.numerator().bits() + denominator.bits() - q.denominator().bits() + 1;
    let most = fractions.into_iter().map(bits).max().unwrap_or(0);
    Some((denominator, most))
}

// ------------------------------------------------------------------------- isolating the roots

/// A squarefree factor, and what is known about its roots so far.
struct Factor {
    p: Polynomial,
    multiplicity: u32,
    leading: Integer,
    constant: Integer,
    degree: usize,
    /// Whether 0 is a root. `p = x^(0 or 1)·deflated(x^deflation)`.
    zero: bool,
    deflated: Polynomial,
    deflation: u32,
    /// The roots of `deflated`, as good as they are.
    approximations: ComplexVector,
    isolated: bool,
    /// Numbers of roots that were counted exactly.
    counted: BTreeMap<(Place, Rational), usize>,
}

/// A set in the complex plane, given a fraction `q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The point `q`.
    Point,
    /// The numbers with real part `q`.
    Vertical,
    /// The numbers with imaginary part `q`.
    Horizontal,
}

/// A rectangle with exactly one root, on the real axis or above it.
struct Isolated {
    re: Part,
    im: Part,
    real: bool,
}

/// A real number: in a ball, and exactly when it is known to be a fraction.
struct Part {
    ball: Ball,
    exact: Option<Rational>,
}

impl Part {
    fn ball(ball: Ball) -> Self {
        Part { ball, exact: None }
    }

    fn zero() -> Self {
        Part { ball: Ball::new(), exact: Some(Rational::new()) }
    }

    /// The number divided by `divisor > 0`, and negated if `negate`.
    fn enclosure(&self, divisor: &Integer, negate: bool, bits: Bits) -> Enclosure {
        let divisor = Rational::from(divisor);
        match &self.exact {
            Some(q) => {
                let q = &divisor.recip().unwrap_or_default() * q;
                Enclosure::exact(if negate { -&q } else { q })
            }
            None => {
                let quotient = match divisor.cmp_int(1) {
                    Ordering::Equal => self.ball.clone(),
                    _ => self.ball.div(&Ball::from_rational(&divisor, bits), bits),
                };
                Enclosure::Ball(if negate { -&quotient } else { quotient }, bits)
            }
        }
    }

    /// Whether the number may be `q`.
    fn may_be(&self, q: &Rational, bits: Bits) -> bool {
        match &self.exact {
            Some(exact) => exact == q,
            None => {
                q.partial_cmp_dyadic(&self.ball.lower(bits)).is_none_or(Ordering::is_ge)
                    && q.partial_cmp_dyadic(&self.ball.upper(bits)).is_none_or(Ordering::is_le)
            }
        }
    }

    /// If `factor` times the number can be only one integer: what the number is then.
    fn candidate(&self, factor: &Integer, bits: Bits) -> Option<Rational> {
        let scale = Ball::from_rational(&Rational::from(factor), bits);
        let product = self.ball.mul(&scale, bits.saturating_add(factor.bits() as Bits));
        Rational::from_parts(&product.unique_integer()?, factor)
    }
}

impl Factor {
    fn new(p: Polynomial, multiplicity: u32) -> Self {
        let all = p.coefficients();
        let degree = all.len() - 1;
        let zero = all[0].is_zero();
        let rest = &all[usize::from(zero)..];
        let deflation = (1..rest.len()).filter(|i| !rest[*i].is_zero()).fold(0, gcd).max(1);
        let kept: Vec<Integer> = rest.iter().step_by(deflation).cloned().collect();
        let deflated = Polynomial::from_coefficients(&kept);
        Factor {
            multiplicity,
            leading: all[degree].clone(),
            constant: all[0].clone(),
            degree,
            zero,
            deflation: deflation as u32,
            approximations: ComplexVector::new(kept.len() - 1),
            deflated,
            isolated: kept.len() == 1,
            counted: BTreeMap::new(),
            p,
        }
    }

    /// Improves the approximations at one precision of the ladder.
    fn approximate(&mut self, bits: Bits, budget: &Budget) -> Result<()> {
        let degree = self.approximations.len();
        if degree == 0 {
            return Ok(());
        }
        let steps = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        // FLINT stops by itself when it has converged. Few steps at a time, so that the budget is looked
        // at; but what they end with, a proof, takes as long as some steps.
        let work = degree.saturating_mul(degree).saturating_mul(bits as usize / 64 + 1);
        let most = steps(4 * degree + 64).min(bits);
        let slice = steps((1 << 22) / work.max(1)).clamp(4, most);
        // Doubles that did not converge are not worth continuing from.
        let mut fresh = bits == LADDER[0] || (bits == LADDER[1] && !self.isolated);
        let (mut done, mut stalled, mut best) = (0, 0, i64::MIN);
        loop {
            budget.spend(degree as u64 * u64::from(slice))?;
            let count = self.approximations.find_roots(&self.deflated, fresh, slice, bits);
            fresh = false;
            self.isolated = count == degree;
            let accuracy = (0..degree).map(|i| {
                let bound = i64::from(bits);
                self.approximations.get(i).accuracy_bits().clamp(-bound, bound)
            });
            let (least, sum) = accuracy.fold((i64::MAX, 0), |(least, sum), a| (least.min(a), sum + a));
            done += slice;
            stalled = if best == i64::MIN || sum > best + degree as i64 { 0 } else { stalled + slice };
            best = best.max(sum);
            let converged = self.isolated && (least > i64::from(bits / 2) || stalled > 0);
            if converged || stalled >= 24 || done >= most || bits == LADDER[0] {
                return Ok(());
            }
        }
    }

    /// The roots on or above the real axis, each alone in its rectangle; `None` when this precision does
    /// not isolate them or does not tell which are real.
    fn isolate(&self, bits: Bits) -> Option<Vec<Isolated>> {
        if !self.isolated {
            return None;
        }
        let mut all = Vec::with_capacity(self.degree);
        for i in 0..self.approximations.len() {
            let root = self.approximations.get(i);
            match self.deflation {
                1 => all.push(root),
                k => all.extend(root.roots(k, bits)),
            }
        }
        if self.zero {
            all.push(ComplexBall::new());
        }
        if !all.iter().all(ComplexBall::is_finite) {
            return None;
        }
        // What FLINT isolated are the roots of the deflated polynomial.
        if (self.deflation > 1 || self.zero) && overlapping(&all) {
            return None;
        }
        let mut upper = Vec::new();
        for (i, root) in all.iter().enumerate() {
            let (re, im) = (root.re(), root.im());
            match im.sign() {
                1 => upper.push(Isolated { re: Part::ball(re), im: Part::ball(im), real: false }),
                -1 => {}
                // Together with its mirror image the rectangle has no root but its own. The conjugate of
                // that one is a root, and there: so it is the same.
                _ => {
                    let (low, high) = (im.lower(bits), im.upper(bits));
                    let reach = if -&low > high { -&low } else { high };
                    let mirrored = ComplexBall::from_parts(&re, &Ball::from_interval(&-&reach, &reach, bits));
                    if all.iter().enumerate().any(|(j, other)| j != i && mirrored.overlaps(other)) {
                        return None;
                    }
                    let zero = self.zero && i + 1 == all.len();
                    let re = if zero { Part::zero() } else { Part::ball(re) };
                    upper.push(Isolated { re, im: Part::zero(), real: true });
                }
            }
        }
        let real = upper.iter().filter(|r| r.real).count();
        (2 * upper.len() - real == self.degree).then_some(upper)
    }

    /// Finds out which parts that are not tight are fractions. A root times the leading coefficient is an
    /// algebraic integer, and so is twice a part of it: when a fraction, then an integer.
    fn find_fractions(&mut self, roots: &mut [Isolated], wanted: &[[bool; 2]], bits: Bits) {
        let twice = &self.leading + &self.leading;
        for i in 0..roots.len() {
            let [re, im] = wanted[i];
            if re && roots[i].re.exact.is_none() {
                let root = &roots[i];
                let exact = match root.real {
                    true => {
                        root.re.candidate(&self.leading, bits).filter(|q| self.count(Place::Point, q) == 1)
                    }
                    false => root.re.candidate(&twice, bits).filter(|q| {
                        // All rectangles that meet the line must be needed for the roots that are on it.
                        let weight = |r: &Isolated| usize::from(r.re.may_be(q, bits)) * r.count();
                        self.count(Place::Vertical, q) == roots.iter().map(weight).sum::<usize>()
                    }),
                };
                roots[i].re.exact = exact;
            }
            if im && roots[i].im.exact.is_none() {
                let exact = roots[i].im.candidate(&twice, bits).filter(|q| {
                    let meets = |r: &&Isolated| r.im.may_be(q, bits);
                    self.count(Place::Horizontal, q) == roots.iter().filter(meets).count()
                });
                roots[i].im.exact = exact;
            }
        }
    }

    /// How many roots there are in a place, exactly.
    fn count(&mut self, place: Place, q: &Rational) -> usize {
        if let Some(count) = self.counted.get(&(place, q.clone())) {
            return *count;
        }
        let (u, v) = (q.numerator(), q.denominator());
        let count = match place {
            Place::Point => {
                // The rational root theorem spares most evaluations.
                let possible = u.divides(&self.constant) && v.divides(&self.leading);
                usize::from(possible && self.p.evaluate(q).is_zero())
            }
            Place::Vertical => {
                let shifted = stretched(&self.p, &v).taylor_shift(&u).coefficients();
                // p(q + iy/v)·v^n = U(y) + i·V(y)
                let part = |odd: usize| {
                    let sign = |(k, c): (usize, &Integer)| match (k % 2 == odd, k / 2 % 2 == 0) {
                        (false, _) => Integer::new(),
                        (true, true) => c.clone(),
                        (true, false) => -c,
                    };
                    shifted.iter().enumerate().map(sign).collect::<Vec<_>>()
                };
                common_real_roots(&part(0), &part(1))
            }
            Place::Horizontal => {
                // p(x/v + i·u/v)·v^n = U(x) + i·V(x), by Horner's rule with the factor x + iu.
                let coefficients = stretched(&self.p, &v).coefficients();
                let (mut re, mut im): (Vec<Integer>, Vec<Integer>) = (Vec::new(), Vec::new());
                for c in coefficients.iter().rev() {
                    let times = |x: &[Integer], plus: &[Integer], negate: bool| {
                        let mut product = vec![Integer::new()];
                        product.extend_from_slice(x);
                        for (z, y) in product.iter_mut().zip(plus) {
                            *z = if negate { &*z - &(y * &u) } else { &*z + &(y * &u) };
                        }
                        product
                    };
                    let next = times(&re, &im, true);
                    im = times(&im, &re, false);
                    re = next;
                    re[0] = &re[0] + c;
                }
                common_real_roots(&re, &im)
            }
        };
        self.counted.insert((place, q.clone()), count);
        count
    }
}

impl Isolated {
    /// How many roots of the polynomial this stands for: itself, and its conjugate.
    fn count(&self) -> usize {
        if self.real { 1 } else { 2 }
    }
}

/// Whether any two meet.
fn overlapping(all: &[ComplexBall]) -> bool {
    all.iter().enumerate().any(|(i, x)| all[..i].iter().any(|y| x.overlaps(y)))
}

/// `p(x/v)·v^n`.
fn stretched(p: &Polynomial, v: &Integer) -> Polynomial {
    let mut coefficients = p.coefficients();
    let mut power = Integer::from(1);
    for c in coefficients.iter_mut().rev() {
        *c = &*c * &power;
        power = &power * v;
    }
    Polynomial::from_coefficients(&coefficients)
}

/// The number of common real roots of the real and the imaginary part of a squarefree polynomial.
/// (Their greatest common divisor is squarefree, for it divides that.)
fn common_real_roots(u: &[Integer], v: &[Integer]) -> usize {
    let common = Polynomial::from_coefficients(u).gcd(&Polynomial::from_coefficients(v)).coefficients();
    let zero = common.first().is_some_and(Integer::is_zero);
    let rest = Polynomial::from_coefficients(&common[usize::from(zero)..]);
    usize::from(zero) + rest.real_root_count()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

// --------------------------------------------------------------------------- to decimal digits

/// The precisions to begin with; then they double.
const LADDER: [Bits; 2] = [53, 128];

/// The roots of `p`, each divided by `divisor > 0`. `p` must not be zero.
pub(super) fn scaled_roots(
    p: &Polynomial,
    divisor: &Integer,
    settings: &Settings,
    budget: &Budget,
) -> Result<PolyRootsAnswer> {
    release_caches_at_thread_exit();
    budget.spend(1)?;
    let mut factors: Vec<Factor> =
        p.squarefree_factors().into_iter().map(|(p, m)| Factor::new(p, m)).collect();
    let degree = p.degree().unwrap_or(0) as u64;
    // Roots may be as close as about 2^-(n·(bits + log n)).
    let closeness = 4 * degree * (p.bits() + u64::from(degree.max(1).ilog2()) + 1);
    let (start, cap) = precisions(settings, closeness);
    let mut bits = LADDER[0];
    loop {
        for factor in &mut factors {
            factor.approximate(bits, budget)?;
        }
        if bits >= start.min(cap) {
            let isolated: Option<Vec<Vec<Isolated>>> = factors.iter().map(|f| f.isolate(bits)).collect();
            let last = bits >= cap;
            if let Some(isolated) = isolated
                && let Some((roots, tight)) =
                    round(&mut factors, isolated, divisor, settings, bits, last, budget)?
            {
                return Ok(PolyRootsAnswer { roots, tight, bits_used: bits });
            }
            if last {
                let message = format!("the roots were not told apart with {cap} bits; raise max_bits");
                return Err(Error::new(Code::PrecisionCap, message).at("max_bits"));
            }
        }
        bits = if bits == LADDER[0] { LADDER[1] } else { bits.saturating_mul(2) };
        if bits > start {
            bits = bits.min(cap);
        }
    }
}

/// Rounds every part outward. `None` to ask for more precision: when a part is not tight, unless this is
/// the `last` chance, and when rectangles meet.
fn round(
    factors: &mut [Factor],
    mut isolated: Vec<Vec<Isolated>>,
    divisor: &Integer,
    settings: &Settings,
    bits: Bits,
    last: bool,
    budget: &Budget,
) -> Result<Option<(Vec<ComplexRoot>, bool)>> {
    let Settings { digits, exp_limit, .. } = *settings;
    let decimal = |part: &Part, negate: bool, digits: u32| {
        let enclosure = part.enclosure(divisor, negate, bits);
        DecimalInterval::enclosing(&enclosure, &enclosure, digits, exp_limit)
    };
    for (factor, roots) in factors.iter_mut().zip(&mut isolated) {
        let mut wanted = Vec::with_capacity(roots.len());
        for root in roots.iter() {
            wanted.push([!decimal(&root.re, false, digits)?.1, !decimal(&root.im, false, digits)?.1]);
        }
        if wanted.iter().any(|w| w[0] || w[1]) {
            budget.spend(factor.degree as u64)?;
            factor.find_fractions(roots, &wanted, bits);
        }
    }
    let mut found = Vec::new();
    let mut tight = true;
    for (factor, roots) in factors.iter().zip(&isolated) {
        for root in roots {
            let (re, re_tight) = decimal(&root.re, false, digits)?;
            let (im, im_tight) = decimal(&root.im, false, digits)?;
            tight &= re_tight && im_tight;
            found.push(Rounded::new(root, factor.multiplicity, digits, re, im));
        }
    }
    if !tight && !last {
        return Ok(None);
    }
    // The digits of the working precision; beyond them nothing comes apart.
    let most_digits = digits.max((f64::from(bits) * std::f64::consts::LOG10_2) as u32);
    loop {
        found.sort_by(Rounded::order);
        let meeting = meeting(&found);
        if meeting.is_empty() {
            break;
        }
        budget.spend(meeting.len() as u64)?;
        for i in meeting {
            let r = &mut found[i];
            if r.digits >= most_digits {
                return Ok(None);
            }
            let more = r.digits.saturating_mul(2).min(most_digits);
            let (re, im) = (decimal(&r.root.re, false, more)?.0, decimal(&r.root.im, false, more)?.0);
            *r = Rounded::new(r.root, r.multiplicity, more, re, im);
        }
    }
    let mut roots = Vec::new();
    for r in found {
        let (multiplicity, real) = (r.multiplicity, r.root.real);
        let below = match real {
            true => None,
            false => Some((r.re.clone(), decimal(&r.root.im, true, r.digits)?.0)),
        };
        roots.push(ComplexRoot { re: r.re, im: r.im, multiplicity, real });
        roots.extend(below.map(|(re, im)| ComplexRoot { re, im, multiplicity, real }));
    }
    Ok(Some((roots, tight)))
}

/// A root with its rectangle rounded to so many digits.
struct Rounded<'a> {
    root: &'a Isolated,
    multiplicity: u32,
    digits: u32,
    re: DecimalInterval,
    im: DecimalInterval,
    /// The ends of `re` and of `im` as fractions.
    ends: [Rational; 4],
}

impl<'a> Rounded<'a> {
    fn new(
        root: &'a Isolated,
        multiplicity: u32,
        digits: u32,
        re: DecimalInterval,
        im: DecimalInterval,
    ) -> Self {
        let ends = [&re.lo, &re.hi, &im.lo, &im.hi].map(|d| d.to_rational());
        Rounded { root, multiplicity, digits, re, im, ends }
    }

    /// Real ones first; then by the real and the imaginary part.
    fn order(&self, other: &Self) -> Ordering {
        let (x, y) = (&self.ends, &other.ends);
        let real = other.root.real.cmp(&self.root.real);
        real.then_with(|| x[0].cmp(&y[0])).then_with(|| x[2].cmp(&y[2]))
    }
}

/// Those of `sorted` that meet another one. Real roots and others never meet.
fn meeting(sorted: &[Rounded]) -> Vec<usize> {
    let mut meet = vec![false; sorted.len()];
    for (i, x) in sorted.iter().enumerate() {
        for (j, y) in sorted.iter().enumerate().skip(i + 1) {
            if y.root.real != x.root.real || y.ends[0] > x.ends[1] {
                break;
            }
            if x.ends[2] <= y.ends[3] && y.ends[2] <= x.ends[3] {
                (meet[i], meet[j]) = (true, true);
            }
        }
    }
    (0..sorted.len()).filter(|i| meet[*i]).collect()
}

// -------------------------------------------------------------------------------------- JSON

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    coefficients: Option<&'a RawValue>,
}

/// `{"kind":"poly_roots"}`: all complex roots with their multiplicities.
pub(super) fn answer_poly_roots(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let request: Request = object(request).map_err(not_json)?;
    let wrong = |message: String| Error::new(Code::BadRequest, message).at("coefficients");
    let raw = request.coefficients.ok_or_else(|| {
        wrong("poly_roots needs coefficients: a list of numbers, lowest power first".into())
    })?;
    let texts: Vec<NumberText> = serde_json::from_str(raw.get())
        .map_err(|e| wrong(format!("coefficients must be a list of numbers: {e}")))?;
    let mut coefficients = Vec::with_capacity(texts.len());
    for (i, text) in texts.iter().enumerate() {
        let number = Interval::parse(&text.0, settings.exp_limit)
            .map_err(|e| Error::new(e.code, format!("coefficient {i}: {}", e.message)).at("coefficients"))?;
        if !number.is_point() {
            return Err(wrong(format!(
                "coefficient {i} is a ball; roots are enclosed for exact coefficients only"
            )));
        }
        coefficients.push(number.lo);
    }
    let query = PolyRootsQuery { coefficients, settings: *settings };
    let answer = query.answer(budget)?;
    let degree = query.coefficients.iter().rposition(|c| !c.is_zero()).unwrap_or(0);
    let mut out = format!(r#"{{"bits_used":{},{}"#, answer.bits_used, &head(settings)[1..]);
    // Writing to a String cannot fail.
    let _ = write!(out, r#","degree":{degree},"kind":"poly_roots","roots":"#);
    append_roots(&mut out, &answer.roots);
    let _ = write!(out, r#","status":"ok","tight":{},"tool":"arb_oracle"}}"#, answer.tight);
    Ok(out)
}

/// `[{"im":…,"multiplicity":…,"re":…,"real":…},…]`.
pub(super) fn append_roots(out: &mut String, roots: &[ComplexRoot]) {
    out.push('[');
    for (i, root) in roots.iter().enumerate() {
        out.push_str(if i > 0 { r#",{"im":"# } else { r#"{"im":"# });
        append_interval(out, &root.im);
        let _ = write!(out, r#","multiplicity":{},"re":"#, root.multiplicity);
        append_interval(out, &root.re);
        let _ = write!(out, r#","real":{}}}"#, root.real);
    }
    out.push(']');
}
