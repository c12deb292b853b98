"""Gathers the input of the training in one folder, which can be carried to a machine without a network: the texts for policies,
the words of all texts, sentences in other languages, and the vocabulary. `teacher.py` adds the meaning of each text.

  broad.py's file                                                    texts of people about anything
  Django's translations (the wheel on PyPI), BSD-3-Clause            sentences in other languages
"""

import argparse
import base64
from dataclasses import astuple
import gzip
import json
from pathlib import Path
import random
import re
import zipfile

import numpy as np

import policies
from sets import from_data
from texts import MADE, Text, from_templates
from vocabulary import Vocabulary

HELD_OUT = {"it", "cs", "sv", "id", "tr", "ko"}  # languages that only the evaluation sees
ENGLISH = re.compile(r"\b(the|of|and|to|is|this|with|for|not)\b", re.I)


def translations(wheel, held_out=False):
    """Sentences in other languages than English, from a wheel's catalogues: for training, or those for evaluation."""
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            language = re.search(r"/locale/([\w@]+)/LC_MESSAGES/\w+\.po$", name)
            if not language or language[1].startswith("en") or (language[1] in HELD_OUT) != held_out:
                continue
            for said in re.findall(r'^msgstr(?:\[0\])? ((?:".*"\n)+)', archive.read(name).decode(), re.M):
                words = "".join(json.loads(part) for part in said.splitlines() if not re.search(r"\\[^n\"\\]", part))
                if 24 <= len(words) <= 240 and "%" not in words and "{" not in words and "<" not in words and not ENGLISH.search(words):
                    found[" ".join(words.split())] = None
    return list(found)


class Pack:
    """The contents of the folder. `words` are those of `texts`, then the broad ones, in the order of the teacher's table `meanings`."""

    def __init__(self, folder):
        with gzip.open(folder / "texts.json.gz", "rt") as file:
            kept = json.load(file)
        self.texts = []
        for number, (*fields, unknown, template, _) in enumerate(kept["texts"]):
            self.texts.append(Text(*fields, frozenset(unknown), template, number))
        self.words, self.tongues = [*(text.text for text in self.texts), *kept["broad"]], kept["tongues"]
        self.vocabulary = Vocabulary(folder / "ranks.tiktoken")
        table = folder / "meanings.npy"
        self.meanings = np.load(table, mmap_mode="r") if table.exists() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of data sets; see sets.py")
    parser.add_argument("--broad", type=Path, required=True, help="the output of broad.py")
    parser.add_argument("--tongues", type=Path, required=True, help="Django's wheel")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--few", type=int, help="for a dry run: of each concept this number of texts, of data sets 300 times that, of broad texts 100 times")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    wording = policies.load_themes()
    for theme, words in wording.items():
        codes = {category["code"] for category in policies.shipped_rules(theme)["categories"]}
        assert codes == set(words["concepts"]), f"{theme}: {codes ^ set(words['concepts'])} is in one of policy and wording"
    chance = random.Random(arguments.seed)
    texts, broad = from_data(arguments.data), arguments.broad.read_text().splitlines()
    if arguments.few:
        texts, broad = chance.sample(texts, 300 * arguments.few), broad[:: max(1, len(broad) // (100 * arguments.few))]
    for theme in policies.THEMES:  # with draws of its own, so that a change of one theme leaves the others' texts and embeddings
        texts += from_templates(wording, random.Random(f"{arguments.seed} {theme}"), arguments.few or MADE, themes=[theme])
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = {"texts": [astuple(text) for text in texts], "broad": broad, "tongues": translations(arguments.tongues)}
    with gzip.open(arguments.out / "texts.json.gz", "wt") as file:
        json.dump(kept, file, default=sorted, ensure_ascii=False)
    with open(arguments.out / "ranks.tiktoken", "wb") as file:
        file.writelines(base64.b64encode(token) + f" {rank}\n".encode() for token, rank in Vocabulary().ranks)
    print(f"{len(policies.THEMES)} themes, {len(texts):,} texts, {len(broad):,} broad ones, {len(kept['tongues']):,} sentences in other languages")


if __name__ == "__main__":
    main()
