"""completeWhen says which deliveries settle a token."""

import json

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.in_process.api_gateway import JSON, Api
from waitpoints.api.callbacks import rules
from waitpoints.api.callbacks.expressions import matches, scope

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


class TestCompleteWhen:
    def test_settles_with_the_first_that_matches(self, api: Api) -> None:
        token = api.create(completeWhen="body.status == 'succeeded' && headers.\"x-kind\" == 'k' && query.q == 'ü'")
        url, headers = f"{token['url']}?q=%C3%BC", {**JSON, "X-Kind": "k"}
        for body, sent in ((b'{"status": "processing"}', headers), (b'{"status": "succeeded"}', JSON)):
            answer = api.post(url, body, sent)
            assert (answer.status, answer.json) == (200, {"success": True})
        assert_untouched(api, token, 2)
        assert api.post(url, b'{"status":  "succeeded"}', headers).status == 200
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["output"]) == ("COMPLETED", '{"status":  "succeeded"}')
        assert shown["otherDeliveries"]["count"] == 2
