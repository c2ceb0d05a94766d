//! Some of the declarations of a file, by name or by position.

use serde::{Deserialize, Serialize};

use super::Fatal;
use super::analyse::Document;
use super::source::components;
use super::split::Kind;

/// Which declarations of a file a request is about; those that are named and those that are counted. Without
/// names and positions: all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Names: in full, or the end of the full name where that is clear.
    pub names: Option<Vec<String>>,
    /// Positions in the file, from 0; negative ones from the end. The declarations of a `mutual` block are
    /// counted one by one.
    pub indices: Option<Vec<i64>>,
    /// Only theorems are looked at and counted.
    pub theorems_only: bool,
}

impl Default for Selection {
    fn default() -> Selection {
        Selection { names: None, indices: None, theorems_only: true }
    }
}

impl Selection {
    /// Everything is meant.
    pub(super) fn is_all(&self) -> bool {
        self.names.is_none() && self.indices.is_none()
    }

    /// The selected declarations: command and full name, in the order of the file.
    ///
    /// # Errors
    /// A name that is not there or not clear, a position outside of the file.
    pub(super) fn of<'d>(&self, document: &'d Document) -> Result<Vec<(usize, &'d str)>, Fatal> {
        let of_kind = |theorems: bool| -> Vec<(usize, &str)> {
            let commands = document.commands.iter().zip(&document.facts).enumerate();
            let wanted = commands.filter(|(_, (command, _))| match command.kind {
                Kind::Theorem => true,
                Kind::Definition => !theorems,
                _ => false,
            });
            wanted.flat_map(|(i, (_, fact))| fact.names.iter().map(move |n| (i, n.as_str()))).collect()
        };
        let all = of_kind(self.theorems_only);
        if self.is_all() {
            return Ok(all);
        }
        let what = if self.theorems_only { "theorem" } else { "declaration" };
        let mut chosen = vec![false; all.len()];
        for name in self.names.iter().flatten() {
            match matching(name, &all)[..] {
                [one] => chosen[one] = true,
                [] => {
                    let hint = match (matching(name, &of_kind(false)).is_empty(), nearest(name, &all)) {
                        (false, _) => "; it is no theorem, and theorems_only is true".into(),
                        (true, Some(near)) => format!("; did you mean {near}?"),
                        (true, None) => format!("; the file has no {what}"),
                    };
                    return Err(Fatal::User(format!("no {what} is called {name}{hint}")));
                }
                ref several => {
                    let names: Vec<&str> = several.iter().map(|&i| all[i].1).collect();
                    let names = names.join(", ");
                    return Err(Fatal::User(format!(
                        "{name} is not clear: it may be {names}. Write it in full"
                    )));
                }
            }
        }
        let count = all.len() as i64;
        for &index in self.indices.iter().flatten() {
            let at = if index < 0 { index.saturating_add(count) } else { index };
            let slot = usize::try_from(at).ok().and_then(|at| chosen.get_mut(at));
            *slot.ok_or_else(|| {
                Fatal::User(format!("there is no {what} at position {index}; the file has {count}"))
            })? = true;
        }
        Ok(all.into_iter().zip(chosen).filter_map(|(one, chosen)| chosen.then_some(one)).collect())
    }
}

/// Where the full name is `name`; where there is none, where it ends with it.
fn matching(name: &str, all: &[(usize, &str)]) -> Vec<usize> {
    let wanted = components(name.strip_prefix("_root_.").unwrap_or(name));
    let found = |fits: &dyn Fn(&[&str]) -> bool| -> Vec<usize> {
        (0..all.len()).filter(|&i| fits(&components(all[i].1))).collect()
    };
    let exact = found(&|full| full == wanted);
    if exact.is_empty() { found(&|full| full.ends_with(&wanted)) } else { exact }
}

/// The name that is most like `name`.
fn nearest<'a>(name: &str, all: &[(usize, &'a str)]) -> Option<&'a str> {
    all.iter().map(|one| one.1).min_by_key(|n| strsim::levenshtein(n, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_end() {
        let all = [(0, "A.x"), (1, "B.x"), (2, "x"), (3, "A.y"), (4, "xy")];
        assert_eq!(matching("x", &all), [2]);
        assert_eq!(matching("A.x", &all), [0]);
        assert_eq!(matching("y", &all), [3]);
        assert_eq!(matching("x", &all[..2]), [0, 1]);
        assert!(matching("z", &all).is_empty());
        assert_eq!(nearest("A.z", &all), Some("A.x"));
    }
}
