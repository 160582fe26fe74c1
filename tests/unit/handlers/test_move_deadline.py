"""The route that moves the timeout of a waiting token, or hands its page over."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.decision import DECISION, choose, given, link
from tests.support.in_process.api_gateway import JSON, TOKENS, Api, HttpAnswer
from tests.support.in_process.approval_page import BROWSER, FORM, has_nothing_to_press, output, page_of
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.token import iso

ENDED = "The waitpoint has ended, so its {} can no longer be changed"
HOUR, DAY = 3_600_000, 86_400_000


def move(api: Api, token: Any, timeout: str | None) -> HttpAnswer:
    return api.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": timeout})


class TestMoveDeadline:
    @pytest.mark.parametrize("before", [None, "5m", "1h", "30d"])
    @pytest.mark.parametrize(("timeout", "ahead"), [("10m", HOUR // 6), ("7d", 7 * DAY)])
    def test_moves_it_either_way_from_now(self, api: Api, world: World, before: str | None, timeout: str, ahead: int) -> None:
        token = api.create(timeout=before)
        world.advance(60_000)
        answer = move(api, token, timeout)
        moved = iso(world.clock() + ahead)
        assert (answer.status, answer.json) == (200, {"id": token["id"], "timeoutAt": moved})
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["timeoutAt"]) == ("WAITING", moved)

    @pytest.mark.parametrize("before", [None, "1h"])
    def test_removes_it(self, api: Api, world: World, before: str | None) -> None:
        token = api.create(timeout=before)
        answer = move(api, token, None)
        assert (answer.status, answer.json) == (200, {"id": token["id"]})
        world.advance(365 * DAY)
        shown = api.retrieve(token["id"])
        assert (shown["status"], "timeoutAt" in shown) == ("WAITING", False)

    @pytest.mark.parametrize("timeout", ["1h", None])
    @pytest.mark.parametrize(
        "end",
        [
            lambda api, _, token: api.post(token["url"], {}),
            lambda api, _, token: api.post(f"{TOKENS}/{token['id']}/complete", {"error": {"message": "no"}}),
            lambda _, world, __: world.advance(600_000),
        ],
        ids=["completed", "failed", "due"],
    )
    def test_of_what_has_ended_is_409_and_changes_nothing(
        self, api: Api, world: World, end: Callable[..., object], timeout: str | None
    ) -> None:
        token = api.create(timeout="10m")
        end(api, world, token)
        is_refused(world, lambda: move(api, token, timeout), 409, ENDED.format("timeout"))

    def test_that_other_requests_change_each_time_is_503(self, api: Api, world: World) -> None:
        token = api.create(timeout="1h")
        world.store.move_deadline = lambda *_: False  # type: ignore[method-assign]
        is_refused(world, lambda: move(api, token, "2h"), 503)


def change(api: Api, token: Any, *, headers: Any = None, **approvers: Any) -> HttpAnswer:
    return api.request("PATCH", f"{TOKENS}/{token['id']}", {"approvers": approvers}, headers)


class TestAHandOver:
    @pytest.fixture
    def token(self, api: Api) -> dict[str, Any]:
        return api.create(page=DECISION, tags=["team-a"], timeout="1d")

    def test_answers_with_the_links_of_who_was_added_which_work_at_once(self, api: Api, token: dict[str, Any]) -> None:
        answer = change(api, token, add=["di", "ed"], remove=["ann"])
        assert (answer.status, answer.json.keys()) == (200, {"id", "links"})
        assert [one["approver"] for one in answer.json["links"]] == ["di", "ed"]
        assert choose(api, answer.json, "di", "approve").status == 200
        assert choose(api, answer.json, "ed", "approve").status == 200
        assert given(output(api, token)) == [("di", "approve"), ("ed", "approve")]

    def test_is_in_the_output_and_in_retrieve(self, api: Api, world: World, token: dict[str, Any]) -> None:
        change(api, token, headers=world.holder("create:team-a"), add=["di"], remove=["ann"])
        at = iso(world.clock())
        world.advance(1000)
        change(api, token, remove=["bo"])
        handed_over = [
            {"added": ["di"], "removed": ["ann"], "at": at, "key": "nightly"},
            {"added": [], "removed": ["bo"], "at": iso(world.clock())},
        ]
        shown = api.retrieve(token["id"])
        assert shown["handOvers"] == handed_over
        assert [one["id"] for one in shown["approvers"]] == ["cy", "di"] == [one["approver"] for one in shown["links"]]
        choose(api, token, "cy", "reject")
        assert output(api, token)["handOvers"] == handed_over

    def test_is_in_the_result_of_a_timeout_and_absent_without_one(self, api: Api, world: World) -> None:
        waiters = [world.new_waiter(), world.new_waiter()]
        one, other = (api.create(page=DECISION, timeout="1h", taskToken=waiter.handle) for waiter in waiters)
        change(api, one, add=["di"])
        world.advance(HOUR)
        for token in (one, other):
            world.tokens.expire(token["id"])
        results: list[Any] = [json.loads(world.step_functions.result(it.handle).json) for it in waiters]  # type: ignore[union-attr]
        assert [result["answers"] for result in results] == [[], []]
        assert results[0]["handOvers"][0]["added"] == ["di"]
        assert "handOvers" not in results[1] | api.retrieve(other["id"])

    def test_that_is_sent_again_gives_the_same_links_and_changes_nothing(
        self, api: Api, world: World, token: dict[str, Any]
    ) -> None:
        first = change(api, token, add=["di"], remove=["ann"])
        world.advance(1000)
        before = api.retrieve(token["id"])
        again = change(api, token, add=["di"], remove=["ann"])
        assert (again.status, again.json) == (200, first.json)
        assert api.retrieve(token["id"]) == before

    def test_takes_the_link_from_who_was_removed(self, api: Api, world: World, token: dict[str, Any]) -> None:
        change(api, token, add=["di"], remove=["ann"])
        program = partial(choose, api, token, "ann", "reject")
        is_refused(world, program, 403, "This waitpoint was handed over: this person may no longer answer")
        url, says = link(token, "ann"), "This request was handed over to other people."
        for ask in (partial(api.get, url, BROWSER), partial(api.post, url, "action=reject", FORM)):
            assert has_nothing_to_press(page_of(is_refused(world, ask, 403, says)))

    def test_is_shown_to_those_who_may_answer(self, api: Api, world: World, token: dict[str, Any]) -> None:
        links = change(api, token, headers=world.holder("create"), add=[{"id": "di", "name": "Di <i>"}], remove=["ann"]).json
        change(api, token, add=["ed"])
        text = page_of(api.get(link(links, "di"), BROWSER)).text
        assert "Handed over" in text
        for said in ("Di <i> (you)Added by nightly", "annRemoved by nightly", "edAdded by the root key"):
            assert said in text
        assert "Added by" not in page_of(api.get(token["url"], BROWSER)).text

    def test_of_what_has_ended_or_is_answered_is_409(self, api: Api, world: World, token: dict[str, Any]) -> None:
        choose(api, token, "ann", "approve")
        is_refused(world, lambda: change(api, token, remove=["ann"]), 409, "ann has answered")
        world.advance(DAY)
        is_refused(world, lambda: change(api, token, add=["di"]), 409, ENDED.format("approvers"))

    @pytest.mark.parametrize(
        ("scopes", "status"),
        [(["create"], 200), (["create:team-a"], 200), (["create:team-b"], 403), (["complete"], 403)],
        ids=str,
    )
    def test_is_for_who_may_create_the_token(
        self, api: Api, world: World, token: dict[str, Any], scopes: list[str], status: int
    ) -> None:
        ask = partial(change, api, token, headers=world.holder(*scopes), add=["di"])
        if status == 200:
            assert (ask().status, len(api.retrieve(token["id"])["handOvers"])) == (200, 1)
        else:
            is_refused(world, ask, status, "lacks the scope create")

    @pytest.mark.parametrize(
        ("scopes", "status"),
        [
            (["create"], 403),
            (["create", "notify:team-b"], 403),
            (["create", "notify:team-a"], 200),
            (["create", "notify"], 200),
        ],
        ids=str,
    )
    def test_that_notifies_someone_needs_the_scope_notify(self, api: Api, world: World, scopes: list[str], status: int) -> None:
        world.channels.add("email")
        page = {**DECISION, "approvers": ["a@example.com", "b@example.com", "c@example.com"]}
        token, headers = api.create(page=page, tags=["team-a"], notify={"email": True}), world.holder(*scopes)
        assert change(api, token, headers=headers, add=["d@example.com"]).status == status
        assert change(api, token, headers=headers, remove=["c@example.com"]).status == 200

    def test_while_others_always_answer_first_is_503(self, api: Api, world: World, token: dict[str, Any]) -> None:
        world.store.hand_over = lambda *_: False  # type: ignore[method-assign]
        is_refused(world, lambda: change(api, token, add=["di"]), 503)

    def test_keeps_a_cached_creates_links_up_to_date(self, api: Api) -> None:
        token = api.create(page=DECISION, idempotencyKey="k")
        change(api, token, add=["di"], remove=["ann"])
        again = api.create(page=DECISION, idempotencyKey="k")
        assert [one["approver"] for one in again["links"]] == ["bo", "cy", "di"]

    def test_of_a_person_of_the_escalation_counts_after_it(self, api: Api, world: World) -> None:
        token = api.create(page={**DECISION, "escalate": {"after": "1h", "to": ["lea", "leo"]}})
        change(api, token, remove=["lea"])
        world.advance(2 * HOUR)
        world.timers.fire(token["id"])
        assert choose(api, token, "lea", "reject").status == 403
        assert choose(api, token, "leo", "reject").status == 200
        assert api.post(link(token, "leo"), '{"action":"reject"}', JSON).status == 200

    def test_of_all_of_the_escalation_leaves_none_and_its_timer_asks_nobody(self, api: Api, world: World) -> None:
        page = {**DECISION, "escalate": {"after": "1h", "to": ["lea", "leo"]}}
        token = api.create(page=page, timeout="1d")
        change(api, token, remove=["lea", "leo"])
        assert "escalation" not in api.retrieve(token["id"])
        world.advance(2 * HOUR)
        world.timers.fire(token["id"])
        stored = world.store.get(token["id"])
        assert stored.due_at == stored.timeout_at, "its next timer is the timeout"
        assert "escalation" not in api.retrieve(token["id"])
        assert choose(api, token, "lea", "reject").status == 403
        assert choose(api, token, "ann", "reject").status == 200
        assert given(output(api, token)) == [("ann", "reject")]

    def test_is_beside_an_output_in_place_of_the_approvers_as_their_answers_are(self, api: Api, token: dict[str, Any]) -> None:
        assert choose(api, change(api, token, add=["di"]).json, "di", "approve").status == 200
        api.complete(token, data={"action": "reject", "fields": {}})
        assert output(api, token) == {"action": "reject", "fields": {}}
        shown = api.retrieve(token["id"])
        assert (shown["completedBy"]["override"], len(shown["answers"]), len(shown["handOvers"])) == (True, 1, 1)
