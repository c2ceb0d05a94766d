//! Counters and a histogram that any thread may add to, as text for Prometheus and as JSON.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that is counted up, or set.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// Takes away, for what goes up and down.
    pub fn sub(&self, n: usize) {
        self.0.fetch_sub(n as u64, Ordering::Relaxed);
    }

    /// Adds one and returns the number before.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets, for what goes up and down.
    pub fn set(&self, n: usize) {
        self.0.store(n as u64, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many durations were at most 2^k microseconds, for k from 0 to 26 (67 s), and how many longer.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; 28],
    micros: AtomicU64,
}

impl Histogram {
    /// Adds a duration.
    pub fn add(&self, d: Duration) {
        let micros = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let bucket = (64 - micros.saturating_sub(1).leading_zeros() as usize).min(27);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// For each bucket its upper end in seconds and how many durations are in it.
    fn read(&self) -> Vec<(f64, u64)> {
        let end = |k: usize| if k == 27 { f64::INFINITY } else { (1u64 << k) as f64 / 1e6 };
        self.buckets.iter().enumerate().map(|(k, n)| (end(k), n.load(Ordering::Relaxed))).collect()
    }

    /// A bound below which a part `q` of the durations are, in seconds; none if there are no durations.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let buckets = self.read();
        let total: u64 = buckets.iter().map(|b| b.1).sum();
        let mut seen = 0;
        buckets.into_iter().find_map(|(end, n)| {
            seen += n;
            (n > 0 && seen as f64 >= q * total as f64).then_some(end)
        })
    }
}

/// A collection of metrics with names.
pub struct Report<'a> {
    /// What the names begin with.
    pub prefix: &'a str,
    /// Counters: a name, what it counts, whether it may go down, and the number.
    pub counters: Vec<(&'a str, &'a str, bool, u64)>,
    /// Durations in seconds, with their name and meaning.
    pub latency: (&'a str, &'a str, &'a Histogram),
}

impl Report<'_> {
    /// In Prometheus' text format.
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        let prefix = self.prefix;
        for (name, help, gauge, n) in &self.counters {
            let kind = if *gauge { "gauge" } else { "counter" };
            let _ = writeln!(
                out,
                "# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} {kind}\n{prefix}_{name} {n}"
            );
        }
        let (name, help, histogram) = self.latency;
        let _ = writeln!(out, "# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} histogram");
        let mut sum = 0;
        for (end, n) in histogram.read() {
            sum += n;
            let end = if end.is_finite() { end.to_string() } else { "+Inf".into() };
            let _ = writeln!(out, "{prefix}_{name}_bucket{{le=\"{end}\"}} {sum}");
        }
        let micros = histogram.micros.load(Ordering::Relaxed) as f64;
        let _ = writeln!(out, "{prefix}_{name}_sum {}\n{prefix}_{name}_count {sum}", micros / 1e6);
        out
    }

    /// As a JSON object: each counter; bounds of the median and the 99th percentile of the durations, or
    /// null; their number and sum; and of how many microseconds at most how many of them were.
    pub fn json(&self) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        for (name, _, _, n) in &self.counters {
            object.insert((*name).into(), (*n).into());
        }
        let (name, _, histogram) = self.latency;
        for (label, q) in [("p50", 0.5), ("p99", 0.99)] {
            let bound = histogram.quantile(q).filter(|s| s.is_finite());
            object.insert(format!("{name}_{label}"), bound.map_or(serde_json::Value::Null, Into::into));
        }
        let (mut count, mut buckets) = (0, serde_json::Map::new());
        for (k, n) in histogram.buckets.iter().map(|n| n.load(Ordering::Relaxed)).enumerate() {
            count += n;
            if n > 0 {
                let end = if k == 27 { "inf".to_string() } else { (1u64 << k).to_string() };
                buckets.insert(end, n.into());
            }
        }
        let micros = histogram.micros.load(Ordering::Relaxed);
        object.insert(format!("{name}_count"), count.into());
        object.insert(format!("{name}_sum"), (micros as f64 / 1e6).into());
        object.insert(format!("{name}_buckets_micros"), buckets.into());
        object.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts() {
        let h = Histogram::default();
        assert_eq!(h.quantile(0.5), None);
        for micros in [0, 1, 2, 3, 1000, 1024, 1025, 10_000_000_000] {
            h.add(Duration::from_micros(micros));
        }
        assert_eq!(h.quantile(0.25), Some(1e-6));
        assert_eq!(h.quantile(0.75), Some(0.001024));
        assert_eq!(h.quantile(1.0), Some(f64::INFINITY));
        let counters = vec![("requests_total", "Requests.", false, 8)];
        let report = Report { prefix: "x", counters, latency: ("seconds", "Durations.", &h) };
        let json = report.json();
        let expected = [("1", 2), ("2", 1), ("4", 1), ("1024", 2), ("2048", 1), ("inf", 1)];
        let buckets = json["seconds_buckets_micros"].as_object().expect("an object");
        assert_eq!(buckets.len(), expected.len());
        assert!(expected.iter().all(|(end, n)| buckets[*end] == *n), "{json}");
        assert!(json["seconds_count"] == 8 && json["seconds_sum"] == 10000.003055, "{json}");
        let text = report.prometheus();
        assert!(text.contains("x_requests_total 8\n") && text.contains("x_seconds_count 8\n"), "{text}");
        assert!(text.contains("x_seconds_bucket{le=\"0.001024\"} 6\n") && text.contains("le=\"+Inf\"} 8\n"));
    }
}
