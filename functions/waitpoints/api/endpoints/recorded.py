"""What the routes of recorded deliveries share: the endpoint, if the caller may see its deliveries, and one of these."""

from waitpoints import telemetry
from waitpoints.api.http import Request
from waitpoints.endpoint import Endpoint
from waitpoints.errors import DeliveryNotFound
from waitpoints.recorded_delivery import RecordedDelivery, parse_id
from waitpoints.wiring import services


def find_endpoint(request: Request) -> Endpoint:
    """Return the endpoint that the path names. Raises EndpointNotFound, or OutsideTag if the caller has another tag."""
    endpoint = services.endpoints.find(request.path["name"])
    telemetry.note(endpoint=endpoint.name)
    request.caller.check("deliveries", () if endpoint.tag is None else (endpoint.tag,))
    return endpoint


def find_delivery(endpoint: Endpoint, written_id: str) -> RecordedDelivery:
    """Return a recorded delivery. Raises DeliveryNotFound, also if it has expired: TTL deletes hours late."""
    found = services.deliveries.get(endpoint.secret_id, parse_id(written_id))
    if found is None or found.expires_at * 1000 <= services.now():
        raise DeliveryNotFound
    return found
