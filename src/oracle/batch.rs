//! Many requests at once: `{"kind":"batch","requests":[…]}`.
//!
//! Results come in the order of the requests; the work is spread over the processors; a request that
//! fails, fails alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::request::{answer_json_until, error_json, not_json};
use super::unary::Settings;
use crate::error::{Code, Error, Result, guarded};

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// Answers every request of a batch.
pub(super) fn answer(request: &[u8], overrides: Option<Settings>, budget: &Budget) -> Result<String> {
    let batch: Batch = serde_json::from_slice(request).map_err(not_json)?;
    let requests = batch
        .requests
        .ok_or_else(|| Error::new(Code::BadRequest, "a batch needs requests: a list").at("requests"))?;
    let results = answer_all(&requests, |r| one(r, overrides, budget).unwrap_or_else(|e| error_json(&e)));
    let mut out = String::with_capacity(results.iter().map(|r| r.len() + 1).sum::<usize>() + 64);
    out.push_str(r#"{"kind":"batch","results":["#);
    for (i, result) in results.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(result);
    }
    out.push_str(r#"],"status":"ok","tool":"arb_oracle"}"#);
    Ok(out)
}

/// Answers each of several requests, on all processors, in order.
pub fn answer_lines(requests: &[&[u8]]) -> Vec<Result<String>> {
    answer_all(requests, |r| guarded(|| answer_json_until(r, None, None)))
}

/// One answer of a batch.
fn one(request: &RawValue, overrides: Option<Settings>, budget: &Budget) -> Result<String> {
    if serde_json::from_str::<Kind>(request.get()).is_ok_and(|k| k.kind.as_deref() == Some("batch")) {
        return Err(Error::new(Code::BadRequest, "a batch cannot contain a batch").at("kind"));
    }
    guarded(|| {
        budget.spend(1)?;
        answer_json_until(request.get().as_bytes(), overrides, budget.cancel_flag())
    })
}

/// Applies `f` to all items on all processors, keeping the order.
fn answer_all<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    if workers <= 1 {
        return items.iter().map(f).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // Small portions: requests differ much in cost.
                const PORTION: usize = 8;
                loop {
                    let first = next.fetch_add(PORTION, Ordering::Relaxed);
                    let Some(portion) = items.get(first..(first + PORTION).min(items.len())) else { break };
                    if portion.is_empty() {
                        break;
                    }
                    let results: Vec<R> = portion.iter().map(&f).collect();
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    for (i, result) in results.into_iter().enumerate() {
                        done[first + i] = Some(result);
                    }
                }
            });
        }
    });
    // Every item was taken by some worker, and the scope has waited for all of them.
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}
