"""LiteLLM's proxy with a configuration file: its generic guardrail, its moderation guardrail, and a model behind it.

The generic guardrail gets an action and no number. Its threshold is set a millionth below and above the expected
probability, so the two actions show the probability to that digit.
"""

import contextlib
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import common
from common import BETWEEN, FRAUD, HARMLESS, KEY, KEYED_URL, SPAM, TEXTS, URL

MASTER_KEY = "sk-" + "0123456789abcdef" * 3
PATIENCE = 120
"""Most seconds until the proxy is up."""


def generic(name, url=URL, key="unused", mode="pre_call", **parameters):
    settings = {
        "guardrail": "generic_guardrail_api",
        "mode": mode,
        "api_base": url,
        "api_key": key,
        "unreachable_fallback": "fail_closed",
        "additional_provider_specific_params": {"policy": "spam"} | parameters,
    }
    return {"guardrail_name": name, "litellm_params": settings}


def moderation(name, mode="pre_call", url=URL, key="unused"):
    settings = {"guardrail": "openai_moderation", "mode": mode, "api_base": url + "/v1", "api_key": key}
    return {"guardrail_name": name, "litellm_params": settings}


def model(name, **settings):
    return {"model_name": name, "litellm_params": {"api_key": "unused"} | settings}


def configuration():
    expected = common.probability("spam", BETWEEN)
    return {
        "model_list": [
            model("echo", model="openai/echo", mock_response=HARMLESS),
            model("spammer", model="openai/echo", mock_response=SPAM),
            model("judge", model="openai/spam+binary", api_base=URL + "/v1"),
        ],
        "guardrails": [
            generic("generic"),
            generic("generic-below", threshold=expected - common.TOLERANCE),
            generic("generic-above", threshold=expected + common.TOLERANCE),
            generic("generic-two", policy=["spam", "hate"]),
            generic("generic-output", mode="post_call"),
            generic("generic-key", url=KEYED_URL, key=KEY),
            generic("generic-wrong-key", url=KEYED_URL, key="wrong"),
            moderation("moderation"),
            moderation("moderation-output", mode="post_call"),
            moderation("moderation-key", url=KEYED_URL, key=KEY),
        ],
        "litellm_settings": {"telemetry": False},
    }


@contextlib.contextmanager
def proxy():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"LITELLM_MASTER_KEY": MASTER_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "config.yaml")
        config.write_text(json.dumps(configuration()))
        program = pathlib.Path(sys.executable).with_name("litellm")
        command = [program, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
        with open(pathlib.Path(folder, "log"), "w+") as log:
            process = subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log, cwd=folder)
            try:
                wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(30)


def wait_for(url, process, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.3)
    log.seek(0)
    raise RuntimeError("the proxy did not start: " + log.read()[-2000:])


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.url = cls.enterClassContext(proxy())

    def ask(self, text, guardrail=None, model="echo", **more):
        """Returns the status and the body of the proxy's response."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]} | more
        body |= {"guardrails": [guardrail]} if guardrail else {}
        headers = {"authorization": "Bearer " + MASTER_KEY, "content-type": "application/json"}
        request = urllib.request.Request(self.url + "/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def assert_blocked(self, answer, text):
        status, body = answer
        self.assertEqual(status, 400, body)
        self.assertNotIn(text, json.dumps(body))
        self.assertNotIn("failed", body["error"]["message"])
        return body["error"]

    def test_the_generic_guardrail_blocks_the_violations_of_check(self):
        for text in TEXTS:
            answer = self.ask(text, "generic")
            if common.is_violation("spam", text):
                error = self.assert_blocked(answer, text)
                self.assertIn(common.row("spam", text)["category_title"], error["message"])
            else:
                self.assertEqual(answer[0], 200, answer[1])

    def test_the_generic_guardrail_s_threshold_shows_the_probability(self):
        self.assert_blocked(self.ask(BETWEEN, "generic-below"), BETWEEN)
        status, body = self.ask(BETWEEN, "generic-above")
        self.assertEqual(status, 200, body)
        common.compared += 1

    def test_the_generic_guardrail_takes_several_policies(self):
        self.assert_blocked(self.ask(SPAM, "generic-two"), SPAM)
        self.assertEqual(self.ask(HARMLESS, "generic-two")[0], 200)

    def test_the_generic_guardrail_judges_the_model_s_answer(self):
        self.assert_blocked(self.ask(HARMLESS, "generic-output", model="spammer"), SPAM)
        self.assertEqual(self.ask(HARMLESS, "generic-output")[0], 200)

    def test_the_generic_guardrail_sends_its_key(self):
        self.assertEqual(self.ask(HARMLESS, "generic-key")[0], 200)
        self.assert_blocked(self.ask(SPAM, "generic-key"), SPAM)
        status, body = self.ask(HARMLESS, "generic-wrong-key")
        self.assertGreaterEqual(status, 400, "a guardrail with a wrong key let a text pass")
        self.assertIn("401", body["error"]["message"])

    def test_the_moderation_guardrail_blocks_with_the_scores_of_check(self):
        for name in ("moderation", "moderation-key"):
            error = self.assert_blocked(self.ask(FRAUD, name), FRAUD)
            result = error["provider_specific_fields"]["moderation_result"]
            self.assertIn("illicit", result["violated_categories"])
            common.check_scores(self, result["category_scores"], FRAUD)
            for policy in common.POLICIES:
                score = result["category_scores"][policy]
                common.check_probability(self, score, common.probability(policy, FRAUD), policy)

    def test_the_moderation_guardrail_blocks_what_is_flagged_alone(self):
        for text in TEXTS:
            flagged = any(common.is_violation(policy, text) for policy in common.POLICIES)
            status, body = self.ask(text, "moderation")
            self.assertEqual(status, 400 if flagged else 200, body)

    def test_the_moderation_guardrail_judges_the_model_s_answer(self):
        self.assert_blocked(self.ask(HARMLESS, "moderation-output", model="spammer"), SPAM)
        self.assertEqual(self.ask(HARMLESS, "moderation-output")[0], 200)

    def test_a_model_behind_the_proxy_gives_the_probability(self):
        for text in TEXTS:
            status, body = self.ask(text, model="judge", max_tokens=1, logprobs=True, top_logprobs=2)
            self.assertEqual(status, 200, body)
            choice = body["choices"][0]
            share = math.exp(choice["logprobs"]["content"][0]["logprob"])
            got = share if choice["message"]["content"] == "1" else 1 - share
            common.check_probability(self, got, common.probability("spam", text), repr(text))


if __name__ == "__main__":
    common.run()
