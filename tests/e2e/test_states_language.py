"""The local engine ends every case of the table as AWS does. tests/states_language/ has the cases, and what they rest on."""

import pytest

from tests.states_language.table import GROUPS
from tests.support.e2e.in_emulator import answer_of

CASES = [case for cases in GROUPS.values() for case in cases]


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = answer_of(tmp_path_factory.mktemp("table"), "tests.states_language.run", "--json")
    return found


def test_no_case_ends_otherwise_than_on_aws(differences: dict[str, dict[str, str]]) -> None:
    found = [it for cases in differences.values() for it in cases.values()]
    differing = [it for it in found if it]
    assert differing == [], f"{len(differing)} of {len(found)} cases differ"


def test_every_case_is_run(differences: dict[str, dict[str, str]]) -> None:
    assert {name for cases in differences.values() for name in cases} == {case.name for case in CASES}


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 150


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_case_says_what_it_rests_on() -> None:
    assert [case.name for case in CASES if not (case.at.startswith("https://") and case.sentence.endswith("."))] == []
