"""Where a decision stands for each of its approvers."""

from waitpoints.api.page.approvers import Approver
from waitpoints.api.page.definition import load, parse
from waitpoints.api.page.progress import Progress, find_asked
from waitpoints.token import Answer, Token

PAGE = load(
    parse(
        {
            "title": "Go?",
            "approvers": ["ann", "bo", "cy"],
            "actions": [{"id": "yes", "label": "Yes", "needs": 2}, {"id": "no", "label": "No"}],
            "escalate": {"after": "1d", "to": ["lea"]},
        }
    )
)
ANN, BO, CY, LEA = (Approver(name) for name in ("ann", "bo", "cy", "lea"))
ANSWER = Answer("bo", "yes", "{}", 1)


def token(*answers: Answer, escalated_at: int | None = None) -> Token:
    return Token(id="waitpoint_1", created_at=0, answers=answers, escalated_at=escalated_at)


def test_who_is_asked_changes_with_the_escalation() -> None:
    assert find_asked(token(), PAGE, "ann") == ANN
    assert find_asked(token(), PAGE, "lea") is None
    assert find_asked(token(escalated_at=1), PAGE, "lea") == LEA
    assert find_asked(token(escalated_at=1), PAGE, "Lea") is None
    assert find_asked(token(), load(parse({"title": "Go?"})), "ann") is None


def test_who_has_answered_and_who_has_not() -> None:
    progress = Progress(PAGE, token(ANSWER), ANN)
    assert (progress.given(), progress.missing()) == ([(BO, ANSWER)], [ANN, CY])
    assert Progress(PAGE, token(ANSWER, escalated_at=1)).missing() == [ANN, CY, LEA]


def test_the_own_answer_is_that_of_who_looks() -> None:
    assert Progress(PAGE, token(ANSWER), BO).own_answer == ANSWER
    assert Progress(PAGE, token(ANSWER), ANN).own_answer is None
    assert Progress(PAGE, token(ANSWER)).own_answer is None


def test_each_action_is_counted() -> None:
    answers = (ANSWER, Answer("ann", "no", "{}", 2), Answer("cy", "yes", "{}", 3))
    assert Progress(PAGE, token(*answers)).chosen() == {"yes": 2, "no": 1}
