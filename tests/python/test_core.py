"""The package without any other: verdicts, errors, policies, a server, and interruptions."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
import unittest
import urllib.request
import warnings
from pathlib import Path

import magistrate
from magistrate import _http, _policy, _program
from support import ROOT, SAFE, SPAM, Case, texts

COLUMNS = ["verdict", "category", "category_title", "probability", "rationale", "error"]

RUN = """
import signal
import magistrate, support
# A shell starts background jobs with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
def progress(done, total):
    print(done, flush=True)
rows = magistrate.label(support.texts(2000, 70), "spam", progress=progress, parallel=2)
print("rows", len(rows), sum(row["verdict"] == "violation" for row in rows))
"""


class Checks(Case):
    def test_a_row_has_the_verdict_and_every_field(self):
        row = magistrate.check(SPAM, policy="spam")
        self.assertEqual((row["verdict"], row["status"]), ("violation", "ok"))
        self.assertGreater(row["probability"], 0.99)
        self.assertEqual(set(row), set(magistrate.Row.__annotations__))
        row = magistrate.check(SPAM, "spam", fields=["verdict", "error"], effort="none", threshold=1.0, cascade=None)
        self.assertEqual(row["verdict"], "safe")

    def test_several_policies_have_a_row_each(self):
        rows = magistrate.check(SPAM, ["spam", "hate"], fields=["verdict"])
        self.assertEqual({id: row["verdict"] for id, row in rows.items()}, {"spam": "violation", "hate": "safe"})
        self.assertEqual(list(magistrate.check(SAFE, ["spam"])), ["spam"])

    def test_a_text_that_cannot_be_judged_raises_an_error_of_its_own(self):
        for text, code in [("", "empty"), ("a\0b", "nul"), ("a \ud800", "not-utf8"), ("x " * 20000, "too-long")]:
            with self.assertRaises(magistrate.TextRefused) as raised:
                magistrate.check(text, "spam")
            self.assertEqual((raised.exception.code, raised.exception.exit_code), (code, 2))
        with self.assertRaises(TypeError):
            magistrate.check(None, "spam")
        # No text is taken for a flag, a file or a line end.
        for text in ["--help", "-f", __file__, "a\n", "\r", " ü\u2028 ẞ"]:
            if text.strip():
                self.assertEqual(magistrate.check(text, "spam", effort="none")["status"], "ok")

    def test_errors_have_a_hint_and_can_be_pickled(self):
        with self.assertRaises(magistrate.MagistrateError) as raised:
            magistrate.check(SAFE, "spma")
        error = pickle.loads(pickle.dumps(raised.exception))
        self.assertEqual((error.code, error.exit_code), ("policy", 2))
        self.assertIn("did you mean spam?", error.hint)
        self.assertIn("\nhint: ", str(error))
        with self.assertRaisesRegex(magistrate.MagistrateError, "--no-such-flag"):
            magistrate.label([SAFE], "spam", no_such_flag=1)

    def test_an_unresolved_text_is_a_row(self):
        row = magistrate.check(SAFE, "weapons")
        self.assertEqual((row["verdict"], row["status"], row["error"]["code"]), (None, "unresolved", "untrained"))

    def test_a_missing_program_is_named(self):
        named = os.environ.pop("MAGISTRATE_PROGRAM")
        try:
            os.environ["MAGISTRATE_PROGRAM"] = "nowhere"
            with self.assertRaisesRegex(magistrate.ProgramNotFound, "nowhere"):
                magistrate.check(SAFE, "spam")
        finally:
            os.environ["MAGISTRATE_PROGRAM"] = named

    @unittest.skipIf(os.name == "nt", "a daemon listens on a socket of Unix")
    def test_a_daemon_keeps_the_model(self):
        self.addCleanup(_program.run_briefly, ["daemon", "stop"])
        rows = [magistrate.check(SPAM, "spam", daemon=60, fields=["verdict"]) for _ in range(2)]
        self.assertEqual([row["verdict"] for row in rows], ["violation"] * 2)
        self.assertNotIn("no daemon", _program.run_briefly(["daemon", "status"]).messages)

    def test_settings_become_flags(self):
        settings = {"min_mass": 0.4, "chunk": True, "cascade": (0.1, 0.9), "fields": ["a", "b"], "budget": None}
        flags = ["--min-mass=0.4", "--chunk", "--cascade=0.1:0.9", "--fields=a,b"]
        self.assertEqual(_program.flags(settings), flags)

    def test_the_module_runs_the_program(self):
        command = [sys.executable, "-m", "magistrate", "check", "-p", "spam", SPAM]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("spam: violation", done.stdout)

    def test_coroutines_judge_side_by_side_and_a_cancelled_one_ends_its_program(self):
        async def judge():
            client = magistrate.AsyncClient()
            rows = await asyncio.gather(client.check(SPAM, "spam"), client.check(SAFE, "spam"))
            run = asyncio.create_task(client.label(texts(400, 400), "spam", keep=False))
            await asyncio.sleep(1)
            run.cancel()
            try:
                await run
            except asyncio.CancelledError:
                return [row["verdict"] for row in rows]

        began = time.monotonic()
        self.assertEqual(asyncio.run(judge()), ["violation", "safe"])
        self.assertLess(time.monotonic() - began, 20)


class Policies(Case):
    def test_a_policy_is_a_file_a_text_or_a_name(self):
        shipped = magistrate.Policy.shipped("spam")
        self.assertEqual((shipped.id, shipped.lint()), ("spam", []))
        path = self.cache / "my rules, v=2.yaml"
        path.write_text(shipped.source.replace("id: spam", "id: my-spam"), "utf-8")
        from_file = magistrate.Policy.from_file(path, id="other")
        for policy, id in [(path, "my-spam"), (from_file, "other"), (magistrate.Policy.from_file(path), "my-spam")]:
            self.assertEqual(list(magistrate.check(SPAM, [policy], fields=["verdict"])), [id])
        self.assertEqual(from_file.id, "other")

    def test_prose_has_labels(self):
        labels = {"INVALID": "violation", "VALID": "safe"}
        policy = magistrate.Policy.from_text("Nobody may advertise here.", id="my-rules", labels=labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", magistrate.MagistrateWarning)
            rows = magistrate.check(SAFE, [policy, "spam"], min_mass=0)
        self.assertEqual(sorted(rows), ["my-rules", "spam"])
        bare = magistrate.Policy.from_text("Nobody may advertise here.")
        self.assertIn("no-contract", [finding["rule"] for finding in bare.lint()])
        self.assertEqual((bare.id, bare.is_yaml(), shipped_is_yaml()), ("policy", False, True))

    def test_a_list_is_a_list(self):
        with self.assertRaisesRegex(magistrate.MagistrateError, "list"):
            _policy.listed("spam,hate")


def shipped_is_yaml():
    return magistrate.Policy.shipped("hate").is_yaml()


class Lists(Case):
    def test_lists_and_iterables_get_columns(self):
        rows = magistrate.label([SPAM, SAFE], "spam")
        self.assertEqual([list(row) for row in rows], [["text", *COLUMNS]] * 2)
        self.assertEqual([row["verdict"] for row in rows], ["violation", "safe"])
        records = [{"id": 7, "body": SPAM, "seen": {"a": [1]}}, {"body": SAFE}]
        rows = magistrate.label(records, ["spam", "hate"], text="body", fields=["probability"], prefix="m.")
        self.assertEqual([row["m.verdict"] for row in rows], ["violation", "safe"])
        self.assertEqual(rows[0]["seen"], {"a": [1]})
        self.assertGreater(rows[0]["m.spam.probability"], 0.99)
        lazy = magistrate.label((text for text in [SPAM]), "spam", keep=False)
        self.assertEqual(next(lazy)["category"], "SP3.b")
        self.assertEqual(magistrate.label([], "spam"), [])

    def test_a_bad_text_costs_only_its_row(self):
        bad = [None, float("nan"), "", "a\0b", "a \ud800", 3, b"bytes", "x " * 20000]
        rows = magistrate.label([{"text": text} for text in [*bad, SPAM]], "spam", fields=["verdict", "error", "error.code"])
        codes = ["wrong-type", "wrong-type", "empty", "nul", "not-utf8", "wrong-type", "wrong-type", "too-long", None]
        self.assertEqual([row["error.code"] for row in rows], codes)
        self.assertEqual(rows[-1]["verdict"], "violation")
        self.assertFalse([row for row in rows if row["error"] and str(self.cache) in row["error"]])
        rows = magistrate.label([None], ["spam", "hate"])
        self.assertEqual(rows[0]["verdict"], "undecided")

    def test_wrong_tables_are_refused_before_the_model_is_loaded(self):
        for data, text, reason in [
            ("text", "text", "not a table"),
            ({"text": ["a"]}, "text", "not a table"),
            ([{"body": "a"}], "text", "no column 'text'"),
            ([{"text": "a", "verdict": 1}], "text", "a column 'verdict' already"),
        ]:
            with self.assertRaisesRegex(magistrate.MagistrateError, reason):
                magistrate.label(data, "spam", text=text)

    def test_a_run_is_kept_for_its_owner_and_another_policy_is_another_run(self):
        path = self.cache / "own.yaml"
        source = magistrate.Policy.shipped("spam").source
        verdicts = []
        for effort in ["low", "none"]:
            path.write_text(source.replace("effort: low", f"effort: {effort}"), "utf-8")
            verdicts.append(magistrate.label([SPAM], path, keep=self.cache / "runs", fields=["effort"])[0]["effort"])
        self.assertEqual(verdicts, ["low", "none"])
        runs = list((self.cache / "runs").iterdir())
        self.assertEqual(len(runs), 2)
        if os.name == "posix":
            self.assertEqual({run.stat().st_mode & 0o777 for run in runs}, {0o700})
        before = {run: sorted(file.name for file in run.iterdir()) for run in runs}
        magistrate.label([SPAM], path, keep=False)
        self.assertEqual(before, {run: sorted(file.name for file in run.iterdir()) for run in runs})

    def test_an_old_run_is_removed(self):
        folder, root = self.cache / "kept", self.cache / "python"
        for keep, path in [(folder, folder), (True, root)]:
            magistrate.label([SPAM + " at once"], "spam", keep=keep)
            for run in path.iterdir():
                for file in [*run.iterdir(), run]:
                    os.utime(file, (0, 0))
            magistrate.label([SAFE + " as ever"], "spam", keep=keep)
        self.assertEqual([len(list(path.iterdir())) for path in (folder, root)], [2, 1])


class Evaluations(Case):
    def test_figures_are_a_dict_and_a_page(self):
        evaluation = magistrate.eval("spam")
        self.assertEqual(evaluation["rows"], 49)
        self.assertTrue(0.5 < evaluation["accuracy"] < 1)
        self.assertIn("&lt;!doctype html&gt;", evaluation._repr_html_())
        self.assertEqual(len(evaluation.report["rows"]), 49)
        golden = [{"body": SPAM, "gold": "ad"}, {"body": SAFE, "gold": "fine"}]
        options = {"text": "body", "label": "gold", "positive": ["ad"]}
        evaluation = magistrate.eval("spam", golden, fail_under={"recall": 0.5}, **options)
        self.assertEqual((evaluation["recall"], evaluation.passed), (1.0, True))
        golden[1]["gold"] = "ad"
        golden.append({"body": "See you at the station", "gold": "fine"})
        self.assertFalse(magistrate.eval("spam", golden, fail_under={"recall": 0.9}, **options).passed)

    def test_a_file_is_a_golden_set(self):
        path = self.cache / "golden set.csv"
        path.write_text(f"text,label\n{SPAM},1\n{SAFE},0\n")
        self.assertEqual(magistrate.eval("spam", path)["rows"], 2)


class Servers(Case):
    def test_a_server_answers_as_the_program_does_and_ends_with_its_block(self):
        rules = magistrate.Policy.from_text(
            "INVALID: the text offers prizes. VALID: anything else. Return exactly one word: VALID or INVALID.", id="rules"
        )
        with magistrate.serve(["spam", "hate"], key="a key of sixteen letters", reproducible=True) as server:
            local = magistrate.check(SPAM, "spam", reproducible=True)
            self.assertAlmostEqual(server.check(SPAM, "spam")["probability"], local["probability"], places=6)
            data = [SPAM, None, "a \ud800", "", "a\0b", "x " * 20000, *[SAFE] * 12]
            self.addCleanup(setattr, _http, "LINES", _http.LINES)
            _http.LINES = 5
            rows = server.label(data, ["spam", rules], effort="none")
            self.assertEqual(rows[0]["spam.verdict"], "violation")
            self.assertIn("rules.verdict", rows[0])
            self.assertEqual([bool(row["spam.error"]) for row in rows[:6]], [False, *[True] * 5])
            self.assertEqual({row["spam.verdict"] for row in rows[6:]}, {"safe"})
            for text, policy, kind in [
                ("", "spam", magistrate.TextRefused),
                ("x " * 20000, "spam", magistrate.TextRefused),
                ("a \ud800", "spam", magistrate.TextRefused),
                (SAFE, "weapons", magistrate.ServerError),
            ]:
                with self.assertRaises(kind):
                    server.check(text, policy)
            with self.assertRaisesRegex(magistrate.ServerError, "key=") as raised:
                magistrate.Client(server.url).check(SAFE, "spam")
            self.assertEqual(raised.exception.status, 401)
            with self.assertRaisesRegex(magistrate.ServerError, "no policy"):
                server.label([SAFE], "weapons")
            with self.assertRaises(magistrate.MagistrateError):
                server.eval("spam")
            client = magistrate.AsyncClient(server.url, server.key)
            self.assertEqual(asyncio.run(client.check(SPAM, "spam"))["verdict"], "violation")
        with self.assertRaisesRegex(magistrate.ServerError, "no answer"):
            server.check(SAFE, "spam")

    def test_a_server_that_cannot_start_is_an_error(self):
        with self.assertRaises(magistrate.MagistrateError) as raised:
            magistrate.serve("spam", model="no-such-model.gguf")
        self.assertEqual(raised.exception.exit_code, 2)

    @unittest.skipUnless(sys.platform == "linux", "processes are found in /proc")
    def test_a_server_ends_with_its_interpreter(self):
        code = "import magistrate, os, time; s = magistrate.serve('spam'); print(s.url, flush=True); time.sleep(60)"
        process = self.run_code(code)
        url = process.stdout.readline().strip()
        urllib.request.urlopen(url + "/ready").close()
        process.kill()
        process.wait()
        self.wait_until(lambda: not self.programs())


@unittest.skipUnless(sys.platform == "linux", "processes are found in /proc")
class Interruptions(Case):
    """One run of 2,000 texts, which is stopped in three ways and continued."""

    def interrupt(self, least, stop):
        process = self.run_code(RUN)
        first = done = int(process.stdout.readline())
        while done < first + least:
            line = process.stdout.readline()
            self.assertTrue(line and not line.startswith("rows"), "the run ended before it was stopped")
            done = int(line)
        stop(process)
        printed = process.stdout.read()
        process.wait(30)
        self.assertNotIn("rows", printed)
        return first, done, process.returncode

    def test_a_run_that_was_stopped_is_continued(self):
        self.addCleanup(lambda: [os.kill(program, signal.SIGKILL) for program in self.programs()])
        first, done, code = self.interrupt(2, lambda process: process.send_signal(signal.SIGINT))
        self.assertEqual((first, code), (0, -signal.SIGINT))
        # The program has ended before the exception is raised.
        self.assertFalse(self.programs())

        kill = lambda _: [os.kill(program, signal.SIGKILL) for program in self.programs()]
        first, again, code = self.interrupt(2, kill)
        self.assertGreaterEqual(first, done)
        self.assertEqual(code, 1)

        first, done, _ = self.interrupt(2, lambda process: process.kill())
        self.assertGreaterEqual(first, again)

        # This call waits for the program of the killed one, which is still ending.
        last = self.run_code(RUN)
        lines = last.communicate(timeout=240)[0].split("\n")
        self.assertGreaterEqual(int(lines[0]), done)
        rows = [line for line in lines if line.startswith("rows")]
        undisturbed = magistrate.label(texts(2000, 70), "spam", keep=False)
        self.assertEqual(rows, [f"rows 2000 {sum(row['verdict'] == 'violation' for row in undisturbed)}"])
        [journal] = self.cache.glob("python/*/*.journal")
        before = journal.read_bytes()
        magistrate.label(texts(2000, 70), "spam", parallel=2)
        self.assertEqual(journal.read_bytes(), before, "a finished run is not judged again")


if __name__ == "__main__":
    unittest.main()
