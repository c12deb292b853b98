"""Runs of `magistrate label` in a folder that is found again, so that a call continues an earlier one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Union

from . import _policy, _program
from ._errors import MagistrateError
from ._policy import Policy, PolicyLike
from ._tables import Columns, plain, value
from ._types import Progress

FIELDS = ["verdict", "category", "category_title", "probability", "rationale", "error"]
CERTIFIED = ["calibrated", "decision"]

KEPT_DAYS = 30
"""Days after which a run that was not used is removed from the cache folder."""

PATIENCE = 60
"""Seconds in which a killed call's program ends, and frees its journal."""

Judged = Dict[str, Any]
"""The result for one text: a row for each policy in `verdicts`, or an `error`."""


def rows(
    texts: Sequence[Any],
    policies: Sequence[PolicyLike],
    fields: Sequence[str],
    settings: Mapping[str, Any],
    keep: Union[bool, str, "os.PathLike[str]"],
    restart: bool,
    progress: Progress,
) -> List[Judged]:
    """Judges texts by the local program."""
    if not texts:
        return []
    flags = _program.flags({**settings, "fields": whole(["verdict", "policy", *fields])})
    terms = [*map(_policy.content, policies), *flags, _identity(settings.get("model"))]
    with _policy.named(policies) as named, _folder(texts, terms, keep) as folder:
        output = folder / "verdicts.jsonl"
        command = ["label", *named, *flags, "--columns=", "--text-column=text", f"--output={output}"]
        command += ["--restart"] if restart else []
        with Watch(Path(f"{output}.journal"), len(texts), progress) as watch:
            result = _until_free([*command, "--", str(folder / "texts.jsonl")], watch)
        _program.checked(result, 0, 3)
        with open(output, encoding="utf-8") as lines:
            judged = [_judged(json.loads(line), number) for number, line in enumerate(lines, 1)]
    if len(judged) != len(texts):
        raise MagistrateError(f"{len(texts)} texts have {len(judged)} rows", "restart=True judges all texts anew")
    return judged


def whole(fields: Sequence[str]) -> List[str]:
    """Returns the fields of a row that contain the fields at some paths, such as `usage` for `usage.content_tokens`."""
    return list(dict.fromkeys(field.split(".")[0] for field in fields))


def columns(judged: Sequence[Judged], policies: Sequence[PolicyLike], is_list: bool, fields: Sequence[str]) -> Columns:
    """Returns the columns that results add to a table. Of a list of policies, the overall verdict comes first."""
    ids = list(dict.fromkeys(id for one in judged for id in one["verdicts"]))
    # No text has a row, so the names of the policies have to do.
    ids = ids or [policy.id if isinstance(policy, Policy) else Path(policy).stem for policy in policies]
    return columns_of(judged, ids, is_list, fields)


def columns_of(judged: Sequence[Judged], ids: Sequence[str], is_list: bool, fields: Sequence[str]) -> Columns:
    """Returns the columns of the policies with these ids."""
    made: Columns = {"verdict": [overall(one) for one in judged]} if is_list else {}
    for id in ids:
        rows = [one["verdicts"].get(id, one) for one in judged]
        made.update({f"{id}.{field}" if is_list else field: [value(row, field) for row in rows] for field in fields})
    return made


def overall(judged: Judged) -> str:
    """Returns the most serious verdict on a text."""
    found = [row["verdict"] or "undecided" for row in judged["verdicts"].values()] or ["undecided"]
    return next(verdict for verdict in ("violation", "undecided", "review", "safe") if verdict in found)


def _judged(line: Dict[str, Any], number: int) -> Judged:
    """Returns a line of `magistrate label` in the shape that several policies have."""
    judged = line if "verdicts" in line else {"verdicts": {line["policy"]["id"]: line}}
    for row in judged["verdicts"].values():
        if row.get("error"):
            # The file is not one of the caller's.
            row["error"]["message"] = row["error"]["message"].split(f": line {number}: ")[-1]
    return judged


def _until_free(command: Sequence[str], watch: "Watch") -> _program.Result:
    """Runs a command. Waits for the program of a killed call, which may still be ending."""
    end = time.monotonic() + PATIENCE
    while True:
        result = _program.run(command, watch)
        if result.code != 2 or "is in use: " not in result.messages or time.monotonic() > end:
            return result
        time.sleep(0.5)


@contextlib.contextmanager
def _folder(
    texts: Sequence[Any], terms: Sequence[str], keep: Union[bool, str, "os.PathLike[str]"]
) -> Iterator[Path]:
    """Makes the folder of a run, with its texts. The digest of texts and terms is its name in the cache folder."""
    if keep is False:
        with tempfile.TemporaryDirectory(prefix="magistrate-") as name:
            _write(texts, Path(name))
            yield Path(name)
        return
    if keep is True:
        shown = json.loads(_program.checked(_program.run_briefly(["cache", "show", "--json"]), 0).output)
        root = Path(shown["folder"], "python")
    else:
        root = Path(keep).absolute()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if keep is True:
        _remove_old(root)
    draft = Path(tempfile.mkdtemp(prefix="new-", dir=root))
    try:
        digest = _write(texts, draft)
        # Settings files and variables count as flags do.
        config = _program.run_briefly(["config", "--json"]).output
        digest.update(json.dumps([*terms, config, _identity(_program.find())]).encode("ascii"))
        folder = root / digest.hexdigest()[:32]
        folder.mkdir(mode=0o700, exist_ok=True)
        os.replace(draft / "texts.jsonl", folder / "texts.jsonl")
        os.utime(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    yield folder


def _write(texts: Sequence[Any], folder: Path) -> Any:
    """Writes texts as JSON in ASCII, which holds any string. Returns their digest."""
    digest = hashlib.sha256()
    with open(folder / "texts.jsonl", "wb") as file:
        for text in texts:
            line = json.dumps({"text": text}, default=plain).encode("ascii") + b"\n"
            digest.update(line)
            file.write(line)
    return digest


def _identity(path: Any) -> str:
    """Returns a text that changes with a file."""
    if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
        return str(path)
    about = os.stat(path)
    return f"{os.path.abspath(path)} {about.st_size} {about.st_mtime_ns}"


def _remove_old(root: Path) -> None:
    """Removes runs that were not used for long."""
    oldest = time.time() - 86400 * KEPT_DAYS
    for folder in root.iterdir():
        with contextlib.suppress(OSError):
            times = [folder.stat().st_mtime, *(file.stat().st_mtime for file in folder.iterdir())]
            if max(times) < oldest and (folder.name.startswith("new-") or (folder / "texts.jsonl").exists()):
                shutil.rmtree(folder)


class Watch:
    """Counts the rows of a journal while it grows, and reports them."""

    def __init__(self, journal: Path, total: int, progress: Progress) -> None:
        self.journal, self.total, self.progress = journal, total, progress
        self.place = self.lines = 0
        self.shown = -1
        # ipykernel shows stderr below the cell.
        self.is_shown = progress is None and (sys.stderr.isatty() or "ipykernel" in sys.modules)

    def __call__(self) -> None:
        if not callable(self.progress) and not self.is_shown:
            return
        with contextlib.suppress(OSError), open(self.journal, "rb") as file:
            file.seek(self.place)
            while part := file.read(1 << 20):
                self.place += len(part)
                self.lines += part.count(b"\n")
        # The first line has the settings, and a finished journal has one more at the end.
        done = min(max(self.lines - 1, 0), self.total)
        if done == self.shown:
            return
        self.shown = done
        if callable(self.progress):
            self.progress(done, self.total)
        else:
            print(f"\r{done:,} of {self.total:,} texts", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_shown and self.shown >= 0:
            print(file=sys.stderr)
