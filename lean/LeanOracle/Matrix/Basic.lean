/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Frac

/-!
# Sums of matrices

A `Matrix` is a list of rows. Its entries are integers unless another type is given; the theorems
hold for integers and for fractions alike (`SumLaws`). The sum of all entries does not depend on how
they are added: by rows, by columns, of the transpose, of two parts one below the other. It is not
negative when no entry is.

A sum that was computed elsewhere becomes a theorem by computing it again: `checkSum M claimed`
does so, and `matrixSum_eq_of_checkSum` draws the conclusion. `decide +kernel` proves the check.

`MathDefs`, `MatrixProps` and `MLProofs` have the names of TorchLean's project.

## Implementation notes

Rows may have different lengths. Sums by columns and transposes then treat a short row as if it
ended in nothing, and still have the same sum; `entry_transpose` is about rectangular matrices.
-/

namespace LeanOracle.MathDefs

/-- What is used of addition, multiplication and order. -/
class SumLaws (α : Type) [Add α] [Mul α] [LE α] [OfNat α 0] : Prop where
  /-- Addition is associative. -/
  add_assoc (x y z : α) : x + y + z = x + (y + z)
  /-- Addition is commutative. -/
  add_comm (x y : α) : x + y = y + x
  /-- Zero is neutral. -/
  zero_add (x : α) : 0 + x = x
  /-- Multiplication distributes. -/
  mul_add (x y z : α) : x * (y + z) = x * y + x * z
  /-- A multiple of zero is zero. -/
  mul_zero (x : α) : x * 0 = (0 : α)
  /-- Zero is not negative. -/
  zero_le : (0 : α) ≤ 0
  /-- Sums of nonnegative numbers are nonnegative. -/
  add_nonneg {x y : α} : 0 ≤ x → 0 ≤ y → 0 ≤ x + y

instance : SumLaws Int where
  add_assoc := Int.add_assoc
  add_comm := Int.add_comm
  zero_add := Int.zero_add
  mul_add := Int.mul_add
  mul_zero := Int.mul_zero
  zero_le := Int.le_refl 0
  add_nonneg h k := by omega

instance : SumLaws Frac where
  add_assoc := Frac.add_assoc
  add_comm := Frac.add_comm
  zero_add := Frac.zero_add
  mul_add := Frac.mul_add
  mul_zero := Frac.mul_zero
  zero_le := Frac.le_refl 0
  add_nonneg := Frac.add_nonneg

open SumLaws

/-- A matrix, row by row. -/
structure Matrix (α : Type := Int) where
  /-- The rows. -/
  rows : List (List α)
  deriving Repr, Inhabited, DecidableEq

section

variable {α : Type}

/-- The sum of a list. -/
def listSum [Add α] [OfNat α 0] : List α → α
  | [] => 0
  | x :: xs => x + listSum xs

/-- The sum of all entries. -/
def matrixSum [Add α] [OfNat α 0] (M : Matrix α) : α := listSum (M.rows.map listSum)

/-- The entry in row `r` and column `c`, both counted from 0. -/
def Matrix.entry (M : Matrix α) (r c : Nat) : Option α := M.rows[r]?.bind (·[c]?)

/-- No entry is negative. -/
def nonNegative [LE α] [OfNat α 0] (M : Matrix α) : Prop :=
  ∀ (r c : Nat) (x : α), M.rows[r]?.bind (·[c]?) = some x → x ≥ 0

namespace Matrix

/-- The sums of the rows. -/
def rowSums [Add α] [OfNat α 0] (M : Matrix α) : List α := M.rows.map listSum

/-- Entry by entry; what only one list has is kept. -/
def addLists [Add α] : List α → List α → List α
  | [], ys => ys
  | x :: xs, [] => x :: xs
  | x :: xs, y :: ys => (x + y) :: addLists xs ys

/-- The sums of the columns. -/
def colSums [Add α] (M : Matrix α) : List α := M.rows.foldr addLists []

/-- Puts an entry before each column. -/
def consCol : List α → List (List α) → List (List α)
  | [], cols => cols
  | x :: xs, [] => [x] :: consCol xs []
  | x :: xs, col :: cols => (x :: col) :: consCol xs cols

/-- Rows become columns. -/
def transpose (M : Matrix α) : Matrix α := ⟨M.rows.foldr consCol []⟩

/-- One matrix below the other. -/
instance : Append (Matrix α) := ⟨fun A B => ⟨A.rows ++ B.rows⟩⟩

/-- Every entry times `c`. -/
def smul [Mul α] (c : α) (M : Matrix α) : Matrix α := ⟨M.rows.map (·.map (c * ·))⟩

/-- All rows have `n` entries. -/
def Rectangular (n : Nat) (M : Matrix α) : Prop := ∀ row ∈ M.rows, row.length = n

instance (n : Nat) (M : Matrix α) : Decidable (M.Rectangular n) :=
  inferInstanceAs (Decidable (∀ row ∈ M.rows, row.length = n))

theorem listSum_rowSums [Add α] [OfNat α 0] (M : Matrix α) : listSum M.rowSums = matrixSum M := rfl

end Matrix

/-! ### Sums -/

theorem listSum_cons [Add α] [OfNat α 0] (x : α) (xs : List α) :
    listSum (x :: xs) = x + listSum xs := rfl

theorem matrixSum_cons [Add α] [OfNat α 0] (row : List α) (rows : List (List α)) :
    matrixSum ⟨row :: rows⟩ = listSum row + matrixSum ⟨rows⟩ := rfl

private theorem exists_getElem? {β : Type} {x : β} {l : List β} (h : x ∈ l) :
    ∃ i : Nat, l[i]? = some x := by
  induction l with
  | nil => cases h
  | cons y l ih =>
    cases h with
    | head => exact ⟨0, rfl⟩
    | tail _ h =>
      obtain ⟨i, h⟩ := ih h
      exact ⟨i + 1, h⟩

private theorem mem_of_getElem? {β : Type} {x : β} {l : List β} {i : Nat} (h : l[i]? = some x) :
    x ∈ l := by
  induction l generalizing i with
  | nil =>
    have h : none = some x := by cases i <;> exact h
    cases h
  | cons y l ih =>
    cases i with
    | zero =>
      have h : some y = some x := h
      cases h
      exact .head _
    | succ i => exact .tail _ (ih h)

theorem nonNegative_of_mem [LE α] [OfNat α 0] {M : Matrix α} (h : nonNegative M) {row : List α}
    (hr : row ∈ M.rows) {x : α} (hx : x ∈ row) : x ≥ 0 := by
  obtain ⟨r, hr⟩ := exists_getElem? hr
  obtain ⟨c, hc⟩ := exists_getElem? hx
  exact h r c x (by rw [hr]; exact hc)

/-- `nonNegative`, without indices. -/
theorem nonNegative_iff [LE α] [OfNat α 0] {M : Matrix α} :
    nonNegative M ↔ ∀ row ∈ M.rows, ∀ x ∈ row, x ≥ 0 := by
  refine ⟨fun h _ hr _ hx => nonNegative_of_mem h hr hx, fun h r c x e => ?_⟩
  cases hr : M.rows[r]? with
  | none =>
    rw [hr] at e
    have e : none = some x := e
    cases e
  | some row => rw [hr] at e; exact h row (mem_of_getElem? hr) x (mem_of_getElem? e)

instance [LE α] [OfNat α 0] [DecidableRel (· ≤ · : α → α → Prop)] (M : Matrix α) :
    Decidable (nonNegative M) :=
  have (x : α) : Decidable (x ≥ 0) := inferInstanceAs (Decidable (0 ≤ x))
  decidable_of_iff _ nonNegative_iff.symm

variable [Add α] [Mul α] [LE α] [OfNat α 0] [SumLaws α]

theorem listSum_nonneg_of_forall_mem_nonneg {l : List α} (h : ∀ x ∈ l, x ≥ 0) :
    listSum l ≥ 0 := by
  induction l with
  | nil => exact zero_le
  | cons x l ih =>
    exact add_nonneg (h x (.head _)) (ih fun y hy => h y (.tail _ hy))

theorem matrixSum_nonneg_of_nonNegative {M : Matrix α} (h : nonNegative M) :
    matrixSum M ≥ 0 := by
  refine listSum_nonneg_of_forall_mem_nonneg fun s hs => ?_
  obtain ⟨row, hr, rfl⟩ := List.mem_map.1 hs
  exact listSum_nonneg_of_forall_mem_nonneg fun x hx => nonNegative_of_mem h hr hx

private theorem add_left_comm (x y z : α) : x + (y + z) = y + (x + z) := by
  rw [← SumLaws.add_assoc, SumLaws.add_comm x, SumLaws.add_assoc]

theorem listSum_append (xs ys : List α) :
    listSum (xs ++ ys) = listSum xs + listSum ys := by
  induction xs with
  | nil => exact (zero_add _).symm
  | cons x xs ih => rw [List.cons_append, listSum_cons, ih, listSum_cons, SumLaws.add_assoc]

theorem listSum_map_mul (c : α) (xs : List α) :
    listSum (xs.map (c * ·)) = c * listSum xs := by
  induction xs with
  | nil => exact (mul_zero c).symm
  | cons x xs ih => rw [List.map_cons, listSum_cons, ih, listSum_cons, mul_add]

namespace Matrix

/-! ### Rows, columns, parts -/

private theorem listSum_addLists (xs ys : List α) :
    listSum (addLists xs ys) = listSum xs + listSum ys := by
  induction xs generalizing ys with
  | nil => exact (zero_add _).symm
  | cons x xs ih =>
    cases ys with
    | nil => exact (zero_add _).symm.trans (SumLaws.add_comm _ _)
    | cons y ys =>
      simp only [addLists, listSum_cons, ih, SumLaws.add_assoc, add_left_comm y]

theorem listSum_colSums (M : Matrix α) : listSum M.colSums = matrixSum M := by
  obtain ⟨rows⟩ := M
  induction rows with
  | nil => rfl
  | cons row rows ih => rw [matrixSum_cons, ← ih]; exact listSum_addLists _ _

private theorem map_listSum_consCol (xs : List α) (cols : List (List α)) :
    (consCol xs cols).map listSum = addLists xs (cols.map listSum) := by
  have add_zero (x : α) : x + 0 = x := by rw [SumLaws.add_comm, zero_add]
  induction xs generalizing cols with
  | nil => rfl
  | cons x xs ih =>
    cases cols with
    | nil =>
      have : addLists xs [] = xs := by cases xs <;> rfl
      rw [consCol, List.map_cons, ih, listSum_cons, listSum, add_zero, List.map_nil, this, addLists]
    | cons col cols => rw [consCol, List.map_cons, ih, listSum_cons]; rfl

/-- The sums of the columns are the sums of the rows of the transpose. -/
theorem rowSums_transpose (M : Matrix α) : M.transpose.rowSums = M.colSums := by
  obtain ⟨rows⟩ := M
  induction rows with
  | nil => rfl
  | cons row rows ih =>
    show (consCol row (transpose ⟨rows⟩).rows).map listSum = addLists row (colSums ⟨rows⟩)
    rw [map_listSum_consCol, ← ih]
    rfl

theorem matrixSum_transpose (M : Matrix α) : matrixSum M.transpose = matrixSum M := by
  rw [← listSum_rowSums, rowSums_transpose, listSum_colSums]

theorem matrixSum_append (A B : Matrix α) : matrixSum (A ++ B) = matrixSum A + matrixSum B := by
  show listSum ((A.rows ++ B.rows).map listSum) = _
  rw [List.map_append, listSum_append]
  rfl

theorem rowSums_smul (c : α) (M : Matrix α) : (M.smul c).rowSums = M.rowSums.map (c * ·) := by
  obtain ⟨rows⟩ := M
  induction rows with
  | nil => rfl
  | cons row rows ih =>
    show listSum (row.map (c * ·)) :: (smul c ⟨rows⟩).rowSums = _
    rw [ih, listSum_map_mul]
    rfl

theorem matrixSum_smul (c : α) (M : Matrix α) : matrixSum (M.smul c) = c * matrixSum M := by
  rw [← listSum_rowSums, rowSums_smul, listSum_map_mul, listSum_rowSums]

/-! ### The transpose, entry by entry -/

omit [Add α] [Mul α] [LE α] [OfNat α 0] [SumLaws α]

private theorem consCol_nil (xs : List α) (c : Nat) :
    (consCol xs [])[c]? = xs[c]?.map ([·]) := by
  induction xs generalizing c with
  | nil => cases c <;> rfl
  | cons x xs ih =>
    cases c with
    | zero => rfl
    | succ c => exact ih c

private theorem consCol_getElem? {xs : List α} {cols : List (List α)}
    (h : xs.length = cols.length) (c : Nat) :
    (consCol xs cols)[c]? = xs[c]?.bind fun x => cols[c]?.map (x :: ·) := by
  induction xs generalizing cols c with
  | nil =>
    cases cols with
    | nil => cases c <;> rfl
    | cons _ _ => exact absurd h (by simp)
  | cons x xs ih =>
    cases cols with
    | nil => exact absurd h (by simp)
    | cons col cols =>
      cases c with
      | zero => rfl
      | succ c => exact ih (Nat.succ.inj h) c

private theorem length_consCol {xs : List α} {cols : List (List α)}
    (h : cols = [] ∨ xs.length = cols.length) : (consCol xs cols).length = xs.length := by
  induction xs generalizing cols with
  | nil => exact h.elim (fun h => h ▸ rfl) fun h => by rw [consCol, ← h]
  | cons x xs ih =>
    cases cols with
    | nil => exact congrArg (· + 1) (ih (.inl rfl))
    | cons col cols => exact congrArg (· + 1) (ih (.inr (h.elim nofun Nat.succ.inj)))

/-- Lists of the same length end at the same index. -/
private theorem getElem?_none {β γ : Type} {xs : List β} {ys : List γ} (h : xs.length = ys.length)
    {i : Nat} (e : xs[i]? = none) : ys[i]? = none := by
  induction xs generalizing ys i with
  | nil =>
    cases ys with
    | nil => cases i <;> rfl
    | cons _ _ => exact absurd h (by simp)
  | cons x xs ih =>
    cases ys with
    | nil => exact absurd h (by simp)
    | cons y ys =>
      cases i with
      | zero =>
        have e : some x = none := e
        cases e
      | succ i => exact ih (Nat.succ.inj h) e

/-- The entries of the transpose of a rectangular matrix. -/
theorem entry_transpose {n : Nat} {M : Matrix α} (h : M.Rectangular n) (r c : Nat) :
    M.transpose.entry c r = M.entry r c := by
  obtain ⟨rows⟩ := M
  -- no row, or `n` columns
  have columns (rows : List (List α)) (h : Rectangular n ⟨rows⟩) :
      rows = [] ∨ (transpose ⟨rows⟩).rows.length = n := by
    induction rows with
    | nil => exact .inl rfl
    | cons row rows ih =>
      have hr : row.length = n := h row (.head _)
      refine .inr ((length_consCol ?_).trans hr)
      rcases ih fun x hx => h x (.tail _ hx) with e | e
      · exact .inl (by rw [e]; rfl)
      · exact .inr (hr.trans e.symm)
  induction rows generalizing r with
  | nil => cases r <;> cases c <;> rfl
  | cons row rows ih =>
    have hr : row.length = n := h row (.head _)
    have h : Rectangular n ⟨rows⟩ := fun x hx => h x (.tail _ hx)
    have ih := fun r => ih r h
    rcases columns rows h with e | e
    · subst e
      show ((consCol row [])[c]?).bind (·[r]?) = ([row][r]?).bind (·[c]?)
      rw [consCol_nil]
      cases r with
      | zero => show _ = row[c]?; cases row[c]? <;> rfl
      | succ r => cases row[c]? <;> rfl
    · have l := hr.trans e.symm
      show ((consCol row (transpose ⟨rows⟩).rows)[c]?).bind (·[r]?) = _
      rw [consCol_getElem? l]
      cases hrow : row[c]? with
      | none =>
        cases r with
        | zero => exact hrow.symm
        | succ r =>
          have := ih r
          unfold entry at this
          rw [getElem?_none l hrow] at this
          exact this
      | some x =>
        cases hcol : (transpose ⟨rows⟩).rows[c]? with
        | none => rw [getElem?_none l.symm hcol] at hrow; cases hrow
        | some col =>
          cases r with
          | zero => exact hrow.symm
          | succ r =>
            have := ih r
            unfold entry at this
            rw [hcol] at this
            exact this

end Matrix

end

/-! ### Sums computed elsewhere -/

/-- Whether the sum is `claimed`: computes it again. -/
def checkSum [Add α] [OfNat α 0] [DecidableEq α] (M : Matrix α) (claimed : α) : Bool :=
  decide (matrixSum M = claimed)

/-- A sum that passes the check is the sum. -/
theorem matrixSum_eq_of_checkSum [Add α] [OfNat α 0] [DecidableEq α] {M : Matrix α} {claimed : α}
    (h : checkSum M claimed = true) : matrixSum M = claimed := of_decide_eq_true h

end LeanOracle.MathDefs

namespace LeanOracle

open MathDefs

/-- The sum of a matrix without negative entries is not negative. -/
theorem MatrixProps.nonNegMatrixSum (M : Matrix) (h : nonNegative M) : matrixSum M ≥ 0 :=
  matrixSum_nonneg_of_nonNegative h

/-- The sum of a matrix without negative entries is not negative. -/
theorem MLProofs.matrixNonNegSum (M : Matrix) (h : nonNegative M) : matrixSum M ≥ 0 :=
  MatrixProps.nonNegMatrixSum M h

end LeanOracle
