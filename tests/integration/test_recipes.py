"""The recipes of docs/webhooks.md, as they stand there: each resumes the run that waits for the key that the page names.

The deliveries have the providers' shapes. `unit/api/providers/test_schemes.py` has what the providers themselves sign.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import patterns_doc, webhook_signer, webhooks_doc
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME
from tools.openapi.operations import ENDPOINTS

RESPONSE_URL = "https://hooks.slack.com/actions/T9TK3CUKW/146921591712/Kvs8MXbVcTvLN3ltsu3wXSCA"
EVENT: dict[str, Any] = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "api_version": "2026-10-28.basil",
    "created": 1780000000,
    "livemode": False,
    "pending_webhooks": 1,
    "request": {"id": None, "idempotency_key": None},
}


@dataclass(frozen=True)
class Recipe:
    """How to prove a recipe, for the run that waits for `value`: `other` are the members of a delivery that passes by."""

    heading: str
    value: Any
    stranger: Any
    body: Mapping[str, Any]
    """In which the value is VALUE."""
    other: Mapping[str, Any]
    output: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def delivery(self, value: Any, other: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        members = {**self.body, **other, "headers": None}
        text = json.dumps({name: it for name, it in members.items() if name != "headers"}).replace('"VALUE"', json.dumps(value))
        headers = {"content-type": "application/json", **self.headers, **other.get("headers", {})}
        if headers["content-type"] == "application/x-www-form-urlencoded":
            text = urlencode({"payload": text})
        return text.encode(), headers


RUN = {
    "id": "VALUE",
    "name": "Build",
    "head_branch": "main",
    "run_number": 562,
    "run_attempt": 1,
    "event": "workflow_dispatch",
    "status": "completed",
    "conclusion": "success",
}
SESSION = {
    "id": "VALUE",
    "object": "checkout.session",
    "amount_total": 2000,
    "client_reference_id": "order-1",
    "customer_details": {"email": "jenny@example.com", "name": "Jenny Rosen"},
    "payment_status": "paid",
    "status": "complete",
}
BUTTON = {"action_id": "approve_button", "block_id": "VALUE", "value": "approve", "type": "button"}
ORDER = {
    "id": "VALUE",
    "admin_graphql_api_id": "gid://shopify/Order/450789469",
    "current_total_price": "403.00",
    "line_items": [{"id": 866550311766439020, "price": "199.00", "quantity": 1, "title": "IPod Nano - 8GB"}],
}
ISSUE = {
    "identifier": "VALUE",
    "number": 42,
    "title": "Ship it",
    "state": {"id": "a4f8c2d1", "name": "Done", "type": "completed"},
}
RECIPES = [
    Recipe(
        "GitHub: a workflow run",
        17412345678,
        17412345679,
        {"action": "completed", "workflow_run": RUN, "repository": {"id": 1}, "sender": {"login": "octocat"}},
        {"action": "in_progress"},
        RUN,
    ),
    Recipe(
        "Stripe: a checkout",
        "cs_test_a",
        "cs_test_b",
        {**EVENT, "type": "checkout.session.completed", "data": {"object": SESSION}},
        {"type": "payment_intent.created"},
        SESSION,
    ),
    Recipe(
        "Slack: a button",
        "order-1",
        "order-2",
        {
            "type": "block_actions",
            "user": {"id": "UA8RXUSPL", "username": "jtorrance"},
            "message": {"type": "message", "text": "Schön, may it go out?", "ts": "1548261231.000200"},
            "response_url": RESPONSE_URL,
            "actions": [BUTTON],
        },
        {"type": "view_submission"},
        {"choice": "approve", "user": "UA8RXUSPL", "responseUrl": RESPONSE_URL},
        {"content-type": "application/x-www-form-urlencoded"},
    ),
    Recipe(
        "OpenAI: a response in the background",
        "resp_a",
        "resp_b",
        {**EVENT, "type": "response.completed", "data": {"id": "VALUE"}},
        {"type": "batch.completed"},
        {"id": "VALUE", "event": "response.completed"},
    ),
    Recipe(
        "Shopify: a paid order",
        450789469,
        450789470,
        ORDER,
        {"headers": {"x-shopify-topic": "orders/updated"}},
        ORDER,
        {"x-shopify-topic": "orders/paid"},
    ),
    Recipe(
        "Linear: an issue is done",
        "ENG-1",
        "ENG-2",
        {"action": "update", "type": "Issue", "data": ISSUE, "updatedFrom": {"stateId": "0f2b1c3d"}},
        {"updatedFrom": {"title": "Ship"}},
        ISSUE,
    ),
]


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.heading)
def recipe(request: pytest.FixtureRequest) -> Iterator[Recipe]:
    """A recipe whose secret is there."""
    found: Recipe = request.param
    verify = webhooks_doc.ENDPOINTS[found.heading]["verify"]
    secrets, name = client_of("secretsmanager"), f"waitpoints/{STACK_NAME}/webhooks/{verify['secret']}"
    secrets.create_secret(Name=name, SecretString=webhook_signer.secret_of(verify["scheme"]))
    yield found
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_every_recipe_of_the_page_is_run() -> None:
    assert [recipe.heading for recipe in RECIPES] == list(webhooks_doc.ENDPOINTS)


def test_a_run_goes_on_with_the_event_that_it_waits_for(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, recipe: Recipe
) -> None:
    settings = webhooks_doc.ENDPOINTS[recipe.heading]
    scheme = settings["verify"]["scheme"]
    path = f"{ENDPOINTS}/{scheme}"
    url = api.request("PUT", path, settings).json["url"]
    [state] = webhooks_doc.STATES["wait for a key"].values()
    given = {"idempotencyKey": f"{scheme}:{recipe.value}", "taskToken": step_functions.start_task()}
    asked = {
        name.removesuffix(".$"): given.get(name.removesuffix(".$"), it) for name, it in state["Parameters"]["Payload"].items()
    }
    stack.call("create_token_in_state", {name: it for name, it in asked.items() if name != "execution"})

    def send(value: Any, changed: str = "", **other: Any) -> tuple[int, str]:
        """Try a delivery and post it. Returns the status, and what its trial has said."""
        body, headers = recipe.delivery(value, other)
        signed = webhook_signer.sign(scheme, body, url, time.time())
        headers |= signed.headers
        tried = api.post(f"{path}/test", {"body": signed.body.decode(), "headers": headers}).json["outcome"]
        return api.post(url, signed.body.replace(changed.encode(), b"f", 1) if changed else signed.body, headers).status, tried

    assert send(recipe.value, changed="e")[0] == 401
    assert send(recipe.value, **recipe.other) == (200, "notMatching")
    assert send(recipe.stranger) == (200, "kept")
    assert step_functions.result(given["taskToken"]) is None
    assert send(recipe.value) == (200, "completed")
    output = json.loads(json.dumps(recipe.output).replace('"VALUE"', json.dumps(recipe.value)))
    assert step_functions.value(given["taskToken"]) == {"ok": True, "output": output}
    assert send(recipe.value) == (200, "repeated")
    counted = {kind: it["count"] for kind, it in api.get(path).json["deliveries"].items()}
    assert counted == {"refused": 1, "notMatching": 1, "kept": 1, "completed": 1, "repeated": 1}


@pytest.mark.parametrize(
    ("kind", "payment_status", "outcome"),
    [
        ("completed", "paid", "kept"),
        ("async_payment_succeeded", "paid", "kept"),
        ("completed", "unpaid", "notMatching"),
        ("expired", "unpaid", "kept"),
        ("async_payment_failed", "unpaid", "kept"),
    ],
)
def test_the_endpoint_of_payments_knows_what_ends_an_order(api: Api, kind: str, payment_status: str, outcome: str) -> None:
    """It is the one of docs/patterns.md, but for its signature."""
    path, session = f"{ENDPOINTS}/payments", {**SESSION, "client_reference_id": "order-4711", "payment_status": payment_status}
    api.request("PUT", path, {**patterns_doc.ENDPOINTS["payments"], "verify": "none"})
    body = json.dumps({"type": f"checkout.session.{kind}", "data": {"object": session}})
    tried = api.post(f"{path}/test", {"body": body, "headers": {"content-type": "application/json"}}).json
    assert tried["outcome"] == outcome, tried
    assert outcome != "kept" or (tried["key"], json.loads(tried["output"])) == ("payments:order-4711", session)
