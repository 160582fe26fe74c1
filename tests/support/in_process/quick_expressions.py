"""moto's expressions of DynamoDB, worked out once for each text.

moto parses and checks every expression anew, by walks that ask `isinstance` of abstract classes: most of its time in thousands
of runs of the same requests. Here it does so once for a text. From then on only names and values are put in, and what is
refused is left to moto. `test_quick_expressions.py` compares the answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

from moto.dynamodb import models
from moto.dynamodb.comparisons import AttributePath, AttributeValue, ConditionExpressionParser
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing import ast_nodes, expressions, validators

_NODES: Any = ast_nodes  # moto leaves its parser without types
_PARSERS: Any = expressions
_VALIDATORS: Any = validators
_CONDITIONS: Any = ConditionExpressionParser
_FUNCTIONS, _SUMS = _VALIDATORS.UpdateExpressionFunctionEvaluator(), _VALIDATORS.ExecuteOperations()

_PLACES: tuple[tuple[Any, str], ...] = (
    (_PARSERS.UpdateExpressionParser, "make"),
    (models, "UpdateExpressionValidator"),
    (_NODES.Node, "find_clauses"),
    (_CONDITIONS, "parse"),
    (_CONDITIONS, "_make_operand"),
)
_ORDINARY = tuple(getattr(owner, name) for owner, name in _PLACES)


def ordinary_expressions() -> AbstractContextManager[None]:
    """Within this, moto is as it came, also within `quick_expressions`."""
    return replaced(_PLACES, _ORDINARY)


def quick_expressions() -> AbstractContextManager[None]:
    """Within this, moto works out the text of an expression once."""
    make, validator, _, parse, make_operand = _ORDINARY
    quick = (cache(make), _validator(validator), _find_clauses, _parse(parse), _make_operand(make_operand))
    return replaced(_PLACES, quick)


@contextmanager
def replaced(places: Sequence[tuple[Any, str]], replacements: Sequence[Any]) -> Iterator[None]:
    with ExitStack() as until_the_end:
        for (owner, name), replacement in zip(places, replacements, strict=True):
            until_the_end.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _parse(ordinary: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Parse a condition. The tree of a known one is there, to be made an operation."""
    known: dict[str, tuple[Any, list[str], list[str]]] = {}

    def parse(parser: Any) -> Any:
        text = parser.condition_expression
        if not text:
            return ordinary(parser)
        if text in known:
            tree, names, values = known[text]
            parser.expr_attr_names_found += names
            parser.expr_attr_values_found += values
            return parser._make_op_condition(tree)
        trees: list[Any] = []
        make = parser._make_op_condition

        def make_and_keep(tree: Any) -> Any:
            trees.append(tree)
            return make(tree)

        with mock.patch.object(parser, "_make_op_condition", make_and_keep):
            operation = ordinary(parser)
        if trees:  # none of no condition
            known[text] = trees[0], [*parser.expr_attr_names_found], [*parser.expr_attr_values_found]
        return operation

    return parse


def _make_operand(ordinary: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The names and values of a condition are this request's, and not those of the request whose tree is known."""

    def make_operand(parser: Any, node: Any) -> Any:
        if node.kind == _CONDITIONS.Kind.EXPRESSION_ATTRIBUTE_VALUE:
            return AttributeValue(parser.expression_attribute_values[node.text])
        if node.kind == _CONDITIONS.Kind.PATH:
            names = parser.expression_attribute_names
            return AttributePath([names[it.text] if it.text.startswith("#") else it.value for it in node.children])
        return ordinary(parser, node)

    return make_operand


def _find_clauses(node: Any, kinds: list[type]) -> list[Any]:
    found = []
    for child in node.children or ():
        if type(child) in kinds:
            found.append(child)
        elif _has_clauses(type(child)):
            found += _find_clauses(child, kinds)
    return found


def _is_expression(kind: type) -> bool:
    return issubclass(kind, (_NODES.Expression, _NODES.UpdateExpressionFunction))


_has_clauses: Any = cache(_is_expression)
"""`isinstance` of an abstract class takes twenty times as long."""


def _validator(ordinary: Any) -> Callable[..., Any]:
    """What checks an update. Of one that was right before, only its parts and values are new.

    It is the same one with other attributes, if the same of them are keys, and the same places have the same attribute.
    """
    known: dict[tuple[Any, ...], list[Any]] = {}
    attributes_in = cache(_attributes_in)

    class Validator:
        def __init__(self, expression: Any, **asked: Any) -> None:
            self._expression, self._asked = expression, asked

        def validate(self) -> Any:
            names, table = self._asked["expression_attribute_names"] or {}, self._asked["table"]
            keys = tuple(it["AttributeName"] for it in table.attr)
            attributes = [names.get(name, name) for name in attributes_in(self._expression)]
            text = self._expression, keys, *(it if it in keys else attributes.index(it) for it in attributes)
            if text in known:
                try:
                    return _put_in(known[text], self._asked["expression_attribute_values"], names, self._asked["item"], table)
                except Exception:  # noqa: S110 - moto itself says what is wrong
                    pass
            validated = ordinary(self._expression, **self._asked).validate()
            if text not in known:
                known[text] = _actions(self._expression)
            return validated

    return Validator


def _attributes_in(node: Any) -> list[str]:
    """The names in the paths of an update."""
    if type(node) in (_NODES.ExpressionAttribute, _NODES.ExpressionAttributeName):
        return [node.children[0]]
    return [name for child in node.children or () if isinstance(child, _NODES.Node) for name in _attributes_in(child)]


def _actions(expression: Any) -> list[Any]:
    """The actions of an update, in the order in which moto executes them."""
    root = deepcopy(expression)
    root.normalize()
    return list(root.children)


def _put_in(actions: list[Any], values: Any, names: Mapping[str, str], item: Any, table: Any) -> Any:
    """What moto makes of an update: each path as it is, beside the value that it gets."""
    parts = _Parts(values, _VALIDATORS.ExpressionPathResolver(names), item, {it["AttributeName"] for it in table.attr})
    return _NODES.UpdateExpression([parts.action(it) for it in actions])


@dataclass(frozen=True)
class _Parts:
    """What moto puts into an update of an item."""

    values: Any
    paths: Any
    item: Any
    keys: set[str]

    def action(self, node: Any) -> Any:
        path, *given = node.children
        if len(path.children) > 1:
            found = self.paths.resolve_expression_path(self.item, path)
            assert not isinstance(found, _NODES.NoneExistingPath) or found.is_creatable()
        if not given:
            return node
        value = self.value(given[0])
        assert type(value) is _NODES.DDBTypedValue
        assert path.children[0].children[0] not in self.keys, "there are more rules for keys"
        return type(node)([path, value])

    def value(self, node: Any) -> Any:
        match type(node):
            case _NODES.ExpressionAttributeValue:
                return _NODES.DDBTypedValue(DynamoType(self.values[node.get_value_name()]))
            case _NODES.UpdateExpressionPath:
                return self.paths.resolve_expression_path(self.item, node)
            case _NODES.UpdateExpressionFunction:
                return _FUNCTIONS.process_function(_NODES.UpdateExpressionFunction([self.value(it) for it in node.children]))
            case _NODES.UpdateExpressionValue:
                return _SUMS.process_update_expression_value(
                    _NODES.UpdateExpressionValue([self.value(it) for it in node.children])
                )
        return node  # the name of a function, or an operator
