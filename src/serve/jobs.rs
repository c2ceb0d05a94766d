//! Jobs: many snippets that are accepted once and then finished, whatever happens to the client or the server.
//!
//! A job is on disk before it is accepted. Each result is stored as it comes; what has none when the server
//! ends is checked again by the next one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::auth::{Caller, Keys};
use super::checks::{Checks, Parameters};
use super::kimina::{CheckRequest, NDJSON, render};
use super::store::{Job, JobState, Store};
use super::{Refusal, Server};
use crate::Result;
use crate::repl::{Failure, Imports, Snippet};

/// Snippets and results that are read from the disk at a time.
const PORTION: i64 = 256;

/// How long a job rests when it cannot be read or written.
const REST: Duration = Duration::from_secs(5);

/// How often old jobs are looked for.
const CLEANING: Duration = Duration::from_secs(3600);

/// What runs the jobs.
pub struct Jobs {
    store: Store,
    checks: Arc<Checks>,
    /// Who may ask: jobs count against the limits of their owners.
    keys: Keys,
    running: Mutex<HashMap<String, AbortHandle>>,
    draining: watch::Receiver<bool>,
}

impl Jobs {
    /// Runs jobs of `store` until `draining` says true.
    pub fn new(store: Store, checks: Arc<Checks>, keys: Keys, draining: watch::Receiver<bool>) -> Arc<Jobs> {
        Arc::new(Jobs { store, checks, keys, running: Mutex::default(), draining })
    }

    /// Goes on with the jobs that an earlier server left. The future that it returns forgets those that
    /// ended longer ago than `age`, now and from time to time.
    pub async fn resume(self: &Arc<Self>, age: Duration) -> Result<impl Future<Output = ()> + use<>> {
        let open = self.store.open_jobs().await?;
        if !open.is_empty() {
            tracing::info!(jobs = open.len(), "resuming jobs");
        }
        for job in open {
            self.start(job);
        }
        let store = self.store.clone();
        Ok(async move {
            loop {
                if let Err(e) = store.forget_jobs(age).await {
                    tracing::warn!("old jobs cannot be removed: {e}");
                }
                tokio::time::sleep(CLEANING).await;
            }
        })
    }

    /// Begins to check the snippets of an open job, unless it is being done already.
    fn start(self: &Arc<Self>, job: Job) {
        let mut running = self.running();
        if running.contains_key(&job.id) {
            return;
        }
        let (jobs, id) = (self.clone(), job.id.clone());
        let task = tokio::spawn(async move {
            let id = job.id.clone();
            // A disk that is full may have room later.
            while let Err(e) = jobs.run(&job).await {
                tracing::error!(job = id, "a job rests for {} s: {e}", REST.as_secs());
                let mut draining = jobs.draining.clone();
                let drained = draining.wait_for(|draining| *draining);
                if tokio::time::timeout(REST, drained).await.is_ok() {
                    break;
                }
            }
            jobs.running().remove(&id);
        });
        // The task removes itself under the same lock, so it cannot have been here before this.
        running.insert(id, task.abort_handle());
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, job: &Job) -> Result<()> {
        let caller = self.keys.named(&job.owner);
        let Ok(_turn) = caller.job_turns.acquire().await else { return Ok(()) };
        let parameters: Parameters = serde_json::from_str(&job.options).map_err(|e| {
            crate::Error::new(
                crate::Code::Parse,
                format!("the options of job {} are unreadable: {e}", job.id),
            )
        })?;
        let parameters = Arc::new(parameters);
        let window = self.checks.window();
        let (mut waiting, mut next, mut all_read) = (VecDeque::new(), 0, false);
        let mut running: JoinSet<Result<()>> = JoinSet::new();
        loop {
            let draining = *self.draining.borrow();
            while !draining && running.len() < window {
                if waiting.is_empty() && !all_read {
                    let portion = self.store.unanswered(job.id.clone(), next, PORTION).await?;
                    all_read = portion.is_empty();
                    next = portion.last().map_or(next, |s| s.position + 1);
                    waiting.extend(portion);
                }
                let Some(snippet) = waiting.pop_front() else { break };
                let (checks, caller, parameters) = (self.checks.clone(), caller.clone(), parameters.clone());
                let (store, id) = (self.store.clone(), job.id.clone());
                let draining = self.draining.clone();
                running.spawn(async move {
                    let position = snippet.position;
                    let snippet = Snippet { id: snippet.id, code: snippet.code };
                    let answer = answer(&checks, &caller, snippet, &parameters, position, &draining);
                    let Some((verdict, result)) = answer.await else { return Ok(()) };
                    store.answer(id, position, verdict.into(), result).await
                });
            }
            match running.join_next().await {
                Some(done) => done.unwrap_or(Ok(()))?,
                None if draining || *self.draining.borrow() => return Ok(()),
                None => break,
            }
        }
        self.store.end_job(job.id.clone(), JobState::Done).await
    }

    /// Cancels an open job; the snippets under way are given up.
    async fn cancel(&self, id: &str) -> Result<()> {
        self.store.end_job(id.into(), JobState::Cancelled).await?;
        if let Some(task) = self.running().remove(id) {
            task.abort();
        }
        Ok(())
    }

    /// Waits until nothing is under way any more.
    pub async fn finished(&self) {
        while !self.running().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The verdict and the JSON of a snippet; tried until there is room for it. None when the server ends first.
async fn answer(
    checks: &Checks,
    caller: &Caller,
    snippet: Snippet,
    parameters: &Parameters,
    position: i64,
    draining: &watch::Receiver<bool>,
) -> Option<(&'static str, String)> {
    loop {
        let checked = checks.check(caller, snippet.clone(), parameters).await;
        if matches!(checked.outcome.result, Err(Failure::Cancelled)) {
            return None;
        }
        let Some(seconds) = checked.retry_after else {
            return Some((checked.verdict(), render(&checked, parameters, usize::try_from(position).ok())));
        };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if *draining.borrow() {
            return None;
        }
    }
}

/// The JSON of a job.
fn describe(job: &Job, verdicts: &[(String, i64)]) -> Value {
    let done: i64 = verdicts.iter().map(|v| v.1).sum();
    let verdicts: serde_json::Map<String, Value> =
        verdicts.iter().map(|(verdict, n)| (verdict.clone(), (*n).into())).collect();
    let seconds = |ms: i64| ms as f64 / 1e3;
    let mut value = json!({
        "id": job.id, "state": job.state.name(), "total": job.total, "done": done, "verdicts": verdicts,
        "created": seconds(job.created), "results": format!("/api/jobs/{}/results", job.id),
    });
    if let Some(finished) = job.finished {
        value["finished"] = seconds(finished).into();
    }
    value
}

fn not_found(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no job {}", id.escape_debug()))
}

/// `POST /api/jobs`: the body of `/api/check`; 202 once the job is on disk. With the header
/// `Idempotency-Key`, sending it again gives the same job, and sending another with it is a conflict.
pub async fn submit(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> std::result::Result<Response, Refusal> {
    let once =
        request.headers().get("idempotency-key").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let body = server.body(request).await?;
    let CheckRequest { snippets, parameters } =
        CheckRequest::parse(&body, Imports::AsWritten, server.config.longest_timeout)
            .map_err(Refusal::invalid)?;
    drop(body);
    let options = serde_json::to_string(&parameters).unwrap_or_default();
    let snippets = snippets.into_iter().map(|s| (s.id, s.code)).collect();
    let job = server.store.add_job(caller.name.clone(), once, options, snippets).await?.ok_or_else(|| {
        let message =
            "this Idempotency-Key belongs to a job with other snippets or options; send another key";
        Refusal::new(StatusCode::CONFLICT, message)
    })?;
    if job.state == JobState::Open {
        server.jobs.start(job.clone());
    }
    let location = [(header::LOCATION, format!("/api/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Json(describe(&job, &[]))).into_response())
}

/// `GET /api/jobs`: the caller's newest jobs.
pub async fn list(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
) -> std::result::Result<Response, Refusal> {
    let jobs = server.store.jobs(caller.name.clone(), 100).await?;
    let mut described = Vec::new();
    for job in jobs {
        let (owner, id) = (job.owner.clone(), job.id.clone());
        if let Some((job, verdicts)) = server.store.job(owner, id).await? {
            described.push(describe(&job, &verdicts));
        }
    }
    Ok(Json(json!({"jobs": described})).into_response())
}

/// `GET /api/jobs/{id}`.
pub async fn poll(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(id): Path<String>,
) -> std::result::Result<Response, Refusal> {
    let found = server.store.job(caller.name.clone(), id.clone()).await?;
    let (job, verdicts) = found.ok_or_else(|| not_found(&id))?;
    Ok(Json(describe(&job, &verdicts)).into_response())
}

/// `DELETE /api/jobs/{id}`: cancels what is not done yet. The results so far stay.
pub async fn cancel(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(id): Path<String>,
) -> std::result::Result<Response, Refusal> {
    let found = server.store.job(caller.name.clone(), id.clone()).await?;
    found.ok_or_else(|| not_found(&id))?;
    server.jobs.cancel(&id).await?;
    poll(State(server), Extension(caller), Path(id)).await
}

/// Where to begin with the results.
#[derive(Deserialize)]
pub struct From {
    from: Option<u32>,
    limit: Option<u32>,
}

/// `GET /api/jobs/{id}/results?from=N&limit=M`: the results so far, from the snippet with index N on. As
/// NDJSON, all of them, when asked for.
pub async fn results(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(id): Path<String>,
    Query(From { from, limit }): Query<From>,
    headers: HeaderMap,
) -> std::result::Result<Response, Refusal> {
    let found = server.store.job(caller.name.clone(), id.clone()).await?;
    let (job, _) = found.ok_or_else(|| not_found(&id))?;
    let from = i64::from(from.unwrap_or(0));
    let ndjson = |v: &header::HeaderValue| v.to_str().is_ok_and(|v| v.contains(NDJSON));
    if !headers.get_all(header::ACCEPT).iter().any(ndjson) {
        let limit = i64::from(limit.unwrap_or(1000).clamp(1, 10_000));
        let rows = server.store.results(id, from, limit).await?;
        let next = (rows.len() as i64 == limit).then(|| rows.last().map(|r| r.0 + 1)).flatten();
        let results: Vec<String> = rows.into_iter().map(|r| r.1).collect();
        let mut body = format!("{{\"state\":\"{}\",\"results\":[{}]", job.state.name(), results.join(","));
        if let Some(next) = next {
            body.push_str(&format!(",\"next\":{next}"));
        }
        body.push('}');
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let portions = futures_util::stream::unfold(Some((server.store.clone(), id, from)), |state| async {
        let (store, id, from) = state?;
        match store.results(id.clone(), from, PORTION).await {
            Ok(rows) if rows.is_empty() => None,
            Ok(rows) => {
                let next = rows.last().map_or(from, |r| r.0 + 1);
                let text: String = rows.into_iter().flat_map(|r| [r.1, "\n".into()]).collect();
                Some((Ok(Bytes::from(text)), Some((store, id, next))))
            }
            // The connection breaks off, so that nobody takes the part for the whole.
            Err(e) => Some((Err(e), None)),
        }
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(portions)).into_response())
}
