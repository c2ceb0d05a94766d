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
    fn constants_are_replaced() {
        let rename = |n: &str| (n == "A.f").then(|| "<7>".to_string());
        assert_eq!(canonical("∀ (A.f : B), A.f (A.g)", &|_| None), "∀ ( #0 : B ) , #0 ( A.g ) ");
        assert_eq!(canonical("A.f x", &rename), "<7> x ");
        assert_eq!(checked_type("@A.f.{u} : ∀ x, y : z", "A.f"), "∀ x, y : z");
        assert_eq!(checked_type("A.f : T", "A.f"), "T");
    }
}
