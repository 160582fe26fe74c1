"""Which people a page may name, and what is said of those that it may not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.approval_page import BROWSER, JSON
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
NEEDS = "it needs page.approvers"
FIELDS = {"properties": {"amount": {"type": "number"}, "note": {"type": "string"}}}
SAME = "expected a list of names of fields, or true for all"
SEEN = "it needs page.showAnswers: people must see the values that they have to enter"


def approval(**members: Any) -> Approval:
    found = parse({"title": "Go?", **members})[0].approval
    assert found
    return found


def refusal(**members: Any) -> str:
    with pytest.raises(InvalidPage) as refused:
        parse({"title": "Go?", **members})
    return refused.value.message.removeprefix("Invalid ")


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
        assert api.post(link["url"], {"action": "submit"}, JSON).status == 200
        assert [answer["approver"] for answer in api.retrieve(token["id"])["answers"]] == [identifier]

    @pytest.mark.parametrize(
        ("given", "place", "problem"),
        [
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
        ],
    )
    @pytest.mark.parametrize("is_escalated", [False, True])
    def test_that_is_not_accepted_is_named(self, given: Any, place: str, problem: str, is_escalated: bool) -> None:
        if is_escalated:
            said = refusal(approvers=["one", "two"], escalate={"after": "1d", "to": ["three", given]})
            assert said == f"page.escalate.to[1]{place}: {problem}"
        else:
            assert refusal(approvers=["one", given]) == f"page.approvers[1]{place}: {problem}"

    @pytest.mark.parametrize("given", [[], None, {}, "ann", ["a"] * 21])
    def test_is_one_of_1_to_20(self, given: Any) -> None:
        assert refusal(approvers=given) == "page.approvers: expected a list of 1 to 20 items"
        listed = {"after": "1d", "to": given}
        assert refusal(approvers=["ann"], escalate=listed) == "page.escalate.to: expected a list of 1 to 20 items"

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
    @pytest.mark.parametrize(
        ("given", "problem"),
        [("", ID), (None, ID), (1, ID), ("x" * 129, ID), ("a\nb", OUTER), ("\ud800", CONTROLS)],
    )
    def test_is_like_an_id(self, given: Any, problem: str) -> None:
        assert refusal(approvers=["ann"], requestedBy=given) == f"page.requestedBy: {problem}"

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

    @pytest.mark.parametrize("given", ["true", None, 1])
    def test_answers_only_after_a_plain_yes(self, given: Any) -> None:
        said = refusal(approvers=[ANN], requestedBy="ann", selfApproval=given)
        assert said == "page.selfApproval: expected true or false"

    @pytest.mark.parametrize("given", [True, False])
    def test_must_be_named_to_answer(self, given: bool) -> None:
        assert refusal(approvers=["ann"], selfApproval=given) == "page.selfApproval: it needs page.requestedBy"


class TestAnEscalation:
    @pytest.mark.parametrize(("after", "milliseconds"), [("4h", 14_400_000), ("1d", 86_400_000), ("1s", 1000)])
    def test_has_an_instant_and_people(self, after: str, milliseconds: int) -> None:
        found = approval(approvers=["ann"], escalate={"after": after, "to": ["lea"]})
        assert found.escalated_to == (Approver("lea"),)
        assert plan_of({"escalate": {"after": after}}).escalation == milliseconds

    @pytest.mark.parametrize("after", [None, 1, "", "soon", "0s", "-1d", "2030-01-01T00:00:00Z"])
    def test_needs_a_duration(self, after: Any) -> None:
        said = refusal(approvers=["ann"], escalate={"after": after, "to": ["lea"]})
        assert said == f"page.escalate.after: {AFTER}"

    @pytest.mark.parametrize("given", [None, [], "lea"])
    def test_is_an_object(self, given: Any) -> None:
        assert refusal(approvers=["ann"], escalate=given) == "page.escalate: expected an object"


@pytest.mark.parametrize(
    "member",
    [
        {"requestedBy": "ann"},
        {"selfApproval": True},
        {"escalate": {"after": "1d", "to": ["lea"]}},
        {"showAnswers": True},
        {"sameFields": True},
    ],
    ids=str,
)
def test_what_is_for_approvers_needs_them(member: dict[str, Any]) -> None:
    [name] = member
    assert refusal(**member) == f"page.{name}: {NEEDS}"
    action = {"id": "a", "label": "A", "needs": 1}
    assert refusal(actions=[action]) == f"page.actions[0].needs: {NEEDS}"


class TestSameFields:
    @pytest.mark.parametrize(
        ("same", "names"), [(["note"], ("note",)), (["note", "amount"], ("amount", "note")), (True, ("amount", "note"))]
    )
    def test_must_be_the_same_in_some_fields_or_all(self, same: Any, names: tuple[str, ...]) -> None:
        found = parse({"title": "Go?", "approvers": ["ann", "bo"], "fields": FIELDS, "sameFields": same})[0]
        assert (found.same_fields, found.shows_answers, found.since_version) == (names, True, 4)

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({"sameFields": False}, f"sameFields: {SAME}"),
            ({"sameFields": None}, f"sameFields: {SAME}"),
            ({"sameFields": "amount"}, f"sameFields: {SAME}"),
            ({"sameFields": []}, "sameFields: expected a list of 1 to 30 items"),
            ({"sameFields": [1]}, "sameFields[0]: expected the name of a field"),
            ({"sameFields": ["amont"]}, 'sameFields: unknown field "amont": did you mean "amount"?'),
            ({"sameFields": ["x"]}, 'sameFields: unknown field "x": expected one of amount, note'),
            ({"sameFields": ["note", "amount", "note"]}, "sameFields: the same name twice"),
            ({"sameFields": True, "fields": None}, "sameFields: it needs page.fields"),
            ({"sameFields": True, "showAnswers": False}, f"sameFields: {SEEN}"),
            ({"showAnswers": None}, "showAnswers: expected true or false"),
            ({"showAnswers": 0}, "showAnswers: expected true or false"),
        ],
        ids=str,
    )
    def test_is_refused_if_it_is_not_known_or_not_seen(self, members: dict[str, Any], said: str) -> None:
        page = {"approvers": ["ann", "bo"], "fields": FIELDS, **members}
        assert refusal(**{name: value for name, value in page.items() if name != "fields" or value}) == f"page.{said}"


class TestHowMany:
    @pytest.mark.parametrize("needs", [0, -1, 3, 1.0, 1.5, "2", None, True])
    def test_must_agree_is_at_most_everybody(self, needs: Any) -> None:
        said = refusal(approvers=["ann", "bo"], actions=[{"id": "a", "label": "A", "needs": needs}])
        assert said == "page.actions[0].needs: expected a whole number of 1 to 2, the number of approvers"

    @pytest.mark.parametrize(
        ("needs", "people"), [([1], 1), ([1, 1], 1), ([2, 1], 2), ([2], 2), ([2, 2], 3), ([3, 2, 1], 4), ([20], 20)]
    )
    def test_may_always_decide(self, needs: list[int], people: int) -> None:
        check_decidable(needs, people)

    def test_could_leave_it_undecided_and_what_would_do(self) -> None:
        said = refusal(
            approvers=["ann", "bo", "cy"],
            actions=[{"id": name, "label": name, "needs": needs} for name, needs in (("yes", 3), ("no", 2))],
        )
        assert said == (
            "page.actions: all 3 approvers could answer and nothing be decided: needs minus 1, summed over all actions, is 3 "
            "and must be at most 2. Ask at least 4 approvers, or need fewer"
        )

    def test_counts_no_one_who_comes_by_escalation(self) -> None:
        actions = [{"id": name, "label": name, "needs": 2} for name in ("yes", "no")]
        said = refusal(approvers=["ann", "bo"], actions=actions, escalate={"after": "1d", "to": ["lea"]})
        assert said.startswith("page.actions: all 2 approvers could answer")

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
