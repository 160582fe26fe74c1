"""The mails about the tokens of a run, as the people got them."""

import time
from collections.abc import Collection

from waitpoints_client import Waitpoints
from waitpoints_client.cli import outbox
from waitpoints_client.cli.outbox import Mail
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine.clock import consume

PATIENCE = 10  # seconds for a function that sends already, and for another channel that fails
_SENDS = "NoticesFunctionName"


def read(stack: Deployed, waitpoints: Waitpoints, tokens: Collection[str]) -> list[Mail]:
    """Return the mails about these tokens, in the order in which they were sent, once all that are due are sent."""
    until = time.monotonic() + PATIENCE
    for token in map(waitpoints.get, tokens):
        if token.notify and token.notify.email and (token.status == "WAITING" or token.notify.outcome):
            while not consume(stack, _SENDS, token.id) and time.monotonic() < until:
                time.sleep(0.2)
    return [mail for mail in outbox.read_mails(stack.described) if mail.token_id in tokens]
