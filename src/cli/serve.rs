//! `lean-oracle serve`: the verification server from a shell.
//!
//! Each flag is also a variable of the environment and of a file `.env`: `--max-repls` is
//! `LEAN_SERVER_MAX_REPLS` or `LEANSERVER_MAX_REPLS`. Flags win over the environment, that over the file.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use lean_oracle::repl::{EngineConfig, Pool, PoolConfig, detect_engine};
use lean_oracle::serve::queue::Queue;
use lean_oracle::serve::{CallerLimits, Config, Keys, Listening, Server, Thresholds, auth, engine_digest};
use lean_oracle::{Code, Error, Result};
use tracing_subscriber::filter::LevelFilter;

use crate::pool::{ended, runtime};

const PREFIXES: [&str; 2] = ["LEAN_SERVER_", "LEANSERVER_"];

#[derive(Args)]
pub struct ServeArgs {
    /// The address to listen at. Others than 127.0.0.1 should have an API key: whoever can reach the
    /// server runs programs on this machine.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port; 0 for any free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The REPL. Without it the server takes what there is: a REPL in the project, or `lean` itself.
    #[arg(long, value_name = "FILE")]
    repl_path: Option<PathBuf>,
    /// The project whose modules snippets import.
    #[arg(long, alias = "workspace", value_name = "DIR", default_value = ".")]
    project_dir: PathBuf,
    /// Processes at most. [default: one less than there are processors]
    #[arg(long, value_name = "N")]
    max_repls: Option<Processes>,
    /// Snippets after which a process is replaced; -1 for never.
    #[arg(long, value_name = "N", default_value = "-1", allow_hyphen_values = true, value_parser = crate::integer)]
    max_repl_uses: i64,
    /// Memory that one process may have resident: 12G, 512M.
    #[arg(long, value_name = "SIZE", default_value = "12G", value_parser = |text: &str| size(text, 30))]
    max_repl_mem: u64,
    /// Address space that one process may have (it counts mapped files, so be generous).
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| size(text, 30))]
    address_space_limit: Option<u64>,
    /// A process with more resident gigabytes than this is replaced after its snippet.
    #[arg(long, value_name = "GB")]
    repl_memory_limit_gb: Option<f64>,
    /// End a process above --repl-memory-limit-gb at once.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false", value_parser = clap::builder::BoolishValueParser::new())]
    hard_enforce_memory_limit: bool,
    /// Seconds that a snippet waits for a process.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    max_wait: u64,
    /// Headers to load at the start, as JSON: {"import Mathlib": 2}.
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = init_repls)]
    init_repls: InitRepls,
    /// An API key that everybody must send. Better: --api-keys.
    #[arg(long, value_name = "KEY", hide_default_value = true)]
    api_key: Option<String>,
    /// A file of API keys: lines of NAME HASH [concurrency=N] [rate=N], each HASH from --hash-key.
    #[arg(long, value_name = "FILE")]
    api_keys: Option<PathBuf>,
    /// Print the hash of the API key on standard input, or, at a terminal, a new key and its hash.
    #[arg(long)]
    hash_key: bool,
    /// Where jobs and cached answers are kept. [default: lean-oracle/serve in the user's state directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Cached answers that are kept; 0 for none.
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = |text: &str| size(text, 0))]
    cache_size: u64,
    /// The largest body of a request.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = |text: &str| size(text, 0))]
    max_body: u64,
    /// Requests that are read and answered at once; the next ones wait.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_concurrent_requests: usize,
    /// The longest timeout that a request may ask for, in seconds.
    #[arg(long, value_name = "SECONDS")]
    max_timeout: Option<u64>,
    /// Seconds that accepted work may go on after SIGTERM.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Days that jobs are kept after they ended.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    job_days: u64,
    /// Seconds that one question to the oracle may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    arb_timeout: u64,
    /// Percent of the processors in use above which /health says 503.
    #[arg(long, value_name = "PERCENT")]
    healthcheck_cpu_usage_threshold: Option<f64>,
    /// Percent of the memory in use above which /health says 503.
    #[arg(long, value_name = "PERCENT")]
    healthcheck_memory_usage_threshold: Option<f64>,
    /// How much to log.
    #[arg(long, value_enum, ignore_case = true, default_value = "INFO")]
    log_level: LogLevel,
    /// How to log. [default: json with --environment prod, else text]
    #[arg(long, value_enum, ignore_case = true)]
    log_format: Option<LogFormat>,
    /// Log to files in this directory, one a day, instead of standard error.
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// dev or prod.
    #[arg(long, value_enum, ignore_case = true, default_value = "dev")]
    environment: Environment,
    /// The name of the Lean version, shown on the status page.
    #[arg(long, value_name = "NAME")]
    lean_version: Option<String>,
    #[command(flatten)]
    queue: crate::queue::QueueArgs,
    /// Accepted for compatibility; memory is always watched.
    #[arg(long, hide = true)]
    repl_memory_check_interval: Option<f64>,
    /// Accepted for compatibility; jobs and answers are kept under --data.
    #[arg(long, hide = true, hide_default_value = true)]
    database_url: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogLevel {
    #[value(name = "TRACE")]
    Trace,
    #[value(name = "DEBUG")]
    Debug,
    #[value(name = "INFO", alias = "SUCCESS")]
    Info,
    #[value(name = "WARNING", alias = "WARN")]
    Warning,
    #[value(name = "ERROR", alias = "CRITICAL")]
    Error,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Environment {
    Dev,
    Prod,
}

/// A number of processes; empty stands for one for each processor.
#[derive(Clone, Copy)]
struct Processes(usize);

impl std::str::FromStr for Processes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.trim() {
            "" => Ok(Processes(std::thread::available_parallelism().map_or(1, usize::from))),
            n => n.parse().ok().filter(|n| *n > 0).map(Processes).ok_or("a number above 0 is needed".into()),
        }
    }
}

#[derive(Clone)]
struct InitRepls(BTreeMap<String, usize>);

fn init_repls(text: &str) -> std::result::Result<InitRepls, String> {
    serde_json::from_str(text).map(InitRepls).map_err(|e| format!("a JSON object of numbers is needed: {e}"))
}

/// Bytes: a number with K, M, G or T; without one, in units of 2^`shift`.
fn size(text: &str, shift: u32) -> std::result::Result<u64, String> {
    let text = text.trim();
    let (digits, shift) = match text.char_indices().last() {
        Some((i, unit)) if unit.is_ascii_alphabetic() => {
            let place = "KMGT".find(unit.to_ascii_uppercase()).ok_or("the unit must be K, M, G or T")?;
            (&text[..i], 10 * (place as u32 + 1))
        }
        _ => (text, shift),
    };
    let number: u64 = digits.parse().map_err(|_| "a size such as 12G or 512M is needed".to_string())?;
    number.checked_mul(1 << shift).ok_or("that is too much".into())
}

/// Gives the flags of `serve` the values of the environment and of `.env` as defaults.
pub fn with_environment(command: Command) -> Command {
    let file: BTreeMap<String, String> = match dotenvy::from_path_iter(".env") {
        Ok(lines) => lines.flatten().collect(),
        Err(_) => BTreeMap::new(),
    };
    command.mut_args(|flag| {
        let names = flag.get_long().into_iter().chain(flag.get_all_aliases().into_iter().flatten());
        let names: Vec<String> = names.map(|n| n.replace('-', "_").to_uppercase()).collect();
        let names: Vec<String> =
            names.iter().flat_map(|n| PREFIXES.map(|prefix| format!("{prefix}{n}"))).collect();
        // Set to nothing is not set, but for the one flag to which it means something.
        let set = |name: &&String, value: &String| !value.is_empty() || name.ends_with("_MAX_REPLS");
        let environment = names.iter().find_map(|n| std::env::var(n).ok().filter(|v| set(&n, v)));
        let value =
            environment.or_else(|| names.iter().find_map(|n| file.get(n).filter(|v| set(&n, v)).cloned()));
        match value {
            Some(value) if !matches!(flag.get_id().as_str(), "hash_key" | "help") => {
                flag.default_value(value)
            }
            _ => flag,
        }
    })
}

/// Runs the server until SIGTERM or SIGINT.
pub fn serve(args: &ServeArgs) -> Result<String> {
    if args.hash_key {
        return hash_key();
    }
    let _log = start_log(args)?;
    let runtime = runtime()?;
    let result = runtime.block_on(run(args));
    // What nobody waits for must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result.map(|()| "closed".into())
}

async fn run(args: &ServeArgs) -> Result<()> {
    let config = config(args)?;
    if !config.address.ip().is_loopback() && config.keys.is_open() {
        tracing::warn!("everybody who reaches {} runs programs on this machine; set --api-keys", args.host);
    }
    if args.database_url.is_some() {
        tracing::warn!("DATABASE_URL is not used: jobs and answers are kept in {}", config.data.display());
    }
    if let Some(queue) = args.queue.config() {
        // The workers' toolchain may change at any time; their results are kept in the queue, by toolchain.
        let queue = Queue::connect(queue).await?;
        let config = Config { toolchain: None, ..config };
        return listen(Server::start(config, Arc::new(queue), axum::Router::new()).await?, "queue").await;
    }
    let engine = engine(args)?;
    let described = match &engine {
        EngineConfig::Repl { argv, dir } => format!("REPL `{}` in {}", argv.join(" "), dir.display()),
        EngineConfig::Lean { argv, dir } => format!("`{}` in {}", argv.join(" "), dir.display()),
    };
    let (EngineConfig::Repl { argv, dir } | EngineConfig::Lean { argv, dir }) = &engine;
    let project = (argv.first().is_some_and(|program| program == "lake")).then(|| dir.clone());
    let digested = engine.clone();
    let digest = tokio::task::spawn_blocking(move || engine_digest(&digested)).await;
    let config = Config { toolchain: digest.ok(), project, ..config };
    let pool = Pool::start(pool_config(args, engine)).await?;
    let more = axum::Router::new();
    listen(Server::start(config, Arc::new(pool), more).await?, &described).await
}

async fn listen(listening: Listening, engine: &str) -> Result<()> {
    let address = listening.address()?;
    tracing::info!(%address, engine, "listening");
    println!("listening at http://{address}");
    listening.run(ended(1)?).await
}

fn config(args: &ServeArgs) -> Result<Config> {
    let unusable = |what: String| Error::new(Code::BadRequest, what);
    let host = args.host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse::<IpAddr>() {
        Ok(ip) => (ip, args.port).into(),
        Err(_) => {
            (host, args.port).to_socket_addrs().ok().and_then(|mut all| all.next()).ok_or_else(|| {
                unusable(format!("{host} is not an address; try --host 127.0.0.1")).at("host")
            })?
        }
    };
    let mut keys = match (&args.api_key, &args.api_keys) {
        (None, None) => Keys::open(CallerLimits::default()),
        _ => Keys::none(),
    };
    if let Some(key) = &args.api_key {
        if key.trim().is_empty() {
            return Err(unusable("the API key is empty".into()).at("api-key"));
        }
        keys.add("default", key, CallerLimits::default());
    }
    if let Some(file) = &args.api_keys {
        keys.read(file)?;
    }
    let data = match &args.data {
        Some(data) => data.clone(),
        None => state_directory()
            .ok_or_else(|| unusable("say where to keep jobs and answers: --data DIR".into()).at("data"))?,
    };
    Ok(Config {
        address,
        keys,
        cache_bytes: args.cache_size,
        lean_version: args.lean_version.clone(),
        max_body: usize::try_from(args.max_body).unwrap_or(usize::MAX),
        max_requests: args.max_concurrent_requests,
        max_wait: Duration::from_secs(args.max_wait),
        longest_timeout: args.max_timeout,
        drain: Duration::from_secs(args.drain),
        job_age: Duration::from_secs(args.job_days.saturating_mul(24 * 3600)),
        arb_limit: Duration::from_secs(args.arb_timeout),
        thresholds: Thresholds {
            cpu: args.healthcheck_cpu_usage_threshold,
            memory: args.healthcheck_memory_usage_threshold,
        },
        ..Config::new(data)
    })
}

/// As the XDG specification says.
fn state_directory() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")))?;
    Some(state.join("lean-oracle/serve"))
}

fn engine(args: &ServeArgs) -> Result<EngineConfig> {
    let dir = &args.project_dir;
    let Some(repl) = &args.repl_path else { return detect_engine(dir) };
    let absolute = std::path::absolute(repl).unwrap_or_else(|_| repl.clone());
    if !absolute.is_file() {
        let message = format!("there is no REPL at {}", repl.display());
        return Err(Error::new(Code::BadRequest, message).at("repl-path"));
    }
    let repl = absolute.to_string_lossy().into_owned();
    let project = ["lakefile.lean", "lakefile.toml"].iter().any(|f| dir.join(f).is_file());
    let argv = match project {
        true => vec!["lake".into(), "env".into(), repl],
        false => vec![repl],
    };
    Ok(EngineConfig::Repl { argv, dir: dir.clone() })
}

fn pool_config(args: &ServeArgs, engine: EngineConfig) -> PoolConfig {
    let mut config = PoolConfig::new(engine);
    config.max_processes = args.max_repls.map_or(config.max_processes, |n| n.0);
    config.max_uses = u64::try_from(args.max_repl_uses).ok().filter(|n| *n > 0);
    config.memory_limit = Some(args.max_repl_mem);
    config.recycle_bytes = args.repl_memory_limit_gb.map(|gb| (gb * f64::from(1 << 30)) as u64);
    if args.hard_enforce_memory_limit {
        config.memory_limit = config.recycle_bytes.or(config.memory_limit);
    }
    config.address_space_limit = args.address_space_limit;
    config.max_wait = Duration::from_secs(args.max_wait);
    config.warm = args.init_repls.0.clone();
    config
}

fn hash_key() -> Result<String> {
    let mut key = String::new();
    if std::io::stdin().is_terminal() {
        key = auth::new_key();
        eprintln!("a new key, for whom is to use it:\n{key}\nits hash, for the file of --api-keys:");
    } else {
        let read = std::io::stdin().read_to_string(&mut key);
        read.map_err(|e| Error::new(Code::BadRequest, format!("the key cannot be read: {e}")))?;
    }
    match key.trim().len() {
        // Shorter ones could be found by trying.
        0..24 => Err(Error::new(Code::BadRequest, "an API key needs at least 24 random characters")),
        _ => Ok(auth::hash_key(&key)),
    }
}

/// Starts logging; what it returns must live until the end.
fn start_log(args: &ServeArgs) -> Result<Option<tracing_appender::non_blocking::WorkerGuard>> {
    let level = match args.log_level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let json = match args.log_format {
        Some(format) => format == LogFormat::Json,
        None => args.environment == Environment::Prod,
    };
    let (writer, guard) = match &args.log_dir {
        None => tracing_appender::non_blocking(std::io::stderr()),
        Some(dir) => tracing_appender::non_blocking(log_files(dir)?),
    };
    let ansi = args.log_dir.is_none() && std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_ansi(ansi);
    match json {
        true => log.json().flatten_event(true).with_target(false).init(),
        false => log.with_target(false).init(),
    }
    Ok(Some(guard))
}

/// A file a day, of which the last two stay.
fn log_files(dir: &Path) -> Result<tracing_appender::rolling::RollingFileAppender> {
    tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("server")
        .filename_suffix("log")
        .max_log_files(2)
        .build(dir)
        .map_err(|e| Error::new(Code::BadRequest, format!("{}: {e}", dir.display())).at("log-dir"))
}
