//! Whether snippets are really answered: asked for from time to time, not assumed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::executor::Executor;
use crate::repl::{CheckOptions, PoolStatus, Reply, Snippet};

/// Time between two trivial snippets.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time one may take, waiting included.
const LIMIT: Duration = Duration::from_secs(60);

/// Limits above which the server calls itself unhealthy, for those who watch it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// Percent of all processors in use.
    pub cpu: Option<f64>,
    /// Percent of the memory in use.
    pub memory: Option<f64>,
}

/// The last thing known.
pub struct Health(Mutex<Result<(), String>>);

impl Default for Health {
    fn default() -> Self {
        Health(Mutex::new(Err("starting: no snippet has been answered yet".into())))
    }
}

impl Health {
    /// Whether the last trivial snippet was answered; if not, why.
    pub fn state(&self) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: Result<(), String>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(()), Err(reason)) = (&*last, &state) {
            tracing::error!(reason, "unhealthy");
        }
        *last = state;
    }

    /// Asks again and again, for as long as the server runs.
    pub async fn watch(self: Arc<Self>, executor: Arc<dyn Executor>, thresholds: Thresholds) {
        let mut load = Load::default();
        let mut answered = 0;
        loop {
            let begun = Instant::now();
            let status = executor.status();
            // Work that gets done is an answer too, and a saturated pool is not asked on top.
            let PoolStatus { crashes, timeouts, out_of_memory, protocol_errors, refused, .. } = status;
            let failed = crashes + timeouts + out_of_memory + protocol_errors + refused;
            let done = status.checks.saturating_sub(failed);
            let works = done > answered && status.processes > 0 && status.busy >= status.max_processes;
            let state = if works { Ok(()) } else { probe(&*executor, &status).await };
            answered = done;
            self.set(state.and_then(|()| load.within(thresholds)));
            tokio::time::sleep(INTERVAL.saturating_sub(begun.elapsed()).max(Duration::from_secs(1))).await;
        }
    }
}

/// Checks a trivial text, with the header of an idle process so that none has to make place.
async fn probe(executor: &dyn Executor, status: &PoolStatus) -> Result<(), String> {
    let idle = status.headers.iter().find(|h| h.processes > h.busy);
    let header = idle.map_or("", |h| &h.header);
    // A text that nobody checked before: a queue knows the results of the others.
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let code = format!("{header}\n-- {now}\nexample : True := trivial\n");
    let deadline = Instant::now().checked_add(LIMIT);
    let options = CheckOptions { timeout: LIMIT, deadline, ..CheckOptions::default() };
    let outcome = executor.check(Snippet { id: "health".into(), code }, &options).await;
    match outcome.result {
        // With a header of somebody's there may be no `True`.
        Ok(Reply::Response(response)) if header.is_empty() && response.has_errors() => {
            let messages: Vec<&str> = response.messages.iter().map(|m| &*m.data).collect();
            Err(format!("a trivial snippet is refused: {}", messages.join("; ")))
        }
        Ok(Reply::Response(_)) => Ok(()),
        Ok(Reply::ReplError { message }) => Err(format!("a trivial snippet is refused: {message}")),
        // Closing is not ill.
        Err(crate::repl::Failure::Cancelled) => Ok(()),
        // Nor is busy.
        Err(crate::repl::Failure::Busy { .. }) if status.busy >= status.max_processes => Ok(()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// The processors' counters at the last look.
#[derive(Default)]
struct Load {
    busy: f64,
    total: f64,
}

impl Load {
    fn within(&mut self, thresholds: Thresholds) -> Result<(), String> {
        let above = |what: &str, used: Option<f64>, limit: Option<f64>| match (used, limit) {
            (Some(used), Some(limit)) if used > limit => {
                Err(format!("{what} usage {used:.0} % is above {limit} %"))
            }
            _ => Ok(()),
        };
        above("CPU", self.cpu(), thresholds.cpu)?;
        above("memory", memory(), thresholds.memory)
    }

    /// Percent of the processors' time that was used since the last call (Linux).
    fn cpu(&mut self) -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let times = stat.lines().next()?.split_whitespace().skip(1);
        let times: Vec<f64> = times.filter_map(|t| t.parse().ok()).collect();
        let (total, idle) = (times.iter().take(8).sum::<f64>(), times.get(3)? + times.get(4)?);
        let (busy, last) = (total - idle, (self.busy, self.total));
        (self.busy, self.total) = (busy, total);
        (total > last.1).then(|| 100.0 * (busy - last.0) / (total - last.1))
    }
}

/// Percent of the memory that is in use (Linux).
fn memory() -> Option<f64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<f64> {
        info.lines().find(|l| l.starts_with(name))?.split_whitespace().nth(1)?.parse().ok()
    };
    Some(100.0 * (1.0 - field("MemAvailable:")? / field("MemTotal:")?))
}
