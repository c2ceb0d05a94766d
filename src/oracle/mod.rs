//! Questions about real functions, and their answers.
//!
//! * [`functions`]: the table of functions.
//! * [`Query`] and [`Answer`]: a unary question, asked and answered in Rust types.
//! * [`answer_json`]: the same in JSON.

mod budget;
mod derivatives;
// mod expr; // until constants.rs is there
pub mod functions;
mod hints;
mod kernels;
mod range;
mod request;
mod unary;

pub use budget::Budget;
pub use functions::{FUNCTIONS, Function};
pub use request::{answer_json, error_json};
pub use unary::{Answer, BinaryAnswer, Query, Settings};
