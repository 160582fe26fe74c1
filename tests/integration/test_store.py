"""The store's behaviour."""

from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from itertools import combinations, product
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.races import race
from waitpoints import ids
from waitpoints.aws.items import USUAL_CONTENT_TYPE, digest, is_endless_attachment, key_primary_key, primary_key
from waitpoints.aws.store import Store
from waitpoints.errors import TokenNotFound, WrittenLater
from waitpoints.listing import Filter, IdRange
from waitpoints.sign_in import SignedIn
from waitpoints.token import (
    ALL_BUT_APPROVERS,
    ALL_BUT_DOCUMENT,
    ALL_CHECKED,
    MAX_WAITERS,
    NOTHING_CHECKED,
    OVERRIDDEN,
    SINCE,
    VERSION,
    Answer,
    Attachment,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Failed,
    HandOver,
    IdempotencyKey,
    KeyHolder,
    KeyKind,
    OtherDeliveries,
    Output,
    Reply,
    ReplyKind,
    Rule,
    Rules,
    Source,
    Status,
    TimedOut,
    Token,
    TokenError,
    Verification,
    Waiter,
    WaiterKind,
)

CHECKED = (NOTHING_CHECKED, ALL_BUT_DOCUMENT, ALL_BUT_APPROVERS, ALL_CHECKED, OVERRIDDEN)
START = FakeClock().now
TIMEOUT = START + 60_000
RETENTION = 30 * 86_400  # seconds
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"
OUTPUT = Output('{"approved": true}')
WIDE_OUTPUT = Output(None, "waitpoint_x/0123.json")
COMPLETED_BY = CompletedBy(
    source=Source.CALLBACK, ip="192.0.2.7", user_agent="ü" * 256, content_type="a/b", query="a=1", delivery_id="delivery-1"
)
FAILURE = TokenError("It is out of stock: Größe 🎈", "OutOfStock", "E_STOCK")


@pytest.fixture
def store(stack: MotoStack) -> Store:
    return in_dynamodb(stack)


def in_dynamodb(stack: MotoStack) -> Store:
    return Store(client_of("dynamodb"), stack.resources["Table"]["Ref"], RETENTION)


def expiries(stack: MotoStack, id_: str) -> dict[str, int | None]:
    """When the items with an id expire (epoch seconds)."""
    items = stack.items(id_)
    return {it["item"]["S"]: int(it["expiresAt"]["N"]) if "expiresAt" in it else None for it in items}


@pytest.fixture
def create(store: Store) -> Callable[..., Token]:
    def create(**fields: Any) -> Token:
        token = Token(id=ids.new_id(START), created_at=START, **fields)
        assert store.create(token, None, START) is None
        return token

    return create


def waiter(registered_at: int = START, unwrap: bool = False) -> Waiter:
    return Waiter(FakeStepFunctions().start_task(2048), registered_at, unwrap)


class TestToken:
    def test_comes_back_with_each_pair_of_its_parts(self, store: Store, create: Callable[..., Token]) -> None:
        one = replace(waiter(unwrap=True), execution=EXECUTION)
        parts: dict[str, Any] = {
            "timeout_at": TIMEOUT,
            "due_at": TIMEOUT - 1,
            "tags": ("b", "a", "b"),
            "idempotency_key": "order-1",
            "idempotency_key_expires_at": TIMEOUT,
            "waiters": {one.key: one},
            "rules": ALL_RULES,
        }
        for pair in combinations(parts, 2):
            written = create(**{name: parts[name] for name in pair})
            assert store.get(written.id) == written

    def test_that_exists_is_never_overwritten(self, store: Store, create: Callable[..., Token]) -> None:
        first = create(tags=("first",))
        with suppress(ClientError):  # refused or ignored
            store.create(Token(id=first.id, created_at=START + 1, tags=("second",)), None, START + 1)
        assert store.get(first.id) == first


class TestComplete:
    def test_keeps_the_output_at_hand_that_it_was_given(self, store: Store, create: Callable[..., Token]) -> None:
        _, settled = store.complete(create().id, Completed(START, Output('"large"', "somewhere.json")), ALL_CHECKED)
        assert isinstance(settled.outcome, Completed)
        assert settled.outcome.output.json == '"large"'

    @pytest.mark.parametrize("tags", [(), ("b",), ("aa",), ("A",)])
    def test_within_a_tag_leaves_a_token_without_it_as_it_was(
        self, store: Store, create: Callable[..., Token], tags: tuple[str, ...]
    ) -> None:
        """`contains` is true of a list with an element that equals the operand, and of a text with it as a part
        (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html).
        """
        token = create(tags=tags, timeout_at=TIMEOUT)
        for now in (START, TIMEOUT):
            assert store.complete(token.id, Completed(now, OUTPUT), ALL_CHECKED, "a") == (False, token)
        assert store.get(token.id) == token

    @pytest.mark.parametrize("checked", CHECKED)
    @pytest.mark.parametrize("outcome", [Completed(START, OUTPUT), Failed(START, TokenError("no"))])
    def test_within_a_tag_settles_a_token_with_it(
        self, store: Store, create: Callable[..., Token], checked: frozenset[Rule], outcome: Completed | Failed
    ) -> None:
        token = create(tags=("b", "a"))
        assert store.complete(token.id, outcome, checked, "a") == (True, replace(token, outcome=outcome))
        assert store.get(token.id).outcome == outcome


Change = Callable[[Store, Token, int], bool | tuple[bool, Token]]
ANSWER = Answer("ann", "yes", "{}", START)
HAND_OVER = HandOver(({"id": "di", "name": "Größe"},), ("ann",), START, "ci")
CHANGES: dict[str, Change] = {
    **{
        f"complete, {sorted(checked)}": lambda store, token, now, checked=checked: store.complete(  # type: ignore[misc]
            token.id, Completed(now, OUTPUT), checked
        )
        for checked in CHECKED
    },
    "fail": lambda store, token, now: store.complete(token.id, Failed(now, FAILURE), ALL_CHECKED),
    "time out": lambda store, token, now: store.time_out(token.id, now),
    "answer": lambda store, token, now: store.answer(token, replace(ANSWER, at=now), None),
    "hand over": lambda store, token, now: store.hand_over(token, replace(HAND_OVER, at=now)),
    "decide": lambda store, token, now: store.answer(token, replace(ANSWER, at=now), Completed(now, OUTPUT)),
    "add a waiter": lambda store, token, now: store.add_waiter(token.id, waiter(), now) is None,
    "remind": lambda store, token, now: store.remind(token, replace(token, reminded_count=1, reminded_at=now)),
    "move its deadline": lambda store, token, now: store.move_deadline(token, TIMEOUT + 1, TIMEOUT + 1, now),
}
"""Whatever changes a waiting token, at an instant. Returns whether it does, and most also the token as it is then."""
END: dict[str, Callable[[Store, str], object]] = {
    "is completed": lambda store, id_: store.complete(id_, Completed(START, OUTPUT), ALL_CHECKED),
    "has failed": lambda store, id_: store.complete(id_, Failed(START, FAILURE, COMPLETED_BY), ALL_CHECKED),
    "has timed out": lambda store, id_: store.time_out(id_, TIMEOUT),
    "waits": lambda *_: None,
}
UNTIL_ITS_TIMEOUT, AFTER_IT = CHANGES.keys() - {"time out"}, {"time out", "remind"}
ENDED: Set[str] = frozenset()
STATES: dict[str, tuple[str, int | None, int, Set[str]]] = {  # how a token is, its timeout, now, and what changes it
    "without a timeout": ("waits", None, START, UNTIL_ITS_TIMEOUT),
    "for years without a timeout": ("waits", None, START + 10**12, UNTIL_ITS_TIMEOUT),
    "a millisecond before its timeout": ("waits", TIMEOUT, TIMEOUT - 1, UNTIL_ITS_TIMEOUT),
    "at its timeout": ("waits", TIMEOUT, TIMEOUT, AFTER_IT),
    "a day after its timeout, which is not written": ("waits", TIMEOUT, TIMEOUT + 86_400_000, AFTER_IT),
    "completed": ("is completed", TIMEOUT, START, ENDED),
    "completed before its timeout": ("is completed", TIMEOUT, TIMEOUT, ENDED),
    "failed": ("has failed", TIMEOUT, START, ENDED),
    "failed before its timeout": ("has failed", TIMEOUT, TIMEOUT, ENDED),
    "timed out": ("has timed out", TIMEOUT, TIMEOUT, ENDED),
    "timed out, by a clock that is behind": ("has timed out", TIMEOUT, START, ENDED),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", CHANGES)
def test_a_token_is_changed_only_while_it_waits(store: Store, create: Callable[..., Token], name: str, state: str) -> None:
    end, timeout_at, now, changed_by = STATES[state]
    read = create(timeout_at=timeout_at, due_at=timeout_at)
    END[end](store, read.id)
    before, result = store.get(read.id), CHANGES[name](store, read, now)
    changed, *seen = result if isinstance(result, tuple) else (result,)
    assert changed is (name in changed_by)
    assert (store.get(read.id) == before) is not changed
    assert seen in ([], [store.get(read.id)])


def test_a_token_that_is_gone_is_not_brought_back(store: Store, create: Callable[..., Token]) -> None:
    gone = replace(create(), id=ids.new_id(START))
    for change in CHANGES.values():
        with suppress(TokenNotFound):
            assert change(store, gone, START) is False
        with pytest.raises(TokenNotFound):
            store.get(gone.id)


def make_later(store: Store, token: Token) -> None:
    """Write what a later version writes on a token that only that version may settle."""
    client_of("dynamodb").update_item(
        TableName=store._table.name,
        Key=primary_key(token.id, "token"),
        UpdateExpression="SET sinceVersion = :version",
        ExpressionAttributeValues={":version": {"N": str(VERSION + 1)}},
    )


class TestATokenOfALaterVersion:
    @pytest.mark.parametrize("name", CHANGES)
    def test_is_changed_by_nothing(self, store: Store, create: Callable[..., Token], name: str) -> None:
        token = create(timeout_at=TIMEOUT, due_at=TIMEOUT)
        make_later(store, token)
        with pytest.raises(WrittenLater):
            CHANGES[name](store, token, TIMEOUT if name == "time out" else START)
        assert replace(store.get(token.id), since_version=None) == replace(token, is_later=True)

    def test_is_answered_as_it_ended(self, store: Store, create: Callable[..., Token]) -> None:
        token = create()
        _, ended = store.complete(token.id, Completed(START, OUTPUT), ALL_CHECKED)
        make_later(store, token)
        later = (False, replace(store.get(token.id), outcome=ended.outcome))
        assert later[1].is_later
        assert store.complete(token.id, Completed(START, OUTPUT), ALL_CHECKED) == later
        assert store.add_waiter(token.id, waiter(), START) == later[1]


@pytest.mark.parametrize("name", CHANGES)
def test_a_token_that_needs_this_version_is_changed(store: Store, create: Callable[..., Token], name: str) -> None:
    token = create(timeout_at=TIMEOUT, due_at=TIMEOUT, since_version=VERSION)
    CHANGES[name](store, token, TIMEOUT if name == "time out" else START)
    assert store.get(token.id) != token


EVIDENCE = SignedIn("https://issuer.example.com", "bo-1", None, START)
SIGNED = Rules(verify=Verification("stripe", "stripe"))
SHARED = Rules(verify=Verification("token", "gitlab", "x-gitlab-token"))
DESCRIBED = Rules(verify=Verification("hmac", "own", signing='{"header":"X-S","signed":"{body}"}'))
FILTERED = Rules(complete_when="body.done")
TYPED = Rules(has_schema=True)
PAGED = Rules(has_page=True)
DECIDED = Rules(has_page=True, has_approvers=True)
ALL_RULES = Rules(Verification("github", "github"), "body.done", has_schema=True)
RULES = {
    "verify": SIGNED,
    "verify with a description": DESCRIBED,
    "token": SHARED,
    "completeWhen": FILTERED,
    "payloadSchema": TYPED,
    "page": PAGED,
    "approvers": DECIDED,
    "signIn": replace(DECIDED, has_sign_in=True),
    "verify and completeWhen": replace(SIGNED, complete_when="body.done"),
    "verify and payloadSchema": replace(SIGNED, has_schema=True),
    "completeWhen and payloadSchema": replace(FILTERED, has_schema=True),
    "all": ALL_RULES,
}
WITH_DOCUMENT = {name for name, rules in RULES.items() if rules.has_schema or rules.has_page}


class TestRules:
    def test_are_all_tried(self) -> None:
        tried = [rule.name for rules in RULES.values() for rule in fields(Rules) if getattr(rules, rule.name)]
        assert {rule.name for rule in fields(Rules)} == set(tried)

    @pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
    def test_come_back_as_they_were_written(self, store: Store, create: Callable[..., Token], rules: Rules) -> None:
        token = create(rules=rules)
        assert store.get(token.id).rules == rules

    @pytest.mark.parametrize(
        ("checked", "refused"),
        [
            (NOTHING_CHECKED, set(RULES)),
            (ALL_BUT_DOCUMENT, WITH_DOCUMENT),
            (ALL_BUT_APPROVERS, {"approvers", "signIn"}),
            (ALL_CHECKED, {"signIn"}),
            (OVERRIDDEN, set()),
        ],
    )
    @pytest.mark.parametrize("name", RULES)
    def test_refuse_a_completion_that_was_not_checked_against_them(
        self, store: Store, create: Callable[..., Token], checked: frozenset[Rule], refused: set[str], name: str
    ) -> None:
        one = waiter()
        token = create(rules=RULES[name], waiters={one.key: one}, timeout_at=TIMEOUT)
        won, seen = store.complete(token.id, Completed(START, OUTPUT, COMPLETED_BY), checked)
        assert won is (name not in refused)
        assert seen == store.get(token.id)
        if not won:
            assert seen == token

    def test_do_not_keep_a_token_from_timing_out(self, store: Store, create: Callable[..., Token]) -> None:
        won, settled = store.time_out(create(rules=ALL_RULES, timeout_at=TIMEOUT).id, TIMEOUT)
        assert (won, settled.outcome, settled.rules) == (True, TimedOut(TIMEOUT), ALL_RULES)


class TestAnswers:
    """Invariant 6: one answer is added to those that were read, or none is."""

    ANN, BO = Answer("ann", "yes", '{"n":1.50}', START + 1), Answer("bo", "yes", "{}", START + 2, EVIDENCE)
    DECISION = Completed(START + 2, OUTPUT, CompletedBy(source=Source.CALLBACK, approver="bo"))

    def token(self, store: Store, **fields: Any) -> Token:
        token = Token(id=ids.new_id(START), created_at=START, rules=DECIDED, **fields)
        store.create(token, None, START, document=Document(DocumentKind.PAGE, "{}"))
        return token

    def test_are_added_in_their_order(self, store: Store) -> None:
        token = self.token(store, waiters={(one := waiter()).key: one})
        added, now = store.answer(token, self.ANN, None)
        assert (added, now) == (True, replace(token, answers=(self.ANN,)))
        added, now = store.answer(now, self.BO, None)
        assert (added, now) == (True, replace(token, answers=(self.ANN, self.BO)))
        assert store.get(token.id) == replace(now, page="{}")

    def test_settle_with_the_one_that_decides(self, store: Store) -> None:
        _, now = store.answer(self.token(store), self.ANN, None)
        added, settled = store.answer(now, self.BO, self.DECISION)
        assert (added, settled) == (True, replace(now, answers=(self.ANN, self.BO), outcome=self.DECISION))
        assert store.get(now.id) == replace(settled, page="{}")

    @pytest.mark.parametrize("outcome", [None, DECISION])
    @pytest.mark.parametrize("has_read", [0, 1])
    def test_are_refused_if_another_was_added_meanwhile(self, store: Store, has_read: int, outcome: Completed | None) -> None:
        read = self.token(store)
        if has_read:
            _, read = store.answer(read, replace(self.ANN, approver="cy"), None)
        _, first = store.answer(read, self.ANN, None)
        assert store.answer(read, self.BO, outcome) == (False, first)
        assert store.get(read.id) == replace(first, page="{}")

    def test_and_a_hand_over_are_refused_if_the_other_came_meanwhile(self, store: Store) -> None:
        read = self.token(store)
        assert store.hand_over(read, HAND_OVER)
        handed_over = replace(read, hand_overs=(HAND_OVER,), since_version=SINCE["handOvers"])
        assert store.answer(read, self.ANN, None) == (False, handed_over)
        assert store.answer(handed_over, self.BO, self.DECISION)[0]
        read = self.token(store)
        _, answered = store.answer(read, self.ANN, None)
        assert not store.hand_over(read, HAND_OVER)
        assert store.hand_over(answered, HAND_OVER)
        assert not store.hand_over(answered, HAND_OVER), "another hand-over came first"
        other = HandOver((), ("bo",), START + 1)
        again = store.get(read.id)
        assert store.hand_over(again, other)
        assert store.get(read.id) == replace(again, hand_overs=(HAND_OVER, other))

    def test_stay_if_an_api_key_or_the_timeout_ends_the_token(self, store: Store) -> None:
        _, one = store.answer(self.token(store), self.ANN, None)
        assert store.complete(one.id, Completed(START, OUTPUT), ALL_CHECKED)[1].answers == (self.ANN,)
        _, other = store.answer(self.token(store, timeout_at=TIMEOUT), self.ANN, None)
        assert store.time_out(other.id, TIMEOUT)[1].answers == (self.ANN,)


class TestOutcome:
    @pytest.mark.parametrize(
        "by",
        [
            None,
            CompletedBy(source=Source.COMPLETE),
            COMPLETED_BY,
            *(
                CompletedBy(source=Source.CALLBACK, **{name: "x"})
                for name in ("ip", "user_agent", "content_type", "query", "delivery_id")
            ),
            CompletedBy(source=Source.CALLBACK, content_type=USUAL_CONTENT_TYPE),
        ],
    )
    @pytest.mark.parametrize(
        "outcome",
        [
            *(partial(Completed, START + 5, output) for output in (OUTPUT, WIDE_OUTPUT, Output())),
            partial(Failed, START + 5, FAILURE),
        ],
        ids=["in the item", "in the bucket", "absent", "an error"],
    )
    def test_comes_back_with_who_settled_it(
        self, store: Store, create: Callable[..., Token], outcome: Callable[..., Any], by: CompletedBy | None
    ) -> None:
        one = waiter()
        token = create(waiters={one.key: one})
        won, settled = store.complete(token.id, outcome(by), NOTHING_CHECKED)
        assert (won, settled) == (True, replace(token, outcome=outcome(by)))
        assert store.get(token.id) == settled


class TestDocument:
    TEXT = '{"type": "object", "title": "Größe"}'
    DOCUMENT = Document(DocumentKind.SCHEMA, TEXT)

    def token(self, **fields: Any) -> Token:
        return Token(id=ids.new_id(START), created_at=START, rules=TYPED, **fields)

    def test_comes_back_as_it_was_written(self, store: Store) -> None:
        token = self.token()
        assert store.create(token, None, START, document=self.DOCUMENT) is None
        assert store.read_document(token.id, DocumentKind.SCHEMA) == self.TEXT
        assert store.get(token.id) == token

    def test_is_absent_where_there_is_none(self, store: Store, create: Callable[..., Token]) -> None:
        assert store.read_document(create().id, DocumentKind.SCHEMA) is None
        assert store.read_document(ids.new_id(START), DocumentKind.SCHEMA) is None

    def test_is_not_written_for_a_token_that_is_not(self, store: Store) -> None:
        first, second = self.token(), self.token()
        key = IdempotencyKey(first.id)
        store.create(first, key, START, document=self.DOCUMENT)
        holder = store.create(second, key, START, document=Document(DocumentKind.SCHEMA, "{}"))
        assert holder is not None
        assert holder.token_id == first.id
        assert store.read_document(first.id, DocumentKind.SCHEMA) == self.TEXT
        assert store.read_document(second.id, DocumentKind.SCHEMA) is None

    def test_that_is_a_page_is_read_with_its_token(self, store: Store) -> None:
        token = Token(id=ids.new_id(START), created_at=START, rules=Rules(has_page=True))
        store.create(token, None, START, document=Document(DocumentKind.PAGE, self.TEXT))
        assert store.get(token.id) == replace(token, page=self.TEXT)
        assert store.read_document(token.id, DocumentKind.PAGE) == self.TEXT
        assert store.read_document(token.id, DocumentKind.SCHEMA) is None
        won, refused = store.complete(token.id, Completed(START, OUTPUT), NOTHING_CHECKED)
        assert (won, refused.rules) == (False, Rules(has_page=True))
        assert not store.complete(token.id, Completed(START, OUTPUT), ALL_BUT_DOCUMENT)[0]
        assert store.complete(token.id, Completed(START, OUTPUT), ALL_CHECKED)[0]

    @pytest.mark.parametrize("key", [None, IdempotencyKey("order-1")], ids=["by shard", "by key"])
    def test_that_is_a_page_has_its_title_in_every_list(self, store: Store, key: IdempotencyKey | None) -> None:
        name = key.text if key else None
        token = Token(
            id=ids.new_id(START), created_at=START, rules=Rules(has_page=True), page_title="Größe 42?", idempotency_key=name
        )
        store.create(token, key, START, document=Document(DocumentKind.PAGE, self.TEXT))
        everything = IdRange(token.id, token.id, ascending=False)
        parts = store.partitions(Filter(idempotency_key=name), START)
        assert [it.listed_page for read in parts for it in read(everything, 10)[0]] == [{"title": "Größe 42?"}]


class TestMetadata:
    TEXT = '{"order": 1.50, "by": "Größe"}'

    def token(self, **fields: Any) -> Token:
        return Token(id=ids.new_id(START), created_at=START, metadata=self.TEXT, has_metadata=True, **fields)

    def test_is_read_with_the_items_beside_the_token_and_alone(self, store: Store) -> None:
        token = self.token()
        assert store.create(token, None, START) is None
        assert store.get(token.id) == token
        assert store.read_document(token.id, DocumentKind.METADATA) == self.TEXT
        assert store.peek(token.id) == replace(token, metadata=None)

    def test_is_not_in_what_a_settling_write_returns_which_says_that_there_is_some(self, store: Store) -> None:
        token = self.token()
        store.create(token, None, START)
        _, settled = store.complete(token.id, Completed(START, OUTPUT), NOTHING_CHECKED)
        assert (settled.has_metadata, settled.metadata) == (True, None)

    @pytest.mark.parametrize("with_key", [False, True])
    def test_is_kept_beside_a_document_when_a_lost_answer_has_the_create_sent_again(self, store: Store, with_key: bool) -> None:
        token = self.token(rules=Rules(has_page=True))
        key = IdempotencyKey(token.id) if with_key else None
        for _ in range(2):
            assert store.create(token, key, START, document=Document(DocumentKind.PAGE, "{}")) is None
        assert store.get(token.id) == replace(token, page="{}")

    def test_is_in_no_list(self, store: Store) -> None:
        token = self.token(tags=("metadata",))
        store.create(token, None, START)
        everything = IdRange(token.id, token.id, ascending=False)
        [listed] = [it for read in store.partitions(Filter(), START) for it in read(everything, 10)[0]]
        assert listed.metadata is None


class TestOtherDeliveries:
    def test_add_up_and_show_the_last(self, store: Store, create: Callable[..., Token]) -> None:
        token = create(rules=FILTERED)
        store.count_delivery(token.id, None, COMPLETED_BY, START + 1)
        assert store.get(token.id).other_deliveries == OtherDeliveries(1, START + 1, "192.0.2.7", "delivery-1")
        store.count_delivery(token.id, None, CompletedBy(source=Source.CALLBACK, ip="192.0.2.8", delivery_id="2"), START + 2)
        assert store.get(token.id).other_deliveries == OtherDeliveries(2, START + 2, "192.0.2.8", "2")
        store.count_delivery(token.id, None, CompletedBy(source=Source.CALLBACK), START + 3)
        assert store.get(token.id).other_deliveries == OtherDeliveries(3, START + 3)
        assert replace(store.get(token.id), other_deliveries=None) == token

    def test_are_all_counted_that_come_at_once(self, store: Store, create: Callable[..., Token]) -> None:
        token = create()
        race([partial(store.count_delivery, token.id, None, COMPLETED_BY, START + n) for n in range(20)])
        others = store.get(token.id).other_deliveries
        assert others is not None
        assert others.count == 20

    def test_stay_beside_replies_and_an_outcome(self, store: Store, create: Callable[..., Token]) -> None:
        one = waiter()
        token = create(waiters={one.key: one})
        store.count_delivery(token.id, None, COMPLETED_BY, START)
        store.complete(token.id, Completed(START, OUTPUT), NOTHING_CHECKED)
        store.record_replies(token.id, {one.key: Reply(ReplyKind.RESUMED, START)}, START)
        read = store.get(token.id)
        assert (read.unresumed(), read.other_deliveries and read.other_deliveries.count) == ([], 1)


def test_a_late_timer_settles_a_token_at_its_timeout(store: Store, create: Callable[..., Token]) -> None:
    token = create(timeout_at=TIMEOUT)
    won, settled = store.time_out(token.id, TIMEOUT + 700)
    assert (won, settled) == (True, replace(token, outcome=TimedOut(TIMEOUT)))
    assert store.get(token.id) == settled


class TestInstants:
    """When a token is looked at next, and when it times out: changed only as they were read."""

    CHANGES = ("move_deadline", "remind")

    def change(self, store: Store, name: str, read: Token, instant: int, now: int = START) -> bool:
        if name == "remind":
            return store.remind(read, replace(read, due_at=instant))
        return store.move_deadline(read, instant, instant, now)

    @pytest.mark.parametrize("due_at", [None, TIMEOUT - 5, TIMEOUT])
    @pytest.mark.parametrize("timeout_at", [None, TIMEOUT])
    @pytest.mark.parametrize("change", CHANGES)
    def test_change_on_a_token_that_waits_as_it_was_read(
        self, store: Store, create: Callable[..., Token], due_at: int | None, timeout_at: int | None, change: str
    ) -> None:
        token = create(timeout_at=timeout_at, due_at=due_at, tags=("a",), rules=ALL_RULES)
        assert self.change(store, change, token, TIMEOUT + 7)
        moved = TIMEOUT + 7 if change == "move_deadline" else timeout_at
        assert store.get(token.id) == replace(token, due_at=TIMEOUT + 7, timeout_at=moved)

    @pytest.mark.parametrize("change", CHANGES)
    def test_stay_if_either_is_not_as_it_was_read(self, store: Store, create: Callable[..., Token], change: str) -> None:
        """So one change never undoes another. What was absent must be absent, too."""
        instants = (None, TIMEOUT, TIMEOUT + 1)
        for stored, read in product(product(instants, repeat=2), repeat=2):
            token = create(timeout_at=stored[0], due_at=stored[1])
            changed = self.change(store, change, replace(token, timeout_at=read[0], due_at=read[1]), TIMEOUT + 7)
            assert changed is (stored == read)
            assert (store.get(token.id) == token) is not changed

    @pytest.mark.parametrize("due_at", [None, TIMEOUT - 5])
    @pytest.mark.parametrize("moved", [None, TIMEOUT + 7])
    def test_may_lose_the_timeout_and_keep_a_look(
        self, store: Store, create: Callable[..., Token], moved: int | None, due_at: int | None
    ) -> None:
        token = create(timeout_at=TIMEOUT, due_at=TIMEOUT)
        assert store.move_deadline(token, moved, due_at, START)
        assert store.get(token.id) == replace(token, timeout_at=moved, due_at=due_at)

    @pytest.mark.parametrize("due_at", [None, TIMEOUT, TIMEOUT + 9])
    @pytest.mark.parametrize("noted", [{"reminded_count": 2, "reminded_at": START}, {"escalated_at": START}])
    def test_change_together_with_what_was_asked(
        self, store: Store, create: Callable[..., Token], due_at: int | None, noted: dict[str, Any]
    ) -> None:
        token = create(timeout_at=TIMEOUT + 9, due_at=TIMEOUT - 1, tags=("a",), rules=ALL_RULES)
        asked = replace(token, due_at=due_at, **noted)
        assert store.remind(token, asked)
        assert store.get(token.id) == asked
        assert not store.remind(token, asked)
        assert store.move_deadline(asked, TIMEOUT + 5, TIMEOUT + 5, START)
        assert store.get(token.id) == replace(asked, timeout_at=TIMEOUT + 5, due_at=TIMEOUT + 5)

    def test_and_answers_at_the_same_moment_fail_neither(self, store: Store, create: Callable[..., Token]) -> None:
        """An answer and a reminder have numbers of their own."""
        for _ in range(10):
            token = create(timeout_at=TIMEOUT, due_at=START)
            answer = Answer("ann", "approve", "{}", START)
            asked = replace(token, reminded_count=1, reminded_at=START, due_at=TIMEOUT)
            racers: list[Callable[[], Any]] = [
                partial(store.remind, token, asked),
                partial(store.answer, token, answer, None),
                partial(store.add_waiter, token.id, waiter(), START),
            ]
            reminded, (answered, _), refused = race(racers)
            assert (reminded, answered, refused) == (True, True, None)
            now = store.get(token.id)
            assert (now.answers, now.reminded_count, now.due_at, len(now.waiters)) == ((answer,), 1, TIMEOUT, 1)


class TestKeepLonger:
    """What expires after a token's timeout: nothing of it may be gone while the token waits."""

    KINDS = ((None, ()), *((kind, (str(kind),)) for kind in DocumentKind))

    @pytest.fixture
    def table(self, stack: MotoStack) -> Store:
        return in_dynamodb(stack)

    def create(self, table: Store, kind: DocumentKind | None, key: IdempotencyKey | None, timeout_at: int | None) -> Token:
        is_page, is_metadata = kind is DocumentKind.PAGE, kind is DocumentKind.METADATA
        has_rules = kind is not None and not is_metadata
        rules = Rules(has_schema=not is_page, has_page=is_page) if has_rules else None
        text, end = (key.text, key.expires_at) if key else (None, None)
        token = Token(
            id=ids.new_id(START),
            created_at=START,
            timeout_at=timeout_at,
            rules=rules,
            idempotency_key=text,
            idempotency_key_expires_at=end,
            metadata="{}" if is_metadata else None,
            has_metadata=is_metadata,
        )
        assert table.create(token, key, START, document=Document(kind, "{}") if kind and has_rules else None) is None
        return token

    def new_key(self, lifetime: int | None = 1_000) -> IdempotencyKey:
        return IdempotencyKey(ids.new_id(START), None if lifetime is None else START + lifetime)

    def expiries(self, stack: MotoStack, token: Token, key: IdempotencyKey | None = None) -> dict[str, int | None]:
        """When each item beside a token expires, and that of its key, in seconds after the retention of START."""
        ends = expiries(stack, token.id) | (expiries(stack, key_primary_key(key)["id"]["S"]) if key else {})
        assert ends.pop("token") is None
        return {item: None if end is None else end - START // 1000 - RETENTION for item, end in ends.items()}

    @pytest.mark.parametrize(("kind", "items"), KINDS)
    @pytest.mark.parametrize("has_key", [False, True])
    def test_widens_and_never_narrows_when_they_expire(
        self, stack: MotoStack, table: Store, kind: DocumentKind | None, items: tuple[str, ...], has_key: bool
    ) -> None:
        key = self.new_key() if has_key else None
        token = self.create(table, kind, key, START + 60_000)
        items = (*items, "key") if has_key else items
        for until, ends in ((120, 120), (90, 120), (120, 120), (121, 121), (None, None), (500, None)):
            table.keep_longer(token, None if until is None else START + until * 1000)
            assert self.expiries(stack, token, key) == dict.fromkeys(items, ends)

    def test_gives_no_expiry_to_what_has_none(self, stack: MotoStack, table: Store) -> None:
        key = self.new_key(lifetime=None)
        token = self.create(table, DocumentKind.PAGE, key, START + 60_000)
        unending = self.create(table, DocumentKind.PAGE, None, None)
        for one in (token, unending):
            table.keep_longer(one, START + 120_000)
        assert self.expiries(stack, token, key) == {"page": 120, "key": None}
        assert self.expiries(stack, unending) == {"page": None}

    @pytest.mark.parametrize("until", [None, START + 10**9])
    def test_leaves_a_key_that_names_another_token(self, stack: MotoStack, table: Store, until: int | None) -> None:
        key = self.new_key()
        token = self.create(table, None, key, START + 60_000)
        later = replace(token, id=ids.new_id(START), timeout_at=START + 70_000)
        assert table.create(later, key, START + 1_000) is None
        table.keep_longer(token, until)
        assert self.expiries(stack, later, key) == {"key": 70}

    def test_brings_nothing_back(self, stack: MotoStack, table: Store) -> None:
        """An item that TTL has deleted stays away: it would have neither its text nor an end."""
        token = self.create(table, DocumentKind.PAGE, None, START + 60_000)
        client_of("dynamodb").delete_item(TableName=table._table.name, Key=primary_key(token.id, "page"))
        for until in (None, START + 120_000):
            table.keep_longer(token, until)
        assert self.expiries(stack, token) == {}

    def test_leaves_to_the_doctor_what_expires_no_more(self, stack: MotoStack, table: Store) -> None:
        token = self.create(table, DocumentKind.PAGE, None, START + 60_000)
        table.keep_longer(token, None)
        items = stack.items(token.id)
        assert [is_endless_attachment(item) for item in items] == [True, False]  # the page, the token


class TestAddWaiter:
    def test_keeps_each_combination_of_its_options(self, store: Store, create: Callable[..., Token]) -> None:
        options = product((False, True), (False, True), (None, EXECUTION), WaiterKind)
        waiters = [Waiter(f"handle-{number}", START, *given) for number, given in enumerate(options)]
        created, added = create(waiters={one.key: one for one in waiters}), create()
        for one in waiters:
            store.add_waiter(added.id, one, START)
        assert store.get(created.id).waiters == store.get(added.id).waiters == {one.key: one for one in waiters}

    @pytest.mark.parametrize(
        "task_token",
        ["AQ==", "AQ", "AR==", "a+b/", "a-b_", "cd3f0f3e-2b5e-4d1c-9a57-1a2b3c4d5e6f", " AQ==", "AQ==\n", "Größe", "A" * 2048],
    )
    @pytest.mark.parametrize("kind", WaiterKind)
    def test_keeps_its_handle_exactly(
        self, store: Store, create: Callable[..., Token], task_token: str, kind: WaiterKind
    ) -> None:
        token, one = create(), Waiter(task_token, START, kind=kind)
        store.add_waiter(token.id, one, START)
        assert store.get(token.id).waiters == {one.key: one}

    def test_a_second_time_is_refused_and_keeps_the_first(self, store: Store, create: Callable[..., Token]) -> None:
        token, one = create(), waiter()
        store.add_waiter(token.id, one, START)
        was = store.add_waiter(token.id, Waiter(one.handle, START + 9, unwrap=True), START + 9)
        assert was
        assert was.waiters == {one.key: one} == store.get(token.id).waiters

    def test_has_room_for_one_hundred_and_no_more(self, store: Store, create: Callable[..., Token]) -> None:
        waiters = [waiter() for _ in range(MAX_WAITERS)]
        token = create(waiters={one.key: one for one in waiters[:-1]})
        for _ in range(3):  # registering again takes no room
            store.add_waiter(token.id, waiters[0], START)
        assert store.add_waiter(token.id, waiters[-1], START) is None
        for options in (
            {},
            {"unwrap": True},
            {"context": True},
            {"execution": EXECUTION},
            {"kind": WaiterKind.DURABLE_FUNCTION},
        ):
            was = store.add_waiter(token.id, replace(waiter(), **options), START)
            assert was
            assert set(was.waiters) == {one.key for one in waiters}
        assert store.get(token.id) == was


class TestIdempotencyKey:
    def key(self, expires_at: int | None = None, request: str | None = None) -> IdempotencyKey:
        return IdempotencyKey(self.name, expires_at, request)

    @pytest.fixture(autouse=True)
    def fresh_name(self) -> None:
        self.name = ids.new_id(START)

    def token(self) -> Token:
        return Token(id=ids.new_id(START), created_at=START, idempotency_key=self.name)

    @pytest.mark.parametrize(("late", "free"), [(-1, False), (0, True), (1, True)])
    def test_is_released_at_the_millisecond_of_its_expiry(self, store: Store, late: int, free: bool) -> None:
        first, second = self.token(), self.token()
        store.create(first, self.key(expires_at=TIMEOUT), START)
        holder = store.create(second, self.key(), TIMEOUT + late)
        assert (holder is None) is free
        assert store.get(first.id) == first

    def test_once_taken_over_belongs_to_the_new_token(self, store: Store) -> None:
        first, second = self.token(), self.token()
        store.create(first, self.key(expires_at=TIMEOUT), START)
        store.create(second, self.key(), TIMEOUT)
        holder = store.create(self.token(), self.key(), TIMEOUT + 10**12)
        assert holder is not None
        assert holder.token_id == second.id

    def test_never_expires_without_an_expiry(self, store: Store) -> None:
        store.create(self.token(), self.key(), START)
        assert store.create(self.token(), self.key(), START + 10**13) is not None

    def test_is_released_once_its_token_is_known_to_be_removed(self, store: Store) -> None:
        first, second, third = self.token(), self.token(), self.token()
        store.create(first, self.key(), START)
        assert store.create(second, self.key(), START, replaced=held_by(second)) is not None
        assert store.create(second, self.key(), START, replaced=held_by(first)) is None
        holder = store.create(third, self.key(), START, replaced=held_by(first))  # too late: it was taken over
        assert holder is not None
        assert holder.token_id == second.id

    @pytest.mark.parametrize(
        ("first", "again", "same"),
        [("a", "a", True), ("a", "b", False), (None, "a", False), ("a", None, False), (None, None, False)],
    )
    def test_recognizes_a_retry_of_the_call_that_made_the_token(
        self, store: Store, first: str | None, again: str | None, same: bool
    ) -> None:
        store.create(self.token(), self.key(request=first), START)
        holder = store.create(self.token(), self.key(request=again), START)
        assert holder is not None
        assert holder.same_request is same

    def test_of_a_user_never_collides_with_that_of_a_request(self, store: Store) -> None:
        store.create(self.token(), self.key(), START)
        assert store.create(self.token(), IdempotencyKey(self.name, TIMEOUT, self.name, KeyKind.REQUEST), START) is None


class TestKeeping:
    """Invariant 5: a completion by key and a create with that key meet, in either order, and there is one token."""

    @pytest.fixture(autouse=True)
    def fresh_name(self) -> None:
        self.name = ids.new_id(START)

    def key(self, expires_at: int = TIMEOUT) -> IdempotencyKey:
        return IdempotencyKey(self.name, expires_at)

    def token(self) -> Token:
        return Token(id=ids.new_id(START), created_at=START, idempotency_key=self.name, tags=("a", "b"))

    def completion(self, early_until: int = TIMEOUT) -> Token:
        return Token(
            id=ids.new_id(START),
            created_at=START,
            idempotency_key=self.name,
            outcome=Completed(START, OUTPUT),
            early_until=early_until,
        )

    def kept(self, store: Store) -> tuple[Token, KeyHolder]:
        """A completion that is kept, and the holder of its key."""
        self.name = ids.new_id(START)
        kept = self.completion()
        assert store.put_early(kept, self.key(), START) is None
        return kept, KeyHolder(kept.id, START, False, TIMEOUT, is_early=True)

    def listed(self, store: Store, token_id: str) -> list[str]:
        """The lists in which a token is: of all, and of its key."""
        whole = IdRange(token_id, token_id, ascending=False)
        lists = {"all": Filter(), "key": Filter(idempotency_key=self.name)}
        return [name for name, wanted in lists.items() if any(read(whole, 10)[0] for read in store.partitions(wanted, START))]

    def test_makes_a_settled_token_that_is_in_no_list(self, store: Store) -> None:
        kept, holder = self.kept(store)
        assert store.find_key_holder(self.key()) == holder
        assert store.get(kept.id) == kept
        assert self.listed(store, kept.id) == []

    def test_gives_the_holder_to_a_create_which_claims_it(self, store: Store) -> None:
        traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        kept, holder = self.kept(store)
        token = replace(self.token(), idempotency_key_expires_at=TIMEOUT + 9, traceparent=traceparent, created_by="nightly")
        assert store.create(token, self.key(), START + 1) == holder
        assert store.claim(holder, token, self.key(TIMEOUT + 9), TIMEOUT - 1)
        claimed = store.get(kept.id)
        new = {
            "tags": ("a", "b"),
            "idempotency_key_expires_at": TIMEOUT + 9,
            "traceparent": traceparent,
            "created_by": "nightly",
        }
        assert claimed.early_until is None
        assert {name: getattr(claimed, name) for name in new} == new
        assert replace(claimed, early_until=kept.early_until, **{name: getattr(kept, name) for name in new}) == kept
        assert self.listed(store, kept.id) == ["all", "key"]

    @pytest.mark.parametrize(("expires_at", "later"), [(None, 10**13), (TIMEOUT + 9, TIMEOUT + 8)])
    def test_that_is_claimed_holds_its_key_as_long_as_the_create_asks(
        self, store: Store, expires_at: int | None, later: int
    ) -> None:
        kept, holder = self.kept(store)
        key = IdempotencyKey(self.name, expires_at, "a request")
        assert store.claim(holder, self.token(), key, START)
        again = KeyHolder(kept.id, START, False, expires_at)  # a retry of the request is told the same as the first try
        assert store.create(self.token(), key, later) == again
        if expires_at:
            assert store.create(self.token(), key, later + 1) is None

    def test_that_is_claimed_gets_the_metadata_of_the_create_that_claims_it(self, store: Store) -> None:
        kept, holder = self.kept(store)
        for text in ("{}", '{"second": true}'):
            wanted = replace(self.token(), metadata=text, has_metadata=True)
            assert store.claim(holder, wanted, self.key(), START)
        claimed = store.get(kept.id)
        assert (claimed.metadata, claimed.has_metadata) == ("{}", True)

    def test_that_is_claimed_is_no_longer_replaced(self, store: Store) -> None:
        kept, holder = self.kept(store)
        assert store.claim(holder, self.token(), self.key(), START)
        assert store.find_key_holder(self.key()) == KeyHolder(kept.id, START, False, TIMEOUT)
        for found in (
            store.create(self.token(), self.key(), START, replaced=holder),
            store.put_early(self.completion(), self.key(), START, replaced=holder),
        ):
            assert found == KeyHolder(kept.id, START, False, TIMEOUT)

    def test_is_claimed_once(self, store: Store) -> None:
        kept, holder = self.kept(store)
        for tags in (("c",), ("d",)):
            assert store.claim(holder, replace(self.token(), tags=tags), self.key(), START)
        assert store.get(kept.id).tags == ("c",)

    @pytest.mark.parametrize(("late", "exists"), [(-1, True), (0, False)])
    def test_is_claimed_until_the_last_millisecond(self, store: Store, late: int, exists: bool) -> None:
        _, holder = self.kept(store)
        assert store.claim(holder, self.token(), self.key(), TIMEOUT + late) is exists

    def test_is_not_claimed_after_ttl_removed_it(self, store: Store) -> None:
        holder = KeyHolder(ids.new_id(START), START, False, TIMEOUT, is_early=True)
        assert not store.claim(holder, self.token(), self.key(), START)

    def test_is_deleted_with_its_key_until_a_create_claims_it(self, store: Store) -> None:
        kept, _ = self.kept(store)
        store.count_delivery(kept.id, kept.outcome, CompletedBy(source=Source.ENDPOINT, ip="192.0.2.1"), START)
        assert store.release_early(kept)
        assert (store.get(kept.id).id, store.find_key_holder(self.key())) == (kept.id, None)
        assert store.release_early(kept), "as after a failure in between"
        assert store.delete_early(kept.id)
        assert store.find(kept.id) is None
        assert not store.release_early(kept)
        assert not store.delete_early(kept.id)

        kept, holder = self.kept(store)
        assert store.claim(holder, self.token(), self.key(), START)
        assert not store.release_early(kept)
        assert not store.delete_early(kept.id)
        assert (store.get(kept.id).early_until, store.find_key_holder(self.key())) == (None, replace(holder, is_early=False))

    def test_is_deleted_without_a_key_that_another_one_has(self, store: Store) -> None:
        kept, holder = self.kept(store)
        other = self.completion()
        assert store.put_early(other, self.key(), START, replaced=holder) is None
        assert store.release_early(kept)
        assert store.delete_early(kept.id)
        assert (store.find(kept.id), store.find_key_holder(self.key())) == (None, replace(holder, token_id=other.id))

    def test_finds_the_holder_even_after_its_key_has_expired(self, store: Store) -> None:
        token = self.token()
        store.create(token, self.key(), START)
        holder = store.put_early(self.completion(TIMEOUT + 9), self.key(TIMEOUT + 9), TIMEOUT + 1)
        assert holder == store.find_key_holder(self.key()) == KeyHolder(token.id, START, False, TIMEOUT)

    def test_replaces_only_the_holder_that_is_named(self, store: Store) -> None:
        first, second, kept = self.token(), self.token(), self.completion(TIMEOUT + 9)
        store.create(first, self.key(), START)
        store.create(second, self.key(), TIMEOUT)
        holder = store.put_early(kept, self.key(TIMEOUT + 9), TIMEOUT, replaced=held_by(first))
        assert holder is not None
        assert holder.token_id == second.id
        assert store.put_early(kept, self.key(TIMEOUT + 9), TIMEOUT, replaced=held_by(second)) is None

    def test_has_no_holder_where_nobody_said_the_key(self, store: Store) -> None:
        assert store.find_key_holder(self.key()) is None

    RACES: ClassVar[dict[str, Callable[..., KeyHolder | None]]] = {
        "a create that does not accept it": lambda store, one, holder: store.create(
            one.token(), one.key(), START, replaced=holder
        ),
        "a create at its end": lambda store, one, _: store.create(one.token(), one.key(TIMEOUT + 9), TIMEOUT),
        "another completion": lambda store, one, _: store.put_early(one.completion(), one.key(), TIMEOUT - 1),
    }

    @pytest.mark.slow
    @pytest.mark.parametrize("other", RACES.values(), ids=RACES)
    def test_is_claimed_or_replaced(self, store: Store, other: Callable[..., KeyHolder | None]) -> None:
        """Whichever is first, both get its token, and no early completion is left."""
        for _ in range(20):
            kept, holder = self.kept(store)
            racers: list[Callable[[], object]] = [
                partial(store.claim, holder, self.token(), self.key(TIMEOUT + 9), TIMEOUT - 1),
                partial(other, store, self, holder),
            ]
            claimed, found = race(racers)
            now_held = store.find_key_holder(self.key())
            assert now_held is not None
            assert (store.get(now_held.token_id).early_until, now_held.is_early) == (None, False)
            assert (now_held.token_id == kept.id) is claimed
            assert isinstance(found, KeyHolder) is claimed

    @pytest.mark.slow
    def test_is_claimed_or_deleted(self, store: Store) -> None:
        for _ in range(20):
            kept, holder = self.kept(store)
            claim = partial(store.claim, holder, self.token(), self.key(), START)
            claimed, released = race([claim, partial(store.release_early, kept)])
            assert claimed is not released
            assert (store.delete_early(kept.id), store.find_key_holder(self.key()) is None) == (released, released)


def held_by(token: Token) -> KeyHolder:
    """The holder of a key that a caller saw earlier."""
    return KeyHolder(token.id, START, False, is_early=token.early_until is not None)


class TestReplies:
    def test_are_read_with_their_token(self, store: Store, create: Callable[..., Token]) -> None:
        one, other = waiter(), waiter()
        token = create(waiters={one.key: one, other.key: other})
        store.complete(token.id, Completed(START, OUTPUT), ALL_CHECKED)
        reply = Reply(ReplyKind.RESUMED, START + 3)
        store.record_replies(token.id, {one.key: reply}, START)
        read = store.get(token.id)
        assert read.replies == {one.key: reply}
        assert read.unresumed() == [other]

    def test_can_be_recorded_one_at_a_time(self, store: Store, create: Callable[..., Token]) -> None:
        token = create()
        store.record_replies(token.id, {"a": Reply(ReplyKind.RESUMED, START)}, START)
        store.record_replies(token.id, {"b": Reply(ReplyKind.GONE, START + 1)}, START)
        assert store.get(token.id).replies == {"a": Reply(ReplyKind.RESUMED, START), "b": Reply(ReplyKind.GONE, START + 1)}

    @pytest.mark.parametrize("answers", [(ReplyKind.RESUMED, ReplyKind.GONE), (ReplyKind.GONE, ReplyKind.RESUMED)])
    def test_resumed_is_not_replaced_by_gone(
        self, store: Store, create: Callable[..., Token], answers: tuple[ReplyKind, ReplyKind]
    ) -> None:
        token = create()
        for answer in answers:
            store.record_replies(token.id, {"a": Reply(answer, START)}, START)
        assert store.get(token.id).replies["a"].kind is ReplyKind.RESUMED

    def test_of_one_hundred_waiters_fit_into_one_call(self, store: Store, create: Callable[..., Token]) -> None:
        token = create()
        for answer in (ReplyKind.GONE, ReplyKind.RESUMED):
            replies = {waiter().key: Reply(answer, START) for _ in range(MAX_WAITERS)}
            store.record_replies(token.id, replies, START)
            assert replies.items() <= store.get(token.id).replies.items()


class TestCountReplies:
    def test_of_many_tokens_at_once(self, store: Store, create: Callable[..., Token]) -> None:
        none, one, two = create(), create(), create()
        store.record_replies(one.id, {"a": Reply(ReplyKind.GONE, START)}, START)
        store.record_replies(two.id, {"a": Reply(ReplyKind.RESUMED, START), "b": Reply(ReplyKind.GONE, START)}, START)
        counted = store.count_replies([none.id, one.id, two.id, ids.new_id(START)])
        assert [counted.get(token.id, 0) for token in (none, one, two)] == [0, 1, 2]


class TestReleasingAKey:
    def held(self, store: Store, now: int = START) -> tuple[IdempotencyKey, Token, Attachment]:
        token = Token(id=ids.new_id(now), created_at=now)
        key = IdempotencyKey(token.id)
        store.create(token, key, now)
        text = digest(key.text)
        return key, token, Attachment(f"{key.kind}#{text}", "key", token.id, now)

    def test_makes_it_free(self, store: Store) -> None:
        key, _, endless = self.held(store)
        assert store.release(endless)
        assert not store.release(endless)
        assert store.create(Token(id=ids.new_id(START), created_at=START), key, START) is None

    def test_leaves_a_key_that_a_newer_token_holds(self, store: Store) -> None:
        key, token, endless = self.held(store)
        newer = Token(id=ids.new_id(START), created_at=START)
        assert store.create(newer, key, START, replaced=held_by(token)) is None
        assert not store.release(endless)
        holder = store.create(Token(id=ids.new_id(START), created_at=START), key, START)
        assert holder is not None
        assert holder.token_id == newer.id


class TestPartitions:
    def read(self, store: Store, wanted: Filter, now: int, made: list[Token], ascending: bool = False) -> list[str]:
        made_ids = {token.id for token in made}
        whole = IdRange(ids.FIRST, ids.LAST, ascending)
        found = [token.id for read in store.partitions(wanted, now) for token in read(whole, 10_000)[0]]
        return sorted(made_ids.intersection(found), reverse=not ascending)

    def test_hold_every_token_once(self, store: Store, create: Callable[..., Token]) -> None:
        made = [create() for _ in range(20)]
        assert self.read(store, Filter(), START, made) == sorted((token.id for token in made), reverse=True)

    @pytest.mark.parametrize("ascending", [False, True])
    def test_are_read_in_order_and_return_where_they_stopped(
        self, store: Store, create: Callable[..., Token], ascending: bool
    ) -> None:
        key = ids.new_id(START)
        made = [create(idempotency_key=key) for _ in range(5)]
        [read] = store.partitions(Filter(idempotency_key=key), START)
        within = IdRange(min(token.id for token in made), max(token.id for token in made), ascending)
        found, stopped_at = read(within, 3)
        expected = sorted((token.id for token in made), reverse=not ascending)
        assert [token.id for token in found] == expected[:3]
        assert stopped_at == expected[2]
        found, stopped_at = read(within, 6)
        assert [token.id for token in found] == expected
        assert stopped_at is None

    @pytest.fixture
    def one_of_each(self, store: Store, create: Callable[..., Token]) -> dict[str, Token]:
        """A token of each kind at TIMEOUT."""
        made = {
            "waiting": create(timeout_at=TIMEOUT + 1),
            "untimed": create(),
            "due": create(timeout_at=TIMEOUT),
            "timed out": create(timeout_at=TIMEOUT - 1),
            "completed": create(timeout_at=TIMEOUT),
            "failed": create(timeout_at=TIMEOUT),
        }
        store.time_out(made["timed out"].id, TIMEOUT)
        store.complete(made["completed"].id, Completed(START, OUTPUT), ALL_CHECKED)
        store.complete(made["failed"].id, Failed(START + 1, FAILURE), ALL_CHECKED)
        return made

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Filter(statuses=frozenset({Status.WAITING})), ["waiting", "untimed"]),
            (Filter(statuses=frozenset({Status.COMPLETED})), ["completed", "failed"]),
            (Filter(statuses=frozenset({Status.TIMED_OUT})), ["due", "timed out"]),
            (
                Filter(statuses=frozenset({Status.WAITING, Status.TIMED_OUT})),
                ["waiting", "untimed", "due", "timed out"],
            ),
            (Filter(output_is_error=True), ["due", "timed out", "failed"]),
            (Filter(output_is_error=False), ["waiting", "untimed", "completed"]),
            (Filter(output_is_error=True, statuses=frozenset({Status.COMPLETED})), ["failed"]),
            (Filter(output_is_error=False, statuses=frozenset({Status.TIMED_OUT})), []),
            (Filter(completed_from=START), ["due", "timed out", "completed", "failed"]),
            (Filter(completed_from=START + 1, completed_to=TIMEOUT - 1), ["timed out", "failed"]),
            (Filter(completed_from=TIMEOUT), ["due"]),
            (Filter(completed_to=START), ["completed"]),
            (Filter(completed_from=START + 1, completed_to=START), []),
            (Filter(completed_to=START + 1, output_is_error=True), ["failed"]),
        ],
    )
    def test_compute_the_outcome_from_the_clock(
        self, store: Store, one_of_each: dict[str, Token], wanted: Filter, expected: list[str]
    ) -> None:
        found = self.read(store, wanted, TIMEOUT, list(one_of_each.values()))
        assert sorted(found) == sorted(one_of_each[name].id for name in expected)

    def test_tell_a_failed_token_from_a_completed_one(self, store: Store, one_of_each: dict[str, Token]) -> None:
        """Though the indexes do not project the error."""
        whole = IdRange(ids.FIRST, ids.LAST, False)
        found = {token.id: token for read in store.partitions(Filter(), TIMEOUT) for token in read(whole, 10_000)[0]}
        assert isinstance(found[one_of_each["failed"].id].outcome, Failed)
        assert isinstance(found[one_of_each["completed"].id].outcome, Completed)

    def test_know_each_tag(self, store: Store, create: Callable[..., Token]) -> None:
        a, ab, c, none = create(tags=("a",)), create(tags=("a", "b")), create(tags=("c",)), create()
        found = self.read(store, Filter(tags=frozenset({"b", "c"})), START, [a, ab, c, none])
        assert sorted(found) == sorted([ab.id, c.id])

    def test_know_the_tag_that_every_token_must_have_beside_each_other_filter(
        self, store: Store, create: Callable[..., Token]
    ) -> None:
        a, ab, b = create(tags=("a",)), create(tags=("a", "b"), timeout_at=TIMEOUT), create(tags=("b",))
        made = [a, ab, b, create(), create(tags=("aa",))]
        for wanted, expected in (
            (Filter(only_tag="a"), {a.id, ab.id}),
            (Filter(only_tag="a", tags=frozenset({"b", "c"})), {ab.id}),
            (Filter(only_tag="c", tags=frozenset({"b"})), set()),
            (Filter(only_tag="a", statuses=frozenset({Status.TIMED_OUT})), {ab.id}),
            (Filter(only_tag="b", statuses=frozenset({Status.WAITING}), output_is_error=False), {b.id}),
        ):
            assert set(self.read(store, wanted, TIMEOUT, made)) == expected

    def test_know_it_beside_the_key(self, store: Store) -> None:
        name = ids.new_id(START)
        token = Token(id=ids.new_id(START), created_at=START, idempotency_key=name, tags=("a",))
        store.create(token, IdempotencyKey(name), START)
        found = [self.read(store, Filter(idempotency_key=name, only_tag=tag), START, [token]) for tag in ("a", "b", None)]
        assert found == [[token.id], [], [token.id]]

    def test_know_it_of_what_is_undelivered(self, store: Store, create: Callable[..., Token]) -> None:
        made = []
        for tags in (("a",), ("b",)):
            one = waiter()
            token = create(tags=tags, waiters={one.key: one})
            store.complete(token.id, Completed(START, OUTPUT), ALL_CHECKED)
            store.mark_unresumed(token.id, START)
            made.append(token)
        found = [self.read(store, Filter(undelivered=True, only_tag=tag), START, made) for tag in ("a", None)]
        assert found == [[made[0].id], sorted((token.id for token in made), reverse=True)]


def test_ttl_removes_settled_tokens_after_retention_but_never_waiting_ones(stack: MotoStack) -> None:
    store = in_dynamodb(stack)
    token = Token(id=ids.new_id(START), created_at=START, timeout_at=TIMEOUT)
    store.create(token, None, START)
    [attribute] = stack.template.resources("AWS::DynamoDB::Table").values()
    assert attribute["TimeToLiveSpecification"]["AttributeName"] == "expiresAt"
    assert expiries(stack, token.id) == {"token": None}
    store.complete(token.id, Completed(START + 1000, OUTPUT), ALL_CHECKED)
    store.record_replies(token.id, {"a": Reply(ReplyKind.RESUMED, START)}, START + 1000)
    assert expiries(stack, token.id) == dict.fromkeys(["replies", "token"], START // 1000 + 1 + RETENTION)


def test_ttl_removes_a_kept_completion_with_its_key_unless_a_create_claims_it(stack: MotoStack) -> None:
    store, key = in_dynamodb(stack), IdempotencyKey(ids.new_id(START), TIMEOUT)
    kept = Token(id=ids.new_id(START), created_at=START, outcome=Completed(START, OUTPUT), early_until=TIMEOUT)
    store.put_early(kept, key, START)
    key_id = f"idempotency#{digest(key.text)}"
    ends = TIMEOUT // 1000 + 1
    assert (expiries(stack, kept.id), expiries(stack, key_id)) == ({"token": ends}, {"key": ends})
    holder = store.find_key_holder(key)
    assert holder is not None
    assert store.claim(holder, Token(id=ids.new_id(START), created_at=START), replace(key, expires_at=None), TIMEOUT - 1)
    ends = START // 1000 + RETENTION
    assert (expiries(stack, kept.id), expiries(stack, key_id)) == ({"token": ends}, {"key": ends})


@pytest.mark.parametrize(
    ("kind", "timeout_at", "expires_at"),
    [
        (KeyKind.IDEMPOTENCY, None, None),  # its token may wait for any time
        (KeyKind.IDEMPOTENCY, TIMEOUT, TIMEOUT // 1000 + RETENTION),
        (KeyKind.IDEMPOTENCY, START + 1, (TIMEOUT + RETENTION * 1000) // 1000 + 1),
        (KeyKind.REQUEST, None, (TIMEOUT + RETENTION * 1000) // 1000 + 1),  # no completion looks for it
    ],
)
def test_ttl_removes_a_key_only_after_its_expiry_and_after_its_token(
    stack: MotoStack, kind: KeyKind, timeout_at: int | None, expires_at: int | None
) -> None:
    text, until = ids.new_id(START), TIMEOUT + RETENTION * 1000
    key = IdempotencyKey(text, TIMEOUT if timeout_at == TIMEOUT else until, kind=kind)
    token = Token(id=ids.new_id(START), created_at=START, timeout_at=timeout_at)
    in_dynamodb(stack).create(token, key, START)
    assert expiries(stack, f"{kind}#{digest(text)}") == {"key": expires_at}
