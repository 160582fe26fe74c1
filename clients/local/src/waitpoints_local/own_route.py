"""Routes of the emulator's own, under `/_waitpoints/`: a POST of a JSON object, from this machine only."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
Answer = Callable[[Any], Awaitable[tuple[int, Any]]]
"""Gets what was posted, and returns a status and the answer. Raises ValueError, TypeError or KeyError for a wrong post."""


def with_route(app: App, path: str, answer: Answer) -> App:
    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != path:
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, answered = await _answer(scope, body, answer)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answered).encode()})

    return serve


async def _answer(scope: Scope, body: bytes, answer: Answer) -> tuple[int, Any]:
    if scope["method"] != "POST" or scope["client"][0] not in ("127.0.0.1", "::1"):
        return 403, {"message": "Only POST, and only from this machine"}
    try:
        return await answer(json.loads(body))
    except (ValueError, TypeError, KeyError) as error:
        return 400, {"message": f"{type(error).__name__}: {error}"}
