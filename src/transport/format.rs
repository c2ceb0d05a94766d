//! Payloads: values, and three formats to write them in. A value either survives a format unchanged or is
//! refused by name; nothing is rounded, renamed or turned into something else on the way.

use json_event_parser::{JsonEvent, LowLevelJsonParser};

use crate::error::{Code, Error, Result};

/// Lists and maps may be nested so deep.
pub const MAX_DEPTH: usize = 32;

/// A payload has no more values than this, those in lists and maps counted: one takes a byte to write, and
/// up to 70 in memory while it is read. More numbers than that are for arrays.
pub const MAX_VALUES: usize = 1 << 22;

/// What a payload says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer; 128 bits.
    Int(i128),
    /// A double. Compared as numbers are: NaN differs from itself, and 0 equals -0.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values with names, in order; no name twice.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value of this name in a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(k, _)| k == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// About how many bytes this takes in a binary format.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) => 1,
            Value::Int(n) if (-32..128).contains(n) => 1,
            Value::Int(_) | Value::Float(_) => 9,
            Value::Text(s) => s.len() + 3,
            Value::Bytes(b) => b.len() + 3,
            Value::List(items) => items.iter().map(Value::size).sum::<usize>() + 3,
            Value::Map(entries) => entries.iter().map(|(k, v)| k.len() + 2 + v.size()).sum::<usize>() + 3,
        }
    }
}

/// How payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON. It has neither bytes nor numbers that are not finite.
    Json,
    /// MessagePack. Its integers have 64 bits, signed or not.
    MessagePack,
    /// The message `Value` of `src/transport/value.proto`. It has everything.
    Protobuf,
}

/// From which size on which format is taken.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// From so many bytes on not JSON (see [`Value::size`]).
    pub message_pack: usize,
    /// From so many bytes on Protocol Buffers, whose lists of numbers are read fastest.
    pub protobuf: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { message_pack: 4 << 10, protobuf: 1 << 20 }
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Json, Format::MessagePack, Format::Protobuf];

    /// Its name in an envelope.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::MessagePack => "application/msgpack",
            Format::Protobuf => "application/x-protobuf",
        }
    }

    /// The format of this name.
    pub fn of_content_type(name: &str) -> Result<Format> {
        Format::ALL.into_iter().find(|f| f.content_type() == name).ok_or_else(|| {
            Error::new(Code::BadRequest, format!("no such content type: {name:?}")).at("content_type")
        })
    }

    /// Writes a value in this format.
    pub fn encode(self, value: &Value) -> Result<Vec<u8>> {
        check_depth(value, MAX_DEPTH)?;
        if count(value) > MAX_VALUES {
            return Err(too_many());
        }
        match self {
            Format::Json => {
                let mut out = Vec::with_capacity(value.size());
                put_json(&mut out, value)?;
                Ok(out)
            }
            Format::MessagePack => {
                let mut out = Vec::with_capacity(value.size());
                let failed = |e| Error::new(Code::Internal, format!("writing MessagePack: {e}"));
                rmpv::encode::write_value(&mut out, &to_message_pack(value)?).map_err(failed)?;
                Ok(out)
            }
            Format::Protobuf => Ok(proto::encode(value)),
        }
    }

    /// Reads a value, all of `bytes`.
    pub fn decode(self, bytes: &[u8]) -> Result<Value> {
        match self {
            Format::Json => read_json(bytes),
            Format::MessagePack => {
                if message_pack_values(bytes)? > MAX_VALUES {
                    return Err(too_many());
                }
                let mut rest = bytes;
                // Its own count goes down twice for each level; ours follows.
                let read = rmpv::decode::read_value_with_max_depth(&mut rest, 2 * MAX_DEPTH + 4);
                let value = read.map_err(|e| parse(format!("the payload is not MessagePack: {e}")))?;
                if !rest.is_empty() {
                    return Err(parse("there is more after the payload"));
                }
                let value = of_message_pack(value)?;
                check_depth(&value, MAX_DEPTH).map(|()| value)
            }
            Format::Protobuf => {
                let value = proto::decode(bytes)?;
                check_depth(&value, MAX_DEPTH).map(|()| value)
            }
        }
    }
}

/// Writes a value in the format that its size asks for, or in the next one that can carry it.
pub fn encode(value: &Value, thresholds: &Thresholds) -> Result<(Format, Vec<u8>)> {
    let size = value.size();
    let order = match size {
        _ if size >= thresholds.protobuf => [Format::Protobuf, Format::MessagePack, Format::Json],
        _ if size >= thresholds.message_pack => [Format::MessagePack, Format::Protobuf, Format::Json],
        _ => [Format::Json, Format::MessagePack, Format::Protobuf],
    };
    let mut refusal = None;
    for format in order {
        match format.encode(value) {
            Ok(bytes) => return Ok((format, bytes)),
            Err(e) => refusal = refusal.or(Some(e)),
        }
    }
    Err(refusal.unwrap_or_else(|| refused("no format carries the value")))
}

fn parse(message: impl Into<String>) -> Error {
    Error::new(Code::Parse, message).at("payload")
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Code::BadRequest, message).at("payload")
}

fn check_depth(value: &Value, left: usize) -> Result<()> {
    let next = || left.checked_sub(1).ok_or_else(too_deep);
    match value {
        Value::List(items) => {
            let next = next()?;
            items.iter().try_for_each(|v| check_depth(v, next))
        }
        Value::Map(entries) => {
            let next = next()?;
            entries.iter().try_for_each(|(_, v)| check_depth(v, next))
        }
        _ => Ok(()),
    }
}

fn too_deep() -> Error {
    Error::new(Code::TooLarge, format!("lists and maps are nested deeper than {MAX_DEPTH}")).at("payload")
}

fn too_many() -> Error {
    Error::new(Code::TooLarge, format!("more than {MAX_VALUES} values; numbers belong into arrays"))
        .at("payload")
}

fn count(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, v)| 1 + count(v)).sum::<usize>(),
        _ => 1,
    }
}

/// How many values are in MessagePack, names included, before memory is taken for any of them; of what is
/// not MessagePack, how many seem to be. Refused is the type that MessagePack leaves without a meaning, and
/// that `rmpv` takes for nil.
fn message_pack_values(bytes: &[u8]) -> Result<usize> {
    let (mut at, mut values) = (0, 0);
    while let Some(&marker) = bytes.get(at) {
        values += 1;
        at += 1;
        // Bytes of a length that is written there, and bytes that follow in any case.
        let (length, fixed) = match marker {
            0xc1 => return Err(parse("the payload is not MessagePack: a value of type 0xc1")),
            0xa0..=0xbf => (0, usize::from(marker & 0x1f)),
            0xc4 | 0xd9 => (1, 0),
            0xc5 | 0xda => (2, 0),
            0xc6 | 0xdb => (4, 0),
            0xc7..=0xc9 => (1 << (marker - 0xc7), 1),
            0xcc | 0xd0 => (0, 1),
            0xcd | 0xd1 | 0xdc | 0xde => (0, 2),
            0xca | 0xce | 0xd2 | 0xdd | 0xdf => (0, 4),
            0xcb | 0xcf | 0xd3 => (0, 8),
            0xd4..=0xd8 => (0, 1 + (1 << (marker - 0xd4))),
            _ => (0, 0),
        };
        let Some(written) = bytes.get(at..at + length) else { break };
        at += length + fixed + written.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    }
    Ok(values)
}

fn distinct(entries: Vec<(String, Value)>) -> Result<Value> {
    let mut names: Vec<&str> = entries.iter().map(|(k, _)| k.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
        return Err(parse(format!("the name {:?} occurs twice in a map", twice[0])));
    }
    Ok(Value::Map(entries))
}

fn put_json(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    let text = |out: &mut Vec<u8>, s: &str| {
        serde_json::to_writer(out, s).map_err(|e| Error::new(Code::Internal, format!("writing JSON: {e}")))
    };
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Float(x) if x.is_finite() => out.extend_from_slice(format!("{x:?}").as_bytes()),
        Value::Float(x) => return Err(refused(format!("JSON has no {x}"))),
        Value::Text(s) => text(out, s)?,
        Value::Bytes(_) => return Err(refused("JSON has no bytes")),
        Value::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                put_json(out, item)?;
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (i, (name, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                text(out, name)?;
                out.push(b':');
                put_json(out, item)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn json_number(text: &str) -> Result<Value> {
    if text == "-0" {
        return Ok(Value::Float(-0.0));
    }
    if text.contains(['.', 'e', 'E']) {
        let x: f64 = text.parse().map_err(|_| parse(format!("{text} is not a number")))?;
        return match x.is_finite() {
            true => Ok(Value::Float(x)),
            false => Err(refused(format!("{text} is beyond the doubles"))),
        };
    }
    text.parse()
        .map(Value::Int)
        .map_err(|_| refused(format!("an integer of {} digits is beyond 128 bits", text.len())))
}

/// What is being read.
enum Open {
    List(Vec<Value>),
    Map(Vec<(String, Value)>, String),
}

fn read_json(json: &[u8]) -> Result<Value> {
    let syntax = |e: &dyn std::fmt::Display| parse(format!("the payload is not JSON: {e}"));
    let mut parser = LowLevelJsonParser::new().with_max_stack_size(MAX_DEPTH * 2 + 4);
    let mut at = 0;
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut values = 0;
    loop {
        let next = parser.parse_next(&json[at..], true);
        at += next.consumed_bytes;
        let Some(event) = next.event else { continue };
        let value = match event.map_err(|e| syntax(&e))? {
            JsonEvent::StartArray | JsonEvent::StartObject if open.len() == MAX_DEPTH => {
                return Err(too_deep());
            }
            JsonEvent::StartArray => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            JsonEvent::StartObject => {
                open.push(Open::Map(Vec::new(), String::new()));
                continue;
            }
            JsonEvent::ObjectKey(name) => {
                values += 1;
                if let Some(Open::Map(_, key)) = open.last_mut() {
                    *key = name.into_owned();
                }
                continue;
            }
            JsonEvent::Eof => return root.ok_or_else(|| syntax(&"it is empty")),
            JsonEvent::Null => Value::Null,
            JsonEvent::Boolean(b) => Value::Bool(b),
            JsonEvent::Number(text) => json_number(&text)?,
            JsonEvent::String(text) => Value::Text(text.into_owned()),
            JsonEvent::EndArray | JsonEvent::EndObject => match open.pop() {
                Some(Open::List(items)) => Value::List(items),
                Some(Open::Map(entries, _)) => distinct(entries)?,
                None => return Err(syntax(&"a bracket too many")),
            },
        };
        values += 1;
        if values > MAX_VALUES {
            return Err(too_many());
        }
        match open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(entries, name)) => entries.push((std::mem::take(name), value)),
            None => root = Some(value),
        }
    }
}

fn to_message_pack(value: &Value) -> Result<rmpv::Value> {
    Ok(match value {
        Value::Null => rmpv::Value::Nil,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => match (i64::try_from(*n), u64::try_from(*n)) {
            (Ok(n), _) => n.into(),
            (_, Ok(n)) => n.into(),
            _ => return Err(refused(format!("MessagePack has no integer {n}: it is beyond 64 bits"))),
        },
        Value::Float(x) => rmpv::Value::F64(*x),
        Value::Text(s) => s.as_str().into(),
        Value::Bytes(b) => b.as_slice().into(),
        Value::List(items) => rmpv::Value::Array(items.iter().map(to_message_pack).collect::<Result<_>>()?),
        Value::Map(entries) => {
            let pair = |(k, v): &(String, Value)| Ok((k.as_str().into(), to_message_pack(v)?));
            rmpv::Value::Map(entries.iter().map(pair).collect::<Result<_>>()?)
        }
    })
}

fn of_message_pack(value: rmpv::Value) -> Result<Value> {
    let text = |s: rmpv::Utf8String| s.into_str().ok_or_else(|| parse("a string that is not UTF-8"));
    Ok(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(b) => Value::Bool(b),
        rmpv::Value::Integer(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Value::Int(n.into()),
            (_, Some(n)) => Value::Int(n.into()),
            _ => return Err(parse("an integer beyond 64 bits")),
        },
        rmpv::Value::F32(x) => Value::Float(x.into()),
        rmpv::Value::F64(x) => Value::Float(x),
        rmpv::Value::String(s) => Value::Text(text(s)?),
        rmpv::Value::Binary(b) => Value::Bytes(b),
        rmpv::Value::Array(items) => {
            Value::List(items.into_iter().map(of_message_pack).collect::<Result<_>>()?)
        }
        rmpv::Value::Map(entries) => {
            let pair = |(k, v)| match k {
                rmpv::Value::String(k) => Ok((text(k)?, of_message_pack(v)?)),
                _ => Err(parse("a map whose names are not all strings")),
            };
            distinct(entries.into_iter().map(pair).collect::<Result<_>>()?)?
        }
        rmpv::Value::Ext(kind, _) => return Err(parse(format!("an extension of MessagePack, type {kind}"))),
    })
}

/// `value.proto`, by hand: prost's derive is all that a generator would have added, and costs nobody a
/// build of one.
mod proto {
    use prost::Message;

    use super::{Result, distinct, parse};

    #[derive(Clone, PartialEq, Message)]
    struct Value {
        #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
        kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    enum Kind {
        #[prost(bool, tag = "1")]
        Null(bool),
        #[prost(bool, tag = "2")]
        Boolean(bool),
        #[prost(sint64, tag = "3")]
        Integer(i64),
        #[prost(string, tag = "4")]
        BigInteger(String),
        #[prost(double, tag = "5")]
        Number(f64),
        #[prost(string, tag = "6")]
        Text(String),
        #[prost(bytes, tag = "7")]
        Data(Vec<u8>),
        #[prost(message, tag = "8")]
        List(List),
        #[prost(message, tag = "9")]
        Map(Map),
        #[prost(message, tag = "10")]
        Numbers(Numbers),
        #[prost(message, tag = "11")]
        Integers(Integers),
    }

    #[derive(Clone, PartialEq, Message)]
    struct List {
        #[prost(message, repeated, tag = "1")]
        items: Vec<Value>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Map {
        #[prost(message, repeated, tag = "1")]
        entries: Vec<Entry>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Entry {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(message, optional, tag = "2")]
        value: Option<Value>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Numbers {
        #[prost(double, repeated, tag = "1")]
        values: Vec<f64>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Integers {
        #[prost(sint64, repeated, tag = "1")]
        values: Vec<i64>,
    }

    pub(super) fn encode(value: &super::Value) -> Vec<u8> {
        of(value).encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<super::Value> {
        let value = Value::decode(bytes).map_err(|e| parse(format!("the payload is not a Value: {e}")))?;
        match count(&value) > super::MAX_VALUES {
            true => Err(super::too_many()),
            false => to(value),
        }
    }

    fn count(value: &Value) -> usize {
        1 + match &value.kind {
            Some(Kind::List(l)) => l.items.iter().map(count).sum(),
            Some(Kind::Map(m)) => m.entries.iter().map(|e| 1 + e.value.as_ref().map_or(0, count)).sum(),
            Some(Kind::Numbers(n)) => n.values.len(),
            Some(Kind::Integers(n)) => n.values.len(),
            _ => 0,
        }
    }

    fn of(value: &super::Value) -> Value {
        let kind = match value {
            super::Value::Null => Kind::Null(true),
            super::Value::Bool(b) => Kind::Boolean(*b),
            super::Value::Int(n) => match i64::try_from(*n) {
                Ok(n) => Kind::Integer(n),
                Err(_) => Kind::BigInteger(n.to_string()),
            },
            super::Value::Float(x) => Kind::Number(*x),
            super::Value::Text(s) => Kind::Text(s.clone()),
            super::Value::Bytes(b) => Kind::Data(b.clone()),
            super::Value::List(items) => list(items),
            super::Value::Map(entries) => {
                let entry = |(k, v): &(String, super::Value)| Entry { key: k.clone(), value: Some(of(v)) };
                Kind::Map(Map { entries: entries.iter().map(entry).collect() })
            }
        };
        Value { kind: Some(kind) }
    }

    /// Lists of nothing but doubles, or integers of 64 bits, are packed.
    fn list(items: &[super::Value]) -> Kind {
        let double = |v: &super::Value| match v {
            super::Value::Float(x) => Some(*x),
            _ => None,
        };
        let integer = |v: &super::Value| match v {
            super::Value::Int(n) => i64::try_from(*n).ok(),
            _ => None,
        };
        match items.first() {
            Some(super::Value::Float(_)) => {
                if let Some(values) = items.iter().map(double).collect() {
                    return Kind::Numbers(Numbers { values });
                }
            }
            Some(super::Value::Int(_)) => {
                if let Some(values) = items.iter().map(integer).collect() {
                    return Kind::Integers(Integers { values });
                }
            }
            _ => {}
        }
        Kind::List(List { items: items.iter().map(of).collect() })
    }

    fn to(value: Value) -> Result<super::Value> {
        Ok(match value.kind.ok_or_else(|| parse("a value of no kind, or of one that is not known"))? {
            Kind::Null(_) => super::Value::Null,
            Kind::Boolean(b) => super::Value::Bool(b),
            Kind::Integer(n) => super::Value::Int(n.into()),
            Kind::BigInteger(text) => match text.parse() {
                Ok(n) => super::Value::Int(n),
                Err(_) => return Err(parse("a big integer that is none, or is beyond 128 bits")),
            },
            Kind::Number(x) => super::Value::Float(x),
            Kind::Text(s) => super::Value::Text(s),
            Kind::Data(b) => super::Value::Bytes(b),
            Kind::List(l) => super::Value::List(l.items.into_iter().map(to).collect::<Result<_>>()?),
            Kind::Map(m) => {
                let pair = |e: Entry| Ok((e.key, to(e.value.unwrap_or_default())?));
                distinct(m.entries.into_iter().map(pair).collect::<Result<_>>()?)?
            }
            Kind::Numbers(n) => super::Value::List(n.values.into_iter().map(super::Value::Float).collect()),
            Kind::Integers(n) => {
                super::Value::List(n.values.into_iter().map(|n| super::Value::Int(n.into())).collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same value, bit for bit.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
            }
            _ => a == b,
        }
    }

    fn nested(depth: usize, map: bool) -> Value {
        (0..depth).fold(Value::Int(1), |v, _| match map {
            true => Value::Map(vec![("k".into(), v)]),
            false => Value::List(vec![v, Value::Null]),
        })
    }

    #[test]
    fn values_are_counted_before_they_are_read() {
        let items = |n: u8| Value::List((0..n).map(|k| Value::Int(k.into())).collect());
        let awkward = [
            (Value::Text("x".repeat(31)), 1),
            (Value::Text("x".repeat(200)), 1),
            (Value::Text("x".repeat(300)), 1),
            (Value::Text("x".repeat(70_000)), 1),
            (Value::Bytes(vec![0xc0; 200]), 1),
            (Value::Bytes(vec![0xc0; 300]), 1),
            (Value::Bytes(vec![0xc0; 70_000]), 1),
            (Value::List(vec![Value::Float(0.5), Value::Int(1 << 40), Value::Int(-200), Value::Int(200)]), 5),
            (Value::List(vec![items(3), items(200), Value::Null]), 207),
            (Value::Map(vec![("a".into(), items(2)), ("b".into(), Value::Bool(true))]), 7),
        ];
        for (value, values) in awkward {
            let bytes = Format::MessagePack.encode(&value).expect("a value");
            assert_eq!((message_pack_values(&bytes).expect("ours"), count(&value)), (values, values));
        }
        // F32, and extensions of every length, which ours do not write.
        let others = [
            &[0xca, 0, 0, 0, 0][..],
            &[0xd4, 1, 0xc0],
            &[0xd8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xc7, 2, 1, 0xc0, 0xc0],
            &[0xc8, 0, 2, 1, 0xc0, 0xc0],
            &[0xc9, 0, 0, 0, 2, 1, 0xc0, 0xc0],
        ];
        for bytes in others {
            assert_eq!(message_pack_values(&[bytes, &[0xc0]].concat()), Ok(2), "{bytes:?}");
        }
        let n = MAX_VALUES;
        let list = [&[0xdd][..], &(n as u32).to_be_bytes(), &vec![0xc0; n]].concat();
        assert_eq!(Format::MessagePack.decode(&list).expect_err("too many").code, Code::TooLarge);
        let list = format!("[{}0]", "0,".repeat(n - 1));
        assert_eq!(Format::Json.decode(list.as_bytes()).expect_err("too many").code, Code::TooLarge);
        let length =
            |n: usize| [n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21].map(|b| b as u8);
        let list = [&[0x5a][..], &length(n + 5), &[0x0a], &length(n), &vec![0; n]].concat();
        assert_eq!(Format::Protobuf.decode(&list).expect_err("too many").code, Code::TooLarge);
        for format in Format::ALL {
            let e = format.encode(&Value::List(vec![Value::Null; n])).expect_err("too many");
            assert_eq!(e.code, Code::TooLarge);
        }
        let list = [&[0xdd][..], &(n as u32 - 1).to_be_bytes(), &vec![0xc0; n - 1]].concat();
        assert!(Format::MessagePack.decode(&list).is_ok(), "as many as may be");
    }

    #[test]
    fn what_is_awkward_survives_or_is_refused_by_name() {
        let all = Format::ALL;
        let cases = [
            (Value::Float(f64::NAN), &all[1..], "JSON has no NaN"),
            (Value::Float(f64::INFINITY), &all[1..], "JSON has no inf"),
            (Value::Float(f64::NEG_INFINITY), &all[1..], "JSON has no -inf"),
            (Value::Float(-0.0), &all[..], ""),
            (Value::Float(5e-324), &all[..], ""),
            (Value::Float(f64::MAX), &all[..], ""),
            (Value::Float(1.0), &all[..], ""),
            (Value::Int(1 << 70), &[Format::Json, Format::Protobuf][..], "it is beyond 64 bits"),
            (Value::Int(i128::MIN), &[Format::Json, Format::Protobuf][..], "it is beyond 64 bits"),
            (Value::Int(u64::MAX.into()), &all[..], ""),
            (Value::Int(i64::MIN.into()), &all[..], ""),
            (Value::Text("NaN".into()), &all[..], ""),
            (Value::Text("Infinity \u{0}\u{1F600}\"\\".into()), &all[..], ""),
            (Value::Bytes(vec![0, 255]), &all[1..], "JSON has no bytes"),
            (Value::List(vec![]), &all[..], ""),
            (Value::List(vec![Value::Float(1.5), Value::Float(-0.0)]), &all[..], ""),
            (Value::List(vec![Value::Int(3), Value::Float(3.0), Value::Null]), &all[..], ""),
            (
                Value::Map(vec![("NaN".into(), Value::Text("NaN".into())), (String::new(), Value::Null)]),
                &all[..],
                "",
            ),
            (nested(MAX_DEPTH, false), &all[..], ""),
            (nested(MAX_DEPTH, true), &all[..], ""),
        ];
        for (value, carriers, refusal) in cases {
            for format in all {
                match format.encode(&value) {
                    Ok(bytes) => {
                        assert!(carriers.contains(&format), "{format:?} {value:?}");
                        let back = format.decode(&bytes).expect("ours");
                        assert!(same(&back, &value), "{format:?} {value:?} {back:?}");
                    }
                    Err(e) => {
                        assert!(!carriers.contains(&format) && e.message.contains(refusal), "{format:?} {e}");
                    }
                }
            }
            let (format, bytes) = encode(&value, &Thresholds::default()).expect("some format can");
            assert!(same(&format.decode(&bytes).expect("ours"), &value));
        }
    }

    #[test]
    fn hostile_payloads_are_refused() {
        for format in Format::ALL {
            assert_eq!(format.encode(&nested(MAX_DEPTH + 1, true)).expect_err("deep").code, Code::TooLarge);
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        for json in [
            &deep[..],
            b"",
            b"{",
            b"[1,]",
            b"nul",
            b"1 2",
            b"NaN",
            b"{\"a\":1,\"a\":2}",
            b"\"\xff\"",
            b"1e400",
        ] {
            assert!(
                Format::Json.decode(json).is_err(),
                "{}",
                String::from_utf8_lossy(&json[..json.len().min(20)])
            );
        }
        assert!(Format::Json.decode("9".repeat(60).as_bytes()).is_err());
        // The byte of no type is one as text, as bytes, in numbers; as a type it is nothing.
        let ones = [
            Value::Bytes(vec![0xc1; 300]),
            Value::Int(0xc1c1_c1c1),
            Value::Float(f64::from_bits(!0 / 255 * 0xc1)),
        ];
        for value in [Value::Bytes(vec![0xc1]), Value::Text("\u{41}\u{c1}".into()), Value::List(ones.into())]
        {
            let bytes = Format::MessagePack.encode(&value).expect("it has all of these");
            assert!(same(&Format::MessagePack.decode(&bytes).expect("ours"), &value));
        }
        for pack in [&[0xc1][..], &[0x92, 1, 0xc1], &[0x81, 0xa1, b'a', 0xc1], &[0x92, 0xcc, 0xc1, 0xc1]] {
            assert_eq!(Format::MessagePack.decode(pack).expect_err("no type").code, Code::Parse);
        }
        // An array that claims 2^32 - 1 items, one nested 100,000 deep, an extension, something after.
        for pack in [&[0xdd, 255, 255, 255, 255][..], &[0x91; 100_000], &[0xc7, 1, 5, 0], &[1, 1], &[]] {
            assert!(Format::MessagePack.decode(pack).is_err());
        }
        // A list of a value of no kind; lengths that lie; text that is not UTF-8.
        for proto in [&[0x42, 2, 0x0a, 0][..], &[0x42, 0xff, 0xff, 0xff, 0x7f], &[0x32, 1, 0xff], &[]] {
            assert!(Format::Protobuf.decode(proto).is_err());
        }
    }

    #[test]
    fn the_size_decides_on_the_format() {
        let numbers = |n: usize| Value::List((0..n).map(|i| Value::Float(i as f64 / 3.0)).collect());
        let thresholds = Thresholds { message_pack: 1000, protobuf: 10_000 };
        for (n, format) in [(10, Format::Json), (200, Format::MessagePack), (2000, Format::Protobuf)] {
            let (found, bytes) = encode(&numbers(n), &thresholds).expect("numbers");
            assert_eq!(found, format);
            assert!(same(&found.decode(&bytes).expect("ours"), &numbers(n)));
        }
    }
}
