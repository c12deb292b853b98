"""NeMo Guardrails with its classifier backends (vLLM, KServe, FMS) and its checks by a chat model.

NeMo sends no key to an address without TLS, so its backends use the server without keys.
"""

import asyncio
import os
import unittest

import common
from common import BETWEEN, SPAM, TEXTS, URL

os.environ["DO_NOT_TRACK"] = "1"
os.environ["NEMO_GUARDRAILS_TELEMETRY_ENABLED"] = "false"
os.environ["POLICYAI_BASE_URL"] = URL
os.environ["POLICYAI_API_KEY"] = "unused"
os.environ["POLICYAI_TAG_NAME"] = "spam"

from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.library.hf_classifier.backends import get_backend

CLASSIFIER = """
models: []
rails:
  input:
    flows:
      - hf classifier check input $classifier="spam"
  config:
    hf_classifier:
      spam:
        engine: {engine}
        model: spam
        base_url: "{url}"
        threshold: {threshold!r}
        blocked_labels: [{label}]
"""
SELF_CHECK = """
models:
  - {type: main, engine: openai, model: spam+yesno, parameters: {base_url: "URL/v1", api_key: unused}}
rails:
  input:
    flows: [self check input]
prompts:
  - {task: self_check_input, content: "{{ user_input }}"}
"""
CONTENT_SAFETY = """
models:
  - {type: main, engine: openai, model: spam, parameters: {base_url: "URL/v1", api_key: unused}}
  - {type: content_safety, engine: openai, model: spam+FORM, parameters: {base_url: "URL/v1", api_key: unused}}
rails:
  input:
    flows:
      - content safety check input $model=content_safety
prompts:
  - task: content_safety_check_input $model=content_safety
    content: "{{ user_input }}"
    output_parser: PARSER
    max_tokens: 50
"""
POLICYAI = """
models: []
rails:
  input:
    flows: [policyai moderation on input]
"""
REFUSAL = "I'm sorry, I can't respond to that."


def rails(yaml):
    return LLMRails(RailsConfig.from_content(yaml_content=yaml.replace("URL", URL)))


class Rails(unittest.TestCase):
    def is_blocked(self, app, text):
        """Runs the input rails on a text. An error inside NeMo is a failure, as its reply is a refusal, too."""
        options = {"rails": ["input"], "log": {"activated_rails": True}}
        answer = app.generate(messages=[{"role": "user", "content": text}], options=options)
        content = answer.response[0]["content"]
        self.assertNotIn("internal error", content)
        self.assertEqual(len(answer.log.activated_rails), 1)
        if answer.log.activated_rails[0].stop:
            self.assertEqual(content, REFUSAL)
        return answer.log.activated_rails[0].stop

    def check_flags(self, app):
        for text in TEXTS:
            self.assertIs(self.is_blocked(app, text), common.is_violation("spam", text), text)


class Classifiers(Rails):
    def setup_of(self, engine, label="violation", threshold=0.5, path=""):
        yaml = CLASSIFIER.format(engine=engine, url=URL + path, threshold=threshold, label=label)
        config = RailsConfig.from_content(yaml_content=yaml)
        backend = get_backend(config.rails.config.hf_classifier["spam"], name=engine)
        return LLMRails(config), backend

    def scores(self, backend, text):
        found = asyncio.run(backend.classify(text))
        self.assertTrue(found)
        return {one["label"]: one["score"] for one in found}

    def test_the_vllm_backend_gets_the_probability(self):
        app, backend = self.setup_of("vllm")
        for text in TEXTS:
            scores = self.scores(backend, text)
            got = scores["violation"] if "violation" in scores else 1 - scores["safe"]
            common.check_probability(self, got, common.probability("spam", text), repr(text))
        self.check_flags(app)

    def test_the_kserve_backend_gets_the_probability(self):
        app, backend = self.setup_of("kserve")
        for text in TEXTS:
            got = self.scores(backend, text)["violation"]
            common.check_probability(self, got, common.probability("spam", text), repr(text))
        self.check_flags(app)

    def test_the_fms_backend_gets_the_probability_of_a_detection(self):
        """NeMo sends no `detector-id`, so the policy is a part of the address."""
        app, backend = self.setup_of("fms", label="spam", path="/spam")
        for text in TEXTS:
            if common.is_violation("spam", text):
                got = self.scores(backend, text)["spam"]
                common.check_probability(self, got, common.probability("spam", text), repr(text))
            else:
                self.assertEqual(asyncio.run(backend.classify(text)), [])
        self.check_flags(app)

    def test_the_fms_backend_s_threshold_is_the_server_s(self):
        expected = common.probability("spam", BETWEEN)
        for shift, blocked in ((-common.TOLERANCE, True), (common.TOLERANCE, False)):
            app, _ = self.setup_of("fms", label="spam", threshold=expected + shift, path="/spam")
            self.assertIs(self.is_blocked(app, BETWEEN), blocked)

    def test_the_threshold_of_a_classifier_is_the_probability_to_the_sixth_digit(self):
        for engine in ("vllm", "kserve"):
            expected = common.probability("spam", SPAM)
            for shift, blocked in ((-common.TOLERANCE, True), (common.TOLERANCE, False)):
                app, _ = self.setup_of(engine, threshold=expected + shift)
                self.assertIs(self.is_blocked(app, SPAM), blocked, engine)


class Checks(Rails):
    def test_the_self_check_blocks_the_violations_of_check(self):
        self.check_flags(rails(SELF_CHECK))

    def test_the_content_safety_check_blocks_the_violations_of_check(self):
        self.check_flags(rails(CONTENT_SAFETY.replace("FORM", "guard").replace("PARSER", "is_content_safe")))

    def test_the_content_safety_check_reads_nemoguard_s_form(self):
        yaml = CONTENT_SAFETY.replace("FORM", "nemoguard").replace("PARSER", "nemoguard_parse_prompt_safety")
        self.check_flags(rails(yaml))

    def test_the_policyai_rail_blocks_the_violations_of_check(self):
        self.check_flags(rails(POLICYAI))


if __name__ == "__main__":
    common.run()
