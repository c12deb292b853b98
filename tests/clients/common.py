"""Parts that the client scripts share: the addresses of the servers, the expected rows and the comparison.

`scripts/client-test` starts the servers, runs `magistrate check` and sets the variables that are read here.
"""

import json
import os
import sys
import unittest

URL = os.environ["CLIENT_TEST_URL"]
"""Server without keys."""
KEYED_URL = os.environ["CLIENT_TEST_KEYED_URL"]
"""Server that wants `KEY`."""
KEY = os.environ["CLIENT_TEST_KEY"]
BUSY_URL = os.environ.get("CLIENT_TEST_BUSY_URL")
"""Server with a short queue, if the program has a setting for it."""

with open(os.environ["CLIENT_TEST_EXPECTED"], encoding="utf-8") as file:
    EXPECTED = json.load(file)

TEXTS = EXPECTED["texts"]
POLICIES = EXPECTED["policies"]
CRITERIA = EXPECTED["criteria"]
"""A policy that a request contains. Its rows have the name `criteria`."""
SPAM, FRAUD, HARMLESS, BETWEEN = (EXPECTED["names"][name] for name in ("spam", "fraud", "harmless", "between"))
"""Four of the texts. `BETWEEN` has a probability under `spam` that is far from 0 and from 1."""

TOLERANCE = 1e-6
OPENAI_CATEGORIES = {
    "harassment": ["harassment"],
    "harassment/threatening": ["harassment"],
    "hate": ["hate"],
    "hate/threatening": ["hate"],
    "illicit": ["fraud-and-scams"],
    "illicit/violent": [],
    "self-harm": [],
    "self-harm/instructions": [],
    "self-harm/intent": [],
    "sexual": [],
    "sexual/minors": [],
    "violence": [],
    "violence/graphic": [],
}
"""The 13 categories of OpenAI, and the served policies that stand for them."""

compared = 0
largest = 0.0


def row(policy, text):
    """Returns the row of `magistrate check --effort none --json` for a policy and a text."""
    return EXPECTED["rows"][policy][text]


def probability(policy, text):
    return row(policy, text)["probability"]


def is_violation(policy, text):
    return row(policy, text)["verdict"] == "violation"


def category_score(category, text):
    """Returns the score that a moderation has to give one of OpenAI's categories."""
    return max((probability(policy, text) for policy in OPENAI_CATEGORIES[category]), default=0.0)


def check_probability(test, got, expected, what):
    """Compares two probabilities, and counts the comparison for the report."""
    global compared, largest
    test.assertIsInstance(got, (int, float), what)
    difference = abs(got - expected)
    test.assertLessEqual(difference, TOLERANCE, f"{what}: {got} instead of {expected}")
    compared += 1
    largest = max(largest, difference)


def check_scores(test, scores, text):
    """Compares all 13 scores of a moderation, given by OpenAI's names, with the rows."""
    for category in OPENAI_CATEGORIES:
        check_probability(test, scores[category], category_score(category, text), f"{category} of {text!r}")


def run():
    """Runs the tests of the calling script. The last line of the output is the report."""
    program = unittest.main(module="__main__", exit=False, argv=sys.argv, verbosity=1)
    result = program.result
    report = {
        "run": result.testsRun,
        "failed": [test.id().removeprefix("__main__.") for test, _ in result.failures + result.errors],
        "skipped": [reason for _, reason in result.skipped],
        "compared": compared,
        "largest": largest,
    }
    sys.stdout.flush()
    print("REPORT " + json.dumps(report))
    sys.exit(0 if result.wasSuccessful() else 1)
