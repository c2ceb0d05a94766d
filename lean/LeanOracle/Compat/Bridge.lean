/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Transport

/-!
# In the place of lean-python-bridge

lean-python-bridge asks a Python process for sums of matrices of integers. This module has the
names, fields, defaults and types of its `PythonIntegration` and of `MathDefs.Matrix`, over the
client of `LeanOracle.Transport`. A program changes its imports,

```
import FFI.ZMQ                         -- before
import PythonIntegration
import LeanOracle.Compat.Bridge        -- after
```

and is answered by lean-python-bridge's server, by a worker of ours and by a broker alike. (The
module `LeanOracle` does not import this one.) New programs should use `LeanOracle.Transport`, which
carries any function.

## What is better

* `callPythonMatrixSum` returns the sum that the server found, and `callPythonMatrixSumExact` the
  integer, however large. What the server refuses is an error, with the server's own words.
* Replies of any length arrive whole. Names and versions may hold any characters.
* The pause between attempts is 100 ms and doubles; that of the reference is as long as the timeout.
* Nothing is printed, except by `testEnhancedBridge`.

## What is different

* A server that cannot be reached is `ConnectionFailed`; for the reference it is `Timeout`.
* `paranoidPirateRequest` does not send heartbeats itself: the broker and its workers do, which
  finds a dead worker even while it is not asked. So its `HeartbeatConfig`, and `enableHeartbeat`
  and `heartbeatInterval` of a `BridgeConfig`, have no effect.
* The raw sockets of `FFI.ZMQ` are not there.
-/

/-! ### Matrices -/

namespace MathDefs

/-- A matrix by its rows. -/
structure Matrix where
  /-- The rows. -/
  rows : List (List Int)
  deriving Repr

/-- The sum of a list. -/
def listSum (xs : List Int) : Int := xs.foldl (· + ·) 0

/-- The sum of all entries. -/
def matrixSum (M : Matrix) : Int := M.rows.foldl (fun sum row => sum + listSum row) 0

end MathDefs

namespace PythonIntegration

open Lean (Json)
open LeanOracle (Transport.Client)
open LeanOracle.Transport (withClient)
open MathDefs (Matrix)

/-! ### What is said about a request -/

/-- Why there is no answer. -/
inductive BridgeError where
  /-- The server cannot be reached, or does not let us in. -/
  | ConnectionFailed (endpoint : String) (reason : String)
  /-- Nobody answered in time. -/
  | Timeout (operation : String) (timeoutMs : Int)
  /-- A message cannot be read. -/
  | SerializationError (reason : String)
  /-- The server refused. -/
  | ServerError (status : String) (message : String)
  /-- Something else went wrong on the way. -/
  | NetworkError (reason : String)
  deriving Repr, DecidableEq

/-- An answer or an error. -/
abbrev BridgeResult (α : Type) := Except BridgeError α

/-- Where the server is, and how long to try. -/
structure BridgeConfig where
  /-- The address of the server. -/
  endpoint : String := "tcp://127.0.0.1:5555"
  /-- Milliseconds for each attempt; negative for as long as it takes. -/
  timeoutMs : Int := 5000
  /-- How many attempts there are in all. -/
  maxRetries : Nat := 3
  /-- No effect. -/
  enableHeartbeat : Bool := true
  /-- No effect. -/
  heartbeatInterval : Int := 1000
  /-- What the correlation ids of `paranoidPirateRequest` begin with. -/
  correlationIdPrefix : String := "req"
  deriving Repr

/-- The defaults. -/
def defaultConfig : BridgeConfig := {}

/-- The defaults of the reference; no effect. -/
structure HeartbeatConfig where
  /-- Milliseconds. -/
  heartbeatInterval : Int := 1000
  /-- Heartbeats. -/
  heartbeatLiveness : Int := 3
  /-- Milliseconds. -/
  heartbeatExpiry : Int := 1000
  deriving Repr

/-- What a server says of a request. -/
structure ServerResponse where
  /-- `success`, `error` or `heartbeat_ack`. -/
  status : String
  /-- The server's message, or `OK`. -/
  message : String
  deriving Repr, DecidableEq

/-- The status and the message of a response; `none` if it is not JSON with a status. -/
def parseServerResponse (response : String) : Option ServerResponse :=
  match Json.parse response with
  | .error _ => none
  | .ok j =>
    match j.getObjVal? "status", j.getObjVal? "message" with
    | .ok (.str status), .ok (.str message) => some { status, message }
    | .ok (.str status), _ =>
      some { status, message := if status == "error" then "Unknown error" else "OK" }
    | _, _ => none

/-! ### Asking -/

/-- An error of the transport in the words of the reference. -/
private def BridgeError.of (config : BridgeConfig) (operation : String) :
    LeanOracle.Transport.Error → BridgeError
  | .timeout _ => .Timeout operation config.timeoutMs
  | .unreachable reason => .ConnectionFailed config.endpoint reason
  | .server code message _ => .ServerError code message
  | .decode reason => .SerializationError reason
  | .request e => .ConnectionFailed config.endpoint (toString e)
  | e => .NetworkError (toString e)

/-- Sends text and returns the response, unless that is an error. -/
private def ask (config : BridgeConfig) (client : Transport.Client) (operation text : String) :
    IO (BridgeResult String) := do
  if config.maxRetries == 0 then return .error (.Timeout operation config.timeoutMs)
  match ← client.callRawE text with
  | .error e => return .error (.of config operation e)
  | .ok response =>
    match parseServerResponse response with
    | some { status := "error", message } => return .error (.ServerError "error" message)
    | _ => return .ok response

/-- Runs `body` with a client for a configuration. -/
private def withServer (config : BridgeConfig) (body : Transport.Client → IO (BridgeResult α)) :
    IO (BridgeResult α) := do
  let timeoutMs := if config.timeoutMs < 0 then 2 ^ 53 else max 1 config.timeoutMs.toNat
  let found ← Transport.Client.connectE
    { endpoint := config.endpoint, timeoutMs, retries := config.maxRetries - 1 }
  match found with
  | .error e => return .error (.ConnectionFailed config.endpoint (toString e))
  | .ok client => try body client finally client.close

/-- Lazy Pirate: sends a request over a connection of its own and waits, at most `maxRetries` times.
Returns the response, unless its status is `error`. -/
def lazyPirateRequest (config : BridgeConfig) (jsonMsg : String) : IO (BridgeResult String) :=
  withServer config fun client => ask config client "request" jsonMsg

/-- As `lazyPirateRequest`, in an envelope with a correlation id, which the response must have too.
-/
def paranoidPirateRequest (config : BridgeConfig) (jsonMsg : String)
    (_heartbeat : HeartbeatConfig := {}) : IO (BridgeResult String) := do
  match Json.parse jsonMsg with
  | .error e => return .error (.SerializationError s!"the request is not JSON: {e}")
  | .ok _ =>
    let id := s!"{config.correlationIdPrefix}_{← IO.monoMsNow}_{← IO.rand 0 (2 ^ 32)}"
    let text := s!"\{\"correlation_id\":{(Json.str id).compress},\"payload\":{jsonMsg}}"
    match ← withServer config fun client => ask config client "paranoid_request" text with
    | .error e => return .error e
    | .ok response =>
      match Json.parse response >>= fun (j : Json) => j.getObjVal? "correlation_id" with
      | .ok (.str found) =>
        if found == id then return .ok response
        else return .error (.NetworkError s!"the response belongs to another request: {found}")
      -- a heartbeat has none
      | _ => return .ok response

/-- The request for the sum of a matrix. -/
private def request (m : Matrix) (modelName modelVer : String) : String :=
  let rows := m.rows.map fun row => Json.arr (row.map fun (n : Int) => (n : Json)).toArray
  let model := Json.mkObj [("name", Json.str modelName), ("version", Json.str modelVer)]
  (Json.mkObj [("schema_version", ((1 : Nat) : Json)), ("matrix", Json.arr rows.toArray),
    ("model", model)]).compress

/-- The sum in a response. -/
private def floatSum (response : String) : BridgeResult Float :=
  match Json.parse response >>= fun (j : Json) => j.getObjVal? "matrix_sum" with
  | .ok (.num n) => .ok n.toFloat
  | _ => .error (.SerializationError s!"the response has no matrix_sum: {response}")

/-- The sum of a matrix in a response, if it says it exactly. -/
private def exactSum (m : Matrix) (response : String) : BridgeResult Int :=
  let found (key : String) := Json.parse response >>= fun (j : Json) => j.getObjVal? key
  match found "matrix_sum_exact", found "matrix_sum" with
  | .ok (.str s), _ =>
    match LeanOracle.readInt? s.toList with
    | some n => .ok n
    | none => .error (.SerializationError s!"matrix_sum_exact is not an integer: {s}")
  | _, .ok (.num n) =>
    -- in whatever order doubles are added, nothing is rounded as long as all sums are below 2^53
    let scale : Int := 10 ^ n.exponent
    let most := m.rows.foldl (fun sum row => row.foldl (fun sum n => sum + n.natAbs) sum) 0
    if n.mantissa % scale == 0 && most < 2 ^ 53 then
      .ok (n.mantissa / scale)
    else .error (.SerializationError s!"the sum is not said exactly: {response}")
  | _, _ => .error (.SerializationError s!"the response has no matrix_sum: {response}")

/-- The sum of a matrix, as a double: the nearest one, if the server is one of ours. -/
def callPythonMatrixSum (m : Matrix) (modelName modelVer : String)
    (config : BridgeConfig := defaultConfig) : IO (BridgeResult Float) := do
  return (← lazyPirateRequest config (request m modelName modelVer)) >>= floatSum

/-- The sum of a matrix, exactly. Servers of lean-python-bridge add doubles: for them it is an error
if something may have been rounded, which is when the absolute values add up to `2 ^ 53`. -/
def callPythonMatrixSumExact (m : Matrix) (modelName modelVer : String)
    (config : BridgeConfig := defaultConfig) : IO (BridgeResult Int) := do
  return (← lazyPirateRequest config (request m modelName modelVer)) >>= exactSum m

/-- Whether the server answers: `healthy`. -/
def checkServerHealth (config : BridgeConfig := defaultConfig) : IO (BridgeResult String) := do
  match ← lazyPirateRequest config "\"HEARTBEAT\"" with
  | .error e => return .error e
  | .ok response =>
    match parseServerResponse response with
    | some { status := "heartbeat_ack", .. } => return .ok "healthy"
    | _ => return .error (.ServerError "unexpected" s!"not a heartbeat: {response}")

/-- The sums of several matrices. -/
def callPythonMatrixBatch (matrices : List Matrix) (modelName modelVer : String)
    (config : BridgeConfig := defaultConfig) : IO (List (BridgeResult Float)) := do
  let sums ← withServer config fun client => do
    let sums ← matrices.mapM fun m => do
      return (← ask config client "request" (request m modelName modelVer)) >>= floatSum
    return .ok sums
  match sums with
  | .ok sums => return sums
  | .error e => return matrices.map fun _ => .error e

/-- Asks the server for its health, for one sum and for two more, and prints what it says. -/
def testEnhancedBridge (config : BridgeConfig := { timeoutMs := 3000, maxRetries := 2 }) :
    IO Unit := do
  let show' (what : String) (r : BridgeResult String) : IO Unit :=
    match r with
    | .ok s => IO.println s!"{what}: {s}"
    | .error e => IO.println s!"{what}: error: {reprStr e}"
  let matrix : Matrix := ⟨[[1, 2], [3, 4]]⟩
  show' "health" (← checkServerHealth config)
  show' "sum" ((← callPythonMatrixSum matrix "TestModel" "1.0" config).map toString)
  for r in ← callPythonMatrixBatch [matrix, ⟨[[5, 6], [7, 8]]⟩] "BatchModel" "1.0" config do
    show' "batch" (r.map toString)

end PythonIntegration
