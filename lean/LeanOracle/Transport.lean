/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lean.Data.Json
import LeanOracle.Questions
import LeanOracleFFI

/-!
# Asking other processes

Whatever computes, in Python or elsewhere, can be asked from Lean: a worker registers functions, a
broker stands between, and a `Client` asks and asks again until there is an answer or a typed error.
`docs/transport.md` describes the whole, and the commands.

```
open LeanOracle.Transport

#eval withClient { endpoint := "tcp://127.0.0.1:5555" } fun client => do
  let sum ← client.call "matrix_sum" (.mkObj [("matrix", .arr #[.arr #[1, 2], .arr #[3, 4]])])
  let product ← client.callArrays "matmul" #[a, b]
  let values ← client.ask (Arb.Question.range "x * exp(-x)" [("x", "0", "5")])
  …
```

* `call` sends and receives JSON, `callArray` and `callArrays` numbers, `ask` the questions of
  `LeanOracle.Questions`, `request` any payload with any arrays. `callBatch` sends many requests at
  once. They throw when there is no answer; `callE` and so on return an `Error` instead.
* A client may be used by any number of tasks at a time. A call blocks the thread that makes it:
  give tasks that call the priority `.dedicated`, or `spawn`.
* A `CancelToken` ends calls from another task. `close` ends all calls of a client; `withClient`
  closes it whatever happens.

Answers are **untrusted** data, like those of `LeanOracle.Arb`.
-/

namespace LeanOracle.Transport

open Lean (Json)
open LeanOracle (Arb.ErrorCode)

/-! ### Errors -/

/-- Why there is no answer. -/
inductive Error where
  /-- Nobody answered in time. -/
  | timeout (message : String)
  /-- The server could not be reached, or the connection was lost. -/
  | unreachable (message : String)
  /-- The server refused. `code` is the text form of an `Arb.ErrorCode`, or one of the server's own;
  `field` is the field of the request at fault, or `""`. -/
  | server (code message field : String)
  /-- The answer cannot be read. -/
  | decode (message : String)
  /-- The request was cancelled. -/
  | cancelled
  /-- The client was closed, before the request or while it was under way. -/
  | closed
  /-- The request was not sent: it is not well-formed, there are too many, or the server does not
  let us in. -/
  | request (reason : Arb.Error)
  deriving Repr, Inhabited, DecidableEq

namespace Error

instance : ToString Error where
  toString
    | timeout m => s!"timeout: {m}"
    | unreachable m => s!"unreachable: {m}"
    | server code m "" => s!"the server refused: {code}: {m}"
    | server code m field => s!"the server refused: {code} ({field}): {m}"
    | decode m => s!"the answer cannot be read: {m}"
    | cancelled => "cancelled"
    | closed => "the client is closed"
    | request e => toString e

/-- The error as an exception. -/
def toIO (e : Error) : IO.Error := IO.userError s!"transport: {e}"

/-- The error of a failure that the native library tells. -/
private def ofFailure (f : FFI.CallFailure) : Error :=
  match f.kind with
  | 1 => timeout f.message
  | 2 => unreachable f.message
  | 3 => server f.code f.message f.field
  | 4 => decode f.message
  | 5 => cancelled
  | 6 => closed
  | _ => request (.ofText f.code f.message f.field)

/-- The error in a refusal as JSON. -/
private def ofJson (text : String) : Error :=
  match Json.parse text >>= Arb.parseError with
  | .ok e => request e
  | .error e => request (.malformed e)

end Error

/-- The answer, or the error as an exception. -/
private def orThrow (r : Except Error α) : IO α :=
  match r with
  | .ok a => return a
  | .error e => throw e.toIO

/-! ### Arrays -/

/-- Numbers in a box, in row-major order. Doubles are a `FloatArray`; floats and integers are bytes,
little-endian, as they are on the wire. -/
abbrev NumArray := FFI.NumArray

namespace NumArray

/-- How many numbers there are. -/
def size (a : NumArray) : Nat :=
  match a.numbers with
  | .f64 data => data.size
  | .f32 data => data.size / 4
  | .i64 data => data.size / 8

/-- An array of one dimension. -/
def ofFloats (data : FloatArray) : NumArray := { shape := #[data.size], numbers := .f64 data }

instance : Coe FloatArray NumArray := ⟨ofFloats⟩

/-- An array of one dimension of 64-bit integers; `none` if one of them is larger. -/
def ofInts? (data : Array Int) : Option NumArray :=
  let push (bytes : ByteArray) (n : Int) : ByteArray :=
    let word : Nat := (if n < 0 then n + 2 ^ 64 else n).toNat
    (List.range 8).foldl (fun bytes k => bytes.push (word / 256 ^ k % 256).toUInt8) bytes
  if data.all fun n => -(2 ^ 63) ≤ n && n < 2 ^ 63 then
    some { shape := #[data.size], numbers := .i64 (data.foldl push .empty) }
  else none

/-- The same numbers in another shape, which must have as many. -/
def reshape? (a : NumArray) (shape : Array Nat) : Option NumArray :=
  if shape.foldl (· * ·) 1 == a.size then some { a with shape } else none

/-- The number that bytes from `i` on stand for. -/
private def word (bytes : ByteArray) (i count : Nat) : Nat :=
  (List.range count).foldl (fun n k => n + (bytes.get! (i + k)).toNat * 256 ^ k) 0

/-- The float of these 32 bits, exactly. -/
private def ofFloatBits (bits : Nat) : Float :=
  let e : Nat := bits / 2 ^ 23 % 256
  let m : Nat := bits % 2 ^ 23
  let x : Float :=
    if e == 255 then (if m == 0 then 1.0 else 0.0) / 0.0
    else if e == 0 then (Float.ofNat m).scaleB (-149)
    else (Float.ofNat (m + 2 ^ 23)).scaleB ((e : Int) - 150)
  if bits / 2 ^ 31 == 1 then -x else x

/-- Doubles or floats as doubles, which loses nothing; `none` for integers. -/
def floats? (a : NumArray) : Option FloatArray :=
  match a.numbers with
  | .f64 data => some data
  | .f32 data => some <| (List.range (data.size / 4)).foldl (init := .empty) fun out i =>
      out.push (ofFloatBits (word data (4 * i) 4))
  | .i64 _ => none

/-- Integers; `none` for doubles and floats. -/
def ints? (a : NumArray) : Option (Array Int) :=
  match a.numbers with
  | .i64 data => some <| (Array.range (data.size / 8)).map fun i =>
      let n : Int := word data (8 * i) 8
      if n < 2 ^ 63 then n else n - 2 ^ 64
  | _ => none

end NumArray

/-! ### Messages -/

/-- Bytes and how they are to be read. -/
structure Payload where
  /-- `application/json`, `application/msgpack` or `application/x-protobuf`. -/
  contentType : String
  /-- The bytes. -/
  bytes : ByteArray

namespace Payload

/-- JSON. -/
def ofJson (j : Json) : Payload :=
  { contentType := "application/json", bytes := j.compress.toUTF8 }

instance : Coe Json Payload := ⟨ofJson⟩
instance : Inhabited Payload := ⟨ofJson .null⟩

/-- The same in another content type; nothing is changed, and what it cannot say (NaN in JSON) is
refused. -/
def convertE (p : Payload) (contentType : String) : IO (Except Error Payload) := do
  match ← FFI.payloadConvert p.bytes p.contentType contentType 0 0 with
  | .ok (contentType, bytes) => return .ok { contentType, bytes }
  | .error e => return .error (.ofJson e)

/-- The same in the content type that its size asks for: JSON, MessagePack from `msgpackFrom` bytes
on, Protocol Buffers from `protobufFrom` on; the next one if that cannot say it. -/
def fitE (p : Payload) (msgpackFrom : Nat := 2 ^ 12) (protobufFrom : Nat := 2 ^ 20) :
    IO (Except Error Payload) := do
  let limit (n : Nat) : UInt64 := UInt64.ofNat (max 1 (min n (2 ^ 63)))
  match ← FFI.payloadConvert p.bytes p.contentType "" (limit msgpackFrom) (limit protobufFrom) with
  | .ok (contentType, bytes) => return .ok { contentType, bytes }
  | .error e => return .error (.ofJson e)

/-- The payload of an answer as JSON. -/
def toJsonE (p : Payload) : IO (Except Error Json) := do
  let isJson := p.contentType == "application/json"
  match ← if isJson then pure (.ok p) else p.convertE "application/json" with
  | .error (.request e) => return .error (.decode (toString e))
  | .error e => return .error e
  | .ok json =>
    match String.fromUTF8? json.bytes with
    | none => return .error (.decode "the payload is not UTF-8")
    | some text =>
      match Json.parse text with
      | .ok j => return .ok j
      | .error e => return .error (.decode s!"the payload is not JSON: {e}")

end Payload

/-- A request to a server. -/
structure Request where
  /-- What is asked for. -/
  op : String
  /-- What it is about. -/
  payload : Payload := default
  /-- Arrays beside the payload. -/
  arrays : Array NumArray := #[]

/-- An answer. -/
structure Reply where
  /-- What is said. -/
  payload : Payload
  /-- Arrays beside the payload. -/
  arrays : Array NumArray

/-! ### Clients -/

/-- Where a server is, and how long to try. -/
structure ClientConfig where
  /-- A broker or a worker: `tcp://HOST:PORT`, or `ipc://PATH` for a Unix socket. -/
  endpoint : String := "tcp://127.0.0.1:5555"
  /-- Milliseconds to wait for the answer to one attempt. -/
  timeoutMs : Nat := 2500
  /-- Attempts after the first. -/
  retries : Nat := 3
  /-- Milliseconds before the second attempt; they double from there on, to 5 s. -/
  backoffMs : Nat := 100
  /-- Milliseconds that closing waits until what was sent has left. -/
  lingerMs : Nat := 100
  /-- Requests that may be under way at a time. -/
  inFlight : Nat := 10000
  /-- Bytes that a message of the server may have. -/
  maxMessageBytes : Nat := 256 * 2 ^ 20
  /-- The server's public key, or a file of it: everything is sealed by CURVE. By default the
  environment's `LEAN_ORACLE_SERVER_KEY`, if it is set. -/
  serverKey : Option String := none
  /-- Our secret key, or a file of it. By default `LEAN_ORACLE_SECRET_KEY`, if that is set, or a new
  one. -/
  key : Option String := none
  /-- Whether to talk to other machines without CURVE. -/
  plaintext : Bool := false

/-- Ends the calls that watch it, from any task. -/
abbrev CancelToken := FFI.Cancel

namespace CancelToken

/-- A new token. -/
def new : IO CancelToken := FFI.cancelNew

/-- Ends the calls that watch the token, those to come too. -/
def cancel (token : CancelToken) : IO Unit := FFI.cancelSet token

end CancelToken

/-- What is special about a call. -/
structure CallOptions where
  /-- Milliseconds for each attempt, in place of those of the client. -/
  timeoutMs : Option Nat := none
  /-- Attempts after the first, in place of those of the client. -/
  retries : Option Nat := none
  /-- Milliseconds after which to give up, whatever attempts are left. -/
  deadlineMs : Option Nat := none
  /-- For what must not reach the server twice: it is not repeated once it may have arrived. -/
  once : Bool := false
  /-- Ends the call. -/
  cancel : Option CancelToken := none

/-- A client of one server. -/
abbrev Client := FFI.Client

/-- What a client has done. -/
structure Metrics where
  /-- Requests made. -/
  requests : Nat
  /-- Requests that were answered. -/
  answered : Nat
  /-- Requests that ended in an error. -/
  failed : Nat
  /-- Attempts after the first. -/
  retries : Nat
  /-- Attempts that were not answered in time. -/
  timeouts : Nat
  /-- Late and second answers, which were dropped. -/
  late : Nat
  /-- Unreadable messages, which were dropped. -/
  garbage : Nat
  /-- Connections begun. -/
  connections : Nat
  /-- Bytes of payloads and arrays sent. -/
  sentBytes : Nat
  /-- Bytes of payloads and arrays received. -/
  receivedBytes : Nat
  /-- Requests under way. -/
  inFlight : Nat
  /-- From a request to its answer: how many took at most so many microseconds and more than the
  number before; `none` for more than 67 s. -/
  latency : List (Option Nat × Nat)
  deriving Repr, DecidableEq

namespace Metrics

/-- A bound in microseconds below which so many percent of the answers came; `none` if there are no
answers or it took more than 67 s. -/
def percentile (m : Metrics) (percent : Nat) : Option Nat :=
  let total := m.latency.foldl (fun n b => n + b.2) 0
  let rec find (seen : Nat) : List (Option Nat × Nat) → Option Nat
    | [] => none
    | (bound, n) :: rest =>
      if percent * total ≤ 100 * (seen + n) then bound else find (seen + n) rest
  find 0 m.latency

/-- Reads what the native library tells. -/
def ofJson (j : Json) : Except String Metrics := do
  let count (key : String) : Except String Nat := do Arb.jsonToNat (← j.getObjVal? key)
  let buckets ← j.getObjVal? "latency_seconds_buckets_micros"
  let bound (k : Nat) : Except String (Option (Option Nat × Nat)) :=
    let end' := if k == 27 then none else some (2 ^ k)
    match buckets.getObjVal? ((end'.map toString).getD "inf") with
    | .ok n => return some (end', ← Arb.jsonToNat n)
    | .error _ => return none
  return {
    requests := ← count "requests_total", answered := ← count "answered_total"
    failed := ← count "failed_total", retries := ← count "retries_total"
    timeouts := ← count "timeouts_total", late := ← count "late_replies_total"
    garbage := ← count "garbage_total", connections := ← count "connections_total"
    sentBytes := ← count "sent_bytes_total", receivedBytes := ← count "received_bytes_total"
    inFlight := ← count "in_flight"
    latency := (← (List.range 28).mapM bound).filterMap id }

end Metrics

/-- The configuration as the native library reads it. -/
private def ClientConfig.toJson (c : ClientConfig) : Json :=
  let number (n : Nat) : Json := ((min n (2 ^ 53) : Nat) : Json)
  let given (key : String) (value : Option String) : List (String × Json) :=
    value.toList.map fun s => (key, Json.str s)
  Json.mkObj <|
    [("endpoint", Json.str c.endpoint), ("timeout_ms", number c.timeoutMs),
      ("retries", ((min c.retries (2 ^ 31 - 1) : Nat) : Json)), ("backoff_ms", number c.backoffMs),
      ("linger_ms", number c.lingerMs), ("in_flight", number c.inFlight),
      ("max_message_bytes", number c.maxMessageBytes), ("plaintext", Json.bool c.plaintext)]
    ++ given "key" c.key ++ given "server_key" c.serverKey

namespace Client

/-- A client. It connects with its first request: a server that is not there is no error here. -/
def connectE (config : ClientConfig := {}) : IO (Except Error Client) := do
  match ← FFI.clientNew config.toJson.compress with
  | .ok client => return .ok client
  | .error e => return .error (.ofJson e)

/-- A client. It connects with its first request: a server that is not there is no error here. -/
def connect (config : ClientConfig := {}) : IO Client := do orThrow (← connectE config)

/-- Closes a client: calls of other tasks that are under way end with `Error.closed`, and so does
every later one. Closing twice is fine; so is not closing, when nothing refers to the client any
more. -/
def close (client : Client) : IO Unit := FFI.clientClose client

/-- Sends requests, all at once, and waits for what becomes of each. -/
private def send (client : Client) (requests : Array FFI.Request) (o : CallOptions) (raw : Bool) :
    IO (Array (Except Error Reply)) := do
  let ms (n : Option Nat) : UInt64 := UInt64.ofNat ((n.map fun n => max 1 (min n (2 ^ 53))).getD 0)
  let retries := (o.retries.map fun n => min n (2 ^ 31 - 1)).getD (2 ^ 32 - 1)
  let flags : UInt8 := (if o.once then 1 else 0) + (if raw then 2 else 0)
  let replies ← FFI.clientCall client requests (ms o.timeoutMs) (ms o.deadlineMs)
    (UInt32.ofNat retries) flags o.cancel
  return replies.map fun
    | .ok r => .ok { payload := ⟨r.contentType, r.payload⟩, arrays := r.arrays }
    | .error e => .error (.ofFailure e)

/-- Sends one of them. -/
private def sendOne (client : Client) (r : FFI.Request) (o : CallOptions) (raw : Bool) :
    IO (Except Error Reply) := do
  match (← client.send #[r] o raw).toList with
  | [reply] => return reply
  | _ => return .error (.decode "the native library gave no answer")

/-- A request as the native library takes it. -/
private def ffi (r : Request) : FFI.Request :=
  let { contentType, bytes } := r.payload
  { op := r.op, contentType, payload := bytes, arrays := r.arrays }

/-- Sends requests, all at once, and waits for what becomes of each; that is in the same order. -/
def requestBatchE (client : Client) (requests : Array Request) (o : CallOptions := {}) :
    IO (Array (Except Error Reply)) :=
  client.send (requests.map ffi) o false

/-- Asks with any payload and arrays. -/
def requestE (client : Client) (r : Request) (o : CallOptions := {}) : IO (Except Error Reply) :=
  client.sendOne (ffi r) o false

/-- Asks with any payload and arrays. -/
def request (client : Client) (r : Request) (o : CallOptions := {}) : IO Reply := do
  orThrow (← client.requestE r o)

/-- The payload of an answer as JSON. -/
private def json (r : Except Error Reply) : IO (Except Error Json) :=
  match r with
  | .ok reply => reply.payload.toJsonE
  | .error e => return .error e

/-- Asks with JSON for JSON. -/
def callE (client : Client) (op : String) (payload : Json := .null) (o : CallOptions := {}) :
    IO (Except Error Json) := do
  json (← client.requestE { op, payload } o)

/-- Asks with JSON for JSON. -/
def call (client : Client) (op : String) (payload : Json := .null) (o : CallOptions := {}) :
    IO Json := do
  orThrow (← client.callE op payload o)

/-- Asks many questions at once, pipelined over one connection; the answers are in their order. -/
def callBatchE (client : Client) (questions : Array (String × Json)) (o : CallOptions := {}) :
    IO (Array (Except Error Json)) := do
  (← client.requestBatchE (questions.map fun (op, payload) => { op, payload }) o).mapM json

/-- Asks many questions at once; throws the first error. -/
def callBatch (client : Client) (questions : Array (String × Json)) (o : CallOptions := {}) :
    IO (Array Json) := do
  (← client.callBatchE questions o).mapM orThrow

/-- Asks with arrays for arrays. Numbers are copied once on each way. -/
def callArraysE (client : Client) (op : String) (arrays : Array NumArray) (payload : Json := .null)
    (o : CallOptions := {}) : IO (Except Error (Array NumArray)) := do
  return (← client.requestE { op, payload, arrays } o).map (·.arrays)

/-- Asks with arrays for arrays. Numbers are copied once on each way. -/
def callArrays (client : Client) (op : String) (arrays : Array NumArray) (payload : Json := .null)
    (o : CallOptions := {}) : IO (Array NumArray) := do
  orThrow (← client.callArraysE op arrays payload o)

/-- Asks with one array for one; another number of them is `Error.decode`. -/
def callArrayE (client : Client) (op : String) (array : NumArray) (payload : Json := .null)
    (o : CallOptions := {}) : IO (Except Error NumArray) := do
  match ← client.callArraysE op #[array] payload o with
  | .error e => return .error e
  | .ok arrays =>
    match arrays.toList with
    | [array] => return .ok array
    | arrays => return .error (.decode s!"{arrays.length} arrays came, one was expected")

/-- Asks with one array for one. -/
def callArray (client : Client) (op : String) (array : NumArray) (payload : Json := .null)
    (o : CallOptions := {}) : IO NumArray := do
  orThrow (← client.callArrayE op array payload o)

/-- Asks a worker that is the oracle, `lean-oracle worker`, a question. -/
def askE (client : Client) (q : Arb.Question α) (o : CallOptions := {}) : IO (Except Error α) := do
  match ← client.callE "oracle" q.request o with
  | .error e => return .error e
  | .ok j =>
    match q.readE j with
    | .ok a => return .ok a
    | .error e => return .error (.decode (toString e))

/-- Asks a worker that is the oracle, `lean-oracle worker`, a question. -/
def ask (client : Client) (q : Arb.Question α) (o : CallOptions := {}) : IO α := do
  orThrow (← client.askE q o)

/-- Sends text in one frame, as a REQ socket does, for servers that do not speak our envelope, each
attempt over a connection of its own. Returns the one frame of the answer. -/
def callRawE (client : Client) (text : String) (o : CallOptions := {}) :
    IO (Except Error String) := do
  let request := { op := "", contentType := "", payload := text.toUTF8, arrays := #[] }
  match ← client.sendOne request o true with
  | .error e => return .error e
  | .ok reply =>
    match String.fromUTF8? reply.payload.bytes with
    | some text => return .ok text
    | none => return .error (.decode "the answer is not UTF-8")

/-- Whether somebody answers now; what a server says of itself. -/
def healthE (client : Client) (o : CallOptions := {}) : IO (Except Error Json) :=
  client.callE "health" .null { o with retries := some (o.retries.getD 0) }

/-- Whether somebody answers now; what a server says of itself. -/
def health (client : Client) (o : CallOptions := {}) : IO Json := do orThrow (← client.healthE o)

/-- What the client has done. -/
def metrics (client : Client) : IO Metrics := do
  match Json.parse (← FFI.clientMetrics client) >>= Metrics.ofJson with
  | .ok m => return m
  | .error e => throw (Error.request (.malformed e)).toIO

end Client

/-- Runs `body` with a client, and closes it, whatever happens. -/
def withClient (config : ClientConfig) (body : Client → IO α) : IO α := do
  let client ← Client.connect config
  try body client finally client.close

/-- A call in the background. -/
structure Job (α : Type) where
  /-- The answer or error to come. -/
  task : Task (Except IO.Error (Except Error α))
  /-- Ends it soon, with `Error.cancelled`, unless it has been answered. -/
  cancel : IO Unit

namespace Job

/-- Waits for the answer. -/
def waitE (job : Job α) : IO (Except Error α) := do
  match ← IO.wait job.task with
  | .ok a => return a
  | .error e => throw e

/-- Waits for the answer. Throws an error. -/
def wait (job : Job α) : IO α := do orThrow (← job.waitE)

end Job

/-- Makes a call in a thread of its own: `spawn (client.callE "f" x { cancel := · })`. It goes on
when the job is dropped. -/
def spawn (call : Option CancelToken → IO (Except Error α)) : IO (Job α) := do
  let token ← CancelToken.new
  let task ← IO.asTask (call (some token)) (prio := .dedicated)
  return { task, cancel := token.cancel }

end LeanOracle.Transport
