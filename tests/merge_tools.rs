//! The tools beside merging: rename, normalize, check, extract-decls, theorem2sorry.

mod merging;

use lean_oracle::merge::{
    CheckRequest, ExtractRequest, Fatal, NormalizeRequest, RenameRequest, Selection, TheoremToSorryRequest,
    check, extract_decls, normalize, rename, run_tool, theorem2sorry,
};
use merging::{cli, errors, extract, lean, refused, source};

fn selection(names: Option<&[&str]>, indices: Option<&[i64]>, theorems_only: bool) -> Selection {
    let names = names.map(|list| list.iter().map(|n| n.to_string()).collect());
    Selection { names, indices: indices.map(<[i64]>::to_vec), theorems_only }
}

/// The examples of AXLE's documentation.
#[test]
fn renaming() {
    let Some(lean) = lean("renaming") else { return };
    let renamed = |content: &str, pairs: &[(&str, &str)]| {
        let declarations = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        rename(&RenameRequest { source: source(content), declarations }, &lean)
    };
    for (before, pairs, after) in [
        (
            "theorem original : 1 + 1 = 2 := by simp\nexample : 2 = 1 + 1 := original.symm",
            vec![("original", "renamed")],
            "theorem renamed : 1 + 1 = 2 := by simp\nexample : 2 = 1 + 1 := renamed.symm",
        ),
        (
            "namespace ns\ntheorem original : 1 + 1 = 2 := by simp\nexample : 2 = 1 + 1 := original.symm\nend ns\n\n\
             example : 2 = 1 + 1 := ns.original.symm",
            vec![("ns.original", "ns.renamed")],
            "namespace ns\ntheorem renamed : 1 + 1 = 2 := by simp\nexample : 2 = 1 + 1 := renamed.symm\nend ns\n\n\
             example : 2 = 1 + 1 := ns.renamed.symm",
        ),
        (
            "inductive enum\n| caseA\n| caseB\n\nexample : enum := enum.caseA",
            vec![("enum", "caseEnum")],
            "inductive caseEnum\n| caseA\n| caseB\n\nexample : caseEnum := caseEnum.caseA",
        ),
        (
            "structure P where\n  a : Nat\ndef P.f (p : P) := p.a\nopen P in\nexample (p : P) : p.f = f p := rfl -- P\n\
             example : P := { a := 1 }\nmacro \"m\" : term => `(P.f)",
            vec![("P", "Q"), ("P.f", "Q.g")],
            "structure Q where\n  a : Nat\ndef Q.g (p : Q) := p.a\nopen Q in\nexample (p : Q) : p.g = Q.g p := rfl -- P\n\
             example : Q := { a := 1 }\nmacro \"m\" : term => `(Q.g)",
        ),
    ] {
        let answer = renamed(before, &pairs).unwrap();
        assert_eq!(answer.content, after);
        assert_eq!(errors(&answer.content), []);
        assert_eq!((answer.lean_messages.errors, answer.tool_messages.errors), (vec![], vec![]));
    }
    let refused = |pairs: &[(&str, &str)]| match renamed("theorem original : 1 = 1 := rfl\ndef x := 1", pairs)
    {
        Err(Fatal::User(m)) => m,
        other => panic!("{other:?}"),
    };
    assert!(refused(&[("orignal", "y")]).contains("did you mean original?"));
    assert!(refused(&[("original", "x")]).contains("is declared in the file already"));
    assert!(refused(&[("original", "1 x")]).contains("is not a name"));
}

#[test]
fn normalizing() {
    let Some(lean) = lean("normalizing") else { return };
    let normalized = |content: &str, list: &[&str]| {
        let normalizations = (!list.is_empty()).then(|| list.iter().map(|s| s.to_string()).collect());
        normalize(&NormalizeRequest { source: source(content), normalizations, failsafe: true }, &lean)
            .unwrap()
    };
    let sections = "namespace MyNamespace\nnoncomputable section MySection\n\ntheorem foo : 1 = 1 := rfl\n\n\
                    theorem bar : 1 = 1 := foo\n\nend MySection\nend MyNamespace\n";
    let answer = normalized(sections, &[]);
    let lines: Vec<&str> = answer.content.lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "noncomputable section",
            "theorem MyNamespace.foo : 1 = 1 := rfl",
            "theorem MyNamespace.bar : 1 = 1 := foo"
        ]
    );
    assert_eq!(answer.normalize_stats["remove_sections"], 2);
    assert_eq!(errors(&answer.content), []);
    let expand =
        "open Option\nexample (α : Type) (x : α) :\n    Option.getD (some x) x = x := by\n  simp [getD]\n";
    assert_eq!(
        normalized(expand, &["expand_decl_names"]).content,
        "open Option\nexample (α : Type) (x : α) :\n    Option.getD (Option.some x) x = x := by\n  simp [Option.getD]\n"
    );
    assert_eq!(
        normalized("open Nat\nopen Nat\nopen List\n", &["remove_duplicates"]).content,
        "open Nat\nopen List\n"
    );
    assert_eq!(
        normalized("open Nat in\ntheorem foo : succ 0 = 1 := rfl\n", &["split_open_in_commands"]).content,
        "open Nat\ntheorem foo : succ 0 = 1 := rfl\n"
    );
    let documented = "/-! m -/\n\n/-- d -/\ndef a := 1\n";
    assert_eq!(
        normalized(documented, &["normalize_doc_comments", "normalize_module_comments"]).content,
        "/- m -/\n\n/- d -/\ndef a := 1\n"
    );
    // Without its section the variable is everybody's; the file comes back as it was.
    let leaks = "section\nvariable (x : Nat)\nlocal notation \"q\" => x\nend\ndef q := 1\n";
    let answer = normalized(leaks, &["remove_sections"]);
    assert_eq!(answer.content, leaks);
    assert_eq!(answer.tool_messages.warnings.len(), 1);
    let unknown = NormalizeRequest { normalizations: Some(vec!["x".into()]), ..NormalizeRequest::default() };
    assert!(matches!(normalize(&unknown, &lean), Err(Fatal::User(_))));
}

#[test]
fn proofs_become_sorry() {
    let Some(lean) = lean("proofs_become_sorry") else { return };
    let text = "theorem left_as_exercise : 1 = 1 := rfl\n\ntheorem the_tricky_one : 2 = 2 := rfl\n\n\
                theorem by_cases : ∀ n : Nat, n = n\n  | 0 => rfl\n  | _ + 1 => rfl\n\n\
                theorem with_let : let x := 1; x = 1 := rfl\n";
    let ask = |names: Option<&[&str]>, indices: Option<&[i64]>| {
        let selection = selection(names, indices, true);
        theorem2sorry(&TheoremToSorryRequest { source: source(text), selection }, &lean)
    };
    let run = |names: Option<&[&str]>, indices: Option<&[i64]>| ask(names, indices).unwrap().content;
    let all = "theorem left_as_exercise : 1 = 1 := sorry\n\ntheorem the_tricky_one : 2 = 2 := sorry\n\n\
               theorem by_cases : ∀ n : Nat, n = n := sorry\n\ntheorem with_let : let x := 1; x = 1 := sorry\n";
    assert_eq!(run(None, None), all);
    let first = run(Some(&["left_as_exercise"]), None);
    assert_eq!(first, text.replacen("rfl", "sorry", 1));
    assert_eq!(run(None, Some(&[0, -1])).matches("sorry").count(), 2);
    assert_eq!(run(Some(&["with_let"]), Some(&[0])).matches("sorry").count(), 2);
    assert_eq!(errors(all), []);
    for (names, indices, says) in [
        (Some(&["left_as_exercis"][..]), None, "did you mean left_as_exercise?"),
        (None, Some(&[4][..]), "no theorem at position 4; the file has 4"),
        (None, Some(&[-5][..]), "no theorem at position -5"),
        (None, Some(&[i64::MIN][..]), "no theorem at position"),
    ] {
        let message = refused(ask(names, indices));
        assert!(message.contains(says), "{message}");
    }
}

/// A name is enough where it is clear; what it could be is said where it is not.
#[test]
fn declarations_are_selected() {
    let Some(lean) = lean("declarations_are_selected") else { return };
    let text = "namespace A\ntheorem x : 1 = 1 := sorry\ndef d := 1\nend A\ntheorem B.x : 2 = 2 := sorry\n\
                theorem y : 3 = 4 := rfl\nmutual\ndef e : Nat → Nat | 0 => 0 | n + 1 => o n\n\
                def o : Nat → Nat | 0 => 0 | n + 1 => e n\nend\n#eval 5\n";
    let ask = |names: Option<&[&str]>, indices: Option<&[i64]>, theorems_only| {
        let selection = selection(names, indices, theorems_only);
        check(&CheckRequest { source: source(text), selection }, &lean)
    };
    let all = ask(None, None, true).unwrap();
    assert!(!all.okay);
    assert_eq!(all.failed_declarations, ["A.x", "B.x", "y"]);
    // The rest is neither reported nor counted; what is no declaration stays.
    let one = ask(Some(&["A.x"]), None, true).unwrap();
    assert!(one.okay && one.lean_messages.errors.is_empty(), "{one:?}");
    assert_eq!((one.failed_declarations, one.lean_messages.warnings.len()), (vec!["A.x".to_string()], 1));
    assert_eq!(one.lean_messages.infos, ["-:11:0-11:5: info: 5"]);
    let last = ask(None, Some(&[-1]), true).unwrap();
    assert_eq!((last.okay, last.failed_declarations), (false, vec!["y".to_string()]));
    assert!(ask(Some(&["d", "o"]), Some(&[1, -1]), false).unwrap().okay);
    assert!(refused(ask(Some(&["x"]), None, true)).contains("it may be A.x, B.x"));
    assert!(refused(ask(Some(&["d"]), None, true)).contains("it is no theorem"));
    assert!(refused(ask(None, Some(&[6]), false)).contains("no declaration at position 6; the file has 6"));
    let of = |names: &[&str]| {
        let names = Some(names.iter().map(|n| n.to_string()).collect());
        extract_decls(&ExtractRequest { names, ..extract(text) }, &lean)
    };
    let some = of(&["d", "_root_.B.x"]).unwrap();
    assert_eq!(some.documents.keys().collect::<Vec<_>>(), ["A.d", "B.x"]);
    assert_eq!(some.documents["B.x"].index, 2);
    assert!(refused(of(&["nobody"])).contains("no declaration is called nobody"));
}

#[test]
fn declarations_are_extracted() {
    let Some(lean) = lean("declarations_are_extracted") else { return };
    let text = "namespace A\ndef foo : Nat := 1\nvariable (n : Nat)\ntheorem bar : foo = 1 := rfl\n\
                instance : Inhabited Nat := ⟨foo⟩\ntheorem baz : n = n ∧ foo = 1 := ⟨rfl, bar⟩\n\
                theorem open_end : foo = 2 := sorry\nend A\n";
    let answer = extract_decls(&extract(text), &lean).unwrap();
    // The name that Lean gives to an instance of two library types ends with the name of the module.
    let names: Vec<&str> = answer.documents.keys().map(String::as_str).collect();
    let instance = names[3];
    assert!(instance.starts_with("A.instInhabitedNat"), "{names:?}");
    assert_eq!(names, ["A.bar", "A.baz", "A.foo", instance, "A.open_end"]);
    for (name, d) in &answer.documents {
        let probe = if name == instance { String::new() } else { format!("\n#check @{name}") };
        assert_eq!(errors(&format!("{}{probe}", d.content)), [], "{name}");
    }
    let bar = &answer.documents["A.bar"];
    assert_eq!(
        (bar.kind.as_str(), bar.signature.as_str(), bar.r#type.as_str()),
        ("theorem", "theorem bar : foo = 1", "A.foo = 1")
    );
    assert_eq!((bar.index, bar.line_pos, bar.end_line_pos, bar.is_sorry), (1, 4, 4, false));
    assert_eq!(bar.local_type_dependencies, ["A.foo"]);
    assert_eq!(bar.tokens, ["theorem", "bar", ":", "foo", "=", "1", ":=", "rfl"]);
    assert_eq!(bar.external_syntactic_dependencies, ["rfl"]);
    let baz = &answer.documents["A.baz"];
    assert_eq!(baz.local_value_dependencies, ["A.bar", "A.foo"]);
    assert!(baz.content.contains("variable (n : Nat)") && !baz.content.contains("open_end"));
    assert!(answer.documents["A.open_end"].is_sorry);
    assert_eq!(answer.documents["A.open_end"].declaration_messages.warnings.len(), 1);
}

/// What is inside of declarations, of which the text does not tell all.
#[test]
fn bodies_are_looked_into() {
    let Some(lean) = lean("bodies_are_looked_into") else { return };
    let text = "\
namespace A
def f : Nat → Nat | 0 => 0 | n + 1 => f n + 1
@[simp] theorem f_eq (n : Nat) : f n = n := by
  induction n with
  | zero => rfl
  | succ n ih => simp only [f, ih]
private def g (n : Nat) : Nat := if n < 3 then f n else n
theorem g_eq (n : Nat) : g n = n := by
  unfold g; split <;> (simp; done)
theorem by_omega (n : Nat) (h : n < 2) : n + g n < 4 := by
  have := g_eq n
  omega
structure P where
  x : Nat
  h : f x = x := by simp
inductive T | leaf (p : P) | node (_ _ : T)
def T.size : T → Nat
  | leaf p => p.x
  | node a b => a.size + b.size
end A
mutual
def even : Nat → Bool | 0 => true | n + 1 => odd n
def odd : Nat → Bool | 0 => false | n + 1 => even n
end
theorem even_zero : even 0 = true := by { rw [even] }
theorem nested : 1 = 1 ∧ True :=
  ⟨by first | exact (by rfl) | simp,
   by
    · trivial⟩
theorem wrong : 1 = 2 := by decide
";
    let answer = extract_decls(&extract(text), &lean).unwrap();
    assert_eq!(answer.tool_messages.warnings, Vec::<String>::new());
    let counts = |name: &str| -> Vec<(&str, usize)> {
        answer.documents[name].tactic_counts.iter().map(|(t, n)| (t.as_str(), *n)).collect()
    };
    assert_eq!(counts("A.f"), []);
    assert_eq!(answer.documents["A.f"].proof_length, 1);
    assert_eq!(counts("A.f_eq"), [("induction", 1), ("rfl", 1), ("simp", 1)]);
    assert_eq!(counts("A.g_eq"), [("<;>", 1), ("done", 1), ("simp", 1), ("split", 1), ("unfold", 1)]);
    assert_eq!(answer.documents["A.g_eq"].proof_length, 5);
    assert_eq!(counts("even_zero"), [("rw", 1)]);
    assert_eq!(counts("odd"), []);
    assert_eq!(
        counts("nested"),
        [("exact", 1), ("first", 1), ("rfl", 1), ("simp", 1), ("trivial", 1), ("·", 1)]
    );
    assert_eq!(counts("wrong"), [("decide", 1)]);
    let local = |name: &str| answer.documents[name].local_value_dependencies.clone();
    // A simp lemma that no text names; what omega hides in a theorem of its own.
    assert_eq!(local("A.g_eq"), ["A.f", "A.f_eq", "A.g"]);
    assert_eq!(local("A.by_omega"), ["A.g", "A.g_eq"]);
    let external = &answer.documents["A.by_omega"].external_value_dependencies;
    assert!(external.iter().any(|c| c.starts_with("Lean.Omega.")), "{external:?}");
    assert_eq!(answer.documents["A.by_omega"].local_type_dependencies, ["A.g"]);
    // Of types what their constructors need.
    assert_eq!(local("A.P"), ["A.f"]);
    assert_eq!(local("A.T"), ["A.P"]);
    assert_eq!(local("A.T.size"), ["A.P", "A.T"]);
    // Each other, by a match that has the name of A.f.
    assert_eq!((local("even"), local("odd")), (vec!["odd".to_string()], vec!["even".to_string()]));
    let odd = &answer.documents["odd"];
    assert_eq!((odd.kind.as_str(), odd.signature.as_str(), odd.index), ("def", "def odd : Nat → Bool", 8));
    for (name, d) in &answer.documents {
        let found = errors(&format!("{}\n#check @{name}", d.content));
        let private = name == "A.g";
        let expected = usize::from(name == "wrong");
        assert!(found.len() == expected || private, "{name}: {found:?}\n{}", d.content);
    }

    // Less of it.
    let less = |change: &dyn Fn(&mut ExtractRequest)| {
        let mut request = extract(text);
        change(&mut request);
        extract_decls(&request, &lean).unwrap()
    };
    let written = less(&|r| r.elaborate = false);
    assert_eq!(written.tool_messages.warnings.len(), 1);
    let (few, all) = (&written.documents["A.by_omega"], &answer.documents["A.by_omega"]);
    assert_eq!((&few.kind, few.index, few.line_pos), (&all.kind, all.index, all.line_pos));
    assert_eq!(few.local_syntactic_dependencies, ["A.g", "A.g_eq"]);
    assert!(few.local_value_dependencies.is_empty() && few.content.is_empty() && few.r#type.is_empty());
    let edges = less(&|r| r.dependencies_only = true);
    let few = &edges.documents["A.by_omega"];
    assert_eq!(few.external_value_dependencies, all.external_value_dependencies);
    assert!(few.content.is_empty() && few.tactic_counts.is_empty() && few.declaration.is_empty());
    let statements = less(&|r| r.elaborate_proofs = false);
    let few = &statements.documents["A.by_omega"];
    assert!(few.local_value_dependencies.is_empty() && few.content.is_empty());
    assert_eq!((&few.r#type, few.type_hash), (&all.r#type, all.type_hash));
    assert_eq!(statements.documents["A.T.size"].local_value_dependencies, ["A.P", "A.T"]);
    // More of types.
    assert_eq!(answer.documents["nested"].r#type, "1 = 1 ∧ True");
    assert!(less(&|r| r.verbosity = 1.0).documents["nested"].r#type.contains("(1 : Nat)"));
    assert!(less(&|r| r.verbosity = 2.0).documents["nested"].r#type.contains("@Eq.{1} Nat"));
    let off = less(&|r| drop(r.delab_options.insert("pp.notation".into(), false.into())));
    assert_eq!(off.documents["nested"].r#type, "And (Eq 1 1) True");
    for (option, says) in
        [("pp.nothing", "pp.nothing"), ("maxHeartbeats", "pp.… only"), ("pp.a b", "no name")]
    {
        let mut request = extract(text);
        request.delab_options.insert(option.into(), true.into());
        let message = refused(extract_decls(&request, &lean));
        assert!(message.contains(says), "{message}");
    }
    assert!(
        refused(extract_decls(&ExtractRequest { verbosity: 3.0, ..extract(text) }, &lean))
            .contains("0, 1 or 2")
    );
}

#[test]
fn checking() {
    let Some(lean) = lean("checking") else { return };
    let check = |text: &str| {
        let request = CheckRequest { source: source(text), selection: Selection::default() };
        check(&request, &lean).unwrap()
    };
    let answer = check("theorem a : 1 = 1 := rfl\ntheorem b : 1 = 2 := sorry\n#eval 2 + 2");
    assert!(answer.okay);
    assert_eq!(answer.failed_declarations, ["b"]);
    assert_eq!(answer.lean_messages.infos, ["-:3:0-3:5: info: 4"]);
    let answer = check("theorem c : 1 = 2 := rfl");
    assert!(!answer.okay && answer.lean_messages.errors[0].starts_with("-:1:"), "{:?}", answer.lean_messages);
    assert_eq!(answer.failed_declarations, ["c"]);
    // What a theorem rests on counts, wherever it comes from.
    let answer = check(
        "axiom a : 1 = 2\ntheorem from_axiom : 1 = 2 := a\ntheorem open_end : 1 = 3 := sorry\n\
         private theorem from_sorry : 1 = 3 := open_end\nunsafe def loop : Nat := loop\n\
         theorem fine (p : Prop) : p ∨ ¬p := Classical.em p\nnamespace N",
    );
    assert!(answer.okay, "{answer:?}");
    assert_eq!(answer.failed_declarations, ["a", "from_axiom", "open_end", "from_sorry", "loop"]);
    assert_eq!(
        answer.tool_messages.warnings[1],
        "In 'from_axiom': Axiom 'a' is not in the allowed set of standard axioms"
    );
    assert!(answer.tool_messages.warnings[3].starts_with("In 'from_sorry': Axiom 'sorryAx'"), "{answer:?}");
}

/// Options of Lean hold for what is compiled; those that are none are refused.
#[test]
fn options_are_given_to_the_compiler() {
    let Some(lean) = lean("options_are_given_to_the_compiler") else { return };
    let ask = |tool: &str, options: serde_json::Value| {
        let text = "theorem t (x : α) : x = x := rfl";
        let request = serde_json::json!({"content": text, "documents": [text], "global_options": options});
        run_tool(tool, &request, lean.clone())
    };
    let errors = |tool: &str, options: serde_json::Value| {
        ask(tool, options).unwrap()["lean_messages"]["errors"].as_array().unwrap().len()
    };
    for tool in ["check", "merge", "extract_decls"] {
        assert_eq!(errors(tool, serde_json::json!({"autoImplicit": true})), 0, "{tool}");
        assert_eq!(
            errors(tool, serde_json::json!({"autoImplicit": "true", "maxRecDepth": 600})),
            0,
            "{tool}"
        );
        assert!(errors(tool, serde_json::json!({"autoImplicit": false})) > 0, "{tool}");
    }
    for (options, says) in [
        (serde_json::json!({"no.such.option": true}), "unknown configuration option 'no.such.option'"),
        (serde_json::json!({"autoImplicit": "perhaps"}), "must be true/false"),
        (serde_json::json!({"autoImplicit": [1]}), "not [1]"),
        (serde_json::json!({"pp.all": false}), "takes no pp."),
        (serde_json::json!({"debug.skipKernelTC": true}), "takes no debug."),
        (serde_json::json!({"-o": "x"}), "unknown configuration option"),
        (serde_json::json!({"a b": true}), "no name of an option"),
    ] {
        let message = refused(ask("check", options));
        assert!(message.contains(says), "{message}");
    }
}

/// What a person gets to read names the file and says what to do.
#[test]
fn bad_files_are_named() {
    if lean("bad_files_are_named").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("good.lean"), "def a := 1\n").unwrap();
    std::fs::write(path("cut.lean"), "def a := 1\n/- and then\n").unwrap();
    std::fs::write(path("large.lean"), "-- a line that says nothing\n".repeat(400_000)).unwrap();
    std::fs::write(path("latin.lean"), b"-- \xe9\n").unwrap();
    std::fs::write(path("import.lean"), "import No.Such\n").unwrap();
    let (nowhere, good) = (path("nowhere/out.lean"), path("good.lean"));
    for (name, says) in [
        ("missing.lean", "missing.lean cannot be read"),
        ("", "cannot be read"),
        ("cut.lean", "cut.lean is cut off: the comment at 2:0 does not end"),
        ("large.lean", "large.lean has 11200000 bytes; at most 4194304 are read. Split it."),
        ("latin.lean", "latin.lean is not UTF-8 (at byte 3)"),
        ("import.lean", "import.lean has an import that this Lean does not find"),
    ] {
        let file = path(name);
        for arguments in [vec!["merge", &good, &file], vec!["normalize", &file], vec!["extract-decls", &file]]
        {
            let run = cli(&arguments);
            let error = String::from_utf8(run.stderr).unwrap();
            assert!(run.status.code() == Some(1) && run.stdout.is_empty(), "{arguments:?}: {error}");
            assert!(error.contains(says) && error.lines().count() == 1, "{arguments:?}: {error}");
        }
    }
    let run = cli(&["merge", &good, "-o", &nowhere]);
    let error = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code() == Some(1) && error.contains("is no directory; make it"), "{error}");
    assert_eq!(cli(&["merge"]).status.code(), Some(2));
}
