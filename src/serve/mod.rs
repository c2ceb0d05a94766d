//! The verification server: snippets of Lean code over HTTP, with the interface of Kimina Lean Server and more.
//!
//! [`Server::start`] puts a server around an [`Executor`] (a [`Pool`](crate::repl::Pool) in this process, or
//! anything else that checks snippets). The interface is described in docs/serve.md.

mod arb;
pub mod auth;
mod axle;
mod checks;
pub mod executor;
mod fields;
mod health;
mod jobs;
mod kimina;
mod metrics;
pub mod queue;
pub mod remote;
mod status;
mod store;
pub mod verify;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

pub use auth::{CallerLimits, Keys};
pub use executor::{Executor, Pending, engine_digest};
pub use health::Thresholds;

use crate::{Code, Error, Result};

/// How long the head of a request may take to arrive, and a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long the body of a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);

/// How long a client may take nothing of an answer before its connection, and with it its work, is given up.
#[cfg(target_os = "linux")]
const STALLED: Duration = Duration::from_secs(120);

/// How a server works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 is any free one.
    pub address: SocketAddr,
    /// Who may ask.
    pub keys: Keys,
    /// The directory of jobs and cached answers; it is made if it is not there.
    pub data: PathBuf,
    /// Bytes of answers to keep; 0 for none.
    pub cache_bytes: u64,
    /// What cached answers depend on beside the snippet, see [`engine_digest`]; none: nothing is cached.
    pub toolchain: Option<String>,
    /// The name of the Lean version, for people.
    pub lean_version: Option<String>,
    /// Bytes of one body.
    pub max_body: usize,
    /// Requests that are read and answered at once; the next ones wait.
    pub max_requests: usize,
    /// How long a snippet waits for a process.
    pub max_wait: Duration,
    /// The longest `timeout` that may be asked for, in seconds.
    pub longest_timeout: Option<u64>,
    /// How long accepted work may go on after the server was told to end.
    pub drain: Duration,
    /// How long jobs are kept after they ended.
    pub job_age: Duration,
    /// The time that one question to the oracle may take.
    pub arb_limit: Duration,
    /// When to call the server unhealthy.
    pub thresholds: Thresholds,
    /// The Lake project whose compiler and modules the tools on whole files use; none: the compiler that
    /// [`Lean::discover`](crate::merge::Lean::discover) finds.
    pub project: Option<PathBuf>,
}

impl Config {
    /// Loopback, port 8000, no keys, with the data in `data`.
    pub fn new(data: PathBuf) -> Config {
        Config {
            address: ([127, 0, 0, 1], 8000).into(),
            keys: Keys::open(CallerLimits::default()),
            data,
            cache_bytes: 1 << 30,
            toolchain: None,
            lean_version: None,
            max_body: 64 << 20,
            max_requests: 1024,
            max_wait: Duration::from_secs(60),
            longest_timeout: None,
            drain: Duration::from_secs(30),
            job_age: Duration::from_secs(7 * 24 * 3600),
            arb_limit: Duration::from_secs(60),
            thresholds: Thresholds::default(),
            project: None,
        }
    }
}

/// A server that listens.
pub struct Server {
    config: Config,
    executor: Arc<dyn Executor>,
    checks: Arc<checks::Checks>,
    store: store::Store,
    jobs: Arc<jobs::Jobs>,
    metrics: Arc<metrics::Metrics>,
    health: Arc<health::Health>,
    requests: Arc<Semaphore>,
    arb_turns: Arc<Semaphore>,
    axle: axle::Axle,
    draining: watch::Sender<bool>,
}

/// A server with its socket, to be [run](Listening::run).
pub struct Listening {
    server: Arc<Server>,
    listener: TcpListener,
    router: Router,
    /// What goes on beside, until this is dropped.
    background: JoinSet<()>,
}

impl Server {
    /// Opens the data and the socket, on the runtime of the caller, and goes on with accepted jobs.
    ///
    /// The routes of `more` are served too, behind the same keys and limits as those that check snippets;
    /// they find their [`auth::Caller`] as an extension of the request.
    ///
    /// # Errors
    /// `bad_request` when the data or the address cannot be used.
    pub async fn start(config: Config, executor: Arc<dyn Executor>, more: Router) -> Result<Listening> {
        let store = store::Store::open(&config.data, config.cache_bytes)?;
        let listener = TcpListener::bind(config.address).await.map_err(|e| {
            Error::new(Code::BadRequest, format!("{} cannot be listened at: {e}", config.address))
        })?;
        let metrics = Arc::new(metrics::Metrics::default());
        let checks = Arc::new(checks::Checks::new(
            executor.clone(),
            store.clone(),
            metrics.clone(),
            config.toolchain.clone(),
            config.max_wait,
        ));
        let (draining, drained) = watch::channel(false);
        let jobs = jobs::Jobs::new(store.clone(), checks.clone(), config.keys.clone(), drained);
        let mut background = JoinSet::new();
        background.spawn(jobs.resume(config.job_age).await?);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let server = Arc::new(Server {
            executor,
            checks,
            store,
            jobs,
            metrics,
            health: Arc::default(),
            requests: Arc::new(Semaphore::new(config.max_requests.clamp(1, Semaphore::MAX_PERMITS))),
            arb_turns: Arc::new(Semaphore::new(processors)),
            axle: axle::Axle::new(processors),
            draining,
            config,
        });
        background.spawn(server.health.clone().watch(server.executor.clone(), server.config.thresholds));
        let watched = server.clone();
        background.spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            for seconds in 0u64.. {
                second.tick().await;
                let status = watched.executor.status();
                watched.metrics.sample(&status);
                watched.checks.adjust(&status);
                if seconds % 10 == 0 {
                    give_memory_back();
                }
            }
        });
        let router = router(&server, more);
        Ok(Listening { server, listener, router, background })
    }

    /// Whether the server was told to end.
    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Reads the body of a request, which must be JSON by its type: a web page of somebody else can make
    /// a browser send anything but that.
    async fn body(&self, request: Request) -> std::result::Result<Bytes, Refusal> {
        if !is_json(&request) {
            let message = "The body must be JSON: send the header `Content-Type: application/json`";
            return Err(Refusal::invalid(vec![fields::problem(
                "content_type",
                &["header".into(), "content-type".into()],
                message,
                &Value::Null,
            )]));
        }
        self.bytes(request).await
    }

    /// Reads the body of a request, whatever its type, within the limits on its size and its time.
    async fn bytes(&self, request: Request) -> std::result::Result<Bytes, Refusal> {
        let limit = self.config.max_body;
        let too_large = || {
            let message =
                format!("the body is larger than {limit} bytes; send it in parts, or as several jobs");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        let announced =
            request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        if announced.is_some_and(|n: u64| n > limit as u64) {
            return Err(too_large());
        }
        let body = axum::body::to_bytes(request.into_body(), limit);
        match tokio::time::timeout(BODY_TIME, body).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(e)) => {
                let mut cause: Option<&dyn std::error::Error> = Some(&e);
                while let Some(inner) = cause {
                    if inner.to_string().contains("length limit exceeded") {
                        return Err(too_large());
                    }
                    cause = inner.source();
                }
                Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {e}")))
            }
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
        }
    }
}

/// Whether the body of a request is JSON by its `Content-Type`.
fn is_json(request: &Request) -> bool {
    request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        let kind = v.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

impl Listening {
    /// Where the server listens.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.listener.local_addr();
        address.map_err(|e| Error::new(Code::Internal, format!("the socket has no address: {e}")))
    }

    /// Answers requests until `end` is over; then takes nothing new, finishes what was accepted within
    /// [`Config::drain`], puts back what is left of jobs, and returns.
    pub async fn run(self, end: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let Listening { server, listener, router, background: _background } = self;
        let limit = server.config.drain;
        let drained = server.draining.subscribe();
        let closing = server.clone();
        let ending = tokio::spawn(async move {
            end.await;
            tracing::info!("closing: finishing what was accepted");
            closing.draining.send_replace(true);
        });
        let mut serving = tokio::spawn(connections(listener, router, drained));
        tokio::pin!(ending);
        // Serving does not end by itself.
        let _ = (&mut ending).await;
        let begun = Instant::now();
        let finished = async {
            let _ = (&mut serving).await;
            server.jobs.finished().await;
        };
        if tokio::time::timeout(limit, finished).await.is_err() {
            // What is still waiting gets its answer, that it was cancelled.
            tracing::warn!("not everything was finished in {} s", begun.elapsed().as_secs());
            server.executor.drain(Duration::ZERO).await;
            let _ = tokio::time::timeout(Duration::from_secs(2), server.jobs.finished()).await;
            let _ = tokio::time::timeout(Duration::from_secs(2), &mut serving).await;
            serving.abort();
        }
        server.executor.drain(Duration::ZERO).await;
        Ok(())
    }
}

/// Takes connections until `drained` says true, then waits until all have ended.
async fn connections(listener: TcpListener, router: Router, mut drained: watch::Receiver<bool>) {
    let mut open = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = told(&mut drained) => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Too many open files, for example: later there may be fewer.
                    tracing::warn!("no connection can be taken: {e}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
        };
        // Each line of a stream goes out at once.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, STALLED.as_millis() as u32);
        open.spawn(connection(stream, router.clone(), drained.clone()));
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Waits until the server is told to end.
async fn told(drained: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server.
    let _ = drained.wait_for(|ending| *ending).await;
}

/// Answers the requests of one connection.
async fn connection(stream: TcpStream, router: Router, mut drained: watch::Receiver<bool>) {
    let (asked, router) = (AtomicBool::new(false), TowerToHyperService::new(router));
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        // Clients may go away as they like.
        _ = served.as_mut() => true,
        () = told(&mut drained) => false,
    };
    // A connection without a request has nothing to wait for.
    if !ended && asked.load(Ordering::Relaxed) {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}

/// Gives memory that is free back to the system. glibc keeps what is below something that is still used: after
/// one large request that could be most of it.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// All routes.
fn router(server: &Arc<Server>, more: Router) -> Router {
    let protected = Router::new()
        .route("/api/check", post(kimina::check))
        .route("/api/check/", post(kimina::check))
        .route("/verify", post(kimina::verify))
        .route("/one_pass_verify_batch", post(kimina::verify))
        .route("/api/jobs", post(jobs::submit).get(jobs::list))
        .route("/api/jobs/{id}", get(jobs::poll).delete(jobs::cancel))
        .route("/api/jobs/{id}/results", get(jobs::results))
        .route("/api/arb", post(arb::arb))
        .route("/api/status", get(status::data))
        .merge(axle::routes())
        .with_state(server.clone())
        .merge(more)
        .route_layer(middleware::from_fn_with_state(server.clone(), let_in));
    Router::new()
        .route("/", get(kimina::health))
        .route("/health", get(kimina::health))
        .route("/health/", get(kimina::health))
        .route("/ready", get(status::ready))
        .route("/v1/status", get(axle::status))
        .route("/metrics", get(status::metrics))
        .route("/status", get(status::show))
        .route("/docs", get(status::docs))
        .route("/redoc", get(status::docs))
        .route("/api/openapi.json", get(status::openapi))
        .with_state(server.clone())
        .merge(protected)
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "Not Found") })
        .layer(middleware::from_fn_with_state(server.clone(), accompany))
}

/// The name of who asked, for the log.
#[derive(Clone)]
struct Name(String);

/// One of the requests that are answered at once, until it is dropped: with the request, or with an answer
/// that comes in parts.
#[derive(Clone)]
struct Turn(#[expect(dead_code, reason = "held, not read")] Option<Arc<OwnedSemaphorePermit>>);

/// Lets in who has a key, as many at once as configured; nobody with new work while the server is closing.
async fn let_in(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).map(|v| v.to_str().unwrap_or("?"));
    let caller = match server.config.keys.caller(authorization) {
        Ok(caller) => caller,
        Err(reason) => {
            let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
            return (scheme, Refusal::new(StatusCode::UNAUTHORIZED, reason)).into_response();
        }
    };
    if server.is_draining() && request.method() == Method::POST {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is closing; ask again").retry(5);
    }
    let name = Name(caller.name.clone());
    request.extensions_mut().insert(caller);
    // Looking does not wait for work.
    if request.method() == Method::POST {
        let turn = Turn(server.requests.clone().acquire_owned().await.ok().map(Arc::new));
        request.extensions_mut().insert(turn);
    }
    let mut response = next.run(request).await;
    response.extensions_mut().insert(name);
    response
}

/// A request that is being answered, for the metrics.
struct Open<'a>(&'a metrics::Metrics);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.requests_open.sub(1);
    }
}

/// What every request gets: an identifier, a line in the log, a place in the metrics.
async fn accompany(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    server.metrics.requests_open.add(1);
    let _open = Open(&server.metrics);
    let given = request.headers().get("x-request-id").and_then(|v| v.to_str().ok());
    let fits = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
    };
    let id = given.filter(fits).map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_string);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other".into(), |p| p.as_str().to_string());
    let refused = foreign_host(&server, &request);
    let mut response = match refused {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let status = response.status().as_u16();
    server.metrics.request(&route, status);
    let caller = response.extensions().get::<Name>().map_or("-", |n| &n.0);
    let ms = begun.elapsed().as_micros() as f64 / 1e3;
    match route.as_str() {
        // Asked for all the time.
        "/" | "/health" | "/health/" | "/ready" | "/metrics" | "/api/status" => {
            tracing::debug!(id, %method, route, status, ms, caller, "request")
        }
        _ => tracing::info!(id, %method, route, status, ms, caller, "request"),
    }
    response
}

/// A server on loopback without keys is for this machine's own programs. A web page elsewhere could still
/// reach it through a browser here, under a name of its own that it points to this machine; so names that
/// are not this machine's are refused.
fn foreign_host(server: &Server, request: &Request) -> Option<Refusal> {
    if !server.config.keys.is_open() || !server.config.address.ip().is_loopback() {
        return None;
    }
    let host = request.headers().get(header::HOST)?.to_str().unwrap_or("?");
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let message = format!(
        "this server is only for this machine, not for {}; set an API key to use it by other names",
        name.escape_debug()
    );
    Some(Refusal::new(StatusCode::FORBIDDEN, message))
}

/// A request that is not answered: `{"detail": …}`, as FastAPI says it.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    detail: Value,
}

impl Refusal {
    /// A refusal with a text.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { status, detail: Value::String(detail.into()) }
    }

    /// 422, with what is wrong.
    fn invalid(problems: Vec<Value>) -> Refusal {
        Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, detail: Value::Array(problems) }
    }

    /// With a `Retry-After` of so many seconds.
    fn retry(self, seconds: u64) -> Response {
        ([(header::RETRY_AFTER, seconds.to_string())], self).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(json!({"detail": self.detail}))).into_response()
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Refusal {
        tracing::error!("{e}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
    }
}

/// Hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
