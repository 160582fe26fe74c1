"""Endpoints in memory: every method does what `waitpoints.aws.endpoint_store.EndpointStore` does, as a whole.

`tests/integration/test_endpoint_store.py` holds both to the same promises.
"""

import threading
from dataclasses import replace

from waitpoints.endpoint import Endpoint, EndpointStatistics


class MemoryEndpointStore:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._statistics: dict[str, EndpointStatistics] = {}

    def put(self, endpoint: Endpoint) -> Endpoint:
        with self._lock:
            if existing := self._endpoints.get(endpoint.name):
                secret_id, created_at, disabled = existing.secret_id, existing.created_at, existing.disabled
                endpoint = replace(endpoint, secret_id=secret_id, created_at=created_at, disabled=disabled)
            self._endpoints[endpoint.name] = endpoint
            return endpoint

    def set_disabled(self, name: str, disabled: bool, now: int) -> Endpoint | None:
        with self._lock:
            if name not in self._endpoints:
                return None
            self._endpoints[name] = replace(self._endpoints[name], disabled=disabled, updated_at=now)
            return self._endpoints[name]

    def get(self, name: str) -> Endpoint | None:
        return self._endpoints.get(name)

    def list_endpoints(self, after: str | None, size: int) -> tuple[list[Endpoint], str | None]:
        with self._lock:
            names = sorted(name for name in self._endpoints if after is None or name > after)
            found = [self._endpoints[name] for name in names[:size]]
        return found, names[size - 1] if len(names) > size else None

    def delete(self, name: str) -> bool:
        with self._lock:
            return self._endpoints.pop(name, None) is not None

    def count(self, secret_id: str, added: EndpointStatistics) -> None:
        with self._lock:
            self._statistics[secret_id] = self.read_statistics(secret_id) + added

    def read_statistics(self, secret_id: str) -> EndpointStatistics:
        return self._statistics.get(secret_id, EndpointStatistics())
