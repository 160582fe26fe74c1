"""The console on the deployed stack, in Chromium: the tests of tests/browser/console*.test.mjs are subtests here."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import runner
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import outputs, physical_name
from tests.support.e2e.secrets import Secrets
from tests.support.e2e.waiting import until
from waitpoints import ids
from waitpoints.aws.items import LIST_SHARDS, TOKEN, token_item
from waitpoints.listing import TOKENS as LISTED
from waitpoints.token import Token
from waitpoints_local.stack import Stack

A_YEAR = 365 * 86_400_000
NEEDLE = "one-of-many"
ENDPOINT = "hostile"
SCRIPT = "<script>window.pwned=1</script>"
IMAGE = "<img src=x onerror=window.pwned=2>"
FAMILY = "\N{WOMAN}\u200d\N{GIRL}\N{HEAVY BLACK HEART}\ufe0f"  # its joiners are no disguise
INVISIBLE = "\u202egpj.exe\u2066\u3164\u2800\u115f\u034f\uffa0\u180b\u200d\U000e0041" + FAMILY + "a" + "\u0301" * 7
INVISIBLE_SHOWN = (
    r"\u202egpj.exe\u2066\u3164\u2800\u115f\u034f\uffa0\u180b\u200d\u{e0041}" + FAMILY + "a" + "\u0301" * 5 + r"\u0301" * 2
)
LARGE = json.dumps('"' * 1_000_000)  # each mark is escaped twice more in an answer, which is too long then
HEADERS = {
    "user-agent": f"{IMAGE} agent",
    "content-type": f"application/json; x={IMAGE}",
    "x-github-delivery": f"{SCRIPT} delivery",
}
SHOWN = (
    f"{SCRIPT}{INVISIBLE_SHOWN} tag",
    f"{IMAGE}{INVISIBLE_SHOWN} key",
    f"{SCRIPT}{INVISIBLE_SHOWN} output",
    f"{IMAGE} agent",
    f"application/json; x={IMAGE}",
    f"{SCRIPT} delivery",
    f"{SCRIPT} late delivery",
    f"q={SCRIPT.replace(' ', '%20')}",
    f"{IMAGE}{INVISIBLE_SHOWN} endpoint key",
    f"{IMAGE}{INVISIBLE_SHOWN} approver",
    f"{SCRIPT}{INVISIBLE_SHOWN} note",
    f"{IMAGE}{INVISIBLE_SHOWN} title",
    f"not_null(body.key, '{IMAGE}')",
    f"read:{SCRIPT}{INVISIBLE_SHOWN} scope",
)


@pytest.fixture(params=[pytest.param(1_000, marks=pytest.mark.few), pytest.param(10_000, marks=pytest.mark.thorough)])
def many(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """Tokens that have waited for a year. Returns the oldest one's id; it alone has the tag NEEDLE."""
    started = int(time.time() * 1000) - A_YEAR
    tags = [(NEEDLE,), *[("many",)] * (request.param - 1)]
    instants = range(started, started + request.param)
    tokens = [Token(id=ids.new_id(at), created_at=at, tags=its) for at, its in zip(instants, tags, strict=True)]
    write(stack, [{"PutRequest": {"Item": token_item(token)}} for token in tokens])
    yield tokens[0].id
    keys = [{"id": {"S": token.id}, "item": {"S": "token"}} for token in tokens]
    write(stack, [{"DeleteRequest": {"Key": key}} for key in keys])


def write(stack: Stack, requests: list[dict[str, Any]]) -> None:
    table = stack.client("dynamodb")
    for at in range(0, len(requests), 25):
        answer = table.batch_write_item(RequestItems={stack.table_name: requests[at : at + 25]})
        assert not answer.get("UnprocessedItems")


def tokens_of(stack: Stack) -> int:
    """How many tokens the table has, those of other tests too."""
    pages = (
        stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stack.table_name,
            Select="COUNT",
            FilterExpression="#item = :token",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":token": {"S": TOKEN}},
        )
    )
    return sum(page["Count"] for page in pages)


def hostile(api: Api) -> dict[str, Any]:
    """A token, an endpoint and a named key, with every value that an outsider can set."""
    tag, key = f"{SCRIPT}{INVISIBLE} tag", f"{IMAGE}{INVISIBLE} key"
    token = api.create(tags=[tag, "hostile"], idempotencyKey=key)
    body = json.dumps({"by": f"{SCRIPT}{INVISIBLE} output", SCRIPT: IMAGE}, ensure_ascii=False).encode()
    url = token["url"] + "?q=" + SCRIPT
    api.ask("POST", url, body, key=None, headers=HEADERS)
    late = {**HEADERS, "x-github-delivery": f"{SCRIPT} late delivery"}
    api.ask("POST", url, body, key=None, headers=late)
    url = api.put_endpoint(ENDPOINT, key=f"not_null(body.key, '{IMAGE}')")["url"]
    named = {"name": f"hostile-{time.time_ns()}", "scopes": [f"read:{SCRIPT}{INVISIBLE} scope"], "expiresIn": "1h"}
    api.ask("POST", "/api/v1/keys", named)
    delivery = {"key": f"{IMAGE}{INVISIBLE} endpoint key"}
    api.ask("POST", url, delivery, key=None, headers=HEADERS)
    return token


def decision(api: Api) -> dict[str, Any]:
    """A token that one of three people, whose name is hostile, has answered."""
    named = {"id": "ann", "name": f"{IMAGE}{INVISIBLE} approver"}
    fields = {"type": "object", "properties": {"note": {"type": "string"}}}
    actions = [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}]
    page = {"title": f"{IMAGE}{INVISIBLE} title", "approvers": [named, "bo", "cy"], "actions": actions, "fields": fields}
    token = api.create(page=page, tags=["hostile"])
    answer = {"action": "approve", "fields": {"note": f"{SCRIPT}{INVISIBLE} note"}}
    api.ask("POST", token["links"][0]["url"], answer, key=None)
    return token


def large(api: Api) -> dict[str, Any]:
    token = api.create()
    api.ask("POST", token["url"], LARGE.encode(), key=None)
    return token


def waiting(api: Api, **fields: Any) -> tuple[str, str]:
    token, execution = api.awaited(tags=["console"], **fields)
    return token["id"], execution


def logged(stack: Stack, group: str, since: int) -> list[str]:
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    return [event["message"] for page in pages for event in page["events"]]


def in_browser(subtests: pytest.Subtests, api: Api, stack: Stack, only: str = "", **variables: str) -> tuple[str, str, str]:
    """Run the suite, or only some tests. Returns a token that it completes, this token's run, and that of one that it fails."""
    (completed, execution), (failed, failed_execution) = waiting(api), waiting(api, page={"title": "Go on?"})
    scene = {
        "waiting": completed,
        "execution": execution,
        "failing": failed,
        "hostile": hostile(api)["id"],
        "decision": decision(api)["id"],
        "large": large(api)["id"],
        "largeLength": len(LARGE),
        "tag": "hostile",
        "endpoint": ENDPOINT,
        "texts": SHOWN,
        "key": f"console-{time.time_ns()}",
    }
    runner.run(
        subtests,
        "console.test.mjs",
        only,
        API_URL=stack.api_url,
        API_KEY=stack.api_key,
        STAGE_URL=f"{stack.endpoint_url}/_aws/execute-api/{outputs(stack)['ApiId']}/$default",
        SCENE=json.dumps(scene),
        **variables,
    )
    return completed, execution, failed_execution


def test_the_team_works_with_it_in_a_browser(api: Api, stack: Stack, subtests: pytest.Subtests) -> None:
    since = time.time_ns() // 1_000_000
    completed, execution, failed_execution = in_browser(subtests, api, stack)

    with subtests.test("the runs go on with what was decided"):
        assert api.result(execution) == ("SUCCEEDED", {"approved": True, "amount": 12345678901234567890})
        assert api.result(failed_execution) == ("FAILED", "Waitpoint")

    with subtests.test("no log has the key"):
        group = physical_name(stack, "LogGroup")
        until(lambda: any(completed in line for line in logged(stack, group, since)), "the log never arrived")
        lines = logged(stack, group, since)
        assert [line for line in lines if stack.api_key in line] == []


@pytest.mark.parametrize(
    "thorough",
    [pytest.param("", marks=pytest.mark.few), pytest.param("1", marks=pytest.mark.thorough)],
    ids=["one look", "both looks"],
)
def test_recorded_deliveries_are_read_and_sent_again_in_a_browser(
    thorough: str, api: Api, stack: Stack, secrets: Secrets, subtests: pytest.Subtests
) -> None:
    secret = f"the-secret-of-the-provider-{time.time_ns()}"
    verify = {"scheme": "token", "header": "x-hook-token", "secret": secrets.make("console", secret)}
    name = f"recorded-{time.time_ns()}"
    put = api.put_endpoint(name, key="body.order", verify=verify, recordDeliveries="7d")
    hostile = {"order": f"{IMAGE}{INVISIBLE} recorded key", SCRIPT: f"{SCRIPT}{INVISIBLE} recorded body"}
    texts = [f"{IMAGE}{INVISIBLE_SHOWN} recorded key", f"{SCRIPT}{INVISIBLE_SHOWN} recorded body", f"{IMAGE} recorded header"]
    deliveries: tuple[tuple[bytes, dict[str, str]], ...] = (
        (b'{"number": 7}', {"webhook-id": "event-1"}),
        (b'{"number": 7}', {"webhook-id": "event-1"}),
        (json.dumps(hostile, ensure_ascii=False).encode(), {"x-note": f"{IMAGE} recorded header"}),
        (b"\xff\x00", {"content-type": "application/octet-stream"}),
    )
    for body, headers in deliveries:
        sent = {"x-hook-token": secret, "content-type": "application/json", **headers}
        api.ask("POST", put["url"], body, key=None, headers=sent)
        time.sleep(1.1)  # so that their order is known, and a list has them
    scene = {"endpoint": name, "texts": texts, "verify": verify, "secret": secret}
    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "SCENE": json.dumps(scene)}
    runner.run(subtests, "console_deliveries.test.mjs", THOROUGH=thorough, **variables)


@pytest.mark.thorough
def test_each_view_has_the_other_look_too(api: Api, stack: Stack, subtests: pytest.Subtests) -> None:
    in_browser(subtests, api, stack, "no view violates", THOROUGH="1")


def test_a_list_of_many_stays_quick(stack: Stack, many: str, subtests: pytest.Subtests) -> None:
    pages = tokens_of(stack) // (LIST_SHARDS * sum(LISTED.read_ahead)) + 2  # the partitions are of about the same size
    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "OLDEST": many, "NEEDLE": NEEDLE, "PAGES": str(pages)}
    runner.run(subtests, "console_many.test.mjs", **variables)
