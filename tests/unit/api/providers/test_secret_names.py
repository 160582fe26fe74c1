"""No secret of a header or of the query is kept, whoever keeps what was sent, and what an endpoint's expressions need is."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.github_endpoint import GITHUB, GitHub
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from waitpoints.api.providers import secret_names
from waitpoints.recorded_delivery import Contents
from waitpoints.wiring import services

SECRET = "s3cr3t"
SECRET_HEADERS = [
    *("authorization", "proxy-authorization", "cookie", "x-api-key", "x-gitlab-token", "x-own-secret", "x-hub-signature"),
    *("x-amz-security-token", "x-functions-key", "ocp-apim-subscription-key", "x-webhook-key", "x-clientkey", "x-sign"),
    *("x-mac", "x-digest", "x-hook-verify", "x-verification", "dpop", "x-ms-client-principal", "x-auth", "x-password"),
    *("stripe-signature", "x-goog-api-key", "cookie2", "x-forwarded-authorization", "referer"),
]
SECRET_PARAMETERS = [
    *("token", "access_token", "api_key", "apikey", "sig", "client_secret", "subscription-key", "client_key", "clientKey"),
    *("key", "key1", "sign", "sas", "hash", "passcode", "k", "code_verifier", "SAMLResponse", "user_pass"),
    *("pass", "pwd", "jwt", "sid", "X-Amz-Credential", "AccessKey", "otp", "author_token", "client%5Fsecret", "Signature"),
]
NO_SECRETS = [
    *("x-github-event", "x-shopify-topic", "ce-type", "x-request-id", "author", "authors", "passenger", "email_verified"),
    *("MessageSid", "keyword", "machine", "signal", "designer", "design", "assign", "country_code", "flag"),
]
URLS = [
    "https://api.example/p?token={}",
    "https://user:{}@api.example/p",
    "https://api.example/p#access_token={}",
    "https://api.example/p?a=1&{}",
    '<https://api.example/p?token={}>; rel="next", </p?sig={}>; rel="last"',
    "/p?token={}",
    "api.example/p?key={}",
]


@pytest.fixture
def recorded(world: World, api: Api) -> Callable[..., Contents]:
    """Deliver to an endpoint that records. Returns what it has kept."""

    def deliver(headers: dict[str, str], query: str = "", **settings: str) -> Contents:
        github = GitHub(world, api, verify=GITHUB, record_deliveries="7d", **settings)
        assert github.deliver(headers=headers, query=f"?{query}").status == 200
        [row] = github.rows()
        kept = services.deliveries.contents(github.endpoint.secret_id, row.id)
        assert kept is not None
        assert SECRET not in repr((row, *world.store.tokens.values()))
        return kept

    return deliver


def test_of_names_of_secrets_nothing_is_kept(recorded: Callable[..., Contents]) -> None:
    query = "&".join(f"{name}={SECRET}" for name in [*SECRET_PARAMETERS, *map(str.upper, SECRET_PARAMETERS), "To%6ben"])
    kept = recorded(dict.fromkeys(SECRET_HEADERS, SECRET), f"{query}&a=1")
    assert (SECRET in repr(kept), kept.raw_query) == (False, "a=1")
    assert not kept.headers.keys() & set(SECRET_HEADERS)


def test_other_names_are_kept_as_they_were_sent(recorded: Callable[..., Contents]) -> None:
    headers = dict.fromkeys(map(str.lower, NO_SECRETS), "a/b?c #1 50%")
    query = "&".join([*(f"{name}=%20a+%C3%BC" for name in NO_SECRETS), "flag"])
    kept = recorded(headers, query)
    assert (headers.items() <= kept.headers.items(), kept.raw_query) == (True, query)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("encoded", range(4))
def test_of_a_url_no_credential_is_kept(recorded: Callable[..., Contents], url: str, encoded: int) -> None:
    text = url.replace("{}", SECRET)
    for _ in range(encoded):
        text = quote(text, safe="")
    kept = recorded({"link": text, "x-callback-url": text, "x-event": "push"}, f"next={text if encoded else '-'}&a=1")
    assert (SECRET in repr(kept), kept.headers["x-event"]) == (False, "push")
    assert kept.raw_query.endswith("&a=1")
    assert encoded == 0 or "api.example" in kept.raw_query or url.startswith("/")


def test_an_events_id_and_what_the_key_reads_are_kept(recorded: Callable[..., Contents]) -> None:
    headers = {"idempotency-key": "e-1", "i-twilio-idempotency-token": "e-2", "x-order-key": "o-1", "x-other-key": SECRET}
    key = "join(':', [headers.\"x-order-key\", query.issueKey])"
    kept = recorded(headers, f"issueKey=https://x/%3Fa&issue_key={SECRET}", key=key)
    assert [kept.headers.get(name) for name in headers] == ["e-1", "e-2", "o-1", None]
    assert kept.raw_query == "issueKey=https://x/%3Fa"


def test_completed_by_has_no_secret_of_the_query(api: Api) -> None:
    token = api.create()
    query = "&".join(f"{name}={SECRET}" for name in SECRET_PARAMETERS)
    assert api.post(f"{token['url']}?a=1&{query}&u=https%3A%2F%2Fx%2F%3Ftoken%3D{SECRET}", b"1", {}).status == 200
    assert api.retrieve(token["id"])["completedBy"]["query"] == "a=1&u=https://x/"


@given(st.text(alphabet="ab/?#@:%26F=&<> \n\udc00é", max_size=40), st.sampled_from(URLS), st.integers(1, 3))
def test_whatever_is_around_it(around: str, url: str, encoded: int) -> None:
    """Also a second time: a resend keeps what was kept."""
    text = url.replace("{}", SECRET)
    for _ in range(encoded):
        text = quote(text, safe="")
    kept = secret_names.query_without_secrets(f"a={around.replace('&', '').replace('%', '')} {text}")
    assert SECRET not in kept
    assert secret_names.query_without_secrets(kept) == kept
