"""The fake as a transport of httpx: its routes, its credentials and its clock."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, quote, unquote

import httpx

from waitpoints_client.aio import AsyncWaitpoints
from waitpoints_client.client import Waitpoints
from waitpoints_client.models import Token
from waitpoints_client.options import TokenOrId, id_of
from waitpoints_client.testing import hand_overs, hooks, listing, sign_in, times
from waitpoints_client.testing import scopes as public_scopes
from waitpoints_client.testing.answers import Refusal, invalid, iso, milliseconds, refuse_unknown, without_none
from waitpoints_client.testing.approval import LONGEST_ANSWER, Approval, read_choice
from waitpoints_client.testing.bodies import output_of
from waitpoints_client.testing.clock import FakeClock
from waitpoints_client.testing.deliveries import FakeDelivery, Received
from waitpoints_client.testing.endpoints import Endpoints, FakeEndpoint
from waitpoints_client.testing.keys import Keys
from waitpoints_client.testing.tokens import FakeToken, Outcome, Tokens, as_of, key_text, requested, settle
from waitpoints_client.wire import Duration, write_json

TOKENS, ENDPOINTS, KEYS = "/api/v1/waitpoints/tokens", "/api/v1/endpoints", "/api/v1/keys"
SMALL, CREATE, PAYLOAD = 10_240, 65_536, 3_145_728  # bytes of a body
LISTED_TITLE = 100  # characters
PUBLIC_TOKEN_LIFETIME, LONGEST_LIFETIME = 86_400_000, 30 * 86_400_000
_OUTPUTS = "outputs.waitpoints.test"
_NEW = "waitpoints_new_token"
"""The extension of a response that says which token its create has made."""
_SIGNED_IN = "waitpoints_signed_in"
"""The extension of a request that says who has signed in and sends it."""
_ONLY_SIGNED_IN = "Only who signs in, and the root key by its id, complete this waitpoint"

Hook = TypeVar("Hook", bound=Callable[[Token], object])


@dataclass(frozen=True)
class _Asked:
    """A request: its path's parameters, its query, and its body."""

    request: httpx.Request
    path: Mapping[str, str]
    body: bytes
    now: int

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.request.url.query.decode(), keep_blank_values=True))

    @property
    def bearer(self) -> str:
        return re.sub(r"^bearer ", "", self.request.headers.get("authorization", ""), flags=re.IGNORECASE).strip()

    @property
    def delivery_id(self) -> str | None:
        found: str | None = self.request.headers.get("idempotency-key")
        return found

    def check_size(self, limit: int) -> None:
        """Raises Refusal."""
        if len(self.body) > limit:
            raise Refusal(413, f"Request body too large: the limit is {limit} bytes")

    def json(self, limit: int, *, optional: bool = False, expected: str = "Invalid JSON: expected an object") -> dict[str, Any]:
        """Return the body's object. Raises Refusal, with the message `expected`, for any other body."""
        self.check_size(limit)
        if not self.body.strip():
            if optional:
                return {}
            raise Refusal(400, "Request body is empty")
        try:
            found = json.loads(self.body)
        except json.JSONDecodeError as error:
            raise Refusal(400, f"Invalid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        if not isinstance(found, dict):
            raise Refusal(400, expected)
        return found


class FakeWaitpoints(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A Waitpoints stack in memory.

    It answers as a stack does: ids, keys, timeouts, filters, pages, endpoints, errors. It has no waiters to resume: a
    registered one counts as resumed when its token ends. `on_create` answers each new token, and `advance` moves the clock.

    It has every channel of `notify` and each secret that one names, but it sends nothing: `notices` stays empty. It has an
    issuer, where everyone can sign in.

    It does not check `verify`, `complete_when`, `payload_schema` and `page`, except who of a page's `approvers` chose which
    action. Nor does it check the scopes of a named key. What would need more raises NotImplementedError; with `ignore_rules`,
    every delivery, output and named key is accepted instead.
    """

    def __init__(
        self,
        *,
        url: str = "https://waitpoints.test",
        api_key: str = "fake-api-key",
        retention: timedelta = timedelta(days=30),
        ignore_rules: bool = False,
        now: datetime | None = None,
    ) -> None:
        """`retention` is the stack's RetentionDays: how long what came before its token is kept at most.

        With `now`, an instant with a time zone, the clock stands there. A `wait` without an answer takes no time then: it
        moves the clock to the next timeout. Without it the clock runs, and a `wait` ends as soon as a thread or a task
        answers, or moves the clock.
        """
        if now is not None and now.utcoffset() is None:
            raise ValueError(f"{now.isoformat()} has no time zone: use for example datetime(2030, 1, 31, tzinfo=timezone.utc)")
        self.url = url
        self.api_key = api_key
        self._retention = retention // timedelta(milliseconds=1)
        self.ignore_rules = ignore_rules
        self._tokens = Tokens()
        self._endpoints = Endpoints(self._tokens, self._retention, ignore_rules)
        self._keys = Keys()
        self._public: dict[str, tuple[list[str], int]] = {}
        self._hooks: list[Callable[[Token], object]] = []
        self.clock = FakeClock(now, self._tokens.next_timeout)
        self._hash_key = secrets.token_hex(16)

    def client(self) -> Waitpoints:
        """Return a client of this stack."""
        return Waitpoints(self.url, self.api_key, transport=self)

    def async_client(self) -> AsyncWaitpoints:
        """Return an async client of this stack."""
        return AsyncWaitpoints(self.url, self.api_key, transport=self)

    @property
    def now(self) -> datetime:
        """What the stack's clock says."""
        return self.clock.now()

    def advance(self, time: Duration) -> None:
        """Move the stack's clock forward, for example past a timeout: by a timedelta, seconds or a text such as "4h"."""
        self.clock.advance(times.length(time))

    def on_create(self, hook: Hook) -> Hook:
        """Call `hook` with each token that is created, before `create` returns: what it answers, no `wait` waits for.

        fake.on_create(lambda token: fake.deliver(token.url, {"approved": True}))

        It may call the fake and its clients, and move the clock. With an async client it can be async. `create` raises what
        the hook raises, and an error for a response that the hook returns and that is a refusal. Returns the hook.
        """
        self._hooks.append(hook)
        return hook

    def deliver(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post to the URL of a token or an endpoint, as a webhook provider does: bytes and texts as they are, else JSON."""
        content = body if isinstance(body, (bytes, str)) else write_json(body)
        return self._send(httpx.Request("POST", url, headers=headers, content=b"" if body is None else content))

    def answer(self, token: TokenOrId, approver: str, action: str, fields: Mapping[str, Any] | None = None) -> httpx.Response:
        """Answer a token's page as the approver with this id does, by their own link.

        If the page has `signIn`, they sign in first. There, `approver` can also be the address, or the subject, of anyone.
        """
        url, content = self._link(id_of(token), approver), write_json({"action": action, "fields": dict(fields or {})})
        return self._send(httpx.Request("POST", url, content=content, extensions={_SIGNED_IN: approver}))

    def _send(self, request: httpx.Request) -> httpx.Response:
        answer = self.handle_request(request)
        answer.request = request
        return answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request. httpx calls this."""
        answer = self._respond(request)
        for hook in tuple(self._hooks) if _NEW in answer.extensions else ():
            now = self._now()
            hooks.call(hook, Token.model_validate(self._shown(self._tokens.get(answer.extensions[_NEW], now), now)))
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the async client. httpx calls this."""
        await request.aread()
        return await hooks.finish(lambda: self.handle_request(request))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.clock.note_read()
        try:
            return self._answer(request)
        except Refusal as refusal:
            headers = {409: {"x-should-retry": "false"}, 503: {"retry-after": "60"}}.get(refusal.status)
            return httpx.Response(refusal.status, json=refusal.body, headers=headers)
        finally:
            if request.method != "GET":
                self.clock.note_change()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if request.url.host == _OUTPUTS:
            return self._download(request)
        allowed = []
        for method, pattern, check, answer in _ROUTES:
            if match := re.fullmatch(pattern, path):
                if method == request.method:
                    named = {name: unquote(value) for name, value in match.groupdict().items()}
                    asked = _Asked(request, named, request.read(), self._now())
                    if check:
                        check(self, asked)
                    return answer(self, asked)
                allowed.append(method)
        if allowed:
            refusal = Refusal(405, "Method not allowed")
            return httpx.Response(405, json=refusal.body, headers={"allow": ", ".join(sorted(allowed))})
        return httpx.Response(404, json={"message": "Not Found"})

    def _now(self) -> int:
        return milliseconds(self.clock.now())

    def _create(self, asked: _Asked) -> httpx.Response:
        request_key = asked.request.headers.get("x-trigger-request-idempotency-key")
        body = asked.json(CREATE, optional=True, expected="Validation error: expected an object")
        parent = asked.request.headers.get("traceparent")
        token, is_cached, is_new = self._tokens.create(body, request_key, asked.now, parent)
        access_token = self._public_token([f"write:waitpoints:{token.id}"], asked.now + PUBLIC_TOKEN_LIFETIME)
        headers = {"x-trigger-jwt": access_token, "x-trigger-jwt-claims": write_json(_CLAIMS)}
        answer = {"id": token.id, "isCached": is_cached, "url": self._callback_url(token)}
        if token.approval and not {"approvers", "signIn"}.isdisjoint(body.get("page") or ()):
            answer["links"] = token.approval.links(lambda approver: self._link(token.id, approver))
        made = _ok(answer, headers)
        made.extensions |= {_NEW: token.id} if is_new else {}
        return made

    def _list(self, asked: _Asked) -> httpx.Response:
        alive = [self._tokens.get(token_id, asked.now) for token_id in self._tokens.all]
        tokens, pagination = listing.slice_of(alive, asked.query, asked.now)
        shown = [{**token.shown(self._callback_url(token), LISTED_TITLE), "tags": sorted(token.tags)} for token in tokens]
        return _ok({"data": shown, "pagination": pagination})

    def _retrieve(self, asked: _Asked) -> httpx.Response:
        return _ok(self._shown(self._tokens.get(asked.path["id"], asked.now), asked.now))

    def _shown(self, token: FakeToken, now: int) -> dict[str, Any]:
        return token.retrieved(self._callback_url(token), lambda approver: self._link(token.id, approver), now)

    def _extend(self, asked: _Asked) -> httpx.Response:
        token = self._tokens.get(asked.path["id"], asked.now)
        body = asked.json(SMALL, expected="Validation error: expected an object")
        refuse_unknown(body, ("timeout", "approvers"))
        if len(body) != 1:
            raise Refusal(400, 'Validation error: expected either "timeout", such as "7d", or "approvers"')
        if "approvers" in body:
            added = hand_overs.hand_over(token, body["approvers"], asked.now)
            links = [{"approver": person["id"], "url": self._link(token.id, person["id"])} for person in added]
            return _ok({"id": token.id, "links": links})
        timeout_at = times.timeout_at(body["timeout"], asked.now)
        if token.outcome is not None:
            raise Refusal(409, "The waitpoint has ended, so its timeout can no longer be changed")
        token.timeout_at = timeout_at
        return _ok(without_none({"id": token.id, "timeoutAt": iso(timeout_at)}))

    def _complete(self, asked: _Asked) -> httpx.Response:
        by_api_key = self._check_may_complete(asked)
        outcome = requested(asked.json(PAYLOAD), asked.now, asked.delivery_id)
        token = self._tokens.get(asked.path["id"], asked.now)
        if token.outcome is None:
            if asked.bearer != self.api_key:
                _refuse_others(token)
            if token.approval and not by_api_key:
                raise _forbidden("Only its approvers and the API key complete this waitpoint")
            outcome = self._fitting(token, outcome)
        return _ok({"success": True, "settled": settle(token, outcome)})

    def _complete_key(self, asked: _Asked) -> httpx.Response:
        body = asked.json(PAYLOAD)
        refuse_unknown(body, ("idempotencyKey", "idempotencyKeyTTL", "data", "error"))
        key, longest = key_text(body.pop("idempotencyKey", None)), asked.now + self._retention
        early_until = times.key_expires_at(body.pop("idempotencyKeyTTL", None), asked.now) or longest
        if early_until > longest:
            kept = f"a completion is kept for at most {self._retention // 86_400_000}d, the stack's RetentionDays"
            raise invalid("idempotencyKeyTTL", kept)
        outcome, holder = requested(body, asked.now, asked.delivery_id), self._tokens.of_key(key)
        if holder and as_of(holder, asked.now).outcome is None:
            _refuse_others(holder)
            outcome = self._fitting(holder, outcome)
        token, settled, created = self._tokens.complete_key(key, outcome, early_until)
        return _ok({"success": True, "settled": settled, "id": token.id, "created": created})

    def _callback(self, asked: _Asked) -> httpx.Response:
        named = parse_qs(asked.request.url.query.decode(), keep_blank_values=True).get("approver", [])
        approver = named[0] if len(named) == 1 and self._is_hash(asked, named[0]) else None
        if approver is None and not self._is_hash(asked):
            raise Refusal(401, "Invalid URL, hash doesn't match", "WrongCallbackHash")
        asked.check_size(PAYLOAD)
        token = self._tokens.get(asked.path["id"], asked.now)
        if token.approval and token.approval.sign_in:
            return self._answer_signed_in(asked, token, token.approval)
        if approver is not None:
            return self._answer_page(asked, token, approver)
        if token.outcome is None and token.approval:
            token.count_delivery(asked.now)
            raise Refusal(403, "Each approver answers by a link of their own, which this URL is not")
        if token.outcome is None:
            self._check_rules(token, token.rules)
        output = output_of(asked.body, asked.request.headers.get("content-type", ""))
        if not settle(token, Outcome(asked.now, "callback", output, delivery_id=asked.delivery_id)):
            token.count_delivery(asked.now)
        return _ok({"success": True})

    def _answer_page(self, asked: _Asked, token: FakeToken, approver: str) -> httpx.Response:
        """Record what an approver answers by their link: the first answer of each stands."""
        approval = token.approval
        if approval is None or not approval.may_answer(approver):
            if approval and any(person["id"] == approver for person in approval.removed):
                raise Refusal(403, "This waitpoint was handed over: this person may no longer answer")
            raise Refusal(403, "This person is not, or not yet, among those who may answer")
        return self._record(asked, token, approval, approver, {})

    def _answer_signed_in(self, asked: _Asked, token: FakeToken, approval: Approval) -> httpx.Response:
        named = asked.request.extensions.get(_SIGNED_IN)
        if named is None:
            raise Refusal(403, "Only who has signed in answers this waitpoint, on its own page")
        account = sign_in.Account.of(named, approval)
        signed_in = {"signedIn": account.member(iso(asked.now))}
        return self._record(asked, token, approval, account.find(approval)["id"], signed_in)

    def _record(
        self, asked: _Asked, token: FakeToken, approval: Approval, approver: str, signed_in: Mapping[str, Any]
    ) -> httpx.Response:
        choice = read_choice(approval, _json_text(asked), ignore_fields=self.ignore_rules)
        if sum(len(write_json(part).encode()) for part in (choice, signed_in) if part) > LONGEST_ANSWER:
            raise Refusal(413, f"An answer to a page with approvers can have at most {LONGEST_ANSWER:,} bytes of JSON")
        earlier = approval.answer_of(approver)
        if earlier is None and token.outcome is None:
            output = approval.record(approver, choice, asked.now, signed_in)
            if output is not None:
                by = Outcome(asked.now, "callback", write_json(output), delivery_id=asked.delivery_id, approver=approver)
                settle(token, by)
        elif earlier is None or {name: earlier[name] for name in choice} != choice:
            token.count_delivery(asked.now)
        return _ok({"success": True})

    def _packet(self, asked: _Asked) -> httpx.Response:
        token_id, _, _ = asked.path["path"].partition("/")
        if token_id not in self._tokens.all or self._tokens.all[token_id].stored_at != asked.path["path"]:
            raise Refusal(
                404, "Output not found: the path is wrong, or the output was deleted after its retention", "OutputNotFound"
            )
        return _ok({"presignedUrl": f"https://{_OUTPUTS}/{asked.path['path']}?X-Amz-Signature={self._hash_key}"})

    def _download(self, request: httpx.Request) -> httpx.Response:
        """Answer as the bucket does, which refuses a request that is authorized twice."""
        token = self._tokens.all.get(request.url.path.split("/")[1])
        if "authorization" in request.headers or request.url.params.get("X-Amz-Signature") != self._hash_key:
            return httpx.Response(400, text="<Error><Code>InvalidArgument</Code></Error>")
        assert token is not None, "the link is to a token's output"
        assert token.outcome is not None, "the link is to a token's output"
        return httpx.Response(200, text=token.outcome.output, headers={"content-type": "application/json"})

    def _claims(self, _: _Asked) -> httpx.Response:
        return _ok(_CLAIMS)

    def _create_public_token(self, asked: _Asked) -> httpx.Response:
        body = asked.json(SMALL)
        refuse_unknown(body, ("claims", "expirationTime"))
        scopes = body.get("claims", {}).get("scopes", [])
        return self._sign(asked, scopes, body.get("expirationTime", "1h"), "claims.scopes")

    def _mint_public_token(self, asked: _Asked) -> httpx.Response:
        body = asked.json(SMALL)
        refuse_unknown(body, ("scopes", "expirationTime"))
        if not body.get("scopes"):
            raise Refusal(400, 'Validation error: "scopes" is required')
        return self._sign(asked, body["scopes"], body.get("expirationTime", "15m"))

    def _sign(self, asked: _Asked, scopes: list[str], wanted: str | int, path: str = "scopes") -> httpx.Response:
        public_scopes.refuse_wrong(scopes, path)
        length = times.duration(wanted) if isinstance(wanted, str) else wanted * 1000 - asked.now
        if not length or not 0 < length <= LONGEST_LIFETIME:
            accepted = 'a time in epoch seconds or a duration such as "15m", in the next 30 days'
            raise invalid("expirationTime", f"expected {accepted}")
        return _ok({"token": self._public_token(scopes, asked.now + length)})

    def _put_endpoint(self, asked: _Asked) -> httpx.Response:
        body = asked.json(SMALL, expected='Validation error: expected an object with "key" and "verify"')
        return _ok(self._endpoints.put(asked.path["name"], body, asked.now).shown(self.url))

    def _change_endpoint(self, asked: _Asked) -> httpx.Response:
        body = asked.json(SMALL, expected='Validation error: expected an object with "disabled"')
        return _ok(self._endpoints.change(asked.path["name"], body, asked.now).shown(self.url))

    def _get_endpoint(self, asked: _Asked) -> httpx.Response:
        endpoint = self._endpoints.get(asked.path["name"])
        return _ok({**endpoint.shown(self.url), "deliveries": endpoint.deliveries})

    def _list_endpoints(self, asked: _Asked) -> httpx.Response:
        refuse_unknown(asked.query, ("page[size]", "page[after]"), "parameter")
        endpoints, pagination = self._endpoints.list_endpoints(listing.size_of(asked.query), asked.query.get("page[after]"))
        return _ok({"data": [endpoint.shown(self.url) for endpoint in endpoints], "pagination": pagination})

    def _delete_endpoint(self, asked: _Asked) -> httpx.Response:
        del self._endpoints.all[self._endpoints.get(asked.path["name"]).name]
        return _ok({"success": True})

    def _try_endpoint(self, asked: _Asked) -> httpx.Response:
        endpoint, body = self._endpoints.get(asked.path["name"]), asked.json(PAYLOAD)
        refuse_unknown(body, ("body", "headers", "query"))
        given = body.get("body", "")
        content = given.encode() if isinstance(given, str) else write_json(given).encode()
        received = Received(content, body.get("headers", {}), body.get("query", ""))
        return _ok(self._endpoints.try_delivery(endpoint, received, asked.now))

    def _deliver(self, asked: _Asked) -> httpx.Response:
        endpoint = self._endpoints.all.get(asked.path["name"])
        if endpoint is None or endpoint.hash != asked.path["hash"].lower():
            raise Refusal(401, "Invalid URL, hash doesn't match", "WrongCallbackHash")
        asked.check_size(PAYLOAD)
        received = Received(asked.body, dict(asked.request.headers), asked.request.url.query.decode())
        self._endpoints.deliver(endpoint, received, asked.now)
        return _ok({"success": True})

    def _list_deliveries(self, asked: _Asked) -> httpx.Response:
        deliveries, pagination = self._endpoints.get(asked.path["name"]).recorded.page(asked.query, asked.now)
        return _ok({"data": [it.shown() for it in deliveries], "pagination": pagination})

    def _retrieve_delivery(self, asked: _Asked) -> httpx.Response:
        return _ok(self._delivery_of(asked)[1].retrieved())

    def _delete_delivery(self, asked: _Asked) -> httpx.Response:
        self._endpoints.delete_delivery(*self._delivery_of(asked))
        return _ok({"success": True})

    def _delete_deliveries(self, asked: _Asked) -> httpx.Response:
        endpoint = self._endpoints.get(asked.path["name"])
        deliveries = endpoint.recorded.all(asked.now)
        for delivery in deliveries:
            self._endpoints.delete_delivery(endpoint, delivery)
        return _ok({"deleted": len(deliveries), "done": True})

    def _resend_delivery(self, asked: _Asked) -> httpx.Response:
        body = asked.json(SMALL, optional=True)
        refuse_unknown(body, ("tokenId", "idempotencyKey"))
        for name in ("tokenId", "idempotencyKey"):
            if not isinstance(body.get(name, ""), str):
                raise Refusal(400, f'Validation error: expected a text at "{name}"')
        once = key_text(body["idempotencyKey"]) if "idempotencyKey" in body else None
        endpoint, delivery = self._delivery_of(asked)
        if once is not None and (earlier := endpoint.recorded.resent(delivery.id, once, asked.now)):
            return _ok(earlier.shown())
        token = self._tokens.get(body["tokenId"], asked.now) if "tokenId" in body else None
        target = token or self._endpoints.holder(endpoint, delivery.received, asked.now)
        if target and target.outcome is None:
            self._refuse_resend(target, token is not None)
        user_agent = asked.request.headers.get("user-agent")
        return _ok(self._endpoints.resend(endpoint, delivery, token, once, user_agent, asked.now).shown())

    def _delivery_of(self, asked: _Asked) -> tuple[FakeEndpoint, FakeDelivery]:
        endpoint = self._endpoints.get(asked.path["name"])
        return endpoint, endpoint.recorded.get(asked.path["id"], asked.now)

    def _refuse_resend(self, token: FakeToken, is_named: bool) -> None:
        """Raises Refusal for a token that a signature or a person completes."""
        if not {"verify", "page"}.isdisjoint(token.rules):
            reason = "A waitpoint with verify or a page cannot be completed by a delivery that is sent again"
            raise Refusal(422, reason, "ResendRefused")
        self._check_rules(token, token.rules if is_named else ())

    def _create_key(self, asked: _Asked) -> httpx.Response:
        made = self._keys.create(asked.json(SMALL), asked.now)
        return _ok({**made.shown(), "key": made.key})

    def _list_keys(self, _: _Asked) -> httpx.Response:
        return _ok({"data": [key.shown() for key in self._keys.list_keys()]})

    def _revoke_key(self, asked: _Asked) -> httpx.Response:
        self._keys.revoke(asked.path["name"])
        return _ok({"success": True})

    def _check_is_root(self, asked: _Asked) -> None:
        if self._keys.is_key(asked.bearer, asked.now):
            raise _forbidden("Only the root key may do this, and this is a named key")
        self._check_key(asked)

    def _check_key(self, asked: _Asked) -> None:
        if not asked.bearer:
            raise Refusal(401, "Invalid or missing API key: send `Authorization: Bearer <key>`")
        if asked.bearer == self.api_key:
            return
        if not self._keys.is_key(asked.bearer, asked.now):
            raise Refusal(401, "Invalid API key")
        if not self.ignore_rules:
            raise NotImplementedError(
                "FakeWaitpoints does not check the scopes of a named key: use its api_key, or ignore_rules"
            )

    def _check_may_complete(self, asked: _Asked) -> bool:
        """Return whether the API key asks, and not a public access token. Raises Refusal."""
        if asked.bearer not in self._public:
            self._check_key(asked)
            return True
        scopes, expires_at = self._public[asked.bearer]
        if expires_at <= asked.now:
            raise Refusal(401, "Public Access Token has expired: create another")
        if reason := public_scopes.why_not(scopes, asked.path["id"]):
            raise _forbidden(reason)
        return False

    def _fitting(self, token: FakeToken, outcome: Outcome) -> Outcome:
        """Return what ends a token that waits, as the API key asks. Raises Refusal unless its rules accept it."""
        if outcome.is_error:
            return outcome
        if token.approval is None:
            self._check_rules(token, ("payloadSchema", "page"))
            return outcome
        choice = read_choice(token.approval, outcome.output or "null", ignore_fields=self.ignore_rules)
        return replace(outcome, output=write_json(choice))

    def _check_rules(self, token: FakeToken, which: tuple[str, ...]) -> None:
        if (unchecked := [rule for rule in token.rules if rule in which]) and not self.ignore_rules:
            how = "make it with FakeWaitpoints(ignore_rules=True) to accept everything"
            raise NotImplementedError(f"FakeWaitpoints does not check `{unchecked[0]}`: {how}")

    def _public_token(self, scopes: list[str], expires_at: int) -> str:
        token = f"{secrets.token_hex(8)}.{secrets.token_hex(8)}.fake"
        self._public[token] = (scopes, expires_at)
        return token

    def _callback_url(self, token: FakeToken) -> str:
        return f"{self.url}{TOKENS}/{token.id}/callback/{self._hash(token.id)}"

    def _link(self, token_id: str, approver: str) -> str:
        token = self._tokens.all.get(token_id)
        if token and token.approval and token.approval.sign_in:
            return self._callback_url(token)
        path = f"{TOKENS}/{token_id}/callback/{self._hash(token_id, approver)}"
        return f"{self.url}{path}?approver={quote(approver, safe='')}"

    def _is_hash(self, asked: _Asked, approver: str | None = None) -> bool:
        return asked.path["hash"].lower() == self._hash(asked.path["id"], approver)

    def _hash(self, token_id: str, approver: str | None = None) -> str:
        bare = token_id.removeprefix("waitpoint_")
        signed = bare if approver is None else f"approver/{bare}/{approver}"
        return hashlib.sha256(f"{self._hash_key}{signed}".encode("utf-8", "surrogatepass")).hexdigest()


def _ok(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(200, json=body, headers=headers)


def _refuse_others(token: FakeToken) -> None:
    """Raises Refusal if people sign in to answer a token's page: nothing else answers as them."""
    if token.approval and token.approval.sign_in:
        raise _forbidden(_ONLY_SIGNED_IN)


def _forbidden(reason: str) -> Refusal:
    return Refusal(403, reason, "unauthorized", param="access_token", type="authorization")


def _json_text(asked: _Asked) -> str:
    """Return a body as the JSON text of a choice; what is no text is no choice."""
    content_type = asked.request.headers.get("content-type", "")
    text = asked.body.decode("utf-8-sig", "replace")
    if content_type.startswith("application/x-www-form-urlencoded") and not text.lstrip().startswith("{"):
        raise NotImplementedError("FakeWaitpoints reads an approver's choice as JSON only, not as a browser's form")
    return text


_CLAIMS = {"sub": "waitpoints", "pub": True}
_ID, _NAME, _HASH = r"(?P<id>[^/]+)", r"(?P<name>[^/]+)", r"(?P<hash>[^/]+)"
_Check = Callable[[FakeWaitpoints, _Asked], None]
_BY_KEY, _BY_ROOT = FakeWaitpoints._check_key, FakeWaitpoints._check_is_root
_ROUTES: tuple[tuple[str, str, _Check | None, Callable[[FakeWaitpoints, _Asked], httpx.Response]], ...] = (
    ("POST", TOKENS, _BY_KEY, FakeWaitpoints._create),
    ("GET", TOKENS, _BY_KEY, FakeWaitpoints._list),
    ("GET", f"{TOKENS}/{_ID}", _BY_KEY, FakeWaitpoints._retrieve),
    ("PATCH", f"{TOKENS}/{_ID}", _BY_KEY, FakeWaitpoints._extend),
    ("POST", f"{TOKENS}/{_ID}/complete", None, FakeWaitpoints._complete),
    ("POST", f"{TOKENS}/{_ID}/callback/{_HASH}", None, FakeWaitpoints._callback),
    ("POST", "/api/v1/waitpoints/complete", _BY_KEY, FakeWaitpoints._complete_key),
    ("GET", "/api/v1/packets/(?P<path>.+)", _BY_KEY, FakeWaitpoints._packet),
    ("POST", "/api/v1/auth/jwt/claims", _BY_KEY, FakeWaitpoints._claims),
    ("POST", "/api/v1/auth/jwt", _BY_KEY, FakeWaitpoints._create_public_token),
    ("POST", "/api/v1/auth/public-tokens", _BY_KEY, FakeWaitpoints._mint_public_token),
    ("POST", KEYS, _BY_ROOT, FakeWaitpoints._create_key),
    ("GET", KEYS, _BY_ROOT, FakeWaitpoints._list_keys),
    ("DELETE", f"{KEYS}/{_NAME}", _BY_ROOT, FakeWaitpoints._revoke_key),
    ("GET", ENDPOINTS, _BY_KEY, FakeWaitpoints._list_endpoints),
    ("PUT", f"{ENDPOINTS}/{_NAME}", _BY_KEY, FakeWaitpoints._put_endpoint),
    ("PATCH", f"{ENDPOINTS}/{_NAME}", _BY_KEY, FakeWaitpoints._change_endpoint),
    ("GET", f"{ENDPOINTS}/{_NAME}", _BY_KEY, FakeWaitpoints._get_endpoint),
    ("DELETE", f"{ENDPOINTS}/{_NAME}", _BY_KEY, FakeWaitpoints._delete_endpoint),
    ("POST", f"{ENDPOINTS}/{_NAME}/test", _BY_KEY, FakeWaitpoints._try_endpoint),
    ("GET", f"{ENDPOINTS}/{_NAME}/deliveries", _BY_KEY, FakeWaitpoints._list_deliveries),
    ("DELETE", f"{ENDPOINTS}/{_NAME}/deliveries", _BY_KEY, FakeWaitpoints._delete_deliveries),
    ("GET", f"{ENDPOINTS}/{_NAME}/deliveries/{_ID}", _BY_KEY, FakeWaitpoints._retrieve_delivery),
    ("DELETE", f"{ENDPOINTS}/{_NAME}/deliveries/{_ID}", _BY_KEY, FakeWaitpoints._delete_delivery),
    ("POST", f"{ENDPOINTS}/{_NAME}/deliveries/{_ID}/resend", _BY_KEY, FakeWaitpoints._resend_delivery),
    ("POST", f"{ENDPOINTS}/{_NAME}/{_HASH}", None, FakeWaitpoints._deliver),
)
"""What answers each request. It checks the credential itself where nothing else does."""
