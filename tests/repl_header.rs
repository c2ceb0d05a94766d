//! The splitter of headers: against texts made from a known list of parts.

use lean_oracle::repl::Imports;
use lean_oracle::repl::header::Split;

/// A generator of numbers that are always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

const SPACE: [&str; 9] = [
    " ",
    "\n",
    "  \n ",
    "\r\n",
    "-- import No\n",
    "/- import No -/",
    "/- a /- b -/\n c -/ ",
    "/-x-/\n\n",
    " -- é «\n",
];
const NAMES: [&str; 8] = ["A", "Mathlib.Tactic", "«a b».C", "Foo.«.».x1", "αβ.γ'", "all.x", "X_1!?", "Init"];

/// Line (from 1) and column (in characters, from 0) of the end of a text.
fn end(text: &str) -> (u64, u64) {
    let column = text.chars().rev().take_while(|c| *c != '\n').count();
    (text.matches('\n').count() as u64 + 1, column as u64)
}

#[test]
fn headers_made_from_parts_are_found() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..20_000 {
        let mut text = String::new();
        let mut expected = Vec::new();
        let space = |random: &mut Random, text: &mut String| {
            for _ in 0..=random.below(2) {
                *text += random.of(&SPACE);
            }
        };
        if random.below(2) == 0 {
            space(&mut random, &mut text);
        }
        for word in ["module", "prelude"] {
            if random.below(4) == 0 {
                text += word;
                expected.push(word.to_string());
                space(&mut random, &mut text);
            }
        }
        for _ in 0..random.below(4) {
            let mut words: Vec<&str> = Vec::new();
            words.extend((random.below(4) == 0).then_some("public"));
            words.extend((random.below(4) == 0).then_some("meta"));
            words.push("import");
            words.extend((random.below(4) == 0).then_some("all"));
            words.push(random.of(&NAMES));
            for word in &words {
                text += word;
                space(&mut random, &mut text);
            }
            expected.push(words.join(" "));
        }
        // What follows is not part of it, even where it looks alike.
        let body = random.of(&[
            "",
            "def x := 1",
            "/-! import No -/ import No",
            "/-- import No -/\nimport No",
            "theorem imports : 1 = 1 := rfl\nimport No",
            "import",
            "import 1",
            "public def x := 1",
            "\timport No",
            "/- without an end\nimport No",
            "#eval 1",
            "«import» No",
            "importNo",
            "meta def x := 1",
            "import /- no name -/",
        ]);
        let code = format!("{text}{body}");
        let split = Split::new(&code, Imports::AsWritten);
        assert_eq!(split.header(), expected.join("\n"), "round {round}: {code:?}");
        // The body stands where it stood: its characters have the lines and columns that they had.
        let moved = split.body(&code);
        assert!(moved.ends_with(body) && code.ends_with(body), "round {round}: {code:?}");
        let (before, after) = (&code[..code.len() - body.len()], &moved[..moved.len() - body.len()]);
        assert_eq!(end(before), end(after), "round {round}: {code:?} {moved:?}");
        // Splitting what was split changes nothing.
        assert_eq!(Split::new(&split.header(), Imports::AsWritten).header(), split.header());
        assert_eq!(Split::new(&moved, Imports::AsWritten).header(), "", "round {round}: {code:?}");
    }
}

#[test]
fn headers_of_arbitrary_words_never_panic_and_lose_nothing() {
    const WORDS: [&str; 24] = [
        "import", "public", "meta", "all", "module", "prelude", "A", ".", "«", "»", "/-", "-/", "--", "\n",
        " ", "\r", "\t", "\"", "é", "1", "/-!", "A.B", "𝔸", "_",
    ];
    let mut random = Random(42);
    for _ in 0..50_000 {
        let code: String = (0..random.below(14)).map(|_| random.of(&WORDS)).collect();
        for imports in [Imports::AsWritten, Imports::CollapseMathlib] {
            let split = Split::new(&code, imports);
            let body = split.body(&code);
            let rest = body.trim_start_matches(['\n', ' ']);
            assert!(code.ends_with(rest), "{code:?} {body:?}");
            assert!(split.text(&code, imports).ends_with(rest), "{code:?}");
        }
    }
}

/// The examples of Kimina Lean Server's rule.
#[test]
fn kiminas_examples() {
    let header = |code: &str| Split::new(code, Imports::CollapseMathlib).header();
    assert_eq!(
        header("import Mathlib.Tactic\nimport Aesop\nimport Mathlib.Data.Nat"),
        "import Mathlib\nimport Aesop"
    );
    assert_eq!(header("import A\nimport Mathlib\nimport B"), "import Mathlib\nimport A\nimport B");
    assert_eq!(header("import A\n\n  import A\nimport MathlibExtra"), "import A\nimport MathlibExtra");
    assert_eq!(header("def x := 1\nimport A"), "");
}
