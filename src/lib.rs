//! Rigorous numerics for Lean 4: questions about real functions, answered with proved enclosures.
//!
//! ```
//! use lean_oracle::oracle::{Query, Settings};
//!
//! let settings = Settings { digits: 5, ..Settings::default() };
//! let answer = Query::parse("sin", "1", "2", settings)?.answer()?;
//! assert_eq!((answer.lo.to_string(), answer.hi.to_string()), ("0.84147".into(), "1".into()));
//! assert!(answer.tight);
//! # Ok::<(), lean_oracle::Error>(())
//! ```
//!
//! The rooms, each using only those before it: [`ball`] (numbers), [`oracle`] (questions and answers),
//! [`transport`] (ZeroMQ; it needs neither of these two), [`repl`] (checking Lean code), [`serve`] (the same
//! for others, over HTTP), [`merge`] (Lean files, combined; of these it needs [`repl`]'s watch over processes
//! alone), [`capi`] (the C ABI, the only exported unsafe surface).

pub mod ball;
pub mod capi;
mod error;
pub mod merge;
pub mod oracle;
pub mod repl;
pub mod serve;
pub mod transport;

pub use error::{Code, Error, Result, guarded};

// Lean's runtime exports some of the unwinder's functions (LLVM's), which would take the place of the
// system's in a library loaded beside it; two halves of two unwinders abort on the first panic, even on
// a caught one. A hidden copy of the whole unwinder inside this library is immune.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}
