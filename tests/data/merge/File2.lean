open Lean.Elab
set_option maxHeartbeats 200000

theorem A : 4 = 4 := rfl
theorem B : 1 = 1 := rfl
theorem C1 : 1 = 1 ∧ 2 = 2 := ⟨B, A⟩
theorem D : (1 = 1 ∧ 2 = 2) ∧ True := ⟨C1, trivial⟩

variable (x : Nat)
theorem E : x = 5 := sorry
