//! A client of the transport from C. See `docs/transport.md`.

use std::ptr;
use std::time::Duration;

use bytes::Bytes;

use super::{LeanOracleBuffer, LeanOracleCancel, LeanOracleText, bytes, null, text};
use crate::error::{Code, Error, Result, guarded};
use crate::oracle;
use crate::transport::client::{CallError, CallOptions, Client, ClientConfig, Outcome};
use crate::transport::format::{self, Format, Thresholds};
use crate::transport::message::{Array, Body, Dtype};

/// A client of one server. Any thread may use it; see `lean_oracle_client_new`.
pub struct LeanOracleClient(Client);

/// The numbers of an array are doubles.
pub const LEAN_ORACLE_F64: u32 = 0;
/// The numbers of an array are floats.
pub const LEAN_ORACLE_F32: u32 = 1;
/// The numbers of an array are signed integers of 64 bits.
pub const LEAN_ORACLE_I64: u32 = 2;

/// Numbers in a box, in row-major order, little-endian.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleArray {
    /// `LEAN_ORACLE_F64`, `LEAN_ORACLE_F32` or `LEAN_ORACLE_I64`.
    pub dtype: u32,
    /// The number of dimensions.
    pub dimensions: u32,
    /// How many numbers there are along each dimension.
    pub shape: *const u64,
    /// The bytes of the numbers; need not be aligned. NULL when there are none.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// A request to a server.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleRequest {
    /// What is asked for: an operation of the server, or `health`, which every server answers.
    pub op: LeanOracleText,
    /// How the payload is written: a content type of `docs/wire.md`; empty for `application/json`.
    pub content_type: LeanOracleText,
    /// The payload, any bytes.
    pub payload: LeanOracleText,
    /// Arrays beside the payload; may be NULL if there are none.
    pub arrays: *const LeanOracleArray,
    /// The number of arrays.
    pub array_count: usize,
}

/// What is special about a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleCallOptions {
    /// Milliseconds for each attempt; 0 for those of the client.
    pub timeout_ms: u64,
    /// Milliseconds for everything; 0 for no such limit.
    pub deadline_ms: u64,
    /// Attempts after the first; negative for those of the client.
    pub retries: i32,
    /// 1 for what must not reach the server twice.
    pub once: u8,
    /// 1 to send the payload alone, in one frame, to a server that does not speak our envelope; the reply's
    /// payload is its one frame. Operation, content type and arrays are ignored.
    pub raw: u8,
}

/// There is an answer.
pub const LEAN_ORACLE_REPLY_OK: u32 = 0;
/// Nobody answered in time.
pub const LEAN_ORACLE_REPLY_TIMEOUT: u32 = 1;
/// The server could not be reached, or the connection was lost.
pub const LEAN_ORACLE_REPLY_UNREACHABLE: u32 = 2;
/// The server refused.
pub const LEAN_ORACLE_REPLY_SERVER: u32 = 3;
/// The answer cannot be read.
pub const LEAN_ORACLE_REPLY_DECODE: u32 = 4;
/// The request was cancelled.
pub const LEAN_ORACLE_REPLY_CANCELLED: u32 = 5;
/// The client was closed.
pub const LEAN_ORACLE_REPLY_CLOSED: u32 = 6;
/// The request was not sent: it is not well-formed, there are too many, or the server does not let us in.
pub const LEAN_ORACLE_REPLY_REQUEST: u32 = 7;

/// What became of a request. Give it back with `lean_oracle_reply_free`.
#[repr(C)]
#[derive(Debug)]
pub struct LeanOracleReply {
    /// `LEAN_ORACLE_REPLY_OK`, or why there is no answer.
    pub kind: u32,
    /// The number of arrays.
    pub array_count: u32,
    /// How the payload is written.
    pub content_type: LeanOracleText,
    /// The payload. No NUL follows it.
    pub payload: LeanOracleText,
    /// The arrays of the answer.
    pub arrays: *const LeanOracleArray,
    /// On failure, the name of the code; a server may have codes of its own. No NUL follows this and the
    /// next two.
    pub code: LeanOracleText,
    /// On failure, what is wrong.
    pub message: LeanOracleText,
    /// On failure, the field of the request at fault; may be empty.
    pub field: LeanOracleText,
    /// Owns everything that is pointed to.
    pub storage: *mut LeanOracleReplyStorage,
}

/// What a reply points to.
#[derive(Default)]
pub struct LeanOracleReplyStorage {
    body: Option<Body>,
    arrays: Vec<LeanOracleArray>,
    code: String,
    message: String,
    field: String,
}

/// Starts a client. `config` is JSON:
///
/// `{"endpoint": "tcp://127.0.0.1:5555", "timeout_ms": 2500, "retries": 3, "backoff_ms": 100,
/// "linger_ms": 100, "in_flight": 10000, "max_message_bytes": 268435456, "key": ..., "server_key": ...,
/// "plaintext": false}`
///
/// Only the endpoint is needed; the other values are the defaults. With `server_key`, a public key or a
/// file of one, or else the environment's LEAN_ORACLE_SERVER_KEY, the connection is sealed by CURVE, with
/// `key` (else LEAN_ORACLE_SECRET_KEY, else a new one) as our secret key. Without one, other machines are
/// refused unless `plaintext` is true. The client connects with its first request; a server that is not
/// there is no error here.
///
/// Returns 0 and a client, or the code, NULL and, in `*error`, what
/// `lean_oracle_call_json` would write for it. After success `*error` is empty.
///
/// # Safety
///
/// `config` must point to `len` readable bytes, and `client` and `error`, unless NULL, to writable memory.
/// What they held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_client_new(
    config: *const u8,
    len: usize,
    client: *mut *mut LeanOracleClient,
    error: *mut LeanOracleBuffer,
) -> i32 {
    let result = guarded(|| {
        if client.is_null() {
            return Err(null("client"));
        }
        // SAFETY: the caller vouches for `config` and `len`.
        let config = ClientConfig::from_json(unsafe { bytes(config, len, "config") }?)?;
        Client::new(config).map(|c| Box::into_raw(Box::new(LeanOracleClient(c))))
    });
    let (code, made, json) = match result {
        Ok(made) => (0, made, LeanOracleBuffer::empty()),
        Err(e) => {
            let json = oracle::error_json(&e).into_bytes();
            (e.code.number(), ptr::null_mut(), LeanOracleBuffer::new(json))
        }
    };
    // SAFETY: the caller vouches that each is NULL or writable.
    unsafe {
        if let Some(out) = client.as_mut() {
            *out = made;
        }
        match error.as_mut() {
            Some(out) => *out = json,
            None => drop_buffer(json),
        }
    }
    code
}

pub(super) fn drop_buffer(mut buffer: LeanOracleBuffer) {
    // SAFETY: it was made by this library and is not used any more.
    unsafe { super::lean_oracle_free(&mut buffer) };
}

/// Sends `count` requests, one after the other without waiting, and waits for all answers. `replies[i]` is
/// what became of `requests[i]`; each is to be freed. Returns 0, or the code of the first request without
/// an answer.
///
/// When `cancel` is set, the requests under way end as cancelled, and the server is told.
///
/// # Safety
///
/// `client` must come from `lean_oracle_client_new` and not be freed before this returns; `requests` must
/// point to `count` requests that point to readable memory, `options`, unless NULL, to options, `cancel`,
/// unless NULL, to a flag that is not freed before this returns, and `replies` to writable memory for
/// `count` replies. What they held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_client_call(
    client: *const LeanOracleClient,
    requests: *const LeanOracleRequest,
    count: usize,
    options: *const LeanOracleCallOptions,
    cancel: *const LeanOracleCancel,
    replies: *mut LeanOracleReply,
) -> i32 {
    if count == 0 {
        return 0;
    }
    if replies.is_null() || count > isize::MAX as usize / size_of::<LeanOracleReply>() {
        return Code::BadRequest.number();
    }
    let outcomes = guarded(|| {
        if requests.is_null() {
            return Err(null("requests"));
        }
        // SAFETY: the caller vouches that each is NULL or valid.
        let (client, options, cancel) = unsafe { (client.as_ref(), options.as_ref(), cancel.as_ref()) };
        let client = &client.ok_or_else(|| null("client"))?.0;
        // SAFETY: not NULL, and the caller vouches for them.
        let requests = unsafe { std::slice::from_raw_parts(requests, count) };
        let (call, raw) =
            (options.map_or(CallOptions::default(), read_options), options.is_some_and(|o| o.raw != 0));
        let start = |r: &LeanOracleRequest| {
            if raw {
                // SAFETY: the caller vouches for the payload.
                let payload = unsafe { bytes(r.payload.ptr, r.payload.len, "payload") };
                let payload = payload.map_err(CallError::Request)?;
                return client.start_raw(vec![Bytes::copy_from_slice(payload)], call);
            }
            // SAFETY: the caller vouches for everything that the request points to.
            let (op, body) = unsafe { read_request(r) }.map_err(CallError::Request)?;
            client.start(op, body, call)
        };
        Ok(client.pipeline(requests, start, cancel.map(|c| &*c.0)))
    });
    let mut first = 0;
    let mut put = |i: usize, outcome: Outcome<Body>| {
        if let (0, Err(e)) = (first, &outcome) {
            first = e.code().number();
        }
        // SAFETY: not NULL, the caller vouches for room for `count` replies, and `i` is below.
        unsafe { replies.add(i).write(LeanOracleReply::new(outcome)) };
    };
    match outcomes {
        Ok(outcomes) => outcomes.into_iter().enumerate().for_each(|(i, o)| put(i, o)),
        Err(e) => (0..count).for_each(|i| put(i, Err(CallError::Request(e.clone())))),
    }
    first
}

/// What the client has done, as JSON: counters, bounds of the median and the 99th percentile of the time
/// from a request to its answer, and how many answers took how many microseconds at most. Returns 0 or the
/// code; only with `out == NULL` is nothing written.
///
/// # Safety
///
/// `client` must be as for `lean_oracle_client_call`, and `out`, unless NULL, point to writable memory.
/// What `*out` held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_client_metrics(
    client: *const LeanOracleClient,
    out: *mut LeanOracleBuffer,
) -> i32 {
    let json = guarded(|| {
        // SAFETY: the caller vouches that it is NULL or valid.
        let client = unsafe { client.as_ref() }.ok_or_else(|| null("client"))?;
        Ok(client.0.metrics().report().json().to_string())
    });
    // SAFETY: passed on.
    unsafe { give(json.map(String::into_bytes), out) }
}

/// Closes a client: what is under way on other threads ends as closed, and so does every later call. What
/// was sent before is given its `linger_ms` to leave. Closing twice, and NULL, are fine. The client must
/// still be freed.
///
/// # Safety
///
/// `client`, unless NULL, must be as for `lean_oracle_client_call`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_client_close(client: *const LeanOracleClient) {
    // SAFETY: the caller vouches that it is NULL or valid.
    if let Some(client) = unsafe { client.as_ref() } {
        let _ = guarded(|| {
            client.0.close();
            Ok(())
        });
    }
}

/// Closes a client and frees it. NULL is fine.
///
/// # Safety
///
/// `client`, unless NULL, must come from `lean_oracle_client_new` and not be freed yet; no other thread may
/// be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_client_free(client: *mut LeanOracleClient) {
    if !client.is_null() {
        let _ = guarded(|| {
            // SAFETY: not NULL, and the caller vouches that it was made by `Box::into_raw` and not freed.
            drop(unsafe { Box::from_raw(client) });
            Ok(())
        });
    }
}

/// Frees what a reply points to and empties it. NULL and an empty reply are fine.
///
/// # Safety
///
/// `reply`, unless NULL, must point to a reply that this library filled and that was not changed, or to an
/// empty one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_reply_free(reply: *mut LeanOracleReply) {
    // SAFETY: the caller vouches that `reply` is NULL or valid.
    let Some(reply) = (unsafe { reply.as_mut() }) else { return };
    let storage = std::mem::replace(&mut reply.storage, ptr::null_mut());
    if !storage.is_null() {
        // SAFETY: it comes from `LeanOracleReply::new`, and the reply was just emptied, so this happens once.
        drop(unsafe { Box::from_raw(storage) });
    }
    *reply = LeanOracleReply::empty();
}

/// Writes a payload in another format. `from` and `to` are content types; `to` may be empty for the format
/// that fits the size: JSON below `msgpack_from` bytes, MessagePack below `protobuf_from`, else Protocol
/// Buffers, or the next one that can say it; 0 for the defaults of 4 KiB and 1 MiB. What a format cannot
/// say is refused. Returns 0 and the payload, or the code and what `lean_oracle_call_json` would
/// write for it.
///
/// `*chosen`, unless NULL, receives the content type, which is static.
///
/// # Safety
///
/// The texts must point to readable bytes, and `chosen` and `out`, unless NULL, to writable memory. What
/// `*out` held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_payload_convert(
    payload: LeanOracleText,
    from: LeanOracleText,
    to: LeanOracleText,
    msgpack_from: usize,
    protobuf_from: usize,
    chosen: *mut LeanOracleText,
    out: *mut LeanOracleBuffer,
) -> i32 {
    let result = guarded(|| {
        // SAFETY: the caller vouches for the three texts.
        let (payload, from, to) =
            unsafe { (bytes(payload.ptr, payload.len, "payload")?, text(&from, "from")?, text(&to, "to")?) };
        let value = Format::of_content_type(from)?.decode(payload)?;
        if !to.is_empty() {
            let to = Format::of_content_type(to)?;
            return Ok((to, to.encode(&value)?));
        }
        let or = |n: usize, default: usize| if n == 0 { default } else { n };
        let d = Thresholds::default();
        let thresholds = Thresholds {
            message_pack: or(msgpack_from, d.message_pack),
            protobuf: or(protobuf_from, d.protobuf),
        };
        format::encode(&value, &thresholds)
    });
    let (format, result) = match result {
        Ok((format, bytes)) => (format.content_type(), Ok(bytes)),
        Err(e) => ("", Err(e)),
    };
    // SAFETY: the caller vouches that each is NULL or writable.
    unsafe {
        if let Some(chosen) = chosen.as_mut() {
            *chosen = LeanOracleText::of(format.as_bytes());
        }
        give(result, out)
    }
}

/// Writes bytes, or an error as JSON, and returns the code.
///
/// # Safety
///
/// `out`, unless NULL, must point to writable memory.
pub(super) unsafe fn give(result: Result<Vec<u8>>, out: *mut LeanOracleBuffer) -> i32 {
    if out.is_null() {
        return Code::BadRequest.number();
    }
    let (code, bytes) = match result {
        Ok(bytes) => (0, bytes),
        Err(e) => (e.code.number(), oracle::error_json(&e).into_bytes()),
    };
    // SAFETY: not NULL, and the caller vouches that it is writable.
    unsafe { out.write(LeanOracleBuffer::new(bytes)) };
    code
}

fn read_options(o: &LeanOracleCallOptions) -> CallOptions {
    let time = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
    CallOptions {
        timeout: time(o.timeout_ms),
        retries: u32::try_from(o.retries).ok(),
        deadline: time(o.deadline_ms),
        once: o.once != 0,
    }
}

/// What is sent outlives the call if that is cancelled, so it is copied: once.
///
/// # Safety
///
/// Everything that the request points to must be readable.
unsafe fn read_request(r: &LeanOracleRequest) -> Result<(&str, Body)> {
    // SAFETY: the caller vouches for the texts.
    let (op, content_type, payload) = unsafe {
        let payload = bytes(r.payload.ptr, r.payload.len, "payload")?;
        (text(&r.op, "op")?, text(&r.content_type, "content_type")?, payload)
    };
    let format = match content_type {
        "" => Format::Json,
        name => Format::of_content_type(name)?,
    };
    let arrays: &[LeanOracleArray] = match r.array_count {
        0 => &[],
        n if r.arrays.is_null() || n > isize::MAX as usize / size_of::<LeanOracleArray>() => {
            return Err(null("arrays"));
        }
        // SAFETY: not NULL, not longer than an object can be, and the caller vouches for them.
        n => unsafe { std::slice::from_raw_parts(r.arrays, n) },
    };
    // SAFETY: the caller vouches for what they point to.
    let arrays = arrays.iter().map(|a| unsafe { read_array(a) }).collect::<Result<_>>()?;
    Ok((op, Body { format, payload: Bytes::copy_from_slice(payload), arrays }))
}

/// # Safety
///
/// Everything that the array points to must be readable.
unsafe fn read_array(a: &LeanOracleArray) -> Result<Array> {
    let dtype = match a.dtype {
        LEAN_ORACLE_F64 => Dtype::F64,
        LEAN_ORACLE_F32 => Dtype::F32,
        LEAN_ORACLE_I64 => Dtype::I64,
        other => {
            return Err(Error::new(Code::BadRequest, format!("no numbers are of type {other}")).at("arrays"));
        }
    };
    let shape = match a.dimensions {
        0 => Vec::new(),
        _ if a.shape.is_null() => return Err(null("arrays")),
        // SAFETY: not NULL, and the caller vouches for so many numbers.
        n => unsafe { std::slice::from_raw_parts(a.shape, n as usize) }.to_vec(),
    };
    // SAFETY: the caller vouches for the bytes.
    let data = unsafe { bytes(a.data, a.len, "arrays") }?;
    Array::of_bytes(dtype, shape, Bytes::copy_from_slice(data))
}

impl LeanOracleText {
    /// Borrows; the caller sees to it that what is borrowed from lives long enough.
    fn of(bytes: &[u8]) -> Self {
        LeanOracleText { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

impl LeanOracleReply {
    fn empty() -> Self {
        let none = LeanOracleText { ptr: ptr::null(), len: 0 };
        LeanOracleReply {
            kind: LEAN_ORACLE_REPLY_OK,
            array_count: 0,
            content_type: none,
            payload: none,
            arrays: ptr::null(),
            code: none,
            message: none,
            field: none,
            storage: ptr::null_mut(),
        }
    }

    /// Hands an outcome out. Nothing of an answer is copied.
    fn new(outcome: Outcome<Body>) -> Self {
        let (kind, storage) = match outcome {
            Ok(body) => (LEAN_ORACLE_REPLY_OK, LeanOracleReplyStorage::answer(body)),
            Err(e) => {
                let code = e.code().name().to_string();
                let (kind, code, message, field) = match e {
                    CallError::Timeout(m) => (LEAN_ORACLE_REPLY_TIMEOUT, code, m, String::new()),
                    CallError::Unreachable(m) => (LEAN_ORACLE_REPLY_UNREACHABLE, code, m, String::new()),
                    CallError::Server(r) => {
                        (LEAN_ORACLE_REPLY_SERVER, r.code, r.message, r.field.unwrap_or_default())
                    }
                    CallError::Decode(m) => (LEAN_ORACLE_REPLY_DECODE, code, m, String::new()),
                    CallError::Cancelled => (LEAN_ORACLE_REPLY_CANCELLED, code, e.to_string(), String::new()),
                    CallError::Closed => (LEAN_ORACLE_REPLY_CLOSED, code, e.to_string(), String::new()),
                    CallError::Request(e) => {
                        (LEAN_ORACLE_REPLY_REQUEST, code, e.message, e.field.unwrap_or_default().into())
                    }
                };
                (kind, LeanOracleReplyStorage { code, message, field, ..Default::default() })
            }
        };
        // What is pointed to lies on the heap and stays where it is.
        let storage = Box::new(storage);
        let (content_type, payload) = match &storage.body {
            Some(body) => (body.format.content_type().as_bytes(), &body.payload[..]),
            None => (&[][..], &[][..]),
        };
        LeanOracleReply {
            kind,
            array_count: storage.arrays.len() as u32,
            content_type: LeanOracleText::of(content_type),
            payload: LeanOracleText::of(payload),
            arrays: storage.arrays.as_ptr(),
            code: LeanOracleText::of(storage.code.as_bytes()),
            message: LeanOracleText::of(storage.message.as_bytes()),
            field: LeanOracleText::of(storage.field.as_bytes()),
            storage: Box::into_raw(storage),
        }
    }
}

impl LeanOracleReplyStorage {
    fn answer(body: Body) -> Self {
        let array = |a: &Array| LeanOracleArray {
            dtype: match a.dtype() {
                Dtype::F64 => LEAN_ORACLE_F64,
                Dtype::F32 => LEAN_ORACLE_F32,
                Dtype::I64 => LEAN_ORACLE_I64,
            },
            dimensions: a.shape().len() as u32,
            shape: a.shape().as_ptr(),
            data: a.data().as_ptr(),
            len: a.data().len(),
        };
        let arrays = body.arrays.iter().map(array).collect();
        LeanOracleReplyStorage { body: Some(body), arrays, ..Default::default() }
    }
}
