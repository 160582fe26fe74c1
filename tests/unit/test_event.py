"""The size of an event, as EventBridge counts it."""

from waitpoints.event import Event


def test_the_size_is_that_of_the_time_the_source_the_type_and_the_detail_in_bytes() -> None:
    """EventBridge User Guide, "Calculating PutEvents event entry size": 14 bytes for the time, then the UTF-8 of each text."""
    assert Event("waitpoint.completed", 1, '{"a":"ü"}').size == 14 + len("waitpoints") + len("waitpoint.completed") + 10
