/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Frac

/-!
# Exact decimals

The ends of the oracle's answers are decimals: an integer times a power of ten. Their value is the
fraction `Decimal.toFrac`. Comparisons are decided exactly (`le_iff_toFrac`), sums, differences,
products and powers are exact (`toFrac_add`, …), and `floorTo`, `ceilTo`, `invFloor` round to a
power of ten in a known direction.

## Implementation notes

Two decimals are compared by bringing them to the same exponent, but the power of ten is computed
only when it cannot be much longer than the numerators: otherwise their binary lengths already
decide. So comparisons are cheap whatever the exponents are. `Decimal.le_iff` states that this is
the comparison of the values. A sum needs the power of ten between the two exponents; only `toFrac`
and `toRat` compute `10 ^ |exp|`.
-/

namespace LeanOracle

/-- The decimal number `num * 10 ^ exp`. Different pairs can have the same value: `=` compares
pairs, `≤` and `<` compare values. -/
structure Decimal where
  /-- The integer factor. -/
  num : Int
  /-- The exponent of ten. -/
  exp : Int := 0
  deriving Repr, Inhabited, DecidableEq

/-! ### Comparing numerators -/

private theorem ten_pow_pos (d : Nat) : 0 < 10 ^ d := by
  induction d with
  | zero => decide
  | succ d ih => rw [Nat.pow_succ]; omega

private theorem two_pow_le_ten_pow (d : Nat) : 2 ^ (3 * d) ≤ 10 ^ d := by
  induction d with
  | zero => decide
  | succ d ih =>
    have h : 2 ^ (3 * d + 1 + 1 + 1) = 2 ^ (3 * d) * 2 * 2 * 2 := by
      rw [Nat.pow_succ, Nat.pow_succ, Nat.pow_succ]
    rw [show 3 * (d + 1) = 3 * d + 1 + 1 + 1 by omega, h, Nat.pow_succ]
    omega

private theorem int_ten_pow_succ (d : Nat) : (10 : Int) ^ (d + 1) = 10 ^ d * 10 :=
  Int.pow_succ 10 d

private theorem int_ten_pow_add (d k : Nat) : (10 : Int) ^ (d + k) = 10 ^ d * 10 ^ k := by
  induction k with
  | zero => rw [Nat.add_zero, Int.pow_zero, Int.mul_one]
  | succ k ih => rw [← Nat.add_assoc, int_ten_pow_succ, ih, int_ten_pow_succ, Int.mul_assoc]

private theorem natCast_ten_pow (d : Nat) : ((10 ^ d : Nat) : Int) = 10 ^ d := Int.natCast_pow 10 d

private theorem mul_ten_pow_le {a b : Int} (d : Nat) : a * 10 ^ d ≤ b * 10 ^ d ↔ a ≤ b := by
  induction d with
  | zero => rw [Int.pow_zero, Int.mul_one, Int.mul_one]
  | succ d ih => rw [int_ten_pow_succ, ← Int.mul_assoc, ← Int.mul_assoc, ← ih]; omega

/-- `a * 10 ^ d ≤ b`, decided without computing a power of ten much longer than `b`. -/
def scaledLe (a d b : Nat) : Bool :=
  a == 0 || (decide (a.log2 + 3 * d ≤ b.log2) && decide (a * 10 ^ d ≤ b))

/-- `scaledLe` decides what it says. -/
theorem scaledLe_iff (a d b : Nat) : scaledLe a d b = true ↔ a * 10 ^ d ≤ b := by
  unfold scaledLe
  by_cases ha : a = 0
  · subst ha; simp
  · have length_le (h : a * 10 ^ d ≤ b) : a.log2 + 3 * d ≤ b.log2 := by
      have h1 : 2 ^ a.log2 * 2 ^ (3 * d) ≤ a * 10 ^ d :=
        Nat.mul_le_mul (Nat.log2_self_le ha) (two_pow_le_ten_pow d)
      rw [← Nat.pow_add] at h1
      have h2 : b < 2 ^ (b.log2 + 1) := Nat.lt_log2_self
      by_cases h3 : b.log2 + 1 ≤ a.log2 + 3 * d
      · have h4 : 2 ^ (b.log2 + 1) ≤ 2 ^ (a.log2 + 3 * d) := Nat.pow_le_pow_right (by decide) h3
        omega
      · omega
    simp only [Bool.or_eq_true, Bool.and_eq_true, beq_iff_eq, decide_eq_true_eq, ha, false_or]
    exact ⟨fun h => h.2, fun h => ⟨length_le h, h⟩⟩

/-- `a * 10 ^ d ≤ b` for integers, decided like `scaledLe`. -/
def scaledLeInt (a : Int) (d : Nat) (b : Int) : Bool :=
  if 0 ≤ a then decide (0 ≤ b) && scaledLe a.toNat d b.toNat
  else decide (0 ≤ b) || !scaledLe (-a).toNat d ((-b).toNat - 1)

/-- `scaledLeInt` decides what it says. -/
theorem scaledLeInt_iff (a : Int) (d : Nat) (b : Int) :
    scaledLeInt a d b = true ↔ a * 10 ^ d ≤ b := by
  have pos : (0 : Int) < 10 ^ d := by rw [← natCast_ten_pow]; have := ten_pow_pos d; omega
  unfold scaledLeInt
  by_cases ha : 0 ≤ a
  · obtain ⟨n, rfl⟩ : ∃ n : Nat, a = n := ⟨a.toNat, by omega⟩
    have e : (n : Int) * 10 ^ d = ((n * 10 ^ d : Nat) : Int) := by
      rw [Int.natCast_mul, natCast_ten_pow]
    have hn : (n : Int).toNat = n := rfl
    rw [if_pos ha, Bool.and_eq_true, decide_eq_true_eq, scaledLe_iff, e, hn]
    omega
  · obtain ⟨n, rfl⟩ : ∃ n : Nat, a = -(n : Int) := ⟨(-a).toNat, by omega⟩
    have e : -(n : Int) * 10 ^ d = -((n * 10 ^ d : Nat) : Int) := by
      rw [Int.neg_mul, Int.natCast_mul, natCast_ten_pow]
    have hn : (-(-(n : Int))).toNat = n := by omega
    have := Nat.mul_pos (show 0 < n by omega) (ten_pow_pos d)
    rw [if_neg ha, Bool.or_eq_true, decide_eq_true_eq, Bool.not_eq_true', ← Bool.not_eq_true,
      scaledLe_iff, e, hn]
    omega

/-! ### Decimals -/

namespace Decimal

instance : Coe Int Decimal := ⟨fun n => ⟨n, 0⟩⟩
instance (n : Nat) : OfNat Decimal n := ⟨⟨n, 0⟩⟩
instance : OfScientific Decimal where
  ofScientific m negExp e := ⟨m, if negExp then -e else e⟩
instance : Neg Decimal := ⟨fun x => ⟨-x.num, x.exp⟩⟩

/-- `x ≤ y` as a Boolean, decided exactly whatever the exponents are. -/
def le (x y : Decimal) : Bool :=
  if y.exp ≤ x.exp then scaledLeInt x.num (x.exp - y.exp).toNat y.num
  else scaledLeInt (-y.num) (y.exp - x.exp).toNat (-x.num)

instance : LE Decimal := ⟨fun x y => x.le y = true⟩
instance : LT Decimal := ⟨fun x y => ¬ y ≤ x⟩
instance (x y : Decimal) : Decidable (x ≤ y) := inferInstanceAs (Decidable (_ = true))
instance (x y : Decimal) : Decidable (x < y) := inferInstanceAs (Decidable (¬ _))

/-- The numerator of `x` over the power of ten `10 ^ e`, for `e` at most the exponent of `x`. -/
def numAt (x : Decimal) (e : Int) : Int := x.num * 10 ^ (x.exp - e).toNat

/-- Over any common power of ten, `x ≤ y` is the order of the numerators. -/
theorem le_iff {x y : Decimal} {e : Int} (hx : e ≤ x.exp) (hy : e ≤ y.exp) :
    x ≤ y ↔ x.numAt e ≤ y.numAt e := by
  show x.le y = true ↔ _
  unfold le numAt
  by_cases h : y.exp ≤ x.exp
  · rw [if_pos h, scaledLeInt_iff,
      show (x.exp - e).toNat = (x.exp - y.exp).toNat + (y.exp - e).toNat by omega,
      int_ten_pow_add, ← Int.mul_assoc, mul_ten_pow_le]
  · rw [if_neg h, scaledLeInt_iff,
      show (y.exp - e).toNat = (y.exp - x.exp).toNat + (x.exp - e).toNat by omega,
      int_ten_pow_add, ← Int.mul_assoc, mul_ten_pow_le, Int.neg_mul]
    omega

/-- Every decimal is at most itself. -/
theorem le_refl (x : Decimal) : x ≤ x :=
  (le_iff (Int.le_refl _) (Int.le_refl _)).2 (Int.le_refl _)

/-- `≤` is transitive. -/
theorem le_trans {x y z : Decimal} (hxy : x ≤ y) (hyz : y ≤ z) : x ≤ z := by
  let e := min x.exp (min y.exp z.exp)
  have hx : e ≤ x.exp := by omega
  have hy : e ≤ y.exp := by omega
  have hz : e ≤ z.exp := by omega
  exact (le_iff hx hz).2 (Int.le_trans ((le_iff hx hy).1 hxy) ((le_iff hy hz).1 hyz))

/-- Of two decimals, one is at most the other. -/
theorem le_total (x y : Decimal) : x ≤ y ∨ y ≤ x := by
  let e := min x.exp y.exp
  have hx : e ≤ x.exp := by omega
  have hy : e ≤ y.exp := by omega
  rw [le_iff hx hy, le_iff hy hx]
  omega

/-- `x ≤ r`, exactly. -/
def leRat (x : Decimal) (r : Rat) : Prop := (⟨x.num * r.den, x.exp⟩ : Decimal) ≤ ⟨r.num, 0⟩

/-- `r ≤ x`, exactly. -/
def geRat (x : Decimal) (r : Rat) : Prop := (⟨r.num, 0⟩ : Decimal) ≤ ⟨x.num * r.den, x.exp⟩

instance (x : Decimal) (r : Rat) : Decidable (x.leRat r) := inferInstanceAs (Decidable (_ ≤ _))
instance (x : Decimal) (r : Rat) : Decidable (x.geRat r) := inferInstanceAs (Decidable (_ ≤ _))

/-- The value as a rational. Computes `10 ^ |exp|`, so look at the exponent first when it comes
from elsewhere; the oracle keeps it within a million unless told otherwise. (That `toFrac`, which the
theorems are about, is the same number is tested, not proved.) -/
def toRat (x : Decimal) : Rat :=
  if 0 ≤ x.exp then mkRat (x.num * 10 ^ x.exp.toNat) 1 else mkRat x.num (10 ^ (-x.exp).toNat)

/-! ### The value -/

/-- The power of ten `10 ^ e`. -/
def tenPow (e : Int) : Frac := .mk (10 ^ e.toNat) (10 ^ (-e).toNat) (ten_pow_pos _)

/-- The value, as a fraction. Computes `10 ^ |exp|`, like `toRat`; comparisons of decimals
do not. -/
def toFrac (x : Decimal) : Frac := .ofInt x.num * tenPow x.exp

instance : Coe Decimal Frac := ⟨toFrac⟩

theorem tenPow_zero : tenPow 0 = 1 := by decide

theorem tenPow_add (d e : Int) : tenPow (d + e) = tenPow d * tenPow e := by
  rw [tenPow, tenPow, tenPow, Frac.mk_mul_mk, Frac.mk_eq, Int.natCast_mul]
  simp only [natCast_ten_pow, ← int_ten_pow_add]
  rw [show (d + e).toNat + ((-d).toNat + (-e).toNat)
    = d.toNat + e.toNat + (-(d + e)).toNat by omega]

theorem tenPow_natCast (n : Nat) : tenPow n = .ofInt (10 ^ n) := by
  rw [tenPow, Frac.ofInt, Frac.mk_eq, natCast_ten_pow]
  simp only [show (-(n : Int)).toNat = 0 by omega, show (n : Int).toNat = n by omega, Int.pow_zero]
  rfl

theorem tenPow_pos (e : Int) : 0 < tenPow e := by
  have h : ¬ (10 : Int) ^ e.toNat ≤ 0 := by
    rw [← natCast_ten_pow]; have := ten_pow_pos e.toNat; omega
  rw [← Frac.not_le, tenPow, Frac.zero_eq _ (ten_pow_pos (-e).toNat), Frac.mk_le_mk_same]
  exact h

theorem toFrac_ofInt (n : Int) : (⟨n, 0⟩ : Decimal).toFrac = .ofInt n := by
  rw [toFrac, tenPow_zero, Frac.mul_one]

/-- The value in units of a smaller power of ten. -/
theorem toFrac_eq_numAt {x : Decimal} {e : Int} (h : e ≤ x.exp) :
    x.toFrac = .ofInt (x.numAt e) * tenPow e := by
  rw [toFrac, numAt, Frac.ofInt_mul, ← tenPow_natCast, Frac.mul_assoc, ← tenPow_add]
  congr 2
  omega

/-- The order of decimals is the order of their values. -/
theorem le_iff_toFrac {x y : Decimal} : x ≤ y ↔ x.toFrac ≤ y.toFrac := by
  have hx : min x.exp y.exp ≤ x.exp := by omega
  have hy : min x.exp y.exp ≤ y.exp := by omega
  rw [le_iff hx hy, toFrac_eq_numAt hx, toFrac_eq_numAt hy,
    Frac.mul_le_mul_iff_right (tenPow_pos _), Frac.ofInt_le]

theorem lt_iff_toFrac {x y : Decimal} : x < y ↔ x.toFrac < y.toFrac := not_congr le_iff_toFrac

private theorem ofInt_den_mul_ofRat (r : Rat) : Frac.ofRat r * .ofInt r.den = .ofInt r.num :=
  Frac.mk_eq.2 <| by
    show r.num * r.den * 1 = r.num * ((r.den * 1 : Nat) : Int)
    rw [Nat.mul_one, Int.mul_one]

private theorem ofInt_den_pos (r : Rat) : 0 < Frac.ofInt r.den := by
  intro h
  have h : (r.den : Int) ≤ 0 := Frac.ofInt_le.1 h
  have := r.den_nz
  omega

private theorem toFrac_mul_ofInt (n e d : Int) :
    (⟨n * d, e⟩ : Decimal).toFrac = (⟨n, e⟩ : Decimal).toFrac * .ofInt d := by
  simp only [toFrac, Frac.ofInt_mul]
  ac_rfl

/-- `leRat` is the order of the values. -/
theorem leRat_iff {x : Decimal} {r : Rat} : x.leRat r ↔ x.toFrac ≤ .ofRat r := by
  rw [leRat, le_iff_toFrac, toFrac_mul_ofInt, toFrac_ofInt, ← ofInt_den_mul_ofRat,
    Frac.mul_le_mul_iff_right (ofInt_den_pos r)]

/-- `geRat` is the order of the values. -/
theorem geRat_iff {x : Decimal} {r : Rat} : x.geRat r ↔ .ofRat r ≤ x.toFrac := by
  rw [geRat, le_iff_toFrac, toFrac_mul_ofInt, toFrac_ofInt, ← ofInt_den_mul_ofRat,
    Frac.mul_le_mul_iff_right (ofInt_den_pos r)]

/-! ### Arithmetic -/

/-- The sum, exactly; in units of the smaller power of ten. -/
instance : Add Decimal where
  add x y := ⟨x.numAt (min x.exp y.exp) + y.numAt (min x.exp y.exp), min x.exp y.exp⟩

/-- The difference, exactly. -/
instance : Sub Decimal := ⟨fun x y => x + -y⟩

/-- The product, exactly. -/
instance : Mul Decimal := ⟨fun x y => ⟨x.num * y.num, x.exp + y.exp⟩⟩

/-- The powers, exactly. -/
protected def pow (x : Decimal) : Nat → Decimal
  | 0 => 1
  | n + 1 => x.pow n * x

instance : Pow Decimal Nat := ⟨Decimal.pow⟩
instance : Min Decimal := ⟨fun x y => if x ≤ y then x else y⟩
instance : Max Decimal := ⟨fun x y => if x ≤ y then y else x⟩

theorem toFrac_zero : toFrac 0 = 0 := toFrac_ofInt 0

theorem toFrac_one : toFrac 1 = 1 := toFrac_ofInt 1

theorem toFrac_neg (x : Decimal) : (-x).toFrac = -x.toFrac := by
  show Frac.ofInt (-x.num) * _ = _
  rw [Frac.ofInt_neg, Frac.neg_mul]; rfl

theorem toFrac_add (x y : Decimal) : (x + y).toFrac = x.toFrac + y.toFrac := by
  have hx : min x.exp y.exp ≤ x.exp := by omega
  have hy : min x.exp y.exp ≤ y.exp := by omega
  rw [toFrac_eq_numAt hx, toFrac_eq_numAt hy, ← Frac.add_mul, ← Frac.ofInt_add]; rfl

theorem toFrac_sub (x y : Decimal) : (x - y).toFrac = x.toFrac - y.toFrac := by
  show (x + -y).toFrac = _
  rw [toFrac_add, toFrac_neg]; rfl

theorem toFrac_mul (x y : Decimal) : (x * y).toFrac = x.toFrac * y.toFrac := by
  show Frac.ofInt (x.num * y.num) * tenPow (x.exp + y.exp) = _
  rw [Frac.ofInt_mul, tenPow_add, toFrac, toFrac]
  ac_rfl

theorem toFrac_pow (x : Decimal) (n : Nat) : (x ^ n).toFrac = x.toFrac ^ n := by
  induction n with
  | zero => exact toFrac_one
  | succ n ih =>
    show (x ^ n * x).toFrac = _
    rw [toFrac_mul, ih]; rfl

theorem toFrac_min (x y : Decimal) : (min x y).toFrac = min x.toFrac y.toFrac := by
  show (if x ≤ y then x else y).toFrac = _
  by_cases h : x ≤ y
  · rw [if_pos h, Frac.min_of_le (le_iff_toFrac.1 h)]
  · rw [if_neg h, Frac.min_of_lt (mt le_iff_toFrac.2 h)]

theorem toFrac_max (x y : Decimal) : (max x y).toFrac = max x.toFrac y.toFrac := by
  show (if x ≤ y then y else x).toFrac = _
  by_cases h : x ≤ y
  · rw [if_pos h, Frac.max_of_le (le_iff_toFrac.1 h)]
  · rw [if_neg h, Frac.max_of_lt (mt le_iff_toFrac.2 h)]

/-! ### Rounding -/

/-- The greatest multiple of `10 ^ e` that is at most `x`; `x` itself when it is such a multiple by
its exponent. -/
def floorTo (e : Int) (x : Decimal) : Decimal :=
  if e ≤ x.exp then x else ⟨x.num / 10 ^ (e - x.exp).toNat, e⟩

/-- The least multiple of `10 ^ e` that is at least `x`. -/
def ceilTo (e : Int) (x : Decimal) : Decimal := -(floorTo e (-x))

private theorem ediv_mul_le (a : Int) {b : Int} (h : 0 < b) : a / b * b ≤ a := by
  have := Int.emod_nonneg a (show b ≠ 0 by omega)
  rw [Int.emod_def, Int.mul_comm] at this
  omega

theorem floorTo_le (e : Int) (x : Decimal) : (floorTo e x).toFrac ≤ x.toFrac := by
  unfold floorTo
  by_cases h : e ≤ x.exp
  · rw [if_pos h]; exact Frac.le_refl _
  · have pos : (0 : Int) < 10 ^ (e - x.exp).toNat := by
      rw [← natCast_ten_pow]; have := ten_pow_pos (e - x.exp).toNat; omega
    rw [if_neg h, ← le_iff_toFrac, le_iff (e := x.exp) (by show x.exp ≤ e; omega) (Int.le_refl _)]
    show x.num / _ * _ ≤ x.num * 10 ^ (x.exp - x.exp).toNat
    rw [show (x.exp - x.exp).toNat = 0 by omega, Int.pow_zero, Int.mul_one]
    exact ediv_mul_le x.num pos

theorem le_ceilTo (e : Int) (x : Decimal) : x.toFrac ≤ (ceilTo e x).toFrac := by
  have := floorTo_le e (-x)
  rw [toFrac_neg] at this
  rw [ceilTo, toFrac_neg, ← Frac.neg_le_neg_iff, Frac.neg_neg]
  exact this

/-- The greatest multiple of `10 ^ (-k - x.exp)` that is at most `1 / x`, for positive `x`. -/
def invFloor (k : Nat) (x : Decimal) : Decimal := ⟨10 ^ k / x.num, -k - x.exp⟩

/-- The least multiple of `10 ^ (-k - x.exp)` that is at least `1 / x`, for positive `x`. -/
def invCeil (k : Nat) (x : Decimal) : Decimal := ⟨-(-10 ^ k / x.num), -k - x.exp⟩

private theorem num_pos {x : Decimal} (h : 0 < x.toFrac) : 0 < x.num := by
  refine Decidable.byContradiction fun n => h ?_
  have := (Frac.mul_le_mul_iff_right (tenPow_pos x.exp)).2
    (Frac.ofInt_le.2 (show x.num ≤ 0 by omega))
  rw [show Frac.ofInt 0 = 0 from rfl, Frac.zero_mul] at this
  exact this

private theorem toFrac_mul_eq (q : Int) (k : Nat) (x : Decimal) :
    (⟨q, -k - x.exp⟩ : Decimal).toFrac * x.toFrac = .ofInt (q * x.num) * tenPow (-k) := by
  rw [← toFrac_mul]
  show Frac.ofInt _ * tenPow (-k - x.exp + x.exp) = _
  rw [show -(k : Int) - x.exp + x.exp = -k by omega]
  rfl

private theorem one_eq_tenPow (k : Nat) : 1 = Frac.ofInt (10 ^ k) * tenPow (-k) := by
  rw [← tenPow_natCast, ← tenPow_add, Int.add_right_neg, tenPow_zero]

theorem invFloor_le (k : Nat) {x : Decimal} (h : 0 < x.toFrac) :
    (invFloor k x).toFrac ≤ x.toFrac.inv := by
  rw [Frac.le_inv_iff h, invFloor, toFrac_mul_eq, one_eq_tenPow k,
    Frac.mul_le_mul_iff_right (tenPow_pos _), Frac.ofInt_le]
  exact ediv_mul_le _ (num_pos h)

theorem le_invCeil (k : Nat) {x : Decimal} (h : 0 < x.toFrac) :
    x.toFrac.inv ≤ (invCeil k x).toFrac := by
  rw [Frac.inv_le_iff h, invCeil, toFrac_mul_eq, one_eq_tenPow k,
    Frac.mul_le_mul_iff_right (tenPow_pos _), Frac.ofInt_le, Int.neg_mul]
  have := ediv_mul_le (-10 ^ k) (num_pos h)
  omega

/-- The number of decimal digits of `n`, or one less (not proved, and needed for no bound: it only
says how far to round). -/
def digitCount (n : Nat) : Nat := n.log2 * 30103 / 100000 + 1

end Decimal

end LeanOracle
