//! Which axioms a text rests on.
//!
//! The text is run once more with `#print axioms` and `#print` for everything that it declares, one a line.
//! What it declares says its `.ilean`, which Lean writes. The text comes first, so it could change what those
//! commands mean, what their answers look like, or run code that writes answers; whatever can do this is
//! looked for in the text as plain words, inside comments and strings too, and a text that has one is not
//! audited. So is one for which an answer is missing or not exactly of the expected form.

use serde::Deserialize;
use serde_json::Value;

use super::header::{self, Split};
use super::lean::Lean;
use super::{Audit, CheckOptions, Failure, Message, Severity, TheoremAudit};

/// Words (between dots) that let a text change Lean's syntax, its messages or the checks of its kernel, or
/// run code.
const WORDS: [&str; 24] = [
    "Lean",
    "Elab",
    "Meta",
    "Parser",
    "PrettyPrinter",
    "Qq",
    "Macro",
    "MacroM",
    "IO",
    "BaseIO",
    "EIO",
    "UIO",
    "eval",
    "eval!",
    "prefix",
    "postfix",
    "infix",
    "infixl",
    "infixr",
    "extern",
    "csimp",
    "debug",
    "binder_predicate",
    "tactic_extension",
];

/// The same, for any word that contains one of these, in lower or upper case.
const STEMS: [&str; 16] = [
    "macro",
    "syntax",
    "notation",
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
    "register_",
    "compile_",
];

/// The word of a text that makes an audit impossible, if there is one.
pub(crate) fn obstacle(text: &str) -> Option<&str> {
    let word = |c: char| c.is_alphanumeric() || "_!?'".contains(c);
    text.split(|c| !word(c)).find(|found| {
        let lower = found.to_lowercase();
        WORDS.contains(found) || lower == "elab" || STEMS.iter().any(|stem| lower.contains(stem))
    })
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
    if names.iter().any(|name| name == "_example") {
        return Err("an `example` has no name to ask about; make it a theorem".into());
    }
    Ok(names)
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
    let names = match declared(&ilean) {
        Ok(names) => names,
        Err(problem) => return Ok(Audit::without(problem)),
    };
    if names.is_empty() {
        return Ok(Audit::default());
    }
    text.push('\n');
    let first = text.matches('\n').count() as u64 + 1;
    for name in &names {
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
    if run.ilean.is_none() {
        let error = run.messages.iter().find(|m| m.severity == Severity::Error).map_or("", |m| &m.data);
        return Ok(Audit::without(format!("the questions about axioms have errors: {error}")));
    }
    Ok(read(&names, first, &run.messages).unwrap_or_else(Audit::without))
}

/// Reads the answers to the commands, the first of which is on line `first`.
fn read(names: &[String], first: u64, messages: &[Message]) -> Result<Audit, String> {
    let answer = |line: u64, name: &str| {
        let mut there = messages.iter().filter(|m| m.pos.line == line);
        match (there.next(), there.next()) {
            (Some(m), None) if m.severity == Severity::Info => Ok(m.data.as_str()),
            _ => Err(format!("not one answer about {name}")),
        }
    };
    let mut theorems = Vec::new();
    for (name, line) in names.iter().zip((first..).step_by(2)) {
        let unclear = |text: &str| format!("an unexpected answer about {name}: {text:.200}");
        let text = answer(line, name)?;
        let axioms = axioms(name, text).ok_or_else(|| unclear(text))?;
        let text = answer(line + 1, name)?;
        let (kind, is_unsafe) = kind(text).ok_or_else(|| unclear(text))?;
        let native = |axiom: &String| {
            axiom.contains("native") || axiom.starts_with("Lean.ofReduce") || axiom == "Lean.trustCompiler"
        };
        let theorem = TheoremAudit {
            name: name.clone(),
            sorry: axioms.iter().any(|axiom| axiom == "sorryAx"),
            native_decide: axioms.iter().any(native),
            axioms,
            is_unsafe,
            kind: kind.into(),
        };
        let standard = theorem.axioms.iter().all(|axiom| Audit::STANDARD.contains(&axiom.as_str()));
        if kind == "theorem" || kind == "axiom" || !standard || is_unsafe {
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
