"""Each route to a token whose page has approvers, and callers who may not take it."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.decision import DECISION, PEOPLE, REJECT, choose, given, link
from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, JSON, TOKENS, Api, HttpAnswer
from tests.support.in_process.approval_page import BROWSER, FORM, has_nothing_to_press, page_of
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi.operations import ENDPOINTS
from waitpoints.approvers import MAX_ANSWER
from waitpoints.errors import BodyTooLarge

ERROR = {"message": "no", "name": "Refused"}
KEY = "orders:4711"


class Place:
    """A token that one approver has answered, for which two executions wait."""

    def __init__(self, api: Api, world: World) -> None:
        self.api, self.world = api, world
        self.waiter, self.bare = world.new_waiter(), world.new_waiter(unwrap=True)
        self.token = api.create(page=DECISION, idempotencyKey=KEY, timeout="1h", taskToken=self.waiter.handle)
        world.wait(self.token["id"], self.bare)
        assert choose(api, self.token, "ann", "approve", note="fine").status == 200

    @property
    def shown(self) -> dict[str, Any]:
        return dict(self.api.retrieve(self.token["id"]))

    def result(self) -> Any:
        return self.world.step_functions.value(self.waiter.handle)

    def assert_waits(self, others: int = 0) -> None:
        shown = self.shown
        assert (shown["status"], given(shown)) == ("WAITING", [("ann", "approve")])
        assert shown.get("otherDeliveries", {"count": 0})["count"] == others
        assert self.world.step_functions.result(self.waiter.handle) is None
        assert choose(self.api, self.token, "bo", "approve").status == 200
        assert self.result()["output"]["approver"] == "bo"

    def complete(self, body: Any, credential: str) -> HttpAnswer:
        return self.api.post(f"{TOKENS}/{self.token['id']}/complete", body, {"authorization": f"Bearer {credential}"})


@pytest.fixture
def place(api: Api, world: World) -> Place:
    return Place(api, world)


class TestThePlainUrl:
    @pytest.mark.parametrize("query", ["", "?approver=ann", "?approver=", "?a=1"])
    def test_shows_what_is_asked_and_takes_no_answer(self, place: Place, query: str) -> None:
        url = place.token["url"] + query
        page = page_of(place.api.get(url, BROWSER))
        assert "Deploy 4.2?" in page.text
        assert has_nothing_to_press(page)
        for ask in (partial(place.api.post, url, REJECT, JSON), partial(place.api.post, url, "action=reject", FORM)):
            is_refused(place.world, ask, 403, is_counted=True)
        assert has_nothing_to_press(page_of(ask()))

    def test_tells_a_late_sender_nothing_new(self, place: Place) -> None:
        choose(place.api, place.token, "cy", "reject")
        assert place.api.post(place.token["url"], REJECT, JSON).status == 200
        pressed = place.api.post(place.token["url"], urlencode({"action": "reject"}), FORM)
        assert (pressed.status, pressed.headers["location"]) == (303, place.token["url"].rpartition("/")[2])
        assert place.shown["otherDeliveries"]["count"] == 2
        page = page_of(place.api.get(place.token["url"], BROWSER))
        assert "Reject was chosen." in page.text
        assert [text for text in ("ann", "cy", "Decided by", "another way") if text in page.text] == []


class TestAPublicAccessToken:
    @pytest.mark.parametrize("scope", ["write:waitpoints:{}", "write:waitpoints", "admin"])
    @pytest.mark.parametrize("body", [f'{{"data":{REJECT}}}', {}, {"error": ERROR}, {"data": "x" * 200_000}], ids=repr)
    def test_neither_completes_nor_fails_it(self, place: Place, scope: str, body: Any) -> None:
        credential = place.world.credentials.sign_public_access_token([scope.format(place.token["id"])])
        is_refused(place.world, lambda: place.complete(body, credential), 403, "Only its approvers and the API key")

    def test_that_comes_after_the_end_is_answered_as_ever(self, place: Place) -> None:
        choose(place.api, place.token, "cy", "reject")
        credential = place.world.credentials.sign_public_access_token(["admin"])
        assert [place.complete(body, credential).status for body in ({"data": 1}, {"error": ERROR})] == [200, 200]
        assert place.result()["output"]["approver"] == "cy"


class TestAnEndpoint:
    def put(self, api: Api) -> Callable[[], dict[str, Any]]:
        self.url = api.put_endpoint("orders", output="body.o")["url"]
        return lambda: dict(api.get(f"{ENDPOINTS}/orders").json["deliveries"])

    def test_delivers_nothing_to_it_but_counts(self, place: Place) -> None:
        counts = self.put(place.api)
        assert place.api.post(self.url, f'{{"id": "4711", "o": {REJECT}}}', JSON).status == 200
        assert {kind: one["count"] for kind, one in counts().items() if one["count"]} == {"notMatching": 1}
        assert counts()["notMatching"]["lastDetail"] == "The token of this key is answered by its approvers only"
        place.assert_waits()

    def test_that_came_first_is_kept_for_nobody(self, api: Api, world: World) -> None:
        self.put(api)
        assert api.post(self.url, f'{{"id": "4711", "o": {REJECT}}}', JSON).status == 200
        Place(api, world).assert_waits(others=1)


@pytest.mark.parametrize("completion", [{"data": json.loads(REJECT)}, {"error": ERROR}, {}])
def test_a_kept_completion_is_not_claimed_but_counted(api: Api, world: World, completion: dict[str, Any]) -> None:
    kept = api.post(COMPLETE_BY_KEY, {"idempotencyKey": KEY, **completion}).json["id"]
    place = Place(api, world)
    assert (place.token["isCached"], place.token["id"] != kept) == (False, True)
    place.assert_waits(others=1)


class TestTheApiKey:
    """It completes the token in place of the approvers, whose answers are kept."""

    @pytest.mark.parametrize("route", ["id", "key", "state, id", "state, key"])
    @pytest.mark.parametrize("completion", [{"data": json.loads(REJECT)}, {"error": ERROR}], ids=["complete", "fail"])
    def test_completes_and_fails_it(self, place: Place, route: str, completion: dict[str, Any]) -> None:
        self.act(place, route, completion)
        shown, result = place.shown, place.result()
        assert (shown["status"], given(shown)) == ("COMPLETED", [("ann", "approve")])
        assert (shown["completedBy"]["source"], shown["completedBy"]["override"]) == ("complete", True)
        assert "approver" not in shown["completedBy"]
        if "error" in completion:
            assert result == {"ok": False, "error": {**ERROR, "code": "WAITPOINT_FAILED"}, "answers": shown["answers"]}
            assert place.world.step_functions.failure(place.bare.handle).error == "Refused"
        else:
            assert result == {"ok": True, "output": completion["data"]}
        assert choose(place.api, place.token, "bo", "approve").status == 200
        assert given(place.shown) == [("ann", "approve")]
        assert place.shown["otherDeliveries"]["count"] == 1
        page = page_of(place.api.get(link(place.token, "bo"), BROWSER))
        assert has_nothing_to_press(page)

    @pytest.mark.parametrize("route", ["id", "key"])
    def test_chooses_what_the_page_accepts_in_as_few_bytes_as_a_person(self, place: Place, route: str) -> None:
        room = MAX_ANSWER - len('{"action":"reject","fields":{"note":""}}')
        path, named = self.named(place, route)
        for data, status in (({"action": "nothing"}, 422), ({"action": "reject", "fields": {"note": "x" * (room + 1)}}, 413)):
            is_refused(place.world, partial(place.api.post, path, {**named, "data": data}), status)
        data = {"action": "reject", "fields": {"note": "x" * room}}
        assert place.api.post(path, {**named, "data": data}).status == 200

    def test_in_a_state_is_told_that_a_choice_is_too_long(self, place: Place) -> None:
        data = {"action": "reject", "fields": {"note": "x" * MAX_ANSWER}}
        with pytest.raises(BodyTooLarge):
            self.act(place, "state, id", {"data": data})

    def act(self, place: Place, route: str, completion: dict[str, Any]) -> None:
        path, named = self.named(place, route)
        if "state" in route:
            Template.load().functions()["complete_token_in_state"].call({**named, **completion})
            return
        assert place.api.post(path, {**named, **completion}).status == 200

    def named(self, place: Place, route: str) -> tuple[str, dict[str, str]]:
        if "key" in route:
            return COMPLETE_BY_KEY, {"idempotencyKey": KEY}
        return f"{TOKENS}/{place.token['id']}/complete", {"waitpointId": place.token["id"]} if "state" in route else {}


class TestTheTimeout:
    def test_ends_it_with_what_came(self, place: Place) -> None:
        place.world.advance(3_600_000)
        place.world.timers.fire(place.token["id"])
        result, shown = place.result(), place.shown
        assert (result["ok"], result["error"]["name"]) == (False, "WaitpointTimeoutError")
        assert (given(result), given(shown)) == ([("ann", "approve")],) * 2
        assert shown["completedBy"]["source"] == "timeout"
        assert place.world.step_functions.failure(place.bare.handle).error == "WaitpointTimeoutError"

    def test_holds_for_an_answer_before_it_is_stored(self, place: Place) -> None:
        place.world.advance(3_600_000)
        assert choose(place.api, place.token, "bo", "approve").status == 200
        pressed = place.api.post(link(place.token, "cy"), urlencode({"action": "approve"}), FORM)
        assert (pressed.status, has_nothing_to_press(page_of(pressed))) == (200, True)
        assert (place.shown["status"], given(place.shown)) == ("TIMED_OUT", [("ann", "approve")])
        assert place.shown["otherDeliveries"]["count"] == 2


class TestAPersonalLink:
    """What is no answer is counted, and nobody is asked who has answered, or after the end."""

    def test_refuses_a_long_answer_and_waits_for_a_shorter_one(self, place: Place) -> None:
        is_refused(place.world, lambda: choose(place.api, place.token, "bo", "approve", note="x" * MAX_ANSWER), 413)
        assert choose(place.api, place.token, "bo", "approve").status == 200

    def test_is_in_no_log(self, place: Place, log: Any, capsys: pytest.CaptureFixture[str]) -> None:
        for name in (*PEOPLE, "dee"):
            url = place.world.urls.url(place.token["id"], "", name)
            for body in ("{}", '{"action": "approve", "fields": {"note": "secret-note"}}'):
                place.api.post(url, body, JSON)
            place.api.get(url, BROWSER)
            place.api.get(url.replace(name, "eve"), BROWSER)
        place.api.retrieve(place.token["id"])
        written = log.getvalue() + capsys.readouterr().out
        hashes = [one["url"].rsplit("/", 1)[1].split("?")[0] for one in place.token["links"]]
        assert place.token["id"] in written
        assert [one for one in [*hashes, "secret-note", "approver="] if one in written] == []
