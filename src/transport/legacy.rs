//! The messages of lean-python-bridge: sums of matrices of integers in two versions, its envelope, and
//! `"HEARTBEAT"`. Its clients are answered as its server would, except that an answer is always there.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};

use super::format::{Format, Value};
use crate::error::{Code, Error};

/// The operation that its requests are taken for.
pub const OP: &str = "$bridge";
/// Its requests are not longer: they are answered in turn, between other work, and their numbers take
/// twenty times as much memory as text.
pub const MAX_REQUEST: usize = 8 << 20;
/// From a longer one that is refused no correlation id is read.
const MAX_REFUSED: usize = 64 << 10;

/// Answers one frame of JSON; `id` is the correlation id that its second generation sends in a frame of
/// its own.
pub fn answer(json: &[u8], id: Option<&[u8]>) -> Vec<u8> {
    let mut correlation = id.map(|id| Json::from(String::from_utf8_lossy(id)));
    let value = match json.len() <= MAX_REQUEST {
        true => Format::Json.decode(json),
        false => Err(Error::new(Code::TooLarge, format!("{} bytes; the limit is {MAX_REQUEST}", json.len()))),
    };
    let answer = match value {
        Err(e) => Err(format!("Invalid JSON: {}", e.message)),
        Ok(Value::Text(t)) if t == "HEARTBEAT" => {
            let server = format!("server_{}", std::process::id());
            Ok(json!({"status": "heartbeat_ack", "server_id": server}))
        }
        Ok(value) => {
            if let Some(id) = value.get("correlation_id").and_then(to_json) {
                correlation = Some(id);
            }
            matrix_sum(value.get("payload").unwrap_or(&value))
        }
    };
    finish(answer, correlation)
}

/// The error reply for a request that cannot be answered at all.
pub fn refuse(frames: &[bytes::Bytes], e: &Error) -> Vec<u8> {
    let json = frames.last().filter(|json| json.len() <= MAX_REFUSED);
    let json = json.and_then(|json| Format::Json.decode(json).ok());
    let id = json.as_ref().and_then(|v| v.get("correlation_id")).and_then(to_json);
    let id = id.or(match frames {
        [id, _] => Some(String::from_utf8_lossy(id).into()),
        _ => None,
    });
    finish(Err(e.message.clone()), id)
}

fn finish(answer: Result<Json, String>, correlation: Option<Json>) -> Vec<u8> {
    let mut answer = answer.unwrap_or_else(|message| json!({"status": "error", "message": message}));
    if let Json::Object(object) = &mut answer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        object.insert("timestamp".into(), now.as_secs_f64().into());
        if let Some(id) = correlation {
            object.insert("correlation_id".into(), id);
        }
    }
    answer.to_string().into_bytes()
}

/// A correlation id, whatever JSON it is; none if it is null.
fn to_json(value: &Value) -> Option<Json> {
    match value {
        Value::Null => None,
        _ => serde_json::from_slice(&Format::Json.encode(value).ok()?).ok(),
    }
}

fn matrix_sum(request: &Value) -> Result<Json, String> {
    let text = |v: Option<&Value>, name: &str| match v {
        Some(Value::Text(t)) => Ok(t.clone()),
        _ => Err(format!("Invalid request: {name} must be a string")),
    };
    let version = match request.get("schema_version") {
        Some(Value::Int(v @ (1 | 2))) => *v as i64,
        Some(Value::Int(v)) => return Err(format!("Unsupported schema version: {v}")),
        _ => return Err("Invalid request: schema_version must be an integer".into()),
    };
    let model = request.get("model").ok_or("Invalid request: 'model' is a required property")?;
    let name = text(model.get("name"), "model.name")?;
    text(model.get("version"), "model.version")?;
    if version == 2 && model.get("author").is_some() {
        text(model.get("author"), "model.author")?;
    }
    let Some(Value::List(rows)) = request.get("matrix") else {
        return Err("Invalid request: matrix must be an array of arrays of integers".into());
    };
    let (mut sum, mut width) = (0i128, None);
    for row in rows {
        let Value::List(row) = row else {
            return Err("Invalid request: a row of the matrix is not an array".into());
        };
        if *width.get_or_insert(row.len()) != row.len() {
            return Err("Invalid request: the rows of the matrix have different lengths".into());
        }
        for x in row {
            let n = match x {
                Value::Int(n) => *n,
                // JSON Schema takes 1.0 for an integer. Doubles from 2^53 on are all integers.
                Value::Float(x) if x.fract() == 0.0 && x.abs() < 1e30 => *x as i128,
                _ => return Err("Invalid request: an entry of the matrix is not an integer".into()),
            };
            sum = sum.checked_add(n).ok_or("Invalid request: the sum is beyond 128 bits")?;
        }
    }
    let mut shape = vec![rows.len()];
    shape.extend(width);
    let mut answer = Map::new();
    answer.insert("status".into(), "success".into());
    answer.insert("matrix_sum".into(), (sum as f64).into());
    // The reference's double cannot carry every sum.
    answer.insert("matrix_sum_exact".into(), sum.to_string().into());
    answer.insert("model_checked".into(), name.into());
    answer.insert("schema_version_used".into(), version.into());
    answer.insert("matrix_shape".into(), shape.into());
    answer.insert("data_type".into(), "float64".into());
    Ok(Json::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str) -> Json {
        let answer: Json = serde_json::from_slice(&answer(json.as_bytes(), None)).expect("JSON");
        assert!(answer["timestamp"].as_f64().is_some_and(|t| t > 1e9));
        answer
    }

    #[test]
    fn its_requests_are_answered_truly() {
        let plain = r#"{"schema_version":1,"matrix":[[1,2],[3,4]],"model":{"name":"m","version":"1.0"}}"#;
        let a = ask(plain);
        assert_eq!(
            (&a["status"], &a["matrix_sum"], &a["matrix_shape"]),
            (&json!("success"), &json!(10.0), &json!([2, 2]))
        );
        assert_eq!((&a["model_checked"], &a["schema_version_used"]), (&json!("m"), &json!(1)));
        assert_eq!(a.get("correlation_id"), None);
        let a = ask(&format!(r#"{{"correlation_id":"req_1","payload":{plain}}}"#));
        assert_eq!((&a["matrix_sum"], &a["correlation_id"]), (&json!(10.0), &json!("req_1")));
        let a = ask(r#"{"schema_version":2,"matrix":[],"model":{"name":"m","version":"1","author":"x"}}"#);
        assert_eq!((&a["matrix_sum"], &a["matrix_shape"]), (&json!(0.0), &json!([0])));
        assert_eq!(ask("\"HEARTBEAT\"")["status"], "heartbeat_ack");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let with = |matrix: &str, version: &str| {
            let request = format!(
                r#"{{"schema_version":{version},"matrix":{matrix},"model":{{"name":"m","version":"1"}}}}"#
            );
            let a = ask(&request);
            assert_eq!(a["status"], "error");
            a["message"].as_str().expect("a message").to_string()
        };
        assert_eq!(with("[[1]]", "3"), "Unsupported schema version: 3");
        assert!(with("[[1.5]]", "1").contains("not an integer"));
        assert!(with("[[1],[1,2]]", "1").contains("different lengths"));
        assert!(ask("{")["message"].as_str().expect("a message").starts_with("Invalid JSON"));
        assert_eq!(ask(r#"{"correlation_id":"c","payload":[]}"#)["correlation_id"], "c");
        let e = Error::new(crate::Code::Busy, "later");
        let refusal = refuse(&[br#"{"correlation_id":7}"#.to_vec().into()], &e);
        let a: Json = serde_json::from_slice(&refusal).expect("JSON");
        assert_eq!((&a["message"], &a["correlation_id"]), (&json!("later"), &json!(7)));
    }
}
