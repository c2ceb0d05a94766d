/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Compat.TorchLean

/-!
# Real numbers beside binary32

TorchLean compares the answers of its oracle with 32-bit floating-point numbers. This is that
comparison, with the import changed. For each function and interval it prints

* the enclosure of the range, which is a pair of rationals;
* the same rounded outward to binary32: the lower end down, the upper end up. This is what an
  interval of floating-point numbers may say, and it is computed here, exactly;
* the function at the two ends of the interval, rounded to nearest: what a program gets that
  evaluates the function at the ends with a perfect library and default rounding;
* whether each of the last two contains the first.

Rounding outward contains, by construction. Rounding to nearest need not: an end may move inward.
And values at the ends say nothing of an extremum between them, as the polynomial shows.
-/

open TorchLean.Floats.Arb
open Lean (Json)

/-! ## binary32 -/

/-- A number of the binary32 format, without signs of zero and NaN. -/
inductive Binary32 where
  | negInf
  | finite (value : Rat)
  | posInf

namespace Binary32

/-- `2 ^ e`. -/
def twoPow (e : Int) : Rat := if 0 ≤ e then (2 ^ e.toNat : Nat) else mkRat 1 (2 ^ (-e).toNat)

/-- The greatest integer that is at most `q`. -/
def floor (q : Rat) : Int := q.num / (q.den : Int)

/-- The exponent `e` of `q`, for `q ≠ 0`: `2 ^ e ≤ |q| < 2 ^ (e + 1)`. -/
def exponent (q : Rat) : Int :=
  let n := q.num.natAbs
  -- this or one less
  let e : Int := (n.log2 : Int) - q.den.log2
  if twoPow e ≤ mkRat n q.den then e else e - 1

/-- The distance of the numbers of the format around `q`: they have 24 bits, and none is finer than
`2 ^ -149`. -/
def unit (q : Rat) : Rat := if q == 0 then twoPow (-149) else twoPow (max (exponent q) (-126) - 23)

/-- The greatest finite number, `(2 - 2 ^ -23) * 2 ^ 127`. -/
def greatest : Rat := (2 - twoPow (-23)) * twoPow 127

/-- The greatest number of the format that is at most `q`. -/
def down (q : Rat) : Binary32 :=
  let r := floor (q / unit q) * unit q
  if r < -greatest then negInf else finite (if greatest < r then greatest else r)

/-- The opposite. -/
def neg : Binary32 → Binary32
  | negInf => posInf
  | finite r => finite (-r)
  | posInf => negInf

/-- The least number of the format that is at least `q`. -/
def up (q : Rat) : Binary32 := (down (-q)).neg

/-- The number of the format that is nearest to `q`; of two, that with an even last bit. -/
def nearest (q : Rat) : Binary32 :=
  let n := floor (q / unit q)
  let rest := q / unit q - n
  let n := if rest < 1 / 2 || (rest == 1 / 2 && n % 2 == 0) then n else n + 1
  let r := n * unit q
  if greatest < r then posInf else if r < -greatest then negInf else finite r

/-- Whether the number is at most `q`. -/
def le (b : Binary32) (q : Rat) : Bool :=
  match b with
  | negInf => true
  | finite r => r ≤ q
  | posInf => false

/-- Whether the interval from `lo` to `hi` contains that from `a` to `b`. -/
def contains (lo hi : Binary32) (a b : Rat) : Bool := lo.le a && hi.neg.le (-b)

/-- An integer times a power of two, exactly: `7757969p-24` is `7757969 * 2 ^ -24`. -/
instance : ToString Binary32 where
  toString
    | negInf => "-inf"
    | posInf => "inf"
    | finite r =>
      if r == 0 then "0" else
        let e := max (exponent r) (-126) - 23
        s!"{(r / twoPow e).num}p{e}"

end Binary32

/-! ## The comparison -/

/-- The name of a case, how to ask for an enclosure of the range, and how to ask for the values at
the two ends. -/
structure Case where
  name : String
  range : IO (MidRad10Exp × String × String)
  ends : IO (Rat × Rat)

/-- A function on an interval. -/
def unary (func lo hi : String) : Case :=
  let ask (lo hi : String) : IO Result := run { func, lo, hi, precBits := 200, digits := 200 }
  { name := s!"{func} on [{lo}, {hi}]"
    range := do
      let r ← run { func, lo, hi, digits := 10 }
      return ((← ask lo hi).outputBall, r.outLo, r.outHi)
    -- two hundred digits are enough to find the nearest of 24 bits
    ends := return ((← ask lo lo).outputBall.toRatBounds.1,
      (← ask hi hi).outputBall.toRatBounds.1) }

/-- An expression in `x` on an interval. -/
def expression (name : String) (expr : Json) (lo hi : String) : Case :=
  let ask (lo hi : String) (digits : Nat) : IO ExprResult :=
    runExpr [("x", (lo, hi))] expr (precBits := 200) (digits := digits)
  { name := s!"{name} on [{lo}, {hi}]"
    range := do
      let r ← ask lo hi 10
      return ((← ask lo hi 200).outputBall, r.outLo, r.outHi)
    ends := return ((← ask lo lo 200).outputBall.toRatBounds.1,
      (← ask hi hi 200).outputBall.toRatBounds.1) }

/-- The variable. -/
def x : Json := Json.mkObj [("var", "x")]

/-- A constant. -/
def const (s : String) : Json := Json.mkObj [("const", Json.str s)]

/-- An operation. -/
def op (name : String) (args : List Json) : Json :=
  Json.mkObj [("op", Json.str name), ("args", Json.arr args.toArray)]

/-- What TorchLean compares. -/
def cases : List Case := [
  unary "tanh" "-0.5" "0.5",
  unary "exp" "-1" "1",
  unary "exp" "80" "90",
  unary "log" "0.5" "2",
  unary "sqrt" "0" "2",
  -- the dependence of the two occurrences of x on each other is not lost
  expression "x^2 + 0.1x - 0.5"
    (op "add" [op "add" [op "mul" [x, x], op "mul" [const "0.1", x]], const "-0.5"]) "-0.5" "0.5",
  -- half-way between two numbers of the format
  expression "1 + x" (op "add" [const "1", x]) "1/16777216" "1/16777216",
  -- binary32 has infinities for it; there is no enclosure
  expression "1/x" (op "div" [const "1", x]) "0" "0"]

/-- Prints one case; a refusal is printed too. -/
def printCase (c : Case) : IO Unit := do
  IO.println c.name
  try
    let (ball, lo, hi) ← c.range
    let (a, b) := ball.toRatBounds
    IO.println s!"  real        [{lo}, {hi}]"
    let (l, u) := (Binary32.down a, Binary32.up b)
    IO.println s!"  outward     [{l}, {u}]  contains it: {l.contains u a b}"
    let (p, q) ← c.ends
    let (l, u) := (Binary32.nearest p, Binary32.nearest q)
    IO.println s!"  at the ends [{l}, {u}]  contains it: {l.contains u a b}"
  catch e =>
    -- the last line says why
    IO.println s!"  (failed) {((toString e).splitOn "\n").getLastD ""}"

#eval cases.forM printCase
