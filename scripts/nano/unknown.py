"""Policies on other matters than the themes, and texts that the model cannot read.

The model leaves both open. At the place of the label it then writes `?`, which no contract allows, so that the mass of the
allowed answers is low and the verdict `unresolved`. Policies come from themes/other-matters.yaml, and endless ones from the
dictionary's words. Unreadable texts are sentences in other languages, and letters at random.
"""

import base64
import re

import policies

MARK = "?"  # in place of a label
NO_POLICY = "do not know this policy."  # behind "I"
NO_TEXT = "I cannot read this text."

# A word of the dictionary whose meaning touches a theme makes no other matter.
TOUCHES = re.compile(
    r"spam|advert|fraud|swindl|cheat|deceiv|steal|theft|counterfeit|forge|hate|hatred|racis|insult|abus|harass|threat|violen|kill|murder|wound|injur|"
    r"blood|tortur|weapon|\bgun|firearm|rifle|pistol|\bbomb|explos|ammunition|drug|narcotic|alcohol|tobacco|liquor|gambl|suicid|starv|sex|genital|porn|erotic|"
    r"nude|terror|extremis|computer|software|password|virus|hack|copyright|piracy|patent|vote|election|ballot|diagnos|disease|medic|physician|lawyer|invest|"
    r"privacy|identity|teen|adolescen|crime|criminal|weight|diet", re.I,
)
ENTRY = re.compile(r"([A-Za-z][a-z' -]+(?:, [A-Za-z' -]+)*): ([a-z(].{15,120})")


def entries(words):
    """(words, meaning) of the dictionary's lines among the broad texts."""
    found = (ENTRY.fullmatch(line) for line in words)
    return [(entry[1].split(", "), entry[2]) for entry in found if entry and not TOUCHES.search(entry[0])]


def odd_matter(entries, random):
    """A matter that no platform has rules on, from words of the dictionary."""
    chosen = random.sample(entries, random.randint(3, 7))
    names, meaning = chosen[0]
    name, more = names[0], [", ".join(names) for names, _ in chosen[1:]]
    pick = random.choice
    violates = [pick([f"Anything about {name}: {meaning}.", f"Posts that mention {name} or {more[0]}.", f"{meaning.capitalize()}, also called {name}."])]
    return {
        "titles": [pick([name.capitalize(), f"{name.capitalize()} posts", f"No {name}", f"On {name}", f"Rules on {name}", f"{name.capitalize()} and {more[0]}"])],
        "instructions": [pick([
            f"Decide whether the text is about {name}.", f"Decide whether the post has to do with {name}, {meaning}.", f"Mark what concerns {name}.",
            f"Is this about {name} or {more[0]}?", f"We sort messages: those on {name}, and all others.",
        ])],
        "violates": violates,
        "allowed": [pick([f"Texts on {more[-1]} are fine.", "Everything else is fine.", f"Whatever is not {name}.", f"{more[-1].capitalize()} may be discussed."])],
        "categories": {
            str(number): ([*names][0].capitalize(), pick([f"{meaning.capitalize()}.", f"Talks of {names[-1]}: {meaning}.", f"Is about {meaning}."]))
            for number, (names, meaning) in enumerate(chosen)
        },
    }


def policy(matters, entries, random, is_short=False):
    """A policy on no theme."""
    matter = random.choice(matters) if random.random() < 0.5 else odd_matter(entries, random)
    if is_short:
        return policies.short(None, matter, random)
    if random.random() < 0.3:
        return policies.plain(None, matter, random)
    count = random.randint(2, len(matter["categories"]))
    chosen = random.sample(list(matter["categories"].values()), count)
    codes, _ = policies.random_codes(random, count, 0)
    categories = [policies.Category("", code, title, [criterion], "violation") for code, (title, criterion) in zip(codes, chosen)]
    form = random.choices(["rationale", "category", "label"], [0.5, 0.25, 0.25])[0]
    made = policies.Policy(None, random.choice(matter["titles"]), form, policies.random_labels(random), categories=categories)
    rules = {"instruction": random.choice(matter["instructions"]), "safe_first": random.random() < 0.5}
    if random.random() < 0.5:
        rules["ambiguity"] = [random.choice(["If no rule is met in full, the content is safe.", *matter["allowed"]])]
    if random.random() < 0.5:
        rules["precedence"] = ["If several rules apply, the highest number decides, then the first letter."]
    made.text = policies.render(made, rules)
    return made


# Texts.


def mashed(random):
    """Letters as a cat on the keyboard types them, and other noise."""
    pick = random.choice

    def word():
        way = random.random()
        if way < 0.4:
            row = pick(["qwertyuiop", "asdfghjkl", "zxcvbnm", "asdf", "jkl", "hjkl"])
            return "".join(pick(row) for _ in range(random.randint(3, 12)))
        if way < 0.7:
            return "".join(pick("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(2, 11)))
        if way < 0.85:
            return base64.b64encode(random.randbytes(random.randint(6, 18))).decode()
        return "".join(chr(random.choice([random.randint(0x391, 0x3C9), random.randint(0x410, 0x44F), random.randint(0x2190, 0x22FF), random.randint(0x4E00, 0x5FFF)])) for _ in range(random.randint(2, 8)))

    return pick([" ", " ", " ", "\n", ", "]).join(word() for _ in range(random.randint(3, 14)))


def text(tongues, random, letters_alone):
    """A text that the model cannot read. `tongues` are sentences in other languages."""
    if letters_alone or random.random() < 0.65:
        return " ".join(random.choice(tongues) for _ in range(random.choice([1, 1, 2, 3])))
    return mashed(random)
