"""The scheme `hmac`: what a user may describe, and that a delivery is read in one way only."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from tests.support import webhook_signer as signer
from tests.support.in_process.template import ROOT
from tests.support.signed_deliveries import BODY, NOW, URL, published
from waitpoints.api.providers import own_scheme
from waitpoints.api.providers.signatures import Delivery, check, check_secret
from waitpoints.api.providers.verify_request import parse_verify
from waitpoints.errors import InvalidVerification, UnusableSecret, WrittenLater, WrongSignature
from waitpoints.token import Verification
from waitpoints_local import webhook_signer

SECRET, HEADER, OTHER = "a secret as it is shown", "x-signature", "x-part"
AT, MS = str(int(NOW)), str(int(NOW * 1000))
SMALLEST = {"header": "X-Signature", "signed": "{body}"}
TIMED = {"header": "X-Signature", "signed": "{timestamp}.{body}", "timestamp": {"header": "X-Time"}}
SHARED = {**TIMED, "separator": ",", "prefix": "v1=", "timestamp": {"prefix": "t="}}
GITHUB = {"header": "X-Hub-Signature-256", "prefix": "sha256=", "signed": "{body}"}
MUTATIONS = 2000


def verification(row: Mapping[str, Any]) -> Verification:
    return parse_verify({"scheme": "hmac", "secret": "NAME", **row})


def accept(row: Mapping[str, Any], received: Delivery, secret: str = SECRET, now: float = NOW) -> str:
    return check(verification(row), [secret], received, now)


def refuse(row: Mapping[str, Any], received: Delivery, secret: str = SECRET, now: float = NOW) -> str:
    with pytest.raises(WrongSignature) as refused:
        accept(row, received, secret, now)
    return refused.value.reason


def digest(content: bytes, secret: bytes = SECRET.encode(), algorithm: str = "sha256") -> str:
    return hmac.new(secret, content, algorithm).hexdigest()


def delivery(headers: Mapping[str, str], body: bytes = BODY, url: str = URL) -> Delivery:
    return Delivery(body, headers, url)


@dataclass(frozen=True)
class Signed:
    """What a library signs, and how it is described. `made_of` are the headers that it signs, besides the body."""

    row: Mapping[str, Any]
    secret: str
    headers: Mapping[str, str]
    url: str = URL

    @property
    def received(self) -> Delivery:
        return delivery(self.headers, url=self.url)


def _stripe() -> Signed:
    signature = stripe.WebhookSignature._compute_signature(f"{AT}.{BODY.decode()}", signer.WHSEC)
    row = {**SHARED, "header": "Stripe-Signature"}
    return Signed(row, signer.WHSEC, {"stripe-signature": f"t={AT},v1={signature}"})


def _github() -> Signed:
    """As https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries does."""
    signature = "sha256=" + hmac.new(SECRET.encode(), msg=BODY, digestmod=hashlib.sha256).hexdigest()
    return Signed(GITHUB, SECRET, {"x-hub-signature-256": signature})


def _slack() -> Signed:
    signature = str(SignatureVerifier(SECRET).generate_signature(timestamp=AT, body=BODY))
    row = {
        "header": "X-Slack-Signature",
        "prefix": "v0=",
        "timestamp": {"header": "X-Slack-Request-Timestamp"},
        "signed": "v0:{timestamp}:{body}",
    }
    return Signed(row, SECRET, {"x-slack-signature": signature, "x-slack-request-timestamp": AT})


def _standard_webhooks() -> Signed:
    signature = Webhook(signer.WHSEC).sign("msg_1", datetime.fromtimestamp(int(NOW), UTC), BODY.decode())
    row = {
        "header": "webhook-signature",
        "separator": " ",
        "prefix": "v1,",
        "encoding": "base64",
        "secretEncoding": "whsec",
        "timestamp": {"header": "webhook-timestamp"},
        "signed": "{header:webhook-id}.{timestamp}.{body}",
    }
    headers = {"webhook-id": "msg_1", "webhook-timestamp": AT, "webhook-signature": signature}
    return Signed(row, signer.WHSEC, headers)


def _with_url() -> Signed:
    row = {**TIMED, "signed": "{method}\n{url}\n{timestamp}\n{header:X-Part}\n{body}"}
    content = f"POST\n{URL}\n{AT}\npart\n".encode() + BODY
    return Signed(row, SECRET, {"x-signature": digest(content), "x-time": AT, OTHER: "part"})


LIBRARIES: list[Callable[[], Signed]] = [_stripe, _github, _slack, _standard_webhooks, _with_url]
every_library = pytest.mark.parametrize("sign", LIBRARIES, ids=lambda it: it.__name__.strip("_"))


class TestOfficialLibraries:
    @every_library
    def test_sign_what_is_accepted(self, sign: Callable[[], Signed]) -> None:
        signed = sign()
        assert accept(signed.row, signed.received, signed.secret) == signed.secret

    @every_library
    def test_sign_nothing_that_a_mutation_may_change(self, sign: Callable[[], Signed]) -> None:
        signed = sign()
        known = verification(signed.row)
        changes = mutations(signed, random.Random(sign.__name__))  # noqa: S311
        for received, _ in zip(changes, range(MUTATIONS), strict=False):
            with pytest.raises(WrongSignature):
                check(known, [signed.secret], received, NOW)

    def test_of_github_publishes_what_is_accepted(self) -> None:
        [documented, *_] = published("github")
        accept(GITHUB, delivery(documented["headers"], documented["body"].encode()), documented["secret"])


def mutations(signed: Signed, chance: random.Random) -> Iterator[Delivery]:
    """Yield deliveries of which a byte of the body, a header or a signed URL is another, is gone, or is one more."""
    received = signed.received
    signs_url = "{url}" in signed.row["signed"]
    while True:
        kind = chance.choice(("body", "header", "url") if signs_url else ("body", "header"))
        match kind:
            case "body":
                yield replace(received, body=_changed(received.body, chance))
            case "header":
                name = chance.choice(list(received.headers))
                value = _changed(received.headers[name].encode(), chance).decode("latin-1")
                if value.strip() != received.headers[name]:  # API Gateway sends no spaces around a value
                    yield replace(received, headers={**received.headers, name: value})
            case "url":
                yield replace(received, url=_changed(received.url.encode(), chance).decode("latin-1"))


def _changed(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text))
    other = bytes([text[at] ^ chance.randrange(1, 256)])
    return chance.choice([text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + other + text[at:]])


RECIPES: Mapping[str, Mapping[str, Any]] = {
    name.partition(",")[0]: recipe for name, recipe in json.loads((ROOT / "docs/webhook-recipes.json").read_text()).items()
}
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
ISO = "2027-01-15T08:00:00Z"


def _base64(content: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), content, "sha256").digest()).decode()


HEX = digest(BODY)
DOTTED = digest(AT.encode() + b"." + BODY)
SENT: Mapping[str, Mapping[str, str]] = {
    # https://docs.attio.com/rest-api/guides/webhooks
    "Attio": {"attio-signature": HEX},
    # https://trigger.dev/docs/webhooks/providers/cal-com, https://github.com/sarmakska/webhook-to-email/wiki/HMAC-Verification
    "cal.com": {"x-cal-signature-256": HEX},
    # https://docs.firecrawl.dev/webhooks/security
    "Firecrawl": {"x-firecrawl-signature": f"sha256={HEX}"},
    # https://hookdeck.com/docs/authentication, https://github.com/hookdeck/webhook-skills
    "Hookdeck": {"x-hookdeck-signature": _base64(BODY)},
    # https://infisical.com/docs/documentation/platform/webhooks: the time beside the signature is not signed
    "Infisical": {"x-infisical-signature": f"t={MS};{HEX}"},
    # https://github.com/langfuse/langfuse/blob/main/packages/shared/src/encryption/signature.ts
    "Langfuse": {"x-langfuse-signature": f"t={AT},v1={DOTTED}"},
    # @metronome/sdk 3.10.0, src/resources/webhooks.ts: a date of HTTP, which is signed, but whose age is not checked
    "Metronome": {"metronome-webhook-signature": digest(DATE.encode() + b"\n" + BODY), "x-metronome-date": DATE},
    # https://www.plain.com/docs/request-signing
    "Plain": {"plain-request-signature": HEX},
    # https://planetscale.com/docs/api/webhooks
    "PlanetScale": {"x-planetscale-signature": HEX},
    # retell-sdk 6.2.13, retell/lib/webhook_auth.py
    "Retell": {"x-retell-signature": f"v={MS},d={digest(BODY + MS.encode())}"},
    # https://github.com/tailscale/tailscale/blob/main/docs/webhooks/example.go
    "Tailscale": {"tailscale-webhook-signature": f"t={AT},v1={DOTTED}"},
    # https://docs.vapi.ai/server-url/server-authentication: the credential names the header and the format; the unit of its
    # time is not documented
    "Vapi": {"x-signature": HEX},
    # workos 10.8.0, workos/webhooks/_verification.py
    "WorkOS": {"workos-signature": f"t={MS}, v1={digest(f'{MS}.'.encode() + BODY)}"},
    # https://developer.zendesk.com/documentation/webhooks/verifying/
    "Zendesk": {
        "x-zendesk-webhook-signature": _base64(ISO.encode() + BODY),
        "x-zendesk-webhook-signature-timestamp": ISO,
    },
}


class TestRecipes:
    def test_are_of_fourteen_providers(self) -> None:
        assert RECIPES.keys() == SENT.keys()
        assert len(RECIPES) == 14

    @pytest.mark.parametrize("name", sorted(SENT))
    def test_accept_what_the_provider_signs_and_no_other_body(self, name: str) -> None:
        known, headers = parse_verify(RECIPES[name]), SENT[name]
        check(known, [SECRET], delivery(headers), NOW)
        for body in (BODY + b" ", b"", BODY[:-1]):
            with pytest.raises(WrongSignature):
                check(known, [SECRET], delivery(headers, body), NOW)
        with pytest.raises(WrongSignature):
            check(known, ["another secret"], delivery(headers), NOW)

    @pytest.mark.parametrize("name", sorted(name for name, recipe in RECIPES.items() if "timestamp" in recipe))
    def test_refuse_what_is_too_old_or_too_new(self, name: str) -> None:
        known = parse_verify(RECIPES[name])
        seconds = 180 if name == "WorkOS" else 300
        for off in (-seconds - 1, seconds + 1):
            with pytest.raises(WrongSignature, match=f"more than {seconds} seconds"):
                check(known, [SECRET], delivery(SENT[name]), NOW + off)


class TestADelivery:
    @pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe", b"{}" * 1000], ids=["empty", "binary", "long"])
    def test_may_have_any_body(self, body: bytes) -> None:
        accept(SMALLEST, delivery({HEADER: digest(body)}, body))
        assert refuse(SMALLEST, delivery({HEADER: digest(body)}, body + b"\x00")) == "wrong"

    @pytest.mark.parametrize("algorithm", own_scheme.ALGORITHMS)
    @pytest.mark.parametrize("encoding", own_scheme.ENCODINGS)
    def test_is_signed_with_the_named_algorithm_and_encoding(self, algorithm: str, encoding: str) -> None:
        made = hmac.new(SECRET.encode(), BODY, algorithm).digest()
        text = made.hex() if encoding == "hex" else base64.b64encode(made).decode()
        row = {**SMALLEST, "algorithm": algorithm, "encoding": encoding}
        accept(row, delivery({HEADER: text}))
        for other in set(own_scheme.ALGORITHMS) - {algorithm}:
            assert refuse({**row, "algorithm": other}, delivery({HEADER: text})) == "wrong"

    @pytest.mark.parametrize(
        ("encoding", "secret"),
        [("hex", b"key".hex()), ("base64", "a2V5"), ("whsec", "whsec_a2V5"), ("whsec", "a2V5"), ("text", "key")],
    )
    def test_is_signed_with_the_secret_as_it_is_encoded(self, encoding: str, secret: str) -> None:
        row = {**SMALLEST, "secretEncoding": encoding}
        check_secret(verification(row), secret)
        accept(row, delivery({HEADER: digest(BODY, b"key")}), secret + "\n")

    @pytest.mark.parametrize(
        ("encoding", "secret"),
        [("hex", "xyz"), ("hex", ""), ("base64", "?"), ("base64", ""), ("whsec", "whsec_"), ("text", "")],
    )
    def test_is_503_if_the_secret_has_another_encoding(self, encoding: str, secret: str) -> None:
        known = verification({**SMALLEST, "secretEncoding": encoding})
        with pytest.raises(InvalidVerification, match="cannot be used with hmac: it must be"):
            check_secret(known, secret)
        with pytest.raises(UnusableSecret):
            check(known, [secret], delivery({HEADER: digest(BODY)}), NOW)

    def test_fits_the_previous_secret_too(self) -> None:
        assert check(verification(SMALLEST), ["new", SECRET], delivery({HEADER: digest(BODY)}), NOW) == SECRET

    def test_may_have_two_signatures_if_there_is_a_separator(self) -> None:
        ours = f"v1={digest(AT.encode() + b'.' + BODY)}"
        for value in (f"t={AT},v1=00,{ours}", f"{ours},v1=00,t={AT}", f"v9=x, t={AT}, {ours}"):
            accept(SHARED, delivery({HEADER: value}))
        assert refuse(SHARED, delivery({HEADER: f"t={AT},v1=00,v1=11"})) == "wrong"
        assert refuse(SHARED, delivery({HEADER: f"t={AT},{ours[3:]}"})) == "malformed"
        assert refuse(SMALLEST, delivery({HEADER: f"{digest(BODY)},{digest(BODY)}"})) == "wrong"  # API Gateway joins the two

    def test_has_one_time_even_if_its_header_is_repeated(self) -> None:
        signature = digest(AT.encode() + b"." + BODY)
        old = str(int(NOW) - 9000)
        assert refuse(TIMED, delivery({HEADER: signature, "x-time": f"{AT},{AT}"})) == "malformed"
        assert refuse(SHARED, delivery({HEADER: f"t={old},v1={signature},t={AT},v1={signature}"})) == "too old"
        assert refuse(SHARED, delivery({HEADER: f"t={int(NOW) - 1},t={AT},v1={signature}"})) == "wrong"

    @pytest.mark.parametrize("name", ["x-signature", "x-time", OTHER])
    def test_without_a_header_is_refused_with_its_name(self, name: str) -> None:
        row = {**TIMED, "signed": "{header:X-Part}.{timestamp}.{body}"}
        headers = {HEADER: digest(b"part." + AT.encode() + b"." + BODY), "x-time": AT, OTHER: "part"}
        accept(row, delivery(headers))
        with pytest.raises(WrongSignature, match=f"no {name} header"):
            accept(row, delivery({other: value for other, value in headers.items() if other != name}))

    @pytest.mark.parametrize(("tolerance", "seconds"), [("1s", 1), ("1h", 3600)])
    def test_may_have_a_prefix_before_its_time(self, tolerance: str, seconds: int) -> None:
        row = {**TIMED, "timestamp": {"header": "X-Time", "prefix": "at ", "tolerance": tolerance}}
        headers = {HEADER: digest(AT.encode() + b"." + BODY), "x-time": f"at {AT}"}
        accept(row, delivery(headers), now=int(AT) + seconds)
        with pytest.raises(WrongSignature, match="no at  in the x-time header"):
            accept(row, delivery({**headers, "x-time": AT}))

    def test_may_have_braces_in_its_text(self) -> None:
        accept({**SMALLEST, "signed": "{{body}.{body}}"}, delivery({HEADER: digest(b"{body}." + BODY + b"}")}))

    def test_is_signed_with_one_of_the_stacks_two_urls(self) -> None:
        row = {**SMALLEST, "signed": "{url}\n{body}"}
        other = URL.replace("hooks.", "api.")
        received = delivery({HEADER: digest(other.encode() + b"\n" + BODY)})
        accept(row, replace(received, other_url=other))
        assert refuse(row, received) == "wrong"


BASE = URL.partition("?")[0]
PART = {**SMALLEST, "signed": "{header:X-Part}.{body}"}
AFTER = {**SMALLEST, "signed": "{body}--{header:X-Part}"}
OF_URL = {**SMALLEST, "signed": "{url}.{body}"}
BEFORE_TIME = {**TIMED, "signed": "{body}{timestamp}"}
BEFORE_BODY = {**TIMED, "signed": "{timestamp}{body}", "timestamp": {"header": "X-Time", "unit": "iso"}}
Parts = tuple[dict[str, str], str, str]  # headers, body, URL
MOVED: list[tuple[Mapping[str, Any], str, Parts, Parts]] = [
    # the description, the signed text, what was signed, and another delivery that has the same signed text
    (PART, "a.b.c", ({OTHER: "a"}, "b.c", URL), ({OTHER: "a.b"}, "c", URL)),
    (AFTER, "a--b--c", ({OTHER: "c"}, "a--b", URL), ({OTHER: "b--c"}, "a", URL)),
    (OF_URL, f"{BASE}?a=1.b.c", ({}, "b.c", f"{BASE}?a=1"), ({}, "c", f"{BASE}?a=1.b")),
    *(
        (BEFORE_TIME, f"a{zeros}{AT}", ({"x-time": AT}, f"a{zeros}", URL), ({"x-time": zeros + AT}, "a", URL))
        for zeros in ("0", "00")
    ),
    *(
        (BEFORE_BODY, f"{time}:00x", ({"x-time": time}, ":00x", URL), moved)
        for time in (ISO, "2027-01-15T08:00:00.25+00:00")
        for moved in (({"x-time": f"{time}:00"}, "x", URL), ({"x-time": time[:-1]}, f"{time[-1]}:00x", URL))
    ),
]


class TestBytesThatMove:
    @pytest.mark.parametrize(("row", "text", "as_signed", "moved"), MOVED)
    def test_between_two_parts_of_the_signed_text_are_refused(
        self, row: Mapping[str, Any], text: str, as_signed: Parts, moved: Parts
    ) -> None:
        """A delivery is refused if another one with the same signed text would be accepted."""
        signature = {HEADER: digest(text.encode())}
        one, other = (delivery({**signature, **headers}, body.encode(), url) for headers, body, url in (as_signed, moved))
        accept(row, one)
        assert refuse(row, other) == "malformed"

    def test_in_a_header_are_named(self) -> None:
        received = delivery({HEADER: digest(b"a.b.c"), OTHER: "a.b"}, b"c")
        with pytest.raises(WrongSignature, match=r'the x-part header has "\.", which ends it in the signed text'):
            accept(PART, received)


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"signed": "{body}"}, "verify.header must be the name of a header"),
    ({**SMALLEST, "header": "X Signature"}, "verify.header must be the name of a header"),
    ({**SMALLEST, "separator": ""}, 'verify.separator must be one of ",", ";", " ", "|", "&"'),
    ({**SMALLEST, "separator": "="}, "verify.separator must be one of"),
    ({**SMALLEST, "separator": None}, "verify.separator must be one of"),
    ({**SMALLEST, "prefix": ""}, "verify.prefix must be 1 to 64 printable ASCII characters"),
    ({**SMALLEST, "prefix": "é"}, "verify.prefix must be"),
    ({**SMALLEST, "prefix": " v1="}, "verify.prefix must be"),
    ({**SMALLEST, "prefix": "x" * 65}, "verify.prefix must be"),
    ({**SMALLEST, "separator": ",", "prefix": "v1,"}, "without the separator"),
    ({**SMALLEST, "algorithm": "md5"}, 'verify.algorithm must be one of "sha256", "sha1", "sha384", "sha512"'),
    ({**SMALLEST, "encoding": "base32"}, 'verify.encoding must be one of "hex", "base64"'),
    ({**SMALLEST, "secretEncoding": "raw"}, 'verify.secretEncoding must be one of "text", "hex", "base64", "whsec"'),
    ({**SMALLEST, "timestamp": "x"}, "verify.timestamp must be an object with any of header, prefix, unit, tolerance"),
    ({**SMALLEST, "timestamp": None}, "verify.timestamp must be an object"),
    ({**TIMED, "timestamp": {"header": 1}}, "verify.timestamp.header must be the name of a header"),
    ({**TIMED, "timestamp": {"header": "X-Time", "unit": "us"}}, 'verify.timestamp.unit must be one of "s", "ms", "iso"'),
    ({**TIMED, "timestamp": {"header": "X-Time", "prefix": 1}}, "verify.timestamp.prefix must be"),
    *(
        ({**TIMED, "timestamp": {"header": "X-Time", "tolerance": wrong}}, 'tolerance must be a duration from "1s" to "1h"')
        for wrong in ("61m", "0s", 300, "soon", None)
    ),
    ({**TIMED, "timestamp": {}}, "verify.timestamp.prefix: a time in the signature's header needs verify.separator"),
    ({**SHARED, "timestamp": {}}, "verify.timestamp.prefix: a time in the signature's header needs"),
    ({**SHARED, "timestamp": {"prefix": "v"}}, "a prefix of its own"),
    ({**SHARED, "timestamp": {"prefix": "v1=t"}}, "a prefix of its own"),
    ({**SHARED, "timestamp": {"prefix": "t=", "header": "X-SIGNATURE"}, "separator": "t"}, "verify.separator"),
    (
        {"header": "X", "signed": None},
        "verify.signed must be a text of 1 to 256 characters with {body}, {timestamp}, {url}, {method}",
    ),
    ({**SMALLEST, "signed": "{body}" + "x" * 251}, "verify.signed must be a text of 1 to 256 characters"),
    ({**SMALLEST, "signed": "\ud800{body}"}, "verify.signed must be a text of 1 to 256 characters"),
    ({**SMALLEST, "signed": "{body}" + "{{" * 8}, "verify.signed must have at most 8 of {body}"),
    ({**SMALLEST, "signed": "x"}, "verify.signed must have {body} exactly once"),
    ({**SMALLEST, "signed": "{{body}"}, "verify.signed must have {body} exactly once"),
    ({**SMALLEST, "signed": "{body}.{body}"}, "verify.signed must have {body} exactly once"),
    ({**SMALLEST, "signed": "{timestamp}.{body}"}, "must have {timestamp} if there is a verify.timestamp, and only then"),
    ({"header": "X-Signature", "timestamp": {"header": "X-Time"}}, "must have {timestamp} if there is a verify.timestamp"),
    ({**TIMED, "signed": "{body}"}, "must have {timestamp} if there is a verify.timestamp, and only then"),
    *(
        ({**SMALLEST, "signed": f"{{body}}.{wrong}"}, "verify.signed has a brace that begins none of {body}, {timestamp}")
        for wrong in ("{id}", "{", "{body", "{header:x", "{ts}", "{}", "{Body}")
    ),
    ({**SMALLEST, "signed": "{header:}.{body}"}, "NAME in {header:NAME} must be the name of a header"),
    ({**SMALLEST, "signed": "{header:a b}.{body}"}, "NAME in {header:NAME} must be the name of a header"),
    *(
        ({**SMALLEST, "signed": wrong}, f"verify.signed must have text between {named} and what is beside it")
        for wrong, named in (
            ("{url}{body}", "{url}"),
            ("{body}{url}", "{url}"),
            ("{method}{url}.{body}", "{url}"),
            ("{header:X-A}{header:X-B}.{body}", "{header:X-A}"),
            ("{body}{header:X-A}", "{header:X-A}"),
        )
    ),
]


class TestADescription:
    @pytest.mark.parametrize(("row", "said"), WRONG, ids=lambda it: json.dumps(it) if isinstance(it, dict) else "")
    def test_that_is_not_accepted_is_refused_with_its_path_and_what_is(self, row: Mapping[str, Any], said: str) -> None:
        with pytest.raises(InvalidVerification) as refused:
            verification(row)
        assert said in refused.value.message
        assert "{" not in refused.value.message or "\ud800" not in refused.value.message

    @pytest.mark.parametrize("name", ["signed", "prefix", "separator", "timestamp"])
    def test_is_only_of_hmac(self, name: str) -> None:
        with pytest.raises(InvalidVerification, match=f"verify.{name} is only accepted with the scheme hmac"):
            parse_verify({"scheme": "github", "secret": "N", name: {} if name == "timestamp" else "x"})

    def test_signs_the_body_unless_it_says_otherwise_which_is_stored_for_earlier_versions(self) -> None:
        row = {"header": "X-Signature"}
        assert verification(row) == verification(SMALLEST)
        sent = webhook_signer.sign("hmac", SECRET, BODY, URL, NOW, row=row)
        accept(row, Delivery(sent.body, sent.headers, sent.url))

    def test_is_stored_and_shown_as_it_was_written(self) -> None:
        known = verification(SHARED)
        assert known.header is None
        assert Verification.of(known.members()) == known
        assert known.shown() == {"scheme": "hmac", "secret": "NAME", **SHARED}
        assert Verification("token", "N", "x-a").shown() == {"scheme": "token", "secret": "N", "header": "x-a"}

    @pytest.mark.parametrize(
        "signing", [None, "{}", '{"header":"X","signed":"{body}","later":1}', '{"header":"X","signed":"{later}{body}"}']
    )
    def test_of_a_later_version_verifies_nothing(self, signing: str | None) -> None:
        with pytest.raises(WrittenLater):
            check(Verification("hmac", "NAME", signing=signing), [SECRET], delivery({HEADER: digest(BODY)}), NOW)


class TestTheLocalSigner:
    @pytest.mark.parametrize("name", sorted(RECIPES))
    def test_signs_as_each_recipe_describes(self, name: str) -> None:
        sent = webhook_signer.sign("hmac", SECRET, BODY, URL, NOW, row=RECIPES[name])
        check(parse_verify(RECIPES[name]), [SECRET], Delivery(sent.body, sent.headers, sent.url), NOW)

    @pytest.mark.parametrize("encoding", own_scheme.SECRET_ENCODINGS)
    def test_signs_with_a_stand_in_in_each_encoding(self, encoding: str) -> None:
        row, secret = {**_with_url().row, "secretEncoding": encoding, "signed": "{{{timestamp}.{url}\n{body}"}, "ab" * 32
        sent = webhook_signer.sign("hmac", secret, BODY, URL, NOW, row=row, extra={"X-Part": "mine"})
        accept(row, Delivery(sent.body, sent.headers, sent.url), secret)

    def test_signs_a_header_that_is_given(self) -> None:
        row = {**SMALLEST, "signed": "{header:X-Part}.{body}"}
        sent = webhook_signer.sign("hmac", SECRET, BODY, URL, NOW, row=row, extra={"X-Part": "mine"})
        assert sent.headers == {HEADER: digest(b"mine." + BODY), OTHER: "mine"}

    def test_needs_the_description(self) -> None:
        with pytest.raises(webhook_signer.CannotSign, match="hmac is described in `verify`"):
            webhook_signer.sign("hmac", SECRET, BODY, URL, NOW)
