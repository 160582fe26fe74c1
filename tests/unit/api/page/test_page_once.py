"""A request draws at most one page, and reads its token and its definition at most once."""

from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.decision import link
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.approval_page import APPROVAL, BROWSER, FITTING, FORM
from tests.support.in_process.world import World
from waitpoints.api.page import definition, render

WRONG = {**FITTING, "field.amount": "none"}


@pytest.fixture
def done(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of these was done."""
    done: Counter[str] = Counter()
    for what in ((render, "_document"), (definition, "of_text"), (world.store, "find"), (world.store, "read_document")):
        counted(done, monkeypatch, *what)
    return done


def counted(done: Counter[str], monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    do = getattr(owner, name)

    def count(*given: Any, **named: Any) -> Any:
        done[name] += 1
        return do(*given, **named)

    monkeypatch.setattr(owner, name, count)


def press(api: Api, url: str, fields: dict[str, str]) -> HttpAnswer:
    return api.post(url, urlencode({**fields, "action": "approve"}), FORM)


@pytest.mark.parametrize("people", [{}, {"approvers": ["ann", "bo"]}], ids=["anyone", "approvers"])
@pytest.mark.parametrize("confirm", [False, True])
def test_each_request_of_a_person(api: Api, done: Counter[str], people: dict[str, Any], confirm: bool) -> None:
    token = api.create(page={**APPROVAL, **people, "confirm": confirm})
    url = link(token, "ann") if people else token["url"]
    posts = (WRONG, FITTING, {**FITTING, "confirmed": "yes"}, FITTING)  # the last one comes too late
    for fields in (None, *posts, None):
        done.clear()
        answer = api.get(url, BROWSER) if fields is None else press(api, url, fields)
        assert answer.status in (200, 303, 422)
        assert done["_document"] == (answer.status != 303), (fields, done)
        assert max(done.values(), default=0) <= 1, (fields, done)
