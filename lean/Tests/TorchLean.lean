/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Compat.TorchLean
import Tests.Harness

/-!
# `LeanOracle.Compat.TorchLean` against what is known of the reference

Names and types are checked when this file is elaborated. When it runs, the answers are compared
with those that the reference gave (200 bits, 20 digits) and with values from mpmath: each must lie
in the first and contain the second.

What depends on environment variables is checked for those that the process has;
`scripts/lean-check` runs this group with and without them.
-/

namespace Tests.TorchLean

open _root_.TorchLean.Floats.Arb
open Lean (Json)

/-! ### Names and types -/

example : Query → String := Query.func
example : Query → String := Query.lo
example : Query → String := Query.hi
example : Query → Nat := Query.precBits
example : Query → Nat := Query.digits
example : Int → Int → Int → MidRad10Exp := MidRad10Exp.mk
example : MidRad10Exp → Int := MidRad10Exp.mid
example : MidRad10Exp → Int := MidRad10Exp.rad
example : MidRad10Exp → Int := MidRad10Exp.exp
example : MidRad10Exp → Rat × Rat := MidRad10Exp.toRatBounds
example : String → Nat → Nat → MidRad10Exp → MidRad10Exp → String → String → Result := Result.mk
example : Result → String := Result.func
example : Result → Nat := Result.precBits
example : Result → Nat := Result.digits
example : Result → MidRad10Exp := Result.inputBall
example : Result → MidRad10Exp := Result.outputBall
example : Result → String := Result.outLo
example : Result → String := Result.outHi
example : Nat → Nat → MidRad10Exp → String → String → ExprResult := ExprResult.mk
example : ExprResult → Nat := ExprResult.precBits
example : ExprResult → Nat := ExprResult.digits
example : ExprResult → MidRad10Exp := ExprResult.outputBall
example : ExprResult → String := ExprResult.outLo
example : ExprResult → String := ExprResult.outHi
example : Nat → Nat → Array (MidRad10Exp × String × String) → MLPResult := MLPResult.mk
example : MLPResult → Nat := MLPResult.precBits
example : MLPResult → Nat := MLPResult.digits
example : MLPResult → Array (MidRad10Exp × String × String) := MLPResult.output
example : String := oracleScriptPath
example : String → IO String := resolvePythonCmd
example : String → Array String → IO Json := runPythonJson
example : Json → Except String String := jsonToString
example : Json → Except String Nat := jsonToNat
example : Json → String → Except String Int := jsonToIntFromStringKey
example : Json → Except String MidRad10Exp := parseMidRad10Exp
example : Query → Array String := Query.toArgs
example : Query → IO Json := fun q => runJson q
example : Query → String → IO Json := @runJson
example : Json → Except String (Nat × Nat) := parseCtx
example : Json → Except String MidRad10Exp := parseBallField
example : Json → Except String (String × String) := parseLoHi
example : Json → Except String (MidRad10Exp × String × String) := parseBallLoHi
example : Json → Except String Result := parseResult
example : Query → IO Result := fun q => run q
example : Query → String → IO Result := @run
example : IO Unit := ensureTmpDir
example : IO Bool := keepTmpRequests
example : System.FilePath → IO Unit := tryRemoveFile
example : IO System.FilePath := freshReqPath
example : Json → IO Json := fun j => runRequestJson j
example : Json → Nat → Nat → String → IO Json := @runRequestJson
example : Json → Except String ExprResult := parseExprResult
example : Json → Except String MLPResult := parseMLPResult
example : List (String × (String × String)) → Json → IO ExprResult := fun v e => runExpr v e
example : List (String × (String × String)) → Json → Nat → Nat → String → IO ExprResult := @runExpr
example : Json → IO MLPResult := fun j => runMLP j
example : Json → Nat → Nat → String → IO MLPResult := @runMLP

-- named arguments, and balls as they are written, matched and updated
example (j : Json) : IO MLPResult := runMLP j (pythonCmd := "py") (digits := 1) (precBits := 2)
example (j : Json) : IO ExprResult := runExpr [] j (pythonCmd := "py") (digits := 1) (precBits := 2)
example (j : Json) : IO Json := runRequestJson (req := j) (precBits := 2) (digits := 1)
  (pythonCmd := "py")
example (q : Query) : IO Result := run q (pythonCmd := "py")
example (m : MidRad10Exp) : MidRad10Exp := { m with rad := m.rad + 1 }
example : (⟨1, 2, 3⟩ : MidRad10Exp) = { mid := 1, rad := 2, exp := 3 } := rfl
example : (MidRad10Exp.mk 1 2 3).exp = 3 := rfl
example (m : MidRad10Exp) : Int := match m with | { mid, rad, exp } => mid + rad + exp
example (m : MidRad10Exp) : Int := match m with | .mk mid rad exp => mid + rad + exp
example (m : MidRad10Exp) : Int := let ⟨mid, rad, exp⟩ := m; mid + rad + exp
example : Query := default
example : Result := default
-- and they are ours
example (m : LeanOracle.MidRad10Exp) : MidRad10Exp := m
example : (⟨5, 3, -1⟩ : MidRad10Exp).contains 0.75 := by decide +kernel

/-! ### Helpers -/

/-- JSON that is written in a test. -/
def json! (text : String) : Json := (Json.parse text).toOption.getD Json.null

/-- The text of the exception that an action throws; none, if it throws none. -/
def thrown (act : IO α) : IO String := do
  try
    discard act
    return ""
  catch e => return toString e

/-- What a parser makes of a text: the error, or that there is none. -/
def complaint (parse : Json → Except String α) (text : String) : String :=
  match Json.parse text >>= parse with
  | .ok _ => "no error"
  | .error e => e

/-- A decimal in a test. -/
def dec (s : String) : LeanOracle.Decimal := (LeanOracle.Decimal.ofString? s).getD ⟨0, 0⟩

/-- `b` contains the interval from `lo` to `hi`, and lies in the ball of the reference. -/
def between! (name : String) (b : MidRad10Exp) (lo hi : String) (reference : MidRad10Exp) :
    TestM Unit := do
  check s!"{name} contains the truth" (decide (b.contains (dec lo)) && decide (b.contains (dec hi)))
    s!"{b}"
  check s!"{name} is inside the reference's answer" (decide (b.subset reference)) s!"{b}"

/-! ### What is fixed -/

def shapeTests : TestM Unit := do
  let q : Query := { func := "tanh", lo := "-0.5", hi := "1/2" }
  checkEq "defaults of a query" (q.precBits, q.digits) (200, 50)
  checkEq "arguments of a query" q.toArgs
    #["NN/Floats/Arb/arb_oracle.py", "--func", "tanh", "--lo=-0.5", "--hi=1/2",
      "--prec-bits", "200", "--digits", "50"]
  checkEq "arguments of another" { q with lo := " a=b ", precBits := 64, digits := 0 }.toArgs
    #["NN/Floats/Arb/arb_oracle.py", "--func", "tanh", "--lo= a=b ", "--hi=1/2",
      "--prec-bits", "64", "--digits", "0"]
  checkEq "a query is printed as the reference prints it"
    (reprStr ({ func := "exp", lo := "0", hi := "1" } : Query))
    "{ func := \"exp\", lo := \"0\", hi := \"1\", precBits := 200, digits := 50 }"
  checkEq "rational bounds" (⟨5, 3, -1⟩ : MidRad10Exp).toRatBounds (1 / 5, 4 / 5)
  checkEq "rational bounds, positive exponent" (MidRad10Exp.toRatBounds ⟨5, 3, 2⟩) (200, 800)
  -- JSON of an answer
  let j ← runJson { func := "tanh", lo := "-0.50", hi := "+1/2", digits := 10 }
  let at_ (keys : List String) : String :=
    match keys.foldlM (fun (j : Json) k => j.getObjVal? k) j with
    | .ok j => j.compress
    | .error e => e
  checkEq "an answer's fields"
    ([["status"], ["tool"], ["func"], ["ctx", "prec_bits"], ["ctx", "digits"], ["input", "lo"],
      ["input", "hi"], ["input", "ball", "mid"], ["output", "ball", "exp"]].map at_)
    ["\"ok\"", "\"arb_oracle\"", "\"tanh\"", "200", "10", "\"-0.50\"", "\"+1/2\"", "\"0\"",
      "\"-18\""]
  match parseResult j with
  | .ok r =>
    checkEq "its parts are read" (r.func, r.precBits, r.digits, r.inputBall)
      ("tanh", 200, 10, ⟨0, 5, -1⟩)
    check "its texts are the ends of its ball"
      ((dec r.outLo).num == -462117157260009759 && (dec r.outHi).num == 462117157260009759)
  | .error e => check "an answer is read" false e

/-! ### Answers -/

/-- A question, the true range, and the ball of the reference, for 200 bits and 20 digits. -/
def golden : List (String × String × String × String × String × MidRad10Exp) := [
  ("tanh", "-0.5", "0.5", "-0.46211715726000975850231848364", "0.46211715726000975850231848364",
    ⟨0, 4621171590034548190085120, -25⟩),
  ("exp", "-1", "1", "0.36787944117144232159552377016147", "2.7182818284590452353602874713526",
    ⟨1543080634815243778477905, 1175201200398916680417281, -24⟩),
  ("exp", "80", "90", "5.540622384393510052571173395831e34",
    "1.220403294317840802002710035136e39",
    ⟨6102293502708423685516178, 6101739470127812501831681, 14⟩),
  ("log", "0.5", "2", "-0.69314718055994530941723212145818", "0.69314718055994530941723212145818",
    ⟨0, 6931471829813849231458304, -25⟩),
  ("sqrt", "0", "2", "0", "1.4142135623730950488016887242097",
    ⟨7071067811865475244008443, 7071067844814823160283137, -25⟩),
  ("sigmoid", "-1", "2", "0.26894142136999512074884075817816", "0.88079707797788244405972914130239",
    ⟨5748692496739387824042849, 3059278297841778647105537, -25⟩),
  ("sin", "-1", "1", "-0.84147098480789650665250232163029", "0.84147098480789650665250232163029",
    ⟨-555111512, 8414709903133380765024257, -25⟩),
  ("cos", "0", "1", "0.54030230586813971740093660744298", "1",
    ⟨7701511525422294335285755, 2298488493662409297231873, -25⟩),
  ("exp", "0.1", "0.1", "1.1051709180756476248117078264902", "1.1051709180756476248117078264903",
    ⟨1105170918075647624811707, 2, -24⟩)]

/-- A node `{"op", "args"}`. -/
def op (name : String) (args : List Json) : Json :=
  Json.mkObj [("op", Json.str name), ("args", Json.arr args.toArray)]

def x : Json := Json.mkObj [("var", Json.str "x")]

def const (s : String) : Json := Json.mkObj [("const", Json.str s)]

/-- The network of the reference's documentation. -/
def network : Json := json! "{\"kind\":\"mlp\",\"input\":{\"lo\":[\"-0.1\",\"0.2\"],\
  \"hi\":[\"0.1\",\"0.3\"]},\"layers\":[{\"W\":[[\"1\",\"2\"],[\"0.5\",\"-1\"]],\
  \"b\":[\"0\",\"1/10\"],\"act\":\"relu\"},{\"W\":[[\"1\",\"1\"]],\"b\":[\"0\"],\"act\":\"tanh\"}]}"

def answerTests : TestM Unit := do
  for (func, lo, hi, least, greatest, reference) in golden do
    let r ← run { func, lo, hi, digits := 20 }
    -- the truth of a point is known between two decimals; the ball is narrower than those only then
    if lo == hi then
      check s!"{func} at {lo} is inside the reference's answer"
        (decide (r.outputBall.subset reference)) s!"{r.outputBall}"
      check s!"{func} at {lo} agrees with the truth" (decide ((dec least) ≤ r.outputBall.hi)
        && decide (r.outputBall.lo ≤ dec greatest)) s!"{r.outputBall}"
    else between! s!"{func} on [{lo}, {hi}]" r.outputBall least greatest reference
    check s!"{func} on [{lo}, {hi}]: a well-formed answer with the settings of the query"
      (r.func == func && r.precBits == 200 && r.digits == 20 && decide (0 ≤ r.outputBall.rad)
        && decide (0 ≤ r.inputBall.rad))
  let poly := op "add" [op "add" [op "mul" [x, x], op "mul" [const "0.1", x]], const "-0.5"]
  let r ← runExpr [("x", ("-0.5", "0.5"))] poly (digits := 10)
  between! "runExpr, a polynomial" r.outputBall "-0.5025" "-0.2"
    ⟨-500000000000000, 300000002703360, -15⟩
  checkEq "runExpr: settings" (r.precBits, r.digits) (200, 10)
  let r ← runMLP network (digits := 10)
  checkEq "runMLP: settings, outputs" (r.precBits, r.digits, r.output.size) (200, 10, 1)
  for (ball, lo, hi) in r.output do
    between! "runMLP" ball "0.29131261245159090581822127282" "0.60436777711716349631"
      ⟨-268129507079720, 984427391877121, -15⟩
    check "runMLP: texts are the ends of the ball"
      (decide (ball.contains (dec lo)) && decide (ball.contains (dec hi)))
  let r ← run { func := "exp", lo := "1", hi := "1", digits := 0 }
  check "no digits are all digits" (r.digits == 0 && r.outLo.length > 60) r.outLo
  -- what the reference gets wrong
  let within (name : String) (b : MidRad10Exp) (lo hi : LeanOracle.Decimal) : TestM Unit :=
    check name (decide (lo ≤ b.lo) && decide (b.hi ≤ hi)) s!"{b}"
  within "sin on [0, 3] is at most 1" (← run { func := "sin", lo := "0", hi := "3" }).outputBall 0 1
  within "sqrt on [0, 2] is at least 0" (← run { func := "sqrt", lo := "0", hi := "2" }).outputBall
    0 1.5
  within "sqrt(x) on [0, 4] has an answer"
    (← runExpr [("x", ("0", "4"))] (op "sqrt" [x])).outputBall 0 2
  within "tanh(x) on [-5, 5] is within 1"
    (← runExpr [("x", ("-5", "5"))] (op "tanh" [x])).outputBall ⟨-1, 0⟩ 1
  within "sigmoid(x) on [-0.5, 0.5] is within (0, 1)"
    (← runExpr [("x", ("-0.5", "0.5"))] (op "sigmoid" [x])).outputBall 0.3 0.7
  within "a variable may be called __arb__" (← runExpr [("__arb__", ("0", "4"))]
    (op "add" [Json.mkObj [("var", Json.str "__arb__")], const "1"])).outputBall 1 5
  within "var goes before op" (← runExpr [("x", ("0", "4"))]
    (Json.mkObj [("var", Json.str "x"), ("op", Json.str "pow")])).outputBall 0 4
  within "JSON numbers are taken exactly"
    (← runExpr [] (Json.mkObj [("const", Json.num ⟨1, 7⟩)])).outputBall ⟨1, -7⟩ ⟨1, -7⟩
  -- arguments of the script
  let asked (args : List String) : IO String := do
    return (← runPythonJson "python3" (oracleScriptPath :: args).toArray).compress
  let settings := ["--prec-bits", "100", "--digits", "30"]
  let expected ← asked (["--func", "tanh", "--lo=-1", "--hi=-.5"] ++ settings)
  for args in [["--func=tanh", "--lo=-1", "--hi=-.5", "--prec-bits=100", "--digits=30"],
      ["--digits", "30", "--prec-bits", " +100 ", "--hi", "-.5", "--lo", "-1", "--func", "tanh"],
      ["--func", "exp", "--func", "tanh", "--lo=-1", "--hi=-.5"] ++ settings] do
    checkEq s!"arguments {args}" (← asked args) expected
  checkEq "defaults of the script" (← asked ["--func", "exp", "--lo=0", "--hi=1"])
    (← runJson { func := "exp", lo := "0", hi := "1" }).compress
  ensureTmpDir
  let path ← freshReqPath
  IO.FS.writeFile path network.pretty
  checkEq "a request in a file"
    (← asked ["--func", "exp", "--request", path.toString, "--digits", "7"])
    (← runRequestJson network (digits := 7)).compress
  tryRemoveFile path
  check "tryRemoveFile removes" (!(← path.pathExists))
  tryRemoveFile path

/-! ### Refusals -/

def errorTests : TestM Unit := do
  let cmd ← resolvePythonCmd "python3"
  let start (cmd args : String) (exit : Nat) : String :=
    s!"Arb oracle: subprocess failed.\ncmd={cmd}\nargs=#[{args}]\nexit={exit}\nstderr:\n"
  -- the reference's words, exactly
  let exactly (name : String) (act : IO Json) (text : String) : TestM Unit := do
    checkEq s!"error: {name}" (← thrown act) text
  let script := oracleScriptPath
  exactly "nothing asked" (runPythonJson "python3" #[script])
    (start cmd script 1 ++ "unary mode requires --func/--lo/--hi (or JSON request with func/lo/hi)")
  exactly "no hi" (runPythonJson "py" #[script, "--func", "exp", "--lo=0"])
    (start (← resolvePythonCmd "py") s!"{script}, --func, exp, --lo=0" 1
      ++ "unary mode requires --func/--lo/--hi (or JSON request with func/lo/hi)")
  exactly "no value" (runPythonJson "python3" #[script, "--func", "--lo=0"])
    (start cmd s!"{script}, --func, --lo=0" 2
      ++ "arb_oracle.py: error: argument --func: expected one argument")
  exactly "not an integer" (runPythonJson "python3" #[script, "--digits", "x"])
    (start cmd s!"{script}, --digits, x" 2
      ++ "arb_oracle.py: error: argument --digits: invalid int value: 'x'")
  exactly "an unknown flag" (runPythonJson "python3" #[script, "--nosuch"])
    (start cmd s!"{script}, --nosuch" 2 ++ "arb_oracle.py: error: unrecognized arguments: --nosuch")
  exactly "precision 1" (runJson { func := "exp", lo := "0", hi := "1", precBits := 1 })
    (start cmd s!"{script}, --func, exp, --lo=0, --hi=1, --prec-bits, 1, --digits, 50" 1
      ++ "ValueError: prec must be >= 2")
  let starts {α : Type} (name : String) (act : IO α) (parts : List String) : TestM Unit := do
    let text ← thrown act
    check s!"error: {name}" (text.startsWith s!"Arb oracle: subprocess failed.\ncmd={cmd}\nargs=#["
      && parts.all fun p => (text.splitOn p).length > 1) text
  let unary (func lo hi : String) : IO Result := run { func, lo, hi }
  starts "unknown function" (unary "foo" "0" "1")
    ["exit=1\nstderr:\nValueError: unsupported func: foo\n", "unknown_function"]
  starts "log on [-1, 1]" (unary "log" "-1" "1") ["stderr:\nlean-oracle: domain"]
  starts "log on [0, 1]" (unary "log" "0" "1") ["stderr:\nlean-oracle: domain"]
  starts "an infinite end" (unary "exp" "0" "inf") ["lean-oracle: bad_number (hi)"]
  starts "an end that is none" (unary "exp" "nan" "1") ["lean-oracle: bad_number (lo)"]
  starts "ends in the wrong order" (unary "exp" "1" "0") ["lean-oracle: reversed"]
  starts "a huge exponent" (unary "exp" "1e15" "1e15") ["lean-oracle: exponent_limit"]
  let request (text : String) : IO Json := runRequestJson (json! text)
  starts "no object" (request "[]") ["stderr:\nthe request must be one JSON object"]
  starts "an unknown kind" (request "{\"kind\":\"teapot\"}") ["unsupported request kind: teapot"]
  starts "no expression" (request "{\"kind\":\"expr\"}")
    ["stderr:\nexpr request requires {vars: {...}, expr: {...}}"]
  starts "vars that are a list"
    (request "{\"kind\":\"expr\",\"vars\":[],\"expr\":{\"const\":\"1\"}}")
    ["stderr:\nexpr request requires {vars: {...}, expr: {...}}"]
  starts "a variable without hi"
    (request "{\"kind\":\"expr\",\"vars\":{\"x\":{\"lo\":\"0\"}},\"expr\":{\"var\":\"x\"}}")
    ["lean-oracle: bad_request"]
  starts "an unknown variable" (runExpr [("x", ("0", "1"))] (Json.mkObj [("var", Json.str "y")]))
    ["lean-oracle: bad_request", "unknown variable"]
  starts "a division by zero" (runExpr [("x", ("-1", "1"))] (op "div" [const "1", x]))
    ["lean-oracle: pole"]
  starts "a network without layers" (runMLP (json! "{\"kind\":\"mlp\",\"input\":{\"lo\":[\"0\"],\
    \"hi\":[\"1\"]},\"layers\":1}")) ["lean-oracle: bad_request"]
  let none_ ← thrown (runPythonJson "python3" #[script, "--request", "no/such/file.json"])
  check "error: no such file" (none_.startsWith
    (start cmd s!"{script}, --request, no/such/file.json" 1)) none_

/-! ### Parsers -/

def parserTests : TestM Unit := do
  let says {α : Type} (name : String) (parse : Json → Except String α)
      (text expected : String) : TestM Unit :=
    checkEq s!"{name} of {text}" (complaint parse text) expected
  says "jsonToString" jsonToString "\"a\"" "no error"
  says "jsonToString" jsonToString "1" "Expected string, got 1"
  says "jsonToString" jsonToString "null" "Expected string, got null"
  says "jsonToNat" jsonToNat "12" "no error"
  says "jsonToNat" jsonToNat "-1" "Expected Nat, got number -1"
  says "jsonToNat" jsonToNat "1.5" "Expected Nat, got number 1.5"
  says "jsonToNat" jsonToNat "\"1\"" "Expected number, got \"1\""
  says "jsonToIntFromStringKey" (jsonToIntFromStringKey · "k") "{\"k\":\"-12\"}" "no error"
  says "jsonToIntFromStringKey" (jsonToIntFromStringKey · "k") "{\"k\":\"1.5\"}"
    "Expected Int string at key 'k', got '1.5'"
  says "jsonToIntFromStringKey" (jsonToIntFromStringKey · "k") "{\"k\":5}" "Expected string, got 5"
  let ball (m r e : String) : String := s!"\{\"mid\":\"{m}\",\"rad\":\"{r}\",\"exp\":\"{e}\"}"
  checkEq "parseMidRad10Exp" (Json.parse (ball "-7" "2" "-3") >>= parseMidRad10Exp).toOption
    (some ⟨-7, 2, -3⟩)
  says "parseMidRad10Exp" parseMidRad10Exp (ball "1" "-1" "0")
    "Expected a radius of at least 0, got -1"
  says "parseMidRad10Exp" parseMidRad10Exp (ball "nan" "0" "0")
    "Expected Int string at key 'mid', got 'nan'"
  checkEq "parseCtx" (Json.parse "{\"ctx\":{\"prec_bits\":1,\"digits\":2}}" >>= parseCtx).toOption
    (some (1, 2))
  let interval (lo hi : String) (ball : String := ball "-7" "2" "-3") : String :=
    s!"\{\"ball\":{ball},\"lo\":\"{lo}\",\"hi\":\"{hi}\"}"
  checkEq "parseBallLoHi" (Json.parse (interval "-9e-3" "-0.005") >>= parseBallLoHi).toOption
    (some (⟨-7, 2, -3⟩, "-9e-3", "-0.005"))
  checkEq "parseLoHi" (Json.parse (interval "-9.00E-03" "-0.005") >>= parseLoHi).toOption
    (some ("-9.00E-03", "-0.005"))
  -- answers as the reference writes them, good and bad
  let ctx := "\"status\":\"ok\",\"tool\":\"arb_oracle\",\"ctx\":{\"prec_bits\":200,\"digits\":10}"
  let unary (input output : String) : String :=
    s!"\{{ctx},\"func\":\"log\",\"input\":{input},\"output\":{output}}"
  let good := interval "-0.009000000000" "-0.005000000000"
  let zero := ball "0" "0" "0"
  let nothing := interval "nan" "nan" zero
  let refused := "Expected a finite number, got 'nan': there is no enclosure in this answer"
  checkEq "parseResult" ((Json.parse (unary good good) >>= parseResult).toOption.map fun r =>
      (r.func, r.precBits, r.digits, r.inputBall, r.outputBall, r.outLo, r.outHi))
    (some ("log", 200, 10, ⟨-7, 2, -3⟩, ⟨-7, 2, -3⟩, "-0.009000000000", "-0.005000000000"))
  says "parseResult" parseResult (unary good (interval "0" "0" zero)) "no error"
  says "parseResult" parseResult (unary good nothing) refused
  says "parseResult" parseResult (unary (interval "inf" "1" zero) good)
    "Expected a finite number, got 'inf': there is no enclosure in this answer"
  says "parseResult" parseResult (unary s!"\{\"ball\":{zero}}" good) "no error"
  says "parseExprResult" parseExprResult s!"\{{ctx},\"output\":{good}}" "no error"
  says "parseExprResult" parseExprResult s!"\{{ctx},\"output\":{nothing}}" refused
  says "parseMLPResult" parseMLPResult s!"\{{ctx},\"output\":\{\"vector\":[{good}]}}" "no error"
  says "parseMLPResult" parseMLPResult
    s!"\{{ctx},\"output\":\{\"vector\":[{good},{nothing}]}}" refused
  let other ← thrown (runExpr [] (const "1") >>= fun r => runMLP (Json.mkObj
    [("kind", Json.str "expr"), ("expr", const r.outLo)]))
  check "an answer of another kind is a parse error"
    (other.startsWith "Arb oracle mlp parse error: "
      && (other.splitOn "\njson:\n{").length == 2) other

/-! ### Environment -/

/-- The requests that were kept. -/
def kept : IO (List System.FilePath) := do
  let dir : System.FilePath := ".lake" / "build" / "tmp"
  if ← dir.pathExists then return (← dir.readDir).toList.map (·.path) else return []

def environmentTests : TestM Unit := do
  let py ← IO.getEnv "TORCHLEAN_ARB_PY"
  checkEq s!"TORCHLEAN_ARB_PY is {py}" (← resolvePythonCmd "python9") (py.getD "python9")
  let keep ← IO.getEnv "TORCHLEAN_ARB_KEEP_TMP"
  checkEq s!"TORCHLEAN_ARB_KEEP_TMP is {keep}" (← keepTmpRequests) keep.isSome
  let text ← thrown (runExpr [] (const "abc") (pythonCmd := "no such command"))
  check "a command that does not exist is only named"
    (text.startsWith s!"Arb oracle: subprocess failed.\ncmd={py.getD "no such command"}\n") text
  let (a, b) := (← freshReqPath, ← freshReqPath)
  let start := (".lake" / "build" / "tmp" / "arb_req_" : System.FilePath).toString
  check "fresh paths"
    (a != b && a.toString.startsWith start && a.extension == some "json") a.toString
  let before ← kept
  discard <| runMLP network (digits := 7)
  let bad := Json.mkObj [("kind", Json.str "teapot")]
  let failed ← thrown (runRequestJson bad)
  let new := (← kept).filter fun p => !before.contains p
  if keep.isSome then
    checkEq "requests are kept" new.length 2
    let contents ← new.mapM fun p => IO.FS.readFile p
    check "as they were" (contents.contains network.pretty && contents.contains bad.pretty)
    check "the exception names the file" (new.any fun p => (failed.splitOn p.toString).length == 2)
      failed
    for p in new do tryRemoveFile p
  else checkEq "no request is kept" new.length 0

/-- Everything about `LeanOracle.Compat.TorchLean`. -/
def compatTests : TestM Unit := do
  shapeTests
  answerTests
  errorTests
  parserTests
  environmentTests

end Tests.TorchLean
