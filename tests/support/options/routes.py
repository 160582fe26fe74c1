"""Waitpoints on moto, and how a case takes its route: with every rule kept that the route obeys, or with one broken."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import urlencode

from tests.support import webhook_signer
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.options.case import Broken, Case
from tests.support.options.table import Options
from tools.openapi.operations import ENDPOINTS
from waitpoints.errors import WaitpointsError
from waitpoints.token import Token
from waitpoints.waiter_result import Failure, Success

SECRET = "the-secret-of-github"
GITHUB = {"scheme": "github", "secret": "github"}
OTHER_TOKEN = "waitpoint_" + "0" * 26
JSON, FORM = {"content-type": "application/json"}, {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {**FORM, "accept": "text/html,*/*;q=0.8"}
HANDSHAKE = "validationToken=abc"
FROM_SDK = {"x-trigger-source": "sdk"}
MEMBERS: Mapping[str, Any] = {
    "data": {"approved": True},
    "error": {"message": "no"},
    "idempotencyKeyTTL": "30m",
    "timeout": "1h",
    "tags": ["a", "b"],
    "unwrap": True,
    "context": True,
    "execution": "arn:aws:states:us-east-1:123456789012:execution:orders:4711",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "metadata": {"order": 4711, "by": "Größe"},
    "verify": GITHUB,
    "completeWhen": "body.done == 'yes'",
    "payloadSchema": {"required": ["size"]},
    "page": {
        "title": "Deploy?",
        "text": "All checks passed.",
        "facts": [{"label": "Cost", "value": "12.50", "format": {"currency": "USD"}}],
        "links": [{"url": "https://example.com/"}],
        "language": "en",
        "timeZone": "Europe/Berlin",
    },
    "notify": {"email": ["ann@example.com"]},
    "page.actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject"}],
    "page.fields": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}},
    "page.confirm": True,
    "endpoint.recordDeliveries": "7d",
    "endpoint.verify": GITHUB,
    "endpoint.completeWhen": "headers.\"x-event\" == 'done'",
    "endpoint.output": "[body.inner, length(body.inner)] | [0]",
    "endpoint.keyTTL": "0s",
    "endpoint.tag": "team-a",
}
"""What each option is set to, but for what names a token and what waits."""

_STATUS = {"InvalidRequest": 400, "InvalidNotify": 422, "InvalidPage": 422, "PayloadRefused": 422, "WrittenLater": 503}


class Stack:
    """Waitpoints on moto, with every route. The words are those of every world, for a case; `attempt` ends it by its route."""

    def __init__(self, world: World, template: Template) -> None:
        self.world = world
        self.api = Api(template, world.api_key.read_current())
        self.functions = template.functions()
        self._numbers = count(1)
        self._kinds: Mapping[str, FakeWaits] = {kind.member: kind for kind in (world.step_functions, world.durable_functions)}
        self._endpoints: dict[str, str] = {}
        self._deleted: dict[str, str] = {}
        world.webhook_secrets["github"] = FakeSecret(SECRET)
        world.channels.add("email")
        self._named_keys = {
            scope: world.api_key_store.make(scope, scope) for scope in ("complete", "complete:a", "complete:z", "create")
        }

    def case(self, route: str, options: Options) -> Case:
        self.world.advance(seconds=10)  # an endpoint counts two deliveries a second at once
        case = Case(route, options, next(self._numbers))
        if route == "endpoint" and case.endpoint not in self._endpoints:
            self._put_endpoint(case)
        return case

    def create(self, case: Case) -> Mapping[str, Any]:
        """Create the case's token, or find it by its key. Returns the answer."""
        case.token = self.api.create(**self.body(case))
        return case.token

    def body(self, case: Case) -> dict[str, Any]:
        """Return the body of a create with the options. An execution begins to wait if they say so."""
        body = {name: self.value(name) for name in case.options if "." not in name and name not in self._kinds}
        if "idempotencyKey" in case.options:
            body["idempotencyKey"] = case.key
        if case.waits:
            body |= self._begin(case)
        if case.has_page:
            body["page"] = body["page"] | _of(case, "page.")
        return body

    def value(self, option: str) -> Any:
        """What an option is set to. What names a token, or what waits, is made anew."""
        match option:
            case "waitpointId":
                return self.api.create()["id"]
            case "idempotencyKey":
                return f"key {next(self._numbers)}"
            case "taskToken" | "callbackId":
                return self._kinds[option].start()
        return MEMBERS[option]

    def status_of_create(self, body: Mapping[str, Any]) -> int:
        return self.api.post(TOKENS, body).status

    def invoke(self, function: str, payload: Mapping[str, Any]) -> int:
        """Invoke a function as a state does. Returns the status over HTTP of the error that the state gets, or 200."""
        try:
            self.functions[function].call(payload)
        except WaitpointsError as refusal:
            return _STATUS[type(refusal).__name__]
        results = [self._kinds[name].result(payload[name]) for name in self._kinds if name in payload]
        return next((_STATUS[result.error] for result in results if isinstance(result, Failure)), 200)

    def wait(self, case: Case) -> None:
        """Register one more execution, with the options of the others, by the function of a state that waits."""
        members = {name: MEMBERS[name] for name in ("unwrap", "context", "execution") if name in case.options}
        self.functions["wait_for_token"].call({"waitpointId": case.token["id"], **self._begin(case), **members})

    def results(self, case: Case) -> list[Success | Failure | None]:
        """What each execution got so far."""
        return [self._waits(case).result(handle) for handle in case.handles]

    def token(self, case: Case) -> Token:
        return self.world.tokens.retrieve(case.token["id"])

    def counted(self, case: Case) -> Counter[str]:
        """How many attempts were counted so far, by kind: at the endpoint, or as `other` deliveries of the token."""
        if case.route == "endpoint":
            endpoint = self.world.endpoints.get(case.endpoint)
            assert endpoint
            counts = self.world.endpoints.read_statistics(endpoint.secret_id).counts
            return Counter({str(kind): number for kind, number in counts.items()})
        others = self.token(case).other_deliveries
        return Counter({"other": others.count} if others else {})

    def attempt(self, case: Case, broken: Broken | None = None) -> int:
        """Try to end the token. Returns the status of the answer, for a state the one that its error has over HTTP."""
        match case.function:
            case "accept_callback":
                return self._callback(case, broken)
            case "complete_token_in_state":
                return self._state(case, broken)
            case "accept_delivery":
                return self._endpoint(case, broken)
        return self._complete(case, broken)

    def _callback(self, case: Case, broken: Broken | None) -> int:
        url, way = case.token["url"], broken.way if broken else ""
        if "wrong hash" in way:
            url = _forged(url)
        is_look = way.startswith("GET") or not case.keeps("POST", broken)
        body = _json(payload(case, broken)) if case.route == "callback, JSON" else urlencode(_form(case, broken)).encode()
        headers = {"callback, JSON": JSON, "callback, form": FORM, "browser": BROWSER}[case.route]
        headers = {**headers, **_site(case, broken), **_signature("verify", case, broken, body)}
        if not case.keeps("no handshake", broken):
            url, body = f"{url}?{HANDSHAKE}", b""
        return self.api.request("GET" if is_look else "POST", url, b"" if is_look else body, headers).status

    def _complete(self, case: Case, broken: Broken | None) -> int:
        by_key = case.function == "complete_by_key"
        path = "/api/v1/waitpoints/complete" if by_key else f"{TOKENS}/{case.token['id']}/complete"
        method = "POST" if case.keeps("POST", broken) else "GET"
        headers = {**JSON, **_site(case, broken), "authorization": f"Bearer {self._credential(case, broken, by_key)}"}
        if broken and "from the SDK" in broken.way:
            headers |= FROM_SDK
        return self.api.request(method, path, {**_result(case, broken), **(_key(case) if by_key else {})}, headers).status

    def _credential(self, case: Case, broken: Broken | None, by_key: bool) -> str:
        is_early = case.keeps("credential", broken)
        if case.route.startswith("limited"):
            kept = f"complete:{MEMBERS['tags'][0]}" if "tags" in case.options or by_key else "complete"
            return self._named_keys[kept if is_early or not broken else broken.way.partition(",")[0]]
        if not case.route.startswith("public token"):
            return self.world.api_key.read_current() if is_early else "wrong-key"
        scope = broken.way.partition(",")[0] if broken and not is_early else "write:waitpoints:{id}"
        return self.public_token(scope.format(id=case.token["id"], other=OTHER_TOKEN))

    def public_token(self, *scopes: str) -> str:
        return self.world.credentials.sign_public_access_token(list(scopes))

    def _state(self, case: Case, broken: Broken | None) -> int:
        named = _key(case) if "key" in case.route else {"waitpointId": case.token["id"]}
        return self.invoke("complete_token_in_state", {**named, **_result(case, broken)})

    def _endpoint(self, case: Case, broken: Broken | None) -> int:
        way = broken.way if broken else ""
        url = self._deleted[case.endpoint] if "deleted" in way else self._endpoints[case.endpoint]
        url = _forged(url) if way == "wrong hash" else url
        sent: Any = payload(case, broken)
        if "endpoint.output" in case.options:
            sent = {"inner": sent} if case.keeps("endpoint.output", broken) else {"outer": sent}
        body = _json(sent)
        headers = {**JSON, **_site(case, broken), **_signature("endpoint.verify", case, broken, body)}
        if case.keeps("endpoint.completeWhen", broken):
            headers["x-event"] = "done"
        if not case.keeps("no handshake", broken):
            url, body = f"{url}?{HANDSHAKE}", b""
        method = "POST" if case.keeps("POST", broken) else "GET"
        query = "id" if case.keeps("endpoint.key", broken) else "other"
        url += f"{'&' if '?' in url else '?'}{query}={case.number}"
        return self.api.request(method, url, body, headers).status

    def _put_endpoint(self, case: Case) -> None:
        """Make an endpoint of these options, which all their cases share, and delete one of its name before."""
        settings = {"key": "query.id", "verify": "none", **_of(case, "endpoint.")}
        if settings["verify"] == "none":
            settings.pop("recordDeliveries", None)
        path = f"{ENDPOINTS}/{case.endpoint}"
        self._deleted[case.endpoint] = self.api.request("PUT", path, settings).json["url"]
        self.api.request("DELETE", path)
        self._endpoints[case.endpoint] = self.api.request("PUT", path, settings).json["url"]

    def _waits(self, case: Case) -> FakeWaits:
        return next(kind for name, kind in self._kinds.items() if name in case.options)

    def _begin(self, case: Case) -> dict[str, str]:
        handle = self._waits(case).start()
        case.handles.append(handle)
        return {self._waits(case).member: handle}


def payload(case: Case, broken: Broken | None = None) -> dict[str, Any]:
    """Return what an attempt says, as a JSON object: a choice if the token has a page."""
    if case.has_page:
        action = "approve" if "page.actions" in case.options else "submit"
        fields = {"fields": {"size": 7 if case.keeps("page.fields", broken) else "many"}}
        sent = {"action": action if case.keeps("page", broken) else "nobody"}
        return {**sent, **(fields if "page.fields" in case.options else {})}
    sent = {"number": str(case.number)}
    fitting = {"completeWhen": {"done": "yes"}, "payloadSchema": {"size": "7"}}
    for rule, members in fitting.items():
        sent |= members if rule in case.options and case.keeps(rule, broken) else {}
    return sent


def error(case: Case) -> dict[str, str]:
    """Return the error that an attempt fails the token with."""
    return {"name": "Rejected", "code": "NO", "message": f"no {case.number}"}


def _result(case: Case, broken: Broken | None) -> dict[str, Any]:
    return {"error": error(case)} if case.fails else {"data": payload(case, broken)}


def _key(case: Case) -> dict[str, str]:
    return {"idempotencyKey": case.key, "idempotencyKeyTTL": "2h"}


def _form(case: Case, broken: Broken | None) -> dict[str, str]:
    """Return the fields that a browser sends for the payload."""
    sent = payload(case, broken)
    pairs = {f"field.{name}": value for name, value in sent.pop("fields", {}).items()}
    if "page.confirm" in case.options and case.keeps("page.confirm", broken):
        pairs["confirmed"] = "yes"
    return {**sent, **pairs}


def _of(case: Case, prefix: str) -> dict[str, Any]:
    """Return the options whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): MEMBERS[name] for name in case.options if name.startswith(prefix)}


def _site(case: Case, broken: Broken | None) -> dict[str, str]:
    return {} if case.keeps("own site", broken) else {"sec-fetch-site": "cross-site"}


def _signature(rule: str, case: Case, broken: Broken | None, body: bytes) -> dict[str, str]:
    if rule not in case.options or (broken and broken.way == "unsigned"):
        return {}
    secret = SECRET if case.keeps(rule, broken) else "another secret"
    return webhook_signer.sign("github", body, "", 0, secret).headers


def _forged(url: str) -> str:
    return url[:-1] + ("0" if url[-1] != "0" else "1")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
