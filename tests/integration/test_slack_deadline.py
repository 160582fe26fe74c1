"""The first click in Slack on a cold function, by the project's own figures.

Slack waits three seconds (docs.slack.dev/interactivity/handling-user-interaction, "Acknowledgment response"). A function has as
much of a processor as its memory: 1,769 MB are one (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), but its
start is not throttled.
"""

import re
from types import SimpleNamespace

import pytest

from tests.support.in_process.counting.meter import Meter
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.template import CHANNELS, ROOT, Template
from tests.support.slack import ANN, BO, DECISION, create, message, press
from waitpoints import wiring
from waitpoints.api.notices import slack_click
from waitpoints.token import Waiter
from waitpoints.wiring import services
from waitpoints_local.slack_stand_in import Workspace

pytestmark = pytest.mark.slow

FULL_PROCESSOR = 1769  # MB
CALL = 0.1  # seconds: of a few milliseconds in AWS, the rest is for a new connection with TLS
MOST = 2.2  # seconds; what is left of three is for Lambda to find a target for the code, and for the way there and back
FIGURES = (ROOT / "docs" / "internals" / "benchmarks.md").read_text()


def seconds(row: str) -> float:
    """The longest processor time in the figures' rows of that form."""
    return max(map(int, re.findall(rf"^\| {row} \| \*\*[\d.]+\*\* \| (\d+)\b", FIGURES, re.MULTILINE))) / 1000


@pytest.mark.usefixtures("without_metrics")
@pytest.mark.parametrize("action", ["approve", "reject"], ids=["too late", "it decides"])
def test_a_first_click_is_answered_before_slack_gives_up(
    workspace: Workspace, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_id, step_functions, meter = create(DECISION), FakeStepFunctions(), Meter()
    clicked = message(DECISION, token_id, workspace)
    monkeypatch.setitem(vars(services), "step_functions_client", step_functions)
    services.tokens.wait(token_id, Waiter(step_functions.start_task(), services.now()))
    if action == "approve":
        press(workspace, clicked, "reject", BO)
    services.reset()
    monkeypatch.setitem(vars(services), "step_functions_client", step_functions)
    monkeypatch.setitem(
        vars(services), "notice_queue", SimpleNamespace(send_unrecorded=lambda *_: meter.count("SQS:SendMessage"))
    )
    meter.watch(wiring.session())

    assert press(workspace, clicked, action, ANN).status == 200

    calls = len(meter.take()) + (0 if workspace.private else 1)  # the run is resumed
    telling = slack_click.PRIVATELY.total if workspace.private else 0
    assert (calls, bool(workspace.private)) == ((4, True) if action == "approve" else (6, False))
    memory = Template.load(CHANNELS).functions()["answer_slack"].properties.get("MemorySize", 512)
    notice = seconds("callback with a waiter") / min(1, memory / FULL_PROCESSOR)
    start = seconds("`[a-z_]+`")  # of the slowest function: the figures name only those that are slower than others
    assert start + notice + calls * CALL + telling <= MOST
