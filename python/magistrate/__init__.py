"""Classifies text against a written policy, on this machine.

    import magistrate

    row = magistrate.check("WINNER!! Reply YES to claim your prize", policy="spam")
    frame = magistrate.label(frame, policy="spam", text="body")

The work is done by the program `magistrate`, which comes with the package. docs/python.md has the manual.
"""

from ._client import AsyncClient, Client, Evaluation
from ._errors import MagistrateError, MagistrateWarning, ProgramNotFound, ServerError, TextRefused
from ._policy import Policy
from ._server import Server, serve
from ._types import Row, Settings

_local = Client()
check = _local.check
label = _local.label
eval = _local.eval

__all__ = [
    "AsyncClient",
    "Client",
    "Evaluation",
    "MagistrateError",
    "MagistrateWarning",
    "Policy",
    "ProgramNotFound",
    "Row",
    "Server",
    "ServerError",
    "Settings",
    "TextRefused",
    "check",
    "eval",
    "label",
    "serve",
]
