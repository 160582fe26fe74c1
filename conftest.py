"""The stack on moto. It is here because a process may have only one, for the tests of every folder.

The garbage collector comes seldom: thousands of collected tests live to the end, and moto makes many objects that do not.
"""

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from in_process.moto_stack import MotoStack

gc.set_threshold(100_000)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(scope="session")
def stack() -> Iterator["MotoStack"]:
    """The stack on moto, shared by all tests: the resources of template.yaml and the deployed handlers.

    With TRACING=Active it traces.
    """
    from in_process.moto_shortcut import without_http  # noqa: PLC0415 - most tests need no moto
    from in_process.moto_stack import moto_stack  # noqa: PLC0415 - as above

    with moto_stack({"Tracing": os.environ.get("TRACING", "Disabled")}) as stack, without_http():
        yield stack
