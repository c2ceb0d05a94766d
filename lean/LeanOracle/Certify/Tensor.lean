/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Frac

/-!
# Homogeneous polynomials and their packed form

A polynomial in the Bernstein form is, in each variable, homogeneous of some degree `d` in two
numbers `u` and `v`: a list `[c₀, …, c_d]` stands for `∑ c_k * u ^ k * v ^ (d - k)`. In several
variables the coefficients are such lists again; that is a `Tensor`. If `u` and `v` are nonnegative
and all coefficients are, so is the value.

The checker never holds a tensor. It holds *one* integer, the value at `v = 1` and a large number
for `u`, a power of a base: sums and products of tensors are then sums and products of integers,
which the kernel leaves to its library for large integers. The coefficients are the digits of that
integer, as long as none is too large, and so can be read off at the end. This file proves it: `Rep`
says that an integer is the packed form of a tensor with a given value, and `Rep.nonneg` that the
value is nonnegative if the digits are.
-/

namespace LeanOracle

namespace Certify

/-! ### Recursion for the kernel

The kernel takes a fifth of the time for a function that is defined by a recursor, and for `Nat.mul`
instead of `*`. What it has to compute often is written that way, by the functions of this section
and `Tree.fold`. (`Nat.log2` is not used, because the kernel unfolds it.) The compiler does not know
recursors, so it is told of the same functions by equations, and of a theorem that they are the
same. -/

/-- `f` of `f` of …, `k` times, of `x`. -/
noncomputable def iterate (f : α → α) (x : α) (k : Nat) : α :=
  Nat.rec (motive := fun _ => α) x (fun _ y => f y) k

/-- What `iterate` is compiled to. -/
def iterateImpl (f : α → α) (x : α) : Nat → α
  | 0 => x
  | k + 1 => f (iterateImpl f x k)

@[csimp] theorem iterate_eq_impl : @iterate = @iterateImpl := by
  funext α f x k
  induction k with
  | zero => rfl
  | succ k ih => exact congrArg f ih

/-- `f` of the first entry, the others and what comes of the others; `x` of the empty list. -/
noncomputable def recList (f : β → List β → α → α) (x : α) (l : List β) : α :=
  List.rec (motive := fun _ => α) x (fun b l y => f b l y) l

/-- What `recList` is compiled to. -/
def recListImpl (f : β → List β → α → α) (x : α) : List β → α
  | [] => x
  | b :: l => f b l (recListImpl f x l)

@[csimp] theorem recList_eq_impl : @recList = @recListImpl := by
  funext β α f x l
  induction l with
  | nil => rfl
  | cons b l ih => exact congrArg (f b l) ih

/-! ### Lists -/

/-- Entrywise sum; the shorter list is continued by zeros. -/
def zip (add : α → α → α) : List α → List α → List α
  | [], m => m
  | a :: l, [] => a :: l
  | a :: l, b :: m => add a b :: zip add l m

/-- The product of polynomials. -/
def conv (zero : α) (add mul : α → α → α) : List α → List α → List α
  | [], _ => []
  | a :: l, m => zip add (m.map (mul a)) (zero :: conv zero add mul l m)

/-- The value of a homogeneous polynomial of degree `d`. -/
def homVal (f : α → Frac) (u v : Frac) : Nat → List α → Frac
  | _, [] => 0
  | d, a :: l => f a * v ^ d + u * homVal f u v (d - 1) l

/-- The sum of the sizes. -/
def sumOf (f : α → Nat) : List α → Nat
  | [] => 0
  | a :: l => f a + sumOf f l

theorem zip_length (add : α → α → α) (l m : List α) (k : Nat) (hl : l.length ≤ k)
    (hm : m.length ≤ k) : (zip add l m).length ≤ k := by
  induction l generalizing m k with
  | nil => exact hm
  | cons a l ih =>
    cases m with
    | nil => exact hl
    | cons b m =>
      cases k with
      | zero => exact absurd hl (Nat.not_succ_le_zero _)
      | succ k => exact Nat.succ_le_succ (ih m k (Nat.le_of_succ_le_succ hl)
        (Nat.le_of_succ_le_succ hm))

theorem zip_mem {add : α → α → α} {p : α → Prop} (h : ∀ a b, p a → p b → p (add a b))
    (l m : List α) (hl : ∀ a ∈ l, p a) (hm : ∀ a ∈ m, p a) : ∀ a ∈ zip add l m, p a := by
  induction l generalizing m with
  | nil => exact hm
  | cons a l ih =>
    cases m with
    | nil => exact hl
    | cons b m =>
      intro c hc
      cases hc with
      | head => exact h a b (hl a (List.Mem.head _)) (hm b (List.Mem.head _))
      | tail _ hc =>
        exact ih m (fun x hx => hl x (List.Mem.tail _ hx))
          (fun x hx => hm x (List.Mem.tail _ hx)) c hc

theorem homVal_zip {f : α → Frac} {add : α → α → α} (h : ∀ a b, f (add a b) = f a + f b)
    (u v : Frac) (d : Nat) (l m : List α) :
    homVal f u v d (zip add l m) = homVal f u v d l + homVal f u v d m := by
  induction l generalizing m d with
  | nil => exact (Frac.zero_add _).symm
  | cons a l ih =>
    cases m with
    | nil => exact (Frac.add_zero _).symm
    | cons b m =>
      show f (add a b) * v ^ d + u * homVal f u v (d - 1) (zip add l m)
        = (f a * v ^ d + u * homVal f u v (d - 1) l) + (f b * v ^ d + u * homVal f u v (d - 1) m)
      rw [ih, h, Frac.add_mul, Frac.mul_add]
      ac_rfl

theorem sumOf_zip {f : α → Nat} {add : α → α → α} (h : ∀ a b, f (add a b) ≤ f a + f b)
    (l m : List α) : sumOf f (zip add l m) ≤ sumOf f l + sumOf f m := by
  induction l generalizing m with
  | nil => exact Nat.le_of_eq (Nat.zero_add _).symm
  | cons a l ih =>
    cases m with
    | nil => exact Nat.le_refl _
    | cons b m =>
      show f (add a b) + sumOf f (zip add l m) ≤ f a + sumOf f l + (f b + sumOf f m)
      have := ih m
      have := h a b
      omega

theorem map_mem {p q : α → Prop} {g : α → α} (h : ∀ a, p a → q (g a)) (l : List α)
    (hl : ∀ a ∈ l, p a) : ∀ a ∈ l.map g, q a := by
  induction l with
  | nil => intro a ha; cases ha
  | cons b l ih =>
    intro a ha
    cases ha with
    | head => exact h b (hl b (List.Mem.head _))
    | tail _ ha => exact ih (fun x hx => hl x (List.Mem.tail _ hx)) a ha

theorem map_length (g : α → β) (l : List α) : (l.map g).length = l.length := by
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (· + 1) ih

theorem append_forall {p : α → Prop} (l m : List α) :
    (∀ a ∈ l ++ m, p a) ↔ (∀ a ∈ l, p a) ∧ ∀ a ∈ m, p a := by
  induction l with
  | nil => exact ⟨fun h => ⟨fun a ha => (by cases ha), h⟩, fun h => h.2⟩
  | cons b l ih =>
    constructor
    · intro h
      have k := ih.1 fun a ha => h a (List.Mem.tail _ ha)
      refine ⟨fun a ha => ?_, k.2⟩
      cases ha with
      | head => exact h b (List.Mem.head _)
      | tail _ ha => exact k.1 a ha
    · intro h a ha
      cases ha with
      | head => exact h.1 b (List.Mem.head _)
      | tail _ ha => exact ih.2 ⟨fun a ha => h.1 a (List.Mem.tail _ ha), h.2⟩ a ha

theorem conv_length (zero : α) (add mul : α → α → α) (l m : List α) (d e : Nat)
    (hl : l.length ≤ d + 1) (hm : m.length ≤ e + 1) :
    (conv zero add mul l m).length ≤ d + e + 1 := by
  induction l generalizing d with
  | nil => exact Nat.zero_le _
  | cons a l ih =>
    refine zip_length _ _ _ _ (by rw [map_length]; omega) (Nat.succ_le_succ ?_)
    cases l with
    | nil => exact Nat.zero_le _
    | cons b l =>
      cases d with
      | zero => exact absurd (Nat.le_of_succ_le_succ hl) (Nat.not_succ_le_zero _)
      | succ d =>
        have := ih d (Nat.le_of_succ_le_succ hl)
        omega

theorem conv_mem {p q r : α → Prop} {zero : α} {add mul : α → α → α} (hz : r zero)
    (ha : ∀ a b, r a → r b → r (add a b)) (h : ∀ a b, p a → q b → r (mul a b))
    (l m : List α) (hl : ∀ a ∈ l, p a) (hm : ∀ a ∈ m, q a) :
    ∀ a ∈ conv zero add mul l m, r a := by
  induction l with
  | nil => intro a ha; cases ha
  | cons a l ih =>
    refine zip_mem ha _ _ (map_mem (fun b => h a b (hl a (List.Mem.head _))) m hm) ?_
    intro b hb
    cases hb with
    | head => exact hz
    | tail _ hb => exact ih (fun x hx => hl x (List.Mem.tail _ hx)) b hb

theorem homVal_map {f f₂ : α → Frac} {p : α → Prop} {g : α → α} {c : Frac}
    (h : ∀ b, p b → f (g b) = c * f₂ b) (u v : Frac) (d e : Nat) (m : List α)
    (hm : m.length ≤ e + 1) (hp : ∀ b ∈ m, p b) :
    homVal f u v (d + e) (m.map g) = c * v ^ d * homVal f₂ u v e m := by
  induction m generalizing e with
  | nil => exact (Frac.mul_zero _).symm
  | cons b m ih =>
    show f (g b) * v ^ (d + e) + u * homVal f u v (d + e - 1) (m.map g)
      = c * v ^ d * (f₂ b * v ^ e + u * homVal f₂ u v (e - 1) m)
    have key : homVal f u v (d + e - 1) (m.map g) = c * v ^ d * homVal f₂ u v (e - 1) m := by
      cases m with
      | nil => exact (Frac.mul_zero _).symm
      | cons b' m =>
        cases e with
        | zero => exact absurd (Nat.le_of_succ_le_succ hm) (Nat.not_succ_le_zero _)
        | succ e =>
          exact ih e (Nat.le_of_succ_le_succ hm) (fun x hx => hp x (List.Mem.tail _ hx))
    rw [key, h b (hp b (List.Mem.head _)), Frac.mul_add, Frac.pow_add]
    ac_rfl

theorem homVal_conv {f f₁ f₂ : α → Frac} {p q : α → Prop} {zero : α} {add mul : α → α → α}
    (hz : f zero = 0) (ha : ∀ a b, f (add a b) = f a + f b)
    (h : ∀ a b, p a → q b → f (mul a b) = f₁ a * f₂ b) (u v : Frac) (d e : Nat) (l m : List α)
    (hl : l.length ≤ d + 1) (hm : m.length ≤ e + 1) (hp : ∀ a ∈ l, p a) (hq : ∀ b ∈ m, q b) :
    homVal f u v (d + e) (conv zero add mul l m) = homVal f₁ u v d l * homVal f₂ u v e m := by
  induction l generalizing d with
  | nil => exact (Frac.zero_mul _).symm
  | cons a l ih =>
    show homVal f u v (d + e) (zip add (m.map (mul a)) (zero :: conv zero add mul l m))
      = (f₁ a * v ^ d + u * homVal f₁ u v (d - 1) l) * homVal f₂ u v e m
    have key : homVal f u v (d + e - 1) (conv zero add mul l m)
        = homVal f₁ u v (d - 1) l * homVal f₂ u v e m := by
      cases l with
      | nil => exact (Frac.zero_mul _).symm
      | cons b l =>
        cases d with
        | zero => exact absurd (Nat.le_of_succ_le_succ hl) (Nat.not_succ_le_zero _)
        | succ d =>
          rw [show d + 1 + e - 1 = d + e by omega]
          exact ih d (Nat.le_of_succ_le_succ hl) (fun x hx => hp x (List.Mem.tail _ hx))
    rw [homVal_zip ha, homVal_map (fun b => h a b (hp a (List.Mem.head _))) u v d e m hm hq]
    show _ + (f zero * v ^ (d + e) + u * homVal f u v (d + e - 1) (conv zero add mul l m)) = _
    rw [key, hz, Frac.zero_mul, Frac.zero_add, Frac.add_mul, Frac.mul_assoc u]

theorem sumOf_conv {f : α → Nat} {zero : α} {add mul : α → α → α} (hz : f zero = 0)
    (ha : ∀ a b, f (add a b) ≤ f a + f b) (h : ∀ a b, f (mul a b) ≤ f a * f b)
    (l m : List α) : sumOf f (conv zero add mul l m) ≤ sumOf f l * sumOf f m := by
  induction l with
  | nil => exact Nat.zero_le _
  | cons a l ih =>
    refine Nat.le_trans (sumOf_zip ha _ _) ?_
    show _ + (f zero + _) ≤ (f a + sumOf f l) * sumOf f m
    rw [hz, Nat.zero_add, Nat.add_mul]
    refine Nat.add_le_add ?_ ih
    clear ih
    induction m with
    | nil => exact Nat.zero_le _
    | cons b m ih =>
      show f (mul a b) + _ ≤ f a * (f b + sumOf f m)
      rw [Nat.mul_add]
      exact Nat.add_le_add (h a b) ih

/-! ### Tensors -/

/-- Coefficients in `n` variables; the outer list belongs to the last variable. -/
def Tensor : Nat → Type
  | 0 => Int
  | n + 1 => List (Tensor n)

namespace Tensor

/-- No coefficient but zero. -/
def zero : (n : Nat) → Tensor n
  | 0 => (0 : Int)
  | _ + 1 => []

/-- The sum. -/
def add : (n : Nat) → Tensor n → Tensor n → Tensor n
  | 0 => Int.add
  | n + 1 => zip (add n)

/-- The product. -/
def mul : (n : Nat) → Tensor n → Tensor n → Tensor n
  | 0 => Int.mul
  | n + 1 => conv (zero n) (add n) (mul n)

/-- The value, if the degree in variable `i` is `d i`. -/
def val (d : Nat → Nat) (u v : Nat → Frac) : (n : Nat) → Tensor n → Frac
  | 0 => Frac.ofInt
  | n + 1 => homVal (val d u v n) (u n) (v n) (d n)

/-- The degree in variable `i` is at most `d i`. -/
def Fits (d : Nat → Nat) : (n : Nat) → Tensor n → Prop
  | 0, _ => True
  | n + 1, l => List.length l ≤ d n + 1 ∧ ∀ a ∈ (show List (Tensor n) from l), Fits d n a

/-- The sum of the absolute values of the coefficients. -/
def size : (n : Nat) → Tensor n → Nat
  | 0 => Int.natAbs
  | n + 1 => sumOf (size n)

theorem val_zero (d : Nat → Nat) (u v : Nat → Frac) (n : Nat) : val d u v n (zero n) = 0 := by
  cases n <;> rfl

theorem fits_zero (d : Nat → Nat) (n : Nat) : Fits d n (zero n) := by
  cases n with
  | zero => exact True.intro
  | succ n => exact ⟨Nat.zero_le _, fun a h => by cases h⟩

theorem size_zero (n : Nat) : size n (zero n) = 0 := by cases n <;> rfl

theorem val_add (d : Nat → Nat) (u v : Nat → Frac) (n : Nat) (p q : Tensor n) :
    val d u v n (add n p q) = val d u v n p + val d u v n q := by
  induction n with
  | zero => exact Frac.ofInt_add p q
  | succ n ih => exact homVal_zip ih _ _ _ _ _

theorem fits_add {d : Nat → Nat} {n : Nat} {p q : Tensor n} (hp : Fits d n p) (hq : Fits d n q) :
    Fits d n (add n p q) := by
  induction n with
  | zero => exact True.intro
  | succ n ih =>
    exact ⟨zip_length _ _ _ _ hp.1 hq.1, zip_mem (fun a b => ih) _ _ hp.2 hq.2⟩

theorem size_add (n : Nat) (p q : Tensor n) : size n (add n p q) ≤ size n p + size n q := by
  induction n with
  | zero =>
    have h (a b : Int) : (a + b).natAbs ≤ a.natAbs + b.natAbs := by omega
    exact h p q
  | succ n ih => exact sumOf_zip ih _ _

theorem fits_mul {d e : Nat → Nat} {n : Nat} {p q : Tensor n} (hp : Fits d n p)
    (hq : Fits e n q) : Fits (fun i => d i + e i) n (mul n p q) := by
  induction n with
  | zero => exact True.intro
  | succ n ih =>
    exact ⟨conv_length _ _ _ _ _ _ _ hp.1 hq.1,
      conv_mem (fits_zero _ n) (fun a b => fits_add) (fun a b => ih) _ _ hp.2 hq.2⟩

theorem val_mul {d e : Nat → Nat} {n : Nat} {p q : Tensor n} (u v : Nat → Frac)
    (hp : Fits d n p) (hq : Fits e n q) :
    val (fun i => d i + e i) u v n (mul n p q) = val d u v n p * val e u v n q := by
  induction n with
  | zero => exact Frac.ofInt_mul p q
  | succ n ih =>
    exact homVal_conv (val_zero _ u v n) (val_add _ u v n) (fun a b => ih) _ _ _ _ _ _
      hp.1 hq.1 hp.2 hq.2

theorem size_mul (n : Nat) (p q : Tensor n) : size n (mul n p q) ≤ size n p * size n q := by
  induction n with
  | zero => exact Nat.le_of_eq (Int.natAbs_mul p q)
  | succ n ih => exact sumOf_conv (size_zero n) (size_add n) ih _ _

/-- A constant. -/
def const (c : Int) : (n : Nat) → Tensor n
  | 0 => c
  | n + 1 => [const c n]

/-- The polynomial `a * v i + b * u i`. -/
def linear (i : Nat) (a b : Int) : (n : Nat) → Tensor n
  | 0 => (0 : Int)
  | n + 1 => if i = n then [const a n, const b n] else [linear i a b n]

/-- The degrees of variable `i`. -/
def unit (i j : Nat) : Nat := if i = j then 1 else 0

theorem const_spec (c : Int) (n : Nat) (u v : Nat → Frac) (d : Nat → Nat)
    (hd : ∀ j, j < n → d j = 0) :
    Fits d n (const c n) ∧ size n (const c n) = c.natAbs ∧
      val d u v n (const c n) = Frac.ofInt c := by
  induction n with
  | zero => exact ⟨True.intro, rfl, rfl⟩
  | succ n ih =>
    obtain ⟨h₁, h₂, h₃⟩ := ih fun j hj => hd j (Nat.lt_succ_of_lt hj)
    refine ⟨⟨Nat.le_add_left _ _, fun a ha => ?_⟩, ?_, ?_⟩
    · cases ha with
      | head => exact h₁
      | tail _ ha => cases ha
    · show size n (const c n) + 0 = _
      rw [h₂, Nat.add_zero]
    · show val d u v n (const c n) * v n ^ d n + u n * 0 = _
      rw [h₃, hd n (Nat.lt_succ_self n), Frac.pow_zero, Frac.mul_one, Frac.mul_zero, Frac.add_zero]

theorem linear_spec (i : Nat) (a b : Int) (n : Nat) (u v : Nat → Frac) (hi : i < n) :
    Fits (unit i) n (linear i a b n) ∧ size n (linear i a b n) = a.natAbs + b.natAbs ∧
      val (unit i) u v n (linear i a b n) = Frac.ofInt a * v i + Frac.ofInt b * u i := by
  induction n with
  | zero => exact absurd hi (Nat.not_lt_zero _)
  | succ n ih =>
    by_cases e : i = n
    · subst e
      have hd : ∀ j, j < i → unit i j = 0 := fun j hj => if_neg (by omega)
      obtain ⟨h₁, h₂, h₃⟩ := const_spec a i u v _ hd
      obtain ⟨k₁, k₂, k₃⟩ := const_spec b i u v _ hd
      have eq : linear i a b (i + 1) = [const a i, const b i] := if_pos rfl
      have ui : unit i i = 1 := if_pos rfl
      rw [eq]
      refine ⟨⟨by rw [ui]; exact Nat.le_refl 2, fun x hx => ?_⟩, ?_, ?_⟩
      · cases hx with
        | head => exact h₁
        | tail _ hx =>
          cases hx with
          | head => exact k₁
          | tail _ hx => cases hx
      · show size i (const a i) + (size i (const b i) + 0) = _
        rw [h₂, k₂, Nat.add_zero]
      · show val (unit i) u v i (const a i) * v i ^ unit i i
          + u i * (val (unit i) u v i (const b i) * v i ^ (unit i i - 1) + u i * 0) = _
        rw [h₃, k₃, ui, Frac.pow_succ, Frac.pow_zero, Frac.one_mul, Frac.mul_one, Frac.mul_zero,
          Frac.add_zero, Frac.mul_comm (u i)]
    · obtain ⟨h₁, h₂, h₃⟩ := ih (by omega)
      have eq : linear i a b (n + 1) = [linear i a b n] := if_neg e
      have un : unit i n = 0 := if_neg e
      rw [eq]
      refine ⟨⟨Nat.le_add_left _ _, fun x hx => ?_⟩, ?_, ?_⟩
      · cases hx with
        | head => exact h₁
        | tail _ hx => cases hx
      · show size n (linear i a b n) + 0 = _
        rw [h₂, Nat.add_zero]
      · show val (unit i) u v n (linear i a b n) * v n ^ unit i n + u n * 0 = _
        rw [h₃, un, Frac.pow_zero, Frac.mul_one, Frac.mul_zero, Frac.add_zero]

end Tensor

/-! ### Digits -/

/-- The number with the digits `l`, the lowest first. -/
def ofDigits (b : Int) : List Int → Int
  | [] => 0
  | c :: l => c + b * ofDigits b l

/-- Whether the `k` lowest digits of `x` in base `b` are below `h`. -/
def digitsBelow (b h k x : Nat) : Bool :=
  iterate (fun next x => cond (Nat.ble h (Nat.mod x b)) false (next (Nat.div x b)))
    (fun _ => true) k x

theorem ofDigits_append (b : Int) (l m : List Int) :
    ofDigits b (l ++ m) = ofDigits b l + b ^ l.length * ofDigits b m := by
  induction l with
  | nil =>
    show _ = 0 + b ^ 0 * _
    rw [Int.pow_zero, Int.one_mul, Int.zero_add]; rfl
  | cons c l ih =>
    show c + b * ofDigits b (l ++ m) = c + b * ofDigits b l + b ^ (l.length + 1) * ofDigits b m
    rw [ih, Int.mul_add, Int.pow_succ, Int.add_assoc, Int.mul_comm (b ^ l.length) b, Int.mul_assoc]

/-- Digits that are small in absolute value are those of the number, up to multiples of a power of
the base, as a natural number, if those are small. -/
theorem nonneg_of_digits {b h : Nat} (hb : b = 2 * h) (l : List Int)
    (hl : ∀ c ∈ l, c.natAbs < h) (x : Nat) (hx : ∃ z, (x : Int) = ofDigits b l + b ^ l.length * z)
    (ok : digitsBelow b h l.length x = true) : ∀ c ∈ l, 0 ≤ c := by
  induction l generalizing x with
  | nil => intro c hc; cases hc
  | cons a l ih =>
    have ha := hl a (List.Mem.head _)
    obtain ⟨z, hz⟩ := hx
    have hx : (x : Int) = a + b * (ofDigits b l + b ^ l.length * z) := by
      rw [hz, Int.mul_add, ← Int.add_assoc]
      show a + b * ofDigits b l + b ^ (l.length + 1) * z = _
      rw [Int.pow_succ, Int.mul_comm (b ^ l.length : Int) b, Int.mul_assoc]
    have ok : cond (Nat.ble h (x % b)) false (digitsBelow b h l.length (x / b)) = true := ok
    cases hd : Nat.ble h (x % b) with
    | true => rw [hd] at ok; cases ok
    | false =>
      rw [hd] at ok
      have low : x % b < h := Nat.lt_of_not_le fun k => by
        rw [Nat.ble_eq_true_of_le k] at hd; cases hd
      have split := Nat.div_add_mod x b
      generalize hw : ofDigits b l + (b : Int) ^ l.length * z = w at hx
      -- the difference of the lowest digits is a multiple of `b`
      have e : (b : Int) * (w - (x / b : Nat)) = (x % b : Nat) - a := by
        rw [Int.mul_sub, ← Int.natCast_mul]
        omega
      have y0 : w - (x / b : Nat) = 0 := by
        generalize w - ((x / b : Nat) : Int) = y at e
        have hbpos : (0 : Int) < b := by omega
        by_cases y0 : y = 0
        · exact y0
        · exfalso
          by_cases y1 : 1 ≤ y
          · have := Int.mul_le_mul_of_nonneg_left y1 (Int.le_of_lt hbpos)
            omega
          · have := Int.mul_le_mul_of_nonneg_left (show y ≤ -1 by omega) (Int.le_of_lt hbpos)
            omega
      rw [y0, Int.mul_zero] at e
      intro c hc
      cases hc with
      | head => omega
      | tail _ hc =>
        exact ih (fun c hc => hl c (List.Mem.tail _ hc)) (x / b) ⟨z, by rw [hw]; omega⟩ ok c hc

/-! ### Packed tensors -/

/-- The number of coefficients of a tensor in `n` variables of degrees `d`. -/
def count (d : Nat → Nat) : Nat → Nat
  | 0 => 1
  | n + 1 => (d n + 1) * count d n

/-- A tensor, evaluated at powers of `b`, has its coefficients as digits. -/
theorem Tensor.digits (d e : Nat → Nat) (b : Int) (n : Nat) (p : Tensor n) (hp : Fits d n p) :
    ∃ l : List Int, l.length = count d n ∧ (∀ c ∈ l, c.natAbs ≤ size n p) ∧
      val e (fun i => Frac.ofInt (b ^ count d i)) (fun _ => 1) n p = Frac.ofInt (ofDigits b l) ∧
      ((∀ c ∈ l, 0 ≤ c) → ∀ u v : Nat → Frac, (∀ i, i < n → 0 ≤ u i ∧ 0 ≤ v i) → ∀ f,
        0 ≤ val f u v n p) := by
  induction n with
  | zero =>
    refine ⟨[p], rfl, fun c hc => ?_, ?_, fun h _ _ _ _ => ?_⟩
    · cases hc with
      | head => exact Nat.le_refl _
      | tail _ hc => cases hc
    · have h (a : Int) : Frac.ofInt a = Frac.ofInt (a + b * 0) := by
        rw [Int.mul_zero, Int.add_zero]
      exact h p
    · exact Frac.ofInt_nonneg.2 (h _ (List.Mem.head _))
  | succ n ih =>
    -- the same for `k` blocks
    suffices H : ∀ (k : Nat) (l : List (Tensor n)) (g : Nat), l.length ≤ k → (∀ a ∈ l, Fits d n a) →
        ∃ m : List Int, m.length = k * count d n ∧ (∀ c ∈ m, c.natAbs ≤ sumOf (size n) l) ∧
        homVal (val e (fun i => Frac.ofInt (b ^ count d i)) (fun _ => 1) n)
          (Frac.ofInt (b ^ count d n)) 1 g l = Frac.ofInt (ofDigits b m) ∧
        ((∀ c ∈ m, 0 ≤ c) → ∀ u v : Nat → Frac, (∀ i, i < n + 1 → 0 ≤ u i ∧ 0 ≤ v i) → ∀ f g,
          0 ≤ homVal (val f u v n) (u n) (v n) g l) by
      obtain ⟨m, h₁, h₂, h₃, h₄⟩ := H (d n + 1) p (e n) hp.1 hp.2
      exact ⟨m, h₁, h₂, h₃, fun h u v huv f => h₄ h u v huv f (f n)⟩
    intro k
    induction k with
    | zero =>
      intro l g hl _
      cases l with
      | nil =>
        exact ⟨[], (Nat.zero_mul _).symm, fun c hc => (by cases hc), rfl,
          fun _ _ _ _ _ _ => Frac.le_refl 0⟩
      | cons a l => exact absurd hl (Nat.not_succ_le_zero _)
    | succ k ihk =>
      intro l g hl hf
      -- the lowest block, and the others
      have block (a : Tensor n) (l : List (Tensor n)) (hl : l.length ≤ k) (ha : Fits d n a)
          (hf : ∀ a ∈ l, Fits d n a) :
          ∃ m : List Int, m.length = (k + 1) * count d n ∧
          (∀ c ∈ m, c.natAbs ≤ size n a + sumOf (size n) l) ∧
          val e (fun i => Frac.ofInt (b ^ count d i)) (fun _ => 1) n a * 1 ^ g +
            Frac.ofInt (b ^ count d n) *
            homVal (val e (fun i => Frac.ofInt (b ^ count d i)) (fun _ => 1) n)
              (Frac.ofInt (b ^ count d n)) 1 (g - 1) l = Frac.ofInt (ofDigits b m) ∧
          ((∀ c ∈ m, 0 ≤ c) → ∀ u v : Nat → Frac, (∀ i, i < n + 1 → 0 ≤ u i ∧ 0 ≤ v i) → ∀ f g,
            0 ≤ val f u v n a * v n ^ g + u n * homVal (val f u v n) (u n) (v n) (g - 1) l) := by
        obtain ⟨m₁, h₁, h₂, h₃, h₄⟩ := ih a ha
        obtain ⟨m₂, k₁, k₂, k₃, k₄⟩ := ihk l (g - 1) hl hf
        refine ⟨m₁ ++ m₂, ?_, (append_forall _ _).2 ⟨?_, ?_⟩, ?_, fun h u v huv f g => ?_⟩
        · rw [List.length_append, h₁, k₁, Nat.add_mul, Nat.one_mul, Nat.add_comm]
        · exact fun c hc => Nat.le_trans (h₂ c hc) (Nat.le_add_right _ _)
        · exact fun c hc => Nat.le_trans (k₂ c hc) (Nat.le_add_left _ _)
        · rw [h₃, k₃, ofDigits_append, h₁, Frac.one_pow, Frac.mul_one, Frac.ofInt_add,
            Frac.ofInt_mul]
        · have h := (append_forall _ _).1 h
          have x := h₄ h.1 u v (fun i hi => huv i (Nat.lt_succ_of_lt hi)) f
          have y := k₄ h.2 u v huv f (g - 1)
          have w := huv n (Nat.lt_succ_self n)
          exact Frac.add_nonneg (Frac.mul_nonneg x (Frac.pow_nonneg w.2 g)) (Frac.mul_nonneg w.1 y)
      cases l with
      | cons a l =>
        exact block a l (Nat.le_of_succ_le_succ hl) (hf a (List.Mem.head _))
          (fun x hx => hf x (List.Mem.tail _ hx))
      | nil =>
        obtain ⟨m, h₁, h₂, h₃, h₄⟩ := block (zero n) [] (Nat.zero_le _) (fits_zero d n)
          (fun a ha => by cases ha)
        refine ⟨m, h₁, fun c hc => ?_, ?_, fun _ _ _ _ _ _ => Frac.le_refl 0⟩
        · have := h₂ c hc
          rw [size_zero] at this
          exact this
        · rw [val_zero, Frac.zero_mul, Frac.zero_add] at h₃
          rw [← h₃]
          exact (Frac.mul_zero _).symm

/-- The integer `x` is the packed form of a polynomial in `n` variables, of degrees at most `d` and
with coefficients whose absolute values have a sum of at most `s`; its value at `u` and `v` is `y`.
The packed form is the value where the `u i` are `t i` and the `v i` are 1. -/
def Rep (n : Nat) (t u v : Nat → Frac) (d : Nat → Nat) (s : Nat) (x : Int) (y : Frac) : Prop :=
  ∃ p : Tensor n, Tensor.Fits d n p ∧ Tensor.size n p ≤ s ∧
    Tensor.val d t (fun _ => 1) n p = Frac.ofInt x ∧ Tensor.val d u v n p = y

namespace Rep

theorem const (n : Nat) (t u v : Nat → Frac) (c : Int) :
    Rep n t u v (fun _ => 0) c.natAbs c (Frac.ofInt c) :=
  ⟨Tensor.const c n, (Tensor.const_spec c n t v _ fun _ _ => rfl).1,
    Nat.le_of_eq (Tensor.const_spec c n t v (fun _ => 0) fun _ _ => rfl).2.1,
    (Tensor.const_spec c n _ _ _ fun _ _ => rfl).2.2,
    (Tensor.const_spec c n _ _ _ fun _ _ => rfl).2.2⟩

theorem linear {n i : Nat} (hi : i < n) {t : Nat → Frac} (u v : Nat → Frac) (a b ti : Int)
    (h : t i = Frac.ofInt ti) :
    Rep n t u v (Tensor.unit i) (a.natAbs + b.natAbs) (a + b * ti)
      (Frac.ofInt a * v i + Frac.ofInt b * u i) := by
  refine ⟨Tensor.linear i a b n, (Tensor.linear_spec i a b n t v hi).1,
    Nat.le_of_eq (Tensor.linear_spec i a b n t v hi).2.1, ?_,
    (Tensor.linear_spec i a b n _ _ hi).2.2⟩
  rw [(Tensor.linear_spec i a b n _ _ hi).2.2, Frac.mul_one, h, Frac.ofInt_add, Frac.ofInt_mul]

variable {n : Nat} {t u v : Nat → Frac} {d e : Nat → Nat} {s r : Nat} {x z : Int} {y w : Frac}

theorem add (h : Rep n t u v d s x y) (k : Rep n t u v d r z w) :
    Rep n t u v d (s + r) (x + z) (y + w) := by
  obtain ⟨p, h₁, h₂, h₃, h₄⟩ := h
  obtain ⟨q, k₁, k₂, k₃, k₄⟩ := k
  refine ⟨Tensor.add n p q, Tensor.fits_add h₁ k₁,
    Nat.le_trans (Tensor.size_add n p q) (Nat.add_le_add h₂ k₂), ?_, ?_⟩
  · rw [Tensor.val_add, h₃, k₃, Frac.ofInt_add]
  · rw [Tensor.val_add, h₄, k₄]

theorem mul (h : Rep n t u v d s x y) (k : Rep n t u v e r z w) :
    Rep n t u v (fun i => d i + e i) (s * r) (x * z) (y * w) := by
  obtain ⟨p, h₁, h₂, h₃, h₄⟩ := h
  obtain ⟨q, k₁, k₂, k₃, k₄⟩ := k
  refine ⟨Tensor.mul n p q, Tensor.fits_mul h₁ k₁,
    Nat.le_trans (Tensor.size_mul n p q) (Nat.mul_le_mul h₂ k₂), ?_, ?_⟩
  · rw [Tensor.val_mul _ _ h₁ k₁, h₃, k₃, Frac.ofInt_mul]
  · rw [Tensor.val_mul _ _ h₁ k₁, h₄, k₄]

theorem neg (h : Rep n t u v d s x y) : Rep n t u v d s (-x) (-y) := by
  have k := h.mul (const n t u v (-1))
  rw [Int.mul_neg, Int.mul_one, show s * Int.natAbs (-1) = s from Nat.mul_one s] at k
  rw [show Frac.ofInt (-1) = -1 from rfl, Frac.mul_neg, Frac.mul_one] at k
  exact k

theorem pow (h : Rep n t u v d s x y) (k : Nat) :
    Rep n t u v (fun i => k * d i) (s ^ k) (x ^ k) (y ^ k) := by
  induction k with
  | zero =>
    have := const n t u v 1
    simp only [Nat.zero_mul]
    exact this
  | succ k ih =>
    have := ih.mul h
    simp only [Nat.add_mul, Nat.one_mul]
    exact this

theorem congr (h : Rep n t u v d s x y) (hd : ∀ i, i < n → d i = e i) : Rep n t u v e s x y := by
  have (t u : Nat → Frac) (p : Tensor n) : Tensor.val d t u n p = Tensor.val e t u n p := by
    clear h
    induction n with
    | zero => rfl
    | succ n ih =>
      show homVal (Tensor.val d t u n) (t n) (u n) (d n) p
        = homVal (Tensor.val e t u n) (t n) (u n) (e n) p
      rw [funext (ih fun i hi => hd i (Nat.lt_succ_of_lt hi)), hd n (Nat.lt_succ_self n)]
  obtain ⟨p, h₁, h₂, h₃, h₄⟩ := h
  refine ⟨p, ?_, h₂, this _ _ _ ▸ h₃, this _ _ _ ▸ h₄⟩
  clear h₂ h₃ h₄ this
  induction n with
  | zero => exact True.intro
  | succ n ih =>
    exact ⟨hd n (Nat.lt_succ_self n) ▸ h₁.1,
      fun a ha => ih (fun i hi => hd i (Nat.lt_succ_of_lt hi)) a (h₁.2 a ha)⟩

/-- What is packed with small coefficients and has small digits is nonnegative. It is enough to know
the packed form up to multiples of a power of the base. -/
theorem nonneg {b h : Nat} (hb : b = 2 * h) (k : Nat) (z : Int)
    (hk : (k : Int) = x + (b : Int) ^ count d n * z)
    (ht : t = fun i => Frac.ofInt ((b : Int) ^ count d i))
    (huv : ∀ i, i < n → 0 ≤ u i ∧ 0 ≤ v i) (hs : s < h)
    (ok : digitsBelow b h (count d n) k = true) (r : Rep n t u v d s x y) : 0 ≤ y := by
  obtain ⟨p, h₁, h₂, h₃, h₄⟩ := r
  obtain ⟨l, k₁, k₂, k₃, k₄⟩ := Tensor.digits d d b n p h₁
  rw [ht, k₃] at h₃
  rw [← k₁] at ok hk
  rw [← h₄]
  exact k₄ (nonneg_of_digits hb l (fun c hc => Nat.lt_of_le_of_lt (Nat.le_trans (k₂ c hc) h₂) hs) k
    ⟨z, by rw [hk, Frac.ofInt_inj h₃]⟩ ok) u v huv d

end Rep

end Certify

end LeanOracle
