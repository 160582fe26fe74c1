"""Twenty people who answer a page at the same moment, on the deployed stack."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import Barrier

import pytest

from tests.support.decision import crowd_page
from tests.support.e2e.api import Api

PEOPLE = 20


@pytest.mark.parametrize("rounds", [5, pytest.param(12, marks=pytest.mark.thorough)])
def test_one_decision_has_exactly_the_answers_that_were_recorded_before_it(api: Api, rounds: int) -> None:
    with ThreadPoolExecutor(PEOPLE) as pool:
        for _, needs in zip(range(rounds), cycle((2, 5, 8)), strict=False):
            decide(api, pool, needs)


def decide(api: Api, pool: ThreadPoolExecutor, needs: int) -> None:
    token, start = api.create(page=crowd_page(PEOPLE, needs)), Barrier(PEOPLE)
    execution = api.start_waiting(token)
    api.wait_until_registered(token)

    def answer(number: int) -> int:
        """Send an answer, and send it again after a 5xx."""
        start.wait()
        body = {"action": ("yes", "no")[number % 2]}
        statuses = (api.request("POST", token["links"][number]["url"], body, key=None).status for _ in range(10))
        return next((status for status in statuses if status < 500), 500)

    assert set(pool.map(answer, range(PEOPLE))) == {200}
    shown = api.retrieve(token)
    output = json.loads(shown["output"])
    assert output["answers"] == shown["answers"]
    people, chosen = zip(*((one["approver"], one["action"]) for one in shown["answers"]), strict=True)
    assert len(set(people)) == len(people)
    assert (output["approver"], output["action"]) == (people[-1], chosen[-1])
    assert (chosen.count(chosen[-1]), chosen.count({"yes": "no", "no": "yes"}[chosen[-1]]) < needs) == (needs, True)
    assert api.result(execution) == ("SUCCEEDED", output)
