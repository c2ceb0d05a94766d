//! `lean-oracle verify`: checks files of snippets.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lean_oracle::repl::{Imports, Infotree, Pool};
use lean_oracle::serve::Executor;
use lean_oracle::serve::queue::Queue;
use lean_oracle::serve::remote::Server;
use lean_oracle::serve::verify::{self, Checker, Fields, Options, Output, Source, Summary};
use lean_oracle::{Code, Error, Result};

use crate::pool::{EngineArgs, ended, runtime};
use crate::queue::QueueArgs;

#[derive(Args)]
#[command(
    after_help = "Exit status: 0 all are valid, 1 some are not, 2 it could not be done, 130 interrupted; \
the same command goes on then."
)]
pub struct VerifyArgs {
    /// A .lean file, a directory (all .lean files in it), or a file with a JSON object on each line.
    path: PathBuf,
    /// Snippets at a time, and processes when they run here. [default: one less than there are processors;
    /// 16 with --server or --queue]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Append each result to this file, a JSON object on each line; snippets that it has are skipped.
    #[arg(long, short, value_name = "OUT.jsonl")]
    output: Option<PathBuf>,
    /// Report the axioms of each theorem; others than the standard three are not valid.
    #[arg(long)]
    audit: bool,
    /// Try those again that timed out or had no answer for another reason.
    #[arg(long)]
    retry: bool,
    /// Seconds for the header of a snippet and, again, for its body.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Let each `import Mathlib…` stand for `import Mathlib`, as Kimina Lean Server does.
    #[arg(long)]
    collapse_mathlib: bool,
    /// Put the information trees into the results (a REPL is needed).
    #[arg(long, value_enum)]
    infotree: Option<Tree>,
    /// The key of the identifier in each line; may be repeated, the first that is there counts.
    /// [default: id, custom_id, uuid, name]
    #[arg(long, value_name = "KEY")]
    id_field: Vec<String>,
    /// The key of the text in each line. [default: code, proof, formal_proof, lean_code]
    #[arg(long, value_name = "KEY")]
    code_field: Vec<String>,
    /// Let a server check them: lean-oracle serve or Kimina Lean Server.
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    server: Option<String>,
    /// The server's API key. [default: LEAN_SERVER_API_KEY]
    #[arg(long, value_name = "KEY", requires = "server")]
    api_key: Option<String>,
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tree {
    Full,
    Tactics,
    Original,
    Substantive,
}

pub fn verify(args: &VerifyArgs) -> ExitCode {
    match run(args) {
        Ok(summary) if summary.interrupted => ExitCode::from(130),
        Ok(summary) if summary.all_valid() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(e) => {
            eprintln!("lean-oracle: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &VerifyArgs) -> Result<Summary> {
    let mut options = Options {
        timeout: Duration::from_secs(args.timeout.into()),
        audit: args.audit,
        imports: if args.collapse_mathlib { Imports::CollapseMathlib } else { Imports::AsWritten },
        infotree: args.infotree.map(|tree| match tree {
            Tree::Full => Infotree::Full,
            Tree::Tactics => Infotree::Tactics,
            Tree::Original => Infotree::Original,
            Tree::Substantive => Infotree::Substantive,
        }),
        jobs: 1,
    };
    let mut fields = Fields::default();
    for (given, field) in [(&args.id_field, &mut fields.id), (&args.code_field, &mut fields.code)] {
        if !given.is_empty() {
            field.clone_from(given);
        }
    }
    let source = Source::of(&args.path, fields)?;
    let mut output = match &args.output {
        Some(path) => Output::open(path)?,
        None => Output::default(),
    };
    let (all, todo) = verify::count(&source, &options, &output, args.retry)?;
    let runtime = runtime()?;
    let begun = Instant::now();
    let summary = runtime.block_on(async {
        let stop = ended(130)?;
        let (checker, local, jobs) = checker(args).await?;
        options.jobs = jobs;
        let bar = bar(todo);
        let everything = matches!(source, Source::File(_));
        // With a file of results, what is wrong is in there.
        let quiet = args.output.is_some();
        let mut not_valid = 0u64;
        let each = |line: &verify::Line| {
            if !quiet {
                bar.suspend(|| print(&line.report(everything)));
            }
            not_valid += u64::from(line.verdict != "valid");
            bar.inc(1);
            bar.set_message(format!("{not_valid} not valid"));
        };
        let result = verify::verify(&source, &options, &checker, args.retry, &mut output, stop, each).await;
        bar.finish_and_clear();
        if let Some(executor) = local {
            executor.drain(Duration::ZERO).await;
        }
        result
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let summary = summary?;
    print(&[table(&summary, all, begun.elapsed())]);
    if summary.interrupted {
        let how = match args.output {
            Some(_) => "the same command goes on",
            None => "with --output FILE it could go on",
        };
        eprintln!("lean-oracle: interrupted; {how}");
    }
    Ok(summary)
}

/// Who checks, what is to be ended afterwards, and how many at a time.
async fn checker(args: &VerifyArgs) -> Result<(Checker, Option<Arc<dyn Executor>>, usize)> {
    let jobs = args.jobs.map(usize::from);
    if let Some(url) = &args.server {
        let key = args.api_key.clone().or_else(|| std::env::var("LEAN_SERVER_API_KEY").ok());
        let server = Server::new(url, key.filter(|k| !k.is_empty()))?;
        return Ok((Checker::Server(Arc::new(server)), None, jobs.unwrap_or(16)));
    }
    if let Some(config) = args.queue.config() {
        let queue: Arc<dyn Executor> = Arc::new(Queue::connect(config).await?);
        return Ok((Checker::Executor(queue.clone()), Some(queue), jobs.unwrap_or(16)));
    }
    let config = args.engine.pool(jobs)?;
    let jobs = config.max_processes;
    let pool: Arc<dyn Executor> = Arc::new(Pool::start(config).await?);
    pool.ready().await.map_err(|reason| Error::new(Code::BadRequest, reason).at("engine"))?;
    Ok((Checker::Executor(pool.clone()), Some(pool), jobs))
}

fn bar(todo: u64) -> ProgressBar {
    // Hidden by itself where standard error is not a terminal.
    let bar = ProgressBar::new(todo);
    let style = "{bar:30} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Prints lines; when the reader is gone, the results still go into their file.
fn print(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

/// How many of each verdict.
fn table(summary: &Summary, all: u64, elapsed: Duration) -> String {
    let mut text = String::new();
    for (verdict, count) in &summary.verdicts {
        text += &format!("{verdict:<15} {count:>9}\n");
    }
    let seconds = elapsed.as_secs_f64();
    let Summary { checked, skipped, lean_time, .. } = summary;
    let rate = *checked as f64 / seconds.max(1e-3);
    text += &format!(
        "{all} snippets: {checked} checked in {seconds:.1} s ({rate:.1} a second, {lean_time:.1} s of Lean)"
    );
    if *skipped > 0 {
        text += &format!(", {skipped} done before");
    }
    text
}
