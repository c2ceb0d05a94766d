//! The interface of Kimina Lean Server 2.0, `/api/check`, and the one before, `/verify`: their bodies, byte for
//! byte, with more keys for those who ask for more.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Caller;
use super::checks::{Batch, Checked, Parameters};
use super::fields::{Fields, problem};
use super::{Refusal, Server, Turn};
use crate::repl::{Audit, Failure, Imports, Infotree, Outcome, Reply, Snippet, Verdict};

/// What is wrong beyond that is not said.
const MOST_PROBLEMS: usize = 100;

/// Enough for 300,000 snippets. Of other things a large body would have so many that they fill the memory.
const MOST_PARTS: usize = 1_000_000;

/// A year: longer times are refused.
const LONGEST: u64 = 365 * 24 * 3600;

const INFOTREES: [(&str, Infotree); 4] = [
    ("full", Infotree::Full),
    ("tactics", Infotree::Tactics),
    ("original", Infotree::Original),
    ("substantive", Infotree::Substantive),
];

const IMPORTS: [(&str, Imports); 2] =
    [("as_written", Imports::AsWritten), ("collapse_mathlib", Imports::CollapseMathlib)];

/// What `/api/check` and `/api/jobs` are asked.
#[derive(Debug, PartialEq)]
pub struct CheckRequest {
    /// The texts, whose ids are all different.
    pub snippets: Vec<Snippet>,
    /// How to check them.
    pub parameters: Parameters,
}

impl CheckRequest {
    /// Reads a body. Errors are a list for `detail`, as pydantic words them.
    pub fn parse(body: &[u8], imports: Imports, longest: Option<u64>) -> Result<CheckRequest, Vec<Value>> {
        let mut problems = Vec::new();
        let request = Self::read(json_body(body)?, imports, longest.unwrap_or(LONGEST), &mut problems);
        match request {
            Some(request) if problems.is_empty() => Ok(request),
            _ => Err(problems),
        }
    }

    fn read(body: Value, imports: Imports, longest: u64, problems: &mut Vec<Value>) -> Option<CheckRequest> {
        let mut fields = Fields::of(body, vec!["body".into()], problems)?;
        let parameters = Parameters {
            timeout: fields.integer("timeout", 30.min(longest), longest),
            debug: fields.flag("debug", false),
            reuse: fields.flag("reuse", true),
            infotree: fields.word("infotree", &INFOTREES),
            all_tactics: fields.flag("all_tactics", false),
            root_goals: fields.flag("root_goals", false),
            imports: fields.word("imports", &IMPORTS).unwrap_or(imports),
            audit: fields.flag("audit", false),
            cache: fields.flag("cache", true),
        };
        let mut snippets = Vec::new();
        for (value, place) in fields.list("snippets") {
            if fields.problems().len() >= MOST_PROBLEMS {
                break;
            }
            let Some(mut snippet) = Fields::of(value, place, fields.problems()) else { continue };
            if let (Some(id), Some(code)) = (snippet.text("id"), snippet.text("code")) {
                snippets.push(Snippet { id, code });
            }
        }
        let wrong = |what: &str| {
            let message = format!("Value error, `snippets` must {what}");
            problem("value_error", &["body".into()], &message, &Value::Null)
        };
        if problems.is_empty() && snippets.is_empty() {
            problems.push(wrong("be non empty"));
        }
        let ids: HashSet<&str> = snippets.iter().map(|s| &*s.id).collect();
        if ids.len() != snippets.len() {
            problems.push(wrong("have unique ids"));
        }
        Some(CheckRequest { snippets, parameters })
    }
}

/// Reads a body of `/verify`.
fn parse_verify(body: &[u8], longest: Option<u64>) -> Result<CheckRequest, Vec<Value>> {
    let mut problems = Vec::new();
    let longest = longest.unwrap_or(LONGEST);
    let mut snippets = Vec::new();
    let mut parameters = None;
    if let Some(mut fields) = Fields::of(json_body(body)?, vec!["body".into()], &mut problems) {
        parameters = Some(Parameters {
            timeout: fields.integer("timeout", 300.min(longest), longest),
            infotree: fields.word("infotree_type", &INFOTREES),
            reuse: !fields.flag("disable_cache", false),
            imports: Imports::CollapseMathlib,
            ..Parameters::default()
        });
        for (value, place) in fields.list("codes") {
            if fields.problems().len() >= MOST_PROBLEMS {
                break;
            }
            let Some(mut code) = Fields::of(value.clone(), place.clone(), fields.problems()) else {
                continue;
            };
            let id = code.text_or_integer("custom_id");
            let (proof, text) = (code.optional_text("proof"), code.optional_text("code"));
            match (id, proof.or(text)) {
                (Some(id), Some(code)) => snippets.push(Snippet { id, code }),
                (Some(id), None) => {
                    let message = format!("Value error, Snippet '{id}' has no proof/code content");
                    fields.problems().push(problem("value_error", &place, &message, &value));
                }
                (None, _) => {}
            }
        }
    }
    match parameters {
        Some(parameters) if problems.is_empty() => Ok(CheckRequest { snippets, parameters }),
        _ => Err(problems),
    }
}

/// How many values a text of JSON can have, at most: its commas and the beginnings of its lists and objects. Read,
/// each may take some hundred bytes, whatever it takes in the text.
fn parts(json: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in json {
        count += usize::from(!inside && matches!(byte, b',' | b'[' | b'{'));
        inside ^= *byte == b'"' && !escaped;
        escaped = inside && *byte == b'\\' && !escaped;
    }
    count
}

fn json_body(body: &[u8]) -> Result<Value, Vec<Value>> {
    if body.trim_ascii().is_empty() {
        return Err(vec![problem("missing", &["body".into()], "Field required", &Value::Null)]);
    }
    if parts(body) > MOST_PARTS {
        let message = format!("The body has more than {MOST_PARTS} parts; send it as several requests");
        return Err(vec![problem("too_long", &["body".into()], &message, &Value::Null)]);
    }
    serde_json::from_slice(body).map_err(|e| {
        let place = ["body".into(), e.column().into()];
        let mut entry = problem("json_invalid", &place, "JSON decode error", &json!({}));
        entry["ctx"] = json!({"error": e.to_string()});
        vec![entry]
    })
}

/// One result of `/api/check`. Keys of our own are last, and only there when they were asked for.
#[derive(Serialize)]
struct ReplResponse<'a> {
    id: &'a str,
    time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'a Audit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// The JSON of one result; with its place in the request and its verdict when there is an `index`.
pub fn render(checked: &Checked, parameters: &Parameters, index: Option<usize>) -> String {
    let outcome = &checked.outcome;
    let timed_out = outcome.verdict() == Verdict::Timeout;
    let diagnostics = match (parameters.debug, timed_out) {
        (true, _) => {
            let mut all = serde_json::to_value(&outcome.diagnostics).unwrap_or_default();
            all["header_time"] = round(outcome.header_time).into();
            all["cached"] = checked.cached.into();
            Some(all)
        }
        // Kimina says which process was ended.
        (false, true) => Some(json!({"repl_uuid": outcome.diagnostics.repl_uuid})),
        (false, false) => None,
    };
    let result = ReplResponse {
        id: &outcome.id,
        time: round(outcome.time),
        error: error_text(outcome),
        response: outcome.result.as_ref().ok(),
        diagnostics,
        index,
        verdict: (parameters.audit || index.is_some()).then(|| checked.verdict()),
        audit: outcome.audit.as_ref(),
        retry_after: checked.retry_after,
    };
    // Texts and numbers: this does not fail.
    serde_json::to_string(&result).unwrap_or_default()
}

/// The text of a failure. Kimina's client takes every text with "timed out" in it for a timeout, also where
/// it is part of what a crashed process wrote.
fn error_text(outcome: &Outcome) -> Option<String> {
    let text = outcome.result.as_ref().err()?.to_string();
    Some(match outcome.verdict() {
        Verdict::Timeout => text,
        _ => text.replace("timed out", "timed-out"),
    })
}

/// One result of `/verify`.
#[derive(Serialize)]
struct BackwardResponse<'a> {
    custom_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Timed<'a>>,
}

/// An answer with its time in it.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    reply: &'a Reply,
    time: f64,
}

fn render_verify(checked: &Checked) -> String {
    let outcome = &checked.outcome;
    let result = BackwardResponse {
        custom_id: &outcome.id,
        error: error_text(outcome),
        response: outcome.result.as_ref().ok().map(|reply| Timed { reply, time: round(outcome.time) }),
    };
    serde_json::to_string(&result).unwrap_or_default()
}

/// Six decimals, as Kimina.
fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// Checks all snippets and answers with `{"results": […]}` in their order; 429 when none was tried because
/// there was no room, 503 when the server is closing.
async fn answer_all(mut batch: Batch, count: usize, render: impl Fn(&Checked) -> String) -> Response {
    let mut results = vec![String::new(); count];
    let mut refused = 0;
    let mut retry_after = 0;
    let mut closing = false;
    while let Some((index, checked)) = batch.next().await {
        refused += usize::from(checked.retry_after.is_some());
        retry_after = retry_after.max(checked.retry_after.unwrap_or(0));
        closing |= matches!(checked.outcome.result, Err(Failure::Cancelled));
        results[index] = render(&checked);
    }
    let length = results.iter().map(|r| r.len() + 1).sum::<usize>() + 16;
    let mut body = String::with_capacity(length);
    body.push_str("{\"results\":[");
    for (i, result) in results.into_iter().enumerate() {
        if i > 0 {
            body.push(',');
        }
        body.push_str(&result);
    }
    body.push(']');
    let json = [(header::CONTENT_TYPE, "application/json")];
    if refused == count && count > 0 {
        let (status, detail) = match closing {
            true => (StatusCode::SERVICE_UNAVAILABLE, "the server is closing; ask again"),
            false => (StatusCode::TOO_MANY_REQUESTS, "No available REPLs"),
        };
        body.push_str(&format!(",\"detail\":\"{detail}\"}}"));
        let retry = [(header::RETRY_AFTER, retry_after.to_string())];
        return (status, json, retry, body).into_response();
    }
    body.push('}');
    (json, body).into_response()
}

/// Whether the answer is to come line by line.
#[derive(Default, Deserialize)]
pub struct Stream {
    stream: Option<String>,
}

/// The media type of JSON objects, one a line.
pub const NDJSON: &str = "application/x-ndjson";

impl Stream {
    fn wanted(&self, headers: &HeaderMap) -> bool {
        let accepts = |v: &axum::http::HeaderValue| v.to_str().is_ok_and(|v| v.contains(NDJSON));
        match self.stream.as_deref() {
            Some(word) => !matches!(word, "0" | "false"),
            None => headers.get_all(header::ACCEPT).iter().any(accepts),
        }
    }
}

/// `POST /api/check`.
pub async fn check(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(turn): Extension<Turn>,
    Query(stream): Query<Stream>,
    request: Request,
) -> Result<Response, Refusal> {
    let streamed = stream.wanted(request.headers());
    let body = server.body(request).await?;
    let longest = server.config.longest_timeout;
    let CheckRequest { snippets, parameters } =
        CheckRequest::parse(&body, Imports::CollapseMathlib, longest).map_err(Refusal::invalid)?;
    drop(body);
    let count = snippets.len();
    let batch = Batch::new(server.checks.clone(), caller, parameters.clone(), snippets);
    if !streamed {
        return Ok(answer_all(batch, count, |checked| render(checked, &parameters, None)).await);
    }
    // The connection asks for the next line; when it is gone, the batch is dropped with the rest.
    let lines =
        futures_util::stream::unfold((batch, parameters, turn), |(mut batch, parameters, turn)| async move {
            let (index, checked) = batch.next().await?;
            let mut line = render(&checked, &parameters, Some(index));
            line.push('\n');
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(line)), (batch, parameters, turn)))
        });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// `POST /verify` and `POST /one_pass_verify_batch`.
pub async fn verify(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = server.body(request).await?;
    let CheckRequest { snippets, parameters } =
        parse_verify(&body, server.config.longest_timeout).map_err(Refusal::invalid)?;
    drop(body);
    let count = snippets.len();
    let batch = Batch::new(server.checks.clone(), caller, parameters, snippets);
    Ok(answer_all(batch, count, render_verify).await)
}

/// `GET /health` and `GET /`: whether snippets are answered.
pub async fn health(State(server): State<Arc<Server>>) -> Response {
    match server.health.state() {
        Ok(()) => Json(json!({"status": "ok"})).into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "error", "detail": reason})))
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::{CommandResponse, Diagnostics, Message, Pos, Severity};

    fn parse(body: &str) -> Result<CheckRequest, Vec<Value>> {
        CheckRequest::parse(body.as_bytes(), Imports::CollapseMathlib, None)
    }

    /// The kind and the place of the first problem.
    fn problem_of(body: &str) -> (String, Value) {
        let problems = parse(body).expect_err(body);
        (problems[0]["type"].as_str().expect("a type").into(), problems[0]["loc"].clone())
    }

    #[test]
    fn defaults_are_kiminas() {
        let request = parse(r#"{"snippets":[{"id":"a","code":"x"}],"else":1}"#).expect("right");
        let p = request.parameters;
        assert_eq!((p.timeout, p.debug, p.reuse, p.infotree), (30, false, true, None));
        assert_eq!(p.imports, Imports::CollapseMathlib);
        let legacy =
            parse_verify(br#"{"codes":[{"custom_id":7,"proof":"p","code":"c"}]}"#, None).expect("right");
        assert_eq!(legacy.snippets, [Snippet { id: "7".into(), code: "p".into() }]);
        assert_eq!((legacy.parameters.timeout, legacy.parameters.reuse), (300, true));
    }

    #[test]
    fn wrong_bodies_are_refused_at_their_place() {
        let ok = r#"[{"id":"a","code":"x"}]"#;
        let cases = [
            ("", "missing", json!(["body"])),
            ("{", "json_invalid", json!(["body", 1])),
            ("[]", "model_attributes_type", json!(["body"])),
            ("{}", "missing", json!(["body", "snippets"])),
            (r#"{"snippets":[]}"#, "value_error", json!(["body"])),
            (r#"{"snippets":{}}"#, "list_type", json!(["body", "snippets"])),
            (r#"{"snippets":[1]}"#, "model_attributes_type", json!(["body", "snippets", 0])),
            (r#"{"snippets":[{"id":"a"}]}"#, "missing", json!(["body", "snippets", 0, "code"])),
            (r#"{"snippets":[{"id":1,"code":""}]}"#, "string_type", json!(["body", "snippets", 0, "id"])),
            (r#"{"snippets":[{"id":"a","code":""},{"id":"a","code":""}]}"#, "value_error", json!(["body"])),
            (
                &format!(r#"{{"snippets":{ok},"timeout":-1}}"#),
                "greater_than_equal",
                json!(["body", "timeout"]),
            ),
            (&format!(r#"{{"snippets":{ok},"timeout":1.5}}"#), "int_from_float", json!(["body", "timeout"])),
            (&format!(r#"{{"snippets":{ok},"timeout":null}}"#), "int_type", json!(["body", "timeout"])),
            (&format!(r#"{{"snippets":{ok},"timeout":1e99}}"#), "int_from_float", json!(["body", "timeout"])),
            (&format!(r#"{{"snippets":{ok},"infotree":"all"}}"#), "enum", json!(["body", "infotree"])),
            (&format!(r#"{{"snippets":{ok},"reuse":"maybe"}}"#), "bool_parsing", json!(["body", "reuse"])),
        ];
        for (body, kind, place) in cases {
            assert_eq!(problem_of(body), (kind.to_string(), place), "{body}");
        }
        let nobody = parse_verify(br#"{"codes":[{"custom_id":"x"}]}"#, None).expect_err("no text");
        assert_eq!(nobody[0]["msg"], "Value error, Snippet 'x' has no proof/code content");
    }

    #[test]
    fn what_pydantic_takes_is_taken() {
        let request = parse(r#"{"snippets":[{"id":"a","code":"x"}],"timeout":"7","debug":1,"reuse":"off"}"#);
        let p = request.expect("right").parameters;
        assert_eq!((p.timeout, p.debug, p.reuse), (7, true, false));
    }

    fn checked(result: Result<Reply, Failure>) -> Checked {
        let diagnostics = Diagnostics { repl_uuid: "u".into(), ..Diagnostics::default() };
        let outcome = Outcome {
            id: "a".into(),
            time: 0.0123456789,
            header_time: 0.0,
            result,
            audit: None,
            diagnostics,
        };
        Checked { outcome, cached: false, retry_after: None }
    }

    #[test]
    fn results_have_kiminas_form() {
        let parameters = parse(r#"{"snippets":[{"id":"a","code":"x"}]}"#).expect("right").parameters;
        let message = Message {
            severity: Severity::Info,
            pos: Pos { line: 2, column: 0 },
            end_pos: Some(Pos { line: 2, column: 6 }),
            data: "Nat : Type".into(),
        };
        let response =
            CommandResponse { env: Some(1), messages: vec![message], ..CommandResponse::default() };
        let good = checked(Ok(Reply::Response(response)));
        // The example of Kimina's documentation.
        let expected = json!({"env": 1, "messages": [{"severity": "info", "pos": {"line": 2, "column": 0},
            "endPos": {"line": 2, "column": 6}, "data": "Nat : Type"}]});
        let read = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
        let result = read(render(&good, &parameters, None));
        assert_eq!(result, json!({"id": "a", "time": 0.012346, "response": expected}));
        let mut legacy = expected;
        legacy["time"] = json!(0.012346);
        assert_eq!(read(render_verify(&good)), json!({"custom_id": "a", "response": legacy}));
        let late = checked(Err(Failure::Timeout { seconds: 1.0, header: true }));
        let text = "Lean REPL header command timed out in 1.0 seconds";
        assert_eq!(read(render(&late, &parameters, None))["error"], text);
        assert_eq!(read(render(&late, &parameters, None))["diagnostics"], json!({"repl_uuid": "u"}));
        assert_eq!(read(render_verify(&late)), json!({"custom_id": "a", "error": text}));
        // Its client looks for "timed out" in the text.
        let worked = checked(Err(Failure::CpuLimit { seconds: 2.0 }));
        let text = "Lean REPL command timed out: more than 2.0 seconds of processor time";
        assert_eq!(read(render(&worked, &parameters, None))["error"], text);
        assert_eq!(read(render(&worked, &parameters, Some(0)))["verdict"], "timeout_error");
        assert_eq!(read(render(&worked, &parameters, None))["diagnostics"], json!({"repl_uuid": "u"}));
        assert_eq!(read(render_verify(&worked)), json!({"custom_id": "a", "error": text}));
        let stderr = "it timed out".to_string();
        let crashed = checked(Err(Failure::Crashed { reason: "signal 11".into(), stderr }));
        let error = read(render(&crashed, &parameters, None))["error"].to_string();
        assert!(error.contains("signal 11") && !error.contains("timed out"), "{error}");
    }
}
