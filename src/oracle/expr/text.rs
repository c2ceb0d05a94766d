//! Expressions as people write them: `x^2 + 0.1*x - 0.5`, `let y = sin(x); y*exp(-y)`,
//! `if(x < 0, -x, x)`.
//!
//! ```text
//! expr    = "let" name "=" expr ";" expr | sum
//! sum     = product (("+" | "-") product)*
//! product = signed (("*" | "/") signed)*
//! signed  = ("-" | "+") signed | power
//! power   = atom (("^" | "**") signed)?
//! atom    = number | name | name "(" expr ("," expr)* ")" | "(" expr ")"
//!         | "if" "(" expr ("<" | "<=" | ">" | ">=") expr "," expr "," expr ")"
//! ```
//!
//! Names are variables, named constants (`pi`) and, before a parenthesis, functions; `min`, `max` and
//! `pow` too.

use super::{Builder, Expr};
use crate::ball::Interval;
use crate::error::{Code, Error, Result};

/// How deep parentheses, signs and powers may nest. (JSON has no such limit.)
const MAX_DEPTH: u32 = 400;

impl Expr {
    /// Reads text; powers of ten up to `exp_limit`. With `vars` the variables are these; without,
    /// every name that is not a constant is one, in the order of appearance.
    ///
    /// An error of syntax ([`Code::Parse`]) shows the place with a caret under it.
    pub fn from_text(text: &str, vars: Option<Vec<String>>, exp_limit: u32) -> Result<Expr> {
        let open = vars.is_none();
        let builder = Builder::new(vars.unwrap_or_default());
        let mut p = Parser { text, at: 0, builder, bound: Vec::new(), open, exp_limit, depth: 0 };
        let root = p.expr()?;
        p.skip_spaces();
        if p.at < text.len() {
            return Err(p.error("an operator or the end was expected here"));
        }
        Ok(p.builder.finish(root))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    builder: Builder,
    /// Names bound by `let`, innermost last.
    bound: Vec<(&'a str, usize)>,
    /// Whether unknown names become variables.
    open: bool,
    exp_limit: u32,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn error(&self, what: &str) -> Error {
        self.error_at(self.at, what)
    }

    /// An error that shows the line with a caret under the place.
    fn error_at(&self, at: usize, what: &str) -> Error {
        let start = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        let line = self.text[start..].lines().next().unwrap_or("");
        // A long line is shown from a little before the place.
        let column = self.text[start..at].chars().count();
        let skipped = column.saturating_sub(60);
        let shown: String = line.chars().skip(skipped).take(100).collect();
        let caret = " ".repeat(column - skipped);
        Error::new(Code::Parse, format!("{what}\n  {shown}\n  {caret}^")).at("expr")
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Whether `token` comes next; takes it if so.
    fn eat(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let there = self.text[self.at..].starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.error(&format!("`{token}` was expected here"))) }
    }

    /// A name, taken if one comes next.
    fn identifier(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return None;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'')).unwrap_or(rest.len());
        self.at += end;
        Some(&rest[..end])
    }

    /// Runs `f` one level deeper.
    fn nested(&mut self, f: impl FnOnce(&mut Self) -> Result<usize>) -> Result<usize> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("nested too deep here; write parts as `let`, or use JSON"));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn expr(&mut self) -> Result<usize> {
        let start = self.at;
        if self.identifier() != Some("let") {
            self.at = start;
            return self.sum();
        }
        let name = self.identifier().ok_or_else(|| self.error("a name was expected after `let`"))?;
        self.expect("=")?;
        let value = self.nested(Self::expr)?;
        self.expect(";")?;
        self.bound.push((name, value));
        let body = self.nested(Self::expr);
        self.bound.pop();
        body
    }

    fn sum(&mut self) -> Result<usize> {
        let mut left = self.product()?;
        loop {
            let (op, at) = (
                if self.eat("+") {
                    "add"
                } else if self.eat("-") {
                    "sub"
                } else {
                    return Ok(left);
                },
                self.at,
            );
            let right = self.product()?;
            left = self.operation(op, &[left, right], at)?;
        }
    }

    fn product(&mut self) -> Result<usize> {
        let mut left = self.signed()?;
        loop {
            let (op, at) = (
                if self.eat("*") {
                    "mul"
                } else if self.eat("/") {
                    "div"
                } else {
                    return Ok(left);
                },
                self.at,
            );
            let right = self.signed()?;
            left = self.operation(op, &[left, right], at)?;
        }
    }

    fn signed(&mut self) -> Result<usize> {
        let at = self.at;
        if self.eat("-") {
            let x = self.nested(Self::signed)?;
            return self.operation("neg", &[x], at);
        }
        if self.eat("+") {
            return self.nested(Self::signed);
        }
        self.power()
    }

    fn power(&mut self) -> Result<usize> {
        let base = self.atom()?;
        let at = self.at;
        if self.eat("^") || self.eat("**") {
            let exponent = self.nested(Self::signed)?;
            return self.operation("pow", &[base, exponent], at);
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<usize> {
        self.skip_spaces();
        let at = self.at;
        if self.eat("(") {
            let inside = self.nested(Self::expr)?;
            self.expect(")")?;
            return Ok(inside);
        }
        if let Some(name) = self.identifier() {
            return if self.eat("(") { self.call(name, at) } else { self.name(name, at) };
        }
        let number = self.number();
        if number.is_empty() {
            return Err(self.error("a number, a name or `(` was expected here"));
        }
        let value = Interval::parse(number, self.exp_limit)
            .map_err(|e| Error { code: e.code, ..self.error_at(at, &e.message) })?;
        self.builder.number(value)
    }

    /// The longest text that looks like an unsigned decimal number.
    fn number(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if end > 0 && matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = bytes.get(end + 1 + sign).map_or(0, |_| digits(end + 1 + sign));
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        self.at += end;
        &rest[..end]
    }

    fn name(&mut self, name: &str, at: usize) -> Result<usize> {
        if let Some((_, value)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return Ok(*value);
        }
        if self.open && !self.builder.vars.iter().any(|v| v == name) {
            if let Some(constant) = self.builder.constant(name)? {
                return Ok(constant);
            }
            self.builder.vars.push(name.to_string());
        }
        self.builder.name(name, true).map_err(|e| Error { code: e.code, ..self.error_at(at, &e.message) })
    }

    fn call(&mut self, name: &str, at: usize) -> Result<usize> {
        if name == "if" {
            return self.nested(|p| p.condition(at));
        }
        let mut args = Vec::new();
        if !self.eat(")") {
            loop {
                args.push(self.nested(Self::expr)?);
                if self.eat(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        self.operation(name, &args, at)
    }

    fn condition(&mut self, at: usize) -> Result<usize> {
        let mut left = self.expr()?;
        // Longer tokens first.
        let (op, swap) = if self.eat("<=") {
            ("if_le", false)
        } else if self.eat(">=") {
            ("if_le", true)
        } else if self.eat("<") {
            ("if_lt", false)
        } else if self.eat(">") {
            ("if_lt", true)
        } else {
            return Err(self.error("`<`, `<=`, `>` or `>=` was expected here"));
        };
        let mut right = self.expr()?;
        if swap {
            (left, right) = (right, left);
        }
        self.expect(",")?;
        let yes = self.expr()?;
        self.expect(",")?;
        let no = self.expr()?;
        self.expect(")")?;
        self.operation(op, &[left, right, yes, no], at)
    }

    fn operation(&mut self, op: &str, args: &[usize], at: usize) -> Result<usize> {
        self.builder.operation(op, args).map_err(|e| Error { code: e.code, ..self.error_at(at, &e.message) })
    }
}
