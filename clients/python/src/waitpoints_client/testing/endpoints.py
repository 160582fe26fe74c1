"""The fake's endpoints: their settings, and the deliveries to their URLs."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from waitpoints_client.testing import times
from waitpoints_client.testing.answers import Refusal, invalid, iso, refuse_unknown, without_none
from waitpoints_client.testing.bodies import output_of
from waitpoints_client.testing.deliveries import FakeDelivery, Received, Recorded, cut, new_delivery_id, without_secrets
from waitpoints_client.testing.tokens import FakeToken, Outcome, Tokens, as_of, settle
from waitpoints_client.wire import read_json, write_json

FIELDS = ("key", "verify", "completeWhen", "output", "keyTTL", "tag", "recordDeliveries")
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_PATH = re.compile(r"(?:body|headers|query)(?:\.\w+)*", re.ASCII)
_DAY = 86_400_000  # milliseconds
_RESULTS = {"notAwaited": "not awaited", "notMatching": "does not match"}  # as a trial says them
_REQUIRED = {"key": '"body.workflow_run.id"', "verify": '{"scheme":"github","secret":"github"} or "none"'}


@dataclass
class FakeEndpoint:
    """An endpoint. `deliveries` has the count and the last one of each kind, `recorded` those that it records."""

    name: str
    settings: Mapping[str, Any]
    created_at: int
    updated_at: int
    disabled: bool = False
    hash: str = field(default_factory=lambda: secrets.token_hex(44))
    deliveries: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: Recorded = field(default_factory=Recorded)

    def shown(self, url: str) -> dict[str, Any]:
        """Return it as the API does."""
        shown = {"name": self.name, "url": f"{url}/api/v1/endpoints/{self.name}/{self.hash}", **self.settings}
        disabled = {"disabled": True} if self.disabled else {}
        return {**shown, **disabled, "createdAt": iso(self.created_at), "updatedAt": iso(self.updated_at)}

    def count(self, kind: str, now: int, **last: str | None) -> None:
        """Count a delivery. `last` is what is shown of the last one."""
        count = self.deliveries.get(kind, {}).get("count", 0) + 1
        self.deliveries[kind] = without_none({"count": count, "lastAt": iso(now), **last})


@dataclass(frozen=True)
class _Processed:
    """What became of a delivery: its kind, the key that it named, and the token that it found or made."""

    kind: str
    key: str | None
    token: FakeToken | None


class Endpoints:
    """All endpoints, by name, and the tokens that their deliveries complete."""

    def __init__(self, tokens: Tokens, retention: int, ignore_rules: bool) -> None:
        self.all: dict[str, FakeEndpoint] = {}
        self._tokens = tokens
        self._retention = retention
        self._ignore_rules = ignore_rules

    def put(self, name: str, body: Mapping[str, Any], now: int) -> FakeEndpoint:
        """Make an endpoint, or replace the settings of an existing one. Raises Refusal."""
        settings = self._check_settings(name, body)
        endpoint = self.all.setdefault(name, FakeEndpoint(name, settings, now, now))
        endpoint.settings, endpoint.updated_at = settings, now
        return endpoint

    def change(self, name: str, body: Mapping[str, Any], now: int) -> FakeEndpoint:
        """Disable an endpoint, or enable it. Raises Refusal."""
        refuse_unknown(body, ("disabled",))
        if "disabled" not in body:
            raise Refusal(400, 'Validation error: "disabled" is required, such as true')
        if not isinstance(body["disabled"], bool):
            raise Refusal(400, 'Validation error: expected true or false at "disabled"')
        endpoint = self.get(name)
        endpoint.disabled, endpoint.updated_at = body["disabled"], now
        return endpoint

    def get(self, name: str) -> FakeEndpoint:
        """Return an endpoint. Raises Refusal."""
        if name not in self.all:
            raise Refusal(404, "Endpoint not found", "EndpointNotFound")
        return self.all[name]

    def list_endpoints(self, size: int, after: str | None) -> tuple[list[FakeEndpoint], dict[str, str]]:
        """Return the endpoints of an answer, by name, and its `pagination`."""
        ahead = [self.all[name] for name in sorted(self.all) if name > (after or "")]
        shown = ahead[:size]
        return shown, {"next": shown[-1].name} if len(ahead) > size else {}

    def deliver(self, endpoint: FakeEndpoint, received: Received, now: int) -> None:
        """Complete the token of a delivery's key, or keep it for one, count it and record it. Raises Refusal."""
        if endpoint.disabled:
            endpoint.count("refused", now, lastDetail=_DISABLED)
            raise Refusal(503, "This endpoint is disabled. Send the delivery again later", "EndpointDisabled")
        processed = self._process(endpoint, received, now)
        endpoint.count(processed.kind, now, lastKey=processed.key)
        if "recordDeliveries" in endpoint.settings:
            verify = endpoint.settings["verify"]
            kept = without_secrets(received, verify if isinstance(verify, dict) else {})
            endpoint.recorded.add(self._record(endpoint, kept, processed, now))

    def holder(self, endpoint: FakeEndpoint, received: Received, now: int) -> FakeToken | None:
        """Return the token that has the key of a delivery."""
        key, _ = self._evaluated(endpoint, delivery_of(received))
        token = None if key is None else self._tokens.of_key(key)
        return as_of(token, now) if token else None

    def resend(
        self,
        endpoint: FakeEndpoint,
        delivery: FakeDelivery,
        token: FakeToken | None,
        once: str | None,
        user_agent: str | None,
        now: int,
    ) -> FakeDelivery:
        """Send a recorded delivery again, to the token of its key now or to `token`. Returns its record."""
        processed = self._process(endpoint, delivery.received, now, token)
        made = self._record(endpoint, delivery.received, processed, now, delivery.expires_at)
        return endpoint.recorded.add(replace(made, resend_of=delivery.id, user_agent=user_agent), once)

    def delete_delivery(self, endpoint: FakeEndpoint, delivery: FakeDelivery) -> None:
        """Delete a recorded delivery with its resends, and the early completions that they made."""
        for resend in endpoint.recorded.resends(delivery):
            self.delete_delivery(endpoint, resend)
        token = self._tokens.all.get(delivery.token_id or "")
        if token and token.kept and delivery.kind == "kept":
            self._tokens.forget(token)
        endpoint.recorded.delete(delivery)

    def _record(
        self, endpoint: FakeEndpoint, received: Received, processed: _Processed, now: int, expires_at: int = 0
    ) -> FakeDelivery:
        """`expires_at` is for an endpoint that records no more."""
        kept_for = times.duration(endpoint.settings.get("recordDeliveries"))
        return FakeDelivery(
            new_delivery_id(now),
            endpoint.name,
            now,
            now + kept_for if kept_for else expires_at,
            processed.kind,
            received,
            key=cut(processed.key),
            token_id=processed.token.id if processed.token else None,
            user_agent=cut(received.headers.get("user-agent")),
        )

    def _process(self, endpoint: FakeEndpoint, received: Received, now: int, to: FakeToken | None = None) -> _Processed:
        key, output = self._evaluated(endpoint, delivery_of(received))
        if to is not None:
            outcome = as_of(to, now).outcome
            if not settle(to, Outcome(now, "endpoint", write_json(output))):
                to.count_delivery(now)
            return _Processed(self._after(outcome) if outcome else "completed", None, to)
        if key is None:
            return _Processed("noKey", None, None)
        kind, token = self._becomes(endpoint, key, now)
        if kind in ("completed", "kept"):
            token, *_ = self._tokens.complete_key(
                key, Outcome(now, "endpoint", write_json(output)), self._kept_until(endpoint, now)
            )
        elif token is not None and kind != "notMatching":
            token.count_delivery(now)
        return _Processed(kind, key, token)

    def try_delivery(self, endpoint: FakeEndpoint, received: Received, now: int) -> dict[str, Any]:
        """Say what would become of a delivery."""
        key, output = self._evaluated(endpoint, delivery_of(received))
        steps = [
            *([{"step": "endpoint", "result": "disabled", "detail": _DISABLED}] if endpoint.disabled else []),
            {"step": "signature", "result": "not asked for"},
            {"step": "completeWhen", "result": "not asked for"},
            {"step": "key", "result": key or "none"},
            {"step": "output", "result": "found"},
        ]
        found: dict[str, Any] = {"steps": steps, "key": key, "output": write_json(output)}
        if key is None:
            return without_none({**found, "outcome": "refused" if endpoint.disabled else "noKey"})
        kind, token = self._becomes(endpoint, key, now)
        steps.append({"step": "token", "result": _RESULTS.get(kind, kind)})
        outcome = "refused" if endpoint.disabled else kind
        return without_none({**found, "outcome": outcome, "token": token.id if token else None})

    def _becomes(self, endpoint: FakeEndpoint, key: str, now: int) -> tuple[str, FakeToken | None]:
        """Return as which kind a delivery would be counted, and the token that has its key."""
        token = self._tokens.of_key(key)
        outcome = as_of(token, now).outcome if token else None
        if token is None or (outcome and not token.holds(now)):
            return ("kept" if self._kept_until(endpoint, now) > now else "notAwaited"), token
        if outcome is None:
            return "notMatching" if token.approval else "completed", token
        return self._after(outcome), token

    @staticmethod
    def _after(outcome: Outcome) -> str:
        return "late" if outcome.status == "TIMED_OUT" else "repeated"

    def _evaluated(self, endpoint: FakeEndpoint, delivery: Mapping[str, Any]) -> tuple[str | None, Any]:
        """Return the key and the output of a delivery. Of expressions the fake knows paths only, such as `body.order.id`."""
        settings = endpoint.settings
        if (settings["verify"] != "none" or "completeWhen" in settings) and not self._ignore_rules:
            raise NotImplementedError(f"FakeWaitpoints does not check `verify` or `completeWhen` of {endpoint.name}: {_HOW}")
        found = _at(settings["key"], delivery)
        is_key = isinstance(found, (str, int, float)) and not isinstance(found, bool) and found != ""
        prefix = f"{settings['tag']}:" if "tag" in settings else ""
        return f"{prefix}{endpoint.name}:{found}" if is_key else None, _at(settings["output"], delivery)

    def _kept_until(self, endpoint: FakeEndpoint, now: int) -> int:
        return now + min(times.duration(endpoint.settings["keyTTL"]) or 0, self._retention)

    def _check_settings(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if not _NAME.fullmatch(name):
            raise Refusal(422, "Invalid name: 1 to 64 characters of a-z, 0-9 and - are accepted", "InvalidEndpoint")
        refuse_unknown(body, FIELDS)
        if missing := [f'"{member}" is required, such as {such}' for member, such in _REQUIRED.items() if member not in body]:
            raise Refusal(400, f"Validation error: {'; '.join(missing)}")
        accepted = 'expected an object with "scheme" and "secret", or "none" to accept every delivery to the URL'
        if not isinstance(body["verify"], (str, dict)):
            raise Refusal(400, f'Validation error: {accepted} at "verify"')
        if isinstance(body["verify"], str) and body["verify"] != "none":
            raise invalid("verify", accepted)
        settings = {"output": "body", "keyTTL": "24h", **body}
        if (length := times.duration(settings["keyTTL"])) is None:
            accepted = 'a duration such as "60s", "24h", "1w" (w, d, h, m, s), or "0s" to keep nothing'
            raise invalid("keyTTL", f"expected {accepted}")
        if not isinstance(settings.get("tag", ""), str):
            raise Refusal(400, 'Validation error: expected a text at "tag"')
        if not 1 <= len(settings.get("tag", "x")) <= 128:
            raise Refusal(422, "Invalid tag: expected 1 to 128 characters", "InvalidEndpoint")
        if length > self._retention:
            kept = f"this stack keeps tokens for at most {self._retention // _DAY}d (its RetentionDays)"
            raise invalid("keyTTL", kept)
        if "recordDeliveries" in settings:
            self._check_recording(settings)
        return settings

    def _check_recording(self, settings: Mapping[str, Any]) -> None:
        """Raises Refusal."""
        if not isinstance(settings["recordDeliveries"], str):
            raise Refusal(400, 'Validation error: expected a text at "recordDeliveries"')
        if settings["verify"] == "none":
            raise invalid("recordDeliveries", "only deliveries that are verified are recorded, so verify is needed")
        length = times.duration(settings["recordDeliveries"])
        if not length:
            raise invalid("recordDeliveries", 'expected a duration such as "24h", "7d", "2w" (w, d, h, m, s)')
        if length > self._retention:
            kept = f"this stack keeps tokens for at most {self._retention // _DAY}d (its RetentionDays)"
            raise invalid("recordDeliveries", kept)


_DISABLED = "the endpoint is disabled"
_HOW = "make it with FakeWaitpoints(ignore_rules=True) to accept every delivery"


def delivery_of(received: Received) -> dict[str, Any]:
    """Return a delivery as expressions see it."""
    content_type = next((value for name, value in received.headers.items() if name.lower() == "content-type"), "")
    query = dict(parse_qsl(received.query.removeprefix("?"), keep_blank_values=True))
    return {"body": read_json(output_of(received.body, content_type)), "headers": dict(received.headers), "query": query}


def _at(path: str, delivery: Any) -> Any:
    if not _PATH.fullmatch(path):
        raise NotImplementedError(f"FakeWaitpoints evaluates paths such as body.order.id only, not: {path}")
    for name in path.split("."):
        delivery = delivery.get(name) if isinstance(delivery, dict) else None
    return delivery
