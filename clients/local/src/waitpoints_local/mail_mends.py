"""What MiniStack 1.5.33 does differently with mails: it forgets how they were written, and who sends them.

What SES does: docs.aws.amazon.com/ses/latest/dg/header-fields.html ("overrides the header with its own value"), and
docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html.
"""

import base64
import json
import time
import uuid
from email.utils import formatdate, parseaddr
from typing import Any

from ministack.core import responses

_SEND = ("POST", "/v2/email/outbound-emails")


def keep_raw_mails(ses_v2: Any, app_module: Any) -> None:
    """Keep a raw mail as SES hands it on, with its own Date and Message-ID, and list it as `Raw`, in base64.

    SES answers with the part of its Message-ID before the `@`. MiniStack 1.5.33 answers with all of it, and keeps the texts of
    a raw mail without its headers.
    """
    send, list_mails, raw_of = ses_v2.handle_request, app_module._handle_ses_messages_request, dict[str, str]()

    async def send_and_keep(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        answer = await send(method, path, headers, body, query)
        if (method, path) != _SEND or answer[0] != 200:
            return answer
        sent = ses_v2._sent_emails_list()[-1]
        sent["MessageId"] = f"0100{time.time_ns() // 1_000_000:012x}-{uuid.uuid4()}-000000"
        if raw := json.loads(body)["Content"].get("Raw"):
            raw_of[sent["MessageId"]] = base64.b64encode(_handed_on(base64.b64decode(raw["Data"]), sent["MessageId"])).decode()
        return ses_v2.json_response({"MessageId": sent["MessageId"]})

    async def list_with_raw(*request: Any) -> Any:
        answer = await list_mails(*request)
        if answer is None or answer[0] != 200:
            return answer
        listed = json.loads(answer[2])
        for mails in listed["messages"].values():
            mails[:] = [mail | ({"Raw": raw_of[mail["MessageId"]]} if mail["MessageId"] in raw_of else {}) for mail in mails]
        return answer[0], answer[1], json.dumps(listed).encode()

    ses_v2.handle_request, app_module._handle_ses_messages_request = send_and_keep, list_with_raw


def authorize_by_the_sender(app_module: Any) -> None:
    """Check a raw mail as ses:SendRawEmail by its sender's identity, with the condition key ses:FromAddress.

    MiniStack 1.5.33 checks ses:SendEmail on any resource, and knows no condition key of SES.
    """
    enforce = app_module._enforce_ses_v2

    def enforce_for_sender(method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str) -> Any:
        if (method, path) != _SEND or not app_module.AUTH:
            return enforce(method, path, headers, body, query, request_id)
        mail = json.loads(body)
        sender = parseaddr(mail.get("FromEmailAddress", ""))[1]
        region, account = app_module.extract_region(headers, query), responses.get_account_id()
        identity = f"arn:aws:ses:{region}:{account}:identity/{sender}"
        action = "ses:SendRawEmail" if "Raw" in mail.get("Content", {}) else "ses:SendEmail"
        return app_module._enforce_data_plane(
            "sesv2",
            action,
            headers,
            query,
            request_id,
            resource_arn=identity,
            named_resource=identity,
            service_context={"ses:FromAddress": sender},
        )

    app_module._enforce_ses_v2 = enforce_for_sender


def _handed_on(message: bytes, message_id: str) -> bytes:
    """Return a mail with the Date and Message-ID of SES in us-east-1, in place of its own."""
    head, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = head.replace(b"\n ", b"\0 ").replace(b"\n\t", b"\0\t").split(b"\n")  # a field goes on in the next line
    kept = [field for field in fields if field.partition(b":")[0].lower() not in (b"date", b"message-id")]
    own = [f"Date: {formatdate()}".encode(), f"Message-ID: <{message_id}@email.amazonses.com>".encode()]
    return b"\n".join([*kept, *own]).replace(b"\0", b"\n").replace(b"\n", b"\r\n") + b"\r\n\r\n" + body.replace(b"\n", b"\r\n")
