"""An endpoint for GitHub, and deliveries to it."""

from collections.abc import Mapping
from typing import Any

from tests.support.in_process.api_gateway import JSON, Api, HttpAnswer
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import World
from tests.support.webhook_signer import sign
from waitpoints.endpoint import Endpoint, EndpointStatistics, new_secret_id
from waitpoints.listing import Listed, ListQuery, read_slice
from waitpoints.recorded_delivery import PREFIX, DeliveryFilter, RecordedDelivery
from waitpoints.token import Verification
from waitpoints.wiring import services

GITHUB = Verification("github", "github")
SECRET = "the-secret-of-github"
BODY = '{"action": "completed", "workflow_run": {"id": 123456, "seconds": 1.50}}'
KEY = "github:123456"


class GitHub:
    """The endpoint `github` of a `world`. `settings` are those that each `put` has."""

    def __init__(self, world: World, api: Api, **settings: Any) -> None:
        self.world, self.api, self._settings = world, api, settings
        world.webhook_secrets["github"] = FakeSecret(SECRET)
        self.put()

    def put(self, **changed: Any) -> None:
        now = self.world.clock()
        usual = {"verify": None, "complete_when": "body.action == 'completed'", "name": "github", "key": "body.workflow_run.id"}
        new = {"secret_id": new_secret_id(), "created_at": now, "updated_at": now, **usual, **self._settings, **changed}
        self.endpoint: Endpoint = self.world.endpoints.put(Endpoint(**new))

    def disable(self, disabled: bool = True) -> None:
        self.world.endpoints.set_disabled(self.endpoint.name, disabled, self.world.clock())

    def make_later(self, token_id: str | None) -> None:
        """As if a later version had written the token, or the endpoint."""
        if token_id is None:
            self.world.endpoints.make_later(self.endpoint.name)
        else:
            self.world.store.make_later(token_id)

    @property
    def url(self) -> str:
        return url_of(self.endpoint)

    def deliver(self, body: str | bytes = BODY, headers: Mapping[str, str] = {}, query: str = "") -> HttpAnswer:
        """Deliver as GitHub does, with its signature. `headers` are more, or others."""
        return self.api.post(self.url + query, body, {**JSON, **self.signature(body), **headers})

    def receive(self, body: str | bytes = BODY, headers: Mapping[str, str] = {}) -> RecordedDelivery:
        """Deliver a moment later, and return what was recorded of it."""
        self.world.advance(1)
        answer = self.deliver(body, headers)
        assert answer.status == 200, answer.text
        return self.rows()[-1]

    def signature(self, body: str | bytes = BODY) -> dict[str, str]:
        content = body.encode() if isinstance(body, str) else body
        return sign("github", content, self.url, 0, SECRET).headers

    def rows(self) -> list[RecordedDelivery]:
        """What is recorded, the oldest first."""
        query = ListQuery(DeliveryFilter(), 100, oldest_first=True)
        readers = services.deliveries.partitions(self.endpoint.secret_id, query.filter, self.world.clock())
        return list(read_slice(readers, query, Listed(PREFIX, (100,))).items)

    def row(self, delivery_id: str) -> RecordedDelivery:
        found = services.deliveries.get(self.endpoint.secret_id, delivery_id)
        assert found is not None
        return found

    def create(self, **asked: Any) -> str:
        """Create the token that a delivery completes. Returns its id."""
        return self.world.create(**{"key": KEY, **asked})

    def waits(self, token_id: str) -> bool:
        return self.world.tokens.retrieve(token_id).outcome is None

    def try_delivery(self, **sent: Any) -> dict[str, Any]:
        """What a test of the endpoint says would become of a delivery."""
        return self.api.ask("POST", "/api/v1/endpoints/github/test", sent)

    @property
    def statistics(self) -> EndpointStatistics:
        return self.world.endpoints.read_statistics(self.endpoint.secret_id)

    @property
    def counted(self) -> dict[str, int]:
        return {str(kind): count for kind, count in self.statistics.counts.items()}


def steps(trial: Mapping[str, Any]) -> dict[str, str]:
    return {step["step"]: step["result"] for step in trial["steps"]}


def url_of(endpoint: Endpoint) -> str:
    return services.urls.endpoint_url(endpoint.name, endpoint.secret_id, "")
