//! Where the header of a Lean text ends, and what it imports.

use super::{Imports, Message};

/// One line of a header, as it is sent, and where it stands in the user's text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    text: String,
    /// Line (from 1) and column (from 0) of its first word.
    line: u64,
    column: u64,
}

/// A text cut into its header and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    items: Vec<Item>,
    /// Byte offset of the end of the last word of the header.
    end: usize,
    /// Line (from 1) and column (from 0) of that place.
    line: u64,
    column: u64,
}

impl Split {
    /// Cuts a text after its last `import` (or `module`, `prelude`). The header is what Lean's grammar says,
    /// `module? prelude? (public? meta? import all? name)*` with any white space and comments between, and
    /// it ends before the first thing that does not fit: Lean then finds that in the body and says so.
    pub fn new(code: &str, imports: Imports) -> Split {
        let mut scan = Scan { rest: code, line: 1, column: 0 };
        let mut split = Split { items: Vec::new(), end: 0, line: 1, column: 0 };
        let mut stage = 0;
        loop {
            scan.space();
            let (line, column) = (scan.line, scan.column);
            let mut ahead = scan.clone();
            let text = match ahead.word() {
                Some("module") if stage == 0 => {
                    stage = 1;
                    "module".to_string()
                }
                Some("prelude") if stage < 2 => {
                    stage = 2;
                    "prelude".to_string()
                }
                Some(word @ ("public" | "meta" | "import")) => {
                    stage = 3;
                    match ahead.import(word) {
                        Some(text) => text,
                        None => break,
                    }
                }
                _ => break,
            };
            scan = ahead;
            split.items.push(Item { text, line, column });
            split.end = code.len() - scan.rest.len();
            (split.line, split.column) = (scan.line, scan.column);
        }
        if imports == Imports::CollapseMathlib {
            split.collapse();
        }
        split
    }

    /// Kimina's rule: `import Mathlib` for everything from it, first; nothing twice.
    fn collapse(&mut self) {
        let mathlib = |text: &str| {
            text.strip_prefix("import Mathlib").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let mut items: Vec<Item> = Vec::new();
        for item in std::mem::take(&mut self.items) {
            let mut item = item;
            let first = mathlib(&item.text);
            if first {
                item.text = "import Mathlib".into();
            }
            if items.iter().any(|other| other.text == item.text) {
                continue;
            }
            // `module` and `prelude` stay in front.
            let place = items.iter().take_while(|other| !other.text.contains("import ")).count();
            items.insert(if first { place } else { items.len() }, item);
        }
        self.items = items;
    }

    /// The header as it is sent to a process: a line for each import, without comments. Texts that import
    /// the same have the same.
    pub fn header(&self) -> String {
        self.items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// What follows the header, moved to its place in the user's text by line ends and spaces before it, so
    /// that every position that Lean reports, in whatever part of its answer, is one of the user's text.
    pub fn body(&self, code: &str) -> String {
        let mut text = "\n".repeat(self.line as usize - 1);
        text.extend(std::iter::repeat_n(' ', self.column as usize));
        text + &code[self.end..]
    }

    /// The whole text with the header as it is sent, and the body in its place.
    pub fn text(&self, code: &str, imports: Imports) -> String {
        if imports == Imports::AsWritten || self.items.is_empty() {
            return code.to_string();
        }
        let items: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        let header = items.join(" ");
        // On the header's last line there may be less room than the one line takes: only then positions on
        // that line move.
        let (mut text, used) = (header, self.line as usize - 1);
        if used > 0 {
            text += &"\n".repeat(used);
            text.extend(std::iter::repeat_n(' ', self.column as usize));
        }
        text + &code[self.end..]
    }

    /// The text after the header.
    pub(crate) fn after<'a>(&self, code: &'a str) -> &'a str {
        &code[self.end..]
    }

    /// A message about the header as it was sent, at its place in the user's text.
    pub fn place(&self, mut message: Message) -> Message {
        let item = |line: u64| self.items.get(line.saturating_sub(1) as usize).or(self.items.last());
        for pos in std::iter::once(&mut message.pos).chain(message.end_pos.as_mut()) {
            if let Some(item) = item(pos.line) {
                pos.line = item.line;
                pos.column += item.column;
            }
        }
        message
    }
}

/// Reads a header word by word.
#[derive(Clone)]
struct Scan<'a> {
    rest: &'a str,
    line: u64,
    column: u64,
}

impl<'a> Scan<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        for c in taken.chars() {
            (self.line, self.column) =
                if c == '\n' { (self.line + 1, 0) } else { (self.line, self.column + 1) };
        }
        self.rest = rest;
        taken
    }

    /// Skips white space and comments, as Lean does: not tabs, which it does not allow, nor doc comments,
    /// which are not comments to it, nor comments without an end.
    fn space(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\n']).len();
            if blank > 0 {
                self.advance(blank);
            } else if self.rest.starts_with("\r\n") {
                self.advance(2);
            } else if self.rest.starts_with("--") {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if let Some(length) = block_comment(self.rest) {
                self.advance(length);
            } else {
                return;
            }
        }
    }

    /// The next identifier or keyword, with its dots; `None`, and nothing taken, when there is none.
    fn word(&mut self) -> Option<&'a str> {
        let mut length = 0;
        loop {
            length += part(&self.rest[length..])?;
            match self.rest[length..].strip_prefix('.') {
                Some(after) if part(after).is_some() => length += 1,
                _ => return Some(self.advance(length)),
            }
        }
    }

    /// The rest of an import that begins with this word.
    fn import(&mut self, first: &str) -> Option<String> {
        let mut words = vec![first];
        let next = |scan: &mut Self| {
            scan.space();
            scan.word()
        };
        if words[0] == "public" {
            words.push(next(self)?);
        }
        if words.last() == Some(&"meta") {
            words.push(next(self)?);
        }
        if words.last() != Some(&"import") {
            return None;
        }
        const KEYWORDS: [&str; 5] = ["import", "public", "meta", "module", "prelude"];
        let name = next(self).filter(|word| !KEYWORDS.contains(word))?;
        words.push(name);
        if name == "all" {
            let mut ahead = self.clone();
            if let Some(name) = next(&mut ahead).filter(|word| !KEYWORDS.contains(word)) {
                words.push(name);
                *self = ahead;
            }
        }
        Some(words.join(" "))
    }
}

/// The length of a block comment at the start, with those inside it; `None` when there is none or it has no
/// end.
fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // `/--` and `/-!` are doc comments, which are no comments.
    if !bytes.starts_with(b"/-") || matches!(bytes.get(2), Some(b'-' | b'!')) {
        return None;
    }
    comment(text)
}

/// The length of what follows a `/-` at the start, to the `-/` that belongs to it; `None` without one.
pub(crate) fn comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (2, 1);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"-/" => {
                (at, depth) = (at + 2, depth - 1);
                if depth == 0 {
                    return Some(at);
                }
            }
            b"/-" => (at, depth) = (at + 2, depth + 1),
            _ => at += 1,
        }
    }
    None
}

/// Whether the text is a name: parts with dots between.
pub(crate) fn is_name(text: &str) -> bool {
    let mut scan = Scan { rest: text, line: 1, column: 0 };
    scan.word().is_some() && scan.rest.is_empty()
}

/// The length of one part of a name at the start of the text.
fn part(text: &str) -> Option<usize> {
    if let Some(quoted) = text.strip_prefix('«') {
        let inside = quoted.find(['»', '\n', '«']).filter(|at| quoted[*at..].starts_with('»'))?;
        return (inside > 0).then_some(2 * '«'.len_utf8() + inside);
    }
    let first = text.chars().next().filter(|c| c.is_alphabetic() || *c == '_')?;
    let rest = &text[first.len_utf8()..];
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_'!?".contains(c)));
    Some(first.len_utf8() + end.unwrap_or(rest.len()))
}
