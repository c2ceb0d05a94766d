//! A server, ours or Kimina Lean Server, that is asked to check snippets.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;

use super::kimina::NDJSON;
use super::verify::{Key, Options};
use crate::repl::{Audit, CommandResponse, Diagnostics, Failure, Outcome, Reply, Snippet};
use crate::{Code, Error, Result};

/// How long a server may be away before it is given up.
const AWAY: Duration = Duration::from_secs(120);

/// How often it is asked at least before it is given up.
const TIMES: u32 = 5;

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_secs(5);

/// Where results go, in the order in which they come.
pub(super) type Results = UnboundedSender<(Key, Outcome)>;

/// A server with the interface of Kimina Lean Server.
///
/// Ours answers in lines, each as its snippet ends, and is then sent many snippets in a request. Kimina's answers
/// when all have ended, and a crash in one of them fails all: it is sent one in a request.
pub struct Server {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    /// Whether it has answered in lines.
    streams: AtomicBool,
}

/// A result of `/api/check`; the last four are there only when the server is ours.
#[derive(Deserialize)]
struct RemoteResult {
    #[serde(default)]
    time: f64,
    error: Option<String>,
    response: Option<Box<RawValue>>,
    audit: Option<Audit>,
    verdict: Option<String>,
    index: Option<usize>,
    retry_after: Option<f64>,
}

#[derive(Deserialize)]
struct RemoteResults {
    results: Vec<RemoteResult>,
}

/// Why a request has left snippets without a result.
enum Trouble {
    /// The server cannot now; after this time it may.
    Later(Duration),
    /// It does not answer, or not to the end: others will have the same trouble.
    Away(String),
    /// It is the fault of what was sent: too large, or Kimina's REPL broke on it.
    Sent(String),
}

/// What was sent in one request, by its place there; none where the result has come.
type Sent = Vec<Option<(Key, Snippet)>>;

impl Server {
    /// A server at `http://HOST:PORT` or `https://…`, with an API key if it wants one.
    ///
    /// # Errors
    /// `bad_request` for something else than an address.
    pub fn new(url: &str, key: Option<String>) -> Result<Server> {
        // reqwest takes whatever is installed for TLS; an earlier installation is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let refuse = |e: &dyn std::fmt::Display| {
            Error::new(Code::BadRequest, format!("{url} is not the address of a server: {e}")).at("server")
        };
        let parsed = reqwest::Url::parse(url).map_err(|e| refuse(&e))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(refuse(&"it should begin with http:// or https://"));
        }
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
        // A machine that is gone says nothing.
        let client = client.tcp_keepalive(Duration::from_secs(30)).build().map_err(|e| refuse(&e))?;
        let streams = AtomicBool::new(false);
        Ok(Server { client, url: url.trim_end_matches('/').into(), key, streams })
    }

    /// Whether many snippets in one request are answered one by one.
    pub(super) fn streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    /// Has snippets checked, and asks for as long as it takes until each has its result.
    ///
    /// # Errors
    /// `unreachable` when the server stays away, `bad_request` when it refuses or answers nonsense.
    pub(super) async fn check(
        &self,
        snippets: Vec<(Key, Snippet)>,
        options: &Options,
        results: Results,
    ) -> Result<()> {
        let mut together = snippets.len();
        let mut waiting = snippets;
        // Since when, and how often, it was asked in vain.
        let mut vain: Option<(Instant, u32)> = None;
        while !waiting.is_empty() {
            let count = together.min(waiting.len());
            let mut sent: Sent = waiting.drain(..count).map(Some).collect();
            let trouble = self.ask(&mut sent, options, &results).await?;
            let mut left: Vec<_> = sent.into_iter().flatten().collect();
            if left.len() < count {
                vain = None;
            }
            match trouble {
                None => {}
                Some(Trouble::Later(wait)) => tokio::time::sleep(wait).await,
                Some(Trouble::Sent(reason)) if count == 1 => {
                    let result = Err(Failure::Crashed { reason, stderr: String::new() });
                    let failed =
                        left.drain(..).map(|(key, s)| (key, outcome(s.id, 0.0, result.clone(), None)));
                    failed.for_each(|failed| drop(results.send(failed)));
                }
                // One of them; the others are not to suffer.
                Some(Trouble::Sent(_)) => together = 1,
                Some(Trouble::Away(reason)) => {
                    let (since, times) = vain.get_or_insert((Instant::now(), 0));
                    *times += 1;
                    if *times >= TIMES && since.elapsed() >= AWAY {
                        let message = format!("the server {} does not answer: {reason}", self.url);
                        return Err(Error::new(Code::Unreachable, message));
                    }
                    let pause = Duration::from_millis(200 << (*times).min(8));
                    tokio::time::sleep(pause.min(PAUSE)).await;
                }
            }
            waiting.splice(..0, left);
        }
        Ok(())
    }

    /// Sends one request. What has its result afterwards is no longer in `sent`.
    async fn ask(&self, sent: &mut Sent, options: &Options, results: &Results) -> Result<Option<Trouble>> {
        let mut response = match patient(options, self.request(sent, options).send()).await {
            Ok(response) => response,
            Err(reason) => return Ok(Some(Trouble::Away(reason))),
        };
        let status = response.status();
        let header =
            |name| response.headers().get(name).and_then(|v: &reqwest::header::HeaderValue| v.to_str().ok());
        let retry_after = header("retry-after").and_then(|v| v.parse().ok());
        let mut take = Taker { server: self, options, sent, results, pause: None };
        if status.as_u16() == 200 && header("content-type").is_some_and(|v| v.starts_with(NDJSON)) {
            self.streams.store(true, Ordering::Relaxed);
            let mut line = Vec::new();
            loop {
                let part = match patient(options, response.chunk()).await {
                    Ok(Some(part)) => part,
                    Ok(None) => return Ok(take.rest()),
                    Err(reason) => return Ok(Some(Trouble::Away(reason))),
                };
                for part in part.split_inclusive(|b| *b == b'\n') {
                    line.extend_from_slice(part);
                    if line.ends_with(b"\n") {
                        let result: RemoteResult =
                            serde_json::from_slice(&line).map_err(|e| self.nonsense(&e, &line))?;
                        take.result(result.index, result)?;
                        line.clear();
                    }
                }
            }
        }
        let text = match patient(options, response.bytes()).await {
            Ok(text) => text,
            Err(reason) => return Ok(Some(Trouble::Away(reason))),
        };
        let said = || format!("{status}: {}", begin(&text));
        match status.as_u16() {
            200 => {
                let all: RemoteResults =
                    serde_json::from_slice(&text).map_err(|e| self.nonsense(&e, &text))?;
                if all.results.len() != take.sent.len() {
                    let what = format!("{} results to {} snippets", all.results.len(), take.sent.len());
                    return Err(self.nonsense(&what, &text));
                }
                for (index, result) in all.results.into_iter().enumerate() {
                    take.result(Some(index), result)?;
                }
                Ok(take.rest())
            }
            429 => Ok(Some(Trouble::Later(Duration::from_secs(retry_after.unwrap_or(5))))),
            408 | 502..=504 => Ok(Some(Trouble::Away(said()))),
            413 | 500 => Ok(Some(Trouble::Sent(said()))),
            _ => {
                let message = format!("the server {} refuses: {}", self.url, said());
                Err(Error::new(Code::BadRequest, message).at("server"))
            }
        }
    }

    fn request(&self, sent: &Sent, options: &Options) -> reqwest::RequestBuilder {
        // Identifiers in a request must differ. What they are called is only for the server's log.
        let mut ids = HashSet::new();
        let snippets = sent.iter().flatten().map(|(_, snippet)| {
            let mut id = snippet.id.clone();
            while !ids.insert(id.clone()) {
                id.push('\'');
            }
            serde_json::json!({"id": id, "code": snippet.code})
        });
        let snippets: Vec<_> = snippets.collect();
        // A server of theirs counts whole seconds, and ignores what it does not know.
        let body = serde_json::json!({
            "snippets": snippets, "timeout": options.timeout.as_secs_f64().ceil() as u64,
            "infotree": options.infotree, "audit": options.audit, "imports": options.imports,
        });
        let request = self.client.post(format!("{}/api/check", self.url)).json(&body);
        let request = request.header("accept", format!("{NDJSON}, application/json"));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    fn nonsense(&self, what: &dyn std::fmt::Display, text: &[u8]) -> Error {
        let message = format!("{} does not speak Kimina's language: {what}: {}", self.url, begin(text));
        Error::new(Code::BadRequest, message).at("server")
    }
}

/// Takes the results of one request.
struct Taker<'a> {
    server: &'a Server,
    options: &'a Options,
    sent: &'a mut Sent,
    results: &'a Results,
    /// When to ask again for those that found no room.
    pause: Option<Duration>,
}

impl Taker<'_> {
    fn result(&mut self, index: Option<usize>, result: RemoteResult) -> Result<()> {
        if let Some(seconds) = result.retry_after {
            let pause = Duration::try_from_secs_f64(seconds).unwrap_or(PAUSE);
            self.pause = self.pause.max(Some(pause.max(Duration::from_millis(50))));
            return Ok(());
        }
        let Some((key, snippet)) = index.and_then(|i| self.sent.get_mut(i)?.take()) else {
            return Err(self.server.nonsense(&format!("a result with index {index:?}"), b""));
        };
        // Nobody listens any more when the run ends.
        let _ = self.results.send((key, result.outcome(snippet.id, self.options)));
        Ok(())
    }

    /// What there is to say at the end of the answer.
    fn rest(&self) -> Option<Trouble> {
        match self.pause {
            _ if self.sent.iter().all(Option::is_none) => None,
            Some(pause) => Some(Trouble::Later(pause)),
            None => Some(Trouble::Away("its answer ended too early".into())),
        }
    }
}

/// Waits for a part of an answer, but not for ever: header and body have their time each, and may be tried twice;
/// then there is the waiting.
async fn patient<T>(
    options: &Options,
    part: impl Future<Output = reqwest::Result<T>>,
) -> std::result::Result<T, String> {
    let limit = 4 * options.timeout + Duration::from_secs(600);
    match tokio::time::timeout(limit, part).await {
        Ok(part) => part.map_err(|e| causes(&e)),
        Err(_) => Err(format!("nothing came for {} s", limit.as_secs())),
    }
}

/// An error with all its causes; the outermost alone says little.
fn causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(e) = next {
        text += &format!(": {e}");
        next = e.source();
    }
    text
}

/// The beginning of a text, for people.
fn begin(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(500)]).into_owned()
}

fn outcome(
    id: String,
    time: f64,
    result: std::result::Result<Reply, Failure>,
    audit: Option<Audit>,
) -> Outcome {
    Outcome { id, time, header_time: 0.0, result, audit, diagnostics: Diagnostics::default() }
}

impl RemoteResult {
    fn outcome(self, id: String, options: &Options) -> Outcome {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let nonsense = |what: &str| Failure::Protocol { reason: what.into(), stderr: String::new() };
        let result = match (self.error, self.response) {
            (Some(error), _)
                if self.verdict.as_deref() == Some("timeout_error") || error.contains("timed out") =>
            {
                let header = error.contains("header");
                Err(Failure::Timeout { seconds: options.timeout.as_secs_f64(), header })
            }
            (Some(reason), _) => Err(Failure::Crashed { reason, stderr: String::new() }),
            (None, Some(response)) => match serde_json::from_str::<Refusal>(response.get()) {
                Ok(Refusal { message }) => Ok(Reply::ReplError { message }),
                Err(_) => serde_json::from_str::<CommandResponse>(response.get())
                    .map(Reply::Response)
                    .map_err(|e| nonsense(&format!("the server's answer cannot be read: {e}"))),
            },
            (None, None) => Err(nonsense("the server answered neither a response nor an error")),
        };
        outcome(id, self.time, result, self.audit)
    }
}
