/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Thirty digits of Euler's number, proved

The oracle encloses `exp 1`. Euler's number is the supremum of the sums `1/0! + 1/1! + ... + 1/n!`,
so the two ends of the enclosure are correct when some sum reaches the lower end and no sum passes
the upper end. Both are theorems below, in exact integers, for **every** `n`; the oracle supplies
the numbers and nothing else.
-/

open LeanOracle LeanOracle.Arb

/-- The answer of the oracle, copied. -/
def e30 : MidRad10Exp := ⟨2718281828459045235360287471355, 5, -30⟩

-- The copy is what the oracle says.
#eval show IO Unit from do
  let r ← run { func := "exp", lo := "1", hi := "1", digits := 30 }
  unless r.outputBall = e30 do throw <| IO.userError s!"not the copy: {repr r.outputBall}"

/-- `n!`. -/
def fact : Nat → Int
  | 0 => 1
  | n + 1 => (n + 1) * fact n

/-- `n! * (1/0! + 1/1! + ... + 1/n!)`. -/
def expSum : Nat → Int
  | 0 => 1
  | n + 1 => (n + 1) * expSum n + 1

/-- The power of ten under the ends of the ball. -/
def unit : Int := 10 ^ 30

/-- The sum up to 30 reaches the lower end. -/
theorem lower : e30.lo.num * fact 30 ≤ expSum 30 * unit := by decide +kernel

/-- What is left between the sum up to `n` and the upper end, times `n!`. -/
def gap (n : Nat) : Int := e30.hi.num * fact n - expSum n * unit

/-- Another term costs the gap one unit. -/
theorem gap_succ (n : Nat) : gap (n + 1) = (n + 1) * gap n - unit := by
  show e30.hi.num * ((n + 1) * fact n) - ((n + 1) * expSum n + 1) * unit
    = (n + 1) * (e30.hi.num * fact n - expSum n * unit) - unit
  rw [Int.mul_left_comm e30.hi.num, Int.add_mul (_ * expSum n), Int.one_mul, Int.mul_assoc,
    Int.mul_sub]
  omega

/-- From 30 on the gap has room for the rest of the series: the terms after `1/n!` add up to at most
`1/(n * n!)`. -/
theorem gap_large (k : Nat) : 0 ≤ gap (k + 30) ∧ unit ≤ (k + 30 : Nat) * gap (k + 30) := by
  induction k with
  | zero => decide +kernel
  | succ k ih =>
    rw [show k + 1 + 30 = k + 30 + 1 by omega, gap_succ]
    generalize k + 30 = n at ih
    generalize gap n = g at ih
    obtain ⟨hg, hu⟩ := ih
    have h := Int.mul_le_mul_of_nonneg_left hu (Int.natCast_nonneg n)
    have e : ((n : Int) + 1) * g = n * g + g := by rw [Int.add_mul, Int.one_mul]
    rw [Int.natCast_succ, e, Int.add_mul, Int.one_mul, Int.mul_sub, Int.mul_add]
    omega

/-- No sum passes the upper end. -/
theorem upper (n : Nat) : expSum n * unit ≤ e30.hi.num * fact n := by
  have small : ∀ m, m < 30 → 0 ≤ gap m := by decide +kernel
  have h : 0 ≤ gap n := by
    by_cases hn : n < 30
    · exact small n hn
    · rw [show n = n - 30 + 30 by omega]
      exact (gap_large (n - 30)).1
  unfold gap at h
  omega

#print axioms lower
#print axioms upper
