"""The patterns of docs/patterns.md, run as they stand in examples/statemachines/, with the inputs and commands of the page."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from tests.support import patterns_doc, webhook_signer, webhooks_doc
from tests.support.e2e.api import Api
from tests.support.e2e.pattern_runs import Patterns, Run
from tests.support.e2e.secrets import Secrets
from tests.support.in_process.api_gateway import TOKENS
from tests.support.patterns_doc import INPUTS
from tools.openapi.operations import ENDPOINTS

BY_KEY = "/api/v1/waitpoints/complete"
TIMED_OUT = ("FAILED", "WaitpointTimeoutError")


@pytest.fixture(scope="module")
def patterns(api: Api, secrets: Secrets) -> Patterns:
    for provider in ("github", "replicate", "stripe"):
        secrets.make(provider.upper(), webhook_signer.secret_of(provider))
    return Patterns(api)


@pytest.fixture(scope="module")
def unanswered(patterns: Patterns) -> dict[str, Run]:
    """Each pattern started side by side, with tokens that nobody completes and that time out after a second.

    But for two of three: its page asks further people after a day, which must be before the timeout.
    """
    own_key = {"payment": {**INPUTS["payment"], "orderId": uuid4().hex}, "create_and_wait": {"job": uuid4().hex}}
    given = {**INPUTS, **own_key, "batch": {"items": ["one"]}}
    return {name: patterns.start(name, given[name], timeout="1s") for name in given if name != "two_of_three"}


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("approval_with_escalation", TIMED_OUT),
        ("github_workflow", TIMED_OUT),
        ("replicate_prediction", TIMED_OUT),
        ("payment", TIMED_OUT),
        ("batch", ("FAILED", "TooManyFailed")),
        ("first_of_two", ("FAILED", "NobodyAnswered")),
    ],
)
def test_a_pattern_that_nobody_answers_fails(unanswered: dict[str, Run], name: str, end: Any) -> None:
    assert unanswered[name].end() == end


def post(api: Api, url: str, body: Any) -> int:
    """Post JSON to a callback URL without a signature. Returns the status."""
    return api.request("POST", url, body, key=None).status


def post_signed(api: Api, scheme: str, url: str, body: Any) -> int:
    signed = webhook_signer.sign(scheme, json.dumps(body).encode(), url, time.time())
    return api.deliver(url, signed.body, {**signed.headers, "content-type": "application/json"}).status


def token_of(url: str) -> dict[str, str]:
    return {"id": url.split("/")[-3]}


@contextmanager
def endpoint(api: Api, name: str, settings: Any) -> Iterator[str]:
    """The URL of an endpoint with these settings."""
    answer = api.request("PUT", f"{ENDPOINTS}/{name}", settings)
    assert answer.status == 200, answer
    yield answer.body["url"]
    assert api.request("DELETE", f"{ENDPOINTS}/{name}").status == 200


class TestApprovalWithEscalation:
    GIVEN = INPUTS["approval_with_escalation"]

    @pytest.mark.parametrize(
        ("action", "end"), [("approve", ("SUCCEEDED", {"approvedBy": "ann@example.com"})), ("reject", ("FAILED", "Rejected"))]
    )
    def test_the_first_person_decides(self, api: Api, patterns: Patterns, action: str, end: Any) -> None:
        run = patterns.start("approval_with_escalation", self.GIVEN)
        given = run.given()
        assert (given["to"], given["text"]) == ("ann@example.com", self.GIVEN["question"])
        assert post(api, given["url"], {"action": action}) == 200
        assert run.end() == end

    def test_the_second_person_is_asked_once_the_first_has_not_answered(self, api: Api, patterns: Patterns) -> None:
        first_times_out = "{% $turn = 0 ? '1s' : '1h' %}"
        run = patterns.start("approval_with_escalation", self.GIVEN, timeout=first_times_out)
        first, second = (call["given"] for call in run.calls(2))
        assert second["to"] == "bo@example.com"
        post(api, first["url"], {"action": "reject"})  # too late to count
        assert post(api, second["url"], {"action": "approve"}) == 200
        assert run.end() == ("SUCCEEDED", {"approvedBy": "bo@example.com"})


class TestTwoOfThree:
    GIVEN = INPUTS["two_of_three"]
    PEOPLE: ClassVar = ["ann@example.com", "bo@example.com", "cy@example.com"]

    @staticmethod
    def links(call: dict[str, Any]) -> dict[str, str]:
        return {it["approver"]: it["url"] for it in call["given"]["links"]}

    def test_two_approve(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("two_of_three", self.GIVEN)
        [call] = run.calls()
        links = self.links(call)
        assert (call["given"]["text"], [*links]) == (self.GIVEN["question"], self.PEOPLE)
        api.wait_until_registered(token_of(links["ann@example.com"].partition("?")[0]))
        for person in ("cy@example.com", "ann@example.com"):
            assert post(api, links[person], {"action": "approve"}) == 200
        assert run.end() == ("SUCCEEDED", {"approvedBy": ["cy@example.com", "ann@example.com"]})

    def test_one_rejects_although_another_has_approved(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("two_of_three", self.GIVEN)
        links = self.links(run.calls()[0])
        assert post(api, links["bo@example.com"], {"action": "approve"}) == 200
        assert post(api, links["ann@example.com"], {"action": "reject"}) == 200
        assert run.end() == ("FAILED", "Rejected")

    def test_all_are_asked_again_with_their_lead_and_an_answer_of_before_counts(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("two_of_three", self.GIVEN, seconds=2)
        first = self.links(run.calls()[0])
        assert post(api, first["bo@example.com"], {"action": "approve"}) == 200
        again = self.links(run.calls(2)[1])
        assert [*again] == [*self.PEOPLE, self.GIVEN["lead"]]
        assert {person: again[person] for person in first} == first
        assert post(api, again[self.GIVEN["lead"]], {"action": "approve"}) == 403  # not for a day yet
        assert post(api, again["cy@example.com"], {"action": "approve"}) == 200
        assert run.end() == ("SUCCEEDED", {"approvedBy": ["bo@example.com", "cy@example.com"]})


@pytest.fixture(scope="module")
def github(api: Api, patterns: Patterns) -> Iterator[str]:
    with endpoint(api, "github", webhooks_doc.ENDPOINTS["GitHub: a workflow run"]) as url:
        yield url


class TestGitHubWorkflow:
    GIVEN = INPUTS["github_workflow"]

    @pytest.mark.parametrize("conclusion", ["success", "failure"])
    def test_it_ends_as_the_workflow_does(self, api: Api, patterns: Patterns, github: str, conclusion: str) -> None:
        execution = patterns.start("github_workflow", self.GIVEN)
        [call] = execution.calls()
        assert call["given"] == self.GIVEN
        run = {"id": call["workflow_run_id"], "conclusion": conclusion, "html_url": "https://github.com/octo-org/octo-repo/1"}
        assert post_signed(api, "github", github, {"action": "in_progress", "workflow_run": {**run, "conclusion": None}}) == 200
        assert post_signed(api, "github", github, {"action": "completed", "workflow_run": run}) == 200
        succeeded = ("SUCCEEDED", {"ok": True, "output": run})
        assert execution.end() == (succeeded if conclusion == "success" else ("FAILED", "WorkflowFailed"))


class TestReplicatePrediction:
    GIVEN = INPUTS["replicate_prediction"]

    def test_its_progress_is_counted_until_it_succeeds(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("replicate_prediction", self.GIVEN)
        given = run.given()
        url = given.pop("webhook")
        assert given == {**self.GIVEN, "webhook_events_filter": ["start", "output", "logs", "completed"]}
        for status in ("starting", "processing", "processing"):
            assert post_signed(api, "replicate", url, {"id": "p1", "status": status, "output": None}) == 200
        token = run.token(run.arn)
        assert (token["status"], token["otherDeliveries"]["count"]) == ("WAITING", 3)
        assert post(api, url, {"status": "succeeded"}) == 401
        done = {"id": "p1", "status": "succeeded", "output": ["https://example.com/lake.png"]}
        assert post_signed(api, "replicate", url, done) == 200
        assert run.end() == ("SUCCEEDED", done)

    @pytest.mark.parametrize("status", ["failed", "canceled"])
    def test_it_fails_with_the_prediction(self, api: Api, patterns: Patterns, status: str) -> None:
        run = patterns.start("replicate_prediction", self.GIVEN)
        assert post_signed(api, "replicate", run.given()["webhook"], {"id": "p1", "status": status, "error": None}) == 200
        assert run.end() == ("FAILED", "PredictionFailed")


@pytest.fixture(scope="module")
def stripe(api: Api, patterns: Patterns) -> Iterator[str]:
    with endpoint(api, "payments", patterns_doc.ENDPOINTS["payments"]) as url:
        yield url


class TestPayment:
    @pytest.fixture
    def order(self) -> dict[str, Any]:
        return {**INPUTS["payment"], "orderId": uuid4().hex}

    @staticmethod
    def event(order: dict[str, Any], kind: str, payment_status: str) -> Any:
        session = {"id": "cs_1", "client_reference_id": order["orderId"], "payment_status": payment_status}
        return {"type": f"checkout.session.{kind}", "data": {"object": session}}

    def test_the_order_is_shipped_once_it_is_paid(self, api: Api, patterns: Patterns, stripe: str, order: Any) -> None:
        run = patterns.start("payment", order)
        assert run.given() == {"order": order, "idempotencyKey": run.arn}
        run.token(f"payments:{order['orderId']}")
        for kind, status in (("completed", "unpaid"), ("async_payment_succeeded", "paid")):
            assert post_signed(api, "stripe", stripe, self.event(order, kind, status)) == 200
        session = self.event(order, "async_payment_succeeded", "paid")["data"]["object"]
        assert run.end() == ("SUCCEEDED", {**order, "payment": {"ok": True, "output": session}})

    def test_the_payment_may_come_before_the_run_waits(self, api: Api, patterns: Patterns, stripe: str, order: Any) -> None:
        assert post_signed(api, "stripe", stripe, self.event(order, "completed", "paid")) == 200
        assert patterns.start("payment", order).end()[0] == "SUCCEEDED"

    @pytest.mark.parametrize("kind", ["expired", "async_payment_failed"])
    def test_an_order_that_is_not_paid_fails(self, api: Api, patterns: Patterns, stripe: str, order: Any, kind: str) -> None:
        assert post_signed(api, "stripe", stripe, self.event(order, kind, "unpaid")) == 200
        assert patterns.start("payment", order).end() == ("FAILED", "NotPaid")


class TestBatch:
    def test_it_collects_every_result_when_few_fail(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("batch", {"items": ["one", "two", "refused", {"number": 4}], "tolerate": 2})
        urls = {json.dumps(call["given"]["item"]): call["given"]["url"] for call in run.calls(3)}
        done: tuple[Any, ...] = ("one", {"number": 4})
        for item in done:
            assert post(api, urls[json.dumps(item)], {"done": item}) == 200
        unreadable = {"error": {"name": "Unreadable", "message": "No such page"}}
        assert api.request("POST", f"{TOKENS}/{token_of(urls['"two"'])['id']}/complete", unreadable).status == 200
        status, output = run.end()
        assert status == "SUCCEEDED"
        assert output["succeeded"] == [{"item": item, "ok": True, "output": {"done": item}} for item in done]
        assert [(it["item"], it["error"]["name"]) for it in output["failed"]] == [
            ("two", "Unreadable"),
            ("refused", "ValueError"),
        ]


class TestFirstOfTwo:
    GIVEN = INPUTS["first_of_two"]

    def test_the_person_answers_first_and_the_checks_are_cancelled(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        given = run.given()
        assert post(api, f"{given['personUrl']}?by=ann", {"action": "release"}) == 200
        status, answer = run.end()
        assert (status, answer["from"], answer["output"]["action"]) == ("SUCCEEDED", "person", "release")
        assert answer["completedBy"]["query"] == "by=ann"
        cancelled = api.retrieve(token_of(given["checksUrl"]))
        assert (cancelled["outputIsError"], json.loads(cancelled["output"])["name"]) == (True, "AnsweredByTheOther")

    def test_the_checks_pass_first_and_the_person_is_told(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        given = run.given()
        assert [post(api, given["checksUrl"], {"status": status}) for status in ("failed", "passed")] == [200, 200]
        status, answer = run.end()
        assert (status, answer["from"], answer["output"]) == ("SUCCEEDED", "checks", {"status": "passed"})
        assert b"cancelled" in api.deliver(given["personUrl"], headers={"accept": "text/html"}, method="GET").body

    def test_the_earlier_answer_counts_when_both_came(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        given = run.given()
        assert post(api, given["checksUrl"], {"status": "passed"}) == 200
        post(api, given["personUrl"], {"action": "release"})  # accepted, unless it was cancelled already
        assert run.end()[1]["from"] == "checks"


class TestCreateAndWait:
    def test_the_job_ends_the_wait_by_its_key(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("create_and_wait", INPUTS["create_and_wait"])
        run.token("jobs:1001")
        command = ["sh", "-euc", patterns_doc.COMMANDS["complete by key"]]
        environment = {**os.environ, "API": api.stack.api_url, "KEY": api.stack.api_key, "NO_PROXY": "127.0.0.1,localhost"}
        answer = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
        assert answer["success"] is True
        assert run.end() == ("SUCCEEDED", {"job": "1001", "result": {"rows": 3}})

    @pytest.mark.parametrize(
        ("completion", "end"),
        [
            ({"data": 3}, ("SUCCEEDED", {"job": "early", "result": 3})),
            ({"error": {"name": "DiskFull", "message": "No space left"}}, ("FAILED", "DiskFull")),
        ],
    )
    def test_the_job_may_end_before_the_wait_begins(self, api: Api, patterns: Patterns, completion: Any, end: Any) -> None:
        job = uuid4().hex
        api.request("POST", BY_KEY, {"idempotencyKey": f"jobs:{job}", **completion})
        status, result = patterns.start("create_and_wait", {"job": job}).end()
        assert (status, {**result, "job": "early"} if status == "SUCCEEDED" else result) == end

    def test_it_goes_on_without_a_result_after_the_timeout(self, unanswered: dict[str, Run]) -> None:
        status, output = unanswered["create_and_wait"].end()
        assert (status, output["error"]["Error"]) == ("SUCCEEDED", "WaitpointTimeoutError")
