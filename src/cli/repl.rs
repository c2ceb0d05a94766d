//! `lean-oracle repl`: checks what is typed, each text on its own, through a pool.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lean_oracle::repl::{Audit, CheckOptions, Failure, Outcome, Pool, Reply, Snippet};
use lean_oracle::{Code, Error};
use serde_json::json;

use crate::pool::EngineArgs;

#[derive(Args)]
pub struct ReplArgs {
    /// Files to check; without any, texts are read from standard input, each ended by a blank line.
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Seconds for the header and for the body.
    #[arg(long, default_value_t = 60.0)]
    timeout: f64,
    /// Report the axioms of each theorem; valid then means that there are only the standard three.
    #[arg(long)]
    audit: bool,
    /// Print JSON, one line for each text.
    #[arg(long)]
    pub json: bool,
}

/// Reads, checks and prints until the input ends; says whether all texts were valid.
pub fn run(args: &ReplArgs) -> Result<bool, Error> {
    let config = args.engine.pool(Some(1))?;
    let timeout = Duration::try_from_secs_f64(args.timeout).map_err(|e| {
        Error::new(Code::BadRequest, format!("--timeout {}: {e}", args.timeout)).at("timeout")
    })?;
    let options = CheckOptions { timeout, audit: args.audit, ..CheckOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(Code::Internal, format!("no runtime: {e}")))?;
    runtime.block_on(async {
        let pool = Pool::start(config).await?;
        let mut all = true;
        let mut check = async |id: String, code: String| {
            let outcome = pool.check(Snippet { id, code }, &options).await;
            all &= outcome.verdict().name() == "valid";
            let text = if args.json { one_line(&outcome) } else { readable(&outcome) };
            writeln!(std::io::stdout(), "{text}")
        };
        let mut written = Ok(());
        for file in &args.files {
            let code = String::from_utf8(crate::read(file)?).map_err(|_| {
                Error::new(Code::Parse, format!("{} is not UTF-8", file.display())).at("file")
            })?;
            written = written.and(check(file.display().to_string(), code).await);
        }
        if args.files.is_empty() {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                eprintln!("Lean code, then a blank line; Ctrl-D ends.");
            }
            let mut lines = stdin.lock().lines();
            for number in 1.. {
                let block: Vec<String> = lines
                    .by_ref()
                    .map_while(Result::ok)
                    .skip_while(|line| line.trim().is_empty())
                    .take_while(|line| !line.trim().is_empty())
                    .collect();
                if block.is_empty() || written.is_err() {
                    break;
                }
                written = check(number.to_string(), block.join("\n")).await;
            }
        }
        pool.drain(Duration::ZERO).await;
        // When the reader is gone there is nothing left to do.
        Ok(all && written.is_ok())
    })
}

fn one_line(outcome: &Outcome) -> String {
    let mut value = json!({
        "id": outcome.id, "verdict": outcome.verdict(), "time": outcome.time, "header_time": outcome.header_time,
        "diagnostics": outcome.diagnostics,
    });
    match &outcome.result {
        Ok(reply) => value["response"] = json!(reply),
        Err(failure) => value["error"] = json!(failure.to_string()),
    }
    if let Some(audit) = &outcome.audit {
        value["audit"] = json!(audit);
    }
    value.to_string()
}

fn readable(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    match &outcome.result {
        Ok(Reply::Response(response)) => {
            for m in &response.messages {
                let severity = m.severity;
                lines.push(format!("{}:{}:{}: {severity}: {}", outcome.id, m.pos.line, m.pos.column, m.data));
            }
            for sorry in response.sorries.iter().filter(|sorry| !sorry.goal.is_empty()) {
                lines.push(format!("sorry: {}", sorry.goal));
            }
        }
        Ok(Reply::ReplError { message }) => lines.push(message.clone()),
        Err(Failure::Refused { reason }) => lines.push(reason.clone()),
        Err(failure) => lines.push(failure.to_string()),
    }
    for theorem in outcome.audit.iter().flat_map(|audit: &Audit| &audit.theorems) {
        let axioms = match theorem.axioms.as_slice() {
            [] => "no axioms".to_string(),
            axioms => axioms.join(", "),
        };
        lines.push(format!("{} {}: {axioms}", theorem.kind, theorem.name));
    }
    let verdict = match outcome.verdict() {
        lean_oracle::repl::Verdict::Unaudited(why) => format!("unaudited: {why}"),
        lean_oracle::repl::Verdict::Axioms(axioms) => format!("axioms: {}", axioms.join(", ")),
        verdict => verdict.name().to_string(),
    };
    let header = if outcome.diagnostics.reused_header {
        String::new()
    } else {
        format!(" + {:.3} s header", outcome.header_time)
    };
    lines.push(format!("{verdict} ({:.3} s{header})", outcome.time));
    lines.join("\n")
}
