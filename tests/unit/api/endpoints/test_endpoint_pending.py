"""What a function left pending is processed once, by the endpoint's settings of now."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support import webhook_signer
from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, KEY, SECRET, counted, create, put, signature, url_of
from tests.support.in_process.api_gateway import Api
from waitpoints.api.endpoints import pending, recording
from waitpoints.doctor.repair import DeliveryRepairs
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import Completed, CompletedBy, Document, DocumentKind, Source
from waitpoints.wiring import services

pytestmark = pytest.mark.usefixtures("github")
HOUR = 3_600_000
LARGE = BODY.replace("1.50", '1.50, "text": "' + "x" * 110_000 + '"')


class Killed(BaseException):
    pass


@pytest.fixture
def endpoint(world: InMemory) -> Endpoint:
    return put(world, verify=GITHUB, record_deliveries="7d")


@pytest.fixture
def left_pending(world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Deliver, and kill the function before it processes the delivery, or afterwards. Returns the delivery's id."""

    def leave(body: str = BODY, *, processed: bool = False, **headers: str) -> str:
        def kill(*_: Any) -> None:
            raise Killed

        headers = {"content-type": "application/json", **sign(endpoint, body), **headers}
        dies_in = "recording.finish" if processed else "endpoint_delivery.process"
        with monkeypatch.context() as dying:
            dying.setattr(f"waitpoints.api.endpoints.{dies_in}", kill)
            with pytest.raises(Killed):
                api.post(url_of(endpoint), body, headers)
        return list(services.deliveries.pending(world.clock()))[-1][2]

    return leave


def sign(endpoint: Endpoint, body: str) -> dict[str, str]:
    return webhook_signer.sign("github", body.encode(), url_of(endpoint), 0, SECRET).headers


def repair(world: InMemory, times: int = 1) -> DeliveryRepairs:
    """Repair as another function environment does, so many times."""
    world.tokens._known._known.clear()
    results = [pending.repair(list(services.deliveries.pending(world.clock())), lambda: True) for _ in range(times)]
    return results[-1]


def found(endpoint: Endpoint, delivery_id: str) -> RecordedDelivery:
    row = services.deliveries.get(endpoint.secret_id, delivery_id)
    assert row is not None
    return row


def none_is_pending(world: InMemory) -> bool:
    return list(services.deliveries.pending(world.clock())) == []


class TestWhatWasNotProcessed:
    def test_completes_the_token_that_waits(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        token, waiter = create(world), world.new_waiter()
        world.tokens.wait(token, waiter)
        delivery = left_pending(**{"x-github-delivery": "d-1", "user-agent": "GitHub"})
        assert world.tokens.retrieve(token).outcome is None
        world.clock.advance(HOUR)
        assert repair(world) == DeliveryRepairs(repaired=1)
        outcome = world.tokens.retrieve(token).outcome
        assert isinstance(outcome, Completed)
        assert outcome.output.json == BODY
        by = outcome.completed_by
        assert by is not None
        assert (by.source, by.record, by.delivery_id, by.user_agent) == (Source.ENDPOINT, delivery, "d-1", "GitHub")
        assert by.ip == found(endpoint, delivery).ip is not None
        row = found(endpoint, delivery)
        assert (row.kind, row.key, row.token_id) == (DeliveryKind.COMPLETED, KEY, token)
        assert world.waits.result(waiter.handle) is not None
        assert (none_is_pending(world), counted(world, endpoint)) == (True, {"completed": 1})

    def test_is_kept_for_its_create_from_now_on(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        delivery = left_pending()
        world.clock.advance(25 * HOUR)
        assert repair(world) == DeliveryRepairs(repaired=1)
        assert found(endpoint, delivery).kind is DeliveryKind.KEPT
        world.clock.advance(23 * HOUR)
        token = create(world)
        assert (found(endpoint, delivery).token_id, world.tokens.retrieve(token).outcome is None) == (token, False)

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (BODY.replace("completed", "requested"), DeliveryKind.NOT_MATCHING),
            ('{"action": "completed"}', DeliveryKind.NO_KEY),
        ],
    )
    def test_that_completes_nothing_gets_its_reason(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], body: str, kind: DeliveryKind
    ) -> None:
        delivery = left_pending(body)
        assert repair(world) == DeliveryRepairs()
        row = found(endpoint, delivery)
        assert (row.kind, row.detail is None, none_is_pending(world)) == (kind, False, True)
        assert not world.store.tokens

    def test_repeats_what_the_providers_retry_has_completed(
        self, world: InMemory, api: Api, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        token = create(world)
        first = left_pending(**{"x-github-delivery": "d-1"})
        api.post(url_of(endpoint), BODY, {**signature(endpoint), "x-github-delivery": "d-1"})
        assert repair(world) == DeliveryRepairs(), "nothing was late"
        assert found(endpoint, first).kind is DeliveryKind.REPEATED
        others = world.tokens.retrieve(token).other_deliveries
        assert others is not None
        assert (others.count, counted(world, endpoint)) == (1, {"completed": 1, "repeated": 1})

    def test_is_processed_by_the_settings_of_now(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        token, delivery = create(world), left_pending()
        put(world, verify=GITHUB, output="body.workflow_run.id")
        assert repair(world).repaired == 1
        assert found(endpoint, delivery).kind is DeliveryKind.COMPLETED
        outcome = world.tokens.retrieve(token).outcome
        assert isinstance(outcome, Completed)
        assert outcome.output.json == "123456"

    def test_is_processed_in_the_order_of_arrival(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        create(world)
        deliveries = []
        for number in range(20):
            world.clock.advance(1)
            deliveries.append(left_pending(BODY.replace("1.50", str(number))))
        assert repair(world) == DeliveryRepairs(repaired=1)
        kinds = [found(endpoint, it).kind for it in deliveries]
        assert kinds == [DeliveryKind.COMPLETED] + [DeliveryKind.REPEATED] * 19


class TestWhatWasProcessedBefore:
    """Its own outcome shows that, so it is not called `repeated`, and nothing happens again."""

    @pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
    def test_has_completed_its_token(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], body: str
    ) -> None:
        token = create(world)
        world.clock.advance(1)
        delivery = left_pending(body, processed=True)
        before = world.tokens.retrieve(token)
        assert repair(world) == DeliveryRepairs()
        assert (found(endpoint, delivery).kind, found(endpoint, delivery).token_id) == (DeliveryKind.COMPLETED, token)
        assert world.tokens.retrieve(token) == before, "no other delivery is counted"
        assert counted(world, endpoint) == {"completed": 1}

    @pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("claimed", [False, True])
    def test_was_kept(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], body: str, claimed: bool
    ) -> None:
        delivery = left_pending(body, processed=True)
        [kept] = world.store.tokens
        world.clock.advance(1)
        if claimed:
            assert create(world) == kept
        assert repair(world) == DeliveryRepairs()
        assert (found(endpoint, delivery).kind, found(endpoint, delivery).token_id) == (DeliveryKind.KEPT, kept)
        assert list(world.store.tokens) == [kept]

    def test_does_not_complete_again_once_its_key_is_free(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        put(world, verify=GITHUB, record_deliveries="7d", key_ttl="1h")
        delivery = left_pending(processed=True)
        [kept] = world.store.tokens
        world.clock.advance(2 * HOUR)
        repair(world)
        assert (found(endpoint, delivery).kind, list(world.store.tokens)) == (DeliveryKind.KEPT, [kept])

    def test_is_known_where_the_doctor_itself_could_not_finish_it(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, delivery = create(world), left_pending()
        world.clock.advance(1)
        with monkeypatch.context() as failing:
            failing.setattr(recording, "finish", lambda *_: 1 / 0)
            marks = list(services.deliveries.pending(world.clock()))
            assert pending.repair(marks, lambda: True).remaining == [delivery]
            assert pending.repair(marks, lambda: True).remaining == [delivery]
        assert pending.repair(marks, lambda: True) == DeliveryRepairs()
        assert found(endpoint, delivery).kind is DeliveryKind.COMPLETED
        assert world.tokens.retrieve(token).other_deliveries is None


class TestWhatCannotBeProcessed:
    def test_waits_while_its_endpoint_is_disabled(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        token, delivery = create(world), left_pending()
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        assert repair(world, times=2) == DeliveryRepairs()
        assert (found(endpoint, delivery).kind, none_is_pending(world)) == (None, False)
        world.endpoints.set_disabled(endpoint.name, False, world.clock())
        assert repair(world).repaired == 1
        assert world.tokens.retrieve(token).outcome is not None

    def test_waits_while_its_endpoint_is_of_a_later_version(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        delivery = left_pending()
        put(world, is_later=True, verify=GITHUB)
        assert repair(world) == DeliveryRepairs()
        assert (found(endpoint, delivery).kind, none_is_pending(world)) == (None, False)

    def test_waits_while_its_token_is_of_a_later_version(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        token, delivery = create(world), left_pending()
        world.store.tokens[token] = replace(world.store.tokens[token], is_later=True)
        assert repair(world) == DeliveryRepairs()
        assert (found(endpoint, delivery).kind, none_is_pending(world)) == (None, False)

    @pytest.mark.parametrize("again", [False, True])
    def test_goes_with_its_endpoint(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], again: bool
    ) -> None:
        token, delivery = create(world), left_pending()
        world.endpoints.delete(endpoint.name)
        if again:
            put(world, verify=GITHUB)
        assert repair(world) == DeliveryRepairs()
        assert services.deliveries.get(endpoint.secret_id, delivery) is None
        assert services.deliveries.contents(endpoint.secret_id, delivery) is None
        assert (none_is_pending(world), world.tokens.retrieve(token).outcome) == (True, None)

    def test_goes_with_its_contents(self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]) -> None:
        delivery = left_pending()
        del world.deliveries._contents[endpoint.secret_id, delivery]
        assert repair(world) == DeliveryRepairs()
        assert (services.deliveries.get(endpoint.secret_id, delivery), none_is_pending(world)) == (None, True)

    def test_goes_once_it_has_expired(self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]) -> None:
        token, delivery = create(world), left_pending()
        world.clock.advance(7 * 24 * HOUR + 1000)
        assert repair(world) == DeliveryRepairs()
        assert (services.deliveries.get(endpoint.secret_id, delivery), none_is_pending(world)) == (None, True)
        assert world.tokens.retrieve(token).outcome is None

    def test_has_its_mark_removed_where_ttl_has_removed_the_rest(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
    ) -> None:
        delivery = left_pending()
        del world.deliveries._rows[endpoint.secret_id, delivery]
        assert repair(world) == DeliveryRepairs()
        assert none_is_pending(world)


class TestAFailure:
    def test_stops_no_other_delivery_and_is_tried_again(
        self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bodies = [BODY.replace("123456", str(number)) for number in range(5)]
        deliveries = [left_pending(body) for body in bodies]
        read = services.deliveries.contents

        def fail_for_the_third(secret_id: str, delivery_id: str) -> Any:
            return 1 / 0 if delivery_id == deliveries[2] else read(secret_id, delivery_id)

        with monkeypatch.context() as failing:
            failing.setattr(services.deliveries, "contents", fail_for_the_third)
            assert repair(world) == DeliveryRepairs(4, [deliveries[2]])
        assert repair(world) == DeliveryRepairs(1)
        assert {found(endpoint, it).kind for it in deliveries} == {DeliveryKind.KEPT}

    def test_of_time_leaves_the_rest(self, world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]) -> None:
        deliveries = []
        for number in range(4):
            world.clock.advance(1)
            deliveries.append(left_pending(BODY.replace("123456", str(number))))
        times: Iterator[bool] = iter([True, True, False, False])
        result = pending.repair(list(services.deliveries.pending(world.clock())), lambda: next(times))
        assert result == DeliveryRepairs(2, deliveries[2:])


class TestADeletionMeanwhile:
    """The delivery is processed, but what it has kept goes with it, unless a create has claimed it."""

    @pytest.fixture
    def deleted_before_it_is_finished(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        finish = services.deliveries.finish

        def delete_first(secret_id: str, delivery: RecordedDelivery) -> bool:
            services.deliveries.delete(secret_id, delivery.id)
            return finish(secret_id, delivery)

        monkeypatch.setattr(services.deliveries, "finish", delete_first)

    @pytest.mark.usefixtures("deleted_before_it_is_finished")
    @pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
    def test_takes_what_was_kept(self, world: InMemory, api: Api, endpoint: Endpoint, body: str) -> None:
        assert api.post(url_of(endpoint), body, sign(endpoint, body)).status == 200
        assert (world.store.tokens, world.bucket.objects) == ({}, {})
        assert world.tokens.retrieve(create(world)).outcome is None

    @pytest.mark.usefixtures("deleted_before_it_is_finished")
    def test_leaves_what_it_has_completed(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        token = create(world)
        assert api.post(url_of(endpoint), BODY, sign(endpoint, BODY)).status == 200
        assert isinstance(world.tokens.retrieve(token).outcome, Completed)

    def test_leaves_what_a_create_has_claimed(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        finish, tokens = services.deliveries.finish, []

        def claim_and_delete_first(secret_id: str, delivery: RecordedDelivery) -> bool:
            tokens.append(create(world))
            services.deliveries.delete(secret_id, delivery.id)
            return finish(secret_id, delivery)

        monkeypatch.setattr(services.deliveries, "finish", claim_and_delete_first)
        assert api.post(url_of(endpoint), BODY, sign(endpoint, BODY)).status == 200
        assert isinstance(world.tokens.retrieve(tokens[0]).outcome, Completed)

    def test_by_another_function_that_finishes_it_takes_nothing(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        finish = services.deliveries.finish

        def finish_twice(secret_id: str, delivery: RecordedDelivery) -> bool:
            assert finish(secret_id, delivery)
            return finish(secret_id, delivery)

        monkeypatch.setattr(services.deliveries, "finish", finish_twice)
        assert api.post(url_of(endpoint), BODY, sign(endpoint, BODY)).status == 200
        assert len(world.store.tokens) == 1


def test_a_token_with_a_schema_that_refuses_it_still_waits(
    world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
) -> None:
    token = create(world, document=Document(DocumentKind.SCHEMA, '{"type": "string"}'))
    delivery = left_pending()
    assert repair(world) == DeliveryRepairs()
    assert found(endpoint, delivery).kind is DeliveryKind.NOT_MATCHING
    assert world.tokens.retrieve(token).outcome is None


def test_an_outcome_without_a_completer_is_no_delivery_of_ours(
    world: InMemory, endpoint: Endpoint, left_pending: Callable[..., str]
) -> None:
    token, delivery = create(world), left_pending()
    world.tokens.complete(token, "1", CompletedBy(source=Source.COMPLETE))
    repair(world)
    assert found(endpoint, delivery).kind is DeliveryKind.REPEATED
