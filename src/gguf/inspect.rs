//! A model file, checked and described, without its data being read.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::checks::{self, Shape};
use super::error::{ModelError, Problem};
use super::ggml::Type;
use super::header::{GgufError, Header, Tensor, Value};
use super::parts::{self, Part};
use crate::text::shown;
use crate::tokenizer::{Strings, Tokenizer, Vocabulary};

/// A gpt-oss model that llama.cpp can load, as far as its header tells.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The file that llama.cpp is to be given: the only one, or the first part. As it was named, links not followed.
    pub path: PathBuf,
    /// All files, in order; one, if the model is not in parts.
    pub parts: Vec<PathBuf>,
    /// The name of the file without `.gguf` and without the number of its part.
    pub name: String,
    /// `gguf2:` and 64 hexadecimal digits, which tell this model from others. See [`inspect`] for what it covers.
    pub digest: String,
    /// The size of all files together, in bytes.
    pub size: u64,
    /// What the model says about its vocabulary; not yet checked. See [`Self::tokenizer`].
    pub vocabulary: Vocabulary,
    /// Its sizes.
    pub shape: Shape,
    /// The type of the experts' weights. Those of gpt-oss are MXFP4 by origin; anything else was made from that.
    pub expert_type: Type,
    /// `general.description`
    pub description: Option<String>,
    /// `general.name`, which may be nonsense: a model is not to be known by it.
    pub general_name: Option<String>,
    /// What it can do, if it is a model for trying things out.
    pub demonstration: Option<Demonstration>,
    /// `general.license`
    pub licence: Option<String>,
    /// Values of all tensors together.
    pub parameters: u64,
    /// Where its bytes are.
    pub weights: Weights,
    /// For each type of values, how many tensors have it, and their bytes.
    pub types: BTreeMap<&'static str, (usize, u64)>,
}

/// Bytes of a model's tensors, by where they are put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// What turns tokens into vectors, and is looked up rather than multiplied with.
    pub embedding: u64,
    /// Behind the last layer.
    pub output: u64,
    /// The layers, in order.
    pub blocks: Vec<Block>,
}

/// Bytes of one layer's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Of its experts.
    pub experts: u64,
    /// All others.
    pub rest: u64,
    /// Those of both that llama.cpp can rearrange for this CPU.
    pub repackable: u64,
}

impl Weights {
    fn of<'header>(tensors: impl Iterator<Item = &'header Tensor>, blocks: u32) -> Self {
        let mut weights = Self { blocks: vec![Block::default(); blocks as usize], ..Self::default() };
        for tensor in tensors {
            let block = tensor.name.strip_prefix("blk.").and_then(|name| name.split_once('.'));
            let block =
                block.and_then(|(number, name)| Some((weights.blocks.get_mut(number.parse::<usize>().ok()?)?, name)));
            match block {
                None if tensor.name.starts_with("token_embd") => weights.embedding += tensor.size,
                None => weights.output += tensor.size,
                Some((block, name)) => {
                    let home = if name.contains("_exps") { &mut block.experts } else { &mut block.rest };
                    *home += tensor.size;
                    if tensor.kind.is_repacked() && tensor.shape[1].is_multiple_of(8) {
                        block.repackable += tensor.size;
                    }
                }
            }
        }
        weights
    }
}

/// What a model for trying things out can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demonstration {
    /// Nothing: its weights are random.
    Random,
    /// It was trained, and is far too small to be relied on.
    Trained,
}

impl ModelFile {
    /// The model as it would be with its experts in MXFP4, which is how gpt-oss was published. `None` if they take no more
    /// than that already.
    #[must_use]
    pub fn in_mxfp4(&self) -> Option<Self> {
        let Shape { embedding_length, expert_length, experts, .. } = self.shape;
        let shape = [embedding_length.into(), expert_length.into(), experts.into(), 3];
        let least = Type::MXFP4.size(shape)?;
        let mut smaller = self.clone();
        let biases =
            |block: &Block| block.experts.min(u64::from(experts) * u64::from(2 * expert_length + embedding_length) * 4);
        for block in &mut smaller.weights.blocks {
            block.experts = block.experts.min(least + biases(block));
        }
        (smaller.weights != self.weights).then_some(smaller)
    }

    /// The model's tokenizer. Takes tens of milliseconds for a whole vocabulary.
    ///
    /// # Errors
    ///
    /// If the vocabulary is not one of gpt-oss. A model is sound only if this succeeds, too: llama.cpp aborts over two
    /// tokens of the same text.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        Tokenizer::new(&self.vocabulary).map_err(|error| Problem::Vocabulary(error).at(&self.path))
    }
}

/// A model that was found sound, with its tokenizer.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What is known of its file.
    pub file: Arc<ModelFile>,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
}

impl Opened {
    /// Reads and checks all that llama.cpp demands of a file, but for its tensors' data.
    ///
    /// # Errors
    ///
    /// As [`inspect`] and [`ModelFile::tokenizer`].
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let file = inspect(path)?;
        Ok(Self { tokenizer: Arc::new(file.tokenizer()?), file: Arc::new(file) })
    }
}

/// Reads and checks the header of the model file at `path`, and of its other parts if there are any.
///
/// # The digest
///
/// It is the SHA-256 over, for each part in order: the bytes of the header, without the padding behind it; the size of
/// The digest is the SHA-256 over the parts in order. Of each part it covers the header's bytes, without the padding
/// after it, and the file's size in bytes, as a little-endian `u64`. Then come pages of 4,096 bytes of each tensor, in
/// the order of the file. A tensor has 64 pages, or one for each of its experts if those are more. They are spread
/// evenly from its first byte to its last. A tensor that is no larger is read whole. So models that were trained or
/// changed otherwise have other digests, at the cost of a few reads. It is **no integrity check**: a change between the
/// pages alone does not show.
/// digests, and a few reads tell. It is **no integrity check**: what changes between the pages alone does not show.
///
/// # Errors
///
/// What is wrong with the file, as a [`Problem`] with a remedy. A file for which this and [`ModelFile::tokenizer`]
/// succeed has all that llama.cpp demands of a header.
pub fn inspect(path: &Path) -> Result<ModelFile, ModelError> {
    let (mut parts, name) = parts::open_all(path)?;
    let mut model = describe(path, &mut parts, name).map_err(|problem| problem.at(path))?;
    model.digest = digest(&mut parts)?;
    Ok(model)
}

/// The tokenizer of the model at `path`, from the header of that file alone: the weights need not be there yet.
///
/// # Errors
///
/// As [`inspect`] and [`ModelFile::tokenizer`], of what is read.
pub fn tokenizer(path: &Path) -> Result<Tokenizer, ModelError> {
    let mut part = parts::open_header(path)?;
    architecture(&part.header)
        .and_then(|()| vocabulary(&mut part.header))
        .and_then(|vocabulary| Tokenizer::new(&vocabulary).map_err(Problem::Vocabulary))
        .map_err(|problem| problem.at(path))
}

/// What architecture a file says that it is.
pub(crate) fn kind(path: &Path) -> Result<String, ModelError> {
    let part = parts::open_header(path)?;
    checks::text(&part.header, "general.architecture").map(str::to_owned).map_err(|problem| problem.at(path))
}

/// The SHA-256 of a whole file, in hexadecimal. Tells how far it is, in bytes.
///
/// # Errors
///
/// When it cannot be read.
pub fn sha256(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let (mut done, all) = (0, file.metadata()?.len());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(crate::text::hex(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
        done += read as u64;
        progress(done, all);
    }
}

fn architecture(header: &Header) -> Result<(), Problem> {
    match checks::text(header, "general.architecture")? {
        "gpt-oss" => Ok(()),
        "gptoss" => Err(Problem::Ollama),
        other => Err(Problem::Architecture(shown(other))),
    }
}

/// Everything but the digest.
fn describe(path: &Path, parts: &mut [Part], name: String) -> Result<ModelFile, Problem> {
    let header = &mut parts[0].header;
    architecture(header)?;
    let shape = Shape::of(header)?;
    let vocabulary = vocabulary(header)?;
    let description = optional_text(header, "general.description");
    let general_name = optional_text(header, "general.name");
    let licence = optional_text(header, "general.license");
    let said = header.get("magistrate.demonstration") == Some(&Value::Bool(true));
    let random = description.as_ref().is_some_and(|text| text.contains("random weights"));
    let demonstration = match (random, said) {
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

/// By the rule that [`inspect`] states.
fn digest(parts: &mut [Part]) -> Result<String, ModelError> {
    let mut digest = Sha256::new();
    for part in parts {
        add(part, &mut digest).map_err(|error| Problem::Gguf(GgufError::Io(error)).at(&part.path))?;
    }
    Ok(format!("gguf2:{}", crate::text::hex(&digest.finalize())))
}

fn add(part: &mut Part, digest: &mut Sha256) -> io::Result<()> {
    let Part { file, size, header, .. } = part;
    let mut buffer = vec![0; 1 << 16];
    let mut take = |start: u64, length: u64, digest: &mut Sha256| -> io::Result<()> {
        file.seek(SeekFrom::Start(start))?;
        let mut left = file.by_ref().take(length);
        while left.limit() > 0 {
            match left.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => digest.update(&buffer[..read]),
            }
        }
        Ok(())
    };
    take(0, header.length, digest)?;
    digest.update(size.to_le_bytes());
    for tensor in &header.tensors {
        for (from, length) in pages(tensor.size, tensor.shape[2]) {
            take(header.data + tensor.offset + from, length, digest)?;
        }
    }
    Ok(())
}

/// Returns the ranges of a tensor that are read: the start and the length of each.
fn pages(size: u64, experts: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = experts.clamp(PAGES, MOST_PAGES);
    let (count, length) = if size <= count * PAGE { (1, size) } else { (count, PAGE) };
    let last = size - length;
    let step = last / (count - 1).max(1);
    (0..count - 1).map(move |page| page * step).chain([last]).map(move |from| (from, length))
}

/// Bytes in a page.
const PAGE: u64 = 4096;
/// Pages of a tensor that are read, at least.
const PAGES: u64 = 64;
/// Pages of a tensor that are read, at most. No model has more experts.
const MOST_PAGES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_spread_from_the_first_byte_of_a_tensor_to_the_last_and_none_of_its_experts_is_left_out() {
        for (experts, count) in [(0, 64), (1, 64), (32, 64), (128, 128), (5000, 1024)] {
            for size in [1, 4096, count * PAGE] {
                assert_eq!(pages(size, experts).collect::<Vec<_>>(), [(0, size)], "read whole");
            }
            for size in [count * PAGE + 1, 1 << 20, 530_841_600, 1 << 53].map(|size: u64| size.max(count * PAGE + 1)) {
                let pages: Vec<(u64, u64)> = pages(size, experts).collect();
                assert_eq!(pages.len() as u64, count);
                assert_eq!((pages[0], pages[pages.len() - 1]), ((0, PAGE), (size - PAGE, PAGE)));
                assert!(pages.windows(2).all(|pair| pair[0].0 + PAGE <= pair[1].0), "{size}");
                let even = pages.windows(2).all(|pair| pair[1].0 - pair[0].0 <= size / (count - 1) + count);
                assert!(even, "{size}");
                for expert in 0..experts.min(1024) {
                    let share = size / experts;
                    let (from, to) = (expert * share, (expert + 1) * share);
                    let seen = |page: &(u64, u64)| page.0 < to && page.0 + PAGE > from;
                    assert!(experts > 1024 || pages.iter().any(seen), "expert {expert} of {experts} in {size}");
                }
            }
        }
    }
}
