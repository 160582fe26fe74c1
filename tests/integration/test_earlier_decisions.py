"""Functions of earlier versions, which know no approvers, and a token whose page has some.

A rollout and going back have both. The functions find no page: it is stored under a name that they do not know. So no choice
settles the token. An `error` with the API key or a public access token needs no page: it fails the token in their hands.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import previous as earlier
from tests.support.approval_page import BROWSER, FORM, JSON
from tests.support.decision import DECISION, REJECT, choose, given, link
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import queue_event
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.previous_functions import PreviousFunctions
from tools.openapi.operations import ENDPOINTS
from waitpoints.token import Waiter
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

LAST_WITHOUT_APPROVERS = "36e5bcb0a970f6b05fa02cce6edc9e96035297e4"
COMPLETE_KEY = "/api/v1/waitpoints/complete"
KEY = "orders:4711"


@pytest.fixture(scope="module", params=[earlier.PREVIOUS, LAST_WITHOUT_APPROVERS])
def functions(
    request: pytest.FixtureRequest, stack: MotoStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PreviousFunctions]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(earlier, "PREVIOUS", request.param)
        yield PreviousFunctions(stack, tmp_path_factory.mktemp("earlier"))


class Place:
    """A token that one approver has answered, and for which two executions wait, and the API of the earlier version."""

    def __init__(self, stack: MotoStack, functions: PreviousFunctions, waits: FakeStepFunctions) -> None:
        self.api, self.old = Api(stack.template, stack.secret("ApiKey")), Api(functions.template, stack.secret("ApiKey"))
        self.functions, self.waits = functions, waits
        self.handles = [waits.start_task() for _ in range(2)]
        self.token = self.api.create(page=DECISION, idempotencyKey=KEY, timeout="1h", taskToken=self.handles[0])
        services.tokens.wait(self.token["id"], Waiter(self.handles[1], services.now(), unwrap=True))
        assert choose(self.api, self.token, "ann", "approve").status == 200

    def post(self, url: str, body: Any, headers: dict[str, str] | None = JSON) -> int:
        with self.functions.in_place():
            return self.old.post(url, body, headers).status

    def assert_waits(self) -> None:
        shown = self.api.retrieve(self.token["id"])
        assert (shown["status"], given(shown)) == ("WAITING", [("ann", "approve")])
        assert [self.waits.result(handle) for handle in self.handles] == [None, None]
        assert choose(self.api, self.token, "bo", "approve").status == 200
        assert self.api.retrieve(self.token["id"])["completedBy"]["approver"] == "bo"


@pytest.fixture
def place(stack: MotoStack, functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions) -> Place:
    functions.use(clock, step_functions_client=step_functions)
    return Place(stack, functions, step_functions)


def test_settle_nothing_by_any_url(place: Place) -> None:
    for body, headers in ((REJECT, JSON), ("action=reject", FORM), ("", {})):
        assert place.post(place.token["url"], body, headers) == 404
        assert place.post(link(place.token, "cy"), body, headers) == 401
    with place.functions.in_place():
        assert place.old.get(place.token["url"], BROWSER).status == 200
    place.assert_waits()


@pytest.mark.parametrize("data", [json.loads(REJECT), {"action": "approve", "fields": {}}, None, "x" * 200_000], ids=type)
def test_complete_nothing_with_data(place: Place, data: Any) -> None:
    path, public = f"{TOKENS}/{place.token['id']}/complete", services.credentials.sign_public_access_token(["admin"])
    for headers in (None, {"authorization": f"Bearer {public}"}):
        with place.functions.in_place():
            assert place.old.post(path, {"data": data}, headers).status == 404
    assert place.post(COMPLETE_KEY, {"idempotencyKey": KEY, "data": data}, None) == 404
    place.assert_waits()


def test_settle_nothing_by_an_endpoint(place: Place) -> None:
    url = place.api.request("PUT", f"{ENDPOINTS}/orders", {"key": "body.id", "verify": "none", "output": "body.o"}).json["url"]
    assert place.post(url, f'{{"id": "4711", "o": {REJECT}}}') == 404
    place.assert_waits()


def test_fail_it_with_an_error_of_a_public_access_token_which_this_version_refuses(place: Place) -> None:
    path, public = f"{TOKENS}/{place.token['id']}/complete", services.credentials.sign_public_access_token(["admin"])
    error, headers = {"error": {"message": "no", "name": "Refused"}}, {"authorization": f"Bearer {public}"}
    assert place.api.post(path, error, headers).status == 403
    assert place.post(path, error, headers) == 200
    shown = place.api.retrieve(place.token["id"])
    assert (shown["status"], shown["outputIsError"], given(shown)) == ("COMPLETED", True, [("ann", "approve")])


def test_time_it_out_and_resume_who_waits(place: Place, clock: FakeClock) -> None:
    clock.advance(3_600_000)
    place.functions.call("expire_tokens", queue_event([json.dumps({"waitpointId": place.token["id"]})]))
    told, bare = [place.waits.result(handle) for handle in place.handles]
    assert isinstance(told, Success)
    assert json.loads(told.json)["error"]["name"] == "WaitpointTimeoutError"
    assert isinstance(bare, Failure)
    shown = place.api.retrieve(place.token["id"])
    assert (shown["status"], given(shown)) == ("TIMED_OUT", [("ann", "approve")])


def test_read_and_show_what_was_decided(place: Place) -> None:
    assert choose(place.api, place.token, "cy", "reject").status == 200
    shown = place.api.retrieve(place.token["id"])
    with place.functions.in_place():
        found = place.old.retrieve(place.token["id"])
    assert {name: found[name] for name in ("status", "output", "waiters")} == {
        name: shown[name] for name in ("status", "output", "waiters")
    }
