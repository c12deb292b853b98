"""The types of the calls, as mypy finds them. This file is not run."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import magistrate
from typing_extensions import assert_type


class Frame:
    """Stands for the table of another package."""


def calls(frame: Frame) -> None:
    row = magistrate.check("text", "spam", threshold=0.5, effort="none")
    assert_type(row, magistrate.Row)
    assert_type(row["probability"], Optional[float])
    assert_type(magistrate.check("text", ["spam", magistrate.Policy.from_file("own.yaml")]), Dict[str, magistrate.Row])
    assert_type(magistrate.label(["text"], "spam"), List[Dict[str, Any]])
    assert_type(magistrate.label(frame, ["spam"], text="body", model="20b"), Frame)
    assert_type(magistrate.eval("spam", frame, label="gold")["recall"], Optional[float])
    with magistrate.serve(["spam"], key="a key of sixteen letters") as server:
        assert_type(server, magistrate.Server)
        assert_type(server.check("text", "spam"), magistrate.Row)
    magistrate.check("text", "spam", threshold="high")  # type: ignore[call-overload]
    magistrate.check("text", "spam", treshold=0.5)  # type: ignore[call-overload]


async def coroutines(client: magistrate.AsyncClient, frame: Frame) -> None:
    assert_type(await client.check("text", "spam"), magistrate.Row)
    assert_type(await client.label(frame, "spam"), Frame)
