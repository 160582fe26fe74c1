"""The fake as a transport of httpx: what it answers, and what it leaves to a stack."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import httpx
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import Never

from waitpoints_client import wire
from waitpoints_client.aio import AsyncWaitpoints
from waitpoints_client.calls import TOKENS
from waitpoints_client.client import Waitpoints
from waitpoints_client.models import Token
from waitpoints_client.options import TokenOrId, id_of
from waitpoints_client.request_types import NotifyOptions, PageOptions, Verify
from waitpoints_client.testing import hooks
from waitpoints_client.testing.clock import FakeClock
from waitpoints_client.testing.tokens import STACK, FakeToken, new_id, output_of, unsupported

_NEW: Final = "waitpoints_new_token"
"""The extension of a response with the token that its create has made."""
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/")
_STRICT = ConfigDict(extra="forbid")
_TYPES: Final[Mapping[str, tuple[TypeAdapter[Any], str]]] = {
    "page": (TypeAdapter(list[PageOptions], config=_STRICT), "InvalidPage"),
    "notify": (TypeAdapter(list[NotifyOptions], config=_STRICT), "InvalidNotify"),
    "verify": (TypeAdapter(list[Verify], config=_STRICT), "InvalidVerification"),
}
"""The types of the options that have members, each in a list: a TypedDict of its own takes no configuration."""

Hook = TypeVar("Hook", bound=Callable[[Token], object])


class Refusal(Exception):
    """A request that is refused as a stack refuses it."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.answer = httpx.Response(status, json={"error": message, "code": code})


class FakeWaitpoints(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Tokens in memory, for code that creates them and waits.

    It knows no rule of a stack: whatever is posted to a token's URL settles it, and so does any answer of an approver. Only
    unknown members and times that are none are refused. `requests` are the requests that were made.

    What it cannot do raises NotImplementedError, with the fixture of waitpoints-testing that can.
    """

    def __init__(
        self, *, url: str = "https://waitpoints.test", api_key: str = "fake-api-key", now: datetime | None = None, **gone: Never
    ) -> None:
        """With `now`, an instant with a time zone, the clock stands there. A `wait` without an answer takes no time then: it
        moves the clock to the next timeout. Without it the clock runs, and a `wait` ends as soon as a thread or a task
        answers, or moves the clock.
        """
        if gone:
            raise TypeError(f"FakeWaitpoints has no {', '.join(gone)}, as it knows no rule: {STACK}")
        if now is not None and now.utcoffset() is None:
            raise ValueError(f"{now.isoformat()} has no time zone: use for example datetime(2030, 1, 31, tzinfo=timezone.utc)")
        self.url = url
        self.api_key = api_key
        self.requests: list[httpx.Request] = []
        self.clock = FakeClock(now, self._next_timeout)
        self._tokens: dict[str, FakeToken] = {}
        self._by_key: dict[str, FakeToken] = {}
        self._early: dict[str, tuple[str, datetime | None, Mapping[str, Any]]] = {}
        self._by_url: dict[str, tuple[FakeToken, str | None]] = {}
        self._hooks: list[Callable[[Token], object]] = []

    def client(self) -> Waitpoints:
        """Return a client of this fake."""
        return Waitpoints(self.url, self.api_key, transport=self)

    def async_client(self) -> AsyncWaitpoints:
        """Return an async client of this fake."""
        return AsyncWaitpoints(self.url, self.api_key, transport=self)

    @property
    def now(self) -> datetime:
        """What its clock says."""
        return self.clock.now()

    def advance(self, time: wire.Duration) -> None:
        """Move the clock forward, for example past a timeout: by a timedelta, seconds or a text such as "4h"."""
        if isinstance(time, str) and not wire.is_duration(time):
            raise ValueError(f'{time!r} is no duration: write for example "90s", "4h" or "1d12h"')
        seconds = timedelta(seconds=time) if isinstance(time, int) else time
        self.clock.advance(wire.read_duration(seconds) if isinstance(seconds, str) else seconds)

    def on_create(self, hook: Hook) -> Hook:
        """Call `hook` with each token that is created, before `create` returns: what it answers, no `wait` waits for.

        fake.on_create(lambda token: fake.deliver(token.url, {"approved": True}))

        It may call the fake and its clients, and move the clock. With an async client it can be async. `create` raises what
        the hook raises, and an error for a response that the hook returns and that is a refusal. Returns the hook.
        """
        self._hooks.append(hook)
        return hook

    def deliver(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Settle the token of a URL as a webhook does: bytes and texts are posted as they are, else JSON."""
        content = body if isinstance(body, (bytes, str)) else wire.write_json(body)
        request = httpx.Request("POST", url, headers=headers, content=b"" if body is None else content)
        answer = self.handle_request(request)
        answer.request = request
        return answer

    def answer(self, token: TokenOrId, approver: str, action: str, fields: Mapping[str, Any] | None = None) -> httpx.Response:
        """Settle a token as a person does who answers its page, whoever they are and whatever they choose."""

        def settle() -> httpx.Response:
            self._get(id_of(token)).answer(self._now(), approver, action, dict(fields or {}))
            return _ok({"success": True})

        answer = self._heard(settle)
        answer.request = httpx.Request("POST", self.url)
        return answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request. httpx calls this."""
        request.read()
        self.requests.append(request)
        self.clock.note_read()
        answer = self._heard(lambda: self._respond(request), is_read=request.method == "GET")
        for hook in tuple(self._hooks) if _NEW in answer.extensions else ():
            hooks.call(hook, Token.model_validate(self._retrieved(answer.extensions[_NEW])))
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the async client. httpx calls this."""
        await request.aread()
        return await hooks.finish(lambda: self.handle_request(request))

    def _heard(self, respond: Callable[[], httpx.Response], *, is_read: bool = False) -> httpx.Response:
        try:
            return respond()
        except Refusal as refusal:
            return refusal.answer
        finally:
            if not is_read:
                self.clock.note_change()

    def _respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if request.method == "POST" and "/callback/" in path:
            return self._callback(request)
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            raise Refusal(401, "Invalid API key", "Unauthenticated")
        match request.method, [unquote(part) for part in path.removeprefix("/api/v1/waitpoints/").split("/")]:
            case "POST", ["tokens"]:
                return self._create(json.loads(request.content or "{}"))
            case "GET", ["tokens"]:
                return self._list(request.url.params)
            case "GET", ["tokens", token_id]:
                return _ok(self._retrieved(token_id))
            case "POST", ["tokens", token_id, "complete"]:
                return _ok({"success": True, "settled": self._get(token_id).settle(self._now(), **_outcome(request))})
            case "POST", ["complete"]:
                return self._complete_key(json.loads(request.content), _outcome(request))
            case method, _:
                raise unsupported(f"answer {method} {path}")

    def _callback(self, request: httpx.Request) -> httpx.Response:
        """Settle a token by the URL, or as an approver by the link, that its create has given out."""
        if str(request.url) not in self._by_url:
            raise Refusal(401, "Only a URL that a create has given out settles its token", "Unauthenticated")
        token, approver = self._by_url[str(request.url)]
        if request.headers.get("content-type", "").startswith(_FORMS):
            raise unsupported("read a form")
        output = output_of(request.content)
        if approver is None:
            token.settle(self._now(), "callback", output)
        else:
            token.answer(self._now(), approver, **{"fields": {}, **json.loads(output)})
        return _ok({"success": True})

    def _create(self, asked: Mapping[str, Any]) -> httpx.Response:
        _check_members(asked)
        now, key = self._now(), asked.get("idempotencyKey", "")
        ends = {name: _end(asked, name, now) for name in ("timeout", "idempotencyKeyTTL")}
        if held := self._holder(key, now):
            return _created(held, is_cached=True)
        early_id, until, outcome = self._early.pop(key, ("", now, {}))
        is_early = until is None or until > now
        token_id = early_id if is_early else new_id(now)
        token = FakeToken(token_id, f"{self.url}{TOKENS}/{token_id}/callback/{secrets.token_hex(32)}", asked, now, ends)
        self._tokens[token_id] = token
        if key:
            self._by_key[key] = token
        if not token.has_sign_in:  # or only `answer` settles it
            people: Mapping[str, str | None] = {link["url"]: link["approver"] for link in token.links} or {token.url: None}
            self._by_url |= {str(httpx.URL(url)): (token, approver) for url, approver in people.items()}
        if is_early:
            token.settle(**outcome)
        answer = _created(token, is_cached=is_early)
        answer.extensions |= {} if is_early else {_NEW: token_id}
        return answer

    def _list(self, query: Mapping[str, str]) -> httpx.Response:
        now, order = self._now(), ("sort", "page[size]", "page[after]")
        filters = {name: text for name, text in query.items() if name not in order}
        alive = [token.as_of(now) for token in self._tokens.values()]
        found = [it.listed for it in alive if all(it.passes(name, text, now) for name, text in filters.items())]
        ordered = found if query.get("sort") == "createdAt" else found[::-1]
        after, size = query.get("page[after]"), int(query.get("page[size]", "25"))
        begin = next((place for place, token in enumerate(ordered, 1) if token["id"] == f"waitpoint_{after}"), 0)
        shown = ordered[begin : begin + size]
        pagination = {"next": shown[-1]["id"].removeprefix("waitpoint_")} if len(ordered) > begin + size else {}
        return _ok({"data": shown, "pagination": pagination})

    def _complete_key(self, body: Mapping[str, Any], outcome: Mapping[str, Any]) -> httpx.Response:
        now, key = self._now(), body["idempotencyKey"]
        if held := self._holder(key, now):
            return _ok({"success": True, "settled": held.settle(now, **outcome), "id": held.id, "created": False})
        token_id, until, _ = self._early.get(key, ("", now, {}))
        if is_new := until is not None and until <= now:
            token_id = new_id(now)
            self._early[key] = (token_id, _end(body, "idempotencyKeyTTL", now), {"at": now, **outcome})
        return _ok({"success": True, "settled": False, "id": token_id, "created": is_new})

    def _holder(self, key: str, now: datetime) -> FakeToken | None:
        """Return the token that holds a key."""
        held = self._by_key.get(key)
        return held if held and (held.key_expires_at is None or held.key_expires_at > now) else None

    def _get(self, token_id: str) -> FakeToken:
        """Return a token as of now. Raises Refusal."""
        token = self._tokens.get(f"waitpoint_{token_id.removeprefix('waitpoint_')}")
        if token is None:
            raise Refusal(404, "Waitpoint not found", "TokenNotFound")
        return token.as_of(self._now())

    def _retrieved(self, token_id: str) -> Mapping[str, Any]:
        token = self._get(token_id)
        return {**token.listed, **token.more}

    def _now(self) -> datetime:
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the API writes it

    def _next_timeout(self, now: datetime) -> datetime | None:
        """Return when the next token times out, of those that wait."""
        ends = (token.timeout_at for token in self._tokens.values() if token.waits and token.timeout_at is not None)
        return min((end for end in ends if end > now), default=None)


def _ok(body: Mapping[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=body)


def _created(token: FakeToken, *, is_cached: bool) -> httpx.Response:
    links = {"links": token.links} if "approvers" in token.more else {}
    return _ok({"id": token.id, "url": token.url, "isCached": is_cached, **links})


def _outcome(request: httpx.Request) -> dict[str, Any]:
    """Return what a request to complete or to fail asks for."""
    body, delivery_id = json.loads(request.content), request.headers.get("idempotency-key")
    by = {"source": "complete", **({"deliveryId": delivery_id} if delivery_id else {})}
    if "error" in body:
        error = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", **body["error"]}
        return {**by, "output": wire.write_json(error), "is_error": True}
    return {**by, "output": wire.write_json(body["data"]) if "data" in body else None}


def _end(body: Mapping[str, Any], name: str, now: datetime) -> datetime | None:
    """Return when a time of a body ends. Raises Refusal."""
    try:
        return wire.read_timeout(body[name], now) if body.get(name) is not None else None
    except ValueError as error:
        raise Refusal(422, f"Invalid {name} {error}", "InvalidTimeout") from None


def _check_members(asked: Mapping[str, Any]) -> None:
    """Raises Refusal for what the type of an option does not have."""
    for name, (adapter, code) in _TYPES.items():
        try:
            adapter.validate_python([asked[name]] if name in asked else [])
        except ValidationError as error:
            found = error.errors(include_url=False)
            first = next((it for it in found if it["type"] == "extra_forbidden"), found[0])
            where = ".".join(map(str, first["loc"][1:]))
            raise Refusal(422, f"Invalid {name}: {first['msg']} at {where}", code) from None
