//! The JSON form of questions and answers.
//!
//! A request is one object: `{"kind":"unary","func":"exp","lo":"0","hi":"1"}`, with the optional keys
//! `digits`, `prec_bits`, `max_bits`, `exp_limit`, `timeout_ms`, `max_nodes`. Numbers are strings or JSON numbers; either way
//! their decimal text is read exactly. Unknown keys are ignored.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::unary::{Answer, Query, Settings};
use super::{batch, cache, certify, constants, integrate, limited, linear, mlp, poly_roots, questions};
use crate::ball::MidRad10Exp;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::error::{Code, Error, Result};

/// What every kind of request has, and the keys of `unary`.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    func: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lo: Option<&'a RawValue>,
    #[serde(borrow)]
    hi: Option<&'a RawValue>,
    digits: Option<u32>,
    prec_bits: Option<u32>,
    max_bits: Option<u32>,
    exp_limit: Option<u32>,
    timeout_ms: Option<u64>,
    pub(super) max_nodes: Option<u64>,
}

impl Envelope<'_> {
    fn settings(&self, overrides: Option<Settings>) -> Settings {
        let defaults = Settings::default();
        let digits = self.digits.unwrap_or(defaults.digits);
        overrides.unwrap_or(Settings {
            digits,
            prec_bits: self.prec_bits.unwrap_or(defaults.prec_bits),
            max_bits: self.max_bits,
            // So many digits behind the point do not ask for leave.
            exp_limit: self.exp_limit.unwrap_or(defaults.exp_limit.max(digits.saturating_add(1))),
        })
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// A number that is given as a JSON string or a JSON number; its text, not rounded.
#[derive(Clone, Debug)]
pub(super) struct NumberText<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for NumberText<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let text = number_in(raw)
            .ok_or_else(|| serde::de::Error::custom("a number must be a string or a JSON number"))?;
        Ok(NumberText(text))
    }
}

/// Answers a JSON request with compact JSON, keys in alphabetical order.
///
/// `overrides` takes the place of the settings in the request, if given. Errors are returned, not
/// rendered; see [`error_json`].
pub fn answer_json(request: &[u8], overrides: Option<Settings>) -> Result<String> {
    answer_json_until(request, overrides, None)
}

/// As [`answer_json`]; stops soon after any thread sets `cancel`, with [`Code::Cancelled`].
pub fn answer_json_until(
    request: &[u8],
    overrides: Option<Settings>,
    cancel: Option<Arc<AtomicBool>>,
) -> Result<String> {
    // Text that is ignored would not be looked at otherwise.
    if let Err(e) = std::str::from_utf8(request) {
        return Err(Error::new(Code::Parse, format!("the request is not UTF-8: {e}")));
    }
    let envelope: Envelope = object(request).map_err(not_json)?;
    let budget = Budget::new(envelope.timeout(), envelope.max_nodes, cancel);
    if envelope.kind.as_deref() == Some("batch") {
        return batch::answer(request, overrides, budget.of_batch(envelope.max_nodes));
    }
    let limited = limited::is_limited(&budget);
    answer_one(request, &envelope, overrides, budget, limited)
}

/// Answers a request that is no batch, from the cache if it is there; else on a thread of its own if
/// `limited`, so that it can be left.
pub(super) fn answer_one(
    request: &[u8],
    envelope: &Envelope,
    overrides: Option<Settings>,
    budget: Budget,
    limited: bool,
) -> Result<String> {
    // What the request alone does not tell is not in the cache.
    let cached = overrides.is_none() && cache::is_on();
    if cached && let Some(answer) = cache::get(request) {
        return answer;
    }
    let begun = Instant::now();
    let budget = Arc::new(budget);
    let answer = answer_anew(request, envelope, envelope.settings(overrides), &budget, limited);
    if cached && budget.was_ample(begun) {
        cache::put(request, &answer);
    }
    answer
}

fn answer_anew(
    request: &[u8],
    envelope: &Envelope,
    settings: Settings,
    budget: &Arc<Budget>,
    limited: bool,
) -> Result<String> {
    if !limited {
        return dispatch(request, envelope, &settings, budget);
    }
    let (request, shared) = (request.to_vec(), budget.clone());
    limited::run(budget, 1, move || {
        let envelope: Envelope = object(&request).map_err(not_json)?;
        dispatch(&request, &envelope, &settings, &shared)
    })
}

fn dispatch(request: &[u8], envelope: &Envelope, settings: &Settings, budget: &Budget) -> Result<String> {
    release_caches_at_thread_exit();
    match envelope.kind.as_deref().unwrap_or("unary") {
        "unary" => answer_unary(envelope, settings, budget),
        "expr" => questions::answer_expr(request, settings, budget),
        "range" => questions::answer_range(request, settings, budget),
        "compare" => questions::answer_compare(request, settings, budget),
        "certify" => certify::answer_certify(request, settings, budget),
        "roots" => questions::answer_roots(request, settings, budget),
        "integrate" => integrate::answer_integrate(request, settings, budget),
        "constant" => constants::answer_constant(request, settings, budget),
        "matrix" => linear::answer_matrix(request, settings, budget),
        "poly_roots" => poly_roots::answer_poly_roots(request, settings, budget),
        "mlp" => mlp::answer(request, settings, budget),
        "__panic__" if std::env::var_os("LEAN_ORACLE_TEST_PANIC").is_some() => panic!("asked to panic"),
        kind => {
            let shown: String = kind.chars().take(40).collect();
            Err(Error::new(Code::BadRequest, format!("unsupported request kind: {shown}; there are {KINDS}"))
                .at("kind"))
        }
    }
}

/// Reads a JSON object. serde alone would also take an array, its entries as the fields in order.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(serde::de::Error::custom("an array where an object is needed"));
    }
    serde_json::from_slice(json)
}

/// The kinds of requests, for messages.
const KINDS: &str =
    "unary, expr, range, compare, certify, roots, integrate, poly_roots, matrix, constant, mlp, batch";

fn answer_unary(request: &Envelope, settings: &Settings, budget: &Budget) -> Result<String> {
    let func = request.func.as_deref().ok_or_else(|| missing("func"))?;
    let lo = number_text(request.lo, "lo")?;
    let hi = number_text(request.hi, "hi")?;
    let query = Query::parse(func, &lo, &hi, *settings)?;
    Ok(render(&query.answer_within(budget)?, query.function.name, &lo, &hi, settings))
}

/// `{"status":"error","error":{"code":…,"field":…,"message":…}}`; `field` is null when there is none.
pub fn error_json(e: &Error) -> String {
    let field = e.field.map_or("null".into(), quoted);
    format!(
        r#"{{"error":{{"code":"{}","field":{field},"message":{}}},"status":"error"}}"#,
        e.code.name(),
        quoted(&e.message)
    )
}

pub(super) fn not_json(e: serde_json::Error) -> Error {
    let code = match e.classify() {
        serde_json::error::Category::Data => Code::BadRequest,
        _ => Code::Parse,
    };
    // serde repeats the offending value, which may be the whole request.
    let what: String = e.to_string().chars().take(200).collect();
    Error::new(code, format!("the request is not a JSON object of a question: {what}"))
}

fn missing(field: &'static str) -> Error {
    Error::new(Code::BadRequest, format!("a unary request needs func, lo and hi; {field} is missing"))
        .at(field)
}

/// The text of a number in the JSON of a string or a number; `None` for other JSON.
fn number_in(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' if !raw.contains('\\') => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
        b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
        _ => None,
    }
}

/// The text of the number under a key that must be there.
fn number_text<'a>(raw: Option<&'a RawValue>, field: &'static str) -> Result<Cow<'a, str>> {
    number_in(raw.ok_or_else(|| missing(field))?.get())
        .ok_or_else(|| Error::new(Code::BadNumber, format!("{field} must be a string or a number")).at(field))
}

fn render(a: &Answer, func: &str, lo: &str, hi: &str, settings: &Settings) -> String {
    let mut out = String::with_capacity(1024 + 8 * settings.digits as usize);
    let Settings { digits, prec_bits, .. } = settings;
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"bits_used":{},"ctx":{{"digits":{digits},"prec_bits":{prec_bits}}},"func":"{func}","input":{{"ball":"#,
        a.bits_used
    );
    append_ball(&mut out, &a.input);
    out.push_str(r#","hi":"#);
    out.push_str(&quoted(hi));
    out.push_str(r#","lo":"#);
    out.push_str(&quoted(lo));
    out.push_str(r#"},"output":{"ball":"#);
    append_ball(&mut out, &a.output);
    out.push_str(r#","hi":""#);
    a.hi.append_to(&mut out);
    out.push_str(r#"","lo":""#);
    a.lo.append_to(&mut out);
    out.push_str(r#""},"status":"ok","tight":"#);
    out.push_str(if a.tight { "true" } else { "false" });
    out.push_str(r#","tool":"arb_oracle"}"#);
    out
}

pub(super) fn append_ball(out: &mut String, b: &MidRad10Exp) {
    let _ = write!(out, r#"{{"exp":"{}","mid":""#, b.exp);
    b.mid.append_to(out);
    out.push_str(r#"","rad":""#);
    b.rad.append_to(out);
    out.push_str(r#""}"#);
}

/// A JSON string. (Serialising a string cannot fail.)
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
