"""The documents agree with the files that they describe."""

import json
import re
from typing import Any

import pytest

from tests.support.documents import markdown
from tests.support.in_process.template import Template
from tests.support.readme import APPROVALS, PATTERNS_SNIPPETS, README, SNIPPETS
from tools.stack import ROOT
from waitpoints import endpoint_tally, idempotency_key, token
from waitpoints.api import request_checks
from waitpoints.aws import endpoint_store
from waitpoints.token import WaiterKind
from waitpoints.waiter_result import RESULT_LIMITS


def retries(definition: dict[str, Any]) -> list[Any]:
    return [state["Retry"] for state in definition["States"].values() if "Retry" in state]


@pytest.mark.parametrize("text", [*APPROVALS.values(), f'{{"States": {{{PATTERNS_SNIPPETS["own token"]}}}}}'])
def test_every_snippet_retries_as_the_example_state_machine_does(text: str) -> None:
    example = json.loads((ROOT / "examples" / "statemachines" / "wait_for_webhook.asl.json").read_text())
    assert retries(json.loads(text)) == retries(example)


def test_the_state_to_copy_is_that_of_the_whole_machine() -> None:
    for name, state in json.loads("{" + SNIPPETS["wait"] + "}").items():
        assert json.loads(APPROVALS["in JSONPath"])["States"][name] == state


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 180
    assert len(README.split()) <= 1300


def test_the_readme_says_what_a_stack_costs_that_is_hardly_used() -> None:
    costs = (ROOT / "docs" / "costs.md").read_text()
    [fixed] = re.findall(r"^\| \*\*in use\*\* \| \*\*([\d.]+)\*\* \|$", costs, re.MULTILINE)
    assert f"costs about ${float(fixed):.0f} a month" in README


def test_the_limits_are_those_of_the_code() -> None:
    assert f"| {token.MAX_WAITERS} waiters for a token |" in README
    assert f"A state's result is at most {RESULT_LIMITS[WaiterKind.STEP_FUNCTIONS] // 1024} KiB" in README
    api = (ROOT / "docs" / "api.md").read_text()
    assert f"up to {request_checks.MAX_TAGS} labels of at most {token.MAX_TAG_LENGTH} characters" in api
    assert f"at most {idempotency_key.MAX_LENGTH:,} characters. Creating" in api


def test_the_price_of_a_crash_of_the_timer_function_is_that_of_the_template() -> None:
    assert "If the timer function crashes, the affected runs continue two minutes later" in " ".join(README.split())
    assert Template.load().body["Resources"]["TimerQueue"]["Properties"]["VisibilityTimeout"] == 120


def test_docs_scaling_has_the_limits_of_the_stack() -> None:
    text = " ".join((ROOT / "docs" / "scaling.md").read_text().split())
    template = Template.load()
    routes = template.body["Resources"]["Api"]["Properties"]["RouteSettings"]
    bursts = routes["ANY /api/v1/endpoints/{name}/{hash}"]["ThrottlingBurstLimit"]
    deliveries = int(template.parameters["DeliveriesPerSecond"])
    assert f"`DeliveriesPerSecond`, {deliveries:,} by default, with bursts of {bursts:,}" in text
    assert endpoint_tally.WRITES_PER_SECOND == 2
    assert f"at most two writes a second in each Lambda environment, spread over {endpoint_store.SHARDS} items" in text


def test_the_architecture_names_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "functions" / "waitpoints").rglob("*.py")} - {"waitpoints"}
    assert len(packages) > 5
    text = (ROOT / "docs" / "internals" / "architecture.md").read_text()
    listed = text[text.index("## The modules") : text.index("## The table")]
    assert packages <= set(re.findall(r"`(\w+)/`", listed))


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in markdown():
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text()):
            linked = (path.parent / target) if target else path
            assert linked.exists(), (path.name, target)
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE) if anchor else []
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, (path.name, target, anchor)
