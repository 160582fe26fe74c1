"""Let an agent ask a person: a page for a tool's call, what the person decided, and adapters for agent frameworks.

Each adapter is a module of its own, which imports its framework: `agents.langgraph`, for example.
"""

from waitpoints_client.agents.approval_page import ApprovalPage, approval_page
from waitpoints_client.agents.decision import Decision

__all__ = ["ApprovalPage", "Decision", "approval_page"]
