"""What a function left pending is processed once, by the endpoint's settings of now."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest

from tests.support.github_endpoint import BODY, GITHUB, KEY, GitHub
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from waitpoints.api.endpoints import pending, recording
from waitpoints.doctor.repair import DeliveryRepairs
from waitpoints.endpoint import DeliveryKind
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import Document, DocumentKind, Source
from waitpoints.wiring import services

HOUR = 3_600_000
LARGE = BODY.replace("1.50", '1.50, "text": "' + "x" * 110_000 + '"')
KEPT, COMPLETED, REPEATED = DeliveryKind.KEPT, DeliveryKind.COMPLETED, DeliveryKind.REPEATED
small_or_large = pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])


class Killed(BaseException):
    pass


class Pending(GitHub):
    def leave(self, body: str = BODY, headers: Mapping[str, str] = {}, *, processed: bool = False) -> str:
        """Deliver, and kill the function before it processes the delivery, or afterwards. Returns the delivery's id."""
        self.world.advance(1)
        dies_in = "recording.finish" if processed else "endpoint_delivery.process"
        with patch(f"waitpoints.api.endpoints.{dies_in}", side_effect=Killed), pytest.raises(Killed):
            self.deliver(body, headers)
        return max(delivery_id for _, _, delivery_id in self.marks())

    def marks(self) -> list[tuple[str, str, str]]:
        return list(services.deliveries.pending(self.world.clock()))

    def repair(self, times: int = 1, has_time: Callable[[], bool] = lambda: True) -> DeliveryRepairs:
        """Repair as another function environment does, so many times."""
        self.world.tokens._known._known.clear()
        results = [pending.repair(self.marks(), has_time) for _ in range(times)]
        return results[-1]

    def is_gone(self, delivery_id: str) -> bool:
        return (services.deliveries.get(self.endpoint.secret_id, delivery_id), self.marks()) == (None, [])

    def waits_for_repair(self, delivery_id: str) -> bool:
        return self.row(delivery_id).kind is None and bool(self.marks())


@pytest.fixture
def github(world: World, api: Api) -> Pending:
    return Pending(world, api, verify=GITHUB, record_deliveries="7d")


class TestWhatWasNotProcessed:
    def test_completes_the_token_that_waits(self, github: Pending) -> None:
        token, waiter = github.create(), github.world.new_waiter()
        github.world.wait(token, waiter)
        delivery = github.leave(headers={"x-github-delivery": "d-1", "user-agent": "GitHub"})
        assert github.waits(token)
        github.world.advance(HOUR)
        assert github.repair() == DeliveryRepairs(repaired=1)
        outcome, row = github.world.completed(token), github.row(delivery)
        by = outcome.completed_by
        assert by is not None
        assert (by.source, by.record, by.delivery_id, by.user_agent) == (Source.ENDPOINT, delivery, "d-1", "GitHub")
        assert by.ip == row.ip is not None
        assert (outcome.output.json, row.kind, row.key, row.token_id) == (BODY, COMPLETED, KEY, token)
        assert github.world.result(waiter) is not None
        assert (github.marks(), github.counted) == ([], {"completed": 1})

    def test_is_kept_for_its_create_from_now_on(self, github: Pending) -> None:
        delivery = github.leave()
        github.world.advance(25 * HOUR)
        assert github.repair() == DeliveryRepairs(repaired=1)
        github.world.advance(23 * HOUR)
        token = github.create()
        assert (github.row(delivery).kind, github.row(delivery).token_id, github.waits(token)) == (KEPT, token, False)

    @pytest.mark.parametrize(
        ("body", "asked", "kind"),
        [
            (BODY.replace("completed", "requested"), {}, DeliveryKind.NOT_MATCHING),
            ('{"action": "completed"}', {}, DeliveryKind.NO_KEY),
            (BODY, {"document": Document(DocumentKind.SCHEMA, '{"type": "string"}')}, DeliveryKind.NOT_MATCHING),
        ],
    )
    def test_that_completes_nothing_gets_its_reason(
        self, github: Pending, body: str, asked: dict[str, Any], kind: DeliveryKind
    ) -> None:
        token, delivery = github.create(**asked), github.leave(body)
        assert github.repair() == DeliveryRepairs()
        row = github.row(delivery)
        assert (row.kind, row.detail is None, github.marks(), github.waits(token)) == (kind, False, [], True)

    def test_repeats_what_the_providers_retry_has_completed(self, github: Pending) -> None:
        token = github.create()
        first = github.leave(headers={"x-github-delivery": "d-1"})
        github.deliver(headers={"x-github-delivery": "d-1"})
        assert github.repair() == DeliveryRepairs(), "nothing was late"
        assert github.row(first).kind is REPEATED
        others = github.world.tokens.retrieve(token).other_deliveries
        assert others is not None
        assert (others.count, github.counted) == (1, {"completed": 1, "repeated": 1})

    def test_repeats_what_somebody_else_has_completed(self, github: Pending) -> None:
        token, delivery = github.create(), github.leave()
        github.world.complete(token, "1")
        github.repair()
        assert github.row(delivery).kind is REPEATED

    def test_is_processed_by_the_settings_of_now(self, github: Pending) -> None:
        token, delivery = github.create(), github.leave()
        github.put(output="body.workflow_run.id")
        assert github.repair().repaired == 1
        assert (github.row(delivery).kind, github.world.completed(token).output.json) == (COMPLETED, "123456")

    def test_is_processed_in_the_order_of_arrival(self, github: Pending) -> None:
        github.create()
        deliveries = [github.leave(BODY.replace("1.50", str(number))) for number in range(20)]
        assert github.repair() == DeliveryRepairs(repaired=1)
        assert [github.row(it).kind for it in deliveries] == [COMPLETED] + [REPEATED] * 19


class TestWhatWasProcessedBefore:
    """Its own outcome shows that, so it is not called `repeated`, and nothing happens again."""

    @small_or_large
    def test_has_completed_its_token(self, github: Pending, body: str) -> None:
        token = github.create()
        delivery = github.leave(body, processed=True)
        before = github.world.tokens.retrieve(token)
        assert github.repair() == DeliveryRepairs()
        assert (github.row(delivery).kind, github.row(delivery).token_id) == (COMPLETED, token)
        assert github.world.tokens.retrieve(token) == before, "no other delivery is counted"
        assert github.counted == {"completed": 1}

    @small_or_large
    @pytest.mark.parametrize("claimed", [False, True])
    def test_was_kept(self, github: Pending, body: str, claimed: bool) -> None:
        delivery = github.leave(body, processed=True)
        [kept] = github.world.store.tokens
        github.world.advance(1)
        if claimed:
            assert github.create() == kept
        assert github.repair() == DeliveryRepairs()
        assert (github.row(delivery).kind, github.row(delivery).token_id) == (KEPT, kept)
        assert list(github.world.store.tokens) == [kept]

    def test_does_not_complete_again_once_its_key_is_free(self, github: Pending) -> None:
        github.put(key_ttl="1h")
        delivery = github.leave(processed=True)
        [kept] = github.world.store.tokens
        github.world.advance(2 * HOUR)
        github.repair()
        assert (github.row(delivery).kind, list(github.world.store.tokens)) == (KEPT, [kept])

    def test_is_known_where_the_doctor_itself_could_not_finish_it(self, github: Pending) -> None:
        token, delivery = github.create(), github.leave()
        marks = github.marks()
        with patch.object(recording, "finish", side_effect=ZeroDivisionError):
            for _ in range(2):
                assert pending.repair(marks, lambda: True).remaining == [delivery]
        assert pending.repair(marks, lambda: True) == DeliveryRepairs()
        assert github.row(delivery).kind is COMPLETED
        assert github.world.tokens.retrieve(token).other_deliveries is None


class TestWhatCannotBeProcessed:
    def test_waits_while_its_endpoint_is_disabled(self, github: Pending) -> None:
        token, delivery = github.create(), github.leave()
        github.disable()
        assert github.repair(times=2) == DeliveryRepairs()
        assert github.waits_for_repair(delivery)
        github.disable(disabled=False)
        assert (github.repair().repaired, github.waits(token)) == (1, False)

    @pytest.mark.parametrize("later", ["endpoint", "token"])
    def test_waits_while_its_endpoint_or_token_is_of_a_later_version(self, github: Pending, later: str) -> None:
        token, delivery = github.create(), github.leave()
        github.make_later(None if later == "endpoint" else token)
        assert github.repair() == DeliveryRepairs()
        assert github.waits_for_repair(delivery)

    @pytest.mark.parametrize("again", [False, True])
    def test_goes_with_its_endpoint(self, github: Pending, again: bool) -> None:
        token, delivery, secret_id = github.create(), github.leave(), github.endpoint.secret_id
        github.world.endpoints.delete("github")
        if again:
            github.put()
        assert github.repair() == DeliveryRepairs()
        assert services.deliveries.get(secret_id, delivery) is None
        assert services.deliveries.contents(secret_id, delivery) is None
        assert (github.marks(), github.waits(token)) == ([], True)

    def test_goes_with_its_contents(self, github: Pending) -> None:
        delivery = github.leave()
        github.world.deliveries.lose_contents()
        assert github.repair() == DeliveryRepairs()
        assert github.is_gone(delivery)

    def test_goes_once_it_has_expired(self, github: Pending) -> None:
        token, delivery = github.create(), github.leave()
        github.world.advance(7 * 24 * HOUR + 1000)
        assert github.repair() == DeliveryRepairs()
        assert (github.is_gone(delivery), github.waits(token)) == (True, True)

    def test_has_its_mark_removed_where_ttl_has_removed_the_rest(self, github: Pending) -> None:
        delivery = github.leave()
        github.world.deliveries.lose_row(delivery)
        assert github.repair() == DeliveryRepairs()
        assert github.marks() == []


class TestAFailure:
    def test_stops_no_other_delivery_and_is_tried_again(self, github: Pending) -> None:
        deliveries = [github.leave(BODY.replace("123456", str(number))) for number in range(5)]
        read = services.deliveries.contents

        def fail_for_the_third(secret_id: str, delivery_id: str) -> Any:
            return 1 / 0 if delivery_id == deliveries[2] else read(secret_id, delivery_id)

        with patch.object(services.deliveries, "contents", fail_for_the_third):
            assert github.repair() == DeliveryRepairs(4, [deliveries[2]])
        assert github.repair() == DeliveryRepairs(1)
        assert {github.row(it).kind for it in deliveries} == {KEPT}

    def test_of_time_leaves_the_rest(self, github: Pending) -> None:
        for number in range(4):
            github.leave(BODY.replace("123456", str(number)))
        times: Iterator[bool] = iter([True, True, False, False])
        left = github.repair(has_time=lambda: next(times))
        assert (left.repaired, sorted(left.remaining)) == (2, sorted(delivery_id for _, _, delivery_id in github.marks()))
        assert len(left.remaining) == 2


class TestADeletionMeanwhile:
    """The delivery is processed, but what it has kept goes with it, unless a create has claimed it."""

    @staticmethod
    def before_it_is_finished(first: Callable[[], object]) -> Any:
        finish = services.deliveries.finish

        def delete_first(secret_id: str, delivery: RecordedDelivery) -> bool:
            first()
            services.deliveries.delete(secret_id, delivery.id)
            return finish(secret_id, delivery)

        return patch.object(services.deliveries, "finish", delete_first)

    @small_or_large
    def test_takes_what_was_kept(self, github: Pending, body: str) -> None:
        with self.before_it_is_finished(lambda: None):
            assert github.deliver(body).status == 200
        assert (github.world.store.tokens, github.world.objects) == ({}, {})
        assert github.waits(github.create())

    @pytest.mark.parametrize("claims", [False, True])
    def test_leaves_what_it_has_completed_or_a_create_has_claimed(self, github: Pending, claims: bool) -> None:
        tokens = [] if claims else [github.create()]
        with self.before_it_is_finished(lambda: tokens.append(github.create())):
            assert github.deliver().status == 200
        assert github.world.completed(tokens[0])

    def test_by_another_function_that_finishes_it_takes_nothing(self, github: Pending) -> None:
        finish = services.deliveries.finish

        def finish_twice(secret_id: str, delivery: RecordedDelivery) -> bool:
            assert finish(secret_id, delivery)
            return finish(secret_id, delivery)

        with patch.object(services.deliveries, "finish", finish_twice):
            assert github.deliver().status == 200
        assert len(github.world.store.tokens) == 1
