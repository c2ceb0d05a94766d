/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Check

/-!
# Why the checker is right

The theorem is `check_sound`, at the end. Its parts, in the order of the checker: writing an
expression as a fraction (`Term.eval_clear`), making a polynomial homogeneous (`Term.hom_models`),
the coefficients on a box (`Box.nonneg_sound`, which rests on `Rep.nonneg`), the cuts
(`checkTree_sound`).
-/

namespace LeanOracle.Certify

/-! ### Fractions -/

namespace Term

/-- The value of a denominator. -/
def evalDen (x : Nat → Frac) : Option Term → Frac
  | none => 1
  | some a => a.eval x


theorem eval_times (x : Nat → Frac) (a : Term) (d : Option Term) :
    (a.times d).eval x = a.eval x * evalDen x d := by
  cases d with
  | none => exact (Frac.mul_one _).symm
  | some b => rfl

theorem evalDen_timesDen (x : Nat → Frac) (d e : Option Term) :
    evalDen x (timesDen d e) = evalDen x d * evalDen x e := by
  cases d with
  | none => exact (Frac.one_mul _).symm
  | some a => exact eval_times x a e

/-- Where the denominator is not zero, the expression is the quotient. -/
theorem eval_clear (x : Nat → Frac) (a : Term) (h : evalDen x a.clear.2 ≠ 0) :
    a.eval x * evalDen x a.clear.2 = a.clear.1.eval x := by
  induction a with
  | num n d => exact Frac.mul_one _
  | var i => exact Frac.mul_one _
  | add a b iha ihb =>
    have key : clear (.add a b) = if a.clear.2 = b.clear.2
        then (.add a.clear.1 b.clear.1, a.clear.2)
        else (.add (a.clear.1.times b.clear.2) (b.clear.1.times a.clear.2),
          timesDen a.clear.2 b.clear.2) := rfl
    rw [key] at h ⊢
    by_cases e : a.clear.2 = b.clear.2
    · rw [if_pos e] at h ⊢
      show (a.eval x + b.eval x) * evalDen x a.clear.2 = a.clear.1.eval x + b.clear.1.eval x
      rw [Frac.add_mul, iha h, ← ihb (e ▸ h), e]
    · rw [if_neg e] at h ⊢
      have h : evalDen x (timesDen a.clear.2 b.clear.2) ≠ 0 := h
      rw [evalDen_timesDen] at h
      show (a.eval x + b.eval x) * evalDen x (timesDen a.clear.2 b.clear.2)
        = (a.clear.1.times b.clear.2).eval x + (b.clear.1.times a.clear.2).eval x
      rw [evalDen_timesDen, eval_times, eval_times, ← iha (Frac.ne_zero_of_mul h).1,
        ← ihb (Frac.ne_zero_of_mul h).2, Frac.add_mul]
      ac_rfl
  | sub a b iha ihb =>
    have key : clear (.sub a b) = if a.clear.2 = b.clear.2
        then (.sub a.clear.1 b.clear.1, a.clear.2)
        else (.sub (a.clear.1.times b.clear.2) (b.clear.1.times a.clear.2),
          timesDen a.clear.2 b.clear.2) := rfl
    rw [key] at h ⊢
    by_cases e : a.clear.2 = b.clear.2
    · rw [if_pos e] at h ⊢
      show (a.eval x - b.eval x) * evalDen x a.clear.2 = a.clear.1.eval x - b.clear.1.eval x
      rw [Frac.sub_mul, iha h, ← ihb (e ▸ h), e]
    · rw [if_neg e] at h ⊢
      have h : evalDen x (timesDen a.clear.2 b.clear.2) ≠ 0 := h
      rw [evalDen_timesDen] at h
      show (a.eval x - b.eval x) * evalDen x (timesDen a.clear.2 b.clear.2)
        = (a.clear.1.times b.clear.2).eval x - (b.clear.1.times a.clear.2).eval x
      rw [evalDen_timesDen, eval_times, eval_times, ← iha (Frac.ne_zero_of_mul h).1,
        ← ihb (Frac.ne_zero_of_mul h).2, Frac.sub_mul, Frac.mul_assoc,
        Frac.mul_comm (evalDen x a.clear.2), Frac.mul_assoc]
  | mul a b iha ihb =>
    have h : evalDen x (timesDen a.clear.2 b.clear.2) ≠ 0 := h
    rw [evalDen_timesDen] at h
    show a.eval x * b.eval x * evalDen x (timesDen a.clear.2 b.clear.2)
      = a.clear.1.eval x * b.clear.1.eval x
    rw [evalDen_timesDen, ← iha (Frac.ne_zero_of_mul h).1, ← ihb (Frac.ne_zero_of_mul h).2]
    ac_rfl
  | neg a ih =>
    show -a.eval x * evalDen x a.clear.2 = -a.clear.1.eval x
    rw [Frac.neg_mul, ih h]
  | pow a k ih =>
    have e : evalDen x (a.clear.2.map (Term.pow · k)) = evalDen x a.clear.2 ^ k := by
      cases a.clear.2 with
      | none => exact (Frac.one_pow k).symm
      | some d => rfl
    have h : evalDen x (a.clear.2.map (Term.pow · k)) ≠ 0 := h
    show a.eval x ^ k * evalDen x (a.clear.2.map (Term.pow · k)) = a.clear.1.eval x ^ k
    rw [e] at h ⊢
    cases k with
    | zero => exact Frac.mul_one _
    | succ k => rw [← Frac.mul_pow, ih (Frac.ne_zero_of_mul h).2]
  | div a b iha ihb =>
    -- division in general
    have general (h : evalDen x (timesDen (timesDen a.clear.2 (some b.clear.1)) b.clear.2) ≠ 0) :
        a.eval x / b.eval x * evalDen x (timesDen (timesDen a.clear.2 (some b.clear.1)) b.clear.2)
          = ((a.clear.1.times b.clear.2).times b.clear.2).eval x := by
      rw [evalDen_timesDen, evalDen_timesDen] at h ⊢
      have hd := Frac.ne_zero_of_mul h
      have hn := Frac.ne_zero_of_mul hd.1
      have eb := ihb hd.2
      have hb : b.eval x ≠ 0 := fun z => hn.2 <| by
        show b.clear.1.eval x = 0
        rw [← eb, z, Frac.zero_mul]
      rw [eval_times, eval_times, ← iha hn.1]
      show a.eval x / b.eval x * (_ * b.clear.1.eval x * _) = _
      rw [← eb]
      calc a.eval x / b.eval x
            * (evalDen x a.clear.2 * (b.eval x * evalDen x b.clear.2) * evalDen x b.clear.2)
        _ = a.eval x / b.eval x * b.eval x
            * (evalDen x a.clear.2 * evalDen x b.clear.2 * evalDen x b.clear.2) := by ac_rfl
        _ = _ := by rw [Frac.div_mul_cancel hb]; ac_rfl
    cases b with
    | num p q =>
      cases p with
      | ofNat p =>
        show a.eval x / (Frac.ofInt p / nat q) * evalDen x a.clear.2
          = a.clear.1.eval x * (nat q / nat p)
        rw [← iha h, Frac.div_eq_mul_inv, Frac.div_eq_mul_inv (Frac.ofInt p), Frac.inv_mul,
          Frac.inv_inv, Frac.div_eq_mul_inv (nat q)]
        ac_rfl
      | negSucc p => exact general h
    | var i => exact general h
    | add b c => exact general h
    | sub b c => exact general h
    | mul b c => exact general h
    | neg b => exact general h
    | pow b k => exact general h
    | div b c => exact general h

end Term

/-! ### Lists of exponents -/

/-- The product of the `c i ^ k`, for the exponents `k` in a list and `i` counted from the given
number. -/
def mon (c : Nat → Frac) : Nat → List Nat → Frac
  | _, [] => 1
  | i, k :: l => c i ^ k * mon c (i + 1) l

theorem nth_zip (l m : List Nat) (i : Nat) :
    nth 0 (zip Nat.add l m) i = nth 0 l i + nth 0 m i := by
  induction l generalizing m i with
  | nil => exact (Nat.zero_add _).symm
  | cons a l ih =>
    cases m with
    | nil => exact (Nat.add_zero _).symm
    | cons b m =>
      cases i with
      | zero => rfl
      | succ i => exact ih m i

theorem mon_zip (c : Nat → Frac) (l m : List Nat) (i : Nat) :
    mon c i (zip Nat.add l m) = mon c i l * mon c i m := by
  induction l generalizing m i with
  | nil => exact (Frac.one_mul _).symm
  | cons a l ih =>
    cases m with
    | nil => exact (Frac.mul_one _).symm
    | cons b m =>
      show c i ^ (a + b) * mon c (i + 1) (zip Nat.add l m)
        = c i ^ a * mon c (i + 1) l * (c i ^ b * mon c (i + 1) m)
      rw [ih, Frac.pow_add]
      ac_rfl

theorem zip_excess (l m : List Nat) : zip Nat.add l (excess m l) = zip Nat.add m (excess l m) := by
  induction l generalizing m with
  | nil =>
    cases m with
    | nil => rfl
    | cons b m => rfl
  | cons a l ih =>
    cases m with
    | nil => rfl
    | cons b m =>
      show (a + (b - a)) :: zip Nat.add l (excess m l) = (b + (a - b)) :: zip Nat.add m (excess l m)
      rw [ih, show a + (b - a) = b + (a - b) by omega]

theorem excess_length (l m : List Nat) : (excess l m).length = l.length := by
  induction l generalizing m with
  | nil => rfl
  | cons a l ih =>
    cases m with
    | nil => rfl
    | cons b m => exact congrArg (· + 1) (ih m)

theorem nth_unitDeg (i j : Nat) : nth 0 (unitDeg i) j = Tensor.unit i j := by
  induction i generalizing j with
  | zero =>
    cases j with
    | zero => rfl
    | succ j => rfl
  | succ i ih =>
    cases j with
    | zero => rfl
    | succ j =>
      show nth 0 (unitDeg i) j = if i + 1 = j + 1 then 1 else 0
      rw [ih]
      show (if i = j then 1 else 0) = _
      by_cases h : i = j
      · rw [if_pos h, if_pos (congrArg (· + 1) h)]
      · rw [if_neg h, if_neg (by omega)]

theorem unitDeg_length (i : Nat) : (unitDeg i).length = i + 1 := by
  induction i with
  | zero => rfl
  | succ i ih => exact congrArg (· + 1) ih

theorem mon_unitDeg (c : Nat → Frac) (i j : Nat) : mon c j (unitDeg i) = c (j + i) := by
  induction i generalizing j with
  | zero =>
    show c j ^ 1 * 1 = _
    rw [Frac.mul_one, Frac.pow_succ, Frac.pow_zero, Frac.one_mul]; rfl
  | succ i ih =>
    show c j ^ 0 * mon c (j + 1) (unitDeg i) = _
    rw [ih, Frac.pow_zero, Frac.one_mul, show j + 1 + i = j + (i + 1) by omega]

theorem nth_timesDeg (k : Nat) (l : List Nat) (i : Nat) :
    nth 0 (timesDeg k l) i = k * nth 0 l i := by
  induction l generalizing i with
  | nil => rfl
  | cons a l ih =>
    cases i with
    | zero => rfl
    | succ i => exact ih i

theorem timesDeg_length (k : Nat) (l : List Nat) : (timesDeg k l).length = l.length := by
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (· + 1) ih

theorem mon_timesDeg (c : Nat → Frac) (k : Nat) (l : List Nat) (i : Nat) :
    mon c i (timesDeg k l) = mon c i l ^ k := by
  induction l generalizing i with
  | nil => exact (Frac.one_pow k).symm
  | cons a l ih =>
    show c i ^ (k * a) * mon c (i + 1) (timesDeg k l) = (c i ^ a * mon c (i + 1) l) ^ k
    rw [ih, Frac.mul_pow]
    have e : c i ^ (k * a) = (c i ^ a) ^ k := by
      clear ih
      induction k with
      | zero => rw [Nat.zero_mul]; rfl
      | succ k ih => rw [Nat.add_mul, Nat.one_mul, Frac.pow_add, ih, Frac.pow_succ]
    rw [e]

theorem mon_pos {c : Nat → Frac} {n : Nat} (h : ∀ i, i < n → 0 < c i) (l : List Nat) (i : Nat)
    (hl : i + l.length ≤ n) : 0 < mon c i l := by
  induction l generalizing i with
  | nil => exact Frac.zero_lt_one
  | cons k l ih =>
    have hl : i + (l.length + 1) ≤ n := hl
    exact Frac.mul_pos (Frac.pow_pos (h i (by omega)) k) (ih (i + 1) (by omega))

/-! ### Residues -/

/-- `a` is `c` up to a multiple of `m`. -/
def Cong (m : Nat) (a c : Int) : Prop := ∃ z, a = c + m * z

namespace Cong

theorem refl (m : Nat) (a : Int) : Cong m a a := ⟨0, by rw [Int.mul_zero, Int.add_zero]⟩

theorem add {m : Nat} {a b c d : Int} (h : Cong m a c) (k : Cong m b d) :
    Cong m (a + b) (c + d) := by
  obtain ⟨y, rfl⟩ := h
  obtain ⟨z, rfl⟩ := k
  exact ⟨y + z, by rw [Int.mul_add]; omega⟩

theorem mul {m : Nat} {a b c d : Int} (h : Cong m a c) (k : Cong m b d) :
    Cong m (a * b) (c * d) := by
  obtain ⟨y, rfl⟩ := h
  obtain ⟨z, rfl⟩ := k
  refine ⟨c * z + y * (d + m * z), ?_⟩
  rw [Int.add_mul, Int.mul_add c, Int.mul_add (m : Int), Int.mul_left_comm (m : Int) c z,
    Int.mul_assoc (m : Int) y]
  omega

theorem mod {m a : Nat} {c : Int} (h : Cong (m + 1) a c) :
    Cong (m + 1) (Nat.mod a (m + 1) : Nat) c := by
  obtain ⟨z, h⟩ := h
  refine ⟨z - (a / (m + 1) : Nat), ?_⟩
  have e : (a : Int) = ((m + 1 : Nat) : Int) * (a / (m + 1) : Nat) + (a % (m + 1) : Nat) := by
    rw [← Int.natCast_mul, ← Int.natCast_add, Nat.div_add_mod]
  rw [Int.mul_sub]
  show ((a % (m + 1) : Nat) : Int) = _
  omega

theorem natMul {m a b : Nat} {c d : Int} (h : Cong m a c) (k : Cong m b d) :
    Cong m (Nat.mul a b : Nat) (c * d) := by
  have := h.mul k
  rw [← Int.natCast_mul] at this
  exact this

theorem natAdd {m a b : Nat} {c d : Int} (h : Cong m a c) (k : Cong m b d) :
    Cong m (Nat.add a b : Nat) (c + d) := by
  have := h.add k
  rw [← Int.natCast_add] at this
  exact this

theorem natPow {m a : Nat} {c : Int} (h : Cong m a c) (k : Nat) :
    Cong m (Nat.pow a k : Nat) (c ^ k) := by
  induction k with
  | zero => exact refl m 1
  | succ k ih => exact ih.natMul h

/-- `m` is -1 modulo `m + 1`. -/
theorem last (m : Nat) : Cong (m + 1) (m : Nat) (-1) := ⟨1, by omega⟩

theorem residue (m : Nat) (a : Int) : Cong (m + 1) (residue m a : Nat) a := by
  cases a with
  | ofNat a => exact refl _ _
  | negSucc a =>
    have := (refl (m + 1) (a.succ : Nat)).natMul (last m)
    rw [Int.mul_neg, Int.mul_one] at this
    exact this

end Cong

/-- The polynomial takes the value `y` at the `u i` and `v i`, and is computed right for
coefficients of the sizes and powers that are given. -/
def Form.Models (n : Nat) (t u v : Nat → Frac) (m : Nat) (x w a b : Nat → Nat) (p : Form)
    (d : Nat → Nat) (y : Frac) : Prop :=
  ∃ c, Rep n t u v d (p.size a b) c y ∧ Cong (m + 1) (p.eval m x w : Nat) c

namespace Form.Models

variable {n : Nat} {t u v : Nat → Frac} {m : Nat} {x w a b : Nat → Nat} {p q : Form}
  {d e : Nat → Nat} {y z : Frac}

theorem num (c : Int) : Models n t u v m x w a b (.num c) (fun _ => 0) (Frac.ofInt c) :=
  ⟨c, Rep.const n t u v c, Cong.residue m c⟩

theorem add (h : Models n t u v m x w a b p d y) (k : Models n t u v m x w a b q d z) :
    Models n t u v m x w a b (p.add q) d (y + z) := by
  obtain ⟨c, hc, h⟩ := h
  obtain ⟨c', kc, k⟩ := k
  exact ⟨c + c', hc.add kc, h.natAdd k⟩

theorem mul (h : Models n t u v m x w a b p d y) (k : Models n t u v m x w a b q e z) :
    Models n t u v m x w a b (p.mul q) (fun i => d i + e i) (y * z) := by
  obtain ⟨c, hc, h⟩ := h
  obtain ⟨c', kc, k⟩ := k
  exact ⟨c * c', hc.mul kc, (h.natMul k).mod⟩

theorem neg (h : Models n t u v m x w a b p d y) : Models n t u v m x w a b p.neg d (-y) := by
  obtain ⟨c, hc, h⟩ := h
  refine ⟨-c, hc.neg, ?_⟩
  have := (h.natMul (Cong.last m)).mod
  rw [Int.mul_neg, Int.mul_one] at this
  exact this

theorem pow (h : Models n t u v m x w a b p d y) (k : Nat) :
    Models n t u v m x w a b (p.pow k) (fun i => k * d i) (y ^ k) := by
  obtain ⟨c, hc, h⟩ := h
  exact ⟨c ^ k, hc.pow k, (h.natPow k).mod⟩

theorem congr (h : Models n t u v m x w a b p d y) (hd : ∀ i, i < n → d i = e i) :
    Models n t u v m x w a b p e y := by
  obtain ⟨c, hc, h⟩ := h
  exact ⟨c, hc.congr hd, h⟩

theorem scale (h : Models n t u v m x w a b p d y) (k : Nat) :
    Models n t u v m x w a b (p.scale k) d (nat k * y) := by
  have general : Models n t u v m x w a b (.mul (.num k) p) d (nat k * y) :=
    ((num k).mul h).congr fun i _ => Nat.zero_add _
  match k with
  | 0 => exact general
  | 1 =>
    rw [show nat 1 * y = y from Frac.one_mul y]
    exact h
  | k + 2 => exact general

theorem raise {c : Nat → Frac}
    (hw : ∀ i, i < n → Models n t u v m x w a b (.W i) (Tensor.unit i) (c i))
    (l : List Nat) (i : Nat) (hi : i + l.length ≤ n) (h : Models n t u v m x w a b p d y) :
    Models n t u v m x w a b (p.raise i l) (fun j => d j + if j < i then 0 else nth 0 l (j - i))
      (y * mon c i l) := by
  induction l generalizing i p d y with
  | nil =>
    have h := h.congr (e := fun j => d j + if j < i then 0 else nth 0 [] (j - i)) fun j _ => by
      show d j = d j + if j < i then 0 else 0
      by_cases hj : j < i
      · rw [if_pos hj]; rfl
      · rw [if_neg hj]; rfl
    exact (Frac.mul_one y).symm ▸ h
  | cons k l ih =>
    have hi : i + (l.length + 1) ≤ n := hi
    have next (k j : Nat) : (k * Tensor.unit i j + if j < i + 1 then 0 else nth 0 l (j - (i + 1)))
        = if j < i then 0 else nth 0 (k :: l) (j - i) := by
      unfold Tensor.unit
      by_cases h₁ : j < i
      · rw [if_pos h₁, if_neg (show ¬ i = j by omega), if_pos (show j < i + 1 by omega)]; rfl
      · by_cases h₂ : i = j
        · subst h₂
          rw [if_pos rfl, if_pos (by omega), if_neg h₁, Nat.sub_self]
          show k * 1 + 0 = k
          omega
        · rw [if_neg h₂, if_neg (by omega), if_neg h₁, show j - i = j - (i + 1) + 1 by omega]
          show k * 0 + nth 0 l (j - (i + 1)) = nth 0 l (j - (i + 1))
          rw [Nat.mul_zero, Nat.zero_add]
    cases k with
    | zero =>
      have r := ih (i + 1) (by omega) h
      have e : mon c i (0 :: l) = mon c (i + 1) l := Frac.one_mul _
      rw [e]
      refine r.congr fun j _ => ?_
      show d j + _ = d j + _
      rw [← next 0 j, Nat.zero_mul, Nat.zero_add]
    | succ k =>
      have r := ih (i + 1) (by omega) (h.mul ((hw i (by omega)).pow (k + 1)))
      have e : y * mon c i ((k + 1) :: l) = y * c i ^ (k + 1) * mon c (i + 1) l :=
        (Frac.mul_assoc _ _ _).symm
      rw [e]
      refine r.congr fun j _ => ?_
      show d j + (k + 1) * Tensor.unit i j + _ = d j + _
      rw [← next (k + 1) j, Nat.add_assoc]

/-- The products of all `W i`. -/
theorem ones {c : Nat → Frac}
    (hw : ∀ i, i < n → Models n t u v m x w a b (.W i) (Tensor.unit i) (c i))
    (l : List Nat) (hl : l.length ≤ n) :
    Models n t u v m x w a b ((Form.num 1).raise 0 l) (nth 0 l) (mon c 0 l) := by
  have h := (num (n := n) (t := t) (u := u) (v := v) (m := m) (x := x) (w := w) (a := a) (b := b)
    1).raise hw l 0 (by omega)
  rw [show Frac.ofInt 1 * mon c 0 l = mon c 0 l from Frac.one_mul _] at h
  exact h.congr fun j _ => Nat.zero_add _

theorem raise_zero {c : Nat → Frac}
    (hw : ∀ i, i < n → Models n t u v m x w a b (.W i) (Tensor.unit i) (c i))
    {f l : List Nat} (hl : l.length ≤ n) (h : Models n t u v m x w a b p (nth 0 f) y) :
    Models n t u v m x w a b (p.raise 0 l) (nth 0 (zip Nat.add f l)) (y * mon c 0 l) :=
  (h.raise hw l 0 (by omega)).congr fun j _ => (nth_zip f l j).symm

end Form.Models

theorem gcd_cross (a b : Nat) : a * (b / Nat.gcd a b) = b * (a / Nat.gcd a b) := by
  obtain ⟨x, hx⟩ := Nat.gcd_dvd_left a b
  obtain ⟨y, hy⟩ := Nat.gcd_dvd_right a b
  generalize Nat.gcd a b = g at hx hy
  subst hx hy
  rcases Nat.eq_zero_or_pos g with h | h
  · subst h; rw [Nat.zero_mul, Nat.zero_mul, Nat.zero_mul, Nat.zero_mul]
  · rw [Nat.mul_div_cancel_left y h, Nat.mul_div_cancel_left x h]; ac_rfl

theorem nat_mul (a b : Nat) : nat (a * b) = nat a * nat b := by
  rw [← Frac.ofInt_mul, ← Int.natCast_mul]

theorem nat_pow (a k : Nat) : nat (a ^ k) = nat a ^ k := by
  induction k with
  | zero => rfl
  | succ k ih => rw [Nat.pow_succ, nat_mul, ih, Frac.pow_succ]

theorem nat_pos {a : Nat} (h : a ≠ 0) : 0 < nat a := fun k =>
  h (by have := Frac.ofInt_le.1 (show Frac.ofInt a ≤ Frac.ofInt 0 from k); omega)

/-- What `Term.hom` is. -/
theorem Term.hom_models {n : Nat} {t u v : Nat → Frac} {m : Nat} {x w a b : Nat → Nat}
    {c r : Nat → Frac}
    (hx : ∀ i, i < n → Form.Models n t u v m x w a b (.X i) (Tensor.unit i) (r i * c i))
    (hw : ∀ i, i < n → Form.Models n t u v m x w a b (.W i) (Tensor.unit i) (c i)) (e : Term)
    (he : (e.hom n).den ≠ 0) :
    (e.hom n).deg.length ≤ n ∧ Form.Models n t u v m x w a b (e.hom n).form (nth 0 (e.hom n).deg)
      (nat (e.hom n).den * e.eval r * mon c 0 (e.hom n).deg) := by
  have sum (p q : Hom) (y z : Frac) (hd : (p.add q).den ≠ 0)
      (hp : p.den ≠ 0 → p.deg.length ≤ n ∧
        Form.Models n t u v m x w a b p.form (nth 0 p.deg) (nat p.den * y * mon c 0 p.deg))
      (hq : q.den ≠ 0 → q.deg.length ≤ n ∧
        Form.Models n t u v m x w a b q.form (nth 0 q.deg) (nat q.den * z * mon c 0 q.deg)) :
      (p.add q).deg.length ≤ n ∧ Form.Models n t u v m x w a b (p.add q).form (nth 0 (p.add q).deg)
        (nat (p.add q).den * (y + z) * mon c 0 (p.add q).deg) := by
    have cross := gcd_cross p.den q.den
    have hd : p.den * (q.den / Nat.gcd p.den q.den) ≠ 0 := hd
    obtain ⟨pl, pm⟩ := hp fun h => hd (by rw [h, Nat.zero_mul])
    obtain ⟨ql, qm⟩ := hq fun h => hd (by rw [cross, h, Nat.zero_mul])
    have l₁ : (excess q.deg p.deg).length ≤ n := by rw [excess_length]; exact ql
    have l₂ : (excess p.deg q.deg).length ≤ n := by rw [excess_length]; exact pl
    refine ⟨zip_length _ _ _ _ pl l₁, ?_⟩
    have h := (pm.scale (q.den / Nat.gcd p.den q.den)).raise_zero hw l₁
    have k := (qm.scale (p.den / Nat.gcd p.den q.den)).raise_zero hw l₂
    rw [← zip_excess p.deg q.deg] at k
    have s := h.add k
    have e : nat (q.den / Nat.gcd p.den q.den) * (nat p.den * y * mon c 0 p.deg)
          * mon c 0 (excess q.deg p.deg)
        + nat (p.den / Nat.gcd p.den q.den) * (nat q.den * z * mon c 0 q.deg)
          * mon c 0 (excess p.deg q.deg)
        = nat (p.den * (q.den / Nat.gcd p.den q.den)) * (y + z)
          * mon c 0 (zip Nat.add p.deg (excess q.deg p.deg)) := by
      rw [Frac.mul_add, Frac.add_mul]
      refine congr (congrArg _ ?_) ?_
      · rw [nat_mul, mon_zip]; ac_rfl
      · rw [cross, zip_excess, nat_mul, mon_zip]; ac_rfl
    rw [e] at s
    exact s
  have negated (p : Hom) (z : Frac)
      (hp : Form.Models n t u v m x w a b p.form (nth 0 p.deg) (nat p.den * z * mon c 0 p.deg)) :
      Form.Models n t u v m x w a b p.neg.form (nth 0 p.neg.deg)
        (nat p.neg.den * -z * mon c 0 p.neg.deg) := by
    have := hp.neg
    rw [← Frac.neg_mul, ← Frac.mul_neg] at this
    exact this
  induction e with
  | num p q =>
    have he : q ≠ 0 := he
    refine ⟨Nat.zero_le _, ?_⟩
    have e : nat q * (Frac.ofInt p / nat q) * 1 = Frac.ofInt p := by
      rw [Frac.mul_one, Frac.mul_comm, Frac.div_mul_cancel (Frac.ne_of_gt (nat_pos he))]
    show Form.Models n t u v m x w a b (.num p) (fun _ => 0) (nat q * (Frac.ofInt p / nat q) * 1)
    rw [e]
    exact Form.Models.num p
  | var i =>
    by_cases hi : i < n
    · refine ⟨by rw [show (hom n (var i)).deg = unitDeg i from rfl, unitDeg_length]; exact hi, ?_⟩
      show Form.Models n t u v m x w a b (.X i) (nth 0 (unitDeg i))
        (nat (if i < n then 1 else 0) * r i * mon c 0 (unitDeg i))
      rw [if_pos hi, mon_unitDeg, Nat.zero_add, show nat 1 = 1 from rfl, Frac.one_mul]
      exact (hx i hi).congr fun j _ => (nth_unitDeg i j).symm
    · exact absurd (if_neg hi) he
  | add e f ihe ihf => exact sum _ _ _ _ he ihe ihf
  | sub e f ihe ihf =>
    exact sum _ _ _ _ he ihe fun h => ⟨(ihf h).1, negated _ _ (ihf h).2⟩
  | mul e f ihe ihf =>
    have he : (e.hom n).den * (f.hom n).den ≠ 0 := he
    obtain ⟨h₁, h₂⟩ := ihe fun h => he (by rw [h, Nat.zero_mul])
    obtain ⟨k₁, k₂⟩ := ihf fun h => he (by rw [h, Nat.mul_zero])
    refine ⟨zip_length _ _ _ _ h₁ k₁, ?_⟩
    have := (h₂.mul k₂).congr fun j _ => (nth_zip (e.hom n).deg (f.hom n).deg j).symm
    rw [show nat (e.hom n).den * e.eval r * mon c 0 (e.hom n).deg
        * (nat (f.hom n).den * f.eval r * mon c 0 (f.hom n).deg)
      = nat ((e.hom n).den * (f.hom n).den) * (e.eval r * f.eval r)
        * mon c 0 (zip Nat.add (e.hom n).deg (f.hom n).deg)
          by rw [nat_mul, mon_zip]; ac_rfl] at this
    exact this
  | neg e ih => exact ⟨(ih he).1, negated _ _ (ih he).2⟩
  | pow e k ih =>
    have he : (if (e.hom n).den = 0 then 0 else (e.hom n).den ^ k) ≠ 0 := he
    by_cases h : (e.hom n).den = 0
    · rw [if_pos h] at he; exact absurd rfl he
    · obtain ⟨h₁, h₂⟩ := ih h
      refine ⟨by rw [show (hom n (.pow e k)).deg = timesDeg k (e.hom n).deg from rfl,
        timesDeg_length]; exact h₁, ?_⟩
      have := (h₂.pow k).congr fun j _ => (nth_timesDeg k (e.hom n).deg j).symm
      rw [Frac.mul_pow, Frac.mul_pow, ← mon_timesDeg, ← nat_pow] at this
      show Form.Models n t u v m x w a b ((e.hom n).form.pow k) (nth 0 (timesDeg k (e.hom n).deg))
        (nat (if (e.hom n).den = 0 then 0 else (e.hom n).den ^ k) * e.eval r ^ k
          * mon c 0 (timesDeg k (e.hom n).deg))
      rw [if_neg h]
      exact this
  | div e f _ _ => exact absurd rfl he

theorem natCast_pow (a k : Nat) : ((a ^ k : Nat) : Int) = (a : Int) ^ k := by
  induction k with
  | zero => rfl
  | succ k ih => rw [Nat.pow_succ, Int.natCast_mul, ih, Int.pow_succ]

theorem pow_pos {a : Nat} (h : 0 < a) (k : Nat) : 0 < a ^ k := by
  induction k with
  | zero => exact Nat.zero_lt_one
  | succ k ih => exact Nat.mul_pos ih h

/-- A number between two others lies between them in some ratio. -/
theorem between {lo hi x : Frac} (h : lo ≤ x) (k : x ≤ hi) :
    let u := (x - lo) * (hi - lo).inv
    0 ≤ u ∧ 0 ≤ 1 - u ∧ lo * (1 - u) + hi * u = x := by
  intro u
  have e : lo * (1 - u) + hi * u = lo + (hi - lo) * u := by
    rw [Frac.mul_sub, Frac.sub_mul, Frac.mul_one, Frac.sub_eq_add_neg, Frac.sub_eq_add_neg]
    ac_rfl
  have pos : 0 ≤ (hi - lo).inv := Frac.inv_nonneg (Frac.sub_nonneg.2 (Frac.le_trans h k))
  refine ⟨Frac.mul_nonneg (Frac.sub_nonneg.2 h) pos, Frac.sub_nonneg.2 ?_, ?_⟩
  · by_cases z : hi - lo = 0
    · show (x - lo) * (hi - lo).inv ≤ 1
      rw [z, Frac.inv_zero, Frac.mul_zero]
      decide
    · rw [← Frac.mul_inv_cancel z]
      exact Frac.mul_le_mul_of_nonneg_right (Frac.sub_le_sub k (Frac.le_refl lo)) pos
  · rw [e]
    by_cases z : hi - lo = 0
    · have eq : lo = hi := by rw [← Frac.sub_add_cancel hi lo, z, Frac.zero_add]
      rw [z, Frac.zero_mul, Frac.add_zero]
      exact Frac.le_antisymm h (eq ▸ k)
    · rw [show (hi - lo) * ((x - lo) * (hi - lo).inv) = (x - lo) * ((hi - lo) * (hi - lo).inv) by
        ac_rfl, Frac.mul_inv_cancel z, Frac.mul_one, Frac.add_comm, Frac.sub_add_cancel]

namespace Box

/-- How far variable `i` is above the lower end, in parts of the interval. -/
def up (box : Box) (x : Nat → Frac) (i : Nat) : Frac :=
  (x i * nat (box.side i).den - Frac.ofInt (box.side i).lo)
    * (Frac.ofInt (box.side i).hi - Frac.ofInt (box.side i).lo).inv

/-- The value at a point is `y`, and the form is computed right for every packing. -/
def Means (box : Box) (x : Nat → Frac) (p : Form) (d : List Nat) (y : Frac) : Prop :=
  ∀ (m b : Nat) (D : List Nat),
    p.Models box.length (fun i => Frac.ofInt ((b : Int) ^ count (nth 0 D) i)) (box.up x)
      (fun i => 1 - box.up x i) m (box.packX m b D) (box.packW b D) box.sizeX box.sizeW (nth 0 d) y

variable {box : Box} {x : Nat → Frac}

/-- The packed ends of an interval. -/
theorem models (i : Nat) (hi : i < box.length) (m b : Nat) (D : List Nat) (p : Form) (lo hi : Int)
    (hs : p.size box.sizeX box.sizeW = lo.natAbs + hi.natAbs)
    (he : Cong (m + 1) (p.eval m (box.packX m b D) (box.packW b D) : Nat)
      (lo + hi * (b ^ count (nth 0 D) i : Nat))) :
    p.Models box.length (fun i => Frac.ofInt ((b : Int) ^ count (nth 0 D) i)) (box.up x)
      (fun i => 1 - box.up x i) m (box.packX m b D) (box.packW b D) box.sizeX box.sizeW
      (Tensor.unit i) (Frac.ofInt lo * (1 - box.up x i) + Frac.ofInt hi * box.up x i) := by
  refine ⟨lo + hi * (b ^ count (nth 0 D) i : Nat), ?_, he⟩
  rw [hs]
  refine Rep.linear (u := box.up x) (v := fun i => 1 - box.up x i) ‹i < box.length› lo hi _ ?_
  exact congrArg Frac.ofInt (natCast_pow _ _).symm

theorem models_X (h : box.Mem x) (m b : Nat) (D : List Nat) (i : Nat) (hi : i < box.length) :
    (Form.X i).Models box.length (fun i => Frac.ofInt ((b : Int) ^ count (nth 0 D) i))
      (box.up x) (fun i => 1 - box.up x i) m (box.packX m b D) (box.packW b D) box.sizeX box.sizeW
      (Tensor.unit i) (x i * nat (box.side i).den) := by
  have := models (x := x) i hi m b D (.X i) (box.side i).lo (box.side i).hi rfl
    ((Cong.residue m _).natAdd ((Cong.residue m _).natMul (Cong.refl _ _)))
  have e : Frac.ofInt (box.side i).lo * (1 - box.up x i) + Frac.ofInt (box.side i).hi * box.up x i
      = x i * nat (box.side i).den := (between (h i hi).1 (h i hi).2).2.2
  rw [e] at this
  exact this

theorem models_W (m b : Nat) (D : List Nat) (i : Nat) (hi : i < box.length) :
    (Form.W i).Models box.length (fun i => Frac.ofInt ((b : Int) ^ count (nth 0 D) i))
      (box.up x) (fun i => 1 - box.up x i) m (box.packX m b D) (box.packW b D) box.sizeX box.sizeW
      (Tensor.unit i) (nat (box.side i).den) := by
  have := models (x := x) i hi m b D (.W i) (box.side i).den (box.side i).den rfl
    ((Cong.refl _ _).natAdd ((Cong.refl _ _).natMul (Cong.refl _ _)))
  rw [← Frac.mul_add, Frac.sub_add_cancel, Frac.mul_one] at this
  exact this

theorem den_ne_zero : ∀ {box : Box}, box.valid = true → ∀ i, i < box.length → (box.side i).den ≠ 0
  | [], _, i, hi => absurd hi (Nat.not_lt_zero _)
  | s :: box, h, i, hi => by
    have h : cond (Nat.ble 1 s.den) (valid box) false = true := h
    cases hs : Nat.ble 1 s.den with
    | false => rw [hs] at h; cases h
    | true =>
      rw [hs] at h
      cases i with
      | zero =>
        have := Nat.le_of_ble_eq_true hs
        show s.den ≠ 0
        omega
      | succ i => exact den_ne_zero (box := box) h i (Nat.lt_of_succ_lt_succ hi)

/-- The value of a polynomial, made homogeneous. -/
theorem means_hom (h : box.Mem x) {e : Term} (he : (e.hom box.length).valid = true) :
    (e.hom box.length).deg.length ≤ box.length ∧
      box.Means x (e.hom box.length).form (e.hom box.length).deg
        (nat (e.hom box.length).den * e.eval x
          * mon (fun i => nat (box.side i).den) 0 (e.hom box.length).deg) := by
  have hd : (e.hom box.length).den ≠ 0 := fun z => by
    unfold Hom.valid at he
    rw [z] at he
    cases he
  have key (m b : Nat) (D : List Nat) := e.hom_models (models_X h m b D) (models_W m b D) hd
  exact ⟨(key 0 0 []).1, fun m b D => (key m b D).2⟩

theorem nonneg_sound (hx : box.Mem x) {n : Nat} (hn : n = box.length) {p : Form} {d : List Nat}
    {y : Frac} (hp : box.Means x p d y) (ok : nonneg n box d p = true) : 0 ≤ y := by
  subst hn
  let h := p.sizeOn box + 1
  let b := 2 * h
  obtain ⟨c, hc, z, hz⟩ := hp (Nat.pred (b ^ count (nth 0 d) box.length)) b d
  have e : Nat.pred (b ^ count (nth 0 d) box.length) + 1 = b ^ count (nth 0 d) box.length :=
    Nat.succ_pred_eq_of_pos (pow_pos (Nat.mul_pos (by decide) (Nat.succ_pos _)) _)
  rw [e, natCast_pow] at hz
  exact Rep.nonneg (b := b) (h := h) rfl _ z hz rfl
    (fun i hi => ⟨(between (hx i hi).1 (hx i hi).2).1, (between (hx i hi).1 (hx i hi).2).2.1⟩)
    (Nat.lt_succ_self _) ok hc

theorem pos_sound (h : box.Mem x) (hv : box.valid = true) {n : Nat} (hn : n = box.length) {p : Form}
    {d : List Nat} {y : Frac} (hl : d.length ≤ box.length) (hp : box.Means x p d y)
    (ok : nonneg n box d (lessOne box d p) = true) : 0 < y := by
  let c (i : Nat) : Frac := nat (box.side i).den
  let size := ((Form.num 1).raise 0 d).sizeOn box
  have hm : 0 < mon c 0 d :=
    mon_pos (fun i hi => nat_pos (den_ne_zero hv i hi)) d 0 (by omega)
  have means : box.Means x (lessOne box d p) d (nat size * y + -mon c 0 d) := fun m b D =>
    (((Form.Models.num (size : Int)).mul (hp m b D)).congr fun _ _ => Nat.zero_add _).add
      (Form.Models.ones (models_W m b D) d hl).neg
  intro hy
  have := nonneg_sound h hn means ok
  have le : mon c 0 d ≤ nat size * y := Frac.sub_nonneg.1 this
  have zero : nat size * y ≤ nat size * 0 :=
    Frac.mul_le_mul_of_nonneg_left hy (Frac.ofInt_nonneg.2 (Int.natCast_nonneg _))
  rw [Frac.mul_zero] at zero
  exact Frac.lt_irrefl 0 (Frac.lt_of_lt_of_le hm (Frac.le_trans le zero))

theorem means_neg {p : Form} {d : List Nat} {y : Frac} (hp : box.Means x p d y) :
    box.Means x p.neg d (-y) := fun m b D => (hp m b D).neg

theorem shows_sound (h : box.Mem x) (hv : box.valid = true) {n : Nat} (hn : n = box.length)
    {p : Form} {d : List Nat} {y : Frac} (hl : d.length ≤ box.length) (hp : box.Means x p d y)
    {rel : Rel} (ok : shows n box d rel p = true) : rel.Holds y := by
  cases rel with
  | le => exact nonneg_sound h hn hp ok
  | lt => exact pos_sound h hv hn hl hp ok
  | ne =>
    have ok : (nonneg n box d (lessOne box d p) || nonneg n box d (lessOne box d p.neg))
      = true := ok
    intro e
    cases k : nonneg n box d (lessOne box d p) with
    | true =>
      have := pos_sound h hv hn hl hp k
      rw [e] at this
      exact Frac.lt_irrefl 0 this
    | false =>
      rw [k] at ok
      have := pos_sound h hv hn hl (means_neg hp) ok
      rw [e] at this
      exact Frac.lt_irrefl 0 this

end Box

/-- A positive factor does not matter. -/
theorem Rel.of_mul {rel : Rel} {x y : Frac} (hy : 0 < y) (h : rel.Holds (x * y)) : rel.Holds x := by
  cases rel with
  | le =>
    exact Frac.le_of_mul_le_mul_right (z := y) (by rw [Frac.zero_mul]; exact h) hy
  | lt =>
    intro k
    exact h (by
      have := Frac.mul_le_mul_of_nonneg_right k (Frac.le_of_lt hy)
      rwa [Frac.zero_mul] at this)
  | ne => exact fun e => h (by rw [e, Frac.zero_mul])

theorem and_split {a b : Bool} (h : (a && b) = true) : a = true ∧ b = true := by
  cases a with
  | false => cases h
  | true => exact ⟨rfl, h⟩

theorem or_split {a b : Bool} (h : (a || b) = true) : a = true ∨ b = true := by
  cases a with
  | false => exact .inr h
  | true => exact .inl rfl

theorem cond_split {a b : Bool} (h : cond a b false = true) : a = true ∧ b = true := by
  cases a with
  | false => cases h
  | true => exact ⟨rfl, h⟩

namespace Box

theorem length_modify (f : Side → Side) (box : Box) (i : Nat) :
    (box.modify f i).length = box.length := by
  induction box generalizing i with
  | nil => rfl
  | cons s box ih =>
    cases i with
    | zero => rfl
    | succ i => exact congrArg (· + 1) (ih i)

theorem mem_modify {f : Side → Side} {box : Box} {x : Nat → Frac} {i : Nat} (h : box.Mem x)
    (hf : ∀ s : Side, s.Mem (x i) → (f s).Mem (x i)) : (box.modify f i).Mem x := by
  intro j hj
  rw [length_modify] at hj
  suffices H : ∀ (box : Box) (i j : Nat), j < box.length → (box.modify f i).side j = (if j = i then
      f (box.side j) else box.side j) by
    rw [H box i j hj]
    by_cases e : j = i
    · rw [if_pos e]; subst e; exact hf _ (h j hj)
    · rw [if_neg e]; exact h j hj
  clear h hf hj
  intro box
  induction box with
  | nil => exact fun i j h => absurd h (Nat.not_lt_zero _)
  | cons s box ih =>
    intro i j h
    cases i with
    | zero =>
      cases j with
      | zero => rfl
      | succ j => rfl
    | succ i =>
      cases j with
      | zero => rfl
      | succ j =>
        show (modify f box i).side j = if j + 1 = i + 1 then f (side box j) else side box j
        rw [ih i j (Nat.lt_of_succ_lt_succ h)]
        by_cases e : j = i
        · rw [if_pos e, if_pos (congrArg (· + 1) e)]
        · rw [if_neg e, if_neg (fun k => e (Nat.succ.inj k))]

end Box

theorem Side.mem_below {s : Side} {x : Frac} {p : Int} {q : Nat} (h : s.Mem x)
    (k : x * nat q ≤ Frac.ofInt p) : (s.below p q).Mem x := by
  have scale {a : Int} (n : Nat) : Frac.ofInt (a * n) = Frac.ofInt a * nat n := Frac.ofInt_mul _ _
  have pos (n : Nat) : 0 ≤ nat n := Frac.ofInt_nonneg.2 (Int.natCast_nonneg _)
  constructor
  · show Frac.ofInt (s.lo * (q / Nat.gcd s.den q : Nat)) ≤ x * nat (s.den * (q / Nat.gcd s.den q))
    rw [scale, nat_mul, ← Frac.mul_assoc]
    exact Frac.mul_le_mul_of_nonneg_right h.1 (pos _)
  · show x * nat (s.den * (q / Nat.gcd s.den q)) ≤ Frac.ofInt (p * (s.den / Nat.gcd s.den q : Nat))
    rw [gcd_cross, scale, nat_mul, ← Frac.mul_assoc]
    exact Frac.mul_le_mul_of_nonneg_right k (pos _)

theorem Side.mem_above {s : Side} {x : Frac} {p : Int} {q : Nat} (h : s.Mem x)
    (k : Frac.ofInt p ≤ x * nat q) : (s.above p q).Mem x := by
  have scale {a : Int} (n : Nat) : Frac.ofInt (a * n) = Frac.ofInt a * nat n := Frac.ofInt_mul _ _
  have pos (n : Nat) : 0 ≤ nat n := Frac.ofInt_nonneg.2 (Int.natCast_nonneg _)
  constructor
  · show Frac.ofInt (p * (s.den / Nat.gcd s.den q : Nat)) ≤ x * nat (s.den * (q / Nat.gcd s.den q))
    rw [gcd_cross, scale, nat_mul, ← Frac.mul_assoc]
    exact Frac.mul_le_mul_of_nonneg_right k (pos _)
  · show x * nat (s.den * (q / Nat.gcd s.den q)) ≤ Frac.ofInt (s.hi * (q / Nat.gcd s.den q : Nat))
    rw [scale, nat_mul, ← Frac.mul_assoc]
    exact Frac.mul_le_mul_of_nonneg_right h.2 (pos _)

/-- A claim that holds at the leaves holds on the box. -/
theorem checkTree_sound {rel : Rel} {num : Hom} {den : Option Hom} {x : Nat → Frac} {n : Nat}
    {P : Prop}
    (leaf : ∀ box : Box, n = box.length → box.Mem x → checkLeaf n rel num den box = true → P)
    (t : Tree) (box : Box) (hn : n = box.length) (h : box.Mem x)
    (ok : checkTree n rel num den t box = true) : P := by
  induction t generalizing box with
  | leaf => exact leaf box hn h ok
  | split i p q low high ihl ihh =>
    have ok : cond (checkTree n rel num den low (box.modify (·.below p q) i))
      (checkTree n rel num den high (box.modify (·.above p q) i)) false = true := ok
    obtain ⟨l, r⟩ := cond_split ok
    rcases Frac.le_total (x i * nat q) (Frac.ofInt p) with k | k
    · exact ihl _ (hn.trans (Box.length_modify _ _ _).symm)
        (Box.mem_modify h fun s hs => Side.mem_below hs k) l
    · exact ihh _ (hn.trans (Box.length_modify _ _ _).symm)
        (Box.mem_modify h fun s hs => Side.mem_above hs k) r

/-- What the checker accepts is true. -/
theorem check_sound {rel : Rel} {e : Term} {box : Box} {tree : Tree}
    (ok : check rel e box tree = true) (x : Nat → Frac) (h : box.Mem x) : rel.Holds (e.eval x) := by
  have factor {box : Box} (hv : box.valid = true) {n : Nat} (hn : n = box.length) (f : Term)
      (hf : (f.hom n).valid = true) (hl : (f.hom n).deg.length ≤ n) :
      0 < nat (f.hom n).den * mon (fun i => nat (box.side i).den) 0 (f.hom n).deg := by
    refine Frac.mul_pos (nat_pos fun z => ?_)
      (mon_pos (fun i hi => nat_pos (Box.den_ne_zero hv i hi)) _ 0 (by omega))
    unfold Hom.valid at hf
    rw [z] at hf
    cases hf
  have swap (a b c : Frac) : a * b * c = b * (a * c) := by ac_rfl
  have clear := e.eval_clear x
  unfold check at ok
  cases hq : e.clear.2 with
  | none =>
    rw [hq] at ok clear
    obtain ⟨hp, ok⟩ := and_split ok
    refine checkTree_sound (x := x) (fun box' hn h' ok => ?_) tree box rfl h ok
    obtain ⟨hv, ok⟩ := cond_split ok
    have ok : shows box.length box' _ rel _ = true := ok
    rw [hn] at ok hp
    obtain ⟨hl, hm⟩ := Box.means_hom h' hp
    have := Box.shows_sound h' hv rfl hl hm ok
    rw [swap] at this
    have := Rel.of_mul (factor hv rfl _ hp hl) this
    rw [← clear fun z => absurd (show (1 : Frac) = 0 from z) (by decide)] at this
    rwa [show Term.evalDen x none = 1 from rfl, Frac.mul_one] at this
  | some q =>
    rw [hq] at ok clear
    obtain ⟨hpq, ok⟩ := and_split ok
    obtain ⟨hp, hq⟩ := and_split hpq
    refine checkTree_sound (x := x) (fun box' hn h' ok => ?_) tree box rfl h ok
    obtain ⟨hv, ok⟩ := cond_split ok
    have ok : (shows box.length box' _ .lt _ && shows box.length box' _ rel _ ||
      shows box.length box' _ .lt _ && shows box.length box' _ rel _) = true := ok
    rw [hn] at ok hp hq
    obtain ⟨hl, hm⟩ := Box.means_hom h' hp
    obtain ⟨kl, km⟩ := Box.means_hom h' hq
    have fp := factor hv rfl _ hp hl
    have fq := factor hv rfl _ hq kl
    rcases or_split ok with ok | ok
    · obtain ⟨ok₁, ok₂⟩ := and_split ok
      have pos := Box.shows_sound h' hv rfl kl km ok₁
      have this := Box.shows_sound h' hv rfl hl hm ok₂
      rw [swap] at pos this
      have pos : 0 < q.eval x := Rel.of_mul (rel := .lt) fq pos
      have this := Rel.of_mul fp this
      rw [← clear (Frac.ne_of_gt pos)] at this
      exact Rel.of_mul pos this
    · obtain ⟨ok₁, ok₂⟩ := and_split ok
      have neg := Box.shows_sound h' hv rfl kl (Box.means_neg km) ok₁
      have this := Box.shows_sound h' hv rfl hl (Box.means_neg hm) ok₂
      rw [swap, ← Frac.neg_mul] at neg this
      have neg : 0 < -q.eval x := Rel.of_mul (rel := .lt) fq neg
      have this := Rel.of_mul fp this
      have ne : q.eval x ≠ 0 := fun z => by
        rw [z] at neg
        exact absurd neg (by decide)
      rw [← clear ne, ← Frac.mul_neg] at this
      exact Rel.of_mul neg this

end LeanOracle.Certify
