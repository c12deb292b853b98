"""Spark with three executors: the rows of `magistrate label`, whatever dies on the way."""

import os
import signal
import sys
import threading
import time
import unittest
from unittest import mock

import magistrate
import magistrate.spark
from pyspark.sql import SparkSession
from spread import PLANTED, ROWS, SETTINGS, SpreadCase
from support import ROOT

RUN = """
import sys
import magistrate.spark, test_spark
posts, output = sys.argv[1:]
session = test_spark.session()
print("begun", flush=True)
posts = session.read.parquet(posts)
magistrate.spark.append(posts, output, "spam", "id", "body", tasks=40, **test_spark.SETTINGS)
print("done", flush=True)
session.stop()
"""


def session(**variables):
    """Starts Spark with three executors of one core."""
    builder = SparkSession.builder.master("local-cluster[3,1,1024]").appName("magistrate")
    settings = {
        "spark.executor.memory": "512m",
        "spark.driver.memory": "512m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
        # A table of a few rows is one partition otherwise.
        "spark.sql.files.maxPartitionBytes": "20000",
        "spark.sql.adaptive.enabled": "false",
    }
    named = {name: os.environ[name] for name in os.environ if name.startswith(("MAGISTRATE_", "PYTHONPATH"))}
    for name, value in {**named, **variables}.items():
        settings[f"spark.executorEnv.{name}"] = value
    for name, value in settings.items():
        builder = builder.config(name, value)
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("OFF")
    return started


class SparkCase(SpreadCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        # Executors have folders of their own below this one.
        os.environ["SPARK_WORKER_DIR"] = str(cls.folder / "work")

    def start(self, **variables):
        self.session = session(**variables)
        self.addCleanup(self.session.stop)
        return self.session.read.parquet(str(self.posts))

    def judged(self, posts, **options):
        return magistrate.spark.judge(posts, "spam", "body", **SETTINGS, **options)

    def executors(self):
        """Returns the ids of the executors' processes."""
        found = []
        for about in os.listdir("/proc"):
            try:
                with open(f"/proc/{about}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(f"/proc/{about}/environ", "rb") as file:
                    is_ours = f"MAGISTRATE_CACHE={self.cache}".encode() in file.read()
            except OSError:
                continue
            if is_ours and b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words:
                found.append(int(about))
        return found


class Runs(SparkCase):
    def test_rows_and_columns_are_those_of_label(self):
        self.check(self.judged(self.start()).toArrow())

    def test_an_executor_that_is_killed_loses_no_row(self):
        judged = self.judged(self.start().repartition(30))

        def kill():
            self.wait_until(lambda: len(self.programs()) > 2, 60)
            time.sleep(0.3)
            os.kill(self.executors()[0], signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        judged.write.parquet(str(self.folder / "executor"))
        thread.join()
        self.check(self.read(self.folder / "executor"))

    def test_a_driver_that_is_killed_is_continued_by_the_same_call(self):
        output = self.folder / "driver"
        code = f"import sys; sys.argv[1:] = {[str(self.posts), str(output)]!r}\n{RUN}"
        process = self.run_code(code)
        self.wait_until(lambda: self.written(output) > 3 or process.poll() is not None, 180)
        process.kill()
        # Its Java machine ends with it.
        self.wait_until(lambda: not self.executors(), 60)
        before = self.written(output)
        self.assertGreater(before, 3)
        self.assertIn("done", self.run_code(code).communicate(timeout=600)[0])
        self.check(self.read(output))
        # A third call judges nothing.
        count = self.written(output)
        self.assertIn("done", self.run_code(code).communicate(timeout=600)[0])
        self.check(self.read(output))
        self.assertGreater(count, before)


class Faults(SparkCase):
    def start(self, **variables):
        real = os.environ["MAGISTRATE_PROGRAM"]
        return super().start(MAGISTRATE_PROGRAM=PLANTED, PLANTED_PROGRAM=real, **variables)

    def test_a_program_that_dies_costs_the_rows_that_kill_it(self):
        words = {ROWS // 5: "CRASH", ROWS // 4: "LEAVE", ROWS // 4 + 1: "MEMORY"}
        body = self.table.column("body").to_pylist()
        for place, word in words.items():
            body[place] += " " + word
        table = self.table.set_column(1, "body", [body])
        self.start()
        found = self.judged(self.session.createDataFrame(table).repartition(12)).toArrow()
        with mock.patch.object(type(self), "table", table):
            self.check(found, words)

    def test_a_program_that_cannot_load_fails_the_job(self):
        for how, message in [("FAIL", "the engine failed"), ("MEMORY", "exit code -9")]:
            with self.subTest(how):
                posts = self.start(PLANTED_LOAD=how)
                with self.assertRaisesRegex(Exception, message):
                    self.judged(posts).toArrow()
                self.session.stop()

    def test_hosts_with_different_models_are_refused(self):
        posts = self.start(PLANTED_PLACE="/1", PLANTED_MODEL=str(ROOT / "models" / "random.gguf"))
        with self.assertRaisesRegex(magistrate.MagistrateError, "differ: .*model: "):
            self.judged(posts)

    def test_a_column_that_is_there_already_is_refused(self):
        posts = self.start().withColumnRenamed("likes", "verdict")
        with self.assertRaisesRegex(magistrate.MagistrateError, "has a column 'verdict' already"):
            self.judged(posts)


if __name__ == "__main__":
    unittest.main()
