//! The streams and buckets in NATS, and what is read from and written to them.

use std::fmt::Display;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::object_store::{self, GetErrorKind, ObjectStore};
use async_nats::jetstream::stream::{self, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context, ErrorCode, kv};
use tokio::io::AsyncReadExt;

use super::QueueConfig;
use super::wire::{Environment, Job, Record, Stored, VERSION};
use crate::{Code, Error, Result};

/// For how long NATS remembers what was published.
pub const DUPLICATES: Duration = Duration::from_secs(120);

/// How long a worker counts as alive after its last sign of life.
pub const ALIVE: Duration = Duration::from_secs(15);

/// How long jobs that nobody takes stay; longer than anybody waits for one.
const JOBS: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long dead letters stay, and how many.
const DEAD: Duration = Duration::from_secs(30 * 24 * 3600);
const MAX_DEAD: i64 = 100_000;

/// Values above this many bytes go into objects, also where NATS would take larger messages.
const INLINE: usize = 1 << 20;

/// The longest object that is read, in bytes.
const MAX_OBJECT: usize = 1 << 30;

/// Room in a message for what is not the value.
const ENVELOPE: usize = 4096;

/// A connection and the places in it.
pub struct Storage {
    pub client: async_nats::Client,
    pub js: Context,
    pub work: Stream,
    pub workers: kv::Store,
    environments: kv::Store,
    results: kv::Store,
    large: ObjectStore,
    prefix: String,
}

/// Whether a job could be put on the stream.
pub enum Put {
    /// It is at this place, perhaps since an earlier try.
    Accepted(u64),
    /// As many wait as may.
    Full,
}

pub fn unreachable(what: &str) -> impl Fn(&dyn Display) -> Error + '_ {
    move |e| Error::new(Code::Unreachable, format!("NATS: {what}: {e}"))
}

impl Storage {
    /// Connects, makes what is missing, and sets the limits that the configuration names.
    ///
    /// # Errors
    /// `bad_request` for a configuration that makes no sense, `unreachable` when there is no NATS with
    /// JetStream.
    pub async fn open(config: &QueueConfig, name: &str) -> Result<Storage> {
        config.check()?;
        let client = connect(config, name).await?;
        let js = jetstream::new(client.clone());
        let p = &config.prefix;
        let fail = unreachable("JetStream (start nats-server with -js)");
        let limit = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let work = stream::Config {
            name: format!("{p}_v{VERSION}_work"),
            description: Some("lean-oracle: jobs without a result".into()),
            subjects: vec![format!("{p}.v{VERSION}.work.>")],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: limit(config.max_pending.unwrap_or(QueueConfig::MAX_PENDING)),
            max_age: JOBS,
            duplicate_window: DUPLICATES,
            num_replicas: config.replicas,
            ..Default::default()
        };
        let work = js.get_or_create_stream(work).await.map_err(|e| fail(&e))?;
        let found = &work.cached_info().config;
        if let Some(most) =
            config.max_pending.map(limit).filter(|most| *most != found.max_messages_per_subject)
        {
            let wanted = stream::Config { max_messages_per_subject: most, ..found.clone() };
            js.update_stream(&wanted).await.map_err(|e| fail(&e))?;
        }
        let dead = stream::Config {
            name: format!("{p}_v{VERSION}_dead"),
            description: Some("lean-oracle: jobs that were given up".into()),
            subjects: vec![format!("{p}.v{VERSION}.dead.>")],
            max_messages: MAX_DEAD,
            max_age: DEAD,
            duplicate_window: DUPLICATES,
            num_replicas: config.replicas,
            ..Default::default()
        };
        js.get_or_create_stream(dead).await.map_err(|e| fail(&e))?;
        // As `create_key_value` does; that needs an answer about the account that NATS 2.9 does not give.
        let bucket = async |name: &str, max_age: Duration| {
            let bucket = format!("{p}_v{VERSION}_{name}");
            let stream = stream::Config {
                name: format!("KV_{bucket}"),
                subjects: vec![format!("$KV.{bucket}.>")],
                max_messages_per_subject: 1,
                max_age,
                discard: DiscardPolicy::New,
                allow_rollup: true,
                deny_delete: true,
                allow_direct: true,
                num_replicas: config.replicas,
                ..Default::default()
            };
            js.get_or_create_stream(stream).await.map_err(|e| fail(&e))?;
            js.get_key_value(bucket).await.map_err(|e| fail(&e))
        };
        let result_ttl = config.result_ttl.unwrap_or(QueueConfig::RESULT_TTL);
        let results = bucket("results", result_ttl).await?;
        let workers = bucket("workers", ALIVE).await?;
        let environments = bucket("environments", Duration::ZERO).await?;
        // Texts wait as long as their jobs, results live as long as their entries.
        let large_ttl = JOBS.max(result_ttl) + Duration::from_secs(3600);
        let large_name = format!("{p}_v{VERSION}_large");
        let large = match js.get_object_store(&large_name).await {
            Ok(store) => store,
            Err(_) => {
                let config = object_store::Config {
                    bucket: large_name.clone(),
                    max_age: large_ttl,
                    num_replicas: config.replicas,
                    ..Default::default()
                };
                js.create_object_store(config).await.map_err(|e| fail(&e))?
            }
        };
        if let Some(result_ttl) = config.result_ttl {
            for (name, max_age) in
                [(format!("KV_{p}_v{VERSION}_results"), result_ttl), (format!("OBJ_{large_name}"), large_ttl)]
            {
                let found = js.get_stream(name).await.map_err(|e| fail(&e))?.cached_info().config.clone();
                if found.max_age != max_age {
                    js.update_stream(stream::Config { max_age, ..found }).await.map_err(|e| fail(&e))?;
                }
            }
        }
        Ok(Storage { client, js, work, workers, environments, results, large, prefix: p.clone() })
    }

    /// The subject of a kind, such as `done`, and what it is about.
    pub fn subject(&self, kind: &str, about: &str) -> String {
        format!("{}.v{VERSION}.{kind}.{about}", self.prefix)
    }

    /// The name of the consumer that all workers with this toolchain share.
    pub fn consumer_name(environment: &Environment) -> String {
        format!("{}-{}", environment.name, environment.fingerprint)
    }

    /// Where the jobs of this environment are.
    pub fn work_subject(&self, environment: &Environment) -> String {
        self.subject("work", &format!("{}.{}", environment.name, environment.fingerprint))
    }

    /// The consumer that all workers with this toolchain share.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn consumer(
        &self,
        environment: &Environment,
        config: &QueueConfig,
    ) -> Result<jetstream::consumer::PullConsumer> {
        let consumer = pull::Config {
            durable_name: Some(Self::consumer_name(environment)),
            ack_policy: AckPolicy::Explicit,
            ack_wait: config.ack_wait,
            // The workers themselves give up a job, so that there is a reason.
            max_deliver: -1,
            filter_subject: self.work_subject(environment),
            max_ack_pending: 100_000,
            max_waiting: 100_000,
            // Toolchains come and go.
            inactive_threshold: JOBS,
            ..Default::default()
        };
        self.work.create_consumer(consumer).await.map_err(|e| unreachable("the consumer of jobs")(&e))
    }

    /// The newest result of this key, with its revision. One that this program cannot read is a failure, so that
    /// the job is done again.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn result(&self, key: &str) -> Result<Option<(u64, Record)>> {
        let entry = self.results.entry(key).await.map_err(|e| unreachable("a result")(&e))?;
        let Some(entry) = entry.filter(|e| e.operation == kv::Operation::Put) else { return Ok(None) };
        let record = match serde_json::from_slice(&entry.value) {
            Ok(Stored::Inline(record)) => Ok(*record),
            Ok(Stored::Object(name)) => match self.object(&name).await? {
                Some(bytes) => serde_json::from_slice(&bytes),
                // It was too old a moment ago.
                None => return Ok(None),
            },
            Err(e) => Err(e),
        };
        Ok(Some((entry.revision, Record::of_this_version(record))))
    }

    /// Stores the result of a job.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn put_result(&self, job: &Job, record: Record) -> Result<()> {
        let mut value = json(&Stored::Inline(Box::new(record.clone())));
        if value.len() > self.inline() {
            let name = format!("result-{}-{}", job.key, job.after);
            self.put_object(&name, &json(&record)).await?;
            value = json(&Stored::Object(name));
        }
        self.results.put(&job.key, value.into()).await.map_err(|e| unreachable("storing a result")(&e))?;
        Ok(())
    }

    /// Puts a job on the stream. `id` tells jobs apart: a second one with the same is not stored.
    ///
    /// # Errors
    /// `unreachable`; it may be on the stream all the same.
    pub async fn put_job(
        &self,
        environment: &Environment,
        mut job: Job,
        code: &str,
        id: &str,
    ) -> Result<Put> {
        // JSON may need six bytes for one.
        job.code = Some(code.to_string());
        let mut payload = json(&job);
        if payload.len() > self.inline() {
            let name = format!("code-{id}");
            self.put_object(&name, code.as_bytes()).await?;
            payload = json(&Job { code: None, object: Some(name), ..job });
        }
        let message = jetstream::message::PublishMessage::build().payload(payload.into()).message_id(id);
        let fail = |e: &dyn Display| unreachable("putting a job on the stream")(e);
        let sent = self.js.send_publish(self.work_subject(environment), message).await;
        match sent.map_err(|e| fail(&e))?.await {
            Ok(ack) => Ok(Put::Accepted(ack.sequence)),
            Err(e) => {
                let cause = std::error::Error::source(&e).and_then(|s| s.downcast_ref::<jetstream::Error>());
                match cause.map(|c| c.error_code()) {
                    Some(ErrorCode::STREAM_STORE_FAILED) => Ok(Put::Full),
                    _ => Err(fail(&e)),
                }
            }
        }
    }

    /// The text of a job; `None` when its object is gone.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn code(&self, job: &Job) -> Result<Option<String>> {
        match (&job.code, &job.object) {
            (Some(code), _) => Ok(Some(code.clone())),
            (None, Some(name)) => Ok(self.object(name).await?.and_then(|b| String::from_utf8(b).ok())),
            (None, None) => Ok(None),
        }
    }

    /// Removes the text of a job that is done.
    pub async fn forget(&self, job: &Job) {
        if let Some(name) = &job.object {
            let _ = self.large.delete(name).await; // It goes by itself later.
        }
    }

    /// Whether this job is no longer at this place of the stream.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn is_gone(&self, key: &str, sequence: u64) -> Result<bool> {
        match self.work.get_raw_message(sequence).await {
            // Places are given out again when a stream lost its end, or was made again.
            Ok(message) => {
                Ok(serde_json::from_slice::<Job>(&message.payload).map_or(true, |job| job.key != key))
            }
            Err(e) => match e.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(true),
                LastRawMessageErrorKind::JetStream(e) if e.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                    Ok(true)
                }
                _ => Err(unreachable("looking for a job")(&e)),
            },
        }
    }

    /// What workers of this name run; `None` if there never was one.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn environment(&self, name: &str) -> Result<Option<Environment>> {
        let value = self.environments.get(name).await.map_err(|e| unreachable("the environment")(&e))?;
        Ok(value.and_then(|v| serde_json::from_slice(&v).ok()))
    }

    /// Says what workers of its name run from now on.
    ///
    /// # Errors
    /// `unreachable`.
    pub async fn set_environment(&self, environment: &Environment) -> Result<()> {
        if self.environment(&environment.name).await?.as_ref() == Some(environment) {
            return Ok(());
        }
        let put = self.environments.put(&environment.name, json(environment).into()).await;
        put.map(drop).map_err(|e| unreachable("the environment")(&e))
    }

    /// Bytes of a value that go into one message.
    fn inline(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(ENVELOPE).min(INLINE)
    }

    async fn put_object(&self, name: &str, mut bytes: &[u8]) -> Result<()> {
        self.large.put(name, &mut bytes).await.map(drop).map_err(|e| unreachable("storing an object")(&e))
    }

    async fn object(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let mut object = match self.large.get(name).await {
            Ok(object) => object,
            Err(e) if matches!(e.kind(), GetErrorKind::NotFound | GetErrorKind::InvalidName) => {
                return Ok(None);
            }
            Err(e) => return Err(unreachable("an object")(&e)),
        };
        if object.info().size > MAX_OBJECT {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(object.info().size);
        let read = tokio::time::timeout(Duration::from_secs(60), object.read_to_end(&mut bytes)).await;
        match read {
            Ok(Ok(_)) => Ok(Some(bytes)),
            Ok(Err(e)) => Err(unreachable("an object")(&e)),
            Err(e) => Err(unreachable("an object")(&e)),
        }
    }
}

/// Our types as JSON; they have no keys that are not strings.
pub fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain values")
}

async fn connect(config: &QueueConfig, name: &str) -> Result<async_nats::Client> {
    let addresses: Vec<async_nats::ServerAddr> =
        config.url.split(',').map(|url| url.trim().parse()).collect::<std::result::Result<_, _>>().map_err(
            |e| {
                let message = format!("not an address of NATS, such as nats://localhost:4222: {e}");
                Error::new(Code::BadRequest, message).at("queue")
            },
        )?;
    let mut options = async_nats::ConnectOptions::new()
        .name(name)
        .ping_interval(Duration::from_secs(10))
        .request_timeout(Some(Duration::from_secs(5)))
        .reconnect_delay_callback(|attempts| Duration::from_millis(100 << attempts.min(5)));
    if let Some(file) = &config.credentials {
        options = options.credentials_file(file).await.map_err(|e| {
            let message = format!("the credentials {} cannot be read: {e}", file.display());
            Error::new(Code::BadRequest, message).at("queue_creds")
        })?;
    }
    if let Some(file) = &config.tls_ca {
        options = options.add_root_certificates(file.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &config.tls_identity {
        options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
    }
    // As in other clients of NATS: a name without a password is a token.
    match addresses.iter().find_map(|a| Some((a.username()?, a.password()))) {
        Some((user, Some(password))) => options = options.user_and_password(user.into(), password.into()),
        Some((token, None)) => options = options.token(token.into()),
        None => {}
    }
    let hosts: Vec<String> = addresses.iter().map(|a| format!("{}:{}", a.host(), a.port())).collect();
    let give_up = Instant::now() + config.connect_wait;
    loop {
        match options.clone().connect(addresses.clone()).await {
            Ok(client) => return Ok(client),
            Err(e) if Instant::now() >= give_up => {
                return Err(Error::new(Code::Unreachable, format!("no NATS at {}: {e}", hosts.join(", "))));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
}
