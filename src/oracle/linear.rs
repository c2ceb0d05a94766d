//! Questions about matrices: `solve`, `inv`, `det` and `eigenvalues`.
//!
//! What is asked about an exact matrix is a fraction, or an algebraic number: it is found in exact
//! arithmetic and rounded once, as long as that takes a second or so, and else in ball arithmetic of
//! rising precision. An entry that is a ball makes the answer one about every matrix in it.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::constants::precisions;
use super::poly_roots::{ComplexRoot, append_roots, common_denominator, scaled_roots};
use super::questions::{append_interval, head};
use super::request::{NumberText, not_json, object};
use super::unary::Settings;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::linear::{BallMatrix, ComplexBall, ComplexMatrix, RationalMatrix};
use crate::ball::{Ball, Bits, DecimalInterval, Dyadic, Enclosure, FloatInterval, Interval};
use crate::error::{Code, Error, Result};

/// What is asked about a matrix `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixOperation {
    /// The solution of `A·x = b`.
    Solve,
    /// The inverse.
    Inverse,
    /// The determinant.
    Determinant,
    /// The eigenvalues.
    Eigenvalues,
}

impl MatrixOperation {
    /// Every operation.
    pub const ALL: [MatrixOperation; 4] = [
        MatrixOperation::Solve,
        MatrixOperation::Inverse,
        MatrixOperation::Determinant,
        MatrixOperation::Eigenvalues,
    ];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            MatrixOperation::Solve => "solve",
            MatrixOperation::Inverse => "inv",
            MatrixOperation::Determinant => "det",
            MatrixOperation::Eigenvalues => "eigenvalues",
        }
    }

    /// The operation of that name.
    pub fn find(name: &str) -> Option<Self> {
        MatrixOperation::ALL.into_iter().find(|op| op.name() == name)
    }
}

/// A question about a square matrix.
#[derive(Clone, Debug)]
pub struct MatrixQuery {
    /// What is asked.
    pub operation: MatrixOperation,
    /// The rows of the matrix. A wide entry stands for all its values.
    pub a: Vec<Vec<Interval>>,
    /// The rows of the right-hand side, for [`MatrixOperation::Solve`]; else empty.
    pub b: Vec<Vec<Interval>>,
    /// How precisely to answer.
    pub settings: Settings,
}

/// An enclosure of what was asked.
#[derive(Clone, Debug)]
pub enum MatrixValue {
    /// The determinant.
    Number(DecimalInterval),
    /// The rows of the inverse, or of the solution.
    Matrix(Vec<Vec<DecimalInterval>>),
    /// The eigenvalues: disjoint rectangles, in the order of [`super::PolyRootsAnswer`] for an exact
    /// matrix, else by their lower left corners. The multiplicities add up to the size of the matrix.
    Eigenvalues(Vec<ComplexRoot>),
}

/// The answer to a question about a matrix.
#[derive(Clone, Debug)]
pub struct MatrixAnswer {
    /// The enclosure.
    pub value: MatrixValue,
    /// Whether every end is proved to be within one unit of its last requested digit of the truth.
    /// Never so for matrices with wide entries.
    pub tight: bool,
    /// The working precision that was used, in bits; 0 for exact arithmetic.
    pub bits_used: Bits,
}

/// The largest number of rows and columns.
const MAX_SIZE: usize = 200;

/// The largest number of rows and columns for eigenvalues of matrices with wide entries.
const MAX_SIZE_WIDE_EIGENVALUES: usize = 60;

/// The most digits in all entries of an answer together.
const MAX_DIGITS: u64 = 50_000_000;

/// The most bits that an exact entry may take, after multiplication with the common denominator.
const MAX_ENTRY_BITS: u64 = 1 << 26;

/// How much exact arithmetic may cost to be tried first, in products of bits; about 10^9 a second.
const EXACT_COST: f64 = 1e8;

/// How much exact arithmetic may cost where ball arithmetic did not get tight, in products of bits.
const LAST_EXACT_COST: f64 = 5e9;

/// The most that exact eigenvalues may cost, in products of bits; about 10^11 in some seconds.
const MAX_EIGENVALUE_COST: f64 = 2e11;

impl MatrixQuery {
    /// Encloses what is asked, the ends to `settings.digits` significant digits.
    ///
    /// Errors, apart from those of the budget: [`Code::BadRequest`] for shapes that do not fit or that
    /// are too large, [`Code::Domain`] for a singular matrix to solve with or to invert,
    /// [`Code::PrecisionCap`] when it was not decided whether a matrix (or some matrix within wide
    /// entries) is singular, [`Code::ExponentLimit`].
    pub fn answer(&self, budget: &Budget) -> Result<MatrixAnswer> {
        self.settings.check()?;
        self.check_shapes()?;
        release_caches_at_thread_exit();
        let n = self.a.len() as u64;
        budget.spend(n * n)?;
        let exact = |rows: &[Vec<Interval>]| rows.iter().flatten().all(Interval::is_point);
        if !exact(&self.a) || !exact(&self.b) {
            return match self.operation {
                MatrixOperation::Eigenvalues => self.wide_eigenvalues(budget),
                _ => self.wide(budget),
            };
        }
        let cost = self.exact_cost()?;
        if self.operation == MatrixOperation::Eigenvalues {
            if cost > MAX_EIGENVALUE_COST {
                let message =
                    "the entries are too long for the eigenvalues of so large a matrix; round the entries";
                return Err(Error::new(Code::BadRequest, message).at("A"));
            }
            let (p, d) = self.rational(&self.a).scaled_characteristic_polynomial();
            let answer = scaled_roots(&p, &d, &self.settings, budget)?;
            return Ok(MatrixAnswer {
                value: MatrixValue::Eigenvalues(answer.roots),
                tight: answer.tight,
                bits_used: answer.bits_used,
            });
        }
        if cost <= EXACT_COST {
            return self.exact();
        }
        match self.rising(budget) {
            // Entries that are on the decimal grid, such as 0, are never tight in ball arithmetic.
            Ok(answer) if !answer.tight && cost <= LAST_EXACT_COST => self.exact(),
            Err(e) if e.code == Code::PrecisionCap && cost <= LAST_EXACT_COST => self.exact(),
            other => other,
        }
    }

    /// Refuses what is not a square matrix with a right-hand side that fits.
    fn check_shapes(&self) -> Result<()> {
        let n = self.a.len();
        let wrong = |field, message: String| Err(Error::new(Code::BadRequest, message).at(field));
        if n == 0 {
            return wrong("A", "A has no rows".into());
        }
        if let Some((i, row)) = self.a.iter().enumerate().find(|(_, row)| row.len() != n) {
            return wrong("A", format!("A must be square: it has {n} rows, but row {i} has {}", row.len()));
        }
        if n > MAX_SIZE {
            return wrong("A", format!("A has {n} rows; at most {MAX_SIZE} are answered"));
        }
        let columns = self.b.first().map_or(0, Vec::len);
        match self.operation {
            MatrixOperation::Solve => {
                if self.b.len() != n {
                    return wrong("b", format!("A has {n} rows and b has {}", self.b.len()));
                }
                if columns == 0 || self.b.iter().any(|row| row.len() != columns) {
                    return wrong("b", "the rows of b must have one length, at least 1".into());
                }
                if columns > MAX_SIZE {
                    return wrong("b", format!("b has {columns} columns; at most {MAX_SIZE} are answered"));
                }
            }
            _ if columns > 0 => {
                return wrong("b", format!("{} takes no b", self.operation.name()));
            }
            _ => {}
        }
        let numbers = match self.operation {
            MatrixOperation::Solve => n * columns,
            MatrixOperation::Inverse => n * n,
            MatrixOperation::Determinant => 1,
            MatrixOperation::Eigenvalues => 2 * n,
        };
        if numbers as u64 * u64::from(self.settings.digits) > MAX_DIGITS {
            let message = format!("{numbers} numbers of so many digits are too many; ask for fewer digits");
            return wrong("digits", message);
        }
        Ok(())
    }

    /// An estimate of the cost of exact arithmetic: `n²·k·B` for `k` columns on the right, or `n³·B` for
    /// eigenvalues, where `B` is the size in bits of the determinants that the answer consists of.
    fn exact_cost(&self) -> Result<f64> {
        let too_long = || Error::new(Code::BadRequest, "the entries are too long; round them");
        let n = self.a.len() as f64;
        let log = n.log2() / 2.0 + 1.0;
        let row_bits = |row: &[Interval]| {
            let (_, bits) = common_denominator(row.iter().map(|x| &x.lo), MAX_ENTRY_BITS)?;
            (bits <= MAX_ENTRY_BITS).then_some(bits as f64)
        };
        let mut sizes = Vec::with_capacity(self.a.len());
        for row in &self.a {
            sizes.push(row_bits(row).ok_or_else(|| too_long().at("A"))? + log);
        }
        let mut bits: f64 = sizes.iter().sum();
        let mut right = 0.0f64;
        for row in &self.b {
            right = right.max(row_bits(row).ok_or_else(|| too_long().at("b"))?);
        }
        let columns = match self.operation {
            MatrixOperation::Solve => self.b[0].len() as f64,
            MatrixOperation::Determinant => 1.0,
            MatrixOperation::Inverse => n,
            MatrixOperation::Eigenvalues => {
                let all = common_denominator(self.a.iter().flatten().map(|x| &x.lo), MAX_ENTRY_BITS);
                bits = n * (all.ok_or_else(|| too_long().at("A"))?.1 as f64 + log);
                n
            }
        };
        Ok(n * n * columns * (bits + right))
    }

    /// A matrix of points, exactly.
    fn rational(&self, rows: &[Vec<Interval>]) -> RationalMatrix {
        let mut m = RationalMatrix::new(rows.len(), rows[0].len());
        for (i, row) in rows.iter().enumerate() {
            for (j, x) in row.iter().enumerate() {
                m.set(i, j, &x.lo);
            }
        }
        m
    }

    /// In exact arithmetic.
    fn exact(&self) -> Result<MatrixAnswer> {
        let a = self.rational(&self.a);
        let solution = match self.operation {
            MatrixOperation::Determinant => {
                let (value, tight) = self.decimal(&Enclosure::exact(a.det()))?;
                return Ok(MatrixAnswer { value: MatrixValue::Number(value), tight, bits_used: 0 });
            }
            MatrixOperation::Solve => a.solve(&self.rational(&self.b)),
            _ => a.inv(),
        };
        let solution = solution.ok_or_else(singular)?;
        let entry = |i, j| Some(Enclosure::exact(solution.get(i, j)));
        let (value, tight) = self.decimals(solution.rows(), solution.columns(), entry)?;
        Ok(MatrixAnswer { value, tight, bits_used: 0 })
    }

    /// For an exact matrix, in ball arithmetic of rising precision.
    fn rising(&self, budget: &Budget) -> Result<MatrixAnswer> {
        let n = self.a.len();
        let sizes = self.a.iter().flatten().map(|x| x.lo.magnitude().unsigned_abs()).max().unwrap_or(0);
        let (start, cap) = precisions(&self.settings, n as u64 * sizes.min(1 << 20));
        let mut best = None;
        let mut bits = start;
        let mut attempts = 0;
        loop {
            budget.spend((n * n) as u64)?;
            if let Some(answer) = self.once(bits)? {
                if answer.tight {
                    return Ok(answer);
                }
                // When twice the bits did not make it tight, more will not.
                let settled = best.is_some();
                best = Some(answer);
                if settled {
                    break;
                }
            }
            attempts += 1;
            if attempts == 2 && best.is_none() && self.rational(&self.a).det().is_zero() {
                return match self.operation {
                    MatrixOperation::Determinant => self.exact(),
                    _ => Err(singular()),
                };
            }
            if bits >= cap {
                break;
            }
            bits = bits.saturating_mul(2).min(cap);
        }
        best.ok_or_else(|| self.undecided(cap))
    }

    /// For a matrix with wide entries: more precision cannot help, but twice a little once.
    fn wide(&self, budget: &Budget) -> Result<MatrixAnswer> {
        let (start, _) = precisions(&self.settings, 0);
        for bits in [start, start.saturating_mul(2)] {
            budget.spend((self.a.len() * self.a.len()) as u64)?;
            if let Some(answer) = self.once(bits)? {
                return Ok(MatrixAnswer { tight: false, ..answer });
            }
        }
        Err(self.undecided(start.saturating_mul(2)))
    }

    /// In ball arithmetic at one precision; `None` when no finite enclosure was found.
    ///
    /// Elimination is sharp on thin balls, preconditioning on wide ones: what is in both is the answer.
    fn once(&self, bits: Bits) -> Result<Option<MatrixAnswer>> {
        let a = balls(&self.a, bits);
        let wide = self.a.iter().flatten().any(|x| !x.is_point());
        let both = |x: Option<Ball>, y: Option<Ball>| {
            let interval = |x: Option<Ball>| x.and_then(|x| FloatInterval::from_ball(&x, bits));
            let common = match (interval(x), interval(y)) {
                (Some(x), Some(y)) => x.intersection(&y)?,
                (x, y) => x.or(y)?,
            };
            Some(Enclosure::between(common.lo, common.hi))
        };
        if self.operation == MatrixOperation::Determinant {
            let preconditioned = wide.then(|| a.det(true, bits));
            let Some(value) = both(Some(a.det(false, bits)), preconditioned) else { return Ok(None) };
            let (value, tight) = self.decimal(&value)?;
            return Ok(Some(MatrixAnswer { value: MatrixValue::Number(value), tight, bits_used: bits }));
        }
        let b = match self.operation {
            MatrixOperation::Solve => balls(&self.b, bits),
            _ => BallMatrix::identity(a.rows()),
        };
        let plain = a.solve(&b, false, bits);
        let preconditioned = if wide { a.solve(&b, true, bits) } else { None };
        if plain.is_none() && preconditioned.is_none() {
            return Ok(None);
        }
        let entry = |i, j| {
            let at = |m: &Option<BallMatrix>| m.as_ref().map(|m| m.get(i, j));
            both(at(&plain), at(&preconditioned))
        };
        let finite = (0..b.rows()).all(|i| (0..b.columns()).all(|j| entry(i, j).is_some()));
        if !finite {
            return Ok(None);
        }
        let (value, tight) = self.decimals(b.rows(), b.columns(), entry)?;
        Ok(Some(MatrixAnswer { value, tight, bits_used: bits }))
    }

    /// For a matrix with wide entries.
    fn wide_eigenvalues(&self, budget: &Budget) -> Result<MatrixAnswer> {
        let n = self.a.len();
        if n > MAX_SIZE_WIDE_EIGENVALUES {
            let message = format!(
                "A has {n} rows; for eigenvalues of a matrix with balls at most \
                 {MAX_SIZE_WIDE_EIGENVALUES} are answered"
            );
            return Err(Error::new(Code::BadRequest, message).at("A"));
        }
        let (bits, _) = precisions(&self.settings, 0);
        budget.spend((n * n) as u64)?;
        let real = balls(&self.a, bits);
        let clusters = eigenvalue_clusters(&real, bits, || budget.spend((n * n) as u64))?
            .ok_or_else(|| Error::new(Code::ExponentLimit, "an entry of A is too large").at("A"))?;
        let mut found = Vec::with_capacity(clusters.len());
        for (i, cluster) in clusters.iter().enumerate() {
            // As for polynomials: alone with its mirror image, an eigenvalue is its own conjugate.
            let real = cluster.multiplicity == 1 && cluster.im.contains_zero() && {
                let mirrored = cluster.mirrored();
                clusters.iter().enumerate().all(|(j, other)| j == i || !mirrored.meets(other))
            };
            let im = if real { FloatInterval::integer(0) } else { cluster.im.clone() };
            let decimal = |x: &FloatInterval| self.decimal(&Enclosure::between(x.lo.clone(), x.hi.clone()));
            let (re, im) = (decimal(&cluster.re)?.0, decimal(&im)?.0);
            let ends = (re.lo.to_rational(), im.lo.to_rational());
            found.push((ends, ComplexRoot { re, im, multiplicity: cluster.multiplicity, real }));
        }
        found.sort_by(|x, y| x.0.cmp(&y.0));
        let value = MatrixValue::Eigenvalues(found.into_iter().map(|(_, root)| root).collect());
        Ok(MatrixAnswer { value, tight: false, bits_used: bits })
    }

    /// Both ends of an enclosure, rounded outward.
    fn decimal(&self, x: &Enclosure) -> Result<(DecimalInterval, bool)> {
        DecimalInterval::enclosing(x, x, self.settings.digits, self.settings.exp_limit)
    }

    /// A matrix of enclosures, each of which is there, rounded outward.
    fn decimals(
        &self,
        rows: usize,
        columns: usize,
        entry: impl Fn(usize, usize) -> Option<Enclosure>,
    ) -> Result<(MatrixValue, bool)> {
        let mut all_tight = true;
        let mut matrix = Vec::with_capacity(rows);
        for i in 0..rows {
            let mut row = Vec::with_capacity(columns);
            for x in (0..columns).filter_map(|j| entry(i, j)) {
                let (x, tight) = self.decimal(&x)?;
                all_tight &= tight;
                row.push(x);
            }
            matrix.push(row);
        }
        Ok((MatrixValue::Matrix(matrix), all_tight))
    }

    fn undecided(&self, bits: Bits) -> Error {
        let wide = self.a.iter().flatten().any(|x| !x.is_point());
        let message = match wide {
            true => {
                "it was not proved that every matrix within the balls of A is invertible; make the balls \
                     narrower"
                    .to_string()
            }
            false => format!("it was not decided with {bits} bits whether A is singular; raise max_bits"),
        };
        Error::new(Code::PrecisionCap, message).at("A")
    }
}

fn singular() -> Error {
    Error::new(Code::Domain, "A is singular: its determinant is exactly 0").at("A")
}

/// Balls around the entries.
fn balls(rows: &[Vec<Interval>], bits: Bits) -> BallMatrix {
    let mut m = BallMatrix::new(rows.len(), rows[0].len());
    for (i, row) in rows.iter().enumerate() {
        for (j, x) in row.iter().enumerate() {
            let ball = match x.is_point() {
                true => Ball::from_rational(&x.lo, bits),
                false => {
                    let below = Ball::from_rational(&x.lo, bits + 8).lower(bits);
                    let above = Ball::from_rational(&x.hi, bits + 8).upper(bits);
                    Ball::from_interval(&below, &above, bits)
                }
            };
            m.set(i, j, &ball);
        }
    }
    m
}

// ------------------------------------------------------------------- eigenvalues of many matrices

/// A rectangle with so many eigenvalues.
struct Cluster {
    re: FloatInterval,
    im: FloatInterval,
    multiplicity: u32,
}

impl Cluster {
    /// All within `radius` of a point of `center`; `None` unless finite.
    fn new(center: &ComplexBall, radius: &Dyadic, bits: Bits) -> Option<Self> {
        let around = |x: Ball| {
            let x = FloatInterval::from_ball(&x, bits)?;
            FloatInterval::new(x.lo.sub(radius, bits, false), x.hi.add(radius, bits, true))
        };
        Some(Cluster { re: around(center.re())?, im: around(center.im())?, multiplicity: 1 })
    }

    fn meets(&self, other: &Cluster) -> bool {
        self.re.intersection(&other.re).is_some() && self.im.intersection(&other.im).is_some()
    }

    /// The hull with the complex conjugates.
    fn mirrored(&self) -> Cluster {
        let im = self.im.hull(&self.im.neg());
        Cluster { re: self.re.clone(), im, multiplicity: self.multiplicity }
    }
}

/// Disjoint rectangles with all eigenvalues of each matrix within `a`; `None` if there are infinities.
fn eigenvalue_clusters(
    a: &BallMatrix,
    bits: Bits,
    spend: impl Fn() -> Result<()>,
) -> Result<Option<Vec<Cluster>>> {
    let n = a.rows();
    let complex = ComplexMatrix::from_real(a);
    let approximations = complex.approximate_eigenvectors(bits);
    spend()?;
    if let Some((values, vectors)) = &approximations
        && let Some(found) = complex.eigenvalues(values, vectors, bits)
    {
        return Ok(merged((0..n).map(|i| Cluster::new(&found.get(i), &Dyadic::new(), bits))));
    }
    // Then Gershgorin's disks of `a` itself, of `a` in a basis of eigenvectors and, as these hardly are a
    // basis where eigenvalues are multiple, in one of a matrix near by: where most come apart.
    let mut best = gershgorin(&complex, bits);
    let mut consider = |basis: Option<(_, ComplexMatrix)>| {
        let similar = basis.and_then(|(_, mut basis)| {
            // The disks depend on the lengths of the vectors.
            for j in 0..n {
                let longest = (0..n).filter_map(|i| basis.get(i, j).abs_upper(32).magnitude()).max();
                basis.mul_column_2exp(j, -longest.unwrap_or(0));
            }
            basis.solve(&complex.mul(&basis, bits), bits)
        });
        let found = similar.and_then(|similar| gershgorin(&similar, bits));
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| better(&found, best, bits))
        {
            best = Some(found);
        }
    };
    consider(approximations);
    spend()?;
    consider(ComplexMatrix::from_real(&near_by(a, bits)).approximate_eigenvectors(bits));
    Ok(best)
}

/// Whether `x` says more than `y`.
fn better(x: &[Cluster], y: &[Cluster], bits: Bits) -> bool {
    let width = |clusters: &[Cluster]| {
        clusters.iter().fold(Dyadic::new(), |sum, c| sum.add(&c.re.width(bits), bits, true))
    };
    x.len() > y.len() || (x.len() == y.len() && width(x) < width(y))
}

/// A matrix about as far from the midpoints as the balls are wide, in no particular direction.
fn near_by(a: &BallMatrix, bits: Bits) -> BallMatrix {
    let n = a.rows();
    let all = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let width = |(i, j)| {
        let x = a.get(i, j);
        x.upper(bits).sub(&x.lower(bits), bits, true).magnitude()
    };
    let size = all().filter_map(|(i, j)| a.get(i, j).midpoint().magnitude()).max().unwrap_or(0);
    let step = all().filter_map(width).max().unwrap_or(i64::MIN).max(size - i64::from(bits / 2));
    let mut near = BallMatrix::new(n, n);
    let mut state = 1u64;
    for (i, j) in all() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let direction = Dyadic::from((state >> 54) as i64 - 512).halved(9 - step);
        near.set(i, j, &Ball::from_dyadic(&a.get(i, j).midpoint().add(&direction, bits, true)));
    }
    near
}

/// Joins clusters until no two meet; `None` if one is missing.
fn merged(clusters: impl Iterator<Item = Option<Cluster>>) -> Option<Vec<Cluster>> {
    let mut disjoint: Vec<Cluster> = Vec::new();
    for cluster in clusters {
        let mut new = cluster?;
        // What joined may meet others that were disjoint from both.
        while let Some(i) = disjoint.iter().position(|old| old.meets(&new)) {
            let old = disjoint.swap_remove(i);
            new = Cluster {
                re: old.re.hull(&new.re),
                im: old.im.hull(&new.im),
                multiplicity: old.multiplicity + new.multiplicity,
            };
        }
        disjoint.push(new);
    }
    Some(disjoint)
}

/// Gershgorin's theorem: of the disks around the diagonal entries, with the sums of the other absolute
/// values in the row as radii, any `k` that are disjoint from all others contain `k` eigenvalues.
fn gershgorin(a: &ComplexMatrix, bits: Bits) -> Option<Vec<Cluster>> {
    const RADIUS_BITS: Bits = 64;
    let n = a.rows();
    merged((0..n).map(|i| {
        let others = (0..n).filter(|j| *j != i);
        let radius = others
            .fold(Dyadic::new(), |sum, j| sum.add(&a.get(i, j).abs_upper(RADIUS_BITS), RADIUS_BITS, true));
        Cluster::new(&a.get(i, i), &radius, bits)
    }))
}

// -------------------------------------------------------------------------------------- JSON

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "A")]
    a: Option<&'a RawValue>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
}

/// `{"kind":"matrix"}`.
pub(super) fn answer_matrix(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let request: Request = object(request).map_err(not_json)?;
    let names = MatrixOperation::ALL.map(MatrixOperation::name).join(", ");
    let operation = request
        .op
        .as_deref()
        .and_then(MatrixOperation::find)
        .ok_or_else(|| Error::new(Code::BadRequest, format!("op must be one of {names}")).at("op"))?;
    let raw = request
        .a
        .ok_or_else(|| Error::new(Code::BadRequest, "matrix needs A: a list of rows of numbers").at("A"))?;
    let a = read_rows(raw, "A", settings.exp_limit)?;
    let needs_b = operation == MatrixOperation::Solve;
    // A list of numbers is one column, and so is the answer.
    let mut vector = false;
    let b = match request.b {
        None if needs_b => {
            let message = "solve needs b: a list of numbers, or of rows of numbers";
            return Err(Error::new(Code::BadRequest, message).at("b"));
        }
        None => Vec::new(),
        Some(raw) => {
            vector = !raw.get()[1..].trim_start().starts_with('[');
            match vector {
                true => {
                    read_row(raw.get(), "b", None, settings.exp_limit)?.into_iter().map(|x| vec![x]).collect()
                }
                false => read_rows(raw, "b", settings.exp_limit)?,
            }
        }
    };
    let answer = MatrixQuery { operation, a, b, settings: *settings }.answer(budget)?;
    let mut out = format!(r#"{{"bits_used":{},{}"#, answer.bits_used, &head(settings)[1..]);
    // Writing to a String cannot fail.
    let _ = write!(out, r#","kind":"matrix","op":"{}","output":"#, operation.name());
    match &answer.value {
        MatrixValue::Number(x) => append_interval(&mut out, x),
        MatrixValue::Matrix(rows) if vector => append_list(&mut out, rows.iter().flatten(), append_interval),
        MatrixValue::Matrix(rows) => {
            append_list(&mut out, rows, |out, row| append_list(out, row, append_interval));
        }
        MatrixValue::Eigenvalues(roots) => append_roots(&mut out, roots),
    }
    let _ = write!(out, r#","status":"ok","tight":{},"tool":"arb_oracle"}}"#, answer.tight);
    Ok(out)
}

fn append_list<T>(out: &mut String, items: impl IntoIterator<Item = T>, append: impl Fn(&mut String, T)) {
    for (i, item) in items.into_iter().enumerate() {
        out.push(if i > 0 { ',' } else { '[' });
        append(out, item);
    }
    out.push(']');
}

/// `[[…],…]`.
fn read_rows(raw: &RawValue, field: &'static str, exp_limit: u32) -> Result<Vec<Vec<Interval>>> {
    let rows: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| not_a_list(field, "rows"))?;
    let read = |(i, row): (usize, &&RawValue)| read_row(row.get(), field, Some(i), exp_limit);
    rows.iter().enumerate().map(read).collect()
}

/// `[…]`, the row `row` if it is one of many.
fn read_row(raw: &str, field: &'static str, row: Option<usize>, exp_limit: u32) -> Result<Vec<Interval>> {
    let texts: Vec<NumberText> = serde_json::from_str(raw).map_err(|_| not_a_list(field, "numbers"))?;
    let read = |(i, text): (usize, &NumberText)| {
        Interval::parse(&text.0, exp_limit).map_err(|e| {
            let place = row.map_or(String::new(), |row| format!("[{row}]"));
            Error::new(e.code, format!("{field}{place}[{i}]: {}", e.message)).at(field)
        })
    };
    texts.iter().enumerate().map(read).collect()
}

fn not_a_list(field: &'static str, of: &str) -> Error {
    let shape = if field == "A" { "a list of rows of numbers" } else { "a list of numbers or of rows" };
    Error::new(Code::BadRequest, format!("{field} must be {shape}; what should be a list of {of} is not"))
        .at(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::Rational;

    fn query(operation: MatrixOperation, n: i64, entry: impl Fn(i64, i64) -> Rational) -> MatrixQuery {
        let row = |i| (1..=n).map(|j| Interval::point(entry(i, j))).collect();
        let settings = Settings { digits: 30, ..Settings::default() };
        let b = match operation {
            MatrixOperation::Solve => (1..=n).map(|k| vec![Interval::point(Rational::from(k))]).collect(),
            _ => Vec::new(),
        };
        MatrixQuery { operation, a: (1..=n).map(row).collect(), b, settings }
    }

    fn ends(value: &MatrixValue) -> Vec<(Rational, Rational)> {
        let pair = |x: &DecimalInterval| (x.lo.to_rational(), x.hi.to_rational());
        match value {
            MatrixValue::Number(x) => vec![pair(x)],
            MatrixValue::Matrix(rows) => rows.iter().flatten().map(pair).collect(),
            MatrixValue::Eigenvalues(_) => Vec::new(),
        }
    }

    /// Hilbert's matrices are so ill-conditioned that the precision has to rise; what ball arithmetic
    /// says then must contain what exact arithmetic says, and be narrow.
    #[test]
    fn ball_arithmetic_agrees_with_exact_arithmetic() {
        for n in [2, 5, 12, 40] {
            for op in [MatrixOperation::Solve, MatrixOperation::Inverse, MatrixOperation::Determinant] {
                let q = query(op, n, |i, j| Rational::from(i + j - 1).recip().unwrap());
                let (exact, ball) = (q.exact().unwrap(), q.rising(&Budget::unlimited()).unwrap());
                assert!(ball.bits_used >= 200 && (n < 40 || ball.bits_used > 200));
                for ((a, b), (c, d)) in ends(&exact.value).into_iter().zip(ends(&ball.value)) {
                    assert!(c <= b && a <= d, "{} of size {n}", op.name());
                    let most =
                        &(&a.abs() + &d.abs()) * &Rational::from_decimal(&crate::ball::Integer::from(1), -28);
                    assert!(&d - &c <= most, "{} of size {n}", op.name());
                }
            }
        }
    }

    #[test]
    fn clusters_join_until_none_meet() {
        let cluster = |re: (i64, i64), im: (i64, i64)| {
            let part = |(a, b)| FloatInterval::new(Dyadic::from(a), Dyadic::from(b)).unwrap();
            Some(Cluster { re: part(re), im: part(im), multiplicity: 1 })
        };
        // The first two join only by the hull of the last two.
        let all = [
            cluster((0, 1), (0, 1)),
            cluster((5, 6), (0, 1)),
            cluster((2, 3), (3, 4)),
            cluster((1, 4), (4, 5)),
            cluster((3, 5), (1, 3)),
            cluster((9, 9), (9, 9)),
        ];
        let mut found: Vec<u32> = merged(all.into_iter()).unwrap().iter().map(|c| c.multiplicity).collect();
        found.sort();
        assert_eq!(found, [1, 5]);
        assert!(merged([cluster((0, 1), (0, 1)), None].into_iter()).is_none());
    }
}
