//! Certificates of inequalities between rational expressions over a box: the question `certify`.
//!
//! A certificate is a tree of cuts of the box. On each piece the Bernstein coefficients of the difference
//! have the sign that is claimed, which the checker of the Lean package (`LeanOracle.Certify`) finds
//! again by itself: so a wrong certificate is refused there, and a right one is a proof.

mod bernstein;
mod lean;

use std::fmt::Write;

use serde::Deserialize;

use self::bernstein::{Fraction, Polynomials};
use super::budget::Budget;
use super::expr::Expr;
use super::optimize::Level;
use super::questions::{self, ExprQuery, head};
use super::request::{NumberText, not_json, object, quoted};
use super::unary::Settings;
use crate::ball::{Dyadic, FloatInterval, Interval, Rational};
use crate::error::{Code, Error, Result};

/// What is claimed of an expression and a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Less,
    /// `≤`
    LessOrEqual,
    /// `>`
    Greater,
    /// `≥`
    GreaterOrEqual,
    /// `≠`
    NotEqual,
}

impl Relation {
    const ALL: [(&str, &str, Relation); 5] = [
        ("lt", "<", Relation::Less),
        ("le", "<=", Relation::LessOrEqual),
        ("gt", ">", Relation::Greater),
        ("ge", ">=", Relation::GreaterOrEqual),
        ("ne", "!=", Relation::NotEqual),
    ];

    /// The relation called `lt`, `le`, `gt`, `ge` or `ne`, or written `<`, `<=`, `>`, `>=` or `!=`.
    pub fn find(name: &str) -> Option<Relation> {
        Relation::ALL.into_iter().find(|(word, sign, _)| *word == name || *sign == name).map(|(.., r)| r)
    }

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        Relation::ALL.into_iter().find(|(.., r)| *r == self).map_or("", |(word, ..)| word)
    }

    /// Whether it holds of numbers whose difference has this sign.
    fn holds(self, sign: i32) -> bool {
        match self {
            Relation::Less => sign < 0,
            Relation::LessOrEqual => sign <= 0,
            Relation::Greater => sign > 0,
            Relation::GreaterOrEqual => sign >= 0,
            Relation::NotEqual => sign != 0,
        }
    }

    fn is_strict(self) -> bool {
        !matches!(self, Relation::LessOrEqual | Relation::GreaterOrEqual)
    }
}

/// How a box is cut.
#[derive(Clone, Debug)]
pub enum Tree {
    /// Not at all.
    Leaf,
    /// Into the parts with `x ≤ at` and `x ≥ at`, for the variable `x` with this index.
    Cut {
        /// The variable.
        variable: usize,
        /// The place of the cut.
        at: Rational,
        /// The lower and the upper part.
        parts: Box<[Tree; 2]>,
    },
}

impl Tree {
    /// The number of pieces.
    pub fn leaves(&self) -> usize {
        match self {
            Tree::Leaf => 1,
            Tree::Cut { parts, .. } => parts.iter().map(Tree::leaves).sum(),
        }
    }

    /// The text that the Lean package reads: `.` for a leaf, `(x a/b L R)` for a cut of the variable `x`.
    /// A variable is called by its name, or by its number when that is no plain word.
    pub fn text(&self, names: &[String]) -> String {
        let mut out = String::new();
        self.append_to(&mut out, names);
        out
    }

    fn append_to(&self, out: &mut String, names: &[String]) {
        match self {
            Tree::Leaf => out.push('.'),
            Tree::Cut { variable, at, parts } => {
                let name = match names.get(*variable) {
                    Some(name) if names.iter().all(|n| lean::is_word(n)) => name.clone(),
                    _ => variable.to_string(),
                };
                let _ = write!(out, "({name} {}/{} ", at.numerator(), at.denominator());
                parts[0].append_to(out, names);
                out.push(' ');
                parts[1].append_to(out, names);
                out.push(')');
            }
        }
    }
}

/// What became of a claim.
#[derive(Debug)]
pub enum Certified {
    /// It holds; the certificate.
    Proved(Tree),
    /// It fails at this point.
    False(Vec<Rational>),
    /// Neither was found within the budget.
    Unknown,
}

/// A claim about a rational expression over a box.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The expression.
    pub expr: &'a Expr,
    /// An interval for each of its variables.
    pub vars: &'a [Interval],
    /// What is claimed of the expression…
    pub relation: Relation,
    /// …and this number.
    pub bound: &'a Rational,
}

impl Claim<'_> {
    /// Looks for a certificate. `cuts` are places at which cutting may help, such as those of extrema.
    ///
    /// Errors: [`Code::BadRequest`] for operations that are not rational, [`Code::Pole`] for a divisor
    /// that vanishes at a corner, [`Code::Cancelled`].
    pub fn certify(&self, cuts: &[Vec<Rational>], budget: &Budget) -> Result<Certified> {
        let search = Search { claim: self, cuts, budget };
        match search.piece(self.vars, 0) {
            Err(e) if e.code == Code::Budget || e.code == Code::Timeout => Ok(Certified::Unknown),
            Err(e) => Err(e),
            Ok(Found::Tree(tree)) => Ok(Certified::Proved(tree)),
            Ok(Found::Fails(point)) => Ok(Certified::False(point)),
            Ok(Found::Nothing) => Ok(Certified::Unknown),
        }
    }
}

enum Found {
    Tree(Tree),
    Fails(Vec<Rational>),
    Nothing,
}

struct Search<'a> {
    claim: &'a Claim<'a>,
    cuts: &'a [Vec<Rational>],
    budget: &'a Budget,
}

impl Search<'_> {
    fn piece(&self, place: &[Interval], depth: usize) -> Result<Found> {
        const MOST_CUTS: usize = 64;
        let claim = self.claim;
        let algebra = Polynomials { place, budget: self.budget };
        let value = claim.expr.in_algebra(&algebra)?;
        let bound = bernstein::minus(&algebra, &value, claim.bound)?;
        if let Some(point) = self.fails(place, &bound)? {
            return Ok(Found::Fails(point));
        }
        let defined = bound.divisors.iter().all(|d| d.sign(true).is_some());
        let signs = (bound.numerator.sign(claim.relation.is_strict()), bound.denominator.sign(true));
        if let (true, (Some(above), Some(below))) = (defined, signs)
            && claim.relation.holds(above * below)
        {
            return Ok(Found::Tree(Tree::Leaf));
        }
        if depth == MOST_CUTS {
            return Ok(Found::Nothing);
        }
        let Some((variable, at)) = self.cut(place, &bound) else { return Ok(Found::Nothing) };
        let mut parts = Vec::with_capacity(2);
        for upper in [false, true] {
            let mut part = place.to_vec();
            let side = &mut part[variable];
            *(if upper { &mut side.lo } else { &mut side.hi }) = at.clone();
            match self.piece(&part, depth + 1)? {
                Found::Tree(tree) => parts.push(tree),
                other => return Ok(other),
            }
        }
        match <[Tree; 2]>::try_from(parts) {
            Ok(parts) => Ok(Found::Tree(Tree::Cut { variable, at, parts: Box::new(parts) })),
            Err(_) => Ok(Found::Nothing),
        }
    }

    /// A corner at which the claim fails.
    fn fails(&self, place: &[Interval], f: &Fraction) -> Result<Option<Vec<Rational>>> {
        for divisor in &f.divisors {
            let mut signs = divisor.corners().map(|(_, value)| value.sign());
            let first = signs.next().unwrap_or_default();
            if first == 0 || signs.any(|sign| sign != first) {
                let message = "a divisor vanishes in the box; narrow it so that the divisor keeps its sign";
                return Err(Error::new(Code::Pole, message).at("expr"));
            }
        }
        let values = f.numerator.corners().zip(f.denominator.corners());
        for ((corner, above), (_, below)) in values {
            if !self.claim.relation.holds(above.sign() * below.sign()) {
                let ends = place.iter().zip(&corner);
                return Ok(Some(ends.map(|(x, upper)| if *upper { &x.hi } else { &x.lo }.clone()).collect()));
            }
        }
        Ok(None)
    }

    /// Where to cut a piece: at a place that was suggested, else in the middle of the variable along which
    /// the coefficients vary most.
    fn cut(&self, place: &[Interval], f: &Fraction) -> Option<(usize, Rational)> {
        for cut in self.cuts {
            let inside = |(i, x): (usize, &Interval)| x.lo < cut[i] && cut[i] < x.hi;
            let within = place.iter().zip(cut).all(|(x, at)| x.lo <= *at && *at <= x.hi);
            if within && let Some((i, _)) = place.iter().enumerate().find(|x| inside(*x)) {
                return Some((i, cut[i].clone()));
            }
        }
        let wide = (0..place.len()).filter(|i| !place[*i].is_point());
        let variable = wide.max_by(|i, j| f.numerator.variation(*i).cmp(&f.numerator.variation(*j)))?;
        let Interval { lo, hi } = &place[variable];
        let half = Rational::from_parts(&1.into(), &2.into())?;
        Some((variable, &(lo + hi) * &half))
    }
}

// -------------------------------------------------------------------------------------- JSON

#[derive(Deserialize)]
struct Request<'a> {
    claim: Option<String>,
    #[serde(borrow)]
    bound: Option<NumberText<'a>>,
}

/// `{"kind":"certify"}`.
pub(super) fn answer_certify(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let mut query = questions::parse_query(request, settings)?;
    query.level = Level::Tight;
    let r: Request = object(request).map_err(not_json)?;
    let claim = r.claim.as_deref().unwrap_or("");
    let bad = |message: &str, field| Err(Error::new(Code::BadRequest, message).at(field));
    // An error of the expression, if any, before the search.
    let algebra = Polynomials { place: &query.vars, budget };
    query.expr.in_algebra(&algebra)?;
    let (relation, bound) = match (claim, &r.bound) {
        ("upper" | "lower", None) => {
            let range = budget.first_half(|half| query.range(half))?;
            match claim {
                "upper" => (Relation::LessOrEqual, range.output.hi.to_rational()),
                _ => (Relation::GreaterOrEqual, range.output.lo.to_rational()),
            }
        }
        ("upper" | "lower", Some(_)) => return bad("upper and lower find the bound themselves", "bound"),
        _ => {
            let Some(relation) = Relation::find(claim) else {
                return bad("claim must be le, lt, ge, gt or ne with a bound, or upper or lower", "claim");
            };
            let Some(text) = &r.bound else { return bad("a claim needs a bound", "bound") };
            let bound = Interval::parse(&text.0, settings.exp_limit).map_err(|e| e.at("bound"))?;
            if !bound.is_point() {
                return bad("the bound must be an exact number", "bound");
            }
            (relation, bound.lo)
        }
    };
    let cuts = budget.first_half(|half| extrema(&query, relation, &bound, half))?;
    let claim = Claim { expr: &query.expr, vars: &query.vars, relation, bound: &bound };
    let certified = claim.certify(&cuts, budget)?;
    let mut out = head(settings);
    let names = query.expr.vars();
    let none = || "null".to_string();
    let (verdict, certificate, leaves, lean) = match &certified {
        Certified::Proved(tree) => {
            let lean = lean::theorem(&claim, names, tree);
            let lean = lean.map_or_else(none, |text| quoted(&text));
            ("proved", quoted(&tree.text(names)), tree.leaves().to_string(), lean)
        }
        Certified::False(_) => ("false", none(), none(), none()),
        Certified::Unknown => ("unknown", none(), none(), none()),
    };
    let _ = write!(
        out,
        r#","bound":"{bound}","certificate":{certificate},"claim":"{}","kind":"certify","lean":{lean},"leaves":{leaves},"status":"ok","tool":"arb_oracle","verdict":"{verdict}","vars":["#,
        relation.name()
    );
    for (i, name) in names.iter().enumerate() {
        let _ = write!(out, "{}{}", if i > 0 { "," } else { "" }, quoted(name));
    }
    out.push_str(r#"],"witness":"#);
    match certified {
        Certified::False(point) => {
            for (i, (name, x)) in names.iter().zip(point).enumerate() {
                let _ = write!(out, "{}{}:\"{x}\"", if i > 0 { "," } else { "{" }, quoted(name));
            }
            out.push('}');
        }
        _ => out.push_str("null"),
    }
    out.push('}');
    Ok(out)
}

/// The places at which the expression comes next to the bound, as simple fractions.
fn extrema(
    query: &ExprQuery,
    relation: Relation,
    bound: &Rational,
    budget: &Budget,
) -> Result<Vec<Vec<Rational>>> {
    const MOST: usize = 64;
    let range = match query.range(budget) {
        Ok(range) => range,
        Err(e) if e.code == Code::Cancelled => return Err(e),
        // Perhaps the search manages without.
        Err(_) => return Ok(Vec::new()),
    };
    let ends = match relation {
        Relation::Less | Relation::LessOrEqual => vec![range.ends.1],
        Relation::Greater | Relation::GreaterOrEqual => vec![range.ends.0],
        Relation::NotEqual => vec![range.ends.0, range.ends.1],
    };
    let mut cuts = Vec::new();
    for end in ends {
        // A cut beside the place of the extremum costs the square of the distance.
        let slack = (&end.outer.to_rational().unwrap_or_default() - bound).abs().to_f64();
        let near = Dyadic::from_f64(slack.sqrt() / 8.0).and_then(|d| d.to_rational()).unwrap_or_default();
        for place in end.places.iter().take(MOST) {
            for radius in [Rational::new(), near.clone()] {
                let coordinate = |(x, whole): (&FloatInterval, &Interval)| {
                    let (lo, hi) = (x.lo.to_rational()?, x.hi.to_rational()?);
                    let (lo, hi) = (&lo - &radius, &hi + &radius);
                    let (lo, hi) = (lo.max(whole.lo.clone()), hi.min(whole.hi.clone()));
                    (lo <= hi).then(|| Rational::simplest_between(&lo, &hi))
                };
                let cut: Option<Vec<Rational>> = place.iter().zip(&query.vars).map(coordinate).collect();
                let touches = |cut: &Vec<Rational>| query.expr.exact(cut).is_some_and(|v| v == *bound);
                if let Some(cut) = cut.filter(|cut| !radius.is_zero() || touches(cut)) {
                    cuts.push(cut);
                    break;
                }
            }
        }
    }
    Ok(cuts)
}
