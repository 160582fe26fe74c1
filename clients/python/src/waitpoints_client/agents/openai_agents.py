"""Ask people about the calls of an agent of the OpenAI Agents SDK that have `needs_approval`. Extra: `openai-agents`.

    result = await Runner.run(agent, "Refund order 1001")
    while result.interruptions:
        state = result.to_state()
        await ask_people(waitpoints, state, run="ticket-7", approvers=["ann@example.com"])
        result = await Runner.run(agent, state)

The run is in `state.to_json()`: store it before you ask. After a crash, `RunState.from_json` and the same `ask_people` find the
same requests.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from agents import FunctionTool, RunState, ToolApprovalItem
from typing_extensions import Unpack

from waitpoints_client.agents.approval_page import approval_page
from waitpoints_client.agents.decision import Decision, refusal
from waitpoints_client.agents.requires_approval import MakePage
from waitpoints_client.aio import AsyncWaitpoints
from waitpoints_client.asking import AskOptions, People, find_or_create
from waitpoints_client.wire import write_json


async def ask_people(
    waitpoints: AsyncWaitpoints,
    state: RunState[Any, Any],
    *,
    run: str,
    wait: bool = True,
    page: MakePage = partial(approval_page, edit=False),
    **people: Unpack[People],
) -> list[str]:
    """Ask about all pending calls at once, and put what people decided into the state. Return the ids of tokens that wait.

    `run` names this run, such as a thread and the number of its turn: some models reuse the ids of calls. Without `wait`, what
    is not decided yet stays pending, and the program can store the state and end. `page` makes the page of a call from the
    tool's name, arguments and schema. The SDK runs a call only with the model's own arguments: if a page lets people change
    them, a change is a rejection that tells the model so.
    """
    calls = [(item, page(str(item.qualified_name), _arguments(item), _schema(item))) for item in state.get_interruptions()]
    tokens = []
    for item, shown in calls:
        named: AskOptions = {"run": run, "call": item.call_id}
        tokens.append(await waitpoints._run(find_or_create(waitpoints._session, shown, {**people, **named})))
    waiting = []
    for (item, shown), token in zip(calls, tokens, strict=True):
        result = await waitpoints.wait(token) if wait else (await waitpoints.get(token)).result
        if result is None:
            waiting.append(token)
        else:
            _decide(state, item, shown.decision(result))
    return waiting


def _decide(state: RunState[Any, Any], item: ToolApprovalItem, decision: Decision) -> None:
    if decision.type == "approve":
        state.approve(item)
    elif decision.type == "edit":
        wanted = f"This did not run. Call it with what {decision.by or 'the owner'} wants: {write_json(decision.arguments)}"
        state.reject(item, rejection_message="\n".join(filter(None, [wanted, decision.message])))
    else:  # what a person answers in the tool's place is its output
        state.reject(item, rejection_message=refusal(decision))


def _arguments(item: ToolApprovalItem) -> Any:
    """Return what the model wrote, also if it is no JSON. A shell and a patch have no arguments, but an action or an operation.

    The same call has the same ones before and after the state is stored.
    """
    if item.arguments is None:
        raw = item.raw_item if isinstance(item.raw_item, dict) else item.raw_item.model_dump(mode="json")
        return {name: value for name, value in (raw.get("action") or raw.get("operation") or raw).items() if value is not None}
    try:
        arguments = json.loads(item.arguments)
        json.dumps(arguments, allow_nan=False)
    except ValueError:
        return item.arguments
    return arguments


def _schema(item: ToolApprovalItem) -> Mapping[str, Any]:
    tools = [tool for tool in item.agent.tools if isinstance(tool, FunctionTool) and tool.name == item.name]
    return tools[0].params_json_schema if tools else {}
