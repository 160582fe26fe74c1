"""What docs/webhooks.md tells a user to write is accepted, and does what the page says."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel

from tests.support import webhook_signer
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.readme import SNIPPETS
from tests.support.webhooks_doc import CREATES, ENDPOINTS, EXAMPLES, PAGE, STATES
from tools.openapi.answers import CompletedBy, OtherDeliveries
from tools.stack import ROOT
from waitpoints.api import complete_request
from waitpoints.api.callbacks import expressions
from waitpoints.api.endpoints.evaluation import Evaluation, NoKey
from waitpoints.api.request_model import validate
from waitpoints.api.schemas.create_token import CREATE_WAITPOINT_TOKEN_REQUEST
from waitpoints.endpoint import Endpoint
from waitpoints.token import Source

FUNCTIONS = Template.load().functions()
_SECTION = PAGE.partition("\n## Only the right event\n")[2].partition("\n## ")[0]
EXPRESSIONS: dict[str, str] = dict(re.findall(r"^- ([^\n]+): `([^`\n]+)`$", _SECTION, re.MULTILINE))


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(example.json, id=example.heading) for example in EXAMPLES if example.kind == kind]


@pytest.fixture
def page_api(api: Api, world: World) -> Api:
    """An API with a secret for each name that the page uses."""
    wanted = [body["verify"] for body in [*CREATES.values(), *ENDPOINTS.values()] if "verify" in body]
    world.webhook_secrets |= {verify["secret"]: FakeSecret(webhook_signer.secret_of(verify["scheme"])) for verify in wanted}
    return api


def deliver(api: Api, token: Mapping[str, Any], create: Mapping[str, Any], body: bytes, headers: Mapping[str, str]) -> int:
    """Post a body as the provider that the token expects. Returns the status."""
    verify, signature = create.get("verify"), {}
    if verify and verify["scheme"] == "token":
        signature = {verify["header"]: webhook_signer.secret_of("token")}
    elif verify:
        signature = webhook_signer.sign(verify["scheme"], body, token["url"], time.time()).headers
    return api.post(token["url"], body, {**headers, **signature}).status


def posted(value: Any) -> tuple[bytes, dict[str, str]]:
    return json.dumps(value).encode(), {"content-type": "application/json"}


def button(action: str) -> tuple[bytes, dict[str, str]]:
    payload = json.dumps({"type": "block_actions", "actions": [{"action_id": action}]})
    return urlencode({"payload": payload}).encode(), {"content-type": "application/x-www-form-urlencoded"}


def checkout(order: str) -> tuple[bytes, dict[str, str]]:
    return posted({"type": "checkout.session.completed", "data": {"object": {"client_reference_id": order}}})


def test_every_json_says_what_it_is() -> None:
    assert PAGE.count("```json\n{") == len(EXAMPLES) > 10
    assert {example.kind for example in EXAMPLES} == {"create", "complete", "completion", "payload", "endpoint"}


@pytest.mark.parametrize("body", of_kind("create"))
def test_every_create_is_accepted(body: Any, page_api: Api) -> None:
    validate(CREATE_WAITPOINT_TOKEN_REQUEST, body)
    page_api.create(**body)


@pytest.mark.parametrize("body", of_kind("endpoint"))
def test_every_endpoint_is_accepted(body: Any, page_api: Api) -> None:
    name = body["verify"]["scheme"]
    answer = page_api.request("PUT", f"/api/v1/endpoints/{name}", body)
    assert answer.status == 200, answer.text
    assert f"Key: `{name}:" in PAGE  # the recipe says which key its run waits for


@pytest.mark.parametrize("body", of_kind("complete"))
def test_every_completion_is_accepted(body: Any, page_api: Api) -> None:
    complete_request.parse({name: json.dumps(value) for name, value in body.items()})
    token = page_api.create()
    assert page_api.post(f"{TOKENS}/{token['id']}/complete", body).status == 200
    shown = page_api.retrieve(token["id"])
    assert (shown["status"], shown["outputIsError"], json.loads(shown["output"])) == ("COMPLETED", True, body["error"])


@pytest.mark.parametrize("payload", of_kind("payload"))
def test_every_payload_of_a_wait_gives_the_run_who_completed_it(payload: Any, page_api: Api, world: World) -> None:
    token, task = page_api.create(), world.step_functions.start_task()
    values = {"waitpointId.$": token["id"], "taskToken.$": task}
    FUNCTIONS["wait_for_token"].call({name.removesuffix(".$"): values.get(name, it) for name, it in payload.items()})
    page_api.post(token["url"], *posted({"approved": True}))
    assert world.step_functions.value(task).keys() == {"ok", "output", "completedBy"}


@pytest.mark.parametrize(("field", "model"), [("completedBy", CompletedBy), ("otherDeliveries", OtherDeliveries)])
def test_every_answer_has_the_fields_of_the_api(field: str, model: type[BaseModel]) -> None:
    item = re.search(rf"^- `{field}` has (.*?)\n(?=\S)", PAGE, re.MULTILINE | re.DOTALL)
    assert item is not None
    assert set(re.findall(r"`(\w+)`", item[1])) - {*Source, "completedAt"} == model.model_fields.keys()


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_expression_is_accepted(expression: str) -> None:
    expressions.check_expression(expression)


@pytest.mark.parametrize(
    ("run", "key"),
    [
        ('{"id": 7, "run_attempt": 2}', "github:7-2"),
        ('{"id": 7.0, "run_attempt": 2}', "github:7.0-2"),
        ('{"id": 7}', None),
        ('{"run_attempt": 2}', None),
        ('{"id": "", "run_attempt": 2}', None),
        ("null", None),
    ],
)
def test_the_key_of_two_parts_needs_both(run: str, key: str | None) -> None:
    found = re.search(r"to\s+the\s+key:\n\n`([^`\n]+)`$", PAGE, re.MULTILINE)
    assert found is not None
    endpoint = Endpoint(name="github", secret_id="0" * 24, key=found[1], verify=None, created_at=1, updated_at=1)
    expressions.check_expression(endpoint.key)
    evaluated = Evaluation(endpoint, f'{{"workflow_run": {run}}}'.encode(), {}, "").key
    assert evaluated == key if key else isinstance(evaluated, NoKey)


def test_the_list_of_expressions_is_read() -> None:
    assert len(EXPRESSIONS) == _SECTION.count("\n- ") >= 5


def signed(provider: str, example: str) -> dict[str, Any]:
    """A create with an expression of the page, for a provider that signs."""
    return {"verify": {"scheme": provider, "secret": provider.upper()}, "completeWhen": EXPRESSIONS[example]}


@pytest.mark.parametrize(
    ("create", "passed_over", "settles"),
    [
        (CREATES["GitHub, with its secret"], posted({"zen": "ping"}), posted({"action": "completed"})),
        (CREATES["Replicate: only when it is done"], posted({"status": "processing"}), posted({"status": "failed"})),
        (signed("slack", "a button of Slack"), button("reject"), button("approve")),
        (signed("stripe", "an order at Stripe"), checkout("order-2"), checkout("order-1")),
    ],
    ids=["github", "replicate", "slack", "stripe"],
)
def test_only_the_event_of_the_example_settles(
    create: dict[str, Any], passed_over: tuple[bytes, dict[str, str]], settles: tuple[bytes, dict[str, str]], page_api: Api
) -> None:
    token = page_api.create(**create)
    assert page_api.post(token["url"], *settles).status == 401
    assert deliver(page_api, token, create, *passed_over) == 200
    assert page_api.retrieve(token["id"])["otherDeliveries"]["count"] == 2
    assert page_api.retrieve(token["id"])["status"] == "WAITING"
    assert deliver(page_api, token, create, *settles) == 200
    assert page_api.retrieve(token["id"])["completedBy"]["source"] == "callback"


def test_the_example_of_a_shared_value_asks_for_it(page_api: Api) -> None:
    create = CREATES["My provider cannot sign"]
    token = page_api.create(**create)
    assert page_api.post(token["url"], *posted(1)).status == 401
    assert deliver(page_api, token, create, *posted(1)) == 200
    assert page_api.retrieve(token["id"])["output"] == "1"


def test_the_example_of_a_schema_refuses_the_wrong_shape(page_api: Api) -> None:
    token = page_api.create(**CREATES["Only answers of the right shape"])
    refused = page_api.post(token["url"], *posted({"approved": "yes"}))
    assert refused.status == 422
    assert '"type" at #/properties/approved/type' in refused.error
    assert page_api.retrieve(token["id"])["otherDeliveries"]["count"] == 1
    assert page_api.post(token["url"], *posted({"approved": True})).status == 200


@pytest.mark.parametrize("name", STATES)
def test_every_state_retries_as_the_example_does(name: str) -> None:
    [state] = STATES[name].values()
    example = json.loads((ROOT / "examples" / "statemachines" / "wait_for_webhook.asl.json").read_text())
    assert state["Retry"] == next(it["Retry"] for it in example["States"].values() if "Retry" in it)


@pytest.mark.parametrize("payload", of_kind("completion"))
def test_the_state_that_fails_a_token_fails_it(payload: Any, page_api: Api, world: World) -> None:
    assert payload.keys() == {"waitpointId.$", "error"}
    token = page_api.create()
    FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "error": payload["error"]})
    shown = page_api.retrieve(token["id"])
    assert json.loads(shown["output"]) == {**payload["error"], "code": "WAITPOINT_FAILED"}


def test_the_example_of_the_readme_is_one_of_the_page() -> None:
    assert json.loads(SNIPPETS["webhook"]) == CREATES["Replicate: only when it is done"]


def test_complete_is_held_against_the_schema_alone(page_api: Api) -> None:
    schema = CREATES["Only answers of the right shape"]["payloadSchema"]
    token = page_api.create(**CREATES["GitHub, with its secret"], payloadSchema=schema)
    url = f"{TOKENS}/{token['id']}/complete"
    assert page_api.post(url, {"data": {"approved": "yes"}}).status == 422
    assert page_api.retrieve(token["id"])["status"] == "WAITING"
    assert page_api.post(url, {"data": {"approved": True}}).status == 200
    shown = page_api.retrieve(token["id"])
    assert (shown["status"], shown["completedBy"]["source"]) == ("COMPLETED", "complete")
