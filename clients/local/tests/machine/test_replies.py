"""What --answer, --time-out and --stand-in accept."""

import re
from pathlib import Path
from typing import Any

import pytest
from waitpoints_client.cli.problems import CommandProblem

from waitpoints_local.machine.history import Location
from waitpoints_local.machine.replies import describe_unused, parse_answers, parse_stand_ins
from waitpoints_local.machine.reply_plan import Answer, Reply, TimeOut, To
from waitpoints_local.machine.stand_ins import Fails, Returns

WAITING = {"Ask": 0, "Ask = more": 0, "Ask[2]": 0, "Each": 1, "Deep": 2}


@pytest.mark.parametrize(
    ("text", "to", "value"),
    [
        ('{"action": "approve"}', To(), {"action": "approve"}),
        ('{"a": "Ask=1"}', To(), {"a": "Ask=1"}),
        ("true", To(), True),
        ("@yes.json", To(), {"action": "yes"}),
        ("Ask=@yes.json", To("Ask"), {"action": "yes"}),
        ('Ask={"a": "b=c"}', To("Ask"), {"a": "b=c"}),
        ("Ask = more=1", To("Ask = more"), 1),
        ("Ask[2]=1", To("Ask[2]"), 1),
        ("Each[12]=null", To("Each", (12,)), None),
        ("Deep[0.3]=1", To("Deep", (0, 3)), 1),
        ("Ask as ann@example.com=1", To("Ask", None, "ann@example.com"), 1),
        ("Each[1] as Ann Lee=1", To("Each", (1,), "Ann Lee"), 1),
    ],
)
def test_an_answer_says_for_whom_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, to: To, value: Any) -> None:
    (tmp_path / "yes.json").write_text('{"action": "yes"}')
    monkeypatch.chdir(tmp_path)
    assert parse_answers([text], [], WAITING).replies == {to: [Answer(value)]}


def test_time_outs_come_first_and_answers_in_their_order() -> None:
    found = parse_answers(["Ask=1", "Ask=2"], ["Ask", "Each[1]", "Ask[2]"], WAITING).replies
    expected: dict[To, list[Reply]] = {
        To("Ask"): [TimeOut(), Answer(1), Answer(2)],
        To("Each", (1,)): [TimeOut()],
        To("Ask[2]"): [TimeOut()],
    }
    assert found == expected


@pytest.mark.parametrize(
    ("answers", "time_outs", "said"),
    [
        (["ask={}"], [], "--answer ask={}: no state ask waits for a token (did you mean Ask?): the states that wait are"),
        ([], ["Charge"], "--time-out Charge: no state Charge waits for a token"),
        (["Ask={"], [], "--answer Ask=… is not JSON"),
        (["Ask=@nofile"], [], "nofile cannot be read: No such file or directory"),
        (["approve"], [], """--answer is not JSON (Expecting value, line 1, column 1): write '"approve"' for a text"""),
        (["=1"], [], "--answer =1 has another form than JSON, STATE=JSON, STATE[ITEM]=JSON or STATE as APPROVER=JSON"),
    ],
)
def test_a_wrong_one_is_reported_with_what_is_accepted(answers: list[str], time_outs: list[str], said: str) -> None:
    with pytest.raises(CommandProblem) as refused:
        parse_answers(answers, time_outs, WAITING)
    assert said in str(refused.value)
    assert refused.value.status == 2


def test_a_file_that_is_not_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pay.json").write_text('{"paid":\n')
    monkeypatch.chdir(tmp_path)
    said = "is not JSON (Expecting value, line 2, column 1): write"
    with pytest.raises(CommandProblem, match=re.escape(f"pay.json of --answer Ask=… {said}")):
        parse_answers(["Ask=@pay.json"], [], WAITING)
    with pytest.raises(CommandProblem, match=re.escape(f"pay.json of --stand-in Pay=… {said}")):
        parse_stand_ins(["Pay=@pay.json"])


def test_a_stand_in_returns_or_fails_call_by_call() -> None:
    texts = ["Pay=fails Busy", "Pay=fails Lambda.ServiceException: try: again", 'Pay={"ok": true}', "Ship=[]", "Text=null"]
    assert parse_stand_ins(texts) == {
        "Pay": [Fails("Busy"), Fails("Lambda.ServiceException", "try: again"), Returns({"ok": True})],
        "Ship": [Returns([])],
        "Text": [Returns(None)],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pay", "--stand-in Pay has another form than NAME=JSON, NAME=@FILE or NAME=fails ERROR"),
        ("Pay=", "--stand-in Pay= has another form than"),
        ("Pay=fails", '"Pay=fails PaymentDeclined"'),
        ("Pay=fails no money", '"Pay=fails PaymentDeclined: a message"'),
        ("Pay=yes", """--stand-in Pay=… is not JSON (Expecting value, line 1, column 1): write '"yes"' for a text"""),
    ],
)
def test_a_stand_in_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(CommandProblem) as refused:
        parse_stand_ins([text])
    assert said in str(refused.value)


def test_what_was_not_used_is_reported_with_the_states_that_waited() -> None:
    answers = parse_answers(["Ask=1", "Ask=2", "Each=1"], ["Deep"], WAITING)
    answers.find("t", Location("Ask"))
    assert list(describe_unused(answers, ["Ask", "Other", "Ask"])) == [
        '--time-out for Deep was not used: the states that waited are "Ask", "Other"',
        '--answer for Ask, number 2 of 2, was not used: the states that waited are "Ask", "Other"',
        '--answer for Each was not used: the states that waited are "Ask", "Other"',
    ]
    assert list(describe_unused(parse_answers(["1"], [], WAITING), [])) == [
        "--answer for any state was not used: no state waited"
    ]
