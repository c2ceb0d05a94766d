//! Rigorous numerics for Lean 4: questions about real functions, answered with proved enclosures.
#![warn(missing_docs)]

pub mod ball;
mod error;
pub mod oracle;

pub use error::{Code, Error, Result};
