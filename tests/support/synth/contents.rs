//! The keys and tensors of a gpt-oss file: the ones that llama.cpp requires for this architecture, without shared ones.

use magistrate::gguf::header::Value;

use super::gguf::{Tensor, TensorType};
use super::vocabulary::Vocabulary;
use super::{Shape, weights};

/// Returns all keys except those of a split, with the shape's own changes.
pub fn metadata(shape: &Shape, vocabulary: Vocabulary) -> Vec<(String, Value)> {
    use Value::{Bool, F32, U32};
    let file_type = match shape.expert {
        TensorType::F32 => 0,
        TensorType::F16 => 1,
        TensorType::Q8_0 => 7,
        TensorType::Mxfp4 => 38,
    };
    let text = |text: &str| Value::String(text.to_owned());
    let mut keys = vec![
        ("general.architecture", text("gpt-oss")),
        ("general.name", text(&shape.name)),
        ("general.description", text(&shape.description)),
        ("general.file_type", U32(file_type)),
        ("general.quantization_version", U32(2)),
        ("gpt-oss.block_count", U32(shape.layers)),
        ("gpt-oss.context_length", U32(131_072)),
        ("gpt-oss.embedding_length", U32(shape.embedding)),
        ("gpt-oss.feed_forward_length", U32(shape.feed_forward)),
        ("gpt-oss.expert_feed_forward_length", U32(shape.feed_forward)),
        ("gpt-oss.attention.head_count", U32(shape.heads)),
        ("gpt-oss.attention.head_count_kv", U32(shape.kv_heads)),
        ("gpt-oss.attention.key_length", U32(shape.head_dim)),
        ("gpt-oss.attention.value_length", U32(shape.head_dim)),
        ("gpt-oss.rope.freq_base", F32(150_000.0)),
        ("gpt-oss.attention.layer_norm_rms_epsilon", F32(1e-5)),
        ("gpt-oss.attention.sliding_window", U32(shape.sliding_window)),
        ("gpt-oss.expert_count", U32(shape.experts)),
        ("gpt-oss.expert_used_count", U32(shape.experts_used)),
        ("gpt-oss.rope.scaling.type", text("yarn")),
        ("gpt-oss.rope.scaling.factor", F32(32.0)),
        ("gpt-oss.rope.scaling.original_context_length", U32(4_096)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-4o")),
    ];
    for (key, control) in [
        ("tokenizer.ggml.bos_token_id", "<|startoftext|>"),
        ("tokenizer.ggml.eos_token_id", "<|return|>"),
        ("tokenizer.ggml.padding_token_id", "<|endoftext|>"),
    ] {
        keys.extend(vocabulary.id(control).map(|id| (key, U32(id))));
    }
    keys.push(("tokenizer.ggml.tokens", Value::Strings(vocabulary.tokens.iter().collect())));
    keys.push(("tokenizer.ggml.token_type", Value::I32s(vocabulary.kinds)));
    keys.push(("tokenizer.ggml.merges", Value::Strings(vocabulary.merges.iter().collect())));
    keys.push(("tokenizer.chat_template", text(CHAT_TEMPLATE)));
    keys.push(("magistrate.demonstration", Bool(true)));

    let mut keys: Vec<_> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    for (key, change) in shape.metadata.clone() {
        let at = keys.iter().position(|(known, _)| *known == key).unwrap_or(keys.len());
        keys.splice(at..(at + 1).min(keys.len()), change.map(|value| (key, value)));
    }
    keys
}

/// Returns all tensors in the order of the file. The deviations keep signals near their size from layer to layer, and
/// attention a little sharper than even.
pub fn tensors(shape: &Shape, tokens: u64) -> Vec<Tensor> {
    let row = u64::from(shape.embedding);
    let mut tensors = vec![
        tensor("token_embd.weight", &[row, tokens], shape.embeddings, (0.0, 1.0)),
        tensor("output_norm.weight", &[row], TensorType::F32, NORM),
        tensor("output.weight", &[row, tokens], shape.embeddings, spread(row, 1.0)),
    ];
    for number in 0..shape.layers {
        tensors.extend(
            layer(shape).into_iter().map(|tensor| Tensor { name: format!("blk.{number}.{}", tensor.name), ..tensor }),
        );
    }
    if shape.unpacked {
        for tensor in &mut tensors {
            tensor.kind = TensorType::F32;
        }
    }
    tensors
}

fn layer(shape: &Shape) -> Vec<Tensor> {
    let [embedding, heads, kv_heads, length, feed_forward, experts] =
        [shape.embedding, shape.heads, shape.kv_heads, shape.head_dim, shape.feed_forward, shape.experts]
            .map(u64::from);
    let (queries, keys) = (heads * length, kv_heads * length);

    let mut tensors = vec![
        tensor("attn_norm.weight", &[embedding], TensorType::F32, NORM),
        tensor("post_attention_norm.weight", &[embedding], TensorType::F32, NORM),
    ];
    for (part, row, rows, sharpness) in [
        ("q", embedding, queries, 2.0),
        ("k", embedding, keys, 2.0),
        ("v", embedding, keys, 1.0),
        ("output", queries, embedding, 1.0),
    ] {
        let (weight, bias) = (format!("attn_{part}.weight"), format!("attn_{part}.bias"));
        tensors.push(tensor(&weight, &[row, rows], shape.attention, spread(row, sharpness)));
        tensors.push(tensor(&bias, &[rows], TensorType::F32, BIAS));
    }
    tensors.extend([
        tensor("attn_sinks.weight", &[heads], TensorType::F32, (0.0, 1.0)),
        tensor("ffn_gate_inp.weight", &[embedding, experts], TensorType::F32, spread(embedding, 1.0)),
        tensor("ffn_gate_inp.bias", &[experts], TensorType::F32, BIAS),
    ]);
    for (part, row, rows) in
        [("gate", embedding, feed_forward), ("up", embedding, feed_forward), ("down", feed_forward, embedding)]
    {
        let (weight, bias) = (format!("ffn_{part}_exps.weight"), format!("ffn_{part}_exps.bias"));
        tensors.push(tensor(&weight, &[row, rows, experts], shape.expert, spread(row, 1.0)));
        tensors.push(tensor(&bias, &[rows, experts], TensorType::F32, BIAS));
    }
    tensors
}

/// Mean and deviation of the scale of a normalized vector.
const NORM: (f32, f32) = (1.0, 0.1);

/// Mean and deviation of a bias.
const BIAS: (f32, f32) = (0.0, 0.05);

/// Returns mean and deviation of a matrix that turns values of about 1 into values of about `size`.
fn spread(row: u64, size: f32) -> (f32, f32) {
    (0.0, size / weights::square_root(row))
}

fn tensor(name: &str, dimensions: &[u64], kind: TensorType, (mean, deviation): (f32, f32)) -> Tensor {
    Tensor { name: name.to_owned(), dimensions: dimensions.to_vec(), kind, drawn: kind, mean, deviation }
}

/// A template that llama.cpp recognizes as harmony. `magistrate` has its own.
const CHAT_TEMPLATE: &str = "{# harmony stub #}{%- for m in messages -%}<|start|>{{ m.role }}<|message|>\
     {{ m.content }}<|end|>{%- endfor -%}{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}\
     {# <|channel|> #}";
