/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Ball.Decimal

/-!
# Decimals as text

What is printed can be read back: `Decimal.ofChars?_toChars`, `readInt?_intChars`. The theorems are
about lists of characters. `Decimal.ofString?` and `toString` are the same functions on strings.
-/

namespace LeanOracle

/-! ### Integers -/

/-- The number that `cs` ends, digit by digit, when `m` has been read before. -/
def digitsValue (m : Nat) (cs : List Char) : Nat :=
  cs.foldl (fun n c => 10 * n + (c.toNat - '0'.toNat)) m

/-- Reads one digit or more, and nothing else. -/
def readNat? (cs : List Char) : Option Nat :=
  if !cs.isEmpty && cs.all Char.isDigit then some (digitsValue 0 cs) else none

/-- Reads digits, perhaps after a minus sign. -/
def readInt? (cs : List Char) : Option Int :=
  if cs.head? = some '-' then (readNat? (cs.drop 1)).map fun (n : Nat) => -(n : Int)
  else (readNat? cs).map fun (n : Nat) => (n : Int)

/-- The decimal digits of a number. -/
def natChars (n : Nat) : List Char := go n n []
where
  /-- Puts the digits of `n` before `cs`; `fuel` is at least `n`. -/
  go : (fuel n : Nat) → (cs : List Char) → List Char
    | 0, n, cs => Char.ofNat (n + 48) :: cs
    | fuel + 1, n, cs =>
      if n < 10 then Char.ofNat (n + 48) :: cs
      else go fuel (n / 10) (Char.ofNat (n % 10 + 48) :: cs)

/-- An integer in decimal notation. -/
def intChars (n : Int) : List Char :=
  if n < 0 then '-' :: natChars n.natAbs else natChars n.natAbs

private theorem digit_spec :
    ∀ d, d < 10 → (Char.ofNat (d + 48)).isDigit = true ∧ (Char.ofNat (d + 48)).toNat - 48 = d := by
  decide +kernel

private theorem go_spec (fuel n : Nat) (cs : List Char) (h : n ≤ fuel)
    (hcs : cs.all Char.isDigit = true) :
    (natChars.go fuel n cs).all Char.isDigit = true
      ∧ digitsValue 0 (natChars.go fuel n cs) = digitsValue n cs
      ∧ natChars.go fuel n cs ≠ [] := by
  have last (d : Nat) (hd : d < 10) : (Char.ofNat (d + 48) :: cs).all Char.isDigit = true
      ∧ ∀ m, digitsValue m (Char.ofNat (d + 48) :: cs) = digitsValue (10 * m + d) cs := by
    have := digit_spec d hd
    refine ⟨by rw [List.all_cons, this.1, hcs]; rfl, fun m => ?_⟩
    show digitsValue (10 * m + ((Char.ofNat (d + 48)).toNat - 48)) cs = _
    rw [this.2]
  induction fuel generalizing n cs with
  | zero =>
    have := last n (by omega)
    exact ⟨this.1, by rw [natChars.go, this.2, Nat.mul_zero, Nat.zero_add], by simp [natChars.go]⟩
  | succ fuel ih =>
    unfold natChars.go
    by_cases hn : n < 10
    · rw [if_pos hn]
      exact ⟨(last n hn).1, by rw [(last n hn).2, Nat.mul_zero, Nat.zero_add], by simp⟩
    · rw [if_neg hn]
      have hd := last (n % 10) (by omega)
      have := ih (n / 10) (Char.ofNat (n % 10 + 48) :: cs) (by omega) hd.1 (fun d h => by
        have hs := digit_spec d h
        refine ⟨by rw [List.all_cons, hs.1, hd.1]; rfl, fun m => ?_⟩
        show digitsValue (10 * m + ((Char.ofNat (d + 48)).toNat - 48)) _ = _
        rw [hs.2])
      refine ⟨this.1, this.2.1.trans ?_, this.2.2⟩
      rw [hd.2, Nat.div_add_mod]

/-- What is used of the digits of a number. -/
private theorem natChars_spec (n : Nat) : ∃ c cs, natChars n = c :: cs ∧ c.isDigit = true
    ∧ cs.all Char.isDigit = true ∧ digitsValue (c.toNat - 48) cs = n := by
  obtain ⟨digits, value, ne⟩ := go_spec n n [] (Nat.le_refl n) rfl
  change (natChars n).all _ = true at digits
  change digitsValue 0 (natChars n) = n at value
  change natChars n ≠ [] at ne
  cases h : natChars n with
  | nil => exact absurd h ne
  | cons c cs =>
    rw [h, List.all_cons, Bool.and_eq_true] at digits
    rw [h] at value
    refine ⟨c, cs, rfl, digits.1, digits.2, ?_⟩
    rw [← value]
    show _ = digitsValue (10 * 0 + (c.toNat - 48)) cs
    rw [Nat.mul_zero, Nat.zero_add]

private theorem head_natChars (n : Nat) (rest : List Char) {c : Char} (hc : c.isDigit = false) :
    (natChars n ++ rest).head? ≠ some c := by
  obtain ⟨d, cs, h, hd, -⟩ := natChars_spec n
  rw [h]
  intro e
  have e : some d = some c := e
  cases e
  rw [hd] at hc
  cases hc

theorem readNat?_natChars (n : Nat) : readNat? (natChars n) = some n := by
  obtain ⟨c, cs, h, hc, hcs, value⟩ := natChars_spec n
  have : (!(c :: cs).isEmpty && (c :: cs).all Char.isDigit) = true := by
    rw [List.all_cons, hc, hcs]; rfl
  rw [h, readNat?, if_pos this]
  show some (digitsValue (10 * 0 + (c.toNat - 48)) cs) = _
  rw [Nat.mul_zero, Nat.zero_add, value]

/-- An integer that was printed is read back. -/
theorem readInt?_intChars (n : Int) : readInt? (intChars n) = some n := by
  unfold readInt? intChars
  by_cases h : n < 0
  · rw [if_pos h]
    refine (if_pos rfl).trans ?_
    show (readNat? (natChars n.natAbs)).map _ = _
    rw [readNat?_natChars]
    exact congrArg some (show -((n.natAbs : Nat) : Int) = n by omega)
  · have := head_natChars n.natAbs [] (c := '-') (by decide +kernel)
    rw [List.append_nil] at this
    rw [if_neg h, if_neg this, readNat?_natChars]
    exact congrArg some (show ((n.natAbs : Nat) : Int) = n by omega)

/-! ### Decimals -/

namespace Decimal

/-- The two integers, with an `e` between them: `-125e-9`. -/
def toChars (x : Decimal) : List Char := intChars x.num ++ 'e' :: intChars x.exp

instance : ToString Decimal := ⟨fun x => String.ofList x.toChars⟩

/-- Reads what follows the sign of a decimal: `m` is the number read so far without its point,
`frac` the number of digits after the point. -/
def readFrom (neg : Bool) (m frac : Nat) (digits point : Bool) : List Char → Option Decimal
  | [] => if digits then some (make 0) else none
  | c :: cs =>
    if c.isDigit then
      readFrom neg (10 * m + (c.toNat - '0'.toNat)) (if point then frac + 1 else frac) true point cs
    else if c == '.' && !point then readFrom neg m frac digits true cs
    else if (c == 'e' || c == 'E') && digits then
      if cs.head? = some '+' then (readNat? (cs.drop 1)).map fun (e : Nat) => make e
      else (readInt? cs).map make
    else none
where
  /-- The decimal with exponent `e`. -/
  make (e : Int) : Decimal := ⟨if neg then -m else m, e - frac⟩

/-- Reads `-12`, `0.5`, `1.25e-7` exactly; `none` when the text has another form. -/
def ofChars? (cs : List Char) : Option Decimal :=
  if cs.head? = some '-' then readFrom true 0 0 false false (cs.drop 1)
  else readFrom false 0 0 false false cs

/-- Reads `-12`, `0.5`, `1.25e-7` exactly; `none` when the text has another form. -/
def ofString? (s : String) : Option Decimal := ofChars? s.toList

private theorem readFrom_digits (neg : Bool) (m : Nat) (cs rest : List Char)
    (h : cs.all Char.isDigit = true) : readFrom neg m 0 true false (cs ++ rest)
      = readFrom neg (digitsValue m cs) 0 true false rest := by
  induction cs generalizing m with
  | nil => rfl
  | cons c cs ih =>
    rw [List.all_cons, Bool.and_eq_true] at h
    rw [List.cons_append, readFrom, if_pos h.1]
    exact ih _ h.2

private theorem readFrom_natChars (neg : Bool) (n : Nat) (e : Int) :
    readFrom neg 0 0 false false (natChars n ++ 'e' :: intChars e)
      = some ⟨if neg then -n else n, e⟩ := by
  obtain ⟨c, cs, h, hc, hcs, value⟩ := natChars_spec n
  rw [h, List.cons_append, readFrom, if_pos hc]
  show readFrom neg (10 * 0 + (c.toNat - 48)) 0 true false _ = _
  have plus : (intChars e).head? ≠ some '+' := by
    unfold intChars
    by_cases h : e < 0
    · rw [if_pos h]
      show some '-' ≠ some '+'
      decide
    · have := head_natChars e.natAbs [] (c := '+') (by decide +kernel)
      rwa [if_neg h, ← List.append_nil (natChars _)]
  rw [readFrom_digits _ _ _ _ hcs, Nat.mul_zero, Nat.zero_add, value, readFrom,
    if_neg (by decide +kernel), if_neg (by decide +kernel), if_pos (by decide +kernel), if_neg plus, readInt?_intChars]
  exact congrArg some (congrArg (Decimal.mk _) (Int.sub_zero e))

/-- A decimal that was printed is read back, the same pair of integers. -/
theorem ofChars?_toChars (x : Decimal) : ofChars? x.toChars = some x := by
  unfold ofChars? toChars
  by_cases h : x.num < 0
  · rw [intChars, if_pos h]
    refine (if_pos rfl).trans ?_
    show readFrom true 0 0 false false (natChars _ ++ 'e' :: intChars x.exp) = _
    rw [readFrom_natChars]
    exact congrArg some (congrArg (Decimal.mk · x.exp) (by
      show -((x.num.natAbs : Nat) : Int) = x.num
      omega))
  · rw [show intChars x.num = natChars x.num.natAbs from if_neg h,
      if_neg (head_natChars _ _ (by decide +kernel)), readFrom_natChars]
    exact congrArg some (congrArg (Decimal.mk · x.exp) (by
      show ((x.num.natAbs : Nat) : Int) = x.num
      omega))

/-- The same for any string with the characters that are printed. -/
theorem ofString?_of_toList {s : String} {x : Decimal} (h : s.toList = x.toChars) :
    ofString? s = some x := by
  rw [ofString?, h, ofChars?_toChars]

end Decimal

end LeanOracle
