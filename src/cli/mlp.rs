//! `lean-oracle mlp`: a request about a network, whose weights may be in a `.safetensors` file. (A
//! request cannot name a file: it may come from anywhere.)

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lean_oracle::oracle::mlp::{Activation, Network, answer_network};
use lean_oracle::oracle::{self, Budget, Settings};
use lean_oracle::{Code, Error};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

#[derive(Args)]
pub struct Mlp {
    /// The request, an object as in docs/kinds/mlp.md, or - for standard input.
    file: PathBuf,
    /// The weights: layers NAME.weight and NAME.bias; the request has no layers then.
    #[arg(long, value_name = "FILE.safetensors")]
    weights: Option<PathBuf>,
    /// The activations of the layers in --weights, A,B,C: one for each, or one for all but the last,
    /// which then has none; by default relu for all but the last.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "weights")]
    act: Vec<String>,
    /// Significant digits at each end, in place of those in the request.
    #[arg(long)]
    digits: Option<u32>,
}

/// The keys of a request that are not about the network.
#[derive(Deserialize)]
struct Limits {
    digits: Option<u32>,
    prec_bits: Option<u32>,
    max_bits: Option<u32>,
    exp_limit: Option<u32>,
    timeout_ms: Option<u64>,
    max_nodes: Option<u64>,
}

/// Answers with JSON.
pub fn answer(m: &Mlp) -> Result<String, Error> {
    let bytes = crate::read(&m.file)?;
    let not_json = |e| Error::new(Code::Parse, format!("the request is not a JSON object: {e}"));
    // Numbers stay as they are written.
    let mut request: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&bytes).map_err(not_json)?;
    let mlp = to_raw_value("mlp").map_err(not_json)?;
    let kind = request.entry("kind".into()).or_insert(mlp);
    if kind.get() != "\"mlp\"" {
        let message = "the request is of another kind; `lean-oracle request` answers all kinds";
        return Err(Error::new(Code::BadRequest, message).at("kind"));
    }
    if let Some(digits) = m.digits {
        request.insert("digits".into(), to_raw_value(&digits).map_err(not_json)?);
    }
    let request = serde_json::to_vec(&request).map_err(not_json)?;
    let Some(path) = &m.weights else {
        return oracle::answer_json(&request, None).map(|a| crate::pretty(&a));
    };
    let limits: Limits = serde_json::from_slice(&request)
        .map_err(|e| Error::new(Code::BadRequest, format!("the settings of the request: {e}")))?;
    let defaults = Settings::default();
    let settings = Settings {
        digits: limits.digits.unwrap_or(defaults.digits),
        prec_bits: limits.prec_bits.unwrap_or(defaults.prec_bits),
        max_bits: limits.max_bits,
        exp_limit: limits.exp_limit.unwrap_or(defaults.exp_limit),
    };
    let budget = Budget::new(limits.timeout_ms.map(Duration::from_millis), limits.max_nodes, None);
    let activations: Vec<Activation> =
        m.act.iter().map(|name| Activation::find(name.trim())).collect::<Result<_, _>>()?;
    // The layers are those of the file.
    let in_file = |e: Error| if e.field == Some("layers") { e.at("weights") } else { e };
    let network = Network::read_safetensors(path, &activations).map_err(in_file)?;
    answer_network(&network, &request, &settings, &budget).map(|a| crate::pretty(&a))
}
