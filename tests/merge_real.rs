//! Merging real files: each is split at random into overlapping parts, of which some have lost proofs, and comes
//! back whole. What is claimed of the result is checked by the compiler, run here without our own code.

mod merging;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use lean_oracle::merge::{
    ExtractedDeclaration, Lean, MergeRequest, Selection, TheoremToSorryRequest, extract_decls, merge,
    theorem2sorry,
};
use merging::{Random, extract, lean, program, source};

/// How many parts a file is split into.
const PARTS: usize = 3;

/// A compiler that finds the modules of `lean/`, and where they are.
struct Compiler {
    lean: Lean,
    library: PathBuf,
}

impl Compiler {
    /// With these modules built, each after what it imports; `None` if there is no Lean.
    fn with(modules: &[&str]) -> Option<Compiler> {
        let cache = lean("real files")?.cache;
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("merge-library");
        for module in modules {
            let olean = library.join(format!("{module}.olean"));
            let source = Path::new("lean").join(format!("{module}.lean"));
            let newer = |a: &Path, b: &Path| {
                Some(a.metadata().ok()?.modified().ok()? > b.metadata().ok()?.modified().ok()?)
            };
            if newer(&olean, &source) == Some(true) {
                continue;
            }
            std::fs::create_dir_all(olean.parent().unwrap()).unwrap();
            let built = olean.with_extension(format!("{}", std::process::id()));
            let mut command = Command::new(program());
            command.current_dir("lean").env("LEAN_PATH", &library).arg("-o").arg(&built);
            assert!(command.arg(format!("{module}.lean")).status().unwrap().success());
            std::fs::rename(built, olean).unwrap();
        }
        let variables = BTreeMap::from([("LEAN_PATH".to_string(), library.display().to_string())]);
        let mut lean = Lean::at(program(), variables).unwrap();
        lean.cache = cache;
        Some(Compiler { lean, library })
    }

    /// The lines, from 1, of the errors in a text, and what they say.
    fn errors(&self, text: &str) -> Vec<(usize, String)> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Text.lean");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        command.args(["--json", "-DmaxErrors=0"]).arg(&file).env("LEAN_PATH", &self.library);
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let messages = output.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        messages
            .filter(|m| m["severity"] == "error")
            .map(|m| (m["pos"]["line"].as_u64().unwrap() as usize, m["data"].as_str().unwrap().to_string()))
            .collect()
    }

    fn declarations(&self, text: &str) -> BTreeMap<String, ExtractedDeclaration> {
        let answer = extract_decls(&extract(text), &self.lean).unwrap();
        assert_eq!(answer.tool_messages.warnings, Vec::<String>::new(), "{text}");
        answer.documents
    }

    /// A file with these declarations of `text` and what they need, and with the other commands that still work.
    fn part(
        &self,
        text: &str,
        all: &BTreeMap<String, ExtractedDeclaration>,
        chosen: &BTreeSet<&str>,
    ) -> String {
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = chosen.iter().copied().collect();
        while let Some(name) = open.pop() {
            if kept.insert(name) {
                let d = &all[name];
                open.extend(d.local_type_dependencies.iter().map(String::as_str));
                open.extend(d.local_value_dependencies.iter().map(String::as_str));
                open.extend(d.local_syntactic_dependencies.iter().filter_map(|n| {
                    let inside = |whole: &&String| n.starts_with(&format!("{whole}."));
                    all.get_key_value(n)
                        .map(|known| known.0)
                        .or_else(|| all.keys().rfind(inside))
                        .map(String::as_str)
                }));
            }
        }
        let mut lines: Vec<&str> = text.lines().collect();
        let mut blank = |from: usize, to: usize| (from..=to).for_each(|i| lines[i - 1] = "");
        for (name, d) in all {
            // Those of a mutual block stay or go together.
            let together = all.values().zip(all.keys()).filter(|(o, _)| o.index == d.index);
            if !kept.contains(name.as_str()) && !together.into_iter().any(|(_, n)| kept.contains(n.as_str()))
            {
                blank(d.line_pos, d.end_line_pos);
            }
        }
        // Of what is no declaration, that which is about something that is gone: from a line that is not indented
        // to the next one.
        let mut part = lines.join("\n") + "\n";
        for _ in 0..50 {
            let Some((line, what)) = self.errors(&part).into_iter().next() else { return part };
            let mut lines: Vec<&str> = part.lines().collect();
            let begins = |line: &str| line.starts_with(|c: char| !c.is_whitespace());
            let from = (0..line).rfind(|&i| begins(lines[i]));
            let from = from.unwrap_or_else(|| panic!("{what} at {line} of\n{part}"));
            let to = (from + 1..lines.len()).find(|&i| lines[i].is_empty() || begins(lines[i]));
            let to = to.unwrap_or(lines.len());
            lines[from..to].fill("");
            part = lines.join("\n") + "\n";
        }
        panic!("no part of the file compiles:\n{part}");
    }
}

/// Splits the files and merges them.
fn real(modules: &[&str], files: &[&str]) {
    let Some(compiler) = Compiler::with(modules) else { return };
    let lean = &compiler.lean;
    for (i, name) in files.iter().enumerate() {
        let text = std::fs::read_to_string(name).unwrap();
        let all = compiler.declarations(&text);
        let mut random = Random(77 + i as u64);
        // Each declaration is in one part at least, and in each other one with even chance.
        let mut chosen = vec![BTreeSet::new(); PARTS];
        for name in all.keys() {
            let sure = random.below(PARTS);
            for (k, part) in chosen.iter_mut().enumerate() {
                if k == sure || random.chance(50) {
                    part.insert(name.as_str());
                }
            }
        }
        let mut parts: Vec<String> = Vec::new();
        // Which declarations some part has, and which some part has in good order.
        let (mut there, mut finished) = (BTreeMap::new(), BTreeSet::new());
        for chosen in &chosen {
            let part = compiler.part(&text, &all, chosen);
            let own = compiler.declarations(&part);
            let mut lost = Vec::new();
            for (name, d) in &own {
                // The type is the same in the whole file: the parts are made right.
                assert_eq!((&d.kind, d.type_hash), (&all[name].kind, all[name].type_hash), "{name}\n{part}");
                there.insert(name.clone(), (d.kind.clone(), d.type_hash));
                if d.kind == "theorem" && random.chance(30) {
                    lost.push(name.clone());
                } else if !d.is_sorry {
                    finished.insert(name.clone());
                }
            }
            let selection = Selection { names: Some(lost), ..Selection::default() };
            let request = TheoremToSorryRequest { source: source(&part), selection };
            let part = theorem2sorry(&request, lean).unwrap();
            assert_eq!(part.tool_messages.errors, Vec::<String>::new(), "{name}");
            parts.push(part.content);
        }
        assert!(there.len() * 10 >= all.len() * 8, "{name}: of {} only {}", all.len(), there.len());
        let ask = |documents: Vec<String>| {
            let request = MergeRequest { documents, timeout_seconds: 900.0, ..MergeRequest::default() };
            merge(&request, lean).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        let merged = ask(parts.clone());
        let context = || format!("{name}\n{}\n=> {}", parts.join("\n=====\n"), merged.content);
        assert_eq!(compiler.errors(&merged.content), [], "{}", context());
        assert_eq!(merged.tool_messages.errors, Vec::<String>::new(), "{}", context());
        let result = compiler.declarations(&merged.content);
        // Every statement once: of the theorems of one type as many as the parts have under different names at
        // most, since a theorem of one part may be taken for one of another part; of all else each by its name.
        let theorems = |of: &BTreeMap<String, (String, Option<u32>)>| {
            let mut count: BTreeMap<Option<u32>, usize> = BTreeMap::new();
            for (_, hash) in of.values().filter(|(kind, _)| kind == "theorem") {
                *count.entry(*hash).or_default() += 1;
            }
            count
        };
        let others =
            |of: &BTreeMap<String, (String, Option<u32>)>| -> BTreeMap<String, (String, Option<u32>)> {
                of.iter()
                    .filter(|(_, (kind, _))| kind != "theorem")
                    .map(|(n, d)| (n.clone(), d.clone()))
                    .collect()
            };
        let stated = result.iter().map(|(n, d)| (n.clone(), (d.kind.clone(), d.type_hash))).collect();
        assert_eq!(others(&stated), others(&there), "{}", context());
        let (is, was) = (theorems(&stated), theorems(&there));
        assert_eq!(is.keys().collect::<Vec<_>>(), was.keys().collect::<Vec<_>>(), "{}", context());
        assert!(is.iter().all(|(hash, n)| *n <= was[hash]), "{}", context());
        // What one part has in good order is in good order, whatever its name is now.
        let good: BTreeSet<Option<u32>> = finished.iter().map(|n| there[n].1).collect();
        for (name, d) in &result {
            let known =
                if there.contains_key(name) { finished.contains(name) } else { good.contains(&d.type_hash) };
            assert!(!d.is_sorry || !known, "{name}: {}", context());
        }
        // Merging again changes nothing.
        assert_eq!(ask(vec![merged.content.clone()]).content, merged.content, "{}", context());
    }
}

/// Files written for this test, with something of each feature of Lean.
#[test]
fn files_with_all_of_the_language() {
    real(&[], &["tests/data/merge/real/Arithmetic.lean", "tests/data/merge/real/Sequences.lean"]);
}

#[test]
fn samples() {
    real(
        &[],
        &[
            "tools/lean-env/smoke/lang.lean",
            "tools/lean-env/smoke/tactics.lean",
            "tools/lean-env/smoke/lemmas.lean",
            "tools/lean-env/smoke/axioms.lean",
            "tools/lean-env/smoke/omega.lean",
            "tools/lean-env/smoke/wf.lean",
        ],
    );
}

#[test]
fn the_library() {
    real(
        &["LeanOracle/Frac", "LeanOracle/Ball/Decimal"],
        &["lean/LeanOracle/Ball/Text.lean", "lean/LeanOracle/Ball/Basic.lean"],
    );
}
