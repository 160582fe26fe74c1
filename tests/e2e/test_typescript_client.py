"""The TypeScript client on the deployed stack: its README's programs in Node.js, and a page in Chromium."""

import json
import subprocess
import uuid
import warnings
from pathlib import Path

import pytest
from waitpoints_client import FormField, PageOptions, Waitpoints

from tests.browser import runner
from tests.e2e.test_browser import Browser
from tests.support import node, typescript_client
from tests.support.documents import blocks
from tests.support.e2e.api import Api
from tests.support.e2e.secrets import Secrets
from tests.support.patience import PATIENCE
from tools.release.typescript_package import FOLDER
from waitpoints_local.stack import Stack

SNIPPETS = blocks((FOLDER / "README.md").read_text(), "snippet")
SECRET = "the-secret-of-the-provider"
ASKED = "deploy-4.2"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's programs, compiled as it says."""
    folder = tmp_path_factory.mktemp("project")
    names = {"ask.mts": "ask", "tokens.mts": "tokens", "browser.mts": "browser"}
    command = SNIPPETS["run"].split(" && ")[0].removeprefix("npx tsc ").removesuffix(" ask.mts").split()
    typescript_client.compile_programs(folder, {file: SNIPPETS[name] for file, name in names.items()}, command)
    return folder


def start(program: str | Path, programs: Path, stack: Stack, **variables: str) -> "subprocess.Popen[str]":
    given = {"WAITPOINTS_URL": stack.api_url, "WAITPOINTS_API_KEY": stack.api_key, **variables}
    command = [node.node(FOLDER), str(program)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=programs, env=node.environment(**given), stdout=pipe, stderr=pipe, text=True)


def test_a_strict_program_asks_with_a_page_and_gets_the_answer(programs: Path, api: Api) -> None:
    assert len(SNIPPETS["ask"].splitlines()) <= 30
    with start("ask.mjs", programs, api.stack) as asking:
        token = api.retrieve(api.find("tags", "deploy"))
        assert token["metadata"].keys() == {"key", "page"}
        link = {"url": token["links"][0]["url"]}
        assert api.deliver(link, {"action": "approve"}).status == 422
        assert api.deliver(link, {"action": "approve", "fields": {"share": 25}}).status == 200
        printed = asking.communicate(timeout=PATIENCE)
    assert (asking.returncode, *printed) == (0, "ann@example.com { share: 25 }\n", "")

    with start("ask.mjs", programs, api.stack) as again:  # as after a crash
        assert again.communicate(timeout=PATIENCE) == printed
    assert_python_finds(token["id"], api.stack)


def assert_python_finds(found: str, stack: Stack) -> None:
    """The Python client has the same key for the same call. It does not warn, since the page is the same."""
    share: FormField = {"type": "integer", "title": "Percent of traffic", "minimum": 1, "maximum": 100}
    page: PageOptions = {
        "title": "Deploy 4.2 to production?",
        "actions": [
            {"id": "approve", "label": "Approve"},
            {"id": "reject", "label": "Reject", "style": "danger", "needsFields": False},
        ],
        "fields": {"type": "object", "properties": {"share": share}, "required": ["share"]},
    }
    with Waitpoints(stack.api_url, stack.api_key) as waitpoints, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert waitpoints.ask(page, key=ASKED, approvers=["ann@example.com"]).unwrap()["fields"] == {"share": 25}
        [token] = waitpoints.list(tags="deploy")
    assert token.id == found


def test_a_program_that_is_refused_says_why(programs: Path, api: Api) -> None:
    with start("ask.mjs", programs, api.stack, WAITPOINTS_API_KEY="tr_prod_wrong") as asking:
        printed, said = asking.communicate(timeout=PATIENCE)
    assert (asking.returncode, printed) == (0, "")
    assert said.startswith("401 Unauthenticated ")
    assert "tr_prod_wrong" not in said


def test_a_program_creates_completes_waits_and_lists(programs: Path, api: Api) -> None:
    with start("tokens.mjs", programs, api.stack) as program:
        printed, said = program.communicate(timeout=PATIENCE)
    assert (program.returncode, said) == (0, "")
    token = api.find("tags", "order-1")
    assert printed.startswith(f"true\n{token['id']} COMPLETED\n")
    assert api.retrieve(token)["completedBy"]["userAgent"].startswith("waitpoints-client-js/")


def test_every_method_does_what_it_says(programs: Path, stack: Stack, secrets: Secrets) -> None:
    name = f"ts-{uuid.uuid4().hex[:12]}"
    given = {"NAME": name, "SECRET": SECRET, "SECRET_NAME": secrets.make("e2e-typescript", SECRET)}
    with start(typescript_client.client() / "tests" / "on_a_stack.mjs", programs, stack, **given) as program:
        printed, said = program.communicate(timeout=PATIENCE)
    assert (program.returncode, printed) == (0, "done\n"), said


@pytest.fixture
def browser(stack: Stack, tmp_path: Path) -> Browser:
    """Chromium, whose page has the client in its script."""
    bundle, client = tmp_path / "page.js", typescript_client.client() / "dist" / "index.js"
    command = [*node.esbuild(), "public_token.mjs", f"--outfile={bundle}", f"--alias:waitpoints-client={client}"]
    command += ["--bundle", "--format=esm", "--log-level=warning"]
    subprocess.run(command, cwd=runner.FOLDER, env=node.environment(), check=True)
    return Browser(runner.chromium(), tmp_path, bundle.read_bytes(), stack)


def test_a_page_completes_with_a_public_access_token_and_with_no_key(browser: Browser, api: Api) -> None:
    mine, other = (api.request("POST", "/api/v1/waitpoints/tokens", {}) for _ in range(2))
    output, token = {"approved": True, "by": "Žofie"}, mine.headers["x-trigger-jwt"]
    given = {"mine": mine.json["id"], "other": other.json["id"], "publicAccessToken": token, "output": output}
    report = browser.visit(**given, apiKey=api.stack.api_key)

    assert report["mine"] == {"success": True, "settled": True}
    assert report["again"] == {"success": True, "settled": False}
    assert {name: report["other"][name] for name in ("name", "status", "code")} == {
        "name": "WaitpointsError",
        "status": 403,
        "code": "unauthorized",
    }
    assert report["withApiKey"]["message"].startswith("An API key must not be in a browser")
    assert report["keyAsToken"]["message"].startswith("This is no public access token")
    assert json.loads(api.retrieve(mine.json)["output"]) == output
    assert api.retrieve(other.json)["status"] == "WAITING"
    assert {seen.headers.get("authorization") for seen in browser.seen if seen.method == "POST"} == {f"Bearer {token}"}
    assert {seen.answer_headers["access-control-allow-origin"] for seen in browser.seen} == {browser.origin}
