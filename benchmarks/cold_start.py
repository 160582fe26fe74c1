"""`make bench`: what a function's cold start takes, against a bare module that makes the same boto3 clients.

Whole processes are measured, by the processor's time: the interpreter starts, imports the handler as Lambda does, and
ends. Function and layer are as `sam build` lays them out; boto3 stands where Lambda's runtime has it. Machines are noisy,
so the two take turns, the median of their ratios counts, and the milliseconds mean little. Bytecode is in all of it, in
boto3 alone, or in nothing.

    python -m benchmarks.cold_start [RUNS] [FUNCTION ...]
"""

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryFile

from local.stack import ARCHITECTURE, LOCAL, sam
from local.template import Template

ROOT = Path(__file__).resolve().parent.parent
FOLDER = LOCAL / "bench"
RUNS = 9
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")
MODES = {"everything compiled": (True, True), "boto3 compiled": (True, False), "nothing compiled": (False, False)}
BUDGETS = defaultdict(lambda: 1.30, accept_callback=1.10)
NOT_PUBLIC = ("doctor", "expire_tokens", "resume_waiters", "schedule_timeouts")

TEMPLATE = Template.load()
SHARED = TEMPLATE.body["Globals"]["Function"]["Environment"]["Variables"]
OWN = [function.properties.get("Environment", {}).get("Variables", {}) for function in TEMPLATE.functions().values()]
VARIABLES = sorted({name for names in (SHARED, *OWN) for name in names} - {"RETENTION_DAYS"})

CLIENTS = """
import boto3, json
made, make = [], boto3.client
def client(service, **options):
    made.append(service)
    return make(service, **options)
boto3.client = client
import {module}
print(json.dumps(made))
"""
BARE = """
import boto3
from botocore.config import Config
config = Config(retries={{"mode": "standard", "total_max_attempts": 3}}, connect_timeout=2, read_timeout=5)
for service in {services}:
    boto3.client(service, config=config)
"""


def build() -> None:
    """The functions and the layer by `sam build`, and boto3, each with bytecode and without."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    sam("build", f"--parameter-overrides=Architecture={ARCHITECTURE}", endpoint_url="", folder=FOLDER)
    plain, compiled = FOLDER / "build", FOLDER / "compiled"
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec is not None, f"{name} is missing"
        assert spec.origin is not None
        copy(Path(spec.origin), plain / "runtime")
    shutil.copytree(plain, compiled)
    for folder in compiled.iterdir():
        if folder.is_dir():  # ours as `make build` compiles it
            mode = PycInvalidationMode.TIMESTAMP if folder.name == "runtime" else PycInvalidationMode.CHECKED_HASH
            compileall.compile_dir(str(folder), quiet=2, maxlevels=20, invalidation_mode=mode)


def copy(origin: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    if origin.name == "__init__.py":
        ignored = shutil.ignore_patterns("__pycache__", "examples")
        shutil.copytree(origin.parent, target / origin.parent.name, ignore=ignored)
    else:
        shutil.copy(origin, target)


def run(code: str, logical_id: str, mode: str) -> tuple[float, str]:
    """Run code where a function runs. Returns the processor time that it took (ms) and what it printed."""
    runtime_compiled, own_compiled = MODES[mode]
    own = FOLDER / ("compiled" if own_compiled else "build")
    runtime = FOLDER / ("compiled" if runtime_compiled else "build") / "runtime"
    path = [own / logical_id, own / "DependencyLayer" / "python", runtime]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": logical_id,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        **dict.fromkeys(VARIABLES, "none"),
        "RETENTION_DAYS": "30",
    }
    with TemporaryFile() as printed:
        process = subprocess.Popen([sys.executable, "-S", "-c", code], env=environment, stdout=printed)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{logical_id} could not be imported")
        printed.seek(0)
        return (used.ru_utime + used.ru_stime) * 1000, printed.read().decode()


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    functions = {name: function.logical_id for name, function in TEMPLATE.functions().items()}
    chosen = sys.argv[2:] or [name for name in functions if name not in NOT_PUBLIC]
    build()
    services = {
        name: json.loads(run(CLIENTS.format(module=name), functions[name], "everything compiled")[1]) for name in chosen
    }
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for turn in range(runs + 1):
        for mode in MODES:
            for name in chosen:
                bare, _ = run(BARE.format(services=services[name]), functions[name], mode)
                own, _ = run(f"import {name}", functions[name], mode)
                if turn:  # the first one only warms the file cache
                    times[name, mode].append((own, bare))
    print(f"Cold start against a bare module with the same clients; medians of {runs} pairs of runs\n")
    print(f"{'function':<22}" + "".join(f"{mode:>26}" for mode in MODES) + "   budget  clients")
    for name in chosen:
        cells = ""
        for mode in MODES:
            ratio = statistics.median(own / bare for own, bare in times[name, mode])
            own, bare = (statistics.median(column) for column in zip(*times[name, mode], strict=True))
            cells += f"{ratio:>8.2f} ({own:4.0f} / {bare:4.0f} ms)"
        print(f"{name:<22}{cells}   {BUDGETS[name]:6.2f}  {', '.join(services[name])}")


if __name__ == "__main__":
    main()
