"""What a type checker knows of a user's program. `make lint` runs mypy over it; here it runs, too."""

import asyncio
from collections.abc import Mapping

import pytest
from typing_extensions import assert_never, assert_type

from waitpoints_client import (
    AskOptions,
    AsyncPages,
    AsyncWaitpoints,
    CompletedBy,
    CreatedToken,
    CreateOptions,
    Deliveries,
    Endpoint,
    Failed,
    HasId,
    ListedToken,
    ListFilters,
    Notice,
    Notify,
    NotifyOptions,
    Ok,
    PageOptions,
    Pages,
    Result,
    Status,
    Token,
    TokenError,
    Waitpoints,
)
from waitpoints_client.asking import request
from waitpoints_client.testing import FakeWaitpoints


def decide(result: Result) -> str:
    match result:
        case Ok({"approved": True}):
            return "approved"
        case Ok():
            return "rejected"
        case Failed(error, timed_out):
            assert_type(error, TokenError)
            assert_type(timed_out, bool)
            return error.name
        case _:
            assert_never(result)


def test_every_result_is_matched() -> None:
    failed = Failed(TokenError(message="no", name="Rejected"))

    assert [decide(it) for it in (Ok({"approved": True}), Ok(None), failed)] == ["approved", "rejected", "Rejected"]


def said(result: Result) -> str:
    if result.ok is True:  # pyright needs the `is`
        assert_type(result, Ok)
        return str(result.output)
    assert_type(result, Failed)
    return result.error.message


def test_ok_tells_the_results_apart() -> None:
    assert [said(it) for it in (Ok(1), Failed(TokenError(message="no")))] == ["1", "no"]


def test_each_answer_has_its_type() -> None:
    with FakeWaitpoints().client() as waitpoints:
        assert_type(waitpoints, Waitpoints)
        options: CreateOptions = {"timeout": "7d", "tags": ("a",)}
        created = assert_type(waitpoints.create(**options), CreatedToken)
        waitpoints.complete(created)
        token = assert_type(waitpoints.get(created), Token)
        assert_type(token.status, Status)
        assert_type(token.result, Result | None)
        assert_type(token.completed_by, CompletedBy | None)
        assert_type(token.created_by, str | None)
        assert_type(token.notify, Notify | None)
        assert_type(token.notices, tuple[Notice, ...])
        told: NotifyOptions = {"email": True, "slack": "#deploys"}
        page: PageOptions = {"title": "Go?", "approvers": [{"id": "ann", "email": "ann@example.com", "language": "ja"}]}
        assert waitpoints.get(waitpoints.create(page=page, notify=told)).notify == Notify(email=True, slack="#deploys")
        assert_type(waitpoints.wait(token), Result)
        filters: ListFilters = {"status": "COMPLETED"}
        assert_type(waitpoints.list(**filters), Pages[ListedToken])
        with pytest.raises(NotImplementedError, match="waitpoints_stack"):
            assert_type(waitpoints.endpoints.put("orders", key="body.id", verify="none"), Endpoint)
        with pytest.raises(NotImplementedError, match="waitpoints_stack"):
            assert_type(waitpoints.endpoints.get("orders").deliveries, Mapping[str, Deliveries])
        answered: list[HasId] = [created, token, *waitpoints.list()]
        assert created.id in {it.id for it in answered}


def test_ask_has_its_types() -> None:
    fake = FakeWaitpoints()
    options: AskOptions = {
        "run": "1",
        "call": "2",
        "approvers": ["a@b.co", {"id": "bo", "email": "bo@b.co"}],
        "notify": {"email": True},
    }
    with fake.client() as waitpoints:
        fake.on_create(lambda token: fake.answer(token, "bo", "submit"))
        assert assert_type(waitpoints.ask({"title": "Go?"}, poll=1, **options), Result).ok
        assert_type(waitpoints.ask({"title": "Go?"}, key="a", approvers=["bo"], timeout="1d"), Result)
        assert_type(waitpoints.create(**request({"title": "Go?"}, **options)), CreatedToken)
        with pytest.raises(ValueError, match="sign_in"):
            waitpoints.ask({"title": "Go?"}, key="a", sign_in=False)  # type: ignore[arg-type]


def test_each_answer_of_the_async_client_has_its_type() -> None:
    async def answers() -> None:
        async with FakeWaitpoints().async_client() as waitpoints:
            assert_type(waitpoints, AsyncWaitpoints)
            created = assert_type(await waitpoints.create(), CreatedToken)
            await waitpoints.fail(created, "no")
            assert_type(await waitpoints.wait(created), Result)
            told = await waitpoints.create(page={"title": "Go?"}, notify={"teams": "TEAMS_DEPLOYS"})
            assert (await waitpoints.get(told)).notify == Notify(teams="TEAMS_DEPLOYS")
            tokens = assert_type(waitpoints.list(), AsyncPages[ListedToken])
            assert {token.id async for token in tokens} == {told.id, created.id}

    asyncio.run(answers())


def test_what_no_call_takes_is_an_error() -> None:
    waitpoints = FakeWaitpoints().client()
    with pytest.raises(TypeError, match="timout"):
        waitpoints.create(timout="7d")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="not float"):
        waitpoints.create(timeout=1.5)  # type: ignore[arg-type]
