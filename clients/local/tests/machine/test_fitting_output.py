"""The output that `waitpoints try` proposes for a token: what lets its execution go on."""

from typing import Any

import pytest

from waitpoints_local.machine.fitting_output import DEFAULT, accepts_any_post, fitting_output, fitting_result
from waitpoints_local.machine.schema_example import Example


def asking(*rules: dict[str, Any]) -> Any:
    """A machine whose Choice state, in a branch, has these rules."""
    inner = {"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": list(rules)}}}
    return {"StartAt": "A", "States": {"A": {"Type": "Parallel", "Branches": [inner]}}}


@pytest.mark.parametrize(
    ("created", "output"),
    [
        ({"page": {"actions": [{"id": "reject"}, {"id": "approve"}]}}, {"action": "reject"}),
        ({"page": {"title": "Deploy?"}}, {"action": "submit"}),
        ({"page": {"title": "Deploy?", "fields": {"properties": {"note": {"type": "string"}}}}}, {"action": "submit"}),
        (
            {"page": {"fields": {"properties": {"amount": {"type": "number", "minimum": 5}}, "required": ["amount"]}}},
            {"action": "submit", "fields": {"amount": 5}},
        ),
        ({"payloadSchema": {"required": ["n"], "properties": {"n": {"type": "integer"}}}}, {"never": "this", "n": 1}),
        (
            {"completeWhen": "body.status == 'passed'", "payloadSchema": {"required": ["by"], "properties": {"by": {}}}},
            {"status": "passed", "by": True},
        ),
        ({"completeWhen": "body.status == 'passed'"}, {"status": "passed"}),
        ({"completeWhen": "body.a.b == 'x' && body.a.n == `2` && body.ok == `true`"}, {"a": {"b": "x", "n": 2}, "ok": True}),
        ({"completeWhen": "body.status == 'succeeded' || body.status == 'failed'"}, {"status": "succeeded"}),
        ({"completeWhen": "contains(['done', 'failed'], body.status)"}, {"status": "done"}),
        ({"completeWhen": "body.a == 'x' && body.a.b == 'y'"}, {"a": "x"}),
    ],
)
def test_follows_the_rules_of_the_token(created: dict[str, Any], output: Any) -> None:
    machine = asking({"Condition": "{% $states.input.output.never = 'this' %}"})
    assert fitting_output(machine, created).value == output
    assert accepts_any_post(created)


@pytest.mark.parametrize(
    ("rule", "output"),
    [
        ({"Condition": "{% $states.input.output.conclusion = 'success' %}"}, {"conclusion": "success"}),
        ({"Condition": "{% $states.input.output.a.b = true and $states.input.output.n = 1.5 %}"}, {"a": {"b": True}, "n": 1.5}),
        ({"Condition": '{% $states.input.output.a = "" or $states.input.output.b = 1 %}'}, {"a": ""}),
        ({"Variable": "$.output.approved", "BooleanEquals": True}, {"approved": True}),
        (
            {
                "And": [
                    {"Variable": "$.payment.output.s", "IsPresent": True},
                    {"Variable": "$.payment.output.s", "StringEquals": "p"},
                ]
            },
            {"s": "p"},
        ),
        ({"Variable": "$.ok", "BooleanEquals": False}, DEFAULT),
        ({"Condition": "{% $states.input.ok %}"}, DEFAULT),
    ],
)
def test_follows_the_first_rule_of_a_choice_that_asks_for_an_output(rule: dict[str, Any], output: Any) -> None:
    assert fitting_output(asking({"Variable": "$.ok", "BooleanEquals": False}, rule), {}).value == output
    assert accepts_any_post({})


def test_names_the_fields_for_which_nothing_fits() -> None:
    fields = {"required": ["code"], "properties": {"code": {"type": "string", "pattern": "^[0-9]{3}/[A-Z]{2}$"}}}
    assert fitting_output(asking(), {"page": {"fields": fields}}) == Example({"action": "submit"}, ("code",))


@pytest.mark.parametrize("created", [{"verify": {"scheme": "github"}}, {"completeWhen": "length(body.items) > `3`"}])
def test_knows_when_no_post_to_the_url_does_it(created: dict[str, Any]) -> None:
    assert not accepts_any_post(created)


@pytest.mark.parametrize(
    ("fields", "variable", "fits"),
    [
        ({"ResultPath": "$.asked"}, "$.asked.result.ok", {"result": {"ok": "yes"}}),
        ({}, "$.ok", {"ok": "yes"}),
        ({"ResultPath": "$.asked"}, "$.other.ok", {"approved": True}),
    ],
)
def test_a_result_for_another_task_token_is_what_a_choice_compares_in_it(fields: Any, variable: str, fits: Any) -> None:
    rule = {"And": [{"Variable": variable, "IsPresent": True}, {"Variable": variable, "StringEquals": "yes"}], "Next": "B"}
    machine = {"States": {"Ask": {"Type": "Task", **fields}, "Which": {"Type": "Choice", "Choices": [rule]}}}
    assert fitting_result(machine, "Ask") == fits
