"""The rules in a request to create a token are checked before there is one."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.world import World
from tests.support.refusals import is_refused


def verify(secret: str, scheme: str = "svix", **more: str) -> dict[str, Any]:
    return {"verify": {"scheme": scheme, "secret": secret, **more}}


OWN = {"scheme": "hmac", "header": "X-Signature"}
CHOICES = [f"{at:03}" + "<" * 40 for at in range(80)]
LARGE = {"title": "T", "fields": {"properties": {"one": {"enum": CHOICES}, "two": {"enum": CHOICES}}}}
REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (verify("none"), 422, '"webhooks/none"'),
    (verify("unreadable"), 503, ""),
    (verify("hidden"), 422, "The secret hidden cannot be used with svix"),
    (verify("hidden", **OWN, signed="x"), 422, "verify.signed must have {body} exactly once"),
    (verify("hidden", **OWN, secretEncoding="hex"), 422, "The secret hidden cannot be used with hmac: it must be hexadecimal"),
    *(({"completeWhen": text}, 422, "Invalid completeWhen") for text in ("", "body.", "map(&a, body)", "[@,@]|[@,@]")),
    ({"completeWhen": "body." + "a" * 256}, 422, "Invalid completeWhen: at most 256 characters are accepted"),
    *(
        ({"payloadSchema": schema}, 422, "payloadSchema")
        for schema in ({"$ref": "#"}, {"type": "wrong"}, {"pattern": "(?=a)"}, {"title": "x" * 8192})
    ),
    ({"page": LARGE}, 422, "60,000"),
]


class TestVerifyAtCreate:
    @pytest.mark.parametrize(("body", "status", "says"), REFUSED)
    def test_and_every_other_rule_that_cannot_be_used_is_refused_and_makes_nothing(
        self, api: Api, world: World, body: dict[str, Any], status: int, says: str
    ) -> None:
        world.webhook_secrets["hidden"] = FakeSecret("whsec_not base64: a secret")
        world.webhook_secrets["unreadable"] = MissingSecret("InternalServiceError")
        answer = is_refused(world, lambda: api.post(TOKENS, body), status, says)
        assert "a secret" not in answer.text


def test_a_page_that_is_not_too_large_as_html_is_accepted(api: Api) -> None:
    assert api.post(TOKENS, {"page": {"title": "T", "text": "<" * 10_000}}).status == 200
