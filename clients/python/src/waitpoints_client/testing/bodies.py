"""What a delivery's body becomes, as on a stack: JSON stays the same text, a form is an object, other text a string."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

from waitpoints_client.wire import write_json

_FORM, _FORM_WITH_FILES = "application/x-www-form-urlencoded", "multipart/form-data"


def output_of(body: bytes, content_type: str = "") -> str:
    """Return the JSON text of the output. JSON counts under any content type, and a blank body is `{}`."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return write_json({"base64": base64.b64encode(body).decode()})
    if not text.strip():
        return "{}"
    return text if _is_json(text) else write_json(_fields(text, content_type) or text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _fields(text: str, content_type: str) -> dict[str, Any] | None:
    """Return the fields of a form, or None if the body is not a form."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _FORM_WITH_FILES:
        raise NotImplementedError(f"FakeWaitpoints does not read {_FORM_WITH_FILES}: post {_FORM} or JSON")
    if media_type != _FORM or not all("=" in pair for pair in text.split("&") if pair):
        return None
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}
