"""A stand-in for Slack and for a Teams workflow: it keeps messages, refuses what Slack refuses, and presses buttons.

`waitpoints chat` connects it to the local stack. Its answers are those of docs.slack.dev: reference/methods/chat.postMessage
and chat.update, reference/block-kit, and apis/web-api/rate-limits.
"""

import hashlib
import json
import re
import secrets
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from waitpoints_local import webhook_signer
from waitpoints_local.admission import reason_to_refuse
from waitpoints_local.stack import Stack

BOT_TOKEN, SIGNING_SECRET = f"xoxb-{secrets.token_hex(16)}", secrets.token_hex(16)  # who knows it presses any button
FUNCTIONS = ("SendNotices", "AnswerSlack")  # that call Slack
MOST_BLOCKS, MOST_CHARACTERS, MOST_TEXT, MOST_FIELD = 50, 12_000, 40_000, 2_000
TEXTS = {"header": 150, "section": 3_000}  # the most characters in a block's text
Answer = tuple[int, dict[str, str], dict[str, Any]]


@dataclass
class Message:
    """`people` see it: a channel's name, or a member's id."""

    channel: str
    ts: str
    people: str
    content: dict[str, Any]
    edits: int = 0

    @property
    def ref(self) -> str:
        return f"{self.channel}/{self.ts}"

    def as_value(self) -> dict[str, Any]:
        return {"slack": self.people, "ts": self.ts, "edits": self.edits, **self.content}

    def buttons(self) -> dict[str, dict[str, Any]]:
        """The buttons that answer, by the id of the page's action."""
        elements = [one for block in self.content.get("blocks", []) for one in block.get("elements", [])]
        return {one["action_id"].rpartition(":")[2]: one for one in elements if "value" in one}


@dataclass
class Workspace:
    """What this Slack has: its messages in their order, what one person alone saw, and the cards that Teams got.

    `channels` are all there are; None: any. `next_answers` are given to the calls that follow, instead of what they would get.
    """

    channels: set[str] | None = None
    messages: list[Message] = field(default_factory=list)
    private: list[dict[str, Any]] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    next_answers: deque[Answer] = field(default_factory=deque)
    tokens: set[str] = field(default_factory=lambda: {BOT_TOKEN})
    url: str = ""
    heard: Callable[[str, Mapping[str, Any]], None] = lambda *_: None
    """Called with each message, edit and card as it comes: its line for a person, and all of it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        with self.lock:
            self.calls.append((path, body))
            if self.next_answers:
                return self.next_answers.popleft()
            if path.startswith("/response/"):
                self.private.append(body)
                self.heard(_private_line(body), {"private": body})
                return 200, {}, {"ok": True}
            if path.startswith("/teams"):
                self.cards.append(body)
                self.heard(card_lines(body), {"teams": body})
                return 202, {}, {}
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or not token:
                return _refused("not_authed")
            if token not in self.tokens:
                return _refused("invalid_auth")
            if path == "/api/chat.postMessage":
                return self._post(body)
            return self._update(body) if path == "/api/chat.update" else _refused("unknown_method")

    def find(self, ref: str) -> Message | None:
        return next((message for message in self.messages if message.ref == ref), None)

    def press(self, message: Message, action: str, user: str, url: str, *, name: str = "", at: float = 0) -> int:
        """Press a button as a member, and send what Slack sends to `url`. Returns the status of the answer."""
        status, _ = send(url, self.click(message, message.buttons()[action], user, name or user.lower()), at or time.time())
        return status

    def click(self, message: Message, button: Mapping[str, Any], user: str, name: str) -> dict[str, Any]:
        """The payload of a click (docs.slack.dev, reference/interaction-payloads/block_actions-payload)."""
        pressed = {key: button[key] for key in ("action_id", "type", "text", "value") if key in button}
        return {
            "type": "block_actions",
            "user": {"id": user, "username": name, "name": name, "team_id": "T0001"},
            "api_app_id": "A0001",
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": False},
            "trigger_id": "1.2.3",
            "team": {"id": "T0001", "domain": "stand-in"},
            "channel": {"id": message.channel, "name": "channel"},
            "message": {"type": "message", "ts": message.ts, **message.content},
            "response_url": f"{self.url}/response/{message.channel}",
            "actions": [{**pressed, "block_id": "b1", "action_ts": f"{time.time():.6f}"}],
        }

    def _post(self, body: dict[str, Any]) -> Answer:
        wanted, content = str(body.get("channel", "")), _content(body)
        is_known = self.channels is None or wanted in self.channels or wanted in {it.channel for it in self.messages}
        if not wanted or not (is_known or wanted.startswith(("U", "W"))):
            return _refused("channel_not_found")
        if refused := problem(body):
            return _refused(refused)
        channel = self._id_of(wanted)
        if (thread := body.get("thread_ts")) and not self.find(f"{channel}/{thread}"):
            return _refused("thread_not_found")
        message = Message(channel, f"1700000000.{len(self.messages):06}", wanted, content)
        self.messages.append(message)
        self.heard(line_of(len(self.messages) - 1, message), message.as_value())
        return 200, {}, {"ok": True, "channel": channel, "ts": message.ts, "message": content}

    def _update(self, body: dict[str, Any]) -> Answer:
        message = self.find(f"{body.get('channel')}/{body.get('ts')}")
        if message is None:
            return _refused("message_not_found")
        if refused := problem(body):
            return _refused(refused)
        message.content, message.edits = _content(body), message.edits + 1
        self.heard(f"{line_of(self.messages.index(message), message)}, edited", message.as_value())
        return 200, {}, {"ok": True, "channel": message.channel, "ts": message.ts, "text": body.get("text", "")}

    def _id_of(self, wanted: str) -> str:
        if wanted.startswith("#"):
            return f"C{hashlib.sha256(wanted.encode()).hexdigest()[:8].upper()}"
        return f"D{wanted[1:]}" if wanted.startswith(("U", "W")) else wanted


def problem(body: Mapping[str, Any]) -> str | None:
    """Return the code with which Slack refuses a message, None if it takes it."""
    blocks = body.get("blocks", [])
    if not body.get("text") and not blocks:
        return "no_text"
    if len(body.get("text", "")) > MOST_TEXT:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > MOST_BLOCKS or not all(map(_fits, blocks)):
        return "invalid_blocks"
    # not in the reference: Slack's own words in its library's issue 2509 are 12,000 characters and some room for blocks
    return "msg_blocks_too_long" if len(json.dumps(blocks, ensure_ascii=False)) > MOST_CHARACTERS else None


def _fits(block: Any) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text"} as text}:
            return _is_text(text, TEXTS["header"])
        case {"type": "section"}:
            fields = block.get("fields", [])
            texts = [(block["text"], TEXTS["section"])] if "text" in block else []
            texts += [(one, MOST_FIELD) for one in fields]
            return bool(texts) and len(fields) <= 10 and all(_is_text(*one) for one in texts)
        case {"type": "context", "elements": [*elements]}:
            return 1 <= len(elements) <= 10 and all(_is_text(one, 3_000) for one in elements)
        case {"type": "actions", "elements": [*elements]}:
            ids = {one.get("action_id") for one in elements}
            return 1 <= len(elements) <= 25 and len(ids) == len(elements) and all(map(_is_button, elements))
    return False


def _is_button(element: Mapping[str, Any]) -> bool:
    sizes = {"action_id": 255, "value": 2_000, "url": 3_000}
    confirm = element.get("confirm")
    return (
        element["type"] == "button"
        and _is_plain(element["text"], 75)
        and all(len(element.get(name, "")) <= most for name, most in sizes.items())
        and element.get("style", "primary") in ("primary", "danger")
        and (confirm is None or all(_is_plain(confirm[name], most) for name, most in CONFIRM.items()))
    )


CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}


def _is_plain(text: Mapping[str, Any], most: int) -> bool:
    return text["type"] == "plain_text" and _is_text(text, most)


def _is_text(text: Mapping[str, Any], most: int) -> bool:
    kinds = {"plain_text": {"emoji"}, "mrkdwn": {"verbatim"}}
    return set(text) - {"type", "text"} <= kinds.get(text["type"], set()) and 1 <= len(text["text"].strip()) <= most


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("text", "blocks", "thread_ts", "reply_broadcast") if name in body}


def _refused(code: str) -> Answer:
    return 200, {}, {"ok": False, "error": code}


def rate_limited(seconds: int) -> Answer:
    return 429, {"retry-after": str(seconds)}, {"ok": False, "error": "ratelimited"}


def signed(payload: Mapping[str, Any], at: float, secret: str = SIGNING_SECRET) -> tuple[bytes, dict[str, str]]:
    """The body and the headers with which Slack sends a payload (authentication/verifying-requests-from-slack)."""
    sent = webhook_signer.sign("slack", secret, urlencode({"payload": json.dumps(payload)}).encode(), "", at)
    return sent.body, {"content-type": webhook_signer.FORM, **sent.headers}


def send(url: str, payload: Mapping[str, Any], at: float) -> tuple[int, str]:
    body, headers = signed(payload, at)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@contextmanager
def serving(port: int = 0, channels: set[str] | None = None) -> Iterator[Workspace]:
    """Serve a workspace on 127.0.0.1."""
    workspace = Workspace(channels)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            pairs = [(name.encode(), value.encode()) for name, value in self.headers.items()]
            reason = reason_to_refuse({"type": "http", "headers": pairs}, is_for_api=False)
            status, headers, answer = (403, {}, {"ok": False, "error": reason}) if reason else self._answer(content)
            text = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "content-type": "application/json", "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def _answer(self, content: bytes) -> Answer:
            try:
                given = json.loads(content)
            except ValueError:
                return 400, {}, {"ok": False, "error": "invalid_json"}
            return workspace.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, given)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    workspace.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield workspace
    finally:
        server.shutdown()
        server.server_close()


def connect(stack: Stack, workspace: Workspace) -> None:
    """Give a stack on this machine the workspace's secrets and address."""
    manager, functions, cloudformation = map(stack.client, ("secretsmanager", "lambda", "cloudformation"))
    texts = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_SIGNING_SECRET": SIGNING_SECRET, "TEAMS": f"{workspace.url}/teams"}
    for name, text in texts.items():
        path = f"waitpoints/{stack.stack_name}/channels/{name}"
        try:
            manager.create_secret(Name=path, SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=path, SecretString=text)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.stack_name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    for name in [it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] in FUNCTIONS]:
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed = {"Variables": {**variables, "SLACK_API_URL": workspace.api_url}}
        functions.update_function_configuration(FunctionName=name, Environment=changed)


def shown(workspace: Workspace) -> str:
    """The messages, each with its number and the actions that can be pressed."""
    lines = [line_of(number, message) for number, message in enumerate(workspace.messages)]
    lines += [*map(_private_line, workspace.private), *map(card_lines, workspace.cards)]
    return "\n".join(lines) or "nothing yet"


def line_of(number: int, message: Message) -> str:
    elements = [one for block in message.content.get("blocks", []) for one in block.get("elements", [])]
    opens = "opens the page" if any("url" in one for one in elements) else "no buttons"
    text = _shown(message.content.get("text", ""))
    return f"{number:>3}  {message.people:<14} {text}  [{', '.join(message.buttons()) or opens}]"


def _private_line(note: Mapping[str, Any]) -> str:
    return f"  to one person: {_shown(note['text'])}"


def _shown(text: str) -> str:
    """Return a text as people read it: Slack has three escapes, and no other."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


_TIME = re.compile(r"\{\{DATE\(([^,)]+)[^}]*\}\}(?:, \{\{TIME[^}]*\}\})?")
"""How a card says a time, which Teams writes as the reader's own."""


def card_lines(card: Mapping[str, Any]) -> str:
    """What a card in Teams says, line by line, and where its buttons lead."""
    content = card["attachments"][0]["content"]
    lines = ["".join(run["text"] for run in block.get("inlines", [block])) for block in content["body"]]
    texts = [_TIME.sub(r"\1", line) for line in lines]
    return "\n    ".join(["  card in Teams:", *texts, *(f"[{it['title']}] {it['url']}" for it in content["actions"])])


def obey(workspace: Workspace, line: str, url: str) -> str:
    """Do what a person typed: `list`, or `press N ACTION as U…`."""
    match line.split():
        case [] | ["list"]:
            return shown(workspace)
        case ["press", number, action, "as", user] if number.isdigit() and int(number) < len(workspace.messages):
            message = workspace.messages[int(number)]
            if action not in message.buttons():
                return f"message {number} has no button {action}; it has {', '.join(message.buttons()) or 'none'}"
            return f"answered {workspace.press(message, action, user, url)}"
    return "type: list, or press N ACTION as U024BE7LH, or Ctrl-D"
