//! Polynomials over a box in Bernstein form, exactly.
//!
//! For `x` in `[a, b]` write `u = (x - a)/(b - a)` and `v = 1 - u`: both are at least 0 and their sum is 1.
//! A polynomial of degree `d` is kept as the coefficients `c` of `Σ c[k]·u^k·v^(d-k)`, one degree for each
//! variable: a number is `[c]`, the variable is `[a, b]`, products are convolutions, and a degree is raised
//! by multiplying with `u + v`. The coefficients are the Bernstein coefficients times binomials; so where
//! all have one sign the polynomial has it, and those at the corners are its values there. (Farouki, The
//! Bernstein polynomial basis: a centennial retrospective, Computer Aided Geometric Design 29, 2012.)

use crate::ball::{Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::budget::Budget;
use crate::oracle::expr::Algebra;

/// A polynomial in the variables of a box.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// The degree in each variable.
    degrees: Vec<usize>,
    /// The coefficients; those of the last variable are next to each other.
    coefficients: Vec<Rational>,
}

/// The most coefficients that a form may have.
const MOST_COEFFICIENTS: usize = 200_000;

/// The coefficients may have so many bits while they are multiplied.
const MOST_BITS: u64 = 1 << 15;

impl Form {
    fn size(degrees: &[usize]) -> usize {
        degrees.iter().fold(1usize, |size, d| size.saturating_mul(d + 1))
    }

    /// Splits the coefficients at a variable: how many blocks, how many along it, how many within.
    fn strides(&self, axis: usize) -> (usize, usize, usize) {
        let along = self.degrees[axis] + 1;
        let within = Self::size(&self.degrees[axis + 1..]);
        (self.coefficients.len() / (along * within), along, within)
    }

    /// The same polynomial, with this degree more in a variable.
    fn raised(&self, axis: usize, by: usize) -> Form {
        let mut form = self.clone();
        for _ in 0..by {
            let (blocks, along, within) = form.strides(axis);
            let old = &form.coefficients;
            let mut new = Vec::with_capacity(blocks * (along + 1) * within);
            for block in 0..blocks {
                for k in 0..=along {
                    for i in 0..within {
                        let at = |k: usize| &old[(block * along + k) * within + i];
                        new.push(match k {
                            0 => at(0).clone(),
                            k if k == along => at(k - 1).clone(),
                            k => at(k) + at(k - 1),
                        });
                    }
                }
            }
            form.coefficients = new;
            form.degrees[axis] += 1;
        }
        form
    }

    /// 1 or -1 when every coefficient has that sign, or is 0 unless `strict`.
    pub(super) fn sign(&self, strict: bool) -> Option<i32> {
        let all = |sign: i32| self.coefficients.iter().all(|c| c.sign() == sign || (!strict && c.is_zero()));
        [1, -1].into_iter().find(|sign| all(*sign))
    }

    /// The values at the corners, with the corners: for each variable whether it is at its upper end.
    pub(super) fn corners(&self) -> impl Iterator<Item = (Vec<bool>, &Rational)> {
        let n = self.degrees.len();
        (0..1usize << n).map(move |corner| {
            let upper: Vec<bool> = (0..n).map(|i| corner >> i & 1 == 1).collect();
            let index = self
                .degrees
                .iter()
                .zip(&upper)
                .fold(0, |index, (d, upper)| index * (d + 1) + if *upper { *d } else { 0 });
            (upper, &self.coefficients[index])
        })
    }

    /// The largest change between neighbouring coefficients along a variable.
    pub(super) fn variation(&self, axis: usize) -> Rational {
        let (blocks, along, within) = self.strides(axis);
        let mut largest = Rational::new();
        for block in 0..blocks {
            for k in 1..along {
                for i in 0..within {
                    let at = |k: usize| &self.coefficients[(block * along + k) * within + i];
                    largest = largest.max((at(k) - at(k - 1)).abs());
                }
            }
        }
        largest
    }
}

/// A fraction of polynomials, and the divisors that must not vanish for it to be one.
#[derive(Clone, Debug)]
pub(super) struct Fraction {
    pub(super) numerator: Form,
    pub(super) denominator: Form,
    pub(super) divisors: Vec<Form>,
}

/// `x - bound`.
pub(super) fn minus(a: &Polynomials, x: &Fraction, bound: &Rational) -> Result<Fraction> {
    a.add(x, &a.neg(&a.number(bound)))
}

/// The polynomials over one box, with a budget for their sizes.
pub(super) struct Polynomials<'a> {
    pub(super) place: &'a [Interval],
    pub(super) budget: &'a Budget,
}

impl Polynomials<'_> {
    fn constant(&self, q: &Rational) -> Form {
        Form { degrees: vec![0; self.place.len()], coefficients: vec![q.clone()] }
    }

    fn check(&self, degrees: &[usize], work: usize) -> Result<()> {
        if Form::size(degrees) > MOST_COEFFICIENTS {
            let message = format!("the polynomial has more than {MOST_COEFFICIENTS} coefficients");
            return Err(Error::new(Code::Budget, message).at("expr"));
        }
        self.budget.spend(work as u64)
    }

    fn sum(&self, x: &Form, y: &Form) -> Result<Form> {
        let degrees: Vec<usize> = x.degrees.iter().zip(&y.degrees).map(|(d, e)| *d.max(e)).collect();
        self.check(&degrees, Form::size(&degrees))?;
        let raised = |form: &Form| {
            (0..degrees.len()).fold(form.clone(), |form, axis| {
                let by = degrees[axis] - form.degrees[axis];
                if by == 0 { form } else { form.raised(axis, by) }
            })
        };
        let (x, y) = (raised(x), raised(y));
        let coefficients = x.coefficients.iter().zip(&y.coefficients).map(|(x, y)| x + y).collect();
        Ok(Form { degrees, coefficients })
    }

    fn product(&self, x: &Form, y: &Form) -> Result<Form> {
        let degrees: Vec<usize> = x.degrees.iter().zip(&y.degrees).map(|(d, e)| d + e).collect();
        self.check(&degrees, x.coefficients.len().saturating_mul(y.coefficients.len()))?;
        if x.coefficients.iter().chain(&y.coefficients).any(|c| c.bits() > MOST_BITS) {
            return Err(Error::new(Code::Budget, "the coefficients are too long").at("expr"));
        }
        let mut coefficients = vec![Rational::new(); Form::size(&degrees)];
        // Where the coefficients of a factor go in the product.
        let places = |form: &Form| -> Vec<usize> {
            let mut places = vec![0];
            for (d, e) in form.degrees.iter().zip(&degrees) {
                places = places.iter().flat_map(|p| (0..=*d).map(move |k| p * (e + 1) + k)).collect();
            }
            places
        };
        let (px, py) = (places(x), places(y));
        for (i, p) in x.coefficients.iter().zip(&px) {
            for (j, q) in y.coefficients.iter().zip(&py) {
                coefficients[p + q] = &coefficients[p + q] + &(i * j);
            }
        }
        Ok(Form { degrees, coefficients })
    }
}

impl Algebra for Polynomials<'_> {
    type Value = Fraction;

    fn number(&self, q: &Rational) -> Fraction {
        Fraction {
            numerator: self.constant(q),
            denominator: self.constant(&Rational::from(1)),
            divisors: vec![],
        }
    }

    fn variable(&self, i: usize) -> Fraction {
        let Interval { lo, hi } = &self.place[i];
        let mut x = self.number(lo);
        if lo != hi {
            x.numerator.degrees[i] = 1;
            x.numerator.coefficients.push(hi.clone());
        }
        x
    }

    fn neg(&self, x: &Fraction) -> Fraction {
        let mut y = x.clone();
        y.numerator.coefficients = x.numerator.coefficients.iter().map(|c| -c).collect();
        y
    }

    fn add(&self, x: &Fraction, y: &Fraction) -> Result<Fraction> {
        let left = self.product(&x.numerator, &y.denominator)?;
        let right = self.product(&y.numerator, &x.denominator)?;
        Ok(Fraction {
            numerator: self.sum(&left, &right)?,
            denominator: self.product(&x.denominator, &y.denominator)?,
            divisors: x.divisors.iter().chain(&y.divisors).cloned().collect(),
        })
    }

    fn mul(&self, x: &Fraction, y: &Fraction) -> Result<Fraction> {
        Ok(Fraction {
            numerator: self.product(&x.numerator, &y.numerator)?,
            denominator: self.product(&x.denominator, &y.denominator)?,
            divisors: x.divisors.iter().chain(&y.divisors).cloned().collect(),
        })
    }

    fn inv(&self, x: &Fraction) -> Result<Fraction> {
        let mut divisors = x.divisors.clone();
        divisors.push(x.numerator.clone());
        Ok(Fraction { numerator: x.denominator.clone(), denominator: x.numerator.clone(), divisors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Expr;

    /// `p` at a point of the box, from its coefficients.
    fn value(p: &Form, place: &[Interval], x: &[Rational]) -> Rational {
        let mut coefficients = p.coefficients.clone();
        for axis in (0..place.len()).rev() {
            let Interval { lo, hi } = &place[axis];
            let width = (hi - lo).recip().unwrap_or_default();
            let u = &(&x[axis] - lo) * &width;
            let v = &Rational::from(1) - &u;
            let d = p.degrees[axis];
            let power = |b: &Rational, n: usize| (0..n).fold(Rational::from(1), |p, _| &p * b);
            coefficients = coefficients
                .chunks(d + 1)
                .map(|c| {
                    let terms = c.iter().enumerate().map(|(k, c)| &(c * &power(&u, k)) * &power(&v, d - k));
                    terms.fold(Rational::new(), |sum, term| &sum + &term)
                })
                .collect();
        }
        coefficients[0].clone()
    }

    #[test]
    fn the_form_has_the_values_of_the_expression() {
        let text = "(x^3 - 2*x*y + 1/3)*(y^2 - x) + (x + y)^4/(2 + x^2) - y/(3 - y)";
        let vars = Some(vec!["x".to_string(), "y".to_string()]);
        let e = Expr::from_text(text, vars, 1000).unwrap();
        let q = |n: i64, d: i64| Rational::from_parts(&n.into(), &d.into()).unwrap();
        let place = [Interval::new(q(-1, 2), q(2, 3)).unwrap(), Interval::new(q(1, 5), q(7, 4)).unwrap()];
        let budget = Budget::unlimited();
        let f = e.in_algebra(&Polynomials { place: &place, budget: &budget }).unwrap();
        assert_eq!(f.divisors.len(), 2);
        for x in [q(-1, 2), q(0, 1), q(1, 7), q(2, 3)] {
            for y in [q(1, 5), q(1, 1), q(7, 4)] {
                let at = [x.clone(), y.clone()];
                let fraction =
                    &value(&f.numerator, &place, &at) * &value(&f.denominator, &place, &at).recip().unwrap();
                assert_eq!(Some(fraction), e.exact(&at), "at {x}, {y}");
            }
        }
        for (upper, corner) in f.numerator.corners() {
            let at: Vec<Rational> =
                upper.iter().zip(&place).map(|(u, i)| if *u { i.hi.clone() } else { i.lo.clone() }).collect();
            assert_eq!(*corner, value(&f.numerator, &place, &at));
        }
    }
}
