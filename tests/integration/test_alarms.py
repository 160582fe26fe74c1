"""The alarms of template.yaml, evaluated as CloudWatch does, on metrics of quiet, busy and broken stacks."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from tests.support.cloudwatch import EXTRA, Alarm, Metric, evaluate
from tests.support.in_process.template import CHANNELS, Template
from waitpoints.scan_state import LATE

TEMPLATE = Template.load({"LongestWaitDays": "7", **CHANNELS})
NAMES = {name: {"Ref": name, "QueueName": name} for name in TEMPLATE.body["Resources"]}
ALARMS = {name: Alarm(TEMPLATE.resolve(it, NAMES)) for name, it in TEMPLATE.resources("AWS::CloudWatch::Alarm").items()}
MINUTE, HOUR, DAY = 60, 3600, 86_400
STOPPED = ["ResumeStoppedAlarm", "TimersStoppedAlarm"]


def every(seconds: float, until: float = HOUR, start: float = 0) -> dict[float, float]:
    """One of something every so many seconds."""
    return {start + number * seconds: 1 for number in range(int((until - start) // seconds) + 1)}


def invoked(records: Iterable[float], lag: float = 1.3) -> dict[float, float]:
    """The invocations of a consumer that is in time."""
    return {at + lag: 1 for at in records}


def rings(name: str, metrics: Mapping[str, Metric], seconds: int = HOUR, late: Mapping[str, float] | None = None) -> int | None:
    """Return after how many seconds the alarm goes on."""
    alarm = ALARMS[name]
    states = alarm.states(metrics, seconds, late)
    return (states.index("ALARM") + 1) * alarm.period if "ALARM" in states else None


@pytest.mark.parametrize("name", STOPPED)
class TestAStreamConsumer:
    @pytest.mark.parametrize("apart", [2, 10, 60, 119])
    def test_that_is_invoked_no_more_is_told_within_ten_minutes(self, name: str, apart: float) -> None:
        """Its mapping is disabled, lost its permission, or is only throttled: Lambda counts no invocation then.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, Invocations
        """
        records = every(apart, 2 * HOUR)
        for broken in range(HOUR, HOUR + 4 * MINUTE, 47):
            seen = invoked([at for at in records if at < broken])
            told = rings(name, {"records": records, "invoked": seen}, 2 * HOUR)
            assert told is not None
            assert 0 < told - broken <= 9 * MINUTE

    def test_that_never_was_invoked_is_told_too(self, name: str) -> None:
        assert rings(name, {"records": every(30), "invoked": {}}) == 6 * MINUTE

    @pytest.mark.parametrize("apart", [10, 119, 300, HOUR])
    @pytest.mark.parametrize("late", [60, 180, 239])
    def test_that_is_in_time_never_rings_though_its_invocations_are_counted_later(
        self, name: str, apart: int, late: int
    ) -> None:
        """Lambda's metrics come minutes after those that a function logs."""
        records = every(apart, 2 * HOUR, start=0.9)
        assert rings(name, {"records": records, "invoked": invoked(records)}, 2 * HOUR, {"invoked": late}) is None

    def test_whose_mapping_is_updated_does_not_ring(self, name: str) -> None:
        """Lambda may stop polling for up to 90 seconds:

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
        """
        for began in range(HOUR, HOUR + 2 * MINUTE, 29):
            for apart in (2, 50, 119):
                records = every(apart, 2 * HOUR)
                seen = {at if not began <= at < began + 90 else began + 90.0: 1.0 for at in records}
                assert rings(name, {"records": records, "invoked": seen}, 2 * HOUR) is None

    @pytest.mark.slow
    @pytest.mark.parametrize("apart", [60, 119, 120, 121, 180, 240, 300, 600, HOUR])
    def test_that_is_in_time_never_rings_however_often_and_when_tokens_come(self, name: str, apart: int) -> None:
        until = DAY if apart == HOUR else 2 * HOUR
        for second in range(0, 120, 7):
            for lag in (0.3, 1.3, 60, 119):
                records = every(apart, until, start=second + 0.9)
                assert rings(name, {"records": records, "invoked": invoked(records, lag)}, until) is None

    def test_that_is_in_time_never_rings_if_tokens_come_at_random(self, name: str) -> None:
        chance = random.Random(21)  # noqa: S311 - no secret
        for mean in (2, 30, 120, 300, 3000):
            records, now = {}, 0.0
            while now < DAY / 4:
                now += chance.expovariate(1 / mean)
                records[now] = 1.0
            seen = {at + chance.uniform(0.2, 20): 1.0 for at in records}
            assert rings(name, {"records": records, "invoked": seen}, DAY // 4) is None

    def test_in_a_stack_without_tokens_does_not_ring(self, name: str) -> None:
        assert rings(name, {"records": {}, "invoked": {}}) is None
        assert rings(name, {"records": {}, "invoked": every(60)}) is None

    def test_that_goes_on_is_over(self, name: str) -> None:
        records = every(10, 2 * HOUR)
        seen = invoked(at for at in records if not HOUR <= at < HOUR + 20 * MINUTE)
        states = ALARMS[name].states({"records": records, "invoked": seen}, 2 * HOUR)
        assert states.count("ALARM") == 8
        assert states[-1] == "OK"


def requests(number: int, failed: int, on_purpose: int = 0) -> dict[str, Metric]:
    """Within five minutes. `on_purpose` more are refused with 503."""
    times = [1 + 290 * place / max(1, number + on_purpose) for place in range(number + on_purpose)]
    refused, failing = dict.fromkeys(times[:on_purpose], 1), dict.fromkeys(times[: on_purpose + failed], 1)
    return {"requests": dict.fromkeys(times, 1), "failed": failing, "refused": refused}


@pytest.mark.parametrize("on_purpose", [0, 3, 1000])
@pytest.mark.parametrize(
    ("number", "failed", "expected"),
    [
        (1, 1, False),  # one or two failed requests of a quiet stack
        (2, 2, False),
        (3, 3, True),
        (20, 2, False),
        (23, 3, True),  # a canary that fails everything, a tenth of the requests of a million waits a month
        (300, 2, False),
        (300, 3, True),
        (301, 3, False),  # under one in a hundred
        (2000, 19, False),
        (2000, 20, True),
        (0, 0, False),
    ],
)
def test_the_api_fails_if_one_in_a_hundred_requests_does_and_three_do_beside_any_refused_on_purpose(
    number: int, failed: int, on_purpose: int, expected: bool
) -> None:
    """A gradual deployment looks at this alarm, so what is refused on purpose does not stop one."""
    assert (rings("ApiFailedAlarm", requests(number, failed, on_purpose), 300) == 300) is expected


@pytest.mark.parametrize("late", [60, 180])
def test_refusals_on_purpose_do_not_ring_while_api_gateways_metrics_are_late(late: int) -> None:
    """API Gateway's metrics come minutes after those that a function logs."""
    refused = every(0.3, 2 * HOUR)
    metrics = {"requests": refused, "failed": refused, "refused": refused}
    assert rings("ApiFailedAlarm", metrics, 2 * HOUR, dict.fromkeys(["requests", "failed"], late)) is None


@pytest.mark.parametrize(
    ("minutes", "apart", "expected"),
    [
        (8, 1, None),  # a burst, and what its providers repeat at once
        (60, 0.1, 10 * MINUTE),
        (60, 58, 10 * MINUTE),
        (12 * 60, 20 * MINUTE, None),  # a minute now and then
    ],
)
def test_requests_that_are_refused_for_minutes_ring_and_a_burst_does_not(
    minutes: int, apart: float, expected: int | None
) -> None:
    throttled = {"RequestsThrottled": every(apart, minutes * MINUTE - 1)}
    assert rings("RequestsThrottledAlarm", throttled, minutes * MINUTE) == expected


def errors(**of: Metric) -> dict[str, Metric]:
    return {name: of.get(name, {}) for name in ("resume", "schedule", "start", "expire", "send")}


@pytest.mark.parametrize("function", ["resume", "schedule", "start", "expire", "send"])
def test_a_function_in_the_background_that_keeps_failing_is_told_and_one_crash_is_not(function: str) -> None:
    assert rings("BackgroundFailedAlarm", errors(**{function: every(60)})) == 10 * MINUTE
    assert rings("BackgroundFailedAlarm", errors(**{function: {7: 1}})) is None
    assert rings("BackgroundFailedAlarm", errors(**{function: every(HOUR, DAY)}), DAY) is None


WORKED = {"TimersBehindAlarm": ("TimersBehind", MINUTE), "DoctorMissingAlarm": ("Unrepaired", 15 * MINUTE)}


@pytest.mark.parametrize("works", [0, 1, 30 * HOUR])
@pytest.mark.parametrize("name", WORKED)
def test_a_function_that_does_no_work_any_more_rings(name: str, works: float) -> None:
    """Not started, failed, timed out, or run to no effect: its metric, sent where its work is done, is missing in each case.

    Lambda counts an invocation, and no error, of a function that does nothing, so its own metrics cannot replace this one:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    metric, apart = WORKED[name]
    alarm = ALARMS[name]
    runs = dict.fromkeys(every(apart, works), 0.0) if works else {}
    told = rings(name, {metric: runs}, 60 * HOUR)
    most = (alarm.properties["EvaluationPeriods"] + EXTRA + 1) * alarm.period
    assert told is not None
    assert told - works <= most
    assert rings(name, {metric: dict.fromkeys(every(apart, 60 * HOUR), 0.0)}, 60 * HOUR) is None


def test_timers_that_stay_behind_ring_though_their_function_runs() -> None:
    runs = {at: float(at >= 10 * MINUTE) for at in every(MINUTE)}
    assert rings("TimersBehindAlarm", {"TimersBehind": runs}) == 15 * MINUTE


class TestTheDoctor:
    def test_tells_that_something_is_undone_until_it_was_seen_finished(self) -> None:
        """Also if it makes a round a day, and if it makes none any more."""
        daily = {0.0: 0.0, DAY: 1.0, 2 * DAY: 1.0, 3 * DAY: 0.0}
        states = ALARMS["UnrepairedAlarm"].states({"Unrepaired": daily}, 4 * DAY)
        assert states[:24] == ["OK"] * 24
        assert states[24:72] == ["ALARM"] * 48
        assert states[72:] == ["OK"] * 24
        assert set(ALARMS["UnrepairedAlarm"].states({"Unrepaired": {100: 2}}, DAY)) == {"ALARM"}

    def test_of_a_quarter_of_an_hour_tells_it_within_the_hour_and_that_it_is_over(self) -> None:
        rounds = {at: float(5 * HOUR <= at < 7 * HOUR) for at in range(0, DAY, 15 * MINUTE)}
        states = ALARMS["UnrepairedAlarm"].states({"Unrepaired": rounds}, DAY)
        assert [hour for hour, state in enumerate(states) if state == "ALARM"] == [5, 6]

    @pytest.mark.parametrize("apart", [15 * MINUTE, HOUR, DAY])
    def test_that_reads_the_table_once_a_day_does_not_ring(self, apart: int) -> None:
        """The pass that ended last is at most two days old when the next one ends."""
        ages = {at: float(at % DAY + DAY) for at in range(0, 10 * DAY, apart)}
        assert rings("OldestScanAlarm", {"OldestScan": ages}, 10 * DAY) is None

    def test_rings_as_early_though_only_late_scans_and_ends_are_told(self) -> None:
        late = {at: float(at) for at in range(LATE // 1000, 4 * DAY, 15 * MINUTE)}
        states = ALARMS["OldestScanAlarm"].states({"OldestScan": {0: 0.0} | late | {4 * DAY: float(DAY)}}, 10 * DAY)
        assert [hour for hour, state in enumerate(states) if state == "ALARM"] == [*range(50, 96)]

    def test_that_falls_behind_rings_and_does_not_stop_until_a_pass_is_young(self) -> None:
        def ring(apart: int) -> list[str]:
            ages = {at: float(at if at < 9 * DAY else at - 8 * DAY) for at in range(0, 10 * DAY, apart)}
            return ALARMS["OldestScanAlarm"].states({"OldestScan": ages}, 10 * DAY)

        assert ring(15 * MINUTE).index("ALARM") == 50
        assert ring(15 * MINUTE).count("ALARM") == 9 * 24 - 50
        assert ring(DAY).index("ALARM") == 3 * 24
        assert ring(DAY)[-1] == "OK"


class TestATokenThatNobodyEnds:
    """`LongestWaitDays` is 7, and the token is created at 0."""

    PROPERTIES = ALARMS["OldestWaitingAlarm"].properties
    ALARM = Alarm({**PROPERTIES, "Threshold": int(PROPERTIES["Threshold"])})

    def states(self, waited: Callable[[float], float], apart: int, days: int) -> list[str]:
        """The alarm's state at the end of each hour, if a round measures how many days have been waited."""
        rounds = {float(at): waited(at) for at in range(0, days * DAY, apart)}
        return self.ALARM.states({"OldestWaiting": rounds}, days * DAY)

    @pytest.mark.parametrize(("apart", "late"), [(15 * MINUTE, 1), (HOUR, 2), (DAY, 25)])
    def test_rings_once_its_days_are_over_and_until_it_has_ended(self, apart: int, late: int) -> None:
        """A round sees within `apart` that it has ended."""
        states = self.states(lambda at: at / DAY if at < 9 * DAY else 0, apart, 12)
        assert 7 * 24 <= states.index("ALARM") < 7 * 24 + late
        assert 9 * 24 <= states.index("OK", states.index("ALARM")) <= 9 * 24 + apart // HOUR
        assert states[-1] == "OK"

    @pytest.mark.parametrize("apart", [15 * MINUTE, DAY])
    def test_never_rings_if_it_ends_within_its_days_or_if_there_is_none(self, apart: int) -> None:
        assert set(self.states(lambda at: min(at, 7 * DAY) / DAY, apart, 9)) == {"OK"}
        assert set(self.states(lambda _: 0, apart, 9)) == {"OK"}

    def test_rings_as_well_if_only_rounds_with_something_to_say_tell(self) -> None:
        """While it waits, once when it has ended, and once a day."""
        rounds = {float(at): at / DAY for at in range(0, 9 * DAY, 15 * MINUTE)} | {9.0 * DAY: 0.0, 10.0 * DAY: 0.0}
        states = self.ALARM.states({"OldestWaiting": rounds}, 12 * DAY)
        assert [hour for hour, state in enumerate(states) if state == "ALARM"] == [*range(7 * 24, 9 * 24)]

    def test_goes_on_ringing_if_no_round_tells_that_it_has_ended(self) -> None:
        states = self.ALARM.states({"OldestWaiting": {0.0: 7.5}}, 9 * DAY)
        assert set(states) == {"ALARM"}


def test_missing_values_are_as_documented() -> None:
    """With the page's examples: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html."""
    series: Callable[..., Any] = lambda expression, **metrics: evaluate(expression, metrics, [0, 60, 120, 180])  # noqa: E731
    one, other = {0: 30, 60: 20, 120: 0, 180: 0}, {0: 20, 120: 20}
    assert [*series("one < other", one=one, other=other).values()] == [0, 0, 1, 0]
    assert [*series("one >= 30", one=one).values()] == [1, 0, 0, 0]
    assert [*series("one > 15 AND other > 15", one=one, other=other).values()] == [1, 0, 0, 0]
    assert series("one + other", one=one, other=other) == {0: 50, 60: 20, 120: 20, 180: 0}
    assert series("5 * other", other=other) == {0: 100, 120: 100}
    assert series("FILL(other, 0)", other=other) == {0: 20, 60: 0, 120: 20, 180: 0}
    assert series("IF(other, 1, 0)", other=other) == {0: 1, 120: 1}


@pytest.mark.parametrize("name", [name for name, it in ALARMS.items() if "Metrics" in it.properties])
def test_no_alarm_fills_a_minute_whose_data_is_still_to_come(name: str) -> None:
    """`FILL` makes the newest value, as the same page says, and an alarm that it decides may be stuck."""
    assert "FILL" not in str(ALARMS[name].properties["Metrics"])


@pytest.mark.parametrize(
    ("values", "treatment", "expected"),
    [
        # The page's table for 3 of 3, with an evaluation range of five: - is missing, 0 is fine, X breaches
        ("0-X-X", "notBreaching", "OK"),
        ("-----", "notBreaching", "OK"),
        ("-----", "breaching", "ALARM"),
        ("0----", "breaching", "OK"),
        ("--X-X", "breaching", "ALARM"),
        ("XX--X", "notBreaching", "ALARM"),
    ],
)
def test_the_most_recent_real_values_count_first(values: str, treatment: str, expected: str) -> None:
    alarm = Alarm(
        {
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 3,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": treatment,
        }
    )
    metric = {number * 60.0: float(value == "X") for number, value in enumerate(values) if value != "-"}
    assert alarm.states({"m": metric}, 300)[-1] == expected
