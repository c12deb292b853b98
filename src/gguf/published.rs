//! Published files of gpt-oss-safeguard, described before they are on this machine.
//!
//! The hyperparameters are those of the models' own configuration. The types of tensors come from public listings in
//! 2026, which count the tensors of each type. No listing names the type of each tensor, so the assignment is reckoned:
//! with the vocabulary it makes the listed size of the files to within one part in a thousand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::checks::Shape;
use super::ggml::{Type, padded};
use super::model::{Block, ModelFile, Weights};
use crate::tokenizer::{Strings, Vocabulary};

/// A published model.
struct Published {
    /// The word that names it.
    word: &'static str,
    /// The name of its file, without the ending and the number of a part.
    name: &'static str,
    /// The size of all its files in bytes, as listed.
    size: u64,
    blocks: u32,
    experts: u32,
    /// The types of the token embedding and of the output.
    outer: [Type; 2],
    /// The types of queries, keys and the output of attention.
    attention: [Type; 3],
    /// The types of values, in even blocks and in odd ones.
    values: [Type; 2],
}

const PUBLISHED: [Published; 2] = [
    Published {
        word: "20b",
        name: "gpt-oss-safeguard-20b-Q4_K_M",
        size: 11_624_759_232,
        blocks: 24,
        experts: 32,
        outer: [Type::Q5_0, Type::Q8_0],
        attention: [Type::Q5_0, Type::Q5_0, Type::Q4_K],
        values: [Type::Q5_0, Type::Q8_0],
    },
    Published {
        word: "120b",
        name: "gpt-oss-safeguard-120b-MXFP4",
        // The second of its two parts is listed as 23.6 GB.
        size: 39_815_567_072 + 23_600_000_000,
        blocks: 36,
        experts: 128,
        outer: [Type::Q8_0; 2],
        attention: [Type::Q8_0; 3],
        values: [Type::Q8_0; 2],
    },
];

/// Tokens and merges of the vocabulary, which all gpt-oss models share.
const TOKENS: u64 = 201_088;
const MERGES: usize = 446_189;

/// Describes a published model by its word, `20b` or `120b`. The description has neither digest nor parts, and its
/// vocabulary is empty strings in the right number.
#[must_use]
pub fn published(word: &str) -> Option<ModelFile> {
    PUBLISHED.iter().find(|published| published.word == word).map(Published::describe)
}

impl Published {
    fn shape(&self) -> Shape {
        Shape {
            context_length: 131_072,
            blocks: self.blocks,
            embedding_length: 2_880,
            heads: 64,
            kv_heads: 8,
            key_length: 64,
            sliding_window: 128,
            experts: self.experts,
            experts_used: 4,
            expert_length: 2_880,
        }
    }

    fn describe(&self) -> ModelFile {
        let shape = self.shape();
        let mut count = Count::default();
        let embedding = count.add(self.outer[0], &[shape.embedding_length.into(), TOKENS]);
        let output = count.add(self.outer[1], &[shape.embedding_length.into(), TOKENS])
            + count.add(Type::F32, &[shape.embedding_length.into()]);
        let blocks = (0..self.blocks).map(|number| self.block(&shape, number, &mut count)).collect();
        let strings = |count: usize| std::iter::repeat_n("", count).collect::<Strings>();
        ModelFile {
            path: PathBuf::from(format!("{}.gguf", self.name)),
            parts: Vec::new(),
            name: self.name.to_owned(),
            digest: String::new(),
            size: self.size,
            vocabulary: Vocabulary {
                tokens: strings(usize::try_from(TOKENS).unwrap_or_default()),
                merges: strings(MERGES),
                ..Vocabulary::default()
            },
            shape,
            expert_type: Type::MXFP4,
            description: None,
            general_name: None,
            demonstration: None,
            licence: None,
            parameters: count.values,
            weights: Weights { embedding, output, blocks },
            types: count.types,
        }
    }

    fn block(&self, shape: &Shape, number: u32, count: &mut Count) -> Block {
        let wide = u64::from(shape.embedding_length);
        let queries = u64::from(shape.heads) * u64::from(shape.key_length);
        let keys = u64::from(shape.kv_heads) * u64::from(shape.key_length);
        let (experts, hidden) = (u64::from(shape.experts), u64::from(shape.expert_length));
        let [query, key, out] = self.attention;
        let mut block = Block::default();
        let value = self.values[usize::from(number % 2 == 1)];
        for (kind, shape) in
            [(query, [wide, queries]), (key, [wide, keys]), (value, [wide, keys]), (out, [queries, wide])]
        {
            let bytes = count.add(kind, &shape);
            block.rest += bytes;
            block.repackable += if kind.is_repacked() { bytes } else { 0 };
        }
        // Two norms, four biases, the sinks, and the router with its bias.
        for floats in [
            &[wide][..],
            &[wide],
            &[queries],
            &[keys],
            &[keys],
            &[wide],
            &[shape.heads.into()],
            &[wide, experts],
            &[experts],
        ] {
            block.rest += count.add(Type::F32, floats);
        }
        for [from, to] in [[wide, hidden], [wide, hidden], [hidden, wide]] {
            let weights = count.add(Type::MXFP4, &[from, to, experts]);
            block.experts += weights + count.add(Type::F32, &[to, experts]);
            block.repackable += weights;
        }
        block
    }
}

/// The tensors that were counted.
#[derive(Default)]
struct Count {
    values: u64,
    types: BTreeMap<&'static str, (usize, u64)>,
}

impl Count {
    /// Counts a tensor, and returns its bytes.
    fn add(&mut self, kind: Type, dimensions: &[u64]) -> u64 {
        let bytes = kind.size(padded(dimensions)).unwrap_or_default();
        self.values += dimensions.iter().product::<u64>();
        let (count, all) = self.types.entry(kind.name).or_default();
        (*count, *all) = (*count + 1, *all + bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tensors_and_the_vocabulary_make_the_listed_size() {
        for one in &PUBLISHED {
            let file = one.describe();
            let tensors: u64 = file.types.values().map(|(_, bytes)| bytes).sum();
            let Weights { embedding, output, blocks } = &file.weights;
            let placed = embedding + output + blocks.iter().map(|block| block.experts + block.rest).sum::<u64>();
            assert_eq!(tensors, placed, "every tensor has its place");
            // A header of o200k takes 13 MB, as the file of its vocabulary alone shows.
            let reckoned = tensors + 13_000_000;
            assert!(reckoned.abs_diff(one.size) * 1_000 < one.size, "{}: {reckoned} of {}", one.name, one.size);
        }
    }

    #[test]
    fn the_20b_has_the_listed_number_of_tensors_of_each_type() {
        let file = published("20b").unwrap();
        let counts: Vec<_> = file.types.iter().map(|(name, (count, _))| (*name, *count)).collect();
        assert_eq!(counts, [("F32", 289), ("MXFP4", 72), ("Q4_K", 24), ("Q5_0", 61), ("Q8_0", 13)]);
        let tensors = |word: &str| published(word).unwrap().types.values().map(|(count, _)| count).sum::<usize>();
        assert_eq!((tensors("20b"), tensors("120b")), (459, 687));
        assert!(file.parameters / 1_000_000_000 == 20 && published("120b").unwrap().parameters / 1_000_000_000 == 116);
        assert!(published("7b").is_none());
    }
}
