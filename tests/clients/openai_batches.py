"""`/v1/files` and `/v1/batches` with OpenAI's own client."""

import json
import time
import unittest

import common
import openai
from common import TEXTS, URL

PATIENCE = 120
"""Most seconds until a batch of a few lines has ended."""


def client():
    return openai.OpenAI(base_url=URL + "/v1", api_key="unused")


def line(number, body, url):
    return json.dumps({"custom_id": f"line-{number}", "method": "POST", "url": url, "body": body})


def upload(lines):
    data = "\n".join(lines).encode() + b"\n"
    return client().files.create(file=("questions.jsonl", data), purpose="batch")


def finished(batch):
    end = time.monotonic() + PATIENCE
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        if time.monotonic() > end:
            raise AssertionError(f"the batch is still {batch.status} after {PATIENCE} seconds")
        time.sleep(0.2)
        batch = client().batches.retrieve(batch.id)
    return batch


def replies(file_id):
    lines = client().files.content(file_id).text.splitlines()
    return {reply["custom_id"]: reply for reply in map(json.loads, lines)}


class Batches(unittest.TestCase):
    def start(self, lines, endpoint):
        file = upload(lines)
        self.assertEqual((file.object, file.purpose, file.filename), ("file", "batch", "questions.jsonl"))
        return client().batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")

    def test_a_batch_of_chats_has_the_rows_of_check(self):
        body = {"model": "spam+score", "reasoning_effort": "none"}
        lines = [
            line(number, body | {"messages": [{"role": "user", "content": text}]}, "/v1/chat/completions")
            for number, text in enumerate(TEXTS)
        ]
        batch = finished(self.start(lines, "/v1/chat/completions"))
        self.assertEqual(batch.status, "completed", batch)
        counts = batch.request_counts
        self.assertEqual((counts.total, counts.completed, counts.failed), (len(TEXTS), len(TEXTS), 0))
        got = replies(batch.output_file_id)
        self.assertEqual(len(got), len(TEXTS))
        for number, text in enumerate(TEXTS):
            response = got[f"line-{number}"]["response"]
            self.assertEqual(response["status_code"], 200)
            content = response["body"]["choices"][0]["message"]["content"]
            common.check_probability(self, float(content), common.probability("spam", text), repr(text))

    def test_a_batch_of_moderations_has_the_rows_of_check(self):
        lines = [
            line(number, {"model": "omni-moderation-latest", "input": text}, "/v1/moderations")
            for number, text in enumerate(TEXTS)
        ]
        batch = finished(self.start(lines, "/v1/moderations"))
        self.assertEqual(batch.status, "completed", batch)
        got = replies(batch.output_file_id)
        for number, text in enumerate(TEXTS):
            result = got[f"line-{number}"]["response"]["body"]["results"][0]
            common.check_scores(self, result["category_scores"], text)

    def test_a_line_that_fails_is_in_the_error_file(self):
        good = {"model": "spam", "messages": [{"role": "user", "content": TEXTS[0]}]}
        bad = good | {"model": "no-such-policy"}
        lines = [line(0, good, "/v1/chat/completions"), line(1, bad, "/v1/chat/completions")]
        batch = finished(self.start(lines, "/v1/chat/completions"))
        self.assertEqual((batch.request_counts.completed, batch.request_counts.failed), (1, 1))
        self.assertEqual(list(replies(batch.output_file_id)), ["line-0"])
        self.assertEqual(list(replies(batch.error_file_id)), ["line-1"])

    def test_a_batch_of_a_broken_file_fails_with_the_line(self):
        batch = finished(self.start(["this is not JSON"], "/v1/chat/completions"))
        self.assertEqual(batch.status, "failed")
        self.assertEqual(batch.errors.data[0].line, 1)

    def test_batches_are_listed_and_cancelled(self):
        body = {"model": "spam", "messages": [{"role": "user", "content": TEXTS[0]}], "reasoning_effort": "low"}
        lines = [line(number, body, "/v1/chat/completions") for number in range(500)]
        batch = self.start(lines, "/v1/chat/completions")
        self.assertIn(batch.id, [one.id for one in client().batches.list()])
        self.assertIn(client().batches.cancel(batch.id).status, ("cancelling", "cancelled"))
        self.assertEqual(finished(batch).status, "cancelled")

    def test_a_file_is_listed_and_deleted(self):
        file = upload([line(0, {}, "/v1/moderations")])
        self.assertIn(file.id, [one.id for one in client().files.list()])
        self.assertEqual(client().files.retrieve(file.id).bytes, file.bytes)
        self.assertTrue(client().files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            client().files.retrieve(file.id)


if __name__ == "__main__":
    common.run()
