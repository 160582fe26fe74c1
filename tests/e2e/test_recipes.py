"""The recipes of docs/webhooks.md, as they stand there: each resumes the run that waits for the key that the page names.

The deliveries have the providers' shapes. `unit/api/providers/test_schemes.py` has what the providers themselves sign.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import webhook_signer, webhooks_doc
from tests.support.e2e.api import Api
from tests.support.e2e.command_line import CommandLine
from tests.support.e2e.key_runs import Runs
from tests.support.e2e.secrets import Secrets
from tests.support.webhooks_doc import COMMANDS
from tools.openapi.operations import ENDPOINTS

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Delivery:
    """What a provider posts, without its signature."""

    provider: str
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Recipe:
    """How to prove a recipe: `event` is the delivery that a key's value awaits, `other` one that passes by."""

    heading: str
    new_value: Callable[[], str]
    event: Callable[[str], Delivery]
    other: Callable[[str], Delivery]
    output: Callable[[str], Any]

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = webhooks_doc.ENDPOINTS[self.heading]
        return found

    @property
    def provider(self) -> str:
        return str(self.settings["verify"]["scheme"])


def number() -> str:
    return str(uuid.uuid4().int % 10**11)


def text(prefix: str) -> Callable[[], str]:
    return lambda: prefix + uuid.uuid4().hex


def workflow_run(value: str) -> dict[str, Any]:
    return {
        "id": int(value),
        "name": "Build",
        "node_id": "WFR_kwLOABCD",
        "head_branch": "main",
        "head_sha": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        "run_number": 562,
        "run_attempt": 1,
        "event": "workflow_dispatch",
        "status": "completed",
        "conclusion": "success",
        "html_url": f"https://github.com/octo-org/octo-repo/actions/runs/{value}",
    }


def github(value: str, action: str = "completed") -> Delivery:
    body = {"action": action, "workflow_run": workflow_run(value), "repository": {"id": 1}, "sender": {"login": "octocat"}}
    headers = {
        **JSON,
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Hook-ID": "292430182",
    }
    return Delivery("github", json.dumps(body), headers)


def checkout_session(value: str) -> dict[str, Any]:
    return {
        "id": value,
        "object": "checkout.session",
        "amount_total": 2000,
        "client_reference_id": "order-1",
        "currency": "usd",
        "customer_details": {"email": "jenny@example.com", "name": "Jenny Rosen"},
        "livemode": False,
        "metadata": {},
        "mode": "payment",
        "payment_intent": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "payment_status": "paid",
        "status": "complete",
    }


def stripe(value: str, kind: str = "checkout.session.completed") -> Delivery:
    event = {
        "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
        "object": "event",
        "api_version": "2026-10-28.basil",
        "created": int(time.time()),
        "data": {"object": checkout_session(value)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return Delivery(
        "stripe", json.dumps(event, indent=2), {**JSON, "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}
    )


RESPONSE_URL = "https://hooks.slack.com/actions/T9TK3CUKW/146921591712/Kvs8MXbVcTvLN3ltsu3wXSCA"


def slack(value: str, kind: str = "block_actions") -> Delivery:
    action = {
        "action_id": "approve_button",
        "block_id": value,
        "text": {"type": "plain_text", "text": "Approve", "emoji": True},
        "value": "approve",
        "style": "primary",
        "type": "button",
        "action_ts": "1548426417.840180",
    }
    payload = {
        "type": kind,
        "user": {"id": "UA8RXUSPL", "username": "jtorrance", "name": "jtorrance", "team_id": "T9TK3CUKW"},
        "api_app_id": "AABA1ABCD",
        "token": "9s8d9as89d8as9d8as989",
        "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "CBR2V3XEX", "is_ephemeral": False},
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "team": {"id": "T9TK3CUKW", "domain": "example"},
        "channel": {"id": "CBR2V3XEX", "name": "review-updates"},
        "message": {"type": "message", "bot_id": "BAH5CA16Z", "text": "Schön, may it go out?", "ts": "1548261231.000200"},
        "response_url": RESPONSE_URL,
        "actions": [action],
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    }
    return Delivery("slack", urlencode({"payload": json.dumps(payload)}), headers)


def openai(value: str, kind: str = "response.completed") -> Delivery:
    event = {
        "id": "evt_685343a1381c819085d44c354e1b330e",
        "object": "event",
        "created_at": int(time.time()),
        "type": kind,
        "data": {"id": value},
    }
    return Delivery(
        "openai", json.dumps(event), {**JSON, "User-Agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)"}
    )


def order(value: str) -> dict[str, Any]:
    return {
        "id": int(value),
        "admin_graphql_api_id": f"gid://shopify/Order/{value}",
        "created_at": "2026-11-25T09:00:00-05:00",
        "currency": "EUR",
        "current_total_price": "403.00",
        "email": "jon@example.com",
        "financial_status": "paid",
        "line_items": [{"id": 866550311766439020, "price": "199.00", "quantity": 1, "title": "IPod Nano - 8GB"}],
        "name": "#9999",
        "order_number": 1234,
    }


def shopify(value: str, topic: str = "orders/paid") -> Delivery:
    headers = {
        **JSON,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Event-Id": str(uuid.uuid4()),
        "X-Shopify-Shop-Domain": "example.myshopify.com",
        "X-Shopify-Topic": topic,
        "X-Shopify-Triggered-At": "2026-11-25T14:00:01.123456789Z",
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
    }
    return Delivery("shopify", json.dumps(order(value)), headers)


def issue(value: str) -> dict[str, Any]:
    return {
        "id": "539068e2-ae88-4d09-bd75-22eb4a59612f",
        "identifier": value,
        "number": 42,
        "title": "Ship it",
        "state": {"id": "a4f8c2d1", "name": "Done", "type": "completed", "color": "#5e6ad2"},
        "stateId": "a4f8c2d1",
        "team": {"id": "72b2a2dc", "key": "ENG", "name": "Engineering"},
    }


def linear(value: str, changed: str = "stateId") -> Delivery:
    body = {
        "action": "update",
        "actor": {"id": "b5ea5f1f", "name": "Ann", "type": "user"},
        "createdAt": "2026-11-25T09:00:00.000Z",
        "data": issue(value),
        "organizationId": "e7a3d4b2",
        "type": "Issue",
        "updatedFrom": {"updatedAt": "2026-11-25T08:00:00.000Z", changed: "0f2b1c3d"},
        "url": f"https://linear.app/example/issue/{value}/ship-it",
        "webhookId": "000042e3",
        "webhookTimestamp": int(time.time() * 1000),
    }
    headers = {
        **JSON,
        "Linear-Delivery": str(uuid.uuid4()),
        "Linear-Event": "Issue",
        "User-Agent": "Linear-Webhook",
    }
    return Delivery("linear", json.dumps(body, separators=(",", ":")), headers)


RECIPES = [
    Recipe("GitHub: a workflow run", number, github, lambda value: github(value, "in_progress"), workflow_run),
    Recipe(
        "Stripe: a checkout", text("cs_test_"), stripe, lambda value: stripe(value, "payment_intent.created"), checkout_session
    ),
    Recipe(
        "Slack: a button",
        text("order-"),
        slack,
        lambda value: slack(value, "view_submission"),
        lambda _: {"choice": "approve", "user": "UA8RXUSPL", "responseUrl": RESPONSE_URL},
    ),
    Recipe(
        "OpenAI: a response in the background",
        text("resp_"),
        openai,
        lambda value: openai(value, "batch.completed"),
        lambda value: {"id": value, "event": "response.completed"},
    ),
    Recipe("Shopify: a paid order", number, shopify, lambda value: shopify(value, "orders/updated"), order),
    Recipe("Linear: an issue is done", text("ENG-"), linear, lambda value: linear(value, "title"), issue),
]


class Provider:
    """The provider of a recipe, which posts what it signed to the endpoint's URL."""

    def __init__(self, api: Api, path: str, url: str) -> None:
        self._api, self._path, self._url = api, path, url

    def sign(self, delivery: Delivery) -> Delivery:
        signed = webhook_signer.sign(delivery.provider, delivery.body.encode(), self._url, time.time())
        return replace(delivery, body=signed.body.decode(), headers={**delivery.headers, **signed.headers})

    def send(self, delivery: Delivery) -> int:
        """Post a delivery. Returns the status."""
        return self._api.deliver(self._url, delivery.body.encode(), dict(delivery.headers)).status

    def trial(self, delivery: Delivery) -> str:
        """What the endpoint's test says would become of a delivery."""
        answer = self._api.request("POST", f"{self._path}/test", {"body": delivery.body, "headers": dict(delivery.headers)})
        assert answer.status == 200, answer
        return str(answer.body["outcome"])


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: recipe.provider)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    found: Recipe = request.param
    return found


@pytest.fixture(scope="module")
def provider(api: Api, secrets: Secrets, recipe: Recipe) -> Iterator[Provider]:
    """The provider of a recipe whose JSON was put as it stands on the page."""
    secrets.make(recipe.settings["verify"]["secret"], webhook_signer.secret_of(recipe.provider))
    url = f"{ENDPOINTS}/{recipe.provider}"
    answer = api.request("PUT", url, recipe.settings)
    assert answer.status == 200, answer
    yield Provider(api, url, answer.body["url"])
    assert api.request("DELETE", url).status == 200


def counted(api: Api, recipe: Recipe) -> dict[str, int]:
    deliveries = api.request("GET", f"{ENDPOINTS}/{recipe.provider}").body["deliveries"]
    return {kind: found["count"] for kind, found in deliveries.items()}


def test_every_recipe_of_the_page_is_run() -> None:
    assert [recipe.heading for recipe in RECIPES] == list(webhooks_doc.ENDPOINTS)


def test_a_run_goes_on_with_the_event_that_it_waits_for(api: Api, runs: Runs, recipe: Recipe, provider: Provider) -> None:
    value, stranger = recipe.new_value(), recipe.new_value()
    key = f"{recipe.provider}:{value}"
    execution = runs.start(key)
    token = runs.wait_until_registered(key)
    before = counted(api, recipe)

    deliveries = (recipe.event(value), recipe.other(value), recipe.event(stranger))
    event, other, strangers = map(provider.sign, deliveries)

    forged = provider.send(replace(event, body=event.body.replace("e", "f", 1)))
    assert forged == 401, api.request("GET", f"{ENDPOINTS}/{recipe.provider}").body
    assert provider.send(other) == 200
    assert provider.send(strangers) == 200

    assert [provider.trial(delivery) for delivery in (other, strangers, event)] == ["notMatching", "repeated", "completed"]
    waiting = api.retrieve(token)
    assert waiting["status"] == "WAITING"
    assert "completedBy" not in waiting
    assert provider.send(event) == 200
    assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": recipe.output(value)})
    assert provider.send(event) == 200
    after = counted(api, recipe)
    new = {kind: count - before.get(kind, 0) for kind, count in after.items() if count > before.get(kind, 0)}
    assert new == {"refused": 1, "notMatching": 1, "kept": 1, "completed": 1, "repeated": 1}


def test_the_commands_of_the_page_make_an_endpoint_and_say_why_a_run_waits(api: Api, secrets: Secrets, tmp_path: Path) -> None:
    def run(command: str) -> Any:
        environment = {**os.environ, "API": api.stack.api_url, "KEY": api.stack.api_key}
        shell = ["sh", "-euc", COMMANDS[command]]
        return json.loads(subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout)

    settings = webhooks_doc.ENDPOINTS["GitHub: a workflow run"]
    secrets.make(settings["verify"]["secret"], webhook_signer.secret_of("github"))
    (tmp_path / "endpoint.json").write_text(json.dumps(settings))
    made = run("put endpoint")
    tried = run("test endpoint")
    assert tried["outcome"] == "refused"  # the page has no signature to send
    assert (tried["key"], json.loads(tried["output"])) == ("github:17412345678", {"id": 17412345678})
    assert [step["step"] for step in tried["steps"]] == ["signature", "completeWhen", "key", "output", "token"]
    assert run("retrieve endpoint") == {**made, "deliveries": {}}
    assert api.request("DELETE", f"{ENDPOINTS}/github").status == 200


def test_the_command_of_the_page_stores_a_secret(api: Api, secrets: Secrets, tmp_path: Path) -> None:
    name, value = f"waitpoints/{api.stack.stack_name}/webhooks/STRIPE", webhook_signer.secret_of("stripe")
    secrets.make("STRIPE", "another one")
    done = subprocess.run(
        ["sh", "-euc", COMMANDS["put secret"]],
        cwd=tmp_path,
        env={**os.environ, **CommandLine(api.stack, tmp_path).environment},
        input=f"{value}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert f"Changed {name} on this machine ({api.stack.endpoint_url}). The previous value is accepted for 24" in done.stderr
    assert api.stack.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == value
