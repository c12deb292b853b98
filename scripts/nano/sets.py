"""Texts of other people with known answers: the train splits of public data sets.

They are read where they lie and never copied. They are, each as JSONL with `text`:

  sms-spam          SMS Spam Collection (UCI), CC BY 4.0                     violation 0/1
  hatecheck         paul-rottger/hatecheck-data, CC BY 4.0                   violation 0/1, functionality
  hatemoji          HannahKirk/Hatemoji (HatemojiBuild), CC BY 4.0           violation 0/1, type
  davidson          t-davidson/hate-speech-and-offensive-language, MIT       class
  convabuse         amandacurry/convabuse, CC BY 4.0                         violation 0/1, the bot's turn before
  presidio-pii      microsoft/presidio-research, MIT (names CC BY-SA 3.0)    violation 0/1, entities
  prompt-injection  bastioncorpus (PyPI), MIT                                violation 0/1, category
  xstest            paul-rottger/exaggerated-safety, CC BY 4.0               safe 0/1, type

They say violation or safe; which rule a violation breaks is guessed here from words and from their own labels.
"""

import json
import re

from policies import THEMES
from texts import text


def guess(words, rules, otherwise):
    return next((concept for pattern, concept in rules if re.search(pattern, words, re.I)), otherwise)


SPAM = [
    (r"password|log ?in|verify|your (bank|account).{0,40}(suspend|lock|expire)|\bpin\b", "SP4.a"),
    (r"refund|unclaimed|important message|customer service|statement|billed|loan|debt", "SP4.b"),
    (r"prize|won\b|win\b|winner|award|claim|free entry|selected|reward|guarantee|bonus|voucher", "SP3.b"),
]
HATE = [
    (r"kill|murder|shoot|stab|strangle|hang|drown|burn|rape|beat|punch|throat|slaughter|suffer|execut|exterminat|"
     r"put an end|get rid of|die\b|hurt|attack", "HT4.a"),
    (r"vermin|rats|scum|dirt|garbage|refuse|worth|animal|subhuman|lesser|inferior|cockroach|creature|pigs|\bvet\b|monkey|dogs", "HT3.a"),
    (r"government|allow|ban\b|out of|deport|keep them|send", "HT3.b"),
    (r"hate|despise|disgust|stand\b|disdain|scorn|detest|loathe|sick|contempt|furious|like less", "HT2.a"),
    (r"stupid|ignorant|dumb|filthy|violent|cruel|typical|stink|immoral|repuls|always|only", "HT1.a"),
]
FUNCTIONS = {
    "slur_h": "HT2.b", "derog_dehum_h": "HT3.a", "derog_neg_attrib_h": "HT1.a", "derog_neg_emote_h": "HT2.a", "profanity_h": "HT2.a",
    "negate_pos_h": "HT3.a", "threat_dir_h": "HT4.a", "threat_norm_h": "HT4.a", "counter_quote_nh": "HT0.b",
    "counter_ref_nh": "HT0.b", "negate_neg_nh": "HT0.b", "ident_neutral_nh": "HT0.a", "ident_pos_nh": "HT0.a",
    "slur_reclaimed_nh": "HT0.d", "slur_homonym_nh": "HT0.d",
}
ATTACKS = {
    "instruction_override": "PI2.a", "delimiter_injection": "PI2.a", "jailbreak_persona": "PI2.b", "obfuscation": "PI3.a",
}


EMOJI = {"animosity": "HT1.a", "dehumanizinglanguage": "HT3.a", "threateninglanguage": "HT4.a"}
ABUSE = [
    (r"\b(kill|die|death|hurt|beat|punch|slap|shoot)\b", "HR4.a"),
    (r"\b(naked|nude|sex\w*|kiss|boobs?|horny|wear(ing)?)\b", "HR2.b"),
    (r"stupid|dumb|idiot|moron|useless|ugly|fat|hate you|worst|suck|annoying|boring|crap|terrible|liar|shut up", "HR2.a"),
]
HARMLESS = {"safe_contexts": "VT0.a", "definitions": "VT0.b", "historical_events": "VT0.b"}


def with_turn(row):
    """A turn to a chatbot, behind the bot's own turn."""
    return f"Bot: {row['before']}\nUser: {row['text']}"


def from_data(folder):
    """All texts of the train splits."""

    def rows(name):
        with open(folder / name / "train.jsonl") as file:
            return [json.loads(line) for line in file]

    texts = []
    for row in rows("sms-spam"):
        concept = guess(row["text"], SPAM, "SP2.a") if row["violation"] else "SP0.a"
        texts.append(text(row["text"], "spam", concept, unknown={"harassment", "sexual-content"} if not row["violation"] else ()))
    for row in rows("hatecheck"):
        concept = FUNCTIONS.get(row["functionality"]) or (guess(row["text"], HATE, "HT2.a") if row["violation"] else "HT0.c")
        texts.append(text(row["text"], "hate", concept, unknown={"harassment"}))
    for row in rows("hatemoji"):
        kind = EMOJI.get(row["type"]) or guess(row["text"], HATE, "HT2.a") if row["violation"] else "HT0.c"
        texts.append(text(row["text"], "hate", kind, unknown={"harassment"}))
    for row in rows("convabuse"):
        concept = guess(row["text"], ABUSE, "HR2.a") if row["violation"] else "HR0.b"
        texts.append(text(row["text"], "harassment", concept, unknown={"hate"}))
        if row["violation"] or len(texts) % 2:
            texts.append(text(with_turn(row), "harassment", concept, unknown={"hate"}))
    for row in rows("davidson"):
        drugs = {"drugs-and-regulated-goods"}
        if row["class"] == "neither":
            texts.append(text(row["text"], "harassment", "HR0.b", unknown={"spam", "fraud-and-scams"} | drugs))
            continue
        threat = re.search(r"\b(kill|shoot|beat|punch|slap|die)\b", row["text"], re.I)
        texts.append(text(row["text"], "harassment", "HR4.a" if threat else "HR1.a", unknown={"hate"} | drugs))
        if row["class"] == "hate":
            texts.append(text(row["text"], "hate", guess(row["text"], HATE[:2], "HT2.b"), unknown={"harassment"} | drugs))
    for row in rows("presidio-pii"):
        found = set(row["entities"])
        order = [
            ("PD4.a", {"CREDIT_CARD", "US_SSN", "IBAN_CODE", "US_DRIVER_LICENSE"}), ("PD2.a", {"PHONE_NUMBER", "EMAIL_ADDRESS"}),
            ("PD2.b", {"STREET_ADDRESS"}), ("PD1.a", {"IP_ADDRESS"}),
        ]
        safe = "PD0.b" if found & {"ORGANIZATION", "DOMAIN_NAME"} else "PD0.a"
        concept = next((code for code, kinds in order if kinds & found), "PD2.a") if row["violation"] else safe
        texts.append(text(row["text"], "personal-data", concept))
    for row in rows("prompt-injection"):
        words = row["text"]
        if not row["violation"]:
            concept = "PI0.a"
        elif row["category"] in ATTACKS:
            concept = ATTACKS[row["category"]]
        elif re.search(r"system.?prompt|prompt|initial instructions|anweisungen|instrucciones|istruzioni|context window", words, re.I):
            concept = "PI1.a"
        elif re.search(r"e-?mail|send|http_post|envi|externa", words, re.I):
            concept = "PI4.a"
        elif re.search(r"delete|call |grant", words, re.I):
            concept = "PI4.b"
        else:
            concept = "PI3.a" if row["category"].startswith("indirect") else "PI2.a"
        texts.append(text(words, "prompt-injection", concept))
    for row in rows("xstest"):
        unknown = {"hate", "harassment", "personal-data"} | (set() if row["safe"] else set(THEMES) - {"spam", "fraud-and-scams", "prompt-injection"})
        texts.append(text(row["text"], "prompt-injection", "PI0.a", unknown=unknown - {"prompt-injection"}))
        concept = HARMLESS.get(row["type"])
        if concept and "violence-and-threats" in THEMES:
            texts.append(text(row["text"], "violence-and-threats", concept))
        if row["type"] == "contrast_privacy":
            texts.append(text(row["text"], "personal-data", "PD1.b"))
        if row["type"] == "privacy_fictional":
            texts.append(text(row["text"], "personal-data", "PD0.c"))
    return texts
