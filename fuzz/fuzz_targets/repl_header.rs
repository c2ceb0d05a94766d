//! Arbitrary text as Lean code: never a panic; header and body are all of it, in its place, and no import is
//! left at the beginning of a body.

#![no_main]

use lean_oracle::repl::Imports;
use lean_oracle::repl::header::Split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|code: &str| {
    let split = Split::new(code, Imports::AsWritten);
    let (header, body) = (split.header(), split.body(code));
    let rest = body.trim_start_matches(['\n', ' ']);
    assert!(code.ends_with(rest));
    // As many lines as before, and as many characters on the last line of what was replaced.
    assert_eq!(body.matches('\n').count(), code.matches('\n').count());
    assert_eq!(Split::new(&header, Imports::AsWritten).header(), header);
    let again = Split::new(&body, Imports::AsWritten).header();
    // Two words belong to a header only at its very beginning.
    let late = again.starts_with("module") || again.starts_with("prelude");
    assert!(again.is_empty() || header.is_empty() || late, "{again:?}");
    let collapsed = Split::new(code, Imports::CollapseMathlib);
    assert!(collapsed.header().lines().filter(|line| line.starts_with("import Mathlib.")).count() == 0);
    assert!(collapsed.text(code, Imports::CollapseMathlib).ends_with(rest));
});
