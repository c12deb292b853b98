"""The table of the model card, from the figures of evaluate.py: a line a policy, then a line a question.

    card.py FIGURES.json
"""

import json
from pathlib import Path
import sys

# A policy whose golden F1 is below this is to be left out of the policies that the model was trained for.
WORST = {"first": 0.60, "other": 0.45}
SHARES = [
    ("typed", "right of those decided", "texts typed by hand: right of those decided"),
    ("typed", "decided", "texts typed by hand: decided"),
    ("limits", "policies on other matters: left open", "a policy on another matter is left open"),
    ("limits", "minors-safety, which it was not taught: left open", "`minors-safety`, which it was not taught, is left open"),
    ("limits", "sexual-crimes, which it was not taught: left open", "`sexual-crimes`, which it was not taught, is left open"),
    ("limits", "other languages: left open", "a sentence in a language that it did not meet is left open"),
    ("limits", "letters at random: left open", "letters at random are left open"),
    ("reading", "unrelated policies: safe", "violations of one policy are safe under an unrelated one"),
    ("reading", "swapped labels swap", "exchanging the words of the labels exchanges them in the answer"),
    ("reading", "exchanged codes follow", "exchanging the codes of the categories exchanges them in the answer"),
    ("free", "free: well-formed", "`--decode free` writes well-formed harmony"),
    ("free", "free: as phased", "and means the same as the phased decode"),
    ("exactness", "as the F32 file", "verdicts equal to the F32 file's"),
    ("injection", "talked out of a violation", "a violation with an injected text behind it becomes safe"),
]


def spread(figure):
    value, low, high = figure
    return f"{value:.2f} ({low:.2f}–{high:.2f})"


def percent(figure):
    if "share" not in figure:
        return "none"
    low, high = figure["interval"]
    return f"{figure['share']:.1%} ({low:.1%}–{high:.1%}) of {figure['of']:,}".replace("%", " %")


def cell(found, name):
    return spread(found[name]["f1"]) if name in found else ""


def by_policy(found):
    quality, golden, typed = found.get("quality", {}), found.get("golden", {}), found.get("typed", {})
    names = [*dict.fromkeys([*(one["policy"] for one in quality.values()), *(name for name, one in golden.items() if isinstance(one, dict)), *typed])]
    yield "| policy | dev sets: F1, MCC | templates that training did not see: F1 | golden set, blind: F1 | typed by hand: right, decided, of |"
    yield "|---|---|---|---|---|"
    for policy in names:
        if policy in ("right of those decided", "decided"):
            continue
        public = [
            f"{name} {spread(one['f1'])}, {spread(one['mcc'])}" for name, one in quality.items()
            if one["policy"] == policy and not name.startswith("unseen")
        ]
        hand = typed.get(policy)
        hands = f"{hand['right']}, {hand['decided']}, {hand['of']}" if hand else ""
        yield f"| `{policy}` | {'; '.join(public)} | {cell(quality, f'unseen templates: {policy}')} | {cell(golden, policy)} | {hands} |"


def by_question(found):
    yield "| question | found |"
    yield "|---|---|"
    for section, name, words in SHARES:
        if name in found.get(section, {}):
            yield f"| {words} | {percent(found[section][name])} |"
    golden = found.get("golden", {})
    for name in ("mean F1 of the first six", "mean F1 of the others"):
        if golden.get(name) is not None:
            yield f"| golden sets: {name} | {golden[name]:.2f} |"
    together = found.get("doubt", {}).get("all dev sets together", {})
    for name, figure in together.items():
        if name != "of":
            yield f"| all dev sets together: {name} | {spread(figure)} |"
    for name, one in found.get("elsewhere", {}).items():
        yield f"| {name}, labels by another policy: F1, MCC | {spread(one['f1'])}, {spread(one['mcc'])} |"
    for section in ("effort", "speed"):
        for name, figure in found.get(section, {}).items():
            yield f"| {name} | {spread(figure['f1']) if isinstance(figure, dict) else figure} |"


def table(found):
    return "\n".join([*by_policy(found), "", *by_question(found)])


def below(found, first):
    """The policies whose golden F1 is too low to be named as one that the model was trained for."""
    golden = {name: one for name, one in found.get("golden", {}).items() if isinstance(one, dict)}
    return [name for name, one in golden.items() if one["f1"][0] < WORST["first" if name in first else "other"]]


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
