//! What `#check` and `#print` say under `pp.all`, in a form in which equal statements are equal texts: bound
//! variables and universe levels are numbered, and constants of the file stand for what they were found to be.

use std::collections::HashMap;
use std::ops::Range;

use super::source::{Token, components, tokens};

/// Reads printed text; `constant` gives the new form of a constant's name, `None` to leave it.
pub fn canonical(text: &str, constant: &dyn Fn(&str) -> Option<String>) -> String {
    let all = tokens(text);
    let word = |i: usize| all.get(i).map_or("", |t: &(Token, Range<usize>)| &text[t.1.clone()]);
    let is_name = |i: usize| all.get(i).is_some_and(|t| t.0 == Token::Name);
    let mut out = String::with_capacity(text.len());
    let mut scopes: Vec<HashMap<&str, usize>> = vec![HashMap::new()];
    // For each open bracket: the names that it binds in what follows, and whether it holds universe levels.
    let mut brackets: Vec<(Vec<(&str, usize)>, bool)> = Vec::new();
    let (mut variables, mut levels) = (0usize, HashMap::<&str, usize>::new());
    let mut lambda = false;
    let mut i = 0;
    while i < all.len() {
        let (kind, w) = (all[i].0, word(i));
        let before = if i == 0 { "" } else { word(i - 1) };
        let in_levels = brackets.last().is_some_and(|b| b.1) || matches!(before, "Type" | "Sort");
        match w {
            "(" | "{" | "[" | "⦃" => {
                let holds_levels = (w == "{" && before == ".") || (w == "(" && in_levels);
                let names = (i + 1..).take_while(|&j| is_name(j)).collect::<Vec<_>>();
                let binds = !holds_levels && !names.is_empty() && word(i + 1 + names.len()) == ":";
                out.push_str(w);
                out.push(' ');
                let mut bound = Vec::new();
                if binds {
                    for &j in &names {
                        bound.push((word(j), variables));
                        out += &format!("#{variables} ");
                        variables += 1;
                    }
                    i += names.len();
                }
                brackets.push((bound, holds_levels));
                scopes.push(HashMap::new());
                i += 1;
                continue;
            }
            ")" | "}" | "]" | "⦄" => {
                if scopes.len() > 1 {
                    scopes.pop();
                }
                if let Some((bound, _)) = brackets.pop() {
                    scopes.last_mut().expect("one is left").extend(bound);
                }
            }
            "fun" | "λ" => lambda = true,
            "=>" | "↦" => lambda = false,
            "let" | "have" | "let_fun" if is_name(i + 1) => {
                scopes.last_mut().expect("one is left").insert(word(i + 1), variables);
                variables += 1;
            }
            _ if kind == Token::Name && in_levels && !matches!(w, "max" | "imax") => {
                let n = levels.len();
                out += &format!("u{} ", levels.entry(w).or_insert(n));
                i += 1;
                continue;
            }
            _ if kind == Token::Name => {
                if lambda && (brackets.is_empty() || before == "fun") {
                    scopes.last_mut().expect("one is left").insert(w, variables);
                    variables += 1;
                }
                let first = components(w)[0];
                let bound = |n: &str| scopes.iter().rev().find_map(|s| s.get(n));
                match (bound(w), bound(first)) {
                    (Some(n), _) => out += &format!("#{n} "),
                    (None, Some(n)) => out += &format!("#{n}{} ", &w[first.len()..]),
                    (None, None) => {
                        out += constant(w).as_deref().unwrap_or(w);
                        out.push(' ');
                    }
                }
                i += 1;
                continue;
            }
            _ => {}
        }
        out.push_str(w);
        out.push(' ');
        i += 1;
    }
    out
}

/// The type in what `#check` says.
pub fn checked_type<'a>(text: &'a str, name: &str) -> &'a str {
    let text = text.strip_prefix('@').unwrap_or(text);
    let behind = text.strip_prefix(name).unwrap_or(text);
    behind.find(" :").map_or(text, |i| behind[i + 2..].trim_start())
}

/// Of what `#check` says of a theorem under `pp.all`: the type, and for each universe of the theorem the place
/// that it has among those in the type.
pub fn universes<'a>(text: &'a str, name: &str) -> Option<(Vec<usize>, &'a str)> {
    let statement = checked_type(text, name);
    let text = text.strip_prefix('@').unwrap_or(text).strip_prefix(name)?;
    let list = text.strip_prefix(".{").and_then(|t| Some(t.split_once('}')?.0)).unwrap_or_default();
    let declared: Vec<&str> = list.split(',').map(str::trim).filter(|u| !u.is_empty()).collect();
    let words: Vec<&str> = tokens(statement).into_iter().map(|t| &statement[t.1]).collect();
    let places: Option<Vec<usize>> =
        declared.iter().map(|u| words.iter().position(|w| w == u)).collect::<Option<_>>();
    let places = places?;
    let rank = |p: &usize| places.iter().filter(|q| *q < p).count();
    Some((places.iter().map(rank).collect(), statement))
}

/// Whether two printed types bind their variables in the same way, as far as both show: explicitly, implicitly
/// or as instances. To `rfl` that is all the same, but not to those who use the theorem.
pub fn same_binders(a: &str, b: &str) -> bool {
    binders(a).iter().zip(binders(b)).all(|(a, b)| *a == b)
}

/// The brackets of the variables at the beginning of a type, `(` for the left of an arrow.
fn binders(text: &str) -> Vec<&str> {
    let all = tokens(text);
    let word = |i: usize| all.get(i).map_or("", |t: &(Token, Range<usize>)| &text[t.1.clone()]);
    let (mut out, mut i) = (Vec::new(), 0);
    while i < all.len() {
        if word(i) != "∀" {
            // The left of an arrow, if there is one.
            let mut depth = 0i32;
            let arrow = (i..all.len()).find(|&j| {
                depth += match word(j) {
                    "(" | "{" | "[" | "⦃" => 1,
                    ")" | "}" | "]" | "⦄" => -1,
                    _ => 0,
                };
                depth == 0 && matches!(word(j), "→" | "∀" | "∃" | "fun" | ",")
            });
            let Some(arrow) = arrow.filter(|&j| word(j) == "→") else { break };
            let binds = matches!(word(i), "{" | "[" | "⦃") && closes(&word, i) + 1 == arrow;
            out.push(if binds { word(i) } else { "(" });
            i = arrow + 1;
            continue;
        }
        i += 1;
        while matches!(word(i), "(" | "{" | "[" | "⦃") {
            let names = (i + 1..all.len()).take_while(|&j| all[j].0 == Token::Name && word(j) != ":").count();
            // An instance without a name is one.
            out.extend(std::iter::repeat_n(word(i), if word(i) == "[" { 1 } else { names }));
            i = closes(&word, i) + 1;
        }
        if word(i) != "," {
            break;
        }
        i += 1;
    }
    out
}

/// The index of the bracket that closes the one at `open`.
fn closes<'a>(word: &dyn Fn(usize) -> &'a str, open: usize) -> usize {
    let (mut depth, mut i) = (0, open);
    loop {
        match word(i) {
            "(" | "{" | "[" | "⦃" => depth += 1,
            ")" | "}" | "]" | "⦄" => depth -= 1,
            "" => return i,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        canonical(text, &|_| None)
    }

    #[test]
    fn names_of_bound_variables_and_levels_do_not_matter() {
        for (a, b) in [
            ("∀ (n m : Nat), @Eq.{1} Nat n m", "∀ (a b : Nat),\n  @Eq.{1} Nat a b"),
            ("∀ {α : Type u_1} (x : α), P.{u_1} α x", "∀ {β : Type v} (y : β), P.{v} β y"),
            ("(x : A) → B (fun (y : C) => y x) x", "(z : A) → B (fun (x : C) => x z) z"),
            ("fun x => x", "fun y => y"),
            ("∀ (x : A), (∀ (y : B), y) → x", "∀ (y : A), (∀ (x : B), x) → y"),
            ("let x : T := v; f x", "let y : T := v; f y"),
        ] {
            assert_eq!(plain(a), plain(b));
        }
    }

    #[test]
    fn what_matters_stays() {
        for (a, b) in [
            ("∀ (n m : Nat), R n m", "∀ (n m : Nat), R m n"),
            ("∀ (n : Nat), P n", "∀ {n : Nat}, P n"),
            ("P.{u, v} x", "P.{u, u} x"),
            ("∀ (x : A), (∀ (y : B), y) → x", "∀ (x : A), (∀ (y : B), x) → x"),
            ("∀ (x : A), (∀ (x : B), x) → x", "∀ (x : A), (∀ (y : B), x) → x"),
            ("@Eq.{1} Nat a b", "@Eq.{1} Nat b a"),
            ("f \"a\"", "f \"b\""),
            ("f 1", "f 2"),
        ] {
            assert_ne!(plain(a), plain(b));
        }
    }

    #[test]
    fn binders_and_universes_are_read() {
        for (a, b, same) in [
            ("∀ (n m : Nat), P n", "∀ (n : Nat), Q n", true),
            ("∀ (n : Nat), P n", "∀ {n : Nat}, P n", false),
            ("∀ (n : Nat) {m : Nat}, P n", "∀ (n : Nat), P n", true),
            ("Nat → P", "∀ (n : Nat), P", true),
            ("Nat → ∀ {m : Nat}, P", "∀ (n : Nat) (m : Nat), P", false),
            ("∀ [inst : Add.{0} Nat], P", "∀ (i : Add.{0} Nat), P", false),
            ("P (∀ {x : A}, B)", "P (∀ (x : A), B)", true),
            ("(∀ {x : A}, B) → C", "∀ (h : ∀ {x : A}, B), C", true),
            ("P", "∀ {n : Nat}, P", true),
        ] {
            assert_eq!(same_binders(a, b), same, "{a} | {b}");
        }
        let text = "@A.t.{v, u} : ∀ {α : Type u} {β : Type v}, P.{u, v} α β";
        assert_eq!(universes(text, "A.t"), Some((vec![1, 0], "∀ {α : Type u} {β : Type v}, P.{u, v} α β")));
        assert_eq!(universes("t : True", "t"), Some((vec![], "True")));
        assert_eq!(universes("@t.{u} : True", "t"), None);
    }

    #[test]
    fn constants_are_replaced() {
        let rename = |n: &str| (n == "A.f").then(|| "<7>".to_string());
        assert_eq!(canonical("∀ (A.f : B), A.f (A.g)", &|_| None), "∀ ( #0 : B ) , #0 ( A.g ) ");
        assert_eq!(canonical("A.f x", &rename), "<7> x ");
        assert_eq!(checked_type("@A.f.{u} : ∀ x, y : z", "A.f"), "∀ x, y : z");
        assert_eq!(checked_type("A.f : T", "A.f"), "T");
    }
}
