"""`/v1/moderations` with OpenAI's own client."""

import asyncio
import unittest

import common
import openai
from common import FRAUD, HARMLESS, KEY, KEYED_URL, OPENAI_CATEGORIES, SPAM, TEXTS, URL

ALIASES = ["omni-moderation-latest", "omni-moderation-2024-09-26", "text-moderation-latest", "text-moderation-stable"]


def client(url=URL, key="unused"):
    return openai.OpenAI(base_url=url + "/v1", api_key=key)


class Moderations(unittest.TestCase):
    def check_result(self, result, text):
        scores = result.category_scores.model_dump(by_alias=True)
        common.check_scores(self, scores, text)
        categories = result.categories.model_dump(by_alias=True)
        types = result.category_applied_input_types.model_dump(by_alias=True)
        for category, policies in OPENAI_CATEGORIES.items():
            expected = any(common.is_violation(policy, text) for policy in policies)
            self.assertIs(categories[category], expected, f"{category} of {text!r}")
            self.assertEqual(types[category], ["text"] if policies else [], category)
        for policy in common.POLICIES:
            common.check_probability(self, scores[policy], common.probability(policy, text), f"{policy} of {text!r}")
        flagged = any(common.is_violation(policy, text) for policy in common.POLICIES)
        self.assertIs(result.flagged, flagged, text)

    def test_a_string_is_one_result_with_all_categories(self):
        for text in TEXTS:
            answer = client().moderations.create(model="omni-moderation-latest", input=text)
            self.assertTrue(answer.id.startswith("modr-"), answer.id)
            self.assertEqual(len(answer.results), 1)
            self.check_result(answer.results[0], text)

    def test_a_list_of_strings_is_a_result_for_each_in_order(self):
        answer = client().moderations.create(model="omni-moderation-latest", input=TEXTS)
        self.assertEqual(len(answer.results), len(TEXTS))
        for text, result in zip(TEXTS, answer.results):
            self.check_result(result, text)

    def test_a_list_of_parts_is_one_result(self):
        part = {"type": "text", "text": FRAUD}
        answer = client().moderations.create(model="omni-moderation-latest", input=[part])
        self.assertEqual(len(answer.results), 1)
        self.check_result(answer.results[0], FRAUD)
        parts = [{"type": "text", "text": text} for text in (HARMLESS, FRAUD)]
        answer = client().moderations.create(model="omni-moderation-latest", input=parts)
        self.assertEqual(len(answer.results), 1)

    def test_the_model_may_be_left_out(self):
        self.check_result(client().moderations.create(input=SPAM).results[0], SPAM)

    def test_each_of_openai_s_names_is_answered(self):
        for name in ALIASES:
            self.check_result(client().moderations.create(model=name, input=FRAUD).results[0], FRAUD)

    def test_a_policy_is_a_model_too(self):
        result = client().moderations.create(model="spam", input=SPAM).results[0]
        score = result.category_scores.model_extra["spam"]
        common.check_probability(self, score, common.probability("spam", SPAM), "spam")
        self.assertIs(result.flagged, common.is_violation("spam", SPAM))

    def test_an_unknown_model_is_a_bad_request_and_never_not_found(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().moderations.create(model="no-such-policy", input=SPAM)
        self.assertEqual(caught.exception.code, "model_not_found")
        self.assertNotIn(SPAM, str(caught.exception))

    def test_an_image_is_refused(self):
        part = {"type": "image_url", "image_url": {"url": "https://example.com/picture.png"}}
        with self.assertRaises(openai.BadRequestError) as caught:
            client().moderations.create(model="omni-moderation-latest", input=[part])
        self.assertEqual(caught.exception.code, "unsupported_parameter")

    def test_the_asynchronous_client_gets_the_same(self):
        async def ask():
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key="unused") as asynchronous:
                calls = [asynchronous.moderations.create(model="omni-moderation-latest", input=text) for text in TEXTS]
                return await asyncio.gather(*calls)

        for text, answer in zip(TEXTS, asyncio.run(ask())):
            self.check_result(answer.results[0], text)

    def test_a_key_is_asked_for_where_the_server_has_keys(self):
        answer = client(KEYED_URL, KEY).moderations.create(model="omni-moderation-latest", input=FRAUD)
        self.check_result(answer.results[0], FRAUD)
        with self.assertRaises(openai.AuthenticationError) as caught:
            client(KEYED_URL, "wrong").moderations.create(model="omni-moderation-latest", input=FRAUD)
        self.assertEqual(caught.exception.code, "invalid_api_key")


if __name__ == "__main__":
    common.run()
