"""The parts that the tests of the Python package share."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SPAM = "WINNER!! Reply YES to claim your prize"
SAFE = "The choir meets on Thursday at seven"

WORDS = "garden choir tomato bus music stand prize winner coupon ticket reply cake rain friday station letter".split()


def texts(count, distinct):
    """Returns texts, of which some are equal and therefore judged once."""
    found = []
    for number in range(distinct):
        words = [WORDS[(number * 7 + place * place * 3) % len(WORDS)] for place in range(6)]
        found.append(f"{number} " + " ".join(words))
    found[: len(found) // 5 : 3] = [f"{SPAM} {number}" for number in range(len(found[: len(found) // 5 : 3]))]
    return [found[place % distinct] for place in range(count)]


class Case(unittest.TestCase):
    """A test with a cache folder of its own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.cache = Path(folder.name, "a folder, with = signs")
        cls.cache.mkdir(mode=0o700)
        os.environ["MAGISTRATE_CACHE"] = str(cls.cache)
        os.environ["MAGISTRATE_NO_CONFIG"] = "1"

    def run_code(self, code):
        """Starts Python code in another process."""
        path = os.pathsep.join([str(ROOT / "python"), str(ROOT / "tests" / "python")])
        environment = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True)
        self.addCleanup(process.stdout.close)
        return process

    def programs(self):
        """Returns the ids of programs that use the cache folder of this test. Linux alone."""
        found = []
        for about in Path("/proc").glob("[0-9]*"):
            try:
                command = (about / "cmdline").read_bytes()
                variables = (about / "environ").read_bytes()
            except OSError:
                continue
            is_program = command.startswith(os.environ["MAGISTRATE_PROGRAM"].encode() + b"\0")
            if is_program and f"MAGISTRATE_CACHE={self.cache}".encode() in variables:
                found.append(int(about.name))
        return found

    def wait_until(self, holds, seconds=120):
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, "nothing happened")
            time.sleep(0.05)
