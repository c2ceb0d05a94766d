//! Many requests at once: `{"kind":"batch","requests":[…]}`.
//!
//! Results come in the order of the requests; the work is spread over the processors; a request that
//! fails, fails alone.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::Budget;
use super::limited::{self, processors};
use super::request::{Envelope, answer_json_until, answer_one, error_json, not_json, object};
use super::unary::Settings;
use crate::error::{Code, Error, Result, guarded};

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Option<Vec<&'a RawValue>>,
}

/// Answers every request of a batch.
pub(super) fn answer(request: &[u8], overrides: Option<Settings>, budget: Budget) -> Result<String> {
    let batch: Batch = object(request).map_err(not_json)?;
    let requests = batch
        .requests
        .ok_or_else(|| Error::new(Code::BadRequest, "a batch needs requests: a list").at("requests"))?;
    let results: Vec<OnceLock<String>> = requests.iter().map(|_| OnceLock::new()).collect();
    if !limited::is_limited(&budget) {
        answer_all(&requests, &results, overrides, &budget);
        return Ok(render(&results, None));
    }
    // What is done by then is kept when the batch must be left.
    let requests: Vec<Box<RawValue>> = requests.into_iter().map(RawValue::to_owned).collect();
    let threads = processors().min(requests.len());
    let (results, budget) = (Arc::new(results), Arc::new(budget));
    let left = limited::run(&budget, threads, {
        let (results, budget) = (results.clone(), budget.clone());
        move || {
            answer_all(&requests, &results, overrides, &budget);
            Ok(())
        }
    });
    Ok(render(&results, left.err().as_ref()))
}

/// The answer of a batch; what is not done failed for the `reason`.
fn render(results: &[OnceLock<String>], reason: Option<&Error>) -> String {
    let undone = reason.map(error_json).unwrap_or_default();
    let mut out = String::with_capacity(
        results.iter().map(|r| r.get().unwrap_or(&undone).len() + 1).sum::<usize>() + 64,
    );
    out.push_str(r#"{"kind":"batch","results":["#);
    for (i, result) in results.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(result.get().unwrap_or(&undone));
    }
    out.push_str(r#"],"status":"ok","tool":"arb_oracle"}"#);
    out
}

/// Answers each of several requests, on all processors, in order.
pub fn answer_lines(requests: &[&[u8]]) -> Vec<Result<String>> {
    let results: Vec<OnceLock<_>> = requests.iter().map(|_| OnceLock::new()).collect();
    on_all_processors(requests.len(), |i| {
        let _ = results[i].set(guarded(|| answer_json_until(requests[i], None, None)));
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Fills in the results of all requests of a batch.
fn answer_all<R: Borrow<RawValue> + Sync>(
    requests: &[R],
    results: &[OnceLock<String>],
    overrides: Option<Settings>,
    budget: &Budget,
) {
    on_all_processors(requests.len(), |i| {
        let result = guarded(|| one(requests[i].borrow().get().as_bytes(), overrides, budget));
        let _ = results[i].set(result.unwrap_or_else(|e| error_json(&e)));
    });
}

/// One answer of a batch.
fn one(request: &[u8], overrides: Option<Settings>, budget: &Budget) -> Result<String> {
    let envelope: Envelope = object(request).map_err(not_json)?;
    if envelope.kind.as_deref() == Some("batch") {
        return Err(Error::new(Code::BadRequest, "a batch cannot contain a batch").at("kind"));
    }
    let budget = budget.of_item(envelope.timeout(), envelope.max_nodes)?;
    // The limits of the batch are kept for all items at once.
    let limited = envelope.timeout().is_some();
    answer_one(request, &envelope, overrides, budget, limited)
}

/// Calls `f` with the numbers below `count`, on all processors.
fn on_all_processors(count: usize, f: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            f(i);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..processors().min(count) {
            scope.spawn(work);
        }
        work();
    });
}
