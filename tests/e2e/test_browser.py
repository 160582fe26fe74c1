"""A page of another origin in a real browser: Trigger.dev's React hook completes a token, and CORS keeps out the rest."""

import json
import os
import queue
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.runner import chromium
from tests.support import node
from tests.support.e2e.api import Api
from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from tests.support.patience import PATIENCE
from waitpoints_local.stack import Stack


@dataclass(frozen=True)
class Seen:
    """A request that the browser sent to the API, and what the API answered."""

    method: str
    path: str
    headers: dict[str, str]
    status: int
    answer_headers: dict[str, str]


@dataclass
class Browser:
    """Chromium with a page. It reaches the API through a proxy on another port, which records every request."""

    executable: str
    folder: Path
    page_script: bytes
    stack: Stack
    seen: list[Seen] = field(default_factory=list)

    def visit(self, **job: Any) -> dict[str, Any]:
        """Open the page with this job. Returns its report."""
        reports: queue.Queue[dict[str, Any]] = queue.Queue()
        self.seen.clear()
        with (
            serving(carrier(self.stack.api_url, self.seen)) as api_url,
            serving(self._site({"apiUrl": api_url, **job}, reports)) as page_url,
        ):
            assert urlsplit(page_url).netloc != urlsplit(api_url).netloc
            self.origin = page_url
            with browsing(self.executable, self.folder, page_url):
                return reports.get(timeout=PATIENCE)

    def _site(self, job: dict[str, Any], reports: "queue.Queue[dict[str, Any]]") -> type[BaseHTTPRequestHandler]:
        written = json.dumps(job).replace("<", "\\u003c")  # so that no text ends the script element
        page = f'<!doctype html><div id="root"></div><script>window.job = {written}</script>'
        page += '<script type="module" src="/page.js"></script>'
        script = self.page_script

        class Site(Quiet):
            def do_GET(self) -> None:
                files = {"/": ("text/html", page.encode()), "/page.js": ("text/javascript", script)}
                kind, content = files.get(self.path, ("text/plain", b""))
                self.reply(200 if content else 404, {"content-type": f"{kind}; charset=utf-8"}, content)

            def do_POST(self) -> None:
                reports.put(json.loads(self.read_body()))
                self.reply(204, {}, b"")

        return Site


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


def carrier(url: str, seen: list[Seen]) -> type[BaseHTTPRequestHandler]:
    """A proxy of what serves at a URL, which notes each request."""
    target = urlsplit(url)

    class Carrier(Quiet):
        def carry(self) -> None:
            assert target.hostname
            body, headers = self.read_body(), {name.lower(): value for name, value in self.headers.items()}
            onward = HTTPConnection(target.hostname, target.port, timeout=PATIENCE)
            onward.request(self.command, self.path, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            answered = {name.lower(): value for name, value in answer.getheaders()}
            seen.append(Seen(self.command, self.path, headers, answer.status, answered))
            hop = ("content-length", "transfer-encoding", "connection", "date", "server")
            self.reply(answer.status, {name: value for name, value in answered.items() if name not in hop}, content)

        do_GET = do_POST = do_OPTIONS = carry

    return Carrier


@contextmanager
def browsing(executable: str, folder: Path, url: str, *options: str) -> Iterator[None]:
    """Have a page open in Chromium."""
    command = [executable, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--no-proxy-server", f"--user-data-dir={folder}", "--remote-debugging-port=0", *options, url]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def page_script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The page with React and Trigger.dev's hook, in one file for a browser."""
    bundle = tmp_path_factory.mktemp("page") / "page.js"
    command = [*node.esbuild(), "page.jsx", f"--outfile={bundle}"]
    settings = ["--bundle", "--format=esm", "--jsx=automatic", "--external:node:*", "--log-level=warning"]
    production = '--define:process.env.NODE_ENV="production"'
    subprocess.run([*command, *settings, production], cwd=node.SDK, env=node.environment(), check=True)
    return bundle.read_bytes()


@pytest.fixture
def browser(stack: Stack, page_script: bytes, tmp_path: Path) -> Browser:
    return Browser(chromium(), tmp_path, page_script, stack)


@pytest.fixture
def created(api: Api) -> Callable[[], HttpAnswer]:
    return lambda: api.request("POST", TOKENS, {})


def test_the_react_hook_completes_a_token_from_a_page_of_another_origin(
    browser: Browser, created: Callable[[], HttpAnswer], api: Api
) -> None:
    answer, output = created(), {"approved": True, "by": "Žofie"}
    token_id, access_token = answer.json["id"], answer.headers["x-trigger-jwt"]

    assert browser.visit(tokenId=token_id, accessToken=access_token, output=output) == {"isCompleted": True}

    retrieved = api.retrieve(answer.json)
    assert retrieved["status"] == "COMPLETED"
    assert json.loads(retrieved["output"]) == output

    preflight, completion = browser.seen
    assert preflight.path == completion.path == f"{TOKENS}/{token_id}/complete"
    assert (preflight.method, completion.method) == ("OPTIONS", "POST")
    assert preflight.headers["origin"] == completion.headers["origin"] == browser.origin
    asked_for = {name.strip() for name in preflight.headers["access-control-request-headers"].split(",")}
    assert asked_for >= {"authorization", "content-type", "trigger-version", "x-trigger-api-version", "x-trigger-client"}
    assert asked_for <= completion.headers.keys()
    assert completion.headers["x-trigger-client"] == "browser"
    assert completion.headers["authorization"] == f"Bearer {access_token}"
    assert preflight.answer_headers["access-control-allow-origin"] == browser.origin
    assert completion.answer_headers["access-control-allow-origin"] == browser.origin


def test_the_react_hook_is_told_why_it_may_not_complete_a_token(
    browser: Browser, created: Callable[[], HttpAnswer], api: Api
) -> None:
    mine, other = created(), created()

    report = browser.visit(tokenId=other.json["id"], accessToken=mine.headers["x-trigger-jwt"], output={})

    error = {"name": "TriggerApiError", "message": "This Public Access Token is for another waitpoint"}
    assert report == {"isCompleted": False, "error": error}
    assert api.retrieve(other.json)["status"] == "WAITING"


def test_a_page_of_another_origin_cannot_create_a_token(browser: Browser, stack: Stack) -> None:
    assert browser.visit(apiKey=stack.api_key) == {"error": {"name": "TypeError", "message": "Failed to fetch"}}

    [preflight] = browser.seen
    assert (preflight.method, preflight.path, preflight.status) == ("OPTIONS", TOKENS, 405)
    assert not [name for name in preflight.answer_headers if name.startswith("access-control-")]
