//! What the shared library shows to, and asks of, the process that loads it.
//!
//! Lean's own shared library exports GMP and parts of an unwinder. If ours exported these too, or took
//! them from outside, two versions of each would be mixed in one process.

#![cfg(target_os = "linux")]

mod native;

use std::collections::BTreeSet;
use std::process::Command;

fn tool(name: &str, flags: &[&str]) -> String {
    let mut command = Command::new(name);
    command.args(flags).arg(native::library()).env("LC_ALL", "C");
    let output = command.output().unwrap_or_else(|e| panic!("{name} is needed (package binutils): {e}"));
    assert!(output.status.success(), "{command:?}: {}", native::report(&output));
    String::from_utf8(output.stdout).expect("symbols are ASCII")
}

/// The names that `nm` lists, without versions.
fn symbols(which: &str) -> BTreeSet<String> {
    let names: BTreeSet<String> = tool("nm", &["-D", which])
        .lines()
        .filter_map(|line| line.split_whitespace().next_back())
        .map(|name| name.split('@').next().unwrap_or(name).to_string())
        .collect();
    assert!(!names.is_empty(), "nm {which} lists nothing");
    names
}

/// The values of one kind of entry of the dynamic section, such as `NEEDED`.
fn dynamic(section: &str, tag: &str) -> Vec<String> {
    let tag = format!("({tag})");
    let entries = section.lines().filter(|line| line.contains(&tag));
    entries
        .map(|line| match (line.split_once('['), line.rsplit_once(']')) {
            (Some((_, rest)), Some(_)) => rest.trim_end().trim_end_matches(']').to_string(),
            _ => line.split_once(&tag).map_or("", |(_, rest)| rest).trim().to_string(),
        })
        .collect()
}

#[test]
fn it_exports_what_the_header_declares_and_nothing_else() {
    let header = include_str!("../include/lean_oracle.h");
    let declared: BTreeSet<String> = header
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '('))
        .filter_map(|word| word.strip_prefix('*').unwrap_or(word).split_once('('))
        .map(|(name, _)| name.to_string())
        .filter(|name| name.starts_with("lean_oracle_"))
        .collect();
    assert!(declared.len() >= 6, "{declared:?}");
    assert_eq!(symbols("--defined-only"), declared);
}

#[test]
fn it_takes_nothing_that_lean_exports_from_outside() {
    let undefined = symbols("--undefined-only");
    assert!(undefined.contains("malloc"), "this is not the list of undefined symbols: {undefined:?}");
    let prefixes = [
        "__gmp", "gmp_", "mpn_", "mpz_", "mpfr_", "flint_", "fmpz", "fmpq", "arb_", "arf_", "mag_",
        "_Unwind_", "lean_", "l_", "mi_", "uv_", "_ZN", "_R",
    ];
    for name in &undefined {
        assert!(!prefixes.iter().any(|p| name.starts_with(p)), "{name} is taken from outside");
    }
}

#[test]
fn it_needs_the_c_library_only() {
    let section = tool("readelf", &["-dW"]);
    let needed = dynamic(&section, "NEEDED");
    // Before glibc 2.34 its parts were separate libraries.
    let parts = ["libc.so.", "libm.so.", "libpthread.so.", "libdl.so.", "librt.so.", "ld-linux", "ld64.so."];
    for name in &needed {
        assert!(parts.iter().any(|p| name.starts_with(p)), "{name} is needed: {needed:?}");
    }
    assert!(needed.iter().any(|name| name.starts_with("libc.so.")), "{section}");
    assert_eq!(dynamic(&section, "SONAME"), ["liblean_oracle.so"]);
    for tag in ["RPATH", "RUNPATH", "TEXTREL"] {
        assert!(dynamic(&section, tag).is_empty(), "{tag}: {section}");
    }
}

#[test]
fn it_can_be_loaded_at_any_time_into_any_process() {
    let section = tool("readelf", &["-dW"]);
    for tag in ["FLAGS", "FLAGS_1"] {
        for flags in dynamic(&section, tag) {
            // Text relocations and an executable stack are refused by hardened systems, static TLS by
            // a process that has used up its reserve.
            assert!(!flags.contains("TEXTREL") && !flags.contains("STATIC_TLS"), "{tag}: {flags}");
        }
    }
    let segments = tool("readelf", &["-lW"]);
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).expect("a GNU_STACK segment");
    let flags: Vec<&str> = stack.split_whitespace().filter(|w| w.starts_with('R')).collect();
    assert_eq!(flags, ["RW"], "an executable stack: {stack}");
}
