//! The functions of the table off the real axis, for error bounds of quadrature.
//!
//! Each has a continuation on every rectangle that keeps off its cuts and poles. Where such a rectangle
//! meets the real axis, the continuation agrees with the real function there, as far as that is defined:
//! functions with a piece on either side of a point (`cbrt`, `ei`, `abs`, …) are continued from the piece
//! that the rectangle meets, not by a principal branch.

use std::cmp::Ordering;

use crate::ball::linear::ComplexBall;
use crate::ball::{Ball, Bits, FloatInterval, Rational};

/// Encloses the continuation of the function called `name` on a rectangle; `None` unless it is proved to
/// be analytic there.
pub(super) fn continuation(name: &str, z: &ComplexBall, bits: Bits) -> Option<ComplexBall> {
    let one = Ball::from(1);
    let power_of = |base: i64| z.mul_real(&Ball::from(base).log(bits), bits).exp(bits);
    let log_to = |base: i64| Some(log(z, bits)?.mul_real(&Ball::from(base).log(bits).inv(bits), bits));
    let right_of_zero = |re: &Ball| re.sign() > 0;
    let within_one = |x: &Ball| one.sub(&x.abs(), bits).sign() > 0;
    // atan and asinh have their cuts on the imaginary axis, from i and -i outward.
    let between_i = || (z.re().sign() != 0 || within_one(&z.im())).then_some(z);
    let value = match name {
        "exp" => z.exp(bits),
        "exp2" => power_of(2),
        "exp10" => power_of(10),
        "expm1" => z.expm1(bits),
        "log" => log(z, bits)?,
        "log1p" => log1p(z, bits)?,
        "log2" => log_to(2)?,
        "log10" => log_to(10)?,
        "sqrt" => slit(z, right_of_zero)?.sqrt(bits),
        "cbrt" => rational_power(z, &Rational::from(3).recip()?, bits)?,
        "sqr" => z.sqr(bits),
        "inv" => z.inv(bits),
        "abs" => match side(z)? {
            Ordering::Less => -z,
            _ => z.clone(),
        },
        "neg" => -z,
        "sin" => z.sin(bits),
        "cos" => z.cos(bits),
        "tan" => z.tan(bits),
        "cot" => z.cot(bits),
        "sec" => z.sec(bits),
        "csc" => z.csc(bits),
        "asin" => slit(z, within_one)?.asin(bits),
        "acos" => slit(z, within_one)?.acos(bits),
        "atan" => between_i()?.atan(bits),
        "sinc" => z.sinc(bits),
        "sinh" => z.sinh(bits),
        "cosh" => z.cosh(bits),
        "tanh" => z.tanh(bits),
        "coth" => z.coth(bits),
        "asinh" => between_i()?.asinh(bits),
        "acosh" => slit(z, |re| re.sub(&one, bits).sign() > 0)?.acosh(bits),
        "atanh" => slit(z, within_one)?.atanh(bits),
        "sigmoid" => sigmoid(z, bits),
        "relu" => match side(z)? {
            Ordering::Less => ComplexBall::new(),
            _ => z.clone(),
        },
        // log(1 + e^z) = z + log(1 + e^-z) on the strip around the real axis without cuts.
        "softplus" if z.re().sign() > 0 => log1p(&(-z).exp(bits), bits)?.add(z, bits),
        "softplus" => log1p(&z.exp(bits), bits)?,
        "silu" => z.mul(&sigmoid(z, bits), bits),
        "gelu" => {
            let half_root = Ball::from(1).mul_2exp(-1).sqrt(bits);
            let tail = (-z).mul_real(&half_root, bits).erfc(bits);
            tail.mul(z, bits).mul_real(&Ball::from(1).mul_2exp(-1), bits)
        }
        "gamma" => z.gamma(bits),
        "rgamma" => z.rgamma(bits),
        "lgamma" => slit(z, right_of_zero)?.lgamma(bits),
        "digamma" => z.digamma(bits),
        "zeta" => z.zeta(bits),
        "erf" => z.erf(bits),
        "erfc" => z.erfc(bits),
        "erfi" => z.erfi(bits),
        "lambertw" => {
            let e = one.exp(bits);
            slit(z, |re| re.mul(&e, bits).add(&one, bits).sign() > 0)?.lambertw(bits)
        }
        "airy_ai" => z.airy_ai(bits),
        "airy_bi" => z.airy_bi(bits),
        "besselj0" => z.bessel_j(0, bits),
        "besselj1" => z.bessel_j(1, bits),
        "dilog" => slit(z, |re| one.sub(re, bits).sign() > 0)?.dilog(bits),
        // On the left the real function is -E1(-x); the principal branch differs from it by ±iπ.
        "ei" => match z.re().sign() {
            1 => z.ei(bits),
            -1 => -&(-z).e1(bits),
            _ => return None,
        },
        "si" => z.si(bits),
        "ci" => slit(z, right_of_zero)?.ci(bits),
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// `z^q` for a fraction `q`: the principal power off the negative axis and, for an odd denominator, its
/// mirror image around that axis.
pub(super) fn rational_power(z: &ComplexBall, q: &Rational, bits: Bits) -> Option<ComplexBall> {
    let principal =
        |z: &ComplexBall| Some(log(z, bits)?.mul_real(&Ball::from_rational(q, bits), bits).exp(bits));
    principal(z).or_else(|| {
        let mirrored = if q.denominator().is_even() { None } else { principal(&-z) }?;
        Some(if q.numerator().is_even() { mirrored } else { -&mirrored })
    })
}

/// On which side of the imaginary axis the rectangle lies; `None` when on both.
fn side(z: &ComplexBall) -> Option<Ordering> {
    let re = FloatInterval::from_ball(&z.re(), 64)?;
    if re.lo.sign() >= 0 { Some(Ordering::Greater) } else { (re.hi.sign() <= 0).then_some(Ordering::Less) }
}

/// The rectangle, if where it meets the real axis it does so in the set `inside`.
fn slit(z: &ComplexBall, inside: impl Fn(&Ball) -> bool) -> Option<&ComplexBall> {
    (z.im().sign() != 0 || inside(&z.re())).then_some(z)
}

fn log(z: &ComplexBall, bits: Bits) -> Option<ComplexBall> {
    Some(slit(z, |re| re.sign() > 0)?.log(bits))
}

fn log1p(z: &ComplexBall, bits: Bits) -> Option<ComplexBall> {
    Some(slit(z, |re| re.add(&Ball::from(1), bits).sign() > 0)?.log1p(bits))
}

/// `1/(1 + e^-z)`; on the left as `e^z/(1 + e^z)`, which keeps the rectangles small.
fn sigmoid(z: &ComplexBall, bits: Bits) -> ComplexBall {
    let one = ComplexBall::from(1);
    if z.re().sign() < 0 {
        let e = z.exp(bits);
        e.div(&e.add(&one, bits), bits)
    } else {
        (-z).exp(bits).add(&one, bits).inv(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::Dyadic;
    use crate::oracle::FUNCTIONS;

    const BITS: Bits = 96;

    /// `[x - r, x + r] + i·[y - r, y + r]`
    fn square(x: f64, y: f64, r: f64) -> ComplexBall {
        let side = |x: f64| {
            let end = |x: f64| Dyadic::from_f64(x).unwrap();
            Ball::from_interval(&end(x - r), &end(x + r), BITS)
        };
        ComplexBall::from_parts(&side(x), &side(y))
    }

    /// Every continuation that is found contains the value of the real function, where that is defined; and
    /// at nearly all such places one is found.
    #[test]
    fn continuations_agree_with_the_real_functions() {
        for f in FUNCTIONS {
            let (mut defined, mut found) = (0, 0);
            for step in -60..=60 {
                let x = f64::from(step) * 0.1171875;
                let point = FloatInterval::point(Dyadic::from_f64(x).unwrap()).unwrap();
                let Ok(value) = f.range_on(&point, BITS) else { continue };
                let value = ComplexBall::from(&Ball::from_interval(&value.lo, &value.hi, BITS));
                for (shift, r) in [
                    (0.0, 0.0),
                    (0.0, 1e-9),
                    (1e-3, 0.01),
                    (-0.05, 0.1),
                    (0.3, 0.5),
                    (-1.0, 3.0),
                    (9.0, 30.0),
                ] {
                    // Also around places aside of the axis.
                    for y in [0.0, r / 2.0, -r] {
                        let got = continuation(f.name, &square(x + shift, y, r), BITS);
                        assert!(
                            got.as_ref().is_none_or(|got| got.overlaps(&value)),
                            "{} at {x}, {r}: {got:?}",
                            f.name
                        );
                        if r == 1e-9 && y == 0.0 {
                            defined += 1;
                            found += usize::from(got.is_some());
                        }
                    }
                }
            }
            assert!(defined >= 5 && found + 3 >= defined, "{}: {found} of {defined}", f.name);
        }
    }

    #[test]
    fn there_is_no_continuation_around_a_singular_point() {
        use std::f64::consts::{E, FRAC_PI_2, PI};
        for (names, places) in [
            (
                "sqrt cbrt log log2 log10 abs relu inv ei ci lgamma gamma digamma coth csc cot",
                &[(0.0, 0.0)][..],
            ),
            ("asin acos atanh", &[(1.0, 0.0), (-1.0, 0.0)]),
            ("acosh", &[(1.0, 0.0), (-1.0, 0.0), (0.0, 0.0)]),
            ("atan asinh", &[(0.0, 1.0), (0.0, -1.0)]),
            ("log1p", &[(-1.0, 0.0)]),
            ("lambertw", &[(-1.0 / E, 0.0)]),
            ("dilog zeta", &[(1.0, 0.0)]),
            ("gamma digamma lgamma", &[(-1.0, 0.0), (-2.0, 0.0)]),
            ("tan sec", &[(FRAC_PI_2, 0.0), (-FRAC_PI_2, 0.0)]),
            ("cot csc", &[(PI, 0.0), (-3.0 * PI, 0.0)]),
            ("tanh", &[(0.0, FRAC_PI_2)]),
            ("coth", &[(0.0, PI)]),
            ("sigmoid silu softplus", &[(0.0, PI), (0.0, -PI)]),
        ] {
            for name in names.split(' ') {
                for &(x, y) in places {
                    for (shift, r) in [(0.0, 1e-9), (1e-3, 0.01), (0.3, 0.5), (-0.5, 0.75)] {
                        let got = continuation(name, &square(x + shift, y, r), BITS);
                        assert!(got.is_none(), "{name} around {x} + i·{y}, {r}: {got:?}");
                    }
                }
            }
        }
        // Roots of negative numbers are not those of the principal branch.
        let third = Rational::from(3).recip().unwrap();
        let root = rational_power(&square(-8.0, 0.0, 0.0), &third, BITS).unwrap();
        assert!(root.overlaps(&ComplexBall::from(-2)), "{root:?}");
        assert!(rational_power(&square(-8.0, 0.0, 0.0), &Rational::from(2).recip().unwrap(), BITS).is_none());
    }
}
