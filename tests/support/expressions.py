"""Expressions and bodies for tests: any that Hypothesis makes of the language, and the heaviest that are accepted."""

import json

from hypothesis import strategies as st

from waitpoints.api.http import PAYLOAD_LIMIT

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
terms = st.sampled_from(
    ["a", "body", "body.a", "body[0]", "body[*]", "body[]", "body.*", "body[1:]", "@", "'a'", "`1`", "`null`"]
)
expressions = st.recursive(
    terms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["==", "!=", "<", ">=", "||", "&&", "|"]), inner).map("".join)
        | st.tuples(st.sampled_from(["contains", "starts_with", "ends_with", "join"]), inner, inner).map(
            lambda call: f"{call[0]}({call[1]},{call[2]})"
        )
        | st.tuples(st.sampled_from(["length", "type", "to_number", "to_string", "json", "not_null"]), inner).map(
            lambda call: f"{call[0]}({call[1]})"
        )
        | st.tuples(inner, inner).map(lambda pair: f"[{pair[0]},{pair[1]}]")
        | st.tuples(inner, inner).map(lambda pair: f"{pair[0]}[?{pair[1]}]")
        | inner.map(lambda term: f"!({term})")
    ),
    max_leaves=6,
)


def _filled(value: str) -> str:
    return "[" + ",".join([value] * ((PAYLOAD_LIMIT - 2) // (len(value) + 1))) + "]"


LARGEST = {
    "numbers": _filled("1"),
    "lists": _filled("[]"),
    "objects": _filled('{"a":1}'),
    "texts": _filled('""'),
    "one text": json.dumps("a" * (PAYLOAD_LIMIT - 2)),
    "two texts": json.dumps({"a": "a" * 1_500_000, "b": "a" * 1_500_000 + "b"}),
    "JSON in text": json.dumps(_filled("{}")[: PAYLOAD_LIMIT - 3] + "]"),
    "deep": "[" * 499 + "]" * 499,
}
HEAVIEST = [
    "body[?a||b||c||d||e||f||g||h||i||j||k||l||m||n||o]",
    "body.[@,@,@,@,@,@,@,@][][?a||b||c||d||e||f||g]",
    "[body,body,body,body,body,body,body,body][].json(@)",
    "[body,body,body,body,body,body,body,body][].contains(@,'b')",
    "to_string([@,@,@,@,@,@,@,@])||to_string(@)||to_string(@)",
    "body[?contains(to_string(@),'x')||contains(to_string(@),'y')]",
    "[json(body),body]|to_string(@)",
    "contains(body.b,body.a)||contains(body,body)",
    "body[::-1][::-1]",
    "join('12345678',body)",
    "to_number(body)==`1`||to_number(body)",
    "body==body&&body==body&&body==body&&body==body&&body==body&&body==body&&body!=body",
]
