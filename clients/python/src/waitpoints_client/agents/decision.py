"""What a person decided about a tool's call, in the words that agent frameworks use."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

DecisionType: TypeAlias = Literal["approve", "edit", "reject", "respond"]


@dataclass(frozen=True)
class Decision:
    """A decision about a call."""

    type: DecisionType
    """approve: run it. edit: run it with other `arguments`. reject: do not. respond: `message` is the tool's result."""
    arguments: Any = field(default=None, repr=False)
    """What to run the tool with: after approve, the caller's own object. None if it must not run."""
    message: str = field(default="", repr=False)
    """What the person wrote, or why nobody decided. A model may read it."""
    by: str | None = None
    """The id of the approver who decided. None if nobody did, or an API key."""
    timed_out: bool = False

    @property
    def runs(self) -> bool:
        """Whether the tool may run."""
        return self.type in ("approve", "edit")
