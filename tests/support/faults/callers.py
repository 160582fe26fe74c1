"""The callers: they retry an HTTP request after a 5xx, and a waiting state by its Retry.

Their words are those of `api_gateway.Caller`, but take JSON texts and the status that is expected.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.faults.aws import Aws, unique
from tests.support.faults.wire import Killed
from tests.support.in_process.api_gateway import ENDPOINTS, JSON, TOKENS, HttpAnswer, encode_body, http_event, path_of
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import ROOT
from tests.support.webhook_signer import sign
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.token import TokenError, WaiterKind
from waitpoints.wiring import services

COMPLETE_KEY = "/api/v1/waitpoints/complete"
PATIENCE = 40  # how often a caller or a state tries again


@dataclass
class Execution:
    """A run that waits for a token: its state, or its durable function.

    The Retry of a state gives each attempt a task token of its own. The step of a durable function keeps its callback id.
    """

    waits: FakeWaits
    handles: list[str] = field(default_factory=list)
    failed: str | None = None

    def begin_attempt(self) -> str:
        """Returns the handle of the attempt."""
        if not self.handles or self.waits.kind is WaiterKind.STEP_FUNCTIONS:
            self.handles.append(self.waits.start())
        return self.handles[-1]

    def end_attempt(self) -> None:
        if self.waits.kind is WaiterKind.STEP_FUNCTIONS:
            self.waits.stop(self.handles[-1])


class Callers(Aws):
    """AWS and the callers of the stack."""

    def __init__(self, stack: MotoStack) -> None:
        super().__init__(stack)
        self.tokens: list[dict[str, Any]] = []
        """The answers of create that the callers got."""
        self.keys: list[str] = []
        """The idempotency keys that the callers have said."""
        self.urls: list[str] = []
        """Callback URLs and the URLs of endpoints."""
        self.answers: list[str] = []
        """The bodies of all answers to HTTP requests."""
        self.named_key: str | None = None
        """What the callers send, if it is not the root key."""
        [machine] = stack.template.resources("AWS::Serverless::StateMachine").values()
        self._retried = _names_in_retry(machine["DefinitionUri"])

    def say_key(self, key: str) -> str:
        """Remember a key, on which another caller may act as well. Returns it."""
        self.keys.append(key)
        return key

    def http(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send a request, and retry it unchanged if the answer is a 5xx or is lost."""
        for _ in range(PATIENCE):
            answer = self.http_once(method, url, body, headers)
            if answer is not None and answer.status < 500:
                return answer
            if self.named_key:
                self.clock.advance(seconds=5)  # after a failure, an environment reads its first named keys no sooner
        raise AssertionError("the caller has given up")

    def http_once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer | None:
        """Send a request. None: its answer is lost."""
        _, _, path, query, _ = urlsplit(url)
        route = self.stack.template.route(method, path)
        assert route
        event = http_event(method, path, query, body, headers, route.route_key, route.path_parameters)
        with suppress(Killed):
            answer = self.lambdas.invoke(route.function.name, event)
            self.answers.append(answer["body"])
            assert answer["statusCode"] < 500 or answer["statusCode"] == 503, f"a defect and no passing trouble: {answer}"
            return HttpAnswer(answer["statusCode"], answer["headers"], answer["body"], answer.get("cookies", ()))
        return None

    def _ask(self, method: str, url: str, body: Any, *statuses: int | None) -> HttpAnswer:
        """Send a text, or anything else as JSON, with the callers' key. The answer has one of these statuses; None is any."""
        answer = self.http(method, url, encode_body(body), self.authorized())
        assert None in statuses or answer.status in statuses, answer
        return answer

    def take_key(self, *scopes: str) -> None:
        """From now on, the callers send a new named key with these scopes."""
        self.secrets.add(key := new_key())
        made = NamedKey("callers", digest(key), tuple(map(Scope.of, scopes)), self.clock())
        services.api_key_store.add(made, self.clock())
        self.named_key = key

    def create(self, request_key: str | None = None, **body: Any) -> dict[str, Any]:
        headers = {"x-trigger-request-idempotency-key": request_key} if request_key else {}
        answer = self.http("POST", TOKENS, encode_body(body), {**self.authorized(), **headers})
        assert answer.status == 200, answer
        self.tokens.append(created := answer.json)
        self.urls += [created["url"], *(one["url"].partition("?")[0] for one in created.get("links", []))]
        return dict(created)

    def deliver(self, to: dict[str, Any], body: str, status: int | None = 200, signed_with: str | None = None) -> None:
        """Post to a token or an endpoint as Stripe does, signed if there is a secret; the answer's `status` is None for any."""
        headers = JSON
        if signed_with:
            headers = JSON | sign("stripe", body.encode(), to["url"], time.time(), signed_with).headers
        answer = self.http("POST", to["url"], body.encode(), headers)
        assert status in (answer.status, None), answer

    def answer(self, token: dict[str, Any], approver: str, choice: str, status: int | None = 200) -> None:
        """One of the page's approvers answers by a program. Whoever comes too late is answered alike."""
        [url] = [one["url"] for one in token["links"] if one["approver"] == approver]
        answer = self.http("POST", url, choice.encode(), JSON)
        assert status in (answer.status, None), answer

    def complete(self, token: dict[str, Any], data: str, status: int = 200) -> None:
        self._ask("POST", f"{path_of(token)}/complete", f'{{"data":{data}}}', status)

    def move_deadline(self, token: dict[str, Any], timeout: str | None, *statuses: int) -> HttpAnswer:
        """Give a token another timeout, or none. The answer has one of these statuses."""
        return self._ask("PATCH", path_of(token), {"timeout": timeout}, *statuses)

    def delete_token(self, token: dict[str, Any], query: str = "") -> None:
        self._ask("DELETE", f"{path_of(token)}{query}", None, 200)

    def hand_over(self, token: dict[str, Any], add: Sequence[Any], remove: Sequence[str], *statuses: int) -> bool:
        """Change who may answer a token's page, and note their links. The answer has one of these statuses."""
        answer = self._ask("PATCH", path_of(token), {"approvers": {"add": add, "remove": remove}}, *statuses)
        links = answer.json.get("links", [])
        token["links"] += links
        self.urls += [one["url"].partition("?")[0] for one in links]
        return answer.status == 200

    def fail(self, token: dict[str, Any], error: TokenError) -> None:
        self._ask("POST", f"{path_of(token)}/complete", {"error": asdict(error)}, 200)

    def complete_by_key(self, key: str, data: str, status: int | None = 200, **more: str) -> dict[str, Any]:
        """Complete the token of a key with a JSON text. Returns the answer; `status` is None for any."""
        body = f'{{"data":{data},{json.dumps({"idempotencyKey": key, **more})[1:]}'
        return dict(self._ask("POST", COMPLETE_KEY, body, status).json)

    def fail_key(self, key: str, error: TokenError) -> dict[str, Any]:
        return dict(self._ask("POST", COMPLETE_KEY, {"idempotencyKey": key, "error": asdict(error)}, 200).json)

    def put_endpoint(self, **settings: Any) -> dict[str, Any]:
        """An endpoint for what Stripe would send: its deliveries complete `<name>:<their id>`."""
        name = unique("endpoint")
        return self.put_endpoint_again(name, **{"key": "body.id", "verify": "none", **settings})

    def put_endpoint_again(self, name: str, **settings: Any) -> dict[str, Any]:
        answer = self._ask("PUT", f"{ENDPOINTS}/{name}", settings, 200)
        self.urls.append(answer.json["url"])
        return dict(answer.json)

    def disable_endpoint(self, endpoint: dict[str, Any], disabled: bool) -> None:
        answer = self._ask("PATCH", f"{ENDPOINTS}/{endpoint['name']}", {"disabled": disabled}, 200)
        assert answer.json.get("disabled", False) == disabled, answer

    def delete_endpoint(self, endpoint: dict[str, Any]) -> None:
        """A retry after a lost answer finds that it is deleted."""
        self._ask("DELETE", f"{ENDPOINTS}/{endpoint['name']}", b"", 200, 404)

    def choose(self, token: dict[str, Any], *fields: tuple[str, str], status: int | None = 200) -> HttpAnswer:
        """A person sends the form of a token's page. The browser follows a redirect to the page itself."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
        answer = self.http("POST", token["url"], urlencode(fields).encode(), headers)
        if answer.status == 303:
            assert urljoin(token["url"], answer.headers["location"]) == token["url"]
            answer = self.look(token)
        assert status in (answer.status, None), answer
        return answer

    def look(self, token: dict[str, Any]) -> HttpAnswer:
        """A person opens a token's callback URL."""
        answer = self.http("GET", token["url"], b"", {"accept": "text/html"})
        assert answer.status == 200, answer
        return answer

    def run_task(self, function: str, payload: dict[str, Any]) -> Any:
        """Enter a state that invokes a function, and retry it by its Retry. Returns what the function returned."""
        for _ in range(PATIENCE):
            try:
                return self.lambdas.invoke(function, payload)
            except Killed:
                continue
            except Exception as failure:
                if type(failure).__name__ not in self._retried:
                    raise
        raise AssertionError("the state has given up")

    def run_wait(self, function: str, payload: dict[str, Any], waits: FakeWaits | None = None) -> Execution:
        """Enter a state or a durable function that waits, in turn; retry it if its function fails before it was answered."""
        execution = Execution(waits or next(self.in_turn))
        for _ in range(PATIENCE):
            handle = execution.begin_attempt()
            try:
                self.lambdas.invoke(function, {**payload, execution.waits.member: handle})
            except Killed:
                error = "Sandbox.Timedout"
            except Exception as failure:
                error = type(failure).__name__
            else:
                return execution
            if execution.waits.result(handle) is not None:
                return execution  # it was resumed before its function failed
            execution.end_attempt()
            if error not in self._retried:
                break
        execution.failed = error
        return execution

    def wait(
        self, token: dict[str, Any], unwrap: bool = False, context: bool = False, waits: FakeWaits | None = None
    ) -> Execution:
        return self.run_wait("wait_for_token", {"waitpointId": token["id"], "unwrap": unwrap, "context": context}, waits)

    def authorized(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.named_key or self.secret('ApiKey')}", "content-type": "application/json"}


@cache
def _names_in_retry(path: str) -> set[str]:
    """The errors that the example state machine retries."""
    states = json.loads((ROOT / path).read_text())["States"].values()
    return {name for state in states for retry in state.get("Retry", []) for name in retry["ErrorEquals"]}
