//! Values that no single FLINT routine gives, places of extrema, and exact values.

use crate::ball::{Ball, Bits, Dyadic, Integer, Rational};

// ------------------------------------------------------------------------------------ values

/// `base^x`. The argument's integer digits cost working precision, so they are added to it.
pub(super) fn exp_base(x: &Ball, base: i64, bits: Bits) -> Ball {
    // Beyond 2^64 the result overflows any exponent limit whatever the precision.
    let extra = x.midpoint().magnitude().unwrap_or(0).clamp(0, 64) as Bits;
    let working = bits + extra + 8;
    Ball::from(base).log(working).mul(x, working).exp(bits)
}

/// The real cube root; not finite on a ball that contains 0 and other numbers.
pub(super) fn cbrt(x: &Ball, bits: Bits) -> Ball {
    if x.sign() < 0 { -&(-x).root(3, bits) } else { x.root(3, bits) }
}

/// `max(x, 0)`.
pub(super) fn relu(x: &Ball, bits: Bits) -> Ball {
    match x.sign() {
        1 => x.clone(),
        -1 => Ball::new(),
        _ if !x.is_finite() => x.clone(),
        _ => {
            let zero = Dyadic::new();
            let top = x.upper(bits);
            if top.sign() <= 0 { Ball::new() } else { Ball::from_interval(&zero, &top, bits) }
        }
    }
}

/// `1/(1 + e^-x)`, written so that neither tail cancels.
pub(super) fn sigmoid(x: &Ball, bits: Bits) -> Ball {
    let one = Ball::from(1);
    if x.sign() < 0 {
        let e = x.exp(bits);
        e.div(&e.add(&one, bits), bits)
    } else {
        (-x).exp(bits).add(&one, bits).inv(bits)
    }
}

/// `log(1 + e^x)`, written so that neither tail cancels or overflows.
pub(super) fn softplus(x: &Ball, bits: Bits) -> Ball {
    if x.sign() > 0 { (-x).exp(bits).log1p(bits).add(x, bits) } else { x.exp(bits).log1p(bits) }
}

/// Riemann's zeta function. For `x ≥ 3` it is between 1 and `1 + 2^(1-x)`, which is all that matters far
/// out.
pub(super) fn zeta(x: &Ball, bits: Bits) -> Ball {
    let far = Ball::from(i64::from(bits) + 3);
    if x.sub(&far, 64).sign() > 0 {
        let one = Dyadic::from(1);
        let top = one.add(&one.halved(i64::from(bits) + 2), bits + 4, true);
        return Ball::from_interval(&one, &top, bits + 4);
    }
    x.zeta(bits)
}

/// `x·erfc(-x/√2)/2`: the complementary error function keeps the left tail's relative accuracy.
pub(super) fn gelu(x: &Ball, bits: Bits) -> Ball {
    let scaled = (-x).div(&Ball::from(2).sqrt(bits), bits);
    scaled.erfc(bits).mul(x, bits).mul_2exp(-1)
}

// --------------------------------------------------------------------------- places of extrema

/// The minimum of silu: `1 + x + e^x = 0`, hence `x = -1 - W(1/e)`.
pub(super) fn silu_minimum(bits: Bits) -> Option<Ball> {
    let w = Ball::from(-1).exp(bits).lambertw(bits);
    Some(-&w.add(&Ball::from(1), bits))
}

/// The minimum of gelu: the zero of `Φ(x) + xφ(x)`, which rises on `(-√2, √2)` and is negative left
/// of it.
pub(super) fn gelu_minimum(bits: Bits) -> Option<Ball> {
    let slope = |x: &Ball, bits: Bits| {
        // 2(Φ(x) + xφ(x)) = erfc(-x/√2) + x·√(2/π)·e^(-x²/2)
        let cumulative = (-x).div(&Ball::from(2).sqrt(bits), bits).erfc(bits);
        let density = (-&x.sqr(bits).mul_2exp(-1)).exp(bits);
        let scale = Ball::from(2).div(&Ball::pi(bits), bits).sqrt(bits);
        cumulative.add(&density.mul(&scale, bits).mul(x, bits), bits)
    };
    isolate(slope, &Ball::from(-1), &Ball::from(-1).mul_2exp(-1), bits)
}

/// The minimum of gamma (and of its logarithm) on the positive reals, near 1.4616.
pub(super) fn gamma_minimum(bits: Bits) -> Option<Ball> {
    isolate(Ball::digamma, &Ball::from(1), &Ball::from(2), bits)
}

/// The zero of digamma in `(-n - 1, -n)`, `n ≥ 0`: digamma rises there from -∞ to +∞.
pub(super) fn digamma_zero(n: &Integer, bits: Bits) -> Option<Ball> {
    let working = bits + n.bits() as Bits + 32;
    let place = -&Ball::from_rational(&Rational::from(n), working);
    // The zero is about 1/log(n) away from both poles, far more than this.
    let margin = Ball::from(1).mul_2exp(-24);
    let a = place.sub(&Ball::from(1), working).add(&margin, working);
    let b = place.sub(&margin, working);
    isolate(Ball::digamma, &a, &b, bits)
}

/// The zero of zeta' in `(-2n - 2, -2n)`, `n ≥ 1`.
///
/// There is exactly one (Levinson and Montgomery, Acta Math. 133 (1974), Theorem 9).
pub(super) fn zeta_critical_point(n: &Integer, bits: Bits) -> Option<Ball> {
    let top = Ball::from_rational(&Rational::from(&-&n.shl(1)), bits);
    let bottom = top.sub(&Ball::from(2), bits + n.bits() as Bits + 32);
    isolate(Ball::zeta_derivative, &bottom, &top, bits)
}

/// Encloses the zero of `g` between the midpoints of `a` and `b`.
///
/// `g` must have exactly one zero there; that it changes sign is checked. The result is proved by two
/// signs; how it was found does not matter. `None` when `bits` do not suffice.
pub(super) fn isolate(g: impl Fn(&Ball, Bits) -> Ball, a: &Ball, b: &Ball, bits: Bits) -> Option<Ball> {
    let middle = |x: &Ball| Ball::from_dyadic(&x.midpoint());
    let (mut a, mut b) = (middle(a), middle(b));
    let size = a.midpoint().magnitude().unwrap_or(0).max(b.midpoint().magnitude().unwrap_or(0)).max(0);
    let working = bits + u32::try_from(size).ok()? + 16;
    let (mut at_a, mut at_b) = (g(&a, working), g(&b, working));
    let (sign_a, sign_b) = (at_a.sign(), at_b.sign());
    if sign_a * sign_b >= 0 {
        return None;
    }
    // A zero is certainly within x ± 2^-e if the signs there are those of a and b.
    let surrounds = |x: &Ball, e: i64| {
        let radius = Ball::from(1).mul_2exp(-e);
        let (left, right) = (middle(&x.sub(&radius, working)), middle(&x.add(&radius, working)));
        (g(&left, working).sign() == sign_a && g(&right, working).sign() == sign_b)
            .then(|| Ball::from_interval(&left.midpoint(), &right.midpoint(), working))
    };
    // Ten halvings, then false position with Illinois weights, halving again when it is slow.
    for step in 0..200u32 {
        let width = b.sub(&a, working);
        let slow = step < 10 || step % 4 == 3;
        let x = if slow {
            middle(&a.add(&width.mul_2exp(-1), working))
        } else {
            let slope = at_b.sub(&at_a, working);
            let shift = at_b.mul(&width, working).div(&slope, working);
            middle(&b.sub(&shift, working))
        };
        let at_x = g(&x, working);
        if !slow || at_x.sign() == 0 {
            let e = i64::from(bits);
            if let Some(zero) = surrounds(&x, e).or_else(|| surrounds(&x, e - 12)) {
                return Some(zero);
            }
        }
        if at_x.sign() == sign_a {
            (a, at_a) = (x, middle(&at_x));
            if !slow {
                at_b = at_b.mul_2exp(-1);
            }
        } else if at_x.sign() == sign_b {
            (b, at_b) = (x, middle(&at_x));
            if !slow {
                at_a = at_a.mul_2exp(-1);
            }
        } else {
            return None;
        }
    }
    None
}

// ------------------------------------------------------------------------------- exact values

/// The largest argument at which exact values with that many digits are written out.
const EXACT_LIMIT: i64 = 1_000_000;

/// `base^q` for an integer `q`; other rational `q` give irrational numbers.
pub(super) fn integer_power(base: i64, q: &Rational) -> Option<Rational> {
    let n = q.to_i64().filter(|n| n.abs() <= EXACT_LIMIT)?;
    let power = match base {
        10 => Integer::pow10(n.unsigned_abs() as u32),
        _ => Integer::from(1).shl(n.unsigned_abs()), // base 2
    };
    let power = Rational::from(&power);
    if n < 0 { power.recip() } else { Some(power) }
}

/// `log(q)` to the integer base, where it is an integer; elsewhere on the rationals it is irrational.
pub(super) fn integer_log(base: u64, q: &Rational) -> Option<Rational> {
    let (num, den) = (q.numerator(), q.denominator());
    let one = Integer::from(1);
    let (of, sign) = if den == one {
        (num, 1)
    } else if num == one {
        (den, -1)
    } else {
        return None;
    };
    let (k, rest) = of.remove_factor(base);
    (rest == one).then(|| Rational::from(sign * k as i64))
}

/// The exact `n`-th root, where it is rational.
pub(super) fn exact_root(q: &Rational, n: u32) -> Option<Rational> {
    let magnitude = q.abs();
    let root =
        Rational::from_parts(&magnitude.numerator().exact_root(n)?, &magnitude.denominator().exact_root(n)?)?;
    Some(if q.sign() < 0 { -&root } else { root })
}

/// `gamma(n) = (n - 1)!` for moderate positive integers.
pub(super) fn exact_gamma(q: &Rational) -> Option<Rational> {
    let n = q.to_i64().filter(|n| (1..=10_000).contains(n))?;
    Some(Rational::from(&Integer::factorial(n as u32 - 1)))
}

/// `1/gamma` at integers: 0 at the poles of gamma.
pub(super) fn exact_rgamma(q: &Rational) -> Option<Rational> {
    if q.is_integer() && q.sign() <= 0 {
        return Some(Rational::new());
    }
    exact_gamma(q)?.recip()
}

/// `zeta(-n) = (-1)^n·B(n+1)/(n+1)` for integers `n ≥ 0`.
pub(super) fn exact_zeta(q: &Rational) -> Option<Rational> {
    if q.sign() > 0 || !q.is_integer() {
        return None;
    }
    if q.sign() < 0 && q.numerator().is_even() {
        return Some(Rational::new()); // the trivial zeros
    }
    let n = -q.to_i64().filter(|n| *n >= -10_000)?;
    let value = &Rational::bernoulli(n as u32 + 1) * &Rational::from(n + 1).recip()?;
    // B(1) = -1/2 is the only odd one that is not 0, and zeta(0) = -1/2.
    Some(if n == 0 { value } else { -&value })
}
