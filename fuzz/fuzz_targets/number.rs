//! Arbitrary text as a number: never a panic, and what is read obeys the laws that callers rely on.

#![no_main]

use lean_oracle::Code;
use lean_oracle::ball::{Interval, MidRad10Exp, Rational};
use libfuzzer_sys::fuzz_target;

/// Keeps single inputs fast; the limit itself is what some inputs test.
const EXP_LIMIT: u32 = 2_000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Interval::parse(text, EXP_LIMIT) {
        Ok(interval) => check(text, &interval),
        Err(e) => {
            assert!(matches!(e.code, Code::BadNumber | Code::ExponentLimit), "{text:?}: {e}");
            assert!(e.message.len() < 1_000, "a message must not repeat all of a long number: {e}");
        }
    }
    // Two numbers: their hull.
    if let Some((lo, hi)) = text.split_once(',') {
        match Interval::parse_endpoints(lo, hi, EXP_LIMIT) {
            Ok(hull) => {
                for part in [lo, hi] {
                    let part = Interval::parse(part, EXP_LIMIT).expect("both were read");
                    assert!(hull.lo <= part.lo && part.hi <= hull.hi, "{text:?}: {hull:?}");
                }
            }
            Err(e) => assert!(matches!(e.field, Some("lo" | "hi")), "{text:?}: {e}"),
        }
    }
});

fn check(text: &str, interval: &Interval) {
    let Interval { lo, hi } = interval;
    assert!(lo <= hi, "{text:?}: {interval:?}");

    // The printed value is read back as the same value.
    for end in [lo, hi] {
        let printed = end.to_string();
        assert_eq!(&reread(&printed), end, "{text:?} printed as {printed}");
    }

    // White space around a number, or a larger limit, changes nothing; a smaller one only refuses.
    assert_eq!(Interval::parse(&format!(" \t{text}\n"), EXP_LIMIT).as_ref(), Ok(interval), "{text:?}");
    assert_eq!(Interval::parse(text, 2 * EXP_LIMIT).as_ref(), Ok(interval), "{text:?}");
    if let Ok(same) = Interval::parse(text, 20) {
        assert_eq!(&same, interval, "{text:?}");
    }

    // Rounding outward contains the interval, in the ball as in its ends.
    for digits in [1, 3, 25] {
        let Ok(ball) = MidRad10Exp::enclosing(interval, digits, 3 * EXP_LIMIT) else { continue };
        let literal = format!("[{}e{} +/- {}e{}]", ball.mid, ball.exp, ball.rad, ball.exp);
        let outer = Interval::parse(&literal, u32::MAX).expect("a ball is a ball literal");
        assert!(outer.lo <= *lo && *hi <= outer.hi, "{text:?} to {digits} digits: {literal}");
        let zero = lo.is_zero() && hi.is_zero();
        assert_eq!(zero, ball.mid.is_zero() && ball.rad.is_zero(), "{text:?}: {literal}");
        assert!(ball.rad.sign() >= 0, "{text:?}: {literal}");
    }
}

fn reread(printed: &str) -> Rational {
    let interval = Interval::parse(printed, EXP_LIMIT).expect("a fraction is read");
    assert!(interval.is_point(), "{printed}");
    interval.lo
}
