"""Delete recorded deliveries with their contents, and with the early completions that they made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from waitpoints.aws.delivery_store import SHARDS
from waitpoints.complete_by_key import is_own
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import TryAgain
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import CompletedBy, Source
from waitpoints.wiring import services

AT_ONCE = 100  # deliveries of a shard


def delete(endpoint: Endpoint, delivery: RecordedDelivery, has_time: Callable[[], bool] = lambda: True) -> None:
    """Delete a delivery with its resends, and what each has kept. Raises TryAgain once `has_time` returns False.

    The delivery is deleted last, as who repeats a request that failed finds none any more.
    """
    found = [delivery]
    for one in found:  # which grows
        found += services.deliveries.resends(endpoint.secret_id, one.id)
    for one in reversed(found):
        if not has_time():
            raise TryAgain("The delivery has many resends. Send the same request again")
        if one.kind is None:
            _withdraw_unfinished(endpoint, one)
        withdraw(one)
        deleted = services.deliveries.delete(endpoint.secret_id, one.id)
        if deleted is not None and one.kind is None:
            withdraw(deleted)  # it was finished meanwhile
        for late in services.deliveries.resends(endpoint.secret_id, one.id):
            delete(endpoint, late, has_time)
        services.deliveries.forget_resends(one.id)


def withdraw(delivery: RecordedDelivery) -> None:
    """Delete the early completion that a delivery made, unless a create has claimed that."""
    if delivery.kind is DeliveryKind.KEPT:
        assert delivery.token_id is not None
        services.completions_by_key.withdraw(delivery.token_id)


def delete_all(endpoint: Endpoint, has_time: Callable[[], bool]) -> tuple[int, bool]:
    """Delete an endpoint's deliveries until `has_time` returns False. Returns how many, and whether none is left."""

    def delete_shard(shard: int) -> tuple[int, bool]:
        deleted = 0
        while has_time():
            found = services.deliveries.first_of_shard(endpoint.secret_id, shard, AT_ONCE)
            pending = [delivery for delivery in found if delivery.kind is None]
            for delivery in pending:
                delete(endpoint, delivery)
            finished = [delivery for delivery in found if delivery.kind is not None]
            for delivery in finished:
                withdraw(delivery)
            ids = [delivery.id for delivery in finished]
            gone = len(pending) + (services.deliveries.delete_finished(endpoint.secret_id, ids) if ids else 0)
            deleted += gone
            if gone < AT_ONCE:
                return deleted, gone == len(found)  # what AWS has left is for the next request
        return deleted, False

    with ThreadPoolExecutor(SHARDS) as threads:
        results = list(threads.map(delete_shard, range(SHARDS)))
    return sum(deleted for deleted, _ in results), all(done for _, done in results)


def _withdraw_unfinished(endpoint: Endpoint, delivery: RecordedDelivery) -> None:
    """Also of a function that failed after it had completed the key, so that the delivery is still pending."""
    from waitpoints.api.endpoints.evaluation import Evaluated, Evaluation

    contents = services.deliveries.contents(endpoint.secret_id, delivery.id)
    if contents is None:
        return
    result = Evaluation(endpoint, contents.body, contents.headers, contents.raw_query).result
    token = services.completions_by_key.find_token(result.key) if isinstance(result, Evaluated) else None
    by = CompletedBy(source=Source.ENDPOINT, record=delivery.id)
    if token is not None and token.early_until is not None and is_own(token.outcome, by):
        services.completions_by_key.withdraw(token.id)
