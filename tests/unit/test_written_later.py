"""A token or an endpoint that a later version wrote, as after a rollback: this one shows it, and settles and changes nothing.

`test_options.py` has the other ways to settle a token, `test_store.py` the condition itself.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from waitpoints_client.version import __version__

import schedule_timeouts
from tests.support import previous
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.world import World
from tools.openapi.document import FILE
from waitpoints import telemetry
from waitpoints.access.api_keys import NamedKey, Scope
from waitpoints.aws.items import is_endless_attachment
from waitpoints.doctor.repair import Defect, Repair, Repairs
from waitpoints.errors import WrittenLater
from waitpoints.notices import Notify
from waitpoints.token import SINCE, VERSION, Verification, Waiter

PAGE = {"title": "Deploy?", "approvers": ["ann", "bo"]}


def test_this_version_is_the_projects() -> None:
    major, minor, *_ = map(int, re.findall(r"\d+", __version__))
    assert 100 * major + minor == VERSION


def said(api: dict[str, Any], schema: Any) -> set[str]:
    """The names and the values that a request may have here, as the API is described, but for those in a member of `SINCE`."""
    schemas = api["components"]["schemas"]
    match schema:
        case {"$ref": reference}:
            return said(api, schemas[reference.rpartition("/")[2]])
        case dict():
            own = {*schema.get("properties", {}), *filter(lambda it: isinstance(it, str), schema.get("enum", ()))}
            inner = [it for name, it in schema.get("properties", {}).items() if name not in SINCE]
            return own.union(*(said(api, it) for it in [*inner, *(it for name, it in schema.items() if name != "properties")]))
        case list():
            return set().union(*(said(api, it) for it in schema))
    return set()


def test_what_decides_how_a_token_ends_has_its_first_version_if_the_previous_one_does_not_know_it() -> None:
    now, before = (yaml.load(text, yaml.CSafeLoader) for text in (FILE.read_text(), previous.read("openapi.yaml")))
    schemes = previous.read("functions/waitpoints/api/providers/schemes.py")  # 0.4.1's openapi.yaml does not name them
    for member in ("page", "notify", "verify", "completeWhen", "payloadSchema"):
        new, old = (
            said(it, it["components"]["schemas"]["CreateWaitpointTokenRequest"]["properties"][member]) for it in (now, before)
        )
        formats = {"percent", "currency"}  # of a number: `numberFormat`
        assert {it for it in new - old if f'"{it}"' not in schemes} <= SINCE.keys() | formats


ENDPOINTS = "/api/v1/endpoints"


@pytest.fixture(autouse=True)
def installed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install(monkeypatch)


def create(api: Api, world: World, **options: Any) -> dict[str, Any]:
    token: dict[str, Any] = api.create(**options)
    world.store.make_later(token["id"])
    return token


WAYS: dict[str, tuple[dict[str, Any], Callable[[Api, dict[str, Any]], HttpAnswer]]] = {
    "an approver's link": ({"page": PAGE}, lambda api, token: api.post(token["links"][0]["url"], {"action": "submit"})),
    "an approver's look": ({"page": PAGE}, lambda api, token: api.get(token["links"][0]["url"], {"accept": "text/html"})),
    "a look at the page": ({"page": {"title": "?"}}, lambda api, token: api.get(token["url"], {"accept": "text/html"})),
    "a large output": ({}, lambda api, token: api.post(token["url"], b'"' + b"x" * 400_000 + b'"')),
    "another deadline": (
        {"timeout": "1h"},
        lambda api, token: api.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": "2m"}),
    ),
    "a hand-over of what is no page here": (
        {},
        lambda api, token: api.request("PATCH", f"{TOKENS}/{token['id']}", {"approvers": {"add": ["cy"]}}),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_is_answered_503_until_the_later_version_is_back(api: Api, world: World, way: str) -> None:
    options, ask = WAYS[way]
    token = create(api, world, **options)
    before, timers = world.store.get(token["id"]), list(world.queue.sent)
    answer = ask(api, token)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (world.store.get(token["id"]), world.queue.sent, world.objects) == (before, timers, {})


def test_takes_no_waiter(api: Api, world: World) -> None:
    token = create(api, world)
    with pytest.raises(WrittenLater):
        world.wait(token["id"], Waiter(world.step_functions.start_task(), world.clock()))


def test_is_retrieved_and_listed(api: Api, world: World) -> None:
    token = create(api, world, page=PAGE, tags=["later"])
    assert api.retrieve(token["id"])["status"] == "WAITING"
    assert [one["id"] for one in api.get(f"{TOKENS}?filter[tags]=later").json["data"]] == [token["id"]]


class TestWhatActsByItself:
    @pytest.fixture
    def counted(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        names: list[str] = []
        monkeypatch.setattr(telemetry, "count", lambda name, number=1: names.extend([name] * number))
        return names

    @pytest.fixture
    def due(self, api: Api, world: World) -> str:
        token = create(api, world, timeout="1h")
        world.advance(3_600_001)
        return str(token["id"])

    @pytest.mark.parametrize("late", [0, -60_000])  # milliseconds. A timer may fire before a deadline that was moved
    def test_its_timer_skips_it_and_counts_it(self, world: World, due: str, counted: list[str], late: int) -> None:
        sent = list(world.queue.sent)
        world.advance(late)
        world.timers.fire(due)
        assert counted == ["TokensWrittenLater"]
        assert (world.store.get(due).outcome, world.queue.sent) == (None, sent)

    def test_so_does_the_doctor(self, world: World, due: str, counted: list[str]) -> None:
        repair = Repair(world.tokens, world.timers, world.store, world.clock)
        assert repair.repair({due: Defect.OVERDUE}, [], lambda: True) == Repairs()
        assert counted == ["TokensWrittenLater"]
        assert world.store.get(due).outcome is None

    @pytest.mark.parametrize(
        ("image", "counts"),
        [
            ({"sinceVersion": {"N": str(VERSION + 1)}, "item": {"S": "token"}}, 1),
            ({"sinceVersion": {"N": str(VERSION)}, "item": {"S": "later"}}, 0),
            ({"item": {"S": "later"}}, 0),
        ],
    )
    def test_so_does_the_stream(self, image: dict[str, Any], counts: int, counted: list[str]) -> None:
        record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": {"soon": {"BOOL": True}, **image}}}
        assert schedule_timeouts.handler({"Records": [record]}, Mock()) == {"batchItemFailures": []}
        assert counted == ["TokensWrittenLater"] * counts

    def test_the_doctor_deletes_no_unknown_kind_of_item(self) -> None:
        attached = {"tokenId": {"S": "waitpoint_1"}}
        assert [is_endless_attachment({"item": {"S": kind}, **attached}) for kind in ("page", "later")] == [True, False]


class TestAnUnknownMember:
    def test_of_notify_is_passed_over(self) -> None:
        assert Notify.of_text('{"slack": "#deploys", "later": true}') == Notify(slack="#deploys")

    def test_of_a_keys_scopes_is_ignored_and_the_others_hold(self) -> None:
        caller = NamedKey("a", "0" * 64, (Scope.of("later:a"), Scope.of("complete:a")), 0).caller
        assert caller.may("complete", ["a"])
        assert not caller.may("complete", ["b"])
        assert not caller.may("read", ["a"])


class TestAnEndpoint:
    @pytest.fixture
    def url(self, api: Api) -> str:
        return str(api.put_endpoint("later")["url"])

    @pytest.mark.parametrize("later", ["setting", "scheme"])
    def test_answers_503_and_is_shown(self, api: Api, world: World, url: str, later: str) -> None:
        if later == "setting":
            world.endpoints.make_later("later")
        else:
            endpoint = world.endpoints.get("later")
            assert endpoint
            world.endpoints.put(replace(endpoint, verify=Verification("later", "shared")))
        for answer in (api.post(url, {"id": "1"}), api.post(f"{ENDPOINTS}/later/test", {"body": {"id": "1"}})):
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert api.get(f"{ENDPOINTS}/later").json["name"] == "later"

    def test_says_503_when_tried_with_a_delivery_for_a_later_versions_token(self, api: Api, world: World, url: str) -> None:
        create(api, world, idempotencyKey="later:1")
        assert api.post(f"{ENDPOINTS}/later/test", {"body": {"id": "1"}}).status == 503
