"""An endpoint as the API shows it."""

from dataclasses import replace

import pytest

from tests.support.endpoint_routes import SMALLEST, get, put, stored
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from waitpoints.api.endpoints.representation import recorded, with_contents
from waitpoints.api.representation import INLINE_LIMIT
from waitpoints.endpoint import DeliveryKind, EndpointStatistics, LastDelivery
from waitpoints.recorded_delivery import Contents, RecordedDelivery
from waitpoints.token import iso


class TestRetrieve:
    def test_shows_counts_and_the_last_delivery_of_each_kind_that_came(self, api: Api, world: World) -> None:
        put(api, SMALLEST)
        full = LastDelivery(
            at=world.clock(), ip="192.0.2.1", user_agent="GitHub-Hookshot", delivery_id="d-1", key="github:7", detail="why"
        )
        bare = LastDelivery(at=world.clock() + 1)
        counts = {DeliveryKind.NOT_MATCHING: 2_000, DeliveryKind.COMPLETED: 1}
        last = {DeliveryKind.NOT_MATCHING: bare, DeliveryKind.COMPLETED: full}
        world.endpoints.count(stored(world).secret_id, EndpointStatistics(counts, last))
        assert get(api)["deliveries"] == {
            "notMatching": {"count": 2_000, "lastAt": iso(bare.at)},
            "completed": {
                "count": 1,
                "lastAt": iso(full.at),
                "lastIp": "192.0.2.1",
                "lastUserAgent": "GitHub-Hookshot",
                "lastDeliveryId": "d-1",
                "lastKey": "github:7",
                "lastDetail": "why",
            },
        }


class TestARecordedDelivery:
    BARE = RecordedDelivery(id="delivery_1", at=1_800_000_000_123, size=7, expires_at=1_800_000_060)

    def test_has_what_is_known_of_it(self) -> None:
        assert recorded(self.BARE, "github") == {
            "id": "delivery_1",
            "endpoint": "github",
            "kind": "pending",
            "createdAt": "2027-01-15T08:00:00.123Z",
            "expiresAt": "2027-01-15T08:01:00.000Z",
            "size": 7,
        }

    def test_names_the_others_that_it_has_to_do_with(self) -> None:
        full = replace(
            self.BARE,
            kind=DeliveryKind.NOT_MATCHING,
            key="github:7",
            detail="why",
            token_id="waitpoint_1",
            delivery_id="d-1",
            repeat_of="delivery_2",
            resend_of="delivery_3",
            by="ci",
            ip="192.0.2.1",
            user_agent="GitHub-Hookshot",
        )
        more = {name: value for name, value in recorded(full, "github").items() if name not in recorded(self.BARE, "github")}
        assert recorded(full, "github")["kind"] == "notMatching"
        assert more == {
            "key": "github:7",
            "detail": "why",
            "tokenId": "waitpoint_1",
            "deliveryId": "d-1",
            "repeatOf": "delivery_2",
            "resendOf": "delivery_3",
            "resentBy": "ci",
            "ip": "192.0.2.1",
            "userAgent": "GitHub-Hookshot",
        }

    @pytest.mark.parametrize(("more", "name"), [(-1, "body"), (0, "body"), (1, "bodyBase64")])
    def test_has_a_text_up_to_the_limit(self, more: int, name: str) -> None:
        body = b"x" * (INLINE_LIMIT - 6 + more)  # quoted, and quoted again with its quotes escaped
        shown = with_contents(self.BARE, "github", Contents({}, "", body))
        assert shown.keys() & {"body", "bodyBase64"} == {name}
