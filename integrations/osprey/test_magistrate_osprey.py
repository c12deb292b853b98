"""Tests of the rule function: `python -m unittest` in this folder.

Osprey's own executors run the rules, where Osprey can be imported. Verdicts come from a real server: that of
`MAGISTRATE_URL`, or one that is started from `MAGISTRATE_BINARY`. The small server below only makes mistakes.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import unittest
from datetime import datetime
from pathlib import Path
from unittest import mock

import test_servers

sys.path.insert(0, str(Path(__file__).parent))

from magistrate_osprey import client
from magistrate_osprey.client import Failure, Question, ask, ask_async

try:
    import gevent.pool
    from osprey.async_worker.executor import execute as execute_async
    from osprey.engine.ast.sources import SOURCE_ENTRY_POINT_PATH, Sources
    from osprey.engine.ast_validator import validate_sources
    from osprey.engine.ast_validator.validation_context import ValidationFailed
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

    from magistrate_osprey import async_worker, rule, worker

    NO_OSPREY = None
except ImportError as error:
    NO_OSPREY = f'Osprey cannot be imported: {error}'

SECRET = 'zebrafish'
SPAM = 'WINNER!! Reply YES to claim your prize'
HARMLESS = 'See you on Thursday'

RULES = """
Post: str = JsonData(path='$.post')
Name: str = JsonData(path='$.name')
PostSpam = Magistrate(text=Post, policy='spam')
NameSpam = Magistrate(text=Name, policy='spam')
PostIsSpam = Rule(when_all=[PostSpam > 0.8], description='The post is spam')
PostIsFine = Rule(when_all=[PostSpam < 0.5], description='The post is fine')
PostIsUndecided = Rule(when_all=[PostSpam == None], description='The post has no verdict')
"""


def run_rules(module, source, data):
    """Runs rules with the executor that belongs to the module's worker."""
    for validator in register_ast_validators():
        ValidatorRegistry.get_instance().register_to_instance(validator)
    registry = UDFRegistry.with_udfs(*register_udfs(), *module.register_udfs())
    validators = ValidatorRegistry.get_instance().instance_with_additional_validators(
        get_config_registry().get_validator()
    )
    sources = Sources.from_dict({SOURCE_ENTRY_POINT_PATH: source})
    graph = compile_execution_graph(validate_sources(sources, registry, validators))
    action = Action(action_id=1, data=data, action_name='post', timestamp=datetime(2026, 1, 1))
    if module is worker:
        return execute(graph, UDFHelpers(), action, gevent.pool.Pool(8))
    return asyncio.run(execute_async(graph, UDFHelpers(), action))


def both_clients(questions):
    """Returns the answers of the synchronous client, after a check that the other one gives the same."""
    answers = ask(questions)
    for one, other in zip(answers, asyncio.run(ask_async(questions)), strict=True):
        # Texts that share a batch of the model differ in the last digits from run to run.
        numbers = isinstance(one, float) and isinstance(other, float)
        assert abs(one - other) <= 1e-6 if numbers else one == other, 'the two clients differ'
    return answers


def row(probability, status='ok', **more):
    return {'status': status, 'verdict': 'safe', 'probability': probability, 'error': None, **more}


class MistakesOfServers(unittest.TestCase):
    def ask_one(self, reply, **environment):
        with test_servers.replying(reply) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url, **environment}):
                return both_clients([Question(SECRET, 'spam')])[0], server

    def test_a_row_without_a_probability_is_a_failure_of_the_text(self):
        for status in ('unresolved', 'error'):
            answer, _ = self.ask_one((200, row(None, status, error={'code': 'too-long', 'message': SECRET})))
            self.assertEqual(answer, Failure(f'{status} (too-long)', of_text=True))

    def test_an_unresolved_row_is_a_failure_even_if_it_has_a_number(self):
        answer, _ = self.ask_one((200, row(0.01, 'unresolved')))
        self.assertIsInstance(answer, Failure)

    def test_a_fault_of_the_engine_is_not_blamed_on_the_text(self):
        answer, _ = self.ask_one((200, row(None, 'error', error={'code': 'fault'})))
        self.assertEqual(answer, Failure('error (fault)', of_text=False))

    def test_a_probability_that_is_no_number_between_0_and_1_is_a_failure(self):
        for wrong in ('0.1', None, True, -0.1, 1.5, float('nan'), float('inf'), [0.1]):
            answer, _ = self.ask_one((200, row(wrong)))
            self.assertIsInstance(answer, Failure, wrong)

    def test_an_answer_that_is_not_json_is_a_failure(self):
        for wrong in (b'', b'<html>', b'[' * 100_000, b'null', b'{"status":"ok"}'):
            answer, _ = self.ask_one((200, wrong))
            self.assertIsInstance(answer, Failure, wrong[:20])

    def test_a_refusal_names_the_status_and_the_code_but_no_message(self):
        error = {'error': {'message': SECRET, 'type': 'invalid_request_error', 'code': 'model_not_found'}}
        answer, _ = self.ask_one((404, error))
        self.assertEqual(answer, Failure('HTTP 404 (model_not_found)', of_text=False))

    def test_a_code_that_is_no_word_is_left_out(self):
        for code in (f'{SECRET} and more', 7, {'a': SECRET}, 'a' * 41):
            answer, _ = self.ask_one((500, {'error': {'code': code}}))
            self.assertEqual(answer.reason, 'HTTP 500')

    def test_a_redirect_is_not_followed(self):
        answer, server = self.ask_one((307, {}, {'Location': '/elsewhere'}))
        self.assertEqual(answer.reason, 'HTTP 307')
        self.assertEqual({path for path, *_ in server.requests}, {'/v1/check'})

    def test_an_overloaded_server_is_asked_again_after_the_time_it_names(self):
        busy = (503, {'error': {'code': 'overloaded'}}, {'Retry-After': '1'})
        with test_servers.replying(busy, (200, row(0.25))) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                begin = time.monotonic()
                self.assertEqual(ask([Question(SECRET, 'spam')]), [0.25])
                self.assertGreaterEqual(time.monotonic() - begin, 1)

    def test_a_server_that_stays_overloaded_is_a_failure_of_the_server(self):
        busy = (503, {'error': {'code': 'overloaded'}}, {'Retry-After': '120'})
        answer, server = self.ask_one(busy)
        self.assertEqual((answer.reason, answer.of_text), ('HTTP 503 (overloaded)', False))
        self.assertEqual(len(server.requests), 2, 'one request of each client')
        begin = time.monotonic()
        _, server = self.ask_one((503, {}, {'Retry-After': '1'}))
        self.assertEqual(len(server.requests), 6, 'three requests of each client')
        self.assertLess(time.monotonic() - begin, 5, 'no client waits after its last request')

    def test_a_server_that_sends_a_byte_now_and_then_meets_the_time_limit(self):
        with test_servers.dripping() as url:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': url, 'MAGISTRATE_TIMEOUT': '0.5'}):
                for questions in (ask, lambda one: asyncio.run(ask_async(one))):
                    begin = time.monotonic()
                    [answer] = questions([Question(SECRET, 'spam')])
                    self.assertEqual(answer, Failure('no answer within the time limit', of_text=False))
                    self.assertLess(time.monotonic() - begin, 2)

    def test_a_closed_port_is_a_failure_of_the_server(self):
        with mock.patch.dict(os.environ, {'MAGISTRATE_URL': 'http://127.0.0.1:9'}):
            [answer] = both_clients([Question(SECRET, 'spam')])
        self.assertEqual(answer, Failure('no answer (ConnectionRefusedError)', of_text=False))

    def test_a_name_that_cannot_be_looked_up_is_a_failure_of_the_server(self):
        for host in ('a' * 64, 'no-such-host.invalid'):
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': f'http://{host}'}):
                [answer] = both_clients([Question(SECRET, 'spam')])
            self.assertFalse(answer.of_text)

    def test_unusable_settings_are_a_failure_that_names_the_variable(self):
        wrong = [
            ('MAGISTRATE_URL', 'ftp://host'), ('MAGISTRATE_URL', 'http://name:word@host'),
            ('MAGISTRATE_URL', 'http://host:port'), ('MAGISTRATE_URL', 'http://host/a b'),
            ('MAGISTRATE_API_KEY', 'a\r\nX-Other: b'),
            ('MAGISTRATE_TIMEOUT', 'soon'), ('MAGISTRATE_TIMEOUT', '0'), ('MAGISTRATE_TIMEOUT', 'nan'),
        ]
        for variable, value in wrong:
            with mock.patch.dict(os.environ, {variable: value}):
                [answer] = both_clients([Question(SECRET, 'spam')])
            self.assertIn(variable, answer.reason)
            self.assertNotIn(value, answer.reason)


class Requests(unittest.TestCase):
    def test_the_request_has_the_key_the_policy_the_effort_and_the_time_limit(self):
        with test_servers.replying((200, row(0.5))) as server:
            variables = {'MAGISTRATE_URL': f'{server.url}/base/', 'MAGISTRATE_API_KEY': 'k1'}
            with mock.patch.dict(os.environ, variables):
                both_clients([Question('Hi', 'spam', 'low')])
        path, headers, body = server.requests[0]
        self.assertEqual((path, headers['Authorization']), ('/base/v1/check', 'Bearer k1'))
        self.assertEqual((body['policy'], body['effort'], body['text']), ('spam', 'low', 'Hi'))
        self.assertTrue(4000 < body['deadline_ms'] <= 5000)

    def test_a_lone_surrogate_does_not_make_other_texts_fail(self):
        with test_servers.replying((200, {'rows': [row(0.1), row(0.2)]})) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                answers = both_clients([Question('a\ud800b', 'spam'), Question('\ud83d\ude00', 'spam')])
        self.assertEqual(answers, [0.1, 0.2])
        self.assertEqual(server.requests[0][2]['texts'], ['a\ufffdb', '\U0001f600'])

    def test_texts_of_a_refused_request_are_asked_one_by_one(self):
        too_large = (413, {'error': {'code': 'too_large'}})
        with test_servers.replying(too_large, (200, row(0.1)), too_large) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                answers = ask([Question('a', 'spam'), Question('b', 'spam')])
        self.assertEqual(answers[0], 0.1)
        self.assertEqual((answers[1].reason, answers[1].of_text), ('HTTP 413 (too_large)', True))

    def test_large_texts_have_a_request_each(self):
        large = 'a' * (client.LARGEST_BATCH // 2)
        with test_servers.replying((200, row(0.1))) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                self.assertEqual(ask([Question(large, 'spam')] * 3), [0.1] * 3)
        self.assertEqual([sorted(body)[-1] for *_, body in server.requests], ['text'] * 3)

    def test_another_number_of_rows_is_a_failure_of_all_texts(self):
        for rows in ([], [row(0.1)], [row(0.1)] * 3, None):
            with test_servers.replying((200, {'rows': rows})) as server:
                with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                    answers = both_clients([Question('a', 'spam'), Question('b', 'spam')])
            self.assertTrue(all(isinstance(answer, Failure) for answer in answers), rows)


class Workers:
    """Tests that both workers pass. `module` is the plugin of one."""

    module = None
    data = {'post': SECRET, 'name': HARMLESS}

    def setUp(self):
        CONFIG.instance().configure_from_env()
        self.addCleanup(CONFIG.instance().unconfigure_for_tests)

    def run_with(self, *replies, source=RULES):
        with test_servers.replying(*replies) as server:
            with mock.patch.dict(os.environ, {'MAGISTRATE_URL': server.url}):
                return run_rules(self.module, source, self.data), server

    def test_calls_of_one_policy_share_a_request(self):
        result, server = self.run_with((200, {'rows': [row(0.9), row(0.1)]}))
        features = result.extracted_features
        self.assertEqual([body['texts'] for *_, body in server.requests], [[SECRET, HARMLESS]])
        self.assertEqual((features['PostSpam'], features['NameSpam']), (0.9, 0.1))
        self.assertEqual((features['PostIsSpam'], features['PostIsFine']), (True, False))

    def test_calls_of_two_policies_or_efforts_have_a_request_each(self):
        source = RULES.replace("text=Name, policy='spam'", "text=Name, policy='spam', effort='low'")
        result, server = self.run_with((200, row(0.9)), source=source)
        self.assertEqual(sorted(body['effort'] for *_, body in server.requests), ['low', 'none'])
        self.assertEqual(result.extracted_features['PostSpam'], 0.9)

    def test_a_text_without_a_verdict_matches_no_threshold_and_is_not_reported(self):
        result, _ = self.run_with((200, {'rows': [row(None, 'unresolved'), row(0.1)]}))
        features = result.extracted_features
        self.assertIsNone(features['PostSpam'])
        self.assertEqual((features['PostIsSpam'], features['PostIsFine']), (None, None))
        self.assertEqual((features['PostIsUndecided'], features['NameSpam']), (True, 0.1))
        self.assertEqual(result.error_infos, [])

    def test_a_server_that_fails_matches_no_threshold_and_is_reported_without_the_text(self):
        for source in (RULES, RULES.replace("NameSpam = Magistrate(text=Name, policy='spam')", '')):
            result, _ = self.run_with((500, {'error': {'code': 'fault', 'message': SECRET}}), source=source)
            features = result.extracted_features
            self.assertEqual((features['PostIsSpam'], features['PostIsFine']), (None, None))
            self.assertEqual(features['PostIsUndecided'], True)
            error = result.error_infos[0].error
            self.assertIsInstance(error, rule.Unavailable)
            self.assertEqual(str(error), 'magistrate: HTTP 500 (fault)')
            self.assertNotIn(SECRET, result.error_traces_json)
            self.assert_no_local_text(error)

    def assert_no_local_text(self, error):
        """Error reporters send local variables, so none on the way may be or contain the text."""
        self.assertTrue(error.__cause__ is None and error.__context__ is None)
        trace = error.__traceback__
        while trace:
            for name, value in trace.tb_frame.f_locals.items():
                self.assertNotIn(SECRET, repr(value), name)
            trace = trace.tb_next

    def test_an_unknown_effort_or_a_computed_policy_is_an_error_of_the_rules(self):
        for wrong in ("policy='spam', effort='most'", "policy=' '", 'policy=Name', "policy='spam', effort=Name"):
            with self.assertRaises(ValidationFailed, msg=wrong):
                self.run_with((200, row(0.9)), source=RULES.replace("policy='spam'", wrong, 1))

    def test_the_probability_is_that_of_the_server(self):
        with test_servers.magistrate(self) as url, mock.patch.dict(os.environ, {'MAGISTRATE_URL': url}):
            post, name = (test_servers.check(url, text) for text in (SPAM, HARMLESS))
            single = RULES.replace("NameSpam = Magistrate(text=Name, policy='spam')", '')
            for source in (RULES, single):
                result = run_rules(self.module, source, {'post': SPAM, 'name': HARMLESS})
                self.assertEqual(result.error_infos, [])
                self.assertAlmostEqual(result.extracted_features['PostSpam'], post, delta=1e-6)
            both = run_rules(self.module, RULES, {'post': SPAM, 'name': HARMLESS})
            self.assertAlmostEqual(both.extracted_features['NameSpam'], name, delta=1e-6)


@unittest.skipIf(NO_OSPREY, NO_OSPREY)
class GeventWorker(Workers, unittest.TestCase):
    module = None if NO_OSPREY else worker


@unittest.skipIf(NO_OSPREY, NO_OSPREY)
class AsyncioWorker(Workers, unittest.TestCase):
    module = None if NO_OSPREY else async_worker

    def test_the_module_loads_without_gevent(self):
        script = 'import sys, magistrate_osprey.async_worker; sys.exit("gevent.monkey" in sys.modules)'
        here = str(Path(__file__).parent)
        done = subprocess.run([sys.executable, '-c', script], cwd=here, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-500:])


class RealServer(unittest.TestCase):
    def test_one_text_and_several_have_the_probability_of_check(self):
        with test_servers.magistrate(self) as url, mock.patch.dict(os.environ, {'MAGISTRATE_URL': url}):
            texts = [SPAM, HARMLESS, 'Cheap watches, visit our shop now']
            expected = [test_servers.check(url, text) for text in texts]
            together = both_clients([Question(text, 'spam') for text in texts])
            alone = [both_clients([Question(text, 'spam')])[0] for text in texts]
            for answers in (together, alone):
                for answer, probability in zip(answers, expected, strict=True):
                    self.assertAlmostEqual(answer, probability, delta=1e-6)

    def test_a_policy_that_the_server_lacks_is_a_failure_of_the_server(self):
        with test_servers.magistrate(self) as url, mock.patch.dict(os.environ, {'MAGISTRATE_URL': url}):
            [answer] = both_clients([Question(SPAM, 'no-such-policy')])
        self.assertEqual(answer, Failure('HTTP 404 (model_not_found)', of_text=False))

    def test_an_empty_text_is_not_safe(self):
        with test_servers.magistrate(self) as url, mock.patch.dict(os.environ, {'MAGISTRATE_URL': url}):
            empty, other = both_clients([Question('', 'spam'), Question(SPAM, 'spam')])
        self.assertIsInstance(empty, Failure)
        self.assertIsInstance(other, float)


if __name__ == '__main__':
    unittest.main()
