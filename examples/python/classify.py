"""Judges texts in each of the ways of the Python package. Run it with `python examples/python/classify.py`."""

from __future__ import annotations

import asyncio

import magistrate

POSTS = ["Who has spare tomato plants?", "You have won a cruise! Reply YES to win"]


def verdicts() -> None:
    row = magistrate.check(POSTS[1], policy="spam", threshold=0.9)
    print(row["verdict"], row["category"], row["rationale"])
    rows = magistrate.check(POSTS[1], policy=["spam", "hate"])
    print({policy: row["verdict"] for policy, row in rows.items()})


def own_policy() -> None:
    shipped = magistrate.Policy.shipped("spam")
    policy = magistrate.Policy.from_text(shipped.source.replace("id: spam", "id: garden-ads"))
    print(policy.id, policy.lint())
    print(magistrate.label(POSTS, policy, fields=["verdict", "probability"], keep=False)[1]["verdict"])


def server() -> None:
    with magistrate.serve("spam") as server:
        print(server.check(POSTS[0], "spam")["verdict"])


async def side_by_side() -> None:
    client = magistrate.AsyncClient()
    rows = await asyncio.gather(*(client.check(post, "spam") for post in POSTS))
    print([row["verdict"] for row in rows])


if __name__ == "__main__":
    verdicts()
    own_policy()
    server()
    asyncio.run(side_by_side())
