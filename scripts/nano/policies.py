"""Policies: the shipped ones, and endless variants of them, rendered by the product's own templates.

Variations: title, instruction, the wording and order of categories, which of them are there, their codes, the form of the
answer, the words of the labels, and whether definitions and examples are given. Some are plain texts, as users write
them. Policies on other matters than the themes are in `unknown.py`.
"""

from dataclasses import dataclass, field
from functools import cache
import json
from pathlib import Path
import re
import string

import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "themes"
FIRST = ["spam", "fraud-and-scams", "hate", "harassment", "personal-data", "prompt-injection"]  # themes of the first course


def found_themes():
    """The ids of the shipped policies that have a file of wording: those of the first course, then the others by name."""
    found = {path.stem for path in FOLDER.glob("*.yaml")} & {path.stem for path in (ROOT / "policies").glob("*.yaml")}
    return [theme for theme in FIRST if theme in found] + sorted(found - set(FIRST))


THEMES = found_themes()

_environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False)
_policy_template = _environment.from_string((ROOT / "templates/policy.md.jinja").read_text())
_harmony_template = _environment.from_string((ROOT / "templates/harmony.jinja").read_text())


@dataclass
class Category:
    concept: str  # the shipped policy's code for it
    code: str
    title: str
    criteria: list
    verdict: str


@dataclass
class Policy:
    theme: str
    title: str
    form: str  # label, category, rationale
    labels: dict  # verdict -> word
    text: str = ""
    categories: list = field(default_factory=list)
    code_labels: bool = False  # labels are the codes

    def category(self, concept):
        return next((category for category in self.categories if category.concept == concept), None)

    @property
    def codes(self):
        return any(category.verdict == "violation" for category in self.categories)

    def answer(self, verdict, category, why):
        """The body of `final`, and the character spans of its label and its code."""
        if self.form == "label":
            word = category.code if self.code_labels and category else self.labels[verdict]
            return word, [(0, len(word))]
        label = _number_or_json(self.labels[verdict])
        code = json.dumps(category.code) if verdict == "violation" else "null"
        head = '{"violation":'
        middle = ',"policy_category":'
        spans = [(len(head), len(head + label)), (len(head + label + middle), len(head + label + middle + code))]
        body = head + label + middle + code
        if self.form == "rationale":
            body += ',"rationale":' + json.dumps(why, ensure_ascii=False)
        return body + "}", spans

    def answers(self):
        """The body of every answer that the contract allows, without the words of a rationale."""
        verdicts = [("safe", None)] if not self.code_labels else []
        verdicts += [(category.verdict, category) for category in self.categories if category.verdict == "violation" or self.code_labels]
        if not self.codes:
            verdicts.append(("violation", Category("", "?", "", [], "violation")))
        bodies = [self.answer(verdict, category, "") for verdict, category in verdicts]
        return [body[: max(end for _, end in spans)] for body, spans in bodies]

    def prefix(self, effort):
        """The prompt up to the content, control tokens as text."""
        return _harmony_template.render(effort=effort, policy=self.text, date=None, content="\0").split("\0")[0]


def _number_or_json(label):
    return label if re.fullmatch(r"0|[1-9][0-9]*", label) else json.dumps(label)


def render(policy, rules):
    """The text of a policy through the product's template; the context is that of src/policy/render.rs."""
    choices, safe = [], "safe"
    verdicts = ["safe", "violation"] if rules.get("safe_first") else ["violation", "safe"]
    if policy.code_labels:
        for category in policy.categories:
            choices.append({"label": category.code, "verdict": category.verdict, "category": category.title, "answer": category.code})
    else:
        for verdict in verdicts:
            shown = Category("", "CODE", "", [], verdict)
            answer, _ = policy.answer(verdict, shown, "WHY")
            choices.append({"label": policy.labels[verdict], "verdict": verdict, "category": None, "answer": answer})
    first_safe = next(choice for choice in choices if choice["verdict"] == safe)
    right = first_safe["answer"].replace("WHY", "No category applies.")
    sections = []
    for heading, verdict in (("VIOLATES", "violation"), ("SAFE", "safe")):
        inside = [category for category in policy.categories if category.verdict == verdict]
        one = [choice["label"] for choice in choices if choice["verdict"] == verdict]
        if inside:
            sections.append({"heading": heading, "label": one[0] if len(one) == 1 else None, "categories": inside})
    examples = []
    for example in rules.get("examples", []):
        category = example["category"]
        if policy.code_labels and category is None:
            continue
        answer, _ = policy.answer("violation" if category else "safe", category, example["why"])
        examples.append({"text": example["text"], "answer": answer})
    contract = {
        "form": policy.form,
        "choices": choices,
        "characters": all(len(choice["label"]) == 1 for choice in choices),
        "right": right,
        "wrong": f"Classification: {first_safe['label']}.",
    }
    return _policy_template.render(
        title=policy.title, instruction=rules["instruction"], contract=contract, definitions=rules.get("definitions", []),
        sections=sections, precedence=rules.get("precedence", []), ambiguity=rules.get("ambiguity", []),
        escalation=rules.get("escalation", []), examples=examples,
    ).strip()


@cache
def shipped_rules(theme):
    return yaml.safe_load((ROOT / f"policies/{theme}.yaml").read_text())


def shipped(theme, form="rationale", labels=None, recode=None, safe_first=True, whole=True):
    """The shipped policy, or with other labels, another form, or its categories under other codes.

    Not whole, it lacks the lines that name several codes by a common part. Under other codes they mean nothing. Left out
    there alone, they would be a sign that codes are the shipped ones and need not be read.
    """
    source = shipped_rules(theme)
    recode = recode or {}
    categories = [
        Category(entry["code"], recode.get(entry["code"], entry["code"]), entry["title"], entry["criteria"], entry["verdict"])
        for entry in source["categories"]
    ]
    policy = Policy(theme, source["title"], form, labels or {"violation": "1", "safe": "0"}, categories=categories)
    by_code = {category.concept: category for category in categories}

    def said(lines):
        if not whole:
            lines = [line for line in lines if not re.search(r"\b[A-Z]{2}\d\b(?!\.)", line)]
        return [re.sub(r"\b[A-Z]{2}\d\.[a-z]\b", lambda found: recode.get(found[0], found[0]), line) for line in lines]

    rules = {
        "instruction": source["instruction"].strip(),
        "definitions": [{"term": term, "meaning": meaning.strip()} for term, meaning in source.get("definitions", {}).items()],
        "precedence": said(source.get("precedence", [])),
        "ambiguity": said(source.get("ambiguity", [])),
        "escalation": said(source.get("escalation", [])),
        "examples": [{**example, "category": by_code.get(example["category"])} for example in source["examples"]],
        "safe_first": safe_first,
    }
    policy.text = render(policy, rules)
    return policy


# Variants.

LABELS = [
    ("1", "0"), ("1", "0"), ("INVALID", "VALID"), ("INVALID", "VALID"), ("UNSAFE", "SAFE"), ("BLOCK", "ALLOW"), ("REMOVE", "KEEP"),
    ("BAD", "OK"), ("yes", "no"), ("true", "false"), ("VIOLATION", "NONE"), ("FLAG", "PASS"), ("REJECT", "ACCEPT"), ("A", "B"),
    ("X", "O"), ("deny", "approve"), ("positive", "negative"), ("fail", "pass"), ("2", "1"), ("RED", "GREEN"), ("T", "F"),
]


def random_labels(random, exchanged=0.35):
    """A pair of words; in a share of cases with their meanings exchanged."""
    violation, safe = random.choice(LABELS)
    if random.random() < exchanged:
        violation, safe = safe, violation
    return {"violation": violation, "safe": safe}


def random_codes(random, violations, safes):
    """Codes in one of the ways in which policies write them, not in the shipped order."""
    letters = "".join(random.sample(string.ascii_uppercase, random.choice([1, 2, 2, 2, 3])))
    way = random.choice(["dotted", "dotted", "dotted", "digit", "dash", "letter", "number", "two"])
    if way == "letter":
        codes = list(string.ascii_uppercase)
    elif way == "number":
        codes = [f"{one}.{two}" for one in range(1, 5) for two in range(1, 5)]
    elif way == "two":
        codes = [f"{letters[0]}{number:02}" for number in range(1, 20)]
    elif way == "digit":
        codes = [f"{letters}{number}" for number in range(1, 16)]
    elif way == "dash":
        codes = [f"{letters}-{number}" for number in range(1, 16)]
    else:
        codes = [f"{letters}{one}.{two}" for one in range(1, 5) for two in "abcd"]
    if random.random() < 0.5:
        codes = codes[: violations + safes + 2]
    chosen = random.sample(codes, min(len(codes), violations + safes))
    if random.random() < 0.4:
        chosen.sort()
    return chosen[:violations], chosen[violations:]


def variant(theme, wording, random):
    """A structured policy on a theme in other words. `wording` is the theme's file."""
    concepts = wording["concepts"]
    unsafe = [code for code in concepts if not code[2] == "0"]
    safe = [code for code in concepts if code[2] == "0"]
    if random.random() < 0.15:
        unsafe = random.sample(unsafe, max(2, len(unsafe) - random.randint(1, 3)))
    if random.random() < 0.5:
        random.shuffle(unsafe)
        random.shuffle(safe)
    safe = safe[: random.randint(0, len(safe))]
    form = random.choices(["rationale", "category", "label"], [0.5, 0.25, 0.25])[0]
    code_labels = form == "label" and safe and random.random() < 0.2
    if code_labels:
        unsafe, safe = unsafe[:4], safe[:1]
    codes = random_codes(random, len(unsafe), len(safe))
    if random.random() < 0.25:
        codes = unsafe, safe

    def category(concept, code, verdict):
        words = concepts[concept]
        plain = random.random() < 0.4
        title = words["titles"][0] if plain else random.choice(words["titles"])
        return Category(concept, code, title, [words["criteria"][0] if plain else random.choice(words["criteria"])], verdict)

    categories = [category(concept, code, "violation") for concept, code in zip(unsafe, codes[0])]
    categories += [category(concept, code, "safe") for concept, code in zip(safe, codes[1])]
    policy = Policy(theme, random.choice(wording["titles"]), form, random_labels(random), categories=categories, code_labels=bool(code_labels))
    rules = {"instruction": random.choice(wording["instructions"]), "safe_first": random.random() < 0.5}
    if random.random() < 0.3:
        source = shipped_rules(theme)
        rules["definitions"] = [{"term": term, "meaning": meaning.strip()} for term, meaning in source.get("definitions", {}).items()]
    if random.random() < 0.35:
        shown = []
        for example in shipped_rules(theme)["examples"]:
            named = policy.category(example["category"])
            if example["category"] is None or named:
                shown.append({**example, "category": named})
        rules["examples"] = shown
    if random.random() < 0.3:
        rules["ambiguity"] = ["If no rule is met in full, the content is safe."]
    policy.text = render(policy, rules)
    return policy


PLAIN = [
    "# {title}\n\n{instruction}\nReturn exactly one word: {violation} or {safe}. Do not include any explanation or punctuation.\n\n"
    "{violation}: {violates}\n{safe}: {allowed}\n\nAnswer with {violation} or {safe} only.",
    "{title} policy\n\nReply {safe} or {violation} and nothing else.\n\n## {violation}\n{violates}\n{bullets}\n## {safe}\n{allowed}\n",
    "You are a moderator. {instruction}\n\n{violates}\nSuch content is {violation}. {allowed} That is {safe}.\n\n"
    "Output one word, {violation} or {safe}.",
    "# {title}\n## INSTRUCTIONS\n{instruction} Answer {violation} if the content violates this policy, {safe} if it does not.\n"
    "## VIOLATES ({violation})\n{bullets}\n## SAFE ({safe})\n- {allowed}\n\nAnswer: {violation} or {safe}, no explanation.",
    "{instruction} {violates} If so, answer {violation}. If not, answer {safe}. {allowed}",
]


def plain(theme, wording, random):
    """A policy as users write one: a page of text, and two words."""
    labels = random_labels(random)
    bullets = [random.choice(words["criteria"]) for code, words in wording.get("concepts", {}).items() if code[2] != "0"]
    random.shuffle(bullets)
    title = random.choice(wording["titles"])
    text = random.choice(PLAIN).format(
        title=title, instruction=random.choice(wording["instructions"]), violates=random.choice(wording["violates"]),
        allowed=random.choice(wording["allowed"]), bullets="\n".join(f"- {line}" for line in bullets) or "- " + wording["violates"][0], **labels,
    )
    return Policy(theme, title, "label", labels, text=text.strip())


def short(theme, wording, random):
    """A policy of a line."""
    labels = random_labels(random)
    title = random.choice(wording["titles"])
    text = f"{title}. Answer {labels['violation']} if the content violates this policy, {labels['safe']} if it does not."
    return Policy(theme, title, "label", labels, text=text)


def relabelled(theme, random):
    """The shipped policy with other labels, which are mostly alone, and as often as not mean the opposite."""
    form = random.choices(["rationale", "category", "label"], [0.3, 0.1, 0.6])[0]
    return shipped(theme, form, random_labels(random, 0.5), safe_first=random.random() < 0.5, whole=random.random() < 0.5)


def recoded(theme, random):
    """The shipped policy with codes exchanged, other labels or another form."""
    source = shipped_rules(theme)
    recode = {}
    if random.random() < 0.9:
        codes = [entry["code"] for entry in source["categories"] if entry["verdict"] == "violation"]
        if random.random() < 0.5:
            recode = dict(zip(codes, random.sample(codes, len(codes))))
        else:
            recode = dict(zip(codes, random_codes(random, len(codes), 0)[0]))
    labels = random_labels(random) if random.random() < 0.6 else None
    form = random.choices(["rationale", "category", "label"], [0.6, 0.2, 0.2])[0]
    return shipped(theme, form, labels, recode=recode, safe_first=random.random() < 0.8, whole=random.random() < 0.5)


def load_themes():
    return {theme: yaml.safe_load((FOLDER / f"{theme}.yaml").read_text()) for theme in THEMES}


def load_matters():
    """Matters that are no theme: for training, and those that only the evaluation sees."""
    matters = yaml.safe_load((FOLDER / "other-matters.yaml").read_text())
    return [matter for matter in matters if not matter.get("held_out")], [matter for matter in matters if matter.get("held_out")]
