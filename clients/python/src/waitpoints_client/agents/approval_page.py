"""The page of a tool's call, and how its answer is read."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from waitpoints_client.agents import page_parts
from waitpoints_client.agents.decision import Answered, Decision, read_answer
from waitpoints_client.agents.page_parts import Labels
from waitpoints_client.agents.shown_text import HUGE, blocks_text, json_of, one_line, value_text, weight
from waitpoints_client.agents.tool_fields import ToolField, titles_of, tool_fields
from waitpoints_client.agents.tool_schema import ToolSchema
from waitpoints_client.models import Result
from waitpoints_client.request_types import Action, Form, PageOptions, PageText


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
    """The arguments that can be changed."""
    schema: ToolSchema | None = field(default=None, repr=False)

    def decision(self, result: Result) -> Decision:
        """Return what a person decided. A token that failed or timed out, or an unknown answer, is a reject."""
        answered = read_answer(result)
        if isinstance(answered, Decision):
            return answered
        if answered.action not in [action["id"] for action in self.page["actions"]]:
            return answered.unknown()
        message = answered.text(self.message)
        if answered.action == "approve":
            return self._approved(answered, message)
        if answered.action != "respond":
            return answered.reject(message)
        if not message:
            return answered.reject("no answer was written")
        return Decision("respond", message=message, by=answered.by, output=answered.output)

    def _approved(self, answered: Answered, message: str) -> Decision:
        """Return the call as it was, or with what the person changed, if that fits the tool.

        An answer without any argument, as a program may send, changes nothing: a form sends those that are required.
        """
        if unknown := answered.fields.keys() - self.page["fields"]["properties"].keys():
            return answered.reject(
                f"not approved: the answer is to another page, with {one_line(', '.join(sorted(unknown)), 100)}"
            )
        changed = [one for one in self.fields.values() if one.changed(answered.fields)]
        if not changed or answered.fields.keys().isdisjoint(self.fields):
            return Decision("approve", self.arguments, message, answered.by, output=answered.output)
        read = {one.name: one.read(answered.fields) for one in changed}
        arguments = {name: value for name, value in {**self.arguments, **read}.items() if name not in read or value is not None}
        if self.schema and (problem := self.schema.problem(arguments)):
            said = f"approved with a change that does not fit the tool: {problem}"
            return answered.reject("\n".join(filter(None, [said, message])))
        return Decision("edit", arguments, message, answered.by, output=answered.output)


def approval_page(
    name: str,
    arguments: Any,
    schema: Mapping[str, Any] | None = None,
    *,
    title: PageText | None = None,
    text: str = "",
    approve: bool = True,
    edit: bool = True,
    respond: bool = False,
    needs: int = 1,
    allow_cut: bool = False,
    labels: Labels | None = None,
) -> ApprovalPage:
    """Make the page of a call of the tool `name` with these arguments. `schema` is the JSON Schema of its parameters.

    `text` is your own explanation, above the arguments. With `edit`, an argument that a page can have as a field is one, and a
    changed field changes the call; that needs the extra `agents`. The others are text, in English but for the `labels`. What
    is too long is cut, and can then not be approved without `allow_cut`. With `respond`, a person can answer in place of the
    tool: without `approve`, only that. `needs` is how many approvers must approve, all of them the same values. Raises
    ValueError for what is no JSON, and ConfigurationError without the extra.
    """
    size = len(json_of(arguments))
    titles = titles_of(schema, arguments if isinstance(arguments, dict) else {})
    checked = ToolSchema(schema) if schema is not None and edit and approve else None
    fields = _fields(schema, checked, arguments, titles) if schema is not None and checked and size <= HUGE else {}
    message, seen, words = _free("message", titles), _free("seen", titles), page_parts.read_labels(labels)
    own, required = {message: page_parts.message_field(words.get("message", page_parts.MESSAGE))}, list[str]()
    page = page_parts.titled(title or f"Run {one_line(name, 150)}?", _actions(words, needs, respond=respond))
    page["fields"] = _form({}, {seen: page_parts.seen_box(words), **own}, [seen])
    if needs > 1 and fields:
        page["sameFields"] = [*fields]
    above = [*page_parts.introduction(text), *([f"Tool: {one_line(name, 100)}"] if title else [])]
    room = page_parts.text_room(page, sum(one.weight for one in fields.values()), above)
    shown, is_cut = _shown(arguments, titles, fields, room)
    is_hidden = is_cut and not allow_cut
    if is_hidden and fields:  # nobody could approve a change of them, and the text needs their room
        how: dict[str, Any] = {"edit": False, "respond": respond, "needs": needs}
        return approval_page(name, arguments, schema, title=title, text=text, labels=labels, **how)
    page["text"] = whole = "\n\n".join([*above, *([page_parts.CUT] if approve and is_hidden else []), *shown])
    if not approve or is_hidden:
        page["actions"] = [action for action in page["actions"] if action["id"] != "approve"]
    elif page_parts.is_cut_in_slack(whole):
        own, required = {seen: page_parts.seen_box(words), **own}, [seen]
    page["fields"] = _form(fields, own, required)
    return ApprovalPage(name, arguments, page, message, fields, checked)


def _fields(schema: Mapping[str, Any], checked: ToolSchema, arguments: Any, titles: Mapping[str, str]) -> dict[str, ToolField]:
    """Return the arguments that can be fields: none if they do not fit the tool."""
    is_form = isinstance(arguments, dict) and not checked.problem(arguments)
    return tool_fields(schema, arguments, titles) if is_form else {}


def _free(name: str, taken: Container[str]) -> str:
    """Return a name of a field that no argument has."""
    while name in taken:
        name += "_"
    return name


def _actions(words: Labels, needs: int, *, respond: bool) -> list[Action]:
    answer: Action = {"id": "respond", "label": words.get("respond", "Answer instead of the tool"), "needsFields": False}
    decide = [page_parts.approve(words.get("approve", "Approve"), needs), page_parts.reject(words.get("reject", "Reject"))]
    return [*decide, answer] if respond else decide


def _form(fields: Mapping[str, ToolField], own: Mapping[str, Any], required: list[str]) -> Form:
    """Return the fields of a page. At least one that has a value is required: an answer without it is none of this form."""
    filled = [one.name for one in fields.values() if one.sent is not None]
    needed = [one.name for one in fields.values() if one.is_required] or filled
    properties: dict[str, Any] = {**{one.name: one.schema for one in fields.values()}, **own}
    return {"type": "object", "properties": properties, "required": [*needed, *required]}


def _shown(arguments: Any, titles: Mapping[str, str], fields: Mapping[str, ToolField], room: int) -> tuple[list[str], bool]:
    """Return the paragraphs of what is no field, or cannot all be seen in one, and whether it is cut."""
    if not isinstance(arguments, dict):
        lines, is_cut = value_text(arguments, room)
        return [f"Arguments:\n{lines}"], is_cut
    long = {titles[name]: one.sent for name, one in fields.items() if one.is_long}
    in_full, is_cut = blocks_text(long, long, room)
    above = [f"In full, and below to be changed:\n{in_full}"] if long else []
    rest = {name: one for name, one in arguments.items() if name not in fields}
    if not rest:
        return (above if fields else ["No arguments."]), is_cut
    named = {titles[name]: one for name, one in rest.items()}
    lines, is_rest_cut = blocks_text(named, rest, room - sum(map(weight, above)))
    heading = "More arguments, which stay as they are" if fields else "Arguments"
    return [*above, f"{heading}:\n{lines}"], is_cut or is_rest_cut
