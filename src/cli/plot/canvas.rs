//! Shapes, and the two ways to write them: as SVG, and as PNG with the font that comes along.

use std::fmt::Write;

use lean_oracle::{Code, Error};
use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Stroke, Transform};
use ttf_parser::{Face, OutlineBuilder};

/// DejaVu Sans, so that a picture needs no font of the machine (see `assets/README.md`).
const FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans-subset.ttf");

/// A point in hundredths of a pixel, the second number downwards.
pub type Point = (i64, i64);

/// A colour, `0xRRGGBB`.
pub type Colour = u32;

/// Something to draw.
pub struct Shape {
    /// What it shows; its class in the SVG.
    pub class: &'static str,
    pub form: Form,
}

/// What a shape looks like.
pub enum Form {
    /// The union of polygons, all of the same orientation, with a border around it.
    Area { polygons: Vec<Vec<Point>>, colour: Colour, border: f32 },
    /// Lines through points.
    Lines { lines: Vec<Vec<Point>>, colour: Colour, width: f32 },
    /// A text, its baseline at `at`.
    Text { text: String, at: Point, anchor: Anchor, size: u16, colour: Colour },
}

/// Which part of a text is at its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture of so many pixels.
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    /// What the picture shows, for those who cannot see it.
    pub title: String,
    /// Attributes of the whole SVG, for programs that read it.
    pub attributes: Vec<(&'static str, String)>,
    pub shapes: Vec<Shape>,
}

/// A rectangle.
pub fn rectangle(left: i64, top: i64, right: i64, bottom: i64) -> Vec<Point> {
    vec![(left, top), (right, top), (right, bottom), (left, bottom)]
}

/// The width of a text in hundredths of a pixel, in the font that comes along.
pub fn text_width(text: &str, size: u16) -> i64 {
    let Some(face) = face() else { return 0 };
    let advance = |c| face.glyph_hor_advance(face.glyph_index(c).unwrap_or_default()).unwrap_or(0);
    let units: i64 = text.chars().map(|c| i64::from(advance(c))).sum();
    100 * units * i64::from(size) / i64::from(face.units_per_em())
}

fn face() -> Option<Face<'static>> {
    Face::parse(FONT, 0).ok()
}

// ------------------------------------------------------------------------------------------ SVG

impl Canvas {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let (w, h) = (self.width, self.height);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" font-family=\"DejaVu Sans, Verdana, Geneva, sans-serif\""
        );
        // Writing to a String cannot fail.
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escaped(value));
        }
        let _ = writeln!(out, ">\n<title>{}</title>", escaped(&self.title));
        let _ = writeln!(out, "<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>");
        for Shape { class, form } in &self.shapes {
            let _ = match form {
                Form::Area { polygons, colour, border } => {
                    let _ = write!(out, "<path class=\"{class}\" fill=\"#{colour:06x}\"");
                    if *border > 0.0 {
                        let _ = write!(
                            out,
                            " stroke=\"#{colour:06x}\" stroke-width=\"{border}\" stroke-linejoin=\"round\""
                        );
                    }
                    writeln!(out, " d=\"{}\"/>", path_text(polygons, true))
                }
                Form::Lines { lines, colour, width } => writeln!(
                    out,
                    "<path class=\"{class}\" fill=\"none\" stroke=\"#{colour:06x}\" stroke-width=\"{width}\" \
                     stroke-linejoin=\"round\" d=\"{}\"/>",
                    path_text(lines, false)
                ),
                Form::Text { text, at: (x, y), anchor, size, colour } => {
                    let anchor = match anchor {
                        Anchor::Start => "start",
                        Anchor::Middle => "middle",
                        Anchor::End => "end",
                    };
                    writeln!(
                        out,
                        "<text class=\"{class}\" x=\"{}\" y=\"{}\" font-size=\"{size}\" \
                         text-anchor=\"{anchor}\" fill=\"#{colour:06x}\">{}</text>",
                        pixels(*x),
                        pixels(*y),
                        escaped(text)
                    )
                }
            };
        }
        out + "</svg>\n"
    }
}

/// The `d` of a path, with `H` and `V` where they are shorter.
fn path_text(lines: &[Vec<Point>], closed: bool) -> String {
    let mut out = String::new();
    for line in lines {
        let mut last = None;
        for (x, y) in line {
            let _ = match last {
                None => write!(out, "M{} {}", pixels(*x), pixels(*y)),
                Some((_, before)) if before == y => write!(out, "H{}", pixels(*x)),
                Some((before, _)) if before == x => write!(out, "V{}", pixels(*y)),
                Some(_) => write!(out, "L{} {}", pixels(*x), pixels(*y)),
            };
            last = Some((x, y));
        }
        if closed {
            out.push('Z');
        }
    }
    out
}

/// Hundredths as a decimal.
fn pixels(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.abs() / 100, hundredths.abs() % 100);
    match part {
        0 => format!("{sign}{whole}"),
        _ if part % 10 == 0 => format!("{sign}{whole}.{}", part / 10),
        _ => format!("{sign}{whole}.{part:02}"),
    }
}

/// Text for XML, which has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

// ------------------------------------------------------------------------------------------ PNG

impl Canvas {
    /// The picture as PNG.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let failed = |what: &str| Error::new(Code::Internal, format!("the picture cannot be drawn: {what}"));
        let mut pixmap =
            Pixmap::new(self.width, self.height).ok_or_else(|| failed("it is too large for the memory"))?;
        let face = face().ok_or_else(|| failed("the font cannot be read"))?;
        pixmap.fill(tiny_skia::Color::WHITE);
        for Shape { form, .. } in &self.shapes {
            match form {
                Form::Area { polygons, colour, border } => {
                    fill(&mut pixmap, path(polygons, true), *colour);
                    if *border > 0.0 {
                        stroke(&mut pixmap, path(polygons, true), *colour, *border);
                    }
                }
                Form::Lines { lines, colour, width } => {
                    stroke(&mut pixmap, path(lines, false), *colour, *width)
                }
                Form::Text { text, at: (x, y), anchor, size, colour } => {
                    let before = match anchor {
                        Anchor::Start => 0,
                        Anchor::Middle => text_width(text, *size) / 2,
                        Anchor::End => text_width(text, *size),
                    };
                    let start = Glyphs {
                        path: PathBuilder::new(),
                        x: (x - before) as f32 / 100.0,
                        y: *y as f32 / 100.0,
                        scale: f32::from(*size) / f32::from(face.units_per_em()),
                    };
                    fill(&mut pixmap, start.of(text, &face), *colour);
                }
            }
        }
        pixmap.encode_png().map_err(|e| failed(&e.to_string()))
    }
}

fn paint(colour: Colour) -> Paint<'static> {
    let [_, r, g, b] = colour.to_be_bytes();
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

fn fill(pixmap: &mut Pixmap, path: Option<tiny_skia::Path>, colour: Colour) {
    if let Some(path) = path {
        pixmap.fill_path(&path, &paint(colour), FillRule::Winding, Transform::identity(), None);
    }
}

fn stroke(pixmap: &mut Pixmap, path: Option<tiny_skia::Path>, colour: Colour, width: f32) {
    if let Some(path) = path {
        let stroke = Stroke { width, line_join: tiny_skia::LineJoin::Round, ..Stroke::default() };
        pixmap.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
    }
}

/// A path of the renderer; `None` when there is nothing to draw.
fn path(lines: &[Vec<Point>], closed: bool) -> Option<tiny_skia::Path> {
    let mut path = PathBuilder::new();
    for line in lines {
        for (i, (x, y)) in line.iter().enumerate() {
            let (x, y) = (*x as f32 / 100.0, *y as f32 / 100.0);
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        if closed {
            path.close();
        }
    }
    path.finish()
}

/// The outlines of a text, from left to right.
struct Glyphs {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Glyphs {
    fn of(mut self, text: &str, face: &Face) -> Option<tiny_skia::Path> {
        for c in text.chars() {
            let glyph = face.glyph_index(c).unwrap_or_default();
            face.outline_glyph(glyph, &mut self);
            self.x += f32::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * self.scale;
        }
        self.path.finish()
    }

    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Glyphs {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
