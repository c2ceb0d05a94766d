//! Files of snippets: reads them, has each checked once, and keeps the results in a file that an interrupted
//! run is resumed from.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::Executor;
use super::remote::{Results, Server};
use crate::repl::{
    Audit, CheckOptions, Failure, Imports, Infotree, Outcome, Reply, Severity, Snippet, Verdict,
};
use crate::{Code, Error, Result};

/// Bytes of text beyond which no more snippets are put into one request.
const BATCH_BYTES: usize = 1 << 20;

/// Which keys of a line of JSON hold what; the first one that is there counts.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The identifier, a string or a number. Without one it is the number of the line.
    pub id: Vec<String>,
    /// The text.
    pub code: Vec<String>,
}

impl Default for Fields {
    /// Those of the data sets for Kimina Lean Server.
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        Fields {
            id: list(&["id", "custom_id", "uuid", "name"]),
            code: list(&["code", "proof", "formal_proof", "lean_code"]),
        }
    }
}

/// Where the snippets are.
#[derive(Clone, Debug)]
pub enum Source {
    /// One file of Lean.
    File(PathBuf),
    /// All `.lean` files below a directory, in the order of their paths; hidden directories (such as
    /// `.lake`) are left out.
    Directory(PathBuf),
    /// A file with a JSON object on each line.
    Lines(PathBuf, Fields),
}

impl Source {
    /// A directory, a `.lean` file, or anything else as lines of JSON.
    ///
    /// # Errors
    /// `bad_request` when there is nothing.
    pub fn of(path: &Path, fields: Fields) -> Result<Source> {
        let kind = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
        Ok(match path.extension() {
            _ if kind.is_dir() => Source::Directory(path.into()),
            Some(e) if e == "lean" => Source::File(path.into()),
            _ => Source::Lines(path.into(), fields),
        })
    }

    /// Reads the snippets, one after the other.
    ///
    /// # Errors
    /// `bad_request` when the place cannot be read; the items say what is wrong with one of them.
    pub fn snippets(&self) -> Result<Box<dyn Iterator<Item = Result<Snippet>> + Send>> {
        Ok(match self {
            Source::File(path) => Box::new(std::iter::once(read_lean(path, path))),
            Source::Directory(dir) => {
                let mut files = Vec::new();
                collect(dir, &mut files)?;
                files.sort();
                let dir = dir.clone();
                Box::new(
                    files
                        .into_iter()
                        .map(move |path| read_lean(&path, path.strip_prefix(&dir).unwrap_or(&path))),
                )
            }
            Source::Lines(path, fields) => {
                let file = File::open(path).map_err(|e| unreadable(path, &e))?;
                let (path, fields) = (path.clone(), fields.clone());
                let lines = BufReader::with_capacity(1 << 16, file).split(b'\n').enumerate();
                Box::new(lines.filter_map(move |(number, line)| match line {
                    Ok(line) if line.trim_ascii().is_empty() => None,
                    Ok(line) => Some(read_line(&line, number + 1, &path, &fields)),
                    Err(e) => Some(Err(unreadable(&path, &e))),
                }))
            }
        })
    }
}

fn unreadable(path: &Path, e: &dyn std::fmt::Display) -> Error {
    Error::new(Code::BadRequest, format!("{} cannot be read: {e}", path.display()))
}

fn read_lean(path: &Path, name: &Path) -> Result<Snippet> {
    let code = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
    Ok(Snippet { id: name.to_string_lossy().into_owned(), code })
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
        let entry = entry.map_err(|e| unreadable(dir, &e))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|e| unreadable(dir, &e))?);
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links to directories may lead back to where they are.
        if kind.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "lean") && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn read_line(line: &[u8], number: usize, path: &Path, fields: &Fields) -> Result<Snippet> {
    let wrong = |what: String| {
        let place = format!("{}, line {number}", path.display());
        Error::new(Code::BadRequest, format!("{place}: {what}"))
    };
    // What is not looked for is not read.
    let object: HashMap<String, &RawValue> =
        serde_json::from_slice(line).map_err(|e| wrong(format!("not a JSON object: {e}")))?;
    let get = |names: &[String]| names.iter().filter_map(|n| object.get(n)).find(|v| v.get() != "null");
    let code = get(&fields.code).ok_or_else(|| {
        wrong(format!("no text under {}; name its key with --code-field", fields.code.join(", ")))
    })?;
    let code = serde_json::from_str(code.get()).map_err(|_| wrong("its text is not a string".into()))?;
    let id = match get(&fields.id).map(|v| serde_json::from_str::<serde_json::Value>(v.get())) {
        None => format!("line {number}"),
        Some(Ok(serde_json::Value::String(id))) => id,
        Some(Ok(serde_json::Value::Number(id))) => id.to_string(),
        Some(_) => return Err(wrong("its identifier is neither a string nor a number".into())),
    };
    Ok(Snippet { id, code })
}

/// A hash of a snippet and its options. There is one in memory for each snippet of a data set.
pub(super) type Key = [u8; 16];

fn parse_key(text: &str) -> Option<Key> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())?.map(u128::to_be_bytes)
}

/// How to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time for the header and, again, for the body.
    pub timeout: Duration,
    /// Report the axioms of each theorem.
    pub audit: bool,
    /// What becomes of `import` lines.
    pub imports: Imports,
    /// Information trees to send.
    pub infotree: Option<Infotree>,
    /// How many to check at a time, at least one.
    pub jobs: usize,
}

impl Options {
    fn check(&self) -> CheckOptions {
        let Options { timeout, audit, imports, infotree, jobs: _ } = self.clone();
        // Nobody waits for a single one of them.
        let deadline = Instant::now().checked_add(Duration::from_secs(30 * 24 * 3600));
        CheckOptions { timeout, audit, imports, infotree, deadline, ..CheckOptions::default() }
    }

    /// What makes a result one of this snippet and these options. (The time decides only whether there is a
    /// result.)
    fn key(&self, snippet: &Snippet) -> Key {
        let options = format!("{} {:?} {:?}", self.audit, self.imports, self.infotree);
        let mut hash = Sha256::new();
        for part in [&snippet.id, &snippet.code, &options] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        std::array::from_fn(|i| hash[i])
    }
}

/// One result, a line of the output.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The snippet's identifier.
    pub id: String,
    /// A hash of the snippet and the options; a run skips what has a line with its key.
    pub key: String,
    /// The verdict's name.
    pub verdict: &'static str,
    /// Seconds that the body took.
    pub time: f64,
    /// Why there is no answer, or why the audit is against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Reply>,
    /// The axioms, when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
}

impl Line {
    fn new(key: Key, outcome: Outcome, options: &Options) -> Line {
        let mut verdict = outcome.verdict();
        // A server that knows nothing of audits has not made one.
        if options.audit && outcome.audit.is_none() && verdict == Verdict::Valid {
            verdict = Verdict::Unaudited("there is no audit in the answer".into());
        }
        let error = match &verdict {
            Verdict::Axioms(axioms) => Some(format!("depends on {}", axioms.join(", "))),
            Verdict::Unaudited(reason) => Some(reason.clone()),
            _ => outcome.result.as_ref().err().map(Failure::to_string),
        };
        Line {
            id: outcome.id,
            key: format!("{:032x}", u128::from_be_bytes(key)),
            verdict: verdict.name(),
            time: outcome.time,
            error,
            response: outcome.result.ok(),
            audit: outcome.audit,
        }
    }

    /// What Lean or the server has against it, or everything that Lean says: one text for each, such as
    /// `a.lean:3:4: error: unknown identifier`.
    pub fn report(&self, everything: bool) -> Vec<String> {
        let id = &self.id;
        let mut texts = Vec::new();
        match &self.response {
            Some(Reply::Response(response)) => {
                for m in &response.messages {
                    let severity = m.severity;
                    if everything || m.severity == Severity::Error {
                        let (line, column) = (m.pos.line, m.pos.column);
                        texts.push(format!("{id}:{line}:{column}: {severity}: {}", m.data));
                    }
                }
            }
            Some(Reply::ReplError { message }) => texts.push(format!("{id}: {message}")),
            None => {}
        }
        texts.extend(self.error.iter().map(|error| format!("{id}: {}: {error}", self.verdict)));
        if texts.is_empty() && self.verdict != "valid" {
            texts.push(format!("{id}: {}", self.verdict));
        }
        texts
    }
}

/// The file of results. Each is on disk, as far as the system is concerned, before the next is begun.
#[derive(Debug, Default)]
pub struct Output {
    file: Option<File>,
    known: HashMap<Key, State>,
}

/// What is known of a snippet.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The place in [`VERDICTS`] of its newest result; there is none while it is being checked.
    verdict: u8,
    /// Whether this run came across it.
    seen: bool,
}

const NO_VERDICT: u8 = u8::MAX;

/// What is read of a line to resume.
#[derive(Deserialize)]
struct Found<'a> {
    key: &'a str,
    verdict: &'a str,
}

const VERDICTS: [&str; 8] =
    ["valid", "sorry", "lean_error", "repl_error", "timeout_error", "server_error", "axioms", "unaudited"];

impl Output {
    /// Opens or makes the file and reads what is in it. A last line that was cut off is taken away.
    ///
    /// # Errors
    /// `bad_request` when it cannot be written, when another run writes to it, or when it has other lines
    /// than ours.
    pub fn open(path: &Path) -> Result<Output> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::new(Code::BadRequest, format!("the results {}: {e}", path.display())).at("output")
        };
        let file = File::options().read(true).append(true).create(true).open(path).map_err(|e| failed(&e))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| failed(&"another run is writing to it"))?;
        let mut output = Output::default();
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let (mut line, mut good, mut number) = (Vec::new(), 0u64, 0u64);
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(|e| failed(&e))?;
            if length == 0 {
                break;
            }
            number += 1;
            let complete = line.ends_with(b"\n");
            if !line.trim_ascii().is_empty() {
                let found: std::result::Result<Found, _> = serde_json::from_slice(&line);
                let found = found.ok().and_then(|f| {
                    let verdict = VERDICTS.iter().position(|v| *v == f.verdict)?;
                    Some((parse_key(f.key)?, State { verdict: verdict as u8, seen: false }))
                });
                match found {
                    Some((key, state)) if complete => drop(output.known.insert(key, state)),
                    // Cut off, if only before its end of line.
                    _ if !complete => break,
                    _ => return Err(failed(&format!("line {number} is not a result; it is not our file"))),
                }
            }
            good += length as u64;
        }
        drop(reader);
        file.set_len(good).map_err(|e| failed(&e))?;
        output.file = Some(file);
        Ok(output)
    }

    /// How many snippets have a result.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is no result yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether nothing is to be done for this snippet; with `retry`, what got no answer is to be done again.
    fn has(&self, key: Key, retry: bool) -> bool {
        self.known.get(&key).is_some_and(|state| {
            let verdict = VERDICTS.get(usize::from(state.verdict));
            !retry || state.seen || !matches!(verdict, Some(&("timeout_error" | "server_error")))
        })
    }

    fn add(&mut self, key: Key, line: &Line) -> Result<()> {
        if let Some(file) = &mut self.file {
            let mut text = serde_json::to_vec(line).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
            text.push(b'\n');
            file.write_all(&text).map_err(|e| {
                Error::new(Code::BadRequest, format!("a result cannot be written: {e}")).at("output")
            })?;
        }
        let verdict = VERDICTS.iter().position(|v| *v == line.verdict);
        self.known.insert(key, State { verdict: verdict.map_or(NO_VERDICT, |v| v as u8), seen: true });
        Ok(())
    }
}

/// Who checks.
#[derive(Clone)]
pub enum Checker {
    /// A pool of this process, or a queue.
    Executor(Arc<dyn Executor>),
    /// A server with the interface of Kimina Lean Server.
    Server(Arc<Server>),
}

/// Snippets with their keys.
type Batch = Vec<(Key, Snippet)>;

impl Checker {
    /// How many snippets to give it together, when `jobs` may be under way.
    fn together(&self, jobs: usize) -> usize {
        match self {
            Checker::Executor(_) => 1,
            // So that the next ones are on their way before the last are answered.
            Checker::Server(server) if server.streams() => (jobs / 2).max(1),
            Checker::Server(_) => 1,
        }
    }

    /// Checks snippets and sends each result as it comes.
    async fn check(&self, batch: Batch, options: &Options, results: Results) -> Result<()> {
        match self {
            Checker::Server(server) => server.check(batch, options, results).await,
            Checker::Executor(executor) => {
                for (key, snippet) in batch {
                    let outcome = work(&**executor, &snippet, options).await?;
                    let _ = results.send((key, outcome));
                }
                Ok(())
            }
        }
    }
}

async fn work(executor: &dyn Executor, snippet: &Snippet, options: &Options) -> Result<Outcome> {
    loop {
        let outcome = executor.check(snippet.clone(), &options.check()).await;
        match &outcome.result {
            // A queue that is full; nobody is in a hurry.
            Err(Failure::Busy { .. }) => tokio::time::sleep(Duration::from_secs(1)).await,
            // Every snippet would be.
            Err(Failure::Refused { reason }) => return Err(Error::new(Code::BadRequest, reason.clone())),
            _ => return Ok(outcome),
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many snippets have each verdict, those of earlier runs too.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Snippets that had a result from an earlier run.
    pub skipped: u64,
    /// Snippets that were checked now.
    pub checked: u64,
    /// Seconds that their bodies took, together.
    pub lean_time: f64,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

impl Summary {
    /// Whether every snippet is valid.
    pub fn all_valid(&self) -> bool {
        !self.interrupted && self.verdicts.keys().all(|v| *v == "valid")
    }
}

/// Counts what is to be checked, and what is in `output` already, before anything is begun: (all, to do).
///
/// # Errors
/// `bad_request` for the first snippet that cannot be read.
pub fn count(source: &Source, options: &Options, output: &Output, retry: bool) -> Result<(u64, u64)> {
    let (mut all, mut todo) = (0, 0);
    for snippet in source.snippets()? {
        all += 1;
        todo += u64::from(!output.has(options.key(&snippet?), retry));
    }
    Ok((all, todo))
}

/// Checks the snippets of `source` that have no result in `output`, and adds their results to it. With `retry`, those that got no answer before are tried again. Each result is also given to `each`,
/// in the order in which they come. When `stop` comes, what is under way is cancelled; run it again to go on.
///
/// # Errors
/// What keeps all further snippets from being checked: the source or the output cannot be read or written, or
/// the server is away or refuses. The results so far are in `output`.
pub async fn verify(
    source: &Source,
    options: &Options,
    checker: &Checker,
    retry: bool,
    output: &mut Output,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(&Line),
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut stop = std::pin::pin!(stop);
    let mut snippets = source.snippets()?;
    let (sender, mut results) = mpsc::unbounded_channel();
    let mut running = FuturesUnordered::new();
    let (mut more, mut under_way) = (true, 0);
    loop {
        let jobs = options.jobs.max(1);
        let together = checker.together(jobs);
        while more && under_way + together <= jobs {
            let (mut batch, mut bytes) = (Batch::new(), 0);
            while batch.len() < together && bytes < BATCH_BYTES {
                let Some(snippet) = snippets.next() else {
                    more = false;
                    break;
                };
                let snippet = snippet?;
                let key = options.key(&snippet);
                // An earlier run did it, or an equal snippet was there before.
                if output.has(key, retry) {
                    let state = output.known.get_mut(&key);
                    summary.skipped +=
                        u64::from(state.is_some_and(|s| !std::mem::replace(&mut s.seen, true)));
                    continue;
                }
                output.known.insert(key, State { verdict: NO_VERDICT, seen: true });
                bytes += snippet.code.len();
                batch.push((key, snippet));
            }
            under_way += batch.len();
            running.push(checker.check(batch, options, sender.clone()));
        }
        if under_way == 0 {
            break;
        }
        let (key, outcome) = tokio::select! {
            biased;
            () = &mut stop => {
                summary.interrupted = true;
                break;
            }
            // What has come is kept, also when nothing more comes.
            Some(result) = results.recv() => result,
            Some(ended) = running.next() => {
                ended?;
                continue;
            }
        };
        under_way -= 1;
        let line = Line::new(key, outcome, options);
        output.add(key, &line)?;
        summary.checked += 1;
        summary.lean_time += line.time;
        each(&line);
    }
    drop(running);
    // A file of results may have more than this source.
    for state in output.known.values().filter(|s| s.seen) {
        if let Some(verdict) = VERDICTS.get(usize::from(state.verdict)) {
            *summary.verdicts.entry(verdict).or_default() += 1;
        }
    }
    Ok(summary)
}
