//! The command line, run as a user, or TorchLean, runs it.
//!
//! `LEAN_ORACLE_BLESS=1 cargo test --release --test cli` rewrites the table in `docs/functions.md`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lean_oracle::ball::{Interval, Rational};
use lean_oracle::oracle::FUNCTIONS;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_lean-oracle");

/// How a run ended: exit code, standard output, standard error.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run_command(command: &mut Command, input: &str) -> Run {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    // A program that does not read its input may have ended already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it was started");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn run(args: &[&str]) -> Run {
    run_command(Command::new(BINARY).args(args), "")
}

/// `lean-oracle arb ARGS`, which must succeed. Checks what holds of every answer.
fn arb(args: &[&str]) -> Value {
    answered(&run_command(Command::new(BINARY).arg("arb").args(args), ""), args)
}

fn answered(run: &Run, args: &[&str]) -> Value {
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{args:?}: {run:?}");
    let answer = json_of(&run.out);
    assert_eq!(answer["status"], "ok", "{args:?}: {run:?}");
    // The ball and the printed ends are the same interval, and it is an interval.
    let output = &answer["output"];
    let (lo, hi) = (point(&output["lo"]), point(&output["hi"]));
    assert!(lo <= hi, "{args:?}: {run:?}");
    let ball = ball(&output["ball"]);
    assert!(ball.lo == lo && ball.hi == hi, "{args:?}: {run:?}");
    answer
}

/// `lean-oracle arb ARGS`, which must be refused with `code`, naming `field`.
fn arb_refused(args: &[&str], code: &str, field: Option<&str>) -> String {
    refused(&run_command(Command::new(BINARY).arg("arb").args(args), ""), code, field)
}

/// Checks a refusal: JSON on standard output, the message on standard error, exit code 1.
fn refused(run: &Run, code: &str, field: Option<&str>) -> String {
    assert_eq!(run.code, Some(1), "{run:?}");
    let answer = json_of(&run.out);
    let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{run:?}")).to_string();
    let expected = json!({
        "status": "error",
        "error": {"code": code, "field": field, "message": message},
    });
    assert_eq!(answer, expected, "{run:?}");
    let named = field.map_or(String::new(), |f| format!(" ({f})"));
    assert_eq!(run.err, format!("lean-oracle: {code}{named}: {message}\n"));
    message
}

/// `lean-oracle ARGS` is a usage error: exit code 2, a hint on standard error, nothing else.
fn misused(args: &[&str]) {
    let run = run(args);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}: {run:?}");
    assert!(run.err.contains("--help") || run.err.contains("Usage"), "{args:?}: {run:?}");
}

/// The output as JSON; it must be one value and a newline, indented by two spaces with sorted keys.
fn json_of(out: &str) -> Value {
    let value: Value = serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"));
    assert_eq!(out, format!("{}\n", pretty(&value, 0)));
    value
}

/// What Python's `json.dumps(value, indent=2, sort_keys=True)` prints.
fn pretty(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth + 1);
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let entry = |k: &&String| format!("{pad}{}: {}", json!(k), pretty(&map[*k], depth + 1));
            let entries: Vec<String> = keys.iter().map(entry).collect();
            format!("{{\n{}\n{}}}", entries.join(",\n"), "  ".repeat(depth))
        }
        Value::Array(_) => panic!("no answer has an array: {value}"),
        scalar => scalar.to_string(),
    }
}

/// A number in the user's notation, exactly.
fn exact(text: &str) -> Interval {
    Interval::parse(text, u32::MAX).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn number(text: &str) -> Rational {
    let interval = exact(text);
    assert!(interval.is_point(), "{text}");
    interval.lo
}

fn point(value: &Value) -> Rational {
    number(value.as_str().unwrap_or_else(|| panic!("{value} is not text")))
}

/// The interval of a ball whose parts are the texts of integers.
fn ball(value: &Value) -> Interval {
    let part = |key: &str| {
        let text = value[key].as_str().unwrap_or_else(|| panic!("{value}: {key} is not text"));
        assert!(
            text.parse::<i128>().is_ok() || text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit())
        );
        text.to_string()
    };
    let (mid, rad, exp) = (part("mid"), part("rad"), part("exp"));
    exact(&format!("[{mid}e{exp} +/- {rad}e{exp}]"))
}

fn ends(answer: &Value) -> (&str, &str) {
    let text = |key: &str| answer["output"][key].as_str().expect("ends are texts");
    (text("lo"), text("hi"))
}

/// An empty directory of this test's own.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}

// ---------------------------------------------------------------------------------- acceptance

#[test]
fn the_acceptance_cases() {
    let answer = arb(&["--func", "sqrt", "--lo=0", "--hi=4"]);
    assert_eq!(ends(&answer), ("0", "2"));
    assert_eq!(answer["output"]["ball"], json!({"mid": "1", "rad": "1", "exp": "0"}));

    let message = arb_refused(&["--func", "log", "--lo=-1", "--hi=1"], "domain", None);
    assert!(message.contains("[-1, 1]") && message.contains("x > 0"), "{message}");

    let answer = arb(&["--func", "tanh", "--lo=-5", "--hi=5", "--digits", "20"]);
    assert_eq!(ends(&answer), ("-0.99990920426259513122", "0.99990920426259513122"));

    let run = run(&["enclose", "sin", "0", "4", "--digits", "30"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.out.lines().any(|line| line == "  hi     1"), "{run:?}");
    assert!(run.out.lines().any(|line| line == "  lo     -0.756802495307928251372639094512"), "{run:?}");
}

// ----------------------------------------------------------------------------------------- arb

#[test]
fn arb_prints_the_shape_that_lean_parses() {
    let run = run(&["arb", "--func", "exp", "--lo=0", "--hi=1", "--digits", "5"]);
    let expected = r#"{
  "bits_used": 200,
  "ctx": {
    "digits": 5,
    "prec_bits": 200
  },
  "func": "exp",
  "input": {
    "ball": {
      "exp": "-1",
      "mid": "5",
      "rad": "5"
    },
    "hi": "1",
    "lo": "0"
  },
  "output": {
    "ball": {
      "exp": "-5",
      "mid": "185915",
      "rad": "85915"
    },
    "hi": "2.7183",
    "lo": "1"
  },
  "status": "ok",
  "tight": true,
  "tool": "arb_oracle"
}
"#;
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), expected, ""));
    // The keys of the reference, with its types: texts in balls and ends, numbers in ctx, no `kind`.
    let answer = json_of(&run.out);
    for key in ["status", "tool", "func"] {
        assert!(answer[key].is_string(), "{key}");
    }
    for key in ["prec_bits", "digits"] {
        assert!(answer["ctx"][key].is_u64(), "{key}");
    }
    for side in ["input", "output"] {
        assert!(answer[side]["lo"].is_string() && answer[side]["hi"].is_string(), "{side}");
        for key in ["mid", "rad", "exp"] {
            assert!(answer[side]["ball"][key].is_string(), "{side} {key}");
        }
    }
    assert!(answer.get("kind").is_none());
}

#[test]
fn arb_has_the_defaults_of_the_reference() {
    let answer = arb(&["--func", "exp", "--lo=0", "--hi=1"]);
    assert_eq!(answer["ctx"], json!({"prec_bits": 200, "digits": 50}));
    assert_eq!(ends(&answer), ("1", "2.7182818284590452353602874713526624977572470937"));
}

#[test]
fn arb_echoes_the_endpoints_as_they_were_written() {
    let answer = arb(&["--func", "tanh", "--lo=-0.50", "--hi=+1/2"]);
    assert_eq!((&answer["input"]["lo"], &answer["input"]["hi"]), (&json!("-0.50"), &json!("+1/2")));
    assert_eq!(answer["input"]["ball"], json!({"mid": "0", "rad": "5", "exp": "-1"}));
}

#[test]
fn arb_takes_flags_as_the_reference_does() {
    let expected = arb(&["--func", "tanh", "--lo=-1", "--hi=-.5", "--prec-bits", "100", "--digits", "30"]);
    for args in [
        &["--func=tanh", "--lo=-1", "--hi=-.5", "--prec-bits=100", "--digits=30"][..],
        &["--digits", "30", "--prec-bits", "100", "--hi", "-.5", "--lo", "-1", "--func", "tanh"],
        &[
            "NN/Floats/Arb/arb_oracle.py",
            "--func",
            "tanh",
            "--lo=-1",
            "--hi=-.5",
            "--prec-bits",
            "100",
            "--digits",
            "30",
        ],
        &[
            "--func",
            "tanh",
            "--lo=-1",
            "--hi=-.5",
            "--prec-bits",
            "100",
            "--digits",
            "30",
            "/no/such/script.py",
        ],
    ] {
        assert_eq!(arb(args), expected, "{args:?}");
    }
}

#[test]
fn arb_reads_every_form_of_number() {
    for (lo, hi, neg_lo, neg_hi) in [
        ("-3", "5.", "-5", "3"),
        (".5", "1/2", "-0.5", "-0.5"),
        (" 1 ", "\t2\n", "-2", "-1"),
        ("1/-4", "1.5e1", "-15", "0.25"),
        ("[0.5 +/- 1e-1]", "0.75 +/- 0.25", "-1", "-0.4"),
        ("-1e400", "-1E+2", "100", "1e+400"),
        ("-1/8", "-0", "0", "0.125"),
    ] {
        let answer = arb(&["--func", "neg", &format!("--lo={lo}"), &format!("--hi={hi}")]);
        assert_eq!(ends(&answer), (neg_lo, neg_hi), "{lo} {hi}");
    }
    for bad in
        ["", "abc", "pi", "1_000", "0x1p-3", "1e", "1/0", "1.5/2", "inf", "-inf", "nan", "1 +/- -1", "½"]
    {
        arb_refused(&["--func", "neg", &format!("--lo={bad}"), "--hi=1"], "bad_number", Some("lo"));
        arb_refused(&["--func", "neg", "--lo=0", &format!("--hi={bad}")], "bad_number", Some("hi"));
    }
    let message = arb_refused(&["--func", "exp", "--lo=1", "--hi=0.5"], "reversed", Some("lo"));
    assert!(message.contains("swap"), "{message}");
    arb_refused(&["--func", "exp", "--lo=0", "--hi=1e1000001"], "exponent_limit", Some("hi"));
}

#[test]
fn arb_answers_with_all_digits_when_none_are_asked_for() {
    // 200 bits hold floor(200 log10 2) = 60 digits.
    let e = "2.71828182845904523536028747135266249775724709369995957496696";
    let expected = arb(&["--func", "exp", "--lo=1", "--hi=1", "--digits", "60"]);
    assert!(ends(&expected).0 == e && e.len() == 61, "{expected}");
    for args in
        [&["--digits", "0"][..], &["--digits=0"], &["--digits=-3"], &["--digits", "-3"], &["--digits=-0"]]
    {
        let answer = arb(&[&["--func", "exp", "--lo=1", "--hi=1"], args].concat());
        assert_eq!(answer, expected, "{args:?}");
    }
    let answer = arb(&["--func", "exp", "--lo=1", "--hi=1", "--digits=0", "--prec-bits=64"]);
    assert_eq!(answer["ctx"], json!({"prec_bits": 64, "digits": 19}));
    let answer = arb(&["--func", "exp", "--lo=1", "--hi=1", "--digits=0", "--prec-bits=2"]);
    assert_eq!(ends(&answer), ("2", "3"));
}

#[test]
fn arb_refuses_settings_out_of_bounds() {
    let question = ["--func", "exp", "--lo=0", "--hi=1"];
    for (args, field, shown) in [
        (&["--prec-bits", "1"][..], "prec_bits", "is 1;"),
        (&["--prec-bits=0"], "prec_bits", "is 0;"),
        (&["--prec-bits=-5"], "prec_bits", "is -5;"),
        (&["--prec-bits", "-5"], "prec_bits", "is -5;"),
        (&["--prec-bits=10000001"], "prec_bits", "is 10000001;"),
        (&["--prec-bits=99999999999"], "prec_bits", "is 99999999999;"),
        (&["--digits=1000001"], "digits", "is 1000001;"),
        (&["--digits=99999999999"], "digits", "is 99999999999;"),
    ] {
        let message = arb_refused(&[&question[..], args].concat(), "bad_request", Some(field));
        assert!(message.contains(shown), "{args:?}: {message}");
    }
}

#[test]
fn arb_refuses_incomplete_and_unknown_questions() {
    arb_refused(&[], "bad_request", Some("func"));
    arb_refused(&["--lo=0", "--hi=1"], "bad_request", Some("func"));
    arb_refused(&["--func", "exp", "--hi=1"], "bad_request", Some("lo"));
    arb_refused(&["--func", "exp", "--lo=0"], "bad_request", Some("hi"));
    let message = arb_refused(&["--func", "tahn", "--lo=0", "--hi=1"], "unknown_function", Some("func"));
    assert!(message.contains("tanh"), "{message}");
    arb_refused(&["--func", "", "--lo=0", "--hi=1"], "unknown_function", Some("func"));
    arb_refused(&["--func", "tan", "--lo=1", "--hi=2"], "pole", None);
    // The reference answers these with the ball (0, 0, 0).
    arb_refused(&["--func", "log", "--lo=0", "--hi=1"], "domain", None);
    arb_refused(&["--func", "exp", "--lo=1e15", "--hi=1e15"], "exponent_limit", None);
}

#[test]
fn usage_errors_exit_with_2() {
    for args in [
        &["arb", "--nosuch"][..],
        &["arb", "--func", "exp", "--lo=0", "--hi=1", "--verbose"],
        &["arb", "--func"],
        &["arb", "--digits", "x", "--func", "exp", "--lo=0", "--hi=1"],
        &["arb", "--prec-bits=1.5", "--func", "exp", "--lo=0", "--hi=1"],
        &["arb", "--func=exp", "--func=exp", "--lo=0", "--hi=1"],
        &["arb", "one.py", "two.py", "--func", "exp", "--lo=0", "--hi=1"],
        &["enclose", "exp", "0"],
        &["enclose", "exp", "0", "1", "2"],
        &["enclose", "exp", "0", "1", "--digits", "-1"],
        &["enclose", "exp", "0", "1", "--nosuch"],
        &["functions", "--nosuch"],
        &["nosuch"],
        &["--nosuch"],
        &[],
    ] {
        misused(args);
    }
    for args in [&["--help"][..], &["arb", "--help"], &["enclose", "--help"], &["functions", "--help"]] {
        let run = run(args);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        assert!(run.out.contains("Usage"), "{run:?}");
    }
    let run = run(&["--version"]);
    assert_eq!((run.code, run.out), (Some(0), format!("lean-oracle {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_ends_hold_the_golden_vectors_of_the_reference() {
    // Balls that the reference printed at 200 bits and 20 digits (a radius of 30 bits, so wide), and the
    // true ends to 45 digits. Ours, to 30 digits, lie between the two.
    for (func, lo, hi, reference, true_lo, true_hi) in [
        (
            "tanh",
            "-0.5",
            "0.5",
            "[0e-25 +/- 4621171590034548190085120e-25]",
            "-0.462117157260009758502318483643672548730289280",
            "0.462117157260009758502318483643672548730289280",
        ),
        (
            "exp",
            "-1",
            "1",
            "[1543080634815243778477905e-24 +/- 1175201200398916680417281e-24]",
            "0.367879441171442321595523770161460867445811131",
            "2.71828182845904523536028747135266249775724709",
        ),
        (
            "exp",
            "80",
            "90",
            "[6102293502708423685516178e14 +/- 6101739470127812501831681e14]",
            "55406223843935100525711733958316612.9248567288",
            "1220403294317840802002710035136369753970.74642",
        ),
        (
            "log",
            "0.5",
            "2",
            "[0e-25 +/- 6931471829813849231458304e-25]",
            "-0.693147180559945309417232121458176568075500134",
            "0.693147180559945309417232121458176568075500134",
        ),
        (
            "sqrt",
            "0",
            "2",
            "[7071067811865475244008443e-25 +/- 7071067844814823160283137e-25]",
            "0",
            "1.41421356237309504880168872420969807856967188",
        ),
        (
            "sigmoid",
            "-1",
            "2",
            "[5748692496739387824042849e-25 +/- 3059278297841778647105537e-25]",
            "0.268941421369995120748840758178163725634855360",
            "0.880797077977882444059729141302396795206384299",
        ),
        (
            "sin",
            "-1",
            "1",
            "[-555111512e-25 +/- 8414709903133380765024257e-25]",
            "-0.841470984807896506652502321630298999622563061",
            "0.841470984807896506652502321630298999622563061",
        ),
        (
            "cos",
            "0",
            "1",
            "[7701511525422294335285755e-25 +/- 2298488493662409297231873e-25]",
            "0.540302305868139717400936607442976603732310421",
            "1",
        ),
        (
            "exp",
            "0.1",
            "0.1",
            "[1105170918075647624811707e-24 +/- 2e-24]",
            "1.10517091807564762481170782649024666822454719",
            "1.10517091807564762481170782649024666822454719",
        ),
    ] {
        let answer = arb(&[
            "--func",
            func,
            &format!("--lo={lo}"),
            &format!("--hi={hi}"),
            "--prec-bits",
            "200",
            "--digits",
            "30",
        ]);
        let ours = ball(&answer["output"]["ball"]);
        let reference = exact(reference);
        assert!(reference.lo <= ours.lo && ours.hi <= reference.hi, "{func} [{lo}, {hi}]: {answer}");
        let (true_lo, true_hi) = (number(true_lo), number(true_hi));
        assert!(ours.lo <= true_lo && true_hi <= ours.hi, "{func} [{lo}, {hi}]: {answer}");
        // ... and close to the truth: one unit of the 30th digit of the larger end.
        let unit = |x: &Rational| x.abs().to_f64() * 1e-29;
        assert!((&true_lo - &ours.lo).to_f64() <= unit(&true_lo), "{func} [{lo}, {hi}]: {answer}");
        assert!((&ours.hi - &true_hi).to_f64() <= unit(&true_hi), "{func} [{lo}, {hi}]: {answer}");
        assert_eq!(answer["tight"], true, "{func} [{lo}, {hi}]: {answer}");
    }
}

// ------------------------------------------------------------------------------------- requests

/// `lean-oracle arb --request - ARGS` with `request` on standard input.
fn piped(request: &str, args: &[&str]) -> Run {
    run_command(Command::new(BINARY).args(["arb", "--request", "-"]).args(args), request)
}

#[test]
fn a_request_comes_from_a_file_or_from_standard_input() {
    let expected = arb(&["--func", "exp", "--lo=0", "--hi=1", "--digits", "20"]);
    let request = r#"{"kind": "unary", "func": "exp", "lo": "0", "hi": "1"}"#;
    let dir = scratch("requests");
    let path = dir.join("a request.json");
    std::fs::write(&path, request).expect("writable");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(arb(&["--request", path, "--digits", "20"]), expected);
    assert_eq!(arb(&[&format!("--request={path}"), "--digits=20"]), expected);
    assert_eq!(arb(&["arb_oracle.py", "--request", path, "--prec-bits", "200", "--digits", "20"]), expected);
    assert_eq!(answered(&piped(request, &["--digits", "20"]), &[]), expected);
    // It overrides --func, --lo and --hi; `kind` may be left out.
    let request = r#"{"func": "exp", "lo": "0", "hi": "1"}"#;
    let other = ["--func", "sin", "--lo=5", "--hi=6", "--digits", "20"];
    assert_eq!(answered(&piped(request, &other), &[]), expected);
    // The precision always comes from the command line, as in the reference.
    let request = r#"{"func": "exp", "lo": "0", "hi": "1", "digits": 3, "prec_bits": 1000, "note": [1, {}]}"#;
    assert_eq!(answered(&piped(request, &["--digits", "20"]), &[]), expected);

    let missing = dir.join("missing.json");
    let message =
        arb_refused(&["--request", missing.to_str().expect("UTF-8")], "bad_request", Some("request"));
    assert!(message.contains("missing.json"), "{message}");
    arb_refused(&["--request", dir.to_str().expect("UTF-8")], "bad_request", Some("request"));
}

#[test]
fn json_numbers_are_read_exactly() {
    for (request, lo, hi) in [
        (r#"{"func": "neg", "lo": 0.1, "hi": 0.1}"#, "-0.1", "-0.1"),
        (r#"{"func": "neg", "lo": -2, "hi": 1e400}"#, "-1e+400", "2"),
        (r#"{"func": "neg", "lo": 1E-400, "hi": 1.0e-400}"#, "-1e-400", "-1e-400"),
        (
            r#"{"func": "neg", "lo": 0.1000000000000000000000000001, "hi": 100000000000000000000000001}"#,
            "-100000000000000000000000001",
            "-0.1000000000000000000000000001",
        ),
        (r#"{"func": "neg", "lo": -0, "hi": 0.0}"#, "0", "0"),
        (r#"{"func": "neg", "lo": "1/8", "hi": 123456789.123456789}"#, "-123456789.123456789", "-0.125"),
    ] {
        let answer = answered(&piped(request, &[]), &[request]);
        let (got_lo, got_hi) = ends(&answer);
        assert_eq!((number(got_lo), number(got_hi)), (number(lo), number(hi)), "{request}: {answer}");
        assert_eq!(answer["tight"], true, "{request}");
    }
    // The echo is the text of the number.
    let answer = answered(&piped(r#"{"func": "abs", "lo": 0.10, "hi": 1e2}"#, &[]), &[]);
    assert_eq!((&answer["input"]["lo"], &answer["input"]["hi"]), (&json!("0.10"), &json!("1e2")));
}

#[test]
fn bad_requests_are_refused() {
    for (request, code, field) in [
        ("", "parse", None),
        ("{", "parse", None),
        ("exp", "parse", None),
        (r#"{"func": "exp", "lo": 01, "hi": 1}"#, "parse", None),
        (r#"{"func": "exp", "lo": 0, "hi": 1} {}"#, "parse", None),
        (r#"{"func": "exp", "lo": NaN, "hi": 1}"#, "parse", None),
        ("[]", "bad_request", None),
        (r#"["unary", "exp", "0", "1", null, null, null, null]"#, "bad_request", None),
        ("12", "bad_request", None),
        ("null", "bad_request", None),
        ("{}", "bad_request", Some("func")),
        (r#"{"func": "exp", "lo": null, "hi": 1}"#, "bad_request", Some("lo")),
        (r#"{"kind": "nosuch", "func": "exp", "lo": 0, "hi": 1}"#, "bad_request", Some("kind")),
        (r#"{"kind": "Unary", "func": "exp", "lo": 0, "hi": 1}"#, "bad_request", Some("kind")),
        (r#"{"kind": "__panic__"}"#, "bad_request", Some("kind")),
        (r#"{"func": "exp", "lo": true, "hi": 1}"#, "bad_number", Some("lo")),
        (r#"{"func": "exp", "lo": 0, "hi": {}}"#, "bad_number", Some("hi")),
        (r#"{"func": "exp", "lo": 0, "hi": ["1"]}"#, "bad_number", Some("hi")),
        (r#"{"func": "exp", "lo": "x", "hi": 1}"#, "bad_number", Some("lo")),
        (r#"{"func": "exp", "lo": 2, "hi": 1}"#, "reversed", Some("lo")),
        (r#"{"func": "expp", "lo": 0, "hi": 1}"#, "unknown_function", Some("func")),
        (r#"{"func": "inv", "lo": -1, "hi": 1}"#, "pole", None),
    ] {
        let run = piped(request, &[]);
        assert_eq!(run.code, Some(1), "{request}: {run:?}");
        assert!(run.out.contains(&format!("\"code\": \"{code}\"")), "{request}: {run:?}");
        refused(&run, code, field);
    }
    let dir = scratch("not-utf8");
    let path = dir.join("request.json");
    std::fs::write(&path, b"{\"func\": \"exp\", \"lo\": \"\xff\", \"hi\": 1}").expect("writable");
    arb_refused(&["--request", path.to_str().expect("UTF-8")], "parse", None);
}

#[test]
fn a_panic_is_an_internal_error() {
    let mut command = Command::new(BINARY);
    command.args(["arb", "--request", "-"]).env("LEAN_ORACLE_TEST_PANIC", "1");
    let run = run_command(&mut command, r#"{"kind": "__panic__"}"#);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(json_of(&run.out)["error"]["code"], "internal", "{run:?}");
}

// ------------------------------------------------------------------------------------- enclose

#[test]
fn enclose_answers_people() {
    let run = run(&["enclose", "exp", "0", "1", "--digits", "10"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 8, "{run:?}");
    assert_eq!(lines[0], "exp([0, 1]) is inside");
    assert_eq!(
        lines[1..6],
        [
            "  lo     1",
            "  hi     2.718281829",
            "  ball   (18591409145 +/- 8591409145) * 10^-10",
            "  width  1.719",
            "  tight  yes: each end is within one unit of digit 10 of the true range",
        ]
    );
    assert_eq!(lines[6], "  bits   200");
    let time = lines[7].strip_prefix("  time   ").and_then(|t| t.strip_suffix(" us")).expect("a time");
    assert!(time.parse::<f64>().is_ok_and(|t| t > 0.0), "{run:?}");
}

#[test]
fn enclose_takes_negative_numbers_balls_and_settings() {
    for (args, lo, hi) in [
        (&["enclose", "neg", "-5", "-1/3"][..], None, Some("5")),
        (&["enclose", "neg", "-.5", "+.5"], Some("-0.5"), Some("0.5")),
        (&["enclose", "neg", "[1 +/- 1/2]", "2"], Some("-2"), Some("-0.5")),
        (&["enclose", "neg", "--", "-2", "-1"], Some("1"), Some("2")),
        (&["enclose", "--digits", "3", "neg", "1/3", "1/3"], Some("-0.334"), Some("-0.333")),
        (
            &["enclose", "neg", "1/3", "1/3", "--digits=3", "--prec-bits=2", "--max-bits=64"],
            Some("-0.334"),
            Some("-0.333"),
        ),
        (&["enclose", "neg", "1e2000000", "1e2000000", "--exp-limit", "2000000"], Some("-1e+2000000"), None),
    ] {
        let run = run(args);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{args:?}: {run:?}");
        for (label, end) in [("lo", lo), ("hi", hi)] {
            let found =
                end.is_none_or(|end| run.out.lines().any(|line| line == format!("  {label}     {end}")));
            assert!(found, "{args:?}: {run:?}");
        }
    }
}

#[test]
fn enclose_prints_json_like_arb() {
    let args = ["sin", "1", "2", "--digits", "30", "--prec-bits", "100"];
    let run = run(&[&["enclose"], &args[..], &["--json"]].concat());
    let expected = arb(&["--func", "sin", "--lo=1", "--hi=2", "--digits", "30", "--prec-bits", "100"]);
    assert_eq!(answered(&run, &args), expected);
    // Numbers are printed without trailing zeros: sin 1 = 0.84147098480789650665250232163029...
    assert_eq!(ends(&expected), ("0.84147098480789650665250232163", "1"));
}

#[test]
fn enclose_refuses_in_words_and_in_json() {
    for (args, code, field, part) in [
        (["exq", "0", "1"], "unknown_function", Some("func"), "did you mean exp"),
        (["ln", "1", "2"], "unknown_function", Some("func"), "did you mean log"),
        (["Tanh", "1", "2"], "unknown_function", Some("func"), "did you mean tanh"),
        (["nonsense", "1", "2"], "unknown_function", Some("func"), "lean-oracle functions"),
        (["exp", "zero", "1"], "bad_number", Some("lo"), "zero"),
        (["exp", "1", "0"], "reversed", Some("lo"), "swap"),
        (["acosh", "0", "2"], "domain", None, "x >= 1"),
        (["gamma", "-1", "2"], "pole", None, "[-1, 2]"),
        (["exp", "0", "1e9"], "exponent_limit", None, "1000000"),
    ] {
        let [func, lo, hi] = args;
        let words = run(&["enclose", func, lo, hi]);
        assert_eq!((words.code, words.out.as_str()), (Some(1), ""), "{words:?}");
        let named = field.map_or(String::new(), |f| format!(" ({f})"));
        assert!(words.err.starts_with(&format!("lean-oracle: {code}{named}: ")), "{words:?}");
        assert!(words.err.contains(part) && words.err.ends_with('\n'), "{words:?}");
        let json = run(&["enclose", func, lo, hi, "--json"]);
        let message = refused(&json, code, field);
        assert!(words.err.contains(&message), "{words:?}: {message}");
    }
    let run = run(&["enclose", "exp", "0", "1", "--digits", "0", "--json"]);
    refused(&run, "bad_request", Some("digits"));
}

// ------------------------------------------------------------------------------------- compare

#[test]
fn compare_tells_a_verdict() {
    let compare = |args: &[&str]| {
        let run = run(&[&["compare"], args].concat());
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        run.out
    };
    assert_eq!(compare(&["sin(x)", "x", "x=0.001..1"]), "true: sin(x) < x at every point\n");
    assert_eq!(compare(&["pi", "22/7"]), "true: pi < 22/7 at every point\n");
    assert_eq!(compare(&["pi", "3.14"]), "false: pi >= 3.14\n");
    // They touch where no binary number is.
    assert!(compare(&["0", "(x - 1/3)^2", "x=0..1"]).starts_with("unknown: "));
    let out = compare(&["x*y", "1", "x=0..2", "y=0..2"]);
    assert!(out.starts_with("false: x*y >= 1 where x"), "{out}");
    // The witness is a point where it fails, in numbers of this process.
    for (expr, other, vars) in [("x^2", "x", &["x=0.5..3"][..]), ("exp(x)", "x+y", &["x=-1..1", "y=-2..2"])] {
        let answer = json_of(&compare(&[&[expr, other, "--json"], vars].concat()));
        assert_eq!(answer["verdict"], "false", "{answer}");
        let at = |name: &str| point(&answer["witness"][name]["lo"]).to_f64();
        match expr {
            "x^2" => assert!((0.5..=3.0).contains(&at("x")) && at("x") * at("x") >= at("x"), "{answer}"),
            _ => {
                assert!((-1.0..=1.0).contains(&at("x")) && (-2.0..=2.0).contains(&at("y")), "{answer}");
                assert!(at("x").exp() >= at("x") + at("y"), "{answer}");
            }
        }
    }
    let run = run(&["compare", "x", "y", "x=0..1", "--json"]);
    assert!(refused(&run, "bad_request", Some("expr")).contains("unknown variable \"y\""));
    misused(&["compare", "x"]);
}

#[test]
fn certify_prints_a_theorem() {
    let shown = run(&["certify", "x*(1-x)", "<=", "1/4", "x=0..1"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""), "{shown:?}");
    let theorem = "theorem claim (x : Frac) (l₁ : 0 ≤ x) (h₁ : x ≤ 1) :\n    x * (1 - x) ≤ 1 / 4 :=\n  \
                   certify [l₁ h₁] (.split 0 1 2 .leaf .leaf)\n";
    assert!(shown.out.ends_with(theorem), "{shown:?}");
    assert!(run(&["certify", "-x^2", "<=", "0", "x=-1..1"]).out.contains("-x ^ 2 ≤ 0"));
    assert_eq!(run(&["certify", "x*(1-x)", "<", "1/4", "x=0..1"]).out, "false, where x = 1/2\n");
    let found = run(&["certify", "x^2", "upper", "x=-2..1", "--json"]).out;
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found}"));
    assert_eq!((&found["bound"], &found["verdict"]), (&json!("4"), &json!("proved")));
    refused(&run(&["certify", "sin(x)", "le", "1", "x=0..1", "--json"]), "bad_request", Some("expr"));
    misused(&["certify", "x", "le"]);
}

// ----------------------------------------------------------------------------------------- mlp

/// A safetensors file of doubles: the length of the header, the header, the data.
fn safetensors(tensors: &[(&str, &[usize], &[f64])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, values) in tensors {
        let first = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let range = [first, data.len()];
        header.insert(name.to_string(), json!({"dtype": "F64", "shape": shape, "data_offsets": range}));
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn mlp_takes_weights_from_a_file() {
    let dir = scratch("mlp");
    let weights = dir.join("weights.safetensors");
    let tensors = safetensors(&[
        ("net.0.weight", &[2, 2], &[1.0, 2.0, 0.5, -1.0]),
        ("net.0.bias", &[2], &[0.0, 0.125]),
        ("net.2.weight", &[1, 2], &[1.0, -1.5]),
    ]);
    std::fs::write(&weights, tensors).expect("the directory is writable");
    let weights = weights.to_str().expect("UTF-8");
    // A number that no double is.
    let input = r#""input":{"lo":["-0.1","0.2"],"hi":["0.1",0.3000000000000000000001]}"#;
    let layers = |hidden: &str, last: &str| {
        format!(
            r#","layers":[{{"W":[["1","2"],["0.5","-1"]],"b":["0","1/8"],"act":"{hidden}"}},
               {{"W":[["1","-1.5"]],"b":["0"],"act":"{last}"}}]"#
        )
    };
    let mlp = |request: &str, args: &[&str]| {
        run_command(Command::new(BINARY).arg("mlp").arg("-").args(args), request)
    };
    let answered = |run: Run| -> Value {
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}: {run:?}"))
    };
    let own = format!(r#"{{{input},"digits":12,"classify":0}}"#);
    for (act, hidden, last) in [
        (&[][..], "relu", "identity"),
        (&["--act", "tanh"], "tanh", "identity"),
        (&["--act", "tanh,sigmoid"], "tanh", "sigmoid"),
    ] {
        let inline = format!(r#"{{"kind":"mlp",{input},"digits":12,"classify":0{}}}"#, layers(hidden, last));
        let expected = answered(mlp(&inline, &[]));
        assert_eq!(answered(piped_request(&inline)), expected);
        let answer = answered(mlp(&own, &[&["--weights", weights], act].concat()));
        assert_eq!(answer, expected, "{act:?}");
    }
    // By hand: the hidden units are relu(x + 2y) and relu(x/2 - y + 1/8), the second one 0 here.
    let answer = answered(mlp(&own, &["--weights", weights, "--digits", "3"]));
    assert_eq!(answer["ctx"]["digits"], 3);
    let y = &answer["output"]["vector"][0];
    assert_eq!((&y["lo"], &y["hi"]), (&json!("0.3"), &json!("0.701")));

    let refusal = |run: Run, field: Option<&str>| refused(&run, "bad_request", field);
    let both = format!(r#"{{{input}{}}}"#, layers("relu", "relu"));
    refusal(mlp(&both, &["--weights", weights]), Some("layers"));
    refusal(mlp(&own, &[]), Some("layers"));
    let message = refusal(mlp(&own, &["--weights", "no/such.safetensors"]), Some("weights"));
    assert!(message.contains("no/such.safetensors cannot be read"), "{message}");
    refusal(mlp(&own, &["--weights", weights, "--act", "relu,relu,relu"]), Some("act"));
    refusal(mlp(r#"{"kind":"expr"}"#, &[]), Some("kind"));
    let short = dir.join("short.safetensors");
    std::fs::write(&short, safetensors(&[("a.bias", &[1], &[1.0])])).expect("the directory is writable");
    let message = refusal(mlp(&own, &["--weights", short.to_str().expect("UTF-8")]), Some("weights"));
    assert!(message.contains("NAME.weight"), "{message}");
    // A request cannot name a file.
    let named = format!(r#"{{"kind":"mlp",{input},"weights":{}}}"#, json!(weights));
    refusal(mlp(&named, &[]), Some("layers"));
    refused(&mlp("[]", &[]), "parse", None);
}

/// `lean-oracle request -`.
fn piped_request(request: &str) -> Run {
    run_command(Command::new(BINARY).args(["request", "-"]), request)
}

// ----------------------------------------------------------------------------------- integrate

#[test]
fn integrate_answers_people_and_programs() {
    let shown = run(&["integrate", "1/x", "x=1..2", "--digits", "10"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""), "{shown:?}");
    // log(2) is 0.69314718055994…
    let expected = "the integral is inside\n  lo     0.6931471805\n  hi     0.6931471806\n  \
                    ball   (69314718055 +/- 5) * 10^-11\n  width  1e-10\n  \
                    tight  yes: the ends differ by at most two units of digit 10\n  bits   200\n";
    assert_eq!(shown.out, expected);
    let args = ["integrate", "cos(t)", "t=0..pi/2", "--json"];
    let answer = answered(&run(&args), &args);
    assert!(point(&answer["output"]["lo"]) <= number("1") && number("1") <= point(&answer["output"]["hi"]));
    refused(&run(&["integrate", "1/x", "x=-1..1", "--json"]), "pole", Some("expr"));
}

// ----------------------------------------------------------------------------------- functions

#[test]
fn functions_are_listed_one_a_line() {
    let run = run(&["functions"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), FUNCTIONS.len());
    for (line, f) in lines.iter().zip(FUNCTIONS) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let expected = format!("{} {} {}", f.name, f.domain_text(), f.doc);
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(words, expected);
    }
}

#[test]
fn every_listed_function_answers_and_keeps_to_its_domain() {
    for f in FUNCTIONS {
        // Some interval of these lies in every domain.
        let answers = [("0.25", "0.5"), ("2", "2.5")].iter().any(|(lo, hi)| {
            let run = run(&["arb", "--func", f.name, &format!("--lo={lo}"), &format!("--hi={hi}")]);
            run.code == Some(0) && answered(&run, &[f.name])["func"] == f.name
        });
        assert!(answers, "{}", f.name);
    }
}

#[test]
fn the_page_of_functions_is_current() {
    const HEAD: &str = "# Functions\n\n\
        <!-- The table is generated: LEAN_ORACLE_BLESS=1 cargo test --release --test cli -->\n\n\
        Every function of one real variable that the oracle encloses. A question about an interval that\n\
        leaves the domain is refused with the code `domain`, one that contains a pole with `pole`. The\n\
        same table in a terminal: `lean-oracle functions`.\n\n";
    let run = run(&["functions", "--markdown"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    let rows: Vec<&str> = run.out.lines().collect();
    assert_eq!(rows.len(), FUNCTIONS.len() + 2);
    for (row, f) in rows[2..].iter().zip(FUNCTIONS) {
        assert!(
            row.starts_with(&format!("| `{}` | ", f.name)) && row.ends_with(&format!("| {} |", f.flint)),
            "{row}"
        );
        // A bar or a star inside a cell is escaped.
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
        assert!(!row.replace("\\*", "").contains('*'), "{row}");
    }
    let page = format!("{HEAD}{}", run.out);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
    if std::env::var_os("LEAN_ORACLE_BLESS").is_some() {
        std::fs::write(&path, &page).expect("docs/ is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/functions.md");
    assert!(page == committed, "run LEAN_ORACLE_BLESS=1 cargo test --release --test cli");
}

// -------------------------------------------------------------------------------- the launcher

/// `scripts/torchlean-python`, which TorchLean runs instead of Python.
#[cfg(unix)]
mod launcher {
    use std::os::unix::fs::symlink;

    use super::*;

    const ARGS: [&str; 9] = [
        "NN/Floats/Arb/arb_oracle.py",
        "--func",
        "exp",
        "--lo=0",
        "--hi=1",
        "--prec-bits",
        "200",
        "--digits",
        "50",
    ];

    fn script() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/torchlean-python")
    }

    /// A command without any of the ways to find a binary.
    fn bare(program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_remove("LEAN_ORACLE_BIN").env("PATH", "/usr/bin:/bin");
        command
    }

    fn check(command: &mut Command) {
        let shown = format!("{command:?}");
        let run = run_command(command.args(ARGS), "");
        assert_eq!(answered(&run, &[&shown]), arb(&ARGS));
    }

    #[test]
    fn it_answers_what_torchlean_asks() {
        check(bare(&script()).env("LEAN_ORACLE_BIN", BINARY));
        // TorchLean asks whether the command is there.
        let run = run_command(bare(&script()).env("LEAN_ORACLE_BIN", BINARY).arg("--version"), "");
        let version = format!("lean-oracle {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((run.code, run.out, run.err.as_str()), (Some(0), version, ""));
        // Requests with spaces in their path, errors and their exit code pass through.
        let dir = scratch("launcher requests");
        let path = dir.join("arb_req_1.json");
        std::fs::write(&path, r#"{"func": "exp", "lo": "0", "hi": "1"}"#).expect("writable");
        let mut command = bare(&script());
        command.env("LEAN_ORACLE_BIN", BINARY).arg(ARGS[0]).arg("--request").arg(&path);
        let run = run_command(command.args(["--prec-bits", "200", "--digits", "50"]), "");
        assert_eq!(answered(&run, &[]), arb(&ARGS));
        let mut command = bare(&script());
        command.env("LEAN_ORACLE_BIN", BINARY).args([ARGS[0], "--func", "log", "--lo=-1", "--hi=1"]);
        refused(&run_command(&mut command, ""), "domain", None);
        let run = run_command(bare(&script()).env("LEAN_ORACLE_BIN", BINARY).args([ARGS[0], "--nosuch"]), "");
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{run:?}");
    }

    #[test]
    fn it_finds_the_binary_beside_it_or_on_the_path() {
        let dir = scratch("launcher");
        let script_copy = dir.join("a b/scripts/torchlean-python");
        std::fs::create_dir_all(script_copy.parent().expect("in a directory")).expect("writable");
        std::fs::copy(script(), &script_copy).expect("writable");

        // Nowhere.
        let run = run_command(bare(&script_copy).args(ARGS), "");
        assert_eq!((run.code, run.out.as_str()), (Some(127), ""), "{run:?}");
        for hint in ["cargo build --release", "PATH", "LEAN_ORACLE_BIN"] {
            assert!(run.err.contains(hint), "{run:?}");
        }
        // ... and `--version` must not say that it is there.
        assert_eq!(run_command(bare(&script_copy).arg("--version"), "").code, Some(127));

        // On the PATH.
        let bin = dir.join("bin");
        std::fs::create_dir_all(&bin).expect("writable");
        symlink(BINARY, bin.join("lean-oracle")).expect("links can be made");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        check(bare(&script_copy).env("PATH", &path));

        // Beside the script, also when that is called through a link, from elsewhere.
        let release = dir.join("a b/target/release");
        std::fs::create_dir_all(&release).expect("writable");
        symlink(BINARY, release.join("lean-oracle")).expect("links can be made");
        check(&mut bare(&script_copy));
        let link = dir.join("link");
        symlink("a b/scripts/torchlean-python", &link).expect("links can be made");
        check(bare(&link).current_dir("/"));

        // What the environment names is taken or refused, never passed over.
        let run =
            run_command(bare(&script_copy).env("LEAN_ORACLE_BIN", "/no/such/lean-oracle").args(ARGS), "");
        assert_eq!((run.code, run.out.as_str()), (Some(127), ""), "{run:?}");
        assert!(run.err.contains("/no/such/lean-oracle"), "{run:?}");
    }

    #[test]
    fn it_is_not_python() {
        for args in [["-c", "import flint"], ["-m", "pip"]] {
            let run = run_command(bare(&script()).env("LEAN_ORACLE_BIN", BINARY).args(args), "");
            assert_eq!((run.code, run.out.as_str()), (Some(127), ""), "{run:?}");
            assert!(run.err.contains("TORCHLEAN_ARB_PY"), "{run:?}");
        }
    }
}
