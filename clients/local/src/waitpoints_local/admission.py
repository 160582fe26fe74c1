"""Which requests the emulator answers: none that a web page has made a browser send, except to the deployed API.

A page of any site can post to a port of this machine, and read the answer if its own name leads here (DNS rebinding). Browsers
tell by `Host`, `Origin` and `Sec-Fetch-Site`, which no page can set. SDKs and command lines send no `Origin`:
https://www.w3.org/TR/fetch-metadata/ and https://fetch.spec.whatwg.org/#origin-header.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
LeadsToApi = Callable[[str, str], Any]
"""Whether MiniStack passes on a Host and a path to an API."""

ONE_MORE_HOST = "WAITPOINTS_HOST"
"""The variable of the emulator's environment that names it."""
API_PATHS = ("/api/v1/", "/console")
API_BY_PATH = "/_aws/execute-api/"
OTHER_HOST = (
    "The local stack answers at 127.0.0.1, localhost and domains that a stack has made, not at another Host. "
    "`waitpoints up --host NAME` admits one more, for the API, its pages and the console alone."
)
OTHER_ORIGIN = "Only the API, its pages and the console answer a browser that a page of another site has led here."
NO_WEBSOCKET = "The local stack has no websockets."
_PORT = r"(:\d{1,5})?"
_MACHINE = re.compile(rf"(127\.0\.0\.1|localhost|\[::1\]){_PORT}", re.IGNORECASE)
_BELOW_LOCALHOST = re.compile(rf"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.localhost{_PORT}", re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """The names at whose root the API is: this machine's, and one more, such as that of a tunnel."""

    one_more: str = ""

    def have(self, host: str) -> bool:
        return is_of_machine(host) or bool(self.one_more and re.fullmatch(f"{re.escape(self.one_more)}{_PORT}", host, re.I))


def is_of_machine(host: str) -> bool:
    """Whether a Host is this machine, and not a name of one API or bucket."""
    return bool(_MACHINE.fullmatch(host))


def admit(app: App, own: App, leads_to_api: LeadsToApi, hosts: Hosts) -> App:
    """Pass on requests to the API to `app`, others to `own`, whose answers no other site's page can read. Refuse with 403."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        is_for_api = _is_for_api(scope, leads_to_api, hosts)
        if reason := reason_to_refuse(scope, is_for_api):
            await refuse(scope, receive, send, reason)
        else:
            await (app(scope, receive, send) if is_for_api else own(scope, receive, _without_cors(send)))

    return serve


def values(scope: Scope, name: bytes) -> list[str]:
    """Return each value of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def refuse(scope: Scope, receive: Any, send: Any, reason: str) -> None:
    if scope["type"] != "http":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"message": reason}).encode()})


def _is_for_api(scope: Scope, leads_to_api: LeadsToApi, hosts: Hosts) -> bool:
    """Whether MiniStack passes on the request to an API, which any page may call. Its own paths come first."""
    host, path = ",".join(values(scope, b"host")), scope["path"]
    at_its_path = hosts.have(host) and path.startswith(API_BY_PATH)
    at_its_name = not hosts.have(host) and path.startswith(API_PATHS)
    return scope["type"] == "http" and (at_its_path or at_its_name) and bool(leads_to_api(host, path))


def reason_to_refuse(scope: Scope, is_for_api: bool) -> str | None:
    """Return why to refuse a request, or None if they get an answer."""
    hosts = values(scope, b"host")
    if scope["type"] != "http":
        return NO_WEBSOCKET
    if len(hosts) != 1 or not (is_for_api or is_of_machine(hosts[0]) or _BELOW_LOCALHOST.fullmatch(hosts[0])):
        return OTHER_HOST
    return OTHER_ORIGIN if not is_for_api and _is_led_by_a_page(scope) else None


def _is_led_by_a_page(scope: Scope) -> bool:
    """Whether a page of another origin has made a browser send the request. A page of this one has no reason to send Origin."""
    return bool(values(scope, b"origin") or set(values(scope, b"sec-fetch-site")) - {"none", "same-origin"})


def _without_cors(send: Any) -> Any:
    async def send_without(message: Any) -> None:
        if headers := message.get("headers"):
            kept = [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without
