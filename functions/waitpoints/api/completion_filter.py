"""`completeWhen`: an expression over body, headers and query that selects the deliveries that settle a token."""

from collections.abc import Mapping
from typing import Any

from waitpoints.api import expressions
from waitpoints.errors import InvalidCompleteWhen


def check(expression: str) -> None:
    """Raises InvalidCompleteWhen, which says what is not accepted."""
    try:
        expressions.check(expression)
    except expressions.ExpressionRefused as refusal:
        raise InvalidCompleteWhen(f"Invalid completeWhen: {refusal}") from None


def matches(expression: str, delivery: Mapping[str, Any]) -> bool:
    """Whether a delivery `{"body", "headers", "query"}` settles the token: the result is not null, false or empty.

    `check` must have accepted `expression`. If the evaluation fails or takes too much work, the delivery does not match.
    """
    try:
        return expressions.is_true(expressions.evaluate(expression, delivery, expressions.Work()))
    except expressions.EvaluationFailed:
        return False
