"""What a token asks of deliveries, and how it fails: over HTTP, and as the executions that wait for it see it."""

import json
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest

from in_process.api_gateway import TOKENS
from tests.e2e.api import Api, DeployedAnswer
from tests.e2e.permissions import physical_name

SUCCESS = b'{"success":true}'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
APPROVED = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}
DECLINED = {"name": "PaymentDeclined", "code": "card_declined", "message": "The bank said no"}


def complete(api: Api, token: dict[str, Any], body: Any, key: str | None = "") -> DeployedAnswer:
    return api.request("POST", f"{TOKENS}/{token['id']}/complete", body, key=key)


def run(api: Api, states: dict[str, Any]) -> str:
    """Start an execution of a new state machine with these states; its ARN."""
    step_functions = api.stack.client("stepfunctions")
    role = step_functions.describe_state_machine(stateMachineArn=api.stack.state_machine_arn)["roleArn"]
    machine = step_functions.create_state_machine(
        name=f"test-{uuid.uuid4().hex}", roleArn=role, definition=json.dumps({"StartAt": next(iter(states)), "States": states})
    )
    return str(step_functions.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")["executionArn"])


def waiting(api: Api, token: dict[str, Any], options: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    """A state that waits for a token. `options` go to the function, the others to the state."""
    payload = {"waitpointId": token["id"], "taskToken.$": "$$.Task.Token", **(options or {})}
    return task("lambda:invoke.waitForTaskToken", api.stack.wait_function_name, payload, **state)


def completing(api: Api, token: dict[str, Any], **members: Any) -> dict[str, Any]:
    payload = {"waitpointId": token["id"], **members}
    return task("lambda:invoke", physical_name(api.stack, "CompleteTokenInState"), payload)


def task(resource: str, function: str, payload: dict[str, Any], **state: Any) -> dict[str, Any]:
    parameters = {"FunctionName": function, "Payload": payload}
    end = {} if "Next" in state else {"End": True}
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, **end, **state}


class TestCompleteWhen:
    def test_replicates_progress_is_passed_over_and_its_success_settles_the_token(self, api: Api) -> None:
        token = api.create(completeWhen="body.status == 'succeeded'")
        execution = api.start_waiting(token)
        for status in ("starting", "processing", "processing"):
            assert api.deliver(token["url"], json.dumps({"id": "p1", "status": status}).encode()).body == SUCCESS
        before = api.retrieve(token)
        assert (before["status"], before["otherDeliveries"]["count"]) == ("WAITING", 3)
        done = {"id": "p1", "status": "succeeded", "output": ["https://example.com/out.png"]}
        assert api.deliver(token["url"], json.dumps(done).encode()).body == SUCCESS
        assert api.result(execution) == ("SUCCEEDED", done)

    def test_githubs_header_and_action_decide_together(self, api: Api) -> None:
        token = api.create(completeWhen="headers.\"x-github-event\" == 'workflow_run' && body.action == 'completed'")
        deliveries = [("ping", "completed"), ("workflow_run", "in_progress"), ("workflow_run", "completed")]
        statuses = []
        for event, action in deliveries:
            headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": f"{event}-{action}"}
            assert api.deliver(token["url"], json.dumps({"action": action}).encode(), headers).status == 200
            statuses.append(api.retrieve(token)["status"])
        assert statuses == ["WAITING", "WAITING", "COMPLETED"]
        settled = api.retrieve(token)
        assert settled["completedBy"]["deliveryId"] == "workflow_run-completed"
        assert settled["otherDeliveries"]["lastDeliveryId"] == "workflow_run-in_progress"

    def test_slacks_button_is_read_inside_the_forms_field(self, api: Api) -> None:
        token = api.create(completeWhen="json(body.payload).actions[0].value == 'approve'")
        click, approve = (
            json.dumps({"type": "block_actions", "actions": [{"action_id": "a", "value": value}]})
            for value in ("look", "approve")
        )
        assert api.deliver(token["url"], urlencode({"payload": click}).encode(), FORM).body == SUCCESS
        assert api.retrieve(token)["status"] == "WAITING"
        assert api.deliver(token["url"], urlencode({"payload": approve}).encode(), FORM).body == SUCCESS
        assert json.loads(api.retrieve(token)["output"]) == {"payload": approve}

    @pytest.mark.parametrize("expression", ["body.status ==", "sort(body)", "@" * 257])
    def test_one_that_cannot_be_used_is_refused_at_create(self, api: Api, expression: str) -> None:
        assert api.request("POST", TOKENS, {"completeWhen": expression}).status == 422


class TestPayloadSchema:
    def test_a_delivery_that_does_not_fit_is_refused_and_the_next_may_settle(self, api: Api) -> None:
        token = api.create(payloadSchema=APPROVED)
        refused = api.deliver(token["url"], b'{"approved": "<secret text>"}')
        assert refused.status == 422
        assert b'\\"type\\" at #/properties/approved/type' in refused.body
        assert b"secret" not in refused.body
        assert (api.retrieve(token)["status"], api.retrieve(token)["otherDeliveries"]["count"]) == ("WAITING", 1)
        assert api.deliver(token["url"], b'{"approved": true}').status == 200
        assert api.retrieve(token)["output"] == '{"approved": true}'

    @pytest.mark.parametrize("who", ["the API key", "the public access token"])
    def test_a_completion_is_held_against_it_too(self, api: Api, who: str) -> None:
        created = api.request("POST", TOKENS, {"payloadSchema": APPROVED})
        token, key = created.body, "" if who == "the API key" else created.headers["x-trigger-jwt"]
        assert complete(api, token, {"data": {"approved": 1}}, key).status == 422
        assert complete(api, token, {}, key).status == 422
        assert api.retrieve(token)["status"] == "WAITING"
        assert complete(api, token, {"data": {"approved": False}}, key).status == 200
        assert json.loads(api.retrieve(token)["output"]) == {"approved": False}

    @pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": "nothing"}, {"title": "x" * 8192}])
    def test_one_that_cannot_be_used_is_refused_at_create(self, api: Api, schema: dict[str, Any]) -> None:
        assert api.request("POST", TOKENS, {"payloadSchema": schema}).status == 422


class TestContext:
    def test_a_run_that_asks_for_it_sees_who_completed_the_token(self, api: Api) -> None:
        token = api.create()
        execution = run(api, {"Wait": waiting(api, token, {"context": True})})
        api.wait_until_registered(token)
        headers = {"User-Agent": "GitHub-Hookshot/044aadd", "X-GitHub-Delivery": "d-1", "Content-Type": "application/json"}
        api.deliver(token["url"] + "?step=2", b'{"n": 1}', {**headers, "Authorization": "Bearer x", "Cookie": "c=1"})

        status, result = api.result(execution)

        completed_by = api.retrieve(token)["completedBy"]
        assert (status, result) == ("SUCCEEDED", {"ok": True, "output": {"n": 1}, "completedBy": completed_by})
        assert completed_by.pop("at") == api.retrieve(token)["completedAt"]
        assert completed_by == {
            "source": "callback",
            "ip": "127.0.0.1",
            "userAgent": "GitHub-Hookshot/044aadd",
            "contentType": "application/json",
            "query": "step=2",
            "deliveryId": "d-1",
        }

    def test_a_run_that_does_not_ask_sees_only_the_output(self, api: Api) -> None:
        token = api.create()
        execution = run(api, {"Wait": waiting(api, token)})
        api.deliver(token["url"], b"1")
        assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": 1})


class TestAFailedToken:
    def test_is_completed_with_an_error(self, api: Api) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no"}}).status == 200
        failed = api.retrieve(token)
        assert (failed["status"], failed["outputIsError"]) == ("COMPLETED", True)
        assert json.loads(failed["output"]) == {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert failed["completedBy"]["source"] == "complete"

    def test_gives_its_error_to_the_execution(self, api: Api) -> None:
        token = api.create()
        execution = run(api, {"Wait": waiting(api, token)})
        api.wait_until_registered(token)
        complete(api, token, {"error": DECLINED})
        assert api.result(execution) == ("SUCCEEDED", {"ok": False, "error": DECLINED})

    def test_fails_a_state_with_unwrap_under_the_errors_name_which_catch_matches(self, api: Api) -> None:
        token = api.create()
        caught = [{"ErrorEquals": ["PaymentDeclined"], "Next": "Caught"}]
        states = {"Wait": waiting(api, token, {"unwrap": True}, Catch=caught), "Caught": {"Type": "Pass", "End": True}}
        execution, uncaught = run(api, states), run(api, {"Wait": waiting(api, token, {"unwrap": True})})
        api.wait_until_registered(token, waiters=2)
        complete(api, token, {"error": DECLINED})
        assert api.result(execution) == ("SUCCEEDED", {"Error": "PaymentDeclined", "Cause": "The bank said no"})
        assert api.result(uncaught) == ("FAILED", "PaymentDeclined")

    def test_takes_no_data_beside_the_error_and_no_name_that_the_stack_raises(self, api: Api) -> None:
        token = api.create()
        refused = [
            {"data": 1, "error": {"message": "no"}},
            {"error": {"message": "no", "name": "States.ALL"}},
            {"error": {"message": "no", "name": "TryAgain"}},
            {"error": {"message": "é" * 2049}},
        ]
        assert [complete(api, token, body).status for body in refused] == [400] * len(refused)
        assert api.retrieve(token)["status"] == "WAITING"


class TestAStateMachine:
    def test_completes_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = run(api, {"Wait": waiting(api, token)})
        assert api.result(run(api, {"Complete": completing(api, token, data={"by": "a state"})}))[0] == "SUCCEEDED"
        assert api.result(waits) == ("SUCCEEDED", {"ok": True, "output": {"by": "a state"}})

    def test_fails_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = run(api, {"Wait": waiting(api, token, {"unwrap": True})})
        api.wait_until_registered(token)
        run(api, {"Fail": completing(api, token, error=DECLINED)})
        assert api.result(waits) == ("FAILED", "PaymentDeclined")

    def test_is_told_why_it_may_not_complete(self, api: Api) -> None:
        token = api.create(payloadSchema=APPROVED)
        assert api.result(run(api, {"Complete": completing(api, token, data=1)})) == ("FAILED", "PayloadRefused")
        assert api.result(run(api, {"Complete": completing(api, token, output=1)})) == ("FAILED", "InvalidRequest")
        assert api.retrieve(token)["status"] == "WAITING"
