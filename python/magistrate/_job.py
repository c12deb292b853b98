"""The judging of a table that is spread over hosts: the parts that Ray and Spark share."""

from __future__ import annotations

import pickle
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import _policy
from ._errors import MagistrateError
from ._label import FIELDS, columns_of
from ._policy import Policies, PolicyLike
from ._tables import opened
from .worker import Worker, policy_ids, terms, unlike


class Job(NamedTuple):
    """The task of each host: the policies as texts, the columns, and the settings."""

    policies: List[PolicyLike]
    is_list: bool
    text: str
    fields: List[str]
    prefix: str
    settings: Dict[str, Any]
    expected: Optional[Mapping[str, Any]] = None
    """The first line of the worker on another host."""

    def greeting(self) -> Mapping[str, Any]:
        """Returns the first line that a worker of this host would print."""
        return terms(self.policy, fields=self.fields, **self.settings)

    @property
    def policy(self) -> Policies:
        """The policies as the caller gave them: a list, or one alone."""
        return self.policies if self.is_list else self.policies[0]

    def names(self, taken: Sequence[str] = ()) -> Mapping[str, str]:
        """Returns the names of the new columns, and the field behind each. Refuses names that are taken."""
        assert self.expected, "the hosts were asked"
        ids = policy_ids(self.expected)
        made = {self.prefix + name: name for name in columns_of([], ids, self.is_list, self.fields)}
        for name in made:
            if name in taken:
                hint = 'prefix="spam_" begins the names of new columns; or remove the old ones'
                raise MagistrateError(f"the table has a column {name!r} already", hint)
        return made

    def judged(self, table: Any) -> Any:
        """Returns an Arrow table with the new columns. The program stays for the next one."""
        if not table.num_columns:
            # An empty block has no schema.
            return table
        found = opened(table, self.text)
        made = _worker(self).columns(found.texts())
        self.names(list(found.names))
        return found.extended({self.prefix + name: values for name, values in made.items()})


def job(
    policy: Policies, text: str, fields: Optional[Sequence[str]], prefix: str, settings: Mapping[str, Any]
) -> Job:
    """Returns a job whose policies do not depend on this machine."""
    policies, is_list = _policy.listed(policy)
    return Job([_policy.carried(one) for one in policies], is_list, text, list(fields or FIELDS), prefix, dict(settings))


def agreed(greetings: Sequence[Tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Returns the first line of the first host. Refuses hosts that would judge differently."""
    (first, expected), *others = greetings
    for host, greeting in others:
        if fault := unlike(expected, greeting):
            message, hint = fault
            raise MagistrateError(f"{host} and {first} differ: {message}", hint)
    return expected


_kept: Optional[Tuple[bytes, Worker]] = None
"""The worker of this process, and the job that it is for."""


def _worker(job: Job) -> Worker:
    """Returns the worker of this process, which loads a model once."""
    global _kept
    key = pickle.dumps(job)
    if _kept is None or _kept[0] != key:
        if _kept is not None:
            _kept[1].close()
        _kept = key, Worker(job.policy, fields=job.fields, expected=job.expected, **job.settings)
    return _kept[1]
