/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Compat.Bridge
import LeanOracle.Transport

/-!
# Asking a worker in another process

`scripts/demo-transport` starts what this file asks: a broker, the oracle and a few functions of
NumPy as its workers. By hand, see `docs/transport.md`. The broker is at `LEAN_ORACLE_ENDPOINT`, or
at `tcp://127.0.0.1:5555`.
-/

open LeanOracle LeanOracle.Transport
open Lean (Json)

/-- Where the broker is. After a second without an answer the client asks again, ten times. -/
def config : IO ClientConfig := do
  let endpoint := (← IO.getEnv "LEAN_ORACLE_ENDPOINT").getD "tcp://127.0.0.1:5555"
  return { endpoint, timeoutMs := 1000, retries := 10 }

/-- The request for the sum of a matrix. -/
def matrix : Json :=
  .mkObj [("matrix", .arr #[.arr #[1, 2], .arr #[3, 4]])]

/-- JSON in, JSON out; many requests at once; arrays. -/
def questions (client : Client) : IO Unit := do
  let sum ← client.call "matrix_sum" matrix
  IO.println s!"the sum of [[1, 2], [3, 4]] is {sum.compress}"

  let sine := Json.mkObj [("func", "sin"), ("lo", "0"), ("hi", "4"), ("digits", (10 : Nat))]
  let answers ← client.callBatch #[("oracle", sine), ("matrix_sum", matrix)]
  for j in answers do
    match j.getObjVal? "output" >>= Arb.parseLoHi with
    | .ok (lo, hi) => IO.println s!"sin on [0, 4] is in [{lo}, {hi}]"
    | .error _ => IO.println s!"and the sum is {j.compress}"

  let identity : NumArray := { shape := #[2, 2], numbers := .f64 ⟨#[1, 0, 0, 1]⟩ }
  let column : NumArray := { shape := #[2, 1], numbers := .f64 ⟨#[0.5, -0.25]⟩ }
  for product in ← client.callArrays "matmul" #[identity, column] do
    IO.println s!"a product of shape {product.shape}: {(product.floats?.getD .empty).toList}"

/-- Errors are values with a type. -/
def refusals (client : Client) : IO Unit := do
  let wrong := Json.mkObj [("func", "log"), ("lo", "-1"), ("hi", "1")]
  match ← client.callE "oracle" wrong with
  | .error (.server code ..) => IO.println s!"the oracle refuses log on [-1, 1]: {code}"
  | _ => throw (IO.userError "log on [-1, 1] has an answer?")
  let job ← spawn fun token => client.callE "nobody_can_do_this" .null { cancel := token }
  job.cancel
  match ← job.waitE with
  | .error .cancelled => IO.println "a request that nobody answers was cancelled"
  | _ => throw (IO.userError "it was answered?")

/-- The three requests of lean-python-bridge. -/
def bridge (endpoint : String) : IO Unit := do
  let config : PythonIntegration.BridgeConfig := { endpoint }
  let show' (what : String) (r : PythonIntegration.BridgeResult String) : IO Unit :=
    match r with
    | .ok s => IO.println s!"lean-python-bridge, {what}: {s}"
    | .error e => throw (IO.userError s!"{what}: {reprStr e}")
  let matrix : MathDefs.Matrix := ⟨[[1, 2], [3, 4]]⟩
  let sum ← PythonIntegration.callPythonMatrixSumExact matrix "TestModel" "1.0" config
  show' "matrix" (sum.map toString)
  let request := "{\"schema_version\":1,\"matrix\":[[1,2],[3,4]],\
    \"model\":{\"name\":\"TestModel\",\"version\":\"1.0\"}}"
  let response ← PythonIntegration.paranoidPirateRequest config request
  show' "envelope" (response.map fun s =>
    ((PythonIntegration.parseServerResponse s).map (·.status)).getD "no status")
  show' "heartbeat" (← PythonIntegration.checkServerHealth config)

#eval do
  let config ← config
  withClient config fun client => do
    match ← client.healthE with
    | .ok _ =>
      questions client
      refusals client
      bridge config.endpoint
    | .error e =>
      IO.println s!"Nobody answers at {config.endpoint}: {e}"
      IO.println "Start a broker and workers (docs/transport.md), or run scripts/demo-transport."
