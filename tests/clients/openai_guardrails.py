"""The package openai-guardrails: its moderation check, and a check that asks a chat model with a JSON schema.

The package shows flags of the moderation alone. Its context names the client that asks, so a hook of that client reads
the scores from the responses.
"""

import json
import os
import unittest

import common
import httpx
from common import BETWEEN, FRAUD, HARMLESS, SPAM, TEXTS, URL

# The moderation check falls back to the address in this variable. A text must not leave for another server.
os.environ["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
os.environ["OPENAI_API_KEY"] = "unused"

import openai
from guardrails import GuardrailsOpenAI, GuardrailTripwireTriggered
from guardrails.context import GuardrailsContext, clear_context, set_context

MODERATION = {"name": "Moderation", "config": {"categories": list(common.OPENAI_CATEGORIES)}}


def own_check(**settings):
    config = {"model": "spam", "confidence_threshold": 0.5, "system_prompt_details": "No advertising."} | settings
    return {"name": "Custom Prompt Check", "config": config}


class Guardrails(unittest.TestCase):
    def ask(self, check, text):
        """Returns the result of the check, and the bodies of the responses that it got."""
        bodies = []

        def keep(response):
            response.read()
            bodies.append(response.json())

        config = {"version": 1, "input": {"version": 1, "guardrails": [check]}}
        http = httpx.Client(event_hooks={"response": [keep]})
        set_context(GuardrailsContext(openai.OpenAI(base_url=URL + "/v1", api_key="unused", http_client=http)))
        self.addCleanup(clear_context)
        client = GuardrailsOpenAI(config=config, raise_guardrail_errors=True, base_url=URL + "/v1", api_key="unused")
        messages = [{"role": "user", "content": text}]
        try:
            answer = client.chat.completions.create(model="spam", messages=messages, suppress_tripwire=True)
            results = answer.guardrail_results.input
        except GuardrailTripwireTriggered as tripped:
            results = [tripped.guardrail_result]
        self.assertEqual(len(results), 1)
        self.assertFalse(results[0].execution_failed, results[0].info)
        return results[0], bodies

    def test_the_moderation_check_flags_the_violations_of_check(self):
        for text in TEXTS:
            result, bodies = self.ask(MODERATION, text)
            expected = {
                category
                for category, policies in common.OPENAI_CATEGORIES.items()
                if any(common.is_violation(policy, text) for policy in policies)
            }
            self.assertEqual(set(result.info["flagged_categories"]), expected, text)
            self.assertIs(result.tripwire_triggered, bool(expected))
            self.assertEqual(len(bodies), 1)
            common.check_scores(self, bodies[0]["results"][0]["category_scores"], text)

    def test_a_check_by_a_chat_model_gets_the_probability(self):
        for text in TEXTS:
            result, _ = self.ask(own_check(), text)
            self.assertIs(result.info["flagged"], common.is_violation("spam", text))
            common.check_probability(self, result.info["confidence"], common.probability("spam", text), repr(text))
            self.assertIs(result.tripwire_triggered, common.is_violation("spam", text))

    def test_a_check_of_a_single_turn_gets_the_probability(self):
        """With one turn the package sends the text under a heading, and else a JSON object with the conversation."""
        for text in TEXTS:
            result, _ = self.ask(own_check(max_turns=1), text)
            common.check_probability(self, result.info["confidence"], common.probability("spam", text), repr(text))

    def test_the_threshold_is_the_package_s(self):
        result, _ = self.ask(own_check(confidence_threshold=common.probability("spam", SPAM) - 1e-6), SPAM)
        self.assertTrue(result.tripwire_triggered)
        result, _ = self.ask(own_check(confidence_threshold=common.probability("spam", SPAM) + 1e-6), SPAM)
        self.assertFalse(result.tripwire_triggered)

    def test_a_reason_may_be_asked_for(self):
        for text in (SPAM, HARMLESS, BETWEEN):
            result, _ = self.ask(own_check(include_reasoning=True), text)
            self.assertIsInstance(result.info["reason"], str)
            common.check_probability(self, result.info["confidence"], common.probability("spam", text), repr(text))

    def test_a_tripwire_ends_the_call(self):
        config = {"version": 1, "input": {"version": 1, "guardrails": [MODERATION]}}
        client = GuardrailsOpenAI(config=config, base_url=URL + "/v1", api_key="unused")
        with self.assertRaises(GuardrailTripwireTriggered) as caught:
            client.chat.completions.create(model="spam", messages=[{"role": "user", "content": FRAUD}])
        self.assertIn("illicit", json.dumps(caught.exception.guardrail_result.info, default=str))


if __name__ == "__main__":
    common.run()
