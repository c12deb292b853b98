//! Checks a model file and describes it, without its data.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::checks::{self, Shape};
use super::digest::digest;
use super::error::{ModelError, Problem};
use super::header::{Header, Value};
use super::model::{Demonstration, ModelFile, Weights};
use super::parts::{self, Part};
use super::tokenizer_json;
use crate::text::shown;
use crate::tokenizer::{Strings, Tokenizer, Vocabulary};

/// A sound model with its tokenizer.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The description of its file.
    pub file: Arc<ModelFile>,
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
}

impl Opened {
    /// Reads a file and checks everything that llama.cpp demands, except for the tensors' data.
    ///
    /// # Errors
    ///
    /// The errors of [`inspect`] and [`ModelFile::tokenizer`].
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let file = inspect(path)?;
        Ok(Self { tokenizer: Arc::new(file.tokenizer()?), file: Arc::new(file) })
    }
}

/// Reads and checks the header of the model file at `path`, and of its other parts if there are any.
///
/// # The digest
///
/// The digest is the SHA-256 over the parts in order. Of each part it covers the header's bytes, without the padding
/// after it, and the file's size in bytes, as a little-endian `u64`. Then come pages of 4,096 bytes of each tensor, in
/// the order of the file. A tensor has 64 pages, or one for each of its experts if those are more. They are spread
/// evenly from its first byte to its last. A tensor that is no larger is read whole. So models that were trained or
/// changed otherwise have other digests, at the cost of a few reads. It is **no integrity check**: a change between the
/// pages alone does not show.
///
/// # Errors
///
/// A [`Problem`] of the file, with a remedy. If this and [`ModelFile::tokenizer`] succeed, the header has everything
/// that llama.cpp demands.
pub fn inspect(path: &Path) -> Result<ModelFile, ModelError> {
    let (mut parts, name) = parts::open_all(path)?;
    let mut model = describe(path, &mut parts, name).map_err(|problem| problem.at(path))?;
    model.digest = digest(&mut parts)?;
    Ok(model)
}

/// Returns the tokenizer of the model at `path`: the header of a GGUF file, whose weights may be missing, or a
/// `tokenizer.json`.
///
/// # Errors
///
/// The errors of [`inspect`] and [`ModelFile::tokenizer`] that a header can cause.
pub fn tokenizer(path: &Path) -> Result<Tokenizer, ModelError> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        return tokenizer_json::read(path);
    }
    let mut part = parts::open_header(path)?;
    architecture(&part.header)
        .and_then(|()| vocabulary(&mut part.header))
        .and_then(|vocabulary| Tokenizer::new(&vocabulary).map_err(Problem::Vocabulary))
        .map_err(|problem| problem.at(path))
}

/// Returns the architecture that a file states.
pub(crate) fn kind(path: &Path) -> Result<String, ModelError> {
    let part = parts::open_header(path)?;
    checks::text(&part.header, "general.architecture").map(str::to_owned).map_err(|problem| problem.at(path))
}

fn architecture(header: &Header) -> Result<(), Problem> {
    match checks::text(header, "general.architecture")? {
        "gpt-oss" => Ok(()),
        "gptoss" => Err(Problem::Ollama),
        other => Err(Problem::Architecture(shown(other))),
    }
}

/// Describes a model, without its digest.
fn describe(path: &Path, parts: &mut [Part], name: String) -> Result<ModelFile, Problem> {
    let header = &mut parts[0].header;
    architecture(header)?;
    let shape = Shape::of(header)?;
    let vocabulary = vocabulary(header)?;
    let description = optional_text(header, "general.description");
    let general_name = optional_text(header, "general.name");
    let licence = optional_text(header, "general.license");
    let trained = header.get("magistrate.demonstration") == Some(&Value::Bool(true));
    let random = description.as_ref().is_some_and(|text| text.contains("random weights"));
    let demonstration = match (random, trained) {
        (true, _) => Some(Demonstration::Random),
        (false, true) => Some(Demonstration::Trained),
        (false, false) => None,
    };
    let tensors = || parts.iter().flat_map(|part| &part.header.tensors);
    checks::tensors(tensors(), &shape, vocabulary.tokens.len() as u64)?;
    let mut types: BTreeMap<&'static str, (usize, u64)> = BTreeMap::new();
    for tensor in tensors() {
        let (count, bytes) = types.entry(tensor.kind.name).or_default();
        (*count, *bytes) = (*count + 1, *bytes + tensor.size);
    }
    let parameters = tensors().map(|tensor| tensor.shape.iter().product::<u64>()).sum();
    let expert = "blk.0.ffn_gate_exps.weight";
    let expert = tensors().find(|tensor| tensor.name == expert).ok_or(Problem::MissingTensor(expert.into()))?;
    Ok(ModelFile {
        path: path.into(),
        parts: parts.iter().map(|part| part.path.clone()).collect(),
        name,
        digest: String::new(),
        size: parts.iter().map(|part| part.size).fold(0, u64::saturating_add),
        vocabulary,
        shape,
        expert_type: expert.kind,
        description,
        general_name,
        demonstration,
        licence,
        parameters,
        weights: Weights::of(tensors(), shape.blocks),
        types,
    })
}

/// The vocabulary, moved out of the metadata.
fn vocabulary(header: &mut Header) -> Result<Vocabulary, Problem> {
    let model = checks::text(header, "tokenizer.ggml.model")?.into();
    let pre = checks::text(header, "tokenizer.ggml.pre")?.into();
    let tokens = strings(header, "tokenizer.ggml.tokens")?;
    let merges = strings(header, "tokenizer.ggml.merges")?;
    let key = "tokenizer.ggml.token_type";
    let types = match header.take(key) {
        Some(Value::I32s(types)) => types,
        Some(_) => {
            return Err(Problem::KeyType { key: key.into(), wanted: "an array of i32" });
        }
        None => return Err(Problem::MissingKey(key.into())),
    };
    // llama.cpp reads a score for each token, whatever the length of this array.
    let key = "tokenizer.ggml.scores";
    match header.get(key) {
        None => {}
        Some(Value::Array { kind: 6, count }) if *count >= tokens.len() as u64 => {}
        Some(Value::I32s(scores)) if scores.len() >= tokens.len() => {}
        Some(_) => {
            return Err(Problem::KeyType { key: key.into(), wanted: "an array of one f32 for each token" });
        }
    }
    Ok(Vocabulary { tokens, types, merges, pre, model })
}

fn strings(header: &mut Header, key: &str) -> Result<Strings, Problem> {
    match header.take(key) {
        Some(Value::Strings(strings)) => Ok(strings),
        Some(_) => Err(Problem::KeyType { key: key.into(), wanted: "an array of strings" }),
        None => Err(Problem::MissingKey(key.into())),
    }
}

fn optional_text(header: &Header, key: &str) -> Option<String> {
    checks::text(header, key).ok().map(Into::into)
}
