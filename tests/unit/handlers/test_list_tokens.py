"""The route that lists tokens."""

from typing import Any

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.world import World
from waitpoints.token import TimedOut

SECOND, HOUR = 1000, 3_600_000


class TestTheListRoute:
    def ids(self, api: Api, query: str = "") -> list[str]:
        return [token["id"] for token in api.ask("GET", f"{TOKENS}?{query}")["data"]]

    def made(self, api: Api, world: World, number: int, **fields: Any) -> list[str]:
        made: list[str] = []
        for _ in range(number):
            world.advance(1)
            made.insert(0, api.create(**fields)["id"])
        return made

    def test_returns_the_newest_twenty_five_and_a_cursor(self, api: Api, world: World) -> None:
        made = self.made(api, world, 30)
        first = api.get(TOKENS).json
        assert [token["id"] for token in first["data"]] == made[:25]
        assert set(first["pagination"]) == {"next"}
        second = api.get(f"{TOKENS}?page%5Bafter%5D={first['pagination']['next']}").json
        assert [token["id"] for token in second["data"]] == made[25:]
        assert set(second["pagination"]) == {"previous"}
        back = api.get(f"{TOKENS}?page%5Bbefore%5D={second['pagination']['previous']}").json
        assert [token["id"] for token in back["data"]] == made[:25]

    def test_computes_the_status_from_the_clock(self, api: Api, world: World) -> None:
        [timed] = self.made(api, world, 1, timeout="2s")
        [waiting] = self.made(api, world, 1)
        [done] = self.made(api, world, 1)
        world.complete(done, "1")
        world.advance(2 * SECOND)
        assert self.ids(api, "filter%5Bstatus%5D=WAITING") == [waiting]
        assert self.ids(api, "filter%5Bstatus%5D=WAITING%2CTIMED_OUT") == [waiting, timed]
        assert self.ids(api, "filter%5Bstatus%5D=COMPLETED") == [done]
        shown = {token["id"]: token for token in api.get(TOKENS).json["data"]}
        assert shown[timed]["status"] == "TIMED_OUT"
        assert world.store.tokens[timed].outcome_at(world.clock()) == TimedOut(world.clock.now - 2)

    def test_shows_what_waits_longest(self, api: Api, world: World) -> None:
        made = self.made(api, world, 5)
        world.complete(made[-1], "1")
        waiting = "filter%5Bstatus%5D=WAITING&sort=createdAt"
        assert self.ids(api, waiting) == made[3::-1]
        first = api.get(f"{TOKENS}?{waiting}&page%5Bsize%5D=2").json
        assert self.ids(api, f"{waiting}&page%5Bsize%5D=2&page%5Bafter%5D={first['pagination']['next']}") == [made[1], made[0]]

    def test_shows_and_filters_what_failed(self, api: Api, world: World) -> None:
        [timed] = self.made(api, world, 1, timeout="1h")
        [failed, done, waiting] = self.made(api, world, 3)
        world.complete(done, "1")
        api.complete(failed, error={"message": "cancelled"})
        world.advance(HOUR)
        assert self.ids(api, "filter%5BoutputIsError%5D=true") == [failed, timed]
        assert self.ids(api, "filter%5BoutputIsError%5D=false") == [done, waiting]
        assert self.ids(api, "filter%5BoutputIsError%5D=true&filter%5Bstatus%5D=COMPLETED") == [failed]
        shown = {token["id"]: (token["status"], token["outputIsError"]) for token in api.get(TOKENS).json["data"]}
        assert shown == {
            waiting: ("WAITING", False),
            done: ("COMPLETED", False),
            failed: ("COMPLETED", True),
            timed: ("TIMED_OUT", True),
        }

    def test_without_tokens_returns_an_empty_page(self, api: Api) -> None:
        assert api.get(TOKENS).json == {"data": [], "pagination": {}}
