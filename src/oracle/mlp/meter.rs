//! Spreading independent tasks in doubles over threads, within a budget.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::error::Result;
use crate::oracle::budget::Budget;

/// How many operations on doubles count as one node.
const OPERATIONS_PER_NODE: u64 = 64;

/// What a task reports its work to; one per thread.
pub(super) struct Meter<'a> {
    budget: &'a Budget,
    pending: Cell<u64>,
}

impl Meter<'_> {
    /// Counts operations on doubles. Errors when the question must stop.
    pub(super) fn count(&self, operations: u64) -> Result<()> {
        /// How many operations go by between two looks at the budget: a fraction of a millisecond.
        const LOOK: u64 = 1 << 16;
        let pending = self.pending.get() + operations;
        if pending < LOOK {
            self.pending.set(pending);
            return Ok(());
        }
        self.pending.set(0);
        self.budget.spend(pending / OPERATIONS_PER_NODE)
    }
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// The results of `task(0..count)` in order; on all cores when the total number of `operations`
/// makes that worth it.
pub(super) fn map<T: Send>(
    count: usize,
    operations: u64,
    budget: &Budget,
    task: impl Fn(usize, &Meter) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    /// What takes as long as to start a few threads.
    const WORTH: u64 = 2_000_000;
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let work = || -> Result<Vec<(usize, T)>> {
        let meter = Meter { budget, pending: Cell::new(0) };
        let mut done = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            done.push((i, task(i, &meter).inspect_err(|_| stop.store(true, Ordering::Relaxed))?));
        }
        budget.spend(meter.pending.get() / OPERATIONS_PER_NODE)?;
        Ok(done)
    };
    let helpers = if operations < WORTH { 0 } else { cores().min(count).saturating_sub(1) };
    let parts: Vec<Result<Vec<(usize, T)>>> = thread::scope(|scope| {
        // Where no thread is to be had the calling one does all.
        let handles: Vec<_> =
            (0..helpers).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut parts = vec![work()];
        for handle in handles {
            parts.push(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        parts
    });
    let mut done = Vec::with_capacity(count);
    for part in parts {
        done.extend(part?);
    }
    done.sort_unstable_by_key(|(i, _)| *i);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use std::time::Duration;

    #[test]
    fn results_are_in_order_and_limits_stop_every_thread() {
        let squares = map(1000, u64::MAX, &Budget::unlimited(), |i, meter| {
            meter.count(10)?;
            Ok(i * i)
        });
        assert_eq!(squares.unwrap(), (0..1000).map(|i| i * i).collect::<Vec<_>>());
        let endless = |_, meter: &Meter| -> Result<()> {
            loop {
                meter.count(1000)?;
            }
        };
        let few = Budget::new(None, Some(10_000), None);
        assert_eq!(map(8, u64::MAX, &few, endless).unwrap_err().code, Code::Budget);
        let short = Budget::new(Some(Duration::from_millis(20)), Some(u64::MAX), None);
        assert_eq!(map(8, u64::MAX, &short, endless).unwrap_err().code, Code::Timeout);
    }
}
