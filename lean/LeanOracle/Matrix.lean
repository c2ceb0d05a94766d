/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Matrix.Basic
import LeanOracle.Matrix.Ball

/-!
# Sums of matrices

`Matrix.Basic` is about matrices of integers and of fractions, `Matrix.Ball` about matrices whose
entries are only known to lie in balls.
-/
