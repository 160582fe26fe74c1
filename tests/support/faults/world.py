"""What must be true in the end: no execution hangs, and no promise is broken."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from unittest import mock

from tests.support.faults import traces
from tests.support.faults.callers import Callers, Execution
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.api.representation import retrieved
from waitpoints.approvers import answer_members, answers_text, hand_overs_text
from waitpoints.aws.items import digest
from waitpoints.aws.short_names import with_whole_names
from waitpoints.json_text import object_of
from waitpoints.token import (
    Completed,
    CompletedBy,
    DocumentKind,
    Failed,
    Outcome,
    ReplyKind,
    Token,
    TokenError,
    WaiterKind,
    iso,
)
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services


@dataclass(frozen=True)
class Timeout:
    """The outcome of a token that nobody completed in time."""


OF_OUTCOME = ("status", "completedAt", "output", "outputStoredAt", "error", "completedBy")
PAYLOADS = ("Ünïcode", r"\u00dcn\u00efcode", "x" * 16, "out of stock", "Deploy?", "ord_4711")
"""Parts of what is sent in the flows: outputs, an error, a page and metadata."""

Ending = str | Timeout | TokenError
"""The JSON text of an output, a timeout, or the error that a token was failed with."""


def _ending(outcome: Outcome) -> Ending:
    match outcome:
        case Completed(_, output):
            return output.json or ""
        case Failed(_, error):
            return error
    return Timeout()


class World(Callers):
    """AWS, its callers, and what the callers may rely on."""

    def __init__(self, stack: MotoStack) -> None:
        super().__init__(stack)
        self.outcomes_are_open = False
        """Whoever settles a token first decides, and every execution must go on with that."""
        self._expected: list[tuple[Execution, str, Ending, bool, bool]] = []

    def written_by_the_clock(self) -> AbstractContextManager[object]:
        """Give the records of the stream the times of the world's clock."""

        def written_at() -> datetime:
            return datetime.fromtimestamp(self.clock() / 1000, UTC).replace(tzinfo=None)

        return mock.patch("moto.dynamodb.models.table.utcnow", written_at)

    def expect(
        self, execution: Execution, token: dict[str, Any], outcome: Ending, unwrap: bool = False, context: bool = False
    ) -> None:
        """The execution goes on with this outcome."""
        self._expected.append((execution, token["id"], outcome, unwrap, context))

    def lost(self) -> list[str]:
        """Every problem at the end: executions that hang, and broken promises."""
        self.read_stream()
        tokens = {token_id: self.token(token_id) for token_id in self.token_ids()}
        problems = [problem for expected in self._expected for problem in self._wrong_with_execution(tokens, *expected)]
        problems += [*self._wrong_with_keys(), *self._wrong_with_documents(), *self._wrong_with_kept(), *self._gone_too_early()]
        problems += [*self._told(), *(f"{token_id} was timed out before its time" for token_id in self.early)]
        return problems + [problem for token in tokens.values() for problem in self._wrong_with_token(token)]

    def _told(self) -> Iterator[str]:
        """Secrets where nobody may find them: in logs, metrics, traces and answers, and in what executions were given."""
        handles = {handle for waits in self.waits.values() for handle in waits.results()}
        hashes = {url.rsplit("/", 1)[1] for url in self.urls}
        given = [str(result) for waits in self.waits.values() for result in waits.results().values()]
        logged = self.log.getvalue()
        for secret in (*self.secrets, *handles, *hashes, *self.keys, *PAYLOADS):
            if secret in logged:
                yield f"the log has {secret}"
        if traces.ACTIVE and traces.MARK not in logged:
            yield "nothing was traced"
        for secret in (*self.secrets, *handles):
            if any(secret in text for text in (*self.answers, *given)):
                yield f"an answer has {secret}"
        yield from (f"an execution was given {secret}" for secret in hashes if any(secret in text for text in given))

    def token(self, token_id: str) -> Token:
        """A token with its outcome and its output, even after retention."""
        token = services.store.get(token_id)
        outcome = token.outcome_at(self.clock())
        return replace(token, outcome=outcome and services.resumer.load_output(outcome))

    def token_ids(self) -> list[str]:
        """Every token that was made in this world."""
        self.read_stream()
        return list(dict.fromkeys(image["id"]["S"] for image in self._images("token")))

    def _wrong_with_execution(
        self, tokens: Mapping[str, Token], execution: Execution, token_id: str, outcome: Ending, unwrap: bool, context: bool
    ) -> Iterator[str]:
        results = [execution.waits.result(handle) for handle in execution.handles]
        given = [result for result in results if result is not None]
        if execution.failed:
            yield f"an execution failed with {execution.failed}"
        elif not given:
            yield "an execution hangs"
        elif len(given) > 1 or given[0] is not results[-1]:
            yield "an execution was resumed more than once"
        else:
            token = tokens[token_id]
            assert token.outcome, "an execution was resumed before its token had an outcome"
            if self.outcomes_are_open:
                outcome = _ending(token.outcome)
            if given[0] != self._result(token, outcome, unwrap, context, execution.waits.kind):
                yield f"an execution was resumed with {given[0]} and not with {outcome}"

    def _result(self, token: Token, outcome: Ending, unwrap: bool, context: bool, kind: WaiterKind) -> Success | Failure:
        assert token.outcome
        completed_by = f',"completedBy":{json.dumps(retrieved(token, "")["completedBy"])}' if context else ""
        if context and token.has_metadata:
            completed_by += f',"metadata":{token.metadata}'
        if isinstance(outcome, str):
            return Success(outcome if unwrap else f'{{"ok":true,"output":{outcome}{completed_by}}}')
        if isinstance(outcome, Timeout):
            assert token.timeout_at
            message = f"Waitpoint timed out at {iso(token.timeout_at)}"
            outcome = TokenError(message, "WaitpointTimeoutError", "TRIGGER_WAITPOINT_TIMEOUT")
        error = {"name": outcome.name, "code": outcome.code, "message": outcome.message}
        if token.rules and token.rules.has_approvers:
            said = {"answers": answers_text(token.answers), **hand_overs_text(token.hand_overs)}
            completed_by = f",{object_of(said)[1:-1]}{completed_by}"
        if unwrap:
            return Failure(outcome.name, outcome.message, outcome.code if kind is WaiterKind.DURABLE_FUNCTION else None)
        return Success(f'{{"ok":false,"error":{json.dumps(error)}{completed_by}}}')

    def _wrong_with_token(self, token: Token) -> Iterator[str]:
        written = [image for image in self._images("token") if image["id"]["S"] == token.id]
        outcomes = [
            json.dumps([image.get(name) for name in OF_OUTCOME])
            for image in map(with_whole_names, written)
            if image["status"]["S"] != "WAITING"
        ]
        yield from self._wrong_with_answers(token, written)
        if len(set(outcomes)) > 1:
            yield f"{token.id} has {len(set(outcomes))} outcomes"
        if token.timeout_at and token.timeout_at < self.clock() - 60_000 and not outcomes:
            yield f"{token.id} has no timer"
        if outcomes and token.unresumed():
            yield f"{token.id} has {len(token.unresumed())} waiters without a record"
        for key, reply in token.replies.items():
            waiter = token.waiters[key]
            was_resumed = self.waits[waiter.kind].result(waiter.handle) is not None
            if reply.kind is ReplyKind.RESUMED and not was_resumed:
                yield f"{token.id} records as resumed what was not"
            if reply.kind is ReplyKind.GONE and was_resumed and not self.somebody_died:
                yield f"{token.id} records as gone what was resumed"

    def decision_of(self, token: dict[str, Any], people: list[str]) -> Ending:
        """What the approvers have decided: these people, in their order, and who has answered meanwhile."""
        now = self.token(token["id"])
        assert now.outcome
        assert [answer.approver for answer in now.answers] == people or self.outcomes_are_open
        return _ending(now.outcome)

    def _wrong_with_answers(self, token: Token, written: list[dict[str, Any]]) -> Iterator[str]:
        """An answer that is recorded stays, as one of its person, and the output has all of them and no other."""
        listed = [image.get("answers", {"L": []})["L"] for image in written]
        if any(now[: len(before)] != before for before, now in pairwise(listed)):
            yield f"{token.id} lost an answer"
        if len({answer.approver for answer in token.answers}) < len(token.answers):
            yield f"{token.id} has two answers of one person"
        if len({len(now) for now, image in zip(listed, written, strict=True) if image["status"]["S"] != "WAITING"}) > 1:
            yield f"{token.id} has an answer after its end"
        match token.outcome:
            case Completed(_, output, CompletedBy(approver=str())):
                given = json.loads(output.json or "")
            case _:
                return
        if given["answers"] != answer_members(token.answers):
            yield f"{token.id} has other answers than its output"
        if given.get("handOvers", []) != [one.shown_members() for one in token.hand_overs]:
            yield f"{token.id} has other hand-overs than its output"
        if any(token.has_removed(answer.approver) for answer in token.answers):
            yield f"{token.id} has an answer of somebody who was removed"

    def _wrong_with_documents(self) -> Iterator[str]:
        """What a token's own item says that it has is beside it, and nothing else is."""
        says: dict[str, Callable[[Any], bool]] = {
            "schema": lambda image: "payloadSchema" in image.get("deliveryRules", {}).get("M", {}),
            "metadata": lambda image: "hasMetadata" in image,
        }
        for kind, has in says.items():
            asking = {image["id"]["S"] for image in self._images("token") if has(image)}
            stored = {image["id"]["S"] for image in self._images(kind)}
            yield from (f"{token_id} has a {kind} or says that it has one, not both" for token_id in asking ^ stored)

    def _gone_too_early(self) -> Iterator[str]:
        """Nothing that belongs to a token expires before the retention after its timeout, wherever a move of it was broken."""
        tokens = {image["id"]["S"]: image for image in self._images("token") if image["status"]["S"] == "WAITING"}
        items = {(image["id"]["S"], item): image for item in (*DocumentKind, "key") for image in self._images(item)}
        for (id_, item), image in items.items():
            token = tokens.get(image["tokenId"]["S"])
            if "expiresAt" not in image or token is None or id_.startswith("request#"):
                continue
            end, timeout = int(image["expiresAt"]["N"]), token.get("timeoutAt")
            if timeout is None or end < int(timeout["N"]) // 1000 + services.retention:
                yield f"the {item} of {token['id']['S']} expires before it"

    def _wrong_with_kept(self) -> Iterator[str]:
        """An early completion is in no index, and a create that was given one has claimed it."""
        last = {image["id"]["S"]: image for image in self._images("token")}
        for image in self._images("token"):
            if ("earlyUntil" in image) is ("listShard" in image) or ("earlyUntil" in image and "idempotencyKeyHash" in image):
                yield f"{image['id']['S']} is kept and listed, or neither"
        for token in self.tokens:
            if "earlyUntil" in last[token["id"]]:
                yield f"{token['id']} was given to a create, and ends as an early completion does"

    def _wrong_with_keys(self) -> Iterator[str]:
        holders: dict[str, tuple[str, int, bool]] = {}
        particular = {image["id"]["S"] for image in self._images("token") if image.get("deliveryRules")}
        for image in self._images("key"):
            key, holder = image["id"]["S"], image["tokenId"]["S"]
            held_by, until, was_kept = holders.get(key, (holder, 0, False))
            is_refused = was_kept and holder in particular  # what was kept did not fit the create's schema
            if holder != held_by and int(image["createdAt"]["N"]) < until and not is_refused:
                yield f"{key} has two live tokens"
            holders[key] = (holder, int(image.get("keyExpiresAt", {"N": 1 << 60})["N"]), "early" in image)
        made = [image["idempotencyKey"]["S"] for image in self._images("token", "INSERT") if "idempotencyKey" in image]
        for key in set(made):
            changes = {
                image["tokenId"]["S"] for image in self._images("key") if image["id"]["S"] == f"idempotency#{digest(key)}"
            }
            if made.count(key) > len(changes):
                yield f"more tokens were made with a key than ever held one ({made.count(key)})"
