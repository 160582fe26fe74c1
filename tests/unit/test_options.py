"""Each option of a token through each route, alone and with each other one, as `tests/support/options/table.py` says.

A test goes through the pairs of one option. If one fails, the last line of the error names the route and the options.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any

import pytest

import wait_for_token
from tests.support.in_process.api_gateway import TOKENS
from tests.support.in_process.template import ROOT, Template
from tests.support.in_process.world import World
from tests.support.options import table
from tests.support.options.case import Broken, Case
from tests.support.options.routes import FROM_SDK, JSON, MEMBERS, OTHER_TOKEN, Stack, error, payload
from tests.support.options.table import ALONE, GUARDS, RULES, SCOPES, Options, rows, sets
from waitpoints import telemetry
from waitpoints.api import complete_request
from waitpoints.api.models.base import RequestModel
from waitpoints.api.models.create_token import CreateWaitpointTokenRequest
from waitpoints.api.models.endpoint import PutEndpointRequest
from waitpoints.api.models.public_token import CreatePublicTokenRequest, PublicTokenScopes
from waitpoints.api.page import page_checks
from waitpoints.api.page.definition import Page
from waitpoints.token import Completed, Failed, Rule, Rules, TimedOut, iso
from waitpoints.waiter_result import Failure, Success

ROUTES = [row["route"] for row in rows(RULES)]
PAIRS = [pytest.param(route, name == ALONE, found, id=f"{route}: {name}") for route in ROUTES for name, found in sets(route)]
FIRST = [row["route"] for row in rows(GUARDS) if row["before its token"]]
PAIRS_FIRST = [one for one in PAIRS if one.values[0] in FIRST]
CREATE = [name for name in table.options() if "." not in name]
PROMISES = set(re.findall(r"^\*\*([A-Z]\d+)\*\* ", (ROOT / "docs" / "internals" / "contract.md").read_text(), re.MULTILINE))
WAIT = list(table.options(table.WAIT))
WORDS = {"route", "function", "before its token"}
COMPLETE_BY_KEY, PUBLIC_TOKENS = "/api/v1/waitpoints/complete", "/api/v1/auth/jwt"
MINUTE = 60_000  # milliseconds
KEY_TTL, TIMEOUT = 30 * MINUTE, 60 * MINUTE  # as MEMBERS says


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Each case has a token, a key and an endpoint of its own."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.install(patch)
        patch.setattr(telemetry, "_log", lambda _: None)  # this and the size of pages take half of the time,
        patch.setattr(page_checks, "check_size", lambda _: None)  # and other tests have them
        patch.setenv("API_URL", "https://api.example.com")
        yield Stack(world, Template.load())


@contextmanager
def named(case: object) -> Iterator[None]:
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"in the case of {case}")
        raise


@pytest.mark.parametrize(("route", "alone", "together"), PAIRS)
def test_a_route_obeys_or_ignores_each_rule(stack: Stack, route: str, alone: bool, together: list[Options]) -> None:
    """What a route asks for every token is asked with each option alone: the two are a pair."""
    for options in together:
        case = stack.case(route, options)
        with named(case):
            create(stack, case, alone)
            refuses_what_breaks_a_rule(stack, case, guards=alone)
            ends_with_what_keeps_them(stack, case, again=alone)


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_settles_a_token_that_a_later_version_wrote(stack: Stack, route: str) -> None:
    for options in [options for name, found in sets(route) if name == ALONE for options in found]:
        case = stack.case(route, options)
        with named(case):
            stack.create(case)
            token_id, store = case.token["id"], stack.world.store
            store.make_later(token_id)
            assert stack.attempt(case) == 503
            assert stack.token(case).outcome is None
            store.change(token_id, sinceVersion=None)
            assert stack.attempt(case) == 200


def create(stack: Stack, case: Case, alone: bool) -> None:
    """Create the token. An option that is `alone` is tried in two more ways: a second create finds the token by its key, and
    another execution begins to wait by itself.
    """
    stack.create(case)
    has_its_options(stack, case)
    if alone and "idempotencyKey" in case.options:
        assert stack.create(case) == {**case.token, "isCached": True}
    if alone and case.waits:
        stack.wait(case)
    if "idempotencyKeyTTL" in case.options:
        stack.world.advance(KEY_TTL + 1)


def has_its_options(stack: Stack, case: Case) -> None:
    token, has = stack.world.store.get(case.token["id"]), case.options.__contains__
    assert token.timeout_at == (token.created_at + TIMEOUT if has("timeout") else None)
    assert token.tags == (tuple(MEMBERS["tags"]) if has("tags") else ())
    assert token.idempotency_key == (case.key if has("idempotencyKey") else None)
    assert token.idempotency_key_expires_at == (token.created_at + KEY_TTL if has("idempotencyKeyTTL") else None)
    found = token.rules or Rules()
    rules = {
        "verify": found.verify,
        "completeWhen": found.complete_when,
        "payloadSchema": found.has_schema,
        "page": found.has_page,
    }
    assert {name for name, rule in rules.items() if rule} == case.options & rules.keys()
    assert token.traceparent == (MEMBERS["traceparent"] if has("traceparent") else None)
    assert (token.metadata and json.loads(token.metadata)) == (MEMBERS["metadata"] if has("metadata") else None)
    assert (token.has_notify, token.notify and json.loads(token.notify)) == (
        (True, MEMBERS["notify"]) if has("notify") else (False, None)
    )
    execution = MEMBERS["execution"] if has("execution") else None
    waiters = [(waiter.handle, waiter.unwrap, waiter.context, waiter.execution) for waiter in token.waiters.values()]
    assert waiters == [(handle, has("unwrap"), has("context"), execution) for handle in case.handles]


def refuses_what_breaks_a_rule(stack: Stack, case: Case, guards: bool) -> None:
    before = stack.counted(case)
    counted: Counter[str] = Counter()
    for broken, status in case.refused(guards):
        with named(broken):
            assert stack.attempt(case, broken) == status
            assert stack.token(case).outcome is None
            counted.update(filter(None, [case.counts(broken, status)]))
            assert stack.counted(case) - before == counted
    assert not any(stack.results(case))


def ends_with_what_keeps_them(stack: Stack, case: Case, again: bool) -> None:
    before = stack.counted(case)
    assert stack.attempt(case) == 200
    is_as_it_ended(stack, case)
    if again:
        assert stack.attempt(case) == after_the_end(case)
        is_as_it_ended(stack, case)
        assert stack.counted(case) - before == Counter(counted_of_two(case))


def after_the_end(case: Case) -> int:
    """The answer to an attempt that comes too late. A browser is sent to the page, which says so."""
    return 303 if case.route == "browser" and case.has_page else 200


def counted_of_two(case: Case) -> list[str]:
    """As what an attempt that ended the token is counted, and a repeated one."""
    if case.route != "endpoint":
        return ["other"] if case.function == "accept_callback" else []
    if "idempotencyKeyTTL" not in case.options:
        return ["completed", "repeated"]
    return ["completed", "notAwaited" if "endpoint.keyTTL" in case.options else "kept"]


def is_as_it_ended(stack: Stack, case: Case) -> None:
    """The token has the outcome of the case's attempt, and everything that waits for it got it, also what comes now."""
    outcome = stack.token(case).outcome
    if case.fails:
        assert isinstance(outcome, Failed)
        assert outcome.error.members() == error(case)
        got(stack, case, "error", error(case))
    else:
        assert isinstance(outcome, Completed)
        assert json.loads(outcome.output.json or "") == output(case)
        got(stack, case, "output", output(case))
    source = {"accept_callback": "callback", "accept_delivery": "endpoint"}.get(case.function, "complete")
    assert outcome.completed_by
    assert outcome.completed_by.source == source


def output(case: Case) -> dict[str, Any]:
    """Return what the run gets. A choice that a page accepts has fields, unless it came first and was kept as it was sent."""
    sent = payload(case)
    return {"fields": {}, **sent} if case.has_page and not case.came_first else sent


def got(stack: Stack, case: Case, member: str, value: dict[str, Any]) -> None:
    """Each waiter got the output or the error, in the form that it asked for."""
    if not case.waits:
        return
    stack.wait(case)
    ok = member == "output"
    envelope = {"ok": ok, member: value}
    if "context" in case.options:
        envelope["completedBy"] = stack.api.retrieve(case.token["id"])["completedBy"]
        envelope |= {name: MEMBERS[name] for name in ("traceparent", "metadata") if name in case.options}
    for result in stack.results(case):
        if "unwrap" in case.options and not ok:
            assert isinstance(result, Failure)
            assert (result.error, result.cause) == (value["name"], value["message"])
        else:
            assert isinstance(result, Success)
            assert json.loads(result.json) == (value if "unwrap" in case.options else envelope)


@pytest.mark.parametrize("route", ROUTES)
def test_a_timeout_that_has_passed_ends_the_token_whatever_comes(stack: Stack, route: str) -> None:
    for options in [options for _, found in sets(route) for options in found if "timeout" in options]:
        case = stack.case(route, options)
        with named(case):
            create(stack, case, alone=False)
            stack.world.advance(TIMEOUT)
            assert stack.attempt(case) == after_the_end(case)
            outcome = stack.token(case).outcome
            assert isinstance(outcome, TimedOut)
            message = f"Waitpoint timed out at {iso(outcome.at)}"
            timed_out = {"name": "WaitpointTimeoutError", "code": "TRIGGER_WAITPOINT_TIMEOUT", "message": message}
            got(stack, case, "error", timed_out)


@pytest.mark.parametrize(("route", "alone", "together"), PAIRS_FIRST)
def test_a_completion_that_comes_before_its_token_is_kept_for_it(
    stack: Stack, route: str, alone: bool, together: list[Options]
) -> None:
    for options in together:
        case = stack.case(route, options)
        with named(case):
            keeps_nothing_that_is_refused(stack, case, guards=alone)
            if "endpoint.keyTTL" in options:
                is_not_kept(stack, case)
                continue
            is_early(stack, case)
        for broken in [broken for broken, _ in case.refused(guards=False) if broken.rule in table.kept("leaves")]:
            other = stack.case(route, options)
            with named(f"{other}, {broken}"):
                is_not_claimed(stack, other, broken)


def keeps_nothing_that_is_refused(stack: Stack, case: Case, guards: bool) -> None:
    for broken in [broken for broken, _ in case.refused(guards) if broken.rule in table.kept("is refused")]:
        with named(broken):
            stack.attempt(case, broken)
            assert stack.world.completions_by_key.find_token(case.key) is None


def is_early(stack: Stack, case: Case) -> None:
    case.came_first = True
    assert stack.attempt(case) == 200
    assert stack.create(case)["isCached"] is True
    is_as_it_ended(stack, case)
    token = stack.token(case)
    assert (token.early_until, token.tags) == (None, tuple(MEMBERS["tags"]) if "tags" in case.options else ())
    has_end = "idempotencyKeyTTL" in case.options
    assert token.idempotency_key_expires_at == (stack.world.clock() + KEY_TTL if has_end else None)


def is_not_kept(stack: Stack, case: Case) -> None:
    before = stack.counted(case)
    assert stack.attempt(case) == 200
    assert stack.counted(case) - before == {"notAwaited": 1}
    assert stack.create(case)["isCached"] is False
    waits_for_what_fits(stack, case)


def is_not_claimed(stack: Stack, case: Case, broken: Broken) -> None:
    """The token of the create counts an early completion that does not fit, and refuses it when it comes again."""
    stack.attempt(case, broken)
    assert stack.create(case)["isCached"] is False
    stack.attempt(case, broken)
    others = stack.token(case).other_deliveries
    assert others
    assert others.count == 1
    waits_for_what_fits(stack, case)


def waits_for_what_fits(stack: Stack, case: Case) -> None:
    assert stack.token(case).outcome is None
    assert not any(stack.results(case))
    assert stack.attempt(case) == 200
    is_as_it_ended(stack, case)


SCOPED = [row["scope"] for row in rows(SCOPES)]
ALLOWING = {row["scope"] for row in rows(SCOPES) if row["completes the token"].startswith("yes")}


@pytest.mark.parametrize("scope", SCOPED)
def test_a_scope_allows_what_it_names_alone_and_beside_each_other(stack: Stack, scope: str) -> None:
    """Also if the API made the token, which `write` alone is refused, and if the SDK sends it."""
    case = stack.case("public token", frozenset())
    for beside, made, by_sdk in [("", True, True), ("", True, False), *((other, False, False) for other in SCOPED)]:
        stack.create(case)
        wanted = filter(None, (scope, beside))
        scopes = [text.format(id=case.token["id"], bare=case.token["id"][10:], other=OTHER_TOKEN) for text in wanted]
        asked = {"claims": {"scopes": scopes}, "expirationTime": "15m"}
        is_made = made and scope != "write"
        signed = stack.api.post(PUBLIC_TOKENS, asked).json["token"] if is_made else stack.public_token(*scopes)
        headers = {**JSON, **(FROM_SDK if by_sdk else {}), "authorization": f"Bearer {signed}"}
        is_allowed = not ALLOWING.isdisjoint((scope, beside))
        with named(scopes):
            assert stack.api.post(complete_url(case), {"data": 1}, headers).status == (200 if is_allowed else 403)
            assert (stack.token(case).outcome is not None) == is_allowed


@pytest.mark.parametrize("name", CREATE)
def test_a_create_accepts_or_refuses_each_option_alone_and_each_pair(stack: Stack, name: str) -> None:
    """Over HTTP, and in a state."""
    for other in CREATE[CREATE.index(name) :]:
        status = table.refusal({name, other})
        with named(f"{name} + {other}"):
            for create in (stack.status_of_create, partial(stack.invoke, "create_token_in_state")):
                before = len(stack.world.store.tokens)
                assert create({option: stack.value(option) for option in (name, other)}) == (status or 200)
                assert len(stack.world.store.tokens) - before == (0 if status else 1)


@pytest.mark.parametrize("name", WAIT)
def test_a_wait_accepts_or_refuses_each_option_alone_and_each_pair(stack: Stack, name: str) -> None:
    for other in WAIT[WAIT.index(name) :]:
        for together in ({name, other}, table.with_needs({name, other}, table.WAIT)):
            payload = {option: stack.value(option) for option in together}
            status = table.refusal(together, table.WAIT)
            with named(" + ".join(together)):
                assert stack.invoke("wait_for_token", payload) == (status or 200)
                if status is None:
                    [waiter] = stack.world.store.get(payload["waitpointId"]).waiters.values()
                    assert waiter.handle in payload.values()
                    assert (waiter.unwrap, waiter.context) == ("unwrap" in together, "context" in together)
                    assert waiter.execution == payload.get("execution")


@pytest.mark.parametrize("name", table.options(table.COMPLETE))
def test_a_completion_accepts_or_refuses_each_option_alone_and_each_pair(stack: Stack, name: str) -> None:
    for other in table.options(table.COMPLETE):
        by_key = not {name, other} <= {"data", "error"}
        together = {name, other} | ({"idempotencyKey"} if by_key and "idempotencyKeyTTL" not in (name, other) else set())
        stack.create(case := stack.case("complete", frozenset()))
        url = COMPLETE_BY_KEY if by_key else complete_url(case)
        with named(f"{name} + {other}"):
            status = table.refusal(together, table.COMPLETE)
            assert stack.api.post(url, {option: stack.value(option) for option in together}).status == (status or 200)


def complete_url(case: Case) -> str:
    return f"{TOKENS}/{case.token['id']}/complete"


class TestTheTable:
    """A new option, rule or route must enter it."""

    def test_has_every_option_of_a_create(self) -> None:
        assert set(CREATE) == names(CreateWaitpointTokenRequest)
        elsewhere = {
            "page.source",
            "page.approval",
            "page.reminds",
            "page.shows_answers",
            "page.same_fields",
            "page.sign_in",
        }  # see the tests of pages
        shown = {f"page.{field.name}" for field in fields(Page)} - elsewhere
        assert {name.replace("timeZone", "time_zone") for name in table.options() if "." in name} == shown

    def test_has_every_setting_of_an_endpoint(self) -> None:
        assert {row["setting"] for row in rows(table.ENDPOINT)} == {f"endpoint.{name}" for name in names(PutEndpointRequest)}

    def test_has_every_option_of_a_completion_and_of_a_wait(self) -> None:
        assert set(table.options(table.COMPLETE)) == {*complete_request.FIELDS, *complete_request.KEY_FIELDS}
        assert set(WAIT) == set(wait_for_token.FIELDS)

    def test_has_every_option_of_a_public_access_token(self) -> None:
        """The test of scopes uses them all."""
        assert (names(CreatePublicTokenRequest), names(PublicTokenScopes)) == ({"claims", "expirationTime"}, {"scopes"})

    def test_has_every_rule_of_a_token(self) -> None:
        rules = {name for name, one in table.options().items() if one.kind == "a rule"}
        assert {*Rule} - {Rule.APPROVERS, Rule.SIGN_IN} <= rules == set(rows(RULES)[0]) - {"route"}  # see test_page_routes

    def test_has_every_function_that_completes_a_token(self) -> None:
        """`show_callback` only shows it: it is the browser's GET."""
        importing = re.compile(r"^from waitpoints\.api\.\w+ import (?:callback|endpoint_delivery|render, visit)$", re.MULTILINE)
        functions = {path.stem for path in (ROOT / "functions").glob("*.py") if importing.search(path.read_text())}
        assert {row["function"] for row in rows(GUARDS)} | {"show_callback"} == functions

    def test_says_something_of_each_door_and_rule_and_names_promises_that_exist(self) -> None:
        assert [row["route"] for row in rows(GUARDS)] == ROUTES
        cells = [text for row in [*rows(RULES), *rows(GUARDS)] for name, text in row.items() if name not in WORDS]
        promises = {found.promise for found in map(table.cell, cells) if found and found.promise}
        others = (GUARDS, table.ENDPOINT, table.KEPT, table.CREATE, table.COMPLETE, table.WAIT, SCOPES)
        assert promises | set(re.findall(r"\b[A-Z]\d+\b", " ".join(others))) <= PROMISES

    def test_says_of_each_rule_what_becomes_of_what_came_before_its_token(self) -> None:
        rules = {*rows(RULES)[0], *rows(GUARDS)[0], *(row["setting"] for row in rows(table.ENDPOINT))} - WORDS
        assert {row["rule"] for row in rows(table.KEPT)} == rules - {
            "endpoint.keyTTL",
            "endpoint.recordDeliveries",
            "endpoint.tag",
        }


def names(model: type[RequestModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}
