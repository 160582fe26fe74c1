"""The Python client's fake refuses what the handlers refuse, in the same words."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from waitpoints_client import Token
from waitpoints_client.cli import show
from waitpoints_client.testing import FakeWaitpoints

from tests.support import sign_in
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret
from waitpoints.timers import reminders
from waitpoints.token import Token as StoredToken


def action(number: int, needs: Any) -> dict[str, Any]:
    return {"id": f"a{number}", "label": "A", "needs": needs}


ISSUER = "https://issuer.example.com"
BY_KEY, ENDPOINT, PUBLIC = "/api/v1/waitpoints/complete", "/api/v1/endpoints/orders", "/api/v1/auth/jwt"
LONG = "x" * 2049
CREATES: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"x" * 65_537,
    {"timeOut": "1h"},
    {"nothing": 1},
    {"timeout": 60},
    {"timeout": ""},
    {"timeout": "0s"},
    {"timeout": "1.5h"},
    {"timeout": "2020-01-01T00:00:00Z"},
    {"timeout": None, "tags": None},
    {"tags": 1},
    {"tags": [1]},
    {"tags": ["x" * 129]},
    {"tags": "x" * 129},
    {"tags": list("abcdefghijk")},
    {"idempotencyKey": ""},
    {"idempotencyKey": LONG},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "soon"},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "0s"},
    {"idempotencyKeyTTL": "1h"},
    {"page": {"title": "Go on?"}, "payloadSchema": {}},
    {"taskToken": "t" * 20, "callbackId": "c" * 20},
    {"metadata": {"a": "x" * 4096}},
    {"metadata": ["a"]},
    {"metadata": "a"},
]
MOVES: list[Any] = [b"", {}, {"timout": "1h"}, {"timeout": "soon"}, {"timeout": "2020-01-01T00:00:00Z"}, {"timeout": 0}]
PEOPLE = ["ann@example.com", {"id": "bo", "name": "Bo", "email": "bo@example.com", "slack": "U024BE7LH"}, "cy"]
APPROVERS: list[Any] = [
    PEOPLE,
    [],
    "ann",
    [1],
    [""],
    [" "],
    [" ann"],
    ["an\nn"],
    ["a\x00nn"],
    ["x" * 129],
    ["a@b", "ann@example.com."],
    [{"name": "Ann"}],
    [{"id": "ann", "nam": "Ann"}],
    [{"id": "ann", "role": "lead"}],
    [{"id": "ann", "name": ""}],
    [{"id": "ann", "email": "ann"}],
    [{"id": "ann", "email": None}],
    [{"id": "ann", "slack": "@ann"}],
    [{"id": "ann", "language": "ja"}],
    [{"id": "ann", "language": "it"}],
    [{"id": "ann", "language": []}],
    [{"id": "ann", "subject": "ann-1"}],
    ["ann", "Ann"],
    ["jos\u00e9", "jose\u0301"],
    ["ann", "an\u200bn"],
    ["K", "\u212a"],
    ["ann@example.com", {"id": "ann", "email": "Ann@example.com"}],
    [{"id": "U024BE7LH"}, {"id": "ann", "slack": "U024BE7LH"}],
    [str(number) for number in range(21)],
]
MORE: list[Any] = [
    {"requestedBy": "dee"},
    *({"requestedBy": text} for text in ("BO@example.com", "bo@example.com.", "c\u2800y", "c y", "c\U0001d159y")),
    {"requestedBy": "cy", "selfApproval": False},
    {"requestedBy": "cy", "selfApproval": True},
    {"requestedBy": "cy", "actions": [action(0, 3)]},
    {"requestedBy": "cy", "actions": [action(0, 2), action(1, 2)]},
    {"requestedBy": "cy", "selfApproval": 1},
    {"requestedBy": " "},
    {"requestedBy": None},
    {"selfApproval": True},
    {"escalate": {"after": "1d", "to": ["lead"]}},
    {"escalate": {"after": "1d", "to": ["CY"]}},
    {"escalate": {"after": "1d", "to": ["lead"]}, "requestedBy": "lead"},
    {"escalate": {"after": "1d", "to": ["lead", "ops"]}, "requestedBy": "Lead"},
    {"escalate": {"after": "1d", "to": ["lead", "ops"]}, "requestedBy": "Lead", "actions": [action(0, 4)]},
    {"approvers": ["Dee"], "requestedBy": "dee"},
    {"escalate": {"after": "1d", "to": []}},
    {"escalate": {"after": "soon", "to": ["lead"]}},
    {"escalate": {"after": "0s", "to": ["lead"]}},
    {"escalate": {"after": 60, "to": ["lead"]}},
    {"escalate": {"after": "36501d", "to": ["lead"]}},
    {"escalate": {"after": f"{'0' * 100}1d", "to": ["lead"]}},
    {"escalate": {"to": ["lead"]}},
    {"escalate": {"after": "1d"}},
    {"escalate": {"after": "1d", "to": [str(number) for number in range(18)]}},
    {"escalate": ["lead"]},
    {"escalate": {"after": "1d", "to": ["lead"], "then": []}},
]
NEEDS: list[Any] = [(1,), (3,), (4,), (0,), (-1,), (1.5,), ("2",), (True,), (None,), (2, 2), (2, 3), (3, 3), (2, 2, 2)]
OPEN = {"signIn": {"domains": ["example.com"]}}
DOMAINS: list[Any] = [
    *([], "example.com", None, [1], ["Example.COM", "a.b-c.co"], [f"{number}.example.com" for number in range(21)]),
    *([wrong] for wrong in ("*.example.com", "example", "exa mple.com", "größe.de", "-a.com", f"{'x' * 64}.com", "a.com.")),
]
RULES: list[Any] = [True, False, None, 1, [], {}, {"domain": ["example.com"]}, OPEN["signIn"]]
SIGNERS: list[Any] = [
    ["ann"],
    ["jörg@example.com", {"id": "x", "name": "x" * 70}],
    *(
        [{"id": "ann", "subject": subject}]
        for subject in ("248289761001", "a" * 256, "", "é", "a\tb", 7, None, "bo@example.com")
    ),
    [{"id": "ann", "subject": "1"}, {"id": "cy", "subject": "1"}],
]
SIGN_INS: list[Any] = [
    *({"approvers": ["ann@example.com"], "signIn": rule} for rule in RULES),
    *({"signIn": rule} for rule in RULES),
    *({"signIn": {"domains": domains}} for domains in DOMAINS),
    *({**OPEN, "maxAge": age} for age in ("5m", "59s", "60s", "24h", "1441m", "soon", 5, None)),
    {"approvers": ["ann"], "maxAge": "5m"},
    *({"approvers": [*people, "bo@example.com"], "signIn": True} for people in SIGNERS),
    {"approvers": ["ann"], "escalate": {"after": "1d", "to": [{"id": "lea", "subject": "1"}]}},
    {"approvers": ["a@b.co"], "escalate": {"after": "1d", "to": [{"id": "lea", "subject": "1"}]}, "signIn": True},
    *({**OPEN, "requestedBy": who} for who in ("dee", "dee@example.com", "", None)),
    {**OPEN, "requestedBy": "dee@example.com", "selfApproval": True},
    {**OPEN, "selfApproval": True},
    {**OPEN, "escalate": {"after": "1d", "to": ["lea"]}},
    *(
        {**OPEN, "actions": [action(number, need) for number, need in enumerate(needs)]}
        for needs in [(20,), (21,), (0,), (11, 11)]
    ),
]
APPROVALS: list[Any] = [
    *[{"approvers": approvers} for approvers in APPROVERS],
    *[{"approvers": PEOPLE, **more} for more in MORE],
    *[{"approvers": PEOPLE, "actions": [action(number, need) for number, need in enumerate(needs)]} for needs in NEEDS],
    {"approvers": PEOPLE, "actions": [{"id": "a", "label": "A"}]},
    {"requestedBy": "dee"},
    {"escalate": {"after": "1d", "to": ["lead"]}},
    {"actions": [action(0, 1)]},
    *SIGN_INS,
]
REMIND: list[Any] = [
    ["4h", "1d"],
    ["1h"],
    ["1h", "2h", "3h", "4h", "5h"],
    ["1h", "2h", "3h", "4h", "5h", "6h"],
    "every 1h",
    "every 36500d",
    "every 36501d",
    "every 59m",
    "every  1d",
    "every",
    "every ",
    "1d",
    [],
    {},
    None,
    4,
    [4],
    ["soon"],
    ["59m"],
    ["1h", "119m"],
    ["4h", "4h"],
    ["1d", "4h"],
]
REMINDERS: list[Any] = [
    *[{"page": {"remind": remind}} for remind in REMIND],
    {"page": {"remind": ["4h"]}, "timeout": "4h"},
    {"page": {"remind": ["4h"]}, "timeout": "14401s"},
    {"page": {"remind": "every 1d"}, "timeout": "1h"},
    {"page": {"remind": ["4h"], "approvers": ["ann"], "escalate": {"after": "1d", "to": ["bo"]}}, "timeout": "1d"},
    {"page": {"remind": ["4h"], "approvers": ["ann"], "escalate": {"after": "1d", "to": ["bo"]}}, "timeout": "4h"},
]
BO: Any = {"id": "bo", "name": "Bo " + "x" * 90, "email": "bo@example.com", "slack": "U024BE7LH"}
NO_NOTIFY: list[Any] = [None, 7, [], "email", {}, {"emial": True}, {"sms": 1}, {"\ud800": 1}]
NOTIFIES: list[Any] = [
    *({"page": {}, "notify": notify} for notify in NO_NOTIFY),
    *(
        {"page": {}, "notify": {"email": email}}
        for email in (True, False, None, "a@b.cd", [], ["a@b.cd"] * 2, ["a@b.cd", "A@b.cd"], ["a"], [7], ["é@b.cd"], ["a@é.cd"])
    ),
    {"page": {}, "notify": {"email": [f"{number}@example.com" for number in range(20)]}},
    {"page": {}, "notify": {"email": [f"{number}@example.com" for number in range(21)]}},
    *(
        {"page": {}, "notify": {"slack": channel}}
        for channel in (
            "#deploys",
            "#größe",
            "C024BE91L",
            "G024BE91L",
            "deploys",
            "#Deploys",
            "#a b",
            "#" + "x" * 81,
            "U12",
            7,
            "",
        )
    ),
    *(
        {"page": {}, "notify": {"teams": name}}
        for name in ("TEAMS", "TEAMSa-b_1", "teams", "A_TEAMS", "", "TEAMS/b", "TEAMS" + 60 * "x", None)
    ),
    {"page": {}, "notify": {"email": ["a@b.cd"], "slack": "#a", "teams": "TEAMS"}},
    {"page": {}, "notify": {"outcome": True}},
    *({"page": {}, "notify": {"slack": "#a", "outcome": outcome}} for outcome in (True, 1, None)),
    {"page": {}, "notify": {"email": ["a@b.cd"], "outcome": True}},
    *(
        {"page": {"approvers": [BO], "requestedBy": requester}, "notify": {"email": True, "outcome": True}}
        for requester in ("dee", "dee@b.cd", "é@b.cd")
    ),
    {"page": {"approvers": [BO], "requestedBy": "é@b.cd"}, "notify": {"slack": "#a", "outcome": True}},
    *(
        {"page": {**OPEN, **asked}, "notify": notify}
        for asked in ({}, {"requestedBy": "dee@b.cd"}, {"requestedBy": "dee@=?x?=.cd"})
        for notify in (
            {"email": True},
            {"email": True, "outcome": True},
            {"email": ["a@b.cd"], "outcome": True},
            {"slack": "#a", "outcome": True},
        )
    ),
    {"notify": {"slack": "#a"}},
    {"notify": {"slack": "#a"}, "payloadSchema": {}},
    *(
        {"page": {"approvers": approvers}, "notify": notify}
        for approvers in ([BO], ["ann"], [BO, "ann@example.com"], [{"id": "cy", "email": "é@b.cd", "slack": "W024BE7LH"}])
        for notify in (
            {"email": True},
            {"slack": "#a"},
            {"email": True, "slack": "#a"},
            {"teams": "TEAMS"},
            {"email": ["a@b.cd"]},
        )
    ),
    {"page": {"approvers": [BO], "escalate": {"after": "1d", "to": ["lead", "ann@example.com"]}}, "notify": {"email": True}},
]
CHOICES: list[Any] = [
    b"",
    b"approve",
    b"\xff",
    b"null",
    [],
    {},
    {"action": "approve"},
    {"action": "approve", "fields": {}},
    {"action": "delay"},
    {"action": None},
    {"action": {}},
    {"action": "approve", "fields": []},
    {"action": "approve", "fields": None},
    {"action": "approve", "fields": {"note": "fine"}},
    {"action": "approve", "actions": 1},
    {"action": "approve", "by": "ann"},
    {"actio": "approve"},
]
COMPLETES: list[Any] = [
    b"",
    b"[1]",
    {"output": 1},
    {"dat": 1},
    {"data": 1, "error": {"message": "no"}},
    {"error": "no"},
    {"error": {}},
    {"error": {"message": ""}},
    {"error": {"message": "x" * 4097}},
    {"error": {"message": "no", "nam": "A"}},
    {"error": {"message": "no", "name": "No Name"}},
    {"error": {"message": "no", "name": "WaitpointTimeoutError"}},
    {"error": {"message": "no", "code": ""}},
    {"error": {"message": "no", "code": 1}},
    {},
]
KEYS: list[Any] = [
    {},
    {"idempotencyKey": 1},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "31d"},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "soon"},
    {"idempotencyKey": "k", "key": 1},
]
QUERIES = [
    "page[size]=0",
    "page[size]=many",
    "page[after]=none",
    "page[before]=none",
    "sort=name",
    "filter[status]=LOST",
    "filter[status]=WAITING,",
    "filter[outputIsError]=yes",
    "filter[undelivered]=false",
    "filter[undelivered]=true&filter[tags]=a",
    "filter[createdAt][period]=soon",
    "filter[createdAt][from]=soon",
    "filter[completedAt][to]=soon",
    "filter[tag]=a",
    "filter[tags]=&filter[status]=&sort=",
]
ENDPOINTS: list[Any] = [
    b"",
    {},
    {"key": "body.id"},
    {"key": "body.id", "verify": "all"},
    {"key": "body.id", "verify": 1},
    {"key": "body.id", "verify": "none", "keyTTL": "soon"},
    {"key": "body.id", "verify": "none", "keyTTL": "31d"},
    {"key": "body.id", "verify": "none", "filter": "a"},
    {"key": "body.id", "verify": "none", "tag": ""},
    {"key": "body.id", "verify": "none", "tag": "t" * 129},
    {"key": "body.id", "verify": "none", "tag": None},
    {"key": "body.id", "verify": "none", "tag": ["team-a"]},
]
PUBLIC_TOKENS: list[Any] = [b"", {"scopes": []}, {"expirationTime": "31d"}, {"expirationTime": "soon"}, {"expirationTime": 1}]
SCOPES: list[Any] = [
    {"scopes": scopes}
    for scopes in (["write"], [""], ["write:"], ["write:waitpoints:"], ["delete:runs", "read:runs"], ["a", "b", "c", "d"])
]


@dataclass
class Both:
    """The fake and the handlers, which get the same requests."""

    api: Api
    fake: FakeWaitpoints

    def send(self, method: str, path: str, body: Any) -> tuple[Any, Any] | None:
        """Return the JSON of both answers, None if they are the same refusal. `ID` in the path is each one's own token."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        theirs = self.api.request(method, path.replace("ID", self.api.create()["id"]), content)
        url = self.fake.url + path.replace("ID", self.fake.client().create().id)
        headers = {"authorization": f"Bearer {self.fake.api_key}"}
        ours = self.fake.handle_request(httpx.Request(method, url, content=content, headers=headers))

        assert ours.status_code == theirs.status, (ours.text, theirs.text)
        if theirs.status == 200:
            return ours.json(), theirs.json
        assert ours.json() == theirs.json
        return None

    def create(self, body: dict[str, Any]) -> tuple[Token, dict[str, Any]] | None:
        """Return what both show of a new token, None if they refuse it. A page gets a title."""
        page = {"page": {"title": "Go?", **body["page"]}} if "page" in body else {}
        made = self.send("POST", TOKENS, {**body, **page})
        if made is None:
            return None
        ours, theirs = made
        return self.fake.client().get(ours["id"]), self.api.retrieve(theirs["id"])


@pytest.fixture
def both(world: InMemory, monkeypatch: pytest.MonkeyPatch) -> Both:
    """At both, people can sign in."""
    return Both(sign_in.install(world, ISSUER, monkeypatch).api, FakeWaitpoints())


def odd(method: str, path: str, bodies: list[Any]) -> list[Any]:
    return [pytest.param(method, path, body, id=f"{path.rsplit('/', maxsplit=1)[-1]} {str(body)[:60]}") for body in bodies]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *odd("POST", TOKENS, CREATES),
        *odd("PATCH", f"{TOKENS}/ID", MOVES),
        *odd("POST", f"{TOKENS}/ID/complete", COMPLETES),
        *odd("POST", BY_KEY, KEYS),
        *odd("PUT", ENDPOINT, ENDPOINTS),
        *odd("PUT", "/api/v1/endpoints/No%20Name", [{"key": "body.id", "verify": "none"}]),
        *odd("POST", f"{ENDPOINT}/test", [{"body": 1}]),
        *odd("POST", PUBLIC, PUBLIC_TOKENS),
        *odd("POST", PUBLIC, SCOPES),
        *odd("POST", "/api/v1/auth/jwt", [{"claims": claims} for claims in SCOPES]),
        *[pytest.param("GET", f"{TOKENS}?{query}", None, id=query) for query in QUERIES],
        *odd("GET", "/api/v1/endpoints?page[size]=0", [None]),
        *odd("GET", f"{TOKENS}/none", [None]),
        *odd("GET", "/api/v1/packets/none/none.json", [None]),
        *odd("DELETE", TOKENS, [None]),
    ],
)
def test_an_odd_request_is_answered_as_the_handlers_do(both: Both, method: str, path: str, body: Any) -> None:
    both.send(method, path, body)


@pytest.mark.parametrize("members", APPROVALS, ids=lambda it: json.dumps(it)[:60])
def test_a_page_with_approvers_is_read_as_the_handlers_do(both: Both, members: dict[str, Any]) -> None:
    if shown := both.create({"page": members}):
        ours = show.as_value(shown[0])
        assert all(ours.get(name) == shown[1].get(name) for name in ("page", "needs", "answers", "requestedBy"))
        assert ours.get("approvers", []) == shown[1].get("approvers", [])
        links = [[(it["approver"], it["url"].partition("?")[2]) for it in found.get("links", ())] for found in (ours, shown[1])]
        assert links[0] == links[1]


@pytest.mark.parametrize("second", [OPEN, {**OPEN, "title": "Stop?"}, {"approvers": ["ann"]}], ids=["same", "title", "open"])
@pytest.mark.parametrize("first", [OPEN, {"approvers": ["ann"]}], ids=["sign-in", "links"])
def test_a_key_that_another_page_holds_is_answered_as_the_handlers_do(both: Both, first: Any, second: Any) -> None:
    answers = [both.send("POST", TOKENS, {"idempotencyKey": "k", "page": {"title": "Go?", **page}}) for page in (first, second)]
    assert [ours["isCached"] == theirs["isCached"] for ours, theirs in filter(None, answers)] in ([True], [True, True])


def test_who_asks_makes_no_other_page_of_it_as_for_the_handlers(both: Both) -> None:
    people: list[Any] = ["ann@example.com", {"id": "bo", "email": "bo@example.com"}]
    page = {"title": "Go?", "signIn": True, "requestedBy": "dee", "escalate": {"after": "1d", "to": ["dee", "lea@example.com"]}}
    both.create({"idempotencyKey": "k", "page": {**page, "approvers": people}})
    later = {"after": "1d", "to": ["lea@example.com"]}
    for approvers in ([*people, "dee"], people):
        again = both.create({"idempotencyKey": "k", "page": {**page, "approvers": approvers, "escalate": later}})
        assert again is not None


HAND_OVERS: list[Any] = [
    None,
    [],
    {},
    {"ad": ["x"]},
    {"add": []},
    {"add": [1]},
    {"add": [{"id": "x", "slack": "@x"}]},
    {"add": ["x", "X"]},
    {"remove": []},
    {"remove": "ann"},
    {"remove": [""]},
    {"remove": ["zed"]},
    {"remove": ["ANN", "ann"]},
    {"remove": ["ann", "bo@example.com"]},
    {"remove": ["lea"]},
    {"add": ["ann"], "remove": ["ann"]},
    {"add": ["Cy"]},
    {"add": ["cy", "ed"]},
    {"add": [{"id": "x", "email": "Bo@Example.com"}]},
    {"add": ["de\u200be"]},
    {"add": [f"p{number}" for number in range(16)]},
    {"add": [f"p{number}" for number in range(17)]},
    {"add": ["ed@example.com"], "remove": ["ann"]},
]


SIGNED_HAND_OVERS: list[Any] = [
    {"add": ["ed"]},
    {"add": [{"id": "ed", "subject": "ed-1"}]},
    {"add": [{"id": "ed", "subject": "é"}]},
    {"add": [{"id": "ed", "email": "jörg@example.com"}]},
]


@pytest.mark.parametrize("rule", [{}, {"signIn": True}, OPEN], ids=["plain", "approvers", "domains"])
@pytest.mark.parametrize("approvers", SIGNED_HAND_OVERS, ids=lambda it: json.dumps(it)[:60])
def test_a_hand_over_between_people_who_sign_in_is_read_as_the_handlers_do(both: Both, rule: Any, approvers: Any) -> None:
    page: Any = {"title": "Go?", **({} if rule is OPEN else {"approvers": ["ann@example.com"]}), **rule}
    answer = both.api.request("PATCH", f"{TOKENS}/{both.api.create(page=page)['id']}", {"approvers": approvers})
    url = f"{both.fake.url}{TOKENS}/{both.fake.client().create(page=page).id}"
    headers = {"authorization": f"Bearer {both.fake.api_key}"}
    given = both.fake.handle_request(httpx.Request("PATCH", url, json={"approvers": approvers}, headers=headers))
    assert (given.status_code, given.json().get("error")) == (answer.status, answer.json.get("error"))


@pytest.mark.parametrize("notify", [None, {"email": True}], ids=["plain", "notify"])
@pytest.mark.parametrize("approvers", HAND_OVERS, ids=lambda it: json.dumps(it)[:60])
def test_a_hand_over_is_read_as_the_handlers_do(both: Both, world: InMemory, approvers: Any, notify: Any) -> None:
    world.channels.add("email")
    people = [{"id": "ann", "email": "ann@example.com"}, "bo@example.com", {"id": "cy", "email": "c@example.com"}]
    page: Any = {
        "title": "Go?",
        "approvers": people,
        "requestedBy": "dee",
        "actions": [{"id": "yes", "label": "Yes", "needs": 2}, {"id": "no", "label": "No"}],
        "escalate": {"after": "1d", "to": [{"id": "lea", "email": "lea@example.com"}]},
    }
    theirs = both.api.create(page=page, **({"notify": notify} if notify else {}))
    made = both.fake.client().create(page=page, notify=notify)
    for _ in range(2):
        answer = both.api.request("PATCH", f"{TOKENS}/{theirs['id']}", {"approvers": approvers})
        url, headers = f"{both.fake.url}{TOKENS}/{made.id}", {"authorization": f"Bearer {both.fake.api_key}"}
        given = both.fake.handle_request(httpx.Request("PATCH", url, json={"approvers": approvers}, headers=headers))
        assert (given.status_code, given.json().get("error")) == (answer.status, answer.json.get("error"))
    found, shown = both.api.retrieve(theirs["id"]), both.fake.client().get(made)
    assert [it["id"] for it in found["approvers"]] == [it.id for it in shown.approvers]
    assert [(it["added"], it["removed"]) for it in found.get("handOvers", [])] == [
        ([*it.added], [*it.removed]) for it in shown.hand_overs
    ]
    assert ("escalation" in found) is (shown.escalation is not None)


@pytest.mark.parametrize("wanted", NOTIFIES, ids=lambda it: json.dumps(it)[:60])
def test_notify_is_read_as_the_handlers_do(both: Both, world: InMemory, wanted: dict[str, Any]) -> None:
    """The fake has every channel, and each secret that one names."""
    world.channels.update(("email", "slack", "teams"))
    world.channel_secrets |= dict.fromkeys(("TEAMS", "TEAMSa-b_1"), FakeSecret("https://example.com/workflow"))
    world.channel_secrets["SLACK_BOT_TOKEN"] = FakeSecret("xoxb-1")
    if shown := both.create(wanted):
        ours, theirs = shown
        assert (ours.notices, theirs["notices"]) == ((), [])
        assert ours.notify
        assert json.loads(ours.notify.model_dump_json(exclude_defaults=True)) == wanted["notify"]


@pytest.mark.parametrize("wanted", REMINDERS, ids=lambda it: json.dumps(it)[:60])
def test_reminders_are_read_as_the_handlers_do(both: Both, wanted: dict[str, Any]) -> None:
    if shown := both.create(wanted):
        ours, theirs = shown
        assert ours.reminders
        assert theirs["reminders"].keys() == {"count", "nextAt"}
        assert (ours.reminders.count, ours.reminders.last_at) == (theirs["reminders"]["count"], None) == (0, None)
        first = datetime.fromisoformat(theirs["reminders"]["nextAt"]) - datetime.fromisoformat(theirs["createdAt"])
        assert ours.reminders.next_at
        assert ours.reminders.next_at - ours.created_at == first


@pytest.mark.parametrize("timeout", [None, "8h", "30h"])
@pytest.mark.parametrize("remind", [["4h"], ["1h", "5h", "30h"], "every 7h"], ids=str)
@pytest.mark.parametrize("hours", [0, 4.5, 8, 30, 1_000])
def test_reminders_are_counted_as_the_stack_sends_them(remind: Any, timeout: str | None, hours: float) -> None:
    fake = FakeWaitpoints()
    page: Any = {"title": "Go?", "remind": remind}
    made = fake.client().create(page=page, timeout=timeout)
    fake.advance(timedelta(hours=hours))
    shown = fake.client().get(made)
    created_at = round(shown.created_at.timestamp() * 1000)
    timeout_at = round(shown.timeout_at.timestamp() * 1000) if shown.timeout_at else None
    stored = StoredToken(id=made.id, created_at=created_at, timeout_at=timeout_at, page=json.dumps(page))
    now = created_at + hours * 3_600_000
    while (due := reminders.next_due_at(stored)) is not None and due <= now and due != timeout_at:
        asked = reminders.remind(stored, due)
        assert asked
        stored = asked

    assert shown.reminders
    assert shown.reminders.count == stored.reminded_count
    sent = [round(it.timestamp() * 1000) if it else None for it in (shown.reminders.last_at, shown.reminders.next_at)]
    assert sent == [stored.reminded_at, reminders.next_reminder(stored) if shown.status == "WAITING" else None]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda it: str(it)[:60])
@pytest.mark.parametrize("route", ["link", "url", "complete"])
def test_a_choice_is_answered_as_the_handlers_do(api: Api, choice: Any, route: str) -> None:
    fake = FakeWaitpoints()
    page: Any = {"title": "Go?", "approvers": ["ann", "bo"], "actions": [{"id": "approve", "label": "A"}]}
    theirs, ours = api.create(page=page), fake.client().create(page=page)
    if route == "complete":
        data = b'{"data": ' + (json.dumps(choice).encode() if not isinstance(choice, bytes) else b'"text"') + b"}"
        answer = api.post(f"{TOKENS}/{theirs['id']}/complete", data)
        url, headers = f"{fake.url}{TOKENS}/{ours.id}/complete", {"authorization": f"Bearer {fake.api_key}"}
        given = fake.handle_request(httpx.Request("POST", url, content=data, headers=headers))
    else:
        body = choice if isinstance(choice, bytes) else json.dumps(choice).encode()
        answer = api.post(theirs["links"][0]["url"] if route == "link" else theirs["url"], body)
        given = fake.deliver(ours.links[0].url if route == "link" else ours.url, body)

    assert (given.status_code, given.json()) == (answer.status, answer.json)
    found = api.retrieve(theirs["id"])
    shown = fake.client().get(ours)
    assert (shown.status, len(shown.answers)) == (found["status"], len(found["answers"]))


@pytest.mark.parametrize("length", [3_020, 3_072, 3_100])
def test_an_answer_is_as_long_as_the_handlers_take(api: Api, length: int) -> None:
    fake = FakeWaitpoints(ignore_rules=True)
    fields = {"type": "object", "properties": {"note": {"type": "string"}}}
    page: Any = {"title": "Go?", "approvers": ["ann"], "fields": fields}
    body = f'{{"action": "submit", "fields": {{"note":"{"ü" * ((length - 41) // 2)}"}}}}'.encode()
    theirs = api.post(api.create(page=page)["links"][0]["url"], body)
    ours = fake.deliver(fake.client().create(page=page).links[0].url, body)

    assert (ours.status_code, ours.json()) == (theirs.status, theirs.json)


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "wrong"])
def test_a_wrong_credential_is_refused_as_the_handlers_do(api: Api, authorization: str | None) -> None:
    fake = FakeWaitpoints()
    headers = {} if authorization is None else {"authorization": authorization}
    theirs = api.get(TOKENS, headers)
    ours = fake.handle_request(httpx.Request("GET", fake.url + TOKENS, headers=headers))

    assert (ours.status_code, ours.json()) == (theirs.status, theirs.json)
