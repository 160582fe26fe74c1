"""What the API answers about executions that moto's interpreter runs, where the emulator's own answer would not do."""

import json
from http import HTTPStatus
from typing import Any

from waitpoints_local.interpreter.bare import state
from waitpoints_local.interpreter.mends import LARGEST
from waitpoints_local.interpreter.runs import alone, runs

ACTIONS = "start_execution start_sync_execution stop_execution describe_execution delete_state_machine"
ACTIONS_OF_MAPS = "list_map_runs describe_map_run update_map_run"
LIMITED = {"start_execution": "input", "start_sync_execution": "input", "send_task_success": "output"}


def answer_about_executions(stepfunctions: Any) -> None:
    api = _Api(stepfunctions)
    for name in f"{ACTIONS} {ACTIONS_OF_MAPS}".split():
        setattr(stepfunctions, f"_{name}", getattr(api, name))


def refuse_large_data(stepfunctions: Any) -> None:
    """Refuse an input and an output of more than 262,144 bytes in UTF-8, as AWS does (its service model, SensitiveData)."""

    def limited(act: Any, field: str) -> Any:
        def act_or_refuse(data: dict[str, Any]) -> Any:
            if len(str(data.get(field)).encode(errors="replace")) <= LARGEST:
                return act(data)
            about = f"Value at '{field}' failed to satisfy constraint: Member must have length less than or equal to {LARGEST}"
            return stepfunctions.error_response_json("ValidationException", f"1 validation error detected: {about}", 400)

        return act_or_refuse

    for name, field in LIMITED.items():
        setattr(stepfunctions, f"_{name}", limited(getattr(stepfunctions, f"_{name}"), field))


class _Api:
    def __init__(self, stepfunctions: Any) -> None:
        self._of = stepfunctions
        self._own = {name: getattr(stepfunctions, f"_{name}") for name in ACTIONS.split()}
        self._map_runs = dict[str, Any]()
        pool = state("exec.state_map.iteration.itemprocessor.map_run_record").MapRunRecordPoolManager
        add = pool.add

        def add_and_note(pool: Any, map_run_record: Any) -> None:
            add(pool, map_run_record)
            self._map_runs[map_run_record.map_run_arn] = map_run_record

        pool.add = add_and_note

    def start_execution(self, data: dict[str, Any]) -> Any:
        """Refuse an input that is no JSON, and answer a repeated request with the execution that runs, as AWS does."""
        given = data.get("input")
        try:
            json.loads("{}" if given is None else given)
        except ValueError as error:
            return self._refuse("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'")
        machine = self._of._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        arn = f"{machine}:{data.get('name')}".replace(":stateMachine:", ":execution:")
        running = self._of._executions.get(arn)
        if running and running["status"] == "RUNNING" and running["input"] == (given or "{}"):
            return self._of.json_response({"executionArn": arn, "startDate": running["startDate"]})
        return self._own["start_execution"](data)

    def start_sync_execution(self, data: dict[str, Any]) -> Any:
        """Refuse a STANDARD machine, as AWS does."""
        machine = self._of._state_machines.get(data.get("stateMachineArn", ""))
        if machine and machine.get("type") != "EXPRESS":
            message = "This operation is not supported by this type of state machine"
            return self._refuse("StateMachineTypeNotSupported", message)
        return self._own["start_sync_execution"](data)

    def stop_execution(self, data: dict[str, Any]) -> Any:
        run = runs.get(data.get("executionArn", ""))
        if run is None or run.is_over:
            return self._own["stop_execution"](data)
        with alone(run.clock):
            run.stop(data.get("error"), data.get("cause"))
        return self._of.json_response({"stopDate": run.execution["stopDate"]})

    def describe_execution(self, data: dict[str, Any]) -> Any:
        """Tell of an output only if there is one, as AWS does: a task that waits for an execution shows all of it."""
        status, headers, body = self._own["describe_execution"](data)
        told = json.loads(body)
        if status != HTTPStatus.OK or told.get("output") is not None:
            return status, headers, body
        return self._of.json_response({name: it for name, it in told.items() if name not in ("output", "outputDetails")})

    def delete_state_machine(self, data: dict[str, Any]) -> Any:
        """Answer for one that is gone with success, as AWS does."""
        is_there = data.get("stateMachineArn") in self._of._state_machines
        return self._own["delete_state_machine"](data) if is_there else self._of.json_response({})

    def list_map_runs(self, data: dict[str, Any]) -> Any:
        found = [it for it in self._map_runs.values() if it.execution_arn == data.get("executionArn")]
        return self._of.json_response({"mapRuns": [it.list_item() for it in found]})

    def describe_map_run(self, data: dict[str, Any]) -> Any:
        record = self._map_runs.get(data.get("mapRunArn", ""))
        return self._of.json_response(record.describe()) if record else self._unknown()

    def update_map_run(self, data: dict[str, Any]) -> Any:
        if record := self._map_runs.get(data.get("mapRunArn", "")):
            names = ("maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage")
            record.update(*(data.get(name) for name in names))
            return self._of.json_response({})
        return self._unknown()

    def _unknown(self) -> Any:
        return self._refuse("ResourceNotFound", "Map Run Does Not Exist")

    def _refuse(self, code: str, message: str) -> Any:
        return self._of.error_response_json(code, message, 400)
