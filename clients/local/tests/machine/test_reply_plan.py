"""Which reply each token of a run gets."""

import pytest

from waitpoints_local.machine.history import Location
from waitpoints_local.machine.reply_plan import Answer, Answers, Reply, TimeOut, To

ASK, OTHER = Location("Ask"), Location("Other")


def of(*replies: tuple[To, Reply]) -> Answers:
    answers = Answers()
    for to, reply in replies:
        answers.add(to, reply)
    return answers


def found(answers: Answers, *asked: tuple[str, Location]) -> list[object]:
    replies = [answers.find(token, location) for token, location in asked]
    return [reply.value if isinstance(reply, Answer) else reply for reply in replies]


def test_a_state_is_answered_before_any_state() -> None:
    answers = of((To(), Answer("any")), (To("Ask"), Answer("ask")))
    assert found(answers, ("1", ASK), ("2", OTHER)) == ["ask", "any"]
    assert found(of((To("Ask"), Answer("ask"))), ("2", OTHER)) == [None]


def test_several_are_given_in_turn_and_the_last_one_stays() -> None:
    answers = of((To("Ask"), TimeOut()), (To("Ask"), Answer(1)), (To("Ask"), Answer(2)))
    assert found(answers, ("1", ASK), ("2", ASK), ("3", ASK), ("4", ASK)) == [TimeOut(), 1, 2, 2]


def test_a_token_that_is_looked_at_again_gets_the_same() -> None:
    answers = of((To("Ask"), Answer(1)), (To("Ask"), Answer(2)))
    assert found(answers, ("1", ASK), ("1", ASK), ("2", ASK), ("1", ASK)) == [1, 1, 2, 1]


def test_several_for_a_map_are_for_its_items_in_whatever_order_they_wait() -> None:
    answers = of(*((To("Ask"), Answer(number)) for number in range(3)))
    items = [
        ("a", Location("Ask", (2,))),
        ("b", Location("Ask", (0,))),
        ("c", Location("Ask", (1,))),
        ("d", Location("Ask", (4,))),
    ]
    assert found(answers, *items) == [2, 0, 1, 2]


def test_an_item_is_answered_before_its_state() -> None:
    answers = of((To("Ask", (1,)), Answer("first")), (To("Ask", (1,)), Answer("then")), (To("Ask"), Answer("others")))
    one, other = Location("Ask", (1,)), Location("Ask", (0,))
    assert found(answers, ("a", one), ("b", other), ("c", one)) == ["first", "others", "then"]


def test_an_approver_is_answered_for_before_everyone() -> None:
    answers = of((To("Ask", None, "ann"), Answer("by ann")), (To("Ask"), Answer("by all")))
    assert answers.find("1", ASK, "ann") == Answer("by ann")
    assert answers.find("1", ASK, "bo") == Answer("by all")
    assert of((To("Ask", None, "ann"), Answer("by ann"))).find("1", ASK, "bo") is None


def test_a_reply_of_no_one_who_is_asked_is_found() -> None:
    answers = of((To("Ask", None, "anne"), Answer(1)))
    assert answers.find_unknown_approver(ASK, ["ann", "bo"]) == "anne"
    assert answers.find_unknown_approver(ASK, []) == "anne"
    assert answers.find_unknown_approver(OTHER, ["ann"]) is None
    assert of((To("Ask", (1,), "anne"), Answer(1))).find_unknown_approver(Location("Ask", (1,)), ["ann"]) == "anne"


def test_somebody_else_may_be_asked_by_another_item_or_the_next_time() -> None:
    answers = of((To("Ask", None, "ann"), Answer(1)), (To("Ask", None, "bo"), Answer(2)))
    assert answers.find_unknown_approver(ASK, ["ann"]) is None
    assert of((To("Ask", None, "ann"), Answer(1))).find_unknown_approver(Location("Ask", (1,)), ["bo"]) is None
    again = of((To("Ask", None, "ann"), Answer(1)))
    again.find("1", ASK, "ann")
    assert again.find_unknown_approver(ASK, ["bo"]) is None
    assert of((To("Ask", None, "anne"), Answer(1)), (To(), Answer(2))).find_unknown_approver(ASK, ["ann"]) is None


def test_what_no_token_got_is_reported() -> None:
    answers = of((To("Ask"), Answer(1)), (To("Ask"), Answer(2)), (To("Other", (1,), "ann"), TimeOut()))
    answers.find("1", ASK)
    assert [(str(to), number, reply) for to, number, reply in answers.find_unused()] == [
        ("Ask", 2, Answer(2)),
        ("Other[1] as ann", 1, TimeOut()),
    ]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (To("ask"), 'no state ask waits for a token (did you mean Ask?): the states that wait are "Ask", "Each", "Deep"'),
        (To("Ask", (1,)), "Ask[1] has another form than the items of Ask, which is in no Map"),
        (To("Each", (1, 2)), "Each[1.2] has another form than the items of Each, which is in one Map"),
        (
            To("Deep", (1,)),
            "Deep[1] has another form than the items of Deep, which is within 2 Maps, one in the other: write Deep",
        ),
    ],
)
def test_one_that_nothing_can_get_is_reported_before(to: To, said: str) -> None:
    assert said in (of((to, Answer(1))).find_wrong({"Ask": 0, "Each": 1, "Deep": 2}) or "")


def test_those_that_can_be_given_are_not_wrong() -> None:
    right = [To(), To("Ask"), To("Each", (1,), "ann"), To("Each"), To("Deep", (0, 1))]
    assert of(*((to, Answer(1)) for to in right)).find_wrong({"Ask": 0, "Each": 1, "Deep": 2}) is None
