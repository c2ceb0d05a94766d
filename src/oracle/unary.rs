//! Unary questions: the range of a function over an interval.

use super::budget::Budget;
use super::functions::{Function, short};
use super::range::{self, Ends};
use crate::ball::flint::release_caches_at_thread_exit;
use crate::ball::{Bits, DEFAULT_EXP_LIMIT, Decimal, Direction, Dyadic, Interval, MidRad10Exp};
use crate::error::{Code, Error, Result};

/// How precisely to answer, and where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Significant decimal digits at each end of the answer: 1 to 1,000,000. Default 50.
    pub digits: u32,
    /// The working precision to begin with, in bits: 2 to 10,000,000. Default 200.
    pub prec_bits: Bits,
    /// The cap on the working precision, on top of the bits of the argument's own size: at most
    /// 10,000,000. `None`: eight times what the digits need, and at least 16,384.
    pub max_bits: Option<Bits>,
    /// The limit on the absolute value of any power of ten: at most 100,000,000. Default 1,000,000.
    pub exp_limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { digits: 50, prec_bits: 200, max_bits: None, exp_limit: DEFAULT_EXP_LIMIT }
    }
}

impl Settings {
    /// The most digits that can be asked for.
    pub const MAX_DIGITS: u32 = 1_000_000;
    /// The most bits that can be worked with.
    pub const MAX_BITS: Bits = 10_000_000;
    const MAX_EXP_LIMIT: u32 = 100_000_000;

    /// Refuses settings out of bounds with [`Code::BadRequest`].
    pub fn check(&self) -> Result<()> {
        let within = |field, value: u32, low, high| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let message = format!("{field} is {value}; it must be between {low} and {high}");
            Err(Error::new(Code::BadRequest, message).at(field))
        };
        within("digits", self.digits, 1, Self::MAX_DIGITS)?;
        within("prec_bits", self.prec_bits, 2, Self::MAX_BITS)?;
        within("max_bits", self.max_bits.unwrap_or(2), 2, Self::MAX_BITS)?;
        within("exp_limit", self.exp_limit, 1, Self::MAX_EXP_LIMIT)
    }

    /// The bits that `digits` digits take.
    pub(super) fn digit_bits(&self) -> Bits {
        (f64::from(self.digits) * std::f64::consts::LOG2_10).ceil() as Bits
    }

    /// The bits with which expressions are evaluated: enough for the digits, and at least those asked for.
    pub(super) fn working_bits(&self) -> Bits {
        self.prec_bits.max(self.digit_bits() + 16)
    }

    /// The same with twice the digits, as far as digits go.
    pub(super) fn finer(&self) -> Settings {
        Settings { digits: self.digits.saturating_mul(2).min(Self::MAX_DIGITS), ..*self }
    }
}

/// The question: which values does a function take on an interval?
#[derive(Clone)]
pub struct Query {
    /// The function.
    pub function: &'static Function,
    /// The interval.
    pub interval: Interval,
    /// How precisely to answer.
    pub settings: Settings,
}

/// The answer: a ball that contains every value of the function on the interval.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The interval asked about, rounded outward to the digits asked for.
    pub input: MidRad10Exp,
    /// The enclosure of the range.
    pub output: MidRad10Exp,
    /// The lower end of `output`, exactly.
    pub lo: Decimal,
    /// The upper end of `output`, exactly.
    pub hi: Decimal,
    /// Whether each end is proved to be within one unit of its last requested digit of the true range.
    pub tight: bool,
    /// The working precision that was used, in bits.
    pub bits_used: Bits,
}

/// The answer as binary numbers: every value of the function lies in `[lo, hi]`.
#[derive(Clone, Debug)]
pub struct BinaryAnswer {
    /// The lower end.
    pub lo: Dyadic,
    /// The upper end.
    pub hi: Dyadic,
    /// Whether each end is proved to be within one unit of its last bit of the true range.
    pub tight: bool,
    /// The working precision that was used, in bits.
    pub bits_used: Bits,
}

impl Query {
    /// Reads a question from text. See [`Interval::parse`] for the grammar of the endpoints.
    pub fn parse(function: &str, lo: &str, hi: &str, settings: Settings) -> Result<Self> {
        settings.check()?;
        Ok(Query {
            function: Function::find(function)?,
            interval: Interval::parse_endpoints(lo, hi, settings.exp_limit)?,
            settings,
        })
    }

    /// Answers with decimal ends of `settings.digits` significant digits.
    ///
    /// The working precision is raised until the answer is tight or the cap is reached; then the
    /// answer is still an enclosure, but `tight` is false. Errors: [`Code::Domain`], [`Code::Pole`],
    /// [`Code::ExponentLimit`], and [`Code::PrecisionCap`] when not even a finite enclosure or the
    /// absence of a pole could be proved.
    pub fn answer(&self) -> Result<Answer> {
        self.answer_within(&Budget::unlimited())
    }

    /// As [`Query::answer`]; the budget is looked at each time the precision is raised.
    pub fn answer_within(&self, budget: &Budget) -> Result<Answer> {
        let Settings { digits, exp_limit, .. } = self.settings;
        let round = |ends: &Ends| {
            let (lo, lo_tight) = ends.lo.round(Direction::Down, digits, exp_limit)?;
            let (hi, hi_tight) = ends.hi.round(Direction::Up, digits, exp_limit)?;
            Ok(((lo, hi), lo_tight && hi_tight))
        };
        let input = MidRad10Exp::enclosing(&self.interval, digits, exp_limit)?;
        let (((lo, hi), tight), bits_used) = self.search(self.settings.digit_bits() + 12, budget, round)?;
        let output = MidRad10Exp::from_ends(&lo, &hi, exp_limit)?;
        Ok(Answer { input, output, lo, hi, tight, bits_used })
    }

    /// Answers with binary ends of `bits` significant bits; `settings.digits` is not used. Otherwise
    /// as [`Query::answer`].
    pub fn answer_binary(&self, bits: Bits) -> Result<BinaryAnswer> {
        let round = |ends: &Ends| {
            let (lo, lo_tight) = ends.lo.round_binary(Direction::Down, bits);
            let (hi, hi_tight) = ends.hi.round_binary(Direction::Up, bits);
            Ok(((lo, hi), lo_tight && hi_tight))
        };
        let (((lo, hi), tight), bits_used) = self.search(bits + 12, &Budget::unlimited(), round)?;
        Ok(BinaryAnswer { lo, hi, tight, bits_used })
    }

    /// Raises the precision from the larger of `prec_bits` and `needed` until `round` says that its
    /// result is tight, or up to the cap.
    fn search<T>(
        &self,
        needed: Bits,
        budget: &Budget,
        round: impl Fn(&Ends) -> Result<(T, bool)>,
    ) -> Result<((T, bool), Bits)> {
        release_caches_at_thread_exit();
        let Query { function, interval, settings } = self;
        let start = settings.prec_bits.max(needed);
        let default_cap = needed.saturating_mul(8).clamp(function.affordable, Settings::MAX_BITS);
        // Arguments cost their own size, up to twice for powers like Airy's x^(3/2). Beyond 10^120000
        // that is not affordable either.
        const MOST_ARGUMENT: i64 = 400_000;
        let argument = interval.lo.magnitude().max(interval.hi.magnitude()).clamp(0, MOST_ARGUMENT);
        let cap = settings
            .max_bits
            .unwrap_or(default_cap)
            .saturating_add(2 * argument as Bits)
            .clamp(start, Settings::MAX_BITS.max(start));
        let mut best = None;
        let mut bits = start;
        // The first attempt is the cheap one; every other uses exact values and hints as well.
        let mut refine = false;
        loop {
            let admitted = function.admits(interval, bits)?;
            if !refine && [&interval.lo, &interval.hi].into_iter().any(|q| function.huge.contains(q)) {
                return Err(self.too_large());
            }
            if admitted
                && let Some(ends) = range::ends(function, interval, bits, start.saturating_mul(2), refine)
            {
                let rounded = round(&ends)?;
                if rounded.1 {
                    return Ok((rounded, bits));
                }
                best = Some((rounded, bits));
            }
            if refine && bits >= cap {
                return best.ok_or_else(|| self.undecided(cap));
            }
            budget.spend(1)?;
            if refine {
                bits = bits.saturating_mul(2).min(cap);
            }
            refine = true;
        }
    }

    /// The refusal when a value is beyond any limit on exponents.
    fn too_large(&self) -> Error {
        let Query { function, interval, .. } = self;
        let (name, lo, hi) = (function.name, short(&interval.lo), short(&interval.hi));
        let message = format!(
            "{name} over [{lo}, {hi}] has values far beyond any limit on exponents; narrow the interval"
        );
        Error::new(Code::ExponentLimit, message)
    }

    /// The refusal when the cap was reached without any enclosure.
    fn undecided(&self, cap: Bits) -> Error {
        let Query { function, interval, .. } = self;
        let (name, lo, hi) = (function.name, short(&interval.lo), short(&interval.hi));
        let message = format!(
            "{name} over [{lo}, {hi}] was not enclosed with {cap} bits: an endpoint is very large, or very \
             close to a pole or an edge of the domain ({}); raise max_bits or move the endpoint",
            function.domain_text()
        );
        Error::new(Code::PrecisionCap, message)
    }
}
