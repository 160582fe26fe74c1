"""A token that a function environment has met costs less, and its deliveries are answered as before."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.callbacks import complete, signed
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.settling import COMPLETED_BY, limited_to
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.world import World
from waitpoints.errors import OutsideTag, TokenNotFound
from waitpoints.known_tokens import KNOWN_FOR, MOST, KnownTokens
from waitpoints.token import (
    ALL_CHECKED,
    NOTHING_CHECKED,
    Completed,
    Failed,
    Output,
    Rules,
    TimedOut,
    Token,
    TokenError,
)
from waitpoints.tokens import Ended, RulesApply

NOW = 1_700_000_000_000
ENDED = Token(id="waitpoint_1", created_at=NOW, tags=("a",), outcome=Completed(NOW, Output('"x"'), COMPLETED_BY))
FIELDS = {"type": "object", "properties": {"n": {"type": "number"}}}
PAGE = {"title": "Go?", "actions": [{"id": "go", "label": "Go"}], "fields": FIELDS}
FIT = b'{"done": 1}'
BROWSER = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("outcome", "kept"),
        [
            (Completed(NOW, Output('"x"', "object"), COMPLETED_BY), Completed(NOW)),
            (Failed(NOW, TokenError("no"), COMPLETED_BY), Failed(NOW, TokenError(""))),
            (TimedOut(NOW), TimedOut(NOW)),
        ],
    )
    def test_of_an_end_is_its_kind_and_time_without_the_result(self, outcome: Any, kept: Any) -> None:
        known = KnownTokens()
        known.note(replace(ENDED, outcome=outcome, rules=Rules(has_page=True)), NOW)
        found = known.find(ENDED.id, NOW)
        assert found is not None
        assert (found.outcome, found.tags, found.rules) == (kept, ("a",), Rules(has_page=True))

    @pytest.mark.parametrize("token", [replace(ENDED, outcome=None), replace(ENDED, early_until=NOW + 1)])
    def test_is_nothing_of_what_may_still_change(self, token: Token) -> None:
        """A waiting token may end, and a create gives an early completion its tags."""
        known = KnownTokens()
        known.note(token, NOW)
        assert known.find(token.id, NOW) is None

    @pytest.mark.parametrize(("later", "is_known"), [(0, True), (KNOWN_FOR - 1, True), (KNOWN_FOR, False), (-1, False)])
    def test_is_kept_for_five_minutes(self, later: int, is_known: bool) -> None:
        known = KnownTokens()
        known.note(ENDED, NOW)
        assert KNOWN_FOR == 5 * 60_000
        assert (known.find(ENDED.id, NOW + later) is not None) is is_known

    def test_is_the_latest_few_thousand(self) -> None:
        known = KnownTokens()
        for number in range(MOST + 1):
            known.note(replace(ENDED, id=str(number)), NOW)
            known.note(replace(ENDED, id="1"), NOW)  # is met again
        found = [number for number in range(MOST + 1) if known.find(str(number), NOW)]
        assert (len(found), found[:2]) == (MOST, [1, 2])


CALLS = ("complete", "peek", "count_delivery", "read_document")
"""What a completion may call of the store."""


def forget(world: World) -> None:
    """From now on a function that has just started."""
    world.tokens._known = KnownTokens()


class TestATokenThatHasEnded:
    def test_takes_no_call_from_who_may_complete_it(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        token = api.create(idempotencyKey="order-1")
        complete(api, token, {"data": "x" * 200_000})
        for name in CALLS:
            monkeypatch.setattr(world.store, name, None)
        assert complete(api, token, {"data": "x" * 200_000}).status == 200
        api.complete_by_key("order-1", data=2)

    def test_is_outside_the_tag_of_a_caller_as_before(self, world: World) -> None:
        token = world.create(tags=("a",))
        for _ in range(3):
            world.complete(token, "1", caller=limited_to("a"))
            with pytest.raises(OutsideTag):
                world.complete(token, "1", caller=limited_to("b"))

    def test_is_not_found_once_its_retention_has_removed_it(self, world: World) -> None:
        token = world.create()
        world.complete(token, "1")
        world.advance(seconds=RETENTION - 60)
        assert isinstance(world.complete(token, "1"), Ended)
        world.advance(seconds=60)
        world.store.remove(token)
        with pytest.raises(TokenNotFound):
            world.complete(token, "1")

    def test_that_an_operator_has_restored_to_before_its_end_ends_again(self, world: World) -> None:
        token = world.create()
        before = world.store.get(token)
        world.complete(token, "1")
        world.store.remove(token)
        world.store.create(before, None, world.clock())
        world.advance(KNOWN_FOR)
        world.complete(token, "2")
        outcome = world.store.get(token).outcome
        assert isinstance(outcome, Completed)
        assert outcome.output.json == "2"


class TestATokenWithRules:
    def test_is_read_again_so_its_end_elsewhere_is_seen_at_once(self, world: World) -> None:
        token = world.create(rules=Rules(complete_when="body.done"))
        assert isinstance(world.complete(token, "1", NOTHING_CHECKED), RulesApply)
        world.store.complete(token, Completed(world.clock(), Output("2"), COMPLETED_BY), ALL_CHECKED)
        assert isinstance(world.complete(token, "1", NOTHING_CHECKED), Ended)

    def test_that_do_not_prevent_a_completion_is_written_at_once(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = api.create(completeWhen="body.done")
        api.deliver(token, b"{}")
        for name in CALLS[1:]:
            monkeypatch.setattr(world.store, name, None)
        assert complete(api, token, {"data": 1}).status == 200


RULES: Mapping[str, dict[str, Any]] = {
    "none": {},
    "completeWhen": {"completeWhen": "body.done"},
    "payloadSchema": {"payloadSchema": {"type": "object", "required": ["done"]}},
    "verify": {"verify": {"scheme": "stripe", "secret": "stripe"}},
    "page": {"page": PAGE},
    "approvers": {"page": {**PAGE, "approvers": ["ann"]}},
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("state", ["waits", "completed", "failed", "timed out", "removed"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"{}", JSON), (FIT, JSON), (b"action=go", BROWSER), (b"action=other", BROWSER)],
    ids=["misfit", "fit", "answer", "wrong answer"],
)
def test_every_answer_is_that_of_a_function_which_has_just_started(
    api: Api, world: World, stripe: FakeSecret, rules: str, state: str, body: bytes, headers: dict[str, str]
) -> None:
    begin, answers = world.clock(), []
    for starts in (True, False):
        world.clock.now = begin
        token = api.create(timeout="1h", **RULES[rules])
        bring(api, world, token, state)
        sent = signed(token, body) if rules == "verify" and body == FIT else headers
        answers.append([answer(api, world, token, body, sent, starts) for _ in range(3)])
    assert answers[0] == answers[1]


def answer(
    api: Api, world: World, token: Mapping[str, str], body: bytes, headers: Mapping[str, str], starts: bool
) -> tuple[Any, ...]:
    """What is answered, without what names the token."""
    if starts:
        forget(world)
    found = api.post(token["url"], body, headers)
    url_hash = token["url"].rpartition("/")[2]
    return found.status, found.text, {name: value.replace(url_hash, "hash") for name, value in found.headers.items()}


def bring(api: Api, world: World, token: Mapping[str, Any], state: str) -> None:
    match state:
        case "completed":
            complete(api, token, {"data": {"done": 1, "action": "go", "fields": {}}})
        case "failed":
            complete(api, token, {"error": {"message": "no"}})
        case "timed out":
            world.advance(seconds=3600)
        case "removed":
            world.store.remove(token["id"])
