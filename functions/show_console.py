"""GET /console: the console, for the team that holds the API key. Its files are static: they call the API like any caller.

A start makes no client and imports nothing of the domain. What belongs to a version of the console has a path of its own,
`/console/{version}/{file}`, and may be cached forever. The addresses in the page are relative, so that a custom domain may
put a path before them.
"""

import hashlib
import json
import os
from typing import Any

FOLDER = os.path.join(os.path.dirname(__file__), "console_files")
PAGE = "index.html"
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
METHODS = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}


def read_files() -> dict[str, str]:
    files = {}
    for name in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            files[name] = file.read()
    return files


def version_of(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


FILES = read_files()
VERSION = version_of(FILES)
ASSETS = {name: text for name, text in FILES.items() if name != PAGE}
DOCUMENT = FILES[PAGE].replace("VERSION", VERSION)


def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    method, path = event["requestContext"]["http"]["method"], event.get("pathParameters") or {}
    if os.environ.get("CONSOLE") == "off":
        return _refusal(404, "ConsoleNotFound", "This stack has no console: its parameter Console is off")
    if method not in METHODS:
        return _refusal(405, "MethodNotAllowed", "Method not allowed: use GET", allow=", ".join(METHODS))
    if not path:
        # while an update gives the function its new code, it may still have its old environment
        environ = os.environ
        document = DOCUMENT.replace("STACK", environ.get("STACK_VERSION", ""))
        document = document.replace("SIGN_IN", environ.get("CONSOLE_SIGN_IN", "off"))
        answer = _answer(200, document, TYPES["html"], "no-store")
    elif path["version"] == VERSION and path["file"] in ASSETS:
        kind = path["file"].rpartition(".")[2]
        answer = _answer(200, ASSETS[path["file"]], TYPES[kind], "public, max-age=31536000, immutable")
    else:
        return _refusal(404, "ConsoleNotFound", "The console has no such file: open /console again")
    return {**answer, "body": ""} if method == "HEAD" else answer


def _answer(status: int, body: str, kind: str, caching: str, **headers: str) -> dict[str, Any]:
    headers = {**HEADERS, "content-type": kind, "cache-control": caching, **headers}
    return {"statusCode": status, "headers": headers, "body": body}


def _refusal(status: int, code: str, error: str, **headers: str) -> dict[str, Any]:
    body = json.dumps({"error": error, "code": code})
    return _answer(status, body, "application/json; charset=utf-8", "no-store", **headers)
