"""The message in docs/slack_message.json. `PYTHONPATH=functions python -m tests.support.slack_example` writes it."""

import json

from tests.support.slack import DECISION, answer, notice
from tools.stack import ROOT
from waitpoints.api.notices import slack_message
from waitpoints.api.notices.plan import NoticeKind

FILE = ROOT / "docs" / "slack_message.json"


def text() -> str:
    """A page that two of three people must approve, once one of them has."""
    asked = notice(DECISION, NoticeKind.EDIT, ref="C024BE7LR/1503435956.000247", answers=(answer("ann"),))
    message = slack_message.message(asked, "Example Ltd", lambda: True)
    return json.dumps(message, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
