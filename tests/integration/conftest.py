"""Fixtures for the tests on the stack on moto."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.durable_runs import DurableRuns
from tests.support.in_process.api_gateway import ENDPOINTS, Api, Token
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.stores import TokenStore
from tests.support.patience import PATIENCE
from tests.support.recorded_endpoint import NAME, SECRET
from tests.support.timer_events import TimerEvents
from waitpoints.aws.store import Store
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.token import ALL_CHECKED, Completed, NewToken, Waiter, WaiterKind
from waitpoints_local.slack_stand_in import SIGNING_SECRET, Workspace, serving

KEPT = ("dynamodb_client", "s3_client", "secrets_client", "sqs_client")  # to make one takes longer than most tests


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give each test an empty table, empty queues, and functions that know no named key."""
    if "stack" not in request.fixturenames:
        yield
        return
    from waitpoints.wiring import services

    stack = request.getfixturevalue("stack")
    stack.empty_table()  # in which a unit test has left what it made
    yield
    vars(services).pop("api_key_cache", None)
    stack.empty_table()
    stack.empty_queues()


def forget_services(*also: str) -> None:
    """Drop every service and what it has cached, but no client of moto, unless it is named."""
    from waitpoints.wiring import services

    for name in [name for name in vars(services) if name not in KEPT or name in also]:
        del vars(services)[name]


@pytest.fixture
def without_metrics(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Lambda each process has its own metrics. A test of requests at the same moment shares one process."""
    from waitpoints import telemetry

    monkeypatch.setattr(telemetry, "measure", lambda *_: None)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[DeliveryKind]:
    """What became of each delivery to an endpoint. On Lambda each process has a tally of its own, for a request at a time."""
    from waitpoints.wiring import services

    kinds: list[DeliveryKind] = []

    class Tally:
        def count(self, _: str, kind: DeliveryKind, *__: Any) -> None:
            kinds.append(kind)

    monkeypatch.setitem(vars(services), "endpoint_tally", Tally())
    return kinds


@pytest.fixture
def api(stack: MotoStack) -> Api:
    return Api(stack.template, stack.secret("ApiKey"))


@pytest.fixture
def clock(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The functions' clock. It stands still, at first at the real time, which public access tokens are checked against."""
    from waitpoints import wiring

    clock = FakeClock(wiring.now())
    monkeypatch.setattr(wiring, "now", clock)
    return clock


@pytest.fixture
def strict_fakes(stack: MotoStack) -> Iterator[tuple[FakeStepFunctions, FakeDurableFunctions]]:
    """What waits, as strict as AWS: moto's Step Functions is too lenient, and its Lambda has no callbacks."""
    from waitpoints.wiring import services

    fakes = FakeStepFunctions(), FakeDurableFunctions()
    forget_services()
    vars(services).update(zip(("step_functions_client", "lambda_client"), fakes, strict=True))
    yield fakes
    forget_services()


@pytest.fixture
def step_functions(strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions]) -> FakeStepFunctions:
    return strict_fakes[0]


@pytest.fixture(params=WaiterKind)
def waits(strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions], request: pytest.FixtureRequest) -> FakeWaits:
    """What waits, of each kind."""
    [one] = [fake for fake in strict_fakes if fake.kind is request.param]
    return one


@pytest.fixture
def timers(
    stack: MotoStack, clock: FakeClock, step_functions: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> TimerEvents:
    """What invokes the functions of the timers, in the order of time."""
    from waitpoints.wiring import services

    events = TimerEvents(Stream(stack), clock, stack.call)
    monkeypatch.setitem(vars(services), "sqs_client", events.queue)
    return events


@pytest.fixture
def store(stack: MotoStack) -> Store:
    return TokenStore()


@pytest.fixture
def endpoint(api: Api) -> Iterator[Endpoint]:
    """One that records its deliveries."""
    from waitpoints.wiring import services

    secrets = client_of("secretsmanager")
    made = secrets.create_secret(Name=services.webhook_secret_name(NAME), SecretString=SECRET)
    api.put_endpoint(NAME, verify={"scheme": "github", "secret": NAME}, recordDeliveries="7d")
    found = services.endpoints.get(NAME)
    assert found is not None
    yield found
    api.request("DELETE", f"{ENDPOINTS}/{NAME}")
    secrets.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)


@pytest.fixture
def undelivered(clock: FakeClock, waits: FakeWaits) -> Callable[[], tuple[str, Waiter]]:
    from waitpoints.wiring import services

    def make() -> tuple[str, Waiter]:
        """A settled token whose waiter was never resumed."""
        waiter = Waiter(waits.start(), clock(), kind=waits.kind)
        token_id = services.tokens.create(NewToken(waiter=waiter), clock()).token_id
        services.store.complete(token_id, Completed(clock(), services.outputs.store(token_id, "1")), ALL_CHECKED)
        return token_id, waiter

    return make


@pytest.fixture
def workspace(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace of Slack, whose signing secret the functions have."""
    from waitpoints.wiring import services

    with serving() as workspace:
        monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
        services.reset()
        secrets, name = client_of("secretsmanager"), services.channel_secret_name("SLACK_SIGNING_SECRET")
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)  # which another test may have left
        secrets.create_secret(Name=name, SecretString=SIGNING_SECRET)
        yield workspace
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        services.reset()


class Runs:
    """Executions of the template's state machine, run by moto."""

    def __init__(self, state_machine_arn: str) -> None:
        self._state_machine_arn = state_machine_arn
        self._client = client_of("stepfunctions")

    def wait(self, token: Token) -> str:
        """Start an execution that waits for a token, and return its ARN."""
        return start_execution(self._state_machine_arn, {"token": {"id": token["id"]}})

    def result(self, execution: str) -> tuple[str, Any]:
        """Wait until an execution ends. Returns its status, and its output or its error and cause."""

        def ended() -> dict[str, Any] | None:
            described: Any = self._client.describe_execution(executionArn=execution)
            result = {"RUNNING": None, "SUCCEEDED": "output", "FAILED": "error"}.get(described["status"], "status")
            return described if result in described else None  # moto writes a status before its result

        described: Any = eventually(ended)
        if "output" in described:
            return described["status"], json.loads(described["output"])
        return described["status"], (described.get("error"), described.get("cause"))

    def resumed(self, execution: str) -> int:
        """How often the execution's waiting state was given a result."""
        history = self._client.get_execution_history(executionArn=execution)["events"]
        return [event["type"] for event in history].count("TaskSucceeded")


@pytest.fixture(scope="session")
def state_machine_runs(stack: MotoStack) -> Runs:
    return Runs(stack.create_state_machine("WaitForWebhook"))


@pytest.fixture(scope="session")
def durable_runner(stack: MotoStack) -> Iterator[DurableRuns]:
    runs = DurableRuns()
    with runs.runner:
        yield runs


@pytest.fixture
def durable_runs(durable_runner: DurableRuns) -> Iterator[DurableRuns]:
    from waitpoints.wiring import services

    forget_services()
    vars(services)["lambda_client"] = durable_runner.client
    yield durable_runner
    forget_services()


@pytest.fixture(params=WaiterKind)
def runs(request: pytest.FixtureRequest) -> Runs | DurableRuns:
    """Executions of each kind that wait for a token."""
    fixtures = {WaiterKind.STEP_FUNCTIONS: "state_machine_runs", WaiterKind.DURABLE_FUNCTION: "durable_runs"}
    return request.getfixturevalue(fixtures[request.param])


def start_execution(state_machine_arn: str, given: Any) -> str:
    started = client_of("stepfunctions").start_execution(
        stateMachineArn=state_machine_arn, input=json.dumps(given), name=str(uuid.uuid4())
    )
    return str(started["executionArn"])


def eventually[Result](look: Callable[[], Result]) -> Result:
    """Call `look` until it returns something, and return that."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, f"nothing came in {PATIENCE} s"
        time.sleep(0.005)
    return found
