/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Arb

/-!
# Several Lean files as one

`merge` combines files into one that compiles, with every declaration once, the best version of
each; `docs/merge.md` has the rules. The native side runs the compiler: that of a Lake project, that
of the environment variable `LEAN_ORACLE_LEAN`, or `lean`.
-/

namespace LeanOracle.Merge

open Lean (Json)
open LeanOracle.Arb (Error requestE jsonToString)

/-- What becomes of `namespace`, `section`, `open`, `variable` and the like. -/
inductive Scopes where
  /-- They keep their meaning. -/
  | preserve
  /-- Every command that is no declaration goes to the top. -/
  | hoist
  deriving Repr, Inhabited, DecidableEq

/-- The name in requests. -/
protected def Scopes.toString : Scopes → String
  | .preserve => "preserve"
  | .hoist => "hoist"

/-- How files are merged. -/
structure Options where
  /-- Compare types of theorems after reduction, not only as written. -/
  useDefEq : Bool := true
  /-- Keep the versions that were not chosen as comments. -/
  includeAltsAsComments : Bool := false
  /-- Replace the imports of the files by `imports`. -/
  ignoreImports : Bool := false
  /-- For `ignoreImports`: the imports, one a line. -/
  imports : String := ""
  /-- What becomes of scopes. -/
  scopes : Scopes := .preserve
  /-- The directory of a Lake project whose compiler and modules are used. -/
  project : Option String := none
  /-- Options of Lean for the files, with their values: `("maxHeartbeats", "400000")`. -/
  globalOptions : List (String × String) := []
  /-- When to give up. -/
  timeoutSeconds : Nat := 120

/-- Messages by severity. -/
structure Messages where
  /-- What is wrong. -/
  errors : List String
  /-- What may be wrong. -/
  warnings : List String
  /-- What else there is to say. -/
  infos : List String
  deriving Repr, Inhabited

/-- Merged files. -/
structure Merged where
  /-- The text of the merged file. -/
  content : String
  /-- What the compiler says of it. -/
  leanMessages : Messages
  /-- What was renamed, and what could not be kept. -/
  toolMessages : Messages
  deriving Repr, Inhabited

/-- Reads messages. -/
def parseMessages (j : Json) : Except String Messages := do
  let list (key : String) : Except String (List String) := do
    (← (← j.getObjVal? key).getArr?).toList.mapM jsonToString
  return { errors := ← list "errors", warnings := ← list "warnings", infos := ← list "infos" }

/-- Reads an answer. -/
def parseMerged (j : Json) : Except String Merged := do
  return {
    content := ← jsonToString (← j.getObjVal? "content")
    leanMessages := ← parseMessages (← j.getObjVal? "lean_messages")
    toolMessages := ← parseMessages (← j.getObjVal? "tool_messages") }

/-- The request as JSON. -/
def request (documents : List String) (o : Options) : Json :=
  let project : List (String × Json) :=
    match o.project with
    | some dir => [("project", Json.str dir)]
    | none => []
  Json.mkObj <|
    [("kind", Json.str "merge"), ("documents", Json.arr (documents.map Json.str).toArray),
      ("use_def_eq", Json.bool o.useDefEq),
      ("include_alts_as_comments", Json.bool o.includeAltsAsComments),
      ("ignore_imports", Json.bool o.ignoreImports), ("imports", Json.str o.imports),
      ("scopes", Json.str o.scopes.toString),
      ("global_options", Json.mkObj (o.globalOptions.map fun (name, value) => (name, Json.str value))),
      ("timeout_seconds", (o.timeoutSeconds : Json))] ++ project

/-- Merges the texts of files; a refusal is returned as an `Error`. -/
def mergeE (documents : List String) (options : Options := {}) : IO (Except Error Merged) := do
  match ← requestE (request documents options) with
  | .error e => return .error e
  | .ok j =>
    match parseMerged j with
    | .ok m => return .ok m
    | .error e => return .error (.malformed e)

/-- Merges the texts of files. Throws `IO.userError` with the rendered `Error` on a refusal. -/
def merge (documents : List String) (options : Options := {}) : IO Merged := do
  match ← mergeE documents options with
  | .ok m => return m
  | .error e => throw e.toIO

end LeanOracle.Merge
