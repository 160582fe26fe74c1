"""The client and the stack in one process, on moto."""

from tests.unit.conftest import api, world

__all__ = ["api", "world"]
