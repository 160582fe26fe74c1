"""Deliveries to the stack on this machine, signed as its secrets say: by a test, by `waitpoints try`, and by hand."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result
from waitpoints_client import Waitpoints, local_stacks
from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program

from tests.integration.conftest import forget_services
from tests.support import webhook_signer as signer
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME
from tests.support.local_stack import URL, OnMoto, on_moto
from waitpoints_local import webhook_signer
from waitpoints_local.machine import deliver_command, endpoints, routes, signing
from waitpoints_local.machine.fitting_output import Completion

DONE = {"status": "done", "id": 7}
DESCRIBED: dict[str, Any] = {
    "header": "X-Signature",
    "secretEncoding": "base64",
    "timestamp": {"header": "X-Time", "unit": "iso"},
    "signed": "{method} {url}\n{header:Content-Type}\n{timestamp}{body}",
}
KEYED: dict[str, Any] = {
    "key": "body.id",
    "verify": {"scheme": "github", "secret": "KEYED"},
    "completeWhen": "body.status == 'done'",
}


@dataclass
class Handlers(httpx.BaseTransport):
    """Sends what httpx sends to the handlers."""

    api: Api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.api.request(request.method, str(request.url), request.read(), dict(request.headers))
        return httpx.Response(answer.status, headers=answer.headers, text=answer.text)


@pytest.fixture
def local(stack: MotoStack) -> Iterator[OnMoto]:
    forget_services()
    yield on_moto(stack)
    manager = client_of("secretsmanager")
    for secret in manager.list_secrets()["SecretList"]:
        if secret["Name"].startswith(f"waitpoints/{STACK_NAME}/webhooks/"):
            manager.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)
    forget_services()


@pytest.fixture
def waitpoints(local: OnMoto, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waitpoints]:
    sender = httpx.Client(transport=Handlers(api))

    def post(url: str, *, content: bytes, headers: Any, **_: Any) -> httpx.Response:
        return sender.post(url, content=content, headers=headers)

    monkeypatch.setattr(httpx, "post", post)
    with of_api(api) as client:
        yield client


def of_api(api: Api) -> Waitpoints:
    return Waitpoints(URL, api.authorized["authorization"].removeprefix("Bearer "), transport=Handlers(api))


def make(local: OnMoto, waitpoints: Waitpoints, verify: Any = "github", **options: Any) -> Completion:
    """Create a token whose deliveries must be signed with a stand-in's secret."""
    named: Any = verify if isinstance(verify, dict) else {"scheme": verify, "secret": "STAND-IN"}
    assert signing.make_secret(local, named)
    token = waitpoints.get(waitpoints.create(verify=named, **options))
    return Completion(token, None, (), by_post=False, has_page=False, is_signed=True)


class TestAnAnswer:
    @pytest.mark.parametrize("scheme", webhook_signer.schemes())
    def test_is_signed_by_each_scheme_with_a_stand_in_for_its_secret(
        self, local: OnMoto, waitpoints: Waitpoints, scheme: str
    ) -> None:
        more: dict[str, Any] = {"token": {"header": "x-gitlab-token"}, "hmac": DESCRIBED}.get(scheme, {})
        completion = make(local, waitpoints, {"scheme": scheme, "secret": "STAND-IN", **more})
        routes.deliver(local, waitpoints, completion, DONE)
        ended = waitpoints.get(completion.token)
        assert (ended.completed_by and ended.completed_by.source, ended.output["id"]) == ("callback", 7)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"complete_when": "body.status == 'other'"}, routes.NOT_MATCHING),
            ({"payload_schema": {"required": ["name"]}}, '422: .*"required"'),
        ],
    )
    def test_is_held_against_the_rules(self, local: OnMoto, waitpoints: Waitpoints, options: Any, reason: str) -> None:
        completion = make(local, waitpoints, **options)
        with pytest.raises(routes.Refused, match=reason):
            routes.deliver(local, waitpoints, completion, DONE)
        assert waitpoints.get(completion.token).status == "WAITING"

    def test_that_only_the_provider_can_sign_says_how_the_stand_in_can(self, local: OnMoto, waitpoints: Waitpoints) -> None:
        completion = make(local, waitpoints, "discord")
        manager, path = client_of("secretsmanager"), f"waitpoints/{STACK_NAME}/webhooks/STAND-IN"
        manager.put_secret_value(SecretId=path, SecretString="0" * 64)
        with pytest.raises(routes.Refused, match="only the provider has the private key of STAND-IN") as refused:
            routes.deliver(local, waitpoints, completion, DONE)
        found = re.search(r"printf %s (\w+) \| waitpoints secrets put STAND-IN$", str(refused.value))
        assert found is not None
        manager.put_secret_value(SecretId=path, SecretString=found[1])
        routes.deliver(local, waitpoints, completion, DONE)
        manager.delete_secret(SecretId=path, ForceDeleteWithoutRecovery=True)
        with pytest.raises(routes.Refused, match="the secret STAND-IN does not exist: waitpoints secrets put STAND-IN --gen"):
            routes.deliver(local, waitpoints, completion, DONE)

    def test_to_a_token_without_a_signature_is_not_signed(self, local: OnMoto, waitpoints: Waitpoints) -> None:
        token = waitpoints.get(waitpoints.create(complete_when="body.id"))
        with pytest.raises(webhook_signer.CannotSign, match=f"{token.id} has no `verify`"):
            routes.sign(local, token.id, routes.delivery(token.url, DONE))


def test_headers_that_are_given_stay(local: OnMoto, waitpoints: Waitpoints) -> None:
    completion = make(local, waitpoints)
    sent = routes.delivery(completion.token.url, "{}", {"X-Hub-Signature-256": "sha256=00", "X-GitHub-Event": "ping"})
    signed = routes.sign(local, completion.token.id, sent)
    assert (signed.headers["x-hub-signature-256"], signed.headers["x-github-event"]) == ("sha256=00", "ping")
    assert routes.post(signed).status_code == 401


def test_a_secret_that_is_there_is_no_stand_in(local: OnMoto, waitpoints: Waitpoints) -> None:
    manager, verify = client_of("secretsmanager"), {"scheme": "github", "secret": "OWN"}
    assert [signing.make_secret(local, verify) for _ in range(2)] == [True, True]
    manager.put_secret_value(SecretId=f"waitpoints/{STACK_NAME}/webhooks/OWN", SecretString="mine")
    assert not signing.make_secret(local, verify)
    token = waitpoints.get(waitpoints.create(verify={"scheme": "github", "secret": "OWN"}))
    signed = routes.sign(local, token.id, routes.delivery(token.url, "{}"))
    assert signed.headers["x-hub-signature-256"] == signer.sign("github", b"{}", "", 0, "mine").headers["x-hub-signature-256"]


class TestAnEndpoint:
    @pytest.mark.parametrize("verify", [KEYED["verify"], {"scheme": "hmac", "secret": "DESCRIBED", **DESCRIBED}])
    def test_gets_signed_deliveries(self, local: OnMoto, waitpoints: Waitpoints, verify: Any) -> None:
        token = waitpoints.create(idempotency_key="orders:7")
        made = endpoints.put(local, waitpoints, "orders", {**KEYED, "verify": verify})
        assert made.deliver(DONE, signed=False).status_code == 401
        assert made.deliver({**DONE, "status": "new"}).status_code == 200
        assert waitpoints.get(token).status == "WAITING"
        assert made.deliver(DONE).status_code == 200
        assert waitpoints.get(token).output == DONE
        waitpoints.endpoints.delete("orders")

    def test_keeps_its_url_only_with_the_same_settings(self, local: OnMoto, waitpoints: Waitpoints) -> None:
        urls = [endpoints.put(local, waitpoints, "orders", settings).url for settings in (KEYED, KEYED)]
        changed = {"key": "body.order", "verify": "none"}
        other = endpoints.put(local, waitpoints, "orders", changed)
        assert (urls[0] == urls[1], urls[0] == other.url) == (True, False)
        assert other.deliver({"order": 1}).status_code == 200
        waitpoints.endpoints.delete("orders")


class TestTheCommand:
    @pytest.fixture
    def run(
        self, local: OnMoto, waitpoints: Waitpoints, api: Api, without_metrics: None, monkeypatch: pytest.MonkeyPatch
    ) -> Any:
        described = {"api_url": "http://127.0.0.1:8787", "public_url": "https://abc.example.com"}
        monkeypatch.setattr(local_stacks, "find", lambda: Path("stack.json"))
        monkeypatch.setattr(local_stacks, "read", lambda _: described)
        monkeypatch.setattr(stacks, "read_local_stack", lambda _: local)
        monkeypatch.setattr(stacks, "read_local_client", lambda _: of_api(api))
        monkeypatch.delenv("WAITPOINTS_URL", raising=False)

        def run(*arguments: str, **environment: str) -> Result:
            done = CliRunner().invoke(program, ["deliver", *arguments], env=environment, prog_name="waitpoints")
            for secret in client_of("secretsmanager").list_secrets()["SecretList"]:
                with suppress(ClientError):  # another test's, without a value
                    found = client_of("secretsmanager").get_secret_value(SecretId=secret["Name"])
                    assert found.get("SecretString", "another test's, of bytes") not in done.output
            return done

        return run

    def test_signs_as_the_token_asks_for_it(self, run: Any, local: OnMoto, waitpoints: Waitpoints, tmp_path: Path) -> None:
        (tmp_path / "body.json").write_text(json.dumps(DONE))
        token = make(local, waitpoints, complete_when="headers.\"x-github-event\" == 'push' && query.a == '1'").token
        arguments = (token.id, f"@{tmp_path}/body.json", "-H", "X-GitHub-Event: push")
        refused = run(*arguments)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == f"Error: {token.id} still waits: its completeWhen does not match this delivery\n"
        done = run(*arguments, "--query", "a=1")
        assert (done.exit_code, done.stdout) == (0, f"id\t{token.id}\nstatus\tCOMPLETED\n")
        again = run(*arguments, "--json")
        assert (again.exit_code, json.loads(again.stdout)["output"]) == (0, json.dumps(DONE))
        assert again.stderr == f"{token.id} had already ended: nothing changed\n"

    def test_after_the_timeout_fails(self, run: Any, waitpoints: Waitpoints) -> None:
        token = waitpoints.create(timeout="1s")
        time.sleep(1.1)
        late = run(token.id, "1")
        assert (late.exit_code, late.stdout) == (1, "")
        assert late.stderr == f"Error: {token.id} had timed out before: the delivery completes nothing\n"

    def test_signs_by_another_scheme_or_says_which_there_are(self, run: Any, local: OnMoto, waitpoints: Waitpoints) -> None:
        token = make(local, waitpoints).token
        other = run(token.id, "{}", "--scheme", "discord")
        assert (other.exit_code, other.stderr) == (1, "Error: 401: Invalid signature: no x-hub-signature-256 header\n")
        unknown = run(token.id, "{}", "--scheme", "githab")
        assert unknown.exit_code == 2
        accepted = ", ".join(webhook_signer.schemes())
        assert f"The delivery is not signed: there is no scheme githab: use one of {accepted}\n" in unknown.stderr
        body = run(make(local, waitpoints, {"scheme": "linear", "secret": "LINEAR"}).token.id, "[]")
        assert (body.exit_code, "linear signs webhookTimestamp in the body, which must be a JSON object" in body.stderr) == (
            2,
            True,
        )

    def test_signs_nothing_if_nothing_is_checked(self, run: Any, waitpoints: Waitpoints) -> None:
        token = waitpoints.create()
        refused = run(token.id, "1", "--scheme", "github")
        assert (refused.exit_code, f"{token.id} has no `verify`, so there is no secret" in refused.stderr) == (2, True)
        assert run(token.id, "1").exit_code == 0

    def test_says_what_became_of_an_endpoints_delivery(
        self, run: Any, local: OnMoto, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoints.put(local, waitpoints, "orders", KEYED)
        kept = run("orders", json.dumps(DONE))
        assert (kept.exit_code, kept.stdout) == (0, "outcome\tkept\nkey\torders:7\n")
        passed_over = run("orders", "{}", "--json")
        assert (passed_over.exit_code, json.loads(passed_over.stdout)["outcome"]) == (1, "notMatching")
        assert passed_over.stderr == "Error: The delivery completes nothing: it is notMatching\n"
        unknown = run("nonsense", "{}")
        assert (unknown.exit_code, "No endpoint is called nonsense, and a token's id" in unknown.stderr) == (2, True)
        monkeypatch.setattr(deliver_command, "_send", lambda *_: None)
        uncounted = run("orders", "{}")
        assert (uncounted.exit_code, "not counted yet: `waitpoints endpoints get orders` says" in uncounted.stderr) == (0, True)
        waitpoints.endpoints.delete("orders")

    def test_is_for_a_local_stack_only(self, run: Any, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
        token = waitpoints.create()
        for url in ("https://abc.example.com", "http://localhost:8787"):
            assert run(token.id, "1", WAITPOINTS_URL=url).exit_code == 0
        elsewhere = run(token.id, "1", WAITPOINTS_URL="https://x.execute-api.eu-west-1.amazonaws.com")
        assert (elsewhere.exit_code, elsewhere.stderr) == (
            1,
            "Error: `waitpoints deliver` signs with the secrets of a local stack only, and WAITPOINTS_URL names another stack: "
            "unset it\n",
        )
        monkeypatch.setattr(local_stacks, "find", lambda: None)
        none = run(token.id, "1")
        assert (none.exit_code, "signs with the secrets of a local stack only: start one with" in none.stderr) == (1, True)
