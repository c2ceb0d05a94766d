//! The engine that needs nothing but `lean`: a process for each snippet, fed through standard input, with
//! messages as JSON. Where the toolchain can save the state after a header (`--incr-header-save`), that is
//! done once for each header and loaded for each snippet.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Instant, SystemTime};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::engine::{Answer, Setup, Worker, within};
use super::header::Split;
use super::monitor::Usage;
use super::process::{Ending, Process, ReadError, locked};
use super::{
    Audit, CheckOptions, CommandResponse, Failure, Message, Pos, Reply, Severity, Sorry, audit, community,
};

/// The saved headers of a pool.
#[derive(Default)]
pub(crate) struct Snapshots {
    /// Whether this `lean` can save headers.
    supported: OnceCell<bool>,
    saved: Mutex<HashMap<String, Weak<OnceCell<Snapshot>>>>,
    /// Headers with whose snapshot a process crashed that perhaps would not have crashed without.
    suspect: Mutex<HashSet<String>>,
    next: AtomicU64,
}

/// The saved state after a header.
#[derive(Default)]
struct Snapshot {
    /// The file; it goes with this. `None`: none could be made.
    file: Option<PathBuf>,
    made: Option<SystemTime>,
    /// What it was made from.
    oleans: Vec<PathBuf>,
}

impl Snapshot {
    fn deps(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".deps");
        name.into()
    }

    /// Reads what the file was made from. Without that nobody could tell when it has become old.
    fn complete(&mut self) -> Option<()> {
        #[derive(Deserialize)]
        struct Dependency {
            olean: PathBuf,
        }
        let file = self.file.as_ref()?;
        self.made = Some(modified(file)?);
        let deps: Vec<Dependency> =
            serde_json::from_slice(&std::fs::read(Snapshot::deps(file)).ok()?).ok()?;
        self.oleans = deps.into_iter().map(|dep| dep.olean).collect();
        Some(())
    }

    /// Whether it is still right: the `.olean` files that it was made from are older than it.
    fn fresh(&self) -> bool {
        let old = |olean: &PathBuf| modified(olean).is_some_and(|time| Some(time) < self.made);
        self.file.as_ref().is_none_or(|file| file.is_file() && self.oleans.iter().all(old))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(Snapshot::deps(file));
            let _ = std::fs::remove_file(file);
        }
    }
}

/// A file that goes with this.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One place for `lean` processes.
pub(crate) struct Lean {
    setup: Setup,
    snapshot: Option<Arc<OnceCell<Snapshot>>>,
    /// The last one that was given a text.
    process: Option<Process>,
    /// The next one. A short text takes less time than the start of `lean`, so that is done while nobody waits.
    ahead: Option<Started>,
    uuid: String,
    /// The `.ilean` of the last text that was checked: what it declares.
    pub declared: Option<Vec<u8>>,
}

/// A process that waits for its text. It reads nothing else before it has the text.
struct Started {
    process: Process,
    more: Vec<String>,
    ilean: PathBuf,
}

/// What one run of `lean` gave.
pub(crate) struct Run {
    pub messages: Vec<Message>,
    /// What the text declares, as an `.ilean` file: there if Lean reached the end of the text and found no error.
    pub ilean: Option<Vec<u8>>,
}

/// A message as `lean --json` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    severity: Severity,
    pos: Pos,
    end_pos: Option<Pos>,
    data: String,
    #[serde(default)]
    caption: String,
    #[serde(default)]
    is_silent: bool,
}

impl Lean {
    pub fn new(setup: &Setup) -> Lean {
        let uuid = uuid::Uuid::new_v4().to_string();
        Lean { setup: setup.clone(), snapshot: None, process: None, ahead: None, uuid, declared: None }
    }

    fn command(&self) -> Result<(Vec<String>, PathBuf), Failure> {
        let none = || Failure::Refused { reason: "it is not known how to run `lean` in this project".into() };
        self.setup.engine.lean().ok_or_else(none)
    }

    /// A name for a file of this pool.
    fn file(&self, kind: &str) -> PathBuf {
        let number = self.setup.snapshots.next.fetch_add(1, Relaxed);
        self.setup.monitor.directory.join(format!("{number}.{kind}"))
    }

    fn start(&self, more: &[String]) -> Result<Started, Failure> {
        let (mut argv, dir) = self.command()?;
        let ilean = self.file("ilean");
        argv.extend(["--json".into(), "--stdin".into(), "-i".into(), ilean.display().to_string()]);
        Ok(Started { process: self.setup.start(&argv, more, &dir)?, more: more.into(), ilean })
    }

    /// Runs `lean` over a text, with the saved header if there is one.
    pub async fn run(&mut self, text: &str) -> Result<Run, Failure> {
        let load = self.load_argument();
        let run = self.run_with(text, &load).await?;
        self.start_ahead();
        Ok(run)
    }

    /// Starts the next process. Only with a saved header: it says when imports have changed, and a process that
    /// is older than its imports may be of another version than they.
    fn start_ahead(&mut self) {
        let load = self.load_argument();
        self.ahead = if load.is_empty() { None } else { self.start(&load).ok() };
    }

    async fn run_with(&mut self, text: &str, more: &[String]) -> Result<Run, Failure> {
        let ahead = self.ahead.take().filter(|next| next.more == more && next.process.runs());
        let next = ahead.map_or_else(|| self.start(more), Ok)?;
        let process = self.process.insert(next.process);
        self.uuid.clone_from(&process.uuid);
        // The file goes, whatever happens.
        let ilean = Temporary(next.ilean);
        // It reads all before it does anything; when it ends earlier its status says why.
        let _ = process.write(text.as_bytes()).await;
        process.close_stdin();
        let mut messages: Vec<Message> = Vec::new();
        let mut left = self.setup.max_answer;
        let error = loop {
            let line = match process.line(left).await {
                Ok(line) => line,
                Err(error) => break error,
            };
            left -= line.len();
            // A line that is no message may have swallowed a part of one.
            let line: Line = serde_json::from_slice(&line).map_err(|e| {
                let begin: String = String::from_utf8_lossy(&line).chars().take(200).collect();
                let reason = format!("a line of its output is no message ({e}): {begin}");
                Failure::Protocol { reason, stderr: process.stderr() }
            })?;
            let caption =
                if line.caption.is_empty() { String::new() } else { format!("{}:\n", line.caption) };
            if !line.is_silent || line.severity != Severity::Info {
                messages.push(Message {
                    severity: line.severity,
                    pos: line.pos,
                    end_pos: line.end_pos,
                    data: caption + line.data.trim_end(),
                });
            }
        };
        let (ending, stderr) = match error {
            ReadError::Closed => process.end().await,
            long => return Err(self.setup.failure(process, long).await),
        };
        let errors = messages.iter().any(|m| m.severity == Severity::Error);
        match (ending, std::fs::read(&ilean.0).ok()) {
            (Ending { code: Some(0), .. }, ilean @ Some(_)) if !errors => Ok(Run { messages, ilean }),
            (Ending { code: Some(1), .. }, _) if errors => Ok(Run { messages, ilean: None }),
            (Ending { code: Some(0), .. }, _) => {
                Err(Failure::Crashed { reason: "lean ended before the end of the text".into(), stderr })
            }
            _ => Err(self.setup.failure(process, error).await),
        }
    }

    /// Where the header's state is saved, saving it if nobody has yet. Without a snapshot everything works,
    /// only slower.
    async fn save(&mut self, split: &Split) -> Result<(), Failure> {
        if !self.supported().await? {
            return Ok(());
        }
        let header = split.header();
        let snapshots = self.setup.snapshots.clone();
        if locked(&snapshots.suspect).contains(&header) {
            return Ok(());
        }
        // Once more if it has become old since it was made, by whoever comes first.
        for _ in 0..2 {
            let cell = {
                let mut saved = locked(&snapshots.saved);
                saved.retain(|_, cell| cell.strong_count() > 0);
                let cell = saved.get(&header).and_then(Weak::upgrade).unwrap_or_default();
                saved.insert(header.clone(), Arc::downgrade(&cell));
                cell
            };
            let made = cell
                .get_or_try_init(async || {
                    let file = self.file("snapshot");
                    // From here on the files go, whatever happens.
                    let mut snapshot = Snapshot::default();
                    snapshot.file = Some(file.clone());
                    let save = [format!("--incr-header-save={}", file.display())];
                    let usable =
                        self.run_with(&header, &save).await?.ilean.is_some() && snapshot.complete().is_some();
                    Ok::<_, Failure>(if usable { snapshot } else { Snapshot::default() })
                })
                .await?;
            if made.fresh() {
                self.snapshot = Some(cell);
                return Ok(());
            }
            let mut saved = locked(&snapshots.saved);
            if saved.get(&header).is_some_and(|current| current.ptr_eq(&Arc::downgrade(&cell))) {
                saved.remove(&header);
            }
        }
        Ok(())
    }

    async fn supported(&self) -> Result<bool, Failure> {
        let (argv, dir) = self.command()?;
        let supported = self.setup.snapshots.supported.get_or_try_init(async || {
            let mut process = self.setup.start(&argv, &["--help".into()], &dir)?;
            process.close_stdin();
            let mut found = false;
            while let Ok(line) = process.line(1 << 20).await {
                found |= String::from_utf8_lossy(&line).contains("--incr-header-save");
            }
            Ok::<_, Failure>(found)
        });
        supported.await.copied()
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()?.get()
    }

    /// The argument that loads the header's state.
    fn load_argument(&self) -> Vec<String> {
        let file = self.snapshot().and_then(|snapshot| snapshot.file.as_ref());
        file.map(|file| format!("--incr-load={}", file.display())).into_iter().collect()
    }

    async fn body(&mut self, code: &str, split: &Split, options: &CheckOptions) -> Result<Answer, Failure> {
        let refuse = |what: &str| {
            let reason = format!("{what} need leanprover-community/repl; this pool runs `lean` itself");
            Err(Failure::Refused { reason })
        };
        if options.infotree.is_some() {
            return refuse("information trees");
        }
        if options.all_tactics || options.root_goals {
            return refuse("the goals of tactics");
        }
        // These hide the warning that `sorries` are read from. An audit sees them all the same.
        if let Some(word) = ["warn.sorry", "guard_msgs"].iter().find(|word| code.contains(*word))
            && !options.audit
        {
            let reason = format!("`{word}` can hide a `sorry` from the `lean` engine; ask for an audit");
            return Err(Failure::Refused { reason });
        }
        let begin = Instant::now();
        if self.snapshot().is_some_and(|snapshot| !snapshot.fresh()) {
            self.snapshot = None;
        }
        self.declared = None;
        let load = self.load_argument();
        let run = self.run(&split.text(code, options.imports)).await;
        // After a crash the text is tried again, without the snapshot. If it crashes then too, that was not the
        // snapshot's fault; else nobody uses one for this header any more.
        if let Err(Failure::Crashed { .. }) = run {
            let mut suspect = locked(&self.setup.snapshots.suspect);
            match load.is_empty() {
                true => suspect.remove(&split.header()),
                false => suspect.insert(split.header()),
            };
        }
        let Run { messages, ilean } = run?;
        self.declared = ilean;
        let sorries = sorries(&messages);
        let reply = Reply::Response(CommandResponse { messages, sorries, ..CommandResponse::default() });
        Ok(Answer { reply, time: begin.elapsed().as_secs_f64() })
    }
}

/// A `sorry` for each declaration about which Lean warns. (Their goals are not in the warnings.)
fn sorries(messages: &[Message]) -> Vec<Sorry> {
    let warned = messages.iter().filter(|m| m.is_sorry_warning());
    let sorry =
        |m: &Message| Sorry { pos: Some(m.pos), end_pos: m.end_pos, goal: String::new(), proof_state: None };
    warned.map(sorry).collect()
}

impl Worker for Lean {
    fn load<'a>(
        &'a mut self,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Option<Reply>, Failure>> {
        let work = async move {
            // What is used once is not worth saving.
            if options.reuse {
                self.save(split).await?;
                self.start_ahead();
            }
            // A header that cannot be loaded is found again with the whole text, and said there.
            Ok(None)
        };
        Box::pin(within(options.timeout, true, work))
    }

    fn check<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(within(options.timeout, false, self.body(code, split, options)))
    }

    fn audit<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Audit> {
        Box::pin(async move {
            // Twice the time: once for the text, once for the text with the questions.
            let work =
                within(options.timeout.saturating_mul(2), false, audit::audit(self, code, split, options));
            work.await.unwrap_or_else(|failure| Audit::without(failure.to_string()))
        })
    }

    fn usage(&self) -> Option<&Usage> {
        self.process.as_ref().map(|process| &*process.usage)
    }

    fn uuid(&self) -> &str {
        &self.uuid
    }

    fn conversation(&mut self) -> Option<&mut community::Community> {
        None
    }
}
