"""What MiniStack 1.5.33 does otherwise than AWS with what a Map state iterates.

`states_language_mends.py` has the list of the mends, and says what "recorded" means.
"""

import json
from typing import Any

from waitpoints_local.state_context import QUERY, RUNTIME


def map_over_arrays_only(stepfunctions: Any) -> None:
    """Fail a Map state whose items are no array: with States.Runtime, and in JSONata with States.QueryEvaluationError.

    Recorded: test_state/test_state_context_object.py, and scenarios/test_base_scenarios.py, test_map_state_items_input_types.
    MiniStack 1.5.33 takes anything else for the only item. AWS iterates an object in a distributed Map: the local engine
    says that it cannot.
    """
    run = stepfunctions._run_map_items

    def run_over_an_array(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        is_jsonata = stepfunctions._state_query_language(state, context) == "JSONata"
        if not state.keys() & {"ItemReader", "Items"}:
            path = state.get("ItemsPath", "$")
            effective = stepfunctions._apply_input_path(state, given, context)
            items = stepfunctions._resolve_path_or_ctx(path, effective, context)
            config = (state.get("Iterator") or state.get("ItemProcessor", {})).get("ProcessorConfig") or {}
            if isinstance(items, dict) and config.get("Mode") == "DISTRIBUTED":
                raise stepfunctions._ExecutionError(RUNTIME, "The local engine cannot iterate an object")
            if not isinstance(items, list) and is_jsonata:
                about = f"Map state input must be an array but was: {json.dumps(items, ensure_ascii=False)}"
                raise stepfunctions._ExecutionError(QUERY, about)
            if not isinstance(items, list):
                raise stepfunctions._ExecutionError(RUNTIME, f'Reference path "{path}" must point to array.')
        return run(state, given, execution, context)

    stepfunctions._run_map_items = run_over_an_array


def iterate_distributed_in_jsonata(stepfunctions: Any) -> None:
    """Evaluate what a distributed Map state has in JSONata: Items, ItemSelector, ItemReader, Output and Assign.

    Guide, "Map workflow state". MiniStack 1.5.33 evaluates them in an inline Map state only, and would iterate the state's
    input. It ignores ItemBatcher in both languages: the local engine says that it cannot make batches.
    """
    run = stepfunctions._run_distributed_map

    def run_distributed(state: dict[str, Any], given: Any, effective: Any, iterator: Any, execution: Any, context: Any) -> Any:
        if "ItemBatcher" in state:
            raise stepfunctions._ExecutionError(RUNTIME, "The local engine cannot make batches of items")
        if stepfunctions._state_query_language(state, context) != "JSONata":
            return run(state, given, effective, iterator, execution, context)
        evaluate = stepfunctions._apply_jsonata_template
        expressions = ("Items", "ItemSelector", "ItemReader", "Output", "Assign")
        fields = {name: value for name, value in state.items() if name not in expressions}
        items = evaluate(state["Items"], given, context) if "Items" in state else given
        if "ItemReader" in state:
            fields["ItemReader"] = evaluate(state["ItemReader"], given, context)
        if "ItemSelector" in state:
            fields["ItemSelector"] = lambda of_item: evaluate(state["ItemSelector"], given, of_item)
        results, following = run(fields, given, items, iterator, execution, context)
        output = stepfunctions._apply_jsonata_output(state, given, context, result=results, default=results)
        stepfunctions._apply_state_assign(state, given, context, result=results)
        return output, following

    stepfunctions._run_distributed_map = run_distributed
