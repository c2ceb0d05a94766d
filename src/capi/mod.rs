//! The C ABI: the only exported unsafe surface. `include/lean_oracle.h` is generated from this file and
//! those beside it.
//!
//! Conventions: functions return 0 or the number of a [`Code`]; outputs are the last parameters and are
//! always written when they are not NULL; every buffer that is handed out is given back to
//! [`lean_oracle_free`]; any function may be called from any thread at any time; no panic leaves.

#![allow(unsafe_code)]

mod repl;
mod transport;

pub use repl::*;
pub use transport::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ball::{Dyadic, Interval, Rational};
use crate::error::{Code, Error, Result, guarded};
use crate::merge;
use crate::oracle::{self, CacheStats, FUNCTIONS, Query, Settings};

/// The version of this C ABI. A change that breaks callers raises it.
pub const LEAN_ORACLE_ABI_VERSION: u32 = 1;

/// The number of 64-bit limbs that a `LeanOracleDyadic` holds.
pub const LEAN_ORACLE_DYADIC_LIMBS: usize = 16;

/// Bytes owned by this library. Give it back with `lean_oracle_free`. A NUL follows the last byte.
#[repr(C)]
#[derive(Debug)]
pub struct LeanOracleBuffer {
    /// The first byte; NULL when there is none.
    pub ptr: *mut u8,
    /// The number of bytes, the closing NUL not counted.
    pub len: usize,
    /// For `lean_oracle_free`.
    pub cap: usize,
}

/// Borrowed UTF-8 text. Text in an answer has a NUL after its last byte.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleText {
    /// The first byte; may be NULL when `len` is 0.
    pub ptr: *const u8,
    /// The number of bytes, a closing NUL not counted.
    pub len: usize,
}

/// A unary question: which values does a function take on `[lo, hi]`?
#[repr(C)]
#[derive(Debug)]
pub struct LeanOracleUnaryRequest {
    /// The function's name.
    pub function: LeanOracleText,
    /// The lower endpoint: a decimal, a fraction or a ball literal; read exactly.
    pub lo: LeanOracleText,
    /// The upper endpoint.
    pub hi: LeanOracleText,
    /// Significant digits at each end, at least 1.
    pub digits: u32,
    /// Working precision to begin with, in bits, at least 2.
    pub prec_bits: u32,
    /// Cap on the working precision, in bits; 0 for the default.
    pub max_bits: u32,
    /// Limit on the absolute value of powers of ten; 0 for the default of 1,000,000.
    pub exp_limit: u32,
}

/// The answer to a unary question, or why there is none.
#[repr(C)]
#[derive(Debug)]
pub struct LeanOracleUnaryAnswer {
    /// Midpoint of the interval asked about, rounded outward; a decimal integer.
    pub input_mid: LeanOracleText,
    /// Radius of the interval asked about; a decimal integer.
    pub input_rad: LeanOracleText,
    /// Power of ten of the interval asked about; a decimal integer.
    pub input_exp: LeanOracleText,
    /// Midpoint of the enclosure `[(mid - rad)*10^exp, (mid + rad)*10^exp]`; a decimal integer.
    pub mid: LeanOracleText,
    /// Radius of the enclosure; a decimal integer, not negative.
    pub rad: LeanOracleText,
    /// Power of ten of the enclosure; a decimal integer.
    pub exp: LeanOracleText,
    /// The lower end of the enclosure, exactly, as a decimal number.
    pub lo: LeanOracleText,
    /// The upper end of the enclosure, exactly, as a decimal number.
    pub hi: LeanOracleText,
    /// On failure, the name of the code.
    pub code: LeanOracleText,
    /// On failure, what was asked, what is wrong and what to do.
    pub message: LeanOracleText,
    /// On failure, the field at fault; may be empty.
    pub field: LeanOracleText,
    /// The working precision that was used, in bits.
    pub bits_used: u32,
    /// 1 when each end is proved to be within one unit of its last requested digit of the true range.
    pub tight: u8,
    /// Owns every text above: `lean_oracle_free(&answer.storage)`.
    pub storage: LeanOracleBuffer,
}

/// The dyadic number `sign * (limbs[0] + limbs[1]*2^64 + ...) * 2^exponent`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleDyadic {
    /// The power of two.
    pub exponent: i64,
    /// -1, 0 or 1.
    pub sign: i32,
    /// The number of limbs in use.
    pub limb_count: u32,
    /// The absolute value of the mantissa, least significant limb first.
    pub limbs: [u64; LEAN_ORACLE_DYADIC_LIMBS],
}

/// The version of the C ABI that this library has. Compare with `LEAN_ORACLE_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn lean_oracle_abi_version() -> u32 {
    LEAN_ORACLE_ABI_VERSION
}

/// Answers a JSON request with JSON.
///
/// `*out` receives an object in either case; a failure is
/// `{"error":{"code":...,"field":...,"message":...},"status":"error"}`. Returns 0 or the code; only
/// with `out == NULL` is nothing written (code 9).
///
/// # Safety
///
/// `request` must point to `len` readable bytes (it may be NULL if `len` is 0), and `out`, unless NULL,
/// to writable memory. What `*out` held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_call_json(
    request: *const u8,
    len: usize,
    out: *mut LeanOracleBuffer,
) -> i32 {
    // SAFETY: passed on; NULL is allowed for the flag.
    unsafe { lean_oracle_call_json_cancellable(request, len, std::ptr::null(), out) }
}

/// A flag by which any thread stops a running `lean_oracle_call_json_cancellable` or
/// `lean_oracle_client_call`.
pub struct LeanOracleCancel(Arc<AtomicBool>);

/// A new flag, not set. Give it back with `lean_oracle_cancel_free`.
#[unsafe(no_mangle)]
pub extern "C" fn lean_oracle_cancel_new() -> *mut LeanOracleCancel {
    Box::into_raw(Box::new(LeanOracleCancel(Arc::default())))
}

/// Sets a flag, from any thread: calls that watch it end within 10 ms with code 13 (cancelled), unless
/// the processors are overloaded. NULL is fine.
///
/// A computation that cannot be interrupted goes on, on a thread of this library, until its step is done;
/// a process may end before that.
///
/// # Safety
///
/// `cancel`, unless NULL, must come from `lean_oracle_cancel_new` and not be freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_cancel(cancel: *const LeanOracleCancel) {
    // SAFETY: the caller vouches that `cancel` is NULL or valid.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.0.store(true, Ordering::Relaxed);
    }
}

/// Frees a flag. Calls that watch it go on unwatched. NULL is fine.
///
/// # Safety
///
/// `cancel`, unless NULL, must come from `lean_oracle_cancel_new` and not be freed yet; no other thread
/// may be using it, except for calls that have begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_cancel_free(cancel: *mut LeanOracleCancel) {
    if !cancel.is_null() {
        // SAFETY: not NULL, and the caller vouches that it was made by `Box::into_raw` and not freed.
        drop(unsafe { Box::from_raw(cancel) });
    }
}

/// As `lean_oracle_call_json`; ends soon after `cancel` is set. With `cancel == NULL` it is the same.
///
/// # Safety
///
/// As for `lean_oracle_call_json` and, for `cancel`, `lean_oracle_cancel`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_call_json_cancellable(
    request: *const u8,
    len: usize,
    cancel: *const LeanOracleCancel,
    out: *mut LeanOracleBuffer,
) -> i32 {
    if out.is_null() {
        return Code::BadRequest.number();
    }
    let result = guarded(|| {
        // SAFETY: the caller vouches for `cancel`, `request` and `len`.
        let (cancel, request) = unsafe { (cancel.as_ref(), bytes(request, len, "request")?) };
        if let Some(answer) = merge::answer_json(request) {
            return answer;
        }
        oracle::answer_json_until(request, None, cancel.map(|c| c.0.clone()))
    });
    let (code, json) = match result {
        Ok(json) => (0, json),
        Err(e) => (e.code.number(), oracle::error_json(&e)),
    };
    // SAFETY: `out` is not NULL and the caller vouches that it is writable.
    unsafe { out.write(LeanOracleBuffer::new(json.into_bytes())) };
    code
}

/// What the cache holds and how it was used since it was last resized.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LeanOracleCacheStats {
    /// Requests that were answered from the cache.
    pub hits: u64,
    /// Requests that were not.
    pub misses: u64,
    /// The number of answers that are kept.
    pub entries: u64,
    /// The bytes that they take, with their requests.
    pub bytes: u64,
    /// The most bytes that they may take; 0 when the cache is off.
    pub capacity: u64,
}

/// Empties the cache of the process, and lets it take up to `capacity` bytes; 0, as at the beginning,
/// turns it off.
///
/// It keeps answers and refusals of JSON requests, and of the requests in batches, and gives them again
/// for the same bytes. What time limits or other requests of a batch may have had a part in is not kept.
#[unsafe(no_mangle)]
pub extern "C" fn lean_oracle_cache_resize(capacity: usize) {
    oracle::resize_cache(capacity);
}

/// Tells what the cache holds and how it was used. NULL is fine.
///
/// # Safety
///
/// `stats`, unless NULL, must point to writable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_cache_stats(stats: *mut LeanOracleCacheStats) {
    let CacheStats { hits, misses, entries, bytes, capacity } = oracle::cache_stats();
    let [entries, bytes, capacity] = [entries, bytes, capacity].map(|n| n as u64);
    if !stats.is_null() {
        // SAFETY: not NULL, and the caller vouches that it is writable.
        unsafe { stats.write(LeanOracleCacheStats { hits, misses, entries, bytes, capacity }) };
    }
}

/// Answers a unary question without JSON. Returns 0 or the code.
///
/// On success the fields from `input_mid` to `hi`, `bits_used` and `tight` are set, on failure `code`,
/// `message` and `field`; texts that are not set are empty. `storage` is to be freed in either case.
///
/// # Safety
///
/// `request`, unless NULL, must point to a request whose texts point to readable bytes, and `answer`,
/// unless NULL, to writable memory. What `*answer` held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_unary(
    request: *const LeanOracleUnaryRequest,
    answer: *mut LeanOracleUnaryAnswer,
) -> i32 {
    if answer.is_null() {
        return Code::BadRequest.number();
    }
    let result = guarded(|| {
        // SAFETY: the caller vouches that `request` is NULL or readable.
        let r = unsafe { request.as_ref() }.ok_or_else(|| null("request"))?;
        // SAFETY: the caller vouches for the three texts.
        let (function, lo, hi) =
            unsafe { (text(&r.function, "func")?, text(&r.lo, "lo")?, text(&r.hi, "hi")?) };
        let settings = Settings {
            digits: r.digits,
            prec_bits: r.prec_bits,
            max_bits: (r.max_bits > 0).then_some(r.max_bits),
            exp_limit: if r.exp_limit > 0 { r.exp_limit } else { Settings::default().exp_limit },
        };
        Query::parse(function, lo, hi, settings)?.answer()
    });
    let mut texts = Texts::new();
    let (code, bits_used, tight) = match result {
        Ok(a) => {
            for ball in [&a.input, &a.output] {
                texts.push(|out| ball.mid.append_to(out));
                texts.push(|out| ball.rad.append_to(out));
                texts.push(|out| out.push_str(&ball.exp.to_string()));
            }
            texts.push(|out| a.lo.append_to(out));
            texts.push(|out| a.hi.append_to(out));
            (0, a.bits_used, a.tight)
        }
        Err(e) => {
            texts.skip_to(8);
            texts.push(|out| out.push_str(e.code.name()));
            texts.push(|out| out.push_str(&e.message));
            texts.push(|out| out.push_str(e.field.unwrap_or("")));
            (e.code.number(), 0, false)
        }
    };
    let filled = texts.into_answer(bits_used, tight);
    // SAFETY: `answer` is not NULL and the caller vouches that it is writable.
    unsafe { answer.write(filled) };
    code
}

/// The index of a function for `lean_oracle_unary_f64`, or -1. It is fixed within one ABI version's
/// build only: look it up at start-up, do not store it.
///
/// # Safety
///
/// `name` must point to `len` readable bytes (it may be NULL if `len` is 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_function_index(name: *const u8, len: usize) -> i32 {
    let index = guarded(|| {
        // SAFETY: the caller vouches for `name` and `len`.
        let name = unsafe { bytes(name, len, "name") }?;
        Ok(FUNCTIONS.iter().position(|f| f.name.as_bytes() == name))
    });
    index.ok().flatten().map_or(-1, |i| i as i32)
}

/// Encloses the values of a function on `[lo, hi]` between two dyadic numbers of `bits` bits (2 to
/// 960): no text is read or written. Returns 0 or the code, and then leaves the outputs alone.
///
/// `*tight`, if not NULL, is set to 1 when each end is proved to be within one unit of its last bit of
/// the true range, else to 0.
///
/// # Safety
///
/// `out_lo`, `out_hi` and `tight`, unless NULL, must point to writable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_unary_f64(
    function: i32,
    lo: f64,
    hi: f64,
    bits: u32,
    out_lo: *mut LeanOracleDyadic,
    out_hi: *mut LeanOracleDyadic,
    tight: *mut u8,
) -> i32 {
    let result = guarded(|| {
        let function = usize::try_from(function).ok().and_then(|i| FUNCTIONS.get(i));
        let function = function.ok_or_else(|| {
            Error::new(Code::UnknownFunction, "no function has this index; see lean_oracle_function_index")
                .at("func")
        })?;
        let most = 64 * (LEAN_ORACLE_DYADIC_LIMBS as u32 - 1);
        if !(2..=most).contains(&bits) {
            return Err(Error::new(Code::BadRequest, format!("bits must be between 2 and {most}")).at("bits"));
        }
        if lo > hi {
            return Err(Error::new(Code::Reversed, "lo is above hi").at("lo"));
        }
        let endpoint = |v: f64, field| {
            Rational::from_f64(v)
                .ok_or_else(|| Error::new(Code::BadNumber, "endpoints must be finite").at(field))
        };
        let interval = Interval { lo: endpoint(lo, "lo")?, hi: endpoint(hi, "hi")? };
        let settings = Settings { prec_bits: bits, ..Settings::default() };
        let a = Query { function, interval, settings }.answer_binary(bits)?;
        Ok((LeanOracleDyadic::new(&a.lo)?, LeanOracleDyadic::new(&a.hi)?, a.tight))
    });
    match result {
        Ok((lo, hi, is_tight)) => {
            // SAFETY: the caller vouches that each is NULL or writable.
            unsafe {
                if let Some(out) = out_lo.as_mut() {
                    *out = lo;
                }
                if let Some(out) = out_hi.as_mut() {
                    *out = hi;
                }
                if let Some(out) = tight.as_mut() {
                    *out = u8::from(is_tight);
                }
            }
            0
        }
        Err(e) => e.code.number(),
    }
}

/// Frees a buffer and empties it. NULL and an empty buffer are fine.
///
/// # Safety
///
/// `buffer`, unless NULL, must point to a buffer that this library filled and that was not changed,
/// or to an empty one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_free(buffer: *mut LeanOracleBuffer) {
    // SAFETY: the caller vouches that `buffer` is NULL or valid.
    let Some(buffer) = (unsafe { buffer.as_mut() }) else { return };
    let LeanOracleBuffer { ptr, len, cap } = std::mem::replace(buffer, LeanOracleBuffer::empty());
    if !ptr.is_null() {
        // SAFETY: `ptr`, `len` and `cap` come from `LeanOracleBuffer::new`, and the buffer was just
        // emptied, so this happens once.
        drop(unsafe { Vec::from_raw_parts(ptr, len, cap) });
    }
}

impl LeanOracleBuffer {
    fn empty() -> Self {
        LeanOracleBuffer { ptr: std::ptr::null_mut(), len: 0, cap: 0 }
    }

    /// Hands `bytes` out, with a NUL behind them.
    fn new(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        bytes.push(0);
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        LeanOracleBuffer { ptr: bytes.as_mut_ptr(), len, cap: bytes.capacity() }
    }
}

/// The texts of an answer, one behind the other in the order of its fields, each with a NUL.
struct Texts {
    all: String,
    /// Where each text ends, its NUL not counted.
    ends: Vec<usize>,
}

impl Texts {
    /// The number of texts in an answer.
    const COUNT: usize = 11;

    fn new() -> Self {
        Texts { all: String::with_capacity(512), ends: Vec::with_capacity(Self::COUNT) }
    }

    /// Adds the text that `write` appends.
    fn push(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.all);
        self.ends.push(self.all.len());
        self.all.push('\0');
    }

    /// Adds empty texts until there are `count`.
    fn skip_to(&mut self, count: usize) {
        while self.ends.len() < count {
            self.push(|_| {});
        }
    }

    fn into_answer(mut self, bits_used: u32, tight: bool) -> LeanOracleUnaryAnswer {
        self.skip_to(Self::COUNT);
        let storage = LeanOracleBuffer::new(self.all.into_bytes());
        let (base, mut begin) = (storage.ptr.cast_const(), 0);
        let mut texts = self.ends.iter().map(|end| {
            let text = LeanOracleText { ptr: base.wrapping_add(begin), len: end - begin };
            begin = end + 1;
            text
        });
        let mut next = || texts.next().unwrap_or(LeanOracleText { ptr: std::ptr::null(), len: 0 });
        LeanOracleUnaryAnswer {
            input_mid: next(),
            input_rad: next(),
            input_exp: next(),
            mid: next(),
            rad: next(),
            exp: next(),
            lo: next(),
            hi: next(),
            code: next(),
            message: next(),
            field: next(),
            bits_used,
            tight: u8::from(tight),
            storage,
        }
    }
}

impl LeanOracleDyadic {
    fn new(x: &Dyadic) -> Result<Self> {
        let too_large =
            || Error::new(Code::ExponentLimit, "an end of the answer does not fit a LeanOracleDyadic");
        let mut limbs = [0; LEAN_ORACLE_DYADIC_LIMBS];
        let (limb_count, exponent) = x.limbs(&mut limbs).ok_or_else(too_large)?;
        let limb_count = limb_count as u32;
        Ok(LeanOracleDyadic { exponent, sign: x.sign(), limb_count, limbs })
    }
}

fn null(field: &'static str) -> Error {
    Error::new(Code::BadRequest, format!("{field} is NULL")).at(field)
}

/// # Safety
///
/// `ptr` must point to `len` bytes that stay readable and unchanged for `'a`; it may be NULL.
unsafe fn bytes<'a>(ptr: *const u8, len: usize, field: &'static str) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() {
        return Err(null(field));
    }
    if len > isize::MAX as usize {
        return Err(Error::new(Code::BadRequest, format!("{field} has an impossible length {len}")).at(field));
    }
    // SAFETY: not NULL, not longer than an object can be, and the caller vouches for the bytes.
    Ok(unsafe { std::slice::from_raw_parts(ptr, len) })
}

/// # Safety
///
/// As for [`bytes`].
unsafe fn text<'a>(t: &LeanOracleText, field: &'static str) -> Result<&'a str> {
    // SAFETY: passed on.
    let bytes = unsafe { bytes(t.ptr, t.len, field) }?;
    std::str::from_utf8(bytes)
        .map_err(|e| Error::new(Code::Parse, format!("{field} is not UTF-8: {e}")).at(field))
}
