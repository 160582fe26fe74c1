"""What a person decided about a tool's call, in the words that agent frameworks use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from waitpoints_client.agents.shown_text import one_line
from waitpoints_client.models import Failed, Result

DecisionType: TypeAlias = Literal["approve", "edit", "reject", "respond"]


@dataclass(frozen=True)
class Decision:
    """A decision about a call."""

    type: DecisionType
    """approve: run it. edit: run it with other `arguments`. reject: do not. respond: `message` is the tool's result."""
    arguments: Any = field(default=None, repr=False)
    """What to run the tool with: after approve, the caller's own object. None if it must not run."""
    message: str = field(default="", repr=False)
    """What the person wrote, or why the tool must not run. A model may read it."""
    by: str | None = None
    """The id of the approver who decided, or their address if only a sign-in names them. None if nobody did, or an API key."""
    timed_out: bool = False
    output: Any = field(default=None, repr=False)
    """The token's output, with all `answers`: evidence of who approved what."""

    @property
    def runs(self) -> bool:
        """Whether the tool may run."""
        return self.type in ("approve", "edit")


def refusal(decision: Decision) -> str:
    """Return what a model is told of a call that did not run: what a person answered in its place, or who rejected it."""
    if decision.type == "respond":
        return decision.message
    if decision.timed_out:
        return "This did not run: nobody decided in time."
    return (
        f"{decision.by or 'The owner'} rejected this, so it did not run{f': {decision.message}' if decision.message else '.'}"
    )


@dataclass(frozen=True)
class Answered:
    """The answer in a token's output. What has another shape chose no action."""

    action: str | None
    fields: Mapping[str, Any]
    by: str | None
    output: Any

    def text(self, name: str) -> str:
        """Return what was written into a field. Empty if nothing was."""
        written = self.fields.get(name)
        return written if isinstance(written, str) else ""

    def reject(self, message: str = "") -> Decision:
        return Decision("reject", message=message, by=self.by, output=self.output)

    def unknown(self) -> Decision:
        """Return the decision if the action is none that runs anything."""
        return self.reject(f"not approved: the answer has the action {one_line(str(self.action), 100)}")


def read_answer(result: Result) -> Answered | Decision:
    """Return the answer to a page, or the reject of a token that failed or timed out: silence never approves."""
    if isinstance(result, Failed):
        return Decision("reject", message=result.error.message, timed_out=result.timed_out)
    output = result.output if isinstance(result.output, dict) else {}
    action, fields = output.get("action"), output.get("fields")
    return Answered(
        action if isinstance(action, str) else None,
        fields if isinstance(fields, dict) else {},
        _who(output),
        result.output,
    )


def _who(output: Mapping[str, Any]) -> str | None:
    """Return who decided. The id of someone whom the page does not name is the subject of their sign-in, which says nothing."""
    approver, answers = output.get("approver"), output.get("answers")
    for answer in answers if isinstance(answers, list) else ():
        signed_in = answer.get("signedIn") if isinstance(answer, dict) else None
        if isinstance(signed_in, dict) and approver is not None and signed_in.get("subject") == approver:
            email = signed_in.get("email")
            return email if isinstance(email, str) else approver
    return approver if isinstance(approver, str) else None
