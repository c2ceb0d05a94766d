/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball
import LeanOracle.Matrix.Basic

/-!
# Sums of matrices of balls

When the entries of a matrix are only known to lie in balls, its sum lies in the sum of the balls,
and the same holds for rows, columns, the transpose and multiples. A ball that was computed
elsewhere contains the sum when it contains the sum of the balls (`checkBallSum`).
-/

namespace LeanOracle.MathDefs

open MidRad10Exp

/-- Every entry of the list lies in the ball at its place; the lengths agree. -/
def Enclosed : List Frac → List MidRad10Exp → Prop
  | [], [] => True
  | x :: xs, b :: bs => x ∈ b ∧ Enclosed xs bs
  | _, _ => False

/-- The same for lists of lists. -/
def EnclosedRows : List (List Frac) → List (List MidRad10Exp) → Prop
  | [], [] => True
  | xs :: X, bs :: B => Enclosed xs bs ∧ EnclosedRows X B
  | _, _ => False

/-- Every entry of the matrix lies in the ball at its place. -/
def Matrix.Encloses (B : Matrix MidRad10Exp) (X : Matrix Frac) : Prop := EnclosedRows X.rows B.rows

instance decidableEnclosed : (xs : List Frac) → (bs : List MidRad10Exp) → Decidable (Enclosed xs bs)
  | [], [] => .isTrue trivial
  | _ :: xs, _ :: bs =>
    have := decidableEnclosed xs bs
    inferInstanceAs (Decidable (_ ∧ _))
  | [], _ :: _ => .isFalse id
  | _ :: _, [] => .isFalse id

instance decidableEnclosedRows :
    (X : List (List Frac)) → (B : List (List MidRad10Exp)) → Decidable (EnclosedRows X B)
  | [], [] => .isTrue trivial
  | _ :: X, _ :: B =>
    have := decidableEnclosedRows X B
    inferInstanceAs (Decidable (_ ∧ _))
  | [], _ :: _ => .isFalse id
  | _ :: _, [] => .isFalse id

instance (B : Matrix MidRad10Exp) (X : Matrix Frac) : Decidable (B.Encloses X) :=
  inferInstanceAs (Decidable (EnclosedRows _ _))

/-- The sum of members is a member of the sum. -/
theorem listSum_mem {xs : List Frac} {bs : List MidRad10Exp} (h : Enclosed xs bs) :
    listSum xs ∈ listSum bs := by
  induction xs generalizing bs with
  | nil => cases bs with
    | nil => exact zero_mem
    | cons => exact h.elim
  | cons x xs ih => cases bs with
    | nil => exact h.elim
    | cons b bs => exact mem_add h.1 (ih h.2)

private theorem enclosed_map_listSum {X : List (List Frac)} {B : List (List MidRad10Exp)}
    (h : EnclosedRows X B) : Enclosed (X.map listSum) (B.map listSum) := by
  induction X generalizing B with
  | nil => cases B with
    | nil => exact h
    | cons => exact h.elim
  | cons x X ih => cases B with
    | nil => exact h.elim
    | cons b B => exact ⟨listSum_mem h.1, ih h.2⟩

private theorem enclosed_addLists {xs ys : List Frac} {as bs : List MidRad10Exp}
    (h : Enclosed xs as) (k : Enclosed ys bs) :
    Enclosed (Matrix.addLists xs ys) (Matrix.addLists as bs) := by
  induction xs generalizing ys as bs with
  | nil => cases as with
    | nil => exact k
    | cons => exact h.elim
  | cons x xs ih => cases as with
    | nil => exact h.elim
    | cons a as => cases ys with
      | nil => cases bs with
        | nil => exact h
        | cons => exact k.elim
      | cons y ys => cases bs with
        | nil => exact k.elim
        | cons b bs => exact ⟨mem_add h.1 k.1, ih h.2 k.2⟩

private theorem enclosed_map_mul {c : Frac} {d : MidRad10Exp} (hc : c ∈ d) {xs : List Frac}
    {bs : List MidRad10Exp} (h : Enclosed xs bs) : Enclosed (xs.map (c * ·)) (bs.map (d * ·)) := by
  induction xs generalizing bs with
  | nil => cases bs with
    | nil => exact h
    | cons => exact h.elim
  | cons x xs ih => cases bs with
    | nil => exact h.elim
    | cons b bs => exact ⟨mem_mul hc h.1, ih h.2⟩

private theorem enclosed_consCol {xs : List Frac} {bs : List MidRad10Exp} (h : Enclosed xs bs)
    {X : List (List Frac)} {B : List (List MidRad10Exp)} (k : EnclosedRows X B) :
    EnclosedRows (Matrix.consCol xs X) (Matrix.consCol bs B) := by
  induction xs generalizing bs X B with
  | nil => cases bs with
    | nil => exact k
    | cons => exact h.elim
  | cons x xs ih => cases bs with
    | nil => exact h.elim
    | cons b bs => cases X with
      | nil => cases B with
        | nil => exact ⟨⟨h.1, trivial⟩, ih h.2 (X := []) (B := []) trivial⟩
        | cons => exact k.elim
      | cons x' X => cases B with
        | nil => exact k.elim
        | cons b' B => exact ⟨⟨h.1, k.1⟩, ih h.2 k.2⟩

namespace Matrix.Encloses

variable {B : Matrix MidRad10Exp} {X : Matrix Frac}

/-- The sums of the rows. -/
theorem rowSums (h : B.Encloses X) : Enclosed X.rowSums B.rowSums := enclosed_map_listSum h

/-- The sum of all entries. -/
theorem matrixSum_mem (h : B.Encloses X) : matrixSum X ∈ matrixSum B := listSum_mem h.rowSums

/-- The rows of a matrix that is enclosed, one by one. -/
private theorem foldr {p : List (List Frac) → List (List MidRad10Exp) → Prop} (nil : p [] [])
    (cons : ∀ xs bs X B, Enclosed xs bs → EnclosedRows X B → p X B → p (xs :: X) (bs :: B))
    {X : List (List Frac)} {B : List (List MidRad10Exp)} (h : EnclosedRows X B) : p X B := by
  induction X generalizing B with
  | nil => cases B with
    | nil => exact nil
    | cons => exact h.elim
  | cons x X ih => cases B with
    | nil => exact h.elim
    | cons b B => exact cons x b X B h.1 h.2 (ih h.2)

/-- The sums of the columns. -/
theorem colSums (h : B.Encloses X) : Enclosed X.colSums B.colSums :=
  foldr (p := fun X B => Enclosed (Matrix.colSums ⟨X⟩) (Matrix.colSums ⟨B⟩)) trivial
    (fun _ _ _ _ h _ ih => enclosed_addLists h ih) h

/-- The transpose. -/
theorem transpose (h : B.Encloses X) : B.transpose.Encloses X.transpose :=
  foldr (p := fun X B => EnclosedRows (Matrix.transpose ⟨X⟩).rows (Matrix.transpose ⟨B⟩).rows)
    trivial (fun _ _ _ _ h _ ih => enclosed_consCol h ih) h

/-- Multiples by a member of a ball. -/
theorem smul {c : Frac} {d : MidRad10Exp} (hc : c ∈ d) (h : B.Encloses X) :
    (B.smul d).Encloses (X.smul c) :=
  foldr (p := fun X B => EnclosedRows (Matrix.smul c ⟨X⟩).rows (Matrix.smul d ⟨B⟩).rows) trivial
    (fun _ _ _ _ h _ ih => ⟨enclosed_map_mul hc h, ih⟩) h

end Matrix.Encloses

/-- No ball has a negative member. -/
def nonNegativeBalls (B : Matrix MidRad10Exp) : Prop := ∀ row ∈ B.rows, ∀ b ∈ row, 0 ≤ b.lo

instance (B : Matrix MidRad10Exp) : Decidable (nonNegativeBalls B) :=
  inferInstanceAs (Decidable (∀ row ∈ B.rows, ∀ b ∈ row, 0 ≤ b.lo))

/-- A matrix within balls without negative members has no negative entry; so its sum is not
negative, by `matrixSum_nonneg_of_nonNegative`. -/
theorem nonNegative_of_balls {B : Matrix MidRad10Exp} {X : Matrix Frac} (h : B.Encloses X)
    (hB : nonNegativeBalls B) : nonNegative X := by
  refine nonNegative_iff.2 ?_
  have row (xs : List Frac) (bs : List MidRad10Exp) (h : Enclosed xs bs)
      (hb : ∀ b ∈ bs, 0 ≤ b.lo) : ∀ x ∈ xs, x ≥ 0 := by
    induction xs generalizing bs with
    | nil => exact fun _ hx => nomatch hx
    | cons x xs ih => cases bs with
      | nil => exact h.elim
      | cons b bs =>
        intro y hy
        cases hy with
        | head =>
          exact Frac.le_trans
            (Decimal.toFrac_zero ▸ Decimal.le_iff_toFrac.1 (hb b (.head _))) h.1.1
        | tail _ hy => exact ih bs h.2 (fun b hb' => hb b (.tail _ hb')) y hy
  obtain ⟨rows⟩ := X
  obtain ⟨balls⟩ := B
  induction rows generalizing balls with
  | nil => exact fun _ hx => nomatch hx
  | cons xs rows ih => cases balls with
    | nil => exact h.elim
    | cons bs balls =>
      intro r hr
      cases hr with
      | head => exact row xs bs h.1 (hB bs (.head _))
      | tail _ hr => exact ih balls (fun b hb => hB b (.tail _ hb)) h.2 r hr

/-! ### Balls computed elsewhere -/

/-- Whether `claimed` contains the sum of the balls: computes it again. -/
def checkBallSum (B : Matrix MidRad10Exp) (claimed : MidRad10Exp) : Bool :=
  decide ((matrixSum B).subset claimed)

/-- A ball that passes the check contains the sum of every matrix within the balls. -/
theorem matrixSum_mem_of_checkBallSum {B : Matrix MidRad10Exp} {claimed : MidRad10Exp}
    (h : checkBallSum B claimed = true) {X : Matrix Frac} (hX : B.Encloses X) :
    matrixSum X ∈ claimed :=
  mem_of_subset hX.matrixSum_mem (of_decide_eq_true h)

/-- Whether `claimed` contains the sum of a matrix of integers. -/
def checkSumIn (M : Matrix) (claimed : MidRad10Exp) : Bool :=
  decide (claimed.contains ⟨matrixSum M, 0⟩)

/-- A ball that passes the check contains the sum. -/
theorem matrixSum_mem_of_checkSumIn {M : Matrix} {claimed : MidRad10Exp}
    (h : checkSumIn M claimed = true) : Frac.ofInt (matrixSum M) ∈ claimed :=
  Decimal.toFrac_ofInt _ ▸ contains_iff.1 (of_decide_eq_true h)

end LeanOracle.MathDefs
