/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Arb
import LeanOracle.Expr

/-!
# Questions about expressions

What are the values of an expression over a box (`enclose`)? Where is its least and its greatest
value (`range`), where are its zeros (`roots`), is it below another (`compare`), what is its
integral (`integrate`)? What is the value of a constant (`constant`), and what can a neural network
put out (`mlp`)?

Each of these exists in three forms: `range` answers or throws; `rangeE` returns refusals as values
of type `Error`; `Question.range` is the question itself, to be asked later, together with others
(`batch`) or in the background (`spawn`). Questions about matrices and polynomials exist in the last
form only: `(Question.det a).ask` answers or throws, `(Question.det a).askE` returns refusals.

An expression is an `Expr`, a text for the oracle to read (`"x^2 + 0.1*x"`), or a `Json` node. A box
lists the variables with their ends: `[("x", "-1/2", "0.5")]`.

The answers come from native code and are **untrusted**, like those of `LeanOracle.Arb`.

`runExpr`, `runMLP` and `runRequestJson` at the end have the names, arguments and results of
TorchLean.
-/

namespace LeanOracle.Arb

open Lean (Json)

/-! ### What is asked -/

/-- What can stand for an expression in a question. -/
class AsExpr (α : Type) where
  /-- The expression as it is written in a request. -/
  toRequest : α → Json

instance : AsExpr Expr := ⟨Expr.toJson⟩

/-- Text for the oracle to read, for example `"x^2 + 0.1*x - 0.5"`. -/
instance : AsExpr String := ⟨Json.str⟩

/-- A node of the JSON form. -/
instance : AsExpr Json := ⟨id⟩

/-- Variables with the lower and the upper ends of their intervals, which are taken exactly. -/
abbrev Box := List (String × String × String)

/-- How much work goes into tightness. Answers of every level are sound. -/
inductive Level where
  /-- One evaluation. -/
  | fast
  /-- Also derivatives and a bounded number of subdivisions. -/
  | default
  /-- Branch and bound until both ends are within the tolerance. -/
  | tight
  deriving Repr, Inhabited, DecidableEq

namespace Level

/-- The name in requests. -/
protected def toString : Level → String
  | fast => "fast"
  | default => "default"
  | tight => "tight"

instance : ToString Level := ⟨Level.toString⟩

/-- Reads the name in requests. -/
def ofString? (s : String) : Option Level := [fast, default, tight].find? (·.toString == s)

end Level

/-- Settings of a question. -/
structure Options where
  /-- Significant digits of each end of the answer. -/
  digits : Nat := 50
  /-- Working precision, in bits, to start with. -/
  precBits : Nat := 200
  /-- How much work goes into tightness; `none` for what the kind of question does by itself. -/
  level : Option Level := none
  /-- For `Level.tight`: how far each end may be from the truth, a positive number. -/
  tol : Option String := none
  /-- The time allowed, in milliseconds; then the question is refused with the code `timeout`. -/
  timeoutMs : Option Nat := none
  /-- The work allowed, in operations; then the question is refused with the code `budget`. -/
  maxNodes : Option Nat := none
  /-- The largest working precision, in bits; `none` for the library's own limit. -/
  maxBits : Option Nat := none
  deriving Repr, Inhabited, DecidableEq

/-- Fields of a request that may be absent. -/
private def given (fields : List (String × Option Json)) : List (String × Json) :=
  fields.filterMap fun (k, v) => v.map (k, ·)

/-- The settings as fields of a request. -/
private def Options.fields (o : Options) : List (String × Json) :=
  [("digits", (o.digits : Json)), ("prec_bits", (o.precBits : Json))] ++
    given [("level", o.level.map fun l => Json.str l.toString), ("tol", o.tol.map Json.str),
      ("timeout_ms", o.timeoutMs.map fun n => (n : Json)),
      ("max_nodes", o.maxNodes.map fun n => (n : Json)),
      ("max_bits", o.maxBits.map fun n => (n : Json))]

/-- A box as a field of a request. -/
private def boxField (box : Box) : String × Json :=
  ("vars", Json.mkObj (box.map fun (name, lo, hi) =>
    (name, Json.mkObj [("lo", (lo : Json)), ("hi", (hi : Json))])))

/-- A question with answers of type `α`. -/
structure Question (α : Type) where
  /-- The request. -/
  request : Json
  /-- Reads the answer, whose status is `ok`. -/
  read : Json → Except String α

namespace Question

/-- The same question with the answer transformed, for instance so that a batch can hold questions
of several kinds. -/
protected def map (f : α → β) (q : Question α) : Question β :=
  { request := q.request, read := fun j => f <$> q.read j }

/-- Reads an answer of either status. -/
def readE (q : Question α) (answer : Json) : Except Error α :=
  match checkAnswer answer with
  | .error e => .error e
  | .ok j =>
    match q.read j with
    | .ok a => .ok a
    | .error e => .error (.malformed e)

/-- Asks; a refusal is returned as an `Error`. Setting the flag `cancel` ends the question soon,
with the code `cancelled`. Throws only when the native library cannot be used at all. -/
def askE (q : Question α) (cancel : Option FFI.Cancel := none) : IO (Except Error α) := do
  match ← requestE q.request cancel with
  | .ok j => return q.readE j
  | .error e => return .error e

/-- Asks. Throws `IO.userError` with the rendered `Error` on a refusal. -/
def ask (q : Question α) : IO α := do
  match ← q.askE with
  | .ok a => return a
  | .error e => throw e.toIO

end Question

/-! ### What is answered -/

/-- An interval of an answer. -/
structure Enclosure where
  /-- The interval, exactly. -/
  ball : MidRad10Exp
  /-- Its lower end, exactly, in decimal notation. -/
  lo : String
  /-- Its upper end, exactly, in decimal notation. -/
  hi : String
  deriving Repr, Inhabited, DecidableEq

instance : ToString Enclosure where
  toString e := s!"[{e.lo}, {e.hi}]"

/-- An interval for each of some variables. -/
abbrev Place := List (String × Enclosure)

/-- The values of an expression over a box, as TorchLean has it. -/
structure ExprResult where
  /-- The starting precision of the request. -/
  precBits : Nat
  /-- The digits of the request. -/
  digits : Nat
  /-- The enclosure of the values. -/
  outputBall : MidRad10Exp
  /-- The lower end of `outputBall`, exactly, in decimal notation. -/
  outLo : String
  /-- The upper end of `outputBall`, exactly, in decimal notation. -/
  outHi : String
  deriving Repr, Inhabited, DecidableEq

/-- The values of an expression over a box: by the oracle's word, all lie in `outputBall`. -/
structure ExprAnswer extends ExprResult where
  /-- How much work went into tightness. -/
  level : Level
  /-- The lower end is at most so far below the least value, if that is known. -/
  gapLo : Option Decimal
  /-- The upper end is at most so far above the greatest value, if that is known. -/
  gapHi : Option Decimal
  /-- Whether each end is within one unit of its last requested digit of the true one. -/
  tight : Bool
  deriving Repr, Inhabited, DecidableEq

/-- The least or the greatest value of an expression over a box. -/
structure Extremum where
  /-- The value, if it was found that there is one. -/
  value : Option Enclosure
  /-- Boxes that contain every point where it is attained. -/
  places : List Place
  /-- Whether `places` has all of these boxes; otherwise there were too many to list. -/
  placesComplete : Bool
  deriving Repr, Inhabited, DecidableEq

/-- The range of an expression over a box. -/
structure RangeAnswer extends ExprAnswer where
  /-- The least value. -/
  min : Extremum
  /-- The greatest value. -/
  max : Extremum
  deriving Repr, Inhabited, DecidableEq

/-- What is known about the zeros in an interval. -/
inductive RootStatus where
  /-- There is one, and no other. -/
  | exactlyOne
  /-- There may be none, one or several. -/
  | unresolved
  deriving Repr, Inhabited, DecidableEq

/-- An interval that may contain zeros. -/
structure Root where
  /-- The interval. -/
  place : Enclosure
  /-- What is known about it. -/
  status : RootStatus
  /-- The multiplicity of its one zero, where that is known. -/
  multiplicity : Option Nat := none
  deriving Repr, Inhabited, DecidableEq

/-- The zeros of an expression in one variable: there are none outside the intervals of `roots`. -/
structure RootsAnswer where
  /-- The intervals, from left to right. -/
  roots : List Root
  /-- Whether every interval has exactly one zero. -/
  complete : Bool
  deriving Repr, Inhabited, DecidableEq

/-- Whether one expression is less than another on a whole box. -/
inductive Verdict where
  /-- It is. -/
  | holds
  /-- It is not at this place. -/
  | fails (witness : Place)
  /-- Neither was found. -/
  | unknown
  deriving Repr, Inhabited, DecidableEq

/-- What a neural network can put out, as TorchLean has it. -/
structure MLPResult where
  /-- The starting precision of the request. -/
  precBits : Nat
  /-- The digits of the request. -/
  digits : Nat
  /-- For each output an enclosure, and the texts of its lower and its upper end. -/
  output : Array (MidRad10Exp × String × String)
  deriving Repr, Inhabited, DecidableEq

/-- The answer to a question about numbers. -/
structure Answer (α : Type) where
  /-- What was asked for. -/
  output : α
  /-- Whether every end is within one unit of its last requested digit of the true one. -/
  tight : Bool
  /-- Working precision, in bits, that the answer took; 0 when it was found in exact arithmetic. -/
  bitsUsed : Nat
  deriving Repr, Inhabited, DecidableEq

/-- A rectangle in the complex plane that contains roots of a polynomial or eigenvalues. -/
structure ComplexRoot where
  /-- The real part. -/
  re : Enclosure
  /-- The imaginary part. -/
  im : Enclosure
  /-- The number of roots inside: the multiplicity of one, or that of all together where the
  question is about every matrix within balls. -/
  multiplicity : Nat
  /-- Whether they are real. -/
  real : Bool
  deriving Repr, Inhabited, DecidableEq

/-! ### Reading answers -/

/-- An interval `{"ball", "lo", "hi"}`; a negative radius is an error. -/
def parseEnclosure (j : Json) : Except String Enclosure := do
  let (ball, lo, hi) ← parseBallLoHi j
  return { ball, lo, hi }

/-- Reads the value of an expression. -/
def parseExprResult (j : Json) : Except String ExprResult := do
  let (precBits, digits) ← parseCtx j
  let (outputBall, outLo, outHi) ← parseBallLoHi (← j.getObjVal? "output")
  return { precBits, digits, outputBall, outLo, outHi }

/-- `none` for null, else what `read` gives. -/
private def nullable (read : Json → Except String α) (j : Json) : Except String (Option α) :=
  if j.isNull then return none else some <$> read j

/-- A decimal number in a string. -/
private def parseDecimal (j : Json) : Except String Decimal := do
  let s ← jsonToString j
  match Decimal.ofString? s with
  | some x => return x
  | none => throw s!"Expected decimal, got '{s}'"

/-- Reads the answer to an `expr` request. -/
def parseExprAnswer (j : Json) : Except String ExprAnswer := do
  let level ← jsonToString (← j.getObjVal? "level")
  let some level := Level.ofString? level | throw s!"Expected level, got '{level}'"
  let gap ← j.getObjVal? "gap"
  return { ← parseExprResult j with
    level
    gapLo := ← nullable parseDecimal (← gap.getObjVal? "lo")
    gapHi := ← nullable parseDecimal (← gap.getObjVal? "hi")
    tight := ← (← j.getObjVal? "tight").getBool? }

/-- A list, read entry by entry. -/
def parseList (read : Json → Except String α) (j : Json) : Except String (List α) := do
  (← j.getArr?).toList.mapM read

/-- An interval for each of the variables `names`. -/
private def parsePlace (names : List String) (j : Json) : Except String Place :=
  names.mapM fun name => do return (name, ← parseEnclosure (← j.getObjVal? name))

private def parseExtremum (names : List String) (j : Json) : Except String Extremum := do
  return {
    value := ← nullable parseEnclosure (← j.getObjVal? "value")
    places := ← parseList (parsePlace names) (← j.getObjVal? "places")
    placesComplete := ← (← j.getObjVal? "places_complete").getBool? }

/-- Reads the answer to a `range` request in the variables `names`. -/
def parseRangeAnswer (names : List String) (j : Json) : Except String RangeAnswer := do
  return { ← parseExprAnswer j with
    min := ← parseExtremum names (← j.getObjVal? "min")
    max := ← parseExtremum names (← j.getObjVal? "max") }

private def parseRoot (j : Json) : Except String Root := do
  let place ← parseEnclosure (← j.getObjVal? "place")
  let multiplicity := (j.getObjVal? "multiplicity" >>= Json.getNat?).toOption
  match ← jsonToString (← j.getObjVal? "status") with
  | "exactly-one" => return { place, status := .exactlyOne, multiplicity }
  | "unresolved" => return { place, status := .unresolved }
  | s => throw s!"Expected status of a root, got '{s}'"

/-- Reads the answer to a `roots` request. -/
def parseRootsAnswer (j : Json) : Except String RootsAnswer := do
  return {
    roots := ← parseList parseRoot (← j.getObjVal? "roots")
    complete := ← (← j.getObjVal? "complete").getBool? }

/-- Reads the answer to a `compare` request in the variables `names`. -/
def parseVerdict (names : List String) (j : Json) : Except String Verdict := do
  match ← jsonToString (← j.getObjVal? "verdict") with
  | "true" => return .holds
  | "false" => return .fails (← parsePlace names (← j.getObjVal? "witness"))
  | "unknown" => return .unknown
  | s => throw s!"Expected verdict, got '{s}'"

/-- Reads the answer to an `mlp` request. -/
def parseMLPResult (j : Json) : Except String MLPResult := do
  let (precBits, digits) ← parseCtx j
  let vector ← (← (← j.getObjVal? "output").getObjVal? "vector").getArr?
  return { precBits, digits, output := ← vector.mapM parseBallLoHi }

/-- Reads the answer to a question about numbers, whose output is under `key`. -/
def parseAnswer (read : Json → Except String α) (j : Json) (key : String := "output") :
    Except String (Answer α) := do
  return {
    output := ← read (← j.getObjVal? key)
    tight := ← (← j.getObjVal? "tight").getBool?
    bitsUsed := ← jsonToNat (← j.getObjVal? "bits_used") }

/-- Reads a root of a polynomial or an eigenvalue. -/
def parseComplexRoot (j : Json) : Except String ComplexRoot := do
  return {
    re := ← parseEnclosure (← j.getObjVal? "re")
    im := ← parseEnclosure (← j.getObjVal? "im")
    multiplicity := ← jsonToNat (← j.getObjVal? "multiplicity")
    real := ← (← j.getObjVal? "real").getBool? }

/-! ### The questions -/

/-- A layer of a neural network: `act (W * x + b)`. -/
structure Layer where
  /-- The matrix, row by row; its entries are taken exactly. -/
  weights : List (List String)
  /-- The vector that is added. -/
  bias : List String
  /-- The function that is applied to each entry, for example `"relu"` or `"tanh"`. -/
  act : String := "identity"
  deriving Repr, Inhabited, DecidableEq

namespace Question

/-- Which values does a function take? -/
def unary (q : Query) : Question Result := { request := q.toJson, read := parseResult }

private def requestOf (kind : String) (o : Options) (fields : List (String × Json)) : Json :=
  Json.mkObj (("kind", Json.str kind) :: (o.fields ++ fields))

private def about [AsExpr φ] (kind : String) (f : φ) (box : Box) (o : Options) : Json :=
  requestOf kind o [("expr", AsExpr.toRequest f), boxField box]

/-- Which values does `f` take on `box`? -/
def enclose [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : Question ExprAnswer :=
  { request := about "expr" f box o, read := parseExprAnswer }

/-- What are the least and the greatest value of `f` on `box`, and where are they? -/
def range [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : Question RangeAnswer :=
  { request := about "range" f box o, read := parseRangeAnswer (box.map (·.1)) }

/-- Where is `f` zero on `box`, which has one variable? -/
def roots [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : Question RootsAnswer :=
  { request := about "roots" f box o, read := parseRootsAnswer }

/-- Is `f < g` on the whole of `box`? -/
protected def compare [AsExpr φ] [AsExpr ψ] (f : φ) (g : ψ) (box : Box) (o : Options := {}) :
    Question Verdict :=
  { request := requestOf "compare" o
      [("expr", AsExpr.toRequest f), ("other", AsExpr.toRequest g), boxField box]
    read := parseVerdict (box.map (·.1)) }

/-- What is the integral of `f` over `var` from `lo` to `hi`? -/
def integrate [AsExpr φ] (f : φ) (var lo hi : String) (o : Options := {}) : Question Enclosure :=
  { request := requestOf "integrate" o
      [("expr", AsExpr.toRequest f), ("var", var), ("lo", lo), ("hi", hi)]
    read := fun j => do parseEnclosure (← j.getObjVal? "output") }

/-- What is the value of the constant called `name`, for example `"pi"`? -/
def constant (name : String) (o : Options := {}) : Question (Answer Enclosure) :=
  { request := requestOf "constant" o [("name", name)], read := parseAnswer parseEnclosure }

/-- Numbers as a JSON list. -/
private def texts (l : List String) : Json := Json.arr (l.map Json.str).toArray

/-- Rows of numbers as a JSON list. -/
private def rows (l : List (List String)) : Json := Json.arr (l.map texts).toArray

private def matrix (op : String) (a : List (List String)) (o : Options)
    (read : Json → Except String α) (more : List (String × Json) := []) : Question (Answer α) :=
  { request := requestOf "matrix" o ([("op", Json.str op), ("A", rows a)] ++ more)
    read := parseAnswer read }

/-- What is the solution `x` of `a * x = b`? The matrix is given row by row. Like the other
questions about matrices, this is about every matrix within the entries, where they are balls. -/
def solve (a : List (List String)) (b : List String) (o : Options := {}) :
    Question (Answer (List Enclosure)) :=
  matrix "solve" a o (parseList parseEnclosure) [("b", texts b)]

/-- What is the inverse of a matrix? Answered row by row. -/
def inv (a : List (List String)) (o : Options := {}) : Question (Answer (List (List Enclosure))) :=
  matrix "inv" a o (parseList (parseList parseEnclosure))

/-- What is the determinant of a matrix? -/
def det (a : List (List String)) (o : Options := {}) : Question (Answer Enclosure) :=
  matrix "det" a o parseEnclosure

/-- What are the eigenvalues of a matrix? -/
def eigenvalues (a : List (List String)) (o : Options := {}) :
    Question (Answer (List ComplexRoot)) :=
  matrix "eigenvalues" a o (parseList parseComplexRoot)

/-- What are all complex roots of the polynomial `c₀ + c₁ * x + c₂ * x ^ 2 + …`, given the list of
its coefficients `c₀`, `c₁`, `c₂`, …? -/
def polyRoots (coefficients : List String) (o : Options := {}) :
    Question (Answer (List ComplexRoot)) :=
  { request := requestOf "poly_roots" o [("coefficients", texts coefficients)]
    read := fun j => parseAnswer (parseList parseComplexRoot) j (key := "roots") }

/-- What does a neural network put out for inputs between the given lower and upper ends? -/
def mlp (input : List (String × String)) (layers : List Layer) (o : Options := {}) :
    Question MLPResult :=
  let layer (l : Layer) : Json :=
    Json.mkObj [("W", rows l.weights), ("b", texts l.bias), ("act", l.act)]
  { request := requestOf "mlp" o
      [("input", Json.mkObj [("lo", texts (input.map (·.1))), ("hi", texts (input.map (·.2)))]),
        ("layers", Json.arr (layers.map layer).toArray)]
    read := parseMLPResult }

/-- Many questions in one call, worked on by all processors; one that is refused is refused alone.
Answers come in the order of the questions. The limits on time and work are for all together, on top
of those that each question has. -/
def batch (questions : List (Question α)) (timeoutMs maxNodes : Option Nat := none) :
    Question (List (Except Error α)) :=
  { request := Json.mkObj <|
      [("kind", Json.str "batch"), ("requests", Json.arr (questions.map (·.request)).toArray)] ++
        given [("timeout_ms", timeoutMs.map fun n => (n : Json)),
          ("max_nodes", maxNodes.map fun n => (n : Json))]
    read := fun j => do
      let results := (← (← j.getObjVal? "results").getArr?).toList
      unless results.length == questions.length do
        throw s!"Expected {questions.length} results, got {results.length}"
      return List.zipWith (fun (q : Question α) result => q.readE result) questions results }

end Question

/-! ### Asking -/

/-- Which values does `f` take on `box`? Returns refusals as values. -/
def encloseE [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO (Except Error ExprAnswer) :=
  (Question.enclose f box o).askE

/-- Which values does `f` take on `box`? Throws refusals. -/
def enclose [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO ExprAnswer :=
  (Question.enclose f box o).ask

/-- What are the least and the greatest value of `f` on `box`, and where are they? Returns refusals
as values. -/
def rangeE [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO (Except Error RangeAnswer) :=
  (Question.range f box o).askE

/-- What are the least and the greatest value of `f` on `box`, and where are they? Throws
refusals. -/
def range [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO RangeAnswer :=
  (Question.range f box o).ask

/-- Where is `f` zero on `box`, which has one variable? Returns refusals as values. -/
def rootsE [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO (Except Error RootsAnswer) :=
  (Question.roots f box o).askE

/-- Where is `f` zero on `box`, which has one variable? Throws refusals. -/
def roots [AsExpr φ] (f : φ) (box : Box) (o : Options := {}) : IO RootsAnswer :=
  (Question.roots f box o).ask

/-- Is `f < g` on the whole of `box`? Returns refusals as values. -/
def compareE [AsExpr φ] [AsExpr ψ] (f : φ) (g : ψ) (box : Box) (o : Options := {}) :
    IO (Except Error Verdict) :=
  (Question.compare f g box o).askE

/-- Is `f < g` on the whole of `box`? Throws refusals. (To be called `Arb.compare`, because Lean has
a `compare`.) -/
protected def compare [AsExpr φ] [AsExpr ψ] (f : φ) (g : ψ) (box : Box) (o : Options := {}) :
    IO Verdict :=
  (Question.compare f g box o).ask

/-- What is the integral of `f` over `var` from `lo` to `hi`? Returns refusals as values. -/
def integrateE [AsExpr φ] (f : φ) (var lo hi : String) (o : Options := {}) :
    IO (Except Error Enclosure) :=
  (Question.integrate f var lo hi o).askE

/-- What is the integral of `f` over `var` from `lo` to `hi`? Throws refusals. -/
def integrate [AsExpr φ] (f : φ) (var lo hi : String) (o : Options := {}) : IO Enclosure :=
  (Question.integrate f var lo hi o).ask

/-- What is the value of the constant called `name`? Returns refusals as values. -/
def constantE (name : String) (o : Options := {}) : IO (Except Error (Answer Enclosure)) :=
  (Question.constant name o).askE

/-- What is the value of the constant called `name`? Throws refusals. -/
def constant (name : String) (o : Options := {}) : IO (Answer Enclosure) :=
  (Question.constant name o).ask

/-- What does a neural network put out for inputs between the given lower and upper ends? Returns
refusals as values. -/
def mlpE (input : List (String × String)) (layers : List Layer) (o : Options := {}) :
    IO (Except Error MLPResult) :=
  (Question.mlp input layers o).askE

/-- What does a neural network put out for inputs between the given lower and upper ends? Throws
refusals. -/
def mlp (input : List (String × String)) (layers : List Layer) (o : Options := {}) : IO MLPResult :=
  (Question.mlp input layers o).ask

/-- Asks many questions in one call; see `Question.batch`. Returns a refusal of the call as a
value. -/
def batchE (questions : List (Question α)) (timeoutMs maxNodes : Option Nat := none) :
    IO (Except Error (List (Except Error α))) :=
  (Question.batch questions timeoutMs maxNodes).askE

/-- Asks many questions in one call; see `Question.batch`. Throws a refusal of the call; refusals of
single questions are in the list. -/
def batch (questions : List (Question α)) (timeoutMs maxNodes : Option Nat := none) :
    IO (List (Except Error α)) :=
  (Question.batch questions timeoutMs maxNodes).ask

/-! ### In the background -/

/-- A question that is being answered in the background. -/
structure Job (α : Type) where
  /-- The answer or refusal to come; `IO.Error` when the native library cannot be used. -/
  task : Task (Except IO.Error (Except Error α))
  /-- Ends the question soon, with the code `cancelled`, unless it has been answered. -/
  cancel : IO Unit

namespace Job

/-- Waits for the answer; a refusal is returned as an `Error`. -/
def waitE (job : Job α) : IO (Except Error α) := do
  match ← IO.wait job.task with
  | .ok a => return a
  | .error e => throw e

/-- Waits for the answer. Throws `IO.userError` with the rendered `Error` on a refusal. -/
def wait (job : Job α) : IO α := do
  match ← job.waitE with
  | .ok a => return a
  | .error e => throw e.toIO

/-- Whether `wait` would return at once. -/
def isDone (job : Job α) : BaseIO Bool := IO.hasFinished job.task

end Job

/-- Starts to answer a question in a thread of its own. It goes on when the job is dropped, and a
program does not end before it is answered or cancelled; so cancel what is not needed any more, or
limit it by `Options.timeoutMs`. -/
def spawn (q : Question α) : IO (Job α) := do
  let flag ← FFI.cancelNew
  let task ← IO.asTask (q.askE (some flag)) (prio := .dedicated)
  return { task, cancel := FFI.cancelSet flag }

/-! ### As in TorchLean -/

/-- Sends a JSON request with this precision and these digits, whatever the request says of them,
and returns the answer as it came. Throws `IO.userError` with the rendered `Error` on a refusal. -/
def runRequestJson (req : Json) (precBits : Nat := 200) (digits : Nat := 50) : IO Json := do
  match req with
  | .obj _ =>
    let req := (req.setObjVal! "prec_bits" (precBits : Json)).setObjVal! "digits" (digits : Json)
    match ← requestE req with
    | .ok j => return j
    | .error e => throw e.toIO
  | _ =>
    throw { code := .badRequest, message := "the request must be one JSON object" : Error }.toIO

/-- The result of a parser, or an exception. -/
private def parsed (what : String) (j : Json) (parse : Json → Except String α) : IO α :=
  match parse j with
  | .ok a => return a
  | .error e => throw <| IO.userError s!"Arb oracle {what} parse error: {e}\njson:\n{j.compress}"

/-- Encloses the values of an expression, given as a JSON node (`Expr.toJson` makes one), over the
intervals of its variables. -/
def runExpr (vars : List (String × (String × String))) (expr : Json) (precBits : Nat := 200)
    (digits : Nat := 50) : IO ExprResult := do
  let req := Json.mkObj [("kind", "expr"), boxField vars, ("expr", expr)]
  parsed "expr" (← runRequestJson req precBits digits) parseExprResult

/-- Encloses what a neural network puts out. The request is sent as it is, but for the precision and
the digits. -/
def runMLP (req : Json) (precBits : Nat := 200) (digits : Nat := 50) : IO MLPResult := do
  parsed "mlp" (← runRequestJson req precBits digits) parseMLPResult

end LeanOracle.Arb
