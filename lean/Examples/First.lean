/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# First questions

Open this file after `lake build`: every `#eval` shows its answer. (`First.out` has what they print;
`scripts/lean-check` compares.)
-/

open LeanOracle LeanOracle.Arb

-- Which values does `exp` take on [0, 1]? From exactly 1 to just above Euler's number.
#eval do
  let r ← run { func := "exp", lo := "0", hi := "1", digits := 20 }
  IO.println s!"exp on [0, 1] is in [{r.outLo}, {r.outHi}]"

-- The same interval as three integers: (mid ± rad) * 10 ^ exp, exactly.
#eval do
  let r ← run { func := "exp", lo := "0", hi := "1", digits := 20 }
  IO.println s!"as a ball: {r.outputBall}"

-- Ends may be fractions, and are taken exactly. Bounds come as rationals too.
#eval do
  let r ← run { func := "sqrt", lo := "1/4", hi := "4/9", digits := 3 }
  let (lo, hi) := r.outputBall.toRatBounds
  IO.println s!"sqrt on [1/4, 4/9] is in [{lo}, {hi}]"
  IO.println s!"which contains 2/3: {decide (r.outputBall.containsRat (2 / 3))}"

-- The maximum of `sin` lies inside the interval, and is found: the upper end is exactly 1.
#eval do
  let r ← run { func := "sin", lo := "0", hi := "4", digits := 30 }
  IO.println s!"sin on [0, 4] is in [{r.outLo}, {r.outHi}]"

-- Everything there is to an answer.
#eval run { func := "tanh", lo := "-1/2", hi := "1/2", digits := 10 }
