/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball.Basic

/-!
# Arithmetic of balls

Each operation on balls encloses the operation on their members: `x ∈ a` and `y ∈ b` imply
`x + y ∈ a + b`, and so on (Moore, *Interval Analysis*, 1966). Every operation is computed on the
ends, and `ofEnds` makes a ball of the resulting ends without rounding. So all results are exact
images of the ends, and the tightest balls possible, but for two: a reciprocal is rounded outward to
a number of digits that the caller chooses, and so is what `round` gives. Numbers grow without it.

The results are well-formed when the operands are. No separate proof is needed for that: a
well-formed ball has a member, hence the result has one (`wellFormed_of_mem`).
-/

namespace LeanOracle.MidRad10Exp

open Decimal

/-! ### Balls from their ends -/

/-- The ball from `l * 10 ^ e` to `h * 10 ^ e`, exactly. When the midpoint needs one more digit, the
exponent is one less. -/
def ofNums (l h e : Int) : MidRad10Exp :=
  if (l + h) % 2 = 0 then ⟨(l + h) / 2, (h - l) / 2, e⟩ else ⟨5 * (l + h), 5 * (h - l), e - 1⟩

/-- The ball from `lo` to `hi`, exactly. -/
def ofEnds (lo hi : Decimal) : MidRad10Exp :=
  ofNums (lo.numAt (min lo.exp hi.exp)) (hi.numAt (min lo.exp hi.exp)) (min lo.exp hi.exp)

private theorem toFrac_pred_exp (n e : Int) :
    (⟨n * 10, e - 1⟩ : Decimal).toFrac = .ofInt n * tenPow e := by
  have h := tenPow_add (1 : Nat) (e - 1)
  rw [show ((1 : Nat) : Int) + (e - 1) = e by omega, tenPow_natCast] at h
  rw [toFrac, Frac.ofInt_mul, h, Frac.mul_assoc]
  rfl

private theorem ends_ofNums (l h e : Int) :
    (ofNums l h e).lo.toFrac = .ofInt l * tenPow e
      ∧ (ofNums l h e).hi.toFrac = .ofInt h * tenPow e := by
  unfold ofNums
  by_cases p : (l + h) % 2 = 0
  · rw [if_pos p]
    simp only [MidRad10Exp.lo, MidRad10Exp.hi, toFrac,
      show (l + h) / 2 - (h - l) / 2 = l by omega, show (l + h) / 2 + (h - l) / 2 = h by omega,
      and_self]
  · rw [if_neg p, ← toFrac_pred_exp, ← toFrac_pred_exp]
    simp only [MidRad10Exp.lo, MidRad10Exp.hi,
      show 5 * (l + h) - 5 * (h - l) = l * 10 by omega,
      show 5 * (l + h) + 5 * (h - l) = h * 10 by omega, and_self]

theorem lo_ofEnds (lo hi : Decimal) : (ofEnds lo hi).lo.toFrac = lo.toFrac := by
  rw [toFrac_eq_numAt (x := lo) (e := min lo.exp hi.exp) (by omega)]
  exact (ends_ofNums ..).1

theorem hi_ofEnds (lo hi : Decimal) : (ofEnds lo hi).hi.toFrac = hi.toFrac := by
  rw [toFrac_eq_numAt (x := hi) (e := min lo.exp hi.exp) (by omega)]
  exact (ends_ofNums ..).2

/-- `ofEnds lo hi` is the interval from `lo` to `hi`. -/
theorem mem_ofEnds {lo hi : Decimal} {x : Frac} :
    x ∈ ofEnds lo hi ↔ lo.toFrac ≤ x ∧ x ≤ hi.toFrac := by
  rw [mem_iff, lo_ofEnds, hi_ofEnds]

/-- The ball that contains one decimal. -/
def ofDecimal (x : Decimal) : MidRad10Exp := ⟨x.num, 0, x.exp⟩

instance : Coe Decimal MidRad10Exp := ⟨ofDecimal⟩
instance (n : Nat) : OfNat MidRad10Exp n := ⟨⟨n, 0, 0⟩⟩

theorem mem_ofDecimal {x : Decimal} {y : Frac} : y ∈ ofDecimal x ↔ y = x.toFrac := by
  have l : (ofDecimal x).lo = x := by
    simp only [ofDecimal, lo, show x.num - 0 = x.num by omega]
  have h : (ofDecimal x).hi = x := by
    simp only [ofDecimal, hi, show x.num + 0 = x.num by omega]
  rw [mem_iff, l, h]
  exact ⟨fun ⟨a, b⟩ => Frac.le_antisymm b a, fun e => ⟨Frac.le_of_eq e.symm, Frac.le_of_eq e⟩⟩

theorem ofInt_mem (n : Int) : Frac.ofInt n ∈ (⟨n, 0, 0⟩ : MidRad10Exp) :=
  mem_ofDecimal (x := ⟨n, 0⟩).2 (toFrac_ofInt n).symm

theorem zero_mem : (0 : Frac) ∈ (0 : MidRad10Exp) := ofInt_mem 0

/-! ### Sums -/

instance : Neg MidRad10Exp := ⟨fun a => ⟨-a.mid, a.rad, a.exp⟩⟩

/-- The sum, in units of the smaller power of ten. -/
instance : Add MidRad10Exp where
  add a b :=
    let e := min a.exp b.exp
    ⟨numAt ⟨a.mid, a.exp⟩ e + numAt ⟨b.mid, b.exp⟩ e,
      numAt ⟨a.rad, a.exp⟩ e + numAt ⟨b.rad, b.exp⟩ e, e⟩

instance : Sub MidRad10Exp := ⟨fun a b => a + -b⟩

theorem lo_neg (a : MidRad10Exp) : (-a).lo = -a.hi := by
  show (⟨-a.mid - a.rad, a.exp⟩ : Decimal) = ⟨-(a.mid + a.rad), a.exp⟩
  rw [show -a.mid - a.rad = -(a.mid + a.rad) by omega]

theorem hi_neg (a : MidRad10Exp) : (-a).hi = -a.lo := by
  show (⟨-a.mid + a.rad, a.exp⟩ : Decimal) = ⟨-(a.mid - a.rad), a.exp⟩
  rw [show -a.mid + a.rad = -(a.mid - a.rad) by omega]

/-- The lower end of a sum is the sum of the lower ends. -/
theorem lo_add (a b : MidRad10Exp) : (a + b).lo = a.lo + b.lo := by
  show (⟨_ + _ - (_ + _), _⟩ : Decimal) = ⟨(a.mid - a.rad) * _ + (b.mid - b.rad) * _, _⟩
  congr 1
  simp only [numAt, Int.sub_mul, MidRad10Exp.lo]
  omega

/-- The upper end of a sum is the sum of the upper ends. -/
theorem hi_add (a b : MidRad10Exp) : (a + b).hi = a.hi + b.hi := by
  show (⟨_ + _ + (_ + _), _⟩ : Decimal) = ⟨(a.mid + a.rad) * _ + (b.mid + b.rad) * _, _⟩
  congr 1
  simp only [numAt, Int.add_mul, MidRad10Exp.hi]
  omega

theorem mem_neg {a : MidRad10Exp} {x : Frac} (hx : x ∈ a) : -x ∈ -a := by
  rw [mem_iff, lo_neg, hi_neg, toFrac_neg, toFrac_neg]
  exact ⟨Frac.neg_le_neg hx.2, Frac.neg_le_neg hx.1⟩

theorem mem_add {a b : MidRad10Exp} {x y : Frac} (hx : x ∈ a) (hy : y ∈ b) : x + y ∈ a + b := by
  rw [mem_iff, lo_add, hi_add, toFrac_add, toFrac_add]
  exact ⟨Frac.add_le_add hx.1 hy.1, Frac.add_le_add hx.2 hy.2⟩

/-- The sum is exact: it has no other members. -/
theorem mem_add_iff {a b : MidRad10Exp} (ha : a.WellFormed) (hb : b.WellFormed) {z : Frac} :
    z ∈ a + b ↔ ∃ x y : Frac, x ∈ a ∧ y ∈ b ∧ z = x + y := by
  refine ⟨fun h => ?_, fun ⟨x, y, hx, hy, e⟩ => e ▸ mem_add hx hy⟩
  rw [mem_iff, lo_add, hi_add, toFrac_add, toFrac_add] at h
  refine ⟨max a.lo.toFrac (z - b.hi), z - max a.lo.toFrac (z - b.hi), ⟨Frac.le_max_left .., ?_⟩,
    ⟨?_, ?_⟩, by rw [Frac.add_comm, Frac.sub_add_cancel]⟩
  · exact Frac.max_le ha.lo_le_hi (Frac.sub_le_iff.2 h.2)
  · rw [Frac.le_sub_iff, Frac.add_comm, ← Frac.le_sub_iff]
    exact Frac.max_le (Frac.le_sub_iff.2 h.1) (Frac.sub_le_sub (Frac.le_refl z) hb.lo_le_hi)
  · rw [Frac.sub_le_iff, Frac.add_comm, ← Frac.sub_le_iff]
    exact Frac.le_max_right ..

theorem mem_sub {a b : MidRad10Exp} {x y : Frac} (hx : x ∈ a) (hy : y ∈ b) : x - y ∈ a - b :=
  mem_add hx (mem_neg hy)

/-! ### Products -/

/-- The interval between the least and the greatest product of two ends. -/
instance : Mul MidRad10Exp where
  mul a b :=
    let ll := a.lo * b.lo
    let lh := a.lo * b.hi
    let hl := a.hi * b.lo
    let hh := a.hi * b.hi
    ofEnds (min (min ll lh) (min hl hh)) (max (max ll lh) (max hl hh))

/-- A product lies between its values at the ends of the first factor. -/
private theorem mul_between {a b x : Frac} (y : Frac) (h : a ≤ x) (k : x ≤ b) :
    (a * y ≤ x * y ∧ x * y ≤ b * y) ∨ (b * y ≤ x * y ∧ x * y ≤ a * y) :=
  (Frac.le_total 0 y).imp
    (fun hy => ⟨Frac.mul_le_mul_of_nonneg_right h hy, Frac.mul_le_mul_of_nonneg_right k hy⟩)
    fun hy => ⟨Frac.mul_le_mul_of_nonpos_right k hy, Frac.mul_le_mul_of_nonpos_right h hy⟩

/-- What bounds the products of the ends bounds all products. -/
private theorem mul_mem_of_ends {a b c d x y l h : Frac} (hx : a ≤ x ∧ x ≤ b) (hy : c ≤ y ∧ y ≤ d)
    (hac : l ≤ a * c ∧ a * c ≤ h) (had : l ≤ a * d ∧ a * d ≤ h) (hbc : l ≤ b * c ∧ b * c ≤ h)
    (hbd : l ≤ b * d ∧ b * d ≤ h) : l ≤ x * y ∧ x * y ≤ h := by
  have between {p q r : Frac} (hp : l ≤ p ∧ p ≤ h) (hq : l ≤ q ∧ q ≤ h)
      (hr : (p ≤ r ∧ r ≤ q) ∨ (q ≤ r ∧ r ≤ p)) : l ≤ r ∧ r ≤ h :=
    hr.elim (fun hr => ⟨Frac.le_trans hp.1 hr.1, Frac.le_trans hr.2 hq.2⟩)
      fun hr => ⟨Frac.le_trans hq.1 hr.1, Frac.le_trans hr.2 hp.2⟩
  have second (u : Frac) (huc : l ≤ u * c ∧ u * c ≤ h) (hud : l ≤ u * d ∧ u * d ≤ h) :
      l ≤ u * y ∧ u * y ≤ h :=
    between huc hud (by rw [Frac.mul_comm u, Frac.mul_comm u, Frac.mul_comm u];
                        exact mul_between u hy.1 hy.2)
  exact between (second a hac had) (second b hbc hbd) (mul_between y hx.1 hx.2)

theorem mem_mul {a b : MidRad10Exp} {x y : Frac} (hx : x ∈ a) (hy : y ∈ b) : x * y ∈ a * b := by
  refine mem_ofEnds.2 ?_
  simp only [toFrac_min, toFrac_max, toFrac_mul]
  refine mul_mem_of_ends hx hy ?_ ?_ ?_ ?_
  · exact ⟨Frac.le_trans (Frac.min_le_left ..) (Frac.min_le_left ..),
      Frac.le_trans (Frac.le_max_left ..) (Frac.le_max_left ..)⟩
  · exact ⟨Frac.le_trans (Frac.min_le_left ..) (Frac.min_le_right ..),
      Frac.le_trans (Frac.le_max_right ..) (Frac.le_max_left ..)⟩
  · exact ⟨Frac.le_trans (Frac.min_le_right ..) (Frac.min_le_left ..),
      Frac.le_trans (Frac.le_max_left ..) (Frac.le_max_right ..)⟩
  · exact ⟨Frac.le_trans (Frac.min_le_right ..) (Frac.min_le_right ..),
      Frac.le_trans (Frac.le_max_right ..) (Frac.le_max_right ..)⟩

/-- The ball times `10 ^ k`, exactly. -/
def scale (k : Int) (a : MidRad10Exp) : MidRad10Exp := ⟨a.mid, a.rad, a.exp + k⟩

theorem mem_scale {a : MidRad10Exp} {x : Frac} (k : Int) (hx : x ∈ a) :
    x * tenPow k ∈ a.scale k := by
  have h (n : Int) :
      (⟨n, a.exp + k⟩ : Decimal).toFrac = (⟨n, a.exp⟩ : Decimal).toFrac * tenPow k := by
    rw [toFrac, tenPow_add, toFrac, Frac.mul_assoc]
  have pos := Frac.le_of_lt (tenPow_pos k)
  exact ⟨h _ ▸ Frac.mul_le_mul_of_nonneg_right hx.1 pos,
    h _ ▸ Frac.mul_le_mul_of_nonneg_right hx.2 pos⟩

/-! ### Maximum, minimum, absolute value -/

/-- The larger of two members. -/
instance : Max MidRad10Exp := ⟨fun a b => ofEnds (max a.lo b.lo) (max a.hi b.hi)⟩

/-- The smaller of two members. -/
instance : Min MidRad10Exp := ⟨fun a b => ofEnds (min a.lo b.lo) (min a.hi b.hi)⟩

theorem mem_max {a b : MidRad10Exp} {x y : Frac} (hx : x ∈ a) (hy : y ∈ b) :
    max x y ∈ max a b := by
  refine mem_ofEnds.2 ?_
  rw [toFrac_max, toFrac_max]
  exact ⟨Frac.max_le (Frac.le_trans hx.1 (Frac.le_max_left x y))
      (Frac.le_trans hy.1 (Frac.le_max_right x y)),
    Frac.max_le (Frac.le_trans hx.2 (Frac.le_max_left ..))
      (Frac.le_trans hy.2 (Frac.le_max_right ..))⟩

theorem mem_min {a b : MidRad10Exp} {x y : Frac} (hx : x ∈ a) (hy : y ∈ b) :
    min x y ∈ min a b := by
  refine mem_ofEnds.2 ?_
  rw [toFrac_min, toFrac_min]
  exact ⟨Frac.le_min (Frac.le_trans (Frac.min_le_left ..) hx.1)
      (Frac.le_trans (Frac.min_le_right ..) hy.1),
    Frac.le_min (Frac.le_trans (Frac.min_le_left x y) hx.2)
      (Frac.le_trans (Frac.min_le_right x y) hy.2)⟩

/-- The absolute values of the members. -/
def abs (a : MidRad10Exp) : MidRad10Exp := ofEnds (max 0 (max a.lo (-a.hi))) (max (-a.lo) a.hi)

theorem mem_abs {a : MidRad10Exp} {x : Frac} (hx : x ∈ a) : x.abs ∈ a.abs := by
  refine mem_ofEnds.2 ?_
  simp only [toFrac_max, toFrac_neg, toFrac_zero]
  exact ⟨Frac.max_le (Frac.abs_nonneg x) (Frac.max_le (Frac.le_trans hx.1 (Frac.le_abs x))
      (Frac.le_trans (Frac.neg_le_neg hx.2) (Frac.neg_le_abs x))),
    Frac.abs_le (Frac.le_trans hx.2 (Frac.le_max_right ..))
      (Frac.le_trans (Frac.neg_le_neg hx.1) (Frac.le_max_left ..))⟩

/-- `abs` has no negative member. -/
theorem nonneg_of_mem_abs {a : MidRad10Exp} {x : Frac} (hx : x ∈ a.abs) : 0 ≤ x := by
  refine Frac.le_trans ?_ (mem_ofEnds.1 hx).1
  rw [toFrac_max, toFrac_zero]
  exact Frac.le_max_left ..

/-! ### Powers -/

/-- Powers: the interval between the powers of the ends; for even exponents, of the absolute
values. So `x ^ 2` of a ball around zero has no negative member. -/
protected def pow (a : MidRad10Exp) (n : Nat) : MidRad10Exp :=
  if n % 2 = 0 then ofEnds (a.abs.lo ^ n) (a.abs.hi ^ n) else ofEnds (a.lo ^ n) (a.hi ^ n)

instance : Pow MidRad10Exp Nat := ⟨MidRad10Exp.pow⟩

theorem mem_pow {a : MidRad10Exp} {x : Frac} (hx : x ∈ a) (n : Nat) : x ^ n ∈ a ^ n := by
  show x ^ n ∈ MidRad10Exp.pow a n
  unfold MidRad10Exp.pow
  by_cases p : n % 2 = 0
  · rw [if_pos p, mem_ofEnds, toFrac_pow, toFrac_pow]
    have h := mem_abs hx
    rw [← Frac.abs_pow_even x n p]
    exact ⟨Frac.pow_le_pow_left (nonneg_of_mem_abs (wellFormed_of_mem h).lo_mem) h.1 n,
      Frac.pow_le_pow_left (nonneg_of_mem_abs h) h.2 n⟩
  · rw [if_neg p, mem_ofEnds, toFrac_pow, toFrac_pow]
    exact ⟨Frac.pow_le_pow_odd hx.1 (by omega), Frac.pow_le_pow_odd hx.2 (by omega)⟩

/-! ### Quotients -/

/-- The reciprocals of the members of a ball of positive numbers, each end rounded outward to
`digits` digits or a few more. -/
private def invPos (digits : Nat) (a : MidRad10Exp) : MidRad10Exp :=
  ofEnds (invFloor (digits + digitCount a.hi.num.natAbs) a.hi)
    (invCeil (digits + digitCount a.lo.num.natAbs) a.lo)

private theorem mem_invPos {a : MidRad10Exp} {x : Frac} (digits : Nat) (ha : 0 < a.lo.toFrac)
    (hx : x ∈ a) : x.inv ∈ invPos digits a := by
  have pos : 0 < x := Frac.lt_of_lt_of_le ha hx.1
  refine mem_ofEnds.2 ⟨Frac.le_trans (invFloor_le _ (Frac.lt_of_lt_of_le pos hx.2)) ?_,
    Frac.le_trans ?_ (le_invCeil _ ha)⟩
  · exact Frac.inv_le_inv pos hx.2
  · exact Frac.inv_le_inv ha hx.1

/-- The reciprocals, each end rounded outward to `digits` digits or a few more; `none` when the ball
contains zero. -/
def inv? (digits : Nat) (a : MidRad10Exp) : Option MidRad10Exp :=
  if 0 < a.lo then some (invPos digits a)
  else if a.hi < 0 then some (-invPos digits (-a))
  else none

theorem mem_inv? {a b : MidRad10Exp} {x : Frac} {digits : Nat} (h : a.inv? digits = some b)
    (hx : x ∈ a) : x.inv ∈ b := by
  unfold inv? at h
  by_cases hl : 0 < a.lo
  · rw [if_pos hl] at h
    exact Option.some.inj h ▸ mem_invPos digits (toFrac_zero ▸ lt_iff_toFrac.1 hl) hx
  rw [if_neg hl] at h
  by_cases hh : a.hi < 0
  · rw [if_pos hh] at h
    have pos : 0 < (-a).lo.toFrac := by
      rw [lo_neg, toFrac_neg]
      intro k
      have hh := toFrac_zero ▸ lt_iff_toFrac.1 hh
      exact hh (Frac.neg_le_neg_iff.1 k)
    have := mem_neg (mem_invPos digits pos (mem_neg hx))
    rw [Frac.inv_neg, Frac.neg_neg] at this
    exact Option.some.inj h ▸ this
  · rw [if_neg hh] at h
    exact absurd h (by simp)

/-- What has a reciprocal does not contain zero. -/
theorem ne_zero_of_inv? {a b : MidRad10Exp} {x : Frac} {digits : Nat} (h : a.inv? digits = some b)
    (hx : x ∈ a) : x ≠ 0 := by
  intro e
  unfold inv? at h
  by_cases hl : 0 < a.lo
  · exact (toFrac_zero ▸ lt_iff_toFrac.1 hl) (e ▸ hx.1)
  rw [if_neg hl] at h
  by_cases hh : a.hi < 0
  · exact (toFrac_zero ▸ lt_iff_toFrac.1 hh) (e ▸ hx.2)
  · rw [if_neg hh] at h
    exact absurd h (by simp)

/-- The quotients, with the reciprocals rounded as in `inv?`; `none` when `b` contains zero. -/
def div? (digits : Nat) (a b : MidRad10Exp) : Option MidRad10Exp := (b.inv? digits).map (a * ·)

theorem mem_div? {a b c : MidRad10Exp} {x y : Frac} {digits : Nat} (h : div? digits a b = some c)
    (hx : x ∈ a) (hy : y ∈ b) : x / y ∈ c := by
  unfold div? at h
  cases hb : b.inv? digits with
  | none => rw [hb] at h; exact absurd h (by simp)
  | some d =>
    rw [hb] at h
    exact Option.some.inj h ▸ mem_mul hx (mem_inv? hb hy)

/-! ### Union, intersection, rounding -/

/-- The smallest ball around two. -/
def hull (a b : MidRad10Exp) : MidRad10Exp := ofEnds (min a.lo b.lo) (max a.hi b.hi)

theorem mem_hull_left {a : MidRad10Exp} {x : Frac} (b : MidRad10Exp) (hx : x ∈ a) :
    x ∈ a.hull b := by
  refine mem_ofEnds.2 ?_
  rw [toFrac_min, toFrac_max]
  exact ⟨Frac.le_trans (Frac.min_le_left ..) hx.1, Frac.le_trans hx.2 (Frac.le_max_left ..)⟩

theorem mem_hull_right {b : MidRad10Exp} {x : Frac} (a : MidRad10Exp) (hx : x ∈ b) :
    x ∈ a.hull b := by
  refine mem_ofEnds.2 ?_
  rw [toFrac_min, toFrac_max]
  exact ⟨Frac.le_trans (Frac.min_le_right ..) hx.1, Frac.le_trans hx.2 (Frac.le_max_right ..)⟩

/-- What two balls have in common; `none` when that is nothing. -/
def inter? (a b : MidRad10Exp) : Option MidRad10Exp :=
  if max a.lo b.lo ≤ min a.hi b.hi then some (ofEnds (max a.lo b.lo) (min a.hi b.hi)) else none

private theorem mem_both {a b : MidRad10Exp} {x : Frac} : (x ∈ a ∧ x ∈ b) ↔
    (max a.lo b.lo).toFrac ≤ x ∧ x ≤ (min a.hi b.hi).toFrac := by
  rw [toFrac_max, toFrac_min]
  exact ⟨fun ⟨ha, hb⟩ => ⟨Frac.max_le ha.1 hb.1, Frac.le_min ha.2 hb.2⟩, fun ⟨h, k⟩ =>
    ⟨⟨Frac.le_trans (Frac.le_max_left ..) h, Frac.le_trans k (Frac.min_le_left ..)⟩,
      Frac.le_trans (Frac.le_max_right ..) h, Frac.le_trans k (Frac.min_le_right ..)⟩⟩

/-- The members of the intersection are the common members. -/
theorem mem_inter? {a b c : MidRad10Exp} {x : Frac} (h : a.inter? b = some c) :
    x ∈ c ↔ x ∈ a ∧ x ∈ b := by
  unfold inter? at h
  by_cases k : max a.lo b.lo ≤ min a.hi b.hi
  · rw [if_pos k] at h
    rw [mem_both, ← Option.some.inj h, mem_ofEnds]
  · rw [if_neg k] at h
    exact absurd h (by simp)

/-- When there is no intersection, there are no common members. -/
theorem not_mem_of_inter? {a b : MidRad10Exp} {x : Frac} (h : a.inter? b = none) :
    ¬ (x ∈ a ∧ x ∈ b) := by
  intro hx
  have hx := mem_both.1 hx
  unfold inter? at h
  rw [if_pos (le_iff_toFrac.2 (Frac.le_trans hx.1 hx.2))] at h
  exact absurd h (by simp)

/-- The ball with its ends rounded outward to multiples of `10 ^ e`. -/
def roundTo (e : Int) (a : MidRad10Exp) : MidRad10Exp := ofEnds (a.lo.floorTo e) (a.hi.ceilTo e)

theorem mem_roundTo {a : MidRad10Exp} {x : Frac} (e : Int) (hx : x ∈ a) : x ∈ a.roundTo e :=
  mem_ofEnds.2 ⟨Frac.le_trans (floorTo_le ..) hx.1, Frac.le_trans hx.2 (le_ceilTo ..)⟩

/-- The ball with its ends rounded outward, so that about `digits` digits of the larger one are
left. -/
def round (digits : Nat) (a : MidRad10Exp) : MidRad10Exp :=
  a.roundTo (a.exp + (digitCount (a.mid.natAbs + a.rad.natAbs) - digits : Int))

theorem mem_round {a : MidRad10Exp} {x : Frac} (digits : Nat) (hx : x ∈ a) : x ∈ a.round digits :=
  mem_roundTo _ hx

/-! ### Well-formedness -/

namespace WellFormed

variable {a b c : MidRad10Exp}

theorem neg (ha : a.WellFormed) : (-a).WellFormed := wellFormed_of_mem (mem_neg ha.lo_mem)
theorem add (ha : a.WellFormed) (hb : b.WellFormed) : (a + b).WellFormed :=
  wellFormed_of_mem (mem_add ha.lo_mem hb.lo_mem)
theorem sub (ha : a.WellFormed) (hb : b.WellFormed) : (a - b).WellFormed :=
  wellFormed_of_mem (mem_sub ha.lo_mem hb.lo_mem)
theorem mul (ha : a.WellFormed) (hb : b.WellFormed) : (a * b).WellFormed :=
  wellFormed_of_mem (mem_mul ha.lo_mem hb.lo_mem)
theorem scale (k : Int) (ha : a.WellFormed) : (a.scale k).WellFormed := ha
theorem pow (n : Nat) (ha : a.WellFormed) : (a ^ n).WellFormed :=
  wellFormed_of_mem (mem_pow ha.lo_mem n)
theorem abs (ha : a.WellFormed) : a.abs.WellFormed := wellFormed_of_mem (mem_abs ha.lo_mem)
theorem max (ha : a.WellFormed) (hb : b.WellFormed) : (max a b).WellFormed :=
  wellFormed_of_mem (mem_max ha.lo_mem hb.lo_mem)
theorem min (ha : a.WellFormed) (hb : b.WellFormed) : (min a b).WellFormed :=
  wellFormed_of_mem (mem_min ha.lo_mem hb.lo_mem)
theorem inv? {digits : Nat} (ha : a.WellFormed) (h : a.inv? digits = some b) : b.WellFormed :=
  wellFormed_of_mem (mem_inv? h ha.lo_mem)
theorem div? {digits : Nat} (ha : a.WellFormed) (hb : b.WellFormed)
    (h : div? digits a b = some c) : c.WellFormed :=
  wellFormed_of_mem (mem_div? h ha.lo_mem hb.lo_mem)
theorem hull (ha : a.WellFormed) : (a.hull b).WellFormed :=
  wellFormed_of_mem (mem_hull_left b ha.lo_mem)
theorem round (digits : Nat) (ha : a.WellFormed) : (a.round digits).WellFormed :=
  wellFormed_of_mem (mem_round digits ha.lo_mem)
theorem roundTo (e : Int) (ha : a.WellFormed) : (a.roundTo e).WellFormed :=
  wellFormed_of_mem (mem_roundTo e ha.lo_mem)

end WellFormed

/-- An intersection is well-formed, because an empty one is `none`. -/
theorem wellFormed_of_inter? {a b c : MidRad10Exp} (h : a.inter? b = some c) : c.WellFormed := by
  unfold inter? at h
  by_cases k : max a.lo b.lo ≤ min a.hi b.hi
  · rw [if_pos k] at h
    exact Option.some.inj h ▸ wellFormed_of_mem
      (mem_ofEnds.2 ⟨Frac.le_refl _, le_iff_toFrac.1 k⟩)
  · rw [if_neg k] at h
    exact absurd h (by simp)

end LeanOracle.MidRad10Exp
