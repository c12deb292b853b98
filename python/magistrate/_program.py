"""Finds the program `magistrate`, runs it, and turns its errors into exceptions."""

from __future__ import annotations

import contextvars
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterable, List, Mapping, NamedTuple, Optional

from ._errors import MagistrateError, MagistrateWarning, ProgramNotFound, TextRefused

REFUSED = {"empty", "nul", "not-utf8", "too-long", "too-large"}
"""Codes of errors that concern one text alone."""

STOPPERS: contextvars.ContextVar[Optional[List[Callable[[], None]]]] = contextvars.ContextVar("stoppers", default=None)
"""Ends the programs of a call. A cancelled coroutine calls them, because a thread cannot be interrupted."""


class Result(NamedTuple):
    """The end of a program."""

    code: int
    output: str
    messages: str


def find() -> str:
    """Returns the path of the program."""
    name = "magistrate.exe" if os.name == "nt" else "magistrate"
    if named := os.environ.get("MAGISTRATE_PROGRAM"):
        if os.path.isfile(named):
            return named
        raise ProgramNotFound(f"MAGISTRATE_PROGRAM names {named}, which is not a file", "name the program, or unset it")
    user = "nt_user" if os.name == "nt" else "posix_user"
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)]
    # pip install --target
    folders.append(str(Path(__file__).parents[1] / "bin"))
    for folder in folders:
        if os.path.isfile(path := os.path.join(folder, name)):
            return path
    if found := shutil.which("magistrate"):
        return found
    hint = "pip install magistrate, put the program on PATH, or name it in MAGISTRATE_PROGRAM"
    raise ProgramNotFound("the program magistrate is not found", hint)


def flags(settings: Mapping[str, Any]) -> List[str]:
    """Returns settings as flags: `min_mass=0.4` as `--min-mass=0.4`. `None` and `False` are left out."""
    found = []
    for name, value in settings.items():
        if value is None or value is False:
            continue
        flag = "--" + name.replace("_", "-")
        if value is True:
            found.append(flag)
            continue
        if isinstance(value, Mapping):
            value = ",".join(f"{key}={one}" for key, one in value.items())
        elif isinstance(value, (list, tuple)):
            value = (":" if name == "cascade" else ",").join(map(str, value))
        found.append(f"{flag}={value}")
    return found


class Child:
    """A running program. It ends with `stop`, and with this interpreter."""

    def __init__(
        self, arguments: Iterable[str], output: BinaryIO, messages: BinaryIO, env: Optional[Mapping[str, str]] = None
    ) -> None:
        keeper = [sys.executable, "-I", "-S", str(Path(__file__).with_name("_child.py"))]
        # Ctrl-C on a terminal goes to this process alone, which stops the program once.
        self.process = subprocess.Popen(
            [*keeper, find(), "--color=never", *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=messages,
            env=env,
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def ask_to_stop(self) -> None:
        """Asks the program to end in order."""
        pipe = self.process.stdin
        if pipe and not pipe.closed:
            try:
                # A byte, because a forked process may hold the pipe open.
                pipe.write(b"\n")
                pipe.close()
            except OSError:
                pass

    def stop(self) -> None:
        """Ends the program in order, or at once if this is interrupted."""
        try:
            self.ask_to_stop()
            self.process.wait()
        except BaseException:
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            raise


def run(arguments: Iterable[str], watch: Callable[[], object] = lambda: None) -> Result:
    """Runs the program, and calls `watch` now and then. Ctrl-C stops it in order."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        child = Child(arguments, output, messages)
        stoppers = STOPPERS.get()
        if stoppers is not None:
            stoppers.append(child.ask_to_stop)
        try:
            pause = 0.01
            while True:
                try:
                    child.process.wait(pause)
                    break
                except subprocess.TimeoutExpired:
                    watch()
                    pause = min(2 * pause, 0.25)
        except BaseException:
            child.stop()
            raise
        watch()
        child.ask_to_stop()
        return Result(child.process.returncode, _read(output), _read(messages))


def run_briefly(arguments: Iterable[str], text: bytes = b"") -> Result:
    """Runs the program with a text on stdin. Ctrl-C ends it at once: there is nothing to keep."""
    pipe = subprocess.PIPE
    command = [find(), "--color=never", *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        stoppers = STOPPERS.get()
        if stoppers is not None:
            stoppers.append(process.kill)
        try:
            output, messages = process.communicate(text)
        except BaseException:
            process.kill()
            raise
    return Result(process.returncode, output.decode("utf-8", "replace"), messages.decode("utf-8", "replace"))


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def read_beside(file: BinaryIO) -> str:
    """Returns what a running program has written so far.

    The program writes at the same place of the file that this process would seek, so that place is left alone.
    """
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode("utf-8", "replace")
    return _read(file)


def checked(result: Result, *fine: int) -> Result:
    """Returns a result with one of these exit codes, and raises an exception for others. Forwards warnings."""
    if result.code not in fine:
        raise error_of(result)
    for line in result.messages.splitlines():
        if line.startswith(("note: ", "warning: ")):
            warnings.warn(line, MagistrateWarning, stacklevel=_callers_level())
    return result


def _callers_level() -> int:
    """Returns the level of the first frame outside this package, as `warnings.warn` counts in `checked`."""
    level = 1
    while sys._getframe(level).f_globals.get("__package__") == __package__:
        level += 1
    return level


def error_of(result: Result) -> MagistrateError:
    """Returns the error of a program that failed."""
    if result.code == 130:
        hint = "the same call continues a run of label or eval"
        return MagistrateError("the program was stopped by a signal", hint, 130, "stopped")
    if result.output.startswith('{"error":'):
        error = json.loads(result.output)["error"]
        message, hints, code = error["message"], error["hints"], error["code"]
    else:
        said = result.messages.split("error: ")[-1].strip() if "error: " in result.messages else ""
        message, *hints = said.split("\nhint: ")
        message = message.split("\n\nUsage: ")[0] or f"the program ended with exit code {result.code}"
        code = None
    kind = TextRefused if code in REFUSED else MagistrateError
    return kind(message.replace("stdin: ", "", 1), "\n".join(hints) or None, result.code, code)
