"""Who may answer a page, as it is stored, and their answers as JSON, digit for digit as they were sent."""

import json
from typing import Any

import pytest

from waitpoints import approvers
from waitpoints.approvers import (
    MAX_ANSWER,
    Approver,
    answer_members,
    answers_text,
    check_size,
    decided_text,
    different_values,
    find_approver,
    find_member,
)
from waitpoints.errors import BodyTooLarge
from waitpoints.token import Answer, HandOver, Token

PAGE = {"approvers": ["ann", {"id": "bo", "name": "Bo"}], "requestedBy": "di", "escalate": {"after": "1d", "to": ["lea"]}}
ANN, BO, LEA = Approver("ann"), Approver("bo", "Bo"), Approver("lea")
BY_ANN = Answer("ann", "approve", '{"amount":1.50,"id":12345678901234567890}', 1_800_000_000_000)
BY_BO = Answer('b"o\\ü', "reject", "{}", 1_800_000_000_001)
SHOWN: list[dict[str, Any]] = [
    {
        "approver": "ann",
        "action": "approve",
        "fields": {"amount": 1.5, "id": 12345678901234567890},
        "at": "2027-01-15T08:00:00.000Z",
    },
    {"approver": 'b"o\\ü', "action": "reject", "fields": {}, "at": "2027-01-15T08:00:00.001Z"},
]


def test_an_approver_is_shown_by_name_or_id() -> None:
    assert [Approver("ann", "Ann Lee").shown, Approver("bo").shown] == ["Ann Lee", "bo"]
    assert Approver("bo", email="b@example.com").members() == {"id": "bo", "email": "b@example.com"}


def test_who_may_answer_and_has_not_changes_with_the_escalation() -> None:
    approval = approvers.of_page(PAGE)
    assert approval is not None
    waiting = Token(id="t", created_at=0, answers=(Answer("bo", "yes", "{}", 1),))
    escalated = Token(id="t", created_at=0, answers=waiting.answers, escalated_at=1)
    assert approval.who_may_answer(waiting) == (ANN, BO)
    assert approval.who_may_answer(escalated) == approval.everybody() == (ANN, BO, LEA)
    assert (approval.pending(waiting), approval.pending(escalated)) == ([ANN], [ANN, LEA])
    assert approval.links(approval.everybody(), str)[2] == {"approver": "lea", "url": "lea"}


def test_a_hand_over_changes_who_may_answer_and_keeps_everybodys_place() -> None:
    away, back = HandOver(({"id": "di", "name": "Di"},), ("ann", "lea"), 1), HandOver(({"id": "ed"},), ("di",), 2)
    waiting = Token(id="t", created_at=0, page=json.dumps(PAGE), hand_overs=(away, back))
    approval = approvers.of_token(waiting)
    assert approval is not None
    assert approval.who_may_answer(waiting) == approval.everybody() == (BO, Approver("ed"))
    assert approval.ever == (ANN, BO, LEA, Approver("di", "Di"), Approver("ed"))
    assert [waiting.has_removed(one) for one in ("ann", "bo", "lea", "di", "ed")] == [True, False, True, True, False]


def test_a_page_that_names_nobody_has_no_approval() -> None:
    assert approvers.of_page({"title": "Go?"}) is None
    assert approvers.of_token(Token(id="t", created_at=0)) is None


def test_who_may_answer_is_found_by_id_or_member_of_slack() -> None:
    waiting, escalated = Token(id="t", created_at=0), Token(id="t", created_at=0, escalated_at=1)
    approval = approvers.of_page({**PAGE, "approvers": ["ann", {"id": "bo", "slack": "UBO"}]})
    assert find_member(waiting, approval, "UBO") == find_approver(waiting, approval, "bo") == Approver("bo", slack="UBO")
    assert find_approver(waiting, approval, "lea") is None
    assert find_approver(escalated, approval, "lea") == LEA
    assert find_approver(escalated, approval, "Lea") is None
    assert find_approver(waiting, None, "ann") is None


def test_the_fields_keep_their_digits() -> None:
    assert '"fields":{"amount":1.50,"id":12345678901234567890}' in answers_text([BY_ANN])
    assert '"fields":{"amount":1.50,"id":12345678901234567890}' in decided_text([BY_BO, BY_ANN])


def test_all_are_in_their_order() -> None:
    assert json.loads(answers_text([BY_ANN, BY_BO])) == answer_members([BY_ANN, BY_BO]) == SHOWN
    assert answers_text([]) == "[]"


def test_the_last_one_decides() -> None:
    assert json.loads(decided_text([BY_ANN, BY_BO])) == {
        "action": "reject",
        "fields": {},
        "approver": BY_BO.approver,
        "answers": SHOWN,
    }


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
