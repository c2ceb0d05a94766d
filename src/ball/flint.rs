//! Owned, safe handles on the four FLINT types that the oracle needs.
//!
//! | here | FLINT | meaning |
//! |---|---|---|
//! | [`Integer`] | `fmpz` | an integer of any size |
//! | [`Rational`] | `fmpq` | a fraction in lowest terms |
//! | [`Dyadic`] | `arf` | `m·2^e` with integers of any size, or ±∞, or NaN |
//! | [`Ball`] | `arb` | a dyadic midpoint and a 30-bit radius: the set of reals within the radius |
//!
//! A handle never leaves the thread that made it (FLINT keeps per-thread pools), so none is `Send`.
//! Operations on a [`Ball`] follow Arb's rule: the result contains `f(x)` for every `x` in the
//! operand, whatever the precision; where `f` is undefined the result is not finite.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::ffi::{CString, c_char};
use std::fmt;
use std::marker::PhantomData;

use flint3_sys as ffi;

/// A working precision in bits. Results carry about this many correct leading bits.
pub type Bits = u32;

/// Frees FLINT's per-thread caches and pools when the thread ends.
struct ThreadCaches;

impl Drop for ThreadCaches {
    fn drop(&mut self) {
        // SAFETY: called once per thread, at its end, after every handle on this thread's stack is gone.
        unsafe { ffi::flint_cleanup() }
    }
}

thread_local! {
    static CACHES: ThreadCaches = const { ThreadCaches };
}

/// Makes sure that the calling thread gives FLINT's caches back when it ends.
/// Called once per question by the oracle.
pub fn release_caches_at_thread_exit() {
    // During thread teardown the slot may be gone already; there is nothing left to register then.
    let _ = CACHES.try_with(|_| ());
}

// ------------------------------------------------------------------------------------- Integer

/// An integer of any size (FLINT `fmpz`).
pub struct Integer(pub(super) ffi::fmpz, PhantomData<*const ()>);

impl Integer {
    /// Zero.
    pub fn new() -> Self {
        // A small `fmpz` is the integer itself; zero owns nothing.
        Integer(0, PhantomData)
    }

    /// Reads an optionally signed string of decimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if text.len() <= 18 {
            return Some(Integer::from(text.parse::<i64>().ok()?));
        }
        let c = CString::new(text.strip_prefix('+').unwrap_or(text)).ok()?;
        let mut z = Integer::new();
        // SAFETY: `z` is initialised and `c` is a NUL-terminated string that outlives the call.
        let bad = unsafe { ffi::fmpz_set_str(&mut z.0, c.as_ptr(), 10) };
        (bad == 0).then_some(z)
    }

    /// `10^k`.
    pub fn pow10(k: u32) -> Self {
        let mut z = Integer::new();
        // SAFETY: `z` is initialised.
        unsafe { ffi::fmpz_ui_pow_ui(&mut z.0, 10, ffi::ulong::from(k)) };
        z
    }

    /// Calls `f` with `10^k`; small powers are kept per thread.
    pub fn with_pow10<T>(k: u32, f: impl FnOnce(&Integer) -> T) -> T {
        const KEPT: usize = 512;
        thread_local! {
            static POWERS: [OnceCell<Integer>; KEPT] = const { [const { OnceCell::new() }; KEPT] };
        }
        let mut f = Some(f);
        let mut call = |power: &Integer| f.take().map(|f| f(power));
        let kept = POWERS.try_with(|powers| {
            powers.get(k as usize).and_then(|power| call(power.get_or_init(|| Integer::pow10(k))))
        });
        match kept {
            Ok(Some(result)) => result,
            // A large power, or the thread is ending and its slots are gone.
            _ => call(&Integer::pow10(k)).unwrap_or_else(|| unreachable!("`f` was not called yet")),
        }
    }

    /// `self · 10^k`.
    pub fn mul_pow10(&self, k: u32) -> Self {
        if k == 0 { self.clone() } else { Integer::with_pow10(k, |power| self * power) }
    }

    /// How the absolute values compare.
    pub fn cmp_abs(&self, other: &Integer) -> Ordering {
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_cmpabs(&self.0, &other.0) }.cmp(&0)
    }

    /// Whether 10 divides this.
    pub fn ends_in_zero(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpz_divisible_si(&self.0, 10) != 0 }
    }

    /// The sign: -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpz_sgn(&self.0) }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Whether 2 divides this.
    pub fn is_even(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpz_is_even(&self.0) != 0 }
    }

    /// The number of bits of the absolute value; 0 for zero.
    pub fn bits(&self) -> u64 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpz_bits(&self.0) }
    }

    /// As an `i64`, when it fits.
    pub fn to_i64(&self) -> Option<i64> {
        // SAFETY: `self` is initialised; `fmpz_get_si` is only read when the value fits.
        unsafe { (ffi::fmpz_fits_si(&self.0) != 0).then(|| ffi::fmpz_get_si(&self.0)) }
    }

    /// The quotient rounded towards -∞. The divisor must not be zero.
    pub fn div_floor(&self, divisor: &Integer) -> Integer {
        assert!(!divisor.is_zero(), "division by zero");
        let mut z = Integer::new();
        // SAFETY: all three are initialised and the divisor is not zero.
        unsafe { ffi::fmpz_fdiv_q(&mut z.0, &self.0, &divisor.0) };
        z
    }

    /// `floor(self / 2^k)`; exact when `2^k` divides it.
    pub fn shr_floor(&self, k: u64) -> Integer {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_fdiv_q_2exp(&mut z.0, &self.0, k) };
        z
    }

    /// `self · 2^k`.
    pub fn shl(&self, k: u64) -> Integer {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_mul_2exp(&mut z.0, &self.0, k) };
        z
    }

    /// The exact `n`-th root of a non-negative integer, when it is a perfect power.
    pub fn exact_root(&self, n: u32) -> Option<Integer> {
        if self.sign() < 0 || n == 0 {
            return None;
        }
        let mut z = Integer::new();
        // SAFETY: both are initialised, the operand is not negative and `n > 0`.
        let exact = unsafe { ffi::fmpz_root(&mut z.0, &self.0, ffi::slong::from(n)) };
        (exact != 0).then_some(z)
    }

    /// Writes `self = base^k · rest` with `k` as large as can be, and returns `(k, rest)`.
    /// `self` must not be zero and `base` must be at least 2.
    pub fn remove_factor(&self, base: u64) -> (u64, Integer) {
        assert!(!self.is_zero() && base >= 2, "no largest power divides this");
        let (mut rest, mut factor) = (Integer::new(), Integer::new());
        // SAFETY: all are initialised; the operand is not zero and the factor is at least 2.
        let k = unsafe {
            ffi::fmpz_set_ui(&mut factor.0, base);
            ffi::fmpz_remove(&mut rest.0, &self.0, &factor.0)
        };
        (k as u64, rest)
    }

    /// `n!`.
    pub fn factorial(n: u32) -> Integer {
        let mut z = Integer::new();
        // SAFETY: `z` is initialised.
        unsafe { ffi::fmpz_fac_ui(&mut z.0, ffi::ulong::from(n)) };
        z
    }
}

impl Drop for Integer {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::fmpz_clear(&mut self.0) }
    }
}

impl Clone for Integer {
    fn clone(&self) -> Self {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_set(&mut z.0, &self.0) };
        z
    }
}

impl Default for Integer {
    fn default() -> Self {
        Integer::new()
    }
}

impl From<i64> for Integer {
    fn from(v: i64) -> Self {
        let mut z = Integer::new();
        // SAFETY: `z` is initialised.
        unsafe { ffi::fmpz_set_si(&mut z.0, v) };
        z
    }
}

impl PartialEq for Integer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Integer {}
impl PartialOrd for Integer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Integer {
    fn cmp(&self, other: &Self) -> Ordering {
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_cmp(&self.0, &other.0) }.cmp(&0)
    }
}

impl std::ops::Neg for &Integer {
    type Output = Integer;
    fn neg(self) -> Integer {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_neg(&mut z.0, &self.0) };
        z
    }
}

macro_rules! binary_operators {
    ($type:ident: $($trait:ident $method:ident $ffi:ident;)*) => {$(
        impl std::ops::$trait for &$type {
            type Output = $type;
            fn $method(self, other: &$type) -> $type {
                let mut z = $type::new();
                // SAFETY: all three are initialised; the operation is total.
                unsafe { ffi::$ffi(&mut z.0, &self.0, &other.0) };
                z
            }
        }
    )*};
}
binary_operators!(Integer: Add add fmpz_add; Sub sub fmpz_sub; Mul mul fmpz_mul;);

impl Integer {
    /// Appends the decimal digits, with a `-` before them if negative.
    pub fn append_to(&self, out: &mut String) {
        if let Some(small) = self.to_i64() {
            // Writing to a String cannot fail.
            let _ = fmt::Write::write_fmt(out, format_args!("{small}"));
            return;
        }
        // Room for the sign, the digits (an upper estimate) and the NUL.
        // SAFETY: `self` is initialised.
        let room = unsafe { ffi::fmpz_sizeinbase(&self.0, 10) } + 2;
        let (mut short, mut long) = ([0u8; 128], Vec::new());
        let text = if room <= short.len() {
            &mut short[..]
        } else {
            long.resize(room, 0);
            &mut long[..]
        };
        // SAFETY: `text` has room for everything `fmpz_get_str` writes, the NUL included.
        unsafe { ffi::fmpz_get_str(text.as_mut_ptr().cast::<c_char>(), 10, &self.0) };
        let digits = text.split(|b| *b == 0).next().unwrap_or_default();
        out.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.append_to(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// ------------------------------------------------------------------------------------ Rational

/// A fraction in lowest terms with a positive denominator (FLINT `fmpq`).
pub struct Rational(pub(super) ffi::fmpq, PhantomData<*const ()>);

impl Rational {
    /// Zero.
    pub fn new() -> Self {
        Rational(ffi::fmpq { num: 0, den: 1 }, PhantomData)
    }

    /// `num / den` in lowest terms; `None` when `den` is zero.
    pub fn from_parts(num: &Integer, den: &Integer) -> Option<Self> {
        if den.is_zero() {
            return None;
        }
        let mut q = Rational::new();
        // SAFETY: all are initialised and the denominator is not zero.
        unsafe { ffi::fmpq_set_fmpz_frac(&mut q.0, &num.0, &den.0) };
        Some(q)
    }

    /// `mantissa · 10^exponent`.
    pub fn from_decimal(mantissa: &Integer, exponent: i32) -> Self {
        Integer::with_pow10(exponent.unsigned_abs(), |power| {
            if exponent >= 0 {
                Rational::from(&(mantissa * power))
            } else {
                Rational::from_parts(mantissa, power).unwrap_or_default()
            }
        })
    }

    /// The exact value of a finite binary64 number; `None` for NaN and infinities.
    pub fn from_f64(v: f64) -> Option<Self> {
        if !v.is_finite() {
            return None;
        }
        if v == v.trunc() && v.abs() < 9.0e15 {
            return Some(Rational::from(v as i64));
        }
        let bits = v.abs().to_bits();
        let (biased, fraction) = ((bits >> 52) as i64, (bits & ((1 << 52) - 1)) as i64);
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
        let zeros = i64::from(mantissa.trailing_zeros());
        let mantissa = Integer::from(if v < 0.0 { -(mantissa >> zeros) } else { mantissa >> zeros });
        let exponent = exponent + zeros;
        let one = Integer::from(1);
        if exponent >= 0 {
            Some(Rational::from(&mantissa.shl(exponent as u64)))
        } else {
            Rational::from_parts(&mantissa, &one.shl(exponent.unsigned_abs()))
        }
    }

    /// The numerator.
    pub fn numerator(&self) -> Integer {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_set(&mut z.0, &self.0.num) };
        z
    }

    /// The denominator, positive.
    pub fn denominator(&self) -> Integer {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_set(&mut z.0, &self.0.den) };
        z
    }

    /// The bits of the numerator and the denominator together.
    pub fn bits(&self) -> u64 {
        // SAFETY: both parts are initialised.
        unsafe { ffi::fmpz_bits(&self.0.num) + ffi::fmpz_bits(&self.0.den) }
    }

    /// The sign: -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpz_sgn(&self.0.num) }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.0.num == 0
    }

    /// Whether this is an integer.
    pub fn is_integer(&self) -> bool {
        self.0.den == 1
    }

    /// The integer this is, when it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.is_integer() { self.numerator().to_i64() } else { None }
    }

    /// `(m, k)` with `self = m·10^-k`, `k ≥ 0` as small as possible, when both fit easily.
    pub fn to_short_decimal(&self) -> Option<(i64, u32)> {
        const MOST: u32 = 18;
        let (num, den) = (self.0.num, self.0.den);
        // Small values are stored in place (`COEFF_MAX`); larger ones are tagged pointers beyond it.
        if num.abs() >= 1 << 62 || den >= 1 << 62 {
            return None;
        }
        let twos = den.trailing_zeros();
        let (mut rest, mut fives) = (den >> twos, 0);
        while rest % 5 == 0 {
            (rest, fives) = (rest / 5, fives + 1);
        }
        let k = twos.max(fives);
        if rest != 1 || k > MOST {
            return None;
        }
        let scaled = i128::from(num) * i128::from(10i64.pow(k) / den);
        Some((i64::try_from(scaled).ok()?, k))
    }

    /// The largest integer not above this.
    pub fn floor(&self) -> Integer {
        self.numerator().div_floor(&self.denominator())
    }

    /// `e` with `2^(e-1) < |self| < 2^(e+1)`: an estimate of the binary magnitude. 0 for zero.
    pub fn magnitude(&self) -> i64 {
        if self.is_zero() {
            return 0;
        }
        // SAFETY: both parts are initialised.
        unsafe { ffi::fmpz_bits(&self.0.num) as i64 - ffi::fmpz_bits(&self.0.den) as i64 }
    }

    /// How this compares with the integer `v`.
    pub fn cmp_int(&self, v: i64) -> Ordering {
        // SAFETY: `self` is initialised.
        unsafe { ffi::fmpq_cmp_si(&self.0, v) }.cmp(&0)
    }

    /// How this compares with a dyadic number; `None` with NaN.
    pub fn partial_cmp_dyadic(&self, other: &Dyadic) -> Option<Ordering> {
        let Some(magnitude) = other.magnitude() else {
            // Zero, infinite or NaN.
            return match other.is_zero() {
                true => Some(self.sign().cmp(&0)),
                false => Dyadic::new().partial_cmp(other),
            };
        };
        // Signs and magnitudes first, so that a number of absurd size is never written out.
        if self.sign() != other.sign() {
            return Some(self.sign().cmp(&other.sign()));
        }
        let difference = self.magnitude().saturating_sub(magnitude);
        if difference.abs() > 2 {
            let order = difference.cmp(&0);
            return Some(if self.sign() < 0 { order.reverse() } else { order });
        }
        let (m, e) = other.to_parts()?;
        let e = e.to_i64()?;
        // self = num/den and other = m·2^e: compare num·2^max(-e,0) with m·den·2^max(e,0).
        let left = self.numerator().shl((-e).max(0) as u64);
        let right = (&m * &self.denominator()).shl(e.max(0) as u64);
        Some(left.cmp(&right))
    }

    /// The fraction with the smallest denominator in `[lo, hi]`, which must not be empty
    /// (FLINT `fmpq_simplest_between`).
    pub fn simplest_between(lo: &Rational, hi: &Rational) -> Rational {
        let mut q = Rational::new();
        // SAFETY: all are initialised and in lowest terms.
        unsafe { ffi::fmpq_simplest_between(&mut q.0, &lo.0, &hi.0) };
        q
    }

    /// The reciprocal; `None` for zero.
    pub fn recip(&self) -> Option<Rational> {
        Rational::from_parts(&self.denominator(), &self.numerator())
    }

    /// The absolute value.
    pub fn abs(&self) -> Rational {
        if self.sign() < 0 { -self } else { self.clone() }
    }

    /// The nearest double, for estimates only (it may overflow or underflow).
    pub fn to_f64(&self) -> f64 {
        const EXACT: i64 = 1 << 53;
        match (self.0.num, self.0.den) {
            (num, den) if num.abs() <= EXACT && den <= EXACT => num as f64 / den as f64,
            _ => Ball::from_rational(self, 64).midpoint_f64(),
        }
    }
}

impl Drop for Rational {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::fmpq_clear(&mut self.0) }
    }
}

impl Clone for Rational {
    fn clone(&self) -> Self {
        let mut q = Rational::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpq_set(&mut q.0, &self.0) };
        q
    }
}

impl Default for Rational {
    fn default() -> Self {
        Rational::new()
    }
}

impl From<&Integer> for Rational {
    fn from(v: &Integer) -> Self {
        let mut q = Rational::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_set(&mut q.0.num, &v.0) };
        q
    }
}

impl From<i64> for Rational {
    fn from(v: i64) -> Self {
        Rational::from(&Integer::from(v))
    }
}

impl PartialEq for Rational {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: both are initialised and in lowest terms.
        unsafe { ffi::fmpq_equal(&self.0, &other.0) != 0 }
    }
}
impl Eq for Rational {}
impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        // SAFETY: both are initialised.
        unsafe { ffi::fmpq_cmp(&self.0, &other.0) }.cmp(&0)
    }
}

impl std::ops::Neg for &Rational {
    type Output = Rational;
    fn neg(self) -> Rational {
        let mut q = Rational::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpq_neg(&mut q.0, &self.0) };
        q
    }
}

binary_operators!(Rational: Add add fmpq_add; Sub sub fmpq_sub; Mul mul fmpq_mul;);

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_integer() {
            write!(f, "{}", self.numerator())
        } else {
            write!(f, "{}/{}", self.numerator(), self.denominator())
        }
    }
}

impl fmt::Debug for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// -------------------------------------------------------------------------------------- Dyadic

/// A dyadic number `m·2^e`, an infinity, or NaN (FLINT `arf`).
pub struct Dyadic(pub(super) ffi::arf_struct);

impl Dyadic {
    /// Zero.
    pub fn new() -> Self {
        let mut x = std::mem::MaybeUninit::uninit();
        // SAFETY: `arf_init` initialises every field.
        unsafe {
            ffi::arf_init(x.as_mut_ptr());
            Dyadic(x.assume_init())
        }
    }

    /// `mantissa · 2^exponent`.
    pub fn from_parts(mantissa: &Integer, exponent: &Integer) -> Self {
        let mut x = Dyadic::new();
        // SAFETY: all are initialised.
        unsafe { ffi::arf_set_fmpz_2exp(&mut x.0, &mantissa.0, &exponent.0) };
        x
    }

    /// `(m, e)` with `self = m·2^e`, `m` odd or zero. `None` unless finite.
    pub fn to_parts(&self) -> Option<(Integer, Integer)> {
        if !self.is_finite() {
            return None;
        }
        let (mut m, mut e) = (Integer::new(), Integer::new());
        // SAFETY: all are initialised and `self` is finite.
        unsafe { ffi::arf_get_fmpz_2exp(&mut m.0, &mut e.0, &self.0) };
        Some((m, e))
    }

    /// `(n, e)` with `|self| = (out[0] + out[1]·2^64 + … + out[n-1]·2^(64(n-1)))·2^e`; `None` unless
    /// finite, and when `out` is too short or `e` does not fit.
    pub fn limbs(&self, out: &mut [u64]) -> Option<(usize, i64)> {
        if self.is_zero() {
            return Some((0, 0));
        }
        if !self.is_finite() {
            return None;
        }
        // The layout of `arf_struct`: `size` is twice the number of limbs plus the sign bit; up to two
        // limbs are stored in place; the limbs, read as a number in [1/2, 1), are scaled by 2^exp.
        let n = (self.0.size >> 1) as usize;
        let small = self.0.exp.abs() < 1 << 61; // in place, not a tagged pointer
        if n > out.len() || !small {
            return None;
        }
        // SAFETY: `self` is finite and not zero, so `n ≥ 1` limbs are there, in place or behind `ptr`.
        let limbs = unsafe {
            if n <= 2 { &self.0.d.noptr.d[..n] } else { std::slice::from_raw_parts(self.0.d.ptr.d, n) }
        };
        out[..n].copy_from_slice(limbs);
        Some((n, self.0.exp - 64 * n as i64))
    }

    /// Whether this is a number (neither infinite nor NaN).
    pub fn is_finite(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arf_is_finite(&self.0) != 0 }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arf_is_zero(&self.0) != 0 }
    }

    /// The sign: -1, 0 or 1 (0 for NaN).
    pub fn sign(&self) -> i32 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arf_sgn(&self.0) }
    }

    /// `e` with `2^(e-1) ≤ |self| < 2^e`, saturated to ±2^61; `None` for zero and for what is not finite.
    pub fn magnitude(&self) -> Option<i64> {
        if self.is_zero() || !self.is_finite() {
            return None;
        }
        let mut e = Integer::new();
        // SAFETY: both are initialised and `self` is finite and not zero.
        unsafe { ffi::arf_abs_bound_lt_2exp_fmpz(&mut e.0, &self.0) };
        const SATURATED: i64 = 1 << 61;
        let beyond = if e.sign() < 0 { -SATURATED } else { SATURATED };
        Some(e.to_i64().unwrap_or(beyond).clamp(-SATURATED, SATURATED))
    }

    /// This divided by `2^k`, exactly.
    pub fn halved(&self, k: i64) -> Dyadic {
        let mut x = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arf_mul_2exp_si(&mut x.0, &self.0, -k) };
        x
    }

    /// The fraction this is; `None` unless finite and of a magnitude that can be written out.
    pub fn to_rational(&self) -> Option<Rational> {
        const MOST: i64 = 1 << 26;
        let (m, e) = self.to_parts()?;
        let e = e.to_i64().filter(|e| e.abs() <= MOST)?;
        let power = Integer::from(1).shl(e.unsigned_abs());
        if e >= 0 { Some(Rational::from(&(&m * &power))) } else { Rational::from_parts(&m, &power) }
    }

    /// A finite double, exactly; `None` for NaN and infinities.
    pub fn from_f64(v: f64) -> Option<Self> {
        if !v.is_finite() {
            return None;
        }
        let mut x = Dyadic::new();
        // SAFETY: `x` is initialised.
        unsafe { ffi::arf_set_d(&mut x.0, v) };
        Some(x)
    }

    /// The double next to this, towards +∞ if `up`, else towards -∞.
    pub fn to_f64_directed(&self, up: bool) -> f64 {
        let direction = if up { ffi::arf_rnd_t_ARF_RND_CEIL } else { ffi::arf_rnd_t_ARF_RND_FLOOR };
        // SAFETY: `self` is initialised.
        unsafe { ffi::arf_get_d(&self.0, direction) }
    }

    /// The double next to this towards zero, for estimates only.
    pub fn to_f64(&self) -> f64 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arf_get_d(&self.0, ffi::arf_rnd_t_ARF_RND_DOWN) }
    }

    /// This rounded to an integer, towards +∞ if `up` and towards -∞ if not; `None` unless finite.
    /// The caller bounds the magnitude: the result is written out in full.
    pub fn to_integer(&self, up: bool) -> Option<Integer> {
        if !self.is_finite() {
            return None;
        }
        let direction = if up { ffi::arf_rnd_t_ARF_RND_CEIL } else { ffi::arf_rnd_t_ARF_RND_FLOOR };
        let mut z = Integer::new();
        // SAFETY: both are initialised and `self` is finite.
        unsafe { ffi::arf_get_fmpz(&mut z.0, &self.0, direction) };
        Some(z)
    }

    /// The exact product with an integer.
    pub fn mul_integer(&self, factor: &Integer) -> Dyadic {
        let (mut x, mut f) = (Dyadic::new(), Dyadic::new());
        // SAFETY: all are initialised.
        unsafe {
            ffi::arf_set_fmpz(&mut f.0, &factor.0);
            ffi::arf_mul_rnd_down(
                &mut x.0,
                &self.0,
                &f.0,
                ffi::slong::MAX, // ARF_PREC_EXACT
            );
        }
        x
    }

    /// This rounded to `bits` bits towards -∞.
    pub fn round_down(&self, bits: Bits) -> Dyadic {
        self.rounded(bits, ffi::arf_rnd_t_ARF_RND_FLOOR)
    }

    /// This rounded to `bits` bits towards +∞.
    pub fn round_up(&self, bits: Bits) -> Dyadic {
        self.rounded(bits, ffi::arf_rnd_t_ARF_RND_CEIL)
    }

    fn rounded(&self, bits: Bits, direction: ffi::arf_rnd_t) -> Dyadic {
        let mut x = Dyadic::new();
        // SAFETY: both are initialised; the precision is at least 2.
        unsafe { ffi::arf_set_round(&mut x.0, &self.0, ffi::slong::from(bits.max(2)), direction) };
        x
    }
}

macro_rules! directed_operations {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl Dyadic {$(
            #[doc = concat!($doc, ", rounded to `bits` bits towards +∞ if `up`, else towards -∞ (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(&self, other: &Dyadic, bits: Bits, up: bool) -> Dyadic {
                let direction = if up { ffi::arf_rnd_t_ARF_RND_CEIL } else { ffi::arf_rnd_t_ARF_RND_FLOOR };
                let mut z = Dyadic::new();
                // SAFETY: all three are initialised; the operation is total (NaN where undefined).
                unsafe { ffi::$ffi(&mut z.0, &self.0, &other.0, prec(bits), direction) };
                z
            }
        )*}
    };
}

directed_operations! {
    add arf_add "The sum";
    sub arf_sub "The difference";
    mul arf_mul_rnd_any "The product";
    div arf_div "The quotient";
}

impl From<i64> for Dyadic {
    fn from(v: i64) -> Self {
        let mut x = Dyadic::new();
        // SAFETY: `x` is initialised.
        unsafe { ffi::arf_set_si(&mut x.0, v) };
        x
    }
}

impl std::ops::Neg for &Dyadic {
    type Output = Dyadic;
    fn neg(self) -> Dyadic {
        let mut x = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arf_neg(&mut x.0, &self.0) };
        x
    }
}

impl Drop for Dyadic {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::arf_clear(&mut self.0) }
    }
}

impl Clone for Dyadic {
    fn clone(&self) -> Self {
        let mut x = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arf_set(&mut x.0, &self.0) };
        x
    }
}

impl Default for Dyadic {
    fn default() -> Self {
        Dyadic::new()
    }
}

impl PartialEq for Dyadic {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}
impl PartialOrd for Dyadic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // SAFETY: both are initialised.
        unsafe {
            if ffi::arf_is_nan(&self.0) != 0 || ffi::arf_is_nan(&other.0) != 0 {
                return None;
            }
            Some(ffi::arf_cmp(&self.0, &other.0).cmp(&0))
        }
    }
}

impl fmt::Debug for Dyadic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_parts() {
            Some((m, e)) => write!(f, "{m}*2^{e}"),
            None => write!(f, "{}", self.to_f64()),
        }
    }
}

// ---------------------------------------------------------------------------------------- Ball

/// A ball: all reals within a radius of a midpoint (FLINT `arb`). Possibly all reals, or NaN.
pub struct Ball(pub(super) ffi::arb_struct);

impl Ball {
    /// Exactly zero.
    pub fn new() -> Self {
        let mut x = std::mem::MaybeUninit::uninit();
        // SAFETY: `arb_init` initialises every field.
        unsafe {
            ffi::arb_init(x.as_mut_ptr());
            Ball(x.assume_init())
        }
    }

    /// A ball around `q`; exact (radius 0) whenever `q` is dyadic, at any precision.
    pub fn from_rational(q: &Rational, bits: Bits) -> Self {
        let mut x = Ball::new();
        // SAFETY: all are initialised; the denominator is positive.
        unsafe {
            if q.0.den == 1 {
                ffi::arb_set_fmpz(&mut x.0, &q.0.num);
                return x;
            }
            let twos = ffi::fmpz_val2(&q.0.den);
            if twos + 1 == ffi::fmpz_bits(&q.0.den) {
                ffi::arb_set_fmpz(&mut x.0, &q.0.num);
                ffi::arf_mul_2exp_si(&mut x.0.mid, &x.0.mid, -(twos as ffi::slong));
            } else {
                ffi::arb_set_fmpq(&mut x.0, &q.0, prec(bits));
            }
        }
        x
    }

    /// The exact ball of a dyadic number.
    pub fn from_dyadic(x: &Dyadic) -> Self {
        let mut y = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_set_arf(&mut y.0, &x.0) };
        y
    }

    /// A ball that contains `[lo, hi]`.
    pub fn from_interval(lo: &Dyadic, hi: &Dyadic, bits: Bits) -> Self {
        let mut y = Ball::new();
        // SAFETY: all are initialised.
        unsafe { ffi::arb_set_interval_arf(&mut y.0, &lo.0, &hi.0, prec(bits)) };
        y
    }

    /// π.
    pub fn pi(bits: Bits) -> Self {
        let mut x = Ball::new();
        // SAFETY: `x` is initialised.
        unsafe { ffi::arb_const_pi(&mut x.0, prec(bits)) };
        x
    }

    /// A lower bound of the ball, at most one unit of the `bits`-th bit below its true end.
    pub fn lower(&self, bits: Bits) -> Dyadic {
        let mut u = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_get_lbound_arf(&mut u.0, &self.0, prec(bits)) };
        u
    }

    /// An upper bound of the ball, at most one unit of the `bits`-th bit above its true end.
    pub fn upper(&self, bits: Bits) -> Dyadic {
        let mut u = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_get_ubound_arf(&mut u.0, &self.0, prec(bits)) };
        u
    }

    /// The lower end rounded up to `bits` bits (inward).
    pub fn lower_inward(&self, bits: Bits) -> Dyadic {
        let (mut u, mut radius) = (Dyadic::new(), Dyadic::new());
        // SAFETY: all are initialised.
        unsafe {
            ffi::arf_set_mag(&mut radius.0, &self.0.rad);
            ffi::arf_sub(&mut u.0, &self.0.mid, &radius.0, prec(bits), ffi::arf_rnd_t_ARF_RND_CEIL);
        }
        u
    }

    /// The upper end rounded down to `bits` bits (inward).
    pub fn upper_inward(&self, bits: Bits) -> Dyadic {
        let (mut u, mut radius) = (Dyadic::new(), Dyadic::new());
        // SAFETY: all are initialised.
        unsafe {
            ffi::arf_set_mag(&mut radius.0, &self.0.rad);
            ffi::arf_add(&mut u.0, &self.0.mid, &radius.0, prec(bits), ffi::arf_rnd_t_ARF_RND_FLOOR);
        }
        u
    }

    /// The midpoint.
    pub fn midpoint(&self) -> Dyadic {
        let mut u = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arf_set(&mut u.0, &self.0.mid) };
        u
    }

    /// The midpoint as a double, for estimates only.
    pub fn midpoint_f64(&self) -> f64 {
        // SAFETY: the midpoint is initialised.
        unsafe { ffi::arf_get_d(&self.0.mid, ffi::arf_rnd_t_ARF_RND_NEAR) }
    }

    /// Whether the midpoint and the radius are finite.
    pub fn is_finite(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arb_is_finite(&self.0) != 0 }
    }

    /// Whether the midpoint is NaN, as opposed to a ball that is merely unbounded.
    pub fn is_nan(&self) -> bool {
        // SAFETY: the midpoint is initialised.
        unsafe { ffi::arf_is_nan(&self.0.mid) != 0 }
    }

    /// 1 or -1 when every element has that sign, else 0.
    pub fn sign(&self) -> i32 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::arb_sgn_nonzero(&self.0) }
    }

    /// The derivative of Riemann's zeta function at a real point (FLINT `acb_dirichlet_zeta_jet`).
    pub fn zeta_derivative(&self, bits: Bits) -> Ball {
        let mut s = std::mem::MaybeUninit::uninit();
        let mut jet: [std::mem::MaybeUninit<ffi::acb_struct>; 2] =
            [const { std::mem::MaybeUninit::uninit() }; 2];
        let mut out = Ball::new();
        // SAFETY: each `acb` is initialised before use, the jet has room for its two coefficients,
        // and all are cleared at the end.
        unsafe {
            ffi::acb_init(s.as_mut_ptr());
            let jet = jet.as_mut_ptr().cast::<ffi::acb_struct>();
            ffi::acb_init(jet);
            ffi::acb_init(jet.add(1));
            ffi::acb_set_arb(s.as_mut_ptr(), &self.0);
            ffi::acb_dirichlet_zeta_jet(jet, s.as_ptr(), 0, 2, prec(bits));
            ffi::acb_get_real(&mut out.0, jet.add(1));
            ffi::acb_clear(jet);
            ffi::acb_clear(jet.add(1));
            ffi::acb_clear(s.as_mut_ptr());
        }
        out
    }

    /// Lambert's W on the principal branch (FLINT `arb_lambertw`).
    pub fn lambertw(&self, bits: Bits) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised; flag 0 is the principal branch.
        unsafe { ffi::arb_lambertw(&mut z.0, &self.0, 0, prec(bits)) };
        z
    }

    /// A rational power of a positive number (FLINT `arb_pow_fmpq`).
    pub fn pow_rational(&self, exponent: &Rational, bits: Bits) -> Ball {
        let mut z = Ball::new();
        // SAFETY: all are initialised.
        unsafe { ffi::arb_pow_fmpq(&mut z.0, &self.0, &exponent.0, prec(bits)) };
        z
    }

    /// The `k`-th real root of a non-negative number (FLINT `arb_root_ui`).
    pub fn root(&self, k: u32, bits: Bits) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_root_ui(&mut z.0, &self.0, ffi::ulong::from(k), prec(bits)) };
        z
    }

    /// The logarithm to the integer base `base ≥ 2` (FLINT `arb_log_base_ui`).
    pub fn log_base(&self, base: u32, bits: Bits) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_log_base_ui(&mut z.0, &self.0, ffi::ulong::from(base), prec(bits)) };
        z
    }

    /// Bessel's function `J` of integer order (FLINT `arb_hypgeom_bessel_j`).
    pub fn bessel_j(&self, order: i32, bits: Bits) -> Ball {
        let (mut z, mut nu) = (Ball::new(), Ball::new());
        // SAFETY: all are initialised.
        unsafe {
            ffi::arb_set_si(&mut nu.0, ffi::slong::from(order));
            ffi::arb_hypgeom_bessel_j(&mut z.0, &nu.0, &self.0, prec(bits));
        }
        z
    }

    /// Airy's Ai (FLINT `arb_hypgeom_airy`).
    pub fn airy_ai(&self, bits: Bits) -> Ball {
        let mut z = Ball::new();
        let null = std::ptr::null_mut();
        // SAFETY: FLINT documents that outputs may be NULL when not wanted.
        unsafe { ffi::arb_hypgeom_airy(&mut z.0, null, null, null, &self.0, prec(bits)) };
        z
    }

    /// Airy's Bi (FLINT `arb_hypgeom_airy`).
    pub fn airy_bi(&self, bits: Bits) -> Ball {
        let mut z = Ball::new();
        let null = std::ptr::null_mut();
        // SAFETY: FLINT documents that outputs may be NULL when not wanted.
        unsafe { ffi::arb_hypgeom_airy(null, null, &mut z.0, null, &self.0, prec(bits)) };
        z
    }

    /// The `k`-th zero (`k ≥ 1`, counted from the origin) of Ai' or, with `second`, of Bi'
    /// (FLINT `arb_hypgeom_airy_zero`).
    pub fn airy_derivative_zero(k: &Integer, second: bool, bits: Bits) -> Ball {
        assert!(k.sign() > 0, "zeros are counted from 1");
        let mut z = Ball::new();
        let null = std::ptr::null_mut();
        // SAFETY: FLINT documents that outputs may be NULL when not wanted; `k ≥ 1`.
        unsafe {
            if second {
                ffi::arb_hypgeom_airy_zero(null, null, null, &mut z.0, &k.0, prec(bits));
            } else {
                ffi::arb_hypgeom_airy_zero(null, &mut z.0, null, null, &k.0, prec(bits));
            }
        }
        z
    }

    /// The absolute values (FLINT `arb_abs`).
    pub fn abs(&self) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_abs(&mut z.0, &self.0) };
        z
    }

    /// `self · 2^e`, exactly.
    pub fn mul_2exp(&self, e: i64) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_mul_2exp_si(&mut z.0, &self.0, e) };
        z
    }
}

pub(super) fn prec(bits: Bits) -> ffi::slong {
    ffi::slong::from(bits.max(2))
}

macro_rules! ball_functions {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl Ball {$(
            #[doc = concat!($doc, " (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(&self, bits: Bits) -> Ball {
                let mut z = Ball::new();
                // SAFETY: both are initialised; Arb functions are total (non-finite where undefined).
                unsafe { ffi::$ffi(&mut z.0, &self.0, prec(bits)) };
                z
            }
        )*}
    };
}

ball_functions! {
    sqrt arb_sqrt "The square root";
    sqr arb_sqr "The square";
    inv arb_inv "The reciprocal";
    exp arb_exp "The exponential";
    expm1 arb_expm1 "`exp(x) - 1`";
    log arb_log "The natural logarithm";
    log1p arb_log1p "`log(1 + x)`";
    sin arb_sin "The sine";
    cos arb_cos "The cosine";
    tan arb_tan "The tangent";
    cot arb_cot "The cotangent";
    sec arb_sec "The secant";
    csc arb_csc "The cosecant";
    sinc arb_sinc "`sin(x)/x`, 1 at 0";
    asin arb_asin "The inverse sine";
    acos arb_acos "The inverse cosine";
    atan arb_atan "The inverse tangent";
    sinh arb_sinh "The hyperbolic sine";
    cosh arb_cosh "The hyperbolic cosine";
    tanh arb_tanh "The hyperbolic tangent";
    coth arb_coth "The hyperbolic cotangent";
    asinh arb_asinh "The inverse hyperbolic sine";
    acosh arb_acosh "The inverse hyperbolic cosine";
    atanh arb_atanh "The inverse hyperbolic tangent";
    gamma arb_gamma "Euler's gamma function";
    rgamma arb_rgamma "The reciprocal of the gamma function";
    lgamma arb_lgamma "The logarithm of the gamma function on the positive reals";
    digamma arb_digamma "The logarithmic derivative of the gamma function";
    zeta arb_zeta "Riemann's zeta function";
    erf arb_hypgeom_erf "The error function";
    erfc arb_hypgeom_erfc "The complementary error function";
    erfi arb_hypgeom_erfi "The imaginary error function";
    dilog arb_hypgeom_dilog "The dilogarithm";
    ei arb_hypgeom_ei "The exponential integral";
    si arb_hypgeom_si "The sine integral";
    ci arb_hypgeom_ci "The cosine integral";
}

macro_rules! ball_operators {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl Ball {$(
            #[doc = concat!($doc, " (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(&self, other: &Ball, bits: Bits) -> Ball {
                let mut z = Ball::new();
                // SAFETY: all three are initialised; Arb operations are total.
                unsafe { ffi::$ffi(&mut z.0, &self.0, &other.0, prec(bits)) };
                z
            }
        )*}
    };
}

ball_operators! {
    add arb_add "The sum";
    sub arb_sub "The difference";
    mul arb_mul "The product";
    div arb_div "The quotient";
}

impl std::ops::Neg for &Ball {
    type Output = Ball;
    fn neg(self) -> Ball {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_neg(&mut z.0, &self.0) };
        z
    }
}

impl Drop for Ball {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::arb_clear(&mut self.0) }
    }
}

impl Clone for Ball {
    fn clone(&self) -> Self {
        let mut z = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_set(&mut z.0, &self.0) };
        z
    }
}

impl Default for Ball {
    fn default() -> Self {
        Ball::new()
    }
}

impl From<i64> for Ball {
    fn from(v: i64) -> Self {
        let mut z = Ball::new();
        // SAFETY: `z` is initialised.
        unsafe { ffi::arb_set_si(&mut z.0, v) };
        z
    }
}

impl fmt::Debug for Ball {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?}, {:?}]", self.lower(64), self.upper(64))
    }
}

impl Rational {
    /// The Bernoulli number `B_n`, exactly (FLINT `bernoulli_fmpq_ui`).
    pub fn bernoulli(n: u32) -> Rational {
        let mut q = Rational::new();
        // SAFETY: `q` is initialised.
        unsafe { ffi::bernoulli_fmpq_ui(&mut q.0, ffi::ulong::from(n)) };
        q
    }
}
