/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# A theorem from an untrusted answer

The oracle says where the square root of two lies. The theorem below states that bound and is
checked by the kernel, in integers: it would not go through if the oracle were wrong, and it needs
no oracle to be checked again.
-/

open LeanOracle LeanOracle.Arb

/-- The answer of the oracle, copied from the line below. -/
def sqrtTwo : MidRad10Exp :=
  ⟨141421356237309504880168872420969807856967187537695, 5, -50⟩

-- The copy is what the oracle says.
#eval show IO Unit from do
  let r ← run { func := "sqrt", lo := "2", hi := "2", digits := 50 }
  unless r.outputBall = sqrtTwo do throw <| IO.userError s!"not the copy: {repr r.outputBall}"

/-- The ends of the ball are `lo.num * 10 ^ -50` and `hi.num * 10 ^ -50`. Both are positive, and two
lies strictly between their squares. -/
theorem sqrt_two_bounds :
    0 < sqrtTwo.lo.num ∧ sqrtTwo.lo.num ^ 2 < 2 * 10 ^ 100 ∧ 2 * 10 ^ 100 < sqrtTwo.hi.num ^ 2 := by
  decide +kernel

#print axioms sqrt_two_bounds
