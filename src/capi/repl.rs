//! A pool that checks Lean code, from C. See `docs/repl.md`.

use std::pin::pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::transport::{drop_buffer, give};
use super::{LeanOracleBuffer, LeanOracleCancel, bytes, null};
use crate::error::{Code, Error, Result, guarded};
use crate::oracle;
use crate::repl::{
    Diagnostics, Failure, Outcome, Pool, PoolConfig, Request, Response, Session, Snippet, read_request,
    read_session,
};

/// How long a cancelled call may go on.
const CANCEL_PERIOD: Duration = Duration::from_millis(5);

/// A pool of processes that check Lean code. Any thread may use it; see `lean_oracle_pool_new`.
pub struct LeanOraclePool(Mutex<Option<Arc<Running>>>);

/// A process of a pool for one conversation; see `lean_oracle_session_new`.
pub struct LeanOracleSession {
    pool: Arc<Running>,
    session: Arc<Held>,
}

/// A session until it is closed.
type Held = tokio::sync::Mutex<Option<Session>>;

/// A pool that is not closed, with the threads that it runs on.
struct Running {
    pool: Option<Pool>,
    runtime: Option<Runtime>,
    closed: watch::Sender<bool>,
    sessions: Mutex<Vec<Weak<Held>>>,
}

impl Running {
    fn start(config: PoolConfig) -> Result<Running> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("lean-oracle-pool").enable_all();
        let failed = |e: std::io::Error| Error::new(Code::Internal, format!("no threads for a pool: {e}"));
        let runtime = builder.build().map_err(failed)?;
        let pool = runtime.block_on(Pool::start(config))?;
        let (closed, sessions) = (watch::Sender::new(false), Mutex::default());
        Ok(Running { pool: Some(pool), runtime: Some(runtime), closed, sessions })
    }

    /// Runs `work` on this thread until it ends, the flag is set or the pool is closed.
    fn until<T>(&self, cancel: Option<&AtomicBool>, work: impl Future<Output = T>) -> Result<Option<T>> {
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        let mut closed = self.closed.subscribe();
        let cancelled = async {
            match cancel {
                Some(flag) => {
                    while !flag.load(Relaxed) {
                        tokio::time::sleep(CANCEL_PERIOD).await;
                    }
                }
                None => std::future::pending().await,
            }
        };
        Ok(runtime.block_on(async {
            let (cancelled, closing) = (pin!(cancelled), pin!(closed.wait_for(|closed| *closed)));
            match select(pin!(work), select(cancelled, closing)).await {
                Either::Left((done, _)) => Some(done),
                Either::Right(_) => None,
            }
        }))
    }

    fn pool(&self) -> Result<&Pool> {
        self.pool.as_ref().ok_or_else(gone)
    }

    /// All outcomes, in the order of the snippets.
    fn check(&self, request: &[u8], cancel: Option<&AtomicBool>) -> Result<Vec<Outcome>> {
        let (snippets, options) = read_request(request)?;
        let pool = self.pool()?;
        let mut outcomes: Vec<Outcome> = snippets.iter().map(|s| unchecked(s.id.clone())).collect();
        // Enough to keep every process at work; what waits here does not wait for a process yet.
        let window = 2 * pool.status().max_processes + 2;
        let options = &options;
        let checks = snippets.into_iter().enumerate();
        let checks =
            checks.map(async |(i, snippet): (usize, Snippet)| (i, pool.check(snippet, options).await));
        let mut answered = futures_util::stream::iter(checks).buffer_unordered(window);
        let found = &mut outcomes;
        self.until(cancel, async move {
            while let Some((i, outcome)) = answered.next().await {
                found[i] = outcome;
            }
        })?;
        Ok(outcomes)
    }

    fn session(&self, request: &[u8], cancel: Option<&AtomicBool>) -> Result<Outcomes<Arc<Held>>> {
        let (header, options) = read_session(request)?;
        let opened = self.until(cancel, self.pool()?.session(&header, &options))?;
        let opened = opened.unwrap_or(Err(Failure::Cancelled));
        Ok(opened.map(|session| {
            let session = Arc::new(Held::new(Some(session)));
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|session| session.strong_count() > 0);
            sessions.push(Arc::downgrade(&session));
            session
        }))
    }

    /// Lets what is under way end for some time, and ends the rest.
    fn close(&self, drain: Duration) {
        let (Some(runtime), Some(pool)) = (&self.runtime, &self.pool) else { return };
        runtime.block_on(async {
            pool.drain(drain).await;
            self.closed.send_replace(true);
            let sessions = std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
            for session in sessions.iter().filter_map(Weak::upgrade) {
                drop(session.lock().await.take());
            }
            // Until what the sessions had is gone too.
            pool.drain(Duration::ZERO).await;
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        {
            let _entered = runtime.enter();
            self.pool = None;
        }
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// What a process answered, or why there is no answer.
type Outcomes<T> = std::result::Result<T, Failure>;

fn gone() -> Error {
    Error::new(Code::Cancelled, "the pool was closed")
}

fn unchecked(id: String) -> Outcome {
    let result = Err(Failure::Cancelled);
    Outcome { id, time: 0.0, header_time: 0.0, result, audit: None, diagnostics: Diagnostics::default() }
}

fn failure_json(failure: &Failure) -> String {
    json!({"failure": failure, "message": failure.to_string()}).to_string()
}

impl LeanOraclePool {
    fn running(&self) -> Result<Arc<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(gone)
    }
}

/// Starts a pool. `config` is JSON:
///
/// `{"engine": "auto", "dir": ".", "max_processes": ..., "max_uses": ..., "memory_limit": 12884901888,
/// "address_space_limit": ..., "cpu_limit_ms": ..., "max_wait_ms": 60000, "warm": {"import Lean": 1},
/// "warm_timeout_ms": 300000, "recycle_bytes": 6442450944, "max_answer": 1073741824}`
///
/// All of it may be left out (`{}`). The engine is `"auto"` (what there is in `dir`), `{"repl": ["lake",
/// "env", "repl"]}`, the community's REPL, or `{"lean": ["lean"]}`. Sizes are in bytes; a limit of 0 is
/// none. Processes are started when they are needed. They end with the pool and, however it ends, with
/// this process.
///
/// Returns 0 and a pool, or the code, NULL and, in `*error`, what `lean_oracle_call_json` would write for
/// it. After success `*error` is empty.
///
/// # Safety
///
/// `config` must point to `len` readable bytes, and `pool` and `error`, unless NULL, to writable memory.
/// What they held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_pool_new(
    config: *const u8,
    len: usize,
    pool: *mut *mut LeanOraclePool,
    error: *mut LeanOracleBuffer,
) -> i32 {
    let made = guarded(|| {
        if pool.is_null() {
            return Err(null("pool"));
        }
        // SAFETY: the caller vouches for `config` and `len`.
        let config = PoolConfig::from_json(unsafe { bytes(config, len, "config") }?)?;
        Ok(Ok(LeanOraclePool(Mutex::new(Some(Arc::new(Running::start(config)?))))))
    });
    // SAFETY: passed on.
    unsafe { give_handle(made, pool, error) }
}

/// Checks snippets, as many at a time as the pool has processes, and writes what became of each, in the
/// order of the request, to `*out`. The request is JSON:
///
/// `{"snippets": [{"id": "a", "code": "#check 1"}], "timeout_ms": 30000, "max_wait_ms": 60000, "reuse": true,
/// "infotree": "tactics", "all_tactics": false, "root_goals": false, "imports": "as_written", "audit": false}`
///
/// Only the code is needed. The answer is `{"results": [...]}`, with `id`, `verdict`, `time`, `header_time`,
/// `response` (the REPL's) or `repl_error` or `failure`, `audit` and `diagnostics` for each snippet: see
/// docs/repl.md. A snippet that is wrong, or without an answer, is not an error of this function.
///
/// When `cancel` is set, or the pool is closed, the snippets that have no answer yet fail as cancelled.
///
/// Returns 0, or the code for a request that cannot be read, with what `lean_oracle_call_json` would write
/// for it; only with `out == NULL` is nothing written.
///
/// # Safety
///
/// `pool` must come from `lean_oracle_pool_new` and not be freed before this returns; `request` must point
/// to `len` readable bytes, `cancel`, unless NULL, to a flag that is not freed before this returns, and
/// `out`, unless NULL, to writable memory. What `*out` held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_pool_check(
    pool: *const LeanOraclePool,
    request: *const u8,
    len: usize,
    cancel: *const LeanOracleCancel,
    out: *mut LeanOracleBuffer,
) -> i32 {
    let json = guarded(|| {
        // SAFETY: the caller vouches for all of them.
        let (pool, request, cancel) =
            unsafe { (pool.as_ref(), bytes(request, len, "request")?, cancel.as_ref()) };
        let running = pool.ok_or_else(|| null("pool"))?.running()?;
        #[derive(serde::Serialize)]
        struct Results {
            results: Vec<Outcome>,
        }
        let results = running.check(request, cancel.map(|c| &*c.0))?;
        serde_json::to_vec(&Results { results }).map_err(|e| Error::new(Code::Internal, e.to_string()))
    });
    // SAFETY: passed on.
    unsafe { give(json, out) }
}

/// What the pool is doing, as JSON: see `PoolStatus` in docs/repl.md. Returns 0 or the code; only with
/// `out == NULL` is nothing written.
///
/// # Safety
///
/// `pool` and `out` must be as for `lean_oracle_pool_check`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_pool_status(
    pool: *const LeanOraclePool,
    out: *mut LeanOracleBuffer,
) -> i32 {
    let json = guarded(|| {
        // SAFETY: the caller vouches that it is NULL or valid.
        let running = unsafe { pool.as_ref() }.ok_or_else(|| null("pool"))?.running()?;
        let status = running.pool()?.status();
        serde_json::to_vec(&status).map_err(|e| Error::new(Code::Internal, e.to_string()))
    });
    // SAFETY: passed on.
    unsafe { give(json, out) }
}

/// Closes a pool: nothing new is begun, what is under way on other threads may go on for `drain_ms`, and
/// then all processes are killed, those of sessions too. What has not ended by then fails as cancelled.
/// Every later call is refused as cancelled (code 13). Closing twice, and NULL, are fine. The pool must
/// still be freed.
///
/// # Safety
///
/// `pool`, unless NULL, must be as for `lean_oracle_pool_check`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_pool_close(pool: *const LeanOraclePool, drain_ms: u64) {
    // SAFETY: the caller vouches that `pool` is NULL or valid.
    if let Some(pool) = unsafe { pool.as_ref() } {
        let _ = guarded(|| {
            let running = pool.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(running) = running {
                running.close(Duration::from_millis(drain_ms));
            }
            Ok(())
        });
    }
}

/// Closes a pool at once and frees it. NULL is fine.
///
/// # Safety
///
/// `pool`, unless NULL, must come from `lean_oracle_pool_new` and not be freed yet; no other thread may be
/// using it. Its sessions may be freed later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_pool_free(pool: *mut LeanOraclePool) {
    if !pool.is_null() {
        // SAFETY: passed on.
        unsafe { lean_oracle_pool_close(pool, 0) };
        let _ = guarded(|| {
            // SAFETY: not NULL, and the caller vouches that it was made by `Box::into_raw` and not freed.
            drop(unsafe { Box::from_raw(pool) });
            Ok(())
        });
    }
}

/// Takes a process of the pool for a conversation: commands that build on each other, tactic steps, pickles.
/// Only the community's REPL can do this. The request is `{"header": "import Lean"}`, with the options of
/// `lean_oracle_pool_check`; `timeout_ms` is for each request of the session. It waits until a process is
/// free, and nobody else gets this one before the session is closed, which ends it.
///
/// Returns 0 and a session, or a code, NULL and, in `*error`, either `{"failure": ..., "message": ...}` or
/// what `lean_oracle_call_json` would write. After success `*error` is empty.
///
/// # Safety
///
/// `pool`, `request`, `len` and `cancel` must be as for `lean_oracle_pool_check`, and `session` and
/// `error`, unless NULL, point to writable memory. What they held before is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_session_new(
    pool: *const LeanOraclePool,
    request: *const u8,
    len: usize,
    cancel: *const LeanOracleCancel,
    session: *mut *mut LeanOracleSession,
    error: *mut LeanOracleBuffer,
) -> i32 {
    let made = guarded(|| {
        if session.is_null() {
            return Err(null("session"));
        }
        // SAFETY: the caller vouches for all of them.
        let (pool, request, cancel) =
            unsafe { (pool.as_ref(), bytes(request, len, "request")?, cancel.as_ref()) };
        let pool = pool.ok_or_else(|| null("pool"))?.running()?;
        let opened = pool.session(request, cancel.map(|c| &*c.0))?;
        Ok(opened.map(|session| LeanOracleSession { pool, session }))
    });
    // SAFETY: passed on.
    unsafe { give_handle(made, session, error) }
}

/// Sends one of the REPL's requests (docs/repl.md lists them) and writes its answer: `{"response": ...}` to
/// a command, `{"step": ...}` to a tactic, `{"repl_error": ...}` when the REPL refuses it, or `{"failure":
/// ..., "message": ...}` when there is none; the session is over then. A command without `env` runs on what
/// the header gives. Calls of several threads come one after the other.
///
/// When `cancel` is set the request fails as cancelled, and the session is over.
///
/// Returns 0, or the code for a request that cannot be read, with what `lean_oracle_call_json` would write
/// for it; only with `out == NULL` is nothing written.
///
/// # Safety
///
/// `session` must come from `lean_oracle_session_new` and not be freed before this returns; the others must
/// be as for `lean_oracle_pool_check`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_session_request(
    session: *const LeanOracleSession,
    request: *const u8,
    len: usize,
    cancel: *const LeanOracleCancel,
    out: *mut LeanOracleBuffer,
) -> i32 {
    let json = guarded(|| {
        // SAFETY: the caller vouches for all of them.
        let (session, request, cancel) =
            unsafe { (session.as_ref(), bytes(request, len, "request")?, cancel.as_ref()) };
        let LeanOracleSession { pool, session } = session.ok_or_else(|| null("session"))?;
        let bad = |e: serde_json::Error| {
            let code = if e.is_data() { Code::BadRequest } else { Code::Parse };
            Error::new(code, format!("the request is none of the REPL's: {e}")).at("request")
        };
        let mut request: Request = serde_json::from_slice(request).map_err(bad)?;
        let answered = pool.until(cancel.map(|c| &*c.0), async {
            let mut session = session.lock().await;
            let Some(session) = session.as_mut() else { return Err(Failure::Cancelled) };
            if let Request::Command { env, .. } | Request::File { env, .. } = &mut request
                && env.is_none()
            {
                *env = Some(session.header_env());
            }
            session.request(&request).await
        })?;
        let json = match answered.unwrap_or(Err(Failure::Cancelled)) {
            Ok(Response::Command(response)) => {
                // As text: information trees may be too deep for `json!`.
                serde_json::to_string(&response).map(|response| format!("{{\"response\":{response}}}"))
            }
            Ok(Response::Step(step)) => serde_json::to_string(&json!({"step": step})),
            Ok(Response::Error(message)) => serde_json::to_string(&json!({"repl_error": message})),
            Err(failure) => Ok(failure_json(&failure)),
        };
        json.map(String::into_bytes).map_err(|e| Error::new(Code::Internal, e.to_string()))
    });
    // SAFETY: passed on.
    unsafe { give(json, out) }
}

/// Ends a session and its process. What is under way on another thread is waited for, as long as its
/// `timeout_ms` at most. Closing twice, and NULL, are fine. The session must still be freed.
///
/// # Safety
///
/// `session`, unless NULL, must be as for `lean_oracle_session_request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_session_close(session: *const LeanOracleSession) {
    // SAFETY: the caller vouches that `session` is NULL or valid.
    if let Some(LeanOracleSession { pool, session }) = unsafe { session.as_ref() } {
        let _ = guarded(|| {
            // Not cut short by the end of the pool: that takes the session itself.
            let runtime = pool.runtime.as_ref().ok_or_else(gone)?;
            runtime.block_on(async { drop(session.lock().await.take()) });
            Ok(())
        });
    }
}

/// Ends a session and frees it. NULL is fine.
///
/// # Safety
///
/// `session`, unless NULL, must come from `lean_oracle_session_new` and not be freed yet; no other thread
/// may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lean_oracle_session_free(session: *mut LeanOracleSession) {
    if !session.is_null() {
        // SAFETY: passed on.
        unsafe { lean_oracle_session_close(session) };
        let _ = guarded(|| {
            // SAFETY: not NULL, and the caller vouches that it was made by `Box::into_raw` and not freed.
            drop(unsafe { Box::from_raw(session) });
            Ok(())
        });
    }
}

/// Hands a handle out, or says why there is none.
///
/// # Safety
///
/// `handle` and `error`, unless NULL, must point to writable memory.
unsafe fn give_handle<T>(
    made: Result<Outcomes<T>>,
    handle: *mut *mut T,
    error: *mut LeanOracleBuffer,
) -> i32 {
    let (code, made, json) = match made {
        Ok(Ok(made)) => (0, Box::into_raw(Box::new(made)), LeanOracleBuffer::empty()),
        Ok(Err(failure)) => {
            let json = failure_json(&failure).into_bytes();
            (code_of(&failure).number(), ptr::null_mut(), LeanOracleBuffer::new(json))
        }
        Err(e) => {
            let json = oracle::error_json(&e).into_bytes();
            (e.code.number(), ptr::null_mut(), LeanOracleBuffer::new(json))
        }
    };
    // SAFETY: the caller vouches that each is NULL or writable.
    unsafe {
        if let Some(out) = handle.as_mut() {
            *out = made;
        }
        match error.as_mut() {
            Some(out) => *out = json,
            None => drop_buffer(json),
        }
    }
    code
}

fn code_of(failure: &Failure) -> Code {
    match failure {
        Failure::Timeout { .. } | Failure::CpuLimit { .. } => Code::Timeout,
        Failure::Busy { .. } => Code::Busy,
        Failure::Crashed { .. } | Failure::OutOfMemory { .. } | Failure::Protocol { .. } => Code::Unreachable,
        Failure::Cancelled => Code::Cancelled,
        Failure::Refused { .. } => Code::BadRequest,
    }
}
