"""The function that serves the console's files."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import show_console
from tests.support.in_process.api_gateway import Api, HttpAnswer, http_event
from tests.support.in_process.template import CONSOLE, ROOT, SIGN_IN, Template

FOLDER = ROOT / "functions" / "console_files"
ASSETS = sorted(path.name for path in FOLDER.iterdir() if path.name != "index.html")
STACK_VERSION = "7.8.9"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@pytest.fixture(autouse=True)
def version_of_the_stack(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK_VERSION", STACK_VERSION)


def page(api: Api) -> HttpAnswer:
    return api.request("GET", "/console", headers={})


def version(api: Api) -> str:
    found = re.search(r'src="console/([0-9a-f]{16})/app\.js"', page(api).text)
    assert found
    return found[1]


def asset(api: Api, name: str) -> HttpAnswer:
    return api.request("GET", f"/console/{version(api)}/{name}", headers={})


def test_the_page_needs_no_key_and_is_not_kept(api: Api) -> None:
    answer = page(api)
    written = (FOLDER / "index.html").read_text().replace("VERSION", version(api)).replace("STACK", STACK_VERSION)
    assert (answer.status, answer.text) == (200, written.replace("SIGN_IN", "off"))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_names_the_version_of_the_stack(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f'<meta name="generator" content="Waitpoints {STACK_VERSION}">' in page(api).text
    monkeypatch.delenv("STACK_VERSION")  # new code runs for seconds with the environment of an older version
    assert '<meta name="generator" content="Waitpoints ">' in page(api).text


@pytest.mark.parametrize(("parameters", "content"), [({}, "off"), (SIGN_IN, "off"), (CONSOLE, "on")])
def test_the_page_says_whether_people_sign_in(
    api: Api, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str], content: str
) -> None:
    template = Template.load(parameters)
    variables = template.resolve(template.functions()["show_console"].properties["Environment"]["Variables"], {})
    if "CONSOLE_SIGN_IN" in variables:
        monkeypatch.setenv("CONSOLE_SIGN_IN", variables["CONSOLE_SIGN_IN"])
    assert f'<meta name="sign-in" content="{content}">' in page(api).text


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_has_its_type_and_is_kept_for_its_version(api: Api, name: str) -> None:
    answer = asset(api, name)
    assert (answer.status, answer.text) == (200, (FOLDER / name).read_text())
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_every_answer_allows_only_what_the_console_needs(api: Api) -> None:
    missing = api.request("GET", "/console/0000000000000000/app.js", headers={})
    wrong = api.request("POST", "/console", headers={})
    for answer in (page(api), asset(api, "app.js"), asset(api, "icon.svg"), missing, wrong):
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not [name for name in answer.headers if name.startswith("access-control-") or name == "set-cookie"]


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "index.html",
        "..",
        "..%2Fshow_console.py",
        "%2e%2e%2fshow_console.py",
        "%2Fetc%2Fpasswd",
        "app.js%00",
        "APP.JS",
        "api",
    ],
)
def test_no_other_file_is_served(api: Api, name: str) -> None:
    answer = asset(api, name)
    assert answer.status == 404
    assert answer.json == {"error": "The console has no such file: open /console again", "code": "ConsoleNotFound"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("wrong", ["0" * 16, "..", "%2e%2e", "latest"])
def test_a_file_of_another_version_is_not_served(api: Api, wrong: str) -> None:
    assert api.request("GET", f"/console/{wrong}/app.js", headers={}).status == 404


@pytest.mark.parametrize("path", ["/console", "/console/{version}/app.js"])
def test_head_has_the_headers_alone(api: Api, path: str) -> None:
    url = path.format(version=version(api))
    head, get = (api.request(method, url, headers={}) for method in ("HEAD", "GET"))
    assert (head.status, head.text) == (200, "")
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/console", "/console/{version}/app.js"])
def test_another_method_is_405(api: Api, method: str, path: str) -> None:
    answer = api.request(method, path.format(version=version(api)), headers={})
    assert (answer.status, answer.headers["allow"], answer.json["code"]) == (405, "GET, HEAD", "MethodNotAllowed")


@pytest.mark.parametrize("path", ["/console", "/console/{version}/app.js"])
def test_a_stack_without_it_shows_nothing(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    url = path.format(version=version(api))
    monkeypatch.setenv("CONSOLE", "off")
    answer = api.request("GET", url, headers={})
    assert answer.status == 404
    assert answer.json == {"error": "This stack has no console: its parameter Console is off", "code": "ConsoleNotFound"}


def test_a_changed_file_has_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.js").write_text("one")
    monkeypatch.setattr(show_console, "FOLDER", str(tmp_path))
    before = show_console.version_of(show_console.read_files())
    (tmp_path / "app.js").write_text("two")
    assert show_console.version_of(show_console.read_files()) != before


def test_the_page_names_every_file_once_by_a_relative_address(api: Api) -> None:
    """Modules that are named are loaded at once, not one after the other. A path may stand before the API's."""
    named = re.findall(r'(?:href|src)="([^"]*)"', page(api).text)
    assert sorted(named) == sorted(f"console/{version(api)}/{name}" for name in ASSETS)


def test_the_files_make_no_markup_of_texts_and_keep_nothing() -> None:
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    storage = r"localStorage|sessionStorage|indexedDB|\.cookie|replaceState|pushState"
    forbidden = f"{markup}|{storage}"
    assert [path.name for path in FOLDER.iterdir() if re.search(forbidden, path.read_text())] == []


def test_a_start_imports_nothing_of_the_domain() -> None:
    code = "import show_console, json, sys; print(json.dumps([name.split('.')[0] for name in sys.modules]))"
    environment = {"PYTHONPATH": str(ROOT / "functions")}
    imported = json.loads(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    assert not {"waitpoints", "boto3", "botocore", "aws_lambda_powertools", "pydantic"} & set(imported)


def test_a_request_without_path_parameters_is_answered() -> None:
    event: dict[str, Any] = http_event("GET", "/console", "", b"", {}, "ANY /console", {})
    assert show_console.handler({**event, "pathParameters": None}, None)["statusCode"] == 200
