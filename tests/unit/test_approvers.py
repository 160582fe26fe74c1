"""Who may answer a page, as it is stored."""

import json

from waitpoints import approvers
from waitpoints.approvers import Approver, find_approver, find_member
from waitpoints.token import Answer, HandOver, Token

PAGE = {"approvers": ["ann", {"id": "bo", "name": "Bo"}], "requestedBy": "di", "escalate": {"after": "1d", "to": ["lea"]}}
ANN, BO, LEA = Approver("ann"), Approver("bo", "Bo"), Approver("lea")


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
