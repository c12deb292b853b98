"""Ray Data: judges a dataset on the hosts of a cluster.

    import magistrate.ray

    dataset = magistrate.ray.judge(dataset, policy="spam", text="body")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._errors import MagistrateError
from ._job import Job, agreed, job
from ._policy import Policies

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._types import Settings

INIT_DEATHS = 20
"""Processes in a row that may die before they begin, as they do when their host is lost. By default one ends the job."""

BLOCK = 16
"""Texts of a block, as a multiple of those that keep a program busy. At the end of a block some of its places are idle."""


class Host(NamedTuple):
    """A host of the cluster, and its resources as Ray counts them."""

    id: str
    name: str
    has: Mapping[str, float]

    def can(self, wanted: Mapping[str, float]) -> bool:
        """Reports whether the host has these resources."""
        return all(self.has.get(name, 0) >= count for name, count in wanted.items())


def judge(
    dataset: Any,
    policy: Policies,
    text: str = "text",
    *,
    fields: Optional[Sequence[str]] = None,
    prefix: str = "",
    concurrency: Optional[int] = None,
    num_cpus: Optional[float] = None,
    block: Optional[int] = None,
    resources: Optional[Mapping[str, float]] = None,
    **settings: Unpack[Settings],
) -> Any:
    """Returns the dataset with columns of verdicts, which hosts add as the dataset is read.

    Each host loads the model once. `concurrency` is the number of hosts at most, and `block` the rows of a block.
    `threads` are the threads of a program, and `num_cpus` the CPUs that Ray sets aside for it: as many as `threads`, else half
    of those of a host.
    """
    ray, data = import_module("ray"), import_module("ray.data")
    context = dataset.context
    if context.max_errored_blocks != 0:
        raise MagistrateError("max_errored_blocks drops rows", "set it to 0: each text that fails has a row with an error")
    task = job(policy, text, fields, prefix, settings)
    hosts = _hosts(ray)
    wanted = dict(resources or {})
    able = [host for host in hosts if host.can({**wanted, "CPU": num_cpus or settings.get("threads") or 0})]
    lines = _greetings(ray, able, task)
    expected = agreed(lines)
    task = task._replace(expected=expected)
    size = max(line["memory"]["cpu"] for _, line in lines)
    able = [host for host in able if host.can({"memory": size})]
    is_kept = context.checkpoint_config is not None
    if num_cpus is None:
        num_cpus = settings.get("threads")
    count, cpus = _pool(hosts, able, is_kept, concurrency, num_cpus)
    # A process that dies as its host is lost is no reason to end the run.
    context.max_consecutive_actor_init_deaths = max(INIT_DEATHS, context.max_consecutive_actor_init_deaths)
    rows = block or BLOCK * int(expected["window"])
    return dataset.repartition(target_num_rows_per_block=rows).map_batches(
        _Judge,
        fn_constructor_args=[task],
        batch_size=None,
        batch_format="pyarrow",
        compute=data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count),
        num_cpus=cpus,
        memory=size,
        resources=wanted,
        # Restarts and retries stay those of Ray Data, which have no bound. A bound ends the run with its first lost host.
    )


class _Judge:
    """The process of a host. The program starts with its first table, so that this is quick and cannot fail."""

    def __init__(self, task: Job) -> None:
        self.task = task

    def __call__(self, table: Any) -> Any:
        return self.task.judged(table)


def _hosts(ray: Any) -> List[Host]:
    """Returns the hosts with a CPU."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return [Host(node["NodeID"], node["NodeManagerAddress"], node["Resources"]) for node in nodes]


def _greetings(ray: Any, hosts: Sequence[Host], task: Job) -> List[Tuple[str, Mapping[str, Any]]]:
    """Asks each host for the first line of its worker."""
    affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    ask = ray.remote(_greeting)
    places = [affinity(host.id, soft=False) for host in hosts]
    asked = [ask.options(num_cpus=0, scheduling_strategy=place).remote(task) for place in places]
    found: List[Tuple[str, Mapping[str, Any]]] = []
    for host, reference in zip(hosts, asked):
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError:
            # A host that was lost since. A later one is compared when it starts.
            continue
        if isinstance(answer, MagistrateError):
            message = f"{host.name} cannot judge: {answer.message}"
            raise MagistrateError(message, answer.hint, answer.exit_code, answer.code)
        found.append((f"{host.name} ({host.id[:6]})", answer))
    if not found:
        raise MagistrateError("no host of the cluster can have a program", "ray status shows the CPUs and the memory")
    return found


def _greeting(task: Job) -> Any:
    """Returns the first line of this host's worker, or the error."""
    try:
        return task.greeting()
    except MagistrateError as error:
        return error


def _pool(
    hosts: Sequence[Host], able: Sequence[Host], is_kept: bool, concurrency: Optional[int], num_cpus: Optional[float]
) -> Tuple[int, float]:
    """Returns the number of programs, and the CPUs of each. `able` are the hosts that can have one.

    Ray needs a free CPU to read, and with a checkpoint another one to leave out finished rows. Without them a run waits for
    ever. By default a program declares half of its host's CPUs: a lost host's program then has room on another one. In a
    cluster that is too small for that it declares none.
    """
    if not able:
        raise MagistrateError("no host of the cluster has the CPUs and the memory for a program", "ray status shows them")
    spare = 2 if is_kept else 1
    half = min(host.has["CPU"] for host in able) // 2
    for cpus in [half, 0] if num_cpus is None else [num_cpus]:
        for count in range(min(concurrency or len(able), len(able)), 0, -1):
            if _free(hosts, able[:count], cpus) >= spare:
                return count, cpus
    hint = "add a host, or give a smaller num_cpus"
    raise MagistrateError(f"{spare} CPUs of the cluster must be free beside a program", hint)


def _free(hosts: Sequence[Host], judging: Sequence[Host], cpus: float) -> float:
    """Returns the whole CPUs that stay free beside a program on each of some hosts."""
    return sum((host.has["CPU"] - (cpus if host in judging else 0)) // 1 for host in hosts)


__all__ = ["judge"]
