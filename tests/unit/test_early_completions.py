"""A completion by key and a create with that key meet, in either order."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.in_process.settling import COMPLETED_BY
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.world import World
from waitpoints.complete_by_key import EarlyCompletion, KeyCompletion
from waitpoints.errors import TokenNotFound
from waitpoints.listing import ListQuery
from waitpoints.token import (
    Completed,
    Document,
    DocumentKind,
    IdempotencyKey,
    NewToken,
    Output,
    Rules,
    TimedOut,
    Token,
    TokenError,
    Verification,
)
from waitpoints.tokens import Created, Ended, RulesApply, Settled
from waitpoints.waiter_result import Success

OUTPUT = '{"n": 1.50}'
RESUMED = Success('{"ok":true,"output":{"n": 1.50}}')
HOUR = 3_600_000


def complete(
    world: World, result: str | TokenError | None = OUTPUT, ttl: int = HOUR, checked: str | None = None
) -> KeyCompletion:
    return world.completions_by_key.complete(IdempotencyKey("a", world.clock() + ttl), result, COMPLETED_BY, checked)


class TestACreateThatCameFirst:
    def test_is_completed_if_it_is_the_newest_even_after_its_key_has_expired(self, world: World) -> None:
        older = world.create(key="a", ttl=HOUR)
        world.advance(HOUR)
        newer = world.create(key="a", ttl=HOUR)
        world.advance(HOUR)
        assert complete(world) == KeyCompletion(Settled(), newer)
        assert world.tokens.retrieve(older).outcome is None

    def test_stays_as_it_ended_while_the_key_lives(self, world: World) -> None:
        created = world.create(key="a", timeout=1)
        world.advance(5)
        completion = complete(world)
        assert completion.token_id == created
        assert isinstance(completion.result, Ended)
        assert isinstance(completion.result.outcome, TimedOut)
        assert world.created(key="a") == Created(created, is_cached=True)

    def test_is_followed_by_a_new_token_once_it_has_ended_and_its_key_has_expired(self, world: World) -> None:
        ended = world.create(key="a", ttl=HOUR)
        complete(world)
        world.advance(HOUR)
        completion = complete(world, '"second"')
        assert isinstance(completion.result, EarlyCompletion)
        assert completion.token_id != ended
        assert world.created(key="a") == Created(str(completion.token_id), is_cached=True)

    @pytest.mark.parametrize("deleted", [False, True])
    def test_is_followed_by_a_new_token_once_retention_has_removed_it(self, world: World, deleted: bool) -> None:
        ended = world.create(key="a")
        complete(world)
        world.advance(RETENTION * 1000)
        if deleted:
            world.store.remove(ended)
        completion = complete(world)
        assert isinstance(completion.result, EarlyCompletion)
        assert completion.token_id != ended

    def test_with_a_schema_is_settled_only_by_a_checked_output(self, world: World) -> None:
        created = world.create(key="a", document=Document(DocumentKind.SCHEMA, "{}"))
        assert isinstance(complete(world).result, RulesApply)
        assert isinstance(complete(world, checked="another").result, RulesApply)
        assert world.tokens.retrieve(created).outcome is None
        assert complete(world, checked=created).result == Settled()

    def test_with_rules_for_its_own_deliveries_is_completed(self, world: World) -> None:
        """`verify` and `completeWhen` are for the callback URL. A completion by key has a credential of its own."""
        world.create(key="a", rules=Rules(Verification("github", "GITHUB"), "`false`"))
        assert complete(world).result == Settled()


class TestACompletionThatCameFirst:
    def test_is_in_no_list_until_a_create_claims_it_with_its_tags(self, world: World) -> None:
        kept = complete(world)
        assert world.tokens.list_tokens(ListQuery()).items == []
        world.create(key="a", tags=("a",))
        [listed] = world.tokens.list_tokens(ListQuery()).items
        assert (listed.id, listed.tags) == (kept.token_id, ("a",))
        assert (listed.idempotency_key, listed.idempotency_key_expires_at) == ("a", None)
        world.create(key="a", tags=("b",))
        assert world.tokens.retrieve(listed.id).tags == ("a",)

    @pytest.mark.parametrize("output", [OUTPUT, '"' + "x" * 200_000 + '"'])
    def test_that_does_not_fit_the_create_is_only_counted(self, world: World, output: str) -> None:
        kept = str(complete(world, output).token_id)
        asked: list[str] = []

        def accepts(text: str) -> bool:
            asked.append(text)
            return False

        waiter = world.new_waiter()
        new = NewToken(key=IdempotencyKey("a"), waiter=waiter, document=Document(DocumentKind.SCHEMA, '{"required": ["ok"]}'))
        created = world.tokens.create(new, world.clock(), accepts)
        assert asked == [output]
        assert created.token_id != kept
        assert not created.is_cached
        token = world.tokens.retrieve(created.token_id)
        assert (token.outcome, token.other_deliveries and token.other_deliveries.count) == (None, 1)
        assert world.step_functions.result(waiter.handle) is None
        assert complete(world, checked=created.token_id).result == Settled()
        assert world.step_functions.result(waiter.handle) == RESUMED

    def test_that_failed_is_claimed_whatever_the_create_accepts(self, world: World) -> None:
        kept = str(complete(world, TokenError("no")).token_id)
        new = NewToken(key=IdempotencyKey("a"), document=Document(DocumentKind.SCHEMA, "{}"))
        assert world.tokens.create(new, world.clock(), accepts=lambda _: False) == Created(kept, is_cached=True)

    @pytest.mark.parametrize("removed_by_ttl", [False, True])
    def test_ends_with_its_key(self, world: World, removed_by_ttl: bool) -> None:
        kept = str(complete(world).token_id)
        world.advance(HOUR - 1)
        assert world.tokens.retrieve(kept).outcome == Completed(world.clock() - HOUR + 1, Output(OUTPUT), COMPLETED_BY)
        world.advance(1)
        if removed_by_ttl:
            world.store.remove(kept)
        with pytest.raises(TokenNotFound):
            world.tokens.retrieve(kept)
        created = world.created(key="a")
        assert created.token_id != kept
        assert not created.is_cached

    def test_is_claimed_by_a_create_that_found_the_key_with_a_removed_token(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The completion takes the key while the create looks whether the token before it still exists."""
        world.create(key="a")
        complete(world)
        world.advance(RETENTION * 1000)
        find = world.store.find

        def find_later(token_id: str) -> Token | None:
            monkeypatch.setattr(world.store, "find", find)
            assert isinstance(complete(world, '"second"').result, EarlyCompletion)
            return find(token_id)

        monkeypatch.setattr(world.store, "find", find_later)
        created = world.created(key="a", tags=("a",))
        assert created.is_cached
        [listed] = world.tokens.list_tokens(ListQuery()).items
        assert (listed.id, listed.tags) == (created.token_id, ("a",))

    def test_is_not_replaced_by_a_second_one(self, world: World) -> None:
        first, second = complete(world, '"first"'), complete(world, '"second"')
        assert second.token_id == first.token_id
        assert isinstance(second.result, Ended)
        assert world.completed(world.create(key="a")).output.json == '"first"'


def test_creates_and_completions_at_the_same_moment_meet(world: World) -> None:
    """Invariant 5, with four requests for each key."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            key, waiter = str(number), world.new_waiter()
            completion = partial(
                world.completions_by_key.complete, IdempotencyKey(key, world.clock() + HOUR), OUTPUT, COMPLETED_BY
            )
            creates = [pool.submit(world.create, key=key, waiter=waiter), pool.submit(world.create, key=key)]
            completions = [pool.submit(completion), pool.submit(completion)]
            tokens = {created.result() for created in creates} | {done.result().token_id for done in completions}
            assert len(tokens) == 1
            assert world.step_functions.result(waiter.handle) == RESUMED


def test_the_token_of_a_key_is_found(world: World) -> None:
    assert world.completions_by_key.find_token("a") is None
    created = world.create(key="a", ttl=1)
    world.advance(1)
    found = world.completions_by_key.find_token("a")
    assert found is not None
    assert found.id == created
    complete(world)
    world.advance(RETENTION * 1000)
    assert world.completions_by_key.find_token("a") is None
