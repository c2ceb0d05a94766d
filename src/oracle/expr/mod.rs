//! Expressions in several variables: a graph of operations in which equal parts are shared and
//! evaluated once.
//!
//! An [`Expr`] is read from JSON ([`Expr::from_json`]) or from text ([`Expr::from_text`]). All walks
//! over it are loops over its nodes, which stand in an order in which operands come first; so depth
//! costs no stack.

mod complex;
mod evaluate;
mod json;
mod rational;
mod text;

pub(super) use evaluate::Evaluator;
pub(super) use rational::Algebra;

use std::collections::{HashMap, HashSet};

use super::constants::{CONSTANTS, constant};
use super::functions::{FUNCTIONS, Function};
use crate::ball::{Ball, Bits, Integer, Interval, Rational};
use crate::error::{Code, Error, Result};

/// The most nodes an expression may have.
const MAX_NODES: usize = 2_000_000;

/// Folding of constants stops at numbers of this many bits.
const FOLD_BITS: u64 = 4096;

/// An operation, with the indices of its operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// The variable with this index.
    Var(usize),
    /// The number with this index.
    Number(usize),
    /// A named constant.
    Constant(Box<str>),
    /// The function with this index in the table.
    Apply(usize, usize),
    Neg(usize),
    Add(Box<[usize]>),
    Sub(usize, usize),
    Mul(Box<[usize]>),
    Div(usize, usize),
    /// An integer power.
    Power(usize, i64),
    /// A power with the rational exponent of this index among the numbers.
    RationalPower(usize, usize),
    Min(Box<[usize]>),
    Max(Box<[usize]>),
    /// `if a < b (or a ≤ b, if or_equal) then c else d`, with the operands `[a, b, c, d]`.
    If {
        or_equal: bool,
        operands: [usize; 4],
    },
}

/// A real expression in named variables.
#[derive(Debug)]
pub struct Expr {
    nodes: Vec<Node>,
    numbers: Vec<Interval>,
    vars: Vec<String>,
    root: usize,
}

impl Expr {
    /// The names of the variables, in the order in which boxes list their intervals.
    pub fn vars(&self) -> &[String] {
        &self.vars
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no operations; never so.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether every number in it is a single point.
    pub fn is_exact(&self) -> bool {
        self.numbers.iter().all(Interval::is_point)
    }

    /// The expression `self - other` in the same variables.
    pub fn minus(self, other: &Expr) -> Result<Expr> {
        let mut b = Builder::from(self);
        let left = b.root;
        let mut moved = Vec::with_capacity(other.nodes.len());
        for node in &other.nodes {
            let node = match node {
                Node::Number(i) => Node::Number(b.number_index(other.numbers[*i].clone())),
                Node::RationalPower(x, i) => {
                    Node::RationalPower(moved[*x], b.number_index(other.numbers[*i].clone()))
                }
                node => node.map(|i| moved[i]),
            };
            moved.push(b.add(node)?);
        }
        let right = moved[other.root];
        let root = b.binary("sub", left, right)?;
        Ok(b.finish(root))
    }
}

impl Node {
    /// Whether every operand is such.
    fn all_operands(&self, is: impl Fn(usize) -> bool) -> bool {
        match self {
            Node::Var(_) | Node::Number(_) | Node::Constant(_) => true,
            Node::Apply(_, x) | Node::Neg(x) | Node::Power(x, _) | Node::RationalPower(x, _) => is(*x),
            Node::Sub(x, y) | Node::Div(x, y) => is(*x) && is(*y),
            Node::Add(xs) | Node::Mul(xs) | Node::Min(xs) | Node::Max(xs) => xs.iter().all(|x| is(*x)),
            Node::If { operands, .. } => operands.iter().all(|x| is(*x)),
        }
    }

    /// The same operation on other operands.
    fn map(&self, f: impl Fn(usize) -> usize) -> Node {
        let all = |operands: &[usize]| operands.iter().map(|i| f(*i)).collect();
        match self {
            Node::Var(_) | Node::Number(_) | Node::Constant(_) => self.clone(),
            Node::Apply(function, x) => Node::Apply(*function, f(*x)),
            Node::Neg(x) => Node::Neg(f(*x)),
            Node::Add(xs) => Node::Add(all(xs)),
            Node::Sub(x, y) => Node::Sub(f(*x), f(*y)),
            Node::Mul(xs) => Node::Mul(all(xs)),
            Node::Div(x, y) => Node::Div(f(*x), f(*y)),
            Node::Power(x, n) => Node::Power(f(*x), *n),
            Node::RationalPower(x, q) => Node::RationalPower(f(*x), *q),
            Node::Min(xs) => Node::Min(all(xs)),
            Node::Max(xs) => Node::Max(all(xs)),
            Node::If { or_equal, operands } => Node::If { or_equal: *or_equal, operands: operands.map(f) },
        }
    }
}

/// Builds an [`Expr`], sharing equal nodes and folding exact constants.
pub(super) struct Builder {
    nodes: Vec<Node>,
    seen: HashMap<Node, usize>,
    numbers: Vec<Interval>,
    number_seen: HashMap<String, usize>,
    vars: Vec<String>,
    root: usize,
}

impl From<Expr> for Builder {
    fn from(e: Expr) -> Self {
        let seen = e.nodes.iter().cloned().enumerate().map(|(i, n)| (n, i)).collect();
        let key = |(i, n): (usize, &Interval)| (format!("{} {}", n.lo, n.hi), i);
        let number_seen = e.numbers.iter().enumerate().map(key).collect();
        Builder { nodes: e.nodes, seen, numbers: e.numbers, number_seen, vars: e.vars, root: e.root }
    }
}

impl Builder {
    pub(super) fn new(vars: Vec<String>) -> Self {
        let (nodes, seen, numbers, number_seen) = Default::default();
        Builder { nodes, seen, numbers, number_seen, vars, root: 0 }
    }

    pub(super) fn finish(self, root: usize) -> Expr {
        let Builder { nodes, numbers, vars, .. } = self;
        Expr { nodes, numbers, vars, root }
    }

    fn add(&mut self, node: Node) -> Result<usize> {
        if let Some(i) = self.seen.get(&node) {
            return Ok(*i);
        }
        if self.nodes.len() == MAX_NODES {
            return Err(bad(format!("the expression has more than {MAX_NODES} operations")));
        }
        self.seen.insert(node.clone(), self.nodes.len());
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn number_index(&mut self, value: Interval) -> usize {
        let numbers = &mut self.numbers;
        if !value.is_point() {
            // Each place at which a ball is written is a number of its own.
            numbers.push(value);
            return numbers.len() - 1;
        }
        *self.number_seen.entry(format!("{} {}", value.lo, value.hi)).or_insert_with(|| {
            numbers.push(value);
            numbers.len() - 1
        })
    }

    pub(super) fn number(&mut self, value: Interval) -> Result<usize> {
        let i = self.number_index(value);
        self.add(Node::Number(i))
    }

    /// The exact value of a node that is a point.
    fn point(&self, i: usize) -> Option<&Rational> {
        match self.nodes[i] {
            Node::Number(n) if self.numbers[n].is_point() => Some(&self.numbers[n].lo),
            _ => None,
        }
    }

    /// A variable, or else a named constant if `constants`.
    pub(super) fn name(&mut self, name: &str, constants: bool) -> Result<usize> {
        if let Some(i) = self.vars.iter().position(|v| v == name) {
            return self.add(Node::Var(i));
        }
        if constants && let Some(node) = self.constant(name)? {
            return Ok(node);
        }
        let known = match self.vars.as_slice() {
            [] => "there are none".to_string(),
            vars => format!("the variables are {}", vars.join(", ")),
        };
        let also = match constants {
            true => format!(
                "; the constants are {}",
                CONSTANTS.iter().map(|c| c.name).collect::<Vec<_>>().join(", ")
            ),
            false => String::new(),
        };
        let shown: String = name.chars().take(40).collect();
        Err(bad(format!("unknown variable {shown:?}; {known}{also}")))
    }

    /// A named constant.
    pub(super) fn constant(&mut self, name: &str) -> Result<Option<usize>> {
        match constant(name) {
            Some(_) => self.add(Node::Constant(name.into())).map(Some),
            None => Ok(None),
        }
    }

    /// The operation called `op` on operands that are already there.
    pub(super) fn operation(&mut self, op: &str, args: &[usize]) -> Result<usize> {
        let expects = |n: usize| {
            let plural = if n == 1 { "" } else { "s" };
            bad(format!("{op} expects {n} arg{plural}, not {}", args.len()))
        };
        match op {
            "neg" => match args {
                [x] => self.negated(*x),
                _ => Err(expects(1)),
            },
            "sub" | "div" | "pow" => match args {
                [x, y] => self.binary(op, *x, *y),
                _ => Err(expects(2)),
            },
            "add" | "mul" | "min" | "max" => match args {
                [] => Err(expects(2)),
                [x] => Ok(*x),
                [x, y] if op == "add" || op == "mul" => self.binary(op, *x, *y),
                _ if op == "add" => self.add(Node::Add(args.into())),
                _ if op == "mul" => self.add(Node::Mul(args.into())),
                _ => {
                    let mut different: Vec<usize> = Vec::with_capacity(args.len());
                    let mut seen = HashSet::new();
                    different.extend(args.iter().filter(|i| seen.insert(**i)));
                    match different.as_slice() {
                        [x] => Ok(*x),
                        _ if op == "min" => self.add(Node::Min(different.into())),
                        _ => self.add(Node::Max(different.into())),
                    }
                }
            },
            "if_lt" | "if_le" => match <[usize; 4]>::try_from(args) {
                Ok(operands) => self.add(Node::If { or_equal: op == "if_le", operands }),
                Err(_) => Err(expects(4)),
            },
            _ => {
                let index = FUNCTIONS.iter().position(|f| f.name == op);
                let Some(index) = index else { return Err(unknown_operation(op)) };
                let [x] = args else { return Err(expects(1)) };
                match self.point(*x).and_then(|q| exact_value(function(index), q)) {
                    Some(value) => self.number(Interval::point(value)),
                    None => self.add(Node::Apply(index, *x)),
                }
            }
        }
    }

    fn negated(&mut self, x: usize) -> Result<usize> {
        match self.point(x).map(|q| -q) {
            Some(q) => self.number(Interval::point(q)),
            None => self.add(Node::Neg(x)),
        }
    }

    fn binary(&mut self, op: &str, x: usize, y: usize) -> Result<usize> {
        if let (Some(p), Some(q)) = (self.point(x), self.point(y))
            && p.bits() + q.bits() <= FOLD_BITS
        {
            let folded = match op {
                "add" => Some(p + q),
                "sub" => Some(p - q),
                "mul" => Some(p * q),
                "div" => q.recip().map(|r| p * &r),
                _ => None,
            };
            if let Some(value) = folded {
                return self.number(Interval::point(value));
            }
        }
        match op {
            "add" => self.add(Node::Add([x, y].into())),
            "sub" => self.add(Node::Sub(x, y)),
            // x*x is a square; as a product the two factors would vary independently.
            "mul" if x == y => self.add(Node::Power(x, 2)),
            "mul" => self.add(Node::Mul([x, y].into())),
            "div" => self.add(Node::Div(x, y)),
            _ => self.power(x, y),
        }
    }

    /// `x^y`: for a constant `y` by rules for integers and fractions, else `exp(y·log(x))`.
    fn power(&mut self, x: usize, y: usize) -> Result<usize> {
        let Some(exponent) = self.point(y).cloned() else {
            let log = self.operation("log", &[x])?;
            let product = self.binary("mul", y, log)?;
            return self.operation("exp", &[product]);
        };
        match exponent.to_i64() {
            Some(1) => Ok(x),
            Some(n) if n.unsigned_abs() <= 1 << 32 => self.add(Node::Power(x, n)),
            Some(_) => Err(bad("an integer exponent may have at most 32 bits".into())),
            None if exponent.denominator() == Integer::from(2)
                && exponent.numerator() == Integer::from(1) =>
            {
                self.operation("sqrt", &[x])
            }
            None => {
                let index = self.number_index(Interval::point(exponent));
                self.add(Node::RationalPower(x, index))
            }
        }
    }
}

/// The function with this index in the table.
fn function(index: usize) -> &'static Function {
    &FUNCTIONS[index]
}

/// The exact value of a function at a point, where that is known.
fn exact_value(f: &Function, q: &Rational) -> Option<Rational> {
    let short = q.bits() <= FOLD_BITS;
    let defined = short && f.admits(&Interval::point(q.clone()), 64).is_ok_and(|defined| defined);
    if defined { (f.exact)(q) } else { None }
}

/// The enclosing routine of a named constant that is in an expression.
fn constant_value(name: &str, bits: Bits) -> Option<Ball> {
    constant(name).map(|value| value(bits))
}

fn bad(message: String) -> Error {
    Error::new(Code::BadRequest, message).at("expr")
}

fn unknown_operation(op: &str) -> Error {
    match Function::find(op) {
        Ok(_) => bad(format!("{op} is not an operation")),
        Err(e) => Error { field: Some("expr"), ..e },
    }
}
