//! Certificates: what is proved is true, what is false has a witness, and refusals have their codes.
//! That the certificates are proofs is checked in Lean, by `lean/Tests.lean` and the examples.

use lean_oracle::{Code, Error, oracle};
use serde_json::{Value, json};

fn ask(request: Value) -> Result<Value, Error> {
    let answer = oracle::answer_json(request.to_string().as_bytes(), None)?;
    Ok(serde_json::from_str(&answer).expect("an answer is JSON"))
}

fn vars(list: &[(&str, &str, &str)]) -> Value {
    list.iter()
        .map(|(name, lo, hi)| (name.to_string(), json!({"lo": lo, "hi": hi})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn claim(expr: &str, list: &[(&str, &str, &str)], claim: &str, bound: &str) -> Value {
    ask(json!({"kind": "certify", "vars": vars(list), "expr": expr, "claim": claim, "bound": bound})).unwrap()
}

/// The cuts of a certificate: variable and place, in order; the number of leaves.
fn cuts(certificate: &str) -> (Vec<(String, f64)>, usize) {
    let words = certificate.replace(['(', ')'], " ");
    let mut words = words.split_whitespace();
    let (mut cuts, mut leaves) = (Vec::new(), 0);
    while let Some(word) = words.next() {
        if word == "." {
            leaves += 1;
            continue;
        }
        let (n, d) = words.next().and_then(|q| q.split_once('/')).expect("a place");
        cuts.push((word.to_string(), n.parse::<f64>().unwrap() / d.parse::<f64>().unwrap()));
    }
    (cuts, leaves)
}

const UNIT: &[(&str, &str, &str)] = &[("x", "0", "1")];
const SQUARE: &[(&str, &str, &str)] = &[("x", "0", "1"), ("y", "0", "1")];
const CAMEL: &str = "4*x^2 - 2.1*x^4 + x^6/3 + x*y - 4*y^2 + 4*y^4";

#[test]
fn true_claims_are_proved() {
    let wide = [("x", "-2", "2"), ("y", "-2", "2")];
    // Known extrema: 1/4 at 1/2; 2/(3·sqrt 3) = 0.3849001…; 1/2 at 1; camel -1.0316284…; 1/27 at (1/3, 1/3).
    for (expr, place, relation, bound) in [
        ("x*(1-x)", UNIT, "le", "1/4"),
        ("x*(1-x)", UNIT, "<", "0.2500001"),
        ("x - x^3", UNIT, "lt", "0.38490018"),
        ("x/(1+x^2)", &[("x", "-3", "3")][..], "<=", "1/2"),
        ("x/(1+x^2)", &[("x", "-3", "3")][..], "ge", "-0.5"),
        ("x^2 - 2", &[("x", "1.5", "2")][..], "ne", "0"),
        ("x^2 - 2", &[("x", "1", "1.4")][..], "!=", "0"),
        (CAMEL, &wide[..], "gt", "-1.04"),
        ("x*y*(1-x-y)", SQUARE, "le", "1/26"),
        ("1/(x - y + 2) + inv(sqr(x) + 1)", SQUARE, "le", "2"),
    ] {
        let a = claim(expr, place, relation, bound);
        assert_eq!(a["verdict"], "proved", "{expr} {relation} {bound}: {a}");
        let (_, leaves) = cuts(a["certificate"].as_str().unwrap());
        assert_eq!(a["leaves"], leaves, "{a}");
    }
}

#[test]
fn a_cut_is_made_where_the_bound_is_touched() {
    let a = claim("x*(1-x)", UNIT, "le", "1/4");
    assert_eq!(a["certificate"], "(x 1/2 . .)");
    let lean = "theorem claim (x : Frac) (l₁ : 0 ≤ x) (h₁ : x ≤ 1) :\n    x * (1 - x) ≤ 1 / 4 :=\n  certify [l₁ h₁] (.split 0 1 2 .leaf .leaf)";
    assert_eq!(a["lean"], lean);
    let a = claim("(3*x-1)^2 + (7*y-2)^2", SQUARE, "ge", "0");
    let (cuts, _) = cuts(a["certificate"].as_str().unwrap());
    assert_eq!(a["verdict"], "proved");
    assert_eq!(cuts[..2], [("x".to_string(), 1.0 / 3.0), ("y".to_string(), 2.0 / 7.0)], "{a}");
}

#[test]
fn false_claims_have_witnesses() {
    let camel = |x: f64, y: f64| {
        4.0 * x.powi(2) - 2.1 * x.powi(4) + x.powi(6) / 3.0 + x * y - 4.0 * y.powi(2) + 4.0 * y.powi(4)
    };
    let wide = [("x", "-2", "2"), ("y", "-2", "2")];
    let number = |v: &Value| {
        let (n, d) = v.as_str().unwrap().split_once('/').unwrap_or((v.as_str().unwrap(), "1"));
        n.parse::<f64>().unwrap() / d.parse::<f64>().unwrap()
    };
    for bound in ["-1.03", "-1", "0"] {
        let a = claim(CAMEL, &wide, "ge", bound);
        assert_eq!(a["verdict"], "false", "{a}");
        let value = camel(number(&a["witness"]["x"]), number(&a["witness"]["y"]));
        assert!(value < bound.parse::<f64>().unwrap(), "{value}: {a}");
    }
    // Touching is not less.
    let a = claim("x*(1-x)", UNIT, "lt", "1/4");
    assert_eq!((a["verdict"].as_str(), a["witness"]["x"].as_str()), (Some("false"), Some("1/2")), "{a}");
}

/// Random cubics in two variables: no claim that a sample refutes is proved, and claims with room are.
#[test]
fn claims_that_samples_refute_are_never_proved() {
    let mut state = 12345u64;
    let mut random = |n: i64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % n
    };
    let mut refuted = 0;
    for _ in 0..60 {
        let c: Vec<i64> = (0..10).map(|_| random(21) - 10).collect();
        let terms = ["1", "x", "y", "x^2", "x*y", "y^2", "x^3", "x^2*y", "x*y^2", "y^3"];
        let expr: Vec<String> = c.iter().zip(terms).map(|(c, t)| format!("({c})*{t}")).collect();
        let expr = expr.join(" + ");
        let value = |x: f64, y: f64| {
            let monomials = [1.0, x, y, x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y];
            c.iter().zip(monomials).map(|(c, m)| *c as f64 * m).sum::<f64>()
        };
        let samples =
            (0..=40).flat_map(|i| (0..=40).map(move |j| (f64::from(i) / 40.0, f64::from(j) / 40.0)));
        let largest = samples.map(|(x, y)| value(x, y)).fold(f64::NEG_INFINITY, f64::max);
        for (room, expected) in [(-0.01, "false"), (0.5, "proved")] {
            let bound = format!("{:.6}", largest + room);
            let a = claim(&expr, SQUARE, "le", &bound);
            assert_eq!(a["verdict"], expected, "{expr} <= {bound}: {a}");
            refuted += usize::from(expected == "false");
        }
    }
    assert_eq!(refuted, 60);
}

#[test]
fn bounds_are_found() {
    let find = |claim: &str, digits: u32| {
        ask(json!({"kind": "certify", "vars": vars(UNIT), "expr": "x - x^3", "claim": claim, "digits": digits})).unwrap()
    };
    let a = find("upper", 6);
    assert_eq!((a["verdict"].as_str(), a["claim"].as_str()), (Some("proved"), Some("le")), "{a}");
    let (n, d) = a["bound"].as_str().unwrap().split_once('/').unwrap();
    let bound = n.parse::<f64>().unwrap() / d.parse::<f64>().unwrap();
    let truth = 2.0 / (3.0 * 3f64.sqrt());
    assert!(bound >= truth && bound <= truth + 2e-6, "{bound} for {truth}");
    let a = find("lower", 6);
    assert_eq!((a["verdict"].as_str(), a["bound"].as_str()), (Some("proved"), Some("0")), "{a}");
}

#[test]
fn refusals_have_their_codes() {
    let code = |request: Value| ask(request).expect_err("a refusal").code;
    let unit = vars(UNIT);
    for (request, expected) in [
        (json!({"expr": "sin(x)", "claim": "le", "bound": "1"}), Code::BadRequest),
        (json!({"expr": "pi*x", "claim": "le", "bound": "4"}), Code::BadRequest),
        (json!({"expr": "x", "claim": "about", "bound": "1"}), Code::BadRequest),
        (json!({"expr": "x", "claim": "le"}), Code::BadRequest),
        (json!({"expr": "x", "claim": "upper", "bound": "1"}), Code::BadRequest),
        (json!({"expr": "x", "claim": "le", "bound": "abc"}), Code::BadNumber),
        (json!({"expr": "x", "claim": "le", "bound": "[1 +/- 0.1]"}), Code::BadRequest),
        (json!({"expr": "1/(x-0.5)", "claim": "le", "bound": "1"}), Code::Pole),
        (json!({"expr": "1/x", "claim": "le", "bound": "1"}), Code::Pole),
    ] {
        let mut request = request;
        request["kind"] = json!("certify");
        request["vars"] = unit.clone();
        assert_eq!(code(request.clone()), expected, "{request}");
    }
}

#[test]
fn what_cannot_be_decided_is_unknown() {
    // It touches 0 along a diagonal, which no cuts parallel to the axes meet.
    let a = claim("(x-y)^2", SQUARE, "ge", "0");
    assert_eq!((a["verdict"].as_str(), a["certificate"].as_str()), (Some("unknown"), None), "{a}");
    let a = ask(json!({"kind": "certify", "vars": vars(SQUARE), "expr": "x*y*(1-x-y)", "claim": "le",
        "bound": "1/26", "max_nodes": 500}))
    .unwrap();
    assert_eq!(a["verdict"], "unknown", "{a}");
}
