"""After all tests of a stack: what they left behind in its logs, and what the roles of its functions were denied.

The emulator writes no access log. `tests/integration/test_processed_template.py` checks what that would hold.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import figures
from tests.support.e2e.permissions import physical_name, resources
from waitpoints.access.urls import Urls
from waitpoints.aws.items import plain, token_from
from waitpoints.token import Completed, Failed, Token
from waitpoints_local.stack import DECISIONS, Stack

SHORTEST = 16  # characters that are looked for: less may be in a log by chance
MOST_LINES = 10_000  # in one answer
FEW = 4  # different characters: zeros are in the id of every trace
# Logged on purpose: an endpoint's name, of which tests make keys; the names of a body's members, which may be values elsewhere;
# and when, which an output with answers says, too
NAMES = re.compile(r'"(?:endpoint|shape|timestamp)": ?"(?:[^"\\]|\\.)*"')
REQUEST = re.compile(r'"message": ?"request"')
BORROWED = "test"  # the session of a role that test_web_pages.py takes
NAMED_KEY = re.compile(r"tr_prod_sk_[0-9A-Za-z]{24}")
JWT = re.compile(r"eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.")
DETACHED = {"AcceptCallbackRole", "CompleteTokenRole", "ResumeWaitersRole", "DoctorRole"}
"""Roles that may not resume for a while, in test_first_hour.py."""


class Key:
    """One version of the signing key."""

    def __init__(self, value: str) -> None:
        self._value = value

    def read_current(self) -> str:
        return self._value

    def read_accepted(self) -> Iterator[str]:
        yield self._value

    read_latest = read_accepted


def decisions(stack_folder: Path) -> set[tuple[str, str, str]]:
    """The name of a role as the template has it, an action, and what IAM decided."""
    found = [json.loads(line) for line in (stack_folder / DECISIONS).read_text().splitlines()]
    found = [it for it in found if not it[0].endswith(f"/{BORROWED}")]
    roles = [(re.search(r"/waitpoints-(\w+)-", principal), action, decision) for principal, action, decision in found]
    return {(role[1], action, decision) for role, action, decision in roles if role}


def check(stack: Stack, stack_folder: Path) -> None:
    logged = "\n".join(messages(stack))
    if not REQUEST.search(logged) and not (stack_folder / DECISIONS).exists():
        return  # a run of few tests, none of which has called a function
    check_that_no_role_was_denied_what_it_asked_for(stack, stack_folder)
    check_that_no_secret_payload_or_key_was_logged(stack, logged)


def check_that_no_role_was_denied_what_it_asked_for(stack: Stack, stack_folder: Path) -> None:
    """A test that takes a permission away denies it explicitly, or takes away the policy that resumes executions."""
    stack.client("cloudformation").describe_stacks(StackName=stack.stack_name)
    found = decisions(stack_folder)
    assert [it for it in found if it[2] == "Allow"], "no function has called AWS"
    resumes = ("states:SendTask", "lambda:SendDurableExecutionCallback")
    denied = {it for it in found if it[2] == "ImplicitDeny"}
    unexpected = {it for it in denied if it[0] not in DETACHED or not it[1].startswith(resumes)}
    assert not unexpected, unexpected
    roles = {it["LogicalResourceId"] for it in resources(stack, stack.stack_name) if it["ResourceType"] == "AWS::IAM::Role"}
    used = {(role, action) for role, action, decision in found if decision == "Allow" and role in roles}
    figures.show(f"{len(used)} actions of roles were used on the emulator, each allowed by the role's own policies")


def check_that_no_secret_payload_or_key_was_logged(stack: Stack, logged: str) -> None:
    assert REQUEST.search(logged), "no function has logged a request"
    logged = NAMES.sub("", logged)
    known = {*values_of_secrets(stack), *of_tokens(stack)}
    secrets = {text for text in known if len(text) >= SHORTEST and len(set(text)) > FEW}
    escaped = {json.dumps(secret)[1:-1] for secret in secrets}
    found = found_in(logged, secrets | escaped)
    assert not found, [line for line in logged.splitlines() if any(secret in line for secret in found)]
    assert not [line for line in logged.splitlines() if NAMED_KEY.search(line) or JWT.search(line)]
    figures.show(f"{len(secrets)} secrets, keys and payloads are in none of {len(logged.splitlines())} lines of log")


def found_in(logged: str, texts: set[str]) -> set[str]:
    """Return those of the texts that were logged, in one pass. Each has at least SHORTEST characters."""
    starts: dict[str, list[str]] = {}
    for text in texts:
        starts.setdefault(text[:SHORTEST], []).append(text)
    places = range(len(logged) - SHORTEST + 1)
    return {text for at in places for text in starts.get(logged[at : at + SHORTEST], ()) if logged.startswith(text, at)}


def messages(stack: Stack) -> Iterator[str]:
    """Every line in every log group."""
    client = stack.client("logs")
    until = time.time_ns() // 1_000_000 + 60_000
    for groups in client.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            yield from lines(client, group["logGroupName"], group["creationTime"], until)


def lines(client: Any, group: str, since: int, until: int) -> Iterator[str]:
    """The lines of a period. The emulator returns at most 10,000, so a period with more is halved."""
    found = client.filter_log_events(logGroupName=group, startTime=since, endTime=until)["events"]
    if len(found) < MOST_LINES or until - since < 2:
        yield from (event["message"] for event in found)
        return
    middle = (since + until) // 2
    yield from lines(client, group, since, middle)
    yield from lines(client, group, middle, until)


def values_of_secrets(stack: Stack) -> Iterator[str]:
    """Every version of every secret: of the stack, and of webhook providers."""
    client = stack.client("secretsmanager")
    for page in client.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            yield from versions(client, secret["ARN"])


def versions(client: Any, secret_id: str) -> Iterator[str]:
    for version in client.list_secret_version_ids(SecretId=secret_id, IncludeDeprecated=True)["Versions"]:
        value = client.get_secret_value(SecretId=secret_id, VersionId=version["VersionId"])
        if "SecretString" in value:
            yield value["SecretString"]


def of_tokens(stack: Stack) -> Iterator[str]:
    """What the table knows of each token: its callback hashes, what waits for it, its key, and what it was completed with."""
    urls = [Urls("", Key(key)) for key in versions(stack.client("secretsmanager"), physical_name(stack, "SigningKey"))]
    scanned = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.table_name)
    items = [plain(item) for page in scanned for item in page["Items"] if item["item"]["S"] == "token"]
    for token in map(token_from, items):
        yield from (url.url(token.id, "").rsplit("/", 1)[1] for url in urls)
        links = (url.url(token.id, "", answer.approver) for url in urls for answer in token.answers)
        yield from (link.rsplit("/", 1)[1].partition("?")[0] for link in links)
        yield from (waiter.handle for waiter in token.waiters.values())
        yield from (text for text in payloads(token) if "waitpoint_" not in text)


def payloads(token: Token) -> Iterator[str]:
    yield token.idempotency_key or ""
    match token.outcome:
        case Completed(_, output):
            yield output.json or ""
            yield from leaves(json.loads(output.json or "null", parse_int=str))  # of any size
        case Failed(_, error):
            yield error.message


def leaves(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from leaves(item)
        case dict():
            for item in value.values():
                yield from leaves(item)
