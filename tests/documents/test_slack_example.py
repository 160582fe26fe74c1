"""The Slack message in the documents is the one that is sent. Its text can be pasted into Slack's Block Kit Builder."""

import json

from local.slack_stand_in import problem
from tests.support.slack_example import FILE, text


def test_the_message_in_the_documents_is_the_one_that_is_sent() -> None:
    assert FILE.read_text() == text()
    assert problem(json.loads(FILE.read_text())) is None
