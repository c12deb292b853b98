"""OpenAI's own client on a server that is overloaded: it waits as long as the server asks, and each call gets its answer."""

import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

import common
import openai
from common import BUSY_URL, SPAM

CALLS = 24


@unittest.skipUnless(BUSY_URL, "serve has no setting for a short queue")
class Retries(unittest.TestCase):
    def client(self, responses, retries):
        http = openai.DefaultHttpxClient(event_hooks={"response": [responses.append]})
        return openai.OpenAI(base_url=BUSY_URL + "/v1", api_key="unused", max_retries=retries, http_client=http)

    def ask_at_once(self, caller):
        start = threading.Barrier(CALLS)

        def ask(_):
            start.wait()
            try:
                return caller.moderations.create(model="omni-moderation-latest", input=SPAM)
            except openai.APIStatusError as error:
                return error

        with ThreadPoolExecutor(CALLS) as pool:
            return list(pool.map(ask, range(CALLS)))

    def test_an_overloaded_server_says_when_to_come_back(self):
        responses = []
        answers = self.ask_at_once(self.client(responses, 0))
        refused = [response for response in responses if response.status_code != 200]
        self.assertTrue(refused, "no call was refused")
        for response in refused:
            self.assertEqual(response.status_code, 503)
            self.assertTrue(1 <= int(response.headers["retry-after"]) <= 120)
        errors = [answer for answer in answers if isinstance(answer, openai.APIStatusError)]
        self.assertEqual(len(errors), len(refused))
        self.assertEqual({error.code for error in errors}, {"overloaded"})

    def test_a_client_that_waits_gets_every_answer(self):
        responses = []
        answers = self.ask_at_once(self.client(responses, 20))
        self.assertGreater(len(responses), CALLS, "no call was refused")
        for answer in answers:
            self.assertNotIsInstance(answer, Exception)
            common.check_scores(self, answer.results[0].category_scores.model_dump(by_alias=True), SPAM)


if __name__ == "__main__":
    common.run()
