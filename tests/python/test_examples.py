"""The programs that the manual and the folder of examples show, and the notebook."""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

from support import ROOT, Case


def run(path, folder=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.run([sys.executable, "-W", "ignore", path], capture_output=True, text=True, env=environment, cwd=folder)


class Scripts(Case):
    def test_the_program_of_the_manual_prints_the_shown_lines(self):
        blocks = re.findall(r"```(?:python|console)\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL)
        path = Path(self.cache, "first.py")
        path.write_text(blocks[0], "utf-8")
        shown = blocks[1].split("$ python first.py\n")[1]
        done = run(path)
        self.assertEqual((done.stdout, done.returncode), (shown, 0), done.stderr)

    def test_the_example_runs(self):
        done = run(ROOT / "examples" / "python" / "classify.py")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("['safe', 'violation']", done.stdout)


class Notebook(Case):
    def test_the_notebook_runs_and_shows_the_report(self):
        import nbformat
        from nbclient import NotebookClient

        path = ROOT / "examples" / "python" / "first-verdicts.ipynb"
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        self.assertFalse([cell for cell in notebook.cells if cell.get("outputs")], "the notebook has outputs")
        NotebookClient(notebook, timeout=300).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        pages = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
        self.assertTrue([page for page in pages if page.startswith("<iframe")])
        streams = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
        self.assertIn("4 of 4 texts", streams)


if __name__ == "__main__":
    unittest.main()
