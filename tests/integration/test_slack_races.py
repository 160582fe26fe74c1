"""Twenty people who click in Slack at the same moment. On moto's DynamoDB."""

from functools import partial
from typing import Any

import pytest

from tests.support.races import race
from tests.support.slack import PATIENT, button, create, message, output, press
from waitpoints.api.notices import slack_click
from waitpoints.approvers import answer_members
from waitpoints.token import Token
from waitpoints.wiring import services
from waitpoints_local.slack_stand_in import Workspace

PEOPLE = 20
USERS = [f"U{number:08}" for number in range(PEOPLE)]
PAGE: dict[str, Any] = {"title": "Go?", "actions": [{"id": name, "label": name} for name in ("yes", "no")]}


@pytest.fixture(autouse=True)
def patient(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_click, "PRIVATELY", PATIENT)
    monkeypatch.setitem(vars(services), "notice_queue", None)


@pytest.mark.slow
@pytest.mark.usefixtures("without_metrics")
class TestTwentyPeopleWhoClickAtTheSameMoment:
    def click(self, page: dict[str, Any], workspace: Workspace) -> Token:
        clicked = message(page, create(page), workspace)
        workspace.private.clear()

        clicks = [(("yes", "no")[number % 2], user, f"person {number}") for number, user in enumerate(USERS)]
        answers = race([partial(press, workspace, clicked, *click) for click in clicks])
        assert {answer.status for answer in answers} == {200}
        return services.tokens.find(button(clicked, "yes")["value"])

    @pytest.mark.parametrize("needs", [1, 3])
    def test_decide_once_with_the_answers_that_were_recorded_before(self, workspace: Workspace, needs: int) -> None:
        people = [{"id": f"person {number}", "slack": user} for number, user in enumerate(USERS)]
        actions = [{**action, "needs": needs} for action in PAGE["actions"]]
        token = self.click({**PAGE, "actions": actions, "approvers": people}, workspace)
        given = output(token)
        assert given["answers"] == answer_members(token.answers)
        chosen = [one.action for one in token.answers]
        assert (chosen.count(given["action"]), chosen[-1]) == (needs, given["action"])
        assert len(token.answers) + len(workspace.private) == PEOPLE

    def test_complete_once(self, workspace: Workspace) -> None:
        token = self.click(PAGE, workspace)
        given = output(token)
        number = USERS.index(given["slackUser"]["id"])
        assert (given["action"], given["slackUser"]["name"]) == (("yes", "no")[number % 2], f"person {number}")
        assert len(workspace.private) == PEOPLE - 1
        assert token.other_deliveries is not None
        assert token.other_deliveries.count == PEOPLE - 1
