"""The client and the stack in one process, in memory."""

from tests.unit.conftest import api, world

__all__ = ["api", "world"]
