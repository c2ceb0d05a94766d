//! What the server has done: counters for Prometheus, and a history by the second for the status page.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::store::CacheSize;
use crate::repl::PoolStatus;
use crate::transport::metrics::{Counter, Histogram, Report};

/// Seconds of history that are kept.
const HISTORY: usize = 900;

/// Latencies of one second that are looked at; beyond, the percentiles of that second are of the first ones.
const LATENCIES: usize = 20_000;

/// Everything that is counted.
pub struct Metrics {
    started: Instant,
    /// Requests being answered.
    pub requests_open: Counter,
    /// Snippets being checked or waiting.
    pub snippets_open: Counter,
    /// Snippets answered from the cache.
    pub cache_hits: Counter,
    /// Snippets that were looked for in the cache in vain.
    pub cache_misses: Counter,
    /// Snippets whose caller went away, or whose job was cancelled.
    pub cancelled: Counter,
    latency: Histogram,
    /// By route and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    /// By verdict.
    verdicts: Mutex<BTreeMap<&'static str, u64>>,
    second: Mutex<Second>,
    history: Mutex<VecDeque<Sample>>,
}

/// What happened since the last sample.
#[derive(Default)]
struct Second {
    latencies: Vec<f32>,
    snippets: u64,
    good: u64,
    cached: u64,
    failed: u64,
}

/// One second of the history.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    /// Seconds since 1970.
    pub time: u64,
    /// Snippets answered.
    pub snippets: u64,
    /// Those whose verdict was `valid`.
    pub valid: u64,
    /// Those from the cache.
    pub cached: u64,
    /// Those without an answer from Lean.
    pub failed: u64,
    /// Half of them took at most so many milliseconds, waiting included; none when there were none.
    pub p50: Option<f32>,
    /// 99 % of them.
    pub p99: Option<f32>,
    /// Processes at work.
    pub busy: usize,
    /// Processes.
    pub processes: usize,
    /// Snippets waiting for a process.
    pub waiting: usize,
    /// Resident bytes of the processes.
    pub resident: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            started: Instant::now(),
            requests_open: Counter::default(),
            snippets_open: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cancelled: Counter::default(),
            latency: Histogram::default(),
            requests: Mutex::default(),
            verdicts: Mutex::default(),
            second: Mutex::default(),
            history: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts an answered request.
    pub fn request(&self, route: &str, status: u16) {
        *lock(&self.requests).entry((route.into(), status)).or_default() += 1;
    }

    /// Counts an answered snippet.
    pub fn snippet(&self, verdict: &'static str, latency: Duration, cached: bool) {
        self.latency.add(latency);
        *lock(&self.verdicts).entry(verdict).or_default() += 1;
        let mut second = lock(&self.second);
        second.snippets += 1;
        second.good += u64::from(verdict == "valid");
        second.cached += u64::from(cached);
        second.failed += u64::from(matches!(verdict, "timeout_error" | "server_error" | "repl_error"));
        if second.latencies.len() < LATENCIES {
            second.latencies.push(latency.as_secs_f32() * 1e3);
        }
    }

    /// Ends a second of the history; to be called once a second.
    pub fn sample(&self, pool: &PoolStatus) {
        let mut second = std::mem::take(&mut *lock(&self.second));
        second.latencies.sort_by(f32::total_cmp);
        let quantile = |q: f64| {
            let last = second.latencies.len().checked_sub(1)?;
            second.latencies.get((q * last as f64).round() as usize).copied()
        };
        let sample = Sample {
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            snippets: second.snippets,
            valid: second.good,
            cached: second.cached,
            failed: second.failed,
            p50: quantile(0.5),
            p99: quantile(0.99),
            busy: pool.busy,
            processes: pool.processes,
            waiting: pool.waiting,
            resident: pool.resident_bytes,
        };
        let mut history = lock(&self.history);
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(sample);
    }

    /// The samples after the second `since` (since 1970), oldest first.
    pub fn history(&self, since: u64) -> Vec<Sample> {
        lock(&self.history).iter().filter(|s| s.time > since).cloned().collect()
    }

    /// Snippets by verdict.
    pub fn verdicts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.verdicts).clone()
    }

    /// Seconds since the start.
    pub fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// A bound below which a part `q` of all snippets took, in seconds.
    pub fn latency(&self, q: f64) -> Option<f64> {
        self.latency.quantile(q).filter(|s| s.is_finite())
    }

    /// In Prometheus' text format.
    pub fn prometheus(&self, pool: &PoolStatus, cache: CacheSize) -> String {
        let counters = vec![
            ("requests_open", "Requests being answered.", true, self.requests_open.get()),
            ("snippets_open", "Snippets being checked or waiting.", true, self.snippets_open.get()),
            ("snippets_cancelled_total", "Snippets nobody waited for any more.", false, self.cancelled.get()),
            ("cache_hits_total", "Snippets answered from the cache.", false, self.cache_hits.get()),
            ("cache_misses_total", "Snippets not found in the cache.", false, self.cache_misses.get()),
            ("cache_evictions_total", "Answers removed to make room.", false, cache.evictions),
            ("cache_bytes", "Bytes of cached answers.", true, cache.bytes),
            ("cache_limit_bytes", "The most they may be.", true, cache.limit),
            ("processes_max", "Processes there may be.", true, pool.max_processes as u64),
            ("processes", "Processes there are.", true, pool.processes as u64),
            ("processes_busy", "Processes at work.", true, pool.busy as u64),
            ("processes_started_total", "Processes started.", false, pool.started),
            ("processes_crashed_total", "Processes that ended during a snippet.", false, pool.crashes),
            ("processes_out_of_memory_total", "Processes ended for their memory.", false, pool.out_of_memory),
            ("processes_recycled_total", "Processes replaced for their age.", false, pool.recycled),
            ("processes_evicted_total", "Processes replaced by another header.", false, pool.evicted),
            ("processes_resident_bytes", "Resident memory of all processes.", true, pool.resident_bytes),
            ("snippets_waiting", "Snippets that wait for a process.", true, pool.waiting as u64),
            ("snippets_retried_total", "Snippets tried a second time.", false, pool.restarts),
            ("snippets_shared_total", "Snippets answered with an identical one.", false, pool.shared),
            ("header_hits_total", "Snippets that found their header loaded.", false, pool.hits),
            ("header_misses_total", "Snippets that did not.", false, pool.misses),
        ];
        let latency = ("snippet_seconds", "From accepting a snippet to its answer.", &self.latency);
        let mut out = Report { prefix: "lean_oracle", counters, latency }.prometheus();
        let mut family = |name: &str, help: &str, lines: Vec<(String, u64)>| {
            let _ = writeln!(out, "# HELP lean_oracle_{name} {help}\n# TYPE lean_oracle_{name} counter");
            for (labels, n) in lines {
                let _ = writeln!(out, "lean_oracle_{name}{{{labels}}} {n}");
            }
        };
        let verdicts = self.verdicts().into_iter().map(|(v, n)| (format!("verdict=\"{v}\""), n));
        family("snippets_total", "Snippets answered.", verdicts.collect());
        let requests = lock(&self.requests).clone().into_iter();
        let requests = requests.map(|((r, s), n)| (format!("route=\"{r}\",status=\"{s}\""), n));
        family("requests_total", "Requests answered.", requests.collect());
        let _ = writeln!(
            out,
            "# HELP lean_oracle_uptime_seconds Since the start.\n# TYPE lean_oracle_uptime_seconds gauge\n\
             lean_oracle_uptime_seconds {}",
            self.uptime()
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_own_percentiles() {
        let metrics = Metrics::default();
        for ms in 1..=100 {
            metrics.snippet("valid", Duration::from_millis(ms), ms % 2 == 0);
        }
        metrics.snippet("timeout_error", Duration::from_millis(1000), false);
        metrics.sample(&PoolStatus::default());
        metrics.sample(&PoolStatus::default());
        let history = metrics.history(0);
        assert_eq!(history.len(), 2);
        let first = &history[0];
        assert_eq!((first.snippets, first.valid, first.cached, first.failed), (101, 100, 50, 1));
        assert_eq!((first.p50, first.p99), (Some(51.0), Some(100.0)));
        assert_eq!((history[1].snippets, history[1].p50), (0, None));
        let text = metrics.prometheus(&PoolStatus::default(), CacheSize { bytes: 1, limit: 2, evictions: 3 });
        assert!(text.contains("lean_oracle_snippets_total{verdict=\"valid\"} 100\n"), "{text}");
    }
}
