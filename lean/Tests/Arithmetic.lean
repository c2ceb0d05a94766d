/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball
import Tests.Harness

/-!
# Fractions, decimals and balls against the rational numbers of Lean

Every operation is compared with the same operation of `Rat` on random numbers. What is exact must
be equal; what is rounded must enclose, and be as close as it says.
-/

namespace Tests

open LeanOracle

/-- A fraction with numerator and denominator of a few digits, zero now and then. -/
def ratGen : Gen Rat := do
  if (← below 8) == 0 then return 0
  return mkRat (← between (-300) 300) ((← below 40) + 1)

def pairs (n : Nat) : List (Rat × Rat) := samples n do return (← ratGen, ← ratGen)

def fractionTests : TestM Unit := do
  let render (p : Rat × Rat) := s!"{p.1}, {p.2}"
  let same (name : String) (f : Frac → Frac → Frac) (g : Rat → Rat → Rat) : TestM Unit :=
    checkAll s!"{name} of fractions" (pairs 200)
      (fun (r, s) => decide (f r s = Frac.ofRat (g r s)) && (f r s).toRat == g r s
        && toString (f r s) == toString (g r s)) render
  same "sum" (· + ·) (· + ·)
  same "difference" (· - ·) (· - ·)
  same "product" (· * ·) (· * ·)
  same "quotient" (· / ·) (fun r s => if s == 0 then 0 else r / s)
  same "maximum" max max
  same "minimum" min min
  same "absolute value" (fun r _ => r.abs) (fun r _ => if r < 0 then -r else r)
  same "opposite" (fun r _ => -r) (fun r _ => -r)
  for n in ([0, 1, 2, 5] : List Nat) do same s!"power {n}" (fun r _ => r ^ n) (fun r _ => r ^ n)
  checkAll "order of fractions" (pairs 300) (fun (r, s) =>
    decide ((r : Frac) ≤ s) == decide (r ≤ s) && decide ((r : Frac) < s) == decide (r < s)
      && decide ((r : Frac) = s) == (r == s)) render

/-! ### Balls -/

def decimalGen : Gen Decimal := return ⟨← between (-1500) 1500, ← between (-4) 3⟩

/-- Balls of all positions: around zero, on one side of it, with an end there, points. -/
def ballGen : Gen MidRad10Exp := do
  let mid ← between (-60) 60
  let rad := match ← below 4 with
    | 0 => 0
    | 1 => mid.natAbs
    | 2 => mid.natAbs / 3
    | _ => mid.natAbs + 7
  return ⟨mid, rad, ← between (-3) 2⟩

/-- The ends, and three numbers between them. -/
def members (b : MidRad10Exp) : List Rat :=
  let (lo, hi) := b.toRatBounds
  [lo, lo + (hi - lo) * mkRat 2 7, (lo + hi) / 2, lo + (hi - lo) * mkRat 9 11, hi]

def ballPairs (n : Nat) : List (MidRad10Exp × MidRad10Exp) :=
  samples n do return (← ballGen, ← ballGen)

def least (l : List Rat) : Rat := l.foldl min (l.headD 0)
def greatest (l : List Rat) : Rat := l.foldl max (l.headD 0)

def abs (r : Rat) : Rat := if r < 0 then -r else r

def arithmeticTests : TestM Unit := do
  let render (p : MidRad10Exp × MidRad10Exp) := s!"{p.1} and {p.2}"
  -- decimals
  checkAll "decimals" (samples 200 do return (← decimalGen, ← decimalGen)) (fun (x, y) =>
      (x + y).toRat == x.toRat + y.toRat && (x - y).toRat == x.toRat - y.toRat
        && (x * y).toRat == x.toRat * y.toRat && (x ^ 3).toRat == x.toRat ^ 3
        && (max x y).toRat == max x.toRat y.toRat && (min x y).toRat == min x.toRat y.toRat
        && decide (x.toFrac = Frac.ofRat x.toRat) && x.toFrac.toRat == x.toRat)
    (fun (x, y) => s!"{x}, {y}")
  checkAll "decimals rounded to a power of ten"
    (samples 200 do return (← decimalGen, ← between (-5) 5)) (fun (x, e) =>
      let (lo, hi, unit) := ((x.floorTo e).toRat, (x.ceilTo e).toRat, (⟨1, e⟩ : Decimal).toRat)
      lo ≤ x.toRat && x.toRat ≤ hi && x.toRat < lo + unit && hi < x.toRat + unit)
    (fun (x, e) => s!"{x} to 10^{e}")
  -- members
  checkAll "membership" (samples 300 do return (← ballGen, ← ratGen)) (fun (b, r) =>
      let (lo, hi) := b.toRatBounds
      decide (Frac.ofRat r ∈ b) == (lo ≤ r && r ≤ hi)
        && decide (b.containsRat r) == (lo ≤ r && r ≤ hi))
    (fun (b, r) => s!"{r} in {b}")
  checkAll "comparisons" (ballPairs 300) (fun (a, b) =>
      let ((al, ah), (bl, bh)) := (a.toRatBounds, b.toRatBounds)
      decide (a.subset b) == (bl ≤ al && ah ≤ bh) && decide (a.certainlyLe b) == (ah ≤ bl)
        && decide (a.certainlyLt b) == (ah < bl)) render
  -- operations: the results contain all results on members, and have the right ends
  let exact (name : String) (f : MidRad10Exp → MidRad10Exp → MidRad10Exp) (g : Rat → Rat → Rat)
      (critical : List Rat := []) : TestM Unit :=
    checkAll s!"{name} of balls" (ballPairs 150) (fun (a, b) =>
        let results := (members a).flatMap fun x => (members b).map (g x)
        let extra := critical.filter fun r => decide (a.containsRat r)
        let ends := results ++ extra.flatMap fun x => (members b).map (g x)
        (f a b).toRatBounds == (least ends, greatest ends) && decide (f a b).WellFormed
          && results.all fun r => decide (Frac.ofRat r ∈ f a b)) render
  exact "sum" (· + ·) (· + ·)
  exact "difference" (· - ·) (· - ·)
  exact "product" (· * ·) (· * ·)
  exact "opposite" (fun a _ => -a) (fun x _ => -x)
  exact "maximum" max max
  exact "minimum" min min
  exact "absolute value" (fun a _ => a.abs) (fun x _ => abs x) [0]
  exact "times 100" (fun a _ => a.scale 2) (fun x _ => x * 100)
  exact "times 0.001" (fun a _ => a.scale (-3)) (fun x _ => x / 1000)
  for n in ([0, 1, 2, 3, 4, 7] : List Nat) do exact s!"power {n}" (fun a _ => a ^ n) (fun x _ => x ^ n) [0]
  checkAll "hull and intersection" (ballPairs 300) (fun (a, b) =>
      let ((al, ah), (bl, bh)) := (a.toRatBounds, b.toRatBounds)
      (a.hull b).toRatBounds == (min al bl, max ah bh)
        && match a.inter? b with
          | some c => c.toRatBounds == (max al bl, min ah bh) && decide c.WellFormed
          | none => min ah bh < max al bl) render
  checkAll "reciprocal" (samples 150 do return (← ballGen, (← below 12) + 1)) (fun (b, digits) =>
      let (lo, hi) := b.toRatBounds
      match b.inv? digits with
      | none => lo ≤ 0 && 0 ≤ hi
      | some c =>
        let (cl, ch) := c.toRatBounds
        let unit := mkRat 1 (10 ^ (digits - 1))
        (0 < lo || hi < 0) && decide c.WellFormed
          && (members b).all (fun x => decide (Frac.ofRat (1 / x) ∈ c))
          && 1 / hi - cl ≤ abs (1 / hi) * unit && ch - 1 / lo ≤ abs (1 / lo) * unit)
    (fun (b, digits) => s!"{b} to {digits}")
  checkAll "quotient" (ballPairs 100) (fun (a, b) =>
      match a.div? 12 b with
      | none => decide (b.containsRat 0)
      | some c => (members a).all fun x => (members b).all fun y =>
          decide (Frac.ofRat (x / y) ∈ c)) render
  checkAll "rounding" (samples 150 do
      return ((← ballGen) * (← ballGen) * (← ballGen), (← below 6) + 1)) (fun (b, digits) =>
      let c := b.round digits
      let size := max (abs b.toRatBounds.1) (abs b.toRatBounds.2)
      decide (b.subset c) && decide c.WellFormed
        && c.width.toRat - b.width.toRat ≤ 2 * size * mkRat 1 (10 ^ (digits - 1))
        && max c.mid.natAbs c.rad.natAbs ≤ 10 ^ (digits + 3))
    (fun (b, digits) => s!"{b} to {digits} digits")
  check "powers with rounding do not grow"
    ((List.range 200).foldl (fun b _ => (b * ⟨1000001, 1, -6⟩).round 20) (1 : MidRad10Exp)
      |> fun b => decide (b.mid.natAbs < 10 ^ 24)
        && decide (b.containsRat (mkRat 1000001 1000000 ^ 200)))
  check "malformed balls have no members" (!decide ((5 : Frac) ∈ (⟨5, -1, 0⟩ : MidRad10Exp))
    && !decide (⟨5, -1, 0⟩ : MidRad10Exp).WellFormed)

/-! ### Texts -/

def textTests : TestM Unit := do
  let wide : Gen Decimal := do
    let size := 10 ^ (← below 40)
    return ⟨← between (-size) size, ← between (-2000) 2000⟩
  checkAll "decimals that are printed are read back" (samples 300 wide)
    (fun x => Decimal.ofString? (toString x) == some x) toString
  checkAll "the text is the usual one" (samples 100 wide)
    (fun x => toString x == s!"{x.num}e{x.exp}") toString
  for (text, value) in [("0.5", (⟨5, -1⟩ : Decimal)), ("-.25", ⟨-25, -2⟩), ("1e+6", ⟨1, 6⟩),
      ("1E6", ⟨1, 6⟩), ("-0", ⟨0, 0⟩), ("007", ⟨7, 0⟩), ("12.50e-3", ⟨1250, -5⟩)] do
    checkEq s!"reads {text}" (Decimal.ofString? text) (some value)
  for text in ["+1", "1e--5", "1e+-5", "1e-+5", "1e-", "1e5.", "-", "--", "1e5e5", "1 ", "0x1"] do
    checkEq s!"does not read {text}" (Decimal.ofString? text) none

end Tests
