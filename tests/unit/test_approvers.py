"""Who may answer a page, as it is stored."""

from waitpoints import approvers
from waitpoints.approvers import Approver
from waitpoints.token import Answer, Token

PAGE = {"approvers": ["ann", {"id": "bo", "name": "Bo"}], "requestedBy": "di", "escalate": {"after": "1d", "to": ["lea"]}}
ANN, BO, LEA = Approver("ann"), Approver("bo", "Bo"), Approver("lea")


def test_an_approver_is_shown_by_name_or_id() -> None:
    assert [Approver("ann", "Ann Lee").shown, Approver("bo").shown] == ["Ann Lee", "bo"]
    assert Approver("bo", email="b@example.com").members() == {"id": "bo", "email": "b@example.com"}


def test_who_may_answer_and_has_not_changes_with_the_escalation() -> None:
    approval = approvers.load(PAGE)
    assert approval is not None
    waiting = Token(id="t", created_at=0, answers=(Answer("bo", "yes", "{}", 1),))
    escalated = Token(id="t", created_at=0, answers=waiting.answers, escalated_at=1)
    assert approval.who_may_answer(waiting) == (ANN, BO)
    assert approval.who_may_answer(escalated) == approval.everybody() == (ANN, BO, LEA)
    assert (approval.pending(waiting), approval.pending(escalated)) == ([ANN], [ANN, LEA])
    assert approval.links(str.upper)[2] == {"approver": "lea", "url": "LEA"}


def test_a_page_that_names_nobody_has_no_approval() -> None:
    assert approvers.load({"title": "Go?"}) is None
    assert approvers.of_token(Token(id="t", created_at=0)) is None
