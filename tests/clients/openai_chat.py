"""`/v1/chat/completions` and `/v1/models` with OpenAI's own client."""

import json
import math
import unittest
from typing import Literal

import common
import openai
import pydantic
from common import HARMLESS, KEY, KEYED_URL, SPAM, TEXTS, URL


def client(url=URL, key="unused"):
    return openai.OpenAI(base_url=url + "/v1", api_key=key)


def user(text):
    return [{"role": "user", "content": text}]


class Judgment(pydantic.BaseModel):
    flagged: bool
    confidence: float


def violation_probability(choice, violating):
    """Returns P(violation) from the logarithm of the answer's probability, as Coop computes it."""
    share = math.exp(choice.logprobs.content[0].logprob)
    return share if choice.message.content.strip() == violating else 1 - share


class Chat(unittest.TestCase):
    def ask(self, text, **settings):
        settings = {"model": "spam", "reasoning_effort": "none"} | settings
        return client().chat.completions.create(messages=user(text), **settings)

    def probability(self, got, text):
        common.check_probability(self, got, common.probability("spam", text), repr(text))

    def test_the_content_is_the_policy_s_own_label(self):
        for text in TEXTS:
            choice = self.ask(text).choices[0]
            label = common.row("spam", text)["label"]
            self.assertTrue(label)
            self.assertIn(label, choice.message.content)
            self.assertEqual((choice.message.role, choice.finish_reason), ("assistant", "stop"))

    def test_one_token_with_logarithms_is_the_whole_verdict(self):
        for text in TEXTS:
            answer = self.ask(text, model="spam+binary", max_tokens=1, logprobs=True, top_logprobs=2)
            choice = answer.choices[0]
            self.assertEqual(choice.message.content, "1" if common.is_violation("spam", text) else "0")
            self.probability(violation_probability(choice, "1"), text)
            tops = {top.token: math.exp(top.logprob) for top in choice.logprobs.content[0].top_logprobs}
            self.assertEqual(set(tops), {"0", "1"})
            self.probability(tops["1"], text)

    def test_the_request_of_coop_is_answered_under_the_policy_of_the_model_s_name(self):
        messages = [{"role": "system", "content": "Answer 1 for advertising, else 0."}, *user(SPAM)]
        raw = client().chat.completions.with_raw_response.create(
            model="spam+binary", messages=messages, max_tokens=1, logprobs=True, top_logprobs=2
        )
        self.assertIn("system", raw.headers.get("x-magistrate-ignored", ""))
        self.probability(violation_probability(raw.parse().choices[0], "1"), SPAM)

    def test_yes_and_no_have_their_probabilities(self):
        for text in TEXTS:
            choice = self.ask(text, model="spam+yesno", max_tokens=1, logprobs=True, top_logprobs=20).choices[0]
            self.assertIn(choice.message.content, ("yes", "no"))
            self.probability(violation_probability(choice, "yes"), text)

    def test_a_score_is_the_probability(self):
        for text in TEXTS:
            self.probability(float(self.ask(text, model="spam+score").choices[0].message.content), text)

    def test_the_json_form_is_the_row(self):
        for text in TEXTS:
            got = json.loads(self.ask(text, model="spam+json").choices[0].message.content)
            self.probability(got["probability"], text)
            self.assertEqual(got["verdict"], common.row("spam", text)["verdict"])

    def test_usage_counts_the_tokens(self):
        usage = self.ask(SPAM).usage
        self.assertGreater(usage.prompt_tokens, 100)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_the_models_are_the_policies(self):
        names = [model.id for model in client().models.list()]
        for policy in common.POLICIES:
            self.assertIn(policy, names)
        self.assertEqual(client().models.retrieve("spam").id, "spam")

    def test_an_unknown_policy_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.ask(SPAM, model="no-such-policy")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_the_policy_may_be_the_system_message(self):
        """The name of the model says that the policy is in the request. The policy's own answers are the content."""
        for model in ("magistrate", "openai/gpt-oss-safeguard-20b"):
            for text in TEXTS:
                messages = [{"role": "system", "content": common.CRITERIA}, *user(text)]
                choice = client().chat.completions.create(
                    model=model, messages=messages, reasoning_effort="none", logprobs=True, top_logprobs=2
                ).choices[0]
                self.assertEqual(choice.message.content, common.row("criteria", text)["label"])
                got = violation_probability(choice, "INVALID")
                common.check_probability(self, got, common.probability("criteria", text), repr(text))

    def test_a_text_without_a_verdict_is_an_error_and_not_asked_again(self):
        """No text has this mass, so nothing is resolved."""
        calls = []
        http = openai.DefaultHttpxClient(event_hooks={"response": [calls.append]})
        caller = openai.OpenAI(base_url=URL + "/v1", api_key="unused", http_client=http)
        with self.assertRaises(openai.UnprocessableEntityError) as caught:
            caller.chat.completions.create(
                model="spam", messages=user(SPAM), reasoning_effort="none", extra_body={"magistrate": {"min_mass": 1.0}}
            )
        self.assertEqual(caught.exception.code, "unresolved")
        self.assertEqual(len(calls), 1)
        self.assertNotIn(SPAM, str(caught.exception))

    def test_several_answers_at_once_are_refused(self):
        with self.assertRaises(openai.BadRequestError):
            self.ask(SPAM, n=2)

    def test_a_key_is_asked_for_where_the_server_has_keys(self):
        answer = client(KEYED_URL, KEY).chat.completions.create(
            model="spam+binary", messages=user(SPAM), max_tokens=1, logprobs=True, top_logprobs=2
        )
        self.probability(violation_probability(answer.choices[0], "1"), SPAM)
        with self.assertRaises(openai.AuthenticationError):
            client(KEYED_URL, "wrong").chat.completions.create(model="spam", messages=user(SPAM))


class Schemas(unittest.TestCase):
    def ask(self, text, schema):
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        answer = client().chat.completions.create(
            model="spam", messages=user(text), reasoning_effort="none", response_format=form
        )
        return json.loads(answer.choices[0].message.content)

    def test_a_schema_gets_the_decision_and_the_probability(self):
        for text in TEXTS:
            answer = client().chat.completions.parse(
                model="spam", messages=user(text), reasoning_effort="none", response_format=Judgment
            )
            judgment = answer.choices[0].message.parsed
            self.assertIs(judgment.flagged, common.is_violation("spam", text))
            common.check_probability(self, judgment.confidence, common.probability("spam", text), repr(text))

    def test_a_property_that_means_safe_is_inverted(self):
        schema = {"type": "object", "properties": {"safe": {"type": "boolean"}}, "required": ["safe"]}
        for text in TEXTS:
            self.assertIs(self.ask(text, schema)["safe"], not common.is_violation("spam", text))

    def test_a_choice_of_words_is_one_of_the_words(self):
        class Choice(pydantic.BaseModel):
            verdict: Literal["violation", "safe"]

        for text in (SPAM, HARMLESS):
            verdict = self.ask(text, Choice.model_json_schema())["verdict"]
            self.assertEqual(verdict, common.row("spam", text)["verdict"])

    def test_a_reason_may_be_asked_for(self):
        properties = {"spam": {"type": "boolean"}, "reason": {"type": "string"}}
        got = self.ask(SPAM, {"type": "object", "properties": properties, "required": ["spam", "reason"]})
        self.assertEqual(list(got), ["spam", "reason"])
        self.assertIs(got["spam"], common.is_violation("spam", SPAM))
        self.assertIsInstance(got["reason"], str)

    def test_a_schema_that_scoring_cannot_answer_is_refused_by_the_property_s_name(self):
        properties = {"flagged": {"type": "boolean"}, "translation": {"type": "object"}}
        schema = {"type": "object", "properties": properties, "required": ["flagged", "translation"]}
        with self.assertRaises(openai.BadRequestError) as caught:
            self.ask(SPAM, schema)
        self.assertEqual(caught.exception.code, "unsupported_parameter")
        self.assertIn("translation", str(caught.exception))

    def test_a_json_object_is_json(self):
        answer = client().chat.completions.create(
            model="spam", messages=user(SPAM), reasoning_effort="none", response_format={"type": "json_object"}
        )
        self.assertIsInstance(json.loads(answer.choices[0].message.content), dict)


class Streams(unittest.TestCase):
    def test_the_pieces_are_the_answer_and_usage_comes_last(self):
        for text in TEXTS:
            settings = {"model": "spam+binary", "reasoning_effort": "none", "logprobs": True, "top_logprobs": 2}
            chunks = list(
                client().chat.completions.create(
                    messages=user(text), stream=True, stream_options={"include_usage": True}, **settings
                )
            )
            self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
            self.assertEqual(len({chunk.id for chunk in chunks}), 1)
            *parts, last = chunks
            self.assertEqual(last.choices, [])
            whole = client().chat.completions.create(messages=user(text), **settings)
            self.assertEqual(last.usage.prompt_tokens, whole.usage.prompt_tokens)
            self.assertEqual(parts[0].choices[0].delta.role, "assistant")
            self.assertEqual(parts[-1].choices[0].finish_reason, "stop")
            content = "".join(part.choices[0].delta.content or "" for part in parts)
            self.assertEqual(content, whole.choices[0].message.content)
            entries = [entry for part in parts if part.choices[0].logprobs for entry in part.choices[0].logprobs.content]
            share = math.exp(entries[0].logprob)
            got = share if content == "1" else 1 - share
            common.check_probability(self, got, common.probability("spam", text), repr(text))

    def test_the_stream_helper_ends_with_the_parsed_schema(self):
        for text in TEXTS:
            with client().chat.completions.stream(
                model="spam", messages=user(text), reasoning_effort="none", response_format=Judgment
            ) as stream:
                judgment = stream.get_final_completion().choices[0].message.parsed
            common.check_probability(self, judgment.confidence, common.probability("spam", text), repr(text))

    def test_without_the_option_no_usage_is_sent(self):
        chunks = list(client().chat.completions.create(model="spam", messages=user(SPAM), stream=True))
        self.assertTrue(all(chunk.choices for chunk in chunks))


if __name__ == "__main__":
    common.run()
