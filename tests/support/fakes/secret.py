"""A secret of Secrets Manager with its current and its previous version, in memory."""

from collections.abc import Iterator


class FakeSecret:
    def __init__(self, value: str) -> None:
        self._versions = [value]

    def rotate(self, value: str) -> None:
        self._versions = [value, self._versions[0]]

    def current(self) -> str:
        return self._versions[0]

    def accepted(self) -> Iterator[str]:
        return iter(self._versions)
