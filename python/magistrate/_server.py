"""A server that lives as long as a block of code, or as this interpreter."""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Sequence, Union, cast

from . import _policy, _program
from ._client import Client
from ._policy import Policies

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._types import Settings


class Server(Client):
    """A running `magistrate serve`, and a client for it. It ends with the `with` block, with `close`, or with Python."""

    def __init__(self, url: str, key: Optional[str], child: _program.Child) -> None:
        super().__init__(url, key)
        self.url = url
        """The address, such as `http://127.0.0.1:40849`."""
        self.key = key
        self._end = weakref.finalize(self, child.stop)

    def close(self) -> None:
        """Ends the server, after the requests that it is answering."""
        self._end()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    policies: Optional[Policies] = None,
    *,
    key: Optional[str] = None,
    listen: str = "127.0.0.1:0",
    hooks: Optional[Sequence[str]] = None,
    moderation: Optional[Sequence[str]] = None,
    **settings: Unpack[Settings],
) -> Server:
    """Starts a server with these policies, or all shipped ones, and waits until it is ready.

    Without `listen` it has a free port of this machine. `key` makes it refuse requests without that key.
    """
    flags = {"hooks": hooks, "moderation": moderation, "listen": listen, **settings}
    messages = cast(BinaryIO, tempfile.TemporaryFile())
    env = {**os.environ, "MAGISTRATE_API_KEY": key} if key else None
    with _policy.named([] if policies is None else _policy.listed(policies)[0]) as named:
        child = _program.Child(["serve", *named, *_program.flags(flags)], messages, messages, env)
        try:
            lines = _ready(child, messages)
        except BaseException:
            child.stop()
            raise
    address = next(line for line in lines if line.startswith("listening on "))
    return Server(address[len("listening on ") :], key, child)


def _ready(child: _program.Child, messages: BinaryIO) -> Any:
    """Waits for a server, and returns the lines that it printed."""
    while True:
        ended = child.process.poll()
        printed = _program.read_beside(messages)
        if "\nready\n" in printed:
            return printed.splitlines()
        if ended is not None:
            raise _program.error_of(_program.Result(ended, "", printed))
        time.sleep(0.02)
