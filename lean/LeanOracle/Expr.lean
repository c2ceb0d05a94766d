/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lean.Data.Json
import LeanOracle.Ball

/-!
# Expressions

An `Expr` is a real expression in named variables, written as one would:

```
open LeanOracle LeanOracle.Expr

def x := Expr.var "x"

#eval toString (x ^ 2 + c "0.1" * x - 0.5)
```

Numbers are kept as text, so they are exact: `c "0.1"` and `0.1` are one tenth, `c "1/3"` is one
third.

## Exponents

The exponent of `^` may be a `Nat`, an `Int`, a `Rat` or an `Expr`. In `x ^ (1/2)` Lean takes `1/2`
as a division of natural numbers, which is 0, as for any other type with such powers: write
`x ^ (1/2 : Rat)`, or `sqrt x`.
-/

namespace LeanOracle

open Lean (Json ToJson)

/-- A real expression. -/
inductive Expr where
  /-- The variable called `name`. -/
  | var (name : String)
  /-- A number: a decimal (`"-0.5"`, `"1e-9"`), a fraction (`"1/3"`) or a ball in the notation of
  Arb, taken exactly; or the name of a constant (`"pi"`). -/
  | const (text : String)
  /-- The function called `name` at `x`; `lean-oracle functions` lists the names. -/
  | app (name : String) (x : Expr)
  /-- `-x` -/
  | protected neg (x : Expr)
  /-- `x + y` -/
  | protected add (x y : Expr)
  /-- `x - y` -/
  | protected sub (x y : Expr)
  /-- `x * y` -/
  | protected mul (x y : Expr)
  /-- `x / y` -/
  | protected div (x y : Expr)
  /-- `x ^ y`. For a constant `y` by the rules for integer and fractional exponents, else
  `exp (y * log x)`. -/
  | protected pow (x y : Expr)
  /-- The lesser of two. -/
  | protected min (x y : Expr)
  /-- The greater of two. -/
  | protected max (x y : Expr)
  /-- `yes` where `x < y`, `no` elsewhere. -/
  | ifLt (x y yes no : Expr)
  /-- `yes` where `x ≤ y`, `no` elsewhere. -/
  | ifLe (x y yes no : Expr)
  /-- `body`, in which the variable `name` stands for `value`. It is evaluated once. -/
  | letIn (name : String) (value body : Expr)
  deriving Repr, Inhabited, DecidableEq

namespace Expr

/-! ### Numbers -/

/-- A number from its text, taken exactly; short for `Expr.const`. -/
abbrev c (text : String) : Expr := const text

/-- An exact rational number. -/
def ofRat (q : Rat) : Expr :=
  const (if q.den == 1 then toString q.num else s!"{q.num}/{q.den}")

instance (n : Nat) : OfNat Expr n := ⟨const (toString n)⟩

/-- The number `m * 10 ^ -e` or, unless `negative`, `m * 10 ^ e`. -/
protected def ofScientific (m : Nat) (negative : Bool) (e : Nat) : Expr :=
  const <|
    if negative then
      let digits := (toString m).toList
      if e < 40 && 0 < e then
        let digits := List.replicate (e + 1 - digits.length) '0' ++ digits
        String.ofList (digits.take (digits.length - e)) ++ "."
          ++ String.ofList (digits.drop (digits.length - e))
      else s!"{m}e-{e}"
    else if e == 0 then toString m
    else s!"{m}e{e}"

/-- A decimal literal, exactly: `0.1` is one tenth. -/
instance : OfScientific Expr := ⟨Expr.ofScientific⟩

instance : Coe Nat Expr := ⟨fun n => const (toString n)⟩
instance : Coe Int Expr := ⟨fun n => const (toString n)⟩
instance : Coe Rat Expr := ⟨ofRat⟩
instance : Coe Decimal Expr := ⟨fun x => const (toString x)⟩

/-- The circle constant. -/
protected def pi : Expr := const "pi"

/-- Euler's number, the value of `exp` at 1. -/
protected def e : Expr := const "e"

/-- The golden ratio, `(1 + √5) / 2`. -/
protected def golden : Expr := const "golden"

/-! ### Operations -/

instance : Neg Expr := ⟨Expr.neg⟩
instance : Add Expr := ⟨Expr.add⟩
instance : Sub Expr := ⟨Expr.sub⟩
instance : Mul Expr := ⟨Expr.mul⟩
instance : Div Expr := ⟨Expr.div⟩
instance : Min Expr := ⟨Expr.min⟩
instance : Max Expr := ⟨Expr.max⟩
instance : Pow Expr Nat := ⟨fun x n => Expr.pow x n⟩
instance : Pow Expr Int := ⟨fun x n => Expr.pow x n⟩
instance : Pow Expr Rat := ⟨fun x q => Expr.pow x q⟩
instance : Pow Expr Expr := ⟨Expr.pow⟩
instance : HPow Nat Expr Expr := ⟨fun n x => Expr.pow n x⟩

/-- The sum of a list; 0 for the empty one. -/
def sum : List Expr → Expr
  | [] => 0
  | x :: xs => xs.foldl (· + ·) x

/-- The product of a list; 1 for the empty one. -/
def prod : List Expr → Expr
  | [] => 1
  | x :: xs => xs.foldl (· * ·) x

/-- `body` of a shared part: `shared "y" (sin x) fun y => y * exp (-y)` evaluates `sin x` once. The
name must be that of no other variable in `body`. -/
def shared (name : String) (value : Expr) (body : Expr → Expr) : Expr :=
  letIn name value (body (var name))

/-! ### Functions -/

/-- The exponential function. -/
def exp : Expr → Expr := app "exp"
/-- The natural logarithm. -/
def log : Expr → Expr := app "log"
/-- The square root. -/
def sqrt : Expr → Expr := app "sqrt"
/-- The real cube root. -/
def cbrt : Expr → Expr := app "cbrt"
/-- The absolute value. -/
def abs : Expr → Expr := app "abs"
/-- The sine. -/
def sin : Expr → Expr := app "sin"
/-- The cosine. -/
def cos : Expr → Expr := app "cos"
/-- The tangent. -/
def tan : Expr → Expr := app "tan"
/-- The inverse sine. -/
def asin : Expr → Expr := app "asin"
/-- The inverse cosine. -/
def acos : Expr → Expr := app "acos"
/-- The inverse tangent. -/
def atan : Expr → Expr := app "atan"
/-- The hyperbolic sine. -/
def sinh : Expr → Expr := app "sinh"
/-- The hyperbolic cosine. -/
def cosh : Expr → Expr := app "cosh"
/-- The hyperbolic tangent. -/
def tanh : Expr → Expr := app "tanh"
/-- The logistic function `1 / (1 + exp (-x))`. -/
def sigmoid : Expr → Expr := app "sigmoid"
/-- The greater of 0 and `x`. -/
def relu : Expr → Expr := app "relu"
/-- The gamma function. -/
def gamma : Expr → Expr := app "gamma"
/-- The error function. -/
def erf : Expr → Expr := app "erf"

/-! ### From expressions to texts -/

/-- The operands, in order; of `letIn` the value and the body. -/
def operands : Expr → List Expr
  | var _ | const _ => []
  | app _ x | .neg x => [x]
  | .add x y | .sub x y | .mul x y | .div x y | .pow x y => [x, y]
  | .min x y | .max x y | letIn _ x y => [x, y]
  | ifLt x y yes no | ifLe x y yes no => [x, y, yes, no]

/-- A step of `fold`. -/
private inductive Step where
  /-- Work out this expression. -/
  | visit (e : Expr)
  /-- Combine the last results, which are those of the operands of this expression. -/
  | combine (e : Expr)

/-- Works upward from the leaves: `f e [r₁, …]` is the result of `e`, whose operands have the
results `r₁, …`. This is a loop with its own stack, so depth is limited by memory only. -/
partial def fold [Inhabited β] (f : Expr → List β → β) (e : Expr) : β :=
  loop [.visit e] []
where
  /-- `results` has the latest first. -/
  loop : List Step → List β → β
    | [], results => results.headD default
    | .visit e :: steps, results =>
      match e.operands with
      | [] => loop steps (f e [] :: results)
      | xs => loop (xs.map .visit ++ .combine e :: steps) results
    | .combine e :: steps, results =>
      let n := e.operands.length
      loop steps (f e (results.take n).reverse :: results.drop n)

/-- The name of the operation in requests; `""` for those that have a form of their own. -/
private def opName : Expr → String
  | var _ | const _ | letIn .. => ""
  | app name _ => name
  | .neg _ => "neg"
  | .add .. => "add"
  | .sub .. => "sub"
  | .mul .. => "mul"
  | .div .. => "div"
  | .pow .. => "pow"
  | .min .. => "min"
  | .max .. => "max"
  | ifLt .. => "if_lt"
  | ifLe .. => "if_le"

/-- The expression as a node of a JSON request. -/
protected def toJson : Expr → Json :=
  fold fun e args =>
    match e, args with
    | var name, _ => Json.mkObj [("var", name)]
    | const text, _ => Json.mkObj [("const", text)]
    | letIn name .., [value, body] =>
      Json.mkObj [("let", Json.mkObj [(name, value)]), ("in", body)]
    | e, args => Json.mkObj [("op", e.opName), ("args", Json.arr args.toArray)]

instance : ToJson Expr := ⟨Expr.toJson⟩

/-- How tightly a text holds together: 0 `let`, 1 sums, 2 products, 3 signs, 4 powers, 5 others. -/
private abbrev Tightness := Nat

/-- Parentheses where the text is looser than `least`. -/
private def atLeast (least : Tightness) : String × Tightness → String
  | (text, t) => if t < least then s!"({text})" else text

/-- Whether the text of a constant needs no parentheses. -/
private def isPlain (text : String) : Bool :=
  match text.toList with
  | [] | '-' :: _ => false
  | cs => (Decimal.ofString? text).isSome || cs.all fun a => a.isAlphanum || a == '_'

/-- The expression as the oracle reads it from text (a ball in the notation of Arb has no such
form). -/
protected def toString (e : Expr) : String :=
  (fold render e).1
where
  /-- The text of an operation from those of its operands. -/
  render : Expr → List (String × Tightness) → String × Tightness
    | var name, _ => (name, 5)
    | const text, _ => (if isPlain text then text else s!"({text})", 5)
    | .neg _, [x] => (s!"-{atLeast 4 x}", 3)
    | .add .., [x, y] => (s!"{atLeast 1 x} + {atLeast 2 y}", 1)
    | .sub .., [x, y] => (s!"{atLeast 1 x} - {atLeast 2 y}", 1)
    | .mul .., [x, y] => (s!"{atLeast 2 x} * {atLeast 4 y}", 2)
    | .div .., [x, y] => (s!"{atLeast 2 x} / {atLeast 4 y}", 2)
    | .pow .., [x, y] => (s!"{atLeast 5 x}^{atLeast 4 y}", 4)
    | ifLt .., [x, y, yes, no] => (s!"if({x.1} < {y.1}, {yes.1}, {no.1})", 5)
    | ifLe .., [x, y, yes, no] => (s!"if({x.1} <= {y.1}, {yes.1}, {no.1})", 5)
    | letIn name .., [value, body] => (s!"let {name} = {value.1}; {body.1}", 0)
    | e, args => (s!"{e.opName}({", ".intercalate (args.map (·.1))})", 5)

instance : ToString Expr := ⟨Expr.toString⟩

end Expr

end LeanOracle
