"""One page for several calls of tools, with a choice for each: for a framework that waits once for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from waitpoints_client.agents import page_parts
from waitpoints_client.agents.decision import Answered, Decision, read_answer
from waitpoints_client.agents.page_parts import Labels
from waitpoints_client.agents.shown_text import fit, json_of, one_line
from waitpoints_client.models import Result
from waitpoints_client.request_types import Form, PageOptions, PageText

MOST_CALLS = 14  # of two fields each


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool."""

    id: str
    """The framework's."""
    name: str
    """The tool's."""
    arguments: Any = field(repr=False)
    approve: bool = True
    """Whether it may run. False: a person can only answer in its place, or reject it."""
    respond: bool = False
    """Whether a person can answer in its place."""


@dataclass(frozen=True)
class BatchPage:
    """A page that asks about several calls. The same calls make the same page."""

    calls: tuple[ToolCall, ...]
    page: PageOptions = field(repr=False)
    """What `create` gets, without approvers."""

    @property
    def name(self) -> str:
        """The tools' names."""
        return ", ".join(call.name for call in self.calls)

    @property
    def arguments(self) -> Any:
        """What the calls are known by."""
        return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.calls]

    def decisions(self, result: Result) -> dict[str, Decision]:
        """Return what people decided about each call, by its id. A token that failed or timed out rejects all."""
        answered = read_answer(result)
        if isinstance(answered, Decision):
            return dict.fromkeys((call.id for call in self.calls), answered)
        return {call.id: self._decision(number, call, answered) for number, call in enumerate(self.calls, 1)}

    def _decision(self, number: int, call: ToolCall, answered: Answered) -> Decision:
        message, chosen = answered.text(_message(number)), answered.text(_choice(number))
        if answered.action == "reject" or (answered.action == "decide" and chosen == "reject"):
            return answered.reject(message)
        if answered.action != "decide":
            return answered.unknown()
        offered = [one["const"] for one in self.page["fields"]["properties"][_choice(number)]["oneOf"]]
        if chosen == "approve" in offered:
            return Decision("approve", call.arguments, message, answered.by, output=answered.output)
        if chosen == "respond" in offered and message:
            return Decision("respond", message=message, by=answered.by, output=answered.output)
        return answered.reject("not approved: nothing was chosen for this call, or no answer was given")


def approval_page_of(
    calls: Sequence[ToolCall],
    *,
    title: PageText | None = None,
    text: str = "",
    needs: int = 1,
    allow_cut: bool = False,
    labels: Labels | None = None,
) -> BatchPage:
    """Make one page for up to 14 calls, which cannot be edited. The options are those of `approval_page`.

    Raises ValueError for more calls, for two with the same id, and for what is no JSON.
    """
    if not 1 <= len(calls) <= MOST_CALLS or len({call.id for call in calls}) < len(calls):
        raise ValueError(f"A page has 1 to {MOST_CALLS} calls, each with its own id, not {len(calls)}: make several pages")
    for call in calls:
        json_of(call.arguments)
    words = page_parts.read_labels(labels)
    submit = page_parts.approve(words.get("submit", "Submit"), needs, "decide")
    actions = [submit, page_parts.reject(words.get("reject_all", "Reject all"))]
    page = page_parts.titled(title or f"Run {one_line(', '.join(call.name for call in calls), 150)}?", actions)
    if needs > 1:
        page["sameFields"] = [_choice(number) for number, _ in enumerate(calls, 1)]
    page["fields"] = _form(calls, [True] * len(calls), words)
    above, headings = page_parts.introduction(text), _headings(calls)
    room = page_parts.text_room(page, _HTML * len(calls), above)
    shown = fit({heading: call.arguments for heading, call in zip(headings, calls, strict=True)}, room)
    page["text"] = "\n\n".join([*above, *(lines for lines, _ in shown)])
    page["fields"] = _form(calls, [allow_cut or not is_cut for _, is_cut in shown], words)
    return BatchPage(tuple(calls), page)


_HTML = 300  # the weight that a call's fields add to the weight of their JSON


def _choice(number: int) -> str:
    return f"call_{number}"


def _message(number: int) -> str:
    return f"message_{number}"


def _headings(calls: Sequence[ToolCall]) -> list[str]:
    return [f"{number}. {one_line(call.name, 80)}" for number, call in enumerate(calls, 1)]


def _form(calls: Sequence[ToolCall], are_whole: Sequence[bool], words: Labels) -> Form:
    """Return a choice and a message for each call. What is not shown whole cannot be approved."""
    properties: dict[str, Any] = {}
    for number, (call, heading, is_whole) in enumerate(zip(calls, _headings(calls), are_whole, strict=True), 1):
        choices = {
            "approve": words.get("approve", "Approve") if call.approve and is_whole else None,
            "reject": words.get("reject", "Reject"),
            "respond": words.get("respond", "Answer instead of the tool") if call.respond else None,
        }
        offered = [{"const": choice, "title": title} for choice, title in choices.items() if title]
        properties[_choice(number)] = {"oneOf": offered, "title": heading}
        title = _numbered(number, words.get("message", page_parts.MESSAGE))
        longest = min(page_parts.LONGEST_MESSAGE, 2_500 // len(calls))  # an answer has 3,072 bytes
        properties[_message(number)] = page_parts.message_field(title, longest, is_line=not call.respond)
    return {"type": "object", "properties": properties, "required": [_choice(number) for number, _ in enumerate(calls, 1)]}


def _numbered(number: int, title: PageText) -> PageText:
    if isinstance(title, str):
        return f"{number}. {title}"
    return {language: f"{number}. {text}" for language, text in title.items()}
