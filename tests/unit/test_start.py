"""How functions start on Lambda."""

import json
import os
import subprocess
import sys

from in_process.template import ROOT, Template

IMPORT_ALL = """
import gc, importlib, json, sys
on = {}
for name in json.loads(sys.argv[1]):
    gc.disable()
    importlib.import_module(name)
    on[name] = gc.isenabled()
print(json.dumps(on))
"""


def test_garbage_collection_is_enabled_after_every_function_has_started() -> None:
    template = Template.load()
    names = [name for name in template.functions() if name != "console"]  # it imports nothing that disables collection
    functions = [template.body["Globals"]["Function"], *(function.properties for function in template.functions().values())]
    variables = {name for function in functions for name in function.get("Environment", {}).get("Variables", {})}
    environment = {
        **os.environ,
        **dict.fromkeys(variables, "1"),
        "AWS_LAMBDA_FUNCTION_NAME": "every",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT / "functions"),
    }
    command = [sys.executable, "-c", IMPORT_ALL, json.dumps(names)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == dict.fromkeys(names, True)
