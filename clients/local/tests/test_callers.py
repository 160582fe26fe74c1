"""What the emulator asks of whoever calls it besides the API. tests/e2e/test_web_pages.py calls a running one."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import pytest

from waitpoints_local.callers import HEALTH, NO_ROOT, Answer, KeyPair, known_only
from waitpoints_local.stack import make_key_pair

ROOT = KeyPair("LOCAL1", "secret")
REFUSED: Answer = (403, {"Content-Type": "application/json"}, b'{"__type": "UnrecognizedClientException"}')


def basic(name: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def ask(
    path: str, *authorization: bytes, signed: bool = False, parts: Sequence[bytes] = (b"",), method: str = "POST"
) -> tuple[int, bytes, list[bytes]]:
    """Returns the status, the body, and what the emulator has read."""
    sent: list[Any] = []
    seen: list[bytes] = []
    left = [{"type": "http.request", "body": part, "more_body": n < len(parts)} for n, part in enumerate(parts, 1)]

    async def emulator(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            seen.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    def find_failure(scope: Any, body: bytes) -> Answer | None:
        return None if signed and body == b"".join(parts) else REFUSED

    async def serve() -> None:
        scope = {"type": "http", "method": method, "path": path, "headers": [(b"authorization", one) for one in authorization]}
        await known_only(emulator, ROOT, find_failure)(scope, receive, send)

    asyncio.run(serve())
    return sent[0]["status"], sent[1]["body"], seen


def test_a_request_that_no_one_known_has_signed_gets_its_services_answer() -> None:
    assert ask("/", parts=[b"Action=", b"CreateStack"]) == (403, REFUSED[2], [])
    assert ask("/bucket/key") == (403, REFUSED[2], [])


def test_a_signed_request_is_passed_on_with_its_body() -> None:
    assert ask("/", signed=True, parts=[b"Action=", b"ListStacks"]) == (200, b"answered", [b"Action=ListStacks"])


@pytest.mark.parametrize(
    "path",
    ["/_ministack/reset", "/_ministack/ses/messages", "/_waitpoints/clock", "/_waitpoints/stand-ins", "/_aws/lambda-url/x/"],
)
def test_a_path_of_the_emulators_own_wants_the_root_users_key_pair(path: str) -> None:
    assert ask(path, basic("LOCAL1", "secret"))[:2] == (200, b"answered")
    for wrong in ([], [basic("LOCAL1", "")], [basic("LOCAL1", "secret2")], [basic("", "secret")], [b"Bearer secret"]):
        status, body, seen = ask(path, *wrong, signed=True)
        assert (status, NO_ROOT.encode() in body, seen) == (403, True, [])
    assert ask(path, basic("LOCAL1", "secret"), basic("x", "y"))[0] == 403


def test_health_and_the_urls_that_are_secrets_ask_for_nothing() -> None:
    assert ask(HEALTH)[0] == ask("/_ministack/cfn-response/8e29", method="PUT")[0] == 200
    assert ask(f"{HEALTH}/")[0] == 403


@pytest.mark.parametrize("path", ["/_ministack/cfn-response/8e29", "/_ministack/cfn-signal/8e29"])
def test_such_a_url_is_for_an_answer_alone(path: str) -> None:
    """MiniStack takes any other method for a call of a service."""
    assert {ask(path, method=method)[0] for method in ("GET", "POST", "DELETE", "HEAD", "put", "OPTIONS")} == {403}


def test_each_run_has_a_key_pair_of_its_own_which_no_message_shows() -> None:
    pairs = {make_key_pair() for _ in range(100)}
    assert len({one for one, _ in pairs} | {two for _, two in pairs}) == 200
    assert "secret" not in repr(ROOT).replace("secret_access_key", "")
