//! Evaluation over a box, and the gradient by going backwards through the operations.

use std::rc::Rc;

use super::{Expr, Node, bad, constant_value, function};
use crate::ball::{Ball, Bits, FloatInterval, Interval};
use crate::error::{Code, Error, Result};

/// The enclosures of all operations over a box. An operation that fails is an error only if the
/// result depends on it.
pub struct Values {
    all: Vec<std::result::Result<FloatInterval, Rc<Error>>>,
}

impl Expr {
    /// The numbers of the expression at a working precision, ready for evaluation.
    fn number(&self, index: usize, bits: Bits) -> Result<FloatInterval> {
        let Interval { lo, hi } = &self.numbers[index];
        FloatInterval::enclosing(lo, hi, bits).ok_or_else(|| bad("a number is not finite".into()))
    }

    /// Encloses the values over a box with one interval per variable, to about `bits` bits: the natural
    /// interval extension, each operation with its true range.
    pub fn evaluate(&self, x: &[FloatInterval], bits: Bits) -> Values {
        let mut all: Vec<std::result::Result<FloatInterval, Rc<Error>>> =
            Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = self.operation(node, &all, x, bits);
            all.push(value);
        }
        // The root need not be the last operation.
        Values { all }
    }

    /// The value of the whole expression.
    pub fn value(&self, values: &Values) -> Result<FloatInterval> {
        values.all[self.root].clone().map_err(|e| (*e).clone())
    }

    fn operation(
        &self,
        node: &Node,
        all: &[std::result::Result<FloatInterval, Rc<Error>>],
        x: &[FloatInterval],
        bits: Bits,
    ) -> std::result::Result<FloatInterval, Rc<Error>> {
        let get = |i: usize| all[i].as_ref().map_err(Rc::clone);
        let finite = |value: Option<FloatInterval>| value.ok_or_else(|| Rc::new(overflow()));
        match node {
            Node::Var(i) => Ok(x[*i].clone()),
            Node::Number(i) => self.number(*i, bits).map_err(Rc::new),
            Node::Constant(name) => {
                finite(constant_value(name, bits).and_then(|c| FloatInterval::from_ball(&c, bits)))
            }
            Node::Apply(f, i) => function(*f).range_on(get(*i)?, bits).map_err(|e| Rc::new(on_a_part(e))),
            Node::Neg(i) => Ok(get(*i)?.neg()),
            Node::Add(operands) => {
                let mut sum = get(operands[0])?.clone();
                for i in &operands[1..] {
                    sum = finite(sum.add(get(*i)?, bits))?;
                }
                Ok(sum)
            }
            Node::Sub(i, j) => finite(get(*i)?.sub(get(*j)?, bits)),
            Node::Mul(operands) => {
                let mut product = get(operands[0])?.clone();
                for i in &operands[1..] {
                    product = finite(product.mul(get(*i)?, bits))?;
                }
                Ok(product)
            }
            Node::Div(i, j) => divided(get(*i)?, get(*j)?, bits).map_err(Rc::new),
            Node::Power(i, n) => power(get(*i)?, *n, bits).map_err(Rc::new),
            Node::RationalPower(i, q) => self.rational_power(get(*i)?, *q, bits).map_err(Rc::new),
            Node::Min(operands) => {
                let mut least = get(operands[0])?.clone();
                for i in &operands[1..] {
                    least = least.min(get(*i)?);
                }
                Ok(least)
            }
            Node::Max(operands) => {
                let mut greatest = get(operands[0])?.clone();
                for i in &operands[1..] {
                    greatest = greatest.max(get(*i)?);
                }
                Ok(greatest)
            }
            Node::If { or_equal, operands: [a, b, yes, no] } => match holds(get(*a)?, get(*b)?, *or_equal) {
                Some(true) => get(*yes).cloned(),
                Some(false) => get(*no).cloned(),
                None => Ok(get(*yes)?.hull(get(*no)?)),
            },
        }
    }

    /// `x^(p/q)`: on `x ≥ 0`, and for odd `q` on the other side by symmetry.
    fn rational_power(&self, x: &FloatInterval, q: usize, bits: Bits) -> Result<FloatInterval> {
        let exponent = &self.numbers[q].lo;
        let odd_root = !exponent.denominator().is_even();
        let even_power = exponent.numerator().is_even();
        if x.lo.sign() < 0 && !odd_root {
            return Err(outside("a power with a fractional exponent needs a base of at least 0"));
        }
        if exponent.sign() < 0 && x.contains_zero() {
            return Err(pole());
        }
        // At one end, rising or falling on each side of 0.
        let at = |x: &crate::ball::Dyadic, up: bool| -> Option<crate::ball::Dyadic> {
            if x.is_zero() {
                return Some(crate::ball::Dyadic::new());
            }
            let negative = x.sign() < 0;
            let base = Ball::from_dyadic(&if negative { -x } else { x.clone() });
            let value = base.pow_rational(exponent, bits);
            let value = if negative && !even_power { -&value } else { value };
            value.is_finite().then(|| if up { value.upper(bits) } else { value.lower(bits) })
        };
        let ends = || {
            let (a, b) = (
                FloatInterval::new(at(&x.lo, false)?, at(&x.lo, true)?)?,
                FloatInterval::new(at(&x.hi, false)?, at(&x.hi, true)?)?,
            );
            let hull = a.hull(&b);
            // An even power has its minimum 0 inside.
            Some(if even_power && x.contains_zero() { hull.hull(&FloatInterval::integer(0)) } else { hull })
        };
        ends().ok_or_else(overflow)
    }

    /// Encloses the partial derivatives over the box on which `values` were found; `None` where one is
    /// not enclosed (at a vertical tangent, or for a function without an enclosed derivative).
    pub fn gradient(&self, values: &Values, bits: Bits) -> Option<Vec<FloatInterval>> {
        let mut gradient = vec![FloatInterval::integer(0); self.vars.len()];
        let mut adjoints: Vec<Option<FloatInterval>> = vec![None; self.nodes.len()];
        adjoints[self.root] = Some(FloatInterval::integer(1));
        let value = |i: usize| values.all[i].as_ref().ok();
        for index in (0..=self.root).rev() {
            let Some(adjoint) = adjoints[index].take() else { continue };
            let mut give = |i: usize, part: FloatInterval| -> Option<()> {
                adjoints[i] = Some(match &adjoints[i] {
                    Some(sum) => sum.add(&part, bits)?,
                    None => part,
                });
                Some(())
            };
            match &self.nodes[index] {
                Node::Var(i) => gradient[*i] = gradient[*i].add(&adjoint, bits)?,
                Node::Number(_) | Node::Constant(_) => {}
                Node::Apply(f, i) => {
                    if !self.depends_on_variables(*i) {
                        continue;
                    }
                    let slope = (function(*f).derivative)(value(*i)?, value(index)?, bits)?;
                    give(*i, adjoint.mul(&slope, bits)?)?;
                }
                Node::Neg(i) => give(*i, adjoint.neg())?,
                Node::Add(operands) => {
                    for i in operands {
                        give(*i, adjoint.clone())?;
                    }
                }
                Node::Sub(i, j) => {
                    give(*i, adjoint.clone())?;
                    give(*j, adjoint.neg())?;
                }
                Node::Mul(operands) => {
                    for (k, i) in operands.iter().enumerate() {
                        let mut part = adjoint.clone();
                        for (_, j) in operands.iter().enumerate().filter(|(l, _)| *l != k) {
                            part = part.mul(value(*j)?, bits)?;
                        }
                        give(*i, part)?;
                    }
                }
                Node::Div(i, j) => {
                    // d(x/y) = dx/y - (x/y)·dy/y
                    let over = adjoint.div(value(*j)?, bits)?;
                    give(*j, over.mul(value(index)?, bits)?.neg())?;
                    give(*i, over)?;
                }
                Node::Power(i, n) => {
                    let slope =
                        power(value(*i)?, n - 1, bits).ok()?.mul(&FloatInterval::integer(*n), bits)?;
                    give(*i, adjoint.mul(&slope, bits)?)?;
                }
                Node::RationalPower(i, q) => {
                    // q·x^q/x
                    let exponent = self.number(*q, bits).ok()?;
                    let slope = value(index)?.div(value(*i)?, bits)?.mul(&exponent, bits)?;
                    give(*i, adjoint.mul(&slope, bits)?)?;
                }
                Node::Min(operands) | Node::Max(operands) => {
                    // An operand that is never the one chosen gives nothing; one that always is gives all.
                    let is_min = matches!(self.nodes[index], Node::Min(_));
                    let chosen = value(index)?;
                    let zero = FloatInterval::integer(0);
                    for (k, i) in operands.iter().enumerate() {
                        let x = value(*i)?;
                        let never = if is_min { x.lo > chosen.hi } else { x.hi < chosen.lo };
                        let mut others = operands.iter().enumerate().filter(|(l, _)| *l != k);
                        let always = others.all(|(_, j)| {
                            value(*j).is_some_and(|y| if is_min { x.hi < y.lo } else { x.lo > y.hi })
                        });
                        if !never {
                            give(*i, if always { adjoint.clone() } else { adjoint.hull(&zero) })?;
                        }
                    }
                }
                Node::If { or_equal, operands: [a, b, yes, no] } => {
                    match holds(value(*a)?, value(*b)?, *or_equal) {
                        Some(true) => give(*yes, adjoint)?,
                        Some(false) => give(*no, adjoint)?,
                        // The function may jump here: no slope bounds it.
                        None => return None,
                    }
                }
            }
        }
        Some(gradient)
    }

    fn depends_on_variables(&self, i: usize) -> bool {
        !matches!(self.nodes[i], Node::Number(_) | Node::Constant(_))
    }
}

/// Whether `x < y` (or `x ≤ y`) holds for all pairs, for none, or undecided.
fn holds(x: &FloatInterval, y: &FloatInterval, or_equal: bool) -> Option<bool> {
    let (always, never) = if or_equal { (x.hi <= y.lo, x.lo > y.hi) } else { (x.hi < y.lo, x.lo >= y.hi) };
    if always {
        Some(true)
    } else if never {
        Some(false)
    } else {
        None
    }
}

fn divided(x: &FloatInterval, y: &FloatInterval, bits: Bits) -> Result<FloatInterval> {
    if y.contains_zero() {
        return Err(pole());
    }
    x.div(y, bits).ok_or_else(overflow)
}

/// An integer power.
fn power(x: &FloatInterval, n: i64, bits: Bits) -> Result<FloatInterval> {
    let magnitude = x.pow(n.unsigned_abs(), bits).ok_or_else(overflow)?;
    if n >= 0 { Ok(magnitude) } else { divided(&FloatInterval::integer(1), &magnitude, bits) }
}

fn pole() -> Error {
    Error::new(
        Code::Pole,
        "a division by an interval that contains 0; narrow the box so that the divisor keeps its sign",
    )
    .at("expr")
}

/// What a function says of its argument, said of an expression.
fn on_a_part(e: Error) -> Error {
    Error { message: format!("on a part of the box, {}", e.message), ..e }.at("expr")
}

fn outside(what: &str) -> Error {
    Error::new(Code::Domain, what).at("expr")
}

fn overflow() -> Error {
    Error::new(Code::ExponentLimit, "a value is too large; narrow the box").at("expr")
}
