"""People sign in, in a browser, with an issuer that others maintain."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser import runner
from tests.support.e2e import afterwards, folders
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.states import task
from tests.support.oidc_provider import oidc_provider
from tools.stack import emulating
from waitpoints.access.sessions import RETURN
from waitpoints_local.stack import Stack, described, free_port, overrides

FOLDER = folders.FOLDER / "sign-in"
CLIENT, SECRET = "waitpoints", "of the client"


@dataclass(frozen=True)
class Office:
    stack: Stack
    api: Api
    issuer: str


@pytest.fixture(scope="module")
def office(current_build: Built) -> Iterator[Office]:
    with (
        emulating(free_port(), FOLDER) as emulator,
        oidc_provider(f"{emulator.url}{RETURN}", CLIENT, SECRET) as issuer,
    ):
        given = {"OidcIssuer": issuer, "OidcClientId": CLIENT}
        current_build.deploy(emulator, parameters=(*overrides(emulator.url), *(f"{k}={v}" for k, v in given.items())))
        with described(emulator, FOLDER) as stack:
            emulator.client("secretsmanager").create_secret(
                Name=f"waitpoints/{stack.stack_name}/sign-in/OIDC_CLIENT_SECRET", SecretString=SECRET
            )
            yield Office(stack, Api(stack), issuer)
            afterwards.check(stack, FOLDER)


def test_a_person_signs_in_and_out(office: Office, subtests: pytest.Subtests) -> None:
    token = office.api.create(page={"title": "Deploy?"})
    runner.run(subtests, "sign_in.test.mjs", API_URL=office.stack.api_url, URL=token["url"], ISSUER=office.issuer)


def test_people_answer_who_have_signed_in(office: Office, subtests: pytest.Subtests) -> None:
    page = {"title": "Pay ACME?", "actions": [{"id": "approve", "label": "Approve", "needs": 2}]}
    named = {**page, "signIn": True, "approvers": ["ann@example.com", "bo@example.com"]}
    pages = {"NAMED": named, "OPEN": {**page, "signIn": {"domains": ["example.com"]}}, "ENDED": named}
    tokens = {name: office.api.create(page=page) for name, page in pages.items()}
    urls = {name: token["url"] for name, token in tokens.items()}
    runner.run(subtests, "sign_in_page.test.mjs", ISSUER=office.issuer, **urls)
    shown = {name: office.api.retrieve(token) for name, token in tokens.items()}
    people = {name: [one["signedIn"]["email"] for one in token["answers"]] for name, token in shown.items()}
    assert people == {"NAMED": ["ann@example.com", "bo@example.com"], "OPEN": ["cy@example.com"], "ENDED": []}
    assert shown["NAMED"]["completedBy"]["signedIn"]["subject"] == "bo@example.com"
    assert {one["signedIn"]["issuer"] for one in shown["NAMED"]["answers"]} == {office.issuer}


def test_a_run_fails_for_whose_key_another_page_is_answered(office: Office) -> None:
    """The holder's author would answer in place of Ann."""
    held = office.api.create(idempotencyKey="orders:4711")
    page = {"title": "Pay ACME?", "approvers": ["ann@example.com"], "signIn": True}
    asked = {"idempotencyKey": "orders:4711", "page": page}
    payload = {**asked, "taskToken.$": "$$.Task.Token"}
    ask = task("lambda:invoke.waitForTaskToken", office.stack.create_function_name, payload)
    assert office.api.result(office.api.run({"Ask": ask})) == ("FAILED", "KeyTaken")
    answer = office.api.request("POST", "/api/v1/waitpoints/tokens", asked)
    assert (answer.status, answer.headers["x-should-retry"]) == (409, "false"), answer
    assert office.api.retrieve(held)["waiters"] == []
