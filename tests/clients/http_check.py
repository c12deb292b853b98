"""`/v1/check` with httpx: the three kinds of bodies, one and several texts and policies, and every field of the rows."""

import json
import unittest

import common
import httpx
from common import HARMLESS, KEY, KEYED_URL, POLICIES, SPAM, TEXTS, URL


class Check(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = cls.enterClassContext(httpx.Client(base_url=URL, timeout=60))

    def ask(self, **body):
        response = self.client.post("/v1/check", json={"effort": "none"} | body)
        self.assertEqual(response.status_code, 200, response.text)
        return response.json()

    def check_row(self, got, policy, text):
        expected = common.row(policy, text)
        for field in ("probability", "label_probability", "mass"):
            common.check_probability(self, got[field], expected[field], f"{field}, {policy} of {text!r}")
        rest = set(expected) - {"id", "probability", "label_probability", "mass"}
        self.assertEqual({name: got[name] for name in rest}, {name: expected[name] for name in rest})
        self.assertEqual(list(got), list(expected))

    def test_a_text_has_the_row_of_check(self):
        for policy in POLICIES:
            for text in TEXTS:
                self.check_row(self.ask(policy=policy, text=text), policy, text)

    def test_several_policies_have_a_row_each(self):
        for text in TEXTS:
            verdicts = self.ask(policy=POLICIES, text=text)["verdicts"]
            for policy in POLICIES:
                self.check_row(verdicts[policy], policy, text)

    def test_several_texts_have_their_rows_in_order(self):
        texts = [{"id": f"text-{number}", "text": text} for number, text in enumerate(TEXTS)]
        rows = self.ask(policy="spam", texts=texts)["rows"]
        self.assertEqual([row["id"] for row in rows], [text["id"] for text in texts])
        for row, text in zip(rows, TEXTS, strict=True):
            self.check_row(row, "spam", text)

    def test_lines_are_answered_by_lines_in_order(self):
        lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(TEXTS)]
        with self.client.stream(
            "POST",
            "/v1/check?policy=spam&effort=none",
            content="\n".join(lines),
            headers={"content-type": "application/x-ndjson"},
        ) as response:
            self.assertEqual(response.status_code, 200)
            rows = [json.loads(line) for line in response.iter_lines() if line]
        self.assertEqual([row["id"] for row in rows], list(range(len(TEXTS))))
        for row, text in zip(rows, TEXTS, strict=True):
            self.check_row(row, "spam", text)

    def test_plain_text_is_judged(self):
        for text in TEXTS:
            response = self.client.post(
                "/v1/check?policy=spam&effort=none", content=text, headers={"content-type": "text/plain; charset=utf-8"}
            )
            self.check_row(response.json(), "spam", text)

    def test_a_setting_that_does_not_exist_is_refused_in_the_body_and_in_the_address(self):
        bad = [
            self.client.post("/v1/check", json={"policy": "spam", "text": SPAM, "efort": "none"}),
            self.client.post("/v1/check?policy=spam&efort=none", content=SPAM, headers={"content-type": "text/plain"}),
        ]
        for response in bad:
            self.assertEqual(response.status_code, 400, response.text)
            self.assertEqual(response.json()["error"]["param"], "efort")

    def test_a_key_is_asked_for_where_the_server_has_keys(self):
        body = {"policy": "spam", "text": HARMLESS, "effort": "none"}
        for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
            response = httpx.post(KEYED_URL + "/v1/check", json=body, headers=headers)
            self.check_row(response.json(), "spam", HARMLESS)
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}, {"x-api-key": ""}):
            response = httpx.post(KEYED_URL + "/v1/check", json=body, headers=headers)
            self.assertEqual(response.status_code, 401)
            self.assertEqual(response.headers["www-authenticate"], "Bearer")


if __name__ == "__main__":
    common.run()
