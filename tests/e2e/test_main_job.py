"""The main job on the deployed stack: deliveries by the API, executions of the engine, and roles that may resume them.

What each request is answered is in `tests/unit`.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.states import task, waiting
from tests.support.in_process.api_gateway import JSON
from tools.openapi.operations import TOKENS
from tools.stack import ROOT

WEBHOOK = (ROOT / "events" / "github_workflow_run_completed.json").read_bytes()
AT_ONCE = 100
BEYOND_A_DOUBLE = b"1e400"  # which numbers AWS refuses is not documented; the emulator refuses this one
DECLINED = {"name": "PaymentDeclined", "code": "card_declined", "message": "The bank said no"}
# Each content type, body and output, as API Gateway hands it on.
KEPT = [
    ("application/json", '{"a": 1.50}'.encode("utf-8-sig"), '{"a": 1.50}'),
    ("application/x-www-form-urlencoded", b"a=1&b=%C3%A9", '{"a":"1","b":"é"}'),
    ("application/octet-stream", b"\xff\x00", '{"base64":"/wA="}'),
    ("text/plain", b"\xff", '"\ufffd"'),
    ("", b"", "{}"),
]


def test_a_webhook_resumes_an_execution_that_waits_or_comes_later(api: Api) -> None:
    token, execution = api.awaited()
    assert api.deliver(token, WEBHOOK).json == {"success": True}
    assert [api.result(it) for it in (execution, api.wait(token))] == [("SUCCEEDED", json.loads(WEBHOOK))] * 2


def test_a_run_that_cannot_be_given_the_output_fails_with_an_error_that_a_state_may_catch(api: Api) -> None:
    token, execution = api.awaited()
    assert api.send(token["url"], BEYOND_A_DOUBLE, JSON).status == 200
    assert [api.result(it) for it in (execution, api.wait(token))] == [("FAILED", "WaitpointOutputRefused")] * 2
    assert api.retrieve(token)["output"] == BEYOND_A_DOUBLE.decode()


def test_one_of_many_simultaneous_callbacks_wins_and_all_are_answered_with_success(api: Api) -> None:
    """In as many processes as the emulator has."""
    token, execution = api.awaited()
    bodies = [{"sender": number, "text": f"I am {number}"} for number in range(AT_ONCE)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda body: api.deliver(token, body), bodies))

    assert {(answer.status, answer.json["success"]) for answer in answers} == {(200, True)}
    status, output = api.result(execution)
    assert (status, output in bodies) == ("SUCCEEDED", True)
    assert json.loads(api.retrieve(token)["output"]) == output
    assert Counter(api.history(execution))["TaskSucceeded"] == 1
    assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["RESUMED"]


def test_a_body_is_kept_as_api_gateway_hands_it_on(api: Api) -> None:
    for content_type, sent, output in KEPT:
        token = api.create()
        answer = api.send(token["url"], sent, {"content-type": content_type} if content_type else {})
        assert (answer.status, api.retrieve(token)["output"]) == (200, output), content_type


def test_a_run_that_asks_for_it_sees_who_completed_the_token(api: Api) -> None:
    """With what API Gateway says of the request."""
    token = api.create()
    execution = api.run({"Wait": waiting(api.stack, token, {"context": True})})
    api.wait_until_registered(token)
    headers = {"User-Agent": "GitHub-Hookshot/044aadd", "X-GitHub-Delivery": "d-1", "Content-Type": "application/json"}
    api.send(token["url"] + "?step=2", b'{"n": 1}', {**headers, "Authorization": "Bearer x", "Cookie": "c=1"})
    result = api.result(execution)
    completed_by = api.retrieve(token)["completedBy"]
    assert result == ("SUCCEEDED", {"ok": True, "output": {"n": 1}, "completedBy": completed_by})
    assert completed_by == {
        "at": api.retrieve(token)["completedAt"],
        "source": "callback",
        "ip": "127.0.0.1",
        "userAgent": "GitHub-Hookshot/044aadd",
        "contentType": "application/json",
        "query": "step=2",
        "deliveryId": "d-1",
    }


def invoking(api: Api, function: str, resource: str = "", **payload: Any) -> str:
    """Start an execution of a state that invokes a function of the stack."""
    return api.run({"Task": task(f"lambda:invoke{resource}", physical_name(api.stack, function), payload)})


def test_a_state_machine_completes_and_fails_tokens_that_others_wait_for(api: Api) -> None:
    """A failed token fails a state with `unwrap` under the error's name, which Catch matches."""
    completed, failed, declined = (api.create() for _ in range(3))
    caught = waiting(api.stack, declined, {"unwrap": True}, Catch=[{"ErrorEquals": ["PaymentDeclined"], "Next": "Caught"}])
    waits = [
        api.run({"Wait": waiting(api.stack, completed)}),
        api.run({"Wait": waiting(api.stack, failed, {"unwrap": True})}),
        api.run({"Wait": caught, "Caught": {"Type": "Pass", "End": True}}),
    ]
    for token in (completed, failed, declined):
        api.wait_until_registered(token)
    invoking(api, "CompleteTokenInState", waitpointId=completed["id"], data={"by": "a state"})
    invoking(api, "CompleteTokenInState", waitpointId=failed["id"], error=DECLINED)
    api.complete(declined, error=DECLINED)
    assert [api.result(it) for it in waits] == [
        ("SUCCEEDED", {"ok": True, "output": {"by": "a state"}}),
        ("FAILED", "PaymentDeclined"),
        ("SUCCEEDED", {"Error": "PaymentDeclined", "Cause": "The bank said no"}),
    ]


def test_a_state_that_is_wrong_fails_with_the_reason(api: Api) -> None:
    """The engine behaves as AWS does: a typo in a state machine must not look like a wait."""
    token = api.create(payloadSchema={"type": "object"})
    completing, task_token = {"waitpointId": token["id"]}, {"taskToken.$": "$$.Task.Token"}
    runs = {
        invoking(api, "CompleteTokenInState", **completing, data=1): "PayloadRefused",
        invoking(api, "CompleteTokenInState", **completing, output=1): "InvalidRequest",
        invoking(api, "CreateTokenInState", ".waitForTaskToken", timeout="soon", **task_token): "InvalidTimeout",
        invoking(api, "CreateTokenInState", timeout="soon"): "InvalidTimeout",
    }
    assert {it: api.result(it) for it in runs} == {it: ("FAILED", error) for it, error in runs.items()}
    missing = api.run({"Task": task("lambda:invoke.waitForTaskToken", "nope", {})})
    assert api.result(missing)[0] == "FAILED"
    assert api.request("GET", f"{TOKENS}/{token['id']}").json["status"] == "WAITING"
