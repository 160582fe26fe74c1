"""A decorator for a tool's function, which then runs only after a person's yes."""

import inspect
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import Unpack

from waitpoints_client.agents.approval_page import ApprovalPage, approval_page
from waitpoints_client.agents.decision import Decision, refusal
from waitpoints_client.aio import AsyncWaitpoints
from waitpoints_client.asking import AskOptions, People
from waitpoints_client.client import Waitpoints
from waitpoints_client.models import Result
from waitpoints_client.wire import refuse_unknown, write_json

P = ParamSpec("P")
R = TypeVar("R")
Named: TypeAlias = str | Callable[..., str]
"""A text, or what makes it of the function's arguments."""
MakePage: TypeAlias = Callable[[str, Mapping[str, Any], Mapping[str, Any]], ApprovalPage]
"""Makes a page of the function's name, its arguments and their JSON Schema."""


@overload
def requires_approval(
    waitpoints: Waitpoints,
    *,
    key: Named,
    run: Named | None = None,
    hidden: Collection[str] = (),
    page: MakePage = approval_page,
    refused: Callable[[Decision], Any] = refusal,
    **people: Unpack[People],
) -> Callable[[Callable[P, R]], Callable[P, R | str]]: ...


@overload
def requires_approval(
    waitpoints: AsyncWaitpoints,
    *,
    key: Named,
    run: Named | None = None,
    hidden: Collection[str] = (),
    page: MakePage = approval_page,
    refused: Callable[[Decision], Any] = refusal,
    **people: Unpack[People],
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R | str]]]: ...


def requires_approval(
    waitpoints: Waitpoints | AsyncWaitpoints,
    *,
    key: Named,
    run: Named | None = None,
    hidden: Collection[str] = (),
    page: MakePage = approval_page,
    refused: Callable[[Decision], Any] = refusal,
    **people: Unpack[People],
) -> Any:
    """Let people decide about each call of a function before it runs. An async function needs an AsyncWaitpoints.

    `key` names the call: a text, or a function of the same arguments, as `lambda order, euros: f"refund-{order}"`. With `run`,
    it names a call of that run. The same key with the same arguments is the same request: it is decided once, and a call that
    failed after a yes runs again. So let the function do its work once for each key.

    People see all arguments except the `hidden` ones, such as a framework's context or `self`. After an approval, the function
    gets the caller's own arguments, or those that a person changed, once pydantic has accepted them. Otherwise it does not
    run. The call then returns the person's answer in its place, or what `refused` makes of the decision: a text for the model.
    `page` can be `functools.partial(approval_page, title=…, respond=True)`. Raises TypeError for a function that it cannot ask
    about; a call raises ValueError for an argument that has no JSON.
    """
    refuse_unknown(people, People.__annotations__)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        tool = _Tool.of(function, hidden)
        if inspect.iscoroutinefunction(function) != isinstance(waitpoints, AsyncWaitpoints):
            needed = "an async function needs an AsyncWaitpoints, any other one a Waitpoints"
            raise TypeError(f"{tool.name} does not fit {type(waitpoints).__name__}: {needed}")
        begin = partial(_Call.begin, tool, key, run, page, people)
        if isinstance(waitpoints, AsyncWaitpoints):
            return wraps(function)(_asking_first_async(function, waitpoints, begin, refused))
        return wraps(function)(_asking_first(function, waitpoints, begin, refused))

    return decorate


def _asking_first(
    function: Callable[..., Any], waitpoints: Waitpoints, begin: "Callable[..., _Call]", refused: Callable[[Decision], Any]
) -> Callable[..., Any]:
    def ask(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        decision, given = call.read(waitpoints.ask(call.page, **call.options))
        return function(*given.args, **given.kwargs) if decision.runs else _told(decision, refused)

    return ask


def _asking_first_async(
    function: Callable[..., Any], waitpoints: AsyncWaitpoints, begin: "Callable[..., _Call]", refused: Callable[[Decision], Any]
) -> Callable[..., Any]:
    async def ask(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        decision, given = call.read(await waitpoints.ask(call.page, **call.options))
        return await function(*given.args, **given.kwargs) if decision.runs else _told(decision, refused)

    return ask


def _told(decision: Decision, refused: Callable[[Decision], Any]) -> Any:
    return decision.message if decision.type == "respond" else refused(decision)


@dataclass(frozen=True)
class _Tool:
    """A function whose calls people are asked about. They see the arguments with these `names`, which `arguments` reads."""

    name: str
    signature: inspect.Signature
    names: Collection[str]
    arguments: TypeAdapter[dict[str, Any]]
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], hidden: Collection[str]) -> "_Tool":
        """Describe a function. Raises TypeError."""
        if not inspect.isfunction(function):
            raise TypeError(f"Expected a function, not {type(function).__name__}: decorate it before a framework does")
        signature, name = inspect.signature(function), function.__name__
        if unknown := {*hidden} - signature.parameters.keys():
            raise TypeError(f"{name} has no parameter {', '.join(sorted(unknown))} to hide")
        shown = [parameter for parameter in signature.parameters.values() if parameter.name not in hidden]
        if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in shown):
            raise TypeError(f"{name} has *arguments or **arguments, which no page can name")
        try:
            arguments = _arguments(function, shown)
            schema = arguments.json_schema()
        except (PydanticUserError, NameError) as error:
            hint = "hide what no model gives, such as a framework's context"
            raise TypeError(f"The parameters of {name} have no JSON Schema: {hint}. {str(error).splitlines()[0]}") from None
        if '"uniqueItems": true' in json.dumps(schema):
            raise TypeError(f"{name} accepts a set, which has no order and so no digest: accept a list")
        return cls(name, signature, [one.name for one in shown], arguments, schema)

    def bind(self, args: Any, kwargs: Any) -> inspect.BoundArguments:
        """Return the arguments of a call with the defaults. Raises TypeError as the call would."""
        given = self.signature.bind(*args, **kwargs)
        given.apply_defaults()
        return given

    def shown(self, given: inspect.BoundArguments) -> dict[str, Any]:
        """Return as JSON what people see of a call. Raises ValueError."""
        found = {}
        for name in self.names:
            try:
                found[name] = to_jsonable_python(given.arguments[name])
            except (PydanticSerializationError, ValueError) as error:
                raise ValueError(f"The argument {name} of {self.name} has no JSON: {error}") from None
        return found


@dataclass(frozen=True)
class _Call:
    """A call of a tool: with the `given` arguments, of which people see those in the `page`."""

    tool: _Tool
    given: inspect.BoundArguments
    shown: Mapping[str, Any]
    page: ApprovalPage
    options: AskOptions

    @classmethod
    def begin(
        cls, tool: _Tool, key: Named, run: Named | None, page: MakePage, people: People, args: Any, kwargs: Any
    ) -> "_Call":
        """Describe a call. Raises TypeError as the call would, and ValueError."""
        given = tool.bind(args, kwargs)
        named: AskOptions = {"key": _name(key, given)}
        if run is not None:
            named = {"run": _name(run, given), "call": _name(key, given)}
        shown = tool.shown(given)
        return cls(tool, given, shown, page(tool.name, shown, tool.schema), {**people, **named})

    def read(self, result: Result) -> tuple[Decision, inspect.BoundArguments]:
        """Return what was decided, and the arguments to call with. A call with what no one has seen, or what does not fit, is a
        reject.
        """
        decision = self.page.decision(result)
        if decision.runs and self.tool.shown(self.given) != self.shown:
            return _reject(decision, "the program changed the arguments while people decided"), self.given
        if decision.type != "edit":
            return decision, self.given
        try:
            read = self.tool.arguments.validate_json(write_json(wanted := decision.arguments))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            said = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
            return _reject(decision, f"approved with a change that does not fit the tool: {said}"), self.given
        changed = {name: value for name, value in read.items() if name not in wanted or wanted[name] != self.shown[name]}
        return decision, inspect.BoundArguments(self.tool.signature, OrderedDict({**self.given.arguments, **changed}))


def _reject(decision: Decision, message: str) -> Decision:
    return replace(decision, type="reject", arguments=None, message=message)


def _arguments(function: Callable[..., Any], shown: Sequence[inspect.Parameter]) -> TypeAdapter[dict[str, Any]]:
    """Return what reads the arguments of these parameters from JSON."""

    def read(**arguments: Any) -> dict[str, Any]:
        return arguments

    described: Any = read
    described.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in shown])
    described.__annotations__ = {one.name: one.annotation for one in shown if one.annotation is not one.empty}
    described.__module__ = function.__module__
    return TypeAdapter(described)


def _name(named: Named, given: inspect.BoundArguments) -> str:
    return named if isinstance(named, str) else named(*given.args, **given.kwargs)
