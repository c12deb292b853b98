"""Spark: judges a DataFrame on the executors of a cluster.

    import magistrate.spark

    judged = magistrate.spark.judge(frame, policy="spam", text="body")
    magistrate.spark.append(frame, "judged", id="id", policy="spam", text="body")
"""

from __future__ import annotations

import json
import os
import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._errors import MagistrateError
from ._job import Job, agreed, job
from ._policy import Policies
from ._tables import is_number

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._types import Settings

ABSENT = {"PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA"}
"""Conditions of a folder without rows."""

COMMITTER = "mapreduce.fileoutputcommitter.algorithm.version"
"""With version 2, the file of a task is in its place once the task has ended. With 1, once all have."""


def judge(
    frame: Any,
    policy: Policies,
    text: str = "text",
    *,
    fields: Optional[Sequence[str]] = None,
    prefix: str = "",
    **settings: Unpack[Settings],
) -> Any:
    """Returns the DataFrame with columns of verdicts, which executors add when its rows are needed.

    A task judges a partition, and its program stays for the next one. `threads` are the threads of a program, and the
    cores that its task takes. By default they are all cores of an executor, so that it loads one model.
    """
    types = import_module("pyspark.sql.types")
    session = frame.sparkSession
    cores = settings.get("threads") or _cores(session)
    settings = {**settings, "threads": cores}
    task = job(policy, text, fields, prefix, settings)
    task = task._replace(expected=agreed(_greetings(session, task)))
    # A schema changes in place, and this one is the frame's.
    schema = types.StructType(list(frame.schema))
    for name, field in task.names(frame.columns).items():
        schema = schema.add(name, types.DoubleType() if is_number(field) else types.StringType())
    profile = _profile(session, cores)
    return frame.mapInArrow(_Judge(task), schema, **({"profile": profile} if profile else {}))


def append(
    frame: Any,
    folder: Union[str, "os.PathLike[str]"],
    policy: Policies,
    id: str,
    text: str = "text",
    *,
    tasks: Optional[int] = None,
    fields: Optional[Sequence[str]] = None,
    prefix: str = "",
    **settings: Unpack[Settings],
) -> None:
    """Judges the rows that a folder of Parquet lacks, and appends them. So the same call continues a run that ended.

    `id` is a column whose values are unique. Rows are kept when their task ends, and `tasks` is the number of tasks.
    """
    path = os.fspath(folder)
    done = _written(frame.sparkSession, path, id)
    left = frame if done is None else frame.join(done, id, "left_anti").select(*frame.columns)
    left = left.repartition(tasks) if tasks else left
    judged = judge(left, policy, text, fields=fields, prefix=prefix, **settings)
    judged.write.mode("append").option(COMMITTER, "2").parquet(path)


def _written(session: Any, path: str, id: str) -> Any:
    """Returns the ids of the rows in a folder. `None` if it has no rows."""
    try:
        return session.read.parquet(path).select(id)
    except import_module("pyspark.errors").AnalysisException as error:
        if error.getCondition() in ABSENT:
            return None
        raise


class _Judge:
    """The function of a task: batches of rows in, batches with more columns out."""

    def __init__(self, task: Job) -> None:
        self.task = task

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        table = import_module("pyarrow").Table
        for batch in batches:
            yield from self.task.judged(table.from_batches([batch])).to_batches()


class _Ask:
    """The function of a task that returns the first line of its executor's worker, or the error."""

    def __init__(self, task: Job) -> None:
        self.task = task

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        for _ in batches:
            pass
        try:
            answer: Mapping[str, Any] = self.task.greeting()
        except MagistrateError as error:
            answer = {"error": [error.message, error.hint, error.exit_code, error.code]}
        line = {"host": [socket.gethostname()], "line": [json.dumps(answer)]}
        yield import_module("pyarrow").RecordBatch.from_pydict(line)


def _greetings(session: Any, task: Job) -> List[Tuple[str, Mapping[str, Any]]]:
    """Asks the executors for the first lines of their workers, in a task for each of their places."""
    asked = session.range(1 << 12).mapInArrow(_Ask(task), "host string, line string")
    found = [(host, json.loads(line)) for host, line in sorted({(row["host"], row["line"]) for row in asked.collect()})]
    for host, answer in found:
        if "error" in answer:
            message, *rest = answer["error"]
            raise MagistrateError(f"{host} cannot judge: {message}", *rest)
    return found


def _cores(session: Any) -> int:
    """Returns the cores of an executor. 1 if they are not known."""
    master = str(session.conf.get("spark.master", ""))
    if master.startswith("local-cluster["):
        return int(master.split(",")[1])
    return int(session.conf.get("spark.executor.cores", None) or 1)


def _profile(session: Any, cores: int) -> Any:
    """Returns the profile of tasks with this number of cores. `None` if all tasks have it."""
    if cores == int(session.conf.get("spark.task.cpus", None) or 1):
        return None
    resource = import_module("pyspark.resource")
    return resource.ResourceProfileBuilder().require(resource.TaskResourceRequests().cpus(cores)).build


__all__ = ["append", "judge"]
