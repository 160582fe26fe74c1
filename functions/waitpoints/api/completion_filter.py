"""`completeWhen`: a JMESPath expression over body, headers and query that selects the deliveries that settle a token.

A short expression can take long to evaluate. So `check` limits its structure when a token is created, and `matches` limits
its work for each delivery: the nodes visited, and the characters that `to_string`, `join` and `json` read or write.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from jmespath import exceptions, functions, lexer, parser, visitor

from waitpoints import json_text
from waitpoints.errors import InvalidCompleteWhen

MAX_LENGTH = 256  # characters
MAX_NODES = 40
MAX_NESTING = 16  # nested brackets, including those of calls
MAX_PROJECTIONS = 2
MAX_SELECTED = 8  # values in a multi-select: each may be the whole body
MAX_SEPARATOR = 8  # characters in the separator of `join`
MAX_VISITS = 300_000  # about 0.5 s
MAX_TEXT = 6_291_456  # characters, twice the largest body
_CALL = 200  # a call takes as long as this many characters

FUNCTIONS = {
    "contains": 2,
    "starts_with": 2,
    "ends_with": 2,
    "length": 1,
    "type": 1,
    "to_number": 1,
    "to_string": 1,
    "join": 2,
    "not_null": None,  # one or more
    "json": 1,
}
"""The accepted functions, and how many arguments each takes. `json` is our own, the others are JMESPath's."""

_PROJECTIONS = ("projection", "filter_projection", "value_projection")
_MULTI_SELECTS = ("multi_select_list", "multi_select_dict")
_OPENING, _CLOSING = ("lbracket", "lbrace", "lparen", "filter"), ("rbracket", "rbrace", "rparen")
_DIGITS = 308  # a longer integer is read as a float

Node = Mapping[str, Any]


def check(expression: str) -> None:
    """Raises InvalidCompleteWhen, which says what is not accepted."""
    if len(expression) > MAX_LENGTH:
        raise _refusal(f"at most {MAX_LENGTH} characters are accepted")
    try:
        expression.encode()
        _check_nesting(expression)
        tree = parser.Parser().parse(expression).parsed
        nodes = list(_nodes(tree))
    except exceptions.JMESPathError:
        raise _refusal("it is not valid JMESPath") from None
    except (ValueError, RecursionError):
        raise _refusal("it cannot be parsed") from None
    _check_counts(nodes)
    for node in nodes:
        if node["type"] == "expref":
            raise _refusal("expression references (&) are not accepted")
        if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
            raise _refusal("! binds tighter than a dot: write !(a.b)")
        if node["type"] == "function_expression":
            _check_function(node)
    _check_roots(tree)


def matches(expression: str, delivery: Mapping[str, Any]) -> bool:
    """Whether a delivery `{"body", "headers", "query"}` settles the token: the result is not null, false or empty.

    `check` must have accepted `expression`. If the evaluation fails or takes too much work, the delivery does not match.
    """
    work = _Work()
    try:
        result = work.visit(parser.Parser().parse(expression).parsed, dict(delivery))
    except Exception:  # such as a wrong argument type, a comparison of text and number, or too much work
        return False
    is_empty = isinstance(result, (str, list, dict)) and not result
    return not (result is None or result is False or is_empty)


def delivery(output: str, headers: Mapping[str, str], raw_query: str) -> dict[str, Any]:
    """Return the value that an expression is evaluated on. `output` is the JSON text made from the body.

    A repeated query parameter becomes a list. An integer of more than 308 digits becomes a float.
    """
    return {
        "body": json_text.parse(output, parse_int=_number),
        "headers": {name.lower(): value for name, value in headers.items()},
        "query": _query(raw_query),
    }


class _TooMuchWork(Exception):
    pass


class _Work(visitor.TreeInterpreter):
    """One evaluation. It raises _TooMuchWork after MAX_VISITS nodes or MAX_TEXT characters."""

    def __init__(self) -> None:
        super().__init__(visitor.Options(custom_functions=_Functions()))
        self._visits = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._visits += 1
        if self._visits > MAX_VISITS:
            raise _TooMuchWork
        return super().visit(node, *args, **kwargs)


class _Functions(functions.Functions):
    def __init__(self) -> None:
        self._characters = 0

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        if function_name == "json" and isinstance(arguments[0], str):
            self._count(arguments[0])
        result = super().call_function(function_name, arguments)
        if function_name in ("to_string", "join"):
            self._count(result)
        return result

    @functions.signature({"types": []})
    def _func_json(self, text: Any) -> Any:
        """Parse a JSON text. Any other text or value gives null."""
        if not isinstance(text, str):
            return None
        try:
            return json_text.parse(text, parse_int=_number)
        except json_text.NotJson:
            return None

    def _count(self, text: str) -> None:
        self._characters += len(text) + _CALL
        if self._characters > MAX_TEXT:
            raise _TooMuchWork


def _check_nesting(expression: str) -> None:
    depth = 0
    for token in lexer.Lexer().tokenize(expression):
        depth += (token["type"] in _OPENING) - (token["type"] in _CLOSING)
        if depth > MAX_NESTING:
            raise _refusal(f"it is nested too deeply: at most {MAX_NESTING} nested brackets are accepted")


_ROOTS = ("body", "headers", "query")
_NEW_CURRENT = ("subexpression", "pipe", "projection", "value_projection", "filter_projection", "index_expression")
"""Nodes whose first child is evaluated where they are, and whose other children are evaluated on its result."""


def _check_roots(node: Node) -> None:
    """Refuse a name that no delivery has at this place, which would be null and never, or always, match."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "field" and node["value"] not in _ROOTS:
        raise _refusal(
            f"{json_text.dumps(node['value'])} is not one of {', '.join(_ROOTS)}; a text is written in single quotes, 'text'"
        )
    if node["type"] == "subexpression" and children[0].get("value") == "headers" and children[1]["type"] == "field":
        name = children[1]["value"]
        if name != name.lower():
            raise _refusal(f"names of headers are in lower case: {json_text.dumps(name.lower())}")
    for child in children[:1] if node["type"] in _NEW_CURRENT else children:
        _check_roots(child)


def _check_counts(nodes: list[Node]) -> None:
    kinds = [node["type"] for node in nodes]
    if len(nodes) > MAX_NODES:
        raise _refusal(f"it has {len(nodes)} nodes (names, values, operators and calls); at most {MAX_NODES} are accepted")
    if sum(kind in _PROJECTIONS for kind in kinds) > MAX_PROJECTIONS:
        raise _refusal(f"at most {MAX_PROJECTIONS} projections ([*], .*, [], [?…] or a slice) are accepted")
    selects = [node for node in nodes if node["type"] in _MULTI_SELECTS]
    if len(selects) > 1:
        raise _refusal("at most one multi-select ([…, …] or {…}) is accepted")
    if any(len(node["children"]) > MAX_SELECTED for node in selects):
        raise _refusal(f"at most {MAX_SELECTED} values in a multi-select are accepted")
    if sum(node["type"] == "function_expression" and node["value"] == "json" for node in nodes) > 1:
        raise _refusal("json() is accepted only once")


def _check_function(call: Node) -> None:
    name, arguments = call["value"], call["children"]
    if name not in FUNCTIONS:
        raise _refusal(f"the function {json_text.dumps(name)} is not accepted, only {', '.join(FUNCTIONS)}")
    expected = FUNCTIONS[name]
    if len(arguments) != expected if expected else not arguments:
        raise _refusal(f"{name}() takes {expected or 'at least 1'} argument(s), not {len(arguments)}")
    if name == "join":
        separator = arguments[0].get("value") if arguments[0]["type"] == "literal" else None
        if not isinstance(separator, str) or len(separator) > MAX_SEPARATOR:
            raise _refusal(f"the separator of join() must be a literal of at most {MAX_SEPARATOR} characters")


def _nodes(node: Node) -> Iterator[Node]:
    """Yield the nodes that the author wrote, without the identities that the parser inserts."""
    if node["type"] not in ("identity", "key_val_pair"):
        yield node
    for child in node["children"]:
        if isinstance(child, dict):  # the children of a slice are numbers
            yield from _nodes(child)


def _query(raw_query: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        earlier = found.get(name)
        found[name] = value if earlier is None else [*([earlier] if isinstance(earlier, str) else earlier), value]
    return found


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _refusal(reason: str) -> InvalidCompleteWhen:
    return InvalidCompleteWhen(f"Invalid completeWhen: {reason}")
