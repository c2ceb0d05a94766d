//! What people look at: the status page, its data, metrics, readiness and the description of the interface.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Server;

/// The interface in OpenAPI 3.1; tests/serve.rs holds the server against it.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Pages may load and run nothing but what is in them, and nobody may put them into a frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

fn page(html: &'static str) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}

/// `GET /status`: a page that shows [`data`], and needs nothing else.
pub async fn show() -> Response {
    page(include_str!("status.html"))
}

/// `GET /docs` and `GET /redoc`: a page that shows the description of the interface.
pub async fn docs() -> Response {
    page(include_str!("docs.html"))
}

/// `GET /api/openapi.json`.
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Which part of the history to send.
#[derive(Deserialize)]
pub struct Since {
    since: Option<u64>,
}

/// `GET /api/status?since=SECOND`: numbers and texts for the status page.
pub async fn data(State(server): State<Arc<Server>>, Query(Since { since }): Query<Since>) -> Response {
    let (pool, cache) = (server.executor.status(), server.store.cache_size());
    let metrics = &server.metrics;
    let health = server.health.state();
    let failures = pool.last_failures.iter().rev().map(|f| {
        let time = f.time.duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        json!({"time": time, "id": f.id, "reason": f.reason})
    });
    let failures: Vec<_> = failures.collect();
    let mut pool = serde_json::to_value(&pool).unwrap_or_default();
    pool["last_failures"] = failures.into();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "lean_version": server.config.lean_version,
        "uptime": metrics.uptime(),
        "healthy": health.is_ok(),
        "health": health.err(),
        "draining": server.is_draining(),
        "pool": pool,
        "cache": {
            "bytes": cache.bytes, "limit": cache.limit, "evictions": cache.evictions,
            "hits": metrics.cache_hits.get(), "misses": metrics.cache_misses.get(),
        },
        "verdicts": metrics.verdicts(),
        "requests_open": metrics.requests_open.get(),
        "snippets_open": metrics.snippets_open.get(),
        "latency": {"p50": metrics.latency(0.5), "p99": metrics.latency(0.99)},
        "history": metrics.history(since.unwrap_or(0)),
    }))
    .into_response()
}

/// `GET /metrics`, for Prometheus.
pub async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let text = server.metrics.prometheus(&server.executor.status(), server.store.cache_size());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `GET /ready`: whether new work would be done now. Not while warm headers are loaded, nor while the
/// server is closing.
pub async fn ready(State(server): State<Arc<Server>>) -> Response {
    let reason = match server.is_draining() {
        true => Err("the server is closing".to_string()),
        false => match tokio::time::timeout(std::time::Duration::from_secs(1), server.executor.ready()).await
        {
            Ok(ready) => ready,
            Err(_) => Err("headers are being loaded".into()),
        },
    };
    let reason = match reason {
        Ok(()) => server.store.ready().await.map_err(|e| e.to_string()),
        Err(reason) => Err(reason),
    };
    match reason {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(detail) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "detail": detail})))
                .into_response()
        }
    }
}
