"""People sign in, in a browser, with an issuer that others maintain."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest
from waitpoints_client.ops.caller import Caller
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.smoke_access import leads_to_the_issuer

from tests.browser import runner
from tests.support.e2e import afterwards, folders
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.oidc_provider import Provider, oidc_provider
from tools.stack import emulating
from waitpoints.access.sessions import RETURN
from waitpoints_local.stack import Endpoint, Stack, described, free_port, overrides

FOLDER = folders.FOLDER / "sign-in"
CLIENT, SECRET = "waitpoints", "of the client"


@dataclass(frozen=True)
class Office:
    stack: Stack
    api: Api
    issuer: Provider

    def run(self, subtests: pytest.Subtests, suite: str, only: str = "", **urls: str) -> None:
        issuer = {"ISSUER": self.issuer.url, "ISSUER_PID": str(self.issuer.pid)}
        runner.run(subtests, suite, only, API_URL=self.stack.api_url, **issuer, **urls)


def deploy(build: Built, endpoint: Endpoint, url: str, **parameters: str) -> None:
    """Create the stack that serves at `url`, or update it."""
    build.deploy(endpoint, parameters=(*overrides(url), *(f"{name}={text}" for name, text in parameters.items())))


@pytest.fixture(scope="module")
def office(current_build: Built) -> Iterator[Office]:
    with (
        emulating(free_port(), FOLDER) as emulator,
        oidc_provider(f"{emulator.url}{RETURN}", CLIENT, SECRET) as issuer,
    ):
        deploy(current_build, emulator, emulator.url, OidcIssuer=issuer.url, OidcClientId=CLIENT)
        with described(emulator, FOLDER) as stack:
            emulator.client("secretsmanager").create_secret(
                Name=f"waitpoints/{stack.stack_name}/sign-in/OIDC_CLIENT_SECRET", SecretString=SECRET
            )
            yield Office(stack, Api(stack), issuer)
            afterwards.check(stack, FOLDER)


def test_a_person_signs_in_and_out(office: Office, subtests: pytest.Subtests) -> None:
    token = office.api.create(page={"title": "Deploy?", "signIn": {"domains": ["example.com"]}})
    office.run(subtests, "sign_in.test.mjs", URL=token["url"])
    shown = office.api.retrieve(token)
    assert (shown["status"], shown["answers"], "otherDeliveries" in shown) == ("WAITING", [], False)


def test_people_answer_who_have_signed_in(office: Office, subtests: pytest.Subtests) -> None:
    page = {"title": "Pay ACME?", "actions": [{"id": "approve", "label": "Approve", "needs": 2}]}
    named = {**page, "signIn": True, "approvers": ["ann@example.com", "bo@example.com"]}
    by_all = {**page, "signIn": {"domains": ["example.com"]}}
    with_note = {**named, "fields": {"properties": {"note": {"type": "string"}}}}
    pages = {"NAMED": named, "OPEN": by_all, "ENDED": with_note, "RECENT": {**named, "maxAge": "5m"}}
    tokens = {name: office.api.create(page=page) for name, page in pages.items()}
    urls = {name: token["url"] for name, token in tokens.items()}
    assert [link["url"] for link in tokens["NAMED"]["links"]] == [urls["NAMED"]] * 2
    office.run(subtests, "sign_in_page.test.mjs", **urls)
    shown = {name: office.api.retrieve(token) for name, token in tokens.items()}
    people = {name: [one["signedIn"]["email"] for one in token["answers"]] for name, token in shown.items()}
    assert people == {"NAMED": ["ann@example.com", "bo@example.com"], "OPEN": ["cy@example.com"], "ENDED": [], "RECENT": []}
    assert shown["NAMED"]["completedBy"]["signedIn"]["subject"] == "bo@example.com"
    assert {one["signedIn"]["issuer"] for one in shown["NAMED"]["answers"]} == {office.issuer.url}


def test_the_smoke_test_leads_to_the_issuer(office: Office) -> None:
    caller = Caller.of(Deployed.local(asdict(office.stack)))
    said = leads_to_the_issuer(caller)
    caller.clean_up()
    assert said == "303 to 127.0.0.1; 403 for a way back without a cookie"


@pytest.mark.thorough
def test_an_issuer_that_is_removed_for_a_while_and_then_slow(
    office: Office, current_build: Built, subtests: pytest.Subtests
) -> None:
    """The functions that are deployed last have not read yet what the issuer says of itself."""
    page = {"title": "Pay ACME?", "signIn": {"domains": ["example.com"]}}
    ended, token = (office.api.create(page=page) for _ in range(2))
    deploy(current_build, office.stack.endpoint, office.stack.api_url, OidcIssuer="", OidcClientId="")
    office.run(subtests, "sign_in_issuer.test.mjs", "removed", URL=token["url"])
    failure = {"error": {"message": "The issuer is gone", "name": "Refused"}}
    answer = office.api.request("POST", f"/api/v1/waitpoints/tokens/{ended['id']}/complete", failure)
    assert (answer.status, office.api.retrieve(ended)["status"]) == (200, "COMPLETED")
    deploy(current_build, office.stack.endpoint, office.stack.api_url, OidcIssuer=office.issuer.url, OidcClientId=CLIENT)
    office.run(subtests, "sign_in_issuer.test.mjs", "slow", URL=token["url"])
    shown = office.api.retrieve(token)
    assert (shown["status"], shown["answers"], "otherDeliveries" in shown) == ("WAITING", [], False)
