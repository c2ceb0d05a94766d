open Lean

theorem D : (1 = 1 ∧ 2 = 2) ∧ True := rfl
theorem A : 2 = 2 := rfl

variable (x : Nat)
theorem E : x = 5 := trivial

theorem B : 1 = 1 := rfl
theorem C2 : 1 = 1 ∧ 2 = 2 := ⟨B, A⟩

set_option maxHeartbeats 0
