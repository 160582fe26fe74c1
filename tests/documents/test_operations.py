"""The table of operations is what the template, the handlers and the documents say, and each example in it is accepted."""

import importlib
import json
from typing import get_args

import pytest

import wait_for_token
from tests.support.example_requests import make_example_key, named, places, put_example_endpoint, route_of, send
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.template import ROOT, Template
from tests.support.in_process.world import World
from tools.openapi import answers, document
from tools.openapi.operation import Operation, nameless
from tools.openapi.operations import OPERATIONS, by_id
from waitpoints.api import complete_request, list_query
from waitpoints.api.endpoints import deliveries_query
from waitpoints.endpoint import DeliveryKind

TEMPLATE = Template.load()
CONSOLE = {"ANY /console", "ANY /console/{version}/{file}"}
"""The routes of static files, which are not part of the API."""


def test_the_table_and_the_template_have_the_same_routes() -> None:
    chosen = {it.route: route_of(it, TEMPLATE).route_key for it in OPERATIONS}
    assert set(chosen.values()) == set(TEMPLATE.routes()) - CONSOLE
    assert set(TEMPLATE.routes()) > CONSOLE
    for route, key in chosen.items():
        assert nameless(route.split(" ")[1]) == nameless(key.split(" ")[1])


def test_ids_and_routes_are_unique() -> None:
    assert len({it.id for it in OPERATIONS}) == len({it.route for it in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", [it for it in OPERATIONS if it.method != "OPTIONS"], ids=named)
def test_a_line_of_a_handler_names_its_route(operation: Operation) -> None:
    route = route_of(operation, TEMPLATE)
    module = importlib.import_module(route.function.name)
    path = route.route_key.split(" ")[1]
    assert any(line.startswith(f"{operation.method} {path}: ") for line in (module.__doc__ or "").splitlines())


def test_the_page_has_the_routes_and_codes() -> None:
    text = document.PAGE.read_text()
    assert document.routes() in text
    assert document.codes() in text


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_the_example_of_an_operation_is_accepted_and_answered_as_documented(
    api: Api, world: World, operation: Operation
) -> None:
    token = api.create()
    put_example_endpoint()
    make_example_key()
    world.put_object(places(token)["path"], b"1")
    answer = send(api, operation, token)
    assert answer.status == 200, answer.text
    operation.result.model_validate(answer.text if operation.is_page else answer.json)
    assert set(operation.headers) <= set(answer.headers)


def test_the_list_route_reads_the_documented_parameters() -> None:
    assert by_id("list_waitpoint_tokens_v1").names("query") == list_query.PARAMETERS


def test_the_list_of_endpoints_reads_the_documented_parameters() -> None:
    assert by_id("list_endpoints_v1").names("query") == list_query.ENDPOINT_PARAMETERS


def test_the_list_of_deliveries_reads_the_documented_parameters() -> None:
    assert by_id("list_deliveries_v1").names("query") == deliveries_query.PARAMETERS


def test_every_kind_of_delivery_is_documented() -> None:
    assert set(answers.EndpointDeliveries.model_fields) == set(DeliveryKind)
    kinds = get_args(answers.RecordedDelivery.model_fields["kind"].annotation)
    assert set(kinds) == set(deliveries_query.KINDS) == set(DeliveryKind) - {"refused"} | {"pending"}


def test_the_complete_route_reads_the_documented_fields() -> None:
    body = by_id("complete_waitpoint_token_v1").body
    assert body is not None
    assert body.fields == complete_request.FIELDS


def test_the_wait_function_reads_every_field_that_the_examples_send() -> None:
    sample = json.loads((ROOT / "events" / "wait_for_token.json").read_text())
    example = json.loads((ROOT / "examples" / "statemachines" / "wait_for_webhook.asl.json").read_text())
    payloads = [
        state["Parameters"]["Payload"] for state in example["States"].values() if "Payload" in state.get("Parameters", {})
    ]
    assert payloads
    for payload in (sample, *payloads):
        assert {name.removesuffix(".$") for name in payload} <= set(wait_for_token.FIELDS)
