"""Who may call the emulator besides the API: its root user, and the roles to which it has given credentials.

Each request to a service has a valid signature of one of them, in a header or a presigned URL. The emulator's own paths, which
no SDK signs, ask for the root user's key pair, as name and password.
"""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from waitpoints_local.admission import App, Scope, refuse, values

Answer = tuple[int, dict[str, str], bytes]
FindFailure = Callable[[Scope, bytes], Answer | None]
"""Returns the answer to a request that is not signed by a known caller."""

HEALTH = "/_ministack/health"
SECRET_PATHS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")
"""URLs that CloudFormation gives to whom it waits for, to PUT an answer. On AWS they are presigned for that method."""
NO_ROOT = "This path of the local stack needs its access_key_id and secret_access_key, as HTTP's name and password."


@dataclass(frozen=True)
class KeyPair:
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def is_in(self, scope: Scope) -> bool:
        """Whether a request has the pair as name and password (RFC 7617)."""
        shown = base64.b64encode(f"{self.access_key_id}:{self.secret_access_key}".encode())
        given = values(scope, b"authorization")
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), b"Basic " + shown)


def known_only(app: App, root: KeyPair, find_failure: FindFailure) -> App:
    """Pass on what a known caller has sent."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        path = scope["path"]
        is_answer = scope["method"] == "PUT" and path.startswith(SECRET_PATHS)
        if path == HEALTH or is_answer or (path.startswith("/_") and root.is_in(scope)):
            await app(scope, receive, send)
        elif path.startswith("/_"):
            await refuse(scope, receive, send, NO_ROOT)
        else:
            body = await _read(receive)
            if failure := find_failure(scope, body):
                await _answer(send, *failure)
            else:
                await app(scope, _once(body, receive), send)

    return serve


async def _read(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _once(body: bytes, receive: Any) -> Any:
    """Give a body that has been read to the next reader."""
    left: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return left.pop() if left else await receive()

    return receive_again


async def _answer(send: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body if isinstance(body, bytes) else json.dumps(body).encode()})
