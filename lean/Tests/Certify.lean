/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

/-!
# Tests of certificates

The checker as compiled code, against values at rational points that `Term.eval` computes. Random
expressions come from a generator with a fixed seed. Each test is a name and what went wrong, which is
empty if nothing did.
-/

namespace Tests.Certify

open LeanOracle LeanOracle.Certify

/-! ### Random data -/

/-- Computations with random numbers. -/
abbrev Gen := StateM Nat

/-- A number below `n`. -/
def below (n : Nat) : Gen Nat := do
  let s := (← get) * 6364136223846793005 + 1442695040888963407
  set (s % 2 ^ 64)
  return s / 2 ^ 33 % 2 ^ 31 % n

/-- An integer from `-n` to `n`. -/
def within (n : Nat) : Gen Int := do return ((← below (2 * n + 1)) : Int) - n

/-- An expression in `vars` variables; with `div`, there may be divisions by expressions. -/
def expr (vars : Nat) (div : Bool) : (depth : Nat) → Gen Term
  | 0 => do
    if (← below 3) < 2 then return .var (← below vars)
    else return .num (← within 5) ((← below 4) + 1)
  | depth + 1 => do
    let k ← below 9
    if k < 3 then return .add (← expr vars div depth) (← expr vars div depth)
    else if k < 4 then return .sub (← expr vars div depth) (← expr vars div depth)
    else if k < 6 then return .mul (← expr vars div depth) (← expr vars div depth)
    else if k < 7 then return .pow (← expr vars div depth) (← below 4)
    else if k < 8 then return .neg (← expr vars div depth)
    else if div then return .div (← expr vars div depth) (← expr vars div depth)
    else expr vars div depth

/-- A box, with intervals that may be points. -/
def box (vars : Nat) : Gen Box :=
  (List.range vars).mapM fun _ => do
    let lo ← within 4
    return ⟨lo, lo + (← below 4), (← below 3) + 1⟩

/-- The fraction of that numerator and denominator. -/
def frac (p : Int) (q : Nat) : Frac := Frac.ofInt p / nat q

/-- Points of a box: the ends and some between, in every combination. -/
def points (parts : Nat) : Box → List (List Frac)
  | [] => [[]]
  | s :: box =>
    let rest := points parts box
    (List.range (parts + 1)).flatMap fun (k : Nat) =>
      let x := frac (s.lo * (parts : Int) + (s.hi - s.lo) * (k : Int)) (s.den * parts)
      rest.map (x :: ·)

/-- The claim at a point, decided. -/
def holds (rel : Rel) (x : Frac) : Bool :=
  match rel with
  | .le => decide (0 ≤ x)
  | .lt => decide (0 < x)
  | .ne => decide (x ≠ 0)

/-- A certificate found by halving, the variables in turn. -/
def search (rel : Rel) (e : Term) (box : Box) : (depth : Nat) → (i : Nat) → Option Tree
  | 0, _ => if check rel e box .leaf then some .leaf else none
  | depth + 1, i =>
    if check rel e box .leaf then some .leaf else
    let s := box.side i
    let p := s.lo + s.hi
    let q := 2 * s.den
    let next := if i + 1 < box.length then i + 1 else 0
    match search rel e (box.modify (·.below p q) i) depth next,
        search rel e (box.modify (·.above p q) i) depth next with
    | some low, some high => some (.split i p q low high)
    | _, _ => none

/-- A certificate of any shape, with cuts that may lie outside. -/
def tree : (depth : Nat) → Gen Tree
  | 0 => return .leaf
  | depth + 1 => do
    if (← below 4) < 1 then return .leaf
    else return .split (← below 3) (← within 30) ((← below 9) + 1) (← tree depth) (← tree depth)

/-! ### The tests -/

/-- What the checker accepts holds at points of the box. Also counts what it accepts, so that a
checker that accepts nothing is noticed. -/
def accepted (div : Bool) (runs : Nat) : Gen (Nat × List String) := do
  let mut count := 0
  let mut wrong := []
  for _ in List.range runs do
    let vars := (← below 3) + 1
    let e ← expr vars div 3
    let b ← box vars
    for rel in [Rel.le, .lt, .ne] do
      -- also claims about `e` plus a number, which are false more often than not
      for shift in [(0 : Int), 1, -1, 4, -4] do
        let f := Term.sub e (.num shift 1)
        if check rel f b .leaf then
          count := count + 1
          for x in points 3 b do
            unless holds rel (f.eval (nth 0 x)) do
              wrong := s!"{repr rel} {repr f} on {repr b} at {x}" :: wrong
  return (count, wrong)

/-- The sum of terms `c * x ^ k`, and the claim that it is at least its least value, found at points,
plus something: false, whatever the certificate. -/
def falseClaims (runs : Nat) : Gen (List String) := do
  let mut wrong := []
  for _ in List.range runs do
    let vars := (← below 2) + 1
    let e ← expr vars false 3
    let b ← box vars
    match points 4 b with
    | [] => wrong := "no points" :: wrong
    | p :: ps =>
      let least := ps.foldl (fun m x => min m (e.eval (nth 0 x))) (e.eval (nth 0 p))
      -- `e > least`, and `e ≥ least + 1 / 1000`
      let bound : Term := .num least.num least.den
      if (search .lt (.sub e bound) b 4 0).isSome then wrong := s!"{repr e} > {least}" :: wrong
      if (search .le (.sub e (.add bound (.num 1 1000))) b 4 0).isSome then
        wrong := s!"{repr e} ≥ {least} + 1/1000" :: wrong
      -- true, with room, and found
      if (search .lt (.sub e (.sub bound (.num 100000000 1))) b 4 0).isNone then
        wrong := s!"no certificate for {repr e} on {repr b}" :: wrong
  return wrong

/-- Bounds of `x * (1 - x)` on `[0, 1]`: those that hold, and no others. -/
def parabola : List String :=
  let x := Term.var 0
  let cut := Tree.split 0 1 2 .leaf .leaf
  (List.range 401).filterMap fun (k : Nat) =>
    let bound := Term.num (k : Int) 800
    let got := check .le (.sub bound (x * (1 - x))) [⟨0, 1, 1⟩] cut
    if got == decide (200 ≤ k) then none else some s!"{k}/800: {got}"

/-- What must be refused for other reasons than signs. -/
def refused : List String :=
  let x := Term.var 0
  let cases : List (String × Bool) :=
    [("a number without denominator", check .le (.num 1 0) [⟨0, 1, 1⟩] .leaf),
     ("an end without denominator", check .le x [⟨0, 1, 0⟩] .leaf),
     ("a cut without denominator", check .le x [⟨0, 1, 1⟩] (.split 0 1 0 .leaf .leaf)),
     ("a variable without interval", check .le (Term.var 1 ^ 2) [⟨0, 1, 1⟩] .leaf),
     ("a power of it", check .le (Term.var 1 ^ 0) [⟨0, 1, 1⟩] .leaf),
     ("a pole inside", check .lt (1 / (x * x)) [⟨-1, 1, 1⟩] .leaf),
     ("a pole at the end", check .lt (1 / x) [⟨0, 1, 1⟩] .leaf),
     ("a pole that cancels", check .le (x / x) [⟨0, 1, 1⟩] .leaf),
     ("division by zero", check .le (x / 0) [⟨0, 1, 1⟩] .leaf),
     ("division by a pole", check .le (1 / (1 / x)) [⟨0, 1, 1⟩] .leaf),
     ("half of the box", check .le x [⟨-1, 1, 1⟩] (.split 0 0 1 .leaf .leaf))]
  cases.filterMap fun (name, accepted) => if accepted then some name else none

/-- Certificates go through both notations of the compact form. -/
def roundTrip (runs : Nat) : Gen (List String) := do
  let mut wrong := []
  for _ in List.range runs do
    let t ← tree 5
    for names in [[], ["x"], ["x", "y", "long_name"]] do
      match Tree.ofText (t.toText names) names with
      | .ok u => unless u == t do wrong := t.toText names :: wrong
      | .error e => wrong := e :: wrong
  return wrong

/-- Texts that are no certificates. -/
def malformed : List String :=
  ["", " ", "..", ". .", "(", ")", "()", "(.)", "(x)", "(x 1 .)", "(x 1 . .", "(x 1 . .) .",
    "(x 1 . . .)", "((x 1 . .))", "(y 1 . .)", "(x 1/0 . .)", "(x 1/-2 . .)", "(x - . .)",
    "(x 1/ . .)", "(x /2 . .)", "(x 1.5 . .)", "(x 1e3 . .)", "(-1 1 . .)", "(x 1/2/3 . .)",
    "(x 1 . .))", "x", "(x 1 . y)"].filter fun s =>
      match Tree.ofText s ["x"] with
      | .ok _ => true
      | .error _ => false

/-- An answer of the oracle is read, and believed only if the checker accepts it. -/
def answers : List String :=
  let x := Term.var 0
  let q := question .le (1 / 4 - x * (1 - x)) [⟨0, 1, 1⟩]
  let answer (certificate : String) : Option Certificate :=
    match Lean.Json.parse ("{\"verdict\": \"proved\", \"certificate\": \"" ++ certificate ++ "\", \"leaves\": 9}") >>= q.read with
    | .ok c => some c
    | .error _ => none
  let cases : List (String × Bool) :=
    [("the answer", answer "(x0 1/2 . .)" == some { tree := .split 0 1 2 .leaf .leaf, leaves := 2 }),
     ("a wrong cut", answer "(x0 1/3 . .)" == none),
     ("no cut", answer "." == none),
     ("another variable", answer "(x1 1/2 . .)" == none),
     ("the request", q.request.compress.length > 0 && (q.request.getObjVal? "claim").toOption
       == some (Lean.Json.str "ge"))]
  cases.filterMap fun (name, right) => if right then none else some name

/-- Asks the native side about the least value of random expressions, and then for certificates that
they are above a little less, and that they are not above a little more. The count of the first, and
what went wrong. -/
def native (div : Bool) (count seed : Nat) : IO (Nat × List String) := do
  let (cases, _) := ((List.range count).mapM fun k => do
    let vars := k % 2 + 1
    return (← expr vars div 3, ← box vars)).run seed
  let mut proved := 0
  let mut wrong := []
  for (e, box) in cases do
    let names := (List.range box.length).map fun i => s!"x{i}"
    let sides := (names.zip box).map fun (name, s) => (name, s!"{s.lo}/{s.den}", s!"{s.hi}/{s.den}")
    let .ok r ← Arb.rangeE (e.toExpr names) sides { digits := 6, maxNodes := some 300000 } | continue
    unless r.tight && r.outputBall.exp ≤ 0 do continue
    let lo := r.outputBall.lo
    let least := Term.num lo.num (10 ^ (-lo.exp).toNat)
    match ← certifyE .le (e - least + 1 / 50) box (maxNodes := some 1000000) with
    | .ok _ => proved := proved + 1
    | .error err => wrong := s!"not proved: {repr e} on {repr box}: {err}" :: wrong
    let least := Term.num (r.outputBall.lo.num + 1) (10 ^ (-lo.exp).toNat)
    if let .ok c ← certifyE .lt (e - least - 1 / 50) box (maxNodes := some 100000) then
      wrong := s!"proved: {repr e} on {repr box} by {c.tree}" :: wrong
  return (proved, wrong)

/-- All tests: a name, and what went wrong. -/
def all : List (String × List String) :=
  let (n, wrong) := (accepted false 150).run' 1
  let (m, wrongDiv) := (accepted true 150).run' 2
  [(s!"{n} accepted claims about polynomials hold at points",
      if n < 100 then ["too few"] else wrong),
    (s!"{m} accepted claims about quotients hold at points",
      if m < 100 then ["too few"] else wrongDiv),
    ("certificates are found for true claims and for no false ones", (falseClaims 60).run' 3),
    ("bounds of a parabola", parabola),
    ("poles, variables without interval, denominators that are zero", refused),
    ("compact form, there and back", (roundTrip 100).run' 4),
    ("malformed texts", malformed),
    ("answers of the oracle", answers)]

end Tests.Certify
