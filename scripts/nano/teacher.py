"""The meaning of texts to a larger model: all-MiniLM-L6-v2's embeddings of every text that training meets, in 64 dimensions.

So small a model meets few words often enough to learn their meaning. At the end of each text it is therefore asked for the
embedding that this encoder of 22 million weights (Apache-2.0) gives it. The encoder is a BERT of six layers, computed here
in JAX.
"""

import argparse
from functools import partial
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pack import Pack

LONGEST = 128  # tokens of a text that are read
SIZES = (16, 24, 32, 48, 64, LONGEST)  # that texts are padded to
BATCH = 8192  # tokens at a time


def normal(x, weights, name, epsilon):
    mean, spread = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(spread + epsilon) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


@partial(jax.jit, static_argnames=("layers", "heads", "epsilon"))
def embedded(weights, tokens, mask, *, layers, heads, epsilon):
    """The mean of the last layer's states over a text's tokens, of length one."""
    half = jnp.bfloat16  # of products alone: twice as fast on a CPU that has it
    through = lambda x, name: (x.astype(half) @ weights[f"{name}.weight"].T.astype(half)).astype(jnp.float32) + weights[f"{name}.bias"]
    x = weights["embeddings.word_embeddings.weight"][tokens] + weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
    x = normal(x + weights["embeddings.token_type_embeddings.weight"][0], weights, "embeddings.LayerNorm", epsilon)
    apart = lambda y: y.reshape(*y.shape[:2], heads, -1)
    for number in range(layers):
        at = f"encoder.layer.{number}"
        q, k, v = (apart(through(x, f"{at}.attention.self.{name}")) for name in ("query", "key", "value"))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
        share = jax.nn.softmax(jnp.where(mask[:, None, None], scores, -1e9))
        seen = jnp.einsum("bhqk,bkhd->bqhd", share, v).reshape(x.shape)
        x = normal(x + through(seen, f"{at}.attention.output.dense"), weights, f"{at}.attention.output.LayerNorm", epsilon)
        more = through(jax.nn.gelu(through(x, f"{at}.intermediate.dense"), approximate=False), f"{at}.output.dense")
        x = normal(x + more, weights, f"{at}.output.LayerNorm", epsilon)
    pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return pooled / jnp.linalg.norm(pooled, axis=1, keepdims=True)


class Encoder:
    def __init__(self, folder):
        config = json.loads((folder / "config.json").read_text())
        self.settings = {"layers": config["num_hidden_layers"], "heads": config["num_attention_heads"], "epsilon": config["layer_norm_eps"]}
        self.weights = {name: jnp.asarray(one) for name, one in load_file(folder / "model.safetensors").items() if one.dtype == np.float32}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.no_padding()

    def __call__(self, texts):
        tokens = [one.ids for one in self.tokenizer.encode_batch(texts)]
        found = np.zeros((len(texts), self.weights["embeddings.word_embeddings.weight"].shape[1]), np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
        at = 0
        while at < len(order):
            size = next(size for size in SIZES if size >= len(tokens[order[at]]))
            these = [place for place in order[at : at + BATCH // size] if len(tokens[place]) <= size]
            ids, mask = np.zeros((BATCH // size, size), np.int32), np.zeros((BATCH // size, size), bool)
            mask[:, 0] = True
            for row, place in enumerate(these):
                ids[row, : len(tokens[place])], mask[row, : len(tokens[place])] = tokens[place], True
            found[these] = np.asarray(embedded(self.weights, ids, mask, **self.settings))[: len(these)]
            at += len(these)
        return found


def known(texts, encoder, folder, at_a_time=20_000):
    """The embeddings of texts. A folder keeps them, so that a text is computed once."""
    found = {}
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.npy")):
            found |= zip(json.loads(path.with_suffix(".json").read_text()), np.load(path))
    missing = [text for text in dict.fromkeys(texts) if text not in found]
    missing.sort(key=len)
    for start in range(0, len(missing), at_a_time):
        some = missing[start : start + at_a_time]
        new = encoder(some).astype(np.float16)
        found |= zip(some, new)
        print(f"{start + len(some):,} of {len(missing):,} texts", flush=True)
        if folder:
            path = folder / f"{len(list(folder.glob('*.npy'))):05}.npy"
            path.with_suffix(".json").write_text(json.dumps(some))
            np.save(path, new)
    return np.stack([found[text] for text in texts]).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="the folder of all-MiniLM-L6-v2")
    parser.add_argument("--kept", type=Path, help="a folder with the embeddings of earlier calls, which are not computed again")
    parser.add_argument("pack", type=Path, help="what pack.py wrote; the table goes into it")
    arguments = parser.parse_args()
    meanings = known(Pack(arguments.pack).words, Encoder(arguments.encoder), arguments.kept)
    # The directions in which they differ most, in bytes: a text's length of one is 127.
    centred = meanings - meanings.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    small = centred @ axes[:, ::-1][:, :64]
    np.save(arguments.pack / "meanings.npy", np.rint(small / np.linalg.norm(small, axis=1, keepdims=True) * 127).astype(np.int8))


if __name__ == "__main__":
    main()
