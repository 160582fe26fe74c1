"""The smoke test's checks of who may use a stack: named keys, public access tokens, and the sign-in of people."""

import json
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from waitpoints_client.ops.caller import TOKENS, Caller, RawAnswer, Skipped, Unexpected, expect

KEYS, SIGN_IN, SIGN_OUT = "/api/v1/keys", "/api/v1/sign-in", "/api/v1/sign-out"
NEW_KEY_AFTER = 1.5  # seconds between tries: a function reads the keys again after five
REVOKED_AFTER = 65  # seconds: a function remembers a key for a minute
FORM = "application/x-www-form-urlencoded"


def limits_a_named_key(caller: Caller) -> str:
    """Make a key that may create and read the tokens of one tag, use it, and revoke it."""
    wanted = {"name": caller.tag, "scopes": [f"create:{caller.tag}", f"read:{caller.tag}"], "expiresIn": "1h"}
    path = f"{KEYS}/{caller.tag}"
    with caller.removed_after(f"the API key {caller.tag}", lambda: caller.delete(path)):
        key = caller.call("POST", KEYS, wanted)["key"]
        created = use(caller, key, "POST", TOKENS, {"timeout": "1h"})
        expect(created.status == 200, f"its create answered {created.reason()}")
        of_token = f"{TOKENS}/{created.json()['id']}"
        caller.tokens.append(created.json()["id"])
        read = use(caller, key, "GET", of_token)
        if read.status != 200 or caller.tag not in read.json()["tags"]:
            raise Unexpected(f"it cannot read its token, with its tag: answered {read.reason()}")
        if (status := use(caller, key, "POST", f"{of_token}/complete", {}).status) != 403:
            raise Unexpected(f"it may complete: answered {status}, not 403")
        caller.wait_until(lambda: is_noted(caller), "the list of keys does not say that it was used")
        caller.call("DELETE", path)
        caller.revoked = key, time.monotonic()
    return "creates and reads with its tag, 403 for a complete"


def use(caller: Caller, key: str, method: str, path: str, body: Any = None) -> RawAnswer:
    """Send a request with a new key, which a function that has just read all keys knows only seconds later."""

    def check() -> RawAnswer | None:
        answer = caller.request(method, path, None if body is None else json.dumps(body).encode(), key=key)
        if answer.status != 401:
            return answer
        time.sleep(NEW_KEY_AFTER)
        return None

    return caller.wait_until(check, f"{method} refuses the new key with 401")


def is_noted(caller: Caller) -> bool:
    """Whether the list of keys has the key of this run, and that it was used."""
    keys = caller.call("GET", KEYS)["data"]
    return any(key["name"] == caller.tag and "lastUsedAt" in key for key in keys)


def refuses_a_revoked_key(caller: Caller) -> str:
    assert caller.revoked
    key, at = caller.revoked
    time.sleep(max(0.0, at + REVOKED_AFTER - time.monotonic()))
    for method, path in (("POST", TOKENS), ("GET", f"{TOKENS}/{caller.tokens[-1]}")):
        if (status := caller.request(method, path, b"{}" if method == "POST" else None, key=key).status) != 401:
            raise Unexpected(f"{method} answered {status} after {time.monotonic() - at:.0f} s")
    return f"401 after {time.monotonic() - at:.0f} s"


def makes_public_tokens(caller: Caller) -> str:
    """Make one on each of the two routes, and complete a token with it. The SDK asks for the claims to sign its own."""
    claims = caller.call("POST", "/api/v1/auth/jwt/claims")
    expect(claims.get("pub") is True, f"the claims are {claims}")
    for path, wrap in (("jwt", True), ("public-tokens", False)):
        token = caller.create()
        wanted = {"scopes": [f"write:waitpoints:{token['id']}"]}
        made = caller.call("POST", f"/api/v1/auth/{path}", {"claims": wanted} if wrap else wanted)["token"]
        caller.call("POST", f"{TOKENS}/{token['id']}/complete", {"data": True}, key=made)
        if (status := caller.retrieve(token)["status"]) != "COMPLETED":
            raise Unexpected(f"the token that a public token of {path} completed is {status}")
    return "two, each completes its token"


def leads_to_the_issuer(caller: Caller) -> str:
    """Begin a sign-in as a browser does, come back without the cookie of one that began, and sign out."""
    issuer = caller.stack.parameters.get("OidcIssuer")
    if not issuer:
        raise Skipped("the stack has no sign-in: OidcIssuer is empty")
    page = f"/api/v1/{caller.create()['url'].partition('/api/v1/')[2]}"
    to = f"to={quote(page, safe='')}"
    begun = caller.request("GET", f"{SIGN_IN}?{to}", accept="text/html")
    location = urlsplit(begun.headers.get("location", ""))
    asked = parse_qs(location.query)
    if begun.status != 303 or asked.get("client_id") != [caller.stack.parameters.get("OidcClientId")]:
        raise Unexpected(f"it answered {begun.status}, not 303 to {issuer}")
    if (status := caller.request("GET", f"{SIGN_IN}/return?state=none&code=none", accept="text/html").status) != 403:
        raise Unexpected(f"the way back without a cookie answered {status}, not 403")
    if (status := caller.request("POST", SIGN_OUT, to.encode(), content_type=FORM, sec_fetch_site="same-origin").status) != 303:
        raise Unexpected(f"the sign-out answered {status}, not 303")
    return f"303 to {location.hostname}; 403 for a way back without a cookie"
