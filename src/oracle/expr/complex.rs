//! Evaluation off the real axis.

use super::evaluate::holds;
use super::{Expr, Node, constant_value, function};
use crate::ball::linear::ComplexBall;
use crate::ball::{Ball, Bits, FloatInterval};
use crate::oracle::analytic;

impl Expr {
    /// Encloses, on a rectangle, an analytic function that agrees with this expression in one variable
    /// at every real point of the rectangle at which the expression is defined; `None` where none is
    /// found: at poles, branch points and kinks.
    ///
    /// A number that is an interval stands for one unknown number in it; the result contains the values
    /// for each.
    pub fn continuation(&self, z: &ComplexBall, bits: Bits) -> Option<ComplexBall> {
        let mut all: Vec<Option<ComplexBall>> = Vec::with_capacity(self.root + 1);
        for node in &self.nodes[..=self.root] {
            let value = self.continued(node, &all, z, bits).filter(ComplexBall::is_finite);
            all.push(value);
        }
        all.pop()?
    }

    fn continued(
        &self,
        node: &Node,
        all: &[Option<ComplexBall>],
        z: &ComplexBall,
        bits: Bits,
    ) -> Option<ComplexBall> {
        let get = |i: usize| all[i].as_ref();
        // Compares where real parts decide; at real points they are the values.
        let holds = |x: &ComplexBall, y: &ComplexBall, or_equal| {
            let re = |z: &ComplexBall| FloatInterval::from_ball(&z.re(), bits);
            holds(&re(x)?, &re(y)?, or_equal)
        };
        let fold = |operands: &[usize], join: &dyn Fn(&ComplexBall, &ComplexBall) -> Option<ComplexBall>| {
            let mut result = get(operands[0])?.clone();
            for i in &operands[1..] {
                result = join(&result, get(*i)?)?;
            }
            Some(result)
        };
        match node {
            Node::Var(_) => Some(z.clone()),
            Node::Number(i) => {
                let number = &self.numbers[*i];
                Some(ComplexBall::from(&match number.is_point() {
                    true => Ball::from_rational(&number.lo, bits),
                    false => {
                        let FloatInterval { lo, hi } = self.number(*i, bits).ok()?;
                        Ball::from_interval(&lo, &hi, bits)
                    }
                }))
            }
            Node::Constant(name) => Some(ComplexBall::from(&constant_value(name, bits)?)),
            Node::Apply(f, i) => analytic::continuation(function(*f).name, get(*i)?, bits),
            Node::Neg(i) => get(*i).map(|x| -x),
            Node::Add(operands) => fold(operands, &|x, y| Some(x.add(y, bits))),
            Node::Sub(i, j) => Some(get(*i)?.sub(get(*j)?, bits)),
            Node::Mul(operands) => fold(operands, &|x, y| Some(x.mul(y, bits))),
            Node::Div(i, j) => Some(get(*i)?.mul(&self.reciprocal(*j, all, bits)?, bits)),
            Node::Power(i, n) if *n < 0 => Some(self.reciprocal(*i, all, bits)?.pow(-n, bits)),
            Node::Power(i, n) => Some(get(*i)?.pow(*n, bits)),
            Node::RationalPower(i, q) => analytic::rational_power(get(*i)?, &self.numbers[*q].lo, bits),
            Node::Min(operands) => {
                fold(operands, &|x, y| Some(if holds(x, y, true)? { x.clone() } else { y.clone() }))
            }
            Node::Max(operands) => {
                fold(operands, &|x, y| Some(if holds(x, y, true)? { y.clone() } else { x.clone() }))
            }
            Node::If { or_equal, operands: [a, b, yes, no] } => {
                get(if holds(get(*a)?, get(*b)?, *or_equal)? { *yes } else { *no }).cloned()
            }
        }
    }

    /// One over a node. Rectangles around the values of `cosh` and its like soon contain 0 although these
    /// values do not, so their reciprocals have formulas of their own.
    fn reciprocal(&self, i: usize, all: &[Option<ComplexBall>], bits: Bits) -> Option<ComplexBall> {
        match &self.nodes[i] {
            Node::Apply(f, x) => {
                let x = all[*x].as_ref()?;
                match function(*f).name {
                    "exp" => return Some((-x).exp(bits)),
                    "cosh" => return Some(x.sech(bits)),
                    "sinh" => return Some(x.csch(bits)),
                    "cos" => return Some(x.sec(bits)),
                    "sin" => return Some(x.csc(bits)),
                    _ => {}
                }
            }
            Node::Power(x, n) if *n > 0 => return Some(self.reciprocal(*x, all, bits)?.pow(*n, bits)),
            _ => {}
        }
        Some(all[i].as_ref()?.inv(bits)).filter(ComplexBall::is_finite)
    }
}
