"""Signatures of deliveries, as the shipped signer makes them: what is accepted, and why the rest is refused."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import webhook_signer as signer
from tests.support.in_process.template import ROOT
from tests.support.signed_deliveries import (
    BODY,
    NOW,
    URL,
    delivery,
    every_scheme,
    fresh,
    published,
    refusal,
    verification,
    with_header,
)
from waitpoints.api.providers.schemes import OWN, SCHEMES, Member
from waitpoints.api.providers.signatures import Delivery, check
from waitpoints.errors import WrongSignature
from waitpoints_local import webhook_signer

timed = pytest.mark.parametrize("scheme", sorted(name for name, row in SCHEMES.items() if "ts" in row.parts))


class TestADeliverySignedNow:
    def test_can_be_signed_for_every_scheme(self) -> None:
        assert webhook_signer.schemes() == sorted([*SCHEMES, OWN])

    @pytest.mark.parametrize(("scheme", "body"), [("linear", b"1"), ("linear", b"no JSON"), ("mailgun", b"")])
    def test_has_room_for_what_its_scheme_signs_in_the_body(self, scheme: str, body: bytes) -> None:
        with pytest.raises(webhook_signer.CannotSign, match=f"^{scheme} signs .+ in the body, which must be a JSON object$"):
            signer.sign(scheme, body, URL, NOW)

    @every_scheme
    def test_is_accepted(self, scheme: str) -> None:
        check(verification(scheme), [signer.secret_of(scheme)], fresh(scheme), NOW)

    @pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - {"token"}))
    def test_is_refused_with_one_byte_of_the_body_changed(self, scheme: str) -> None:
        received = fresh(scheme)
        for place in range(len(received.body)):
            body = bytearray(received.body)
            body[place] ^= 1
            if not _changes_what_is_signed(scheme, received.body, bytes(body)):
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

    @pytest.mark.parametrize("method", ["PUT", "\ud800"])
    def test_is_refused_with_another_method(self, method: str) -> None:
        assert refusal("hubspot", replace(fresh("hubspot"), method=method)) == "wrong"

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


def _changes_what_is_signed(scheme: str, before: bytes, after: bytes) -> bool:
    """A provider whose signature is in the body signs no more of it than the members beside the signature."""
    signature = SCHEMES[scheme].signature
    if not isinstance(signature, Member):
        return True
    try:
        return bool(json.loads(before)[signature.path[0]] != json.loads(after)[signature.path[0]])
    except (ValueError, KeyError):
        return True


def _another_secret(scheme: str) -> str:
    key_form = SCHEMES[scheme].key_form
    if key_form == "spki":
        return str(published("sendgrid")[0]["secret"])
    secret = signer.secret_of(scheme)
    place = secret.index("x") + 6 if key_form == "jwks" else 10
    return secret[:place] + ("0" if secret[place] != "0" else "1") + secret[place + 1 :]


class TestSeveralSignaturesInOneHeader:
    """As while the provider changes its key."""

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

    @pytest.mark.parametrize(("scheme", "label", "between"), [("stripe", "v1", ","), ("mux", "v1", ","), ("paddle", "h1", ";")])
    def test_one_that_fits_beside_a_time_is_enough(self, scheme: str, label: str, between: str) -> None:
        received, header = fresh(scheme), f"{scheme}-signature"
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


class TestUrlsOfHubSpot:
    @pytest.mark.parametrize("signed", ["to=%2Fa%3Ab&c=%20", "to=/a:b&c=%20"])
    def test_are_signed_with_or_without_the_documented_escapes(self, signed: str) -> None:
        base = URL.partition("?")[0]
        received = delivery(signer.sign("hubspot", BODY, f"{base}?{signed}", NOW))
        check(verification("hubspot"), [signer.PLAIN], replace(received, url=f"{base}?to=%2Fa%3Ab&c=%20"), NOW)
        assert refusal("hubspot", replace(received, url=f"{base}?to=/a:b&c=+")) == "wrong"


ODD_BODIES = [
    *(b"", b"\xff", b"null", b"[]", b"1e999", b'"text"', b"[" * 5000),
    *(b'{"signature": 1}', b'{"signature": {"timestamp": [], "token": null, "signature": {}}}'),
    *(b'{"webhookTimestamp": "soon"}', b'{"webhookTimestamp": [1800000000000]}', b"Body=%FF&Body"),
]
ODD_HEADERS = ["v1", "v01at=,;. sha256", "v1,AAAA", f"t={int(NOW)},v1=00", str(int(NOW * 1000)), "2027-01-15T08:00:00Z"]


class TestAnythingElse:
    @pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - {"token"}))
    def test_is_refused_and_nothing_but_refused(self, scheme: str) -> None:
        received = fresh(scheme)
        for body in ODD_BODIES:
            refusal(scheme, replace(received, body=body))
        for name in received.headers.keys() - {"content-type"}:
            for value in ODD_HEADERS:
                if value != received.headers[name]:
                    refusal(scheme, with_header(received, name, value))

    def test_a_form_of_too_many_fields_is_refused(self) -> None:
        many = replace(delivery(signer.sign_form(URL, NOW)), body=b"a=1&" * 2000)
        assert refusal("twilio", many) == "malformed"


def test_an_import_is_light() -> None:
    heavy = {
        "waitpoints.api.providers.own_scheme",
        "cryptography",
        "jwt",
        "pydantic",
        "boto3",
        "botocore",
        "aws_lambda_powertools",
        "difflib",
    }
    script = "import sys; import waitpoints.api.providers.signatures; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "functions", capture_output=True, text=True, check=True)
    assert not heavy & set(run.stdout.split())
