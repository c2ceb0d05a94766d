//! Who may ask, and how much.
//!
//! Keys are long random texts, so that one SHA-256 of each is enough to keep; nobody can try them all.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::transport::hub::Peer;
use crate::transport::server::{Gate, Rate};
use crate::{Code, Error, Result};

/// Jobs of one caller that are under way at the same time.
const JOBS_AT_ONCE: usize = 4;

/// The owner of a key, or everybody where no key is needed.
#[derive(Debug)]
pub struct Caller {
    /// A name for logs; jobs belong to it.
    pub name: String,
    hash: [u8; 32],
    slots: Option<Arc<Semaphore>>,
    /// For jobs whose snippets are checked at the same time; the next ones wait.
    pub(super) job_turns: Semaphore,
    gate: Option<(Rate, Mutex<Gate>)>,
}

/// The callers that are let in.
#[derive(Clone, Debug)]
pub struct Keys {
    callers: Vec<Arc<Caller>>,
    everybody: Option<Arc<Caller>>,
}

/// How many snippets one caller may have checked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallerLimits {
    /// At once; the next ones wait.
    pub concurrency: Option<usize>,
    /// A second, in the long run; what is above is refused.
    pub rate: Option<f64>,
}

impl Caller {
    fn new(name: &str, hash: [u8; 32], limits: CallerLimits) -> Arc<Caller> {
        let rate = limits.rate.map(|per_second| Rate { per_second, burst: per_second.max(1.0) });
        Arc::new(Caller {
            name: name.into(),
            hash,
            job_turns: Semaphore::new(JOBS_AT_ONCE),
            slots: limits.concurrency.map(|n| Arc::new(Semaphore::new(n))),
            gate: rate.map(|rate| (rate, Mutex::new(Gate::new(Some(rate))))),
        })
    }

    /// Counts one snippet against the rate; when it is used up, after how many seconds to ask again.
    pub fn admit(&self) -> std::result::Result<(), u64> {
        let Some((rate, gate)) = &self.gate else { return Ok(()) };
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        match gate.admits(&Peer::Local, Instant::now()) {
            true => Ok(()),
            false => Err((1.0 / rate.per_second).ceil() as u64),
        }
    }

    /// Waits until one more snippet may be checked at once; until the permit is dropped it counts.
    pub async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so acquiring does not fail.
        self.slots.clone()?.acquire_owned().await.ok()
    }
}

impl Keys {
    /// Lets everybody in, within `limits` for all of them together.
    pub fn open(limits: CallerLimits) -> Keys {
        Keys { callers: Vec::new(), everybody: Some(Caller::new("anonymous", [0; 32], limits)) }
    }

    /// Lets nobody in, so far.
    pub fn none() -> Keys {
        Keys { callers: Vec::new(), everybody: None }
    }

    /// Whether no key is asked for.
    pub fn is_open(&self) -> bool {
        self.everybody.is_some()
    }

    /// Adds a key as it is typed.
    pub fn add(&mut self, name: &str, key: &str, limits: CallerLimits) {
        self.callers.push(Caller::new(name, digest(key.trim()), limits));
    }

    /// Adds the keys of a file, each a line `NAME HASH [concurrency=N] [rate=N]`, with the HASH of
    /// [`hash_key`]. Empty lines and those that begin with `#` are skipped.
    pub fn read(&mut self, file: &Path) -> Result<()> {
        let wrong = |what: String| {
            Error::new(Code::BadRequest, format!("the file of API keys {}: {what}", file.display()))
        };
        let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let caller = parse_line(line).map_err(|e| wrong(format!("line {number}: {e}")))?;
            if self.callers.iter().any(|c| c.name == caller.name) {
                return Err(wrong(format!("line {number}: there are two keys named {}", caller.name)));
            }
            self.callers.push(caller);
        }
        Ok(())
    }

    /// The caller of this name; one without limits if there is no key for it any more, so that accepted
    /// jobs are finished.
    pub fn named(&self, name: &str) -> Arc<Caller> {
        let known = self.callers.iter().chain(&self.everybody).find(|c| c.name == name);
        known.cloned().unwrap_or_else(|| Caller::new(name, [0; 32], CallerLimits::default()))
    }

    /// Who sends this `Authorization` header; the `Bearer ` in front of the key is optional. Otherwise what
    /// to tell them, in Kimina's words.
    pub fn caller(&self, authorization: Option<&str>) -> std::result::Result<Arc<Caller>, &'static str> {
        if let Some(everybody) = &self.everybody {
            return Ok(everybody.clone());
        }
        let given = authorization.unwrap_or_default();
        if given.is_empty() {
            return Err("Missing API key");
        }
        let given = digest(given.strip_prefix("Bearer ").unwrap_or(given).trim());
        // Every key is compared to its end, so that the time tells nothing.
        let mut found = None;
        for caller in &self.callers {
            if bool::from(caller.hash.ct_eq(&given)) {
                found = Some(caller);
            }
        }
        found.cloned().ok_or("Invalid API key")
    }
}

/// What is kept of a key: `sha256:` and 64 hexadecimal digits.
pub fn hash_key(key: &str) -> String {
    format!("sha256:{}", super::hex(&digest(key.trim())))
}

/// A new key with 244 random bits.
pub fn new_key() -> String {
    format!("lo_{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn parse_line(line: &str) -> std::result::Result<Arc<Caller>, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(hash)) = (words.next(), words.next()) else {
        return Err("needs a name and a hash, as `lean-oracle serve --hash-key` prints it".into());
    };
    let hex = hash.strip_prefix("sha256:").filter(|h| h.len() == 64 && h.is_ascii());
    let byte = |i: usize| hex.and_then(|h| u8::from_str_radix(&h[2 * i..2 * i + 2], 16).ok());
    let mut digest = [0; 32];
    for (i, b) in digest.iter_mut().enumerate() {
        *b = byte(i).ok_or("the hash must be sha256: and 64 hexadecimal digits")?;
    }
    let mut limits = CallerLimits::default();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(format!("{word} is neither concurrency=N nor rate=N"));
        };
        match key {
            "concurrency" => limits.concurrency = value.parse().ok().filter(|n| *n > 0),
            "rate" => limits.rate = value.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0),
            _ => return Err(format!("{key} is neither concurrency nor rate")),
        }
        if (key == "concurrency" && limits.concurrency.is_none()) || (key == "rate" && limits.rate.is_none())
        {
            return Err(format!("{word}: the number must be above 0"));
        }
    }
    Ok(Caller::new(name, digest, limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_recognised_with_and_without_bearer() {
        let mut keys = Keys::none();
        keys.add("alice", "secret-a", CallerLimits::default());
        keys.add("bob", "secret-b", CallerLimits::default());
        let name = |header: Option<&str>| keys.caller(header).map(|c| c.name.clone());
        assert_eq!(name(Some("Bearer secret-a")), Ok("alice".into()));
        assert_eq!(name(Some("secret-b")), Ok("bob".into()));
        assert_eq!(name(None), Err("Missing API key"));
        for wrong in ["Bearer secret-c", "Bearer ", "bearer secret-a", "Bearer secret-a secret-b"] {
            assert_eq!(name(Some(wrong)), Err("Invalid API key"), "{wrong}");
        }
        assert_eq!(Keys::none().caller(Some("Bearer ")).map(drop), Err("Invalid API key"));
    }

    #[test]
    fn a_hash_is_sha256() {
        // FIPS 180-2, appendix B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_key("abc"), abc);
        let caller = parse_line(&format!("alice {abc} rate=2 concurrency=3")).expect("right");
        let mut keys = Keys::none();
        keys.callers.push(caller);
        assert_eq!(keys.caller(Some("abc")).map(|c| c.name.clone()), Ok("alice".into()));
    }

    #[test]
    fn wrong_lines_are_refused() {
        let good = hash_key("abc");
        for line in
            ["alice", "alice sha256:12", "alice ba78", &format!("a {good} rate=0"), &format!("a {good} x=1")]
        {
            assert!(parse_line(line).is_err(), "{line}");
        }
        assert!(parse_line(&format!("a sha256:{}", "ä".repeat(32))).is_err());
    }

    #[test]
    fn a_rate_refuses_what_is_above_it() {
        let caller = Caller::new("a", [0; 32], CallerLimits { rate: Some(0.5), concurrency: None });
        assert_eq!(caller.admit(), Ok(()));
        assert_eq!(caller.admit(), Err(2));
    }
}
