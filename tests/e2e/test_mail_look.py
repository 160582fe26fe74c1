"""How mails look in Chromium: light and dark, at 320 and 640 pixels, without what axe-core complains about."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.browser import runner
from tests.support import mails
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.token import Answer, Completed, CompletedBy, Output, Source

BO, ANN = Answer("bo@example.com", "approve", "{}", 1), Answer("ann", "approve", "{}", 2)
DECIDED = Completed(
    mails.DEADLINE, Output('{"action": "approve", "fields": {}}'), CompletedBy(source=Source.CALLBACK, approver="ann")
)
DEPLOY = {
    **mails.PAGE,
    "text": "All 812 checks passed. The new version ships the faster search.\n\nKim and Bo reviewed it on Tuesday.",
    "approvers": [mails.PAGE["approvers"][0], {"id": "bo@example.com", "name": "Bo Berg"}, {"id": "dee", "name": "Dee Díaz"}],
}
LINK = mails.LINK.replace("0" * 64, sha256(b"").hexdigest()).replace("0000000000000000a", "8z4kqm2x7c9w3tna6")
LONG = {
    "title": "Ein-sehr-langes-Wort-" * 9,
    "text": "x" * 400 + "\n\u05e9\u05dc\u05d5\u05dd, \u05e2\u05d5\u05dc\u05dd!",
    "links": [{"label": "l" * 200, "url": f"https://example.com/{'u' * 400}"}],
    "approvers": [{"id": "ann", "name": "N" * 100, "email": "ann@example.com"}, "bo@example.com"],
    "actions": [{"id": "approve", "label": "A" * 100, "needs": 2}, {"id": "reject", "label": "\u05dc\u05d0"}],
    "requestedBy": "r" * 128,
}
MAILS = {
    "first": mails.notice(DEPLOY, answers=(BO,), link=LINK),  # its picture is docs/images/mail.png
    "reminder": mails.notice(kind=NoticeKind.REMINDER, language="de", answers=(BO,)),
    "last": mails.notice(kind=NoticeKind.LAST, language="ja", answers=(BO,)),
    "long": mails.notice(LONG, answers=(BO,)),
    "outcome": mails.notice(DEPLOY, NoticeKind.OUTCOME, answers=(BO, ANN), outcome=DECIDED),  # docs/images/mail-dark-phone.png
    "plain": mails.notice(mails.PLAIN, person=None),
}


@pytest.mark.parametrize(
    "thorough",
    [pytest.param("", marks=pytest.mark.few), pytest.param("1", marks=pytest.mark.thorough)],
    ids=["once", "every look"],
)
def test_mails_in_chromium(thorough: str, tmp_path: Path, subtests: pytest.Subtests) -> None:
    shown = {name: {"html": mails.body(mails.mail(asked), "html"), "shows": ""} for name, asked in MAILS.items()}
    documents = tmp_path / "documents.json"
    documents.write_text(json.dumps(shown))
    runner.run(subtests, "documents.test.mjs", DOCUMENTS=str(documents), WIDTH="640", THOROUGH=thorough)
