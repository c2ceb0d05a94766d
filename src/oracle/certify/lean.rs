//! A proved claim as a theorem in Lean, to be pasted into a file that imports `LeanOracle`.

use std::fmt::Write;

use super::{Claim, Relation, Tree};
use crate::ball::Rational;
use crate::error::{Code, Error, Result};
use crate::oracle::expr::Algebra;

/// Terms of more bytes are not written.
const MOST_BYTES: usize = 10_000;

/// Names that mean something else in Lean.
const KEYWORDS: [&str; 32] = [
    "at",
    "axiom",
    "by",
    "certify",
    "class",
    "def",
    "deriving",
    "do",
    "else",
    "end",
    "example",
    "for",
    "from",
    "fun",
    "have",
    "if",
    "import",
    "in",
    "instance",
    "let",
    "match",
    "mut",
    "namespace",
    "open",
    "return",
    "section",
    "show",
    "structure",
    "theorem",
    "then",
    "where",
    "with",
];

/// The theorem that a certificate proves; `None` when it would be too long.
pub(super) fn theorem(claim: &Claim, names: &[String], tree: &Tree) -> Option<String> {
    let plain = |name: &String| is_word(name) && !KEYWORDS.contains(&name.as_str());
    let names: Vec<String> = match names.iter().all(plain) {
        true => names.to_vec(),
        false => (1..=names.len()).map(|i| format!("x{i}")).collect(),
    };
    let expr = claim.expr.in_algebra(&Terms(&names)).ok()?;
    let relation = match claim.relation {
        Relation::Less => "<",
        Relation::LessOrEqual => "≤",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => "≥",
        Relation::NotEqual => "≠",
    };
    let mut out = format!("theorem claim ({} : Frac)", names.join(" "));
    let (mut bounds, mut within) = (String::new(), Vec::new());
    for (i, (name, x)) in names.iter().zip(claim.vars).enumerate() {
        let i = subscript(i + 1);
        // Writing to a String cannot fail.
        let _ = write!(
            bounds,
            " (l{i} : {} ≤ {name}) (h{i} : {name} ≤ {})",
            number(&x.lo).text,
            number(&x.hi).text
        );
        within.push(format!("l{i} h{i}"));
    }
    let bound = number(claim.bound).text;
    let _ = write!(
        out,
        "{bounds} :\n    {} {relation} {bound} :=\n  certify [{}]",
        expr.plain().text,
        within.join(", ")
    );
    if matches!(tree, Tree::Cut { .. }) {
        out.push(' ');
        append_tree(&mut out, tree);
    }
    Some(out)
}

/// Whether a name is letters, digits and underscores, and does not begin with a digit.
pub(super) fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name != "_"
}

fn subscript(i: usize) -> String {
    i.to_string().chars().map(|c| char::from_u32(c as u32 - '0' as u32 + '₀' as u32).unwrap_or(c)).collect()
}

fn append_tree(out: &mut String, tree: &Tree) {
    match tree {
        Tree::Leaf => out.push_str(".leaf"),
        Tree::Cut { variable, at, parts } => {
            let numerator = at.numerator();
            let numerator = if at.sign() < 0 { format!("({numerator})") } else { numerator.to_string() };
            let _ = write!(out, "(.split {variable} {numerator} {} ", at.denominator());
            append_tree(out, &parts[0]);
            out.push(' ');
            append_tree(out, &parts[1]);
            out.push(')');
        }
    }
}

/// A term, and how tightly its outermost operator binds.
#[derive(Clone)]
struct Term {
    text: String,
    binds: u8,
    shape: Shape,
}

/// What a term is written as beside others.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Plain,
    /// The text is of what is negated.
    Negative,
    /// The text is of the divisor of 1.
    Inverse,
}

const SUM: u8 = 65;
const PRODUCT: u8 = 70;
const NEGATION: u8 = 75;
const ATOM: u8 = 100;

impl Term {
    fn new(text: String, binds: u8) -> Result<Term> {
        if text.len() > MOST_BYTES {
            return Err(Error::new(Code::Budget, "the term is too long"));
        }
        Ok(Term { text, binds, shape: Shape::Plain })
    }

    /// In parentheses unless it binds as tightly.
    fn within(&self, binds: u8) -> String {
        let plain = self.plain();
        if plain.binds >= binds { plain.text } else { format!("({})", plain.text) }
    }

    fn plain(&self) -> Term {
        let inner = |binds| Term { shape: Shape::Plain, ..self.clone() }.within(binds);
        match self.shape {
            Shape::Plain => self.clone(),
            Shape::Negative => {
                Term { text: format!("-{}", inner(NEGATION)), binds: NEGATION, shape: Shape::Plain }
            }
            Shape::Inverse => {
                Term { text: format!("1 / {}", inner(PRODUCT + 1)), binds: PRODUCT, shape: Shape::Plain }
            }
        }
    }
}

fn number(q: &Rational) -> Term {
    let (text, binds) = match (q.is_integer(), q.sign() < 0) {
        (true, false) => (q.to_string(), ATOM),
        (true, true) => (q.to_string(), NEGATION),
        (false, _) => (format!("{} / {}", q.numerator(), q.denominator()), PRODUCT),
    };
    Term { text, binds, shape: Shape::Plain }
}

/// Terms in variables of these names.
struct Terms<'a>(&'a [String]);

impl Algebra for Terms<'_> {
    type Value = Term;

    fn number(&self, q: &Rational) -> Term {
        number(q)
    }

    fn variable(&self, i: usize) -> Term {
        Term { text: self.0[i].clone(), binds: ATOM, shape: Shape::Plain }
    }

    fn neg(&self, x: &Term) -> Term {
        match x.shape {
            Shape::Negative => Term { shape: Shape::Plain, ..x.clone() },
            _ => Term { shape: Shape::Negative, ..x.plain() },
        }
    }

    fn add(&self, x: &Term, y: &Term) -> Result<Term> {
        let left = x.within(SUM);
        match y.shape {
            Shape::Negative => {
                let right = Term { shape: Shape::Plain, ..y.clone() };
                Term::new(format!("{left} - {}", right.within(SUM + 1)), SUM)
            }
            _ => Term::new(format!("{left} + {}", y.within(SUM + 1)), SUM),
        }
    }

    fn mul(&self, x: &Term, y: &Term) -> Result<Term> {
        let left = x.within(PRODUCT);
        match y.shape {
            Shape::Inverse => {
                let right = Term { shape: Shape::Plain, ..y.clone() };
                Term::new(format!("{left} / {}", right.within(PRODUCT + 1)), PRODUCT)
            }
            _ => Term::new(format!("{left} * {}", y.within(PRODUCT + 1)), PRODUCT),
        }
    }

    fn inv(&self, x: &Term) -> Result<Term> {
        Ok(Term { shape: Shape::Inverse, ..x.plain() })
    }

    fn power(&self, x: &Term, n: u64) -> Result<Term> {
        Term::new(format!("{} ^ {n}", x.within(ATOM)), NEGATION + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Expr;

    #[test]
    fn terms_mean_in_lean_what_they_mean_here() {
        let names = ["x".to_string(), "y".to_string()];
        for (text, lean) in [
            ("x^2 + 0.1*x - 0.5", "x ^ 2 + 1 / 10 * x - 1 / 2"),
            ("x - (y - x)", "x - (y - x)"),
            ("x/(y*x)/(1/x)", "x / (y * x) / (1 / x)"),
            ("-x^2", "-x ^ 2"),
            ("(-x)^2*(x + y)^3", "(-x) ^ 2 * (x + y) ^ 3"),
            ("(x + y)*(x - y)", "(x + y) * (x - y)"),
            ("x^(-2)", "1 / x ^ 2"),
            ("-(x + y) - -x", "-(x + y) + x"),
            ("(-2)*x", "-2 * x"),
            ("(1/3)^2*y", "(1 / 3) ^ 2 * y"),
        ] {
            let expr = Expr::from_text(text, Some(names.to_vec()), 100).unwrap();
            let term = expr.in_algebra(&Terms(&names)).unwrap().plain().text;
            assert_eq!(term, lean, "{text}");
        }
    }
}
