"""LangChain's moderation middleware in an agent, set up by OpenAI's environment variables alone.

The agent's model is the same server, so both the text of the user and the reply of the model pass the moderation.
"""

import json
import os
import unittest

import common
from common import BETWEEN, FRAUD, HARMLESS, SPAM, TEXTS, URL

os.environ["OPENAI_BASE_URL"] = URL + "/v1"
os.environ["OPENAI_API_KEY"] = "unused"
os.environ["LANGSMITH_TRACING"] = "false"

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langchain_openai.middleware import OpenAIModerationError, OpenAIModerationMiddleware

FIELDS = {category: category.replace("/", "_").replace("-", "_") for category in common.OPENAI_CATEGORIES}


def agent(**settings):
    model = ChatOpenAI(model="spam", reasoning_effort="none")
    return create_agent(model, middleware=[OpenAIModerationMiddleware(**settings)])


def question(text):
    return {"messages": [{"role": "user", "content": text}]}


def is_flagged(text):
    return any(common.is_violation(policy, text) for policy in common.POLICIES)


class Middleware(unittest.TestCase):
    def check_scores(self, scores, text):
        common.check_scores(self, {category: scores[field] for category, field in FIELDS.items()}, text)
        for policy in common.POLICIES:
            common.check_probability(self, scores[policy], common.probability(policy, text), f"{policy} of {text!r}")

    def test_a_violation_is_an_error_with_the_scores_of_check(self):
        for text in (SPAM, FRAUD):
            with self.assertRaises(OpenAIModerationError) as caught:
                agent(exit_behavior="error").invoke(question(text))
            self.assertEqual(caught.exception.stage, "input")
            self.check_scores(caught.exception.result.category_scores.model_dump(), text)

    def test_the_message_of_the_middleware_has_the_scores_of_check(self):
        settings = {"exit_behavior": "end", "violation_message": "{category_scores}"}
        messages = agent(**settings).invoke(question(FRAUD))["messages"]
        self.assertEqual(len(messages), 2)
        self.check_scores(json.loads(messages[-1].content), FRAUD)

    def test_a_flag_is_a_violation_of_check(self):
        for text in TEXTS:
            messages = agent(exit_behavior="end", check_output=False).invoke(question(text))["messages"]
            refused = "flagged" in messages[-1].content
            self.assertIs(refused, is_flagged(text), text)

    def test_a_safe_text_reaches_the_model_and_its_reply_is_judged(self):
        self.assertFalse(is_flagged(HARMLESS))
        messages = agent(exit_behavior="error", check_output=False).invoke(question(HARMLESS))["messages"]
        self.assertIn(common.row("spam", HARMLESS)["label"], messages[-1].content)
        self.assertTrue(agent(exit_behavior="end").invoke(question(HARMLESS))["messages"][-1].content)

    def test_scores_between_the_extremes_are_those_of_check(self):
        """The middleware hands out no scores of a text that is not flagged, so its own client is asked."""
        middleware = OpenAIModerationMiddleware()
        result = middleware._moderate(BETWEEN)
        self.check_scores(result.category_scores.model_dump(), BETWEEN)

    def test_the_asynchronous_middleware_gets_the_same(self):
        import asyncio

        with self.assertRaises(OpenAIModerationError) as caught:
            asyncio.run(agent(exit_behavior="error").ainvoke(question(FRAUD)))
        self.check_scores(caught.exception.result.category_scores.model_dump(), FRAUD)


if __name__ == "__main__":
    common.run()
