"""The kinds of waits that both versions know, and how each ends."""

import hmac
import json
import uuid
from collections.abc import Callable
from functools import partial
from itertools import count, cycle
from typing import Any

from tests.support.e2e.api import BROWSER, Api
from tests.support.e2e.durable import Durable
from tests.support.e2e.secrets import Secrets
from tests.support.e2e.upgrade_waits import (
    DAYS,
    Machines,
    Result,
    Token,
    Wait,
    Waits,
    Way,
    by_a_button,
    by_its_timer,
    by_paying,
)
from tests.support.e2e.waiting import until
from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from waitpoints_local.webhook_signer import sign

SENDER = "approvals@example.com"
PARAMETERS = (f"MailFrom={SENDER}", "OidcIssuer=https://issuer.example.com", "OidcClientId=waitpoints")
"""Those of a stack with which tokens of every kind can be created."""
RUNS = 5  # of a token for which several wait
FIRST_DUE = 3  # seconds
OF_AN_OPTION = 3  # waits of each kind that differs in an option alone

ENDPOINTS = "/api/v1/endpoints"
SECRET = "the secret of a provider"
GITHUB = {"scheme": "github", "secret": "upgrade"}
OWN = {"scheme": "hmac", "secret": "upgrade", "header": "X-Signature", "signed": "{body}"}
SETTINGS: dict[str, dict[str, Any]] = {
    "upgrade": {"key": "body.order", "verify": "none"},
    "recording": {"key": "body.order", "verify": GITHUB, "recordDeliveries": "7d"},
    "own": {"key": "body.order", "verify": OWN},
}
LOST = json.dumps({"order": "lost"}).encode()

PAGE = {"title": "Pay?", "actions": [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}]}
CHOICE = {"action": "yes", "fields": {"amount": 7}}
YES, NO = {"id": "yes", "label": "Yes"}, {"id": "no", "label": "No", "needsFields": False}
AMOUNT = {"properties": {"amount": {"type": "number"}}, "required": ["amount"]}
ASKED = {"title": "Pay?", "actions": [YES], "approvers": ["ann@example.com"]}
BOTH = {**ASKED, "approvers": ["ann", "bo"]}
TOGETHER = {**BOTH, "actions": [{**YES, "needs": 2}], "fields": AMOUNT, "sameFields": True}
UNLIKE = {"title": "Pay?", "actions": [YES, NO], "fields": AMOUNT}
OF_ANYONE = {"title": {"en": "Pay?", "de": "Zahlen?"}, "language": ["en", "de"], "actions": [YES]}
REMINDED = {**ASKED, "remind": ["1h"], "escalate": {"after": "2h", "to": ["bo@example.com"]}}
SENT = {"email": True, "outcome": True}


class Endpoints:
    """Those whose deliveries end waits. One of them has recorded a delivery that came for no token."""

    def __init__(self, api: Api) -> None:
        self._api = api
        Secrets(api.stack).make("upgrade", SECRET)
        self._urls = {name: str(api.ask("PUT", f"{ENDPOINTS}/{name}", it)["url"]) for name, it in SETTINGS.items()}
        assert self._deliver("recording", LOST).status == 200
        [self._lost] = until(lambda: api.request("GET", f"{ENDPOINTS}/recording/deliveries").json["data"], "nothing recorded")

    def _deliver(self, name: str, body: bytes) -> HttpAnswer:
        url, is_own = self._urls[name], SETTINGS[name]["verify"] is OWN
        headers = signature(body) if is_own else dict(sign("github", SECRET, body, url, 0).headers)
        return self._api.request("POST", url, body, key=None, headers=headers)

    def by_a_delivery(self, name: str, api: Api, token: Token) -> Result:
        order = api.retrieve(token)["idempotencyKey"].partition(":")[2]
        assert self._deliver(name, json.dumps({"order": order}).encode()).status == 200
        return "SUCCEEDED", {"order": order}

    def by_a_resend(self, api: Api, token: Token) -> Result:
        sent = api.ask("POST", f"{ENDPOINTS}/recording/deliveries/{self._lost['id']}/resend", {"tokenId": token["id"]})
        assert sent["kind"] == "completed", sent
        return "SUCCEEDED", json.loads(LOST)


class KnownWaits(Waits):
    """Those of every kind that both versions know."""

    def __init__(self, api: Api, machines: Machines, durable: Durable, endpoints: Endpoints, of_each_kind: int) -> None:
        self.api, self._machines, self._durable, self._endpoints = api, machines, durable, endpoints
        last_due = 12 + of_each_kind // 2  # seconds: after the update, which comes later if there are more waits
        due = (f"{FIRST_DUE + (last_due - FIRST_DUE) * number // (of_each_kind - 1)}s" for number in count())
        kinds: dict[str, Callable[[], Wait]] = {
            "no timeout": partial(self._wait, "no timeout"),
            "timer": partial(self._wait, "timer", timeout="10m"),
            "long timer": partial(self._wait, "long timer", timeout=f"{DAYS}d"),
            "key": self._wait_for_key,
            "created by its state": self._wait_in_create,
            "several runs": partial(self._wait, "several runs", runs=RUNS, tags=["several"]),
            "rule": partial(self._wait, "rule", completeWhen="body.paid"),
            "page": partial(self._wait, "page", page=PAGE),
            "endpoint: upgrade": partial(self._wait_for_endpoint, "upgrade"),
            "durable function": self._wait_in_durable_function,
            "due": lambda: self._wait("due", timeout=next(due)),
        }
        tokens = dict.fromkeys(kinds, of_each_kind) | {"several runs": of_each_kind // RUNS}
        kinds |= {kind: partial(self._wait, kind, timeout="1d", **options) for kind, (options, _) in OF_OPTIONS.items()}
        kinds |= {"hand over": self._wait_handed_over, "resend": partial(self._wait, "resend")}
        kinds |= {f"endpoint: {name}": partial(self._wait_for_endpoint, name) for name in SETTINGS}
        super().__init__(api, {kind: (tokens.get(kind, OF_AN_OPTION), begin) for kind, begin in kinds.items()})

    def _wait(self, kind: str, runs: int = 1, **options: Any) -> Wait:
        token = self.api.create(**options)
        return Wait(kind, token, [self._machines.wait(token) for _ in range(runs)], self.api.result)

    def _wait_for_key(self) -> Wait:
        return self._wait("key", idempotencyKey=uuid.uuid4().hex, tags=["by key"])

    def _wait_for_endpoint(self, name: str) -> Wait:
        return self._wait(f"endpoint: {name}", idempotencyKey=f"{name}:{uuid.uuid4().hex}")

    def _wait_in_create(self) -> Wait:
        key = uuid.uuid4().hex
        execution = self._machines.create(key)
        return Wait("created by its state", self.api.find("idempotencyKey", key), [execution], self.api.result)

    def _wait_handed_over(self) -> Wait:
        wait, body = self._wait("hand over", page=BOTH), {"approvers": {"add": ["cy"], "remove": ["ann", "bo"]}}
        wait.token["links"] = self.api.ask("PATCH", f"{TOKENS}/{wait.token['id']}", body)["links"]
        return wait

    def _wait_in_durable_function(self) -> Wait:
        token = self.api.create(timeout="1h")
        return Wait("durable function", token, [self._durable.wait(token)], self._result_of_durable_function)

    def _result_of_durable_function(self, execution: str) -> Result:
        status, [result] = self._durable.result(execution)
        assert status == "SUCCEEDED", result
        return ("SUCCEEDED", result["output"]) if result["ok"] else ("FAILED", result["error"]["name"])

    def end(self, *ways: Way, long: Way, during: str) -> tuple[dict[str, Result], dict[str, Result]]:
        """End each wait in one of these ways, those with a long timer also by `long`. The due ones end by themselves."""
        chosen = {kind: cycle(ways) for kind in {wait.kind for wait in self.all}}
        own: dict[str, Way] = {"due": by_its_timer, "rule": by_paying, "page": by_a_button}
        own |= {kind: way for kind, (_, way) in OF_OPTIONS.items()}
        own |= {"hand over": by_an_approver, "resend": self._endpoints.by_a_resend}
        own |= {f"endpoint: {name}": partial(self._endpoints.by_a_delivery, name) for name in SETTINGS}
        chosen |= {"long timer": cycle((*ways, long))} | {kind: cycle([way]) for kind, way in own.items()}
        return self.end_in(chosen, during)


def ways_in(token: Token) -> list[str]:
    """The URLs by which a token is answered."""
    return [link["url"] for link in token.get("links") or [token]]


def signature(body: bytes) -> dict[str, str]:
    """The header of a body's own signature."""
    return {"x-signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}


def by_people(choice: dict[str, Any], api: Api, token: Token) -> Result:
    """Everyone who has a link chooses it."""
    for url in ways_in(token):
        api.ask("POST", url, choice, key=None)
    return decided(api, token, choice["action"])


def by_an_approver(api: Api, token: Token) -> Result:
    """Only the first is asked at once."""
    return by_people({"action": "yes"}, api, {**token, "links": token["links"][:1]})


def by_a_person(api: Api, token: Token) -> Result:
    """Who reads German presses the button."""
    shown = api.send(token["url"], headers={**BROWSER, "accept-language": "de"}, method="GET").body.decode()
    assert "Zahlen?" in shown
    api.press(token["url"], "Yes")
    return decided(api, token, "yes")


def by_the_root_key(api: Api, token: Token) -> Result:
    """In place of a person who signs in."""
    api.complete(token, data={"action": "yes"})
    return decided(api, token, "yes")


def by_a_signed_callback(api: Api, token: Token) -> Result:
    body = json.dumps({"of": token["id"]}).encode()
    api.ask("POST", token["url"], body, key=None, headers=signature(body))
    return "SUCCEEDED", {"of": token["id"]}


def decided(api: Api, token: Token, action: str) -> Result:
    """The output of a token with a page, which names the action."""
    found = api.retrieve(token)
    output = json.loads(found["output"])
    assert (found["status"], output["action"]) == ("COMPLETED", action), found
    return "SUCCEEDED", output


OF_OPTIONS: dict[str, tuple[dict[str, Any], Way]] = {
    "sameFields": ({"page": TOGETHER}, partial(by_people, CHOICE)),
    "showAnswers": ({"page": {**ASKED, "showAnswers": False}}, by_an_approver),
    "needsFields": ({"page": UNLIKE}, partial(by_people, {"action": "no"})),
    "language": ({"page": OF_ANYONE}, by_a_person),
    "notify.outcome": ({"page": ASKED, "notify": SENT}, by_an_approver),
    "signIn": ({"page": {**ASKED, "signIn": True}}, by_the_root_key),
    "reminders": ({"page": REMINDED, "notify": {"email": True}}, by_an_approver),
    "own signature": ({"verify": OWN}, by_a_signed_callback),
}
"""The kinds that differ in an option alone: what creates one, and how it ends."""
