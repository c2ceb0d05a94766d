/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Inequalities with certificates

Each proof below names bounds of the variables and a certificate, which is how to cut the box. The
kernel checks it: no theorem here rests on an oracle. (`Certify.out` has what the `#eval`s print.)
-/

open LeanOracle
open scoped LeanOracle.Certify

/-! ## Polynomials -/

/-- The claim holds with equality at `1 / 2`, so that is where to cut. -/
theorem parabola (x : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 1) : x * (1 - x) ≤ 1 / 4 :=
  certify [h₀ h₁] (.split 0 1 2 .leaf .leaf)

/-- Two variables, and equality at the middle of the square. -/
theorem square (x y : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 1) (k₀ : 0 ≤ y) (k₁ : y ≤ 1) :
    x * (1 - x) * y * (1 - y) ≤ 1 / 16 :=
  certify [h₀ h₁, k₀ k₁]
    (.split 0 1 2 (.split 1 1 2 .leaf .leaf) (.split 1 1 2 .leaf .leaf))

/-- Motzkin's polynomial plus one. It is positive, but no sum of squares. -/
theorem motzkin (x y : Frac) (h₀ : -2 ≤ x) (h₁ : x ≤ 2) (k₀ : -2 ≤ y) (k₁ : y ≤ 2) :
    0 < x ^ 4 * y ^ 2 + x ^ 2 * y ^ 4 - 3 * x ^ 2 * y ^ 2 + 2 :=
  certify [h₀ h₁, k₀ k₁]
    (.split 0 0 1
      (.split 1 0 1
        (.split 0 (-1) 1 (.split 1 (-1) 1 .leaf .leaf) (.split 1 (-1) 1 .leaf .leaf))
        (.split 0 (-1) 1 (.split 1 1 1 .leaf .leaf) (.split 1 1 1 .leaf .leaf)))
      (.split 1 0 1
        (.split 0 1 1 (.split 1 (-1) 1 .leaf .leaf) (.split 1 (-1) 1 .leaf .leaf))
        (.split 0 1 1 (.split 1 1 1 .leaf .leaf) (.split 1 1 1 .leaf .leaf))))

/-! ## Quotients -/

/-- Equality at 1. That nothing is divided by zero is part of what is checked. -/
theorem quotient (x : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 2) : x / (1 + x ^ 2) ≤ 1 / 2 :=
  certify [h₀ h₁] (.split 0 1 1 .leaf .leaf)

/-! ## Roots -/

/-- The square root of 2 to six digits. -/
theorem sqrt_two (y : Frac) (h : 0 ≤ y) (sq : y ^ 2 = 2) :
    Frac.mk 1414213 1000000 ≤ y ∧ y ≤ Frac.mk 1414214 1000000 :=
  Certify.root_mem h sq (by decide +kernel)

/-- All roots of a polynomial between 0 and 2 lie close to 1. -/
theorem roots (x : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 2) (hx : x ^ 5 + x - 2 = 0) :
    9 / 10 < x ∧ x < 11 / 10 :=
  Certify.roots_between (f := fun x => x ^ 5 + x - 2)
    (fun _ h k => certify [h k]) (fun _ h k => certify [h k]) h₀ h₁ hx

/-! ## Inside a larger proof

Iterates of a map stay where they are known to be after one step. -/

/-- The values that a start gives after a number of steps. -/
def orbit (x : Frac) : Nat → Frac
  | 0 => x
  | n + 1 => 3 * orbit x n * (1 - orbit x n)

theorem orbit_mem (x : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 3 / 4) (n : Nat) :
    0 ≤ orbit x n ∧ orbit x n ≤ 3 / 4 := by
  induction n with
  | zero => exact ⟨h₀, h₁⟩
  | succ n ih =>
    have lower : 0 ≤ 3 * orbit x n * (1 - orbit x n) := certify [ih.1 ih.2]
    have upper : 3 * orbit x n * (1 - orbit x n) ≤ 3 / 4 :=
      certify [ih.1 ih.2] (.split 0 1 2 .leaf .leaf)
    exact ⟨lower, upper⟩

/-- The same for integers: a product is largest in the middle. -/
theorem product (a : Int) (h₀ : 0 ≤ a) (h₁ : a ≤ 100) : a * (100 - a) ≤ 2500 := by
  have h : (a : Frac) * ((100 : Int) - a) ≤ (2500 : Int) :=
    certify [(Frac.ofInt_le.2 h₀) (Frac.ofInt_le.2 h₁)] (.split 0 50 1 .leaf .leaf)
  rw [← Frac.ofInt_sub, ← Frac.ofInt_mul] at h
  exact Frac.ofInt_le.1 h

/-! ## A neural network

Two inputs, two neurons with the function `relu`, one output. The bounds of the neurons before
`relu` bound them after it, and those bound the output. -/

/-- The positive part. -/
def relu (x : Frac) : Frac := max x 0

theorem relu_mem {x b : Frac} (hx : x ≤ b) (hb : 0 ≤ b) : 0 ≤ relu x ∧ relu x ≤ b :=
  ⟨Frac.le_max_right x 0, Frac.max_le hx hb⟩

/-- The network. -/
def network (x y : Frac) : Frac :=
  2 * relu (x / 2 - y / 3 + 1 / 10) - 3 / 2 * relu (x / 4 + y - 1 / 5)

theorem network_mem (x y : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 1) (k₀ : 0 ≤ y) (k₁ : y ≤ 1) :
    -63 / 40 ≤ network x y ∧ network x y ≤ 6 / 5 := by
  have hz : x / 2 - y / 3 + 1 / 10 ≤ 3 / 5 := certify [h₀ h₁, k₀ k₁]
  have hw : x / 4 + y - 1 / 5 ≤ 21 / 20 := certify [h₀ h₁, k₀ k₁]
  have z := relu_mem hz (by decide)
  have w := relu_mem hw (by decide)
  unfold network
  exact ⟨certify [z.1 z.2, w.1 w.2], certify [z.1 z.2, w.1 w.2]⟩

/-! ## What a certificate is

A cut in the wrong place shows nothing, and a false claim has no certificate. -/

/-- The difference of the sides of `parabola`, in the form that the checker takes. -/
def difference : Certify.Term :=
  let x := Certify.Term.var 0
  1 / 4 - x * (1 - x)

theorem right : Certify.check .le difference [⟨0, 1, 1⟩] (.split 0 1 2 .leaf .leaf) = true := by
  decide +kernel

theorem wrong : Certify.check .le difference [⟨0, 1, 1⟩] (.split 0 1 3 .leaf .leaf) = false := by
  decide +kernel

-- The oracle answers in a compact form, which is read and can be printed as a Lean term.
#eval do
  match Certify.Tree.ofText "(x 1/2 (x 1/4 . .) (x 3/4 . .))" ["x"] with
  | .ok tree =>
    IO.println s!"{repr tree}"
    IO.println s!"{tree.leaves} leaves, {Certify.check .le difference [⟨0, 1, 1⟩] tree}"
  | .error e => IO.println e

#print axioms parabola
