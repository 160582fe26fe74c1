"""Whatever is sent to a callback URL: the token is settled with exactly that, or is as it was. No answer repeats markup."""

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.support.e2e.api import Api, RawAnswer

SUCCESS = b'{"success":true}'
METHODS = ["POST"] * 6 + ["GET"] * 3 + ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]
REPEATED = ("x-hook-secret", "smartsheet-hook-response", "webhook-allowed-origin", "webhook-allowed-rate")
HANDSHAKE_HEADERS = [
    "X-Okta-Verification-Challenge",
    "X-Hook-Secret",
    "Smartsheet-Hook-Challenge",
    "aeg-event-type",
    "WebHook-Request-Origin",
    "WebHook-Request-Rate",
]
HANDSHAKE_NAMES = ["hub.mode", "hub.challenge", "challenge", "validationToken", "type", "validation_code", "verification_token"]
ALPHABET = re.compile(r"[A-Za-z0-9._~:+/= -]{0,1024}|\*")
TEXT_TYPES = ("application/json", "application/xml", "application/javascript")
FORM = "application/x-www-form-urlencoded"

latin = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=40)
words = st.sampled_from(
    ["subscribe", "url_verification", "SubscriptionValidation", "123", "a.b~c", "<script>", "a\r\nb: c", "é", "ping"]
)
texts = words | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.sampled_from(HANDSHAKE_NAMES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
members = st.dictionaries(names, texts | st.integers() | st.none(), max_size=3)
asking = st.sampled_from(["challenge", "verification_token"]).flatmap(lambda name: st.fixed_dictionaries({name: texts}))
json_bodies = (asking | members | st.lists(members, max_size=2) | texts).map(lambda value: json.dumps(value).encode())
forms = st.lists(st.tuples(names, texts), max_size=3).map(lambda pairs: urlencode(pairs).encode())
bodies = st.just(b"") | json_bodies | forms | texts.map(str.encode) | st.binary(max_size=60)
content_types = st.none() | st.sampled_from([FORM, "application/json", "text/plain", "multipart/form-data; boundary=x"]) | latin
headers = st.dictionaries(
    st.sampled_from(HANDSHAKE_HEADERS) | st.from_regex(r"x-[a-z]{1,8}", fullmatch=True),
    words.filter(lambda text: "\n" not in text) | latin.map(str.strip),
    max_size=3,
)
queries = (
    st.just("")
    | st.lists(st.tuples(names, texts), max_size=3).map(urlencode)
    | st.from_regex(r"[!-\"$-~]{0,30}", fullmatch=True)
)


requests = st.fixed_dictionaries(
    {"method": st.sampled_from(METHODS), "query": queries, "headers": headers, "content_type": content_types, "body": bodies}
)


@pytest.mark.parametrize("examples", [60, pytest.param(150, marks=pytest.mark.thorough)])
def test_settles_the_token_with_what_was_sent_or_leaves_it_as_it_was(api: Api, examples: int) -> None:
    @settings(max_examples=examples)
    @given(requests)
    def settles_or_leaves(request: dict[str, Any]) -> None:
        check(api, **request)

    settles_or_leaves()


def check(api: Api, *, method: str, query: str, headers: dict[str, str], content_type: str | None, body: bytes) -> None:
    token = api.create()
    before = api.retrieve(token)
    sent = {**headers, **({"Content-Type": content_type} if content_type is not None else {})}

    answer = api.deliver(token["url"] + (f"?{query}" if query else ""), body, sent, method=method)

    assert answer.status < 300 or 400 <= answer.status < 500, answer
    event(f"{method} answered {answer.status}")
    after = api.retrieve(token)
    if answer.body == SUCCESS:
        assert method == "POST"
        assert after["status"] == "COMPLETED"
        assert is_what_was_sent(after["output"], through_the_gateway(body, content_type or ""), content_type or "")
    else:
        assert after == before
        assert_repeats_only_the_alphabet(answer)


def through_the_gateway(body: bytes, content_type: str) -> bytes:
    """What API Gateway hands on: as text if the content type says so, where it replaces each byte that is not UTF-8."""
    media_type = content_type.partition(";")[0].strip().lower()
    is_text = media_type.startswith("text/") or media_type in TEXT_TYPES
    return body.decode(errors="replace").encode() if is_text else body


def is_what_was_sent(output: str, body: bytes, content_type: str) -> bool:
    """Read without the stack's own code: JSON as it is, a form as its fields, text as text, other bytes as base64."""
    try:
        text = body.decode("utf-8-sig")
        json.loads(text, parse_constant=lambda _: float("not JSON"))
    except UnicodeDecodeError:
        return bool(json.loads(output) == {"base64": base64.b64encode(body).decode()})
    except ValueError:
        value = json.loads(output)
        if isinstance(value, dict) and value:
            return content_type.lower().startswith((FORM, "multipart/")) and value == fields(text)
        return bool(value == (text if text.strip() else {}))
    return output == text


def fields(form: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def assert_repeats_only_the_alphabet(answer: RawAnswer) -> None:
    if answer.status < 300:
        assert answer.headers["x-content-type-options"] == "nosniff"
        is_json = answer.headers["content-type"].startswith("application/json")
        repeated = list(json.loads(answer.body).values()) if is_json else [answer.body.decode()]
    else:
        assert json.loads(answer.body or '{"error": ""}').keys() == {"error"}
        repeated = []
        assert b"<" not in answer.body
    repeated += [answer.headers[name] for name in REPEATED if name in answer.headers]
    assert all(ALPHABET.fullmatch(text) for text in repeated), answer
