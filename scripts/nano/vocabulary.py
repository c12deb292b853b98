"""The vocabulary: the first ranks of o200k, a true prefix of the real merges, and harmony's control tokens."""

import base64
import glob
import os
import sys

import tiktoken

RANKS = 16_000
CONTROLS = [
    "<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>",
    "<|start|>", "<|end|>", "<|message|>", "<|call|>", "<|endofprompt|>",
]
# The exact o200k pattern, from the public tokenizer.json of gpt-oss.
PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
])


def ranks(packed=None):
    """(bytes, rank), from a pack, or from the file that the crate tiktoken-rs carries: `cargo fetch` brings it."""
    if packed:
        return read(packed)
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    found = sorted(glob.glob(f"{home}/registry/src/*/tiktoken-rs-*/assets/o200k_base.tiktoken"))
    if not found:
        sys.exit(f"error: no o200k_base.tiktoken below {home}\nhint: run `cargo fetch --locked` in the repository")
    return read(found[-1])


def read(path):
    with open(path, "rb") as file:
        lines = [line.split() for line in file if line.strip()]
    return [(base64.b64decode(token), int(rank)) for token, rank in lines][:RANKS]


class Vocabulary:
    def __init__(self, packed=None):
        """`packed`: a file of ranks, if there is no crate."""
        self.ranks = ranks(packed)
        self.control = {name: RANKS + place for place, name in enumerate(CONTROLS)}
        self.size = -(-(RANKS + len(CONTROLS)) // 32) * 32
        self.encoding = tiktoken.Encoding("o200k_prefix", pat_str=PATTERN, mergeable_ranks=dict(self.ranks), special_tokens={})

    def encode(self, text):
        """Ordinary text: it never yields a control token."""
        return self.encoding.encode_ordinary(text)

    def encode_marked(self, text):
        """A template's text, in which control tokens are meant as such."""
        tokens, rest = [], text
        while rest:
            found = [(rest.find(name), name) for name in CONTROLS if name in rest]
            at, name = min(found, default=(len(rest), None))
            tokens += self.encode(rest[:at])
            if name is None:
                break
            tokens.append(self.control[name])
            rest = rest[at + len(name):]
        return tokens

    def lengths(self, tokens):
        return [len(self.ranks[token][0]) for token in tokens]

    # The entries of the GGUF file.

    def entries(self):
        text = [as_unicode(token) for token, _ in self.ranks] + CONTROLS
        return text + [f"<|reserved_{place}|>" for place in range(len(text), self.size)]

    def merges(self):
        """All ways to make each token of two others, as the public tokenizer.json lists them."""
        rank = dict(self.ranks)
        merges = []
        for token, _ in self.ranks:
            ways = [(token[:at], token[at:]) for at in range(1, len(token)) if token[:at] in rank and token[at:] in rank]
            merges += sorted(ways, key=lambda way: (rank[way[0]], rank[way[1]]))
        return [f"{as_unicode(one)} {as_unicode(two)}" for one, two in merges]


def _byte_names():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, spare = {byte: chr(byte) for byte in printable}, 256
    for byte in range(256):
        if byte not in names:
            names[byte], spare = chr(spare), spare + 1
    return names


BYTE_NAMES = _byte_names()


def as_unicode(token):
    """GPT-2's printable form of bytes."""
    return "".join(BYTE_NAMES[byte] for byte in token)
