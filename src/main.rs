//! The command line. It only reads arguments and prints answers; everything else is in the library.

#[path = "cli/merge.rs"]
mod merge;
#[path = "cli/mlp.rs"]
mod mlp;
#[path = "cli/plot/mod.rs"]
mod plot;
#[path = "cli/pool.rs"]
mod pool;
#[path = "cli/question.rs"]
mod question;
#[path = "cli/queue.rs"]
mod queue;
#[path = "cli/repl.rs"]
mod repl;
#[path = "cli/request.rs"]
mod request;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/transport.rs"]
mod transport;
#[path = "cli/verify.rs"]
mod verify;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use lean_oracle::ball::{Direction, Enclosure};
use lean_oracle::oracle::{self, FUNCTIONS, Query, Settings};
use lean_oracle::{Code, Error, guarded};

/// Proved enclosures of real functions.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Enclose the values of a function on an interval.
    Enclose(Enclose),
    /// List the functions with their domains.
    Functions {
        /// As a Markdown table.
        #[arg(long)]
        markdown: bool,
    },
    /// Enclose the range of an expression over a box, with the places of its ends.
    Range(Question),
    /// Find the zeros of an expression in one variable.
    Roots(Question),
    /// Decide whether one expression is below another at every point of a box.
    Compare(question::Compare),
    /// Prove an inequality between a rational expression and a number on a box, for the Lean kernel.
    Certify(question::Certify),
    /// Bound the outputs of a network; its weights may come from a .safetensors file.
    Mlp(mlp::Mlp),
    /// Draw the proved range of an expression in one variable, as SVG or PNG.
    Plot(plot::Plot),
    /// Enclose the integral of an expression in one variable; ends such as pi are fine: x=0..pi.
    Integrate(Question),
    /// Answer JSON requests from a file: one object, or one a line.
    Request {
        /// The file, or - for standard input.
        file: PathBuf,
    },
    /// Combine Lean files into one that compiles.
    Merge(merge::Merge),
    /// Bring a Lean file into a plain form, without sections and namespaces.
    Normalize(merge::Normalize),
    /// Rename declarations of a Lean file, with all references.
    Rename(merge::Rename),
    /// Compile a Lean file and print what the compiler says as JSON.
    Check(merge::Check),
    /// Take a Lean file apart into declarations that compile alone; prints JSON.
    ExtractDecls(merge::ExtractDecls),
    /// Replace the proofs of a Lean file by sorry.
    #[command(name = "theorem2sorry")]
    TheoremToSorry(merge::TheoremToSorry),
    /// Pass requests of clients on to workers, over ZeroMQ; or, with --status, ask how one is doing.
    Broker(transport::BrokerArgs),
    /// Answer JSON requests over ZeroMQ, at a broker or for clients that connect.
    Worker(transport::WorkerArgs),
    /// Ask a broker or a worker.
    Call(transport::CallArgs),
    /// Make a pair of CURVE keys.
    Keygen(transport::Keygen),
    /// Check Lean code for others over HTTP, with the interface of Kimina Lean Server.
    Serve(Box<serve::ServeArgs>),
    /// Check files of Lean snippets; an interrupted run can be resumed.
    Verify(verify::VerifyArgs),
    /// Check snippets that `serve` or `verify` put on a queue, on any number of machines.
    VerifyWorker(queue::WorkerArgs),
    /// Check Lean code: files, or what is typed, each text on its own.
    Repl(repl::ReplArgs),
    /// Stand in for TorchLean's `arb_oracle.py`, flag for flag.
    Arb(Arb),
}

#[derive(Args)]
struct Question {
    /// The expression, e.g. "x^2 + sin(pi*y)".
    expr: String,
    /// For each variable its interval: x=LO..HI.
    #[arg(required = true)]
    vars: Vec<String>,
    /// Significant digits at each end.
    #[arg(long, default_value_t = 20)]
    digits: u32,
    /// How much work goes into tightness: fast, default or tight.
    #[arg(long)]
    level: Option<String>,
    /// For --level tight: how far each end may be from the truth.
    #[arg(long)]
    tol: Option<String>,
    /// Stop after so many milliseconds.
    #[arg(long)]
    timeout_ms: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Enclose {
    /// The function, e.g. exp; see `lean-oracle functions`.
    func: String,
    /// The lower endpoint: a decimal, a fraction 1/3 or a ball [0.1 +/- 1e-3]; read exactly.
    lo: String,
    /// The upper endpoint.
    hi: String,
    /// Significant digits at each end.
    #[arg(long, default_value_t = Settings::default().digits)]
    digits: u32,
    /// Working precision to begin with, in bits; it is raised as needed.
    #[arg(long, default_value_t = Settings::default().prec_bits)]
    prec_bits: u32,
    /// Cap on the working precision, in bits.
    #[arg(long)]
    max_bits: Option<u32>,
    /// Limit on the absolute value of powers of ten.
    #[arg(long, default_value_t = Settings::default().exp_limit)]
    exp_limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Arb {
    /// The script path that TorchLean passes first; ignored.
    script: Option<PathBuf>,
    /// The function.
    #[arg(long)]
    func: Option<String>,
    /// The lower endpoint; write --lo=-1 for negative numbers.
    #[arg(long, allow_hyphen_values = true)]
    lo: Option<String>,
    /// The upper endpoint.
    #[arg(long, allow_hyphen_values = true)]
    hi: Option<String>,
    /// A JSON request in a file, or - for standard input; overrides --func, --lo and --hi.
    #[arg(long)]
    request: Option<PathBuf>,
    /// Working precision to begin with, in bits; it is raised as needed.
    #[arg(long, default_value_t = 200, allow_hyphen_values = true, value_parser = integer)]
    prec_bits: i64,
    /// Significant digits at each end; 0 or less: as many as the working precision holds.
    #[arg(long, default_value_t = 50, allow_hyphen_values = true, value_parser = integer)]
    digits: i64,
}

fn main() -> ExitCode {
    // A negative number or an expression is not a flag: with a space before it, which they may have, clap
    // agrees.
    let arguments = std::env::args_os().map(|a| match a.to_str().map(str::as_bytes) {
        Some([b'-', b'0'..=b'9' | b'.', ..]) => format!(" {}", a.to_string_lossy()).into(),
        Some([b'-', first, rest @ ..])
            if !b"-o".contains(first) && rest.iter().any(|c| b"^*/+-(".contains(c)) =>
        {
            format!(" {}", a.to_string_lossy()).into()
        }
        _ => a,
    });
    let mut command = Cli::command();
    if std::env::args_os().nth(1).is_some_and(|a| a == "serve") {
        command = command.mut_subcommand("serve", serve::with_environment);
    }
    let cli = Cli::from_arg_matches(&command.get_matches_from(arguments)).unwrap_or_else(|e| e.exit());
    match cli.command {
        Command::Functions { markdown } => {
            print!("{}", functions(markdown));
            ExitCode::SUCCESS
        }
        Command::Enclose(e) => finish(guarded(|| enclose(&e)), e.json),
        Command::Range(q) => finish(guarded(|| question::ask("range", &q)), q.json),
        Command::Roots(q) => finish(guarded(|| question::ask("roots", &q)), q.json),
        Command::Compare(c) => finish(guarded(|| question::compare(&c)), c.json),
        Command::Certify(c) => finish(guarded(|| question::certify(&c)), c.json),
        Command::Mlp(m) => finish(guarded(|| mlp::answer(&m)), true),
        Command::Plot(p) => finish(guarded(|| plot::plot(&p)), false),
        Command::Integrate(q) => finish(guarded(|| question::ask("integrate", &q)), q.json),
        Command::Request { file } => request::answer(&file),
        Command::Merge(m) => merge::merge(&m),
        Command::Normalize(n) => merge::normalize(&n),
        Command::Rename(r) => merge::rename(&r),
        Command::Check(c) => merge::check(&c),
        Command::ExtractDecls(e) => merge::extract_decls(&e),
        Command::TheoremToSorry(t) => merge::theorem2sorry(&t),
        Command::Broker(a) => finish(guarded(|| transport::broker(&a)), true),
        Command::Worker(a) => finish(guarded(|| transport::worker(&a)), true),
        Command::Call(a) => finish(guarded(|| transport::call(&a)), true),
        Command::Keygen(k) => finish(guarded(|| transport::keygen(&k)), false),
        Command::Verify(a) => verify::verify(&a),
        Command::VerifyWorker(a) => finish(guarded(|| queue::worker(&a)), false),
        Command::Serve(a) => finish(guarded(|| serve::serve(&a)), false),
        Command::Repl(r) => match guarded(|| repl::run(&r)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(e) => finish(Err(e), r.json),
        },
        Command::Arb(a) => finish(guarded(|| arb(&a)), true),
    }
}

/// Prints an answer, or an error on standard error and, with `json`, on standard output too.
fn finish(result: Result<String, Error>, json: bool) -> ExitCode {
    match result {
        Ok(text) => match writeln!(std::io::stdout(), "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            // The reader is gone.
            Err(_) => ExitCode::FAILURE,
        },
        Err(e) => {
            if json {
                let _ = writeln!(std::io::stdout(), "{}", pretty(&oracle::error_json(&e)));
            }
            eprintln!("lean-oracle: {}", printable(&e.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// An error whose control characters are written out, but for ends of lines: what a server or a file says
/// must not steer the terminal.
fn printable(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\n';
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

fn enclose(e: &Enclose) -> Result<String, Error> {
    let settings =
        Settings { digits: e.digits, prec_bits: e.prec_bits, max_bits: e.max_bits, exp_limit: e.exp_limit };
    let (lo, hi) = (e.lo.trim(), e.hi.trim());
    if e.json {
        let request = serde_json::json!({"kind": "unary", "func": e.func, "lo": lo, "hi": hi});
        return oracle::answer_json(request.to_string().as_bytes(), Some(settings)).map(|a| pretty(&a));
    }
    let start = Instant::now();
    let query = Query::parse(&e.func, lo, hi, settings)?;
    let answer = query.answer()?;
    let time = start.elapsed();
    let width = Enclosure::exact(&answer.hi.to_rational() - &answer.lo.to_rational());
    let (width, _) = width.round(Direction::Up, 4, u32::MAX)?;
    let tightness = match answer.tight {
        true => format!("each end is within one unit of digit {} of the true range", e.digits),
        false => "an enclosure, not proved to be tight (raise --max-bits)".into(),
    };
    Ok(format!(
        "{func}([{lo}, {hi}]) is inside\n  lo     {}\n  hi     {}\n  ball   ({} +/- {}) * 10^{}\n  \
         width  {width}\n  tight  {}: {tightness}\n  bits   {}\n  time   {:.1} us",
        answer.lo,
        answer.hi,
        answer.output.mid,
        answer.output.rad,
        answer.output.exp,
        if answer.tight { "yes" } else { "no" },
        answer.bits_used,
        time.as_secs_f64() * 1e6,
        func = e.func,
    ))
}

fn arb(a: &Arb) -> Result<String, Error> {
    let request = match &a.request {
        Some(path) => read(path)?,
        None => {
            let mut request = serde_json::Map::new();
            for (key, value) in [("func", &a.func), ("lo", &a.lo), ("hi", &a.hi)] {
                request.extend(value.as_ref().map(|v| (key.to_string(), v.trim().into())));
            }
            serde_json::Value::Object(request).to_string().into_bytes()
        }
    };
    let within = |value: i64, field: &'static str, most: u32| {
        u32::try_from(value).map_err(|_| {
            let message = format!("{field} is {value}; it must be at most {most}, and not negative");
            Error::new(Code::BadRequest, message).at(field)
        })
    };
    let prec_bits = within(a.prec_bits, "prec_bits", Settings::MAX_BITS)?;
    let digits = match a.digits {
        ..=0 => (f64::from(prec_bits) * std::f64::consts::LOG10_2).floor().max(1.0) as u32,
        digits => within(digits, "digits", Settings::MAX_DIGITS)?,
    };
    let settings = Settings { digits, prec_bits, ..Settings::default() };
    oracle::answer_json(&request, Some(settings)).map(|answer| pretty(&answer))
}

/// An integer, perhaps with a space before it (see `main`).
fn integer(text: &str) -> Result<i64, std::num::ParseIntError> {
    text.trim().parse()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|e| {
        Error::new(Code::BadRequest, format!("the request {} cannot be read: {e}", path.display()))
            .at("request")
    })
}

/// Indents JSON by two spaces, as the reference does. (Keys are in alphabetical order already.)
fn pretty(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_string())
}

fn functions(markdown: bool) -> String {
    let mut out = String::new();
    if markdown {
        out += "| function | meaning | domain | range found by | FLINT |\n|---|---|---|---|---|\n";
    }
    for f in FUNCTIONS {
        let (name, doc, domain) = (f.name, f.doc, f.domain_text());
        out += &match markdown {
            true => {
                let doc = doc.replace('|', "\\|").replace('*', "\\*");
                let domain = domain.replace('*', "\\*");
                format!("| `{name}` | {doc} | {domain} | {} | {} |\n", f.shape.describe(), f.flint)
            }
            false => format!("{name:<10} {domain:<20} {doc}\n"),
        };
    }
    out
}
