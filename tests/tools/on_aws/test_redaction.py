"""Three invented secrets of each kind, in each form and place, are hidden and found."""

import base64
import json
import random
import string
from collections.abc import Callable
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from tools.on_aws.redaction import PATTERNS, Hit, Redaction

LETTERS, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
BASE64 = LETTERS + "+/"
Chosen = Callable[..., str]
SAMPLES: list[tuple[Callable[[Chosen], str], str]] = [  # of each pattern: how a value is made, and where it stands
    (lambda c: f"{c(30)}/wp-Queue", "https://sqs.eu-west-1.amazonaws.com/{}"),
    (lambda c: f"{c(6)}", "arn:aws:secretsmanager:eu-west-1:<account>:secret:waitpoints/wp/A-{}"),
    (lambda c: f"{c(15)}=", '{{"requestId": "{}"}}'),
    (lambda c: "-".join(c(count, HEX) for count in (8, 4, 4, 4, 12)), "changeSet/samcli-deploy1/{}"),
    (lambda c: f"waitpoint_{c(26, 'abcdef01234')}", "token {} ended"),
    (lambda c: f"waitpoints-wp{c(8, HEX)}-{c(8, HEX)}", "s3://{}/archive"),
    (lambda c: f"{c(12, '0123456789')}", "arn:aws:lambda:eu-west-1:{}:function:create"),
    (lambda c: f"{c(10, 'abcdef01234')}", "https://{}.execute-api.eu-west-1.amazonaws.com/console"),
    (lambda c: f"{c(10, 'abcdef01234')}", "https://apigateway.eu-west-1.amazonaws.com/v2/apis/{}/routes"),
    (lambda c: f"tr_prod_sk_{c(24)}", "key {}"),
    (lambda c: f"{c(64, HEX)}", "https://wait.example/api/v1/waitpoints/tokens/waitpoint_01/callback/{}"),
    (lambda c: f"{c(64, HEX)}", "sha256={}"),
    (lambda c: f"whsec_{c(32, BASE64)}", "GITHUB={}"),
    (lambda c: f"{c(70, HEX)}%3D", "https://bucket.s3.example/a?X-Amz-Security-Token={}&X-Amz-Expires=60"),
    (lambda c: f"ASIA{c(16, 'ABCDEFGHIJ234567')}", "{} signed it"),
    (lambda c: f"{c(9, 'abcdefgh')}.x+1@{c(8, 'abcdefgh')}.example", "from {}, to"),
    (lambda c: f"203.0.113.{c(2, '123456789')}", "ip={}:443"),
    (lambda c: f"2001:db8:{c(4, HEX)}:{c(4, HEX)}:1:2:3:{c(4, HEX)}", "from [{}]:443"),
    (lambda c: f"2001:db8::{c(4, HEX)}", "from {}"),
    (lambda c: f"{c(30, 'abcdef')}-{c(30, 'abcdef')}", "taskToken: {}"),
    (lambda c: f"{c(40, BASE64)}==", "CallbackId: {}"),
    (lambda c: f"{c(40, BASE64)}=", "POST /2025-12-01/durable-execution-callbacks/{}/succeed"),
    (lambda c: f"{c(40, 'abcdef01234')}", "aws_secret_access_key = {}"),
    (lambda c: f"eyJ{c(30)}.{c(40)}.{c(43)}", "Bearer {}"),
    (lambda c: f"AQC{c(700, BASE64)}=", "token {}"),
    (lambda c: f"{c(60)}.{c(43)}", "session={};"),
    (lambda c: f"{c(48)}", "Authorization: Bearer {}"),
    (lambda c: f"{c(40, BASE64)}", "{} signs"),
    (lambda c: f"{c(300, BASE64)}", "next {}"),
]
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": lambda text: json.dumps({"message": text}, indent=1),
    "in JSON in JSON": lambda text: json.dumps({"body": json.dumps({"url": text + "\n" + text}).replace("/", r"\/")}),
    "in a URL": lambda text: "https://x.example/?to=" + quote(text, safe=""),
    "in base64": lambda text: "code " + base64.b64encode(text.encode()).decode(),
    "in base64, one later": lambda text: "code=" + base64.b64encode(b" " + text.encode()).decode(),
    "in base64, two later": lambda text: "x/" + base64.urlsafe_b64encode(b"  " + text.encode()).decode() + "/y",
}
CLEAN = """2026-12-03T06:33:07.123456Z 1796275987123 12:30:59 00:15:00 v1.2.3.4 aws-cli/2.31.0.1 boto3==1.44.8.1 python3.13
sam-1.170.0 arn:aws:sqs:eu-west-1:000000000000:wp-queue waitpoint_1 1-5759e988-bd862e3fe1be46a994272793
JKJaXmPLvHcESHA= 0904afe9c5a3b1d2e4f60718293a4b5c6d7e8f90 d41d8cd98f00b204e9800998ecf8427e AWS::Lambda::Function ADD::Handler
http://127.0.0.1:8787 arn:aws:states:eu-west-1:<account>:stateMachine:wp1a2b3c4dWaitForWebhook-1 0.0.0.0/0 0.123456789012
"$$.Task.Token" whsec_… AKIA… ApiDeployment1a2b3c4d5e6f708192a3b4c5d6e7f80 functions/waitpoints/api/providers/secret_forms.py
waitpoints@0.4.0 10.5 ms p50 3.250
<bucket>.s3.eu-west-1.amazonaws.com/wp1a2b3c4d/d41d8cd98f00b204e9800998ecf8427e.template wp1a2b3c4d-OutputBucket
x-amz-request-id "taskToken": "{% $states.context.Task.Token %}" "requestId": "$context.requestId"
Duration: 12.34 ms 100%
"""


def values(number: int) -> list[str]:
    """Three invented ones of a pattern."""
    chance = random.Random(number)  # noqa: S311 - the same at each run
    return [SAMPLES[number][0](lambda count, of=LETTERS: "".join(chance.choices(of, k=count))) for _ in range(3)]


PLANTED = [pytest.param(number, id=f"{pattern.kind}-{number}") for number, pattern in enumerate(PATTERNS)]


@pytest.mark.parametrize("number", PLANTED)
def test_what_has_the_form_of_a_secret_is_hidden_and_found(tmp_path: Path, number: int) -> None:
    kind = PATTERNS[number].kind
    (file := tmp_path / "steps" / "01-planted.txt").parent.mkdir()
    for value, form in product(values(number), FORMS.values()):
        written = form(SAMPLES[number][1].format(value))
        for place in (written, f"first line\n  {written}", f'2026-12-03 "{written}", last'):
            file.write_text(place)
            hits = Redaction().search(tmp_path)
            assert Hit("steps/01-planted.txt", kind) in hits
            assert value not in repr(hits)
            file.write_text(hidden := Redaction().text(place))
            assert (value in hidden, Redaction().search(tmp_path)) == (False, [])


@pytest.mark.parametrize("number", PLANTED)
def test_no_pattern_can_be_missing(number: int) -> None:
    """Without one, its value stays, or has the name of another kind."""
    kind, others = PATTERNS[number].kind, PATTERNS[:number] + PATTERNS[number + 1 :]
    for value in values(number):
        written = SAMPLES[number][1].format(value)
        assert (f"<{kind}>" in Redaction().text(written), f"<{kind}>" in Redaction(others).text(written)) == (True, False)


@pytest.mark.parametrize("value", ["123456789012", "a1b2c3d4e5", 'pa"ss/wo+rd é%\n-----END', "-".join("secret")])
@pytest.mark.parametrize("form", FORMS)
def test_a_known_value_is_hidden_and_found(tmp_path: Path, value: str, form: str) -> None:
    clean = Redaction()
    clean.know(value, "known")
    (file := tmp_path / "a.txt").write_text(FORMS[form](f"before {value} after"))
    assert Hit("a.txt", "known") in clean.search(tmp_path)
    file.write_text(hidden := clean.text(file.read_text()))
    assert (value in hidden, clean.search(tmp_path)) == (False, [])
    assert "<known>" in hidden or form not in ("as it is", "in JSON", "in a URL")


def test_names_are_the_same_in_all_texts() -> None:
    clean = Redaction()
    clean.know("999988887777", "account")
    assert clean.text("111122223333 and 999988887777") == "<account> and <account-2>"
    assert (
        clean.text("arn:aws:iam::999988887777:root 111122223333 a@b.example")
        == "arn:aws:iam::<account-2>:root <account> <mail>"
    )


def test_the_id_of_an_api_is_hidden_alone_once_its_host_was_seen() -> None:
    clean = Redaction()
    assert clean.text("id a1b2c3d4e5") == "id a1b2c3d4e5"
    assert (
        clean.text("https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com")
        == "https://<api>.execute-api.eu-west-1.amazonaws.com"
    )
    assert clean.text("id a1b2c3d4e5") == "id <api>"


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "clean.txt").write_text(CLEAN)
    (clean := Redaction()).know("0" * 12, "account")  # an emulator's
    assert (clean.text(CLEAN), clean.search(tmp_path)) == (CLEAN, [])


def test_names_of_files_are_searched_and_so_is_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "of-111122223333.txt").write_text("")
    (tmp_path / "evidence.zip").write_bytes(b"PK\xff\xfe")
    assert Redaction().search(tmp_path) == [Hit("evidence.zip", "not text"), Hit("of-<account>.txt", "account")]
