"""The example events_to_audit: what its rules make of the stack's events, and its queries, by DuckDB in place of Athena."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from statistics import fmean, median
from typing import Any

import duckdb
import pytest
from moto.events.models import EventPattern

from tests.support.in_process.template import Template, read
from tools.stack import ROOT
from waitpoints import ids
from waitpoints.event import SOURCE, Event
from waitpoints.sign_in import SignedIn
from waitpoints.stream.settled_event import settled_event
from waitpoints.stream.waiting_event import all_answers, all_hand_overs, waiting_event
from waitpoints.token import (
    Answer,
    Completed,
    CompletedBy,
    Failed,
    HandOver,
    Output,
    Rules,
    Source,
    TimedOut,
    Token,
    TokenError,
    iso,
)

EXAMPLE = ROOT / "examples" / "events_to_audit"
BODY = read(EXAMPLE / "template.yaml")
COLUMNS = {
    it["Name"]: it["Type"] for it in BODY["Resources"]["Records"]["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]
}
TYPES = {"int": "INTEGER", "string": "VARCHAR", "boolean": "BOOLEAN", "array<string>": "VARCHAR[]"}
MACROS = """
CREATE MACRO from_iso8601_timestamp(text) AS text::TIMESTAMP;
CREATE MACRO approx_percentile(value, part) AS quantile_cont(value, part);
"""
OF_ALL = {"version", "event", "kind", "token", "tags", "key", "created_by", "created_at", "happened_at"}
SIGNED_IN = {"issuer", "subject", "email"}
OF_SETTLED = OF_ALL | {"ok", "error", "source", "api_key"}
VERSION_1 = {
    "Decided": OF_SETTLED | SIGNED_IN | {"title", "approver", "action", "override", "slack_user"},
    "Settled": OF_SETTLED,
    "Answered": OF_ALL | SIGNED_IN | {"title", "approver", "action"},
    "HandedOver": OF_ALL | {"title", "api_key", "added", "removed"},
}
"""What the records of a version have. One that lacks any of it, or has it mean something else, is of another version."""
VALUES = {"Decided": {"data", "metadata"}, "Settled": {"data", "metadata"}, "Answered": {"data"}, "HandedOver": set[str]()}
SECRET = "payload-4711"
START = 1_795_529_546_123
Records = list[tuple[str, str]]


def rendered(transformer: Any, event: dict[str, Any]) -> str:
    """As EventBridge renders a template: "" for what an event lacks; a placeholder without a path is refused."""

    def value(placeholder: re.Match[str]) -> str:
        found: Any = event
        for name in transformer["InputPathsMap"][placeholder[1]].removeprefix("$.").split("."):
            found = found.get(name, "") if isinstance(found, dict) else ""
        return json.dumps(found)

    return re.sub(r"<(\w+)>", value, transformer["InputTemplate"])


def recorded(events: list[Event], values: str = "off") -> Records:
    """The rule and the line of each record."""
    template = Template(BODY, {"Values": values})
    made = []
    for event in events:
        seen = {"id": "any", "source": SOURCE, "detail-type": event.type, "detail": json.loads(event.detail)}
        for name, rule in template.resources("AWS::Events::Rule").items():
            pattern: Any = EventPattern.load(json.dumps(rule["EventPattern"]))
            if pattern.matches_event(seen):
                transformer = template.resolve(rule["Targets"][0]["InputTransformer"], {})
                made.append((name, rendered(transformer, seen)))
    return made


def events_of(token: Token, *, with_output: bool = True) -> list[Event]:
    changes = [*all_answers(token), *all_hand_overs(token)]
    made = [waiting_event(token, it, with_output=with_output) for it in changes]
    return [*made, settled_event(token, "outputs", with_output=with_output)] if token.outcome else made


def token(number: int, rng: random.Random) -> Token:
    """A token of each of seven kinds, in turn."""
    created, people = START + number * 7_000_000, rng.sample(["ann", "bo", "cy", "dee"], 3)
    at, key = created + rng.randrange(10_000, 90_000_000), rng.choice([None, "ci"])
    signed_in = SignedIn("https://id.example.com", "u-1", "ann@example.com", at) if number % 2 else None
    fields, actions = json.dumps({"why": SECRET}), rng.choices(["approve", "reject"], k=2)
    first, last = (
        Answer(who, action, fields, at - ago, signed_in) for who, action, ago in zip(people, actions, (99, 0), strict=False)
    )
    person = CompletedBy(source=Source.CALLBACK, approver=last.approver)
    output = Output(json.dumps({"action": last.action, "fields": {"why": SECRET}, "approver": last.approver}))
    hand_over = HandOver(({"id": people[1]}, {"id": people[0]}), (people[2],), at - 5000, key)
    members: list[dict[str, Any]] = [
        {"answers": (first, last), "outcome": Completed(at, output, person)},
        {"answers": (last,), "outcome": Completed(at, output, person), "hand_overs": (hand_over,)},
        {"outcome": Completed(at, output, CompletedBy(source=Source.COMPLETE, key=key)), "rules": Rules(has_approvers=True)},
        {"answers": (first,), "outcome": TimedOut(at)},
        {"outcome": Failed(at, TokenError(SECRET, "Withdrawn"))},
        {"outcome": Completed(at, Output(json.dumps({"action": SECRET}))), "page_title": None},
        {"answers": (first,), "hand_overs": (hand_over,)},
    ]
    shared: dict[str, Any] = {"page_title": f'Pay "{number}"?', "metadata": json.dumps({"order": SECRET}), "created_by": "ci"}
    return Token(id=ids.new_id(created), created_at=created, idempotency_key=f"pay:{number}", **shared | members[number % 7])


@pytest.fixture(scope="module")
def tokens() -> list[Token]:
    rng = random.Random(52)  # noqa: S311 - a fixed draw
    return [token(number, rng) for number in range(1000)]


@pytest.fixture(scope="module")
def archive(tokens: list[Token], tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table `records`: 5 % of the events came twice, some of these without their output, and in no order."""
    rng = random.Random(25)  # noqa: S311 - a fixed draw
    events = [event for it in tokens for event in events_of(it)]
    again = [event for it in rng.sample(tokens, 50) for event in events_of(it, with_output=rng.random() < 0.5)]
    lines = [line for _, line in recorded(events + again)]
    rng.shuffle(lines)
    path = tmp_path_factory.mktemp("audit") / "records.json"
    path.write_text("\n".join(lines))
    table = (
        f"read_json('{path}', format='newline_delimited', columns={ {name: TYPES[kind] for name, kind in COLUMNS.items()} })"
    )
    with duckdb.connect() as database:  # closed at once: its threads disturb tests that fork
        database.execute(MACROS)
        database.execute(f"CREATE TABLE records AS FROM {table}")
        assert database.execute("SELECT count(*) FROM records").fetchall() == [(len(events) + len(again),)]
        yield database


def result(archive: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return archive.execute((EXAMPLE / f"{query}.sql").read_text()).fetchall()


def about(it: Token) -> tuple[Any, ...]:
    return it.id, it.page_title or "", it.idempotency_key


def test_who_approved_what(tokens: list[Token], archive: duckdb.DuckDBPyConnection) -> None:
    expected = []
    for it in tokens:
        by = it.outcome.completed_by if isinstance(it.outcome, Completed) else None
        for answer in it.answers:
            email = answer.signed_in.email if answer.signed_in else ""
            decided = by is not None and by.approver == answer.approver
            expected.append((*about(it), answer.action, answer.approver, email, "", "", "", decided, iso(answer.at)))
        if by is not None and by.source is Source.COMPLETE:
            assert isinstance(it.outcome, Completed)
            action = json.loads(it.outcome.output.json or "")["action"]
            expected.append((*about(it), action, "", "", "", "true", by.key or "", True, iso(it.outcome.at)))
    found = result(archive, "who_answered")
    assert (len(found), sorted(found)) == (len(expected), sorted(expected))
    assert found == sorted(found, key=lambda row: row[-1])


def test_what_timed_out(tokens: list[Token], archive: duckdb.DuckDBPyConnection) -> None:
    ended = [it for it in tokens if isinstance(it.outcome, TimedOut)]
    expected = [(*about(it), "ci", iso(it.created_at), iso(it.outcome.at)) for it in ended if it.outcome]
    assert sorted(result(archive, "timed_out")) == sorted(expected)


def test_answers_by_person(tokens: list[Token], archive: duckdb.DuckDBPyConnection) -> None:
    given = defaultdict(list)
    for answer in (answer for it in tokens for answer in it.answers):
        given[answer.approver, answer.action].append(iso(answer.at))
    expected = [(*who, len(times), min(times), max(times)) for who, times in sorted(given.items())]
    assert result(archive, "answers_by_person") == expected


def test_changes_of_approvers(tokens: list[Token], archive: duckdb.DuckDBPyConnection) -> None:
    changes = [(it, change) for it in tokens for change in it.hand_overs]
    expected = [
        (*about(it), [person["id"] for person in change.added], list(change.removed), change.key or "", iso(change.at))
        for it, change in changes
    ]
    assert sorted(result(archive, "changes_of_approvers")) == sorted(expected)


def test_how_long_decisions_took(tokens: list[Token], archive: duckdb.DuckDBPyConnection) -> None:
    took = defaultdict(list)
    for it in tokens:
        if it.page_title and isinstance(it.outcome, Completed):
            took[iso(it.outcome.at)[:7]].append((it.outcome.at - it.created_at) / 1000)
    expected = [(month, len(its), fmean(its), median(its), max(its)) for month, its in sorted(took.items())]
    assert result(archive, "decision_times") == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize("values", ["off", "on"])
def test_a_record_has_what_its_version_says_and_values_on_request_alone(tokens: list[Token], values: str) -> None:
    found = defaultdict(list)
    for rule, line in recorded([event for it in tokens[:7] for event in events_of(it)], values):
        found[rule].append(line)
    names = {rule: set[str]().union(*(json.loads(line) for line in lines)) for rule, lines in found.items()}
    wanted = {rule: names | (VALUES[rule] if values == "on" else set()) for rule, names in VERSION_1.items()}
    assert names == wanted
    assert {rule for rule, lines in found.items() if SECRET in "".join(lines)} == {
        rule for rule in VALUES if values == "on" and VALUES[rule]
    }
    assert {json.loads(line)["version"] for lines in found.values() for line in lines} == {1}
    assert COLUMNS.keys() == set().union(*VERSION_1.values(), *VALUES.values())


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_records_are_locked_and_kept_without_the_stack(mode: str) -> None:
    template = Template(BODY, {"LockMode": mode, "RetentionDays": "30"} if mode == "COMPLIANCE" else {})
    assert {BODY["Resources"]["Bucket"][policy] for policy in ("DeletionPolicy", "UpdateReplacePolicy")} == {"Retain"}
    bucket = template.resolve(BODY["Resources"]["Bucket"]["Properties"], {})
    locked = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert locked == {"Mode": mode, "Days": "30" if mode == "COMPLIANCE" else "365"}
    said = [
        it
        for role in template.resources("AWS::IAM::Role").values()
        for it in role["Policies"][0]["PolicyDocument"]["Statement"]
    ]
    assert not re.search("Delete|Bypass|Retention|PutRule", str([it["Action"] for it in said]))
