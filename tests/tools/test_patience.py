"""What measures how late something is waits for a quiet machine before it fails."""

from types import SimpleNamespace

import pytest

from tests.support import patience


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a thread gets of a processor, look by look: the last one for ever. A second passes after each."""
    now, shares = [0.0], [1.0]
    monkeypatch.setattr(patience, "share", lambda: shares.pop(0) if len(shares) > 1 else shares[0])
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(patience, "time", clock)
    return shares


def late(*seconds: int) -> tuple[int, list[int]]:
    left = list(seconds)
    return patience.measured(lambda: left.pop(0), lambda it: it < 5), left


def test_a_good_measure_waits_for_nothing(shares: list[float]) -> None:
    shares[:] = [0.2]
    assert late(1, 2) == (1, [2])


def test_another_is_made_once_and_on_a_quiet_machine(shares: list[float]) -> None:
    shares[:] = [0.2, 0.5, 0.95, 1.0]
    assert late(9, 7, 1) == (7, [1])
    assert shares == [1.0]


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_busy_machine_skips_it_by_name_and_fails_it_in_ci(
    shares: list[float], monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    shares[:] = [0.2]
    with pytest.raises(outcome, match="too busy to measure for 5 minutes"):
        late(9)


def test_a_share_is_of_one_processor() -> None:
    assert 0 < patience.share() <= 1.05
