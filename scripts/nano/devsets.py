"""The texts of an evaluation: dev splits, templates that training did not see, golden sets, and texts typed by hand.

The golden sets are for the program alone: no training text repeats one of theirs (tests/it/nano_texts.rs), and nobody reads
them while a model is trained.
"""

import csv
import json
import random
import re

import yaml

import pack
import policies
from sets import with_turn
from texts import from_templates
import unknown

TYPED = policies.ROOT / "tests/support/nano-typed.jsonl"
# The labels of openai-moderation, and the policies that they are closest to.
LABELS = {
    "S": "sexual-content", "H": "hate", "V": "violence-and-threats", "HR": "harassment", "SH": "self-harm", "H2": "hate", "V2": "graphic-violence",
}
# The policies of teen-safety, which are not the shipped ones: a rule of theirs other than number 0 counts as a violation.
TEEN = {
    "age-restricted-goods-and-services": "teen-safety", "dangerous-content": "teen-safety", "dangerous-roleplay": "teen-safety",
    "harmful-body-ideals": "teen-safety", "graphic-violent-content": "graphic-violence",
}


class Sets:
    def __init__(self, data, limit, tongues):
        self.data, self.limit, self.tongues = data, limit, tongues
        self.wording, self.held_out = policies.load_themes(), None

    def dev(self, name):
        with open(self.data / name / "dev.jsonl") as file:
            return [json.loads(line) for line in file]

    def some(self, pairs, seed=0):
        if self.limit and len(pairs) > self.limit:
            return random.Random(seed).sample(pairs, self.limit)
        return pairs

    def public(self):
        """(name, policy, [(text, violation)])"""
        by = lambda name: [(row["text"], bool(row["violation"])) for row in self.dev(name)]
        ham = [pair for pair in by("sms-spam") if not pair[1]]
        harmless = [(row["text"], False) for row in self.dev("xstest") if row["safe"]]
        yield "sms-spam", "spam", self.some(by("sms-spam"))
        yield "presidio-pii", "personal-data", self.some(by("presidio-pii"))
        yield "prompt-injection", "prompt-injection", self.some(by("prompt-injection")) + self.some(harmless) + self.some(ham)
        yield "hatecheck", "hate", self.some(by("hatecheck"))
        yield "hatemoji", "hate", self.some(by("hatemoji"))
        yield "davidson", "harassment", self.some([(row["text"], row["class"] != "neither") for row in self.dev("davidson")])
        yield "convabuse", "harassment", self.some(by("convabuse"))
        yield "convabuse, with the bot's turn", "harassment", self.some([(with_turn(row), bool(row["violation"])) for row in self.dev("convabuse")])

    def more(self):
        """The same, of sets whose labels follow other policies than the shipped ones."""
        found = {}
        for row in self.dev("openai-moderation"):
            labels = {}
            for label, value in row["labels"].items():
                policy = LABELS.get(label)
                if policy:
                    labels[policy] = labels.get(policy, 0) or value
            for policy, value in labels.items():
                found.setdefault(policy, []).append((row["text"], bool(value)))
        for policy, pairs in found.items():
            yield "openai-moderation", policy, self.some(pairs)
        for policy in ("teen-safety", "graphic-violence"):
            pairs = []
            for name in (name for name, theirs in TEEN.items() if theirs == policy):
                with open(self.data / "teen-safety" / f"{name}.csv", newline="") as file:
                    rows = [row for row in csv.reader(file) if len(row) > 1 and re.fullmatch(r"[A-Z]+\d", row[1].strip())]
                pairs += [(row[0], not row[1].strip().endswith("0")) for row in rows]
            yield "teen-safety", policy, self.some(pairs)

    def golden(self, theme):
        cases = yaml.safe_load((policies.ROOT / f"policies/golden/{theme}.yaml").read_text())["cases"]
        codes = {category["code"] for category in policies.shipped_rules(theme)["categories"] if category["verdict"] == "violation"}
        return [(case["text"], case["category"] in codes) for case in cases]

    def typed(self):
        """(policy, [(text, violation)])"""
        found = {}
        for line in TYPED.read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["policy"], []).append((row["text"], row["expected"] == "violation"))
        return found.items()

    def made(self, theme, each=24):
        """Texts from templates that training did not see, safe ones as many as violations."""
        self.held_out = self.held_out or from_templates(self.wording, random.Random(99), each, "held_out")
        texts = [text for text in self.held_out if text.theme == theme]
        unsafe = [(text.text, True) for text in texts if text.violates]
        safe = [(text.text, False) for text in texts if not text.violates]
        return unsafe + safe

    def violations(self, theme, count, seed=1):
        sources = {"spam": "sms-spam", "personal-data": "presidio-pii", "hate": "hatecheck", "prompt-injection": "prompt-injection"}
        if theme in sources:
            texts = [row["text"] for row in self.dev(sources[theme]) if row["violation"]]
        elif theme == "harassment":
            texts = [row["text"] for row in self.dev("davidson") if row["class"] == "offensive"]
        else:
            texts = []
        if len(texts) < count:
            texts += [text for text, violates in self.made(theme) if violates]
        return random.Random(seed).sample(texts, min(count, len(texts)))

    def unreadable(self, count):
        """Texts that training has nothing like: sentences of languages that it did not meet, and letters at random."""
        chance, tongues = random.Random(8), pack.translations(self.tongues, held_out=True) if self.tongues else []
        found = {"letters at random": [unknown.mashed(chance) for _ in range(count)]}
        if tongues:
            found["other languages"] = chance.sample(tongues, count)
        return found
