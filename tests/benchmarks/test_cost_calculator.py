"""`make costs` with settings: what it accepts, and how it prices a month."""

import re
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import costs, prices
from benchmarks.bill import ACCESS_LOG, DOCTOR, doctor, dollars, http_requests, logged
from benchmarks.calculator import SETTINGS, Asked, Counted, Month, NotAccepted, asked, price, report
from benchmarks.limits import CALLBACK_ROUTE
from tests.support.in_process.counting.meter import Call
from tests.support.in_process.counting.waits import CountedStep, Wait
from tests.support.in_process.template import Template

MILLION = 1_000_000
WAIT = Wait(
    [
        CountedStep(
            "create", "create_token", True, [Call("DynamoDB:PutItem", write_units=2)], 400, frozenset({"TokensCreated"})
        ),
        CountedStep("settle and resume", "accept_callback", True, [Call("DynamoDB:UpdateItem", write_units=4)], 600),
    ],
    item_bytes=800,
    stored_bytes=1000,
    index_bytes=200,
)
ROUND = CountedStep(
    "start_timers", "start_timers", False, [Call("", 4, 3)], 400, log_lines=2, metrics=frozenset({"TimersBehind"})
)
PART = CountedStep(
    "doctor", "doctor", False, [Call("", 5, 5)], 500, log_lines=2, metrics=frozenset({"Unrepaired", "OldestScan"})
)
COUNTED = Counted(WAIT, ROUND, PART)


def month(**options: Any) -> Month:
    return price(Asked(**options), replace(COUNTED, events=1.5), Template.load())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], Asked()),
        (["WAITS=5000"], Asked(waits=5000)),
        (["TIMEOUT=1d12h", "TIMED_OUT=1"], Asked(timeout="1d12h", timed_out=True)),
        (["TIMEOUT=none", "TIMED_OUT=0"], Asked(timeout=None)),
        (["PAYLOAD=12", "KEY=1", "WAITERS=100"], Asked(payload=12, key=True, waiters=100)),
        (["DURABLE=1", "STATES=3", "EVENTS=1"], Asked(durable=True, states=3, events=True)),
        (["PAGE=1", "APPROVERS=2", "MAIL=1", "REMINDERS=3"], Asked(page=True, approvers=2, mail=True, reminders=3)),
        (["COLD=0", "RETENTION=7", "DOCTOR=1d"], Asked(cold=0, retention=7, doctor=86_400_000)),
    ],
)
def test_each_setting_is_accepted(settings: list[str], expected: Asked) -> None:
    assert asked(settings) == expected


@pytest.mark.parametrize(
    ("setting", "accepted"),
    [
        ("WAITS=0", "from 1 to 10000000000"),
        ("WAITS=1e6", "a number of waits"),
        ("WAITS=-5", "a number of waits"),
        ("WAITS", "a number of waits"),
        ("WAITS=", "a number of waits"),
        ("WAITS=٣", "a number of waits"),
        ("TIMEOUT=0s", "such as 10m, 24h or 1d12h, or none"),
        ("TIMEOUT=1y", "such as 10m, 24h or 1d12h, or none"),
        ("TIMEOUT=3651d", "at most 3650d"),
        ("TIMED_OUT=yes", "1 if the waits time out, or 0"),
        ("PAYLOAD=11", "from 12 to 3145728"),
        ("PAYLOAD=3145729", "from 12 to 3145728"),
        ("KEY=order-1", "1 if tokens are created with a key, or 0"),
        ("WAITERS=101", "from 1 to 100"),
        ("DURABLE=2", "1 if Lambda durable functions wait"),
        ("STATES=-1", "from 0 to 25000"),
        ("EVENTS=orders", "1 if the stack has an event bus"),
        ("PAGE=2", "1 if the tokens have a page, or 0"),
        ("APPROVERS=21", "from 0 to 20"),
        ("MAIL=ann", "1 if people are told by mail, or 0"),
        ("REMINDERS=21", "from 0 to 20"),
        ("COLD=101", "from 0 to 100"),
        ("RETENTION=0", "from 1 to 3650"),
        ("DOCTOR=25h", "at most 1d"),
        ("WAIT=1", "make costs accepts WAITS, TIMEOUT, TIMED_OUT, PAYLOAD"),
        ("waits=1", "make costs accepts WAITS, TIMEOUT, TIMED_OUT, PAYLOAD"),
    ],
)
def test_anything_else_gets_one_sentence_that_says_what_is_accepted(
    setting: str, accepted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert costs.main([setting]) == 2
    said = capsys.readouterr()
    assert accepted in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_docs_costs_explains_every_setting_in_their_order() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", costs.COSTS.read_text(), re.MULTILINE) == list(SETTINGS)


def test_a_wait_without_a_timeout_cannot_time_out() -> None:
    with pytest.raises(NotAccepted, match="needs a TIMEOUT"):
        asked(["TIMED_OUT=1", "TIMEOUT=none"])


@pytest.mark.parametrize("setting", ["APPROVERS=2", "MAIL=1", "REMINDERS=1"])
def test_people_need_a_page(setting: str) -> None:
    with pytest.raises(NotAccepted, match=f"{setting.partition('=')[0]} needs PAGE=1"):
        asked([setting])


def test_a_page_has_no_payload() -> None:
    with pytest.raises(NotAccepted, match="PAYLOAD is not accepted with PAGE=1"):
        asked(["PAGE=1", "PAYLOAD=200"])


class TestAMonth:
    def test_multiplies_what_a_wait_costs(self) -> None:
        one, three = month(waits=MILLION).waits, month(waits=3 * MILLION).waits
        assert one["DynamoDB writes"] == 6 * prices.WRITE_UNIT
        assert three["DynamoDB writes"] == 3 * one["DynamoDB writes"]
        assert three["EventBridge"] == 4.5

    def test_has_the_second_tier_of_the_http_api(self) -> None:
        assert month(waits=150 * MILLION).waits["HTTP API"] == 300.00
        assert month(waits=200 * MILLION).waits["HTTP API"] == pytest.approx(300.00 + 100 * 0.90)

    def test_keeps_tokens_for_the_retention(self) -> None:
        stored = 0.45 + 0.05  # a KB in the table with its backup, and 200 bytes in the indexes
        assert month().waits["Storage, a month"] == pytest.approx(stored)
        assert month(retention=90).waits["Storage, a month"] == pytest.approx(3 * stored)

    def test_pays_a_transition_for_each_execution_that_waits_or_as_many_as_are_asked_for(self) -> None:
        assert sum(month(waiters=2).waiting.values()) == 50.00
        assert sum(month(waiters=2, states=5).waiting.values()) == 125.00

    def test_pays_three_operations_for_each_durable_function_that_waits(self) -> None:
        assert sum(month(waiters=2, durable=True).waiting.values()) == 48.00

    def test_pays_cold_starts(self) -> None:
        [cold] = [dollars for name, dollars in month(cold=100).waits.items() if name.startswith("Cold")]
        assert cold == pytest.approx(2 * 0.4 * 0.5 * 13.3334)

    def test_reads_secrets_once_in_five_minutes_and_not_more_often_than_there_are_waits(self) -> None:
        assert month(waits=100).waits["Secrets, read"] == pytest.approx(3 * 100 / 1e6 * 5.00)
        assert month(waits=MILLION).waits["Secrets, read"] == pytest.approx(3 * 8760 / 1e6 * 5.00)
        assert month(waits=300 * MILLION).waits["Secrets, read"] == pytest.approx(6 * 3 * 8760 / 1e6 * 5.00)

    def test_has_what_the_stack_costs_without_a_wait(self) -> None:
        resources = Template.load().body["Resources"].values()
        found = [it["Properties"] for it in resources if it["Type"] == prices.ALARM and "Condition" not in it]
        alarms = sum(sum("MetricStat" in it for it in alarm.get("Metrics", [{"MetricStat": None}])) for alarm in found)
        stack = month(waits=1).stack
        assert stack["2 secrets"] == 0.80
        assert stack[f"{len(found)} alarms on {alarms} metrics"] == pytest.approx(alarms * 0.10)
        assert stack["3 custom metrics"] == pytest.approx(0.90)  # TokensCreated, the timers' and the doctor's
        assert stack["2 metrics, an hour a day"] == pytest.approx(0.025)  # the doctor's other two
        assert month(waits=1, timeout=None).stack["4 custom metrics"] == pytest.approx(1.20)  # a token without one waits
        assert stack["The timer queue, polled while idle"] == pytest.approx(0.26, abs=0.005)

    def test_has_the_alarm_of_forgotten_tokens_if_it_is_asked_for(self) -> None:
        asked_for = price(Asked(), replace(COUNTED, events=1.5), Template.load({"LongestWaitDays": "7"})).stack
        assert sum(asked_for.values()) == pytest.approx(sum(month().stack.values()) + 0.10)

    def test_has_the_rounds_of_the_timers_and_of_the_doctor(self) -> None:
        """Each is a schedule's invocation and a function's, with its units, its time at 1769 MB, and its log lines."""
        stack = month(waits=1).stack
        timers = 1.00 + 0.20 + 0.1 * 1769 / 1024 * 13.3334 + 4 * 0.625 + 3 * 0.125 + 0.452 * 0.50
        doctor = 1.00 + 0.20 + 0.6 * 1769 / 1024 * 13.3334 + 5 * 0.625 + 5 * 0.125 + 0.552 * 0.50
        assert stack["`StartTimers`, 43,800 runs"] == pytest.approx(43_800 * timers / 1e6)
        assert stack["The doctor, 2,920 runs"] == pytest.approx(2_920 * doctor / 1e6)
        assert month(waits=1, doctor=86_400_000).stack["The doctor, 30 runs"] == pytest.approx(730 / 24 * doctor / 1e6)

    def test_has_mails_and_reminders_and_the_queue_and_alarms_that_they_need(self) -> None:
        told = replace(COUNTED, people={"Mail": 100.0, "Reminders, 2 a wait": 7.0}, metrics=frozenset({"NoticesSent"}))
        with_mail = price(Asked(waits=3 * MILLION), told, Template.load({"MailFrom": "a@example.com"}))
        assert (with_mail.waits["Mail"], with_mail.waits["Reminders, 2 a wait"]) == (300.0, 21.0)
        more = sum(with_mail.stack.values()) - sum(price(Asked(), COUNTED, Template.load()).stack.values())
        assert more == pytest.approx(0.26 + 2 * 0.10 + 0.30, abs=0.005)
        page = costs.COSTS.read_text()
        assert f"| Mail, Slack or Teams | ${more + 0.30:.2f} a month: a queue polled while idle, two custom metrics," in page

    def test_has_the_dashboard_of_a_stack_that_has_one(self) -> None:
        off, on = (price(Asked(), COUNTED, Template.load({"Dashboard": chosen})).stack for chosen in ("off", "on"))
        assert sum(on.values()) - sum(off.values()) == pytest.approx(3.00)

    def test_has_the_doctors_read_of_each_item_once_a_day(self) -> None:
        """Half a unit for each 4 KB, without what storage adds to an item, and 200 s of 1769 MB for a GB."""
        a_day = 0.8 * (1e9 / 4096 / 2 / 1e6 * 0.125 + 200 * 1769 / 1024 / 1e6 * 13.3334)
        one = month(waits=MILLION)
        assert one.table_gb == pytest.approx(0.8)
        assert one.waits[DOCTOR] == pytest.approx(30 * a_day)
        assert month(waits=MILLION, retention=90).waits[DOCTOR] == pytest.approx(90 * a_day)
        assert month(waits=MILLION, doctor=86_400_000).waits == one.waits

    def test_has_the_doctors_second_look_at_a_timer(self) -> None:
        timer = CountedStep("start the timer", "start_timers", False, [], 0, of_a_round=True)
        timed = replace(WAIT, steps=[*WAIT.steps, timer])
        assert doctor(timed, 30) - doctor(WAIT, 30) == pytest.approx(0.5 * 0.125)

    def test_is_shown_with_its_sums(self) -> None:
        shown = report(Asked(waits=2 * MILLION, key=True), month(waits=2 * MILLION))
        lines = {
            line[:48].strip(): float(line[48:].replace(",", ""))
            for line in shown.splitlines()
            if line[48:].strip()[-3:-2] == "."
        }
        parts = [amount for name, amount in lines.items() if "together" not in name]
        assert lines["all together"] == pytest.approx(sum(parts), abs=0.1)
        assert lines["what waits, together"] == 50.00
        assert str(Asked(page=True, approvers=2)).endswith("answered on a page by 2 approvers, 1 waiting execution")
        assert shown.startswith(
            "2,000,000 waits a month: a timeout of 24h and a key, completed with 200 bytes, 1 waiting execution\n"
        )

    @pytest.mark.parametrize(("interval", "most"), [(900_000, 316.8), (86_400_000, 3.3)])
    def test_says_when_the_doctor_cannot_read_the_table_in_a_day(self, interval: int, most: float) -> None:
        """Each of its rounds has 660 s, and 3.3 GB are read in that."""
        for waits, says in ((0.99 * most / 0.8, False), (1.01 * most / 0.8, True)):
            large = month(waits=round(waits * MILLION), doctor=interval)
            assert ("more than a day" in report(Asked(doctor=interval), large)) == says


class TestAWaitIsBilled:
    def test_with_the_bytes_that_cloudwatch_adds_to_each_log_line(self) -> None:
        """PutLogEvents counts 26 bytes for each event besides its message (botocore's model of it)."""
        called = CountedStep("settle and resume", "accept_callback", True, [], 600, log_lines=2)
        assert logged(called) == 600 + 2 * 26 + 201 + 26
        assert logged(CountedStep("guarantee", "resume_waiters", False, [], 140, log_lines=1)) == 166

    def test_with_the_line_of_the_access_log(self) -> None:
        api = Template.load().body["Resources"]["Api"]["Properties"]
        line: str = Template.load().resolve(api["AccessLogSettings"]["Format"], {})
        for variable, value in {
            "$context.requestId": "JKJaXmPLvHcESHA=",
            "$context.routeKey": CALLBACK_ROUTE,
            "$context.status": "200",
            "$context.responseLatency": "45",
            "$context.error.message": "-",
            "$context.integrationErrorMessage": "-",
            "$context.identity.sourceIp": "203.0.113.255",
        }.items():
            assert variable in line
            line = line.replace(variable, value)
        assert len(line) == ACCESS_LOG
        assert "$" not in line

    def test_with_what_the_api_sends_to_the_internet(self) -> None:
        step = CountedStep("settle and resume", "accept_callback", True, [], 0, answer_bytes=1300)
        assert dollars(Wait([step]))["Transfer out"] == pytest.approx(2 * 0.09)
        assert dollars(Wait([replace(step, over_http=False)]))["Transfer out"] == 0

    def test_at_forty_five_milliseconds(self) -> None:
        assert dollars(WAIT)["Lambda"] == pytest.approx(2 * (0.20 + 0.045 * 0.5 * 13.3334))

    def test_with_a_large_request_as_several(self) -> None:
        step = CountedStep("settle and resume", "accept_callback", True, [], 0)
        step.body_bytes = 512 * 1024
        assert http_requests(step) == 1
        step.body_bytes += 1
        assert http_requests(step) == 2

    def test_with_an_output_in_the_bucket(self) -> None:
        put = Call("S3:PutObject", parameters={"Body": b"x" * 300_000})
        million = dollars(Wait([CountedStep("settle and resume", "accept_callback", True, [put], 0)]))
        assert million["S3"] == 5.00
        assert million["Storage, a month"] == pytest.approx(300 * 0.023)
