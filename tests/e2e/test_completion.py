"""What executions see of a token with rules and of one that failed. What each request is answered is in `tests/unit`."""

import json
from typing import Any

from tests.support.e2e.api import Api, DeployedAnswer
from tests.support.e2e.permissions import physical_name
from tests.support.in_process.api_gateway import TOKENS

SUCCESS = b'{"success":true}'
APPROVED = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}
DECLINED = {"name": "PaymentDeclined", "code": "card_declined", "message": "The bank said no"}


def complete(api: Api, token: dict[str, Any], body: Any, key: str | None = "") -> DeployedAnswer:
    return api.request("POST", f"{TOKENS}/{token['id']}/complete", body, key=key)


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


class TestContext:
    def test_a_run_that_asks_for_it_sees_who_completed_the_token(self, api: Api) -> None:
        token = api.create()
        execution = api.run({"Wait": waiting(api, token, {"context": True})})
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
        execution = api.run({"Wait": waiting(api, token)})
        api.deliver(token["url"], b"1")
        assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": 1})


class TestAFailedToken:
    def test_gives_its_error_to_the_execution(self, api: Api) -> None:
        token = api.create()
        execution = api.run({"Wait": waiting(api, token)})
        api.wait_until_registered(token)
        complete(api, token, {"error": DECLINED})
        assert api.result(execution) == ("SUCCEEDED", {"ok": False, "error": DECLINED})

    def test_fails_a_state_with_unwrap_under_the_errors_name_which_catch_matches(self, api: Api) -> None:
        token = api.create()
        caught = [{"ErrorEquals": ["PaymentDeclined"], "Next": "Caught"}]
        states = {"Wait": waiting(api, token, {"unwrap": True}, Catch=caught), "Caught": {"Type": "Pass", "End": True}}
        execution, uncaught = api.run(states), api.run({"Wait": waiting(api, token, {"unwrap": True})})
        api.wait_until_registered(token, waiters=2)
        complete(api, token, {"error": DECLINED})
        assert api.result(execution) == ("SUCCEEDED", {"Error": "PaymentDeclined", "Cause": "The bank said no"})
        assert api.result(uncaught) == ("FAILED", "PaymentDeclined")


class TestAStateMachine:
    def test_completes_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = api.run({"Wait": waiting(api, token)})
        assert api.result(api.run({"Complete": completing(api, token, data={"by": "a state"})}))[0] == "SUCCEEDED"
        assert api.result(waits) == ("SUCCEEDED", {"ok": True, "output": {"by": "a state"}})

    def test_fails_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = api.run({"Wait": waiting(api, token, {"unwrap": True})})
        api.wait_until_registered(token)
        api.run({"Fail": completing(api, token, error=DECLINED)})
        assert api.result(waits) == ("FAILED", "PaymentDeclined")

    def test_is_told_why_it_may_not_complete(self, api: Api) -> None:
        token = api.create(payloadSchema=APPROVED)
        assert api.result(api.run({"Complete": completing(api, token, data=1)})) == ("FAILED", "PayloadRefused")
        assert api.result(api.run({"Complete": completing(api, token, output=1)})) == ("FAILED", "InvalidRequest")
        assert api.retrieve(token)["status"] == "WAITING"
