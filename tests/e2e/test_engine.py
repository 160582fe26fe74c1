"""In the emulator's process, its engine keeps its promises about task tokens, time, ends, data and limits: engine_probes.py."""

import pytest

from tests.support.e2e.in_emulator import answer_of


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return answer_of(tmp_path_factory.mktemp("engine"), "tests.support.e2e.engine_probes")


def test_every_promise_is_kept(seen: dict[str, str]) -> None:
    assert len(seen) > 25
    assert {probe: outcome for probe, outcome in seen.items() if outcome} == {}
