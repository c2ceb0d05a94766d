//! Evaluation over a box, and the gradient by going backwards through the operations.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Expr, Node, bad, constant_value, exact_value, function};
use crate::ball::{Ball, Bits, Dyadic, FloatInterval, Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::arithmetic::Arithmetic;
use crate::oracle::budget::Budget;

/// The budget is looked at after so many operations.
const STRIDE: usize = 256;

/// Exact values are not followed beyond numbers of this many bits.
const EXACT_BITS: u64 = 1 << 14;

/// The value of one operation. An error that many depend on is kept once.
type Outcome<N> = std::result::Result<N, Rc<Error>>;

/// An expression made ready for evaluation with one precision: what does not depend on the variables is
/// enclosed once.
pub(in crate::oracle) struct Evaluator<'a> {
    expr: &'a Expr,
    bits: Bits,
    /// The operations without variables.
    fixed: Vec<Option<Outcome<FloatInterval>>>,
}

/// The enclosures of all operations over a box. An operation that fails is an error only if the
/// result depends on it.
pub(in crate::oracle) struct Values<N> {
    all: Vec<Outcome<N>>,
}

impl Expr {
    /// Makes this ready for evaluation to about `bits` bits. Errors are those of the budget, which every
    /// evaluation draws on: a node for each operation.
    pub(in crate::oracle) fn evaluator(&self, bits: Bits, budget: &Budget) -> Result<Evaluator<'_>> {
        let mut e = Evaluator { expr: self, bits, fixed: Vec::with_capacity(self.nodes.len()) };
        for (index, node) in self.nodes.iter().enumerate() {
            e.spend(index, budget)?;
            let fixed = !matches!(node, Node::Var(_)) && node.all_operands(|i| e.fixed[i].is_some());
            let value = |i: usize| match &e.fixed[i] {
                Some(value) => value.as_ref().map_err(Rc::clone),
                None => Err(Rc::new(bad("a part without variables has one".into()))),
            };
            let value = fixed.then(|| e.operation(node, value, &[]));
            e.fixed.push(value);
        }
        Ok(e)
    }

    /// The exact value at a point, when only rational operations and known exact values are met, of
    /// moderate size.
    pub(in crate::oracle) fn exact(&self, x: &[Rational]) -> Option<Rational> {
        const MOST_NODES: usize = 10_000;
        if self.nodes.len() > MOST_NODES {
            return None;
        }
        let mut all: Vec<Option<Rational>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = self.exact_operation(node, |i| all[i].as_ref(), x);
            let short = |q: &Rational| q.bits() <= EXACT_BITS;
            all.push(value.filter(short));
        }
        all.swap_remove(self.root)
    }

    fn exact_operation<'v>(
        &self,
        node: &Node,
        get: impl Fn(usize) -> Option<&'v Rational>,
        x: &[Rational],
    ) -> Option<Rational> {
        let fold = |operands: &[usize], join: fn(&Rational, &Rational) -> Rational| {
            let mut result = get(operands[0])?.clone();
            for i in &operands[1..] {
                result = join(&result, get(*i)?);
            }
            Some(result)
        };
        match node {
            Node::Var(i) => x.get(*i).cloned(),
            Node::Number(i) => self.numbers[*i].is_point().then(|| self.numbers[*i].lo.clone()),
            Node::Apply(f, i) => exact_value(function(*f), get(*i)?),
            Node::Neg(i) => get(*i).map(|x| -x),
            Node::Add(operands) => fold(operands, |x, y| x + y),
            Node::Mul(operands) => fold(operands, |x, y| x * y),
            Node::Min(operands) => fold(operands, |x, y| x.min(y).clone()),
            Node::Max(operands) => fold(operands, |x, y| x.max(y).clone()),
            Node::Sub(i, j) => Some(get(*i)? - get(*j)?),
            Node::Div(i, j) => Some(get(*i)? * &get(*j)?.recip()?),
            Node::Power(i, n) => {
                let x = get(*i)?;
                let small = x.bits().checked_mul(n.unsigned_abs()).is_some_and(|size| size <= EXACT_BITS);
                let base = if *n < 0 { x.recip()? } else { x.clone() };
                small.then(|| (0..n.unsigned_abs()).fold(Rational::from(1), |power, _| &power * &base))
            }
            Node::If { or_equal, operands: [a, b, yes, no] } => {
                let (a, b) = (get(*a)?, get(*b)?);
                get(if a < b || (*or_equal && a == b) { *yes } else { *no }).cloned()
            }
            Node::Constant(_) | Node::RationalPower(..) => None,
        }
    }
}

impl Evaluator<'_> {
    /// The working precision.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// Pays for the next [`STRIDE`] operations, at each first one of them.
    fn spend(&self, index: usize, budget: &Budget) -> Result<()> {
        match index % STRIDE {
            0 => budget.spend((self.expr.nodes.len() - index).min(STRIDE) as u64),
            _ => Ok(()),
        }
    }

    /// Encloses all operations over a box with one interval per variable: the natural interval extension,
    /// each operation with its true range. Errors are those of the budget.
    pub(in crate::oracle) fn values<N: Arithmetic>(&self, x: &[N], budget: &Budget) -> Result<Values<N>> {
        let mut all: Vec<Outcome<N>> = Vec::with_capacity(self.expr.nodes.len());
        for (index, node) in self.expr.nodes.iter().enumerate() {
            self.spend(index, budget)?;
            let value = match &self.fixed[index] {
                Some(value) => value.clone().map(N::constant),
                None => self.operation(node, |i| all[i].as_ref().map_err(Rc::clone), x),
            };
            all.push(value);
        }
        Ok(Values { all })
    }

    /// The value of the whole expression.
    pub(in crate::oracle) fn result<N: Arithmetic>(&self, values: &Values<N>) -> Result<N> {
        // The root need not be the last operation.
        values.all[self.expr.root].clone().map_err(|e| (*e).clone())
    }

    /// The range over a box. Errors are those of the expression, and of the budget.
    pub fn range(&self, x: &[FloatInterval], budget: &Budget) -> Result<FloatInterval> {
        self.result(&self.values(x, budget)?)
    }

    fn operation<'v, N: Arithmetic + 'v>(
        &self,
        node: &Node,
        get: impl Fn(usize) -> Outcome<&'v N>,
        x: &[N],
    ) -> Outcome<N> {
        let bits = self.bits;
        let finite = |value: Option<N>| value.ok_or_else(|| Rc::new(overflow()));
        let fold = |operands: &[usize], join: &dyn Fn(&N, &N) -> Option<N>| {
            let mut result = get(operands[0])?.clone();
            for i in &operands[1..] {
                result = finite(join(&result, get(*i)?))?;
            }
            Ok(result)
        };
        match node {
            Node::Var(i) => Ok(x[*i].clone()),
            Node::Number(i) => self.expr.number(*i, bits).map(N::constant).map_err(Rc::new),
            Node::Constant(name) => {
                let value = constant_value(name, bits).and_then(|c| FloatInterval::from_ball(&c, bits));
                finite(value.map(N::constant))
            }
            Node::Apply(f, i) => {
                let (f, x) = (function(*f), get(*i)?);
                let range = f.range_on(x.value(), bits).map_err(|e| Rc::new(on_a_part(e)))?;
                Ok(N::chain(x, range, |y| (f.derivative.interval)(x.value(), y, bits), bits))
            }
            Node::Neg(i) => Ok(get(*i)?.neg()),
            Node::Add(operands) => fold(operands, &|x, y| x.add(y, bits)),
            Node::Sub(i, j) => finite(get(*i)?.sub(get(*j)?, bits)),
            Node::Mul(operands) => fold(operands, &|x, y| x.mul(y, bits)),
            Node::Div(i, j) => {
                let (x, y) = (get(*i)?, get(*j)?);
                if y.value().contains_zero() {
                    return Err(Rc::new(pole()));
                }
                finite(x.div(y, bits))
            }
            Node::Power(i, n) => {
                let x = get(*i)?;
                if *n < 0 && x.value().contains_zero() {
                    return Err(Rc::new(pole()));
                }
                finite(x.power(*n, bits))
            }
            Node::RationalPower(i, q) => {
                let x = get(*i)?;
                let value = self.rational_power(x.value(), *q).map_err(Rc::new)?;
                Ok(N::chain(x, value, |y| self.rational_slope(x.value(), y, *q), bits))
            }
            Node::Min(operands) => fold(operands, &|x, y| Some(x.min(y))),
            Node::Max(operands) => fold(operands, &|x, y| Some(x.max(y))),
            Node::If { or_equal, operands: [a, b, yes, no] } => {
                let holds = match a == b {
                    // Equal parts are the same operation.
                    true => get(*a).map(|_| Some(*or_equal))?,
                    false => holds(get(*a)?.value(), get(*b)?.value(), *or_equal),
                };
                match holds {
                    Some(true) => get(*yes).cloned(),
                    Some(false) => get(*no).cloned(),
                    None => Ok(N::undecided(get(*yes)?.value().hull(get(*no)?.value()))),
                }
            }
        }
    }

    /// `x^(p/q)`: on `x ≥ 0`, and for odd `q` on the other side by symmetry.
    fn rational_power(&self, x: &FloatInterval, q: usize) -> Result<FloatInterval> {
        let (exponent, bits) = (&self.expr.numbers[q].lo, self.bits);
        let odd_root = !exponent.denominator().is_even();
        let even_power = exponent.numerator().is_even();
        if x.lo.sign() < 0 && !odd_root {
            return Err(outside("a power with a fractional exponent needs a base of at least 0"));
        }
        if exponent.sign() < 0 && x.contains_zero() {
            return Err(pole());
        }
        // At one end, rising or falling on each side of 0.
        let at = |x: &Dyadic, up: bool| -> Option<Dyadic> {
            if x.is_zero() {
                return Some(Dyadic::new());
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

    /// The slopes `q·x^q/x` of a rational power.
    fn rational_slope(&self, x: &FloatInterval, y: &FloatInterval, q: usize) -> Option<FloatInterval> {
        y.div(x, self.bits)?.mul(&self.expr.number(q, self.bits).ok()?, self.bits)
    }

    /// Encloses the partial derivatives over the box on which `values` were found; `None` where one is
    /// not enclosed (at a vertical tangent, or for a function without an enclosed derivative).
    pub(in crate::oracle) fn gradient<N: Arithmetic>(&self, values: &Values<N>) -> Option<Vec<N>> {
        let Evaluator { expr, bits, fixed, .. } = self;
        let bits = *bits;
        let mut gradient = vec![N::integer(0); expr.vars.len()];
        let mut adjoints: Vec<Option<N>> = vec![None; expr.root + 1];
        adjoints[expr.root] = Some(N::integer(1));
        let value = |i: usize| values.all[i].as_ref().ok();
        for index in (0..=expr.root).rev() {
            let Some(adjoint) = adjoints[index].take() else { continue };
            if fixed[index].is_some() {
                continue;
            }
            let mut give = |i: usize, part: N| -> Option<()> {
                adjoints[i] = Some(match &adjoints[i] {
                    Some(sum) => sum.add(&part, bits)?,
                    None => part,
                });
                Some(())
            };
            match &expr.nodes[index] {
                Node::Var(i) => gradient[*i] = gradient[*i].add(&adjoint, bits)?,
                Node::Number(_) | Node::Constant(_) => {}
                Node::Apply(f, i) => {
                    let slope = N::derivative(function(*f), value(*i)?, value(index)?, bits)?;
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
                    // Each gets the product of those before it and those behind it.
                    let mut behind = vec![N::integer(1)];
                    for i in operands[1..].iter().rev() {
                        behind.push(behind[behind.len() - 1].mul(value(*i)?, bits)?);
                    }
                    let mut before = adjoint;
                    for (i, behind) in operands.iter().zip(behind.iter().rev()) {
                        give(*i, before.mul(behind, bits)?)?;
                        before = before.mul(value(*i)?, bits)?;
                    }
                }
                Node::Div(i, j) => {
                    // d(x/y) = dx/y - (x/y)·dy/y
                    let over = adjoint.div(value(*j)?, bits)?;
                    give(*j, over.mul(value(index)?, bits)?.neg())?;
                    give(*i, over)?;
                }
                Node::Power(_, 0) => {}
                Node::Power(i, n) => {
                    let slope = value(*i)?.power(n - 1, bits)?.mul(&N::integer(*n), bits)?;
                    give(*i, adjoint.mul(&slope, bits)?)?;
                }
                Node::RationalPower(i, q) => {
                    let exponent = N::constant(expr.number(*q, bits).ok()?);
                    let slope = value(index)?.div(value(*i)?, bits)?.mul(&exponent, bits)?;
                    give(*i, adjoint.mul(&slope, bits)?)?;
                }
                Node::Min(operands) | Node::Max(operands) => {
                    // An operand that is never the one chosen gives nothing; one that always is gives all.
                    let is_min = matches!(expr.nodes[index], Node::Min(_));
                    let chosen = value(index)?.value();
                    let zero = FloatInterval::integer(0);
                    // The ends that the others must keep clear of: the first two tell.
                    let mut nearest: Vec<(&Dyadic, usize)> = Vec::with_capacity(operands.len());
                    for i in operands {
                        let y = value(*i)?.value();
                        nearest.push((if is_min { &y.lo } else { &y.hi }, *i));
                    }
                    nearest.sort_by(|(x, _), (y, _)| {
                        let order = x.partial_cmp(y).unwrap_or(Ordering::Equal);
                        if is_min { order } else { order.reverse() }
                    });
                    for i in operands {
                        let x = value(*i)?.value();
                        let never = if is_min { x.lo > chosen.hi } else { x.hi < chosen.lo };
                        let others = nearest.iter().take(2).find(|(_, j)| j != i);
                        let always = others.is_none_or(|(y, _)| if is_min { x.hi < **y } else { x.lo > **y });
                        if always {
                            give(*i, adjoint.clone())?;
                        } else if !never {
                            give(*i, N::undecided(adjoint.value().hull(&zero)))?;
                        }
                    }
                }
                Node::If { or_equal, operands: [a, b, yes, no] } => {
                    let holds = match a == b {
                        true => Some(*or_equal),
                        false => holds(value(*a)?.value(), value(*b)?.value(), *or_equal),
                    };
                    match holds {
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
}

impl Expr {
    /// A number of the expression at a working precision.
    pub(super) fn number(&self, index: usize, bits: Bits) -> Result<FloatInterval> {
        let Interval { lo, hi } = &self.numbers[index];
        FloatInterval::enclosing(lo, hi, bits).ok_or_else(|| bad("a number is not finite".into()))
    }
}

/// Whether `x < y` (or `x ≤ y`) holds for all pairs, for none, or undecided.
pub(super) fn holds(x: &FloatInterval, y: &FloatInterval, or_equal: bool) -> Option<bool> {
    let (always, never) = if or_equal { (x.hi <= y.lo, x.lo > y.hi) } else { (x.hi < y.lo, x.lo >= y.hi) };
    if always {
        Some(true)
    } else if never {
        Some(false)
    } else {
        None
    }
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
