"""A program that stays in memory: the rows of `magistrate.label`, whatever ends the program."""

import os
import signal
import time
import unittest
from unittest import mock

import magistrate
from magistrate import _job, worker
from magistrate.worker import Worker
from support import ROOT, SPAM, Case, texts

COLUMNS = ["verdict", "category", "category_title", "probability", "rationale", "error"]

HELD = """
import os, support
from magistrate.worker import Worker
worker = Worker("spam")
worker.judge(support.texts(20, 20))
print(worker._running.process.pid, flush=True)
worker.judge(support.texts(100000, 100000))
"""


class WorkerCase(Case):
    def planted(self, **variables):
        """Plants faults in the program for the rest of the test."""
        program = {"PLANTED_PROGRAM": os.environ["MAGISTRATE_PROGRAM"]}
        program["MAGISTRATE_PROGRAM"] = str(ROOT / "tests" / "python" / "planted.py")
        change = mock.patch.dict(os.environ, {**program, **variables})
        change.start()
        self.addCleanup(change.stop)

    def rows(self, worker, texts):
        return [one["verdicts"]["spam"] for one in worker.judge(texts)]


class Rows(WorkerCase):
    def test_batches_have_the_columns_of_label_and_load_the_model_once(self):
        body = texts(600, 400)
        body[3], body[77], body[599] = None, "", "x " * 20000
        labeled = magistrate.label([{"text": text} for text in body], "spam", effort="none", keep=False)
        with Worker("spam", effort="none") as held:
            first = held.start()
            self.assertEqual((first["worker"], first["terms"]["policies"][0].split()[0]), (1, "spam"))
            found = {name: [] for name in COLUMNS}
            for start in range(0, 600, 150):
                for name, values in held.columns(body[start : start + 150]).items():
                    found[name] += values
            self.assertIs(held.start(), first)
            self.assertEqual(held.judge([]), [])
        for name in COLUMNS:
            pairs = [(one, row[name]) for one, row in zip(found[name], labeled)]
            if name == "probability":
                for one, other in pairs:
                    self.assertAlmostEqual(one or 0, other or 0, delta=1e-3)
            else:
                # Two sentences may be equally likely. Texts that share a batch then decide between them.
                ties = 6 if name == "rationale" else 0
                self.assertLessEqual(len([one for one, other in pairs if one != other]), ties, name)

    def test_several_policies_and_policies_of_the_caller(self):
        own = magistrate.Policy.from_text("Answer VALID or INVALID.", id="own", labels={"VALID": "safe", "INVALID": "violation"})
        with Worker(["spam", own], effort="none", fields=["verdict"], min_mass=0.0) as held:
            made = held.columns([SPAM, "See you on Thursday!"])
        self.assertEqual(list(made), ["verdict", "spam.verdict", "own.verdict"])
        self.assertEqual(made["spam.verdict"], ["violation", "safe"])

    def test_the_first_line_is_known_without_the_model(self):
        with Worker("spam") as held:
            self.assertEqual(worker.terms("spam"), held.start())
        other = worker.terms("spam", effort="none")
        with self.assertRaisesRegex(magistrate.MagistrateError, "other terms.*policies: ") as raised:
            Worker("spam", expected=other).judge(["a text"])
        self.assertIn("same program, model, policies", raised.exception.hint)
        with self.assertRaisesRegex(magistrate.MagistrateError, "^b and a differ: "):
            _job.agreed([("a", other), ("b", worker.terms("spam"))])

    def test_a_policy_goes_to_another_machine_as_its_text(self):
        path = self.cache / "id: rules.txt"
        path.write_text("id: none\nAnswer VALID or INVALID.", "utf-8")
        for policy in (path, str(path), magistrate.Policy.from_file(path)):
            task = _job.job(policy, "text", None, "", {})
            there = task.policies[0]
            self.assertEqual((there.id, there.is_yaml(), there._path), ("id: rules", False, None))
        self.assertEqual(_job.job(["spam"], "text", None, "", {}).policies, ["spam"])

    @unittest.skipUnless(os.path.isdir("/proc/self"), "there is no /proc")
    def test_the_program_ends_with_its_interpreter(self):
        process = self.run_code(HELD)
        pid = int(process.stdout.readline())
        self.assertTrue(os.path.exists(f"/proc/{pid}"))
        time.sleep(0.3)
        process.kill()
        process.wait()
        self.wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


@unittest.skipIf(os.name == "nt", "a script is no program there")
class Faults(WorkerCase):
    def test_a_text_that_ends_the_program_has_an_error_and_no_other_has(self):
        self.planted()
        # A batch is halved down to such a text, with several starts of the program at each step.
        body = texts(16, 16)
        plants = {3: "CRASH", 4: "LEAVE", 15: "FAIL"}
        reasons = {3: "killed by signal 6", 4: "exit code 0", 15: "exit code 2: the engine failed"}
        for place, word in plants.items():
            body[place] += " " + word
        with Worker("spam", effort="none") as held:
            rows = self.rows(held, body)
        self.assertEqual(len(rows), 16)
        for place, row in enumerate(rows):
            self.assertEqual((place, row["status"]), (place, "error" if place in plants else "ok"))
            if place in plants:
                self.assertIn(reasons[place], row["error"]["message"])
                self.assertEqual((row["verdict"], row["error"]["code"]), (None, "worker"))
        plain = magistrate.label([{"text": text} for text in body], "spam", effort="none", keep=False)
        pairs = [(row["verdict"], one["verdict"]) for row, one in zip(rows, plain) if row["status"] == "ok"]
        self.assertEqual([one for one, _ in pairs], [other for _, other in pairs])

    def test_a_program_that_hangs_or_babbles_counts_as_dead(self):
        self.planted()
        for body, reason in [(["first", "a HANG"], "no row for 5 s"), (["first", "a BABBLE", "last"], "not the next row")]:
            with Worker("spam", effort="none", seconds=5) as held:
                rows = self.rows(held, body)
            self.assertEqual([row["status"] for row in rows], ["ok", "error", "ok"][: len(body)])
            self.assertIn(reason, rows[1]["error"]["message"])

    def test_a_program_that_ends_with_every_text_fails_the_call(self):
        self.planted()
        with self.assertRaisesRegex(magistrate.MagistrateError, "ends with every text: it was killed by signal 9"):
            Worker("spam", effort="none").judge(["MEMORY"] * 40)

    def test_a_program_that_cannot_load_fails_the_call(self):
        for how, message in [("FAIL", "the engine failed"), ("LEAVE", "exit code 0"), ("MEMORY", "exit code -9")]:
            self.planted(PLANTED_LOAD=how)
            with self.assertRaisesRegex(magistrate.MagistrateError, message):
                Worker("spam").judge(["a text"])

    def test_a_program_that_is_killed_from_outside_loses_no_row(self):
        with Worker("spam", effort="none") as held:
            held.judge(["a text"])
            os.kill(held._running.process.pid, signal.SIGKILL)
            rows = self.rows(held, texts(30, 30))
        self.assertEqual({row["status"] for row in rows}, {"ok"})


if __name__ == "__main__":
    unittest.main()
