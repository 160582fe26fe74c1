"""The route of endpoints' URLs."""

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, create, deliver, put, url_of
from tests.support.in_process.api_gateway import Api
from waitpoints.endpoint import new_secret_id
from waitpoints.wiring import services

pytestmark = pytest.mark.usefixtures("github")


class TestTheUrl:
    def test_is_refused_alike_whether_the_name_the_hash_or_the_endpoint_is_wrong(self, world: InMemory, api: Api) -> None:
        endpoint = put(world)
        right = url_of(endpoint)
        never_put = services.urls.endpoint_url("other", new_secret_id(), "")
        wrong = [right[:-1] + ("0" if right[-1] != "0" else "1"), right.replace("/github/", "/gitlab/"), never_put, f"{right}0"]
        answers = [api.post(url, BODY, {}) for url in wrong]
        assert [answer.status for answer in answers] == [401] * 4
        assert len({answer.text for answer in answers}) == 1
        assert not world.store.tokens

    def test_ends_with_the_endpoint_within_a_minute_and_a_new_one_works_at_once(self, world: InMemory, api: Api) -> None:
        old = put(world)
        assert deliver(api, old).status == 200
        world.endpoints.delete("github")
        new = put(world)
        assert new.secret_id != old.secret_id
        assert deliver(api, new).status == 200
        world.clock.advance(60_000)
        assert deliver(api, old).status == 401

    def test_stays_when_the_endpoint_is_changed(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world), create(world)
        assert url_of(put(world, complete_when=None)) == url_of(endpoint)
        world.clock.advance(60_000)
        deliver(api, endpoint, BODY.replace("completed", "requested"))
        assert world.tokens.retrieve(token).outcome is not None
