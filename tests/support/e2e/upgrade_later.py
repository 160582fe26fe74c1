"""Waits of kinds that only this version knows: the previous version leaves them alone until this one is back."""

import hmac
import json
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, cycle
from typing import Any

from tests.support import figures
from tests.support.e2e.api import BROWSER, Api, DeployedAnswer
from tests.support.e2e.ops import Operator
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.secrets import Secrets
from tests.support.e2e.upgrade_waits import TIMED_OUT, Machines, Result, Token, Wait, Waits, Way, run_the_doctor
from tests.support.e2e.waiting import until
from tests.support.in_process.api_gateway import TOKENS
from waitpoints_local.stack import overrides
from waitpoints_local.webhook_signer import sign

SENDER = "approvals@example.com"
SECRET = "the secret of a provider"
SIGN_IN = ("OidcIssuer=https://issuer.example.com", "OidcClientId=waitpoints")
HOUR = 3_600_000  # milliseconds
TAG = "later"

ENDPOINTS = "/api/v1/endpoints"
GITHUB = {"scheme": "github", "secret": "upgrade"}
OWN = {"scheme": "hmac", "secret": "upgrade", "header": "X-Signature", "signed": "{body}"}
RECORDING = {"key": "body.order", "verify": GITHUB, "recordDeliveries": "7d"}
SETTINGS = {"recording": RECORDING, "own": {"key": "body.order", "verify": OWN}}
LOST = json.dumps({"order": "lost"}).encode()

CHOICE = {"action": "yes", "fields": {"amount": 7}}
YES, NO = {"id": "yes", "label": "Yes"}, {"id": "no", "label": "No", "needsFields": False}
AMOUNT = {"properties": {"amount": {"type": "number"}}, "required": ["amount"]}
ASKED = {"title": "Pay?", "actions": [YES], "approvers": ["ann@example.com"]}
TOGETHER = {**ASKED, "actions": [{**YES, "needs": 2}], "approvers": ["ann", "bo"], "fields": AMOUNT, "sameFields": True}
UNLIKE = {"title": "Pay?", "actions": [YES, NO], "fields": AMOUNT}
OF_ANYONE = {"title": {"en": "Pay?", "de": "Zahlen?"}, "language": ["en", "de"], "actions": [YES]}
SENT = {"email": True, "outcome": True}


def parameters(url: str, *, of_previous: bool) -> tuple[str, ...]:
    """Those of a stack with which tokens of every kind can be created. The previous version has no sign-in."""
    return (*overrides(url), f"MailFrom={SENDER}", *(() if of_previous else SIGN_IN))


class LaterWaits(Waits):
    """As many of each kind, of which every third comes due while the previous version runs."""

    def __init__(self, api: Api, machines: Machines, of_each_kind: int) -> None:
        self.api, self._machines = api, machines
        Secrets(api.stack).make("upgrade", SECRET)
        self._urls = {name: self._put(name, settings) for name, settings in SETTINGS.items()}
        assert self._deliver("recording", LOST).status == 200
        [self._lost] = until(lambda: api.request("GET", f"{ENDPOINTS}/recording/deliveries").body["data"], "nothing recorded")
        self._numbers = {kind: count() for kind in MARKED}
        kinds: dict[str, Callable[[], Wait]] = {kind: partial(self._wait_marked, kind) for kind in MARKED}
        kinds |= {f"endpoint: {name}": partial(self._wait_for_endpoint, name) for name in SETTINGS}
        kinds["resend"] = partial(self._wait, "resend")
        super().__init__(api, {kind: (of_each_kind, begin) for kind, begin in kinds.items()})

    def _put(self, name: str, settings: dict[str, Any]) -> str:
        answer = self.api.request("PUT", f"{ENDPOINTS}/{name}", settings)
        assert answer.status == 200, answer
        return str(answer.body["url"])

    def _wait(self, kind: str, **options: Any) -> Wait:
        token = self.api.create(tags=[TAG], **options)
        return Wait(kind, token, [self._machines.wait(token)], self.api.result)

    def _wait_marked(self, kind: str) -> Wait:
        wait = self._wait(kind, timeout="1h", **MARKED[kind][0])
        wait.token["comesDue"] = next(self._numbers[kind]) % 3 == 2
        if kind == "hand over":
            body = {"approvers": {"add": ["cy"], "remove": ["ann", "bo"]}}
            answer = self.api.request("PATCH", f"{TOKENS}/{wait.token['id']}", body)
            assert answer.status == 200, answer
            wait.token["links"] = answer.body["links"]
        return wait

    def _wait_for_endpoint(self, name: str) -> Wait:
        return self._wait(f"endpoint: {name}", idempotencyKey=f"{name}:{uuid.uuid4().hex}")

    def come_due(self) -> list[Token]:
        """Let the timers of every third token fire, and the doctor scan the table, as of now. Returns these tokens."""
        api, due = self.api, [wait.token for wait in self.all if wait.token.get("comesDue")]
        operator, sqs, queue = Operator(api.stack), api.stack.client("sqs"), physical_name(api.stack, "TimerQueue")
        for token in due:
            for instant in ("timeoutAt", "dueAt"):
                operator.set_back(token["id"], instant, 2 * HOUR)
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"waitpointId": token["id"]}))
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def is_empty() -> bool:
            counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            return all(counts[name] == "0" for name in names)

        until(is_empty, "timers did not fire")
        for event in ({}, {"command": "scanAll"}):
            run_the_doctor(api, event)
        return due

    def try_all(self) -> list[str]:
        """Try to settle or to change each token. Returns the answers that are not 503 with `retry-after`.

        Shows the answers of each kind.
        """
        found: dict[str, Counter[int]] = {}
        others: list[str] = []
        for wait, answers in zip(self.all, self.pool.map(self._try, self.all), strict=True):
            found.setdefault(wait.kind, Counter()).update(answer.status for answer in answers)
            others += [f"{wait.kind}: {it}" for it in answers if (it.status, it.headers.get("retry-after")) != (503, "1")]
        waits = Counter(wait.kind for wait in self.all)
        for kind, statuses in found.items():
            figures.show(f"Way back, {kind}: {waits[kind]} wait for the next upgrade, answers {dict(statuses)}")
        return others

    def _try(self, wait: Wait) -> Sequence[DeployedAnswer]:
        if wait.kind == "resend":
            return [self._deliver("recording", LOST)]
        if wait.kind not in MARKED:
            return [self._deliver(wait.kind.removeprefix("endpoint: "), order_of(self.api, wait.token))]
        api, url, body = self.api, f"{TOKENS}/{wait.token['id']}", json.dumps(CHOICE).encode()
        answers = [api.request("POST", one, body, key=None, headers=signature(body)) for one in ways_in(wait.token)]
        answers += [api.request("POST", f"{url}/complete", it) for it in ({"data": CHOICE}, {"error": {"message": "no"}})]
        return [*answers, api.request("PATCH", url, {"timeout": "2h"})]

    def listed(self) -> dict[str, str]:
        """The status of each token that the list shows, by its id."""
        path = f"{TOKENS}?filter[tags]={TAG}&page[size]=100"
        body = self.api.request("GET", path).body
        tokens = list(body["data"])
        while following := body["pagination"].get("next"):
            body = self.api.request("GET", f"{path}&page[after]={following}").body
            tokens += body["data"]
        return {token["id"]: token["status"] for token in tokens}

    def running(self) -> Counter[str]:
        """How many executions have each status."""
        client = self.api.stack.client("stepfunctions")
        runs = [run for wait in self.all for run in wait.executions]
        return Counter(self.pool.map(lambda run: str(client.describe_execution(executionArn=run)["status"]), runs))

    def end(self, during: str) -> tuple[dict[str, Result], dict[str, Result]]:
        """End each as it should: by people, a signature, a delivery, or in the doctor's next run."""
        run_the_doctor(self.api, {})
        ways: dict[str, Way] = {kind: partial(unless_due, way) for kind, (_, way) in MARKED.items()}
        ways |= {f"endpoint: {name}": partial(self._by_a_delivery, name) for name in SETTINGS} | {"resend": self._by_a_resend}
        return self.end_in({kind: cycle([way]) for kind, way in ways.items()}, during)

    def _deliver(self, name: str, body: bytes) -> DeployedAnswer:
        url, is_own = self._urls[name], SETTINGS[name]["verify"] is OWN
        headers = signature(body) if is_own else dict(sign("github", SECRET, body, url, 0).headers)
        return self.api.request("POST", url, body, key=None, headers=headers)

    def _by_a_delivery(self, name: str, api: Api, token: Token) -> Result:
        body = order_of(api, token)
        assert self._deliver(name, body).status == 200
        return "SUCCEEDED", json.loads(body)

    def _by_a_resend(self, api: Api, token: Token) -> Result:
        url = f"{ENDPOINTS}/recording/deliveries/{self._lost['id']}/resend"
        answer = api.request("POST", url, {"tokenId": token["id"]})
        assert (answer.status, answer.body["kind"]) == (200, "completed"), answer
        return "SUCCEEDED", json.loads(LOST)


def ways_in(token: Token) -> list[str]:
    """The URLs by which a token is answered."""
    return [link["url"] for link in token.get("links") or [token]]


def signature(body: bytes) -> dict[str, str]:
    """The header of a body's own signature."""
    return {"x-signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}


def order_of(api: Api, token: Token) -> bytes:
    """The delivery that names the key of a token."""
    return json.dumps({"order": api.retrieve(token)["idempotencyKey"].partition(":")[2]}).encode()


def unless_due(way: Way, api: Api, token: Token) -> Result:
    return TIMED_OUT if token["comesDue"] else way(api, token)


def by_people(choice: dict[str, Any], api: Api, token: Token) -> Result:
    """Everyone who has a link chooses it."""
    for url in ways_in(token):
        answer = api.callback({"url": url}, choice)
        assert answer.status == 200, answer
    return decided(api, token, choice["action"])


def by_a_person(api: Api, token: Token) -> Result:
    """Who reads German presses the button."""
    shown = api.deliver(token["url"], headers={**BROWSER, "accept-language": "de"}, method="GET").body.decode()
    assert "Zahlen?" in shown
    api.press(token["url"], "Yes")
    return decided(api, token, "yes")


def by_the_root_key(api: Api, token: Token) -> Result:
    """In place of a person who signs in."""
    answer = api.request("POST", f"{TOKENS}/{token['id']}/complete", {"data": {"action": "yes"}})
    assert answer.status == 200, answer
    return decided(api, token, "yes")


def by_a_signed_callback(api: Api, token: Token) -> Result:
    body = json.dumps({"of": token["id"]}).encode()
    answer = api.request("POST", token["url"], body, key=None, headers=signature(body))
    assert answer.status == 200, answer
    return "SUCCEEDED", {"of": token["id"]}


def decided(api: Api, token: Token, action: str) -> Result:
    """The output of a token with a page, which names the action."""
    found = api.retrieve(token)
    output = json.loads(found["output"])
    assert (found["status"], output["action"]) == ("COMPLETED", action), found
    return "SUCCEEDED", output


MARKED: dict[str, tuple[dict[str, Any], Way]] = {
    "sameFields": ({"page": TOGETHER}, partial(by_people, CHOICE)),
    "showAnswers": ({"page": {**ASKED, "showAnswers": False}}, partial(by_people, {"action": "yes"})),
    "needsFields": ({"page": UNLIKE}, partial(by_people, {"action": "no"})),
    "language": ({"page": OF_ANYONE}, by_a_person),
    "notify.outcome": ({"page": ASKED, "notify": SENT}, partial(by_people, {"action": "yes"})),
    "signIn": ({"page": {**ASKED, "signIn": True}}, by_the_root_key),
    "hand over": ({"page": {**ASKED, "approvers": ["ann", "bo"]}}, partial(by_people, {"action": "yes"})),
    "own signature": ({"verify": OWN}, by_a_signed_callback),
}
"""The kinds whose tokens the previous version refuses: what creates one, and how it ends."""
