//! Where an expression is convex: proved by its Hessian, and used to bound it from below.
//!
//! If every symmetric matrix in an interval matrix has a Cholesky factorisation that interval arithmetic
//! carries through, all are positive definite (Alefeld and Mayer, The Cholesky method for interval data,
//! Linear Algebra and its Applications 194, 1993). A convex function lies above its tangent planes.

use super::arithmetic::{Arithmetic, Jet};
use super::budget::Budget;
use super::expr::Evaluator;
use crate::ball::{Bits, FloatInterval};
use crate::error::Result;

/// Encloses the second derivatives over a box with respect to the variables `free`: the rows in their
/// order. `None` where they are not enclosed; errors are those of the budget.
pub(super) fn hessian(
    e: &Evaluator,
    x: &[FloatInterval],
    free: &[usize],
    budget: &Budget,
) -> Result<Option<Vec<Vec<FloatInterval>>>> {
    let mut columns = Vec::with_capacity(free.len());
    for along in free {
        let jets: Vec<Jet> = x
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let slope = FloatInterval::integer(i64::from(i == *along));
                Jet { value: x.clone(), slope: Some(slope) }
            })
            .collect();
        let Some(gradient) = e.gradient(&e.values(&jets, budget)?) else { return Ok(None) };
        let column: Option<Vec<FloatInterval>> = free.iter().map(|i| gradient[*i].slope.clone()).collect();
        let Some(column) = column else { return Ok(None) };
        columns.push(column);
    }
    Ok(Some(columns))
}

/// A factorisation `L·D·Lᵀ` of every symmetric matrix in an interval matrix; `L` has ones on its diagonal.
pub(super) struct Factors {
    lower: Vec<Vec<FloatInterval>>,
    diagonal: Vec<FloatInterval>,
    bits: Bits,
}

impl Factors {
    /// `None` unless all pivots are proved positive; else every symmetric matrix in `a` is positive
    /// definite.
    pub(super) fn of(a: &[Vec<FloatInterval>], bits: Bits) -> Option<Factors> {
        let n = a.len();
        let mut f = Factors { lower: vec![Vec::new(); n], diagonal: Vec::with_capacity(n), bits };
        for (i, row) in a.iter().enumerate() {
            for (j, entry) in row.iter().take(i + 1).enumerate() {
                let mut sum = entry.clone();
                for k in 0..j {
                    let scaled = if i == j {
                        f.lower[i][k].power(2, bits)?.mul(&f.diagonal[k], bits)?
                    } else {
                        f.lower[i][k].mul(&f.diagonal[k], bits)?.mul(&f.lower[j][k], bits)?
                    };
                    sum = sum.sub(&scaled, bits)?;
                }
                if i == j {
                    if sum.sign() <= 0 {
                        return None;
                    }
                    f.diagonal.push(sum);
                } else {
                    f.lower[i].push(sum.div(&f.diagonal[j], bits)?);
                }
            }
        }
        Some(f)
    }

    /// Encloses `A⁻¹·b` for every `A` factorised and every `b` of the right side.
    pub(super) fn solve(&self, b: &[FloatInterval]) -> Option<Vec<FloatInterval>> {
        let (n, bits) = (b.len(), self.bits);
        let mut x = b.to_vec();
        for i in 0..n {
            for k in 0..i {
                x[i] = x[i].sub(&self.lower[i][k].mul(&x[k], bits)?, bits)?;
            }
        }
        for (x, d) in x.iter_mut().zip(&self.diagonal) {
            *x = x.div(d, bits)?;
        }
        for i in (0..n).rev() {
            for k in i + 1..n {
                x[i] = x[i].sub(&self.lower[k][i].mul(&x[k], bits)?, bits)?;
            }
        }
        Some(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ball::Dyadic;

    fn interval(lo: i64, hi: i64) -> FloatInterval {
        FloatInterval::new(Dyadic::from(lo), Dyadic::from(hi)).unwrap()
    }

    #[test]
    fn definite_matrices_are_told_from_others_and_solved() {
        let matrix =
            |a: [[(i64, i64); 2]; 2]| a.map(|row| row.map(|(lo, hi)| interval(lo, hi)).to_vec()).to_vec();
        // Eigenvalues of [[2, 1], [1, 2]]: 1 and 3; of [[1, 2], [2, 1]]: -1 and 3.
        let definite = Factors::of(&matrix([[(2, 2), (1, 1)], [(1, 1), (2, 2)]]), 64).unwrap();
        assert!(Factors::of(&matrix([[(1, 1), (2, 2)], [(2, 2), (1, 1)]]), 64).is_none());
        // Contains [[1, 1], [1, 1]], which is singular.
        assert!(Factors::of(&matrix([[(1, 2), (0, 1)], [(0, 1), (1, 2)]]), 64).is_none());
        let x = definite.solve(&[interval(4, 4), interval(5, 5)]).unwrap();
        assert!(x[0].contains(&interval(1, 1)) && x[1].contains(&interval(2, 2)), "{x:?}");
        assert!(x[0].width(64).to_f64() < 1e-15);
    }
}
