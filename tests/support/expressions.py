"""Expressions and bodies for tests: any that Hypothesis makes of the language, and the heaviest that are accepted."""

import json

from hypothesis import strategies as st

from waitpoints.api.http import PAYLOAD_LIMIT

_texts = st.text(max_size=5) | st.text(st.characters(categories=["Cs", "Ll"]), max_size=2)  # also halves of surrogate pairs
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


def _expressions(terms: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(terms),
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


_BODY = ["body", "body.a", "body[0]", "body[*]", "body[]", "body.*", "body[1:]"]
expressions = _expressions(["a", *_BODY, "@", "'a'", "`1`", "`null`"])
expressions_of_deliveries = _expressions(
    [*_BODY, "body.b.a", "body.c", "@", "'-'", "`1`", "headers.a", "headers", "query.a", "query", "join('-',[body.a,query.a])"]
)
"""More of them are accepted, and give a key."""


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
