//! AXLE's interface to [`merge`](crate::merge) and its neighbours, for AXLE's own clients
//! (`AXLE_API_URL`): `POST /api/v1/TOOL`, `/v1/axle/merge`, and what the clients ask before.
//!
//! One toolchain is here, whatever `environment` a request names. What cannot be done as asked is refused
//! with a `user_error`: an option that is ignored would give a wrong answer.

use std::sync::Arc;

use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::{OnceCell, Semaphore};

use super::arb::StopOnDrop;
use super::auth::Caller;
use super::{Refusal, Server, is_json};
use crate::merge::{Fatal, Lean, TOOLS, run_tool};

/// AXLE's default of `timeout_seconds`, and the most that may be asked for.
const SECONDS: (f64, f64) = (120.0, 900.0);

/// The compiler, and how many of them may run.
pub struct Axle {
    /// Looked for when it is first needed: a server on a REPL can do without.
    lean: OnceCell<Lean>,
    /// One permit for each compiler.
    compilers: Arc<Semaphore>,
    /// All permits.
    most: usize,
}

impl Axle {
    /// With so many compilers at once.
    pub fn new(compilers: usize) -> Axle {
        Axle { lean: OnceCell::new(), compilers: Arc::new(Semaphore::new(compilers)), most: compilers }
    }
}

impl Server {
    /// The compiler of the tools. That there is none is not the fault of who asks.
    async fn lean(&self) -> Result<&Lean, Fatal> {
        let find = || async {
            let project = self.config.project.clone();
            let found = tokio::task::spawn_blocking(move || Lean::discover(project.as_deref())).await;
            let found = found.unwrap_or_else(|e| Err(Fatal::Internal(e.to_string())));
            found.map_err(|e| Fatal::Internal(e.to_string()))
        };
        self.axle.lean.get_or_try_init(find).await
    }
}

/// The routes behind the keys.
pub fn routes() -> Router<Arc<Server>> {
    let others =
        Router::new().route("/v1/environments", get(environments)).route("/v1/axle/merge", post(tool));
    TOOLS.iter().fold(others, |all, name| all.route(&format!("/api/v1/{name}"), post(tool)))
}

/// What a key of a request may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Integers,
    /// Texts to texts.
    Names,
    Flag,
    Seconds,
    OneOf(&'static [&'static str]),
    /// Options of Lean: words, numbers, true or false.
    Options,
    /// How much is printed.
    Level,
    /// An option of AXLE's that is not there: only its default, as JSON.
    Only(&'static str),
}

impl Kind {
    /// What the value should be, if it is something else.
    fn expected(self, value: &Value) -> Option<String> {
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|a| a.iter().all(fits));
        let (fits, expected) = match self {
            Kind::Text => (value.is_string(), "a text".to_string()),
            Kind::Texts => (all(Value::is_string), "a list of texts".into()),
            Kind::Integers => (all(Value::is_i64), "a list of integers".into()),
            Kind::Names => {
                let fits = value.as_object().is_some_and(|o| o.values().all(Value::is_string));
                (fits, "an object of names: {\"old\": \"new\"}".into())
            }
            Kind::Options => {
                let fits = |v: &Value| v.is_boolean() || v.is_u64() || v.is_string();
                let fits = value.as_object().is_some_and(|o| o.values().all(fits));
                (fits, "an object of options: {\"name\": true, a natural number or a text}".into())
            }
            Kind::Level => (value.as_f64().is_some_and(|v| [0.0, 1.0, 2.0].contains(&v)), "0, 1 or 2".into()),
            Kind::Flag => (value.is_boolean(), "true or false".into()),
            Kind::Seconds => (value.is_number(), "a number of seconds".into()),
            Kind::OneOf(words) => {
                (value.as_str().is_some_and(|v| words.contains(&v)), format!("one of {}", words.join(", ")))
            }
            Kind::Only(default) => {
                let fits = serde_json::from_str::<Value>(default).is_ok_and(|d| d == *value);
                (fits, format!("{default}, its default: the option is not supported here"))
            }
        };
        (!fits).then_some(expected)
    }
}

/// The keys of all tools.
const COMMON: [(&str, Kind); 7] = [
    ("environment", Kind::Text),
    ("ignore_imports", Kind::Flag),
    ("timeout_seconds", Kind::Seconds),
    // The result is compiled anyway.
    ("reparse", Kind::Flag),
    ("mathlib_options", Kind::Only("false")),
    ("run_env_linters", Kind::Only("false")),
    ("global_options", Kind::Options),
];

/// The keys of one tool, and how many of them, the first, are needed.
fn keys(tool: &str) -> (&'static [(&'static str, Kind)], usize) {
    const NAMES: (&str, Kind) = ("names", Kind::Texts);
    const INDICES: (&str, Kind) = ("indices", Kind::Integers);
    const THEOREMS: (&str, Kind) = ("theorems_only", Kind::Flag);
    match tool {
        "merge" => {
            const SCOPES: &[&str] = &["hoist", "preserve"];
            let keys = &[
                ("documents", Kind::Texts),
                ("use_def_eq", Kind::Flag),
                ("include_alts_as_comments", Kind::Flag),
                ("scopes", Kind::OneOf(SCOPES)),
            ];
            (keys, 1)
        }
        "normalize" => {
            (&[("content", Kind::Text), ("normalizations", Kind::Texts), ("failsafe", Kind::Flag)], 1)
        }
        "rename" => (&[("content", Kind::Text), ("declarations", Kind::Names)], 2),
        "extract_decls" => {
            let keys = &[
                ("content", Kind::Text),
                NAMES,
                INDICES,
                ("elaborate", Kind::Flag),
                ("elaborate_proofs", Kind::Flag),
                ("dependencies_only", Kind::Flag),
                ("verbosity", Kind::Level),
                ("delab_options", Kind::Options),
            ];
            (keys, 1)
        }
        // check and theorem2sorry
        _ => (&[("content", Kind::Text), NAMES, INDICES, THEOREMS], 1),
    }
}

/// Reads the body of a request to `tool`, with AXLE's defaults and times up to `longest`.
fn read(tool: &str, body: &[u8], longest: f64) -> Result<Value, Fatal> {
    let user = |message: String| Err(Fatal::User(message));
    let mut object: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(object) => object,
        Err(e) => return user(format!("the body is not a JSON object: {e}")),
    };
    // As AXLE's client, which leaves out what is `None`.
    object.retain(|_, value| !value.is_null());
    let (own, needed) = keys(tool);
    if let Some((missing, _)) = own[..needed].iter().find(|(key, _)| !object.contains_key(*key)) {
        return user(format!("{tool} needs {missing}"));
    }
    for (key, value) in &object {
        let Some((_, kind)) = own.iter().chain(&COMMON).find(|(name, _)| name == key) else {
            let taken: Vec<&str> = own.iter().chain(&COMMON).map(|(name, _)| *name).collect();
            return user(format!("{tool} takes no {key:?} here; it takes {}", taken.join(", ")));
        };
        if let Some(expected) = kind.expected(value) {
            return user(format!("{key} must be {expected}"));
        }
    }
    let (default, most) = SECONDS;
    let most = most.min(longest);
    let seconds = object.get("timeout_seconds").and_then(Value::as_f64).unwrap_or(default.min(most));
    if !(0.0..=most).contains(&seconds) {
        return user(format!("timeout_seconds must be from 0 to {most}"));
    }
    object.insert("timeout_seconds".into(), seconds.into());
    if tool == "merge" {
        object.entry("scopes").or_insert("hoist".into());
    }
    Ok(Value::Object(object))
}

/// `POST /api/v1/TOOL` and `/v1/axle/merge`.
pub async fn tool(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    path: MatchedPath,
    request: Request,
) -> Result<Response, Refusal> {
    // Routes end with the name of their tool.
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    let Some(tool) = TOOLS.into_iter().find(|t| *t == name) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "Not Found"));
    };
    // AXLE's client sends JSON as text/plain. A web page of somebody else could do that too, but neither set
    // a header of AXLE's nor send a key without asking this server first, which does not allow it.
    let foreign = server.config.keys.is_open() && !request.headers().contains_key("x-request-source");
    if foreign && !is_json(&request) {
        let message = "send the header `Content-Type: application/json` (or `X-Request-Source`)";
        return Ok(fatal(&Fatal::User(message.into())));
    }
    let body = server.bytes(request).await?;
    let longest = server.config.longest_timeout.map_or(f64::INFINITY, |seconds| seconds as f64);
    let request = match read(tool, &body, longest) {
        Ok(request) => request,
        Err(e) => return Ok(fatal(&e)),
    };
    drop(body);
    if let Err(seconds) = caller.admit() {
        let message = "the rate of this API key is used up";
        return Ok(Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).retry(seconds));
    }
    Ok(match answer(&server, &caller, tool, request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(e) => fatal(&e),
    })
}

/// Does the work in turn.
async fn answer(
    server: &Server,
    caller: &Caller,
    tool: &'static str,
    request: Value,
) -> Result<Value, Fatal> {
    let stop = StopOnDrop(Arc::default());
    let slot = caller.slot().await;
    let mut lean = server.lean().await?.clone();
    lean.stop = stop.0.clone();
    // Each document is compiled by itself, everything else by one compiler.
    lean.jobs = request["documents"].as_array().map_or(1, Vec::len).clamp(1, server.axle.most);
    let permits = u32::try_from(lean.jobs).unwrap_or(u32::MAX);
    let turn = server.axle.compilers.clone().acquire_many_owned(permits).await;
    let turn = turn.map_err(|_| Fatal::Internal("the server is closing".into()))?;
    let version = lean.version().to_string();
    let work = move || {
        // Held until the work has ended, also when nobody waits for it any more.
        let _held = (slot, turn);
        let mut answer = run_tool(tool, &request, lean)?;
        answer["info"] = json!({"lean_version": version});
        Ok(answer)
    };
    let answer = tokio::task::spawn_blocking(work).await;
    answer.unwrap_or_else(|e| Err(Fatal::Internal(format!("a defect: {e}"))))
}

/// An answer without a result. AXLE's client tells times and memory that are used up from defects only
/// where the status is 200.
fn fatal(e: &Fatal) -> Response {
    let status = match e {
        Fatal::User(_) => StatusCode::BAD_REQUEST,
        Fatal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Fatal::Timeout | Fatal::Resources(_) => StatusCode::OK,
    };
    if let Fatal::Internal(message) = e {
        tracing::error!("{message}");
    }
    (status, Json(e.body())).into_response()
}

/// `GET /v1/environments`: the toolchain that is here, as a list of one.
pub async fn environments(State(server): State<Arc<Server>>) -> Response {
    let lean = match server.lean().await {
        Ok(lean) => lean,
        Err(e) => return fatal(&e),
    };
    let version = number(lean.version());
    Json(json!([{
        "name": format!("lean-{version}"),
        "lean_toolchain": format!("leanprover/lean4:v{version}"),
        "repo_url": null,
        "revision": null,
        "subdir": null,
        "imports": lean.imports,
        "description": format!("The Lean of this server; other names mean it too. {}", lean.version()),
    }]))
    .into_response()
}

/// `4.35.0` of `Lean (version 4.35.0, …)`.
fn number(version: &str) -> &str {
    let after = version.split_once("version ").map_or(version, |(_, after)| after);
    after.split([',', ' ', ')']).next().unwrap_or(after)
}

/// `GET /v1/status`: [`health`](super::kimina::health) in AXLE's words.
pub async fn status(State(server): State<Arc<Server>>) -> Response {
    let (status, body) = match server.health.state() {
        Ok(()) => (StatusCode::OK, json!({"status": "healthy"})),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "unhealthy", "detail": reason})),
    };
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tool: &str, body: &str) -> String {
        match read(tool, body.as_bytes(), 600.0) {
            Err(Fatal::User(message)) => message,
            other => panic!("{tool} {body}: {other:?}"),
        }
    }

    #[test]
    fn defaults_are_axles() {
        let body =
            br#"{"documents": ["a"], "environment": "x", "use_def_eq": null, "mathlib_options": false}"#;
        let request = read("merge", body, f64::INFINITY).expect("right");
        assert_eq!((&request["scopes"], &request["timeout_seconds"]), (&json!("hoist"), &json!(120.0)));
        assert!(request.get("use_def_eq").is_none());
        let short = read("check", br#"{"content": ""}"#, 60.0).expect("right");
        assert_eq!(short["timeout_seconds"], json!(60.0));
        let long = read("check", br#"{"content": "", "timeout_seconds": 900}"#, f64::INFINITY);
        assert_eq!(long.expect("right")["timeout_seconds"], json!(900.0));
    }

    #[test]
    fn what_cannot_be_done_as_asked_is_refused_by_its_name() {
        for (tool, body, word) in [
            ("merge", "", "JSON object"),
            ("merge", "[]", "JSON object"),
            ("merge", "{}", "documents"),
            ("merge", r#"{"documents": null}"#, "documents"),
            ("merge", r#"{"documents": [1]}"#, "documents"),
            ("merge", r#"{"documents": [], "scopes": "none"}"#, "preserve"),
            ("merge", r#"{"documents": [], "use_def": true}"#, "use_def_eq"),
            ("check", r#"{"content": 1}"#, "content"),
            ("check", r#"{"content": "", "names": "a"}"#, "names"),
            ("check", r#"{"content": "", "global_options": {"autoImplicit": null}}"#, "natural number"),
            ("check", r#"{"content": "", "mathlib_options": true}"#, "not supported"),
            ("merge", r#"{"documents": [], "names": ["a"]}"#, "takes no"),
            ("check", r#"{"content": "", "timeout_seconds": "1"}"#, "seconds"),
            ("check", r#"{"content": "", "timeout_seconds": -1}"#, "from 0 to 600"),
            ("check", r#"{"content": "", "timeout_seconds": 601}"#, "from 0 to 600"),
            ("rename", r#"{"content": ""}"#, "declarations"),
            ("rename", r#"{"content": "", "declarations": {"a": 1}}"#, "declarations"),
            ("theorem2sorry", r#"{"content": "", "indices": [1.5]}"#, "indices"),
            ("extract_decls", r#"{"content": "", "verbosity": 3}"#, "0, 1 or 2"),
            ("extract_decls", r#"{"content": "", "delab_options": []}"#, "options"),
        ] {
            let message = refused(tool, body);
            assert!(message.contains(word), "{tool} {body}: {message}");
        }
    }

    #[test]
    fn versions_are_found() {
        for (version, expected) in [
            ("Lean (version 4.35.0, x86_64-unknown-linux-gnu, commit 1, Release)", "4.35.0"),
            ("Lean (version 4.20.0-rc5, Release)", "4.20.0-rc5"),
        ] {
            assert_eq!(number(version), expected);
        }
    }
}
