"""An OpenID Connect issuer on this machine, with real keys. It can be slow, fail and lie."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.in_process.template import SIGN_IN

CLIENT, SECRET = SIGN_IN["OidcClientId"], "s3cret/+ of the client"
ANN = {"sub": "ann-1", "email": "ann@example.com", "email_verified": True}


class Key:
    """A key of the issuer. `kid` names it."""

    def __init__(self, kid: str, algorithm: str = "RS256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private = _private(kid, algorithm)

    @property
    def public(self) -> dict[str, Any]:
        kind = jwt.algorithms.RSAAlgorithm if self.algorithm == "RS256" else jwt.algorithms.ECAlgorithm
        jwk: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.kid, **header})


@cache
def _private(kid: str, algorithm: str) -> Any:
    """Making an RSA key takes a tenth of a second."""
    return rsa.generate_private_key(65_537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())


class FakeIssuer:
    """`faults` has the answers of paths that do not work, `delays` the seconds for which a path waits.

    `requests` are the paths that were called, `forms` what came to the token endpoint, with its `authorization` header.
    """

    def __init__(self) -> None:
        self.key = Key("one")
        self.keys = [self.key.public]
        self.faults: dict[str, tuple[int, bytes]] = {}
        self.delays: dict[str, float] = {}
        self.requests: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}
        """Claims of every ID token that differ from what is right. None: the token lacks it."""
        self.secret: str | None = SECRET
        self._codes: dict[str, dict[str, str]] = {}
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            **{f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token")},
            "jwks_uri": f"{self.url}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def sign_in(self, sign_in_url: str, person: dict[str, Any] = ANN, **changed: str | None) -> str:
        """Sign a person in who was led here. Returns where their browser is sent, with parameters `changed`."""
        query = dict(parse_qsl(urlsplit(sign_in_url).query))
        assert sign_in_url.startswith(f"{self.metadata['authorization_endpoint']}?")
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = {**query, "person": json.dumps(person)}
        response = {"code": code, "state": query["state"], "iss": self.url, **changed}
        return f"{query['redirect_uri']}?{urlencode({name: text for name, text in response.items() if text is not None})}"

    def token(self, begun: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": begun["client_id"], "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        if "max_age" in begun:
            claims["auth_time"] = now
        claims = {**claims, **json.loads(begun["person"]), **self.claims}
        return self.key.sign({name: value for name, value in claims.items() if value is not None})

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        self._ended.wait(self.delays.get(path, 0))
        if path in self.faults:
            return self.faults[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, json.dumps(self.metadata).encode()
            case "/keys":
                return 200, json.dumps({"keys": self.keys}).encode()
            case "/token":
                status, members = self._redeem(form)
                return status, json.dumps(members).encode()
        return 404, b"{}"

    def _redeem(self, form: dict[str, str]) -> tuple[int, dict[str, str]]:
        if not self._knows(form):
            return 401, {"error": "invalid_client", "error_description": "<b>who are you?</b>"}
        begun = self._codes.pop(form["code"], None)
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            begun is None
            or begun["redirect_uri"] != form["redirect_uri"]
            or begun["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant", "error_description": "<b>a code of another sign-in</b>"}
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": self.token(begun)}

    def _knows(self, form: dict[str, str]) -> bool:
        """Whether the client names itself as the metadata say, which without a list is in the header."""
        methods = self.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if form["authorization"] else "client_secret_post"
        if self.secret is not None and method not in methods:
            return False
        if form["authorization"]:
            both = base64.b64decode(form["authorization"].removeprefix("Basic ")).decode()
            name, _, secret = both.partition(":")
            return (unquote(name), unquote(secret)) == (CLIENT, self.secret)
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT, self.secret)


def _handler(issuer: FakeIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {**dict(parse_qsl(body)), "authorization": self.headers.get("authorization", "")}
            issuer.forms.append(form)
            self._answer(form)

        def _answer(self, form: dict[str, str]) -> None:
            issuer.requests.append(self.path)
            status, body = issuer.answer(self.path, form)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status in (301, 302):
                self.send_header("location", f"{issuer.url}/keys")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def issuer() -> Iterator[FakeIssuer]:
    made = FakeIssuer()
    try:
        yield made
    finally:
        made.end()
