"""Writes a checkpoint as a gpt-oss GGUF file: experts in MXFP4 and the other matrices in Q8_0, as they ship, or all in F32.

Both hold the experts as MXFP4 rounds them, so that they differ by Q8_0 and by llama.cpp's kernels alone.
"""

import argparse
from pathlib import Path
import pickle

import gguf
from gguf import GGMLQuantizationType as Type
import jax
import numpy as np

import model
from vocabulary import Vocabulary

NAME = "magistrate-nano"
DESCRIPTION = "demonstration model, trained from scratch for magistrate's shipped policies; not a gpt-oss-safeguard model"
HALVES = np.array([0, 1, 2, 3, 4, 6, 8, 12])  # the values of four bits, doubled


def packed_mxfp4(weights):
    """Blocks of 32: one exponent, then sixteen bytes, the first half of the values in the low four bits."""
    blocks = np.asarray(weights, np.float32).reshape(-1, 32)
    most = np.maximum(np.abs(blocks).max(-1, keepdims=True), 1e-30)
    exponent = np.floor(np.log2(most)) - 2
    doubled = np.rint(np.abs(blocks) / np.exp2(exponent) * 2).astype(int)
    codes = np.searchsorted(HALVES, doubled)
    assert (HALVES[np.minimum(codes, 7)] == doubled).all(), "weights that MXFP4 does not hold"
    codes = codes | np.where(blocks < 0, 8, 0)
    packed = np.empty((len(blocks), 17), np.uint8)
    packed[:, 0] = (exponent[:, 0] + 127).astype(int)
    packed[:, 1:] = codes[:, :16] | codes[:, 16:] << 4
    return packed.reshape(*weights.shape[:-1], -1)


def tensors(params, shape):
    yield "token_embd.weight", params["embed"]
    yield "output_norm.weight", params["norm"]
    yield "output.weight", params["output"]
    for number, layer in enumerate(params["layers"]):
        for theirs, ours in {
            "attn_norm.weight": "attn_norm", "post_attention_norm.weight": "ffn_norm",
            "attn_q.weight": "q", "attn_q.bias": "q_bias", "attn_k.weight": "k", "attn_k.bias": "k_bias",
            "attn_v.weight": "v", "attn_v.bias": "v_bias", "attn_output.weight": "o", "attn_output.bias": "o_bias",
            "attn_sinks.weight": "sinks", "ffn_gate_inp.weight": "router", "ffn_gate_inp.bias": "router_bias",
            "ffn_gate_exps.weight": "gate", "ffn_gate_exps.bias": "gate_bias", "ffn_up_exps.weight": "up", "ffn_up_exps.bias": "up_bias",
            "ffn_down_exps.weight": "down", "ffn_down_exps.bias": "down_bias",
        }.items():
            yield f"blk.{number}.{theirs}", layer[ours]


def write(path, params, shape, vocabulary, all_f32):
    out = gguf.GGUFWriter(path, "gpt-oss")
    out.add_name(NAME)
    out.add_description(DESCRIPTION)
    out.add_license("apache-2.0")
    out.add_file_type(gguf.LlamaFileType.ALL_F32 if all_f32 else gguf.LlamaFileType.MOSTLY_MXFP4_MOE)
    out.add_quantization_version(2)
    out.add_block_count(shape.layers)
    out.add_context_length(131_072)
    out.add_embedding_length(shape.width)
    out.add_feed_forward_length(shape.hidden)
    out.add_expert_feed_forward_length(shape.hidden)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.kv_heads)
    out.add_key_length(shape.head)
    out.add_value_length(shape.head)
    out.add_rope_freq_base(shape.rope_base)
    out.add_layer_norm_rms_eps(shape.epsilon)
    out.add_sliding_window(shape.window)
    out.add_expert_count(shape.experts)
    out.add_expert_used_count(shape.used)
    out.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    out.add_rope_scaling_factor(shape.rope_factor)
    out.add_rope_scaling_orig_ctx_len(shape.rope_context)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-4o")
    entries = vocabulary.entries()
    out.add_token_list(entries)
    ordinary = len(vocabulary.ranks)
    out.add_token_types([gguf.TokenType.NORMAL] * ordinary + [gguf.TokenType.CONTROL] * (len(entries) - ordinary))
    out.add_token_merges(vocabulary.merges())
    out.add_bos_token_id(vocabulary.control["<|startoftext|>"])
    out.add_eos_token_id(vocabulary.control["<|return|>"])
    out.add_pad_token_id(vocabulary.control["<|endoftext|>"])
    out.add_bool("magistrate.demonstration", True)
    for name, weights in tensors(params, shape):
        weights = np.asarray(weights, np.float32)
        if all_f32 or weights.ndim == 1 or name.endswith(".bias") or "gate_inp" in name:
            out.add_tensor(name, weights)
        elif "_exps" in name:
            out.add_tensor(name, packed_mxfp4(weights), raw_dtype=Type.MXFP4)
        else:
            out.add_tensor(name, gguf.quants.quantize(weights, Type.Q8_0), raw_dtype=Type.Q8_0)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    print(f"{path}: {Path(path).stat().st_size:,} bytes")


def load(checkpoint):
    """The weights of a checkpoint, experts as MXFP4 holds them."""
    with open(checkpoint, "rb") as file:
        step, params, *_ = pickle.load(file)
    return step, jax.device_get(model.as_stored(params))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--f32", action="store_true", help="all weights in F32, to compare with")
    arguments = parser.parse_args()
    vocabulary = Vocabulary()
    step, params = load(arguments.checkpoint)
    print(f"step {step}")
    write(str(arguments.out), params, model.Shape(vocabulary.size), vocabulary, arguments.f32)


if __name__ == "__main__":
    main()
