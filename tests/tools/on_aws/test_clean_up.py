"""What the clean-up deletes, leaves alone, and says of what it cannot delete, in an account made of botocore's models."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import jmespath
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tools.on_aws.clean_up import BUCKETS, KINDS, SECOND, STACKS, TAG, Kind, Left, Refused, clean, left
from tools.stack import ROOT

RUN, FORCED = "wp1a2b3c4d", "FORCE_DELETE_STACK"
PROOF = f"waitpoints-{RUN}-0123abcd"
OWN = f"{RUN}-stack".ljust(40, "-")
ALIKE = (f"{RUN}5", f"x{RUN}", f"{RUN}olders", "wp1a2b3c4")
KIND = {it.name: it for it in KINDS}


def rows(kinds: tuple[Kind, ...] = KINDS, top: Kind | None = None) -> Iterator[tuple[Kind, Kind]]:
    for kind in kinds:
        yield kind, top or kind
        yield from rows(kind.holds, top or kind)


CALLS = {
    (it.service, call): [top for of, top in rows() if of.service == it.service and call in (of.lists, of.deletes)]
    for it, _ in rows()
    for call in (it.lists, it.deletes)
    if call
}


def made(shape: Any, name: str) -> Any:
    """Return an answer of this shape in which each string is this name."""
    if shape.type_name == "structure":
        return {member: made(it, name) for member, it in shape.members.items()}
    if shape.type_name == "list":
        return [made(shape.member, name)]
    return {"string": name, "integer": 1, "long": 1, "boolean": False}.get(shape.type_name, {})


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No right"}}, operation)


class Account:
    """A session whose services list what was planted, and delete nothing that holds something. Calls fail as `failing` says."""

    def __init__(self) -> None:
        session = boto3.Session("x", "x", region_name="eu-west-1")
        session.events.register("before-parameter-build", lambda params, **_: setattr(self, "_given", params))
        session.events.register("before-call", self._answer)
        self.client, self._given = cache(session.client), dict[str, Any]()
        self.empty()

    def empty(self) -> None:
        self._there: dict[Any, list[str]] = defaultdict(list)
        self.failing: set[tuple[str, str]] = set()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.statuses: dict[str, list[str]] = defaultdict(lambda: ["CREATE_COMPLETE"])
        """Of stacks: each deletion leads to the next."""
        self.tag, self.tagged = RUN, list[str]()

    def names(self, kind: Kind, holder: Any = None) -> list[str]:
        """The names of what there is of a kind, in what holds these. A layer is there as long as a version of it."""
        within = jmespath.search(kind.within, holder) if holder and kind.within else {}
        return self._there[kind.service, kind.lists, str(within)]

    def plant(self, name: str, kinds: tuple[Kind, ...] = KINDS, holder: Any = None) -> None:
        """Make one of each kind, with what it holds."""
        for kind in kinds:
            long = f"{name}-{kind.name}".replace(" ", "").ljust(40, "-")
            self.names(kind, holder).extend([long, f"{long}2"] if holder else [long])
            model = self.client(kind.service).meta.service_model
            [shape] = [model.operation_model(it).output_shape for it in model.operation_names if xform_name(it) == kind.lists]
            within = jmespath.search(kind.within, holder) if holder else {}
            self.plant(f"of-{kind.name}", kind.holds, jmespath.search(kind.each, made(shape, long))[0] | within)

    def content(self) -> dict[Any, list[str]]:
        return {where: sorted(names) for where, names in self._there.items() if names and where[1] != "list_layers"}

    def clean(self) -> list[Left]:
        return clean(self, RUN, self.said.append, settle=0)

    def _answer(self, model: Any, **_: Any) -> Any:
        service, call = model.service_model.service_name, xform_name(model.name)
        if (service, call) in self.failing:
            raise refusal("AccessDenied", model.name)
        given = {name: it for name, it in self._given.items() if name != "EncodingType"}
        lists = [kind for kind, _ in rows() if (kind.service, kind.lists) == (service, call)]
        answer = self._list(lists[0], model.output_shape, given) if lists else {}
        for kind in [kind for kind, _ in rows() if (kind.service, kind.deletes) == (service, call)]:
            self._delete(kind, given, model.name)
        if call == "get_resources" and RUN in given["TagFilters"][0]["Values"]:
            answer = {"ResourceTagMappingList": [{"ResourceARN": it} for it in self.tagged]}
        return SimpleNamespace(status_code=200), answer

    def _list(self, kind: Kind, shape: Any, given: Any) -> dict[str, Any]:
        found = self._there[kind.service, kind.lists, str({name: it for name, it in given.items() if name not in kind.asks})]
        of = {member: it.member for member, it in shape.members.items() if it.type_name == "list"}
        answer = {member: [made(it, name) for name in found] for member, it in of.items()}
        for rule in answer.get("Rules", ()):
            rule.update(given)
        if kind.name == "object":
            answer = {"Versions": answer["Versions"][::2], "DeleteMarkers": answer["DeleteMarkers"][1::2]}
        for stack in answer.get("Stacks", ()) if kind is STACKS else ():
            tag = self.tag if re.match(f"{RUN}(older)?-", stack["StackName"]) else "another"
            stack |= {"StackStatus": self.statuses[stack["StackName"]][0], "Tags": [{"Key": TAG, "Value": tag}]}
        if not kind.deletes:  # a layer without versions is none
            answer = {it: [one for one in some if self.names(kind.holds[0], one)] for it, some in answer.items()}
        return answer

    def _delete(self, kind: Kind, given: Any, operation: str) -> None:
        if kind is STACKS:
            self.asked.append(given.get("DeletionMode", ""))
            status, *rest = self.statuses[given["StackName"]]
            self.statuses[given["StackName"]] = rest or ["CREATE_COMPLETE"]
            if status == "UPDATE_IN_PROGRESS":
                raise refusal("ValidationError", operation)
            if rest:
                return
        if any(self.names(held, given) for held in kind.holds):
            raise refusal("Conflict", operation)
        holder = {name: given[name] for name in jmespath.search(kind.within, {})} if kind.within else {}
        found = self._there[kind.service, kind.lists, str(holder)]
        found[:] = [name for name in found if repr(name) not in str(given) and "VersionNumber" not in given]


@pytest.fixture(scope="module")
def session() -> Account:
    """One for all tests: to make clients takes longer than what they do."""
    return Account()


@pytest.fixture
def account(session: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    session.empty()
    return session


def test_only_what_is_the_runs_own_goes(account: Account) -> None:
    for name in ALIKE:
        account.plant(name)
    before = account.content()
    account.plant(f"{RUN}older")
    account.plant(RUN)
    assert account.clean() == []
    assert account.content() == before
    assert len(account.said) == len(set(account.said)) == 2 * len(KINDS)


@pytest.mark.parametrize("call", sorted(CALLS), ids="-".join)
def test_each_failure_is_said_with_its_price_and_the_others_go_on(account: Account, call: tuple[str, str]) -> None:
    account.plant(RUN)
    account.names(BUCKETS).append(PROOF)
    account.failing = {call}
    kinds = CALLS[call]
    role_waits = [it for it in KINDS if it.service == "iam" and STACKS in kinds]
    assert {(it.kind, it.price) for it in account.clean()} == {(it.name, it.price) for it in (*kinds, *role_waits)}
    for kind in kinds:
        start = f"not deleted  {kind.name} "
        assert [it for it in account.said if it.startswith(start) and f": {kind.price})" in it and "No right" in it]


@pytest.mark.parametrize(
    ("statuses", "modes"),
    [
        (["CREATE_IN_PROGRESS"], [""]),
        (["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"], ["", ""]),
        (["DELETE_FAILED"], [FORCED]),
        (["CREATE_COMPLETE", "DELETE_FAILED"], ["", FORCED]),
    ],
)
def test_a_stack_is_waited_for_and_forced(account: Account, statuses: list[str], modes: list[str]) -> None:
    account.names(STACKS).append(OWN)
    account.statuses[OWN] = statuses
    assert (account.clean(), account.asked) == ([], modes)


def test_a_stack_that_cannot_be_forced_is_left_with_the_role_that_deployed_it(account: Account) -> None:
    account.names(STACKS).append(OWN)
    account.names(KIND["role"]).append(f"{RUN}boundary")
    account.statuses[OWN] = ["CREATE_COMPLETE", "DELETE_FAILED", "DELETE_FAILED"]
    assert [(it.kind, it.why) for it in account.clean()] == [("stack", OWN), ("role", "a stack that is left may need it")]


@pytest.mark.parametrize("run", [RUN, "wp1a2b3c4", "wp1a2b3c4d-", "wp.*", ""])
@pytest.mark.parametrize("bucket", [f"{PROOF}e", f"waitpoints-{RUN}0-0123abcd", f"x-{PROOF}"])
def test_a_name_that_nothing_shows_to_be_a_runs_is_refused(account: Account, run: str, bucket: str) -> None:
    account.plant(run)
    account.names(BUCKETS).append(bucket)
    account.tag = "another"
    before = account.content()
    with pytest.raises(Refused, match=f"{TAG}="):
        clean(account, run, account.said.append, settle=0)
    assert account.content() == before


def test_what_a_forced_deletion_leaves_is_found_by_its_tag(account: Account) -> None:
    """CloudFormation names a state machine and a secret without their stack."""
    account.names(STACKS).append(OWN)
    account.tagged = [
        f"arn:aws:states:eu-west-1:123456789012:stateMachine:{'x' * 9}",
        "arn:aws:kms:eu-west-1:123456789012:key/x",
    ]
    account.names(KIND["state machine"]).extend([account.tagged[0], "another"])
    assert account.clean() == [Left("tagged", account.tagged[1], "unknown", "nothing here deletes it")]
    assert account.names(KIND["state machine"]) == ["another"]


def test_it_looks_again_until_nothing_more_appears(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function writes into its log after its deletion. The bucket is the last, as it shows whose the rest is."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        account.names(KIND["log group"]).append(f"/aws/lambda/{RUN}-{now[0]}")
        assert account.names(BUCKETS)

    account.names(BUCKETS).append(PROOF)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert len(left(account, RUN)) == 1
    assert clean(account, RUN, account.said.append, settle=600) == []
    assert (now, account.content()) == ([600], {})


def test_no_step_gives_a_second_stack_a_name_that_the_clean_up_does_not_know() -> None:
    sources = [*(ROOT / "tools" / "on_aws").glob("*.py"), ROOT / "examples" / "first_hour.sh"]
    name = re.compile(r"""(?:\{stack\.name\}|\$\{(?:stack|STACK|RUN)\}|\$(?:stack|STACK|RUN)["'])([a-z]+)""")
    assert {it for path in sources for it in name.findall(path.read_text())} <= set(SECOND)
    assert name.findall("""f"{stack.name}x" ${RUN}y "$stack"z""" + '"') == ["x", "y", "z"]
