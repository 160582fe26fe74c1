"""What leans on botocore's inside, on the oldest and the newest boto3 that Lambda's Python 3.13 may have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import printed
from tools.stack import LOCAL, ROOT

UV = LOCAL / "uv" / "bin" / "uv"
OLDEST = "boto3==1.42.1"  # the first that knows callbacks; contract W19 has what happens with an older one
LEANING = (
    "tests/unit/test_wiring.py",
    "tests/unit/aws",
    "tests/integration/test_secrets.py",
    "tests/integration/test_store.py",
    "tests/integration/test_tracing.py",
)
OF_THIS_TREES_VERSION = "test_repeats_it_at_once_with_a_new_boto3 or test_every_error_of_the_service_model_has_a_meaning"


def python(folder: Path, *arguments: str) -> str:
    """Run the development environment with the libraries of this folder before its own. Returns what it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return printed([sys.executable, *arguments], ROOT, environment)


@pytest.mark.thorough
@pytest.mark.parametrize(("wanted", "chosen"), [(OLDEST, f"not ({OF_THIS_TREES_VERSION})"), ("boto3", "")])
def test_the_units_that_lean_on_botocore_pass(tmp_path: Path, wanted: str, chosen: str) -> None:
    subprocess.run([UV, "pip", "install", "-q", "--target", tmp_path, "--python", sys.executable, wanted], cwd=ROOT, check=True)
    assert str(tmp_path) in python(tmp_path, "-c", "import boto3, botocore; print(boto3.__file__, botocore.__file__)")
    said = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", "-k", chosen, *LEANING)
    assert " passed" in said
