"""The documents' examples run on Waitpoints in memory."""

from tests.unit.conftest import api, world

__all__ = ["api", "world"]
