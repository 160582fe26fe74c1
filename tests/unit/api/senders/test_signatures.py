"""The table of signature schemes, against published vectors, a signer of its own, and the senders' own libraries."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import stripe
from discord_interactions import verify_key
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from in_process.template import ROOT
from tests.support import webhook_signer as signer
from waitpoints.api.senders import signatures
from waitpoints.api.senders.schemes import ALIASES, SCHEMES, Header
from waitpoints.api.senders.secret_forms import P256_SPKI
from waitpoints.api.senders.signatures import Delivery, check, check_secret
from waitpoints.api.senders.verify_request import parse_verify
from waitpoints.errors import InvalidVerification, UnusableSecret, WrongSignature
from waitpoints.token import Verification

URL = "https://hooks.example.com/api/v1/waitpoints/tokens/waitpoint_1/callback/0a1b?step=1"
NOW = 1_800_000_000.25
BODY = b'{"status": "succeeded", "text": "{ts} {url} \xc3\xa9"}\n'


def verification(scheme: str) -> Verification:
    return Verification(scheme, "NAME", "x-gitlab-token" if scheme == "token" else None)


def delivery(signed: signer.Signed) -> Delivery:
    return Delivery(signed.body, signed.headers, signed.url)


def fresh(scheme: str, now: float = NOW, secret: str | None = None) -> Delivery:
    return delivery(signer.sign(scheme, BODY, URL, now, secret))


def refusal(scheme: str, received: Delivery, now: float = NOW, secret: str | None = None) -> str:
    """The reason for which a delivery is refused."""
    with pytest.raises(WrongSignature) as refused:
        check(verification(scheme), [secret or signer.secret_of(scheme)], received, now)
    return refused.value.reason


def with_header(received: Delivery, name: str, value: str | None) -> Delivery:
    headers = {other: kept for other, kept in received.headers.items() if other != name}
    return Delivery(received.body, headers if value is None else {**headers, name: value}, received.url, received.method)


every_scheme = pytest.mark.parametrize("scheme", sorted(SCHEMES))
timed = pytest.mark.parametrize("scheme", sorted(name for name, row in SCHEMES.items() if "ts" in row.parts))


VECTORS = json.loads((ROOT / "tests/support/webhook_vectors.json").read_text())
HMAC = {vector["name"]: vector for vector in VECTORS["hmac_table"]}
SCHEME_OF_VECTOR = {
    "standard-webhooks v1": "standard-webhooks",
    "github octokit": "github",
    "bitbucket/jira": "bitbucket",
    "square2": "square",
    "dropbox (third-party vector)": "dropbox",
    "hubspot v3": "hubspot",
    "meta escaped": "meta",
    "gitlab signing token": "gitlab",
    "cloudflare stream": "cloudflare-stream",
    "x/twitter": "x",
}
ANSWERS = ("zoom crc", "x crc")  # of handshakes, not deliveries
LEFT_OUT_BY_VECTOR = {
    "gitlab signing token": {"webhook-id": "id", "webhook-timestamp": "ts"},
    "zoom": {"x-zm-request-timestamp": "ts"},
    "hubspot v3": {"x-hubspot-request-timestamp": "ts"},
    "box": {"box-delivery-timestamp": "ts"},
}
CLOCK_OF_VECTOR = {"hubspot v3": 1_700_000_000.0, "linear": 1_700_000_000.0, "box": 1_700_000_000.0}


class TestPublishedVectors:
    @pytest.mark.parametrize("name", sorted(HMAC.keys() - ANSWERS))
    def test_of_hmac_schemes_are_accepted_at_their_own_clock_and_url(self, name: str) -> None:
        vector = HMAC[name]
        headers = {header.lower(): value for header, value in vector["headers"].items()}
        headers |= {header: vector[key] for header, key in LEFT_OUT_BY_VECTOR.get(name, {}).items()}
        body = vector["body"]
        if name == "mailgun":
            body = json.dumps({"signature": {"timestamp": vector["ts"], "token": vector["token"], "signature": vector["sig"]}})
        received = Delivery(body.encode(), headers, vector.get("url", URL), vector.get("method", "POST"))
        now = CLOCK_OF_VECTOR.get(name) or float(vector.get("ts", NOW))
        check(verification(SCHEME_OF_VECTOR.get(name, name)), [vector["secret"]], received, now)
        assert refusal(SCHEME_OF_VECTOR.get(name, name), received, now, "whsec_b3RoZXI=") == "wrong"

    def test_of_x_show_why_its_challenge_is_not_answered(self) -> None:
        """X's answer to a challenge is a valid signature of a delivery whose body is the challenge."""
        vector = HMAC["x crc"]
        headers = {"x-twitter-webhooks-signature": vector["headers"]["(response response_token)"]}
        check(verification("x"), [vector["secret"]], Delivery(vector["body"].encode(), headers, URL), NOW)

    @pytest.mark.parametrize(
        ("fields", "url", "signature"),
        [
            (VECTORS["twilio"][0]["form"], VECTORS["twilio"][0]["url"], "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (
                {"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]},
                VECTORS["twilio"][0]["url"],
                "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            ),
            (VECTORS["twilio"][0]["form"], "https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (VECTORS["twilio"][0]["form"], VECTORS["twilio"][0]["url"], "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (VECTORS["twilio"][0]["form"], "https://mycompany.com:443/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        ids=["form", "repeated field", "port", "port that the sender added", "port that the sender left out"],
    )
    def test_of_twilio_forms_are_accepted(self, fields: dict[str, Any], url: str, signature: str) -> None:
        from urllib.parse import urlencode

        headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        check(verification("twilio"), ["12345"], Delivery(urlencode(fields, doseq=True).encode(), headers, url), NOW)

    def test_of_twilio_json_is_accepted_and_bound_to_its_body(self) -> None:
        vector = VECTORS["twilio"][1]
        headers = {"x-twilio-signature": vector["headers"]["X-Twilio-Signature"], "content-type": "application/json"}
        received = Delivery(vector["body"].encode(), headers, vector["url"])
        check(verification("twilio"), [vector["secret"]], received, NOW)
        assert refusal("twilio", replace(received, body=b"{}"), secret=vector["secret"]) == "wrong"
        unbound = replace(received, url=vector["url"].split("&bodySHA256")[0])
        assert refusal("twilio", unbound, secret=vector["secret"]) == "missing"

    def test_of_ed25519_are_accepted(self) -> None:
        v1a, discord, fal = VECTORS["ed25519"]
        headers = {"webhook-id": v1a["id"], "webhook-timestamp": v1a["ts"], "webhook-signature": v1a["sig"]}
        secret = f"whpk_{v1a['public_key_b64']}"
        check(verification("standard-webhooks-v1a"), [secret], Delivery(v1a["body"].encode(), headers, URL), float(v1a["ts"]))

        headers = {"x-signature-ed25519": discord["sig"], "x-signature-timestamp": discord["ts"]}
        secret = discord["public_key_hex"]
        check(verification("discord"), [secret], Delivery(discord["body"].encode(), headers, URL), float(discord["ts"]))

        headers = {
            "x-fal-webhook-request-id": fal["request_id"],
            "x-fal-webhook-user-id": fal["user_id"],
            "x-fal-webhook-timestamp": fal["ts"],
            "x-fal-webhook-signature": fal["sig"],
        }
        secret = json.dumps({"keys": [{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
        check(verification("fal"), [secret], Delivery(fal["body"].encode(), headers, URL), float(fal["ts"]))

    def test_of_sendgrid_is_accepted_with_its_last_line_break(self) -> None:
        vector = VECTORS["sendgrid"]
        headers = {
            "x-twilio-email-event-webhook-signature": vector["sig"],
            "x-twilio-email-event-webhook-timestamp": vector["ts"],
        }
        received, now, secret = (
            Delivery(vector["body"].encode(), headers, URL),
            float(vector["ts"]),
            vector["public_key_b64_spki"],
        )
        check(verification("sendgrid"), [secret], received, now)
        assert refusal("sendgrid", replace(received, body=received.body.rstrip()), now, secret) == "wrong"


class TestADeliverySignedNow:
    def test_can_be_signed_for_every_scheme(self) -> None:
        assert signer.schemes() == sorted(SCHEMES)

    @every_scheme
    def test_is_accepted(self, scheme: str) -> None:
        check(verification(scheme), [signer.secret_of(scheme)], fresh(scheme), NOW)

    @pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - {"token"}))
    def test_is_refused_with_one_byte_of_the_body_changed(self, scheme: str) -> None:
        received = fresh(scheme)
        for place in range(len(received.body)):
            body = bytearray(received.body)
            body[place] ^= 1
            if scheme == "mailgun" and not _changes_the_signed_members(received.body, bytes(body)):
                continue
            refusal(scheme, replace(received, body=bytes(body)))

    @every_scheme
    @pytest.mark.parametrize("bit", [1, 0x20])
    def test_is_refused_with_one_byte_of_a_header_changed(self, scheme: str, bit: int) -> None:
        received = fresh(scheme)
        for name, value in received.headers.items():
            for place in range(len(value) if name != "content-type" else 0):
                changed = value[:place] + chr(ord(value[place]) ^ bit) + value[place + 1 :]
                refusal(scheme, with_header(received, name, changed))

    @every_scheme
    def test_is_refused_without_one_of_its_headers(self, scheme: str) -> None:
        received = fresh(scheme)
        for name in received.headers:
            assert refusal(scheme, with_header(received, name, None)) == "missing"
            assert refusal(scheme, with_header(received, name, "")) == "missing"

    @every_scheme
    def test_is_refused_with_half_a_surrogate_pair_in_a_header(self, scheme: str) -> None:
        received = fresh(scheme)
        for name in received.headers.keys() - {"content-type"}:
            refusal(scheme, with_header(received, name, received.headers[name] + "\ud800"))

    @every_scheme
    def test_is_refused_with_another_secret(self, scheme: str) -> None:
        assert refusal(scheme, fresh(scheme), secret=_another_secret(scheme)) == "wrong"

    @pytest.mark.parametrize("scheme", ["square", "trello", "hubspot", "twilio"])
    def test_is_refused_at_another_url(self, scheme: str) -> None:
        received = fresh(scheme)
        assert refusal(scheme, replace(received, url=received.url.replace("step=1", "step=2"))) == "wrong"

    def test_is_refused_with_another_method(self) -> None:
        assert refusal("hubspot", replace(fresh("hubspot"), method="PUT")) == "wrong"

    @timed
    def test_is_refused_when_it_is_older_or_newer_than_the_scheme_allows(self, scheme: str) -> None:
        tolerance, at = SCHEMES[scheme].tolerance, float(int(NOW))
        received, secret = fresh(scheme, at), signer.secret_of(scheme)
        for now in (at - tolerance, at + tolerance):
            check(verification(scheme), [secret], received, now)
        assert refusal(scheme, received, at + tolerance + 0.001) == "too old"
        assert refusal(scheme, received, at - tolerance - 0.001) == "too new"

    @timed
    def test_is_refused_when_its_time_is_not_one(self, scheme: str) -> None:
        received = fresh(scheme)
        at, ms = str(int(NOW)), str(int(NOW * 1000))
        iso = received.headers.get("box-delivery-timestamp", ms)
        for wrong in ("soon", "-1", "1e9", "\uff11", "9" * 5000, "2027-01-15T08:00:00", "inf"):
            headers = {
                name: value.replace(iso, wrong).replace(ms, wrong).replace(at, wrong)
                for name, value in received.headers.items()
            }
            body = received.body
            if not any(wrong in value for value in headers.values()):
                body = body.replace(ms.encode(), json.dumps(wrong).encode()).replace(at.encode(), wrong.encode())
            assert refusal(scheme, replace(received, headers=headers, body=body)) == "malformed"


def _changes_the_signed_members(before: bytes, after: bytes) -> bool:
    """Mailgun signs no more of a body than these members."""
    try:
        return bool(json.loads(before) != json.loads(after))
    except ValueError:
        return True


def _another_secret(scheme: str) -> str:
    if scheme == "sendgrid":
        return str(VECTORS["sendgrid"]["public_key_b64_spki"])
    secret = signer.secret_of(scheme)
    place = secret.index("x") + 6 if scheme == "fal" else 10
    return secret[:place] + ("0" if secret[place] != "0" else "1") + secret[place + 1 :]


class TestSeveralSignaturesInOneHeader:
    """As while the sender changes its key."""

    @pytest.mark.parametrize(
        ("scheme", "header", "between"),
        [
            ("standard-webhooks", "webhook-signature", " "),
            ("svix", "svix-signature", " "),
            ("pagerduty", "x-pagerduty-signature", ","),
            ("pagerduty", "x-pagerduty-signature", ", "),
        ],
    )
    def test_one_that_fits_is_enough(self, scheme: str, header: str, between: str) -> None:
        received, other = fresh(scheme), fresh(scheme, secret=_another_secret(scheme))
        ours, theirs = received.headers[header], other.headers[header]
        for value in (between.join([theirs, ours]), between.join([ours, theirs]), between.join(["v9,AAAA", "junk", ours])):
            check(verification(scheme), [signer.secret_of(scheme)], with_header(received, header, value), NOW)
        assert refusal(scheme, with_header(received, header, between.join([theirs, theirs]))) == "wrong"

    @pytest.mark.parametrize(
        ("scheme", "header", "label", "between"),
        [
            ("stripe", "stripe-signature", "v1", ","),
            ("mux", "mux-signature", "v1", ","),
            ("paddle", "paddle-signature", "h1", ";"),
        ],
    )
    def test_one_that_fits_beside_a_time_is_enough(self, scheme: str, header: str, label: str, between: str) -> None:
        received = fresh(scheme)
        time, ours = received.headers[header].split(between)
        value = between.join([time, f"{label}={'0' * 64}", ours, "v9=junk"])
        check(verification(scheme), [signer.secret_of(scheme)], with_header(received, header, value), NOW)

    def test_only_a_few_of_a_public_key_scheme_are_tried(self) -> None:
        scheme, received = "standard-webhooks-v1a", fresh("standard-webhooks-v1a")
        ours = received.headers["webhook-signature"]
        other = f"v1a,{base64.b64encode(bytes(64)).decode()}"
        many = with_header(received, "webhook-signature", " ".join([other] * 7 + [ours]))
        check(verification(scheme), [signer.secret_of(scheme)], many, NOW)
        too_many = with_header(received, "webhook-signature", " ".join([other] * 8 + [ours]))
        assert refusal(scheme, too_many) == "malformed"

    def test_signatures_of_another_version_do_not_count(self) -> None:
        received = fresh("stripe")
        old = with_header(received, "stripe-signature", received.headers["stripe-signature"].replace("v1=", "v0="))
        assert refusal("stripe", old) == "malformed"
        received = fresh("standard-webhooks")
        unlabelled = with_header(received, "webhook-signature", received.headers["webhook-signature"].removeprefix("v1,"))
        assert refusal("standard-webhooks", unlabelled) == "malformed"
        check(verification("openai"), [signer.secret_of("openai")], unlabelled, NOW)

    @pytest.mark.parametrize(
        ("scheme", "first", "second"),
        [
            ("docusign", "x-docusign-signature-1", "x-docusign-signature-100"),
            ("box", "box-signature-primary", "box-signature-secondary"),
        ],
    )
    def test_one_header_of_several_is_enough(self, scheme: str, first: str, second: str) -> None:
        received = fresh(scheme)
        moved = with_header(with_header(received, second, received.headers[first]), first, "AAAA")
        check(verification(scheme), [signer.secret_of(scheme)], moved, NOW)


class TestHeadersOfSvix:
    def test_may_have_the_standard_names_except_for_clerk(self) -> None:
        received, secret = fresh("standard-webhooks"), signer.secret_of("standard-webhooks")
        for scheme in ("svix", "resend"):
            check(verification(scheme), [secret], received, NOW)
        assert refusal("clerk", received) == "missing"
        assert refusal("standard-webhooks", fresh("svix")) == "missing"


class TestSecrets:
    def test_are_asked_for_one_after_the_other_until_one_fits(self) -> None:
        asked = []

        def secrets() -> Iterator[str]:
            for secret in ("the next", signer.PLAIN, "the one before"):
                asked.append(secret)
                yield secret

        check(verification("github"), secrets(), fresh("github"), NOW)
        assert asked == ["the next", signer.PLAIN]

    @every_scheme
    def test_are_not_asked_for_when_the_delivery_cannot_fit_any(self, scheme: str) -> None:
        def secrets() -> Iterator[str]:
            pytest.fail("A secret was read")
            yield ""

        with pytest.raises(WrongSignature):
            check(verification(scheme), secrets(), Delivery(BODY, {}, URL), NOW)
        if "ts" in SCHEMES[scheme].parts:
            with pytest.raises(WrongSignature):
                check(verification(scheme), secrets(), fresh(scheme), NOW + 4000)

    @every_scheme
    def test_may_end_in_a_line_break(self, scheme: str) -> None:
        check(verification(scheme), [signer.secret_of(scheme) + "\n"], fresh(scheme), NOW)

    @pytest.mark.parametrize(
        ("scheme", "secret"),
        [
            ("github", ""),
            ("github", "\n"),
            ("standard-webhooks", "whsec_"),
            ("standard-webhooks", "whsec_no base64!"),
            ("standard-webhooks", "whsec_é"),
            ("openai", "whsec_?"),
            ("discord", "00"),
            ("discord", "z" * 64),
            ("standard-webhooks-v1a", signer.WHSEC),
            ("fal", "no JSON"),
            ("fal", "[]"),
            ("fal", json.dumps({"keys": [{"crv": "X25519", "x": "A" * 43}, 1]})),
            ("fal", '{"keys": [{"crv": "Ed25519", "x": "AAAA"}]}'),
            ("sendgrid", base64.b64encode(P256_SPKI + bytes(63)).decode()),
            ("sendgrid", base64.b64encode(bytes(len(P256_SPKI) + 64)).decode()),
        ],
    )
    def test_of_another_form_are_told_apart_from_a_wrong_signature(self, scheme: str, secret: str) -> None:
        with pytest.raises(InvalidVerification, match="NAME") as refused:
            check_secret(verification(scheme), secret)
        with pytest.raises(UnusableSecret) as unusable:
            check(verification(scheme), [secret, secret], fresh(scheme), NOW)
        for error in (refused, unusable):
            assert len(secret) < 8 or secret not in error.value.message
        check(verification(scheme), [secret, signer.secret_of(scheme)], fresh(scheme), NOW)

    def test_that_are_not_a_point_of_the_curve_are_unusable(self) -> None:
        with pytest.raises(UnusableSecret):
            check(verification("sendgrid"), [base64.b64encode(P256_SPKI + b"\1" * 64).decode()], fresh("sendgrid"), NOW)

    @every_scheme
    def test_of_the_right_form_are_accepted_at_create(self, scheme: str) -> None:
        check_secret(verification(scheme), signer.secret_of(scheme))

    def test_of_openai_without_the_prefix_are_text(self) -> None:
        received = signer.sign("openai", BODY, URL, NOW, "whsec_" + "dGV4dA==")
        check(verification("openai"), ["text"], delivery(received), NOW)

    def test_of_standard_webhooks_may_lack_prefix_and_padding(self) -> None:
        secret = signer.WHSEC.removeprefix("whsec_").rstrip("=")
        check(verification("standard-webhooks"), [secret], fresh("standard-webhooks"), NOW)

    def test_of_stripe_include_their_prefix(self) -> None:
        check(verification("stripe"), [signer.WHSEC], fresh("stripe", secret=signer.WHSEC), NOW)

    def test_of_fal_may_be_several_keys(self) -> None:
        keys = json.loads(signer.FAL_KEYS)["keys"]
        other = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
        check(verification("fal"), [json.dumps({"keys": [other, *keys]})], fresh("fal"), NOW)


class TestUrlsOfHubSpot:
    @pytest.mark.parametrize("signed", ["to=%2Fa%3Ab&c=%20", "to=/a:b&c=%20"])
    def test_are_signed_with_or_without_the_documented_escapes(self, signed: str) -> None:
        base = URL.partition("?")[0]
        received = delivery(signer.sign("hubspot", BODY, f"{base}?{signed}", NOW))
        check(verification("hubspot"), [signer.PLAIN], replace(received, url=f"{base}?to=%2Fa%3Ab&c=%20"), NOW)
        assert refusal("hubspot", replace(received, url=f"{base}?to=/a:b&c=+")) == "wrong"


class TestOfficialLibraries:
    def test_standard_webhooks_signs_what_is_accepted(self) -> None:
        from datetime import UTC, datetime

        signature = Webhook(signer.WHSEC).sign("msg_1", datetime.fromtimestamp(int(NOW), UTC), BODY.decode())
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW)), "webhook-signature": signature}
        for scheme in ("standard-webhooks", "openai", "replicate", "gitlab", "anthropic", "gemini", "svix", "resend"):
            check(verification(scheme), [signer.WHSEC], Delivery(BODY, headers, URL), NOW)

    def test_slack_signs_what_is_accepted(self) -> None:
        at = str(int(NOW))
        signature = SignatureVerifier(signer.PLAIN).generate_signature(timestamp=at, body=BODY)
        assert signature is not None
        headers = {"x-slack-signature": signature, "x-slack-request-timestamp": at}
        check(verification("slack"), [signer.PLAIN], Delivery(BODY, headers, URL), NOW)

    def test_stripe_signs_what_is_accepted(self) -> None:
        at = int(NOW)
        signature = stripe.WebhookSignature._compute_signature(f"{at}.{BODY.decode()}", signer.WHSEC)
        headers = {"stripe-signature": f"t={at},v1={signature}"}
        check(verification("stripe"), [signer.WHSEC], Delivery(BODY, headers, URL), NOW)

    def test_stripe_accepts_and_refuses_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        received = fresh("stripe")
        monkeypatch.setattr("time.time", lambda: NOW)
        header = received.headers["stripe-signature"]
        assert stripe.WebhookSignature.verify_header(BODY.decode(), header, signer.PLAIN, 300)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(BODY.decode() + " ", header, signer.PLAIN, 300)

    def test_discord_accepts_and_refuses_the_same(self) -> None:
        received, key = fresh("discord"), signer.secret_of("discord")
        signature, at = received.headers["x-signature-ed25519"], received.headers["x-signature-timestamp"]
        assert verify_key(received.body, signature, at, key)
        assert not verify_key(received.body + b" ", signature, at, key)
        assert refusal("discord", replace(received, body=received.body + b" ")) == "wrong"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
SIGNATURE = st.fixed_dictionaries({}, optional={"timestamp": JSON, "token": JSON, "signature": JSON})
SIGNED_MEMBERS = st.fixed_dictionaries({}, optional={"webhookTimestamp": JSON, "signature": SIGNATURE | JSON})
BODIES = st.binary(max_size=60) | (JSON | SIGNED_MEMBERS).map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 5000)
HEADER_VALUES = (
    st.text(max_size=60)
    | st.text(alphabet="v01at=,;. sha256", max_size=60)
    | st.sampled_from(["v1,AAAA", f"t={int(NOW)},v1=00", str(int(NOW)), str(int(NOW * 1000)), "2027-01-15T08:00:00Z"])
)
HEADER_NAMES = sorted(
    {name for scheme in SCHEMES for name in fresh(scheme).headers} | {"content-type", "x-docusign-signature-7"}
)


class TestAnythingElse:
    @given(
        scheme=st.sampled_from(sorted(SCHEMES)),
        body=BODIES,
        headers=st.dictionaries(st.sampled_from(HEADER_NAMES), HEADER_VALUES),
        url=st.text(max_size=40) | st.just(URL),
        method=st.sampled_from(["POST", "PUT", "\ud800"]),
        now=st.floats(allow_nan=False) | st.just(NOW),
    )
    def test_is_refused_and_nothing_but_refused(
        self, scheme: str, body: bytes, headers: dict[str, str], url: str, method: str, now: float
    ) -> None:
        secret = signer.secret_of(scheme)
        with pytest.raises(WrongSignature) as refused:
            check(verification(scheme), [secret], Delivery(body, headers, url, method), now)
        assert refused.value.reason in (
            signatures.MISSING,
            signatures.MALFORMED,
            signatures.TOO_OLD,
            signatures.TOO_NEW,
            signatures.WRONG,
        )
        assert secret not in refused.value.message

    @given(scheme=st.sampled_from(sorted(SCHEMES)), data=st.data())
    def test_in_one_header_of_a_signed_delivery_is_refused(self, scheme: str, data: st.DataObject) -> None:
        received = fresh(scheme)
        if names := sorted(received.headers.keys() - {"content-type"}):
            name = data.draw(st.sampled_from(names))
            value = data.draw(HEADER_VALUES.filter(lambda value: value != received.headers[name]))
            refusal(scheme, with_header(received, name, value))

    def test_a_form_of_too_many_fields_is_refused(self) -> None:
        many = replace(fresh("twilio"), body=b"a=1&" * 2000)
        assert refusal("twilio", many) == "malformed"


class TestVerifyOfACreateRequest:
    def test_names_a_scheme_and_a_secret(self) -> None:
        assert parse_verify({"scheme": "stripe", "secret": "STRIPE_live-1"}) == Verification("stripe", "STRIPE_live-1")

    def test_of_the_scheme_token_names_a_header_too(self) -> None:
        written = {"scheme": "token", "secret": "N", "header": "X-Gitlab-Token"}
        assert parse_verify(written) == Verification("token", "N", "x-gitlab-token")

    def test_may_say_twitter_for_x(self) -> None:
        assert parse_verify({"scheme": "twitter", "secret": "N"}).scheme == "x"
        assert ALIASES.keys().isdisjoint(SCHEMES)

    @pytest.mark.parametrize(
        ("written", "nearest"), [("strpe", "stripe"), ("GITHUB", "github"), ("standardwebhooks", "standard-webhooks")]
    )
    def test_with_an_unknown_scheme_is_answered_with_all_and_the_nearest(self, written: str, nearest: str) -> None:
        with pytest.raises(InvalidVerification) as refused:
            parse_verify({"scheme": written, "secret": "N"})
        assert refused.value.message == f'verify.scheme must be one of {", ".join(sorted(SCHEMES))}; did you mean "{nearest}"?'

    @pytest.mark.parametrize("written", ["hunter2", "", None, 7])
    def test_with_no_scheme_near_is_answered_with_all_and_without_what_was_sent(self, written: object) -> None:
        with pytest.raises(InvalidVerification) as refused:
            parse_verify({"scheme": written, "secret": "N"})
        assert refused.value.message == f"verify.scheme must be one of {', '.join(sorted(SCHEMES))}"

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "stripe",
            [],
            {},
            {"scheme": "stripe"},
            {"secret": "N"},
            {"scheme": None, "secret": "N"},
            {"scheme": [], "secret": "N"},
            {"scheme": "", "secret": "N"},
            {"scheme": "zzz", "secret": "N"},
            {"scheme": "stripe", "secret": ""},
            {"scheme": "stripe", "secret": "N" * 65},
            {"scheme": "stripe", "secret": "a/b"},
            {"scheme": "stripe", "secret": "N\n"},
            {"scheme": "stripe", "secret": "é"},
            {"scheme": "stripe", "secret": 1},
            {"scheme": "stripe", "secret": "N", "header": "x-a"},
            {"scheme": "stripe", "secret": "N", "tolerance": 1},
            {"scheme": "token", "secret": "N"},
            {"scheme": "token", "secret": "N", "header": ""},
            {"scheme": "token", "secret": "N", "header": "x a"},
            {"scheme": "token", "secret": "N", "header": "x\n"},
            {"scheme": "token", "secret": "N", "header": ["x"]},
        ],
        ids=str,
    )
    def test_of_another_shape_is_refused(self, value: object) -> None:
        with pytest.raises(InvalidVerification):
            parse_verify(value)

    @given(
        st.dictionaries(st.sampled_from(["scheme", "secret", "header", "x"]), JSON | st.sampled_from(sorted(SCHEMES))) | JSON
    )
    def test_is_read_or_refused(self, value: object) -> None:
        try:
            read = parse_verify(value)
        except InvalidVerification:
            return
        assert read.scheme in SCHEMES
        assert (read.header is not None) == (read.scheme == "token")


class TestWhatIsImported:
    def imported(self, statement: str) -> set[str]:
        script = f"import sys; {statement}; print(*sys.modules)"
        run = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "functions", capture_output=True, text=True, check=True)
        return set(run.stdout.split())

    def test_is_light(self) -> None:
        heavy = {"cryptography", "jwt", "pydantic", "boto3", "botocore", "aws_lambda_powertools", "difflib"}
        assert not heavy & self.imported("import waitpoints.api.senders.signatures")

    def test_is_cryptography_once_a_scheme_needs_it(self) -> None:
        assert "cryptography" in self.imported("import waitpoints.api.senders.public_keys")


PAGE = (ROOT / "docs/webhooks.md").read_text()
_SCHEMES = PAGE.partition("\n### Schemes\n")[2].partition("\n### ")[0]
SIGN_THE_TIME, _, SIGN_NO_TIME = _SCHEMES.partition("\nThese sign no time")


def oldest(part: str) -> dict[str, int]:
    """Return the schemes of a list, each with how many seconds old a delivery may be: 300, or what the list says."""
    heads = [" ".join(head.split()) for head in re.findall(r"^- (.*?): ", part, re.MULTILINE | re.DOTALL)]
    return {
        name: int(seconds[1]) if (seconds := re.search(r", (\d+) s$", head)) else 300
        for head in heads
        for name in re.findall("`([^`]+)`", head)
    }


class TestTheListForUsers:
    def test_says_how_old_a_delivery_may_be(self) -> None:
        assert oldest(SIGN_THE_TIME) == {name: row.tolerance for name, row in SCHEMES.items() if "ts" in row.parts}
        assert "300 s" in SIGN_THE_TIME

    def test_says_who_signs_no_time(self) -> None:
        assert oldest(SIGN_NO_TIME).keys() == {name for name, row in SCHEMES.items() if "ts" not in row.parts}

    @pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - {"mailgun"}))
    def test_leaves_the_name_of_a_missing_header_to_the_refusal(self, scheme: str) -> None:
        signature = SCHEMES[scheme].signature
        assert isinstance(signature, Header)
        name = signature.names[0] if signature.names else "x-gitlab-token"
        assert "If the signature's header is missing, the 401 names it." in " ".join(_SCHEMES.split())
        with pytest.raises(WrongSignature, match=f"^Invalid signature: no {name} header$"):
            check(verification(scheme), [], Delivery(b"{}", {}, "https://example.com/"), 1_700_000_000)
