"""People sign in, in a browser, with an issuer that others maintain."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser import runner
from tests.support.e2e import afterwards, folders
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
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
