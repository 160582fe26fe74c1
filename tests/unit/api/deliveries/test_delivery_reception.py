"""A callback URL and its senders, over the HTTP API: forms, who settled a token, its rules, handshakes and failures."""

import base64
import json
import string
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from in_process.api_gateway import TOKENS, Api, HttpAnswer, http_event
from in_process.fakes.secret import FakeSecret, MissingSecret
from in_process.template import Template
from tests.support import webhook_signer
from tests.support.fakes.in_memory import InMemory
from waitpoints.api.deliveries import callback_body
from waitpoints.api.senders.origin import _DELIVERY_IDS
from waitpoints.token import iso
from waitpoints.waiter_result import Failure, Success

FUNCTIONS = Template.load().functions()
JSON = {"content-type": "application/json"}
SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
FITTING, UNFITTING = b'{"approved": true}', b'{"approved": "secret-text"}'
IP = "192.0.2.1"


@pytest.fixture
def stripe(world: InMemory) -> FakeSecret:
    world.webhook_secrets["stripe"] = secret = FakeSecret(webhook_signer.secret_of("stripe"))
    return secret


def signed(token: Mapping[str, Any], body: bytes, scheme: str = "stripe", secret: str | None = None) -> dict[str, str]:
    """The headers of a delivery that is signed now."""
    return {**JSON, **webhook_signer.sign(scheme, body, token["url"], time.time(), secret).headers}


def complete(api: Api, token: Mapping[str, Any], body: Any) -> HttpAnswer:
    return api.post(f"{TOKENS}/{token['id']}/complete", body)


def assert_untouched(api: Api, token: Mapping[str, Any], count: int | None = None) -> None:
    """The token waits, and shows that many other deliveries."""
    shown = api.retrieve(token["id"])
    assert (shown["status"], "output" in shown, "completedBy" in shown) == ("WAITING", False, False)
    assert shown.get("otherDeliveries", {}).get("count") == count


class TestForms:
    def test_become_fields(self, api: Api) -> None:
        token = api.create()
        assert (
            api.post(token["url"], b"payload=%7B%7D&a=1&a=2", {"content-type": "application/x-www-form-urlencoded"}).status
            == 200
        )
        assert json.loads(api.retrieve(token["id"])["output"]) == {"payload": "{}", "a": ["1", "2"]}

    def test_of_several_parts_become_fields_and_files(self, api: Api) -> None:
        token = api.create()
        body = (
            b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\n'
            b'content-disposition: form-data; name="f"; filename="x.png"\r\n'
            b"content-type: image/png\r\n\r\n\xff\x00\r\n--b--\r\n"
        )
        assert api.post(token["url"], body, {"content-type": "multipart/form-data; boundary=b"}).status == 200
        file = {"filename": "x.png", "contentType": "image/png", "base64": base64.b64encode(b"\xff\x00").decode()}
        assert json.loads(api.retrieve(token["id"])["output"]) == {"a": "1", "f": file}

    def test_that_cannot_be_read_stay_text(self, api: Api) -> None:
        token = api.create()
        assert api.post(token["url"], b"--b\r\nhello", {"content-type": "multipart/form-data; boundary=b"}).status == 200
        assert json.loads(api.retrieve(token["id"])["output"]) == "--b\r\nhello"


class TestCompletedBy:
    def test_shows_what_a_delivery_said_of_itself(self, api: Api, world: InMemory) -> None:
        token = api.create()
        headers = {**JSON, "user-agent": "Hookshot/1", "x-github-delivery": "d-1", "cookie": "c=1", "authorization": "Bearer x"}
        api.post(f"{token['url']}?a=1&b=%20", FITTING, headers)
        assert api.retrieve(token["id"])["completedBy"] == {
            "source": "callback",
            "at": iso(world.clock()),
            "ip": IP,
            "userAgent": "Hookshot/1",
            "contentType": "application/json",
            "query": "a=1&b=%20",
            "deliveryId": "d-1",
        }

    def test_shows_no_more_than_was_said(self, api: Api, world: InMemory) -> None:
        token = api.create()
        api.post(token["url"], b"", {})
        assert api.retrieve(token["id"])["completedBy"] == {"source": "callback", "at": iso(world.clock()), "ip": IP}

    @pytest.mark.parametrize("name", ["user-agent", "content-type", "webhook-id"])
    @pytest.mark.parametrize(("sent", "kept"), [("ü" * 300, "ü" * 256), ("x" * 256, "x" * 256), ("a\udc00b", "a?b")])
    def test_cuts_each_text(self, api: Api, name: str, sent: str, kept: str) -> None:
        token = api.create()
        assert api.post(token["url"], b"1", {name: sent}).status == 200
        shown = {"user-agent": "userAgent", "content-type": "contentType", "webhook-id": "deliveryId"}[name]
        assert api.retrieve(token["id"])["completedBy"][shown] == kept

    def test_cuts_the_query(self, api: Api) -> None:
        token = api.create()
        api.post(f"{token['url']}?{'q' * 300}", b"1", {})
        assert api.retrieve(token["id"])["completedBy"]["query"] == "q" * 256

    @pytest.mark.parametrize("header", _DELIVERY_IDS)
    def test_knows_the_header_of_each_senders_delivery_id(self, api: Api, header: str) -> None:
        token = api.create()
        api.post(token["url"], b"1", {header: "the-delivery"})
        assert api.retrieve(token["id"])["completedBy"]["deliveryId"] == "the-delivery"

    @pytest.mark.parametrize(
        "header", ["cookie", "authorization", "x-api-key", "x-gitlab-token", "proxy-authorization", "x-hook-secret"]
    )
    def test_never_holds_a_credential(self, api: Api, world: InMemory, header: str) -> None:
        token = api.create()
        api.post(token["url"], b"1", {header: "credential of the sender!"})
        assert "credential of the sender" not in repr(world.store.tokens) + json.dumps(api.retrieve(token["id"]))

    def test_of_a_request_to_complete_names_its_source(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"data": 1})
        shown = api.retrieve(token["id"])["completedBy"]
        assert (shown["source"], shown["ip"], shown["contentType"]) == ("complete", IP, "application/json")
        assert "Bearer" not in json.dumps(shown)

    def test_of_a_timeout_names_its_instant(self, api: Api, world: InMemory) -> None:
        token = api.create(timeout="10s")
        at = iso(world.clock.advance(seconds=10))
        world.clock.advance(seconds=5)
        assert api.retrieve(token["id"])["completedBy"] == {"source": "timeout", "at": at}

    def test_of_a_state_machine_names_only_its_source(self, api: Api, world: InMemory) -> None:
        token = api.create()
        FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "data": 1})
        assert api.retrieve(token["id"])["completedBy"] == {"source": "complete", "at": iso(world.clock())}

    def test_is_that_of_the_first(self, api: Api) -> None:
        token = api.create()
        for delivery in ("first", "second"):
            api.post(token["url"], b"1", {"webhook-id": delivery})
        assert api.retrieve(token["id"])["completedBy"]["deliveryId"] == "first"


class TestOtherDeliveries:
    def test_are_absent_until_there_is_one(self, api: Api) -> None:
        token = api.create()
        api.post(token["url"], b"1", JSON)
        assert "otherDeliveries" not in api.retrieve(token["id"])

    @pytest.mark.parametrize("end", ["callback", "complete", "fail", "timeout"])
    def test_are_those_that_come_after_the_end(self, api: Api, world: InMemory, end: str) -> None:
        token = api.create(timeout="1h")
        match end:
            case "callback":
                api.post(token["url"], b"1", JSON)
            case "complete":
                complete(api, token, {"data": 1})
            case "fail":
                complete(api, token, {"error": {"message": "no"}})
            case _:
                world.clock.advance(seconds=3600)
        before = api.retrieve(token["id"])
        world.clock.advance(seconds=1)
        for number in (1, 2):
            answer = api.post(token["url"], b"2", {**JSON, "webhook-id": f"late-{number}"})
            assert (answer.status, answer.json) == (200, {"success": True})
        others = {"count": 2, "lastAt": iso(world.clock()), "lastIp": IP, "lastDeliveryId": "late-2"}
        assert api.retrieve(token["id"]) == {**before, "otherDeliveries": others}

    def test_that_cannot_be_counted_do_not_fail(
        self, api: Api, world: InMemory, stripe: FakeSecret, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise ConnectionError("the table is out of reach")

        monkeypatch.setattr(world.store, "count_delivery", broken)
        ended, filtered, typed = api.create(), api.create(completeWhen="body.done"), api.create(payloadSchema=SCHEMA)
        verified = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        api.post(ended["url"], b"1", JSON)
        answers = [api.post(token["url"], b"{}", JSON).status for token in (ended, filtered, typed, verified)]
        assert answers == [200, 200, 422, 401]
        for token in (filtered, typed, verified):
            assert_untouched(api, token)


class TestCompleteWhen:
    def test_settles_with_the_first_that_matches(self, api: Api) -> None:
        token = api.create(completeWhen="body.status == 'succeeded' && headers.\"x-kind\" == 'k' && query.q == 'ü'")
        url, headers = f"{token['url']}?q=%C3%BC", {**JSON, "X-Kind": "k"}
        for body, sent in ((b'{"status": "processing"}', headers), (b'{"status": "succeeded"}', JSON)):
            answer = api.post(url, body, sent)
            assert (answer.status, answer.json) == (200, {"success": True})
        assert_untouched(api, token, 2)
        assert api.post(url, b'{"status":  "succeeded"}', headers).status == 200
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["output"]) == ("COMPLETED", '{"status":  "succeeded"}')
        assert shown["otherDeliveries"]["count"] == 2

    def test_reads_json_inside_a_form(self, api: Api) -> None:
        token = api.create(completeWhen="json(body.payload).actions[0].value == 'yes'")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        api.post(token["url"], b"payload=%7B%22actions%22%3A%5B%7B%22value%22%3A%22no%22%7D%5D%7D", headers)
        assert_untouched(api, token, 1)
        api.post(token["url"], b"payload=%7B%22actions%22%3A%5B%7B%22value%22%3A%22yes%22%7D%5D%7D", headers)
        assert api.retrieve(token["id"])["status"] == "COMPLETED"

    def test_is_not_asked_of_a_request_to_complete(self, api: Api) -> None:
        token = api.create(completeWhen="body.done")
        assert complete(api, token, {"data": {"done": False}}).status == 200
        assert api.retrieve(token["id"])["output"] == '{"done": false}'

    @pytest.mark.parametrize("expression", ["", "body.", "map(&a, body)", "[@,@]|[@,@]", "x" * 257])
    def test_that_cannot_be_used_is_refused_at_create(self, api: Api, world: InMemory, expression: str) -> None:
        answer = api.post(TOKENS, {"completeWhen": expression})
        assert answer.status == 422
        assert "completeWhen" in answer.error
        assert world.store.tokens == {}


class TestPayloadSchema:
    def test_refuses_a_delivery_that_does_not_fit_and_takes_the_next(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        answer = api.post(token["url"], UNFITTING, JSON)
        assert answer.status == 422
        assert '"type" at #/properties/approved/type' in answer.error
        assert "secret-text" not in answer.text
        assert_untouched(api, token, 1)
        assert api.post(token["url"], FITTING, JSON).status == 200
        assert api.retrieve(token["id"])["output"] == FITTING.decode()

    def test_is_asked_of_a_request_to_complete_which_is_not_counted(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        for body in ({"data": {"approved": "secret-text"}}, {}):
            answer = complete(api, token, body)
            assert answer.status == 422
            assert "secret-text" not in answer.text
        assert_untouched(api, token)
        assert complete(api, token, {"data": {"approved": True}}).status == 200
        assert json.loads(api.retrieve(token["id"])["output"]) == {"approved": True}

    def test_is_asked_of_a_state_machine(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        with pytest.raises(Exception, match="payloadSchema"):
            FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "data": 1})
        assert_untouched(api, token)

    def test_is_not_asked_of_an_error(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        assert complete(api, token, {"error": {"message": "no"}}).status == 200
        assert api.retrieve(token["id"])["outputIsError"] is True

    def test_is_asked_of_a_form(self, api: Api) -> None:
        token = api.create(payloadSchema={"properties": {"a": {"const": "1"}}, "required": ["a"]})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert [api.post(token["url"], body, headers).status for body in (b"a=2", b"a=1")] == [422, 200]

    @pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": "wrong"}, {"pattern": "(?=a)"}, {"title": "x" * 8192}])
    def test_that_cannot_be_used_is_refused_at_create(self, api: Api, world: InMemory, schema: Any) -> None:
        answer = api.post(TOKENS, {"payloadSchema": schema})
        assert answer.status == 422
        assert "payloadSchema" in answer.error
        assert world.store.tokens == {}


class TestVerifyAtCreate:
    def test_takes_a_scheme_and_the_name_of_a_secret(self, api: Api, world: InMemory, stripe: FakeSecret) -> None:
        token = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        assert stripe.read_current() not in repr(world.store.get(token["id"]))

    def test_lists_the_schemes_and_names_the_nearest(self, api: Api) -> None:
        answer = api.post(TOKENS, {"verify": {"scheme": "strype", "secret": "stripe"}})
        assert answer.status == 422
        assert all(name in answer.error for name in ("github", "slack", 'did you mean "stripe"?'))

    def test_refuses_a_secret_that_is_missing_and_says_its_full_name(self, api: Api, world: InMemory) -> None:
        answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": "none"}})
        assert (answer.status, world.store.tokens) == (422, {})
        assert '"waitpoints/none"' in answer.error

    def test_answers_503_if_the_secret_cannot_be_read_now(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["stripe"] = MissingSecret("InternalServiceError")
        answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": "stripe"}})
        assert (answer.status, world.store.tokens) == (503, {})

    def test_refuses_a_secret_of_the_wrong_form_without_showing_it(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["svix"] = FakeSecret("whsec_not base64: hidden")
        answer = api.post(TOKENS, {"verify": {"scheme": "svix", "secret": "svix"}})
        assert (answer.status, world.store.tokens) == (422, {})
        assert "hidden" not in answer.text

    @pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "x" * 65, 7, None])
    def test_refuses_a_name_that_no_secret_has(self, api: Api, name: Any) -> None:
        assert api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": name}}).status == 422


class TestVerify:
    @pytest.fixture
    def token(self, api: Api, stripe: FakeSecret) -> Any:
        return api.create(verify={"scheme": "stripe", "secret": "stripe"})

    def test_settles_with_a_signed_delivery(self, api: Api, token: Any) -> None:
        assert api.post(token["url"], FITTING, signed(token, FITTING)).status == 200
        assert api.retrieve(token["id"])["output"] == FITTING.decode()

    @pytest.mark.parametrize("wrong", ["unsigned", "another body", "another secret", "rubbish"])
    def test_refuses_any_other_and_counts_it(self, api: Api, token: Any, wrong: str) -> None:
        headers = {
            "unsigned": JSON,
            "another body": signed(token, FITTING),
            "another secret": signed(token, UNFITTING, secret="another secret"),
            "rubbish": {**JSON, "stripe-signature": "t=x,v1=y"},
        }[wrong]
        answer = api.post(token["url"], UNFITTING, headers)
        assert answer.status == 401
        assert "Invalid signature" in answer.error
        assert_untouched(api, token, 1)

    def test_takes_both_versions_of_the_secret(self, api: Api, token: Any, stripe: FakeSecret) -> None:
        old = signed(token, FITTING)
        stripe.rotate("a new secret")
        assert api.post(token["url"], FITTING, old).status == 200
        other = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        assert api.post(other["url"], FITTING, signed(other, FITTING, secret="a new secret")).status == 200
        assert api.retrieve(other["id"])["status"] == "COMPLETED"

    @pytest.mark.parametrize("code", ["ResourceNotFoundException", "ThrottlingException"])
    def test_answers_503_while_the_secret_cannot_be_read(self, api: Api, world: InMemory, token: Any, code: str) -> None:
        world.webhook_secrets["stripe"] = MissingSecret(code)
        assert api.post(token["url"], FITTING, signed(token, FITTING)).status == 503
        assert_untouched(api, token)

    def test_answers_503_while_the_secret_is_of_another_form(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["svix"] = FakeSecret(webhook_signer.secret_of("svix"))
        token = api.create(verify={"scheme": "svix", "secret": "svix"})
        world.webhook_secrets["svix"] = FakeSecret("whsec_hidden and no base64")
        answer = api.post(token["url"], FITTING, signed(token, FITTING, "svix"))
        assert answer.status == 503
        assert "hidden" not in answer.text
        assert_untouched(api, token)

    def test_takes_a_shared_value_in_a_header(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["gitlab"] = FakeSecret("the shared value")
        token = api.create(verify={"scheme": "token", "header": "X-Gitlab-Token", "secret": "gitlab"})
        assert api.post(token["url"], b"1", {"x-gitlab-token": "the shared valuE"}).status == 401
        assert_untouched(api, token, 1)
        assert api.post(token["url"], b"1", {"x-gitlab-token": "the shared value"}).status == 200
        assert "the shared value" not in repr(world.store.get(token["id"]))

    def test_signs_the_url_with_its_query(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["square"] = FakeSecret(webhook_signer.secret_of("square"))
        token = api.create(verify={"scheme": "square", "secret": "square"})
        url = f"{token['url']}?a=%20b&c"
        assert api.post(url, b"1", signed(token, b"1", "square")).status == 401
        assert api.post(url, b"1", signed({"url": url}, b"1", "square")).status == 200

    def test_is_not_asked_of_a_request_to_complete(self, api: Api, token: Any) -> None:
        assert complete(api, token, {"data": 1}).status == 200
        assert api.retrieve(token["id"])["output"] == "1"


class TestOrder:
    def test_is_hash_signature_complete_when_schema(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(
            verify={"scheme": "stripe", "secret": "stripe"}, completeWhen="body.done", payloadSchema={"required": ["n"]}
        )
        answers = []
        for url, body, is_signed in (
            (token["url"][:-1] + "x", b'{"done": true, "n": 1}', True),
            (token["url"], b"{}", False),
            (token["url"], b"{}", True),
            (token["url"], b'{"done": true}', True),
        ):
            answers.append(api.post(url, body, signed(token, body) if is_signed else JSON).status)
        assert answers == [401, 401, 200, 422]
        assert_untouched(api, token, 3)
        body = b'{"done": true, "n": 1}'
        assert api.post(token["url"], body, signed(token, body)).status == 200
        assert api.retrieve(token["id"])["output"] == body.decode()

    def test_puts_the_hash_before_a_handshake_and_that_before_the_signature(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        body = b'{"type": "url_verification", "challenge": "abc"}'
        wrong = api.post(token["url"][:-1] + "x", body, JSON)
        assert (wrong.status, wrong.error) == (401, "Invalid URL, hash doesn't match")
        assert (api.post(token["url"], body, JSON).text) == "abc"
        assert_untouched(api, token)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
    def test_gives_a_wrong_hash_the_same_answer_by_every_method(self, api: Api, method: str) -> None:
        token = api.create()
        headers = {"webhook-request-origin": "example.com"}
        answer = api.request(method, token["url"][:-1] + "x?challenge=abc&validationToken=abc", b"", headers)
        assert (answer.status, answer.error) == (401, "Invalid URL, hash doesn't match")


class TestHandshakes:
    @pytest.mark.parametrize(
        ("method", "query", "body", "headers", "text"),
        [
            ("HEAD", "", b"", {}, ""),
            ("GET", "challenge=abc", b"", {}, "abc"),
            ("GET", "hub.mode=subscribe&hub.challenge=123", b"", {}, "123"),
            ("GET", "hub.mode=subscribe&hub.challenge=a1", b"", {}, '{"hub.challenge":"a1"}'),
            ("OPTIONS", "", b"", {"webhook-request-origin": "example.com"}, ""),
            ("POST", "validationToken=a%20b", b"", {}, "a b"),
            ("POST", "", b"", {"x-hook-secret": "abc"}, "{}"),
            ("POST", "", b'{"challenge": "abc"}', {}, '{"challenge":"abc"}'),
        ],
    )
    @pytest.mark.parametrize(
        "rules", [{}, {"completeWhen": "body.done"}, {"payloadSchema": SCHEMA}], ids=["plain", "filtered", "typed"]
    )
    def test_are_answered_and_touch_no_token(
        self, api: Api, rules: Any, method: str, query: str, body: bytes, headers: dict[str, str], text: str
    ) -> None:
        token = api.create(**rules)
        answer = api.request(method, f"{token['url']}?{query}", body, headers)
        assert (answer.status, answer.text) == (200, text)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert_untouched(api, token)

    @pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "PATCH", "DELETE"])
    def test_aside_no_method_but_post_does_anything(self, api: Api, method: str) -> None:
        token = api.create()
        answer = api.request(method, f"{token['url']}?challenge=%0d%0aset-cookie:x", FITTING, JSON)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert_untouched(api, token)

    @pytest.mark.parametrize(
        ("scheme", "body", "status", "part"),
        [
            ("zoom", b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}', 200, "encryptedToken"),
            ("xero", b'{"events": [], "firstEventSequence": 0, "lastEventSequence": 0}', 200, ""),
            ("discord", b'{"type": 1}', 200, '{"type":1}'),
        ],
    )
    def test_that_need_the_key_are_answered_only_once_the_signature_is_right(
        self, api: Api, world: InMemory, scheme: str, body: bytes, status: int, part: str
    ) -> None:
        world.webhook_secrets[scheme] = FakeSecret(webhook_signer.secret_of(scheme))
        token = api.create(verify={"scheme": scheme, "secret": scheme})
        for headers in (JSON, {**signed(token, b"{}", scheme)}):
            refused = api.post(token["url"], body, headers)
            assert (refused.status, "encryptedToken" in refused.text) == (401, False)
        answer = api.post(token["url"], body, signed(token, body, scheme))
        assert answer.status == status
        assert part in answer.text
        assert_untouched(api, token, 2)

    def test_that_need_the_key_of_another_scheme_are_deliveries(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        body = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'
        answer = api.post(token["url"], body, signed(token, body))
        assert (answer.status, answer.json) == (200, {"success": True})
        assert api.retrieve(token["id"])["output"] == body.decode()


class TestContext:
    def wait(self, token: Mapping[str, Any], world: InMemory, **options: Any) -> str:
        task_token = world.step_functions.start_task()
        FUNCTIONS["wait_for_token"].call({"waitpointId": token["id"], "taskToken": task_token, **options})
        return task_token

    @pytest.mark.parametrize("late", [False, True])
    def test_gives_a_run_who_settled_the_token(self, api: Api, world: InMemory, late: bool) -> None:
        token = api.create()
        task_tokens = [] if late else [self.wait(token, world, context=True), self.wait(token, world)]
        api.post(token["url"], FITTING, {**JSON, "webhook-id": "d-1"})
        task_tokens = task_tokens or [self.wait(token, world, context=True), self.wait(token, world)]
        with_context, without = map(world.step_functions.result, task_tokens)
        assert isinstance(with_context, Success)
        assert json.loads(with_context.json) == {
            "ok": True,
            "output": {"approved": True},
            "completedBy": api.retrieve(token["id"])["completedBy"],
        }
        assert without == Success('{"ok":true,"output":{"approved": true}}')

    def test_is_taken_by_a_create_that_waits(self, api: Api, world: InMemory) -> None:
        task_token = world.step_functions.start_task()
        token = api.create(taskToken=task_token, context=True)
        complete(api, token, {"error": {"message": "no"}})
        result = world.step_functions.result(task_token)
        assert isinstance(result, Success)
        shown = json.loads(result.json)
        assert shown["error"] == {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert shown["completedBy"] == api.retrieve(token["id"])["completedBy"]

    def test_comes_with_a_timeout(self, api: Api, world: InMemory) -> None:
        token = api.create(timeout="1s")
        world.clock.advance(seconds=1)
        result = world.step_functions.result(self.wait(token, world, context=True))
        assert isinstance(result, Success)
        assert json.loads(result.json)["completedBy"] == {"source": "timeout", "at": iso(world.clock())}

    def test_and_unwrap_exclude_each_other(self, api: Api, world: InMemory) -> None:
        token = api.create()
        result = world.step_functions.result(self.wait(token, world, context=True, unwrap=True))
        assert isinstance(result, Failure)
        assert (result.error, "exclude each other" in result.cause) == ("InvalidRequest", True)
        answer = api.post(TOKENS, {"taskToken": world.step_functions.start_task(), "context": True, "unwrap": True})
        assert answer.status == 400
        assert "exclude each other" in answer.error

    @pytest.mark.parametrize("value", ["true", 1, None])
    def test_is_true_or_false(self, api: Api, world: InMemory, value: Any) -> None:
        result = world.step_functions.result(self.wait(api.create(), world, context=value))
        assert result == Failure("InvalidRequest", '"context" must be true or false')


class TestFail:
    def test_settles_with_an_error_that_the_sdk_and_the_runs_read(self, api: Api, world: InMemory) -> None:
        wrapped, unwrapped = world.step_functions.start_task(), world.step_functions.start_task()
        token = api.create(taskToken=wrapped)
        FUNCTIONS["wait_for_token"].call({"waitpointId": token["id"], "taskToken": unwrapped, "unwrap": True})
        error = {"message": "Größe 🎈", "name": "OutOfStock", "code": "E_1"}
        assert complete(api, token, {"error": error}).json == {"success": True}
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["outputIsError"], shown["outputType"]) == ("COMPLETED", True, "application/json")
        assert json.loads(shown["output"]) == error
        result = world.step_functions.result(wrapped)
        assert isinstance(result, Success)
        assert json.loads(result.json) == {"ok": False, "error": error}
        assert world.step_functions.result(unwrapped) == Failure("OutOfStock", "Größe 🎈")

    def test_has_a_name_and_a_code_of_its_own(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": {"message": "no"}})
        error = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert json.loads(api.retrieve(token["id"])["output"]) == error

    def test_is_open_to_a_state_machine(self, api: Api) -> None:
        token = api.create()
        FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "error": {"message": "no"}})
        assert api.retrieve(token["id"])["outputIsError"] is True

    @pytest.mark.parametrize("name", ["A", "a1", "x" * 64, "WaitpointFailedError", "TimeoutError"])
    def test_takes_a_name(self, api: Api, name: str) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no", "name": name}}).status == 200

    @pytest.mark.parametrize(
        "name",
        [
            *("", "1a", "a_b", "a.b", "a b", "é", "x" * 65, "a\n", 7, None, ["a"]),
            *("States.ALL", "States.Timeout", "Lambda.Unknown", "TryAgain", "TokenNotFound", "InvalidRequest"),
            *("WaitpointTimeoutError", "WaitpointOutputRefused", "CannotResumeNow", "PayloadRefused", "WaitpointsError"),
        ],
    )
    def test_refuses_a_name_that_a_retry_must_not_match(self, api: Api, name: Any) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no", "name": name}}).status == 400
        assert_untouched(api, token)

    @pytest.mark.parametrize(
        ("message", "status"), [("ü" * 2048, 200), ("ü" * 2048 + "x", 400), ("", 400), (7, 400), (None, 400)]
    )
    def test_takes_a_message_of_at_most_4_kib(self, api: Api, message: Any, status: int) -> None:
        assert complete(api, api.create(), {"error": {"message": message}}).status == status

    @pytest.mark.parametrize(("code", "status"), [("x" * 128, 200), ("x" * 129, 400), ("", 400), (7, 400), (None, 400)])
    def test_takes_a_code(self, api: Api, code: Any, status: int) -> None:
        assert complete(api, api.create(), {"error": {"message": "no", "code": code}}).status == status

    @pytest.mark.parametrize("more", [{"data": 1}, {"data": None}, {"more": 1}])
    def test_refuses_anything_beside_the_error(self, api: Api, more: Any) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no"}, **more}).status == 400
        assert_untouched(api, token)

    def test_changes_nothing_of_a_token_that_has_ended(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"data": 1})
        before = api.retrieve(token["id"])
        assert complete(api, token, {"error": {"message": "no"}}).status == 200
        assert api.retrieve(token["id"]) == before

    def test_is_shown_in_a_list_as_completed(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": {"message": "no"}})
        [shown] = api.get(TOKENS).json["data"]
        assert (shown["id"], shown["status"]) == (token["id"], "COMPLETED")


WORDS = ["challenge", "verification_token", "type", "url_verification", "payload", "ping", "validation_code", "event", "events"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["abc", *WORDS])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.sampled_from(WORDS), inner)
)
BODIES = (
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda it: it.encode("utf-8", "surrogatepass"))
    | VALUES.map(lambda it: json.dumps(it).encode())
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(lambda it: urlencode(it).encode())
    | st.sampled_from(
        [b"", b"{}", FITTING, UNFITTING, b"[" * 600 + b"]" * 600, b"9" * 5000, b"1e999", b'"\\ud800"', b"\xff\xfe"]
    )
)
CONTENT_TYPES = st.text(max_size=40) | st.sampled_from(
    [
        *(
            "application/json",
            "text/plain; charset=utf-16",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
        ),
        *("application/x-www-form-urlencoded; charset=latin1", "application/octet-stream", "multipart/form-data", ""),
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("user-agent", "webhook-id", "x-hook-secret", "smartsheet-hook-challenge", "aeg-event-type", "stripe-signature"),
            *("x-okta-verification-challenge", "webhook-request-origin", "webhook-request-rate", "cookie"),
            "access-control-request-method",
        ]
    ),
    st.text(max_size=300) | st.sampled_from(["abc", "SubscriptionValidation", "t=1,v1=2", "*", "a\r\nset-cookie: x"]),
    max_size=4,
)
QUERIES = st.text(max_size=300) | st.dictionaries(
    st.sampled_from(["challenge", "validationToken", "hub.mode", "hub.challenge", "q"]),
    st.text(max_size=20) | st.sampled_from(["subscribe", "123", "abc", "<script>"]),
).map(urlencode)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "verify": st.just({"scheme": "stripe", "secret": "stripe"}),
        "completeWhen": st.sampled_from(
            ["body", "body.approved", "headers.\"user-agent\" == 'abc'", "query.q", "!body", "json(body)"]
        ),
        "payloadSchema": st.sampled_from([{}, SCHEMA, {"not": {"type": "object"}}, {"pattern": "^a*$", "maxLength": 9}]),
    },
)
ALPHABET = set(string.ascii_letters + string.digits + "._~:+/= -")


class TestAnyRequest:
    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
    @given(
        rules=RULES,
        body=BODIES,
        content_type=CONTENT_TYPES,
        headers=HEADERS,
        query=QUERIES,
        is_signed=st.booleans(),
        data=st.data(),
    )
    def test_settles_its_token_with_what_was_sent_or_leaves_it(
        self,
        api: Api,
        world: InMemory,
        rules: dict[str, Any],
        body: bytes,
        content_type: str,
        headers: dict[str, str],
        query: str,
        is_signed: bool,
        data: st.DataObject,
    ) -> None:
        world.webhook_secrets["stripe"] = FakeSecret(webhook_signer.secret_of("stripe"))
        method = data.draw(st.just("POST") | st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]))
        token = api.create(**rules)
        sent = {**headers, "content-type": content_type}
        if is_signed:
            sent |= webhook_signer.sign("stripe", body, token["url"], time.time()).headers
        event_, expected = event_of(method, token, query, body, sent), callback_body.output(body, content_type)

        answer = FUNCTIONS["accept_callback"].call(event_)

        shown = api.retrieve(token["id"])
        event(f"{method} {answer['statusCode']} {shown['status']} {'otherDeliveries' in shown}")
        assert answer["statusCode"] in {200, 401, 405, 422}
        if shown["status"] == "COMPLETED":
            assert (method, answer["statusCode"], answer["body"]) == ("POST", 200, '{"success":true}')
            assert shown.get("output") == expected
            assert is_signed or "verify" not in rules
        else:
            assert "output" not in shown
        if answer["headers"].get("x-content-type-options") == "nosniff":
            assert shown["status"] == "WAITING"
            reflected = [answer["headers"].get(name, "") for name in REFLECTING]
            text = answer["body"] if answer["headers"]["content-type"].startswith("text/plain") else ""
            values = json.loads(answer["body"]).values() if not text and answer["body"] else ()
            assert all(ALPHABET.issuperset(value) or value == "*" for value in (text, *reflected, *values))

    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
    @given(body=BODIES, headers=HEADERS, query=QUERIES, method=st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT"]))
    def test_with_a_wrong_hash_has_one_answer(
        self, api: Api, body: bytes, headers: dict[str, str], query: str, method: str
    ) -> None:
        token = api.create()
        wrong = {"url": token["url"][:-1] + ("0" if token["url"][-1] != "0" else "1")}
        answer = FUNCTIONS["accept_callback"].call(event_of(method, wrong, query, body, headers))
        refused = (
            (401, '{"error":"Invalid URL, hash doesn\'t match"}')
            if method != "PUT"
            else (405, '{"error":"Method not allowed"}')
        )
        assert (answer["statusCode"], answer["body"]) == refused
        assert_untouched(api, token)


REFLECTING = ("x-hook-secret", "smartsheet-hook-response", "webhook-allowed-origin", "webhook-allowed-rate")


def event_of(method: str, token: Mapping[str, Any], query: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A request as API Gateway hands it on, whatever its query and its headers hold."""
    path = urlsplit(token["url"]).path
    route = Template.load().route(method, path)
    assert route is not None
    return http_event(method, path, query, body, headers, route.route_key, route.path_parameters)
