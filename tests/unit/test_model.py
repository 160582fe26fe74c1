"""Events in any order end as a ten-line model predicts, and every execution is resumed once.

The handlers of the stream and of the timers run on the domain. Streams tell of each item in order, of several
in any order, and repeat themselves; timers come early, late and twice; rounds that start them are missing or die, and the
index that they read lags; deadlines are moved; states and durable functions wait; AWS
throttles resumes and loses their answers; approvers answer a page, by their links or as who has signed in; functions die with
recorded deliveries, which the doctor processes.
"""

import json
import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from operator import itemgetter
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from waitpoints_client.ops.stream_filter import matches

import expire_tokens
import resume_waiters
import schedule_timeouts
import start_timers
from tests.support import sign_in
from tests.support.in_process.api_gateway import TOKENS
from tests.support.in_process.fakes.issuer import CLIENT
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.fakes.timer_queue import Sent
from tests.support.in_process.fakes.waits import LOST_RESPONSE, THROTTLED, UNAVAILABLE, FakeWaits, Fault
from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.settling import COMPLETED_BY, limited_to
from tests.support.in_process.stores import Index, TokenStore
from tests.support.in_process.template import Context, Template
from tests.support.in_process.world import World
from tools.openapi.operations import ENDPOINTS
from waitpoints.api.callbacks import callback, output_check
from waitpoints.api.endpoints import pending
from waitpoints.api.page import page_checks
from waitpoints.api.representation import retrieved
from waitpoints.approvers import answer_members
from waitpoints.aws.items import TOKEN, plain
from waitpoints.complete_by_key import EarlyCompletion, NotAwaited
from waitpoints.errors import (
    CannotResumeNow,
    Forbidden,
    KeyTaken,
    OutsideTag,
    PayloadRefused,
    TimersNotStarted,
    TokenNotFound,
    WaitpointsError,
)
from waitpoints.listing import ListQuery
from waitpoints.ports import Cursor, Timer
from waitpoints.timers.due import PATIENCE
from waitpoints.token import (
    NEAR,
    Completed,
    Document,
    DocumentKind,
    Failed,
    IdempotencyKey,
    NewToken,
    Outcome,
    ReplyKind,
    Rules,
    TimedOut,
    Token,
    TokenError,
    Waiter,
    WaiterKind,
    iso,
)
from waitpoints.tokens import Ended, Settled
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services


class Died(BaseException):
    """What a function does."""


RUNS, STEPS = 150, 60
PROVIDERS_SECRET = "the secret of a provider"
KINDS = st.sampled_from(WaiterKind)
MATCHING = '"yes"'
FILTER, TYPE = Rules(complete_when=f"body == `{MATCHING}`"), Rules(has_schema=True)
SCHEMA = Document(DocumentKind.SCHEMA, json.dumps({"const": json.loads(MATCHING)}))
NEEDS = {"approve": 2, "reject": 1}
PAGE: dict[str, Any] = {
    "title": "Go?",
    "approvers": ["ann", "bo", "cy"],
    "actions": [{"id": name, "label": name, "needs": needs} for name, needs in NEEDS.items()],
    "fields": {"properties": {"amount": {"type": "number"}, "note": {"type": "string"}}},
    "sameFields": ["amount"],
}
DECISION, ASKED = Rules(has_page=True, has_approvers=True), Document(DocumentKind.PAGE, page_checks.parse(PAGE)[1])
ISSUER = "https://issuer.example.com"
SIGNED_PAGE, SIGNED_TEXT = page_checks.parse(
    {**PAGE, "signIn": True, "approvers": [{"id": name, "subject": name} for name in PAGE["approvers"]]}, (ISSUER, CLIENT)
)
SIGNED, ASKED_SIGNED = (
    Rules(has_page=True, has_approvers=True, has_sign_in=True),
    Document(DocumentKind.PAGE, SIGNED_TEXT, since_version=SIGNED_PAGE.since_version),
)
DECISIONS = (DECISION, SIGNED)
DOCUMENTS = {TYPE: SCHEMA, DECISION: ASKED, SIGNED: ASKED_SIGNED}
NO = TokenError("It is out of stock", "OutOfStock", "E_STOCK")
TIMEOUTS = st.integers(1, 5_000) | st.integers(NEAR - 2, NEAR + 2) | st.integers(NEAR, 5 * NEAR)
ROUND = 60_000  # milliseconds between two rounds
LAG = 11 * 60_000  # milliseconds by which the index may lag
FEW = 6  # tokens, so that much happens to each
FOREVER = 10**15  # epoch milliseconds
EVERY_TOKEN = ListQuery[Any](size=1_000)
TAG = "ours"  # to which some callers are limited
WITHIN = st.none() | st.just(TAG)
TAGS = st.sampled_from([(), (TAG,), ("theirs",)])  # which decide nothing by key
KEEPING, PASSING = "keeping", "passing"  # endpoints: one keeps a delivery that comes first, the other does not
KEPT_FOR = 5_000  # milliseconds
RECORDING = "recording"  # an endpoint that keeps, and records what comes
KEYS = ["a", "b", f"{KEEPING}:a", f"{PASSING}:a", f"{RECORDING}:a"]
HANDLERS = {module.__name__: module.handler for module in (resume_waiters, schedule_timeouts)}
TEMPLATE = Template.load()
FILTERS = {name: TEMPLATE.stream_filter(name) for name in HANDLERS}


@dataclass
class Model:
    """What the callers of one token may rely on."""

    timeout_at: int | None
    rules: Rules | None = None
    tags: tuple[str, ...] = ()
    output: str | TokenError | None = None
    others: int = 0
    early_until: int | None = None
    removed: bool = False
    answers: list[dict[str, Any]] = field(default_factory=list)
    people: list[str] = field(default_factory=lambda: [*PAGE["approvers"]])
    removed_people: list[str] = field(default_factory=list)
    hand_overs: list[dict[str, Any]] = field(default_factory=list)
    asks: tuple[int, ...] = ()
    """When its page reminds."""
    is_later: bool = False
    """Whether a later version wrote it, and may alone settle it."""

    def exists(self, now: int) -> bool:
        """An early completion ends with its key, unless a create claims it."""
        return not self.removed and (self.early_until is None or now < self.early_until)

    def complete(self, output: str | TokenError, now: int) -> None:
        self.output = output if self.outcome(now) is None else self.output

    def deliver(self, output: str, now: int) -> None:
        """A delivery to the callback URL, which is signed."""
        if self.rules == SIGNED:
            return  # not even counted: who is not signed in cannot know of it
        if self.outcome(now) is None and self.rules != DECISION and (self.rules is None or output == MATCHING):
            self.complete(output, now)
        else:
            self.others += 1

    def answer(self, person: str, action: str, fields: dict[str, Any], now: int, **signed_in: Any) -> int:
        """One answer a person before the end, and the first stands. Amounts of an action are the same.

        What as many have chosen as it needs is decided. Returns the status.
        """
        if person not in self.people:
            return 403
        earlier = next(((one["action"], one["fields"]) for one in self.answers if one["approver"] == person), None)
        if earlier or self.outcome(now) is not None:
            self.others += earlier != (action, fields)
            return 200
        if any(one["action"] == action and one["fields"].get("amount") != fields.get("amount") for one in self.answers):
            self.others += 1
            return 422
        self.answers.append({"approver": person, "action": action, "fields": fields, "at": iso(now), **signed_in})
        if [one["action"] for one in self.answers].count(action) == NEEDS[action]:
            decided = {"action": action, "fields": fields, "approver": person, "answers": self.answers, **self.handed_over()}
            self.complete(json.dumps(decided, separators=(",", ":")), now)
        return 200

    def hand_over(self, add: str | None, remove: str | None, now: int) -> int:
        """Change who may answer. Returns the status: an id that was removed never comes back, and one person is too few."""
        if self.outcome(now) is not None or remove in [one["approver"] for one in self.answers]:
            return 409
        gone = {*self.removed_people, *([remove] if remove else [])}
        if add in gone or remove not in (None, *self.people, *self.removed_people):
            return 422
        added = [one for one in (add,) if one and one not in self.people]
        removed = [one for one in (remove,) if one and one in self.people]
        people = [one for one in self.people if one != remove] + added
        if (added or removed) and len(people) < 2:
            return 422
        if added or removed:
            self.people, self.removed_people = people, [*self.removed_people, *removed]
            self.hand_overs.append({"added": added, "removed": removed, "at": iso(now)})
        return 200

    def handed_over(self) -> dict[str, Any]:
        return {"handOvers": self.hand_overs} if self.hand_overs else {}

    def is_outside(self, within: str | None) -> bool:
        return within is not None and within not in self.tags

    def outcome(self, now: int) -> str | TokenError | int | None:
        """The output, the error, the instant of its timeout, or None while it waits."""
        timed_out = self.output is None and self.timeout_at is not None and self.timeout_at <= now
        return self.timeout_at if timed_out else self.output


@dataclass
class Execution:
    token_id: str
    waits: FakeWaits
    unwrap: bool = False
    context: bool = False
    handles: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A state that is entered again has a new task token, and a durable function's step the same callback id."""
        if self.handles and self.waits.kind is WaiterKind.STEP_FUNCTIONS:
            self.waits.stop(self.handles[-1])
        if not self.handles or self.waits.kind is WaiterKind.STEP_FUNCTIONS:
            self.handles.append(self.waits.start())

    def waiter(self, now: int) -> Waiter:
        return Waiter(self.handles[-1], now, self.unwrap, self.context, kind=self.waits.kind)

    def result(self) -> Success | Failure | None:
        return self.waits.result(self.handles[-1])


class InTurn(ThreadPoolExecutor):
    """Does what it is given at once, in no thread: to start one takes longer than what it does here."""

    def submit(self, do: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(do(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class StreamedStore(TokenStore):
    """The store, with a stream for each token's item. `lose_records` makes the next recording of answers fail.

    `miss_replies` makes the next read of many tokens' answers miss them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._streams: dict[str, list[dict[str, Any]]] = {}
        self._told = the_stack().writes()
        self.lose_records = 0
        self.miss_replies = 0

    @property
    def streams(self) -> dict[str, list[dict[str, Any]]]:
        until = the_stack().writes()
        for record in the_stack().written(self._told, until):
            keys = plain(record["dynamodb"]["Keys"])
            if keys["item"] == TOKEN:
                self._streams.setdefault(keys["id"], []).append(record)
        self._told = until
        return self._streams

    def record_replies(self, token_id: str, replies: Any, now: int) -> None:
        if self.lose_records:
            self.lose_records -= 1
            raise ConnectionError("the answers are not recorded")
        super().record_replies(token_id, replies, now)

    def count_replies(self, token_ids: Collection[str]) -> Mapping[str, int]:
        if self.miss_replies:
            self.miss_replies -= 1
            return {}
        return super().count_replies(token_ids)


class LaggingIndex(Index):
    """The index, which may show what was, and whose cursor may not move: the round dies before it does."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: list[Timer] | None = None
        self.since = 0
        self.dies = False

    def freeze(self, now: int) -> None:
        self.frozen, _ = super().read(0, Cursor(), FOREVER, 1_000)
        self.since = now

    def catch_up(self, now: int) -> None:
        if self.since + LAG < now:
            self.frozen = None

    def read(self, shard: int, start: Cursor, until: int, limit: int) -> tuple[list[Timer], Cursor]:
        if self.frozen is None:
            return super().read(shard, start, until, limit)
        first = start.due_at, start.after
        ahead = [it for it in self.frozen if first < (it.due_at, it.token_id) and it.due_at <= until]
        last = ahead[limit - 1] if len(ahead) > limit else None
        return ahead[:limit], Cursor(last.due_at, last.token_id) if last else Cursor(until + 1)

    def move_cursor(self, shard: int, start: Cursor, end: Cursor) -> bool:
        if self.dies:
            self.dies = False
            raise ConnectionError("the round has died")
        return super().move_cursor(shard, start, end)


class Life(RuleBasedStateMachine):
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        Index.of_one_shard(self.patches)
        for module in ("listing", "resumer", "timers.starter"):
            self.patches.setattr(f"waitpoints.{module}.ThreadPoolExecutor", InTurn)
        self.world = World(StreamedStore, parallel=1, index=LaggingIndex)  # so that a failing run can be repeated
        self.store, self.index = cast(StreamedStore, self.world.store), cast(LaggingIndex, self.world.index)
        self.queue = self.world.queue
        self.consumed: set[int] = set()  # which of the messages that were sent will not come again by themselves
        self.clock = self.world.clock
        self.waits: dict[WaiterKind, FakeWaits] = {
            one.kind: one for one in (self.world.step_functions, self.world.durable_functions)
        }
        self.people = sign_in.install(self.world, ISSUER, self.patches)
        self.api = self.people.api
        self.named_key = self.world.api_key_store.make("robot", "complete")
        self.patches.setattr("waitpoints.timers.starter.SLICE", 2)
        self.patches.setattr("secrets.randbits", random.Random(0).getrandbits)  # noqa: S311 - the index has ids in order
        self.patches.setitem(vars(services), "dead_letters", None)  # no failure here is permanent
        self.models: dict[str, Model] = {}
        self.keys: dict[str, tuple[str, int]] = {}  # the newest token of each key, and when the key expires
        self.removed: dict[str, Token] = {}
        self.disabled = set[str]()
        self.endpoints = {
            name: self.put_endpoint(name, ttl) for name, ttl in ((KEEPING, f"{KEPT_FOR // 1000}s"), (PASSING, "0s"))
        }
        self.recording = self.put_recording_endpoint()
        self.pending: dict[str, tuple[str, str | None]] = {}  # of each delivery, its output and the token that it has settled
        self.executions: list[Execution] = []
        self.read_at: Any = None
        self.found: dict[tuple[Any, Any], Any] = {}
        self.passed_on: dict[tuple[str, str], int] = {}  # how many records of each item's stream each function has read

    @property
    def now(self) -> int:
        return self.clock()

    def timeout_at(self, timeout: int | None) -> int | None:
        return None if timeout is None else self.now + timeout

    def existing(self) -> list[str]:
        """The tokens that a caller may act on."""
        return [token_id for token_id, model in self.models.items() if model.exists(self.now) and not model.is_later]

    def decisions(self, *rules: Rules) -> list[str]:
        """The tokens that approvers answer."""
        return [token_id for token_id, model in self.models.items() if model.rules in (rules or DECISIONS)]

    def resumable(self) -> list[Execution]:
        """The executions whose token exists, so that their states can be entered again."""
        return [execution for execution in self.executions if self.models[execution.token_id].exists(self.now)]

    def put_endpoint(self, name: str, key_ttl: str) -> str:
        """Returns its URL."""
        settings = {"key": "body.id", "output": "body.output", "verify": "none", "keyTTL": key_ttl}
        return str(self.api.request("PUT", f"{ENDPOINTS}/{name}", settings).json["url"])

    def put_recording_endpoint(self) -> str:
        """Returns its URL."""
        self.world.webhook_secrets[RECORDING] = FakeSecret(PROVIDERS_SECRET)
        verify = {"scheme": "token", "secret": RECORDING, "header": "x-secret"}
        settings = {"key": "body.id", "output": "body.output", "keyTTL": f"{KEPT_FOR // 1000}s"}
        wanted = {**settings, "verify": verify, "recordDeliveries": "7d"}
        return str(self.api.request("PUT", f"{ENDPOINTS}/{RECORDING}", wanted).json["url"])

    @initialize(timeouts=st.tuples(TIMEOUTS, TIMEOUTS))
    def there_are_tokens_and_a_round_has_been(self, timeouts: tuple[int, int]) -> None:
        self.start_timers()
        for timeout in (None, *timeouts):
            self.create(timeout)

    @precondition(lambda self: len(self.models) < FEW)
    @rule(timeout=st.none() | TIMEOUTS, seconds=st.sets(st.integers(1, 4_000), min_size=1, max_size=3).map(sorted))
    def create_with_reminders(self, timeout: int | None, seconds: list[int]) -> None:
        """Of a page that accepts anything, to leave the rules of pages out."""
        asks = tuple(self.now + 1000 * after for after in seconds)
        new = NewToken(timeout_at=self.timeout_at(timeout), first_ask=asks[0])
        token_id = self.world.tokens.create(new, self.now).token_id
        page = {"title": "Go?", "remind": [f"{after}s" for after in seconds]}
        self.store.change(token_id, DocumentKind.PAGE, page=json.dumps(page))
        self.models[token_id] = Model(new.timeout_at, asks=asks)

    @precondition(lambda self: len(self.models) < FEW)
    @rule(timeout=st.none() | TIMEOUTS)
    def create(self, timeout: int | None) -> None:
        self.models[self.world.create(timeout)] = Model(self.timeout_at(timeout))

    @precondition(lambda self: len(self.models) < FEW)
    @rule(timeout=TIMEOUTS)
    def a_later_version_creates(self, timeout: int) -> None:
        token_id = self.world.create(timeout)
        self.store.make_later(token_id)
        self.models[token_id] = Model(self.now + timeout, is_later=True)

    @precondition(lambda self: any(model.is_later for model in self.models.values()))
    @rule(data=st.data(), body=st.sampled_from([{"data": 1}, {"error": {"message": "no"}}]))
    def what_a_later_version_created_is_503(self, data: st.DataObject, body: dict[str, Any]) -> None:
        token_id = data.draw(st.sampled_from([token_id for token_id, model in self.models.items() if model.is_later]))
        assert self.api.post(f"{TOKENS}/{token_id}/complete", body).status == 503
        assert self.api.post(self.world.urls.url(token_id, ""), body).status == 503
        moved = self.api.request("PATCH", f"{TOKENS}/{token_id}", {"timeout": "1h"})
        assert moved.status == (503 if self.models[token_id].outcome(self.now) is None else 409)

    @rule(data=st.data(), ahead=st.none() | TIMEOUTS, comes_at_once=st.booleans())
    def move_a_deadline(self, data: st.DataObject, ahead: int | None, comes_at_once: bool) -> None:
        """Or remove it. Its message may come before the deadline is written."""
        token_id = data.draw(st.sampled_from(self.existing()))
        model, moved = self.models[token_id], None if ahead is None else self.now + ahead
        message = Sent(token_id, moved or self.now, self.now, names_instant=True)
        self.queue.at_each_send = (lambda: self.fire(message)) if comes_at_once else (lambda: None)
        try:
            answer = self.api.request("PATCH", f"{TOKENS}/{token_id}", {"timeout": moved and iso(moved)})
        finally:
            self.queue.at_each_send = lambda: None
        if model.outcome(self.now) is None:
            assert (answer.status, answer.json.get("timeoutAt")) == (200, moved and iso(moved))
            model.timeout_at = moved
        else:
            assert answer.status == 409

    @rule(
        key=st.sampled_from(KEYS),
        lifetime=st.none() | st.integers(1, 8_000),
        timeout=TIMEOUTS,
        waits=st.none() | KINDS,
        rules=st.sampled_from([None, TYPE, SIGNED]),
        tags=TAGS,
    )
    def create_with_key(
        self,
        key: str,
        lifetime: int | None,
        timeout: int,
        waits: WaiterKind | None,
        rules: Rules | None,
        tags: tuple[str, ...],
    ) -> None:
        """It returns the token that holds the key, also if a completion made that one: then the create's TTL counts.

        One that does not fit the create's schema, or was made by nobody who signed in, makes room for a new token.
        """
        holder, until = self.keys.get(key, ("", 0))
        is_gone = until <= self.now or self.models[holder].removed
        is_early = not is_gone and self.models[holder].early_until is not None
        fits = not is_early or rules is None or (rules == TYPE and self.models[holder].output in (MATCHING, NO))
        is_refused = not fits
        is_new = is_gone or is_refused
        execution = Execution("", self.waits[waits]) if waits else None
        if execution:
            execution.begin()
        expires_at = None if lifetime is None else self.now + lifetime
        new = NewToken(
            timeout_at=self.now + timeout,
            tags=tags,
            key=IdempotencyKey(key, expires_at),
            waiter=execution.waiter(self.now) if execution else None,
            rules=rules or Rules(),
            document=DOCUMENTS[rules] if rules else None,
        )
        accepts = partial(output_check.fits, DOCUMENTS[rules]) if rules else None
        if rules == SIGNED and not is_new and self.models[holder].rules != SIGNED:
            with pytest.raises(KeyTaken):
                self.world.tokens.create(new, self.now, accepts)
            return
        with suppress(CannotResumeNow):  # the token was settled, and its waiter could not be resumed
            created = self.world.tokens.create(new, self.now, accepts)
            holder = created.token_id if is_new else holder
            assert (created.token_id, created.is_cached) == (holder, not is_new)
        if is_new:
            self.models[holder] = Model(new.timeout_at, rules, others=int(is_refused))
        if is_new or is_early:
            self.keys[key] = (holder, expires_at or FOREVER)
            self.models[holder].tags = tags
        self.models[holder].early_until = None
        if execution:
            execution.token_id = holder
            self.executions.append(execution)
            self.retry_if_its_function_failed(execution)

    @rule(
        key=st.sampled_from(KEYS),
        lifetime=st.integers(0, 8_000),
        result=st.sampled_from([MATCHING, "null", NO]),
    )
    def complete_by_key(self, key: str, lifetime: int, result: str | TokenError) -> None:
        """It settles the newest token of the key, or is kept for the next one."""
        holder, expected = self.expect_completion(key, lifetime, result)
        asked = IdempotencyKey(key, self.now + lifetime)
        if issubclass(expected, WaitpointsError):
            with pytest.raises(expected):
                callback.complete_by_key(asked, result, COMPLETED_BY)
            return
        completed = callback.complete_by_key(asked, result, COMPLETED_BY)
        assert type(completed.result) is expected
        if expected is EarlyCompletion:
            self.keep(key, str(completed.token_id), lifetime, result)
        else:
            assert completed.token_id == holder

    @rule(name=st.sampled_from([KEEPING, PASSING]), output=st.sampled_from([MATCHING, "{}"]))
    def deliver_to_an_endpoint(self, name: str, output: str) -> None:
        known = dict(self.store.tokens)
        answer = self.api.post(self.endpoints[name], f'{{"id": "a", "output": {output}}}', {"content-type": "application/json"})
        if name in self.disabled:
            assert (answer.status, self.store.tokens) == (503, known)
            return
        key, lifetime = f"{name}:a", KEPT_FOR if name == KEEPING else 0
        holder, expected = self.expect_completion(key, lifetime, output)
        assert answer.status == 200
        if expected is Ended:
            self.models[str(holder)].others += 1
        made = list(self.store.tokens.keys() - known)
        assert len(made) == (expected is EarlyCompletion)
        for token_id in made:
            self.keep(key, token_id, lifetime, output)

    @rule(
        output=st.sampled_from([MATCHING, "{}"]),
        dies_before=st.sampled_from([None, "endpoint_delivery.process", "recording.finish"]),
    )
    def a_recorded_delivery_comes(self, output: str, dies_before: str | None) -> None:
        known, marks = dict(self.store.tokens), self.marks()
        headers = {"content-type": "application/json", "x-secret": PROVIDERS_SECRET}
        deliver = partial(self.api.post, self.recording, f'{{"id": "a", "output": {output}}}', headers)
        if dies_before is None:
            assert deliver().status == 200
            self.expect_recorded(output, known)
            assert self.marks() == marks
            return
        with mock.patch(f"waitpoints.api.endpoints.{dies_before}", side_effect=Died), pytest.raises(Died):
            deliver()
        settled = None if dies_before.endswith("process") else self.expect_recorded(output, known)
        [new] = self.marks() - marks
        self.pending[new] = output, settled

    @precondition(lambda self: self.pending)
    @rule()
    def the_doctor_processes_what_is_pending(self) -> None:
        """Once more also what was processed before, unless its token still shows that it did it."""
        for secret_id, name, delivery_id in sorted(self.world.deliveries.pending(self.now), key=itemgetter(2)):
            (output, settled), known = self.pending.pop(delivery_id), dict(self.store.tokens)
            self.world.tokens._known._known.clear()  # it is another function
            assert pending.repair([(secret_id, name, delivery_id)], lambda: True).remaining == []
            holder, _ = self.keys.get(f"{RECORDING}:a", (None, 0))
            if settled is None or settled != holder or self.models[settled].removed:
                self.expect_recorded(output, known)
            assert delivery_id not in self.marks()

    def marks(self) -> set[str]:
        return {delivery_id for _, _, delivery_id in self.world.deliveries.pending(self.now)}

    def expect_recorded(self, output: str, known: Mapping[str, Token]) -> str | None:
        """What a recorded delivery did to the model. Returns the token that it has settled or made."""
        holder, expected = self.expect_completion(f"{RECORDING}:a", KEPT_FOR, output)
        if expected is Ended:
            self.models[str(holder)].others += 1
        made = list(self.store.tokens.keys() - known.keys())
        assert len(made) == (expected is EarlyCompletion)
        for token_id in made:
            self.keep(f"{RECORDING}:a", token_id, KEPT_FOR, output)
        return made[0] if made else holder if expected is Settled else None

    @rule(name=st.sampled_from([KEEPING, PASSING]))
    def disable_or_enable_an_endpoint(self, name: str) -> None:
        self.disabled ^= {name}
        answer = self.api.request("PATCH", f"{ENDPOINTS}/{name}", {"disabled": name in self.disabled})
        assert answer.status == 200

    def expect_completion(self, key: str, lifetime: int, result: str | TokenError) -> tuple[str | None, type]:
        """What a completion by key does to the model: the token that it finds, and the kind of its result."""
        holder, until = self.keys.get(key, (None, 0))
        if holder is not None and not self.models[holder].removed:
            model = self.models[holder]
            if model.outcome(self.now) is None:
                if model.rules == SIGNED:
                    return holder, Forbidden
                if model.rules == TYPE and result not in (MATCHING, NO):
                    return holder, PayloadRefused
                model.complete(result, self.now)
                return holder, Settled
            if self.now < until:
                return holder, Ended
        return None, EarlyCompletion if lifetime else NotAwaited

    def keep(self, key: str, token_id: str, lifetime: int, result: str | TokenError) -> None:
        self.keys[key] = (token_id, self.now + lifetime)
        self.models[token_id] = Model(None, output=result, early_until=self.now + lifetime)

    @precondition(lambda self: any(model.early_until for model in self.models.values()))
    @rule()
    def ttl_removes_what_was_kept_in_vain(self) -> None:
        for token_id, model in self.models.items():
            if not model.removed and not model.exists(self.now):
                self.removed[token_id] = self.store.get(token_id)
                self.store.remove(token_id)
                model.removed = True

    @precondition(lambda self: len(self.models) < FEW)
    @rule(rules=st.sampled_from([FILTER, TYPE, DECISION, SIGNED]), timeout=st.none() | TIMEOUTS)
    def create_with_rules(self, rules: Rules, timeout: int | None) -> None:
        new = NewToken(timeout_at=self.timeout_at(timeout), rules=rules, document=DOCUMENTS.get(rules))
        self.models[self.world.tokens.create(new, self.now).token_id] = Model(new.timeout_at, rules)

    @precondition(lambda self: self.decisions())
    @rule(
        data=st.data(),
        add=st.sampled_from([None, "ann", "di", "ed"]),
        remove=st.sampled_from([None, "ann", "bo", "di", "ed"]),
    )
    def hand_over(self, data: st.DataObject, add: str | None, remove: str | None) -> None:
        token_id = data.draw(st.sampled_from(self.decisions()))
        added = {"id": add, "subject": add} if self.models[token_id].rules == SIGNED else add
        lists = {"add": [added] if add else [], "remove": [remove] if remove else []}
        if wanted := {name: ids for name, ids in lists.items() if ids}:
            answer = self.api.request("PATCH", f"{TOKENS}/{token_id}", {"approvers": wanted})
            assert answer.status == self.models[token_id].hand_over(add, remove, self.now), answer.text

    @precondition(lambda self: self.decisions())
    @rule(
        data=st.data(),
        person=st.sampled_from([*PAGE["approvers"], "di", "ed"]),
        action=st.sampled_from(["approve", "approve", "reject"]),
        fields=st.sampled_from([{}, {"amount": 7}, {"amount": 7}, {"amount": 7, "note": "x"}, {"amount": 8}]),
    )
    def an_approver_answers(self, data: st.DataObject, person: str, action: str, fields: dict[str, Any]) -> None:
        token_id = data.draw(st.sampled_from(self.decisions()))
        if self.models[token_id].rules == SIGNED:
            self.answer_signed_in(token_id, person, action, fields)
            return
        status = self.models[token_id].answer(person, action, fields, self.now)
        url, body = self.world.urls.url(token_id, "", person), json.dumps({"action": action, "fields": fields})
        assert self.api.post(url, body, {"content-type": "application/json"}).status == status

    def answer_signed_in(self, token_id: str, person: str, action: str, fields: dict[str, Any]) -> None:
        """In a new session. The form of the one before is refused."""
        who = {"issuer": ISSUER, "subject": person, "email": f"{person}@example.com", "at": iso(self.now)}
        form = {"action": action, **{f"field.{name}": str(value) for name, value in fields.items()}}
        url, model, sessions = self.world.urls.url(token_id, ""), self.models[token_id], self.people.sessions
        browser, before = self.people.browser_of(person), self.people.browser_of(person)
        own, other = (sessions.read(one.cookies) for one in (browser, before))
        assert own
        assert other
        assert browser.post(url, {**form, "session": sessions.form_token(other, token_id)}).status == 403
        model.others += person in model.people
        status = model.answer(person, action, fields, self.now, signedIn=who)
        assert browser.post(url, {**form, "session": sessions.form_token(own, token_id)}).status == status

    @precondition(lambda self: self.decisions(SIGNED))
    @rule(data=st.data(), is_root=st.booleans())
    def a_key_fails_what_people_sign_in_for(self, data: st.DataObject, is_root: bool) -> None:
        token_id = data.draw(st.sampled_from(self.decisions(SIGNED)))
        if is_root or self.models[token_id].outcome(self.now) is not None:
            self.models[token_id].complete(NO, self.now)
            expected = 200
        else:
            expected = 403
        key = self.world.api_key.read_current() if is_root else self.named_key
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        answer = self.api.post(f"{TOKENS}/{token_id}/complete", {"error": NO.members()}, headers)
        assert answer.status == expected, answer.text

    @rule(data=st.data(), kind=KINDS, unwrap=st.booleans(), context=st.booleans())
    def register(self, data: st.DataObject, kind: WaiterKind, unwrap: bool, context: bool) -> None:
        token_id = data.draw(st.sampled_from(self.existing()))
        execution = Execution(token_id, self.waits[kind], unwrap, context and not unwrap)
        self.executions.append(execution)
        self.enter(execution)

    @precondition(lambda self: self.resumable())
    @rule(data=st.data())
    def register_the_same_again(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.resumable()))
        with suppress(CannotResumeNow):
            self.world.wait(execution.token_id, execution.waiter(self.now))
        self.retry_if_its_function_failed(execution)

    @precondition(lambda self: self.resumable())
    @rule(data=st.data())
    def register_again_after_a_retry(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.resumable()))
        if execution.result() is None:
            self.enter(execution)

    @rule(data=st.data(), output=st.sampled_from(["null", '"yes"', '{"n": 1.50}']))
    def complete(self, data: st.DataObject, output: str) -> None:
        token_id = data.draw(st.sampled_from(self.existing()))
        if self.models[token_id].rules != SIGNED:
            self.models[token_id].complete(output, self.now)
        self.world.complete(token_id, output)

    @rule(data=st.data(), output=st.sampled_from([MATCHING, "null", "{}"]))
    def deliver_to_the_callback(self, data: st.DataObject, output: str) -> None:
        token_id = data.draw(st.sampled_from(self.existing()))
        model = self.models[token_id]
        waits = model.outcome(self.now) is None
        refused = 422 if model.rules == TYPE and output != MATCHING else 403 if model.rules in DECISIONS else 200
        model.deliver(output, self.now)
        url = self.world.urls.url(token_id, "")
        answer = self.api.post(url, output, {"content-type": "application/json"})
        assert answer.status == (refused if waits or model.rules == SIGNED else 200)

    @rule(data=st.data(), within=WITHIN)
    def fail(self, data: st.DataObject, within: str | None) -> None:
        token_id = data.draw(st.sampled_from(self.existing()))
        if self.models[token_id].is_outside(within):
            with pytest.raises(OutsideTag):
                self.world.complete(token_id, NO, caller=limited_to(within))
            return
        if self.models[token_id].rules != SIGNED:
            self.models[token_id].complete(NO, self.now)
        self.world.complete(token_id, NO, caller=limited_to(within))

    @rule(milliseconds=st.integers(1, 3_000) | st.integers(1, 2 * NEAR))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.index.catch_up(self.now)

    @rule()
    def the_index_lags(self) -> None:
        self.index.freeze(self.now)

    @rule(dies=st.booleans(), refused=st.booleans())
    def a_round_starts_timers(self, dies: bool, refused: bool) -> None:
        """It may die after it has sent the first messages, or SQS may refuse one."""
        self.index.dies = dies
        self.queue.refused = {list(self.models)[-1]} if refused else set()
        with suppress(ConnectionError, TimersNotStarted):
            self.start_timers()
        self.index.dies, self.queue.refused = False, set()

    @rule(milliseconds=st.integers(1, 1_000))
    def the_clock_is_set_back(self, milliseconds: int) -> None:
        """Set the clock back, as on another machine. A settled token must not change."""
        self.clock.advance(-milliseconds)
        for model in self.models.values():
            if model.output is None and model.timeout_at and self.now < model.timeout_at <= self.now + milliseconds:
                self.clock.advance(model.timeout_at - self.now)

    @precondition(lambda self: self.queue.sent)
    @rule(data=st.data(), comes_again=st.booleans())
    def a_timer_comes(self, data: st.DataObject, comes_again: bool) -> None:
        """A message comes: early, late, or again. If it is handled, it need not come any more."""
        number = data.draw(st.integers(0, len(self.queue.sent) - 1))
        if self.fire(self.queue.sent[number]) and not comes_again:
            self.consumed.add(number)

    @rule(data=st.data(), function=st.sampled_from(sorted(HANDLERS)), repeated=st.integers(0, 2))
    def the_stream_tells(self, data: st.DataObject, function: str, repeated: int) -> None:
        self.pass_on(data.draw(st.sampled_from(list(self.models))), function, repeated)

    @rule(kind=KINDS, fault=st.sampled_from([THROTTLED, UNAVAILABLE, LOST_RESPONSE]))
    def a_resume_will_fail(self, kind: WaiterKind, fault: Fault) -> None:
        self.waits[kind].fail_next(fault)

    @rule()
    def answers_will_not_be_recorded(self) -> None:
        self.store.lose_records = 1

    @rule()
    def answers_will_not_be_seen(self) -> None:
        self.store.miss_replies = 1

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        type(self).steps += 1
        for token_id, model in self.models.items():
            if not model.exists(self.now):
                with pytest.raises(TokenNotFound):
                    self.world.tokens.retrieve(token_id)
                continue
            token = self.read(self.world.tokens.retrieve, token_id)
            assert self.seen(token.outcome) == model.outcome(self.now)
            assert (token.other_deliveries.count if token.other_deliveries else 0) == model.others
            assert answer_members(token.answers) == model.answers
            assert [one.shown_members() for one in token.hand_overs] == model.hand_overs

    @invariant()
    def what_is_kept_is_in_no_list(self) -> None:
        listed = {token.id for token in self.read(self.world.tokens.list_tokens, EVERY_TOKEN).items}
        assert listed == {token_id for token_id, model in self.models.items() if model.early_until is None}

    @invariant()
    def a_key_names_its_newest_token(self) -> None:
        for key, (holder, _) in self.keys.items():
            found = self.read(self.world.completions_by_key.find_token, key)
            assert (found and found.id) == (holder if self.models[holder].exists(self.now) else None)

    @invariant()
    def nobody_is_reminded_before_the_time_or_too_often(self) -> None:
        for token_id, token in self.store.tokens.items():
            if token.reminded_at is not None:
                asks = self.models[token_id].asks
                assert token.reminded_count <= sum(ask <= token.reminded_at for ask in asks)

    def read[Found](self, read: Callable[[Any], Found], given: Any) -> Found:
        """What is found now. It is the same as before if nothing was written since and no time has passed."""
        if self.read_at != (at := (the_stack().version(), self.now)):
            self.read_at, self.found = at, {}
        if (read, given) not in self.found:
            self.found[read, given] = read(given)
        return cast(Found, self.found[read, given])

    def seen(self, outcome: Outcome | None) -> str | TokenError | int | None:
        match outcome:
            case Completed(_, output):
                return output.json
            case Failed(_, error):
                return error
            case TimedOut(at):
                return at
        return None

    @invariant()
    def nobody_is_resumed_twice_or_with_something_else(self) -> None:
        for execution in self.executions:
            results = [execution.waits.result(handle) for handle in execution.handles]
            given = [result for result in results if result is not None]
            assert not given or given == [self.expected_result(execution)]

    @invariant()
    def nothing_is_recorded_as_resumed_that_was_not(self) -> None:
        for token in self.store.tokens.values():
            for key, reply in token.replies.items():
                waiter = token.waiters[key]
                was_resumed = self.waits[waiter.kind].result(waiter.handle) is not None
                assert was_resumed or reply.kind is ReplyKind.GONE

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            self.everything_is_done()
        finally:
            self.patches.undo()

    def come_to_rest(self) -> None:
        """Pass on what the streams still hold, and let time pass until every timeout. Handle each message once."""
        self.index.frozen = None
        for _ in range(100):
            while unread := self.unread():
                for token_id, function in unread:
                    self.pass_on(token_id, function)
            self.start_timers()
            for number in sorted({*range(len(self.queue.sent))} - self.consumed):
                if self.fire(self.queue.sent[number]):
                    self.consumed.add(number)
            instants = [instant for model in self.models.values() for instant in (model.timeout_at, *model.asks)]
            ahead = [instant for instant in instants if instant and instant > self.now]
            if not ahead and len(self.consumed) == len(self.queue.sent) and not self.unread():
                return
            due_at = min(ahead, default=self.now + PATIENCE)
            self.clock.now = due_at if due_at <= self.now + ROUND else due_at - ROUND
        raise AssertionError("it never comes to rest")

    def unread(self) -> list[tuple[str, str]]:
        """The tokens whose streams have more for a function."""
        return [
            (token_id, function)
            for token_id, function in product(self.models, HANDLERS)
            if self.passed_on.get((token_id, function), 0) < len(self.store.streams[token_id])
        ]

    def everything_is_done(self) -> None:
        self.everybody_sees_what_the_model_says()
        self.nobody_is_resumed_twice_or_with_something_else()
        for execution in self.executions:
            if self.models[execution.token_id].outcome(self.now) is not None:
                assert any(execution.waits.result(handle) for handle in execution.handles), "it hangs"
        for token in self.store.tokens.values():
            model = self.models[token.id]
            assert (token.outcome is None) == (model.is_later or model.outcome(self.now) is None), "it has no timer"
            assert token.outcome is None or token.unresumed() == []
            asks = self.models[token.id].asks
            assert token.outcome or not asks or (token.reminded_at or 0) >= asks[-1], "it has not reminded"

    def enter(self, execution: Execution) -> None:
        """The function that waits is invoked."""
        execution.begin()
        with suppress(CannotResumeNow):
            self.world.wait(execution.token_id, execution.waiter(self.now))
            return
        self.retry_if_its_function_failed(execution)

    def retry_if_its_function_failed(self, execution: Execution) -> None:
        """If a function fails to resume its waiter, a Retry starts over, unless the result has arrived."""
        waiters = self.store.get(execution.token_id).waiters.values()
        waits = execution.handles[-1] in [waiter.handle for waiter in waiters]
        if not waits and execution.result() is None:
            self.enter(execution)

    def expected_result(self, execution: Execution) -> Success | Failure:
        outcome = self.models[execution.token_id].outcome(self.now)
        assert outcome is not None, "it was resumed before its token had an outcome"
        completed_by = ""
        if execution.context:
            token = self.removed.get(execution.token_id) or self.store.get(execution.token_id)
            shown = retrieved(replace(token, outcome=token.outcome_at(self.now), page=None), "")["completedBy"]
            completed_by = f',"completedBy":{json.dumps(shown)}'
        if isinstance(outcome, str):
            return Success(outcome if execution.unwrap else f'{{"ok":true,"output":{outcome}{completed_by}}}')
        if isinstance(outcome, int):
            message = f"Waitpoint timed out at {iso(outcome)}"
            outcome = TokenError(message, "WaitpointTimeoutError", "TRIGGER_WAITPOINT_TIMEOUT")
        error = {"name": outcome.name, "code": outcome.code, "message": outcome.message}
        model = self.models[execution.token_id]
        if model.rules in DECISIONS:
            said = {"answers": model.answers, **model.handed_over()}
            completed_by = f",{json.dumps(said, separators=(',', ':'))[1:-1]}{completed_by}"
        if execution.unwrap:
            code = outcome.code if execution.waits.kind is WaiterKind.DURABLE_FUNCTION else None
            return Failure(outcome.name, outcome.message, code)
        return Success(f'{{"ok":false,"error":{json.dumps(error)}{completed_by}}}')

    def pass_on(self, token_id: str, function: str, repeated: int = 0) -> None:
        """Pass the next change of an item to a function, with some earlier changes again."""
        at = self.passed_on.get((token_id, function), 0)
        records = self.store.streams[token_id][max(0, at - repeated) : at + 1]
        passing = [record for record in records if any(matches(pattern, record) for pattern in FILTERS[function])]
        failed = HANDLERS[function]({"Records": passing}, Context(function))["batchItemFailures"] if passing else []
        if not failed and at < len(self.store.streams[token_id]):
            self.passed_on[token_id, function] = at + 1

    def start_timers(self) -> None:
        context: Any = Context("StartTimers")
        start_timers.handler({}, context)

    def fire(self, sent: Sent) -> bool:
        """Hand a message to the function. Returns whether that is done with it."""
        named = {"instant": sent.due_at} if sent.names_instant else {}
        message = {
            "messageId": "1",
            "receiptHandle": "1",
            "body": json.dumps({"waitpointId": sent.token_id, **named}),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(sent.at)},
            "eventSource": "aws:sqs",
        }
        context: Any = Context("ExpireTokens")
        failed = expire_tokens.handler({"Records": [message]}, context)["batchItemFailures"]
        assert not failed or sent.names_instant
        return not failed


@pytest.mark.slow
@pytest.mark.parametrize(
    "runs", [pytest.param(RUNS // 3, marks=pytest.mark.few), pytest.param(RUNS, marks=pytest.mark.thorough)]
)
def test_thousands_of_events_in_any_order_end_as_the_model_predicts(runs: int) -> None:
    Life.steps = 0
    run_state_machine_as_test(Life, settings=settings(max_examples=runs, stateful_step_count=STEPS))
    assert Life.steps > 30 * runs
