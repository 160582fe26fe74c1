"""The ARN of a waiter's execution is checked before it is stored."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints import execution
from waitpoints.errors import InvalidRequest


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:states:us-east-1:123456789012:execution:orders:4711",
        "arn:aws-cn:states:cn-north-1:123456789012:execution:orders:0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c",
        "arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:orders/Each:0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c",
        "arn:aws:states:us-east-1:123456789012:express:orders:4711:0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c",
        "arn:aws:states:us-east-1:123456789012:execution:orders:Größe",
        "arn:aws:states:us-east-1:123456789012:execution:orders:" + "x" * (2048 - 55),
        "arn:aws:lambda:us-east-1:123456789012:function:orders:1/durable-execution/4711/0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:or_ders:$LATEST/durable-execution/4711/0d0c5b1e",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST.PUBLISHED/durable-execution/4711/0d0c5b1e",
    ],
)
def test_the_arn_of_an_execution_is_accepted(arn: str) -> None:
    assert execution.check_arn(arn) == arn


@pytest.mark.parametrize("expression", ["$$.Execution.Id", "{% $states.context.Execution.Id %}"])
def test_an_unevaluated_expression_is_explained(expression: str) -> None:
    with pytest.raises(InvalidRequest, match=r"JSONPath.*JSONata"):
        execution.check_arn(expression)


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "4711",
        "javascript:alert(1)",
        "arn:aws:states:us-east-1:123456789012:stateMachine:orders",
        "arn:aws:states:us-east-1:123456789012:execution:orders",
        "arn:aws:states:us-east-1:123456789012:execution:orders:",
        "arn:aws:lambda:us-east-1:123456789012:execution:orders:4711",
        "arn:aws:states:us-east-1:1:execution:orders:4711",
        "arn:aws:lambda:us-east-1:123456789012:function:orders/durable-execution/4711/0d0c5b1e",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:1",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:1/durable-execution/4711",
        " arn:aws:states:us-east-1:123456789012:execution:orders:4711",
        "arn:aws:states:us-east-1:123456789012:execution:orders:4711\n",
        "arn:aws:states:us-east-1:123456789012:execution:orders:47 11",
        "arn:aws:states:us-east-1:123456789012:execution:orders:47\x0011",
        "arn:aws:states:us-east-1:123456789012:execution:orders:\ud800",
        "arn:aws:states:us-east-1:123456789012:execution:orders:" + "x" * (2049 - 55),
    ],
)
def test_anything_else_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(InvalidRequest, match="such as arn:aws:states:"):
        execution.check_arn(text)


@given(st.text())
def test_what_is_accepted_can_be_stored(name: str) -> None:
    with suppress(InvalidRequest):
        execution.check_arn(f"arn:aws:states:us-east-1:123456789012:execution:orders:{name}").encode()
