"""How answers are written as JSON, digit for digit as they were sent."""

import json
from typing import Any

import pytest

from waitpoints.approval_json import MAX_ANSWER, answer_members, answers_text, check_size, decided_text, different_values
from waitpoints.errors import BodyTooLarge
from waitpoints.token import Answer

ANN = Answer("ann", "approve", '{"amount":1.50,"id":12345678901234567890}', 1_800_000_000_000)
BO = Answer('b"o\\ü', "reject", "{}", 1_800_000_000_001)
SHOWN: list[dict[str, Any]] = [
    {
        "approver": "ann",
        "action": "approve",
        "fields": {"amount": 1.5, "id": 12345678901234567890},
        "at": "2027-01-15T08:00:00.000Z",
    },
    {"approver": 'b"o\\ü', "action": "reject", "fields": {}, "at": "2027-01-15T08:00:00.001Z"},
]


def test_the_fields_keep_their_digits() -> None:
    assert '"fields":{"amount":1.50,"id":12345678901234567890}' in answers_text([ANN])
    assert '"fields":{"amount":1.50,"id":12345678901234567890}' in decided_text([BO, ANN])


def test_all_are_in_their_order() -> None:
    assert json.loads(answers_text([ANN, BO])) == answer_members([ANN, BO]) == SHOWN
    assert answers_text([]) == "[]"


def test_the_last_one_decides() -> None:
    assert json.loads(decided_text([ANN, BO])) == {"action": "reject", "fields": {}, "approver": BO.approver, "answers": SHOWN}


@pytest.mark.parametrize("letter", ["x", "ü", "語", "🎈"])
def test_an_answer_is_measured_in_bytes(letter: str) -> None:
    most = MAX_ANSWER // len(letter.encode())
    check_size(letter * most)
    with pytest.raises(BodyTooLarge, match="at most 3,072 bytes"):
        check_size(letter * (most + 1))


ENTERED = '{"n":1200,"t":"a\\nb","b":false,"l":["eu","us"],"id":12345678901234567890}'


@pytest.mark.parametrize(
    ("others", "different"),
    [
        ('{"id":12345678901234567890,"l":["us","eu"],"b":false,"t":" a\\r\\nb ","n":1.2e3}', ()),
        (ENTERED.replace("1200", "1200.01"), ("n",)),
        (ENTERED.replace("67890", "67891"), ("id",)),
        (ENTERED.replace("1200", "1200.00000000000000000001"), ("n",)),
        (ENTERED.replace("1200", "12.0e2").replace("67890}", "67890.0}"), ()),
        (ENTERED.replace("1200", f"1e-{'9' * 20}"), ("n",)),
        (ENTERED.replace("false", "true").replace("a\\n", "A\\n"), ("t", "b")),
        (ENTERED.replace(',"us"', ""), ("l",)),
        (ENTERED.replace('"n":1200,', ""), ("n",)),
        (ENTERED.replace('"n":1200,', '"more":1,"n":1200,'), ()),
    ],
)
def test_values_are_compared_as_a_form_understands_them(others: str, different: tuple[str, ...]) -> None:
    names = json.loads(ENTERED)
    assert different_values(names, ENTERED, others) == different_values(names, others, ENTERED) == different
    assert different_values(("absent",), ENTERED, others) == ()
