//! The text of the result.

use std::ops::Range;

use super::analyse::{Document, Frame};
use super::decide::{Decision, Place};
use super::rename::rewrite;
use super::source::tokens;
use super::split::{Kind, SEPARATOR, head};

/// How scopes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All that is no declaration first, by file, then the declarations.
    Hoisted,
    /// Each declaration inside the scopes that it had.
    Scoped,
}

/// The result's text, and which class was printed in which order.
pub struct Printed {
    /// The text.
    pub content: String,
    /// What could not be renamed.
    pub notes: Vec<String>,
}

/// What is needed to print.
pub struct Printer<'a> {
    /// The inputs.
    pub documents: &'a [Document],
    /// What was decided about them.
    pub decision: &'a Decision,
    /// See [`super::MergeRequest::include_alts_as_comments`].
    pub alternatives: bool,
    /// Classes whose references are written in full.
    pub full: &'a dyn Fn(usize) -> bool,
}

impl Printer<'_> {
    /// Writes the classes in this order.
    pub fn print(&self, order: &[usize], layout: Layout) -> Printed {
        let mut notes = Vec::new();
        let mut blocks = header(self.documents);
        match layout {
            Layout::Hoisted => self.hoisted(order, &mut blocks, &mut notes),
            Layout::Scoped => self.scoped(order, &mut blocks, &mut notes),
        }
        Printed { content: blocks.join("\n\n"), notes }
    }

    fn hoisted(&self, order: &[usize], blocks: &mut Vec<String>, notes: &mut Vec<String>) {
        for (d, document) in self.documents.iter().enumerate() {
            let mut group: Vec<String> = Vec::new();
            let mut close = |group: &mut Vec<String>| {
                if !group.is_empty() {
                    blocks.push(format!("{SEPARATOR}\n{}", group.join("\n")));
                    group.clear();
                }
            };
            for (i, command) in document.commands.iter().enumerate() {
                if matches!(command.kind, Kind::Theorem | Kind::Definition | Kind::Example | Kind::Broken) {
                    continue;
                }
                if command.separated {
                    close(&mut group);
                }
                group.push(self.with_comments(d, i, false, notes));
            }
            close(&mut group);
        }
        for &class in order {
            let Place { document, command } = self.decision.classes[class].chosen;
            if self.documents[document].commands[command].kind != Kind::Effect {
                blocks.push(self.class(class, notes));
            }
        }
    }

    fn scoped(&self, order: &[usize], blocks: &mut Vec<String>, notes: &mut Vec<String>) {
        // The scopes that are open: of which document, which frame, how many of its context commands.
        let mut open: Vec<(usize, usize, usize)> = Vec::new();
        let several = {
            let mut all = order.iter().map(|&c| self.decision.classes[c].chosen.document);
            let first = all.next();
            all.any(|d| Some(d) != first)
        };
        let closes = |d: usize, frame: usize| -> Option<String> {
            let frame: &Frame = &self.documents[d].frames[frame];
            match frame.opener {
                Some(_) if frame.name.is_empty() => Some("end".into()),
                Some(_) => Some(format!("end {}", frame.name)),
                // The scope of the whole file is written only where it holds something and others follow.
                None => (several && !frame.items.is_empty()).then(|| "end".into()),
            }
        };
        for &class in order {
            let Place { document: d, command } = self.decision.classes[class].chosen;
            let document = &self.documents[d];
            let wanted = &document.facts[command].scope;
            let same = open
                .iter()
                .zip(wanted)
                .take_while(|((od, of, oi), w)| *od == d && *of == w.frame && *oi <= w.items)
                .count();
            // More context inside an outer scope is possible only while no inner one is open.
            let extends = open.iter().zip(wanted).take(same).position(|((_, _, oi), w)| *oi < w.items);
            let keep = extends.map_or(same, |i| i + 1);
            for (od, frame, _) in open.drain(keep..).rev() {
                blocks.extend(closes(od, frame));
            }
            for (depth, level) in wanted.iter().enumerate().skip(keep.saturating_sub(1)) {
                let frame = &document.frames[level.frame];
                let mut lines = Vec::new();
                if depth >= keep {
                    match frame.opener {
                        Some(opener) => lines.push(self.opener(d, opener, frame, notes)),
                        None if several && !frame.items.is_empty() => lines.push("section".into()),
                        None => {}
                    }
                    open.push((d, level.frame, 0));
                }
                let from = open[depth].2;
                let items: Vec<String> = frame.items[from..level.items]
                    .iter()
                    .map(|&i| self.with_comments(d, i, true, notes))
                    .collect();
                open[depth].2 = level.items;
                if !lines.is_empty() {
                    blocks.extend(lines);
                }
                if !items.is_empty() {
                    blocks.push(items.join("\n"));
                }
            }
            blocks.push(self.class(class, notes));
        }
        for (d, frame, _) in open.drain(..).rev() {
            blocks.extend(closes(d, frame));
        }
    }

    fn opener(&self, d: usize, opener: usize, frame: &Frame, notes: &mut Vec<String>) -> String {
        let text = self.with_comments(d, opener, true, notes);
        // What a partial `end` left open has another name than its opener says.
        match frame.namespace && !text.trim_end().ends_with(&frame.name) && self.decision.names[d].is_empty()
        {
            true => format!("namespace {}", frame.name),
            false => text,
        }
    }

    /// A command with its comments.
    fn with_comments(&self, d: usize, i: usize, _context: bool, notes: &mut Vec<String>) -> String {
        let (document, command) = (&self.documents[d], &self.documents[d].commands[i]);
        let text = rewrite(document, i, &self.decision.names[d], false, notes);
        surround(document, &command.lead, &text, &command.trail)
    }

    /// The chosen version of a class, and the others as comments.
    fn class(&self, c: usize, notes: &mut Vec<String>) -> String {
        let class = &self.decision.classes[c];
        let text = |p: &Place, full: bool, notes: &mut Vec<String>| {
            rewrite(&self.documents[p.document], p.command, &self.decision.names[p.document], full, notes)
        };
        let document = &self.documents[class.chosen.document];
        let command = &document.commands[class.chosen.command];
        let mut chosen = text(&class.chosen, (self.full)(c), notes);
        if command.kind == Kind::Theorem {
            // The proof of one version, the attributes of all: other declarations may rely on them.
            let others = class.members.iter().map(|p| self.documents[p.document].source(p.command));
            chosen = with_attributes(&chosen, others);
        }
        let mut others: Vec<(&str, String)> = Vec::new();
        let mut add = |p: &Place, label: &'static str, notes: &mut Vec<String>| {
            let other = text(p, false, notes);
            if *p != class.chosen && other != chosen && !others.iter().any(|o| o.1 == other) {
                others.push((label, other));
            }
        };
        let failed = |p: &Place| {
            let fact = &self.documents[p.document].facts[p.command];
            fact.failed || fact.sorry
        };
        for p in class.members.iter().chain(&class.attempts) {
            if failed(p) && (self.alternatives || !class.success) {
                add(p, "unsuccessful attempt", notes);
            } else if self.alternatives {
                add(p, "alternative", notes);
            }
        }
        let mut out = if command.kind == Kind::Broken {
            notes.push(format!("kept as a comment, because it does not parse: {}", first_line(&chosen)));
            surround(document, &command.lead, &comment("unsuccessful attempt", &chosen), &command.trail)
        } else {
            surround(document, &command.lead, &chosen, &command.trail)
        };
        for (label, other) in others {
            out += "\n\n";
            out += &comment(label, &other);
        }
        out
    }
}

/// A declaration with those attributes of its other versions that it does not have; what is local to a file is
/// left out.
fn with_attributes<'a>(text: &str, others: impl Iterator<Item = &'a str>) -> String {
    let single = |text: &str| -> Vec<String> {
        let lists = head(text).attributes.into_iter().map(|list| list.trim_start_matches('@').trim());
        let inside = lists.filter_map(|list| list.strip_prefix('[')?.strip_suffix(']'));
        inside.flat_map(at_commas).map(str::to_string).collect()
    };
    let mut known = single(text);
    let mut missing: Vec<String> = Vec::new();
    for attribute in others.flat_map(single) {
        let own = ["local ", "scoped "].iter().any(|w| attribute.starts_with(w));
        if !own && !known.contains(&attribute) {
            known.push(attribute.clone());
            missing.push(attribute);
        }
    }
    if missing.is_empty() {
        return text.to_string();
    }
    let head = head(text);
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let before = head.attributes.iter().chain(&head.modifiers).map(|part| offset(part));
    let at = before.chain([head.at]).min().unwrap_or(head.at);
    format!("{}@[{}] {}", &text[..at], missing.join(", "), &text[at..])
}

/// The parts of a text between commas outside of brackets.
fn at_commas(text: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (_, range) in tokens(text) {
        match &text[range.clone()] {
            "(" | "[" | "{" | "⟨" => depth += 1,
            ")" | "]" | "}" | "⟩" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                out.push(text[from..range.start].trim());
                from = range.end;
            }
            _ => {}
        }
    }
    out.push(text[from..].trim());
    out
}

/// The first line of a text.
pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A text inside a block comment.
fn comment(label: &str, text: &str) -> String {
    let (opens, closes) = (text.matches("/-").count(), text.matches("-/").count());
    // Comment brackets that do not match would end this comment early or never.
    let text =
        if opens == closes { text.to_string() } else { text.replace("/-", "/ -").replace("-/", "- /") };
    format!("/-\n-- {label}\n{text}\n-/")
}

fn surround(document: &Document, lead: &Range<usize>, text: &str, trail: &Range<usize>) -> String {
    let lead = document.text[lead.clone()].trim();
    let trail = document.text[trail.clone()].trim_end();
    format!("{lead}{}{text}{trail}", if lead.is_empty() { "" } else { "\n" })
}

/// The notices of all files and one list of imports.
fn header(documents: &[Document]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for notice in documents.iter().map(|d| &d.notice).filter(|n| !n.is_empty()) {
        if !blocks.contains(notice) {
            blocks.push(notice.clone());
        }
    }
    let mut imports: Vec<&str> = Vec::new();
    // `module` and `prelude` come first and only where all files have them.
    for word in ["module", "prelude"] {
        if !documents.is_empty() && documents.iter().all(|d| d.imports.iter().any(|i| i == word)) {
            imports.push(word);
        }
    }
    for import in documents.iter().flat_map(|d| &d.imports) {
        if !imports.contains(&import.as_str()) && !matches!(import.as_str(), "module" | "prelude") {
            imports.push(import);
        }
    }
    if !imports.is_empty() {
        blocks.push(imports.join("\n"));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::with_attributes;

    #[test]
    fn attributes_are_united() {
        for (text, other, expected) in [
            (
                "theorem a : b := c",
                "@[simp, ext (iff := false)] theorem a : b := d",
                "@[simp, ext (iff := false)] theorem a : b := c",
            ),
            (
                "/-- D. -/\n@[simp] protected theorem a : b := c",
                "@[simp] @[grind =, local ext] theorem a : b := d",
                "/-- D. -/\n@[grind =] @[simp] protected theorem a : b := c",
            ),
            (
                "open X in\nprivate theorem a : b := c",
                "@[simp] theorem a : b := d",
                "open X in\n@[simp] private theorem a : b := c",
            ),
            ("@[simp] theorem a : b := c", "theorem a : b := d", "@[simp] theorem a : b := c"),
        ] {
            assert_eq!(with_attributes(text, [text, other].into_iter()), expected);
        }
    }
}
