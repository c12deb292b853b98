//! Model files with random weights: GGUF that llama.cpp loads as gpt-oss, from a quarter of a megabyte to the 12 GB
//! of the real 20b's shape, so that tests need no download.
//!
//! A [`Shape`] describes a file, and [`write`] streams it: the same bytes for the same shape on every machine. A test that
//! needs a faulty file changes one field of a good one. The engine is not known here. The answers of such a model mean
//! nothing.

#![allow(dead_code)] // Each test binary, and the example, uses its own part of this.

// Paths, because the example includes this file from another folder than the tests.
#[path = "synth/contents.rs"]
mod contents;
#[path = "synth/gguf.rs"]
mod gguf;
#[path = "synth/vocabulary.rs"]
mod vocabulary;
#[path = "synth/weights.rs"]
mod weights;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[allow(unused_imports)] // As above.
pub use {gguf::Tensor, gguf::TensorType, magistrate::gguf::header::Value, vocabulary::Vocabulary};

/// Writes the model of a shape and returns its files: `path` itself, or for several parts its siblings
/// `<stem>-00001-of-0000N.gguf` and so on, with the names and keys of llama.cpp's own splitter.
///
/// Takes memory for the vocabulary and about 8 MiB of weights, however large the file.
pub fn write(path: &Path, shape: &Shape) -> io::Result<Vec<PathBuf>> {
    shape.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let vocabulary = shape.vocabulary();
    let tensors = shape.tensors(vocabulary.tokens.len() as u64);
    let parts = usize::from(shape.parts);
    if parts > tensors.len() {
        let why = format!("{parts} parts, but the shape has {} tensors", tensors.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut metadata = contents::metadata(shape, vocabulary);
    let mut files = Vec::new();
    for part in 0..shape.parts {
        let mut file = path.to_path_buf();
        if parts > 1 {
            file = part_path(path, part, shape.parts);
            metadata.extend(split_keys(part, shape.parts, tensors.len()));
        }
        let here = usize::from(part);
        let held = &tensors[tensors.len() * here / parts..tensors.len() * (here + 1) / parts];
        write_file(&file, &metadata, held, shape.seed)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        files.push(file);
        metadata.clear(); // Only the first part describes the model.
    }
    Ok(files)
}

/// Writes the header of a model, and a hole in the place of its weights. It takes no disk space, and only its weights
/// differ from the model's.
pub fn outline(path: &Path, shape: &Shape) -> io::Result<()> {
    let vocabulary = shape.vocabulary();
    let tensors = shape.tensors(vocabulary.tokens.len() as u64);
    let header = gguf::header(&contents::metadata(shape, vocabulary), &tensors);
    let padded = |length: u64| length + gguf::padding(length).len() as u64;
    let data: u64 = tensors.iter().map(|tensor| padded(tensor.bytes())).sum();
    let mut file = File::create(path)?;
    file.write_all(&header)?;
    file.set_len(padded(header.len() as u64) + data)
}

/// The shape of a model file. Every field may be changed; [`write`] refuses a shape that llama.cpp cannot load.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Number of o200k's ranks in the vocabulary, with ten control tokens after them. `None` is the whole vocabulary of
    /// gpt-oss: 201,088 entries, the control tokens at their true ids.
    pub ranks: Option<u32>,
    /// Length of a token's vector.
    pub embedding: u32,
    /// Even layers see a sliding window, odd ones see everything: two at least, to have both.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Heads of keys and values, which the attention heads share.
    pub kv_heads: u32,
    /// Length of a head's vector.
    pub head_dim: u32,
    /// Width of an expert.
    pub feed_forward: u32,
    /// Experts of a layer.
    pub experts: u32,
    /// Experts that each token uses. If a token uses all, there is no routing, so no result jumps when sums round
    /// otherwise.
    pub experts_used: u32,
    /// Length of an even layer's window in tokens.
    pub sliding_window: u32,
    /// Type of the attention's matrices.
    pub attention: TensorType,
    /// Type of the token embedding and of the output matrix.
    pub embeddings: TensorType,
    /// Type of the experts' matrices.
    pub expert: TensorType,
    /// Quantized matrices are stored in F32, with the same values.
    pub unpacked: bool,
    /// The same seed and shape give the same bytes.
    pub seed: u64,
    /// Number of files, at least 1.
    pub parts: u16,
    /// `general.name`
    pub name: String,
    /// `general.description`
    pub description: String,
    /// Control tokens that are left out, by name. Their ids go to reserved tokens.
    pub absent: Vec<String>,
    /// Changes to the metadata: a value replaces or adds its key, `None` removes the key.
    pub metadata: Vec<(String, Option<Value>)>,
}

impl Shape {
    /// The shapes that have a name, each with its use.
    pub const NAMED: [NamedShape; 7] = [
        ("tiny", Self::tiny, "0.2 MB  2,000 ranks, two layers: the quickest file that runs"),
        ("demo", Self::demo, "0.5 MB  2,000 ranks, two layers: the file of this repository"),
        ("small", Self::small, "3.4 MB  16,000 ranks: a prompt costs a common number of tokens"),
        ("exact", Self::exact, "10.6 MB  all F32, all experts used: for comparing numbers"),
        ("full-vocabulary", Self::full_vocabulary, "41 MB  201,088 tokens with their true ids"),
        ("middle", Self::middle, "405 MB  large enough to take its time"),
        ("safeguard-20b", Self::safeguard_20b, "12.1 GB  the shape of gpt-oss-safeguard-20b: for speed"),
    ];

    /// The quickest file that runs: 0.2 MB.
    pub fn tiny() -> Self {
        Self { embedding: 32, heads: 2, kv_heads: 1, head_dim: 32, feed_forward: 32, ..Self::demo() }
    }

    /// The file of this repository: 0.5 MB.
    pub fn demo() -> Self {
        Self { ranks: Some(2_000), layers: 2, experts: 4, ..Self::small() }
    }

    /// 3.4 MB, with enough ranks that ordinary English takes about as many tokens as with the whole vocabulary.
    pub fn small() -> Self {
        Self { ranks: Some(16_000), ..Self::full_vocabulary() }
    }

    /// 10.6 MB for comparing numbers: nothing quantized, and every token goes to every expert.
    pub fn exact() -> Self {
        let (attention, embeddings, expert) = (TensorType::F32, TensorType::F32, TensorType::F32);
        Self { attention, embeddings, expert, experts: 4, ..Self::small() }
    }

    /// 41 MB: the whole vocabulary, the true ids.
    pub fn full_vocabulary() -> Self {
        Self {
            ranks: None,
            embedding: 64,
            layers: 4,
            heads: 4,
            kv_heads: 2,
            head_dim: 64,
            feed_forward: 64,
            experts: 8,
            experts_used: 4,
            sliding_window: 128,
            attention: TensorType::Q8_0,
            embeddings: TensorType::Q8_0,
            expert: TensorType::Mxfp4,
            unpacked: false,
            seed: 1,
            parts: 1,
            name: "random gpt-oss".to_owned(),
            description: "random weights, no training".to_owned(),
            absent: Vec::new(),
            metadata: Vec::new(),
        }
    }

    /// 405 MB: large enough for a measurable load.
    pub fn middle() -> Self {
        Self {
            ranks: Some(12_000),
            embedding: 768,
            layers: 12,
            heads: 12,
            kv_heads: 4,
            feed_forward: 1_536,
            experts: 16,
            ..Self::full_vocabulary()
        }
    }

    /// 12.1 GB: the shape of gpt-oss-safeguard-20b.
    pub fn safeguard_20b() -> Self {
        Self {
            embedding: 2_880,
            layers: 24,
            heads: 64,
            kv_heads: 8,
            feed_forward: 2_880,
            experts: 32,
            ..Self::full_vocabulary()
        }
    }

    /// Returns the shape of a name in [`Self::NAMED`].
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(known, ..)| *known == name).map(|(_, shape, _)| shape())
    }

    /// Returns the tokens and merges of this shape.
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary::o200k(self.ranks, &self.absent)
    }

    /// Refuses a shape that llama.cpp cannot load.
    pub fn check(&self) -> Result<(), String> {
        let refuse = |wrong: bool, why: String| if wrong { Err(why) } else { Ok(()) };
        let ranks = self.ranks.unwrap_or(vocabulary::RANKS);
        refuse(!(257..=vocabulary::RANKS).contains(&ranks), {
            format!("{ranks} ranks: from 257 (every byte and one merge) to {}", vocabulary::RANKS)
        })?;
        for (name, value) in [
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv heads", self.kv_heads),
            ("experts", self.experts),
            ("experts used", self.experts_used),
            ("parts", u32::from(self.parts)),
        ] {
            refuse(value == 0, format!("0 {name}: at least 1"))?;
        }
        refuse(!self.heads.is_multiple_of(self.kv_heads), {
            format!("{} heads cannot share {} kv heads evenly", self.heads, self.kv_heads)
        })?;
        refuse(self.experts_used > self.experts, {
            format!("{} experts used, of {}", self.experts_used, self.experts)
        })?;
        for name in &self.absent {
            let known = vocabulary::CONTROLS.iter().any(|(_, control)| control == name);
            refuse(!known, format!("'{name}' cannot be left out: it is no control token"))?;
        }
        // Quantized rows consist of blocks of 32, and rotary embedding turns pairs.
        refuse(self.head_dim == 0 || !self.head_dim.is_multiple_of(2), {
            format!("head dimension {}: an even number", self.head_dim)
        })?;
        for (name, row) in [
            ("embedding", self.embedding),
            ("feed forward", self.feed_forward),
            ("heads × head dimension", self.heads.saturating_mul(self.head_dim)),
        ] {
            refuse(row == 0 || !row.is_multiple_of(32), format!("{name} {row}: a multiple of 32"))?;
        }
        Ok(())
    }

    /// Returns all tensors in the order of the file, for a vocabulary of `tokens` entries.
    pub fn tensors(&self, tokens: u64) -> Vec<Tensor> {
        contents::tensors(self, tokens)
    }
}

/// A shape's name, the shape, and a line about it.
pub type NamedShape = (&'static str, fn() -> Shape, &'static str);

/// Returns the three keys of a part, with the types of llama.cpp's splitter.
fn split_keys(part: u16, parts: u16, tensors: usize) -> [(String, Value); 3] {
    let tensors = i32::try_from(tensors).expect("a layer has 19 tensors, and layers are few");
    [
        ("split.no".to_owned(), Value::U16(part)),
        ("split.count".to_owned(), Value::U16(parts)),
        ("split.tensors.count".to_owned(), Value::I32(tensors)),
    ]
}

fn part_path(path: &Path, part: u16, parts: u16) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{:05}-of-{parts:05}.gguf", u32::from(part) + 1))
}

fn write_file(path: &Path, metadata: &[(String, Value)], tensors: &[Tensor], seed: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(&gguf::header(metadata, tensors))?;
    for tensor in tensors {
        weights::write(&mut out, tensor, seed)?;
        out.write_all(gguf::padding(tensor.bytes()))?;
    }
    out.flush()
}
