"""No expression that is accepted stalls a function."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.expressions import HEAVIEST, LARGEST, expressions, json_values
from waitpoints.api.callbacks.expressions import (
    MAX_TEXT,
    MAX_VISITS,
    EvaluationFailed,
    ExpressionRefused,
    Work,
    check_expression,
    evaluate,
    is_constant,
    scope,
)
from waitpoints.token import MAX_EXPRESSION


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("body." + "a" * MAX_EXPRESSION, "256 characters"),
        ("", "not valid JMESPath"),
        ("body.status = 'x'", 'not valid JMESPath at character 13, "="'),
        ("body..a", 'not valid JMESPath at character 6, "."'),
        ("contains(body", "not valid JMESPath: it ends too early"),
        ("body.", "not valid JMESPath: it ends too early"),
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
    with pytest.raises(ExpressionRefused) as refused:
        check_expression(expression)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "where"),
    [
        ("body.order-id", '11, "-"'),
        ("headers.x-github-event == 'ping'", '10, "-"'),
        ("body.a-1", '7, "-"'),
        ("body.2nd", '6, "2"'),
        ("body.@id", '6, "@"'),
        ("body.soap:id", '10, ":"'),
        ("body.größe", '8, "ö"'),
    ],
)
def test_a_name_that_needs_quotes_is_refused_with_that_hint(expression: str, where: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        check_expression(expression)
    assert str(refused.value) == (
        f"it is not valid JMESPath at character {where}; a name with other characters than letters, digits and _ is written "
        'in double quotes: body."order-id"'
    )


@pytest.mark.parametrize("expression", ["body.status = 'x'", "body..a", "body a", "body.a & body.b", "body.'a'", "body."])
def test_another_mistake_is_refused_without_it(expression: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        check_expression(expression)
    assert "double quotes" not in str(refused.value)


def test_forty_nodes_are_accepted() -> None:
    check_expression("||".join(["body"] * 20))
    check_expression("!" * 39 + "body")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('body.status == "succeeded"', '"succeeded" is not one of body, headers, query'),
        ("body.a == true", "single quotes"),
        ("status == 'succeeded'", '"status" is not one of'),
        ("header.\"x\" == 'y'", '"header" is not one of'),
        ("contains(tags, 'x')", '"tags" is not one of'),
        ("@.status == 'x'", '"status" is not one of'),
        ("[body.a, other]", '"other" is not one of'),
        ("headers.\"X-GitHub-Event\" != 'ping'", 'lower case: "x-github-event"'),
        ("@.headers.\"X-GitHub-Event\" != 'ping'", 'lower case: "x-github-event"'),
        ("@ | status == 'x'", '"status" is not one of'),
        ("body.a == '\ud800'", "cannot be parsed"),
    ],
)
def test_a_name_that_no_delivery_has_is_refused(expression: str, reason: str) -> None:
    """It would be null, and so match never, or the first delivery of any kind."""
    with pytest.raises(ExpressionRefused) as refused:
        check_expression(expression)
    assert reason in str(refused.value)


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
    check_expression(expression)


def result(expression: str, body: str, work: Work | None = None) -> Any:
    check_expression(expression)
    return evaluate(expression, scope(body, {}, ""), work or Work())


@pytest.mark.parametrize(("digits", "kind"), [(308, int), (309, float)])
def test_an_integer_is_exact_up_to_308_digits(digits: int, kind: type) -> None:
    """A longer one would take long to read."""
    assert type(result("body", "1" * digits)) is kind


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(expressions, json_values)
def test_an_accepted_expression_gives_a_result_or_says_why_not(expression: str, body: Any) -> None:
    try:
        check_expression(expression)
    except ExpressionRefused:
        return
    work = Work()
    with suppress(EvaluationFailed):
        evaluate(expression, scope(json.dumps(body), {}, ""), work)
    assert work.visits <= MAX_VISITS


@given(st.text(max_size=300) | st.text("a[]{}()*?@&|!`'\"\\,.:-019<=> ", max_size=60))
def test_any_text_is_accepted_or_refused(expression: str) -> None:
    with suppress(ExpressionRefused, EvaluationFailed):
        result(expression, '{"a":[1]}')


@pytest.mark.parametrize(
    ("expression", "body", "reason"),
    [
        ("contains(body.a, 'x')", '{"a":5}', "contains() takes array or string, not number"),
        ("join(',', body)", '["secret",null]', "join() takes array-string, not null"),
        ("contains(body, `1`)", '"secret"', "it does not fit the types of the values"),
        ("body < 'a' && body", '"A"', None),
        ("body < `1`", '"A"', "it does not fit the types of the values"),
    ],
)
def test_a_failing_evaluation_says_why_without_a_value(expression: str, body: str, reason: str | None) -> None:
    if reason is None:
        assert result(expression, body) == json.loads(body)
        return
    with pytest.raises(EvaluationFailed) as failed:
        result(expression, body)
    assert str(failed.value) == reason


class TestWork:
    numbers = "[" + ",".join(["1"] * (MAX_VISITS // 2)) + "]"

    def test_the_visits_of_all_expressions_of_a_delivery_count_together(self) -> None:
        work = Work()
        result("body[*]", self.numbers, work)
        assert MAX_VISITS / 2 < work.visits < MAX_VISITS
        with pytest.raises(EvaluationFailed, match="visits too many values"):
            result("body[*]", self.numbers, work)

    def test_the_characters_of_all_expressions_of_a_delivery_count_together(self) -> None:
        work = Work()
        body = json.dumps(["a" * (MAX_TEXT // 2)])
        result("to_string(body)", body, work)
        assert MAX_TEXT / 2 < work.characters < MAX_TEXT
        with pytest.raises(EvaluationFailed, match="converts too much text"):
            result("to_string(body)", body, work)

    def test_json_and_join_count_too(self) -> None:
        work = Work()
        result("json(body)", '"[1,2]"', work)
        result("join('--', body)", '["a","b"]', work)
        assert work.characters == len("[1,2]") + len("a--b") + 2 * 200


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'text'", True),
        ("`1`", True),
        ("length(@)", True),
        ('`{"body": 1}`.body', True),
        ("'a' | @", True),
        ("body.id", False),
        ("'a' || query.b", False),
        ("@.headers.a", False),
        ("join('-', [body.a, 'b'])", False),
    ],
)
def test_an_expression_that_names_no_part_of_the_delivery_is_constant(expression: str, expected: bool) -> None:
    check_expression(expression)
    assert is_constant(expression) is expected


def test_many_repetitions_of_a_query_parameter_take_linear_time() -> None:
    started = time.process_time()
    assert len(scope("{}", {}, "&".join(["a=1"] * 100_000))["query"]["a"]) == 100_000
    assert time.process_time() - started < 5  # 0.2 s alone; minutes if each repetition copied the list


@pytest.mark.parametrize(
    ("expression", "body"),
    [  # each with one body, in turn; make thorough has them all
        pytest.param(expression, body, marks=pytest.mark.slow if number % len(LARGEST) == turn else pytest.mark.thorough)
        for number, expression in enumerate(HEAVIEST)
        for turn, body in enumerate(LARGEST)
    ],
)
def test_the_heaviest_expressions_over_the_largest_bodies_end_in_bounded_time(expression: str, body: str) -> None:
    check_expression(expression)
    document = scope(LARGEST[body], {}, "")
    started = time.process_time()
    with suppress(EvaluationFailed):
        evaluate(expression, document, Work())
    assert time.process_time() - started < 6  # 1.2 s alone; a shared machine takes longer
