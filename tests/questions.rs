//! Questions about expressions: ranges at every level, minima, zeros, comparisons, batches and budgets.
//!
//! Expected values are exact, published, or found by sampling in double precision; none is our own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lean_oracle::oracle::{answer_json, answer_json_until};
use lean_oracle::{Code, Result};
use serde_json::{Value, json};

fn ask(request: Value) -> Result<Value> {
    let answer = answer_json(request.to_string().as_bytes(), None)?;
    Ok(serde_json::from_str(&answer).expect("answers are JSON"))
}

fn number(v: &Value) -> f64 {
    v.as_str().expect("a number in a string").parse().expect("a decimal")
}

/// The ends of an interval, as doubles near them.
fn ends(v: &Value) -> (f64, f64) {
    (number(&v["lo"]), number(&v["hi"]))
}

fn vars(list: &[(&str, &str, &str)]) -> Value {
    list.iter()
        .map(|(name, lo, hi)| (name.to_string(), json!({"lo": lo, "hi": hi})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn code(request: Value) -> Code {
    ask(request.clone()).map(|a| panic!("{request} was answered: {a}")).unwrap_err().code
}

#[test]
fn the_examples_of_the_reference_are_enclosed_more_tightly() {
    let poly = json!({"op": "sub", "args": [
        {"op": "add", "args": [
            {"op": "mul", "args": [{"var": "x"}, {"var": "x"}]},
            {"op": "mul", "args": [{"const": "0.1"}, {"var": "x"}]}]},
        {"const": "0.5"}]});
    for level in ["fast", "default", "tight"] {
        let a = ask(json!({"kind": "expr", "vars": vars(&[("x", "-0.5", "0.5")]), "expr": poly, "digits": 10, "level": level}))
            .expect("answered");
        let (lo, hi) = ends(&a["output"]);
        // Inside the reference's answer, around the true range [-0.5025, -0.2].
        assert!((-0.8000000021..=-0.5025).contains(&lo) && (-0.2..=-0.1999999979).contains(&hi), "{a}");
        assert_eq!(a["level"], level);
        if level != "fast" {
            assert!(lo > -0.50250001 && hi < -0.19999999, "{a}");
        }
    }
    let a = ask(json!({"kind": "expr", "vars": vars(&[("x", "0", "4")]), "expr": {"op": "sqrt", "args": [{"var": "x"}]}})).expect("answered");
    assert_eq!(
        (&a["output"]["lo"], &a["output"]["hi"], &a["tight"]),
        (&json!("0"), &json!("2"), &json!(true))
    );
}

#[test]
fn refusals_have_their_codes() {
    let x = vars(&[("x", "-1", "1")]);
    for (expr, expected) in [
        (json!("1/x"), Code::Pole),
        (json!("log(x)"), Code::Domain),
        (json!("sqrt(x - 2)"), Code::Domain),
        (json!("x^(-2)"), Code::Pole),
        (json!("x + + * 3"), Code::Parse),
        (json!("x y"), Code::Parse),
        (json!("y"), Code::BadRequest),
        (json!({"var": "__arb__"}), Code::BadRequest),
        (json!({"op": "sin", "args": []}), Code::BadRequest),
        (json!({"op": "sinn", "args": [{"var": "x"}]}), Code::UnknownFunction),
        (json!({"const": "abc"}), Code::BadNumber),
        (json!({}), Code::BadRequest),
        (json!(3), Code::BadRequest),
    ] {
        let request = json!({"kind": "expr", "vars": x, "expr": expr});
        assert_eq!(code(request.clone()), expected, "{request}");
    }
    assert_eq!(code(json!({"kind": "expr", "vars": {"x": {"lo": "0"}}, "expr": "x"})), Code::BadRequest);
    // Without variables there is nothing to split.
    for kind in ["expr", "range", "compare"] {
        let request = json!({"kind": kind, "expr": "max(0, log(-2))^sqrt(2)", "other": "1"});
        assert_eq!(code(request.clone()), Code::Domain, "{request}");
    }
    assert_eq!(code(json!({"kind": "expr", "vars": x, "expr": "x", "level": "best"})), Code::BadRequest);
    // The name belongs to the user, as any other.
    let a = ask(json!({"kind": "expr", "vars": vars(&[("__arb__", "1", "2")]), "expr": {"var": "__arb__"}}))
        .expect("answered");
    assert_eq!(ends(&a["output"]), (1.0, 2.0));
}

#[test]
fn a_syntax_error_points_at_its_place() {
    let e = ask(json!({"kind": "expr", "vars": vars(&[("x", "0", "1")]), "expr": "x + * 3"})).unwrap_err();
    let lines: Vec<&str> = e.message.lines().collect();
    assert_eq!(lines[1..], ["  x + * 3", "      ^"], "{e}");
}

/// A function, its interval or box, and the same in double precision.
type Sampled = (&'static str, &'static [(&'static str, &'static str, &'static str)], fn(&[f64]) -> f64);

const SAMPLED: &[Sampled] = &[
    ("x^3 - 2*x + 1", &[("x", "-2", "1.5")], |x| x[0].powi(3) - 2.0 * x[0] + 1.0),
    ("exp(-x^2)*cos(5*x)", &[("x", "-1", "2")], |x| (-x[0] * x[0]).exp() * (5.0 * x[0]).cos()),
    ("x*y - sin(x + y)", &[("x", "-1", "1"), ("y", "0", "2")], |x| x[0] * x[1] - (x[0] + x[1]).sin()),
    ("abs(x - 1/3) + max(x, 0.5, y)", &[("x", "0", "1"), ("y", "0", "1")], |x| {
        (x[0] - 1.0 / 3.0).abs() + x[0].max(0.5).max(x[1])
    }),
    ("min(x^2, 2 - x)", &[("x", "-1", "3")], |x| (x[0] * x[0]).min(2.0 - x[0])),
    ("if(x < 1/4, 1 - x, x)", &[("x", "0", "1")], |x| if x[0] < 0.25 { 1.0 - x[0] } else { x[0] }),
    ("let t = tanh(x); t/(1 + t^2)", &[("x", "-3", "0.5")], |x| x[0].tanh() / (1.0 + x[0].tanh().powi(2))),
    ("x^(2/3)", &[("x", "-8", "1")], |x| (x[0] * x[0]).cbrt()),
    ("x^(-3)", &[("x", "0.5", "2")], |x| x[0].powi(-3)),
    ("x^y", &[("x", "0.5", "2"), ("y", "-1", "2")], |x| x[0].powf(x[1])),
    ("softplus(x) - relu(x)", &[("x", "-2", "2")], |x| x[0].exp().ln_1p() - x[0].max(0.0)),
    ("atan(x)/(2 + sin(pi*x))", &[("x", "-1", "3")], |x| {
        x[0].atan() / (2.0 + (std::f64::consts::PI * x[0]).sin())
    }),
    ("sqrt(1 - x^2)*y", &[("x", "-1", "1"), ("y", "-1", "2")], |x| (1.0 - x[0] * x[0]).sqrt() * x[1]),
];

#[test]
fn every_level_contains_the_samples_and_tight_is_tight() {
    for (expr, bounds, f) in SAMPLED {
        let limits: Vec<(f64, f64)> =
            bounds.iter().map(|(_, lo, hi)| (lo.parse().unwrap(), hi.parse().unwrap())).collect();
        let steps = if limits.len() == 1 { 20_000 } else { 200 };
        let at = |i: usize, k: usize| limits[i].0 + (limits[i].1 - limits[i].0) * k as f64 / steps as f64;
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for k in 0..=steps {
            for l in 0..=if limits.len() == 1 { 0 } else { steps } {
                let point: Vec<f64> = (0..limits.len()).map(|i| at(i, if i == 0 { k } else { l })).collect();
                let y = f(&point);
                (least, greatest) = (least.min(y), greatest.max(y));
            }
        }
        let mut widths = Vec::new();
        for level in ["fast", "default", "tight"] {
            let a = ask(json!({"kind": "expr", "vars": vars(bounds), "expr": expr, "digits": 12, "level": level, "tol": "1e-6"}))
                .unwrap_or_else(|e| panic!("{expr} at {level}: {e}"));
            let (lo, hi) = ends(&a["output"]);
            assert!(lo <= least + 1e-9 && hi >= greatest - 1e-9, "{expr} at {level}: {a}");
            // What is said of the distance must cover what sampling shows of it.
            if let (Some(gap_lo), Some(gap_hi)) = (a["gap"]["lo"].as_str(), a["gap"]["hi"].as_str()) {
                let slack = 1e-2 * (greatest - least);
                assert!(gap_lo.parse::<f64>().unwrap() >= least - lo - slack, "{expr} at {level}: {a}");
                assert!(gap_hi.parse::<f64>().unwrap() >= hi - greatest - slack, "{expr} at {level}: {a}");
            }
            widths.push(hi - lo);
        }
        let true_width = greatest - least;
        assert!(
            widths[2] <= true_width + 1e-2 * true_width + 1e-5,
            "{expr}: {widths:?} against {true_width}"
        );
        assert!(widths[1] <= widths[0] + 1e-9, "{expr}: {widths:?}");
    }
}

#[test]
fn published_minima_are_found() {
    let box2 = |lo: &'static str, hi: &'static str| vec![("x", lo, hi), ("y", lo, hi)];
    let shubert =
        |v: &str| (1..=5).map(|k| format!("{k}*cos({}*{v} + {k})", k + 1)).collect::<Vec<_>>().join(" + ");
    let goldstein = "(1 + (x + y + 1)^2*(19 - 14*x + 3*x^2 - 14*y + 6*x*y + 3*y^2))\
                     *(30 + (2*x - 3*y)^2*(18 - 32*x + 12*x^2 + 48*y - 36*x*y + 27*y^2))";
    // Expression, box, published minimum, its error.
    type Case = (String, Vec<(&'static str, &'static str, &'static str)>, f64, f64);
    let cases: Vec<Case> = vec![
        ("(1 - x)^2 + 100*(y - x^2)^2".into(), box2("-2", "2"), 0.0, 1e-8),
        ("20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)".into(), box2("-5.12", "5.12"), 0.0, 1e-8),
        (goldstein.into(), box2("-2", "2"), 3.0, 1e-6),
        (
            "(y - 5.1/(4*pi^2)*x^2 + 5/pi*x - 6)^2 + 10*(1 - 1/(8*pi))*cos(x) + 10".into(),
            vec![("x", "-5", "10"), ("y", "0", "15")],
            0.397_887_357_729_738_2,
            1e-8,
        ),
        (
            "(4 - 2.1*x^2 + x^4/3)*x^2 + x*y + (-4 + 4*y^2)*y^2".into(),
            vec![("x", "-3", "3"), ("y", "-2", "2")],
            -1.031_628_453_489_877,
            1e-8,
        ),
        (format!("({})*({})", shubert("x"), shubert("y")), box2("-10", "10"), -186.730_908_831_023_9, 1e-6),
        // Univariate functions with many minima (Gavana's collection), to the digits published there.
        ("sin(x) + sin(10*x/3)".into(), vec![("x", "2.7", "7.5")], -1.899599, 1e-5),
        ("-(1.4 - 3*x)*sin(18*x)".into(), vec![("x", "0", "1.2")], -1.489073, 1e-5),
        ("-(x + sin(x))*exp(-x^2)".into(), vec![("x", "-10", "10")], -0.824239, 1e-5),
        ("sin(x) + sin(10*x/3) + log(x) - 0.84*x + 3".into(), vec![("x", "2.7", "7.5")], -1.601308, 1e-5),
        ("sin(x) + sin(2*x/3)".into(), vec![("x", "3.1", "20.4")], -1.905961, 1e-5),
        ("-x*sin(x)".into(), vec![("x", "0", "10")], -7.916727, 1e-5),
        ("2*cos(x) + cos(2*x)".into(), vec![("x", "-1.57", "6.28")], -1.5, 1e-9),
        ("sin(x)^3 + cos(x)^3".into(), vec![("x", "0", "6.28")], -1.0, 1e-9),
        ("(-16*x^2 + 24*x - 5)*exp(-x)".into(), vec![("x", "1.9", "3.9")], -3.850450, 1e-5),
        (
            "x^6/6 - 52/25*x^5 + 39/80*x^4 + 71/10*x^3 - 79/20*x^2 - x + 1/10".into(),
            vec![("x", "-1.5", "11")],
            -29763.233,
            1e-2,
        ),
    ];
    for (expr, bounds, published, error) in cases {
        let a =
            ask(json!({"kind": "range", "vars": vars(&bounds), "expr": expr, "digits": 15, "tol": "1e-8"}))
                .unwrap_or_else(|e| panic!("{expr}: {e}"));
        let (lo, hi) = ends(&a["min"]["value"]);
        assert!(lo <= published + error && hi >= published - error, "{expr}: {a}");
        assert!(hi - lo <= 2e-8 + 1e-13 * published.abs(), "{expr}: {}", a["min"]["value"]);
    }
}

#[test]
fn all_minimisers_are_in_the_places() {
    let a = ask(json!({"kind": "range", "vars": vars(&[("x", "-3", "3"), ("y", "-2", "2")]), "tol": "1e-6", "digits": 12,
        "expr": "(4 - 2.1*x^2 + x^4/3)*x^2 + x*y + (-4 + 4*y^2)*y^2"}))
    .expect("answered");
    let places = a["min"]["places"].as_array().expect("a list");
    assert_eq!(a["min"]["places_complete"], true);
    // The two published minimisers of the six-hump camel function.
    for (x, y) in [(0.089842, -0.712656), (-0.089842, 0.712656)] {
        let inside = |p: &Value| {
            let ((xl, xh), (yl, yh)) = (ends(&p["x"]), ends(&p["y"]));
            xl - 1e-6 <= x && x <= xh + 1e-6 && yl - 1e-6 <= y && y <= yh + 1e-6
        };
        assert!(places.iter().any(inside), "({x}, {y}) is in none of {places:?}");
    }
}

fn zeros(expr: &str, lo: &str, hi: &str) -> Vec<(f64, f64, String)> {
    let a = ask(json!({"kind": "roots", "vars": vars(&[("x", lo, hi)]), "expr": expr, "digits": 20}))
        .unwrap_or_else(|e| panic!("{expr}: {e}"));
    let list = a["roots"].as_array().expect("a list").iter();
    list.map(|r| {
        let (lo, hi) = ends(&r["place"]);
        (lo, hi, r["status"].as_str().expect("a status").to_string())
    })
    .collect()
}

#[test]
fn zeros_are_isolated() {
    let wilkinson = (1..=20).map(|k| format!("(x - {k})")).collect::<Vec<_>>().join("*");
    let chebyshev = "512*x^10 - 1280*x^8 + 1120*x^6 - 400*x^4 + 50*x^2 - 1";
    let expected: Vec<(&str, &str, &str, Vec<f64>)> = vec![
        (&wilkinson, "0", "25", (1..=20).map(f64::from).collect()),
        (
            chebyshev,
            "-1",
            "1",
            (1..=10).rev().map(|k| (f64::from(2 * k - 1) * std::f64::consts::PI / 20.0).cos()).collect(),
        ),
        ("sin(pi*x)", "-2.5", "3.5", (-2..=3).map(f64::from).collect()),
        ("x^3 - x", "-3", "3", vec![-1.0, 0.0, 1.0]),
        ("exp(x) - 2", "0", "1", vec![std::f64::consts::LN_2]),
        ("x^2 + 1", "-5", "5", vec![]),
        (
            "x*sin(1/x)",
            "0.1",
            "1",
            vec![1.0 / (3.0 * std::f64::consts::PI), 0.5 / std::f64::consts::PI, 1.0 / std::f64::consts::PI],
        ),
    ];
    for (expr, lo, hi, expected) in expected {
        let found = zeros(expr, lo, hi);
        assert_eq!(found.len(), expected.len(), "{expr}: {found:?}");
        for ((lo, hi, status), root) in found.iter().zip(&expected) {
            assert!(
                status == "exactly-one" && lo - 1e-12 <= *root && *root <= hi + 1e-12 && hi - lo < 1e-12,
                "{expr}: {found:?}"
            );
        }
    }
}

#[test]
fn multiple_zeros_are_told_from_single_ones_or_unresolved() {
    let request = |expr: &str| json!({"kind": "roots", "vars": vars(&[("x", "-3", "3")]), "expr": expr});
    // Of polynomials the multiplicity is known, also at the end of the interval.
    let a = ask(request("(x - 1)^2*(x + 2)*(x - 3)^5*(x - 5)")).unwrap();
    let roots = a["roots"].as_array().unwrap();
    let found: Vec<_> = roots.iter().map(|r| (ends(&r["place"]), r["multiplicity"].as_u64())).collect();
    let expected = [((-2.0, -2.0), Some(1)), ((1.0, 1.0), Some(2)), ((3.0, 3.0), Some(5))];
    assert_eq!(found, expected, "{a}");
    assert_eq!(a["complete"], true, "{a}");
    let a = ask(request("exp((x - 1)^2) - 1")).unwrap();
    assert_eq!(a["complete"], false, "{a}");
    for root in a["roots"].as_array().unwrap() {
        let (lo, hi) = ends(&root["place"]);
        assert_eq!(
            (root["status"].as_str(), root["multiplicity"].as_u64()),
            (Some("unresolved"), None),
            "{a}"
        );
        assert!((lo - 1.0).abs() < 1e-9 && (hi - 1.0).abs() < 1e-9, "{a}");
    }
}

#[test]
fn comparisons_are_decided_when_they_can_be() {
    let compare = |f: &str, g: &str, bounds: &[(&str, &str, &str)]| {
        ask(json!({"kind": "compare", "vars": vars(bounds), "expr": f, "other": g, "max_nodes": 2_000_000}))
            .unwrap_or_else(|e| panic!("{f} < {g}: {e}"))
    };
    let x = [("x", "0.001", "1")];
    assert_eq!(compare("sin(x)", "x", &x)["verdict"], "true");
    assert_eq!(compare("x - x^3/6", "sin(x)", &x)["verdict"], "true");
    let a = compare("cos(x)", "1 - x^2/2", &[("x", "-2", "2")]);
    assert_eq!(a["verdict"], "false", "{a}");
    let at = ends(&a["witness"]["x"]).0;
    assert!(at.cos() >= 1.0 - at * at / 2.0, "{a}");
    // Equal at 0 only: no point refutes it but 0 itself, and no enclosure proves it.
    let a = compare("0", "x^2", &[("x", "-1", "1")]);
    assert_ne!(a["verdict"], "true", "{a}");
}

#[test]
fn a_batch_keeps_the_order_and_fails_item_by_item() {
    let requests: Vec<Value> = (0..10_000)
        .map(|i| match i % 100 {
            7 => json!({"func": "log", "lo": -1, "hi": i}),
            k if k % 2 == 0 => json!({"func": "neg", "lo": i, "hi": i, "digits": 10}),
            _ => json!({"kind": "expr", "vars": {}, "expr": {"const": i}, "level": "fast", "digits": 10}),
        })
        .collect();
    let a = ask(json!({"kind": "batch", "requests": requests})).expect("answered");
    let results = a["results"].as_array().expect("a list");
    assert_eq!(results.len(), 10_000);
    for (i, r) in results.iter().enumerate() {
        match i % 100 {
            7 => assert_eq!(r["error"]["code"], "domain", "{i}: {r}"),
            k if k % 2 == 0 => assert_eq!(number(&r["output"]["lo"]), -(i as f64), "{i}: {r}"),
            _ => assert_eq!(number(&r["output"]["hi"]), i as f64, "{i}: {r}"),
        }
    }
}

#[test]
fn the_limits_of_a_batch_hold_for_all_of_it() {
    let begun = Instant::now();
    // No step of the first two ends within the time; nor do all of the others.
    let slow = |name: &str| json!({"kind": "constant", "name": name, "digits": 10_000});
    let mut requests = vec![slow("khinchin"), json!({"func": "neg", "lo": 1, "hi": 1}), slow("glaisher")];
    requests.extend((0..200).map(|_| slow("khinchin")));
    let a = ask(json!({"kind": "batch", "timeout_ms": 300, "requests": requests})).expect("answered");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let results = a["results"].as_array().expect("a list");
    assert_eq!(results.len(), 203);
    for (i, r) in results.iter().enumerate() {
        match i {
            1 => assert_eq!(r["output"]["lo"], "-1", "{r}"),
            _ => assert_eq!(r["error"]["code"], "timeout", "{i}: {r}"),
        }
    }
    // Work is shared; an item has its own limits as well.
    let item = json!({"kind": "expr", "vars": vars(&[("x", "1", "2")]), "expr": "x*x - x", "level": "fast"});
    let mut small = item.clone();
    small["max_nodes"] = json!(1);
    let requests: Vec<Value> = std::iter::once(small).chain((0..100).map(|_| item.clone())).collect();
    let codes = |request: Value| -> Vec<Value> {
        let a = ask(request).expect("answered");
        a["results"].as_array().expect("a list").iter().map(|r| r["error"]["code"].clone()).collect()
    };
    let limited = codes(json!({"kind": "batch", "max_nodes": 300, "requests": requests}));
    assert_eq!(limited.len(), 101);
    assert_eq!(limited[0], "budget");
    let answered = limited.iter().filter(|c| c.is_null()).count();
    assert!((1..100).contains(&answered), "{limited:?}");
    assert!(limited.iter().all(|c| c.is_null() || c == "budget"), "{limited:?}");
    let free = codes(json!({"kind": "batch", "requests": requests}));
    assert!(free[0] == "budget" && free[1..].iter().all(Value::is_null), "{free:?}");
}

#[test]
fn long_computations_are_left_in_time() {
    let expr = (1..60_000).map(|k| format!("sin({k}*x)")).collect::<Vec<_>>().join(" + ");
    for request in [
        json!({"kind": "constant", "name": "euler", "digits": 1_000_000}),
        json!({"kind": "expr", "vars": vars(&[("x", "0", "1")]), "expr": expr, "digits": 500}),
    ] {
        let mut limited = request.clone();
        limited["timeout_ms"] = json!(100);
        let begun = Instant::now();
        assert_eq!(code(limited), Code::Timeout);
        // Far more than is promised: other tests are at work.
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        let flag = Arc::new(AtomicBool::new(false));
        let canceller = std::thread::spawn({
            let flag = flag.clone();
            move || {
                std::thread::sleep(Duration::from_millis(100));
                flag.store(true, std::sync::atomic::Ordering::Relaxed);
                Instant::now()
            }
        });
        let stopped = answer_json_until(request.to_string().as_bytes(), None, Some(flag));
        let returned = Instant::now();
        let cancelled = canceller.join().expect("no panic");
        assert_eq!(stopped.unwrap_err().code, Code::Cancelled);
        assert!(returned - cancelled < Duration::from_millis(300), "{:?}", returned - cancelled);
    }
}

#[test]
fn objects_are_not_given_as_arrays() {
    for request in [
        json!({"kind": "expr", "vars": {"x": ["0", "1"]}, "expr": "x"}),
        json!({"kind": "expr", "vars": [["x", {"lo": "0", "hi": "1"}]], "expr": "x"}),
        json!({"kind": "mlp", "input": [["0"], ["1"]], "layers": []}),
        json!({"kind": "mlp", "input": {"lo": ["0"], "hi": ["1"]}, "layers": [[[["1"]], ["0"], null, null]]}),
        json!(["unary", "exp", "0", "1"]),
    ] {
        assert_eq!(code(request.clone()), Code::BadRequest, "{request}");
    }
    let a = ask(json!({"kind": "batch", "requests": [["unary", "exp", "0", "1"]]})).expect("answered");
    assert_eq!(a["results"][0]["error"]["code"], "bad_request");
}

#[test]
fn refusals_of_functions_point_at_the_expression() {
    let asked = |expr: &str| {
        ask(json!({"kind": "expr", "vars": vars(&[("x", "-2", "1")]), "expr": expr})).unwrap_err()
    };
    for (expr, code) in
        [("1 + log(x)", Code::Domain), ("gamma(x)", Code::Pole), ("exp(x*1e400)", Code::ExponentLimit)]
    {
        let e = asked(expr);
        assert_eq!((e.code, e.field), (code, Some("expr")), "{e}");
        assert!(e.message.starts_with("on a part of the box, "), "{e}");
    }
    let e = asked("x + y");
    assert!(e.message.contains("the variables are x") && e.message.contains("pi, tau, e"), "{e}");
}

#[test]
fn depth_costs_no_stack() {
    let deep = 100_000;
    let expr = format!("{}{}{}", r#"{"op":"neg","args":["#.repeat(deep), r#"{"var":"x"}"#, "]}".repeat(deep));
    let request = format!(
        r#"{{"kind":"expr","vars":{{"x":{{"lo":1,"hi":2}}}},"expr":{expr},"level":"fast","digits":5}}"#
    );
    let answer: Value =
        serde_json::from_str(&answer_json(request.as_bytes(), None).expect("answered")).expect("JSON");
    assert_eq!(ends(&answer["output"]), (1.0, 2.0));
    let sums = format!("x{}", " + x".repeat(5_000));
    let a = ask(json!({"kind": "expr", "vars": vars(&[("x", "1", "2")]), "expr": sums, "level": "fast", "digits": 10})).expect("answered");
    assert_eq!(ends(&a["output"]), (5001.0, 10002.0));
    let nested = format!("{}x{}", "(".repeat(deep), ")".repeat(deep));
    assert_eq!(code(json!({"kind": "expr", "vars": vars(&[("x", "1", "2")]), "expr": nested})), Code::Parse);
}

#[test]
fn equal_parts_are_evaluated_once() {
    // 2^60 additions if they were not.
    let mut text = String::new();
    for k in 0..60 {
        text += &format!(
            "let y{} = {} + {}; ",
            k + 1,
            if k == 0 { "x".into() } else { format!("y{k}") },
            if k == 0 { "x".into() } else { format!("y{k}") }
        );
    }
    text += "y60/2^60";
    let a = ask(json!({"kind": "expr", "vars": vars(&[("x", "1", "2")]), "expr": text, "level": "fast", "digits": 10})).expect("answered");
    assert_eq!(ends(&a["output"]), (1.0, 2.0));
}

#[test]
fn budgets_end_the_work() {
    let hard = |extra: Value| {
        let mut request = json!({"kind": "range", "vars": vars(&[("x", "-10", "10"), ("y", "-10", "10")]), "tol": "1e-40",
            "expr": "sin(x*y)*cos(x^2 - y) + sin(3*x + y^2)"});
        request.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        request
    };
    // Something is known when the work ends: that is the answer, and it is sound.
    for extra in [json!({"max_nodes": 20_000}), json!({"timeout_ms": 200})] {
        let a = match ask(hard(extra.clone())) {
            Ok(a) => a,
            // On a busy machine it may come too late.
            Err(e) if e.code == Code::Timeout && extra["max_nodes"].is_null() => continue,
            Err(e) => panic!("{e}"),
        };
        let (lo, hi) = ends(&a["output"]);
        assert!(lo <= -1.9 && hi >= 1.9 && a["tight"] == false, "{a}");
    }
    assert_eq!(code(hard(json!({"max_nodes": 1}))), Code::Budget);
    assert_eq!(code(hard(json!({"timeout_ms": 0}))), Code::Timeout);
    let cancel = Arc::new(AtomicBool::new(true));
    let stopped = answer_json_until(hard(json!({})).to_string().as_bytes(), None, Some(cancel));
    assert_eq!(stopped.unwrap_err().code, Code::Cancelled);
    // While it runs, from another thread.
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let worker = std::thread::spawn(move || {
        answer_json_until(hard(json!({})).to_string().as_bytes(), None, Some(flag)).map_err(|e| e.code)
    });
    std::thread::sleep(Duration::from_millis(100));
    cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(worker.join().expect("no panic").unwrap_err(), Code::Cancelled);
}

/// Functions that saturate at the edge of a domain stay inside it.
#[test]
fn saturation_does_not_leave_the_domain() {
    for (expr, lo, hi) in [
        ("acos(tanh(x))", 0.0, 2.0 * 1f64.tanh().acos() + 2.0),
        ("acos(erf(x))", 0.0, 4.0),
        ("asin(sigmoid(x))", 0.0, 1.58),
        ("sqrt(1 - tanh(x))", 0.0, 1.4),
        ("sqrt(1 - erf(x))", 0.0, 1.4),
        ("acosh(cosh(x/1e60))", 0.0, 1e-20),
    ] {
        for level in ["fast", "default"] {
            let a = ask(
                json!({"kind": "expr", "level": level, "expr": expr, "vars": vars(&[("x", "-1", "200")])}),
            )
            .unwrap_or_else(|e| panic!("{expr} at {level}: {e}"));
            let (least, greatest) = ends(&a["output"]);
            assert!(least >= lo - 1e-12 && greatest <= hi, "{expr} at {level}: {a}");
        }
    }
}

/// Ends that are attained at rational points by rational expressions are exact, also inside the box.
#[test]
fn rational_extrema_are_exact() {
    for (expr, bounds, lo, hi) in [
        ("x^2 + 0.1*x - 0.5", &[("x", "-0.5", "0.5")][..], "-0.5025", "-0.2"),
        ("x*(1 - x)", &[("x", "-0.5", "1.5")][..], "-0.75", "0.25"),
        ("x/(1 + x^2)", &[("x", "-3", "3")][..], "-0.5", "0.5"),
        ("(3*x - 1)^2 + (7*y - 2)^2", &[("x", "-1", "1"), ("y", "-1", "1")][..], "0", "97"),
        ("sqr(x - 0.3)*sqrt(4)", &[("x", "0", "0.4")][..], "0", "0.18"),
    ] {
        for level in ["default", "tight"] {
            let a = ask(
                json!({"kind": "expr", "level": level, "expr": expr, "vars": vars(bounds), "digits": 20}),
            )
            .unwrap();
            assert_eq!((&a["output"]["lo"], &a["output"]["hi"]), (&json!(lo), &json!(hi)), "{expr}: {a}");
            assert_eq!(a["tight"], true, "{expr}: {a}");
        }
    }
}

/// Intervals narrower than the working precision, around ends that no binary number is.
#[test]
fn thin_intervals_are_not_taken_for_points() {
    let ends_of = |expr: &str, lo: &str, hi: &str, bits: u32| {
        let a = ask(json!({"kind": "range", "expr": expr, "vars": vars(&[("x", lo, hi)]), "digits": 10, "prec_bits": bits}))
            .unwrap_or_else(|e| panic!("{expr}: {e}"));
        (a["output"]["lo"].as_str().unwrap().to_string(), a["output"]["hi"].as_str().unwrap().to_string(), a)
    };
    let (lo, _, a) = ends_of("-x", "0.1", "0.1000000000000000000000000000000000000001", 64);
    assert_eq!(lo, "-0.1000000001", "{a}");
    let (lo, hi, a) = ends_of("abs(x - 1/2)", "0.499999999999999999999999999999", "0.5", 64);
    assert!(lo == "0" && hi.parse::<f64>().unwrap() >= 1e-30, "{a}");
    // The least value is at a point in the cell of the upper end.
    let (lo, _, a) = ends_of(
        "abs(3*x - 1 + 1/36893488147419103232)",
        "9223372036854775805/27670116110564327424",
        "1/3",
        64,
    );
    assert_eq!(lo, "0", "{a}");
    let (_, hi, a) = ends_of("x^2*(1 - x)", "[0.1 +/- 1e-70]", "[0.1 +/- 1e-70]", 200);
    assert_eq!(hi, "0.009000000001", "{a}");
}

#[test]
fn zeros_that_agree_in_many_digits_are_told_apart() {
    for (expr, digits) in
        [("(x-1)*(x-1-1e-80)", 10), ("(x-1/3)*(x-1/3-1e-80)", 10), ("exp(x)*(x-1)*(x-1.01)", 2)]
    {
        let a =
            ask(json!({"kind": "roots", "expr": expr, "vars": vars(&[("x", "0", "2")]), "digits": digits}))
                .unwrap();
        let roots = a["roots"].as_array().unwrap();
        assert_eq!((roots.len(), &a["complete"]), (2, &json!(true)), "{expr}: {a}");
        // Decimals of one number of digits in plain notation are in the order of their texts.
        let (hi, lo) = (roots[0]["place"]["hi"].as_str().unwrap(), roots[1]["place"]["lo"].as_str().unwrap());
        assert!(hi < lo, "{expr}: {hi} and {lo}");
    }
}

#[test]
fn every_ball_that_is_written_is_a_number_of_its_own() {
    let x = vars(&[("x", "0", "1")]);
    let out = |expr: Value| ends(&ask(json!({"kind": "expr", "expr": expr, "vars": x})).unwrap()["output"]);
    let ball = json!({"const": "[0 +/- 1]"});
    assert_eq!(out(json!({"op": "mul", "args": [ball, ball]})), (-1.0, 1.0));
    assert_eq!(out(json!({"op": "if_lt", "args": [ball, ball, {"const": 1}, {"const": 2}]})), (1.0, 2.0));
    let shared = json!({"let": {"b": ball}, "in": {"op": "mul", "args": [{"var": "b"}, {"var": "b"}]}});
    assert_eq!(out(shared), (0.0, 1.0));
}

/// What the whole box shows is not lost when a part of it is too small for a function.
#[test]
fn parts_that_fail_keep_what_is_known() {
    let request = |level: &str| {
        json!({"kind": "expr", "expr": "exp(y*exp(1e8*min(x,0)))", "digits": 10, "level": level,
            "vars": vars(&[("x", "-2", "1"), ("y", "-1", "1")])})
    };
    for level in ["fast", "default", "tight"] {
        let a = ask(request(level)).unwrap_or_else(|e| panic!("{level}: {e}"));
        let (lo, hi) = ends(&a["output"]);
        assert!((lo - (-1f64).exp()).abs() < 1e-9 && (hi - 1f64.exp()).abs() < 1e-8, "{level}: {a}");
    }
}

/// Exact arithmetic on the way to a better method gives up before it takes long.
#[test]
fn huge_exact_numbers_do_not_hold_up_an_answer() {
    let x = vars(&[("x", "0", "1")]);
    let a =
        ask(json!({"kind": "roots", "expr": "x - 3^3000000/3^3000001", "vars": x, "digits": 10})).unwrap();
    let place = ends(&a["roots"][0]["place"]);
    assert!((place.0 - 1.0 / 3.0).abs() < 1e-9 && (place.1 - 1.0 / 3.0).abs() < 1e-9, "{a}");
    let sum = (0..3000).map(|i| format!("(x + {i})")).collect::<Vec<_>>();
    let a = ask(json!({"kind": "expr", "expr": format!("min({})", sum.join(", ")), "vars": x, "digits": 10}))
        .unwrap();
    assert_eq!(ends(&a["output"]), (0.0, 1.0));
}
