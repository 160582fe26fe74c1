"""The patterns of docs/patterns.md, run as they stand in statemachines/, on their happy paths and their unhappy ones.

What the user of a pattern brings, a function that calls a provider or sends a link, is one that returns what it was given.
"""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.stack import ROOT, Stack
from openapi.operations import ENDPOINTS
from tests.e2e.api import PATIENCE, Api
from tests.e2e.secrets import Secrets
from tests.support import patterns_page, webhook_signer, webhooks_page
from tests.support.api_gateway import TOKENS

BY_KEY = "/api/v1/waitpoints/complete"
BROUGHT = """
import random

def handler(event, context):
    if event.get("item") == "refused":
        raise ValueError("no such item")
    return {"given": event, "workflow_run_id": random.randrange(10**10, 10**11)}
"""


@dataclass(frozen=True)
class Run:
    """One execution of a pattern."""

    api: Api
    arn: str

    def given(self, count: int = 1) -> list[dict[str, Any]]:
        """What the user's function was given and answered, once it was invoked `count` times."""
        until = time.monotonic() + PATIENCE
        while len(calls := [it for it in self._results() if "given" in it]) < count:
            assert time.monotonic() < until, "the function was not invoked"
            time.sleep(0.05)
        return calls

    def _results(self) -> Iterator[dict[str, Any]]:
        history = self.api.stack.client("stepfunctions").get_execution_history(executionArn=self.arn, maxResults=1000)
        for event in history["events"]:
            output = json.loads(event.get("taskSucceededEventDetails", {}).get("output", "{}"))
            yield output.get("Payload") or {} if isinstance(output, dict) else {}

    def end(self) -> tuple[str, Any]:
        return self.api.result(self.arn)


class Patterns:
    """The state machines of statemachines/, made on the stack when they are first started."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._client = api.stack.client("stepfunctions")
        self._role = self._client.describe_state_machine(stateMachineArn=api.stack.state_machine_arn)["roleArn"]
        self._function = self._make_function()
        self._machines: dict[tuple[str, str | None], str] = {}

    def start(self, name: str, given: Any, *, timeout: str | None = None) -> Run:
        """Start a pattern, with another timeout of its tokens if it is given."""
        if (name, timeout) not in self._machines:
            self._machines[name, timeout] = self._make(name, timeout)
        started = self._client.start_execution(stateMachineArn=self._machines[name, timeout], input=json.dumps(given))
        return Run(self._api, started["executionArn"])

    def _make(self, name: str, timeout: str | None) -> str:
        text = (ROOT / "statemachines" / f"{name}.asl.json").read_text()
        definition = re.sub(r"\$\{(\w+)\}", lambda found: self._names.get(found[1], self._function), text)
        if timeout:
            definition = re.sub(r'(?<="timeout": ")\w+', lambda _: timeout, definition)
        made = self._client.create_state_machine(name=f"pattern-{uuid4().hex}", definition=definition, roleArn=self._role)
        return str(made["stateMachineArn"])

    @property
    def _names(self) -> dict[str, str]:
        stack = self._api.stack
        return {
            "Partition": "aws",
            "WaitForToken": stack.wait_function_name,
            "CreateTokenInState": stack.create_function_name,
            "CompleteTokenInState": stack.complete_function_name,
        }

    def _make_function(self) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("brought.py", BROUGHT)
        made = self._api.stack.client("lambda").create_function(
            FunctionName=f"brought-{uuid4().hex}",
            Runtime="python3.13",
            Handler="brought.handler",
            Role=self._role,
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionName"])


@pytest.fixture(scope="module")
def patterns(api: Api) -> Patterns:
    return Patterns(api)


def listed(api: Api, key: str) -> dict[str, Any]:
    """The token of a key once it has its waiter."""
    until = time.monotonic() + PATIENCE
    while True:
        answer = api.request("GET", f"{TOKENS}?filter[idempotencyKey]={key.replace(' ', '%20')}")
        if answer.body["data"]:
            [token] = answer.body["data"]
            api.wait_until_registered(token)
            return dict(token)
        assert time.monotonic() < until, "the token was never created"
        time.sleep(0.05)


def post(api: Api, scheme: str, url: str, body: Any) -> int:
    """Post a signed delivery. Returns the status."""
    signed = webhook_signer.sign(scheme, json.dumps(body).encode(), url, time.time())
    return api.deliver(url, signed.body, {**signed.headers, "content-type": "application/json"}).status


class TestApprovalWithEscalation:
    GIVEN = {"question": "Deploy 4.2?", "people": ["ann@example.com", "bo@example.com"]}
    FIRST_TIMES_OUT = "{% $turn = 0 ? '1s' : '1h' %}"

    @pytest.mark.parametrize(
        ("action", "end"), [("approve", ("SUCCEEDED", {"approvedBy": "ann@example.com"})), ("reject", ("FAILED", "Rejected"))]
    )
    def test_the_first_person_decides(self, api: Api, patterns: Patterns, action: str, end: Any) -> None:
        run = patterns.start("approval_with_escalation", self.GIVEN)
        [call] = run.given()
        assert (call["given"]["to"], call["given"]["text"]) == ("ann@example.com", "Deploy 4.2?")
        assert api.request("POST", call["given"]["url"], {"action": action}, key=None).status == 200
        assert run.end() == end

    def test_the_second_person_is_asked_when_the_first_does_not_answer(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("approval_with_escalation", self.GIVEN, timeout=self.FIRST_TIMES_OUT)
        first, second = (call["given"] for call in run.given(2))
        assert second["to"] == "bo@example.com"
        api.request("POST", first["url"], {"action": "reject"}, key=None)  # too late to count
        assert api.request("POST", second["url"], {"action": "approve"}, key=None).status == 200
        assert run.end() == ("SUCCEEDED", {"approvedBy": "bo@example.com"})

    def test_it_fails_when_nobody_answers(self, patterns: Patterns) -> None:
        assert patterns.start("approval_with_escalation", self.GIVEN, timeout="1s").end() == ("FAILED", "WaitpointTimeoutError")


class TestCreateAndWait:
    @pytest.fixture
    def job(self) -> str:
        return uuid4().hex

    def test_the_job_completes_by_key_while_the_state_waits(self, api: Api, patterns: Patterns, job: str) -> None:
        run = patterns.start("create_and_wait", {"job": job})
        listed(api, f"jobs:{job}")
        api.request("POST", BY_KEY, {"idempotencyKey": f"jobs:{job}", "data": {"rows": 3}})
        assert run.end() == ("SUCCEEDED", {"job": job, "result": {"rows": 3}})

    def test_the_job_ended_before_the_state_was_reached(self, api: Api, patterns: Patterns, job: str) -> None:
        api.request("POST", BY_KEY, {"idempotencyKey": f"jobs:{job}", "data": {"rows": 3}})
        assert patterns.start("create_and_wait", {"job": job}).end() == ("SUCCEEDED", {"job": job, "result": {"rows": 3}})

    def test_a_failed_job_fails_the_state_with_its_own_name(self, api: Api, patterns: Patterns, job: str) -> None:
        api.request(
            "POST", BY_KEY, {"idempotencyKey": f"jobs:{job}", "error": {"name": "DiskFull", "message": "No space left"}}
        )
        assert patterns.start("create_and_wait", {"job": job}).end() == ("FAILED", "DiskFull")

    def test_it_goes_on_without_a_result_after_the_timeout(self, patterns: Patterns, job: str) -> None:
        status, output = patterns.start("create_and_wait", {"job": job}, timeout="1s").end()
        assert (status, output["error"]["Error"]) == ("SUCCEEDED", "WaitpointTimeoutError")


class TestGitHubWorkflow:
    GIVEN = {"repository": "octo-org/octo-repo", "workflow": "deploy.yml", "ref": "main"}

    @pytest.fixture(scope="class")
    def url(self, api: Api, secrets: Secrets) -> Iterator[str]:
        secrets.make("GITHUB", webhook_signer.secret_of("github"))
        yield from endpoint(api, "github", webhooks_page.ENDPOINTS["GitHub: a workflow run"])

    @staticmethod
    def event(run: int, action: str, conclusion: str | None) -> Any:
        page = f"https://github.com/octo-org/octo-repo/actions/runs/{run}"
        return {"action": action, "workflow_run": {"id": run, "conclusion": conclusion, "html_url": page}}

    @pytest.mark.parametrize(("conclusion", "end"), [("success", "SUCCEEDED"), ("failure", "FAILED")])
    def test_it_ends_as_the_workflow_does(self, api: Api, patterns: Patterns, url: str, conclusion: str, end: str) -> None:
        execution = patterns.start("github_workflow", self.GIVEN)
        [call] = execution.given()
        run = call["workflow_run_id"]
        assert call["given"] == self.GIVEN
        assert post(api, "github", url, self.event(run, "in_progress", None)) == 200
        assert post(api, "github", url, self.event(run, "completed", conclusion)) == 200
        status, result = execution.end()
        assert status == end
        assert result == "WorkflowFailed" if end == "FAILED" else result["output"]["id"] == run

    def test_it_fails_when_no_event_comes(self, patterns: Patterns) -> None:
        assert patterns.start("github_workflow", self.GIVEN, timeout="1s").end() == ("FAILED", "WaitpointTimeoutError")


def endpoint(api: Api, name: str, settings: Any) -> Iterator[str]:
    """Make an endpoint, yield its URL, and delete it."""
    answer = api.request("PUT", f"{ENDPOINTS}/{name}", settings)
    assert answer.status == 200, answer
    yield answer.body["url"]
    assert api.request("DELETE", f"{ENDPOINTS}/{name}").status == 200


class TestReplicatePrediction:
    GIVEN = {"version": "stability-ai/sdxl", "input": {"prompt": "a quiet lake"}}

    @pytest.fixture(autouse=True, scope="class")
    def secret(self, secrets: Secrets) -> None:
        secrets.make("REPLICATE", webhook_signer.secret_of("replicate"))

    def test_its_progress_is_counted_until_it_succeeds(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("replicate_prediction", self.GIVEN)
        [call] = run.given()
        url = call["given"].pop("webhook")
        assert call["given"] == {**self.GIVEN, "webhook_events_filter": ["start", "output", "logs", "completed"]}
        for status in ("starting", "processing", "processing"):
            assert post(api, "replicate", url, {"id": "p1", "status": status, "output": None}) == 200
        token = api.retrieve(listed(api, run.arn))
        assert (token["status"], token["otherDeliveries"]["count"]) == ("WAITING", 3)
        assert api.request("POST", url, {"status": "succeeded"}, key=None).status == 401
        done = {"id": "p1", "status": "succeeded", "output": ["https://example.com/lake.png"]}
        assert post(api, "replicate", url, done) == 200
        assert run.end() == ("SUCCEEDED", done)

    @pytest.mark.parametrize("status", ["failed", "canceled"])
    def test_it_fails_with_the_prediction(self, api: Api, patterns: Patterns, status: str) -> None:
        run = patterns.start("replicate_prediction", self.GIVEN)
        [call] = run.given()
        assert post(api, "replicate", call["given"]["webhook"], {"id": "p1", "status": status, "error": None}) == 200
        assert run.end() == ("FAILED", "PredictionFailed")

    def test_it_fails_when_no_end_comes(self, patterns: Patterns) -> None:
        assert patterns.start("replicate_prediction", self.GIVEN, timeout="1s").end() == ("FAILED", "WaitpointTimeoutError")


class TestPayment:
    @pytest.fixture(scope="class")
    def url(self, api: Api, secrets: Secrets) -> Iterator[str]:
        secrets.make("STRIPE", webhook_signer.secret_of("stripe"))
        yield from endpoint(api, "payments", patterns_page.PAYMENTS)

    @pytest.fixture
    def order(self) -> dict[str, Any]:
        return {"orderId": uuid4().hex, "amount": 2000, "currency": "eur"}

    @staticmethod
    def event(order: dict[str, Any], kind: str, payment_status: str) -> Any:
        session = {"id": "cs_1", "client_reference_id": order["orderId"], "payment_status": payment_status}
        return {"type": f"checkout.session.{kind}", "data": {"object": session}}

    def test_the_order_is_shipped_once_it_is_paid(self, api: Api, patterns: Patterns, url: str, order: Any) -> None:
        run = patterns.start("payment", order)
        [call] = run.given()
        assert call["given"] == {"order": order, "idempotencyKey": run.arn}
        listed(api, f"payments:{order['orderId']}")
        for kind, status in (("completed", "unpaid"), ("async_payment_succeeded", "paid")):
            assert post(api, "stripe", url, self.event(order, kind, status)) == 200
        status, output = run.end()
        assert (status, output["payment"]["output"]["payment_status"]) == ("SUCCEEDED", "paid")
        assert output.items() >= order.items()

    def test_the_payment_may_come_before_the_run_waits(self, api: Api, patterns: Patterns, url: str, order: Any) -> None:
        assert post(api, "stripe", url, self.event(order, "completed", "paid")) == 200
        assert patterns.start("payment", order).end()[0] == "SUCCEEDED"

    @pytest.mark.parametrize("kind", ["expired", "async_payment_failed"])
    def test_an_order_that_is_not_paid_fails(self, api: Api, patterns: Patterns, url: str, order: Any, kind: str) -> None:
        assert post(api, "stripe", url, self.event(order, kind, "unpaid")) == 200
        assert patterns.start("payment", order).end() == ("FAILED", "NotPaid")

    def test_it_fails_when_no_event_comes(self, patterns: Patterns, order: Any) -> None:
        assert patterns.start("payment", order, timeout="1s").end() == ("FAILED", "WaitpointTimeoutError")


class TestBatch:
    ITEMS = ["one", "two", "refused", {"number": 4}]

    def test_it_collects_every_result_when_few_fail(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("batch", {"items": self.ITEMS, "tolerate": 2})
        calls = {json.dumps(call["given"]["item"]): call["given"]["url"] for call in run.given(3)}
        for item in ("one", {"number": 4}):
            assert api.request("POST", calls[json.dumps(item)], {"done": item}, key=None).status == 200
        two = calls['"two"'].split("/")[-3]
        answer = api.request("POST", f"{TOKENS}/{two}/complete", {"error": {"name": "Unreadable", "message": "No such page"}})
        assert answer.status == 200
        status, output = run.end()
        assert status == "SUCCEEDED"
        assert output["succeeded"] == [{"item": it, "ok": True, "output": {"done": it}} for it in ("one", {"number": 4})]
        assert [(it["item"], it["error"]["name"]) for it in output["failed"]] == [
            ("two", "Unreadable"),
            ("refused", "ValueError"),
        ]

    def test_it_fails_when_too_many_fail(self, patterns: Patterns) -> None:
        assert patterns.start("batch", {"items": self.ITEMS, "tolerate": 3}, timeout="1s").end() == ("FAILED", "TooManyFailed")


class TestFirstOfTwo:
    GIVEN = {"question": "Release without the checks?", "to": "ann@example.com"}

    def test_the_person_answers_first_and_the_checks_are_cancelled(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        [call] = run.given()
        assert api.request("POST", call["given"]["personUrl"], {"action": "release"}, key=None).status == 200
        status, output = run.end()
        assert (status, output["from"], output["output"]["action"]) == ("SUCCEEDED", "person", "release")
        cancelled = api.retrieve({"id": call["given"]["checksUrl"].split("/")[-3]})
        assert (cancelled["outputIsError"], json.loads(cancelled["output"])["name"]) == (True, "AnsweredByTheOther")

    def test_the_checks_pass_first_and_the_person_is_told(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        [call] = run.given()
        for status in ("failed", "passed"):
            assert api.request("POST", call["given"]["checksUrl"], {"status": status}, key=None).status == 200
        status, output = run.end()
        assert (status, output["from"], output["output"]) == ("SUCCEEDED", "checks", {"status": "passed"})
        shown = api.deliver(call["given"]["personUrl"], headers={"accept": "text/html"}, method="GET")
        assert b"cancelled" in shown.body

    def test_the_earlier_answer_counts_when_both_came(self, api: Api, patterns: Patterns) -> None:
        run = patterns.start("first_of_two", self.GIVEN)
        [call] = run.given()
        assert api.request("POST", call["given"]["checksUrl"], {"status": "passed"}, key=None).status == 200
        api.request("POST", call["given"]["personUrl"], {"action": "release"}, key=None)
        status, output = run.end()
        assert (status, output["from"]) == ("SUCCEEDED", "checks")

    def test_it_fails_when_nobody_answers(self, patterns: Patterns) -> None:
        assert patterns.start("first_of_two", self.GIVEN, timeout="1s").end() == ("FAILED", "NobodyAnswered")
