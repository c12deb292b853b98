"""Policies as files, as texts, and by their names."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from . import _program
from ._errors import MagistrateError

_YAML = re.compile(r"^(id|categories|instruction)\s*:", re.MULTILINE)


class Policy:
    """A policy that is a file or a text. Each call takes one in place of a name."""

    def __init__(
        self,
        *,
        path: Optional[Path] = None,
        text: Optional[str] = None,
        id: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        suffix: str = "",
    ) -> None:
        self._path, self._text, self._id, self._labels = path, text, id, labels
        self._suffix = path.suffix.lower() if path else suffix

    @classmethod
    def from_file(
        cls, path: Union[str, os.PathLike[str]], *, id: Optional[str] = None, labels: Optional[Mapping[str, str]] = None
    ) -> Policy:
        """Returns the policy in a file, which each call reads anew.

        `labels` gives the answers of a policy in prose a meaning: `{"INVALID": "violation", "VALID": "safe"}`.
        """
        return cls(path=Path(path).absolute(), id=id, labels=labels)

    @classmethod
    def from_text(cls, text: str, *, id: Optional[str] = None, labels: Optional[Mapping[str, str]] = None) -> Policy:
        """Returns the policy in a text: YAML or prose."""
        return cls(text=text, id=id, labels=labels)

    @classmethod
    def shipped(cls, name: str) -> Policy:
        """Returns a shipped policy, to read or to change its text."""
        result = _program.run_briefly(["policy", "show", "--", name])
        return cls(text=_program.checked(result, 0).output)

    @property
    def source(self) -> str:
        """The text of the policy."""
        return self._path.read_text("utf-8") if self._path else self._text or ""

    @property
    def id(self) -> str:
        """The id of the policy. A policy in prose has that of its file."""
        if given := self.given_id:
            return given
        with self.file() as path:
            result = _program.run_briefly(["policy", "show", "--json", "--", path])
        return str(json.loads(_program.checked(result, 0).output)["id"])

    @property
    def given_id(self) -> Optional[str]:
        """The id that does not stand in the text. `None` for YAML with its own."""
        if self._id is None and not self.is_yaml():
            return self._path.stem if self._path else "policy"
        return self._id

    def lint(self) -> List[Dict[str, Any]]:
        """Returns the findings of `magistrate policy lint`, each with `level`, `rule`, `message`, `line` and `hint`."""
        with self.file() as path:
            labels = _program.flags({"labels": self._labels})
            result = _program.run_briefly(["policy", "lint", "--format=json", *labels, "--", path])
        findings: List[Dict[str, Any]] = json.loads(_program.checked(result, 0, 1).output)
        return findings

    def is_yaml(self) -> bool:
        """Reports whether the policy is YAML, not prose."""
        return self._suffix in (".yaml", ".yml") or (self._suffix == "" and bool(_YAML.search(self.source)))

    def carried(self) -> Policy:
        """Returns the policy as a text, for another machine."""
        return Policy(text=self.source, id=self.given_id, labels=self._labels, suffix=self._suffix)

    @contextlib.contextmanager
    def file(self) -> Iterator[str]:
        """Makes the path of a file with the policy."""
        if self._path:
            yield str(self._path)
            return
        with tempfile.TemporaryDirectory(prefix="magistrate-") as folder:
            path = Path(folder, "policy.yaml" if self.is_yaml() else "policy.md")
            path.write_text(self.source, "utf-8")
            yield str(path)

    def asked(self) -> Dict[str, Any]:
        """Returns the policy as a request to a server has it."""
        if self.is_yaml():
            return {"yaml": self.source}
        labels = {"labels": dict(self._labels)} if self._labels else {}
        return {"markdown": self.source, **labels}

    def __repr__(self) -> str:
        return f"Policy.from_file({str(self._path)!r})" if self._path else f"Policy.from_text({self.source[:40]!r}…)"


PolicyLike = Union[str, "os.PathLike[str]", Policy]
Policies = Union[PolicyLike, Sequence[PolicyLike]]


def listed(policy: Policies) -> Tuple[List[PolicyLike], bool]:
    """Returns the policies, and true if there is a list of them."""
    if isinstance(policy, (str, os.PathLike, Policy)):
        if isinstance(policy, str) and "," in policy and not os.path.exists(policy):
            raise MagistrateError("a policy has a comma in its name", 'name several in a list: ["spam", "hate"]')
        return [policy], False
    return list(policy), True


@contextlib.contextmanager
def named(policies: Sequence[PolicyLike]) -> Iterator[List[str]]:
    """Makes the flags that name policies."""
    with contextlib.ExitStack() as files:
        flags = []
        for policy in policies:
            if isinstance(policy, Policy):
                path = files.enter_context(policy.file())
                flags.append(f"--policy={policy._id}={path}" if policy._id else f"--policy={path}")
                if policy._labels:
                    words = ",".join(f"{word}={verdict}" for word, verdict in policy._labels.items())
                    flags.append(f"--labels={policy.id}:{words}")
            else:
                # An absolute path is never read as ID=PATH.
                flags.append(f"--policy={policy if isinstance(policy, str) else Path(policy).absolute()}")
        yield flags


def carried(policy: PolicyLike) -> PolicyLike:
    """Returns a policy for another machine: the text of a file, or the name."""
    if isinstance(policy, Policy):
        return policy.carried()
    return Policy.from_file(policy).carried() if os.path.isfile(policy) else os.fspath(policy)


def content(policy: PolicyLike) -> str:
    """Returns a text that changes with the policy."""
    if isinstance(policy, Policy):
        return json.dumps([policy._id, policy._labels and dict(policy._labels), policy.source])
    path = Path(policy)
    return json.dumps([str(policy), path.read_bytes().hex() if path.is_file() else None])
