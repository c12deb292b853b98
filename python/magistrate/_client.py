"""The calls of the package, on the local program or on a server."""

from __future__ import annotations

import asyncio
import functools
import html
import json
import os
import tempfile
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    TypeVar,
    Union,
    cast,
    overload,
)

from . import _label, _policy, _program
from ._errors import MagistrateError, TextRefused
from ._http import Connection
from ._policy import Policies, PolicyLike
from ._tables import Table, opened, plain
from ._types import Progress, Row, Settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
Keep = Union[bool, str, "os.PathLike[str]"]


class Evaluation(Dict[str, Optional[float]]):
    """The figures of a policy, by name: `rows`, `violations`, `accuracy`, `precision`, `recall`, `f1` and so on.

    A notebook shows its report.
    """

    def __init__(self, report: Dict[str, Any], page: str) -> None:
        figures = report["scores"].items()
        super().__init__({name: one["value"] if isinstance(one, dict) else one for name, one in figures})
        self.report = report
        """The output of `magistrate eval --json`, with intervals, categories and every row."""
        self.html = page
        """The report as a page."""

    @property
    def passed(self) -> bool:
        """False if a gate of `fail_under` or `max_drop` failed."""
        gate = self.report.get("gate")
        return gate is None or bool(gate["passed"])

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return f'<iframe sandbox="allow-scripts allow-downloads" style="width:100%;height:40em;border:0" srcdoc="{page}"></iframe>'


class Client:
    """The calls on a server at an address, or on the local program without one."""

    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, timeout: float = 600) -> None:
        self._server = Connection(url, key, timeout) if url else None

    @overload
    def check(  # type: ignore[overload-overlap]
        self, text: str, policy: PolicyLike, *, fields: Optional[Sequence[str]] = None, **settings: Unpack[Settings]
    ) -> Row: ...

    @overload
    def check(
        self,
        text: str,
        policy: Sequence[PolicyLike],
        *,
        fields: Optional[Sequence[str]] = None,
        **settings: Unpack[Settings],
    ) -> Dict[str, Row]: ...

    def check(
        self, text: str, policy: Policies, *, fields: Optional[Sequence[str]] = None, **settings: Unpack[Settings]
    ) -> Union[Row, Dict[str, Row]]:
        """Judges one text: the row of a policy, or the rows of a list of policies by id.

        An unresolved text is a row whose `verdict` is `None`. A text that cannot be judged raises `TextRefused`.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text is {type(text).__name__}, not str")
        policies, is_list = _policy.listed(policy)
        options = {**settings, "fields": _label.whole([*fields, "status", "error"])} if fields else dict(settings)
        if self._server:
            rows: Dict[str, Row] = self._server.check(text, policies, options)
        else:
            with _policy.named(policies) as named:
                command = ["check", "--json", "--by-policy", *named, *_program.flags(options)]
                result = _program.run_briefly(command, text.encode("utf-8", "surrogatepass") + b"\n")
            # A text that is too long has a row, and exit code 2.
            printed = result.code == 2 and result.output.startswith('{"id":')
            rows = json.loads(_program.checked(result, 0, 1, 3, *[2] * printed).output)["verdicts"]
        if is_list:
            return rows
        row = next(iter(rows.values()))
        error = row.get("error")
        if error and row.get("status") == "error":
            kind = TextRefused if error["code"] in _program.REFUSED else MagistrateError
            raise kind(error["message"], error.get("hint"), 2, error["code"])
        return row

    @overload
    def label(
        self,
        data: Sequence[str],
        policy: Policies,
        text: str = "text",
        *,
        fields: Optional[Sequence[str]] = None,
        prefix: str = "",
        keep: Keep = True,
        restart: bool = False,
        progress: Progress = None,
        **settings: Unpack[Settings],
    ) -> List[Dict[str, Any]]: ...

    @overload
    def label(
        self,
        data: T,
        policy: Policies,
        text: str = "text",
        *,
        fields: Optional[Sequence[str]] = None,
        prefix: str = "",
        keep: Keep = True,
        restart: bool = False,
        progress: Progress = None,
        **settings: Unpack[Settings],
    ) -> T: ...

    def label(
        self,
        data: Any,
        policy: Policies,
        text: str = "text",
        *,
        fields: Optional[Sequence[str]] = None,
        prefix: str = "",
        keep: Keep = True,
        restart: bool = False,
        progress: Progress = None,
        **settings: Unpack[Settings],
    ) -> Any:
        """Judges the texts of a table, and returns a table of the same kind with more columns.

        A call that was interrupted continues where it stopped, and a finished one is not judged again: texts and
        verdicts stay in the cache folder for 30 days. `keep=False` keeps nothing, and `keep=FOLDER` names a folder.
        Against a server nothing is kept.
        """
        if isinstance(data, dict) and type(data).__module__.startswith("datasets."):
            same = functools.partial(self.label, policy=policy, text=text, fields=fields, prefix=prefix, keep=keep)
            split = functools.partial(same, restart=restart, progress=progress, **settings)
            return type(data)({name: split(one) for name, one in data.items()})
        policies, is_list = _policy.listed(policy)
        table = opened(data, text)
        certified = _label.CERTIFIED if settings.get("certificate") else []
        wanted = list(fields) if fields else [*_label.FIELDS, *certified]
        made = _label.columns([], policies, is_list, wanted)
        if taken := [prefix + name for name in made if prefix + name in table.names]:
            hint = 'prefix="spam_" begins the names of new columns; or remove the old ones'
            raise MagistrateError(f"the table has a column {taken[0]!r} already", hint)
        texts = table.texts()
        if self._server:
            judged = self._server.label(texts, policies, wanted, settings, progress)
        else:
            judged = _label.rows(texts, policies, wanted, settings, keep, restart, progress)
        made = _label.columns(judged, policies, is_list, wanted)
        return table.extended({prefix + name: values for name, values in made.items()})

    def eval(
        self,
        policy: PolicyLike,
        golden: Any = None,
        *,
        text: str = "text",
        label: Optional[str] = None,
        positive: Optional[Sequence[str]] = None,
        negative: Optional[Sequence[str]] = None,
        fail_under: Optional[Mapping[str, float]] = None,
        **settings: Unpack[Settings],
    ) -> Evaluation:
        """Measures a policy on texts with known answers: a file, a table, or the golden set of a shipped policy.

        `label` names the column of the answers, and `positive` the answers that are violations.
        """
        if self._server:
            raise MagistrateError("a server measures no policy", "magistrate.eval measures it by the local program")
        flags = {"label_column": label, "positive": positive, "negative": negative, "fail_under": fail_under}
        is_file = isinstance(golden, (str, os.PathLike))
        with tempfile.TemporaryDirectory(prefix="magistrate-") as folder, _policy.named([policy]) as named:
            page = Path(folder, "report.html")
            command = ["eval", "--json", *named, *_program.flags({**flags, **settings}), f"--report={page}"]
            if golden is not None:
                # The text of a set such as OpenAI's is found without a name.
                command += [] if is_file and text == "text" else [f"--text-column={text}"]
                command += ["--", os.fspath(golden) if is_file else _written(opened(golden, text), folder)]
            result = _program.checked(_program.run(command), 0, 1, 3)
            return Evaluation(json.loads(result.output), page.read_text("utf-8"))


def _written(table: Table, folder: str) -> str:
    """Writes a table as lines of JSON, and returns the path."""
    path = Path(folder, "golden.jsonl")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(json.dumps(record, default=plain) + "\n" for record in table.records())
    return str(path)


class AsyncClient:
    """The calls of `Client` as coroutines. A cancelled one ends its program."""

    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, timeout: float = 600) -> None:
        self._client = Client(url, key, timeout)

    @overload
    async def check(self, text: str, policy: PolicyLike, **settings: Any) -> Row: ...

    @overload
    async def check(self, text: str, policy: Sequence[PolicyLike], **settings: Any) -> Dict[str, Row]: ...

    async def check(self, text: str, policy: Any, **settings: Any) -> Any:
        """Judges one text, as `Client.check` does."""
        return await _in_thread(self._client.check, text, policy, **settings)

    @overload
    async def label(self, data: Sequence[str], policy: Policies, **options: Any) -> List[Dict[str, Any]]: ...

    @overload
    async def label(self, data: T, policy: Policies, **options: Any) -> T: ...

    async def label(self, data: Any, policy: Policies, **options: Any) -> Any:
        """Judges the texts of a table, as `Client.label` does."""
        return await _in_thread(self._client.label, data, policy, **options)

    async def eval(self, policy: PolicyLike, golden: Any = None, **options: Any) -> Evaluation:
        """Measures a policy, as `Client.eval` does."""
        return cast(Evaluation, await _in_thread(self._client.eval, policy, golden, **options))


async def _in_thread(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Runs a call in a thread. If this is cancelled, the programs of the call are stopped."""
    stoppers: List[Callable[[], None]] = []
    token = _program.STOPPERS.set(stoppers)
    try:
        return await asyncio.to_thread(functools.partial(call, *arguments, **options))
    except asyncio.CancelledError:
        for stop in stoppers:
            stop()
        raise
    finally:
        _program.STOPPERS.reset(token)
