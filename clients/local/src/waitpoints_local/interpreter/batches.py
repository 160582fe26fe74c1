"""ItemBatcher, which moto's grammar does not know: an iteration of a distributed Map gets several items at once.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html; recorded: scenarios/test_base_scenarios.py,
test_map_item_batching_base_json_max_per_batch_jsonata.
"""

import json
from collections.abc import Iterator
from typing import Any

from waitpoints_local.definition_mends import states_of
from waitpoints_local.interpreter.bare import part, runtime_failure, state
from waitpoints_local.interpreter.mends import LARGEST
from waitpoints_local.interpreter.runs import parsed, run_here


def batch_items() -> None:
    distributed = state("exec.state_map.iteration.distributed_iteration_component").DistributedIterationComponent
    run = distributed._map_run

    def run_in_batches(self: Any, env: Any, eval_input: Any) -> None:
        execution = run_here.get()
        assert execution
        machine = json.loads(execution.machine["definition"])
        own = next(it for name, it in states_of(machine) if name == eval_input.state_name)
        if "ItemBatcher" in own:
            items = env.stack.pop()
            if eval_input.item_selector:
                items = [*_selected(env, eval_input.item_selector, items)]
                eval_input.item_selector = None
            is_jsonata = own.get("QueryLanguage", machine.get("QueryLanguage")) == "JSONata"
            env.stack.append([*_batches(env, items, _evaluated(env, own["ItemBatcher"], is_jsonata))])
        run(self, env, eval_input)

    distributed._map_run = run_in_batches


def _selected(env: Any, selector: Any, items: list[Any]) -> Iterator[Any]:
    context = env.states.context_object.context_object_data
    outer = context.pop("Map", None)
    for index, item in enumerate(items):
        context["Map"] = {"Item": {"Index": index, "Value": item}}
        selector.eval(env)
        yield env.stack.pop()
    context.pop("Map", None)
    if outer is not None:
        context["Map"] = outer


def _evaluated(env: Any, batcher: dict[str, Any], is_jsonata: bool) -> dict[str, Any]:
    """Let a Pass state evaluate the fields, of which moto knows nothing."""
    paths = {f"{name.removesuffix('Path')}.$" if name.endswith("Path") else name: it for name, it in batcher.items()}
    fields = {"QueryLanguage": "JSONata", "Output": batcher} if is_jsonata else {"Parameters": paths}
    one = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **fields}}}
    made = parsed(json.dumps(one))._get_state("A")
    depth = len(env.stack)
    (made.output.jsonata_template_value if is_jsonata else made.parameters).eval(env)
    found: dict[str, Any] = env.stack.pop()
    del env.stack[depth:]
    return found


def _batches(env: Any, items: list[Any], told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    most, largest = (_number(env, name, told.get(name, LARGEST)) for name in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    common = {"BatchInput": told["BatchInput"]} if "BatchInput" in told else {}
    batch, size, empty = list[Any](), 0, _size({"Items": [], **common})
    for item in items:
        own = _size(item) + 1
        if batch and (len(batch) == most or empty + size + own - 1 > largest):
            yield {"Items": batch, **common}
            batch, size = [], 0
        batch.append(item)
        size += own
    if batch:
        yield {"Items": batch, **common}


def _size(value: Any) -> int:
    return len(part("asl.utils.encoding").to_json_str(value, separators=(",", ":")).encode())


def _number(env: Any, name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise runtime_failure(env, f'The {name} field refers to value "{value}" which is not a valid integer') from None
