/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle

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

/-! ### The harness -/

/-- Numbers of checks that passed and failed. -/
structure Tally where
  passed : Nat := 0
  failed : Nat := 0

/-- A test: an action with access to the tally. -/
abbrev TestM := ReaderT (IO.Ref Tally) IO

/-- Counts and prints one check. -/
def check (name : String) (ok : Bool) (detail : String := "") : TestM Unit := do
  let tally ← read
  if ok then
    tally.modify fun t => { t with passed := t.passed + 1 }
    IO.println s!"ok    {name}"
  else
    tally.modify fun t => { t with failed := t.failed + 1 }
    IO.println s!"FAIL  {name}{if detail.isEmpty then "" else ": " ++ detail}"

/-- Runs a group; an exception in it counts as a failed check. -/
def group (name : String) (body : TestM Unit) : TestM Unit := do
  let tally ← read
  try body.run tally
  catch e => check name false s!"unexpected exception: {e}"

/-- Checks that two values are equal. -/
def checkEq [BEq α] [Repr α] (name : String) (got expected : α) : TestM Unit :=
  if got == expected then check name true
  else check name false s!"got {reprStr got}, expected {reprStr expected}"

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

/-- Resident memory of this process in pages, where the system tells. -/
def residentPages : IO (Option Nat) := do
  try
    let text ← IO.FS.readFile "/proc/self/statm"
    -- the second of its numbers
    let rest := (text.toList.dropWhile (· != ' ')).drop 1
    return (String.ofList (rest.takeWhile (·.isDigit))).toNat?
  catch _ => return none

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

/-- Every group of tests. -/
def groups : List (String × TestM Unit) :=
  [("balls", ballTests), ("enclosures", enclosureTests), ("integers", integerTests),
    ("refusals", refusalTests), ("json", jsonTests), ("load", loadTests), ("panics", panicTests)]

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
