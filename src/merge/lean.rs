//! The compiler: found, run with a time limit, several at once, its answers kept on disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Fatal;

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
#[derive(Clone, Debug)]
pub struct Lean {
    program: PathBuf,
    variables: BTreeMap<String, String>,
    version: String,
    /// The environment's own header, for `ignore_imports`: e.g. `import Mathlib`. Empty: no import.
    pub imports: String,
    /// How many compilers may run at the same time.
    pub jobs: usize,
    /// Where answers are kept; `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// Options of Lean for the files that are compiled, each `name=value`; see [`Lean::set_options`].
    options: Vec<String>,
    /// Set by anybody to end all runs under way, with an error, when nobody waits for the answer any more.
    pub stop: Arc<AtomicBool>,
    /// It stops after some number of errors unless it is told not to.
    stops: bool,
    /// The milliseconds of all runs.
    spent: Arc<AtomicU64>,
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
        // An option that a version does not have is an error.
        let probe = Command::new(&program)
            .args([UNLIMITED, "--stdin"])
            .envs(&variables)
            .stdin(Stdio::null())
            .output();
        let stops = probe.is_ok_and(|o| o.status.success());
        Ok(Lean {
            stops,
            program,
            variables,
            version,
            imports: String::new(),
            jobs,
            cache,
            options: Vec::new(),
            stop: Arc::default(),
            spent: Arc::default(),
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

    /// Compiles `file` in `dir`, with `args` before it, and returns its messages.
    ///
    /// # Errors
    /// The time is over, or the compiler died.
    pub(super) fn run(
        &self,
        dir: &Path,
        file: &str,
        args: &[&str],
        until: Instant,
    ) -> Result<Vec<Message>, Fatal> {
        let open = |name: &str| {
            File::create(dir.join(name)).map_err(|e| Fatal::Internal(format!("{}: {e}", dir.display())))
        };
        let search = |key: &str| self.variables.get(key).cloned().or_else(|| std::env::var(key).ok());
        let path = match search("LEAN_PATH") {
            Some(p) if !p.is_empty() => format!("{}:{p}", dir.display()),
            _ => dir.display().to_string(),
        };
        let mut child = Command::new(&self.program)
            .envs(&self.variables)
            .env("LEAN_PATH", path)
            .current_dir(dir)
            .arg("--json")
            // The 101st error counts as well.
            .args(self.stops.then_some(UNLIMITED))
            .args(self.options.iter().map(|o| format!("-D{o}")))
            .args(args)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(open("out")?)
            .stderr(open("err")?)
            .spawn()
            .map_err(|e| Fatal::Internal(format!("{} does not run: {e}", self.program.display())))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() >= until || self.stop.load(Ordering::Relaxed) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(match Instant::now() >= until {
                        true => Fatal::Timeout,
                        false => Fatal::Internal("stopped: nobody waits for the answer".into()),
                    });
                }
                Ok(None) => std::thread::sleep(pause),
                Err(e) => return Err(Fatal::Internal(format!("waiting for Lean: {e}"))),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        self.spent.fetch_add(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        let read = |name: &str| fs::read(dir.join(name)).map(|b| String::from_utf8_lossy(&b).into_owned());
        let (out, err) = (read("out").unwrap_or_default(), read("err").unwrap_or_default());
        // Lines that are no messages are what the program printed itself.
        let messages: Vec<Message> = out.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        if let Some(why) = err.lines().find_map(|l| l.strip_prefix("error: invalid -D parameter, ")) {
            return Err(Fatal::User(format!("global_options: {why}")));
        }
        let refused = |m: &Message| m.data.strip_prefix("invalid -D parameter, ").map(str::to_string);
        if let Some(why) = messages.iter().find_map(refused) {
            let why = why.lines().next().unwrap_or_default();
            return Err(Fatal::User(format!("global_options: {why}")));
        }
        if !status.success() && !messages.iter().any(|m| m.severity == Severity::Error) {
            let tail: String = err.chars().rev().take(500).collect::<Vec<_>>().into_iter().rev().collect();
            return Err(Fatal::Resources(format!("the Lean compiler ended with {status}: {}", tail.trim())));
        }
        Ok(messages)
    }

    /// Answers from the disk what was computed before for the same compiler, imports and `parts`, else computes.
    pub(super) fn cached<T: Serialize + for<'d> Deserialize<'d>>(
        &self,
        imports: &[String],
        parts: &[&str],
        compute: impl FnOnce() -> Result<T, Fatal>,
    ) -> Result<T, Fatal> {
        let Some(cache) = &self.cache else { return compute() };
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
        let file = cache.join(format!("{name}.json"));
        if let Some(found) = fs::read(&file).ok().and_then(|b| serde_json::from_slice(&b).ok()) {
            return Ok(found);
        }
        let answer = compute()?;
        // A cache that cannot be written is no reason to fail. The rename makes the file whole or absent.
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(cache)?;
            let temporary = tempfile::NamedTempFile::new_in(cache)?;
            serde_json::to_writer(std::io::BufWriter::new(temporary.as_file()), &answer)?;
            temporary.persist(&file)?;
            Ok(())
        };
        let _ = write();
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
const FORMAT: &str = "3";

/// No limit on the number of errors.
const UNLIMITED: &str = "-DmaxErrors=0";

fn runs(program: &Path) -> bool {
    let status = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|s| s.success())
}
