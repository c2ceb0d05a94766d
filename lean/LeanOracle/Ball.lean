/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/

/-!
# Exact decimal balls

The oracle answers with three integers `mid rad exp`, which stand for the interval from
`(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`. This file gives its ends exactly, as decimals
(an integer times a power of ten) and as rationals, and decides every comparison exactly.

## Implementation notes

Two decimals are compared by bringing them to the same exponent, but the power of ten is computed
only when it cannot be much longer than the numerators: otherwise their binary lengths already
decide. So comparisons are cheap whatever the exponents are. `Decimal.le_iff` states that this is
the comparison of the values. Only `toRat` and `toRatBounds` really compute `10 ^ |exp|`.
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

instance : ToString Decimal where
  toString x := s!"{x.num}e{x.exp}"

instance : Coe Int Decimal := ⟨fun n => ⟨n, 0⟩⟩
instance (n : Nat) : OfNat Decimal n := ⟨⟨n, 0⟩⟩
instance : OfScientific Decimal where
  ofScientific m negExp e := ⟨m, if negExp then -e else e⟩
instance : Neg Decimal := ⟨fun x => ⟨-x.num, x.exp⟩⟩

/-- Reads `-12`, `0.5`, `1.25e-7` exactly; `none` when the text has another form. -/
def ofString? (s : String) : Option Decimal :=
  let (neg, chars) := match s.toList with
    | '-' :: cs => (true, cs)
    | cs => (false, cs)
  go neg 0 0 false false chars
where
  /-- `m` is the number read so far without its point, `frac` the digits after the point. -/
  go (neg : Bool) (m frac : Nat) (digits point : Bool) : List Char → Option Decimal
    | [] => if digits then some (mk neg m frac 0) else none
    | c :: cs =>
      if c.isDigit then
        go neg (10 * m + (c.toNat - '0'.toNat)) (if point then frac + 1 else frac) true point cs
      else if c == '.' && !point then go neg m frac digits true cs
      else if (c == 'e' || c == 'E') && digits then
        match cs with
        | '-' :: cs => (nat? cs).map fun e => mk neg m frac (-e)
        | '+' :: cs => (nat? cs).map fun e => mk neg m frac e
        | cs => (nat? cs).map fun e => mk neg m frac e
      else none
  mk (neg : Bool) (m frac : Nat) (e : Int) : Decimal := ⟨if neg then -m else m, e - frac⟩
  nat? (cs : List Char) : Option Nat :=
    if !cs.isEmpty && cs.all Char.isDigit then
      some (cs.foldl (fun n c => 10 * n + (c.toNat - '0'.toNat)) 0)
    else none

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
from elsewhere; the oracle keeps it within a million unless told otherwise. -/
def toRat (x : Decimal) : Rat :=
  if 0 ≤ x.exp then mkRat (x.num * 10 ^ x.exp.toNat) 1 else mkRat x.num (10 ^ (-x.exp).toNat)

end Decimal

/-! ### Balls -/

/-- The interval from `(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`, both ends included. -/
structure MidRad10Exp where
  /-- The midpoint, in units of `10 ^ exp`. -/
  mid : Int
  /-- The radius, in units of `10 ^ exp`. The oracle's answers have `0 ≤ rad`. -/
  rad : Int
  /-- The exponent of ten. -/
  exp : Int
  deriving Repr, Inhabited, DecidableEq

namespace MidRad10Exp

instance : ToString MidRad10Exp where
  toString b := s!"({b.mid} ± {b.rad})e{b.exp}"

/-- The lower end, exactly. -/
def lo (b : MidRad10Exp) : Decimal := ⟨b.mid - b.rad, b.exp⟩

/-- The upper end, exactly. -/
def hi (b : MidRad10Exp) : Decimal := ⟨b.mid + b.rad, b.exp⟩

/-- Upper end minus lower end, exactly. -/
def width (b : MidRad10Exp) : Decimal := ⟨2 * b.rad, b.exp⟩

/-- `x` lies in the ball. -/
def contains (b : MidRad10Exp) (x : Decimal) : Prop := b.lo ≤ x ∧ x ≤ b.hi

/-- The rational `r` lies in the ball. -/
def containsRat (b : MidRad10Exp) (r : Rat) : Prop := b.lo.leRat r ∧ b.hi.geRat r

/-- Both ends of `a` lie between those of `b`. -/
def subset (a b : MidRad10Exp) : Prop := b.lo ≤ a.lo ∧ a.hi ≤ b.hi

/-- Every number of `a` is at most every number of `b`. -/
def certainlyLe (a b : MidRad10Exp) : Prop := a.hi ≤ b.lo

/-- Every number of `a` is less than every number of `b`. -/
def certainlyLt (a b : MidRad10Exp) : Prop := a.hi < b.lo

instance (b : MidRad10Exp) (x : Decimal) : Decidable (b.contains x) :=
  inferInstanceAs (Decidable (_ ∧ _))
instance (b : MidRad10Exp) (r : Rat) : Decidable (b.containsRat r) :=
  inferInstanceAs (Decidable (_ ∧ _))
instance (a b : MidRad10Exp) : Decidable (a.subset b) := inferInstanceAs (Decidable (_ ∧ _))
instance (a b : MidRad10Exp) : Decidable (a.certainlyLe b) := inferInstanceAs (Decidable (_ ≤ _))
instance (a b : MidRad10Exp) : Decidable (a.certainlyLt b) := inferInstanceAs (Decidable (_ < _))

/-- A ball is not empty: its ends are in order. -/
theorem lo_le_hi (b : MidRad10Exp) (h : 0 ≤ b.rad) : b.lo ≤ b.hi := by
  rw [Decimal.le_iff (Int.le_refl b.exp) (Int.le_refl b.exp)]
  show (b.mid - b.rad) * 10 ^ (b.exp - b.exp).toNat ≤ (b.mid + b.rad) * 10 ^ (b.exp - b.exp).toNat
  rw [mul_ten_pow_le]
  omega

/-- What lies in a ball lies in every ball around it. -/
theorem contains_of_subset {a b : MidRad10Exp} {x : Decimal} (hx : a.contains x)
    (h : a.subset b) : b.contains x :=
  ⟨Decimal.le_trans h.1 hx.1, Decimal.le_trans hx.2 h.2⟩

/-- `certainlyLe` means what it says. -/
theorem le_of_certainlyLe {a b : MidRad10Exp} {x y : Decimal} (h : a.certainlyLe b)
    (hx : a.contains x) (hy : b.contains y) : x ≤ y :=
  Decimal.le_trans hx.2 (Decimal.le_trans h hy.1)

/-- The ends as rationals: `((mid - rad) * 10 ^ exp, (mid + rad) * 10 ^ exp)`. Computes
`10 ^ |exp|`; see `toRatBounds?` for a ball whose exponent may be anything. -/
def toRatBounds (b : MidRad10Exp) : Rat × Rat := (b.lo.toRat, b.hi.toRat)

/-- `toRatBounds`, or `none` when `|exp|` is beyond `limit`. -/
def toRatBounds? (b : MidRad10Exp) (limit : Nat := 1000000) : Option (Rat × Rat) :=
  if b.exp.natAbs ≤ limit then some b.toRatBounds else none

end MidRad10Exp

end LeanOracle
