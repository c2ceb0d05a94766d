//! The layout of a plot: which part of the plane it shows, and what stands where.

use lean_oracle::ball::{DecimalInterval, Enclosure, Integer, Interval, Rational};
use lean_oracle::{Code, Error};

use super::axis::{Axis, decade, plain, power_of_ten};
use super::canvas::{Anchor, Canvas, Colour, Form, Point, Shape, rectangle, text_width};
use super::study::{Study, hull as hull_of};

/// Into so many groups of pieces the interval is cut to compare methods.
pub const GROUPS: usize = 18;

// Okabe and Ito's sky blue and orange, which people with any colour vision tell apart, and paler.
const BLUE: Colour = 0x56b4e9;
const PALE_BLUE: Colour = 0xd0e9f8;
const ORANGE: Colour = 0xf9dfa4;
const BLACK: Colour = 0x1a1a1a;
const GREY: Colour = 0x6b6b6b;
const PALE: Colour = 0xe4e4e4;

// Pixels around the frame. The labels of the ticks have at most nine characters.
const LEFT: u32 = 84;
const RIGHT: u32 = 24;
const TITLE: u16 = 17;
const SMALL: u16 = 12;
const LINE: i64 = 1900;

/// The texts of a plot.
pub struct Labels<'a> {
    pub title: &'a str,
    /// The variable.
    pub name: &'a str,
    /// Its interval as the user wrote it.
    pub interval: String,
    /// Significant digits of the range.
    pub digits: u32,
}

/// The width of the frame, an even number of pixels.
pub fn frame_width(width: u32) -> u32 {
    (width - LEFT - RIGHT) & !1
}

/// The picture, and what is proved in words.
pub fn draw(
    study: &Study,
    labels: &Labels,
    y: Option<Interval>,
    width: u32,
    height: u32,
) -> Result<(Canvas, String), Error> {
    let shown = match y {
        Some(y) => y,
        None => view(study),
    };
    let legend = Legend::new(entries(study, &shown), i64::from(width) * 100);
    let frame = Frame {
        left: i64::from(LEFT) * 100,
        right: i64::from(LEFT + frame_width(width)) * 100,
        top: 8600,
        bottom: i64::from(height) * 100 - 5600 - legend.height(),
    };
    let axis = |range: Interval, length: i64| {
        Axis::new(range, length).ok_or_else(|| Error::new(Code::Internal, "an axis without length"))
    };
    let plot = Plotter {
        study,
        frame,
        x: axis(study.whole.clone(), frame.right - frame.left)?,
        y: axis(shown, frame.bottom - frame.top)?,
    };
    let (proved, summary) = statement(study, labels)?;
    let mut shapes = Vec::new();
    plot.grid(&mut shapes, labels.name);
    plot.ranges(&mut shapes);
    plot.zones(&mut shapes);
    plot.boxes(&mut shapes);
    plot.curve(&mut shapes);
    plot.edges(&mut shapes);
    let room = i64::from(width - RIGHT) * 100 - frame.left;
    let mut text = |class, size: u16, y: i64, text: &str, colour| {
        let (text, at) = (fitting(text, size, room), (frame.left, y));
        shapes.push(Shape { class, form: Form::Text { text, at, anchor: Anchor::Start, size, colour } });
    };
    text("title", TITLE, 3000, labels.title, BLACK);
    text("proved-range", SMALL + 1, 5200, &proved, GREY);
    legend.draw(&mut shapes, frame.bottom + 6200);
    let ends = |i: &Interval| format!("{} {}", plain(&i.lo), plain(&i.hi));
    let pixels = |p: i64| (p / 100).to_string();
    let attributes = vec![
        ("data-x", ends(plot.x.range())),
        ("data-y", ends(plot.y.range())),
        ("data-frame", [frame.left, frame.top, frame.right, frame.bottom].map(pixels).join(" ")),
    ];
    let title = format!("{}: {proved}", labels.title);
    Ok((Canvas { width, height, title, attributes, shapes }, summary))
}

/// What is proved, for the picture and for the terminal.
fn statement(study: &Study, labels: &Labels) -> Result<(String, String), Error> {
    let hull = study.hull();
    let digits = (i64::from(labels.digits) + study.extra) as u32;
    let exact = |q: &Rational| Enclosure::exact(q.clone());
    let (range, _) = DecimalInterval::enclosing(&exact(&hull.lo), &exact(&hull.hi), digits, u32::MAX)?;
    let (lo, hi) = (range.lo.to_string(), range.hi.to_string());
    let place = format!("{} in {}", labels.name, labels.interval);
    let failed = study.pieces.iter().filter(|p| p.is_none()).count();
    let mut proved = format!("proved: {lo} ≤ value ≤ {hi} for every {place}").replace('-', "−");
    let mut summary = format!("every value for {place} is in [{lo}, {hi}]");
    if failed > 0 {
        proved += " outside the hatched zones";
        let count = study.pieces.len();
        summary += &format!(", but on {failed} of {count} pieces, which are not enclosed");
    }
    Ok((proved, summary))
}

/// The interval of values to show.
fn view(study: &Study) -> Interval {
    let hull = study.hull();
    let (mut lo, mut hi) = (hull.lo, hull.hi);
    if study.pieces.iter().any(Option::is_none) {
        // Near a pole nearly all of the graph would be a flat line: show what most pieces need.
        let quantile = |mut ends: Vec<Rational>, percent: usize| {
            ends.sort();
            ends.swap_remove((ends.len() - 1) * percent / 100)
        };
        let ranges = || study.pieces.iter().flatten();
        let low = quantile(ranges().map(|r| r.lo.clone()).collect(), 5);
        let high = quantile(ranges().map(|r| r.hi.clone()).collect(), 95);
        let beyond = &(&high - &low) * &Rational::from_decimal(&Integer::from(25), -2);
        lo = lo.max(&low - &beyond);
        hi = hi.min(&high + &beyond);
    }
    let size = lo.abs().max(hi.abs());
    let flat = &size * &power_of_ten(4 - study.digits);
    if &hi - &lo <= flat {
        // A constant: its roundings are not worth a picture.
        let half = Rational::from_decimal(&Integer::from(5), -1);
        let around = if size.is_zero() { Rational::from(1) } else { &size * &half };
        lo = &lo - &around;
        hi = &hi + &around;
    } else if let Some(naive) = hull_of(study.naive.iter().flatten()) {
        // Enough of the other method's ranges to see that they are wider.
        let beyond = &(&hi - &lo) * &Rational::from_decimal(&Integer::from(25), -2);
        let (low, high) = (&lo - &beyond, &hi + &beyond);
        lo = naive.lo.max(low).min(lo);
        hi = naive.hi.min(high).max(hi);
    }
    let width = &hi - &lo;
    let margin = &width * &Rational::from_decimal(&Integer::from(4), -2);
    // Ends that are short decimals.
    let unit = decade(&width) - 3;
    let (per_unit, unit) = (power_of_ten(-unit), power_of_ten(unit));
    let down = |q: &Rational| &Rational::from(&(q * &per_unit).floor()) * &unit;
    Interval { lo: down(&(&lo - &margin)), hi: -&down(&-&(&hi + &margin)) }
}

/// A line of the legend: what is drawn before the text, and the text.
struct Entry {
    class: &'static str,
    text: String,
}

/// What there is to explain.
fn entries(study: &Study, shown: &Interval) -> Vec<Entry> {
    let groups = study.groups.len() - 1;
    let pieces = study.pieces.len();
    let mut entries = Vec::new();
    let mut add = |class, text: String| entries.push(Entry { class, text });
    add("proved", format!("proved range, {pieces} pieces"));
    if groups < pieces {
        add("group", format!("proved range, {groups} pieces"));
    }
    // Where it is as good it is hidden.
    let same = (0..groups).all(|i| match (&study.naive[i], study.group(i)) {
        (Some(naive), Some(own)) => {
            let little = &(&shown.hi - &shown.lo) * &power_of_ten(-3);
            &own.lo - &naive.lo < little && &naive.hi - &own.hi < little
        }
        (naive, own) => naive.is_none() && own.is_none(),
    });
    let text = if same { "the same".into() } else { format!("{groups} pieces") };
    add("naive", format!("plain interval arithmetic, {text}"));
    add("curve", "values at points".into());
    if study.pieces.iter().any(Option::is_none) {
        let others = if study.only_undefined { "" } else { ", or too large or costly" };
        add("zone", format!("not enclosed: a pole, or outside the domain{others}"));
    }
    let outside = |r: &Interval| r.lo < shown.lo || r.hi > shown.hi;
    if study.pieces.iter().flatten().any(outside) {
        add("beyond", "goes on beyond the frame".into());
    }
    entries
}

/// The rows of the legend, each entry with its left end.
struct Legend {
    rows: Vec<Vec<(i64, Entry)>>,
}

impl Legend {
    /// The room for the sign before a text, and between entries.
    const SIGN: i64 = 2600;
    const GAP: i64 = 2200;

    fn new(entries: Vec<Entry>, width: i64) -> Legend {
        let mut rows: Vec<Vec<(i64, Entry)>> = vec![Vec::new()];
        // In a small picture the rows begin before the frame.
        let first = if width < 60_000 { 2400 } else { i64::from(LEFT) * 100 };
        let end = width - 1000;
        let mut left = first;
        for mut entry in entries {
            entry.text = fitting(&entry.text, SMALL, end - first - Self::SIGN);
            let needed = Self::SIGN + text_width(&entry.text, SMALL);
            if left > first && left + needed > end {
                rows.push(Vec::new());
                left = first;
            }
            if let Some(row) = rows.last_mut() {
                row.push((left, entry));
            }
            left += needed + Self::GAP;
        }
        Legend { rows }
    }

    fn height(&self) -> i64 {
        LINE * self.rows.len() as i64
    }

    /// Draws it with the first baseline at `top`.
    fn draw(self, shapes: &mut Vec<Shape>, top: i64) {
        for (i, row) in self.rows.into_iter().enumerate() {
            let y = top + LINE * i as i64;
            for (x, Entry { class, text }) in row {
                let sign = rectangle(x, y - 950, x + 1800, y + 50);
                let middle = (x + 900, y - 850);
                let form = match class {
                    "curve" => line(vec![vec![(x, y - 450), (x + 1800, y - 450)]]),
                    "beyond" => triangles(vec![triangle(middle, true)]),
                    "zone" => {
                        hatch(shapes, "sign", &[sign]);
                        None
                    }
                    class => area(class, vec![sign]),
                };
                shapes.extend(form.map(|form| Shape { class: "sign", form }));
                let at = (x + Self::SIGN, y);
                let form = Form::Text { text, at, anchor: Anchor::Start, size: SMALL, colour: BLACK };
                shapes.push(Shape { class: "legend", form });
            }
        }
    }
}

/// The rectangle of the plot, in hundredths of a pixel.
#[derive(Clone, Copy)]
struct Frame {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

/// Draws the parts of a plot.
struct Plotter<'a> {
    study: &'a Study,
    frame: Frame,
    x: Axis,
    y: Axis,
}

impl Plotter<'_> {
    /// The ends of pieces from the first to before the last, rounded outward.
    fn across(&self, first: usize, last: usize) -> (i64, i64) {
        let (length, n) = (self.frame.right - self.frame.left, self.study.pieces.len() as i64);
        let (first, last) = (first as i64 * length, last as i64 * length);
        (self.frame.left + first / n, self.frame.left + (last + n - 1) / n)
    }

    /// The box of a range over pieces, rounded outward and cut off at the frame; `None` outside it.
    fn cut(&self, first: usize, last: usize, range: &Interval) -> Option<Vec<Point>> {
        let shown = self.y.range();
        if range.hi < shown.lo || range.lo > shown.hi {
            return None;
        }
        let (left, right) = self.across(first, last);
        let bottom = self.frame.bottom;
        let (top, bottom) = (bottom - self.y.place(&range.hi, true), bottom - self.y.place(&range.lo, false));
        Some(rectangle(left, top, right, bottom))
    }

    /// Ticks, their labels, and lines across.
    fn grid(&self, shapes: &mut Vec<Shape>, name: &str) {
        let Frame { left, top, right, bottom } = self.frame;
        let x = self.x.ticks(((right - left) / 10_000).clamp(2, 12));
        let y = self.y.ticks(((bottom - top) / 5_500).clamp(2, 12));
        let mut lines = Vec::new();
        let mut texts = Vec::new();
        let mut text = |class, text: &str, at, anchor, size, colour| {
            let form = Form::Text { text: text.to_string(), at, anchor, size, colour };
            texts.push(Shape { class, form });
        };
        for (place, label) in &x.labels {
            lines.push(vec![(left + place, top), (left + place, bottom + 500)]);
            text("x-tick", label, (left + place, bottom + 1900), Anchor::Middle, SMALL, BLACK);
        }
        for (place, label) in &y.labels {
            lines.push(vec![(left - 500, bottom - place), (right, bottom - place)]);
            text("y-tick", label, (left - 900, bottom - place + 430), Anchor::End, SMALL, BLACK);
        }
        let under = x.unit(name).unwrap_or(name.to_string());
        text("x-name", &under, ((left + right) / 2, bottom + 3800), Anchor::Middle, SMALL + 1, BLACK);
        let above = y.unit("value").unwrap_or("value".to_string());
        text("y-name", &above, (left, top - 900), Anchor::Start, SMALL + 1, BLACK);
        shapes.push(Shape { class: "grid", form: Form::Lines { lines, colour: PALE, width: 1.0 } });
        shapes.extend(texts);
    }

    /// The ranges over groups of pieces, by plain interval arithmetic and proved.
    fn ranges(&self, shapes: &mut Vec<Shape>) {
        let (mut naive, mut proved) = (Vec::new(), Vec::new());
        for (i, g) in self.study.groups.windows(2).enumerate() {
            let own = self.study.group(i);
            match (&self.study.naive[i], &own) {
                (Some(range), _) => naive.extend(self.cut(g[0], g[1], range)),
                // Where only the other method has an answer, this one has all numbers.
                (None, Some(_)) => naive.extend(self.cut(g[0], g[1], self.y.range())),
                (None, None) => {}
            }
            proved.extend(own.and_then(|range| self.cut(g[0], g[1], &range)));
        }
        shapes.extend(area("naive", naive).map(|form| Shape { class: "naive", form }));
        if self.study.groups.len() - 1 < self.study.pieces.len() {
            shapes.extend(area("group", proved).map(|form| Shape { class: "group", form }));
        }
    }

    /// Where nothing is proved.
    fn zones(&self, shapes: &mut Vec<Shape>) {
        let zones = runs(self.study.pieces.iter().map(Option::is_none)).map(|(first, last)| {
            let (left, right) = self.across(first, last);
            rectangle(left, self.frame.top, right, self.frame.bottom)
        });
        hatch(shapes, "zone", &zones.collect::<Vec<_>>());
    }

    /// The proved range over each piece.
    fn boxes(&self, shapes: &mut Vec<Shape>) {
        let pieces = self.study.pieces.iter().enumerate();
        let boxes = pieces.filter_map(|(i, range)| self.cut(i, i + 1, range.as_ref()?)).collect();
        shapes.extend(area("proved", boxes).map(|form| Shape { class: "proved", form }));
    }

    /// Lines between values at points, where all pieces between have a range.
    fn curve(&self, shapes: &mut Vec<Shape>) {
        let Study { values, steps, pieces, .. } = self.study;
        let Frame { left, top, right, bottom } = self.frame;
        let step = (right - left) as f64 / (values.len() - 1) as f64;
        let mut lines: Vec<Vec<Point>> = Vec::new();
        for (i, pair) in values.windows(2).enumerate() {
            let [Some(a), Some(b)] = pair else { continue };
            if pieces[i / steps].is_none() {
                continue;
            }
            let point =
                |i: usize, v: &Rational| (left as f64 + step * i as f64, bottom as f64 - self.y.estimate(v));
            let Some((a, b)) = clipped(point(i, a), point(i + 1, b), top as f64, bottom as f64) else {
                continue;
            };
            match lines.last_mut() {
                Some(line) if line.last() == Some(&a) => line.push(b),
                _ => lines.push(vec![a, b]),
            }
        }
        shapes.extend(line(lines).map(|form| Shape { class: "curve", form }));
    }

    /// The frame, and signs where boxes go on beyond it.
    fn edges(&self, shapes: &mut Vec<Shape>) {
        let Frame { left, top, right, bottom } = self.frame;
        let shown = self.y.range();
        let mut signs = Vec::new();
        let mut mark = |beyond: &dyn Fn(&Interval) -> bool, y: i64, up: bool| {
            let mut last = i64::MIN;
            let pieces = self.study.pieces.iter();
            for (first, end) in runs(pieces.map(|r| r.as_ref().is_some_and(beyond))) {
                let (a, b) = self.across(first, end);
                let x = ((a + b) / 2).clamp(left + 600, right - 600);
                // Signs do not cover each other.
                if x >= last.saturating_add(1200) {
                    signs.push(triangle((x, y), up));
                    last = x;
                }
            }
        };
        mark(&|r| r.hi > shown.hi, top + 300, true);
        mark(&|r| r.lo < shown.lo, bottom - 300, false);
        shapes.extend(triangles(signs).map(|form| Shape { class: "beyond", form }));
        let mut border = rectangle(left, top, right, bottom);
        border.push((left, top));
        let form = Form::Lines { lines: vec![border], colour: GREY, width: 1.0 };
        shapes.push(Shape { class: "frame", form });
    }
}

/// From where to where a condition holds without a break.
fn runs(holds: impl Iterator<Item = bool>) -> impl Iterator<Item = (usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (i, _) in holds.enumerate().filter(|(_, holds)| *holds) {
        match runs.last_mut() {
            Some((_, end)) if *end == i => *end += 1,
            _ => runs.push((i, i + 1)),
        }
    }
    runs.into_iter()
}

/// The part of a line between two heights, in whole hundredths.
fn clipped(a: (f64, f64), b: (f64, f64), top: f64, bottom: f64) -> Option<(Point, Point)> {
    let (low, high) = (a.1.min(b.1), a.1.max(b.1));
    if high < top || low > bottom {
        return None;
    }
    let cut = |p: (f64, f64)| {
        let y = p.1.clamp(top, bottom);
        let x = if y == p.1 { p.0 } else { a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1) };
        (x.round() as i64, y.round() as i64)
    };
    Some((cut(a), cut(b)))
}

/// Boxes of one kind; `None` without any.
fn area(class: &str, polygons: Vec<Vec<Point>>) -> Option<Form> {
    let (colour, border) = match class {
        "proved" => (BLUE, 2.0),
        "group" => (PALE_BLUE, 0.0),
        _ => (ORANGE, 0.0),
    };
    (!polygons.is_empty()).then_some(Form::Area { polygons, colour, border })
}

fn line(lines: Vec<Vec<Point>>) -> Option<Form> {
    (!lines.is_empty()).then_some(Form::Lines { lines, colour: BLACK, width: 0.8 })
}

/// A triangle with its point up or down at `tip`.
fn triangle((x, y): Point, up: bool) -> Vec<Point> {
    let base = if up { y + 800 } else { y - 800 };
    let mut corners = vec![(x, y), (x + 500, base), (x - 500, base)];
    if !up {
        // All polygons of a path turn the same way.
        corners.reverse();
    }
    corners
}

fn triangles(polygons: Vec<Vec<Point>>) -> Option<Form> {
    (!polygons.is_empty()).then_some(Form::Area { polygons, colour: BLACK, border: 0.0 })
}

/// Grey rectangles with diagonal lines.
fn hatch(shapes: &mut Vec<Shape>, class: &'static str, zones: &[Vec<Point>]) {
    const DISTANCE: i64 = 700;
    if zones.is_empty() {
        return;
    }
    let mut lines = Vec::new();
    for zone in zones {
        let ((left, top), (right, bottom)) = (zone[0], zone[2]);
        // On a line x + y is constant.
        let first = (left + top).div_euclid(DISTANCE) + 1;
        for sum in (first..).map(|k| k * DISTANCE).take_while(|sum| *sum < right + bottom) {
            let (x0, x1) = (left.max(sum - bottom), right.min(sum - top));
            if x0 < x1 {
                lines.push(vec![(x0, sum - x0), (x1, sum - x1)]);
            }
        }
    }
    let form = Form::Area { polygons: zones.to_vec(), colour: PALE, border: 0.0 };
    shapes.push(Shape { class, form });
    shapes.push(Shape { class: "hatch", form: Form::Lines { lines, colour: GREY, width: 0.8 } });
}

/// The text, shortened with an ellipsis if it needs more room.
fn fitting(text: &str, size: u16, room: i64) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text_width(&text, size) <= room {
        return text;
    }
    let mut kept: String = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept, size) + text_width("…", size) > room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}
