//! Small GGUF files for tests, good ones and bad ones.

use super::ggml::{Type, padded};
use super::value::{self, Value};
use super::write::{RawHeader, RawTensor};
use crate::harmony::Control;
use crate::tokenizer::Strings;

#[derive(Clone)]
pub(super) struct Sample {
    pub(super) version: u32,
    pub(super) metadata: Vec<(String, Value)>,
    /// Name, dimensions, type.
    pub(super) tensors: Vec<(String, Vec<u64>, u32)>,
    pub(super) alignment: usize,
}

impl Sample {
    pub(super) fn empty() -> Self {
        Self { version: 3, metadata: Vec::new(), tensors: Vec::new(), alignment: 32 }
    }

    /// Returns a gpt-oss of two layers that llama.cpp would load.
    pub(super) fn gpt_oss() -> Self {
        let mut sample = Self::empty();
        sample.hyperparameters();
        let vocabulary = sample.vocabulary();
        sample.gpt_oss_tensors(vocabulary);
        sample
    }

    fn hyperparameters(&mut self) {
        let u32s = [
            ("context_length", 131_072),
            ("block_count", 2),
            ("embedding_length", 32),
            ("feed_forward_length", 64),
            ("expert_feed_forward_length", 64),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
            ("attention.key_length", 8),
            ("attention.value_length", 8),
            ("attention.sliding_window", 128),
            ("expert_count", 2),
            ("expert_used_count", 1),
            ("rope.scaling.original_context_length", 4096),
        ];
        let f32s =
            [("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 150_000.0), ("rope.scaling.factor", 32.0)];
        self.set("general.architecture", Value::String("gpt-oss".into()));
        for (key, value) in u32s {
            self.set(&format!("gpt-oss.{key}"), Value::U32(value));
        }
        for (key, value) in f32s {
            self.set(&format!("gpt-oss.{key}"), Value::F32(value));
        }
        self.set("gpt-oss.rope.scaling.type", Value::String("yarn".into()));
    }

    /// Sets a vocabulary of all bytes and the control tokens. Returns its size.
    fn vocabulary(&mut self) -> u64 {
        let mut tokens: Vec<String> =
            (0x21..=0x7E).chain(0xA1..=0xAC).chain(0xAE..=0x143).filter_map(char::from_u32).map(String::from).collect();
        let mut types = vec![1; tokens.len()];
        tokens.extend(Control::ALL.map(|control| control.name().to_owned()));
        types.resize(tokens.len(), 3);
        self.set("tokenizer.ggml.model", Value::String("gpt2".into()));
        self.set("tokenizer.ggml.pre", Value::String("gpt-4o".into()));
        self.set("tokenizer.ggml.tokens", Value::Strings(tokens.iter().collect()));
        self.set("tokenizer.ggml.token_type", Value::I32s(types));
        self.set("tokenizer.ggml.merges", Value::Strings(Strings::default()));
        tokens.len() as u64
    }

    fn gpt_oss_tensors(&mut self, vocabulary: u64) {
        let (embedding, keys, heads, experts, hidden) = (32, 16, 4, 2, 64);
        let mut add = |name: &str, shape: &[u64], kind| self.tensors.push((name.into(), shape.into(), kind));
        add("token_embd.weight", &[embedding, vocabulary], 8);
        add("output_norm.weight", &[embedding], 0);
        add("output.weight", &[embedding, vocabulary], 8);
        for block in 0..2 {
            let mut add = |name: &str, shape: &[u64], kind| add(&format!("blk.{block}.{name}"), shape, kind);
            add("attn_norm.weight", &[embedding], 0);
            add("post_attention_norm.weight", &[embedding], 0);
            for (name, length) in [("q", embedding), ("k", keys), ("v", keys), ("output", embedding)] {
                add(&format!("attn_{name}.weight"), &[embedding, length], 8);
                add(&format!("attn_{name}.bias"), &[length], 0);
            }
            add("attn_sinks.weight", &[heads], 0);
            add("ffn_gate_inp.weight", &[embedding, experts], 0);
            add("ffn_gate_inp.bias", &[experts], 0);
            for (name, from, to) in
                [("gate", embedding, hidden), ("up", embedding, hidden), ("down", hidden, embedding)]
            {
                add(&format!("ffn_{name}_exps.weight"), &[from, to, experts], 39);
                add(&format!("ffn_{name}_exps.bias"), &[to, experts], 0);
            }
        }
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.remove(key);
        self.metadata.push((key.into(), value));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.metadata.retain(|(old, _)| old != key);
    }

    /// Returns the header and the data. Each byte of a tensor's data is the number of the tensor.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for (number, size) in self.sizes().into_iter().enumerate() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.resize(out.len() + size, u8::try_from(number % 256).expect("a byte"));
        }
        out
    }

    /// Returns the header without the padding after it.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = RawHeader { version: self.version, ..RawHeader::empty() };
        for (key, value) in &self.metadata {
            let mut bytes = value::encode(value);
            if let Value::Array { count, .. } = value {
                // Elements of one byte each. Only tests of refusals write wider types.
                bytes.resize(bytes.len() + usize::try_from(*count).expect("small"), 0);
            }
            header.keys.push((key.as_bytes().to_vec(), bytes));
        }
        let mut offset = 0;
        for ((name, shape, kind), size) in self.tensors.iter().zip(self.sizes()) {
            let name = name.as_bytes().to_vec();
            header.tensors.push(RawTensor { name, shape: shape.clone(), kind: *kind, offset: offset as u64 });
            offset += size.next_multiple_of(self.alignment);
        }
        header.bytes()
    }

    fn sizes(&self) -> Vec<usize> {
        let size = |(_, shape, kind): &(String, Vec<u64>, u32)| {
            let size = Type::of(*kind).and_then(|kind| kind.size(padded(shape))).unwrap_or(32);
            usize::try_from(size.min(1 << 20)).expect("small")
        };
        self.tensors.iter().map(size).collect()
    }
}
