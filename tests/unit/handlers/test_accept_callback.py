"""The route of callback URLs."""

from functools import partial

import pytest

from tests.support.in_process.api_gateway import JSON, Api, path_of
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
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
    def test_with_a_wrong_hash_is_401_and_changes_nothing(self, api: Api, world: World, written: str) -> None:
        url = f"{path_of(api.create())}/callback/{written}"
        is_refused(world, lambda: api.post(url, b"1", JSON), 401, "Invalid URL, hash doesn't match")

    def test_of_a_token_that_retention_removed_is_404(self, api: Api, world: World) -> None:
        token = api.create()
        world.store.remove(token["id"])
        is_refused(world, lambda: api.deliver(token, b"1"), 404, "Waitpoint not found")

    def test_over_three_mebibytes_is_413_and_leaves_the_token_as_it_was(self, api: Api, world: World) -> None:
        token = api.create()
        for content_type in ("application/json", "application/octet-stream"):
            ask = partial(api.post, token["url"], b"1".ljust(PAYLOAD_LIMIT + 1), {"content-type": content_type})
            is_refused(world, ask, 413)
        assert api.deliver(token, b"1".ljust(PAYLOAD_LIMIT)).status == 200
