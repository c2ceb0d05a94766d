/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Repl

/-!
# Lean checks Lean

A pool of Lean processes checks texts: a proof, a wrong one, one that rests on an axiom of its own.
`lean` itself is enough for this. Tactic steps need the community's REPL; where there is none this file
says so.
-/

open LeanOracle.Repl

/-- Some claims, and what they are. -/
def claims : Array Snippet := #[
  { id := "right", code := "theorem two : 1 + 1 = 2 := rfl" },
  { id := "wrong", code := "theorem two : 1 + 1 = 3 := rfl" },
  { id := "open", code := "theorem two : 1 + 1 = 2 := by\n  skip" },
  { id := "believed", code := "axiom luck : 1 + 1 = 3\ntheorem two : 1 + 1 = 3 := luck" },
  { id := "imported", code := "import Nonexistent\ntheorem two : 1 + 1 = 2 := rfl" }]

/-- One line about an outcome. -/
def line (r : Outcome) : String :=
  let places := r.errors.map fun m => toString m.pos
  s!"{r.id}: {r.verdict}{if places.isEmpty then "" else s!" at {", ".intercalate places}"}"

/-- A proof, one tactic at a time. -/
def steps (pool : Pool) : IO Unit := do
  match ← Session.openE pool with
  | .error e => IO.println s!"no tactic steps here: {e}"
  | .ok session =>
    let r ← session.command "theorem two : 1 + 1 = 2 := by sorry"
    for hole in r.sorries do
      let step ← session.step (hole.proofState.getD 0) "rfl"
      IO.println s!"{hole.goal}, then rfl: {step.proofStatus}"
    session.close

#eval do
  match ← Pool.startE { maxProcesses := some 2 } with
  | .error e => IO.println s!"There is no Lean to check with: {e}"
  | .ok pool =>
    try
      for r in ← pool.checkBatch claims { audit := true, timeoutMs := 120000 } do
        IO.println (line r)
      steps pool
    finally pool.close
