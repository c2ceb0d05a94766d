/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lean.Data.Json
import LeanOracle.Arb

/-!
# In the place of TorchLean's oracle

TorchLean asks Arb through `NN.Floats.Arb.Oracle`, which starts a Python process for each question.
This module has the same namespace, names, fields, defaults and types, and asks the native library.
A program changes one line,

```
import NN.Floats.Arb.Oracle            -- before
import LeanOracle.Compat.TorchLean     -- after
```

and `TorchLean.Floats.Arb.run`, `runExpr`, `runMLP` answer as before, without a process. (The module
`LeanOracle` does not import this one.) New programs should use `LeanOracle.Arb`, which has more to
say.

## What is the same

The arguments and the fields of every answer; the form of every request and of every answer in JSON;
the texts of exceptions up to the reason. A `MidRad10Exp` is that of `LeanOracle`, so that all that
is proved about it (`LeanOracle.Ball`) can be used as well.

## What is better

* An enclosure is tighter, and its texts `outLo` and `outHi` are the ends of its ball exactly, not
  rounded to nearest. (They have a few digits more than were asked for, as the balls of the
  reference do.)
* What has no answer is refused. For the reference `log` on `[-1, 1]` is the ball `(0, 0, 0)`, like
  every infinite or undefined value. Nor do the parsers here accept such an answer, should somebody
  have stored one: texts that are not finite numbers and negative radii are errors.
* Ends in the wrong order are refused; the reference swaps them.
* More functions, operations and kinds of request: see `docs/kinds`.

## What is there for the sake of old programs

No process is started. `pythonCmd` is accepted and appears in the text of exceptions, like the
variable `TORCHLEAN_ARB_PY`, and is not used otherwise. Requests stay in memory; only when
`TORCHLEAN_ARB_KEEP_TMP` is set are they written to `.lake/build/tmp`, and stay there.
`runPythonJson` reads the arguments that the reference gives to its script and answers them itself.

As before, an answer is the word of native code, not a theorem.
-/

namespace TorchLean.Floats.Arb

open Lean (Json)

/-! ### Questions and answers -/

/-- The question: what is the range of `func` over the interval from `lo` to `hi`? -/
structure Query where
  /-- Name of the function, for example `"exp"`. -/
  func : String
  /-- Lower end: a decimal, a fraction or a ball, taken exactly. -/
  lo : String
  /-- Upper end, likewise. -/
  hi : String
  /-- Working precision, in bits, to start with. -/
  precBits : Nat := 200
  /-- Significant digits of each end of the answer; `0` for as many as the precision holds. -/
  digits : Nat := 50
  deriving Repr, Inhabited

/-- The interval from `(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`: the ball of
`LeanOracle`, with all that is known about it. -/
abbrev MidRad10Exp := LeanOracle.MidRad10Exp

namespace MidRad10Exp

/-- The ball with these three integers. -/
@[match_pattern] abbrev mk (mid rad exp : Int) : MidRad10Exp :=
  LeanOracle.MidRad10Exp.mk mid rad exp

/-- The midpoint, in units of `10 ^ exp`. -/
abbrev mid (m : MidRad10Exp) : Int := LeanOracle.MidRad10Exp.mid m

/-- The radius, in units of `10 ^ exp`. -/
abbrev rad (m : MidRad10Exp) : Int := LeanOracle.MidRad10Exp.rad m

/-- The exponent of ten. -/
abbrev exp (m : MidRad10Exp) : Int := LeanOracle.MidRad10Exp.exp m

/-- The ends, exactly: `((mid - rad) * 10 ^ exp, (mid + rad) * 10 ^ exp)`. -/
def toRatBounds (m : MidRad10Exp) : Rat × Rat := LeanOracle.MidRad10Exp.toRatBounds m

end MidRad10Exp

/-- The answer to a `Query`. -/
structure Result where
  /-- The function of the query. -/
  func : String
  /-- The precision of the query. -/
  precBits : Nat
  /-- The digits of the query. -/
  digits : Nat
  /-- An enclosure of the interval that was asked about. -/
  inputBall : MidRad10Exp
  /-- An enclosure of the range. -/
  outputBall : MidRad10Exp
  /-- The lower end of `outputBall` in decimal notation. -/
  outLo : String
  /-- The upper end of `outputBall` in decimal notation. -/
  outHi : String
  deriving Repr, Inhabited

/-- The values of an expression over a box. -/
structure ExprResult where
  /-- The precision of the request. -/
  precBits : Nat
  /-- The digits of the request. -/
  digits : Nat
  /-- An enclosure of the values. -/
  outputBall : MidRad10Exp
  /-- The lower end of `outputBall` in decimal notation. -/
  outLo : String
  /-- The upper end of `outputBall` in decimal notation. -/
  outHi : String
  deriving Repr, Inhabited

/-- The values of the outputs of a neural network over a box. -/
structure MLPResult where
  /-- The precision of the request. -/
  precBits : Nat
  /-- The digits of the request. -/
  digits : Nat
  /-- For each output an enclosure, and its lower and its upper end in decimal notation. -/
  output : Array (MidRad10Exp × String × String)
  deriving Repr, Inhabited

/-! ### Reading answers -/

/-- A JSON string. -/
def jsonToString (j : Json) : Except String String :=
  match j with
  | .str s => return s
  | _ => throw s!"Expected string, got {j.pretty}"

/-- A JSON number that is a natural number. -/
def jsonToNat (j : Json) : Except String Nat :=
  match j with
  | .num n =>
    if n.exponent == 0 && decide (0 ≤ n.mantissa) then return n.mantissa.toNat
    else throw s!"Expected Nat, got number {j.compress}"
  | _ => throw s!"Expected number, got {j.pretty}"

/-- The integer that object `o` has as a string under key `k`. -/
def jsonToIntFromStringKey (o : Json) (k : String) : Except String Int := do
  let s ← jsonToString (← o.getObjVal? k)
  match LeanOracle.readInt? s.toList with
  | some n => return n
  | none => throw s!"Expected Int string at key '{k}', got '{s}'"

/-- A ball `{"mid", "rad", "exp"}`. Unlike the reference this refuses a negative radius, with which
a ball would contain nothing. -/
def parseMidRad10Exp (j : Json) : Except String MidRad10Exp := do
  let mid ← jsonToIntFromStringKey j "mid"
  let rad ← jsonToIntFromStringKey j "rad"
  let exp ← jsonToIntFromStringKey j "exp"
  if rad < 0 then throw s!"Expected a radius of at least 0, got {rad}" else return { mid, rad, exp }

/-- A ball that was read is well-formed. -/
theorem wellFormed_of_parseMidRad10Exp {j : Json} {b : MidRad10Exp}
    (h : parseMidRad10Exp j = .ok b) : LeanOracle.MidRad10Exp.WellFormed b := by
  unfold parseMidRad10Exp at h
  cases hm : jsonToIntFromStringKey j "mid" with
  | error e => rw [hm] at h; cases h
  | ok m => cases hr : jsonToIntFromStringKey j "rad" with
    | error e => rw [hm, hr] at h; cases h
    | ok r => cases he : jsonToIntFromStringKey j "exp" with
      | error e => rw [hm, hr, he] at h; cases h
      | ok e =>
        rw [hm, hr, he] at h
        change (if r < 0 then _ else _) = _ at h
        by_cases neg : r < 0
        · rw [if_pos neg] at h; cases h
        · rw [if_neg neg] at h
          cases h
          exact Int.not_lt.1 neg

/-- The pair `(prec_bits, digits)` of field `ctx`. -/
def parseCtx (j : Json) : Except String (Nat × Nat) := do
  let ctx ← j.getObjVal? "ctx"
  return (← jsonToNat (← ctx.getObjVal? "prec_bits"), ← jsonToNat (← ctx.getObjVal? "digits"))

/-- The ball under field `ball`. -/
def parseBallField (o : Json) : Except String MidRad10Exp := do
  parseMidRad10Exp (← o.getObjVal? "ball")

/-- Refuses `nan`, `inf` and everything else with a letter other than the `e` of decimals: beside
such a text the ball is `(0, 0, 0)` and means nothing. -/
private def checkFinite (s : String) : Except String Unit :=
  if s.toList.any fun c => c.isAlpha && c != 'e' && c != 'E' then
    throw s!"Expected a finite number, got '{s}': there is no enclosure in this answer"
  else return ()

/-- The texts of fields `lo` and `hi`. Unlike the reference this refuses `nan` and infinities. -/
def parseLoHi (o : Json) : Except String (String × String) := do
  let lo ← jsonToString (← o.getObjVal? "lo")
  let hi ← jsonToString (← o.getObjVal? "hi")
  checkFinite lo
  checkFinite hi
  return (lo, hi)

/-- The ball and the texts of its ends. -/
def parseBallLoHi (o : Json) : Except String (MidRad10Exp × String × String) := do
  return (← parseBallField o, ← parseLoHi o)

/-- Reads the answer to a unary query. Unlike the reference this refuses an input that is not
finite. -/
def parseResult (j : Json) : Except String Result := do
  let func ← jsonToString (← j.getObjVal? "func")
  let (precBits, digits) ← parseCtx j
  let input ← j.getObjVal? "input"
  let inputBall ← parseBallField input
  for key in ["lo", "hi"] do
    if let .ok (.str s) := input.getObjVal? key then checkFinite s
  let (outputBall, outLo, outHi) ← parseBallLoHi (← j.getObjVal? "output")
  return { func, precBits, digits, inputBall, outputBall, outLo, outHi }

/-- Reads the answer to an `expr` request. -/
def parseExprResult (j : Json) : Except String ExprResult := do
  let (precBits, digits) ← parseCtx j
  let (outputBall, outLo, outHi) ← parseBallLoHi (← j.getObjVal? "output")
  return { precBits, digits, outputBall, outLo, outHi }

/-- Reads the answer to an `mlp` request. -/
def parseMLPResult (j : Json) : Except String MLPResult := do
  let (precBits, digits) ← parseCtx j
  let vector ← (← (← j.getObjVal? "output").getObjVal? "vector").getArr?
  return { precBits, digits, output := ← vector.mapM parseBallLoHi }

/-! ### What was about the process -/

/-- Path of the script of the reference: the first of the arguments. There need not be one. -/
def oracleScriptPath : String := "NN/Floats/Arb/arb_oracle.py"

/-- The value of `TORCHLEAN_ARB_PY`, even an empty one, or else `pythonCmd`. Nothing is started; the
command is named in exceptions. -/
def resolvePythonCmd (pythonCmd : String) : IO String :=
  return (← IO.getEnv "TORCHLEAN_ARB_PY").getD pythonCmd

/-- Makes the directory of the requests that are kept. -/
def ensureTmpDir : IO Unit := IO.FS.createDirAll (".lake" / "build" / "tmp" : System.FilePath)

/-- Whether requests are to be kept in files: whether `TORCHLEAN_ARB_KEEP_TMP` is set, to any
value. -/
def keepTmpRequests : IO Bool := return (← IO.getEnv "TORCHLEAN_ARB_KEEP_TMP").isSome

/-- Removes a file; does nothing if that fails. -/
def tryRemoveFile (path : System.FilePath) : IO Unit := do
  try IO.FS.removeFile path catch _ => pure ()

/-- The path of a new file for a request. -/
def freshReqPath : IO System.FilePath :=
  return (".lake" / "build" / "tmp" : System.FilePath)
    / s!"arb_req_{← IO.monoMsNow}_{← IO.rand 0 (2 ^ 63 - 1)}.json"

/-- The exception of the reference for a script that failed. -/
private def failure (cmd : String) (args : Array String) (exit : Nat) (stderr : String) :
    IO.Error :=
  IO.userError s!"Arb oracle: subprocess failed.\ncmd={cmd}\nargs={args}\nexit={exit}\n\
    stderr:\n{stderr}"

/-! ### Asking -/

/-- What the reference says first about a request that it cannot begin to answer. -/
private def checkShape (req : Json) : Except String Unit := do
  let has (key : String) : Bool :=
    match req.getObjVal? key with
    | .ok j => !j.isNull
    | .error _ => false
  match req, req.getObjVal? "kind" with
  | .obj _, .ok (.str "expr") =>
    let vars := match req.getObjVal? "vars" with
      | .ok (.obj _) | .error _ => true
      | .ok _ => false
    unless has "expr" && vars do throw "expr request requires {vars: {...}, expr: {...}}"
  | .obj _, .ok (.str "unary") | .obj _, .error _ =>
    unless has "func" && has "lo" && has "hi" do
      throw "unary mode requires --func/--lo/--hi (or JSON request with func/lo/hi)"
  | .obj _, _ => return ()
  | _, _ => throw "the request must be one JSON object"

/-- The reason for a refusal; for an unknown function with the words of the reference before it. -/
private def refusal (req : Json) (e : LeanOracle.Arb.Error) : String :=
  match e.code == .unknownFunction && e.field == "func", req.getObjVal? "func" with
  | true, .ok (.str func) => s!"ValueError: unsupported func: {func}\nlean-oracle: {e}"
  | _, _ => s!"lean-oracle: {e}"

/-- How many digits the balls have beyond those that are asked for. Those of the reference have five
or six; with eight, ours are the narrower ones for thin intervals too. -/
private def guardDigits : Nat := 8

/-- The answer to a request with this precision and these digits, whatever the request says of them;
no digits, or fewer, are as many as the precision holds. -/
private def answer (cmd : String) (args : Array String) (req : Json) (precBits digits : Int) :
    IO Json := do
  if let .error text := checkShape req then throw (failure cmd args 1 text)
  if precBits < 2 then throw (failure cmd args 1 "ValueError: prec must be >= 2")
  let bits := precBits.toNat
  -- with the logarithm of 2 to the base 10
  let wanted := if digits ≤ 0 then max 1 (bits * 30102999566398 / 10 ^ 14) else digits.toNat
  -- a million digits is the most that is answered
  let sent := max wanted (min (wanted + guardDigits) 1000000)
  let req := (req.setObjVal! "prec_bits" (bits : Json)).setObjVal! "digits" (sent : Json)
  match ← LeanOracle.Arb.requestE req with
  | .ok j =>
    return j.setObjVal! "ctx" <|
      Json.mkObj [("prec_bits", (bits : Json)), ("digits", (digits.toNat : Json))]
  | .error e => throw (failure cmd args 1 (refusal req e))

/-- The arguments of the reference's script. -/
private structure Args where
  func : Option String := none
  lo : Option String := none
  hi : Option String := none
  request : Option String := none
  precBits : Int := 200
  digits : Int := 50

/-- An integer as Python reads one, more or less. -/
private def readPythonInt? (s : String) : Option Int :=
  let front (cs : List Char) := cs.dropWhile Char.isWhitespace
  match (front (front s.toList).reverse).reverse with
  | '+' :: cs => (LeanOracle.readNat? cs).map fun (n : Nat) => (n : Int)
  | cs => LeanOracle.readInt? cs

/-- Sets the value of a flag. -/
private def Args.set (a : Args) (flag value : String) : Except String Args :=
  let int : Except String Int :=
    match readPythonInt? value with
    | some n => return n
    | none => throw s!"arb_oracle.py: error: argument {flag}: invalid int value: '{value}'"
  match flag with
  | "--func" => return { a with func := some value }
  | "--lo" => return { a with lo := some value }
  | "--hi" => return { a with hi := some value }
  | "--request" => return { a with request := some value }
  | "--prec-bits" => return { a with precBits := ← int }
  | "--digits" => return { a with digits := ← int }
  | _ => throw s!"arb_oracle.py: error: unrecognized arguments: {flag}"

/-- Whether an argument that follows a flag is the next flag rather than its value. -/
private def isFlag (arg : String) : Bool :=
  match arg.toList with
  | '-' :: c :: _ => !(c.isDigit || c == '.')
  | _ => false

/-- Reads arguments, after the path of the script. -/
private def Args.read (args : List String) : Except String Args := do
  let missing (flag : String) := s!"arb_oracle.py: error: argument {flag}: expected one argument"
  let step (state : Args × Option String) (arg : String) : Except String (Args × Option String) :=
    match state with
    | (a, some flag) =>
      if isFlag arg then throw (missing flag) else return (← a.set flag arg, none)
    | (a, none) =>
      match arg.toList.span (· != '=') with
      | ('-' :: '-' :: name, '=' :: value) =>
        return (← a.set (String.ofList ('-' :: '-' :: name)) (String.ofList value), none)
      | _ =>
        if ["--func", "--lo", "--hi", "--request", "--prec-bits", "--digits"].contains arg then
          return (a, some arg)
        else throw s!"arb_oracle.py: error: unrecognized arguments: {arg}"
  match ← args.foldlM step ({}, none) with
  | (a, none) => return a
  | (_, some flag) => throw (missing flag)

/-- Answers the arguments of the reference's script: `--func F --lo=A --hi=B`, or `--request PATH`
for a request in a file, with `--prec-bits P` and `--digits D`, all after the path of the script.
No process is started, neither `pythonCmd` nor another. Throws what the reference would throw for a
script that printed the reason and ended with the exit code 1, or 2 for bad arguments. -/
def runPythonJson (pythonCmd : String) (args : Array String) : IO Json := do
  let cmd ← resolvePythonCmd pythonCmd
  let script := match args.toList with
    | script :: rest => if isFlag script then args.toList else rest
    | [] => []
  let a ← match Args.read script with
    | .ok a => pure a
    | .error text => throw (failure cmd args 2 text)
  let req ← match a.request with
    | none =>
      let given (key : String) (value : Option String) : List (String × Json) :=
        value.toList.map fun s => (key, Json.str s)
      pure <| Json.mkObj (given "func" a.func ++ given "lo" a.lo ++ given "hi" a.hi)
    | some path =>
      let text ← try IO.FS.readFile path catch e => throw (failure cmd args 1 (toString e))
      match Json.parse text with
      | .ok j => pure j
      | .error e => throw (failure cmd args 1 s!"{path} is not JSON: {e}")
  answer cmd args req a.precBits a.digits

/-- The arguments of the reference's script for a query. -/
def Query.toArgs (q : Query) : Array String :=
  #[oracleScriptPath, "--func", q.func, s!"--lo={q.lo}", s!"--hi={q.hi}",
    "--prec-bits", toString q.precBits, "--digits", toString q.digits]

/-- Asks about a function and returns the answer as it came. -/
def runJson (q : Query) (pythonCmd : String := "python3") : IO Json :=
  runPythonJson pythonCmd q.toArgs

/-- What a parser gives, or its error as an exception. -/
private def parsed (what : String) (parse : Json → Except String α) (j : Json) : IO α :=
  match parse j with
  | .ok a => return a
  | .error e => throw <| IO.userError s!"Arb oracle {what} parse error: {e}\njson:\n{j.pretty}"

/-- Asks about a function. -/
def run (q : Query) (pythonCmd : String := "python3") : IO Result := do
  parsed "result" parseResult (← runJson q pythonCmd)

/-- Sends a JSON request with this precision and these digits, whatever the request says of them,
and returns the answer as it came. The request is kept in a file if `keepTmpRequests`, whatever the
answer. -/
def runRequestJson (req : Json) (precBits : Nat := 200) (digits : Nat := 50)
    (pythonCmd : String := "python3") : IO Json := do
  let cmd ← resolvePythonCmd pythonCmd
  let place ←
    if ← keepTmpRequests then do
      ensureTmpDir
      let path ← freshReqPath
      IO.FS.writeFile path req.pretty
      pure path.toString
    else pure "(kept in a file if TORCHLEAN_ARB_KEEP_TMP is set)"
  let args := #[oracleScriptPath, "--request", place, "--prec-bits", toString precBits,
    "--digits", toString digits]
  answer cmd args req precBits digits

/-- Encloses the values of an expression, given as a JSON node, over the intervals of its
variables. -/
def runExpr (vars : List (String × (String × String))) (expr : Json) (precBits : Nat := 200)
    (digits : Nat := 50) (pythonCmd : String := "python3") : IO ExprResult := do
  let ends (lo hi : String) : Json := Json.mkObj [("lo", Json.str lo), ("hi", Json.str hi)]
  let req := Json.mkObj [("kind", Json.str "expr"),
    ("vars", Json.mkObj (vars.map fun (name, lo, hi) => (name, ends lo hi))), ("expr", expr)]
  parsed "expr" parseExprResult (← runRequestJson req precBits digits pythonCmd)

/-- Encloses what a neural network puts out. The request is sent as it is, but for the precision and
the digits. -/
def runMLP (req : Json) (precBits : Nat := 200) (digits : Nat := 50)
    (pythonCmd : String := "python3") : IO MLPResult := do
  parsed "mlp" parseMLPResult (← runRequestJson req precBits digits pythonCmd)

end TorchLean.Floats.Arb
