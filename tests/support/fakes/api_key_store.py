"""Named keys in memory, as `aws.api_key_store` keeps them in the table."""

import threading
from collections.abc import Mapping, Sequence

from waitpoints.access.api_keys import MOST, NamedKey, Scope, digest, new_key
from waitpoints.errors import ApiKeyNameTaken, TooManyApiKeys


class MemoryApiKeyStore:
    """`reads` counts the reads, `failure` is raised by each if it is set."""

    def __init__(self) -> None:
        self.keys: dict[str, NamedKey] = {}
        self.used: dict[str, int] = {}
        self.reads = 0
        self._lock = threading.Lock()
        self.failure: Exception | None = None

    def read(self) -> Sequence[NamedKey]:
        self.reads += 1
        if self.failure:
            raise self.failure
        return list(self.keys.values())

    def note_used(self, key: NamedKey, now: int) -> None:
        self.used[key.digest] = now

    def add(self, key: NamedKey, now: int) -> None:
        with self._lock:
            self._add(key, now)

    def _add(self, key: NamedKey, now: int) -> None:
        held = self.keys.get(key.name)
        if held == key:
            return
        if held and not held.has_expired(now):
            raise ApiKeyNameTaken
        if not held and len(self.keys) >= MOST:
            expired = [other.name for other in self.keys.values() if other.has_expired(now)]
            if not expired:
                raise TooManyApiKeys
            del self.keys[expired[0]]
        self.keys[key.name] = key

    def remove(self, name: str) -> bool:
        return self.keys.pop(name, None) is not None

    def read_used(self) -> Mapping[str, int]:
        return dict(self.used)

    def make(self, name: str, *scopes: str, expires_at: int | None = None) -> str:
        """Make a key and return it."""
        key = new_key()
        self.keys[name] = NamedKey(name, digest(key), tuple(map(Scope.of, scopes)), 0, expires_at)
        return key
