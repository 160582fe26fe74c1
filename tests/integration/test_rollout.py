"""Functions of the previous version and of this one, mixed as in a rollout.

Each reads what the other has written, and every wait with a timeout ends once, at its time.
"""

import hmac
import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from tests.support.decision import link
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.approval_page import BROWSER, JSON
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME
from tests.support.previous_functions import PreviousFunctions
from tests.support.timer_events import TimerEvents
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
PAGE = {"title": "Pay?", "fields": {"properties": {"amount": {"type": "number"}}}}
COMPLETE = "/api/v1/waitpoints/complete"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "a secret of a webhook"
METADATA = {"order": 4711}


@pytest.fixture(scope="module")
def functions(stack: MotoStack, tmp_path_factory: pytest.TempPathFactory) -> PreviousFunctions:
    return PreviousFunctions(stack, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def previous(functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions) -> PreviousFunctions:
    """The previous version's functions, with this one's clock and executions."""
    functions.use(clock, step_functions_client=step_functions)
    return functions


def made(api: Api, waits: FakeStepFunctions, clock: FakeClock) -> dict[str, Mapping[str, Any]]:
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
        "failed": {},
        "timed out": {"timeout": "1s"},
    }
    tokens = {name: api.create(taskToken=waits.start_task(), **given) for name, given in options.items()}
    clock.advance(2000)
    assert api.post(tokens["completed"]["url"], {"paid": True}, {"content-type": "application/json"}).status == 200
    assert api.post(tokens["rules"]["url"], {}, {"content-type": "application/json"}).status == 200  # and does not settle it
    assert api.post(f"{TOKENS}/{tokens['failed']['id']}/complete", {"error": {"message": "no"}}).status == 200
    assert api.post(f"{TOKENS}/{tokens['timed out']['id']}/complete", {}).status == 200
    assert api.post(COMPLETE, {"idempotencyKey": "kept", "data": 1}).status == 200
    return tokens


def test_the_previous_version_reads_what_this_one_writes(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    old, tokens = Api(previous.template, stack.secret("ApiKey")), made(api, step_functions, clock)
    for name, token in tokens.items():
        found = without_title(api.retrieve(token["id"]))
        with previous.in_place():
            assert old.retrieve(token["id"]) == found, name
    listed = list(map(without_title, api.get(TOKENS).json["data"]))
    with previous.in_place():
        assert old.get(TOKENS).json["data"] == listed


def without_title(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this version shows of a token, without its page's title, which the previous version does not know."""
    return {name: value for name, value in token.items() if name != "page"}


PAY, NO = {"id": "pay", "label": "Pay"}, {"id": "no", "label": "No", "needsFields": False}
TOGETHER = {"actions": [{**PAY, "needs": 2}]}


@pytest.mark.parametrize(
    "members",
    [
        {**TOGETHER, "approvers": ["ann", "bo"], "sameFields": True},
        {**TOGETHER, "approvers": ["ann@example.com", "bo@example.com"], "signIn": True},
        {**TOGETHER, "signIn": {"domains": ["example.com"]}},
        {"actions": [PAY], "approvers": ["ann"], "showAnswers": False},
        {"actions": [PAY], "language": "de"},
        {"actions": [PAY], "language": ["en"], "title": {"en": "Pay?"}},
        {"actions": [PAY, NO]},
        {"actions": [PAY], "approvers": ["ann@example.com"], "notify": {"email": True, "outcome": True}},
    ],
    ids=str,
)
def test_the_previous_version_settles_nothing_that_needs_this_one(
    stack: MotoStack,
    api: Api,
    clock: FakeClock,
    step_functions: FakeStepFunctions,
    previous: PreviousFunctions,
    monkeypatch: pytest.MonkeyPatch,
    members: dict[str, Any],
) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("OIDC_CLIENT_ID", "waitpoints")
    monkeypatch.setenv("MAIL_FROM", "approvals@example.com")
    vars(services).pop("channels", None)  # what it has read
    task_token, notify = step_functions.start_task(), {name: members[name] for name in members if name == "notify"}
    page = {name: value for name, value in {**PAGE, **members}.items() if name != "notify"}
    token = api.create(page=page, timeout="1h", taskToken=task_token, **notify)
    old, before = Api(previous.template, stack.secret("ApiKey")), api.retrieve(token["id"])
    links = [one["url"] for one in token.get("links", ())] or [token["url"]]
    ann, complete, answer = links[0], f"{TOKENS}/{token['id']}/complete", {"action": "pay"}
    with previous.in_place():
        refused = [
            old.post(ann, answer),
            old.get(ann, {"accept": "text/html"}),
            *(old.post(complete, body) for body in ({"data": answer}, {"error": {"message": "no"}})),
            old.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": "2h"}),
        ]
    assert [one.status for one in refused] == [503] * 5
    assert api.retrieve(token["id"]) == before
    clock.advance(3 * HOUR)
    assert previous.call("doctor", {})["repaired"] == 0
    assert step_functions.result(task_token) is None
    assert stack.functions()["doctor"].call({})["repaired"] == 1
    assert step_functions.result(task_token) is not None


def test_what_the_previous_version_passed_over_is_found_by_this_ones_next_run(
    stack: MotoStack, api: Api, clock: FakeClock, previous: PreviousFunctions
) -> None:
    """Though neither the index nor the scan, which has ended today, would come to it."""

    def run() -> int:
        clock.advance(15 * MINUTE)
        return int(stack.functions()["doctor"].call({})["repaired"])

    assert [run(), run()] == [0, 0]
    asked = {"title": "Pay?", "language": "de", "approvers": ["ann", "bo"]}
    timed_out = api.create(page=asked, timeout="1m")
    reminded = api.create(page={**asked, "remind": ["1h"]}, timeout="1d")
    for _ in range(6):
        clock.advance(15 * MINUTE)
        assert previous.call("doctor", {})["repaired"] == 0
    assert [services.store.get(token["id"]).reminded_count for token in (timed_out, reminded)] == [0, 0]
    assert [run(), run()] == [2, 0]
    assert api.retrieve(timed_out["id"])["status"] == "TIMED_OUT"
    assert services.store.get(reminded["id"]).reminded_count == 1


def test_the_previous_version_verifies_nothing_that_this_one_describes(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    """Nor does it settle such a token in another way."""
    client_of("secretsmanager").create_secret(Name=f"waitpoints/{STACK_NAME}/webhooks/own", SecretString=SECRET)
    verify = {"scheme": "hmac", "secret": "own", "header": "X-Signature", "signed": "{body}"}
    headers = {**JSON, "x-signature": hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()}
    token = api.create(verify=verify, timeout="1h", taskToken=step_functions.start_task())
    endpoint = api.request("PUT", "/api/v1/endpoints/own", {"key": "headers.host", "verify": verify}).json
    assert endpoint["verify"] == verify
    old, before = Api(previous.template, stack.secret("ApiKey")), api.retrieve(token["id"])
    complete = f"{TOKENS}/{token['id']}/complete"
    with previous.in_place():
        refused = [
            *(old.post(url, b"{}", headers) for url in (token["url"], endpoint["url"])),
            *(old.post(complete, body) for body in ({"data": 1}, {"error": {"message": "no"}})),
            old.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": "2h"}),
        ]
    assert [one.status for one in refused] == [503] * 5
    assert api.retrieve(token["id"]) == before
    assert api.post(token["url"], b"{}", headers).status == 200
    assert api.retrieve(token["id"])["status"] == "COMPLETED"


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


@pytest.fixture
def handed_over(api: Api) -> dict[str, Any]:
    """A token of two approvers that was handed over from one to another."""
    token: dict[str, Any] = api.create(page={"title": "Go?", "approvers": ["ann", "bo"]}, timeout="1h")
    body = {"approvers": {"add": ["cy"], "remove": ["ann"]}}
    changed = api.request("PATCH", f"{TOKENS}/{token['id']}", body)
    assert changed.status == 200, changed.text
    return {**token, "links": token["links"] + changed.json["links"]}


@pytest.mark.parametrize("approver", ["ann", "bo", "cy"])
def test_a_version_without_hand_overs_answers_503_and_counts_no_answer(
    stack: MotoStack, api: Api, previous: PreviousFunctions, handed_over: dict[str, Any], approver: str
) -> None:
    """Neither of who was removed, whom it would still accept, nor of who was added, whom it does not know."""
    old, url = Api(previous.template, stack.secret("ApiKey")), link(handed_over, approver)
    before = api.retrieve(handed_over["id"])
    with previous.in_place():
        for answer in (
            old.post(url, '{"action": "submit"}', JSON),
            old.get(url, BROWSER),
            old.get(handed_over["url"], BROWSER),
            old.post(handed_over["url"], '{"action": "submit"}', JSON),
            old.post(f"{TOKENS}/{handed_over['id']}/complete", {"data": {"action": "submit", "fields": {}}}),
            old.request("PATCH", f"{TOKENS}/{handed_over['id']}", {"timeout": "2h"}),
        ):
            assert answer.status == 503, answer.text
        assert old.retrieve(handed_over["id"])["status"] == "WAITING"
    assert api.retrieve(handed_over["id"]) == before
    answer = api.post(url, '{"action": "submit"}', JSON)
    assert answer.status == (403 if approver == "ann" else 200)


def test_a_version_without_hand_overs_times_such_a_token_out_neither_by_its_timer_nor_by_its_doctor(
    api: Api, clock: FakeClock, previous: PreviousFunctions, handed_over: dict[str, Any]
) -> None:
    clock.advance(2 * HOUR)
    message = {"messageId": "1", "receiptHandle": "1", "body": json.dumps({"waitpointId": handed_over["id"]})}
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(clock.now)}
    timers = {"Records": [{**message, "attributes": attributes, "eventSource": "aws:sqs"}]}
    assert previous.call("expire_tokens", timers) == {"batchItemFailures": []}
    assert previous.call("doctor", {})["repaired"] == 0
    assert services.store.get(handed_over["id"]).outcome is None


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
        return self._stack.functions()[function].call(event)

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
