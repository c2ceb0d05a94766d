/-
A small language of arithmetic with a compiler to a stack machine, written for the tests of merging: it has of
each feature of Lean a little.
-/

/-! # Expressions -/

namespace Calc

universe u v

/-- What an expression is made of. -/
inductive Op
  | add
  | mul
  deriving Repr, DecidableEq, Inhabited

/-- Arithmetic with variables that are named by `α`. -/
inductive Expr (α : Type u) : Type u
  /-- A number. -/
  | num (n : Nat)
  | var (x : α)
  | bin (op : Op) (l r : Expr α)
  deriving Repr

/-- A number is an expression. -/
instance {α : Type u} : Coe Nat (Expr α) := ⟨Expr.num⟩

instance {α : Type u} (n : Nat) : OfNat (Expr α) n := ⟨.num n⟩

instance {α : Type u} : Inhabited (Expr α) where
  default := .num 0

/-- What operations do. -/
def Op.apply : Op → Nat → Nat → Nat
  | .add => (· + ·)
  | .mul => (· * ·)

infixl:65 " ⊕ " => Expr.bin Op.add
infixl:70 " ⊗ " => Expr.bin Op.mul

section Meaning

variable {α : Type u} {β : Type v}

/-- The value of an expression. -/
def Expr.eval (env : α → Nat) : Expr α → Nat
  | num n => n
  | var x => env x
  | bin op l r => op.apply (l.eval env) (r.eval env)

/-- Other names for the variables. -/
def Expr.map (f : α → β) : Expr α → Expr β
  | num n => .num n
  | var x => .var (f x)
  | bin op l r => .bin op (l.map f) (r.map f)

@[simp] theorem Expr.eval_num (env : α → Nat) (n : Nat) : (Expr.num n : Expr α).eval env = n := rfl

@[simp] theorem Expr.eval_var (env : α → Nat) (x : α) : (Expr.var x).eval env = env x := rfl

theorem Expr.eval_add (env : α → Nat) (a b : Expr α) : (a ⊕ b).eval env = a.eval env + b.eval env := rfl

theorem Expr.eval_mul (env : α → Nat) (a b : Expr α) : (a ⊗ b).eval env = a.eval env * b.eval env := rfl

attribute [simp] Expr.eval_add Expr.eval_mul

/-- Renaming and then evaluating is evaluating with the names looked up. -/
theorem Expr.eval_map (f : α → β) (env : β → Nat) (e : Expr α) :
    (e.map f).eval env = e.eval (fun x => env (f x)) := by
  induction e with
  | num n => rfl
  | var x => rfl
  | bin op l r hl hr => simp only [Expr.map, Expr.eval, hl, hr]

theorem Expr.map_id (e : Expr α) : e.map id = e := by
  induction e with
  | num n => rfl
  | var x => rfl
  | bin op l r hl hr => rw [Expr.map, hl, hr]

end Meaning

/-! # The stack machine -/

/-- What the machine does in one step. -/
inductive Instr (α : Type u)
  | push (n : Nat)
  | load (x : α)
  | op (o : Op)

section Machine

variable {α : Type u} (env : α → Nat)

private def step : Instr α → List Nat → List Nat
  | .push n, stack => n :: stack
  | .load x, stack => env x :: stack
  | .op o, b :: a :: stack => o.apply a b :: stack
  | .op _, stack => stack

/-- The stack after a program. -/
def run : List (Instr α) → List Nat → List Nat
  | [], stack => stack
  | i :: rest, stack => run rest (step env i stack)

theorem run_append (p q : List (Instr α)) (stack : List Nat) :
    run env (p ++ q) stack = run env q (run env p stack) := by
  induction p generalizing stack with
  | nil => rfl
  | cons i p h => simp only [List.cons_append, run, h]

end Machine

open Instr in
/-- A program that leaves the value of an expression on the stack. -/
def compile {α : Type u} : Expr α → List (Instr α)
  | .num n => [push n]
  | .var x => [load x]
  | .bin o l r => compile l ++ compile r ++ [op o]

theorem compile_correct {α : Type u} (env : α → Nat) (e : Expr α) (stack : List Nat) :
    run env (compile e) stack = e.eval env :: stack := by
  induction e generalizing stack with
  | num n => rfl
  | var x => rfl
  | bin o l r hl hr => rw [compile, run_append, run_append, hl, hr]; rfl

/-- How many instructions a program has. -/
def cost {α : Type u} (e : Expr α) : Nat := go e
where
  go : Expr α → Nat
    | .num _ => 1
    | .var _ => 1
    | .bin _ l r => go l + go r + 1

theorem cost_pos {α : Type u} (e : Expr α) : 0 < cost e := by
  unfold cost
  cases e <;> simp [cost.go]

example : (compile ((2 : Expr Nat) ⊕ .var 0 ⊗ 3)).length = 5 := rfl

end Calc

namespace Calc.Simplify

open Calc

variable {α : Type}

/-- Sums without zeros. -/
def plus : Expr α → Expr α → Expr α
  | .num 0, b => b
  | a, .num 0 => a
  | a, b => a ⊕ b

local notation "⟦" e "⟧ " env => Expr.eval env e

theorem plus_eval (env : α → Nat) (a b : Expr α) : (⟦plus a b⟧ env) = a.eval env + b.eval env := by
  unfold plus
  split <;> simp

/-- Every sum without zeros. -/
def simplify : Expr α → Expr α
  | .bin .add l r => plus (simplify l) (simplify r)
  | .bin .mul l r => simplify l ⊗ simplify r
  | e => e

set_option maxRecDepth 1000 in
theorem simplify_eval (env : α → Nat) (e : Expr α) : (simplify e).eval env = e.eval env := by
  induction e with
  | num n => rfl
  | var x => rfl
  | bin o l r hl hr =>
    cases o
    · show (plus (simplify l) (simplify r)).eval env = _
      rw [plus_eval, hl, hr, Expr.eval_add]
    · show (simplify l ⊗ simplify r).eval env = _
      rw [Expr.eval_mul, hl, hr, Expr.eval_mul]

end Calc.Simplify
