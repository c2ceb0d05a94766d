/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lean.Data.Json
import LeanOracle.Arb
import LeanOracleFFI

/-!
# Checking Lean code from Lean

A `Pool` of Lean processes checks texts: each starts from what its `import` lines say and sees nothing
of any other, and what crashes or hangs ends itself alone. `docs/repl.md` describes the whole.

```
open LeanOracle.Repl

#eval withPool {} fun pool => do
  let r ← pool.check "theorem two : 1 + 1 = 2 := rfl" { audit := true }
  IO.println s!"{r.verdict}, {r.time} s"
  for r in ← pool.checkBatch #[{ id := "a", code := "#eval 1" }, { id := "b", code := "#eval x" }] do
    IO.println s!"{r.id}: {r.verdict}: {r.errors}"
```

* Processes are those of the community's REPL, or of `lean` itself: what there is in the project
  (`PoolConfig.dir`), or what `PoolConfig.engine` says.
* A wrong text is a verdict; so is a text that took too long. Nothing is thrown for either. `valid` is
  what the text itself can make Lean say: set `CheckOptions.audit` for code that may try to deceive.
* `Session` is a process for one conversation: commands that build on each other, tactic steps. It needs
  the REPL.
* A pool may be used by any number of tasks at a time. A call blocks the thread that makes it: give tasks
  that call the priority `.dedicated`. A `CancelToken` ends calls from another task.

Answers are **untrusted** data, like those of `LeanOracle.Arb`: a verdict is no theorem.
-/

namespace LeanOracle.Repl

open Lean (Json)
open Arb (jsonToNat jsonToString)

/-! ### Reading JSON -/

/-- The field `key` of an object, unless it is missing or `null`. -/
private def field? (j : Json) (key : String) : Option Json :=
  match j.getObjVal? key with
  | .ok .null | .error _ => none
  | .ok v => some v

/-- Reads a field that may be missing. -/
private def optional (j : Json) (key : String) (read : Json → Except String α) :
    Except String (Option α) :=
  (field? j key).mapM read

/-- Reads a field that must be there. -/
private def required (j : Json) (key : String) (read : Json → Except String α) : Except String α := do
  match read (← j.getObjVal? key) with
  | .ok a => return a
  | .error e => throw s!"{key}: {e}"

/-- Reads a list. -/
private def listOf (read : Json → Except String α) (j : Json) : Except String (List α) := do
  (← j.getArr?).toList.mapM read

/-- Reads a list that may be missing. -/
private def listAt (j : Json) (key : String) (read : Json → Except String α) :
    Except String (List α) :=
  return (← optional j key (listOf read)).getD []

/-- Reads a number. -/
private def jsonToFloat (j : Json) : Except String Float := return (← j.getNum?).toFloat

/-- Reads a text that may be missing. -/
private def textAt (j : Json) (key : String) : Except String String :=
  return (← optional j key jsonToString).getD ""

/-- Reads a truth value that may be missing. -/
private def flagAt (j : Json) (key : String) : Except String Bool :=
  return (← optional j key Json.getBool?).getD false

/-! ### What Lean answers -/

/-- A place in a text. -/
structure Position where
  /-- The line, from 1. -/
  line : Nat
  /-- The column in characters, from 0. -/
  column : Nat
  deriving Repr, Inhabited, DecidableEq

namespace Position

instance : ToString Position := ⟨fun p => s!"{p.line}:{p.column}"⟩

private def ofJson (j : Json) : Except String Position :=
  return { line := ← required j "line" jsonToNat, column := ← required j "column" jsonToNat }

end Position

/-- How serious a message is. -/
inductive Severity where
  /-- Output of tracing options. -/
  | trace
  /-- Output of `#check`, `#eval` and the like. -/
  | info
  /-- A warning. -/
  | warning
  /-- The code is wrong. -/
  | error
  deriving Repr, Inhabited, DecidableEq

namespace Severity

instance : ToString Severity where
  toString
    | trace => "trace"
    | info => "info"
    | warning => "warning"
    | error => "error"

private def ofJson (j : Json) : Except String Severity := do
  match ← jsonToString j with
  | "trace" => return trace
  | "info" => return info
  | "warning" => return warning
  | "error" => return error
  | other => throw s!"'{other}' is not a severity"

end Severity

/-- What Lean says about a place of the text. -/
structure Message where
  /-- How serious it is. -/
  severity : Severity
  /-- Where it begins. -/
  pos : Position
  /-- Where it ends. -/
  endPos : Option Position
  /-- The text. -/
  data : String
  deriving Repr, Inhabited, DecidableEq

namespace Message

instance : ToString Message := ⟨fun m => s!"{m.pos}: {m.severity}: {m.data}"⟩

private def ofJson (j : Json) : Except String Message := return {
  severity := ← required j "severity" Severity.ofJson
  pos := ← required j "pos" Position.ofJson
  endPos := ← optional j "endPos" Position.ofJson
  data := ← required j "data" jsonToString }

end Message

/-- A place where a proof is missing. -/
structure Sorry where
  /-- Where it begins. -/
  pos : Option Position
  /-- Where it ends. -/
  endPos : Option Position
  /-- The goal that it leaves open; `""` from the engine that is `lean` itself, which does not tell. -/
  goal : String
  /-- The goal's number, in a `Session`. -/
  proofState : Option Nat
  deriving Repr, Inhabited, DecidableEq

private def Sorry.ofJson (j : Json) : Except String Sorry := return {
  pos := ← optional j "pos" Position.ofJson
  endPos := ← optional j "endPos" Position.ofJson
  goal := ← textAt j "goal"
  proofState := ← optional j "proofState" jsonToNat }

/-- A tactic of the text, for `CheckOptions.allTactics`. -/
structure Tactic where
  /-- Where it begins. -/
  pos : Position
  /-- Where it ends. -/
  endPos : Position
  /-- The goals before it. -/
  goals : String
  /-- The tactic, as Lean prints it. -/
  tactic : String
  /-- The number of the state before it, in a `Session`. -/
  proofState : Option Nat
  /-- The constants that it uses. -/
  usedConstants : List String
  deriving Repr, Inhabited, DecidableEq

private def Tactic.ofJson (j : Json) : Except String Tactic := return {
  pos := ← required j "pos" Position.ofJson
  endPos := ← required j "endPos" Position.ofJson
  goals := ← textAt j "goals"
  tactic := ← required j "tactic" jsonToString
  proofState := ← optional j "proofState" jsonToNat
  usedConstants := ← listAt j "usedConstants" jsonToString }

/-- Lean's answer to a text. -/
structure Response where
  /-- The number of the environment after the text, in a `Session`. -/
  env : Option Nat := none
  /-- The messages, those of the header first. -/
  messages : List Message := []
  /-- The places where a proof is missing. -/
  sorries : List Sorry := []
  /-- The tactics, if `CheckOptions.allTactics` asked for them. -/
  tactics : List Tactic := []
  /-- The information trees, if `CheckOptions.infotree` asked for them. -/
  infotree : Option Json := none
  deriving Inhabited

namespace Response

/-- The messages that say what is wrong. -/
def errors (r : Response) : List Message := r.messages.filter (·.severity == .error)

/-- Reads what the REPL answers to a command. -/
def ofJson (j : Json) : Except String Response := return {
  env := ← optional j "env" jsonToNat
  messages := ← listAt j "messages" Message.ofJson
  sorries := ← listAt j "sorries" Sorry.ofJson
  tactics := ← listAt j "tactics" Tactic.ofJson
  infotree := field? j "infotree" }

end Response

/-! ### What becomes of a text -/

/-- Why there is no answer. The mistakes of a text are not among these: they are messages. -/
inductive Failure where
  /-- It took longer than allowed, in the header or after it; its process was ended. -/
  | timeout (seconds : Float) (header : Bool)
  /-- It used more processor time than allowed; its process was ended. -/
  | cpuLimit (seconds : Float)
  /-- No process became free in time. -/
  | busy (waited : Float)
  /-- The process ended in the middle, twice; with the end of what it wrote to its standard error. -/
  | crashed (reason stderr : String)
  /-- The process used more memory than allowed, twice. -/
  | outOfMemory (reason stderr : String)
  /-- The process answered something else than an answer, twice. -/
  | protocol (reason stderr : String)
  /-- A `CancelToken` was set, or the pool was closed. -/
  | cancelled
  /-- The engine or the configuration cannot do this. -/
  | refused (reason : String)
  deriving Repr, BEq

namespace Failure

instance : Inhabited Failure := ⟨cancelled⟩

instance : ToString Failure where
  toString
    | timeout s header => s!"timeout: more than {s} s{if header then " for the header" else ""}"
    | cpuLimit s => s!"more than {s} s of processor time"
    | busy s => s!"no process became free in {s} s"
    | crashed reason stderr => s!"the process crashed: {reason}\n{stderr}".trimRight
    | outOfMemory reason stderr => s!"out of memory: {reason}\n{stderr}".trimRight
    | protocol reason stderr => s!"the process answered nonsense: {reason}\n{stderr}".trimRight
    | cancelled => "cancelled"
    | refused reason => s!"refused: {reason}"

private def ofJson (j : Json) : Except String Failure := do
  let both (make : String → String → Failure) : Except String Failure :=
    return make (← textAt j "reason") (← textAt j "stderr")
  match ← required j "kind" jsonToString with
  | "timeout" => return timeout (← required j "seconds" jsonToFloat) (← flagAt j "header")
  | "cpu_limit" => return cpuLimit (← required j "seconds" jsonToFloat)
  | "busy" => return busy (← required j "waited" jsonToFloat)
  | "crashed" => both crashed
  | "out_of_memory" => both outOfMemory
  | "protocol" => both protocol
  | "cancelled" => return cancelled
  | "refused" => return refused (← textAt j "reason")
  | other => throw s!"'{other}' is not a failure"

end Failure

/-- One word about a text. -/
inductive Verdict where
  /-- No error and no missing proof; with an audit, no more than Lean's standard axioms. -/
  | valid
  /-- No error, but a missing proof. -/
  | hasSorry
  /-- Lean found an error, in the header or after it. -/
  | leanError
  /-- The REPL refused the text as a whole. -/
  | replError
  /-- It took too long. -/
  | timeout
  /-- No answer, for another reason. -/
  | serverError
  /-- The audit found these axioms beside `propext`, `Classical.choice` and `Quot.sound`. -/
  | axioms (names : List String)
  /-- The audit that was asked for could not be made. -/
  | unaudited (reason : String)
  deriving Repr, Inhabited, DecidableEq

namespace Verdict

/-- The name that it has in JSON. -/
def name : Verdict → String
  | valid => "valid"
  | hasSorry => "sorry"
  | leanError => "lean_error"
  | replError => "repl_error"
  | timeout => "timeout_error"
  | serverError => "server_error"
  | axioms _ => "axioms"
  | unaudited _ => "unaudited"

instance : ToString Verdict where
  toString
    | axioms names => s!"axioms: {", ".intercalate names}"
    | unaudited reason => s!"unaudited: {reason}"
    | v => v.name

/-- The verdict in an outcome. -/
private def ofJson (outcome : Json) : Except String Verdict := do
  match ← required outcome "verdict" jsonToString with
  | "axioms" => return axioms (← listAt outcome "axioms" jsonToString)
  | "unaudited" => return unaudited (← textAt outcome "unaudited")
  | word =>
    match [valid, hasSorry, leanError, replError, timeout, serverError].find? (·.name == word) with
    | some v => return v
    | none => throw s!"'{word}' is not a verdict"

end Verdict

/-- What one declaration rests on. -/
structure TheoremAudit where
  /-- Its full name. -/
  name : String
  /-- `theorem`, `def`, `axiom` and so on. -/
  kind : String
  /-- The axioms it depends on. -/
  axioms : List String
  /-- Whether a proof is missing in it, or in what it uses. -/
  hasSorry : Bool
  /-- Whether it trusts compiled code. -/
  nativeDecide : Bool
  /-- Whether it is `unsafe` or `partial`, so that the kernel did not check it. -/
  isUnsafe : Bool
  deriving Repr, Inhabited, DecidableEq

/-- The axioms behind what a text declares. -/
structure Audit where
  /-- Its theorems, and whatever else rests on more than the standard axioms or is unsafe. -/
  theorems : List TheoremAudit
  /-- Why the list may be incomplete. The verdict is not `valid` then. -/
  problem : Option String
  deriving Repr, Inhabited, DecidableEq

private def Audit.ofJson (j : Json) : Except String Audit := return {
  theorems := ← listAt j "theorems" fun t => return {
    name := ← required t "name" jsonToString
    kind := ← textAt t "kind"
    axioms := ← listAt t "axioms" jsonToString
    hasSorry := ← required t "sorry" Json.getBool?
    nativeDecide := ← required t "native_decide" Json.getBool?
    isUnsafe := ← required t "unsafe" Json.getBool? }
  problem := ← optional j "problem" jsonToString }

/-- How a check went. -/
structure Diagnostics where
  /-- The process that answered. -/
  process : String := ""
  /-- The greatest share of one core that was seen, in percent; `0` if it was fast. -/
  cpuMax : Float := 0
  /-- The most resident memory that was seen, in bytes; `0` if it was fast. -/
  memoryMax : Nat := 0
  /-- How many processes tried it: `0` (none became free), `1` or `2`. -/
  attempts : Nat := 0
  /-- Whether the header was loaded already. -/
  reusedHeader : Bool := false
  deriving Repr

/-- What a process answered. -/
inductive Reply where
  /-- Lean read the text; what is wrong with it is among the messages. -/
  | response (response : Response)
  /-- The REPL refused the text as a whole. -/
  | refused (message : String)
  deriving Inhabited

/-- Everything about one check. -/
structure Outcome where
  /-- The identifier of the snippet. -/
  id : String
  /-- One word. -/
  verdict : Verdict
  /-- Seconds that the text after the header took. -/
  time : Float
  /-- Seconds that loading the header took; `0` if it was loaded already. -/
  headerTime : Float
  /-- The answer, or why there is none. -/
  result : Except Failure Reply
  /-- The axioms, if `CheckOptions.audit` asked for them and there are no errors. -/
  audit : Option Audit
  /-- How it went. -/
  diagnostics : Diagnostics

namespace Outcome

/-- Lean's answer, if there is one. -/
def response? (r : Outcome) : Option Response :=
  match r.result with
  | .ok (.response response) => some response
  | _ => none

/-- All messages. -/
def messages (r : Outcome) : List Message := (r.response?.map (·.messages)).getD []

/-- The messages that say what is wrong. -/
def errors (r : Outcome) : List Message := r.messages.filter (·.severity == .error)

/-- The outcome of what was not tried. -/
private def none' (id : String) (failure : Failure) : Outcome :=
  { id, verdict := .serverError, time := 0, headerTime := 0, result := .error failure, audit := none,
    diagnostics := {} }

instance : Inhabited Outcome := ⟨none' "" .cancelled⟩

private def ofJson (j : Json) : Except String Outcome := do
  let result ←
    match field? j "response", field? j "repl_error", field? j "failure" with
    | some r, none, none => pure (.ok (.response (← Response.ofJson r)))
    | none, some m, none => pure (.ok (.refused (← jsonToString m)))
    | none, none, some f => pure (.error (← Failure.ofJson f))
    | _, _, _ => throw "an outcome has not exactly one of response, repl_error and failure"
  let d ← j.getObjVal? "diagnostics"
  return {
    id := ← required j "id" jsonToString
    verdict := ← Verdict.ofJson j
    time := ← required j "time" jsonToFloat
    headerTime := ← required j "header_time" jsonToFloat
    result
    audit := ← optional j "audit" Audit.ofJson
    diagnostics := {
      process := ← textAt d "repl_uuid"
      cpuMax := ← required d "cpu_max" jsonToFloat
      memoryMax := ← required d "memory_max" jsonToNat
      attempts := ← required d "attempts" jsonToNat
      reusedHeader := ← flagAt d "reused_header" } }

end Outcome

/-! ### Errors -/

/-- Why there is no pool, no session, or no answer in a session. -/
inductive Error where
  /-- The process failed. -/
  | failure (failure : Failure)
  /-- The REPL refused: there is no such state or environment, a tactic failed. -/
  | repl (message : String)
  /-- The request or the configuration makes no sense. -/
  | request (reason : Arb.Error)
  deriving Repr, Inhabited, BEq

namespace Error

instance : ToString Error where
  toString
    | failure f => toString f
    | repl m => s!"the REPL refused: {m}"
    | request e => toString e

/-- The error as an exception. -/
def toIO (e : Error) : IO.Error := IO.userError s!"repl: {e}"

/-- The error in a refusal as JSON: a failure, or an error of the request. -/
private def ofJson (j : Json) : Error :=
  let read : Except String Error := do
    match field? j "failure" with
    | some f => return failure (← Failure.ofJson f)
    | none =>
      match ← Arb.parseError j with
      | { code := .cancelled, .. } => return failure .cancelled
      | e => return request e
  match read with
  | .ok e => e
  | .error e => request (.malformed e)

private def ofText (text : String) : Error :=
  match Json.parse text with
  | .ok j => ofJson j
  | .error e => request (.malformed e)

end Error

/-- The answer, or the error as an exception. -/
private def orThrow (r : Except Error α) : IO α :=
  match r with
  | .ok a => return a
  | .error e => throw e.toIO

/-! ### Pools -/

/-- What runs the code. -/
inductive Engine where
  /-- What there is: the REPL that `LEAN_SERVER_REPL_PATH` names or the project has, or else `lean`. -/
  | auto
  /-- The community's REPL, by this command: `["lake", "env", "repl"]`. -/
  | repl (argv : List String)
  /-- `lean` itself, by this command: `["lake", "env", "lean"]`. -/
  | lean (argv : List String)
  deriving Repr, Inhabited, DecidableEq

/-- How a pool works. -/
structure PoolConfig where
  /-- What runs the code. -/
  engine : Engine := .auto
  /-- The project whose modules can be imported. -/
  dir : System.FilePath := "."
  /-- How many processes at most; by default one less than the machine has processors. -/
  maxProcesses : Option Nat := none
  /-- A process is replaced after so many texts; `0`: never for this reason. -/
  maxUses : Nat := 0
  /-- The resident memory that a process may use, in bytes; `0` for no limit. -/
  memoryLimit : Nat := 12 * 2 ^ 30
  /-- The address space that it may use, in bytes; it counts mapped files. `0` for no limit. -/
  addressSpaceLimit : Nat := 0
  /-- The processor time that one text may use, in milliseconds; `0` for no limit. -/
  cpuLimitMs : Nat := 0
  /-- How long a text waits for a process, in milliseconds. -/
  maxWaitMs : Nat := 60000
  /-- Headers to load at the start, with the number of processes for each. -/
  warm : List (String × Nat) := []
  /-- A process with more resident memory than this, in bytes, is replaced after its text; `0`: never. -/
  recycleBytes : Nat := 6 * 2 ^ 30

/-- The configuration as the native library reads it. -/
private def PoolConfig.toJson (c : PoolConfig) : Json :=
  let number (n : Nat) : Json := ((min n (2 ^ 53) : Nat) : Json)
  let strings (l : List String) : Json := Json.arr (l.map Json.str).toArray
  let engine := match c.engine with
    | .auto => Json.str "auto"
    | .repl argv => Json.mkObj [("repl", strings argv)]
    | .lean argv => Json.mkObj [("lean", strings argv)]
  Json.mkObj <|
    [("engine", engine), ("dir", Json.str c.dir.toString), ("max_uses", number c.maxUses),
      ("memory_limit", number c.memoryLimit), ("address_space_limit", number c.addressSpaceLimit),
      ("cpu_limit_ms", number c.cpuLimitMs), ("max_wait_ms", number c.maxWaitMs),
      ("warm", Json.mkObj (c.warm.map fun (header, n) => (header, number n))),
      ("recycle_bytes", number c.recycleBytes)]
    ++ c.maxProcesses.toList.map fun n => ("max_processes", number n)

/-- A text to check. -/
structure Snippet where
  /-- Given back with the outcome. -/
  id : String := ""
  /-- Lean code, with its `import` lines. -/
  code : String
  deriving Repr, Inhabited, DecidableEq

/-- Which information trees to send. -/
inductive Infotree where
  /-- All nodes. -/
  | full
  /-- Tactics alone. -/
  | tactics
  /-- What the user wrote, without what macros made. -/
  | original
  /-- Without nodes that carry no information. -/
  | substantive
  deriving Repr, Inhabited, DecidableEq

/-- Ends the calls that watch it, from any task. -/
abbrev CancelToken := FFI.Cancel

namespace CancelToken

/-- A new token. -/
def new : IO CancelToken := FFI.cancelNew

/-- Ends the calls that watch the token, those to come too. -/
def cancel (token : CancelToken) : IO Unit := FFI.cancelSet token

end CancelToken

/-- How to check. -/
structure CheckOptions where
  /-- Milliseconds for the header and, again, for the rest; in a session, for each request. -/
  timeoutMs : Nat := 30000
  /-- Milliseconds to wait for a process, in place of those of the pool. -/
  maxWaitMs : Option Nat := none
  /-- Whether a process that has the header already may be used. -/
  reuse : Bool := true
  /-- Report the axioms of each theorem; `valid` then means that there are only the standard ones. -/
  audit : Bool := false
  /-- Information trees to send (REPL only). -/
  infotree : Option Infotree := none
  /-- Send every tactic with its goals (REPL only). -/
  allTactics : Bool := false
  /-- Send the first goal of each tactic proof as a `Sorry` (REPL only). -/
  rootGoals : Bool := false
  /-- Read each `import Mathlib…` as `import Mathlib`, as Kimina Lean Server does. -/
  collapseMathlib : Bool := false
  /-- Ends the call. -/
  cancel : Option CancelToken := none

/-- The options as the native library reads them, with what they are for. -/
private def CheckOptions.request (o : CheckOptions) (what : List (String × Json)) : String :=
  let number (n : Nat) : Json := ((min n (2 ^ 53) : Nat) : Json)
  let infotree : Infotree → String
    | .full => "full"
    | .tactics => "tactics"
    | .original => "original"
    | .substantive => "substantive"
  Json.compress <| Json.mkObj <| what
    ++ [("timeout_ms", number o.timeoutMs), ("reuse", Json.bool o.reuse), ("audit", Json.bool o.audit),
      ("all_tactics", Json.bool o.allTactics), ("root_goals", Json.bool o.rootGoals),
      ("imports", Json.str (if o.collapseMathlib then "collapse_mathlib" else "as_written"))]
    ++ o.maxWaitMs.toList.map (fun n => ("max_wait_ms", number n))
    ++ o.infotree.toList.map (fun i => ("infotree", Json.str (infotree i)))

/-- A failure of the recent past. -/
structure FailureRecord where
  /-- The identifier of the snippet. -/
  id : String
  /-- What happened. -/
  reason : String
  deriving Repr, Inhabited, DecidableEq

/-- What a pool is doing. -/
structure Status where
  /-- The most processes there may be. -/
  maxProcesses : Nat
  /-- Processes there are. -/
  processes : Nat
  /-- Processes at work. -/
  busy : Nat
  /-- Texts that wait for a process. -/
  waiting : Nat
  /-- Whether the warm headers are loaded and processes start. -/
  ready : Bool
  /-- Texts that found their header loaded. -/
  hits : Nat
  /-- Texts that did not. -/
  misses : Nat
  /-- Texts answered together with an identical one. -/
  shared : Nat
  /-- Outcomes so far, failures too. -/
  checks : Nat
  /-- Processes that ended in the middle of a text. -/
  crashes : Nat
  /-- Texts that took too long. -/
  timeouts : Nat
  /-- Texts that were tried a second time. -/
  restarts : Nat
  /-- Processes replaced because of their uses or their memory. -/
  recycled : Nat
  /-- Processes started. -/
  started : Nat
  /-- Resident memory of all processes, in bytes. -/
  residentBytes : Nat
  /-- The headers that processes have, and how many have each. -/
  headers : List (String × Nat)
  /-- The last failures, newest last. -/
  lastFailures : List FailureRecord
  deriving Repr, Inhabited

private def Status.ofJson (j : Json) : Except String Status := do
  let count (key : String) : Except String Nat := required j key jsonToNat
  return {
    maxProcesses := ← count "max_processes", processes := ← count "processes", busy := ← count "busy"
    waiting := ← count "waiting", ready := ← required j "ready" Json.getBool?, hits := ← count "hits"
    misses := ← count "misses", shared := ← count "shared", checks := ← count "checks"
    crashes := ← count "crashes", timeouts := ← count "timeouts", restarts := ← count "restarts"
    recycled := ← count "recycled", started := ← count "started"
    residentBytes := ← count "resident_bytes"
    headers := ← listAt j "headers" fun h =>
      return (← required h "header" jsonToString, ← required h "processes" jsonToNat)
    lastFailures := ← listAt j "last_failures" fun f =>
      return { id := ← required f "id" jsonToString, reason := ← required f "reason" jsonToString } }

/-- A pool of processes that check Lean code. -/
abbrev Pool := FFI.Pool

namespace Pool

/-- Starts a pool. Its processes are started when they are needed, and end with it and, however it
ends, with this program. -/
def startE (config : PoolConfig := {}) : IO (Except Error Pool) := do
  match ← FFI.poolNew config.toJson.compress with
  | .ok pool => return .ok pool
  | .error e => return .error (.ofText e)

/-- Starts a pool. Throws when there is no Lean, or the configuration makes no sense. -/
def start (config : PoolConfig := {}) : IO Pool := do orThrow (← startE config)

/-- Closes a pool: nothing new is begun, what other tasks have under way may go on for `drainMs`, then
all processes are ended, those of sessions too. What has no answer by then, and every later check,
fails as `cancelled`. Closing twice is fine; so is not closing, when nothing refers to the pool any
more. -/
def close (pool : Pool) (drainMs : Nat := 0) : IO Unit :=
  FFI.poolClose pool (UInt64.ofNat (min drainMs (2 ^ 40)))

/-- Checks texts, as many at a time as there are processes; the outcomes are in their order. -/
def checkBatch (pool : Pool) (snippets : Array Snippet) (o : CheckOptions := {}) :
    IO (Array Outcome) := do
  let snippet (s : Snippet) : Json := Json.mkObj [("id", Json.str s.id), ("code", Json.str s.code)]
  let request := o.request [("snippets", Json.arr (snippets.map snippet))]
  let answer ← FFI.poolCheck pool request o.cancel
  let read : Except String (Except Error (List Outcome)) := do
    let j ← Json.parse answer
    match field? j "results" with
    | some results =>
      let outcomes ← listOf Outcome.ofJson results
      if outcomes.length == snippets.size then return .ok outcomes
      else throw "there is not one outcome for each snippet"
    | none => return .error (Error.ofJson j)
  match read with
  | .ok (.ok outcomes) => return outcomes.toArray
  | .ok (.error (.failure f)) => return snippets.map fun s => .none' s.id f
  | .ok (.error e) => throw e.toIO
  | .error e => throw (Error.request (.malformed e)).toIO

/-- Checks a text. -/
def check (pool : Pool) (code : String) (o : CheckOptions := {}) : IO Outcome := do
  match (← pool.checkBatch #[{ code }] o).toList with
  | [outcome] => return outcome
  | _ => throw (Error.request (.malformed "no outcome")).toIO

/-- What a pool is doing. Throws when it is closed. -/
def status (pool : Pool) : IO Status := do
  let text ← FFI.poolStatus pool
  match Json.parse text with
  | .error e => throw (Error.request (.malformed e)).toIO
  | .ok j =>
    if (field? j "error").isSome then throw (Error.ofJson j).toIO
    match Status.ofJson j with
    | .ok status => return status
    | .error e => throw (Error.request (.malformed e)).toIO

end Pool

/-- Runs `body` with a pool, and closes it, whatever happens. -/
def withPool (config : PoolConfig) (body : Pool → IO α) : IO α := do
  let pool ← Pool.start config
  try body pool finally pool.close

/-! ### Sessions -/

/-- What a tactic gives. -/
structure Step where
  /-- The number of the state after it. -/
  proofState : Nat
  /-- The goals that are left. -/
  goals : List String
  /-- Messages. -/
  messages : List Message
  /-- Places where a proof is missing, new ones. -/
  sorries : List Sorry
  /-- Output of tracing options. -/
  traces : List String
  /-- What the REPL says of the proof: `Completed`, `Incomplete: …`, `Error: …`; `""` from old ones. -/
  proofStatus : String
  deriving Repr, Inhabited, DecidableEq

namespace Step

/-- Whether the proof is done, and the kernel agreed. -/
def completed (s : Step) : Bool := s.goals.isEmpty && s.proofStatus == "Completed"

private def ofJson (j : Json) : Except String Step := return {
  proofState := ← required j "proofState" jsonToNat
  goals := ← listAt j "goals" jsonToString
  messages := ← listAt j "messages" Message.ofJson
  sorries := ← listAt j "sorries" Sorry.ofJson
  traces := ← listAt j "traces" jsonToString
  proofStatus := ← textAt j "proofStatus" }

end Step

/-- A process of a pool for one conversation: commands that build on each other, tactic steps. The pool
gives it to nobody else before it is closed. -/
abbrev Session := FFI.Session

namespace Session

/-- Takes a process that has this header (`import` lines, or `""`). -/
def openE (pool : Pool) (header : String := "") (o : CheckOptions := {}) :
    IO (Except Error Session) := do
  match ← FFI.sessionNew pool (o.request [("header", Json.str header)]) o.cancel with
  | .ok session => return .ok session
  | .error e => return .error (.ofText e)

/-- Takes a process that has this header (`import` lines, or `""`). -/
def «open» (pool : Pool) (header : String := "") (o : CheckOptions := {}) : IO Session := do
  orThrow (← openE pool header o)

/-- Ends a session and its process. Closing twice is fine; so is not closing, when nothing refers to the
session any more. -/
def close (session : Session) : IO Unit := FFI.sessionClose session

/-- Sends a request in the REPL's own JSON, and reads what `key` names of the answer. -/
private def ask (session : Session) (request : List (String × Json)) (key : String)
    (read : Json → Except String α) (cancel : Option CancelToken) : IO (Except Error α) := do
  let text ← FFI.sessionRequest session (Json.mkObj request).compress cancel
  let read : Except String (Except Error α) := do
    let j ← Json.parse text
    match field? j key, field? j "repl_error" with
    | some answer, _ => return .ok (← read answer)
    | none, some message => return .error (.repl (← jsonToString message))
    | none, none =>
      if (field? j "response").isSome || (field? j "step").isSome then throw "an answer of another kind"
      return .error (.ofJson j)
  match read with
  | .ok answer => return answer
  | .error e => return .error (.request (.malformed e))

private def number (n : Nat) : Json := (n : Json)

/-- Runs a text, on the environment `env`, or on what the header gives. The answer has the number of the
environment after it. -/
def commandE (session : Session) (code : String) (env : Option Nat := none)
    (cancel : Option CancelToken := none) : IO (Except Error Response) :=
  session.ask ([("cmd", Json.str code)] ++ env.toList.map fun n => ("env", number n)) "response"
    Response.ofJson cancel

/-- Runs a text, on the environment `env`, or on what the header gives. -/
def command (session : Session) (code : String) (env : Option Nat := none)
    (cancel : Option CancelToken := none) : IO Response := do
  orThrow (← session.commandE code env cancel)

/-- Tries a tactic in a proof state: the number that a `Sorry` or a `Step` has. The state itself stays as
it is. A tactic that fails is `Error.repl`. -/
def stepE (session : Session) (proofState : Nat) (tactic : String)
    (cancel : Option CancelToken := none) : IO (Except Error Step) :=
  session.ask [("tactic", Json.str tactic), ("proofState", number proofState)] "step" Step.ofJson cancel

/-- Tries a tactic in a proof state. Throws when it fails. -/
def step (session : Session) (proofState : Nat) (tactic : String)
    (cancel : Option CancelToken := none) : IO Step := do
  orThrow (← session.stepE proofState tactic cancel)

/-- Writes an environment to a file. -/
def pickleE (session : Session) (env : Nat) (file : System.FilePath) : IO (Except Error Unit) := do
  let request := [("pickleTo", Json.str file.toString), ("env", number env)]
  return (← session.ask request "response" Response.ofJson none).map fun _ => ()

/-- Reads an environment from a file, and tells its number. -/
def unpickleE (session : Session) (file : System.FilePath) : IO (Except Error Nat) :=
  session.ask [("unpickleEnvFrom", Json.str file.toString)] "response"
    (required · "env" jsonToNat) none

/-- Writes a proof state to a file. -/
def pickleProofE (session : Session) (proofState : Nat) (file : System.FilePath) :
    IO (Except Error Unit) := do
  let request := [("pickleTo", Json.str file.toString), ("proofState", number proofState)]
  return (← session.ask request "step" Step.ofJson none).map fun _ => ()

/-- Reads a proof state from a file. -/
def unpickleProofE (session : Session) (file : System.FilePath) : IO (Except Error Step) :=
  session.ask [("unpickleProofStateFrom", Json.str file.toString)] "step" Step.ofJson none

end Session

/-- Runs `body` with a session, and closes it, whatever happens. -/
def withSession (pool : Pool) (header : String) (body : Session → IO α) (o : CheckOptions := {}) :
    IO α := do
  let session ← Session.open pool header o
  try body session finally session.close

end LeanOracle.Repl
