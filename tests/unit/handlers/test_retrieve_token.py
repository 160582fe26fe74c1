"""The route that shows a token."""

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused


class TestRetrieve:
    def test_shows_a_token_with_the_url_that_create_gave(self, api: Api) -> None:
        token = api.create()
        shown = api.retrieve(token["id"])
        assert (shown["id"], shown["url"], shown["status"]) == (token["id"], token["url"], "WAITING")
        assert api.retrieve(token["id"].removeprefix("waitpoint_")) == shown

    @pytest.mark.parametrize("written", ["0" * 26, "waitpoint_" + "0" * 26, "waitpoint_a_b", "x", "idempotency%23x", "%2F"])
    def test_of_an_invalid_or_unknown_id_is_404(self, api: Api, world: World, written: str) -> None:
        is_refused(world, lambda: api.get(f"{TOKENS}/{written}"), 404, "Waitpoint not found")
