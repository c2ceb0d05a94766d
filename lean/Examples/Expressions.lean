/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Questions about expressions

Ranges, minima, zeros and comparisons of expressions; many questions at once; a question in the
background. At the end a minimum that the oracle found becomes a theorem.
-/

open LeanOracle LeanOracle.Arb
open LeanOracle.Expr (c sin exp sqrt)

/-- The variable of the expressions below. -/
def x := Expr.var "x"

/-! ## Values -/

/-- The polynomial of the theorem below. Numbers are exact: `c "0.1"` and `0.1` are one tenth. -/
def f : Expr := x ^ 2 + c "0.1" * x - 0.5

/-- info: "x^2 + 0.1 * x - 0.5" -/
#guard_msgs in
#eval toString f

-- All its values on [-1/2, 1/2], and nothing much beside them: `x ^ 2` and `0.1 * x` are one
-- question, not two.
#eval show IO Unit from do
  let a ← enclose f [("x", "-1/2", "1/2")] { digits := 10 }
  unless a.outputBall.containsRat (-201 / 400) && a.outputBall.containsRat (-1 / 5)
      && a.outputBall.subset ⟨-3513, 1514, -4⟩ do
    throw <| IO.userError s!"{a.outputBall}"

-- Text may be asked about as well.
/-- info: [0, 2] -/
#guard_msgs in
#eval do
  let a ← enclose "sqrt(x)" [("x", "0", "4")] { digits := 10 }
  IO.println s!"[{a.outLo}, {a.outHi}]"

/-! ## Where is the maximum? -/

/-- info: some "[0.3678794411, 0.3678794412]" -/
#guard_msgs in
#eval do
  let a ← range (x * exp (-x)) [("x", "0", "5")] { digits := 10 }
  -- it is attained near 1, and nowhere else
  for place in a.max.places do
    for (name, e) in place do
      unless e.ball.subset ⟨100, 1, -2⟩ do throw <| IO.userError s!"{name} in {e}"
  return a.max.value.map toString

/-! ## Zeros -/

/-- info: all: true
[3.141592653, 3.141592654]
[6.283185307, 6.283185308]
[9.42477796, 9.424777961] -/
#guard_msgs in
#eval do
  let a ← roots (sin x) [("x", "1", "10")] { digits := 10 }
  IO.println s!"all: {a.complete}"
  for root in a.roots do IO.println s!"{root.place}"

/-! ## Comparisons -/

/-- info: true -/
#guard_msgs in
#eval do
  let verdict ← Arb.compare (sin x) x [("x", "0.1", "10")]
  return verdict == Verdict.holds

-- `x ^ 2 < x` fails on [0.5, 2], at a place that comes with the answer.
#eval show IO Unit from do
  match ← Arb.compare (x ^ 2) x [("x", "0.5", "2")] with
  | .fails place =>
    for (name, e) in place do
      unless (⟨1, 0, 0⟩ : MidRad10Exp).certainlyLe e.ball do
        throw <| IO.userError s!"{name} in {e}"
  | v => throw <| IO.userError s!"{repr v}"

/-! ## Many questions in one call -/

/-- info: ok: 1, ok: 2, pole, ok: 4 -/
#guard_msgs in
#eval do
  let ask (g : Expr) : Question ExprAnswer := Question.enclose g [("x", "0", "16")] { digits := 5 }
  let answers ← batch [ask (sqrt (x / 16)), ask (sqrt x / 2), ask (1 / x), ask (sqrt x)]
  let texts := answers.map fun (r : Except Error ExprAnswer) =>
    match r with
    | .ok a => s!"ok: {a.outHi}"
    | .error e => toString e.code
  IO.println (", ".intercalate texts)

/-! ## In the background -/

/-- info: some (LeanOracle.Arb.ErrorCode.cancelled) -/
#guard_msgs in
#eval do
  -- the exact value, 1, is out of reach at 100 digits
  let job ← spawn <| Question.range (sin x ^ 2 + x.cos ^ 2) [("x", "0", "100")]
    { level := some .tight, digits := 110, tol := "1e-100", maxNodes := some 1000000000000 }
  job.cancel
  match ← job.waitE with
  | .ok _ => return none
  | .error e => return some e.code

/-! ## A theorem

The oracle says that the least value of `f` is near -0.5025, so it is worth trying to prove that it
is -201/400. At `a / b` that is, multiplied by `400 * b ^ 2`, a statement about integers. -/

#eval show IO Unit from do
  let a ← range f [("x", "-1/2", "1/2")] { digits := 10 }
  unless a.min.value.any fun v => v.ball.containsRat (-201 / 400) do
    throw <| IO.userError s!"{repr a.min.value}"

/-- `f (a / b)` is at least -201/400. -/
theorem f_bound (a b : Int) :
    -201 * (b * b) ≤ 400 * (a * a) + 40 * (a * b) - 200 * (b * b) := by
  have h : 0 ≤ (20 * a + b) * (20 * a + b) := by
    by_cases sign : 0 ≤ 20 * a + b
    · exact Int.mul_nonneg sign sign
    · rw [← Int.neg_mul_neg]
      exact Int.mul_nonneg (by omega) (by omega)
  have e : (20 * a + b) * (20 * a + b) = 400 * (a * a) + 40 * (a * b) + b * b := by
    rw [Int.add_mul, Int.mul_add, Int.mul_add, Int.mul_comm b (20 * a), Int.mul_assoc,
      Int.mul_assoc, Int.mul_left_comm a 20 a]
    omega
  omega

#print axioms f_bound
