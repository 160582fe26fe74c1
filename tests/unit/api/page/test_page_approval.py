"""A page whose approvers answer, each by a link of their own, and everybody else who tries to."""

import itertools
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.approval_page import BROWSER, FORM, JSON, has_nothing_to_press, output, page_of
from tests.support.fakes.in_memory import InMemory
from waitpoints.waiter_result import Success

PEOPLE = [{"id": "ann", "name": "Ann Lee", "email": "ann@example.com"}, "bo@example.com", "cy"]
PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "approvers": PEOPLE,
    "actions": [{"id": "approve", "label": "Approve it", "needs": 2}, {"id": "reject", "label": "Reject it"}],
    "fields": {"type": "object", "properties": {"note": {"type": "string", "title": "Note"}}},
}
IDS = ["ann", "bo@example.com", "cy"]


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    created: dict[str, Any] = api.create(page=PAGE, timeout="1d")
    return created


def link(token: dict[str, Any], approver: str) -> str:
    [url] = [it["url"] for it in token["links"] if it["approver"] == approver]
    return str(url)


def choose(api: Api, token: dict[str, Any], approver: str, action: str, **fields: Any) -> HttpAnswer:
    return api.post(link(token, approver), json.dumps({"action": action, "fields": fields}), JSON)


def press(api: Api, url: str, action: str, note: str = "") -> HttpAnswer:
    return api.post(url, urlencode({"action": action, "field.note": note}), FORM)


def answers(api: Api, token: dict[str, Any]) -> list[tuple[str, str]]:
    return [(it["approver"], it["action"]) for it in api.retrieve(token["id"])["answers"]]


class TestLinks:
    def test_of_everybody_are_in_the_create_and_in_retrieve(self, api: Api, token: dict[str, Any]) -> None:
        assert [it["approver"] for it in token["links"]] == IDS
        assert api.retrieve(token["id"])["links"] == token["links"]
        assert link(token, "bo@example.com").endswith("?approver=bo%40example.com")

    def test_of_a_cached_create_are_those_of_the_stored_page(self, api: Api) -> None:
        first = api.create(page=PAGE, idempotencyKey="k")
        again = api.create(page={**PAGE, "approvers": ["ed", "flo", "gus"]}, idempotencyKey="k")
        assert (again["isCached"], again["links"]) == (True, first["links"])

    def test_are_not_made_for_a_token_without_approvers(self, api: Api) -> None:
        plain = api.create(page={"title": "Go?"}, idempotencyKey="k")
        assert "links" not in plain
        assert "links" not in api.create(page=PAGE, idempotencyKey="k")
        assert {"links", "answers", "approvers"}.isdisjoint(api.retrieve(plain["id"]))

    def test_with_any_other_name_or_none_or_of_another_token_are_wrong(self, api: Api) -> None:
        tokens = [api.create(page={**PAGE, "approvers": IDS}) for _ in range(5)]
        everybody = itertools.product(range(5), IDS)
        hashes = {(number, name): link(tokens[number], name).split("/")[-1].split("?")[0] for number, name in everybody}
        for (number, name), (of, other) in itertools.product(hashes, hashes):
            url = f"{TOKENS}/{tokens[number]['id']}/callback/{hashes[of, other]}?approver={quote(name, safe='')}"
            expected = 422 if (number, name) == (of, other) else 401
            assert api.post(url, "{}", JSON).status == expected, (number, name, of, other)
        for (number, name), its_hash in hashes.items():
            without = f"{TOKENS}/{tokens[number]['id']}/callback/{its_hash}"
            for query in ("", "?approver=", f"?approver={name}&approver={name}", f"?Approver={name}"):
                assert api.post(without + query, "{}", JSON).status == 401, query

    def test_of_somebody_who_is_not_asked_are_forbidden(self, api: Api, world: InMemory, token: dict[str, Any]) -> None:
        for name in ("dee", "Ann", "ann ", "ann@example.com"):
            url = world.urls.approver_url(token["id"], "https://x.example", name)
            answer = api.post(url, '{"action": "reject"}', JSON)
            assert answer.status == 403, name
            assert "approved" not in answer.text
        assert answers(api, token) == []

    def test_survive_one_rotation_of_the_signing_key(self, api: Api, world: InMemory, token: dict[str, Any]) -> None:
        world.signing_key.rotate("the next key of this stack")
        assert choose(api, token, "ann", "approve").status == 200
        world.signing_key.rotate("the key after that")
        assert choose(api, token, "cy", "approve").status == 401


class TestADecision:
    def test_is_the_first_action_that_enough_people_choose(self, api: Api, world: InMemory) -> None:
        waiter = world.new_waiter(context=True)
        token = api.create(page=PAGE, taskToken=waiter.handle, context=True)
        assert choose(api, token, "ann", "approve", note="fine").status == 200
        assert api.retrieve(token["id"])["status"] == "WAITING"
        assert choose(api, token, "cy", "approve", note="me too").status == 200
        given = output(api, token)
        assert {**given, "answers": None} == {
            "action": "approve",
            "fields": {"note": "me too"},
            "approver": "cy",
            "answers": None,
        }
        assert [(it["approver"], it["action"], it["fields"]) for it in given["answers"]] == [
            ("ann", "approve", {"note": "fine"}),
            ("cy", "approve", {"note": "me too"}),
        ]
        told = world.step_functions.result(waiter.handle)
        assert isinstance(told, Success)
        assert json.loads(told.json)["output"] == given
        assert json.loads(told.json)["completedBy"]["approver"] == "cy"
        retrieved = api.retrieve(token["id"])
        assert retrieved["completedBy"]["approver"] == "cy"
        assert retrieved["answers"] == given["answers"]

    def test_needs_one_person_by_default(self, api: Api, token: dict[str, Any]) -> None:
        assert choose(api, token, "bo@example.com", "reject").status == 200
        assert output(api, token)["approver"] == "bo@example.com"

    def test_counts_one_answer_a_person_and_the_first_stands(self, api: Api, token: dict[str, Any]) -> None:
        choose(api, token, "ann", "approve")
        for action in ("approve", "approve", "reject"):
            assert choose(api, token, "ann", action).status == 200
        retrieved = api.retrieve(token["id"])
        assert (answers(api, token), retrieved["status"]) == ([("ann", "approve")], "WAITING")
        assert retrieved["otherDeliveries"]["count"] == 1  # the same answer again is not another one

    def test_is_not_changed_by_an_answer_after_it(self, api: Api, token: dict[str, Any]) -> None:
        choose(api, token, "ann", "reject")
        choose(api, token, "ann", "reject")
        assert "otherDeliveries" not in api.retrieve(token["id"])
        assert choose(api, token, "cy", "approve").status == 200
        retrieved = api.retrieve(token["id"])
        assert (answers(api, token), retrieved["otherDeliveries"]["count"]) == ([("ann", "reject")], 1)

    def test_is_taken_by_the_api_key_and_keeps_the_answers(self, api: Api, token: dict[str, Any]) -> None:
        choose(api, token, "ann", "approve")
        assert api.post(f"{TOKENS}/{token['id']}/complete", {"data": {"action": "reject"}}).status == 200
        retrieved = api.retrieve(token["id"])
        assert (retrieved["completedBy"]["source"], retrieved["completedBy"]["override"]) == ("complete", True)
        assert answers(api, token) == [("ann", "approve")]

    def test_that_timed_out_says_what_came(self, api: Api, world: InMemory) -> None:
        waiter, bare = world.new_waiter(), world.new_waiter(unwrap=True)
        token = api.create(page=PAGE, timeout="1h", taskToken=waiter.handle)
        world.tokens.wait(token["id"], bare)
        choose(api, token, "ann", "approve", note="fine")
        world.clock.advance(3_600_000)
        world.waking.look(token["id"])
        told = world.step_functions.result(waiter.handle)
        assert isinstance(told, Success)
        [given] = json.loads(told.json)["answers"]
        assert (given["approver"], given["fields"]) == ("ann", {"note": "fine"})
        assert world.step_functions.result(bare.handle) != told


class TestOtherDoors:
    def test_the_plain_url_shows_what_is_asked_and_takes_no_answer(self, api: Api, token: dict[str, Any]) -> None:
        page = page_of(api.get(token["url"], BROWSER))
        assert "Deploy 4.2" in page.text
        assert has_nothing_to_press(page)
        assert "Ann" not in page.text
        assert api.post(token["url"], '{"action": "reject"}', JSON).status == 403
        assert press(api, token["url"], "reject").status == 403
        assert press(api, f"{token['url']}?approver=ann", "reject").status == 403
        assert (answers(api, token), api.retrieve(token["id"])["status"]) == ([], "WAITING")

    def test_a_kept_completion_is_not_adopted_but_counted(self, api: Api) -> None:
        for key, completion in (("a", {"data": {"action": "reject"}}), ("b", {"error": {"message": "no"}})):
            assert api.post("/api/v1/waitpoints/complete", {"idempotencyKey": key, **completion}).status == 200
            token = api.create(page=PAGE, idempotencyKey=key)
            retrieved = api.retrieve(token["id"])
            assert (retrieved["status"], retrieved["otherDeliveries"]["count"]) == ("WAITING", 1)


class TestAPerson:
    def test_is_greeted_by_name_and_told_what_stands(self, api: Api, token: dict[str, Any]) -> None:
        page = page_of(api.get(link(token, "ann"), BROWSER))
        assert "You answer as Ann Lee" in page.text
        page = page_of(press(api, link(token, "ann"), "approve"))
        assert has_nothing_to_press(page)
        assert "You chose Approve it." in page.text
        assert "bo@example.com" in page.text
        page = page_of(api.get(link(token, "cy"), BROWSER))
        assert "Ann Lee" in page.text
        page = page_of(press(api, link(token, "cy"), "approve"))
        assert has_nothing_to_press(page)

    def test_whose_answer_is_too_long_is_told_so_and_can_shorten_it(self, api: Api, token: dict[str, Any]) -> None:
        assert press(api, link(token, "ann"), "approve", "x" * 3_100).status == 413
        assert choose(api, token, "ann", "approve", note="x" * 3_100).status == 413
        assert answers(api, token) == []
        assert press(api, link(token, "ann"), "approve", "x" * 3_000).status == 200
