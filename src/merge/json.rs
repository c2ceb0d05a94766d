//! The tools as JSON calls, for the C ABI: `{"kind": "merge", "documents": […], …}`.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Fatal, Lean};
use crate::{Code, Error, Result};

/// The names of the tools.
pub const TOOLS: [&str; 6] = ["merge", "normalize", "rename", "check", "extract_decls", "theorem2sorry"];

/// Answers a request whose `kind` is one of the tools here; `None` if it is another.
///
/// `project` names a Lake project, `imports` what `ignore_imports` puts in. The answer is the tool's response
/// with `"status": "ok"`; it cannot be cancelled, but `timeout_seconds` holds.
pub fn answer_json(request: &[u8]) -> Option<Result<String>> {
    // Questions of other kinds take microseconds: they are not parsed twice.
    let named = TOOLS.iter().any(|k| {
        let quoted = format!("\"{k}\"");
        request.windows(quoted.len()).any(|w| w == quoted.as_bytes())
    });
    if !named {
        return None;
    }
    let request: Value = serde_json::from_slice(request).ok()?;
    let kind = TOOLS.into_iter().find(|k| request["kind"] == **k)?;
    Some(answer(kind, &request))
}

fn answer(kind: &str, request: &Value) -> Result<String> {
    let answer = || {
        let mut lean = Lean::discover(request["project"].as_str().map(std::path::Path::new))?;
        lean.imports = request["imports"].as_str().unwrap_or_default().to_string();
        run_tool(kind, request, lean)
    };
    let mut answer = answer().map_err(refusal)?;
    answer["status"] = json!("ok");
    answer["kind"] = json!(kind);
    Ok(answer.to_string())
}

/// Answers a request of the tool with this name, one of [`TOOLS`]; both are JSON objects. `global_options` of
/// the request are given to the compiler.
///
/// # Errors
/// There is no such tool, the request does not fit it, or as the tool itself.
pub fn run_tool(name: &str, request: &Value, mut lean: Lean) -> std::result::Result<Value, Fatal> {
    match &request["global_options"] {
        Value::Null => {}
        Value::Object(options) => lean.set_options(options)?,
        other => return Err(Fatal::User(format!("global_options is an object of options, not {other}"))),
    }
    let lean = &lean;
    match name {
        "merge" => super::merge(&read(request)?, lean).map(|a| json!(a)),
        "normalize" => super::normalize(&read(request)?, lean).map(|a| json!(a)),
        "rename" => super::rename(&read(request)?, lean).map(|a| json!(a)),
        "check" => super::check(&read(request)?, lean).map(|a| json!(a)),
        "extract_decls" => super::extract_decls(&read(request)?, lean).map(|a| json!(a)),
        "theorem2sorry" => super::theorem2sorry(&read(request)?, lean).map(|a| json!(a)),
        _ => Err(Fatal::User(format!("no tool is called {name}; there are {}", TOOLS.join(", ")))),
    }
}

fn read<T: DeserializeOwned>(request: &Value) -> std::result::Result<T, Fatal> {
    T::deserialize(request).map_err(|e| Fatal::User(e.to_string()))
}

/// As an error of this crate. (Not `From`: with a second one, `?` is ambiguous elsewhere.)
fn refusal(fatal: Fatal) -> Error {
    let code = match fatal {
        Fatal::User(_) => Code::BadRequest,
        Fatal::Internal(_) => Code::Internal,
        Fatal::Timeout => Code::Timeout,
        Fatal::Resources(_) => Code::Budget,
    };
    Error::new(code, fatal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_left_alone() {
        assert!(answer_json(br#"{"kind":"unary","func":"exp"}"#).is_none());
        assert!(answer_json(br#"{"kind":"unary","func":"merge"}"#).is_none());
        assert!(answer_json(b"\"merge\" is no JSON").is_none());
    }
}
