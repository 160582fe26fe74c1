"""A route of the emulator's own answers posts from this machine, and nothing else."""

import asyncio
import json
from typing import Any

import pytest

from waitpoints_local.own_route import with_route

PATH = "/_waitpoints/mine"


def ask(body: bytes = b"{}", **scope: Any) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []
    parts = [body[:3], body[3:]]

    async def emulator(scope: Any, receive: Any, send: Any) -> None:
        await send({"status": 200})
        await send({"body": b'"the emulator"'})

    async def answer(asked: Any) -> tuple[int, Any]:
        return 201, {"got": int(asked["number"])}

    async def receive() -> dict[str, Any]:
        return {"body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asked = {"type": "http", "path": PATH, "method": "POST", "client": ("127.0.0.1", 1), **scope}

    async def serve() -> None:
        await with_route(emulator, PATH, answer)(asked, receive, send)

    asyncio.run(serve())
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_post_is_answered() -> None:
    assert ask(b'{"number": 7}') == (201, {"got": 7})


@pytest.mark.parametrize("scope", [{"method": "GET"}, {"client": ("10.0.0.1", 1)}])
def test_anything_else_is_refused(scope: dict[str, Any]) -> None:
    assert ask(b'{"number": 7}', **scope) == (403, {"message": "Only POST, and only from this machine"})


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"no JSON", "JSONDecodeError"), (b"{}", "KeyError: 'number'"), (b"[]", "TypeError"), (b'{"number": "x"}', "ValueError")],
)
def test_a_wrong_post_is_told_what_is_wrong(body: bytes, said: str) -> None:
    status, answer = ask(body)
    assert (status, said in answer["message"]) == (400, True)


def test_other_paths_are_the_emulators() -> None:
    assert ask(path="/") == (200, "the emulator")
