"""Trains magistrate-nano: the same steps every time, from any checkpoint on. In half an hour on a large GPU, in days on a CPU.

The number of steps is given, or follows from a time: `--seconds` measures a step of each phase first. The plan is kept beside
the checkpoint, so that a run which is resumed has the same steps.

Matrices inside the layers are moved by Muon, all else by Adam. The experts are rounded to MXFP4 in every forward pass, so that
the file can hold the result. The shipped weights are the mean of the running means of the weights, taken every eighth of the
steps in the last part.
"""

import argparse
import collections
from functools import partial
import json
import math
import multiprocessing
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
from pack import Pack
from replies import CODE, DECIDES, SEEN
from rows import Weaver, pools
import unknown
from vocabulary import Vocabulary

RATE = 4e-3
WARM_UP = 100  # steps
DECAY = 0.05  # of matrices, in proportion to the rate
BALANCE = 0.01
MEANT = 0.5  # weight of the teacher's embedding
ROWS = 16  # in a step
PHASES = (("words", 0.12), ("texts", 0.22), ("policies", 0.6), ("polish", 1.0))  # each up to this share of the steps
KEEP = 0.998  # of the running mean, in a step
BLENDED = PHASES[-2][1]  # from this share of the steps on, running means go into the one that ships
BLENDS = 8  # of these in a whole course, were they taken from its begin on
CHECKPOINT = 500  # steps, between checkpoints
SHOWN = 100  # steps, between lines of the log
TRIED = 12  # steps of each phase, to measure them


def loss(params, shape, batch, key):
    params = model.as_stored(params)
    hidden, balance = model.packed(params, shape, batch, key)
    meant = jnp.take_along_axis(hidden, batch["ends"][..., None], 1) @ params["meaning"].T
    true = batch["meaning"].astype(jnp.float32)
    length = lambda x: jnp.sqrt(jnp.sum(x * x, -1) + 1e-6)
    likeness = jnp.sum(meant * true, -1) / (length(meant) * length(true))
    given = jnp.any(true != 0, -1)
    likeness = jnp.sum(likeness * given) / jnp.sum(given)
    hidden = jnp.take_along_axis(hidden, batch["wanted"][..., None], 1)
    scores = hidden @ params["output"].T
    missed = jax.nn.logsumexp(scores, -1) - jnp.take_along_axis(scores, batch["target"][..., None], 2)[..., 0]
    weight = batch["weight"]
    right = jnp.argmax(scores, -1) == batch["target"]

    def share(those):
        return jnp.sum(right * those) / jnp.maximum(jnp.sum(those), 1)

    told = {
        "loss": jnp.sum(missed * weight) / jnp.sum(weight),
        "decides": share(weight >= CODE),
        "label": share(weight == DECIDES),
        "seen": share(weight == SEEN),
        "code": share(weight == CODE),
        "meaning": likeness,
        "balance": balance,
    }
    return told["loss"] + BALANCE * balance + MEANT * (1 - likeness), told


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


def step(params, state, mean, batch, number, total, shape):
    key = jax.random.fold_in(jax.random.PRNGKey(0), number.astype(jnp.int32))
    (_, told), grads = jax.value_and_grad(loss, has_aux=True)(params, shape, batch, key)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), grads)
    rate = RATE * jnp.minimum(1.0, (number + 1) / WARM_UP) * (0.505 + 0.495 * jnp.cos(math.pi * number / total))

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
    params, keep = pick(0), jnp.minimum(KEEP, (number + 1) / (number + 10))
    mean = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, mean, params)
    return params, (pick(1), pick(2)), mean, {**told, "norm": norm}


def phase(number, total):
    """The phase of a step."""
    return next(name for name, last in PHASES if number < last * total)


# Rows are woven by processes beside the one that trains.


def weavers():
    return max(1, (os.cpu_count() or 2) - 1)


def start_weaving(folder, seed):
    global woven_from
    pack = Pack(folder)
    matters, _ = policies.load_matters()
    entries = unknown.entries(pack.words[len(pack.texts):])
    woven_from = pack.vocabulary, policies.load_themes(), matters, pack, pools(pack.texts), entries, seed


def weave(number, rows, name):
    *these, seed = woven_from
    return Weaver(*these, random.Random(seed * 1_000_003 + number), name).batch(rows)


def measured(compiled, fresh, pool, rows):
    """Seconds of a step in each phase, on rows of their own. The weights that it moves are thrown away."""
    found = {}
    for name, _ in PHASES:
        began = time.time()
        batches = [pool.apply_async(weave, (place, rows, name)) for place in range(TRIED)]
        state = compiled(*fresh(), batches[0].get(), jnp.float32(0), jnp.float32(1))
        jax.block_until_ready(state)
        compile_time, began = time.time() - began, time.time()
        for batch in batches[1:]:
            *state, _ = compiled(*state[:3], batch.get(), jnp.float32(0), jnp.float32(1))
        jax.block_until_ready(state)
        found[name] = (time.time() - began) / (TRIED - 1)
        print(f"{name}: {found[name]:.3f} s/step, after {compile_time:.0f} s for the first", flush=True)
    return found


def steps_in(seconds, by_phase):
    """The steps that fit into a time, as the phases share them."""
    starts = [0, *(last for _, last in PHASES)]
    mean = sum((last - start) * by_phase[name] for (name, last), start in zip(PHASES, starts))
    return max(100, int(seconds / mean) // 100 * 100)


def save(number, where, *what):
    with open(where.with_suffix(".new"), "wb") as file:
        pickle.dump((number, *(jax.device_get(one) for one in what)), file)
    os.replace(where.with_suffix(".new"), where)


def planned(arguments, compiled, fresh, pool, called):
    """The number of steps and of rows in each, which are kept beside the checkpoint."""
    plan = arguments.out / "plan.json"
    if not plan.exists():
        chosen = {"steps": arguments.steps, "rows": arguments.rows}
        if arguments.seconds:
            by_phase = measured(compiled, fresh, pool, arguments.rows)
            chosen |= {"steps": steps_in(arguments.seconds - (time.time() - called), by_phase), "seconds a step": by_phase}
        plan.write_text(json.dumps(chosen) + "\n")
    chosen = json.loads(plan.read_text())
    return chosen["steps"], chosen["rows"]


def course(arguments, compiled, fresh, pool, called):
    total, rows = planned(arguments, compiled, fresh, pool, called)
    first, kept = 0, arguments.out / "checkpoint.pickle"
    if kept.exists():
        with open(kept, "rb") as file:
            first, params, state, mean = pickle.load(file)
        print(f"resumed at step {first}", flush=True)
    else:
        params, state, mean = fresh()
    print(f"{sum(leaf.size for leaf in jax.tree.leaves(params)):,} weights, {total} steps, on {jax.devices()[0].device_kind}", flush=True)
    last, ahead = min(total, arguments.stop or total), 4 * weavers()

    def ask(number):
        return pool.apply_async(weave, (number, rows, phase(number, total)))

    coming = collections.deque(ask(number) for number in range(first, min(last, first + ahead)))
    began, window, number = time.time(), [], first
    log = open(arguments.out / "log.jsonl", "a")
    for number in range(first, last):
        if number + ahead < last:
            coming.append(ask(number + ahead))
        params, state, mean, told = compiled(params, state, mean, coming.popleft().get(), jnp.float32(number), jnp.float32(total))
        window.append(told)
        spent = arguments.call and time.time() - called > arguments.call
        if (number + 1) % SHOWN == 0 or number + 1 == last or spent:
            seen = {key: float(np.mean([float(told[key]) for told in window])) for key in told}
            seconds, window = (time.time() - began) / (number + 1 - first), []
            print(f"{number + 1:5} " + " ".join(f"{key} {value:.3f}" for key, value in seen.items()) + f"  {seconds:.3f} s/step", flush=True)
            log.write(json.dumps({"step": number + 1, **seen}) + "\n")
            log.flush()
        if number + 1 > BLENDED * total and (number + 1) % max(1, total // BLENDS) == 0:
            save(number + 1, arguments.out / f"mean-{number + 1:05}.pickle", mean)
        if (number + 1) % CHECKPOINT == 0 or number + 1 == last or spent:
            save(number + 1, kept, params, state, mean)
        if spent:
            break
    if total in (first, number + 1):
        means = [pickle.loads(path.read_bytes())[1] for path in sorted(arguments.out.glob("mean-*.pickle"))] or [mean]
        save(total, arguments.out / "final.pickle", jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *means))
        print("finished", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="the folder of pack.py and teacher.py")
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints go")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seconds", type=int, help="train for about this time instead, in any number of calls")
    parser.add_argument("--call", type=int, help="end this call after this number of seconds, with a checkpoint")
    parser.add_argument("--stop", type=int, help="stop after this step, to be resumed")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows in a step")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    called = time.time()
    arguments.out.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str((arguments.out / "compiled").resolve()))
    shape = model.Shape(Vocabulary(arguments.pack / "ranks.tiktoken").size)
    compiled = jax.jit(partial(step, shape=shape), donate_argnums=(0, 1, 2))

    def fresh():
        params = model.initial(shape, arguments.seed)
        return params, (jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)), jax.tree.map(jnp.array, params)

    with multiprocessing.get_context("spawn").Pool(weavers(), start_weaving, (arguments.pack, arguments.seed)) as pool:
        course(arguments, compiled, fresh, pool, called)


if __name__ == "__main__":
    # A GPU's memory: most of it, as scores of all layers are kept for the way back.
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.9")
    main()
