"""What is counted of a wait, besides its calls."""

from tests.support.in_process.counting.meter import Call
from tests.support.in_process.counting.waits import message_at, metrics_in


def test_when_the_message_of_a_timer_arrives() -> None:
    assert message_at(Call("SQS:SendMessage", parameters={"DelaySeconds": 30}), 1000) == 31_000
    batch = Call("SQS:SendMessageBatch", parameters={"Entries": [{"Id": "0", "DelaySeconds": 30}]})
    assert message_at(batch, 1000) == 31_000


def test_the_metrics_in_its_log_lines() -> None:
    log = '{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"A"},{"Name":"B"}]}]},"A":[1]}\n{"message":"request"}\n'
    assert metrics_in(log) == {"A", "B"}
