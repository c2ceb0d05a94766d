----------------------
open Lean
variable (x : Nat)
set_option maxHeartbeats 0

----------------------
open Lean.Elab
set_option maxHeartbeats 200000
variable (x : Nat)

theorem A : 2 = 2 := rfl

theorem B : 1 = 1 := rfl

theorem C2_1 : 1 = 1 ∧ 2 = 2 := ⟨B, A⟩

theorem A_1 : 4 = 4 := rfl

theorem D : (1 = 1 ∧ 2 = 2) ∧ True := ⟨C2_1, trivial⟩

theorem E : x = 5 := trivial

/-
-- unsuccessful attempt
theorem E : x = 5 := sorry
-/
