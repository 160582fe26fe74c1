"""How functions start on Lambda. Also what `oidc/certificates` puts off."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from typing import Any

import pytest

from tests.support.in_process.template import CHANNELS, EVERYTHING, ROOT, SIGN_IN, Template

pytestmark = pytest.mark.slow  # each starts a process

IMPORT_ALL = """
import gc, importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    gc.disable()
    importlib.import_module(name)
    found[name] = gc.isenabled()
print(json.dumps(found | {"pydantic": "pydantic" in sys.modules}))
"""


START_CONSUMER = """
import json, sys
import resume_waiters
from waitpoints.wiring import services
print(json.dumps(["events_client" in vars(services), *sorted(set(sys.modules) & set(json.loads(sys.argv[1])))]))
"""
START = """
import importlib, json, sys
for name in sys.argv[2:]: importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) & set(json.loads(sys.argv[1])))))
"""
START_EACH = """
import importlib, json, os, sys
import boto3  # half of what a function imports, and nothing of what is looked for
wanted, loaded = set(json.loads(sys.argv[1])), {}
assert not wanted & set(sys.modules)
for name in sys.argv[2:]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        importlib.import_module(name)
        os.write(write, json.dumps(sorted(set(sys.modules) & wanted)).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
    loaded[name] = json.loads(os.read(read, 10_000))
print(json.dumps(loaded))
"""
START_WITHOUT_SEARCH = """
import importlib.metadata, json, sys
def search(**_): raise AssertionError("searched for plugins")
importlib.metadata.entry_points = search
from waitpoints.api.models import create_token
print(json.dumps(sorted(set(sys.modules) & set(json.loads(sys.argv[1])))))
"""
RECEIVE = """
import json, sys
import pytest
from tests.support import github_endpoint as github
from tests.support.in_process.world import World
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.template import Template
world, patch = World(), pytest.MonkeyPatch()
world.install(patch)
for name in json.loads(sys.argv[1]): sys.modules.pop(name, None)  # what the world itself has imported
api = Api(Template.load(), world.api_key.read_current())
for settings in json.loads(sys.argv[2]):
    endpoint = github.GitHub(world, api, verify=github.GITHUB, **settings)
    world.advance(60_000)
    assert endpoint.deliver().status == 200
    import doctor
print(json.dumps(sorted(set(sys.modules) & set(json.loads(sys.argv[1])))))
"""
SIGN_IN_STARTS = """
import json, sys
import finish_sign_in
from cryptography import x509
print(json.dumps(["jwt" in sys.modules, "cryptography.x509.name" in sys.modules, x509.NameOID.COMMON_NAME.dotted_string]))
"""
API = "waitpoints.api"
OF_RECORDING = [f"{API}.endpoints.{it}" for it in ("recording", "pending", "resending")] + ["waitpoints.aws.delivery_store"]
KEYS = ["waitpoints.aws.api_key_store", "waitpoints.access.api_keys"]
HEAVY = [
    "jwt",
    "pydantic",
    f"{API}.schemas.create_token",
    f"{API}.endpoints.settings",
    f"{API}.api_key_request",
    f"{API}.public_token_request",
    f"{API}.providers.schemes",
    "waitpoints.access.api_key_cache",
    "waitpoints.timers.reminders",
    *KEYS,
]
OF_SIGN_IN = [f"waitpoints.{it}" for it in ("access.sessions", "access.signed_text", "api.sign_in", "oidc", "sign_in")]
OF_EVENTS = ["waitpoints.aws.services.event_bus", "waitpoints.stream.event_publisher", "waitpoints.stream.settled_event"]


@pytest.mark.parametrize(("bus", "imported"), [("", [False]), ("orders", [False, *OF_EVENTS])])
def test_nothing_of_events_is_imported_or_built_without_a_bus(bus: str, imported: list[str | bool]) -> None:
    """With one, the client is made for the first event."""
    assert run(START_CONSUMER, OF_EVENTS, EVENT_BUS_NAME=bus) == imported


@pytest.mark.parametrize(("parameters", "imported"), [(CHANNELS, []), (EVERYTHING, OF_SIGN_IN)])
def test_nothing_of_sign_in_is_imported_without_an_issuer(parameters: dict[str, str], imported: list[str]) -> None:
    issuer = parameters.get("OidcIssuer", "")
    assert run(START, OF_SIGN_IN, *Template.load(parameters).functions(), OIDC_ISSUER=issuer) == imported


LOADED: dict[str, list[str]] = {
    "accept_callback": [],
    "show_callback": [],
    "retrieve_token": [],
    "move_deadline": [],
    "accept_delivery": [],
    "create_token": [f"{API}.schemas.create_token"],
    "create_public_token": [f"{API}.public_token_request"],
    "create_api_key": [f"{API}.api_key_request", *KEYS],
    "list_api_keys": KEYS,
    "revoke_api_key": KEYS,
    "mint_public_token": [f"{API}.public_token_request"],
    "complete_token": ["jwt"],
    "complete_by_key": [],
    "put_endpoint": [f"{API}.endpoints.settings"],
    "try_endpoint": [],
    "resend_delivery": [],
    "begin_sign_in": [],
    "finish_sign_in": ["jwt"],
    "begin_session": ["jwt"],
}


def test_a_function_loads_only_what_its_requests_need() -> None:
    assert run(START_EACH, HEAVY, *LOADED) == {function: sorted(loaded) for function, loaded in LOADED.items()}


def test_a_sign_in_starts_without_certificates_which_are_imported_when_they_are_used() -> None:
    assert run(SIGN_IN_STARTS, []) == [True, False, "2.5.4.3"]


@pytest.mark.parametrize(
    ("settings", "imported"), [({}, []), ({"record_deliveries": "7d"}, [OF_RECORDING[0], OF_RECORDING[-1]])]
)
def test_nothing_of_recording_is_imported_for_an_endpoint_that_records_nothing(
    settings: dict[str, str], imported: list[str]
) -> None:
    """Nor by a doctor who finds nothing pending."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "functions", ROOT / "clients" / "local" / "src")))
    assert run(RECEIVE, OF_RECORDING, json.dumps([settings]), PYTHONPATH=path) == imported


def test_no_function_searches_the_packages_for_plugins_of_pydantic() -> None:
    assert run(START_WITHOUT_SEARCH, ["pydantic"]) == ["pydantic"]


def test_every_function_starts_with_garbage_collection_and_none_imports_pydantic() -> None:
    names = [name for name in Template.load(EVERYTHING).functions() if name != "show_console"]  # disables no collection
    found = run(IMPORT_ALL, names)
    assert found.pop("pydantic") is False
    assert [name for name, collects in found.items() if not collects] == []


def run(program: str, names: list[str], *arguments: str, **more: str) -> Any:
    """Run a program with the environment of a starting function of a stack with an issuer. Returns what it printed."""
    template = Template.load(SIGN_IN)
    functions = [template.body["Globals"]["Function"], *(function.properties for function in template.functions().values())]
    declared = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    anything: dict[str, dict[str, str]] = defaultdict(lambda: defaultdict(str))
    variables = {name for variables in template.resolve(declared, anything) for name in variables}
    environment = {
        **os.environ,
        **dict.fromkeys(variables, "1"),
        "API_KEY_SECRET": "arn:aws:secretsmanager:us-east-1:000000000000:secret:key",
        "AWS_LAMBDA_FUNCTION_NAME": "every",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT / "functions"),
        **more,
    }
    command = [sys.executable, "-c", program, json.dumps(names), *arguments]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(printed.splitlines()[-1])
