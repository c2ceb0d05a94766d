/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/

/-!
# Raw bindings to the native library

Everything here is **untrusted**: the functions call `opaque` ones, run in `IO`, and no theorem may
mention them. What they return is plain data, to be checked like data from any other source. Use
`LeanOracle.Arb` rather than this module.

The C side is `lean/ffi/shim.c`; the native library is the Rust `cdylib` of this package, whose C
ABI is `include/lean_oracle.h`. Every function but `abiVersion` first compares the version of that
ABI with the version the shim was compiled for, and throws when they differ.

This module imports nothing and has no siblings, so that Lake can precompile it by itself.
-/

namespace LeanOracle.FFI

/-- A refusal by the native library: a stable `code`, a `message` for people, and the name of the
offending `field` of the request (`""` when there is none). -/
structure Failure where
  /-- One of the codes of `LeanOracle.Arb.ErrorCode`, spelled as in C and JSON. -/
  code : String
  /-- What was asked, what is wrong with it, and what to do. -/
  message : String
  /-- The field of the request at fault, or `""`. -/
  field : String

/-- An enclosure found by the native library: each triple `mid rad exp` stands for the interval from
`(mid - rad) * 10 ^ exp` to `(mid + rad) * 10 ^ exp`. -/
structure Answer where
  /-- Midpoint of the input interval. -/
  inputMid : Int
  /-- Radius of the input interval. -/
  inputRad : Int
  /-- Exponent of the input interval. -/
  inputExp : Int
  /-- Midpoint of the enclosure. -/
  mid : Int
  /-- Radius of the enclosure. -/
  rad : Int
  /-- Exponent of the enclosure. -/
  exp : Int
  /-- Lower end of the enclosure in decimal notation. -/
  lo : String
  /-- Upper end of the enclosure in decimal notation. -/
  hi : String
  /-- Working precision, in bits, that the answer took. -/
  bitsUsed : Nat
  /-- Whether each end is claimed to be within one unit of its last requested digit. -/
  tight : Bool

/-- `abiVersion`. Every function below calls this first. When the native library is not loaded, Lean
stops there and prints this name, and can print nothing else. -/
@[extern "lean_oracle_ffi_abi_version"]
opaque theNativeLibraryIsNotLoaded_seeDocsBuilding : BaseIO UInt32

/-- Version of the C ABI of the loaded native library. -/
def abiVersion : BaseIO UInt32 := theNativeLibraryIsNotLoaded_seeDocsBuilding

/-- `callJson`, without the check. -/
@[extern "lean_oracle_ffi_call_json"]
opaque Native.callJson (request : @& String) : IO String

/-- Sends one JSON request and returns the JSON answer, which on a refusal is an object with
`"status": "error"`. Throws only when the native library cannot be used. -/
def callJson (request : String) : IO String := do
  discard abiVersion
  Native.callJson request

private opaque CancelPointed : NonemptyType

/-- A flag that stops calls which watch it. It is freed when nothing refers to it any more. -/
def Cancel : Type := CancelPointed.type

instance : Nonempty Cancel := CancelPointed.property

/-- `cancelNew`, without the check. -/
@[extern "lean_oracle_ffi_cancel_new"]
opaque Native.cancelNew : IO Cancel

/-- A new flag, not set. Throws when the native library cannot be used. -/
def cancelNew : IO Cancel := do
  discard abiVersion
  Native.cancelNew

/-- Sets a flag, for good. Any thread may do so. -/
@[extern "lean_oracle_ffi_cancel_set"]
opaque cancelSet (flag : @& Cancel) : IO Unit

/-- As `callJson`; ends soon after `flag` is set, with the code `cancelled`. -/
@[extern "lean_oracle_ffi_call_json_cancellable"]
opaque callJsonCancellable (request : @& String) (flag : @& Cancel) : IO String

/-- What the cache of answers holds, and how it was used since it was last resized. -/
structure CacheStats where
  /-- Requests that were answered from the cache. -/
  hits : Nat
  /-- Requests that were not. -/
  misses : Nat
  /-- The number of answers that are kept. -/
  entries : Nat
  /-- The bytes that they take, with their requests. -/
  bytes : Nat
  /-- The most bytes that they may take; `0` when the cache is off. -/
  capacity : Nat

/-- `cacheResize`, without the check. -/
@[extern "lean_oracle_ffi_cache_resize"]
opaque Native.cacheResize (bytes : UInt64) : IO Unit

/-- Empties the cache of the process and lets it take so many bytes; `0` turns it off. -/
def cacheResize (bytes : UInt64) : IO Unit := do
  discard abiVersion
  Native.cacheResize bytes

/-- `cacheStats`, without the check. -/
@[extern "lean_oracle_ffi_cache_stats"]
opaque Native.cacheStats : IO CacheStats

/-- What the cache holds, and how it was used. -/
def cacheStats : IO CacheStats := do
  discard abiVersion
  Native.cacheStats

/-- `unary`, without the check. -/
@[extern "lean_oracle_ffi_unary"]
opaque Native.unary (function lo hi : @& String) (digits precBits maxBits expLimit : UInt32) :
    IO (Except Failure Answer)

/-- Encloses the range of the unary function `function` over the interval from `lo` to `hi`, to
`digits` significant digits at each end, starting at `precBits` bits. `maxBits` limits the working
precision and `expLimit` the size of the decimal exponent; `0` stands for the library's default.
Throws only when the native library cannot be used. -/
def unary (function lo hi : String) (digits precBits maxBits expLimit : UInt32) :
    IO (Except Failure Answer) := do
  discard abiVersion
  Native.unary function lo hi digits precBits maxBits expLimit

/-! ### The transport -/

private opaque ClientPointed : NonemptyType

/-- A client of a server. It is closed and freed when nothing refers to it any more. -/
def Client : Type := ClientPointed.type

instance : Nonempty Client := ClientPointed.property

/-- Numbers in memory, little-endian. -/
inductive Numbers where
  /-- Doubles. -/
  | f64 (data : FloatArray)
  /-- Floats, four bytes each. -/
  | f32 (data : ByteArray)
  /-- Signed integers, eight bytes each. -/
  | i64 (data : ByteArray)

/-- Numbers in a box, in row-major order. -/
structure NumArray where
  /-- How many there are along each dimension; below `2 ^ 63`. -/
  shape : Array Nat
  /-- The numbers. -/
  numbers : Numbers

/-- A request. -/
structure Request where
  /-- What is asked for. -/
  op : String
  /-- How the payload is written. -/
  contentType : String
  /-- The payload. -/
  payload : ByteArray
  /-- Arrays beside it. -/
  arrays : Array NumArray

/-- An answer. -/
structure Reply where
  /-- How the payload is written. -/
  contentType : String
  /-- The payload. -/
  payload : ByteArray
  /-- Arrays beside it. -/
  arrays : Array NumArray

/-- Why there is no answer. -/
structure CallFailure where
  /-- The number of `LEAN_ORACLE_REPLY_…`. -/
  kind : Nat
  /-- A code, perhaps one of the server's own. -/
  code : String
  /-- What is wrong. -/
  message : String
  /-- The field of the request at fault, or `""`. -/
  field : String

/-- `clientNew`, without the check. -/
@[extern "lean_oracle_ffi_client_new"]
opaque Native.clientNew (config : @& String) : IO (Except String Client)

/-- A client from a configuration in JSON, or a refusal in JSON. Throws when the native library
cannot be used. -/
def clientNew (config : String) : IO (Except String Client) := do
  discard abiVersion
  Native.clientNew config

/-- Sends requests, all at once, and waits for what becomes of them. `0` milliseconds and `2 ^ 32 -
1` retries stand for those of the client and no deadline. Flags: 1 for at most once, 2 for the
payload alone in one frame. -/
@[extern "lean_oracle_ffi_client_call"]
opaque clientCall (client : @& Client) (requests : @& Array Request) (timeoutMs deadlineMs : UInt64)
    (retries : UInt32) (flags : UInt8) (cancel : @& Option Cancel) :
    IO (Array (Except CallFailure Reply))

/-- What a client has done, as JSON. -/
@[extern "lean_oracle_ffi_client_metrics"]
opaque clientMetrics (client : @& Client) : IO String

/-- Closes a client: what is under way ends as closed. Any thread may do so, more than once. -/
@[extern "lean_oracle_ffi_client_close"]
opaque clientClose (client : @& Client) : IO Unit

/-- `payloadConvert`, without the check. -/
@[extern "lean_oracle_ffi_payload_convert"]
opaque Native.payloadConvert (payload : @& ByteArray) (source target : @& String)
    (msgpackFrom protobufFrom : UInt64) : IO (Except String (String × ByteArray))

/-- Writes a payload of one content type in another; `""` for the one that fits the size. Returns it
with its content type, or a refusal in JSON. Throws when the native library cannot be used. -/
def payloadConvert (payload : ByteArray) (source target : String)
    (msgpackFrom protobufFrom : UInt64) : IO (Except String (String × ByteArray)) := do
  discard abiVersion
  Native.payloadConvert payload source target msgpackFrom protobufFrom

/-! ### Checking Lean code -/

private opaque PoolPointed : NonemptyType

/-- A pool of processes that check Lean code. It is closed and freed when nothing refers to it any
more. -/
def Pool : Type := PoolPointed.type

instance : Nonempty Pool := PoolPointed.property

private opaque SessionPointed : NonemptyType

/-- A process of a pool for one conversation. It is ended and freed when nothing refers to it any
more. -/
def Session : Type := SessionPointed.type

instance : Nonempty Session := SessionPointed.property

/-- `poolNew`, without the check. -/
@[extern "lean_oracle_ffi_pool_new"]
opaque Native.poolNew (config : @& String) : IO (Except String Pool)

/-- A pool from a configuration in JSON, or a refusal in JSON. Throws when the native library cannot be
used. -/
def poolNew (config : String) : IO (Except String Pool) := do
  discard abiVersion
  Native.poolNew config

/-- Checks snippets; request and answer are JSON. Setting the flag ends it. -/
@[extern "lean_oracle_ffi_pool_check"]
opaque poolCheck (pool : @& Pool) (request : @& String) (cancel : @& Option Cancel) : IO String

/-- What a pool is doing, as JSON. -/
@[extern "lean_oracle_ffi_pool_status"]
opaque poolStatus (pool : @& Pool) : IO String

/-- Closes a pool: what is under way may go on for so long. Any thread may do so, more than once. -/
@[extern "lean_oracle_ffi_pool_close"]
opaque poolClose (pool : @& Pool) (drainMs : UInt64) : IO Unit

/-- Takes a process for a conversation; request and refusal are JSON. -/
@[extern "lean_oracle_ffi_session_new"]
opaque sessionNew (pool : @& Pool) (request : @& String) (cancel : @& Option Cancel) :
    IO (Except String Session)

/-- Sends a request of the REPL; it and the answer are JSON. -/
@[extern "lean_oracle_ffi_session_request"]
opaque sessionRequest (session : @& Session) (request : @& String) (cancel : @& Option Cancel) :
    IO String

/-- Ends a session and its process. Any thread may do so, more than once. -/
@[extern "lean_oracle_ffi_session_close"]
opaque sessionClose (session : @& Session) : IO Unit

end LeanOracle.FFI
