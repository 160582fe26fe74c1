"""Who may be told of a page, and why a create is refused that would leave somebody out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import sign_in
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.errors import InvalidNotify
from waitpoints.wiring import services

PAGE = {"title": "Deploy?"}
ANN = {"id": "ann", "name": "Ann Lee", "email": "ann@example.com", "slack": "U024BE7LH"}
BO = {"id": "bo", "email": "bo@example.com"}
CY = {"id": "cy", "name": "Cy Young", "slack": "W024BE7LH"}
DEE = "dee"
EVE = {"id": "eve", "name": "Eve", "email": "eve@evil.example", "slack": "U024BE7LX"}
WORKFLOW = "https://prod-01.westeurope.logic.azure.com:443/workflows/0123/triggers/manual/paths/invoke?sig=hidden"
EMAIL = "expected an e-mail address of at most 254 characters, and nothing else"
LIST = "expected true, or a list of 1 to 20 e-mail addresses"
CHANNEL = "expected the name of a channel, such as #deploys (up to 80 lowercase letters, digits, - and _), or its id"
SECRET = "expected the name of a secret that begins with TEAMS: up to 64 letters, digits, hyphens or underscores"
NO_CHANNELS: list[Any] = [
    *(None, 7, "", "#", "deploys", "#Deploys", "#a b", "#a.b", "#" + "x" * 81, "@ann", "#a\n", ["#deploys"]),
    *("<!channel>", "#<!here>", "U024BE7LH", "D024BE91L", "c024be91l", "C", "CÄÖÜ", "C" + "0" * 21),
]
NO_ONE = "it reaches no one: it needs page.approvers, or notify.email"
ASCII = "mail goes to addresses in ASCII only, without encoded words. Write a domain in Punycode"


class CountedSecret(FakeSecret):
    reads = 0

    def read_current(self) -> str:
        self.reads += 1
        return super().read_current()


@pytest.fixture
def world(world: World) -> World:
    """A stack with every channel, and its secrets."""
    world.channels.update(("email", "slack", "teams"))
    world.channel_secrets |= {"SLACK_BOT_TOKEN": CountedSecret("xoxb-hidden"), "TEAMS_DEPLOYS": CountedSecret(WORKFLOW)}
    return world


def page(*approvers: Any, later: Any = None) -> dict[str, Any]:
    """A page that these people answer, and later another one, too."""
    people = {"approvers": list(approvers)} if approvers else {}
    return {**PAGE, **people, **({"escalate": {"after": "1d", "to": [later]}} if later else {})}


def refusal(api: Api, world: World, notify: Any, asked: Any = PAGE) -> str:
    answer = is_refused(world, lambda: api.post(TOKENS, json.dumps({"page": asked, "notify": notify})), 422)
    assert "hidden" not in answer.text
    return answer.error.removeprefix("Invalid ")


class TestWhatIsAccepted:
    @pytest.mark.parametrize(
        ("notify", "approvers"),
        [
            ({"email": ["ann@example.com", "bo@example.com"]}, []),
            ({"email": [f"{number}@example.com" for number in range(20)]}, []),
            ({"slack": "#deploys"}, []),
            ({"teams": "TEAMS_DEPLOYS"}, []),
            ({"email": ["ann@example.com"], "slack": "C024BE91L", "teams": "TEAMS_DEPLOYS"}, []),
            ({"email": True}, [ANN, BO, "ed@example.com"]),
            ({"slack": "#deploys"}, [ANN, CY]),
            ({"email": True, "slack": "G024BE91L"}, [ANN, BO, CY]),
            ({"email": True, "teams": "TEAMS_DEPLOYS"}, [ANN, BO]),
            ({"email": ["ann@example.com"], "outcome": True}, []),
            ({"slack": "#deploys", "outcome": True}, [ANN]),
        ],
        ids=str,
    )
    def test_is_kept_beside_the_page_and_shown(
        self, api: Api, world: World, notify: dict[str, Any], approvers: list[Any]
    ) -> None:
        created = api.create(page=page(*approvers), notify=notify)
        token = world.store.get(created["id"])
        assert (token.has_notify, json.loads(token.notify or "")) == (True, notify)
        shown = api.retrieve(created["id"])
        assert (shown["notify"], shown["notices"]) == (notify, [])

    @pytest.mark.parametrize("channel", ["#a", "#1-2_3", "#" + "x" * 80, "#größe", "#東京", "C024BE91L", "C0123ABCDEF"])
    def test_is_a_channel_of_slack(self, api: Api, channel: str) -> None:
        created = api.create(page=PAGE, notify={"slack": channel})
        assert api.retrieve(created["id"])["notify"] == {"slack": channel}

    def test_no_outcome_is_as_none_said(self, api: Api) -> None:
        created = api.create(page=PAGE, notify={"slack": "#deploys", "outcome": False})
        assert api.retrieve(created["id"])["notify"] == {"slack": "#deploys"}

    @pytest.mark.parametrize("requester", ["dee", "größe@example.com"])
    def test_who_asked_need_not_be_reached_without_mail_or_outcome(self, api: Api, requester: str) -> None:
        asked = {**page(ANN), "requestedBy": requester}
        assert api.create(page=asked, notify={"slack": "#deploys", "outcome": True})
        assert api.create(page=asked, notify={"email": True})

    def test_a_token_without_it_shows_nothing_of_it(self, api: Api, world: World) -> None:
        created = api.create(page=PAGE)
        assert world.store.get(created["id"]).has_notify is False
        assert {"notify", "notices"}.isdisjoint(api.retrieve(created["id"]))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("notify", "said"),
        [
            ({}, "notify: expected at least one of email, slack, teams"),
            ({"outcome": True}, "notify: expected at least one of email, slack, teams"),
            ({"slack": "#deploys", "outcome": 1}, "notify.outcome: expected true or false"),
            ({"slack": "#deploys", "teams": "TEAMS_DEPLOYS", "outcome": True}, f"notify.outcome: {NO_ONE}"),
            ({"mail": True}, 'notify: unknown field "mail": did you mean "email"?'),
            ({"sms": 1}, 'notify: unknown field "sms": expected one of email, slack, teams, outcome'),
            ({"\ud800": 1}, 'notify: unknown field "\ufffd": expected one of email, slack, teams, outcome'),
            ({"slack": "#deploys", "email": None}, f"notify.email: {LIST}"),
            ({"email": False}, f"notify.email: {LIST}"),
            ({"email": "ann@example.com"}, f"notify.email: {LIST}"),
            ({"email": []}, f"notify.email: {LIST}"),
            ({"email": [f"{number}@example.com" for number in range(21)]}, f"notify.email: {LIST}"),
            ({"email": ["ann@example.com", "bo"]}, f"notify.email[1]: {EMAIL}"),
            ({"email": [7]}, f"notify.email[0]: {EMAIL}"),
            ({"email": ["ann@example.com\r\nBcc: bo@example.com"]}, f"notify.email[0]: {EMAIL}"),
            ({"email": ["ann\u2028@example.com"]}, f"notify.email[0]: {EMAIL}"),
            ({"email": ["ann\ud800@example.com"]}, f"notify.email[0]: {EMAIL}"),
            ({"email": ["größe@example.com"]}, f"notify.email[0]: {ASCII}"),
            ({"email": ["ann@größe.example.com"]}, f"notify.email[0]: {ASCII}"),
            ({"email": ["=?utf-8?q?x=40y.zz?=a@b.co"]}, f"notify.email[0]: {ASCII}"),
            (
                {"email": ["a@example.com", "ann@example.com", "Ann@Example.com"]},
                "notify.email[2]: notify.email[1] is the same address",
            ),
            *(({"slack": channel}, f"notify.slack: {CHANNEL}, such as C024BE91L") for channel in NO_CHANNELS),
            *(
                ({"teams": name}, f"notify.teams: {SECRET}")
                for name in [None, 7, "", "TEAMS/b", "TEAMS b", "TEAMS\n", "TEAMS".ljust(65, "x"), "A_TEAMS", WORKFLOW]
            ),
            ({"email": True}, "notify.email: without page.approvers, expected a list of e-mail addresses"),
        ],
        ids=str,
    )
    def test_is_named(self, api: Api, world: World, notify: Any, said: str) -> None:
        assert refusal(api, world, notify) == said

    @pytest.mark.parametrize(
        ("approvers", "later", "notify", "said"),
        [
            ([ANN], None, {"email": ["ann@example.com"]}, "notify.email: with page.approvers, expected true"),
            ([ANN], None, {"teams": "TEAMS_DEPLOYS"}, "notify: with page.approvers, it needs email or slack, too"),
            ([ANN, CY], None, {"email": True}, "notify: it does not reach Cy Young: each approver needs an email"),
            ([ANN, BO, DEE], None, {"slack": "#a"}, "notify: it does not reach bo, dee: each approver needs a slack id"),
            ([ANN], DEE, {"email": True}, "notify: it does not reach dee: each approver needs an email"),
            (
                [ANN, BO, CY],
                DEE,
                {"email": True, "slack": "#a"},
                "notify: it does not reach dee: each approver needs an email or a slack id",
            ),
            (
                [ANN, {"id": "x", "name": "Größe", "email": "größe@example.com"}],
                None,
                {"email": True},
                f"notify.email: it does not reach Größe: {ASCII}",
            ),
        ],
        ids=str,
    )
    def test_leaves_out_somebody_who_is_asked(
        self, api: Api, world: World, approvers: list[Any], later: Any, notify: Any, said: str
    ) -> None:
        found = refusal(api, world, notify, page(*approvers, later=later))
        assert found.partition(": each of them")[0].partition(": Teams")[0] == said

    def test_leaves_out_who_asked(self, api: Api, world: World) -> None:
        asked = {**page(ANN), "requestedBy": "größe@example.com"}
        said = f"notify.outcome: it does not reach page.requestedBy, größe@example.com: {ASCII}"
        assert refusal(api, world, {"email": True, "outcome": True}, asked) == said

    def test_names_everybody_whom_it_does_not_reach_in_few_words(self, api: Api, world: World) -> None:
        people = [{"id": str(number), "name": f"{number} " + "x" * 97} for number in range(10, 30)]
        found = refusal(api, world, {"email": True}, page(*people))
        assert all(f"{number} x" in found for number in range(10, 30))
        assert len(found) < 1500

    @pytest.mark.parametrize("beside", [{}, {"payloadSchema": {}}, {"verify": {"scheme": "github", "secret": "github"}}])
    def test_comes_without_a_page(self, api: Api, world: World, github: Any, beside: dict[str, Any]) -> None:
        said = "Invalid notify: it needs a page: people are notified that it waits for their answer"
        is_refused(world, lambda: api.post(TOKENS, {"notify": {"slack": "#deploys"}, **beside}), 422, said)

    def test_fails_a_state_with_an_error_of_its_own(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        with pytest.raises(InvalidNotify, match=r"without page\.approvers"):
            Template.load().functions()["create_token_in_state"].call({"page": PAGE, "notify": {"email": True}})


class TestMailDomains:
    """The parameter `MailDomains`: where mails may go."""

    ONLY = "this stack sends mail only to example.com, .example.org"

    @pytest.fixture(autouse=True)
    def domains(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("MAIL_DOMAINS", "Example.com, .example.org")
        vars(services).pop("mail_domains", None)
        yield
        vars(services).pop("mail_domains", None)

    @pytest.mark.parametrize(
        ("notify", "asked"),
        [
            ({"email": ["ann@EXAMPLE.com", "ann@mail.example.org"]}, PAGE),
            ({"email": True}, page(ANN, BO, later={"id": "cy", "email": "cy@mail.example.org"})),
            ({"slack": "#deploys"}, page(EVE)),
            ({"email": True, "slack": "#deploys"}, page(ANN, CY)),
        ],
        ids=str,
    )
    def test_accepts_what_is_within(self, api: Api, world: World, notify: Any, asked: Any) -> None:
        assert api.create(page=asked, notify=notify)["isCached"] is False

    @pytest.mark.parametrize(
        ("notify", "asked", "place"),
        [
            ({"email": ["ann@example.com", "eve@evil.example"]}, PAGE, "notify.email[1]: "),
            ({"email": ["ann@mail.example.com"]}, PAGE, "notify.email[0]: "),
            ({"email": ["ann@example.org"]}, PAGE, "notify.email[0]: "),
            ({"email": True}, page(ANN, EVE), "notify.email: it does not reach Eve: "),
            ({"email": True}, page(ANN, later=EVE), "notify.email: it does not reach Eve: "),
            ({"email": True}, page(ANN, "eve@evil.example"), "notify.email: it does not reach eve@evil.example: "),
            ({"email": True, "slack": "#deploys"}, page(ANN, EVE), "notify.email: it does not reach Eve: "),
        ],
        ids=str,
    )
    def test_refuses_others_and_names_what_it_accepts(
        self, api: Api, world: World, notify: Any, asked: Any, place: str
    ) -> None:
        assert refusal(api, world, notify, asked) == f"{place}{self.ONLY}"

    def test_hold_for_who_asked_if_they_get_the_outcome(self, api: Api, world: World) -> None:
        notify, asked = {"email": True, "outcome": True}, {**page(ANN), "requestedBy": "dee@mail.example.org"}
        assert api.create(page=asked, notify=notify)
        assert api.create(page={**asked, "requestedBy": "eve@evil.example"}, notify={"email": True})
        for token_id in world.store.tokens:
            world.store.remove(token_id)
        said = f"notify.outcome: it does not reach page.requestedBy, eve@evil.example: {self.ONLY}"
        assert refusal(api, world, notify, {**asked, "requestedBy": "eve@evil.example"}) == said


ASKED = {**PAGE, "signIn": {"domains": ["example.com"]}, "requestedBy": "dee@mail.example.org"}


class TestWhoAsksPeopleOfADomain:
    """Nobody is named, but who asked: they can be mailed how it ends."""

    @pytest.fixture
    def api(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Api:
        return sign_in.install(world, "https://issuer.example.com", monkeypatch).api

    @pytest.mark.parametrize(
        "notify", [{"email": True, "outcome": True}, {"email": True, "slack": "#a", "outcome": True}, {"email": ["a@b.cd"]}]
    )
    def test_may_be_mailed_the_outcome(self, api: Api, notify: dict[str, Any]) -> None:
        assert api.retrieve(api.create(page=ASKED, notify=notify)["id"])["notify"] == notify

    @pytest.mark.parametrize(
        ("notify", "more", "said"),
        [
            ({"email": True}, {}, "notify.email: without page.approvers, expected a list of e-mail addresses"),
            ({"slack": "#a", "outcome": True}, {}, f"notify.outcome: {NO_ONE}"),
            (
                {"email": True, "outcome": True},
                {"requestedBy": "größe@example.com"},
                f"notify.outcome: it does not reach page.requestedBy, größe@example.com: {ASCII}",
            ),
        ],
        ids=str,
    )
    def test_must_be_reachable(self, api: Api, world: World, notify: dict[str, Any], more: dict[str, Any], said: str) -> None:
        assert refusal(api, world, notify, {**ASKED, **more}) == said

    @pytest.mark.parametrize("email", [True, ["ann@example.com"]])
    def test_must_be_of_the_domains_to_which_the_stack_sends_mail(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch, email: Any
    ) -> None:
        monkeypatch.setitem(vars(services), "mail_domains", ("example.com",))
        said = "notify.outcome: it does not reach page.requestedBy, dee@mail.example.org: "
        found = refusal(api, world, {"email": email, "outcome": True}, ASKED)
        assert found == f"{said}this stack sends mail only to example.com"


def reads(world: World) -> list[int]:
    return [secret.reads for secret in world.channel_secrets.values() if isinstance(secret, CountedSecret)]


class TestAStack:
    @pytest.mark.parametrize(
        ("channel", "to", "parameter"),
        [("email", ["ann@example.com"], "MailFrom"), ("slack", "#a", "Slack=on"), ("teams", "TEAMS_DEPLOYS", "Teams=on")],
    )
    def test_without_the_channel_says_which_parameter_it_needs(
        self, api: Api, world: World, channel: str, to: Any, parameter: str
    ) -> None:
        world.channels.discard(channel)
        world.channel_secrets.clear()
        said = f"notify.{channel}: this stack was deployed without the parameter {parameter}"
        assert refusal(api, world, {channel: to}) == said

    @pytest.mark.parametrize(("channel", "to", "name"), [("slack", "#a", "SLACK_BOT_TOKEN"), ("teams", "TEAMS_1", "TEAMS_1")])
    def test_without_the_secret_says_its_full_name(self, api: Api, world: World, channel: str, to: str, name: str) -> None:
        world.channel_secrets.clear()
        said = f'notify.{channel}: Secrets Manager has no secret "channels/{name}"; store it: waitpoints secrets put {name}'
        assert refusal(api, world, {channel: to}) == said

    def test_that_cannot_look_for_the_secret_now_answers_503(self, api: Api, world: World) -> None:
        world.channel_secrets["SLACK_BOT_TOKEN"] = MissingSecret("InternalServiceError")
        is_refused(world, lambda: api.post(TOKENS, {"page": PAGE, "notify": {"slack": "#a"}}), 503)

    @pytest.mark.parametrize(
        ("notify", "asked"),
        [
            ({"slack": "#a", "teams": "TEAMS_DEPLOYS"}, PAGE),
            ({"email": True}, page(BO)),
            ({"slack": "#a"}, page(DEE)),
            ({"slack": "a"}, PAGE),
        ],
        ids=str,
    )
    def test_reads_no_secret_whether_it_accepts_or_refuses(self, api: Api, world: World, notify: Any, asked: Any) -> None:
        api.post(TOKENS, {"page": asked, "notify": notify})
        assert reads(world) == [0, 0]

    @pytest.mark.parametrize(
        ("variables", "channels"),
        [
            ({}, set()),
            ({"MAIL_FROM": "", "SLACK": "", "TEAMS": ""}, set()),
            ({"SLACK": "off", "TEAMS": "off"}, set()),
            ({"MAIL_FROM": "Deploys <deploys@example.com>"}, {"email"}),
            ({"SLACK": "on", "TEAMS": "on"}, {"slack", "teams"}),
        ],
    )
    def test_has_the_channels_that_its_environment_names(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], channels: set[str]
    ) -> None:
        for name in ("MAIL_FROM", "SLACK", "TEAMS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert type(services)().channels == channels
