//! The one error type of the crate: a stable code, a message for people, and the field at fault.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What kind of refusal this is. The textual form ([`Code::name`]) and the number
/// ([`Code::number`], used by the C ABI) are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is not well-formed text of its format (JSON, UTF-8).
    Parse = 1,
    /// A number does not follow the grammar of [`crate::ball::Interval::parse`], or is `inf`/`nan`.
    BadNumber = 2,
    /// The lower endpoint is certainly above the upper one.
    Reversed = 3,
    /// No function of that name.
    UnknownFunction = 4,
    /// The interval leaves the real domain of the function.
    Domain = 5,
    /// The interval contains a pole of the function.
    Pole = 6,
    /// The question was not decided within the cap on the working precision.
    PrecisionCap = 7,
    /// A power of ten in a question or an answer is beyond the limit on exponents.
    ExponentLimit = 8,
    /// The request is well-formed but asks for something that does not exist or is out of bounds.
    BadRequest = 9,
    /// A defect of this library (a caught panic). Please report it.
    Internal = 10,
    /// The time that the request allowed was over.
    Timeout = 11,
    /// The work that the request allowed was done.
    Budget = 12,
    /// The caller cancelled the request.
    Cancelled = 13,
    /// A message or a part of it is larger than allowed.
    TooLarge = 14,
    /// The other side may not connect, or did not prove who it is.
    Unauthorized = 15,
    /// Nobody could be reached who would answer.
    Unreachable = 16,
    /// The server has too much to do; the request may be repeated later.
    Busy = 17,
    /// A message of a version that this library does not speak.
    UnsupportedVersion = 18,
}

impl Code {
    /// Every code, in the order of their numbers.
    pub const ALL: [Code; 18] = [
        Code::Parse,
        Code::BadNumber,
        Code::Reversed,
        Code::UnknownFunction,
        Code::Domain,
        Code::Pole,
        Code::PrecisionCap,
        Code::ExponentLimit,
        Code::BadRequest,
        Code::Internal,
        Code::Timeout,
        Code::Budget,
        Code::Cancelled,
        Code::TooLarge,
        Code::Unauthorized,
        Code::Unreachable,
        Code::Busy,
        Code::UnsupportedVersion,
    ];

    /// The stable name used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Code::Parse => "parse",
            Code::BadNumber => "bad_number",
            Code::Reversed => "reversed",
            Code::UnknownFunction => "unknown_function",
            Code::Domain => "domain",
            Code::Pole => "pole",
            Code::PrecisionCap => "precision_cap",
            Code::ExponentLimit => "exponent_limit",
            Code::BadRequest => "bad_request",
            Code::Internal => "internal",
            Code::Timeout => "timeout",
            Code::Budget => "budget",
            Code::Cancelled => "cancelled",
            Code::TooLarge => "too_large",
            Code::Unauthorized => "unauthorized",
            Code::Unreachable => "unreachable",
            Code::Busy => "busy",
            Code::UnsupportedVersion => "unsupported_version",
        }
    }

    /// The code of this name.
    pub fn of_name(name: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The stable number used by the C ABI; 0 is success there.
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// Why a question was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind of refusal.
    pub code: Code,
    /// What was asked, what is wrong with it, and what to do.
    pub message: String,
    /// The field of the request at fault (`"lo"`, `"func"`, …), when there is one.
    pub field: Option<&'static str>,
}

impl Error {
    /// An error that belongs to no single field.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), field: None }
    }

    /// The same error, pointing at `field`.
    pub fn at(self, field: &'static str) -> Self {
        Error { field: Some(field), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{} ({field}): {}", self.code.name(), self.message),
            None => write!(f, "{}: {}", self.code.name(), self.message),
        }
    }
}

impl std::error::Error for Error {}

/// The result of asking anything.
pub type Result<T> = std::result::Result<T, Error>;

/// Runs `f`; a panic becomes [`Code::Internal`]. Nothing is meant to panic; this is the last resort at
/// the boundaries of the library.
pub fn guarded<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Err(Error::new(Code::Internal, format!("a defect of lean-oracle, please report it: {what}")))
    })
}
