"""The member `remind` of a page: what is accepted, and what a create and retrieve make of it."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.world import World
from waitpoints.api.page import page_checks, reminder_checks
from waitpoints.api.page.shapes import LONGEST
from waitpoints.errors import InvalidPage
from waitpoints.timeouts import Limits
from waitpoints.token import iso

HOUR = 3_600_000
ESCALATE = {"after": "1d", "to": ["lead"]}


def check(remind: Any) -> int:
    page = {"title": "Go?", "remind": remind}
    page_checks.parse(page)
    return reminder_checks.check_plan(page, None)


@pytest.mark.parametrize(
    "remind",
    [["1h"], ["60m", "2h"], ["4h", "1d"], ["1h", "2h", "3h", "4h", "36500d"], "every 1h", "every 1d12h", "every 5214w"],
)
def test_what_is_accepted(remind: Any) -> None:
    assert check(remind) >= HOUR


@pytest.mark.parametrize(
    ("remind", "place", "says"),
    [
        ([], "page.remind", "1 to 5"),
        (["1h"] * 6, "page.remind", "1 to 5"),
        ("4h", "page.remind", "1 to 5"),
        ("every", "page.remind", "1 to 5"),
        (None, "page.remind", "1 to 5"),
        (True, "page.remind", "1 to 5"),
        ({"after": "4h"}, "page.remind", "1 to 5"),
        (["59m"], "page.remind[0]", "an hour"),
        ("every 59m", "page.remind", "an hour"),
        (["4h", "4h"], "page.remind[1]", "ascending"),
        (["1d", "4h"], "page.remind[1]", "ascending"),
        (["4h", "4h59m"], "page.remind[1]", "an hour apart"),
        (["4h", "soon"], "page.remind[1]", "duration"),
        (["4h", 86400], "page.remind[1]", "duration"),
        (["2030-01-31"], "page.remind[0]", "duration"),
        (["1h", None], "page.remind[1]", "duration"),
        ("every ", "page.remind", "duration"),
        ("every every 1d", "page.remind", "duration"),
        ("every 1d ", "page.remind", "duration"),
        (["36501d"], "page.remind[0]", "36500d"),
        ([f"{'9' * 90}w"], "page.remind[0]", "36500d"),
    ],
)
def test_what_is_refused_is_named(remind: Any, place: str, says: str) -> None:
    with pytest.raises(InvalidPage, match=says) as refused:
        check(remind)
    assert refused.value.message.startswith(f"Invalid {place}: ")


class TestACreate:
    @pytest.mark.parametrize(
        ("page", "timeout", "refused"),
        [
            ({"remind": ["4h"]}, None, None),
            ({"remind": ["4h", "1d"]}, "5h", None),
            ({"remind": ["4h"]}, "4h", "page.remind"),
            ({"remind": ["4h"]}, "1h", "page.remind"),
            ({"remind": "every 1d"}, "1d", "page.remind"),
            ({"approvers": ["ann"], "escalate": ESCALATE}, "1d", "page.escalate.after"),
            ({"approvers": ["ann"], "escalate": ESCALATE}, "1d1s", None),
        ],
    )
    def test_that_times_out_before_anything_is_asked_is_refused(
        self, api: Api, page: dict[str, Any], timeout: str | None, refused: str | None
    ) -> None:
        """A typo must not be silent. A later reminder that does not come is what a moved deadline may need."""
        body = {"page": {"title": "Go?", **page}} | ({"timeout": timeout} if timeout else {})
        answer = api.post(TOKENS, body)
        if refused is None:
            assert answer.status == 200, answer.text
        else:
            assert (answer.status, refused in answer.text, "times out before" in answer.text) == (422, True, True)

    def test_knows_the_default_timeout_of_the_stack(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.install(monkeypatch, Limits(default="2h"))
        assert api.post(TOKENS, {"page": {"title": "Go?", "remind": ["4h"]}}).status == 422
        assert api.post(TOKENS, {"page": {"title": "Go?", "remind": ["1h"]}}).status == 200

    def test_far_in_the_future_is_still_a_date(self, api: Api, world: World) -> None:
        created = api.create(page={"title": "Go?", "remind": "every 36500d"})
        for _ in range(20):
            world.advance(LONGEST)
            world.timers.fire(created["id"])
        shown = api.retrieve(created["id"])["reminders"]
        assert shown == {"count": 20, "lastAt": iso(world.clock())}


def test_retrieve_shows_how_often_and_when_next(api: Api, world: World) -> None:
    now = world.clock()
    created = api.create(page={"title": "Go?", "remind": ["4h", "1d"]}, timeout="1d")
    assert api.retrieve(created["id"])["reminders"] == {"count": 0, "nextAt": iso(now + 4 * HOUR)}
    world.advance(5 * HOUR)
    world.timers.fire(created["id"])
    assert api.retrieve(created["id"])["reminders"] == {"count": 1, "lastAt": iso(now + 5 * HOUR)}
    assert "reminders" not in api.retrieve(api.create(page={"title": "Go?"})["id"])


def test_nothing_is_next_after_the_end(api: Api, world: World) -> None:
    created = api.create(page={"title": "Go?", "remind": ["4h"]})
    api.post(created["url"], '{"action": "submit", "fields": {}}', JSON)
    assert api.retrieve(created["id"])["reminders"] == {"count": 0}
