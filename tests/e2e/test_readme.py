"""Every snippet of README.md, and of the pages that continue it, as a reader pastes it into a shell, Node.js or the engine."""

import json
import os
import re
import subprocess
import uuid
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support import node
from tests.support.e2e.api import Api
from tests.support.e2e.durable import Durable
from tests.support.programs import need, printed
from tests.support.readme import API_SNIPPETS, APPROVALS, DURABLE_SNIPPETS, PATTERNS_SNIPPETS, SNIPPETS, json_texts
from tools.stack import ROOT
from waitpoints_local.stack import Stack

PATTERNS = ROOT / "docs" / "patterns.md"
PAGE = json.loads(SNIPPETS["page"])


def run(command: list[str], stack: Stack, folder: Path = ROOT) -> str:
    """Run a command with API and KEY in its environment. Returns its output."""
    environment = {**os.environ, "API": stack.api_url, "KEY": stack.api_key, "NO_PROXY": "127.0.0.1,localhost"}
    return printed(command, folder, environment)


def with_names(stack: Stack, text: str) -> str:
    text = text.replace("<WaitFunctionName>", stack.wait_function_name)
    return text.replace("<CreateFunctionName>", stack.create_function_name)


def start(api: Api, definition: str, given: str) -> str:
    """Create a state machine with the role that `make run` prints, and start it. Returns the execution's ARN."""
    step_functions, role = api.stack.client("stepfunctions"), api.stack.machine_role_arn
    made = step_functions.create_state_machine(name=f"readme-{uuid.uuid4().hex}", definition=definition, roleArn=role)
    return api.start(made["stateMachineArn"], json.loads(given))


@pytest.mark.parametrize("name", APPROVALS)
class TestTheApproval:
    """By the engine. `test_command_line.py` approves it with a line of curl."""

    @pytest.mark.parametrize("answer", [{"action": "reject"}, {"text": "What is this?"}])
    def test_rejects_any_other_answer(self, api: Api, name: str, answer: dict[str, str]) -> None:
        token = api.create(timeout="1h")
        execution = start(api, with_names(api.stack, APPROVALS[name]), json.dumps({"token": {"id": token["id"]}}))
        api.wait_until_registered(token)
        api.deliver(token, answer)
        assert api.result(execution) == ("FAILED", "Rejected")

    def test_times_out_with_its_own_error(self, api: Api, name: str) -> None:
        token = api.create(timeout="1s")
        execution = start(api, with_names(api.stack, APPROVALS[name]), json.dumps({"token": token}))

        assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")

    def test_is_approved_by_a_page(self, api: Api, name: str) -> None:
        token = api.create(timeout="3d", page=PAGE)
        execution = start(api, with_names(api.stack, APPROVALS[name]), json.dumps({"token": token}))
        api.wait_until_registered(token)

        bo = token["links"][1]
        api.press(bo["url"], "Approve")
        output = {"action": "approve", "fields": {}, "approver": bo["approver"], "answers": api.retrieve(token)["answers"]}
        assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": output})


def test_the_durable_function_waits_for_the_approval(api: Api, durable: Durable) -> None:
    durable.create("readme", DURABLE_SNIPPETS["wait"])
    answered, timed_out = api.create(timeout="1h"), api.create(timeout="1s")
    executions = [durable.start("readme", {"token": {"id": token["id"]}}) for token in (answered, timed_out)]
    api.wait_until_registered(answered)
    api.deliver(answered, {"action": "approve"})
    (approved, failed) = map(durable.result, executions)
    assert approved == ("SUCCEEDED", "approved")
    assert failed[1].startswith("failed or timed out: Waitpoint timed out at")


def test_a_state_machine_creates_its_own_token(api: Api) -> None:
    definition = json.loads(with_names(api.stack, APPROVALS["in JSONPath"]))
    definition["States"] |= json.loads("{" + with_names(api.stack, PATTERNS_SNIPPETS["own token"]) + "}")
    definition["States"]["Create token"]["Parameters"]["Payload"]["tags"] = [tag := uuid.uuid4().hex]
    definition["StartAt"] = "Create token"
    execution = start(api, json.dumps(definition), "{}")
    token = api.find("tags", tag)
    api.wait_until_registered(token)

    api.press(token["url"], "Approve")
    assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": {"action": "approve", "fields": {}}})


@pytest.mark.parametrize("keyed", ["as in the snippet", "as for a map"])
def test_items_of_a_map_share_a_token_unless_their_key_names_the_item(api: Api, keyed: str) -> None:
    create = json.loads("{" + with_names(api.stack, PATTERNS_SNIPPETS["own token"]) + "}")["Create token"]
    create = {name: value for name, value in create.items() if name != "Next"} | {"End": True}
    if keyed == "as for a map":
        [key] = re.findall(r"`\"idempotencyKey\.\$\": \"(States\.Format\(.*\))\"`", PATTERNS.read_text())
        create["Parameters"]["Payload"]["idempotencyKey.$"] = key
    processor = {"StartAt": "Create token", "States": {"Create token": create}}
    items = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    execution = start(api, json.dumps({"StartAt": "Items", "States": {"Items": items}}), '{"items": [{}, {}, {}]}')
    status, made = api.result(execution)
    assert (status, len({it["token"]["id"] for it in made})) == ("SUCCEEDED", 3 if keyed == "as for a map" else 1)


def test_the_curl_lines_create_complete_retrieve_and_list(stack: Stack) -> None:
    need("curl")
    posted, retrieved, listed = json_texts(run(["sh", "-euc", API_SNIPPETS["curl"]], stack))
    assert posted == {"success": True}
    assert (retrieved["status"], json.loads(retrieved["output"])) == ("COMPLETED", {"approved": True})
    assert retrieved["id"] in [token["id"] for token in listed["data"]]


@pytest.fixture
def clone(stack: Stack, tmp_path: Path) -> Path:
    """A folder as a clone in which `make run` serves, with the files that the README's reader has saved."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(asdict(stack)))
    (tmp_path / ".local" / "local").symlink_to(ROOT / ".local" / "local")
    (tmp_path / "page.json").write_text(SNIPPETS["page"])
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def lines(name: str) -> list[str]:
    """The command that runs a snippet in a terminal that has `waitpoints` on its path."""
    return ["sh", "-euc", SNIPPETS["path"] + SNIPPETS[name]]


def test_the_lines_ask_a_person(api: Api, clone: Path) -> None:
    links = dict(line.split("\t") for line in run(lines("ask"), api.stack, clone).splitlines())
    assert list(links) == ["link ann@example.com", "link bo@example.com"]
    api.press(links["link bo@example.com"], "Reject")
    [identifier] = set(re.findall(r"waitpoint_\w+", "".join(links.values())))
    token = api.retrieve({"id": identifier})
    assert (json.loads(token["output"])["action"], token["completedBy"]["approver"]) == ("reject", "bo@example.com")


def test_the_endpoint_lines_keep_a_delivery_for_its_token(stack: Stack, clone: Path) -> None:
    need("curl")
    said = run(lines("endpoint"), stack, clone)
    answer, output = json_texts(said[said.index('{"success"') :])
    assert (answer, output) == ({"success": True}, {"order": 1001, "paid": True})


def test_the_line_tries_the_approval(api: Api, clone: Path) -> None:
    environment = {**os.environ, "NO_PROXY": "127.0.0.1,localhost"}
    with subprocess.Popen(lines("try"), cwd=clone, env=environment, stdout=subprocess.PIPE, text=True) as tried:
        assert tried.stdout
        url = next(url for line in tried.stdout for url in re.findall(r"As bo@example.com, open (http\S+)", line))
        api.press(url, "Approve")
        rest = tried.stdout.read()
    assert ("SUCCEEDED" in rest, tried.returncode) == (True, 0), rest


def test_the_sdk_example_prints_the_output(stack: Stack) -> None:
    program = node.FOLDER / "readme_tokens.mjs"  # beside the packages, where Node.js looks for them
    program.write_text(API_SNIPPETS["SDK"])
    try:
        said = run([node.node(), program.name], stack, node.FOLDER)
    finally:
        program.unlink()
    assert said == "COMPLETED { approved: true }\n"
