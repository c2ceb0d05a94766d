//! The merge itself: analyse, decide, order, print; then the compiler judges the result, and what it finds
//! changed is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::analyse::{Document, Options, analyse};
use super::decide::{Decision, Place, Wishes, decide, statement_of};
use super::lean::Lean;
use super::order::order;
use super::print::{Layout, Printed, Printer, first_line};
use super::split::Kind;
use super::{Fatal, MergeRequest, MergeResponse, Messages, Scopes, Timings, until};

/// How often a result is mended before it is given out with a note.
const ROUNDS: usize = 6;

/// How many circles are broken one by one.
const CIRCLES: usize = 20;

/// Merges files.
///
/// # Errors
/// There are no documents, one cannot be read, the time is over, or the compiler died.
pub fn merge(request: &MergeRequest, lean: &Lean) -> Result<MergeResponse, Fatal> {
    merge_with_progress(request, lean, &|_| {})
}

/// [`merge`], which says `done(i)` when document `i` is analysed, and `done(n)` after all of them when the
/// result has been compiled.
///
/// # Errors
/// As [`merge`].
pub fn merge_with_progress(
    request: &MergeRequest,
    lean: &Lean,
    done: &(dyn Fn(usize) + Sync),
) -> Result<MergeResponse, Fatal> {
    let (start, lean) = (Instant::now(), &lean.counting());
    let until = until(request.timeout_seconds);
    if request.documents.is_empty() {
        return Err(Fatal::User("there is nothing to merge: documents is empty".into()));
    }
    let options = Options {
        ignore_imports: request.ignore_imports,
        signatures: true,
        reduce: request.use_def_eq,
        until,
    };
    let numbered: Vec<(usize, &String)> = request.documents.iter().enumerate().collect();
    let documents =
        lean.each(&numbered, done, |(i, text)| analyse(lean, text, &format!("document {}", i + 1), options))?;
    let parse_ms = start.elapsed().as_millis() as u64;
    let mut job = Job { request, lean, documents, until, wishes: Wishes::default(), full: BTreeSet::new() };
    job.wishes.use_def_eq = request.use_def_eq;
    job.wishes.careful = request.scopes == Scopes::Preserve;
    let (content, result, tool_messages) = job.run()?;
    done(request.documents.len());
    Ok(MergeResponse {
        lean_messages: Messages::of_lean(&result.raw.messages),
        tool_messages,
        content,
        timings: Timings::now(start, parse_ms, lean),
    })
}

struct Job<'a> {
    request: &'a MergeRequest,
    lean: &'a Lean,
    documents: Vec<Document>,
    until: Instant,
    wishes: Wishes,
    /// Commands whose references are written in full.
    full: BTreeSet<Place>,
}

/// What a result does to a class that its file did not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// It compiled and does not any more.
    Fails,
    /// It states something else.
    Differs,
}

impl Job<'_> {
    fn run(&mut self) -> Result<(String, Document, Messages), Fatal> {
        let mut messages = Messages::default();
        let hoist = self.request.scopes == Scopes::Hoist;
        let mut layout = if hoist || self.flat() { Layout::Hoisted } else { Layout::Scoped };
        let mut best: Option<(usize, String, Document, Messages)> = None;
        for round in 0.. {
            let (decision, order) = self.plan(&mut messages);
            let full: BTreeSet<usize> =
                self.full.iter().filter_map(|p| decision.class_of.get(p).copied()).collect();
            let printer = Printer {
                documents: &self.documents,
                decision: &decision,
                alternatives: self.request.include_alts_as_comments,
                full: &|c| full.contains(&c),
            };
            let Printed { content, notes } = printer.print(&order, layout);
            let result = self.compile(&content)?;
            let changes = self.changes(&decision, &order, &result);
            let mut said = Messages { infos: decision.notes.clone(), errors: notes, ..Messages::default() };
            for (&c, change) in &changes {
                let class = &decision.classes[c];
                let what = match class.names[..] {
                    [] => first_line(self.documents[class.chosen.document].source(class.chosen.command))
                        .to_string(),
                    _ => class.names.join(", "),
                };
                let text = match change {
                    Change::Fails => format!("{what} compiles in its file but not in the result"),
                    Change::Differs => format!("{what} states something else in the result than in its file"),
                };
                // Under AXLE's rule that is to be expected.
                if hoist { said.warnings.push(text) } else { said.errors.push(text) }
            }
            if best.as_ref().is_none_or(|b| changes.len() < b.0) {
                best = Some((changes.len(), content, result, said));
            }
            if hoist || changes.is_empty() || round == ROUNDS {
                break;
            }
            if layout == Layout::Hoisted {
                layout = Layout::Scoped;
                continue;
            }
            if !self.mend(&decision, &changes) {
                break;
            }
        }
        let (left, content, result, said) = best.expect("there was at least one round");
        messages.infos.extend(said.infos);
        messages.warnings.extend(said.warnings);
        messages.errors.extend(said.errors);
        for list in [&mut messages.infos, &mut messages.warnings, &mut messages.errors] {
            let mut seen = BTreeSet::new();
            list.retain(|text| seen.insert(text.clone()));
        }
        if hoist && left > 0 {
            messages
                .warnings
                .push("hoisting changed what some declarations mean; scopes \"preserve\" keeps it".into());
        }
        Ok((content, result, messages))
    }

    /// Whether all scopes are of the simplest kind: a few `open`, `variable`, `set_option` of a whole file.
    fn flat(&self) -> bool {
        self.documents.iter().all(|d| {
            d.commands.iter().all(|c| match c.kind {
                Kind::Theorem | Kind::Definition | Kind::Example | Kind::Broken => true,
                Kind::Context => {
                    matches!(c.keyword.as_str(), "open" | "variable" | "set_option" | "universe")
                }
                _ => false,
            })
        })
    }

    /// Decides, and breaks circles by taking more versions from one file.
    fn plan(&mut self, messages: &mut Messages) -> (Decision, Vec<usize>) {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let decision = decide(&self.documents, &self.wishes);
            let circle = match order(&self.documents, &decision) {
                Ok(order) => return (decision, order),
                Err(circle) => circle,
            };
            if attempt > CIRCLES {
                // Not reached: the last attempt leaves no circle. The order of the files is what it arranged for.
                let mut order: Vec<usize> = (0..decision.classes.len()).collect();
                order.sort_by_key(|&c| decision.classes[c].chosen);
                return (decision, order);
            }
            if attempt == CIRCLES {
                // Of everything the version of the first file that has one: a file needs only what it has, so
                // that no later file is needed by an earlier one.
                self.wishes.pinned =
                    decision.classes.iter().filter_map(|c| c.members.iter().min()).copied().collect();
                continue;
            }
            // All of the circle from the file that has most of it in good order.
            let of = |d: usize, c: &usize| {
                decision.classes[*c].members.iter().find(move |m| m.document == d).copied()
            };
            let good = |p: &Place| {
                let fact = &self.documents[p.document].facts[p.command];
                !fact.failed && !fact.sorry
            };
            let value = |d: &usize| {
                let there: Vec<Place> = circle.iter().filter_map(|c| of(*d, c)).collect();
                (there.len(), there.iter().filter(|p| good(p)).count(), std::cmp::Reverse(*d))
            };
            let file = (0..self.documents.len()).max_by_key(value).expect("there are documents");
            let names: Vec<String> = circle.iter().map(|&c| decision.classes[c].names.join(", ")).collect();
            messages.warnings.push(format!(
                "{} need each other across the files; they are taken from document {}",
                names.join(" and "),
                file + 1
            ));
            for m in circle.iter().flat_map(|&c| &decision.classes[c].members) {
                match m.document == file {
                    true => self.wishes.pinned.insert(*m),
                    false => self.wishes.pinned.remove(m),
                };
            }
        }
    }

    fn compile(&self, content: &str) -> Result<Document, Fatal> {
        let options = Options { ignore_imports: false, signatures: true, reduce: false, until: self.until };
        let room = content.len() <= super::analyse::MAX_BYTES;
        if !room {
            return Err(Fatal::User(format!("the merged file would have {} bytes", content.len())));
        }
        analyse(self.lean, content, "the merged file", options)
    }

    /// Which classes fail or state something else in the result, though their file has them in order.
    fn changes(&self, decision: &Decision, order: &[usize], result: &Document) -> BTreeMap<usize, Change> {
        let mut class_names: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (c, class) in decision.classes.iter().enumerate() {
            for (i, name) in class.names.iter().enumerate() {
                class_names.entry(name.clone()).or_insert((c, i));
            }
        }
        let mut out = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut check = |c: usize, at: usize| {
            let class = &decision.classes[c];
            seen.insert(c);
            let (fact, original) =
                (&result.facts[at], &self.documents[class.chosen.document].facts[class.chosen.command]);
            let differs = || {
                let now = statement_of(result, at, &class_names);
                !class.statement.is_empty() && now.is_some_and(|n| n != class.statement)
            };
            if fact.failed && !original.failed {
                out.insert(c, Change::Fails);
            } else if !original.failed && differs() {
                out.insert(c, Change::Differs);
            }
        };
        // Named ones by name; those without, in the order in which they were printed.
        let mut nameless = order.iter().copied().filter(|&c| decision.classes[c].names.is_empty());
        for at in 0..result.commands.len() {
            if !result.movable(at) {
                continue;
            }
            match result.facts[at].names.first() {
                Some(name) => {
                    if let Some(&(c, _)) = class_names.get(name) {
                        check(c, at);
                    }
                }
                None => {
                    if let Some(c) = nameless.next() {
                        check(c, at);
                    }
                }
            }
        }
        for (c, class) in decision.classes.iter().enumerate() {
            let fact = &self.documents[class.chosen.document].facts[class.chosen.command];
            if !seen.contains(&c) && !fact.failed && !class.names.is_empty() {
                out.insert(c, Change::Fails);
            }
        }
        out
    }

    /// Changes the plan where the result is not what the files say; `false` if there is nothing left to try.
    fn mend(&mut self, decision: &Decision, changes: &BTreeMap<usize, Change>) -> bool {
        let mut tried = false;
        for &c in changes.keys() {
            let class = &decision.classes[c];
            let Place { document, command } = class.chosen;
            // Its names may mean something else beside another file's: write them in full.
            if self.full.insert(class.chosen) {
                tried = true;
                continue;
            }
            // What it needs may have been replaced by something that is equal, but not for it.
            let needs: Vec<Place> = self.documents[document].facts[command]
                .needs
                .iter()
                .map(|&n| Place { document, command: n })
                .collect();
            for place in needs {
                let Some(&other) = decision.class_of.get(&place) else { continue };
                let other = &decision.classes[other];
                if other.members.len() > 1 && other.chosen != place && self.wishes.apart.insert(place) {
                    tried = true;
                }
            }
            if class.members.len() > 1 && !tried && self.wishes.apart.insert(class.chosen) {
                tried = true;
            }
        }
        tried
    }
}
