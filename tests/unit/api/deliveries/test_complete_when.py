"""completeWhen says which deliveries settle a token."""

import json

import pytest

from waitpoints.api.deliveries import rules
from waitpoints.api.deliveries.expressions import matches, scope
from waitpoints.errors import InvalidCompleteWhen

SLACK = json.dumps({"payload": json.dumps({"actions": [{"value": "approve"}]})})


def settles(expression: str, body: str, headers: dict[str, str] | None = None, query: str = "") -> bool:
    assert rules.check_complete_when(expression) == expression
    return matches(expression, scope(body, headers or {}, query))


@pytest.mark.parametrize(
    ("expression", "body", "expected"),
    [
        ("body.status == 'succeeded'", '{"status":"succeeded"}', True),
        ("body.status == 'succeeded'", '{"status":"processing"}', False),
        ("body.status == 'succeeded'", "[1]", False),
        ("body.status == 'succeeded'", '"text"', False),
        ("contains(['succeeded', 'failed', 'canceled'], body.status)", '{"status":"failed"}', True),
        ('contains(`["succeeded", "failed"]`, body.status)', '{"status":"failed"}', True),
        ("json(body.payload).actions[0].value == 'approve'", SLACK, True),
        ("json(body.payload).actions[0].value == 'approve'", '{"payload":"not json"}', False),
        ("json(body)", '"[[["', False),
        ("body.jobs[?status == 'done']", '{"jobs":[{"status":"done"}]}', True),
        ("body.jobs[?status == 'done']", '{"jobs":[{"status":"new"}]}', False),
        ("length(body.files) > `2`", '{"files":[1,2,3]}', True),
        ("length(body.files) > `2`", '{"files":5}', False),
        ("body.n > `5`", '{"n":"text"}', False),
        ("starts_with(body.ref, 'refs/tags/')", '{"ref":"refs/tags/v1"}', True),
        ("starts_with(body.ref, 'refs/tags/')", '{"ref":null}', False),
        ("to_number(body.n) >= `3`", '{"n":"3"}', True),
        ("join(',', body.names) == 'a,b'", '{"names":["a","b"]}', True),
        ("!(body.draft)", '{"draft":false}', True),
        ("not_null(body.a, body.b) == 'x'", '{"b":"x"}', True),
        ("body", "{}", False),
        ("body", "0", True),
        ("body.n == `1`", '{"n":%s}' % ("9" * 5000), False),
    ],
)
def test_a_delivery_matches_or_does_not(expression: str, body: str, expected: bool) -> None:
    assert settles(expression, body) is expected


def test_header_names_are_in_lower_case_and_a_repeated_parameter_is_a_list() -> None:
    assert settles("headers.\"x-github-event\" == 'push'", "{}", {"X-GitHub-Event": "push"})
    assert settles("query.step == 'two'", "{}", query="step=two&x=1")
    assert settles("query.step[1] == 'b'", "{}", query="step=a&step=b&step=c")


def test_a_refusal_names_the_field_and_what_is_accepted() -> None:
    with pytest.raises(InvalidCompleteWhen) as refused:
        rules.check_complete_when("body." + "a" * 256)
    assert refused.value.message == "Invalid completeWhen: at most 256 characters are accepted"
