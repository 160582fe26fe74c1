"""What MiniStack does with a raw mail without the mend of mail_mends.py, and with it, for `mends.py`."""

import asyncio
import base64
import json
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any
from unittest import mock

from ministack import app as app_module
from ministack.services import ses_v2

RAW = "Message-ID: <own@example.com>\r\nX-Folded: one\r\n two\r\nSubject: =?utf-8?q?d=C3=A9j=C3=A0?=\r\nDate: today\r\n"
RAW += "\r\nText\r\n"


def post(path: str, **body: Any) -> dict[str, Any]:
    answer = asyncio.run(ses_v2.handle_request("POST", path, {}, json.dumps(body).encode(), {}))
    return json.loads(answer[2])


def send_raw() -> str:
    post("/v2/email/identities", EmailIdentity="a@example.com")
    content = {"Raw": {"Data": base64.b64encode(RAW.encode()).decode()}}
    destination = {"ToAddresses": ["b@example.com"]}
    sent = post("/v2/email/outbound-emails", FromEmailAddress="a@example.com", Destination=destination, Content=content)
    return str(sent["MessageId"])


def an_id_has_no_domain() -> bool:
    return re.fullmatch(r"[0-9a-f]{16}(-[0-9a-f]+){5}-000000", send_raw()) is not None


def a_raw_mail_is_listed_as_ses_hands_it_on() -> bool:
    sent = send_raw()
    _, _, body = asyncio.run(app_module._handle_ses_messages_request("GET", "/_ministack/ses/messages", {}, {}))
    [listed] = [mail for mails in json.loads(body)["messages"].values() for mail in mails if mail["MessageId"] == sent]
    message = message_from_bytes(base64.b64decode(listed.get("Raw", "")), policy=policy.default)
    ids, dates = message.get_all("Message-ID", []), message.get_all("Date", [])
    kept = [message[name] for name in ("Subject", "X-Folded")] == ["déjà", "one two"]
    return ids == [f"<{sent}@email.amazonses.com>"] and len(dates) == 1 and dates[0] != "today" and kept


def a_raw_mail_is_authorized_by_its_sender() -> bool:
    """By the actions and condition keys of docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html."""
    checked: list[tuple[Any, ...]] = []

    def check(_: str, action: str, *_others: Any, **named: Any) -> None:
        checked.append((action, named["resource_arn"], named.get("service_context")))

    mail = {"FromEmailAddress": "Acme <a@example.com>", "Content": {"Raw": {"Data": ""}}}
    with mock.patch.object(app_module, "AUTH", new=True), mock.patch.object(app_module, "_enforce_data_plane", check):
        app_module._enforce_ses_v2("POST", "/v2/email/outbound-emails", {}, json.dumps(mail).encode(), {}, "1")
    [(action, resource, context)] = checked
    expected = ("ses:SendRawEmail", True, {"ses:FromAddress": "a@example.com"})
    return (action, str(resource).endswith(":identity/a@example.com"), context) == expected


PROBES: dict[str, list[Callable[[], bool]]] = {
    "keep_raw_mails": [an_id_has_no_domain, a_raw_mail_is_listed_as_ses_hands_it_on],
    "authorize_by_the_sender": [a_raw_mail_is_authorized_by_its_sender],
}
