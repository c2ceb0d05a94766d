//! The unary tables of the interval test suite ITF1788 (see `tests/data/README.md`) against the oracle:
//! enclosure and tightness in units of binary64, and the refusals.
//!
//! `LEAN_ORACLE_ITF1788=FILE` runs the same checks on a larger table as well, one made by
//! `scripts/extract-itf1788 --all` from the parts of the suite whose licence keeps them out of here.

use std::collections::BTreeMap;

use lean_oracle::Code;
use lean_oracle::ball::{Integer, Interval, Rational};
use lean_oracle::oracle::{Query, Settings};

const TABLE: &str = include_str!("data/itf1788.tsv");

/// Enough to tell a binary64 number from its neighbours, with room to spare.
const DIGITS: u32 = 40;

/// A binary64 number written as a hexadecimal float, or an infinity.
fn hex(text: &str) -> f64 {
    let (sign, size) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if size == "inf" {
        return sign * f64::INFINITY;
    }
    let (mantissa, exponent) = size.strip_prefix("0x").and_then(|s| s.split_once('p')).expect("0x…p…");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let bits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("hexadecimal digits");
    let exponent = exponent.parse::<i32>().expect("an exponent") - 4 * fraction.len() as i32;
    // Two steps, as 2^exponent alone may underflow; both products are exact for a binary64 number.
    let half = exponent / 2;
    let value = bits as f64 * 2f64.powi(half) * 2f64.powi(exponent - half);
    sign * value
}

/// `x` as an exact decimal, which the standard library prints.
fn text(x: f64) -> String {
    let long = format!("{x:.1074}");
    long.trim_end_matches('0').to_string()
}

fn exact(x: f64) -> Rational {
    Rational::from_f64(x).expect("a finite number")
}

/// What is wrong with the answer to a row of kind `ok`.
fn check_ok(function: &str, (lo, hi): (f64, f64), (a, b): (f64, f64)) -> Result<(), String> {
    let settings = Settings { digits: DIGITS, ..Settings::default() };
    let query = Query::parse(function, &text(lo), &text(hi), settings).map_err(|e| e.to_string())?;
    if query.interval != (Interval { lo: exact(lo), hi: exact(hi) }) {
        return Err("the endpoints were not read exactly".into());
    }
    let answer = query.answer().map_err(|e| e.to_string())?;
    let (p, q) = (answer.lo.to_rational(), answer.hi.to_rational());
    // [a, b] is the tightest binary64 interval around the true range, hence strictly between
    // neighbours: a ≤ min < next_up(a) and next_down(b) < max ≤ b.
    if a.next_up().is_finite() && p >= exact(a.next_up()) {
        return Err(format!("UNSOUND: lower end {} against {a:e}", answer.lo));
    }
    if b.next_down().is_finite() && q <= exact(b.next_down()) {
        return Err(format!("UNSOUND: upper end {} against {b:e}", answer.hi));
    }
    if !answer.tight {
        return Err("it does not claim to be tight".into());
    }
    // One unit of the last digit of the larger end: 10^(decade of that end + 1 - DIGITS).
    let larger = p.abs().max(q.abs());
    let power = |k: i32| Rational::from_decimal(&Integer::from(1), k);
    let unit = if larger.is_zero() {
        Rational::new()
    } else {
        let mut decade = (larger.magnitude() as f64 * std::f64::consts::LOG10_2).ceil() as i32 + 1;
        while power(decade) > larger {
            decade -= 1;
        }
        power(decade + 1 - DIGITS as i32)
    };
    if a.is_finite() && p < &exact(a) - &unit {
        return Err(format!("not tight: lower end {} against {a:e}", answer.lo));
    }
    if b.is_finite() && q > &exact(b) + &unit {
        return Err(format!("not tight: upper end {} against {b:e}", answer.hi));
    }
    Ok(())
}

/// That the question is refused with `code`.
fn check_refused(function: &str, lo: &str, hi: &str, code: Code) -> Result<(), String> {
    let settings = Settings { digits: DIGITS, ..Settings::default() };
    match Query::parse(function, lo, hi, settings).and_then(|query| query.answer()) {
        Ok(answer) => Err(format!("expected {}, got [{}, {}]", code.name(), answer.lo, answer.hi)),
        Err(e) if e.code == code => Ok(()),
        Err(e) => Err(format!("expected {}, got {e}", code.name())),
    }
}

fn check(row: &[&str]) -> Result<(), String> {
    let [function, lo, hi, a, b, kind, _source] = row[..] else {
        return Err(format!("{} columns instead of 7", row.len()));
    };
    let refused = |code| check_refused(function, &text(hex(lo)), &text(hex(hi)), code);
    match kind {
        "ok" => check_ok(function, (hex(lo), hex(hi)), (hex(a), hex(b))),
        "domain" => refused(Code::Domain),
        "pole" => refused(Code::Pole),
        "exponent" => refused(Code::ExponentLimit),
        // The empty interval has no endpoints; the nearest that one can send is no text at all.
        "unbounded" if lo == "empty" => check_refused(function, "", "", Code::BadNumber),
        "unbounded" => {
            let sent = |t: &str| if t.ends_with("inf") { t.to_string() } else { text(hex(t)) };
            check_refused(function, &sent(lo), &sent(hi), Code::BadNumber)
        }
        other => Err(format!("unknown kind {other}")),
    }
}

/// Runs every row and returns how many there were of each kind.
fn check_table(table: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut failures = Vec::new();
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let row: Vec<&str> = line.split('\t').collect();
        if let Err(wrong) = check(&row) {
            failures.push(format!("{line}: {wrong}"));
        }
        *counts.entry(row[5].to_string()).or_default() += 1;
    }
    println!("{counts:?}");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    counts
}

#[test]
fn the_table_holds() {
    let counts = check_table(TABLE);
    let checked: usize = ["ok", "domain", "pole"].map(|k| counts[k]).iter().sum();
    // A table cut short must not pass.
    assert_eq!(checked, 236, "{counts:?}");
}

#[test]
fn a_larger_table_holds_if_one_is_given() {
    if let Some(path) = std::env::var_os("LEAN_ORACLE_ITF1788") {
        let table = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!check_table(&table).is_empty(), "no rows in {}", path.display());
    }
}

#[test]
fn hexadecimal_floats_are_read_exactly() {
    for (written, value) in [
        ("0x1p+0", 1.0),
        ("-0x1.8p+3", -12.0),
        ("0x1.999999999999ap-4", 0.1),
        ("0x0.0000000000001p-1022", 5e-324),
        ("-0x1.fffffffffffffp+1023", f64::MIN),
        ("0x0.4p-1022", f64::MIN_POSITIVE / 4.0),
        ("-inf", f64::NEG_INFINITY),
    ] {
        assert_eq!(hex(written).to_bits(), value.to_bits(), "{written}");
    }
    assert_eq!(text(0.1), "0.1000000000000000055511151231257827021181583404541015625");
}

#[test]
fn the_checks_notice_what_is_wrong() {
    let sqrt = |a: f64, b: f64| check_ok("sqrt", (4.0, 9.0), (a, b));
    assert_eq!(sqrt(2.0, 3.0), Ok(()));
    assert!(sqrt(2f64.next_down(), 3.0).unwrap_err().contains("UNSOUND"));
    assert!(sqrt(2.0, 3f64.next_up()).unwrap_err().contains("UNSOUND"));
    assert!(sqrt(2f64.next_up(), 3.0).unwrap_err().contains("not tight"));
    assert!(sqrt(2.0, 3f64.next_down()).unwrap_err().contains("not tight"));
    assert!(check_refused("sqrt", "4", "9", Code::Domain).is_err());
    assert!(check_refused("sqrt", "-4", "9", Code::Pole).is_err());
}
