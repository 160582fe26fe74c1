"""A table with many tokens, for what must not depend on their number.

moto and the emulator go through the whole table for each query. So the functions run against dynalite, which keeps items in
LevelDB, reads ranges and pages of 1 MB, and reports the capacity that DynamoDB would bill. It needs Node.js. It has no
transactions, and `load.cjs` writes the items without requests.

The items are those of a few waits that the functions made, copied under other ids.
"""

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import boto3
from botocore.config import Config

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.counting.waits import log_to
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tools import node
from tools.stack import LOCAL
from waitpoints_local.stack import free_port

FOLDER = Path(__file__).resolve().parent / "dynalite"
PATIENCE = 30  # seconds until the server answers
WAITING_EACH, RARE_EACH, KEY_EACH = 10, 5_000, 1_000  # one token in so many waits, has the tag "rare", has a key
RARE = "rare"
Item = dict[str, Any]


@dataclass
class Calls:
    """The calls of DynamoDB clients: each one's operation and read or write units, and how many were under way at once."""

    units: list[tuple[str, float]] = field(default_factory=list)
    rounds: int = 0
    """How often a call began while no other was under way."""
    most_at_once: int = 0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, client: Any) -> None:
        events = client.meta.events
        events.register("provide-client-params.dynamodb", self._ask_for_capacity)
        events.register("before-call.dynamodb", self.begin)
        events.register("after-call.dynamodb", self._end)

    def take(self) -> "Calls":
        """Return the calls since the last `take`."""
        taken = Calls(self.units, self.rounds, self.most_at_once)
        self.units, self.rounds, self.most_at_once = [], 0, 0
        return taken

    @property
    def total(self) -> float:
        return sum(units for _, units in self.units)

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.units]

    def begin(self, **_: Any) -> None:
        with self._lock:
            self.rounds += self._under_way == 0
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)

    def end(self, operation: str, units: float) -> None:
        with self._lock:
            self._under_way -= 1
            self.units.append((operation, units))

    def _end(self, parsed: Any, model: Any, **_: Any) -> None:
        self.end(model.name, parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0))

    @staticmethod
    def _ask_for_capacity(params: Any, model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"


class LargeTable:
    """The stack's functions with a table on dynalite. What they need besides is on moto."""

    def __init__(self, stack: MotoStack, data: Path) -> None:
        self._stack = stack
        self._data = data
        self._name = stack.resources["Table"]["Ref"]
        self.calls = Calls()
        self.clock = FakeClock()
        self.step_functions = FakeStepFunctions()
        self.api = Api(stack.template, stack.secret("ApiKey"))
        self._number = 0
        self._samples = self._make_samples()
        self._node = node.program(FOLDER)
        with self._served() as client:
            self._create(client)

    def grow(self, number: int) -> None:
        """Add tokens until there are so many."""
        command = [self._node, str(FOLDER / "load.cjs"), str(self._data), self._name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=FOLDER) as loader:
            assert loader.stdin
            for position in range(self._number, number):
                self.clock.advance(1)
                loader.stdin.writelines(f"{json.dumps(item)}\n" for item in self._copies(position))
        assert loader.returncode == 0, "the items could not be loaded"
        self._number = number

    @contextmanager
    def served(self) -> Iterator[Any]:
        """Make the functions use the table. Yields their client."""
        with self._served() as client, self._services(dynamodb_client=client):
            self.calls.watch(client)
            yield client

    def function(self, name: str, event: Any) -> Any:
        return self._stack.functions()[name].call(event)

    def wait_for(self, token_id: str) -> None:
        """Register a waiter."""
        self.function("wait_for_token", {"waitpointId": token_id, "taskToken": self.step_functions.start_task()})

    @contextmanager
    def _services(self, **replaced: Any) -> Iterator[None]:
        """Let the functions use these services. What they log is dropped."""
        from waitpoints import wiring  # noqa: PLC0415 - reads the stack's environment

        wiring.services.reset()
        replaced["step_functions_client"] = self.step_functions
        replacing = mock.patch.dict(vars(wiring.services), replaced)
        with replacing, mock.patch.object(wiring, "now", self.clock), redirect_stdout(StringIO()), log_to(StringIO()):
            yield
        wiring.services.reset()

    def _make_samples(self) -> Mapping[str, list[Item]]:
        """Run a wait that goes on and one that has ended. Returns their items as JSON."""
        client = boto3.client("dynamodb")
        samples = {}
        with self._services():
            for name in ("waiting", "ended"):
                created = self.api.create(timeout="30d", tags=["orders"])
                self.wait_for(created["id"])
                if name == "ended":
                    self.api.post(created["url"], {"approved": True, "by": "somebody"}, {"content-type": "application/json"})
                condition = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": created["id"]}}}
                items = client.query(TableName=self._name, **condition)["Items"]
                samples[name] = json.loads(json.dumps(items, default=lambda data: base64.b64encode(data).decode()))
        return samples

    def _copies(self, position: int) -> Iterator[Item]:
        from waitpoints import ids  # noqa: PLC0415 - as above
        from waitpoints.aws.items import TOKEN, index_keys  # noqa: PLC0415 - as above

        now = self.clock()
        token_id, key = ids.new_id(now), f"order {position}" if position % KEY_EACH == 0 else None
        texts = {"idempotencyKey": key, **index_keys(token_id, key)}
        named = {name: {"S": text} for name, text in texts.items() if text}
        tags = {"tags": {"L": [{"S": RARE}]}} if position % RARE_EACH == 1 else {}
        for item in self._samples["ended" if position % WAITING_EACH else "waiting"]:
            own = {"createdAt": {"N": str(now)}, **named, **tags} if item["item"]["S"] == TOKEN else {}
            yield {**item, **own, "id": {"S": token_id}}

    @contextmanager
    def _served(self) -> Iterator[Any]:
        from waitpoints import wiring  # noqa: PLC0415 - as above

        port = free_port()
        program = [self._node, "node_modules/dynalite/cli.js", "--host", "127.0.0.1", "--port", str(port)]
        options = ["--path", str(self._data), "--createTableMs", "0"]
        server = subprocess.Popen([*program, *options], cwd=FOLDER, stdout=subprocess.DEVNULL)
        try:
            # Node.js closes connections that were idle for five seconds, and then a call must be sent again
            retries: Any = {"mode": "standard", "total_max_attempts": 3}
            config = Config(max_pool_connections=wiring.CONNECTIONS, read_timeout=300, retries=retries)
            client = wiring.session().client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", config=config)
            _wait_for(client)
            yield client
        finally:
            server.terminate()
            server.wait()

    def _create(self, client: Any) -> None:
        [properties] = self._stack.template.resources("AWS::DynamoDB::Table").values()
        supported = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        client.create_table(TableName=self._name, **{name: properties[name] for name in supported})
        client.get_waiter("table_exists").wait(TableName=self._name, WaiterConfig={"Delay": 1})


@contextmanager
def large_table(stack: MotoStack) -> Iterator[LargeTable]:
    """Give the stack an empty table, and delete it at the end."""
    LOCAL.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="large-table-", dir=LOCAL) as folder:
        yield LargeTable(stack, Path(folder))


def _wait_for(client: Any) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            client.list_tables()
        except client.exceptions.ClientError:
            raise
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
