//! Evidence from outside: random expressions with values that mpmath and python-flint agree on, published
//! optima of the classical test functions, and zeros of polynomials that are hard to tell apart.

use lean_oracle::ball::{Integer, Interval, Rational};
use lean_oracle::oracle::answer_json;
use std::f64::consts::PI;

use lean_oracle::{Code, Result};
use serde_json::{Map, Value, json};

const EXPRESSIONS: &str = include_str!("data/expression_reference.tsv");
const LEVELS: [&str; 3] = ["fast", "default", "tight"];

fn ask(request: &Value) -> Result<Value> {
    let answer = answer_json(request.to_string().as_bytes(), None)?;
    Ok(serde_json::from_str(&answer).expect("answers are JSON"))
}

fn number(text: &str) -> Rational {
    Interval::parse(text, 1_000_000).expect("a number").lo
}

fn ends(v: &Value) -> (Rational, Rational) {
    (number(v["lo"].as_str().expect("lo")), number(v["hi"].as_str().expect("hi")))
}

fn ten(power: i32) -> Rational {
    Rational::from_decimal(&Integer::from(1), power)
}

fn larger(a: Rational, b: Rational) -> Rational {
    if a < b { b } else { a }
}

/// `x` and a bound for the error of its 30 digits.
fn value(text: &str) -> (Rational, Rational) {
    let x = number(text);
    let error = &x.abs() * &ten(-29);
    (x, error)
}

/// A row of the table: the expression, the names with their ends, the points with their values.
struct Row {
    expr: Value,
    names: Vec<&'static str>,
    ends: Vec<(&'static str, &'static str)>,
    samples: Vec<(Vec<&'static str>, &'static str)>,
    known: bool,
    undefined: bool,
}

fn rows() -> Vec<Row> {
    let parse = |line: &'static str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [expr, limits, samples, range] = fields[..] else { panic!("{line}") };
        let expr = if expr.starts_with('{') { serde_json::from_str(expr).expect(expr) } else { json!(expr) };
        let (mut names, mut ends) = (Vec::new(), Vec::new());
        for limit in limits.split(';') {
            let (name, range) = limit.split_once('=').expect(line);
            names.push(name);
            ends.push(range.split_once("..").expect(line));
        }
        let sample = |s: &'static str| {
            let (point, value) = s.split_once(':').expect(line);
            (point.split(',').collect(), value)
        };
        let samples = samples.split(';').filter(|s| !s.is_empty()).map(sample).collect();
        Row { expr, names, ends, samples, known: range == "known", undefined: range == "undefined" }
    };
    EXPRESSIONS.lines().skip(1).map(parse).collect()
}

fn question(row: &Row, ends: &[(&str, &str)], level: &str) -> Value {
    let vars: Map<String, Value> = row
        .names
        .iter()
        .zip(ends)
        .map(|(v, (lo, hi))| (v.to_string(), json!({"lo": lo, "hi": hi})))
        .collect();
    json!({"kind": "expr", "vars": vars, "expr": row.expr, "level": level, "digits": 40, "max_nodes": 50_000})
}

/// A claim is held against what other systems computed, so a failure lists all rows that fail.
fn no_failures(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_level_contains_every_sampled_value() {
    let (mut failures, mut answered) = (Vec::new(), 0);
    for row in rows().iter().filter(|row| !row.undefined) {
        for level in LEVELS {
            let request = question(row, &row.ends, level);
            let answer = match ask(&request) {
                Ok(answer) => answer,
                Err(e) => {
                    failures.push(format!("{request}: {e}"));
                    continue;
                }
            };
            answered += 1;
            let (lo, hi) = ends(&answer["output"]);
            for (point, text) in &row.samples {
                let (x, error) = value(text);
                if lo > &x + &error || hi < &x - &error {
                    failures.push(format!("{request}: {text} at {point:?} is not in {}", answer["output"]));
                }
            }
            // What is said of the distance to the true ends must cover the minimum and the maximum.
            if row.known {
                let ((least, e), (greatest, f)) = (value(row.samples[0].1), value(row.samples[1].1));
                let gap = |end: &str| answer["gap"][end].as_str().map(number);
                if gap("lo").is_some_and(|g| &lo + &g < &least - &e)
                    || gap("hi").is_some_and(|g| &hi - &g > &greatest + &f)
                {
                    failures.push(format!("{request}: farther than the gap: {answer}"));
                }
            }
            if answer["tight"] == true {
                let (least, e) = value(row.samples[0].1);
                let (greatest, f) = value(row.samples[1].1);
                // Tight: within one unit of the last digit of the true range, which these values are in.
                let unit = &larger(lo.abs(), hi.abs()) * &ten(-39);
                if lo > &least + &e
                    || hi < &greatest - &f
                    || row.known && (lo < &(&least - &e) - &unit || hi > &(&greatest + &f) + &unit)
                {
                    failures.push(format!("{request}: not tight: {answer}"));
                }
            }
        }
    }
    no_failures(failures);
    assert!(answered >= 3 * 500, "{answered}");
}

#[test]
fn what_is_undefined_somewhere_is_refused() {
    let (mut failures, mut refused) = (Vec::new(), 0);
    for row in rows().iter().filter(|row| row.undefined) {
        for level in LEVELS {
            let request = question(row, &row.ends, level);
            match ask(&request) {
                Ok(answer) => failures.push(format!("{request}: {answer}")),
                Err(e) if matches!(e.code, Code::Domain | Code::Pole) => refused += 1,
                Err(e) => failures.push(format!("{request}: {e}")),
            }
        }
    }
    no_failures(failures);
    assert!(refused >= 3 * 60, "{refused}");
}

#[test]
fn points_have_their_values() {
    let mut failures = Vec::new();
    for row in rows() {
        for (point, text) in &row.samples {
            let at: Vec<(&str, &str)> = point.iter().map(|x| (*x, *x)).collect();
            let (x, error) = value(text);
            for level in ["fast", "default"] {
                let request = question(&row, &at, level);
                match ask(&request) {
                    Ok(answer) => {
                        let (lo, hi) = ends(&answer["output"]);
                        let wide = &larger(x.abs(), Rational::from(1)) * &ten(-25);
                        if lo > &x + &error || hi < &x - &error || &hi - &lo > wide {
                            failures.push(format!("{request}: {text} against {}", answer["output"]));
                        }
                    }
                    Err(e) => failures.push(format!("{request}: {e}")),
                }
            }
        }
    }
    no_failures(failures);
}

/// Each variable once and every operation monotone: one pass of interval arithmetic is exact.
#[test]
fn known_ranges_are_met() {
    let (mut failures, mut known) = (Vec::new(), 0);
    for row in rows().iter().filter(|row| row.known) {
        known += 1;
        for level in LEVELS {
            let request = question(row, &row.ends, level);
            let Ok(answer) = ask(&request) else { continue }; // the test above reports it
            let (lo, hi) = ends(&answer["output"]);
            let ((m, _), (n, _)) = (value(row.samples[0].1), value(row.samples[1].1));
            let slack = &larger(m.abs(), n.abs()) * &ten(-25);
            if lo < &m - &slack || hi > &n + &slack {
                failures.push(format!("{request}: {} against [{m}, {n}]", answer["output"]));
            }
        }
    }
    no_failures(failures);
    assert!(known >= 100, "{known}");
}

fn boxed(list: &[(&str, &str, &str)]) -> Value {
    list.iter()
        .map(|(name, lo, hi)| (name.to_string(), json!({"lo": lo, "hi": hi})))
        .collect::<Map<String, Value>>()
        .into()
}

fn sum(terms: impl Iterator<Item = String>) -> String {
    terms.collect::<Vec<_>>().join(" + ")
}

/// An expression, its box, the published minimum with its error, and published minimisers.
type Optimum = (String, Vec<(&'static str, &'static str, &'static str)>, f64, f64, Vec<Vec<f64>>);

/// Beside those in tests/questions.rs. Values and minimisers as in Surjanovic and Bingham, "Virtual Library of
/// Simulation Experiments" (two and three variables), and in Gavana's "Global Optimization Benchmarks" (one; there the
/// minimiser of `x*sin(x) + x*cos(2*x)` is wrong in its fifth digit, this one is from mpmath).
fn optima() -> Vec<Optimum> {
    let square = |lo: &'static str, hi: &'static str| vec![("x", lo, hi), ("y", lo, hi)];
    let line = |lo: &'static str, hi: &'static str| vec![("x", lo, hi)];
    let hartmann = {
        let alpha = ["1.0", "1.2", "3.0", "3.2"];
        let a = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
        let p = [
            ["0.3689", "0.1170", "0.2673"],
            ["0.4699", "0.4387", "0.7470"],
            ["0.1091", "0.8732", "0.5547"],
            ["0.0381", "0.5743", "0.8828"],
        ];
        let term = |i: usize| {
            let inner = sum((0..3).map(|j| format!("{}*({} - {})^2", a[i][j], ["x", "y", "z"][j], p[i][j])));
            format!("{}*exp(-({inner}))", alpha[i])
        };
        format!("-({})", sum((0..4).map(term)))
    };
    vec![
        (
            "sin(x + y) + (x - y)^2 - 1.5*x + 2.5*y + 1".into(),
            vec![("x", "-1.5", "4"), ("y", "-3", "4")],
            -1.9133,
            1e-4,
            vec![vec![-0.54719, -1.54719]],
        ),
        (
            "-cos(x)*cos(y)*exp(-(x - pi)^2 - (y - pi)^2)".into(),
            square("-10", "10"),
            -1.0,
            0.0,
            vec![vec![PI, PI]],
        ),
        (
            "(1.5 - x + x*y)^2 + (2.25 - x + x*y^2)^2 + (2.625 - x + x*y^3)^2".into(),
            square("-4.5", "4.5"),
            0.0,
            0.0,
            vec![vec![3.0, 0.5]],
        ),
        ("(x + 2*y - 7)^2 + (2*x + y - 5)^2".into(), square("-10", "10"), 0.0, 0.0, vec![vec![1.0, 3.0]]),
        (
            "(x^2 + y - 11)^2 + (x + y^2 - 7)^2".into(),
            square("-5", "5"),
            0.0,
            0.0,
            vec![
                vec![3.0, 2.0],
                vec![-2.805118, 3.131312],
                vec![-3.779310, -3.283186],
                vec![3.584428, -1.848126],
            ],
        ),
        ("2*x^2 - 1.05*x^4 + x^6/6 + x*y + y^2".into(), square("-5", "5"), 0.0, 0.0, vec![vec![0.0, 0.0]]),
        (
            "-20*exp(-0.2*sqrt((x^2 + y^2)/2)) - exp((cos(2*pi*x) + cos(2*pi*y))/2) + e + 20".into(),
            square("-5", "5"),
            0.0,
            0.0,
            vec![vec![0.0, 0.0]],
        ),
        (
            "x^2 + 2*y^2 - 0.3*cos(3*pi*x) - 0.4*cos(4*pi*y) + 0.7".into(),
            square("-100", "100"),
            0.0,
            0.0,
            vec![vec![0.0, 0.0]],
        ),
        (
            "(x^2 + y^2)/4000 - cos(x)*cos(y/sqrt(2)) + 1".into(),
            square("-10", "10"),
            0.0,
            0.0,
            vec![vec![0.0, 0.0]],
        ),
        (
            "sin(3*pi*x)^2 + (x - 1)^2*(1 + sin(3*pi*y)^2) + (y - 1)^2*(1 + sin(2*pi*y)^2)".into(),
            square("-10", "10"),
            0.0,
            0.0,
            vec![vec![1.0, 1.0]],
        ),
        (
            "-abs(sin(x)*cos(y)*exp(abs(1 - sqrt(x^2 + y^2)/pi)))".into(),
            square("-10", "10"),
            -19.2085,
            1e-4,
            vec![
                vec![8.05502, 9.66459],
                vec![8.05502, -9.66459],
                vec![-8.05502, 9.66459],
                vec![-8.05502, -9.66459],
            ],
        ),
        (
            hartmann,
            vec![("x", "0", "1"), ("y", "0", "1"), ("z", "0", "1")],
            -3.86278,
            1e-5,
            vec![vec![0.114614, 0.555649, 0.852547]],
        ),
        (
            format!("-({})", sum((1..=5).map(|k| format!("{k}*sin({}*x + {k})", k + 1)))),
            line("-10", "10"),
            -12.03124,
            1e-5,
            vec![],
        ),
        (
            format!("-({})", sum((1..=5).map(|k| format!("{k}*cos({}*x + {k})", k + 1)))),
            line("-10", "10"),
            -14.508,
            1e-3,
            vec![],
        ),
        ("-exp(-x)*sin(2*pi*x)".into(), line("0", "4"), -0.788685, 1e-5, vec![vec![0.224885]]),
        ("(x^2 - 5*x + 6)/(x^2 + 1)".into(), line("-5", "5"), -0.03553, 1e-5, vec![vec![2.41422]]),
        ("-(x - sin(x))*exp(-x^2)".into(), line("-10", "10"), -0.0634905, 1e-6, vec![vec![1.195137]]),
        ("x*sin(x) + x*cos(2*x)".into(), line("0", "10"), -9.50835, 1e-5, vec![vec![4.79541]]),
        // exp(-27*pi/2) - 1
        ("exp(-3*x) - sin(x)^3".into(), line("0", "20"), -1.0, 1e-15, vec![vec![14.13717]]),
    ]
}

#[test]
fn classical_minima_and_minimisers() {
    let mut failures = Vec::new();
    for (expr, bounds, published, error, minimisers) in optima() {
        let request =
            json!({"kind": "range", "vars": boxed(&bounds), "expr": expr, "digits": 15, "tol": "1e-7"});
        let answer = match ask(&request) {
            Ok(answer) => answer,
            Err(e) => {
                failures.push(format!("{expr}: {e}"));
                continue;
            }
        };
        let near = |v: &Value| {
            let (lo, hi) = ends(v);
            (lo.to_f64(), hi.to_f64())
        };
        let (lo, hi) = near(&answer["min"]["value"]);
        if lo > published + error || hi < published - error || hi - lo > 2e-7 * (1.0 + published.abs()) {
            failures.push(format!("{expr}: {}", answer["min"]["value"]));
        }
        let places = answer["min"]["places"].as_array().expect("a list");
        // Minimisers are published to some digits; places may be cut off.
        let close = |p: &Value, at: &[f64]| {
            bounds.iter().zip(at).all(|((name, ..), x)| {
                let (lo, hi) = near(&p[name]);
                lo - 1e-4 <= *x && *x <= hi + 1e-4
            })
        };
        for at in &minimisers {
            if answer["min"]["places_complete"] == true && !places.iter().any(|p| close(p, at)) {
                failures.push(format!("{expr}: {at:?} is in none of {places:?}"));
            }
        }
        for level in ["fast", "default"] {
            let request =
                json!({"kind": "expr", "vars": boxed(&bounds), "expr": expr, "digits": 15, "level": level});
            match ask(&request).map(|a| near(&a["output"]).0) {
                Ok(lo) if lo <= published + error => {}
                other => failures.push(format!("{expr} at {level}: {other:?}")),
            }
        }
    }
    no_failures(failures);
}

/// The coefficients of a product of x - k, lowest first.
fn expanded(roots: impl Iterator<Item = i64>) -> Vec<Integer> {
    roots.fold(vec![Integer::from(1)], |p, k| {
        let mut next = vec![Integer::from(0)];
        next.extend(p.iter().cloned());
        for (y, c) in next.iter_mut().zip(&p) {
            *y = &*y - &(c * &Integer::from(k));
        }
        next
    })
}

/// Zeros of polynomials written out in powers, which double precision does not find: all of them are in the places,
/// and each place has exactly one.
#[test]
fn zeros_of_hard_polynomials() {
    let powers = |p: &[Integer]| sum(p.iter().enumerate().map(|(k, c)| format!("({c})*x^{k}")));
    let chebyshev = |n: usize| {
        let (mut before, mut p) = (vec![Integer::from(1)], vec![Integer::from(0), Integer::from(1)]);
        for _ in 2..=n {
            let mut next = vec![Integer::from(0)];
            next.extend(p.iter().map(|c| c * &Integer::from(2)));
            for (y, c) in next.iter_mut().zip(&before) {
                *y = &*y - c;
            }
            (before, p) = (p, next);
        }
        powers(&p)
    };
    let cosines = |n: usize| {
        let one = |k: usize| (((2 * k - 1) as f64) * PI / (2 * n) as f64).cos();
        (1..=n).rev().map(one).collect::<Vec<f64>>()
    };
    // Expression, interval, zeros, the error of these.
    type Case = (String, &'static str, &'static str, Vec<f64>, f64);
    let cases: Vec<Case> = vec![
        // Wilkinson's polynomial, expanded.
        (powers(&expanded(1..=20)), "0", "25", (1..=20).map(|k| k as f64).collect(), 1e-12),
        (chebyshev(12), "-1", "1", cosines(12), 1e-12),
        (chebyshev(25), "-1", "1", cosines(25), 1e-12),
        // Mignotte's: the two zeros near 1/100 (mpmath) differ by 1.4e-11.
        ("x^9 - 2*(100*x - 1)^2".into(), "0", "1", vec![0.009999999992928932, 0.010000000007071068], 1e-16),
    ];
    for (expr, lo, hi, expected, error) in cases {
        let request = json!({"kind": "roots", "vars": boxed(&[("x", lo, hi)]), "expr": expr, "digits": 20});
        let answer = ask(&request).unwrap_or_else(|e| panic!("{expr}: {e}"));
        let found = answer["roots"].as_array().expect("a list");
        let inside = |root: &Value, x: f64| {
            let (lo, hi) = ends(&root["place"]);
            lo.to_f64() - error <= x && x <= hi.to_f64() + error
        };
        for x in &expected {
            assert!(found.iter().any(|root| inside(root, *x)), "{expr}: {x} is missing in {answer}");
        }
        for root in found.iter().filter(|root| root["status"] == "exactly-one") {
            assert_eq!(expected.iter().filter(|x| inside(root, **x)).count(), 1, "{expr}: {root}");
        }
        let all = found.len() == expected.len() && found.iter().all(|root| root["status"] == "exactly-one");
        assert!(answer["complete"] == true && all, "{expr}: {answer}");
    }
}
