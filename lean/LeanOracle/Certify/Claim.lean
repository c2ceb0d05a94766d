/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Sound

/-!
# Claims about fractions

With `open scoped LeanOracle.Certify`, a claim about fractions is proved by naming two hypotheses
for each variable, its lower and its upper bound, and a certificate:

```
example (x : Frac) (h₀ : 0 ≤ x) (h₁ : x ≤ 1) : x * (1 - x) ≤ 1 / 4 :=
  certify [h₀ h₁] (.split 0 1 2 .leaf .leaf)
```

The claim is one of `a ≤ b`, `a < b`, `a ≥ b`, `a > b`, `a ≠ b`. Both sides are made of the
variables, numbers, `+`, `-`, `*`, `/` and `^`; the bounds of the variables are numbers. A number is
an integer or a fraction such as `-1 / 3`. A variable is any term of type `Frac`, for example an
integer `↑k`; only where it occurs in the claim must it be written as in the bounds. Any proofs may
stand for the hypotheses: `(Frac.le_of_lt h)` where `h` is strict. If no cut is needed, the
certificate can be left out.

Type classes find the expression (`Reify`), and the kernel evaluates the checker. `prove (.cons h₀
h₁ .nil) tree (by native_decide)` has it compiled instead, which is faster for large certificates;
the theorem then rests on the compiler too, and `#print axioms` says so.
-/

namespace LeanOracle

namespace Certify

/-! ### Finding the expression -/

/-- `a` is the number `p / q`. -/
class Lit (a : Frac) (p : outParam Int) (q : outParam Nat) : Prop where
  /-- It is. -/
  eq : a = Frac.ofInt p / nat q

-- `no_index`, because the index of instances has numerals as literals
instance (n : Nat) : Lit (no_index (OfNat.ofNat n)) (Int.ofNat n) 1 := ⟨(Frac.div_one _).symm⟩
instance (p : Int) : Lit (Frac.ofInt p) p 1 := ⟨(Frac.div_one _).symm⟩
instance (p : Int) (q : Nat) (h : 0 < q) : Lit (Frac.mk p q h) p q := ⟨Frac.mk_eq_div p q h⟩
instance [h : Lit a p q] : Lit (-a) (-p) q := ⟨by rw [h.eq, Frac.ofInt_neg, Frac.neg_div]⟩
instance (n : Nat) [h : Lit a p q] : Lit (a / no_index (OfNat.ofNat n)) p (q * n) :=
  ⟨by rw [h.eq, nat_mul, Frac.div_div]; rfl⟩

/-- `a` is entry number `i` of `vars`. -/
class Index (vars : List Frac) (a : Frac) (i : outParam Nat) : Prop where
  /-- It is. -/
  eq : nth 0 vars i = a

instance : Index (a :: vars) a 0 := ⟨rfl⟩
instance (priority := low) [h : Index vars a i] : Index (b :: vars) a (i + 1) := ⟨h.eq⟩

/-- `a` is the value of `e` at `vars`. -/
class Reify (vars : List Frac) (a : Frac) (e : outParam Term) : Prop where
  /-- It is. -/
  eq : e.eval (nth 0 vars) = a

section

variable {vars : List Frac} {a b : Frac} {e f : Term} [h : Reify vars a e] [k : Reify vars b f]

instance : Reify vars (a + b) (.add e f) := ⟨congr (congrArg _ h.eq) k.eq⟩
instance : Reify vars (a - b) (.sub e f) := ⟨congr (congrArg _ h.eq) k.eq⟩
instance : Reify vars (a * b) (.mul e f) := ⟨congr (congrArg _ h.eq) k.eq⟩
instance : Reify vars (a / b) (.div e f) := ⟨congr (congrArg _ h.eq) k.eq⟩
instance : Reify vars (-a) (.neg e) := ⟨congrArg _ h.eq⟩
instance (n : Nat) : Reify vars (a ^ n) (.pow e n) := ⟨congrArg (· ^ n) h.eq⟩

end

instance (priority := high) [h : Lit a p q] : Reify vars a (.num p q) := ⟨h.eq.symm⟩
instance (priority := high + 1) [h : Index vars a i] : Reify vars a (.var i) := ⟨h.eq⟩

/-- `P` says that `e` at `vars` is nonnegative, positive or not zero, according to `rel`. -/
class Claim (vars : List Frac) (P : Prop) (rel : outParam Rel) (e : outParam Term) : Prop where
  /-- It does. -/
  of : rel.Holds (e.eval (nth 0 vars)) → P

section

variable {vars : List Frac} {a b : Frac} {e f : Term} [h : Reify vars a e] [k : Reify vars b f]

instance : Claim vars (a ≤ b) .le (.sub f e) := ⟨fun s => Frac.sub_nonneg.1 (h.eq ▸ k.eq ▸ s)⟩
instance : Claim vars (a < b) .lt (.sub f e) := ⟨fun s => Frac.sub_pos.1 (h.eq ▸ k.eq ▸ s)⟩
instance : Claim vars (a ≠ b) .ne (.sub e f) :=
  ⟨fun s z => s (by
    show e.eval _ - f.eval _ = 0
    rw [h.eq, k.eq, z, Frac.sub_self])⟩

end

/-! ### Boxes -/

/-- The interval from `p / q` to `r / s`. -/
def Side.between (p : Int) (q : Nat) (r : Int) (s : Nat) : Side :=
  let g := Nat.gcd q s
  ⟨p * (s / g : Nat), r * (q / g : Nat), q * (s / g)⟩

/-- The variables are in the box. -/
def Within (vars : List Frac) (box : Box) : Prop := box.valid = true → box.Mem (nth 0 vars)

/-- No variables. -/
theorem Within.nil : Within [] [] := fun _ _ h => absurd h (Nat.not_lt_zero _)

/-- One more variable, with its bounds. -/
theorem Within.cons {x lo hi : Frac} [l : Lit lo p q] [r : Lit hi p' q'] (hl : lo ≤ x) (hr : x ≤ hi)
    (h : Within vars box) : Within (x :: vars) (Side.between p q p' q' :: box) := by
  intro hv i hi
  have ⟨hd, hv⟩ := cond_split (show cond (Nat.ble 1 _) (Box.valid box) false = true from hv)
  cases i with
  | succ i => exact h hv i (Nat.lt_of_succ_lt_succ hi)
  | zero =>
    have hd : q * (q' / Nat.gcd q q') ≠ 0 := fun z => by
      have := Nat.le_of_ble_eq_true hd
      have : 1 ≤ q * (q' / Nat.gcd q q') := this
      omega
    have cross := gcd_cross q q'
    have hq : nat q ≠ 0 := Frac.ne_of_gt (nat_pos fun z => hd (by rw [z, Nat.zero_mul]))
    have hq' : nat q' ≠ 0 := Frac.ne_of_gt (nat_pos fun z => hd (by rw [cross, z, Nat.zero_mul]))
    have scale (a : Int) (n : Nat) : Frac.ofInt (a * n) = Frac.ofInt a * nat n := Frac.ofInt_mul _ _
    have pos (n : Nat) : 0 ≤ nat n := Frac.ofInt_nonneg.2 (Int.natCast_nonneg _)
    constructor
    · show Frac.ofInt (p * (q' / Nat.gcd q q' : Nat)) ≤ x * nat (q * (q' / Nat.gcd q q'))
      rw [scale, nat_mul, ← Frac.div_mul_cancel (x := Frac.ofInt p) hq, ← l.eq, Frac.mul_assoc]
      exact Frac.mul_le_mul_of_nonneg_right hl (Frac.mul_nonneg (pos _) (pos _))
    · show x * nat (q * (q' / Nat.gcd q q')) ≤ Frac.ofInt (p' * (q / Nat.gcd q q' : Nat))
      rw [cross, scale, nat_mul, ← Frac.div_mul_cancel (x := Frac.ofInt p') hq', ← r.eq,
        Frac.mul_assoc]
      exact Frac.mul_le_mul_of_nonneg_right hr (Frac.mul_nonneg (pos _) (pos _))

/-- A claim from a certificate. -/
theorem prove {vars : List Frac} {box : Box} {P : Prop} {rel : Rel} {e : Term}
    (h : Within vars box) [c : Claim vars P rel e] (tree : Tree := .leaf)
    (ok : (box.valid && check rel e box tree) = true := by decide +kernel) : P :=
  have ⟨hv, hc⟩ := and_split ok
  c.of (check_sound hc _ (h hv))

/-- Two proofs: of a lower and of an upper bound of a variable. -/
syntax bounds := term:max ppSpace term:max

/-- `certify [h₀ h₁, k₀ k₁] tree` proves a claim about the variables that are bounded from below and
above by the hypotheses, by the certificate `tree`; see `LeanOracle.Certify.Claim`. -/
scoped syntax (name := certifyTerm) "certify " "[" bounds,* "]" (ppSpace term:max)? : term

macro_rules
  | `(certify [$[$lo:term $hi:term],*] $[$tree:term]?) => do
    let mut within ← `(Within.nil)
    for (l, h) in (lo.zip hi).reverse do
      within ← `(Within.cons $l $h $within)
    match tree with
    | some t => `(prove $within $t)
    | none => `(prove $within)

/-! ### Roots -/

/-- Where there is no zero at either end of an interval, all are in between. -/
theorem roots_between {f : Frac → Frac} {a lo hi b : Frac}
    (left : ∀ x, a ≤ x → x ≤ lo → f x ≠ 0) (right : ∀ x, hi ≤ x → x ≤ b → f x ≠ 0) {x : Frac}
    (ha : a ≤ x) (hb : x ≤ b) (hx : f x = 0) : lo < x ∧ x < hi :=
  ⟨fun h => left x ha h hx, fun h => right x h hb hx⟩

/-- The bounds of a root: `q` is between the powers of two numbers. -/
def rootCheck (k : Nat) (lo q hi : Frac) : Bool :=
  decide (k ≠ 0) && (decide (lo ≤ 0 ∨ lo ^ k ≤ q) && (decide (0 ≤ hi) && decide (q ≤ hi ^ k)))

/-- A nonnegative number is between the bounds if its power is `q`: with `k = 2`, bounds of a square
root. -/
theorem root_mem {k : Nat} {lo q hi y : Frac} (hy : 0 ≤ y) (h : y ^ k = q)
    (ok : rootCheck k lo q hi = true) : lo ≤ y ∧ y ≤ hi := by
  obtain ⟨h₀, ok⟩ := and_split ok
  obtain ⟨h₁, ok⟩ := and_split ok
  obtain ⟨h₂, h₃⟩ := and_split ok
  have h₀ := of_decide_eq_true h₀
  have h₂ := of_decide_eq_true h₂
  have h₃ := of_decide_eq_true h₃
  subst h
  refine ⟨Frac.not_lt.1 fun c => ?_, Frac.not_lt.1 fun c => Frac.pow_lt_pow h₂ c h₀ h₃⟩
  rcases of_decide_eq_true h₁ with z | z
  · exact Frac.lt_irrefl _ (Frac.lt_of_le_of_lt hy (Frac.lt_of_lt_of_le c z))
  · exact Frac.pow_lt_pow hy c h₀ z

end Certify

end LeanOracle
