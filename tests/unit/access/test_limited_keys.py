"""What a named key may do to which tokens: its scopes may each be limited to a tag."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import pytest

from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, TOKENS, Api, HttpAnswer
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.stream.settled_event import settled_event
from waitpoints.stream.waiting_event import REMINDER, Change, waiting_event

KEY = "team-a:order"
MINUTE = 60_000  # milliseconds
NINE = [f"team-a:{number}" for number in range(1, 10)]
LARGE = {"text": "x" * IN_ITEM_LIMIT}
LACKS = "This key lacks the scope {0} for this waitpoint: it has {0}:team-a"
DECISION = {"title": "Go?", "approvers": ["ann", "bo"], "actions": [{"id": "yes", "label": "Yes"}], "remind": ["4h"]}

Headers = Mapping[str, str]


def complete(api: Api, token: Any, body: Any, headers: Headers | None) -> HttpAnswer:
    return api.post(f"{TOKENS}/{token['id']}/complete", body, headers)


def by_key(api: Api, body: Any, headers: Headers | None) -> HttpAnswer:
    return api.post(COMPLETE_BY_KEY, {"idempotencyKey": KEY, **body}, headers)


def listed(api: Api, headers: Headers, query: str = "") -> list[str]:
    return [token["id"] for token in api.ask("GET", f"{TOKENS}?{query}", headers=headers)["data"]]


class TestCreate:
    @pytest.mark.parametrize(
        ("scope", "tags", "stored"),
        [
            ("create:team-a", None, ("team-a",)),
            ("create:team-a", "team-a:x", ("team-a:x", "team-a")),
            ("create:team-a", ["team-a", "team-a:x"], ("team-a", "team-a:x")),
            ("create:team-a", NINE, (*NINE, "team-a")),
            ("create:team-a", [*NINE, "team-a"], (*NINE, "team-a")),
            ("create", ["x"], ("x",)),
            ("create", None, ()),
        ],
    )
    def test_adds_the_tag_of_the_key(self, api: Api, world: World, scope: str, tags: Any, stored: tuple[str, ...]) -> None:
        answer = api.post(TOKENS, {"tags": tags}, world.holder(scope))
        assert answer.status == 200
        token = world.store.tokens[answer.json["id"]]
        assert (token.tags, token.created_by) == (stored, "nightly")

    def test_has_no_room_for_the_tag_beside_ten_others(self, api: Api, world: World) -> None:
        ask = partial(api.post, TOKENS, {"tags": [*NINE, "team-a:10"]}, world.holder("create:team-a"))
        is_refused(world, ask, 422, "Waitpoints can only have 10 tags, and your API key adds one: team-a. Set at most 9")

    @pytest.mark.parametrize("scope", ["create", "create:team-a"])
    def test_returns_what_answers_its_tokens_also_without_complete(self, api: Api, world: World, scope: str) -> None:
        """`create` implies answering them: for its URL, and for every approver."""
        headers = world.holder(scope)
        for cached in (False, True):
            made = api.post(TOKENS, {"page": DECISION, "idempotencyKey": KEY}, headers).json
            assert made["isCached"] is cached
            assert made["url"].startswith("https://")
            assert [link["approver"] for link in made["links"]] == ["ann", "bo"]
        assert api.post(made["links"][0]["url"], {"action": "yes", "fields": {}}).status == 200
        assert api.retrieve(made["id"])["completedBy"]["approver"] == "ann"


class TestNotify:
    """A create with `notify` needs the scope `notify`: else any key that creates would send mail in the stack's name."""

    LACKS_IT = "This key lacks the scope notify"
    EMAIL: ClassVar[dict[str, Any]] = {"page": {"title": "Go?"}, "notify": {"email": ["eve@example.com"]}}

    @pytest.fixture(autouse=True)
    def channels(self, world: World) -> None:
        world.channels.add("email")

    @pytest.mark.parametrize(
        ("scopes", "tags", "says"),
        [
            (("create", "notify"), [], None),
            (("create:team-a", "notify"), [], None),
            (("create:team-a", "notify:team-a"), [], None),
            (("create", "notify:team-a"), ["team-a"], None),
            (("create", "notify:team-a"), [], LACKS.format("notify")),
            (("create", "notify:team-a"), ["team-b"], LACKS.format("notify")),
            (("create:team-b", "notify:team-a"), [], LACKS.format("notify")),
            (("notify",), [], "This key lacks the scope create"),
            (("create",), [], LACKS_IT),
            (("create:team-a",), [], LACKS_IT),
            (("create", "complete", "read", "endpoints"), [], LACKS_IT),
        ],
        ids=str,
    )
    def test_is_for_tokens_with_the_tag_of_the_scope_and_without_it_nothing_is_kept(
        self, api: Api, world: World, scopes: tuple[str, ...], tags: list[str], says: str | None
    ) -> None:
        ask = partial(api.post, TOKENS, {**self.EMAIL, "tags": tags}, world.holder(*scopes))
        if says:
            is_refused(world, ask, 403, says)
        else:
            assert (ask().status, len(world.store.tokens)) == (200, 1)

    def test_is_asked_before_what_says_which_channels_the_stack_has(self, api: Api, world: World) -> None:
        world.channels.clear()
        assert api.post(TOKENS, self.EMAIL, world.holder("create")).error == self.LACKS_IT

    def test_is_not_needed_by_the_root_key_and_by_a_state(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        assert api.create(**self.EMAIL)["isCached"] is False
        assert Template.load().functions()["create_token_in_state"].call(self.EMAIL)["isCached"] is False


class TestACachedCreate:
    """A token holds the key already. Its name decides whose it is, and not the token's tags."""

    @pytest.mark.parametrize("end", ["waits", "has ended"])
    @pytest.mark.parametrize("tags", [[], ["team-b"], ["team-a"]])
    def test_finds_the_token_and_waits_for_it(self, api: Api, world: World, tags: list[str], end: str) -> None:
        token = api.create(idempotencyKey=KEY, tags=tags)
        if end == "has ended":
            complete(api, token, {"data": 1}, None)
        task = world.step_functions.start_task()
        answer = api.post(TOKENS, {"idempotencyKey": KEY, "taskToken": task}, world.holder("create:team-a"))
        assert answer.json == {**token, "isCached": True}
        assert world.store.tokens[token["id"]].tags == tuple(tags)
        if end == "waits":
            complete(api, token, {"data": 1}, None)
        assert world.step_functions.result(task)

    @pytest.mark.parametrize("scope", [None, "create", "create:team-a"])
    def test_is_not_read(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch, scope: str | None) -> None:
        token = api.create(idempotencyKey=KEY)
        monkeypatch.setattr(world.store, "peek", None)
        monkeypatch.setattr(world.store, "find", None)
        answer = api.post(TOKENS, {"idempotencyKey": KEY}, world.holder(scope) if scope else None)
        assert answer.json == {**token, "isCached": True}


RESULTS = {"data": {"data": {"ok": 1}}, "error": {"error": {"message": "no"}}, "large": {"data": LARGE}, "nothing": {}}


class TestComplete:
    @pytest.mark.parametrize("state", ["waits", "is due", "has ended"])
    @pytest.mark.parametrize("result", RESULTS)
    def test_outside_the_tag_is_403_and_changes_and_stores_nothing(
        self, api: Api, world: World, state: str, result: str
    ) -> None:
        token = api.create(tags=["team-b"], timeout="1m")
        if state == "is due":
            world.advance(MINUTE)
        if state == "has ended":
            complete(api, token, {"data": 1}, None)
        ask = partial(complete, api, token, RESULTS[result], world.holder("complete:team-a", "create", "read"))
        is_refused(world, ask, 403, LACKS.format("complete"), "unauthorized")

    def test_checks_the_tag_in_the_one_write_that_settles(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, headers = api.create(tags=["team-b"]), world.holder("complete:team-a")
        for name in ("get", "peek", "read_document", "count_delivery", "time_out"):
            monkeypatch.setattr(world.store, name, None)
        assert complete(api, token, {"data": 1}, headers).status == 403


class TestCompleteByKey:
    @pytest.mark.parametrize("result", ["data", "error"])
    def test_that_comes_first_is_for_the_create_which_gives_it_its_tags(self, api: Api, world: World, result: str) -> None:
        kept = by_key(api, RESULTS[result], world.holder("complete:team-a")).json
        assert (kept["created"], world.store.tokens[kept["id"]].tags) == (True, ())
        headers = world.holder("read:team-a", name="reader")
        assert api.get(f"{TOKENS}/{kept['id']}", headers).status == 403
        made = api.post(TOKENS, {"idempotencyKey": KEY}, world.holder("create:team-a", name="creator")).json
        assert (made["id"], made["isCached"]) == (kept["id"], True)
        shown = api.get(f"{TOKENS}/{kept['id']}", headers).json
        assert (shown["status"], shown["createdBy"], shown["completedBy"]["key"]) == ("COMPLETED", "creator", "nightly")


class TestList:
    def test_has_only_the_tokens_with_the_tag_and_passes_the_callers_own_filters(self, api: Api, world: World) -> None:
        both, only, other, none = (api.create(tags=tags)["id"] for tags in (["x", "team-a"], ["team-a"], ["x"], []))
        headers = world.holder("read:team-a")
        assert set(listed(api, headers)) == {both, only}
        assert listed(api, headers, "filter%5Btags%5D=x") == [both]
        assert listed(api, headers, "filter%5Btags%5D=x,team-b") == [both]
        assert listed(api, headers, "filter%5Bstatus%5D=COMPLETED") == []
        assert set(listed(api, world.holder("read"))) == {both, only, other, none}

    def test_and_retrieve_show_no_title_of_another_tag(self, api: Api, world: World) -> None:
        theirs, ours = (api.create(tags=[tag], page={"title": f"Pay {tag}?"})["id"] for tag in ("team-b", "team-a"))
        headers = world.holder("read:team-a")
        [shown] = api.get(TOKENS, headers).json["data"]
        assert shown["page"] == api.get(f"{TOKENS}/{ours}", headers).json["page"] == {"title": "Pay team-a?"}
        assert "Pay" not in is_refused(world, lambda: api.get(f"{TOKENS}/{theirs}", headers), 403).text


def test_a_token_is_not_read_for_a_packet_unless_the_key_is_limited(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{api.create()['id']}/{'0' * 16}.json"
    world.put_object(name, b"1")
    monkeypatch.setattr(world.store, "find", None)
    for headers in (api.authorized, world.holder("read")):
        assert api.get(f"/api/v1/packets/{name}", headers).status == 200


class TestWhoeverMayNotCompleteAToken:
    """Sees nothing that completes it."""

    @pytest.mark.parametrize(
        ("scopes", "may"),
        [
            (("read",), False),
            (("read:team-a",), False),
            (("read", "create", "endpoints"), False),
            (("read", "complete:team-b"), False),
            (("read", "complete:team-a"), True),
            (("read", "complete"), True),
        ],
    )
    @pytest.mark.parametrize("end", ["waits", "has ended"])
    def test_sees_neither_its_url_nor_its_links(
        self, api: Api, world: World, scopes: tuple[str, ...], may: bool, end: str
    ) -> None:
        world.channels.add("email")
        people = [{"id": name, "email": f"{name}@example.com"} for name in ("ann", "bo")]
        token = api.create(
            tags=["team-a"],
            page={**DECISION, "approvers": people, "escalate": {"after": "1d", "to": ["lead@example.com"]}},
            notify={"email": True},
            metadata={"run": 1},
        )
        api.create(tags=["team-a", "team-b"], page={"title": "Go?"})
        if end == "has ended":
            api.post(token["links"][0]["url"], {"action": "yes", "fields": {}})
        root = api.retrieve(token["id"])
        answer = api.get(f"{TOKENS}/{token['id']}", world.holder(*scopes))
        assert root["links"]
        assert answer.json == (root if may else {**{name: it for name, it in root.items() if name != "links"}, "url": ""})
        in_list = next(it for it in api.get(TOKENS, world.holder(*scopes)).json["data"] if it["id"] == token["id"])
        assert in_list["url"] == (token["url"] if may else "")
        if not may:
            assert "/callback/" not in answer.text + json.dumps(in_list)

    def test_reads_no_event_with_it_either(self, world: World, api: Api) -> None:
        token = world.store.get(api.create(page=DECISION)["id"])
        reminder = waiting_event(token, Change(REMINDER, 1, token.created_at))
        complete(api, {"id": token.id}, {"data": {"action": "yes", "fields": {}}}, None)
        ended = settled_event(world.store.get(token.id), "bucket")
        assert "/callback/" not in reminder.detail + ended.detail


class TestWhoItWas:
    def test_is_in_retrieve_in_both_events_and_in_a_result_with_context(self, api: Api, world: World) -> None:
        task = world.step_functions.start_task()
        body = {"page": DECISION, "taskToken": task, "context": True}
        made = api.post(TOKENS, body, world.holder("create", name="maker")).json
        token = world.store.get(made["id"])
        assert json.loads(waiting_event(token, Change(REMINDER, 1, token.created_at)).detail)["createdBy"] == "maker"
        complete(api, made, {"data": {"action": "yes", "fields": {}}}, world.holder("complete", name="finisher"))
        shown = api.retrieve(made["id"])
        result = world.step_functions.value(task)
        event = json.loads(settled_event(world.store.get(made["id"]), "bucket").detail)
        for found in (shown, event, result):
            assert (found["createdBy"], found["completedBy"]["key"]) == ("maker", "finisher")

    def test_is_said_of_no_request_with_the_root_key(self, api: Api, world: World) -> None:
        made = api.create()
        complete(api, made, {"data": 1}, None)
        shown = api.retrieve(made["id"])
        assert "createdBy" not in shown
        assert "key" not in shown["completedBy"]
        assert world.api_key_store.reads == 0
