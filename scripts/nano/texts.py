"""Texts with their known answers: made from the templates in themes/, or by other people (`sets.py`).

A text knows its theme and concept (a code of the shipped policy), and whether it violates the policy of each theme, as
far as that is known.
"""

from dataclasses import dataclass
import re

from filler import Filler
from policies import THEMES

MADE = 300  # texts made for each concept


@dataclass
class Text:
    text: str
    theme: str
    concept: str
    violates: bool
    source: str  # "data", "made" or "broad"
    unknown: frozenset = frozenset()  # themes without a known answer
    template: str = ""  # its origin
    number: int = -1  # its row in the teacher's table

    def verdict(self, theme):
        """Returns True if the text violates a policy on a theme, None if the answer is unknown."""
        if theme in self.unknown:
            return None
        return self.violates and theme == self.theme


# Pairs of themes: a violation of the first may or may not be one of the second.
OVERLAPS = {
    "spam": {"fraud-and-scams", "personal-data"},
    "fraud-and-scams": {"spam", "personal-data"},
    "hate": {"harassment"},
    "harassment": set(),
    "personal-data": {"fraud-and-scams"},
    "prompt-injection": {"personal-data", "fraud-and-scams"},
}
# Themes of the second course that touch others, in both directions. There, safe texts too may be violations of the other.
NEAR = {
    "violence-and-threats": {
        "harassment", "hate", "weapons", "violent-extremism", "graphic-violence", "teen-safety", "self-harm", "misinformation-and-elections",
    },
    "weapons": {"violent-extremism", "teen-safety", "graphic-violence", "spam", "fraud-and-scams"},
    "drugs-and-regulated-goods": {"teen-safety", "regulated-advice", "self-harm", "intellectual-property", "spam", "fraud-and-scams"},
    "self-harm": {"teen-safety", "harassment", "regulated-advice", "graphic-violence"},
    "cybercrime": {"fraud-and-scams", "personal-data", "prompt-injection", "intellectual-property", "misinformation-and-elections", "spam"},
    "violent-extremism": {"hate", "harassment", "graphic-violence", "misinformation-and-elections"},
    "graphic-violence": {"teen-safety", "harassment"},
    "intellectual-property": {"fraud-and-scams", "spam", "harassment", "personal-data", "misinformation-and-elections"},
    "misinformation-and-elections": {"regulated-advice", "hate", "fraud-and-scams", "spam"},
    "regulated-advice": {"teen-safety", "fraud-and-scams", "spam"},
    "sexual-content": {"harassment", "teen-safety", "spam", "fraud-and-scams"},
    "teen-safety": {"harassment", "spam"},
}
CONTACT = re.compile(r"@|\d[\d\s().-]{6,}\d|www\.|http")
TALK = "SP0.a"  # ordinary talk, which breaks no rule of any theme


def near(theme):
    """The themes that touch a theme, among those of the second course, or all if the theme is of the second course itself."""
    return NEAR.get(theme, set()) | {other for other, themes in NEAR.items() if theme in themes}


def text(words, theme, concept, source="data", unknown=(), template=""):
    violates = concept[2] != "0"
    unknown = set(unknown) | (OVERLAPS.get(theme, set()) if violates else set())
    if concept != TALK:
        unknown |= near(theme)
    if theme != "personal-data" and CONTACT.search(words):
        unknown.add("personal-data")
    return Text(words.strip(), theme, concept, violates, source, frozenset(unknown - {theme}), template)


# Templates.


def from_templates(wording, random, each, part="texts", themes=THEMES):
    """`each` texts of every concept of every theme, three times as many of the safe ones, which are fewer and wider."""
    texts = []
    for theme in themes:
        filler = Filler(random, wording[theme].get("slots", {}))
        for concept, words in wording[theme]["concepts"].items():
            templates = words[part]
            for number in range(each * (3 if concept[2] == "0" else 1)):
                template = templates[number % len(templates)]
                texts.append(filled(filler, theme, concept, template))
    return texts


def filled(filler, theme, concept, template):
    """A text from a template."""
    return text(filler.fill(template), theme, concept, "made", unknown_of(theme, concept), template)


def broad_text(words, number):
    """A text of somebody about anything, as one that breaks no rule. It was not checked for hate and rudeness."""
    found = text(words, "spam", "SP0.a", "broad", {"hate", "harassment"})
    found.number = number
    return found


def unknown_of(theme, concept):
    """Themes for which a made text is not known to be safe."""
    if concept in ("HR2.b", "HR3.a", "HR4.a", "HR1.a"):
        return {"hate"}
    if concept in ("SP0.b", "FR0.a"):
        return {"spam", "fraud-and-scams"} - {theme}
    if concept in ("HT0.c", "HT0.b", "HT0.d", "SP0.a"):
        return {"harassment"}
    if concept in ("PD0.c", "PD0.b"):
        return {"prompt-injection"} - {theme}
    return set()


def spliced(words, other, random):
    """The beginning of one text and the end of another of the same kind, or a part of one."""
    one, two = words.split(" "), other.split(" ")
    way = random.random()
    if way < 0.35 or len(one) < 6:
        return words
    if way < 0.6:
        kept = random.randint(len(one) * 3 // 5, len(one))
        start = random.randint(0, len(one) - kept)
        return " ".join(one[start : start + kept])
    return " ".join(one[: random.randint(len(one) // 2, len(one))] + two[random.randint(len(two) // 3, max(len(two) // 3, len(two) - 3)) :])


def roughened(words, random):
    """The same text as somebody else might have written it: other digits, a word or a letter lost, another case."""
    if random.random() < 0.5:
        words = re.sub(r"\d", lambda found: str(random.randrange(10)) if random.random() < 0.8 else found[0], words)
    if random.random() < 0.3:
        rate = random.choice([0.05, 0.1, 0.2])
        kept = [word for word in words.split(" ") if re.search(r"[\d@<|{]", word) or random.random() > rate]
        words = " ".join(kept) if len(kept) > 2 else words
    way = random.random()
    if way < 0.08:
        return words.lower()
    if way < 0.10:
        return words.upper()
    if way < 0.14:
        return words.rstrip(".!?")
    if way < 0.20 and len(words) > 8:
        at = random.randrange(len(words) - 1)
        return words[:at] + words[at + 1] + words[at] * (way < 0.17) + words[at + 2 :]
    return words
