"""Measure the cold start of each public function against a bare module with the same boto3 clients.

Measures the function and layer of a plain `sam build`, with boto3 and its bytecode on the path as in Lambda's runtime.
The figure is the CPU time of a whole process: the interpreter starts, imports the handler with the environment of a
Lambda function, and exits at once, because Lambda never runs the interpreter's teardown.

The bare module creates the clients that the function creates at start, in the same order and with the same timeouts.

Because machines are noisy, function and bare module alternate, and the median of the paired ratios counts. While the
budget lies between the quartiles of these ratios, up to MOST_ROUNDS rounds follow; then the median decides. Each round
starts at a different call depth: Python allocates its stack in blocks, and an import that runs at the end of a block
allocates the next one at every call, which costs up to 20 ms. The depth in Lambda is unknown.

    python -m benchmarks.cold_start [FUNCTION ...]
"""

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.figures import Figures, table
from tests.support.in_process.template import CHANNELS, EVERYTHING, Function, Template
from tools.stack import LOCAL, sam
from waitpoints_local.stack import ARCHITECTURE

FOLDER = LOCAL / "cold-start"
RUNTIME = FOLDER / "runtime"
SDK = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")
RUNTIME_PACKAGES = (*SDK, "awslambdaric", "runtime_client", "simplejson")
ROUNDS, MOST_ROUNDS = 15, 45
DEPTH, STACK_BLOCK = 7, 150  # calls: the step between rounds, and about one block of Python's stack
BUDGETS = {"accept_callback": 1.00, "create_token": 1.20}
BUDGET = 1.15  # for every other public function
LISTED = 1.03  # a ratio above which the page lists a function
NOT_PUBLIC = {"DynamoDB", "SQS", "ScheduleV2"}  # event sources of asynchronous functions

CLIENTS = """
import botocore.session, json
made, make = [], botocore.session.Session.create_client
def create_client(self, service_name, *arguments, **options):
    made.append(service_name)
    return make(self, service_name, *arguments, **options)
botocore.session.Session.create_client = create_client
import {module}
print(json.dumps(made))
"""
FROM_A_DEPTH = """
import os
def start(depth):
    if depth:
        start(depth - 1)
        return
{body}
    os._exit(0)
start({depth})
"""
OWN = "    import {module}"
BARE = """
    import boto3
    from botocore.config import Config
    config = Config(retries={{"mode": "standard", "total_max_attempts": 3}}, connect_timeout=2, read_timeout=5)
    for service in {services}:
        boto3.client(service, config=config)
"""


@dataclass(kw_only=True)
class Paired:
    """What a function took each time, paired with what its bare counterpart took."""

    own: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def quartiles(self) -> list[float]:
        return statistics.quantiles([own / bare for own, bare in zip(self.own, self.bare, strict=True)], n=4)

    @property
    def ratio(self) -> float:
        return self.quartiles[1]

    def take_turns(self, own: Callable[[], float], bare: Callable[[], float]) -> None:
        """Measure both once. They alternate in which comes first."""
        turns = [(self.own, own), (self.bare, bare)]
        for took, measure in turns[:: -1 if len(self.own) % 2 else 1]:
            took.append(measure())


@dataclass
class Measured(Paired):
    """A function's cold starts so far, in milliseconds of CPU time, paired with the bare module's."""

    function: Function
    environment: dict[str, str]
    has_issuer: bool
    services: list[str] = field(default_factory=list)

    @property
    def budget(self) -> float:
        return BUDGETS.get(self.function.name, BUDGET)

    @property
    def missed(self) -> bool:
        return self.ratio > self.budget

    @property
    def borderline(self) -> bool:
        low, _, high = self.quartiles
        return low <= self.budget <= high and len(self.own) < MOST_ROUNDS

    def run(self, code: str) -> tuple[float, str]:
        """Run code in the function's environment. Returns the CPU time (ms) and the output."""
        with TemporaryFile() as printed:
            process = subprocess.Popen([sys.executable, "-S", "-c", code], env=self.environment, stdout=printed)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{self.function.name} could not be imported")
            printed.seek(0)
            return (used.ru_utime + used.ru_stime) * 1000, printed.read().decode()

    def find_services(self) -> None:
        self.services = json.loads(self.run(CLIENTS.format(module=self.function.name))[1])

    def measure(self) -> None:
        depth = len(self.own) * DEPTH % STACK_BLOCK
        own = FROM_A_DEPTH.format(body=OWN.format(module=self.function.name), depth=depth)
        bare = FROM_A_DEPTH.format(body=BARE.format(services=self.services), depth=depth)
        self.take_turns(lambda: self.run(own)[0], lambda: self.run(bare)[0])

    def cells(self) -> list[str]:
        return [f"`{self.function.name}`", f"**{self.ratio:.2f}**", f"{statistics.median(self.own):.0f}"]


@cache
def build() -> None:
    """Run a plain `sam build` for this machine's architecture, and install what the Lambda runtime has. Does so once."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    sam("build", f"--parameter-overrides=Architecture={ARCHITECTURE}", folder=FOLDER)
    RUNTIME.mkdir()
    for name in RUNTIME_PACKAGES:
        spec = find_spec(name)
        assert spec, f"{name} is missing"
        assert spec.origin, f"{name} has no files"
        copy(Path(spec.origin))
    compileall.compile_dir(RUNTIME, quiet=2, workers=0)


def copy(origin: Path) -> None:
    """Copy a package or a single-file module to RUNTIME."""
    if origin.name == "__init__.py":
        ignored = shutil.ignore_patterns("__pycache__", "examples")
        shutil.copytree(origin.parent, RUNTIME / origin.parent.name, ignore=ignored)
    else:
        shutil.copy(origin, RUNTIME)


def public_functions(template: Template) -> list[Function]:
    """Return the functions that a caller or a state waits for."""
    return [
        function
        for function in template.functions().values()
        if not NOT_PUBLIC & {event["Type"] for event in function.properties.get("Events", {}).values()}
    ]


def environment(template: Template, function: Function) -> dict[str, str]:
    """Return a function's environment variables, with the template's parameters, and `none` for values of resources."""
    shared = template.body["Globals"]["Function"]["Environment"]["Variables"]
    variables = {**shared, **function.properties.get("Environment", {}).get("Variables", {})}
    layers = ["DependencyLayer", *(layer["Ref"] for layer in function.properties.get("Layers", []))]
    path = [FOLDER / "build" / function.logical_id, *(FOLDER / "build" / layer / "python" for layer in layers), RUNTIME]
    anything: dict[str, dict[str, str]] = defaultdict(lambda: defaultdict(lambda: "none"))
    anything["ApiKey"] = {"Id": "arn:aws:secretsmanager:us-east-1:000000000000:secret:key"}  # names the account
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_SESSION_TOKEN": "none",
        **{name: str(value) for name, value in template.resolve(variables, anything).items()},
    }


def to_measure(wanted: Sequence[str]) -> list[Measured]:
    """Return the public functions, or those that are named, twice where they have other variables without an issuer."""
    found: dict[tuple[str, frozenset[str]], Measured] = {}
    for has_issuer, parameters in ((True, EVERYTHING), (False, CHANNELS)):
        template = Template.load(parameters)
        for function in public_functions(template):
            variables = environment(template, function)
            measured = Measured(function=function, environment=variables, has_issuer=has_issuer)
            found.setdefault((function.name, frozenset(variables)), measured)
    return [measured for measured in found.values() if not wanted or measured.function.name in wanted]


def run(wanted: Sequence[str] = ()) -> Figures:
    """Measure the public functions, or those that are named, with every channel and an issuer, and without the issuer."""
    build()
    measured = to_measure(wanted)
    for function in measured:
        function.find_services()
    for _ in range(ROUNDS):
        for function in measured:
            function.measure()
    while borderline := [function for function in measured if function.borderline]:
        for function in borderline:
            function.measure()
    missed = [f"{function.function.name} starts in {function.ratio:.2f}" for function in measured if function.missed]
    return Figures(markdown(measured), tuple(missed))


def markdown(measured: Sequence[Measured]) -> str:
    """List the functions that start slowest, and those with a budget of their own."""
    head = ["function", f"ratio (budget {BUDGET:.2f}; `accept_callback` {BUDGETS['accept_callback']:.2f})", "CPU, ms"]
    full = {function.function.name: function for function in measured if function.has_issuer}
    listed = [function for name, function in full.items() if function.ratio > LISTED or name in BUDGETS]
    others = [function.ratio for function in full.values() if function not in listed]
    differences = [abs(it.ratio - full[it.function.name].ratio) for it in measured if not it.has_issuer]
    rest = [f"The ratio of the {len(others)} other functions is at most {max(others):.2f}."] if others else []
    rest += [f"Without an issuer, ratios differ by at most {max(differences):.2f}."] if differences else []
    return "\n\n".join([table(head, [function.cells() for function in listed]), *([" ".join(rest)] if rest else [])])


if __name__ == "__main__":
    print(run(sys.argv[1:]).markdown)
