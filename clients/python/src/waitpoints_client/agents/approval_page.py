"""The page of a tool's call, and how its answer is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import TypedDict

from waitpoints_client.agents.decision import Answered, Decision, read_answer
from waitpoints_client.agents.shown_text import arguments_text, cut, json_of, one_line, value_text, visible, weight
from waitpoints_client.agents.tool_fields import ToolField, label_of, tool_fields
from waitpoints_client.agents.tool_schema import ToolSchema
from waitpoints_client.models import Result
from waitpoints_client.options import Action, PageOptions, PageText
from waitpoints_client.wire import write_json

LONGEST_TITLE, LONGEST_MESSAGE = 200, 1_000
ROOM, TEXT_ROOM = 12_000, 9_500  # the weight of a page, which leaves room for its approvers, and of its text
INTRODUCTION_ROOM = 2_000
SLACK_ROOM = 2_500  # what is longer may be cut in a message, which must not approve it then


class Labels(TypedDict, total=False):
    """Words of a page in place of the English ones."""

    approve: PageText
    reject: PageText
    respond: PageText
    message: PageText
    """The title of the field for a message."""


@dataclass(frozen=True)
class ApprovalPage:
    """A page that asks whether a tool may run with these arguments. The same call makes the same page."""

    name: str
    """The tool's."""
    arguments: Any = field(repr=False)
    page: PageOptions = field(repr=False)
    """What `create` gets, without approvers."""
    message: str = "message"
    """The field in which a person writes to the agent."""
    fields: Mapping[str, ToolField] = field(default_factory=dict, repr=False)
    schema: ToolSchema | None = field(default=None, repr=False, compare=False)

    def decision(self, result: Result) -> Decision:
        """Return what a person decided. A token that failed or timed out, or an unknown answer, is a reject."""
        answered = read_answer(result)
        if isinstance(answered, Decision):
            return answered
        message = answered.text(self.message)
        if answered.action not in [action["id"] for action in self.page["actions"]]:
            return answered.unknown()
        if answered.action == "approve":
            return self._approved(answered, message)
        if answered.action == "respond" and message:
            return Decision("respond", message=message, by=answered.by, output=answered.output)
        return answered.reject(message)

    def _approved(self, answered: Answered, message: str) -> Decision:
        """Return the call as it was, or with what the person changed, if that fits the tool.

        An answer without any field, as a program may send, changes nothing: a form sends at least one, which is required.
        """
        if unknown := answered.fields.keys() - self.page["fields"]["properties"].keys():
            said = one_line(", ".join(sorted(unknown)), 100)
            return answered.reject(f"not approved: the answer has fields of another page ({said})")
        changed = [one for one in self.fields.values() if one.changed(answered.fields)]
        if not changed or answered.fields.keys().isdisjoint(self.fields):
            return Decision("approve", self.arguments, message, answered.by, output=answered.output)
        arguments = dict(self.arguments)
        for one in changed:
            value = one.read(answered.fields)
            if value is None:
                arguments.pop(one.name, None)
            else:
                arguments[one.name] = value
        if self.schema and (problem := self.schema.problem(arguments)):
            said = f"approved with a change that does not fit the tool, so it must not run: {problem}"
            return answered.reject("\n".join(filter(None, [said, message])))
        return Decision("edit", arguments, message, answered.by, output=answered.output)


def approval_page(
    name: str,
    arguments: Any,
    schema: Mapping[str, Any] | None = None,
    *,
    title: PageText | None = None,
    text: str = "",
    edit: bool = True,
    respond: bool = False,
    needs: int = 1,
    allow_cut: bool = False,
    labels: Labels | None = None,
) -> ApprovalPage:
    """Make the page of a call of the tool `name` with these arguments. `schema` is the JSON Schema of its parameters.

    `text` is your own explanation, above the arguments. With `edit`, an argument that a page can have as a field is one, and a
    changed field changes the call; that needs the extra `agents`. The others are text. Arguments that are too long are cut,
    and can then not be approved without `allow_cut`. With `respond`, a person can answer in place of the tool. `needs` is how
    many approvers must approve: all of them the same values. `labels` are the words of the page in another language than
    English. Raises ValueError for what is no JSON, and ConfigurationError.
    """
    json_of(arguments)
    checked = ToolSchema(schema) if schema is not None and edit else None
    fields: dict[str, ToolField] = {}
    if schema is not None and checked and isinstance(arguments, dict) and not checked.problem(arguments):
        fields = tool_fields(schema, arguments)
    taken = {*fields, *(arguments if isinstance(arguments, dict) else ())}
    message, seen = _free("message", taken), _free("seen", taken)
    page = _page(name, title, respond=respond, needs=needs, words=labels or {})
    own = {message: _message_field((labels or {}).get("message", "Message to the agent"))}
    page["fields"] = _form(fields, own)
    if needs > 1 and fields:
        page["sameFields"] = [*fields]
    room = min(TEXT_ROOM, ROOM - 500 - weight(write_json({**page, "fields": own})) - sum(one.weight for one in fields.values()))
    shown, is_cut = _text(name if title else None, text, arguments, schema, fields, room)
    page["text"] = shown
    if is_cut and not allow_cut:
        page["actions"] = [action for action in page["actions"] if action["id"] != "approve"]
    elif weight(shown) > SLACK_ROOM:
        page["fields"] = _form(fields, {seen: _SEEN, **own}, [seen])
    return ApprovalPage(name, arguments, page, message, fields, checked)


_SEEN = {"type": "boolean", "const": True, "title": "I have read all of the above"}


def _free(name: str, taken: set[str]) -> str:
    """Return a name of a field that no argument has."""
    while name in taken:
        name += "_"
    return name


def _page(name: str, title: PageText | None, *, respond: bool, needs: int, words: Labels) -> PageOptions:
    approve: Action = {"id": "approve", "label": words.get("approve", "Approve")}
    reject: Action = {"id": "reject", "label": words.get("reject", "Reject"), "style": "danger", "needsFields": False}
    answer: Action = {"id": "respond", "label": words.get("respond", "Answer in its place"), "needsFields": False}
    if needs != 1:
        approve["needs"] = needs
    asked = title or f"Run {one_line(name, 150)}?"
    page: PageOptions = {"title": asked if isinstance(asked, str) else {**asked}}
    if isinstance(asked, Mapping):
        page["title"], page["language"] = {of: one_line(one, LONGEST_TITLE) for of, one in asked.items()}, [*asked]
    else:
        page["title"] = one_line(asked, LONGEST_TITLE)
    page["actions"] = [approve, reject, *([answer] if respond else [])]
    return page


def _message_field(title: PageText) -> dict[str, Any]:
    return {"type": "string", "format": "textarea", "title": title, "maxLength": LONGEST_MESSAGE}


def _form(fields: Mapping[str, ToolField], own: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """Return the fields of a page. At least one that has a value is required: an answer without it is none of this form."""
    filled = [one.name for one in fields.values() if one.sent is not None]
    needed = [one.name for one in fields.values() if one.is_required] or filled
    properties = {**{one.name: one.schema for one in fields.values()}, **own}
    return {"type": "object", "properties": properties, "required": [*needed, *(required or ())]}


def _text(
    tool: str | None, introduction: str, arguments: Any, schema: Any, fields: Mapping[str, ToolField], room: int
) -> tuple[str, bool]:
    """Return the text of a page, and whether arguments in it are cut."""
    shown = visible(introduction)
    if weight(shown) > INTRODUCTION_ROOM:
        shown = cut(shown, introduction, INTRODUCTION_ROOM)
    parts = [part for part in [shown, f"Tool: {one_line(tool, 100)}" if tool else ""] if part]
    room -= sum(weight(part) + 4 for part in parts)
    if not isinstance(arguments, dict):
        lines, is_cut = value_text(arguments, room)
        return "\n\n".join([*parts, f"Arguments:\n{lines}"]), is_cut
    rest = {name: one for name, one in arguments.items() if name not in fields or fields[name].is_long}
    if not rest:
        return "\n\n".join([*parts, *([] if fields else ["No arguments."])]), False
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    labels = {name: label_of(name, one) for name, one in properties.items()} if isinstance(properties, Mapping) else {}
    lines, is_cut = arguments_text(rest, labels, room)
    return "\n\n".join([*parts, f"Arguments:\n{lines}"]), is_cut
