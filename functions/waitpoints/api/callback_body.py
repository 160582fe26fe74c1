"""Convert a callback's body to the token's output. Any body is accepted, and none of it is lost.

body                        output
JSON                        the same text, byte for byte
empty                       {}, as in Trigger.dev (contract K1)
any other text              the text as a JSON string (Trigger.dev stores {})
bytes that are not UTF-8    {"base64": "…"}
"""

import base64

from waitpoints import json_text


def output(body: bytes) -> str:
    """Return the JSON text to complete the token with."""
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
