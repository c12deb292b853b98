"""The exceptions of the package."""

from __future__ import annotations

from typing import Optional


class MagistrateError(Exception):
    """A call that gave no result, with its remedy.

    A hint may name flags of the command. The setting of a flag has its name, with `_` for `-`.
    """

    def __init__(
        self,
        message: str,
        hint: Optional[str] = None,
        exit_code: Optional[int] = None,
        code: Optional[str] = None,
    ) -> None:
        super().__init__(message, hint, exit_code, code)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        """The exit code of the program, if it ran."""
        self.code = code
        """A word for programs, such as `policy`, `model` or `too-long`."""

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ProgramNotFound(MagistrateError):
    """The program is not installed, or not where it was named."""


class TextRefused(MagistrateError):
    """A text that cannot be judged: empty, too long, or not text. Others can."""


class ServerError(MagistrateError):
    """A server that did not answer, or refused a request."""

    def __init__(
        self,
        message: str,
        hint: Optional[str] = None,
        exit_code: Optional[int] = None,
        code: Optional[str] = None,
        status: Optional[int] = None,
    ) -> None:
        super().__init__(message, hint, exit_code, code)
        self.args = (message, hint, exit_code, code, status)
        self.status = status
        """The status of HTTP. `None` without a response."""


class MagistrateWarning(UserWarning):
    """A note or a warning that the program printed."""
