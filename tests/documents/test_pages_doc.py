"""docs/pages.md: every create is accepted, and the run gets the output that stands below it."""

import json
import re
from typing import Any

import pytest

from tests.support.documents import blocks
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.html_page import HtmlPage
from tests.support.readme import APPROVALS, SNIPPETS
from tools.stack import ROOT
from waitpoints import approvers
from waitpoints.api.page import field_checks, page_checks
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page.fields import Kind

PAGE = (ROOT / "docs" / "pages.md").read_text()
STATE = blocks(PAGE, "state")["approval"]
EXAMPLES, OUTPUTS, ANSWERS = (
    {name: json.loads(text) for name, text in blocks(PAGE, kind).items()} for kind in ("example", "output", "answer")
)
BROWSER = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_create_is_accepted_and_shown(api: Api, name: str) -> None:
    token = api.create(**EXAMPLES[name])
    title = EXAMPLES[name]["page"]["title"]
    shown = HtmlPage(api.get(token["url"], BROWSER).text).text
    assert (title if isinstance(title, str) else title["en"]) in shown


def test_the_examples_have_every_kind_of_field() -> None:
    schemas = [body["page"]["fields"] for body in EXAMPLES.values() if "fields" in body["page"]]
    fields = [field for schema in schemas for field in page_fields.of_schema(schema)]
    shown = {field.kind for field in fields} | {Kind.YES_NO for field in fields if field.must_be_ticked}
    assert shown == set(Kind)


def test_the_run_gets_what_the_page_says(api: Api) -> None:
    token = api.create(**EXAMPLES["approval"])
    shown = HtmlPage(api.get(token["url"], BROWSER).text)
    shown.fields = [(name, "25" if name == "field.share" else text) for name, text in shown.fields]
    assert api.post(token["url"], shown.press("Approve"), BROWSER).status == 200
    assert json.loads(api.retrieve(token["id"])["output"]) == OUTPUTS["approval"]


def test_several_people_answer_as_the_page_says(api: Api) -> None:
    token = api.create(**EXAMPLES["approvers"])
    assert [it["approver"] for it in token["links"]] == ["ann", "bo@example.com", "dee", "lead@example.com"]
    urls = {it["approver"]: it["url"] for it in token["links"]}
    assert urls["ann"].endswith("?approver=ann")
    expected = OUTPUTS["approvers"]
    for answer in expected["answers"]:
        shown = HtmlPage(api.get(urls[answer["approver"]], BROWSER).text)
        assert api.post(urls[answer["approver"]], shown.press("Approve"), BROWSER).status == 200
    given = json.loads(api.retrieve(token["id"])["output"])
    for answer, its_example in zip(given["answers"], expected["answers"], strict=True):
        answer["at"] = its_example["at"]
    assert given == expected


def test_the_choice_state_is_that_of_the_readme_and_names_an_action() -> None:
    [(name, state)] = json.loads("{" + STATE + "}").items()
    assert json.loads(APPROVALS["in JSONPath"])["States"][name] == state
    [action] = re.findall(r'"StringEquals": "(\w+)"', STATE)
    for page in (EXAMPLES["approval"]["page"], json.loads(SNIPPETS["page"])):
        assert action in [one["id"] for one in page["actions"]]


def test_a_program_answers_as_the_page_says(api: Api) -> None:
    token = api.create(**EXAMPLES["approval"])
    assert api.post(token["url"], ANSWERS["approval"], {}).status == 200
    assert json.loads(api.retrieve(token["id"])["output"]) == OUTPUTS["approval"]


def test_the_shortest_page_is_as_the_page_says(api: Api) -> None:
    [shortest] = re.findall(r"The shortest page is `(.*?)`", PAGE)
    [output] = re.findall(r"the run gets\s`(.*?)`", PAGE)
    token = api.create(**json.loads(shortest))
    shown = HtmlPage(api.get(token["url"], BROWSER).text)
    assert api.post(token["url"], shown.press("Submit"), BROWSER).status == 200
    assert json.loads(api.retrieve(token["id"])["output"]) == json.loads(output)


def test_the_error_is_as_the_page_says(api: Api) -> None:
    action: Any = {"id": "a", "label": "A", "style": "red"}
    answer = api.post("/api/v1/waitpoints/tokens", {"page": {"title": "T", "actions": [action]}})
    assert answer.status == 422
    assert f"`{answer.error}`" in PAGE


@pytest.mark.parametrize(
    "limit",
    [
        page_checks.MAX_BYTES,
        page_checks.MAX_TITLE,
        page_checks.MAX_TEXT,
        page_checks.MAX_URL,
        page_checks.MAX_HTML,
        approvers.MAX_ANSWER,
        field_checks.MAX_FIELDS,
        page_fields.MAX_TEXT,
    ],
)
def test_the_page_names_the_limit(limit: int) -> None:
    assert re.search(rf"(?<![\d,]){limit:,}(?![\d,])", PAGE)


def test_the_create_of_the_readme_is_accepted_and_shown(api: Api) -> None:
    token = api.create(page=json.loads(SNIPPETS["page"]))
    for link in token["links"]:
        assert set(HtmlPage(api.get(link["url"], BROWSER).text).buttons) == {"Approve", "Reject"}
