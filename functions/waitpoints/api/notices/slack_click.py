"""Receive a click in Slack: verify it, answer the page, and answer the person privately if it changed nothing.

Slack wants an answer within three seconds, so the message is edited later, by the one function that sends (see `sending`).
A page with approvers accepts the click of the approver with that Slack id. Any other page accepts every click, and its output
names the member.
Source: docs.slack.dev, reference/interaction-payloads/block_actions-payload and authentication/verifying-requests-from-slack.
"""

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import urllib3
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from waitpoints import approvers, ids, json_text, telemetry
from waitpoints.api.http import Request, Response
from waitpoints.api.notices import notice_words, posting, slack_message
from waitpoints.api.notices.addresses import is_stand_ins
from waitpoints.api.notices.summary import Summary
from waitpoints.api.page import definition, words
from waitpoints.api.page.form import Submission
from waitpoints.api.page.markup import cut
from waitpoints.api.page.progress import Progress
from waitpoints.api.providers import verification
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.approvers import find_member
from waitpoints.aws.services.secrets import is_unusable
from waitpoints.decisions import ApproverChoice, Differs, Recorded, Removed
from waitpoints.errors import NotSent, NotSentNow, TokenNotFound, WrongSignature
from waitpoints.notices import Notify
from waitpoints.token import CompletedBy, Source, Token, Verification
from waitpoints.tokens import Ended
from waitpoints.wiring import services

SIGNED = Verification("slack", "SLACK_SIGNING_SECRET")
ANSWERED = Response("")
REMOVED = notice_words.sentence(words.DEFAULT, "removed")
PRIVATELY = urllib3.Timeout(total=1)  # of the three seconds; without the answer, the person sees the message edited
HOOKS = "https://hooks.slack.com/"
_USER = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
_MESSAGE = re.compile(r"[A-Z][A-Z0-9]{2,20}/[0-9]{1,12}\.[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a button that answers. `message` is "<channel>/<ts>", None if Slack does not say so.

    `name` is on one line, without what cannot be seen. `answer_to` is the URL for a private answer.
    """

    token: str
    action: str
    user: str
    name: str
    message: str | None
    answer_to: str


def receive(request: Request, body: bytes) -> Response:
    """Take a click. Raises WrongSignature unless Slack sent it, also if there is no secret to sign with."""
    try:
        secret = services.channel_secret(SIGNED.secret)
        verification.check(SIGNED, request, f"{request.api_url}/api/v1/slack", body, secret=secret)
    except GetParameterError as error:
        if not is_unusable(error):
            raise
        raise WrongSignature("missing", f"the stack has no secret {SIGNED.secret}") from None
    click = _read(body)
    if click is None:
        return ANSWERED
    said = _answer(click, replace(read_completed_by(request, Source.CALLBACK), query=None))
    if said is not None:
        telemetry.note(won=False)
        _answer_privately(click, said)
    return ANSWERED


def _read(body: bytes) -> Click | None:
    """Return the click that a body is about, None if it is about anything else."""
    try:
        form = dict(parse_qsl(body.decode(), max_num_fields=10))
        payload = json_text.parse(form.get("payload", "null"))
    except ValueError:
        return None
    if _member(payload, "type") != "block_actions":
        return None
    pressed = _member(payload, "actions")
    [button] = pressed if isinstance(pressed, list) and len(pressed) == 1 else [None]
    token, action = _text(button, "value"), _text(button, "action_id")
    who, container = _member(payload, "user"), _member(payload, "container")
    user, message = _text(who, "id"), f"{_text(container, 'channel_id')}/{_text(container, 'message_ts')}"
    if not action.startswith(slack_message.PRESSED) or not _USER.fullmatch(user):
        return None
    name = "".join(one for one in _text(who, "name") or _text(who, "username") if one.isprintable() or one.isspace())
    return Click(
        token,
        action.removeprefix(slack_message.PRESSED),
        user,
        cut(" ".join(name.split()), 100) or user,
        message if _MESSAGE.fullmatch(message) else None,
        _text(payload, "response_url"),
    )


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any, name: str) -> str:
    text = _member(value, name)
    return text if isinstance(text, str) else ""


def _answer(click: Click, by: CompletedBy) -> str | None:
    """Do what a click says. Returns what the person reads if it changed nothing."""
    try:
        token = services.tokens.find(ids.parse(click.token))
    except TokenNotFound:
        return REMOVED
    telemetry.note(tokenId=token.id)
    if token.page is None or token.notify is None or Notify.of_text(token.notify).slack is None:
        return REMOVED
    page = definition.of_token(token)
    person = find_member(token, page.approval, click.user)
    progress = Progress(page.for_reader(person), token, person)
    choice = slack_message.choice_of(page, click.action)
    if choice is None:
        services.tokens.count_delivery(token.id, token.outcome, by)
        return Summary(progress)["on_page"]
    return _record(click, progress, choice, by) if page.approval else _complete(click, progress, choice, by)


def _record(click: Click, progress: Progress, choice: Submission, by: CompletedBy) -> str | None:
    """Record the answer of an approver."""
    token, person, summary = progress.token, progress.person, Summary(progress)
    if person is None and token.outcome is None:
        return _not_theirs(progress, by)
    if person is None:
        return _too_late(click, progress, by)
    chosen = ApproverChoice(person.id, choice.action.id, choice.fields_text, choice.action.needs)
    result = services.decisions.answer(token, chosen, by, approvers.decided_text)
    assert not isinstance(result, Differs), "no button answers a page whose fields must be the same"
    if isinstance(result, Removed):
        return _not_theirs(replace(progress.as_of(result.token), person=None), by)
    if not isinstance(result, Recorded):
        return _too_late(click, progress.as_of(replace(result.token, notices=token.notices)), by)
    _edit_unrecorded(click, token, has_ended=result.token.outcome is not None)
    if result.is_this and progress.own_answer is None:
        return None
    if not result.is_this:
        services.tokens.count_delivery(token.id, result.token.outcome, by)
    return summary.said("first_text", choice=progress.chosen(result.answer))


def _not_theirs(progress: Progress, by: CompletedBy) -> str:
    services.tokens.count_delivery(progress.token.id, progress.token.outcome, by)
    summary = Summary(progress)
    names = ", ".join(summary.written(one) for one in progress.approval.who_may_answer(progress.token))
    return summary.said("only_these", names=names)


def _complete(click: Click, progress: Progress, choice: Submission, by: CompletedBy) -> str | None:
    """Complete a token that anyone may answer, and say in its output who did."""
    token = progress.token
    who = json_text.texts({"slackUser": {"id": click.user, "name": click.name}})
    by = replace(by, slack_user=click.user, slack_name=click.name)
    if token.outcome is None:
        completion = services.tokens.complete(token.id, json_text.object_of(choice.members | who), by)
        if not isinstance(completion, Ended):
            _edit_unrecorded(click, token, has_ended=True)
            return None
        token = replace(token, outcome=completion.outcome)
    return _too_late(click, replace(progress, token=token), by)


def _too_late(click: Click, progress: Progress, by: CompletedBy) -> str:
    services.tokens.count_delivery(progress.token.id, progress.token.outcome, by)
    _edit_unrecorded(click, progress.token, has_ended=True)
    return "\n".join(Summary(progress).ending())


def _edit_unrecorded(click: Click, token: Token, *, has_ended: bool) -> None:
    """Have a message edited that still has buttons, because its record was lost. A recorded one is edited anyway.

    `token` is as it was read before the click counted.
    """
    known = {notice.ref for notice in token.notices.values()}
    if not has_ended or click.message is None or click.message in known or services.notice_queue is None:
        return
    with telemetry.only_logging("Message in Slack not edited", tokenId=token.id):  # its next click tries again
        services.notice_queue.send_unrecorded(token.id, click.message)


def _answer_privately(click: Click, said: str) -> None:
    """Failures are only logged: what the person did is done."""
    try:
        if not click.answer_to.startswith(HOOKS) and not is_stand_ins(click.answer_to):
            raise NotSent("not an address of Slack")
        posting.post(click.answer_to, slack_message.private(said), {}, PRIVATELY).check()
    except (NotSent, NotSentNow) as error:
        telemetry.logger.warning("Private answer in Slack not sent", reason=str(error))
