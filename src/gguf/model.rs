//! The description of a model file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::checks::Shape;
use super::error::{ModelError, Problem};
use super::ggml::Type;
use super::header::Tensor;
use crate::tokenizer::{Tokenizer, Vocabulary};

/// A gpt-oss model whose header llama.cpp can load.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Path of the model for llama.cpp: its only file, or its first part. Links are not followed.
    pub path: PathBuf,
    /// All files in order. A model that is not in parts has one.
    pub parts: Vec<PathBuf>,
    /// Name of the file, without `.gguf` and without the number of its part.
    pub name: String,
    /// `gguf2:` and 64 hexadecimal digits that identify the model. `inspect` lists the bytes that it covers.
    pub digest: String,
    /// Size of all files together, in bytes.
    pub size: u64,
    /// The vocabulary as the file has it. [`Self::tokenizer`] checks it.
    pub vocabulary: Vocabulary,
    /// Sizes of the model.
    pub shape: Shape,
    /// Type of the experts' weights. gpt-oss was published in MXFP4, so another type was made from it.
    pub expert_type: Type,
    /// `general.description`
    pub description: Option<String>,
    /// `general.name`. Converters write any text here, so it does not identify a model.
    pub general_name: Option<String>,
    /// Use of a demonstration model. `None` for any other model.
    pub demonstration: Option<Demonstration>,
    /// `general.license`
    pub licence: Option<String>,
    /// Number of values in all tensors.
    pub parameters: u64,
    /// Bytes of its tensors, by place.
    pub weights: Weights,
    /// Number of tensors of each type, and their bytes.
    pub types: BTreeMap<&'static str, (usize, u64)>,
}

/// Bytes of a model's tensors, by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Token embedding, which is looked up and not multiplied.
    pub embedding: u64,
    /// Tensors after the last layer.
    pub output: u64,
    /// Layers in order.
    pub blocks: Vec<Block>,
}

/// Bytes of one layer's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Bytes of its experts.
    pub experts: u64,
    /// Bytes of all other tensors.
    pub rest: u64,
    /// Bytes of both that llama.cpp can rearrange for this CPU.
    pub repackable: u64,
}

impl Weights {
    pub(super) fn of<'header>(tensors: impl Iterator<Item = &'header Tensor>, blocks: u32) -> Self {
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
                    // llama.cpp rearranges eight rows together, and leaves other tensors as they are.
                    if tensor.kind.is_repacked() && tensor.shape[1].is_multiple_of(8) {
                        block.repackable += tensor.size;
                    }
                }
            }
        }
        weights
    }
}

/// Use of a demonstration model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demonstration {
    /// Tests alone: its weights are random.
    Random,
    /// First steps: it was trained, but is far too small to be relied on.
    Trained,
}

impl ModelFile {
    /// Returns the description of a model on another machine, of which only its name, an identity and its context are
    /// known.
    #[cfg(feature = "remote")]
    #[must_use]
    pub fn elsewhere(name: String, digest: String, context_length: u32) -> Self {
        Self {
            path: PathBuf::new(),
            parts: Vec::new(),
            name,
            digest,
            size: 0,
            vocabulary: Vocabulary::default(),
            shape: Shape { context_length, ..Shape::default() },
            expert_type: Type::MXFP4,
            description: None,
            general_name: None,
            demonstration: None,
            licence: None,
            parameters: 0,
            weights: Weights::default(),
            types: BTreeMap::new(),
        }
    }

    /// Returns the model with its experts in MXFP4, the type that gpt-oss was published in. `None` if its experts take
    /// no more bytes than that.
    #[must_use]
    pub fn in_mxfp4(&self) -> Option<Self> {
        let Shape { embedding_length, expert_length, experts, .. } = self.shape;
        // The three matrices of every expert, as one tensor.
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

    /// Returns the model's tokenizer. A whole vocabulary takes tens of milliseconds.
    ///
    /// # Errors
    ///
    /// When the vocabulary is not one of gpt-oss. A model is sound only if this succeeds, too: llama.cpp aborts over
    /// two tokens of the same text.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        Tokenizer::new(&self.vocabulary).map_err(|error| Problem::Vocabulary(error).at(&self.path))
    }
}
