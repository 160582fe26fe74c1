"""Validate the ARN of a waiter's execution, which is stored only to be shown."""

import re

from waitpoints import handles
from waitpoints.errors import InvalidRequest

LONGEST = 2048  # characters
_STATES = r"states:[a-z0-9-]+:[0-9]{12}:(execution|express):[^\s:]+(:[^\s:]+)+"
_DURABLE = r"lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]+:[0-9$A-Z.]+/durable-execution/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+"
PATTERN = f"^arn:[a-z0-9-]+:({_STATES}|{_DURABLE})$"


def check_arn(text: object) -> str:
    """Return `text` if it is an execution's ARN. Raises InvalidRequest, which says what to write instead."""
    if isinstance(text, str) and len(text) <= LONGEST and re.fullmatch(PATTERN, text) and not handles.NOT_STORED.search(text):
        return text
    if handles.is_expression(text):
        raise InvalidRequest(
            '"execution" is an expression that was not evaluated: write "execution.$": "$$.Execution.Id" in JSONPath, or '
            '"execution": "{% $states.context.Execution.Id %}" in JSONata'
        )
    raise InvalidRequest(
        '"execution" must be the ARN of an execution, such as arn:aws:states:us-east-1:123456789012:execution:orders:4711 or '
        "arn:aws:lambda:us-east-1:123456789012:function:orders:1/durable-execution/4711/0d0c5b1e, "
        f"of at most {LONGEST} characters"
    )
