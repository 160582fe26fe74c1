"""Let an agent ask a person: a page for a tool's call, what the person decided, and adapters for agent frameworks.

Each adapter is a module of its own, which imports its framework: `agents.langgraph`, for example.
"""

from waitpoints_client.agents.approval_page import ApprovalPage, approval_page
from waitpoints_client.agents.batch_page import BatchPage, ToolCall, approval_page_of
from waitpoints_client.agents.decision import Decision, DecisionType, refusal
from waitpoints_client.agents.page_parts import Labels
from waitpoints_client.agents.requires_approval import requires_approval

__all__ = [
    "ApprovalPage",
    "BatchPage",
    "Decision",
    "DecisionType",
    "Labels",
    "ToolCall",
    "approval_page",
    "approval_page_of",
    "refusal",
    "requires_approval",
]
