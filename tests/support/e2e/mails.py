"""The mails that the emulator has kept."""

import base64
import json
from dataclasses import asdict
from email import message_from_bytes, policy
from email.message import EmailMessage

from waitpoints_client import local_stacks

from waitpoints_local.stack import Stack


def mails_about(stack: Stack, token_id: str) -> list[EmailMessage]:
    """Return the mails about a token, in their order."""
    with local_stacks.ask_emulator(asdict(stack), "/_ministack/ses/messages") as answer:
        sent = [record for records in json.load(answer)["messages"].values() for record in records]
    parsed = [message_from_bytes(base64.b64decode(record["Raw"]), policy=policy.default) for record in sent]
    return [mail for mail in parsed if token_id in str(mail["References"])]
