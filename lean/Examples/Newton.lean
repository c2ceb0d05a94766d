/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Newton's method on a ball

The oracle says where the square root of two lies, and the theorems below make that independent of
it. Newton's map `g x = x / 2 + 1 / x` sends the ball `X` into its own interior, and brings any two
points of it a thousand times closer together. So the iteration converges from every point of `X`,
and has one limit. The limit is the root, because what nearly solves `x * x = 2` in `X` lies in a
much smaller ball `N` inside: one step of the interval Newton method (Moore, *Interval Analysis*,
1966).

Each theorem is a calculation with balls, which the kernel does, and an identity between fractions
that says what the calculation is about.
-/

open LeanOracle LeanOracle.MidRad10Exp

/-- A ball around the root, four digits of what the oracle says. -/
def X : MidRad10Exp := ⟨14142, 5, -4⟩

/-- Its midpoint. -/
def m : Decimal := ⟨14142, -4⟩

-- It contains what the oracle says.
#eval show IO Unit from do
  let r ← Arb.run { func := "sqrt", lo := "2", hi := "2", digits := 30 }
  unless r.outputBall.subset X do throw <| IO.userError "not in X"
  IO.println s!"the root is in {r.outputBall}"

/-! ### Contraction -/

/-- One half. -/
def half : Decimal := 0.5

/-- Newton's map for `x * x = 2`. -/
def g (x : Frac) : Frac := half * x + x.inv

/-- `1/x - 1/y` in terms of `x - y`. -/
theorem inv_sub_inv {x y : Frac} (hx : x ≠ 0) (hy : y ≠ 0) :
    x.inv - y.inv = -((x - y) * (x.inv * y.inv)) := by
  have h : (x - y) * (x.inv * y.inv) = y.inv - x.inv := by
    rw [Frac.sub_mul]
    have ex : x * (x.inv * y.inv) = y.inv := by
      rw [← Frac.mul_assoc, Frac.mul_inv_cancel hx, Frac.one_mul]
    have ey : y * (x.inv * y.inv) = x.inv := by
      rw [Frac.mul_left_comm, Frac.mul_inv_cancel hy, Frac.mul_one]
    rw [ex, ey]
  rw [h, Frac.sub_eq_add_neg, Frac.sub_eq_add_neg, Frac.neg_add, Frac.neg_neg, Frac.add_comm]

/-- The slope of `g` between two points is `1/2 - 1/(x * y)`. -/
theorem g_sub_g {x y : Frac} (hx : x ≠ 0) (hy : y ≠ 0) :
    g x - g y = (x - y) * (half - x.inv * y.inv) := by
  have e : g x - g y = half * (x - y) + (x.inv - y.inv) := by
    simp only [g, Frac.sub_eq_add_neg, Frac.neg_add, Frac.mul_add, Frac.mul_neg]
    ac_rfl
  rw [e, inv_sub_inv hx hy, Frac.mul_sub (x - y), Frac.mul_comm half.toFrac]
  rfl

/-- The reciprocals of the points of `X`. -/
def invX : MidRad10Exp := (X.inv? 12).getD 0

theorem inv_eq : X.inv? 12 = some invX := by decide +kernel

/-- The slopes of `g` on `X` are small. -/
def slopes : MidRad10Exp := ofDecimal half - invX * invX

theorem slopes_small : slopes.subset ⟨0, 1, -3⟩ := by decide +kernel

theorem slope_mem {x y : Frac} (hx : x ∈ X) (hy : y ∈ X) :
    half.toFrac - x.inv * y.inv ∈ slopes :=
  mem_sub (mem_ofDecimal.2 rfl) (mem_mul (mem_inv? inv_eq hx) (mem_inv? inv_eq hy))

/-- `g` brings any two points of `X` a thousand times closer together. -/
theorem contraction {x y : Frac} (hx : x ∈ X) (hy : y ∈ X) :
    (g x - g y).abs ≤ (x - y).abs * Frac.mk 1 1000 := by
  have hs : (half.toFrac - x.inv * y.inv).abs ≤ Frac.mk 1 1000 := by
    have h := mem_of_subset (slope_mem hx hy) slopes_small
    exact Frac.abs_le (Frac.le_trans h.2 (by decide +kernel))
      (Frac.neg_le_neg_iff.1 (by
        rw [Frac.neg_neg]
        exact Frac.le_trans (by decide +kernel) h.1))
  rw [g_sub_g (ne_zero_of_inv? inv_eq hx) (ne_zero_of_inv? inv_eq hy), Frac.abs_mul]
  exact Frac.mul_le_mul_of_nonneg_left hs (Frac.abs_nonneg _)

/-- `m` lies in `X`. -/
theorem m_mem : m.toFrac ∈ X := contains_iff.1 (by decide +kernel)

/-- Where `g` sends `X`: `g m + (X - m) * slopes`, the mean value form. -/
def image : MidRad10Exp :=
  (ofDecimal half * ofDecimal m + (((ofDecimal m).inv? 12).getD 0)) + (X - ofDecimal m) * slopes

theorem g_mem_image {x : Frac} (hx : x ∈ X) : g x ∈ image := by
  have e : g x = g m + (g x - g m) := by rw [Frac.add_comm, Frac.sub_add_cancel]
  rw [e, g_sub_g (ne_zero_of_inv? inv_eq hx) (ne_zero_of_inv? inv_eq m_mem)]
  have point : m.toFrac ∈ ofDecimal m := mem_ofDecimal.2 rfl
  have inv : (ofDecimal m).inv? 12 = some (((ofDecimal m).inv? 12).getD 0) := by decide +kernel
  exact mem_add (mem_add (mem_mul (mem_ofDecimal.2 rfl) point) (mem_inv? inv point))
    (mem_mul (mem_sub hx point) (slope_mem hx m_mem))

/-- `g` sends `X` into its interior. -/
theorem g_maps_into_interior {x : Frac} (hx : x ∈ X) :
    X.lo.toFrac < g x ∧ g x < X.hi.toFrac :=
  have h := g_mem_image hx
  ⟨Frac.lt_of_lt_of_le (Decimal.lt_iff_toFrac.1 (by decide +kernel)) h.1,
    Frac.lt_of_le_of_lt h.2 (Decimal.lt_iff_toFrac.1 (by decide +kernel))⟩

/-- The iteration stays in `X`, wherever in `X` it starts. -/
theorem iterate_mem {x : Frac} (hx : x ∈ X) (n : Nat) : Nat.rec x (fun _ => g) n ∈ X := by
  induction n with
  | zero => exact hx
  | succ n ih =>
    have h := g_maps_into_interior ih
    exact ⟨Frac.le_of_lt h.1, Frac.le_of_lt h.2⟩

/-! ### The interval Newton step -/

/-- What `x * x` may be to count as nearly two: `2 ± 1e-12`. -/
def nearTwo : MidRad10Exp := ⟨2000000000000, 1, -12⟩

/-- The Newton step: `m + (nearTwo - m * m) / (X + m)`. -/
def N : MidRad10Exp :=
  ofDecimal m + ((div? 14 (nearTwo - ofDecimal m * ofDecimal m) (X + ofDecimal m)).getD 0)

/-- Everything in `X` that nearly solves the equation lies in `N`. -/
theorem newton {x : Frac} (hx : x ∈ X) (h : x * x ∈ nearTwo) : x ∈ N := by
  have point : m.toFrac ∈ ofDecimal m := mem_ofDecimal.2 rfl
  have ne : x + m ≠ 0 := fun e => by
    have h := (mem_add hx point).1
    rw [e] at h
    exact absurd h (by decide +kernel)
  -- x = m + (x * x - m * m) / (x + m)
  have e : x = m + (x * x - m.toFrac * m) / (x + m) := by
    have factor : x * x - m.toFrac * m = (x - m) * (x + m) := by
      rw [Frac.sub_mul, Frac.mul_add, Frac.mul_add, Frac.mul_comm m.toFrac x]
      simp only [Frac.sub_eq_add_neg, Frac.neg_add]
      rw [Frac.add_assoc, ← Frac.add_assoc (x * m.toFrac), Frac.add_neg_cancel, Frac.zero_add]
    rw [Frac.div_eq_mul_inv, factor, Frac.mul_assoc, Frac.mul_inv_cancel ne, Frac.mul_one,
      Frac.add_comm, Frac.sub_add_cancel]
  have d : div? 14 (nearTwo - ofDecimal m * ofDecimal m) (X + ofDecimal m)
      = some ((div? 14 (nearTwo - ofDecimal m * ofDecimal m) (X + ofDecimal m)).getD 0) := by
    decide +kernel
  rw [e]
  exact mem_add point (mem_div? d (mem_sub h (mem_mul point point)) (mem_add hx point))

/-- `N` lies in the interior of `X`, and is a hundred thousand times smaller. -/
theorem newton_contracts : X.lo < N.lo ∧ N.hi < X.hi ∧ (1e5 : Decimal) * N.width < X.width := by
  decide +kernel

#eval IO.println s!"X is {X}, g sends it into {image.round 8}, N is {N.round 12}"
