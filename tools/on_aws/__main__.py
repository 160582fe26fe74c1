"""`sh examples/on_aws.sh`: deploy the stack to AWS, prove it, delete it, and leave a folder that may be published.

Status 0: no step failed, and nothing is left. 1: not so. 2: nothing was made.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools import version
from tools.on_aws import account, clean_up, summary
from tools.on_aws.clean_up import Left
from tools.on_aws.redaction import Redaction
from tools.on_aws.runner import Stop, listening, run, say
from tools.on_aws.steps import STEPS, Step, chosen
from tools.stack import ROOT

Say = Callable[[str], None]
Steps = Sequence[tuple[int, Step]]
SECONDS, CLEAN_UP_MINUTES = 3 * 3600, 15
PLAN = """
It makes what has {run} in its name: stacks of Waitpoints with tables, buckets, functions and logs, and a bucket for what is
uploaded. It takes about {minutes:.0f} minutes, three hours at most, and costs about ${dollars:.2f}. At its end it deletes all
that, also after Ctrl-C. If it is killed, this does: sh examples/on_aws.sh --region {region} --clean {run}
AWS keeps, free of charge: system backups of deleted tables (35 days), metrics (15 months), the history of calls and stacks
(90 days).
"""


class Refused(Exception):
    """Nothing was made, for this reason."""


def main(arguments: Sequence[str]) -> int:
    options, redaction = _options(arguments), Redaction()
    tell: Say = (lambda text: say(redaction.text(text))) if options.yes else say  # a workflow's output is public
    try:
        session = boto3.Session(region_name=options.region or input("Which region? ").strip())
        redaction.know(owner := session.client("sts").get_caller_identity()["Account"], "account")
        drawn = os.environ.get("WAITPOINTS_RUN") or f"wp{secrets.token_hex(4)}"  # a workflow has drawn it, to clean up by it
        name, steps = options.clean or drawn, chosen(options.only, everything=options.all)
        findings = [] if options.clean else _plan(session, name, steps, options.evidence, tell)
        tell(f"This is account {owner}, region {session.region_name}.")
        if not options.yes and input(f"{'Delete' if options.clean else 'Make'} {name} there? Type yes: ").strip() != "yes":
            raise Refused
        with listening(time.monotonic() + SECONDS) as stop:
            try:
                if options.clean:
                    return 1 if _told(clean_up.clean(session, name, tell, _settle()), tell) else 0
                return _run(session, name, steps, options, findings, redaction, stop, tell)
            except clean_up.Refused:
                raise
            except Exception:
                tell(traceback.format_exc())
                return 1
    except (Refused, clean_up.Refused, ClientError, BotoCoreError, EOFError, KeyboardInterrupt) as refused:
        tell(str(refused) or "Nothing was done.")
        return 2


def _options(arguments: Sequence[str]) -> Namespace:
    parser = argparse.ArgumentParser("sh examples/on_aws.sh", description="Prove Waitpoints on AWS, and delete what that made.")
    parser.add_argument("--region", default="", help="asked for if it is not given")
    parser.add_argument("--yes", action="store_true", help="ask nothing, and print only what may be published")
    parser.add_argument("--all", action="store_true", help="add gradual deployments, the CDK construct, and a boundary")
    parser.add_argument(
        "--only", default="", choices=["", *(it.name for it in STEPS)], metavar="STEP", help="and what it needs"
    )
    parser.add_argument("--from", default="", dest="older", metavar="ARCHIVE", help="upgrade from this")
    parser.add_argument("--evidence", default=ROOT / "evidence", metavar="FOLDER", type=Path, help="a new folder")
    parser.add_argument("--clean", default="", metavar="RUN", help="only delete what a run has left")
    options = parser.parse_args(arguments)
    if options.yes and not options.region:
        parser.error("--yes needs --region")
    return options


def _plan(session: boto3.Session, name: str, steps: Steps, evidence: Path, tell: Say) -> list[str]:
    """Say what a run will do, and look at the account. Return what was found. Raises Refused."""
    for number, step in steps:
        tell(f"{number:02} {step.name:<15} {step.minutes:5.1f} min {step.cents:4.1f} ct  {step.proves}")
    minutes, cents = sum(it.minutes for _, it in steps) + CLEAN_UP_MINUTES, sum(it.cents for _, it in steps)
    tell(PLAN.format(run=name, minutes=minutes, dollars=cents / 100, region=session.region_name))
    found = account.look(session, name)
    tell("\n".join(found.findings))
    there = [f"{it} is of another run: move it away" for it in (evidence, _unsafe(evidence)) if it.exists()]
    if found.refusals or there:
        raise Refused("\n".join([*found.refusals, *there]))
    return found.findings


def _run(
    session: boto3.Session, name: str, steps: Steps, options: Namespace, findings: list[str], redaction: Redaction, stop: Stop,
    tell: Say,
) -> int:  # fmt: skip
    """Run the steps, clean up, write the summary, and search the folder. Return the status."""
    folder: Path = options.evidence
    facts = _facts(session, name, findings)  # before the tree can change
    folder.mkdir(parents=True)

    def learn() -> None:
        for value, kind in account.secrets_of(session, name):
            redaction.know(value, kind)

    try:
        with tempfile.TemporaryDirectory() as scratch:
            rows = run(steps, _environment(session, name, scratch, options.older), folder, redaction, stop, learn)
    finally:
        left = _told(_cleaned(session, name, tell), tell)
    try:
        shown = [replace(it, name=redaction.text(it.name), why=redaction.text(it.why)) for it in left]
        summary.write(folder, rows, shown, {key: redaction.text(it) for key, it in facts.items()})
    finally:
        if hits := redaction.search(folder):
            folder = folder.rename(_unsafe(folder))
            tell("\n".join(["It may not be published:", *(f"{hit.file}: {hit.kind}" for hit in hits)]))
    failed = [row.name for row in rows if row.status == "failed"]
    tell(f"{len(rows)} steps. Failed: {', '.join(failed) or 'none'}. See {folder}/README.md.")
    return 1 if hits or left or failed else 0


def _environment(session: boto3.Session, name: str, scratch: str, older: str) -> dict[str, str]:
    """The variables of each step, without those that lead to another stack."""
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith("WAITPOINTS_")}
    bucket, region = f"waitpoints-{name}-{secrets.token_hex(4)}", str(session.region_name)
    own = {
        "RUN": name,
        "STACK": name,
        "BUCKET": bucket,
        "FROM": older and os.path.abspath(older),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    return {"ARCHIVE": f"{scratch}/archive", "AWS_DEFAULT_OUTPUT": "json", "SAM_CLI_TELEMETRY": "0"} | kept | own


def _cleaned(session: boto3.Session, name: str, tell: Say) -> list[Left]:
    """Delete what a run has made, whatever became of it."""
    tell("Deleting all that")
    try:
        return clean_up.clean(session, name, tell, _settle())
    except clean_up.Refused:  # there is neither a bucket nor a stack
        return clean_up.left(session, name)
    except Exception as error:
        return [Left("all", name, "unknown", f"the clean-up has failed ({error!r}): repeat it with --clean {name}")]


def _settle() -> float:
    return float(os.environ.get("SETTLE", "600"))


def _told(left: list[Left], tell: Say) -> list[Left]:
    for it in left:
        tell(f"LEFT  {it.kind} {it.name} (a month: {it.price}): {it.why}")
    tell(f"{len(left) or 'Nothing'} left")
    return left


def _facts(session: boto3.Session, name: str, findings: Sequence[str]) -> dict[str, str]:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": described.stdout.strip() or "unknown",
        "version": version.read(),
        "region": str(session.region_name),
        "run": name,
        "architecture": os.environ.get("ARCHITECTURE", "arm64"),
        "account": "\n".join(it for it in findings if not it.startswith("budget:")),  # that is advice, in the first step's file
    }


def _unsafe(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-UNSAFE")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
