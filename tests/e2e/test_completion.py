"""What executions see of who completed a token and of one that failed. What each request is answered is in `tests/unit`."""

from typing import Any

from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.states import task, waiting
from tests.support.in_process.api_gateway import TOKENS

APPROVED = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}
DECLINED = {"name": "PaymentDeclined", "code": "card_declined", "message": "The bank said no"}


def completing(api: Api, token: dict[str, Any], **members: Any) -> dict[str, Any]:
    payload = {"waitpointId": token["id"], **members}
    return task("lambda:invoke", physical_name(api.stack, "CompleteTokenInState"), payload)


def test_a_run_that_asks_for_it_sees_who_completed_the_token(api: Api) -> None:
    token = api.create()
    execution = api.run({"Wait": waiting(api.stack, token, {"context": True})})
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


def test_a_failed_token_fails_a_state_with_unwrap_under_the_errors_name_which_catch_matches(api: Api) -> None:
    token = api.create()
    caught = [{"ErrorEquals": ["PaymentDeclined"], "Next": "Caught"}]
    waits = waiting(api.stack, token, {"unwrap": True}, Catch=caught)
    execution = api.run({"Wait": waits, "Caught": {"Type": "Pass", "End": True}})
    uncaught = api.run({"Wait": waiting(api.stack, token, {"unwrap": True})})
    api.wait_until_registered(token, waiters=2)
    assert api.request("POST", f"{TOKENS}/{token['id']}/complete", {"error": DECLINED}).status == 200
    assert api.result(execution) == ("SUCCEEDED", {"Error": "PaymentDeclined", "Cause": "The bank said no"})
    assert api.result(uncaught) == ("FAILED", "PaymentDeclined")


class TestAStateMachine:
    def test_completes_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = api.run({"Wait": waiting(api.stack, token)})
        assert api.result(api.run({"Complete": completing(api, token, data={"by": "a state"})}))[0] == "SUCCEEDED"
        assert api.result(waits) == ("SUCCEEDED", {"ok": True, "output": {"by": "a state"}})

    def test_fails_a_token_that_another_execution_waits_for(self, api: Api) -> None:
        token = api.create()
        waits = api.run({"Wait": waiting(api.stack, token, {"unwrap": True})})
        api.wait_until_registered(token)
        api.run({"Fail": completing(api, token, error=DECLINED)})
        assert api.result(waits) == ("FAILED", "PaymentDeclined")

    def test_is_told_why_it_may_not_complete(self, api: Api) -> None:
        token = api.create(payloadSchema=APPROVED)
        assert api.result(api.run({"Complete": completing(api, token, data=1)})) == ("FAILED", "PayloadRefused")
        assert api.result(api.run({"Complete": completing(api, token, output=1)})) == ("FAILED", "InvalidRequest")
        assert api.retrieve(token)["status"] == "WAITING"
