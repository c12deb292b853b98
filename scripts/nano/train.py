"""Trains magistrate-nano on a CPU: the same steps every time, from any checkpoint on.

Matrices inside the layers are moved by Muon, all else by Adam. From three quarters of the main steps on the experts are rounded
to MXFP4 in every forward pass, so that what is learned is what the file can hold. What ships is the mean of the weights before the
last phase and after it: better than either.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import json
import math
import os
from pathlib import Path
import pickle
import random
import time

import jax
import jax.numpy as jnp
import numpy as np

import model
import policies
from rows import Weaver, pools
from texts import from_data, from_templates
from vocabulary import Vocabulary

RATE = 4e-3
WARM_UP = 60  # steps
DECAY = 0.05  # of matrices, in proportion to the rate
BALANCE = 0.01
ROWS = 2  # in a step
MADE = 300  # texts made for each concept
TEXTS = 1000  # steps on policies of a line: what texts are
PRODUCT = 600  # steps towards the end on what the product meets most, at a rate that falls once more
PRODUCT_RATE = 0.35  # of the rate
POLISH = 1500  # steps at the end on what was still weak
POLISH_RATE = 0.5
SETTLE = 300  # steps more, on what the polish had cost
SETTLE_RATE = 0.3
ROUNDED_FROM = 0.75  # of the steps before these three


def loss(params, shape, batch, rounded):
    if rounded:
        params = model.as_stored(params)
    hidden, balance = model.packed(params, shape, batch)
    hidden = jnp.take_along_axis(hidden, batch["wanted"][..., None], 1)
    scores = hidden @ params["output"].T
    missed = jax.nn.logsumexp(scores, -1) - jnp.take_along_axis(scores, batch["target"][..., None], 2)[..., 0]
    weight = batch["weight"]
    right = jnp.argmax(scores, -1) == batch["target"]
    decides = weight >= 3.0
    told = {
        "loss": jnp.sum(missed * weight) / jnp.sum(weight),
        "decides": jnp.sum(right * decides) / jnp.sum(decides),
        "label": jnp.sum(right * (weight == 5.0)) / jnp.sum(weight == 5.0),
        "seen": jnp.sum(right * (weight == 2.0)) / jnp.maximum(jnp.sum(weight == 2.0), 1),
        "code": jnp.sum(right * (weight == 3.0)) / jnp.maximum(jnp.sum(weight == 3.0), 1),
        "balance": balance,
    }
    return told["loss"] + BALANCE * balance, told


def orthogonal(update):
    """The nearest matrix with all singular values near one, by Newton and Schulz."""
    a, b, c = 3.4445, -4.7750, 2.0315
    turned = update.shape[-2] > update.shape[-1]
    x = jnp.swapaxes(update, -1, -2) if turned else update
    x = x / (jnp.linalg.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
    for _ in range(5):
        gram = x @ jnp.swapaxes(x, -1, -2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return jnp.swapaxes(x, -1, -2) if turned else x


def is_matrix(path, leaf):
    name = path[-1].key
    return name in ("q", "k", "v", "o", "gate", "up", "down")


def step(params, state, batch, number, total, shape, rounded):
    (_, told), grads = jax.value_and_grad(loss, has_aux=True)(params, shape, batch, rounded)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), grads)
    falls = lambda share: 0.5 + 0.5 * jnp.cos(math.pi * share)
    main = total - PRODUCT - POLISH - SETTLE
    rate = RATE * jnp.minimum(1.0, (number + 1) / WARM_UP)
    product = PRODUCT_RATE * falls((number - main) / PRODUCT)
    # The polish begins gently: the moments are those of a rate that had fallen to nothing.
    polished = (number - main - PRODUCT) / POLISH
    polish = POLISH_RATE * jnp.minimum(1.0, 20 * polished + 0.02) * falls(polished)
    settled = (number - total + SETTLE) / SETTLE
    settle = SETTLE_RATE * jnp.minimum(1.0, 10 * settled + 0.02) * falls(settled)
    late = jnp.where(number < main + PRODUCT, product, jnp.where(number < total - SETTLE, polish, settle))
    rate *= jnp.where(number < main, falls(number / main), late)

    def moved(path, p, g, one, two):
        if is_matrix(path, p):
            one = 0.95 * one + g
            update = orthogonal(0.95 * one + g) * 0.2 * math.sqrt(max(p.shape[-2:]))
            return p * (1 - rate * DECAY) - rate * update, one, two
        one, two = 0.9 * one + 0.1 * g, 0.98 * two + 0.02 * g * g
        update = (one / (1 - 0.9 ** (number + 1))) / (jnp.sqrt(two / (1 - 0.98 ** (number + 1))) + 1e-8)
        return p - rate * update, one, two

    three = jax.tree_util.tree_map_with_path(moved, params, grads, *state)
    pick = lambda place: jax.tree.map(lambda leaf: leaf[place], three, is_leaf=lambda leaf: isinstance(leaf, tuple))
    return pick(0), (pick(1), pick(2)), {**told, "norm": norm}


def phase(number, total):
    """What is learned in a step."""
    for last, name in ((SETTLE, "settle"), (SETTLE + POLISH, "polish"), (SETTLE + POLISH + PRODUCT, "product")):
        if number >= total - last:
            return name
    return "texts" if number < TEXTS else "policies"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of data sets; see texts.py")
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints go")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--stop", type=int, help="stop after this step, to be resumed")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    vocabulary = Vocabulary()
    shape = model.Shape(vocabulary.size)
    wording, matters = policies.load_themes(), policies.load_matters()
    made = from_templates(wording, random.Random(arguments.seed), MADE)
    data = from_data(arguments.data)
    texts = pools([*made, *data])
    print(f"{len(data)} texts from data, {len(made)} from templates", flush=True)

    def batch(number):
        chance = random.Random(arguments.seed * 1_000_003 + number)
        return Weaver(vocabulary, wording, matters, texts, chance, phase(number, arguments.steps)).batch(ROWS)

    params = model.initial(shape, arguments.seed)
    state = (jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params))
    first, kept, polished = 0, arguments.out / "checkpoint.pickle", arguments.out / "polished.pickle"
    if kept.exists():
        with open(kept, "rb") as file:
            first, params, state = pickle.load(file)
        print(f"resumed at step {first}", flush=True)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{count:,} weights", flush=True)

    steps = {rounded: jax.jit(partial(step, shape=shape, total=arguments.steps, rounded=rounded), donate_argnums=(0, 1)) for rounded in (False, True)}

    def save(number):
        with open(kept.with_suffix(".new"), "wb") as file:
            pickle.dump((number, jax.device_get(params), jax.device_get(state)), file)
        os.replace(kept.with_suffix(".new"), kept)

    log = open(arguments.out / "log.jsonl", "a")
    began, window, last = time.time(), [], arguments.stop or arguments.steps
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batch, first)
        for number in range(first, last):
            now, coming = coming.result(), pool.submit(batch, number + 1)
            params, state, told = steps[number >= (arguments.steps - PRODUCT - POLISH - SETTLE) * ROUNDED_FROM](params, state, now, jnp.float32(number))
            window.append(told)
            if (number + 1) % 50 == 0:
                mean = {key: float(np.mean([float(told[key]) for told in window])) for key in told}
                window = []
                seconds = (time.time() - began) / (number + 1 - first)
                print(f"{number + 1:5} " + " ".join(f"{key} {value:.3f}" for key, value in mean.items()) + f"  {seconds:.2f} s/step", flush=True)
                log.write(json.dumps({"step": number + 1, **mean}) + "\n")
                log.flush()
            if number + 1 == arguments.steps - SETTLE:
                with open(polished, "wb") as file:
                    pickle.dump(jax.device_get(params), file)
            if (number + 1) % 150 == 0:
                save(number + 1)
    save(last)
    if last == arguments.steps:
        with open(polished, "rb") as file:
            before = pickle.load(file)
        mean = jax.tree.map(lambda one, two: (np.asarray(one) + np.asarray(two)) / 2, before, jax.device_get(params))
        with open(arguments.out / "final.pickle", "wb") as file:
            pickle.dump((last, mean, None), file)


if __name__ == "__main__":
    main()
