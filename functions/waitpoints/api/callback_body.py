"""The output that a callback's body stands for. Nothing that a webhook sends is refused or lost.

JSON                        itself, exactly as sent
nothing                     {}, as in Trigger.dev (contract K1)
any other text              that text, as a JSON string (Trigger.dev would keep {})
bytes that are not UTF-8    {"base64": "…"}
"""

import base64

from waitpoints import json_text


def output(body: bytes) -> str:
    """The JSON text to complete a token with."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return json_text.dumps({"base64": base64.b64encode(body).decode()})
    if not text.strip():
        return "{}"
    try:
        json_text.check(text)
    except json_text.NotJson:
        return json_text.dumps(text)
    return text
