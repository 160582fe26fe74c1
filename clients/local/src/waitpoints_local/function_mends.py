"""What the intrinsic functions of MiniStack 1.5.33, and those that Step Functions adds to JSONata, do otherwise than on AWS.

`states_language_mends.py` has the list of the mends, and says what "recorded" means.
"""

import json
import math
import random
import re
from collections.abc import Callable
from typing import Any

from waitpoints_local import json_paths
from waitpoints_local.json_paths import is_of
from waitpoints_local.state_context import INTRINSIC, PUBLIC, QUERY

_NUMBER = (int, float)
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "States.StringToJson": (str,),
    "States.JsonToString": (object,),
    "States.StringSplit": (str, str),
    "States.ArrayGetItem": (list, int),
    "States.ArrayLength": (list,),
    "States.ArrayContains": (list, object),
    "States.ArrayUnique": (list,),
    "States.ArrayPartition": (list, _NUMBER),
    "States.ArrayRange": (_NUMBER, _NUMBER, _NUMBER),
    "States.MathAdd": (_NUMBER, _NUMBER),
    "States.JsonMerge": (dict, dict, bool),
    "States.Hash": (str, str),
    "States.Base64Encode": (str,),
    "States.Base64Decode": (str,),
    "States.UUID": (),
}
_ROUNDS = ("States.ArrayPartition", "States.ArrayRange", "States.MathAdd", "States.MathRandom")
_RANGE_LIMIT = 1000
_NAME = re.compile(r"\s*(States\.\w+)\(")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_FIGURE = re.compile(r"-?\d+(?:\.\d+)?")
_WORDS = {"true": True, "false": False, "null": None}
Node = tuple[Any, ...]


def read_functions(stepfunctions: Any) -> None:
    """Read an intrinsic function with all that a path or a text within it may have, and replace the text's escapes.

    States Language, "Intrinsic Functions". MiniStack 1.5.33 ends a path at the first comma or bracket, leaves the backslashes
    in a text, and reads on after what it cannot read.
    """
    evaluate_argument = stepfunctions._eval_intrinsic_arg

    def evaluate(expression: str, data: Any, context: Any) -> Any:
        node, end = _read_call(expression, 0)
        if expression[end:].strip():
            raise ValueError(f"'{expression[end:]}' follows the function")
        return stepfunctions._exec_intrinsic(node, data, context)

    def argument(node: Node, data: Any, context: Any) -> Any:
        if node[0] == "path":
            return stepfunctions._resolve_path_or_ctx(node[1], data, context)
        if node[0] == "str":
            return re.sub(r"\\(.)", r"\1", node[1], flags=re.DOTALL)
        return evaluate_argument(node, data, context)

    stepfunctions._evaluate_intrinsic, stepfunctions._eval_intrinsic_arg = evaluate, argument


def _read_call(text: str, start: int) -> tuple[Node, int]:
    """Read a call. Returns it, as MiniStack writes it, and where it ends."""
    called = _NAME.match(text, start)
    if called is None:
        raise ValueError(f"There is no function at '{text[start:]}'")
    arguments: list[Node] = []
    place = _after_blanks(text, called.end())
    while not text.startswith(")", place):
        if arguments:
            place = _after(",", text, place)
        argument, place = _read_argument(text, _after_blanks(text, place))
        arguments.append(argument)
        place = _after_blanks(text, place)
    return ("call", called[1], arguments), place + 1


def _after_blanks(text: str, place: int) -> int:
    while text[place : place + 1].isspace():
        place += 1
    return place


def _after(what: str, text: str, place: int) -> int:
    if not text.startswith(what, place):
        raise ValueError(f"There is no '{what}' at '{text[place:]}'")
    return place + len(what)


def _read_argument(text: str, place: int) -> tuple[Node, int]:
    if text.startswith("States.", place):
        return _read_call(text, place)
    if text.startswith("$", place):
        return _read_path(text, place)
    if quoted := _TEXT.match(text, place):
        return ("str", quoted[1]), quoted.end()
    if figure := _FIGURE.match(text, place):
        return ("num", float(figure[0]) if "." in figure[0] else int(figure[0])), figure.end()
    for word, value in _WORDS.items():
        if text.startswith(word, place):
            return ("num", value), place + len(word)
    raise ValueError(f"There is no argument at '{text[place:]}'")


def _read_path(text: str, place: int) -> tuple[Node, int]:
    """Read a path, also one that is not read here: it ends at a comma or bracket, and fails where it is followed."""
    marks = re.compile(r"\$+\w*").match(text, place)
    assert marks
    try:
        end = json_paths.end_of_path("$" + text[marks.end() :], 0) - 1 + marks.end()
    except json_paths.UnreadablePath:
        end = place
        while end < len(text) and text[end] not in ",)":
            end += 1
        end += text.startswith("()", end - 1)
    return ("path", text[place:end].strip()), end


def fail_on_bad_arguments(stepfunctions: Any) -> None:
    """Fail with States.IntrinsicFailure if an intrinsic function cannot take its arguments, and do with them what AWS does.

    That is: Format writes a null, true or an object as `null`, `true` or `{a=1}` (recorded:
    intrinsic_functions/test_generic.py), in as many places as there are values. Some functions round a number to the nearest
    integer, a range may go down and has at most 1000 items, a random number is below its end (guide, "Intrinsic functions").
    True does not equal 1. MiniStack 1.5.33 takes a negative index, the length of a text and a number in a text, cuts off
    decimals, and fails with an error that a Catch of a Parallel or Map state matches.
    """
    evaluate, execute = stepfunctions._evaluate_intrinsic, stepfunctions._exec_intrinsic

    def evaluate_intrinsic(expression: str, data: Any, context: Any) -> Any:
        try:
            return evaluate(expression, data, context)
        except stepfunctions._ExecutionError:
            raise
        except Exception as error:
            about = f"The function '{expression}' had the following error: {error}"
            raise stepfunctions._ExecutionError(INTRINSIC, about) from error

    def execute_checked(node: Any, data: Any, context: Any) -> Any:
        _, name, nodes = node
        arguments = [stepfunctions._eval_intrinsic_arg(argument, data, context) for argument in nodes]
        if name == "States.Format" and nodes and nodes[0][0] == "str":
            arguments[0] = nodes[0][1]  # with its escapes, since it has places
        if not _fit(name, arguments):
            raise ValueError(f"Invalid arguments in {name}")
        if name == "States.Format":
            arguments = [arguments[0], *map(_as_text, arguments[1:])]
        if name in _ROUNDS:
            arguments = [math.floor(it + 0.5) if isinstance(it, float) else it for it in arguments]
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](*arguments)
        return execute(("call", name, [("num", argument) for argument in arguments]), data, context)

    stepfunctions._evaluate_intrinsic, stepfunctions._exec_intrinsic = evaluate_intrinsic, execute_checked


def _fit(name: str, arguments: list[Any]) -> bool:
    if name == "States.Format":
        template = arguments[0] if arguments else None
        return isinstance(template, str) and re.sub(r"\\.", " ", template).count("{}") == len(arguments) - 1
    kinds = _ARGUMENTS.get(name)
    if name == "States.MathRandom":
        kinds = (_NUMBER,) * (3 if len(arguments) == 3 else 2)
    if kinds is None:
        return True
    if len(kinds) != len(arguments) or not all(map(is_of, arguments, kinds)):
        return False
    return not ((name == "States.ArrayGetItem" and arguments[1] < 0) or (name == "States.JsonMerge" and arguments[2]))


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_as_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_text, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _partition(array: list[Any], size: int) -> list[Any]:
    if size < 1:
        raise ValueError("The chunk size must be positive")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _range(first: int, last: int, step: int) -> list[int]:
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > _RANGE_LIMIT:
        raise ValueError(f"The array has more than {_RANGE_LIMIT} items")
    return list(numbers)


def _contains(array: list[Any], value: Any) -> bool:
    return any(json_paths.same_json(member, value) for member in array)


def _unique(array: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for member in array:
        if not _contains(kept, member):
            kept.append(member)
    return kept


def _random(start: int, end: int, seed: int | None = None) -> int:
    return random.Random(seed).randrange(start, end)  # noqa: S311 - no secret


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "States.StringToJson": lambda text: json.loads(text, parse_constant=_refuse),
    "States.JsonToString": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "States.ArrayPartition": _partition,
    "States.ArrayRange": _range,
    "States.ArrayContains": _contains,
    "States.ArrayUnique": _unique,
    "States.MathRandom": _random,
}


def evaluate_jsonata_as_aws_does(stepfunctions: Any) -> None:
    """Give JSONata the functions of Step Functions, the context object that AWS has, and results that JSON can hold.

    A range of one item is that item (recorded: intrinsic_functions/test_array_jsonata.py); `$eval` is not there (guide,
    "Transforming data with JSONata"); a function is no result (recorded: scenarios/test_base_scenarios.py). MiniStack 1.5.33
    cuts a text into chunks, shows its own notes in `$states.context`, and writes a whole number as 3.0.
    """
    register, evaluate = stepfunctions._register_sfn_jsonata_functions, stepfunctions._evaluate_jsonata

    def register_more(expression: Any) -> None:
        register(expression)
        expression.register_lambda("eval", _no_function)
        expression.register_lambda("partition", lambda array, size: _partition(_list(array), math.floor(size)))
        expression.register_lambda("range", _one_or_more(stepfunctions._sfn_jsonata_range))

    def evaluate_in_public(expression: str, given: Any, context: Any = None, *more: Any, **named: Any) -> Any:
        value = evaluate(expression, given, _Public(context or {}), *more, **named)
        try:
            return _plain(value)
        except TypeError:
            about = f"The JSONata expression '{expression}' returned an unsupported result type."
            raise stepfunctions._ExecutionError(QUERY, about) from None

    stepfunctions._register_sfn_jsonata_functions = register_more
    stepfunctions._evaluate_jsonata = evaluate_in_public


class _Public(dict[str, Any]):
    """The context object, with the variables for those who ask for them by name."""

    def __init__(self, context: dict[str, Any]) -> None:
        super().__init__({name: context[name] for name in PUBLIC if name in context})
        self._variables = context.get("variables", {})

    def get(self, name: str, default: Any = None) -> Any:
        return self._variables if name == "variables" else super().get(name, default)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, with whole numbers as such."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(type(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("T0410: The argument is no array")
    return value


def _one_or_more(make: Callable[..., list[Any]]) -> Callable[..., Any]:
    def make_one_or_more(first: Any, last: Any, step: Any) -> Any:
        made = make(first, last, step)
        return made[0] if len(made) == 1 else made

    return make_one_or_more


def _no_function(*_: Any) -> None:
    raise ValueError("T1006: Attempted to invoke a non-function")
