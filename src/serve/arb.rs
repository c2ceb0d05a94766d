//! `POST /api/arb`: the oracle's questions, as [`oracle::answer_json`](crate::oracle::answer_json) takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Refusal, Server};
use crate::oracle::{answer_json_until, error_json};
use crate::{Code, Error, guarded};

/// Stops the work when the client is gone.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers one request (or a batch), within the server's limits on time and on requests at once.
pub async fn arb(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let body = server.body(request).await?;
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let limit = server.config.arb_limit;
    let work = async {
        let Ok(turn) = server.arb_turns.clone().acquire_owned().await else {
            return Err(Error::new(Code::Cancelled, "the server is closing"));
        };
        let cancel = stop.0.clone();
        let answer = tokio::task::spawn_blocking(move || {
            // Held until the work has ended, also when nobody waits for it any more.
            let _turn = turn;
            guarded(|| answer_json_until(&body, None, Some(cancel)))
        });
        answer.await.unwrap_or_else(|e| Err(Error::new(Code::Internal, e.to_string())))
    };
    let answer = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let message = format!("not answered within {} s, the server's limit", limit.as_secs_f64());
        Err(Error::new(Code::Timeout, message))
    });
    let (status, text) = match answer {
        Ok(text) => (StatusCode::OK, text),
        Err(e) => (status(e.code), error_json(&e)),
    };
    Ok((status, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The status that goes with an error. The body says it precisely.
fn status(code: Code) -> StatusCode {
    match code {
        Code::Parse => StatusCode::BAD_REQUEST,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Busy | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
