//! The kinds `matrix`, `poly_roots` and `constant` against values from elsewhere: exact rational
//! arithmetic and closed forms in this file, and literals found with mpmath 1.4.1 (`mp.dps` 120 or more:
//! `polyroots`, `eig`, and its constants).

use lean_oracle::ball::{DecimalInterval, Integer, Interval, Rational};
use lean_oracle::oracle::{
    Budget, CONSTANTS, ComplexRoot, Constant, MatrixOperation, MatrixQuery, MatrixValue, PolyRootsAnswer,
    PolyRootsQuery, Settings, answer_json,
};
use lean_oracle::{Code, Error};
use serde_json::{Value, json};

fn settings(digits: u32) -> Settings {
    Settings { digits, ..Settings::default() }
}

fn rational(text: &str) -> Rational {
    Interval::parse(text, 1000).expect(text).lo
}

fn fraction(num: i64, den: i64) -> Rational {
    Rational::from_parts(&Integer::from(num), &Integer::from(den)).expect("a denominator")
}

/// `10^k`.
fn ten(k: i32) -> Rational {
    Rational::from_decimal(&Integer::from(1), k)
}

fn ends(x: &DecimalInterval) -> (Rational, Rational) {
    (x.lo.to_rational(), x.hi.to_rational())
}

/// Whether a number that is `value` up to `error` can be in the interval.
fn may_contain(x: &DecimalInterval, value: &Rational, error: &Rational) -> bool {
    let (lo, hi) = ends(x);
    lo <= value + error && value - error <= hi
}

fn contains(x: &DecimalInterval, value: &Rational) -> bool {
    may_contain(x, value, &Rational::new())
}

fn is_exactly(x: &DecimalInterval, value: &Rational) -> bool {
    ends(x) == (value.clone(), value.clone())
}

/// Whether each end is within one unit of its `digits`-th digit of a number between them.
fn is_narrow(x: &DecimalInterval, digits: u32) -> bool {
    let (lo, hi) = ends(x);
    let size = if lo.abs() > hi.abs() { lo.abs() } else { hi.abs() };
    &hi - &lo <= &(&size * &ten(1 - digits as i32)) * &Rational::from(2)
}

// --------------------------------------------------------------------------------- constants

/// 101 significant digits each.
const CONSTANT_VALUES: [(&str, &str); 18] = [
    (
        "pi",
        "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170680",
    ),
    (
        "tau",
        "6.2831853071795864769252867665590057683943387987502116419498891846156328125724179972560696506842341360",
    ),
    (
        "e",
        "2.7182818284590452353602874713526624977572470936999595749669676277240766303535475945713821785251664274",
    ),
    (
        "euler",
        "0.57721566490153286060651209008240243104215933593992359880576723488486772677766467093694706329174674951",
    ),
    (
        "catalan",
        "0.91596559417721901505460351493238411077414937428167213426649811962176301977625476947935651292611510625",
    ),
    (
        "golden",
        "1.6180339887498948482045868343656381177203091798057628621354486227052604628189024497072072041893911375",
    ),
    (
        "glaisher",
        "1.2824271291006226368753425688697917277676889273250011920637400217404063088588264611297364919582023744",
    ),
    (
        "khinchin",
        "2.6854520010653064453097148354817956938203822939944629530511523455572188595371520028011411749318476980",
    ),
    (
        "apery",
        "1.2020569031595942853997381615114499907649862923404988817922715553418382057863130901864558736093352581",
    ),
    (
        "log2",
        "0.69314718055994530941723212145817656807550013436025525412068000949339362196969471560586332699641868754",
    ),
    (
        "log10",
        "2.3025850929940456840179914546843642076011014886287729760333279009675726096773524802359972050895982983",
    ),
    (
        "sqrt2",
        "1.4142135623730950488016887242096980785696718753769480731766797379907324784621070388503875343276415727",
    ),
    (
        "sqrt3",
        "1.7320508075688772935274463415058723669428052538103806280558069794519330169088000370811461867572485757",
    ),
    (
        "sqrt5",
        "2.2360679774997896964091736687312762354406183596115257242708972454105209256378048994144144083787822750",
    ),
    (
        "sqrtpi",
        "1.7724538509055160272981674833411451827975494561223871282138077898529112845910321813749506567385446654",
    ),
    (
        "log_sqrt2pi",
        "0.91893853320467274178032973640561763986139747363778341281715154048276569592726039769474329863595419762",
    ),
    (
        "omega",
        "0.56714329040978387299996866221035554975381578718651250813513107922304579308668456669321944696175229456",
    ),
    (
        "reciprocal_fibonacci",
        "3.3598856662431775531720113029189271796889051337319684864955538153251303189966833836154162164567900873",
    ),
];

#[test]
fn constants_have_their_published_digits() {
    assert_eq!(CONSTANTS.len(), CONSTANT_VALUES.len());
    for (name, text) in CONSTANT_VALUES {
        let value = rational(text);
        for digits in [1, 10, 50, 100] {
            let constant = Constant::find(name).expect(name);
            let (x, tight, _) = constant.answer(&settings(digits), &Budget::unlimited()).expect(name);
            assert!(tight && is_narrow(&x, digits), "{name} to {digits}");
            assert!(may_contain(&x, &value, &ten(-99)), "{name} to {digits}: {} {}", x.lo, x.hi);
        }
    }
}

#[test]
fn constants_in_json() {
    let answer = ask(json!({"kind": "constant", "name": "pi", "digits": 20})).unwrap();
    assert_eq!(answer["output"]["lo"], "3.1415926535897932384");
    assert_eq!(answer["output"]["hi"], "3.1415926535897932385");
    assert_eq!(answer["output"]["ball"], json!({"exp": "-20", "mid": "314159265358979323845", "rad": "5"}));
    assert_eq!(answer["ctx"], json!({"digits": 20, "prec_bits": 200}));
    assert_eq!((&answer["tight"], &answer["status"]), (&json!(true), &json!("ok")));
    let refused = |request: Value| {
        let e = ask(request).unwrap_err();
        (e.code, e.field, e.message)
    };
    let (code, field, message) = refused(json!({"kind": "constant", "name": "ln2"}));
    assert_eq!((code, field), (Code::UnknownFunction, Some("name")));
    assert!(message.contains("log2"), "{message}");
    assert!(refused(json!({"kind": "constant", "name": "catalin"})).2.contains("catalan"));
    assert_eq!(refused(json!({"kind": "constant"})).1, Some("name"));
    assert_eq!(refused(json!({"kind": "constant", "name": "khinchin", "digits": 10001})).1, Some("digits"));
    // What the limit on exponents does not allow is refused before it is computed, and nothing else is.
    let limited = |name: &str, digits: u32| json!({"kind": "constant", "name": name, "digits": digits, "exp_limit": 100_000});
    for (name, most) in [("pi", 100_000), ("log2", 99_999)] {
        assert_eq!(ask(limited(name, most)).unwrap()["tight"], true, "{name}");
        let (code, field, _) = refused(limited(name, most + 1));
        assert_eq!((code, field), (Code::ExponentLimit, Some("exp_limit")), "{name}");
    }
    // Nor does the default limit forbid as many digits as can be asked for.
    let million = ask(json!({"kind": "constant", "name": "log2", "digits": 1_000_000})).unwrap();
    assert_eq!((&million["tight"], &million["output"]["ball"]["exp"]), (&json!(true), &json!("-1000001")));
}

fn ask(request: Value) -> Result<Value, Error> {
    let answer = answer_json(request.to_string().as_bytes(), None)?;
    Ok(serde_json::from_str(&answer).expect("an answer is JSON"))
}

// ---------------------------------------------------------------------------------- matrices

fn hilbert(n: usize) -> Vec<Vec<Rational>> {
    (0..n).map(|i| (0..n).map(|j| fraction(1, (i + j + 1) as i64)).collect()).collect()
}

fn query(operation: MatrixOperation, a: &[Vec<Rational>], b: &[Vec<Rational>], digits: u32) -> MatrixQuery {
    let points = |rows: &[Vec<Rational>]| {
        rows.iter().map(|row| row.iter().cloned().map(Interval::point).collect()).collect()
    };
    MatrixQuery { operation, a: points(a), b: points(b), settings: settings(digits) }
}

/// The entries of a solution or an inverse, and whether they are tight.
fn entries(query: &MatrixQuery) -> (Vec<Vec<DecimalInterval>>, bool) {
    let answer = query.answer(&Budget::unlimited()).unwrap();
    match answer.value {
        MatrixValue::Matrix(rows) => (rows, answer.tight),
        other => panic!("not a matrix: {other:?}"),
    }
}

fn determinant(query: &MatrixQuery) -> (DecimalInterval, bool) {
    let answer = query.answer(&Budget::unlimited()).unwrap();
    match answer.value {
        MatrixValue::Number(x) => (x, answer.tight),
        other => panic!("not a number: {other:?}"),
    }
}

fn eigenvalues(query: &MatrixQuery) -> (Vec<ComplexRoot>, bool) {
    let answer = query.answer(&Budget::unlimited()).unwrap();
    match answer.value {
        MatrixValue::Eigenvalues(roots) => (roots, answer.tight),
        other => panic!("not eigenvalues: {other:?}"),
    }
}

fn product(factors: impl Iterator<Item = Integer>) -> Integer {
    factors.fold(Integer::from(1), |x, y| &x * &y)
}

/// `n` over `k`.
fn binomial(n: u32, k: u32) -> Integer {
    Integer::factorial(n).div_floor(&(&Integer::factorial(k) * &Integer::factorial(n - k)))
}

#[test]
fn hilbert_matrices() {
    for n in 2..=20u32 {
        let h = hilbert(n as usize);
        // The determinant is c(n)^4/c(2n) with c(k) = 1!·2!·…·(k-1)!.
        let c = |k: u32| product((1..k).map(Integer::factorial));
        let c2 = &c(n) * &c(n);
        let det = Rational::from_parts(&(&c2 * &c2), &c(2 * n)).unwrap();
        let (x, tight) = determinant(&query(MatrixOperation::Determinant, &h, &[], 50));
        assert!(tight && contains(&x, &det) && is_narrow(&x, 50), "det of size {n}");

        // The inverse has integer entries with a closed form.
        let (inverse, tight) = entries(&query(MatrixOperation::Inverse, &h, &[], 50));
        assert!(tight);
        for i in 1..=n {
            for j in 1..=n {
                let square = binomial(i + j - 2, i - 1);
                let value = product(
                    [
                        Integer::from(if (i + j) % 2 == 0 { 1 } else { -1 } * i64::from(i + j - 1)),
                        binomial(n + i - 1, n - j),
                        binomial(n + j - 1, n - i),
                        square.clone(),
                        square,
                    ]
                    .into_iter(),
                );
                let entry = &inverse[i as usize - 1][j as usize - 1];
                assert!(is_exactly(entry, &Rational::from(&value)), "inverse of size {n} at {i}, {j}");
            }
        }

        // A right-hand side made from a solution.
        let x: Vec<Rational> = (1..=n).map(|k| fraction(i64::from(k), 7)).collect();
        let b: Vec<Vec<Rational>> = h
            .iter()
            .map(|row| vec![row.iter().zip(&x).fold(Rational::new(), |s, (a, x)| &s + &(a * x))])
            .collect();
        let (solution, tight) = entries(&query(MatrixOperation::Solve, &h, &b, 30));
        assert!(tight);
        for (row, x) in solution.iter().zip(&x) {
            assert!(contains(&row[0], x) && is_narrow(&row[0], 30), "solution of size {n}");
        }
    }
}

#[test]
fn singular_matrices_are_refused() {
    // Magic squares of even order are singular, and so is what repeats a row.
    let magic = json!([["16", 2, 3, 13], [5, 11, 10, 8], [9, 7, 6, 12], [4, 14, 15, 1]]);
    let thirds = json!([["1/3", "0.1"], ["10/3", "1"]]);
    for a in [magic, thirds] {
        let n = a.as_array().unwrap().len();
        let e = ask(json!({"kind": "matrix", "op": "inv", "A": a})).unwrap_err();
        assert_eq!((e.code, e.field), (Code::Domain, Some("A")));
        let e = ask(json!({"kind": "matrix", "op": "solve", "A": a, "b": vec![1; n]})).unwrap_err();
        assert_eq!((e.code, e.field), (Code::Domain, Some("A")));
        let zero = ask(json!({"kind": "matrix", "op": "det", "A": a})).unwrap();
        assert_eq!(zero["output"]["ball"], json!({"exp": "0", "mid": "0", "rad": "0"}));
    }
}

#[test]
fn requests_about_matrices_are_checked() {
    for (request, code, field) in [
        (json!({"A": [[1]]}), Code::BadRequest, "op"),
        (json!({"op": "trace", "A": [[1]]}), Code::BadRequest, "op"),
        (json!({"op": "det"}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": 1}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [1]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": []}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [[]]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [[1, 2]]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [[1, 2], [3]]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [[true]]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [["x"]]}), Code::BadNumber, "A"),
        (json!({"op": "det", "A": [["1e2000000"]]}), Code::ExponentLimit, "A"),
        (json!({"op": "det", "A": vec![vec![1; 201]; 201]}), Code::BadRequest, "A"),
        (json!({"op": "det", "A": [[1]], "b": [1]}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]]}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]], "b": []}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]], "b": [[]]}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]], "b": 1}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]], "b": [1, 2]}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1, 0], [0, 1]], "b": [[1, 2], [3]]}), Code::BadRequest, "b"),
        (json!({"op": "solve", "A": [[1]], "b": ["nan"]}), Code::BadNumber, "b"),
        (json!({"op": "inv", "A": vec![vec![1; 99]; 99], "digits": 10000}), Code::BadRequest, "digits"),
        (json!({"op": "inv", "A": [[3]], "digits": 0}), Code::BadRequest, "digits"),
        (json!({"op": "inv", "A": [[3]], "timeout_ms": 0}), Code::Timeout, "timeout_ms"),
        (json!({"op": "inv", "A": [[3]], "max_nodes": 0}), Code::Budget, "max_nodes"),
    ] {
        let mut request = request;
        request["kind"] = json!("matrix");
        let e = ask(request.clone()).expect_err(&request.to_string());
        assert_eq!((e.code, e.field), (code, Some(field)), "{request}: {}", e.message);
    }
}

#[test]
fn solutions_have_the_shape_of_the_right_hand_side() {
    let vector =
        ask(json!({"kind": "matrix", "op": "solve", "A": [[2, 0], [0, 4]], "b": [1, "1/2"]})).unwrap();
    assert_eq!((&vector["output"][0]["lo"], &vector["output"][1]["hi"]), (&json!("0.5"), &json!("0.125")));
    let matrix =
        ask(json!({"kind": "matrix", "op": "solve", "A": [[2, 0], [0, 4]], "b": [[1, 2, 3], [4, 5, 6]]}))
            .unwrap();
    assert_eq!(matrix["output"][1][2]["lo"], "1.5");
    assert_eq!(matrix["output"][0].as_array().unwrap().len(), 3);
}

/// The entry of the inverse of the second-difference matrix of size `n`:
/// `min(i, j)·(n + 1 - max(i, j))/(n + 1)`, counted from 1.
fn inverse_second_difference(n: usize, i: usize, j: usize) -> Rational {
    fraction(((i.min(j) + 1) * (n - i.max(j))) as i64, n as i64 + 1)
}

/// Large matrices of long numbers take the way through ball arithmetic: `blocks` copies of the
/// second-difference matrix of size `n`, times a long number. With more than one copy there are zeros in
/// the inverse, which only exact arithmetic can tell from small numbers.
#[test]
fn large_matrices_of_long_numbers() {
    let long = rational("1234567890123456789012345678901234567890.12345678901234567890123456789");
    for (n, blocks) in [(60usize, 1usize), (20, 2)] {
        let size = n * blocks;
        let second_difference = |i: usize, j: usize| match (i / n == j / n, i.abs_diff(j)) {
            (true, 0) => 2,
            (true, 1) => -1,
            _ => 0,
        };
        let a: Vec<Vec<Rational>> = (0..size)
            .map(|i| (0..size).map(|j| &Rational::from(second_difference(i, j)) * &long).collect())
            .collect();
        let (inverse, tight) = entries(&query(MatrixOperation::Inverse, &a, &[], 40));
        assert!(tight);
        for (i, row) in inverse.iter().enumerate() {
            for (j, x) in row.iter().enumerate() {
                let value = match i / n == j / n {
                    true => &inverse_second_difference(n, i % n, j % n) * &long.recip().unwrap(),
                    false => Rational::new(),
                };
                assert!(contains(x, &value) && is_narrow(x, 40), "{i}, {j}");
            }
        }
        // A row twice: singular, in ball arithmetic too.
        let mut singular = a;
        singular[3] = singular[size - 1].clone();
        let e = query(MatrixOperation::Inverse, &singular, &[], 40).answer(&Budget::unlimited()).unwrap_err();
        assert_eq!((e.code, e.field), (Code::Domain, Some("A")));
        let (zero, tight) = determinant(&query(MatrixOperation::Determinant, &singular, &[], 40));
        assert!(tight && is_exactly(&zero, &Rational::new()));
    }
}

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }

    fn integer(&mut self, most: i64) -> i64 {
        self.next(2 * most as u64 + 1) as i64 - most
    }
}

/// Every matrix within the balls is covered: the same question about exact ones, at the corners and
/// inside, has its answer in the enclosure.
#[test]
fn wide_entries_cover_every_matrix_within() {
    let mut numbers = Numbers(1);
    let (mut solved, mut refused, mut joined) = (0, 0, 0);
    for round in 0..300 {
        let n = 1 + numbers.next(5) as usize;
        let radius = fraction(1, 10i64.pow(1 + numbers.next(9) as u32));
        let wide = |numbers: &mut Numbers| {
            let middle = fraction(numbers.integer(40), 4);
            match numbers.next(3) {
                0 => Interval::point(middle),
                _ => Interval::new(&middle - &radius, &middle + &radius).unwrap(),
            }
        };
        let rows = |numbers: &mut Numbers, columns: usize| -> Vec<Vec<Interval>> {
            (0..n).map(|_| (0..columns).map(|_| wide(numbers)).collect()).collect()
        };
        let a = rows(&mut numbers, n);
        let b = rows(&mut numbers, 2);
        let inside = |rows: &[Vec<Interval>], numbers: &mut Numbers| -> Vec<Vec<Interval>> {
            let mut pick = |x: &Interval| {
                let part = fraction(numbers.next(5) as i64, 4);
                Interval::point(&x.lo + &(&(&x.hi - &x.lo) * &part))
            };
            rows.iter().map(|row| row.iter().map(&mut pick).collect()).collect()
        };
        for operation in MatrixOperation::ALL {
            let b = if operation == MatrixOperation::Solve { b.clone() } else { Vec::new() };
            let question = |a, b| MatrixQuery { operation, a, b, settings: settings(12) };
            let all = question(a.clone(), b.clone());
            let answer = match all.answer(&Budget::unlimited()) {
                Ok(answer) => answer,
                Err(e) => {
                    assert!(matches!(e.code, Code::PrecisionCap | Code::Domain), "{e}");
                    refused += 1;
                    continue;
                }
            };
            solved += 1;
            for _ in 0..6 {
                let one = question(inside(&a, &mut numbers), inside(&b, &mut numbers));
                let one = one.answer(&Budget::unlimited()).expect("no matrix within is singular").value;
                match (&answer.value, &one) {
                    (MatrixValue::Number(x), MatrixValue::Number(y)) => assert!(meets(x, y), "det {round}"),
                    (MatrixValue::Matrix(x), MatrixValue::Matrix(y)) => {
                        let pairs = x.iter().flatten().zip(y.iter().flatten());
                        pairs.for_each(|(x, y)| assert!(meets(x, y), "{} {round}", operation.name()));
                    }
                    (MatrixValue::Eigenvalues(clusters), MatrixValue::Eigenvalues(values)) => {
                        joined += clusters.iter().filter(|c| c.multiplicity > 1).count();
                        let total: u32 = clusters.iter().map(|c| c.multiplicity).sum();
                        assert_eq!(total as usize, n);
                        for cluster in clusters {
                            let within =
                                |v: &&ComplexRoot| meets(&cluster.re, &v.re) && meets(&cluster.im, &v.im);
                            let count: u32 = values.iter().filter(within).map(|v| v.multiplicity).sum();
                            assert_eq!(count, cluster.multiplicity, "eigenvalues {round}");
                            assert!(!cluster.real || values.iter().filter(within).all(|v| v.real));
                        }
                    }
                    _ => panic!("one question, two kinds of answers"),
                }
            }
        }
    }
    // Both outcomes occur, and clusters do.
    assert!(solved > 900 && refused > 5 && joined > 5, "{solved} {refused} {joined}");
}

fn meets(x: &DecimalInterval, y: &DecimalInterval) -> bool {
    let ((a, b), (c, d)) = (ends(x), ends(y));
    a <= d && c <= b
}

#[test]
fn wide_matrices_that_may_be_singular_are_refused() {
    let a = json!([["[1 +/- 1]", 1], [1, 1]]);
    let e = ask(json!({"kind": "matrix", "op": "inv", "A": a})).unwrap_err();
    assert_eq!((e.code, e.field), (Code::PrecisionCap, Some("A")));
    let det = ask(json!({"kind": "matrix", "op": "det", "A": a})).unwrap();
    let end = |key: &str| rational(det["output"][key].as_str().unwrap());
    assert!(end("lo") <= Rational::from(-1) && end("hi") >= Rational::from(1));
    assert_eq!(det["tight"], false);
}

/// Matrices with their eigenvalues to 40 digits, found with mpmath: a random one, Grcar's, Frank's.
type Case = (&'static [&'static [&'static str]], &'static [(&'static str, &'static str)]);
const MATRICES: &[Case] = &[
    (
        &[
            &["3", "8", "-6", "9", "-2"],
            &["-9", "-3", "4", "-1", "-4"],
            &["3", "-4", "-7", "-5", "5"],
            &["-5", "-5", "-9", "-9", "-3"],
            &["-3", "-4", "-4", "0", "1"],
        ],
        &[
            ("-12.98587936855914699360264501102888845747", "0.0"),
            ("-0.9977555768034360989722811310433024858302", "-10.1724720583718374288318289947621416536"),
            ("-0.9977555768034360989722811310433024858302", "10.1724720583718374288318289947621416536"),
            ("-0.009304738916990404226396363442253285432854", "-2.51653461693614675258046237162654431388"),
            ("-0.009304738916990404226396363442253285432854", "2.51653461693614675258046237162654431388"),
        ],
    ),
    (
        &[
            &["1", "1", "1", "1", "0", "0"],
            &["-1", "1", "1", "1", "1", "0"],
            &["0", "-1", "1", "1", "1", "1"],
            &["0", "0", "-1", "1", "1", "1"],
            &["0", "0", "0", "-1", "1", "1"],
            &["0", "0", "0", "0", "-1", "1"],
        ],
        &[
            ("0.3584891833238265599900581973545952938406", "-1.950114681290485513998311415285647574876"),
            ("1.139108055166198074497573784202259449738", "-1.230297559046856572184828984153496981129"),
            ("1.502402761509975365512368018443145256422", "-0.6055711021144889246983516649582229577212"),
            ("0.3584891833238265599900581973545952938406", "1.950114681290485513998311415285647574876"),
            ("1.502402761509975365512368018443145256422", "0.6055711021144889246983516649582229577212"),
            ("1.139108055166198074497573784202259449738", "1.230297559046856572184828984153496981129"),
        ],
    ),
    (
        &[
            &["6", "5", "4", "3", "2", "1"],
            &["5", "5", "4", "3", "2", "1"],
            &["0", "4", "4", "3", "2", "1"],
            &["0", "0", "3", "3", "2", "1"],
            &["0", "0", "0", "2", "2", "1"],
            &["0", "0", "0", "0", "1", "1"],
        ],
        &[
            ("12.9736079237848494356164198131139900559", "0.0"),
            ("5.383223182176172998717010849055110258773", "0.0"),
            ("1.835523237264397521387078151850458463742", "0.0"),
            ("0.5448037811225787443566327033901473304336", "0.0"),
            ("0.07707956074167111626642440773066887292647", "0.0"),
            ("0.1857623149103301836564340748596250182265", "0.0"),
        ],
    ),
];

/// Every value that is given is in exactly one of the rectangles, and each rectangle has its count.
fn check_roots(roots: &[ComplexRoot], values: &[(&str, &str)], digits: u32) {
    let error = ten(-36);
    let mut left: Vec<u32> = roots.iter().map(|r| r.multiplicity).collect();
    for (re, im) in values {
        let (re, im) = (rational(re), rational(im));
        let within: Vec<usize> = (0..roots.len())
            .filter(|i| may_contain(&roots[*i].re, &re, &error) && may_contain(&roots[*i].im, &im, &error))
            .collect();
        let [i] = within[..] else { panic!("{re} + {im}·i is in {} rectangles", within.len()) };
        left[i] -= 1;
        assert_eq!(roots[i].real, im.is_zero());
        assert!(is_narrow(&roots[i].re, digits) && is_narrow(&roots[i].im, digits));
    }
    assert!(left.iter().all(|k| *k == 0), "{left:?}");
    check_shape(roots);
}

/// What holds of any answer: disjoint rectangles, real ones first and rising, conjugates in pairs.
fn check_shape(roots: &[ComplexRoot]) {
    for (i, x) in roots.iter().enumerate() {
        assert!(!x.real || is_exactly(&x.im, &Rational::new()));
        assert!(roots[..i].iter().all(|y| !(meets(&x.re, &y.re) && meets(&x.im, &y.im))), "{x:?}");
    }
    let real = roots.iter().take_while(|r| r.real).count();
    assert!(roots[..real].windows(2).all(|w| ends(&w[0].re).1 < ends(&w[1].re).0));
    for pair in roots[real..].chunks(2) {
        let [x, y] = pair else { panic!("a root without its conjugate") };
        let ((a, b), (c, d)) = (ends(&x.im), ends(&y.im));
        assert!(!x.real && !y.real && a.sign() > 0);
        assert_eq!((ends(&x.re), a, b, x.multiplicity), (ends(&y.re), -&d, -&c, y.multiplicity));
    }
}

#[test]
fn eigenvalues_found_with_mpmath() {
    for (matrix, values) in MATRICES {
        let a: Vec<Vec<Rational>> =
            matrix.iter().map(|row| row.iter().map(|x| rational(x)).collect()).collect();
        let (roots, tight) = eigenvalues(&query(MatrixOperation::Eigenvalues, &a, &[], 30));
        assert!(tight);
        check_roots(&roots, values, 30);
    }
}

/// The eigenvalues of the second-difference matrix are `2 - 2cos(kπ/(n + 1))`, here scaled and shifted to
/// `cos(kπ/(n + 1))`, which are the roots of Chebyshev's polynomial of the second kind.
#[test]
fn symmetric_tridiagonal_matrices_have_the_roots_of_chebyshev_polynomials() {
    for n in [2usize, 5, 12, 40] {
        let entry = |i: usize, j: usize| fraction(i64::from(i.abs_diff(j) == 1), 2);
        let a: Vec<Vec<Rational>> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
        let (roots, tight) = eigenvalues(&query(MatrixOperation::Eigenvalues, &a, &[], 14));
        assert!(tight && roots.len() == n && roots.iter().all(|r| r.real));
        check_shape(&roots);
        for (k, root) in (1..=n).rev().zip(&roots) {
            let value = (k as f64 * std::f64::consts::PI / (n as f64 + 1.0)).cos();
            assert!(may_contain(&root.re, &Rational::from_f64(value).unwrap(), &ten(-15)), "{k} of {n}");
        }
        // Half the cosines of the multiples of π/3 are fractions.
        if n == 5 {
            let exact = [2, 1, 0, -1, -2].map(|k| fraction(k, 2));
            assert!(is_exactly(&roots[1].re, &exact[3]) && is_exactly(&roots[2].re, &exact[2]));
        }
    }
}

/// `P·J·P^-1` with blocks of Jordan's normal form: 2 three times in one block, -1/3 twice in another, and
/// `1 ± 2i` in two copies.
#[test]
fn defective_matrices_have_clusters_with_multiplicities() {
    let n = 9;
    let mut j = vec![vec![Rational::new(); n]; n];
    for (i, x) in [2, 2, 2].into_iter().enumerate() {
        j[i][i] = Rational::from(x);
    }
    (j[0][1], j[1][2]) = (Rational::from(1), Rational::from(1));
    (j[3][3], j[4][4], j[3][4]) = (fraction(-1, 3), fraction(-1, 3), Rational::from(1));
    for i in [5, 7] {
        (j[i][i], j[i + 1][i + 1]) = (Rational::from(1), Rational::from(1));
        (j[i][i + 1], j[i + 1][i]) = (Rational::from(2), Rational::from(-2));
    }
    // Row operations and their inverse on the columns.
    let mut numbers = Numbers(7);
    for _ in 0..40 {
        let (p, q) = (numbers.next(n as u64) as usize, numbers.next(n as u64) as usize);
        if p == q {
            continue;
        }
        let factor = Rational::from(numbers.integer(2));
        let source = j[q].clone();
        for (x, y) in j[p].iter_mut().zip(&source) {
            *x = &*x + &(&factor * y);
        }
        for row in &mut j {
            row[q] = &row[q] - &(&factor * &row[p]);
        }
    }
    let (roots, tight) = eigenvalues(&query(MatrixOperation::Eigenvalues, &j, &[], 20));
    assert!(tight && roots.len() == 4);
    check_shape(&roots);
    let third = fraction(-1, 3);
    assert!(contains(&roots[0].re, &third) && roots[0].real && roots[0].multiplicity == 2);
    assert!(is_exactly(&roots[1].re, &Rational::from(2)) && roots[1].real && roots[1].multiplicity == 3);
    for (root, im) in roots[2..].iter().zip([2, -2]) {
        assert!(is_exactly(&root.re, &Rational::from(1)) && is_exactly(&root.im, &Rational::from(im)));
        assert_eq!((root.real, root.multiplicity), (false, 2));
    }

    // Wide entries: one cluster around 2, of both eigenvalues, and the third one alone and real.
    let a = json!([["[2 +/- 1e-20]", 1, 0], [0, "[2 +/- 1e-20]", 0], [1, 1, 5]]);
    let answer = ask(json!({"kind": "matrix", "op": "eigenvalues", "A": a, "digits": 10})).unwrap();
    let found = answer["output"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["multiplicity"], &found[1]["multiplicity"]), (&json!(2), &json!(1)));
    assert_eq!((&found[1]["real"], &found[1]["im"]["hi"]), (&json!(true), &json!("0")));
    let end = |i: usize, key: &str| rational(found[i]["re"][key].as_str().unwrap());
    for (i, value, error) in [(0, 2, ten(-5)), (1, 5, ten(-8))] {
        let value = Rational::from(value);
        assert!(end(i, "lo") < value && value < end(i, "hi") && &end(i, "hi") - &end(i, "lo") < error);
    }
}

/// The companion matrix of `(x - 2)^2`, its entries moved by up to 10^-20: the eigenvalues move by up to
/// about 10^-10, and may be complex.
#[test]
fn wide_companion_matrices_have_clusters() {
    let wide = |x: i64| format!("[{x} +/- 1e-20]");
    let a = json!([[wide(0), wide(1)], [wide(-4), wide(4)]]);
    let answer = ask(json!({"kind": "matrix", "op": "eigenvalues", "A": a, "digits": 10})).unwrap();
    let [cluster] = &answer["output"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!((&cluster["multiplicity"], &cluster["real"]), (&json!(2), &json!(false)));
    let end = |part: &str, key: &str| rational(cluster[part][key].as_str().unwrap());
    let two = Rational::from(2);
    // 2 + sqrt(4·10^-20) = 2 + 2·10^-10 is an eigenvalue of [[0, 1], [-4 + 4·10^-20, 4]], which is within
    // a wider matrix; half the move is within this one.
    assert!(end("re", "lo") < &two - &ten(-10) && &two + &ten(-10) < end("re", "hi"));
    assert!(&end("re", "hi") - &end("re", "lo") < ten(-8));
    assert!(end("im", "lo") < -&ten(-10) && ten(-10) < end("im", "hi") && end("im", "hi") < ten(-8));
}

// -------------------------------------------------------------------------------- polynomials

fn roots(coefficients: &[Rational], digits: u32) -> PolyRootsAnswer {
    let query = PolyRootsQuery { coefficients: coefficients.to_vec(), settings: settings(digits) };
    query.answer(&Budget::unlimited()).unwrap()
}

/// The product of polynomials, lowest power first.
fn times(x: &[Rational], y: &[Rational]) -> Vec<Rational> {
    let mut z = vec![Rational::new(); x.len() + y.len() - 1];
    for (i, a) in x.iter().enumerate() {
        for (j, b) in y.iter().enumerate() {
            z[i + j] = &z[i + j] + &(a * b);
        }
    }
    z
}

fn from_roots(all: &[Rational]) -> Vec<Rational> {
    all.iter().fold(vec![Rational::from(1)], |p, r| times(&p, &[-r, Rational::from(1)]))
}

#[test]
fn wilkinson_polynomials() {
    for n in [1i64, 2, 20, 40] {
        let values: Vec<Rational> = (1..=n).map(Rational::from).collect();
        let answer = roots(&from_roots(&values), 50);
        assert!(answer.tight && answer.roots.len() == n as usize);
        for (root, value) in answer.roots.iter().zip(&values) {
            assert!(is_exactly(&root.re, value) && root.real && root.multiplicity == 1);
        }
    }
    // Wilkinson's perturbation by 2^-23 of the coefficient of x^19 (-210): ten roots stay real, and these
    // are the others, from his book.
    let mut p = from_roots(&(1..=20).map(Rational::from).collect::<Vec<_>>());
    p[19] = &p[19] - &fraction(1, 1 << 23);
    let answer = roots(&p, 30);
    assert!(answer.tight && answer.roots.iter().filter(|r| r.real).count() == 10);
    check_shape(&answer.roots);
    for (re, im) in [
        ("10.095266145", "0.643500904"),
        ("11.793633881", "1.652329728"),
        ("13.992358137", "2.518830070"),
        ("16.730737466", "2.812624894"),
        ("19.502439400", "1.940330347"),
    ] {
        let near = |r: &&ComplexRoot| {
            may_contain(&r.re, &rational(re), &ten(-9)) && may_contain(&r.im, &rational(im), &ten(-9))
        };
        assert_eq!(answer.roots.iter().filter(near).count(), 1, "{re}");
    }
}

/// Polynomials with their roots to 40 digits, found with mpmath. The last one is Mignotte's.
type Polynomial = (&'static [&'static str], &'static [(&'static str, &'static str)]);
const POLYNOMIALS: &[Polynomial] = &[
    (
        &["-5", "-2", "0", "1"],
        &[
            ("2.094551481542326591482386540579302963857", "0.0"),
            ("-1.047275740771163295741193270289651481929", "-1.135939889088928186245492629029436671186"),
            ("-1.047275740771163295741193270289651481929", "1.135939889088928186245492629029436671186"),
        ],
    ),
    (
        &["29", "-18", "44", "-5", "38", "44", "33", "3"],
        &[
            ("-9.615339292478270355613449627235005532828", "0.0"),
            ("0.5426189923239764885282172424271290652806", "-0.5364659424119859942553064317260434320729"),
            ("0.5426189923239764885282172424271290652806", "0.5364659424119859942553064317260434320729"),
            ("-0.06402919255746443617010340795659698566673", "-0.8379793343511296578059066235994157178671"),
            ("-0.06402919255746443617010340795659698566673", "0.8379793343511296578059066235994157178671"),
            ("-1.1709201535273768745513890208530293132", "-1.036159043537337835218908901062014967448"),
            ("-1.1709201535273768745513890208530293132", "1.036159043537337835218908901062014967448"),
        ],
    ),
    (
        &["7", "-9", "5", "-2", "-8", "-4", "-6", "2", "6", "-2", "7"],
        &[
            ("0.6891845034021523112606539703004333118971", "0.0"),
            ("1.080492090107738189975402680068660147025", "0.0"),
            ("-1.006919317650476857625789589435368321298", "-0.327613243021030457669720773468148855666"),
            ("-1.006919317650476857625789589435368321298", "0.327613243021030457669720773468148855666"),
            ("0.3491548496920426002165617596696679963506", "0.7430381888291051421777075588547052134249"),
            ("0.3491548496920426002165617596696679963506", "-0.7430381888291051421777075588547052134249"),
            ("-0.4249102359796743400107162981479562098536", "0.9685707264646692348214665754917536365136"),
            ("-0.4249102359796743400107162981479562098536", "-0.9685707264646692348214665754917536365136"),
            ("0.3406935500403062039447729455862526624823", "-1.213423559456807320013236128183523727905"),
            ("0.3406935500403062039447729455862526624823", "1.213423559456807320013236128183523727905"),
        ],
    ),
    (
        &["10", "0", "-2", "0", "1"],
        &[
            ("1.442615274452682920156897266434523915007", "1.039778260055570533854188626709467719874"),
            ("-1.442615274452682920156897266434523915007", "1.039778260055570533854188626709467719874"),
            ("-1.442615274452682920156897266434523915007", "-1.039778260055570533854188626709467719874"),
            ("1.442615274452682920156897266434523915007", "-1.039778260055570533854188626709467719874"),
        ],
    ),
    (
        &["-2", "400", "-20000", "0", "0", "0", "0", "0", "0", "1"],
        &[
            ("0.009999999992928932210634524656554665784593", "0.0"),
            ("0.01000000000707106783436547534344533523541", "0.0"),
            ("4.112735520720532266018371374749320744311", "0.0"),
            ("-3.710878023050097316333560674271010404669", "-1.785692602381838581834771934323599747298"),
            ("-3.710878023050097316333560674271010404669", "1.785692602381838581834771934323599747298"),
            ("2.563172921152432774921266737939086316743", "3.21770691181294089890226355193200196594"),
            ("2.563172921152432774921266737939086316743", "-3.21770691181294089890226355193200196594"),
            ("-0.9186626584626015916193917510427362847403", "-4.012414870985684387931822409214687467102"),
            ("-0.9186626584626015916193917510427362847403", "4.012414870985684387931822409214687467102"),
        ],
    ),
];

#[test]
fn roots_found_with_mpmath() {
    for (coefficients, values) in POLYNOMIALS {
        let coefficients: Vec<Rational> = coefficients.iter().map(|c| rational(c)).collect();
        for digits in [1, 6, 30] {
            let answer = roots(&coefficients, digits);
            assert!(answer.tight);
            check_roots(&answer.roots, values, digits);
        }
    }
}

/// `x^n - 2(ax - 1)^2` has two real roots near `1/a`, closer than `2·a^(-n/2 - 1)`. Their signs, and those
/// of the values between, tell them apart.
#[test]
fn mignotte_polynomials_have_close_roots() {
    for (n, a) in [(9usize, 1000i64), (20, 10_000), (31, 7)] {
        let mut p = vec![Rational::new(); n + 1];
        (p[0], p[1], p[2]) = (Rational::from(-2), Rational::from(4 * a), Rational::from(-2 * a * a));
        p[n] = &p[n] + &Rational::from(1);
        // Few digits: more are printed where the two would be one.
        let answer = roots(&p, 5);
        check_shape(&answer.roots);
        let middle = fraction(1, a);
        let value = |x: &Rational| p.iter().rev().fold(Rational::new(), |y, c| &(&y * x) + c);
        assert!(value(&middle).sign() > 0);
        let near: Vec<&ComplexRoot> = answer
            .roots
            .iter()
            .filter(|r| r.real && (&ends(&r.re).0 - &middle).abs() < &middle * &fraction(1, 100))
            .collect();
        let [below, above] = near[..] else { panic!("{} roots near 1/a", near.len()) };
        let ((a1, b1), (a2, b2)) = (ends(&below.re), ends(&above.re));
        assert!(b1 < middle && middle < a2 && value(&a1).sign() < 0 && value(&b1).sign() > 0);
        assert!(value(&a2).sign() > 0 && value(&b2).sign() < 0);
    }
}

#[test]
fn chebyshev_polynomials() {
    let two_x = [Rational::new(), Rational::from(2)];
    let (mut previous, mut p) = (vec![Rational::from(1)], vec![Rational::new(), Rational::from(1)]);
    for n in 2..=60usize {
        let mut next = times(&two_x, &p);
        for (z, y) in next.iter_mut().zip(&previous) {
            *z = &*z - y;
        }
        (previous, p) = (p, next);
        if ![2, 3, 8, 15, 60].contains(&n) {
            continue;
        }
        let answer = roots(&p, 14);
        assert!(answer.tight && answer.roots.len() == n && answer.roots.iter().all(|r| r.real));
        check_shape(&answer.roots);
        for (k, root) in (1..=n).rev().zip(&answer.roots) {
            let value = ((2 * k - 1) as f64 * std::f64::consts::PI / (2 * n) as f64).cos();
            assert!(may_contain(&root.re, &Rational::from_f64(value).unwrap(), &ten(-15)), "{k} of {n}");
        }
        if n % 2 == 1 {
            assert!(is_exactly(&answer.roots[n / 2].re, &Rational::new()));
        }
    }
}

#[test]
fn roots_of_unity() {
    for n in [1usize, 2, 3, 4, 6, 12, 35, 128] {
        let mut p = vec![Rational::new(); n + 1];
        (p[0], p[n]) = (Rational::from(-1), Rational::from(1));
        let answer = roots(&p, 14);
        assert!(answer.tight && answer.roots.len() == n, "{n}");
        check_shape(&answer.roots);
        assert_eq!(answer.roots.iter().filter(|r| r.real).count(), 2 - n % 2);
        for k in 0..n {
            let angle = 2.0 * std::f64::consts::PI * k as f64 / n as f64;
            let near =
                |x: &DecimalInterval, y: f64| may_contain(x, &Rational::from_f64(y).unwrap(), &ten(-14));
            let count = |r: &&ComplexRoot| near(&r.re, angle.cos()) && near(&r.im, angle.sin());
            assert_eq!(answer.roots.iter().filter(count).count(), 1, "{k} of {n}");
        }
        // Niven's theorem: the only fractions are 0, ±1/2 and ±1, and all of them are found.
        let exact = |x: &DecimalInterval| ends(x).0 == ends(x).1;
        let cosines = (0..n).filter(|k| [2, 3, 4, 6, 1].iter().any(|d| (d * k) % n == 0)).count();
        assert_eq!(answer.roots.iter().filter(|r| exact(&r.re)).count(), cosines, "{n}");
    }
}

/// Products of factors with known roots, real and complex fractions, some multiple.
#[test]
fn rational_roots_and_multiplicities_are_exact() {
    // (x - 1)^3·(x + 2)^2
    let (one, two) = (Rational::from(1), Rational::from(-2));
    let p = from_roots(&[one.clone(), one.clone(), one.clone(), two.clone(), two.clone()]);
    let answer = roots(&p, 50);
    assert!(answer.tight && answer.roots.len() == 2);
    assert!(is_exactly(&answer.roots[0].re, &two) && answer.roots[0].multiplicity == 2);
    assert!(is_exactly(&answer.roots[1].re, &one) && answer.roots[1].multiplicity == 3);

    let mut numbers = Numbers(3);
    for round in 0..60 {
        let mut p = vec![fraction(1 + numbers.next(9) as i64, 7)];
        let mut known: Vec<(Rational, Rational, u32)> = Vec::new();
        for _ in 0..1 + numbers.next(4) {
            let re = fraction(numbers.integer(20), [1, 2, 3, 8, 10][numbers.next(5) as usize]);
            let im = fraction(numbers.next(5) as i64, [1, 3, 4][numbers.next(3) as usize]);
            if known.iter().any(|(a, b, _)| *a == re && *b == im) {
                continue;
            }
            let multiplicity = 1 + numbers.next(3) as u32;
            // x - a, or x^2 - 2ax + (a^2 + b^2)
            let factor = match im.is_zero() {
                true => vec![-&re, Rational::from(1)],
                false => {
                    let middle = -&(&re + &re);
                    vec![&(&re * &re) + &(&im * &im), middle, Rational::from(1)]
                }
            };
            for _ in 0..multiplicity {
                p = times(&p, &factor);
            }
            known.push((re, im, multiplicity));
        }
        // Short decimals come out exactly; thirds are enclosed.
        let answer = roots(&p, 20);
        assert!(answer.tight, "{round}");
        check_shape(&answer.roots);
        for (re, im, multiplicity) in &known {
            let same = |r: &&ComplexRoot| contains(&r.re, re) && contains(&r.im, im);
            let found: Vec<&ComplexRoot> = answer.roots.iter().filter(same).collect();
            let [root] = found[..] else { panic!("{round}: {re} + {im}·i is in {}", found.len()) };
            assert_eq!((root.multiplicity, root.real), (*multiplicity, im.is_zero()), "{round}");
            let short =
                |q: &Rational| [1, 2, 4, 5, 8, 10].iter().any(|d| (q * &Rational::from(*d)).is_integer());
            for (x, q) in [(&root.re, re), (&root.im, im)] {
                assert!(is_narrow(x, 20) && (is_exactly(x, q) || !short(q)), "{round}: {q}");
            }
        }
        let total: u32 = answer.roots.iter().map(|r| r.multiplicity).sum();
        assert_eq!(total as usize, p.len() - 1, "{round}");
    }
}

/// For any polynomial: the sum and the product of the roots, and signs around the real ones.
#[test]
fn random_polynomials_agree_with_their_coefficients() {
    let mut numbers = Numbers(11);
    for round in 0..80 {
        let n = 2 + numbers.next(25) as usize;
        let sparse = numbers.next(2) == 0;
        let mut p: Vec<Rational> = (0..=n)
            .map(|_| match sparse && numbers.next(2) == 0 {
                true => Rational::new(),
                false => fraction(numbers.integer(30), 1 + numbers.next(6) as i64),
            })
            .collect();
        (p[0], p[n]) = (Rational::from(1 + numbers.next(9) as i64), Rational::from(-3));
        let answer = roots(&p, 25);
        assert!(answer.tight, "{round}");
        check_shape(&answer.roots);
        let total: u32 = answer.roots.iter().map(|r| r.multiplicity).sum();
        assert_eq!(total as usize, n);
        let sum = answer.roots.iter().fold((Rational::new(), Rational::new()), |(lo, hi), r| {
            let (times, (a, b)) = (Rational::from(i64::from(r.multiplicity)), ends(&r.re));
            (&lo + &(&a * &times), &hi + &(&b * &times))
        });
        let vieta = -&(&p[n - 1] * &p[n].recip().unwrap());
        assert!(sum.0 <= vieta && vieta <= sum.1, "{round}");
        let value = |x: &Rational| p.iter().rev().fold(Rational::new(), |y, c| &(&y * x) + c).sign();
        for root in answer.roots.iter().filter(|r| r.real && r.multiplicity == 1) {
            let (a, b) = ends(&root.re);
            assert!(value(&a) * value(&b) < 0 || value(&a) == 0 || value(&b) == 0, "{round}");
        }
    }
}

#[test]
fn requests_about_polynomials_are_checked() {
    for (request, code, field) in [
        (json!({}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": 1}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": []}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": ["0", 0, "0/3"]}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": ["1", "[1 +/- 0.1]"]}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": ["1", null]}), Code::BadRequest, "coefficients"),
        (json!({"coefficients": ["1", "x"]}), Code::BadNumber, "coefficients"),
        (json!({"coefficients": ["1", "inf"]}), Code::BadNumber, "coefficients"),
        (json!({"coefficients": vec![1; 2002]}), Code::BadRequest, "coefficients"),
        (
            json!({"coefficients": [1, 1, "1e1000000"], "exp_limit": 999999}),
            Code::ExponentLimit,
            "coefficients",
        ),
        (json!({"coefficients": [1, 1], "digits": 0}), Code::BadRequest, "digits"),
        (json!({"coefficients": vec![1; 500], "timeout_ms": 0}), Code::Timeout, "timeout_ms"),
        (json!({"coefficients": vec![1; 500], "max_nodes": 100}), Code::Budget, "max_nodes"),
    ] {
        let mut request = request;
        request["kind"] = json!("poly_roots");
        let e = ask(request.clone()).expect_err(&request.to_string());
        assert_eq!((e.code, e.field), (code, Some(field)), "{request}: {}", e.message);
    }
    let none = ask(json!({"kind": "poly_roots", "coefficients": ["5", "0", 0]})).unwrap();
    assert_eq!((&none["degree"], &none["roots"], &none["tight"]), (&json!(0), &json!([]), &json!(true)));
    let third =
        ask(json!({"kind": "poly_roots", "coefficients": ["-1/3", "[1 +/- 0]"], "digits": 3})).unwrap();
    assert_eq!(third["roots"][0]["re"]["lo"], "0.333");
    assert_eq!(third["roots"][0]["im"]["ball"], json!({"exp": "0", "mid": "0", "rad": "0"}));
}

/// Each pair of code blocks in the documentation is a question and its answer.
#[test]
fn the_documentation_shows_what_is_answered() {
    let pages = [
        include_str!("../docs/kinds/constant.md"),
        include_str!("../docs/kinds/matrix.md"),
        include_str!("../docs/kinds/poly-roots.md"),
    ];
    let mut examples = 0;
    for page in pages {
        let blocks: Vec<Value> = page
            .split("```json\n")
            .skip(1)
            .map(|rest| serde_json::from_str(rest.split("```").next().unwrap_or_default()).expect(page))
            .collect();
        for pair in blocks.chunks(2) {
            let [request, answer] = pair else { panic!("a question without an answer: {page}") };
            assert_eq!(&ask(request.clone()).unwrap(), answer);
            examples += 1;
        }
    }
    assert_eq!(examples, 4);
}
