/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# When there is no answer

`run` throws; `runE` returns the refusal as a value with a stable code, so that a program can react.
-/

open LeanOracle LeanOracle.Arb

/-- The upper end of `func` on `[lo, hi]`, or what is wrong with the question. -/
def upperEnd (func lo hi : String) : IO String := do
  match ← runE { func, lo, hi, digits := 10 } with
  | .ok r => return r.outHi
  | .error e =>
    match e.code with
    | .domain => return "not defined there"
    | .pole => return "unbounded there"
    | code => return s!"no answer ({code})"

/-- info: "0.6931471806" -/
#guard_msgs in
#eval upperEnd "log" "0.5" "2"

/-- info: "not defined there" -/
#guard_msgs in
#eval upperEnd "log" "-1" "1"

/-- info: "unbounded there" -/
#guard_msgs in
#eval upperEnd "tan" "1" "2"

/-- info: "no answer (unknown_function)" -/
#guard_msgs in
#eval upperEnd "tangent" "0" "1"

/-- info: "no answer (reversed)" -/
#guard_msgs in
#eval upperEnd "exp" "1" "0"

-- Not an answer that looks like one: an infinite end is refused.
/-- info: "no answer (bad_number)" -/
#guard_msgs in
#eval upperEnd "exp" "0" "inf"
