"""A program that keeps its model loaded, and judges batches of texts: `magistrate worker` behind pipes.

A program that dies is started again with the rows that it did not answer. Rows that kill it three times are halved, down
to one row, which then has an error. So each text has one row, whatever happens to the program.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, cast

from . import _policy, _program
from ._errors import MagistrateError
from ._label import FIELDS, Judged, columns_of, whole
from ._policy import Policies
from ._tables import Columns, plain

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._types import Settings

DEATHS = 3
"""Deaths of the program after which a batch is halved, or a text has an error."""

START = 600.0
"""Least time in seconds that a program has to load its model."""

HOPELESS = 3
"""Texts in a row that each kill the program, after which the call fails. Then the fault is not in the texts."""

SECONDS = 3600
"""Seconds without a row after which a program counts as dead."""

PATIENCE = 40
"""Seconds in which a program ends after its input."""

PLACE = re.compile(r"^line \d+: ")
"""The place of a text among the lines of the program, which callers do not know."""


class Worker:
    """A program that stays in memory between batches. It ends with `close`, with a `with` block, or with Python.

    `expected` is the first line of another worker. A program that would judge under other terms is refused.
    """

    def __init__(
        self,
        policy: Policies,
        *,
        fields: Optional[Sequence[str]] = None,
        expected: Optional[Mapping[str, Any]] = None,
        seconds: float = SECONDS,
        **settings: Unpack[Settings],
    ) -> None:
        self._policies, self._is_list = _policy.listed(policy)
        self._fields = list(fields or FIELDS)
        self._flags = _flags(self._fields, settings)
        self._expected, self._seconds = expected, seconds
        self._running: Optional[_Running] = None
        self._lock = threading.Lock()

    def start(self) -> Mapping[str, Any]:
        """Starts the program if it does not run. Returns its first line: the version, the terms and the memory."""
        if self._running:
            return self._running.greeting
        for left in reversed(range(DEATHS)):
            with _policy.named(self._policies) as named:
                running = _Running(["worker", *named, *self._flags])
                code = running.greet(max(self._seconds, START))
            if code is None:
                break
            # A program that lacks memory is killed. Every other end has a reason that stays.
            if code >= 0 or not left:
                raise _program.error_of(_program.Result(code, "", running.end()))
            running.end()
        if self._expected and (fault := unlike(self._expected, running.greeting)):
            running.end()
            raise MagistrateError(*fault)
        self._running = running
        return running.greeting

    def judge(self, texts: Sequence[Any]) -> List[Judged]:
        """Returns the rows of texts, in order: a row for each policy in `verdicts`, whatever happens to the program."""
        with self._lock:
            return self._judge(texts)

    def _judge(self, texts: Sequence[Any]) -> List[Judged]:
        rows: List[Judged] = []
        parts = [_Part(0, len(texts), 0)]
        deadly = 0
        while parts:
            part = parts.pop()
            if part.start == part.stop:
                continue
            ids = policy_ids(self.start())
            answered, reason = self._send(texts[part.start : part.stop])
            rows += [_judged(row) for row in answered]
            deadly = 0 if answered else deadly
            rest = _Part(part.start + len(answered), part.stop, part.deaths + 1)
            if rest.start == rest.stop:
                continue
            if rest.deaths < DEATHS:
                parts.append(rest)
            elif rest.stop - rest.start > 1:
                middle = (rest.start + rest.stop) // 2
                parts += [_Part(middle, rest.stop, 0), _Part(rest.start, middle, 0)]
            else:
                deadly += 1
                if deadly == HOPELESS:
                    raise MagistrateError(f"the program ends with every text: {reason}", "magistrate doctor checks it")
                rows.append(_lost(ids, reason))
        return rows

    def _send(self, texts: Sequence[Any]) -> Any:
        """Sends texts. Returns the rows that came, and the reason for the others."""
        running = cast(_Running, self._running)
        rows, reason = running.ask(texts, self._seconds)
        if reason:
            self._running = None
        return rows, reason

    def columns(self, texts: Sequence[Any]) -> Columns:
        """Returns the new columns of a table with these texts, as `magistrate.label` adds them."""
        return columns_of(self.judge(texts), policy_ids(self.start()), self._is_list, self._fields)

    def close(self) -> None:
        """Ends the program."""
        if self._running:
            self._running.end()
            self._running = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Part(NamedTuple):
    """Some of the texts of a call, and how often they killed the program."""

    start: int
    stop: int
    deaths: int


class _Running:
    """A process of `magistrate worker`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.messages = cast(BinaryIO, tempfile.TemporaryFile())
        pipe = subprocess.PIPE
        command = [_program.find(), "--color=never", *arguments]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.messages)
        self.greeting: Dict[str, Any] = {}
        self.lines: "queue.SimpleQueue[Optional[Dict[str, Any]]]" = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Reads all lines. A line that is no object counts as an empty one, and is the last."""
        try:
            for line in cast(BinaryIO, self.process.stdout):
                self.lines.put(dict(json.loads(line)))
        except (TypeError, ValueError):
            self.lines.put({})
        self.lines.put(None)

    def line(self, seconds: float) -> Optional[Dict[str, Any]]:
        """Returns the next line. `None` at the end of the program, or if the time is over."""
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def greet(self, seconds: float) -> Optional[int]:
        """Waits for the first line. Returns the exit code of a program without one."""
        greeting = self.line(seconds)
        if greeting and "worker" in greeting:
            self.greeting = greeting
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        code = self.process.poll()
        return 2 if code is None else code

    def ask(self, texts: Sequence[Any], seconds: float) -> Any:
        """Sends texts as a batch. Returns the rows that came, and the reason if some are missing."""
        lines = [json.dumps({"id": id, "text": text}, default=plain) for id, text in enumerate(texts)]
        batch = "\n".join([*lines, "", ""]).encode("ascii")
        # A program that hangs may read nothing. Then only this thread waits for it.
        threading.Thread(target=self._write, args=(batch,), daemon=True).start()
        rows: List[Dict[str, Any]] = []
        while True:
            line = self.line(seconds)
            if line is None:
                return rows, self._reason(seconds)
            if "done" in line and len(rows) == len(texts):
                return rows, None
            if line.get("id") != len(rows):
                self.end(0)
                return rows, "it printed a line that is not the next row"
            rows.append(line)

    def _write(self, batch: bytes) -> None:
        # An end of the program shows in its rows.
        with contextlib.suppress(OSError, ValueError):
            stdin = cast(BinaryIO, self.process.stdin)
            stdin.write(batch)
            stdin.flush()

    def _reason(self, seconds: float) -> str:
        """Returns the reason for the end of a program, and makes sure of the end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        code = self.process.poll()
        messages = self.end(0)
        if code is None:
            return f"it printed no row for {seconds:g} s"
        said = messages.split("error: ")[-1].strip().split("\n")[0] if "error: " in messages else ""
        ended = f"it was killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
        return f"{ended}: {said}" if said else ended

    def end(self, patience: float = PATIENCE) -> str:
        """Ends the program. Returns its messages."""
        if not patience:
            # Before the input is closed, which waits for a batch that is being written.
            self.process.kill()
        with contextlib.suppress(OSError, ValueError):
            cast(BinaryIO, self.process.stdin).close()
        try:
            self.process.wait(patience or None)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.messages.seek(0)
        return self.messages.read().decode("utf-8", "replace")


def terms(
    policy: Policies, *, fields: Optional[Sequence[str]] = None, **settings: Unpack[Settings]
) -> Mapping[str, Any]:
    """Returns the first line that a worker of this machine would print. No model is loaded."""
    with _policy.named(_policy.listed(policy)[0]) as named:
        result = _program.run_briefly(["worker", "--terms", *named, *_flags(list(fields or FIELDS), settings)])
    found: Mapping[str, Any] = json.loads(_program.checked(result, 0).output)
    return found


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> Optional[Tuple[str, str]]:
    """Returns a message and a hint if the rows of two workers cannot stand together."""
    first, second = ({**line["terms"], "version": line["version"]} for line in (one, other))
    names = [name for name in {**first, **second} if not _alike(first.get(name), second.get(name))]
    if not names:
        return None
    values = "; ".join(f"{name}: {first.get(name)} there, {second.get(name)} here" for name in names)
    hint = "give all hosts the same program, model, policies and settings"
    return f"this host judges under other terms than another host of the run: {values}", hint


def _alike(one: Any, other: Any) -> bool:
    """Reports whether two terms are equal, or were measured and differ by no more than rounding."""
    if not (isinstance(one, dict) and isinstance(other, dict) and "rounding" in one and "rounding" in other):
        return bool(one == other)
    pairs = list(zip(one["values"], other["values"]))
    return len(one["values"]) == len(other["values"]) and all(abs(a - b) <= one["rounding"] for a, b in pairs)


def policy_ids(greeting: Mapping[str, Any]) -> List[str]:
    """Returns the ids of the policies in the first line of a worker."""
    # Split from the end: the id of a policy in prose is the name of its file, which may have spaces.
    return [policy.rsplit(" ", 2)[0] for policy in greeting["terms"]["policies"]]


def _flags(fields: Sequence[str], settings: Mapping[str, Any]) -> List[str]:
    return _program.flags({**settings, "fields": whole(["id", "verdict", "policy", "status", *fields])})


def _judged(line: Dict[str, Any]) -> Judged:
    """Returns a line of the program in the shape that several policies have."""
    judged: Judged = line if "verdicts" in line else {"verdicts": {line["policy"]["id"]: line}}
    for row in judged["verdicts"].values():
        if row.get("error"):
            row["error"]["message"] = PLACE.sub("", row["error"]["message"])
    return judged


def _lost(ids: Sequence[str], reason: str) -> Judged:
    """Returns the rows of a text that ends the program each time."""
    message = f"the program ended {DEATHS} times while it judged this text: {reason}"
    row = {"status": "error", "verdict": None, "error": {"code": "worker", "message": message}}
    return {"verdicts": {id: row for id in ids}}


__all__ = ["Worker", "terms"]
