//! The JSON form of questions about networks.
//!
//! ```json
//! {"kind":"mlp","input":{"lo":["-0.1","0.2"],"hi":["0.1","0.3"]},
//!  "layers":[{"W":[["1","2"],["0.5","-1"]],"b":["0","1/10"],"act":"relu"},
//!            {"W":[["1","1"]],"b":["0"],"act":"tanh"}]}
//! ```
//!
//! Optional: `"method"` (`ibp`, `crown`, `both`), `"classify"` (an output), a layer's `"act"`
//! (`identity` when left out) and, for `leaky_relu`, `"slope"`. `W` and `b` may also be objects
//! `{"dtype":"f32","shape":[rows,columns],"base64":"…"}` of little-endian numbers.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::activation::Activation;
use super::classify::{Classification, Verdict};
use super::weights::from_base64;
use super::{Layer, Method, MlpAnswer, Network, Numbers, decimals};
use crate::ball::{Direction, Enclosure, Interval, Rational};
use crate::error::{Code, Error, Result};
use crate::oracle::budget::Budget;
use crate::oracle::questions::append_interval;
use crate::oracle::request::{NumberText, not_json, object};
use crate::oracle::unary::Settings;

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    input: Raw<'a>,
    #[serde(borrow)]
    layers: Raw<'a>,
    #[serde(borrow)]
    method: Raw<'a>,
    #[serde(borrow)]
    classify: Raw<'a>,
}

#[derive(Deserialize)]
struct InputBox<'a> {
    #[serde(borrow)]
    lo: Raw<'a>,
    #[serde(borrow)]
    hi: Raw<'a>,
}

#[derive(Deserialize)]
struct LayerText<'a> {
    #[serde(borrow, rename = "W")]
    weights: Raw<'a>,
    #[serde(borrow, rename = "b")]
    biases: Raw<'a>,
    #[serde(borrow)]
    act: Raw<'a>,
    #[serde(borrow)]
    slope: Raw<'a>,
}

#[derive(Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: Vec<usize>,
    #[serde(borrow)]
    base64: Cow<'a, str>,
}

fn bad(message: impl Into<String>, field: &'static str) -> Error {
    Error::new(Code::BadRequest, message).at(field)
}

/// Answers a request of kind `mlp`.
pub(in crate::oracle) fn answer(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    answer_request(None, request, settings, budget)
}

/// Answers a request of kind `mlp` about `network`; the request has no `layers` then.
pub fn answer_network(
    network: &Network,
    request: &[u8],
    settings: &Settings,
    budget: &Budget,
) -> Result<String> {
    answer_request(Some(network), request, settings, budget)
}

fn answer_request(
    network: Option<&Network>,
    request: &[u8],
    settings: &Settings,
    budget: &Budget,
) -> Result<String> {
    settings.check()?;
    let request: Request = object(request).map_err(not_json)?;
    let input = input_box(request.input, settings)?;
    let method = match optional(request.method) {
        None => Method::default(),
        Some(raw) => Method::find(&string(raw).ok_or_else(|| bad("method must be a string", "method"))?)?,
    };
    let class: Option<usize> = match optional(request.classify) {
        None => None,
        Some(raw) => {
            let message = "classify must be the index of an output, counted from 0";
            Some(read(raw).ok_or_else(|| bad(message, "classify"))?)
        }
    };
    let own;
    let network = match (network, optional(request.layers)) {
        (Some(network), None) => network,
        (Some(_), Some(_)) => {
            return Err(bad("the network is given; the request must not have layers too", "layers"));
        }
        (None, Some(raw)) => {
            own = layers(raw, input.len(), settings, budget)?;
            &own
        }
        (None, None) => return Err(bad("mlp.layers must be a list; it is missing", "layers")),
    };
    network.check(input.len())?;
    if let Some(class) = class {
        network.check_class(class, input.len())?;
    }
    let found = network.bound(method, &input, settings, budget)?;
    let classification =
        class.map(|class| network.decide(class, &input, &found, settings, budget)).transpose()?;
    let answer = MlpAnswer { outputs: decimals(&found.outputs, settings)?, method };
    render(&answer, classification.as_ref(), settings)
}

// ------------------------------------------------------------------------------------ reading

/// `null` is as good as nothing.
fn optional(raw: Raw<'_>) -> Raw<'_> {
    raw.filter(|raw| raw.get() != "null")
}

fn read<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn string(raw: &RawValue) -> Option<String> {
    read(raw)
}

fn list(raw: Raw<'_>) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw?.get()).ok()
}

/// A number anywhere in the request; `place` says where for messages.
fn number(raw: &RawValue, place: &dyn Fn() -> String, field: &'static str, limit: u32) -> Result<Interval> {
    let NumberText(text) = serde_json::from_str(raw.get())
        .map_err(|_| bad(format!("{} must be a string or a JSON number", place()), field))?;
    Interval::parse(&text, limit)
        .map_err(|e| Error { message: format!("{}: {}", place(), e.message), ..e }.at(field))
}

fn input_box(raw: Raw<'_>, settings: &Settings) -> Result<Vec<Interval>> {
    let lists = || bad("mlp.input.lo/hi must be same-length lists", "input");
    let raw = raw.ok_or_else(|| bad("mlp.input must be an object {lo, hi}; it is missing", "input"))?;
    let ends: InputBox =
        object(raw.get().as_bytes()).map_err(|_| bad("mlp.input must be an object {lo, hi}", "input"))?;
    let (lo, hi) =
        list(ends.lo).zip(list(ends.hi)).filter(|(lo, hi)| lo.len() == hi.len()).ok_or_else(lists)?;
    let limit = settings.exp_limit;
    let hull = |(i, (lo, hi)): (usize, (&&RawValue, &&RawValue))| {
        let lo = number(lo, &|| format!("input.lo[{i}]"), "input", limit)?;
        let hi = number(hi, &|| format!("input.hi[{i}]"), "input", limit)?;
        if lo.lo > hi.hi {
            let message = format!("input.lo[{i}] is above input.hi[{i}]; swap them if that is what you mean");
            return Err(Error::new(Code::Reversed, message).at("input"));
        }
        Ok(Interval { lo: lo.lo.min(hi.lo), hi: lo.hi.max(hi.hi) })
    };
    lo.iter().zip(&hi).enumerate().map(hull).collect()
}

fn layers(raw: &RawValue, inputs: usize, settings: &Settings, budget: &Budget) -> Result<Network> {
    let items = list(Some(raw)).ok_or_else(|| bad("mlp.layers must be a list", "layers"))?;
    let mut columns = inputs;
    let mut layers = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let text: LayerText = object(item.get().as_bytes())
            .map_err(|e| bad(format!("layers[{i}] must be an object {{W, b, act}}: {e}"), "layers"))?;
        let place = |name: &str| format!("layers[{i}].{name}");
        let biases = biases(text.biases, &place("b"), settings)?;
        let rows = biases.len();
        let weights = weights(text.weights, rows, columns, &place("W"), settings, budget)?;
        let activation = activation(&text, &place("slope"), settings)?;
        layers.push(Layer { weights, biases, activation });
        columns = rows;
    }
    Ok(Network { layers })
}

fn packed(raw: &RawValue, place: &str) -> Result<(Vec<usize>, Vec<f64>)> {
    let form = r#"{"dtype":"f32" or "f64","shape":[...],"base64":"..."}"#;
    let packed: Packed = object(raw.get().as_bytes())
        .map_err(|_| bad(format!("{place} must be a list, or an object {form}"), "layers"))?;
    let values = from_base64(&packed.dtype, &packed.shape, &packed.base64)
        .map_err(|e| Error { message: format!("{place}: {}", e.message), ..e })?;
    Ok((packed.shape, values))
}

fn is_object(raw: Raw<'_>) -> bool {
    raw.is_some_and(|raw| raw.get().starts_with('{'))
}

fn biases(raw: Raw<'_>, place: &str, settings: &Settings) -> Result<Numbers> {
    if is_object(raw)
        && let Some(raw) = raw
    {
        let (shape, values) = packed(raw, place)?;
        if shape.len() != 1 {
            return Err(bad(format!("{place} has the shape {shape:?}; a vector is needed"), "layers"));
        }
        return Ok(Numbers::Doubles(values));
    }
    let items = list(raw)
        .ok_or_else(|| bad(format!("layer.W and layer.b must be lists: {place} is not"), "layers"))?;
    let item =
        |(i, raw): (usize, &RawValue)| number(raw, &|| format!("{place}[{i}]"), "layers", settings.exp_limit);
    Ok(Numbers::Intervals(items.into_iter().enumerate().map(item).collect::<Result<_>>()?))
}

fn weights(
    raw: Raw<'_>,
    rows: usize,
    columns: usize,
    place: &str,
    settings: &Settings,
    budget: &Budget,
) -> Result<Numbers> {
    let row_length = |i: usize, found: usize| {
        let message = format!(
            "each row of W must have length equal to input dimension: {place}[{i}] has {found} entries, the \
             input dimension is {columns}"
        );
        bad(message, "layers")
    };
    let row_count = |found: usize| {
        let message =
            format!("layer.W rows must match bias length: {place} has {found} rows for {rows} biases");
        bad(message, "layers")
    };
    if is_object(raw)
        && let Some(raw) = raw
    {
        let (shape, values) = packed(raw, place)?;
        return match shape.as_slice() {
            [r, _] if *r != rows => Err(row_count(*r)),
            [r, c] if *c != columns && *r > 0 => Err(row_length(0, *c)),
            [_, _] => Ok(Numbers::Doubles(values)),
            _ => Err(bad(format!("{place} has the shape {shape:?}; a matrix is needed"), "layers")),
        };
    }
    let items = list(raw)
        .ok_or_else(|| bad(format!("layer.W and layer.b must be lists: {place} is not"), "layers"))?;
    if items.len() != rows {
        return Err(row_count(items.len()));
    }
    let mut values = Vec::new();
    for (i, row) in items.into_iter().enumerate() {
        let row = list(Some(row)).ok_or_else(|| bad(format!("{place}[{i}] must be a list"), "layers"))?;
        if row.len() != columns {
            return Err(row_length(i, row.len()));
        }
        budget.spend(columns as u64)?;
        for (j, raw) in row.into_iter().enumerate() {
            values.push(number(raw, &|| format!("{place}[{i}][{j}]"), "layers", settings.exp_limit)?);
        }
    }
    Ok(Numbers::Intervals(values))
}

fn activation(layer: &LayerText, place: &str, settings: &Settings) -> Result<Activation> {
    let activation = match optional(layer.act) {
        None => Activation::Identity,
        Some(raw) => Activation::find(&string(raw).ok_or_else(|| bad("act must be a string", "act"))?)?,
    };
    match (activation, optional(layer.slope)) {
        (activation, None) => Ok(activation),
        (Activation::LeakyRelu(_), Some(raw)) => {
            let slope = number(raw, &|| place.into(), "layers", settings.exp_limit)?;
            if !slope.is_point() {
                return Err(bad(format!("{place} must be an exact number, not a ball"), "layers"));
            }
            Ok(Activation::LeakyRelu(slope.lo))
        }
        (other, Some(_)) => {
            let message = format!("{place} is given, but only leaky_relu has a slope, not {}", other.name());
            Err(bad(message, "layers"))
        }
    }
}

// ------------------------------------------------------------------------------------ writing

fn render(answer: &MlpAnswer, class: Option<&Classification>, settings: &Settings) -> Result<String> {
    let mut out = String::with_capacity(256 + answer.outputs.len() * (128 + 4 * settings.digits as usize));
    out.push('{');
    // Writing to a String cannot fail.
    if let Some(c) = class {
        let _ = write!(out, r#""classify":{{"class":{},"margin":"#, c.class);
        match &c.margin {
            None => out.push_str("null"),
            Some(margin) => {
                let _ = write!(out, r#""{margin}""#);
            }
        }
        if let Verdict::False { rival, .. } = &c.verdict {
            let _ = write!(out, r#","rival":{rival}"#);
        }
        let _ = write!(out, r#","verdict":"{}""#, c.verdict.name());
        if let Verdict::False { witness, .. } = &c.verdict {
            let texts: Vec<String> = witness.iter().map(|q| format!("\"{}\"", exact_text(q))).collect();
            let _ = write!(out, r#","witness":[{}]"#, texts.join(","));
        }
        out.push_str("},");
    }
    let Settings { digits, prec_bits, .. } = settings;
    let method = answer.method.name();
    let _ = write!(
        out,
        r#""ctx":{{"digits":{digits},"prec_bits":{prec_bits}}},"kind":"mlp","method":"{method}","output":{{"vector":["#
    );
    for (i, y) in answer.outputs.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        append_interval(&mut out, y);
    }
    out.push_str(r#"]},"status":"ok","tool":"arb_oracle"}"#);
    Ok(out)
}

/// The number exactly, as a decimal if that is short, else as a fraction.
fn exact_text(q: &Rational) -> String {
    let decimal = q
        .to_short_decimal()
        .and_then(|_| Enclosure::exact(q.clone()).round(Direction::Down, 19, u32::MAX).ok())
        .filter(|(decimal, _)| decimal.to_rational() == *q);
    decimal.map_or_else(|| q.to_string(), |(decimal, _)| decimal.to_string())
}
