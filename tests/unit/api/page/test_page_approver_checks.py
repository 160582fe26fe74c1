"""Which people a page may name, and what is said of those that it may not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.approval_page import BROWSER
from tests.support.in_process.template import Template
from waitpoints.api.page import words
from waitpoints.api.page.approver_checks import check_decidable
from waitpoints.api.page.page_checks import parse
from waitpoints.approvers import Approval, Approver
from waitpoints.errors import InvalidPage
from waitpoints.timers.reminders import plan_of

BO = {"id": "bo"}
CONTROLS = "control characters and halves of surrogate pairs are not accepted"
ID = "expected a text of 1 to 128 characters"
EMAIL = "expected an e-mail address of at most 254 characters, and nothing else"
SLACK = "expected a member id, such as U024BE7LH, not a name"
LANGUAGE = "expected one of en, de, fr, es, ja, zh"
OUTER = "line breaks, tabs and outer spaces are not accepted"
TWICE = "has the same id, e-mail address or Slack id"
AFTER = 'expected a duration from the create, such as "4h" or "1d" (w, d, h, m, s), of at most 36500d'
FIELDS = {"properties": {"amount": {"type": "number"}, "note": {"type": "string"}}}
SIGNS_IN = "with signIn, each needs an email in ASCII, or a subject"
SAME = "expected a list of names of fields, or true for all"
SEEN = "it needs page.showAnswers: people must see the values that they have to enter"


def approval(**members: Any) -> Approval:
    found = parse({"title": "Go?", **members})[0].approval
    assert found
    return found


def refusal(**members: Any) -> str:
    with pytest.raises(InvalidPage) as refused:
        parse({"title": "Go?", **members}, ("https://issuer.example.com", "waitpoints"))
    return refused.value.message.removeprefix("Invalid ")


PERSONS: list[tuple[Any, str, str]] = [
    ("", "", ID),
    ("x" * 129, "", ID),
    (1, "", "expected an object"),
    (None, "", "expected an object"),
    (" ", "", "expected more than white space"),
    ("a\x00", "", CONTROLS),
    ("a\x85", "", CONTROLS),
    ("\ud800", "", CONTROLS),
    ("a\nb", "", OUTER),
    ("a\tb", "", OUTER),
    (" ann", "", OUTER),
    ("ann ", "", OUTER),
    ("ann\u3000", "", OUTER),
    ({}, ".id", ID),
    ({"id": 1}, ".id", ID),
    ({"id": "a\r"}, ".id", OUTER),
    ({"id": "a", "name": ""}, ".name", "expected a text of 1 to 100 characters"),
    ({"id": "a", "name": "x" * 101}, ".name", "expected a text of 1 to 100 characters"),
    ({"id": "a", "name": None}, ".name", "expected a text of 1 to 100 characters"),
    ({"id": "a", "name": "\x1b"}, ".name", CONTROLS),
    ({"id": "a", "email": "ann"}, ".email", EMAIL),
    ({"id": "a", "email": None}, ".email", EMAIL),
    ({"id": "a", "email": "Ann <a@example.com>"}, ".email", EMAIL),
    ({"id": "a", "email": "a@example.com\nBcc: b@example.com"}, ".email", EMAIL),
    ({"id": "a", "email": "a@example.com, b@example.com"}, ".email", EMAIL),
    ({"id": "a", "email": "a@localhost"}, ".email", EMAIL),
    ({"id": "a", "email": "a@example..com"}, ".email", EMAIL),
    ({"id": "a", "email": "x" * 250 + "@a.bc"}, ".email", EMAIL),
    ({"id": "a", "slack": "ann"}, ".slack", SLACK),
    ({"id": "a", "slack": "@U024BE7LH"}, ".slack", SLACK),
    ({"id": "a", "slack": "u024be7lh"}, ".slack", SLACK),
    ({"id": "a", "slack": None}, ".slack", SLACK),
    ({"id": "a", "language": "it"}, ".language", LANGUAGE),
    ({"id": "a", "language": "DE"}, ".language", LANGUAGE),
    ({"id": "a", "language": "de-CH"}, ".language", LANGUAGE),
    ({"id": "a", "language": ""}, ".language", LANGUAGE),
    ({"id": "a", "language": None}, ".language", LANGUAGE),
    ({"id": "a", "language": ["de"]}, ".language", LANGUAGE),
    ({"id": "a", "emial": "a@example.com"}, "", 'unknown field "emial": did you mean "email"?'),
]

NO_PEOPLE: list[Any] = [[], None, {}, "ann", ["a"] * 21]
ASKED: dict[str, Any] = {"approvers": ["ann", "bo"]}
SIGNED: dict[str, Any] = {"approvers": ["ann@example.com", {"id": "bo", "subject": "bo"}], "signIn": True}
OPEN: dict[str, Any] = {"signIn": {"domains": ["example.com"]}}
LATER: dict[str, Any] = {"after": "1d", "to": ["lea"]}


def needs(*numbers: Any) -> dict[str, Any]:
    return {"actions": [{"id": str(at), "label": "A", "needs": number} for at, number in enumerate(numbers)]}


def undecided(people: int, least: int, who: str = "approvers") -> str:
    """What is said where so many people could answer and nothing be decided."""
    return (
        f"actions: all {people} {who} could answer and nothing be decided: needs minus 1, summed over all actions, is "
        f"{least - 1} and must be at most {people - 1}. Ask at least {least} approvers, or need fewer"
    )


REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({**ASKED, **members}, f"{place}: expected a list of 1 to 20 items")
        for given in NO_PEOPLE
        for members, place in (({"approvers": given}, "approvers"), ({"escalate": {**LATER, "to": given}}, "escalate.to"))
    ),
    *(
        ({**ASKED, "requestedBy": given}, f"requestedBy: {said}")
        for given, said in (("", ID), (None, ID), (1, ID), ("x" * 129, ID), ("a\nb", OUTER), ("\ud800", CONTROLS))
    ),
    *(
        ({**ASKED, "requestedBy": "ann", "selfApproval": given}, "selfApproval: expected true or false")
        for given in ("true", None, 1)
    ),
    *(({**ASKED, "selfApproval": given}, "selfApproval: it needs page.requestedBy") for given in (True, False)),
    *(
        ({**ASKED, "escalate": {**LATER, "after": after}}, f"escalate.after: {AFTER}")
        for after in (None, 1, "", "soon", "0s", "-1d", "2030-01-01T00:00:00Z")
    ),
    *(({**ASKED, "escalate": given}, "escalate: expected an object") for given in (None, *NO_PEOPLE[:1], "lea")),
    *(
        (member, f"{next(iter(member))}: it needs page.approvers")
        for member in (
            {"requestedBy": "ann"},
            {"selfApproval": True},
            {"escalate": LATER},
            {"showAnswers": True},
            {"sameFields": True},
            {"escalate": LATER, **OPEN},
        )
    ),
    (needs(1), "actions[0].needs: it needs page.approvers"),
    *(({**ASKED, "fields": FIELDS, "sameFields": given}, f"sameFields: {SAME}") for given in (False, None, "amount")),
    ({**ASKED, "fields": FIELDS, "sameFields": []}, "sameFields: expected a list of 1 to 30 items"),
    ({**ASKED, "fields": FIELDS, "sameFields": [1]}, "sameFields[0]: expected the name of a field"),
    (
        {**ASKED, "fields": FIELDS, "sameFields": ["amont"]},
        'sameFields: unknown field "amont": did you mean "amount"?',
    ),
    ({**ASKED, "fields": FIELDS, "sameFields": ["x"]}, 'sameFields: unknown field "x": expected one of amount, note'),
    ({**ASKED, "fields": FIELDS, "sameFields": ["note", "amount", "note"]}, "sameFields: the same name twice"),
    ({**ASKED, "sameFields": True}, "sameFields: it needs page.fields"),
    ({**ASKED, "fields": FIELDS, "sameFields": True, "showAnswers": False}, f"sameFields: {SEEN}"),
    *(({**ASKED, "showAnswers": given}, "showAnswers: expected true or false") for given in (None, 0)),
    *(
        ({**ASKED, **needs(given)}, "actions[0].needs: expected a whole number of 1 to 2, the number of approvers")
        for given in (0, -1, 3, 1.0, 1.5, "2", None, True)
    ),
    ({"approvers": ["ann", "bo", "cy"], **needs(3, 2)}, undecided(3, 4)),
    ({**ASKED, **needs(2, 2), "escalate": LATER}, undecided(2, 3)),
]
REFUSED_WITH_A_SIGN_IN: list[tuple[dict[str, Any], str]] = [
    ({"signIn": True}, 'signIn: without page.approvers, expected {"domains": ["example.com"]}'),
    ({**SIGNED, **OPEN}, "signIn: with page.approvers, expected true"),
    (
        {**SIGNED, "signIn": False},
        'signIn: expected true, or {"domains": ["example.com"]} on a page without approvers',
    ),
    (
        {**SIGNED, "signIn": {"issuer": "https://x.example", "clientId": "x"}},
        'signIn: unknown field "issuer": expected one of domains',
    ),
    ({"signIn": {"domains": []}}, "signIn.domains: expected a list of 1 to 20 items"),
    *(
        (
            {"signIn": {"domains": [given]}},
            "signIn.domains[0]: expected a domain, such as example.com, in Punycode and without a wildcard",
        )
        for given in ("*.example.com", "ann@example.com")
    ),
    ({**OPEN, "requestedBy": "dee"}, "requestedBy: on a page with signIn and without approvers, expected an e-mail address"),
    *(({**OPEN, "maxAge": given}, "maxAge: expected a duration of 1m to 24h") for given in (5, "59s", "25h", "5 minutes")),
    ({"maxAge": "5m"}, "maxAge: it needs page.signIn"),
    (
        {**OPEN, **needs(21)},
        "actions[0].needs: expected a whole number of 1 to 20, the most answers that a page without approvers has",
    ),
    ({**OPEN, **needs(12, 12)}, undecided(20, 23)),
    *(
        (
            {**SIGNED, "approvers": given},
            f"approvers: {who} cannot sign in: {SIGNS_IN}",
        )
        for given, who in (
            (["ann@example.com", "bo", {"id": "cy", "name": "Cy"}], "bo, Cy"),
            (["ann@exämple.com", "bo@example.com"], "ann@exämple.com"),
        )
    ),
    ({"approvers": [{"id": "a", "subject": "a"}]}, "approvers[0].subject: it needs page.signIn"),
    (
        {**ASKED, "escalate": {**LATER, "to": [{"id": "a", "subject": "a"}]}},
        "escalate.to[0].subject: it needs page.signIn",
    ),
    (
        {**SIGNED, "approvers": [{"id": "a", "subject": "ä"}, "bo@example.com"]},
        "approvers[0].subject: expected the claim sub of an ID token: 1 to 255 characters of ASCII",
    ),
]


@pytest.mark.parametrize(("given", "place", "said"), PERSONS, ids=ascii)
def test_a_person_that_is_not_accepted_is_named(given: Any, place: str, said: str) -> None:
    assert refusal(approvers=["one", given]) == f"page.approvers[1]{place}: {said}"
    assert refusal(**ASKED, escalate={**LATER, "to": ["three", given]}) == f"page.escalate.to[1]{place}: {said}"


@pytest.mark.parametrize(("members", "said"), REFUSED, ids=ascii)
def test_what_is_not_accepted_is_named(members: dict[str, Any], said: str) -> None:
    assert refusal(**members) == f"page.{said}"


@pytest.mark.parametrize(("members", "said"), REFUSED_WITH_A_SIGN_IN, ids=ascii)
def test_what_is_not_accepted_with_a_sign_in_is_named(members: dict[str, Any], said: str) -> None:
    assert refusal(**members) == f"page.{said}"


class TestAnApprover:
    def test_is_a_text_or_an_object(self) -> None:
        named = {"id": "ann", "name": "Ann Lee", "email": "ann@example.com", "slack": "U024BE7LH"}
        assert approval(approvers=["bo", "cy@example.com", named, {"id": "ed@example.com"}]).approvers == (
            Approver("bo"),
            Approver("cy@example.com", email="cy@example.com"),
            Approver("ann", "Ann Lee", "ann@example.com", "U024BE7LH"),
            Approver("ed@example.com"),
        )

    @pytest.mark.parametrize("language", list(words.WORDS))
    def test_is_told_in_a_language_that_the_page_speaks(self, api: Api, language: str) -> None:
        person = {"id": "ann", "language": language}
        assert approval(approvers=[person]).approvers == (Approver("ann", language=language),)
        created = api.create(
            page={"title": "Go?", "approvers": [person], "escalate": {"after": "1d", "to": [{**person, **BO}]}}
        )
        shown = api.retrieve(created["id"])
        assert (shown["approvers"], shown["escalation"]["to"]) == ([person], [{**person, **BO}])

    @pytest.mark.parametrize(
        "identifier", ["a", "x" * 128, "a/b?c=d&e#f", "Ünï 语 🎈", "<b>ann</b>", "..", "a  b", "+", "%20", "U024BE7LH"]
    )
    def test_may_have_any_id_that_can_be_shown_and_answers_by_its_link(self, api: Api, identifier: str) -> None:
        token = api.create(page={"title": "Go?", "approvers": [identifier]})
        [link] = token["links"]
        assert api.get(link["url"], BROWSER).status == 200
        assert api.deliver(link, {"action": "submit"}).status == 200
        assert [answer["approver"] for answer in api.retrieve(token["id"])["answers"]] == [identifier]

    def test_is_one_of_20_with_those_of_the_escalation(self) -> None:
        people = [str(number) for number in range(21)]
        assert len(approval(approvers=people[:20]).everybody()) == 20
        assert len(approval(approvers=people[:1], escalate={"after": "1d", "to": people[1:20]}).everybody()) == 20
        said = refusal(approvers=people[:1], escalate={"after": "1d", "to": people[1:]})
        assert said == "page.escalate.to: with page.approvers, at most 20 people are accepted"


SPELLINGS = [
    ("straße", "STRASSE"),
    ("jos\u00e9", "jose\u0301"),  # composed, and with a combining accent
    ("ann", "\uff41\uff4e\uff4e"),  # letters of full width
    ("\u01d5", "\u00fc\u0304"),  # in lower case, and decomposed in part
    ("K2", "\u212a2"),  # the sign for kelvin
    *(("ann", f"an{unseen}n") for unseen in "\u00ad\u034f\u115f\u180e\u200b\u200d\u202e\u2060\u3164\ufe0f\ufeff\U000e0041"),
    *(("ann", f"an{blank}n") for blank in " \u1160\u1680\u2800\u3000\uffa0\ufff9\U00013441\U00016fe4\U0001d159"),
    ("ann@example.com", "Ann@example.com."),
]


ANN = {"id": "ann", "email": "Ann@Example.com", "slack": "U024BE7LH"}


class TestNobodyIsNamedTwice:
    @pytest.mark.parametrize(
        "other",
        [
            "ANN",
            "ann@example.COM",
            "u024be7lh",
            {"id": "bo", "email": "ann@example.com"},
            {"id": "bo", "slack": "U024BE7LH"},
            {"id": "ann@EXAMPLE.com"},
        ],
        ids=str,
    )
    def test_without_case_over_both_lists(self, other: Any) -> None:
        assert refusal(approvers=[ANN, "cy", other]) == f"page.approvers[2]: page.approvers[0] {TWICE}"
        said = refusal(approvers=[ANN, "cy"], escalate={"after": "1d", "to": [other]})
        assert said == f"page.escalate.to[0]: page.approvers[0] {TWICE}"
        said = refusal(approvers=["cy"], escalate={"after": "1d", "to": [ANN, other]})
        assert said == f"page.escalate.to[1]: page.escalate.to[0] {TWICE}"

    @pytest.mark.parametrize(("one", "other"), SPELLINGS, ids=ascii)
    def test_by_two_spellings_that_look_the_same(self, one: str, other: str) -> None:
        assert refusal(approvers=[one, other]) == f"page.approvers[1]: page.approvers[0] {TWICE}"
        assert "nobody answers their own request" in refusal(approvers=[one], requestedBy=other)
        assert approval(approvers=[one, "zoe"], requestedBy=other).approvers == (Approver("zoe"),)

    def test_but_two_people_may_be_called_alike(self) -> None:
        assert len(approval(approvers=[{"id": "a", "name": "Ann"}, {"id": "b", "name": "Ann"}, "jose", "josé"]).approvers) == 4

    def test_but_one_person_may_have_one_text_for_all(self) -> None:
        assert approval(approvers=[{"id": "a@example.com", "email": "A@example.com"}]).approvers[0].email == "A@example.com"


class TestTheRequester:
    @pytest.mark.parametrize("requester", ["ann", "ANN", "ann@example.com", "u024be7lh"])
    def test_is_left_out_of_those_who_may_answer(self, requester: str) -> None:
        """So one list of people serves for the request of any of them."""
        later = {"after": "1d", "to": ["lea"]}
        page, text = parse({"title": "Go?", "approvers": ["bo", ANN, "cy"], "requestedBy": requester, "escalate": later})
        assert page.approval
        assert page.approval.ever == (Approver("bo"), Approver("cy"), Approver("lea"))
        assert page.approval.requested_by == requester
        assert (json.loads(text)["approvers"], json.loads(text)["escalate"]) == (["bo", "cy"], later)
        found = approval(approvers=["bo", "cy"], requestedBy=requester, escalate={"after": "1d", "to": [ANN, "lea"]})
        assert (len(found.approvers), found.escalated_to) == (2, (Approver("lea"),))
        assert len(approval(approvers=[ANN, "bo"], requestedBy=requester, selfApproval=True).approvers) == 2

    @pytest.mark.parametrize("requester", ["ann", "ANN", "ann@example.com", "u024be7lh"])
    def test_must_leave_somebody_in_each_list(self, requester: str) -> None:
        why = "nobody answers their own request without page.selfApproval"
        later = {"after": "1d", "to": ["lea"]}
        said = refusal(approvers=[ANN], requestedBy=requester, escalate=later)
        assert said == f"page.requestedBy: {requester} is page.approvers[0], too: {why}"
        said = refusal(approvers=["bo"], requestedBy=requester, escalate={"after": "1d", "to": [ANN]})
        assert said == f"page.requestedBy: {requester} is page.escalate.to[0], too: {why}"
        assert refusal(approvers=[ANN], requestedBy=requester, selfApproval=False).endswith(why)
        assert approval(approvers=[ANN], requestedBy=requester, selfApproval=True).requested_by == requester

    def test_must_leave_as_many_as_an_action_needs(self) -> None:
        asked: dict[str, Any] = {"approvers": ["bo", ANN, "cy"], "requestedBy": "ann"}
        who = "approvers without page.requestedBy"
        said = refusal(**asked, actions=[{"id": "yes", "label": "Yes", "needs": 3}])
        assert said == f"page.actions[0].needs: expected a whole number of 1 to 2, the number of {who}"
        two = {"label": "Two", "needs": 2}
        said = refusal(**asked, actions=[{"id": "yes", **two}, {"id": "no", **two}])
        assert said.startswith(f"page.actions: all 2 {who} could answer and nothing be decided")
        assert len(approval(**asked, actions=[{"id": "yes", **two}, {"id": "no", "label": "No"}]).approvers) == 2

    def test_is_still_compared_with_the_others(self) -> None:
        """Somebody else with the requester's address would answer in their place."""
        said = refusal(approvers=[ANN, "ann@example.com", "bo"], requestedBy="ann")
        assert said == f"page.approvers[1]: page.approvers[0] {TWICE}"

    @pytest.mark.parametrize("by", ["HTTP", "a state"])
    def test_gets_no_link_and_is_shown_as_who_asks(self, api: Api, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
        monkeypatch.setenv("API_URL", "https://hooks.example.com")
        body = {"page": {"title": "Go?", "approvers": ["bo", "ann"], "requestedBy": "Ann"}}
        in_state = Template.load().functions()["create_token_in_state"]
        created = api.create(**body) if by == "HTTP" else in_state.call(body)
        token = api.retrieve(created["id"])
        assert [link["approver"] for link in created["links"]] == [link["approver"] for link in token["links"]] == ["bo"]
        assert ([one["id"] for one in token["approvers"]], token["requestedBy"]) == (["bo"], "Ann")
        assert "Requested by <strong><bdi>Ann</bdi></strong>" in api.get(created["links"][0]["url"], BROWSER).text

    def test_may_be_somebody_else(self) -> None:
        assert approval(approvers=[ANN], requestedBy="cy").requested_by == "cy"
        assert approval(approvers=[ANN], requestedBy="cy", selfApproval=True).requested_by == "cy"


class TestAnEscalation:
    @pytest.mark.parametrize(("after", "milliseconds"), [("4h", 14_400_000), ("1d", 86_400_000), ("1s", 1000)])
    def test_has_an_instant_and_people(self, after: str, milliseconds: int) -> None:
        found = approval(approvers=["ann"], escalate={"after": after, "to": ["lea"]})
        assert found.escalated_to == (Approver("lea"),)
        assert plan_of({"escalate": {"after": after}}).escalation == milliseconds


class TestSameFields:
    @pytest.mark.parametrize(
        ("same", "names"), [(["note"], ("note",)), (["note", "amount"], ("amount", "note")), (True, ("amount", "note"))]
    )
    def test_must_be_the_same_in_some_fields_or_all(self, same: Any, names: tuple[str, ...]) -> None:
        found = parse({"title": "Go?", "approvers": ["ann", "bo"], "fields": FIELDS, "sameFields": same})[0]
        assert (found.same_fields, found.shows_answers, found.since_version) == (names, True, 4)


class TestHowMany:
    @given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 20), st.randoms(use_true_random=False))
    def test_is_refused_if_and_only_if_some_order_decides_nothing(self, needs: list[int], people: int, order: Any) -> None:
        undecided = [number for number, need in enumerate(needs) for _ in range(need - 1)]
        if len(undecided) < people:
            check_decidable(needs, people)
            counts = [0] * len(needs)
            for _ in range(people):
                counts[order.randrange(len(needs))] += 1
            assert any(count >= need for count, need in zip(counts, needs, strict=True))
        else:
            with pytest.raises(InvalidPage):
                check_decidable(needs, people)
