//! How much work a question may take: time, nodes, and a flag by which the caller cancels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};

/// The limits of one question. Long computations call [`Budget::spend`] between their steps.
#[derive(Debug)]
pub struct Budget {
    deadline: Option<Instant>,
    nodes: AtomicU64,
    /// What is left for all items of a batch together, when that is limited.
    pool: Option<Arc<AtomicU64>>,
    cancel: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// The nodes allowed when a question does not say.
    pub const DEFAULT_NODES: u64 = 10_000_000;

    /// No limit on time, the default number of nodes, no way to cancel.
    pub fn unlimited() -> Self {
        Budget::new(None, None, None)
    }

    /// `timeout` counts from now; the last bit of it is kept for finishing an answer. A node is one
    /// evaluation of one operation. `cancel` may be set to true by any thread.
    pub fn new(timeout: Option<Duration>, nodes: Option<u64>, cancel: Option<Arc<AtomicBool>>) -> Self {
        let finishing = |t: Duration| (t / 16).min(Duration::from_millis(8));
        Budget {
            deadline: timeout.and_then(|t| Instant::now().checked_add(t - finishing(t))),
            nodes: AtomicU64::new(nodes.unwrap_or(Self::DEFAULT_NODES)),
            pool: None,
            cancel,
        }
    }

    /// The same limits for a batch: its items share the `nodes`, and without any have only their own.
    pub(super) fn of_batch(self, nodes: Option<u64>) -> Self {
        let pool = nodes.map(|n| Arc::new(AtomicU64::new(n)));
        Budget { nodes: AtomicU64::new(u64::MAX), pool, ..self }
    }

    /// The limits of one item of a batch: its own and those of the batch. To begin one takes a node of
    /// the batch.
    pub(super) fn of_item(&self, timeout: Option<Duration>, nodes: Option<u64>) -> Result<Self> {
        self.spend(1)?;
        let own = Budget::new(timeout, nodes, self.cancel.clone());
        let deadline = own.deadline.into_iter().chain(self.deadline).min();
        Ok(Budget { deadline, pool: self.pool.clone(), ..own })
    }

    /// Takes `nodes` from what is left. Errors with [`Code::Cancelled`], [`Code::Timeout`] or
    /// [`Code::Budget`] when the question must stop.
    pub fn spend(&self, nodes: u64) -> Result<()> {
        if let Some(reason) = self.over(Instant::now) {
            return Err(reason);
        }
        // Parts of a question on several threads share what is left.
        let take = |from: &AtomicU64| {
            from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(nodes)).is_ok()
        };
        if take(&self.nodes) && self.pool.as_deref().is_none_or(take) {
            return Ok(());
        }
        Err(Error::new(Code::Budget, "the work allowed is done; raise max_nodes").at("max_nodes"))
    }

    /// Why nothing may be done any more at the time `now`, if so.
    pub(super) fn over(&self, now: impl FnOnce() -> Instant) -> Option<Error> {
        if self.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Error::new(Code::Cancelled, "the caller cancelled the request"));
        }
        (self.deadline.is_some_and(|deadline| now() >= deadline))
            .then(|| Error::new(Code::Timeout, "the time allowed is over; raise timeout_ms").at("timeout_ms"))
    }

    /// Whether what was begun at `begun` and is finished now would be the same at another time: no part of
    /// it can have been cut short by its time, by other items of a batch, or by the caller.
    pub(super) fn was_ample(&self, begun: Instant) -> bool {
        // The parts of a question have half of its time, or more.
        let in_time = |end: Instant| begun.elapsed() < end.saturating_duration_since(begun) / 4;
        self.pool.is_none() && self.deadline.is_none_or(in_time) && self.over(|| begun).is_none()
    }

    /// When the time is over, if it is limited.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether another thread may cancel.
    pub(super) fn is_cancellable(&self) -> bool {
        self.cancel.is_some()
    }

    /// Runs the first of two parts of a question with half of what is left, so that the second has
    /// something too; what the first leaves over goes back.
    pub fn first_half<T>(&self, part: impl FnOnce(&Budget) -> T) -> T {
        let now = Instant::now();
        let left = self.nodes.load(Ordering::Relaxed);
        let half = Budget {
            deadline: self.deadline.map(|d| now + d.saturating_duration_since(now) / 2),
            nodes: AtomicU64::new(left / 2),
            pool: self.pool.clone(),
            cancel: self.cancel.clone(),
        };
        let result = part(&half);
        let spent = left / 2 - half.nodes.load(Ordering::Relaxed);
        self.nodes.fetch_sub(spent, Ordering::Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_code() {
        let code = |b: &Budget, n| b.spend(n).map_err(|e| e.code);
        let nodes = Budget::new(None, Some(10), None);
        assert_eq!((code(&nodes, 10), code(&nodes, 1)), (Ok(()), Err(Code::Budget)));
        assert_eq!(code(&Budget::new(Some(Duration::ZERO), None, None), 1), Err(Code::Timeout));
        let flag = Arc::new(AtomicBool::new(false));
        let cancellable = Budget::new(None, None, Some(flag.clone()));
        assert_eq!(code(&cancellable, 1), Ok(()));
        flag.store(true, Ordering::Relaxed);
        assert_eq!(code(&cancellable, 1), Err(Code::Cancelled));
    }
    #[test]
    fn a_batch_shares_its_work_and_bounds_the_time_of_its_items() {
        let batch = Budget::unlimited().of_batch(Some(10));
        let item = |nodes| batch.of_item(None, nodes);
        let (first, second) = (item(None).expect("10 are left"), item(Some(3)).expect("9 are left"));
        assert_eq!((first.spend(7), second.spend(1)), (Ok(()), Ok(())));
        assert_eq!(first.spend(1).unwrap_err().code, Code::Budget);
        assert_eq!(item(None).unwrap_err().code, Code::Budget);
        // Without a limit of the batch the items have only their own.
        let batch = Budget::unlimited().of_batch(None);
        assert_eq!(batch.of_item(None, Some(3)).expect("no limit").spend(4).unwrap_err().code, Code::Budget);
        let hour = Duration::from_secs(3600);
        let batch = Budget::new(Some(hour), None, None).of_batch(None);
        let deadline = |timeout| batch.of_item(timeout, None).expect("there is time").deadline();
        assert_eq!(deadline(Some(2 * hour)), batch.deadline());
        assert_eq!(deadline(None), batch.deadline());
        assert!(deadline(Some(hour / 2)) < batch.deadline());
    }
}
