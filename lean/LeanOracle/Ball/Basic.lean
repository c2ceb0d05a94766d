/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball.Decimal

/-!
# Exact decimal balls

The oracle answers with three integers `mid rad exp`, which stand for the interval from
`(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`. As a set, a ball consists of fractions:
`x ∈ b` says that `x` lies between its ends (`lo`, `hi`), and is decided exactly. The tests that
exist as functions mean just that: `b.contains x` and `b.containsRat r` are membership
(`contains_iff`, `containsRat_iff`), `a.subset b` is inclusion (`subset_iff`), `certainlyLe` and
`certainlyLt` compare every number of one ball with every number of the other.

A ball has to have `0 ≤ rad` to contain anything. `WellFormed` says so; the answers of the oracle
are checked for it when they are read.
-/

namespace LeanOracle

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

/-! ### Members -/

/-- `x ∈ b`: the fraction `x` lies between the ends of `b`. Deciding it computes with
`10 ^ |b.exp|`; `contains`, for decimals, does not. -/
instance : Membership Frac MidRad10Exp := ⟨fun b x => b.lo.toFrac ≤ x ∧ x ≤ b.hi.toFrac⟩

theorem mem_iff {b : MidRad10Exp} {x : Frac} : x ∈ b ↔ b.lo.toFrac ≤ x ∧ x ≤ b.hi.toFrac := Iff.rfl

instance (x : Frac) (b : MidRad10Exp) : Decidable (x ∈ b) := inferInstanceAs (Decidable (_ ∧ _))

/-- The radius is not negative. -/
def WellFormed (b : MidRad10Exp) : Prop := 0 ≤ b.rad

instance (b : MidRad10Exp) : Decidable b.WellFormed := inferInstanceAs (Decidable (_ ≤ _))

/-- `contains` is membership. -/
theorem contains_iff {b : MidRad10Exp} {x : Decimal} : b.contains x ↔ x.toFrac ∈ b :=
  and_congr Decimal.le_iff_toFrac Decimal.le_iff_toFrac

/-- `containsRat` is membership. -/
theorem containsRat_iff {b : MidRad10Exp} {r : Rat} : b.containsRat r ↔ .ofRat r ∈ b :=
  and_congr Decimal.leRat_iff Decimal.geRat_iff

theorem WellFormed.lo_le_hi {b : MidRad10Exp} (h : b.WellFormed) : b.lo.toFrac ≤ b.hi.toFrac :=
  Frac.mul_le_mul_of_nonneg_right (Frac.ofInt_le.2 <| by
    show b.mid - b.rad ≤ b.mid + b.rad
    unfold WellFormed at h
    omega)
    (Frac.le_of_lt (Decimal.tenPow_pos _))

/-- The lower end belongs to the ball. -/
theorem WellFormed.lo_mem {b : MidRad10Exp} (h : b.WellFormed) : b.lo.toFrac ∈ b :=
  ⟨Frac.le_refl _, h.lo_le_hi⟩

/-- The upper end belongs to the ball. -/
theorem WellFormed.hi_mem {b : MidRad10Exp} (h : b.WellFormed) : b.hi.toFrac ∈ b :=
  ⟨h.lo_le_hi, Frac.le_refl _⟩

/-- Only a ball with a radius that is not negative has members. -/
theorem wellFormed_of_mem {b : MidRad10Exp} {x : Frac} (h : x ∈ b) : b.WellFormed := by
  have h : b.mid - b.rad ≤ b.mid + b.rad :=
    Frac.ofInt_le.1 (Frac.le_of_mul_le_mul_right (Frac.le_trans h.1 h.2) (Decimal.tenPow_pos b.exp))
  unfold WellFormed
  omega

/-- A ball is convex. -/
theorem mem_of_le_of_le {b : MidRad10Exp} {x y z : Frac} (hx : x ∈ b) (hz : z ∈ b) (h : x ≤ y)
    (k : y ≤ z) : y ∈ b := ⟨Frac.le_trans hx.1 h, Frac.le_trans k hz.2⟩

/-! ### Comparisons -/

/-- What lies in a ball lies in every ball around it. -/
theorem mem_of_subset {a b : MidRad10Exp} {x : Frac} (hx : x ∈ a) (h : a.subset b) : x ∈ b :=
  ⟨Frac.le_trans (Decimal.le_iff_toFrac.1 h.1) hx.1,
    Frac.le_trans hx.2 (Decimal.le_iff_toFrac.1 h.2)⟩

/-- `subset` is inclusion. -/
theorem subset_iff {a b : MidRad10Exp} (ha : a.WellFormed) :
    a.subset b ↔ ∀ x : Frac, x ∈ a → x ∈ b :=
  ⟨fun h _ hx => mem_of_subset hx h,
    fun h => ⟨Decimal.le_iff_toFrac.2 (h _ ha.lo_mem).1, Decimal.le_iff_toFrac.2 (h _ ha.hi_mem).2⟩⟩

/-- `certainlyLe` means what it says. -/
theorem le_of_certainlyLe {a b : MidRad10Exp} {x y : Frac} (h : a.certainlyLe b) (hx : x ∈ a)
    (hy : y ∈ b) : x ≤ y :=
  Frac.le_trans hx.2 (Frac.le_trans (Decimal.le_iff_toFrac.1 h) hy.1)

/-- `certainlyLt` means what it says. -/
theorem lt_of_certainlyLt {a b : MidRad10Exp} {x y : Frac} (h : a.certainlyLt b) (hx : x ∈ a)
    (hy : y ∈ b) : x < y :=
  Frac.lt_of_le_of_lt hx.2 (Frac.lt_of_lt_of_le (Decimal.lt_iff_toFrac.1 h) hy.1)

/-- `certainlyLe` holds whenever it is true. -/
theorem certainlyLe_iff {a b : MidRad10Exp} (ha : a.WellFormed) (hb : b.WellFormed) :
    a.certainlyLe b ↔ ∀ x y : Frac, x ∈ a → y ∈ b → x ≤ y :=
  ⟨fun h _ _ => le_of_certainlyLe h,
    fun h => Decimal.le_iff_toFrac.2 (h _ _ ha.hi_mem hb.lo_mem)⟩

/-- `certainlyLt` holds whenever it is true. -/
theorem certainlyLt_iff {a b : MidRad10Exp} (ha : a.WellFormed) (hb : b.WellFormed) :
    a.certainlyLt b ↔ ∀ x y : Frac, x ∈ a → y ∈ b → x < y :=
  ⟨fun h _ _ => lt_of_certainlyLt h,
    fun h => Decimal.lt_iff_toFrac.2 (h _ _ ha.hi_mem hb.lo_mem)⟩

/-! ### Rational ends -/

/-- The ends as rationals: `((mid - rad) * 10 ^ exp, (mid + rad) * 10 ^ exp)`. Computes
`10 ^ |exp|`; see `toRatBounds?` for a ball whose exponent may be anything. -/
def toRatBounds (b : MidRad10Exp) : Rat × Rat := (b.lo.toRat, b.hi.toRat)

/-- `toRatBounds`, or `none` when `|exp|` is beyond `limit`. -/
def toRatBounds? (b : MidRad10Exp) (limit : Nat := 1000000) : Option (Rat × Rat) :=
  if b.exp.natAbs ≤ limit then some b.toRatBounds else none

end MidRad10Exp

end LeanOracle
