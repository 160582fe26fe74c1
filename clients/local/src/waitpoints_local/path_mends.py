"""What MiniStack 1.5.33 does otherwise than AWS with paths, payload templates and variables.

`states_language_mends.py` has the list of them all, and says what "recorded" means.
"""

import json
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from waitpoints_local import json_paths
from waitpoints_local.state_context import PUBLIC, RUNTIME, current

MISSING = "could not be found in the"
_VARIABLE = re.compile(r"\$(?=[^\W\d])")
_assigned: ContextVar[dict[str, Any] | None] = ContextVar("assigned", default=None)
"""What a state has assigned, which nobody reads before the next state."""


class _Template(dict[str, Any]):
    """A payload template, of which MiniStack asks whether it is there: also if it is empty."""

    def __bool__(self) -> bool:
        return True


def read_paths(stepfunctions: Any) -> None:
    """Read every path as AWS does, and fail the execution with States.Runtime if it leads to nothing, wherever it stands.

    Recorded for InputPath, OutputPath, payload templates, the context object, ErrorPath, CausePath and the paths of timeouts:
    scenarios/test_base_scenarios.py, test_invalid_jsonpath. The guide and the States Language call it
    States.ParameterPathFailure in a payload template, which is in no record. A path that begins with the name of a variable
    leads into it (guide, "Passing data between states with variables"). MiniStack 1.5.33 takes null for everything that is
    missing, and knows no variables, slices, unions, filters or descents.
    """

    def value_of(path: str, data: Any, shown: str, where: str) -> Any:
        try:
            return json_paths.value_at(path, data)
        except json_paths.UnreadablePath:
            raise stepfunctions._ExecutionError(RUNTIME, f"The local engine cannot read the path '{shown}'") from None
        except json_paths.NoSuchValue:
            where = where or f"input '{json.dumps(data, ensure_ascii=False)}'"
            raise stepfunctions._ExecutionError(RUNTIME, f"The JSONPath '{shown}' {MISSING} {where}") from None

    def resolve_in_context(path: str, context: Any) -> Any:
        found = context or current.get({})
        public = {name: found[name] for name in PUBLIC if name in found}
        return value_of(path[1:], public, path, "context object")  # which has a task token

    def resolve(path: str, data: Any, context: Any) -> Any:
        if path.startswith("$$"):
            return resolve_in_context(path, context)
        if _VARIABLE.match(path):
            variables = (context or current.get({})).get("variables", {})
            return value_of(f"$.{path[1:]}", variables, path, "variables")
        return value_of(path, data, path, "")

    stepfunctions._resolve_path = lambda path, data: resolve(path, data, None)
    stepfunctions._resolve_path_or_ctx = resolve
    stepfunctions._resolve_ctx_path = resolve_in_context


def fill_whole_templates(stepfunctions: Any) -> None:
    """Fill a payload template however deep, and take an empty one for what it is (States Language, "Payload Template").

    MiniStack 1.5.33 does not look into lists within lists, and takes an empty template for none.
    """
    run = stepfunctions._run_map_items

    def filled(template: Any, data: Any, context: Any = None) -> Any:
        if callable(template):  # `map_mends.py` makes one of an ItemSelector in JSONata
            return template(context)
        if isinstance(template, list):
            return [filled(member, data, context) for member in template]
        if not isinstance(template, dict):
            return template
        return dict(field(name, member, data, context) for name, member in template.items())

    def field(name: str, value: Any, data: Any, context: Any) -> tuple[str, Any]:
        if not (name.endswith(".$") and isinstance(value, str)):
            return name, filled(value, data, context)
        if value.startswith("States."):
            return name[:-2], stepfunctions._evaluate_intrinsic(value, data, context)
        return name[:-2], stepfunctions._resolve_path_or_ctx(value, data, context)

    def apply_parameters(state: dict[str, Any], data: Any, context: Any = None) -> Any:
        return filled(state["Parameters"], data, context) if "Parameters" in state else data

    def apply_result_selector(state: dict[str, Any], data: Any) -> Any:
        return filled(state["ResultSelector"], data) if "ResultSelector" in state else data

    def run_map_items(state: dict[str, Any], *rest: Any) -> Any:
        fields = {name: _Template(state[name]) for name in ("ItemSelector", "Parameters") if state.get(name) == {}}
        return run({**state, **fields}, *rest)

    stepfunctions._resolve_params_obj, stepfunctions._apply_parameters = filled, apply_parameters
    stepfunctions._apply_result_selector, stepfunctions._run_map_items = apply_result_selector, run_map_items


def keep_variables(stepfunctions: Any) -> None:
    """Let states of both query languages assign variables, all at once, and after everything else that the state evaluates.

    Guide, "Passing data between states with variables"; recorded: assign/. In JSONPath, Assign is a payload template whose
    input is the result, in Choice and Wait states the input, and in a Catch the error. MiniStack 1.5.33 ignores it there, and
    in JSONata lets an assignment see those before it.
    """
    catch, apply_result_path = stepfunctions._apply_catcher, stepfunctions._apply_result_path

    def keep(values: dict[str, Any], context: Any) -> None:
        pending = _assigned.get()
        (context.setdefault("variables", {}) if pending is None else pending).update(values)

    def assign(fields: dict[str, Any], given: Any, context: Any, result: Any = None, error_output: Any = None) -> None:
        """Evaluate an Assign in JSONata: MiniStack calls this for nothing else."""
        if context is not None and isinstance(fields.get("Assign"), dict):
            evaluate = stepfunctions._apply_jsonata_template
            keep(evaluate(fields["Assign"], given, context, result=result, error_output=error_output), context)

    def assign_in_jsonpath(fields: dict[str, Any], data: Any, context: Any) -> None:
        if isinstance(fields.get("Assign"), dict):
            keep(stepfunctions._resolve_params_obj(fields["Assign"], data, context), context)

    def apply_result_path_and_assign(state: dict[str, Any], original: Any, result: Any) -> Any:
        assign_in_jsonpath(state, result, current.get({}))
        return apply_result_path(state, original, result)

    def catch_and_assign(catcher: dict[str, Any], given: Any, context: Any, language: str, error: Any) -> Any:
        pending = _assigned.get()
        if pending:
            pending.clear()  # what the state assigned before it failed
        output = catch(catcher, given, context, language, error)
        if language != "JSONata":
            assign_in_jsonpath(catcher, error, context)
        return output

    stepfunctions._apply_state_assign, stepfunctions._apply_result_path = assign, apply_result_path_and_assign
    stepfunctions._apply_catcher = catch_and_assign
    _assign_without_a_result(stepfunctions, assign_in_jsonpath)
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        setattr(stepfunctions, f"_execute_{kind}", _assigning_at_its_end(getattr(stepfunctions, f"_execute_{kind}")))


def _assign_without_a_result(stepfunctions: Any, assign: Callable[[dict[str, Any], Any, Any], None]) -> None:
    """Let Choice and Wait states in JSONPath assign. A Choice has an Assign in each rule, and its own is for its Default."""
    choose, wait = stepfunctions._execute_choice, stepfunctions._execute_wait

    def choose_and_assign(state: dict[str, Any], given: Any, context: Any = None) -> Any:
        if stepfunctions._state_query_language(state, context) == "JSONata":
            return choose(state, given, context)
        rules = [*state.get("Choices", []), {**state, "Next": state.get("Default")}]
        numbered = [{**rule, "Next": number} for number, rule in enumerate(state.get("Choices", []))]
        default = {"Default": len(numbered)} if "Default" in state else {}
        if not numbered:
            return choose(state, given, context)
        output, number = choose({**state, "Choices": numbered, **default}, given, context)
        assign(rules[number], stepfunctions._apply_input_path(state, given, context), context)
        return output, rules[number]["Next"]

    def execute_wait_and_assign(state: dict[str, Any], given: Any, context: Any = None) -> Any:
        done = wait(state, given, context)
        if stepfunctions._state_query_language(state, context) != "JSONata":
            assign(state, stepfunctions._apply_input_path(state, given, context), context)
        return done

    stepfunctions._execute_choice, stepfunctions._execute_wait = choose_and_assign, execute_wait_and_assign


def _assigning_at_its_end(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_and_assign(*given: Any) -> Any:
        before = _assigned.set({})
        try:
            done = execute(*given)
            given[-1].setdefault("variables", {}).update(_assigned.get() or {})
            return done
        finally:
            _assigned.reset(before)

    return execute_and_assign
