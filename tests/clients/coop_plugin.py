"""The plugin of `integrations/coop`, packed and installed as npm does it, and called as Coop calls it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import common
from common import KEY, KEYED_URL, SPAM, TEXTS, URL

FOLDER = pathlib.Path(os.environ["CLIENT_TEST_ROOT"], "integrations", "coop")
RUN_SIGNALS = """
const { manifest, createSignals } = require('coop-integration-magistrate');
const { texts, stored } = JSON.parse(process.env.QUESTION);
const signals = createSignals({ integrationId: manifest.id, getCredential: async () => stored });
(async () => {
  const scores = {};
  for (const { signalTypeId, signal } of signals) {
    scores[signalTypeId] = [];
    for (const value of texts) {
      const input = { value: { type: 'STRING', value }, orgId: 'org' };
      const result = await signal.run(input).catch((error) => ({ error: `${error.name}: ${error.message}` }));
      scores[signalTypeId].push(result);
    }
  }
  console.log(JSON.stringify({ signalTypeIds: manifest.signalTypeIds, scores }));
})();
"""


class Plugin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = cls.enterClassContext(tempfile.TemporaryDirectory())
        npm = [shutil.which("npm"), "--offline", "--no-audit", "--no-fund", "--loglevel=error"]
        packed = subprocess.run(
            [*npm, "pack", FOLDER, "--pack-destination", cls.home], capture_output=True, text=True, check=True, cwd=cls.home
        )
        package = pathlib.Path(cls.home, packed.stdout.split()[-1])
        subprocess.run([*npm, "install", package], capture_output=True, check=True, cwd=cls.home)

    def scores(self, texts, stored, policies=common.POLICIES, **variables):
        variables |= {"MAGISTRATE_POLICIES": ",".join(policies), "MAGISTRATE_TIMEOUT_MS": "60000"}
        variables["QUESTION"] = json.dumps({"texts": texts, "stored": stored})
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAGISTRATE_")}
        done = subprocess.run(
            ["node", "-e", RUN_SIGNALS], env=clean | variables, cwd=self.home, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check(self, got):
        for policy, type_id in zip(common.POLICIES, got["signalTypeIds"], strict=True):
            for text, result in zip(TEXTS, got["scores"][type_id], strict=True):
                self.assertNotIn("error", result)
                self.assertEqual(result["outputType"], {"scalarType": "NUMBER"})
                common.check_probability(self, result["score"], common.probability(policy, text), f"{policy} of {text!r}")

    def test_each_signal_has_the_probability(self):
        self.check(self.scores(TEXTS, {"baseUrl": URL}))

    def test_the_key_of_the_organization_is_sent(self):
        self.check(self.scores(TEXTS, {"baseUrl": KEYED_URL, "apiKey": KEY}))

    def test_the_address_and_the_key_may_be_variables(self):
        self.check(self.scores(TEXTS, None, MAGISTRATE_URL=KEYED_URL, MAGISTRATE_API_KEY=KEY))

    def test_a_wrong_key_and_an_unknown_policy_are_errors(self):
        for stored, policy, status in (
            ({"baseUrl": KEYED_URL, "apiKey": "wrong"}, "spam", "401"),
            ({"baseUrl": URL}, "no-such-policy", "404"),
        ):
            got = self.scores([SPAM], stored, [policy])
            [[result]] = got["scores"].values()
            self.assertIn(status, result["error"])
            self.assertNotIn(SPAM, result["error"])

    def test_the_plugin_s_own_tests_pass_with_this_server(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAGISTRATE_")}
        done = subprocess.run(
            ["node", "--test"], env=clean | {"MAGISTRATE_URL": URL}, cwd=FOLDER, capture_output=True, text=True, timeout=600
        )
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])


if __name__ == "__main__":
    common.run()
