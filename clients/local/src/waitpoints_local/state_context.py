"""What every mend of the States Language knows: which state runs in this thread, and the names of the errors."""

from contextvars import ContextVar
from typing import Any

RUNTIME, QUERY = "States.Runtime", "States.QueryEvaluationError"
INTRINSIC, RESULT_PATH = "States.IntrinsicFailure", "States.ResultPathMatchFailure"
PUBLIC = ("Execution", "Map", "State", "StateMachine", "Task")
"""What the context object has on AWS. MiniStack keeps more in the same place."""

current: ContextVar[dict[str, Any]] = ContextVar("current")
"""The context object of the state that runs, since MiniStack passes it on to some functions only."""

group: ContextVar[Any] = ContextVar("group", default=None)
"""The strands of which this thread is one. The event `stopped` of it ends what the thread waits for."""
