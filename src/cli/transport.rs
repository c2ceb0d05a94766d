//! `lean-oracle broker`, `worker`, `call` and `keygen`: the transport from a shell.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lean_oracle::oracle;
use lean_oracle::transport::broker::{Broker, BrokerConfig, STATUS, serve_metrics};
use lean_oracle::transport::client::{CallError, CallOptions, Client, ClientConfig};
use lean_oracle::transport::curve::{Keys, key_files, read_allowed};
use lean_oracle::transport::format::{Format, Thresholds};
use lean_oracle::transport::hub::{ClientSecurity, HubLimits, ServerSecurity};
use lean_oracle::transport::message::Body;
use lean_oracle::transport::net::Endpoint;
use lean_oracle::transport::server::Rate;
use lean_oracle::transport::worker::{Functions, Place, Worker, WorkerConfig};
use lean_oracle::transport::zmtp::Limits;
use lean_oracle::{Code, Error, Result};

#[derive(Args)]
struct Own {
    /// Our secret key: a file of `lean-oracle keygen`. Else LEAN_ORACLE_SECRET_KEY, if it is set.
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    /// Do without CURVE on other addresses than loopback.
    #[arg(long)]
    plaintext: bool,
}

impl Own {
    /// For those who listen: CURVE as soon as there is a key.
    fn server(&self, allow: Option<&Path>) -> Result<ServerSecurity> {
        match (Keys::given(self.key.as_deref())?, allow) {
            (Some(keys), allow) => {
                Ok(ServerSecurity::Curve { keys, allowed: allow.map(read_allowed).transpose()? })
            }
            (None, None) => Ok(ServerSecurity::Plain { anywhere: self.plaintext }),
            (None, Some(_)) => {
                Err(Error::new(Code::BadRequest, "a list of clients needs a key of our own: --key"))
            }
        }
    }

    /// For those who connect: CURVE as soon as the server's key is known, with a key made for the occasion
    /// if there is none.
    fn client(&self, server: Option<&str>) -> Result<ClientSecurity> {
        ClientSecurity::choose(self.key.as_deref(), server, self.plaintext)
    }
}

#[derive(Args)]
pub struct BrokerArgs {
    /// Where clients connect.
    #[arg(long, default_value = "tcp://127.0.0.1:5555")]
    frontend: Vec<String>,
    /// Where workers connect.
    #[arg(long, default_value = "tcp://127.0.0.1:5556")]
    backend: Vec<String>,
    #[command(flatten)]
    own: Own,
    /// Only these clients: a file of public keys, one a line, or a directory of *.key files.
    #[arg(long, value_name = "PATH")]
    allow: Option<PathBuf>,
    /// Only these workers.
    #[arg(long, value_name = "PATH")]
    allow_workers: Option<PathBuf>,
    /// Serve metrics for Prometheus at http://ADDRESS/metrics.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    /// Milliseconds between heartbeats.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    heartbeat_ms: u64,
    /// Requests that may wait.
    #[arg(long, default_value_t = 10_000)]
    queue: usize,
    /// Requests a second that each client may make.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Megabytes of one message.
    #[arg(long, default_value_t = 256)]
    max_message_mb: usize,
    /// Print what the broker at --frontend has done, as JSON, and stop.
    #[arg(long)]
    status: bool,
    /// With --status: the public key of the broker, or a file that has it.
    #[arg(long, value_name = "KEY")]
    server_key: Option<String>,
}

#[derive(Args)]
pub struct WorkerArgs {
    /// A broker's place for workers.
    #[arg(long, value_name = "ENDPOINT")]
    broker: Vec<String>,
    /// Listen for clients here, without a broker.
    #[arg(long, value_name = "ENDPOINT")]
    bind: Vec<String>,
    /// Requests at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    #[command(flatten)]
    own: Own,
    /// The public key of the broker, or a file that has it. Else LEAN_ORACLE_SERVER_KEY, if it is set.
    #[arg(long, value_name = "KEY")]
    server_key: Option<String>,
    /// With --bind, only these clients.
    #[arg(long, value_name = "PATH")]
    allow: Option<PathBuf>,
    /// Milliseconds between heartbeats.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    heartbeat_ms: u64,
    /// With --bind: requests a second that each client may make.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Megabytes of one message.
    #[arg(long, default_value_t = 256)]
    max_message_mb: usize,
}

#[derive(Args)]
pub struct CallArgs {
    /// The operation: oracle, health, or one of a worker's own.
    op: String,
    /// The payload, JSON, or - for standard input.
    #[arg(default_value = "null")]
    payload: String,
    /// The broker or worker.
    #[arg(long, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,
    #[command(flatten)]
    own: Own,
    /// Its public key, or a file that has it. Else LEAN_ORACLE_SERVER_KEY, if it is set.
    #[arg(long, value_name = "KEY")]
    server_key: Option<String>,
    /// Milliseconds for each attempt.
    #[arg(long, default_value_t = 2500)]
    timeout_ms: u64,
    /// Attempts after the first.
    #[arg(long, default_value_t = 3)]
    retries: u32,
    /// From so many bytes on the payload is sent as MessagePack.
    #[arg(long, value_name = "BYTES", default_value_t = Thresholds::default().message_pack)]
    message_pack_from: usize,
    /// From so many bytes on it is sent as Protocol Buffers.
    #[arg(long, value_name = "BYTES", default_value_t = Thresholds::default().protobuf)]
    protobuf_from: usize,
    /// Send the payload as it is, in one frame, as lean-python-bridge does; op is ignored.
    #[arg(long)]
    raw: bool,
}

#[derive(Args)]
pub struct Keygen {
    /// Writes NAME.key, which is public, and NAME.key_secret.
    name: PathBuf,
}

fn endpoints(texts: &[String]) -> Result<Vec<Endpoint>> {
    texts.iter().map(|t| Endpoint::parse(t)).collect()
}

fn rate(per_second: Option<u32>) -> Option<Rate> {
    per_second.map(|n| Rate { per_second: n.into(), burst: n.into() })
}

fn limits(max_message_mb: usize) -> HubLimits {
    let received = Limits { message: max_message_mb.saturating_mul(1 << 20), ..Limits::default() };
    HubLimits { received, ..HubLimits::default() }
}

/// Tells, at once, where something listens.
fn say(what: &str, place: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{what} {place}").and_then(|()| out.flush());
}

/// Runs a broker until it is killed, or asks one how it is.
pub fn broker(a: &BrokerArgs) -> Result<String> {
    let frontend = endpoints(&a.frontend)?;
    if a.status {
        let mut config = ClientConfig::new(frontend[0].clone());
        config.security = a.own.client(a.server_key.as_deref())?;
        return text(Client::new(config)?.call(STATUS, Body::json("null"), CallOptions::default()));
    }
    if a.allow.is_some() && a.allow_workers.is_none() {
        let message =
            "anybody could be a worker and see what these clients ask: say who may, with --allow-workers";
        return Err(Error::new(Code::BadRequest, message));
    }
    let config = BrokerConfig {
        backend: endpoints(&a.backend)?,
        clients: a.own.server(a.allow.as_deref())?,
        workers: a.own.server(a.allow_workers.as_deref())?,
        heartbeat: Duration::from_millis(a.heartbeat_ms),
        queue: a.queue,
        rate: rate(a.rate),
        limits: limits(a.max_message_mb),
        ..BrokerConfig::new(frontend[0].clone(), frontend[0].clone())
    };
    let broker = Broker::new(BrokerConfig { frontend, ..config })?;
    if let Some(address) = &a.metrics {
        say("metrics", format!("http://{}/metrics", serve_metrics(address, broker.metrics())?));
    }
    broker.endpoints().0.iter().for_each(|e| say("clients", e));
    broker.endpoints().1.iter().for_each(|e| say("workers", e));
    broker.run();
    Ok(String::new())
}

/// Serves the oracle until it is killed.
pub fn worker(a: &WorkerArgs) -> Result<String> {
    let mut places = Vec::new();
    for endpoint in endpoints(&a.broker)? {
        places.push(Place::Broker(endpoint, a.own.client(a.server_key.as_deref())?));
    }
    for endpoint in endpoints(&a.bind)? {
        places.push(Place::Here(endpoint, a.own.server(a.allow.as_deref())?));
    }
    if places.is_empty() {
        return Err(Error::new(Code::BadRequest, "nobody could reach the worker: give --broker or --bind"));
    }
    let functions = Functions::new().on("oracle", |request, context| {
        // JSON is passed on as it is: the oracle reads numbers of any size in it.
        let json = match request.body.format {
            Format::Json => request.body.payload.clone(),
            _ => Format::Json.encode(&request.body.value()?)?.into(),
        };
        oracle::answer_json_until(&json, None, Some(context.cancel.clone()))
            .map(|answer| Body::json(answer.into_bytes()))
    });
    let config = WorkerConfig {
        threads: a.threads.into(),
        heartbeat: Duration::from_millis(a.heartbeat_ms),
        rate: rate(a.rate),
        limits: limits(a.max_message_mb),
        ..WorkerConfig::new(places)
    };
    let worker = Worker::new(config, functions)?;
    worker.endpoints().iter().for_each(|e| say("clients", e));
    worker.run();
    Ok(String::new())
}

/// Asks one question.
pub fn call(a: &CallArgs) -> Result<String> {
    let payload = match a.payload.as_str() {
        "-" => crate::read(Path::new("-"))?,
        text => text.as_bytes().to_vec(),
    };
    let mut config = ClientConfig::new(Endpoint::parse(&a.endpoint)?);
    config.security = a.own.client(a.server_key.as_deref())?;
    config.timeout = Duration::from_millis(a.timeout_ms);
    config.retries = a.retries;
    let client = Client::new(config)?;
    if a.raw {
        let answer = client.call_raw(vec![payload.into()], CallOptions::default()).map_err(|e| error(&e))?;
        return Ok(answer.iter().map(|f| String::from_utf8_lossy(f)).collect::<Vec<_>>().join("\n"));
    }
    let thresholds = Thresholds { message_pack: a.message_pack_from, protobuf: a.protobuf_from };
    let body = Body::of_json(payload, &thresholds)?;
    text(client.call(&a.op, body, CallOptions::default()))
}

/// An answer as indented JSON.
fn text(outcome: std::result::Result<Body, CallError>) -> Result<String> {
    let body = outcome.map_err(|e| error(&e))?;
    let json = match body.format {
        Format::Json => String::from_utf8_lossy(&body.payload).into_owned(),
        format => String::from_utf8_lossy(&Format::Json.encode(&format.decode(&body.payload)?)?).into_owned(),
    };
    Ok(crate::pretty(&json))
}

fn error(e: &CallError) -> Error {
    match e {
        CallError::Server(r) => Error::new(e.code(), r.message.clone()),
        _ => Error::new(e.code(), e.to_string()),
    }
}

/// Makes a pair of keys. Files that are there are left alone.
pub fn keygen(k: &Keygen) -> Result<String> {
    let keys = Keys::generate();
    let (public, secret) = key_files(&keys);
    let named = |ending: &str| {
        let mut name = k.name.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    write_new(&named(".key_secret"), &secret, 0o600)?;
    write_new(&named(".key"), &public, 0o644)?;
    Ok(format!("{}\n{} is secret", keys.public, named(".key_secret").display()))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(|e| {
        Error::new(Code::BadRequest, format!("{} cannot be written: {e}", path.display())).at("name")
    })
}
