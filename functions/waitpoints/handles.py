"""Validate what resumes a waiter before it is stored: Step Functions' task token, or Lambda's callback id.

The usual mistake is a path or an expression that the state machine did not evaluate. If it were stored, the token would
complete and the execution would never resume.
"""

import re

from waitpoints.errors import InvalidRequest

SHORTEST = 20  # characters; AWS documents only the maximum, and issues more
LONGEST_TASK_TOKEN, LONGEST_CALLBACK_ID = 2048, 1024  # characters
CALLBACK_ID_PATTERN = "^[A-Za-z0-9+/]+={0,2}$"  # of Lambda's service model
NOT_STORED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of surrogate pairs
_OTHER_TEXTS = ("arn:", "http:", "https:", "waitpoint_")
"""How texts begin that are passed by mistake: the execution's ARN, the callback URL, the id of the token."""


def check_task_token(text: object) -> str:
    """Return `text` if it can be a task token. Raises InvalidRequest, which says what to write instead."""
    if is_task_token(text):
        return str(text)
    if is_expression(text) or _is_other_text(text):
        wrong = "an expression that was not evaluated" if is_expression(text) else "an ARN, a URL or the id of a waitpoint"
        raise InvalidRequest(
            f'"taskToken" is {wrong}: write "taskToken.$": "$$.Task.Token" in JSONPath, or '
            '"taskToken": "{% $states.context.Task.Token %}" in JSONata'
        )
    raise InvalidRequest(
        f'"taskToken" must be a Step Functions task token: {SHORTEST} to {LONGEST_TASK_TOKEN} characters without spaces, '
        "control characters and halves of surrogate pairs"
    )


def check_callback_id(text: object) -> str:
    """Return `text` if it can be a callback id. Raises InvalidRequest, which says what to write instead."""
    if is_callback_id(text):
        return str(text)
    wrong = "is an expression that was not evaluated" if is_expression(text) else "is not one"
    raise InvalidRequest(
        f'"callbackId" {wrong}: pass the id that wait_for_callback gives its submitter, unchanged. It has {SHORTEST} to '
        f"{LONGEST_CALLBACK_ID} characters of standard base64 (A-Z a-z 0-9 + / =)"
    )


def is_task_token(text: object) -> bool:
    if not isinstance(text, str) or is_expression(text) or _is_other_text(text):
        return False
    if not SHORTEST <= len(text) <= LONGEST_TASK_TOKEN or NOT_STORED.search(text):
        return False
    return not any(character.isspace() for character in text)


def is_callback_id(text: object) -> bool:
    if not isinstance(text, str) or not SHORTEST <= len(text) <= LONGEST_CALLBACK_ID:
        return False
    return re.fullmatch(CALLBACK_ID_PATTERN, text) is not None


def is_expression(text: object) -> bool:
    """Whether `text` is an unevaluated JSONPath or JSONata expression."""
    return isinstance(text, str) and text.lstrip().startswith(("$", "{%"))


def _is_other_text(text: object) -> bool:
    return isinstance(text, str) and text.startswith(_OTHER_TEXTS)
