//! `lean-oracle range`, `roots`, `integrate`, `compare` and `certify`: questions about expressions, for people.

use clap::Args;
use lean_oracle::ball::{Direction, Enclosure, Interval};
use lean_oracle::oracle::{self, Settings};
use lean_oracle::{Code, Error};
use serde_json::{Map, Value, json};

use crate::{Question, pretty};

#[derive(Args)]
pub struct Compare {
    /// The expression that should be less, e.g. "sin(x)".
    expr: String,
    /// The expression that should be greater, e.g. "x".
    other: String,
    /// For each variable its interval: x=LO..HI.
    vars: Vec<String>,
    /// Significant digits of a point where it fails.
    #[arg(long, default_value_t = 20)]
    digits: u32,
    /// Stop after so many milliseconds.
    #[arg(long)]
    timeout_ms: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Asks whether `expr < other`.
pub fn compare(c: &Compare) -> Result<String, Error> {
    let request = json!({
        "kind": "compare", "expr": c.expr, "other": c.other, "vars": variables(&c.vars)?, "digits": c.digits,
        "prec_bits": Settings::default().prec_bits.max(4 * c.digits),
    });
    let answer = answered(request, c.timeout_ms)?;
    if c.json {
        return Ok(pretty(&answer));
    }
    let answer = value(&answer)?;
    let (expr, other) = (&c.expr, &c.other);
    Ok(match text(&answer["verdict"]) {
        "true" => format!("true: {expr} < {other} at every point"),
        "false" => {
            let witness = place(&answer["witness"]);
            let place = if witness.is_empty() { witness } else { format!(" where {witness}") };
            format!("false: {expr} >= {other}{place}")
        }
        _ => format!(
            "unknown: neither {expr} < {other} at every point nor a point where it fails was proved; perhaps \
             they touch: ask about a smaller box"
        ),
    })
}

#[derive(Args)]
pub struct Certify {
    /// A rational expression, e.g. "x*(1-x)".
    expr: String,
    /// <, <=, >, >= or != (or lt, le, gt, ge, ne); upper or lower to find the bound.
    claim: String,
    /// The bound, unless it is to be found; then for each variable its interval: x=LO..HI.
    #[arg(required = true)]
    bound_and_vars: Vec<String>,
    /// Significant digits of a bound that is found.
    #[arg(long, default_value_t = 6)]
    digits: u32,
    /// Stop after so many milliseconds.
    #[arg(long)]
    timeout_ms: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Asks for a certificate of a claim, and prints the theorem it proves.
pub fn certify(c: &Certify) -> Result<String, Error> {
    let (bound, vars) = match c.bound_and_vars.split_first() {
        Some((bound, vars)) if !bound.contains('=') => (Some(bound.trim()), vars),
        _ => (None, c.bound_and_vars.as_slice()),
    };
    let mut request = json!({
        "kind": "certify", "expr": c.expr, "claim": c.claim, "vars": variables(vars)?, "digits": c.digits,
    });
    if let Some(bound) = bound {
        request["bound"] = bound.into();
    }
    let answer = answered(request, c.timeout_ms)?;
    if c.json {
        return Ok(pretty(&answer));
    }
    let answer = value(&answer)?;
    Ok(match text(&answer["verdict"]) {
        "proved" => {
            let theorem = answer["lean"].as_str().unwrap_or("-- too long to be written out; --json has the certificate");
            format!(
                "-- proved, by a certificate with {} pieces that the kernel checks\nimport LeanOracle\nopen LeanOracle\n\
                 open scoped LeanOracle.Certify\n\n{theorem}",
                answer["leaves"]
            )
        }
        "false" => {
            let at = answer["witness"].as_object().into_iter().flatten();
            let at: Vec<String> = at.map(|(name, x)| format!("{name} = {}", text(x))).collect();
            format!("false, where {}", at.join(", "))
        }
        _ => "unknown: neither a certificate nor a point where it fails was found; if the bound is attained at a \
              point that is not rational, give it some room"
            .into(),
    })
}

/// Asks a question of this kind, and prints the answer for people or as JSON.
pub fn ask(kind: &str, q: &Question) -> Result<String, Error> {
    let vars = variables(&q.vars)?;
    let mut request = json!({
        "kind": kind, "expr": q.expr, "vars": vars, "digits": q.digits,
        "prec_bits": Settings::default().prec_bits.max(4 * q.digits),
    });
    for (key, value) in [("level", &q.level), ("tol", &q.tol)] {
        if let Some(value) = value {
            request[key] = value.as_str().into();
        }
    }
    let answer = answered(request, q.timeout_ms)?;
    if q.json {
        return Ok(pretty(&answer));
    }
    let answer = value(&answer)?;
    Ok(match kind {
        "range" => show_range(&answer),
        "integrate" => show_integral(&answer, q.digits)?,
        _ => show_roots(&answer),
    })
}

fn answered(mut request: Value, timeout_ms: Option<u64>) -> Result<String, Error> {
    if let Some(limit) = timeout_ms {
        request["timeout_ms"] = limit.into();
    }
    oracle::answer_json(request.to_string().as_bytes(), None)
}

fn value(answer: &str) -> Result<Value, Error> {
    serde_json::from_str(answer)
        .map_err(|e| Error::new(Code::Internal, format!("an answer that is not JSON: {e}")))
}

/// The variables of a request.
fn variables(entries: &[String]) -> Result<Map<String, Value>, Error> {
    let mut vars = Map::new();
    for entry in entries {
        let (name, lo, hi) = variable(entry)?;
        if vars.insert(name.into(), json!({"lo": lo, "hi": hi})).is_some() {
            return Err(Error::new(Code::BadRequest, format!("{name} has two intervals")).at("vars"));
        }
    }
    Ok(vars)
}

/// `x=LO..HI`, or `x=VALUE` for a point.
pub fn variable(entry: &str) -> Result<(&str, &str, &str), Error> {
    let wrong = || Error::new(Code::BadRequest, format!("{entry:?} is not of the form x=LO..HI")).at("vars");
    let (name, interval) = entry.split_once('=').ok_or_else(wrong)?;
    let (lo, hi) = interval.split_once("..").unwrap_or((interval, interval));
    if name.trim().is_empty() || lo.trim().is_empty() || hi.trim().is_empty() {
        return Err(wrong());
    }
    Ok((name.trim(), lo.trim(), hi.trim()))
}

fn text(v: &Value) -> &str {
    v.as_str().unwrap_or("?")
}

fn interval(v: &Value) -> String {
    format!("[{}, {}]", text(&v["lo"]), text(&v["hi"]))
}

fn place(v: &Value) -> String {
    let vars = v.as_object().into_iter().flatten();
    let one = |(name, x): (&String, &Value)| match x["lo"] == x["hi"] {
        true => format!("{name} = {}", text(&x["lo"])),
        false => format!("{name} in {}", interval(x)),
    };
    vars.map(one).collect::<Vec<_>>().join(", ")
}

fn show_range(a: &Value) -> String {
    let output = &a["output"];
    let mut out = format!(
        "every value is inside\n  lo     {}\n  hi     {}\n",
        text(&output["lo"]),
        text(&output["hi"])
    );
    for (name, end) in [("min", "lo"), ("max", "hi")] {
        let gap = a["gap"][end].as_str().map_or("unknown".to_string(), |g| format!("at most {g}"));
        out += &format!("  {name}    distance of {end} from the true {name}: {gap}\n");
        let places = a[name]["places"].as_array().map(Vec::as_slice).unwrap_or_default();
        for p in places.iter().take(4) {
            out += &format!("         attained only where {}\n", place(p));
        }
        if places.len() > 4 {
            out += &format!("         or in {} more boxes (--json lists them)\n", places.len() - 4);
        }
    }
    out.trim_end().to_string()
}

fn show_roots(a: &Value) -> String {
    let roots = a["roots"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut out = match roots.len() {
        0 => "no zeros".to_string(),
        n => format!("{n} interval{}; no zeros elsewhere", if n == 1 { "" } else { "s" }),
    };
    for r in roots {
        out += &format!("\n  {:<12} {}", text(&r["status"]), interval(&r["place"]));
    }
    out
}

fn show_integral(a: &Value, digits: u32) -> Result<String, Error> {
    let (lo, hi, ball) = (text(&a["output"]["lo"]), text(&a["output"]["hi"]), &a["output"]["ball"]);
    let number = |text| Interval::parse(text, u32::MAX).map(|n| n.lo);
    let (width, _) = Enclosure::exact(&number(hi)? - &number(lo)?).round(Direction::Up, 4, u32::MAX)?;
    let tightness = match a["tight"] == true {
        true => format!("yes: the ends differ by at most two units of digit {digits}"),
        false => "no: an enclosure, not as narrow as asked".into(),
    };
    Ok(format!(
        "the integral is inside\n  lo     {lo}\n  hi     {hi}\n  ball   ({} +/- {}) * 10^{}\n  width  {width}\n  \
         tight  {tightness}\n  bits   {}",
        text(&ball["mid"]),
        text(&ball["rad"]),
        text(&ball["exp"]),
        a["bits_used"],
    ))
}
