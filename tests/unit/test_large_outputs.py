"""An output that is too large for its token's item is stored only once the token is known to wait and its rules accept it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import webhook_signer
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.token import CompletedBy, IdempotencyKey, Source
from waitpoints.tokens import Ended, Settled

LARGE = json.dumps({"text": "x" * IN_ITEM_LIMIT})
PAGE = {"title": "Refund?", "actions": [{"id": "approve", "label": "Approve"}]}
RULES: dict[str, tuple[dict[str, Any], int]] = {
    "verify": ({"verify": {"scheme": "github", "secret": "github"}}, 401),
    "completeWhen": ({"completeWhen": "body.done"}, 200),
    "payloadSchema": ({"payloadSchema": {"required": ["approved"]}}, 422),
    "page": ({"page": PAGE}, 422),
}


def send(api: Api, token: Mapping[str, Any], body: str = LARGE) -> HttpAnswer:
    return api.deliver(token, body.encode())


@pytest.fixture(autouse=True)
def github(world: World) -> None:
    world.webhook_secrets["github"] = FakeSecret(webhook_signer.secret_of("github"))


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_does_not_accept_is_not_stored(api: Api, world: World, rule: str) -> None:
    fields, status = RULES[rule]
    token = api.create(**fields)
    for _ in range(3):
        if status == 200:
            assert send(api, token).status == 200
        else:
            is_refused(world, lambda: send(api, token), status, is_counted=True)
    shown = api.retrieve(token["id"])
    assert (shown["status"], shown["otherDeliveries"]["count"], world.objects) == ("WAITING", 3, {})


@pytest.mark.parametrize("route", ["complete", "complete by key"])
@pytest.mark.parametrize("rule", ["payloadSchema", "page"])
def test_neither_if_an_authorized_caller_sends_it(api: Api, world: World, rule: str, route: str) -> None:
    token = api.create(**RULES[rule][0], idempotencyKey="order")
    routes: dict[str, tuple[str, dict[str, str]]] = {
        "complete": (f"{TOKENS}/{token['id']}/complete", {}),
        "complete by key": ("/api/v1/waitpoints/complete", {"idempotencyKey": "order"}),
    }
    path, more = routes[route]
    is_refused(world, lambda: api.post(path, {"data": json.loads(LARGE), **more}), 422)


def test_what_comes_after_the_end_is_not_stored(api: Api, world: World) -> None:
    token = api.create(timeout="1m")
    world.advance(60_000)
    for _ in range(3):
        assert send(api, token).status == 200
    shown = api.retrieve(token["id"])
    assert (shown["status"], shown["otherDeliveries"]["count"]) == ("TIMED_OUT", 3)
    assert world.objects == {}


def test_a_completion_that_loses_the_race_leaves_the_object_of_its_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read a token that waits. The one that comes second stores the same object again, or none that is read."""
    by = CompletedBy(source=Source.COMPLETE)
    token_id, waiting = (new := world.create()), world.store.peek(new)
    assert world.tokens.complete(token_id, LARGE, by) == Settled()
    monkeypatch.setattr(world.store, "peek", lambda _: waiting)
    for _ in range(3):
        assert isinstance(world.tokens.complete(token_id, LARGE, by), Ended)
    assert len(world.objects) == 1


def test_a_kept_completion_that_loses_the_race_leaves_one_object(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put_early, refusals = world.store.put_early, 3

    def refused(*arguments: Any, **options: Any) -> Any:
        nonlocal refusals
        refusals -= 1
        return put_early(*arguments, **options) if refusals < 0 else gone

    world.completions_by_key.complete(IdempotencyKey("a", world.clock() + 1), "1", CompletedBy(source=Source.COMPLETE))
    gone = world.store.find_key_holder(IdempotencyKey("a"))
    world.advance(1)
    monkeypatch.setattr(world.store, "put_early", refused)
    world.completions_by_key.complete(IdempotencyKey("a", world.clock() + 1), LARGE, CompletedBy(source=Source.COMPLETE))
    assert len(world.objects) == 1
