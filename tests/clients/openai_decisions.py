"""`/v1/decisions` with OpenAI's own client, and with LangChain's class for decisions."""

import os
import unittest

import common
from common import HARMLESS, POLICIES, SPAM, TEXTS, URL

os.environ["OPENAI_BASE_URL"] = URL + "/v1"
os.environ["OPENAI_API_KEY"] = "unused"
os.environ["LANGSMITH_TRACING"] = "false"

import openai
from langchain_core.messages import HumanMessage
from langchain_openai.decisions import Choice, OpenAIDecisions, Predicate, Score

MODEL = "gpt-6-luna"


class OpenAI(unittest.TestCase):
    def ask(self, text, *questions):
        return openai.OpenAI().decisions.create(model=MODEL, input=text, questions=questions).answers

    def test_a_predicate_with_the_name_of_a_policy_has_its_probability(self):
        questions = [{"type": "predicate", "name": policy, "instructions": "See the policy."} for policy in POLICIES]
        for text in TEXTS:
            for policy, answer in zip(POLICIES, self.ask(text, *questions), strict=True):
                self.assertEqual((answer.type, answer.name), ("predicate", policy))
                expected = common.probability(policy, text)
                common.check_probability(self, answer.probability, expected, f"{policy} of {text!r}")

    def test_a_predicate_may_name_the_policy_in_its_instructions(self):
        for text in TEXTS:
            [answer] = self.ask(text, {"type": "predicate", "instructions": "policy:spam"})
            common.check_probability(self, answer.probability, common.probability("spam", text), repr(text))

    def test_messages_are_an_input_too(self):
        content = [{"type": "input_text", "text": SPAM}]
        [answer] = self.ask([{"role": "user", "content": content}], {"type": "predicate", "instructions": "policy:spam"})
        common.check_probability(self, answer.probability, common.probability("spam", SPAM), "of a message")

    def test_usage_counts_tokens(self):
        questions = [{"type": "predicate", "instructions": "policy:spam"}]
        usage = openai.OpenAI().decisions.create(model=MODEL, input=SPAM, questions=questions).usage
        self.assertGreater(usage.input_tokens, 0)

    def test_no_questions_are_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError):
            self.ask(SPAM)


class LangChain(unittest.TestCase):
    def ask(self, text, **questions):
        return OpenAIDecisions(model=MODEL).invoke({"input": text, "questions": questions})

    def test_a_predicate_has_the_probability(self):
        for text in TEXTS:
            for state in (text, HumanMessage(text)):
                answer = self.ask(state, spam=Predicate(instructions="policy:spam"))
                got = answer.predicates["spam"].probability
                common.check_probability(self, got, common.probability("spam", text), repr(text))

    def test_choices_and_scores_are_whole_distributions(self):
        """The built-in model answers questions of the request badly. Only the form of the answers is checked."""
        team = Choice(instructions="Which team reads this?", choices={"sales": "Offers.", "help": "Questions."})
        anger = Score(instructions="How angry is the writer?", levels=["calm", "annoyed", "angry"])
        answer = self.ask(HARMLESS, team=team, anger=anger)
        chosen, score = answer.choices["team"], answer.scores["anger"]
        self.assertIn(chosen.choice, ("sales", "help"))
        for shares in (chosen.probabilities, score.probabilities):
            values = shares.values() if isinstance(shares, dict) else [share.probability for share in shares]
            self.assertAlmostEqual(sum(values), 1.0, places=6)
        self.assertTrue(0 <= score.score <= 2)


if __name__ == "__main__":
    common.run()
