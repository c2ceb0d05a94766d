//! Keeping limits on time from the outside.
//!
//! A question looks at its [`Budget`] between its steps, but one step may be a call of FLINT that takes
//! minutes and cannot be interrupted. So questions that have a deadline or can be cancelled run on a
//! thread of their own. The caller waits, and leaves when it must; the thread ends when its step does,
//! and what it found is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::budget::Budget;
use crate::error::{Code, Error, Result, guarded};

/// How often a waiting caller looks whether it was cancelled.
const POLL: Duration = Duration::from_millis(1);

/// How long a question whose time is over may take to say so itself, or to give what it knows. Part of
/// this is before the end of the time that was allowed, see [`Budget::new`].
const GRACE: Duration = Duration::from_millis(14);

/// The same for one that was cancelled, of which nothing is wanted.
const GRACE_CANCELLED: Duration = Duration::from_millis(4);

/// How long a new question waits while too many threads that were left are still at work.
const PATIENCE: Duration = Duration::from_secs(1);

/// The size of a worker's stack: that of a main thread.
const STACK: usize = 8 << 20;

/// The threads that were left and are still at work.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Counts the threads of a worker as left, until neither its caller nor itself refers to this.
struct Left(usize);

impl Left {
    fn new(threads: usize) -> Self {
        LEFT.fetch_add(threads, Ordering::Relaxed);
        Left(threads)
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        LEFT.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The most threads that may be left at work before new questions have to wait.
fn most_left() -> usize {
    (2 * processors()).max(8)
}

/// The number of processors.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whether `budget` can end while a step is under way.
pub(super) fn is_limited(budget: &Budget) -> bool {
    budget.deadline().is_some() || budget.is_cancellable()
}

/// Runs `work` on a thread of its own; returns its result or, soon after `budget` has ended, why it ended.
///
/// `work` is to look at the same budget, and may use so many `threads`. Errors with [`Code::Budget`] when too many threads that were left
/// are still at work.
pub(super) fn run<T: Send + 'static>(
    budget: &Budget,
    threads: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    wait_for_others(budget)?;
    let (sender, receiver) = channel();
    let left = Arc::new(OnceLock::new());
    let mark = left.clone();
    let worker = std::thread::Builder::new().name("lean-oracle".into()).stack_size(STACK).spawn(move || {
        let result = guarded(work);
        // The last thing that counts: nobody may be there any more to receive it.
        let _ = sender.send(result);
        drop(mark);
    });
    let worker = worker
        .map_err(|e| Error::new(Code::Budget, format!("no thread could be started: {e}; ask again")))?;
    let receive = |wait| match receiver.recv_timeout(wait) {
        Ok(result) => Some(result),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            Some(Err(Error::new(Code::Internal, "a thread ended without a result")))
        }
    };
    let (mut result, mut reason) = (None, None);
    while result.is_none() && reason.is_none() {
        let left = budget.deadline().map(|d| d.saturating_duration_since(Instant::now()));
        let poll = budget.is_cancellable().then_some(POLL);
        result = receive(left.into_iter().chain(poll).min().unwrap_or(Duration::MAX));
        reason = budget.over(Instant::now);
    }
    if let Some(reason) = &reason {
        let grace = if reason.code == Code::Cancelled { GRACE_CANCELLED } else { GRACE };
        result = result.or_else(|| receive(grace));
    }
    if result.is_some() {
        // It has nothing left to do but to give its memory back.
        let _ = worker.join();
    } else {
        let _ = left.set(Left::new(threads));
    }
    result.or(reason.map(Err)).unwrap_or_else(|| unreachable!("the loop ends with one of the two"))
}

/// Waits a while until few enough threads that were left are still at work.
fn wait_for_others(budget: &Budget) -> Result<()> {
    let begun = Instant::now();
    while LEFT.load(Ordering::Relaxed) >= most_left() {
        if let Some(reason) = budget.over(Instant::now) {
            return Err(reason);
        }
        if begun.elapsed() >= PATIENCE {
            let message = format!(
                "{} questions that were stopped are still at work inside a long computation; ask again later, \
                 or without timeout_ms and cancelling",
                most_left()
            );
            return Err(Error::new(Code::Budget, message));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// The count is one for the whole process.
    static ALONE: Mutex<()> = Mutex::new(());

    fn until(condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn results_errors_and_panics_come_back() {
        let hour = Budget::new(Some(Duration::from_secs(3600)), None, None);
        assert_eq!(run(&hour, 1, || Ok(7)), Ok(7));
        let error = Error::new(Code::Domain, "no");
        assert_eq!(
            run(&hour, 1, {
                let error = error.clone();
                || Err::<(), _>(error)
            }),
            Err(error)
        );
        assert_eq!(run(&hour, 1, || -> Result<()> { panic!("oh") }).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn a_step_without_end_is_left_and_counted_until_it_ends() {
        let _alone = ALONE.lock();
        until(|| LEFT.load(Ordering::Relaxed) == 0);
        let go = Arc::new(AtomicBool::new(false));
        let endless = || {
            let go = go.clone();
            move || {
                until(|| go.load(Ordering::Relaxed));
                Ok(())
            }
        };
        for _ in 0..most_left() {
            let begun = Instant::now();
            let e = run(&Budget::new(Some(Duration::from_millis(20)), None, None), 1, endless()).unwrap_err();
            assert_eq!(e.code, Code::Timeout);
            assert!((20..500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        }
        assert_eq!(LEFT.load(Ordering::Relaxed), most_left());
        let flag = Arc::new(AtomicBool::new(false));
        let cancellable = Budget::new(None, None, Some(flag.clone()));
        assert_eq!(run(&cancellable, 1, || Ok(())).unwrap_err().code, Code::Budget);
        go.store(true, Ordering::Relaxed);
        assert_eq!(run(&cancellable, 1, || Ok(7)), Ok(7));
        until(|| LEFT.load(Ordering::Relaxed) == 0);
        // Cancelled while it runs, and one that answers in its last moment.
        go.store(false, Ordering::Relaxed);
        let canceller = std::thread::spawn({
            let flag = flag.clone();
            move || {
                std::thread::sleep(Duration::from_millis(20));
                flag.store(true, Ordering::Relaxed);
            }
        });
        assert_eq!(run(&cancellable, 1, endless()).unwrap_err().code, Code::Cancelled);
        canceller.join().expect("no panic");
        go.store(true, Ordering::Relaxed);
        let over = Budget::new(Some(Duration::ZERO), None, None);
        assert_eq!(run(&over, 1, || Ok(7)), Ok(7));
        until(|| LEFT.load(Ordering::Relaxed) == 0);
    }
}
