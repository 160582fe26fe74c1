"""Delete recorded deliveries with their contents, and with the early completions that they made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from waitpoints.aws.delivery_store import SHARDS
from waitpoints.complete_by_key import is_own
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.errors import TryAgain
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import CompletedBy, Source, Token
from waitpoints.wiring import services

AT_ONCE = 100  # deliveries of a shard


def delete(endpoint: Endpoint, delivery: RecordedDelivery, has_time: Callable[[], bool] = lambda: True) -> None:
    """Delete a delivery with its resends, and what each has kept. Raises TryAgain once `has_time` returns False.

    The delivery is deleted last, as who repeats a request that failed finds none any more.
    """
    for one in reversed(with_resends(endpoint, delivery)):
        if not has_time():
            raise TryAgain("The delivery has many resends. Send the same request again")
        if one.kind is None and (token := find_settled(endpoint, one)):
            services.completions_by_key.withdraw(token.id)
        withdraw(one)
        deleted = services.deliveries.delete(endpoint.secret_id, one.id)
        if deleted is not None and one.kind is None:
            withdraw(deleted)  # it was finished meanwhile
        for late in services.deliveries.resends(endpoint.secret_id, one.id):
            delete(endpoint, late, has_time)
        services.deliveries.forget_resends(one.id)


def with_resends(endpoint: Endpoint, delivery: RecordedDelivery) -> list[RecordedDelivery]:
    """Return a delivery, its resends and theirs."""
    found = [delivery]
    for one in found:  # which grows
        found += services.deliveries.resends(endpoint.secret_id, one.id)
    return found


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


def find_settled(endpoint: Endpoint, delivery: RecordedDelivery) -> Token | None:
    """Return the token that a delivery has settled or made, also if its function failed before the delivery was finished."""
    if delivery.kind is not None or delivery.token_id is not None:
        token = services.tokens.find_or_none(delivery.token_id) if delivery.token_id else None
    else:
        token = _find_by_key(endpoint, delivery)
    by = CompletedBy(source=Source.ENDPOINT, record=delivery.id)
    return token if token is not None and is_own(token.outcome, by) else None


def _find_by_key(endpoint: Endpoint, delivery: RecordedDelivery) -> Token | None:
    from waitpoints.api.endpoints.evaluation import Evaluated, Evaluation

    contents = services.deliveries.contents(endpoint.secret_id, delivery.id)
    if contents is None:
        return None
    result = Evaluation(endpoint, contents.body, contents.headers, contents.raw_query).result
    return services.completions_by_key.find_token(result.key) if isinstance(result, Evaluated) else None
