"""npm's oidc-provider as the issuer, and a browser that signs in there."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, build_opener

from tests.support import node
from tests.support.patience import PATIENCE

FORM = re.compile(r'<form[^>]* action="([^"]+)"')
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass(frozen=True)
class Provider:
    url: str
    pid: int


@contextmanager
def oidc_provider(redirect_uri: str, client: str, secret: str, method: str = "client_secret_basic") -> Iterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [node.node(), str(node.FOLDER / "support" / "issuer.mjs"), str(port), redirect_uri, client, secret, method]
    with subprocess.Popen(command, cwd=node.FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield Provider(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.kill()


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Person:
    """A browser at the issuer. It remembers that the person is signed in."""

    def __init__(self) -> None:
        self._open = build_opener(NoRedirect, HTTPCookieProcessor(CookieJar())).open

    def sign_in(self, sign_in_url: str, who: str, redirect_uri: str) -> str:
        """Follow the issuer's pages as a person who enters a name and agrees. Returns where it sends the browser."""
        url: str = sign_in_url
        form: bytes | None = None
        for _ in range(12):
            try:
                page = self._open(url, form, timeout=PATIENCE)
            except HTTPError as error:
                if error.code not in (302, 303):
                    raise
                url, form = str(urljoin(url, error.headers["location"])), None
                if url.startswith(redirect_uri):
                    return url
                continue
            text = page.read().decode()
            [action] = FORM.findall(text)[:1]
            url = str(urljoin(url, action))
            form = urlencode({**dict(HIDDEN.findall(text)), "login": who, "password": "x"}).encode()
        raise AssertionError(f"the issuer leads nowhere: {url}")
