//! Merging Lean files: the worked examples, generated files, real files, bad input. What is claimed of a result
//! is checked by the compiler, run here without our own code.

mod merging;
#[path = "peers/processes.rs"]
#[allow(dead_code)]
mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use lean_oracle::merge::{Fatal, Lean, MergeRequest, MergeResponse, Scopes, merge};
use merging::{Random, cli, errors, lean, messages};

fn request(documents: &[&str]) -> MergeRequest {
    let documents = documents.iter().map(|d| d.to_string()).collect();
    MergeRequest { documents, timeout_seconds: 600.0, ..MergeRequest::default() }
}

fn merged(lean: &Lean, documents: &[&str]) -> MergeResponse {
    merge(&request(documents), lean).unwrap_or_else(|e| panic!("{e}\n{}", documents.join("\n=====\n")))
}

fn data(name: &str) -> String {
    std::fs::read_to_string(Path::new("tests/data/merge").join(name)).unwrap()
}

/// The final file of AXLE's documentation, from the command line without flags and in both ways to treat scopes.
#[test]
fn the_worked_example() {
    let Some(lean) = lean("the_worked_example") else { return };
    let expected = data("expected.lean");
    let run = cli(&["merge", "tests/data/merge/File1.lean", "tests/data/merge/File2.lean"]);
    assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    assert_eq!(run.status.code(), Some(0));
    let metadata: serde_json::Value = serde_json::from_slice(&run.stderr).unwrap();
    assert_eq!(metadata["lean_messages"]["errors"].as_array().unwrap().len(), 1);
    assert!(metadata["timings"]["total_ms"].is_u64() && metadata["timings"]["parse_ms"].is_u64());
    assert_eq!(metadata["tool_messages"]["errors"], serde_json::json!([]));
    // Exactly one error, that of E.
    let found = errors(&expected);
    let line = expected.lines().position(|l| l.starts_with("theorem E")).unwrap() + 1;
    assert_eq!(found.iter().map(|e| e.0).collect::<Vec<_>>(), [line], "{found:?}");
    let strict = cli(&["merge", "--strict", "tests/data/merge/File1.lean", "tests/data/merge/File2.lean"]);
    assert_eq!(strict.status.code(), Some(3));

    // The same with the imports that AXLE's example has, which this environment replaces by none.
    let (one, two) = (data("File1.lean"), data("File2.lean"));
    let (one, two) = (format!("import Mathlib\n\n{one}"), format!("import Mathlib\n\n{two}"));
    for scopes in [Scopes::Hoist, Scopes::Preserve] {
        let request = MergeRequest { scopes, ignore_imports: true, ..request(&[&one, &two]) };
        assert_eq!(merge(&request, &lean).unwrap().content + "\n", expected);
    }
}

/// The second example of AXLE's documentation: of each theorem the version that is in order.
#[test]
fn good_versions_are_taken_across_files() {
    let Some(lean) = lean("good_versions_are_taken_across_files") else { return };
    let one = "theorem D : (1 = 1 ∧ 2 = 2) ∧ True := sorry\ntheorem B : 2 = 2 := rfl\n\
               theorem A : 1 = 1 := sorry\ntheorem C : 1 = 1 ∧ 2 = 2 := ⟨A, B⟩";
    let two = "theorem A : 1 = 1 := rfl\ntheorem C : 1 = 1 ∧ 2 = 2 := ⟨A, A⟩ -- incorrect\n\
               theorem D : (1 = 1 ∧ 2 = 2) ∧ True := ⟨C, trivial⟩\ntheorem B : 2 = 2 := sorry";
    for scopes in [Scopes::Hoist, Scopes::Preserve] {
        let answer = merge(&MergeRequest { scopes, ..request(&[one, two]) }, &lean).unwrap();
        let lines: BTreeSet<&str> = answer.content.lines().filter(|l| !l.is_empty()).collect();
        let expected = BTreeSet::from([
            "theorem A : 1 = 1 := rfl",
            "theorem B : 2 = 2 := rfl",
            "theorem C : 1 = 1 ∧ 2 = 2 := ⟨A, B⟩",
            "theorem D : (1 = 1 ∧ 2 = 2) ∧ True := ⟨C, trivial⟩",
        ]);
        assert_eq!(lines, expected);
        assert_eq!(messages(&answer.content, "error"), []);
        assert_eq!(messages(&answer.content, "warning"), []);
    }
}

#[test]
fn reduction_and_alternatives_are_as_asked() {
    let Some(lean) = lean("reduction_and_alternatives_are_as_asked") else { return };
    let one = "def two := 2\ntheorem a : two = two := rfl";
    let two = "def two := 2\ntheorem a : two = 1 + 1 := rfl";
    let hoist = |use_def_eq| MergeRequest { scopes: Scopes::Hoist, use_def_eq, ..request(&[one, two]) };
    assert_eq!(merge(&hoist(true), &lean).unwrap().content, "def two := 2\n\ntheorem a : two = two := rfl");
    let apart = merge(&hoist(false), &lean).unwrap();
    assert!(
        apart.content.ends_with("theorem a : two = two := rfl\n\ntheorem a_1 : two = 1 + 1 := rfl"),
        "{}",
        apart.content
    );
    // Definitions must have the same value, whatever their type.
    let other = merged(&lean, &["def two := 2", "def two := 3"]).content;
    assert_eq!(other, "def two := 2\n\ndef two_1 := 3");
    // Matchers do not show in the printed value; these two differ only there.
    let f = |a: &str, b: &str| format!("def f : Bool → Nat\n  | {a} => 0\n  | {b} => 1");
    let both = merged(&lean, &[&f("true", "false"), &f("false", "true")]).content;
    assert!(both.contains("def f :") && both.contains("def f_1 :"), "{both}");
    let t = |a: &str, b: &str| {
        format!("theorem t (x : Bool) : (match x with | {a} => 0 | {b} => 1) < 2 := by cases x <;> decide")
    };
    let both = merged(&lean, &[&t("true", "false"), &t("false", "true")]).content;
    assert!(both.contains("theorem t (") && both.contains("theorem t_1 ("), "{both}");
    let once =
        merged(&lean, &[&t("true", "false"), &t("true", "false").replace("by cases x <;> decide", "sorry")])
            .content;
    assert_eq!(once, t("true", "false"));
    // The value of an opaque constant is not printed at all.
    let both = merged(&lean, &["opaque o : Nat := 1", "opaque o : Nat := 2"]).content;
    assert!(both.contains("opaque o :") && both.contains("opaque o_1 :"), "{both}");

    let alternatives = MergeRequest {
        include_alts_as_comments: true,
        ..request(&[
            "theorem a : 1 = 1 := rfl",
            "theorem a : 1 = 1 := Eq.refl 1",
            "theorem a : 1 = 1 := sorry",
        ])
    };
    assert_eq!(
        merge(&alternatives, &lean).unwrap().content,
        "theorem a : 1 = 1 := rfl\n\n/-\n-- alternative\ntheorem a : 1 = 1 := Eq.refl 1\n-/\n\n\
         /-\n-- unsuccessful attempt\ntheorem a : 1 = 1 := sorry\n-/"
    );
    // Variables of other names, universes, binders.
    let same = ["theorem t (n : Nat) : n = n := rfl", "theorem t : ∀ m : Nat, m = m := fun _ => rfl"];
    assert_eq!(merged(&lean, &same).content, same[0]);
    let other = ["theorem t (n : Nat) : n = n := rfl", "theorem t {n : Nat} : n = n := rfl"];
    assert!(merged(&lean, &other).content.contains("t_1"));
}

/// Theorems of one name whose types are equal by definition are one, and no others; a comparison that fails, does
/// not end or is too deep is no reason for another one's answer.
#[test]
fn equality_is_decided_by_proof() {
    let Some(lean) = lean("equality_is_decided_by_proof") else { return };
    // In both files: what the statements are about. Only in one of them: an alias.
    let both = "abbrev N := Nat\ndef two := 2\ndef count : Nat → Nat | 0 => 0 | n + 1 => count n + 1\n";
    let alias = "def All (p : Nat → Prop) : Prop := ∀ x, p x\n";
    // Binders, types, proofs; whether they are equal by definition, and whether already as written.
    let cases = [
        ("(n : N) : n + 10 = n + 10 := rfl", "(n : Nat) : n + 10 = n + 10 := rfl", true, false),
        (": two = 2 := rfl", ": 2 = 2 := rfl", true, false),
        (": 2 + 2 = 4 := rfl", ": 4 = 4 := rfl", true, false),
        ("(f : Nat → Nat) : (fun x => f x) = f := rfl", "(f : Nat → Nat) : f = f := rfl", true, false),
        (": (fun n : Nat => n = n) 0 := rfl", ": 0 = 0 := rfl", true, false),
        (": ∀ x : Nat, x = x := fun _ => rfl", ": All (fun x => x = x) := fun _ => rfl", true, false),
        (": count 3 = 3 := rfl", ": count 2 + 1 = 3 := rfl", true, false),
        (
            ".{u, v} (α : Type u) (β : Type v) (a : α) (b : β) : (a, b).1 = a := rfl",
            ".{v, u} (α : Type u) (β : Type v) (a : α) (_b : β) : a = a := rfl",
            true,
            false,
        ),
        (".{u} (α : Type u) (a : α) : a = a := rfl", ".{w} (β : Type w) (b : β) : b = b := rfl", true, true),
        (": 11 = 11 := rfl", ": 12 = 12 := rfl", false, false),
        ("(n : Nat) : n + 0 = n := rfl", "(n : Nat) : 0 + n = n := Nat.zero_add n", false, false),
        ("(n : N) : n + 2 = n + 2 := rfl", "{n : Nat} : n + 2 = n + 2 := rfl", false, false),
        ("{α : Type} [a : Add α] : a = a := rfl", "{α : Type} (a : Add α) : id a = a := rfl", false, false),
        // Reducing these takes long, and what cannot be printed is not for that the same.
        (
            "(n : Nat) : n * 1000003 + 1 = n * 1000003 + 1 := rfl",
            "(n : Nat) : n * 1000003 + 2 = n * 1000003 + 2 := rfl",
            false,
            false,
        ),
        (
            "(h : count 100000 = 0) : count 100000 = 0 := h",
            "(h : count 100001 = 1) : count 100001 = 1 := h",
            false,
            false,
        ),
        (": 3 + 3 = 6 := rfl", ": 6 = 6 := rfl", true, false),
        (
            ".{u, v} (α : Type u) (β : Type v) (f : α → β) : f = f := rfl",
            ".{u} (α : Type u) (β : Type u) (f : α → β) : id f = f := rfl",
            false,
            false,
        ),
    ];
    let file = |start: String, which: fn(&(&str, &str)) -> String| {
        let theorems = cases.iter().enumerate();
        theorems
            .fold(start, |file, (i, c)| format!("{file}theorem t{i} {}\n", which(&(c.0, c.1))))
            .replace(" .{", ".{")
    };
    let one = file(both.to_string(), |c| c.0.to_string());
    let two = file(format!("{alias}{both}"), |c| c.1.to_string());
    for (use_def_eq, scopes) in [(true, Scopes::Preserve), (true, Scopes::Hoist), (false, Scopes::Preserve)] {
        let request = MergeRequest { use_def_eq, scopes, ..request(&[&one, &two]) };
        let answer = merge(&request, &lean).unwrap();
        assert_eq!(errors(&answer.content), [], "{}", answer.content);
        assert_eq!(answer.tool_messages.errors, Vec::<String>::new());
        for (i, (a, b, equal, written)) in cases.iter().enumerate() {
            let found = |t: &str| answer.content.matches(&format!("theorem {t}")).count();
            let names = found(&format!("t{i} ")) + found(&format!("t{i}.")) + found(&format!("t{i}_"));
            let expected = if *written || (*equal && use_def_eq) { 1 } else { 2 };
            if scopes == Scopes::Preserve {
                assert_eq!(names, expected, "{a} | {b}\n{}", answer.content);
            }
        }
    }
    // Of different names: one under AXLE's rule, two where scopes keep their meaning.
    let (one, two) = (
        "theorem a : 2 + 2 = 4 := rfl",
        "theorem b : 4 = 4 := rfl\ntheorem c : 4 = 4 ∧ True := ⟨b, trivial⟩",
    );
    let hoisted = merge(&MergeRequest { scopes: Scopes::Hoist, ..request(&[one, two]) }, &lean).unwrap();
    assert_eq!(
        hoisted.content,
        "theorem a_1 : 2 + 2 = 4 := rfl\n\ntheorem c : 4 = 4 ∧ True := ⟨a_1, trivial⟩"
    );
    assert_eq!(merged(&lean, &[one, two]).content.matches("theorem").count(), 3);
}

/// What depends on instances is asked for again where another file has others.
#[test]
fn instances_of_other_files_change_nothing() {
    let Some(lean) = lean("instances_of_other_files_change_nothing") else { return };
    let file = |n: usize| {
        format!(
            "class Size (α : Type) where\n  size : Nat\ninstance inst : Size Nat := ⟨{n}⟩\n\
             theorem size_{n} : Size.size Nat = {n} := rfl\n"
        )
    };
    let answer = merged(&lean, &[&file(1), &file(2)]);
    assert_eq!(errors(&answer.content), [], "{}", answer.content);
    assert_eq!(answer.tool_messages.errors, Vec::<String>::new());
    let probes = "example : @Size.size Nat inst = 1 := size_1\nexample : @Size.size Nat inst_1 = 2 := size_2";
    assert_eq!(errors(&format!("{}\n{probes}", answer.content)), [], "{}", answer.content);
}

/// Scopes keep their meaning: what compiles apart compiles together, and says the same.
#[test]
fn scopes_are_preserved() {
    let Some(lean) = lean("scopes_are_preserved") else { return };
    let one = "\
namespace A
universe u
variable {α : Type u} [Add α]
/-- Twice. -/
@[simp] def twice (x : α) : α := x + x
notation \"⟪\" x \"⟫\" => twice x
theorem twice_two : ⟪(2 : Nat)⟫ = 4 := rfl
private def secret := 3
theorem secret_eq : secret = 3 := rfl
structure Point where
  x : Nat
  y : Nat := x
deriving Repr, BEq
section
local notation \"zero\" => (0 : Nat)
set_option linter.unusedVariables false in
theorem zero_eq : zero = 0 := rfl
end
instance : Inhabited Point := ⟨⟨1, 2⟩⟩
def point : Point := default
end A
open A in
theorem uses : twice 1 = 2 := rfl
";
    let two = "\
variable (n : Nat)
namespace A
private def secret := 4
theorem secret_four : secret = 4 := rfl
inductive Color | red | green (n : Nat)
  deriving DecidableEq
open Color in
def Color.size : Color → Nat | red => 0 | green n => n
mutual
def even : Nat → Bool | 0 => true | n + 1 => odd n
def odd : Nat → Bool | 0 => false | n + 1 => even n
end
@[simp] theorem size_red : Color.red.size = 0 := rfl
theorem size_red' : Color.size .red + 1 = 1 := by simp
macro \"close\" : tactic => `(tactic| rfl)
theorem closed : 7 = 7 := by close
class Default (α : Type) where
  value : α
instance : Default Nat := ⟨5⟩
attribute [local simp] closed
end A
theorem n_eq : n = n := rfl
example : A.even 2 = true := by decide
";
    let three = "\
namespace A
/-- Another type of the same name, its constructors, its functions. -/
inductive Color | red | blue
def Color.size (c : Color) : Nat := match c with | .red => 10 | .blue => 20
open Color
theorem sizes : red.size + size blue = 30 := rfl
instance : Inhabited Color := ⟨red⟩
def point : Nat := (default : Color).size
end A
";
    let answer = merged(&lean, &[one, two, three]);
    let text = &answer.content;
    assert_eq!(errors(text), [], "{text}\n{:?}", answer.tool_messages);
    assert_eq!(answer.tool_messages.errors, Vec::<String>::new());
    let probes = "
example : @A.twice Nat _ 2 = 4 := rfl
example : A.point.y = 2 := rfl
example : A.point_1 = 10 := rfl
example : A.Color.size (.green 3) = 3 := rfl
example : A.Color_1.size .blue = 20 := rfl
example : A.Color_1.red.size + A.Color_1.blue.size = 30 := A.sizes
example : A.Default.value = 5 := rfl
example (n : Nat) : n = n := n_eq n
example : (A.Point.mk 1 2 == A.Point.mk 1 2) = true := rfl
#check A.secret_eq
#check A.secret_four
#check A.zero_eq
#check A.size_red'
#check A.closed
#check uses
#check A.twice_two
";
    let probed = format!("{text}\n{probes}");
    assert_eq!(errors(&probed), [], "{probed}");
    assert!(text.contains("/-- Twice. -/") && text.contains("/-- Another type"));
    // Once more changes nothing.
    assert_eq!(&merged(&lean, &[text]).content, text);
    assert_eq!(&merged(&lean, &[text, one]).content, text);
}

/// A short name that would mean another file's declaration is written in full.
#[test]
fn names_are_qualified_where_they_would_change() {
    let Some(lean) = lean("names_are_qualified_where_they_would_change") else { return };
    let one = "namespace A\ndef value := 1\nend A\n";
    let two = "def value := 2\nnamespace A\ntheorem two : value = 2 := rfl\nend A\n";
    let answer = merged(&lean, &[one, two]);
    assert_eq!(errors(&answer.content), [], "{}", answer.content);
    assert_eq!(errors(&format!("{}\nexample : _root_.value = 2 := A.two", answer.content)), []);
}

/// A fact of the generated world: a definition or a theorem with what it needs.
struct Fact {
    name: String,
    /// Keyword to the end of the statement, with the name as `@`.
    statement: String,
    body: String,
    needs: Vec<usize>,
    theorem: bool,
    namespace: Option<&'static str>,
}

/// A world of definitions and theorems about them, each needing earlier ones. No two statements are the same,
/// reduced or not: every definition has its own number.
fn world(random: &mut Random, size: usize) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for i in 0..size {
        let earlier = |random: &mut Random, theorem: bool, facts: &[Fact]| -> Vec<usize> {
            let all: Vec<usize> = (0..facts.len()).filter(|&f| facts[f].theorem == theorem).collect();
            let tries = if all.is_empty() { 0 } else { 2 };
            let mut some: Vec<usize> = (0..tries).map(|_| all[random.below(all.len())]).collect();
            some.sort_unstable();
            some.dedup();
            some
        };
        let namespace = [None, None, Some("N"), Some("M.K")][random.below(4)];
        let full = |f: &Fact| match f.namespace {
            Some(n) => format!("{n}.{}", f.name),
            None => f.name.clone(),
        };
        let theorem = i > 3 && random.chance(65);
        let about = if theorem || i > 2 { earlier(random, false, &facts) } else { vec![] };
        if theorem {
            let lemmas = earlier(random, true, &facts);
            let sum = about.iter().map(|&d| format!("{} n", full(&facts[d]))).collect::<Vec<_>>().join(" + ");
            let mut needs = about.clone();
            needs.extend(&lemmas);
            let proof = match lemmas.first() {
                Some(&l) => format!("by\n  have := @{}\n  rfl", full(&facts[l])),
                None => "rfl".into(),
            };
            let name = format!("t{i}");
            let statement = format!("theorem @ (n : Nat) : {sum} + {i} = ({sum}) + {i}");
            facts.push(Fact { name, statement, body: proof, needs, theorem, namespace });
        } else {
            let sum: String = about.iter().map(|&d| format!(" + {} n", full(&facts[d]))).collect();
            let statement = "def @ (n : Nat) : Nat".to_string();
            let (name, body) = (format!("d{i}"), format!("n * {}{sum}", i + 2));
            facts.push(Fact { name, statement, body, needs: about, theorem, namespace });
        }
    }
    facts
}

/// How a file has a fact.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    Good,
    Sorry,
    Wrong,
}

/// A file with a random part of the world, with everything that the part needs, in a random possible order.
fn file(random: &mut Random, world: &[Fact], number: usize) -> (String, BTreeMap<usize, Version>) {
    let mut part: BTreeSet<usize> = BTreeSet::new();
    for _ in 0..world.len() / 2 {
        let mut open = vec![random.below(world.len())];
        while let Some(f) = open.pop() {
            if part.insert(f) {
                open.extend(&world[f].needs);
            }
        }
    }
    // Some theorems have another name here; what needs them says so.
    let alias: BTreeMap<usize, String> = part
        .iter()
        .filter(|&&f| world[f].theorem && random.chance(20))
        .map(|&f| (f, format!("{}_of{number}", world[f].name)))
        .collect();
    let mut left: Vec<usize> = part.iter().copied().collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut versions = BTreeMap::new();
    // A name that every file gives another meaning.
    let mut text = format!("def clash : Nat := {number}\ntheorem clash_eq : clash = {number} := rfl\n\n");
    while !left.is_empty() {
        let ready: Vec<usize> =
            left.iter().copied().filter(|&f| world[f].needs.iter().all(|n| done.contains(n))).collect();
        let f = ready[random.below(ready.len())];
        left.retain(|&l| l != f);
        done.insert(f);
        let fact = &world[f];
        let version = match random.below(10) {
            0 | 1 if fact.theorem => Version::Sorry,
            2 if fact.theorem => Version::Wrong,
            _ => Version::Good,
        };
        versions.insert(f, version);
        let name = alias.get(&f).unwrap_or(&fact.name);
        let mut body = match version {
            Version::Good => fact.body.clone(),
            Version::Sorry => "sorry".into(),
            Version::Wrong => "Nat.succ_ne_zero n".into(),
        };
        for (other, alias) in &alias {
            let o = &world[*other];
            let prefix = o.namespace.map(|n| format!("{n}.")).unwrap_or_default();
            body = body.replace(&format!("@{prefix}{}\n", o.name), &format!("@{prefix}{alias}\n"));
        }
        let attribute = if version == Version::Good && fact.theorem && random.chance(10) {
            "/-- A fact. -/ "
        } else {
            ""
        };
        let statement = format!("{attribute}{} :=", fact.statement.replace('@', name));
        let separator = if body.starts_with("by") || body.len() < 20 { " " } else { "\n  " };
        let declaration = format!("{statement}{separator}{body}\n");
        match fact.namespace {
            Some(n) => text += &format!("namespace {n}\n{declaration}end {n}\n\n"),
            None => text += &format!("{declaration}\n"),
        }
    }
    (text, versions)
}

/// Where each statement of the world stands in a text, by line from 1; comments left out.
fn places(text: &str, world: &[Fact]) -> BTreeMap<usize, Vec<usize>> {
    let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut comment = false;
    for (i, line) in text.lines().enumerate() {
        comment |= line == "/-";
        if line == "-/" {
            comment = false;
        }
        for (f, fact) in world.iter().enumerate().filter(|_| !comment) {
            let (before, behind) = fact.statement.split_once('@').unwrap();
            let Some(at) = line.find(before).map(|at| at + before.len()) else { continue };
            let own = match fact.theorem {
                true => line.contains(behind),
                false => line[at..].starts_with(&format!("{} ", fact.name)),
            };
            if own {
                out.entry(f).or_default().push(i + 1);
            }
        }
    }
    out
}

/// Generated files: the result has every statement once, and nothing that was in order is out of order.
#[test]
fn generated_files() {
    let Some(lean) = lean("generated_files") else { return };
    let cases = std::env::var("LEAN_ORACLE_MERGE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    for seed in 1..=cases {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let size = 14 + random.below(10);
        let world = world(&mut random, size);
        let files: Vec<(String, BTreeMap<usize, Version>)> =
            (1..=2 + seed as usize % 2).map(|n| file(&mut random, &world, n)).collect();
        let texts: Vec<&str> = files.iter().map(|f| f.0.as_str()).collect();
        let answer = merged(&lean, &texts);
        let text = &answer.content;
        let context =
            || format!("seed {seed}\n{}\n=> {text}\n{:?}", texts.join("\n=====\n"), answer.tool_messages);
        let found = places(text, &world);
        let broken: BTreeSet<usize> = errors(text).into_iter().map(|e| e.0).collect();
        let unfinished: BTreeSet<usize> = messages(text, "warning")
            .into_iter()
            .filter(|w| w.1.starts_with("declaration uses"))
            .map(|w| w.0)
            .collect();
        let mut explained = BTreeSet::new();
        for (f, fact) in world.iter().enumerate() {
            let versions: Vec<Version> = files.iter().filter_map(|x| x.1.get(&f).copied()).collect();
            let expected = usize::from(!versions.is_empty());
            let lines = found.get(&f).cloned().unwrap_or_default();
            assert_eq!(lines.len(), expected, "{}: {}", fact.name, context());
            let (Some(&line), false) = (lines.first(), versions.contains(&Version::Good)) else {
                continue;
            };
            explained.extend(line..=line + 3);
        }
        let bad: Vec<_> = broken.union(&unfinished).filter(|l| !explained.contains(l)).collect();
        assert!(bad.is_empty(), "lines {bad:?} are out of order: {}", context());
        // Each file's clash is there, with its meaning.
        for number in 1..=files.len() {
            assert_eq!(text.matches(&format!(" = {number} := rfl")).count(), 1, "{}", context());
        }
        assert_eq!(answer.tool_messages.errors, Vec::<String>::new(), "{}", context());
        // Once more, alone and with a part of it.
        assert_eq!(&merged(&lean, &[text]).content, text, "{}", context());
        // The other way round: the same statements, whatever their names and order.
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        let other = merged(&lean, &reversed);
        let counts =
            |m: &BTreeMap<usize, Vec<usize>>| m.iter().map(|(f, l)| (*f, l.len())).collect::<Vec<_>>();
        assert_eq!(counts(&places(&other.content, &world)), counts(&found), "{}", context());
        assert_eq!(errors(&other.content).len(), errors(text).len(), "{}", context());
    }
}

/// Proofs that use each other across files cannot all be kept; nothing is lost and the reader is told.
#[test]
fn circles_are_broken() {
    let Some(lean) = lean("circles_are_broken") else { return };
    let one =
        "theorem a (n : Nat) : n + 0 = n := sorry\ntheorem b (n : Nat) : 0 + n = n := by have := a; simp";
    let two =
        "theorem b (n : Nat) : 0 + n = n := sorry\ntheorem a (n : Nat) : n + 0 = n := by have := b; rfl";
    for documents in [[one, two], [two, one]] {
        let answer = merged(&lean, &documents);
        assert_eq!(errors(&answer.content), [], "{}", answer.content);
        for statement in [": n + 0 = n :=", ": 0 + n = n :="] {
            assert!(answer.content.contains(statement), "{}", answer.content);
        }
        assert!(
            answer.tool_messages.warnings.iter().any(|w| w.contains("need each other")),
            "{:?}",
            answer.tool_messages
        );
    }
}

/// Lean stops after 100 errors unless told otherwise; what comes behind them must be found the same.
#[test]
fn many_errors_hide_nothing() {
    let Some(lean) = lean("many_errors_hide_nothing") else { return };
    let wrong: String = (0..150).map(|i| format!("theorem w{i} : {i} = {} := rfl\n", i + 1)).collect();
    let text = format!("{wrong}theorem last : 5 = 5 := rfl\ndef value := 7\n");
    let answer = merged(&lean, &[&text, "theorem last : 5 = 5 := sorry\ndef value := 7"]);
    assert_eq!(answer.lean_messages.errors.len(), errors(&text).len());
    assert_eq!(answer.content.matches("theorem w").count(), 150);
    assert_eq!(answer.content.matches("theorem last : 5 = 5 := rfl").count(), 1);
    assert_eq!((answer.content.matches("last").count(), answer.content.matches("value").count()), (1, 1));
}

#[test]
fn what_does_not_parse_is_kept_as_a_comment() {
    let Some(lean) = lean("what_does_not_parse_is_kept_as_a_comment") else { return };
    let answer =
        merged(&lean, &["theorem a : 1 = := rfl\ntheorem b : 1 = 1 := rfl\nthm c := 1", "def d := 1"]);
    assert_eq!(errors(&answer.content), [], "{}", answer.content);
    for kept in ["theorem a : 1 = := rfl", "theorem b : 1 = 1 := rfl", "thm c := 1", "def d := 1"] {
        assert!(answer.content.contains(kept), "{}", answer.content);
    }
    assert_eq!(answer.tool_messages.errors.len(), 2, "{:?}", answer.tool_messages);
    // If another file has a version that parses, the broken one is an attempt at it.
    let answer = merged(&lean, &["theorem a : 1 = := rfl", "theorem a : 1 = 1 := rfl"]);
    assert_eq!(answer.content, "theorem a : 1 = 1 := rfl");
}

#[test]
fn bad_input_has_clear_messages() {
    let Some(lean) = lean("bad_input_has_clear_messages") else { return };
    let user = |documents: &[&str]| match merge(&request(documents), &lean) {
        Err(Fatal::User(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(user(&[]).contains("documents is empty"));
    assert_eq!(
        user(&["def a := 1", "def b := 1\n\n  /- never /- ends -/"]),
        "document 2 is cut off: the comment at 3:2 does not end"
    );
    let large = "-- a line that says nothing\n".repeat(400_000);
    assert!(large.len() > 10_000_000);
    assert!(user(&[&large]).contains("at most 4194304 are read"));
    assert!(
        user(&["import No.Such.Module\ndef a := 1"]).contains("has an import that this Lean does not find")
    );
    assert!(matches!(
        merge(
            &MergeRequest { timeout_seconds: 0.05, ..request(&["def slow := 1\n#eval IO.sleep 60000"]) },
            &lean
        ),
        Err(Fatal::Timeout)
    ));
    assert_eq!(Fatal::Timeout.body()["error_type"], "LeanTimeout");
    // A file of comments, an empty one, line ends of Windows.
    assert_eq!(merged(&lean, &["", "-- nothing\n"]).content, "");
    let windows =
        merged(&lean, &["theorem a : 1 = 1 := by\r\n  rfl\r\n", "theorem b : 2 = 2 := by\r\n  rfl\r\n"]);
    assert_eq!(windows.content, "theorem a : 1 = 1 := by\n  rfl\n\ntheorem b : 2 = 2 := by\n  rfl");

    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("latin"), b"-- \xe9\n").unwrap();
    std::fs::write(path("good"), "def a := 1\n").unwrap();
    for (files, says) in [
        (vec![path("missing")], "cannot be read"),
        (vec![path("good"), path("latin")], "is not UTF-8 (at byte 3)"),
    ] {
        let arguments: Vec<&str> = ["merge"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let run = cli(&arguments);
        let error = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(1) && error.contains(says) && run.stdout.is_empty(), "{error}");
    }
    let exists = cli(&["merge", &path("good"), "-o", &path("good")]);
    assert_eq!(exists.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(path("good")).unwrap(), "def a := 1\n");
    assert_eq!(cli(&["merge", &path("good"), "-f", "-o", &path("good")]).status.code(), Some(0));
}

/// A compiler that is killed, or that is none, is reported.
#[cfg(unix)]
#[test]
fn a_dying_compiler_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("lean");
    // Written by another process: if this one had it open, a child of another test could hold it busy.
    let text = r#"printf '#!/bin/sh\n[ "$1" = --version ] && { echo fake; exit; }\nkill -9 $$\n' > "$0"; chmod +x "$0""#;
    assert!(Command::new("sh").args(["-c", text]).arg(&program).status().unwrap().success());
    let mut lean = Lean::at(program, BTreeMap::new()).unwrap();
    lean.cache = None;
    match merge(&request(&["def a := 1"]), &lean) {
        Err(fatal @ Fatal::Resources(_)) => assert_eq!(fatal.body()["error_type"], "LeanResourceExceeded"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(Lean::at("/no/such/lean".into(), BTreeMap::new()), Err(Fatal::User(_))));
}

/// What a file may do to the machine has limits.
#[test]
fn memory_and_output_are_limited() {
    for (memory, text, says) in [
        (500 << 20, "#eval (Array.range 200000000).size", "MiB of memory"),
        (
            8 << 30,
            "#eval show IO Unit from do\n  discard <| IO.Process.spawn { cmd := \"yes\" }\n  IO.sleep 300000",
            "wrote more than",
        ),
    ] {
        let Some(mut lean) = lean("memory_and_output_are_limited") else { return };
        lean.memory = Some(memory);
        match merge(&request(&[text]), &lean) {
            Err(Fatal::Resources(why)) => assert!(why.contains(says), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// However the program ends, its compilers end with it, what these have started too, and its files are gone.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_behind() {
    use processes::{LONG, marked};
    let Some(_) = lean("nothing_is_left_behind") else { return };
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        let end = std::time::Instant::now() + LONG;
        while !done() {
            assert!(std::time::Instant::now() < end, "{what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    for signal in ["INT", "TERM", "KILL", "none"] {
        let dir = tempfile::tempdir().unwrap();
        let running = dir.path().join("running");
        let file = dir.path().join("slow.lean");
        let text = format!(
            "#eval show IO Unit from do\n  discard <| IO.Process.spawn {{ cmd := \"sleep\", args := #[\"300\"] }}\n  \
             IO.FS.writeFile {:?} \"\"\n  IO.sleep 300000\n",
            running.display().to_string()
        );
        std::fs::write(&file, text).unwrap();
        let temporary = dir.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
        command.arg("merge").arg(&file).arg("--no-cache").env("TMPDIR", &temporary);
        if signal == "none" {
            command.args(["--timeout-seconds", "5"]);
        }
        let null = || Stdio::null();
        let mut child = command.stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
        if signal != "none" {
            wait("the compiler did not start", &mut || running.exists());
            let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
        }
        child.wait().unwrap();
        // The variable with the directory is in the environment of everything that was started.
        let mark = format!("TMPDIR={}", temporary.display());
        wait("something is still running", &mut || marked(&mark).is_empty());
        wait("a file is left", &mut || std::fs::read_dir(&temporary).unwrap().next().is_none());
    }
}
