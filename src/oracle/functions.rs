//! The table of unary functions. Each is named once, here; the command line, the documentation and
//! the tests are driven from [`FUNCTIONS`].

use std::cmp::Ordering;

use super::derivatives::{self, Derivative, derivative};
use super::hints::{self, Hints};
use super::kernels;
use super::range::{self, Oscillation, Waves};
use crate::ball::{Ball, Bits, Direction, Enclosure, Integer, Interval, Rational};
use crate::error::{Code, Error, Result};

/// One real function of one real variable.
pub struct Function {
    /// The name in requests.
    pub name: &'static str,
    /// The formula or a short description.
    pub doc: &'static str,
    /// The largest set of reals on which it is asked, poles apart.
    pub domain: Domain,
    /// Where it has poles inside `domain`.
    pub poles: Poles,
    /// How its range over an interval is found.
    pub shape: Shape,
    /// The FLINT routine that the values come from.
    pub flint: &'static str,
    /// Where its values are beyond any limit on exponents.
    pub(super) huge: Huge,
    /// How it swings far out, if it does and its values there are not the same again and again.
    pub(super) waves: Option<&'static Waves>,
    /// The working precision, in bits, up to which it is affordable unless the question says more.
    pub(super) affordable: Bits,
    /// An enclosure of the values on a ball; not finite where undefined.
    pub(super) eval: fn(&Ball, Bits) -> Ball,
    /// An enclosure of the derivative on an interval, given the range there.
    pub(super) derivative: Derivative,
    /// The exact value at a point, where it is known to be rational. Without it a result that lies on
    /// the decimal grid could never be told from its neighbours.
    pub(super) exact: fn(&Rational) -> Option<Rational>,
    /// Bounds of the value at a point that hold whatever the precision: without them `tanh(1000)` or
    /// `exp(1e-100000)` could not be told from 1 at any reasonable precision.
    pub(super) hints: fn(&Rational, &mut Hints),
}

/// A set of reals on which a function is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// All reals.
    Reals,
    /// `x ≥ a`.
    AtLeast(i32),
    /// `x > a`.
    Above(i32),
    /// `x ≤ a`.
    AtMost(i32),
    /// `-1 ≤ x ≤ 1`.
    UnitClosed,
    /// `-1 < x < 1`.
    UnitOpen,
    /// `x ≥ -1/e`.
    LambertW,
}

/// A set of poles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poles {
    /// No poles.
    None,
    /// One pole, at this integer.
    At(i32),
    /// 0, -1, -2, ….
    NonPositiveIntegers,
    /// The integer multiples of π, plus π/2 if `half`.
    MultiplesOfPi {
        /// Whether the poles are shifted by π/2.
        half: bool,
    },
}

/// Where the values of a function (or their reciprocals) are so large that no limit on exponents admits
/// them: at arguments of at least this binary magnitude. Evaluating there would cost much, for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Huge {
    positive: Option<i64>,
    negative: Option<i64>,
}

impl Huge {
    const fn both(magnitude: i64) -> Huge {
        Huge { positive: Some(magnitude), negative: Some(magnitude) }
    }

    const fn positive(magnitude: i64) -> Huge {
        Huge { positive: Some(magnitude), negative: None }
    }

    const fn negative(magnitude: i64) -> Huge {
        Huge { positive: None, negative: Some(magnitude) }
    }

    /// Whether `q` is such an argument.
    pub(super) fn contains(self, q: &Rational) -> bool {
        let limit = if q.sign() < 0 { self.negative } else { self.positive };
        limit.is_some_and(|limit| q.magnitude() > limit)
    }
}

/// How the range over an interval (inside the domain, free of poles) is found.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Rising on every piece between poles: the range goes from the value at `lo` to that at `hi`.
    Rising,
    /// Falling on every piece between poles.
    Falling,
    /// Monotone on every piece, rising on some and falling on others.
    Monotone,
    /// Even, with its only extremum at 0, where the value is this integer.
    ExtremumAtZero(i32),
    /// Extrema at the multiples of π (plus π/2 if `half`), with the values `(-1)^n` exactly.
    Alternating {
        /// Whether the extrema are shifted by π/2.
        half: bool,
    },
    /// One extremum, enclosed at any precision by `solve` and certain to lie in `(after, before)`.
    OneExtremum {
        /// A bound of the place of the extremum from below.
        after: i32,
        /// A bound of the place of the extremum from above.
        before: i32,
        /// An enclosure of the place of the extremum.
        solve: fn(Bits) -> Option<Ball>,
    },
    /// Infinitely many extrema on `x > 0`, alternating and shrinking away from 0.
    Oscillating(&'static Oscillation),
    /// Extrema found by a search of its own.
    Extrema(range::Search),
}

impl Shape {
    /// How the range is found, for people.
    pub fn describe(&self) -> &'static str {
        match self {
            Shape::Rising => "rising between poles: values at the endpoints",
            Shape::Falling => "falling between poles: values at the endpoints",
            Shape::Monotone => "monotone between poles: values at the endpoints",
            Shape::ExtremumAtZero(_) => "endpoints and the extremum at 0",
            Shape::Alternating { .. } => "endpoints and the exact extrema ±1",
            Shape::OneExtremum { .. } => "endpoints and the one extremum",
            Shape::Oscillating(_) => "endpoints and the first two extrema inside",
            Shape::Extrema(_) => "endpoints and the extrema inside",
        }
    }
}

impl Function {
    /// The function called `name`. Errors with [`Code::UnknownFunction`] and near names.
    pub fn find(name: &str) -> Result<&'static Function> {
        FUNCTIONS.iter().find(|f| f.name == name).ok_or_else(|| {
            let near = near_names(name);
            let hint = match near.as_slice() {
                [] => "`lean-oracle functions` lists all".to_string(),
                names => format!("did you mean {}?", names.join(" or ")),
            };
            let shown: String = name.chars().take(40).collect();
            Error::new(Code::UnknownFunction, format!("no function is called {shown:?}; {hint}")).at("func")
        })
    }

    /// The domain in words, poles included, for people.
    pub fn domain_text(&self) -> String {
        let domain = match self.domain {
            Domain::Reals => "all x".to_string(),
            Domain::AtLeast(a) => format!("x >= {a}"),
            Domain::Above(a) => format!("x > {a}"),
            Domain::AtMost(a) => format!("x <= {a}"),
            Domain::UnitClosed => "-1 <= x <= 1".to_string(),
            Domain::UnitOpen => "-1 < x < 1".to_string(),
            Domain::LambertW => "x >= -1/e".to_string(),
        };
        match self.poles {
            Poles::None => domain,
            Poles::At(a) => format!("x != {a}"),
            Poles::NonPositiveIntegers => "x != 0, -1, -2, ...".to_string(),
            Poles::MultiplesOfPi { half: false } => "x != n*pi".to_string(),
            Poles::MultiplesOfPi { half: true } => "x != (n + 1/2)*pi".to_string(),
        }
    }

    /// Refuses an interval that leaves the domain ([`Code::Domain`]) or contains a pole
    /// ([`Code::Pole`]). `Ok(false)` when `bits` do not suffice to tell.
    pub(super) fn admits(&self, x: &Interval, bits: Bits) -> Result<bool> {
        let at_least = |a: i32| x.lo.cmp_int(i64::from(a)) != Ordering::Less;
        let above = |a: i32| x.lo.cmp_int(i64::from(a)) == Ordering::Greater;
        let at_most = |a: i32| x.hi.cmp_int(i64::from(a)) != Ordering::Greater;
        let below = |a: i32| x.hi.cmp_int(i64::from(a)) == Ordering::Less;
        let inside = match self.domain {
            Domain::Reals => Some(true),
            Domain::AtLeast(a) => Some(at_least(a)),
            Domain::Above(a) => Some(above(a)),
            Domain::AtMost(a) => Some(at_most(a)),
            Domain::UnitClosed => Some(at_least(-1) && at_most(1)),
            Domain::UnitOpen => Some(above(-1) && below(1)),
            Domain::LambertW => {
                // -1/e is irrational, so enough bits always decide.
                let edge = -&Ball::from(-1).exp(bits);
                match Ball::from_rational(&x.lo, bits).sub(&edge, bits).sign() {
                    0 => None,
                    sign => Some(sign > 0),
                }
            }
        };
        let Some(inside) = inside else { return Ok(false) };
        if !inside {
            return Err(self.refusal(Code::Domain, x));
        }
        let pole = match self.poles {
            Poles::None => Some(false),
            Poles::At(a) => Some(!above(a) && !below(a)),
            Poles::NonPositiveIntegers => {
                let top = x.hi.floor().min(Integer::new());
                Some(x.lo <= Rational::from(&top))
            }
            Poles::MultiplesOfPi { half } => range::multiples_of_pi(x, half, bits).contains_any(),
        };
        match pole {
            Some(true) => Err(self.refusal(Code::Pole, x)),
            Some(false) => Ok(true),
            None => Ok(false),
        }
    }

    fn refusal(&self, code: Code, x: &Interval) -> Error {
        let what = match code {
            Code::Pole => "contains a pole",
            _ => "leaves the real domain",
        };
        let (lo, hi) = (short(&x.lo), short(&x.hi));
        let message = format!(
            "{} over [{lo}, {hi}] {what} ({}); choose endpoints strictly inside one piece of it",
            self.name,
            self.domain_text()
        );
        Error::new(code, message)
    }
}

/// A number for messages: exact when short, else a few digits.
pub(super) fn short(q: &Rational) -> String {
    let text = if q.magnitude().unsigned_abs() < 64 { q.to_string() } else { String::new() };
    if !text.is_empty() && text.len() <= 24 {
        return text;
    }
    match Enclosure::exact(q.clone()).round(Direction::Down, 4, u32::MAX) {
        Ok((decimal, _)) => format!("about {decimal}"),
        Err(_) => "something huge".to_string(),
    }
}

fn near_names(name: &str) -> Vec<&'static str> {
    let lower: String = name.chars().take(40).collect::<String>().to_lowercase();
    let mut scored: Vec<(usize, &str)> = FUNCTIONS
        .iter()
        .map(|f| (strsim::damerau_levenshtein(&lower, f.name), f.name))
        .filter(|(d, n)| *d <= 2.min(n.len().saturating_sub(1)) || aliases(&lower) == Some(n))
        .collect();
    scored.sort_by_key(|(d, n)| (aliases(&lower) != Some(n), *d));
    scored.into_iter().take(3).map(|(_, n)| n).collect()
}

/// Names from other libraries for which we have another one.
fn aliases(name: &str) -> Option<&'static str> {
    Some(match name {
        "ln" => "log",
        "arcsin" => "asin",
        "arccos" => "acos",
        "arctan" => "atan",
        "arcsinh" => "asinh",
        "arccosh" => "acosh",
        "arctanh" => "atanh",
        "logistic" => "sigmoid",
        "swish" => "silu",
        "square" => "sqr",
        "reciprocal" => "inv",
        "loggamma" | "gammaln" => "lgamma",
        "psi" => "digamma",
        "w" => "lambertw",
        "polylog2" | "li2" => "dilog",
        _ => return None,
    })
}

/// What most functions have; each entry of the table overrides what differs.
const PLAIN: Function = Function {
    name: "",
    doc: "",
    domain: Domain::Reals,
    poles: Poles::None,
    shape: Shape::Rising,
    flint: "",
    huge: Huge { positive: None, negative: None },
    waves: None,
    affordable: 16_384,
    eval: |x, _| x.clone(),
    derivative: derivative!(none),
    exact: |_| None,
    hints: |_, _| {},
};

/// Every function, in the order in which it is documented.
pub static FUNCTIONS: &[Function] = &[
    // ------------------------------------------------------------ exponentials and logarithms
    Function {
        name: "exp",
        doc: "e^x",
        huge: Huge::both(30),
        flint: "arb_exp",
        eval: Ball::exp,
        derivative: derivative!(exp),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            h.positive();
            h.rising_through(q, 0, 1);
        },
        ..PLAIN
    },
    Function {
        name: "exp2",
        doc: "2^x",
        huge: Huge::both(30),
        flint: "arb_exp, arb_const_log2",
        eval: |x, bits| kernels::exp_base(x, 2, bits),
        derivative: derivative!(exp2),
        exact: |q| kernels::integer_power(2, q),
        hints: |q, h| {
            h.positive();
            h.rising_through(q, 0, 1);
        },
        ..PLAIN
    },
    Function {
        name: "exp10",
        doc: "10^x",
        huge: Huge::both(30),
        flint: "arb_exp, arb_const_log10",
        eval: |x, bits| kernels::exp_base(x, 10, bits),
        derivative: derivative!(exp10),
        exact: |q| kernels::integer_power(10, q),
        hints: |q, h| {
            h.positive();
            h.rising_through(q, 0, 1);
        },
        ..PLAIN
    },
    Function {
        name: "expm1",
        doc: "e^x - 1",
        huge: Huge::positive(30),
        flint: "arb_expm1",
        eval: Ball::expm1,
        derivative: derivative!(expm1),
        exact: |q| at(q, 0, 0),
        hints: |q, h| {
            h.above(-1);
            h.above_identity(q);
        },
        ..PLAIN
    },
    Function {
        name: "log",
        doc: "natural logarithm",
        domain: Domain::Above(0),
        flint: "arb_log",
        eval: Ball::log,
        derivative: derivative!(log),
        exact: |q| at(q, 1, 0),
        hints: |q, h| h.below_identity_minus_one(q),
        ..PLAIN
    },
    Function {
        name: "log1p",
        doc: "log(1 + x)",
        domain: Domain::Above(-1),
        flint: "arb_log1p",
        eval: Ball::log1p,
        derivative: derivative!(log1p),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.below_identity(q),
        ..PLAIN
    },
    Function {
        name: "log2",
        doc: "logarithm to base 2",
        domain: Domain::Above(0),
        flint: "arb_log_base_ui",
        eval: |x, bits| x.log_base(2, bits),
        derivative: derivative!(log2),
        exact: |q| kernels::integer_log(2, q),
        ..PLAIN
    },
    Function {
        name: "log10",
        doc: "logarithm to base 10",
        domain: Domain::Above(0),
        flint: "arb_log_base_ui",
        eval: |x, bits| x.log_base(10, bits),
        derivative: derivative!(log10),
        exact: |q| kernels::integer_log(10, q),
        ..PLAIN
    },
    // ------------------------------------------------------------------ powers and pieces
    Function {
        name: "sqrt",
        doc: "square root",
        domain: Domain::AtLeast(0),
        flint: "arb_sqrt",
        eval: Ball::sqrt,
        derivative: derivative!(sqrt),
        exact: |q| kernels::exact_root(q, 2),
        ..PLAIN
    },
    Function {
        name: "cbrt",
        doc: "real cube root",
        flint: "arb_root_ui",
        eval: kernels::cbrt,
        derivative: derivative!(cbrt),
        exact: |q| kernels::exact_root(q, 3),
        ..PLAIN
    },
    Function {
        name: "sqr",
        doc: "x^2",
        shape: Shape::ExtremumAtZero(0),
        flint: "arb_sqr",
        eval: Ball::sqr,
        derivative: derivative!(sqr),
        exact: |q| Some(q * q),
        ..PLAIN
    },
    Function {
        name: "inv",
        doc: "1/x",
        poles: Poles::At(0),
        shape: Shape::Falling,
        flint: "arb_inv",
        eval: Ball::inv,
        derivative: derivative!(inv),
        exact: Rational::recip,
        ..PLAIN
    },
    Function {
        name: "abs",
        doc: "|x|",
        shape: Shape::ExtremumAtZero(0),
        flint: "exact",
        eval: |x, _| x.abs(),
        derivative: derivative!(abs),
        exact: |q| Some(q.abs()),
        ..PLAIN
    },
    Function {
        name: "neg",
        doc: "-x",
        shape: Shape::Falling,
        flint: "exact",
        eval: |x, _| -x,
        derivative: derivative!(neg),
        exact: |q| Some(-q),
        ..PLAIN
    },
    // -------------------------------------------------------------------- trigonometric
    Function {
        name: "sin",
        doc: "sine",
        shape: Shape::Alternating { half: true },
        flint: "arb_sin",
        eval: Ball::sin,
        derivative: derivative!(sin),
        exact: |q| at(q, 0, 0),
        hints: |q, h| {
            h.within_one();
            h.smaller_than_identity(q);
        },
        ..PLAIN
    },
    Function {
        name: "cos",
        doc: "cosine",
        shape: Shape::Alternating { half: false },
        flint: "arb_cos",
        eval: Ball::cos,
        derivative: derivative!(cos),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            h.within_one();
            if hints::small(q) {
                h.below(1);
            }
        },
        ..PLAIN
    },
    Function {
        name: "tan",
        doc: "tangent",
        poles: Poles::MultiplesOfPi { half: true },
        flint: "arb_tan",
        eval: Ball::tan,
        derivative: derivative!(tan),
        exact: |q| at(q, 0, 0),
        hints: |q, h| {
            if hints::small(q) {
                h.larger_than_identity(q);
            }
        },
        ..PLAIN
    },
    Function {
        name: "cot",
        doc: "cotangent",
        poles: Poles::MultiplesOfPi { half: false },
        shape: Shape::Falling,
        flint: "arb_cot",
        eval: Ball::cot,
        derivative: derivative!(cot),
        hints: |q, h| {
            if hints::small(q) {
                h.smaller_than_reciprocal(q);
            }
        },
        ..PLAIN
    },
    Function {
        name: "sec",
        doc: "1/cos(x)",
        poles: Poles::MultiplesOfPi { half: true },
        shape: Shape::Alternating { half: false },
        flint: "arb_sec",
        eval: Ball::sec,
        derivative: derivative!(sec),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            if hints::small(q) {
                h.above(1);
            }
        },
        ..PLAIN
    },
    Function {
        name: "csc",
        doc: "1/sin(x)",
        poles: Poles::MultiplesOfPi { half: false },
        shape: Shape::Alternating { half: true },
        flint: "arb_csc",
        eval: Ball::csc,
        derivative: derivative!(csc),
        hints: |q, h| {
            if hints::small(q) {
                h.larger_than_reciprocal(q);
            }
        },
        ..PLAIN
    },
    Function {
        name: "asin",
        doc: "inverse sine",
        domain: Domain::UnitClosed,
        flint: "arb_asin",
        eval: Ball::asin,
        derivative: derivative!(asin),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.larger_than_identity(q),
        ..PLAIN
    },
    Function {
        name: "acos",
        doc: "inverse cosine",
        domain: Domain::UnitClosed,
        shape: Shape::Falling,
        flint: "arb_acos",
        eval: Ball::acos,
        derivative: derivative!(acos),
        exact: |q| at(q, 1, 0),
        ..PLAIN
    },
    Function {
        name: "atan",
        doc: "inverse tangent",
        flint: "arb_atan",
        eval: Ball::atan,
        derivative: derivative!(atan),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.smaller_than_identity(q),
        ..PLAIN
    },
    Function {
        name: "sinc",
        doc: "sin(x)/x, 1 at 0",
        shape: Shape::Oscillating(&range::SINC),
        waves: Some(&range::SINC_CI_WAVES),
        flint: "arb_sinc",
        eval: Ball::sinc,
        derivative: derivative!(sinc),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            if !q.is_zero() {
                h.below(1);
            }
        },
        ..PLAIN
    },
    // ------------------------------------------------------------------------- hyperbolic
    Function {
        name: "sinh",
        doc: "hyperbolic sine",
        huge: Huge::both(30),
        flint: "arb_sinh",
        eval: Ball::sinh,
        derivative: derivative!(sinh),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.larger_than_identity(q),
        ..PLAIN
    },
    Function {
        name: "cosh",
        doc: "hyperbolic cosine",
        shape: Shape::ExtremumAtZero(1),
        huge: Huge::both(30),
        flint: "arb_cosh",
        eval: Ball::cosh,
        derivative: derivative!(cosh),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            if !q.is_zero() {
                h.above(1);
            }
        },
        ..PLAIN
    },
    Function {
        name: "tanh",
        doc: "hyperbolic tangent",
        flint: "arb_tanh",
        eval: Ball::tanh,
        derivative: derivative!(tanh),
        exact: |q| at(q, 0, 0),
        hints: |q, h| {
            h.above(-1);
            h.below(1);
            h.smaller_than_identity(q);
        },
        ..PLAIN
    },
    Function {
        name: "coth",
        doc: "hyperbolic cotangent",
        poles: Poles::At(0),
        shape: Shape::Falling,
        flint: "arb_coth",
        eval: Ball::coth,
        hints: |q, h| {
            if q.sign() > 0 {
                h.above(1);
            } else {
                h.below(-1);
            }
            h.larger_than_reciprocal(q);
        },
        ..PLAIN
    },
    Function {
        name: "asinh",
        doc: "inverse hyperbolic sine",
        flint: "arb_asinh",
        eval: Ball::asinh,
        derivative: derivative!(asinh),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.smaller_than_identity(q),
        ..PLAIN
    },
    Function {
        name: "acosh",
        doc: "inverse hyperbolic cosine",
        domain: Domain::AtLeast(1),
        flint: "arb_acosh",
        eval: Ball::acosh,
        derivative: derivative!(acosh),
        exact: |q| at(q, 1, 0),
        ..PLAIN
    },
    Function {
        name: "atanh",
        doc: "inverse hyperbolic tangent",
        domain: Domain::UnitOpen,
        flint: "arb_atanh",
        eval: Ball::atanh,
        derivative: derivative!(atanh),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.larger_than_identity(q),
        ..PLAIN
    },
    // --------------------------------------------------------------- activation functions
    Function {
        name: "sigmoid",
        doc: "1/(1 + e^-x)",
        huge: Huge::negative(30),
        flint: "arb_exp",
        eval: kernels::sigmoid,
        derivative: derivative!(sigmoid),
        exact: |q| q.is_zero().then(hints::one_half),
        hints: |q, h| {
            h.positive();
            h.below(1);
            match q.sign() {
                1 => h.greater(hints::one_half(), true),
                -1 => h.less(hints::one_half(), true),
                _ => {}
            }
        },
        ..PLAIN
    },
    Function {
        name: "relu",
        doc: "max(x, 0)",
        flint: "exact",
        eval: kernels::relu,
        derivative: derivative!(relu),
        exact: |q| Some(if q.sign() < 0 { Rational::new() } else { q.clone() }),
        ..PLAIN
    },
    Function {
        name: "softplus",
        doc: "log(1 + e^x)",
        huge: Huge::negative(30),
        flint: "arb_exp, arb_log1p",
        eval: kernels::softplus,
        derivative: derivative!(softplus),
        hints: |q, h| {
            h.positive();
            h.greater(q.clone(), true);
        },
        ..PLAIN
    },
    Function {
        name: "silu",
        doc: "x*sigmoid(x)",
        shape: Shape::OneExtremum { after: -2, before: -1, solve: kernels::silu_minimum },
        huge: Huge::negative(30),
        flint: "arb_exp; minimum by arb_lambertw",
        eval: |x, bits| x.mul(&kernels::sigmoid(x, bits), bits),
        derivative: derivative!(silu),
        exact: |q| at(q, 0, 0),
        hints: hints::gate,
        ..PLAIN
    },
    Function {
        name: "gelu",
        doc: "x*(1 + erf(x/sqrt(2)))/2",
        shape: Shape::OneExtremum { after: -1, before: 0, solve: kernels::gelu_minimum },
        huge: Huge::negative(16),
        flint: "arb_hypgeom_erfc",
        eval: kernels::gelu,
        derivative: derivative!(gelu),
        exact: |q| at(q, 0, 0),
        hints: hints::gate,
        ..PLAIN
    },
    // ------------------------------------------------------------------- gamma and zeta
    Function {
        name: "gamma",
        doc: "Euler's gamma function",
        poles: Poles::NonPositiveIntegers,
        shape: Shape::Extrema(range::gamma_extrema),
        huge: Huge::both(28),
        flint: "arb_gamma; extrema by arb_digamma",
        eval: Ball::gamma,
        derivative: derivative!(gamma),
        exact: kernels::exact_gamma,
        hints: |q, h| {
            // Convex with gamma(1) = gamma(2) = 1.
            if q.sign() > 0 {
                match (q.cmp_int(1), q.cmp_int(2)) {
                    (Ordering::Greater, Ordering::Less) => h.below(1),
                    (Ordering::Less, _) | (_, Ordering::Greater) => h.above(1),
                    _ => {}
                }
            }
            // gamma(x) = gamma(1 + x)/x, and gamma(1 + x) - 1 has the sign of -x near 0.
            if let (Some(inverse), true) = (q.recip(), hints::small(q)) {
                h.less(inverse, true);
            }
        },
        ..PLAIN
    },
    Function {
        name: "rgamma",
        doc: "1/gamma(x)",
        shape: Shape::Extrema(range::rgamma_extrema),
        huge: Huge::both(28),
        flint: "arb_rgamma; extrema by arb_digamma",
        eval: Ball::rgamma,
        derivative: derivative!(rgamma),
        exact: kernels::exact_rgamma,
        hints: |q, h| {
            if hints::small(q) {
                h.above_identity(q);
            }
            if q.sign() > 0 {
                h.positive();
                match (q.cmp_int(1), q.cmp_int(2)) {
                    (Ordering::Greater, Ordering::Less) => h.above(1),
                    (Ordering::Less, _) | (_, Ordering::Greater) => h.below(1),
                    _ => {}
                }
            }
        },
        ..PLAIN
    },
    Function {
        name: "lgamma",
        doc: "log(gamma(x))",
        domain: Domain::Above(0),
        shape: Shape::OneExtremum { after: 1, before: 2, solve: kernels::gamma_minimum },
        flint: "arb_lgamma; minimum by arb_digamma",
        eval: Ball::lgamma,
        derivative: derivative!(lgamma),
        exact: |q| at(q, 1, 0).or_else(|| at(q, 2, 0)),
        ..PLAIN
    },
    Function {
        name: "digamma",
        doc: "gamma'(x)/gamma(x)",
        poles: Poles::NonPositiveIntegers,
        flint: "arb_digamma",
        eval: Ball::digamma,
        hints: |q, h| {
            // psi(x) = psi(1 + x) - 1/x, and psi(1 + x) < 0 for |x| < 1/4.
            if let (Some(inverse), true) = (q.recip(), q.magnitude() < -3) {
                h.less(-&inverse, true);
            }
        },
        ..PLAIN
    },
    Function {
        name: "zeta",
        doc: "Riemann's zeta function",
        poles: Poles::At(1),
        shape: Shape::Extrema(range::zeta_extrema),
        huge: Huge::negative(28),
        affordable: 4096,
        flint: "arb_zeta; extrema by acb_dirichlet_zeta_jet",
        eval: kernels::zeta,
        exact: kernels::exact_zeta,
        hints: |q, h| {
            if q.cmp_int(1) == Ordering::Greater {
                h.above(1);
            } else if q.magnitude() < -5 {
                hints::zeta_near_zero(q, h);
            }
        },
        ..PLAIN
    },
    // --------------------------------------------------------------------- error functions
    Function {
        name: "erf",
        doc: "error function",
        flint: "arb_hypgeom_erf",
        eval: Ball::erf,
        derivative: derivative!(erf),
        exact: |q| at(q, 0, 0),
        hints: |_, h| {
            h.above(-1);
            h.below(1);
        },
        ..PLAIN
    },
    Function {
        name: "erfc",
        doc: "1 - erf(x)",
        shape: Shape::Falling,
        huge: Huge::positive(16),
        flint: "arb_hypgeom_erfc",
        eval: Ball::erfc,
        derivative: derivative!(erfc),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            h.positive();
            h.below(2);
            h.rising_through(&-q, 0, 1);
        },
        ..PLAIN
    },
    Function {
        name: "erfi",
        doc: "-i*erf(i*x)",
        huge: Huge::both(16),
        flint: "arb_hypgeom_erfi",
        eval: Ball::erfi,
        derivative: derivative!(erfi),
        exact: |q| at(q, 0, 0),
        ..PLAIN
    },
    // --------------------------------------------------------------- other special functions
    Function {
        name: "lambertw",
        doc: "w with w*e^w = x, w >= -1",
        domain: Domain::LambertW,
        flint: "arb_lambertw",
        eval: Ball::lambertw,
        derivative: derivative!(lambertw),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.below_identity(q),
        ..PLAIN
    },
    Function {
        name: "airy_ai",
        doc: "Airy's Ai",
        shape: Shape::Extrema(range::airy_ai_extrema),
        waves: Some(&range::AIRY_WAVES),
        huge: Huge::positive(20),
        flint: "arb_hypgeom_airy, arb_hypgeom_airy_zero",
        eval: Ball::airy_ai,
        hints: |q, h| {
            if q.sign() > 0 {
                h.positive();
            }
        },
        ..PLAIN
    },
    Function {
        name: "airy_bi",
        doc: "Airy's Bi",
        shape: Shape::Extrema(range::airy_bi_extrema),
        waves: Some(&range::AIRY_WAVES),
        huge: Huge::positive(20),
        flint: "arb_hypgeom_airy, arb_hypgeom_airy_zero",
        eval: Ball::airy_bi,
        ..PLAIN
    },
    Function {
        name: "besselj0",
        doc: "Bessel's J of order 0",
        shape: Shape::Oscillating(&range::BESSEL_J0),
        waves: Some(&range::BESSEL_WAVES),
        flint: "arb_hypgeom_bessel_j",
        eval: |x, bits| x.bessel_j(0, bits),
        derivative: derivative!(besselj0),
        exact: |q| at(q, 0, 1),
        hints: |q, h| {
            if !q.is_zero() {
                h.below(1);
            }
        },
        ..PLAIN
    },
    Function {
        name: "besselj1",
        doc: "Bessel's J of order 1",
        shape: Shape::Oscillating(&range::BESSEL_J1),
        waves: Some(&range::BESSEL_WAVES),
        flint: "arb_hypgeom_bessel_j",
        eval: |x, bits| x.bessel_j(1, bits),
        derivative: derivative!(besselj1),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.smaller_than_identity(&(q * &hints::one_half())),
        ..PLAIN
    },
    Function {
        name: "dilog",
        doc: "dilogarithm Li2(x)",
        domain: Domain::AtMost(1),
        flint: "arb_hypgeom_dilog",
        eval: Ball::dilog,
        derivative: derivative!(dilog),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.above_identity(q),
        ..PLAIN
    },
    Function {
        name: "ei",
        doc: "exponential integral Ei(x)",
        poles: Poles::At(0),
        shape: Shape::Monotone,
        huge: Huge::both(30),
        flint: "arb_hypgeom_ei",
        eval: Ball::ei,
        derivative: derivative!(ei),
        ..PLAIN
    },
    Function {
        name: "si",
        doc: "sine integral Si(x)",
        shape: Shape::Oscillating(&range::SI),
        waves: Some(&range::SI_WAVES),
        flint: "arb_hypgeom_si",
        eval: Ball::si,
        derivative: derivative!(si),
        exact: |q| at(q, 0, 0),
        hints: |q, h| h.smaller_than_identity(q),
        ..PLAIN
    },
    Function {
        name: "ci",
        doc: "cosine integral Ci(x)",
        domain: Domain::Above(0),
        shape: Shape::Oscillating(&range::CI),
        waves: Some(&range::SINC_CI_WAVES),
        flint: "arb_hypgeom_ci",
        eval: Ball::ci,
        derivative: derivative!(ci),
        ..PLAIN
    },
];

/// The integer `value`, if `q` is the integer `point`.
fn at(q: &Rational, point: i64, value: i64) -> Option<Rational> {
    (q.cmp_int(point) == Ordering::Equal).then(|| Rational::from(value))
}
