//! How much work a question may take: time, nodes, and a flag by which the caller cancels.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};

/// The limits of one question. Long computations call [`Budget::spend`] between their steps.
#[derive(Debug)]
pub struct Budget {
    deadline: Option<Instant>,
    nodes: Cell<u64>,
    cancel: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// The nodes allowed when a question does not say.
    pub const DEFAULT_NODES: u64 = 50_000_000;

    /// No limit on time, the default number of nodes, no way to cancel.
    pub fn unlimited() -> Self {
        Budget::new(None, None, None)
    }

    /// `timeout` counts from now. A node is one evaluation of one operation. `cancel` may be set to
    /// true by any thread.
    pub fn new(timeout: Option<Duration>, nodes: Option<u64>, cancel: Option<Arc<AtomicBool>>) -> Self {
        Budget {
            deadline: timeout.and_then(|t| Instant::now().checked_add(t)),
            nodes: Cell::new(nodes.unwrap_or(Self::DEFAULT_NODES)),
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
        match self.nodes.get().checked_sub(nodes) {
            Some(left) => {
                self.nodes.set(left);
                Ok(())
            }
            None => {
                Err(Error::new(Code::Budget, "the work allowed is done; raise max_nodes").at("max_nodes"))
            }
        }
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
