//! Arbitrary text as Lean code: never a panic; header and body are all of it, in its place, and a body has
//! no header.

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
    assert!(again.is_empty() || header.is_empty(), "{again:?}");
    let collapsed = Split::new(code, Imports::CollapseMathlib);
    assert!(collapsed.header().lines().filter(|line| line.starts_with("import Mathlib.")).count() == 0);
    assert!(collapsed.text(code, Imports::CollapseMathlib).ends_with(rest));
});
