"""moto's expressions of DynamoDB, parsed once for each text.

moto parses and checks every expression anew, by walks that ask `isinstance` of abstract classes: most of its time in thousands
of runs of the same requests. What is replaced here gives the same answers: `test_quick_expressions.py` compares them.
"""

import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest import mock

from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.parsing import ast_nodes, expressions, validators

_NODES: Any = ast_nodes  # moto leaves its parser without types
_PARSERS: Any = expressions

_PLACES: tuple[tuple[Any, str], ...] = (
    (_PARSERS.UpdateExpressionParser, "make"),
    (validators, "deepcopy"),
    (_NODES.DepthFirstTraverser, "traverse_node_recursively"),
    (_NODES.Node, "find_clauses"),
    (ConditionExpressionParser, "_lex_condition_expression"),
)
_ORDINARY = tuple(getattr(owner, name) for owner, name in _PLACES)


def ordinary_expressions() -> AbstractContextManager[None]:
    """Within this, moto is as it came, also within `quick_expressions`."""
    return _replaced(_ORDINARY)


def quick_expressions() -> AbstractContextManager[None]:
    """Within this, moto parses the text of an expression once."""
    make, *_, lex = _ORDINARY
    lexed: dict[str, list[Any]] = {}

    def nodes(parser: Any) -> deque[Any]:
        text = parser.condition_expression
        if text not in lexed:
            lexed[text] = list(lex(parser))
        return deque(lexed[text])

    return _replaced((cache(make), _copy, _traverse, _find_clauses, nodes))  # each validator works on a copy of what was made


@contextmanager
def _replaced(replacements: Sequence[Any]) -> Iterator[None]:
    with ExitStack() as until_the_end:
        for (owner, name), replacement in zip(_PLACES, replacements, strict=True):
            until_the_end.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _copy(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - made in the same line


def _is_one(kind: type, *of: type) -> bool:
    return issubclass(kind, of)


_is_a: Any = cache(_is_one)
"""`isinstance` of an abstract class takes twenty times as long as this."""


def _traverse(traverser: Any, node: Any, child_id: int = -1) -> Any:
    if not _is_a(type(node), _NODES.Node):
        return node
    parent = node.parent
    for number, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, number)
        _traverse(traverser, child, number)
    if _is_a(type(node), *_processed(traverser)):
        node = traverser.process(node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


def _processed(traverser: Any) -> tuple[type, ...]:
    """The kinds of nodes that a traverser changes. They are the same during its life."""
    kinds: tuple[type, ...] | None = vars(traverser).get("_processed")
    if kinds is None:
        kinds = traverser._processed = traverser.nodes_to_be_processed()
    return kinds


def _find_clauses(node: Any, kinds: list[type]) -> list[Any]:
    found = []
    for child in node.children or ():
        if type(child) in kinds:
            found.append(child)
        elif _is_a(type(child), _NODES.Expression, _NODES.UpdateExpressionFunction):
            found += _find_clauses(child, kinds)
    return found
