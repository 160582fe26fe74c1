"""What one approver is shown, and how their answer is received.

The hash of their own link says who it is, or, where a page asks for it, their sign-in: before that, the page says nothing of
what is asked. Whether they may answer is read from the token's page: see `approvers`. A choice is answered with the page
itself: its URL names the approver, so a browser is sent nowhere else.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from waitpoints import approval_json, json_text, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, fields, form, page_answer, render, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.fields import Problem
from waitpoints.api.page.form import Errors, Submission, Values
from waitpoints.api.page.progress import Account, Progress
from waitpoints.api.page.render import Unsent
from waitpoints.approvers import Approval, Approver, find_approver, is_email
from waitpoints.decisions import ApproverChoice, Differs, Recorded, Removed
from waitpoints.errors import NotAsked, PayloadRefused
from waitpoints.token import CompletedBy, Token
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.sign_in import Session, SignedIn, SignInRule


def show(request: Request, token: Token, approver: str | None) -> Response:
    """The page of a token as one of its approvers sees it now. Raises NotAsked."""
    progress = _identify(request, token, approver)
    if isinstance(progress, Response):
        return progress
    return _show_draft(request, progress) or _show(request, progress)


def refuse_plain(request: Request, token_id: str, by: CompletedBy) -> Response:
    """Refuse a choice that came to the callback URL itself. Raises NotAsked for a program."""
    services.tokens.count_delivery(token_id, None, by)
    if not request.is_of_person:
        raise NotAsked("Each approver answers by a link of their own, which this URL is not")
    return replace(page_answer.show(request, services.tokens.retrieve(token_id)), status=403)


def receive(request: Request, token_id: str, approver: str | None, body: bytes, by: CompletedBy) -> Response:
    """Record what an approver chose, or ask again. Raises TokenNotFound, NotAsked, and PayloadRefused for a program."""
    by = replace(by, query=None)  # it names the approver
    token = services.tokens.find(token_id)
    progress = _identify(request, token, approver, body)
    if isinstance(progress, Response):
        return progress
    if progress.account and not _is_own_form(request, token_id, body):
        services.tokens.count_delivery(token_id, token.outcome, by)
        return replace(_show_unsent(request, progress, body) or _show(request, progress), status=403)
    if not progress.is_open:
        return _receive_again(request, progress, body, by)
    try:
        choice = page_answer.read_choice(request, token_id, progress.page, body, by)
    except PayloadRefused:
        services.tokens.count_delivery(token_id, None, by)
        raise
    if isinstance(choice, Submission):
        approval_json.check_size(choice.output, progress.account.signed_in if progress.account else None)
        return _record(request, progress, choice, by)
    return page_answer.ask_again(request, progress.page, choice, progress.token, progress)


def _identify(request: Request, token: Token, approver: str | None, body: bytes = b"") -> Progress | Response:
    """Return the page as who asks for it sees it, or what they are answered instead. Raises NotAsked."""
    page = definition.of_token(token).in_language(page_answer.wanted(request))
    if page.sign_in:
        if request.method != "GET" and not request.is_of_own_page:
            raise NotAsked("Only who has signed in answers this waitpoint, on its own page")
        found = _identify_account(request, token, page, page.sign_in, body)
        is_removed = isinstance(found, Progress) and found.is_removed
        return _refuse_removed(request, token) if is_removed else found
    assert approver is not None, "without a sign-in, the link names the person"
    if token.has_removed(approver):
        return _refuse_removed(request, token)
    person = find_approver(token, page.approval, approver)
    if person is None:
        raise NotAsked("This person is not, or not yet, among those who may answer")
    return Progress(page, token, person)


def _identify_account(request: Request, token: Token, page: Page, rule: "SignInRule", body: bytes) -> Progress | Response:
    """Return the page of a token as who has signed in sees it, who may answer or was removed, or else an answer."""
    sessions = services.sessions
    if sessions is None or rule.client != services.oidc_client:
        telemetry.note(signIn="other_client")
        theme = page_answer.theme(request)
        return page_answer.answer(theme, render.sign_in_changed(theme), 403)
    path = services.urls.url(token.id, sessions.base_url).removeprefix(sessions.base_url)
    session = sessions.read(request.cookies)
    if session is None or (rule.max_age is not None and not session.is_recent(rule.max_age, services.now())):
        theme, link = page_answer.theme(request), sessions.link(path, max_age=rule.max_age)
        unsent, cookies = _keep(request, token, page, path, body)
        document = render.sign_in(theme, link, is_signed_in=session is not None, unsent=unsent)
        return replace(page_answer.answer(theme, document, 200 if request.method == "GET" else 403), cookies=cookies)
    account = Account(session.signed_in, sessions.form_token(session, token.id), path, sessions.sign_out_url)
    person = _find_account(token, page, session)
    if person is None:
        lacks_address = _lacks_address(token, page, session.signed_in)
        telemetry.note(signIn="no_address" if lacks_address else "not_asked")
        theme, link = page_answer.theme(request), sessions.link(path, max_age=rule.max_age, other_account=True)
        unsent, cookies = _keep(request, token, page, path, body)
        unsent = unsent if unsent and unsent.is_kept else None  # who has signed in is not who wrote it
        document = render.other_account(theme, account, link, lacks_address=lacks_address, unsent=unsent)
        return replace(page_answer.answer(theme, document, 403), cookies=cookies)
    return Progress(page, token, person, account=account)


def _keep(request: Request, token: Token, page: Page, path: str, body: bytes) -> tuple[Unsent | None, list[str]]:
    """Return what to say of an answer that comes without a session of who wrote it, and the cookie that keeps it for them."""
    if request.method == "GET":
        return None, []
    values = form.read_values(page, body)
    typed = [text for field in page.fields if not field.choices for text in values[field.name] if text.strip()]
    if not any(text for texts in values.values() for text in texts):
        return Unsent(is_kept=False), []
    cookie = services.drafts.keep(values, form.read_token(body), token.id, path)
    return Unsent(cookie is not None, [] if cookie else typed), [cookie] if cookie else []


def _show_draft(request: Request, progress: Progress) -> Response | None:
    """The form as this person had filled it in when their session had ended. None: they had not."""
    if progress.account is None or not progress.is_open:
        return None
    from waitpoints.access import drafts

    if drafts.COOKIE not in request.cookies:
        return None
    values = services.drafts.read(request.cookies, progress.account.signed_in.subject, progress.token.id)
    if values is None:
        return None
    return replace(_fill_in(request, progress, values), cookies=[drafts.end(progress.account.path)])


def _show_unsent(request: Request, progress: Progress, body: bytes) -> Response | None:
    """The form as it was sent, of another session of the same person. None: it is somebody else's."""
    assert progress.account is not None, "only a page with a sign-in has a form of a session"
    writer, sessions = form.read_token(body).partition(".")[2], services.sessions
    if sessions is None or not progress.is_open:
        return None
    if not sessions.is_writer(writer, progress.account.signed_in.subject, progress.token.id):
        return None
    return _fill_in(request, progress, form.read_values(progress.page, body))


def _fill_in(request: Request, progress: Progress, values: Values) -> Response:
    page, theme = progress.page, page_answer.theme(request, progress.page)
    document = render.form(page, theme, token=progress.token, values=values, progress=progress, is_unsent=True)
    return page_answer.answer(theme, document)


def _lacks_address(token: Token, page: Page, signed_in: "SignedIn") -> bool:
    """Whether somebody is not found on a page because the issuer does not say whose address they have."""
    approval = page.approval
    if signed_in.email is not None or approval is None:
        return False
    is_named = all(person.subject is not None for person in approval.who_may_answer(token))
    return approval.is_open or not is_named or _is_requester(page, approval, signed_in)


def _is_own_form(request: Request, token_id: str, body: bytes) -> bool:
    """Whether the page itself sends a form, in the session in which it was shown."""
    sessions = services.sessions
    session = sessions.read(request.cookies) if sessions else None
    if sessions is None or session is None or not request.is_of_own_page:
        return False
    return sessions.is_form_token(form.read_token(body), session, token_id)


def _find_account(token: Token, page: Page, session: "Session") -> Approver | None:
    """Return who somebody is on a page, also if they were removed. None: they may not answer, or not yet."""
    signed_in, approval, rule = session.signed_in, page.approval, page.sign_in
    if approval is None or rule is None or _is_requester(page, approval, signed_in):
        return None
    given = token.answer_of("", signed_in)
    if approval.is_open:
        person = approval.who_gave(given) if given else Approver.who_signed_in(signed_in)
        return person if session.is_in(rule.domains) else None
    now = approval.who_may_answer(token)
    removed = [person for person in approval.ever if token.has_removed(person.id)]
    return next((one for one in (*now, *removed) if (one.id == given.approver if given else _is(one, signed_in))), None)


def _is(person: Approver, signed_in: "SignedIn") -> bool:
    """Whether a page means somebody by a person: by the subject, or else by the address."""
    if person.subject is not None:
        return person.subject == signed_in.subject
    from waitpoints.sign_in import mailbox

    return person.email is not None and signed_in.email is not None and mailbox(person.email) == mailbox(signed_in.email)


def _is_requester(page: Page, approval: Approval, signed_in: "SignedIn") -> bool:
    """Whether somebody, or perhaps somebody, asked for the answer and may not give it."""
    if approval.requested_by is None or page.source.get("selfApproval", False):
        return False
    from waitpoints.api.page.approver_checks import canonical

    if signed_in.email is None and is_email(canonical(approval.requested_by)):
        return True
    return canonical(approval.requested_by) in {canonical(text) for text in (signed_in.email, signed_in.subject) if text}


def _refuse_removed(request: Request, token: Token) -> Response:
    """Tell a person from whom a hand-over took the page. Raises NotAsked for a program."""
    if not request.is_of_person:
        raise NotAsked("This waitpoint was handed over: this person may no longer answer")
    page = definition.of_token(token).in_language(page_answer.wanted(request))
    theme = page_answer.theme(request, page)
    return page_answer.answer(theme, render.removed(page, theme), 403)


def _receive_again(request: Request, progress: Progress, body: bytes, by: CompletedBy) -> Response:
    """Answer a person who has answered before, or comes after the end. Nothing that they send changes anything.

    The same choice as before is theirs, and not counted as another delivery.
    """
    choice = page_answer.read(request, progress.page, body)
    if isinstance(choice, Submission):
        return _record(request, progress, choice, by)
    return _pass_over(request, progress, by)


def _record(request: Request, progress: Progress, choice: Submission, by: CompletedBy) -> Response:
    person = progress.person
    assert person is not None, "the link names a person"
    signed_in = progress.account.signed_in if progress.account else None
    action, same = choice.action, progress.page.same_fields if choice.action.needs_fields else ()
    chosen = ApproverChoice(person.id, action.id, choice.fields_text, action.needs, same, signed_in)
    result = services.decisions.answer(progress.token, chosen, by, approval_json.decided_text)
    if isinstance(result, Removed):
        return _refuse_removed(request, replace(result.token, page=progress.token.page))
    now = progress.as_of(result.token)
    if isinstance(result, Recorded):
        now = replace(now, person=now.approval.who_gave(result.answer))  # perhaps by another account, a moment ago
    if isinstance(result, Differs):
        return _refuse_difference(request, now, choice, result, by)
    if not (isinstance(result, Recorded) and result.is_this):
        return _pass_over(request, now, by)
    if not request.is_of_person:
        return RECEIVED
    if now.token.outcome is None or now.decided_by != now.person:
        return _show(request, now, choice.values)
    at, theme = now.token.outcome.at, page_answer.theme(request, now.page)
    return page_answer.answer(theme, render.done(now.page, choice, at, theme, progress=now))


def _refuse_difference(request: Request, progress: Progress, choice: Submission, found: Differs, by: CompletedBy) -> Response:
    """Ask for the values of the others who chose the same action. Raises PayloadRefused for a program."""
    telemetry.count("PayloadsRefused")
    services.tokens.count_delivery(progress.token.id, None, by)
    if not request.is_of_person:
        names = ", ".join(map(json_text.dumps, found.fields))
        raise PayloadRefused(f"Others who chose this action sent other values of {names}: send the same, or another action")
    page, others = progress.page, fields.entered(progress.page.fields, found.others.fields)
    problems = {
        field.name: Problem("differs", others=words.value(page.language, field, others.get(field.name)))
        for field in page.fields
        if field.name in found.fields
    }
    return page_answer.ask_again(request, page, Errors(choice.values or {}, problems), progress.token, progress)


def _pass_over(request: Request, progress: Progress, by: CompletedBy) -> Response:
    """Count an answer that changed nothing, and show where the decision stands: `progress` is as of now."""
    services.tokens.count_delivery(progress.token.id, progress.token.outcome, by)
    telemetry.note(tokenId=progress.token.id, won=False)
    if not request.is_of_person:
        return RECEIVED
    return _show(request, replace(progress, is_late=True))


def _show(request: Request, progress: Progress, values: Values | None = None) -> Response:
    theme = page_answer.theme(request, progress.page)
    return page_answer.answer(theme, render.page_of(progress.token, progress.page, theme, progress, values))
