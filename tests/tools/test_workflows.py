"""The hosted workflows: what they may do, whose code they run, and that a known vulnerability fails one of them."""

import json
import os
import re
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import ended, printed
from tools.stack import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}
RELEASE = WORKFLOWS["release"]["jobs"]
[ON_AWS] = WORKFLOWS["on-aws"]["jobs"].values()
TAKE_THE_ROLE, RUN, CLEAN, ARTIFACT = ON_AWS["steps"][-4:]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_action_is_pinned_to_a_commit(name: str) -> None:
    uses = re.findall(r"uses: (.*)", (FOLDER / f"{name}.yml").read_text())
    assert uses
    assert [it for it in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", it)] == []


def test_one_action_has_one_commit() -> None:
    uses = {use for path in FOLDER.glob("*.yml") for use in re.findall(r"uses: (.*)", path.read_text())}
    assert len(uses) == len({use.partition("@")[0] for use in uses})


def test_only_five_jobs_may_write_and_each_one_thing() -> None:
    """Which permission is for what: docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions"""
    assert {name: it["permissions"] for name, it in WORKFLOWS.items()} == {
        "ci": {"contents": "read"},
        "audit": {"contents": "read"},
        "thorough": {"contents": "read"},
        "release": {},
        "on-aws": {},
    }
    may = {name: {what for what, how in job["permissions"].items() if how == "write"} for name, job in RELEASE.items()}
    publish = {"pypi": {"id-token"}, "npm": {"id-token"}, "github": {"contents"}}
    assert may == {"make": set(), "attest": {"id-token", "attestations"}, **publish}
    assert ON_AWS["permissions"] == {"contents": "read", "id-token": "write"}


def test_no_job_that_may_write_runs_code_of_the_tree() -> None:
    for name in ("attest", "pypi", "npm", "github"):
        actions = [step.get("uses", "") for step in RELEASE[name]["steps"]]
        assert not any("checkout" in it for it in actions)


def test_what_is_published_is_what_was_made_and_attested() -> None:
    assert {name: job.get("needs") for name, job in RELEASE.items()} == {
        "make": None,
        "attest": "make",
        "pypi": "attest",
        "npm": "attest",
        "github": ["pypi", "npm"],
    }


def test_a_release_has_the_version_of_the_tag_and_names_the_repository_of_the_workflow() -> None:
    [step] = [it["run"] for it in RELEASE["make"]["steps"] if "make release" in it.get("run", "")]
    github = {"GITHUB_REF_NAME": "v0.4.0", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "owner/name"}
    told = 'make() { printf "%s\n" "$@"; }; mv() { :; }; '
    assert printed(["sh", "-c", told + step], environment=github).split() == [
        "release",
        "VERSION=0.4.0",
        "REPOSITORY=https://github.com/owner/name",
    ]


def test_a_run_on_aws_is_by_hand_with_approval_and_one_at_a_time() -> None:
    triggers = WORKFLOWS["on-aws"][True]  # YAML 1.1 reads `on` as this
    assert (triggers.keys(), ON_AWS["environment"]) == ({"workflow_dispatch"}, "aws")
    assert WORKFLOWS["on-aws"]["concurrency"] == {"group": "${{ github.workflow }}", "cancel-in-progress": False}


def test_a_run_on_aws_takes_a_role_and_a_name_without_showing_a_key(tmp_path: Path) -> None:
    aws = tmp_path / ".local" / "sam" / "bin" / "aws"
    aws.parent.mkdir(parents=True)
    aws.write_text('#!/bin/sh\necho "$AWS_REGION $*" $(cat token) >>asked\nprintf "key-id\\tsecret\\tsession\\n"\n')
    aws.chmod(0o700)
    told = """curl() { printf '%s\n' "$@" >asked; echo '{"value": "a-jwt"}'; }\n"""
    github = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://it/?a=b", "ROLE": "arn:role"}
    environment = {**github, "REGION": "eu-west-1", "GITHUB_RUN_ID": "7", "GITHUB_ENV": "given", "PATH": os.environ["PATH"]}
    shown = printed(["sh", "-ec", told + TAKE_THE_ROLE["run"]], tmp_path, environment)
    asked, given = (tmp_path / "asked").read_text(), (tmp_path / "given").read_text()
    assert "authorization: bearer t\nhttps://it/?a=b&audience=sts.amazonaws.com\n" in asked
    assert re.search(r"^eu-west-1 sts assume-role-.* --role-arn arn:role .*file://token .* a-jwt$", asked, re.MULTILINE)
    assert shown.splitlines() == [f"::add-mask::{it}" for it in ("key-id", "secret", "session")]
    keys = "AWS_ACCESS_KEY_ID=key-id\nAWS_SECRET_ACCESS_KEY=secret\nAWS_SESSION_TOKEN=session\n"
    assert re.fullmatch(keys + "WAITPOINTS_RUN=wp[0-9a-f]{8}\n", given)
    assert {it.name for it in tmp_path.iterdir()} == {".local", "asked", "given"}


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (1, 1), (2, 0)])
def test_a_run_on_aws_is_always_deleted_and_brings_home_only_what_may_be_published(status: int, ends: int) -> None:
    assert (CLEAN["if"], ARTIFACT["if"], ARTIFACT["with"]["path"]) == ("always()", "always()", "evidence")
    sh = f'sh() {{ printf "%s " "$@"; return {status}; }}; '
    run = ended(["sh", "-c", sh + RUN["run"]], environment={"REGION": "eu-west-1", "EVERYTHING": "--all"})
    assert (run.stdout, run.returncode) == ("examples/on_aws.sh --yes --region eu-west-1 --all ", status)
    clean = ended(["sh", "-c", sh + CLEAN["run"]], environment={"REGION": "eu-west-1", "WAITPOINTS_RUN": "wp1"})
    assert (clean.stdout, clean.returncode) == ("examples/on_aws.sh --yes --region eu-west-1 --clean wp1 ", ends)
    nameless = ended(["sh", "-c", sh + CLEAN["run"]], environment={"REGION": "eu-west-1"})
    assert (nameless.stdout, nameless.returncode) == ("", 2)


class Database(BaseHTTPRequestHandler):
    """Stands for OSV, which knows a vulnerability of PyJWT: google.github.io/osv.dev/api"""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        known = {"vulns": [{"id": "PYSEC-2030-1", "modified": "2030-01-31T12:00:00Z"}]}
        self.answer({"results": [known if it["package"]["name"] == self.server.vulnerable else {} for it in queries]})  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        self.answer({"id": "PYSEC-2030-1", "modified": "2030-01-31T12:00:00Z", "summary": "Accepts any signature"})

    def answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def database() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize(("vulnerable", "status"), [("pyjwt", 1), ("no-library-of-ours", 0)])
def test_a_known_vulnerability_fails_the_audit(database: HTTPServer, vulnerable: str, status: int) -> None:
    assert WORKFLOWS["audit"]["jobs"]["audit"]["steps"][-1]["run"] == "make audit"
    database.vulnerable = vulnerable  # type: ignore[attr-defined]
    dry_run = ["make", "-n", "--no-print-directory", "audit"]
    command = shlex.split(printed(dry_run).splitlines()[-1])
    done = ended([*command, "--service-url", f"http://127.0.0.1:{database.server_port}"])
    assert done.returncode == status, done.stderr
    assert ("pyjwt 2." in done.stdout and "Accepts any signature" in done.stdout) == bool(status)
