/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Bounds inside larger proofs

Two ways to use balls in a proof. The first: numbers are known up to an error, and a conclusion has
to hold for all of them. The second: a sum was computed elsewhere, and becomes a theorem.
-/

open LeanOracle LeanOracle.MidRad10Exp LeanOracle.MathDefs

/-! ### Numbers that are known up to an error -/

/-- Measured: the sides of a box, in metres, each to a millimetre. -/
def boxWidth : MidRad10Exp := ⟨1250, 1, -3⟩
def boxDepth : MidRad10Exp := ⟨803, 1, -3⟩
def boxHeight : MidRad10Exp := ⟨402, 1, -3⟩

/-- Whatever the true sides are, the diagonal is shorter than 1.541 m, and the volume is between
0.401 and 0.406 cubic metres. The kernel computes with the measurements; the theorems about balls
carry the result over to all `w`, `d` and `h`. -/
theorem box {w d h : Frac} (hw : w ∈ boxWidth) (hd : d ∈ boxDepth) (hh : h ∈ boxHeight) :
    w ^ 2 + d ^ 2 + h ^ 2 < Frac.mk 1541 1000 ^ 2 ∧ w * d * h ∈ (⟨4035, 25, -4⟩ : MidRad10Exp) := by
  constructor
  · have sum := mem_add (mem_add (mem_pow hw 2) (mem_pow hd 2)) (mem_pow hh 2)
    exact Frac.lt_of_le_of_lt sum.2 (by decide +kernel)
  · exact mem_of_subset (mem_mul (mem_mul hw hd) hh) (by decide +kernel)

/-- A mean that is weighted by positive weights lies where the values lie: a bound used with
variables that no computation knows. -/
theorem weighted_mean {x y s t : Frac} {b : MidRad10Exp} (hx : x ∈ b) (hy : y ∈ b) (hs : 0 ≤ s)
    (ht : 0 ≤ t) (one : s + t = 1) : s * x + t * y ∈ b := by
  have same (z : Frac) : z = s * z + t * z := by rw [← Frac.add_mul, one, Frac.one_mul]
  constructor
  · rw [same b.lo.toFrac]
    exact Frac.add_le_add (Frac.mul_le_mul_of_nonneg_left hx.1 hs)
      (Frac.mul_le_mul_of_nonneg_left hy.1 ht)
  · rw [same b.hi.toFrac]
    exact Frac.add_le_add (Frac.mul_le_mul_of_nonneg_left hx.2 hs)
      (Frac.mul_le_mul_of_nonneg_left hy.2 ht)

/-! ### Sums that were computed elsewhere -/

/-- A matrix of integers. -/
def counts : Matrix := ⟨[[12, 7, 0, 31], [5, 18, 44, 2], [9, 9, 23, 16]]⟩

/-- Its sum, as a spreadsheet says. -/
theorem counts_sum : matrixSum counts = 176 := matrixSum_eq_of_checkSum (by decide +kernel)

/-- The same by columns. -/
theorem counts_columns : listSum counts.colSums = 176 :=
  counts.listSum_colSums.trans counts_sum

/-- It is not negative, for a reason that works for larger matrices too. -/
theorem counts_nonneg : matrixSum counts ≥ 0 :=
  MatrixProps.nonNegMatrixSum counts (by decide +kernel)

/-- The values of `exp` at 0, 1/2, 1 and 3/2, two by two, as the oracle says. -/
def values : Matrix MidRad10Exp :=
  ⟨[[⟨1, 0, 0⟩, ⟨16487212705, 5, -10⟩], [⟨27182818285, 5, -10⟩, ⟨44816890705, 5, -10⟩]]⟩

-- The copy is what the oracle says.
#eval show IO Unit from do
  let points := [["0", "0.5"], ["1", "1.5"]]
  let rows ← points.mapM (·.mapM fun x => do
    return (← Arb.run { func := "exp", lo := x, hi := x, digits := 10 }).outputBall)
  unless rows = values.rows do throw <| IO.userError s!"not the copy: {repr rows}"

/-- Whatever the four values are, if they lie where the oracle says, then their sum is
9.84869217 up to one unit of the last digit, and positive. -/
theorem values_sum {v : Matrix Frac} (h : values.Encloses v) :
    matrixSum v ∈ (⟨984869217, 1, -8⟩ : MidRad10Exp) ∧ 0 ≤ matrixSum v :=
  ⟨matrixSum_mem_of_checkBallSum (by decide +kernel) h,
    matrixSum_nonneg_of_nonNegative (nonNegative_of_balls h (by decide +kernel))⟩

#eval IO.println s!"the sum is in {matrixSum values}"
#eval IO.println s!"the columns of the counts have the sums {counts.colSums}"
