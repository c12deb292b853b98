"""Holds llama.cpp's logits on an F32 export against the trainer's own: the largest difference over prompts of some lengths."""

import argparse
import json
from pathlib import Path
import subprocess

import jax
import jax.numpy as jnp
import numpy as np

import export
import model
import policies
from vocabulary import Vocabulary


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("f32", type=Path, help="its export with --f32")
    arguments = parser.parse_args()
    vocabulary = Vocabulary()
    shape = model.Shape(vocabulary.size)
    _, params = export.load(arguments.checkpoint)
    ours_of = jax.jit(lambda params, tokens: model.logits(params, shape, tokens))
    for theme in policies.THEMES:
        text = policies.shipped(theme).prefix("low") + "Call now to claim your prize!<|end|><|start|>assistant<|channel|>analysis<|message|>"
        tokens = vocabulary.encode_marked(text)
        with jax.default_matmul_precision("highest"):
            ours = np.asarray(ours_of(params, jnp.asarray(tokens)))
        command = ["cargo", "run", "--quiet", "--release", "--locked", "--example", "logits", "--", str(arguments.f32.resolve())]
        done = subprocess.run(command, input=json.dumps(tokens).encode(), capture_output=True, check=True, cwd=policies.ROOT)
        theirs = np.frombuffer(done.stdout, "<f4").reshape(ours.shape)
        worst = np.abs(ours - theirs).max(-1)
        print(f"{theme}: {len(tokens)} tokens, largest difference {worst.max():.2e}, median {np.median(worst):.2e}, spread of logits {ours.std():.2f}")


if __name__ == "__main__":
    main()
