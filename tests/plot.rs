//! `lean-oracle plot`: the pictures are read back and compared with values of the standard library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn lean_oracle(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lean-oracle"));
    command.arg("plot").args(args).output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

fn file(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plot");
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    dir.join(name)
}

/// Draws into a file of this name, and reads it.
fn drawn(name: &str, args: &[&str]) -> Vec<u8> {
    let path = file(name);
    let _ = std::fs::remove_file(&path);
    let output = lean_oracle(&[args, &["-o", path.to_str().expect("UTF-8")]].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{args:?}: {e}"))
}

/// The message of a refusal.
fn refused(args: &[&str]) -> String {
    let output = lean_oracle(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Left, top, right, bottom.
type Box = [f64; 4];

/// What an SVG shows.
struct Picture {
    svg: String,
    x: [f64; 2],
    y: [f64; 2],
    frame: Box,
    proved: Vec<Box>,
    zones: Vec<Box>,
}

impl Picture {
    fn new(name: &str, args: &[&str]) -> Picture {
        Picture::read(String::from_utf8(drawn(&format!("{name}.svg"), args)).expect("SVG is UTF-8"))
    }

    fn read(svg: String) -> Picture {
        let numbers = |attribute: &str| -> Vec<f64> {
            let rest = svg.split_once(&format!("{attribute}=\"")).expect(attribute).1;
            rest.split_once('"')
                .expect("a quote")
                .0
                .split(' ')
                .map(|n| n.parse().expect("a number"))
                .collect()
        };
        let boxes = |class: &str| paths(&svg, class).flat_map(|d| rectangles(&d)).collect();
        Picture {
            x: numbers("data-x").try_into().expect("two ends"),
            y: numbers("data-y").try_into().expect("two ends"),
            frame: numbers("data-frame").try_into().expect("four sides"),
            proved: boxes("proved"),
            zones: boxes("zone"),
            svg,
        }
    }

    fn across(&self, x: f64) -> f64 {
        self.frame[0] + (self.frame[2] - self.frame[0]) * ((x - self.x[0]) / (self.x[1] - self.x[0]))
    }

    /// Where a value is drawn; at the edge of the frame if it is beyond.
    fn down(&self, y: f64) -> f64 {
        let part = ((y - self.y[0]) / (self.y[1] - self.y[0])).clamp(0.0, 1.0);
        self.frame[3] - (self.frame[3] - self.frame[1]) * part
    }

    /// Texts of a class with their places.
    fn texts(&self, class: &str) -> Vec<(f64, f64, String)> {
        let number = |tag: &str, key: &str| -> f64 {
            let rest = tag.split_once(&format!(" {key}=\"")).expect(key).1;
            rest.split_once('"').expect("a quote").0.parse().expect("a number")
        };
        let tags = self.svg.lines().filter(|l| l.starts_with(&format!("<text class=\"{class}\"")));
        tags.map(|tag| {
            let text = tag.split_once('>').expect("a tag").1.trim_end_matches("</text>");
            (number(tag, "x"), number(tag, "y"), text.to_string())
        })
        .collect()
    }
}

/// The `d` of the paths of a class.
fn paths<'a>(svg: &'a str, class: &str) -> impl Iterator<Item = String> + use<'a> {
    let start = format!("<path class=\"{class}\"");
    let lines = svg.lines().filter(move |l| l.starts_with(&start));
    lines.map(|l| l.split_once(" d=\"").expect("a path").1.split_once('"').expect("a quote").0.to_string())
}

/// `MleftSPtopHrightVbottomHleftZ` and so on; a side may be missing where the rectangle has no height.
fn rectangles(d: &str) -> Vec<Box> {
    let mut found = Vec::new();
    for part in d.split('M').skip(1) {
        let corner = part.split(['H', 'V', 'L', 'Z']).next().expect("a corner");
        let (x, y) = corner.split_once(' ').expect("two numbers");
        let (x, y): (f64, f64) = (x.parse().expect("a number"), y.parse().expect("a number"));
        let mut sides = [x, y, x, y];
        let mut rest = &part[corner.len()..];
        while let Some(command) = rest.chars().next().filter(|c| *c != 'Z') {
            let end = rest[1..].find(['H', 'V', 'L', 'Z']).expect("closed") + 1;
            let value: f64 = rest[1..end].parse().expect("a number");
            let (low, high) = match command {
                'H' => (0, 2),
                'V' => (1, 3),
                other => panic!("{other} in a rectangle: {part}"),
            };
            sides[low] = sides[low].min(value);
            sides[high] = sides[high].max(value);
            rest = &rest[end..];
        }
        found.push(sides);
    }
    found
}

/// Every value of the function is in every box over its place, or in a zone; zones are only where
/// they are expected; and the boxes are not much larger than the graph.
fn check(name: &str, args: &[&str], f: impl Fn(f64) -> f64, expected_zones: &[[f64; 2]]) -> Picture {
    let picture = Picture::new(name, args);
    check_picture(name, &picture, f, expected_zones);
    picture
}

fn check_picture(name: &str, p: &Picture, f: impl Fn(f64) -> f64, expected_zones: &[[f64; 2]]) {
    // Roundings of f and of the mapping, in pixels; the boxes are rounded to a hundredth.
    const SLACK: f64 = 1e-6;
    let pieces = p.proved.len().max(1);
    let samples = 10 * pieces.max(396);
    for i in 0..=samples {
        let x = p.x[0] + (p.x[1] - p.x[0]) * (i as f64 / samples as f64);
        let (column, row) = (p.across(x), p.down(f(x)));
        let over = |b: &&Box| b[0] - SLACK <= column && column <= b[2] + SLACK;
        let in_zone = p.zones.iter().any(|z| over(&z));
        let boxes: Vec<&Box> = p.proved.iter().filter(over).collect();
        for b in boxes.iter().filter(|_| !in_zone) {
            assert!(b[1] - SLACK <= row && row <= b[3] + SLACK, "{name}: f({x}) is at {row}, not in {b:?}");
        }
        let beyond = row == p.frame[1] || row == p.frame[3];
        assert!(in_zone || beyond || !boxes.is_empty(), "{name}: nothing is drawn at {x}");
    }
    assert_eq!(p.zones.len(), expected_zones.len(), "{name}: {:?}", p.zones);
    for (zone, [a, b]) in p.zones.iter().zip(expected_zones) {
        let (left, right) = (p.across(*a), p.across(*b));
        // A zone has whole pieces.
        assert!(zone[0] <= left + SLACK && right <= zone[2] + SLACK, "{name}: {zone:?}");
        assert!(zone[0] >= left - 2.01 && zone[2] <= right + 2.01, "{name}: {zone:?}");
        assert_eq!((zone[1], zone[3]), (p.frame[1], p.frame[3]));
    }
    for b in &p.proved {
        let inside = p.x[0] + (p.x[1] - p.x[0]) * ((b[0] - p.frame[0]) / (p.frame[2] - p.frame[0]));
        let end = p.x[0] + (p.x[1] - p.x[0]) * ((b[2] - p.frame[0]) / (p.frame[2] - p.frame[0]));
        let rows: Vec<f64> =
            (0..=200).map(|i| p.down(f(inside + (end - inside) * i as f64 / 200.0))).collect();
        let (top, bottom) = rows.iter().fold((f64::MAX, f64::MIN), |(t, b), r| (t.min(*r), b.max(*r)));
        assert!(b[3] - b[1] <= (bottom - top) * 1.05 + 0.1, "{name}: {b:?} is larger than {top}..{bottom}");
    }
}

#[test]
fn boxes_contain_the_graph() {
    check("quadratic", &["x^2 + 0.1*x - 0.5", "x=-0.5..0.5"], |x| x * x + 0.1 * x - 0.5, &[]);
    check("wave", &["sin(5*x)*exp(-x) + x/10", "x=0..6"], |x| (5.0 * x).sin() * (-x).exp() + x / 10.0, &[]);
    check("pieces", &["abs(x)-min(x,0.3)", "x=-1..1"], |x| x.abs() - x.min(0.3), &[]);
    check("cubic", &["1e300*x^3 - 1e299", "x=-1..1"], |x| 1e300 * x * x * x - 1e299, &[]);
    check("jump", &["if(x < 0.001, -1, x)", "x=-2..2"], |x| if x < 0.001 { -1.0 } else { x }, &[]);
    check("flat", &["pi", "x=0..1"], |_| std::f64::consts::PI, &[]);
    let coarse = ["cos(3*x)*x", "x=-1..2", "--pieces", "7", "--width", "613"];
    assert_eq!(check("coarse", &coarse, |x| (3.0 * x).cos() * x, &[]).proved.len(), 7);
}

#[test]
fn the_picture_in_the_docs_is_true() {
    let svg = include_str!("../docs/images/plot.svg").to_string();
    let wave = |x: f64| (5.0 * x).sin() * (-x).exp() + x / 10.0;
    check_picture("docs", &Picture::read(svg), wave, &[]);
}

#[test]
fn what_is_not_enclosed_is_hatched_and_not_drawn() {
    let quarter = std::f64::consts::FRAC_PI_2;
    let tan = check("tan", &["tan(x)", "x=0..6"], f64::tan, &[[quarter; 2], [3.0 * quarter; 2]]);
    assert!(tan.y[0] > -100.0 && tan.y[1] < 100.0, "{:?}", tan.y);
    assert_eq!(tan.svg.matches("class=\"beyond\"").count(), 1);
    assert!(tan.svg.contains("goes on beyond the frame") && tan.svg.contains("not enclosed"));
    check("inverse", &["1/x", "x=-1..1"], f64::recip, &[[0.0; 2]]);
    let sqrt = check("sqrt", &["sqrt(x)", "x=-1..4"], f64::sqrt, &[[-1.0, 0.0]]);
    // No curve in a zone.
    for d in paths(&sqrt.svg, "curve") {
        for point in d.split(['M', 'L', 'H']).skip(1) {
            let x: f64 = point.split(' ').next().and_then(|x| x.parse().ok()).expect("a number");
            assert!(x >= sqrt.zones[0][2] - 0.01, "{x} in {:?}", sqrt.zones);
        }
    }
    let whole = check("whole", &["x^2", "x=-1..1"], |x| x * x, &[]);
    assert!(!whole.svg.contains("not enclosed") && !whole.svg.contains("beyond"));
}

#[test]
fn plain_interval_arithmetic_is_drawn_behind() {
    let p = Picture::new("naive", &["x*(1-x)", "x=0..1", "--pieces", "4", "--y", "-1..1"]);
    let naive: Vec<Box> = paths(&p.svg, "naive").flat_map(|d| rectangles(&d)).collect();
    // Over [i/4, (i+1)/4] the product of the intervals.
    assert_eq!((naive.len(), p.y), (4, [-1.0, 1.0]));
    for (i, b) in naive.iter().enumerate() {
        let (lo, hi) = (i as f64 / 4.0, (i + 1) as f64 / 4.0);
        let (least, most) = (lo * (1.0 - hi), hi * (1.0 - lo));
        assert!((b[1] - p.down(most)).abs() < 0.011 && (b[3] - p.down(least)).abs() < 0.011, "{i}: {b:?}");
    }
}

#[test]
fn ticks_stand_where_their_numbers_are() {
    let value = |text: &str| -> f64 { text.replace('−', "-").parse().expect("a number") };
    for (args, x, y) in [
        (["x^2 + 0.1*x - 0.5", "x=-0.5..0.5"], [0.0, 1.0], [0.0, 1.0]),
        (["1000*t", "t=0..1000"], [0.0, 1.0], [0.0, 1e6]),
        (["1e300*x", "x=-1e-7..2e-7"], [0.0, 1e-7], [0.0, 1e293]),
        (["x^2", "x=0.9999999999995..1.0000000000005"], [1.0, 1e-13], [1.0, 1e-12]),
    ] {
        let p = Picture::new("ticks", &args);
        // A double near 1 is a tenth of a pixel coarse there.
        let close = |a: f64, b: f64| (a - b).abs() < if x[0] == 0.0 { 0.02 } else { 0.4 };
        let (across, down) = (p.texts("x-tick"), p.texts("y-tick"));
        assert!(across.len() >= 3 && down.len() >= 3, "{args:?}");
        for (column, _, label) in &across {
            assert!(close(*column, p.across(x[0] + x[1] * value(label))), "{args:?}: {label} at {column}");
        }
        for (_, row, label) in &down {
            // The baseline is a little below the tick.
            let row = row - 4.3;
            assert!(close(row, p.down(y[0] + y[1] * value(label))), "{args:?}: {label} at {row}");
        }
        // Labels do not touch each other.
        let columns: Vec<(f64, f64)> =
            across.iter().map(|(c, _, l)| (*c, 4.0 * l.chars().count() as f64)).collect();
        assert!(columns.windows(2).all(|w| w[0].0 + w[0].1 < w[1].0 - w[1].1), "{args:?}: {columns:?}");
    }
}

#[test]
fn the_proved_range_is_written() {
    let p = Picture::new("range", &["sin(x)", "x=0..1"]);
    let proved = &p.texts("proved-range")[0].2;
    // sin(1) = 0.8414709848…
    assert_eq!(proved, "proved: 0 ≤ value ≤ 0.841471 for every x in [0, 1]");
    // Characters that XML reserves.
    let p = Picture::new("escaped", &["if(x < 1, x, 2*x)", "x=0..2"]);
    assert_eq!(p.texts("title")[0].2, "if(x &lt; 1, x, 2*x)");
    assert!(p.svg.contains("<title>if(x &lt; 1, x, 2*x): proved: 0 ≤ value ≤ 4"));
    let output =
        lean_oracle(&["x", "x=0..1/3", "--digits", "3", "-o", file("out.svg").to_str().expect("UTF-8")]);
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(out.ends_with("out.svg: every value for x in [0, 1/3] is in [0, 0.334]\n"), "{out}");
}

#[test]
fn png_is_the_same_picture() {
    let args = ["sin(5*x)*exp(-x) + x/10", "x=0..6", "--width", "640", "--height", "400"];
    let bytes = drawn("wave.png", &args);
    assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
    let pixmap = tiny_skia::Pixmap::decode_png(&bytes).expect("a PNG");
    assert_eq!((pixmap.width(), pixmap.height()), (640, 400));
    let svg = Picture::new("wave_png", &args);
    let pixel = |x: f64, y: f64| {
        let c = pixmap.pixel(x as u32, y as u32).expect("inside").demultiply();
        (c.red(), c.green(), c.blue())
    };
    // White outside, the colour of the boxes or of the curve on the graph.
    for (x, y) in [(0.0, 0.0), (639.0, 399.0), (svg.across(5.0), svg.down(-0.3))] {
        assert_eq!(pixel(x, y), (255, 255, 255), "{x} {y}");
    }
    for i in 1..60 {
        let x = f64::from(i) / 10.0;
        let (r, _, b) = pixel(svg.across(x), svg.down((5.0 * x).sin() * (-x).exp() + x / 10.0));
        assert!(r < 200 && b >= r, "{x}: red {r}, blue {b}");
    }
    // The title is there, in the font that comes along.
    let dark = (84..300)
        .flat_map(|x| (14..34).map(move |y| (x, y)))
        .filter(|(x, y)| pixel(f64::from(*x), f64::from(*y)).0 < 100);
    assert!(dark.count() > 200);
}

#[test]
fn refusals_say_what_to_do() {
    let path = file("refused.svg");
    let out = path.to_str().expect("UTF-8");
    let _ = std::fs::remove_file(&path);
    for (args, parts) in [
        (&["x*y", "x=0..1", "y=0..1", "-o", out][..], &["(vars)", "exactly one variable", "x=0..1"][..]),
        (&["x", "-o", out], &["(vars)", "exactly one variable"]),
        (&["x", "x=1", "-o", out], &["(vars)", "positive width"]),
        (&["x", "x=2..1", "-o", out], &["reversed", "swap"]),
        (&["x+z", "x=0..1", "-o", out], &["(expr)", "unknown variable \"z\""]),
        (&["x", "x=0..1", "-o", "picture.pdf"], &["(output)", "*.svg or *.png"]),
        (
            &["x", "x=0..1", "-o", "no/such/folder/a.png"],
            &["(output)", "cannot be written", "folder that exists"],
        ),
        (&["x", "x=0..1", "--y", "3", "-o", out], &["(y)", "LO..HI"]),
        (&["log(x)", "x=-2..-1", "-o", out], &["domain", "nothing can be drawn"]),
    ] {
        let message = refused(args);
        for part in parts {
            assert!(message.contains(part), "{args:?}: {message}");
        }
    }
    assert!(!path.exists());
    for args in [
        &["x", "x=0..1"][..],
        &["x", "x=0..1", "-o", out, "--pieces", "0"],
        &["x", "x=0..1", "-o", out, "--width", "5"],
    ] {
        let output = lean_oracle(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    }
    let missing = lean_oracle(&["x", "x=0..1"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--output <FILE>"));
}
