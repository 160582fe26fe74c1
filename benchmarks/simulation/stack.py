"""What template.yaml says about load: throttles, concurrency, and how the stream is consumed."""

from dataclasses import dataclass
from typing import Any

from in_process.template import Template

CALLBACK_ROUTE = "ANY /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}"


@dataclass(frozen=True, slots=True)
class Throttle:
    """A token bucket of API Gateway: requests a second, and the largest burst."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Consumer:
    """The mapping from the table's stream to `resume_waiters`. Times in seconds."""

    batch: int
    window: float
    lanes: int
    """Batches at once for each shard."""
    longest_age: float
    timeout: float
    """Of the function."""


@dataclass(frozen=True, slots=True)
class SimulatedStack:
    stage: Throttle
    callbacks: Throttle
    consumer: Consumer
    reserved: dict[str, int]
    """The reserved concurrency of the functions that have one."""

    @classmethod
    def of(cls, template: Template) -> "SimulatedStack":
        api = template.resources("AWS::Serverless::HttpApi")["Api"]
        return cls(
            stage=_throttle(template, api["DefaultRouteSettings"]),
            callbacks=_throttle(template, api["RouteSettings"][CALLBACK_ROUTE]),
            consumer=_consumer(template),
            reserved=_reserved(template),
        )


def _throttle(template: Template, settings: Any) -> Throttle:
    values = template.resolve(settings, {})
    return Throttle(float(values["ThrottlingRateLimit"]), float(values["ThrottlingBurstLimit"]))


def _consumer(template: Template) -> Consumer:
    function = template.functions()["resume_waiters"]
    [mapping] = [event["Properties"] for event in function.properties["Events"].values() if event["Type"] == "DynamoDB"]
    return Consumer(
        batch=int(mapping["BatchSize"]),
        window=float(mapping.get("MaximumBatchingWindowInSeconds", 0)),
        lanes=int(mapping["ParallelizationFactor"]),
        longest_age=float(mapping["MaximumRecordAgeInSeconds"]),
        timeout=float(function.properties["Timeout"]),
    )


def _reserved(template: Template) -> dict[str, int]:
    name = "ReservedConcurrentExecutions"
    declared = {
        function.name: template.resolve({name: function.properties[name]}, {})
        for function in template.functions().values()
        if name in function.properties
    }
    return {function: int(value[name]) for function, value in declared.items() if name in value}
