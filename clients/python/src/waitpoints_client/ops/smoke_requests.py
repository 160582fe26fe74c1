"""The smoke test's checks of the API's routes, and of the two functions that do the same for states."""

import hashlib
import hmac
import json
import re
import time
from typing import Any
from urllib.parse import quote, urlsplit

from waitpoints_client.ops import webhook_secrets
from waitpoints_client.ops.caller import API_PATIENCE, LONGEST_WAIT, TOKENS, Caller, Skipped, Unexpected, expect, permitted
from waitpoints_client.ops.smoke_waits import PAYLOAD

LARGE = b"[" + b",".join([b'""'] * 700_000) + b"]"  # 2.1 MB, and over 6 MB when escaped in a response
FORM = "application/x-www-form-urlencoded"
ORIGIN = "https://waitpoints.example"
SIMULATOR = "success@simulator.amazonses.com"
"""SES sends to it from its sandbox, too: https://docs.aws.amazon.com/ses/latest/DeveloperGuide/mailbox-simulator.html"""


def refuses_a_wrong_key(caller: Caller) -> str:
    return check_refused(caller.request("POST", TOKENS, b"{}", key="wrong").status)


def refuses_a_wrong_hash(caller: Caller) -> str:
    token = caller.create()
    before = caller.retrieve(token)
    last = "0" if token["url"][-1] != "0" else "1"
    said = check_refused(caller.request("POST", token["url"][:-1] + last, PAYLOAD).status)
    expect(caller.retrieve(token) == before, "the token has changed")
    return f"{said}, the token untouched"


def check_refused(status: int) -> str:
    expect(status == 401, f"answered {status}")
    return "401"


def deletes_a_token(caller: Caller) -> str:
    token = caller.create()
    caller.post_callback(token, PAYLOAD)
    path = f"{TOKENS}/{token['id']}"
    answer = caller.request("DELETE", path, key=caller.api_key)
    if answer.status == 405:
        raise Skipped("the stack is of a version that has none")
    expect(answer.status == 200, f"DELETE answered {answer.reason()}")
    caller.tokens.remove(token["id"])
    status = caller.request("GET", path, key=caller.api_key).status
    expect(status == 404, f"GET answered {status} after it")
    return "404 after it"


def takes_a_form(caller: Caller) -> str:
    """API Gateway gives a form to its function in Base64."""
    token = caller.create()
    fields = {"approved": "yes", "by": "Žofie"}
    caller.post_callback(token, "&".join(f"{name}={quote(text)}" for name, text in fields.items()).encode(), content_type=FORM)
    output = caller.retrieve(token)["output"]
    expect(json.loads(output) == fields, f"it became {output[:100]}")
    return f"{len(fields)} fields, as an object"


def answers_browsers(caller: Caller) -> str:
    """A page by GET, a test of the URL by HEAD, and what a browser asks before another site's page may complete a token."""
    token = caller.create()
    page = check_kind(caller.request("GET", token["url"], accept="text/html"), "GET", "text/html")
    check_kind(caller.request("HEAD", token["url"]), "HEAD", "text/plain")
    path = f"{TOKENS}/{token['id']}/complete"
    preflight = caller.request("OPTIONS", path, origin=ORIGIN, access_control_request_method="POST")
    check_kind(preflight, "OPTIONS", "")
    expect(preflight.headers.get("access-control-allow-origin") in (ORIGIN, "*"), "OPTIONS of complete allows no other origin")
    expect(caller.retrieve(token)["status"] == "WAITING", "the token has ended")
    return f"GET {page:,} bytes, HEAD, OPTIONS"


def shows_the_console(caller: Caller) -> str:
    if caller.stack.parameters.get("Console") == "off":
        raise Skipped("the stack has none: Console is off")
    page = caller.request("GET", "/console")
    size = check_kind(page, "GET", "text/html")
    files = re.findall(r'(?:src|href)="(console/[^"]+)"', page.body.decode())
    for file in files:
        check_kind(caller.request("GET", f"/{file}"), file, "")
    return f"{size:,} bytes, and {len(files)} files"


def check_kind(answer: Any, what: str, kind: str) -> int:
    """Return the length of a successful response of this content type. Raises Unexpected with what it is instead."""
    found = answer.headers.get("content-type", "")
    expect(answer.status == 200 and found.startswith(kind), f"{what} answered {answer.status} {found}")
    return len(answer.body)


def accepts_a_signature(caller: Caller) -> str:
    """Store a secret, and deliver to a token that asks for its signature: with a wrong one, then with the right one."""
    name, secret = caller.tag, webhook_secrets.generate()
    with caller.removed_after(f"the secret {name}", lambda: webhook_secrets.delete(caller.stack, name)):
        with permitted():
            webhook_secrets.put(caller.stack, name, secret)
        token = caller.create(verify={"scheme": "github", "secret": name})
        said = check_refused(caller.request("POST", token["url"], PAYLOAD, x_hub_signature_256=signed("wrong")).status)
        caller.post_callback(token, PAYLOAD, x_hub_signature_256=signed(secret))
        expect(caller.retrieve(token)["output"] == PAYLOAD.decode(), "the token's output differs from what was posted")
    return f"the right one; {said} for a wrong one"


def signed(secret: str) -> str:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    return "sha256=" + hmac.new(secret.encode(), PAYLOAD, hashlib.sha256).hexdigest()


def downloads_a_large_output(caller: Caller) -> str:
    token = caller.create()
    caller.post_callback(token, LARGE)
    found = caller.retrieve(token)
    if (found["status"], found["outputType"]) != ("COMPLETED", "application/store"):
        raise Unexpected(f"the token is {found['status']}, its output {found['outputType']}")
    link = caller.call("GET", f"/api/v1/packets/{found['output']}")["presignedUrl"]
    host = urlsplit(link).hostname
    answer = caller.request("GET", link)
    if answer.status != 200:
        code = re.search(r"<Code>(\w+)</Code>", answer.body.decode(errors="replace"))
        raise Unexpected(f"{host} answered {answer.status} {code[1] if code else ''}".strip())
    expect(answer.body == LARGE, f"{host} returned {len(answer.body):,} bytes, not the {len(LARGE):,} that were posted")
    return f"{len(LARGE):,} bytes from {host}"


def answers_a_key_with_its_token(caller: Caller) -> str:
    key = f"key of {caller.tag}"  # the tag itself is logged, as the name of an API key
    first, second = caller.create(idempotencyKey=key), caller.create(idempotencyKey=key)
    expect(second == {**first, "isCached": True}, f"a different response, isCached {second['isCached']}")
    return "the same token, isCached"


def completes_by_a_key(caller: Caller) -> str:
    key = f"by key, {caller.tag}"
    token = caller.create(idempotencyKey=key)
    caller.call("POST", "/api/v1/waitpoints/complete", {"idempotencyKey": key, "data": json.loads(PAYLOAD)})
    check_completed(caller, token)
    return "the token of the key"


def creates_and_completes_in_states(caller: Caller) -> str:
    """Invoke both functions as a state does, which has no request: the first one has the API's URL from its environment."""
    outputs, key = caller.stack.outputs, f"in states, {caller.tag}"
    for named in ({}, {"idempotencyKey": key}):
        wanted = {"timeout": LONGEST_WAIT, "tags": [caller.tag], **named}
        token = caller.stack.invoke(outputs["CreateFunctionName"], wanted, API_PATIENCE)
        caller.tokens.append(token["id"])
        expect(token["url"].startswith(outputs["ApiUrl"]), "its callback URL does not start with ApiUrl")
        completed = {**(named or {"waitpointId": token["id"]}), "data": json.loads(PAYLOAD)}
        caller.stack.invoke(outputs["CompleteFunctionName"], completed, API_PATIENCE)
        check_completed(caller, token)
    return "by id and by key"


def check_completed(caller: Caller, token: dict[str, Any]) -> None:
    """Raises Unexpected unless the token was completed with PAYLOAD."""
    found = caller.retrieve(token)
    if found["status"] != "COMPLETED" or json.loads(found["output"]) != json.loads(PAYLOAD):
        raise Unexpected(f"the token is {found['status']}, with another output than was given")


def finds_the_tag(caller: Caller) -> str:
    made, started = set(caller.tokens), time.monotonic()

    def check() -> bool:  # the index lags the table by moments
        page = caller.call("GET", f"{TOKENS}?filter%5Btags%5D={caller.tag}&page%5Bsize%5D=100")
        return made <= {token["id"] for token in page["data"]}

    caller.wait_until(check, "the list lacks tokens with the tag")
    return f"{len(made)} tokens in {time.monotonic() - started:.2f} s"


def sends_a_mail(caller: Caller) -> str:
    if not caller.stack.parameters.get("MailFrom"):
        raise Skipped("the stack sends none: MailFrom is empty")
    domains = caller.stack.parameters.get("MailDomains", "")
    if domains and SIMULATOR.partition("@")[2] not in domains.lower():
        raise Skipped(f"MailDomains allows none to {SIMULATOR}")
    page = {"title": "The smoke test of Waitpoints", "actions": [{"id": "ok", "label": "OK"}]}
    token = caller.create(page=page, notify={"email": [SIMULATOR]})
    [notice] = caller.wait_until(lambda: caller.retrieve(token)["notices"], "no mail was sent")
    expect(notice["status"] == "sent", f"SES refused it: {notice.get('reason')}")
    return f"to {SIMULATOR}"
