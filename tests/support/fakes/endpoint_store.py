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
                endpoint = replace(endpoint, secret_id=existing.secret_id, created_at=existing.created_at)
            self._endpoints[endpoint.name] = endpoint
            return endpoint

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
