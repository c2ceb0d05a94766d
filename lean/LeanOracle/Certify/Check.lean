/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import LeanOracle.Certify.Tensor

/-!
# The checker

`check rel e box tree` decides whether the certificate `tree` shows `0 ≤ e`, `0 < e` or `e ≠ 0` on a
box, for an expression `e` of rational numbers, variables, `+`, `-`, `*`, `/` and `^`; `check_sound`
is the theorem that says so, in `LeanOracle.Certify.Sound`.

* A certificate is a tree of cuts of the box (`Tree`).
* First, once, the expression is written as one fraction of polynomials (`Term.clear`), and both are
  made homogeneous in each variable (`Term.hom`): `x ^ 2 - x + 1/2` becomes
  `2 * X ^ 2 - 2 * X * W + W ^ 2`, of the sign of the polynomial at `X / W` if `W` is positive.
* On each box at a leaf of the tree, these are written in the Bernstein form: for `x` between
  `lo / den` and `hi / den` there are nonnegative `u` and `v` of sum one with
  `x * den = lo * v + hi * u`, so that is put for `X`, and `den * v + den * u` for `W`. The
  coefficients are integers, packed into one; see `LeanOracle.Certify.Tensor`. To know how much room
  they need, the sum of their absolute values is bounded first.
* The denominator must be of one strict sign on the box. It is a product in which every divisor in
  the expression occurs, so nothing is divided by zero.
* What has no negative coefficient is nonnegative. What still has none after one is subtracted from
  a large multiple is positive.

Source for the form: R. T. Farouki, *The Bernstein polynomial basis: a centennial retrospective*,
Computer Aided Geometric Design 29 (2012). The coefficients here are those there, times binomial
coefficients.
-/

namespace LeanOracle.Certify

/-! ### Expressions -/

/-- A rational expression in numbered variables. -/
inductive Term where
  /-- The number `n / d`. -/
  | num (n : Int) (d : Nat)
  /-- The variable number `i`, counted from 0. -/
  | var (i : Nat)
  /-- `a + b` -/
  | protected add (a b : Term)
  /-- `a - b` -/
  | protected sub (a b : Term)
  /-- `a * b` -/
  | protected mul (a b : Term)
  /-- `-a` -/
  | protected neg (a : Term)
  /-- `a ^ k` -/
  | protected pow (a : Term) (k : Nat)
  /-- `a / b` -/
  | protected div (a b : Term)
  deriving Repr, Inhabited, DecidableEq

/-- A natural number as a fraction. -/
abbrev nat (k : Nat) : Frac := Frac.ofInt k

namespace Term

instance (n : Nat) : OfNat Term n := ⟨num n 1⟩
instance : Coe Int Term := ⟨fun n => num n 1⟩
instance : Add Term := ⟨Term.add⟩
instance : Sub Term := ⟨Term.sub⟩
instance : Mul Term := ⟨Term.mul⟩
instance : Neg Term := ⟨Term.neg⟩
instance : Div Term := ⟨Term.div⟩
instance : Pow Term Nat := ⟨Term.pow⟩

/-- The value where variable `i` is `x i`. -/
def eval (x : Nat → Frac) : Term → Frac
  | num n d => Frac.ofInt n / nat d
  | var i => x i
  | .add a b => a.eval x + b.eval x
  | .sub a b => a.eval x - b.eval x
  | .mul a b => a.eval x * b.eval x
  | .neg a => -a.eval x
  | .pow a k => a.eval x ^ k
  | .div a b => a.eval x / b.eval x

/-- The product with a denominator, where `none` is 1. -/
def times (a : Term) : Option Term → Term
  | none => a
  | some b => .mul a b

/-- The product of denominators. -/
def timesDen : Option Term → Option Term → Option Term
  | none, b => b
  | some a, b => some (a.times b)

/-- Numerator and denominator, both without division but by numbers. -/
def clear : Term → Term × Option Term
  | .add a b =>
    let (n, d) := a.clear
    let (m, e) := b.clear
    if d = e then (.add n m, d) else (.add (n.times e) (m.times d), timesDen d e)
  | .sub a b =>
    let (n, d) := a.clear
    let (m, e) := b.clear
    if d = e then (.sub n m, d) else (.sub (n.times e) (m.times d), timesDen d e)
  | .mul a b =>
    let (n, d) := a.clear
    let (m, e) := b.clear
    (.mul n m, timesDen d e)
  | .neg a =>
    let (n, d) := a.clear
    (.neg n, d)
  | .pow a k =>
    let (n, d) := a.clear
    (.pow n k, d.map (Term.pow · k))
  | .div a b =>
    let (n, d) := a.clear
    match b with
    | .num (.ofNat p) q => (.mul n (.num q p), d)
    | b =>
      let (m, e) := b.clear
      ((n.times e).times e, timesDen (timesDen d (some m)) e)
  | a => (a, none)

end Term

/-! ### Lists of exponents -/

/-- The entry number `i`, or `z` if there is none. -/
def nth (z : α) (l : List α) (i : Nat) : α :=
  recList (fun a _ next i => match i with
    | 0 => a
    | i + 1 => next i) (fun _ => z) l i

/-- The entrywise difference, 0 where it is negative. -/
def excess : List Nat → List Nat → List Nat
  | [], _ => []
  | a :: l, [] => a :: l
  | a :: l, b :: m => (a - b) :: excess l m

/-- The exponents of variable `i`. -/
def unitDeg : Nat → List Nat
  | 0 => [1]
  | i + 1 => 0 :: unitDeg i

/-- All exponents times `k`. -/
def timesDeg (k : Nat) : List Nat → List Nat
  | [] => []
  | a :: l => k * a :: timesDeg k l

/-! ### Homogeneous polynomials -/

/-- A polynomial with integer coefficients in variables `X i` and `W i`, by what it does with
numbers. -/
structure Form where
  /-- A bound for the sum of the absolute values of the coefficients, from those of the
  variables. -/
  size : (Nat → Nat) → (Nat → Nat) → Nat
  /-- The value, modulo `m + 1` for the given `m`. -/
  eval : Nat → (Nat → Nat) → (Nat → Nat) → Nat

/-- An integer modulo `m + 1`. -/
def residue (m : Nat) : Int → Nat
  | .ofNat a => a
  | .negSucc a => Nat.mul (Nat.succ a) m

namespace Form

/-- An integer. -/
def num (n : Int) : Form := ⟨fun _ _ => n.natAbs, fun m _ _ => residue m n⟩

/-- The variable `X i`. -/
def X (i : Nat) : Form := ⟨fun x _ => x i, fun _ x _ => x i⟩

/-- The variable `W i`. -/
def W (i : Nat) : Form := ⟨fun _ w => w i, fun _ _ w => w i⟩

/-- The sum. -/
def add (p q : Form) : Form :=
  ⟨fun x w => Nat.add (p.size x w) (q.size x w), fun m x w => Nat.add (p.eval m x w) (q.eval m x w)⟩

/-- The product. -/
def mul (p q : Form) : Form :=
  ⟨fun x w => Nat.mul (p.size x w) (q.size x w),
    fun m x w => Nat.mod (Nat.mul (p.eval m x w) (q.eval m x w)) (Nat.succ m)⟩

/-- The negative. -/
def neg (p : Form) : Form :=
  ⟨p.size, fun m x w => Nat.mod (Nat.mul (p.eval m x w) m) (Nat.succ m)⟩

/-- The power. -/
def pow (p : Form) (k : Nat) : Form :=
  ⟨fun x w => Nat.pow (p.size x w) k,
    fun m x w => Nat.mod (Nat.pow (p.eval m x w) k) (Nat.succ m)⟩

/-- The product with a natural number. -/
def scale (k : Nat) (p : Form) : Form :=
  match k with
  | 1 => p
  | k => mul (num k) p

/-- The product with the `W i ^ k`, for the exponents `k` in a list. -/
def raise (p : Form) : Nat → List Nat → Form
  | _, [] => p
  | i, 0 :: l => raise p (i + 1) l
  | i, (k + 1) :: l => raise (mul p (pow (W i) (k + 1))) (i + 1) l

end Form

/-- A homogeneous polynomial. At `X i = x i * W i` it is `den` times the value of some expression at
`x`, times the product of the `W i`, each to its degree. -/
structure Hom where
  /-- The factor; 0 for what is no polynomial. -/
  den : Nat
  /-- The degrees; what the list lacks is 0. -/
  deg : List Nat
  /-- The polynomial. -/
  form : Form

namespace Hom

/-- The sum. -/
def add (p q : Hom) : Hom :=
  let g := Nat.gcd p.den q.den
  let d := excess q.deg p.deg
  ⟨p.den * (q.den / g), zip Nat.add p.deg d,
    ((p.form.scale (q.den / g)).raise 0 d).add
      ((q.form.scale (p.den / g)).raise 0 (excess p.deg q.deg))⟩

/-- The product. -/
def mul (p q : Hom) : Hom := ⟨p.den * q.den, zip Nat.add p.deg q.deg, p.form.mul q.form⟩

/-- The negative. -/
def neg (p : Hom) : Hom := ⟨p.den, p.deg, p.form.neg⟩

/-- The power. -/
def pow (p : Hom) (k : Nat) : Hom :=
  ⟨if p.den = 0 then 0 else p.den ^ k, timesDeg k p.deg, p.form.pow k⟩

end Hom

/-- A polynomial in `n` variables, without division, made homogeneous. -/
def Term.hom (n : Nat) : Term → Hom
  | .num p q => ⟨q, [], .num p⟩
  | .var i => ⟨if i < n then 1 else 0, unitDeg i, .X i⟩
  | .add a b => (a.hom n).add (b.hom n)
  | .sub a b => (a.hom n).add (b.hom n).neg
  | .mul a b => (a.hom n).mul (b.hom n)
  | .neg a => (a.hom n).neg
  | .pow a k => (a.hom n).pow k
  | .div _ _ => ⟨0, [], .num 0⟩

/-! ### Boxes and certificates -/

/-- The interval from `lo / den` to `hi / den`. -/
structure Side where
  /-- The numerator of the lower end. -/
  lo : Int
  /-- The numerator of the upper end. -/
  hi : Int
  /-- The denominator of both, not zero. -/
  den : Nat
  deriving Repr, Inhabited, DecidableEq

namespace Side

/-- The interval contains `x`. -/
def Mem (s : Side) (x : Frac) : Prop :=
  Frac.ofInt s.lo ≤ x * nat s.den ∧ x * nat s.den ≤ Frac.ofInt s.hi

/-- The part that is at most `p / q`. -/
def below (s : Side) (p : Int) (q : Nat) : Side :=
  let k := Nat.div q (Nat.gcd s.den q)
  ⟨Int.mul s.lo (Int.ofNat k), Int.mul p (Int.ofNat (Nat.div s.den (Nat.gcd s.den q))),
    Nat.mul s.den k⟩

/-- The part that is at least `p / q`. -/
def above (s : Side) (p : Int) (q : Nat) : Side :=
  let k := Nat.div q (Nat.gcd s.den q)
  ⟨Int.mul p (Int.ofNat (Nat.div s.den (Nat.gcd s.den q))), Int.mul s.hi (Int.ofNat k),
    Nat.mul s.den k⟩

end Side

/-- A box: an interval for each variable. -/
abbrev Box := List Side

namespace Box

/-- The interval of variable `i`. -/
def side (box : Box) (i : Nat) : Side := nth ⟨0, 0, 0⟩ box i

/-- The box contains the point `x`. -/
def Mem (box : Box) (x : Nat → Frac) : Prop := ∀ i, i < box.length → (box.side i).Mem (x i)

/-- `f` at the interval of variable `i`. -/
def modify (f : Side → Side) (box : Box) (i : Nat) : Box :=
  recList (fun s box next i => match i with
    | 0 => f s :: box
    | i + 1 => s :: next i) (fun _ => []) box i

/-- Whether no denominator is zero. -/
def valid (box : Box) : Bool := recList (fun s _ next => cond (Nat.ble 1 s.den) next false) true box

end Box

/-- A certificate: how to cut a box. -/
inductive Tree where
  /-- The box is not cut: the coefficients on it show the claim. -/
  | leaf
  /-- Variable `i` is cut at `num / den`; `low` is for the part below, `high` for that above. -/
  | split (i : Nat) (num : Int) (den : Nat) (low high : Tree)
  deriving Inhabited, DecidableEq

/-- Recursion over a certificate. -/
noncomputable def Tree.fold (leaf : α) (split : Nat → Int → Nat → α → α → α) (t : Tree) : α :=
  Tree.rec (motive := fun _ => α) leaf (fun i p q _ _ x y => split i p q x y) t

/-- What `Tree.fold` is compiled to. -/
def Tree.foldImpl (leaf : α) (split : Nat → Int → Nat → α → α → α) : Tree → α
  | .leaf => leaf
  | .split i p q low high => split i p q (foldImpl leaf split low) (foldImpl leaf split high)

@[csimp] theorem Tree.fold_eq_impl : @Tree.fold = @Tree.foldImpl := by
  funext α leaf split t
  induction t with
  | leaf => rfl
  | split i p q low high ihl ihh =>
    exact (congrArg (split i p q · _) ihl).trans (congrArg (split i p q _) ihh)

/-! ### The checker -/

/-- What is claimed of an expression. -/
inductive Rel where
  /-- It is nonnegative. -/
  | le
  /-- It is positive. -/
  | lt
  /-- It is not zero. -/
  | ne
  deriving Repr, Inhabited, DecidableEq

/-- The claim. -/
def Rel.Holds : Rel → Frac → Prop
  | le, x => 0 ≤ x
  | lt, x => 0 < x
  | ne, x => x ≠ 0

namespace Box

/-- The sum of the absolute values of the coefficients of `X i`. -/
def sizeX (box : Box) (i : Nat) : Nat := Nat.add (box.side i).lo.natAbs (box.side i).hi.natAbs

/-- The sum of the absolute values of the coefficients of `W i`. -/
def sizeW (box : Box) (i : Nat) : Nat := Nat.add (box.side i).den (box.side i).den

/-- `X i`, packed in base `b` for degrees `d`, modulo `m + 1`. -/
def packX (box : Box) (m b : Nat) (d : List Nat) (i : Nat) : Nat :=
  Nat.add (residue m (box.side i).lo)
    (Nat.mul (residue m (box.side i).hi) (Nat.pow b (count (nth 0 d) i)))

/-- `W i`, packed in base `b` for degrees `d`. -/
def packW (box : Box) (b : Nat) (d : List Nat) (i : Nat) : Nat :=
  Nat.add (box.side i).den (Nat.mul (box.side i).den (Nat.pow b (count (nth 0 d) i)))

end Box

/-- A bound for the sum of the absolute values of the coefficients. -/
def Form.sizeOn (box : Box) (p : Form) : Nat := p.size box.sizeX box.sizeW

/-- The packed form in base `b` for degrees `d`, modulo `m + 1`. -/
def Form.packed (m b : Nat) (d : List Nat) (box : Box) (p : Form) : Nat :=
  p.eval m (box.packX m b d) (box.packW b d)

/-- Whether no coefficient is negative, for a homogeneous polynomial of degrees `d` in `n`
variables. -/
def nonneg (n : Nat) (box : Box) (d : List Nat) (p : Form) : Bool :=
  let h := Nat.succ (p.sizeOn box)
  let b := Nat.mul 2 h
  let j := count (nth 0 d) n
  digitsBelow b h j (p.packed (Nat.pred (Nat.pow b j)) b d box)

/-- A polynomial that is the product of the `W i` to the degrees `d`, where the sum of its
coefficients is `k`: less that, `k` times a polynomial with positive coefficients has no negative
coefficient. -/
def lessOne (box : Box) (d : List Nat) (p : Form) : Form :=
  let one := (Form.num 1).raise 0 d
  ((Form.num (one.sizeOn box)).mul p).add one.neg

/-- Whether the coefficients on the box show the claim. -/
def shows (n : Nat) (box : Box) (d : List Nat) : Rel → Form → Bool
  | .le, p => nonneg n box d p
  | .lt, p => nonneg n box d (lessOne box d p)
  | .ne, p => nonneg n box d (lessOne box d p) || nonneg n box d (lessOne box d p.neg)

/-- Whether the coefficients on the box show the claim about the quotient of two polynomials. -/
def checkLeaf (n : Nat) (rel : Rel) (num : Hom) (den : Option Hom) (box : Box) : Bool :=
  cond box.valid (match den with
    | none => shows n box num.deg rel num.form
    | some den =>
      (shows n box den.deg .lt den.form && shows n box num.deg rel num.form) ||
        (shows n box den.deg .lt den.form.neg && shows n box num.deg rel num.form.neg)) false

/-- Whether the certificate shows the claim about the quotient of two polynomials. -/
def checkTree (n : Nat) (rel : Rel) (num : Hom) (den : Option Hom) (t : Tree) (box : Box) : Bool :=
  t.fold (checkLeaf n rel num den) (fun i p q low high box =>
    cond (low (box.modify (·.below p q) i)) (high (box.modify (·.above p q) i)) false) box

/-- Whether polynomials were found for an expression. -/
def Hom.valid (p : Hom) : Bool := match p.den with
  | 0 => false
  | _ + 1 => true

/-- Whether the certificate shows that `0 ≤ e`, `0 < e` or `e ≠ 0`, according to `rel`, on the
box. -/
def check (rel : Rel) (e : Term) (box : Box) (tree : Tree) : Bool :=
  let n := box.length
  let p := e.clear.1.hom n
  match e.clear.2.map (·.hom n) with
  | none => p.valid && checkTree n rel p none tree box
  | some q => p.valid && q.valid && checkTree n rel p (some q) tree box

end LeanOracle.Certify
