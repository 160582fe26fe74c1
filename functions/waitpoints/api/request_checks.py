"""What fields of request bodies must hold to, beyond their types. What a wrong value raises is pydantic's ValueError.

The models (`models`) and what is written of them (`schemas`) name these checks.
"""

import re
from collections.abc import Callable
from typing import Any

from waitpoints import execution as executions
from waitpoints import handles
from waitpoints.endpoint import UNVERIFIED
from waitpoints.errors import InvalidRequest, InvalidVerification, TooManyTags
from waitpoints.idempotency_key import check_key, utf16_units
from waitpoints.token import MAX_TAG_LENGTH

MAX_TAGS = 10


def _validator[Value, Result](check: Callable[[Value], Result]) -> Callable[[Value], Result]:
    """Return the check with pydantic's exception for a wrong value."""

    def validate(value: Value) -> Result:
        try:
            return check(value)
        except InvalidRequest as refusal:
            raise ValueError(refusal.message) from None

    return validate


def _check_tags(value: Any) -> tuple[str, ...]:
    """Return one tag, a list of tags or null as a tuple. Raises InvalidRequest or TooManyTags."""
    if value is not None and not isinstance(value, (str, list)):
        raise InvalidRequest("Tags must be a string or a list of strings")
    tags = (value,) if isinstance(value, str) else tuple(value or ())
    if wrong := [number for number, tag in enumerate(tags) if not isinstance(tag, str)]:
        raise InvalidRequest(f"Tag {wrong[0] + 1} must be a string")
    if any(utf16_units(tag) > MAX_TAG_LENGTH for tag in tags):
        raise InvalidRequest(f"Tags must be {MAX_TAG_LENGTH} characters or less")
    if len(tags) > MAX_TAGS:
        raise TooManyTags(f"Waitpoints can only have {MAX_TAGS} tags, you're trying to set {len(tags)}.")
    return tags


idempotency_key = _validator(check_key)
tags = _validator(_check_tags)
execution = _validator(executions.check_arn)
task_token = _validator(handles.check_task_token)
callback_id = _validator(handles.check_callback_id)


def together(wanted: Any) -> Any:
    """Check the fields of a create request that need or exclude one another."""
    waits = wanted.task_token is not None or wanted.callback_id is not None
    if wanted.idempotency_key_ttl is not None and wanted.idempotency_key is None:
        raise ValueError("idempotencyKeyTTL needs an idempotencyKey")
    if wanted.task_token is not None and wanted.callback_id is not None:
        raise ValueError("taskToken and callbackId exclude each other: a state waits, or a durable function")
    if wanted.execution is not None and not waits:
        raise ValueError("execution needs a taskToken or a callbackId: it names the execution that waits")
    for name, value in (("unwrap", wanted.unwrap), ("context", wanted.context)):
        if value and not waits:
            raise ValueError(f"{name} needs a taskToken or a callbackId: it says what the execution that waits gets")
    if wanted.unwrap and wanted.context:
        raise ValueError("unwrap and context exclude each other: the bare output has no room for completedBy")
    return wanted


ACTIONS = ("read", "write", "trigger", "batchTrigger", "admin", "*")
"""Trigger.dev's actions (`RbacScopeAction` and `buildJwtAbility` in its packages/plugins). Its types of resources grow."""
SCOPE = rf"admin|({'|'.join(map(re.escape, ACTIONS))}):[A-Za-z]+(:.+)?"
_EXPECTED = f"expected admin, action:type or action:type:id, such as write:waitpoints:<id>; actions: {', '.join(ACTIONS)}"


def check_scope(text: str) -> str:
    """Raises ValueError unless it is a scope by Trigger.dev's grammar, whether or not it opens anything here."""
    if re.fullmatch(SCOPE, text, re.DOTALL) is None:
        raise ValueError(_EXPECTED)
    return text


def verify_of_endpoint(value: Any) -> dict[str, Any] | None:
    """Return what `check_verify` is still to check of an endpoint's `verify`, or None if every delivery is accepted."""
    accepted = f'expected an object with "scheme" and "secret", or "{UNVERIFIED}" to accept every delivery to the URL'
    if isinstance(value, dict):
        return value
    if value == UNVERIFIED:
        return None
    if isinstance(value, str):
        raise InvalidVerification(f"Invalid verify: {accepted}")
    raise ValueError(accepted)


def headers(value: Any) -> dict[str, str]:
    """Return the headers, each name in lower case. pydantic would describe each of a million wrong values."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("expected an object of texts")
    return {name.lower(): text for name, text in value.items()}
