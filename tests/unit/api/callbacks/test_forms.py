"""A form becomes an object of its fields, and a form that cannot be read is kept as it is."""

import base64
import json
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.callbacks.callback_body import output
from waitpoints.api.callbacks.forms import MAX_FIELDS, object_text

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b0"


def part(headers: str, content: bytes, boundary: str = "b0") -> bytes:
    return f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"


def multipart(*parts: bytes, boundary: str = "b0") -> bytes:
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def text_part(name: str, text: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', text.encode())


def fields(body: bytes, content_type: str = URLENCODED) -> Any:
    found = object_text(body, content_type)
    return None if found is None else json.loads(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a=1&b=two+words&c=%C3%A9", {"a": "1", "b": "two words", "c": "é"}),
        (b"a=1&a=2&b=3", {"a": ["1", "2"], "b": "3"}),
        (b"a=", {"a": ""}),
        (b"=1", {"": "1"}),
        (b"a=b=c&&d=e&", {"a": "b=c", "d": "e"}),
        ("a=é".encode(), {"a": "é"}),
        (b"__proto__=1", {"__proto__": "1"}),
    ],
)
def test_urlencoded_fields_are_texts_and_repeated_ones_lists(body: bytes, expected: dict[str, Any]) -> None:
    assert fields(body) == expected


def test_a_payload_field_stays_the_text_that_it_is() -> None:
    payload = '{"actions":[{"value":"yes"}],"n":1.0}'
    assert fields(urlencode({"payload": payload}).encode()) == {"payload": payload}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"just text", URLENCODED),
        (b"a=1&b", URLENCODED),
        (b"a=%FF", URLENCODED),
        (b"&", URLENCODED),
        (b"a=1", URLENCODED + "; charset=idna"),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), URLENCODED),
        (b"a=1", "text/plain"),
        (multipart(text_part("a", "1")), "multipart/form-data"),
        (multipart(text_part("a", "1")), 'multipart/form-data; boundary="b\r\n0"'),
        (multipart(text_part("a", "1")), "multipart/form-data; boundary=" + "b" * 71),
        (multipart(text_part("a", "1"))[:-6], MULTIPART),
        (
            multipart(part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"', b"1")),
            MULTIPART,
        ),
        (multipart(part("X: 1", b"1")), MULTIPART),
        (multipart(part('Content-Disposition: attachment; name="a"', b"1")), MULTIPART),
        (multipart(part('Content-Disposition: form-data; name="a"', b"\xff")), MULTIPART),
        (multipart(part('Content-Disposition: form-data; name="a"\r\n' + "X: 1\r\n" * 20, b"1")), MULTIPART),
        (multipart(*[text_part("a", "1")] * (MAX_FIELDS + 1)), MULTIPART),
        (b"--b0--\r\n", MULTIPART),
    ],
)
def test_what_is_not_a_form_is_not_read_as_one(body: bytes, content_type: str) -> None:
    assert fields(body, content_type) is None


def test_multipart_texts_files_and_repeated_fields() -> None:
    content = b"\x89PNG\r\n\x00\xff--b0"
    file = part('Content-Disposition: form-data; name="f"; filename="a \\"b\\".png"\r\nContent-Type: image/png', content)
    body = multipart(text_part("a", "é"), text_part("b", "1"), file, text_part("b", "2"))
    encoded = base64.b64encode(content).decode()
    assert fields(body, MULTIPART) == {
        "a": "é",
        "b": ["1", "2"],
        "f": {"filename": 'a "b".png', "contentType": "image/png", "base64": encoded},
    }


def test_a_file_without_a_type_is_bytes() -> None:
    body = multipart(part('Content-Disposition: form-data; name="f"; filename=""', b""))
    assert fields(body, MULTIPART) == {"f": {"filename": "", "contentType": "application/octet-stream", "base64": ""}}


def test_a_part_without_a_name_is_kept_under_no_name() -> None:
    assert fields(multipart(part("Content-Disposition: form-data", b"1")), MULTIPART) == {"": "1"}


def test_a_charset_of_the_form_or_the_part_is_used() -> None:
    assert fields(b"a=%E9", URLENCODED + "; charset=ISO-8859-1") == {"a": "é"}
    latin = part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset="iso-8859-1"', b"\xe9")
    assert fields(multipart(latin), MULTIPART) == {"a": "é"}


@pytest.mark.parametrize("body", ['{"a": "b=c"}', "[1]", '"a=b"', "1"])
def test_json_stays_json_when_its_provider_calls_it_a_form(body: str) -> None:
    assert output(body.encode(), URLENCODED) == body


def test_a_form_is_only_read_when_the_content_type_says_so() -> None:
    assert output(b"a=1", "Application/X-WWW-Form-Urlencoded; charset=utf-8") == '{"a":"1"}'
    assert output(b"a=1") == '"a=1"'
    assert output(b"hello", URLENCODED) == '"hello"'
    assert output(b"\xff", MULTIPART) == '{"base64":"/w=="}'
    assert output(b"", URLENCODED) == "{}"


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text(), min_size=2, max_size=4), min_size=1, max_size=8))
def test_any_urlencoded_form_comes_back(form: dict[str, Any]) -> None:
    form = {name: value for name, value in form.items() if not _has_surrogates(name, value)} or {"a": "1"}
    assert fields(urlencode(form, doseq=True).encode()) == form


@given(st.dictionaries(st.text("abcé ", min_size=1), st.binary(), min_size=1, max_size=5))
def test_any_file_comes_back(files: dict[str, bytes]) -> None:
    parts = [
        part(f'Content-Disposition: form-data; name="{name}"; filename="x"', content, "unlikely-boundary")
        for name, content in files.items()
    ]
    found = fields(multipart(*parts, boundary="unlikely-boundary"), "multipart/form-data; boundary=unlikely-boundary")
    assert {name: base64.b64decode(file["base64"]) for name, file in found.items()} == files


@given(
    st.binary() | st.text('-b0\r\n=&;%"aC:', max_size=60).map(str.encode),
    st.sampled_from([URLENCODED, MULTIPART, "multipart/form-data", ""]) | st.text(),
)
def test_any_body_with_any_content_type_becomes_json(body: bytes, content_type: str) -> None:
    json.loads(output(body, content_type))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\r\n--b0x" * 400_000, MULTIPART),
        (multipart(part('Content-Disposition: form-data; name="a"', b"\r\n--b0" * 400_000)), MULTIPART),
        (b"--b0\r\nContent-Disposition: " + b"form-data; " * 200_000, MULTIPART),
        (b"--b0\r\nContent-Disposition: form-data" + b';"' * 2000 + b"\r\n\r\n" + b"a" * 3_000_000, MULTIPART),
        (b"--b0\r\n\r\n" * 300_000, MULTIPART),
        (b"a=%25" * 600_000, URLENCODED),
        (b"&" * 3_000_000, URLENCODED),
    ],
)
def test_a_hostile_form_of_3_mib_takes_no_second(body: bytes, content_type: str) -> None:
    started = time.process_time()
    object_text(body, content_type)
    assert time.process_time() - started < 5  # 0.3 s alone; a shared machine takes longer


def test_forms_are_not_imported_for_other_bodies() -> None:
    code = (
        "import sys\nfrom waitpoints.api.callbacks import callback_body\ncallback_body.output(b'{}', 'application/json')\n"
        "assert 'waitpoints.api.callbacks.forms' not in sys.modules and 'multipart' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "functions"})


def _has_surrogates(*texts: Any) -> bool:
    return any("\ud800" <= character <= "\udfff" for text in texts for item in text for character in item)
