"""What a path leads to. moto makes an array of one value behind an index, and knows paths into variables only as JSONata."""

import re
from functools import lru_cache
from typing import Any

from waitpoints_local.interpreter.bare import part, put_in_place_of, runtime_failure
from waitpoints_local.interpreter.strands import frame_here

_QUOTED = re.compile(r"\['(?:[^'\\]|\\.)*'\]|\[\"(?:[^\"\\]|\\.)*\"\]")
_BACKSLASH = re.compile(r"\\(?!')")  # which stands for itself (recorded: scenarios/, test_escape_sequence_parsing)
_MANY = re.compile(r"\*|\.\.|\?|,|:")
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")


def read_paths() -> None:
    """Several values are gathered in an array; a path that can lead to one value alone leads to it, or nowhere.

    A Choice can compare with a path into the context object.
    """
    paths = part("asl.utils.json_path")
    parser = paths.parse

    @lru_cache(4096)  # it takes milliseconds
    def parse(path: str) -> Any:
        return parser(_BACKSLASH.sub(r"\\\\", path))

    def extract(path: str, data: Any) -> Any:
        if path.startswith("$$"):
            path, data = path[1:], frame_here.get().states.context_object.context_object_data
        found = [match.value for match in parse(path).find(data)]
        if _MANY.search(_QUOTED.sub("", path)):
            return found
        if not found:
            raise paths.NoSuchJsonPathError(json_path=path, data=data)
        return found[0]

    put_in_place_of("extract_json", extract)


def variables(env: Any) -> dict[str, Any]:
    return {**env.variable_store._outer_scope, **env.variable_store._inner_scope}


def value_at(path: str, env: Any) -> Any:
    """Return what a path leads to in the state's input, in the context object, or in a variable."""
    paths = part("asl.utils.json_path")
    try:
        if path.startswith("$$"):
            return paths.extract_json(path[1:], env.states.context_object.context_object_data)
        if variable := _VARIABLE.match(path):
            known = variables(env)
            if variable[1] not in known:
                raise paths.NoSuchJsonPathError(json_path=path, data=known)
            return paths.extract_json(f"${path[variable.end() :]}", known[variable[1]])
        return paths.extract_json(path, env.stack[-1])
    except paths.NoSuchJsonPathError as error:
        raise missing(env, path, error.data) from None


def missing(env: Any, path: str, data: Any, field: str | None = None) -> Any:
    encode = part("asl.utils.encoding").to_json_str
    about = f"The JSONPath '{path}' specified for the field '{field or env.next_field_name}' could not be found in the input"
    return runtime_failure(env, f"{about} '{encode(data)}'")
