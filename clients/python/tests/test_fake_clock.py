"""The fake's clock: hours that pass in a moment."""

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from waitpoints_client import Failed, Ok, Token, WaitTimeoutError
from waitpoints_client.testing import FakeWaitpoints

NOON = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here sleeps for as long as the client would."""

    def refuse(seconds: float) -> None:
        raise AssertionError(f"slept for {seconds} s")

    monkeypatch.setattr(time, "sleep", refuse)


def test_it_stands_where_it_was_set_and_moves_only_when_it_is_moved() -> None:
    fake = FakeWaitpoints(now=NOON)
    token = fake.client().get(fake.client().create(timeout="4h"))
    assert (fake.now, token.created_at, token.timeout_at) == (NOON, NOON, NOON + timedelta(hours=4))

    for moved in (timedelta(hours=1), 3600, "1h59m59s"):
        fake.advance(moved)
    assert fake.client().get(token).status == "WAITING"
    fake.advance(1)
    assert fake.client().get(token).completed_at == fake.now == NOON + timedelta(hours=4)


def test_a_text_that_is_no_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="'soon' is no duration"):
        FakeWaitpoints().advance("soon")


def test_an_instant_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        FakeWaitpoints(now=datetime(2030, 1, 31))


def test_a_wait_that_no_one_answers_takes_no_time_on_a_clock_that_stands() -> None:
    fake = FakeWaitpoints(now=NOON)
    client = fake.client()
    client.create(timeout="1h")  # another one, which ends sooner
    result = client.wait(client.create(timeout="30d"))

    assert isinstance(result, Failed)
    assert result.timed_out
    assert fake.now == NOON + timedelta(days=30)


def test_the_timeout_of_a_wait_passes_too() -> None:
    fake = FakeWaitpoints(now=NOON)
    token = fake.client().create(timeout="1h")
    with pytest.raises(WaitTimeoutError):
        fake.client().wait(token, timeout=60.5)
    assert (fake.now, fake.client().get(token).status) == (NOON + timedelta(seconds=60.5), "WAITING")

    async def wait() -> None:
        async with fake.async_client() as waitpoints:
            await waitpoints.wait(token, timeout=timedelta(minutes=1))

    with pytest.raises(WaitTimeoutError):
        asyncio.run(wait())
    assert fake.now == NOON + timedelta(seconds=120.5)


def test_a_wait_without_an_end_is_refused() -> None:
    fake = FakeWaitpoints(now=NOON)
    with pytest.raises(RuntimeError, match=r"never end: no token that waits has a timeout. Answer in `on_create`"):
        fake.client().wait(fake.client().create())


def test_another_task_answers_before_the_clock_that_stands_is_moved() -> None:
    fake = FakeWaitpoints(now=NOON)

    async def both() -> object:
        async with fake.async_client() as waitpoints:
            token = await waitpoints.create()
            result, _ = await asyncio.gather(waitpoints.wait(token), waitpoints.complete(token, "yes"))
            return result

    assert (asyncio.run(both()), fake.now) == (Ok("yes"), NOON)


def test_a_hook_lets_a_day_pass_before_it_answers() -> None:
    fake = FakeWaitpoints(now=NOON)

    @fake.on_create
    def answer(token: Token) -> None:
        fake.advance("25h")
        fake.answer(token, "lead", "approve")

    client = fake.client()
    token = client.create(timeout="2d")
    assert client.wait(token).unwrap()["approver"] == "lead"
    assert client.get(token).completed_at == NOON + timedelta(hours=25)


@pytest.mark.parametrize("act", ["advance", "answer"])
def test_a_wait_in_another_thread_ends_at_once_when_something_happens(act: str) -> None:
    fake = FakeWaitpoints()
    started = threading.Event()

    token = fake.client().create(timeout="1h")
    results: list[object] = []

    def wait() -> None:
        started.set()
        results.append(fake.client().wait(token, poll=3600))

    waiting = threading.Thread(target=wait)
    waiting.start()
    started.wait()
    fake.advance(1800)
    if act == "advance":
        fake.advance(1800)
    else:
        fake.deliver(token.url, "yes")
    waiting.join(120)
    assert not waiting.is_alive()
    [result] = results
    assert isinstance(result, Failed) if act == "advance" else result == Ok("yes")


def test_a_wait_in_another_task_ends_at_once_when_something_happens() -> None:
    fake = FakeWaitpoints()

    async def both() -> object:
        async with fake.async_client() as waitpoints:
            token = await waitpoints.create(timeout="1h")
            waiting = asyncio.create_task(waitpoints.wait(token, poll=3600))
            await asyncio.sleep(0.02)
            fake.advance("1h")
            return await asyncio.wait_for(waiting, 20)

    result = asyncio.run(both())
    assert isinstance(result, Failed)
    assert result.timed_out
    assert fake.now - datetime.now(timezone.utc) < timedelta(hours=1.5)  # no pause moved it
