//! Checking Lean code for others: work shared over a queue, and files of snippets.

pub mod queue;
pub mod verify;
