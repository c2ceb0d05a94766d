//! Expressions made of rational operations alone, evaluated in any algebra.

use std::rc::Rc;

use super::{Expr, Node, bad, function};
use crate::ball::Rational;
use crate::error::{Code, Error, Result};

/// Where rational expressions have values.
pub(in crate::oracle) trait Algebra {
    /// A value.
    type Value: Clone;
    /// A number.
    fn number(&self, q: &Rational) -> Self::Value;
    /// The variable with this index.
    fn variable(&self, i: usize) -> Self::Value;
    /// The negative.
    fn neg(&self, x: &Self::Value) -> Self::Value;
    /// The sum.
    fn add(&self, x: &Self::Value, y: &Self::Value) -> Result<Self::Value>;
    /// The product.
    fn mul(&self, x: &Self::Value, y: &Self::Value) -> Result<Self::Value>;
    /// The reciprocal.
    fn inv(&self, x: &Self::Value) -> Result<Self::Value>;
    /// The power.
    fn power(&self, x: &Self::Value, n: u64) -> Result<Self::Value> {
        let (mut result, mut square, mut left) = (self.number(&Rational::from(1)), x.clone(), n);
        while left > 0 {
            if left % 2 == 1 {
                result = self.mul(&result, &square)?;
            }
            left /= 2;
            if left > 0 {
                square = self.mul(&square, &square)?;
            }
        }
        Ok(result)
    }
}

/// Exact values with their exact slopes along one variable.
struct Slopes<'a> {
    point: &'a [Rational],
    along: usize,
}

impl Algebra for Slopes<'_> {
    type Value = (Rational, Rational);

    fn number(&self, q: &Rational) -> Self::Value {
        (q.clone(), Rational::new())
    }

    fn variable(&self, i: usize) -> Self::Value {
        (self.point[i].clone(), Rational::from(i64::from(i == self.along)))
    }

    fn neg(&self, x: &Self::Value) -> Self::Value {
        (-&x.0, -&x.1)
    }

    fn add(&self, x: &Self::Value, y: &Self::Value) -> Result<Self::Value> {
        Ok((&x.0 + &y.0, &x.1 + &y.1))
    }

    fn mul(&self, x: &Self::Value, y: &Self::Value) -> Result<Self::Value> {
        Ok((&x.0 * &y.0, &(&x.1 * &y.0) + &(&x.0 * &y.1)))
    }

    fn inv(&self, x: &Self::Value) -> Result<Self::Value> {
        let inverse = x.0.recip().ok_or_else(|| Error::new(Code::Pole, "a division by 0").at("expr"))?;
        let slope = -&(&(&inverse * &inverse) * &x.1);
        Ok((inverse, slope))
    }
}

impl Expr {
    /// The exact partial derivative at a point at which the exact value is known ([`Expr::exact`], which
    /// bounds the sizes); `None` when other than rational operations are met.
    pub(in crate::oracle) fn exact_slope(&self, point: &[Rational], along: usize) -> Option<Rational> {
        self.in_algebra(&Slopes { point, along }).ok().map(|(_, slope)| slope)
    }

    /// The value in an algebra. Errors with [`Code::BadRequest`] where an operation is not rational.
    pub(in crate::oracle) fn in_algebra<A: Algebra>(&self, a: &A) -> Result<A::Value> {
        let mut all: Vec<std::result::Result<A::Value, Rc<Error>>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = self.rational_operation(a, node, |i| all[i].clone());
            all.push(value);
        }
        all.swap_remove(self.root).map_err(|e| (*e).clone())
    }

    fn rational_operation<A: Algebra>(
        &self,
        a: &A,
        node: &Node,
        get: impl Fn(usize) -> std::result::Result<A::Value, Rc<Error>>,
    ) -> std::result::Result<A::Value, Rc<Error>> {
        let foreign = |what: &str| {
            let message = format!("{what} is not rational; certificates are for + - * / and integer powers");
            Rc::new(Error::new(Code::BadRequest, message).at("expr"))
        };
        Ok(match node {
            Node::Var(i) => a.variable(*i),
            Node::Number(i) if self.numbers[*i].is_point() => a.number(&self.numbers[*i].lo),
            Node::Number(_) => return Err(Rc::new(bad("a number is a ball; give exact numbers".into()))),
            Node::Neg(i) => a.neg(&get(*i)?),
            Node::Add(operands) => fold(operands, get, |x, y| a.add(x, y))?,
            Node::Sub(i, j) => a.add(&get(*i)?, &a.neg(&get(*j)?))?,
            Node::Mul(operands) => fold(operands, get, |x, y| a.mul(x, y))?,
            Node::Div(i, j) => a.mul(&get(*i)?, &a.inv(&get(*j)?)?)?,
            Node::Power(i, n) => {
                let result = a.power(&get(*i)?, n.unsigned_abs())?;
                if *n < 0 { a.inv(&result)? } else { result }
            }
            Node::Apply(f, i) => match function(*f).name {
                "sqr" => a.power(&get(*i)?, 2)?,
                "inv" => a.inv(&get(*i)?)?,
                "neg" => a.neg(&get(*i)?),
                name => return Err(foreign(name)),
            },
            Node::Constant(name) => return Err(foreign(name)),
            Node::RationalPower(..) => return Err(foreign("a power with a fractional exponent")),
            Node::Min(_) | Node::Max(_) | Node::If { .. } => return Err(foreign("min, max or if")),
        })
    }
}

/// Joins the values of several operands.
fn fold<V>(
    operands: &[usize],
    get: impl Fn(usize) -> std::result::Result<V, Rc<Error>>,
    join: impl Fn(&V, &V) -> Result<V>,
) -> std::result::Result<V, Rc<Error>> {
    let mut result = get(operands[0])?;
    for i in &operands[1..] {
        result = join(&result, &get(*i)?)?;
    }
    Ok(result)
}
