"""What a delivery to an endpoint comes to: its key and its output, or why it has none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints import idempotency_key
from waitpoints.api.endpoints.evaluation import (
    MAX_NAMES,
    Evaluated,
    Evaluation,
    NoKey,
    NoOutput,
    NotMatching,
    shape,
    text_in_key,
)
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.endpoint import Endpoint

JSON = {"Content-Type": "application/json"}


def evaluate(
    body: bytes | Any, *, key: str = "body.id", when: str | None = None, output: str = "body", query: str = ""
) -> Evaluated | NotMatching | NoKey | NoOutput:
    endpoint = Endpoint(
        name="shop",
        secret_id="0" * 24,
        key=key,
        verify=None,
        created_at=0,
        updated_at=0,
        complete_when=when,
        output=output,
    )
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Evaluation(endpoint, sent, JSON, query).result


class TestTheKey:
    @pytest.mark.parametrize(
        ("sent", "key"),
        [
            ('"a"', "a"),
            ('" a:b "', " a:b "),
            ("123456", "123456"),
            ("123456.0", "123456"),
            ("1e3", "1000"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("9007199254740993", "9007199254740993"),
            ("1" + "0" * 300, "1" + "0" * 300),
        ],
    )
    def test_is_the_name_a_colon_and_a_text_or_number(self, sent: str, key: str) -> None:
        assert evaluate(b'{"id":' + sent.encode() + b"}") == Evaluated(f"shop:{key}", '{"id":' + sent + "}")

    @pytest.mark.parametrize(
        ("sent", "given"),
        [
            ("null", "null"),
            ("true", "boolean"),
            ('""', "an empty text"),
            ("[1]", "a list"),
            ('{"a":1}', "an object"),
            ("1e300", "a number that is too large to be exact"),
            ("1" * 400, "a number that is too large to be exact"),
        ],
    )
    def test_is_missing_if_the_result_is_neither(self, sent: str, given: str) -> None:
        result = evaluate(b'{"id":' + sent.encode() + b"}")
        assert isinstance(result, NoKey)
        assert result.reason == f"key gives {given}; a text that is not empty, or a number, is needed"

    def test_has_at_most_the_length_of_a_key(self) -> None:
        longest = "k" * (idempotency_key.MAX_LENGTH - len("shop:"))
        assert isinstance(evaluate({"id": longest}), Evaluated)
        too_long = evaluate({"id": longest + "k"})
        assert isinstance(too_long, NoKey)
        assert "2048 characters or less" in too_long.reason

    def test_is_valid_unicode(self) -> None:
        half = evaluate(b'{"id":"\\ud800"}')
        assert isinstance(half, NoKey)
        assert "half of a surrogate pair" in half.reason

    def test_may_come_from_the_query_or_a_header(self) -> None:
        assert evaluate(b"", key="query.order", query="order=7") == Evaluated("shop:7", "{}")
        assert evaluate(b"1", key='headers."content-type"') == Evaluated("shop:application/json", "1")

    def test_that_fails_is_no_key(self) -> None:
        result = evaluate(["secret", 1], key="join('-', body)")
        assert isinstance(result, NoKey)
        assert result.reason == "key failed: join() takes array-string, not number"


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_a_key_is_that_number(number: float) -> None:
    text = text_in_key(number)
    if text is None:
        assert isinstance(number, float)
        assert abs(number) >= 2**53
    else:
        assert float(text) == number if isinstance(number, float) else text == str(number)


def test_a_delivery_that_does_not_match_is_not_asked_for_its_key() -> None:
    assert evaluate({}, when="body.paid") == NotMatching("the result of completeWhen is null, false or empty")


def test_a_failing_filter_does_not_match() -> None:
    result = evaluate({"a": 5}, when="contains(body.a, 'x')")
    assert result == NotMatching("completeWhen failed: contains() takes array or string, not number")


class TestTheOutput:
    def test_is_the_bodys_own_text(self) -> None:
        assert evaluate(b'{ "id" : 1.0 }', output=" body ") == Evaluated("shop:1", '{ "id" : 1.0 }')

    def test_is_the_text_of_what_the_expression_gives(self) -> None:
        assert evaluate({"id": 1, "a": ["ü"]}, output="body.a") == Evaluated("shop:1", '["ü"]')
        assert evaluate({"id": 1}, output="body.a") == Evaluated("shop:1", "null")

    def test_that_repeats_a_large_body_is_too_large(self) -> None:
        body = {"id": 1, "a": "x" * (PAYLOAD_LIMIT // 8)}
        assert isinstance(evaluate(body, output="[body,body]"), Evaluated)
        assert evaluate(body, output="[body,body,body,body,body,body,body,body]") == NoOutput(
            f"output failed: its result is over {PAYLOAD_LIMIT} bytes"
        )

    def test_counts_in_bytes(self) -> None:
        body = {"id": 1, "a": "ü" * (PAYLOAD_LIMIT // 4)}
        assert isinstance(evaluate(body, output="[body.a]"), Evaluated)
        assert isinstance(evaluate(body, output="[body.a,body.a]"), NoOutput)

    def test_that_fails_is_no_output(self) -> None:
        assert evaluate({"id": 1}, output="length(body.a)") == NoOutput(
            "output failed: length() takes string or array or object, not null"
        )


class TestTheShape:
    def test_has_names_and_types_but_no_value(self) -> None:
        body = {"id": 4242, "login": "secret", "on": True, "none": None, "list": [1], "in": {"deep": {"er": 1}, "a": "b"}}
        assert json.loads(shape(body)) == {
            "id": "number",
            "login": "string",
            "on": "boolean",
            "none": "null",
            "list": "array",
            "in": {"deep": "object", "a": "string"},
        }

    def test_of_a_list_is_that_of_its_first_element(self) -> None:
        assert json.loads(shape([{"a": 1}, "secret"])) == [{"a": "number"}]
        assert json.loads(shape([])) == "array"
        assert json.loads(shape("secret")) == "string"

    def test_has_at_most_forty_names(self) -> None:
        body = {f"outer{number}": {f"inner{inner}": 1 for inner in range(30)} for number in range(30)}
        shown = json.loads(shape(body))
        names = [*shown, *(name for inner in shown.values() if isinstance(inner, dict) for name in inner)]
        assert len(names) == MAX_NAMES
        full = {f"name{number}": {"two words": 1} for number in range(MAX_NAMES)}
        assert json.loads(shape(full)) == dict.fromkeys(full, "object")

    def test_counts_names_that_are_no_identifiers_without_showing_them(self) -> None:
        names = ["alice@example.com", "eyJhbGciOi.JWTSECRET", "4242", "two words", "", "n" * 41, "gr\u00fcn", "a\n"]
        plain = {"$ref": 1, "order-id": 1, "_id": 1, "n" * 40: 1}
        shown = json.loads(shape({**plain, **dict.fromkeys(names, "secret"), "by": dict.fromkeys(names, "secret")}))
        assert shown == {**dict.fromkeys(plain, "number"), "by": {"(other names)": 8}, "(other names)": 8}
        assert json.loads(shape({"(other names)": {"a": 1}, "b": 1})) == {"b": "number", "(other names)": 1}

    @pytest.mark.parametrize("text", ["eyJhbGciOi.JWTSECRET==", "c2VjcmV0=", "c2VjcmV0==="])
    def test_of_a_text_that_was_sent_as_a_form_is_that_of_a_text(self, text: str) -> None:
        endpoint = Endpoint(name="shop", secret_id="0" * 24, key="body.id", verify=None, created_at=1, updated_at=1)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        key = Evaluation(endpoint, text.encode(), headers, "").key
        assert isinstance(key, NoKey)
        assert key.shape == '"string"'
