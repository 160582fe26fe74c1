"""Put a durable function of one's own on the local stack: its file runs where it is, so nothing of it is copied or built."""

import ast
import io
import os
import sysconfig
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine_role import make_role_of_functions

HANDLERS = ("handler", "lambda_handler")
LONGEST = 31_622_400  # seconds: 366 days, AWS's limit for an execution
_TIMEOUT = 900  # seconds for an invocation: AWS's limit
_ENTRY = "waitpoints_entry"
_CODE = """\
import site
import sys
from importlib import import_module

sys.path.insert(0, {folder!r})
for path in {libraries!r}:  # of the tests, after those of the function
    site.addsitedir(path)
function = getattr(import_module({module!r}), {handler!r})


def handler(event, context):
    answer = function(event, context)
    if not isinstance(answer, dict) or "Status" not in answer:
        raise TypeError("{handler} is no durable function: decorate it with @durable_execution")
    return answer
"""


@dataclass(frozen=True)
class Function:
    """A file with a durable function, and its handler's name."""

    file: Path
    handler: str


def locate(file: Path, handler: str = "") -> Function:
    """Return the function in a file of Python. Raises ValueError if it has no such handler."""
    __tracebackhide__ = True
    found = _top_level_names(file)
    handler = handler or next((name for name in HANDLERS if name in found), "")
    if handler in found:
        return Function(file, handler)
    wanted = f"no {handler}" if handler else f"neither {' nor '.join(HANDLERS)}"
    raise ValueError(f"{file} has {wanted}: name its function, such as {file.name}:{found[-1] if found else 'approve'}")


def _top_level_names(file: Path) -> list[str]:
    """Return what can be a handler: the functions of a module, and the names that it assigns or imports."""
    names: list[str] = []
    for node in ast.parse(file.read_text(), file.name).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return names


@contextmanager
def deployed(stack: Deployed, function: Function, environment: Mapping[str, str]) -> Iterator[str]:
    """Create the durable function, and delete it afterwards. Yields the name by which it is invoked."""
    functions, name = stack.client("lambda"), f"durable-{function.file.stem[:40]}-{uuid.uuid4().hex[:8]}"
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler=f"{_ENTRY}.handler",
        Role=make_role_of_functions(stack.client("iam")),
        Timeout=_TIMEOUT,
        MemorySize=256,
        Environment={"Variables": {**_variables(stack), **environment}},
        DurableConfig={"ExecutionTimeout": LONGEST, "RetentionPeriodInDays": 1},
        Code={"ZipFile": _packed(function)},
    )
    try:
        yield f"{name}:$LATEST"
    finally:
        with suppress(ClientError):
            functions.delete_function(FunctionName=name)


def _variables(stack: Deployed) -> dict[str, str]:
    """Return what a function needs to create tokens and to wait for them."""
    return {
        "CREATE_FUNCTION": stack.outputs["CreateFunctionName"],
        "WAITPOINTS_WAIT_FUNCTION": stack.outputs["WaitFunctionName"],
        "WAITPOINTS_URL": stack.described["api_url"],
        "WAITPOINTS_API_KEY": stack.described["api_key"],
    }


def _packed(function: Function) -> bytes:
    libraries = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), sysconfig.get_path("purelib")]
    code = _CODE.format(
        folder=str(function.file.parent.absolute()),
        libraries=[*map(os.path.abspath, libraries)],
        module=function.file.stem,
        handler=function.handler,
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(f"{_ENTRY}.py", code)
    return package.getvalue()
