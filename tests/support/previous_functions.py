"""The previous version's functions, in this process beside this version's, as a rollout has both."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from tests.support import previous
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template, parse

PACKAGE = "waitpoints"


class PreviousFunctions:
    """They use the resources of a stack that this version's template made, which has all that they need.

    Both versions have a package of the same name, so while a function of one runs, the modules of the other are put aside.
    """

    def __init__(self, stack: MotoStack, folder: Path) -> None:
        """`folder` gets the version's files."""
        self._path = str(previous.checkout(folder) / "functions")
        self.template = Template(parse(previous.read("template.yaml")))
        self._environment = MotoStack(self.template, stack.resources).environment()
        self._modules: dict[str, ModuleType] = {}

    def use(self, now: Callable[[], int], **services: Any) -> None:
        """Give the functions a clock, and new services: these, and their own for the others."""
        with self.in_place():
            wiring: Any = importlib.import_module("waitpoints.wiring")
            wiring.now = now
            wiring.services.reset()
            vars(wiring.services).update(services)

    def call(self, function: str, event: Any) -> Any:
        """Invoke one of the functions, by the name of its module."""
        with self.in_place():
            return self.template.functions()[function].call(event)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this, whoever calls a function calls the previous version's."""
        handlers = {path.stem for path in Path(self._path).glob("*.py")}
        current = _take(handlers)
        sys.modules.update(self._modules)
        sys.path.insert(0, self._path)
        try:
            with mock.patch.dict(os.environ, self._environment):
                yield
        finally:
            sys.path.remove(self._path)
            self._modules = _take(handlers)
            sys.modules.update(current)


def _take(handlers: set[str]) -> dict[str, ModuleType]:
    """Remove the handlers and the package that they share from the modules, and return them."""
    names = [name for name in sys.modules if name.partition(".")[0] in {PACKAGE, *handlers}]
    return {name: sys.modules.pop(name) for name in names}
