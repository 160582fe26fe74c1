"""Convert a callback's body to the token's output. Any body is accepted without loss.

body                        output
JSON                        the same text, byte for byte
blank (JSON white space)    {}, as in Trigger.dev (contract K1)
a form                      an object of its fields (see `forms`)
any other text              the text as a JSON string (Trigger.dev stores {})
bytes that are not UTF-8    {"base64": "…"}
"""

import base64

from waitpoints import json_text

_SPACE = " \t\r\n"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def output(body: bytes, content_type: str = "") -> str:
    """Return the JSON text to complete a token with. JSON is kept under any content type: curl sends JSON as a form."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # base64 needs no escapes, which `dumps` would look for in every character
        return _form(body, content_type) or f'{{"base64":"{base64.b64encode(body).decode()}"}}'
    if not text.strip(_SPACE):
        return "{}"
    try:
        json_text.check(text)
    except json_text.NotJson:
        return _form(body, content_type) or json_text.dumps(text)
    return text


def _form(body: bytes, content_type: str) -> str | None:
    if not content_type.strip().lower().startswith(_FORMS):
        return None
    from waitpoints.api.callbacks import forms

    return forms.object_text(body, content_type)
