/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Ask
import LeanOracle.Certify.Claim

/-!
# Inequalities with certificates

Is `x * (1 - x) ≤ 1 / 4` on `[0, 1]`? The oracle may say so, but that is no proof. Here it says
*why*: it proposes a certificate, which is how to cut the interval, and the kernel of Lean checks
that on each part the coefficients of a polynomial have the right signs.

* `LeanOracle.Certify.Claim`: how to state and prove such a claim, about polynomials and quotients of
  polynomials in several variables, over boxes with rational ends; bounds of roots.
* `LeanOracle.Certify.Check`: the checker, and the theorem that what it accepts is true.
* `LeanOracle.Certify.Tensor`: the arithmetic behind it.
* `LeanOracle.Certify.Text`: certificates as text.
* `LeanOracle.Certify.Ask`: asking the oracle for one.

The claims are about `Frac`. Integers are among them, by `Frac.ofInt` and theorems such as
`Frac.ofInt_le`. For Lean's `Rat` there are no theorems here, because those of its arithmetic differ
between releases.

A claim that holds strictly on the whole box, ends included, has a certificate, because the
coefficients come closer to the values as the square of the size of the parts. A claim that holds with
equality at an inner point can have one only if that point lies on cuts, so its coordinates there
must be rational.
-/
