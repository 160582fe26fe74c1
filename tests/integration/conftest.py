"""The stack on moto: resources as template.yaml has them, handlers as they are deployed."""

from collections.abc import Iterator

import pytest

from local.moto_stack import MotoStack, moto_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[MotoStack]:
    with moto_stack() as stack:
        yield stack
