//! Questions about expressions, typed and in JSON: `expr`, `range`, `compare` and `roots`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::expr::Expr;
use super::optimize::{EndOfRange, FloatBox, Level, Optimizer};
use super::request::{NumberText, append_ball, not_json, object, quoted};
use super::roots::{Status, roots};
use super::unary::Settings;
use crate::ball::{
    Bits, Decimal, DecimalInterval, Direction, Dyadic, Enclosure, FloatInterval, Interval, Number, Rational,
};
use crate::error::{Code, Error, Result};

/// An expression over a box.
#[derive(Debug)]
pub struct ExprQuery {
    /// The expression.
    pub expr: Expr,
    /// An interval for each of its variables.
    pub vars: Vec<Interval>,
    /// How much work goes into tightness.
    pub level: Level,
    /// For [`Level::Tight`]: how far each end may be from the truth. Default 10^-10 of the end, or
    /// 10^-10 where that is larger.
    pub tolerance: Option<Rational>,
    /// How precisely to answer.
    pub settings: Settings,
}

/// The range of an expression over a box.
#[derive(Debug)]
pub struct RangeAnswer {
    /// The enclosure of the range.
    pub output: DecimalInterval,
    /// Whether each end is proved to be within one unit of its last requested digit.
    pub tight: bool,
    /// For each end of `output`, a bound of its distance from the true one, if one was found.
    pub gap: (Option<Decimal>, Option<Decimal>),
    /// Both ends before rounding, with the boxes in which they are attained.
    pub ends: (EndOfRange, EndOfRange),
}

/// The answer to `f < g`.
#[derive(Debug)]
pub enum Verdict {
    /// It holds on the whole box.
    True,
    /// It fails at this point.
    False(FloatBox),
    /// Neither was proved.
    Unknown,
}

impl ExprQuery {
    fn bits(&self) -> Bits {
        self.settings.working_bits()
    }

    /// Both ends of the range.
    fn ends(&self, budget: &Budget) -> Result<(EndOfRange, EndOfRange)> {
        let optimizer = Optimizer::new(&self.expr, &self.vars, self.bits(), budget)?;
        if self.level == Level::Fast {
            return optimizer.fast(budget);
        }
        let digits = i64::from(self.settings.digit_bits());
        let tolerance = self
            .tolerance
            .as_ref()
            .map(|t| FloatInterval::enclosing(t, t, 64).map_or_else(Dyadic::new, |t| t.lo));
        let relative = |outer: &Dyadic, gap: &Dyadic, bits: i64| {
            gap.is_zero() || gap.magnitude() < outer.magnitude().map(|m| m - bits)
        };
        // Within the tolerance, the effort of the default level still goes into the digits asked for.
        let effort = Level::Default.most_splits();
        let done = |lower: &Dyadic, upper: &Dyadic, splits: u64| {
            let gap = upper.sub(lower, 64, true);
            let enough = match &tolerance {
                Some(t) => gap <= *t,
                // 2^-34 < 10^-10
                None => relative(lower, &gap, 34) || gap.magnitude().is_some_and(|m| m < -34),
            };
            relative(lower, &gap, digits) || (self.level == Level::Tight && enough && splits >= effort)
        };
        let least = budget.first_half(|half| optimizer.run(false, self.level, half, done))?;
        Ok((least, optimizer.run(true, self.level, budget, done)?))
    }

    /// Encloses the range.
    pub fn range(&self, budget: &Budget) -> Result<RangeAnswer> {
        let Settings { digits, exp_limit, .. } = self.settings;
        let (lo, hi) = self.ends(budget)?;
        let (output, rounded_tight) = DecimalInterval::enclosing(&lo.value, &hi.value, digits, exp_limit)?;
        let gap = |end: &EndOfRange, printed: &Decimal| {
            // An end that is known exactly is nearer than any value found.
            let inner = match &end.value.bounds().below {
                Number::Rational(exact) => exact.clone(),
                Number::Dyadic(_) => end.inner.as_ref()?.to_rational()?,
            };
            let distance = (&inner - &printed.to_rational()).abs();
            Some(Enclosure::exact(distance).round(Direction::Up, 3, exp_limit).ok()?.0)
        };
        Ok(RangeAnswer {
            tight: rounded_tight && lo.inner.is_some() && hi.inner.is_some(),
            gap: (gap(&lo, &output.lo), gap(&hi, &output.hi)),
            output,
            ends: (lo, hi),
        })
    }

    /// Whether this expression is greater than 0 on the whole box.
    pub fn positive(&self, budget: &Budget) -> Result<Verdict> {
        let optimizer = Optimizer::new(&self.expr, &self.vars, self.bits(), budget)?;
        let end = match self.level {
            Level::Fast => optimizer.fast(budget)?.0,
            // Enough is known when the least value is known to be positive, or one is known not to be.
            _ => optimizer
                .run(false, Level::Tight, budget, |lower, upper, _| lower.sign() > 0 || upper.sign() <= 0)?,
        };
        Ok(match (&end.inner, end.witness) {
            _ if end.outer.sign() > 0 => Verdict::True,
            (Some(value), Some(witness)) if value.sign() <= 0 => Verdict::False(witness),
            _ => Verdict::Unknown,
        })
    }
}

// -------------------------------------------------------------------------------------- JSON

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    vars: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    expr: Option<&'a RawValue>,
    #[serde(borrow)]
    other: Option<&'a RawValue>,
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tol: Option<NumberText<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Var<'a> {
    #[serde(borrow)]
    pub(super) lo: Option<NumberText<'a>>,
    #[serde(borrow)]
    pub(super) hi: Option<NumberText<'a>>,
}

/// Reads the common part of a request.
fn parse<'a>(request: &'a [u8], settings: &Settings) -> Result<(ExprQuery, Request<'a>)> {
    settings.check()?;
    let r: Request = object(request).map_err(not_json)?;
    let exp_limit = settings.exp_limit;
    let mut names = Vec::new();
    let mut vars = Vec::new();
    for (name, entry) in r.vars.iter().flatten() {
        let wrong = || {
            Error::new(Code::BadRequest, format!("bad var entry for {name}: expected {{lo,hi}}")).at("vars")
        };
        let entry: Var = object(entry.get().as_bytes()).map_err(|_| wrong())?;
        let (Some(lo), Some(hi)) = (entry.lo, entry.hi) else { return Err(wrong()) };
        vars.push(Interval::parse_endpoints(&lo.0, &hi.0, exp_limit)?);
        names.push(name.to_string());
    }
    let expr = r.expr.ok_or_else(|| {
        Error::new(Code::BadRequest, "expr request requires {vars: {...}, expr: {...}}").at("expr")
    })?;
    let expr = read_expr(expr, &names, exp_limit)?;
    let level = match &r.level {
        None => Level::Default,
        Some(name) => Level::find(name).ok_or_else(|| {
            Error::new(Code::BadRequest, "level must be fast, default or tight").at("level")
        })?,
    };
    let tolerance = match &r.tol {
        None => None,
        Some(text) => {
            let tol = Interval::parse(&text.0, exp_limit).map_err(|e| e.at("tol"))?;
            if tol.lo.sign() <= 0 || !tol.is_point() {
                return Err(Error::new(Code::BadRequest, "tol must be a positive number").at("tol"));
            }
            Some(tol.lo)
        }
    };
    Ok((ExprQuery { expr, vars, level, tolerance, settings: *settings }, r))
}

/// The expression, box and settings of a request.
pub(super) fn parse_query(request: &[u8], settings: &Settings) -> Result<ExprQuery> {
    parse(request, settings).map(|(query, _)| query)
}

/// An expression: a JSON node, or text in a JSON string.
pub(super) fn read_expr(raw: &RawValue, names: &[String], exp_limit: u32) -> Result<Expr> {
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(raw.get()).map_err(not_json)?;
            Expr::from_text(&text, Some(names.to_vec()), exp_limit)
        }
        _ => Expr::from_json(raw.get().as_bytes(), names.to_vec(), exp_limit),
    }
}

/// `{"kind":"expr"}`: the range over a box.
pub(super) fn answer_expr(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let (query, _) = parse(request, settings)?;
    let a = query.range(budget)?;
    let mut out = head(settings);
    append_gap(&mut out, &a);
    let _ = write!(out, r#","kind":"expr","level":"{}","output":"#, query.level.name());
    append_interval(&mut out, &a.output);
    let _ = write!(out, r#","status":"ok","tight":{},"tool":"arb_oracle"}}"#, a.tight);
    Ok(out)
}

/// `{"kind":"range"}`: certified enclosures of the minimum and the maximum, and where they are.
pub(super) fn answer_range(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let (mut query, r) = parse(request, settings)?;
    if r.level.is_none() {
        query.level = Level::Tight;
    }
    let Settings { digits, exp_limit, .. } = *settings;
    let a = query.range(budget)?;
    let mut out = head(settings);
    append_gap(&mut out, &a);
    let _ = write!(out, r#","kind":"range","level":"{}""#, query.level.name());
    for (name, end) in [("max", &a.ends.1), ("min", &a.ends.0)] {
        let _ = write!(out, r#","{name}":{{"places":["#);
        for (i, place) in end.places.iter().take(MOST_PLACES).enumerate() {
            out.push_str(if i > 0 { ",{" } else { "{" });
            append_box(&mut out, query.expr.vars(), place, settings)?;
            out.push('}');
        }
        let _ = write!(out, r#"],"places_complete":{},"value":"#, end.places.len() <= MOST_PLACES);
        match end.inner {
            Some(_) => {
                let (value, _) = DecimalInterval::enclosing(&end.value, &end.value, digits, exp_limit)?;
                append_interval(&mut out, &value);
            }
            None => out.push_str("null"),
        }
        out.push('}');
    }
    out.push_str(r#","output":"#);
    append_interval(&mut out, &a.output);
    let _ = write!(out, r#","status":"ok","tight":{},"tool":"arb_oracle"}}"#, a.tight);
    Ok(out)
}

/// At most so many boxes are listed in an answer.
const MOST_PLACES: usize = 256;

/// `{"kind":"compare"}`: whether `expr < other` on the box.
pub(super) fn answer_compare(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let (mut query, r) = parse(request, settings)?;
    let other = r.other.ok_or_else(|| {
        Error::new(Code::BadRequest, "compare needs expr and other: is expr < other?").at("other")
    })?;
    let other = read_expr(other, query.expr.vars(), settings.exp_limit)?;
    query.expr = other.minus(&query.expr)?;
    let verdict = query.positive(budget)?;
    let mut out = head(settings);
    let name = match verdict {
        Verdict::True => "true",
        Verdict::False(_) => "false",
        Verdict::Unknown => "unknown",
    };
    let _ =
        write!(out, r#","kind":"compare","status":"ok","tool":"arb_oracle","verdict":"{name}","witness":"#);
    match verdict {
        Verdict::False(point) => {
            out.push('{');
            append_box(&mut out, query.expr.vars(), &point, settings)?;
            out.push('}');
        }
        _ => out.push_str("null"),
    }
    out.push('}');
    Ok(out)
}

/// `{"kind":"roots"}`: the zeros in one variable.
pub(super) fn answer_roots(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let (query, _) = parse(request, settings)?;
    let [x] = query.vars.as_slice() else {
        return Err(Error::new(Code::BadRequest, "roots needs exactly one variable").at("vars"));
    };
    let found = roots(&query.expr, x, settings, budget)?;
    let complete = found.iter().all(|r| r.status == Status::ExactlyOne);
    // More digits where neighbours agree in those that are asked for.
    let mut finer = *settings;
    let places = loop {
        let places: Vec<_> = found.iter().map(|r| decimal(&r.place, &finer)).collect::<Result<_>>()?;
        let apart = places.windows(2).all(|p| p[0].hi.to_rational() < p[1].lo.to_rational());
        if apart || finer.digits == Settings::MAX_DIGITS {
            break places;
        }
        finer = finer.finer();
    };
    let mut out = head(settings);
    let _ = write!(out, r#","complete":{complete},"kind":"roots","roots":["#);
    for (i, (root, place)) in found.iter().zip(&places).enumerate() {
        let multiplicity = root.multiplicity.map_or("null".into(), |m| m.to_string());
        let _ = write!(out, r#"{}{{"multiplicity":{multiplicity},"place":"#, if i > 0 { "," } else { "" });
        append_interval(&mut out, place);
        let _ = write!(out, r#","status":"{}"}}"#, root.status.name());
    }
    out.push_str(r#"],"status":"ok","tool":"arb_oracle"}"#);
    Ok(out)
}

/// The opening of an answer, up to its `ctx`.
pub(super) fn head(settings: &Settings) -> String {
    format!(r#"{{"ctx":{{"digits":{},"prec_bits":{}}}"#, settings.digits, settings.prec_bits)
}

/// `,"gap":{"hi":…,"lo":…}`.
fn append_gap(out: &mut String, a: &RangeAnswer) {
    let text = |d: &Option<Decimal>| d.as_ref().map_or("null".to_string(), |d| quoted(&d.to_string()));
    let _ = write!(out, r#","gap":{{"hi":{},"lo":{}}}"#, text(&a.gap.1), text(&a.gap.0));
}

/// `{"ball":…,"hi":…,"lo":…}`.
pub(super) fn append_interval(out: &mut String, i: &DecimalInterval) {
    out.push_str(r#"{"ball":"#);
    append_ball(out, &i.ball);
    let _ = write!(out, r#","hi":"{}","lo":"{}"}}"#, i.hi, i.lo);
}

/// `"x":{…},"y":{…}`.
fn append_box(
    out: &mut String,
    names: &[String],
    place: &[FloatInterval],
    settings: &Settings,
) -> Result<()> {
    for (i, (name, x)) in names.iter().zip(place).enumerate() {
        let _ = write!(out, "{}{}:", if i > 0 { "," } else { "" }, quoted(name));
        append_interval(out, &decimal(x, settings)?);
    }
    Ok(())
}

/// An interval rounded outward to decimal ends.
fn decimal(x: &FloatInterval, settings: &Settings) -> Result<DecimalInterval> {
    let end = |d: &Dyadic| Enclosure::between(d.clone(), d.clone());
    Ok(DecimalInterval::enclosing(&end(&x.lo), &end(&x.hi), settings.digits, settings.exp_limit)?.0)
}
