"""What is counted of a wait, besides its calls."""

from in_process.counting.meter import Call
from in_process.counting.waits import due_at, metrics_in


def test_when_the_message_of_a_timer_arrives() -> None:
    assert due_at(Call("SQS:SendMessage", parameters={"DelaySeconds": 30}), 1000) == 31_000
    schedule = Call("Scheduler:CreateSchedule", parameters={"ScheduleExpression": "at(1970-01-02T00:00:05)"})
    assert due_at(schedule, 1000) == 86_405_000


def test_the_metrics_in_its_log_lines() -> None:
    log = '{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"A"},{"Name":"B"}]}]},"A":[1]}\n{"message":"request"}\n'
    assert metrics_in(log) == {"A", "B"}
