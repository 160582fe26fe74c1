"""The page of a tool's call, and how its answer is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from waitpoints_client.agents.decision import Decision
from waitpoints_client.models import Failed, Result
from waitpoints_client.options import Action, PageOptions, PageText
from waitpoints_client.wire import write_json

MESSAGE = "message"


@dataclass(frozen=True)
class ApprovalPage:
    """A page that asks whether a tool may run with these arguments. The same call makes the same page."""

    name: str
    """The tool's."""
    arguments: Any = field(repr=False)
    page: PageOptions = field(repr=False)
    """What `create` gets, without approvers."""

    def decision(self, result: Result) -> Decision:
        """Return what a person decided. A token that failed or timed out is a reject: silence never approves."""
        if isinstance(result, Failed):
            return Decision("reject", message=result.error.message, timed_out=result.timed_out)
        output = result.output
        message, by = str(output["fields"].get(MESSAGE, "")), output.get("approver")
        if output["action"] == "approve":
            return Decision("approve", self.arguments, message, by)
        return Decision("respond" if output["action"] == "respond" else "reject", message=message, by=by)


def approval_page(
    name: str,
    arguments: Any,
    schema: Mapping[str, Any] | None = None,
    *,
    title: PageText | None = None,
    edit: bool = True,
    respond: bool = False,
    needs: int = 1,
    allow_cut: bool = False,
) -> ApprovalPage:
    """Make the page of a call of the tool `name` with these arguments. `schema` is the JSON Schema of its parameters.

    With `edit`, what can be a field of a page is one, and a changed field changes the call. The rest is text. Arguments that
    are too long are cut, and can then not be approved without `allow_cut`. With `respond`, a person can answer in place of the
    tool. `needs` is how many approvers must approve. Raises ValueError for what is no JSON.
    """
    assert schema is None or edit or not allow_cut
    answer: list[Action] = [{"id": "respond", "label": "Answer in its place"}] if respond else []
    page: PageOptions = {
        "title": title or f"Run {name}?",
        "text": write_json(arguments),
        "actions": [
            {"id": "approve", "label": "Approve", "needs": needs},
            {"id": "reject", "label": "Reject", "style": "danger", "needsFields": False},
            *answer,
        ],
        "fields": {
            "type": "object",
            "properties": {MESSAGE: {"type": "string", "format": "textarea", "title": "Message to the agent"}},
        },
    }
    return ApprovalPage(name, arguments, page)
