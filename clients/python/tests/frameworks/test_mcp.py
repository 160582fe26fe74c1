"""`waitpoints mcp`, asked by the official client: in memory, and as a process that is killed, against a stack."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ElicitResult, TextContent

from waitpoints_client import AsyncWaitpoints, Waitpoints
from waitpoints_client.agents.mcp_server import make_server
from waitpoints_client.agents.questions import Questions
from waitpoints_client.testing import FakeWaitpoints

pytestmark = pytest.mark.anyio
ANN = "ann@example.com"
PROTOCOLS = ["legacy", "2026-07-28"]  # legacy: 2025-11-25
on_a_stack = pytest.mark.skipif("WAITPOINTS_URL" not in os.environ, reason="needs a stack")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def asking(
    stack: FakeWaitpoints | AsyncWaitpoints,
    mode: str = "legacy",
    *,
    elicit: Any = None,
    heard: Any = None,
    **setup: Any,
) -> AsyncIterator[Client]:
    """Connect the official client with a server in this process."""
    setup = {"run": "r", "title": "Claude asks", **(setup if "sign_in" in setup else {"approvers": [ANN], **setup})}
    questions = Questions(stack.async_client() if isinstance(stack, FakeWaitpoints) else stack, **setup)
    async with Client(make_server(questions), mode=mode, elicitation_callback=elicit, message_handler=heard) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the structured content of a tool's result, which the text repeats."""
    asked = {"wait_seconds": 0, "key": "7", **arguments} if tool == "ask_person" else arguments
    result = await client.call_tool(tool, asked)
    [text] = result.content
    assert isinstance(text, TextContent)
    assert not result.is_error, text.text
    assert json.loads(text.text) == result.structured_content
    return dict(result.structured_content or {})


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Return the sentence of a tool's error."""
    result = await client.call_tool(tool, {"key": "7", **arguments} if tool == "ask_person" else arguments)
    [text] = result.content
    assert isinstance(text, TextContent)
    assert result.is_error
    return str(text.text)


async def agree(*_: Any) -> ElicitResult:
    return ElicitResult(action="accept")


def ids(fake: FakeWaitpoints) -> list[str]:
    return [token.id for token in fake.client().list()]


@pytest.mark.parametrize("mode", PROTOCOLS)
@pytest.mark.parametrize("arguments", [{}, {"kind": "choice", "choices": ["no", "yes"]}, {"kind": "text"}])
async def test_a_person_answers_while_the_tool_waits_or_until_the_next_call(
    fake: FakeWaitpoints, mode: str, arguments: Any
) -> None:
    expected = {"choice": ("choice-1", "yes", "answered"), "text": ("answer", "Yes!", "answered")}
    action, answer, state = expected.get(arguments.get("kind"), ("approve", "", "approved"))
    async with asking(fake, mode) as client:
        waits = await call(client, "ask_person", question="May I?", **arguments)
        assert waits["state"] == "waiting"
        assert (await call(client, "list_waiting"))["questions"] == [waits | {"page": ""}]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, fake.answer, waits["id"], ANN, action, {"answer": answer})
            told = await call(client, "ask_person", question="May I?", wait_seconds=30, **arguments)

        assert [told[name] for name in ("id", "state", "answer", "by")] == [waits["id"], state, answer, ANN]
        assert await call(client, "check", id=waits["id"]) == told | {"page": ""}
        assert await call(client, "list_waiting") == {"questions": [], "more": False}


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_two_questions_wait_at_once_and_the_same_call_twice_is_one(fake: FakeWaitpoints, mode: str) -> None:
    told: list[dict[str, Any]] = []

    async def ask(client: Client, question: str) -> None:
        told.append(await call(client, "ask_person", question=question, wait_seconds=50))

    async with asking(fake, mode) as client, anyio.create_task_group() as tasks:
        for question in ("First?", "Second?", "Second?"):
            tasks.start_soon(ask, client, question)
        with anyio.fail_after(20):
            while len((await call(client, "list_waiting"))["questions"]) < 2:
                await anyio.sleep(0.01)
        waiting = {one["question"]: one["id"] for one in (await call(client, "list_waiting"))["questions"]}
        await anyio.to_thread.run_sync(fake.answer, waiting["Second?"], ANN, "reject")
        await anyio.sleep(0.1)
        await anyio.to_thread.run_sync(fake.answer, waiting["First?"], ANN, "approve")

    assert [one["state"] for one in told] == ["rejected", "rejected", "approved"]
    assert len(ids(fake)) == 2


class TestAPageWithASignIn:
    """Its URL is where people answer, so the person at the client gets it."""

    @pytest.mark.parametrize("mode", PROTOCOLS)
    async def test_is_opened_by_a_client_that_can(self, fake: FakeWaitpoints, mode: str) -> None:
        opened: list[Any] = []
        heard: list[str] = []

        async def answer_there(_: Any, opening: Any) -> ElicitResult:
            opened.append(opening)
            fake.answer(ids(fake)[0], ANN, "approve")
            return ElicitResult(action="accept")

        async def hear(message: Any) -> None:
            heard.append(getattr(message, "method", ""))

        setup = {"sign_in": {"domains": ["example.com"]}}
        async with asking(fake, mode, elicit=answer_there, heard=hear, **setup) as client:
            told = await call(client, "ask_person", question="May I?", wait_seconds=30)

        assert (told["state"], told["by"]) == ("approved", ANN)
        assert [(opening.mode, opening.url) for opening in opened] == [("url", told["page"])]
        assert opened[0].elicitation_id == (told["id"] if mode == "legacy" else None)  # later versions have none
        assert ("notifications/elicitation/complete" in heard) == (mode == "legacy")

    @pytest.mark.parametrize("mode", PROTOCOLS)
    @pytest.mark.parametrize("action", ["decline", "cancel"])
    async def test_waits_for_others_if_the_person_does_not_want_to(self, fake: FakeWaitpoints, mode: str, action: Any) -> None:
        async def refuse(*_: Any) -> ElicitResult:
            return ElicitResult(action=action)

        async with asking(fake, mode, elicit=refuse, sign_in={"domains": ["example.com"]}) as client:
            with anyio.fail_after(20):  # it does not wait
                told = await call(client, "ask_person", question="May I?", wait_seconds=50)
        assert told["state"] == "waiting"
        assert told["note"].startswith("Waiting for anyone of example.com.")

    @pytest.mark.parametrize("mode", PROTOCOLS)
    async def test_is_in_the_result_for_a_client_that_cannot(self, fake: FakeWaitpoints, mode: str) -> None:
        async with asking(fake, mode, sign_in={"domains": ["example.com"]}) as client:
            told = await call(client, "ask_person", question="May I?")
        assert f"They sign in at {told['page']} to answer." in told["note"]

    async def test_is_closed_once_somebody_else_has_answered(self, fake: FakeWaitpoints) -> None:
        async def leave_open(*_: Any) -> ElicitResult:
            fake.answer(ids(fake)[0], ANN, "reject")
            await anyio.sleep_forever()
            raise AssertionError

        async with asking(fake, elicit=leave_open, approvers=[ANN], sign_in=True) as client:
            assert (await call(client, "ask_person", question="May I?"))["state"] == "rejected"


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_nobody_is_sent_to_a_page_where_they_cannot_answer(fake: FakeWaitpoints, mode: str) -> None:
    async def fail(*_: Any) -> ElicitResult:
        raise AssertionError

    async with asking(fake, mode, elicit=fail) as client:
        assert (await call(client, "ask_person", question="May I?"))["state"] == "waiting"


class TestRubbish:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({}, "Field required"),
            ({"question": ""}, "at least 1 character"),
            ({"question": " \n\u200b"}, "The question is blank"),
            ({"question": "x", "key": None}, "valid string"),
            ({"question": "x", "key": ""}, "at least 1 character"),
            ({"question": "x", "approver": "me"}, "Unknown argument approver: question, key, kind, choices, wait_seconds are"),
            ({"question": "x", "kind": "choice", "choices": ["a", "None of these"]}, "must differ"),
            ({"question": "x" * 1_000_000}, "at most 4000 characters"),
            ({"question": 7}, "valid string"),
            ({"question": "x", "kind": "order"}, "'approval', 'choice' or 'text'"),
            ({"question": "x", "kind": "choice"}, "needs two choices or more"),
            ({"question": "x", "kind": "choice", "choices": ["a"]}, "needs two choices or more"),
            ({"question": "x", "choices": ["a", "b"]}, "no other kind has choices"),
            ({"question": "x", "kind": "choice", "choices": ["a"] * 7}, "at most 6 items"),
            ({"question": "x", "wait_seconds": 51}, "less than or equal to 50"),
            ({"question": "x", "wait_seconds": -1}, "greater than or equal to 0"),
        ],
    )
    async def test_in_a_question_is_refused_with_what_is_accepted(
        self, fake: FakeWaitpoints, arguments: Any, says: str
    ) -> None:
        async with asking(fake) as client:
            assert says in await refusal(client, "ask_person", **arguments)
        assert ids(fake) == []

    @pytest.mark.parametrize("hostile", ["nope", "waitpoint_", "../../keys", "waitpoint_01m8nkr01rm204sqywbq291ccp", "\u202e"])
    async def test_as_an_id_gets_the_same_answer_as_the_id_of_another(self, fake: FakeWaitpoints, hostile: str) -> None:
        others = fake.client().create(metadata={"run": "other", "question": "a secret"})
        async with asking(fake) as client:
            said = await refusal(client, "check", id=others.id)
            assert "secret" not in said
            assert await refusal(client, "check", id=hostile) == said
            assert "at most 64 characters" in await refusal(client, "check", id="x" * 1_000_000)


class TestAStackThatRefuses:
    """The agent gets a sentence, and the server goes on."""

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (httpx.Response(401, json={"error": "Invalid API key"}), "401: Invalid API key"),
            (httpx.Response(403, json={"error": "The key has not the scope notify"}), "the scope notify"),
            (httpx.Response(422, json={"error": "Invalid notify.email: set MailFrom"}), "set MailFrom"),
            (httpx.Response(200, text="<html>"), "did not answer as the Waitpoints API does"),
        ],
    )
    async def test_with_a_reason(self, answer: httpx.Response, says: str) -> None:
        transport = httpx.MockTransport(lambda _: answer)
        async with asking(AsyncWaitpoints("https://a.test", "the-key", transport=transport)) as client:
            for tool in ({"tool": "ask_person", "question": "May I?"}, {"tool": "check", "id": "x"}, {"tool": "list_waiting"}):
                said = await refusal(client, **tool)
                assert says in said
                assert "the-key" not in said

    async def test_to_be_read_before_anybody_is_asked(self, fake: FakeWaitpoints) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            refusal = httpx.Response(403, json={"error": "The API key has not the scope read"})
            return refusal if request.method == "GET" else fake.handle_request(request)

        async with asking(AsyncWaitpoints(fake.url, fake.api_key, transport=httpx.MockTransport(handle))) as client:
            assert "scope read" in await refusal(client, "ask_person", question="May I?")
        assert ids(fake) == []

    async def test_after_it_has_asked(self, fake: FakeWaitpoints) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            return fake.handle_request(request) if ids(fake) == [] else httpx.Response(418, json={"error": "gone"})

        async with asking(AsyncWaitpoints(fake.url, fake.api_key, transport=httpx.MockTransport(handle))) as client:
            said = await refusal(client, "ask_person", question="May I?")
        assert said.endswith(f"418: gone. The question was asked: call check with the id {ids(fake)[0]} later")


async def test_the_model_reads_who_is_asked_and_cannot_choose_them(fake: FakeWaitpoints) -> None:
    async with asking(fake, approvers=[ANN, {"id": "bo", "name": "Bo Ek"}]) as client:
        assert str(client.instructions).endswith("ann@example.com, Bo Ek.")
        names = {name for tool in (await client.list_tools()).tools for name in tool.input_schema["properties"]}
        assert names == {"question", "kind", "choices", "key", "wait_seconds", "id"}
        for unknown in ({"approvers": ["me"]}, {"notify": {"email": True}}, {"title": "Your bank"}, {"timeout": "1s"}):
            assert "Unknown argument" in await refusal(client, "ask_person", question="May I?", **unknown)
        assert not any(tool.input_schema["additionalProperties"] for tool in (await client.list_tools()).tools)
        await call(client, "ask_person", question="May I?")
    [token] = fake.client().list()
    assert token.page
    assert token.page.title == "Claude asks"
    assert [person.id for person in fake.client().get(token).approvers] == [ANN, "bo"]


def test_no_other_command_imports_it() -> None:
    lines = "import sys; from waitpoints_client.cli.program import program; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert set(printed.stdout.split()).isdisjoint({"mcp", "mcp_types", "waitpoints_client.agents"})


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, None])
def test_it_ends_at_once_with_ctrl_c_and_with_its_client(way: Any) -> None:
    command = [sys.executable, "-m", "waitpoints_client.cli", "mcp", "--sign-in-domain", "example.com"]
    environment = dict(os.environ) | {"WAITPOINTS_URL": "http://127.0.0.1:9", "WAITPOINTS_API_KEY": "the-key"}
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True, env=environment)
    assert process.stdin
    assert process.stdout
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    print(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}), file=process.stdin, flush=True)
    assert process.stdout.readline()
    if way:
        process.send_signal(way)
        assert process.wait(120) == -way
    assert process.communicate(timeout=120) == ("", "")
    assert process.returncode == (-way if way else 0)


# A process of its own, against a stack


class Served:
    """The command `waitpoints mcp`, which the official client starts."""

    def __init__(self, folder: Path, *options: str, key: str, url: str = "") -> None:
        self._pid = folder / "pid"
        command = [sys.executable, "-m", "waitpoints_client.cli", "mcp", *options]
        environment = {"WAITPOINTS_API_KEY": key, "PID": str(self._pid), **({"WAITPOINTS_URL": url} if url else {})}
        script = 'echo $$ > "$PID"; exec "$@"'
        self.server = StdioServerParameters(
            command="/bin/sh", args=["-c", script, "sh", *command], env=dict(os.environ) | environment, cwd=folder
        )

    def kill(self) -> None:
        os.kill(int(self._pid.read_text()), signal.SIGKILL)


@pytest.fixture
def over_http(fake: FakeWaitpoints, serve_url: Callable[..., str]) -> str:
    """The URL at which the stack in memory answers."""

    def answer(asked: Any) -> tuple[int, dict[str, str], bytes]:
        body = asked.rfile.read(int(asked.headers.get("content-length", 0)))
        request = httpx.Request(asked.command, f"{fake.url}{asked.path}", headers=dict(asked.headers), content=body)
        answered = fake.handle_request(request)
        return answered.status_code, {"content-type": "application/json"}, answered.content

    return serve_url(answer)


@pytest.fixture(scope="session")
def stack() -> Waitpoints:
    return Waitpoints()


@pytest.fixture(scope="session")
def keys(stack: Waitpoints) -> Iterator[dict[str, str]]:
    """Named keys by their scopes."""
    scopes = {f"mcp-{os.getpid()}": "create read", f"mcp-reads-{os.getpid()}": "read", f"mcp-creates-{os.getpid()}": "create"}
    yield {each: stack.keys.create(name, each.split(), expires="1h").key for name, each in scopes.items()}
    for name in scopes:
        stack.keys.revoke(name)


@pytest.fixture(scope="session")
def key(keys: dict[str, str]) -> str:
    """A key that may create and read, and nothing else."""
    time.sleep(6)  # until all functions know it
    return keys["create read"]


@on_a_stack
@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_a_server_that_was_killed_finds_its_question_again(
    tmp_path: Path, stack: Waitpoints, key: str, mode: str
) -> None:
    served = Served(tmp_path, "--approver", ANN, "--title", "An agent of the tests", key=key)
    question: dict[str, Any] = {"question": f"May I, {tmp_path}?", "kind": "choice", "choices": ["\U0001f600" * 80, "no"]}
    with pytest.raises(BaseException):  # noqa: B017, PT011, PT012 - however the client says that the server is gone
        async with Client(served.server, mode=mode) as client:
            first = await call(client, "ask_person", **question)
            served.kill()
            await call(client, "ask_person", **question, wait_seconds=50)

    async with Client(served.server, mode=mode) as client:
        assert [one["id"] for one in (await call(client, "list_waiting"))["questions"]] == [first["id"]]
        assert (await call(client, "ask_person", **question))["id"] == first["id"]
        assert first["question"] == question["question"]
        post_to_all(stack, key, first)
        [link] = stack.get(first["id"]).links
        httpx.post(link.url, json={"action": "choice-0", "fields": {}}).raise_for_status()
        told = await call(client, "check", id=first["id"], wait_seconds=50)
    assert (told["answer"], told["by"]) == (question["choices"][0], ANN)
    assert stack.get(first["id"]).created_by == f"mcp-{os.getpid()}"


def post_to_all(stack: Waitpoints, key: str, told: Any) -> None:
    """Post to all that the agent was told, with the server's own key. Nothing of it settles the question."""
    text = json.dumps(told)
    urls, answer = re.findall(r"https?://[^\s\"\\]+", text), {"action": "choice-0", "fields": {}}
    assert urls
    links = stack.get(told["id"]).links
    assert not [link for link in links if link.url in text or link.url.rpartition("/")[2].partition("?")[0] in text]
    tokens = f"{stack.url}/api/v1/waitpoints/tokens/{told['id']}"
    for url in (*urls, *(f"{url}?approver={ANN}" for url in urls), f"{tokens}/complete", f"{tokens}/callback/{told['id']}"):
        for body in (answer, {"data": answer}):
            for headers in ({}, {"authorization": f"Bearer {key}"}):
                assert httpx.post(url, json=body, headers=headers).status_code in (401, 403, 404, 422), url
    assert stack.get(told["id"]).status == "WAITING"


@on_a_stack
@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(("scope", "missing"), [("read", "create"), ("create", "read")])
async def test_a_key_without_a_scope_is_told_which_before_anybody_is_asked(
    tmp_path: Path, keys: dict[str, str], scope: str, missing: str
) -> None:
    async with Client(Served(tmp_path, "--approver", ANN, key=keys[scope]).server) as client:
        said = await refusal(client, "ask_person", question="May I?")
    assert missing in said
    assert keys[scope] not in said
    async with Client(Served(tmp_path, "--approver", ANN, key=keys["create read"]).server) as client:
        assert await call(client, "list_waiting") == {"questions": [], "more": False}


async def test_a_stack_that_does_not_answer_is_named(tmp_path: Path) -> None:
    served = Served(tmp_path, "--approver", ANN, key="the-key", url="http://127.0.0.1:9")
    async with Client(served.server) as client:
        said = await refusal(client, "ask_person", question="May I?")
        assert len((await client.list_tools()).tools) == 3
    assert "127.0.0.1:9 did not answer" in said


async def test_a_server_that_was_killed_while_the_page_was_opened_finds_its_question(tmp_path: Path, over_http: str) -> None:
    """Between the two calls of protocol 2026-07-28, which have no state but the token."""
    served = Served(tmp_path, "--sign-in-domain", "example.com", key="fake-api-key", url=over_http)
    asked = {"question": "May I?", "key": "7", "wait_seconds": 0}
    with pytest.raises(BaseException):  # noqa: B017, PT011, PT012
        async with Client(served.server, mode="2026-07-28", elicitation_callback=agree) as client:
            needs = await client.session.call_tool("ask_person", asked, allow_input_required=True)
            served.kill()
            await client.call_tool("list_waiting", {})
    assert needs.request_state is None

    async with Client(served.server, mode="2026-07-28", elicitation_callback=agree) as client:
        agreed = {"page": ElicitResult(action="accept")}
        told = await client.session.call_tool("ask_person", asked, input_responses=agreed)
        [waits] = (await call(client, "list_waiting"))["questions"]
    assert told.structured_content["id"] == waits["id"]
    assert told.structured_content["page"] == needs.input_requests["page"].params.url


@on_a_stack
async def test_the_longest_question_has_a_page(tmp_path: Path, key: str) -> None:
    async with Client(Served(tmp_path, "--approver", ANN, key=key).server) as client:
        for longest in ("&" * 4000, "\u05d0" * 4000, "\U0001f600" * 4000):
            assert (await call(client, "ask_person", question=longest))["state"] == "waiting"
        assert "expected a text of 0 to 10,000 characters" in await refusal(client, "ask_person", question="a" + "\x00" * 3999)


@on_a_stack
def test_only_the_protocol_is_on_standard_output(tmp_path: Path, key: str) -> None:
    served = Served(tmp_path, "--approver", ANN, key=key).server
    asked = {"question": f"A word that no log may have {tmp_path}", "key": "7", "wait_seconds": 0}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    lines: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "ask_person", "arguments": asked}},
        {"id": 3, "method": "tools/call", "params": {"name": "ask_person", "arguments": {"question": 7}}},
    ]
    process = subprocess.Popen(
        [served.command, *served.args], env=served.env, cwd=tmp_path, stdin=-1, stdout=-1, stderr=-1, text=True
    )
    assert process.stdin
    assert process.stdout
    for line in lines:
        print(json.dumps({"jsonrpc": "2.0", **line}), file=process.stdin, flush=True)
    answers = [json.loads(process.stdout.readline()) for _ in range(3)]
    rest, logged = process.communicate(timeout=120)

    assert sorted(answer["id"] for answer in answers) == [1, 2, 3]
    assert rest == ""
    assert process.returncode == 0
    assert "no log may have" not in logged
    assert key not in logged
