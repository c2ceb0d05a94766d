//! What outlives the process, in one SQLite file: accepted jobs with their results, and answers worth keeping.
//!
//! One thread writes and one reads, each with a connection of its own (WAL: they do not wait for each other).
//! What arrives while the disk is busy is written in one transaction afterwards; nobody is told that
//! something is stored before it is on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::transport::metrics::Counter;
use crate::{Code, Error, Result};

/// Writes that are committed together, at most.
const GROUP: usize = 512;

/// An entry of the cache counts as just used while fewer uses than this came after; saves writing at
/// every use.
const JUST_USED: i64 = 32;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS cache (
        key BLOB PRIMARY KEY,
        value BLOB NOT NULL,
        used INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS cache_by_use ON cache (used);
    CREATE TABLE IF NOT EXISTS job (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        once TEXT,
        created INTEGER NOT NULL,
        finished INTEGER,
        state TEXT NOT NULL,
        options TEXT NOT NULL,
        total INTEGER NOT NULL,
        UNIQUE (owner, once)
    );
    CREATE TABLE IF NOT EXISTS job_snippet (
        job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        code TEXT NOT NULL,
        verdict TEXT,
        result TEXT,
        PRIMARY KEY (job, position)
    );
    CREATE INDEX IF NOT EXISTS job_snippet_by_verdict ON job_snippet (job, verdict);
";

/// The version of the schema, in SQLite's `user_version`.
const VERSION: i64 = 1;

type Acknowledge = Box<dyn FnOnce(std::result::Result<(), &rusqlite::Error>) + Send>;
/// Work on the file: whether it is to stay, and whom to tell when it is on disk.
type Operation = Box<dyn FnOnce(&Connection) -> (bool, Acknowledge) + Send>;

/// The file, which one process has at a time.
#[derive(Clone)]
pub struct Store {
    writer: mpsc::Sender<Operation>,
    reader: mpsc::Sender<Operation>,
    cache: Arc<CacheState>,
}

/// What is known of the cache without asking the file.
struct CacheState {
    limit: u64,
    bytes: AtomicU64,
    /// Counts uses: unlike a clock, it never goes back.
    uses: AtomicI64,
    evictions: Counter,
}

impl CacheState {
    fn next_use(&self) -> i64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }
}

/// The size of the cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheSize {
    /// Bytes of keys and values.
    pub bytes: u64,
    /// What they may grow to; 0 is a cache that keeps nothing.
    pub limit: u64,
    /// Entries removed to make room since the start.
    pub evictions: u64,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, 32 hexadecimal digits.
    pub id: String,
    /// Whose it is: the name of the API key.
    pub owner: String,
    /// When it was accepted, in milliseconds since 1970.
    pub created: i64,
    /// When the last snippet was answered or the job was cancelled.
    pub finished: Option<i64>,
    /// Whether there is work left.
    pub state: JobState,
    /// How its snippets are to be checked, as JSON.
    pub options: String,
    /// How many snippets it has.
    pub total: i64,
}

/// Whether there is work left in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Snippets are waiting or being checked.
    Open,
    /// Every snippet has its result.
    Done,
    /// It was cancelled; some snippets may have results.
    Cancelled,
}

impl JobState {
    /// The word used in the file and in answers.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Open => "open",
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
        }
    }

    fn of_name(name: &str) -> JobState {
        match name {
            "open" => JobState::Open,
            "done" => JobState::Done,
            _ => JobState::Cancelled,
        }
    }
}

/// One snippet of a job.
#[derive(Clone, Debug)]
pub struct JobSnippet {
    /// Its place in the job, from 0.
    pub position: i64,
    /// The caller's name for it.
    pub id: String,
    /// The Lean text.
    pub code: String,
}

impl Store {
    /// Opens or makes `serve.sqlite` in `directory`. The cache keeps up to `cache_limit` bytes.
    ///
    /// Errors when another process has the directory, or its file is of another version of this program.
    pub fn open(directory: &Path, cache_limit: u64) -> Result<Store> {
        let failed = |what: String| Error::new(Code::BadRequest, format!("{}: {what}", directory.display()));
        std::fs::create_dir_all(directory).map_err(|e| failed(e.to_string()))?;
        // Held until the process ends, in whatever way.
        let lock = Connection::open(directory.join("lock.sqlite")).and_then(|lock| {
            lock.busy_timeout(Duration::from_millis(500))?;
            lock.execute_batch("BEGIN EXCLUSIVE")?;
            Ok(lock)
        });
        let lock = lock.map_err(|e| failed(format!("is in use by another server, or not writable ({e})")))?;
        let path = directory.join("serve.sqlite");
        let prepared = open(&path).and_then(|c| {
            let version: i64 = c.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version == 0 {
                c.execute_batch(SCHEMA)?;
                c.pragma_update(None, "user_version", VERSION)?;
            }
            let sql =
                "SELECT COALESCE(SUM(LENGTH(key) + LENGTH(value)), 0), COALESCE(MAX(used), 0) FROM cache";
            let (bytes, uses): (i64, i64) = c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((c, open(&path)?, version, bytes, uses))
        });
        let (writer, reader, version, bytes, uses) =
            prepared.map_err(|e| failed(format!("serve.sqlite: {e}")))?;
        if version > VERSION {
            return Err(failed("serve.sqlite is of a newer version of lean-oracle".into()));
        }
        let cache = CacheState {
            limit: cache_limit,
            bytes: AtomicU64::new(bytes.unsigned_abs()),
            uses: AtomicI64::new(uses + 1),
            evictions: Counter::default(),
        };
        Ok(Store {
            writer: thread("store-writer", move |work| {
                let _held = &lock;
                write_all(&writer, &work);
            })?,
            reader: thread("store-reader", move |work| {
                while let Ok(operation) = work.recv() {
                    operation(&reader).1(Ok(()));
                }
            })?,
            cache: Arc::new(cache),
        })
    }

    /// The cached answer under `key`.
    pub async fn cached(&self, key: [u8; 32]) -> Option<Vec<u8>> {
        if self.cache.limit == 0 {
            return None;
        }
        let found = self.read(move |c| {
            let mut select = c.prepare_cached("SELECT value, used FROM cache WHERE key = ?1")?;
            select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        });
        // A cache that cannot be read has nothing.
        let (value, used): (Vec<u8>, i64) = found.await.ok()??;
        let now = self.cache.next_use();
        if now - used > JUST_USED {
            self.write_later(move |c| {
                c.execute("UPDATE cache SET used = ?2 WHERE key = ?1", params![key, now]).map(drop)
            });
        }
        Some(value)
    }

    /// Keeps an answer, at once or a little later; makes room by removing what was not used for longest.
    pub fn cache(&self, key: [u8; 32], value: Vec<u8>) {
        let state = self.cache.clone();
        let size = (key.len() + value.len()) as u64;
        // One answer is not worth the whole cache.
        if size > state.limit / 8 {
            return;
        }
        self.write_later(move |c| {
            let sql = "INSERT OR IGNORE INTO cache (key, value, used) VALUES (?1, ?2, ?3)";
            if c.prepare_cached(sql)?.execute(params![key, value, state.next_use()])? == 0 {
                return Ok(());
            }
            let mut bytes = state.bytes.load(Ordering::Relaxed) + size;
            while bytes > state.limit {
                let sql = "DELETE FROM cache WHERE key = (SELECT key FROM cache ORDER BY used LIMIT 1)
                           RETURNING LENGTH(key) + LENGTH(value)";
                let removed = c.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).optional()?;
                let Some(removed) = removed else { break };
                state.evictions.add(1);
                bytes = bytes.saturating_sub(removed.unsigned_abs());
            }
            state.bytes.store(bytes, Ordering::Relaxed);
            Ok(())
        });
    }

    /// How large the cache is.
    pub fn cache_size(&self) -> CacheSize {
        CacheSize {
            bytes: self.cache.bytes.load(Ordering::Relaxed),
            limit: self.cache.limit,
            evictions: self.cache.evictions.get(),
        }
    }

    /// Stores a job with its snippets, each an id and the Lean text, and returns it; it is on disk then.
    ///
    /// With `once`, a second job of this owner with the same `once` is not stored; the first one is
    /// returned. None when that one has other snippets or options.
    pub async fn add_job(
        &self,
        owner: String,
        once: Option<String>,
        options: String,
        snippets: Vec<(String, String)>,
    ) -> Result<Option<Job>> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        self.write(move |c| {
            let sql = format!("SELECT {JOB} FROM job WHERE owner = ?1 AND once = ?2");
            if let Some(job) = c.query_row(&sql, params![owner, once], job).optional()? {
                let sql = "SELECT id, code FROM job_snippet WHERE job = ?1 ORDER BY position";
                let mut select = c.prepare_cached(sql)?;
                let mut rows = select.query([&job.id])?;
                let mut same = job.options == options && job.total == snippets.len() as i64;
                for (id, code) in &snippets {
                    let row = if same { rows.next()? } else { break };
                    let (kept_id, kept_code) = match row {
                        Some(row) => (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?),
                        None => ("", ""),
                    };
                    same = (kept_id, kept_code) == (id, code);
                }
                return Ok(same.then_some(job));
            }
            let total = snippets.len() as i64;
            c.execute(
                "INSERT INTO job (id, owner, once, created, state, options, total)
                 VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?6)",
                params![id, owner, once, now(), options, total],
            )?;
            let mut insert = c.prepare_cached(
                "INSERT INTO job_snippet (job, position, id, code) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (position, (name, code)) in snippets.iter().enumerate() {
                insert.execute(params![id, position as i64, name, code])?;
            }
            c.query_row(&format!("SELECT {JOB} FROM job WHERE id = ?1"), [id], job).map(Some)
        })
        .await
    }

    /// The job of this name, if `owner` has it, with the number of its snippets by verdict.
    pub async fn job(&self, owner: String, id: String) -> Result<Option<(Job, Vec<(String, i64)>)>> {
        self.read(move |c| {
            let sql = format!("SELECT {JOB} FROM job WHERE id = ?1 AND owner = ?2");
            let Some(job) = c.query_row(&sql, [&id, &owner], job).optional()? else { return Ok(None) };
            let sql = "SELECT verdict, COUNT(*) FROM job_snippet WHERE job = ?1 AND verdict IS NOT NULL GROUP BY verdict";
            let mut select = c.prepare_cached(sql)?;
            let counts = select.query_map([&id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Some((job, counts.collect::<rusqlite::Result<_>>()?)))
        })
        .await
    }

    /// The newest jobs of `owner`, at most `limit`.
    pub async fn jobs(&self, owner: String, limit: i64) -> Result<Vec<Job>> {
        self.read(move |c| {
            let sql = format!("SELECT {JOB} FROM job WHERE owner = ?1 ORDER BY created DESC LIMIT ?2");
            c.prepare_cached(&sql)?.query_map(params![owner, limit], job)?.collect()
        })
        .await
    }

    /// Every job with work left, the oldest first.
    pub async fn open_jobs(&self) -> Result<Vec<Job>> {
        self.read(|c| {
            let sql = format!("SELECT {JOB} FROM job WHERE state = 'open' ORDER BY created");
            c.prepare(&sql)?.query_map([], job)?.collect()
        })
        .await
    }

    /// Up to `limit` snippets of a job without a result, from `position` on.
    pub async fn unanswered(&self, job: String, position: i64, limit: i64) -> Result<Vec<JobSnippet>> {
        self.read(move |c| {
            let sql = "SELECT position, id, code FROM job_snippet
                       WHERE job = ?1 AND position >= ?2 AND verdict IS NULL ORDER BY position LIMIT ?3";
            let row = |row: &rusqlite::Row| {
                Ok(JobSnippet { position: row.get(0)?, id: row.get(1)?, code: row.get(2)? })
            };
            c.prepare_cached(sql)?.query_map(params![job, position, limit], row)?.collect()
        })
        .await
    }

    /// Stores the result of one snippet of a job that is still open. The first result stays.
    pub async fn answer(&self, job: String, position: i64, verdict: String, result: String) -> Result<()> {
        self.write(move |c| {
            let sql = "UPDATE job_snippet SET verdict = ?3, result = ?4
                       WHERE job = ?1 AND position = ?2 AND verdict IS NULL";
            c.prepare_cached(sql)?.execute(params![job, position, verdict, result]).map(drop)
        })
        .await
    }

    /// Results of a job: up to `limit` JSON texts from `position` on, each with its position.
    pub async fn results(&self, job: String, position: i64, limit: i64) -> Result<Vec<(i64, String)>> {
        self.read(move |c| {
            let sql = "SELECT position, result FROM job_snippet
                       WHERE job = ?1 AND position >= ?2 AND verdict IS NOT NULL ORDER BY position LIMIT ?3";
            let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
            c.prepare_cached(sql)?.query_map(params![job, position, limit], row)?.collect()
        })
        .await
    }

    /// Ends an open job. Nothing happens to one that has ended already.
    pub async fn end_job(&self, job: String, state: JobState) -> Result<()> {
        self.write(move |c| {
            let sql = "UPDATE job SET state = ?2, finished = ?3 WHERE id = ?1 AND state = 'open'";
            c.execute(sql, params![job, state.name(), now()]).map(drop)
        })
        .await
    }

    /// Forgets jobs that ended longer ago than `age`.
    pub async fn forget_jobs(&self, age: Duration) -> Result<usize> {
        let before = now() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX / 2);
        self.write(move |c| c.execute("DELETE FROM job WHERE finished < ?1", [before])).await
    }

    /// Whether the file can be written.
    pub async fn ready(&self) -> Result<()> {
        // Written even where nothing changes.
        self.write(|c| c.pragma_update(None, "user_version", VERSION)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        run(&self.writer, work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        run(&self.reader, work).await
    }

    /// Writes without waiting. A failure is logged.
    fn write_later(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        let _ = self.writer.send(Box::new(move |c| {
            let done = work(c);
            let stays = done.is_ok();
            let acknowledge: Acknowledge = Box::new(move |committed| {
                if let Some(e) = done.as_ref().err().or(committed.err()) {
                    tracing::warn!("the cache cannot be written: {e}");
                }
            });
            (stays, acknowledge)
        }));
    }
}

/// The columns of a [`Job`], in the order in which [`job`] reads them.
const JOB: &str = "id, owner, created, finished, state, options, total";

fn job(row: &rusqlite::Row) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        owner: row.get(1)?,
        created: row.get(2)?,
        finished: row.get(3)?,
        state: JobState::of_name(&row.get::<_, String>(4)?),
        options: row.get(5)?,
        total: row.get(6)?,
    })
}

fn open(path: &PathBuf) -> rusqlite::Result<Connection> {
    let c = Connection::open(path)?;
    c.busy_timeout(Duration::from_secs(10))?;
    c.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on disk: an accepted job survives a power cut too.
    c.pragma_update(None, "synchronous", "FULL")?;
    c.pragma_update(None, "foreign_keys", true)?;
    c.pragma_update(None, "cache_size", -4096)?; // KiB
    Ok(c)
}

fn thread(
    name: &str,
    body: impl FnOnce(mpsc::Receiver<Operation>) + Send + 'static,
) -> Result<mpsc::Sender<Operation>> {
    let (sender, receiver) = mpsc::channel();
    let started = std::thread::Builder::new().name(name.into()).spawn(move || body(receiver));
    started.map_err(|e| Error::new(Code::Internal, format!("no thread could be started: {e}")))?;
    Ok(sender)
}

/// Runs what arrives until all senders are gone, grouped into transactions.
fn write_all(c: &Connection, work: &mpsc::Receiver<Operation>) {
    while let Ok(first) = work.recv() {
        let begun = c.execute_batch("BEGIN IMMEDIATE");
        let mut acknowledgements = Vec::new();
        for operation in std::iter::once(first).chain(work.try_iter().take(GROUP - 1)) {
            // A full disk may end the transaction. What comes then must not stay: it will be said to have failed.
            let lost = c.is_autocommit();
            // One that fails takes back what it did, and nothing else.
            let _ = c.execute_batch("SAVEPOINT operation");
            let (stays, acknowledge) = operation(c);
            if lost || !stays {
                let _ = c.execute_batch("ROLLBACK TO operation");
            }
            let _ = c.execute_batch("RELEASE operation");
            acknowledgements.push(acknowledge);
        }
        let committed = begun.and_then(|()| c.execute_batch("COMMIT"));
        if committed.is_err() {
            let _ = c.execute_batch("ROLLBACK");
        }
        for acknowledge in acknowledgements {
            acknowledge(committed.as_ref().copied());
        }
    }
}

async fn run<T: Send + 'static>(
    thread: &mpsc::Sender<Operation>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |e: &rusqlite::Error| Error::new(Code::Internal, format!("the store failed: {e}"));
    let (sender, receiver) = oneshot::channel();
    let operation: Operation = Box::new(move |c| {
        let done = work(c);
        let stays = done.is_ok();
        let acknowledge: Acknowledge = Box::new(move |committed| {
            let _ = sender.send(match (done, committed) {
                (Ok(value), Ok(())) => Ok(value),
                (Err(e), _) => Err(failed(&e)),
                (_, Err(e)) => Err(failed(e)),
            });
        });
        (stays, acknowledge)
    });
    let gone = || Error::new(Code::Internal, "the store has ended");
    thread.send(operation).map_err(|_| gone())?;
    receiver.await.unwrap_or_else(|_| Err(gone()))
}

/// Milliseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is told that something failed may do it again: then it must not be there.
    #[test]
    fn what_is_said_to_have_failed_is_not_there() -> rusqlite::Result<()> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let (c, other) = (open(&path)?, open(&path)?);
        c.execute_batch(SCHEMA)?;
        c.busy_timeout(Duration::ZERO)?;
        other.execute_batch("BEGIN IMMEDIATE")?;
        let (sender, work) = mpsc::channel::<Operation>();
        let (said, heard) = mpsc::channel();
        // The file is free again just when the transaction could not begin.
        let operation: Operation = Box::new(move |c| {
            let freed = other.execute_batch("COMMIT").is_ok();
            let written = c.execute("INSERT INTO cache (key, value, used) VALUES (x'00', x'00', 1)", []);
            (
                true,
                Box::new(move |committed| {
                    said.send((freed, written.is_ok(), committed.is_ok())).expect("heard")
                }),
            )
        });
        sender.send(operation).expect("there");
        drop(sender);
        write_all(&c, &work);
        assert_eq!(heard.recv(), Ok((true, true, false)));
        assert_eq!(c.query_row("SELECT COUNT(*) FROM cache", [], |row| row.get::<_, i64>(0))?, 0);
        Ok(())
    }
}
