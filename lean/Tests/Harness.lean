/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/

/-!
# Checks that are counted, resident memory, and random numbers
-/

namespace Tests

/-- Numbers of checks that passed and failed. -/
structure Tally where
  passed : Nat := 0
  failed : Nat := 0

/-- A test: an action with access to the tally. -/
abbrev TestM := ReaderT (IO.Ref Tally) IO

/-- Counts and prints one check. -/
def check (name : String) (ok : Bool) (detail : String := "") : TestM Unit := do
  let tally ← read
  if ok then
    tally.modify fun t => { t with passed := t.passed + 1 }
    IO.println s!"ok    {name}"
  else
    tally.modify fun t => { t with failed := t.failed + 1 }
    IO.println s!"FAIL  {name}{if detail.isEmpty then "" else ": " ++ detail}"

/-- Runs a group; an exception in it counts as a failed check. -/
def group (name : String) (body : TestM Unit) : TestM Unit := do
  let tally ← read
  try body.run tally
  catch e => check name false s!"unexpected exception: {e}"

/-- Checks that two values are equal. -/
def checkEq [BEq α] [Repr α] (name : String) (got expected : α) : TestM Unit :=
  if got == expected then check name true
  else check name false s!"got {reprStr got}, expected {reprStr expected}"

/-- Checks that there is no counterexample. -/
def checkAll (name : String) (cases : List α) (ok : α → Bool) (render : α → String) : TestM Unit :=
  match cases.filter (fun x => !ok x) with
  | [] => check s!"{name}: {cases.length} cases" (!cases.isEmpty)
  | x :: xs => check name false s!"{xs.length + 1} of {cases.length}, first {render x}"

/-- Resident memory of this process in pages, where the system tells. -/
def residentPages : IO (Option Nat) := do
  try
    let text ← IO.FS.readFile "/proc/self/statm"
    -- the second of its numbers
    let rest := (text.toList.dropWhile (· != ' ')).drop 1
    return (String.ofList (rest.takeWhile (·.isDigit))).toNat?
  catch _ => return none

/-- Pseudo-random numbers: Knuth's linear congruential generator, its upper bits. -/
abbrev Gen := StateM Nat

/-- A number below `n`. -/
def below (n : Nat) : Gen Nat := do
  let s := ((← get) * 6364136223846793005 + 1442695040888963407) % 2 ^ 64
  set s
  return (s >>> 20) % n

/-- An integer between `a` and `b`. -/
def between (a b : Int) : Gen Int := return a + (← below (b - a + 1).toNat)

/-- `n` random things, the same in every run. -/
def samples (n : Nat) (g : Gen α) (seed : Nat := 2026) : List α := Id.run do
  return ((List.range n).mapM fun _ => g).run' seed

end Tests
