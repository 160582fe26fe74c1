"""Who has signed in to answer a page, and what they had filled in when their session ended.

Before the sign-in, the page says nothing of what is asked.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.api.http import Request, Response
from waitpoints.api.page import form, render
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Values
from waitpoints.api.page.progress import Account, Progress
from waitpoints.api.page.render import Unsent
from waitpoints.approvers import Approval, Approver, is_email
from waitpoints.errors import NotAsked
from waitpoints.token import Token
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.sign_in import Session, SignedIn, SignInRule


def identify(request: Request, token: Token, page: Page, rule: "SignInRule", body: bytes) -> Progress | Response:
    """Return the page of a token as who has signed in sees it, who may answer or was removed, or else an answer."""
    if request.method != "GET" and not request.is_of_own_page:
        raise NotAsked("Only who has signed in answers this waitpoint, on its own page")
    sessions = services.sessions
    if sessions is None or rule.client != services.oidc_client:
        telemetry.note(signIn="other_client")
        theme = render.theme_of(request)
        return render.answer(theme, render.sign_in_changed(theme), 403)
    path = services.urls.url(token.id, sessions.base_url).removeprefix(sessions.base_url)
    session = sessions.read(request.cookies)
    if session is None or (rule.max_age is not None and not session.is_recent(rule.max_age, services.now())):
        theme, link = render.theme_of(request), sessions.link(path, max_age=rule.max_age)
        unsent, cookies = _keep(request, token, page, path, body)
        document = render.sign_in(theme, link, is_signed_in=session is not None, unsent=unsent)
        return replace(render.answer(theme, document, 200 if request.method == "GET" else 403), cookies=cookies)
    account = Account(session.signed_in, sessions.form_token(session, token.id), path, sessions.sign_out_url)
    person = _find_account(token, page, session)
    if person is None:
        lacks_address = _lacks_address(token, page, session.signed_in)
        telemetry.note(signIn="no_address" if lacks_address else "not_asked")
        theme, link = render.theme_of(request), sessions.link(path, max_age=rule.max_age, other_account=True)
        unsent, cookies = _keep(request, token, page, path, body)
        unsent = unsent if unsent and unsent.is_kept else None  # who has signed in is not who wrote it
        document = render.other_account(theme, account, link, lacks_address=lacks_address, unsent=unsent)
        return replace(render.answer(theme, document, 403), cookies=cookies)
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


def show_draft(request: Request, progress: Progress) -> Response | None:
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


def show_unsent(request: Request, progress: Progress, body: bytes) -> Response | None:
    """The form as it was sent, of another session of the same person. None: it is somebody else's."""
    assert progress.account is not None, "only a page with a sign-in has a form of a session"
    writer, sessions = form.read_token(body).partition(".")[2], services.sessions
    if sessions is None or not progress.is_open:
        return None
    if not sessions.is_writer(writer, progress.account.signed_in.subject, progress.token.id):
        return None
    return _fill_in(request, progress, form.read_values(progress.page, body))


def _fill_in(request: Request, progress: Progress, values: Values) -> Response:
    page, theme = progress.page, render.theme_of(request, progress.page)
    document = render.form(page, theme, token=progress.token, values=values, progress=progress, is_unsent=True)
    return render.answer(theme, document)


def _lacks_address(token: Token, page: Page, signed_in: "SignedIn") -> bool:
    """Whether somebody is not found on a page because the issuer does not say whose address they have."""
    approval = page.approval
    if signed_in.email is not None or approval is None:
        return False
    is_named = all(person.subject is not None for person in approval.who_may_answer(token))
    return approval.is_open or not is_named or _is_requester(page, approval, signed_in)


def is_own_form(request: Request, token_id: str, body: bytes) -> bool:
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
