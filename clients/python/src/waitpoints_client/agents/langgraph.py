"""Ask people about the calls at which a LangGraph thread has stopped, and resume it with what they decide. Extra: `langgraph`.

The checkpointer has the thread, and nothing of a request: neither its id nor a link. The interrupts' ids find it again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import is_invalid_resume
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt, StateSnapshot
from pydantic import ValidationError
from typing_extensions import Unpack

from waitpoints_client import AsyncWaitpoints, Result, Waitpoints
from waitpoints_client.agents import ApprovalPage, approval_page, refusal
from waitpoints_client.asking import AnyPage, People, find_or_create
from waitpoints_client.session import Flow, Session


class Options(People, total=False):
    """Who is asked, and how."""

    wait: bool
    """False: return while people decide. True by default."""
    page: Callable[..., ApprovalPage]
    """Makes the page of a call: `approval_page`, or a function that is called as it. Only per_call mode gives it the schema."""


def resume(waitpoints: Waitpoints, graph: Pregel, config: RunnableConfig, **how: Unpack[Options]) -> StateSnapshot:
    """Resume a thread until it ends, also after a crash. Returns its state, which has no `tasks` at the end.

    Asks about each call at which HumanInTheLoopMiddleware stops, and each `interrupt(page)`, which returns the output, or None
    after a timeout. Returns early at other interrupts, and with `wait=False` while people decide: call it again when a token
    has settled, in one process at a time for each thread. Raises ValueError for what cannot be asked.
    """
    while (state := graph.get_state(config)).tasks:  # not `next`, which is empty after a crash between two steps
        answer = waitpoints._run(_answer(waitpoints._session, graph, state, how))
        if state.interrupts and not answer:
            break
        try:
            graph.invoke(Command(resume=answer) if answer else None, config)
        except ValidationError as error:
            graph.invoke(_refuse(answer, error), config)
    return state


async def aresume(waitpoints: AsyncWaitpoints, graph: Pregel, config: RunnableConfig, **how: Unpack[Options]) -> StateSnapshot:
    """As `resume`, with `ainvoke`."""
    while (state := await graph.aget_state(config)).tasks:
        answer = await waitpoints._run(_answer(waitpoints._session, graph, state, how))
        if state.interrupts and not answer:
            break
        try:
            await graph.ainvoke(Command(resume=answer) if answer else None, config)
        except ValidationError as error:
            await graph.ainvoke(_refuse(answer, error), config)
    return state


def _refuse(answer: Mapping[str, Any], error: ValidationError) -> Command:
    """Reject changed arguments that do not fit the tool's types. Raises any other error."""
    if not is_invalid_resume(error):
        raise error
    return Command(resume={it: {"type": "reject", "message": f"A person's change does not fit: {error}"} for it in answer})


def _answer(session: Session, graph: Pregel, state: StateSnapshot, how: Options) -> Flow[dict[str, Any]]:
    """Ask about all interrupts. Return the answer to one: among several, a bad one could repeat what the others did."""
    if not state.interrupts and (graph.interrupt_before_nodes or graph.interrupt_after_nodes):
        raise ValueError("A breakpoint names no call to ask about: use HumanInTheLoopMiddleware or interrupt() instead")
    people: Any = {name: value for name, value in how.items() if name not in ("wait", "page")}
    people["run"] = str(state.config["configurable"]["thread_id"])
    for waits in (False, True) if how.get("wait", True) else (False,):
        for interrupt in state.interrupts:
            answers, questions = [], _questions(interrupt, how)
            for number, (page, allowed) in enumerate(questions):
                token = yield from find_or_create(session, page, people | {"call": f"{interrupt.id}/{number}"})
                result = (yield from session.wait(token, None, None)) if waits else (yield from session.get(token)).result
                answers += [_read(result, page, allowed)] if result else []
            if questions and len(answers) == len(questions):
                return {interrupt.id: {"decisions": answers} if "action_requests" in interrupt.value else answers[0]}
    return {}


def _read(result: Result, page: AnyPage, allowed: Collection[str]) -> Any:
    if not isinstance(page, ApprovalPage):
        return result.output if result.ok else None
    if not (decision := page.decision(result)).runs:
        return {"type": decision.type if decision.type in allowed else "respond", "message": refusal(decision)}
    edited = {"type": "edit", "edited_action": {"name": page.name, "args": decision.arguments}}
    return {"type": "approve"} if decision.type == "approve" and "approve" in allowed else edited


def _questions(interrupt: Interrupt, how: Options) -> list[tuple[AnyPage, Collection[str]]]:
    """Return what to ask, each with the decisions that LangChain accepts."""
    value = interrupt.value if isinstance(interrupt.value, dict) else {}
    if "action_requests" in value:
        allowed = {it["action_name"]: it["allowed_decisions"] for it in value["review_configs"]}
        return [_question(it, allowed[it["name"]], {}, how) for it in value["action_requests"]]
    if value.get("type") == "tool_approval":
        schema: Any = interrupt.response_schema
        kinds = schema["discriminator"]["mapping"] if "discriminator" in schema else [schema["properties"]["type"]["const"]]
        definitions = schema.get("$defs", {})
        edited = definitions["EditedAction"]["properties"]["args"] if "edit" in kinds else {}
        known = {"$defs": definitions, **definitions.get(edited.get("$ref", "").rpartition("/")[2], edited)}
        return [_question(value, kinds, {"schema": known}, how)]
    shown: Any = {name: value[name] for name in ("title", "text", "links", "fields", "actions") if name in value}
    return [(shown, ())] if "title" in value else []  # it does not choose who answers it


def _question(call: Any, allowed: Collection[str], known: Any, how: Options) -> tuple[AnyPage, Collection[str]]:
    if "reject" not in allowed and [*allowed] != ["respond"]:
        raise ValueError(f"{call['name']} allows {', '.join(allowed)}: allow reject too, for a call that no one answers")
    known |= {"edit": "edit" in allowed, "respond": "respond" in allowed}
    asked = how.get("page", approval_page)(call["name"], call["args"], **known)
    actions = [it for it in asked.page["actions"] if it["id"] in allowed or (it["id"] == "approve" and "edit" in allowed)]
    return replace(asked, page={**asked.page, "actions": actions}), allowed
