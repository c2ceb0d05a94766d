/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/

/-!
# Exact fractions

`Frac` is the ordered field of rational numbers: what a ball is a set of. Two fractions of the same
value are *equal*, so the laws of arithmetic are equations and can be used by `rw` and `simp`, and
`ac_rfl` works. Everything computes, in the kernel too: `decide` proves `Frac.mk 1 3 < Frac.mk 2 5`.

Lean's `Rat` is the type for programs. Its theorems differ between releases of Lean, so the theorems
here are about `Frac`, and `Frac.ofRat` carries a `Rat` over.

## Implementation notes

A `Frac` is a class of pairs numerator, denominator, up to equality of the cross products. There is
no normal form in it, hence none to compute: a sum or a product multiplies the denominators. Long
computations are better done in decimals and balls (`LeanOracle.Ball`), which grow less.
-/

namespace LeanOracle

/-- A numerator over a positive denominator. -/
structure Frac.Pair where
  /-- The numerator. -/
  num : Int
  /-- The denominator. -/
  den : Nat
  /-- The denominator is positive. -/
  pos : 0 < den

namespace Frac.Pair

private theorem den_pos (x : Pair) : (0 : Int) < x.den := by have := x.pos; omega

private theorem cancel {a b c : Int} (hc : 0 < c) (h : a * c = b * c) : a = b :=
  Int.eq_of_mul_eq_mul_right (by omega) h

private theorem cancel_le {a b c : Int} (hc : 0 < c) : a * c ≤ b * c ↔ a ≤ b := by
  refine ⟨fun h => ?_, fun h => Int.mul_le_mul_of_nonneg_right h (Int.le_of_lt hc)⟩
  by_cases k : b < a
  · have := Int.mul_lt_mul_of_pos_right k hc; omega
  · omega

/-- Pairs of the same value: their cross products are equal. -/
instance setoid : Setoid Pair where
  r x y := x.num * y.den = y.num * x.den
  iseqv := by
    refine ⟨fun _ => rfl, fun h => h.symm, fun {x y z} h k => cancel y.den_pos ?_⟩
    calc x.num * z.den * y.den = x.num * y.den * z.den := by ac_rfl
      _ = y.num * z.den * x.den := by rw [h]; ac_rfl
      _ = z.num * x.den * y.den := by rw [k]; ac_rfl

end Frac.Pair

/-- The rational numbers. -/
def Frac := Quotient Frac.Pair.setoid

namespace Frac

open Pair (den_pos cancel cancel_le)

/-- The fraction `num / den`. -/
def mk (num : Int) (den : Nat) (pos : 0 < den := by decide) : Frac := Quotient.mk _ ⟨num, den, pos⟩

/-- An integer as a fraction. -/
def ofInt (n : Int) : Frac := mk n 1

/-- A rational number of Lean as a fraction. -/
def ofRat (r : Rat) : Frac := mk r.num r.den (Nat.pos_of_ne_zero r.den_nz)

instance : Coe Int Frac := ⟨ofInt⟩
instance : Coe Rat Frac := ⟨ofRat⟩
instance (n : Nat) : OfNat Frac n := ⟨ofInt n⟩
instance : Inhabited Frac := ⟨0⟩

/-- Fractions are equal when their cross products are. -/
theorem mk_eq {a b : Int} {m n : Nat} {hm : 0 < m} {hn : 0 < n} :
    mk a m hm = mk b n hn ↔ a * n = b * m :=
  ⟨fun h => Quotient.exact h, fun h => Quotient.sound h⟩

/-- Every fraction has a numerator and a denominator. -/
protected theorem ind {p : Frac → Prop} (h : ∀ a n hn, p (mk a n hn)) (x : Frac) : p x :=
  Quotient.ind (fun x => h x.num x.den x.pos) x

/-! ### Operations -/

instance : Neg Frac where
  neg := Quotient.lift (fun x => mk (-x.num) x.den x.pos) fun x y (h : _ * _ = _ * _) =>
    mk_eq.2 (by rw [Int.neg_mul, Int.neg_mul, h])

instance : Add Frac where
  add := Quotient.lift₂
    (fun x y => mk (x.num * y.den + y.num * x.den) (x.den * y.den) (Nat.mul_pos x.pos y.pos))
    fun x y u v (h : _ * _ = _ * _) (k : _ * _ = _ * _) => mk_eq.2 <| by
      rw [Int.natCast_mul, Int.natCast_mul, Int.add_mul, Int.add_mul]
      calc x.num * y.den * (u.den * v.den) + y.num * x.den * (u.den * v.den)
        _ = x.num * u.den * (y.den * v.den) + y.num * v.den * (x.den * u.den) := by ac_rfl
        _ = u.num * v.den * (x.den * y.den) + v.num * u.den * (x.den * y.den) := by
          rw [h, k]; ac_rfl

instance : Mul Frac where
  mul := Quotient.lift₂
    (fun x y => mk (x.num * y.num) (x.den * y.den) (Nat.mul_pos x.pos y.pos))
    fun x y u v (h : _ * _ = _ * _) (k : _ * _ = _ * _) => mk_eq.2 <| by
      rw [Int.natCast_mul, Int.natCast_mul]
      calc x.num * y.num * (u.den * v.den)
        _ = x.num * u.den * (y.num * v.den) := by ac_rfl
        _ = u.num * v.num * (x.den * y.den) := by rw [h, k]; ac_rfl

instance : Sub Frac := ⟨fun x y => x + -y⟩

/-- The natural powers. -/
protected def pow (x : Frac) : Nat → Frac
  | 0 => 1
  | n + 1 => x.pow n * x

instance : Pow Frac Nat := ⟨Frac.pow⟩

theorem neg_mk (a : Int) (n : Nat) (hn : 0 < n) : -mk a n hn = mk (-a) n hn := rfl

theorem mk_add_mk (a b : Int) (m n : Nat) (hm : 0 < m) (hn : 0 < n) :
    mk a m hm + mk b n hn = mk (a * n + b * m) (m * n) (Nat.mul_pos hm hn) := rfl

theorem mk_mul_mk (a b : Int) (m n : Nat) (hm : 0 < m) (hn : 0 < n) :
    mk a m hm * mk b n hn = mk (a * b) (m * n) (Nat.mul_pos hm hn) := rfl

/-- Fractions with the same denominator are added by their numerators. -/
theorem mk_add_mk_same (a b : Int) (n : Nat) (hn : 0 < n) :
    mk a n hn + mk b n hn = mk (a + b) n hn := by
  rw [mk_add_mk, mk_eq, ← Int.add_mul, Int.natCast_mul, Int.mul_assoc]

/-- Three fractions have a common denominator. -/
theorem ind₃ {p : Frac → Frac → Frac → Prop}
    (h : ∀ a b c n hn, p (mk a n hn) (mk b n hn) (mk c n hn)) (x y z : Frac) : p x y z := by
  induction x using Frac.ind with | h a k hk
  induction y using Frac.ind with | h b m hm
  induction z using Frac.ind with | h c n hn
  have e := h (a * m * n) (b * k * n) (c * k * m) (k * m * n) (Nat.mul_pos (Nat.mul_pos hk hm) hn)
  have ea : mk (a * m * n) (k * m * n) (Nat.mul_pos (Nat.mul_pos hk hm) hn) = mk a k hk :=
    mk_eq.2 (by simp only [Int.natCast_mul]; ac_rfl)
  have eb : mk (b * k * n) (k * m * n) (Nat.mul_pos (Nat.mul_pos hk hm) hn) = mk b m hm :=
    mk_eq.2 (by simp only [Int.natCast_mul]; ac_rfl)
  have ec : mk (c * k * m) (k * m * n) (Nat.mul_pos (Nat.mul_pos hk hm) hn) = mk c n hn :=
    mk_eq.2 (by simp only [Int.natCast_mul]; ac_rfl)
  rwa [ea, eb, ec] at e

/-- Two fractions have a common denominator. -/
theorem ind₂ {p : Frac → Frac → Prop} (h : ∀ a b n hn, p (mk a n hn) (mk b n hn)) (x y : Frac) :
    p x y :=
  ind₃ (p := fun x y _ => p x y) (fun a b _ n hn => h a b n hn) x y (mk 0 1)

theorem zero_eq (n : Nat) (hn : 0 < n) : (0 : Frac) = mk 0 n hn :=
  mk_eq.2 ((Int.zero_mul _).trans (Int.zero_mul _).symm)

/-! ### The laws of a commutative ring -/

protected theorem add_comm (x y : Frac) : x + y = y + x := by
  induction x, y using ind₂ with | h a b
  rw [mk_add_mk_same, mk_add_mk_same, Int.add_comm]

protected theorem add_assoc (x y z : Frac) : x + y + z = x + (y + z) := by
  induction x, y, z using ind₃ with | h a b c
  simp only [mk_add_mk_same, Int.add_assoc]

protected theorem add_left_comm (x y z : Frac) : x + (y + z) = y + (x + z) := by
  rw [← Frac.add_assoc, Frac.add_comm x, Frac.add_assoc]

@[simp] protected theorem zero_add (x : Frac) : 0 + x = x := by
  induction x using Frac.ind with | h a n hn
  rw [zero_eq n hn, mk_add_mk_same, Int.zero_add]

@[simp] protected theorem add_zero (x : Frac) : x + 0 = x := by rw [Frac.add_comm, Frac.zero_add]

@[simp] theorem add_neg_cancel (x : Frac) : x + -x = 0 := by
  induction x using Frac.ind with | h a n hn
  rw [neg_mk, mk_add_mk_same, zero_eq n hn, Int.add_right_neg]

theorem neg_add_cancel (x : Frac) : -x + x = 0 := by rw [Frac.add_comm, add_neg_cancel]

protected theorem sub_eq_add_neg (x y : Frac) : x - y = x + -y := rfl

protected theorem mul_comm (x y : Frac) : x * y = y * x := by
  induction x, y using ind₂ with | h a b
  rw [mk_mul_mk, mk_mul_mk, Int.mul_comm]

protected theorem mul_assoc (x y z : Frac) : x * y * z = x * (y * z) := by
  induction x, y, z using ind₃ with | h a b c
  simp only [mk_mul_mk, Int.mul_assoc, Nat.mul_assoc]

protected theorem mul_left_comm (x y z : Frac) : x * (y * z) = y * (x * z) := by
  rw [← Frac.mul_assoc, Frac.mul_comm x, Frac.mul_assoc]

@[simp] protected theorem one_mul (x : Frac) : 1 * x = x := by
  induction x using Frac.ind with | h a n hn
  show mk 1 1 _ * mk a n hn = mk a n hn
  rw [mk_mul_mk, mk_eq, Int.one_mul, Nat.one_mul]

@[simp] protected theorem mul_one (x : Frac) : x * 1 = x := by rw [Frac.mul_comm, Frac.one_mul]

protected theorem mul_add (x y z : Frac) : x * (y + z) = x * y + x * z := by
  induction x, y, z using ind₃ with | h a b c
  simp only [mk_add_mk_same, mk_mul_mk, Int.mul_add]

protected theorem add_mul (x y z : Frac) : (x + y) * z = x * z + y * z := by
  rw [Frac.mul_comm, Frac.mul_add, Frac.mul_comm z, Frac.mul_comm z]

instance : Std.Associative (α := Frac) (· + ·) := ⟨Frac.add_assoc⟩
instance : Std.Commutative (α := Frac) (· + ·) := ⟨Frac.add_comm⟩
instance : Std.Associative (α := Frac) (· * ·) := ⟨Frac.mul_assoc⟩
instance : Std.Commutative (α := Frac) (· * ·) := ⟨Frac.mul_comm⟩

/-- `x + y = 0` says that `y` is `-x`. -/
theorem eq_neg_of_add_eq_zero {x y : Frac} (h : x + y = 0) : y = -x := by
  rw [← Frac.zero_add y, ← neg_add_cancel x, Frac.add_assoc, h, Frac.add_zero]

@[simp] protected theorem neg_neg (x : Frac) : - -x = x :=
  (eq_neg_of_add_eq_zero (neg_add_cancel x)).symm

protected theorem neg_add (x y : Frac) : -(x + y) = -x + -y := by
  induction x, y using ind₂ with | h a b
  simp only [mk_add_mk_same, neg_mk, Int.neg_add]

@[simp] protected theorem mul_zero (x : Frac) : x * 0 = 0 := by
  induction x using Frac.ind with | h a n hn
  rw [zero_eq n hn, mk_mul_mk, mk_eq, Int.mul_zero, Int.zero_mul, Int.zero_mul]

@[simp] protected theorem zero_mul (x : Frac) : 0 * x = 0 := by rw [Frac.mul_comm, Frac.mul_zero]

protected theorem mul_neg (x y : Frac) : x * -y = -(x * y) := by
  induction x, y using ind₂ with | h a b
  simp only [mk_mul_mk, neg_mk, Int.mul_neg]

protected theorem neg_mul (x y : Frac) : -x * y = -(x * y) := by
  rw [Frac.mul_comm, Frac.mul_neg, Frac.mul_comm]

protected theorem mul_sub (x y z : Frac) : x * (y - z) = x * y - x * z := by
  rw [Frac.sub_eq_add_neg, Frac.mul_add, Frac.mul_neg]; rfl

protected theorem sub_mul (x y z : Frac) : (x - y) * z = x * z - y * z := by
  rw [Frac.sub_eq_add_neg, Frac.add_mul, Frac.neg_mul]; rfl

@[simp] protected theorem sub_self (x : Frac) : x - x = 0 := add_neg_cancel x

protected theorem sub_add_cancel (x y : Frac) : x - y + y = x := by
  rw [Frac.sub_eq_add_neg, Frac.add_assoc, neg_add_cancel, Frac.add_zero]

protected theorem add_sub_cancel (x y : Frac) : x + y - y = x := by
  rw [Frac.sub_eq_add_neg, Frac.add_assoc, add_neg_cancel, Frac.add_zero]

@[simp] protected theorem neg_zero : -(0 : Frac) = 0 := rfl

@[simp] protected theorem sub_zero (x : Frac) : x - 0 = x := Frac.add_zero x

protected theorem neg_sub (x y : Frac) : -(x - y) = y - x := by
  rw [Frac.sub_eq_add_neg, Frac.neg_add, Frac.neg_neg, Frac.add_comm]; rfl

@[simp] theorem pow_zero (x : Frac) : x ^ 0 = 1 := rfl

theorem pow_succ (x : Frac) (n : Nat) : x ^ (n + 1) = x ^ n * x := rfl

theorem pow_two (x : Frac) : x ^ 2 = x * x := by rw [pow_succ, pow_succ, pow_zero, Frac.one_mul]

theorem pow_add (x : Frac) (m n : Nat) : x ^ (m + n) = x ^ m * x ^ n := by
  induction n with
  | zero => rw [Nat.add_zero, pow_zero, Frac.mul_one]
  | succ n ih => rw [← Nat.add_assoc, pow_succ, pow_succ, ih, Frac.mul_assoc]

theorem mul_pow (x y : Frac) (n : Nat) : (x * y) ^ n = x ^ n * y ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [pow_succ, pow_succ, pow_succ, ih]; ac_rfl

theorem neg_pow_even (x : Frac) (n : Nat) (h : n % 2 = 0) : (-x) ^ n = x ^ n := by
  obtain ⟨k, rfl⟩ : ∃ k, n = 2 * k := ⟨n / 2, by omega⟩
  induction k with
  | zero => rfl
  | succ k ih =>
    rw [show 2 * (k + 1) = 2 * k + 1 + 1 by omega]
    simp only [pow_succ, ih (by omega), Frac.mul_neg, Frac.neg_neg, Frac.neg_mul]

theorem neg_pow_odd (x : Frac) (n : Nat) (h : n % 2 = 1) : (-x) ^ n = -x ^ n := by
  obtain ⟨k, rfl⟩ : ∃ k, n = k + 1 := ⟨n - 1, by omega⟩
  rw [pow_succ, neg_pow_even x k (by omega), Frac.mul_neg]; rfl

/-! ### Integers among the fractions -/

theorem ofInt_add (a b : Int) : ofInt (a + b) = ofInt a + ofInt b := (mk_add_mk_same a b 1 _).symm
theorem ofInt_neg (a : Int) : ofInt (-a) = -ofInt a := rfl
theorem ofInt_sub (a b : Int) : ofInt (a - b) = ofInt a - ofInt b := by
  rw [Int.sub_eq_add_neg, ofInt_add, ofInt_neg]; rfl
theorem ofInt_mul (a b : Int) : ofInt (a * b) = ofInt a * ofInt b := rfl
theorem ofInt_pow (a : Int) (n : Nat) : ofInt (a ^ n) = ofInt a ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [Int.pow_succ, ofInt_mul, ih, pow_succ]

/-! ### Order -/

/-- `x ≤ y` as a Boolean: the comparison of the cross products. -/
def ble : Frac → Frac → Bool :=
  Quotient.lift₂ (fun x y => decide (x.num * y.den ≤ y.num * x.den))
    fun x y u v (h : _ * _ = _ * _) (k : _ * _ = _ * _) => decide_eq_decide.2 <| by
      rw [← cancel_le (Int.mul_pos u.den_pos v.den_pos),
        ← cancel_le (a := u.num * v.den) (Int.mul_pos x.den_pos y.den_pos),
        show x.num * y.den * (u.den * v.den) = x.num * u.den * (y.den * v.den) by ac_rfl,
        show y.num * x.den * (u.den * v.den) = y.num * v.den * (x.den * u.den) by ac_rfl, h, k,
        show u.num * x.den * (y.den * v.den) = u.num * v.den * (x.den * y.den) by ac_rfl,
        show v.num * y.den * (x.den * u.den) = v.num * u.den * (x.den * y.den) by ac_rfl]

instance : LE Frac := ⟨fun x y => ble x y = true⟩
instance : LT Frac := ⟨fun x y => ¬ y ≤ x⟩
instance (x y : Frac) : Decidable (x ≤ y) := inferInstanceAs (Decidable (_ = true))
instance (x y : Frac) : Decidable (x < y) := inferInstanceAs (Decidable (¬ _))

/-- The order of fractions is that of the cross products. -/
theorem mk_le_mk {a b : Int} {m n : Nat} {hm : 0 < m} {hn : 0 < n} :
    mk a m hm ≤ mk b n hn ↔ a * n ≤ b * m :=
  ⟨of_decide_eq_true, decide_eq_true⟩

/-- Over a common denominator, it is the order of the numerators. -/
theorem mk_le_mk_same {a b : Int} {n : Nat} {hn : 0 < n} : mk a n hn ≤ mk b n hn ↔ a ≤ b :=
  mk_le_mk.trans (cancel_le (by omega))

theorem ofInt_le {a b : Int} : ofInt a ≤ ofInt b ↔ a ≤ b := mk_le_mk_same

theorem ofInt_lt {a b : Int} : ofInt a < ofInt b ↔ a < b :=
  (not_congr ofInt_le).trans Int.not_le

theorem ofInt_nonneg {a : Int} : 0 ≤ ofInt a ↔ 0 ≤ a := ofInt_le

protected theorem le_refl (x : Frac) : x ≤ x := by
  induction x using Frac.ind with | h a n hn
  exact mk_le_mk_same.2 (Int.le_refl a)

protected theorem le_trans {x y z : Frac} : x ≤ y → y ≤ z → x ≤ z := by
  induction x, y, z using ind₃ with | h a b c
  simp only [mk_le_mk_same]
  exact Int.le_trans

protected theorem le_total (x y : Frac) : x ≤ y ∨ y ≤ x := by
  induction x, y using ind₂ with | h a b
  simp only [mk_le_mk_same]
  omega

protected theorem le_antisymm {x y : Frac} : x ≤ y → y ≤ x → x = y := by
  induction x, y using ind₂ with | h a b
  simp only [mk_le_mk_same]
  intro h k
  rw [Int.le_antisymm h k]

protected theorem le_of_eq {x y : Frac} (h : x = y) : x ≤ y := h ▸ Frac.le_refl x

instance : DecidableEq Frac := fun x y =>
  if h : x ≤ y ∧ y ≤ x then .isTrue (Frac.le_antisymm h.1 h.2)
  else .isFalse fun e => h ⟨Frac.le_of_eq e, Frac.le_of_eq e.symm⟩

protected theorem not_le {x y : Frac} : ¬ x ≤ y ↔ y < x := Iff.rfl

protected theorem not_lt {x y : Frac} : ¬ x < y ↔ y ≤ x := Decidable.not_not

protected theorem le_of_lt {x y : Frac} (h : x < y) : x ≤ y := (Frac.le_total x y).resolve_right h

protected theorem lt_irrefl (x : Frac) : ¬ x < x := fun h => h (Frac.le_refl x)

protected theorem lt_of_lt_of_le {x y z : Frac} (h : x < y) (k : y ≤ z) : x < z :=
  fun l => h (Frac.le_trans k l)

protected theorem lt_of_le_of_lt {x y z : Frac} (h : x ≤ y) (k : y < z) : x < z :=
  fun l => k (Frac.le_trans l h)

protected theorem lt_trans {x y z : Frac} (h : x < y) (k : y < z) : x < z :=
  Frac.lt_of_lt_of_le h (Frac.le_of_lt k)

protected theorem ne_of_gt {x y : Frac} (h : x < y) : y ≠ x := fun e => h (Frac.le_of_eq e)

instance : Trans (α := Frac) (· ≤ ·) (· ≤ ·) (· ≤ ·) := ⟨Frac.le_trans⟩
instance : Trans (α := Frac) (· < ·) (· ≤ ·) (· < ·) := ⟨Frac.lt_of_lt_of_le⟩
instance : Trans (α := Frac) (· ≤ ·) (· < ·) (· < ·) := ⟨Frac.lt_of_le_of_lt⟩
instance : Trans (α := Frac) (· < ·) (· < ·) (· < ·) := ⟨Frac.lt_trans⟩

/-! ### Order and arithmetic -/

protected theorem add_le_add_iff_right {x y : Frac} (z : Frac) : x + z ≤ y + z ↔ x ≤ y := by
  induction x, y, z using ind₃ with | h a b c
  simp only [mk_add_mk_same, mk_le_mk_same]
  omega

protected theorem add_le_add {x y u v : Frac} (h : x ≤ y) (k : u ≤ v) : x + u ≤ y + v :=
  Frac.le_trans ((Frac.add_le_add_iff_right u).2 h) <| by
    rw [Frac.add_comm y, Frac.add_comm y]; exact (Frac.add_le_add_iff_right y).2 k

protected theorem neg_le_neg {x y : Frac} : x ≤ y → -y ≤ -x := by
  induction x, y using ind₂ with | h a b
  simp only [neg_mk, mk_le_mk_same]
  omega

protected theorem neg_le_neg_iff {x y : Frac} : -x ≤ -y ↔ y ≤ x :=
  ⟨fun h => by simpa using Frac.neg_le_neg h, Frac.neg_le_neg⟩

protected theorem sub_le_sub {x y u v : Frac} (h : x ≤ y) (k : u ≤ v) : x - v ≤ y - u :=
  Frac.add_le_add h (Frac.neg_le_neg k)

protected theorem sub_nonneg {x y : Frac} : 0 ≤ y - x ↔ x ≤ y := by
  rw [← Frac.add_le_add_iff_right (x := 0) x, Frac.zero_add, Frac.sub_add_cancel]

protected theorem sub_pos {x y : Frac} : 0 < y - x ↔ x < y := by
  have := Frac.sub_nonneg (x := y) (y := x)
  rw [← Frac.neg_sub, ← Frac.neg_le_neg_iff, Frac.neg_neg, Frac.neg_zero] at this
  exact not_congr this

protected theorem sub_le_iff {x y z : Frac} : x - y ≤ z ↔ x ≤ z + y := by
  rw [← Frac.add_le_add_iff_right (x := x - y) y, Frac.sub_add_cancel]

protected theorem le_sub_iff {x y z : Frac} : x ≤ y - z ↔ x + z ≤ y := by
  rw [← Frac.add_le_add_iff_right (x := x) z, Frac.sub_add_cancel]

protected theorem add_nonneg {x y : Frac} (h : 0 ≤ x) (k : 0 ≤ y) : 0 ≤ x + y := by
  simpa using Frac.add_le_add h k

protected theorem add_pos_of_pos_of_nonneg {x y : Frac} (h : 0 < x) (k : 0 ≤ y) : 0 < x + y :=
  Frac.lt_of_lt_of_le h (by simpa using Frac.add_le_add (Frac.le_refl x) k)

protected theorem neg_nonneg {x : Frac} : 0 ≤ -x ↔ x ≤ 0 := by
  rw [← Frac.sub_nonneg (x := x), Frac.sub_eq_add_neg, Frac.zero_add]

protected theorem mul_nonneg {x y : Frac} : 0 ≤ x → 0 ≤ y → 0 ≤ x * y := by
  induction x, y using ind₂ with | h a b n hn
  rw [mk_mul_mk, zero_eq (n * n) (Nat.mul_pos hn hn), mk_le_mk_same, ← zero_eq, zero_eq n hn,
    mk_le_mk_same, mk_le_mk_same]
  exact Int.mul_nonneg

protected theorem mul_le_mul_of_nonneg_left {x y z : Frac} (h : x ≤ y) (hz : 0 ≤ z) :
    z * x ≤ z * y := by
  rw [← Frac.sub_nonneg, ← Frac.mul_sub]
  exact Frac.mul_nonneg hz (Frac.sub_nonneg.2 h)

protected theorem mul_le_mul_of_nonneg_right {x y z : Frac} (h : x ≤ y) (hz : 0 ≤ z) :
    x * z ≤ y * z := by
  rw [Frac.mul_comm x, Frac.mul_comm y]; exact Frac.mul_le_mul_of_nonneg_left h hz

protected theorem mul_le_mul_of_nonpos_right {x y z : Frac} (h : x ≤ y) (hz : z ≤ 0) :
    y * z ≤ x * z := by
  have := Frac.mul_le_mul_of_nonneg_right h (Frac.neg_nonneg.2 hz)
  rwa [Frac.mul_neg, Frac.mul_neg, Frac.neg_le_neg_iff] at this

/-- Products of nonnegative fractions grow with both factors. -/
protected theorem mul_le_mul {x y u v : Frac} (h : x ≤ y) (k : u ≤ v) (hx : 0 ≤ x) (hv : 0 ≤ v) :
    x * u ≤ y * v :=
  Frac.le_trans (Frac.mul_le_mul_of_nonneg_left k hx) (Frac.mul_le_mul_of_nonneg_right h hv)

/-- A square is nonnegative. -/
theorem mul_self_nonneg (x : Frac) : 0 ≤ x * x :=
  (Frac.le_total 0 x).elim (fun h => Frac.mul_nonneg h h) fun h => by
    have h := Frac.neg_nonneg.2 h
    simpa [Frac.mul_neg, Frac.neg_mul] using Frac.mul_nonneg h h

protected theorem zero_lt_one : (0 : Frac) < 1 := by decide

/-! ### Maximum, minimum, absolute value -/

instance : Max Frac := ⟨fun x y => if x ≤ y then y else x⟩
instance : Min Frac := ⟨fun x y => if x ≤ y then x else y⟩

theorem max_of_le {x y : Frac} (h : x ≤ y) : max x y = y := if_pos h
theorem max_of_lt {x y : Frac} (h : y < x) : max x y = x := if_neg h
theorem min_of_le {x y : Frac} (h : x ≤ y) : min x y = x := if_pos h
theorem min_of_lt {x y : Frac} (h : y < x) : min x y = y := if_neg h

/-- Of two fractions, one is at most the other, or more. -/
theorem le_or_lt (x y : Frac) : x ≤ y ∨ y < x := Decidable.em _

theorem le_max_left (x y : Frac) : x ≤ max x y := by
  rcases le_or_lt x y with h | h
  · rwa [max_of_le h]
  · rw [max_of_lt h]; exact Frac.le_refl x

theorem le_max_right (x y : Frac) : y ≤ max x y := by
  rcases le_or_lt x y with h | h
  · rw [max_of_le h]; exact Frac.le_refl y
  · rw [max_of_lt h]; exact Frac.le_of_lt h

theorem max_le {x y z : Frac} (hx : x ≤ z) (hy : y ≤ z) : max x y ≤ z := by
  rcases le_or_lt x y with h | h
  · rwa [max_of_le h]
  · rwa [max_of_lt h]

theorem min_le_left (x y : Frac) : min x y ≤ x := by
  rcases le_or_lt x y with h | h
  · rw [min_of_le h]; exact Frac.le_refl x
  · rw [min_of_lt h]; exact Frac.le_of_lt h

theorem min_le_right (x y : Frac) : min x y ≤ y := by
  rcases le_or_lt x y with h | h
  · rwa [min_of_le h]
  · rw [min_of_lt h]; exact Frac.le_refl y

theorem le_min {x y z : Frac} (hx : z ≤ x) (hy : z ≤ y) : z ≤ min x y := by
  rcases le_or_lt x y with h | h
  · rwa [min_of_le h]
  · rwa [min_of_lt h]

/-- The absolute value. -/
def abs (x : Frac) : Frac := max x (-x)

theorem le_abs (x : Frac) : x ≤ x.abs := le_max_left x (-x)
theorem neg_le_abs (x : Frac) : -x ≤ x.abs := le_max_right x (-x)
theorem abs_le {x y : Frac} (h : x ≤ y) (k : -x ≤ y) : x.abs ≤ y := max_le h k

theorem abs_of_nonneg {x : Frac} (h : 0 ≤ x) : x.abs = x :=
  Frac.le_antisymm (abs_le (Frac.le_refl x)
    (Frac.le_trans (Frac.neg_nonneg.1 (by rwa [Frac.neg_neg])) h)) (le_abs x)

theorem abs_of_nonpos {x : Frac} (h : x ≤ 0) : x.abs = -x :=
  Frac.le_antisymm (abs_le (Frac.le_trans h (Frac.neg_nonneg.2 h)) (Frac.le_refl _))
    (neg_le_abs x)

theorem abs_nonneg (x : Frac) : 0 ≤ x.abs :=
  (Frac.le_total 0 x).elim (fun h => Frac.le_trans h (le_abs x))
    fun h => Frac.le_trans (Frac.neg_nonneg.2 h) (neg_le_abs x)

theorem abs_neg (x : Frac) : (-x).abs = x.abs := by
  rcases Frac.le_total 0 x with h | h
  · rw [abs_of_nonneg h, abs_of_nonpos (Frac.neg_nonneg.1 (by rwa [Frac.neg_neg])), Frac.neg_neg]
  · rw [abs_of_nonpos h, abs_of_nonneg (Frac.neg_nonneg.2 h)]

theorem abs_mul (x y : Frac) : (x * y).abs = x.abs * y.abs := by
  have nonneg {x y : Frac} (hx : 0 ≤ x) (hy : 0 ≤ y) : (x * y).abs = x.abs * y.abs := by
    rw [abs_of_nonneg hx, abs_of_nonneg hy, abs_of_nonneg (Frac.mul_nonneg hx hy)]
  have left {y : Frac} (hy : 0 ≤ y) : (x * y).abs = x.abs * y.abs := by
    rcases Frac.le_total 0 x with h | h
    · exact nonneg h hy
    · rw [← abs_neg, ← Frac.neg_mul, nonneg (Frac.neg_nonneg.2 h) hy, abs_neg]
  rcases Frac.le_total 0 y with h | h
  · exact left h
  · rw [← abs_neg, ← Frac.mul_neg, left (Frac.neg_nonneg.2 h), abs_neg]

/-! ### Reciprocals -/

/-- The reciprocal; that of zero is zero. -/
protected def inv : Frac → Frac :=
  Quotient.lift
    (fun x =>
      if h : x.num = 0 then 0
      else mk (x.num * x.den) (x.num.natAbs * x.num.natAbs) (Nat.mul_pos (by omega) (by omega)))
    fun x y (h : _ * _ = _ * _) => by
      have hx : (x.den : Int) ≠ 0 := by have := x.pos; omega
      have hy : (y.den : Int) ≠ 0 := by have := y.pos; omega
      by_cases hn : x.num = 0
      · have : y.num = 0 := by
          rw [hn, Int.zero_mul] at h
          exact (Int.mul_eq_zero.1 h.symm).resolve_right hx
        show dite _ _ _ = dite _ _ _
        rw [dif_pos hn, dif_pos this]
      · have hm : y.num ≠ 0 := fun e => by
          rw [e, Int.zero_mul] at h
          exact hn ((Int.mul_eq_zero.1 h).resolve_right hy)
        show dite _ _ _ = dite _ _ _
        rw [dif_neg hn, dif_neg hm, mk_eq, natAbs_mul_natAbs, natAbs_mul_natAbs]
        calc x.num * x.den * (y.num * y.num) = y.num * x.den * (x.num * y.num) := by ac_rfl
          _ = y.num * y.den * (x.num * x.num) := by rw [← h]; ac_rfl
where
  natAbs_mul_natAbs (a : Int) : ((a.natAbs * a.natAbs : Nat) : Int) = a * a := by
    rw [Int.natCast_mul]
    rcases (show (a.natAbs : Int) = a ∨ (a.natAbs : Int) = -a by omega) with h | h <;> rw [h]
    rw [Int.neg_mul_neg]

/-- Division; by zero it gives zero. -/
instance : Div Frac := ⟨fun x y => x * y.inv⟩

theorem div_eq_mul_inv (x y : Frac) : x / y = x * y.inv := rfl

protected theorem inv_zero : Frac.inv 0 = 0 := rfl

/-- A fraction that is not zero has a reciprocal. -/
theorem mul_inv_cancel {x : Frac} : x ≠ 0 → x * x.inv = 1 := by
  induction x using Frac.ind with | h a n hn
  intro h
  have ha : a ≠ 0 := fun e => h (by rw [e, ← zero_eq])
  have e : (mk a n hn).inv = mk (a * n) (a.natAbs * a.natAbs) (Nat.mul_pos (by omega) (by omega)) :=
    dif_neg ha
  show _ = mk 1 1
  rw [e, mk_mul_mk, mk_eq, Int.natCast_mul, inv.natAbs_mul_natAbs, Int.one_mul]
  show a * (a * n) * 1 = _
  rw [Int.mul_one]
  ac_rfl

protected theorem inv_nonneg {x : Frac} : 0 ≤ x → 0 ≤ x.inv := by
  induction x using Frac.ind with | h a n hn
  intro h
  rw [zero_eq n hn, mk_le_mk_same] at h
  by_cases ha : a = 0
  · rw [ha, ← zero_eq, Frac.inv_zero]
    exact Frac.le_refl 0
  · have e : (mk a n hn).inv = mk (a * n) (a.natAbs * a.natAbs)
      (Nat.mul_pos (by omega) (by omega)) := dif_neg ha
    rw [e, zero_eq (a.natAbs * a.natAbs) (Nat.mul_pos (by omega) (by omega)), mk_le_mk_same]
    exact Int.mul_nonneg h (Int.natCast_nonneg n)

/-- A positive factor can be cancelled. -/
protected theorem le_of_mul_le_mul_right {x y z : Frac} (h : x * z ≤ y * z) (hz : 0 < z) :
    x ≤ y := by
  have := Frac.mul_le_mul_of_nonneg_right h (Frac.inv_nonneg (Frac.le_of_lt hz))
  rwa [Frac.mul_assoc, Frac.mul_assoc, mul_inv_cancel (Frac.ne_of_gt hz), Frac.mul_one,
    Frac.mul_one] at this

protected theorem mul_pos {x y : Frac} (hx : 0 < x) (hy : 0 < y) : 0 < x * y :=
  fun h => hx (Frac.le_of_mul_le_mul_right (by rwa [Frac.zero_mul]) hy)

protected theorem mul_le_mul_iff_right {x y z : Frac} (hz : 0 < z) : x * z ≤ y * z ↔ x ≤ y :=
  ⟨fun h => Frac.le_of_mul_le_mul_right h hz,
    fun h => Frac.mul_le_mul_of_nonneg_right h (Frac.le_of_lt hz)⟩

/-- `y` is the reciprocal of `x` when their product is one. -/
theorem eq_inv_of_mul_eq_one {x y : Frac} (h : x * y = 1) : y = x.inv := by
  have hx : x ≠ 0 := fun e => absurd (h.symm.trans (by rw [e, Frac.zero_mul])) (by decide)
  rw [← Frac.one_mul y, ← mul_inv_cancel hx, Frac.mul_assoc, Frac.mul_comm x.inv,
    ← Frac.mul_assoc, h, Frac.one_mul]

theorem inv_neg (x : Frac) : (-x).inv = -x.inv := by
  by_cases h : x = 0
  · rw [h]; decide
  · refine (eq_inv_of_mul_eq_one ?_).symm
    rw [Frac.neg_mul, Frac.mul_neg, Frac.neg_neg, mul_inv_cancel h]

/-- Lower bounds of a reciprocal. -/
theorem le_inv_iff {x y : Frac} (hx : 0 < x) : y ≤ x.inv ↔ y * x ≤ 1 := by
  rw [← Frac.mul_le_mul_iff_right hx, Frac.mul_comm x.inv, mul_inv_cancel (Frac.ne_of_gt hx)]

/-- Upper bounds of a reciprocal. -/
theorem inv_le_iff {x y : Frac} (hx : 0 < x) : x.inv ≤ y ↔ 1 ≤ y * x := by
  rw [← Frac.mul_le_mul_iff_right hx, Frac.mul_comm x.inv, mul_inv_cancel (Frac.ne_of_gt hx)]

theorem inv_pos {x : Frac} (hx : 0 < x) : 0 < x.inv := fun h =>
  absurd ((inv_le_iff hx).1 h) (by rw [Frac.zero_mul]; decide)

/-- Reciprocals of positive fractions are in the opposite order. -/
protected theorem inv_le_inv {x y : Frac} (hx : 0 < x) (h : x ≤ y) : y.inv ≤ x.inv := by
  rw [le_inv_iff hx, ← mul_inv_cancel (Frac.ne_of_gt (Frac.lt_of_lt_of_le hx h)),
    Frac.mul_comm y]
  exact Frac.mul_le_mul_of_nonneg_left h
    (Frac.inv_nonneg (Frac.le_of_lt (Frac.lt_of_lt_of_le hx h)))

/-! ### Powers and order -/

protected theorem pow_nonneg {x : Frac} (h : 0 ≤ x) (n : Nat) : 0 ≤ x ^ n := by
  induction n with
  | zero => exact Frac.le_of_lt Frac.zero_lt_one
  | succ n ih => exact Frac.mul_nonneg ih h

/-- Powers of nonnegative fractions grow with the base. -/
protected theorem pow_le_pow_left {x y : Frac} (hx : 0 ≤ x) (h : x ≤ y) (n : Nat) :
    x ^ n ≤ y ^ n := by
  induction n with
  | zero => exact Frac.le_refl 1
  | succ n ih => exact Frac.mul_le_mul ih h (Frac.pow_nonneg hx n) (Frac.le_trans hx h)

/-- Odd powers grow with the base, whatever the signs. -/
protected theorem pow_le_pow_odd {x y : Frac} (h : x ≤ y) {n : Nat} (hn : n % 2 = 1) :
    x ^ n ≤ y ^ n := by
  rcases Frac.le_total 0 x with hx | hx
  · exact Frac.pow_le_pow_left hx h n
  have hx := Frac.neg_nonneg.2 hx
  rcases Frac.le_total 0 y with hy | hy
  · refine Frac.le_trans ?_ (Frac.pow_nonneg hy n)
    rw [← Frac.neg_nonneg, ← neg_pow_odd x n hn]
    exact Frac.pow_nonneg hx n
  · rw [← Frac.neg_le_neg_iff, ← neg_pow_odd x n hn, ← neg_pow_odd y n hn]
    exact Frac.pow_le_pow_left (Frac.neg_nonneg.2 hy) (Frac.neg_le_neg h) n

/-- An even power is that of the absolute value. -/
theorem abs_pow_even (x : Frac) (n : Nat) (h : n % 2 = 0) : x.abs ^ n = x ^ n := by
  rcases Frac.le_total 0 x with hx | hx
  · rw [abs_of_nonneg hx]
  · rw [abs_of_nonpos hx, neg_pow_even x n h]

/-! ### Lowest terms -/

private theorem gcd_mul (a b k : Nat) : (a * k).gcd (b * k) = a.gcd b * k := by
  induction a, b using Nat.gcd.induction with
  | H0 b => rw [Nat.zero_mul, Nat.gcd_zero_left, Nat.gcd_zero_left]
  | H1 a b _ ih => rw [Nat.gcd_rec, Nat.mul_mod_mul_right, ih, ← Nat.gcd_rec]

/-- Numerator and denominator in lowest terms. -/
def lowest : Frac → Int × Nat :=
  Quotient.lift
    (fun x =>
      let g := x.num.natAbs.gcd x.den
      let n : Int := (x.num.natAbs / g : Nat)
      (if x.num < 0 then -n else n, x.den / g))
    fun x y (h : _ * _ = _ * _) => by
      have e : x.num.natAbs * y.den = y.num.natAbs * x.den := by
        have := congrArg Int.natAbs h
        rwa [Int.natAbs_mul, Int.natAbs_mul] at this
      have g := gcd_mul x.num.natAbs x.den y.den
      rw [e, Nat.mul_comm x.den, gcd_mul] at g
      have hn : x.num.natAbs / x.num.natAbs.gcd x.den = y.num.natAbs / y.num.natAbs.gcd y.den := by
        rw [← Nat.mul_div_mul_right _ (Nat.gcd _ _) y.pos, ← g, e, Nat.mul_div_mul_right _ _ x.pos]
      have hd : x.den / x.num.natAbs.gcd x.den = y.den / y.num.natAbs.gcd y.den := by
        rw [← Nat.mul_div_mul_right _ (Nat.gcd _ _) y.pos, ← g, Nat.mul_comm,
          Nat.mul_div_mul_right _ _ x.pos]
      have sign : x.num < 0 ↔ y.num < 0 := by
        have hx := cancel_le (a := 0) (b := y.num) x.den_pos
        have hy := cancel_le (a := 0) (b := x.num) y.den_pos
        rw [Int.zero_mul] at hx hy
        rw [h] at hy
        omega
      simp only [hn, hd, sign]

/-! ### Further laws of powers and quotients -/

theorem one_pow (n : Nat) : (1 : Frac) ^ n = 1 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [pow_succ, ih, Frac.mul_one]

theorem ofInt_inj {a b : Int} (h : ofInt a = ofInt b) : a = b :=
  Int.le_antisymm (ofInt_le.1 (Frac.le_of_eq h)) (ofInt_le.1 (Frac.le_of_eq h.symm))

theorem div_mul_cancel {x y : Frac} (h : y ≠ 0) : x / y * y = x := by
  rw [div_eq_mul_inv, Frac.mul_assoc, Frac.mul_comm y.inv, mul_inv_cancel h, Frac.mul_one]

theorem inv_mul (x y : Frac) : (x * y).inv = x.inv * y.inv := by
  by_cases hx : x = 0
  · rw [hx, Frac.zero_mul, Frac.inv_zero, Frac.zero_mul]
  by_cases hy : y = 0
  · rw [hy, Frac.mul_zero, Frac.inv_zero, Frac.mul_zero]
  refine (eq_inv_of_mul_eq_one ?_).symm
  calc x * y * (x.inv * y.inv) = (x * x.inv) * (y * y.inv) := by ac_rfl
    _ = 1 := by rw [mul_inv_cancel hx, mul_inv_cancel hy, Frac.mul_one]

theorem inv_inv (x : Frac) : x.inv.inv = x := by
  by_cases hx : x = 0
  · rw [hx, Frac.inv_zero, Frac.inv_zero]
  · exact (eq_inv_of_mul_eq_one (by rw [Frac.mul_comm, mul_inv_cancel hx])).symm

theorem ne_zero_of_mul {x y : Frac} (h : x * y ≠ 0) : x ≠ 0 ∧ y ≠ 0 :=
  ⟨fun e => h (by rw [e, Frac.zero_mul]), fun e => h (by rw [e, Frac.mul_zero])⟩

theorem pow_pos {x : Frac} (h : 0 < x) (k : Nat) : 0 < x ^ k := by
  induction k with
  | zero => exact Frac.zero_lt_one
  | succ k ih => exact Frac.mul_pos ih h

theorem div_one (x : Frac) : x / 1 = x := by
  have := div_mul_cancel (x := x) (y := 1) (by decide)
  rwa [Frac.mul_one] at this

theorem div_div (x y z : Frac) : x / y / z = x / (y * z) := by
  rw [div_eq_mul_inv, div_eq_mul_inv, div_eq_mul_inv, inv_mul, Frac.mul_assoc]

theorem neg_div (x y : Frac) : -x / y = -(x / y) := by
  rw [div_eq_mul_inv, div_eq_mul_inv, Frac.neg_mul]

theorem mk_eq_div (p : Int) (q : Nat) (hq : 0 < q) : mk p q hq = ofInt p / ofInt q := by
  have ne : ofInt q ≠ 0 := fun e => by
    have := ofInt_inj (b := 0) e
    omega
  have e : mk p q hq * ofInt q = ofInt p := by
    show mk p q hq * mk q 1 = mk p 1
    rw [mk_mul_mk, mk_eq]
    show p * q * 1 = p * ((q * 1 : Nat) : Int)
    rw [Nat.mul_one, Int.mul_one]
  rw [← e, div_eq_mul_inv, Frac.mul_assoc, mul_inv_cancel ne, Frac.mul_one]

theorem pow_lt_pow {x y : Frac} (hx : 0 ≤ x) (h : x < y) {k : Nat} (hk : k ≠ 0) :
    x ^ k < y ^ k := by
  cases k with
  | zero => exact absurd rfl hk
  | succ k =>
    have hy : 0 < y := Frac.lt_of_le_of_lt hx h
    refine Frac.lt_of_le_of_lt (y := y ^ k * x) ?_ ?_
    · exact Frac.mul_le_mul_of_nonneg_right
        (Frac.pow_le_pow_left hx (Frac.le_of_lt h) k) hx
    · intro c
      have c : y ^ k * y ≤ y ^ k * x := c
      rw [Frac.mul_comm (y ^ k), Frac.mul_comm (y ^ k)] at c
      exact h ((Frac.mul_le_mul_iff_right (Frac.pow_pos hy k)).1 c)

/-! ### Lowest terms -/

/-- The numerator in lowest terms. -/
def num (x : Frac) : Int := x.lowest.1

/-- The denominator in lowest terms. -/
def den (x : Frac) : Nat := x.lowest.2

/-- The fraction as a rational number of Lean. (That `ofRat` and `toRat` are inverse to each other
is tested, not proved.) -/
def toRat (x : Frac) : Rat := mkRat x.num x.den

instance : ToString Frac where
  toString x := if x.den == 1 then s!"{x.num}" else s!"{x.num}/{x.den}"

instance : Repr Frac := ⟨fun x _ => toString x⟩

end Frac

end LeanOracle
