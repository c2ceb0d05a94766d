/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Text
import LeanOracle.Questions

/-!
# Asking for certificates

The oracle proposes a certificate, and it is checked before it is shown. The request is

```
{"kind": "certify", "vars": {"x": {"lo": "0", "hi": "1"}}, "expr": …, "claim": "ge", "bound": "0"}
```

with an expression in the form of the other questions; the claim is `"ge"`, `"gt"` or `"ne"`. The
answer has the certificate in the compact form, in which variables are called by their names, and
the number of its leaves:

```
{"status": "ok", "verdict": "proved", "certificate": "(x 1/2 . .)", "leaves": 2}
```
-/

namespace LeanOracle.Certify

open Lean (Json)

/-- The expression as the oracle takes it, where variable `i` is called by entry `i` of `names`. -/
def Term.toExpr (names : List String) : Term → Expr
  | num p q => .const (if q == 1 then s!"{p}" else s!"{p}/{q}")
  | var i => .var (nth s!"x{i}" names i)
  | .add a b => .add (a.toExpr names) (b.toExpr names)
  | .sub a b => .sub (a.toExpr names) (b.toExpr names)
  | .mul a b => .mul (a.toExpr names) (b.toExpr names)
  | .neg a => .neg (a.toExpr names)
  | .pow a k => .pow (a.toExpr names) (.const s!"{k}")
  | .div a b => .div (a.toExpr names) (b.toExpr names)

/-- A certificate that was checked. -/
structure Certificate where
  /-- The certificate. -/
  tree : Tree
  /-- The number of its leaves. -/
  leaves : Nat
  deriving Repr, Inhabited, DecidableEq

/-- The names `x0`, `x1`, … for the variables from number `i` on. -/
private def defaultNames (i : Nat) : Box → List String
  | [] => []
  | _ :: box => s!"x{i}" :: defaultNames (i + 1) box

/-- The variables of a request. -/
private def varsField : List String → Box → List (String × Json)
  | name :: names, s :: box =>
    (name, Json.mkObj [("lo", Json.str s!"{s.lo}/{s.den}"), ("hi", Json.str s!"{s.hi}/{s.den}")])
      :: varsField names box
  | _, _ => []

/-- What shows that `0 ≤ e`, `0 < e` or `e ≠ 0`, according to `rel`, on the box? A certificate that
does not is an error. -/
def question (rel : Rel) (e : Term) (box : Box) (timeoutMs maxNodes : Option Nat := none) :
    Arb.Question Certificate :=
  let names := defaultNames 0 box
  let claim := match rel with
    | .le => "ge"
    | .lt => "gt"
    | .ne => "ne"
  let limit (name : String) (n : Option Nat) : List (String × Json) :=
    match n with
    | some n => [(name, (n : Json))]
    | none => []
  { request := Json.mkObj <|
      [("kind", Json.str "certify"), ("vars", Json.mkObj (varsField names box)),
        ("expr", (e.toExpr names).toJson), ("claim", Json.str claim), ("bound", Json.str "0")]
        ++ limit "timeout_ms" timeoutMs ++ limit "max_nodes" maxNodes
    read := fun j => do
      match ← Arb.jsonToString (← j.getObjVal? "verdict") with
      | "proved" => pure ()
      | "false" => throw s!"The claim is false at {(← j.getObjVal? "witness").compress}"
      | _ => throw "Neither a certificate nor a point at which the claim is false was found"
      let tree ← Tree.ofText (← Arb.jsonToString (← j.getObjVal? "certificate")) names
      unless box.valid && check rel e box tree do
        throw s!"Expected certificate of the claim, got '{tree}'"
      return { tree, leaves := tree.leaves } }

/-- What shows that `0 ≤ e`, `0 < e` or `e ≠ 0`? Returns refusals as values. -/
def certifyE (rel : Rel) (e : Term) (box : Box) (timeoutMs maxNodes : Option Nat := none) :
    IO (Except Arb.Error Certificate) :=
  (question rel e box timeoutMs maxNodes).askE

/-- Prints a certificate that can be copied into a Lean file, behind `certify […]`. Throws
refusals. -/
def certify? (rel : Rel) (e : Term) (box : Box) (timeoutMs maxNodes : Option Nat := none) :
    IO Unit := do
  let a ← (question rel e box timeoutMs maxNodes).ask
  IO.println ((a.tree.repr 1024).pretty 100)

end LeanOracle.Certify
