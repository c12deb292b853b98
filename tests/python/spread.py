"""The parts that the tests of Ray and Spark share: a table in files, and the rows of `magistrate label` for it."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import support

ROWS = int(os.environ.get("TEST_ROWS") or 2000)
"""Rows of a table. scripts/python-test --rows sets it."""

SETTINGS = {"effort": "none", "fields": ["verdict", "probability", "error"]}
"""Settings of all runs. A rationale would take most of the time."""

PLANTED = str(support.ROOT / "tests" / "python" / "planted.py")


class SpreadCase(support.Case):
    """A test with a table of texts in eight files, and the rows that `magistrate label` has for them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import pyarrow
        from pyarrow import parquet

        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        body = support.texts(ROWS, ROWS)
        body[ROWS // 2], body[ROWS // 3] = None, ""
        ids = [f"post {number}" for number in range(ROWS)]
        cls.table = pyarrow.table({"id": ids, "body": body, "likes": list(range(ROWS))})
        cls.posts = cls.folder / "posts"
        cls.posts.mkdir()
        for part in range(8):
            start, stop = ROWS * part // 8, ROWS * (part + 1) // 8
            parquet.write_table(cls.table.slice(start, stop - start), cls.posts / f"{part}.parquet")
        lines = [json.dumps({"id": id, "text": text}) + "\n" for id, text in zip(ids, body)]
        (cls.folder / "posts.jsonl").write_text("".join(lines), "ascii")
        command = [os.environ["MAGISTRATE_PROGRAM"], "label", "-p", "spam", "--effort=none", "--columns=", "-q"]
        command.append("--fields=id,verdict,probability,error")
        files = [str(cls.folder / "posts.jsonl"), "-o", str(cls.folder / "labeled.jsonl")]
        subprocess.run([*command, *files], check=False)
        with open(cls.folder / "labeled.jsonl", encoding="utf-8") as file:
            cls.labeled = {row["id"]: row for row in map(json.loads, file)}
        assert len(cls.labeled) == ROWS

    def check(self, found, lost=()):
        """Holds an Arrow table with verdicts to the rows of `magistrate label`. Rows in `lost` have errors instead."""
        found = found.sort_by("likes")
        self.assertEqual(found.column("likes").to_pylist(), list(range(ROWS)), "a row is lost or there twice")
        for name in ("id", "body"):
            self.assertEqual(found.column(name).to_pylist(), self.table.column(name).to_pylist(), "a column changed")
        wrong = []
        for row in found.to_pylist():
            labeled = self.labeled[row["id"]]
            if row["likes"] in lost:
                is_right = row["verdict"] is None and "the program ended 3 times" in row["error"]
            else:
                near = abs((row["probability"] or 0) - (labeled["probability"] or 0)) <= 1e-3
                is_right = row["verdict"] == labeled["verdict"] and (row["error"] is None) == (labeled["error"] is None) and near
            if not is_right:
                wrong.append((row, labeled))
        self.assertEqual(wrong[:2], [])

    def read(self, folder):
        """Returns the rows in a folder of Parquet."""
        from pyarrow import concat_tables, parquet

        files = sorted(path for path in Path(folder).glob("*.parquet") if path.stat().st_size)
        return concat_tables([parquet.ParquetFile(path).read() for path in files])

    def written(self, folder):
        """Returns the number of files that are done in a folder."""
        return len([path for path in Path(folder).glob("*.parquet") if path.stat().st_size])
