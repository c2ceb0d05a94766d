-- Put behind the imports of a file, so that `#lean_oracle_syntax command` says how Lean reads the command:
-- where its declarations stand, and each step of its tactic proofs, in bytes of the file. Macros know the
-- syntax and need nothing but `Init`.
namespace LeanOracle.Syntax

/-- The first word of a tactic. -/
partial def firstWord : Lean.Syntax → String
  | .atom _ word => word
  | .node _ _ args => args.foldl (fun found s => if found == "" then firstWord s else found) ""
  | _ => ""

/-- The tactics that stand directly in a node: those of a sequence, those around `<;>`. -/
def steps (kind : Lean.Name) (args : Array Lean.Syntax) : List Lean.Syntax :=
  if kind == `Lean.Parser.Tactic.tacticSeq1Indented then (args.getD 0 .missing).getSepArgs.toList
  else if kind == `Lean.Parser.Tactic.tacticSeqBracketed then (args.getD 1 .missing).getSepArgs.toList
  else if kind == `Lean.Parser.Tactic.«tactic_<;>_» then [args.getD 0 .missing, args.getD 2 .missing]
  else []

/-- A line for each declaration and for each tactic in a piece of syntax, put behind `lines`. -/
partial def describe (lines : Array String) (s : Lean.Syntax) : Array String :=
  match s with
  | .node _ kind args =>
    let start (s : Lean.Syntax) := (s.getPos?.map (·.byteIdx)).getD 0
    let lines :=
      if kind == `Lean.Parser.Command.declaration then
        lines.push s!"declaration {start s} {(s.getTailPos?.map (·.byteIdx)).getD 0}"
      else lines
    let lines := (steps kind args).foldl (init := lines) fun lines step =>
      let word := if step.isOfKind `Lean.Parser.Tactic.«tactic_<;>_» then "<;>" else firstWord step
      -- Brackets are no step; what is inside of them is.
      if word == "(" then lines else lines.push s!"tactic {start step} {word}"
    args.foldl describe lines
  | _ => lines

end LeanOracle.Syntax

macro "#lean_oracle_syntax " c:command : command =>
  let lines := LeanOracle.Syntax.describe #[] c.raw
  `(#print $(Lean.Syntax.mkStrLit (String.intercalate "\n" lines.toList)))
