/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball.Decimal
import LeanOracle.Ball.Basic
import LeanOracle.Ball.Ops
import LeanOracle.Ball.Text

/-!
# Balls

An answer of the oracle is a ball: three integers `mid rad exp` for the interval from
`(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`. Its members are fractions (`x ∈ b`, see
`LeanOracle.Frac`), and four files say what can be done with it:

* `Ball.Decimal`: the ends. Exact comparisons and arithmetic of decimals, rounding to a power of ten.
* `Ball.Basic`: members, inclusion, comparison of balls, `WellFormed`.
* `Ball.Ops`: sums, products, powers, quotients, hulls, intersections, outward rounding; for each a
  theorem that it encloses what it should.
* `Ball.Text`: decimals are printed, and read back.

A proof with balls has two parts. A calculation with the balls themselves, which the kernel does:
`decide +kernel`. And a theorem about members that carries it over to all numbers in the balls:

```
example {x y : Frac} (hx : x ∈ (⟨15, 1, -1⟩ : MidRad10Exp)) (hy : y ∈ (⟨3, 1, 0⟩ : MidRad10Exp)) :
    x * y + 1 ∈ (⟨4, 4, 0⟩ : MidRad10Exp) :=
  mem_of_subset (mem_add (mem_mul hx hy) (ofInt_mem 1)) (by decide +kernel)
```
-/
