//! `lean-oracle merge` and its neighbours: `normalize`, `rename`, `check`, `extract-decls`, `theorem2sorry`.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use clap::{Args, ValueEnum};
use lean_oracle::merge::{
    CheckRequest, ExtractRequest, Fatal, Lean, MergeRequest, MergeResponse, NormalizeRequest, RenameRequest,
    Scopes, Selection, Source, TheoremToSorryRequest, merge_with_progress,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::pool;

/// As AXLE's command line: 0 done, 1 failed, 2 the output file exists, 3 not in order under --strict, 130
/// interrupted.
const EXISTS: u8 = 2;
const NOT_IN_ORDER: u8 = 3;
const INTERRUPTED: u8 = 130;

/// Set at the first SIGINT or SIGTERM: the compilers end, what they wrote is removed, and nothing is printed.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on, SIGINT and SIGTERM end the runs of `lean`; a second one ends this process.
fn stop_at_signals(lean: &Lean) -> Result<(), Fatal> {
    let failed = |e: lean_oracle::Error| Fatal::Internal(e.to_string());
    let (runtime, stop) = (pool::runtime().map_err(failed)?, Arc::clone(&lean.stop));
    let (ready, installed) = mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let ended = pool::ended(INTERRUPTED.into());
            let (ended, answer) = match ended {
                Ok(ended) => (Some(ended), Ok(())),
                Err(e) => (None, Err(e)),
            };
            let _ = ready.send(answer);
            let Some(ended) = ended else { return };
            ended.await;
            STOPPED.store(true, Ordering::SeqCst);
            stop.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
    });
    installed.recv().unwrap_or(Ok(())).map_err(failed)
}

/// What all tools on Lean files take.
#[derive(Args)]
pub struct Common {
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output file.
    #[arg(short, long)]
    force: bool,
    /// Print the whole answer as JSON instead of the Lean text.
    #[arg(long)]
    json: bool,
    /// Use the compiler and the imports of this Lake project.
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Replace the imports of the files by --imports.
    #[arg(long)]
    ignore_imports: bool,
    /// The imports of --ignore-imports, e.g. "import Mathlib".
    #[arg(long, value_name = "TEXT", default_value = "")]
    imports: String,
    /// Exit with 3 if the result has errors.
    #[arg(long)]
    strict: bool,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 120.0)]
    timeout_seconds: f64,
    /// Accepted as AXLE does; the compiler is the local one.
    #[arg(long, default_value = "", hide_default_value = true)]
    environment: String,
    /// Options of Lean: name=value,name=value, or a JSON object.
    #[arg(long, value_name = "OPTIONS")]
    global_options: Option<String>,
    /// The same from a JSON file.
    #[arg(long, value_name = "FILE", conflicts_with = "global_options")]
    global_options_file: Option<PathBuf>,
    /// Neither read nor write the cache of analyses.
    #[arg(long)]
    no_cache: bool,
}

impl Common {
    fn lean(&self) -> Result<Lean, Fatal> {
        let mut lean = Lean::discover(self.project.as_deref())?;
        lean.imports = self.imports.trim().replace("\\n", "\n");
        if self.no_cache {
            lean.cache = None;
        }
        lean.set_options(&dictionary("global-options", &self.global_options, &self.global_options_file)?)?;
        stop_at_signals(&lean)?;
        Ok(lean)
    }

    /// Prints an answer: `content` to the output and the rest as JSON to standard error; all of it as JSON to the
    /// output if that was asked for, and for the tools whose answer is not a Lean file.
    fn finish<T: Serialize>(&self, answer: Result<T, Fatal>, okay: impl Fn(&T) -> bool) -> ExitCode {
        let answer = match answer {
            _ if STOPPED.load(Ordering::SeqCst) => {
                eprintln!("lean-oracle: interrupted");
                return ExitCode::from(INTERRUPTED);
            }
            Ok(answer) => answer,
            Err(e) => {
                eprintln!("lean-oracle: {e}");
                return ExitCode::FAILURE;
            }
        };
        let mut all = serde_json::to_value(&answer).expect("answers are JSON");
        let text = if self.json || all.get("okay").is_some() || all.get("documents").is_some() {
            serde_json::to_string_pretty(&all).expect("it is JSON")
        } else {
            let content = all.as_object_mut().and_then(|o| o.remove("content"));
            eprintln!("{}", serde_json::to_string_pretty(&all).expect("it is JSON"));
            content.as_ref().and_then(|c| c.as_str()).unwrap_or_default().to_string()
        };
        // As many line feeds at the end as there are in the content, and at least one.
        let text = if text.ends_with('\n') { text } else { text + "\n" };
        if let Err(code) = self.write(&text) {
            return code;
        }
        if self.strict && !okay(&answer) { ExitCode::from(NOT_IN_ORDER) } else { ExitCode::SUCCESS }
    }

    fn write(&self, text: &str) -> Result<(), ExitCode> {
        let Some(path) = &self.output else {
            return std::io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE);
        };
        let mut open = std::fs::OpenOptions::new();
        match self.force {
            true => open.write(true).create(true).truncate(true),
            false => open.write(true).create_new(true),
        };
        open.open(path).and_then(|mut f| f.write_all(text.as_bytes())).map_err(|e| {
            if e.kind() == std::io::ErrorKind::AlreadyExists {
                eprintln!("lean-oracle: {} already exists. Use -f to overwrite.", path.display());
                return ExitCode::from(EXISTS);
            }
            eprintln!("lean-oracle: {} cannot be written: {e}", path.display());
            ExitCode::FAILURE
        })
    }

    /// Before the work, so that it is not lost: whether the output may be written.
    fn refuse(&self) -> Option<ExitCode> {
        let path = self.output.as_ref()?;
        if !self.force && path.exists() {
            eprintln!("lean-oracle: {} already exists. Use -f to overwrite.", path.display());
            return Some(ExitCode::from(EXISTS));
        }
        let dir = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.is_dir())?;
        eprintln!("lean-oracle: {} is no directory; make it, or name another file with -o", dir.display());
        Some(ExitCode::FAILURE)
    }
}

/// A file's text, or that of standard input for `-`.
fn read(path: &Path) -> Result<String, Fatal> {
    let mut bytes = Vec::new();
    let all = match path == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes).map(|_| bytes),
        false => std::fs::read(path),
    };
    let all = all.map_err(|e| Fatal::User(format!("{} cannot be read: {e}", path.display())))?;
    String::from_utf8(all).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Fatal::User(format!("{} is not UTF-8 (at byte {at}); Lean files are", path.display()))
    })
}

/// The flags `--NAME key=value,key=value`, also as a JSON object, and `--NAME-file FILE`.
fn dictionary(
    name: &str,
    inline: &Option<String>,
    file: &Option<PathBuf>,
) -> Result<Map<String, Value>, Fatal> {
    let text = match (inline, file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) => return Ok(Map::new()),
    };
    let bad = |why: String| Fatal::User(format!("--{name}: {why}"));
    if file.is_some() || text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).map_err(|e| bad(format!("not a JSON object: {e}")));
    }
    let pair = |p: &str| match p.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_string(), value.trim().into())),
        None => Err(bad(format!("{p:?} is not name=value"))),
    };
    text.split(',').map(pair).collect()
}

/// Which declarations of a file.
#[derive(Args)]
pub struct Selected {
    /// Only these: names, separated by commas; the end of the full name is enough where it is clear.
    #[arg(long, value_delimiter = ',')]
    names: Option<Vec<String>>,
    /// Only those at these positions, from 0; negative ones from the end.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    indices: Option<Vec<i64>>,
}

/// The same for tools that look at theorems unless told otherwise.
#[derive(Args)]
pub struct SelectedTheorems {
    #[command(flatten)]
    selected: Selected,
    /// --names and --indices are about all declarations, not only theorems.
    #[arg(long)]
    no_theorems_only: bool,
}

impl SelectedTheorems {
    fn selection(&self) -> Selection {
        let (names, indices) = (self.selected.names.clone(), self.selected.indices.clone());
        Selection { names, indices, theorems_only: !self.no_theorems_only }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ScopesArg {
    /// Scopes keep their meaning.
    Preserve,
    /// AXLE's rule: what is no declaration goes to the top.
    Hoist,
}

#[derive(Args)]
pub struct Merge {
    /// The files; - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Compare types as written, not after reduction.
    #[arg(long)]
    no_use_def_eq: bool,
    /// Keep the versions that were not chosen as comments.
    #[arg(long)]
    include_alts_as_comments: bool,
    /// What becomes of namespace, section, open, variable and the like.
    #[arg(long, value_enum, default_value = "preserve")]
    scopes: ScopesArg,
    #[command(flatten)]
    common: Common,
}

pub fn merge(m: &Merge) -> ExitCode {
    if let Some(code) = m.common.refuse() {
        return code;
    }
    let answer = || {
        let documents = m.files.iter().map(|f| read(f)).collect::<Result<_, _>>()?;
        let request = MergeRequest {
            documents,
            environment: m.common.environment.clone(),
            use_def_eq: !m.no_use_def_eq,
            include_alts_as_comments: m.include_alts_as_comments,
            ignore_imports: m.common.ignore_imports,
            timeout_seconds: m.common.timeout_seconds,
            scopes: match m.scopes {
                ScopesArg::Preserve => Scopes::Preserve,
                ScopesArg::Hoist => Scopes::Hoist,
            },
        };
        let lean = m.common.lean()?;
        let bar = if m.files.len() > 2 && std::io::stderr().is_terminal() {
            let style =
                indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("it is one");
            indicatif::ProgressBar::new(m.files.len() as u64 + 1).with_style(style)
        } else {
            indicatif::ProgressBar::hidden()
        };
        bar.set_message("analysing");
        let answer = merge_with_progress(&request, &lean, &|i| {
            bar.inc(1);
            match m.files.get(i) {
                Some(_) if bar.position() == m.files.len() as u64 => bar.set_message("merging"),
                Some(file) => bar.set_message(format!("analysed {}", file.display())),
                None => {}
            }
        });
        bar.finish_and_clear();
        // The library knows the files by their numbers.
        answer.map_err(|e| match e {
            Fatal::User(message) => {
                let numbered = |i: usize| message.strip_prefix(&format!("document {} ", i + 1));
                let found = (0..m.files.len()).find_map(|i| Some((&m.files[i], numbered(i)?)));
                Fatal::User(
                    found.map_or(message.clone(), |(file, rest)| format!("{} {rest}", file.display())),
                )
            }
            other => other,
        })
    };
    let okay = |a: &MergeResponse| a.lean_messages.errors.is_empty() && a.tool_messages.errors.is_empty();
    m.common.finish(answer(), okay)
}

/// The file of the tools that take one.
#[derive(Args)]
pub struct One {
    /// The file; - for standard input.
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

impl One {
    fn source(&self) -> Result<Source, Fatal> {
        Ok(Source {
            content: read(&self.file)?,
            environment: self.common.environment.clone(),
            ignore_imports: self.common.ignore_imports,
            timeout_seconds: self.common.timeout_seconds,
        })
    }

    /// An error of the file with its name.
    fn named(&self, e: Fatal) -> Fatal {
        match e {
            Fatal::User(message) => Fatal::User(match message.strip_prefix("content ") {
                Some(rest) => format!("{} {rest}", self.file.display()),
                None => message,
            }),
            other => other,
        }
    }

    /// Refuses, or asks and prints.
    fn answer<T: Serialize>(
        &self,
        ask: impl FnOnce(Source, &Lean) -> Result<T, Fatal>,
        okay: impl Fn(&T) -> bool,
    ) -> ExitCode {
        match self.common.refuse() {
            Some(code) => code,
            None => {
                let answer = self.source().and_then(|source| ask(source, &self.common.lean()?));
                let answer = answer.map_err(|e| self.named(e));
                self.common.finish(answer, okay)
            }
        }
    }
}

#[derive(Args)]
pub struct Normalize {
    /// Which, separated by commas: remove_sections, expand_decl_names, remove_duplicates,
    /// split_open_in_commands, normalize_module_comments, normalize_doc_comments.
    #[arg(long, value_delimiter = ',')]
    normalizations: Option<Vec<String>>,
    /// Print the result even if it has new errors.
    #[arg(long)]
    no_failsafe: bool,
    #[command(flatten)]
    one: One,
}

pub fn normalize(n: &Normalize) -> ExitCode {
    let ask = |source, lean: &Lean| {
        let request =
            NormalizeRequest { source, normalizations: n.normalizations.clone(), failsafe: !n.no_failsafe };
        lean_oracle::merge::normalize(&request, lean)
    };
    n.one.answer(ask, |a| a.lean_messages.errors.is_empty())
}

#[derive(Args)]
pub struct Rename {
    /// Full names: old=new,old=new, or a JSON object.
    #[arg(long)]
    declarations: Option<String>,
    /// The same from a JSON file.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "declarations",
        required_unless_present = "declarations"
    )]
    declarations_file: Option<PathBuf>,
    #[command(flatten)]
    one: One,
}

pub fn rename(r: &Rename) -> ExitCode {
    let ask = |source, lean: &Lean| {
        let text = |(old, new): (String, Value)| match new {
            Value::String(new) => Ok((old, new)),
            other => Err(Fatal::User(format!("--declarations: the new name of {old} is no text: {other}"))),
        };
        let all = dictionary("declarations", &r.declarations, &r.declarations_file)?;
        let declarations = all.into_iter().map(text).collect::<Result<_, _>>()?;
        lean_oracle::merge::rename(&RenameRequest { source, declarations }, lean)
    };
    r.one.answer(ask, |a| a.lean_messages.errors.is_empty() && a.tool_messages.errors.is_empty())
}

#[derive(Args)]
pub struct TheoremToSorry {
    #[command(flatten)]
    selected: SelectedTheorems,
    #[command(flatten)]
    one: One,
}

pub fn theorem2sorry(t: &TheoremToSorry) -> ExitCode {
    let ask = |source, lean: &Lean| {
        let request = TheoremToSorryRequest { source, selection: t.selected.selection() };
        lean_oracle::merge::theorem2sorry(&request, lean)
    };
    t.one.answer(ask, |a| a.lean_messages.errors.is_empty() && a.tool_messages.errors.is_empty())
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    selected: SelectedTheorems,
    #[command(flatten)]
    one: One,
}

pub fn check(c: &Check) -> ExitCode {
    let ask = |source, lean: &Lean| {
        let request = CheckRequest { source, selection: c.selected.selection() };
        lean_oracle::merge::check(&request, lean)
    };
    c.one.answer(ask, |a| a.okay)
}

#[derive(Args)]
pub struct ExtractDecls {
    /// Write each declaration to NAME.lean in this directory.
    #[arg(short = 'd', long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    #[command(flatten)]
    selected: Selected,
    /// Tell only kinds, places and written names.
    #[arg(long)]
    no_elaborate: bool,
    /// Tell nothing that depends on proofs of theorems.
    #[arg(long)]
    no_elaborate_proofs: bool,
    /// Tell only kinds, places and dependencies.
    #[arg(long)]
    dependencies_only: bool,
    /// How much is printed of types: 0, 1 or 2.
    #[arg(long, default_value_t = 0.0)]
    verbosity: f64,
    /// Options of Lean for printing types: pp.name=value,pp.name=value, or a JSON object.
    #[arg(long, value_name = "OPTIONS")]
    delab_options: Option<String>,
    /// The same from a JSON file.
    #[arg(long, value_name = "FILE", conflicts_with = "delab_options")]
    delab_options_file: Option<PathBuf>,
    #[command(flatten)]
    one: One,
}

impl ExtractDecls {
    fn request(&self) -> Result<ExtractRequest, Fatal> {
        let delab_options = dictionary("delab-options", &self.delab_options, &self.delab_options_file)?;
        Ok(ExtractRequest {
            source: self.one.source()?,
            names: self.selected.names.clone(),
            indices: self.selected.indices.clone(),
            elaborate: !self.no_elaborate,
            elaborate_proofs: !self.no_elaborate_proofs,
            dependencies_only: self.dependencies_only,
            verbosity: self.verbosity,
            delab_options: delab_options.into_iter().collect(),
        })
    }
}

pub fn extract_decls(e: &ExtractDecls) -> ExitCode {
    if let Some(code) = e.one.common.refuse() {
        return code;
    }
    let answer = e.request().and_then(|r| lean_oracle::merge::extract_decls(&r, &e.one.common.lean()?));
    if let (Ok(answer), Some(dir)) = (&answer, &e.output_dir) {
        let files: Vec<(PathBuf, &str)> = answer
            .documents
            .iter()
            .map(|(name, d)| (dir.join(format!("{}.lean", name.replace('/', "_"))), d.content.as_str()))
            .collect();
        if let Some((path, _)) = files.iter().find(|f| !e.one.common.force && f.0.exists()) {
            eprintln!("lean-oracle: {} already exists. Use -f to overwrite.", path.display());
            return ExitCode::from(EXISTS);
        }
        for (path, content) in files {
            let written =
                std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, format!("{content}\n")));
            if let Err(e) = written {
                eprintln!("lean-oracle: {} cannot be written: {e}", path.display());
                return ExitCode::FAILURE;
            }
            eprintln!("Wrote {}", path.display());
        }
    }
    e.one.common.finish(answer, |a| a.lean_messages.errors.is_empty())
}
