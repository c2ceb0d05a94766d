//! Weights as bytes: base64 arrays and safetensors files.

use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use safetensors::{Dtype, SafeTensors};

use super::activation::Activation;
use super::{Layer, Network, Numbers};
use crate::error::{Code, Error, Result};

/// The standard alphabet; padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn bad(message: String) -> Error {
    Error::new(Code::BadRequest, message).at("layers")
}

/// Reads little-endian numbers of the type `dtype`, `shape` telling how many.
pub(super) fn from_base64(dtype: &str, shape: &[usize], text: &str) -> Result<Vec<f64>> {
    let dtype = match dtype {
        "f32" => Dtype::F32,
        "f64" => Dtype::F64,
        other => {
            let shown: String = other.chars().take(40).collect();
            return Err(bad(format!("dtype is {shown:?}; it must be \"f32\" or \"f64\"")));
        }
    };
    let bytes = BASE64.decode(text).map_err(|e| bad(format!("the base64 text cannot be read: {e}")))?;
    let values = decode(dtype, &bytes)?;
    if shape.iter().try_fold(1usize, |n, k| n.checked_mul(*k)) != Some(values.len()) {
        return Err(bad(format!(
            "the base64 text has {} numbers, which is not the shape {shape:?}",
            values.len()
        )));
    }
    Ok(values)
}

/// Little-endian numbers, each of which is a double exactly.
fn decode(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| chunks.iter().map(|c| read(*c)).collect())
    }
    let values = match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        // A bfloat16 is the upper half of a binary32.
        Dtype::BF16 => each(bytes, |b: [u8; 2]| f64::from(f32::from_le_bytes([0, 0, b[0], b[1]]))),
        Dtype::F16 => each(bytes, |b| half(u16::from_le_bytes(b))),
        other => {
            return Err(bad(format!("weights of type {other:?} are not read; use F64, F32, F16 or BF16")));
        }
    };
    let values = values.ok_or_else(|| bad("the bytes end in the middle of a number".into()))?;
    if values.iter().any(|v| !v.is_finite()) {
        let message = "the weights contain an infinity or NaN; all must be finite";
        return Err(Error::new(Code::BadNumber, message).at("layers"));
    }
    Ok(values)
}

/// A binary16 number.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * f64::powi(2.0, -24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * f64::powi(2.0, exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

impl Network {
    /// Reads a `.safetensors` file; see [`Network::from_safetensors`].
    pub fn read_safetensors(path: &Path, activations: &[Activation]) -> Result<Network> {
        let bytes =
            std::fs::read(path).map_err(|e| bad(format!("{} cannot be read: {e}", path.display())))?;
        Network::from_safetensors(&bytes, activations)
    }

    /// Reads the layers from a safetensors file, as PyTorch saves a sequence of linear layers: for each
    /// a matrix `NAME.weight` of shape `[outputs, inputs]` and perhaps a vector `NAME.bias`, in the
    /// order of the names, numbers in them compared as numbers.
    ///
    /// The file does not know the activations. `activations` has one for every layer, or one for all
    /// but the last, which then has none, or is empty: then it is relu for all but the last.
    pub fn from_safetensors(bytes: &[u8], activations: &[Activation]) -> Result<Network> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| bad(format!("the safetensors file cannot be read: {e}")))?;
        let mut names: Vec<&str> =
            file.names().into_iter().filter_map(|n| n.strip_suffix("weight")).collect();
        names.sort_by_key(|n| natural(n));
        if names.is_empty() {
            return Err(bad("the safetensors file has no tensor called NAME.weight".into()));
        }
        let count = names.len();
        let activation = |i: usize| match (activations, i + 1 == count) {
            (all, _) if all.len() == count => Ok(all[i].clone()),
            ([] | [_], true) => Ok(Activation::Identity),
            ([], false) => Ok(Activation::Relu),
            ([one], false) => Ok(one.clone()),
            (some, _) => Err(Error::new(
                Code::BadRequest,
                format!("there are {} activations for {count} layers; give one, or one for each", some.len()),
            )
            .at("act")),
        };
        let tensor = |name: &str| {
            let tensor = file.tensor(name).ok()?;
            Some(decode(tensor.dtype(), tensor.data()).map(|values| (tensor.shape().to_vec(), values)))
        };
        let mut layers: Vec<Layer> = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let Some(weights) = tensor(&format!("{name}weight")) else { continue };
            let (shape, weights) = weights.map_err(|e| named(e, name))?;
            let &[rows, columns] = shape.as_slice() else {
                return Err(bad(format!("{name}weight has the shape {shape:?}; a matrix is needed")));
            };
            if let Some(before) = layers.last()
                && before.biases.len() != columns
            {
                let outputs = before.biases.len();
                return Err(bad(format!(
                    "{name}weight has {columns} columns after a layer of {outputs} outputs"
                )));
            }
            let biases = match tensor(&format!("{name}bias")) {
                None => vec![0.0; rows],
                Some(biases) => {
                    let (shape, biases) = biases.map_err(|e| named(e, name))?;
                    if shape != [rows] {
                        return Err(bad(format!("{name}bias has the shape {shape:?}; it must be [{rows}]")));
                    }
                    biases
                }
            };
            layers.push(Layer {
                weights: Numbers::Doubles(weights),
                biases: Numbers::Doubles(biases),
                activation: activation(i)?,
            });
        }
        Ok(Network { layers })
    }
}

fn named(e: Error, name: &str) -> Error {
    Error { message: format!("{name}weight or {name}bias: {}", e.message), ..e }
}

/// Text between numbers as it is, numbers by their length and digits: `2.` before `10.`.
fn natural(name: &str) -> Vec<(String, usize, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, tail) = rest.split_at(text);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        let number = number.trim_start_matches('0');
        parts.push((before.to_string(), number.len(), number.to_string()));
        rest = tail;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333251953125),
            (0x0001, f64::powi(2.0, -24)),
            (0x7bff, 65504.0),
            (0x8000, 0.0),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names = ["net.10.", "net.2.", "a.", "net.1.b", "net.1.a"];
        names.sort_by_key(|n| natural(n));
        assert_eq!(names, ["a.", "net.1.a", "net.1.b", "net.2.", "net.10."]);
    }
}
