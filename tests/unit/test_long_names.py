"""What is said of a name that nobody knows: short, and without comparing it, however long the name is.

`api/request_model`
"""

import difflib
import json
from typing import Any

import pytest

from tests.support.example_requests import put_example_endpoint
from tests.support.in_process.api_gateway import Api
from tools.openapi.operations import by_id
from waitpoints.api.page import form as page_form
from waitpoints.api.page import page_checks
from waitpoints.api.providers.verify_request import parse_verify
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.create_token import CREATE_WAITPOINT_TOKEN_REQUEST
from waitpoints.api.schemas.public_token import CREATE_PUBLIC_TOKEN_REQUEST
from waitpoints.errors import InvalidPage, InvalidRequest, InvalidVerification, WaitpointsError
from waitpoints.unknown_names import refuse_unknown, unknown

FIELDS = ("note", "size", "x" * 90)
LONG = "a" * 3_000_000
PAGE = {"title": "T", "fields": {"properties": {"note": {"type": "string"}}}}


def test_a_name_of_up_to_100_characters_gets_the_nearest_one() -> None:
    assert unknown("notes", FIELDS) == 'unknown field "notes": did you mean "note"?'
    assert unknown("x" * 100, FIELDS).endswith(f'did you mean "{"x" * 90}"?')


def test_a_longer_name_is_compared_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difflib, "get_close_matches", lambda *_, **__: pytest.fail("it was compared"))
    assert unknown("n" * 101, FIELDS) == f'unknown field "{"n" * 60}…": expected one of {", ".join(FIELDS)}'


def _page_form() -> None:
    page = page_checks.parse({**PAGE, "actions": [{"id": "ok", "label": "OK"}]})[0]
    result = page_form.of_json(page, json.dumps({"action": "ok", "fields": {LONG: 1}}))
    assert isinstance(result, page_form.Errors)
    raise InvalidRequest(result.message)


REFUSED: dict[str, Any] = {
    "a field": lambda: refuse_unknown([LONG], FIELDS),
    "a field of a page's answer": _page_form,
    "a member of a page": lambda: page_checks.parse({**PAGE, LONG: 1})[1],
    "a keyword of a page's field": lambda: page_checks.parse(
        {"title": "T", "fields": {"properties": {"note": {"type": "string", LONG: 1}}}}
    )[1],
    "a name of a page's field": lambda: page_checks.parse({"title": "T", "fields": {"properties": {LONG: {}}}})[1],
    "a member of verify": lambda: parse_verify({"scheme": "github", LONG: 1}),
    "a scheme": lambda: parse_verify({"scheme": LONG}),
    "a field of a create": lambda: validate(CREATE_WAITPOINT_TOKEN_REQUEST, {LONG: 1}),
    "a claim": lambda: validate(CREATE_PUBLIC_TOKEN_REQUEST, {"claims": {LONG: 1}}),
    "7,000 fields of a create": lambda: validate(CREATE_WAITPOINT_TOKEN_REQUEST, {f"field{at}": 1 for at in range(7000)}),
    "3,000 wrong scopes": lambda: validate(CREATE_PUBLIC_TOKEN_REQUEST, {"claims": {"scopes": [1] * 3000}}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_message_is_short_and_nothing_long_was_compared(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compare, compared = difflib.get_close_matches, []

    def remember(word: str, *others: Any, **options: Any) -> list[str]:
        compared.append(word)
        return compare(word, *others, **options)

    monkeypatch.setattr(difflib, "get_close_matches", remember)
    with pytest.raises(WaitpointsError) as refusal:
        REFUSED[what]()
    assert len(compared) <= 2
    assert max(map(len, compared), default=0) <= 100
    assert isinstance(refusal.value, (InvalidRequest, InvalidPage, InvalidVerification))
    assert len(refusal.value.message) < 1500


def test_many_unknown_names_and_wrong_values_have_a_short_answer(api: Api) -> None:
    """A body of the largest size has hundreds of thousands of them."""
    put_example_endpoint()
    trial = by_id("try_endpoint_v1").example_path()
    many = {f"n{number}": number for number in range(100_000)}
    for body in (many, {"headers": many}):
        answer = api.post(trial, body)
        assert (answer.status, len(answer.text) < 500) == (400, True)
    scopes = api.post(by_id("create_public_token_v1").path, {"claims": {"scopes": [1] * 2_500}})
    assert (scopes.status, len(scopes.text) < 500) == (400, True)
