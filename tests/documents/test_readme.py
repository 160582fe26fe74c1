"""The documents agree with the files that they describe."""

import json
import re
from typing import Any

import pytest

from in_process.template import Template
from local.stack import ROOT
from tests.support.documents import markdown
from tests.support.readme import APPROVALS, PATTERNS_SNIPPETS, README
from waitpoints import endpoint_cache, endpoint_tally, idempotency_key, token
from waitpoints.api import create_request, list_query
from waitpoints.aws import endpoint_store
from waitpoints.waiter_result import RESULT_LIMIT


def retries(definition: dict[str, Any]) -> list[Any]:
    return [state["Retry"] for state in definition["States"].values() if "Retry" in state]


@pytest.mark.parametrize("text", [*APPROVALS.values(), f'{{"States": {{{PATTERNS_SNIPPETS["own token"]}}}}}'])
def test_every_snippet_retries_as_the_example_state_machine_does(text: str) -> None:
    example = json.loads((ROOT / "statemachines" / "wait_for_webhook.asl.json").read_text())
    assert retries(json.loads(text)) == retries(example)


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 293
    for section in ("A person approves", "A webhook resumes"):
        assert len(README.partition(f"\n## {section}\n")[2].partition("\n## ")[0].strip().splitlines()) <= 25


def test_the_price_of_a_million_waits_is_that_of_docs_costs() -> None:
    costs = (ROOT / "docs" / "costs.md").read_text()
    sums = re.search(r"^\| \*\*all together\*\* \|(.*)\|$", costs, re.MULTILINE)
    assert sums is not None
    webhook, approval = (float(dollars.strip(" *")) for dollars in sums[1].split("|")[:2])
    table = re.findall(r"^\| \[?\*{0,2}([^]|*]+)\*{0,2}(?:\]\([^)]*\))? \|[^|]*\| ([\d.]+) \|$", costs, re.MULTILINE)
    of = {name: float(dollars) for name, dollars in table}
    own, own_durable = of["Step Functions callback, stateless"], of["Lambda durable function, its callback"]
    durable = of["Waitpoints, durable function"]
    assert of["Waitpoints, Step Functions"] == pytest.approx(webhook + 25, abs=0.011)
    for row in (
        f"| of an execution, for a webhook | ${own:.0f} | ${webhook + 25:.0f} |",
        f"| of an execution, for an approval with a page | | ${approval + 25:.0f} |",
        f"| of a durable function, for a webhook | ${own_durable:.0f} | ${durable:.0f} |",
    ):
        assert row in README


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{token.MAX_WAITERS} waiters for a token" in README
    assert f"{create_request.MAX_TAGS} tags for a token, {token.MAX_TAG_LENGTH} characters each" in README
    assert f"{list_query.MAX_TAGS} tags in a filter" in README
    assert f"at most {idempotency_key.MAX_LENGTH:,} characters" in README
    assert f"of a durable function's wait, is at most {RESULT_LIMIT // 1024} KiB" in README


def test_the_price_of_a_crash_of_the_timer_function_is_that_of_the_template() -> None:
    assert "If the timer function crashes, the runs of its tokens go on two minutes later" in " ".join(README.split())
    assert Template.load().body["Resources"]["TimerQueue"]["Properties"]["VisibilityTimeout"] == 120


def test_docs_scaling_has_the_limits_of_the_stack() -> None:
    text = " ".join((ROOT / "docs" / "scaling.md").read_text().split())
    template = Template.load()
    routes = template.body["Resources"]["Api"]["Properties"]["RouteSettings"]
    bursts = routes["ANY /api/v1/endpoints/{name}/{hash}"]["ThrottlingBurstLimit"]
    deliveries = int(template.parameters["DeliveriesPerSecond"])
    assert f"`DeliveriesPerSecond`, {deliveries:,} by default, with bursts of {bursts:,}" in text
    assert (endpoint_tally.WRITES_PER_SECOND, endpoint_cache.CACHED_FOR) == (2, 60_000)
    assert f"at most two writes a second in each environment, spread over {endpoint_store.SHARDS} items" in text
    assert "one read a minute in each environment" in text


def test_the_architecture_names_every_module() -> None:
    package = ROOT / "functions" / "waitpoints"
    modules = {path.stem for path in package.rglob("*.py")} - {"__init__"}
    text = (ROOT / "docs" / "internals" / "architecture.md").read_text()
    listed = text[text.index("## The modules") : text.index("## The table")]
    assert modules <= set(re.findall(r"`(?:\w+/)?(\w+)`", listed))


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in markdown():
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
            linked = (path.parent / target) if target else path
            assert linked.exists(), (path.name, target)
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE) if anchor else []
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, (path.name, target, anchor)
