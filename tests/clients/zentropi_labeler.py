"""The command-line client of Zentropi, pointed at the server by `ZENTROPI_RUN_API_BASE`."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import common
from common import KEY, KEYED_URL, SPAM, TEXTS, URL

SCRIPT = os.environ["CLIENT_TEST_SOURCE"]


def violation_probability(answer):
    """Returns P(violation) from the label and the probability of that label, as Coop computes it."""
    return answer["confidence"] if answer["label"] == "1" else 1 - answer["confidence"]


class Labeler(unittest.TestCase):
    def call(self, *arguments, url=URL, key="zt_unused"):
        with tempfile.TemporaryDirectory() as home:
            variables = {"ZENTROPI_RUN_API_BASE": url, "ZENTROPI_API_KEY": key, "XDG_CONFIG_HOME": home}
            command = [sys.executable, SCRIPT, "run", *arguments]
            return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=120)

    def test_a_policy_is_a_labeler(self):
        for text in TEXTS:
            done = self.call("spam", "--text", text)
            self.assertEqual(done.returncode, 0, done.stderr)
            answer = json.loads(done.stdout)
            self.assertEqual(answer["label"], "1" if common.is_violation("spam", text) else "0")
            got = violation_probability(answer)
            common.check_probability(self, got, common.probability("spam", text), repr(text))
            self.assertGreaterEqual(answer["compute_time"], 0)

    def test_a_file_of_texts_is_labeled(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps({"id": f"text-{n}", "text": text}) + "\n" for n, text in enumerate(TEXTS))
            file.flush()
            done = self.call("spam", "--batch", file.name, "--concurrency", "4")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["id"] for line in lines], [f"text-{n}" for n in range(len(TEXTS))])
        for text, line in zip(TEXTS, lines):
            got = violation_probability(line["result"])
            common.check_probability(self, got, common.probability("spam", text), repr(text))

    def test_the_version_may_be_the_newest(self):
        done = self.call("spam", "--version", "latest", "--text", SPAM)
        self.assertEqual(done.returncode, 0, done.stderr)
        got = violation_probability(json.loads(done.stdout))
        common.check_probability(self, got, common.probability("spam", SPAM), "latest")

    def test_an_unknown_labeler_is_not_found(self):
        done = self.call("no-such-policy", "--text", SPAM)
        self.assertEqual(done.returncode, 1)
        self.assertIn("(404)", done.stderr)
        self.assertNotIn("{", done.stderr)

    def test_criteria_in_the_request_are_a_policy(self):
        for text in TEXTS:
            done = self.call("--criteria", common.CRITERIA, "--text", text)
            self.assertEqual(done.returncode, 0, done.stderr)
            got = violation_probability(json.loads(done.stdout))
            common.check_probability(self, got, common.probability("criteria", text), f"criteria of {text!r}")

    def test_criteria_without_labels_or_with_1_and_0_are_answered_with_1_or_0(self):
        for criteria in (
            "The text offers a prize.",
            "Label 1 if the text offers a prize, else 0.",
            "Return exactly one digit: 1 or 0. 1: the text offers a prize. 0: anything else.",
        ):
            done = self.call("--criteria", criteria, "--text", SPAM)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(json.loads(done.stdout)["label"], ("0", "1"))

    def test_an_empty_text_is_an_error_without_a_label(self):
        done = self.call("spam", "--text", " ")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("(422)", done.stderr)

    def test_a_key_is_asked_for_where_the_server_has_keys(self):
        done = self.call("spam", "--text", SPAM, url=KEYED_URL, key=KEY)
        got = violation_probability(json.loads(done.stdout))
        common.check_probability(self, got, common.probability("spam", SPAM), "with a key")
        refused = self.call("spam", "--text", SPAM, url=KEYED_URL, key="zt_wrong")
        self.assertEqual(refused.returncode, 3)
        self.assertIn("authentication failed (401)", refused.stderr)


if __name__ == "__main__":
    common.run()
