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
    cancel: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// The nodes allowed when a question does not say.
    pub const DEFAULT_NODES: u64 = 10_000_000;

    /// No limit on time, the default number of nodes, no way to cancel.
    pub fn unlimited() -> Self {
        Budget::new(None, None, None)
    }

    /// `timeout` counts from now. A node is one evaluation of one operation. `cancel` may be set to
    /// true by any thread.
    pub fn new(timeout: Option<Duration>, nodes: Option<u64>, cancel: Option<Arc<AtomicBool>>) -> Self {
        Budget {
            deadline: timeout.and_then(|t| Instant::now().checked_add(t)),
            nodes: AtomicU64::new(nodes.unwrap_or(Self::DEFAULT_NODES)),
            cancel,
        }
    }

    /// Takes `nodes` from what is left. Errors with [`Code::Cancelled`], [`Code::Timeout`] or
    /// [`Code::Budget`] when the question must stop.
    pub fn spend(&self, nodes: u64) -> Result<()> {
        if self.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Error::new(Code::Cancelled, "the caller cancelled the request"));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(
                Error::new(Code::Timeout, "the time allowed is over; raise timeout_ms").at("timeout_ms")
            );
        }
        // Parts of a question on several threads share what is left.
        let left =
            self.nodes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(nodes));
        match left {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(Error::new(Code::Budget, "the work allowed is done; raise max_nodes").at("max_nodes"))
            }
        }
    }

    /// Runs the first of two parts of a question with half of what is left, so that the second has
    /// something too; what the first leaves over goes back.
    pub fn first_half<T>(&self, part: impl FnOnce(&Budget) -> T) -> T {
        let now = Instant::now();
        let left = self.nodes.load(Ordering::Relaxed);
        let half = Budget {
            deadline: self.deadline.map(|d| now + d.saturating_duration_since(now) / 2),
            nodes: AtomicU64::new(left / 2),
            cancel: self.cancel.clone(),
        };
        let result = part(&half);
        let spent = left / 2 - half.nodes.load(Ordering::Relaxed);
        self.nodes.fetch_sub(spent, Ordering::Relaxed);
        result
    }

    /// The flag by which the caller cancels, to be shared with parts of the question.
    pub fn cancel_flag(&self) -> Option<Arc<AtomicBool>> {
        self.cancel.clone()
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
}
