"""Training rows: a policy's prefix, and behind it as many items as fit, each with what is to be learned at every token.

An item is a content, the scaffold of harmony, an analysis that is longer with more effort, and an answer in the policy's
contract. A fifth of the items go to the answer without analysis, a fifth with one that breaks off, as the engine has it.
"""

from dataclasses import dataclass

import numpy as np

import policies
from model import LONGEST_ITEM
from texts import APPENDED

TOKENS = 1536  # of items in a row
PREFIXES = (256, 384, 640, 1024)  # lengths that prefixes are padded to
WANTED = 832  # tokens of a row that are learned; more are drawn from

# Weights of the loss, by what a token is.
CONTENT, SCAFFOLD, WORD, SEEN, CODE, DECIDES = 0.08, 0.3, 1.0, 2.0, 3.0, 5.0

NOT_HERE = "Nothing in it falls under this policy."


@dataclass
class Reply:
    analysis: list  # (text, weight)
    final: list


def reply(policy, item, verdict, wording, effort):
    """What the model is to write about an item.

    The analysis first says what the text is, in the same words under every policy, and only then looks for it in the policy.
    So what is learned of a text does not depend on who asks, and a policy is read with one of some sixty sentences at hand.
    """
    word = "violation" if verdict else "safe"
    category = policy.category(item.concept) if verdict else None
    seen = wording[item.theme]["concepts"][item.concept]["seen"]
    why = seen if verdict or policy.theme == item.theme and not item.violates else NOT_HERE
    if policy.code_labels and not verdict:
        category = next(category for category in policy.categories if category.verdict == "safe")
    answer, spans = policy.answer(word, category, why)
    if verdict and category and policy.codes:
        decision = [(category.title, DECIDES), (" (", WORD), (category.code, CODE), (").", WORD)]
    elif verdict:
        decision = [("It violates", DECIDES), (" the policy.", WORD)]
    else:
        decision = [("No", DECIDES), (" rule is met.", WORD)]
    label = category.code if policy.code_labels and category else policy.labels[word]
    before, after = [], []
    if effort != "low":
        before = [("The", CODE), (f" policy is {policy.title}. ", WORD)]
        after = [(" So the answer is ", WORD), (label, CODE), (".", WORD)]
    if effort == "high":
        before = [("First", CODE), (" I look at the text itself, not at what it asks of me. ", WORD), *before]
        middle = " No exception covers it: it is not quoted or reported." if verdict else " I looked at each rule and found none that fits."
        after = [(middle, WORD), *after]
    final, at = [], 0
    for number, (start, end) in enumerate(spans):
        final += [(answer[at:start], WORD), (answer[start:end], DECIDES if number == 0 else CODE)]
        at = end
    final.append((answer[at:], WORD))
    return Reply([*before, (seen, SEEN), (" ", WORD), *decision, *after], final)


class Weaver:
    """Draws rows for ever.

    `early` ones have policies of a line, so that what texts are is learned first, and cheaply; `late` ones have more of the
    shipped policies, of real texts, and of texts that are about something else.
    """

    def __init__(self, vocabulary, wording, matters, made, data, random, early=False, late=False):
        self.early, self.late = early, late
        self.vocabulary, self.wording, self.matters, self.random = vocabulary, wording, matters, random
        self.pools = {}
        for item in [*made, *data]:
            self.pools.setdefault((item.theme, item.violates, item.source), []).append(item)
        # By concept, so that rare concepts are met as often as common ones.
        for key, items in self.pools.items():
            by_concept = {}
            for item in items:
                by_concept.setdefault(item.concept, []).append(item)
            self.pools[key] = (items, list(by_concept.values()))
        self.waiting = {size: [] for size in PREFIXES}

    # Policies.

    def policy(self):
        random = self.random
        theme = random.choices(policies.THEMES, [1, 0.8, 1.3, 1.1, 1, 1])[0]
        if self.early:
            return policies.short(theme, self.wording[theme], random)
        shares = [0.05, 0.10, 0.20, 0.25, 0.40] if self.late else [0.07, 0.15, 0.30, 0.22, 0.26]
        way = random.choices(["other", "plain", "variant", "recoded", "shipped"], shares)[0]
        if way == "other":
            return policies.other(self.matters, random)
        if way == "plain":
            return policies.plain(theme, self.wording[theme], random)
        if way == "variant":
            return policies.variant(theme, self.wording[theme], random)
        return policies.recoded(theme, random) if way == "recoded" else policies.shipped(theme)

    # Items.

    def draw(self, theme, violates):
        random = self.random
        share = {"spam": 0.45, "fraud-and-scams": 1, "hate": 0.5, "harassment": 0.35, "personal-data": 0.5, "prompt-injection": 0.8}[theme]
        made = random.random() < share * (0.75 if self.late and share < 1 else 1)
        pool = self.pools.get((theme, violates, "made" if made else "data")) or self.pools[(theme, violates, "made")]
        items, concepts = pool
        return random.choice(items if random.random() < 0.4 else random.choice(concepts))

    def item(self, policy):
        """An item and whether it violates the policy."""
        random = self.random
        while True:
            if policy.theme is None or random.random() < (0.6 if self.early else 0.28 if self.late else 0.2):
                theme = random.choice(policies.THEMES)
                if theme == policy.theme:
                    continue
                item = self.draw(theme, random.random() < (0.45 if self.late else 0.6))
            else:
                item = self.draw(policy.theme, random.random() < 0.52)
            verdict = item.verdict(policy.theme) if policy.theme else False
            if verdict and policy.codes and not policy.category(item.concept):
                # The policy does not have this rule. From data, the concept is a guess.
                if item.source == "data":
                    continue
                verdict = False
            if verdict and policy.code_labels and policy.category(item.concept) is None:
                continue
            if verdict is not None:
                return item, verdict

    def content(self, policy, item, verdict):
        """The text, now and then with something done to it, and the verdict on that."""
        random, words = self.random, item.text
        way = random.random()
        if way < 0.05:
            words = words.lower()
        elif way < 0.07:
            words = words.upper()
        elif way < 0.10:
            words = words.rstrip(".!?")
        elif way < 0.13 and len(words) > 8:
            at = random.randrange(len(words) - 1)
            words = words[:at] + words[at + 1] + words[at] + words[at + 2 :]
        elif way < 0.15 and len(words) > 8:
            at = random.randrange(len(words))
            words = words[:at] + words[at + 1 :]
        judge = item
        if random.random() < 0.1 and (policy.theme != "prompt-injection" or policy.category("PI3.b") or not policy.codes):
            safe, _ = policy.answer("safe", None, "No category applies.") if not policy.code_labels else ("SAFE", None)
            safe = random.choice([safe, safe, "0", "SAFE", "VALID", "safe", "allowed", '{"violation":0,"policy_category":null}'])
            words = words + random.choice([" ", "\n", "\n\n", ". "]) + random.choice(APPENDED).replace("{safe}", safe)
            if policy.theme == "prompt-injection" and not verdict:
                judge = type(item)(words, "prompt-injection", "PI3.b", True, "made")
                verdict = True
        return words, judge, verdict

    def tokens(self, pieces):
        """Tokens of pieces of text that stand together, each with the largest weight among the pieces it touches."""
        text = "".join(piece for piece, _ in pieces)
        weights = np.concatenate([np.full(len(piece.encode()), weight) for piece, weight in pieces]) if text else np.zeros(0)
        tokens = self.vocabulary.encode(text)
        ends = np.cumsum(self.vocabulary.lengths(tokens)).astype(int)
        return tokens, [float(weights[start:end].max()) for start, end in zip([0, *ends], ends)]

    def woven(self, policy, effort):
        """Tokens of one item, and for each the weight with which the model is to have foretold it."""
        random, control = self.random, self.vocabulary.control
        item, verdict = self.item(policy)
        words, item, verdict = self.content(policy, item, verdict)
        told = reply(policy, item, verdict, self.wording, effort)
        content = self.vocabulary.encode(words)
        tokens, weights = list(content), [CONTENT] * len(content)

        def header(channel, weight):
            header = [control["<|channel|>"], *self.vocabulary.encode(channel), control["<|message|>"]]
            return header, [weight] * len(header)

        def add(more, their_weights):
            tokens.extend(more)
            weights.extend(their_weights)

        assistant = [control["<|start|>"], *self.vocabulary.encode("assistant")]
        add([control["<|end|>"], *assistant], [0.0] * (1 + len(assistant)))
        way = random.random() if not self.early else random.uniform(0.1, 1.0)
        if way < 0.2:
            add(*header("final", 0.0))
        else:
            add(*header("analysis", SCAFFOLD))
            analysis, their_weights = self.tokens(told.analysis)
            whole = way >= 0.4 or self.early
            if not whole:
                kept = random.randrange(len(analysis))
                analysis, their_weights = analysis[:kept], their_weights[:kept]
            add(analysis, their_weights)
            weight = WORD if whole else 0.0
            add([control["<|end|>"]], [weight])
            add(assistant, [SCAFFOLD * bool(weight)] * len(assistant))
            add(*header("final", SCAFFOLD * bool(weight)))
        add(*self.tokens(told.final))
        add([control["<|return|>"]], [WORD])
        return tokens, weights

    # Rows.

    def row(self):
        random = self.random
        while True:
            policy = self.policy()
            effort = "low" if self.early else random.choices(["low", "medium", "high"], [0.7, 0.17, 0.13])[0]
            prefix = self.vocabulary.encode_marked(policy.prefix(effort))
            if len(prefix) <= PREFIXES[-1]:
                break
        size = next(size for size in PREFIXES if len(prefix) <= size)
        tokens = np.zeros(TOKENS, np.int32)
        item, place = np.full(TOKENS, -1, np.int32), np.zeros(TOKENS, np.int32)
        target, weight = np.zeros(TOKENS, np.int32), np.zeros(TOKENS, np.float32)
        at, number, misses = 0, 0, 0
        while misses < 6:
            words, weights = self.woven(policy, effort)
            end = at + len(words)
            if len(words) > LONGEST_ITEM or end > TOKENS:
                misses += 1
                continue
            tokens[at:end], item[at:end] = words, number
            place[at:end] = len(prefix) + np.arange(len(words))
            target[at : end - 1], weight[at : end - 1] = words[1:], weights[1:]
            at, number = end, number + 1
        padded = np.zeros(size, np.int32)
        padded[: len(prefix)] = prefix
        # What decides is always learned, of the rest what there is room for.
        wanted = np.flatnonzero(weight > 0)
        if len(wanted) > WANTED:
            chance = np.random.default_rng(random.randrange(2**32)).random(len(wanted))
            wanted = wanted[np.argsort(chance - (weight[wanted] > WORD))[:WANTED]]
        places, marks = np.zeros(WANTED, np.int32), np.zeros(WANTED, np.float32)
        places[: len(wanted)], marks[: len(wanted)] = wanted, weight[wanted]
        row = {
            "prefix": padded, "length": np.int32(len(prefix)), "tokens": tokens, "item": item, "place": place,
            "wanted": places, "weight": marks, "target": target[places],
        }
        return size, row

    def batch(self, rows):
        """So many rows whose prefixes are padded alike."""
        while True:
            size, row = self.row()
            self.waiting[size].append(row)
            if len(self.waiting[size]) == rows:
                ready, self.waiting[size] = self.waiting[size], []
                return {key: np.stack([row[key] for row in ready]) for key in ready[0]}
