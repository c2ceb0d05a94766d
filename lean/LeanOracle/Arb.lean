/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lean.Data.Json
import LeanOracle.Ball
import LeanOracleFFI

/-!
# Asking the Arb oracle about one function

A `Query` names a unary function and an interval; `run` answers with a `Result`, a ball that
contains the range of the function over that interval. `runE` returns refusals as values of type
`Error` instead of throwing them.

The oracle is native code and **untrusted**: a `Result` is data. To prove something with it, state
the bound exactly and let the kernel check it, as `Examples/SqrtTwo.lean` does.

`run` calls the native library directly. `runJson` asks the same question through the JSON form of
the protocol; `parseResult` reads such an answer. Questions about expressions are in
`LeanOracle.Questions`.
-/

namespace LeanOracle.Arb

open Lean (Json)

/-! ### Errors -/

/-- The kinds of refusal. Their text forms (`bad_number`, …) are stable, and the same in C, JSON and
on the command line. -/
inductive ErrorCode where
  /-- The request is not well-formed text of its format. -/
  | parse
  /-- An end of the interval is not a number of the accepted grammar, or is `inf` or `nan`. -/
  | badNumber
  /-- The lower end is above the upper end. -/
  | reversed
  /-- There is no function of that name. -/
  | unknownFunction
  /-- The interval leaves the domain of the function. -/
  | domain
  /-- The interval contains a pole of the function. -/
  | pole
  /-- The question was not decided within the limit on the working precision. -/
  | precisionCap
  /-- A power of ten in the question or the answer is beyond the limit on exponents. -/
  | exponentLimit
  /-- The request is well-formed but asks for something that does not exist or is out of bounds. -/
  | badRequest
  /-- A defect of the library, or an answer that makes no sense. -/
  | internal
  /-- The time that the request allowed is over. -/
  | timeout
  /-- The work that the request allowed is done. -/
  | budget
  /-- The request was cancelled. -/
  | cancelled
  /-- A message or a part of it is larger than allowed. -/
  | tooLarge
  /-- The other side may not connect, or did not prove who it is. -/
  | unauthorized
  /-- Nobody could be reached who would answer. -/
  | unreachable
  /-- The server has too much to do; the request may be repeated later. -/
  | busy
  /-- A message of a version that the other side does not speak. -/
  | unsupportedVersion
  deriving Repr, Inhabited, DecidableEq

namespace ErrorCode

/-- Every code. -/
def all : List ErrorCode :=
  [parse, badNumber, reversed, unknownFunction, domain, pole, precisionCap, exponentLimit,
    badRequest, internal, timeout, budget, cancelled, tooLarge, unauthorized, unreachable, busy,
    unsupportedVersion]

/-- The stable text form. -/
protected def toString : ErrorCode → String
  | parse => "parse"
  | badNumber => "bad_number"
  | reversed => "reversed"
  | unknownFunction => "unknown_function"
  | domain => "domain"
  | pole => "pole"
  | precisionCap => "precision_cap"
  | exponentLimit => "exponent_limit"
  | badRequest => "bad_request"
  | internal => "internal"
  | timeout => "timeout"
  | budget => "budget"
  | cancelled => "cancelled"
  | tooLarge => "too_large"
  | unauthorized => "unauthorized"
  | unreachable => "unreachable"
  | busy => "busy"
  | unsupportedVersion => "unsupported_version"

instance : ToString ErrorCode := ⟨ErrorCode.toString⟩

/-- Reads the stable text form. -/
def ofString? (s : String) : Option ErrorCode := all.find? (·.toString == s)

end ErrorCode

/-- Why a question was refused. -/
structure Error where
  /-- The kind of refusal. -/
  code : ErrorCode
  /-- What was asked, what is wrong with it, and what to do. -/
  message : String
  /-- The field of the query at fault (`"func"`, `"lo"`, …), or `""`. -/
  field : String := ""
  deriving Repr, Inhabited, DecidableEq

namespace Error

instance : ToString Error where
  toString e :=
    if e.field.isEmpty then s!"{e.code}: {e.message}" else s!"{e.code} ({e.field}): {e.message}"

/-- An error from its wire form; a code that is not known here is `internal`. -/
def ofText (code message field : String) : Error :=
  match ErrorCode.ofString? code with
  | some code => { code, message, field }
  | none => { code := .internal, message := s!"unknown error code '{code}': {message}", field }

/-- The error of an answer that does not follow the protocol. -/
def malformed (what : String) : Error :=
  { code := .internal, message := s!"malformed answer: {what}" }

/-- The error as an exception. -/
def toIO (e : Error) : IO.Error := IO.userError s!"Arb oracle: {e}"

end Error

/-! ### Questions and answers -/

/-- The question: what is the range of `func` over the interval from `lo` to `hi`? -/
structure Query where
  /-- Name of the function, for example `"exp"`; `lean-oracle functions` lists them. -/
  func : String
  /-- Lower end: a decimal (`"-0.5"`, `"1e-9"`), a fraction (`"1/3"`) or a ball in the notation of
  Arb, taken exactly. -/
  lo : String
  /-- Upper end, likewise. -/
  hi : String
  /-- Working precision, in bits, to start with; it is raised when that is not enough. -/
  precBits : Nat := 200
  /-- Significant digits of each end of the answer. -/
  digits : Nat := 50
  deriving Repr, Inhabited, DecidableEq

/-- The answer to a `Query`: by the oracle's word, `outputBall` contains the range of the function
over `inputBall`, and `inputBall` contains the interval that was asked about. -/
structure Result where
  /-- The function of the query. -/
  func : String
  /-- The starting precision of the query. -/
  precBits : Nat
  /-- The digits of the query. -/
  digits : Nat
  /-- The interval that was asked about, rounded outward. -/
  inputBall : MidRad10Exp
  /-- The enclosure of the range. -/
  outputBall : MidRad10Exp
  /-- The lower end of `outputBall`, exactly, in decimal notation. -/
  outLo : String
  /-- The upper end of `outputBall`, exactly, in decimal notation. -/
  outHi : String
  /-- Whether each end exceeds the range by less than one unit of its last requested digit. -/
  tight : Bool
  /-- Working precision, in bits, that the answer took. -/
  bitsUsed : Nat
  deriving Repr, Inhabited, DecidableEq

/-- Refuses a ball with a negative radius. -/
private def checkBall (b : MidRad10Exp) : Except String MidRad10Exp :=
  if b.rad < 0 then throw s!"Expected a radius of at least 0, got {b.rad}" else return b

/-- `n` as a 32-bit number. -/
private def toUInt32 (n : Nat) (field : String) : Except Error UInt32 :=
  if n < UInt32.size then return n.toUInt32
  else throw { code := .badRequest, message := s!"{n} does not fit in 32 bits", field }

/-- Asks the oracle; a refusal is returned as an `Error`. Throws only when the native library cannot
be used at all. -/
def runE (q : Query) : IO (Except Error Result) := do
  match toUInt32 q.digits "digits", toUInt32 q.precBits "prec_bits" with
  | .error e, _ => return .error e
  | _, .error e => return .error e
  | .ok digits, .ok precBits =>
    match ← FFI.unary q.func q.lo q.hi digits precBits 0 0 with
    | .error e => return .error (.ofText e.code e.message e.field)
    | .ok a =>
      let balls : Except String (MidRad10Exp × MidRad10Exp) := do
        return (← checkBall ⟨a.inputMid, a.inputRad, a.inputExp⟩, ← checkBall ⟨a.mid, a.rad, a.exp⟩)
      match balls with
      | .error message => return .error { code := .internal, message }
      | .ok (inputBall, outputBall) =>
        return .ok { q with
          inputBall, outputBall, outLo := a.lo, outHi := a.hi
          tight := a.tight, bitsUsed := a.bitsUsed }

/-- Asks the oracle. Throws `IO.userError` with the rendered `Error` on a refusal. -/
def run (q : Query) : IO Result := do
  match ← runE q with
  | .ok r => return r
  | .error e => throw e.toIO

/-! ### The JSON form -/

/-- A JSON string. -/
def jsonToString (j : Json) : Except String String :=
  match j with
  | .str s => return s
  | _ => throw s!"Expected string, got {j.compress}"

/-- A JSON number that is a natural number. -/
def jsonToNat (j : Json) : Except String Nat :=
  match j.getNat? with
  | .ok n => return n
  | .error _ => throw s!"Expected Nat, got {j.compress}"

/-- The integer that object `o` has as a string under key `k`. -/
def jsonToIntFromStringKey (o : Json) (k : String) : Except String Int := do
  let s ← jsonToString (← o.getObjVal? k)
  match readInt? s.toList with
  | some n => return n
  | none => throw s!"Expected Int string at key '{k}', got '{s}'"

/-- A ball `{"mid", "rad", "exp"}`; a negative radius is an error. -/
def parseMidRad10Exp (j : Json) : Except String MidRad10Exp := do
  checkBall
    { mid := ← jsonToIntFromStringKey j "mid"
      rad := ← jsonToIntFromStringKey j "rad"
      exp := ← jsonToIntFromStringKey j "exp" }

/-- A ball that was read is well-formed. -/
theorem wellFormed_of_parseMidRad10Exp {j : Json} {b : MidRad10Exp}
    (h : parseMidRad10Exp j = .ok b) : b.WellFormed := by
  have checked (a : MidRad10Exp) (h : checkBall a = .ok b) : b.WellFormed := by
    unfold checkBall at h
    by_cases neg : a.rad < 0
    · rw [if_pos neg] at h
      cases h
    · rw [if_neg neg] at h
      cases h
      exact Int.not_lt.1 neg
  unfold parseMidRad10Exp at h
  cases hm : jsonToIntFromStringKey j "mid" with
  | error e => rw [hm] at h; cases h
  | ok m => cases hr : jsonToIntFromStringKey j "rad" with
    | error e => rw [hm, hr] at h; cases h
    | ok r => cases he : jsonToIntFromStringKey j "exp" with
      | error e => rw [hm, hr, he] at h; cases h
      | ok e => rw [hm, hr, he] at h; exact checked _ h

/-- The pair `(prec_bits, digits)` of field `ctx`. -/
def parseCtx (j : Json) : Except String (Nat × Nat) := do
  let ctx ← j.getObjVal? "ctx"
  return (← jsonToNat (← ctx.getObjVal? "prec_bits"), ← jsonToNat (← ctx.getObjVal? "digits"))

/-- The ball under field `ball`. -/
def parseBallField (o : Json) : Except String MidRad10Exp := do
  parseMidRad10Exp (← o.getObjVal? "ball")

/-- The texts of fields `lo` and `hi`. -/
def parseLoHi (o : Json) : Except String (String × String) := do
  return (← jsonToString (← o.getObjVal? "lo"), ← jsonToString (← o.getObjVal? "hi"))

/-- The ball and the texts of its ends. -/
def parseBallLoHi (o : Json) : Except String (MidRad10Exp × String × String) := do
  return (← parseBallField o, ← parseLoHi o)

/-- Reads the answer to a unary query. -/
def parseResult (j : Json) : Except String Result := do
  let func ← jsonToString (← j.getObjVal? "func")
  let (precBits, digits) ← parseCtx j
  let inputBall ← parseBallField (← j.getObjVal? "input")
  let (outputBall, outLo, outHi) ← parseBallLoHi (← j.getObjVal? "output")
  let tight ← (← j.getObjVal? "tight").getBool?
  let bitsUsed ← jsonToNat (← j.getObjVal? "bits_used")
  return { func, precBits, digits, inputBall, outputBall, outLo, outHi, tight, bitsUsed }

/-- Reads the error of an answer with `"status": "error"`. -/
def parseError (j : Json) : Except String Error := do
  let e ← j.getObjVal? "error"
  let text (k : String) : String :=
    match e.getObjVal? k with
    | .ok (.str s) => s
    | _ => ""
  return .ofText (← jsonToString (← e.getObjVal? "code")) (text "message") (text "field")

/-- The query as a JSON request. -/
def Query.toJson (q : Query) : Json :=
  Json.mkObj
    [("kind", "unary"), ("func", q.func), ("lo", q.lo), ("hi", q.hi),
      ("prec_bits", (q.precBits : Json)), ("digits", (q.digits : Json))]

/-- An answer, or the error that it reports; one that is neither of the two forms of the protocol is
an `internal` error. -/
def checkAnswer (j : Json) : Except Error Json :=
  let answer : Except String (Except Error Json) := do
    match ← jsonToString (← j.getObjVal? "status") with
    | "ok" => return .ok j
    | "error" => return .error (← parseError j)
    | s => throw s!"unknown status '{s}'"
  match answer with
  | .ok a => a
  | .error e => .error (.malformed e)

/-- Sends any JSON request. A refusal is returned as an `Error`; an answer that is not one of the
two forms of the protocol is an `internal` error. Setting the flag `cancel` ends the request soon,
with the code `cancelled`. -/
def requestE (request : Json) (cancel : Option FFI.Cancel := none) : IO (Except Error Json) := do
  let text ← match cancel with
    | none => FFI.callJson request.compress
    | some flag => FFI.callJsonCancellable request.compress flag
  match Json.parse text with
  | .ok j => return checkAnswer j
  | .error e => return .error (.malformed e)

/-- Asks the oracle through JSON and returns the answer as it came, to be read by `parseResult`.
Throws `IO.userError` with the rendered `Error` on a refusal. -/
def runJson (q : Query) : IO Json := do
  match ← requestE q.toJson with
  | .ok j => return j
  | .error e => throw e.toIO

end LeanOracle.Arb

/-! ## Keeping answers -/

namespace LeanOracle.Cache

/-- What the cache holds, and how it was used since it was last resized. -/
abbrev Stats := FFI.CacheStats

deriving instance Repr, BEq for FFI.CacheStats

/-- Empties the cache of this process and lets it take so many bytes; `0`, as at the beginning, turns
it off. It keeps answers and refusals of everything that is asked as JSON (`Arb.requestE`, all of
`LeanOracle.Questions`; not `Arb.run`), and gives them again when the same is asked again. -/
def resize (bytes : Nat) : IO Unit := FFI.cacheResize (UInt64.ofNat (min bytes (2 ^ 64 - 1)))

/-- What the cache holds, and how it was used. -/
def stats : IO Stats := FFI.cacheStats

end LeanOracle.Cache
