/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Arb
import LeanOracle.Ball

/-!
# Rigorous numerical answers, in Lean

How large does `tanh` get on `[-1/2, 1/2]`? A program that needs an answer it can rely on wants an
*enclosure*: an interval, with exact ends, that contains every value. This package asks Arb, the
interval library inside FLINT, through a native library that is loaded into Lean, so that an answer
takes microseconds.

```
open LeanOracle LeanOracle.Arb

#eval run { func := "tanh", lo := "-1/2", hi := "1/2", digits := 20 }
```

## The question

A `Query` names a function and the two ends of an interval. The ends are texts, because a text is
exact: `"0.1"` is one tenth, `"1/3"` is one third, and neither is rounded on the way in. `digits`
says how many significant digits each end of the answer should have.

## The answer

A `Result` carries a ball, `MidRad10Exp`: integers `mid`, `rad` and `exp` that stand for the
interval from `(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`. Its ends are exact decimals
(`lo`, `hi`) or rationals (`toRatBounds`), and questions such as `b.contains x`, `b.containsRat q`,
`a.subset b` and `a.certainlyLt b` are decided exactly, however large the exponents are. The ends
are rounded outward, and lie within one unit of their last digit of the true range when `tight` is
set.

## No answer

`log` on `[-1, 1]` has no enclosure, and the oracle does not make one up. `runE` returns an `Error`
with one of ten stable codes; `run` throws the same as an exception.

## What is trusted

Nothing of this is proved about `tanh`: the oracle is native code, declared `opaque` in `IO`, and
what it returns is data. That is enough to *find* a bound. To *prove* one, write the bound into the
statement and let the kernel check it by integer arithmetic; `lean/Examples/SqrtTwo.lean` and
`lean/Examples/EulerNumber.lean` do so. The theorems of `LeanOracle.Ball` are about the comparisons,
and rest on the kernel alone.

## Files

* `LeanOracle.Arb`: queries, results, errors, and the JSON form of both.
* `LeanOracle.Ball`: exact decimals and balls, with decided comparisons.
* `LeanOracleFFI`: the raw bindings. Nothing else touches native code.
-/
