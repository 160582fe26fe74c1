"""Which requests reach the emulator, and which of its headers a page can read."""

import asyncio
import json
from typing import Any

import pytest

from waitpoints_local import admission

DOMAIN, API_NAME = "waits.example.com", "0a1b2c3d.execute-api.localhost:8787"
API = "/_aws/execute-api/0a1b2c3d/$default/api/v1/waitpoints/tokens"
HOSTS = ["127.0.0.1:8787", "127.0.0.1", "localhost:8787", "LOCALHOST", "[::1]:8787", "bucket.localhost:8787"]
OTHER_HOSTS = [
    "evil.example:8787",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#.localhost",
    "127.0.0.1@evil.example",
    "evillocalhost",
    "127.0.0.2",
    "169.254.169.254",
    "localhost:8787, localhost",
    "127.0.0.1:8787 evil.example",
    "",
]


def leads_to_api(host: str, path: str) -> bool:
    return host in (DOMAIN, API_NAME) or path.startswith(admission.API_BY_PATH)


def ask(path: str = "/", *, kind: str = "http", **headers: str | list[str]) -> tuple[int, Any, dict[str, str]]:
    """Ask an emulator that answers everything, with CORS. Returns the status, the body and the headers."""
    sent: list[dict[str, Any]] = []
    headers = {"host": "127.0.0.1:8787", **headers}
    pairs = [
        (name.replace("_", "-").encode(), one.encode())
        for name, values in headers.items()
        for one in ([values] if isinstance(values, str) else values)
    ]

    async def emulator(scope: Any, receive: Any, send: Any) -> None:
        cors = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-allow-headers", b"*"), (b"x-other", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": cors})
        await send({"type": "http.response.body", "body": b'"answered"'})

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect" if kind == "websocket" else "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def serve() -> None:
        hosts = admission.Hosts("abc.tunnel.example")
        await admission.admit(emulator, emulator, leads_to_api, hosts)(
            {"type": kind, "path": path, "headers": pairs}, receive, send
        )

    asyncio.run(serve())
    if sent[0]["type"] == "websocket.close":
        return 403, None, {}
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], json.loads(sent[1]["body"]), answered


@pytest.mark.parametrize("path", ["/", "/_ministack/health", "/_waitpoints/clock", "/api/v1/keys", API])
@pytest.mark.parametrize("host", HOSTS)
def test_this_machine_is_answered_under_its_own_names(host: str, path: str) -> None:
    assert ask(path, host=host)[0] == 200


@pytest.mark.parametrize("path", ["/", "/_ministack/ses/messages", "/_waitpoints/clock", "/api/v1/keys", API])
@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_a_name_that_leads_here_is_refused(host: str, path: str) -> None:
    assert ask(path, host=host)[:2] == (403, {"message": admission.OTHER_HOST})


def test_a_request_has_one_host() -> None:
    assert ask(host=["127.0.0.1", "evil.example"])[0] == 403
    assert ask(API, host=["evil.example", "127.0.0.1"])[0] == 403
    assert ask(API, host=[])[0] == 403


def test_a_target_in_absolute_form_is_no_path_of_the_api() -> None:
    assert ask("http://evil.example/api/v1/keys", origin="http://evil.example")[0] == 403


LED = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8787"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": ["none", "cross-site"]},
]
OWN = [
    "/",
    "/_ministack/reset",
    "/_waitpoints/clock",
    "/_waitpoints/stand-ins",
    "/_aws/lambda-url/x/",
    "/restapis/a/b/_user_request_/",
    "/bucket/key",
]


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("led", LED)
def test_a_page_reaches_nothing_of_the_emulator(led: dict[str, Any], path: str) -> None:
    for host in (*HOSTS, API_NAME):
        assert ask(path, host=host, **led)[:2] == (403, {"message": admission.OTHER_ORIGIN})


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_who_types_an_address_or_follows_a_link_of_the_console_is_answered(site: str) -> None:
    assert ask("/bucket/output?X-Amz-Signature=1", sec_fetch_site=site)[0] == 200


@pytest.mark.parametrize("led", LED)
def test_a_page_may_call_the_api(led: dict[str, Any]) -> None:
    assert ask(API, **led)[0] == 200
    assert ask("/api/v1/waitpoints/tokens", host=DOMAIN, **led)[0] == 200
    assert ask("/console", host=API_NAME, **led)[0] == 200
    assert ask("/api/v1/waitpoints/tokens", **led)[0] == 403, "no API is deployed: MiniStack looks at what the request asks for"


@pytest.mark.parametrize("path", OWN)
def test_a_domain_leads_to_nothing_but_the_api(path: str) -> None:
    assert ask(path, host=DOMAIN)[0] == 403


def test_one_more_host_leads_to_the_api_alone() -> None:
    for host in ("abc.tunnel.example", "ABC.tunnel.example:443"):
        assert ask(API, host=host, origin="http://evil.example")[0] == 200
        for path in OWN:
            assert ask(path, host=host)[:2] == (403, {"message": admission.OTHER_HOST})
    for other in ("abcXtunnel.example", "x.abc.tunnel.example", "abc.tunnel.example.evil.example"):
        assert ask(API, host=other)[0] == 403


def test_no_page_opens_a_websocket() -> None:
    assert ask(API, kind="websocket", origin="http://evil.example")[0] == 403
    assert ask(API, kind="websocket", host="evil.example")[0] == 403


def test_only_the_api_says_who_may_read_its_answers() -> None:
    assert ask("/_ministack/health")[2] == {"x-other": "1"}
    assert ask(API)[2] == {"access-control-allow-origin": "*", "access-control-allow-headers": "*", "x-other": "1"}
