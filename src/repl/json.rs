//! Configurations, options and outcomes as JSON, for callers in other languages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    Audit, CheckOptions, CommandResponse, Diagnostics, EngineConfig, Failure, Imports, Infotree, Outcome,
    PoolConfig, Reply, Snippet, Verdict, detect_engine,
};
use crate::{Code, Error, Result};

/// What runs the code.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JsonEngine {
    #[default]
    Auto,
    Repl(Vec<String>),
    Lean(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsonConfig {
    engine: JsonEngine,
    dir: PathBuf,
    max_processes: Option<usize>,
    max_uses: Option<u64>,
    memory_limit: Option<u64>,
    address_space_limit: Option<u64>,
    cpu_limit_ms: Option<u64>,
    max_wait_ms: Option<u64>,
    warm: BTreeMap<String, usize>,
    warm_timeout_ms: Option<u64>,
    recycle_bytes: Option<u64>,
    max_answer: Option<usize>,
}

impl Default for JsonConfig {
    fn default() -> Self {
        JsonConfig {
            engine: JsonEngine::Auto,
            dir: ".".into(),
            max_processes: None,
            max_uses: None,
            memory_limit: None,
            address_space_limit: None,
            cpu_limit_ms: None,
            max_wait_ms: None,
            warm: BTreeMap::new(),
            warm_timeout_ms: None,
            recycle_bytes: None,
            max_answer: None,
        }
    }
}

fn read<T: DeserializeOwned>(json: &[u8], field: &'static str) -> Result<T> {
    // A list of values in the order of the fields would be taken too.
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(Error::new(Code::BadRequest, format!("the {field} must be an object")).at(field));
    }
    serde_json::from_slice(json).map_err(|e| {
        let code = if e.is_data() { Code::BadRequest } else { Code::Parse };
        Error::new(code, format!("the {field}: {e}")).at(field)
    })
}

impl PoolConfig {
    /// Reads a configuration:
    ///
    /// `{"engine": "auto" | {"repl": ["lake", "env", "repl"]} | {"lean": ["lean"]}, "dir": ".",
    /// "max_processes", "max_uses", "memory_limit", "address_space_limit", "cpu_limit_ms", "max_wait_ms",
    /// "warm": {"import Lean": 1}, "warm_timeout_ms", "recycle_bytes", "max_answer"}`
    ///
    /// Everything may be left out; sizes are in bytes; a limit of 0 is none. `auto` is what
    /// [`detect_engine`] finds in `dir`.
    ///
    /// # Errors
    /// `parse` or `bad_request` for what is not such an object; as [`detect_engine`] if there is no Lean.
    pub fn from_json(json: &[u8]) -> Result<PoolConfig> {
        let c: JsonConfig = read(json, "config")?;
        let engine = match c.engine {
            JsonEngine::Auto => detect_engine(&c.dir)?,
            JsonEngine::Repl(argv) => EngineConfig::Repl { argv, dir: c.dir },
            JsonEngine::Lean(argv) => EngineConfig::Lean { argv, dir: c.dir },
        };
        let mut config = PoolConfig::new(engine);
        let limit = |given: Option<u64>, default| given.map_or(default, |n| (n > 0).then_some(n));
        config.max_processes = c.max_processes.unwrap_or(config.max_processes);
        config.max_uses = limit(c.max_uses, config.max_uses);
        config.memory_limit = limit(c.memory_limit, config.memory_limit);
        config.address_space_limit = limit(c.address_space_limit, config.address_space_limit);
        config.recycle_bytes = limit(c.recycle_bytes, config.recycle_bytes);
        config.cpu_limit = limit(c.cpu_limit_ms, None).map(Duration::from_millis);
        config.max_wait = c.max_wait_ms.map_or(config.max_wait, Duration::from_millis);
        config.warm_timeout = c.warm_timeout_ms.map_or(config.warm_timeout, Duration::from_millis);
        config.warm = c.warm;
        config.max_answer = c.max_answer.unwrap_or(config.max_answer);
        Ok(config)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonSnippet {
    #[serde(default)]
    id: String,
    code: String,
}

/// Snippets to check, or the header of a session, with the options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRequest {
    #[serde(default)]
    snippets: Vec<JsonSnippet>,
    #[serde(default)]
    header: String,
    timeout_ms: Option<u64>,
    max_wait_ms: Option<u64>,
    #[serde(default = "yes")]
    reuse: bool,
    infotree: Option<Infotree>,
    #[serde(default)]
    all_tactics: bool,
    #[serde(default)]
    root_goals: bool,
    #[serde(default)]
    imports: Imports,
    #[serde(default)]
    audit: bool,
}

fn yes() -> bool {
    true
}

impl JsonRequest {
    fn options(&self) -> CheckOptions {
        let default = CheckOptions::default();
        CheckOptions {
            timeout: self.timeout_ms.map_or(default.timeout, Duration::from_millis),
            deadline: self.max_wait_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms))),
            reuse: self.reuse,
            infotree: self.infotree,
            all_tactics: self.all_tactics,
            root_goals: self.root_goals,
            imports: self.imports,
            audit: self.audit,
        }
    }
}

/// Reads a request to check snippets:
///
/// `{"snippets": [{"id": "a", "code": "#check 1"}], "timeout_ms": 30000, "max_wait_ms", "reuse": true,
/// "infotree", "all_tactics": false, "root_goals": false, "imports": "as_written", "audit": false}`
///
/// Only the code is needed. `max_wait_ms` counts from here.
///
/// # Errors
/// `parse` or `bad_request` for what is not such an object.
pub fn read_request(json: &[u8]) -> Result<(Vec<Snippet>, CheckOptions)> {
    let request: JsonRequest = read(json, "request")?;
    if !request.header.is_empty() {
        return Err(Error::new(Code::BadRequest, "a header is for sessions").at("header"));
    }
    let options = request.options();
    let snippets = request.snippets.into_iter().map(|s| Snippet { id: s.id, code: s.code }).collect();
    Ok((snippets, options))
}

/// Reads a request for a session: `{"header": "import Lean"}`, with the options of [`read_request`].
///
/// # Errors
/// As for [`read_request`].
pub fn read_session(json: &[u8]) -> Result<(String, CheckOptions)> {
    let request: JsonRequest = read(json, "request")?;
    if !request.snippets.is_empty() {
        return Err(Error::new(Code::BadRequest, "a session is not opened with snippets").at("snippets"));
    }
    let options = request.options();
    Ok((request.header, options))
}

impl Serialize for Outcome {
    /// An object with `id`, `verdict` (its name), what the verdict names (`axioms`, `unaudited`), `time`,
    /// `header_time`, one of `response`, `repl_error` and `failure`, perhaps `audit`, and `diagnostics`.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            id: &'a str,
            verdict: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            axioms: Option<&'a [String]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            unaudited: Option<&'a str>,
            time: f64,
            header_time: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            response: Option<&'a CommandResponse>,
            #[serde(skip_serializing_if = "Option::is_none")]
            repl_error: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            failure: Option<&'a Failure>,
            #[serde(skip_serializing_if = "Option::is_none")]
            audit: Option<&'a Audit>,
            diagnostics: &'a Diagnostics,
        }
        let verdict = self.verdict();
        let (response, repl_error, failure) = match &self.result {
            Ok(Reply::Response(response)) => (Some(response), None, None),
            Ok(Reply::ReplError { message }) => (None, Some(message.as_str()), None),
            Err(failure) => (None, None, Some(failure)),
        };
        let (axioms, unaudited) = match &verdict {
            Verdict::Axioms(axioms) => (Some(axioms.as_slice()), None),
            Verdict::Unaudited(reason) => (None, Some(reason.as_str())),
            _ => (None, None),
        };
        let (time, header_time, audit) = (self.time, self.header_time, self.audit.as_ref());
        let (id, verdict, diagnostics) = (self.id.as_str(), verdict.name(), &self.diagnostics);
        View {
            id,
            verdict,
            axioms,
            unaudited,
            time,
            header_time,
            response,
            repl_error,
            failure,
            audit,
            diagnostics,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_the_defaults() {
        let request = br#"{"snippets":[{"code":"x"},{"id":"b","code":""}]}"#;
        let (snippets, options) = read_request(request).expect("a request");
        assert_eq!(options, CheckOptions::default());
        assert_eq!(snippets[0], Snippet { id: String::new(), code: "x".into() });
        assert_eq!(snippets[1].id, "b");
        let config = PoolConfig::from_json(br#"{"engine":{"repl":["sh"]}}"#).expect("a configuration");
        let defaults = PoolConfig::new(EngineConfig::Repl { argv: vec!["sh".into()], dir: ".".into() });
        assert_eq!(format!("{config:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn a_limit_of_0_is_none() {
        let json = br#"{"engine":{"lean":["lean"]},"memory_limit":0,"recycle_bytes":0,"cpu_limit_ms":0,"max_uses":7}"#;
        let config = PoolConfig::from_json(json).expect("a configuration");
        let limits = (config.memory_limit, config.recycle_bytes, config.cpu_limit, config.max_uses);
        assert_eq!(limits, (None, None, None, Some(7)));
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for json in
            [r#"{"snippet":[]}"#, r#"{"snippets":[{"cod":""}]}"#, "[]", r#"{"snippets":[],"timeout_ms":-1}"#]
        {
            assert_eq!(read_request(json.as_bytes()).expect_err(json).code, Code::BadRequest, "{json}");
        }
        assert_eq!(read_request(b"{").expect_err("not JSON").code, Code::Parse);
        assert_eq!(
            PoolConfig::from_json(br#"{"max_proceses":1}"#).expect_err("misspelt").code,
            Code::BadRequest
        );
        assert!(read_session(br#"{"snippets":[{"code":""}]}"#).is_err());
        assert!(read_request(br#"{"header":"import Lean"}"#).is_err());
    }
}
