"""Recorded deliveries of a deployed stack, stored without a request to the endpoint."""

import time

from waitpoints.aws.delivery_store import DeliveryStore
from waitpoints.aws.endpoint_store import EndpointStore
from waitpoints.recorded_delivery import Contents, RecordedDelivery, new_delivery_id
from waitpoints_local.stack import Stack

BODY = b'{"workflow_run": {"id": 1}}'


def record(stack: Stack, name: str) -> str:
    """Record a delivery of an endpoint, which stays pending, and return its id."""
    endpoint = EndpointStore(stack.client("dynamodb"), stack.table_name).get(name)
    assert endpoint is not None
    now = int(time.time() * 1000)
    delivery = RecordedDelivery(id=new_delivery_id(now), at=now, size=len(BODY), expires_at=now // 1000 + 3600)
    store = DeliveryStore(stack.client("dynamodb"), stack.table_name, lambda: stack.client("s3"), stack.output_bucket)
    return store.begin(endpoint.secret_id, name, delivery, Contents({}, "", BODY)).id
