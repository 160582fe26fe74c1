"""openapi.yaml says what the code does, and what Trigger.dev's published specification says of the same operations."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.support.documents import blocks
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tools.openapi import answers
from tools.openapi import document as openapi
from tools.openapi.operations import TOKENS
from tools.openapi.requested_page import RequestedPage
from tools.stack import ROOT
from waitpoints import ids
from waitpoints.api.page import field_checks, fields, page_checks
from waitpoints.api.page.facts import amount_checks, fact_checks
from waitpoints.approvers import LANGUAGES, Approver
from waitpoints.token import Waiter, WaiterKind

DOCUMENT: dict[str, Any] = yaml.load(openapi.FILE.read_text(), yaml.CSafeLoader)
SCHEMAS = DOCUMENT["components"]["schemas"]
PAGES = (ROOT / "docs" / "pages.md").read_text()


def test_each_file_is_what_make_openapi_writes() -> None:
    stale = [file.name for file, text in openapi.written().items() if file.read_text() != text]
    assert stale == [], "run `make openapi`"


# What triggerdotdev/trigger.dev's docs/v3-openapi.yaml says: operation, path, schemas of the body and of the answer.
PUBLISHED = [
    ("create_waitpoint_token_v1", "post", TOKENS, "CreateWaitpointTokenRequest", "CreateWaitpointTokenResponse"),
    ("list_waitpoint_tokens_v1", "get", TOKENS, None, "ListWaitpointTokensResult"),
    ("retrieve_waitpoint_token_v1", "get", TOKENS + "/{waitpointId}", None, "WaitpointTokenObject"),
    (
        "complete_waitpoint_token_v1",
        "post",
        TOKENS + "/{waitpointId}/complete",
        "CompleteWaitpointTokenRequest",
        "CompleteWaitpointTokenResponse",
    ),
    (
        "complete_waitpoint_token_callback_v1",
        "post",
        TOKENS + "/{waitpointId}/callback/{callbackHash}",
        None,
        "CompleteWaitpointTokenResponse",
    ),
]


@pytest.mark.parametrize(("operation_id", "method", "path", "request_schema", "response_schema"), PUBLISHED)
def test_operations_and_schemas_have_trigger_devs_names(
    operation_id: str, method: str, path: str, request_schema: str | None, response_schema: str
) -> None:
    operation = DOCUMENT["paths"][path][method]
    assert operation["operationId"] == operation_id
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": f"#/components/schemas/{response_schema}"}
    if request_schema:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{request_schema}"}


@pytest.mark.parametrize(
    ("schema", "fields", "required"),
    [
        ("CreateWaitpointTokenRequest", {"idempotencyKey", "idempotencyKeyTTL", "timeout", "tags"}, set()),
        ("CreateWaitpointTokenResponse", {"id", "isCached", "url"}, {"id", "isCached", "url"}),
        ("CompleteWaitpointTokenRequest", {"data"}, set()),
        ("CompleteWaitpointTokenResponse", {"success"}, {"success"}),
        ("ListWaitpointTokensResult", {"data", "pagination"}, {"data", "pagination"}),
        (
            "WaitpointTokenObject",
            {
                *("id", "url", "status", "idempotencyKey", "idempotencyKeyExpiresAt", "timeoutAt", "completedAt"),
                *("output", "outputType", "outputIsError", "tags", "createdAt"),
            },
            {"id", "url", "status", "tags", "createdAt"},
        ),
    ],
)
def test_schemas_have_trigger_devs_fields(schema: str, fields: set[str], required: set[str]) -> None:
    assert fields <= SCHEMAS[schema]["properties"].keys()
    assert set(SCHEMAS[schema].get("required", [])) == required


def test_create_accepts_every_example_of_trigger_devs_specification(api: Api) -> None:
    shown = {"idempotencyKey": "approval-user-1234567", "idempotencyKeyTTL": "1h", "timeout": "1h"}
    assert api.create(**shown, tags=["user:1234567", "org:9876543"])["isCached"] is False
    assert api.create(**shown, tags="user:1234567")["isCached"] is True
    for duration in ("30s", "1m", "2h", "3d", "4w"):
        api.create(timeout=duration)


def test_answers_match_their_schemas(api: Api, world: World) -> None:
    plain, full = api.create(), api.create(timeout="1h", idempotencyKey="k", idempotencyKeyTTL="1h", tags=["b", "a"])
    for created in (plain, full):
        answers.CreateWaitpointTokenResponse.model_validate(created)
    for kind in WaiterKind:
        world.wait(full["id"], Waiter(kind, world.clock(), kind=kind))
    for token in (plain, full):
        answers.WaitpointTokenObject.model_validate(api.retrieve(token["id"]))
        completed = api.post(f"{TOKENS}/{token['id']}/complete", {"data": 1})
        answers.CompleteWaitpointTokenResponse.model_validate(completed.json)
        answers.WaitpointTokenObject.model_validate(api.retrieve(token["id"]))
    timed = api.create(timeout="1s")
    world.advance(1000)
    answers.WaitpointTokenObject.model_validate(api.retrieve(timed["id"]))
    for query in ("?page[size]=1", f"?page[after]={timed['id']}", ""):
        answers.ListWaitpointTokensResult.model_validate(api.get(TOKENS + query).json)
    answers.PublicTokenClaims.model_validate(api.post("/api/v1/auth/jwt/claims").json)
    answers.PublicToken.model_validate(api.post("/api/v1/auth/jwt", {}).json)
    answers.Refusal.model_validate(api.get(f"{TOKENS}/{ids.new_id(0)}").json)


APPROVAL: dict[str, Any] = {
    "title": "Deploy?",
    "approvers": [
        {"id": "ann", "name": "Ann", "email": "ann@example.com", "slack": "U024BE7LH"},
        "bo@example.com",
        "c/o d",
    ],
    "requestedBy": "ann",
    "selfApproval": True,
    "escalate": {"after": "1h", "to": ["dee"]},
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
}


def test_answers_about_approvers_match_their_schemas(api: Api) -> None:
    tokens = [api.create(page=APPROVAL, idempotencyKey=key) for key in ("decided", "overridden", "decided")]
    decided, overridden, cached = [answers.CreateWaitpointTokenResponse.model_validate(it) for it in tokens]
    assert cached.links == decided.links
    assert [it.approver for it in decided.links] == ["ann", "bo@example.com", "c/o d", "dee"]
    [first, second, third, later] = [it.url for it in decided.links]
    for url in (first, third, second):
        answers.WaitpointTokenObject.model_validate(api.retrieve(decided.id))
        assert api.post(url, '{"action": "approve"}').status == 200
    api.complete(overridden.id, data={"action": "reject"})
    shown = [answers.WaitpointTokenObject.model_validate(api.retrieve(it.id)) for it in (decided, overridden)]
    assert [it.completedBy.model_dump()["approver"] for it in shown] == ["c/o d", None]
    assert [it.completedBy.override for it in shown] == [None, True]
    assert set(api.retrieve(decided.id)) >= {"approvers", "needs", "answers", "links", "requestedBy", "escalation"}
    for url in (later, tokens[0]["url"].replace("callback/", "callback/0")):
        refused = api.post(url, '{"action": "approve"}')
        answers.Refusal.model_validate(refused.json)


CALLBACK = DOCUMENT["paths"][TOKENS + "/{waitpointId}/callback/{callbackHash}"]


@pytest.mark.parametrize("method", ["post", "get"])
def test_the_callback_route_takes_the_name_of_an_approver(method: str) -> None:
    operation = CALLBACK[method]
    [parameter] = [it for it in operation["parameters"] if it["in"] == "query"]
    assert (parameter["name"], parameter["required"]) == ("approver", False)
    assert {"401", "403", "404"} <= operation["responses"].keys()
    assert ("413" in operation["responses"]) is (method == "post")


class TestARequestedPage:
    """Types are generated of its schema, so a member that is missing there could not be sent."""

    def members(self, schema: str) -> set[str]:
        assert SCHEMAS[schema]["additionalProperties"] is False
        return set(SCHEMAS[schema]["properties"])

    @pytest.mark.parametrize(
        ("schema", "members"),
        [
            ("RequestedPage", page_checks.PAGE.known),
            ("RequestedLink", page_checks.LINK.known),
            ("RequestedAction", page_checks.ACTION.known),
            ("RequestedFact", fact_checks.FACT),
            ("RequestedFacts", fact_checks.GROUP.known),
            ("RequestedCurrency", amount_checks.CURRENCY.known),
            ("RequestedForm", fields.OF_FORM),
            ("RequestedField", {*fields.OF_ALL, *(keyword for its in fields.KEYWORDS.values() for keyword in its)}),
            ("RequestedItems", fields.OF_ITEMS),
            ("RequestedChoice", field_checks.CHOICE.known),
            ("RequestedTranslations", LANGUAGES),
            ("Approver", [member.name for member in dataclasses.fields(Approver)]),
        ],
    )
    def test_has_the_members_that_a_create_accepts(self, schema: str, members: Iterable[str]) -> None:
        assert self.members(schema) == set(members)

    def test_is_each_example(self) -> None:
        examples = [body["page"] for body in map(json.loads, blocks(PAGES, "example").values())]
        assert len(examples) >= 4
        for example in examples:
            RequestedPage.model_validate(example)

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"title": "t", "titel": "t"},
            {"title": {"en": "t", "it": "t"}},
            {"title": "t", "actions": [{"id": "a", "lable": "A"}]},
            {"title": "t", "fields": {"type": "object", "properties": {"a": {"type": "strng"}}}},
            {"title": "t", "escalate": {"after": "1d"}},
        ],
    )
    def test_is_nothing_else(self, wrong: Any, api: Api) -> None:
        with pytest.raises(ValidationError):
            RequestedPage.model_validate(wrong)
        assert api.post(TOKENS, {"page": wrong}).status == 422
