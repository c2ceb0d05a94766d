/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Repl
import Tests.Harness

/-!
# `LeanOracle.Repl` against real processes

The real Lean (what `Engine.auto` finds) checks real code. What needs a REPL, or one that misbehaves,
is asked of the stand-in of the Rust tests, which `rustc` compiles. What is not there is skipped, and
said so; where `CI` is set that is a failure.
-/

namespace Tests.Repl

open LeanOracle LeanOracle.Repl
open Lean (Json)

/-! ### Tools -/

/-- The kind of a refusal or failure. -/
def kindOfFailure : Failure → String
  | .timeout .. => "timeout"
  | .cpuLimit _ => "cpu"
  | .busy _ => "busy"
  | .crashed .. => "crashed"
  | .outOfMemory .. => "memory"
  | .protocol .. => "protocol"
  | .cancelled => "cancelled"
  | .refused _ => "refused"

/-- The kind of a result. -/
def kind : Except Error α → String
  | .ok _ => "ok"
  | .error (.failure f) => kindOfFailure f
  | .error (.repl _) => "repl"
  | .error (.request e) => s!"request {e.code}"

/-- The kind of an outcome. -/
def outcomeKind (r : Outcome) : String :=
  match r.result with
  | .ok (.response _) => "response"
  | .ok (.refused _) => "repl"
  | .error f => kindOfFailure f

/-- What cannot be run here. -/
def skip (what why : String) : TestM Unit := do
  if (← IO.getEnv "CI").isSome then check what false why
  else IO.println s!"skip  {what}: {why}"

/-- Waits until a condition holds, at most 30 s. -/
def until' (what : String) (condition : IO Bool) : TestM Unit := do
  for _ in [0:1500] do
    if ← condition then
      check what true
      return
    IO.sleep 20
  check what false "it does not come about"

/-- The processes that this one has started and that have not ended, where there is `/proc`; those that
nobody has waited for too. -/
def children : IO Nat := do
  let field (path : System.FilePath) (n : Nat) : IO String := do
    -- the name in parentheses may contain anything
    let stat ← IO.FS.readFile path
    let rest := (stat.splitOn ") ").getLast?.getD ""
    return ((rest.splitOn " ").drop n).head?.getD ""
  let self := (((← IO.FS.readFile "/proc/self/stat").splitOn " ").head?).getD ""
  let mut n := 0
  for entry in ← System.FilePath.readDir "/proc" do
    if entry.fileName.all Char.isDigit then
      let parent ← try field (entry.path / "stat") 1 catch _ => pure ""
      if parent == self then n := n + 1
  return n

/-- Starts a check in a thread of its own. -/
def spawn (act : CancelToken → IO α) : IO (CancelToken × Task (Except IO.Error α)) := do
  let token ← CancelToken.new
  return (token, ← IO.asTask (act token) (prio := .dedicated))

/-! ### Without processes -/

def aloneTests : TestM Unit := do
  let refused (name : String) (config : PoolConfig) : TestM Unit := do
    checkEq name (kind (← Pool.startE config)) "request bad_request"
  let repl := Engine.repl ["sh"]
  refused "a program that is not there" { engine := .repl ["/nonexistent/repl"] }
  refused "no program" { engine := .lean [] }
  refused "a directory that is not there" { engine := repl, dir := "/nonexistent" }
  refused "no processes" { engine := repl, maxProcesses := some 0 }
  refused "more warm processes than processes"
    { engine := repl, maxProcesses := some 1, warm := [("", 2)] }
  refused "a warm header that is none"
    { engine := repl, maxProcesses := some 1, warm := [("#eval 1", 1)] }
  let thrown ← try
      withPool { engine := repl } fun _ => throw (IO.userError "from the body")
    catch e => pure (toString e)
  checkEq "withPool throws what its body throws" thrown "from the body"
  let pool ← Pool.start { engine := repl }
  checkEq "no snippets, no outcomes" (← pool.checkBatch #[]).size 0
  pool.close
  pool.close
  let outcomes ← pool.checkBatch #[{ id := "a", code := "" }, { id := "b", code := "" }]
  checkEq "a closed pool" (outcomes.toList.map fun r => (r.id, outcomeKind r, r.verdict))
    [("a", "cancelled", .serverError), ("b", "cancelled", .serverError)]
  checkEq "a closed pool has no sessions" (kind (← Session.openE pool)) "cancelled"

/-! ### With the real Lean -/

/-- A definition whose evaluation does not end. -/
def endless : String := "partial def loop (n : Nat) : IO Unit := loop (n + 1)\n#eval loop 0"

def leanTests (pool : Pool) : TestM Unit := do
  let verdict (name code : String) (expected : Verdict) (o : CheckOptions := {}) : TestM Outcome := do
    let r ← pool.check code { o with timeoutMs := 120000 }
    check name (r.verdict == expected) s!"{r.verdict}, {r.messages}, {outcomeKind r}"
    return r
  let r ← verdict "a proof" "theorem two : 1 + 1 = 2 := rfl" .valid
  check "it has no messages" (r.messages.isEmpty && r.audit.isNone && 0 < r.time) (toString r.messages)
  let r ← verdict "a proof of something else" "\n\ntheorem two : 1 + 1 = 3 := rfl" .leanError
  check "its error has the line of the text" (r.errors.any (·.pos.line == 3)) (toString r.messages)
  let r ← verdict "a missing proof" "theorem two : 1 + 1 = 3 := by sorry" .hasSorry
  checkEq "it is counted" ((r.response?.map (·.sorries.length)).getD 0) 1
  let r ← verdict "a module that does not exist" "import Nonexistent" .leanError
  check "is an error of its line" (r.errors.any (·.pos.line == 1)) (toString r.messages)
  let r ← verdict "a comment, imports, and a text" "/- é -/\nimport Lean.Data.Json\n\n#check Lean.Json.parse" .valid
  checkEq "its message has the line of the text" (r.messages.map fun m => (m.severity, m.pos.line))
    [(.info, 4)]
  discard <| verdict "a definition without a header" "def x := 1" .valid
  discard <| verdict "is not seen by others" "#check x" .leanError
  let r ← verdict "an output in any characters" "#eval \"∀ é\\n\\\"𝔸\"" .valid
  checkEq "is read back" (r.messages.map (·.data)) ["\"∀ é\\n\\\"𝔸\""]
  -- audits
  let r ← verdict "an audit" "theorem t (p : Prop) : p ∨ ¬p := Classical.em p" .valid { audit := true }
  match r.audit with
  | some { theorems := [t], problem := none } =>
    check "finds the axioms" (t.name == "t" && t.axioms.contains "Classical.choice" && !t.hasSorry) (reprStr t)
  | a => check "finds the axioms" false (reprStr a)
  discard <| verdict "an axiom" "axiom evil : False\ntheorem t : 1 = 2 := evil.elim" (.axioms ["evil"]) { audit := true }
  -- time
  let r ← pool.check endless { timeoutMs := 3000 }
  checkEq "what does not end" (r.verdict, outcomeKind r) (.timeout, "timeout")
  let (token, task) ← spawn fun token => pool.check endless { timeoutMs := 120000, cancel := token }
  IO.sleep 300
  token.cancel
  match ← IO.wait task with
  | .ok r => checkEq "is cancelled" (outcomeKind r) "cancelled"
  | .error e => check "is cancelled" false (toString e)
  -- many
  let snippets := (List.range 12).toArray.map fun i =>
    { id := s!"{i}", code := s!"example : {i} < {if i % 3 == 2 then 0 else 20} := by decide" : Snippet }
  let outcomes ← pool.checkBatch snippets { timeoutMs := 120000 }
  checkEq "a batch, in its order" (outcomes.toList.map fun r => (r.id, r.verdict))
    ((List.range 12).map fun i => (toString i, if i % 3 == 2 then .leanError else .valid))
  let s ← pool.status
  check "the status" (s.busy == 0 && s.waiting == 0 && 20 ≤ s.checks && s.timeouts == 1
    && s.lastFailures.length == 1) (reprStr s)

/-! ### With the stand-in -/

/-- The stand-in for the REPL, compiled; `none` where there is no `rustc`. -/
def findStandIn : IO (Option String) := do
  let source := "tests/peers/repl_stand_in.rs"
  let dir : System.FilePath := "target" / "lean-check"
  if !(← System.FilePath.pathExists source) then return none
  try
    IO.FS.createDirAll dir
    let program := (dir / "repl_stand_in").toString
    let args := #["--edition", "2024", "-O", "-o", program, source]
    let out ← IO.Process.output { cmd := "rustc", args }
    if out.exitCode != 0 then throw (IO.userError out.stderr)
    return some (← IO.FS.realPath program).toString
  catch _ => return none

def sessionTests (pool : Pool) : TestM Unit := do
  let session ← Session.open pool "import Known"
  let r ← session.command "def x := 1"
  let env := r.env
  checkEq "a command sees what it builds on" ((← session.command "#check x" env).errors.map (·.data)) []
  checkEq "or only the header" ((← session.command "#check x").errors.map (·.data)) ["Unknown identifier `x`"]
  checkEq "an environment that is not there" (kind (← session.commandE "#check x" (some 1000))) "repl"
  let r ← session.command "theorem t : a = a := by sorry"
  match r.sorries with
  | [s] =>
    check "a goal" (s.goal == "⊢ a = a" && (s.pos.map (·.line)) == some 1) (reprStr s)
    let start := s.proofState.getD 1000
    let skipped ← session.step start "skip"
    checkEq "a step that does nothing" (skipped.goals, skipped.completed) (["⊢ a = a"], false)
    let done ← session.step skipped.proofState "rfl"
    checkEq "a step that ends the proof" (done.goals, done.completed) ([], true)
    checkEq "a step from an old state" (← session.step start "rfl").completed true
    checkEq "a tactic that fails" (kind (← session.stepE start "nonsense")) "repl"
    checkEq "a state that is not there" (kind (← session.stepE 1000 "rfl")) "repl"
    -- pickles, in another process
    let dir : System.FilePath := s!"/tmp/lean-oracle-pickle-{← IO.monoNanosNow}"
    IO.FS.createDirAll dir
    try
      orThrow' (← session.pickleProofE start (dir / "state"))
      orThrow' (← session.pickleE (env.getD 0) (dir / "env"))
      session.close
      checkEq "a closed session" (kind (← session.commandE "#check x")) "cancelled"
      let other ← Session.open pool
      let step ← orThrow' (← other.unpickleProofE (dir / "state"))
      checkEq "a pickled proof goes on" (← other.step step.proofState "rfl").completed true
      let env ← orThrow' (← other.unpickleE (dir / "env"))
      checkEq "a pickled environment too" ((← other.command "#check x" (some env)).errors.map (·.data)) []
      other.close
    finally IO.FS.removeDirAll dir
  | sorries => check "a goal" false (reprStr sorries)
where
  orThrow' {α : Type} (r : Except Error α) : IO α :=
    match r with
    | .ok a => return a
    | .error e => throw e.toIO

def faultTests (standIn : String) : TestM Unit := do
  let before ← children
  let pool ← Pool.start { engine := .repl [standIn], maxProcesses := some 2, warm := [("import Known", 1)] }
  sessionTests pool
  let checks := #[("right", "theorem t : a = a := rfl"), ("wrong", "theorem t : a = b := rfl"),
    ("crash", "#crash"), ("garbage", "#garbage"), ("refused", "#refuse"), ("again", "def x := 1"),
    ("isolated", "#check x"), ("header", "import Nonexistent\ndef x := 1"), ("late", "#hang")]
  let outcomes ← pool.checkBatch (checks.map fun (id, code) => { id, code }) { timeoutMs := 5000 }
  checkEq "faults touch nobody else" (outcomes.toList.map fun r => (r.id, r.verdict.name, outcomeKind r))
    [("right", "valid", "response"), ("wrong", "lean_error", "response"), ("crash", "server_error", "crashed"),
      ("garbage", "server_error", "protocol"), ("refused", "repl_error", "repl"), ("again", "valid", "response"),
      ("isolated", "lean_error", "response"), ("header", "lean_error", "response"),
      ("late", "timeout_error", "timeout")]
  match (outcomes.toList.filter (·.id == "crash")).map Outcome.result with
  | [.error (.crashed reason stderr)] =>
    check "a crash comes with its reason" (1 < (reason.splitOn "exit code 3").length
      && 1 < (stderr.splitOn "a crash on demand").length) s!"{reason}: {stderr}"
  | _ => check "a crash comes with its reason" false
  let r ← pool.check "def x := 1" { infotree := some .tactics }
  let tree := do (← r.response?).infotree
  let kindOf := do (← (← tree).getArrVal? 0 |>.toOption).getObjVal? "kind" |>.toOption
  checkEq "an information tree" (kindOf.map (·.compress)) (some "\"tactics\"")
  let r ← pool.check "#sleep 1" { maxWaitMs := some 60000, reuse := false }
  check "without reuse" (!r.diagnostics.reusedHeader && r.verdict == .valid) (toString r.verdict)
  -- all processes taken
  let r ← withSession pool "" fun _ => withSession pool "" fun _ =>
    pool.check "def x := 1" { maxWaitMs := some 100 }
  checkEq "nobody waits for ever" (outcomeKind r) "busy"
  -- a session that hangs
  let session ← Session.open pool "" { timeoutMs := 300 }
  checkEq "a command that hangs" (kind (← session.commandE "#hang")) "timeout"
  checkEq "ends its session" (kind (← session.commandE "def x := 1")) "refused"
  session.close
  let session ← Session.open pool ""
  let (token, task) ← spawn fun token => session.commandE "#hang" none token
  IO.sleep 200
  token.cancel
  checkEq "a command is cancelled" ((← IO.wait task).toOption.map kind) (some "cancelled")
  -- several tasks, one pool
  let tasks ← (List.range 8).mapM fun t => IO.asTask (prio := .dedicated) do
    let mut right := 0
    for i in [0:25] do
      let code := s!"def x{t} := {i}\n#check x{if i % 2 == 0 then t else t + 1}"
      let r ← pool.check code { maxWaitMs := some 120000 }
      if r.verdict == (if i % 2 == 0 then .valid else .leanError) then right := right + 1
    return right
  let counts ← tasks.mapM fun t => return (← IO.wait t).toOption
  checkEq "8 tasks get their own outcomes" counts (List.replicate 8 (some 25))
  -- closed with work under way and a session open
  let session ← Session.open pool "import Known"
  let (_, task) ← spawn fun _ => pool.check "#hang"
  until' "work is under way" do return (← pool.status).busy == 2
  let (_, asking) ← spawn fun _ => session.commandE "#hang"
  IO.sleep 200
  pool.close
  checkEq "what was under way is cancelled" ((← IO.wait task).toOption.map outcomeKind) (some "cancelled")
  checkEq "in sessions too" ((← IO.wait asking).toOption.map kind) (some "cancelled")
  until' "no process is left" do return (← children) ≤ before

/-- Pools that are not closed end when nothing refers to them any more. -/
def forgottenTests (standIn : String) : TestM Unit := do
  let before ← children
  let use : IO Verdict := do
    let pool ← Pool.start { engine := .repl [standIn] }
    let session ← Session.open pool "" { reuse := false }
    discard <| session.command "def x := 1"
    session.close
    return (← pool.check "def x := 1").verdict
  checkEq "pools that are not closed" (← (List.range 5).mapM fun _ => use) (List.replicate 5 .valid)
  until' "leave no process" do return (← children) ≤ before

/-- All of it. -/
def replTests : TestM Unit := do
  aloneTests
  match ← Pool.startE { maxProcesses := some 2, maxWaitMs := 600000 } with
  | .ok pool =>
    group "the real Lean" do
      leanTests pool
      if (← Session.openE pool "") matches .error (.failure (.refused _)) then
        check "lean itself has no sessions" true
      pool.close
  | .error e => skip "the real Lean" (toString e)
  match ← findStandIn with
  | some standIn =>
    group "sessions and faults" (faultTests standIn)
    group "forgotten pools" (forgottenTests standIn)
  | none => skip "sessions and faults" "there is no rustc, or not the sources of the Rust tests"

end Tests.Repl
