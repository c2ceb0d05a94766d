/-
Sequences with two ends, recursion over numbers and a few classes, written for the tests of merging.
-/

universe u v w

/-- A sequence as a front and a reversed back. -/
structure Deque (α : Type u) where
  front : List α
  back : List α := []
  deriving Repr

namespace Deque

section

variable {α : Type u} {β : Type v}

/-- The elements in order. -/
def toList (s : Deque α) : List α := s.front ++ s.back.reverse

instance : Coe (List α) (Deque α) := ⟨fun xs => { front := xs }⟩

instance : EmptyCollection (Deque α) := ⟨{ front := [] }⟩

/-- One more in front. -/
protected def cons (x : α) (s : Deque α) : Deque α := { s with front := x :: s.front }

/-- One more behind. -/
def snoc (s : Deque α) (x : α) : Deque α := { s with back := x :: s.back }

@[inherit_doc Deque.cons] scoped infixr:67 " ◁ " => Deque.cons

@[inherit_doc Deque.snoc] scoped infixl:67 " ▷ " => Deque.snoc

@[simp] theorem toList_cons (x : α) (s : Deque α) : (x ◁ s).toList = x :: s.toList := rfl

@[simp] theorem toList_snoc (s : Deque α) (x : α) : (s ▷ x).toList = s.toList ++ [x] := by
  simp [toList, snoc]

/-- Two sequences are the same if their elements are. -/
def Same (s t : Deque α) : Prop := s.toList = t.toList

theorem Same.refl (s : Deque α) : Same s s := rfl

theorem Same.symm {s t : Deque α} (h : Same s t) : Same t s := Eq.symm h

theorem Same.trans {r s t : Deque α} (h : Same r s) (k : Same s t) : Same r t := Eq.trans h k

/-- All elements on one side. -/
def normal (s : Deque α) : Deque α := { front := s.toList }

theorem normal_same (s : Deque α) : Same s.normal s := by
  simp [Same, normal, toList]

theorem cons_snoc (x y : α) (s : Deque α) : Same (x ◁ s ▷ y) ((x ◁ s) ▷ y) := by
  simp only [Same, toList_cons, toList_snoc, List.cons_append]

def map (f : α → β) (s : Deque α) : Deque β := ⟨s.front.map f, s.back.map f⟩

theorem map_reverse (f : α → β) (xs : List α) : (xs.map f).reverse = xs.reverse.map f := by
  induction xs with
  | nil => rfl
  | cons x xs h => simp [h]

theorem toList_map (f : α → β) (s : Deque α) : (s.map f).toList = s.toList.map f := by
  cases s with
  | mk front back =>
    show front.map f ++ (back.map f).reverse = (front ++ back.reverse).map f
    rw [List.map_append, map_reverse]

end

/-- How long it is. -/
abbrev length {α : Type u} (s : Deque α) : Nat := s.front.length + s.back.length

theorem length_toList {α : Type u} (s : Deque α) : s.toList.length = s.length := by
  simp [toList]

end Deque

open Deque in
theorem length_two {α : Type u} (x y : α) : ((∅ : Deque α) ▷ x ▷ y).length = 2 := rfl

/-! # Parity, three times -/

mutual
/-- Even numbers. -/
def isEven : Nat → Bool
  | 0 => true
  | n + 1 => isOdd n
/-- Odd numbers. -/
def isOdd : Nat → Bool
  | 0 => false
  | n + 1 => isEven n
end

theorem isEven_step (n : Nat) : isEven (n + 2) = isEven n := by
  rw [isEven, isOdd]

theorem isOdd_not (n : Nat) : isOdd n = !isEven n := by
  induction n with
  | zero => simp [isEven, isOdd]
  | succ n h => rw [isOdd, isEven, h]; simp

/-- Half of it, by a recursion that is not the shape of the number. -/
def halves (n : Nat) : Nat :=
  if n ≤ 1 then 0 else 1 + halves (n - 2)
termination_by n

private theorem halves_small (n : Nat) (h : n ≤ 1) : halves n = 0 := by
  rw [halves]; simp [h]

theorem halves_one : halves 1 = 0 := halves_small 1 (Nat.le_refl 1)

/-- Types with a measure of their elements. -/
class Sized (α : Type u) where
  size : α → Nat

export Sized (size)

/-- Types in which something is small. -/
class HasSmall (α : Type u) extends Sized α where
  small : α
  isSmall : size small ≤ 1

instance : Sized Nat := ⟨id⟩

instance instSizedList {α : Type u} [Sized α] : Sized (List α) where
  size xs := xs.foldr (fun x n => size x + n) 0

instance {α : Type u} {β : Type v} [Sized α] [Sized β] : Sized (α × β) := ⟨fun p => size p.1 + size p.2⟩

instance : HasSmall Nat where
  small := 1
  isSmall := Nat.le_refl 1

theorem size_pair {α : Type u} {β : Type v} [Sized α] [Sized β] (x : α) (y : β) :
    size (x, y) = size x + size y := rfl

theorem size_nil {α : Type u} [Sized α] : size ([] : List α) = 0 := rfl

@[simp] theorem size_cons {α : Type u} [Sized α] (x : α) (xs : List α) :
    size (x :: xs) = size x + size xs := rfl

theorem small_is_small {α : Type u} [HasSmall α] : size (HasSmall.small : α) < 2 :=
  Nat.lt_succ_of_le HasSmall.isSmall

/-- Proves an equation between sizes. -/
macro "by_size" : tactic => `(tactic| simp [size_cons, size_nil, size_pair])

theorem size_two {α : Type u} [Sized α] (x y : α) : size [x, y] = size x + (size y + 0) := by
  by_size

syntax "twice! " term : term

macro_rules
  | `(twice! $t) => `((($t), ($t)))

theorem size_twice (n : Nat) : size (twice! n) = n + n := rfl

/-- A wrapper around any type of any universe. -/
structure Box (α : Sort w) : Type w where
  /-- Puts it in. -/
  pack ::
  unpack : α

namespace Box

variable {α : Type u}

theorem unpack_pack (a : α) : (Box.pack a).unpack = a := rfl

theorem ext_iff' (a b : Box α) : a = b ↔ a.unpack = b.unpack := by
  constructor
  · intro h; rw [h]
  · intro h
    cases a; cases b
    exact congrArg Box.pack h

end Box

noncomputable section

/-- Something, if there is something. -/
def someOf (α : Type u) [h : Nonempty α] : α := Classical.choice h

theorem someOf_unit : someOf Unit = () := rfl

end

theorem both_ways (p q : Prop) : p ∧ q ↔ q ∧ p := by
  constructor <;> rintro ⟨a, b⟩ <;> exact ⟨b, a⟩

theorem both_ways_again (p q : Prop) : p ∧ q ↔ q ∧ p :=
  have h := both_ways p q
  ⟨h.mp, h.mpr⟩

#guard isEven 10
