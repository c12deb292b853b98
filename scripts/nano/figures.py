"""Figures of an evaluation, each with its interval at 95 %: shares by Wilson, the others by bootstrap."""

import math
import random

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


def share(hits, count):
    """A rate and its Wilson interval."""
    if not count:
        return {"of": 0}
    z, p = 1.96, hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return {"share": round(p, 4), "interval": [round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)], "of": count}


def counts(pairs):
    tp = sum(truth and said for truth, said in pairs)
    fn = sum(truth and not said for truth, said in pairs)
    fp = sum(said and not truth for truth, said in pairs)
    return tp, fn, fp, len(pairs) - tp - fn - fp


def f1(tp, fn, fp, tn):
    return 2 * tp / max(1, 2 * tp + fn + fp)


def mcc(tp, fn, fp, tn):
    below = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return (tp * tn - fp * fn) / below if below else 0.0


def recall(tp, fn, fp, tn):
    return tp / max(1, tp + fn)


def specificity(tp, fn, fp, tn):
    return tn / max(1, tn + fp)


def between(values):
    """The middle 95 % of 400 draws."""
    values = sorted(values)
    return [round(values[10], 3), round(values[-11], 3)]


def scored(truths, verdicts):
    """Undecided texts count against the model."""
    pairs = [(truth, verdict == "violation" if verdict else not truth) for truth, verdict in zip(truths, verdicts)]
    chance = random.Random(0)
    drawn = [counts(chance.choices(pairs, k=len(pairs))) for _ in range(400)]
    found = {"texts": len(pairs), "violations": sum(truths), "undecided": sum(verdict is None for verdict in verdicts)}
    for figure in (f1, mcc, recall, specificity):
        found[figure.__name__] = [round(figure(*counts(pairs)), 3), *between([figure(*sample) for sample in drawn])]
    return found


def risks(judged):
    """The error among the texts with the surest verdicts, for each share of texts kept. `judged`: (sureness, is right).

    Texts of equal sureness at the edge count in part.
    """
    by_sureness = {}
    for sureness, right in judged:
        wrong, count = by_sureness.get(sureness, (0, 0))
        by_sureness[sureness] = wrong + (not right), count + 1
    groups, found = sorted(by_sureness.items(), reverse=True), {}
    for coverage in COVERAGES:
        left, wrong = coverage * len(judged), 0.0
        for _, (bad, count) in groups:
            taken = min(1.0, left / count)
            wrong, left = wrong + bad * taken, left - count * taken
            if left <= 1e-9:
                break
        found[coverage] = wrong / (coverage * len(judged))
    return found


def selective(judged):
    """The error at each coverage, and the error at 80 % in parts of that at 100 %."""
    chance = random.Random(0)
    drawn = [risks(chance.choices(judged, k=len(judged))) for _ in range(400)]
    found, part = risks(judged), lambda one: one[0.8] / one[1.0] if one[1.0] else 0.0
    told = {f"error at {coverage:.0%}": [round(found[coverage], 4), *between([one[coverage] for one in drawn])] for coverage in COVERAGES}
    return {**told, "error at 80 % / at 100 %": [round(part(found), 3), *between([part(one) for one in drawn])], "of": len(judged)}
