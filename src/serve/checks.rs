//! Checking snippets for somebody: limits, the cache, the executor, and what is counted.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::auth::Caller;
use super::executor::Executor;
use super::metrics::Metrics;
use super::store::Store;
use crate::repl::{
    Audit, CheckOptions, CommandResponse, Diagnostics, Failure, Imports, Infotree, Outcome, PoolStatus,
    Reply, Snippet, Verdict,
};

/// Seconds after which somebody who found everything busy may ask again.
const RETRY_AFTER: u64 = 5;

/// How the snippets of one request are to be checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)] // a job that an earlier version accepted lacks what is new
pub struct Parameters {
    /// Seconds for the header and, again, for the body.
    pub timeout: u64,
    /// Whether a process that has the header already, or the cache, may be used.
    pub reuse: bool,
    /// Information trees to send.
    pub infotree: Option<Infotree>,
    /// Send every tactic with its goals.
    pub all_tactics: bool,
    /// Send the initial goal of each tactic proof.
    pub root_goals: bool,
    /// What becomes of `import` lines.
    pub imports: Imports,
    /// Report the axioms of each theorem.
    pub audit: bool,
    /// Whether the cache may be used.
    pub cache: bool,
    /// Send diagnostics.
    pub debug: bool,
}

impl Default for Parameters {
    /// 30 seconds, imports as they are written, and nothing extra.
    fn default() -> Self {
        Parameters {
            timeout: 30,
            reuse: true,
            infotree: None,
            all_tactics: false,
            root_goals: false,
            imports: Imports::AsWritten,
            audit: false,
            cache: true,
            debug: false,
        }
    }
}

impl Parameters {
    fn options(&self, deadline: Option<Instant>) -> CheckOptions {
        CheckOptions {
            timeout: Duration::from_secs(self.timeout),
            deadline,
            reuse: self.reuse,
            infotree: self.infotree,
            all_tactics: self.all_tactics,
            root_goals: self.root_goals,
            imports: self.imports,
            audit: self.audit,
        }
    }

    fn uses_cache(&self) -> bool {
        self.cache && self.reuse
    }

    /// The key of a text in the cache: all that its answer depends on, but for the time it may take, which
    /// decides only whether there is one.
    fn key(&self, toolchain: &str, code: &str) -> [u8; 32] {
        let Parameters { infotree, all_tactics, root_goals, imports, audit, .. } = self;
        let options = format!("{infotree:?} {all_tactics} {root_goals} {imports:?} {audit}");
        let mut hash = Sha256::new();
        for part in [toolchain, &options, code] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// An answered snippet.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The answer.
    pub outcome: Outcome,
    /// Whether it comes from the cache.
    pub cached: bool,
    /// The snippet was not tried to its end, because there was no room for it, its caller asks too often or the
    /// server is closing: after how many seconds to ask again.
    pub retry_after: Option<u64>,
}

impl Checked {
    fn failed(id: String, failure: Failure, retry_after: Option<u64>) -> Checked {
        let outcome = Outcome {
            id,
            time: 0.0,
            header_time: 0.0,
            result: Err(failure),
            audit: None,
            diagnostics: Diagnostics::default(),
        };
        Checked { outcome, cached: false, retry_after }
    }

    /// The verdict's name; `refused` for what is to be asked again.
    pub fn verdict(&self) -> &'static str {
        match self.retry_after {
            Some(_) => "refused",
            None => self.outcome.verdict().name(),
        }
    }
}

/// What the cache keeps of an outcome: an answer of Lean, never a failure.
#[derive(Serialize, Deserialize)]
struct Kept {
    time: f64,
    header_time: f64,
    response: CommandResponse,
    audit: Option<Audit>,
    diagnostics: Diagnostics,
}

impl Kept {
    fn of(outcome: &Outcome) -> Option<Kept> {
        let Ok(Reply::Response(response)) = &outcome.result else { return None };
        // An audit that could not be made may be made the next time.
        if outcome.audit.as_ref().is_some_and(|a| a.problem.is_some()) {
            return None;
        }
        Some(Kept {
            time: outcome.time,
            header_time: outcome.header_time,
            response: response.clone(),
            audit: outcome.audit.clone(),
            diagnostics: outcome.diagnostics.clone(),
        })
    }

    fn outcome(self, id: String) -> Outcome {
        Outcome {
            id,
            time: self.time,
            header_time: self.header_time,
            result: Ok(Reply::Response(self.response)),
            audit: self.audit,
            diagnostics: self.diagnostics,
        }
    }
}

/// Checks snippets for callers.
pub struct Checks {
    executor: Arc<dyn Executor>,
    store: Store,
    metrics: Arc<Metrics>,
    /// The digest of the toolchain; without it there is no cache.
    toolchain: Option<String>,
    max_wait: Duration,
    window: AtomicUsize,
}

impl Checks {
    /// Checks with `executor`, whose answers depend on `toolchain` (see
    /// [`engine_digest`](super::executor::engine_digest)); without it nothing is cached. Snippets wait up
    /// to `max_wait` for a process.
    pub fn new(
        executor: Arc<dyn Executor>,
        store: Store,
        metrics: Arc<Metrics>,
        toolchain: Option<String>,
        max_wait: Duration,
    ) -> Checks {
        let window = AtomicUsize::new(1);
        let checks = Checks { executor, store, metrics, toolchain, max_wait, window };
        checks.adjust(&checks.executor.status());
        checks
    }

    /// Checks one snippet. Dropping the future cancels it.
    pub async fn check(&self, caller: &Caller, snippet: Snippet, parameters: &Parameters) -> Checked {
        let open = Open::new(&self.metrics);
        let id = snippet.id.clone();
        let work = AssertUnwindSafe(self.check_uncounted(caller, snippet, parameters));
        // A defect that one snippet runs into is that snippet's alone.
        let checked = work.catch_unwind().await.unwrap_or_else(|_| {
            let reason = "a defect of lean-oracle, please report it (its log says more)".into();
            Checked::failed(id, Failure::Protocol { reason, stderr: String::new() }, None)
        });
        open.end(&checked);
        checked
    }

    async fn check_uncounted(&self, caller: &Caller, snippet: Snippet, parameters: &Parameters) -> Checked {
        if let Err(seconds) = caller.admit() {
            let reason = format!("too many snippets with this API key; ask again after {seconds} s");
            return Checked::failed(snippet.id, Failure::Refused { reason }, Some(seconds));
        }
        let key = match &self.toolchain {
            Some(toolchain) if parameters.uses_cache() => Some(parameters.key(toolchain, &snippet.code)),
            _ => None,
        };
        if let Some(key) = key {
            let kept = self.store.cached(key).await;
            if let Some(kept) = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok()) {
                self.metrics.cache_hits.add(1);
                return Checked { outcome: kept.outcome(snippet.id), cached: true, retry_after: None };
            }
            self.metrics.cache_misses.add(1);
        }
        let deadline = Instant::now().checked_add(self.max_wait);
        let slot = match deadline {
            None => caller.slot().await,
            Some(deadline) => match tokio::time::timeout_at(deadline.into(), caller.slot()).await {
                Ok(slot) => slot,
                Err(_) => {
                    let waited = self.max_wait.as_secs_f64();
                    return Checked::failed(snippet.id, Failure::Busy { waited }, Some(RETRY_AFTER));
                }
            },
        };
        let mut outcome = self.executor.check(snippet, &parameters.options(deadline)).await;
        drop(slot);
        // The REPL always names the environment after the text, and one of Kimina's clients takes an answer
        // without any key for none; `lean` itself has no environments.
        if let Ok(Reply::Response(response)) = &mut outcome.result {
            response.env.get_or_insert(0);
        }
        // What was to be audited and was not is not valid.
        if parameters.audit && outcome.audit.is_none() && outcome.verdict() == Verdict::Valid {
            let problem = Some("the engine did not say what the theorems rest on".into());
            outcome.audit = Some(Audit { problem, ..Audit::default() });
        }
        if let (Some(key), Some(kept)) = (key, Kept::of(&outcome))
            && let Ok(bytes) = serde_json::to_vec(&kept)
        {
            self.store.cache(key, bytes);
        }
        // Nor is it this snippet's fault that the server is closing.
        let again = matches!(outcome.result, Err(Failure::Busy { .. } | Failure::Cancelled));
        let retry_after = again.then_some(RETRY_AFTER);
        Checked { outcome, cached: false, retry_after }
    }

    /// How many snippets of one request are given to the executor at a time: enough to keep it at work, and
    /// few enough that others come in between.
    pub fn window(&self) -> usize {
        self.window.load(Ordering::Relaxed)
    }

    /// Looks how much can be done at a time.
    pub fn adjust(&self, pool: &PoolStatus) {
        self.window.store(2 * pool.max_processes.max(1) + 2, Ordering::Relaxed);
    }
}

/// A snippet that is being checked, for the metrics.
struct Open<'a> {
    metrics: &'a Metrics,
    begun: Instant,
    ended: bool,
}

impl Open<'_> {
    fn new(metrics: &Metrics) -> Open<'_> {
        metrics.snippets_open.add(1);
        Open { metrics, begun: Instant::now(), ended: false }
    }

    fn end(mut self, checked: &Checked) {
        self.ended = true;
        self.metrics.snippet(checked.verdict(), self.begun.elapsed(), checked.cached);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.metrics.snippets_open.sub(1);
        if !self.ended {
            self.metrics.cancelled.add(1);
        }
    }
}

/// The snippets of one request, some of them under way. Dropping it cancels all of them.
pub struct Batch {
    checks: Arc<Checks>,
    caller: Arc<Caller>,
    parameters: Arc<Parameters>,
    waiting: VecDeque<(usize, Snippet)>,
    running: JoinSet<(usize, Checked)>,
    window: usize,
}

impl Batch {
    /// Prepares to check `snippets`; see [`Batch::next`].
    pub fn new(
        checks: Arc<Checks>,
        caller: Arc<Caller>,
        parameters: Parameters,
        snippets: Vec<Snippet>,
    ) -> Batch {
        let window = checks.window();
        let waiting = snippets.into_iter().enumerate().collect();
        Batch { checks, caller, parameters: Arc::new(parameters), waiting, running: JoinSet::new(), window }
    }

    /// The next snippet that is answered, with its place in the request; none after the last.
    pub async fn next(&mut self) -> Option<(usize, Checked)> {
        loop {
            while self.running.len() < self.window
                && let Some((index, snippet)) = self.waiting.pop_front()
            {
                let (checks, caller) = (self.checks.clone(), self.caller.clone());
                let parameters = self.parameters.clone();
                self.running.spawn(async move { (index, checks.check(&caller, snippet, &parameters).await) });
            }
            match self.running.join_next().await {
                None => return None,
                Some(Ok(answered)) => return Some(answered),
                // The runtime is ending: there is nobody to answer.
                Some(Err(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_all_that_an_answer_depends_on() {
        let key = |p: Parameters| p.key("toolchain", "#eval 1");
        let plain = Parameters::default();
        assert_eq!(key(plain.clone()), key(Parameters { timeout: 1, debug: true, ..plain.clone() }));
        let others = [
            Parameters { infotree: Some(Infotree::Full), ..plain.clone() },
            Parameters { all_tactics: true, ..plain.clone() },
            Parameters { root_goals: true, ..plain.clone() },
            Parameters { imports: Imports::CollapseMathlib, ..plain.clone() },
            Parameters { audit: true, ..plain.clone() },
        ];
        let mut keys: Vec<_> = others.into_iter().map(key).collect();
        keys.extend([
            key(plain.clone()),
            plain.key("toolchain2", "#eval 1"),
            plain.key("toolchain", "#eval 2"),
        ]);
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn failures_are_not_kept() {
        let failed = |failure| Kept::of(&Checked::failed("a".into(), failure, None).outcome).is_some();
        assert!(!failed(Failure::Timeout { seconds: 1.0, header: false }));
        assert!(!failed(Failure::Crashed { reason: String::new(), stderr: String::new() }));
        let mut outcome = Checked::failed("a".into(), Failure::Cancelled, None).outcome;
        outcome.result = Ok(Reply::ReplError { message: "Unknown environment.".into() });
        assert!(Kept::of(&outcome).is_none());
        outcome.result = Ok(Reply::Response(CommandResponse::default()));
        assert!(Kept::of(&outcome).is_some());
        outcome.audit = Some(Audit { theorems: vec![], problem: Some("?".into()) });
        assert!(Kept::of(&outcome).is_none());
    }
}
