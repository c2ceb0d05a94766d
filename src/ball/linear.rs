//! Owned, safe handles on FLINT's matrices, complex balls and integer polynomials, and named constants.
//!
//! | here | FLINT | meaning |
//! |---|---|---|
//! | [`RationalMatrix`] | `fmpq_mat` | a matrix of fractions; its operations are exact |
//! | [`BallMatrix`] | `arb_mat` | a matrix of real balls: the set of all matrices within them |
//! | [`ComplexBall`] | `acb` | a rectangle: a real ball plus `i` times a real ball |
//! | [`ComplexMatrix`] | `acb_mat` | a matrix of complex balls |
//! | [`ComplexVector`] | `acb` array | a vector of complex balls |
//! | [`Polynomial`] | `fmpz_poly` | a polynomial with integer coefficients |
//!
//! As in [`super::flint`], no handle is `Send`, and an operation on balls encloses the results for every
//! choice of elements of the operands. FLINT ends the process on operands of the wrong shape, so every
//! shape is asserted here first.

use std::fmt;
use std::mem::MaybeUninit;

use flint3_sys as ffi;

use super::flint::{Ball, Bits, Dyadic, Integer, Rational, prec};

/// A number of rows, columns or coefficients as FLINT takes it.
fn size(n: usize) -> ffi::slong {
    ffi::slong::try_from(n).unwrap_or_else(|_| unreachable!("no allocation is that large"))
}

// ------------------------------------------------------------------------------------ matrices

/// Where entry `(row, column)` of a matrix is, counted from its first. Panics when there is none.
macro_rules! offset {
    ($matrix:expr, $row:expr, $column:expr) => {{
        let (row, column) = ($row, $column);
        assert!(row < $matrix.rows() && column < $matrix.columns(), "no entry ({row}, {column})");
        row * $matrix.0.stride as usize + column
    }};
}

/// The handle on one kind of matrix: allocation, shape, entries.
macro_rules! matrix {
    ($(#[$doc:meta])* $name:ident = $ffi:ident, $init:ident, $clear:ident) => {
        $(#[$doc])*
        pub struct $name(ffi::$ffi);

        impl $name {
            /// The zero matrix.
            pub fn new(rows: usize, columns: usize) -> Self {
                let mut m = MaybeUninit::uninit();
                // SAFETY: the initialiser sets every field and every entry.
                unsafe {
                    ffi::$init(m.as_mut_ptr(), size(rows), size(columns));
                    $name(m.assume_init())
                }
            }

            /// The number of rows.
            pub fn rows(&self) -> usize {
                self.0.r as usize
            }

            /// The number of columns.
            pub fn columns(&self) -> usize {
                self.0.c as usize
            }

            /// Whether there are as many rows as columns.
            pub fn is_square(&self) -> bool {
                self.0.r == self.0.c
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: initialised, and dropped once.
                unsafe { ffi::$clear(&mut self.0) }
            }
        }
    };
}

matrix! {
    /// A matrix of fractions (FLINT `fmpq_mat`).
    RationalMatrix = fmpq_mat_struct, fmpq_mat_init, fmpq_mat_clear
}
matrix! {
    /// A matrix of real balls (FLINT `arb_mat`).
    BallMatrix = arb_mat_struct, arb_mat_init, arb_mat_clear
}
matrix! {
    /// A matrix of complex balls (FLINT `acb_mat`).
    ComplexMatrix = acb_mat_struct, acb_mat_init, acb_mat_clear
}
matrix! {
    /// A matrix of integers (FLINT `fmpz_mat`), only on the way from fractions to what they determine.
    IntegerMatrix = fmpz_mat_struct, fmpz_mat_init, fmpz_mat_clear
}

impl RationalMatrix {
    /// Sets an entry. Panics when there is none.
    pub fn set(&mut self, row: usize, column: usize, value: &Rational) {
        let at = offset!(self, row, column);
        // SAFETY: the entry exists, `&mut self` is the only access to it, and both are initialised.
        unsafe { ffi::fmpq_set(self.0.entries.add(at), &value.0) }
    }

    /// An entry. Panics when there is none.
    pub fn get(&self, row: usize, column: usize) -> Rational {
        let (at, mut q) = (offset!(self, row, column), Rational::new());
        // SAFETY: the entry exists and both are initialised.
        unsafe { ffi::fmpq_set(&mut q.0, self.0.entries.add(at)) }
        q
    }

    /// The solution of `self · x = right`; `None` when `self` is singular (FLINT `fmpq_mat_solve`).
    pub fn solve(&self, right: &RationalMatrix) -> Option<RationalMatrix> {
        assert!(self.is_square() && self.rows() == right.rows(), "the shapes do not fit");
        let mut x = RationalMatrix::new(right.rows(), right.columns());
        // SAFETY: all are initialised, the shapes fit, and the result is another matrix.
        let regular = unsafe { ffi::fmpq_mat_solve(&mut x.0, &self.0, &right.0) };
        (regular != 0).then_some(x)
    }

    /// The inverse; `None` when singular (FLINT `fmpq_mat_inv`).
    pub fn inv(&self) -> Option<RationalMatrix> {
        assert!(self.is_square(), "the shapes do not fit");
        let mut x = RationalMatrix::new(self.rows(), self.columns());
        // SAFETY: both are initialised and square, and the result is another matrix.
        let regular = unsafe { ffi::fmpq_mat_inv(&mut x.0, &self.0) };
        (regular != 0).then_some(x)
    }

    /// The determinant (FLINT `fmpq_mat_det`).
    pub fn det(&self) -> Rational {
        assert!(self.is_square(), "the shapes do not fit");
        let mut q = Rational::new();
        // SAFETY: both are initialised and the matrix is square.
        unsafe { ffi::fmpq_mat_det(&mut q.0, &self.0) };
        q
    }

    /// `(p, d)` with `p` the characteristic polynomial of the integer matrix `d·self`, `d > 0`: the
    /// eigenvalues are the roots of `p`, divided by `d` (FLINT `fmpz_mat_charpoly`).
    pub fn scaled_characteristic_polynomial(&self) -> (Polynomial, Integer) {
        assert!(self.is_square(), "the shapes do not fit");
        let n = self.rows();
        let mut scaled = IntegerMatrix::new(n, n);
        let (mut denominator, mut p) = (Integer::new(), Polynomial::new());
        // SAFETY: all are initialised and the shapes are equal and square.
        unsafe {
            ffi::fmpq_mat_get_fmpz_mat_matwise(&mut scaled.0, &mut denominator.0, &self.0);
            ffi::fmpz_mat_charpoly(&mut p.0, &scaled.0);
        }
        (p, denominator)
    }
}

impl BallMatrix {
    /// The identity.
    pub fn identity(n: usize) -> Self {
        let mut m = BallMatrix::new(n, n);
        // SAFETY: `m` is initialised.
        unsafe { ffi::arb_mat_one(&mut m.0) };
        m
    }

    /// Sets an entry. Panics when there is none.
    pub fn set(&mut self, row: usize, column: usize, value: &Ball) {
        let at = offset!(self, row, column);
        // SAFETY: the entry exists, `&mut self` is the only access to it, and both are initialised.
        unsafe { ffi::arb_set(self.0.entries.add(at), &value.0) }
    }

    /// An entry. Panics when there is none.
    pub fn get(&self, row: usize, column: usize) -> Ball {
        let (at, mut x) = (offset!(self, row, column), Ball::new());
        // SAFETY: the entry exists and both are initialised.
        unsafe { ffi::arb_set(&mut x.0, self.0.entries.add(at)) }
        x
    }

    /// Encloses the solutions of `self · x = right`; `None` unless every matrix of `self` is proved
    /// invertible (FLINT `arb_mat_solve`; with `precondition`, `arb_mat_solve_precond`, which is sharper
    /// on wide balls).
    pub fn solve(&self, right: &BallMatrix, precondition: bool, bits: Bits) -> Option<BallMatrix> {
        assert!(self.is_square() && self.rows() == right.rows(), "the shapes do not fit");
        let mut x = BallMatrix::new(right.rows(), right.columns());
        // SAFETY: all are initialised, the shapes fit, and the result is another matrix.
        let regular = unsafe {
            match precondition {
                true => ffi::arb_mat_solve_precond(&mut x.0, &self.0, &right.0, prec(bits)),
                false => ffi::arb_mat_solve(&mut x.0, &self.0, &right.0, prec(bits)),
            }
        };
        (regular != 0).then_some(x)
    }

    /// Encloses the determinants; possibly not finite (FLINT `arb_mat_det`; with `precondition`,
    /// `arb_mat_det_precond`).
    pub fn det(&self, precondition: bool, bits: Bits) -> Ball {
        assert!(self.is_square(), "the shapes do not fit");
        let mut x = Ball::new();
        // SAFETY: both are initialised and the matrix is square.
        unsafe {
            match precondition {
                true => ffi::arb_mat_det_precond(&mut x.0, &self.0, prec(bits)),
                false => ffi::arb_mat_det(&mut x.0, &self.0, prec(bits)),
            }
        }
        x
    }
}

impl ComplexMatrix {
    /// The same matrix, complex.
    pub fn from_real(m: &BallMatrix) -> Self {
        let mut z = ComplexMatrix::new(m.rows(), m.columns());
        // SAFETY: both are initialised and of one shape.
        unsafe { ffi::acb_mat_set_arb_mat(&mut z.0, &m.0) };
        z
    }

    /// An entry. Panics when there is none.
    pub fn get(&self, row: usize, column: usize) -> ComplexBall {
        let (at, mut z) = (offset!(self, row, column), ComplexBall::new());
        // SAFETY: the entry exists and both are initialised.
        unsafe { ffi::acb_set(&mut z.0, self.0.entries.add(at)) }
        z
    }

    /// Multiplies a column by `2^e`, exactly. Panics when there is none.
    pub fn mul_column_2exp(&mut self, column: usize, e: i64) {
        for row in 0..self.rows() {
            let at = offset!(self, row, column);
            // SAFETY: the entry exists, is initialised, and `&mut self` is the only access to it.
            unsafe {
                let entry = self.0.entries.add(at);
                ffi::acb_mul_2exp_si(entry, entry, e);
            }
        }
    }

    /// Encloses the products (FLINT `acb_mat_mul`).
    pub fn mul(&self, other: &ComplexMatrix, bits: Bits) -> ComplexMatrix {
        assert!(self.columns() == other.rows(), "the shapes do not fit");
        let mut z = ComplexMatrix::new(self.rows(), other.columns());
        // SAFETY: all are initialised and the shapes fit.
        unsafe { ffi::acb_mat_mul(&mut z.0, &self.0, &other.0, prec(bits)) };
        z
    }

    /// Encloses the solutions of `self · x = right`; `None` unless every matrix of `self` is proved
    /// invertible (FLINT `acb_mat_solve`).
    pub fn solve(&self, right: &ComplexMatrix, bits: Bits) -> Option<ComplexMatrix> {
        assert!(self.is_square() && self.rows() == right.rows(), "the shapes do not fit");
        let mut x = ComplexMatrix::new(right.rows(), right.columns());
        // SAFETY: all are initialised, the shapes fit, and the result is another matrix.
        let regular = unsafe { ffi::acb_mat_solve(&mut x.0, &self.0, &right.0, prec(bits)) };
        (regular != 0).then_some(x)
    }

    /// Eigenvalues and right eigenvectors (columns) of the matrix of midpoints, not proved at all;
    /// `None` when the iteration failed (FLINT `acb_mat_approx_eig_qr`).
    pub fn approximate_eigenvectors(&self, bits: Bits) -> Option<(ComplexVector, ComplexMatrix)> {
        assert!(self.is_square(), "the shapes do not fit");
        let n = self.rows();
        let (values, mut vectors) = (ComplexVector::new(n), ComplexMatrix::new(n, n));
        let null = std::ptr::null_mut();
        // SAFETY: all are initialised, there is room for `n` values and `n·n` entries; FLINT documents
        // that the left eigenvectors and the tolerance may be NULL.
        let converged = unsafe {
            ffi::acb_mat_approx_eig_qr(
                values.entries,
                null,
                &mut vectors.0,
                &self.0,
                std::ptr::null(),
                0,
                prec(bits),
            )
        };
        (converged != 0).then_some((values, vectors))
    }

    /// Encloses the eigenvalues, given approximations of them and of the eigenvectors: rectangles that
    /// are disjoint or identical, those that are identical in a row, each run of `k` with exactly `k`
    /// eigenvalues, counted with multiplicity. `None` when this fails (FLINT `acb_mat_eig_multiple`).
    pub fn eigenvalues(
        &self,
        values: &ComplexVector,
        vectors: &ComplexMatrix,
        bits: Bits,
    ) -> Option<ComplexVector> {
        let n = self.rows();
        let fits = self.is_square() && values.len == n && vectors.is_square() && vectors.rows() == n;
        assert!(fits, "the shapes do not fit");
        let enclosures = ComplexVector::new(n);
        // SAFETY: all are initialised and the shapes fit.
        let proved = unsafe {
            ffi::acb_mat_eig_multiple(enclosures.entries, &self.0, values.entries, &vectors.0, prec(bits))
        };
        (proved != 0).then_some(enclosures)
    }
}

// ------------------------------------------------------------------------------- complex balls

/// A rectangle in the complex plane with sides parallel to the axes (FLINT `acb`).
pub struct ComplexBall(pub(super) ffi::acb_struct);

impl ComplexBall {
    /// Exactly zero.
    pub fn new() -> Self {
        let mut z = MaybeUninit::uninit();
        // SAFETY: `acb_init` initialises every field.
        unsafe {
            ffi::acb_init(z.as_mut_ptr());
            ComplexBall(z.assume_init())
        }
    }

    /// `re + i·im`.
    pub fn from_parts(re: &Ball, im: &Ball) -> Self {
        let mut z = ComplexBall::new();
        // SAFETY: all are initialised.
        unsafe { ffi::acb_set_arb_arb(&mut z.0, &re.0, &im.0) };
        z
    }

    /// The real parts.
    pub fn re(&self) -> Ball {
        let mut x = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_set(&mut x.0, &self.0.real) };
        x
    }

    /// The imaginary parts.
    pub fn im(&self) -> Ball {
        let mut x = Ball::new();
        // SAFETY: both are initialised.
        unsafe { ffi::arb_set(&mut x.0, &self.0.imag) };
        x
    }

    /// Whether both balls are finite.
    pub fn is_finite(&self) -> bool {
        // SAFETY: `self` is initialised.
        unsafe { ffi::acb_is_finite(&self.0) != 0 }
    }

    /// Whether the rectangles have a point in common.
    pub fn overlaps(&self, other: &ComplexBall) -> bool {
        // SAFETY: both are initialised.
        unsafe { ffi::acb_overlaps(&self.0, &other.0) != 0 }
    }

    /// How many bits of the larger part are certain, about; negative when none is.
    pub fn accuracy_bits(&self) -> i64 {
        // SAFETY: `self` is initialised.
        unsafe { ffi::acb_rel_accuracy_bits(&self.0) }
    }

    /// An upper bound of the absolute values.
    pub fn abs_upper(&self, bits: Bits) -> Dyadic {
        let mut u = Dyadic::new();
        // SAFETY: both are initialised.
        unsafe { ffi::acb_get_abs_ubound_arf(&mut u.0, &self.0, prec(bits)) };
        u
    }

    /// The product (FLINT `acb_mul`).
    pub fn mul(&self, other: &ComplexBall, bits: Bits) -> ComplexBall {
        let mut z = ComplexBall::new();
        // SAFETY: all are initialised.
        unsafe { ffi::acb_mul(&mut z.0, &self.0, &other.0, prec(bits)) };
        z
    }

    /// All `k`-th roots, `k ≥ 1` (FLINT `acb_root_ui`, `acb_unit_root`).
    pub fn roots(&self, k: u32, bits: Bits) -> Vec<ComplexBall> {
        assert!(k >= 1, "there is no root of that order");
        let (mut unit, mut first) = (ComplexBall::new(), ComplexBall::new());
        let order = ffi::ulong::from(k);
        // The principal root jumps on the negative axis: left of the imaginary axis take the root of the
        // negative, and turn it by half a step.
        let left = self.re().midpoint().sign() <= 0;
        // SAFETY: all are initialised, `k ≥ 1`, and `2k` does not overflow.
        unsafe {
            ffi::acb_unit_root(&mut unit.0, order, prec(bits));
            if left {
                let (mut negative, mut half) = (ComplexBall::new(), ComplexBall::new());
                ffi::acb_neg(&mut negative.0, &self.0);
                ffi::acb_root_ui(&mut first.0, &negative.0, order, prec(bits));
                ffi::acb_unit_root(&mut half.0, 2 * order, prec(bits));
                first = first.mul(&half, bits);
            } else {
                ffi::acb_root_ui(&mut first.0, &self.0, order, prec(bits));
            }
        }
        let mut all = Vec::with_capacity(k as usize);
        for _ in 1..k {
            let next = first.mul(&unit, bits);
            all.push(std::mem::replace(&mut first, next));
        }
        all.push(first);
        all
    }
}

impl Drop for ComplexBall {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::acb_clear(&mut self.0) }
    }
}

impl Clone for ComplexBall {
    fn clone(&self) -> Self {
        let mut z = ComplexBall::new();
        // SAFETY: both are initialised.
        unsafe { ffi::acb_set(&mut z.0, &self.0) };
        z
    }
}

impl Default for ComplexBall {
    fn default() -> Self {
        ComplexBall::new()
    }
}

impl fmt::Debug for ComplexBall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + i·{:?}", self.re(), self.im())
    }
}

/// A vector of complex balls (FLINT's array of `acb`).
pub struct ComplexVector {
    entries: ffi::acb_ptr,
    len: usize,
}

impl ComplexVector {
    /// `len` zeros.
    pub fn new(len: usize) -> Self {
        // SAFETY: FLINT allocates and initialises `len` entries.
        ComplexVector { entries: unsafe { ffi::_acb_vec_init(size(len)) }, len }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An entry. Panics when there is none.
    pub fn get(&self, i: usize) -> ComplexBall {
        assert!(i < self.len, "no entry {i}");
        let mut z = ComplexBall::new();
        // SAFETY: the entry exists and both are initialised.
        unsafe { ffi::acb_set(&mut z.0, self.entries.add(i)) };
        z
    }

    /// Searches the roots of a squarefree polynomial of as many roots as this has entries, from the
    /// midpoints that are here or, if `fresh`, from scratch, with at most `iterations ≥ 1` steps.
    ///
    /// Returns `k`: each of the first `k` entries contains exactly one root and meets no other entry, if
    /// `k` is the number of entries. Else the entries are approximations to continue from
    /// (FLINT `acb_poly_find_roots`).
    pub fn find_roots(&mut self, of: &Polynomial, fresh: bool, iterations: u32, bits: Bits) -> usize {
        assert!(of.degree() == Some(self.len) && iterations >= 1, "the shapes do not fit");
        let mut poly = MaybeUninit::uninit();
        let initial = if fresh { std::ptr::null_mut() } else { self.entries };
        // SAFETY: the complex polynomial is initialised before use and cleared after; the vector has room
        // for as many roots as the degree; FLINT documents that the initial values may be NULL.
        let isolated = unsafe {
            ffi::acb_poly_init(poly.as_mut_ptr());
            ffi::acb_poly_set_fmpz_poly(poly.as_mut_ptr(), &of.0, prec(bits));
            let k = ffi::acb_poly_find_roots(
                self.entries,
                poly.as_ptr(),
                initial,
                ffi::slong::from(iterations),
                prec(bits),
            );
            ffi::acb_poly_clear(poly.as_mut_ptr());
            k
        };
        isolated as usize
    }
}

impl Drop for ComplexVector {
    fn drop(&mut self) {
        // SAFETY: made by `_acb_vec_init` with this length, and dropped once.
        unsafe { ffi::_acb_vec_clear(self.entries, size(self.len)) }
    }
}

// --------------------------------------------------------------------------------- polynomials

/// A polynomial with integer coefficients (FLINT `fmpz_poly`).
pub struct Polynomial(ffi::fmpz_poly_struct);

impl Polynomial {
    /// Zero.
    pub fn new() -> Self {
        let mut p = MaybeUninit::uninit();
        // SAFETY: `fmpz_poly_init` initialises every field.
        unsafe {
            ffi::fmpz_poly_init(p.as_mut_ptr());
            Polynomial(p.assume_init())
        }
    }

    /// From the coefficients of `1, x, x², …`.
    pub fn from_coefficients(coefficients: &[Integer]) -> Self {
        let mut p = Polynomial::new();
        for (i, c) in coefficients.iter().enumerate().rev() {
            // SAFETY: both are initialised.
            unsafe { ffi::fmpz_poly_set_coeff_fmpz(&mut p.0, size(i), &c.0) };
        }
        p
    }

    /// The coefficients of `1, x, x², …`, the last one not zero; none for the zero polynomial.
    pub fn coefficients(&self) -> Vec<Integer> {
        (0..self.0.length)
            .map(|i| {
                let mut c = Integer::new();
                // SAFETY: both are initialised.
                unsafe { ffi::fmpz_poly_get_coeff_fmpz(&mut c.0, &self.0, i) };
                c
            })
            .collect()
    }

    /// The degree; `None` for the zero polynomial.
    pub fn degree(&self) -> Option<usize> {
        (self.0.length as usize).checked_sub(1)
    }

    /// The number of bits of the largest coefficient.
    pub fn bits(&self) -> u64 {
        // SAFETY: `self` is initialised; the sign of the result tells the sign of the coefficients.
        unsafe { ffi::fmpz_poly_max_bits(&self.0) }.unsigned_abs()
    }

    /// The factors of positive degree in Yun's squarefree factorisation, with their exponents: pairwise
    /// coprime, each squarefree and primitive. The polynomial must not be zero
    /// (FLINT `fmpz_poly_factor_squarefree`).
    pub fn squarefree_factors(&self) -> Vec<(Polynomial, u32)> {
        assert!(self.degree().is_some(), "zero has no factorisation");
        let mut factors = MaybeUninit::uninit();
        let mut all = Vec::new();
        // SAFETY: the factorisation is initialised before use and cleared after; it has `num` polynomials
        // and as many exponents.
        unsafe {
            ffi::fmpz_poly_factor_init(factors.as_mut_ptr());
            ffi::fmpz_poly_factor_squarefree(factors.as_mut_ptr(), &self.0);
            let found = factors.assume_init_ref();
            for i in 0..found.num as usize {
                let mut p = Polynomial::new();
                ffi::fmpz_poly_set(&mut p.0, found.p.add(i));
                all.push((p, *found.exp.add(i) as u32));
            }
            ffi::fmpz_poly_factor_clear(factors.as_mut_ptr());
        }
        all.retain(|(p, _)| p.degree().is_some_and(|d| d > 0));
        all
    }

    /// The greatest common divisor, primitive up to the common content (FLINT `fmpz_poly_gcd`).
    pub fn gcd(&self, other: &Polynomial) -> Polynomial {
        let mut p = Polynomial::new();
        // SAFETY: all are initialised.
        unsafe { ffi::fmpz_poly_gcd(&mut p.0, &self.0, &other.0) };
        p
    }

    /// `self(x + c)` (FLINT `fmpz_poly_taylor_shift`).
    pub fn taylor_shift(&self, c: &Integer) -> Polynomial {
        let mut p = Polynomial::new();
        // SAFETY: all are initialised.
        unsafe { ffi::fmpz_poly_taylor_shift(&mut p.0, &self.0, &c.0) };
        p
    }

    /// The exact value at a fraction (FLINT `fmpz_poly_evaluate_fmpq`).
    pub fn evaluate(&self, x: &Rational) -> Rational {
        let mut y = Rational::new();
        // SAFETY: all are initialised.
        unsafe { ffi::fmpz_poly_evaluate_fmpq(&mut y.0, &self.0, &x.0) };
        y
    }

    /// The number of real roots of a squarefree polynomial of positive degree whose constant coefficient
    /// is not zero (FLINT `fmpz_poly_num_real_roots`).
    pub fn real_root_count(&self) -> usize {
        match self.degree() {
            None | Some(0) => 0,
            Some(1) => 1,
            // SAFETY: `self` is initialised and not zero.
            Some(_) => unsafe { ffi::fmpz_poly_num_real_roots(&self.0) as usize },
        }
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        // SAFETY: initialised, and dropped once.
        unsafe { ffi::fmpz_poly_clear(&mut self.0) }
    }
}

impl Clone for Polynomial {
    fn clone(&self) -> Self {
        let mut p = Polynomial::new();
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_poly_set(&mut p.0, &self.0) };
        p
    }
}

impl Default for Polynomial {
    fn default() -> Self {
        Polynomial::new()
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.coefficients()).finish()
    }
}

// ------------------------------------------------------------------------- numbers for the above

impl Integer {
    /// The least common multiple, not negative.
    pub fn lcm(&self, other: &Integer) -> Integer {
        let mut z = Integer::new();
        // SAFETY: all are initialised.
        unsafe { ffi::fmpz_lcm(&mut z.0, &self.0, &other.0) };
        z
    }

    /// Whether this divides `other`. Zero divides only zero.
    pub fn divides(&self, other: &Integer) -> bool {
        // SAFETY: both are initialised.
        unsafe { ffi::fmpz_divisible(&other.0, &self.0) != 0 }
    }
}

impl Ball {
    /// The only integer in the ball; `None` when there is none, or more than one.
    pub fn unique_integer(&self) -> Option<Integer> {
        let mut z = Integer::new();
        // SAFETY: both are initialised.
        let unique = unsafe { ffi::arb_get_unique_fmpz(&mut z.0, &self.0) };
        (unique != 0).then_some(z)
    }
}

macro_rules! ball_constants {
    ($($name:ident $ffi:ident $doc:literal;)*) => {
        impl Ball {$(
            #[doc = concat!($doc, " (FLINT `", stringify!($ffi), "`).")]
            pub fn $name(bits: Bits) -> Ball {
                let mut x = Ball::new();
                // SAFETY: `x` is initialised.
                unsafe { ffi::$ffi(&mut x.0, prec(bits)) };
                x
            }
        )*}
    };
}

ball_constants! {
    e arb_const_e "Euler's number";
    euler arb_const_euler "Euler's constant γ";
    catalan arb_const_catalan "Catalan's constant";
    khinchin arb_const_khinchin "Khinchin's constant";
    glaisher arb_const_glaisher "The Glaisher-Kinkelin constant";
    apery arb_const_apery "Apéry's constant, ζ(3)";
    log2 arb_const_log2 "The natural logarithm of 2";
    log10 arb_const_log10 "The natural logarithm of 10";
    sqrt_pi arb_const_sqrt_pi "The square root of π";
    log_sqrt_2pi arb_const_log_sqrt2pi "Half the logarithm of 2π";
    reciprocal_fibonacci arb_const_reciprocal_fibonacci "The sum of the reciprocals of the Fibonacci numbers";
}
