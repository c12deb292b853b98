//! Checks everything that llama.cpp reads from a gpt-oss header or asserts about it: hyperparameters and tensors.
//!
//! The rules are those of llama.cpp's `llama_model_base::load_hparams`, `llama_model_openai_moe` and
//! `llama_vocab::impl::load`. They are stricter where llama.cpp would accept a value that no gpt-oss has.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::error::Problem;
use super::ggml::{Type, padded};
use super::header::{Header, Tensor, Value};
use crate::text::shown;

/// Sizes of a gpt-oss model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Longest text that the model was made for, in tokens.
    pub context_length: u32,
    /// Layers. The first, the third and so on see only [`Self::sliding_window`] tokens back.
    pub blocks: u32,
    /// Values in a token's vector.
    pub embedding_length: u32,
    /// Query heads in a layer.
    pub heads: u32,
    /// Key and value heads in a layer.
    pub kv_heads: u32,
    /// Values in one head's key, and in its value.
    pub key_length: u32,
    /// Length of the sliding window in tokens.
    pub sliding_window: u32,
    /// Experts in a layer.
    pub experts: u32,
    /// Experts in a layer that each token uses.
    pub experts_used: u32,
    /// Values between the two matrices of an expert.
    pub expert_length: u32,
}

/// llama.cpp reserves 8 nodes of its graph for each tensor, 152 in a block, and asserts that they suffice. A block
/// takes about 60, and two for each expert that a token uses. The real models use 4.
const EXPERTS_USED: u32 = 32;

impl Shape {
    /// Reads the sizes, and checks that all hyperparameters exist and llama.cpp can use them.
    pub(super) fn of(header: &Header) -> Result<Self, Problem> {
        let shape = Self {
            context_length: number(header, "context_length", 1..=1 << 24)?,
            blocks: number(header, "block_count", 1..=512)?,
            embedding_length: number(header, "embedding_length", 1..=1 << 16)?,
            heads: number(header, "attention.head_count", 1..=1 << 12)?,
            kv_heads: number(header, "attention.head_count_kv", 1..=1 << 12)?,
            key_length: number(header, "attention.key_length", 8..=256)?,
            sliding_window: number(header, "attention.sliding_window", 1..=1 << 24)?,
            experts: number(header, "expert_count", 1..=1024)?,
            experts_used: number(header, "expert_used_count", 1..=EXPERTS_USED)?,
            expert_length: number(header, "expert_feed_forward_length", 1..=1 << 20)?,
        };
        shape.agrees(header)?;
        rope(header, &shape)?;
        optional(header)?;
        foreign(header, &shape)?;
        Ok(shape)
    }

    /// Checks that the sizes fit each other.
    fn agrees(&self, header: &Header) -> Result<(), Problem> {
        if !self.key_length.is_multiple_of(8) {
            return Err(wrong("attention.key_length", &self.key_length, "a multiple of 8".into()));
        }
        let same_length = format!("{}, as attention.key_length", self.key_length);
        for key in ["attention.value_length", "rope.dimension_count"] {
            let found = match (key, header.get(&full(key))) {
                // llama.cpp then takes the key length.
                ("rope.dimension_count", None) => continue,
                _ => number(header, key, 0..=u32::MAX)?,
            };
            if found != self.key_length {
                return Err(wrong(key, &found, same_length));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let wanted = format!("a divisor of {}, the number of heads", self.heads);
            return Err(wrong("attention.head_count_kv", &self.kv_heads, wanted));
        }
        if self.experts_used > self.experts {
            let wanted = format!("at most {}, the number of experts", self.experts);
            return Err(wrong("expert_used_count", &self.experts_used, wanted));
        }
        Ok(())
    }
}

/// Checks the floats of positions and norms.
fn rope(header: &Header, shape: &Shape) -> Result<(), Problem> {
    for (key, least, most) in [
        ("attention.layer_norm_rms_epsilon", f32::MIN_POSITIVE, 1.0),
        ("rope.freq_base", 1.0, 1e12),
        ("rope.scaling.factor", 1.0, 1e6),
    ] {
        let key = full(key);
        match header.get(&key) {
            Some(Value::F32(found)) if (least..=most).contains(found) => {}
            Some(Value::F32(found)) => {
                return Err(Problem::KeyValue {
                    key,
                    value: found.to_string(),
                    wanted: format!("between {least:e} and {most:e}"),
                });
            }
            Some(_) => {
                return Err(Problem::KeyType { key, wanted: "an f32" });
            }
            None => return Err(Problem::MissingKey(key)),
        }
    }
    number(header, "rope.scaling.original_context_length", 1..=shape.context_length)?;
    let scaling = text(header, &full("rope.scaling.type"))?;
    if !matches!(scaling, "none" | "linear" | "yarn") {
        return Err(wrong("rope.scaling.type", &shown(scaling), "yarn".into()));
    }
    Ok(())
}

/// Checks the types of keys that may be missing.
fn optional(header: &Header) -> Result<(), Problem> {
    for (key, wanted) in OPTIONAL {
        match (header.get(key), wanted) {
            (None, _)
            | (Some(Value::U32(_)), "a u32")
            | (Some(Value::F32(_)), "an f32")
            | (Some(Value::Bool(_)), "a bool")
            | (Some(Value::String(_)), "a string")
            | (Some(Value::I32s(_)), "an array of i32") => {}
            (Some(_), wanted) => {
                return Err(Problem::KeyType { key: key.into(), wanted });
            }
        }
    }
    Ok(())
}

const OPTIONAL: [(&str, &str); 27] = [
    ("general.name", "a string"),
    ("general.file_type", "a u32"),
    ("gpt-oss.feed_forward_length", "a u32"),
    ("gpt-oss.rope.freq_base_swa", "an f32"),
    ("gpt-oss.rope.scaling.alpha", "an f32"),
    ("gpt-oss.rope.scaling.finetuned", "a bool"),
    ("gpt-oss.rope.scaling.attn_factor", "an f32"),
    ("gpt-oss.rope.scaling.yarn_ext_factor", "an f32"),
    ("gpt-oss.rope.scaling.yarn_attn_factor", "an f32"),
    ("gpt-oss.rope.scaling.yarn_beta_fast", "an f32"),
    ("gpt-oss.rope.scaling.yarn_beta_slow", "an f32"),
    ("tokenizer.chat_template", "a string"),
    ("tokenizer.ggml.token_type_count", "a u32"),
    ("tokenizer.ggml.bos_token_id", "a u32"),
    ("tokenizer.ggml.eos_token_id", "a u32"),
    ("tokenizer.ggml.eot_token_id", "a u32"),
    ("tokenizer.ggml.eom_token_id", "a u32"),
    ("tokenizer.ggml.unknown_token_id", "a u32"),
    ("tokenizer.ggml.seperator_token_id", "a u32"),
    ("tokenizer.ggml.padding_token_id", "a u32"),
    ("tokenizer.ggml.mask_token_id", "a u32"),
    ("tokenizer.ggml.add_bos_token", "a bool"),
    ("tokenizer.ggml.add_eos_token", "a bool"),
    ("tokenizer.ggml.add_sep_token", "a bool"),
    ("tokenizer.ggml.add_space_prefix", "a bool"),
    ("tokenizer.ggml.remove_extra_whitespaces", "a bool"),
    ("tokenizer.ggml.suppress_tokens", "an array of i32"),
];

/// Refuses keys that make llama.cpp build another kind of model, unless their values are the defaults.
fn foreign(header: &Header, shape: &Shape) -> Result<(), Problem> {
    let same = |number| Some(Value::U32(number));
    let pattern = "gpt-oss.attention.sliding_window_pattern";
    let pattern = match header.get(pattern) {
        Some(Value::Bools(_)) => Value::Bools((0..shape.blocks).map(|block| block % 2 == 0).collect()),
        _ => Value::U32(2),
    };
    for (key, neutral) in [
        ("gpt-oss.attention.causal", Some(Value::Bool(true))),
        ("gpt-oss.attention.key_length_swa", same(shape.key_length)),
        ("gpt-oss.attention.sliding_window_pattern", Some(pattern)),
        ("gpt-oss.attention.value_length_swa", same(shape.key_length)),
        ("gpt-oss.classifier.output_labels", None),
        ("gpt-oss.classifier.pooling_type", same(0)),
        ("gpt-oss.embedding_length_out", same(shape.embedding_length)),
        ("gpt-oss.expert_group_count", same(0)),
        ("gpt-oss.expert_group_used_count", same(0)),
        ("gpt-oss.nextn_predict_layers", same(0)),
        ("gpt-oss.pooling_type", same(0)),
        ("gpt-oss.rope.dimension_count_swa", same(shape.key_length)),
        ("general.tensor_extra.name", None),
        ("general.tensor_extra.prec_a4", None),
    ] {
        let found = header.get(key);
        if found.is_some() && found != neutral.as_ref() {
            let key = key.into();
            return Err(Problem::KeyType { key, wanted: "the value of a gpt-oss model" });
        }
    }
    Ok(())
}

/// Checks that the tensors are exactly those of a gpt-oss model of this shape.
pub(super) fn tensors<'part>(
    tensors: impl Iterator<Item = &'part Tensor>,
    shape: &Shape,
    vocabulary: u64,
) -> Result<(), Problem> {
    let mut found: HashMap<&str, &Tensor> = tensors.map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut check = |name: String, wanted: &[u64], floats: bool| {
        let tensor = found.remove(name.as_str()).ok_or_else(|| Problem::MissingTensor(name.clone()))?;
        let full = padded(wanted);
        if tensor.shape != full {
            return Err(Problem::TensorShape { tensor: name, found: tensor.shape, wanted: full });
        }
        let (fits, wanted) =
            if floats { (tensor.kind == Type::F32, "F32") } else { (tensor.kind.is_weight(), "a type of weights") };
        if !fits {
            return Err(Problem::TensorType { tensor: name, found: tensor.kind, wanted });
        }
        Ok(())
    };
    let embedding = u64::from(shape.embedding_length);
    check("token_embd.weight".into(), &[embedding, vocabulary], false)?;
    check("output_norm.weight".into(), &[embedding], true)?;
    check("output.weight".into(), &[embedding, vocabulary], false)?;
    for block in 0..shape.blocks {
        for (name, wanted, floats) in block_tensors(shape) {
            check(format!("blk.{block}.{name}"), &wanted, floats)?;
        }
    }
    match found.into_keys().min() {
        Some(name) => Err(Problem::UnknownTensor(shown(name))),
        None => Ok(()),
    }
}

/// Returns the tensors of one block: name, dimensions, and true for a tensor that must be of floats.
fn block_tensors(shape: &Shape) -> [(&'static str, Vec<u64>, bool); 19] {
    let embedding = u64::from(shape.embedding_length);
    let queries = u64::from(shape.heads) * u64::from(shape.key_length);
    let keys = u64::from(shape.kv_heads) * u64::from(shape.key_length);
    let experts = u64::from(shape.experts);
    let hidden = u64::from(shape.expert_length);
    [
        ("attn_norm.weight", vec![embedding], true),
        ("post_attention_norm.weight", vec![embedding], true),
        ("attn_q.weight", vec![embedding, queries], false),
        ("attn_q.bias", vec![queries], true),
        ("attn_k.weight", vec![embedding, keys], false),
        ("attn_k.bias", vec![keys], true),
        ("attn_v.weight", vec![embedding, keys], false),
        ("attn_v.bias", vec![keys], true),
        ("attn_output.weight", vec![queries, embedding], false),
        ("attn_output.bias", vec![embedding], true),
        ("attn_sinks.weight", vec![u64::from(shape.heads)], true),
        ("ffn_gate_inp.weight", vec![embedding, experts], false),
        ("ffn_gate_inp.bias", vec![experts], true),
        ("ffn_gate_exps.weight", vec![embedding, hidden, experts], false),
        ("ffn_gate_exps.bias", vec![hidden, experts], true),
        ("ffn_up_exps.weight", vec![embedding, hidden, experts], false),
        ("ffn_up_exps.bias", vec![hidden, experts], true),
        ("ffn_down_exps.weight", vec![hidden, embedding, experts], false),
        ("ffn_down_exps.bias", vec![embedding, experts], true),
    ]
}

fn full(key: &str) -> String {
    format!("gpt-oss.{key}")
}

fn wrong(key: &str, value: &(impl fmt::Display + ?Sized), wanted: String) -> Problem {
    Problem::KeyValue { key: full(key), value: value.to_string(), wanted }
}

/// Returns a number of the model.
fn number(header: &Header, key: &str, range: RangeInclusive<u32>) -> Result<u32, Problem> {
    match header.get(&full(key)) {
        Some(Value::U32(number)) if range.contains(number) => Ok(*number),
        Some(Value::U32(number)) => {
            let wanted = format!("between {} and {}", range.start(), range.end());
            Err(wrong(key, number, wanted))
        }
        Some(_) => Err(Problem::KeyType { key: full(key), wanted: "a u32" }),
        None => Err(Problem::MissingKey(full(key))),
    }
}

/// Returns the value of a key that must be a string.
pub(super) fn text<'header>(header: &'header Header, key: &str) -> Result<&'header str, Problem> {
    match header.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::KeyType { key: key.into(), wanted: "a string" }),
        None => Err(Problem::MissingKey(key.into())),
    }
}
