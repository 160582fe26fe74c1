"""The exceptions of the stack."""

import inspect
import re

from waitpoints import errors
from waitpoints.api import http

DRAWN = re.compile(r"^ {4}( *)(\w+)", re.MULTILINE)


def test_the_tree_is_that_of_the_classes_in_their_order() -> None:
    declared = [it for it in vars(errors).values() if inspect.isclass(it)]
    depths = [(it.__name__, len(it.__mro__) - len(Exception.__mro__)) for it in declared]
    assert [(name, len(indent) // 2 + 1) for indent, name in DRAWN.findall(errors.__doc__ or "")] == depths


def test_every_refusal_has_a_status() -> None:
    refusals = {it for it in vars(errors).values() if inspect.isclass(it) and issubclass(it, errors.WaitpointsError)}
    assert set(http._STATUS) == refusals - {errors.WaitpointsError}
