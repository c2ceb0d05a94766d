//! Engines over the stand-in whose processes can be told from others.

use lean_oracle::repl::EngineConfig;

use crate::processes::marked;
use crate::stand_in::stand_in;

/// An engine whose processes, and what comes from them, can be told from those of other tests.
pub fn named(name: &str) -> EngineConfig {
    let mark = format!("STAND_IN_OF={name}-{}", std::process::id());
    let argv = vec!["env".into(), mark, stand_in().display().to_string()];
    EngineConfig::Repl { argv, dir: std::env::temp_dir() }
}

pub fn alive(name: &str) -> Vec<u32> {
    marked(&format!("STAND_IN_OF={name}-{}", std::process::id()))
}
