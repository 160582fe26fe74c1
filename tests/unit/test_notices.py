"""What the table has of who is told, and of what they have got."""

import pytest

from waitpoints import json_text
from waitpoints.notices import NoticeRecord, Notify


@pytest.mark.parametrize(
    ("notify", "members"),
    [
        (Notify(), {}),
        (Notify(email=True), {"email": True}),
        (Notify(email=("x@example.com",)), {"email": ["x@example.com"]}),
        (Notify(True, "#deploys", "TEAMS"), {"email": True, "slack": "#deploys", "teams": "TEAMS"}),
    ],
)
def test_who_is_told_is_read_as_it_was_written(notify: Notify, members: dict[str, object]) -> None:
    assert notify.members() == members
    assert Notify.of(json_text.parse(json_text.dumps(members))) == notify


@pytest.mark.parametrize(
    ("notice", "members"),
    [
        (NoticeRecord(7), {"at": 7}),
        (NoticeRecord(7, "C01/17.4", shows="ended"), {"at": 7, "ref": "C01/17.4", "shows": "ended"}),
        (NoticeRecord(7, "m", 2, notified_last=True), {"at": 7, "ref": "m", "reminded": 2, "notifiedLast": True}),
        (NoticeRecord(7, refused="channel_not_found"), {"at": 7, "refused": "channel_not_found"}),
    ],
)
def test_what_a_place_has_got_is_read_as_it_was_written(notice: NoticeRecord, members: dict[str, object]) -> None:
    assert notice.members() == members
    assert NoticeRecord.of(members) == notice
