"""gpt-oss in JAX, as llama.cpp computes it, at the size of magistrate-nano.

Two faces of the same weights. `logits` is the plain forward of one sequence; the exported file is compared with it.
`packed` is the training forward: a policy's prefix once, and behind it many items, which do not see each other. There,
attention of an item's token spans the prefix and a few chunks around the token, and tokens go to their experts in bins of
fixed size, so that the work is that of the experts used.
"""

from dataclasses import dataclass
import math

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 192
    layers: int = 8
    heads: int = 6
    kv_heads: int = 2
    head: int = 64
    experts: int = 12
    used: int = 2
    hidden: int = 192
    window: int = 128
    rope_base: float = 150_000.0
    rope_factor: float = 32.0
    rope_context: int = 4096
    epsilon: float = 1e-5

    def slides(self, layer):
        return layer % 2 == 0


LOST = 0.1  # share of a layer's output, in training
MEANING = 64  # dimensions of a teacher's embedding of a text; its matrix is for training, and not in the file
CHUNK = 64  # tokens of items that attend side by side
BACK = 3  # chunks before it that a chunk sees: an item is at most BACK * CHUNK + 1 tokens long
LONGEST_ITEM = BACK * CHUNK
# Distances in tokens that heads look back when training begins, by layer. They need not discover the words before a word.
LOOKS_BACK = {0: (1, 2, 3, 4), 2: (1, 2)}


def initial(shape, seed):
    rng = np.random.default_rng(seed)

    def normal(*size, std):
        return jnp.asarray(rng.standard_normal(size, dtype=np.float32) * std)

    d, f, h = shape.width, shape.hidden, shape.head
    q, kv = shape.heads * h, shape.kv_heads * h
    out = 1 / math.sqrt(2 * shape.layers)
    layers = []
    for _ in range(shape.layers):
        layers.append({
            "attn_norm": jnp.ones(d), "ffn_norm": jnp.ones(d),
            "q": normal(q, d, std=d**-0.5), "q_bias": jnp.zeros(q),
            "k": normal(kv, d, std=d**-0.5), "k_bias": jnp.zeros(kv),
            "v": normal(kv, d, std=d**-0.5), "v_bias": jnp.zeros(kv),
            "o": normal(d, q, std=out * q**-0.5), "o_bias": jnp.zeros(d),
            "sinks": jnp.zeros(shape.heads),
            "router": normal(shape.experts, d, std=0.02), "router_bias": jnp.zeros(shape.experts),
            "gate": normal(shape.experts, f, d, std=d**-0.5), "gate_bias": jnp.zeros((shape.experts, f)),
            "up": normal(shape.experts, f, d, std=d**-0.5), "up_bias": jnp.zeros((shape.experts, f)),
            "down": normal(shape.experts, d, f, std=out * f**-0.5), "down_bias": jnp.zeros((shape.experts, d)),
        })
    for number, distances in LOOKS_BACK.items():
        look_back(layers[number], shape, distances)
    return {
        "embed": normal(shape.vocabulary, d, std=0.05),
        "output": normal(shape.vocabulary, d, std=d**-0.5 * 0.5),
        "norm": jnp.ones(d),
        "layers": layers,
        "meaning": normal(MEANING, d, std=d**-0.5),
    }


def look_back(layer, shape, distances):
    """Lets heads attend to the token at a distance: queries and keys are turned by their places, and a bias selects the distance."""
    fast, size = np.arange(8), 20**0.5  # the pairs of dimensions that turn fastest
    frequency = shape.rope_base ** (-2 * fast / shape.head)
    group = shape.heads // shape.kv_heads
    for head, distance in enumerate(distances):
        for name, number, turn in (("q", head, -distance), ("k", head // group, 0)):
            at = number * shape.head
            bias = np.zeros(shape.head, np.float32)
            bias[fast], bias[fast + shape.head // 2] = size * np.cos(turn * frequency), size * np.sin(turn * frequency)
            layer[name + "_bias"] = layer[name + "_bias"].at[at : at + shape.head].set(bias)
            layer[name] = layer[name].at[at : at + shape.head].multiply(0.1)


# The pieces that both forwards share.


def rms(x, weight, epsilon):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + epsilon) * weight


def rope_stretch(shape):
    """The share of its own speed at which each pair of dimensions turns, by YaRN: slow ones are stretched."""
    base, context = shape.rope_base, shape.rope_context

    def edge(turns):
        return shape.head * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(0, math.floor(edge(32))), min(shape.head - 1, math.ceil(edge(1)))
    ramp = 1 - np.clip((np.arange(shape.head // 2) - low) / max(0.001, high - low), 0, 1)
    return (1 - ramp) / shape.rope_factor + ramp


def rope_table(shape, positions):
    """Cosines and sines, which grow by YaRN's constant, for places below `rope_context`.

    Angles are rounded as llama.cpp rounds them: it multiplies each pair's from the one before, in F32, which moves some
    logits by 1e-3 against exact ones.
    """
    places = np.arange(shape.rope_context, dtype=np.float32)[:, None]
    slower = np.full((len(places), shape.head // 2 - 1), shape.rope_base ** (-2 / shape.head), np.float32)
    angles = np.multiply.accumulate(np.hstack([places, slower]), axis=1) * rope_stretch(shape).astype(np.float32)
    angle, size = jnp.asarray(angles)[positions], 1 + 0.1 * math.log(shape.rope_factor)
    return jnp.cos(angle) * size, jnp.sin(angle) * size


def rotate(x, table):
    """x: [..., tokens, heads, head]; the table: [..., tokens, head / 2]."""
    cos, sin = table[0][..., None, :], table[1][..., None, :]
    one, two = jnp.split(x, 2, -1)
    return jnp.concatenate([one * cos - two * sin, two * cos + one * sin], -1)


def project(layer, shape, x, table):
    split = lambda y, heads: y.reshape(*y.shape[:-1], heads, shape.head)
    q = split(x @ layer["q"].T + layer["q_bias"], shape.heads)
    k = split(x @ layer["k"].T + layer["k_bias"], shape.kv_heads)
    v = split(x @ layer["v"].T + layer["v_bias"], shape.kv_heads)
    return rotate(q, table) * shape.head**-0.5, rotate(k, table), v


def swiglu(gate, up):
    gate, up = jnp.minimum(gate, 7.0), jnp.clip(up, -7.0, 7.0)
    return gate * jax.nn.sigmoid(1.702 * gate) * (up + 1.0)


def route(layer, shape, x):
    """The experts of each token and their weights, and the loss that keeps experts evenly used."""
    scores = x @ layer["router"].T + layer["router_bias"]
    top, chosen = jax.lax.top_k(scores, shape.used)
    share = jnp.mean(jax.nn.softmax(scores), 0)
    load = jnp.mean(jax.nn.one_hot(chosen, shape.experts).sum(1), 0) / shape.used
    return jax.nn.softmax(top), chosen, shape.experts * jnp.sum(share * load)


# MXFP4, with straight-through gradients: the values of the file.


def mxfp4(w):
    """Rounds blocks of 32 along the last axis to one power of two and sixteen values each, as the export does."""
    blocks = w.reshape(*w.shape[:-1], -1, 32)
    most = jnp.max(jnp.abs(blocks), -1, keepdims=True)
    scale = jnp.exp2(jnp.floor(jnp.log2(jnp.maximum(most, 1e-30))) - 2)
    size = jnp.abs(blocks) / scale
    step = jnp.where(size < 2, 0.5, jnp.where(size < 4, 1.0, 2.0))
    rounded = jnp.minimum(jnp.round(size / step) * step, 6.0) * scale * jnp.sign(blocks)
    return rounded.reshape(w.shape)


def as_stored(params):
    """The same weights with experts as MXFP4 holds them; gradients pass as if nothing happened."""
    through = lambda w: w + jax.lax.stop_gradient(mxfp4(w) - w)
    layers = [{**layer, **{name: through(layer[name]) for name in ("gate", "up", "down")}} for layer in params["layers"]]
    return {**params, "layers": layers}


# The plain forward.


def logits(params, shape, tokens):
    """Logits behind each token of one sequence."""
    x = params["embed"][tokens]
    places = jnp.arange(tokens.shape[0])
    table = rope_table(shape, places)
    back = places[:, None] - places[None, :]
    for number, layer in enumerate(params["layers"]):
        q, k, v = project(layer, shape, rms(x, layer["attn_norm"], shape.epsilon), table)
        seen = (back >= 0) & (back < shape.window if shape.slides(number) else True)
        group = shape.heads // shape.kv_heads
        q = q.reshape(q.shape[0], shape.kv_heads, group, shape.head)
        scores = jnp.where(seen, jnp.einsum("qhgd,khd->hgqk", q, k), -jnp.inf)
        sink = jnp.broadcast_to(layer["sinks"].reshape(shape.kv_heads, group, 1, 1), (*scores.shape[:3], 1))
        weights = jax.nn.softmax(jnp.concatenate([scores, sink], -1))[..., :-1]
        attended = jnp.einsum("hgqk,khd->qhgd", weights, v).reshape(x.shape[0], -1)
        x = x + attended @ layer["o"].T + layer["o_bias"]

        y = rms(x, layer["ffn_norm"], shape.epsilon)
        share, chosen, _ = route(layer, shape, y)
        gate = jnp.einsum("td,efd->tef", y, layer["gate"]) + layer["gate_bias"]
        up = jnp.einsum("td,efd->tef", y, layer["up"]) + layer["up_bias"]
        every = jnp.einsum("tef,edf->ted", swiglu(gate, up), layer["down"]) + layer["down_bias"]
        x = x + jnp.einsum("tkd,tk->td", jnp.take_along_axis(every, chosen[..., None], 1), share)
    return rms(x, params["norm"], shape.epsilon) @ params["output"].T


# Experts in bins.


@jax.custom_vjp
def into_bins(x, token_of, slots_of):
    """Rows of x in the order of the bins; a free slot repeats row 0. token_of: [slots], slots_of: [tokens, used]."""
    return x[jnp.maximum(token_of, 0)]


def _into_bins(x, token_of, slots_of):
    return into_bins(x, token_of, slots_of), slots_of


def _into_bins_back(slots_of, grad):
    padded = jnp.concatenate([grad, jnp.zeros((1, grad.shape[1]), grad.dtype)])
    return padded[slots_of].sum(1), None, None


into_bins.defvjp(_into_bins, _into_bins_back)


@jax.custom_vjp
def out_of_bins(y, token_of, choice_of, slots_of):
    """For each token the rows of its slots, [tokens, used, width]; zeros where its bin was full."""
    padded = jnp.concatenate([y, jnp.zeros((1, y.shape[1]), y.dtype)])
    return padded[slots_of]


def _out_of_bins(y, token_of, choice_of, slots_of):
    return out_of_bins(y, token_of, choice_of, slots_of), (token_of, choice_of)


def _out_of_bins_back(places, grad):
    token_of, choice_of = places
    rows = grad[jnp.maximum(token_of, 0), choice_of]
    return jnp.where((token_of >= 0)[:, None], rows, 0), None, None, None


out_of_bins.defvjp(_out_of_bins, _out_of_bins_back)


def experts(layer, shape, x, spare):
    """The mixture of experts over [tokens, width]. Bins have `spare` times the room of an even load."""
    tokens = x.shape[0]
    room = -(-int(tokens * shape.used / shape.experts * spare) // 16) * 16
    share, chosen, balance = route(layer, shape, x)
    flat = chosen.reshape(-1)
    hot = jax.nn.one_hot(flat, shape.experts, dtype=jnp.int32)
    rank = jnp.sum((jnp.cumsum(hot, 0) - 1) * hot, -1)
    nowhere = shape.experts * room
    slot = jnp.where(rank < room, flat * room + rank, nowhere)
    source = jnp.arange(tokens * shape.used, dtype=jnp.int32)
    filled = jnp.full(nowhere + 1, -1, jnp.int32).at[slot].set(source)[:-1]
    token_of = jnp.where(filled >= 0, filled // shape.used, -1)
    choice_of = jnp.maximum(filled, 0) % shape.used
    slots_of = slot.reshape(tokens, shape.used)
    binned = into_bins(x, token_of, slots_of).reshape(shape.experts, room, -1)
    both = jnp.concatenate([layer["gate"], layer["up"]], 1)
    bias = jnp.concatenate([layer["gate_bias"], layer["up_bias"]], 1)
    gate, up = jnp.split(jnp.einsum("ecd,efd->ecf", binned, both) + bias[:, None], 2, -1)
    y = jnp.einsum("ecf,edf->ecd", swiglu(gate, up), layer["down"]) + layer["down_bias"][:, None]
    rows = out_of_bins(y.reshape(nowhere, -1), token_of, choice_of, slots_of)
    return jnp.einsum("tkd,tk->td", rows, share), balance


# Attention over a prefix and the items behind it. Its cost is that of writing scores to memory, so they are passed over as few times
# as can be: no maximum is looked for, as scores that matter stay far below what F32 can hold an exponential of.

MOST = 60.0


def weighed(q, k, v, seen):
    """The sum of values by the exponentials of scores, and the sum of these. q: [..., n, d], k, v: [..., m, d]; seen is as wide as [n, m]."""
    scores = q @ jnp.swapaxes(k, -1, -2)
    weights = jnp.where(seen, jnp.exp(jnp.minimum(scores, MOST)), 0.0)
    return weights @ v, jnp.sum(weights, -1, keepdims=True)


def together(parts, sinks):
    """Softmax over several sets of keys and the sink."""
    sums, totals = zip(*parts)
    return sum(sums) / (sum(totals) + jnp.exp(sinks)[..., None, None])


def folded(q):
    """Puts the heads that share keys below each other: [b, h, g, ..., n, d] -> [b, h, ..., g * n, d]."""
    q = jnp.moveaxis(q, 2, -3)
    return q.reshape(*q.shape[:-3], -1, q.shape[-1])


def unfolded(parts, like):
    """Undoes `folded` and `chunked`: each part as long as `like`, [b, h, g, t, d]."""
    group = like.shape[2]
    apart = lambda x: jnp.moveaxis(x.reshape(*x.shape[:-2], group, -1, x.shape[-1]), -3, 2)
    return tuple(apart(x).reshape(*like.shape[:-1], x.shape[-1]) for x in parts)


def for_each_head(seen, group):
    """The mask of seen tokens, for `folded` queries: [..., n, m] -> [..., group * n, m]."""
    return jnp.concatenate([seen] * group, -2)


def chunked(x, size):
    return x.reshape(*x.shape[:-2], x.shape[-2] // size, size, x.shape[-1])


def with_before(x, size, back):
    """Chunks of the second axis from the end, each with those `back` chunks before it: [..., chunks, (back+1)*size, d]."""
    chunks = chunked(x, size)
    padded = jnp.pad(chunks, [(0, 0)] * (chunks.ndim - 3) + [(back, 0), (0, 0), (0, 0)])
    count = chunks.shape[-3]
    return jnp.concatenate([padded[..., i : i + count, :, :] for i in range(back + 1)], -2)


def marks_before(marks, size, back, empty):
    chunks = marks.reshape(marks.shape[0], -1, size)
    padded = jnp.pad(chunks, [(0, 0), (back, 0), (0, 0)], constant_values=empty)
    count = chunks.shape[1]
    return jnp.concatenate([padded[:, i : i + count] for i in range(back + 1)], -1)


def prefix_attention(q, k, v, length, sinks, window):
    """q: [b, h, g, p, d], k, v: [b, h, p, d]."""
    size, group = q.shape[-2], q.shape[2]
    if window is None:
        places = jnp.arange(size)
        seen = (places[:, None] >= places) & (places < length[:, None, None])
        part = weighed(folded(q), k, v, for_each_head(seen, group)[:, None])
    else:
        places = jnp.arange(size).reshape(-1, window)
        near = jnp.concatenate([places - window, places], -1)
        back = places[..., None] - near[:, None]
        seen = (back >= 0) & (back < window) & (near[:, None] >= 0)
        near_k, near_v = with_before(k, window, 1), with_before(v, window, 1)
        part = weighed(folded(chunked(q, window)), near_k, near_v, for_each_head(seen, group))
    return together([unfolded(part, q)], sinks)


def item_attention(q, k, v, prefix_k, prefix_v, length, item, place, sinks, window):
    """q: [b, h, g, t, d]; item and place: [b, t], the item that a token belongs to, and its position."""
    group = q.shape[2]
    local = BACK if window is None else -(-window // CHUNK)
    near_k, near_v = with_before(k, CHUNK, local), with_before(v, CHUNK, local)
    near_item = marks_before(item, CHUNK, local, -2)
    near_place = marks_before(place, CHUNK, local, 0)
    item_c, place_c = item.reshape(item.shape[0], -1, CHUNK), place.reshape(item.shape[0], -1, CHUNK)
    back = place_c[..., None] - near_place[..., None, :]
    seen = (item_c[..., None] == near_item[..., None, :]) & (back >= 0)
    if window is not None:
        seen &= back < window
    here = weighed(folded(chunked(q, CHUNK)), near_k, near_v, for_each_head(seen, group)[:, None])

    if window is None:
        far_k, far_v = prefix_k, prefix_v
        far_seen = (jnp.arange(far_k.shape[2]) < length[:, None])[:, None]
    else:
        # A clamped start only brings in places that are not seen.
        start = jnp.clip(length - window, 0, prefix_k.shape[2] - window)
        cut = jax.vmap(lambda x, at: jax.lax.dynamic_slice_in_dim(x, at, window, 1))
        far_k, far_v = cut(prefix_k, start), cut(prefix_v, start)
        far_place = start[:, None] + jnp.arange(window)
        far_seen = (place[..., None] - far_place[:, None] < window) & (far_place < length[:, None])[:, None]
        far_seen = for_each_head(far_seen, group)
    far = weighed(folded(q), far_k, far_v, far_seen[:, None])
    return together([unfolded(here, q), unfolded(far, q)], sinks)


def packed(params, shape, batch, key, spare=1.5):
    """The hidden state of every token of the items, [rows, tokens, width], and the balance loss.

    batch: prefix [b, p] with its length [b]; tokens, item, place [b, t].
    """
    prefix, tokens, length = batch["prefix"], batch["tokens"], batch["length"]
    rows, p = prefix.shape
    x = params["embed"][jnp.concatenate([prefix, tokens], 1)]
    places = jnp.concatenate([jnp.broadcast_to(jnp.arange(p), (rows, p)), batch["place"]], 1)
    table = rope_table(shape, places)
    group = shape.heads // shape.kv_heads

    def attention(layer, x, window):
        q, k, v = project(layer, shape, rms(x, layer["attn_norm"], shape.epsilon), table)
        q = q.reshape(rows, -1, shape.kv_heads, group, shape.head).transpose(0, 2, 3, 1, 4)
        k, v = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3)
        sinks = layer["sinks"].reshape(shape.kv_heads, group)
        first = prefix_attention(q[..., :p, :], k[:, :, :p], v[:, :, :p], length, sinks, window)
        rest = item_attention(
            q[..., p:, :], k[:, :, p:], v[:, :, p:], k[:, :, :p], v[:, :, :p],
            length, batch["item"], batch["place"], sinks, window,
        )
        both = jnp.concatenate([first, rest], 3).transpose(0, 3, 1, 2, 4).reshape(*x.shape[:2], -1)
        return both @ layer["o"].T + layer["o_bias"]

    def through(x, layer, window, key):
        one, two = jax.random.split(key)
        x = x + lost(attention(layer, x, window), one)
        y = rms(x, layer["ffn_norm"], shape.epsilon).reshape(-1, shape.width)
        y, uneven = experts(layer, shape, y, spare)
        return x + lost(y.reshape(x.shape), two), uneven

    def lost(x, key):
        """Leaves out a share of a layer's output, so that the model relies on no single part."""
        return jnp.where(jax.random.bernoulli(key, 1 - LOST, x.shape), x / (1 - LOST), 0.0)

    def pair(carry, inside):
        x, balance = carry
        (slides, spans), key = inside
        one, two = jax.random.split(key)
        x, first = through(x, slides, shape.window, one)
        x, second = through(x, spans, None, two)
        return (x, balance + (first + second) / shape.layers), None

    # Two layers are compiled, and passed through by as many pairs as there are.
    stacked = lambda layers: jax.tree.map(lambda *leaves: jnp.stack(leaves), *layers)
    pairs = stacked(params["layers"][::2]), stacked(params["layers"][1::2])
    (x, balance), _ = jax.lax.scan(pair, (x, 0.0), (pairs, jax.random.split(key, shape.layers // 2)))
    return rms(x[:, p:], params["norm"], shape.epsilon), balance
