//! Questions about real functions, and their answers.
//!
//! * [`functions`]: the table of functions.
//! * [`Query`] and [`Answer`]: a unary question, asked and answered in Rust types.
//! * [`mlp`]: bounds on the outputs of networks.
//! * [`answer_json`]: the same in JSON.

mod analytic;
mod arithmetic;
mod batch;
mod budget;
mod cache;
mod certify;
mod constants;
mod convex;
mod derivatives;
mod expr;
pub mod functions;
mod hints;
mod integrate;
mod kernels;
mod limited;
mod linear;
pub mod mlp;
mod optimize;
mod poly_roots;
mod questions;
mod range;
mod request;
mod roots;
mod unary;

pub use batch::answer_lines;
pub use budget::Budget;
pub use cache::{CacheStats, cache_stats, resize_cache};
pub use certify::{Certified, Claim, Relation, Tree};
pub use constants::{CONSTANTS, Constant};
pub use expr::Expr;
pub use functions::{FUNCTIONS, Function};
pub use integrate::{Integral, IntegralQuery};
pub use linear::{MatrixAnswer, MatrixOperation, MatrixQuery, MatrixValue};
pub use optimize::{EndOfRange, FloatBox, Level};
pub use poly_roots::{ComplexRoot, PolyRootsAnswer, PolyRootsQuery};
pub use questions::{ExprQuery, RangeAnswer, Verdict};
pub use request::{answer_json, answer_json_until, error_json};
pub use roots::{Root, Status, roots};
pub use unary::{Answer, BinaryAnswer, Query, Settings};
