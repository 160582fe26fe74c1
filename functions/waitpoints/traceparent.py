"""The W3C's `traceparent`, which names the span that a token belongs to. Imported only if a caller sends one.

Anything but version 00 is ignored, as https://www.w3.org/TR/trace-context-1/#traceparent-header says of what cannot be parsed.
"""

import re

_VALID = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def first_valid(*sent: str | None) -> str | None:
    """Return the first text that is a traceparent."""
    return next((text for text in sent if text and _VALID.fullmatch(text)), None)
