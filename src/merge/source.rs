//! Lean text as characters: positions, comments, tokens. Where commands begin and end, and what a name refers
//! to, is asked of the compiler and not decided here.

use std::ops::Range;

/// Turns the compiler's positions into byte offsets and back.
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Reads the line breaks of `text`.
    pub fn new(text: &'a str) -> Lines<'a> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Lines { text, starts }
    }

    /// The byte offset of a line (from 0) and a column counted by `width`; clamped to the text.
    fn offset(&self, line: usize, column: usize, width: impl Fn(char) -> usize) -> usize {
        let Some(&start) = self.starts.get(line) else { return self.text.len() };
        let mut left = column;
        for (i, c) in self.text[start..].char_indices() {
            if left == 0 || c == '\n' {
                return start + i;
            }
            left = left.saturating_sub(width(c));
        }
        self.text.len()
    }

    /// The byte offset of a position in a message: line from 1, column in code points.
    pub fn of_message(&self, line: usize, column: usize) -> usize {
        self.offset(line.saturating_sub(1), column, |_| 1)
    }

    /// The byte offset of a position in an `.ilean` file: line from 0, column in UTF-16 units.
    pub fn of_ilean(&self, line: usize, column: usize) -> usize {
        self.offset(line, column, char::len_utf16)
    }

    /// Line (from 1) and column (from 0, in code points) of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&s| s <= offset);
        (line, self.text[self.starts[line - 1]..offset].chars().count())
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier or a keyword, dots included: `Nat.succ`, `«a b».c`, `theorem`.
    Name,
    /// A number, a string or a character.
    Literal,
    /// One character of anything else; `:=` and `=>` are one token.
    Symbol,
    /// `/-- … -/` or `/-! … -/`.
    Doc,
    /// `-- …` or `/- … -/`.
    Comment,
    /// A comment or string that does not end.
    Unterminated,
}

fn name_start(c: char) -> bool {
    c == '_' || c == '«' || (c.is_alphabetic() && !matches!(c, 'λ' | 'Π' | 'Σ') && !superscript(c))
}

fn name_rest(c: char) -> bool {
    matches!(c, '_' | '\'' | '!' | '?')
        || ((c.is_alphanumeric() && !matches!(c, 'λ' | 'Π' | 'Σ')) && !superscript(c))
}

/// Digits and letters above the line are operators in Lean, not parts of names.
fn superscript(c: char) -> bool {
    matches!(c, '\u{aa}' | '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{ba}' | '\u{bc}'..='\u{be}' | '\u{2070}'..='\u{207f}')
}

/// The end of one component of a name that begins at `at`.
fn component(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    if first == '«' {
        return rest.find('»').map(|i| at + i + '»'.len_utf8());
    }
    if !name_start(first) {
        return None;
    }
    Some(at + rest.find(|c| !name_rest(c)).unwrap_or(rest.len()))
}

/// All tokens of `text` with their byte ranges; white space is left out, comments are tokens.
pub fn tokens(text: &str) -> Vec<(Token, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(|| {
        let token = next_token(text, at)?;
        at = token.1.end;
        Some(token)
    })
    .collect()
}

/// The first token at or behind `at`, which must not be inside of one.
pub fn next_token(text: &str, at: usize) -> Option<(Token, Range<usize>)> {
    let at = at + text[at..].find(|c: char| !c.is_whitespace())?;
    let c = text[at..].chars().next()?;
    let rest = &text[at..];
    let (kind, end) = if rest.starts_with("--") {
        (Token::Comment, at + rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/-") {
        let kind = match rest.as_bytes().get(2) {
            Some(b'-' | b'!') if !rest.starts_with("/--/") => Token::Doc,
            _ => Token::Comment,
        };
        match block_comment(rest) {
            Some(n) => (kind, at + n),
            None => (Token::Unterminated, text.len()),
        }
    } else if c == '"' || (c == 'r' && raw_string(rest).is_some()) {
        let end = if c == '"' { string(rest) } else { raw_string(rest).flatten() };
        match end {
            Some(n) => (Token::Literal, at + n),
            None => (Token::Unterminated, text.len()),
        }
    } else if c == '\'' {
        match character(rest) {
            Some(n) => (Token::Literal, at + n),
            None => (Token::Symbol, at + 1),
        }
    } else if c.is_ascii_digit() {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (Token::Literal, at + end)
    } else if let Some(mut end) = component(text, at) {
        while text[end..].starts_with('.')
            && let Some(next) = component(text, end + 1)
        {
            end = next;
        }
        (Token::Name, end)
    } else if rest.starts_with(":=") || rest.starts_with("=>") {
        (Token::Symbol, at + 2)
    } else {
        (Token::Symbol, at + c.len_utf8())
    };
    Some((kind, at..end))
}

/// The length of the block comment at the beginning of `text`; they nest.
fn block_comment(text: &str) -> Option<usize> {
    let (bytes, mut depth, mut i) = (text.as_bytes(), 1, 2);
    while i + 1 < bytes.len() {
        match &bytes[i..i + 2] {
            b"/-" => (depth, i) = (depth + 1, i + 2),
            b"-/" if depth == 1 => return Some(i + 2),
            b"-/" => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    None
}

fn string(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return Some(i + 1),
            _ => i += 1,
        }
    }
    None
}

/// For `r"…"` and `r#"…"#`: its length, or `Some(None)` if it does not end.
fn raw_string(text: &str) -> Option<Option<usize>> {
    let hashes = text[1..].bytes().take_while(|&b| b == b'#').count();
    if !text[1 + hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let from = 2 + hashes;
    Some(text[from..].find(&end).map(|i| from + i + end.len()))
}

fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, c) = chars.next()?;
    if c == '\\' {
        let (i, _) = chars.next()?;
        let end = text[i + 1..].find('\'')? + i + 2;
        return (end <= 14).then_some(end);
    }
    let (i, close) = chars.next()?;
    (close == '\'').then_some(i + 1)
}

/// Where a comment or string begins that does not end.
pub fn unterminated(text: &str) -> Option<usize> {
    tokens(text).last().filter(|(kind, _)| *kind == Token::Unterminated).map(|(_, range)| range.start)
}

/// Whether `text` is white space and comments alone.
pub fn is_trivia(text: &str) -> bool {
    tokens(text).iter().all(|(kind, _)| *kind == Token::Comment)
}

/// The components of a name: `A.«b c»` has two.
pub fn components(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (i, c) in name.char_indices() {
        match c {
            '«' => quoted = true,
            '»' => quoted = false,
            '.' if !quoted => {
                parts.push(&name[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&name[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(Token, &str)> {
        tokens(text).into_iter().map(|(kind, range)| (kind, &text[range])).collect()
    }

    #[test]
    fn tokens_of_every_kind() {
        use Token::{Comment, Doc, Literal, Name, Symbol};
        let text =
            "/-- a /- b -/ -/ theorem A.«x y».z' (n₁ : α) := 'a' '\\n' \"s\\\"\" r#\"a\"b\"# x² 0x1F -- e";
        let expected = [
            (Doc, "/-- a /- b -/ -/"),
            (Name, "theorem"),
            (Name, "A.«x y».z'"),
            (Symbol, "("),
            (Name, "n₁"),
            (Symbol, ":"),
            (Name, "α"),
            (Symbol, ")"),
            (Symbol, ":="),
            (Literal, "'a'"),
            (Literal, "'\\n'"),
            (Literal, "\"s\\\"\""),
            (Literal, "r#\"a\"b\"#"),
            (Name, "x"),
            (Symbol, "²"),
            (Literal, "0x1F"),
            (Comment, "-- e"),
        ];
        assert_eq!(split(text), expected);
        assert_eq!(unterminated("a /- b /- -/"), Some(2));
        assert_eq!(unterminated("a \"b"), Some(2));
        assert_eq!(unterminated("a /- b -/ \"c\" -- /-"), None);
        assert!(is_trivia(" -- a\n/- b -/ ") && !is_trivia("/-- a -/"));
        assert_eq!(components("A.«b.c».d"), ["A", "«b.c»", "d"]);
    }

    #[test]
    fn positions_in_both_units() {
        let text = "a\n𝔸α b\n";
        let lines = Lines::new(text);
        assert_eq!(lines.of_message(2, 1), 6);
        assert_eq!(lines.of_ilean(1, 2), 6);
        assert_eq!(lines.position(6), (2, 1));
        assert_eq!(lines.of_message(9, 0), text.len());
        assert_eq!(lines.of_message(1, 9), 1);
    }
}
