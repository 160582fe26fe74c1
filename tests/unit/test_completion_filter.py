"""completeWhen says which deliveries settle a token. No expression that is accepted stalls a function."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waitpoints.api.completion_filter import check, matches
from waitpoints.api.expressions import MAX_LENGTH, delivery
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.errors import InvalidCompleteWhen

SLACK = json.dumps({"payload": json.dumps({"actions": [{"value": "approve"}]})})


def settles(expression: str, body: str, headers: dict[str, str] | None = None, query: str = "") -> bool:
    check(expression)
    return matches(expression, delivery(body, headers or {}, query))


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


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("body." + "a" * MAX_LENGTH, "256 characters"),
        ("", "not valid JMESPath"),
        ("body.status = 'x'", "not valid JMESPath"),
        ("body..a", "not valid JMESPath"),
        ("(" * 17 + "a" + ")" * 17, "nested too deeply"),
        ("(" * 120 + "a" + ")" * 120, "nested too deeply"),
        ("!" * 255 + "a", "nodes"),
        ("||".join(["a"] * 21), "41 nodes"),
        ("a[*].b[*].c[*]", "2 projections"),
        ("a[].b[?c].d[1:]", "2 projections"),
        ("[a, b] | [c, d]", "one multi-select"),
        ("{a: {b: c}}", "one multi-select"),
        ("[@,@,@,@,@,@,@,@,@]", "8 values"),
        ("json(a) || json(b)", "json() is accepted only once"),
        ("contains(&a, b)", "expression references"),
        ("sort_by(body, &a)", '"sort_by" is not accepted'),
        ("!body.draft", "write !(a.b)"),
        ("sort(body)", '"sort" is not accepted'),
        ("max(body)", "only contains, starts_with"),
        ("nope(body)", '"nope" is not accepted'),
        ("contains(body)", "contains() takes 2 argument(s), not 1"),
        ("not_null()", "at least 1"),
        ("join(body.separator, body.list)", "separator of join() must be a literal"),
        ("join('123456789', body.list)", "at most 8 characters"),
        ("a\x00b", "not valid JMESPath"),
    ],
)
def test_what_is_not_accepted_is_named(expression: str, reason: str) -> None:
    with pytest.raises(InvalidCompleteWhen, match="Invalid completeWhen: ") as refused:
        check(expression)
    assert reason in refused.value.message


def test_forty_nodes_are_accepted() -> None:
    check("||".join(["body"] * 20))
    check("!" * 39 + "body")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('body.status == "succeeded"', '"succeeded" is not one of body, headers, query'),
        ("body.a == true", "single quotes"),
        ("status == 'succeeded'", '"status" is not one of'),
        ("header.\"x\" == 'y'", '"header" is not one of'),
        ("contains(tags, 'x')", '"tags" is not one of'),
        ("[body.a, other]", '"other" is not one of'),
        ("headers.\"X-GitHub-Event\" != 'ping'", 'lower case: "x-github-event"'),
        ("body.a == '\ud800'", "cannot be parsed"),
    ],
)
def test_a_name_that_no_delivery_has_is_refused(expression: str, reason: str) -> None:
    """It would be null, and so match never, or the first delivery of any kind."""
    with pytest.raises(InvalidCompleteWhen) as refused:
        check(expression)
    assert reason in refused.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "body.actions[?action_id=='approve'] | [0]",
        "body[?status == `true`].id",
        "json(body.payload).actions[0].value == 'yes'",
        "{a: body.x, b: query.y}",
        "@.body.Status == 'X'",
        "body | status",
    ],
)
def test_names_within_a_value_are_free(expression: str) -> None:
    check(expression)


def test_the_expression_that_doubled_with_every_six_characters_is_refused() -> None:
    with pytest.raises(InvalidCompleteWhen):
        check("|".join(["[@,@]"] * 20) + "|to_string(@)")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
terms = st.sampled_from(
    ["a", "body", "body.a", "body[0]", "body[*]", "body[]", "body.*", "body[1:]", "@", "'a'", "`1`", "`null`"]
)
compound = st.recursive(
    terms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["==", "!=", "<", ">=", "||", "&&", "|"]), inner).map("".join)
        | st.tuples(st.sampled_from(["contains", "starts_with", "ends_with", "join"]), inner, inner).map(
            lambda call: f"{call[0]}({call[1]},{call[2]})"
        )
        | st.tuples(st.sampled_from(["length", "type", "to_number", "to_string", "json", "not_null"]), inner).map(
            lambda call: f"{call[0]}({call[1]})"
        )
        | st.tuples(inner, inner).map(lambda pair: f"[{pair[0]},{pair[1]}]")
        | st.tuples(inner, inner).map(lambda pair: f"{pair[0]}[?{pair[1]}]")
        | inner.map(lambda term: f"!({term})")
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(compound, json_values)
def test_an_accepted_expression_never_fails(expression: str, body: Any) -> None:
    try:
        check(expression)
    except InvalidCompleteWhen:
        return
    assert matches(expression, delivery(json.dumps(body), {}, "")) in (True, False)


@given(st.text(max_size=300) | st.text("a[]{}()*?@&|!`'\"\\,.:-019<=> ", max_size=60))
def test_any_text_is_accepted_or_refused(expression: str) -> None:
    try:
        check(expression)
    except InvalidCompleteWhen:
        return
    assert matches(expression, delivery('{"a":[1]}', {}, "a=1")) in (True, False)


def _filled(value: str) -> str:
    return "[" + ",".join([value] * ((PAYLOAD_LIMIT - 2) // (len(value) + 1))) + "]"


LARGEST = {
    "numbers": _filled("1"),
    "lists": _filled("[]"),
    "objects": _filled('{"a":1}'),
    "texts": _filled('""'),
    "one text": json.dumps("a" * (PAYLOAD_LIMIT - 2)),
    "two texts": json.dumps({"a": "a" * 1_500_000, "b": "a" * 1_500_000 + "b"}),
    "JSON in text": json.dumps(_filled("{}")[: PAYLOAD_LIMIT - 3] + "]"),
    "deep": "[" * 499 + "]" * 499,
}
HEAVIEST = [
    "body[?a||b||c||d||e||f||g||h||i||j||k||l||m||n||o]",
    "body.[@,@,@,@,@,@,@,@][][?a||b||c||d||e||f||g]",
    "[body,body,body,body,body,body,body,body][].json(@)",
    "[body,body,body,body,body,body,body,body][].contains(@,'b')",
    "to_string([@,@,@,@,@,@,@,@])||to_string(@)||to_string(@)",
    "body[?contains(to_string(@),'x')||contains(to_string(@),'y')]",
    "[json(body),body]|to_string(@)",
    "contains(body.b,body.a)||contains(body,body)",
    "body[::-1][::-1]",
    "join('12345678',body)",
    "to_number(body)==`1`||to_number(body)",
    "body==body&&body==body&&body==body&&body==body&&body==body&&body==body&&body!=body",
]


@pytest.mark.thorough
@pytest.mark.parametrize("expression", HEAVIEST)
@pytest.mark.parametrize("body", LARGEST)
def test_the_heaviest_expressions_over_the_largest_bodies_end_in_bounded_time(expression: str, body: str) -> None:
    check(expression)
    document = delivery(LARGEST[body], {}, "")
    started = time.process_time()
    matches(expression, document)
    assert time.process_time() - started < 6  # 1.2 s alone; a shared machine takes longer
