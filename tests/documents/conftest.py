"""The documents' examples run on Waitpoints on moto."""

from tests.unit.conftest import api, world

__all__ = ["api", "world"]
