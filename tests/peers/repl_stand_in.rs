//! A stand-in for leanprover-community/repl: the same protocol over a language of a few commands, and every
//! way to misbehave. It needs nothing but the standard library (the tests compile it with `rustc`).
//!
//! A text has a command on each line, and blank ones and comments (`--`):
//!
//! * `import M`, at the beginning of a text without `env`: known are modules that begin with `Known` or
//!   `Mathlib`; others are an error, as in Lean.
//! * `def N := V` declares, `#check N` looks up; `theorem N : A = B := rfl` is right when both are the same
//!   text; `theorem N : P := by sorry` is a proof state, in which `rfl` ends and `skip` does nothing.
//! * `#sleep MS`, `#hang`, `#spin`, `#leak MB`, `#stderr KB`, `#huge KB`, `#crash`, `#abort`, `#partial`,
//!   `#garbage`, `#noise`, `#wrong`, `#twice`, `#late`, `#deep N`, `#trickle`, `#refuse`, `#spawn`: see `command`.
//! * `#once FILE …`: the rest, but only when there is no FILE yet, which is made.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::{Command, exit};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(u64),
    Other,
}

#[derive(Clone, Default)]
struct Env(BTreeMap<String, String>);

#[derive(Default)]
struct Repl {
    envs: Vec<Env>,
    states: Vec<String>,
    leaked: Vec<Vec<u8>>,
}

fn main() {
    let mut repl = Repl::default();
    let stdin = std::io::stdin();
    let mut lines = stdin.lock().lines();
    loop {
        let mut block = String::new();
        let mut any = false;
        for line in lines.by_ref() {
            let line = line.expect("UTF-8");
            if line.trim().is_empty() {
                any = true;
                break;
            }
            any = true;
            block += line.trim_end();
        }
        if !any {
            return;
        }
        if block.starts_with('#') || block.starts_with("--") {
            continue;
        }
        let Some(request) = parse(&block) else {
            eprintln!("uncaught exception: {{\"message\": \"Could not parse JSON:\\n{block}\"}}");
            exit(1);
        };
        let answer = repl.answer(&request);
        say(&format!("{answer}\n\n"));
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

fn sleep(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn error(message: &str) -> String {
    format!("{{\"message\": {}}}", quote(message))
}

#[derive(Default)]
struct Report {
    messages: Vec<String>,
    sorries: Vec<String>,
    extra: String,
    wrong: bool,
    twice: bool,
    trickle: bool,
    refuse: bool,
}

impl Report {
    fn message(&mut self, severity: &str, line: usize, from: usize, to: usize, text: &str) {
        self.messages.push(format!(
            "{{\"severity\": \"{severity}\",\n \"pos\": {{\"line\": {line}, \"column\": {from}}},\n \
             \"endPos\": {{\"line\": {line}, \"column\": {to}}},\n \"data\": {}}}",
            quote(text)
        ));
    }
}

impl Repl {
    fn answer(&mut self, request: &BTreeMap<String, Value>) -> String {
        let text = |key: &str| match request.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let number = |key: &str| match request.get(key) {
            Some(Value::Number(n)) => Some(*n as usize),
            _ => None,
        };
        if let (Some(tactic), Some(state)) = (text("tactic"), number("proofState")) {
            return self.tactic(&tactic, state);
        }
        if let (Some(file), Some(env)) = (text("pickleTo"), number("env")) {
            let Some(Env(declared)) = self.envs.get(env) else { return error("Unknown environment.") };
            let lines: Vec<String> = declared.iter().map(|(name, value)| format!("{name}\t{value}")).collect();
            std::fs::write(file, lines.join("\n")).expect("a file");
            return format!("{{\"env\": {env}}}");
        }
        if let (Some(file), Some(state)) = (text("pickleTo"), number("proofState")) {
            let Some(goal) = self.states.get(state).cloned() else { return error("Unknown proof State.") };
            std::fs::write(file, &goal).expect("a file");
            return self.step(goal);
        }
        if let Some(file) = text("unpickleEnvFrom") {
            let lines = std::fs::read_to_string(file).expect("a file");
            let pairs = lines.lines().filter_map(|line| line.split_once('\t'));
            self.envs.push(Env(pairs.map(|(name, value)| (name.into(), value.into())).collect()));
            return format!("{{\"env\": {}}}", self.envs.len() - 1);
        }
        if let Some(file) = text("unpickleProofStateFrom") {
            let goal = std::fs::read_to_string(file).expect("a file");
            return self.step(goal);
        }
        let cmd = match (text("cmd"), text("path")) {
            (Some(cmd), _) => cmd,
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(cmd) => cmd,
                Err(e) => return error(&e.to_string()),
            },
            _ => {
                eprintln!("uncaught exception: {{\"message\": \"Could not parse as a valid JSON command\"}}");
                exit(1);
            }
        };
        let base = match number("env") {
            Some(env) => match self.envs.get(env) {
                Some(base) => Some(base.clone()),
                None => return error("Unknown environment."),
            },
            None => None,
        };
        self.run(&cmd, base, text("infotree"))
    }

    fn step(&mut self, goal: String) -> String {
        let goals = if goal.is_empty() { String::new() } else { quote(&goal) };
        let status = if goal.is_empty() { "Completed" } else { "Incomplete: open goals remain" };
        self.states.push(goal);
        format!(
            "{{\"proofStatus\": \"{status}\",\n \"proofState\": {},\n \"goals\": [{goals}]}}",
            self.states.len() - 1
        )
    }

    fn tactic(&mut self, tactic: &str, state: usize) -> String {
        let Some(goal) = self.states.get(state).cloned() else { return error("Unknown proof state.") };
        match tactic {
            "rfl" => self.step(String::new()),
            "skip" => self.step(goal),
            "#hang" => loop {
                sleep(1000);
            },
            "#crash" => exit(3),
            _ => error("Lean error:\n<input>:1:1: unknown tactic"),
        }
    }

    fn run(&mut self, cmd: &str, base: Option<Env>, infotree: Option<String>) -> String {
        let mut report = Report::default();
        let mut may_import = base.is_none();
        let mut env = base.unwrap_or_default();
        if let Some(kind) = infotree {
            report.extra += &format!(",\n \"infotree\": [{{\"kind\":   {},\n \"children\": []}}]", quote(&kind));
        }
        for (line, command) in cmd.lines().enumerate() {
            let (line, word) = (line + 1, command.trim());
            if word.is_empty() || word.starts_with("--") {
                continue;
            }
            if let Some(module) = word.strip_prefix("import ") {
                if !may_import {
                    let text = "invalid 'import' command, it must be used in the beginning of the file";
                    report.message("error", line, 0, 6, text);
                } else if module == "KnownSlow" {
                    sleep(200);
                } else if module == "KnownHang" {
                    sleep(3_600_000);
                } else if !(module.starts_with("Known") || module.starts_with("Mathlib")) {
                    // As Lean: nothing after it is looked at.
                    report.message("error", 1, 0, 0, &format!("unknown module prefix '{module}'"));
                    break;
                } else if module == "KnownWarning" {
                    report.message("warning", line, 7, 19, "KnownWarning is deprecated");
                }
                env.0.insert(module.into(), "module".into());
                continue;
            }
            may_import = false;
            let indent = command.len() - command.trim_start().len();
            self.command(word, line, indent, &mut env, &mut report);
        }
        if report.refuse {
            return error("elaboration failed as a whole");
        }
        self.envs.push(env);
        let id = if report.wrong { 0 } else { self.envs.len() - 1 };
        let mut answer = String::from("{");
        if !report.sorries.is_empty() {
            answer += &format!("\"sorries\":\n [{}],\n ", report.sorries.join(",\n  "));
        }
        if !report.messages.is_empty() {
            answer += &format!("\"messages\":\n [{}],\n ", report.messages.join(",\n  "));
        }
        answer += &format!("\"env\": {id}{}}}", report.extra);
        if report.twice {
            answer = format!("{answer}\n\n{{\"env\": {}}}", self.envs.len());
        }
        if report.trickle {
            for c in answer.chars() {
                say(&c.to_string());
                sleep(1);
            }
            return String::new();
        }
        answer
    }

    fn command(&mut self, word: &str, line: usize, indent: usize, env: &mut Env, report: &mut Report) {
        let end = indent + word.chars().count();
        let (first, rest) = word.split_once(' ').unwrap_or((word, ""));
        let number = rest.trim().parse::<u64>().unwrap_or(0);
        match first {
            "def" => {
                let (name, value) = rest.split_once(" := ").unwrap_or((rest, ""));
                if env.0.insert(name.into(), value.into()).is_some() {
                    report.message("error", line, indent, end, &format!("`{name}` has already been declared"));
                }
            }
            "#check" => match env.0.get(rest) {
                Some(_) => report.message("info", line, indent, end, &format!("{rest} : Nat")),
                None => report.message("error", line, indent + 7, end, &format!("Unknown identifier `{rest}`")),
            },
            "theorem" => {
                let (head, proof) = rest.split_once(" := ").unwrap_or((rest, ""));
                let (name, statement) = head.split_once(" : ").unwrap_or((head, ""));
                let equal = statement.split_once(" = ").is_some_and(|(a, b)| a == b);
                match proof {
                    "by sorry" => {
                        report.message("warning", line, indent + 8, indent + 8 + name.len(), "declaration uses `sorry`");
                        self.states.push(format!("⊢ {statement}"));
                        report.sorries.push(format!(
                            "{{\"proofState\": {},\n \"pos\": {{\"line\": {line}, \"column\": {}}},\n \"goal\": {},\n \
                             \"endPos\": {{\"line\": {line}, \"column\": {end}}}}}",
                            self.states.len() - 1,
                            end - 5,
                            quote(&format!("⊢ {statement}"))
                        ));
                    }
                    "rfl" if equal => {}
                    _ => report.message("error", line, end - proof.len(), end, "type mismatch"),
                }
                env.0.insert(name.into(), statement.into());
            }
            // Right, whatever it is.
            "example" => {}
            "#once" => {
                let (file, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                if std::fs::File::create_new(file).is_ok() {
                    self.command(rest, line, indent, env, report);
                }
            }
            "#sleep" => sleep(number),
            "#hang" => sleep(3_600_000),
            "#spin" => loop {
                std::hint::spin_loop();
            },
            // Memory that is touched and kept.
            "#leak" => self.leaked.push(vec![1; (number as usize) << 20]),
            "#stderr" => {
                let mut err = std::io::stderr().lock();
                for n in 0..number {
                    let _ = writeln!(err, "{n:>1023}");
                }
                let _ = writeln!(err, "the end of the flood");
            }
            "#huge" => report.message("info", line, indent, end, &"x".repeat((number as usize) << 10)),
            "#deep" => {
                let (open, close) = ("[".repeat(number as usize), "]".repeat(number as usize));
                report.extra += &format!(",\n \"infotree\": {open} {close}");
            }
            "#crash" => {
                eprintln!("uncaught exception: a crash on demand");
                exit(3);
            }
            "#abort" => std::process::abort(),
            // Half an answer, and the end.
            "#partial" => {
                say("{\"env\": 1,\n \"messages\": [{\"severity\": \"inf");
                exit(0);
            }
            // A whole block that is no JSON in the place of an answer.
            "#garbage" => {
                say("Segmentation fault? No: garbage \u{1F5D1} {\"env\":\n\n");
            }
            // A line before the answer.
            "#noise" => say("info: something was printed\n"),
            // An answer to the next request, before there is one.
            "#late" => {
                let answer = format!("{rest}\n\n");
                std::thread::spawn(move || {
                    sleep(200);
                    say(&answer);
                });
            }
            "#wrong" => report.wrong = true,
            "#twice" => report.twice = true,
            "#trickle" => report.trickle = true,
            "#refuse" => report.refuse = true,
            // Descendants: one in the group, one that leaves it.
            "#spawn" => {
                for (program, arguments) in [("sleep", vec![rest]), ("setsid", vec!["--fork", "sleep", rest])] {
                    let child = Command::new(program).args(arguments).stdout(std::process::Stdio::null()).spawn();
                    child.expect("sleep and setsid are there");
                }
            }
            _ => report.message("error", line, indent, end, "unexpected token"),
        }
    }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            c if (c as u32) < 32 => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A flat JSON object of texts, numbers and constants.
fn parse(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut rest = text.trim().strip_prefix('{')?;
    let mut object = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return after.trim().is_empty().then_some(object);
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        let (key, after) = string(rest)?;
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        let value = if rest.starts_with('"') {
            let (text, after) = string(rest)?;
            rest = after;
            Value::Text(text)
        } else {
            let end = rest.find([',', '}'])?;
            let word = rest[..end].trim();
            rest = &rest[end..];
            word.parse().map_or(Value::Other, Value::Number)
        };
        object.insert(key, value);
    }
}

fn string(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let hex: String = (0..4).filter_map(|_| chars.next()).map(|(_, c)| c).collect();
                    out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                }
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
    None
}
