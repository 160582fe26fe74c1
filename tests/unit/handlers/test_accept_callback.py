"""The route of callback URLs."""

import pytest

from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.world import World
from waitpoints.api.http import PAYLOAD_LIMIT


class TestCallback:
    @pytest.mark.parametrize(
        ("content_type", "body", "output"),
        [
            ("application/json", b'{"n": 1.50}', '{"n": 1.50}'),
            ("application/json; charset=utf-8", '{"ü":1}'.encode(), '{"ü":1}'),
            ("application/vnd.api+json", b"[1]", "[1]"),
            ("text/plain", b"[1]", "[1]"),
            ("", b"null", "null"),
            ("application/x-www-form-urlencoded", b"a=1&b=2", '{"a":"1","b":"2"}'),
            ("application/xml", b"<a/>", '"<a/>"'),
            ("application/json", b'{"truncated', '"{\\"truncated"'),
            ("application/octet-stream", b"\xff\x00", '{"base64":"/wA="}'),
            ("application/json", b"", "{}"),
        ],
    )
    def test_keeps_any_body(self, api: Api, content_type: str, body: bytes, output: str) -> None:
        token = api.create()
        answer = api.post(token["url"], body, {"content-type": content_type} if content_type else {})
        assert (answer.status, answer.json) == (200, {"success": True})
        assert api.retrieve(token["id"])["output"] == output

    @pytest.mark.parametrize("written", ["0" * 64, "x" * 64, "short", "%C3%BC" * 20, "0" * 5000])
    def test_with_a_wrong_hash_is_401_and_changes_nothing(self, api: Api, written: str) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        answer = api.post(f"{TOKENS}/{token['id']}/callback/{written}", b"1", JSON)
        assert (answer.status, answer.error) == (401, "Invalid URL, hash doesn't match")
        assert api.retrieve(token["id"]) == before

    def test_of_a_token_that_retention_removed_is_404(self, api: Api, world: World) -> None:
        token = api.create()
        world.store.remove(token["id"])
        answer = api.deliver(token, b"1")
        assert (answer.status, answer.error) == (404, "Waitpoint not found")

    def test_over_three_mebibytes_is_413_and_leaves_the_token_as_it_was(self, api: Api) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        for content_type in ("application/json", "application/octet-stream"):
            answer = api.post(token["url"], b"1".ljust(PAYLOAD_LIMIT + 1), {"content-type": content_type})
            assert answer.status == 413
        assert api.retrieve(token["id"]) == before
        assert api.deliver(token, b"1".ljust(PAYLOAD_LIMIT)).status == 200
