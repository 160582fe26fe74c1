"""States that invoke the stack's functions, for state machines of a test alone."""

from typing import Any

from waitpoints_local.stack import Stack


def waiting(stack: Stack, token: dict[str, Any], options: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    """A state that waits for a token. `options` go to the function, the others to the state."""
    payload = {"waitpointId": token["id"], "taskToken.$": "$$.Task.Token", **(options or {})}
    return task("lambda:invoke.waitForTaskToken", stack.wait_function_name, payload, **state)


def task(resource: str, function: str, payload: dict[str, Any], **state: Any) -> dict[str, Any]:
    """A state that invokes a function, and the last one unless it has a next one."""
    parameters = {"FunctionName": function, "Payload": payload}
    end = {} if "Next" in state else {"End": True}
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, **end, **state}
