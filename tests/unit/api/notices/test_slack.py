"""The calls of Slack's API, and what each of its errors means.

Source of the codes: docs.slack.dev, reference/methods/chat.postMessage and chat.update, "Errors".
"""

import pytest

from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.slack import ANN, DECISION, PAGE, CachedSecret, answer, notice
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.api.notices.slack import SlackChannel
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.token import TimedOut
from waitpoints_local.slack_stand_in import BOT_TOKEN, Workspace, rate_limited


@pytest.fixture
def sender(workspace: Workspace) -> SlackChannel:
    return SlackChannel(workspace.api_url, FakeSecret(BOT_TOKEN), ("Example Ltd", "#2457d6"), lambda: True)


def refuse(workspace: Workspace, code: str, status: int = 200, **headers: str) -> None:
    workspace.next_answers.append((status, headers, {"ok": False, "error": code}))


class TestTheCalls:
    def test_a_message_is_posted_to_the_channel(self, workspace: Workspace, sender: SlackChannel) -> None:
        ref = sender.send(notice())
        [message] = workspace.messages
        [(path, body)] = workspace.calls
        assert (path, ref, message.people) == ("/api/chat.postMessage", message.ref, "#deploys")
        quiet = {"unfurl_links": False, "unfurl_media": False, "parse": "none", "link_names": False, "mrkdwn": False}
        assert {name: body[name] for name in quiet} == quiet

    def test_a_persons_goes_to_their_direct_messages(self, workspace: Workspace, sender: SlackChannel) -> None:
        ref = sender.send(notice(DECISION, person="ann"))
        assert (workspace.messages[0].people, ref) == (ANN, f"D{ANN[1:]}/1700000000.000000")

    def test_an_edit_changes_the_first_message(self, workspace: Workspace, sender: SlackChannel) -> None:
        ref = sender.send(notice())
        assert sender.send(notice(kind=NoticeKind.EDIT, ref=ref, outcome=TimedOut(1))) == ref
        [message] = workspace.messages
        assert (message.edits, message.buttons()) == (1, {})
        assert "unfurl_links" not in workspace.calls[1][1]

    def test_a_reminder_is_a_reply_that_the_channel_sees(self, workspace: Workspace, sender: SlackChannel) -> None:
        ref = sender.send(notice())
        sender.send(notice(kind=NoticeKind.REMINDER, ref=ref))
        content = workspace.messages[1].content
        assert (content["thread_ts"], content["reply_broadcast"]) == ("1700000000.000000", True)

    @pytest.mark.parametrize("kind", [NoticeKind.REMINDER, NoticeKind.LAST, NoticeKind.OUTCOME])
    def test_in_direct_messages_it_is_a_reply(self, workspace: Workspace, sender: SlackChannel, kind: NoticeKind) -> None:
        ref, outcome = sender.send(notice(DECISION, person="ann")), TimedOut(1) if kind is NoticeKind.OUTCOME else None
        sender.send(notice(DECISION, kind, person="ann", ref=ref, answers=(answer("bo"),), outcome=outcome))
        [first, reply] = workspace.messages
        assert (reply.channel, reply.content["thread_ts"]) == (first.channel, first.ts)
        assert "reply_broadcast" not in reply.content

    def test_a_reminder_of_a_message_that_has_no_name_is_a_message(self, workspace: Workspace, sender: SlackChannel) -> None:
        sender.send(notice(kind=NoticeKind.REMINDER))
        assert workspace.messages[0].buttons()

    def test_who_asked_gets_the_outcome_as_a_message(self, workspace: Workspace, sender: SlackChannel) -> None:
        sender.send(notice(DECISION, requester=True, answers=(answer("bo"),), outcome=TimedOut(1)))
        [message] = workspace.messages
        assert (message.people, message.buttons()) == ("U024BE7LK", {})
        assert "thread_ts" not in message.content
        assert "Bo Chen: Approve it" in str(message.content["blocks"])


class TestTheErrors:
    def test_a_rate_limit_says_when(self, workspace: Workspace, sender: SlackChannel) -> None:
        workspace.next_answers.append(rate_limited(30))
        with pytest.raises(NotSentNow, match="ratelimited") as raised:
            sender.send(notice())
        assert raised.value.after == 30
        assert sender.send(notice())

    @pytest.mark.parametrize("status", [429, 500])
    def test_an_unknown_code_comes_again_if_the_status_says_so(
        self, workspace: Workspace, sender: SlackChannel, status: int
    ) -> None:
        workspace.next_answers.append((status, {"retry-after": "30"}, {"ok": False, "error": "team_is_moved"}))
        with pytest.raises(NotSentNow, match="team_is_moved") as raised:
            sender.send(notice())
        assert raised.value.after == 30

    def test_an_edit_of_a_message_that_is_gone_is_done(self, workspace: Workspace, sender: SlackChannel) -> None:
        assert sender.send(notice(kind=NoticeKind.EDIT, ref="C1/1.2", outcome=TimedOut(1))) == "C1/1.2"
        assert [path for path, _ in workspace.calls] == ["/api/chat.update"]

    def test_another_refused_edit_is_not(self, workspace: Workspace, sender: SlackChannel) -> None:
        refuse(workspace, "edit_window_closed")
        with pytest.raises(NotSent, match="edit_window_closed"):
            sender.send(notice(kind=NoticeKind.EDIT, ref="C1/1.2", outcome=TimedOut(1)))


class TestTheToken:
    def test_that_was_replaced_meanwhile_is_read_again(self, workspace: Workspace) -> None:
        secret = CachedSecret(BOT_TOKEN)
        sender = SlackChannel(workspace.api_url, secret, ("", ""), lambda: True)
        workspace.tokens = {"xoxb-new"}
        secret.rotate("xoxb-new")
        assert sender.send(notice())
        assert (len(workspace.calls), secret.reads) == (2, 1)

    def test_that_is_refused_is_read_again_once(self, workspace: Workspace) -> None:
        secret = CachedSecret("xoxb-old")
        with pytest.raises(NotSent, match="invalid_auth"):
            SlackChannel(workspace.api_url, secret, ("", ""), lambda: True).send(notice())
        assert (len(workspace.calls), secret.reads) == (1, 1)

    def test_is_in_no_error(self, workspace: Workspace, sender: SlackChannel) -> None:
        refuse(workspace, "invalid_auth")
        with pytest.raises(NotSent) as raised:
            sender.send(notice(PAGE))
        assert BOT_TOKEN not in repr(raised.value)
