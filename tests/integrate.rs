//! Definite integrals through the JSON interface.
//!
//! Expected values are exact, published, or computed by mpmath (`tests/data/integrals.tsv`); none is our
//! own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lean_oracle::ball::{Interval, Rational};
use lean_oracle::oracle::{FUNCTIONS, answer_json, answer_json_until};
use lean_oracle::{Code, Error, Result};
use serde_json::{Value, json};

fn ask(request: Value) -> Result<Value> {
    let answer = answer_json(request.to_string().as_bytes(), None)?;
    Ok(serde_json::from_str(&answer).expect("answers are JSON"))
}

fn integrate(expr: &str, lo: &str, hi: &str, digits: u32) -> Result<Value> {
    ask(json!({"kind": "integrate", "expr": expr, "var": "x", "lo": lo, "hi": hi, "digits": digits}))
}

fn refusal(expr: &str, lo: &str, hi: &str) -> Error {
    integrate(expr, lo, hi, 20).map(|a| panic!("{expr} on [{lo}, {hi}] was answered: {a}")).unwrap_err()
}

fn number(text: &str) -> Rational {
    let number = Interval::parse(text, 1_000_000).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert!(number.is_point(), "{text}");
    number.lo
}

/// Both ends of the answer.
fn ends(a: &Value) -> (Rational, Rational) {
    let end = |key| number(a["output"][key].as_str().expect("a number in a string"));
    (end("lo"), end("hi"))
}

/// Where a number is of which `text` has all digits right: within one unit of the last decimal place.
/// Without decimal places it is exact.
fn within_a_unit(text: &str) -> (Rational, Rational) {
    let value = number(text);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
    let exponent: i64 = exponent.parse().expect("an exponent");
    let unit = if places == 0 { Rational::new() } else { number(&format!("1e{}", exponent - places)) };
    (&value - &unit, &value + &unit)
}

/// Fails unless the answer contains `value`, a number with all written digits right, and is tight.
fn check(a: &Value, value: &str, digits: i32) {
    let (lo, hi) = ends(a);
    let (below, above) = within_a_unit(value);
    assert!(lo <= above && hi >= below, "{value} is not in {a}");
    assert_eq!(a["tight"], true, "{a}");
    let most = &lo.abs().max(hi.abs()) * &number(&format!("2e{}", 1 - digits));
    assert!(&hi - &lo <= most, "too wide: {a}");
}

#[test]
fn integrals_of_the_reference_table() {
    let table = include_str!("data/integrals.tsv");
    let mut functions = BTreeSet::new();
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let [expr, lo, hi, value] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        functions.extend(expr.strip_suffix("(x)"));
        for digits in [12, 42] {
            let a = integrate(expr, lo, hi, digits).unwrap_or_else(|e| panic!("{line}: {e}"));
            check(&a, value, digits as i32);
        }
    }
    for f in FUNCTIONS {
        assert!(functions.contains(f.name), "no integral of {}", f.name);
    }
}

/// The examples of `examples/integrals.c` in FLINT that are integrals of real expressions, with the values
/// that are published with them (F. Johansson, Numerical integration in arbitrary-precision ball
/// arithmetic, 2018, and the FLINT documentation), in closed form, or from mpmath.
#[test]
fn integrals_of_the_documentation_of_flint() {
    for (expr, lo, hi, value) in [
        // 1 - cos(100)
        ("sin(x)", "0", "100", "0.1376811277123160659005652804"),
        ("4/(1 + x^2)", "0", "1", "3.141592653589793238462643383"),
        ("4*sqrt(1 - x^2)", "0", "1", "3.141592653589793238462643383"),
        ("sin(x + exp(x))", "0", "8", "0.3474001726572478"),
        ("abs(x^4 + 10*x^3 + 19*x^2 - 6*x - 6)*exp(x)", "0", "1", "11.14731055005713973391"),
        // e^-1010 - e^-1020
        ("exp(x)", "-1020", "-1010", "2.304377150949363442499574148e-439"),
        // sqrt(pi), but for less than 10^-43
        ("exp(-x^2)", "-10", "10", "1.77245385090551602729816748334"),
        (
            "1/cosh(10*(x - 0.2))^2 + 1/cosh(100*(x - 0.4))^4 + 1/cosh(1000*(x - 0.6))^6",
            "0",
            "1",
            "0.21080273550054927738",
        ),
        // 1 + sqrt(2)
        ("max(sin(x), cos(x))", "0", "pi", "2.414213562373095048801688724"),
        // pi^2/4
        ("x*sin(x)/(1 + cos(x)^2)", "0", "pi", "2.467401100272339654708622749"),
        // With w = W(1000): 1000·(w - 1 + 1/w) - 1
        ("lambertw(x)", "0", "1000", "4439.093452951029"),
        ("1/cosh(x)", "0", "1000", "1.570796326794896619231321691"),
        // 1000!, but for less than 10^-30 of it
        ("x^1000*exp(-x)", "0", "10000", "4.023872600770937735437024339e2567"),
        // x·Si(x) + cos(x) - 1 at 1000
        ("si(x)", "0", "1000", "1569.795501045061921"),
    ] {
        check(&integrate(expr, lo, hi, 18).unwrap_or_else(|e| panic!("{expr}: {e}")), value, 18);
    }
}

#[test]
fn polynomials_have_rational_integrals() {
    for (expr, lo, hi, value) in [
        ("3", "0", "2", "6"),
        ("x^3", "0", "1", "1/4"),
        ("7*x^6 - 3*x^2", "-1/3", "2/3", "-600/2187"),
        ("(x - 1/2)^2", "0", "1", "1/12"),
        ("x^11 + x", "-1", "3", "531488/12"),
    ] {
        let a = integrate(expr, lo, hi, 30).unwrap_or_else(|e| panic!("{expr}: {e}"));
        let (below, above) = ends(&a);
        // F(hi) - F(lo), worked out by hand.
        let value = number(value);
        assert!(below <= value && value <= above && a["tight"] == true, "{expr}: {value} in {a}");
    }
}

#[test]
fn parts_add_up() {
    for (expr, a, b, c) in [
        ("exp(sin(3*x))", "-1", "1/3", "2"),
        ("abs(x - 0.3)*sqrt(x)", "0", "0.4", "1"),
        ("if(x < 0.7, cbrt(x), x^2)", "-1", "0.6", "3"),
    ] {
        let part = |lo, hi| ends(&integrate(expr, lo, hi, 25).unwrap_or_else(|e| panic!("{expr}: {e}")));
        let (left, right, whole) = (part(a, b), part(b, c), part(a, c));
        let sum = (&left.0 + &right.0, &left.1 + &right.1);
        assert!(sum.0 <= whole.1 && whole.0 <= sum.1, "{expr}: {sum:?} and {whole:?}");
        assert!((&sum.1 - &whole.0).abs() < number("1e-22"), "{expr}: {sum:?} and {whole:?}");
    }
}

#[test]
fn what_is_not_defined_everywhere_is_refused() {
    for (expr, lo, hi, code) in [
        // poles, inside and at ends
        ("1/x", "-1", "1", Code::Pole),
        ("1/x", "0", "1", Code::Pole),
        ("inv(x)", "-1", "0", Code::Pole),
        ("x^(-2)", "-1", "1", Code::Pole),
        ("x^(-1/3)", "-1", "1", Code::Pole),
        ("tan(x)", "1", "2", Code::Pole),
        ("gamma(x)", "-1.5", "-0.5", Code::Pole),
        ("digamma(x)", "-3/2", "3", Code::Pole),
        ("zeta(x)", "0", "2", Code::Pole),
        ("coth(x)", "-1", "2", Code::Pole),
        ("1/(x - pi)", "3", "4", Code::Pole),
        ("ei(x)", "-1", "1", Code::Pole),
        // where the complex continuation is finite, but no real value is there
        ("sqrt(x)", "-1", "1", Code::Domain),
        ("sqrt(x)", "-2", "-1", Code::Domain),
        ("sqrt(x)^2", "-2", "-1", Code::Domain),
        ("log(x)", "-2", "-1", Code::Domain),
        ("log(x)^2 + pi^2", "-2", "-1", Code::Domain),
        ("log(x)", "0", "1", Code::Domain),
        ("1/sqrt(x)", "0", "1", Code::Pole),
        ("exp(x*log(x))", "0", "1", Code::Domain),
        ("x^0.5", "-1", "1", Code::Domain),
        ("x^1.5", "-2", "-1", Code::Domain),
        ("asin(x)", "0", "2", Code::Domain),
        ("acos(x)", "2", "3", Code::Domain),
        ("acosh(x)", "0.5", "2", Code::Domain),
        ("acosh(x)", "-0.5", "0.5", Code::Domain),
        ("atanh(x)", "2", "3", Code::Domain),
        ("atanh(x)", "0", "1", Code::Domain),
        ("lgamma(x)", "-0.75", "-0.25", Code::Domain),
        ("lambertw(x)", "-2", "-1", Code::Domain),
        ("dilog(x)", "1", "2", Code::Domain),
        ("ci(x)", "-2", "-1", Code::Domain),
        ("log1p(x)", "-3", "-2", Code::Domain),
        ("sqrt(x - 1)", "0.999999", "2", Code::Domain),
        ("sqrt(x^2 - 1e-6)", "-1", "1", Code::Domain),
        ("log(abs(x))", "-1", "1", Code::Domain),
        // the branch that is not defined is the one that is taken
        ("if(x < 0, sqrt(x), x)", "-1", "1", Code::Domain),
        // where it changes, both are taken
        ("if(x <= 0, sqrt(-x), sqrt(x))", "-1", "2", Code::Domain),
        ("exp(exp(x))", "0", "100", Code::ExponentLimit),
    ] {
        let e = refusal(expr, lo, hi);
        assert_eq!(e.code, code, "{expr} on [{lo}, {hi}]: {e}");
        assert!(code == Code::ExponentLimit || e.message.contains("substitute"), "{e}");
    }
}

#[test]
fn endpoints_are_numbers_or_constant_expressions() {
    // The integral over a point is 0, exactly.
    for point in ["1/3", "-0.1"] {
        let a = integrate("exp(x)", point, point, 20).unwrap();
        assert_eq!(
            (&a["output"]["lo"], &a["output"]["hi"], &a["tight"]),
            (&json!("0"), &json!("0"), &json!(true))
        );
    }
    check(&integrate("cos(x)", "-pi/2", "pi/2", 40).unwrap(), "2", 40);
    check(&integrate("1/x", "1", "e", 40).unwrap(), "1", 40);
    check(&integrate("x", "sqrt(2)", "2", 40).unwrap(), "1", 40);
    check(&integrate("1/x", "1/3", "1e-200 + 1/3", 10).unwrap(), "3.00000000000e-200", 10);
    for (lo, hi, code, field) in [
        ("2", "1", Code::Reversed, "lo"),
        ("pi", "3", Code::Reversed, "lo"),
        ("[1 +/- 1]", "[2 +/- 1]", Code::Reversed, "lo"),
        ("pi", "pi", Code::Reversed, "lo"),
        ("x", "1", Code::BadNumber, "lo"),
        ("0", "inf", Code::BadNumber, "hi"),
        ("0", "1e9999999", Code::ExponentLimit, "hi"),
        ("0", "log(-1)", Code::Domain, "hi"),
    ] {
        let e = refusal("1", lo, hi);
        assert_eq!((e.code, e.field), (code, Some(field)), "[{lo}, {hi}]: {e}");
    }
}

#[test]
fn balls_are_enclosed_for_every_number_in_them() {
    // x² from a to b is (b³ - a³)/3: from -0.1 to 1.1 and from 0.1 to 0.9.
    let a = integrate("x^2", "[0 +/- 0.1]", "[1 +/- 0.1]", 20).unwrap();
    let (lo, hi) = ends(&a);
    assert!(lo <= number("728/3000") && hi >= number("1332/3000") && a["tight"] == false, "{a}");
    assert!(hi < number("0.5") && lo > number("0.2"), "{a}");
    // c·x from 0 to 1 is c/2.
    let expr = json!({"op": "mul", "args": [{"var": "x"}, {"const": "[0.5 +/- 0.1]"}]});
    let a = ask(json!({"kind": "integrate", "expr": expr, "lo": 0, "hi": 1})).unwrap();
    let (lo, hi) = ends(&a);
    assert!(lo <= number("0.2") && hi >= number("0.3") && a["tight"] == false, "{a}");
    assert!(lo > number("0.199") && hi < number("0.301"), "{a}");
    // |x - c| from 0 to 1 is (c² + (1 - c)²)/2, from 0.25 to 0.26; the kink is anywhere in the ball.
    let expr =
        json!({"op": "abs", "args": [{"op": "sub", "args": [{"var": "x"}, {"const": "[0.5 +/- 0.1]"}]}]});
    let a = ask(json!({"kind": "integrate", "expr": expr, "lo": 0, "hi": 1})).unwrap();
    let (lo, hi) = ends(&a);
    assert!(lo <= number("0.25") && hi >= number("0.26") && lo > number("0.1"), "{a}");
    // Undefined for some of the numbers.
    assert_eq!(refusal("log(x)", "[0.1 +/- 0.2]", "1").code, Code::Domain);
}

#[test]
fn zero_is_enclosed_narrowly_and_soon() {
    let started = Instant::now();
    for (expr, lo, hi) in [
        ("sin(x)", "-1", "1"),
        ("x^3*exp(x^2)", "-2", "2"),
        ("cos(x)", "0", "pi"),
        ("sin(x)^2 + cos(x)^2 - 1", "0", "1"),
    ] {
        let a = integrate(expr, lo, hi, 20).unwrap_or_else(|e| panic!("{expr}: {e}"));
        let (lo, hi) = ends(&a);
        assert!(lo.sign() <= 0 && hi.sign() >= 0 && a["tight"] == false, "{expr}: {a}");
        assert!(lo > number("-1e-40") && hi < number("1e-40"), "{expr}: {a}");
    }
    // This is exactly 0, and seen to be.
    assert_eq!(integrate("relu(-x)", "0", "1", 20).unwrap()["output"]["hi"], "0");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // A tiny value among large ones that cancel needs more bits, which may be asked for:
    // the integral of exp(-200 - x²), sqrt(pi)·erf(10)/e^200.
    let request = json!({"kind": "integrate", "expr": "sin(x) + exp(-200 - x^2)", "lo": -10, "hi": 10, "digits": 10,
        "max_bits": 2000});
    check(&ask(request).unwrap(), "2.452892728e-87", 10);
}

#[test]
fn requests_have_two_forms() {
    let one = ask(json!({"kind": "integrate", "expr": "t^2", "vars": {"t": {"lo": "0", "hi": 3}}})).unwrap();
    let other = ask(json!({"kind": "integrate", "expr": "t^2", "var": "t", "lo": 0, "hi": "3"})).unwrap();
    assert_eq!(one, other);
    let keys: Vec<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["bits_used", "ctx", "kind", "output", "status", "tight", "tool"]);
    for (request, field) in [
        (json!({"expr": "x", "lo": 0}), "hi"),
        (json!({"lo": 0, "hi": 1}), "expr"),
        (json!({"expr": "y", "lo": 0, "hi": 1}), "expr"),
        (json!({"expr": "x*y", "vars": {"x": {"lo": 0, "hi": 1}, "y": {"lo": 0, "hi": 1}}}), "vars"),
        (json!({"expr": "1", "vars": {}}), "vars"),
        (json!({"expr": "1", "vars": {"x": {"lo": 0}}}), "hi"),
        (json!({"expr": "x", "lo": 0, "hi": 1, "digits": 0}), "digits"),
        (json!({"expr": "x", "lo": 0, "hi": 1, "digits": 20_000}), "digits"),
    ] {
        let mut request = request;
        request["kind"] = json!("integrate");
        let e = ask(request.clone()).map(|a| panic!("{request}: {a}")).unwrap_err();
        assert_eq!((e.code, e.field), (Code::BadRequest, Some(field)), "{request}: {e}");
    }
}

#[test]
fn many_digits() {
    let a = integrate("4/(1 + x^2)", "0", "1", 500).unwrap();
    let pi = ask(json!({"kind": "constant", "name": "pi", "digits": 600})).unwrap();
    let ((lo, hi), (below, above)) = (ends(&a), ends(&pi));
    assert!(lo <= above && below <= hi && &hi - &lo <= number("2e-499") && a["tight"] == true, "{a}");
}

#[test]
fn budgets_end_it_soon() {
    // An oscillation that takes far longer.
    let hard = json!({"kind": "integrate", "expr": "sin(1/x)*besselj0(exp(10*x))", "lo": "1e-9", "hi": 1});
    let with = |key: &str, value: u64| {
        let mut request = hard.clone();
        request[key] = json!(value);
        let started = Instant::now();
        let code = ask(request).map(|a| panic!("answered: {a}")).unwrap_err().code;
        assert!(started.elapsed() < Duration::from_secs(5), "{key}: {:?}", started.elapsed());
        code
    };
    assert_eq!(with("timeout_ms", 50), Code::Timeout);
    assert_eq!(with("max_nodes", 20_000), Code::Budget);

    let flag = Arc::new(AtomicBool::new(false));
    let setter = flag.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        setter.store(true, Ordering::Relaxed);
    });
    let started = Instant::now();
    let e = answer_json_until(hard.to_string().as_bytes(), None, Some(flag)).expect_err("cancelled");
    assert_eq!(e.code, Code::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    thread.join().expect("the other thread");

    // What is known when the budget ends is an answer if it is of use.
    let request =
        json!({"kind": "integrate", "expr": "sin(1/x) + 2", "lo": "1e-9", "hi": 1, "max_nodes": 30_000});
    let a = ask(request).unwrap();
    let (lo, hi) = ends(&a);
    // sin(1) - Ci(1) + Ci(10^9) - …, 0.504067061906928…, and 2
    assert!(lo < number("2.504067061") && hi > number("2.504067062") && a["tight"] == false, "{a}");
    assert!(lo > number("2.1") && hi < number("2.7"), "{a}");
}
