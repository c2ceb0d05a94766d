//! A file as a header and commands. The ranges of the commands are the compiler's (`trace.Elab.command`); what
//! a command is, is read from its first word.

use std::ops::Range;

use super::lean::{Message, Severity};
use super::source::{Lines, Token, is_trivia, next_token, tokens};

/// What a command does to those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `theorem` or `lemma`: only its type counts.
    Theorem,
    /// Any other declaration: `def`, `structure`, `instance`, `axiom`, `mutual` …
    Definition,
    /// `example`.
    Example,
    /// Opens a scope: `namespace`, `section`.
    Open,
    /// `end`.
    Close,
    /// Holds until the end of its scope: `open`, `variable`, `universe`, `set_option`, `local notation` …
    Context,
    /// Holds from here on everywhere: `notation`, `macro`, `attribute`, `#eval` and whatever is not known.
    Effect,
    /// `/-! … -/`.
    Documentation,
    /// It does not parse.
    Broken,
}

/// One command of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its own text, doc comment included.
    pub range: Range<usize>,
    /// The comments above it.
    pub lead: Range<usize>,
    /// The comment behind it on its last line, and alternatives that an earlier merge left below it.
    pub trail: Range<usize>,
    /// What it does.
    pub kind: Kind,
    /// Its first word after doc comment, attributes, modifiers and `… in`: `theorem`, `open`, `#eval`.
    pub keyword: String,
    /// It has attributes, is an instance or otherwise changes how later commands are read.
    pub effect: bool,
    /// A line of 22 dashes stands above it: an earlier merge began a group here.
    pub separated: bool,
}

/// A file cut into pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Everything before the first command: imports, and comments before them.
    pub header: Range<usize>,
    /// The commands in their order.
    pub commands: Vec<Command>,
}

/// The line that begins a group of hoisted commands.
pub const SEPARATOR: &str = "----------------------";

/// The ranges of the commands that a trace reports, outermost only, in order.
pub fn outermost(lines: &Lines, messages: &[Message]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = messages
        .iter()
        .filter(|m| m.kind == "trace" && m.data.starts_with("[Elab.command]"))
        .filter_map(|m| {
            let end = m.end_pos?;
            Some(lines.of_message(m.pos.line, m.pos.column)..lines.of_message(end.line, end.column))
        })
        .filter(|r| r.start < r.end)
        .collect();
    ranges.sort_by_key(|r| (r.start, std::cmp::Reverse(r.end)));
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        if out.last().is_none_or(|last| range.start >= last.end) {
            out.push(range);
        }
    }
    out
}

/// Cuts `text` at the ranges of [`outermost`]; `errors` are the compiler's messages.
pub fn split(text: &str, ranges: &[Range<usize>], errors: &[Message]) -> Split {
    let lines = Lines::new(text);
    let syntax: Vec<(usize, bool)> = errors
        .iter()
        .filter(|m| m.severity == Severity::Error)
        .filter(|m| {
            ["unexpected ", "expected ", "unterminated ", "invalid "].iter().any(|p| m.data.starts_with(p))
        })
        .map(|m| {
            let at = lines.of_message(m.pos.line, m.pos.column);
            // It may be reported on the space before the word.
            (first_token(text, at), m.data.contains("expected command"))
        })
        .collect();
    let header_end = header(text);
    let mut pieces: Vec<(Range<usize>, bool)> = Vec::new();
    let mut from = header_end;
    for range in ranges.iter().cloned().chain(std::iter::once(text.len()..text.len())) {
        let (gap_start, gap_end) = (from, range.start.max(from));
        let first = first_token(text, gap_start);
        let last_broken = syntax.iter().any(|&(at, command)| at == first && !command) && !pieces.is_empty();
        if last_broken && let Some(last) = pieces.last_mut() {
            last.1 = true;
        }
        if !is_trivia(&text[gap_start..gap_end]) {
            let all = tokens(&text[gap_start..gap_end]);
            let end = gap_start + all.iter().rfind(|t| t.0 != Token::Comment).map_or(0, |t| t.1.end);
            match pieces.last_mut().filter(|_| last_broken) {
                Some(last) => last.0.end = end,
                None => pieces.push((first..end, true)),
            }
        }
        if range.start < range.end {
            from = range.end;
            pieces.push((range, false));
        }
    }
    let mut commands = Vec::new();
    let mut from = header_end;
    for (i, (range, broken)) in pieces.iter().enumerate() {
        let (lead, separated) = lead(text, from..range.start);
        let next = pieces.get(i + 1).map_or(text.len(), |p| p.0.start);
        let trail = range.end..trail(text, range.end..next);
        from = trail.end;
        let head = head(&text[range.clone()]);
        let (kind, effect) = if *broken { (Kind::Broken, false) } else { (head.kind, head.effect) };
        let keyword = head.keyword.to_string();
        commands.push(Command { range: range.clone(), lead, trail, kind, keyword, effect, separated });
    }
    Split { header: 0..header_end, commands }
}

/// Where the first token behind `from` begins that is no comment.
fn first_token(text: &str, mut from: usize) -> usize {
    while let Some((kind, range)) = next_token(text, from) {
        if kind != Token::Comment {
            return range.start;
        }
        from = range.end;
    }
    text.len()
}

/// The end of the imports; 0 if there are none. Comments before a first command that is not an import belong
/// to that command.
pub fn header(text: &str) -> usize {
    let mut end = 0;
    let mut words = tokens(text).into_iter().filter(|t| t.0 != Token::Comment).peekable();
    while let Some((_, range)) = words.next() {
        match &text[range.clone()] {
            "module" | "prelude" => end = range.end,
            "public" | "meta" | "private" => {}
            "import" => {
                if words.peek().is_some_and(|t| &text[t.1.clone()] == "all") {
                    words.next();
                }
                match words.next() {
                    Some((Token::Name, range)) => end = range.end,
                    _ => break,
                }
            }
            _ => break,
        }
    }
    end
}

/// Where the comment behind a command ends, if there is one on its line, and what an earlier merge left below.
fn trail(text: &str, gap: Range<usize>) -> usize {
    let mut end = gap.start;
    for (_, range) in tokens(&text[gap.clone()]) {
        let range = gap.start + range.start..gap.start + range.end;
        let same_line = !text[gap.start..range.start].contains('\n');
        let left_by_merge = ["/-\n-- unsuccessful attempt\n", "/-\n-- alternative\n"]
            .iter()
            .any(|p| text[range.start..].starts_with(p));
        if !(same_line || left_by_merge) || text[range.clone()].starts_with(SEPARATOR) {
            break;
        }
        end = range.end;
    }
    end
}

/// The comments above a command, and whether a separator stands among them; those before it are dropped with it.
fn lead(text: &str, gap: Range<usize>) -> (Range<usize>, bool) {
    let comments: Vec<Range<usize>> =
        tokens(&text[gap.clone()]).into_iter().map(|t| gap.start + t.1.start..gap.start + t.1.end).collect();
    let separator = comments.iter().rposition(|r| text[r.clone()].trim_end() == SEPARATOR);
    let rest = &comments[separator.map_or(0, |i| i + 1)..];
    let range = match (rest.first(), rest.last()) {
        (Some(first), Some(last)) => first.start..last.end,
        _ => gap.end..gap.end,
    };
    (range, separator.is_some())
}

/// The beginning of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// See [`Command::kind`].
    pub kind: Kind,
    /// See [`Command::keyword`].
    pub keyword: &'a str,
    /// Where the keyword stands.
    pub at: usize,
    /// See [`Command::effect`].
    pub effect: bool,
    /// The modifiers before the keyword, in order.
    pub modifiers: Vec<&'a str>,
    /// The texts of the attribute lists `@[…]`.
    pub attributes: Vec<&'a str>,
}

/// Reads the beginning of a command.
pub fn head(text: &str) -> Head<'_> {
    let all: Vec<_> = tokens(text).into_iter().filter(|t| t.0 != Token::Comment).collect();
    let word = |i: usize| all.get(i).map_or("", |t| &text[t.1.clone()]);
    let (mut modifiers, mut attributes) = (Vec::new(), Vec::new());
    let mut prefixed = false;
    let mut i = 0;
    loop {
        match word(i) {
            doc if doc.starts_with("/--") => i += 1,
            "@" if word(i + 1) == "[" => {
                let end = closing(text, &all, i + 1);
                attributes.push(&text[all[i].1.start..all.get(end).map_or(text.len(), |t| t.1.end)]);
                i = end + 1;
            }
            modifier @ ("private" | "protected" | "public" | "noncomputable" | "unsafe" | "partial"
            | "nonrec" | "scoped" | "local" | "meta") => {
                modifiers.push(modifier);
                i += 1;
            }
            // `open A in theorem …`: the inner command says what it is.
            "open" | "variable" | "set_option" | "universe" | "include" | "omit" | "attribute"
            | "#guard_msgs" => match enclosing_in(text, &all, i) {
                Some(inner) => {
                    prefixed |= matches!(word(i), "attribute");
                    i = inner;
                }
                None => break,
            },
            _ => break,
        }
    }
    let at = all.get(i).map_or(text.len(), |t| t.1.start);
    // `#eval` is two tokens.
    let keyword = match word(i) {
        "#" => &text[at..all.get(i + 1).map_or(at + 1, |t| t.1.end)],
        other => other,
    };
    let local = modifiers.contains(&"local");
    let local_attribute = keyword == "attribute" && {
        let inside = &text[at..text[at..].find(']').map_or(text.len(), |e| at + e)];
        tokens(inside).iter().any(|t| &inside[t.1.clone()] == "local")
    };
    let kind = match keyword {
        "theorem" | "lemma" => Kind::Theorem,
        "def" | "abbrev" | "axiom" | "opaque" | "structure" | "class" | "inductive" | "coinductive"
        | "instance" | "mutual" | "constant" | "irreducible_def" | "alias" => Kind::Definition,
        "example" => Kind::Example,
        "namespace" | "section" => Kind::Open,
        "end" => Kind::Close,
        "open" | "variable" | "universe" | "universes" | "set_option" | "include" | "omit" => Kind::Context,
        doc if doc.starts_with("/-!") => Kind::Documentation,
        _ if local || local_attribute => Kind::Context,
        _ => Kind::Effect,
    };
    let declared = matches!(kind, Kind::Theorem | Kind::Definition | Kind::Example);
    let effect = kind == Kind::Effect
        || (declared && (prefixed || !attributes.is_empty()))
        || matches!(keyword, "instance" | "class")
        || (keyword == "mutual" && text.contains("@["))
        || (kind == Kind::Definition && text.contains("deriving"));
    Head { kind, keyword, at, effect, modifiers, attributes }
}

/// The index of the bracket that closes the one at `open`.
fn closing(text: &str, all: &[(Token, Range<usize>)], open: usize) -> usize {
    let mut depth = 0usize;
    for (i, (_, range)) in all.iter().enumerate().skip(open) {
        match &text[range.clone()] {
            "[" | "(" | "{" | "⟨" => depth += 1,
            "]" | ")" | "}" | "⟩" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    all.len()
}

/// For `open A in …` at `start`: the index behind `in`.
fn enclosing_in(text: &str, all: &[(Token, Range<usize>)], start: usize) -> Option<usize> {
    let mut i = start;
    while let Some((_, range)) = all.get(i) {
        match &text[range.clone()] {
            "[" | "(" | "{" => i = closing(text, all, i),
            "in" if i > start => return Some(i + 1),
            "theorem" | "lemma" | "def" | ":=" => return None,
            _ => {}
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let case = |text: &str| {
            let h = head(text);
            (h.kind, h.keyword.to_string(), h.effect)
        };
        for (text, kind, keyword, effect) in [
            ("/-- d -/ @[simp] protected theorem a : b := c", Kind::Theorem, "theorem", true),
            ("private def a := 1", Kind::Definition, "def", false),
            ("noncomputable section", Kind::Open, "section", false),
            ("open A B (c) in\nset_option x true in lemma d : e := f", Kind::Theorem, "lemma", false),
            ("open A", Kind::Context, "open", false),
            ("local notation \"a\" => b", Kind::Context, "notation", false),
            ("scoped notation \"a\" => b", Kind::Effect, "notation", true),
            ("attribute [local simp] a", Kind::Context, "attribute", false),
            ("attribute [simp] local_a", Kind::Effect, "attribute", true),
            ("instance : A b := c", Kind::Definition, "instance", true),
            ("#eval 1", Kind::Effect, "#eval", true),
            ("/-! t -/", Kind::Documentation, "/-! t -/", false),
            ("variable (in_ : A) {x : B}", Kind::Context, "variable", false),
            ("end A", Kind::Close, "end", false),
        ] {
            assert_eq!(case(text), (kind, keyword.to_string(), effect), "{text}");
        }
        assert_eq!(head("@[a, b (c := [1])] @[d] def x := 1").attributes, ["@[a, b (c := [1])]", "@[d]"]);
    }

    #[test]
    fn headers() {
        let end = |t: &str| &t[..header(t)] == "import A\npublic import B.C";
        assert!(end("import A\npublic import B.C\n\ndef x := 1"));
        assert_eq!(header("-- a\ndef x := 1"), 0);
        assert_eq!(header("/- l -/ import all A -- b\n/-- d -/ def"), 20);
    }

    #[test]
    fn comments_stay_with_what_they_are_about() {
        let text = "-- above\ndef a := 1 -- behind\n\n/-\n-- unsuccessful attempt\ndef a := 2\n-/\n\
                    ----------------------\n-- b\ndef b := 1\n";
        let at = |s: &str| text.find(s).unwrap();
        let ranges = [at("def a")..at(" -- behind"), at("def b")..text.len() - 1];
        let commands = split(text, &ranges, &[]).commands;
        assert_eq!(&text[commands[0].lead.clone()], "-- above");
        assert!(text[commands[0].trail.clone()].starts_with(" -- behind"));
        assert!(text[commands[0].trail.clone()].ends_with("-/"));
        assert_eq!((&text[commands[1].lead.clone()], commands[1].separated), ("-- b", true));
    }
}
