"""Settled tokens that nobody has resumed, the stream's records of tokens, and what becomes of records that fail."""

from typing import Any

from tests.support.in_process.event_sources import failures
from tests.support.in_process.template import Context
from tests.support.in_process.world import World
from waitpoints.aws.items import answer_map, hand_over_map, token_item, wire
from waitpoints.json_text import present
from waitpoints.token import ALL_CHECKED, Completed, Output, Token, Waiter


def settle(world: World, output: str | None = "1", waiter: Waiter | None = None, metadata: str | None = None) -> Token:
    """Complete a new token as a function does that stops before it resumes the waiter."""
    token_id = world.create(waiter=waiter, metadata=metadata)
    _, token = world.store.complete(token_id, Completed(world.clock(), Output(output)), ALL_CHECKED)
    return token


def record(token: Token, written_at: int, **image: Any) -> dict[str, Any]:
    """The stream's record of a token, as Lambda gets it. `image` replaces attributes, or with None leaves them out."""
    output = token.outcome.output.json if isinstance(token.outcome, Completed) else None
    noted = {
        "completedAt": token.outcome.at if token.outcome else None,
        "output": output,
        "answers": [answer_map(answer) for answer in token.answers] or None,
        "answerCount": len(token.answers) or None,
        "remindedCount": token.reminded_count or None,
        "remindedAt": token.reminded_at,
        "escalatedAt": token.escalated_at,
        "handOvers": [hand_over_map(one) for one in token.hand_overs] or None,
        "handOverCount": len(token.hand_overs) or None,
    }
    item = {**token_item(token), **{name: wire(value) for name, value in present(noted).items()}, **image}
    changed = any((token.outcome, token.answers, token.reminded_count, token.escalated_at, token.hand_overs, token.waiters))
    return {
        "eventID": f"event {token.id} {len(token.answers)} {token.reminded_count} {len(token.waiters)}",
        "eventName": "MODIFY" if changed else "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {name: item[name] for name in ("id", "item")},
            "NewImage": present(item),
            "SequenceNumber": token.id,
            "ApproximateCreationDateTime": written_at / 1000,
        },
    }


def consume(module: Any, *records: dict[str, Any]) -> list[str]:
    """Invoke a consumer. Returns the sequence numbers of the records that must come again, which are their tokens' ids."""
    return failures(module.handler({"Records": list(records)}, Context(module.__name__)))


class Letters:
    """The dead letters, by what they are about, each with its reason."""

    def __init__(self) -> None:
        self.of_tokens: list[tuple[str, str]] = []
        self.of_events: list[tuple[str, str]] = []
        self.is_broken = False

    def put(self, token_id: str, reason: str) -> None:
        self.of_tokens.append((token_id, reason))

    def put_event(self, token_id: str, reason: str) -> None:
        if self.is_broken:
            raise ConnectionError("no queue")
        self.of_events.append((token_id, reason))
