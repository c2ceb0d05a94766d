//! Functions of complex balls, and Gauss-Legendre quadrature with a proved error.
//!
//! As for real balls, a result contains `f(z)` for every `z` in the operand, and is not finite where `f`
//! has a pole. On a branch cut it contains the values from one side at least: whoever needs an analytic
//! function keeps off the cuts.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use flint3_sys as ffi;

use super::flint::{Ball, Bits, Dyadic, prec};
use super::float_interval::FloatInterval;
use super::linear::ComplexBall;

macro_rules! complex_functions {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl ComplexBall {$(
            #[doc = concat!($doc, " (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(&self, bits: Bits) -> ComplexBall {
                let mut w = ComplexBall::new();
                // SAFETY: both are initialised; FLINT's functions are total (non-finite where undefined).
                unsafe { ffi::$ffi(&mut w.0, &self.0, prec(bits)) };
                w
            }
        )*}
    };
}

complex_functions! {
    sqrt acb_sqrt "The principal square root";
    sqr acb_sqr "The square";
    inv acb_inv "The reciprocal";
    exp acb_exp "The exponential";
    expm1 acb_expm1 "`exp(z) - 1`";
    log acb_log "The principal logarithm";
    log1p acb_log1p "`log(1 + z)`";
    sin acb_sin "The sine";
    cos acb_cos "The cosine";
    tan acb_tan "The tangent";
    cot acb_cot "The cotangent";
    sec acb_sec "The secant";
    csc acb_csc "The cosecant";
    sinc acb_sinc "`sin(z)/z`, 1 at 0";
    asin acb_asin "The principal inverse sine";
    acos acb_acos "The principal inverse cosine";
    atan acb_atan "The principal inverse tangent";
    sinh acb_sinh "The hyperbolic sine";
    cosh acb_cosh "The hyperbolic cosine";
    tanh acb_tanh "The hyperbolic tangent";
    coth acb_coth "The hyperbolic cotangent";
    sech acb_sech "The reciprocal of the hyperbolic cosine";
    csch acb_csch "The reciprocal of the hyperbolic sine";
    asinh acb_asinh "The principal inverse hyperbolic sine";
    acosh acb_acosh "The principal inverse hyperbolic cosine";
    atanh acb_atanh "The principal inverse hyperbolic tangent";
    gamma acb_gamma "Euler's gamma function";
    rgamma acb_rgamma "The reciprocal of the gamma function";
    lgamma acb_lgamma "The principal logarithm of the gamma function";
    digamma acb_digamma "The logarithmic derivative of the gamma function";
    zeta acb_zeta "Riemann's zeta function";
    erf acb_hypgeom_erf "The error function";
    erfc acb_hypgeom_erfc "The complementary error function";
    erfi acb_hypgeom_erfi "The imaginary error function";
    dilog acb_hypgeom_dilog "The principal dilogarithm";
    ei acb_hypgeom_ei "The exponential integral";
    si acb_hypgeom_si "The sine integral";
    ci acb_hypgeom_ci "The principal cosine integral";
}

macro_rules! complex_operators {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl ComplexBall {$(
            #[doc = concat!($doc, " (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(&self, other: &ComplexBall, bits: Bits) -> ComplexBall {
                let mut w = ComplexBall::new();
                // SAFETY: all three are initialised; FLINT's operations are total.
                unsafe { ffi::$ffi(&mut w.0, &self.0, &other.0, prec(bits)) };
                w
            }
        )*}
    };
}

complex_operators! {
    add acb_add "The sum";
    sub acb_sub "The difference";
    div acb_div "The quotient";
}

impl ComplexBall {
    /// Lambert's W on the principal branch (FLINT `acb_lambertw`).
    pub fn lambertw(&self, bits: Bits) -> ComplexBall {
        let mut w = ComplexBall::new();
        // SAFETY: both are initialised; a small `fmpz` is the integer itself, 0 being the principal branch.
        unsafe { ffi::acb_lambertw(&mut w.0, &self.0, &0, 0, prec(bits)) };
        w
    }

    /// An integer power (FLINT `acb_pow_si`).
    pub fn pow(&self, n: i64, bits: Bits) -> ComplexBall {
        let mut w = ComplexBall::new();
        // SAFETY: both are initialised.
        unsafe { ffi::acb_pow_si(&mut w.0, &self.0, n, prec(bits)) };
        w
    }

    /// Bessel's function `J` of integer order (FLINT `acb_hypgeom_bessel_j`).
    pub fn bessel_j(&self, order: i32, bits: Bits) -> ComplexBall {
        let (mut w, nu) = (ComplexBall::new(), ComplexBall::from(i64::from(order)));
        // SAFETY: all are initialised.
        unsafe { ffi::acb_hypgeom_bessel_j(&mut w.0, &nu.0, &self.0, prec(bits)) };
        w
    }

    /// The exponential integral `E1` (FLINT `acb_hypgeom_expint`).
    pub fn e1(&self, bits: Bits) -> ComplexBall {
        let (mut w, one) = (ComplexBall::new(), ComplexBall::from(1));
        // SAFETY: all are initialised.
        unsafe { ffi::acb_hypgeom_expint(&mut w.0, &one.0, &self.0, prec(bits)) };
        w
    }

    /// Airy's Ai (FLINT `acb_hypgeom_airy`).
    pub fn airy_ai(&self, bits: Bits) -> ComplexBall {
        let mut w = ComplexBall::new();
        let null = std::ptr::null_mut();
        // SAFETY: FLINT documents that outputs may be NULL when not wanted.
        unsafe { ffi::acb_hypgeom_airy(&mut w.0, null, null, null, &self.0, prec(bits)) };
        w
    }

    /// Airy's Bi (FLINT `acb_hypgeom_airy`).
    pub fn airy_bi(&self, bits: Bits) -> ComplexBall {
        let mut w = ComplexBall::new();
        let null = std::ptr::null_mut();
        // SAFETY: FLINT documents that outputs may be NULL when not wanted.
        unsafe { ffi::acb_hypgeom_airy(null, null, &mut w.0, null, &self.0, prec(bits)) };
        w
    }

    /// The product with a real ball (FLINT `acb_mul_arb`).
    pub fn mul_real(&self, x: &Ball, bits: Bits) -> ComplexBall {
        let mut w = ComplexBall::new();
        // SAFETY: all are initialised.
        unsafe { ffi::acb_mul_arb(&mut w.0, &self.0, &x.0, prec(bits)) };
        w
    }
}

impl From<&Ball> for ComplexBall {
    fn from(x: &Ball) -> Self {
        let mut z = ComplexBall::new();
        // SAFETY: both are initialised.
        unsafe { ffi::acb_set_arb(&mut z.0, &x.0) };
        z
    }
}

impl From<i64> for ComplexBall {
    fn from(v: i64) -> Self {
        ComplexBall::from(&Ball::from(v))
    }
}

impl std::ops::Neg for &ComplexBall {
    type Output = ComplexBall;
    fn neg(self) -> ComplexBall {
        let mut w = ComplexBall::new();
        // SAFETY: both are initialised.
        unsafe { ffi::acb_neg(&mut w.0, &self.0) };
        w
    }
}

// ------------------------------------------------------------------------------------ quadrature

/// The values of a function on a rectangle; `None` unless it is proved to be analytic there.
type Integrand<'a> = dyn FnMut(&ComplexBall) -> Option<ComplexBall> + 'a;

/// An integrand on its way through FLINT.
struct Call<'a, 'f> {
    f: &'a mut Integrand<'f>,
    panic: Option<Box<dyn Any + Send>>,
}

/// Encloses the integral over `x` of a function that is real on `x`, by one Gauss-Legendre rule of at
/// most `most_nodes` nodes, chosen such that its error is below `tolerance`
/// (FLINT `acb_calc_integrate_gl_auto_deg`). `None` when there is none, or when `f` gave none.
///
/// `f` is asked on rectangles around `x`, for a bound of the error, and at nodes in `x`.
pub fn gauss_legendre(
    f: &mut Integrand<'_>,
    x: &FloatInterval,
    tolerance: &Dyadic,
    most_nodes: u32,
    bits: Bits,
) -> Option<Ball> {
    let end = |x: &Dyadic| ComplexBall::from(&Ball::from_dyadic(x));
    let (a, b, mut integral) = (end(&x.lo), end(&x.hi), ComplexBall::new());
    let mut call = Call { f, panic: None };
    let mut evaluations: ffi::slong = 0;
    // SAFETY: all numbers are initialised, the `mag` before its use and cleared after it. `param` is the
    // `Call` that `integrand` expects, not used otherwise meanwhile. With several threads FLINT would call
    // back from all of them; nothing here sets their number, and if anything else does, no rule is used.
    let success = unsafe {
        if ffi::flint_get_num_threads() != 1 {
            return None;
        }
        let mut limit = std::mem::MaybeUninit::uninit();
        ffi::mag_init(limit.as_mut_ptr());
        ffi::arf_get_mag_lower(limit.as_mut_ptr(), &tolerance.0);
        let status = ffi::acb_calc_integrate_gl_auto_deg(
            &mut integral.0,
            &mut evaluations,
            Some(integrand),
            (&raw mut call).cast(),
            &a.0,
            &b.0,
            limit.as_ptr(),
            ffi::slong::from(most_nodes),
            0,
            prec(bits),
        );
        ffi::mag_clear(limit.as_mut_ptr());
        status == 0 // ARB_CALC_SUCCESS
    };
    if let Some(panic) = call.panic {
        resume_unwind(panic);
    }
    (success && integral.is_finite()).then(|| integral.re())
}

/// Calls the integrand for FLINT. A panic is kept for later: it must not unwind through C.
unsafe extern "C" fn integrand(
    out: ffi::acb_ptr,
    z: *const ffi::acb_struct,
    param: *mut c_void,
    _order: ffi::slong,
    _prec: ffi::slong,
) -> c_int {
    // SAFETY: `gauss_legendre` passes a `Call` that nobody else uses now.
    let call = unsafe { &mut *param.cast::<Call>() };
    let mut at = ComplexBall::new();
    // SAFETY: both are initialised.
    unsafe { ffi::acb_set(&mut at.0, z) };
    let value = match &call.panic {
        Some(_) => None,
        None => catch_unwind(AssertUnwindSafe(|| (call.f)(&at))).unwrap_or_else(|panic| {
            call.panic = Some(panic);
            None
        }),
    };
    // SAFETY: both are initialised.
    unsafe {
        match &value {
            Some(value) => ffi::acb_set(out, &value.0),
            None => ffi::acb_indeterminate(out),
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> FloatInterval {
        FloatInterval { lo: Dyadic::new(), hi: Dyadic::from(1) }
    }

    fn tolerance(e: i64) -> Dyadic {
        Dyadic::from(1).halved(e)
    }

    #[test]
    fn a_rule_encloses_the_integral() {
        // ∫ exp over [0, 1] is e - 1.
        let got = gauss_legendre(&mut |z| Some(z.exp(128)), &unit(), &tolerance(100), 100, 128).unwrap();
        let error = got.sub(&Ball::from(1).expm1(128), 128);
        assert!(error.sign() == 0 && error.abs().upper(64) < tolerance(98), "{got:?}");
    }

    #[test]
    fn no_rule_is_used_where_the_function_is_not_analytic() {
        assert!(gauss_legendre(&mut |_| None, &unit(), &tolerance(10), 100, 64).is_none());
        // Real and finite on [0, 1], but with a pole near it, in the rectangle.
        let mut f = |z: &ComplexBall| {
            Some(z.sqr(64).add(&ComplexBall::from(&Ball::from(1).mul_2exp(-40)), 64).inv(64))
        };
        assert!(gauss_legendre(&mut f, &unit(), &tolerance(10), 100, 64).is_none());
    }

    #[test]
    fn a_panic_passes_the_c_code() {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            gauss_legendre(&mut |_| panic!("as asked"), &unit(), &tolerance(10), 100, 64)
        }))
        .unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"as asked"));
    }
}
