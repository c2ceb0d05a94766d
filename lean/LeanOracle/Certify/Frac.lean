/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Frac

/-!
# More laws of fractions

What the proofs about certificates need beyond `LeanOracle.Frac`.
-/

namespace LeanOracle.Frac

theorem pow_add (x : Frac) (m n : Nat) : x ^ (m + n) = x ^ m * x ^ n := by
  induction n with
  | zero => rw [Nat.add_zero, pow_zero, Frac.mul_one]
  | succ n ih => rw [← Nat.add_assoc, pow_succ, pow_succ, ih, Frac.mul_assoc]

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

theorem sub_pos {x y : Frac} : 0 < y - x ↔ x < y := by
  constructor
  · intro h k
    exact h (by
      have := Frac.sub_le_sub k (Frac.le_refl x)
      rwa [Frac.sub_self] at this)
  · intro h k
    exact h (by
      have := (Frac.add_le_add_iff_right x).2 k
      rwa [Frac.sub_add_cancel, Frac.zero_add] at this)

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

end LeanOracle.Frac
