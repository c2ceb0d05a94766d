//! Arbitrary bytes as a JSON request: never a panic, always JSON, and an answer is consistent with
//! itself.

#![no_main]

use lean_oracle::Code;
use lean_oracle::ball::{Interval, Rational};
use lean_oracle::oracle::{Settings, answer_json, error_json};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Settings that keep single inputs fast.
const SETTINGS: Settings = Settings { digits: 12, prec_bits: 64, max_bits: Some(512), exp_limit: 300 };

/// So many evaluations a question may take.
const MAX_NODES: u64 = 2_000;

fuzz_target!(|data: &[u8]| {
    match serde_json::from_slice(data) {
        Ok(Value::Object(request)) if takes_its_time(&request) => {
            let mut request = Value::Object(request);
            limit(&mut request);
            check(request.to_string().as_bytes(), Some(SETTINGS));
        }
        Ok(Value::Object(request)) => {
            check(data, Some(SETTINGS));
            // With the request's own settings too, if those are as small.
            let within =
                |key: &str, most: u64| request.get(key).and_then(Value::as_u64).is_some_and(|v| v <= most);
            let absent_or = |key: &str, most| !request.contains_key(key) || within(key, most);
            if within("exp_limit", 300)
                && within("max_bits", 512)
                && absent_or("digits", 40)
                && absent_or("prec_bits", 512)
            {
                check(data, None);
            }
        }
        // JSON that serde_json's own values cannot hold, such as 1e400: only if it is no long question.
        Err(_)
            if data.windows(6).any(|w| w == b"\"kind\"")
                && serde_json::from_slice::<IgnoredAny>(data).is_ok() => {}
        _ => check(data, Some(SETTINGS)),
    }
});

/// Whether this kind of request searches.
fn takes_its_time(request: &serde_json::Map<String, Value>) -> bool {
    request.get("kind").is_some_and(|kind| kind != "unary")
}

/// Bounds the work of a request, and of those in a batch.
fn limit(request: &mut Value) {
    if let Value::Object(request) = request {
        let nodes = request.get("max_nodes").and_then(Value::as_u64).map_or(MAX_NODES, |n| n.min(MAX_NODES));
        request.insert("max_nodes".into(), nodes.into());
        if let Some(Value::Array(requests)) = request.get_mut("requests") {
            requests.truncate(4);
            requests.iter_mut().for_each(limit);
        }
    }
}

fn check(data: &[u8], settings: Option<Settings>) {
    match answer_json(data, settings) {
        Ok(text) => {
            let answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(answer["status"], "ok", "{text}");
            intervals(&answer, &text);
            // The ball of the input of a unary question contains the interval that was asked about.
            let Value::Object(input) = &answer["input"] else { return };
            let [lo, hi] = ["lo", "hi"].map(|key| input[key].as_str().expect("echoed as text"));
            let asked = Interval::parse_endpoints(lo, hi, u32::MAX).expect("it was read before");
            let input = ball(&input["ball"]);
            assert!(input.lo <= asked.lo && asked.hi <= input.hi, "{text}");
        }
        Err(e) => {
            let text = error_json(&e);
            let error: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(error["status"], "error", "{text}");
            assert_eq!(error["error"]["code"], e.code.name(), "{text}");
            assert!(e.code != Code::Internal, "{text}");
            assert!(e.message.len() < 2_000, "a message must not repeat all of a long request: {text}");
        }
    }
}

/// Wherever an answer has an interval, its printed ends and its ball are the same, and in order.
fn intervals(value: &Value, text: &str) {
    match value {
        Value::Object(map) => {
            if let (Some(lo), Some(hi), Some(b)) = (map.get("lo"), map.get("hi"), map.get("ball")) {
                let (lo, hi, b) = (number(lo), number(hi), ball(b));
                assert!(lo <= hi && b.lo == lo && b.hi == hi, "{text}");
            }
            // `input` echoes the question.
            map.iter().filter(|(key, _)| *key != "input").for_each(|(_, v)| intervals(v, text));
        }
        Value::Array(items) => items.iter().for_each(|v| intervals(v, text)),
        _ => {}
    }
}

fn number(value: &Value) -> Rational {
    let text = value.as_str().expect("ends are text");
    let interval = Interval::parse(text, u32::MAX).unwrap_or_else(|e| panic!("{e}"));
    assert!(interval.is_point(), "{text}");
    interval.lo
}

fn ball(value: &Value) -> Interval {
    let [mid, rad, exp] = ["mid", "rad", "exp"].map(|key| value[key].as_str().expect("integers are text"));
    Interval::parse(&format!("[{mid}e{exp} +/- {rad}e{exp}]"), u32::MAX).unwrap_or_else(|e| panic!("{e}"))
}
