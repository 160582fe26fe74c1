"""Validate Step Functions task tokens before they are stored.

The usual mistake is a path or an expression that the state machine did not evaluate. If it were stored, the token would
complete and the execution would never resume.
"""

from waitpoints.errors import InvalidRequest

SHORTEST, LONGEST = 20, 2048  # characters; AWS documents only the maximum, and issues about 700


def check(text: object) -> str:
    """Return `text` if it can be a task token. Raises InvalidRequest, which says what to write instead."""
    if isinstance(text, str) and is_plausible(text):
        return text
    if isinstance(text, str) and is_expression(text):
        raise InvalidRequest(
            '"taskToken" is an expression that was not evaluated: write "taskToken.$": "$$.Task.Token" in JSONPath, or '
            '"taskToken": "{% $states.context.Task.Token %}" in JSONata'
        )
    raise InvalidRequest(f'"taskToken" must be a Step Functions task token: {SHORTEST} to {LONGEST} characters without spaces')


def is_plausible(text: str) -> bool:
    has_space = any(character.isspace() for character in text)
    return SHORTEST <= len(text) <= LONGEST and not has_space and not is_expression(text)


def is_expression(text: str) -> bool:
    """Whether `text` is an unevaluated JSONPath or JSONata expression."""
    return text.lstrip().startswith(("$", "{%"))
