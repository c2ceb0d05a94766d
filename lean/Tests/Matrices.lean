/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Matrix
import Tests.Harness

/-!
# Sums of matrices
-/

namespace Tests

open LeanOracle LeanOracle.MathDefs

def intMatrixGen : Gen (Matrix × Nat) := do
  let cols := (← below 5) + 1
  let rows ← (List.range (← below 5)).mapM fun _ =>
    (List.range cols).mapM fun _ => between (-50) 50
  return (⟨rows⟩, cols)

/-- A matrix of balls and one of fractions within them. -/
def ballMatrixGen : Gen (Matrix MidRad10Exp × Matrix Frac) := do
  let cols := (← below 4) + 1
  let rows ← (List.range (← below 4)).mapM fun _ => (List.range cols).mapM fun _ => do
    let b : MidRad10Exp := ⟨← between (-60) 60, ← between 0 9, ← between (-3) 2⟩
    let (lo, hi) := b.toRatBounds
    return (b, Frac.ofRat (lo + (hi - lo) * mkRat (← below 10) 9))
  return (⟨rows.map (·.map (·.1))⟩, ⟨rows.map (·.map (·.2))⟩)

def matrixTests : TestM Unit := do
  let render (p : Matrix × Nat) := reprStr p.1
  let matrices := samples 150 intMatrixGen
  checkAll "sums by rows, by columns, of the transpose" matrices (fun (m, cols) =>
    let total := m.rows.foldl (fun s row => row.foldl (· + ·) s) 0
    let col (c : Nat) := m.rows.foldl (fun s row => s + (row[c]?).getD 0) 0
    matrixSum m == total && listSum m.rowSums == total && listSum m.colSums == total
      && matrixSum m.transpose == total && matrixSum (m.smul (-3)) == -3 * total
      && matrixSum (m ++ m) == 2 * total && m.transpose.rowSums == m.colSums
      && (m.rows.isEmpty || m.colSums == (List.range cols).map col)) render
  checkAll "transposes" matrices (fun (m, cols) =>
    decide (m.Rectangular cols)
      && (List.range 6).all fun r => (List.range 6).all fun c =>
        m.transpose.entry c r == m.entry r c) render
  checkAll "nonnegative matrices" (matrices.map fun (m, _) =>
      (m, m.rows.all (·.all (0 ≤ ·)))) (fun (m, b) => decide (nonNegative m) == b)
    (fun p => reprStr p.1)
  checkEq "a matrix without negative entries"
    (decide (nonNegative (⟨[[1, 0], [3, 4]]⟩ : Matrix))) true
  checkEq "a matrix with a negative entry"
    (decide (nonNegative (⟨[[1, 0], [3, -4]]⟩ : Matrix))) false
  checkAll "checked sums" matrices (fun (m, _) => checkSum m (matrixSum m)
    && !checkSum m (matrixSum m + 1) && checkSumIn m ⟨matrixSum m * 10 + 5, 5, -1⟩
    && !checkSumIn m ⟨matrixSum m * 10 + 6, 5, -1⟩) render
  checkAll "sums of balls" (samples 100 ballMatrixGen) (fun (b, x) =>
      decide (b.Encloses x) && decide (matrixSum x ∈ matrixSum b)
        && decide (Enclosed x.colSums b.colSums)
        && decide (b.transpose.Encloses x.transpose)
        && decide ((b.smul ⟨7, 1, -1⟩).Encloses (x.smul (Frac.mk 3 4)))
        && checkBallSum b (matrixSum b) && checkBallSum b ((matrixSum b).round 3)
        && !checkBallSum b (matrixSum b + 1))
    (fun p => reprStr p.1)

end Tests
