"""The main job on the deployed stack: a POST to a callback URL resumes the waiting execution exactly once."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.states import task
from tests.support.in_process.api_gateway import TOKENS
from tools.stack import ROOT

WEBHOOK = (ROOT / "events" / "github_workflow_run_completed.json").read_bytes()
AT_ONCE = 100


def test_a_webhook_resumes_the_waiting_execution_with_its_payload(api: Api) -> None:
    token = api.create()
    execution = api.start_waiting(token)
    api.wait_until_registered(token)

    assert api.callback(token, WEBHOOK).body == {"success": True}

    assert api.result(execution) == ("SUCCEEDED", json.loads(WEBHOOK))


def test_a_wait_for_a_completed_token_continues_at_once(api: Api) -> None:
    token = api.create()
    api.callback(token, WEBHOOK)

    assert api.result(api.start_waiting(token)) == ("SUCCEEDED", json.loads(WEBHOOK))


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_a_run_that_cannot_be_given_the_output_fails_with_an_error_that_a_state_may_catch(
    api: Api, is_waited_for: bool
) -> None:
    """Which numbers AWS refuses is not documented; the emulator refuses one beyond a double."""
    token, output = api.create(), b"1e400"
    execution = api.start_waiting(token) if is_waited_for else ""
    if is_waited_for:
        api.wait_until_registered(token)

    assert api.deliver(token["url"], output, {"content-type": "application/json"}).status == 200

    assert api.result(execution or api.start_waiting(token)) == ("FAILED", "WaitpointOutputRefused")
    assert api.retrieve(token)["output"] == output.decode()


def test_one_of_many_simultaneous_callbacks_wins_and_all_are_answered_with_success(api: Api) -> None:
    token = api.create()
    execution = api.start_waiting(token)
    api.wait_until_registered(token)
    bodies = [{"sender": number, "text": f"I am {number}"} for number in range(AT_ONCE)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda body: api.callback(token, body), bodies))

    assert {(answer.status, answer.body["success"]) for answer in answers} == {(200, True)}
    status, output = api.result(execution)
    assert (status, output in bodies) == ("SUCCEEDED", True)
    assert json.loads(api.retrieve(token)["output"]) == output
    assert Counter(api.history(execution))["TaskSucceeded"] == 1
    assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["RESUMED"]


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status"),
    [
        pytest.param("POST", TOKENS, b'{"timeout": ', "", 400, id="malformed JSON"),
        pytest.param("POST", TOKENS, {"idempotencyKey": "k" * 65_536}, "", 413, id="a body over the limit"),
        pytest.param("POST", TOKENS, {}, "wrong", 401, id="a wrong API key"),
        pytest.param("PUT", TOKENS, {}, "", 405, id="a wrong method"),
        pytest.param("GET", f"{TOKENS}/waitpoint_01arz3ndektsv4rrffq69g5fav", None, "", 404, id="an unknown token"),
        pytest.param("POST", "{url}", b"x" * 3_145_729, None, 413, id="a callback over the limit"),
    ],
)
def test_a_refused_request_says_why_and_leaves_the_token_as_it_was(
    api: Api, method: str, path: str, body: Any, key: str | None, status: int
) -> None:
    token = api.create(tags=["untouched"])
    before = api.retrieve(token)

    answer = api.request(method, path.format(id=token["id"], url=token["url"]), body, key=key)

    assert answer.status == status
    assert isinstance(answer.body["error"], str)
    assert "Traceback" not in answer.body["error"]
    assert api.retrieve(token) == before


@pytest.mark.parametrize(
    ("content_type", "sent", "output"),
    [
        pytest.param("application/json", '{"a": 1.50}'.encode("utf-8-sig"), '{"a": 1.50}', id="JSON with a byte order mark"),
        pytest.param("application/x-www-form-urlencoded", b"a=1&b=%C3%A9", '{"a":"1","b":"é"}', id="a form"),
        pytest.param("application/octet-stream", b"\xff\x00", '{"base64":"/wA="}', id="bytes"),
        pytest.param("text/plain", b"\xff", '"\ufffd"', id="bytes that are called text"),
        pytest.param("", b"", "{}", id="nothing"),
    ],
)
def test_a_body_is_kept_as_api_gateway_hands_it_on(api: Api, content_type: str, sent: bytes, output: str) -> None:
    token = api.create()
    answer = api.deliver(token["url"], sent, {"content-type": content_type} if content_type else {})
    assert (answer.status, api.retrieve(token)["output"]) == (200, output)


def test_a_state_with_a_missing_function_or_invalid_input_fails_with_the_reason(api: Api) -> None:
    """The emulator behaves as AWS does: a typo in a state machine must not look like a wait."""
    create = physical_name(api.stack, "CreateTokenInState")

    def error_of(resource: str, function: str, payload: dict[str, str]) -> Any:
        return api.result(api.run({"Task": task(f"lambda:invoke{resource}", function, payload)}))

    assert error_of(".waitForTaskToken", "nope", {})[0] == "FAILED"
    task_token = {"timeout": "soon", "taskToken.$": "$$.Task.Token"}
    assert error_of(".waitForTaskToken", create, task_token) == ("FAILED", "InvalidTimeout")
    assert error_of("", create, {"timeout": "soon"}) == ("FAILED", "InvalidTimeout")
