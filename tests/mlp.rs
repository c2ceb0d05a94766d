//! Networks: bounds against exact values at sampled points, the two methods against each other,
//! classification with its witnesses, the forms of weights, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lean_oracle::ball::{Ball, DecimalInterval, Dyadic, Integer, Interval, Rational};
use lean_oracle::oracle::mlp::{Activation, Layer, Method, MlpAnswer, Network, Numbers, Verdict};
use lean_oracle::oracle::{Budget, Settings, answer_json};
use lean_oracle::{Code, Error};
use serde_json::{Value, json};

const DIGITS: &str = include_str!("data/digits_mlp.json");

// ----------------------------------------------------------------------------------- helpers

fn ask(request: &Value) -> Result<Value, Error> {
    answer_json(request.to_string().as_bytes(), None).map(|text| serde_json::from_str(&text).expect("JSON"))
}

fn number(text: &str) -> Rational {
    Interval::parse(text, 1_000_000).expect("a number").lo
}

fn ends(y: &Value) -> (Rational, Rational) {
    (number(y["lo"].as_str().expect("lo")), number(y["hi"].as_str().expect("hi")))
}

fn rational(y: &DecimalInterval) -> (Rational, Rational) {
    (y.lo.to_rational(), y.hi.to_rational())
}

fn width(y: &DecimalInterval) -> f64 {
    (&y.hi.to_rational() - &y.lo.to_rational()).to_f64()
}

/// A small generator: the tests must not change from run to run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// Uniform in [-1, 1], with 53 bits.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A decimal of four places in [-1, 1].
    fn decimal(&mut self) -> Rational {
        Rational::from_decimal(&Integer::from(self.below(20_001) as i64 - 10_000), -4)
    }

    fn numbers(&mut self, n: usize, scale: f64) -> Numbers {
        match self.below(3) {
            0 => Numbers::Doubles((0..n).map(|_| self.unit() * scale).collect()),
            1 => {
                let factor = Rational::from_f64(scale).expect("finite");
                Numbers::Intervals((0..n).map(|_| Interval::point(&self.decimal() * &factor)).collect())
            }
            _ => {
                let rad = Rational::from_decimal(&Integer::from(self.below(3) as i64), -3);
                let ball = |mid: Rational| Interval { lo: &mid - &rad, hi: &mid + &rad };
                Numbers::Intervals((0..n).map(|_| ball(self.decimal())).collect())
            }
        }
    }

    fn network(&mut self, sizes: &[usize], activations: &[Activation], scale: f64) -> Network {
        let layer = |(size, f): (&[usize], &Activation)| Layer {
            weights: self.numbers(size[0] * size[1], scale),
            biases: self.numbers(size[1], 0.5),
            activation: f.clone(),
        };
        Network { layers: sizes.windows(2).zip(activations).map(layer).collect() }
    }

    fn input(&mut self, n: usize, radius: f64) -> Vec<Interval> {
        let radius = Rational::from_f64(radius).expect("finite");
        let around = |mid: Rational| Interval { lo: &mid - &radius, hi: &mid + &radius };
        (0..n).map(|_| around(self.decimal())).collect()
    }

    /// A point of the interval, an end more often than not.
    fn inside(&mut self, x: &Interval) -> Rational {
        match self.below(3) {
            0 => x.lo.clone(),
            1 => x.hi.clone(),
            _ => {
                let t = Rational::from_decimal(&Integer::from(self.below(1001) as i64), -3);
                &x.lo + &(&(&x.hi - &x.lo) * &t)
            }
        }
    }
}

/// One of the values that the number may have.
fn pick(numbers: &Numbers, i: usize, random: &mut Random) -> Rational {
    match numbers {
        Numbers::Doubles(v) => Rational::from_f64(v[i]).expect("finite"),
        Numbers::Intervals(v) => random.inside(&v[i]),
    }
}

const BITS: u32 = 400;

/// The activations by another way than the library's: exact on fractions, or plain ball arithmetic.
fn activate(f: &Activation, x: &Rational) -> Result<Rational, Ball> {
    let zero = Rational::new();
    let one = Rational::from(1);
    Ok(match f {
        Activation::Identity => x.clone(),
        Activation::Relu => x.clone().max(zero),
        Activation::LeakyRelu(slope) => {
            if x.sign() < 0 {
                x * slope
            } else {
                x.clone()
            }
        }
        Activation::HardTanh => x.clone().min(one.clone()).max(-&one),
        Activation::Function(f) => {
            let b = Ball::from_rational(x, BITS);
            let one = Ball::from(1);
            let logistic = |b: &Ball| (-b).exp(BITS).add(&one, BITS).inv(BITS);
            return Err(match f.name {
                "neg" => return Ok(-x),
                "abs" => return Ok(x.abs()),
                "sqr" => return Ok(x * x),
                "sigmoid" => logistic(&b),
                "tanh" => b.tanh(BITS),
                "atan" => b.atan(BITS),
                "asinh" => b.asinh(BITS),
                "erf" => b.erf(BITS),
                "softplus" => b.exp(BITS).add(&one, BITS).log(BITS),
                "silu" => logistic(&b).mul(&b, BITS),
                "gelu" => {
                    let half = b.div(&Ball::from(2).sqrt(BITS), BITS).erf(BITS).add(&one, BITS);
                    half.mul(&b, BITS).div(&Ball::from(2), BITS)
                }
                "sin" => b.sin(BITS),
                "cos" => b.cos(BITS),
                "exp" => b.exp(BITS),
                "log" => b.log(BITS),
                "sqrt" => b.sqrt(BITS),
                "sinc" => b.sinc(BITS),
                other => panic!("{other} is not in this test"),
            });
        }
    })
}

/// The outputs at a point for some choice of the weights: each an interval of width far below 1e-60.
fn evaluate(network: &Network, x: &[Rational], random: &mut Random) -> Vec<(Rational, Rational)> {
    let mut x: Vec<Ball> = x.iter().map(|q| Ball::from_rational(q, BITS)).collect();
    for layer in &network.layers {
        let n = x.len();
        let z = |i: usize, random: &mut Random| {
            let mut sum = Ball::from_rational(&pick(&layer.biases, i, random), BITS);
            for (j, x) in x.iter().enumerate() {
                let w = Ball::from_rational(&pick(&layer.weights, i * n + j, random), BITS);
                sum = sum.add(&w.mul(x, BITS), BITS);
            }
            sum
        };
        x = (0..layer.biases.len())
            .map(|i| {
                // Rounded to a point: the error is far below what is compared.
                let middle = z(i, random).midpoint().to_rational().expect("finite");
                match activate(&layer.activation, &middle) {
                    Ok(q) => Ball::from_rational(&q, BITS),
                    Err(ball) => ball,
                }
            })
            .collect();
    }
    let end = |d: Dyadic| d.to_rational().expect("finite");
    x.iter().map(|y| (end(y.lower(BITS)), end(y.upper(BITS)))).collect()
}

/// Exact evaluation of networks with exact weights and piecewise linear activations.
fn evaluate_exactly(network: &Network, x: &[Rational]) -> Vec<Rational> {
    let mut random = Random(1);
    let mut x = x.to_vec();
    for layer in &network.layers {
        let n = x.len();
        x = (0..layer.biases.len())
            .map(|i| {
                let mut sum = pick(&layer.biases, i, &mut random);
                for (j, x) in x.iter().enumerate() {
                    sum = &sum + &(&pick(&layer.weights, i * n + j, &mut random) * x);
                }
                activate(&layer.activation, &sum).expect("piecewise linear")
            })
            .collect();
    }
    x
}

fn find(name: &str) -> Activation {
    Activation::find(name).expect("an activation")
}

fn bound(network: &Network, method: Method, input: &[Interval]) -> Result<MlpAnswer, Error> {
    let settings = Settings { digits: 25, ..Settings::default() };
    network.enclose_by(method, input, &settings, &Budget::unlimited())
}

fn slack() -> Rational {
    Rational::from_decimal(&Integer::from(1), -60)
}

// ------------------------------------------------------------------------------------- tests

fn example() -> Value {
    json!({"kind": "mlp", "input": {"lo": ["-0.1", "0.2"], "hi": ["0.1", "0.3"]}, "digits": 10,
           "layers": [{"W": [["1", "2"], ["0.5", "-1"]], "b": ["0", "1/10"], "act": "relu"},
                      {"W": [["1", "1"]], "b": ["0"], "act": "tanh"}]})
}

/// The second hidden unit is never active, so the output is tanh of x + 2y: [tanh 0.3, tanh 0.7].
#[test]
fn the_example_of_the_reference_gets_its_true_range() {
    let answer = ask(&example()).unwrap();
    let expected = json!({
        "ctx": {"digits": 10, "prec_bits": 200}, "kind": "mlp", "method": "both",
        "output": {"vector": [{"ball": {"exp": "-10", "mid": "4478401948", "rad": "1565275824"},
                               "hi": "0.6043677772", "lo": "0.2913126124"}]},
        "status": "ok", "tool": "arb_oracle"});
    let y = &answer["output"]["vector"][0];
    assert_eq!((y["lo"].as_str(), y["hi"].as_str()), (Some("0.2913126124"), Some("0.6043677772")));
    assert_eq!(answer, expected);
    let text = answer_json(example().to_string().as_bytes(), None).unwrap();
    let keys =
        ["\"ctx\":", "\"kind\":", "\"method\":", "\"output\":{\"vector\":[{\"ball\":{\"exp\":", "\"hi\":"];
    let places: Vec<_> = keys.iter().map(|k| text.find(k).expect(k)).collect();
    assert!(places.is_sorted(), "{text}");
    // Inside what the reference answers.
    let (lo, hi) = ends(y);
    assert!(lo > number("-1.252556898") && hi < number("0.7162978835"));
    for method in ["ibp", "crown", "both"] {
        let mut request = example();
        request["method"] = json!(method);
        let answer = ask(&request).unwrap();
        let (lo, hi) = ends(&answer["output"]["vector"][0]);
        assert_eq!(answer["method"], json!(method));
        assert!(lo <= number("0.29131261245159") && hi >= number("0.60436777711716"), "{method}");
        assert!(lo >= number("0.291") && hi <= number("0.605"), "{method}");
    }
}

#[test]
fn without_layers_the_inputs_are_the_outputs() {
    let request = json!({"kind": "mlp", "input": {"lo": ["0.1", 2], "hi": ["1/3", 2.50]}, "layers": [],
                         "digits": 4});
    let answer = ask(&request).unwrap();
    let y = &answer["output"]["vector"];
    assert_eq!((&y[0]["lo"], &y[0]["hi"]), (&json!("0.1"), &json!("0.3334")));
    assert_eq!((&y[1]["lo"], &y[1]["hi"]), (&json!("2"), &json!("2.5")));
    let none = json!({"kind": "mlp", "input": {"lo": [], "hi": []}, "layers": []});
    assert_eq!(ask(&none).unwrap()["output"]["vector"], json!([]));
    // A layer of an empty input has its biases as outputs.
    let biases = json!({"kind": "mlp", "input": {"lo": [], "hi": []},
                        "layers": [{"W": [[], []], "b": ["-1", "3"], "act": "relu"}]});
    let answer = ask(&biases).unwrap();
    assert_eq!(answer["output"]["vector"][0]["hi"], json!("0"));
    assert_eq!(answer["output"]["vector"][1]["lo"], json!("3"));
}

const ACTIVATIONS: [&str; 20] = [
    "identity",
    "relu",
    "leaky_relu",
    "hard_tanh",
    "sigmoid",
    "tanh",
    "atan",
    "asinh",
    "erf",
    "softplus",
    "silu",
    "gelu",
    "sin",
    "cos",
    "sqr",
    "abs",
    "neg",
    "exp",
    "sinc",
    "relu",
];

fn some_activation(random: &mut Random) -> Activation {
    match random.below(24) {
        20 => Activation::LeakyRelu(number("-0.3")),
        21 => Activation::LeakyRelu(number("1.7")),
        22 => Activation::LeakyRelu(number("1/3")),
        23 => Activation::LeakyRelu(number("-1")),
        i => find(ACTIVATIONS[i as usize]),
    }
}

#[test]
fn bounds_contain_the_values_at_sampled_points() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut asked = 0;
    for round in 0..600 {
        let depth = 1 + random.below(4) as usize;
        let sizes: Vec<usize> = (0..=depth).map(|_| 1 + random.below(5) as usize).collect();
        let activations: Vec<Activation> = (0..depth).map(|_| some_activation(&mut random)).collect();
        let scale = [0.5, 1.0, 3.0][random.below(3) as usize];
        let network = random.network(&sizes, &activations, scale);
        let radius = [0.0, 1e-20, 1e-9, 1e-3, 0.05, 0.5, 3.0][random.below(7) as usize];
        let input = random.input(sizes[0], radius);
        for method in Method::ALL {
            let answer = match bound(&network, method, &input) {
                // exp of exp of … overflows.
                Err(e) if e.code == Code::ExponentLimit => continue,
                answer => answer.unwrap_or_else(|e| panic!("{round} {method:?} {activations:?}: {e}")),
            };
            asked += 1;
            for _ in 0..6 {
                let x: Vec<Rational> = input.iter().map(|x| random.inside(x)).collect();
                for (y, (lo, hi)) in answer.outputs.iter().zip(evaluate(&network, &x, &mut random)) {
                    let (below, above) = rational(y);
                    let inside = below <= &lo + &slack() && &hi - &slack() <= above;
                    let seen = lo.to_f64();
                    assert!(
                        inside,
                        "{round} {method:?} {activations:?} radius {radius}: {seen:e} outside [{}, {}]",
                        y.lo, y.hi
                    );
                }
            }
        }
    }
    assert!(asked > 1500, "{asked}");
}

/// Exact arithmetic against exact arithmetic: no tolerance.
#[test]
fn bounds_contain_exact_values_of_piecewise_linear_networks() {
    let mut random = Random(77);
    for _ in 0..150 {
        let sizes = [3, 6, 6, 2];
        let activations = [find("relu"), Activation::LeakyRelu(number("1/3")), find("hard_tanh")];
        let mut network = random.network(&sizes, &activations, 1.0);
        for layer in &mut network.layers {
            for numbers in [&mut layer.weights, &mut layer.biases] {
                if let Numbers::Intervals(v) = numbers {
                    v.iter_mut().for_each(|x| x.hi = x.lo.clone());
                }
            }
        }
        let input = random.input(3, 0.1);
        for method in Method::ALL {
            let answer = bound(&network, method, &input).unwrap();
            for _ in 0..10 {
                let x: Vec<Rational> = input.iter().map(|x| random.inside(x)).collect();
                for (y, value) in answer.outputs.iter().zip(evaluate_exactly(&network, &x)) {
                    let (lo, hi) = rational(y);
                    assert!(lo <= value && value <= hi);
                }
            }
        }
    }
}

#[test]
fn linear_bounds_are_tighter_and_the_intersection_is_tightest() {
    let mut random = Random(4);
    for (name, most) in [("relu", 0.7), ("sigmoid", 0.8), ("tanh", 0.8), ("softplus", 0.7), ("gelu", 0.9)] {
        let (mut ibp, mut crown) = (0.0, 0.0);
        for _ in 0..20 {
            let f = find(name);
            let activations = [f.clone(), f.clone(), f, Activation::Identity];
            let network = random.network(&[4, 10, 10, 10, 3], &activations, 0.5);
            let input = random.input(4, 0.1);
            let bounds: Vec<MlpAnswer> =
                Method::ALL.into_iter().map(|m| bound(&network, m, &input).unwrap()).collect();
            for ((a, b), both) in bounds[0].outputs.iter().zip(&bounds[1].outputs).zip(&bounds[2].outputs) {
                ibp += width(a);
                crown += width(b);
                let ((a, b), both) = ((rational(a), rational(b)), rational(both));
                assert!(both.0 >= a.0 && both.0 >= b.0 && both.1 <= a.1 && both.1 <= b.1, "{name}");
            }
        }
        println!("{name}: {:.3} of the width of interval propagation", crown / ibp);
        assert!(crown < most * ibp, "{name}: {crown} against {ibp}");
    }
}

/// Without hidden units that change sign the linear bounds lose nothing but roundings.
#[test]
fn dependencies_cancel() {
    // y = relu(x) - relu(x) + x over [1, 2].
    let request = |method: &str| {
        json!({"kind": "mlp", "method": method, "input": {"lo": ["1"], "hi": ["2"]}, "digits": 10,
               "layers": [{"W": [["1"], ["1"], ["1"]], "b": ["0", "0", "0"], "act": "relu"},
                          {"W": [["1", "-1", "1"]], "b": ["0"]}]})
    };
    let (lo, hi) = ends(&ask(&request("crown")).unwrap()["output"]["vector"][0]);
    assert!(lo >= number("0.999999999") && hi <= number("2.000000001"));
    let (lo, hi) = ends(&ask(&request("ibp")).unwrap()["output"]["vector"][0]);
    assert_eq!((lo, hi), (number("0"), number("3")));
}

#[test]
fn points_get_all_the_digits_asked_for() {
    let layers = json!([{"W": [["0.1", "0.2"], ["1/3", "-1"]], "b": ["0.3", 0], "act": "leaky_relu"},
                        {"W": [["1", "1"], ["0.5", "0"]], "b": ["0", "0"], "act": "identity"}]);
    let mut request = json!({"kind": "mlp", "input": {"lo": ["0.7", "1"], "hi": ["0.7", "1"]},
                             "layers": layers, "digits": 30});
    // 0.07 + 0.2 + 0.3 = 0.57; 0.01·(0.7/3 - 1) = -0.023/3.
    let answer = ask(&request).unwrap();
    let y = &answer["output"]["vector"];
    assert_eq!((&y[1]["lo"], &y[1]["hi"]), (&json!("0.285"), &json!("0.285")));
    assert_eq!(y[0]["lo"], json!("0.562333333333333333333333333333"));
    assert_eq!(y[0]["hi"], json!("0.562333333333333333333333333334"));
    // tanh loses nothing either, however the precision begins.
    request["layers"][1]["act"] = json!("tanh");
    request["digits"] = json!(60);
    request["prec_bits"] = json!(2);
    let answer = ask(&request).unwrap();
    let (lo, hi) = ends(&answer["output"]["vector"][1]);
    assert!((&hi - &lo) <= Rational::from_decimal(&Integer::from(1), -60), "{answer}");
    let truth = Ball::from_rational(&number("0.285"), BITS).tanh(BITS);
    let truth = truth.midpoint().to_rational().unwrap();
    assert!(lo <= truth && truth <= hi);
}

#[test]
fn verdicts_hold_at_sampled_points_and_witnesses_are_exact() {
    let mut random = Random(2024);
    let (mut proved, mut refuted) = (0, 0);
    for _ in 0..120 {
        let last = if random.below(2) == 0 { Activation::Identity } else { find("hard_tanh") };
        let activations = [find("relu"), find("relu"), last];
        let mut network = random.network(&[3, 8, 8, 3], &activations, 0.7);
        for layer in &mut network.layers {
            for numbers in [&mut layer.weights, &mut layer.biases] {
                if let Numbers::Intervals(v) = numbers {
                    v.iter_mut().for_each(|x| x.hi = x.lo.clone());
                }
            }
        }
        let radius = [0.0, 0.01, 0.1, 0.5][random.below(4) as usize];
        let input = random.input(3, radius);
        let class = random.below(3) as usize;
        for method in Method::ALL {
            let c = network
                .classify_by(method, class, &input, &Settings::default(), &Budget::unlimited())
                .unwrap();
            let margin = c.margin.expect("there are others").to_rational();
            let mut least: Option<Rational> = None;
            for _ in 0..20 {
                let x: Vec<Rational> = input.iter().map(|x| random.inside(x)).collect();
                let y = evaluate_exactly(&network, &x);
                for j in (0..3).filter(|j| *j != class) {
                    let apart = &y[class] - &y[j];
                    assert!(margin <= apart, "the margin holds");
                    least = Some(least.map_or(apart.clone(), |l| l.min(apart)));
                }
            }
            match c.verdict {
                Verdict::True => {
                    proved += 1;
                    assert!(least.expect("points").sign() > 0 && margin.sign() > 0);
                }
                Verdict::False { witness, rival } => {
                    refuted += 1;
                    assert!(witness.iter().zip(&input).all(|(w, x)| x.lo <= *w && *w <= x.hi));
                    let y = evaluate_exactly(&network, &witness);
                    assert!(rival != class && y[rival] > y[class]);
                }
                Verdict::Unknown => {}
            }
        }
    }
    assert!(proved > 40 && refuted > 100, "{proved} proved, {refuted} refuted");
}

#[test]
fn classification_in_json() {
    let mut request = json!({"kind": "mlp", "input": {"lo": ["0", "0"], "hi": ["1", "1"]}, "classify": 0, "digits": 10,
        "layers": [{"W": [["1", "-1"], ["-1", "1"]], "b": ["3", "0"], "act": "sigmoid"}]});
    // Before the sigmoid the outputs are 3 + d and -d with d in [-1, 1]: never closer than 1.
    let c = ask(&request).unwrap()["classify"].clone();
    assert_eq!((&c["class"], &c["verdict"]), (&json!(0), &json!("true")));
    assert!(number(c["margin"].as_str().unwrap()) > number("0.1"));
    assert!(c.get("witness").is_none());
    request["classify"] = json!(1);
    let c = ask(&request).unwrap()["classify"].clone();
    assert_eq!((&c["verdict"], &c["rival"]), (&json!("false"), &json!(0)));
    assert_eq!(c["witness"].as_array().map(Vec::len), Some(2));
    // A point that decimals do not reach is written as a fraction.
    request["input"] = json!({"lo": ["1/3", "1/3"], "hi": ["1/3", "1/3"]});
    let c = ask(&request).unwrap()["classify"].clone();
    assert_eq!(c["witness"], json!(["1/3", "1/3"]));
    // Equal outputs: nothing is above, and nothing is certainly greater.
    request["layers"] = json!([{"W": [["1", "0"], ["1", "0"]], "b": ["0", "0"]}]);
    assert_eq!(ask(&request).unwrap()["classify"]["verdict"], json!("unknown"));
    // Strictly ordered before a saturated activation: proved, though no margin is.
    request["layers"] = json!([{"W": [["0", "0"], ["0", "0"]], "b": ["1000", "999"], "act": "sigmoid"}]);
    request["input"] = json!({"lo": ["0", "0"], "hi": ["1", "1"]});
    request["method"] = json!("crown");
    request["classify"] = json!(0);
    let c = ask(&request).unwrap()["classify"].clone();
    assert_eq!((&c["verdict"], &c["margin"]), (&json!("true"), &json!("0")));
    // What only may be greater refutes nothing.
    request["method"] = json!("both");
    request["layers"] = json!([{"W": [["0", "0"], ["0", "0"]], "b": ["[0 +/- 1]", "0.5"]}]);
    assert_eq!(ask(&request).unwrap()["classify"]["verdict"], json!("unknown"));
    request["layers"][0]["b"] = json!(["[0 +/- 1]", "1.5"]);
    assert_eq!(ask(&request).unwrap()["classify"]["verdict"], json!("false"));
    // One output has no rival.
    request["layers"] = json!([{"W": [["1", "1"]], "b": ["0"]}]);
    let c = ask(&request).unwrap()["classify"].clone();
    assert_eq!((&c["verdict"], &c["margin"]), (&json!("true"), &json!(null)));
    for (class, part) in [(json!(1), "no output 1"), (json!(-1), "index"), (json!("0"), "index")] {
        request["classify"] = class;
        let e = ask(&request).unwrap_err();
        assert_eq!((e.code, e.field), (Code::BadRequest, Some("classify")));
        assert!(e.message.contains(part), "{e}");
    }
}

#[test]
fn malformed_networks_are_refused() {
    let good = example();
    let with = |path: &str, value: Value| {
        let mut request = good.clone();
        *request.pointer_mut(path).expect(path) = value;
        request
    };
    let layer = "/layers/0";
    let cases = [
        (with("/input", json!(null)), Code::BadRequest, "input", "mlp.input"),
        (with("/input", json!([["0"], ["1"]])), Code::BadRequest, "input", "mlp.input"),
        (
            with("/input/lo", json!(["0"])),
            Code::BadRequest,
            "input",
            "mlp.input.lo/hi must be same-length lists",
        ),
        (
            with("/input/lo", json!("0")),
            Code::BadRequest,
            "input",
            "mlp.input.lo/hi must be same-length lists",
        ),
        (with("/input/lo/1", json!("x")), Code::BadNumber, "input", "input.lo[1]"),
        (with("/input/lo/1", json!("inf")), Code::BadNumber, "input", "infinities"),
        (with("/input/lo/0", json!(true)), Code::BadRequest, "input", "input.lo[0]"),
        (with("/input/lo/0", json!("5")), Code::Reversed, "input", "input.lo[0]"),
        (with("/input/lo/0", json!("1e9999999")), Code::ExponentLimit, "input", "input.lo[0]"),
        (with("/layers", json!({})), Code::BadRequest, "layers", "mlp.layers must be a list"),
        (with("/layers", json!(null)), Code::BadRequest, "layers", "mlp.layers must be a list"),
        (with(layer, json!(3)), Code::BadRequest, "layers", "layers[0] must be an object"),
        (
            with(layer, json!([[["1", "2"]], ["0"]])),
            Code::BadRequest,
            "layers",
            "layers[0] must be an object",
        ),
        (with("/layers/0/W", json!("1")), Code::BadRequest, "layers", "layer.W and layer.b must be lists"),
        (with("/layers/0/b", json!(null)), Code::BadRequest, "layers", "layer.W and layer.b must be lists"),
        (
            with("/layers/0/b", json!(["0"])),
            Code::BadRequest,
            "layers",
            "layer.W rows must match bias length",
        ),
        (with("/layers/0/W/1", json!(["1"])), Code::BadRequest, "layers", "each row of W must have length"),
        (with("/layers/0/W/1", json!("1")), Code::BadRequest, "layers", "layers[0].W[1] must be a list"),
        (with("/layers/1/W/0", json!(["1", "1", "1"])), Code::BadRequest, "layers", "dimension is 2"),
        (with("/layers/1/W/0/1", json!("1..")), Code::BadNumber, "layers", "layers[1].W[0][1]"),
        (with("/layers/1/b/0", json!("nan")), Code::BadNumber, "layers", "layers[1].b[0]"),
        (with("/layers/0/act", json!(7)), Code::BadRequest, "act", "act must be a string"),
        (with("/layers/0/act", json!("reluu")), Code::UnknownFunction, "act", "did you mean relu?"),
        (with("/layers/0/act", json!("LeakyReLU")), Code::UnknownFunction, "act", "did you mean leaky_relu?"),
        (with("/layers/0/act", json!("linear")), Code::UnknownFunction, "act", "did you mean identity?"),
        (with("/layers/0/act", json!("sigmoyd")), Code::UnknownFunction, "act", "did you mean sigmoid?"),
        (with("/layers/0/act", json!("log")), Code::Domain, "layers", "log over"),
    ];
    for (request, code, field, part) in cases {
        let e = ask(&request).expect_err(part);
        assert_eq!((e.code, e.field), (code, Some(field)), "{e}");
        assert!(e.message.contains(part), "{e}");
    }
    let mut request = good.clone();
    request["method"] = json!("exact");
    assert_eq!(ask(&request).unwrap_err().field, Some("method"));
    let mut request = good.clone();
    request["layers"][0]["slope"] = json!("0.1");
    assert!(ask(&request).unwrap_err().message.contains("only leaky_relu has a slope"));
    request["layers"][0]["act"] = json!("leaky_relu");
    assert!(ask(&request).is_ok());
    request["layers"][0]["slope"] = json!("[0.1 +/- 0.01]");
    assert!(ask(&request).unwrap_err().message.contains("exact number"));
    assert_eq!(answer_json(b"{\"kind\":\"mlp\",", None).unwrap_err().code, Code::Parse);
    // The typed form is checked as well.
    let network = Network {
        layers: vec![Layer {
            weights: Numbers::Doubles(vec![1.0, f64::NAN]),
            biases: Numbers::Doubles(vec![0.0]),
            activation: Activation::Identity,
        }],
    };
    let settings = Settings::default();
    let error = |inputs: usize| {
        let input = vec![Interval::point(Rational::new()); inputs];
        network.enclose(&input, &settings, &Budget::unlimited()).unwrap_err().code
    };
    assert_eq!((error(2), error(3)), (Code::BadNumber, Code::BadRequest));
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let sextet = ALPHABET[(n >> (18 - 6 * k) & 63) as usize];
            out.push(if k <= chunk.len() { char::from(sextet) } else { '=' });
        }
    }
    out
}

#[test]
fn base64_weights_are_the_same_as_text() {
    let mut random = Random(8);
    let singles: Vec<f32> = (0..8).map(|_| random.unit() as f32).collect();
    let doubles: Vec<f64> = (0..6).map(|_| random.unit()).collect();
    let text32 = |v: &[f32]| v.iter().map(|x| format!("{:.200}", f64::from(*x))).collect::<Vec<_>>();
    let text64 = |v: &[f64]| v.iter().map(|x| format!("{x:.200}")).collect::<Vec<_>>();
    let bytes32: Vec<u8> = singles[..6].iter().flat_map(|x| x.to_le_bytes()).collect();
    let bias32: Vec<u8> = singles[6..].iter().flat_map(|x| x.to_le_bytes()).collect();
    let bytes64: Vec<u8> = doubles[..4].iter().flat_map(|x| x.to_le_bytes()).collect();
    let bias64: Vec<u8> = doubles[4..].iter().flat_map(|x| x.to_le_bytes()).collect();
    let input = json!({"lo": ["-0.3", "0", "0.1"], "hi": ["0.1", "0.2", "0.1"]});
    let (w32, w64) = (text32(&singles[..6]), text64(&doubles[..4]));
    let text = json!({"kind": "mlp", "input": input, "classify": 1, "layers": [
        {"W": [w32[..3], w32[3..]], "b": text32(&singles[6..]), "act": "tanh"},
        {"W": [w64[..2], w64[2..]], "b": text64(&doubles[4..])}]});
    let packed = json!({"kind": "mlp", "input": input, "classify": 1, "layers": [
        {"W": {"dtype": "f32", "shape": [2, 3], "base64": base64(&bytes32)},
         "b": {"dtype": "f32", "shape": [2], "base64": base64(&bias32)}, "act": "tanh"},
        {"W": {"dtype": "f64", "shape": [2, 2], "base64": base64(&bytes64)},
         "b": {"dtype": "f64", "shape": [2], "base64": base64(&bias64).trim_end_matches('=')}}]});
    assert_eq!(ask(&text).unwrap(), ask(&packed).unwrap());

    let weights = "/layers/0/W";
    for (path, value, part) in [
        (weights, json!({"dtype": "f16", "shape": [2, 3], "base64": base64(&bytes32)}), "dtype"),
        (weights, json!({"dtype": "f32", "shape": [3, 2], "base64": base64(&bytes32)}), "rows must match"),
        (
            weights,
            json!({"dtype": "f32", "shape": [2, 2], "base64": base64(&bytes32)}),
            "which is not the shape",
        ),
        (weights, json!({"dtype": "f32", "shape": [6], "base64": base64(&bytes32)}), "a matrix is needed"),
        (weights, json!({"dtype": "f32", "shape": [2, 3], "base64": base64(&bytes32[..23])}), "middle"),
        (weights, json!({"dtype": "f32", "shape": [2, 3], "base64": "?"}), "base64"),
        (weights, json!({"dtype": "f32", "base64": ""}), "must be a list, or an object"),
        ("/layers/0/b", json!({"dtype": "f32", "shape": [1, 2], "base64": base64(&bias32)}), "a vector"),
    ] {
        let mut request = packed.clone();
        *request.pointer_mut(path).unwrap() = value;
        let e = ask(&request).unwrap_err();
        assert_eq!((e.code, e.field), (Code::BadRequest, Some("layers")), "{e}");
        assert!(e.message.contains(part), "{part}: {e}");
    }
    let mut request = packed.clone();
    request["layers"][0]["b"]["base64"] = json!(base64(&[0, 0, 0x80, 0x7f, 0, 0, 0, 0]));
    assert_eq!(ask(&request).unwrap_err().code, Code::BadNumber);
}

/// A safetensors file: the length of the header, the header, the data.
fn safetensors(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let range = [data.len(), data.len() + bytes.len()];
        header.insert(name.to_string(), json!({"dtype": dtype, "shape": shape, "data_offsets": range}));
        data.extend(bytes);
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn safetensors_files_are_read() {
    let singles = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let doubles = |v: &[f64]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let file = safetensors(&[
        ("net.10.weight", "F64", &[1, 2], doubles(&[1.0, 1.0])),
        ("net.2.bias", "F32", &[2], singles(&[0.0, 0.125])),
        ("net.2.weight", "F32", &[2, 2], singles(&[1.0, 2.0, 0.5, -1.0])),
        ("steps", "I64", &[1], vec![0; 8]),
    ]);
    let network = Network::from_safetensors(&file, &[]).unwrap();
    assert_eq!(network.layers.len(), 2);
    let input =
        [Interval::parse("[0 +/- 0.1]", 10).unwrap(), Interval::parse("[0.25 +/- 0.05]", 10).unwrap()];
    let answer =
        network.enclose(&input, &Settings { digits: 5, ..Settings::default() }, &Budget::unlimited());
    let y = &answer.unwrap().outputs[0];
    assert_eq!((y.lo.to_string(), y.hi.to_string()), ("0.3".into(), "0.7".into()));
    let names = |activations: &[&str]| {
        let activations: Vec<Activation> = activations.iter().map(|a| find(a)).collect();
        Network::from_safetensors(&file, &activations)
            .map(|n| n.layers.iter().map(|l| l.activation.name()).collect::<Vec<_>>())
    };
    assert_eq!(names(&[]).unwrap(), ["relu", "identity"]);
    assert_eq!(names(&["tanh"]).unwrap(), ["tanh", "identity"]);
    assert_eq!(names(&["tanh", "sigmoid"]).unwrap(), ["tanh", "sigmoid"]);
    assert_eq!(names(&["tanh", "relu", "relu"]).unwrap_err().field, Some("act"));
    for (tensors, part) in [
        (vec![("a.bias", "F32", &[1][..], singles(&[0.0]))], "NAME.weight"),
        (vec![("a.weight", "F32", &[1][..], singles(&[0.0]))], "a matrix is needed"),
        (vec![("a.weight", "I32", &[1, 1][..], vec![0; 4])], "not read"),
        (
            vec![
                ("a.weight", "F32", &[1, 1][..], singles(&[0.0])),
                ("a.bias", "F32", &[2][..], singles(&[0.0, 0.0])),
            ],
            "must be [1]",
        ),
        (
            vec![
                ("a.weight", "F32", &[1, 1][..], singles(&[0.0])),
                ("b.weight", "F32", &[1, 2][..], singles(&[0.0, 0.0])),
            ],
            "after a layer of 1 outputs",
        ),
    ] {
        let e = Network::from_safetensors(&safetensors(&tensors), &[]).unwrap_err();
        assert!(e.code == Code::BadRequest && e.message.contains(part), "{part}: {e}");
    }
    assert!(Network::from_safetensors(&file[..40], &[]).unwrap_err().message.contains("cannot be read"));
    let missing = Network::read_safetensors(std::path::Path::new("no such file"), &[]).unwrap_err();
    assert!(missing.message.contains("no such file"));
}

// ---------------------------------------------------------------------------- the digits network

struct Sample {
    label: usize,
    input: Vec<Rational>,
    logits: Vec<f64>,
}

fn digits() -> (Value, Vec<Sample>) {
    let data: Value = serde_json::from_str(DIGITS).unwrap();
    let texts = |v: &Value| -> Vec<String> {
        v.as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_string()).collect()
    };
    let sample = |s: &Value| Sample {
        label: s["label"].as_u64().unwrap() as usize,
        input: texts(&s["input"]).iter().map(|t| number(t)).collect(),
        logits: texts(&s["logits"]).iter().map(|t| t.parse().unwrap()).collect(),
    };
    let samples: Vec<Sample> = data["samples"].as_array().unwrap().iter().map(sample).collect();
    assert_eq!(samples.len(), 10);
    (data["layers"].clone(), samples)
}

fn digits_request(layers: &Value, sample: &Sample, radius: &str, method: &str) -> Value {
    let radius = number(radius);
    let text = |q: Rational| json!(q.to_string());
    let lo: Vec<Value> = sample.input.iter().map(|x| text(x - &radius)).collect();
    let hi: Vec<Value> = sample.input.iter().map(|x| text(x + &radius)).collect();
    json!({"kind": "mlp", "input": {"lo": lo, "hi": hi}, "layers": layers, "classify": sample.label,
           "digits": 20, "method": method})
}

#[test]
fn the_digits_network_is_bounded_and_classified() {
    let (layers, samples) = digits();
    let mut proved = [0; 3];
    for sample in &samples {
        let mut previous: Option<Vec<(Rational, Rational)>> = None;
        for (k, radius) in ["0.05", "0.01", "0"].into_iter().enumerate() {
            let answer = ask(&digits_request(&layers, sample, radius, "both")).unwrap();
            let bounds: Vec<_> = answer["output"]["vector"].as_array().unwrap().iter().map(ends).collect();
            for ((lo, hi), logit) in bounds.iter().zip(&sample.logits) {
                // numpy's own rounding.
                let noise = number("1e-13");
                let logit = Rational::from_f64(*logit).unwrap();
                assert!(*lo <= &logit + &noise && &logit - &noise <= *hi, "digit {}", sample.label);
            }
            if let Some(wider) = previous {
                assert!(bounds.iter().zip(&wider).all(|(y, w)| w.0 <= y.0 && y.1 <= w.1));
            }
            previous = Some(bounds);
            match answer["classify"]["verdict"].as_str().unwrap() {
                "true" => proved[k] += 1,
                "false" => {
                    let witness: Vec<Rational> = answer["classify"]["witness"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|w| number(w.as_str().unwrap()))
                        .collect();
                    let away = witness.iter().zip(&sample.input).map(|(w, x)| (w - x).abs()).max().unwrap();
                    assert!(away <= number(radius));
                }
                _ => {}
            }
        }
    }
    println!("classes proved at radius 0.05, 0.01, 0: {proved:?}");
    assert!(proved[0] <= proved[1] && proved[1] <= proved[2] && proved[1] >= 6, "{proved:?}");
}

#[test]
fn linear_bounds_are_much_tighter_on_the_digits_network() {
    let (layers, samples) = digits();
    let total = |method: &str| -> f64 {
        let width = |s: &Sample| -> f64 {
            let answer = ask(&digits_request(&layers, s, "0.05", method)).unwrap();
            let outputs = answer["output"]["vector"].as_array().unwrap().clone();
            outputs.iter().map(ends).map(|(lo, hi)| (&hi - &lo).to_f64()).sum()
        };
        samples.iter().map(width).sum()
    };
    let (ibp, crown, both) = (total("ibp"), total("crown"), total("both"));
    println!(
        "mean width per output: ibp {:.3}, crown {:.3}, both {:.3}",
        ibp / 100.0,
        crown / 100.0,
        both / 100.0
    );
    assert!(crown < 0.7 * ibp && both <= crown, "{ibp} {crown} {both}");
}

// ------------------------------------------------------------------------------------ limits

fn large(random: &mut Random, sizes: &[usize]) -> Network {
    let layer = |s: &[usize]| Layer {
        weights: Numbers::Doubles((0..s[0] * s[1]).map(|_| random.unit() / (s[0] as f64).sqrt()).collect()),
        biases: Numbers::Doubles((0..s[1]).map(|_| random.unit() * 0.1).collect()),
        activation: Activation::Relu,
    };
    let mut layers: Vec<Layer> = sizes.windows(2).map(layer).collect();
    if let Some(last) = layers.last_mut() {
        last.activation = Activation::Identity;
    }
    Network { layers }
}

#[test]
fn limits_and_cancelling_stop_a_large_network() {
    let mut random = Random(5);
    let network = large(&mut random, &[400, 600, 600, 600, 10]);
    let input = random.input(400, 0.05);
    let settings = Settings::default();
    let code = |budget: &Budget, method| {
        network.enclose_by(method, &input, &settings, budget).map_err(|e| e.code).err()
    };
    for method in [Method::Ibp, Method::Crown] {
        assert_eq!(code(&Budget::new(None, Some(5000), None), method), Some(Code::Budget));
        let short = Budget::new(Some(Duration::from_millis(5)), Some(u64::MAX), None);
        assert_eq!(code(&short, method), Some(Code::Timeout));
        let flag = Arc::new(AtomicBool::new(false));
        let budget = Budget::new(None, Some(u64::MAX), Some(flag.clone()));
        let stopped = std::thread::scope(|scope| {
            let setter = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                flag.store(true, Ordering::Relaxed);
                Instant::now()
            });
            assert_eq!(code(&budget, method), Some(Code::Cancelled));
            let end = Instant::now();
            end.saturating_duration_since(setter.join().unwrap())
        });
        println!("{method:?} stopped after {stopped:?}");
        // The aim is 10 ms; a loaded machine may take longer to schedule.
        assert!(stopped < Duration::from_millis(200), "{method:?}: {stopped:?}");
    }
}

#[test]
fn numbers_beyond_doubles_are_left_to_interval_propagation() {
    let request = |method: &str| {
        json!({"kind": "mlp", "method": method, "input": {"lo": ["1"], "hi": ["2"]}, "digits": 5,
               "layers": [{"W": [["1e200"]], "b": ["0"]}, {"W": [["1e200"]], "b": ["0"], "act": "relu"}]})
    };
    for method in ["ibp", "both"] {
        let answer = ask(&request(method)).unwrap();
        assert_eq!(answer["output"]["vector"][0]["hi"], json!("2e+400"));
    }
    let e = ask(&request("crown")).unwrap_err();
    assert!(e.code == Code::ExponentLimit && e.message.contains("ibp"), "{e}");
    // And tiny ones underflow soundly.
    let tiny = json!({"kind": "mlp", "method": "crown", "input": {"lo": ["1"], "hi": ["2"]},
               "layers": [{"W": [["1e-200"]], "b": ["0"]}, {"W": [["1e-200"]], "b": ["0"]}]});
    let (lo, hi) = ends(&ask(&tiny).unwrap()["output"]["vector"][0]);
    assert!(lo <= number("1e-400") && hi >= number("2e-400"));
}

/// Where intervals are too loose for a domain, linear bounds may still do: relu(x) - relu(x) + 1 under
/// a logarithm.
#[test]
fn one_method_may_answer_where_the_other_cannot() {
    let request = |method: &str| {
        json!({"kind": "mlp", "method": method, "input": {"lo": ["1"], "hi": ["3"]}, "digits": 10,
               "layers": [{"W": [["1"], ["1"]], "b": ["0", "0"], "act": "relu"},
                          {"W": [["1", "-1"]], "b": ["1"], "act": "log"}]})
    };
    assert_eq!(ask(&request("ibp")).unwrap_err().code, Code::Domain);
    let (lo, hi) = ends(&ask(&request("both")).unwrap()["output"]["vector"][0]);
    assert!(lo <= number("0") && number("0") <= hi && lo > number("-1e-10") && hi < number("1e-10"));
}

/// Each pair of code blocks in the documentation is a question and its answer.
#[test]
fn the_documentation_shows_what_is_answered() {
    let blocks: Vec<Value> = include_str!("../docs/kinds/mlp.md")
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap_or_default()).unwrap())
        .collect();
    assert_eq!(blocks.len(), 4);
    for pair in blocks.chunks(2) {
        assert_eq!(ask(&pair[0]).unwrap(), pair[1]);
    }
}
