"""The rule function of `integrations/osprey` in Osprey's own two executors, with rules that use its number."""

import asyncio
import os
import sys
import unittest
import warnings
from datetime import datetime

import common
from common import KEY, KEYED_URL, SPAM, TEXTS

os.environ["MAGISTRATE_URL"] = KEYED_URL
os.environ["MAGISTRATE_API_KEY"] = KEY
os.environ["DD_TRACE_ENABLED"] = "false"
warnings.simplefilter("ignore")
for folder in ("osprey_worker/src", "osprey_async_worker/src", "osprey_rpc/src"):
    sys.path.insert(0, os.path.join(os.environ["CLIENT_TEST_SOURCE"], folder))
sys.path.insert(0, os.path.join(os.environ["CLIENT_TEST_ROOT"], "integrations", "osprey"))

import gevent.pool
from magistrate_osprey import async_worker, worker
from osprey.async_worker.executor import execute as execute_async
from osprey.engine.ast.sources import SOURCE_ENTRY_POINT_PATH, Sources
from osprey.engine.ast_validator import validate_sources
from osprey.engine.ast_validator.validator_registry import ValidatorRegistry
from osprey.engine.executor.execution_context import Action
from osprey.engine.executor.execution_graph import compile_execution_graph
from osprey.engine.executor.executor import execute
from osprey.engine.executor.udf_execution_helpers import UDFHelpers
from osprey.engine.stdlib import get_config_registry
from osprey.engine.udf.registry import UDFRegistry
from osprey.worker._stdlibplugin.udf_register import register_udfs
from osprey.worker._stdlibplugin.validator_regsiter import register_ast_validators
from osprey.worker.lib.singletons import CONFIG

RULES = """
Post: str = JsonData(path='$.post')
Spam = Magistrate(text=Post, policy='spam')
Fraud = Magistrate(text=Post, policy='fraud-and-scams')
IsSpam = Rule(when_all=[Spam > 0.5], description='The post is spam')
"""


class RuleError(Exception):
    """The errors of a run of the rules."""


def features(module, text):
    """Runs the rules on a post, and returns the features that they extract."""
    registry = UDFRegistry.with_udfs(*register_udfs(), *module.register_udfs())
    validators = ValidatorRegistry.get_instance().instance_with_additional_validators(
        get_config_registry().get_validator()
    )
    sources = Sources.from_dict({SOURCE_ENTRY_POINT_PATH: RULES})
    graph = compile_execution_graph(validate_sources(sources, registry, validators))
    action = Action(action_id=1, data={"post": text}, action_name="post", timestamp=datetime(2026, 1, 1))
    if module is worker:
        result = execute(graph, UDFHelpers(), action, gevent.pool.Pool(8))
    else:
        result = asyncio.run(execute_async(graph, UDFHelpers(), action))
    if result.error_infos:
        raise RuleError([info.error for info in result.error_infos])
    return result.extracted_features


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        CONFIG.instance().configure_from_env()
        for validator in register_ast_validators():
            ValidatorRegistry.get_instance().register_to_instance(validator)

    def check(self, module):
        for text in TEXTS:
            got = features(module, text)
            common.check_probability(self, got["Spam"], common.probability("spam", text), repr(text))
            common.check_probability(self, got["Fraud"], common.probability("fraud-and-scams", text), repr(text))
            self.assertIs(got["IsSpam"], common.probability("spam", text) > 0.5)

    def test_the_worker_s_rules_get_the_probability(self):
        self.check(worker)

    def test_the_asyncio_worker_s_rules_get_the_probability(self):
        self.check(async_worker)

    def test_a_wrong_key_is_an_error_and_no_number(self):
        os.environ["MAGISTRATE_API_KEY"] = "wrong"
        self.addCleanup(os.environ.__setitem__, "MAGISTRATE_API_KEY", KEY)
        with self.assertRaises(RuleError) as caught:
            got = features(worker, SPAM)
            self.fail(f"features instead of an error: {got}")
        self.assertIn("401", str(caught.exception))
        self.assertNotIn(SPAM, str(caught.exception))


if __name__ == "__main__":
    common.run()
