//! The compiler: found, run within limits of time, memory and output, several at once, its answers kept on disk.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::Fatal;
use crate::repl::monitor::{Limits, Monitor};

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Information,
    Warning,
    Error,
}

/// A place in a message: line from 1, column from 0 in code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One message of `lean --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Message {
    pub severity: Severity,
    pub pos: Position,
    pub end_pos: Option<Position>,
    pub data: String,
    #[serde(default)]
    pub kind: String,
}

impl Message {
    /// As AXLE writes it: `-:4:38-4:43: error: …`.
    pub fn text(&self) -> String {
        let end = self.end_pos.map(|e| format!("-{}:{}", e.line, e.column)).unwrap_or_default();
        let severity = match self.severity {
            Severity::Information => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        format!("-:{}:{}{end}: {severity}: {}", self.pos.line, self.pos.column, self.data)
    }
}

/// A Lean compiler with what it needs to find the imports.
#[derive(Clone)]
pub struct Lean {
    program: PathBuf,
    variables: BTreeMap<String, String>,
    version: String,
    /// The environment's own header, for `ignore_imports`: e.g. `import Mathlib`. Empty: no import.
    pub imports: String,
    /// How many compilers may run at the same time.
    pub jobs: usize,
    /// A compiler that has more resident memory than this, in bytes, with the processes that it started, is
    /// killed; by default 12 GiB or three quarters of the machine's memory. Read before the first run.
    pub memory: Option<u64>,
    /// Where answers are kept; `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// Options of Lean for the files that are compiled, each `name=value`; see [`Lean::set_options`].
    options: Vec<String>,
    /// Set by anybody to end all runs under way, with an error, when nobody waits for the answer any more.
    pub stop: Arc<AtomicBool>,
    /// The milliseconds of all runs.
    spent: Arc<AtomicU64>,
    /// This version has no limit on the number of errors, nor an option for it.
    boundless: Arc<AtomicBool>,
    /// Watches the runs, and ends what is left of them when this program ends, however it does.
    monitor: Arc<Mutex<Option<Arc<Monitor>>>>,
}

impl fmt::Debug for Lean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.program.display(), self.version)
    }
}

impl Lean {
    /// Finds the compiler: that of a Lake project (through `lake env`), else `LEAN_ORACLE_LEAN`, else `lean` on
    /// the `PATH`, else the checking environment of `tools/lean-env`.
    ///
    /// # Errors
    /// There is none, or it does not run; the message says what to do.
    pub fn discover(project: Option<&Path>) -> Result<Lean, Fatal> {
        let mut variables = BTreeMap::new();
        let program = if let Some(project) = project {
            let output =
                Command::new("lake").arg("env").current_dir(project).stdin(Stdio::null()).output().map_err(
                    |e| Fatal::User(format!("lake does not run ({e}); --project needs it on the PATH")),
                )?;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr);
                return Err(Fatal::User(format!("lake env fails in {}: {}", project.display(), why.trim())));
            }
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                if let Some((key, value)) = line.split_once('=')
                    && (key.starts_with("LEAN")
                        || key.starts_with("LAKE")
                        || key.starts_with("ELAN")
                        || key == "PATH")
                {
                    variables.insert(key.to_string(), value.to_string());
                }
            }
            let sysroot = variables.get("LEAN_SYSROOT").map(|s| Path::new(s).join("bin/lean"));
            sysroot.filter(|p| p.exists()).unwrap_or_else(|| "lean".into())
        } else {
            let checking = std::env::var_os("LEAN_ENV_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/lean-env")));
            std::env::var_os("LEAN_ORACLE_LEAN")
                .map(PathBuf::from)
                .or_else(|| runs(Path::new("lean")).then(|| "lean".into()))
                .or_else(|| checking.map(|h| h.join("bin/lean")).filter(|p| p.exists()))
                .ok_or_else(|| {
                    Fatal::User(
                        "no Lean compiler: install one (https://lean-lang.org/install), name one in \
                         LEAN_ORACLE_LEAN, or run tools/lean-env/setup.sh"
                            .into(),
                    )
                })?
        };
        Lean::at(program, variables)
    }

    /// The compiler at `program`, run with these variables besides our own.
    ///
    /// # Errors
    /// It does not run.
    pub fn at(program: PathBuf, variables: BTreeMap<String, String>) -> Result<Lean, Fatal> {
        let output = Command::new(&program).arg("--version").envs(&variables).stdin(Stdio::null()).output();
        let version = match output {
            Ok(o) if o.status.success() => String::from_utf8_lossy(&o.stdout).trim().to_string(),
            Ok(o) => {
                let why = String::from_utf8_lossy(&o.stderr);
                return Err(Fatal::User(format!("{} --version fails: {}", program.display(), why.trim())));
            }
            Err(e) => return Err(Fatal::User(format!("{} does not run: {e}", program.display()))),
        };
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
            .map(|d| d.join("lean-oracle/merge"));
        let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
        Ok(Lean {
            program,
            variables,
            version,
            imports: String::new(),
            jobs,
            memory: Some((machine_memory() / 4 * 3).min(12 << 30)),
            cache,
            options: Vec::new(),
            stop: Arc::default(),
            spent: Arc::default(),
            boundless: Arc::default(),
            monitor: Arc::default(),
        })
    }

    /// What `lean --version` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Compiles files with these options of Lean: names to booleans, integers or texts. That they exist and
    /// have such values is for the compiler to say.
    ///
    /// # Errors
    /// An option is of no use here, or refused by the compiler.
    pub fn set_options(&mut self, options: &serde_json::Map<String, Value>) -> Result<(), Fatal> {
        self.options.clear();
        for (name, value) in options {
            // What these change is how the compiler answers us.
            if let Some(kind) =
                ["pp.", "trace.", "weak.", "debug.", "Elab."].iter().find(|p| name.starts_with(**p))
            {
                return Err(Fatal::User(format!("global_options takes no {kind}… here, so not {name}")));
            }
            self.options.push(format!("{name}={}", option_value(name, value)?));
        }
        Ok(())
    }

    /// The same compiler with a clock of its own.
    pub(super) fn counting(&self) -> Lean {
        Lean { spent: Arc::default(), ..self.clone() }
    }

    /// How long this compiler ran, in milliseconds; several at once count each.
    pub(super) fn spent_ms(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    fn monitor(&self) -> Result<Arc<Monitor>, Fatal> {
        let mut monitor = self.monitor.lock().expect("no panic while it is held");
        if monitor.is_none() {
            let limits = Limits { memory: self.memory, cpu: None };
            let started = Monitor::start(limits);
            *monitor =
                Some(started.map_err(|e| Fatal::Internal(format!("no place for temporary files: {e}")))?);
        }
        Ok(monitor.clone().expect("it was just started"))
    }

    /// A new directory to run in. It goes when it is dropped, or when this program ends.
    pub(super) fn directory(&self) -> Result<TempDir, Fatal> {
        let made = tempfile::tempdir_in(&self.monitor()?.directory);
        made.map_err(|e| Fatal::Internal(format!("no directory for temporary files: {e}")))
    }

    /// Compiles `file` in `dir`, with `args` before it, and returns its messages.
    ///
    /// # Errors
    /// The time is over, or the compiler died or took too much.
    pub(super) fn run(
        &self,
        dir: &Path,
        file: &str,
        args: &[&str],
        until: Instant,
    ) -> Result<Vec<Message>, Fatal> {
        if !self.boundless.load(Ordering::Relaxed) {
            // The 101st error counts as well.
            match self.once(dir, file, &[&["-DmaxErrors=0"], args].concat(), until) {
                Err(Fatal::User(why)) if why.contains("option 'maxErrors'") => {}
                answer => return answer,
            }
            self.boundless.store(true, Ordering::Relaxed);
        }
        self.once(dir, file, args, until)
    }

    fn once(&self, dir: &Path, file: &str, args: &[&str], until: Instant) -> Result<Vec<Message>, Fatal> {
        let open = |name: &str| {
            File::create(dir.join(name)).map_err(|e| Fatal::Internal(format!("{}: {e}", dir.display())))
        };
        let search = |key: &str| self.variables.get(key).cloned().or_else(|| std::env::var(key).ok());
        let path = match search("LEAN_PATH") {
            Some(p) if !p.is_empty() => format!("{}:{p}", dir.display()),
            _ => dir.display().to_string(),
        };
        let monitor = self.monitor()?;
        let uuid = uuid::Uuid::new_v4().to_string();
        // Several runs may share a directory.
        let (out, err) = (format!("{file}.out"), format!("{file}.err"));
        let mut child = Command::new(&self.program)
            .envs(&self.variables)
            .env("LEAN_PATH", path)
            .env(Monitor::MARK, monitor.mark(&uuid))
            .current_dir(dir)
            .arg("--json")
            .args(self.options.iter().map(|o| format!("-D{o}")))
            .args(args)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(open(&out)?)
            .stderr(open(&err)?)
            .process_group(0)
            .spawn()
            .map_err(|e| Fatal::Internal(format!("{} does not run: {e}", self.program.display())))?;
        let start = Instant::now();
        let usage = monitor.watch(Some(child.id()), &uuid);
        let group = Pid::from_raw(child.id() as i32).expect("a child has a number");
        let too_long =
            || [&out, &err].iter().any(|f| dir.join(f).metadata().is_ok_and(|m| m.len() > MAX_OUTPUT));
        let mut pause = Duration::from_millis(1);
        // It is not waited for before nobody may kill its group any more: until then the number is its own.
        let ended = loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(group), options) {
                Ok(None) if Instant::now() >= until => break Err(Fatal::Timeout),
                Ok(None) if self.stop.load(Ordering::Relaxed) => {
                    break Err(Fatal::Internal("stopped: nobody waits for the answer".into()));
                }
                Ok(None) if too_long() => {
                    let most = MAX_OUTPUT >> 20;
                    break Err(Fatal::Resources(format!("the Lean compiler wrote more than {most} MiB")));
                }
                Ok(None) => std::thread::sleep(pause),
                Ok(Some(_)) | Err(_) => break Ok(()),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        if ended.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        monitor.ended(&usage);
        let status = child.wait().map_err(|e| Fatal::Internal(format!("waiting for Lean: {e}")))?;
        self.spent.fetch_add(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        ended?;
        if usage.over_memory.load(Ordering::Relaxed) {
            let most = self.memory.unwrap_or_default() >> 20;
            return Err(Fatal::Resources(format!("the Lean compiler took more than {most} MiB of memory")));
        }
        let read = |name: &str| fs::read(dir.join(name)).map(|b| String::from_utf8_lossy(&b).into_owned());
        let (out, err) = (read(&out).unwrap_or_default(), read(&err).unwrap_or_default());
        // Lines that are no messages are what the program printed itself.
        let messages: Vec<Message> = out.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        let said = messages
            .iter()
            .map(|m| m.data.as_str())
            .chain(err.lines().filter_map(|l| l.strip_prefix("error: ")));
        let mut refused = said.filter_map(|said| said.strip_prefix("invalid -D parameter, ")?.lines().next());
        if let Some(why) = refused.next() {
            return Err(Fatal::User(format!("global_options: {why}")));
        }
        let failed = messages.iter().any(|m| m.severity == Severity::Error);
        // Whatever else it may have said: what ended in any other way did not read all of the file.
        if status.code() != Some(i32::from(failed)) {
            let tail: String = err.chars().rev().take(500).collect::<Vec<_>>().into_iter().rev().collect();
            return Err(Fatal::Resources(format!("the Lean compiler ended with {status}: {}", tail.trim())));
        }
        Ok(messages)
    }

    /// Where the answer to `parts` is kept, for this compiler and these imports.
    pub(super) fn key(&self, imports: &[String], parts: &[&str]) -> Option<PathBuf> {
        let cache = self.cache.as_ref()?;
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(FORMAT);
        add(&self.version);
        add(&self.program.to_string_lossy());
        for (key, value) in &self.variables {
            add(key);
            add(value);
        }
        self.options.iter().for_each(|option| add(option));
        let path = self.variables.get("LEAN_PATH").cloned().or_else(|| std::env::var("LEAN_PATH").ok());
        add(path.as_deref().unwrap_or_default());
        // An imported module that was built anew is another module.
        for module in imports {
            let file = format!("{}.olean", module.replace('.', "/"));
            for dir in path.iter().flat_map(|p| p.split(':')).filter(|d| !d.is_empty()) {
                if let Ok(meta) = fs::metadata(Path::new(dir).join(&file)) {
                    add(&format!("{dir} {} {:?}", meta.len(), meta.modified().ok()));
                }
            }
        }
        for part in parts {
            add(part);
        }
        let name: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Some(cache.join(format!("{name}.json")))
    }

    /// What was kept there.
    pub(super) fn recall<T: for<'d> Deserialize<'d>>(&self, key: Option<&Path>) -> Option<T> {
        fs::read(key?).ok().and_then(|b| serde_json::from_slice(&b).ok())
    }

    /// Keeps an answer there. That it cannot be written is no reason to fail.
    pub(super) fn keep<T: Serialize>(&self, key: Option<&Path>, answer: &T) {
        let (Some(cache), Some(file)) = (&self.cache, key) else { return };
        // The rename makes the file whole or absent.
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(cache)?;
            let temporary = tempfile::NamedTempFile::new_in(cache)?;
            serde_json::to_writer(std::io::BufWriter::new(temporary.as_file()), answer)?;
            temporary.persist(file)?;
            Ok(())
        };
        let _ = write();
    }

    /// Answers what was answered before, else computes.
    pub(super) fn cached<T: Serialize + for<'d> Deserialize<'d>>(
        &self,
        imports: &[String],
        parts: &[&str],
        compute: impl FnOnce() -> Result<T, Fatal>,
    ) -> Result<T, Fatal> {
        let key = self.key(imports, parts);
        if let Some(found) = self.recall(key.as_deref()) {
            return Ok(found);
        }
        let answer = compute()?;
        self.keep(key.as_deref(), &answer);
        Ok(answer)
    }

    /// Computes `f` of every item, several at once, in their order; `done` hears of each.
    pub(super) fn each<A: Sync, B: Send>(
        &self,
        items: &[A],
        done: &(dyn Fn(usize) + Sync),
        f: impl Fn(&A) -> Result<B, Fatal> + Sync,
    ) -> Result<Vec<B>, Fatal> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Result<B, Fatal>>>> = items.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, items.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(i) else { return };
                        let result = f(item);
                        *results[i].lock().expect("no panic while it is held") = Some(result);
                        done(i);
                    }
                });
            }
        });
        let all =
            results.into_iter().map(|r| r.into_inner().expect("not poisoned").expect("each was computed"));
        all.collect()
    }
}

/// Writes a file for a compiler.
pub(super) fn write(dir: &Path, name: &str, text: &str) -> Result<(), Fatal> {
    fs::write(dir.join(name), text).map_err(|e| Fatal::Internal(format!("{}: {e}", dir.display())))
}

/// The value of an option as Lean reads it.
///
/// # Errors
/// It is no boolean, integer or text of one line, or the option's name is no name.
pub(super) fn option_value(name: &str, value: &Value) -> Result<String, Fatal> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(Fatal::User(format!("{name:?} is no name of an option")));
    }
    match value {
        Value::Bool(b) => Ok(b.to_string()),
        Value::Number(n) if n.is_u64() => Ok(n.to_string()),
        Value::String(s) if !s.is_empty() && s.chars().all(is_name) => Ok(s.clone()),
        other => Err(Fatal::User(format!(
            "the option {name} is true, false, a natural number or a word, not {other}"
        ))),
    }
}

/// Changes when what is kept on disk changes its meaning.
const FORMAT: &str = "6";

/// The most that a compiler may write to its output, in bytes.
const MAX_OUTPUT: u64 = 512 << 20;

/// The memory of this machine in bytes.
fn machine_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    let kib = total.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}

fn runs(program: &Path) -> bool {
    let status = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|s| s.success())
}
