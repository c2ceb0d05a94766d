//! How a command is read: its words, what its names refer to, and what holds where it stands. Two commands that
//! are read the same say the same, and the compiler need not be asked what they say.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::analyse::{Document, Reference};
use super::source::{Token, tokens};
use super::split::{Kind, head};

/// Stands for how something is read.
pub type Digest = [u8; 16];

fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let all = hash.finalize();
    std::array::from_fn(|i| all[i])
}

/// A command without comments, each name as what `resolve` makes of the constant that it refers to; with
/// `statement`, only what stands before its proof, if that is plain.
pub fn words(
    document: &Document,
    command: usize,
    statement: bool,
    resolve: &dyn Fn(&Reference) -> String,
) -> String {
    let references = &document.facts[command].references;
    let start = document.commands[command].range.start;
    let text = document.source(command);
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut plain) = (0i32, true);
    for (kind, range) in tokens(text) {
        if matches!(kind, Token::Comment | Token::Doc) {
            continue;
        }
        let word = &text[range.clone()];
        match word {
            "(" | "[" | "{" | "⟨" => depth += 1,
            ")" | "]" | "}" | "⟩" => depth -= 1,
            "let" | "have" => plain = false,
            ":=" if depth == 0 && plain && statement => break,
            _ => {}
        }
        let (from, to) = (start + range.start, start + range.end);
        let first = references.partition_point(|r| r.range.start < from);
        let mut inside = references[first..].iter().take_while(|r| r.range.start < to);
        match inside.find(|r| kind == Token::Name && r.range.end == to) {
            Some(r) => {
                out += &word[..r.range.start - from];
                out += &resolve(r);
            }
            None => out += word,
        }
        out.push(' ');
    }
    out
}

/// Reads the commands of a document in their order.
pub struct Reader<'a> {
    document: &'a Document,
    owners: HashMap<String, usize>,
    /// For each frame, what its first commands that hold in it make together.
    contexts: Vec<Vec<Digest>>,
    /// What changed how the next command is read.
    effects: Digest,
    /// The same without what tactics alone take notice of.
    strong: Digest,
}

impl Reader<'_> {
    /// At the beginning.
    pub fn new(document: &Document) -> Reader<'_> {
        let contexts = vec![vec![Digest::default()]; document.frames.len()];
        let (effects, strong) = Default::default();
        Reader { document, owners: document.owners(), contexts, effects, strong }
    }

    /// How the next command is read; `None` if that is not known. `resolve` gives what a reference means; `label`
    /// what a command is that changes how those after it are read.
    pub fn read(
        &mut self,
        command: usize,
        resolve: &dyn Fn(&Reference) -> String,
        label: &dyn Fn(Option<Digest>) -> Vec<u8>,
    ) -> Option<Digest> {
        let (document, own) = (self.document, &self.document.commands[command]);
        let fact = &document.facts[command];
        let text = words(document, command, false, resolve);
        // Words may hide references: of `a.b.c` they tell the last one.
        let all: Vec<String> = fact.references.iter().filter(|r| !r.definition).map(resolve).collect();
        let all = all.join(" ");
        let known = |r: &Reference| !r.local || document.owner(&self.owners, &r.name).is_some();
        let known = fact.references.iter().all(|r| r.definition || known(r)) && !searches(document, command);
        let effects = if plain(document, command) { self.strong } else { self.effects };
        let parts =
            [text.as_bytes(), all.as_bytes(), fact.namespace.as_bytes(), &self.context(command), &effects];
        let found = known.then(|| digest(&parts));
        match own.kind {
            Kind::Context => {
                let frame = fact.scope.last().expect("the file is never closed").frame;
                let before = *self.contexts[frame].last().expect("it begins with one");
                self.contexts[frame].push(digest(&[&before, &label_of(found)]));
            }
            _ if own.effect => {
                let label = label(found);
                self.effects = digest(&[&self.effects, &label]);
                if !tactics_only(document, command) {
                    self.strong = digest(&[&self.strong, &label]);
                }
            }
            _ => {}
        }
        found
    }

    /// What holds where a command stands: the commands of the scopes around it. Scopes in which nothing holds do
    /// not count; the namespace does, apart from this.
    pub fn context(&self, command: usize) -> Digest {
        let mut context = Digest::default();
        for level in &self.document.facts[command].scope {
            let frame = &self.document.frames[level.frame];
            let modifiers = frame.opener.map(|o| head(self.document.source(o)).modifiers.join(" "));
            if let Some(modifiers) = modifiers.filter(|m| !m.is_empty()) {
                context = digest(&[&context, modifiers.as_bytes()]);
            }
            if level.items > 0 {
                context = digest(&[&context, &self.contexts[level.frame][level.items]]);
            }
        }
        context
    }
}

/// A digest, or something that is like no other.
pub fn label_of(digest: Option<Digest>) -> Vec<u8> {
    digest.map_or_else(|| uuid::Uuid::new_v4().into_bytes().to_vec(), |d| d.to_vec())
}

/// See [`super::analyse::Facts::identity`]; for every command.
pub fn identities(document: &Document) -> Vec<Digest> {
    let mut reader = Reader::new(document);
    let owners = document.owners();
    let imports = document.imports.join("\n");
    let mut known: Vec<Digest> = Vec::with_capacity(document.commands.len());
    for command in 0..document.commands.len() {
        let resolve = |r: &Reference| match document.owner(&owners, &r.name).filter(|_| r.local) {
            Some(&owner) if owner < command => format!("{} {:?}", r.name, known[owner]),
            _ => r.name.clone(),
        };
        let found = reader.read(command, &resolve, &label_of);
        known.push(digest(&[imports.as_bytes(), &label_of(found)]));
    }
    known
}

/// Whether what a command states does not depend on tactics.
fn plain(document: &Document, command: usize) -> bool {
    let theorem = document.commands[command].kind == Kind::Theorem;
    let text = words(document, command, theorem, &|r| r.name.clone());
    text.split(' ').all(|w| !matches!(w, "by" | "deriving"))
}

/// Whether a definition is made by a tactic that looks through everything that there is.
fn searches(document: &Document, command: usize) -> bool {
    let text = words(document, command, false, &|_| String::new());
    document.commands[command].kind != Kind::Theorem
        && text.split(' ').any(|w| w == "by")
        && text.split(' ').any(|w| w.ends_with('?'))
}

/// Whether nothing but tactics takes notice of the attributes of a declaration.
fn tactics_only(document: &Document, command: usize) -> bool {
    const KNOWN: [&str; 8] =
        ["simp", "ext", "grind", "inline", "always_inline", "noinline", "specialize", "csimp"];
    let text = document.source(command);
    let head = head(text);
    let attribute = |a: &&str| {
        tokens(a).into_iter().all(|(kind, range)| match kind {
            Token::Name => KNOWN.contains(&&a[range]),
            _ => matches!(&a[range], "@" | "[" | "]" | "," | "←" | "↓" | "↑"),
        })
    };
    matches!(document.commands[command].kind, Kind::Theorem | Kind::Definition)
        && !matches!(head.keyword, "instance" | "class" | "mutual")
        && !["deriving", "attribute"].iter().any(|w| text.contains(w))
        && head.attributes.iter().all(attribute)
}
