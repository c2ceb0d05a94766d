//! What a question costs, beside the two raw Arb evaluations at the endpoints that it cannot do without.
//!
//! `cargo bench` prints, for each of the twelve queries of `scripts/bench-oracle`: `raw` (two Arb
//! evaluations at 200 bits, rounded outward to two dyadics), `typed` (`lean_oracle_unary_f64`), `text`
//! (`lean_oracle_unary`, decimal text in and out, 50 digits) and `json` (`lean_oracle_call_json`).

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use flint3_sys as ffi;
use lean_oracle::ball::{DEFAULT_EXP_LIMIT, Interval};
use lean_oracle::capi::*;

type Raw = unsafe extern "C" fn(*mut ffi::arb_struct, *const ffi::arb_struct, ffi::slong);

/// sigmoid as the reference writes it.
unsafe extern "C" fn raw_sigmoid(z: *mut ffi::arb_struct, x: *const ffi::arb_struct, prec: ffi::slong) {
    // SAFETY: the caller passes initialised balls.
    unsafe {
        ffi::arb_neg(z, x);
        ffi::arb_exp(z, z, prec);
        ffi::arb_add_si(z, z, 1, prec);
        ffi::arb_inv(z, z, prec);
    }
}

/// softplus, well-conditioned on the bench's interval.
unsafe extern "C" fn raw_softplus(z: *mut ffi::arb_struct, x: *const ffi::arb_struct, prec: ffi::slong) {
    // SAFETY: the caller passes initialised balls.
    unsafe {
        ffi::arb_exp(z, x, prec);
        ffi::arb_log1p(z, z, prec);
    }
}

const QUERIES: [(&str, f64, f64, Raw); 12] = [
    ("exp", 0.0, 1.0, ffi::arb_exp),
    ("sin", 1.0, 2.0, ffi::arb_sin),
    ("cos", 0.0, 1.0, ffi::arb_cos),
    ("log", 2.0, 3.0, ffi::arb_log),
    ("tanh", -1.0, 1.0, ffi::arb_tanh),
    ("sqrt", 2.0, 3.0, ffi::arb_sqrt),
    ("atan", -1.0, 1.0, ffi::arb_atan),
    ("sinh", 0.0, 1.0, ffi::arb_sinh),
    ("sigmoid", -2.0, 2.0, raw_sigmoid),
    ("softplus", -1.0, 1.0, raw_softplus),
    ("asinh", 0.0, 1.0, ffi::arb_asinh),
    ("expm1", -1.0, 1.0, ffi::arb_expm1),
];

/// Two evaluations and two outward roundings, all memory prepared.
struct Ends {
    x: ffi::arb_struct,
    y: ffi::arb_struct,
    lo: ffi::arf_struct,
    hi: ffi::arf_struct,
}

impl Ends {
    fn evaluate(&mut self, f: Raw, lo: f64, hi: f64) {
        // SAFETY: every field is initialised by `Default`.
        unsafe {
            ffi::arb_set_d(&mut self.x, lo);
            f(&mut self.y, &self.x, 200);
            ffi::arb_get_lbound_arf(&mut self.lo, &self.y, 200);
            ffi::arb_set_d(&mut self.x, hi);
            f(&mut self.y, &self.x, 200);
            ffi::arb_get_ubound_arf(&mut self.hi, &self.y, 200);
        }
    }
}

fn text(s: &str) -> LeanOracleText {
    LeanOracleText { ptr: s.as_ptr(), len: s.len() }
}

fn unary(c: &mut Criterion) {
    for (name, lo, hi, raw) in QUERIES {
        let mut group = c.benchmark_group(name);
        let mut ends = std::mem::MaybeUninit::<Ends>::zeroed();
        // SAFETY: all-zero bytes are FLINT's initial state of each field (zero).
        let ends = unsafe { ends.assume_init_mut() };
        group.bench_function("raw", |b| b.iter(|| ends.evaluate(raw, black_box(lo), black_box(hi))));

        let zero =
            LeanOracleDyadic { exponent: 0, sign: 0, limb_count: 0, limbs: [0; LEAN_ORACLE_DYADIC_LIMBS] };
        let (mut out_lo, mut out_hi, mut tight) = (zero, zero, 0u8);
        // SAFETY: the name is readable, the outputs are writable.
        unsafe {
            let index = lean_oracle_function_index(name.as_ptr(), name.len());
            let mut call = || {
                lean_oracle_unary_f64(
                    index,
                    black_box(lo),
                    black_box(hi),
                    168,
                    &mut out_lo,
                    &mut out_hi,
                    &mut tight,
                )
            };
            assert_eq!(call(), 0, "{name}");
            group.bench_function("typed", |b| b.iter(&mut call));
        }

        let (lo_text, hi_text) = (lo.to_string(), hi.to_string());
        let request = LeanOracleUnaryRequest {
            function: text(name),
            lo: text(&lo_text),
            hi: text(&hi_text),
            digits: 50,
            prec_bits: 200,
            max_bits: 0,
            exp_limit: 0,
        };
        group.bench_function("text", |b| {
            b.iter(|| {
                let mut answer = std::mem::MaybeUninit::uninit();
                // SAFETY: the request is readable, the answer is written before it is read.
                unsafe {
                    let code = lean_oracle_unary(black_box(&request), answer.as_mut_ptr());
                    lean_oracle_free(&mut answer.assume_init_mut().storage);
                    assert_eq!(code, 0);
                }
            });
        });

        let json = format!(r#"{{"kind":"unary","func":"{name}","lo":"{lo}","hi":"{hi}","digits":50}}"#);
        group.bench_function("json", |b| {
            b.iter(|| {
                let mut out = std::mem::MaybeUninit::uninit();
                // SAFETY: the request is readable, the buffer is written before it is read.
                unsafe {
                    let code = lean_oracle_call_json(black_box(json.as_ptr()), json.len(), out.as_mut_ptr());
                    lean_oracle_free(out.assume_init_mut());
                    assert_eq!(code, 0);
                }
            });
        });
        group.finish();
    }
}

fn parse(c: &mut Criterion) {
    let long = "3.14159265358979323846264338327950288419716939937510582097494459";
    for (name, number) in
        [("short", "-0.125"), ("fraction", "1/3"), ("sixty_digits", long), ("ball", "[0.1 +/- 1e-3]")]
    {
        c.bench_function(&format!("parse/{name}"), |b| {
            b.iter(|| Interval::parse(black_box(number), DEFAULT_EXP_LIMIT))
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(500));
    targets = unary, parse
}
criterion_main!(benches);
