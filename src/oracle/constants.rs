//! Named constants, to any precision: the question `constant`, and the names in expressions.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Deserialize;

use super::budget::Budget;
use super::questions::{append_interval, head};
use super::request::{not_json, object};
use super::unary::Settings;
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Ball, Bits, DecimalInterval, Enclosure};
use crate::error::{Code, Error, Result};

/// One named real number.
pub struct Constant {
    /// The name in requests and expressions.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// The FLINT routine that the digits come from.
    pub flint: &'static str,
    /// The largest number of digits that a question may ask for. What is below a million takes minutes
    /// beyond.
    pub most_digits: u32,
    /// An enclosure at the precision given.
    pub(super) eval: fn(Bits) -> Ball,
}

const MILLION: u32 = 1_000_000;

macro_rules! constants {
    ($($name:literal, $doc:literal, $flint:literal, $most:expr, $eval:expr;)*) => {
        /// Every named constant.
        pub static CONSTANTS: &[Constant] = &[$(
            Constant { name: $name, doc: $doc, flint: $flint, most_digits: $most, eval: $eval },
        )*];
    };
}

constants! {
    "pi", "the ratio of a circle's circumference to its diameter, 3.14159…", "arb_const_pi", MILLION, Ball::pi;
    "tau", "2π, 6.28318…", "arb_const_pi", MILLION, |bits| Ball::pi(bits).mul_2exp(1);
    "e", "Euler's number, 2.71828…", "arb_const_e", MILLION, Ball::e;
    "euler", "Euler's constant γ, 0.57721…", "arb_const_euler", MILLION, Ball::euler;
    "catalan", "Catalan's constant, 0.91596…", "arb_const_catalan", MILLION, Ball::catalan;
    "golden", "the golden ratio (1 + √5)/2, 1.61803…", "arb_sqrt", MILLION,
        |bits| Ball::from(5).sqrt(bits + 4).add(&Ball::from(1), bits + 4).mul_2exp(-1);
    "glaisher", "the Glaisher-Kinkelin constant A, 1.28242…", "arb_const_glaisher", 10_000, Ball::glaisher;
    "khinchin", "Khinchin's constant, 2.68545…", "arb_const_khinchin", 10_000, Ball::khinchin;
    "apery", "Apéry's constant ζ(3), 1.20205…", "arb_const_apery", MILLION, Ball::apery;
    "log2", "the natural logarithm of 2, 0.69314…", "arb_const_log2", MILLION, Ball::log2;
    "log10", "the natural logarithm of 10, 2.30258…", "arb_const_log10", MILLION, Ball::log10;
    "sqrt2", "√2, 1.41421…", "arb_sqrt", MILLION, |bits| Ball::from(2).sqrt(bits);
    "sqrt3", "√3, 1.73205…", "arb_sqrt", MILLION, |bits| Ball::from(3).sqrt(bits);
    "sqrt5", "√5, 2.23606…", "arb_sqrt", MILLION, |bits| Ball::from(5).sqrt(bits);
    "sqrtpi", "√π, 1.77245…", "arb_const_sqrt_pi", MILLION, Ball::sqrt_pi;
    "log_sqrt2pi", "log √(2π), 0.91893…", "arb_const_log_sqrt2pi", MILLION, Ball::log_sqrt_2pi;
    "omega", "the omega constant W(1), the root of x·eˣ = 1, 0.56714…", "arb_lambertw", MILLION,
        |bits| Ball::from(1).lambertw(bits);
    "reciprocal_fibonacci", "the sum of the reciprocals of the Fibonacci numbers, 3.35988…",
        "arb_const_reciprocal_fibonacci", MILLION, Ball::reciprocal_fibonacci;
}

/// The enclosing routine of the constant called `name`.
pub(super) fn constant(name: &str) -> Option<fn(Bits) -> Ball> {
    CONSTANTS.iter().find(|c| c.name == name).map(|c| c.eval)
}

impl Constant {
    /// The constant of that name; errors with [`Code::UnknownFunction`] and near names.
    pub fn find(name: &str) -> Result<&'static Constant> {
        CONSTANTS.iter().find(|c| c.name == name).ok_or_else(|| unknown(name))
    }

    /// Encloses the number, both ends to `settings.digits` significant digits. Also tells whether both
    /// are within one unit of the last digit, and the precision that took.
    ///
    /// Errors: [`Code::BadRequest`] for more digits than the table allows, [`Code::ExponentLimit`] for
    /// more than `settings.exp_limit` does, and those of the budget.
    pub fn answer(&self, settings: &Settings, budget: &Budget) -> Result<(DecimalInterval, bool, Bits)> {
        settings.check()?;
        release_caches_at_thread_exit();
        if settings.digits > self.most_digits {
            let message = format!("{} is given to at most {} digits", self.name, self.most_digits);
            return Err(Error::new(Code::BadRequest, message).at("digits"));
        }
        // The ball between two neighbouring decimals needs one digit more than they. (All are above 0.1.)
        let below_one = (self.eval)(64).sub(&Ball::from(1), 64).sign() < 0;
        let power = settings.digits + u32::from(below_one);
        if power > settings.exp_limit {
            let (digits, limit) = (settings.digits, settings.exp_limit);
            let message = format!("{digits} digits of {} need 10^-{power}; exp_limit is {limit}", self.name);
            return Err(Error::new(Code::ExponentLimit, message).at("exp_limit"));
        }
        let (start, cap) = precisions(settings, 0);
        let mut bits = start;
        loop {
            budget.spend(1)?;
            let value = Enclosure::Ball((self.eval)(bits), bits);
            let (output, tight) =
                DecimalInterval::enclosing(&value, &value, settings.digits, settings.exp_limit)?;
            if tight || bits >= cap {
                return Ok((output, tight, bits));
            }
            bits = bits.saturating_mul(2).min(cap);
        }
    }
}

/// The working precision to begin with and the cap: the cap of the request or, without one, eight times
/// what the digits take plus `extra`, and at least 16,384 bits.
pub(super) fn precisions(settings: &Settings, extra: u64) -> (Bits, Bits) {
    const MOST: Bits = 10_000_000;
    let needed = settings.digit_bits() + 12;
    let start = settings.prec_bits.max(needed);
    let extra = Bits::try_from(extra).unwrap_or(MOST);
    let default_cap = needed.saturating_mul(8).saturating_add(extra).clamp(16_384, MOST);
    (start, settings.max_bits.unwrap_or(default_cap).clamp(start, MOST.max(start)))
}

fn unknown(name: &str) -> Error {
    let asked: String = name.chars().take(40).collect();
    let lower = asked.to_lowercase();
    let mut near: Vec<(usize, &str)> = CONSTANTS
        .iter()
        .map(|c| match alias(&lower) == Some(c.name) {
            true => (0, c.name),
            false => (strsim::damerau_levenshtein(&lower, c.name), c.name),
        })
        .filter(|(distance, name)| *distance <= 2.min(name.len() - 1))
        .collect();
    near.sort();
    let names = |list: &[&str]| list.join(", ");
    let hint = match near.is_empty() {
        false => format!("; near: {}", names(&near.iter().take(3).map(|(_, n)| *n).collect::<Vec<_>>())),
        true => format!("; there are {}", names(&CONSTANTS.iter().map(|c| c.name).collect::<Vec<_>>())),
    };
    Error::new(Code::UnknownFunction, format!("no constant is called {asked:?}{hint}")).at("name")
}

/// Names from elsewhere for which the table has another one.
fn alias(name: &str) -> Option<&'static str> {
    Some(match name {
        "π" => "pi",
        "τ" | "2pi" | "twopi" => "tau",
        "exp1" => "e",
        "γ" | "gamma" | "euler_gamma" | "eulergamma" | "euler_mascheroni" => "euler",
        "φ" | "phi" | "golden_ratio" => "golden",
        "zeta3" => "apery",
        "ln2" => "log2",
        "ln10" => "log10",
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// `{"kind":"constant"}`: a named number to the digits asked for.
pub(super) fn answer_constant(request: &[u8], settings: &Settings, budget: &Budget) -> Result<String> {
    let request: Request = object(request).map_err(not_json)?;
    let name = request
        .name
        .ok_or_else(|| Error::new(Code::BadRequest, "a constant request needs a name").at("name"))?;
    let constant = Constant::find(&name)?;
    let (output, tight, bits) = constant.answer(settings, budget)?;
    let mut out = format!(r#"{{"bits_used":{bits},{}"#, &head(settings)[1..]);
    // Writing to a String cannot fail.
    let _ = write!(out, r#","kind":"constant","name":"{}","output":"#, constant.name);
    append_interval(&mut out, &output);
    let _ = write!(out, r#","status":"ok","tight":{tight},"tool":"arb_oracle"}}"#);
    Ok(out)
}
