//! Reading the fields of a JSON body, and saying what is wrong with them as FastAPI and pydantic do, for
//! clients that read it.

use serde_json::{Map, Value, json};

/// A JSON object that is being read, and what was wrong so far.
pub struct Fields<'a> {
    object: Map<String, Value>,
    place: Vec<Value>,
    problems: &'a mut Vec<Value>,
}

/// One entry of the list under `detail`.
pub fn problem(kind: &str, place: &[Value], message: &str, input: &Value) -> Value {
    let mut entry = json!({"type": kind, "loc": place, "msg": message});
    // A long input would be sent back as often as something is wrong in it.
    if input.to_string().len() <= 1024 {
        entry["input"] = input.clone();
    }
    entry
}

impl<'a> Fields<'a> {
    /// Begins to read the object at `place`; none, and a problem, when it is something else.
    pub fn of(value: Value, place: Vec<Value>, problems: &'a mut Vec<Value>) -> Option<Fields<'a>> {
        match value {
            Value::Object(object) => Some(Fields { object, place, problems }),
            other => {
                let message = "Input should be a valid dictionary or object to extract fields from";
                problems.push(problem("model_attributes_type", &place, message, &other));
                None
            }
        }
    }

    fn wrong(&mut self, kind: &str, name: &str, message: &str, input: &Value) {
        let mut place = self.place.clone();
        place.push(name.into());
        self.problems.push(problem(kind, &place, message, input));
    }

    /// Takes a field as it is; `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name).filter(|v| !v.is_null())
    }

    fn missing(&mut self, name: &str) {
        let input = Value::Object(self.object.clone());
        self.wrong("missing", name, "Field required", &input);
    }

    /// A text, which is needed.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name) {
            Some(Value::String(text)) => return Some(text),
            Some(other) => self.wrong("string_type", name, "Input should be a valid string", &other),
            None => self.missing(name),
        }
        None
    }

    /// A text that may be absent.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) => return Some(text),
            Some(other) => self.wrong("string_type", name, "Input should be a valid string", &other),
            None => {}
        }
        None
    }

    /// A text or an integer, which is needed; as text.
    pub fn text_or_integer(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name) {
            Some(Value::String(text)) => return Some(text),
            Some(Value::Number(n)) if n.is_i64() || n.is_u64() => return Some(n.to_string()),
            Some(other) => self.wrong("string_type", name, "Input should be a valid string", &other),
            None => self.missing(name),
        }
        None
    }

    /// An integer from 0 to `most`; numbers such as `30.0` and texts such as `"30"` are taken too.
    pub fn integer(&mut self, name: &str, default: u64, most: u64) -> u64 {
        let Some(value) = self.object.remove(name) else { return default };
        let number = match &value {
            Value::Number(n) => n
                .as_i64()
                .map(i128::from)
                .or(n.as_u64().map(i128::from))
                .or_else(|| n.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 1e15).map(|x| x as i128)),
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(b) => Some(i128::from(*b)),
            _ => None,
        };
        match (&value, number) {
            (_, Some(n)) if n < 0 => {
                self.wrong("greater_than_equal", name, "Input should be greater than or equal to 0", &value)
            }
            (_, Some(n)) if n > i128::from(most) => {
                let message = format!("Input should be less than or equal to {most}");
                self.wrong("less_than_equal", name, &message, &value)
            }
            (_, Some(n)) => return n as u64,
            (Value::Number(_), None) => {
                let message = "Input should be a valid integer, got a number with a fractional part";
                self.wrong("int_from_float", name, message, &value)
            }
            (Value::String(_), None) => {
                let message = "Input should be a valid integer, unable to parse string as an integer";
                self.wrong("int_parsing", name, message, &value)
            }
            _ => self.wrong("int_type", name, "Input should be a valid integer", &value),
        }
        default
    }

    /// A truth value; 0, 1, `"true"`, `"false"` and their like are taken too.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(value) = self.object.remove(name) else { return default };
        let read = match &value {
            Value::Bool(b) => Some(*b),
            Value::Number(n) => match n.as_f64() {
                Some(0.0) => Some(false),
                Some(1.0) => Some(true),
                _ => None,
            },
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        match (read, &value) {
            (Some(b), _) => return b,
            (None, Value::Number(_) | Value::String(_)) => {
                let message = "Input should be a valid boolean, unable to interpret input";
                self.wrong("bool_parsing", name, message, &value)
            }
            _ => self.wrong("bool_type", name, "Input should be a valid boolean", &value),
        }
        default
    }

    /// One of several words, or absent.
    pub fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let value = self.take(name)?;
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
            let (last, rest) = all.split_last()?;
            let message = format!("Input should be {} or {last}", rest.join(", "));
            self.wrong("enum", name, &message, &value);
        }
        found.map(|(_, t)| *t)
    }

    /// The entries of a list, which is needed, each with its place.
    pub fn list(&mut self, name: &str) -> Vec<(Value, Vec<Value>)> {
        match self.object.remove(name) {
            Some(Value::Array(list)) => {
                let place = |i: usize| {
                    let mut place = self.place.clone();
                    place.extend([name.into(), i.into()]);
                    place
                };
                return list.into_iter().enumerate().map(|(i, value)| (value, place(i))).collect();
            }
            Some(other) => self.wrong("list_type", name, "Input should be a valid list", &other),
            None => self.missing(name),
        }
        Vec::new()
    }

    /// The list of what was wrong, for the entries of a list.
    pub fn problems(&mut self) -> &mut Vec<Value> {
        self.problems
    }
}
