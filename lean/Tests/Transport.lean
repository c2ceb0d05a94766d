/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Compat.Bridge
import LeanOracle.Transport
import Tests.Harness

/-!
# `LeanOracle.Transport` against real brokers and workers

Processes are started, frozen and killed. What needs NumPy is asked of the Python worker, where
there is a Python that has what it needs (`LEAN_ORACLE_PYTHON`, or the one that `scripts/test`
makes). What is not there is skipped, and said so; where `CI` is set that is a failure.
-/

namespace Tests.Transport

open LeanOracle LeanOracle.Transport
open Lean (Json)

/-! ### Other processes -/

/-- A process of a test. -/
structure Peer where
  pid : String
  line : IO String
  wait : IO Unit

/-- Starts a program, whose standard output is read. -/
def Peer.start (cmd : String) (args : Array String) (env : Array (String × Option String) := #[]) :
    IO Peer := do
  -- the shell tells its process id, which is that of the program then
  let child ← IO.Process.spawn {
    cmd := "sh", args := #["-c", "echo $$; exec \"$0\" \"$@\"", cmd] ++ args, env
    stdin := .null, stdout := .piped, stderr := .null }
  let line : IO String := do return (((← child.stdout.getLine).splitOn "\n").head?).getD ""
  return { pid := ← line, line, wait := discard child.wait }

/-- Sends a signal. -/
def Peer.signal (p : Peer) (name : String) : IO Unit := do
  discard <| IO.Process.run { cmd := "kill", args := #[s!"-{name}", p.pid] }

/-- Ends a process at once. -/
def Peer.kill (p : Peer) : IO Unit := do
  p.signal "KILL"
  p.wait

/-- The program of the command line. -/
def program : System.FilePath := "target" / "release" / "lean-oracle"

/-- What a test needs: processes that are ended with it. -/
abbrev PeersM := ReaderT (IO.Ref (List Peer)) TestM

/-- Starts a process that is ended with the test. -/
def start (cmd : String) (args : Array String) (env : Array (String × Option String) := #[]) :
    PeersM Peer := do
  let peer ← Peer.start cmd args env
  (← read).modify (peer :: ·)
  return peer

/-- Ends a process before the test ends. -/
def kill (peer : Peer) : PeersM Unit := do
  (← read).modify fun peers => peers.filter (·.pid != peer.pid)
  peer.kill

/-- Runs a test and ends its processes. -/
def withPeers (body : PeersM Unit) : TestM Unit := do
  let peers ← IO.mkRef []
  try body.run peers finally
    for peer in ← peers.get do
      try peer.kill catch _ => pure ()

/-- The place in a line such as `clients tcp://127.0.0.1:5555`. -/
def placeIn (line : String) : String := String.intercalate " " ((line.splitOn " ").drop 1)

/-- A broker: the process, and where clients and workers connect. -/
def startBroker (more : Array String := #[]) : PeersM (Peer × String × String) := do
  let broker ← start program.toString <| #["broker", "--frontend", "tcp://127.0.0.1:0",
    "--backend", "tcp://127.0.0.1:0", "--heartbeat-ms", "2000"] ++ more
  return (broker, placeIn (← broker.line), placeIn (← broker.line))

/-- The oracle as a worker of a broker. -/
def startOracle (broker : String) (more : Array String := #[]) : PeersM Peer :=
  start program.toString (#["worker", "--broker", broker, "--heartbeat-ms", "2000"] ++ more)

/-- A Python that has what the worker package needs. -/
def findPython : IO (Option String) := do
  let given := (← IO.getEnv "LEAN_ORACLE_PYTHON").toList
  for python in given ++ ["target/python/bin/python", "python3"] do
    let modules := "import zmq, jsonschema, numpy, msgpack, google.protobuf"
    let found ← try
        pure ((← IO.Process.output { cmd := python, args := #["-c", modules] }).exitCode == 0)
      catch _ => pure false
    if found then return some python
  return none

/-- The functions of NumPy as a worker of a broker. -/
def startNumeric (python broker : String) : PeersM Peer :=
  start python
    #["-m", "lean_oracle_worker.examples.numeric", "--broker", broker, "--heartbeat", "2"]
    #[("PYTHONPATH", some "python"), ("PYTHONDONTWRITEBYTECODE", some "1")]

/-- Waits until a condition holds, at most two minutes. -/
def until' (what : String) (condition : IO Bool) : TestM Unit := do
  for _ in [0:6000] do
    if ← condition then return
    IO.sleep 20
  throw (IO.userError s!"{what} does not come about")

/-- Waits until a broker has so many workers. -/
def untilWorkers (endpoint : String) (count : Nat) : TestM Unit :=
  withClientT endpoint fun client => until' s!"a broker with {count} workers" do
    match ← client.healthE with
    | .ok j => return (j.getObjVal? "workers" >>= Json.getNat?).toOption == some count
    | .error _ => return false
where
  withClientT (endpoint : String) (body : Client → TestM Unit) : TestM Unit := do
    let client ← Client.connect { endpoint }
    try body client finally client.close

/-- What cannot be run here. -/
def skip (what why : String) : TestM Unit := do
  if (← IO.getEnv "CI").isSome then check what false why
  else IO.println s!"skip  {what}: {why}"

/-! ### Checks -/

/-- The kind of an outcome. -/
def kind : Except Error α → String
  | .ok _ => "ok"
  | .error (.timeout _) => "timeout"
  | .error (.unreachable _) => "unreachable"
  | .error (.server code _ _) => s!"server {code}"
  | .error (.decode _) => "decode"
  | .error .cancelled => "cancelled"
  | .error .closed => "closed"
  | .error (.request e) => s!"request {e.code}"

/-- Checks the kind of an outcome. -/
def checkKind (name : String) (r : Except Error α) (expected : String) : TestM Unit :=
  checkEq name (kind r) expected

/-- A question to the oracle. -/
def sqrtOf (n : Nat) : Json :=
  Json.mkObj [("func", "sqrt"), ("lo", toString n), ("hi", toString n), ("digits", (10 : Nat))]

/-- Whether it is answered by this number. -/
def isRoot (n : Nat) (r : Except Error Json) : Bool :=
  match r with
  | .ok j =>
    let ends := j.getObjVal? "output" >>= Arb.parseLoHi
    ends.toOption == some (toString n, toString n)
  | .error _ => false

/-- A matrix as JSON. -/
def matrixJson (rows : List (List Nat)) : Json :=
  Json.arr (rows.map fun row => Json.arr (row.map fun (n : Nat) => (n : Json)).toArray).toArray

/-- A question for a sum. -/
def matrixSum (rows : List (List Nat)) : Json := Json.mkObj [("matrix", matrixJson rows)]

/-- The milliseconds that an action takes, and its result. -/
def timed (act : IO α) : IO (α × Nat) := do
  let begin ← IO.monoMsNow
  let a ← act
  return (a, (← IO.monoMsNow) - begin)

/-- The open files of this process, where there is `/proc`. -/
def openFiles : IO Nat := do
  try return (← System.FilePath.readDir "/proc/self/fd").size
  catch _ => return 0

/-! ### Without a server -/

def aloneTests : TestM Unit := do
  -- refused before anything is sent
  checkKind "an endpoint that is none" (← Client.connectE { endpoint := "nonsense" })
    "request bad_request"
  checkKind "other machines without CURVE" (← Client.connectE { endpoint := "tcp://192.0.2.1:1" })
    "request unauthorized"
  checkKind "a key that is none" (← Client.connectE { serverKey := some "short" })
    "request bad_request"
  let nobody := s!"ipc:///tmp/lean-oracle-nobody-{← IO.monoMsNow}"
  let fast : CallOptions := { timeoutMs := some 200, retries := some 0 }
  withClient' nobody fun client => do
    checkKind "nobody is there" (← client.callE "oracle" .null fast) "unreachable"
    checkKind "nobody is healthy" (← client.healthE) "unreachable"
    let r ← timed (client.callE "oracle" .null { timeoutMs := some 100, retries := some 2 })
    checkKind "nobody is there, three times" r.1 "unreachable"
    check "that does not take for ever" (r.2 < 20000) s!"{r.2} ms"
    let array : NumArray := .ofFloats ⟨#[1, 2, 3]⟩
    for (name, shape) in [("too few", #[2]), ("too many", #[4]), ("huge", #[2 ^ 62, 2 ^ 62]),
        ("beyond 64 bits", #[2 ^ 64 + 3])] do
      checkKind s!"a shape of {name} numbers" (← client.callArraysE "echo" #[{ array with shape }])
        "request bad_request"
    checkKind "a content type that is none"
      (← client.requestE { op := "echo", payload := ⟨"text/plain", "x".toUTF8⟩ })
      "request bad_request"
    checkEq "no requests, no answers" (← client.requestBatchE #[]).size 0
    let token ← CancelToken.new
    token.cancel
    checkKind "a token may be set before the call"
      (← client.callE "oracle" .null { cancel := some token }) "cancelled"
    let m ← client.metrics
    check "what fails is counted" (m.failed == m.requests && 0 < m.failed && m.inFlight == 0
      && m.answered == 0 && m.latency.isEmpty && m.percentile 50 == none) (reprStr m)
    client.close
    client.close
    checkKind "a closed client" (← client.callE "oracle") "closed"
    checkKind "a closed client, raw" (← client.callRawE "\"HEARTBEAT\"") "closed"
    checkEq "a closed client, a batch"
      ((← client.callBatchE #[("a", .null), ("b", .null)]).toList.map kind) ["closed", "closed"]
    checkEq "its metrics can still be read" (← client.metrics).answered 0
  let thrown ← try
      withClient { endpoint := nobody } fun _ => throw (IO.userError "from the body")
    catch e => pure (toString e)
  checkEq "withClient throws what its body throws" thrown "from the body"
  let thrown ← try
      withClient { endpoint := nobody } fun client => do
        discard <| client.call "x" .null fast
        return ""
    catch e => pure (toString e)
  check "call throws the rendered error" (thrown.startsWith "transport: unreachable: ") thrown
  -- clients that are not closed are closed when nothing refers to them
  let clients (n : Nat) : IO Unit := do
    for _ in [0:n] do
      let client ← Client.connect { endpoint := nobody }
      discard <| client.metrics
  clients 5
  let before ← openFiles
  clients 100
  let after ← openFiles
  check "forgotten clients leave no files open" (after ≤ before + 5) s!"{before}, then {after}"
where
  withClient' (endpoint : String) (body : Client → TestM Unit) : TestM Unit := do
    let client ← Client.connect { endpoint }
    try body client finally client.close

/-- Payloads in other formats, and numbers. -/
def formatTests : TestM Unit := do
  let same (name : String) (j : Json) (contentType : String) : TestM Unit := do
    match ← (Payload.ofJson j).convertE contentType with
    | .error e => check name false (toString e)
    | .ok p =>
      check s!"{name} is in {contentType}" (p.contentType == contentType)
      match ← p.toJsonE with
      | .ok back => checkEq s!"{name} survives {contentType}" back.compress j.compress
      | .error e => check s!"{name} survives {contentType}" false (toString e)
  let big : Json := ((2 ^ 70 : Nat) : Json)
  for (name, j) in [("null", Json.null), ("the text NaN", Json.str "NaN"),
      ("-1", ((-1 : Int) : Json)), ("a list", matrixJson [[1, 2], []]),
      ("an object", Json.mkObj [("é", Json.bool true)])] do
    for contentType in ["application/json", "application/msgpack", "application/x-protobuf"] do
      same name j contentType
  same "2^70" big "application/x-protobuf"
  checkKind "2^70 does not fit MessagePack"
    (← (Payload.ofJson big).convertE "application/msgpack") "request bad_request"
  let nan : Payload := ⟨"application/msgpack", ⟨#[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]⟩⟩
  checkKind "JSON has no NaN" (← nan.toJsonE) "decode"
  for (name, contentType, bytes) in [("MessagePack that is none", "application/msgpack", [0x92, 1]),
      ("JSON that is none", "application/json", [0x7b]),
      ("text that is not UTF-8", "application/json", [0x22, 0xff, 0x22])] do
    let payload : Payload := ⟨contentType, ⟨(bytes : List UInt8).toArray⟩⟩
    checkKind name (← payload.toJsonE) "decode"
  let fit (n : Nat) : IO String := do
    match ← (Payload.ofJson (matrixJson (List.replicate n [1, 2]))).fitE 100 1000 with
    | .ok p => return p.contentType
    | .error e => return toString e
  checkEq "the size decides" [← fit 1, ← fit 50, ← fit 500]
    ["application/json", "application/msgpack", "application/x-protobuf"]
  let ints : Array Int := #[0, 1, -1, 255, -256, 2 ^ 63 - 1, -(2 ^ 63)]
  checkEq "integers are read back" ((NumArray.ofInts? ints).bind (·.ints?)) (some ints)
  check "larger ones are refused"
    ((NumArray.ofInts? #[2 ^ 63]).isNone && (NumArray.ofInts? #[-(2 ^ 63) - 1]).isNone)
  -- 1.5, the least and the largest float, -0, -∞, NaN
  let floats : NumArray := {
    shape := #[6]
    numbers := .f32 ⟨#[0, 0, 192, 63, 1, 0, 0, 0, 255, 255, 127, 127, 0, 0, 0, 128, 0, 0, 128, 255,
      0, 0, 192, 127]⟩ }
  match floats.floats?.map (·.toList) with
  | some [a, b, c, d, e, f] =>
    check "floats are doubles" (a == 1.5 && b == (1.0 : Float).scaleB (-149)
      && c == (2 ^ 24 - 1 : Float).scaleB 104 && 1 / d < 0 && d == 0 && e == -1 / 0 && f.isNaN)
      s!"{[a, b, c, d, e, f]}"
  | _ => check "floats are doubles" false
  check "numbers are counted" (floats.size == 6 && (floats.reshape? #[2, 3]).isSome
    && (floats.reshape? #[4]).isNone && floats.ints?.isNone)

/-- What is read from a client's metrics. -/
def metricsTests : TestM Unit := do
  let counters := ["requests_total", "answered_total", "failed_total", "retries_total",
    "timeouts_total", "late_replies_total", "garbage_total", "connections_total",
    "sent_bytes_total", "received_bytes_total", "in_flight"]
  let counts (n : Nat) : List (String × Json) := (counters.zip (List.range 11)).map fun (name, i) =>
    (name, ((n + i : Nat) : Json))
  let buckets := Json.mkObj [("1", (50 : Nat)), ("8", (49 : Nat)), ("inf", (1 : Nat))]
  match Metrics.ofJson (Json.mkObj (("latency_seconds_buckets_micros", buckets) :: counts 7)) with
  | .ok m =>
    checkEq "metrics are read" m
      ⟨7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, [(some 1, 50), (some 8, 49), (none, 1)]⟩
    checkEq "percentiles" ([1, 50, 51, 99, 100].map m.percentile)
      [some 1, some 1, some 8, some 8, none]
  | .error e => check "metrics are read" false e
  let few := ("latency_seconds_buckets_micros", buckets) :: (counts 7).drop 1
  check "a counter that is missing is an error" <|
    match Metrics.ofJson (Json.mkObj few) with
    | .ok _ => false
    | .error _ => true

/-! ### With the oracle -/

def oracleTests : TestM Unit := withPeers do
  let (broker, clients, workers) ← startBroker
  let oracle ← startOracle workers
  untilWorkers clients 1
  let client ← Client.connect { endpoint := clients, timeoutMs := 10000 }
  check "the oracle answers" (isRoot 7 (← client.callE "oracle" (sqrtOf 49)))
  let refused ← client.callE "oracle" (Json.mkObj [("func", "log"), ("lo", "-1"), ("hi", "1")])
  checkKind "its refusals are typed" refused "server domain"
  match refused with
  | .error (.server _ message _) =>
    check "and come with its words" (message.startsWith "log over [-1, 1]") message
  | _ => pure ()
  let range := Arb.Question.range "x * exp(-x)" [("x", "0", "5")] { digits := 10 }
  checkEq "a typed question is answered as without a broker"
    (← client.askE range).toOption (some (← range.ask))
  checkKind "and refused"
    (← client.askE (Arb.Question.range "1/x" [("x", "-1", "1")])) "server pole"
  -- pipelined, in the order of the questions, refusals in their places
  let questions := (List.range 500).toArray.map fun i =>
    ("oracle", if i % 10 == 3 then Json.null else sqrtOf (i * i))
  let answers ← client.callBatchE questions
  let wrong := (List.range 500).filter fun i =>
    match answers.toList.drop i with
    | r :: _ => if i % 10 == 3 then kind r != "server bad_request" else !isRoot i r
    | [] => true
  check "500 at once" (answers.size == 500 && wrong.isEmpty) s!"{wrong.take 5}"
  -- several tasks, one client
  let tasks ← (List.range 8).mapM fun t => IO.asTask (prio := .dedicated) do
    let mut right := 0
    for i in [0:100] do
      let n := t * 100 + i
      if isRoot n (← client.callE "oracle" (sqrtOf (n ^ 2))) then right := right + 1
    return right
  let counts ← tasks.mapM fun t => do
    match ← IO.wait t with
    | .ok n => pure n
    | .error _ => pure 0
  checkEq "8 tasks get their own answers" counts (List.replicate 8 100)
  let m ← client.metrics
  check "metrics" (m.requests == 1304 && m.answered == 1252 && m.failed == 52 && m.inFlight == 0
    && (m.latency.foldl (fun n b => n + b.2) 0) == 1252 && (m.percentile 50).isSome
    && 0 < m.sentBytes && 0 < m.receivedBytes) (reprStr m)
  -- nobody has this operation: it waits at the broker
  let (r, ms) ← timed (client.callE "nothing" .null { timeoutMs := some 150, retries := some 1 })
  checkKind "a timeout" r "timeout"
  check "after both attempts" (300 ≤ ms && ms < 20000) s!"{ms} ms"
  let (r, ms) ← timed (client.callE "nothing" .null { deadlineMs := some 200 })
  checkKind "a deadline" r "timeout"
  check "before the attempt is over" (150 ≤ ms && ms < 9000) s!"{ms} ms"
  -- cancelled from another task, one of two
  let ask (client : Client) (op : String) (payload : Json) : IO (Job Json) :=
    spawn fun cancel => client.callE op payload { cancel, deadlineMs := some 60000 }
  let stays ← ask client "nothing" .null
  let job ← ask client "nothing" .null
  IO.sleep 100
  job.cancel
  checkKind "cancelled" (← job.waitE) "cancelled"
  check "the other one goes on" (!(← IO.hasFinished stays.task))
  -- the oracle itself stops
  let endless := Json.mkObj [("kind", "constant"), ("name", "khinchin"), ("digits", (10000 : Nat))]
  let job ← ask client "oracle" endless
  IO.sleep 200
  job.cancel
  checkKind "a long question is cancelled" (← job.waitE) "cancelled"
  check "and its worker answers the next" (isRoot 3 (← client.callE "oracle" (sqrtOf 9)))
  -- closed while a call of another task is under way
  client.close
  checkKind "closed under way" (← stays.waitE) "closed"
  -- the worker is killed with a request in its hands, another comes
  let client ← Client.connect { endpoint := clients, timeoutMs := 10000 }
  oracle.signal "STOP"
  let job ← ask client "oracle" (sqrtOf 144)
  IO.sleep 150
  kill oracle
  discard <| startOracle workers
  check "a killed worker" (isRoot 12 (← job.waitE))
  -- the broker is killed and comes back at the same place
  kill broker
  checkKind "the broker is gone"
    (← client.callE "oracle" (sqrtOf 4) { timeoutMs := some 200, retries := some 0 }) "unreachable"
  let job ← ask client "oracle" (sqrtOf 225)
  discard <| start program.toString
    #["broker", "--frontend", clients, "--backend", workers, "--heartbeat-ms", "2000"]
  check "a broker that comes back" (isRoot 15 (← job.waitE))
  client.close

def curveTests : TestM Unit := withPeers do
  let dir : System.FilePath := s!"/tmp/lean-oracle-keys-{← IO.monoMsNow}-{← IO.rand 0 (2 ^ 32)}"
  IO.FS.createDirAll (dir / "allowed")
  try
    for name in ["broker", "allowed/alice", "mallory"] do
      let args := #["keygen", (dir / name).toString]
      discard <| IO.Process.run { cmd := program.toString, args }
    let file (name : String) := (dir / name).toString
    let (_, clients, workers) ← startBroker
      #["--key", file "broker.key_secret", "--allow", file "allowed",
        "--allow-workers", file "allowed"]
    let config : ClientConfig := { endpoint := clients, timeoutMs := 5000, retries := 0 }
    let serverKey := some (file "broker.key")
    let ask (config : ClientConfig) : TestM (Except Error Json) := do
      let client ← Client.connect config
      try client.healthE finally client.close
    let alice := { config with serverKey, key := some (file "allowed/alice.key_secret") }
    checkKind "who is on the list is let in" (← ask alice) "ok"
    let key ← IO.FS.readFile (file "broker.key")
    let text := ((key.splitOn "\"").drop 1).head?
    checkKind "a key may be given as text" (← ask { alice with serverKey := text }) "ok"
    checkKind "who is not, is not"
      (← ask { config with serverKey, key := some (file "mallory.key_secret") })
      "request unauthorized"
    checkKind "nor who has no key" (← ask { config with serverKey }) "request unauthorized"
    let other ← ask { alice with serverKey := some (file "mallory.key"), timeoutMs := 1000 }
    check "a server that is not the expected one is not talked to" (kind other != "ok") (kind other)
    let plain ← ask { config with timeoutMs := 1000 }
    check "nor is one who does not seal let in" (kind plain != "ok") (kind plain)
    let worker ← startOracle workers
      #["--key", file "allowed/alice.key_secret", "--server-key", file "broker.key"]
    untilHealthy alice
    let client ← Client.connect alice
    check "the oracle answers, sealed" (isRoot 5 (← client.callE "oracle" (sqrtOf 25)))
    client.close
    kill worker
  finally
    IO.FS.removeDirAll dir
where
  untilHealthy (config : ClientConfig) : TestM Unit := do
    let client ← Client.connect config
    try
      until' "a worker" do
        match ← client.healthE with
        | .ok j => return (j.getObjVal? "workers" >>= Json.getNat?).toOption == some 1
        | .error _ => return false
    finally client.close

/-! ### With NumPy -/

/-- `n` bytes of JSON: a text. -/
def textOf (n : Nat) : ByteArray :=
  let rec grow (a : ByteArray) : Nat → ByteArray
    | 0 => a
    | fuel + 1 => if a.size ≥ n then a.extract 0 (n - 2) else grow (a ++ a) fuel
  "\"".toUTF8 ++ grow "ab".toUTF8 64 ++ "\"".toUTF8

def numericTests (python : String) : TestM Unit := withPeers do
  let (_, clients, workers) ← startBroker
  let numeric ← startNumeric python workers
  untilWorkers clients 1
  let client ← Client.connect { endpoint := clients, timeoutMs := 30000 }
  let sum ← client.callE "matrix_sum" (matrixSum [[1, 2], [3, 4]])
  checkEq "a sum" (sum.toOption.map (·.compress)) (some "10")
  checkKind "what does not fit the schema is refused"
    (← client.callE "matrix_sum" (Json.mkObj [("matrix", Json.str "x")])) "server bad_request"
  -- arrays
  let n := 1000000
  let x : FloatArray := (List.range n).foldl (fun a i => a.push (Float.ofNat i / 7 - 1e4)) .empty
  match ← client.callArrayE "echo" x with
  | .error e => check "a million doubles" false (toString e)
  | .ok y =>
    let back := y.floats?.getD .empty
    let wrong := (List.range n).filter fun i => back.get! i != x.get! i
    check "a million doubles" (y.shape == #[n] && back.size == n && wrong.isEmpty)
      s!"{wrong.take 3}"
  let least := (1.0 : Float).scaleB (-1074)
  let special : FloatArray := ⟨#[0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0, -0.0, least]⟩
  match (← client.callArray "echo" special).floats?.map (·.toList) with
  | some [a, b, c, d, e] =>
    check "NaN, ±∞, -0 and the least double" (a.isNaN && b == 1 / 0 && c == -1 / 0 && d == 0
      && 1 / d < 0 && e == least) s!"{[a, b, c, d, e]}"
  | _ => check "NaN, ±∞, -0 and the least double" false
  let ints : Array Int := #[2 ^ 63 - 1, -(2 ^ 63), -1, 0]
  if let some array := NumArray.ofInts? ints >>= (·.reshape? #[2, 2]) then
    let back ← client.callArray "echo" array
    checkEq "integers" (back.shape, back.ints?) (#[2, 2], some ints)
  let floats : NumArray := { shape := #[1, 2], numbers := .f32 ⟨#[0, 0, 192, 63, 0, 0, 0, 192]⟩ }
  let back ← client.callArray "echo" floats
  checkEq "floats" (back.shape, back.floats?.map (·.toList)) (#[1, 2], some [1.5, -2])
  let nothing : NumArray := { shape := #[0, 3], numbers := .f64 .empty }
  let one : NumArray := { shape := #[], numbers := .f64 ⟨#[4]⟩ }
  checkEq "no numbers, and one without dimensions"
    ((← client.callArrays "echo" #[nothing, one]).toList.map fun a => (a.shape, a.size))
    [(#[0, 3], 0), (#[], 1)]
  -- [[1, 2], [3, 4]] · [[5, 6], [7, 8]]
  let square (l : List Float) : NumArray := { shape := #[2, 2], numbers := .f64 ⟨l.toArray⟩ }
  let product ← client.callArrays "matmul" #[square [1, 2, 3, 4], square [5, 6, 7, 8]]
  checkEq "a product of matrices" (product.toList.map fun a => (a.shape, a.floats?.map (·.toList)))
    [(#[2, 2], some [19, 22, 43, 50])]
  checkKind "a product that is none" (← client.callArraysE "matmul" #[square [1, 2, 3, 4]])
    "server bad_request"
  checkKind "no array came back" (← client.callArrayE "sum" x) "decode"
  -- replies of every size arrive whole
  for (name, size) in [("a reply of 4095 bytes", 4095), ("of 4096 bytes", 4096),
      ("of 4097 bytes", 4097), ("of 64 MiB", 64 * 2 ^ 20)] do
    let payload : Payload := ⟨"application/json", textOf size⟩
    match ← client.requestE { op := "echo", payload } with
    | .ok r =>
      check name (r.payload.bytes.size == size && hash r.payload.bytes == hash payload.bytes
        && r.payload.contentType == "application/json") s!"{r.payload.bytes.size} bytes"
    | .error e => check name false (toString e)
  -- nothing of requests, answers and refusals is kept; each round moves about a megabyte
  let small : NumArray := .ofFloats ((List.range 20000).foldl (fun a i => a.push (.ofNat i)) .empty)
  let text : Payload := ⟨"application/json", textOf 100000⟩
  let rounds (n : Nat) : IO Unit := do
    for _ in [0:n] do
      discard <| client.requestBatchE #[{ op := "echo", arrays := #[small, small] },
        { op := "echo", payload := text }, { op := "matmul", arrays := #[small] },
        { op := "echo", arrays := #[{ small with shape := #[3] }] }]
  rounds 50
  let before ← residentPages
  rounds 200
  match before, ← residentPages with
  | some a, some b => check "calls do not leak" (b < a + 5000) s!"{a} pages, then {b}"
  | _, _ => IO.println "skip  calls do not leak (no /proc)"
  match ← (Payload.ofJson (matrixSum (List.replicate 3000 [1, 2, 3]))).fitE with
  | .ok payload =>
    let reply ← client.requestE { op := "matrix_sum", payload }
    let sum ← match reply with
      | .ok r => r.payload.toJsonE
      | .error e => pure (.error e)
    checkEq "a payload in MessagePack" (payload.contentType, sum.toOption.map (·.compress))
      ("application/msgpack", some "18000")
  | .error e => check "a payload in MessagePack" false (toString e)
  -- the worker is killed with a request in its hands
  numeric.signal "STOP"
  let job ← spawn fun token => client.callE "matrix_sum" (matrixSum [[1, 2], [3, 4]])
    { cancel := token, timeoutMs := some 2000, retries := some 20, deadlineMs := some 60000 }
  IO.sleep 150
  kill numeric
  discard <| startNumeric python workers
  checkEq "a killed worker" ((← job.waitE).toOption.map (·.compress)) (some "10")
  client.close

/-! ### As lean-python-bridge -/

section
open PythonIntegration

example : String → Int → Nat → Bool → Int → String → BridgeConfig := BridgeConfig.mk
example : Int → Int → Int → HeartbeatConfig := HeartbeatConfig.mk
example : String → String → BridgeError := .ConnectionFailed
example : String → Int → BridgeError := .Timeout
example : String → BridgeError := .SerializationError
example : String → String → BridgeError := .ServerError
example : String → BridgeError := .NetworkError
example : BridgeConfig → String → IO (BridgeResult String) := lazyPirateRequest
example : BridgeConfig → String → HeartbeatConfig → IO (BridgeResult String) :=
  @paranoidPirateRequest
example : MathDefs.Matrix → String → String → BridgeConfig → IO (BridgeResult Float) :=
  @callPythonMatrixSum
example : BridgeConfig → IO (BridgeResult String) := @checkServerHealth
example : List MathDefs.Matrix → String → String → BridgeConfig → IO (List (BridgeResult Float)) :=
  @callPythonMatrixBatch
example : IO Unit := testEnhancedBridge
example : defaultConfig = ⟨"tcp://127.0.0.1:5555", 5000, 3, true, 1000, "req"⟩ := rfl

def bridgeErrorKind : BridgeResult α → String
  | .ok _ => "ok"
  | .error (.ConnectionFailed ..) => "ConnectionFailed"
  | .error (.Timeout operation ms) => s!"Timeout {operation} {ms}"
  | .error (.SerializationError _) => "SerializationError"
  | .error (.ServerError status _) => s!"ServerError {status}"
  | .error (.NetworkError _) => "NetworkError"

/-- The requests of the reference, answered by the workers of a broker. -/
def bridgeAsks (what endpoint : String) : TestM Unit := do
  let config : BridgeConfig := { endpoint, timeoutMs := 20000 }
  let sum (m : MathDefs.Matrix) := callPythonMatrixSum m "TestModel" "1.0" config
  let exact (m : MathDefs.Matrix) := callPythonMatrixSumExact m "Test\"Model\\" "1.0é" config
  checkEq s!"{what}: a sum" (← sum ⟨[[1, 2], [3, 4]]⟩).toOption (some 10)
  checkEq s!"{what}: of negative numbers" (← sum ⟨[[-1, -2], [-30, 4]]⟩).toOption (some (-29))
  for m in [(⟨[[1, 2], [3, 4]]⟩ : MathDefs.Matrix), ⟨[]⟩, ⟨[[2 ^ 60, 1], [-(2 ^ 60), 2 ^ 53 + 1]]⟩,
      ⟨(List.range 50).map fun i => (List.range 200).map fun j => Int.ofNat i - 3 * Int.ofNat j⟩] do
    let r ← exact m
    let sum := MathDefs.matrixSum m
    check s!"{what}: exactly {sum}" (r.toOption == some sum) (reprStr r)
  checkEq s!"{what}: healthy" (← checkServerHealth config).toOption (some "healthy")
  let batch : List MathDefs.Matrix := [⟨[[1]]⟩, ⟨[[1], [2, 3]]⟩, ⟨[[5, 6], [7, 8]]⟩]
  checkEq s!"{what}: a batch"
    ((← callPythonMatrixBatch batch "m" "1" config).map fun r =>
      match r with
      | .ok x => toString x
      | .error _ => bridgeErrorKind r) ["1.000000", "ServerError error", "26.000000"]
  let request := "{\"schema_version\":2,\"matrix\":[[1,2]],\
    \"model\":{\"name\":\"m\",\"version\":\"1\",\"author\":\"a\"}}"
  let sumIn (r : BridgeResult String) : Option String := do
    let j ← (Json.parse (← r.toOption)).toOption
    let sum ← (j.getObjVal? "matrix_sum_exact").toOption
    return sum.compress
  checkEq s!"{what}: version 2" (sumIn (← lazyPirateRequest config request)) (some "\"3\"")
  checkEq s!"{what}: in an envelope" (sumIn (← paranoidPirateRequest config request)) (some "\"3\"")
  let r ← lazyPirateRequest config (request.replace "\"schema_version\":2" "\"schema_version\":3")
  check s!"{what}: version 3" (match r with
    | .error (.ServerError _ message) => message == "Unsupported schema version: 3"
    | _ => false) (reprStr r)
  let broken ← lazyPirateRequest config "{"
  checkEq s!"{what}: what is not JSON" (bridgeErrorKind broken) "ServerError error"
  let broken ← paranoidPirateRequest config "{"
  checkEq s!"{what}: in an envelope too" (bridgeErrorKind broken) "SerializationError"

def bridgeTests (python : Option String) : TestM Unit := withPeers do
  let endpoint := "ipc:///tmp/lean-oracle-no-bridge"
  let nobody : BridgeConfig := { endpoint, timeoutMs := 100, maxRetries := 1 }
  checkEq "the bridge: nobody" (bridgeErrorKind (← checkServerHealth nobody)) "ConnectionFailed"
  checkEq "the bridge: not an endpoint"
    (bridgeErrorKind (← checkServerHealth { nobody with endpoint := "x" })) "ConnectionFailed"
  checkEq "the bridge: no attempts"
    (bridgeErrorKind (← checkServerHealth { nobody with maxRetries := 0 })) "Timeout request 100"
  let responses :=
    ["{\"status\": \"success\"}", "{\"status\":\"error\",\"message\":\"m\"}", "1", "{"]
  checkEq "the bridge: responses" (responses.map parseServerResponse)
    [some ⟨"success", "OK"⟩, some ⟨"error", "m"⟩, none, none]
  let (_, clients, workers) ← startBroker
  -- there is a broker, but no worker
  let config : BridgeConfig := { endpoint := clients, timeoutMs := 150, maxRetries := 2 }
  let unanswered ← callPythonMatrixSum ⟨[[1]]⟩ "m" "1" config
  checkEq "the bridge: nobody answers" (bridgeErrorKind unanswered) "Timeout request 150"
  let oracle ← startOracle workers
  untilWorkers clients 1
  bridgeAsks "the bridge" clients
  if let some python := python then
    kill oracle
    discard <| startNumeric python workers
    until' "a worker in Python" do
      let health ← checkServerHealth { endpoint := clients, timeoutMs := 1000, maxRetries := 1 }
      return health.toOption.isSome
    bridgeAsks "the bridge in Python" clients

end

/-- All of it. -/
def transportTests : TestM Unit := do
  aloneTests
  formatTests
  metricsTests
  if ← program.pathExists then
    group "the oracle as a worker" oracleTests
    group "CURVE" curveTests
    let python ← findPython
    match python with
    | some python => group "a worker in Python" (numericTests python)
    | none =>
      skip "a worker in Python"
        "no Python has what python/pyproject.toml asks for; run scripts/test"
    group "the bridge" (bridgeTests python)
  else skip "brokers and workers" s!"there is no {program}; run cargo build --release"

end Tests.Transport
