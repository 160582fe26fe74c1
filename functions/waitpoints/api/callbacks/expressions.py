"""JMESPath expressions over the body, headers and query of a delivery. Evaluating one takes bounded time.

A short expression can take long to evaluate. So `check` limits its structure when it is configured, and `Work` limits what
all expressions of one delivery take together: the nodes visited, and the characters that `to_string`, `join` and `json`
read or write.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from jmespath import exceptions, functions, lexer, parser, visitor

from waitpoints import json_text
from waitpoints.token import MAX_EXPRESSION

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
_JSON_TYPES = {"NoneType": "null", "bool": "boolean", "int": "number", "float": "number", "str": "string", "list": "array"}
"""JMESPath names the type of an element of a list as Python does."""
_ONLY_IN_QUOTED_NAMES = re.compile(r"[^A-Za-z_\s.,*\[\](){}|&<>=!'\"`]")  # no part of JMESPath's own syntax where it stands
_QUOTED_NAMES = 'a name with other characters than letters, digits and _ is written in double quotes: body."order-id"'
_DIGITS = 308  # a longer integer is read as a float

Node = Mapping[str, Any]


class ExpressionRefused(Exception):
    """The expression is not accepted. The message says what is."""


class EvaluationFailed(Exception):
    """The expression has no result for this delivery. The message says why, without a value of the delivery."""


class Work:
    """What the expressions of one delivery have taken so far, together."""

    def __init__(self) -> None:
        self.visits = 0  # nodes
        self.characters = 0

    def visit(self) -> None:
        """Raises EvaluationFailed after MAX_VISITS nodes."""
        self.visits += 1
        if self.visits > MAX_VISITS:
            raise EvaluationFailed("it visits too many values")

    def read(self, text: str) -> None:
        """Raises EvaluationFailed after MAX_TEXT characters."""
        self.characters += len(text) + _CALL
        if self.characters > MAX_TEXT:
            raise EvaluationFailed("it converts too much text")


def check_expression(expression: str) -> None:
    """Raises ExpressionRefused."""
    if len(expression) > MAX_EXPRESSION:
        raise ExpressionRefused(f"at most {MAX_EXPRESSION} characters are accepted")
    try:
        expression.encode()
        _check_nesting(expression)
        tree = _tree(expression)
        nodes = list(_nodes(tree))
    except exceptions.JMESPathError as error:
        raise ExpressionRefused(_invalid(expression, error)) from None
    except (ValueError, RecursionError):
        raise ExpressionRefused("it cannot be parsed") from None
    _check_counts(nodes)
    for node in nodes:
        if node["type"] == "expref":
            raise ExpressionRefused("expression references (&) are not accepted")
        if node["type"] == "subexpression" and node["children"][0]["type"] == "not_expression":
            raise ExpressionRefused("! binds tighter than a dot: write !(a.b)")
        if node["type"] == "function_expression":
            _check_function(node)
    for node in _on_delivery(tree):
        _check_root(node)


def is_constant(expression: str) -> bool:
    """Whether an accepted expression names no part of the delivery."""
    return not any(node["type"] == "field" for node in _on_delivery(_tree(expression)))


def evaluate(expression: str, value: Mapping[str, Any], work: Work) -> Any:
    """Evaluate an accepted expression on a delivery `{"body", "headers", "query"}`. Raises EvaluationFailed."""
    try:
        return _Interpreter(work).visit(_tree(expression), dict(value))
    except EvaluationFailed:
        raise
    except exceptions.JMESPathTypeError as error:
        expected = " or ".join(error.expected_types)
        actual = _JSON_TYPES.get(error.actual_type, error.actual_type)
        raise EvaluationFailed(f"{error.function_name}() takes {expected}, not {actual}") from None
    except Exception:  # such as a comparison of text and number
        raise EvaluationFailed("it does not fit the types of the values") from None


def matches(expression: str, value: Mapping[str, Any]) -> bool:
    """Whether an expression that `check` accepted is true of a delivery. It is not if it has no result for it."""
    try:
        return is_true(evaluate(expression, value, Work()))
    except EvaluationFailed:
        return False


def is_true(result: Any) -> bool:
    """Whether a result counts as true in JMESPath: it is not null, false or empty. The number 0 is true."""
    is_empty = isinstance(result, (str, list, dict)) and not result
    return not (result is None or result is False or is_empty)


def scope(output: str, headers: Mapping[str, str], raw_query: str) -> dict[str, Any]:
    """Return the value that an expression is evaluated on. `output` is the JSON text made from the body.

    A repeated query parameter becomes a list. An integer of more than 308 digits becomes a float.
    """
    return {
        "body": json_text.parse(output, parse_int=_number),
        "headers": {name.lower(): value for name, value in headers.items()},
        "query": _query(raw_query),
    }


class _Interpreter(visitor.TreeInterpreter):
    def __init__(self, work: Work) -> None:
        super().__init__(visitor.Options(custom_functions=_Functions(work)))
        self._work = work

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._work.visit()
        return super().visit(node, *args, **kwargs)


class _Functions(functions.Functions):
    def __init__(self, work: Work) -> None:
        self._work = work

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        if function_name == "json" and isinstance(arguments[0], str):
            self._work.read(arguments[0])
        result = super().call_function(function_name, arguments)
        if function_name in ("to_string", "join"):
            self._work.read(result)
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


def _invalid(expression: str, error: exceptions.JMESPathError) -> str:
    """Say where an expression stops to be JMESPath. Characters are counted from 1."""
    if not isinstance(error, exceptions.ParseError):  # it is empty
        return "it is not valid JMESPath"
    found = expression[error.lex_position : error.lex_position + 1]
    if not found:
        return "it is not valid JMESPath: it ends too early"
    where = f"it is not valid JMESPath at character {error.lex_position + 1}, {json_text.dumps(found)}"
    return f"{where}; {_QUOTED_NAMES}" if _ONLY_IN_QUOTED_NAMES.fullmatch(found) else where


def _check_nesting(expression: str) -> None:
    depth = 0
    for token in lexer.Lexer().tokenize(expression):
        depth += (token["type"] in _OPENING) - (token["type"] in _CLOSING)
        if depth > MAX_NESTING:
            raise ExpressionRefused(f"it is nested too deeply: at most {MAX_NESTING} nested brackets are accepted")


_ROOTS = ("body", "headers", "query")
_NEW_CURRENT = ("subexpression", "pipe", "projection", "value_projection", "filter_projection", "index_expression")
"""Nodes whose first child is evaluated where they are, and whose other children are evaluated on its result."""


def _on_delivery(node: Node) -> Iterator[Node]:
    """Yield the nodes that are evaluated on the delivery itself, not on a part of it."""
    yield node
    children = _path(node) if node["type"] in ("subexpression", "pipe") else _children(node)
    for child in children[:1] if node["type"] in _NEW_CURRENT else children:
        yield from _on_delivery(child)


def _path(node: Node) -> list[Any]:
    """Return the children of a subexpression or a pipe without a leading `@`, which changes nothing: `@.body` is `body`."""
    children = _children(node)
    return children[1:] if children[0]["type"] == "current" else children


def _check_root(node: Node) -> None:
    """Refuse a name that no delivery has at this place. It would always be null."""
    if node["type"] == "field" and node["value"] not in _ROOTS:
        raise ExpressionRefused(
            f"{json_text.dumps(node['value'])} is not one of {', '.join(_ROOTS)}; a text is written in single quotes, 'text'"
        )
    if node["type"] == "subexpression" and len(path := _path(node)) > 1:
        root, member = path[:2]
        name = member.get("value")
        if root.get("value") == "headers" and member["type"] == "field" and name != name.lower():
            raise ExpressionRefused(f"names of headers are in lower case: {json_text.dumps(name.lower())}")


def _check_counts(nodes: list[Node]) -> None:
    kinds = [node["type"] for node in nodes]
    if len(nodes) > MAX_NODES:
        raise ExpressionRefused(
            f"it has {len(nodes)} nodes (names, values, operators and calls); at most {MAX_NODES} are accepted"
        )
    if sum(kind in _PROJECTIONS for kind in kinds) > MAX_PROJECTIONS:
        raise ExpressionRefused(f"at most {MAX_PROJECTIONS} projections ([*], .*, [], [?…] or a slice) are accepted")
    selects = [node for node in nodes if node["type"] in _MULTI_SELECTS]
    if len(selects) > 1:
        raise ExpressionRefused("at most one multi-select ([…, …] or {…}) is accepted")
    if any(len(node["children"]) > MAX_SELECTED for node in selects):
        raise ExpressionRefused(f"at most {MAX_SELECTED} values in a multi-select are accepted")
    if sum(node["type"] == "function_expression" and node["value"] == "json" for node in nodes) > 1:
        raise ExpressionRefused("json() is accepted only once")


def _check_function(call: Node) -> None:
    name, arguments = call["value"], call["children"]
    if name not in FUNCTIONS:
        raise ExpressionRefused(f"the function {json_text.dumps(name)} is not accepted, only {', '.join(FUNCTIONS)}")
    expected = FUNCTIONS[name]
    if len(arguments) != expected if expected else not arguments:
        raise ExpressionRefused(f"{name}() takes {expected or 'at least 1'} argument(s), not {len(arguments)}")
    if name == "join":
        separator = arguments[0].get("value") if arguments[0]["type"] == "literal" else None
        if not isinstance(separator, str) or len(separator) > MAX_SEPARATOR:
            raise ExpressionRefused(f"the separator of join() must be a literal of at most {MAX_SEPARATOR} characters")


def _tree(expression: str) -> Node:
    tree: Node = parser.Parser().parse(expression).parsed
    return tree


def _nodes(node: Node) -> Iterator[Node]:
    """Yield the nodes that the author wrote, without the identities that the parser inserts."""
    if node["type"] not in ("identity", "key_val_pair"):
        yield node
    for child in _children(node):
        yield from _nodes(child)


def _children(node: Node) -> list[Node]:
    return [child for child in node["children"] if isinstance(child, dict)]  # the children of a slice are numbers


def _query(raw_query: str) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)
