from collections.abc import Iterator

import pytest

from tests.support.in_process.moto_stack import MotoStack


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give each test an empty table."""
    yield
    stack = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    if isinstance(stack, MotoStack):
        stack.empty_table()
