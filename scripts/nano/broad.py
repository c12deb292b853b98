"""Gathers texts of people about anything, one a line: the model learns the meaning of words from them, before policies.

  VADER's rated sentences (vaderSentiment's source package), MIT     tweets, reviews of films and goods, editorials
  WordNet 3.0 (Princeton), its own free license                      the meaning of each sense of a word, and examples; not of animals and plants
"""

import argparse
from pathlib import Path
import re

SETS = ("tweets", "amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets")


def sentences(folder):
    for name in SETS:
        for line in (folder / f"{name}_GroundTruth.txt").read_text("latin-1").splitlines():
            yield line.split("\t", 2)[2].strip()


def meanings(folder):
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{kind}").read_text().splitlines():
            if line.startswith("  "):
                continue
            head, gloss = line.split(" | ", 1)
            fields = head.split()
            if fields[1] in ("05", "20"):
                continue
            words = [re.sub(r"\(.*\)", "", fields[4 + 2 * place]).replace("_", " ") for place in range(int(fields[3], 16))]
            yield f"{', '.join(words[:3])}: " + gloss.split(';  "')[0].split('; "')[0].strip()
            yield from re.findall(r'"([^"]{8,})"', gloss)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vader", type=Path, required=True, help="the folder hutto_ICWSM_2014 of vaderSentiment's source")
    parser.add_argument("--wordnet", type=Path, required=True, help="the folder with data.noun; Debian's package wordnet-base has it")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    found = dict.fromkeys(text for text in [*sentences(arguments.vader), *meanings(arguments.wordnet)] if 8 < len(text) < 400)
    arguments.out.write_text("".join(text + "\n" for text in found))


if __name__ == "__main__":
    main()
