//! Which axioms a text rests on.
//!
//! The text is run once more with `#print axioms` and `#print` for everything that it declares, one a line;
//! an `example` gets a name for that. What it declares says its `.ilean`, which Lean writes. The text comes
//! first, so it could change what those commands mean, what their answers look like, or hide one; whatever can
//! do this is looked for as plain words, in strings too, and a text that has one is not audited. So is one for
//! which an answer is missing, doubled or not exactly of the expected form.
//!
//! `notation` and its like are no obstacle: they add terms alone, and names of constants, which is all that is
//! read of an answer, are not printed with them.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use super::header::{self, Split};
use super::lean::Lean;
use super::{Audit, CheckOptions, Failure, Message, Severity, TheoremAudit};

/// Words (between dots) that let a text change Lean's syntax, its messages or the checks of its kernel, hide
/// messages, or run code that does more than compute.
const WORDS: [&str; 23] = [
    "Lean",
    "Meta",
    "PrettyPrinter",
    "Qq",
    "IO",
    "BaseIO",
    "EIO",
    "UIO",
    "RealWorld",
    "FilePath",
    "println",
    "println!",
    "timeit",
    "allocprof",
    "eval",
    "eval!",
    "guard",
    "exit",
    "extern",
    "csimp",
    "debug",
    "binder_predicate",
    "tactic_extension",
];

/// The same, for any word that contains one of these, in lower or upper case.
const STEMS: [&str; 18] = [
    "macro",
    "syntax",
    "simproc",
    "run_",
    "initialize",
    "unexpand",
    "delab",
    "builtin",
    "skipkernel",
    "unsafe",
    "implemented_by",
    "elab_",
    "_elab",
    "parser",
    "guard_msgs",
    "register_",
    "compile_",
    // Lets comments on declarations run code.
    "verso",
];

/// Words, and stems in lower or upper case, of what may go on in its process after a text has been checked
/// (tasks, other processes), or may change the process for those that come after it.
const LASTING: [&str; 7] = ["Lean", "Elab", "Meta", "IO", "BaseIO", "EIO", "extern"];
const LASTING_STEMS: [&str; 7] =
    ["task", "spawn", "setstd", "unsafe", "builtin", "initialize", "implemented_by"];

/// Whether a process that has checked this text is not for others any more.
pub(crate) fn may_last(text: &str) -> bool {
    words(text).any(|found| {
        let lower = found.to_lowercase();
        LASTING.contains(&found) || LASTING_STEMS.iter().any(|stem| lower.contains(stem))
    })
}

/// The words of a text, also those between dots and in quotes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "_!?'".contains(c)))
}

/// The word of a text that makes an audit impossible, if there is one.
pub(crate) fn obstacle(text: &str) -> Option<&str> {
    let bad = |found: &&str| {
        let lower = found.to_lowercase();
        WORDS.contains(found)
            || lower == "elab"
            // `notation` alone adds terms; its relatives in Mathlib also say how they are printed.
            || (lower.contains("notation") && *found != "notation")
            || STEMS.iter().any(|stem| lower.contains(stem))
    };
    let Code { parts, certain } = Code::of(text);
    let parts = if certain { parts } else { std::iter::once(0..text.len()).collect() };
    parts.into_iter().find_map(|part| words(&text[part]).find(bad))
}

/// Which parts of a text are code, and not comments or strings.
struct Code {
    parts: Vec<Range<usize>>,
    /// Whether Lean too takes everything else for comments, whatever syntax the text may have added. At the
    /// beginning of a token `--` and `/-` always begin a comment. After white space is such a place, unless it
    /// is in a string, a quoted name or a language of its own.
    certain: bool,
}

impl Code {
    fn of(text: &str) -> Code {
        let lower = text.to_lowercase();
        let mut certain = !text.contains(['"', '«']) && !["verso", "jsx"].iter().any(|l| lower.contains(l));
        let (mut parts, mut at, mut begin) = (Vec::new(), 0, 0);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let length = if rest.starts_with("--") {
                Some(rest.find('\n').unwrap_or(rest.len()))
            } else if rest.starts_with("/-") {
                let length = header::comment(rest);
                // After the beginning of a doc comment Lean looks for comments.
                let doc = rest.strip_prefix("/--").or(rest.strip_prefix("/-!"));
                let odd = |inside: &str| inside.trim_start().starts_with(['-', '/']);
                certain &= length.is_some() && !doc.is_some_and(odd);
                Some(length.unwrap_or(rest.len()))
            } else {
                None
            };
            if length.is_some() {
                certain &= text[..at].chars().next_back().is_none_or(|c| c == ' ' || c == '\n');
            }
            match length.or_else(|| string(rest)) {
                Some(length) => {
                    parts.push(begin..at);
                    at += length;
                    begin = at;
                }
                None => at += c.len_utf8(),
            }
        }
        parts.push(begin..at);
        Code { parts, certain }
    }
}

/// The length of a string at the start of the text.
fn string(text: &str) -> Option<usize> {
    let mut escaped = true;
    let end = text.starts_with('"').then(|| {
        text.find(|c| {
            let end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        })
    })?;
    Some(end.map_or(text.len(), |end| end + 1))
}

/// The text with a name for each `example`, and the names with their lines.
fn named(text: &str) -> (String, Vec<(String, u64)>) {
    const WORD: &str = "example";
    let (mut new, mut done, mut names) = (String::new(), 0, Vec::new());
    for part in Code::of(text).parts {
        for (at, _) in text[part.clone()].match_indices(WORD) {
            let at = part.start + at;
            let after = at + WORD.len();
            let blank = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || ":([{".contains(c));
            if blank(text[..at].chars().next_back()) && blank(text[after..].chars().next()) {
                let name = format!("lean_oracle_example.n{}", names.len() + 1);
                new += &text[done..at];
                new += &format!("def _root_.{name}");
                names.push((name, text[..at].matches('\n').count() as u64 + 1));
                done = after;
            }
        }
    }
    (new + &text[done..], names)
}

/// What a text declares, by its `.ilean`.
///
/// # Errors
/// Why that cannot be told.
fn declared(ilean: &[u8]) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Ilean {
        module: String,
        references: serde_json::Map<String, Value>,
        decls: serde_json::Map<String, Value>,
    }
    #[derive(Deserialize)]
    struct Key {
        c: Constant,
    }
    #[derive(Deserialize)]
    struct Constant {
        m: String,
        n: String,
    }
    let ilean: Ilean = serde_json::from_slice(ilean).map_err(|e| format!("Lean's .ilean: {e}"))?;
    let mut names: Vec<String> = ilean.decls.keys().cloned().collect();
    for (key, value) in &ilean.references {
        // Other keys are about local variables.
        let Ok(Key { c }) = serde_json::from_str::<Key>(key) else { continue };
        if c.m == ilean.module && !value["definition"].is_null() {
            names.push(c.n);
        }
    }
    names.sort();
    names.dedup();
    // Lean writes these names without the quotes around their parts, so it could be another's.
    match names.iter().find(|name| ["_inaccessible", "_hyg", "✝"].iter().any(|odd| name.contains(odd))) {
        Some(name) => Err(format!("{name} is a name that can mean two things")),
        None => Ok(names),
    }
}

/// Whether this is the name that Lean gives to every `example`.
fn is_example(name: &str) -> bool {
    name.rsplit('.').next() == Some("_example")
}

/// The name as it is written in a command.
fn written(name: &str) -> Option<String> {
    let name = match name.strip_prefix("_private.") {
        // The number of the private namespace separates the module from the name.
        Some(rest) => rest.split_once(".0.")?.1,
        None => name,
    };
    header::is_name(name).then(|| format!("_root_.{name}"))
}

/// Audits a text that was checked and has no errors.
pub(crate) async fn audit(
    lean: &mut Lean,
    code: &str,
    split: &Split,
    options: &CheckOptions,
) -> Result<Audit, Failure> {
    if let Some(word) = obstacle(split.after(code)) {
        let problem = format!("`{word}` in the text could change what an audit sees; it is not audited");
        return Ok(Audit::without(problem));
    }
    if split.header().lines().any(|line| line == "prelude") {
        // It could make natural numbers, or `propext`, of its own.
        return Ok(Audit::without("what begins with `prelude` may have logic of its own".into()));
    }
    let mut text = split.text(code, options.imports);
    let ilean = match lean.declared.take() {
        Some(ilean) => ilean,
        None => {
            let Some(ilean) = lean.run(&text).await?.ilean else {
                return Ok(Audit::without("`lean` finds an error where the REPL found none".into()));
            };
            ilean
        }
    };
    let mut names = match declared(&ilean) {
        Ok(names) => names,
        Err(problem) => return Ok(Audit::without(problem)),
    };
    let examples = if names.iter().any(|name| is_example(name)) {
        names.retain(|name| !is_example(name));
        let (new, examples) = named(&text);
        text = new;
        examples
    } else {
        Vec::new()
    };
    if names.is_empty() && examples.is_empty() {
        return Ok(Audit::default());
    }
    text.push('\n');
    let first = text.matches('\n').count() as u64 + 1;
    for name in names.iter().chain(examples.iter().map(|(name, _)| name)) {
        let Some(written) = written(name) else {
            return Ok(Audit::without(format!("{name} is a name that no command can have")));
        };
        // Short names, as the text's namespaces allow, could hide an axiom behind the name of another.
        let long = "set_option pp.fullNames true in";
        text += &format!(
            "{long} #print axioms {written}\n{long} set_option pp.maxSteps 20 in #print {written}\n"
        );
    }
    let run = lean.run(&text).await?;
    let Some(ilean) = run.ilean else {
        let error = run.messages.iter().find(|m| m.severity == Severity::Error).map_or("", |m| &m.data);
        return Ok(Audit::without(format!("the questions about axioms have errors: {error}")));
    };
    match declared(&ilean) {
        Ok(names) if !names.iter().any(|name| is_example(name)) => {}
        _ => return Ok(Audit::without("an `example` is written so that it gets no name".into())),
    }
    Ok(read(&names, &examples, first, &run.messages).unwrap_or_else(Audit::without))
}

/// Reads the answers to the commands, the first of which is on line `first`.
fn read(
    names: &[String],
    examples: &[(String, u64)],
    first: u64,
    messages: &[Message],
) -> Result<Audit, String> {
    let answer = |line: u64, name: &str| {
        let mut there = messages.iter().filter(|m| m.pos.line == line);
        match (there.next(), there.next()) {
            (Some(m), None) if m.severity == Severity::Info => Ok(m.data.as_str()),
            _ => Err(format!("not one answer about {name}")),
        }
    };
    let mut theorems = Vec::new();
    let named = names.iter().map(|name| (name, None));
    let all = named.chain(examples.iter().map(|(name, line)| (name, Some(line))));
    for ((name, example), line) in all.zip((first..).step_by(2)) {
        let unclear = |text: &str| format!("an unexpected answer about {name}: {text:.200}");
        let text = answer(line, name)?;
        let axioms = axioms(name, text).ok_or_else(|| unclear(text))?;
        let text = answer(line + 1, name)?;
        let (kind, is_unsafe) = kind(text).ok_or_else(|| unclear(text))?;
        let native = |axiom: &String| {
            axiom.contains("native") || axiom.starts_with("Lean.ofReduce") || axiom == "Lean.trustCompiler"
        };
        let (shown, kind) = match example {
            Some(line) => (format!("line {line}"), "example"),
            None => (name.clone(), kind),
        };
        let theorem = TheoremAudit {
            name: shown,
            sorry: axioms.iter().any(|axiom| axiom == "sorryAx"),
            native_decide: axioms.iter().any(native),
            axioms,
            is_unsafe,
            kind: kind.into(),
        };
        let standard = theorem.axioms.iter().all(|axiom| Audit::STANDARD.contains(&axiom.as_str()));
        if ["theorem", "axiom", "example"].contains(&kind) || !standard || is_unsafe {
            theorems.push(theorem);
        }
    }
    Ok(Audit { theorems, problem: None })
}

/// The axioms in the answer to `#print axioms`, sorted.
fn axioms(name: &str, text: &str) -> Option<Vec<String>> {
    let rest = text.strip_prefix('\'')?.strip_prefix(name)?.strip_prefix("' ")?;
    if rest == "does not depend on any axioms" {
        return Some(Vec::new());
    }
    let list = rest.strip_prefix("depends on axioms:")?.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut axioms: Vec<String> = list.split(',').map(|axiom| axiom.trim().to_string()).collect();
    axioms.sort();
    axioms.iter().all(|axiom| !axiom.is_empty() && !axiom.contains(char::is_whitespace)).then_some(axioms)
}

/// What kind of declaration the answer to `#print` shows, and whether it is unsafe.
fn kind(text: &str) -> Option<(&'static str, bool)> {
    const KINDS: [&str; 11] = [
        "theorem",
        "def",
        "abbrev",
        "axiom",
        "opaque",
        "inductive",
        "structure",
        "class",
        "instance",
        "constructor",
        "recursor",
    ];
    let mut is_unsafe = false;
    let mut words = text.split_whitespace();
    loop {
        // Attributes come first, in brackets.
        let word = words.next()?;
        if let Some(mut attribute) = word.strip_prefix("@[").map(|_| word) {
            while !attribute.ends_with(']') {
                attribute = words.next()?;
            }
            continue;
        }
        is_unsafe |= word == "unsafe";
        match KINDS.into_iter().find(|kind| *kind == word) {
            Some(kind) => return Some((kind, is_unsafe)),
            None if ["unsafe", "private", "protected", "noncomputable", "partial", "public", "meta"]
                .contains(&word) => {}
            None => return None,
        }
    }
}
