/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Arb
import LeanOracle.Ball
import LeanOracle.Certify
import LeanOracle.Expr
import LeanOracle.Matrix
import LeanOracle.Merge
import LeanOracle.Questions
import LeanOracle.Repl
import LeanOracle.Transport

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
with a stable code; `run` throws the same as an exception.

## Expressions

An `Expr` is written as one would, over boxes of several variables:

```
open LeanOracle.Expr (c sin exp)

def x := Expr.var "x"

#eval enclose (x ^ 2 + c "0.1" * x - c "0.5") [("x", "-0.5", "0.5")]
#eval range "x * exp(-x)" [("x", "0", "5")]
#eval roots (sin x) [("x", "1", "10")]
#eval Arb.compare (sin x) x [("x", "0.1", "10")]
```

`enclose` gives the values; `range` the least and the greatest value, and boxes that contain all
places where they are attained; `roots` the zeros; `compare` a verdict, with a place where the
comparison fails. `Options` says how precise and how tight the answer should be, and how long it may
take. The same questions as values, `Question.range` and so on, can be asked many at once (`batch`),
or in a thread of their own (`spawn`), which gives a `Job` that can be cancelled. There are
questions about constants, matrices, polynomials, integrals and neural networks too: see
`LeanOracle.Questions`.

## Other processes

Functions of other programs, in Python for instance, are asked through a broker; `docs/transport.md`
tells how to start one.

```
open LeanOracle.Transport

#eval withClient { endpoint := "tcp://127.0.0.1:5555" } fun client =>
  client.call "matrix_sum" (.mkObj [("matrix", .arr #[.arr #[1, 2], .arr #[3, 4]])])
```

## What is trusted

Nothing of this is proved about `tanh`: the oracle is native code, declared `opaque` in `IO`, and
what it returns is data. That is enough to *find* a bound. To *prove* one, write the bound into the
statement and let the kernel check it by integer arithmetic; `lean/Examples/SqrtTwo.lean` and
`lean/Examples/EulerNumber.lean` do so, and the end of `lean/Examples/Expressions.lean`.

What is proved is the arithmetic around an answer. A ball is a set of fractions (`x ∈ b`, with
`x : Frac`), sums and products of balls contain the sums and products of their members
(`LeanOracle.Ball`), and so do sums of matrices (`LeanOracle.Matrix`). `lean/Examples/Newton.lean`
and `lean/Examples/Balls.lean` draw conclusions from that. The theorems rest on the kernel alone.

## Files

* `LeanOracle.Arb`: queries about one function, results, errors, and the JSON form of all.
* `LeanOracle.Expr`: expressions.
* `LeanOracle.Questions`: questions about expressions and more, batches, jobs.
* `LeanOracle.Frac`: exact fractions, the members of balls.
* `LeanOracle.Ball`: exact decimals and balls, with decided comparisons and proved arithmetic.
* `LeanOracle.Merge`: several Lean files as one.
* `LeanOracle.Matrix`: sums of matrices of numbers and of balls.
* `LeanOracle.Repl`: checking Lean code, in a pool of Lean processes.
* `LeanOracle.Transport`: clients of brokers and workers in other processes.
* `LeanOracleFFI`: the raw bindings. Nothing else touches native code.
* `LeanOracle.Compat.TorchLean`, which has to be imported by itself: the names of TorchLean's
  oracle, for programs that use it. So has `LeanOracle.Compat.Bridge`: those of lean-python-bridge.
-/
