"""No endpoint that PUT accepts fails a delivery, whatever arrives, or evaluates it for longer than the bound.

In process, over the real handlers of PUT and of the deliveries: a request over HTTP would allow a hundredth of the examples.
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.expressions import HEAVIEST, LARGEST, expressions_of_deliveries, json_values
from tests.support.in_process.api_gateway import DOMAIN, TOKENS, Api
from tools.openapi.operations import ENDPOINTS
from waitpoints.api.callbacks.expressions import MAX_SELECTED, MAX_TEXT, MAX_VISITS, Work, is_constant
from waitpoints.api.endpoints import evaluation as endpoint_evaluation
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.token import COMPLETER_TEXT

ENDPOINT = f"{ENDPOINTS}/any"

FORM = "application/x-www-form-urlencoded"
texts = json_values.map(json.dumps)
fields = st.dictionaries(st.sampled_from("abc"), st.text(max_size=5) | texts, max_size=3)
deliveries = st.tuples(
    st.tuples(texts.map(str.encode), st.sampled_from(["application/json", "text/plain", FORM]))
    | st.tuples(texts.map(lambda text: json.dumps(text).encode()), st.just("application/json"))
    | st.tuples(fields.map(lambda form: urlencode(form, errors="replace").encode()), st.just(FORM))
    | st.tuples(st.binary(max_size=20), st.sampled_from(["application/octet-stream", FORM, "multipart/form-data; boundary=a"])),
    fields.map(lambda query: urlencode(query, errors="replace")) | st.text("a=&%+;ä", max_size=8),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=5),
)
configurations = st.fixed_dictionaries(
    {"key": expressions_of_deliveries},
    optional={
        "completeWhen": expressions_of_deliveries,
        "output": expressions_of_deliveries,
        "keyTTL": st.sampled_from(["0s", "1h"]),
    },
)

# The text that exceeds the bound was written before it was counted: up to eight bodies, with six characters for one.
LONGEST_TEXT = MAX_SELECTED * 6 * PAYLOAD_LIMIT


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """The work of each delivery so far."""
    made: list[Work] = []

    def make() -> Work:
        made.append(Work())
        return made[-1]

    monkeypatch.setattr(endpoint_evaluation, "Work", make)
    return made


def put(api: Api, configuration: dict[str, Any]) -> str | None:
    """The URL of a new endpoint; None if its configuration is refused."""
    api.request("DELETE", ENDPOINT)
    answer = api.request("PUT", ENDPOINT, {"verify": "none", **configuration})
    assert answer.status in (200, 422), answer.text
    return str(answer.json["url"]) if answer.status == 200 else None


def deliveries_of(api: Api) -> dict[str, Any]:
    return api.get(ENDPOINT).json["deliveries"]


def tried(api: Api, body: bytes, query: str, headers: dict[str, str]) -> str | None:
    """What the endpoint's test says would become of a delivery; None if its body is not text, which a test cannot send."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    every_header = {"content-length": str(len(body)), "host": DOMAIN, **headers}  # an expression may look at any
    return str(api.ask("POST", f"{ENDPOINT}/test", {"body": text, "query": query, "headers": every_header})["outcome"])


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
    max_examples=300,
)
@given(configurations, deliveries)
def test_any_delivery_to_any_endpoint_is_understood(
    api: Api, works: list[Work], configuration: dict[str, Any], delivery: Any
) -> None:
    (body, content_type), query, header = delivery
    url = put(api, configuration)
    assume(url)
    sent = {"content-type": content_type, "a": header}

    works.clear()
    expected = tried(api, body, query, sent)

    answers = [api.post(f"{url}?{query}", body, sent) for _ in range(2)]

    assert {(answer.status, answer.text) for answer in answers} == {(200, '{"success":true}')}
    assert sum(kind["count"] for kind in deliveries_of(api).values()) == 2
    assert all(work.visits <= MAX_VISITS and work.characters <= MAX_TEXT for work in works)
    assert expected is None or expected in deliveries_of(api)
    kept = deliveries_of(api).get("kept")
    if kept and len(kept["lastKey"]) < COMPLETER_TEXT:  # cut there
        created = api.post(TOKENS, {"idempotencyKey": kept["lastKey"]}).json
        assert created["isCached"]
        json.loads(api.retrieve(created["id"])["output"])


@pytest.mark.slow
@pytest.mark.parametrize("body", LARGEST)
def test_the_largest_bodies_take_no_more_than_the_bound_for_all_expressions_together(
    api: Api, works: list[Work], body: str
) -> None:
    keys = [expression for expression in HEAVIEST if not is_constant(expression)]
    for index in range(list(LARGEST).index(body), len(HEAVIEST), 4):
        complete_when, output, key = HEAVIEST[index], HEAVIEST[index - 1], keys[index % len(keys)]
        url = put(api, {"key": key, "completeWhen": f"{complete_when}||body||`1`", "output": output})
        assert url
        assert api.post(url, LARGEST[body], {"content-type": "application/json"}).status == 200
        assert works[-1].visits <= MAX_VISITS + 1
        assert works[-1].characters <= MAX_TEXT + LONGEST_TEXT
