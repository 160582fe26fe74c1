"""What a request to create a token may say: `api/request_checks`, `waitpoints/idempotency_key`."""

from functools import partial
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.http import CREATE_LIMIT

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"


class TestCreate:
    def test_takes_one_tag_as_text(self, api: Api) -> None:
        assert api.retrieve(api.create(tags="a")["id"])["tags"] == ["a"]

    @pytest.mark.parametrize("body", [None, b"", b" \n", {}, {"tags": None, "timeout": None}])
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
    def test_needs_no_body(self, api: Api, world: World, body: Any, content_type: str | None) -> None:
        headers = {"authorization": f"Bearer {world.api_key.read_current()}"}
        answer = api.post(TOKENS, body, headers | ({"content-type": content_type} if content_type else {}))
        assert answer.status == 200
        assert api.retrieve(answer.json["id"])["status"] == "WAITING"

    def test_accepts_every_value_at_its_limit(self, api: Api) -> None:
        for key in ("k" * 2048, "\N{GRINNING FACE}" * 1024, " "):
            created = api.create(idempotencyKey=key, tags=["\N{GRINNING FACE}" * 64] * 10)
            assert api.retrieve(created["id"])["idempotencyKey"] == key

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"{", "Invalid JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
            (b'{"tags": "\n"}', "Invalid JSON: Invalid control character at line 1, column 11"),
            (b"[" * 2000 + b"]" * 2000, "nested deeper than 500 levels"),
            (b'{"timeout": NaN}', "Invalid JSON"),
            ({"idempotencyKey": "k" * 2049}, "2048"),
            ({"idempotencyKey": "\N{GRINNING FACE}" * 1024 + "k"}, "idempotencyKey must be 2048 characters or less"),
            (b'{"idempotencyKey": "k\\ud800"}', "half of a surrogate pair"),
            ({"idempotencyKey": ""}, "must not be empty"),
            ({"tags": [1]}, 'Tag 1 must be a string at "tags"'),
            ({"tags": ["ok", "t" * 129]}, "128"),
            ({"tags": "t" * 129}, "128"),
            ({"tags": ["\N{GRINNING FACE}" * 65]}, "128"),
            ({"taskToken": "x"}, "taskToken"),
            ({"taskToken": "$$.Task.Token"}, '"taskToken.$": "$$.Task.Token"'),
            ({"taskToken": "{% $states.context.Task.Token %}"}, "JSONata"),
            ({"callbackId": "QUJD"}, "20 to 1024 characters of standard base64"),
            ({"callbackId": "$.callbackId"}, "an expression that was not evaluated"),
            ({"callbackId": "QUJD" * 6, "taskToken": "t" * 700}, "taskToken and callbackId exclude each other"),
            ({"execution": EXECUTION}, "execution needs a taskToken or a callbackId"),
            ({"taskToken": "t" * 700, "execution": "$$.Execution.Id"}, '"execution.$": "$$.Execution.Id"'),
            ({"idempotencyKeyTTL": "1h"}, "idempotencyKeyTTL needs an idempotencyKey"),
            ({"idempotencyKey": "k", "tags": 5}, "tags"),
            ({"unwrap": True}, "unwrap needs a taskToken"),
            ({"context": True}, "context needs a taskToken"),
            ({"taskToken": "t" * 700, "unwrap": True, "context": True}, "unwrap and context exclude each other"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_of_the_wrong_shape_is_400_and_makes_nothing(self, api: Api, world: World, body: Any, message: str) -> None:
        api.create(idempotencyKey="k", taskToken=world.step_functions.start_task())
        is_refused(world, lambda: api.post(TOKENS, body), 400, message)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"timeout": "soon"}, '"10m"'),
            ({"idempotencyKey": "k", "timeout": "soon"}, '"10m"'),
            ({"timeout": "2020-01-01"}, "future"),
            ({"idempotencyKey": "k", "idempotencyKeyTTL": "0s"}, "idempotencyKeyTTL"),
            ({"tags": [str(n) for n in range(11)]}, "Waitpoints can only have 10 tags, you're trying to set 11."),
        ],
    )
    def test_with_an_impossible_value_is_422_and_makes_nothing(self, api: Api, world: World, body: Any, message: str) -> None:
        api.create(idempotencyKey="k", taskToken=world.step_functions.start_task())
        is_refused(world, lambda: api.post(TOKENS, body), 422, message)

    def test_over_the_limit_is_413_for_any_body(self, api: Api, world: World) -> None:
        assert api.post(TOKENS, b"{}".ljust(CREATE_LIMIT)).status == 200
        for body in (b"{}".ljust(CREATE_LIMIT + 1), b"x" * (CREATE_LIMIT + 1)):
            is_refused(world, partial(api.post, TOKENS, body), 413, "Request body too large")
