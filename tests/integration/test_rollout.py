"""Functions of the previous version and of this one, mixed as in a rollout.

Each reads what the other has written, and every wait with a timeout ends once, at its time.
"""

import hmac
import json
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.approval_page import BROWSER
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME
from tests.support.previous_functions import PreviousFunctions
from tests.support.timer_events import TimerEvents
from waitpoints.aws import doctor_store, items, store
from waitpoints.aws.items import SINCE_VERSION, primary_key
from waitpoints.token import VERSION
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
PAGE = {"title": "Pay?", "fields": {"properties": {"amount": {"type": "number"}}}}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
METADATA = {"order": 4711}
SECRET = "a secret of a webhook"
SIGNED = {"verify": {"scheme": "hmac", "secret": "own", "header": "X-Signature", "signed": "{body}"}}
PAY, NO = {"id": "pay", "label": "Pay"}, {"id": "no", "label": "No", "needsFields": False}
TOGETHER = {**PAGE, "approvers": ["ann", "bo"], "actions": [{**PAY, "needs": 2}]}
PAGES: dict[str, dict[str, Any]] = {
    "same fields": {"page": {**TOGETHER, "sameFields": True}},
    "signs in": {"page": {**PAGE, "approvers": ["ann@example.com", "bo@example.com"], "signIn": True}},
    "of a domain": {"page": {**PAGE, "signIn": {"domains": ["example.com"]}}},
    "hides answers": {"page": {**TOGETHER, "showAnswers": False}},
    "German": {"page": {**PAGE, "language": "de"}},
    "of each language": {"page": {**PAGE, "language": ["en"], "title": {"en": "Pay?"}}},
    "may be empty": {"page": {**PAGE, "actions": [PAY, NO]}},
    "outcome": {"page": {**PAGE, "approvers": ["ann@example.com"]}, "notify": {"email": True, "outcome": True}},
}


@pytest.fixture(scope="module")
def functions(stack: MotoStack, tmp_path_factory: pytest.TempPathFactory) -> PreviousFunctions:
    return PreviousFunctions(stack, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def previous(functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions) -> PreviousFunctions:
    """The previous version's functions, with this one's clock and executions."""
    functions.use(clock, step_functions_client=step_functions)
    return functions


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a stack at which people sign in and get mail."""
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("OIDC_CLIENT_ID", "waitpoints")
    monkeypatch.setenv("MAIL_FROM", "approvals@example.com")
    vars(services).pop("channels", None)  # what it has read
    secrets = client_of("secretsmanager")
    with suppress(secrets.exceptions.ResourceExistsException):
        secrets.create_secret(Name=f"waitpoints/{STACK_NAME}/webhooks/own", SecretString=SECRET)


def made(api: Api, waits: FakeStepFunctions, clock: FakeClock) -> dict[str, dict[str, Any]]:
    """A token of every kind, by what it is."""
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "short": {"timeout": "1m"},
        "long": {"timeout": "2h", "tags": ["a", "b"]},
        "key": {"idempotencyKey": "order-1", "idempotencyKeyTTL": "1h"},
        "rules": {"completeWhen": "body.paid"},
        "schema": {"payloadSchema": {"type": "object"}},
        "page": {"page": PAGE},
        "completed": {"timeout": "30d"},
        "traced": {"traceparent": TRACEPARENT},
        "described": {"metadata": METADATA},
        "signed": SIGNED,
        **PAGES,
        "failed": {},
        "timed out": {"timeout": "1s"},
    }
    tokens = {name: api.create(taskToken=waits.start_task(), **given) for name, given in options.items()}
    clock.advance(2000)
    assert api.deliver(tokens["completed"], {"paid": True}).status == 200
    assert api.post(tokens["rules"]["url"], {}, {"content-type": "application/json"}).status == 200  # and does not settle it
    api.complete(tokens["failed"], error={"message": "no"})
    assert api.post(f"{TOKENS}/{tokens['timed out']['id']}/complete", {}).status == 200
    api.complete_by_key("kept", data=1)
    return tokens


def test_the_previous_version_reads_what_this_one_writes(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    old, tokens = Api(previous.template, stack.secret("ApiKey")), made(api, step_functions, clock)
    for name, token in tokens.items():
        found = api.retrieve(token["id"])
        with previous.in_place():
            assert old.retrieve(token["id"]) == found, name
    listed = api.get(TOKENS).json["data"]
    with previous.in_place():
        assert old.get(TOKENS).json["data"] == listed


@pytest.mark.parametrize("kind", [*PAGES, "handed over"])
def test_the_previous_version_settles_what_this_one_writes(
    stack: MotoStack, api: Api, step_functions: FakeStepFunctions, previous: PreviousFunctions, kind: str
) -> None:
    """By each approver, or by the root key in place of a person who signs in."""
    given: dict[str, Any] = PAGES.get(kind, {"page": TOGETHER})
    token, page = api.create(timeout="1h", taskToken=step_functions.start_task(), **given), given["page"]
    url, links = f"{TOKENS}/{token['id']}", [link["url"] for link in token.get("links") or [token]]
    if kind == "handed over":
        changed = api.change(token, approvers={"add": ["cy"], "remove": ["ann"]})
        links = [links[1], changed["links"][0]["url"]]
    answer = {"action": "pay" if "actions" in page else "submit", "fields": {"amount": 1}}
    old, signs_in = Api(previous.template, stack.secret("ApiKey")), "signIn" in page
    with previous.in_place():
        answers = [old.post(f"{url}/complete", {"data": answer})] if signs_in else [old.post(link, answer) for link in links]
    assert {answer.status for answer in answers} == {200}, answers[-1].text
    assert api.retrieve(token["id"])["status"] == "COMPLETED"


def test_the_previous_version_verifies_what_this_one_describes(stack: MotoStack, api: Api, previous: PreviousFunctions) -> None:
    url = api.create(**SIGNED)["url"]
    endpoint = api.request("PUT", "/api/v1/endpoints/own", {"key": "headers.host", **SIGNED}).json
    old, signature = Api(previous.template, stack.secret("ApiKey")), hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
    with previous.in_place():
        for header, status in (("0" * 64, 401), (signature, 200)):
            answers = [old.post(it, b"{}", {**JSON, "x-signature": header}) for it in (url, endpoint["url"])]
            assert [answer.status for answer in answers] == [status] * 2


def test_the_previous_version_leaves_a_later_ones_token_to_its_next_run(
    stack: MotoStack, api: Api, clock: FakeClock, previous: PreviousFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though neither the index nor the scan, which has ended today, would come to it."""

    def run() -> int:
        clock.advance(15 * MINUTE)
        return int(stack.call("doctor", {})["repaired"])

    assert [run(), run()] == [0, 0]
    asked = {"title": "Pay?", "approvers": ["ann", "bo"]}
    timed_out, reminded = api.create(page=asked, timeout="1m"), api.create(page={**asked, "remind": ["1h"]}, timeout="1d")
    for token in (timed_out, reminded):
        services.store._table.update(primary_key(token["id"], "token"), {SINCE_VERSION: VERSION + 1})
    old, url, answer = Api(previous.template, stack.secret("ApiKey")), f"{TOKENS}/{timed_out['id']}", {"action": "submit"}
    link = timed_out["links"][0]["url"]
    with previous.in_place():
        refused = [
            old.post(link, answer),
            old.get(link, BROWSER),
            *(old.post(f"{url}/complete", body) for body in ({"data": answer}, {"error": {"message": "no"}})),
            old.request("PATCH", url, {"timeout": "2h"}),
        ]
    assert [(one.status, one.headers["retry-after"]) for one in refused] == [(503, "1")] * 5
    message = {"messageId": "1", "receiptHandle": "1", "body": json.dumps({"waitpointId": timed_out["id"]})}
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(clock.now)}
    clock.advance(2 * MINUTE)
    timers = {"Records": [{**message, "attributes": attributes, "eventSource": "aws:sqs"}]}
    assert previous.call("expire_tokens", timers) == {"batchItemFailures": []}
    for _ in range(6):
        clock.advance(15 * MINUTE)
        assert previous.call("doctor", {})["repaired"] == 0
    found = [services.store.get(token["id"]) for token in (timed_out, reminded)]
    assert [(token.outcome, token.reminded_count, token.is_later) for token in found] == [(None, 0, True)] * 2
    for module in (items, store, doctor_store):
        monkeypatch.setattr(module, "VERSION", VERSION + 1)
    assert [run(), run()] == [2, 0]
    assert api.retrieve(timed_out["id"])["status"] == "TIMED_OUT"
    assert services.store.get(reminded["id"]).reminded_count == 1


def test_the_previous_version_finishes_what_this_one_has_begun(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    """Its doctor scans every item of the table, and times out what has no timer."""
    tokens = made(api, step_functions, clock)
    clock.advance(3 * HOUR)
    found = previous.call("doctor", {})
    assert (found["repaired"], found["unrepaired"]) == (2, 0)
    statuses = {name: api.retrieve(token["id"])["status"] for name, token in tokens.items()}
    assert {name for name, status in statuses.items() if status == "TIMED_OUT"} == {"short", "long", "timed out"}
    assert [token["id"] for token in api.get(f"{TOKENS}?filter[undelivered]=true").json["data"]] == []


CREATE, ARM, EXPIRE, FILTER = "create_token_in_state", "schedule_timeouts", "expire_tokens", "the stream's filter"
MIXED = [
    frozenset(name for name, is_previous in zip((CREATE, ARM, EXPIRE, FILTER), each, strict=True) if is_previous)
    for each in product((False, True), repeat=4)
]
TYPICAL = {
    frozenset({CREATE}),
    frozenset({CREATE, ARM, FILTER}),
    frozenset({ARM}),
    frozenset({ARM, EXPIRE, FILTER}),
    frozenset({CREATE, EXPIRE}),
}
LENGTHS = {"1m": MINUTE, "20m": 20 * MINUTE}
LATENESS = 1 * SECOND  # a delay is whole seconds, rounded up


class Rollout:
    """A stack of which some parts are of the previous version."""

    def __init__(self, stack: MotoStack, previous: PreviousFunctions, waits: FakeStepFunctions, clock: FakeClock) -> None:
        self._stack, self._previous = stack, previous
        self.clock, self.waits = clock, waits
        self.of_previous: frozenset[str] = frozenset()

    def begin(self, of_previous: frozenset[str]) -> TimerEvents:
        """Let these parts be of the previous version. Returns what starts the others."""
        self.of_previous = of_previous
        template = self._previous.template if FILTER in of_previous else self._stack.template
        stream = Stream(MotoStack(template, self._stack.resources))
        events = TimerEvents(stream, self.clock, self.call)
        vars(services)["sqs_client"] = events.queue
        self._previous.use(
            self.clock,
            step_functions_client=self.waits,
            sqs_client=events.queue,
        )
        return events

    def call(self, function: str, event: Any) -> Any:
        if function in self.of_previous:
            return self._previous.call(function, event)
        return self._stack.call(function, event)

    def create(self, timeout: str) -> tuple[str, str]:
        """Create a token for which one execution waits. Returns its id, and the execution's task token."""
        task_token = self.waits.start_task()
        return self.call(CREATE, {"timeout": timeout, "taskToken": task_token})["id"], task_token


@pytest.fixture
def rollout(
    stack: MotoStack,
    previous: PreviousFunctions,
    clock: FakeClock,
    step_functions: FakeStepFunctions,
    monkeypatch: pytest.MonkeyPatch,
) -> Rollout:
    monkeypatch.setitem(vars(services), "sqs_client", None)  # until a rollout begins
    return Rollout(stack, previous, step_functions, clock)


def check_each_ends_in_time(rollout: Rollout, events: TimerEvents, began: int, tokens: dict[str, tuple[str, str]]) -> None:
    for timeout, (_, handle) in tokens.items():
        due = began + LENGTHS[timeout]
        events.run_until(due - 1)
        assert rollout.waits.result(handle) is None, timeout
        events.run_until(due + LATENESS)
        assert rollout.waits.result(handle) is not None, timeout
    events.run_until(rollout.clock.now + 5 * MINUTE)
    assert {rollout.waits.calls[handle] for _, handle in tokens.values()} == {1}


@pytest.mark.parametrize(
    "of_previous",
    [pytest.param(each, marks=() if each in TYPICAL else pytest.mark.thorough) for each in MIXED],
    ids=lambda each: ", ".join(sorted(each)) or "none",
)
def test_every_timeout_comes_at_its_time_whichever_parts_are_of_the_previous_version(
    rollout: Rollout, of_previous: frozenset[str]
) -> None:
    events = rollout.begin(of_previous)
    began, tokens = rollout.clock.now, {timeout: rollout.create(timeout) for timeout in LENGTHS}
    check_each_ends_in_time(rollout, events, began, tokens)
