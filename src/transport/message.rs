//! The envelope: what a request and a reply say about themselves, and how they are laid out in frames.
//! `docs/wire.md` is the same for readers of other languages.
//!
//! A message is `[address…, "",] header, payload, array…`: the header is JSON, the payload is in the
//! format that the header names, and each array is a frame of its own, little-endian.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::format::{self, Format, Thresholds, Value};
use super::zmtp::Message;
use crate::error::{Code, Error, Result};

/// The version of the envelope.
pub const SCHEMA_VERSION: u64 = 1;
/// A header is not longer.
pub(super) const MAX_HEADER: usize = 64 << 10;
/// Nor are names and correlation ids.
const MAX_NAME: usize = 256;

/// The type of the numbers in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Doubles.
    F64,
    /// Floats.
    F32,
    /// Signed integers of 64 bits.
    I64,
}

impl Dtype {
    /// The bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ArrayHeader {
    dtype: Dtype,
    shape: Vec<u64>,
}

/// Numbers in a box, in row-major order, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    dtype: Dtype,
    shape: Vec<u64>,
    data: Bytes,
}

/// Rust types that arrays are made of.
pub trait Element: bytemuck::Pod + Send + 'static {
    /// How they are called.
    const DTYPE: Dtype;
}

impl Element for f64 {
    const DTYPE: Dtype = Dtype::F64;
}
impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}
impl Element for i64 {
    const DTYPE: Dtype = Dtype::I64;
}

/// Numbers in memory are the bytes on the wire.
const _: () = assert!(cfg!(target_endian = "little"), "arrays are sent as they are in memory");

struct Owner<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl Array {
    /// An array of these numbers, which are not copied.
    pub fn new<T: Element>(numbers: Vec<T>, shape: Vec<u64>) -> Result<Self> {
        Self::of_bytes(T::DTYPE, shape, Bytes::from_owner(Owner(numbers)))
    }

    /// An array of one dimension.
    pub fn flat<T: Element>(numbers: Vec<T>) -> Self {
        let shape = vec![numbers.len() as u64];
        Array { dtype: T::DTYPE, shape, data: Bytes::from_owner(Owner(numbers)) }
    }

    /// An array whose numbers are these bytes. Errors when there are too few or too many of them.
    pub fn of_bytes(dtype: Dtype, shape: Vec<u64>, data: Bytes) -> Result<Self> {
        let size = shape.iter().try_fold(dtype.size() as u64, |n, d| n.checked_mul(*d));
        if size != Some(data.len() as u64) {
            let message = format!("an array of shape {shape:?} does not have {} bytes", data.len());
            return Err(Error::new(Code::BadRequest, message).at("arrays"));
        }
        Ok(Array { dtype, shape, data })
    }

    /// The type of the numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How many there are along each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Their bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The numbers, if they are of this type; copied only if the bytes are not aligned for it.
    pub fn numbers<T: Element>(&self) -> Option<Cow<'_, [T]>> {
        if self.dtype != T::DTYPE {
            return None;
        }
        Some(match bytemuck::try_cast_slice(&self.data) {
            Ok(numbers) => Cow::Borrowed(numbers),
            Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(&self.data)),
        })
    }
}

/// What is carried: bytes in some format, and arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// How the payload is written.
    pub format: Format,
    /// The payload.
    pub payload: Bytes,
    /// Arrays beside it.
    pub arrays: Vec<Array>,
}

impl Body {
    /// A payload of JSON that is written already.
    pub fn json(payload: impl Into<Bytes>) -> Self {
        Body { format: Format::Json, payload: payload.into(), arrays: Vec::new() }
    }

    /// A payload in the format that fits it.
    pub fn of(value: &Value, thresholds: &Thresholds) -> Result<Self> {
        let (format, payload) = format::encode(value, thresholds)?;
        Ok(Body { format, payload: payload.into(), arrays: Vec::new() })
    }

    /// A payload of JSON, written anew in the format that fits it. JSON that no value can carry, such as
    /// integers beyond 128 bits, stays as it is.
    pub fn of_json(json: impl Into<Bytes>, thresholds: &Thresholds) -> Result<Self> {
        let json = json.into();
        if json.len() < thresholds.message_pack.min(thresholds.protobuf) {
            return Ok(Body::json(json));
        }
        match Format::Json.decode(&json) {
            Ok(value) => match format::encode(&value, thresholds)? {
                (Format::Json, _) => Ok(Body::json(json)),
                (format, payload) => Ok(Body { format, payload: payload.into(), arrays: Vec::new() }),
            },
            Err(e) if e.code == Code::BadRequest => Ok(Body::json(json)),
            Err(e) => Err(e),
        }
    }

    /// The same with these arrays.
    pub fn with(self, arrays: Vec<Array>) -> Self {
        Body { arrays, ..self }
    }

    /// Reads the payload.
    pub fn value(&self) -> Result<Value> {
        self.format.decode(&self.payload)
    }

    /// The bytes of the payload and the arrays.
    pub fn len(&self) -> usize {
        self.payload.len() + self.arrays.iter().map(|a| a.data.len()).sum::<usize>()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn headers(&self) -> Vec<ArrayHeader> {
        self.arrays.iter().map(|a| ArrayHeader { dtype: a.dtype, shape: a.shape.clone() }).collect()
    }

    fn frames(&self, header: Vec<u8>) -> Message {
        let mut frames = vec![header.into(), self.payload.clone()];
        frames.extend(self.arrays.iter().map(|a| a.data.clone()));
        frames
    }

    fn read(content_type: &str, arrays: Vec<ArrayHeader>, frames: &[Bytes]) -> Result<Self> {
        let format = Format::of_content_type(content_type)?;
        let (payload, rest) = frames
            .split_first()
            .ok_or_else(|| Error::new(Code::Parse, "a message without a payload").at("payload"))?;
        if rest.len() != arrays.len() {
            let message = format!("the header names {} arrays, {} came", arrays.len(), rest.len());
            return Err(Error::new(Code::BadRequest, message).at("arrays"));
        }
        let read = |(a, data): (ArrayHeader, &Bytes)| Array::of_bytes(a.dtype, a.shape, data.clone());
        let arrays = arrays.into_iter().zip(rest).map(read).collect::<Result<_>>()?;
        Ok(Body { format, payload: payload.clone(), arrays })
    }
}

/// A question to a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Sent back with the reply.
    pub correlation_id: String,
    /// What is asked for.
    pub op: String,
    /// How many milliseconds the asker will go on waiting; nobody need work longer.
    pub deadline_ms: Option<u64>,
    /// What it is about.
    pub body: Body,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// That of the request.
    pub correlation_id: String,
    /// The answer, or why there is none.
    pub outcome: std::result::Result<Body, Refusal>,
}

/// Why a server did not answer. Its code is text: servers in other languages have their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// One of [`Code`]'s names, or the server's own.
    pub code: String,
    /// For people.
    pub message: String,
    /// The field of the request at fault.
    #[serde(default)]
    pub field: Option<String>,
}

impl From<&Error> for Refusal {
    fn from(e: &Error) -> Self {
        Refusal { code: e.code.name().into(), message: e.message.clone(), field: e.field.map(Into::into) }
    }
}

#[derive(Serialize, Deserialize)]
struct RequestHeader<'a> {
    schema_version: u64,
    #[serde(default)]
    correlation_id: Cow<'a, str>,
    op: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
    #[serde(default = "json")]
    content_type: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    arrays: Vec<ArrayHeader>,
}

fn json() -> Cow<'static, str> {
    Cow::Borrowed("application/json")
}

#[derive(Serialize, Deserialize)]
struct ReplyHeader<'a> {
    schema_version: u64,
    #[serde(default)]
    correlation_id: Cow<'a, str>,
    status: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(default = "json")]
    content_type: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    arrays: Vec<ArrayHeader>,
}

/// The keys that every version has.
#[derive(Deserialize)]
struct AnyHeader<'a> {
    schema_version: Option<serde_json::Value>,
    #[serde(default, borrow)]
    correlation_id: Option<Cow<'a, str>>,
}

fn header<'a, H: Deserialize<'a>>(frames: &'a [Bytes]) -> Result<H> {
    let bytes = frames.first().ok_or_else(|| Error::new(Code::Parse, "a message without a header"))?;
    if bytes.len() > MAX_HEADER {
        let message = format!("a header of {} bytes; the limit is {MAX_HEADER}", bytes.len());
        return Err(Error::new(Code::TooLarge, message).at("header"));
    }
    let broken = |e: serde_json::Error| Error::new(Code::Parse, format!("the header: {e}")).at("header");
    let any: AnyHeader = serde_json::from_slice(bytes).map_err(broken)?;
    let version = any.schema_version.unwrap_or(serde_json::Value::Null);
    if version.as_u64() != Some(SCHEMA_VERSION) {
        let message = format!("schema_version {version} is not spoken here; {SCHEMA_VERSION} is");
        return Err(Error::new(Code::UnsupportedVersion, message).at("schema_version"));
    }
    serde_json::from_slice(bytes).map_err(broken)
}

/// The correlation id of a message that may be broken otherwise.
pub fn correlation_id(frames: &[Bytes]) -> String {
    let any = frames.first().filter(|h| h.len() <= MAX_HEADER).and_then(|h| serde_json::from_slice(h).ok());
    any.and_then(|any: AnyHeader| any.correlation_id).map_or(String::new(), Cow::into_owned)
}

/// What a reply says of itself: the id of the request, and whether it is an answer.
pub fn outcome(frames: &[Bytes]) -> Option<(String, bool)> {
    let h: ReplyHeader = header(frames).ok()?;
    Some((h.correlation_id.into_owned(), &*h.status == "ok"))
}

fn short(text: &str, field: &'static str) -> Result<()> {
    if text.len() > MAX_NAME {
        return Err(Error::new(Code::TooLarge, format!("longer than {MAX_NAME} bytes")).at(field));
    }
    Ok(())
}

fn to_json(header: &impl Serialize) -> Vec<u8> {
    // Strings and numbers only: this cannot fail.
    serde_json::to_vec(header).unwrap_or_default()
}

impl Request {
    /// Its frames.
    pub fn frames(&self) -> Message {
        self.body.frames(to_json(&RequestHeader {
            schema_version: SCHEMA_VERSION,
            correlation_id: Cow::Borrowed(&self.correlation_id),
            op: Cow::Borrowed(&self.op),
            deadline_ms: self.deadline_ms,
            content_type: Cow::Borrowed(self.body.format.content_type()),
            arrays: self.body.headers(),
        }))
    }

    /// Reads frames, without an address.
    pub fn read(frames: &[Bytes]) -> Result<Self> {
        let h: RequestHeader = header(frames)?;
        short(&h.op, "op")?;
        short(&h.correlation_id, "correlation_id")?;
        let body = Body::read(&h.content_type, h.arrays, &frames[1..])?;
        Ok(Request {
            correlation_id: h.correlation_id.into_owned(),
            op: h.op.into_owned(),
            deadline_ms: h.deadline_ms,
            body,
        })
    }

    /// The same frames with another deadline, for who passes a request on after some time.
    pub fn renew(frames: &mut [Bytes], deadline_ms: u64) -> Result<()> {
        let mut h: RequestHeader = header(frames)?;
        h.deadline_ms = Some(deadline_ms);
        let renewed = to_json(&h);
        frames[0] = renewed.into();
        Ok(())
    }

    /// What is asked for, and for how long; nothing else is read.
    pub fn peek(frames: &[Bytes]) -> Result<(String, Option<u64>)> {
        let h: RequestHeader = header(frames)?;
        short(&h.op, "op")?;
        short(&h.correlation_id, "correlation_id")?;
        Ok((h.op.into_owned(), h.deadline_ms))
    }
}

impl Reply {
    /// A refusal.
    pub fn error(correlation_id: impl Into<String>, e: &Error) -> Self {
        Reply { correlation_id: correlation_id.into(), outcome: Err(e.into()) }
    }

    /// Its frames.
    pub fn frames(&self) -> Message {
        let empty = Body::json(Bytes::new());
        let (body, error) = match &self.outcome {
            Ok(body) => (body, None),
            Err(refusal) => (&empty, Some(refusal.clone())),
        };
        body.frames(to_json(&ReplyHeader {
            schema_version: SCHEMA_VERSION,
            correlation_id: Cow::Borrowed(&self.correlation_id),
            status: Cow::Borrowed(if error.is_some() { "error" } else { "ok" }),
            error,
            content_type: Cow::Borrowed(body.format.content_type()),
            arrays: body.headers(),
        }))
    }

    /// Reads frames, without an address.
    pub fn read(frames: &[Bytes]) -> Result<Self> {
        let h: ReplyHeader = header(frames)?;
        let outcome = match (&*h.status, h.error) {
            ("ok", None) => Ok(Body::read(&h.content_type, h.arrays, &frames[1..])?),
            ("error", Some(refusal)) => Err(refusal),
            _ => return Err(Error::new(Code::Parse, "a reply that is neither ok nor an error").at("status")),
        };
        Ok(Reply { correlation_id: h.correlation_id.into_owned(), outcome })
    }
}

/// A message to a server, cut into the part that says where the answer goes and what is asked.
#[derive(Debug)]
pub struct Incoming {
    /// The frames to put before the answer.
    pub address: Message,
    /// What is asked.
    pub frames: Message,
}

impl Incoming {
    /// Cuts at the first empty frame, as REP sockets do. What begins with a header or with JSON has no
    /// address, even though an empty payload may follow.
    pub fn new(mut frames: Message) -> Self {
        let addressed = !matches!(frames.first().and_then(|f| f.first()), Some(b'{' | b'"' | b'['));
        match frames.iter().position(Bytes::is_empty).filter(|_| addressed) {
            Some(at) => {
                let rest = frames.split_off(at + 1);
                Incoming { address: frames, frames: rest }
            }
            None => Incoming { address: Vec::new(), frames },
        }
    }

    /// Whether this is a message of the reference system: one frame of JSON, or a correlation id and one.
    pub fn is_legacy(&self) -> bool {
        match &self.frames[..] {
            [] | [_] => true,
            [id, _] => id.first() != Some(&b'{'),
            _ => false,
        }
    }

    /// An answer in full.
    pub fn answer(&self, frames: Message) -> Message {
        self.address.iter().cloned().chain(frames).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let numbers = vec![1.5, f64::NAN, -0.0, f64::INFINITY];
        let arrays = vec![
            Array::new(numbers, vec![2, 2]).expect("4"),
            Array::flat(vec![i64::MIN, i64::MAX]),
            Array::flat(Vec::<f32>::new()),
        ];
        let value = Value::Map(vec![("x".into(), Value::Int(1 << 70))]);
        let body = Body::of(&value, &Thresholds::default()).expect("a format").with(arrays);
        Request { correlation_id: "a-1".into(), op: "norm".into(), deadline_ms: Some(250), body }
    }

    #[test]
    fn requests_and_replies_are_read_back() {
        let mut frames = request().frames();
        let back = Request::read(&frames).expect("ours");
        assert_eq!((&back.correlation_id[..], &back.op[..], back.deadline_ms), ("a-1", "norm", Some(250)));
        let numbers = back.body.arrays[0].numbers::<f64>().expect("doubles");
        let bits: Vec<u64> = numbers.iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [1.5, f64::NAN, -0.0, f64::INFINITY].map(f64::to_bits));
        assert!(matches!(numbers, Cow::Borrowed(_)), "nothing is copied");
        assert!(back.body.arrays[0].numbers::<i64>().is_none());
        assert_eq!(back.body.arrays[1].numbers::<i64>().expect("integers")[..], [i64::MIN, i64::MAX]);
        Request::renew(&mut frames, 100).expect("ours");
        assert_eq!(Request::read(&frames).expect("ours").deadline_ms, Some(100));

        let error = Error::new(Code::Domain, "log of -1").at("lo");
        for outcome in [Ok(request().body), Err((&error).into())] {
            let reply = Reply { correlation_id: "a-1".into(), outcome };
            let back = Reply::read(&reply.frames()).expect("ours");
            // NaN differs from itself, so the frames are compared.
            assert_eq!(back.frames(), reply.frames());
        }
    }

    #[test]
    fn json_is_written_anew_from_a_size_on() {
        let thresholds = Thresholds { message_pack: 10, protobuf: 100 };
        let body = |json: &str| Body::of_json(json.as_bytes().to_vec(), &thresholds);
        assert_eq!(body("[1, 2]").expect("small"), Body::json("[1, 2]"));
        let long = format!("[{}]", ["-0.5"; 20].join(", "));
        for (json, format) in [("[-0, 1.0, \"NaN\"]", Format::MessagePack), (long.as_str(), Format::Protobuf)]
        {
            let body = body(json).expect("written");
            assert_eq!(body.format, format);
            let again = format!("{:?}", Format::Json.decode(json.as_bytes()).expect("JSON"));
            assert_eq!(format!("{:?}", body.value().expect("ours")), again);
        }
        // What MessagePack cannot say goes on as something that can; what nothing can, as it came.
        assert_eq!(body("[1180591620717411303424]").expect("2^70").format, Format::Protobuf);
        let huge = "9".repeat(50);
        assert_eq!(body(&huge).expect("as it is"), Body::json(huge));
        assert!(body("[1, 2, 3, nonsense]").is_err());
    }

    #[test]
    fn unknown_versions_are_refused_by_name() {
        for (version, name) in [("2", "2"), ("\"1\"", "\"1\""), ("1.5", "1.5"), ("null", "null")] {
            let header = format!(r#"{{"schema_version":{version},"op":"x","correlation_id":"c"}}"#);
            let frames = [Bytes::from(header), Bytes::new()];
            let e = Request::read(&frames).expect_err("refused");
            assert_eq!(e.code, Code::UnsupportedVersion);
            assert!(e.message.starts_with(&format!("schema_version {name} is not spoken")), "{e}");
            assert_eq!(correlation_id(&frames), "c");
        }
    }

    #[test]
    fn lies_about_arrays_are_refused() {
        let ask = |arrays: &str, data: &'static [u8]| {
            let header = format!(r#"{{"schema_version":1,"op":"x","arrays":{arrays}}}"#);
            Request::read(&[header.into(), Bytes::new(), Bytes::from_static(data)])
        };
        assert!(ask(r#"[{"dtype":"f64","shape":[1]}]"#, &[0; 8]).is_ok());
        assert!(ask(r#"[{"dtype":"f64","shape":[2]}]"#, &[0; 8]).is_err());
        assert!(ask(r#"[{"dtype":"f64","shape":[4294967296,4294967296]}]"#, &[]).is_err());
        assert!(ask(r#"[{"dtype":"f16","shape":[4]}]"#, &[0; 8]).is_err());
        assert!(ask("[]", &[0; 8]).is_err());
        assert!(ask(r#"[{"dtype":"f64","shape":[-1]}]"#, &[0; 8]).is_err());
    }

    #[test]
    fn the_address_is_what_comes_before_an_empty_frame() {
        let cut = |frames: &[&'static str]| {
            let incoming = Incoming::new(frames.iter().map(|f| Bytes::from_static(f.as_bytes())).collect());
            (incoming.address.len(), incoming.frames.len(), incoming.is_legacy())
        };
        assert_eq!(cut(&["", "{}", ""]), (1, 2, false));
        assert_eq!(cut(&["{}", ""]), (0, 2, false));
        assert_eq!(cut(&["id", "", "{}"]), (2, 1, true));
        assert_eq!(cut(&["\"HEARTBEAT\""]), (0, 1, true));
        assert_eq!(cut(&["", "req_1", "{}"]), (1, 2, true));
        assert_eq!(cut(&[]), (0, 0, true));
        assert_eq!(cut(&[""]), (1, 0, true));
    }
}
