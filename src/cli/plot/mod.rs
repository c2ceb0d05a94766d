//! `lean-oracle plot`: a picture of the proved ranges of an expression in one variable.
//!
//! The interval is cut into pieces. Over each a box is drawn that contains the graph there: ends are
//! rounded to hundredths of a pixel outward, and a box has a border outside.

mod axis;
mod canvas;
mod picture;
mod study;

use std::path::PathBuf;

use clap::Args;
use lean_oracle::ball::Interval;
use lean_oracle::{Code, Error};

use crate::question::variable;
use study::{EXP_LIMIT, Study};

#[derive(Args)]
pub struct Plot {
    /// The expression, e.g. "x^2 + sin(pi*x)".
    expr: String,
    /// The variable and its interval: x=LO..HI.
    #[arg(value_name = "VAR")]
    vars: Vec<String>,
    /// Where the picture goes: a file ending in .svg or .png.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Into how many pieces the interval is cut; by default one for every two pixels.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pieces: Option<u32>,
    /// The interval of values to show, LO..HI; by default what the ranges suggest.
    #[arg(long, value_name = "LO..HI")]
    y: Option<String>,
    /// The width of the picture in pixels.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(480..=10_000))]
    width: u32,
    /// The height of the picture in pixels.
    #[arg(long, default_value_t = 560, value_parser = clap::value_parser!(u32).range(360..=10_000))]
    height: u32,
    /// Significant digits of the range that is written in the picture.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=50))]
    digits: u32,
}

/// Draws the picture, and says what is proved.
pub fn plot(p: &Plot) -> Result<String, Error> {
    let ending = p.output.extension().map(|e| e.to_string_lossy().to_lowercase());
    let png = match ending.as_deref() {
        Some("svg") => false,
        Some("png") => true,
        _ => {
            let message =
                format!("{} has another ending; name the picture *.svg or *.png", p.output.display());
            return Err(Error::new(Code::BadRequest, message).at("output"));
        }
    };
    let [entry] = p.vars.as_slice() else {
        let message = format!(
            "a plot needs exactly one variable with its interval, such as x=0..1; here are {}",
            p.vars.len()
        );
        return Err(Error::new(Code::BadRequest, message).at("vars"));
    };
    let (name, lo, hi) = variable(entry)?;
    let whole = proper(Interval::parse_endpoints(lo, hi, EXP_LIMIT)?, "vars")?;
    let y = match &p.y {
        None => None,
        Some(text) => {
            let wrong =
                || Error::new(Code::BadRequest, format!("{text:?} is not of the form LO..HI")).at("y");
            let (lo, hi) = text.split_once("..").ok_or_else(wrong)?;
            let y = Interval::parse_endpoints(lo, hi, EXP_LIMIT).map_err(|e| e.at("y"))?;
            Some(proper(y, "y")?)
        }
    };
    let columns = picture::frame_width(p.width) / 2;
    let pieces = p.pieces.unwrap_or(columns) as usize;
    let steps = (columns as usize).div_ceil(pieces);
    let study =
        Study::new(&p.expr, name, whole, (pieces, pieces.min(picture::GROUPS), steps), p.digits.max(6))?;
    let labels =
        picture::Labels { title: &p.expr, name, interval: format!("[{lo}, {hi}]"), digits: p.digits };
    let (canvas, summary) = picture::draw(&study, &labels, y, p.width, p.height)?;
    let bytes = if png { canvas.png()? } else { canvas.svg().into_bytes() };
    std::fs::write(&p.output, bytes).map_err(|e| {
        let message =
            format!("{} cannot be written: {e}; name a file in a folder that exists", p.output.display());
        Error::new(Code::BadRequest, message).at("output")
    })?;
    Ok(format!("{}: {summary}", p.output.display()))
}

/// The interval, if it is more than a point.
fn proper(i: Interval, field: &'static str) -> Result<Interval, Error> {
    match i.is_point() {
        false => Ok(i),
        true => {
            let message = "the interval is a single point; a plot needs one of positive width";
            Err(Error::new(Code::BadRequest, message).at(field))
        }
    }
}
