/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle
import Tests.Arithmetic
import Tests.Certify
import Tests.Harness
import Tests.Malformed
import Tests.Matrices
import Tests.Repl
import Tests.TorchLean
import Tests.Transport

/-!
# Run-time tests

`lake exe Tests`, `lake test`, or `scripts/lean-check` where there is no Lake. Prints one line a
check and a summary; the exit code is 0 when nothing failed. Expected values come from mpmath at 120
digits or from arithmetic that is done here, never from the oracle itself.

With `LEAN_ORACLE_TEST_PANIC=1` in the environment the native library accepts a request that panics;
the last group then checks that a panic becomes an error and the process survives it.
-/

namespace Tests

open LeanOracle LeanOracle.Arb
open Lean (Json)

/-- `x` and `y` have the same value. -/
def sameValue (x y : Decimal) : Bool := x ≤ y && y ≤ x

/-- A decimal in a test; not for input that may be malformed. -/
def dec! (s : String) : Decimal := (Decimal.ofString? s).getD ⟨0, 0⟩

/-! ### Decimals and balls -/

def ballTests : TestM Unit := do
  -- every comparison of a grid against the comparison of rationals
  let nums : List Int := [-1000, -999, -12, -10, -2, -1, 0, 1, 3, 10, 11, 99, 100, 1001]
  let grid := nums.flatMap fun n => [-3, -1, 0, 2].map fun e => (⟨n, e⟩ : Decimal)
  let wrong := grid.flatMap fun x => grid.filter fun y =>
    decide (x ≤ y) != decide (x.toRat ≤ y.toRat) || decide (x < y) != decide (x.toRat < y.toRat)
      || decide (x.leRat y.toRat) != decide (x.toRat ≤ y.toRat)
      || decide (x.geRat y.toRat) != decide (y.toRat ≤ x.toRat)
  check s!"comparisons agree with rationals on {grid.length ^ 2} pairs" wrong.isEmpty
    s!"wrong right sides: {wrong.map toString}"
  let huge : Int := 10 ^ 30
  check "1e(10^30) > 1" (decide ((1 : Decimal) < ⟨1, huge⟩))
  check "1e-(10^30) > 0" (decide ((0 : Decimal) < ⟨1, -huge⟩))
  check "-1e(10^30) < -1e-(10^30)" (decide ((⟨-1, huge⟩ : Decimal) < ⟨-1, -huge⟩))
  check "0e(10^30) = 0" (sameValue ⟨0, huge⟩ 0)
  check "10e(10^30) = 1e(10^30 + 1)" (sameValue ⟨10, huge⟩ ⟨1, huge + 1⟩)
  check "9e(10^30) < 1e(10^30 + 1)" (decide ((⟨9, huge⟩ : Decimal) < ⟨1, huge + 1⟩))
  let read (s : String) : Option (Int × Int) := (Decimal.ofString? s).map fun x => (x.num, x.exp)
  checkEq "reads -1.25e-7" (read "-1.25e-7") (some (-125, -9))
  checkEq "reads 7" (read "7") (some (7, 0))
  checkEq "reads 1.E+3" (read "1.E+3") (some (1, 3))
  for s in ["", "-", ".", "e5", "1e", "1e+", "1.2.3", "--1", "1_0", " 1", "1/2", "inf", "٣"] do
    checkEq s!"does not read '{s}'" (read s) none
  let b : MidRad10Exp := ⟨5, 3, -1⟩  -- [0.2, 0.8]
  check "ball contains its ends" (decide (b.contains 0.2) && decide (b.contains 0.8))
  check "ball does not contain 0.19 or 0.81"
    (!decide (b.contains 0.19) && !decide (b.contains 0.81))
  check "ball contains 1/3, not 1/6 and 5/6"
    (decide (b.containsRat (1 / 3)) && !decide (b.containsRat (1 / 6))
      && !decide (b.containsRat (5 / 6)))
  check "rational bounds" (b.toRatBounds == (1 / 5, 4 / 5))
  check "rational bounds, positive exponent"
    ((⟨5, 3, 2⟩ : MidRad10Exp).toRatBounds == (200, 800))
  check "rational bounds are refused beyond the limit"
    ((⟨1, 0, 1000001⟩ : MidRad10Exp).toRatBounds?.isNone
      && (⟨1, 0, -1000001⟩ : MidRad10Exp).toRatBounds?.isNone
      && (⟨1, 0, 3⟩ : MidRad10Exp).toRatBounds? == some (1000, 1000))
  check "width" (sameValue b.width 0.6)
  check "subset" (decide ((⟨50, 30, -2⟩ : MidRad10Exp).subset b)
    && !decide ((⟨50, 31, -2⟩ : MidRad10Exp).subset b)
    && !decide (b.subset ⟨51, 30, -2⟩))
  check "certainly ≤ and <" (decide (b.certainlyLe ⟨9, 1, -1⟩) && !decide (b.certainlyLt ⟨9, 1, -1⟩)
    && decide (b.certainlyLt ⟨91, 10, -2⟩) && !decide (b.certainlyLe ⟨89, 10, -2⟩))

/-! ### Enclosures -/

/-- A query and the ends of the true range, correct to 60 significant digits. -/
structure Known where
  func : String
  lo : String
  hi : String
  rangeLo : String
  rangeHi : String

def known : List Known := [
  ⟨"exp", "-1", "1",
    "3.67879441171442321595523770161460867445811131031767834507837e-1",
    "2.71828182845904523536028747135266249775724709369995957496697"⟩,
  ⟨"exp", "1/3", "1/3",
    "1.39561242508608952862812531960258683759790651519940698261752",
    "1.39561242508608952862812531960258683759790651519940698261752"⟩,
  ⟨"exp", "1000", "1001",
    "1.97007111401704699388887935224332312531693798532384578995280e+434",
    "5.35520851000460668392062686585732518416341422309750047939536e+434"⟩,
  ⟨"log", "0.5", "2",
    "-6.93147180559945309417232121458176568075500134360255254120680e-1",
    "6.93147180559945309417232121458176568075500134360255254120680e-1"⟩,
  ⟨"sqrt", "2", "3",
    "1.41421356237309504880168872420969807856967187537694807317668",
    "1.73205080756887729352744634150587236694280525381038062805581"⟩,
  ⟨"cos", "1", "1.1",
    "4.53596121425577387771370051784716122121467295662595047455938e-1",
    "5.40302305868139717400936607442976603732310420617922227670097e-1"⟩,
  ⟨"tan", "-1", "1",
    "-1.55740772465490223050697480745836017308725077238152003838395",
    "1.55740772465490223050697480745836017308725077238152003838395"⟩,
  ⟨"tanh", "-0.5", "0.5",
    "-4.62117157260009758502318483643672548730289280330113038552732e-1",
    "4.62117157260009758502318483643672548730289280330113038552732e-1"⟩,
  ⟨"sigmoid", "-1", "2",
    "2.68941421369995120748840758178163725634855359834943480723634e-1",
    "8.80797077977882444059729141302396795206384298628968275798405e-1"⟩,
  ⟨"atan", "-3", "1e10",
    "-1.24904577239825442582991707728109012307782940412989671905467",
    "1.57079632669489661923132169164008477543191803302088424382081"⟩,
  ⟨"erf", "0.25", "0.75",
    "2.76326390168236932985068267764815712065353977892311254082472e-1",
    "7.11155633653515131598937834591410777374205954096537232278133e-1"⟩,
  ⟨"zeta", "2", "4",
    "1.08232323371113819151600369654116790277475095191872690768298",
    "1.64493406684822643647241516664602518921894990120679843773556"⟩,
  ⟨"sinc", "3", "6",  -- the minimum is inside, at 4.49…
    "-2.17233628211221657408279325562470734223044915435587482365449e-1",
    "4.70400026866224073669149342693700932823110880840885280506275e-2"⟩]

def enclosureTests : TestM Unit := do
  for k in known do
    group s!"{k.func} on [{k.lo}, {k.hi}]" do
      let r ← run { func := k.func, lo := k.lo, hi := k.hi }
      let b := r.outputBall
      let (lo, hi) := (dec! k.rangeLo, dec! k.rangeHi)
      check s!"{k.func} on [{k.lo}, {k.hi}] contains the range"
        (decide (b.lo ≤ lo) && decide (hi ≤ b.hi)) s!"{b}"
      -- the values have 60 digits: ten more than were asked for
      let unit (x : Decimal) : Rat := (⟨1, x.exp + 10⟩ : Decimal).toRat
      check s!"{k.func} on [{k.lo}, {k.hi}] is tight to 50 digits"
        (r.tight && lo.toRat < b.lo.toRat + unit lo && b.hi.toRat < hi.toRat + unit hi) s!"{b}"
      check s!"{k.func} on [{k.lo}, {k.hi}]: texts and ball are the same interval"
        (sameValue (dec! r.outLo) b.lo && sameValue (dec! r.outHi) b.hi) s!"{r.outLo} {r.outHi} {b}"
      let coarse ← run { func := k.func, lo := k.lo, hi := k.hi, digits := 5 }
      check s!"{k.func} on [{k.lo}, {k.hi}]: 5 digits are wider than 50"
        (decide (b.subset coarse.outputBall) && decide (b.width < coarse.outputBall.width))
  -- ends that are exact
  let exact (func lo hi : String) (outLo outHi : Option Decimal) : TestM Unit :=
    group s!"{func} on [{lo}, {hi}]" do
      let r ← run { func, lo, hi, digits := 30 }
      let show? (x : Option Decimal) := (x.map toString).getD "_"
      check s!"{func} on [{lo}, {hi}] has exact ends {show? outLo}, {show? outHi}"
        (outLo.all (sameValue r.outputBall.lo) && outHi.all (sameValue r.outputBall.hi) && r.tight)
        s!"{r.outputBall}"
  exact "sqrt" "0" "4" (some 0) (some 2)
  exact "sqrt" "1/4" "2.25" (some 0.5) (some 1.5)
  exact "sin" "0" "4" none (some 1)
  exact "sin" "1" "2" none (some 1)
  exact "sin" "-100" "100" (some ⟨-1, 0⟩) (some 1)
  exact "cos" "3" "4" (some ⟨-1, 0⟩) none
  exact "exp" "0" "1" (some 1) none
  exact "log" "1" "2" (some 0) none
  exact "tanh" "0" "0" (some 0) (some 0)
  exact "gamma" "1" "2" none (some 1)
  exact "abs" "-3" "2" (some 0) (some 3)
  let zero ← run { func := "sin", lo := "0", hi := "0" }
  checkEq "exact zero is the ball 0 0 0" zero.outputBall ⟨0, 0, 0⟩
  for (lo, hi) in [("-5", "5"), ("-100", "100")] do
    let b := (← run { func := "tanh", lo, hi, digits := 20 }).outputBall
    check s!"tanh on [{lo}, {hi}] stays inside [-1, 1]" (decide (b.subset ⟨0, 1, 0⟩)) s!"{b}"
  let s := (← run { func := "sigmoid", lo := "-1000", hi := "1000", digits := 20 }).outputBall
  check "sigmoid on [-1000, 1000] stays inside (0, 1)"
    (decide (0 < s.lo) && decide (s.hi ≤ 1)) s!"{s}"
  -- the input is exact
  let t ← run { func := "exp", lo := "1/3", hi := "1/3" }
  check "the input ball of 1/3 contains 1/3" (decide (t.inputBall.containsRat (1 / 3)))
  let t ← run { func := "exp", lo := "-0.1", hi := "12.75" }
  check "the input ball of [-0.1, 12.75] is that interval"
    (sameValue t.inputBall.lo (dec! "-0.1") && sameValue t.inputBall.hi 12.75) s!"{t.inputBall}"
  checkEq "the query is echoed" (t.func, t.precBits, t.digits) ("exp", 200, 50)
  let t ← run { func := "sqrt", lo := "2", hi := "2", digits := 10 }
  checkEq "sqrt 2 to 10 digits" (t.outLo, t.outHi) ("1.414213562", "1.414213563")
  checkEq "sqrt 2 to 10 digits, as a ball" t.outputBall ⟨14142135625, 5, -10⟩
  check "bits used are reported" (40 ≤ t.bitsUsed && t.bitsUsed < 5000)
  let t ← run { func := "sqrt", lo := "2", hi := "2", digits := 10, precBits := 5000 }
  check "the starting precision is passed on" (5000 ≤ t.bitsUsed)

/-! ### Integers across the boundary -/

def integerTests : TestM Unit := do
  -- around the limits of the small integers of Lean's run-time system
  let ends : List Int := [0, 1, -1, 2 ^ 31 - 1, 2 ^ 31, -(2 ^ 31), -(2 ^ 31) - 1, 2 ^ 32,
    2 ^ 63 - 1, 2 ^ 63, -(2 ^ 63), -(2 ^ 63) - 1, 2 ^ 64, 10 ^ 40 + 1]
  for n in ends do
    let b := (← run { func := "neg", lo := toString n, hi := toString n }).outputBall
    check s!"neg {n} is exact" (b.toRatBounds == (mkRat (-n) 1, mkRat (-n) 1)) s!"{b}"
  -- a thousand digits, checked by squaring
  let r ← run { func := "sqrt", lo := "2", hi := "2", digits := 1000 }
  let (lo, hi) := r.outputBall.toRatBounds
  check "sqrt 2 to 1000 digits, checked by squaring"
    (0 < lo && lo * lo < 2 && 2 < hi * hi && hi - lo < mkRat 2 (10 ^ 999))
  let r ← run { func := "exp", lo := "1000000", hi := "1000000", digits := 20 }
  -- 3.03321539680…e434294
  check "exp 1000000 has 434295 digits before the point"
    (decide ((⟨30332153, 434287⟩ : Decimal) < r.outputBall.lo)
      && decide (r.outputBall.hi < ⟨30332154, 434287⟩)) s!"{r.outputBall}"

/-! ### Refusals -/

/-- Checks that a query is refused with a code. -/
def refused (q : Query) (code : ErrorCode) (field : String := "") : TestM Unit := do
  let short (s : String) := (String.ofList (s.toList.take 20)).quote
  let options := s!"{q.digits} digits, {q.precBits} bits"
  let name := s!"{short q.func} on [{short q.lo}, {short q.hi}], {options} is refused: {code}"
  match ← runE q with
  | .ok r => check name false s!"got {r.outputBall}"
  | .error e =>
    check name (e.code == code && (field.isEmpty || e.field == field) && !e.message.isEmpty)
      s!"got {e}"

def refusalTests : TestM Unit := do
  refused { func := "log", lo := "-1", hi := "1" } .domain
  refused { func := "sqrt", lo := "-1e-50", hi := "1" } .domain
  refused { func := "acosh", lo := "0.5", hi := "2" } .domain
  refused { func := "tan", lo := "1", hi := "2" } .pole
  refused { func := "inv", lo := "-1", hi := "1" } .pole
  refused { func := "tanhh", lo := "0", hi := "1" } .unknownFunction "func"
  refused { func := "", lo := "0", hi := "1" } .unknownFunction "func"
  refused { func := "exp\x00", lo := "0", hi := "1" } .unknownFunction "func"
  refused { func := "синус", lo := "0", hi := "1" } .unknownFunction "func"
  refused { func := "𝔢𝔵𝔭😀", lo := "0", hi := "1" } .unknownFunction "func"
  refused { func := String.ofList (List.replicate 100000 'x'), lo := "0", hi := "1" }
    .unknownFunction "func"
  refused { func := "exp", lo := "1", hi := "0" } .reversed
  refused { func := "exp", lo := "1", hi := "0.99999999999999999999999999999999999999" } .reversed
  refused { func := "exp", lo := "inf", hi := "inf" } .badNumber "lo"
  refused { func := "exp", lo := "0", hi := "inf" } .badNumber "hi"
  refused { func := "exp", lo := "nan", hi := "1" } .badNumber "lo"
  refused { func := "exp", lo := "", hi := "1" } .badNumber "lo"
  refused { func := "exp", lo := "0", hi := "1\x00" } .badNumber "hi"
  refused { func := "exp", lo := "٠", hi := "1" } .badNumber "lo"
  refused { func := "exp", lo := "1/0", hi := "1" } .badNumber "lo"
  refused { func := "exp", lo := "0", hi := "1e1000000000000" } .exponentLimit
  refused { func := "exp", lo := "1e15", hi := "1e15" } .exponentLimit
  refused { func := "exp", lo := "0", hi := "1", digits := 0 } .badRequest "digits"
  refused { func := "exp", lo := "0", hi := "1", digits := 2 ^ 32 } .badRequest "digits"
  refused { func := "exp", lo := "0", hi := "1", digits := 2 ^ 64 + 20 } .badRequest "digits"
  refused { func := "exp", lo := "0", hi := "1", precBits := 2 ^ 32 + 200 } .badRequest "prec_bits"
  let thrown ← try
      discard <| run { func := "log", lo := "-1", hi := "1" }
      pure ""
    catch e => pure (toString e)
  check "run throws the rendered error" (thrown.startsWith "Arb oracle: domain") thrown
  for code in ErrorCode.all do
    checkEq s!"code {code} reads back" (ErrorCode.ofString? code.toString) (some code)
  checkEq "an unknown code is internal" (Error.ofText "?" "m" "f").code .internal

/-! ### JSON -/

/-- Checks that a JSON request is refused with a code. -/
def refusedJson (name request : String) (code : ErrorCode) : TestM Unit := do
  match Json.parse (← FFI.callJson request) >>= parseError with
  | .ok e => check s!"JSON: {name} is refused: {code}" (e.code == code) s!"got {e}"
  | .error e => check s!"JSON: {name} is refused: {code}" false e

def jsonTests : TestM Unit := do
  for (func, lo, hi) in [("exp", "0", "1"), ("sqrt", "0", "4"), ("sin", "0", "4"),
      ("tanh", "-0.5", "0.5"), ("log", "1/3", "[2 +/- 1e-3]"), ("cos", "-1e3", "1e-5"),
      ("sigmoid", "-1", "2"), ("gamma", "1", "2"), ("sin", "0", "0"), ("exp", "-1e5", "1e5")] do
    for digits in [1, 17, 50] do
      let q : Query := { func, lo, hi, digits, precBits := 64 }
      group s!"JSON = typed: {func}" do
        let typed ← run q
        match parseResult (← runJson q) with
        | .ok r => checkEq s!"JSON = typed: {func} on [{lo}, {hi}], {digits} digits" r typed
        | .error e => check s!"JSON = typed: {func} on [{lo}, {hi}], {digits} digits" false e
  for q in ([{ func := "log", lo := "-1", hi := "1" }, { func := "tän\x00", lo := "0", hi := "1" },
      { func := "exp", lo := "x\"\\", hi := "1" }, { func := "exp", lo := "2", hi := "1" },
      { func := "exp", lo := "0", hi := "1", digits := 0 }] : List Query) do
    match ← runE q, ← requestE q.toJson with
    | .error e, .error e' => checkEq s!"JSON = typed: {e.code}" e' e
    | _, _ => check s!"JSON = typed: {q.func} is refused" false
  let thrown ← try
      discard <| runJson { func := "log", lo := "-1", hi := "1" }
      pure ""
    catch e => pure (toString e)
  check "runJson throws the rendered error" (thrown.startsWith "Arb oracle: domain") thrown
  refusedJson "an empty text" "" .parse
  refusedJson "half an object" "{\"func\":" .parse
  refusedJson "a deep array" ("{\"x\":" ++ String.ofList (List.replicate 100000 '[')) .parse
  refusedJson "an array" "[]" .badRequest
  refusedJson "an unknown kind" "{\"kind\":\"teapot\"}" .badRequest
  refusedJson "a request without func" "{\"kind\":\"unary\",\"lo\":\"0\",\"hi\":\"1\"}" .badRequest
  -- reading answers
  let ok := "{\"status\":\"ok\",\"func\":\"f\",\"ctx\":{\"prec_bits\":200,\"digits\":5},\
    \"input\":{\"ball\":{\"mid\":\"1\",\"rad\":\"0\",\"exp\":\"0\"}},\
    \"output\":{\"ball\":{\"mid\":\"-7\",\"rad\":\"2\",\"exp\":\"-3\"},\"lo\":\"-0.009\",\
    \"hi\":\"-0.005\"},\"tight\":true,\"bits_used\":64}"
  let readBack (text : String) : Option Result := (Json.parse text >>= parseResult).toOption
  checkEq "a result is read" (readBack ok)
    (some ⟨"f", 200, 5, ⟨1, 0, 0⟩, ⟨-7, 2, -3⟩, "-0.009", "-0.005", true, 64⟩)
  for (good, bad) in [("\"rad\":\"2\"", "\"rad\":\"-2\""), ("\"rad\":\"2\"", "\"rad\":2"),
      ("\"mid\":\"-7\"", "\"mid\":\"-7.5\""), ("\"mid\":\"-7\"", "\"mid\":\"nan\""),
      ("\"mid\":\"-7\"", "\"mid\":\"\""), ("\"mid\":\"-7\"", "\"mid\":\"-\""),
      ("\"mid\":\"-7\"", "\"mid\":\" 7\""), ("\"mid\":\"-7\"", "\"mid\":\"1_000\""),
      ("\"exp\":\"-3\"", "\"exp\":\"1e3\""), ("\"exp\":\"-3\"", "\"ex\":\"-3\""),
      ("\"lo\":\"-0.009\"", "\"lo\":null"), ("\"tight\":true", "\"tight\":1"),
      ("\"bits_used\":64", "\"bits_used\":-64"), ("\"digits\":5", "\"digits\":\"5\"")] do
    check s!"a result with {bad} is refused"
      (ok.replace good bad != ok && (readBack (ok.replace good bad)).isNone)

/-! ### Many calls, and at the same time -/

def loadTests : TestM Unit := do
  check "the ABI version is 1" ((← FFI.abiVersion) == 1)
  let queries : List Query := [
    { func := "exp", lo := "0", hi := "1" }, { func := "sqrt", lo := "2", hi := "3" },
    { func := "sin", lo := "0", hi := "4", digits := 200 },
    { func := "log", lo := "-1", hi := "1" }, { func := "nope", lo := "0", hi := "1" }]
  let answers (q : Query) : IO String := do
    let typed ← match ← runE q with
      | .ok r => pure s!"{r.outputBall} {r.outLo} {r.outHi} {r.bitsUsed}"
      | .error e => pure s!"{e}"
    return typed ++ (← FFI.callJson q.toJson.compress)
  let serial ← queries.mapM fun q => answers q
  let tasks ← (List.range 16).mapM fun i =>
    IO.asTask (prio := if i % 2 == 0 then .default else .dedicated) do
      let mut same := true
      for _ in [0:20] do
        for (q, expected) in queries.zip serial do
          same := same && (← answers q) == expected
      return same
  let results := tasks.map Task.get
  check "16 tasks get the answers of one"
    (results.all fun r => match r with | .ok same => same | .error _ => false)
  let requests := queries.map fun q => (q, q.toJson.compress)
  let rounds (n : Nat) : IO Unit := do
    for _ in [0:n] do
      for (q, text) in requests do
        discard <| FFI.unary q.func q.lo q.hi q.digits.toUInt32 q.precBits.toUInt32 0 0
        discard <| FFI.callJson text
  rounds 500
  let before ← residentPages
  rounds 5000
  match before, ← residentPages with
  | some a, some b => check "50000 calls do not leak" (b < a + 150) s!"{a} pages, then {b}"
  | _, _ => IO.println "skip  50000 calls do not leak (no /proc)"

/-! ### Expressions -/

section
open LeanOracle.Expr (c sin cos exp log sqrt ifLt ifLe shared)

private def x : Expr := .var "x"
private def y : Expr := .var "y"

def expressionTests : TestM Unit := do
  let written (name : String) (e expected : Expr) : TestM Unit :=
    checkEq s!"written: {name}" e expected
  let two : Expr := .const "2"
  written "x^2 + c \"0.1\" * x - c \"0.5\"" (x^2 + c "0.1" * x - c "0.5")
    (.sub (.add (.pow x two) (.mul (.const "0.1") x)) (.const "0.5"))
  written "decimal literals are exact" (0.1 * x + 12.50 + 1e3 + 0.05)
    (.add (.add (.add (.mul (.const "0.1") x) (.const "12.50")) (.const "1e3")) (.const "0.05"))
  written "exponents" (x ^ 2 + x ^ (-2) + x ^ (2/4 : Rat) + x ^ y + 2 ^ x)
    (.add (.add (.add (.add (.pow x two) (.pow x (.const "-2"))) (.pow x (.const "1/2")))
      (.pow x y)) (.pow two x))
  let n : Nat := 3
  let i : Int := -4
  let q : Rat := 5 / 7
  let d : Decimal := ⟨-12, -3⟩
  written "numbers of Lean" (n * x + i * y - q / x + d + x ^ n)
    (.add (.add (.sub (.add (.mul (.const "3") x) (.mul (.const "-4") y)) (.div (.const "5/7") x))
      (.const "-12e-3")) (.pow x (.const "3")))
  written "min, max, sum" (min x y + max x 1 + Expr.sum [x, y, 1])
    (.add (.add (.min x y) (.max x (.const "1"))) (.add (.add x y) (.const "1")))
  -- what Lean makes of a literal elsewhere stays as it was
  checkEq "2 ^ 3" (2 ^ 3) 8
  let text (e : Expr) (expected : String) : TestM Unit :=
    checkEq s!"text: {expected}" (toString e) expected
  text (x^2 + 0.1 * x - 0.5) "x^2 + 0.1 * x - 0.5"
  text (x - (y - 1) - (-x)) "x - (y - 1) - -x"
  text (x / (y * x) * -y) "x / (y * x) * (-y)"
  text (-x^2 + (-x)^2) "-x^2 + (-x)^2"
  text ((x^y)^2 + x^(y^(2 : Expr))) "(x^y)^2 + x^y^2"
  text (c "-1/3" * c "-2" + c "[0 +/- 1]") "(-1/3) * (-2) + ([0 +/- 1])"
  text (shared "t" (sin x) fun t => t * exp (-t)) "let t = sin(x); t * exp(-t)"
  text (1 + ifLt x 0 (-x) (min x 1)) "1 + if(x < 0, -x, min(x, 1))"
  text ((x + y).sqrt ^ (1/2 : Rat)) "sqrt(x + y)^(1/2)"
  -- JSON nodes, compared as values
  let node (e : Expr) (expected : String) : TestM Unit :=
    match Json.parse expected with
    | .ok j => check s!"node: {e}" (e.toJson == j) e.toJson.compress
    | .error m => check s!"node: {e}" false m
  node (x^2 - c "1e5") "{\"op\":\"sub\",\"args\":[{\"op\":\"pow\",\"args\":[\
    {\"var\":\"x\"},{\"const\":\"2\"}]},{\"const\":\"1e5\"}]}"
  node (Expr.app "erf" (-x))
    "{\"op\":\"erf\",\"args\":[{\"op\":\"neg\",\"args\":[{\"var\":\"x\"}]}]}"
  node (ifLe x y 1 Expr.pi) "{\"op\":\"if_le\",\"args\":[{\"var\":\"x\"},{\"var\":\"y\"},\
    {\"const\":\"1\"},{\"const\":\"pi\"}]}"
  node (shared "t" x fun t => max t (min t (t / y))) "{\"let\":{\"t\":{\"var\":\"x\"}},\"in\":\
    {\"op\":\"max\",\"args\":[{\"var\":\"t\"},{\"op\":\"min\",\"args\":[{\"var\":\"t\"},\
    {\"op\":\"div\",\"args\":[{\"var\":\"t\"},{\"var\":\"y\"}]}]}]}}"
  -- the oracle reads texts and nodes alike
  let box : Box := [("x", "0.5", "2"), ("y", "1", "1.25")]
  for e in ([x^2 + 0.1 * x - 0.5, x - (y - 1) - (-x), x / (y * x) * -y, -x^2 + (-x)^2,
      (x^y)^2 + x^(y^(2 : Expr)), c "-1/3" * c "-2" * x, 1 + ifLt x 1 (-x) (min x y),
      shared "t" (sin x) fun t => t * exp (-t), ifLe x y (log x) (y.atan + Expr.pi),
      (x + y).sqrt ^ (1/3 : Rat), x ^ (-3 : Int) * (2 - y - -1), (2 * x)^(-y)] : List Expr) do
    group s!"text = node: {e}" do
      checkEq s!"text = node: {e}" (← enclose (toString e) box) (← enclose e box)

/-! ### Questions about expressions -/

/-- The code of a refusal. -/
def code? (r : Except Error α) : Option ErrorCode :=
  match r with
  | .ok _ => none
  | .error e => some e.code

/-- `lo` and `hi` are the ends of the true range, exact or to more digits than were asked for:
whether a ball contains it, and exceeds it by at most `excess` at each end. -/
def encloses (b : MidRad10Exp) (lo hi : Decimal) (excess : Rat) : Bool :=
  decide (b.lo ≤ lo) && decide (hi ≤ b.hi)
    && lo.toRat - b.lo.toRat ≤ excess && b.hi.toRat - hi.toRat ≤ excess

/-- An expression over a box and the ends of its true range. -/
structure KnownRange where
  expr : Expr
  box : Box
  lo : Decimal
  hi : Decimal

def knownRanges : List KnownRange := [
  -- (x + 1/20)^2 - 0.5025
  ⟨x^2 + c "0.1" * x - c "0.5", [("x", "-0.5", "0.5")], -0.5025, -0.2⟩,
  ⟨sqrt x, [("x", "0", "4")], 0, 2⟩,
  ⟨x - x, [("x", "-1", "1")], 0, 0⟩,
  ⟨x * y, [("x", "-1", "2"), ("y", "-3", "0.5")], -6, 3⟩,
  ⟨x / (1 + x^2), [("x", "-10", "10")], -0.5, 0.5⟩,
  ⟨x^3 - 3*x, [("x", "-3", "2")], -18, 2⟩,
  ⟨(sin x)^2 + cos x, [("x", "0", "4")], -1, 1.25⟩,
  -- the greatest value is 1/e, at 1
  ⟨x * exp (-x), [("x", "0", "5")], 0, dec! "0.367879441171442321595523770161"⟩,
  ⟨ifLt x 0 (-x) (2 * x), [("x", "-3", "1")], 0, 3⟩,
  ⟨max x (min y 0), [("x", "-2", "1"), ("y", "-1", "5")], -1, 1⟩,
  ⟨shared "t" (x - y) fun t => t * t, [("x", "0", "1"), ("y", "0", "3")], 0, 9⟩,
  -- Rosenbrock's function: 0 at (1, 1), 3609 at (-2, -2)
  ⟨(1 - x)^2 + 100 * (y - x^2)^2, [("x", "-2", "2"), ("y", "-2", "2")], 0, 3609⟩]

def questionTests : TestM Unit := do
  let tolerance : Rat := 1 / 1000000
  for k in knownRanges do
    group s!"{k.expr}" do
      let fast ← enclose k.expr k.box { digits := 20, level := some .fast }
      let normal ← enclose k.expr k.box { digits := 20 }
      let tight ← enclose k.expr k.box { digits := 20, level := some .tight, tol := "1e-7" }
      checkEq s!"{k.expr}: levels and digits are echoed"
        ([fast, normal, tight].map fun (a : ExprAnswer) => (a.level, a.digits, a.precBits))
        [(.fast, 20, 200), (.default, 20, 200), (.tight, 20, 200)]
      for a in [fast, normal, tight] do
        check s!"{k.expr}: {a.level} contains the range"
          (decide (a.outputBall.lo ≤ k.lo) && decide (k.hi ≤ a.outputBall.hi)) s!"{a.outputBall}"
        check s!"{k.expr}: {a.level} has texts and ball of the same interval"
          (sameValue (dec! a.outLo) a.outputBall.lo && sameValue (dec! a.outHi) a.outputBall.hi)
        -- the gaps bound the excess; the known ends may be off by 10^-29
        let slack : Rat := 1 / 10 ^ 29
        check s!"{k.expr}: {a.level} states its gaps"
          ((a.gapLo.all fun g => k.lo.toRat - a.outputBall.lo.toRat ≤ g.toRat + slack)
            && (a.gapHi.all fun g => a.outputBall.hi.toRat - k.hi.toRat ≤ g.toRat + slack))
          s!"{a.outputBall}, gaps {repr a.gapLo}, {repr a.gapHi}"
      check s!"{k.expr}: tight is within the tolerance"
        (encloses tight.outputBall k.lo k.hi tolerance) s!"{tight.outputBall}"
      let r ← range k.expr k.box { digits := 20, tol := "1e-7" }
      let least := r.min.value.map (·.ball)
      let greatest := r.max.value.map (·.ball)
      check s!"{k.expr}: the least and the greatest value"
        (least.all (decide <| ·.contains k.lo) && greatest.all (decide <| ·.contains k.hi)
          && least.isSome && greatest.isSome && encloses r.outputBall k.lo k.hi tolerance)
        s!"{repr least} {repr greatest}"
  -- published minima and minimisers
  let minimum (name : String) (f : Expr) (box : Box) (value : Decimal) (at_ : List Decimal) :
      TestM Unit := group name do
    let r ← range f box { digits := 15, tol := "1e-6" }
    check s!"{name}: the minimum" (r.min.value.any fun v => encloses v.ball value value (1/100000))
      s!"{(r.min.value.map toString).getD "none"}"
    check s!"{name}: a place has the minimiser" (r.min.placesComplete &&
      r.min.places.any fun p => (p.map (·.1) == box.map (·.1))
        && (p.zip at_).all fun ((_, e), v) => decide (e.ball.contains v))
      s!"{r.min.places.map toString}"
  minimum "Goldstein-Price"
    ((1 + (x + y + 1)^2 * (19 - 14*x + 3*x^2 - 14*y + 6*x*y + 3*y^2))
      * (30 + (2*x - 3*y)^2 * (18 - 32*x + 12*x^2 + 48*y - 36*x*y + 27*y^2)))
    [("x", "-2", "2"), ("y", "-2", "2")] 3 [0, ⟨-1, 0⟩]
  minimum "six-hump camel" ((4 - 2.1*x^2 + x^4/3) * x^2 + x*y + (-4 + 4*y^2) * y^2)
    [("y", "-1", "1"), ("x", "-2", "2")] (dec! "-1.03162845348987735041636543714940")
    [dec! "-0.712656403020739633397265814227882540", dec! "0.0898420131003180624224905606220595"]
  minimum "Branin"
    ((y - c "5.1" / (4 * Expr.pi^2) * x^2 + 5 / Expr.pi * x - 6)^2
      + 10 * (1 - 1 / (8 * Expr.pi)) * cos x + 10)
    [("x", "-5", "10"), ("y", "0", "15")] (dec! "0.397887357729738339422209408431")
    [dec! "3.14159265358979323846264338327950", 2.275]
  -- zeros
  let zeros (f : Expr) (lo hi : String) (places : List Decimal) : TestM Unit := group s!"{f}" do
    let r ← roots f [("x", lo, hi)] { digits := 20 }
    check s!"zeros of {f}" (r.complete && r.roots.length == places.length
      && (r.roots.zip places).all fun ((z : Root), v) =>
        z.status == .exactlyOne && encloses z.place.ball v v (1 / 10 ^ 18)) s!"{repr r}"
  zeros (x^2 - 2) "0" "2" [dec! "1.414213562373095048801688724209698"]
  zeros (sin x) "1" "10" [dec! "3.141592653589793238462643383279503",
    dec! "6.283185307179586476925286766559006", dec! "9.424777960769379715387930149838509"]
  zeros (cos x - x) "-10" "10" [dec! "0.739085133215160641655312087673873"]
  zeros (x^2 + 1) "-10" "10" []
  let triple ← roots ((x - 1)^3 * (x + 2)) [("x", "0", "3")]
  check "a triple zero of a polynomial is one zero" (triple.complete &&
    triple.roots.map (fun z => (z.multiplicity, decide (z.place.ball.contains 1))) == [(some 3, true)])
    s!"{repr triple}"
  let double ← roots (exp ((x - 1)^2) - 1) [("x", "0", "3")]
  check "another double zero is unresolved, and not lost" (!double.complete &&
    double.roots.any fun z => z.status == .unresolved && decide (z.place.ball.contains 1))
    s!"{repr double}"
  -- comparisons
  checkEq "sin x < x on [0.1, 10]" (← Arb.compare (sin x) x [("x", "0.1", "10")]) .holds
  checkEq "1 + x < exp x on [0.01, 2]" (← Arb.compare "1 + x" (exp x) [("x", "0.01", "2")]) .holds
  match ← Arb.compare (x^2) x [("x", "0.5", "2")] with
  | .fails [(name, w)] =>
    check "x^2 < x fails on [0.5, 2] at a place of at least 1"
      (name == "x" && decide ((1 : Decimal) ≤ w.ball.lo) && decide (w.ball.hi ≤ 2)) s!"{w}"
  | v => check "x^2 < x fails on [0.5, 2]" false s!"{repr v}"
  match ← Arb.compare (x + y) (x * y) [("y", "1", "5"), ("x", "2", "5")] with
  | .fails [(_, v), (_, w)] =>
    check "x + y < x * y fails where x and y are small"
      -- (x - 1) * (y - 1) ≤ 1
      ((w.ball.lo.toRat - 1) * (v.ball.lo.toRat - 1) ≤ 1) s!"{v} {w}"
  | v => check "x + y < x * y fails where x and y are small" false s!"{repr v}"
  -- refusals
  let refusedQ {α : Type} (name : String) (q : Question α) (code : ErrorCode) (field : String) :
      TestM Unit := group name do
    match ← q.askE with
    | .ok _ => check s!"{name} is refused: {code}" false "there is an answer"
    | .error e => check s!"{name} is refused: {code}" (e.code == code && e.field == field) s!"{e}"
  let unit : Box := [("x", "-1", "1")]
  refusedQ "1 / x over 0" (Question.enclose (1 / x) unit) .pole "expr"
  check "sqrt below 0 is refused: domain" (code? (← encloseE (sqrt x) unit) == some .domain)
  refusedQ "an unknown variable" (Question.enclose y unit) .badRequest "expr"
  refusedQ "__arb__" (Question.enclose (Expr.var "__arb__") unit) .badRequest "expr"
  refusedQ "an unknown function" (Question.enclose (Expr.app "sinn" x) unit) .unknownFunction "expr"
  refusedQ "half a text" (Question.range "x + " unit) .parse "expr"
  refusedQ "a bad number" (Question.range (c "abc" + x) unit) .badNumber "expr"
  refusedQ "a reversed box" (Question.range x [("x", "1", "0")]) .reversed "lo"
  refusedQ "two variables" (Question.roots (x * y) (("y", "0", "1") :: unit)) .badRequest "vars"
  refusedQ "a tolerance below 0" (Question.range x unit { tol := "-1" }) .badRequest "tol"
  refusedQ "a node that is none" (Question.enclose (Json.mkObj []) unit) .badRequest "expr"
  refusedQ "no digits" (Question.enclose x unit { digits := 0 }) .badRequest "digits"
  match ← encloseE "x + * 2" unit with
  | .error e =>
    check "an error of syntax shows the place"
      (e.code == .parse && e.message.endsWith "\n  x + * 2\n      ^") e.message
  | .ok _ => check "an error of syntax shows the place" false
  let thrown ← try
      discard <| enclose (1 / x) unit
      pure ""
    catch e => pure (toString e)
  check "enclose throws the rendered error" (thrown.startsWith "Arb oracle: pole (expr)") thrown
  -- depth
  let deep := Expr.sum (List.replicate 20000 x)
  let r ← enclose deep [("x", "0", "1")] { digits := 10, level := some .fast }
  check "a sum of 20000, one inside the other" (r.outLo == "0" && r.outHi == "20000")
    s!"{r.outLo} {r.outHi}"
  -- keys in another order than they are made here
  let j ← FFI.callJson "{\"expr\":{\"in\":{\"args\":[{\"var\":\"t\"},{\"const\":3}],\
    \"op\":\"mul\"},\"let\":{\"t\":{\"args\":[{\"var\":\"x\"}],\"op\":\"sqr\"}}},\
    \"digits\":3,\"vars\":{\"x\":\
    {\"hi\":\"2\",\"lo\":\"-1\"}},\"kind\":\"expr\"}"
  match Json.parse j >>= parseExprAnswer with
  | .ok a => checkEq "3 x^2 on [-1, 2]" (a.outLo, a.outHi) ("0", "12")
  | .error e => check "3 x^2 on [-1, 2]" false e

/-! ### Batches, and answers in the background -/

/-- A question whose answer, exactly 2, is out of reach. -/
def endlessWithin (o : Options) : Question RangeAnswer :=
  Question.range ((sin x)^2 + (cos x)^2 + (sin y)^2 + (cos y)^2 + x * y - x * y)
    [("x", "0", "10"), ("y", "0", "10")]
    { o with digits := 60, level := some .tight, tol := "1e-50" }

/-- A question that takes longer than anyone waits. -/
def endless : Question RangeAnswer := endlessWithin { maxNodes := some 1000000000000 }

/-- What an action took, in milliseconds. -/
def timed (act : IO α) : IO (α × Nat) := do
  let start ← IO.monoMsNow
  let a ← act
  return (a, (← IO.monoMsNow) - start)

def batchTests : TestM Unit := do
  -- x^2 on [-i, i + 1], every tenth one bad
  let question (i : Nat) : Question ExprAnswer :=
    if i % 10 == 7 then Question.enclose (1 / x) [("x", "-1", "1")]
    else Question.enclose (x^2) [("x", toString (-(i : Int)), toString (i + 1))] { digits := 10 }
  let answers ← batch ((List.range 200).map question)
  checkEq "a batch has all answers" answers.length 200
  let right := (List.range 200).zip answers |>.all fun (i, a) =>
    match a with
    | .ok a => i % 10 != 7 && sameValue a.outputBall.lo 0
        && sameValue a.outputBall.hi ⟨(i + 1) ^ 2, 0⟩
    | .error e => i % 10 == 7 && e.code == .pole
  check "a batch has them in order, and refusals alone" right
  let mixed : List (Question String) := [
    (Question.unary { func := "sqrt", lo := "4", hi := "9" }).map (·.outHi),
    (Question.range x [("x", "1", "2")]).map (·.outHi),
    (Question.roots (x - 1) [("x", "0", "4")]).map fun r => s!"{r.roots.length}",
    (Question.compare x (x + 1) [("x", "0", "4")]).map fun v => reprStr (v == .holds),
    (Question.unary { func := "log", lo := "-1", hi := "9" }).map (·.outHi)]
  checkEq "a batch of several kinds"
    ((← batch mixed).map fun r => match r with | .ok s => s | .error e => toString e.code)
    ["3", "2", "1", "true", "domain"]
  checkEq "an empty batch" (← batch ([] : List (Question Result))).length 0
  checkEq "a batch in a batch is refused" ((← batch [Question.batch mixed]).map code?)
    [some .badRequest]

def jobTests : TestM Unit := do
  -- what was found when the time is over is an answer, unless that is nothing
  let fair (r : Except Error RangeAnswer) (code : ErrorCode) : Bool :=
    match r with
    | .ok a => !a.tight && decide (a.outputBall.contains 2)
    | .error e => e.code == code
  let (r, ms) ← timed (endlessWithin { timeoutMs := some 50 }).askE
  check "a timeout of 50 ms" (fair r .timeout && 45 ≤ ms && ms < 3000) s!"{code? r}, {ms} ms"
  let (r, ms) ← timed (endlessWithin { maxNodes := some 5000 }).askE
  check "a budget" (fair r .budget && ms < 3000) s!"{code? r}, {ms} ms"
  checkEq "no budget" (code? (← (endlessWithin { maxNodes := some 0 }).askE)) (some .budget)
  -- a job is the question
  let easy := Question.range (x * exp (-x)) [("x", "0", "5")] { digits := 10 }
  let job ← spawn easy
  checkEq "a job gives the answer" (← job.wait) (← easy.ask)
  check "it is done then" (← job.isDone)
  job.cancel
  checkEq "to cancel it then does nothing" (← job.wait) (← easy.ask)
  let bad ← spawn (Question.enclose (1 / x) [("x", "-1", "1")])
  checkEq "a job gives the refusal" (code? (← bad.waitE)) (some .pole)
  let thrown ← try
      discard bad.wait
      pure ""
    catch e => pure (toString e)
  check "a job throws the refusal" (thrown.startsWith "Arb oracle: pole") thrown
  -- cancelling
  let job ← spawn endless
  IO.sleep 100
  check "the endless question goes on" (!(← job.isDone))
  let (r, ms) ← timed do
    job.cancel
    job.waitE
  checkEq "it can be cancelled" (code? r) (some .cancelled)
  check "that takes less than a second" (ms < 1000) s!"{ms} ms"
  IO.println s!"note  cancelling took {ms} ms"
  job.cancel
  -- one of several
  let jobs ← (List.range 6).mapM fun _ => spawn endless
  let quick ← (List.range 6).mapM fun _ => spawn easy
  for (job, i) in jobs.zip (List.range 6) do
    if i % 2 == 0 then job.cancel
  let expected ← easy.ask
  let cancelled ← (List.range 6).zip jobs |>.filter (·.1 % 2 == 0) |>.mapM (·.2.waitE)
  checkEq "those that are cancelled end" (cancelled.map code?) (List.replicate 3 (some .cancelled))
  let going ← (List.range 6).zip jobs |>.filter (·.1 % 2 == 1) |>.mapM fun p =>
    (p.2.isDone : IO Bool)
  checkEq "the others go on" going [false, false, false]
  check "and questions beside them are answered"
    ((← quick.mapM (·.wait)).all (· == expected))
  for job in jobs do job.cancel
  checkEq "then they end too" ((← jobs.mapM (·.waitE)).map code?)
    (List.replicate 6 (some .cancelled))
  let many ← spawn (Question.batch (List.replicate 8 endless))
  IO.sleep 50
  many.cancel
  let r ← many.waitE
  check "a batch is cancelled as a whole"
    (match r with
      | .error e => e.code == .cancelled
      | .ok answers => answers.all fun a => code? a == some .cancelled)
  -- raw flags
  let flag ← FFI.cancelNew
  let free ← FFI.callJsonCancellable easy.request.compress flag
  checkEq "a flag that is not set changes nothing" free (← FFI.callJson easy.request.compress)
  FFI.cancelSet flag
  FFI.cancelSet flag
  let answer := Json.parse (← FFI.callJsonCancellable endless.request.compress flag)
  checkEq "a flag may be set before the call"
    ((answer >>= parseError).toOption.map (·.code)) (some .cancelled)
  let flags (n : Nat) : IO Unit := do
    let tasks ← (List.range 4).mapM fun _ => IO.asTask do
      for _ in [0:n] do
        let flag ← FFI.cancelNew
        discard <| FFI.callJsonCancellable "{}" flag
        FFI.cancelSet flag
    for t in tasks do discard <| IO.wait t
  flags 500
  let before ← residentPages
  flags 10000
  match before, ← residentPages with
  | some a, some b =>
    check "40000 flags in 4 tasks do not leak" (b < a + 150) s!"{a} pages, then {b}"
  | _, _ => IO.println "skip  40000 flags do not leak (no /proc)"

/-! ### Constants, matrices, polynomials, integrals, networks -/

/-- Runs the group if the native library answers questions of that kind. -/
def ifSupported (kind : String) (body : TestM Unit) : TestM Unit := do
  match ← requestE (Json.mkObj [("kind", kind)]) with
  | .error e =>
    if e.code == .badRequest && e.field == "kind" then
      IO.println s!"skip  {kind}: the native library does not have this kind"
    else group kind body
  | .ok _ => group kind body

def kindTests : TestM Unit := do
  ifSupported "constant" do
    for (name, value) in [
        ("pi", "3.14159265358979323846264338327950288419716939937510582097494"),
        ("e", "2.71828182845904523536028747135266249775724709369995957496697"),
        ("golden", "1.61803398874989484820458683436563811772030917980576286213545")] do
      let a ← constant name
      check s!"{name} to 50 digits" (a.tight && encloses a.output.ball (dec! value) (dec! value)
        (1 / 10 ^ 49)) s!"{a.output}"
      check s!"{name} is the same in expressions"
        (decide ((← enclose (Expr.const name) []).outputBall.contains (dec! value)))
    checkEq "an unknown constant" (code? (← constantE "pie")) (some .unknownFunction)
  ifSupported "matrix" do
    let a := [["1", "1/2"], ["1/2", "1/3"]]
    let points (l : List Enclosure) : List (Rat × Rat) := l.map (·.ball.toRatBounds)
    let both (l : List Rat) := l.map fun q => (q, q)
    checkEq "a 2 by 2 system" (points (← (Question.solve a ["1", "0.1"]).ask).output)
      (both [17 / 5, -24 / 5])
    checkEq "a 2 by 2 inverse" ((← (Question.inv a).ask).output.map points)
      [both [4, -6], both [-6, 12]]
    let d := (← (Question.det a).ask)
    check "a 2 by 2 determinant" (decide (d.output.ball.containsRat (1 / 12)) && d.tight)
    -- the eigenvalues of [[2, 1], [1, 1]] are the square of the golden ratio and its inverse
    let l ← (Question.eigenvalues [["2", "1"], ["1", "1"]]).ask
    let known := [dec! "0.381966011250105151795413165634361882279690820194237137864551",
      dec! "2.61803398874989484820458683436563811772030917980576286213545"]
    check "eigenvalues" (l.output.length == 2 && (l.output.zip known).all fun (r, v) =>
      r.real && r.multiplicity == 1 && r.im.ball == ⟨0, 0, 0⟩
        && encloses r.re.ball v v (1 / 10 ^ 48)) s!"{repr l}"
    checkEq "a singular system"
      (code? (← (Question.solve [["1", "2"], ["2", "4"]] ["1", "1"]).askE)) (some .domain)
  ifSupported "poly_roots" do
    -- (x - 1)^2 * (x^2 + 1/9)
    let r ← (Question.polyRoots ["1/9", "-2/9", "10/9", "-2", "1"] { digits := 10 }).ask
    checkEq "multiplicities" (r.output.map fun (z : ComplexRoot) => (z.multiplicity, z.real))
      [(2, true), (1, false), (1, false)]
    let known : List (Rat × Rat) := [(1, 0), (0, 1 / 3), (0, -1 / 3)]
    check "roots" ((r.output.zip known).all fun (z, p) =>
      decide (z.re.ball.containsRat p.1) && decide (z.im.ball.containsRat p.2)) s!"{repr r}"
  group "integrate" do
    let check' (f : Expr) (lo hi : String) (value : String) : TestM Unit := group s!"{f}" do
      let i ← integrate f "x" lo hi { digits := 20 }
      check s!"the integral of {f} from {lo} to {hi}"
        (encloses i.ball (dec! value) (dec! value) (1 / 10 ^ 15)) s!"{i}"
    check' (exp x) "0" "1" "1.71828182845904523536028747135266249775724709369995957496697"
    check' (4 / (1 + x^2)) "0" "1" "3.14159265358979323846264338327950288419716939937510582097494"
    check' (exp (-x^2)) "0" "1" "0.746824132812427025399467436131853005354499686812606329027654"
    -- ends that are not numbers, kinks, roots of negative numbers
    check' (sin x) "0" "pi" "2"
    check' (.abs x) "-1" "3" "5"
    check' (.cbrt x) "-8" "1" "-11.25"
    let code (f : Expr) (lo hi : String) : TestM (Option ErrorCode) := do
      return code? (← integrateE f "x" lo hi)
    checkEq "an integral across a pole" (← code (1 / x) "-1" "1") (some .pole)
    checkEq "an integral outside the domain" (← code (sqrt x) "-1" "1") (some .domain)
    checkEq "an integral backwards" (← code x "1" "0") (some .reversed)
    let ball := (← integrate x "x" "1/3" "1/3").ball
    check "an integral over a point" (ball == ⟨0, 0, 0⟩) s!"{ball}"
  ifSupported "mlp" do
    let input := [("-0.1", "0.1"), ("0.2", "0.3")]
    let layers : List Layer := [
      { weights := [["1", "2"], ["0.5", "-1"]], bias := ["0", "1/10"], act := "relu" },
      { weights := [["1", "1"]], bias := ["0"], act := "tanh" }]
    let r ← mlp input layers { digits := 10 }
    -- the second neuron is off; the first gives [0.3, 0.7]
    let (lo, hi) := (dec! "0.291312612451590905818221272823766", dec! "0.604367777117163496308687")
    match r.output.toList with
    | [(ball, _, _)] =>
      check "a network of two layers"
        (decide (ball.lo ≤ lo) && decide (hi ≤ ball.hi)
          -- no wider than what TorchLean's script says
          && decide (ball.subset ⟨-268129507079720, 984427391877121, -15⟩)) s!"{ball}"
    | _ => check "a network of two layers" false s!"{repr r}"
    let typed ← runMLP (Question.mlp input layers).request (digits := 10)
    checkEq "runMLP" (typed.output, typed.digits, typed.precBits) (r.output, 10, 200)

/-! ### As in TorchLean -/

def torchLeanTests : TestM Unit := do
  let r ← runExpr [("x", "-0.5", "0.5")] (x * x + c "0.1" * x - c "0.5").toJson (digits := 10)
  checkEq "runExpr: settings" (r.precBits, r.digits) (200, 10)
  check "runExpr: contains the range" (decide (r.outputBall.lo ≤ -0.5025)
    && decide ((-0.2 : Decimal) ≤ r.outputBall.hi)) s!"{r.outputBall}"
  check "runExpr: not wider than TorchLean's script"
    (decide (r.outputBall.subset ⟨-500000000000000, 300000002703360, -15⟩)) s!"{r.outputBall}"
  let r ← runExpr [("x", "0", "4")] (Expr.sqrt x).toJson 64 5
  checkEq "runExpr: sqrt on [0, 4]" (r.outLo, r.outHi, r.precBits, r.digits) ("0", "2", 64, 5)
  let thrown (act : IO Unit) : IO String := do
    try
      act
      return ""
    catch e => return toString e
  let t ← thrown do discard <| runExpr [("x", "-1", "1")] (1 / x).toJson
  check "runExpr throws the rendered error" (t.startsWith "Arb oracle: pole") t
  let t ← thrown do discard <| runRequestJson (Json.arr #[])
  check "runRequestJson wants an object" (t.startsWith "Arb oracle: bad_request") t
  let j ← runRequestJson (Json.mkObj [("func", "sqrt"), ("lo", "2"), ("hi", "2"), ("digits", 3)])
    (digits := 10)
  match parseResult j with
  | .ok r =>
    checkEq "runRequestJson: its digits go before those of the request"
      (r.outLo, r.digits, r.precBits) ("1.414213562", 10, 200)
  | .error e => check "runRequestJson" false e
  -- answers as TorchLean's script writes them
  let ok := "{\"status\":\"ok\",\"tool\":\"arb_oracle\",\"kind\":\"expr\",\
    \"ctx\":{\"prec_bits\":200,\"digits\":10},\"output\":{\"ball\":{\"mid\":\"-500000000000000\",\
    \"rad\":\"300000002703360\",\"exp\":\"-15\"},\"lo\":\"-0.8000000021\",\
    \"hi\":\"-0.1999999979\"}}"
  checkEq "parseExprResult" (Json.parse ok >>= parseExprResult).toOption
    (some ⟨200, 10, ⟨-500000000000000, 300000002703360, -15⟩, "-0.8000000021", "-0.1999999979"⟩)
  for (good, bad) in [("\"rad\":\"3", "\"rad\":\"-3"), ("\"mid\":\"-5", "\"mid\":\"nan"),
      ("\"output\"", "\"out\""), ("\"lo\":\"-0.8000000021\"", "\"lo\":-0.8")] do
    check s!"an answer with {bad} is refused" (ok.replace good bad != ok
      && (Json.parse (ok.replace good bad) >>= parseExprResult).toOption.isNone)
  let ok := "{\"kind\":\"mlp\",\"ctx\":{\"prec_bits\":200,\"digits\":10},\"output\":{\"vector\":[\
    {\"ball\":{\"mid\":\"1\",\"rad\":\"2\",\"exp\":\"0\"},\"lo\":\"-1\",\"hi\":\"3\"},\
    {\"ball\":{\"mid\":\"0\",\"rad\":\"0\",\"exp\":\"0\"},\"lo\":\"0\",\"hi\":\"0\"}]}}"
  checkEq "parseMLPResult" (Json.parse ok >>= parseMLPResult).toOption
    (some ⟨200, 10, #[(⟨1, 2, 0⟩, "-1", "3"), (⟨0, 0, 0⟩, "0", "0")]⟩)
  check "a network with a negative radius is refused"
    (Json.parse (ok.replace "\"2\"" "\"-2\"") >>= parseMLPResult).toOption.isNone

/-! ### The cache -/

def cacheTests : TestM Unit := do
  checkEq "the cache is off" (← Cache.stats).capacity 0
  Cache.resize 100000
  let q := Question.range (x * exp (-x)) [("x", "0", "5")] { digits := 10 }
  let first ← q.ask
  checkEq "an answer from the cache is the same" (← q.ask) first
  let s ← Cache.stats
  check "one miss, one hit" (s.misses == 1 && s.hits == 1 && s.entries == 1 && 0 < s.bytes)
    (toString (repr s))
  discard <| batch [q, q]
  checkEq "batches use it" (← Cache.stats).hits 3
  Cache.resize (2 ^ 70)
  checkEq "resizing empties it" (← Cache.stats).entries 0
  Cache.resize 0
  discard <| q.ask
  checkEq "off again" (← Cache.stats)
    { hits := 0, misses := 0, entries := 0, bytes := 0, capacity := 0 }

end

/-! ### Panics -/

def panicTests : TestM Unit := do
  let request := "{\"kind\":\"__panic__\"}"
  if (← IO.getEnv "LEAN_ORACLE_TEST_PANIC") == some "1" then
    for i in [1:4] do refusedJson s!"panic {i} in the native library" request .internal
    let tasks ← (List.range 8).mapM fun _ => IO.asTask (FFI.callJson request)
    let codes := tasks.map fun t =>
      match t.get with
      | .ok text => ((Json.parse text >>= parseError).toOption.map (·.code))
      | .error _ => none
    checkEq "panics in 8 tasks" codes (List.replicate 8 (some .internal))
    let r ← run { func := "sqrt", lo := "0", hi := "4" }
    check "the library answers after a panic" (sameValue r.outputBall.hi 2)
  else
    refusedJson "the panic request" request .badRequest

/-! ### Certificates -/

def certifyTests : TestM Unit := do
  for (name, wrong) in Certify.all do
    check name wrong.isEmpty s!"{wrong.take 3}"
  for (what, div, seed) in [("polynomials", false, 5), ("quotients", true, 6)] do
    let (n, wrong) ← Certify.native div 100 seed
    check s!"{n} claims about {what} are proved by certificates of the native side"
      (wrong.isEmpty && 50 ≤ n) s!"{wrong.take 3}"

/-! ### Merging files -/

def mergeTests : TestM Unit := do
  let one := "theorem a : 1 = 1 := sorry\ntheorem b : 2 = 2 := rfl"
  let two := "theorem a : 1 = 1 := rfl\ntheorem b : 3 = 3 := rfl"
  let m ← Merge.merge [one, two]
  checkEq "two files merged" m.content
    "theorem b : 2 = 2 := rfl\n\ntheorem a : 1 = 1 := rfl\n\ntheorem b_1 : 3 = 3 := rfl"
  checkEq "the merged file has no errors" (m.leanMessages.errors ++ m.leanMessages.warnings) []
  checkEq "what was renamed is said" m.toolMessages.infos.length 1
  match ← Merge.mergeE [] with
  | .ok _ => check "nothing to merge" false "an answer"
  | .error e => checkEq "nothing to merge" e.code .badRequest
  match ← Merge.mergeE [one] { globalOptions := [("no.such.option", "true")] } with
  | .ok _ => check "an option of Lean that is none" false "an answer"
  | .error e => checkEq "an option of Lean that is none" e.code .badRequest

/-- Every group of tests. -/
def groups : List (String × TestM Unit) :=
  [("balls", ballTests), ("fractions", fractionTests), ("arithmetic", arithmeticTests),
    ("texts", textTests), ("matrices", matrixTests), ("malformed", malformedTests),
    ("enclosures", enclosureTests), ("integers", integerTests), ("refusals", refusalTests),
    ("json", jsonTests), ("load", loadTests),
    ("expressions", expressionTests), ("questions", questionTests), ("batches", batchTests),
    ("jobs", jobTests), ("kinds", kindTests), ("torchlean", torchLeanTests),
    ("compat", TorchLean.compatTests), ("cache", cacheTests), ("certificates", certifyTests),
    ("transport", Transport.transportTests), ("merge", mergeTests), ("repl", Repl.replTests),
    ("panics", panicTests)]

end Tests

/-- Runs the groups of tests that are named, or all; the exit code is 0 when nothing failed. -/
def main (args : List String) : IO UInt32 := do
  let names := Tests.groups.map (·.1)
  unless args.all names.contains do
    IO.eprintln s!"usage: Tests [GROUP...], where the groups are {names}"
    return 2
  let tally ← IO.mkRef ({} : Tests.Tally)
  for (name, body) in Tests.groups do
    if args.isEmpty || args.contains name then (Tests.group name body).run tally
  let t ← tally.get
  IO.println s!"{t.passed} passed, {t.failed} failed"
  return if t.failed == 0 && 0 < t.passed then 0 else 1
