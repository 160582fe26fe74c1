"""The steps of examples/first_hour.sh that need CodeDeploy or a tag, with stand-ins for what they call."""

import os
import zipfile
from pathlib import Path

import pytest

from tests.support.programs import ended
from tools.stack import ROOT

SAM = """#!/bin/sh
echo "$@" >>"$SAID"
grep -h RELEASE shifted.yaml >>"$SAID"
[ -z "${REFUSED-}" ] || { echo Error: no such type; exit 1; }
! { [ -z "${THROUGH-}" ] && python3 -m zipfile -e functions.zip code && grep -q '^raise RuntimeError' code/resume_waiters.py; }
"""
PROGRAMS = {
    "sam": SAM,
    "aws": '#!/bin/sh\necho "$STATE"\n',
    "waitpoints": '#!/bin/sh\necho "$@" >>"$SAID"\n[ "$1" = smoke ] || { echo Error: 502 >&2; exit 1; }\n',
}
BACK = {"STATE": "UPDATE_ROLLBACK_COMPLETE"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name, text in PROGRAMS.items():
        (program := tmp_path / "programs" / name).parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o700)
    (archive := tmp_path / "archive").mkdir()
    (archive / "gradual.yaml").write_text("        RELEASE: '0.5.0' # change it\n")
    with zipfile.ZipFile(archive / "functions.zip", "w") as code:
        code.writestr("resume_waiters.py", "x = 1\n")
        code.writestr("waitpoints/ids.py", "")
    own = {"RUN": "wp1", "SPREAD": "0", "STACK": "wp1", "BUCKET": "b", "ARCHIVE": str(archive), "SAID": str(tmp_path / "said")}
    return own | {"PATH": os.pathsep.join([str(tmp_path / "programs"), os.environ["PATH"]]), "GIT_DIR": str(tmp_path)}


@pytest.mark.parametrize(
    ("step", "more", "status", "last"),
    [
        ("broken", BACK, 0, "ok  it went back"),
        ("broken", {**BACK, "THROUGH": "1"}, 1, "FAILED  the broken deployment went through"),
        ("broken", {"STATE": "UPDATE_ROLLBACK_FAILED"}, 1, "FAILED  the stack is in UPDATE_ROLLBACK_FAILED"),
        ("gradual", {"REFUSED": "1"}, 1, "FAILED  wp1gradual was not deployed: Error: no such type"),
        ("boundary", {"STATE": "a b c"}, 1, "FAILED  the deployer may delete another stack: a b c"),
        ("boundary", {"STATE": "a b AccessDenied"}, 1, "FAILED  the boundary of a b AccessDenied is a b AccessDenied"),
        ("boundary", {"STATE": "a b c", "AWS_ENDPOINT_URL": "x"}, 1, "FAILED  the boundary of a b c is a b c"),
        ("upgrade", {"STATE": "x", "FROM": "layers"}, 1, "Error: 502"),
        ("upgrade", {}, 77, "skipped: this clone has no tag v… of an older version, and FROM names no archive"),
    ],
)
def test_says_what_became_of_it(step: str, more: dict[str, str], status: int, last: str, environment: dict[str, str]) -> None:
    done = ended(["sh", "examples/first_hour.sh", step], ROOT, environment | more)
    assert (done.returncode, (done.stdout + done.stderr).splitlines()[-1]) == (status, last)


def test_a_gradual_deployment_is_made_twice_with_a_mark_and_the_tag_of_the_run(environment: dict[str, str]) -> None:
    done = ended(["sh", "examples/first_hour.sh", "gradual"], ROOT, environment)
    assert (done.returncode, done.stdout.count("figure\t"), done.stderr) == (0, 2, "")
    said = Path(environment["SAID"]).read_text().splitlines()
    deploys = [it for it in said if it.startswith("deploy --stack-name wp1gradual --template-file shifted.yaml ")]
    assert ["--tags waitpoints-run=wp1 --no-resolve-s3 --s3-bucket b --s3-prefix wp1gradual" in it for it in deploys] == [
        True
    ] * 2
    assert not any("0.5.0" in it for it in said)
    assert said[-1] == "smoke --quick --stack wp1gradual"
