"""The route of endpoints' URLs."""

from tests.support.github_endpoint import BODY, GitHub
from waitpoints.endpoint import new_secret_id
from waitpoints.wiring import services


class TestTheUrl:
    def test_is_refused_alike_whether_the_name_the_hash_or_the_endpoint_is_wrong(self, github: GitHub) -> None:
        right = github.url
        never_put = services.urls.endpoint_url("other", new_secret_id(), "")
        wrong = [right[:-1] + ("0" if right[-1] != "0" else "1"), right.replace("/github/", "/gitlab/"), never_put, f"{right}0"]
        answers = [github.api.post(url, BODY, {}) for url in wrong]
        assert [answer.status for answer in answers] == [401] * 4
        assert len({answer.text for answer in answers}) == 1
        assert not github.world.store.tokens

    def test_ends_with_the_endpoint_within_a_minute_and_a_new_one_works_at_once(self, github: GitHub) -> None:
        old, posts = github.url, github.api.post
        assert posts(old, BODY, {}).status == 200
        github.world.endpoints.delete("github")
        github.put()
        assert (github.url != old, posts(github.url, BODY, {}).status) == (True, 200)
        github.world.advance(60_000)
        assert posts(old, BODY, {}).status == 401

    def test_stays_when_the_endpoint_is_changed(self, github: GitHub) -> None:
        old, token = github.url, github.create()
        github.put(complete_when=None)
        assert github.url == old
        github.world.advance(60_000)
        github.deliver(BODY.replace("completed", "requested"))
        assert not github.waits(token)
