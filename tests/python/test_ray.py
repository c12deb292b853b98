"""Ray Data on a local cluster of three raylets: the rows of `magistrate label`, whatever dies on the way."""

import os
import threading
import time
import unittest
from unittest import mock

import magistrate
import magistrate.ray
import ray
import ray.data
import ray.exceptions
from ray.cluster_utils import Cluster
from spread import PLANTED, ROWS, SETTINGS, SpreadCase
from support import ROOT

MEMORY = 120 << 20

RUN = """
import sys
import ray, ray.data, magistrate.ray
from ray.data.checkpoint import CheckpointConfig
from spread import SETTINGS
posts, address, output, kept = sys.argv[1:]
context = ray.data.DataContext.get_current()
context.enable_progress_bars = False
context.checkpoint_config = CheckpointConfig("id", kept, delete_checkpoint_on_success=False)
ray.init(address=address, logging_level="ERROR", log_to_driver=False)
posts = ray.data.read_parquet(posts)
judged = magistrate.ray.judge(posts, "spam", "body", **SETTINGS, threads=1, block=ROWS)
print("begun", flush=True)
judged.write_parquet(output)
print("done", flush=True)
"""


class RayCase(SpreadCase):
    nodes = ({"num_cpus": 2},) * 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Programs of a niceness would wait for everything else on this machine.
        os.environ["RAY_worker_niceness"] = "0"
        head = {**cls.nodes[0], "object_store_memory": MEMORY, "include_dashboard": False}
        cls.cluster = Cluster(initialize_head=True, head_node_args=head)
        cls.addClassCleanup(cls.cluster.shutdown)
        cls.others = [cls.cluster.add_node(**node, object_store_memory=MEMORY) for node in cls.nodes[1:]]
        cls.cluster.wait_for_nodes()

    def connect(self, **variables):
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        environment = {"env_vars": variables} if variables else None
        ray.init(address=self.cluster.address, logging_level="ERROR", log_to_driver=False, runtime_env=environment)
        self.addCleanup(ray.shutdown)

    def judged(self, **options):
        posts = ray.data.read_parquet(str(self.posts))
        return magistrate.ray.judge(posts, "spam", "body", **SETTINGS, **{"threads": 1, **options})

    def arrow(self, dataset):
        import pyarrow

        return pyarrow.concat_tables(ray.get(dataset.to_arrow_refs()))


class Runs(RayCase):
    def test_rows_and_columns_are_those_of_label(self):
        self.connect()
        self.check(self.arrow(self.judged()))

    def test_a_raylet_that_is_killed_loses_no_row(self):
        self.connect()
        dataset = self.judged(block=64)
        over = threading.Event()

        def kill():
            while not over.is_set() and len(self.programs()) < 3:
                time.sleep(0.3)
            if not over.wait(0.3):
                self.cluster.remove_node(self.others.pop(), allow_graceful=False)

        thread = threading.Thread(target=kill)
        thread.start()
        table = self.arrow(dataset)
        over.set()
        thread.join()
        self.check(table)
        self.assertEqual(len(self.others), 1, "the run was over before a raylet was killed")
        self.others.append(self.cluster.add_node(**self.nodes[0], object_store_memory=MEMORY))
        self.cluster.wait_for_nodes()

    def test_a_driver_that_is_killed_is_continued_from_its_checkpoint(self):
        output, kept = self.folder / "judged", self.folder / "kept"
        code = RUN.replace("ROWS", str(max(ROWS // 40, 1)))
        arguments = [str(self.posts), self.cluster.address, str(output), str(kept)]
        process = self.run_code(f"import sys; sys.argv[1:] = {arguments!r}\n{code}")
        self.wait_until(lambda: self.written(output) > 3 or process.poll() is not None, 120)
        process.kill()
        before = self.written(output)
        self.assertGreater(before, 3)
        again = self.run_code(f"import sys; sys.argv[1:] = {arguments!r}\n{code}")
        printed = again.communicate(timeout=600)[0]
        self.assertIn("done", printed)
        self.check(self.read(output))
        self.assertGreaterEqual(self.written(output), before)


class Faults(RayCase):
    def test_a_program_that_dies_costs_the_rows_that_kill_it(self):
        words = {ROWS // 5: "CRASH", ROWS // 4: "LEAVE", ROWS // 4 + 1: "MEMORY"}
        body = self.table.column("body").to_pylist()
        for place, word in words.items():
            body[place] += " " + word
        table = self.table.set_column(1, "body", [body])
        self.connect(MAGISTRATE_PROGRAM=PLANTED, PLANTED_PROGRAM=os.environ["MAGISTRATE_PROGRAM"])
        posts = ray.data.from_arrow(table)
        found = self.arrow(magistrate.ray.judge(posts, "spam", "body", **SETTINGS, threads=1, block=64))
        with mock.patch.object(type(self), "table", table):
            self.check(found, words)

    def test_a_program_that_cannot_load_fails_the_run(self):
        for how, message in [("FAIL", "the engine failed"), ("LEAVE", "exit code 0"), ("MEMORY", "exit code -9")]:
            with self.subTest(how):
                real = os.environ["MAGISTRATE_PROGRAM"]
                self.connect(MAGISTRATE_PROGRAM=PLANTED, PLANTED_PROGRAM=real, PLANTED_LOAD=how)
                with self.assertRaisesRegex(Exception, message):
                    self.judged().materialize()
                ray.shutdown()

    def test_what_would_drop_rows_or_wait_for_ever_is_refused(self):
        self.connect()
        posts = ray.data.read_parquet(str(self.posts))
        posts.context.max_errored_blocks = -1
        with self.assertRaisesRegex(magistrate.MagistrateError, "drops rows"):
            magistrate.ray.judge(posts, "spam", "body")
        with self.assertRaisesRegex(magistrate.MagistrateError, "no host"):
            self.judged(num_cpus=3)


class Models(RayCase):
    nodes = ({"num_cpus": 2}, {"num_cpus": 2, "env_vars": {"MAGISTRATE_MODEL": str(ROOT / "models" / "random.gguf")}})

    def test_hosts_with_different_models_are_refused(self):
        self.connect()
        with self.assertRaisesRegex(magistrate.MagistrateError, "differ: .*model: magistrate-nano.*random"):
            self.judged()


class Sizes(unittest.TestCase):
    def test_a_pool_leaves_the_cpus_that_ray_needs(self):
        def pool(cpus, is_kept=False, **options):
            hosts = [magistrate.ray.Host(str(place), "host", {"CPU": count}) for place, count in enumerate(cpus)]
            return magistrate.ray._pool(hosts, hosts, is_kept, options.get("concurrency"), options.get("num_cpus"))

        self.assertEqual(pool([64, 64]), (2, 32))
        self.assertEqual(pool([2, 2, 2], num_cpus=1, is_kept=True), (3, 1))
        self.assertEqual(pool([4, 4], num_cpus=4), (1, 4))
        self.assertEqual(pool([4, 4], concurrency=1), (1, 2))
        for cpus, is_kept in [([1], False), ([2], True), ([1, 1], True)]:
            self.assertEqual(pool(cpus, is_kept), (len(cpus), 0))
        for cpus, is_kept, num_cpus in [([1], True, None), ([2], True, 1), ([4], False, 4)]:
            with self.assertRaisesRegex(magistrate.MagistrateError, "must be free beside"):
                pool(cpus, is_kept, num_cpus=num_cpus)


if __name__ == "__main__":
    unittest.main()
