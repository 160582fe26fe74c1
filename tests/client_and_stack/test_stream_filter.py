"""The operator's commands understand the filters of the stack's stream."""

from waitpoints_client.ops.stream_filter import matches

from tests.support.in_process.template import Template


def test_every_filter_of_the_template_is_supported() -> None:
    templates = [Template.load(), Template.load({"EventBusName": "orders"})]
    filters = [
        found for it in templates for name in ("resume_waiters", "schedule_timeouts") for found in it.stream_filter(name)
    ]

    for found in filters:
        matches(found, {})
    assert len(filters) >= 4
