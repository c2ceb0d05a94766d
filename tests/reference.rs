//! The fixed reference values of `tests/data/unary_reference.tsv`, which were found with mpmath and
//! python-flint (see `tests/data/README.md`), against the oracle.
//!
//! For every row: the answer is sound, it is within one unit of the last requested digit of the truth
//! where it says so, and the printed ends and the integer ball are the same interval. Rows that must
//! be refused are refused with the code of the table. Comparisons are exact, in rationals.

use std::collections::BTreeSet;

use lean_oracle::ball::{Decimal, Integer, Interval, MidRad10Exp, Rational};
use lean_oracle::oracle::{Answer, FUNCTIONS, Query, Settings};

const TABLE: &str = include_str!("data/unary_reference.tsv");

/// How many rows the table has; a table cut short must not pass.
const ROWS: usize = 2000;

/// `text`, a decimal with optional point and exponent, exactly. Not the parser under test.
fn decimal(text: &str) -> Rational {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = Integer::parse(&format!("{whole}{fraction}")).expect("a mantissa");
    let exponent: i32 = exponent.parse().expect("an exponent");
    Rational::from_decimal(&digits, exponent - fraction.len() as i32)
}

/// An endpoint as the table writes it: a decimal or a fraction.
fn endpoint(text: &str) -> Rational {
    match text.split_once('/') {
        None => decimal(text),
        Some((num, den)) => {
            let part = |s| Integer::parse(s).expect("an integer");
            Rational::from_parts(&part(num), &part(den)).expect("a denominator that is not 0")
        }
    }
}

/// `10^k`.
fn power_of_ten(k: i32) -> Rational {
    Rational::from_decimal(&Integer::from(1), k)
}

/// One unit of the `digits`-th significant digit of `x`; 0 for 0, which is exact or not tight.
fn unit(x: &Rational, digits: u32) -> Rational {
    if x.is_zero() {
        return Rational::new();
    }
    let size = x.abs();
    // A guess from the binary magnitude, too high by at most two.
    let mut decade = (x.magnitude() as f64 * std::f64::consts::LOG10_2).ceil() as i32 + 1;
    while power_of_ten(decade) > size {
        decade -= 1;
    }
    assert!(size < power_of_ten(decade + 1), "10^{decade} <= |x| < 10^{}", decade + 1);
    power_of_ten(decade + 1 - digits as i32)
}

/// `(mid ± rad)·10^exp` of a ball.
fn ball_ends(ball: &MidRad10Exp) -> (Rational, Rational) {
    let at = |z: &Integer| Rational::from_decimal(z, ball.exp as i32);
    (at(&(&ball.mid - &ball.rad)), at(&(&ball.mid + &ball.rad)))
}

/// The number of significant digits that are printed.
fn significant(x: &Decimal) -> usize {
    let text = x.to_string();
    let mantissa = text.split_once('e').map_or(text.as_str(), |(m, _)| m);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// What is wrong with the shape of an answer, whatever its values.
fn malformed(answer: &Answer, interval: &Interval, digits: u32) -> Option<&'static str> {
    let (lo, hi) = (answer.lo.to_rational(), answer.hi.to_rational());
    let printed = (decimal(&answer.lo.to_string()), decimal(&answer.hi.to_string()));
    let ball = &answer.output;
    let (in_lo, in_hi) = ball_ends(&answer.input);
    let all_zero = ball.mid.is_zero() && ball.rad.is_zero() && ball.exp == 0;
    if lo > hi {
        Some("the ends are reversed")
    } else if printed != (lo.clone(), hi.clone()) {
        Some("the printed ends are not the ends")
    } else if ball.rad.sign() < 0 {
        Some("the radius is negative")
    } else if ball_ends(ball) != (lo.clone(), hi.clone()) {
        Some("mid, rad and exp are not the ends")
    } else if (lo.is_zero() && hi.is_zero()) != all_zero {
        Some("exact zero and (0, 0, 0) must go together")
    } else if significant(&answer.lo).max(significant(&answer.hi)) > digits as usize {
        Some("an end has more digits than asked for")
    } else if in_lo > interval.lo || in_hi < interval.hi {
        Some("the input ball does not contain the input")
    } else {
        None
    }
}

/// What is wrong with the answer to one row; with it, whether the answer claims to be tight.
fn check(row: &[&str], digits: u32) -> (Vec<String>, bool) {
    let (function, lo, hi, expected) = (row[0], row[1], row[2], row[3]);
    let settings = Settings { digits, ..Settings::default() };
    let query = match Query::parse(function, lo, hi, settings) {
        Ok(query) => query,
        Err(e) => return (vec![format!("not understood: {e}")], true),
    };
    if (&query.interval.lo, &query.interval.hi) != (&endpoint(lo), &endpoint(hi)) {
        return (vec!["the endpoints were not read exactly".into()], true);
    }
    let answer = match query.answer() {
        Err(e) if expected == e.code.name() => return (Vec::new(), true),
        Err(e) => return (vec![format!("expected {expected}, got {e}")], true),
        Ok(_) if expected != "ok" => return (vec![format!("expected {expected}, got an answer")], true),
        Ok(answer) => answer,
    };
    let mut wrong = Vec::new();
    wrong.extend(malformed(&answer, &query.interval, digits).map(String::from));
    let truth: Vec<Rational> = row[4..8].iter().map(|t| decimal(t)).collect();
    let (p, q) = (answer.lo.to_rational(), answer.hi.to_rational());
    if p > truth[1] {
        wrong.push(format!("UNSOUND: lower end {} is above the minimum {}", answer.lo, row[5]));
    }
    if q < truth[2] {
        wrong.push(format!("UNSOUND: upper end {} is below the maximum {}", answer.hi, row[6]));
    }
    if answer.tight {
        if p < &truth[0] - &unit(&p, digits) {
            wrong.push(format!("not tight: lower end {}, minimum {}", answer.lo, row[4]));
        }
        if q > &truth[3] + &unit(&q, digits) {
            wrong.push(format!("not tight: upper end {}, maximum {}", answer.hi, row[7]));
        }
    }
    (wrong, answer.tight)
}

fn rows() -> Vec<Vec<&'static str>> {
    TABLE.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect()).collect()
}

fn check_all(digits: u32) {
    let mut failures = Vec::new();
    let mut not_tight = Vec::new();
    for row in rows() {
        let (wrong, tight) = check(&row, digits);
        let question = format!("{} {} {} --digits {digits}", row[0], row[1], row[2]);
        failures.extend(wrong.into_iter().map(|w| format!("{question}: {w}")));
        if !tight {
            not_tight.push(question);
        }
    }
    println!("{digits} digits: {} answers are not tight", not_tight.len());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    // None may say that it is not tight. The default cap of 16,384 bits is far above what any argument of
    // the table needs, and what no precision could decide (an end that lies on the decimal grid, or
    // nearer to it than 10^-4932) must be known from exact values and inequalities.
    assert!(
        not_tight.is_empty(),
        "{} are not tight:
{}",
        not_tight.len(),
        not_tight.join(
            "
"
        )
    );
}

#[test]
fn the_table_is_whole_and_names_every_function() {
    let rows = rows();
    assert_eq!(rows.len(), ROWS);
    for row in &rows {
        assert_eq!(row.len(), if row[3] == "ok" { 8 } else { 4 }, "{row:?}");
    }
    let tabulated: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    let ours: BTreeSet<&str> = FUNCTIONS.iter().map(|f| f.name).collect();
    assert_eq!(tabulated, ours);
}

#[test]
fn the_checks_notice_what_is_wrong() {
    // sqrt over [0, 4] is exactly [0, 2]; claims about it that are false must be noticed.
    let row = |down: &'static str, up: &'static str| vec!["sqrt", "0", "4", "ok", "0", "0", down, up];
    assert!(check(&row("2", "2"), 20).0.is_empty());
    assert!(check(&row("2.0000000001", "2.0000000001"), 20).0[0].contains("UNSOUND"));
    assert!(check(&row("1.9999999999", "1.9999999999"), 20).0[0].contains("not tight"));
    assert!(check(&["sqrt", "0", "4", "domain"], 20).0[0].contains("expected domain"));
    assert!(check(&["sqrt", "-1", "4", "pole"], 20).0[0].contains("expected pole"));
    assert_eq!(unit(&decimal("-9.99e5"), 3), decimal("1e3"));
    assert_eq!(unit(&decimal("1e-5"), 1), decimal("1e-5"));
}

#[test]
fn the_reference_table_holds_at_20_digits() {
    check_all(20);
}

#[test]
fn the_reference_table_holds_at_50_digits() {
    check_all(50);
}
