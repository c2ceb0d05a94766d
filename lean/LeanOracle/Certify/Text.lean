/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Check

/-!
# Certificates as text

Two notations for a certificate. `repr` writes what can stand in a Lean file:
`.split 0 1 2 .leaf .leaf`. `toString` writes the compact form in which the oracle answers, and
`Tree.ofText` reads it:

```
tree   ::= "." | "(" var space number space tree space tree ")"
var    ::= name | digits
number ::= ["-"] digits ["/" digits]
```

`.` is a leaf, and `(x 1/2 L R)` cuts the variable `x` at one half: `L` is for the part below, `R`
for that above. A variable is called by its name in the list of names that goes with the text, or by
its number there, from 0. The denominator is not zero. Spaces may be left out next to a parenthesis
or a `.`, and there may be more of them.
-/

namespace LeanOracle.Certify

namespace Tree

/-- How many boxes the certificate cuts a box into. -/
def leaves : Tree → Nat
  | leaf => 1
  | split _ _ _ low high => low.leaves + high.leaves

/-- The certificate as a Lean term. -/
protected def repr (prec : Nat) : Tree → Std.Format
  | leaf => ".leaf"
  | split i p q low high =>
    let p := if p < 0 then s!"({p})" else s!"{p}"
    let f := f!".split {i} {p} {q}" ++ .nest 2 (.line ++ low.repr 1024 ++ .line ++ high.repr 1024)
    .group (if prec ≥ 1024 then "(" ++ f ++ ")" else f)

instance : Repr Tree := ⟨fun t prec => t.repr prec⟩

/-- The certificate in the compact form, where variable `i` is called by entry `i` of `names`, or by
its number. -/
def toText (names : List String := []) : Tree → String
  | leaf => "."
  | split i p q low high =>
    let name := nth (toString i) names i
    let den := if q == 1 then "" else s!"/{q}"
    s!"({name} {p}{den} {low.toText names} {high.toText names})"

instance : ToString Tree := ⟨fun t => t.toText⟩

/-- Parentheses, dots and words. -/
private def tokens : List Char → (word : List Char) → List String
  | [], word => flush word []
  | c :: rest, word =>
    if c == '(' || c == ')' || (c == '.') then flush word (c.toString :: tokens rest [])
    else if c.isWhitespace then flush word (tokens rest [])
    else tokens rest (c :: word)
where
  /-- The word, given backwards, in front of other tokens. -/
  flush (word : List Char) (more : List String) : List String :=
    if word.isEmpty then more else String.ofList word.reverse :: more

/-- Digits as a number. -/
private def readNat (s : String) : Except String Nat :=
  let digits := s.toList
  if digits.isEmpty || !digits.all (fun c => '0' ≤ c && c ≤ '9') then
    throw s!"Expected digits, got '{s}'"
  else return digits.foldl (fun n c => 10 * n + (c.toNat - '0'.toNat)) 0

/-- A number in the compact form. -/
private def readNumber (s : String) : Except String (Int × Nat) := do
  let chars := s.toList
  let (negative, chars) := match chars with
    | '-' :: chars => (true, chars)
    | chars => (false, chars)
  let p : Nat ← readNat (String.ofList (chars.takeWhile (· != '/')))
  let q : Nat ← match chars.dropWhile (· != '/') with
    | [] => pure 1
    | _ :: den => readNat (String.ofList den)
  if q < 1 then throw s!"Expected number, got '{s}'"
  return (if negative then -(p : Int) else p, q)

/-- The position of a name in a list. -/
private def position (name : String) : List String → Option Nat
  | [] => none
  | x :: names => if x == name then some 0 else (position name names).map (· + 1)

/-- A certificate at the head of a list of tokens, and what follows it. -/
private def parse (names : List String) : (fuel : Nat) → List String →
    Except String (Tree × List String)
  | 0, _ => throw "Expected certificate, got nothing"
  | _ + 1, "." :: rest => return (leaf, rest)
  | fuel + 1, "(" :: name :: number :: rest => do
    let i : Nat ← match position name names with
      | some i => pure i
      | none => readNat name
    let (p, q) ← readNumber number
    let (low, rest) ← parse names fuel rest
    let (high, rest) ← parse names fuel rest
    match rest with
    | ")" :: rest => return (split i p q low high, rest)
    | _ => throw s!"Expected ')', got '{rest.headD "nothing"}'"
  | _, rest => throw s!"Expected certificate, got '{rest.headD "nothing"}'"

/-- Reads the compact form, in which variable `i` is called by entry `i` of `names`, or by its
number. -/
def ofText (text : String) (names : List String := []) : Except String Tree := do
  let tokens := tokens text.toList []
  match ← parse names tokens.length tokens with
  | (tree, []) => return tree
  | (_, token :: _) => throw s!"Expected end of certificate, got '{token}'"

end Tree

end LeanOracle.Certify
