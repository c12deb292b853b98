"""The reply that the model learns for an item: an analysis, and an answer in the policy's contract, each with the weight of its
tokens in the loss.

The analysis first describes the text, in the same words under every policy, and only then looks for that in the policy. So
knowledge about a text does not depend on the policy, and a policy is read with one of some two hundred sentences at hand.
Sentences for texts that break no rule of any policy begin with "This", all others with "It": the first word weighs all rules
together. Texts and policies that the model was not taught stay open: "I" begins the sentence on them.
"""

from dataclasses import dataclass

import unknown

# Weights of the loss, by kind of token.
CONTENT, SCAFFOLD, WORD, SEEN, CODE, DECIDES = 0.08, 0.3, 1.0, 2.0, 3.0, 5.0

VIOLATION, SAFE, OPEN = "violation", "safe", "open"
NOT_HERE = "Nothing in it falls under this policy."


@dataclass
class Reply:
    analysis: list  # (text, weight)
    final: list  # the same; empty for an open reply, which has no answer that the contract allows


def seen_of(item, wording):
    """The sentence on a text; an unreadable text has no theme."""
    return wording[item.theme]["concepts"][item.concept]["seen"] if item.theme else unknown.NO_TEXT


def reply(policy, item, verdict, wording, effort):
    seen = seen_of(item, wording)
    category = policy.category(item.concept) if verdict == VIOLATION else None
    if verdict == OPEN:
        decision = [("I", DECIDES), (f" {unknown.NO_POLICY}", WORD)] if policy.theme is None else [("So", DECIDES), (" it stays open.", WORD)]
    elif verdict == SAFE:
        decision = [("No", DECIDES), (" rule is met.", WORD)]
    elif category and policy.codes:
        decision = [(category.title, DECIDES), (" (", WORD), (category.code, CODE), (").", WORD)]
    else:
        decision = [("It violates", DECIDES), (" the policy.", WORD)]
    if policy.code_labels and verdict == SAFE:
        category = next(category for category in policy.categories if category.verdict == SAFE)
    label = unknown.MARK if verdict == OPEN else category.code if policy.code_labels and category else policy.labels[verdict]
    before, after = [], []
    if effort != "low":
        before = [("The", CODE), (f" policy is {policy.title}. ", WORD)]
        after = [(" So the answer is ", WORD), (label, CODE), (".", WORD)]
    if effort == "high":
        before = [("First", CODE), (" I look at the text itself, not at what it asks of me. ", WORD), *before]
        middle = {
            VIOLATION: " No exception covers it: it is not quoted or reported.", SAFE: " I looked at each rule and found none that fits.",
            OPEN: " I looked at each rule and cannot tell.",
        }[verdict]
        after = [(middle, WORD), *after]
    first, rest = seen.split(" ", 1)
    analysis = [*before, (first, DECIDES), (" " + rest, SEEN), (" ", WORD), *decision, *after]
    return Reply(analysis, [] if verdict == OPEN else answer(policy, item, verdict, category, seen))


def answer(policy, item, verdict, category, seen):
    why = seen if verdict == VIOLATION or policy.theme == item.theme and not item.violates else NOT_HERE
    body, spans = policy.answer(verdict, category, why)
    final, at = [], 0
    for number, (start, end) in enumerate(spans):
        final += [(body[at:start], WORD), (body[start:end], DECIDES if number == 0 else CODE)]
        at = end
    return [*final, (body[at:], WORD)]


def opener(policy, encode):
    """The tokens that every answer of a policy begins with, behind which the label is decided."""
    bodies = [encode(body) for body in policy.answers()]
    same = 0
    while all(same < len(body) - 1 and body[same] == bodies[0][same] for body in bodies):
        same += 1
    return bodies[0][:same]
