"""Whether a text can be a task token of Step Functions, checked before a run comes to depend on it.

The usual mistake is a path or an expression that the state machine never evaluated. Such a text would be stored, the
token would complete, and the execution would wait without end.
"""

from waitpoints.errors import InvalidRequest

SHORTEST, LONGEST = 20, 2048  # characters; AWS documents only the longest, and issues some 700


def check(text: object) -> str:
    """`text` itself. Raises InvalidRequest that says what to write instead."""
    if isinstance(text, str) and is_plausible(text):
        return text
    if isinstance(text, str) and is_expression(text):
        raise InvalidRequest(
            '"taskToken" is an expression that was not evaluated: write "taskToken.$": "$$.Task.Token" in JSONPath, or '
            '"taskToken": "{% $states.context.Task.Token %}" in JSONata'
        )
    raise InvalidRequest(
        f'"taskToken" must be a task token of Step Functions: {SHORTEST} to {LONGEST} characters without spaces'
    )


def is_plausible(text: str) -> bool:
    has_space = any(character.isspace() for character in text)
    return SHORTEST <= len(text) <= LONGEST and not has_space and not is_expression(text)


def is_expression(text: str) -> bool:
    """Whether this is a JSONPath or a JSONata expression rather than its value."""
    return text.lstrip().startswith(("$", "{%"))
