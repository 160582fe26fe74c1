"""Convert a form to a JSON object.

text field        its text; Slack's and GitHub's `payload` stays a JSON text
repeated field    a list of its values, in order
file              {"filename": "…", "contentType": "…", "base64": "…"}
"""

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from waitpoints import json_text

MAX_FIELDS = 1000
MAX_HEADERS = 8  # per part
MAX_BOUNDARY = 70  # characters (RFC 2046)
_CHARSETS = {"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin1", "windows-1252"}
_BOUNDARY_ALPHABET = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? ")

Field = tuple[str, Any]


def object_text(body: bytes, content_type: str) -> str | None:
    """Return the form as the text of a JSON object. None if the content type or the body is not a form."""
    media_type, options = _content_type(content_type)
    try:
        if media_type == "application/x-www-form-urlencoded":
            charset = _charset(options)
            text = body.decode(charset)
            if not all("=" in pair for pair in text.split("&") if pair):
                return None  # curl and others send this type with any text
            limits: Any = {"encoding": charset, "errors": "strict", "max_num_fields": MAX_FIELDS}
            return _object(parse_qsl(text, keep_blank_values=True, **limits))
        if media_type == "multipart/form-data":
            return _object(_multipart(body, options))
    except ValueError:  # wrong encoding, malformed, or over a limit: multipart's errors are ValueErrors
        pass
    return None


def _multipart(body: bytes, options: dict[str, str]) -> list[Field]:
    from multipart import MultipartSegment, PushMultipartParser

    boundary = options.get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or not _BOUNDARY_ALPHABET.issuperset(boundary):
        raise ValueError("not a boundary that RFC 2046 allows")
    fields: list[Field] = []
    with PushMultipartParser(boundary, len(body), max_header_count=MAX_HEADERS, max_segment_count=MAX_FIELDS) as parser:
        part, chunks = None, list[bytes]()
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                part, chunks = event, []
            elif event is not None:
                chunks.append(event)
            elif part:
                fields.append((part.name, _value(part, b"".join(chunks), options)))
    return fields


def _value(part: Any, content: bytes, options: dict[str, str]) -> Any:
    names = [name for name, _ in part.headerlist]
    if len(names) > len(set(names)):
        raise ValueError("a repeated header: parsers disagree on which one counts")
    media_type, of_part = _content_type(part.header("Content-Type", ""))
    if part.filename is None:
        return content.decode(_charset(of_part or options))
    content_type = media_type or "application/octet-stream"
    return {"filename": part.filename, "contentType": content_type, "base64": base64.b64encode(content).decode()}


def _object(fields: Sequence[Field]) -> str:
    if not fields:
        raise ValueError("no fields")
    values: dict[str, list[Any]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return json_text.dumps({name: found[0] if len(found) == 1 else found for name, found in values.items()})


def _content_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the media type and its parameters, with names in lower case. The first of repeated parameters counts."""
    media_type, *parameters = header.split(";", 20)
    options: dict[str, str] = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        options.setdefault(name.strip().lower(), value.strip().strip('"'))
    return media_type.strip().lower(), options


def _charset(options: dict[str, str]) -> str:
    charset = options.get("charset", "utf-8").lower()
    if charset not in _CHARSETS:
        raise ValueError("an unsupported charset")
    return charset
